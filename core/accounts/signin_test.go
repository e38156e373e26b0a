package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
)

func (c *class) try(t testing.TB, name, secret, addr string) error {
	t.Helper()
	_, err := c.Authenticate(t.Context(), name, secret, "", addr)
	return err
}

func TestAuthenticate(t *testing.T) {
	c := newClass(t)
	s := c.kit1Secret
	if len(s) != 26 || strings.ContainsAny(s, "ilou") || strings.ToLower(s) != s {
		t.Errorf("secret %q", s)
	}
	off, offSecret := c.add1(t, core.Account{Name: "off", Role: core.Kit, Disabled: true}, "")
	_ = off
	chosen, _ := c.add1(t, core.Account{Name: "chosen", Role: core.Kit}, "a kit's own word")
	for _, tt := range []struct {
		name, secret string
		want         core.AccountID
		says         string
	}{
		{"mrs-kim", password, c.teacher, ""},
		{"zoe", password, c.zoe, ""},
		{"kit-1", s, c.kit1, ""},
		{"kit-1", strings.ToUpper(s[:13]) + "-" + s[13:], c.kit1, ""},
		{"chosen", "a kit's own word", chosen, ""},
		{"zoe", password + " ", 0, "wrong"},
		{"zoe", "", 0, "wrong"},
		{"zoe", s, 0, "wrong"},
		{"Zoe", password, 0, "wrong"},
		{"kit-1", "", 0, "wrong"},
		{"kit-1", s[:25], 0, "wrong"},
		{"kit-2", s, 0, "wrong"},
		{"nobody", password, 0, "nobody could not sign in: the name or the password is wrong."},
		{"#", password, 0, "wrong"},
		{"a\x00\xff\u202e", password, 0, "a��� could"},
		{"", "", 0, "Sign in with a name"},
		{"off", offSecret, 0, "off is disabled"},
		{"off", "wrong", 0, "wrong"}, // and not that it is disabled
	} {
		a, err := c.Authenticate(t.Context(), tt.name, tt.secret, "", "10.0.0.7:4711")
		if tt.want != 0 {
			if err != nil || a.ID != tt.want {
				t.Errorf("%q: %v, %v", tt.name, a, err)
			}
			continue
		}
		told(t, tt.name, err, core.ErrDenied)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q says %v, want %q", tt.name, err, tt.says)
		}
	}
}

// TestClientIDs: the name of an account is the client ID of nobody else.
func TestClientIDs(t *testing.T) {
	c := newClass(t, func(c *Config) { c.Open = true })
	for _, tt := range []struct {
		name, secret, client string
		kind                 error // or nil
	}{
		{"zoe", password, "", nil},
		{"zoe", password, "zoe", nil},
		{"zoe", password, "zoe-phone", nil},
		{"zoe", password, "blue", nil}, // a team
		{"zoe", password, "KIT-1", nil},
		{"zoe", password, "kit-1", core.ErrConflict},
		{"zoe", password, "mrs-kim", core.ErrConflict},
		{"mrs-kim", password, "kit-1", core.ErrConflict},
		{"kit-1", c.kit1Secret, "kit-1", nil},
		{"kit-1", c.kit1Secret, "kit-2", core.ErrConflict},
		{"zoe", "wrong", "kit-1", core.ErrDenied}, // and not that there is a kit-1
		{"", "", "kit-1", nil},                    // all is open, and there is nobody to tell apart
	} {
		_, err := c.Authenticate(t.Context(), tt.name, tt.secret, tt.client, "10.0.0.1")
		if tt.kind == nil {
			if err != nil {
				t.Errorf("%s as %s: %v", tt.name, tt.client, err)
			}
			continue
		}
		told(t, tt.name+" as "+tt.client, err, tt.kind)
		if tt.kind == core.ErrConflict && (!strings.HasPrefix(err.Error(), tt.name+" connected with the client ID "+tt.client) || !strings.Contains(err.Error(), "of its own")) {
			t.Errorf("%s as %s: %v", tt.name, tt.client, err)
		}
	}
}

// TestWrongSecretsCostTheSame: nobody learns from the time of an answer which
// names exist, or which are kits; and the right secret of a kit costs nothing.
func TestWrongSecretsCostTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		var hashes []string
		c.verify = func(hash, password string) bool {
			if len(c.slots) == 0 {
				t.Error("a password is hashed outside its place")
			}
			hashes = append(hashes, strings.Join(strings.Split(hash, "$")[:4], "$")) // what it costs
			return verifyPassword(hash, password)
		}
		for _, name := range []string{"nobody", "kit-1", "zoe", "NOT A NAME"} {
			hashes = nil
			told(t, name, c.try(t, name, "guess", "10.0.0.66"), core.ErrDenied)
			if len(hashes) != 1 || hashes[0] != "$argon2id$v=19$m=8,t=1,p=1" {
				t.Errorf("%s: hashed %q", name, hashes)
			}
		}
		hashes = nil
		if err := c.try(t, "kit-1", c.kit1Secret, "10.0.0.1"); err != nil || len(hashes) != 0 {
			t.Errorf("the right secret: %v, hashed %q", err, hashes)
		}
		for range 100 {
			told(t, "flood", c.try(t, "kit-2", "guess", "10.0.0.66"), core.ErrDenied)
		}
		if len(hashes) != freeMisses {
			t.Errorf("of 100 wrong secrets %d were hashed", len(hashes))
		}

		// A wrong secret waits for a place, as a wrong password does, and cannot
		// be right in the end.
		c.slots <- struct{}{}
		c.slots <- struct{}{}
		done := make(chan error)
		go func() { done <- c.try(t, "kit-1", "guess", "10.0.0.1") }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("answered at once: %v", err)
		default:
			<-c.slots
			<-c.slots
			told(t, "later", <-done, core.ErrDenied)
		}
	})
}

func TestNewSecretEndsTheOld(t *testing.T) {
	c := newClass(t)
	secret, err := c.ResetSecret(t.Context(), c.kit1)
	if err != nil {
		t.Fatal(err)
	}
	if c.try(t, "kit-1", c.kit1Secret, "a") == nil || c.try(t, "kit-1", secret, "a") != nil {
		t.Error("the old secret lives or the new one does not")
	}
	if err := c.SetPassword(t.Context(), c.kit1, "jambon-beurre"); err != nil {
		t.Fatal(err)
	}
	if c.try(t, "kit-1", secret, "a") == nil || c.try(t, "kit-1", "jambon-beurre", "a") != nil {
		t.Error("the old secret lives or the new password does not")
	}
}

// TestSecretChangedWhileChecked: what was right when it was sent is wrong by
// the time it has been checked.
func TestSecretChangedWhileChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		c.slots <- struct{}{}
		c.slots <- struct{}{}
		done := make(chan error)
		go func() { done <- c.try(t, "zoe", password, "10.0.0.1") }()
		synctest.Wait()
		if _, err := c.ResetSecret(t.Context(), c.zoe); err != nil {
			t.Fatal(err)
		}
		<-c.slots
		told(t, "the old password", <-done, core.ErrDenied)
	})
}

func TestSecretsAreNotKept(t *testing.T) {
	c := newClass(t)
	for id, hash := range c.store.secrets {
		if strings.Contains(hash, password) || strings.Contains(hash, c.kit1Secret) || !strings.HasPrefix(hash, "$argon2id$v=19$m=8,t=1,p=1$") && !strings.HasPrefix(hash, "$hmac-sha256$") {
			t.Errorf("%d: %s", id, hash)
		}
	}
	// A hash holds its own parameters, so a stronger one is read by a weaker service.
	if strong := Strong.hash("x"); !strings.HasPrefix(strong, "$argon2id$v=19$m=19456,t=2,p=1$") || !verifyPassword(strong, "x") || verifyPassword(strong, "y") {
		t.Errorf("strong hash %s", strong)
	}
}

func FuzzVerifyPassword(f *testing.F) {
	f.Add(ForTests.hash("x"))
	f.Add("$argon2id$v=19$m=8,t=0,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=99999999,t=1,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("")
	f.Fuzz(func(t *testing.T, hash string) {
		if strings.Contains(hash, "m=") && !strings.Contains(hash, "m=8,t=1,") && !strings.Contains(hash, "t=0") && !strings.Contains(hash, "m=99999999") {
			return // would only be slow
		}
		if verifyPassword(hash, "nothing that anybody chose") {
			t.Fatalf("%q fits anything", hash)
		}
	})
}

func TestThrottleDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		if err := c.try(t, "zoe", password, "10.0.0.1:1"); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"nobody", "zoe"} { // the same for a name that nobody has
			const evil = "10.0.0.66:1"
			for range 5 {
				if err := c.try(t, name, "guess", evil); !strings.Contains(err.Error(), "wrong. Check both") {
					t.Fatal(err)
				}
			}
			for _, want := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
				err := c.try(t, name, password, evil)
				told(t, name, err, core.ErrDenied)
				if say := fmt.Sprintf("Too many wrong passwords for %s. Wait %d s and try again.", name, want); err.Error() != say {
					t.Fatalf("got %q, want %q", err, say)
				}
				time.Sleep(time.Duration(want) * time.Second)
				if err := c.try(t, name, "guess", evil); !strings.Contains(err.Error(), "wrong. Check both") {
					t.Fatal(err)
				}
			}
		}
		if err := c.try(t, "zoe", password, "10.0.0.1:2"); err != nil {
			t.Errorf("the owner at her own place: %v", err)
		}
		if c.try(t, "zoe", password, "10.0.0.2:1") == nil {
			t.Error("a new place is not delayed")
		}
		time.Sleep(missesLast + time.Second)
		c.throttle.forget()
		if len(c.throttle.known)+len(c.throttle.strangers) != 0 {
			t.Errorf("remembered for ever: %v %v", c.throttle.known, c.throttle.strangers)
		}
		if err := c.try(t, "zoe", password, "10.0.0.2:1"); err != nil {
			t.Errorf("after a while: %v", err)
		}
	})
}

func TestMissesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		for range 3 {
			for range freeMisses - 1 {
				c.try(t, "zoe", "guess", "10.0.0.2")
			}
			if err := c.try(t, "zoe", "guess", "10.0.0.2"); err == nil || !strings.Contains(err.Error(), "wrong. Check both") {
				t.Error(err)
			}
			time.Sleep(missesLast + time.Second)
		}
		for range 3 * freeMisses { // a right secret wipes the slate
			c.try(t, "zoe", "guess", "10.0.0.2")
			if err := c.try(t, "zoe", password, "10.0.0.2"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestThrottleAtTheOwnersAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		const lab = "10.0.0.1"
		if err := c.try(t, "zoe", password, lab); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			c.try(t, "zoe", "guess", lab)
		}
		if c.try(t, "zoe", password, lab) == nil {
			t.Error("guessing at the owner's own machine is not delayed")
		}
		if err := c.try(t, "zoe", password, "10.0.0.2"); err != nil {
			t.Errorf("but only there: %v", err)
		}
	})
}

func TestFloodOfNamesLeavesKitsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		const addr = "10.0.0.66"
		var says string
		for i := range 200 {
			says = c.try(t, fmt.Sprint("n", i), "x", addr).Error()
		}
		if want := "Too many wrong passwords from 10.0.0.66. Wait 1 s and try again."; says != want {
			t.Errorf("got %q, want %q", says, want)
		}
		if c.try(t, "zoe", password, addr) == nil {
			t.Error("the bucket of the address is empty, yet a password was hashed")
		}
		// Both places for passwords taken, and the address out of tries.
		c.slots <- struct{}{}
		c.slots <- struct{}{}
		if err := c.try(t, "kit-1", c.kit1Secret, addr); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Authenticate(ctx, "zoe", password, "", "10.0.0.1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a waiter whose context ended: %v", err)
		}
		<-c.slots
		<-c.slots
		time.Sleep(2 * time.Second)
		if err := c.try(t, "zoe", password, addr); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}

// TestRightSecretsCostNothing: 200 people at one address.
func TestRightSecretsCostNothing(t *testing.T) {
	c := newClass(t)
	for i := range 200 {
		c.add1(t, core.Account{Name: "x", Role: core.Student}, password)
		if err := c.try(t, "x", password, "10.0.0.1"); err != nil {
			t.Fatalf("number %d: %v", i, err)
		}
		a := c.view.Load().byName["x"]
		if err := c.Remove(t.Context(), a.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGuessesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		c.slots <- struct{}{}
		c.slots <- struct{}{}
		answers := make(chan error, 50)
		for range cap(answers) {
			go func() { answers <- c.try(t, "zoe", "guess", "10.0.0.66") }()
		}
		synctest.Wait() // all wait for their turn
		<-c.slots
		<-c.slots
		checked := 0
		for range cap(answers) {
			if strings.Contains((<-answers).Error(), "wrong. Check both") {
				checked++
			}
		}
		if checked > freeMisses+1 { // two are checked at a time
			t.Errorf("%d guesses were checked", checked)
		}
	})
}

func TestThrottleIsBounded(t *testing.T) {
	var th throttle
	for i := range 3 * maxStrangers {
		name := fmt.Sprint(i)
		th.allow(0, name, name)
		th.miss(0, name, name)
	}
	for i := range 3 * maxGood {
		th.hit(1, "zoe", fmt.Sprint(i))
		th.miss(1, "zoe", fmt.Sprint(i))
	}
	if len(th.strangers) > maxStrangers || len(th.addrs) > maxStrangers+1 || len(th.good[1]) > maxGood || len(th.known) > maxGood+1 {
		t.Errorf("%d names, %d addresses, %d good, %d known", len(th.strangers), len(th.addrs), len(th.good[1]), len(th.known))
	}
}

func TestAuthenticateOpen(t *testing.T) {
	c := newClass(t, func(c *Config) { c.Open = true })
	for name, want := range map[string]core.AccountID{"": core.Anyone, "whoever": core.Anyone, "zoe": c.zoe} {
		if a, err := c.Authenticate(t.Context(), name, password, "", ""); err != nil || a.ID != want {
			t.Errorf("%q: %v, %v", name, a, err)
		}
	}
	told(t, "a taken name", c.try(t, "zoe", "wrong", ""), core.ErrDenied)
}

func TestSource(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1:4711":            "10.0.0.1",
		"10.0.0.1":                 "10.0.0.1",
		"[::ffff:10.0.0.1]:80":     "10.0.0.1",
		"[2001:db8::1:2:3:4]:80":   "2001:db8::/64",
		"[fe80::1%eth0]:80":        "fe80::/64",
		"[::1]:80":                 "::1",
		"pipe":                     "pipe",
		"":                         "",
		strings.Repeat("é", 1<<10): strings.Repeat("é", 30) + "…",
	} {
		if got := source(in); got != want {
			t.Errorf("source(%.20q) = %q, want %q", in, got, want)
		}
	}
}

func BenchmarkAuthenticateKit(b *testing.B) {
	c := newClass(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Authenticate(b.Context(), "kit-1", c.kit1Secret, "", "10.0.0.1:4711"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticatePerson(b *testing.B) {
	c := newClass(b, func(c *Config) { c.Strength = Strong })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Authenticate(b.Context(), "zoe", password, "", "10.0.0.1:4711"); err != nil {
			b.Fatal(err)
		}
	}
}

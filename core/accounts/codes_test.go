package accounts

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

func (c *class) code(t testing.TB, id core.AccountID, team topic.ID) string {
	t.Helper()
	code, until, err := c.MakeCode(t.Context(), id, team)
	if err != nil || len(code) != 8 || !until.After(time.Now()) {
		t.Fatalf("%q until %v, %v", code, until, err)
	}
	return code
}

func (c *class) enter(t testing.TB, code, addr string) (core.Account, error) {
	t.Helper()
	return c.EnterWithCode(t.Context(), code, addr)
}

func TestCodeOfAnAccount(t *testing.T) {
	c := newClass(t)
	code := c.code(t, c.zoe, "")
	if strings.ContainsAny(code, "ilou") || c.CodeLeft(code) <= 4*time.Minute || c.CodeLeft(code) > 5*time.Minute {
		t.Errorf("%q, good for %v", code, c.CodeLeft(code))
	}
	a, err := c.enter(t, " "+strings.ToUpper(code[:4])+"-"+code[4:], "10.0.0.5:1")
	if err != nil || a != c.get(t, c.zoe) {
		t.Errorf("%v, %v", a, err)
	}
	if c.CodeLeft(code) != 0 {
		t.Error("a code that was used is still good")
	}
	for what, try := range map[string]func() error{
		"nobody":        func() error { _, _, err := c.MakeCode(t.Context(), 999, ""); return err },
		"no team":       func() error { _, _, err := c.MakeCode(t.Context(), 0, "green"); return err },
		"neither":       func() error { _, _, err := c.MakeCode(t.Context(), 0, ""); return err },
		"not even a ID": func() error { _, _, err := c.MakeCode(t.Context(), 0, "+"); return err },
	} {
		told(t, what, try(), core.ErrNotFound)
	}
}

// TestCodeOfATeam: the account is made at the first use, and cannot sign in by password.
func TestCodeOfATeam(t *testing.T) {
	c := newClass(t)
	code, second := c.code(t, 0, "blue"), c.code(t, 0, "blue")
	before := len(c.Accounts())
	a, err := c.enter(t, code, "10.0.0.5:1")
	if err != nil || a.Name != "blue-phone" || a.Role != core.Student || a.Team != "blue" || !a.Mounted || a.Version != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := c.Authorize(a.ID, core.Publish, "blue/lamp/set"); err != nil {
		t.Error(err)
	}
	if _, err := c.Authorize(a.ID, core.Publish, "red/lamp/set"); err == nil {
		t.Error("a phone of blue switches red's lamp")
	}
	for _, secret := range []string{"", "blue-phone", code, second, password} {
		if c.try(t, "blue-phone", secret, "10.0.0.5:1") == nil {
			t.Errorf("it signs in with %q", secret)
		}
	}
	if again, err := c.enter(t, second, "10.0.0.6:1"); err != nil || again.ID != a.ID {
		t.Errorf("the second phone: %+v, %v", again, err)
	}
	if n := len(c.Accounts()); n != before+1 {
		t.Errorf("%d accounts more", n-before)
	}
	if _, err := c.IssueTokens(t.Context(), a, "10.0.0.5"); err != nil {
		t.Error(err)
	}
}

func TestPhonesAtOnce(t *testing.T) {
	c := newClass(t)
	var codes []string
	for range maxCodes {
		codes = append(codes, c.code(t, 0, "blue"))
	}
	var wg sync.WaitGroup
	for i, code := range codes {
		wg.Go(func() {
			if a, err := c.enter(t, code, fmt.Sprint("10.0.0.", i)); err != nil || a.Name != "blue-phone" {
				t.Errorf("%v, %v", a, err)
			}
		})
	}
	wg.Wait()
}

// TestTeamsPhoneIsNobodyElse: a team's code never signs in as what only has the name.
func TestTeamsPhoneIsNobodyElse(t *testing.T) {
	for what, other := range map[string]core.Account{
		"a teacher":      {Name: "blue-phone", Role: core.Teacher, Team: "blue"},
		"a kit":          {Name: "blue-phone", Role: core.Kit, Team: "blue"},
		"another team":   {Name: "blue-phone", Role: core.Student, Team: "red"},
		"without a team": {Name: "blue-phone", Role: core.Student},
	} {
		c := newClass(t)
		code := c.code(t, 0, "blue")
		id, _ := c.add1(t, other, password)
		_, _, err := c.MakeCode(t.Context(), 0, "blue")
		told(t, what, err, core.ErrConflict)
		_, err = c.enter(t, code, "10.0.0.5")
		told(t, what, err, core.ErrConflict)
		if err := c.Remove(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	c := newClass(t)
	if err := c.AddTeam(t.Context(), core.Team{Name: "blue-phone"}); err != nil {
		t.Fatal(err)
	}
	_, _, err := c.MakeCode(t.Context(), 0, "blue")
	told(t, "a team has the name", err, core.ErrConflict)
	long := topic.ID(strings.Repeat("a", topic.MaxID))
	if err := c.AddTeam(t.Context(), core.Team{Name: long}); err != nil {
		t.Fatal(err)
	}
	_, _, err = c.MakeCode(t.Context(), 0, long)
	told(t, "a long name", err, core.ErrInvalid)
}

func TestAttackCodeTwice(t *testing.T) {
	c := newClass(t)
	code := c.code(t, c.zoe, "")
	var wg sync.WaitGroup
	in := make(chan struct{}, 32)
	for range cap(in) {
		wg.Go(func() {
			if _, err := c.enter(t, code, "10.0.0.5"); err == nil {
				in <- struct{}{}
			}
		})
	}
	wg.Wait()
	if len(in) != 1 {
		t.Errorf("a code signed %d phones in", len(in))
	}
	_, err := c.enter(t, code, "10.0.0.7")
	told(t, "once more", err, core.ErrDenied)
	if !strings.Contains(err.Error(), "wrong, was used already or is too old") {
		t.Error(err)
	}
}

func TestAttackCodeExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		early, late := c.code(t, c.zoe, ""), c.code(t, 0, "blue")
		time.Sleep(codeLife - time.Second)
		if _, err := c.enter(t, early, "10.0.0.5"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if c.CodeLeft(late) != 0 {
			t.Error("it is still good")
		}
		_, err := c.enter(t, late, "10.0.0.5")
		told(t, "after five minutes", err, core.ErrDenied)
		unused := c.code(t, c.zoe, "")
		time.Sleep(codeLife)
		c.codes.forget()
		if len(c.codes.all) != 0 {
			t.Errorf("%q is kept for ever", unused)
		}
	})
}

// TestAttackCodeGuessed: guesses at codes are throttled like those at passwords.
func TestAttackCodeGuessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		code := c.code(t, c.zoe, "")
		const evil = "10.0.0.66:1"
		for range freeMisses {
			if _, err := c.enter(t, "00000000", evil); !strings.Contains(err.Error(), "This code is wrong") {
				t.Fatal(err)
			}
		}
		for _, want := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
			_, err := c.enter(t, code, evil) // the right one does not help either
			told(t, "too many", err, core.ErrDenied)
			if say := fmt.Sprintf("Too many wrong codes from 10.0.0.66. Wait %d s and try again.", want); err.Error() != say {
				t.Fatalf("got %q, want %q", err, say)
			}
			time.Sleep(time.Duration(want) * time.Second)
			if _, err := c.enter(t, "00000000", evil); !strings.Contains(err.Error(), "This code is wrong") {
				t.Fatal(err)
			}
		}
		if err := c.try(t, "zoe", password, "10.0.0.1"); err != nil {
			t.Errorf("her password elsewhere: %v", err)
		}
		if a, err := c.enter(t, code, "10.0.0.5"); err != nil || a.ID != c.zoe {
			t.Errorf("the code elsewhere: %v, %v", a, err)
		}
		var says string
		for range 200 { // all at the same time, and from addresses that change
			_, err := c.enter(t, strings.Repeat("0", 1<<20), "10.0.0.67")
			says = err.Error()
		}
		if !strings.HasPrefix(says, "Too many wrong codes from 10.0.0.67.") {
			t.Error(says)
		}
	})
}

func TestAttackCodeAfterChange(t *testing.T) {
	c := newClass(t)
	before := c.code(t, c.zoe, "")
	if err := c.SetPassword(t.Context(), c.zoe, "another horse"); err != nil {
		t.Fatal(err)
	}
	_, err := c.enter(t, before, "10.0.0.5")
	told(t, "a code from before the new password", err, core.ErrDenied)
	phone, err := c.enter(t, c.code(t, 0, "blue"), "10.0.0.5")
	if err != nil {
		t.Fatal(err)
	}
	before = c.code(t, 0, "blue")
	phone.Disabled = true
	if err := c.Change(t.Context(), phone); err != nil {
		t.Fatal(err)
	}
	_, err = c.enter(t, before, "10.0.0.5")
	told(t, "a phone that is disabled", err, core.ErrDenied)
	_, _, err = c.MakeCode(t.Context(), 0, "blue")
	told(t, "a code for it", err, core.ErrDenied)
	gone := c.code(t, 0, "red")
	if err := c.RemoveTeam(t.Context(), "red"); err != nil {
		t.Fatal(err)
	}
	_, err = c.enter(t, gone, "10.0.0.5")
	told(t, "a team that is gone", err, core.ErrNotFound)
}

func TestCodesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		other := c.code(t, c.stray, "")
		var all []string
		for range maxCodes + 1 {
			all = append(all, c.code(t, c.zoe, ""))
			time.Sleep(time.Second)
		}
		if len(c.codes.all) != maxCodes+1 || c.CodeLeft(all[0]) != 0 || c.CodeLeft(all[1]) == 0 || c.CodeLeft(other) == 0 {
			t.Errorf("%d codes are good", len(c.codes.all))
		}
		c.store.broken = errors.New("disk full")
		if code, _, err := c.MakeCode(t.Context(), c.zoe, ""); !errors.Is(err, c.store.broken) || code != "" {
			t.Errorf("a code that the audit does not know: %q, %v", code, err)
		}
	})
}

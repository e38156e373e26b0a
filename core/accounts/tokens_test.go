package accounts

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"homeroom/core"
)

// issue signs the account in from addr.
func (c *class) issue(t testing.TB, id core.AccountID, addr string) core.Tokens {
	t.Helper()
	made, err := c.IssueTokens(t.Context(), c.get(t, id), addr)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// good fails the test unless the access token is that account's.
func (c *class) good(t testing.TB, what, access string, id core.AccountID) {
	t.Helper()
	if a, _, err := c.VerifyToken(access); err != nil || a.ID != id {
		t.Errorf("%s: %v, %v", what, a, err)
	}
}

// bad fails the test unless the access token is refused with those words.
func (c *class) bad(t testing.TB, what, access, says string) {
	t.Helper()
	a, _, err := c.VerifyToken(access)
	told(t, what, err, core.ErrDenied)
	if err == nil || !strings.Contains(err.Error(), says) || a != (core.Account{}) {
		t.Errorf("%s: %v, %v; want %q", what, a, err, says)
	}
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		start := time.Now()
		first := c.issue(t, c.zoe, "10.0.0.5:4711")
		a, expires, err := c.VerifyToken(first.Access)
		if err != nil || a != c.get(t, c.zoe) || !expires.Equal(start.Add(10*time.Minute)) || first.Expires != 10*time.Minute {
			t.Fatalf("%v until %v (for %v), %v", a, expires, first.Expires, err)
		}
		if len(first.Access) > 512 || len(first.Refresh) > 128 {
			t.Errorf("%d and %d bytes", len(first.Access), len(first.Refresh))
		}
		text, err := base64.RawURLEncoding.DecodeString(strings.Split(first.Access, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		var said map[string]any
		if err := json.Unmarshal(text, &said); err != nil {
			t.Fatal(err)
		}
		if keys := slices.Sorted(maps.Keys(said)); !slices.Equal(keys, []string{"aud", "exp", "fam", "iat", "iss", "jti", "nbf", "sub", "ver"}) {
			t.Errorf("it says %s", text)
		}
		time.Sleep(9 * time.Minute)
		c.good(t, "after nine minutes", first.Access, c.zoe)
		second, a, err := c.RefreshTokens(t.Context(), first.Refresh, "10.0.0.6:1")
		if err != nil || a.ID != c.zoe || second.Access == first.Access || second.Refresh == first.Refresh {
			t.Fatalf("%v, %v", a, err)
		}
		c.good(t, "the old one until it expires", first.Access, c.zoe)
		c.good(t, "the new one", second.Access, c.zoe)
		if len(c.store.families) != 1 {
			t.Errorf("%d families", len(c.store.families))
		}
		time.Sleep(29 * 24 * time.Hour)
		again := open(t, c.store) // over a restart
		third, _, err := again.RefreshTokens(t.Context(), second.Refresh, "10.0.0.6:1")
		if err != nil {
			t.Fatal(err)
		}
		if a, _, err := again.VerifyToken(third.Access); err != nil || a.ID != c.zoe {
			t.Errorf("%v, %v", a, err)
		}
		time.Sleep(30 * 24 * time.Hour)
		_, _, err = again.RefreshTokens(t.Context(), third.Refresh, "10.0.0.6:1")
		told(t, "a month later", err, core.ErrDenied)
		if err := again.forgetTokens(t.Context()); err != nil || len(c.store.families) != 0 || len(again.tokens.live) != 0 {
			t.Errorf("left: %v, %v, %v", c.store.families, again.tokens.live, err)
		}
	})
}

// TestTokensAreNotKept looks for anything that would sign somebody in.
func TestTokensAreNotKept(t *testing.T) {
	c := newClass(t)
	made := c.issue(t, c.zoe, "10.0.0.5")
	raw, err := base64.RawURLEncoding.DecodeString(made.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.store.families {
		if kept := string(f.Refresh); len(kept) != 32 || strings.Contains(string(raw), kept) || strings.Contains(made.Refresh, kept) {
			t.Error("the refresh token itself is kept")
		}
	}
}

// signed returns a token with those claims, signed as the service does but for change.
func (c *class) signed(t testing.TB, change func(jwt.MapClaims)) string {
	t.Helper()
	access, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c.claims(t, change)).SignedString(c.tokens.access)
	if err != nil {
		t.Fatal(err)
	}
	return access
}

// claims are those of a good token of zoe, changed.
func (c *class) claims(t testing.TB, change func(jwt.MapClaims)) jwt.MapClaims {
	t.Helper()
	m := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(c.issue(t, c.zoe, "10.0.0.5").Access, m); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(m)
	}
	return m
}

func TestAttackTokenClaims(t *testing.T) {
	c := newClass(t)
	now := time.Now().Unix()
	c.good(t, "unchanged", c.signed(t, nil), c.zoe)
	without := func(claim string) func(jwt.MapClaims) { return func(m jwt.MapClaims) { delete(m, claim) } }
	with := func(claim string, value any) func(jwt.MapClaims) { return func(m jwt.MapClaims) { m[claim] = value } }
	const strange, over = "no access token of this Homeroom", "is over"
	for name, tt := range map[string]struct {
		change func(jwt.MapClaims)
		says   string
	}{
		"expired":            {with("exp", now-1), "has expired"},
		"expires now":        {with("exp", now), "has expired"},
		"not yet valid":      {with("nbf", now+60), strange},
		"issued in future":   {with("iat", now+60), strange},
		"no expiry":          {without("exp"), strange},
		"no not-before":      {without("nbf"), strange},
		"no issued-at":       {without("iat"), strange},
		"no audience":        {without("aud"), strange},
		"no issuer":          {without("iss"), strange},
		"no ID":              {without("jti"), strange},
		"wrong audience":     {with("aud", "elsewhere"), strange},
		"one more audience":  {with("aud", []string{"homeroom", "elsewhere"}), strange},
		"wrong issuer":       {with("iss", "elsewhere"), strange},
		"no subject":         {without("sub"), strange},
		"subject is a word":  {with("sub", "zoe"), strange},
		"subject is nobody":  {with("sub", "0"), over},
		"subject is anyone":  {with("sub", "-1"), over},
		"of another account": {with("sub", "1"), over},
		"revoked version":    {with("ver", 0), over},
		"no version":         {without("ver"), over},
		"no family":          {without("fam"), over},
		"another family":     {with("fam", 1), over},
		"expiry is a word":   {with("exp", "never"), strange},
		"expires too late":   {with("exp", now+86400), strange},
	} {
		c.bad(t, name, c.signed(t, tt.change), tt.says)
	}
}

func TestAttackTokenSignature(t *testing.T) {
	c := newClass(t)
	mine := c.issue(t, c.zoe, "10.0.0.5").Access
	parts := strings.Split(mine, ".")
	sign := func(method jwt.SigningMethod, key any) string {
		t.Helper()
		access, err := jwt.NewWithClaims(method, c.claims(t, nil)).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return access
	}
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	segment := base64.RawURLEncoding.EncodeToString
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	edited := segment([]byte(strings.Replace(string(payload), `"sub":"`, `"sub":"1`, 1)))
	head := func(alg string) string { return segment([]byte(`{"alg":"` + alg + `","typ":"JWT"}`)) }
	refresh := c.issue(t, c.zoe, "10.0.0.5").Refresh
	for name, access := range map[string]string{
		"alg none":               sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"alg None":               head("None") + "." + parts[1] + ".",
		"alg none and signature": head("none") + "." + parts[1] + "." + parts[2],
		"no alg":                 segment([]byte(`{}`)) + "." + parts[1] + "." + parts[2],
		"alg is a number":        segment([]byte(`{"alg":256}`)) + "." + parts[1] + "." + parts[2],
		"RS256":                  sign(jwt.SigningMethodRS256, pair),
		"HS512 with our key":     sign(jwt.SigningMethodHS512, c.tokens.access),
		"HS384 with our key":     sign(jwt.SigningMethodHS384, c.tokens.access),
		"RS256, signed as HS256": head("RS256") + "." + parts[1] + "." + parts[2],
		"other key":              sign(jwt.SigningMethodHS256, []byte("0123456789abcdef0123456789abcdeF")),
		"empty key":              sign(jwt.SigningMethodHS256, []byte{}),
		"edited payload":         parts[0] + "." + edited + "." + parts[2],
		"edited signature":       mine[:len(mine)-2] + "AA",
		"no signature":           parts[0] + "." + parts[1] + ".",
		"two parts":              parts[0] + "." + parts[1],
		"four parts":             mine + "." + parts[2],
		"padded":                 mine + "=",
		"blank before":           " " + mine,
		"nothing":                "",
		"dots":                   "..",
		"a refresh token":        refresh,
	} {
		c.bad(t, name, access, "no access token of this Homeroom")
	}
	other := newMemory()
	foreign := open(t, other)
	foreign.tokens.access = []byte("another installation has another")
	if _, _, err := foreign.VerifyToken(mine); err == nil {
		t.Error("a token is good at another installation")
	}
}

// TestAttackTokenOversize sends more than 4 KiB, signed with the right key.
func TestAttackTokenOversize(t *testing.T) {
	c := newClass(t)
	pad := func(n int) string {
		return c.signed(t, func(m jwt.MapClaims) { m["x"] = strings.Repeat("x", n) })
	}
	c.good(t, "some more", pad(2000), c.zoe)
	big := pad(4000)
	if len(big) <= maxAccess {
		t.Fatalf("only %d bytes", len(big))
	}
	c.bad(t, "too much", big, "no access token of this Homeroom")
	c.bad(t, "very much", strings.Repeat("a", 10<<20), "no access token of this Homeroom")
	_, _, err := c.RefreshTokens(t.Context(), strings.Repeat("a", 10<<20), "10.0.0.5")
	told(t, "refresh", err, core.ErrDenied)
}

// TestAttackRefreshReuse: whoever stole a refresh token, and whoever it was
// stolen from, have nothing any more once both have used it.
func TestAttackRefreshReuse(t *testing.T) {
	c := newClass(t)
	stolen := c.issue(t, c.zoe, "10.0.0.5:1")
	elsewhere := c.issue(t, c.zoe, "10.0.0.7:1")
	l := c.cfg.Feed.Listen()
	if _, err := l.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	next, _, err := c.RefreshTokens(t.Context(), stolen.Refresh, "10.0.0.66:1")
	if err != nil {
		t.Fatal(err)
	}
	_, a, err := c.RefreshTokens(t.Context(), stolen.Refresh, "10.0.0.5:2")
	told(t, "reuse", err, core.ErrDenied)
	if !strings.Contains(err.Error(), "used already") || a.ID != 0 {
		t.Errorf("%v, %v", a, err)
	}
	if now, err := l.Next(t.Context()); err != nil || now&core.AccountsChanged == 0 {
		t.Errorf("those who keep sockets open are told %b, %v", now, err)
	}
	c.bad(t, "the first access token", stolen.Access, "is over")
	c.bad(t, "the second access token", next.Access, "is over")
	for what, refresh := range map[string]string{"the newest refresh token": next.Refresh, "the stolen one again": stolen.Refresh} {
		_, _, err := c.RefreshTokens(t.Context(), refresh, "10.0.0.66:1")
		told(t, what, err, core.ErrDenied)
	}
	c.good(t, "the other sign-in", elsewhere.Access, c.zoe)
	if len(c.store.families) != 1 {
		t.Errorf("%d families are kept", len(c.store.families))
	}
	rs := c.RefusalsOf(c.zoe, 10)
	if len(rs) != 1 || rs[0].Account != c.zoe || rs[0].Addr != "10.0.0.5" || rs[0].Count != 1 || !strings.Contains(rs[0].Say.String(), "10.0.0.5 used a refresh token of zoe that 10.0.0.66 had used already") {
		t.Errorf("refusals %+v", rs)
	}
	all := c.Audit(1)
	if len(all) != 1 || all[0].Account != c.zoe || all[0].Name != "zoe" || !strings.Contains(all[0].Say.String(), "used twice, at 10.0.0.66 and at 10.0.0.5") {
		t.Errorf("audit %+v", all)
	}
}

// TestAttackRefreshInvented: nobody ends the sign-in of another with a token
// that this installation never made.
func TestAttackRefreshInvented(t *testing.T) {
	c := newClass(t)
	mine := c.issue(t, c.zoe, "10.0.0.5")
	raw, err := base64.RawURLEncoding.DecodeString(mine.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		b := slices.Clone(raw)
		b[i] ^= 1
		_, _, err := c.RefreshTokens(t.Context(), base64.RawURLEncoding.EncodeToString(b), "10.0.0.66")
		told(t, "edited", err, core.ErrDenied)
	}
	for _, text := range []string{"", "x", mine.Refresh + "A", mine.Refresh[1:], mine.Refresh + "\n", mine.Refresh[:85] + "\n", "=" + mine.Refresh[1:], mine.Access} {
		_, _, err := c.RefreshTokens(t.Context(), text, "10.0.0.66")
		told(t, text, err, core.ErrDenied)
		if err := c.RevokeTokens(t.Context(), text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, _, err := c.RefreshTokens(t.Context(), mine.Refresh, "10.0.0.5"); err != nil {
		t.Error(err)
	}
}

// TestAttackRefreshAtOnce uses one refresh token many times at the same time.
func TestAttackRefreshAtOnce(t *testing.T) {
	c := newClass(t)
	mine := c.issue(t, c.zoe, "10.0.0.5")
	var wg sync.WaitGroup
	won := make(chan core.Tokens, 32)
	for range cap(won) {
		wg.Go(func() {
			if made, _, err := c.RefreshTokens(t.Context(), mine.Refresh, "10.0.0.5"); err == nil {
				won <- made
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d got new tokens", len(won))
	}
	c.bad(t, "the only one", (<-won).Access, "is over")
}

// TestAttackTokensAfterChange: whatever ends what an account has open ends its tokens.
func TestAttackTokensAfterChange(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(c *class) error
		says string
	}{
		"password": {func(c *class) error { return c.SetPassword(t.Context(), c.zoe, "another horse") }, "is over"},
		"secret":   {func(c *class) error { _, err := c.ResetSecret(t.Context(), c.zoe); return err }, "is over"},
		"role": {func(c *class) error {
			a := c.get(t, c.zoe)
			a.Role = core.Teacher
			return c.Change(t.Context(), a)
		}, "is over"},
		"team": {func(c *class) error {
			a := c.get(t, c.zoe)
			a.Team = "red"
			return c.Change(t.Context(), a)
		}, "is over"},
		"disabled": {func(c *class) error {
			a := c.get(t, c.zoe)
			a.Disabled = true
			return c.Change(t.Context(), a)
		}, "zoe is disabled"},
		"disabled and enabled again": {func(c *class) error {
			for _, off := range []bool{true, false} {
				a := c.get(t, c.zoe)
				a.Disabled = off
				if err := c.Change(t.Context(), a); err != nil {
					return err
				}
			}
			return nil
		}, "is over"},
		"team removed": {func(c *class) error { return c.RemoveTeam(t.Context(), "blue") }, "is over"},
		"removed":      {func(c *class) error { return c.Remove(t.Context(), c.zoe) }, "is over"},
	} {
		c := newClass(t)
		old := c.get(t, c.zoe)
		mine := c.issue(t, c.zoe, "10.0.0.5")
		if err := tt.do(c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c.bad(t, name, mine.Access, tt.says)
		_, _, err := c.RefreshTokens(t.Context(), mine.Refresh, "10.0.0.5")
		told(t, name, err, core.ErrDenied)
		if !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: refresh says %v", name, err)
		}
		if rs := c.Refusals(10); len(rs) != 0 {
			t.Errorf("%s: %+v", name, rs)
		}
		_, err = c.IssueTokens(t.Context(), old, "10.0.0.5") // checked before the change
		told(t, name+": tokens for the old version", err, core.ErrDenied)
		if err := c.forgetTokens(t.Context()); err != nil || len(c.store.families) != 0 || len(c.tokens.live) != 0 {
			t.Errorf("%s: left %v, %v, %v", name, c.store.families, c.tokens.live, err)
		}
	}
}

func TestRevokeTokens(t *testing.T) {
	c := newClass(t)
	mine, other := c.issue(t, c.zoe, "10.0.0.5"), c.issue(t, c.zoe, "10.0.0.5")
	for range 2 { // twice is no error
		if err := c.RevokeTokens(t.Context(), mine.Refresh); err != nil {
			t.Fatal(err)
		}
	}
	c.bad(t, "after signing out", mine.Access, "is over")
	c.good(t, "the other program", other.Access, c.zoe)
	_, _, err := c.RefreshTokens(t.Context(), mine.Refresh, "10.0.0.5")
	told(t, "refresh", err, core.ErrDenied)
	if len(c.store.families) != 1 || len(c.Refusals(10)) != 0 {
		t.Errorf("%v, %v", c.store.families, c.Refusals(10))
	}
}

func TestFamiliesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		var all []core.Tokens
		for range maxFamilies {
			all = append(all, c.issue(t, c.zoe, "10.0.0.5"))
			time.Sleep(time.Second)
		}
		first, _, err := c.RefreshTokens(t.Context(), all[0].Refresh, "10.0.0.5") // now the second is the oldest
		if err != nil {
			t.Fatal(err)
		}
		last := c.issue(t, c.zoe, "10.0.0.5")
		c.good(t, "refreshed", first.Access, c.zoe)
		c.bad(t, "the oldest", all[1].Access, "is over")
		c.good(t, "the next", all[2].Access, c.zoe)
		c.good(t, "the newest", last.Access, c.zoe)
		if n := len(c.store.families); n != maxFamilies {
			t.Errorf("%d are kept", n)
		}
		c.issue(t, c.kit1, "10.0.0.5")
		c.good(t, "not by another account", all[2].Access, c.zoe)
	})
}

func TestTokensWithoutDisk(t *testing.T) {
	c := newClass(t)
	mine := c.issue(t, c.zoe, "10.0.0.5")
	c.store.broken = errors.New("disk full")
	if _, _, err := c.RefreshTokens(t.Context(), mine.Refresh, "10.0.0.5"); !errors.Is(err, c.store.broken) {
		t.Errorf("refresh: %v", err)
	}
	if _, err := c.IssueTokens(t.Context(), c.get(t, c.zoe), "10.0.0.5"); !errors.Is(err, c.store.broken) {
		t.Errorf("issue: %v", err)
	}
	c.good(t, "verify", mine.Access, c.zoe)
	if err := c.RevokeTokens(t.Context(), mine.Refresh); !errors.Is(err, c.store.broken) {
		t.Errorf("revoke: %v", err)
	}
	c.bad(t, "signed out all the same", mine.Access, "is over")
	c.store.broken = nil
	mine = c.issue(t, c.zoe, "10.0.0.5")
	c.store.broken = errors.New("disk full")
	_, _, _ = c.RefreshTokens(t.Context(), mine.Refresh, "10.0.0.5")
	c.store.broken = nil
	if _, _, err := c.RefreshTokens(t.Context(), mine.Refresh, "10.0.0.5"); err != nil {
		t.Errorf("a refresh that failed used the token up: %v", err)
	}
}

func TestTokensOpen(t *testing.T) {
	s := open(t, newMemory(), func(c *Config) { c.Open = true })
	a, err := s.Authenticate(t.Context(), "who-ever", "", "", "10.0.0.5")
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.IssueTokens(t.Context(), a, "10.0.0.5")
	if err != nil || made.Refresh != "" {
		t.Fatalf("%+v, %v", made, err)
	}
	if a, _, err := s.VerifyToken(made.Access); err != nil || a.ID != core.Anyone {
		t.Errorf("%v, %v", a, err)
	}
	closed := open(t, newMemory()) // the same key
	if _, _, err := closed.VerifyToken(made.Access); err == nil {
		t.Error("a token of the open lesson is good afterwards")
	}
}

func TestVerifyTokenDoesNotAskTheDisk(t *testing.T) {
	c := newClass(t)
	mine := c.issue(t, c.zoe, "10.0.0.5")
	c.store.mu.Lock() // whoever asks the store waits for ever
	c.tokens.changing.Lock()
	defer c.store.mu.Unlock()
	defer c.tokens.changing.Unlock()
	c.good(t, "while the disk is busy", mine.Access, c.zoe)
}

// TestTokenAsPassword signs an MQTT client in with an access token: with its own
// account's name only, and nobody who is no MQTT client.
func TestTokenAsPassword(t *testing.T) {
	c := newClass(t)
	access := c.issue(t, c.zoe, "10.0.0.1").Access
	a, err := c.Authenticate(t.Context(), "zoe", access, "browser-1", "10.0.0.1")
	if left := time.Until(a.Until); err != nil || a.ID != c.zoe || left > 10*time.Minute || left < 9*time.Minute {
		t.Errorf("%v for %v, %v", a.Name, left, err)
	}
	if _, err := c.Authenticate(t.Context(), "kit-1", access, "browser-1", "10.0.0.1"); err == nil {
		t.Error("another account's name was let in")
	}
	if _, err := c.Authenticate(t.Context(), "zoe", access, "", "10.0.0.2"); err == nil {
		t.Error("the token was a password for the page")
	}
	if a, err := c.Authenticate(t.Context(), "zoe", password, "browser-1", "10.0.0.3"); err != nil || !a.Until.IsZero() {
		t.Errorf("with the password until %v, %v", a.Until, err)
	}
}

func FuzzVerifyToken(f *testing.F) {
	c := newClass(f)
	mine := c.issue(f, c.zoe, "10.0.0.5")
	parts := strings.Split(mine.Access, ".")
	f.Add(mine.Access)
	f.Add(mine.Refresh)
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0." + parts[1] + ".")
	f.Add(parts[0] + ".eyJleHAiOjFlMzAwLCJhdWQiOnt9fQ." + parts[2])
	f.Add(parts[0] + "." + parts[1] + ".\n" + parts[2])
	f.Fuzz(func(t *testing.T, text string) {
		a, _, err := c.VerifyToken(text)
		var p *core.Problem
		switch same := strings.NewReplacer("\r", "", "\n", ""); { // base64 skips these in the signature, which signs the rest
		case err == nil && (same.Replace(text) != mine.Access || a.ID != c.zoe):
			t.Fatalf("%q is a token of %v", text, a)
		case err != nil && (!errors.Is(err, core.ErrDenied) || !errors.As(err, &p)):
			t.Fatalf("%q: %v", text, err)
		}
		if _, _, err := c.RefreshTokens(t.Context(), text, "10.0.0.66"); err == nil && text != mine.Refresh {
			t.Fatalf("%q is a refresh token", text)
		}
	})
}

func BenchmarkVerifyToken(b *testing.B) {
	c := newClass(b)
	mine := c.issue(b, c.zoe, "10.0.0.5")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.VerifyToken(mine.Access); err != nil {
			b.Fatal(err)
		}
	}
}

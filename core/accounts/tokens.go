package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"homeroom/core"
)

const (
	accessLife  = 10 * time.Minute
	refreshLife = 30 * 24 * time.Hour
	maxFamilies = 32 // of one account
	maxAccess   = 4 << 10
	issuer      = "homeroom"
	audience    = "homeroom"
)

// Family is one sign-in of a program: an access token, and a refresh token that
// gets the next of both, once. A refresh token is kept only as its hash.
type Family struct {
	ID      int64 // random
	Account core.AccountID
	Version int64  // of the account, when it signed in; under another one the family is over
	Addr    string // where it was signed in or refreshed last, without port
	Refresh []byte // SHA-256 of the refresh token that is good
	Until   time.Time
}

type tokenStore interface {
	// Families hands over all families.
	Families(ctx context.Context, family func(Family)) error
	// PutFamily adds f, or writes its address, refresh and until where it is there.
	PutFamily(ctx context.Context, f Family) error
	// EndFamily removes a family, and adds a to the audit.
	EndFamily(ctx context.Context, id int64, a core.Audit) error
	// ForgetFamilies removes those that ended before now, and those whose
	// account has another version.
	ForgetFamilies(ctx context.Context, now time.Time) error
}

// tokens are the families that live.
type tokens struct {
	access, refresh []byte // keys
	parser          *jwt.Parser

	changing sync.Mutex // held while the store is changed; taken before mu
	mu       sync.RWMutex
	live     map[core.AccountID][]Family // guarded by mu; oldest first
}

// claims are what an access token says. Nothing in them is secret.
type claims struct {
	jwt.RegisteredClaims       // Subject is the account's ID
	Version              int64 `json:"ver"`
	Family               int64 `json:"fam"` // 0 of core.Anyone only
}

// Validate checks what the parser leaves open; the parser calls it.
func (c *claims) Validate() error {
	if c.IssuedAt == nil || c.ExpiresAt == nil || c.ExpiresAt.Sub(c.IssuedAt.Time) > accessLife || c.ID == "" || len(c.Audience) != 1 {
		return jwt.ErrTokenInvalidClaims
	}
	return nil
}

func (s *Service) openTokens(ctx context.Context) (err error) {
	t := &s.tokens
	t.live = map[core.AccountID][]Family{}
	t.parser = jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding())
	if t.access, err = s.cfg.Store.InstallKey(ctx, "access tokens"); err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	if t.refresh, err = s.cfg.Store.InstallKey(ctx, "refresh tokens"); err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	err = s.cfg.Store.Families(ctx, func(f Family) { t.live[f.Account] = append(t.live[f.Account], f) })
	if err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	for _, fs := range t.live {
		slices.SortFunc(fs, func(a, b Family) int { return a.Until.Compare(b.Until) })
	}
	return nil
}

// IssueTokens returns tokens for a, as Authenticate or EnterWithCode returned
// it. The access token is good for 10 minutes, the refresh token for 30 days.
// They end with any change that ends what the account has open. Of more than
// 32 sign-ins the one that was not refreshed for the longest time ends.
// core.Anyone gets no refresh token. addr is where they are asked for, with or
// without port.
func (s *Service) IssueTokens(ctx context.Context, a core.Account, addr string) (core.Tokens, error) {
	if !s.Current(a.ID, a.Version) {
		return core.Tokens{}, over()
	}
	f := Family{Account: a.ID, Version: a.Version, Addr: host(addr)}
	if a.ID == core.Anyone {
		return s.tokens.make(f, "")
	}
	t := &s.tokens
	t.changing.Lock()
	defer t.changing.Unlock()
	old := t.of(a.ID)
	for ; len(old) >= maxFamilies; old = t.of(a.ID) {
		if err := s.endFamily(ctx, old[0], core.Say("The oldest sign-in of a program of {name} ended: there were more than {n}", "name", a.Name, "n", maxFamilies)); err != nil {
			return core.Tokens{}, err
		}
	}
	var id [8]byte
	rand.Read(id[:])                                   // never fails
	f.ID = int64(binary.BigEndian.Uint64(id[:]) >> 11) // 53 bits, which JSON carries everywhere
	return s.renew(ctx, f)
}

// VerifyToken returns whose an access token is, and when it ends. It asks
// memory only. What it fails with is a core.ErrDenied: the token is none of
// this installation, expired, or its sign-in is over. Whoever keeps something
// open for a token ends it when it expires, and when the account is not
// Current any more.
func (s *Service) VerifyToken(access string) (a core.Account, expires time.Time, err error) {
	if len(access) > maxAccess {
		return core.Account{}, time.Time{}, strange()
	}
	var c claims
	_, err = s.tokens.parser.ParseWithClaims(access, &c, func(*jwt.Token) (any, error) { return s.tokens.access, nil })
	if errors.Is(err, jwt.ErrTokenExpired) {
		return core.Account{}, time.Time{}, core.Fail(core.ErrDenied, "The access token has expired. Get a new one with the refresh token, or sign in again.")
	} else if err != nil {
		return core.Account{}, time.Time{}, strange()
	}
	n, err := strconv.ParseInt(c.Subject, 10, 64)
	if err != nil {
		return core.Account{}, time.Time{}, strange()
	}
	id := core.AccountID(n)
	a, ok := s.Account(id)
	switch {
	case ok && a.Disabled:
		return core.Account{}, time.Time{}, disabled(a.Name)
	case !ok || a.Version != c.Version:
		return core.Account{}, time.Time{}, over()
	case id != core.Anyone:
		if _, ok := s.tokens.find(id, c.Family); !ok {
			return core.Account{}, time.Time{}, over()
		}
	}
	return a, c.ExpiresAt.Time, nil
}

// RefreshTokens returns new tokens for a refresh token, and whose they are. A
// refresh token is good once. Where one is used again, it or the one that it
// was exchanged for was stolen: the sign-in ends at once with all its tokens,
// the audit says so, and so does a refusal, which RefreshTokens keeps itself.
// It fails with core.ErrDenied.
func (s *Service) RefreshTokens(ctx context.Context, refresh, addr string) (core.Tokens, core.Account, error) {
	t := &s.tokens
	t.changing.Lock()
	defer t.changing.Unlock()
	f, sum, a, err := s.family(refresh)
	if err != nil {
		return core.Tokens{}, core.Account{}, err
	}
	if subtle.ConstantTimeCompare(sum, f.Refresh) != 1 {
		r := core.Refusal{Account: a.ID, Name: string(a.Name), Addr: addr,
			Say: core.Say("{addr} used a refresh token of {name} that {other} had used already, so that sign-in has ended. If {name} knows nothing of {addr}, give {name} a new password.",
				"name", a.Name, "addr", host(addr), "other", f.Addr)}
		err := s.endFamily(ctx, f, core.Say("A sign-in of {name} ended: a refresh token was used twice, at {other} and at {addr}", "name", a.Name, "other", f.Addr, "addr", host(addr)))
		s.Refuse(r)
		if err != nil {
			return core.Tokens{}, core.Account{}, err
		}
		return core.Tokens{}, core.Account{}, core.Fail(core.ErrDenied, "This refresh token was used already, so the sign-in has ended. Sign in again.")
	}
	f.Addr = host(addr)
	made, err := s.renew(ctx, f)
	return made, a, err
}

// RevokeTokens ends the sign-in that a refresh token is from, with all its
// tokens. One that has ended already is no error.
func (s *Service) RevokeTokens(ctx context.Context, refresh string) error {
	t := &s.tokens
	t.changing.Lock()
	defer t.changing.Unlock()
	f, _, a, err := s.family(refresh)
	if err != nil {
		return nil
	}
	return s.endFamily(ctx, f, core.Say("A program of {name} signed out", "name", a.Name))
}

// family returns the family that a refresh token is from, used or not, the sum
// of the token, and whose it is. The caller holds changing.
func (s *Service) family(refresh string) (f Family, sum []byte, a core.Account, err error) {
	account, id, ok := s.tokens.parse(refresh)
	if !ok {
		return Family{}, nil, core.Account{}, core.Fail(core.ErrDenied, "This is no refresh token of this Homeroom. Sign in again.")
	}
	a, ok = s.Account(account)
	if ok && a.Disabled {
		return Family{}, nil, core.Account{}, disabled(a.Name)
	}
	if f, ok = s.tokens.find(account, id); !ok || !s.Current(account, f.Version) || !time.Now().Before(f.Until) {
		return Family{}, nil, core.Account{}, over()
	}
	hash := sha256.Sum256([]byte(refresh))
	return f, hash[:], a, nil
}

// renew gives f another refresh token, keeps it, and returns that and an
// access token. The caller holds changing.
func (s *Service) renew(ctx context.Context, f Family) (core.Tokens, error) {
	t := &s.tokens
	refresh := t.random(f)
	sum := sha256.Sum256([]byte(refresh))
	f.Refresh, f.Until = sum[:], time.Now().Add(refreshLife)
	if err := s.cfg.Store.PutFamily(context.WithoutCancel(ctx), f); err != nil {
		return core.Tokens{}, fmt.Errorf("accounts: %w", err)
	}
	t.drop(f)
	t.mu.Lock()
	t.live[f.Account] = append(t.live[f.Account], f)
	t.mu.Unlock()
	return t.make(f, refresh)
}

// endFamily ends f in memory whatever happens, and then in the store. The
// caller holds changing.
func (s *Service) endFamily(ctx context.Context, f Family, say core.Sentence) error {
	s.tokens.drop(f)
	s.cfg.Feed.Tell(core.AccountsChanged) // what is open for its access token is looked at again
	// Whoever asked may hang up: the family must not come back with a restart.
	if err := s.cfg.Store.EndFamily(context.WithoutCancel(ctx), f.ID, s.view.Load().audit(f.Account, say)); err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	return nil
}

// forgetTokens drops what has ended.
func (s *Service) forgetTokens(ctx context.Context) error {
	t := &s.tokens
	t.changing.Lock()
	defer t.changing.Unlock()
	now := time.Now()
	t.mu.Lock()
	for id, fs := range t.live {
		fs = slices.DeleteFunc(slices.Clone(fs), func(f Family) bool { return !now.Before(f.Until) || !s.Current(id, f.Version) })
		if t.live[id] = fs; len(fs) == 0 {
			delete(t.live, id)
		}
	}
	t.mu.Unlock()
	if err := s.cfg.Store.ForgetFamilies(ctx, now); err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	return nil
}

// of returns the families of an account, oldest first. Nobody changes it.
func (t *tokens) of(id core.AccountID) []Family {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.live[id]
}

func (t *tokens) find(account core.AccountID, id int64) (Family, bool) {
	fs := t.of(account)
	if i := slices.IndexFunc(fs, func(f Family) bool { return f.ID == id }); i >= 0 {
		return fs[i], true
	}
	return Family{}, false
}

func (t *tokens) drop(f Family) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live[f.Account] = slices.DeleteFunc(slices.Clone(t.live[f.Account]), func(o Family) bool { return o.ID == f.ID })
}

// make returns a new access token for f beside refresh.
func (t *tokens) make(f Family, refresh string) (core.Tokens, error) {
	now := time.Now()
	c := claims{jwt.RegisteredClaims{Issuer: issuer, Subject: strconv.FormatInt(int64(f.Account), 10), Audience: jwt.ClaimStrings{audience},
		ExpiresAt: jwt.NewNumericDate(now.Add(accessLife)), NotBefore: jwt.NewNumericDate(now), IssuedAt: jwt.NewNumericDate(now), ID: rand.Text()},
		f.Version, f.ID}
	access, err := jwt.NewWithClaims(jwt.SigningMethodHS256, &c).SignedString(t.access)
	if err != nil {
		return core.Tokens{}, fmt.Errorf("accounts: sign a token: %w", err)
	}
	return core.Tokens{Access: access, Refresh: refresh, Expires: accessLife}, nil
}

// A refresh token is account and family, 8 bytes each, 32 random bytes, and 16
// bytes of an HMAC of these, all in base64url. The HMAC tells a used token from
// an invented one, so that used ones need not be kept and nobody can end the
// sign-in of another by guessing.
const refreshBody, refreshTag = 8 + 8 + 32, 16

var refresh64 = base64.RawURLEncoding.Strict()

// random returns a new refresh token for f.
func (t *tokens) random(f Family) string {
	b := make([]byte, refreshBody, refreshBody+refreshTag)
	binary.BigEndian.PutUint64(b, uint64(f.Account))
	binary.BigEndian.PutUint64(b[8:], uint64(f.ID))
	rand.Read(b[16:]) // never fails
	return refresh64.EncodeToString(append(b, t.tag(b)...))
}

// parse returns what a refresh token names. It is not ok for one that this
// installation has not made.
func (t *tokens) parse(refresh string) (account core.AccountID, family int64, ok bool) {
	if len(refresh) != refresh64.EncodedLen(refreshBody+refreshTag) {
		return 0, 0, false
	}
	b, err := refresh64.DecodeString(refresh)
	if err != nil || len(b) != refreshBody+refreshTag || !hmac.Equal(b[refreshBody:], t.tag(b[:refreshBody])) {
		return 0, 0, false
	}
	return core.AccountID(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:])), true
}

func (t *tokens) tag(b []byte) []byte {
	mac := hmac.New(sha256.New, t.refresh)
	mac.Write(b)
	return mac.Sum(nil)[:refreshTag]
}

func strange() error {
	return core.Fail(core.ErrDenied, "This is no access token of this Homeroom. Sign in again.")
}

func over() error {
	return core.Fail(core.ErrDenied, "This sign-in is over. Sign in again.")
}

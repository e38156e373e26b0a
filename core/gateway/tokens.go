package gateway

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// Tokens lets programs act as an account without its password.
type Tokens interface {
	IssueTokens(ctx context.Context, a core.Account, addr string) (core.Tokens, error)
	// VerifyToken returns whose the access token is and when it ends. It asks memory only.
	VerifyToken(access string) (a core.Account, expires time.Time, err error)
	// RefreshTokens takes a refresh token, which is good once, for new tokens.
	RefreshTokens(ctx context.Context, refresh, addr string) (core.Tokens, core.Account, error)
	RevokeTokens(ctx context.Context, refresh string) error
}

// Codes lets somebody sign in once without a password.
type Codes interface {
	// MakeCode returns a one-time code for an account, or, where account is 0,
	// for a team.
	MakeCode(ctx context.Context, account core.AccountID, team topic.ID) (code string, until time.Time, err error)
	EnterWithCode(ctx context.Context, code, addr string) (core.Account, error)
}

// caller is who makes a request and how it is to be answered. The account is
// zero where nobody is signed in.
type caller struct {
	core.Account
	browser  bool   // signed in with a cookie
	token    string // the access token, "" for a browser
	addr     string // without port
	language string // Accept-Language
}

// errNobody is the kind of failure of a request that needs somebody signed in.
var errNobody = errors.New("nobody is signed in")

// caller returns who makes the request r. A token that is no longer good is an
// error, not nobody: its owner should get another.
func (g *Gateway) caller(r *http.Request) (caller, error) {
	c := caller{language: r.Header.Get("Accept-Language")}
	c.addr, _, _ = net.SplitHostPort(r.RemoteAddr)
	if access, ok := bearer(r); ok {
		a, _, err := g.cfg.Tokens.VerifyToken(access)
		if err != nil {
			return c, errors.Join(errNobody, err)
		}
		c.Account, c.token = a, access
		return c, nil
	}
	if ownSite(r) {
		if id := g.sessions.account(r, g.cfg.Authority.Current); id != 0 {
			if a, ok := g.cfg.Authority.Account(id); ok {
				c.Account, c.browser = a, true
				return c, nil
			}
		}
	}
	if g.cfg.Open {
		c.ID = core.Anyone
	}
	return c, nil
}

// bearer returns the token of an Authorization header (RFC 6750, section 2.1).
// It is never taken from the address, which ends up in logs.
func bearer(r *http.Request) (token string, ok bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}

// ownSite reports whether a cookie counts: a browser says when another site
// asks, also one at another port of this machine, which gets the cookie.
func ownSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return false
}

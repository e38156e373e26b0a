package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"homeroom/core"
	"homeroom/core/topic"
)

// Claims makes the first teacher.
type Claims interface {
	Claimed() bool
	ClaimWithCode(ctx context.Context, code, name, label, password string) (core.Account, error)
}

// signedIn is the answer to everybody who signs in.
type signedIn struct {
	Name    string `json:"name" example:"ana"`
	Label   string `json:"label,omitempty" example:"Ana Müller"`
	Role    string `json:"role" enum:"teacher,student,kit"`
	Team    string `json:"team,omitempty" example:"blue"`
	Access  string `json:"access_token,omitempty" doc:"Send it as: Authorization: Bearer …"`
	Refresh string `json:"refresh_token,omitempty" doc:"Gets new tokens, once, from POST sessions/refresh."`
	Expires int    `json:"expires_in,omitempty" doc:"Seconds until access_token ends." example:"600"`
}

type signedInOut struct {
	SetCookie string `header:"Set-Cookie"`
	Body      signedIn
}

// welcome signs a in: a browser with a cookie, a program with tokens.
func (g *Gateway) welcome(ctx context.Context, c caller, a core.Account, cookie bool) (*signedInOut, error) {
	if cookie {
		out := signIn(a, core.Tokens{})
		out.SetCookie = g.sessions.start(a).String()
		return out, nil
	}
	t, err := g.cfg.Tokens.IssueTokens(ctx, a, c.addr)
	if err != nil {
		return nil, err
	}
	return signIn(a, t), nil
}

func signIn(a core.Account, t core.Tokens) *signedInOut {
	return &signedInOut{Body: signedIn{string(a.Name), a.Label, string(a.Role), string(a.Team), t.Access, t.Refresh, int(t.Expires / time.Second)}}
}

// sessions adds signing in and out, and what is open to everybody.
func (a api) sessions() {
	g := a.g
	tags := []string{"sessions"}

	type health struct {
		Status string `json:"status" enum:"ok"`
	}
	register(a, anybody, huma.Operation{OperationID: "health", Method: http.MethodGet, Path: "/health", Tags: tags, Summary: core.Say("Is the program there").Format},
		func(context.Context, caller, *struct{}) (*body[health], error) {
			return &body[health]{health{"ok"}}, nil
		})

	type me struct {
		Claimed  bool   `json:"claimed" doc:"There is a teacher. Where there is none, POST claim makes one."`
		SignedIn bool   `json:"signedIn"`
		Open     bool   `json:"open" doc:"Everybody may do everything, without an account."`
		Name     string `json:"name,omitempty" example:"ana"`
		Label    string `json:"label,omitempty"`
		Role     string `json:"role,omitempty" enum:"teacher,student,kit"`
		Team     string `json:"team,omitempty" example:"blue"`
	}
	register(a, anybody, huma.Operation{OperationID: "me", Method: http.MethodGet, Path: "/me", Tags: tags, Summary: core.Say("Who is signed in").Format},
		func(_ context.Context, c caller, _ *struct{}) (*body[me], error) {
			return &body[me]{me{g.cfg.Claims.Claimed() || g.cfg.Open, c.ID != 0, g.cfg.Open, string(c.Name), c.Label, string(c.Role), string(c.Team)}}, nil
		})

	type claim struct {
		Body struct {
			Code     string `json:"code" maxLength:"64" doc:"Is printed where Homeroom was started." example:"12345678"`
			Name     string `json:"name" maxLength:"64" example:"teacher"`
			Label    string `json:"label,omitempty" maxLength:"256"`
			Password string `json:"password" maxLength:"1024"`
		}
	}
	register(a, anybody, huma.Operation{OperationID: "claim", Method: http.MethodPost, Path: "/claim", Tags: tags, Summary: core.Say("Make the first teacher").Format,
		Description: "The browser is signed in with a cookie."},
		func(ctx context.Context, c caller, in *claim) (*signedInOut, error) {
			x, err := g.cfg.Claims.ClaimWithCode(ctx, in.Body.Code, in.Body.Name, in.Body.Label, in.Body.Password)
			if err != nil {
				return nil, err
			}
			return g.welcome(ctx, c, x, true)
		})

	type credentials struct {
		Body struct {
			Name     string `json:"name" maxLength:"1024" example:"ana"`
			Password string `json:"password" maxLength:"1024" doc:"A password, or a kit's secret." example:"a good password"`
			Cookie   bool   `json:"cookie,omitempty" doc:"Start a browser's session: the answer sets a cookie and has no tokens."`
		}
	}
	register(a, anybody, huma.Operation{OperationID: "sign-in", Method: http.MethodPost, Path: "/sessions", Tags: tags, Summary: core.Say("Sign in").Format,
		Errors: []int{http.StatusUnauthorized, http.StatusTooManyRequests}},
		func(ctx context.Context, c caller, in *credentials) (*signedInOut, error) {
			x, err := g.cfg.Authority.Authenticate(ctx, in.Body.Name, in.Body.Password, "", c.addr)
			if err != nil {
				return nil, g.notSignedIn(c, in.Body.Name, err)
			}
			return g.welcome(ctx, c, x, in.Body.Cookie)
		})

	type refresh struct {
		Body struct {
			Refresh string `json:"refresh_token" maxLength:"4096"`
		}
	}
	register(a, anybody, huma.Operation{OperationID: "refresh", Method: http.MethodPost, Path: "/sessions/refresh", Tags: tags, Summary: core.Say("Get new tokens").Format,
		Description: "A refresh_token is good once. One that comes a second time ends every token that came from the same sign-in."},
		func(ctx context.Context, c caller, in *refresh) (*signedInOut, error) {
			t, x, err := g.cfg.Tokens.RefreshTokens(ctx, in.Body.Refresh, c.addr)
			if err != nil {
				return nil, unsigned(err)
			}
			return signIn(x, t), nil
		})

	type code struct {
		Body struct {
			Code   string `json:"code" maxLength:"256" doc:"From POST codes."`
			Cookie bool   `json:"cookie,omitempty" doc:"Start a browser's session instead of giving tokens."`
		}
	}
	register(a, anybody, huma.Operation{OperationID: "sign-in-with-code", Method: http.MethodPost, Path: "/sessions/code", Tags: tags, Summary: core.Say("Sign in with a one-time code").Format},
		func(ctx context.Context, c caller, in *code) (*signedInOut, error) {
			x, err := g.cfg.Codes.EnterWithCode(ctx, in.Body.Code, c.addr)
			if err != nil {
				return nil, g.notSignedIn(c, "", err)
			}
			return g.welcome(ctx, c, x, in.Body.Cookie)
		})

	type signOut struct {
		Session string `cookie:"homeroom"`
		Body    *struct {
			Refresh string `json:"refresh_token,omitempty" maxLength:"4096" doc:"Ends it and every token that came from the same sign-in."`
		}
	}
	type nothing struct{}
	type signedOut struct {
		SetCookie string `header:"Set-Cookie"`
		Body      nothing
	}
	register(a, anybody, huma.Operation{OperationID: "sign-out", Method: http.MethodDelete, Path: "/sessions", Tags: tags, Summary: core.Say("Sign out").Format},
		func(ctx context.Context, _ caller, in *signOut) (*signedOut, error) {
			if in.Body != nil && in.Body.Refresh != "" {
				if err := g.cfg.Tokens.RevokeTokens(ctx, in.Body.Refresh); err != nil && !errors.Is(err, core.ErrNotFound) {
					return nil, err
				}
			}
			return &signedOut{SetCookie: g.sessions.end(in.Session).String()}, nil
		})

	type newCode struct {
		Body struct {
			Account string `json:"account,omitempty" maxLength:"64" doc:"For whom; or else for a team." example:"ana"`
			Team    string `json:"team,omitempty" maxLength:"64"`
		}
	}
	type madeCode struct {
		Code  string    `json:"code"`
		Until time.Time `json:"until"`
	}
	register(a, members, huma.Operation{OperationID: "make-code", Method: http.MethodPost, Path: "/codes", Tags: tags, Summary: core.Say("Make a one-time code").Format,
		Description:   "Whoever has it signs in once, without a password. A teacher makes one for anybody, or for a team's phone; anybody else for itself.",
		DefaultStatus: http.StatusCreated},
		func(ctx context.Context, c caller, in *newCode) (*body[madeCode], error) {
			var id core.AccountID // 0 of a team
			switch {
			case c.Role != core.Teacher && (in.Body.Team != "" || in.Body.Account != string(c.Name) || c.Name == ""):
				return nil, errTeacher
			case (in.Body.Account == "") == (in.Body.Team == ""):
				return nil, core.Fail(core.ErrInvalid, "A code is for one account or one team. Name one of them.")
			case in.Body.Account != "":
				x, err := g.named(in.Body.Account)
				if err != nil {
					return nil, err
				}
				id = x.ID
			}
			made, until, err := g.cfg.Codes.MakeCode(ctx, id, topic.ID(in.Body.Team))
			if err != nil {
				return nil, err
			}
			return &body[madeCode]{madeCode{made, until}}, nil
		})
}

// notSignedIn keeps a refused sign-in and returns its error.
func (g *Gateway) notSignedIn(c caller, name string, err error) error {
	g.refuse(caller{Account: core.Account{Name: topic.ID(name)}, addr: c.addr}, "", "", err)
	return unsigned(err)
}

// unsigned makes err, where it is a no, one of somebody who is not signed in.
func unsigned(err error) error {
	if errors.Is(err, core.ErrDenied) {
		return errors.Join(errNobody, err)
	}
	return err
}

package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	root      = "/api/v1"
	smallBody = 16 << 10 // of a request that does not publish
)

// need is who may use a route.
type need int

const (
	teachers need = iota // the zero value: what nobody thought about is closed
	owners               // teachers; everybody while the program is open
	members              // whoever is signed in; the route narrows what they get
	anybody
)

var (
	errSignIn  = core.Fail(errNobody, "Sign in first.")
	errTeacher = core.Fail(core.ErrDenied, "Only a teacher may do this. Sign in as a teacher, or ask one.")
)

// api builds routes and, from the same declarations, the OpenAPI document.
type api struct {
	huma.API
	g *Gateway
}

// rest adds the REST interface, its document and the page that shows it.
func (g *Gateway) rest(mux *http.ServeMux) {
	json := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: huma.DefaultJSONFormat.Unmarshal}
	json.Marshal = marshal
	cfg := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Homeroom", Version: g.cfg.Version, Description: about},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token":  {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The access_token of POST /api/v1/sessions."},
					"cookie": {Type: "apiKey", In: "cookie", Name: cookieName, Description: "The page's own session."},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": json, "json": json},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{g.tell},
	}
	a := api{humago.New(mux, cfg), g}
	a.sessions()
	a.accounts()
	a.topics()
	a.messages()
	a.program()
	a.design()
	g.docs(mux, a.OpenAPI())
}

// schemaName returns what the document calls a type; Go numbers local ones.
func schemaName(t reflect.Type, hint string) string {
	name, _, _ := strings.Cut(huma.DefaultSchemaNamer(t, hint), "·")
	return name
}

const about = `Everything that Homeroom's page does, for programs.

Sign in with POST /api/v1/sessions and send the access_token as "Authorization: Bearer …".
A topic name in a path is percent-encoded as one level: a/b is a%2Fb. Where something on the way undoes that, use the route with ?topic=a/b that stands beside it.
A list has items, and next where there is more: ask again with cursor=next.
An error is application/problem+json (RFC 9457); its detail says what to do, in the language of Accept-Language.`

type callerKey struct{}

// register adds a route. fn runs only for whom who admits, with a ctx whose
// actor is the caller.
func register[I, O any](a api, who need, op huma.Operation, fn func(context.Context, caller, *I) (*O, error)) {
	op.Path = root + op.Path
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = smallBody
	}
	op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusNotFound, http.StatusConflict)
	if who != anybody {
		op.Security = []map[string][]string{{"token": {}}, {"cookie": {}}}
		op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden)
	}
	if who == teachers || who == owners {
		op.Description += " Only for teachers."
	}
	op.Middlewares = huma.Middlewares{func(h huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(h)
		w.Header().Set("Cache-Control", "no-store")
		c, err := a.g.caller(r)
		switch {
		case err != nil && who == anybody:
			c, err = caller{addr: c.addr, language: c.language}, nil
		case err != nil:
		case who != anybody && c.ID == 0:
			err = errSignIn
		case who == teachers && c.Role != core.Teacher, who == owners && !a.g.sovereign(c):
			err = errTeacher
		}
		if err != nil {
			a.g.fail(w, r, err)
			return
		}
		ctx := context.WithValue(core.As(r.Context(), c.ID), callerKey{}, c)
		next(huma.WithContext(h, ctx))
	}}
	huma.Register(a.API, op, func(ctx context.Context, in *I) (*O, error) {
		c, _ := ctx.Value(callerKey{}).(caller)
		out, err := fn(ctx, c, in)
		if err != nil {
			return nil, a.g.problem(c.language, op.Path, err)
		}
		return out, nil
	})
}

// body is an answer of one value.
type body[T any] struct{ Body T }

// list is a part of something longer.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"The cursor of the part that follows; absent at the end."`
}

// Paging asks for a part of a list. Like everything that routes share it is
// exported, for huma does not look into other embedded structs.
type Paging struct {
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"How many items at most."`
	Cursor string `query:"cursor" maxLength:"2048" doc:"The next of the part before."`
}

// part returns the part of all that p asks for. key rises from item to item.
func part[T any](p Paging, all []T, key func(T) string) list[T] {
	from := 0
	if p.Cursor != "" {
		from = sort.Search(len(all), func(i int) bool { return key(all[i]) > p.Cursor })
	}
	l := list[T]{Items: slices.Clone(all[from:min(len(all), from+p.Limit)])}
	if l.Items == nil {
		l.Items = []T{}
	}
	if from+p.Limit < len(all) {
		l.Next = key(l.Items[p.Limit-1])
	}
	return l
}

// may reports whether c may read the topic that everybody calls n.
func (g *Gateway) may(c caller, n topic.Name) bool {
	real, err := g.cfg.Authority.Authorize(c.ID, core.Subscribe, topic.Filter(n))
	return err == nil && real == topic.Filter(n)
}

// authorize returns the real name of what c calls f. A no is kept as a refusal.
func (g *Gateway) authorize(c caller, a core.Action, f topic.Filter) (topic.Filter, error) {
	real, err := g.cfg.Authority.Authorize(c.ID, a, f)
	if err != nil {
		g.refuse(c, a, real, err)
		return "", err
	}
	return real, nil
}

// words returns a JSON object of what the page says in a language.
func (g *Gateway) words(w http.ResponseWriter, r *http.Request) {
	table := g.cfg.Words(r.URL.Query().Get("language"))
	if table == nil {
		table = map[string]string{}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(table)
}

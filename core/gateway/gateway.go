// Package gateway is the web door: the page for phones and for a program that
// runs without a window, where the first teacher claims it, people sign in and
// see the values that they may read.
//
// Every request is hostile until proved otherwise: hosts that are not ours are
// refused (DNS rebinding), so are writes from other sites, and sizes and times
// are bounded. Payloads reach the page as JSON and become text there, never HTML.
package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	maxBody     = 16 << 10
	maxSparks   = 1000 // an answer with more values has no sparklines
	maxLives    = 2    // answers made at once; the others wait
	maxRefusals = 50
)

// Authority decides who is there and what they may read.
type Authority interface {
	Authenticate(ctx context.Context, name, secret, client, addr string) (core.Account, error)
	Authorize(id core.AccountID, a core.Action, f topic.Filter) (topic.Filter, error)
	Current(id core.AccountID, version int64) bool
	RefusalsOf(id core.AccountID, limit int) []core.Refusal
}

// Claims makes the first teacher.
type Claims interface {
	Claimed() bool
	ClaimWithCode(ctx context.Context, code, name, label, password string) (core.Account, error)
}

// Values is what kits said last.
type Values interface {
	Live(since uint64) (rows []core.Live, now uint64)
}

// Config is everything a Gateway needs.
type Config struct {
	Addr      string // "127.0.0.1:0" picks a free port
	Authority Authority
	Claims    Claims
	Values    Values
	Page      fs.FS // index.html and what it needs
	// Words returns the translations of a language by English sentence.
	Words func(language string) map[string]string
	// Say puts a sentence into a language.
	Say func(language string, s core.Sentence) string
	// Refuse keeps a refused sign-in for the people it concerns.
	Refuse func(core.Refusal)
	// Open lets everybody in as core.Anyone.
	Open bool
	Log  *slog.Logger
}

// Gateway is an HTTP server.
type Gateway struct {
	cfg      Config
	listen   net.Listener
	sessions sessions
	lives    chan struct{} // holds a token for each answer being made
	close    sync.Once
}

// Open binds the address and is ready to Run. A port that is taken is a
// core.ErrConflict with a sentence.
func Open(cfg Config) (*Gateway, error) {
	g := &Gateway{cfg: cfg, sessions: newSessions(), lives: make(chan struct{}, maxLives)}
	var err error
	if g.listen, err = net.Listen("tcp", cfg.Addr); err != nil {
		_, port, splitErr := net.SplitHostPort(cfg.Addr)
		switch {
		case splitErr != nil:
			return nil, core.Fail(core.ErrInvalid, "{address} is not an address. Write it as host:port, or :1883 for every network.", "address", cfg.Addr)
		case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.Errno(10048)): // 10048: Windows' own number
			return nil, core.Fail(core.ErrConflict, "Port {port} is taken by another program. Stop it, or choose another port for the page with --http.", "port", port)
		}
		return nil, core.Fail(err, "The page cannot listen on {address}: {reason}. Choose another port with --http.", "address", cfg.Addr, "reason", err)
	}
	return g, nil
}

// Addr is the address the gateway listens on.
func (g *Gateway) Addr() string { return g.listen.Addr().String() }

// Close frees the address. Run closes by itself; Close is for a gateway that never ran.
func (g *Gateway) Close() (err error) {
	g.close.Do(func() {
		if err = g.listen.Close(); errors.Is(err, net.ErrClosed) {
			err = nil // Run has ended
		}
	})
	return err
}

// Run serves until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	srv := &http.Server{
		Handler:           g.handler(),
		ReadHeaderTimeout: 3 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(g.cfg.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() {
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = srv.Shutdown(soon)
		_ = srv.Close()
	})
	defer stop()
	if err := srv.Serve(g.listen); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("gateway: %w", err)
	}
	return ctx.Err()
}

// handler is the whole door: the checks that come before every request, then
// the requests.
func (g *Gateway) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(g.cfg.Page))
	mux.HandleFunc("GET /words", g.words)
	mux.HandleFunc("GET /api/v1/me", g.api(g.me))
	mux.HandleFunc("POST /api/v1/claim", g.api(g.claim))
	mux.HandleFunc("POST /api/v1/sessions", g.api(g.signIn))
	mux.HandleFunc("DELETE /api/v1/sessions", g.api(g.signOut))
	mux.HandleFunc("GET /api/v1/live", g.api(g.live))
	mux.HandleFunc("GET /api/v1/refusals", g.api(g.refusals))
	origin := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if !ourHost(r.Host) {
			http.Error(w, "Open the page by the address that Homeroom shows.", http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		origin.ServeHTTP(w, r)
	})
}

// ourHost reports whether a Host header may be ours: an address, a name of the
// local network, or localhost. A public name is not: a page there could be made
// to point here (DNS rebinding).
func ourHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".local") || net.ParseIP(host) != nil ||
		host != "" && !strings.ContainsAny(host, ".:")
}

// request is one call of the API. Who is zero where nobody is signed in.
type request struct {
	*http.Request
	w   http.ResponseWriter
	who core.AccountID
}

// api answers with what fn returns as JSON, or with its error (RFC 9457).
func (g *Gateway) api(fn func(*request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req := &request{Request: r, w: w, who: g.sessions.account(r, g.cfg.Authority.Current)}
		if g.cfg.Open && req.who == 0 {
			req.who = core.Anyone
		}
		w.Header().Set("Cache-Control", "no-store")
		answer, err := fn(req)
		if err != nil {
			g.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// fail answers with a problem that says what to do, in the reader's language.
func (g *Gateway) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, detail := http.StatusInternalServerError, ""
	switch {
	case errors.Is(err, core.ErrDenied):
		status = http.StatusForbidden
	case errors.Is(err, core.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, core.ErrConflict):
		status = http.StatusConflict
	case errors.Is(err, core.ErrInvalid):
		status = http.StatusBadRequest
	}
	var p *core.Problem
	if errors.As(err, &p) {
		detail = g.cfg.Say(r.Header.Get("Accept-Language"), p.Sentence)
	}
	if status == http.StatusInternalServerError {
		g.cfg.Log.Error("request failed", "path", r.URL.Path, "err", err)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "title": http.StatusText(status), "detail": detail})
}

func (g *Gateway) words(w http.ResponseWriter, r *http.Request) {
	table := g.cfg.Words(r.URL.Query().Get("language"))
	if table == nil {
		table = map[string]string{}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(table)
}

func (g *Gateway) me(r *request) (any, error) {
	return map[string]any{"claimed": g.cfg.Claims.Claimed() || g.cfg.Open, "signedIn": r.who != 0, "open": g.cfg.Open}, nil
}

type credentials struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Label    string `json:"label"` // claim only
	Code     string `json:"code"`  // claim only
}

func (r *request) credentials() (c credentials, err error) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if d.Decode(&c) != nil {
		return c, core.Fail(core.ErrInvalid, "The request could not be read. Reload the page and try again.")
	}
	return c, nil
}

func (g *Gateway) claim(r *request) (any, error) {
	c, err := r.credentials()
	if err != nil {
		return nil, err
	}
	a, err := g.cfg.Claims.ClaimWithCode(r.Context(), c.Code, c.Name, c.Label, c.Password)
	if err != nil {
		return nil, err
	}
	g.sessions.start(r.w, a)
	return map[string]any{"name": a.Name}, nil
}

func (g *Gateway) signIn(r *request) (any, error) {
	c, err := r.credentials()
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return nil, core.ErrDenied
	}
	a, err := g.cfg.Authority.Authenticate(r.Context(), c.Name, c.Password, "", host)
	if err != nil {
		var p *core.Problem
		if errors.As(err, &p) {
			g.cfg.Refuse(core.Refusal{At: time.Now(), Count: 1, Name: strings.ToValidUTF8(c.Name[:min(len(c.Name), 64)], ""), Client: "page", Addr: host, Say: p.Sentence})
		}
		return nil, err
	}
	g.sessions.start(r.w, a)
	return map[string]any{"name": a.Name}, nil
}

func (g *Gateway) signOut(r *request) (any, error) {
	g.sessions.end(r.w, r.Request)
	return map[string]any{}, nil
}

// row is one series as the page shows it.
type row struct {
	Series string    `json:"series"`
	Label  string    `json:"label,omitempty"`
	Unit   string    `json:"unit,omitempty"`
	Kind   string    `json:"kind"`
	Number float64   `json:"number"`
	Text   string    `json:"text,omitempty"`
	At     time.Time `json:"at"`
	Spark  []float64 `json:"spark,omitempty"`
}

var errSignIn = core.Fail(core.ErrDenied, "Sign in first.")

// live returns the series that changed since a position and that the account
// may read.
func (g *Gateway) live(r *request) (any, error) {
	if r.who == 0 {
		return nil, errSignIn
	}
	since, err := strconv.ParseUint(r.URL.Query().Get("since"), 10, 64)
	if err != nil {
		since = 0
	}
	select {
	case g.lives <- struct{}{}:
		defer func() { <-g.lives }()
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	changed, now := g.cfg.Values.Live(since)
	rows := []row{}
	for _, l := range changed {
		name := topic.Filter(l.Series.Topic())
		if real, err := g.cfg.Authority.Authorize(r.who, core.Subscribe, name); err != nil || real != name {
			continue
		}
		x := row{Series: string(l.Series), Label: l.Label, Unit: l.Unit, Kind: kindName(l.Newest.Kind), Number: l.Newest.Value, Text: l.Newest.Text, At: l.Newest.At}
		if len(changed) <= maxSparks {
			for _, s := range l.Spark {
				x.Spark = append(x.Spark, s.Value)
			}
		}
		rows = append(rows, x)
	}
	return map[string]any{"now": strconv.FormatUint(now, 10), "time": time.Now(), "rows": rows}, nil
}

func kindName(k core.Kind) string {
	switch k {
	case core.Number:
		return "number"
	case core.Boolean:
		return "boolean"
	}
	return "text"
}

func (g *Gateway) refusals(r *request) (any, error) {
	if r.who == 0 {
		return nil, errSignIn
	}
	type refusal struct {
		At    time.Time `json:"at"`
		Count int       `json:"count"`
		Say   string    `json:"say"`
	}
	all := []refusal{}
	for _, x := range g.cfg.Authority.RefusalsOf(r.who, maxRefusals) {
		all = append(all, refusal{x.At, x.Count, g.cfg.Say(r.Header.Get("Accept-Language"), x.Say)})
	}
	return all, nil
}

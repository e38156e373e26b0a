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
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	maxBody  = 2 << 20 // of the largest request, which publishes; most may be less
	maxLives = 2       // large answers made at once; the others wait
)

// Authority decides who is there and what they may do.
type Authority interface {
	Authenticate(ctx context.Context, name, secret, client, addr string) (core.Account, error)
	Account(id core.AccountID) (core.Account, bool)
	// Authorize returns the real name of what the account calls f, and nil if it may do that.
	Authorize(id core.AccountID, a core.Action, f topic.Filter) (real topic.Filter, err error)
	Current(id core.AccountID, version int64) bool
}

// Config is everything a Gateway needs.
type Config struct {
	Addr      string // "127.0.0.1:0" picks a free port
	Version   string // of the program
	Authority Authority
	Tokens    Tokens
	Codes     Codes
	Claims    Claims
	Accounts  Accounts
	Records   Records
	Plan      Plan
	Broker    Broker
	Bus       Bus
	Feed      *core.Feed
	Known     func(topic.Name) bool // which topics are designed or were published to
	XRay      XRay
	Values    Values
	Readings  Readings
	Snippets  Snippets
	Drawing   Drawing
	Rules     Rules
	Alarms    Alarms
	Boards    Boards
	Kits      Kits
	Recorder  Recorder
	// Why tells the chain that led to the value that a topic had at a time; what
	// may says no to is hidden in it.
	Why      func(ctx context.Context, n topic.Name, at time.Time, may func(topic.Name) bool) (core.Chain, error)
	Page     fs.FS // index.html and what it needs
	Settings func() core.Settings
	// Words returns the translations of a language by English sentence.
	Words func(language string) map[string]string
	// Say puts a sentence into a language.
	Say func(language string, s core.Sentence) string
	// Refuse keeps what was refused for the people it concerns.
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
	lives    chan struct{} // holds a token for each large answer being made
	rooms    *rooms        // nil without a Bus
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
	var sockets sync.WaitGroup
	defer sockets.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
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
	sockets.Go(func() { g.keepSockets(ctx) })
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
	page := http.FileServerFS(g.cfg.Page)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			g.noRoute(mux, w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /words", g.words)
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) { g.noRoute(mux, w, r) })
	g.rest(mux)
	g.sockets(mux)
	g.firmware(mux)
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.fail(w, r, core.Fail(core.ErrDenied, "This request came from another web site, so it was refused. Open the page by the address that Homeroom shows."))
	}))
	// MaxBytesHandler, not MaxBytesReader: with r.Body replaced, the server would
	// not know that a body was left unread, and take the rest for a request.
	guarded, files := http.MaxBytesHandler(origin.Handler(mux), maxBody), http.MaxBytesHandler(origin.Handler(mux), maxFile)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if !ourHost(r.Host) {
			g.fail(w, r, core.Fail(errHost, "This address is not one of Homeroom's. Open the page by the address that Homeroom shows."))
			return
		}
		if r.Method == http.MethodPost && r.URL.Path == importPath {
			files.ServeHTTP(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// noRoute answers a request that no route takes: 405 where the path is right.
func (g *Gateway) noRoute(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, method := range []string{"DELETE", "GET", "PATCH", "POST", "PUT"} {
		other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(other); pattern != "/api/" && (pattern != "/" || method == "GET") {
			allow = append(allow, method)
		}
	}
	if allow == nil {
		g.fail(w, r, core.Fail(core.ErrNotFound, "There is nothing at {path}. Look at /docs for what there is.", "path", cut(r.URL.Path)))
		return
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	g.fail(w, r, core.Fail(errMethod, "{path} does not take {method}. Use {methods}, or look at /docs.", "path", cut(r.URL.Path), "method", cut(r.Method), "methods", strings.Join(allow, ", ")))
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

package gateway

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// school is an Authority with one student of team blue, and Claims and Values.
type school struct {
	mu      sync.Mutex
	claimed bool
	version int64
	rows    []core.Live
	refused []core.Refusal
}

func (s *school) Authenticate(_ context.Context, name, secret, _, _ string) (core.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != "ana" || secret != "right" {
		return core.Account{}, core.Fail(core.ErrDenied, "Wrong name or password.")
	}
	return core.Account{ID: 1, Name: "ana", Version: s.version}, nil
}

func (s *school) Authorize(id core.AccountID, _ core.Action, f topic.Filter) (topic.Filter, error) {
	if id == core.Anyone || id == 1 && topic.Filter("blue/#").Covers(f) {
		return f, nil
	}
	return f, core.ErrDenied
}

func (s *school) Current(_ core.AccountID, version int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return version == s.version
}

func (s *school) RefusalsOf(id core.AccountID, _ int) []core.Refusal {
	return []core.Refusal{{At: time.UnixMilli(0), Count: 2, Account: id, Say: core.Say("{name} may not", "name", "<b>ana</b>")}}
}

func (s *school) Claimed() bool { return s.claimed }

func (s *school) ClaimWithCode(_ context.Context, code, name, _, _ string) (core.Account, error) {
	if s.claimed {
		return core.Account{}, core.ErrConflict
	}
	if code != "12345678" {
		return core.Account{}, core.Fail(core.ErrDenied, "Wrong code.")
	}
	s.claimed = true
	return core.Account{ID: 2, Name: topic.ID(name), Version: s.version}, nil
}

func (s *school) Live(since uint64) ([]core.Live, uint64) {
	if since >= 9 {
		return nil, 9
	}
	return s.rows, 9
}

func start(t *testing.T, s *school, open bool) (*httptest.Server, *http.Client) {
	t.Helper()
	g := &Gateway{sessions: newSessions(), lives: make(chan struct{}, 1), cfg: Config{Authority: s, Claims: s, Values: s, Open: open, Refuse: func(r core.Refusal) { s.refused = append(s.refused, r) }, Log: slog.New(slog.DiscardHandler),
		Page:  fstest.MapFS{"index.html": {Data: []byte("<h1>page</h1>")}},
		Words: func(l string) map[string]string { return map[string]string{"Sign in": "Anmelden " + l} },
		Say:   func(l string, x core.Sentence) string { return l + ": " + x.String() }}}
	srv := httptest.NewServer(g.handler())
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return srv, &http.Client{Jar: jar}
}

func do(t *testing.T, c *http.Client, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'self'") {
		t.Errorf("%s %s: policy %q", method, url, csp)
	}
	return resp.StatusCode, string(data)
}

func TestSignIn(t *testing.T) {
	s := &school{claimed: true, version: 1, rows: []core.Live{
		{Series: "blue/lab/kit-1/temperature", Description: core.Description{Label: "<script>", Unit: "°C"}, Newest: core.Reading{Kind: core.Number, Value: 21.5}, Spark: []core.Reading{{Value: 20}, {Value: 21.5}}},
		{Series: "red/lab/kit-2/temperature", Newest: core.Reading{Kind: core.Number, Value: 9}},
		{Series: "blue/lab/kit-1/air#door.open", Newest: core.Reading{Kind: core.Boolean, Value: 1}},
	}}
	srv, c := start(t, s, false)
	if code, body := do(t, c, "GET", srv.URL+"/api/v1/live", ""); code != 403 {
		t.Errorf("live before sign in: %d %s", code, body)
	}
	if code, body := do(t, c, "POST", srv.URL+"/api/v1/sessions", `{"name":"ana","password":"wrong"}`, "Accept-Language", "fr"); code != 403 || !strings.Contains(body, "fr: Wrong name") {
		t.Errorf("wrong password: %d %s", code, body)
	}
	if len(s.refused) != 1 || s.refused[0].Name != "ana" || s.refused[0].Addr != "127.0.0.1" {
		t.Errorf("refused %+v", s.refused)
	}
	if code, body := do(t, c, "POST", srv.URL+"/api/v1/sessions", `{"name":"ana","password":"right"}`); code != 200 {
		t.Fatalf("sign in: %d %s", code, body)
	}
	code, body := do(t, c, "GET", srv.URL+"/api/v1/live?since=x", "")
	if code != 200 || strings.Contains(body, "red/") || strings.Contains(body, "<script>") {
		t.Errorf("live: %d %s", code, body)
	}
	var live struct {
		Now  string
		Rows []row
	}
	if err := json.Unmarshal([]byte(body), &live); err != nil || len(live.Rows) != 2 || live.Now != "9" || live.Rows[0].Label != "<script>" || live.Rows[0].Unit != "°C" || live.Rows[1].Kind != "boolean" || len(live.Rows[0].Spark) != 2 {
		t.Errorf("live: %+v %v", live, err)
	}
	if _, body := do(t, c, "GET", srv.URL+"/api/v1/live?since=9", ""); !strings.Contains(body, `"rows":[]`) {
		t.Errorf("nothing new: %s", body)
	}
	if _, body := do(t, c, "GET", srv.URL+"/api/v1/refusals", ""); !strings.Contains(body, "may not") || strings.Contains(body, "<b>") {
		t.Errorf("refusals: %s", body)
	}
	s.mu.Lock()
	s.version++ // password changed, disabled, …
	s.mu.Unlock()
	if code, _ := do(t, c, "GET", srv.URL+"/api/v1/live", ""); code != 403 {
		t.Errorf("a changed account still reads: %d", code)
	}
	do(t, c, "POST", srv.URL+"/api/v1/sessions", `{"name":"ana","password":"right"}`)
	if code, _ := do(t, c, "DELETE", srv.URL+"/api/v1/sessions", ""); code != 200 {
		t.Errorf("sign out: %d", code)
	}
	if code, _ := do(t, c, "GET", srv.URL+"/api/v1/live", ""); code != 403 {
		t.Errorf("signed out and still reads: %d", code)
	}
}

func TestClaim(t *testing.T) {
	s := &school{version: 1}
	srv, c := start(t, s, false)
	if _, body := do(t, c, "GET", srv.URL+"/api/v1/me", ""); !strings.Contains(body, `"claimed":false`) {
		t.Errorf("me: %s", body)
	}
	for _, x := range []struct {
		body string
		want int
	}{
		{`{"code":"00000000","name":"t","password":"a good one"}`, 403},
		{`not json`, 400},
		{`{"code":"12345678","admin":true}`, 400},
		{`{"code":"12345678","name":"t","password":"a good one"}`, 200},
		{`{"code":"12345678","name":"t","password":"a good one"}`, 409},
	} {
		if code, body := do(t, c, "POST", srv.URL+"/api/v1/claim", x.body); code != x.want {
			t.Errorf("%s: %d %s, want %d", x.body, code, body, x.want)
		}
	}
	if _, body := do(t, c, "GET", srv.URL+"/api/v1/me", ""); !strings.Contains(body, `"signedIn":true`) {
		t.Errorf("me after the claim: %s", body)
	}
}

func TestHostileRequests(t *testing.T) {
	srv, c := start(t, &school{claimed: true, version: 1}, false)
	good := `{"name":"ana","password":"right"}`
	for _, x := range []struct {
		what, method, path, body string
		headers                  []string
		want                     int
	}{
		{"another site", "POST", "/api/v1/sessions", good, []string{"Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"rebound name", "GET", "/api/v1/me", "", []string{"Host", "evil.example"}, 421},
		{"own name", "GET", "/api/v1/me", "", []string{"Host", "lab-pc.local:8080"}, 200},
		{"address", "GET", "/api/v1/me", "", []string{"Host", "192.168.1.20:8080"}, 200},
		{"large body", "POST", "/api/v1/sessions", `{"name":"` + strings.Repeat("x", maxBody) + `"}`, nil, 400},
		{"traversal", "GET", "/..%2f..%2fetc/passwd", "", nil, 404},
		{"wrong method", "PUT", "/api/v1/sessions", good, nil, 405},
		{"unknown", "GET", "/api/v1/accounts", "", nil, 404},
		{"page", "GET", "/", "", nil, 200},
		{"words", "GET", "/words?language=" + strings.Repeat("k", 1000), "", nil, 200},
	} {
		if code, body := do(t, c, x.method, srv.URL+x.path, x.body, x.headers...); code != x.want {
			t.Errorf("%s: %d %.100s, want %d", x.what, code, body, x.want)
		}
	}
}

func TestOpenServesEverybody(t *testing.T) {
	srv, c := start(t, &school{rows: []core.Live{{Series: "red/x"}}}, true)
	if code, body := do(t, c, "GET", srv.URL+"/api/v1/live", ""); code != 200 || !strings.Contains(body, "red/x") {
		t.Errorf("%d %s", code, body)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	s := newSessions()
	for i := range maxSessions + 100 {
		s.start(httptest.NewRecorder(), core.Account{ID: core.AccountID(i)})
	}
	if len(s.all) != maxSessions {
		t.Errorf("%d sessions", len(s.all))
	}
}

func TestRunStops(t *testing.T) {
	s := &school{claimed: true}
	g, err := Open(Config{Addr: "127.0.0.1:0", Authority: s, Claims: s, Values: s, Page: fstest.MapFS{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Addr: g.Addr()}); err == nil || !strings.Contains(err.Error(), "is taken") {
		t.Errorf("taken port: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	resp, err := http.Get("http://" + g.Addr() + "/api/v1/me")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("Run returned %v", err)
	}
	if err := g.Close(); err != nil {
		t.Errorf("Close after Run: %v", err)
	}
}

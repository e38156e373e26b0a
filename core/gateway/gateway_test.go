package gateway

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"homeroom/core"
)

func config(s *school) Config {
	return Config{Addr: "127.0.0.1:0", Version: "1.2.3", Authority: s, Tokens: s, Codes: s, Claims: s, Accounts: s, Records: s, Plan: s, Broker: s, XRay: s,
		Values: values{s}, Readings: past{s}, Open: s.open, Refuse: s.Refuse, Known: s.Known, Log: slog.New(slog.DiscardHandler), Feed: &core.Feed{},
		Settings: core.DefaultSettings, Drawing: emptyLab{}, Rules: noRules{}, Alarms: noAlarms{}, Boards: emptyLab{}, Recorder: emptyLab{}, Why: nobodyKnows,
		Page:  fstest.MapFS{"index.html": {Data: []byte("<h1>page</h1>")}},
		Words: func(l string) map[string]string { return map[string]string{"Sign in": "Anmelden " + l} },
		Say:   func(l string, x core.Sentence) string { return l + ": " + x.String() }}
}

// serve starts the handler. The client keeps cookies.
func serve(t *testing.T, s *school) (*httptest.Server, *http.Client) {
	t.Helper()
	g := &Gateway{sessions: newSessions(), lives: make(chan struct{}, 1), cfg: config(s)}
	srv := httptest.NewServer(g.handler())
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return srv, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func do(t *testing.T, c *http.Client, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	resp, data := ask(t, c, method, url, body, headers...)
	return resp.StatusCode, data
}

// ask also checks what holds for every answer.
func ask(t *testing.T, c *http.Client, method, url, body string, headers ...string) (*http.Response, string) {
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
	h := resp.Header
	if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'self'") || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s %s: headers %v", method, url, h)
	}
	if resp.StatusCode >= 400 {
		var p struct {
			Status        int
			Title, Detail string
		}
		if err := json.Unmarshal(data, &p); err != nil && !strings.HasPrefix(h.Get("Content-Type"), "text/plain") ||
			err == nil && (p.Status != resp.StatusCode || p.Title == "" || p.Detail == "" || h.Get("Content-Type") != "application/problem+json") {
			t.Errorf("%s %s: %d is no problem: %s %s", method, url, resp.StatusCode, h.Get("Content-Type"), data)
		}
	}
	return resp, string(data)
}

// as returns a function that asks as somebody, by token.
func as(t *testing.T, srv *httptest.Server, name string) func(method, path, body string) (int, string) {
	t.Helper()
	_, answer := do(t, http.DefaultClient, "POST", srv.URL+"/api/v1/sessions", `{"name":"`+name+`","password":"right"}`)
	var in signedIn
	if err := json.Unmarshal([]byte(answer), &in); err != nil || in.Access == "" || in.Expires != 600 {
		t.Fatalf("sign in: %s", answer)
	}
	return func(method, path, body string) (int, string) {
		t.Helper()
		return do(t, &http.Client{}, method, srv.URL+"/api/v1"+path, body, "Authorization", "Bearer "+in.Access)
	}
}

func TestSignIn(t *testing.T) {
	s := newSchool()
	s.rows = []core.Live{
		{Series: "blue/lab/kit-1/temperature", Description: core.Description{Label: "<script>", Unit: "°C"}, Newest: core.Reading{Kind: core.Number, Value: 21.5}, Spark: []core.Reading{{Value: 20}, {Value: 21.5}}},
		{Series: "red/lab/kit-2/temperature", Newest: core.Reading{Kind: core.Number, Value: 9}},
		{Series: "blue/lab/kit-1/air#door.open", Newest: core.Reading{Kind: core.Boolean, Value: 1}},
		{Series: "blue/lab/kit-1/odd", Newest: core.Reading{Kind: core.Number, Value: math.Inf(1)}},
	}
	srv, c := serve(t, s)
	api := srv.URL + "/api/v1"
	if resp, body := ask(t, c, "GET", api+"/live", ""); resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("live before sign in: %v %s", resp, body)
	}
	if code, body := do(t, c, "POST", api+"/sessions", `{"name":"ana","password":"wrong"}`, "Accept-Language", "fr"); code != 401 || !strings.Contains(body, "fr: ana could not") {
		t.Errorf("wrong password: %d %s", code, body)
	}
	if len(s.refused) != 1 || s.refused[0].Name != "ana" || s.refused[0].Addr != "127.0.0.1" {
		t.Errorf("refused %+v", s.refused)
	}
	if resp, body := ask(t, c, "POST", api+"/sessions", `{"name":"ana","password":"guess"}`); resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "7" {
		t.Errorf("throttled: %v %s", resp, body)
	}
	resp, body := ask(t, c, "POST", api+"/sessions", `{"name":"ana","password":"right","cookie":true}`)
	if cookie := resp.Header.Get("Set-Cookie"); resp.StatusCode != 200 || !strings.Contains(cookie, "HttpOnly; SameSite=Strict") || strings.Contains(body, "token") {
		t.Fatalf("sign in: %v %s", resp, body)
	}
	code, body := do(t, c, "GET", api+"/live?since=x", "")
	if code != 200 || strings.Contains(body, "red/") || strings.Contains(body, "<script>") {
		t.Errorf("live: %d %s", code, body)
	}
	var live struct {
		Now  string
		Rows []row
	}
	if err := json.Unmarshal([]byte(body), &live); err != nil || len(live.Rows) != 3 || live.Now != "9" || live.Rows[0].Label != "<script>" || live.Rows[0].Unit != "°C" || live.Rows[1].Kind != "boolean" || len(live.Rows[0].Spark) != 2 || live.Rows[2].Number != nil {
		t.Errorf("live: %+v %v", live, err)
	}
	if _, body := do(t, c, "GET", api+"/live?since=9", ""); !strings.Contains(body, `"rows":[]`) {
		t.Errorf("nothing new: %s", body)
	}
	// The cookie counts only for our own page.
	if code, _ := do(t, c, "GET", api+"/live", "", "Sec-Fetch-Site", "same-site"); code != 401 {
		t.Errorf("the cookie counts for another port: %d", code)
	}
	if code, _ := do(t, c, "GET", api+"/live", "", "Sec-Fetch-Site", "same-origin"); code != 200 {
		t.Errorf("the cookie does not count for the page: %d", code)
	}
	s.mu.Lock()
	s.byID(2).Version++ // password changed, disabled, …
	s.mu.Unlock()
	if code, _ := do(t, c, "GET", api+"/live", ""); code != 401 {
		t.Errorf("a changed account still reads: %d", code)
	}
	do(t, c, "POST", api+"/sessions", `{"name":"ana","password":"right","cookie":true}`)
	if code, _ := do(t, c, "DELETE", api+"/sessions", ""); code != 200 {
		t.Errorf("sign out: %d", code)
	}
	if code, _ := do(t, c, "GET", api+"/live", ""); code != 401 {
		t.Errorf("signed out and still reads: %d", code)
	}
}

// TestTokens is the sign-in of programs.
func TestTokens(t *testing.T) {
	s := newSchool()
	srv, c := serve(t, s)
	api := srv.URL + "/api/v1"
	ana := as(t, srv, "ana")
	if code, body := ana("GET", "/me", ""); code != 200 || !strings.Contains(body, `"signedIn":true`) || !strings.Contains(body, `"name":"ana"`) {
		t.Errorf("me: %d %s", code, body)
	}
	if code, body := do(t, c, "POST", api+"/sessions/refresh", `{"refresh_token":"refresh-2"}`); code != 200 || !strings.Contains(body, "access-2-1") {
		t.Errorf("refresh: %d %s", code, body)
	}
	if code, body := do(t, c, "POST", api+"/sessions/refresh", `{"refresh_token":"old"}`); code != 401 {
		t.Errorf("refresh with an old one: %d %s", code, body)
	}
	if code, body := do(t, c, "DELETE", api+"/sessions", `{"refresh_token":"refresh-2"}`); code != 200 {
		t.Errorf("sign out: %d %s", code, body)
	}
	if code, _ := do(t, c, "GET", api+"/live", "", "Authorization", "Bearer nonsense"); code != 401 {
		t.Errorf("nonsense token: %d", code)
	}
	// A bad token is not made good by a cookie, nor is one in the address.
	do(t, c, "POST", api+"/sessions", `{"name":"ana","password":"right","cookie":true}`)
	if code, _ := do(t, c, "GET", api+"/live", "", "Authorization", "Bearer nonsense"); code != 401 {
		t.Errorf("nonsense token with a cookie: %d", code)
	}
	if code, _ := do(t, http.DefaultClient, "GET", api+"/kits?access_token=access-2-1", ""); code != 401 {
		t.Errorf("token in the address: %d", code)
	}
	// One-time codes.
	for who, want := range map[string]int{`{"account":"ana"}`: 201, `{"account":"bo"}`: 403, `{"team":"blue"}`: 403, `{"account":"nobody"}`: 403, `{}`: 403} {
		if code, body := ana("POST", "/codes", who); code != want {
			t.Errorf("a code for %s: %d %s", who, code, body)
		}
	}
	teacher := as(t, srv, "teacher")
	for who, want := range map[string]string{`{"account":"bo"}`: "code-3-", `{"team":"blue"}`: "code-0-blue", `{}`: "one account or one team", `{"account":"x","team":"y"}`: "one account or one team"} {
		if code, body := teacher("POST", "/codes", who); !strings.Contains(body, want) {
			t.Errorf("a code for %s: %d %s", who, code, body)
		}
	}
	if resp, body := ask(t, c, "POST", api+"/sessions/code", `{"code":"code-2-","cookie":true}`); resp.StatusCode != 200 || resp.Header.Get("Set-Cookie") == "" || strings.Contains(body, "token") {
		t.Errorf("enter with a code: %v %s", resp, body)
	}
	if code, body := do(t, c, "POST", api+"/sessions/code", `{"code":"code-2-"}`); code != 200 || !strings.Contains(body, "access-2-1") {
		t.Errorf("enter with a code as a program: %d %s", code, body)
	}
	if code, _ := do(t, c, "POST", api+"/sessions/code", `{"code":"wrong"}`); code != 401 {
		t.Errorf("a wrong code: %d", code)
	}
	s.mu.Lock()
	s.byID(2).Version++
	s.mu.Unlock()
	if code, _ := ana("GET", "/live", ""); code != 401 {
		t.Errorf("a token of a changed account: %d", code)
	}
	if code, _ := ana("GET", "/health", ""); code != 200 {
		t.Errorf("health with a token that is over: %d", code)
	}
}

func TestClaim(t *testing.T) {
	s := newSchool()
	s.claimed = false
	srv, c := serve(t, s)
	if _, body := do(t, c, "GET", srv.URL+"/api/v1/me", ""); !strings.Contains(body, `"claimed":false`) {
		t.Errorf("me: %s", body)
	}
	for _, x := range []struct {
		body string
		want int
	}{
		{`{"code":"00000000","name":"t","password":"a good one"}`, 403},
		{`not json`, 400},
		{`{"code":"12345678","name":"t","password":"a good one","admin":true}`, 422},
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

func TestOpenServesEverybody(t *testing.T) {
	s := newSchool()
	s.open, s.rows = true, []core.Live{{Series: "red/x"}}
	srv, c := serve(t, s)
	if code, body := do(t, c, "GET", srv.URL+"/api/v1/live", ""); code != 200 || !strings.Contains(body, "red/x") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := do(t, c, "POST", srv.URL+"/api/v1/messages?topic=red/x", `{"payload":"1"}`); code != 200 || s.sent[0].From != core.Anyone {
		t.Errorf("%d %s", code, body)
	}
	if code, body := do(t, c, "POST", srv.URL+"/api/v1/accounts", `{"name":"boss","role":"teacher","password":"a good one"}`); code != 403 {
		t.Errorf("somebody made a teacher, who stays: %d %s", code, body)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	s := newSessions()
	for i := range maxSessions + 100 {
		s.start(core.Account{ID: core.AccountID(i)})
	}
	if len(s.all) != maxSessions {
		t.Errorf("%d sessions", len(s.all))
	}
}

func TestRunStops(t *testing.T) {
	g, err := Open(config(newSchool()))
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

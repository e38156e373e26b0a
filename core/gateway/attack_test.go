package gateway

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"homeroom/core"
)

// The attacks that need the whole program (SQL, brute force, spray, formulas in
// exports, lines in logs) are in main_web_test.go.

const credentials = `{"name":"ana","password":"right","cookie":true}`

func TestAttackCrossSite(t *testing.T) {
	s := newSchool()
	srv, c := serve(t, s)
	do(t, c, "POST", srv.URL+"/api/v1/sessions", credentials)
	for _, x := range []struct {
		what    string
		headers []string
		want    int
	}{
		{"another site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "http://evil.example"}, 403},
		{"another port of this machine", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:1"}, 403},
		{"an old browser", []string{"Origin", "http://evil.example"}, 403},
		{"no origin at all", []string{"Origin", "null"}, 403},
		{"a form", []string{"Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain"}, 403},
		{"our page", []string{"Sec-Fetch-Site", "same-origin", "Origin", srv.URL}, 200},
		{"our page in an old browser", []string{"Origin", srv.URL}, 200},
		{"a program", nil, 200},
	} {
		for _, path := range []string{"/api/v1/messages?topic=blue/lamp/set", "/api/v1/topics/blue%2Flamp/messages"} {
			s.sent = nil
			code, body := do(t, c, "POST", srv.URL+path, `{"payload":"on"}`, x.headers...)
			if code != x.want || len(s.sent) > 0 != (x.want == 200) {
				t.Errorf("%s: %d %s", x.what, code, body)
			}
		}
	}
	// No other site may read either.
	resp, _ := ask(t, c, "GET", srv.URL+"/api/v1/me", "", "Origin", "http://evil.example")
	for name := range resp.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: %s", name, resp.Header.Get(name))
		}
	}
	if code, _ := do(t, c, "OPTIONS", srv.URL+"/api/v1/messages", "", "Origin", "http://evil.example", "Access-Control-Request-Method", "POST"); code != 403 && code != 405 {
		t.Errorf("preflight: %d", code)
	}
}

func TestAttackRebinding(t *testing.T) {
	srv, c := serve(t, newSchool())
	for host, want := range map[string]int{"evil.example": 421, "evil.example:8080": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421, "x.local.evil.example": 421,
		"lab-pc.local:8080": 200, "LAB-PC.local.": 200, "192.168.1.20:8080": 200, "[::1]:8080": 200, "lab-pc": 200, "localhost": 200} {
		for _, path := range []string{"/api/v1/me", "/", "/openapi.json", "/docs"} {
			if code, body := do(t, c, "GET", srv.URL+path, "", "Host", host); code != want {
				t.Errorf("%s%s: %d %.80s", host, path, code, body)
			}
		}
	}
}

func TestAttackLargeBody(t *testing.T) {
	s := newSchool()
	srv, c := serve(t, s)
	ana := as(t, srv, "ana")
	if code, body := do(t, c, "POST", srv.URL+"/api/v1/sessions", `{"name":"`+strings.Repeat("x", smallBody)+`"}`); code != 413 || !strings.Contains(body, "16 KB") {
		t.Errorf("sign in: %d %s", code, body)
	}
	if s.hashed != 1 { // ana's own
		t.Errorf("%d passwords were checked", s.hashed)
	}
	if code, body := ana("POST", "/messages?topic=blue/x", `{"payload":"`+strings.Repeat("x", maxPayload)+`"}`); code != 200 {
		t.Errorf("a large message: %d %s", code, body)
	}
	if code, body := ana("POST", "/messages?topic=blue/x", `{"payload":"`+strings.Repeat("x", maxPayload+1)+`"}`); code != 422 {
		t.Errorf("a message too large: %d %s", code, body)
	}
	if code, body := ana("POST", "/messages?topic=blue/x", `{"payload":"`+strings.Repeat("x", 2*maxBody)+`"}`); code != 413 {
		t.Errorf("a body too large: %d %s", code, body)
	}
	// Whoever is nobody is not listened to for long.
	if code, _ := do(t, c, "POST", srv.URL+"/api/v1/messages?topic=blue/x", `{"payload":"x"}`); code != 401 {
		t.Errorf("a body of nobody: %d", code)
	}
	deep := strings.Repeat("[", 15000)
	if code, body := do(t, c, "POST", srv.URL+"/api/v1/sessions", deep); code < 400 || code >= 500 {
		t.Errorf("deep JSON: %d %s", code, body)
	}
}

// TestAttackSmuggling hides requests in a body that is refused unread. A proxy
// would take their answers for those of somebody else's requests.
func TestAttackSmuggling(t *testing.T) {
	srv, _ := serve(t, newSchool())
	hidden := "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for _, path := range []string{"sessions", "messages?topic=x", "nothing"} {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		body := strings.Repeat("x", smallBody) + strings.Repeat(hidden, 2*maxBody/len(hidden))
		go fmt.Fprintf(c, "POST /api/v1/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		answers, err := io.ReadAll(c)
		if n := strings.Count(string(answers), "HTTP/1.1 "); n != 1 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %d answers, %v", path, n, err)
		}
	}
}

func TestAttackTraversal(t *testing.T) {
	srv, c := serve(t, newSchool())
	for _, path := range []string{"/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/docs/../../etc/passwd", "/..\\..\\etc\\passwd", "/page.go", "/docs.go", "/.git/config", "/api/v1/../../etc/passwd", "/%00"} {
		code, body := do(t, c, "GET", srv.URL+path, "")
		if code != 404 && code != 400 && code != 301 && code != 307 || strings.Contains(body, "root:") || strings.Contains(body, "package ") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	ana := as(t, srv, "ana")
	for _, path := range []string{"/accounts/..%2f..%2fx", "/accounts/%2e%2e", "/topics/..%2F..%2Fred%2Fx"} {
		if code, body := ana("GET", path, ""); code != 404 {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

// TestAttackMethods finds no second door to a route.
func TestAttackMethods(t *testing.T) {
	srv, c := serve(t, newSchool())
	for _, x := range []struct {
		method, path string
		headers      []string
		want         int
	}{
		{"PUT", "/api/v1/sessions", nil, 405},
		{"TRACE", "/api/v1/me", nil, 405},
		{"POST", "/api/v1/me", []string{"X-HTTP-Method-Override", "GET"}, 405},
		{"GET", "/api/v1/nothing", nil, 404},
		{"POST", "/", nil, 405},
		{"GET", "/API/V1/me", nil, 404},
		{"POST", "/api/v1/sessions", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"POST", "/api/v1/sessions", []string{"Content-Type", "text/plain"}, 415},
		{"GET", "/words?language=" + strings.Repeat("k", 1000), nil, 200},
	} {
		body := ""
		if x.method == "POST" {
			body = credentials
		}
		resp, answer := ask(t, c, x.method, srv.URL+x.path, body, x.headers...)
		if resp.StatusCode != x.want || x.want == 405 && resp.Header.Get("Allow") == "" {
			t.Errorf("%s %s: %d %s", x.method, x.path, resp.StatusCode, answer)
		}
	}
}

// TestAttackStoredScript puts a script wherever somebody else reads it.
func TestAttackStoredScript(t *testing.T) {
	const script = `</script><script>alert(1)</script>`
	s := newSchool()
	m := core.Message{Topic: "blue/" + script, Payload: []byte(script), Client: script, From: 2}
	s.kept, s.ring, s.states = []core.Message{m}, []core.Message{m}, []core.TopicState{{Last: m, Count: 1}}
	s.rows = []core.Live{{Series: core.Series(m.Topic), Description: core.Description{Label: script, Unit: script}, Newest: core.Reading{Text: script}}}
	s.clients = []core.Client{{ID: script, Account: 4, Filters: []string{script}}}
	s.plan = []core.Topic{{Name: m.Topic, Text: script}}
	s.accounts[1].Label, s.teams[0].Label = script, script
	srv, c := serve(t, s)
	ana := as(t, srv, "ana")
	for _, path := range []string{"/accounts", "/teams", "/topics", "/topics?tree=true", "/messages", "/retained", "/live", "/clients", "/accounts/" + "%3Cscript%3E", "/topics/%3Cscript%3E", "/kits?text=%3Cscript%3E", "/%3Cscript%3E"} {
		code, body := ana("GET", path, "")
		if strings.ContainsAny(body, "<>") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	resp, body := ask(t, c, "GET", srv.URL+"/%3Cscript%3E", "")
	if strings.Contains(body, "<") || strings.Contains(resp.Header.Get("Content-Type"), "html") {
		t.Errorf("not found: %s %s", resp.Header.Get("Content-Type"), body)
	}
	// Whoever insists on HTML gets JSON.
	resp, _ = ask(t, c, "GET", srv.URL+"/api/v1/me", "", "Accept", "text/html")
	if kind := resp.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("as HTML: %s", kind)
	}
}

// TestAttackSlow holds real connections open: a header that never ends, and a
// body that never comes. The server ends them by itself.
func TestAttackSlow(t *testing.T) {
	g, err := Open(config(newSchool()))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = g.Run(t.Context()) }()
	for what, start := range map[string]string{
		"header": "GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		"body":   "POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", g.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := fmt.Fprint(c, start); err != nil {
				t.Fatal(err)
			}
			drip := time.NewTicker(200 * time.Millisecond)
			defer drip.Stop()
			go func() {
				for range drip.C {
					if _, err := c.Write([]byte("x")); err != nil {
						return
					}
				}
			}()
			// Longer than every limit: whoever is still connected then stays for ever.
			if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			for r := bufio.NewReader(c); err == nil; {
				_, err = r.ReadByte()
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("it is still connected")
			}
		})
	}
}

// TestAttackEnumeration compares the answers about a name that exists and one
// that does not.
func TestAttackEnumeration(t *testing.T) {
	s := newSchool()
	srv, c := serve(t, s)
	answers := map[string]bool{}
	for _, name := range []string{"ana", "nobody"} {
		before := s.hashed
		code, body := do(t, c, "POST", srv.URL+"/api/v1/sessions", `{"name":"`+name+`","password":"wrong"}`)
		answers[fmt.Sprint(code, strings.ReplaceAll(body, name, "X"))] = true
		if s.hashed != before+1 {
			t.Errorf("%s: %d passwords were checked", name, s.hashed-before)
		}
	}
	if len(answers) != 1 {
		t.Errorf("the answers differ: %v", answers)
	}
	if _, body := do(t, c, "GET", srv.URL+"/api/v1/health", ""); strings.TrimSpace(body) != `{"status":"ok"}` {
		t.Errorf("health says %s", body)
	}
	var me map[string]any
	_, body := do(t, c, "GET", srv.URL+"/api/v1/me", "")
	if err := json.Unmarshal([]byte(body), &me); err != nil || len(me) != 3 {
		t.Errorf("me says %s", body)
	}
}

package gateway

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"homeroom/core"
)

// listener is a reader of /sse.
type listener struct {
	t     *testing.T
	resp  *http.Response
	lines *bufio.Scanner
}

func (h *hall) listen(query string, headers ...string) *listener {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), "GET", h.url+"/sse?"+query, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { resp.Body.Close() })
	l := &listener{h.t, resp, bufio.NewScanner(resp.Body)}
	l.lines.Buffer(nil, 2<<20)
	return l
}

// next returns the next line that is neither empty nor a heartbeat, "" at the end.
func (l *listener) next() string {
	for l.lines.Scan() {
		if x := l.lines.Text(); x != "" && x != ":" {
			return x
		}
	}
	return ""
}

func (l *listener) hears(topic, payload string) {
	l.t.Helper()
	var m live
	x := l.next()
	data, ok := strings.CutPrefix(x, "data: ")
	if err := json.Unmarshal([]byte(data), &m); !ok || err != nil || m.Topic != topic || text(m) != payload {
		l.t.Fatalf("got %q, want %s on %s", x, payload, topic)
	}
}

func TestStream(t *testing.T) {
	h := newHall(t)
	h.publish("blue/lamp", "on", true)
	l := h.listen("topic=blue/%2B", "Authorization", "Bearer token-ana", "Last-Event-ID", "7")
	if l.resp.StatusCode != 200 || l.resp.Header.Get("Content-Type") != "text/event-stream" || l.resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", l.resp.StatusCode, l.resp.Header)
	}
	l.hears("blue/lamp", "on")
	h.publish("blue/lamp", "line\ndata: {}\n\nevent: end", false) // stays in its line
	l.hears("blue/lamp", "line\ndata: {}\n\nevent: end")
	page := h.listen("topic=blue/lamp", "Cookie", h.g.sessions.start(h.accounts[ana]).String())
	page.hears("blue/lamp", "on")
	short := h.listen("topic=lamp", "Authorization", "Bearer token-mona")
	short.hears("blue/lamp", "on")
	if guests := h.g.Guests(); len(guests) != 3 || guests[0].Protocol != "stream" {
		t.Errorf("%+v", guests)
	}
	l.resp.Body.Close()
	eventually(t, "the stream is forgotten", func() bool { begun, ended := h.count("blue/+"); return begun == 1 && ended == 1 })
}

func TestStreamRefusals(t *testing.T) {
	h := newHall(t)
	h.publish("red/lamp", "secret", true)
	for _, x := range []struct {
		query   string
		headers []string
		want    int
		words   string
	}{
		{"topic=blue/lamp", nil, 401, "Sign in"},
		{"topic=blue/lamp", []string{"Authorization", "Bearer nonsense"}, 401, "Sign in again"},
		{"topic=blue/lamp&token=token-ana", nil, 401, "Sign in"},
		{"topic=red/lamp", []string{"Authorization", "Bearer token-ana"}, 403, "may not"},
		{"topic=%23", []string{"Authorization", "Bearer token-ana"}, 403, "may not"},
		{"topic=$share/g/%23", []string{"Authorization", "Bearer token-ana"}, 400, "not a topic filter"},
		{"topic=blue/nothing", []string{"Authorization", "Bearer token-ana"}, 404, "Create it"},
		{"", []string{"Authorization", "Bearer token-ana"}, 400, "topic is missing"},
		{"topic=blue/%23", []string{"Authorization", "Bearer token-ana", "Origin", "http://evil.example"}, 403, "outside"},
		{"topic=blue/%23", []string{"Cookie", h.g.sessions.start(h.accounts[ana]).String(), "Origin", "http://127.0.0.1:1"}, 401, "Sign in"},
	} {
		l := h.listen(x.query, x.headers...)
		body, err := io.ReadAll(l.resp.Body)
		if err != nil || l.resp.StatusCode != x.want || !strings.Contains(string(body), x.words) || strings.Contains(string(body), "secret") {
			t.Errorf("%s %q: %d %s", x.query, x.headers, l.resp.StatusCode, body)
		}
	}
}

// TestStreamEnds: with the grant, the account, the token, a slow reader, a teacher.
func TestStreamEnds(t *testing.T) {
	bearer := []string{"Authorization", "Bearer token-ana-short"}
	for what, end := range map[string]func(h *hall){
		"grant":   func(h *hall) { h.grant(ana, "blue/other") },
		"account": func(h *hall) { h.change(ana, func(a *core.Account) { a.Disabled = true }) },
		"token":   func(*hall) {},
		"teacher": func(h *hall) {
			if err := h.g.EndGuest(h.g.Guests()[0].ID); err != nil {
				t.Error(err)
			}
		},
	} {
		h := newHall(t)
		h.publish("blue/lamp", "on", true)
		h.until["token-ana-short"] = time.Now().Add(time.Hour)
		if what == "token" {
			h.until["token-ana-short"] = time.Now().Add(2 * time.Second)
		}
		l := h.listen("topic=blue/lamp", bearer...)
		l.hears("blue/lamp", "on")
		end(h)
		if x := l.next(); x != "event: end" {
			t.Errorf("%s: got %q", what, x)
		}
		if x := l.next(); !strings.HasPrefix(x, `data: {"detail":"`) || !strings.HasSuffix(x, `."}`) {
			t.Errorf("%s: got %q", what, x)
		}
		if x := l.next(); x != "" {
			t.Errorf("%s: after the end %q", what, x)
		}
	}
}

// TestStreamIsBounded: what waits for a reader who does not read is bounded.
func TestStreamIsBounded(t *testing.T) {
	h := newHall(t)
	h.publish("blue/n", "0", true)
	l := h.listen("topic=blue/n", "Authorization", "Bearer token-ana")
	l.hears("blue/n", "0")
	n := 0
	for ; n < 1000; n++ {
		h.publish("blue/n", strings.Repeat("x", 200<<10), false)
		if _, ended := h.count("blue/n"); ended > 0 {
			break
		}
		for _, x := range h.g.rooms.everybody() {
			s := x.(*stream)
			s.mu.Lock()
			if s.bytes > maxPending+300<<10 {
				t.Errorf("%d bytes wait", s.bytes)
			}
			over := s.why.Format != ""
			s.mu.Unlock()
			if over {
				n += 1000
			}
		}
	}
	if n == 1000 {
		t.Fatal("200 MB were taken for somebody who does not read")
	}
	for x := ""; x != "event: end"; x = l.next() {
		if l.lines.Err() != nil {
			t.Fatal(l.lines.Err())
		}
	}
}

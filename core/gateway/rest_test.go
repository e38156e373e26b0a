package gateway

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// TestWhoMayWhat asks every route as everybody, also those that come later.
func TestWhoMayWhat(t *testing.T) {
	s := newSchool()
	srv, c := serve(t, s)
	_, body := do(t, c, "GET", srv.URL+"/openapi.json", "")
	var doc struct {
		Paths map[string]map[string]struct {
			Security    []map[string][]string
			Description string
		}
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || len(doc.Paths) < 25 {
		t.Fatalf("%d paths, %v", len(doc.Paths), err)
	}
	ana := as(t, srv, "ana")
	open := []string{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			method = strings.ToUpper(method)
			at := strings.NewReplacer("{topic}", "red%2Fx", "{name}", "cleo", "{id}", "2").Replace(path)
			code, _ := do(t, &http.Client{}, method, srv.URL+at, "")
			if op.Security == nil {
				open = append(open, method+" "+path)
			} else if code != 401 {
				t.Errorf("%s %s: nobody gets %d", method, path, code)
			}
			teachers := strings.Contains(op.Description, "Only for teachers.")
			if code, body := ana(method, strings.TrimPrefix(at, root), ""); teachers && (code != 403 || !strings.Contains(body, "Only a teacher")) {
				t.Errorf("%s %s: a student gets %d %s", method, path, code, body)
			}
		}
	}
	slices.Sort(open)
	want := []string{"DELETE /api/v1/sessions", "GET /api/v1/health", "GET /api/v1/me", "POST /api/v1/claim", "POST /api/v1/sessions", "POST /api/v1/sessions/code", "POST /api/v1/sessions/refresh"}
	if !slices.Equal(open, want) {
		t.Errorf("without signing in: %v", open)
	}
}

// TestIDsOfOthers is what a student gets of what is not its own: the same as of
// what does not exist.
func TestIDsOfOthers(t *testing.T) {
	s := newSchool()
	s.clients = []core.Client{{ID: "kit-1", Account: 4, Addr: "10.0.0.1", Connected: true}, {ID: "kit-2", Account: 6, Connected: true}, {ID: "window"}}
	s.states = []core.TopicState{{Last: core.Message{Topic: "red/lab/x", Payload: []byte("1")}, Count: 1}, {Last: core.Message{Topic: "blue/lab/x", Payload: []byte("2")}, Count: 1}}
	s.ring = []core.Message{{Topic: "red/lab/x", Payload: []byte("1")}, {Topic: "blue/lab/x", Payload: []byte("2")}}
	s.kept = []core.Message{{Topic: "blue/lab/x", Payload: []byte("2")}, {Topic: "red/lab/x", Payload: []byte("1")}}
	s.plan = []core.Topic{{Name: "blue/lab/x"}, {Name: "red/lab/x"}}
	srv, _ := serve(t, s)
	ana := as(t, srv, "ana")
	for _, list := range []string{"/accounts", "/teams", "/grants", "/clients", "/kits", "/topics", "/topics?tree=true", "/messages", "/retained", "/live", "/removals"} {
		code, body := ana("GET", list, "")
		if code != 200 || strings.Contains(body, "red") || strings.Contains(body, "cleo") || strings.Contains(body, "kit-2") || strings.Contains(body, "10.0.0.1") || strings.Contains(body, "teacher") || strings.Contains(body, "secret") {
			t.Errorf("%s: %d %s", list, code, body)
		}
		if list != "/live" && list != "/grants" && !strings.Contains(body, "blue") && !strings.Contains(body, "kit-1") {
			t.Errorf("%s lacks its own: %s", list, body)
		}
	}
	same := func(what, method, others, nothing, body string, codes ...int) {
		t.Helper()
		a, first := ana(method, others, body)
		b, second := ana(method, nothing, body)
		hide := strings.NewReplacer("cleo", "X", "nobody", "X", "red/lab/x", "X", "red/lab/none", "X").Replace
		if a != b || hide(first) != hide(second) || !slices.Contains(codes, a) {
			t.Errorf("%s: %d %s, of nothing %d %s", what, a, first, b, second)
		}
	}
	same("an account", "GET", "/accounts/cleo", "/accounts/nobody", "", 404)
	same("a changed account", "PATCH", "/accounts/cleo", "/accounts/nobody", `{"role":"teacher"}`, 403)
	same("a removed account", "DELETE", "/accounts/cleo", "/accounts/nobody", "", 403)
	same("a grant", "DELETE", "/grants/2", "/grants/99", "", 403)
	same("a topic", "GET", "/topics/red%2Flab%2Fx", "/topics/red%2Flab%2Fnone", "", 403)
	same("a changed topic", "PATCH", "/topics/red%2Flab%2Fx", "/topics/red%2Flab%2Fnone", `{"text":"x"}`, 403)
	same("a removed topic", "DELETE", "/topics/red%2Flab%2Fx", "/topics/red%2Flab%2Fnone", "", 403)
	same("readings", "GET", "/topics/red%2Flab%2Fx/readings", "/topics/red%2Flab%2Fnone/readings", "", 403)
	same("an undone removal", "POST", "/removals/2/undo", "/removals/99/undo", "", 404)
	same("a client", "DELETE", "/clients/kit-2", "/clients/nobody", "", 403)
	if code, _ := ana("POST", "/removals/1/undo", ""); code != 204 {
		t.Errorf("undo of its own: %d", code)
	}
	// What a student may, a kit may not.
	kit := as(t, srv, "kit-1")
	if code, body := kit("POST", "/topics", `{"topic":"blue/new"}`); code != 403 {
		t.Errorf("a kit designs: %d %s", code, body)
	}
	// And in the branch of another team nobody but the teacher.
	for _, body := range []string{`{"topic":"red/new"}`, `{"topic":"$SYS/new"}`} {
		if code, answer := ana("POST", "/topics", body); code != 403 {
			t.Errorf("%s: %d %s", body, code, answer)
		}
	}
	for _, body := range []string{`{"from":"blue/lab","to":"red/lab2"}`, `{"from":"red/lab","to":"blue/lab2"}`, `{"from":"red/lab","to":"blue/lab2","preview":true}`} {
		if code, answer := ana("POST", "/topics/move", body); code != 403 {
			t.Errorf("%s: %d %s", body, code, answer)
		}
	}
}

func TestPublish(t *testing.T) {
	s := newSchool()
	srv, _ := serve(t, s)
	ana := as(t, srv, "ana")
	for _, x := range []struct {
		what, path, body string
		want             int
		topic, payload   string
	}{
		{"in the path", "/topics/blue%2Flab%2Flamp/messages", `{"payload":"on","qos":1,"retain":true}`, 200, "blue/lab/lamp", "on"},
		{"in the query", "/messages?topic=blue/lab/lamp", `{"payload":"on"}`, 200, "blue/lab/lamp", "on"},
		{"mounted", "/topics/state_led/messages", `{"payload":"1"}`, 200, "blue/state_led", "1"},
		{"empty levels", "/topics/blue%2F%2Flamp%2F/messages", `{"payload":""}`, 200, "blue//lamp/", ""},
		{"a percent sign", "/topics/blue%2F100%25/messages", `{"payload":"x"}`, 200, "blue/100%", "x"},
		{"encoded twice", "/topics/blue%252Flab/messages", `{"payload":"x"}`, 200, "blue/blue%2Flab", "x"},
		{"dots", "/topics/blue%2F..%2Fred%2Fx/messages", `{"payload":"x"}`, 200, "blue/../red/x", "x"},
		{"Hangul", "/topics/" + url.PathEscape("blue/교실/온도") + "/messages", `{"payload":"<script>"}`, 200, "blue/교실/온도", "<script>"},
		{"base64", "/messages?topic=blue/x", `{"base64":"/wD+"}`, 200, "blue/x", "\xff\x00\xfe"},
		{"not base64", "/messages?topic=blue/x", `{"base64":"!"}`, 400, "", ""},
		{"both", "/messages?topic=blue/x", `{"base64":"","payload":""}`, 400, "", ""},
		{"neither", "/messages?topic=blue/x", `{}`, 400, "", ""},
		{"another team", "/topics/red%2Fx/messages", `{"payload":"on"}`, 403, "", ""},
		{"wildcard", "/topics/blue%2F%23/messages", `{"payload":"on"}`, 400, "", ""},
		{"not encoded", "/topics/blue/lamp/messages", `{"payload":"on"}`, 404, "", ""},
		{"no topic", "/messages", `{"payload":"on"}`, 422, "", ""},
		{"bad QoS", "/messages?topic=blue/x", `{"payload":"on","qos":3}`, 422, "", ""},
		{"negative QoS", "/messages?topic=blue/x", `{"payload":"on","qos":-1}`, 422, "", ""},
		{"wrong type", "/messages?topic=blue/x", `{"payload":1}`, 422, "", ""},
		{"extra field", "/messages?topic=blue/x", `{"payload":"1","from":"teacher"}`, 422, "", ""},
		{"extra parameter", "/messages?topic=blue/x&as=teacher", `{"payload":"1"}`, 422, "", ""},
	} {
		s.sent = nil
		code, body := ana("POST", x.path, x.body)
		if code != x.want {
			t.Errorf("%s: %d %s", x.what, code, body)
		}
		if x.want != 200 {
			if len(s.sent) > 0 {
				t.Errorf("%s was sent", x.what)
			}
			continue
		}
		var out struct{ Topic string }
		if err := json.Unmarshal([]byte(body), &out); err != nil || out.Topic != x.topic {
			t.Errorf("%s: answer %s", x.what, body)
		}
		if len(s.sent) != 1 || string(s.sent[0].Topic) != x.topic || string(s.sent[0].Payload) != x.payload || s.sent[0].From != 2 || s.sent[0].Retain != strings.Contains(x.body, "retain") {
			t.Errorf("%s: sent %+v", x.what, s.sent)
		}
	}
	if !slices.ContainsFunc(s.refused, func(r core.Refusal) bool {
		return r.Account == 2 && r.Action == core.Publish && r.Topic == "red/x"
	}) {
		t.Errorf("refused: %+v", s.refused)
	}
	// The broker's result is the answer.
	s.failing = core.Fail(core.ErrConflict, "The retained messages take too much.")
	if code, body := ana("POST", "/messages?topic=blue/x", `{"payload":"1"}`); code != 409 || !strings.Contains(body, "retained messages take") {
		t.Errorf("the broker refused: %d %s", code, body)
	}
	s.failing = errDisk
	if code, body := ana("POST", "/messages?topic=blue/x", `{"payload":"1"}`); code != 500 || strings.Contains(body, "disk") {
		t.Errorf("the disk is full: %d %s", code, body)
	}
}

func TestReadings(t *testing.T) {
	s := newSchool()
	at := time.UnixMilli(1e12).UTC()
	s.trace = core.Trace{Kind: core.Number, Step: time.Second, Spans: []core.Span{
		{First: at, Last: at, Min: 2, Max: 2, Sum: 2, N: 1, End: 2}, {First: at.Add(time.Second), Last: at.Add(2 * time.Second), Min: 1, Max: 5, Sum: 6, N: 2, End: 5}}}
	srv, _ := serve(t, s)
	ana := as(t, srv, "ana")
	get := func(query string) (int, string, readings) {
		t.Helper()
		code, body := ana("GET", "/topics/blue%2Fx/readings"+query, "")
		var out readings
		if err := json.Unmarshal([]byte(body), &out); err != nil {
			t.Fatal(err)
		}
		return code, body, out
	}
	values := func(items []span, of func(span) *float64) (vs []float64) {
		for _, i := range items {
			vs = append(vs, *of(i))
		}
		return vs
	}
	if code, body, out := get("?from=2001-09-01T00:00:00Z&to=2001-10-01T00:00:00Z&points=2"); code != 200 || out.Kind != "number" || out.Step != 1 ||
		!reflect.DeepEqual(values(out.Items, func(s span) *float64 { return s.Mean }), []float64{2, 3}) || out.Items[1].N != 2 {
		t.Errorf("all: %d %s", code, body)
	}
	for aggregate, want := range map[string][]float64{"min": {2, 1}, "max": {2, 5}, "mean": {2, 3}} {
		if _, body, out := get("?aggregate=" + aggregate); !reflect.DeepEqual(values(out.Items, func(s span) *float64 { return s.Value }), want) {
			t.Errorf("%s: %s", aggregate, body)
		}
	}
	if code, body, _ := get("?aggregate=raw"); code != 400 || !strings.Contains(body, "Ask for less time") {
		t.Errorf("raw of too many: %d %s", code, body)
	}
	for _, bad := range []string{"?aggregate=sum", "?from=yesterday", "?points=0", "?points=1000000", "?limit=3"} {
		if code, body, _ := get(bad); code != 422 {
			t.Errorf("%s: %d %s", bad, code, body)
		}
	}
	if code, body, _ := get("?from=2001-10-01T00:00:00Z&to=2001-09-01T00:00:00Z"); code != 400 {
		t.Errorf("backwards: %d %s", code, body)
	}
	s.trace = core.Trace{Kind: core.Text, Texts: []core.Reading{{At: at, Text: "<b>"}}, Spans: []core.Span{{First: at, Last: at, Sum: math.Inf(1), N: 1, End: math.NaN()}}}
	if code, body, out := get(""); code != 200 || strings.Contains(body, "<") || *out.Items[1].Text != "<b>" || out.Items[0].Mean != nil {
		t.Errorf("texts: %d %s", code, body)
	}
	if code, body := ana("GET", "/readings?topic=blue/x&leaf=temp.out", ""); code != 200 || !strings.Contains(body, `"leaf":"temp.out"`) {
		t.Errorf("of: %d %s", code, body)
	}
	// Exports.
	if code, body := ana("GET", "/export?topic=blue/%23", ""); code != 200 || !strings.HasSuffix(body, "blue/#\n") {
		t.Errorf("export: %d %s", code, body)
	}
	for filter, want := range map[string]int{"%23": 200, "red/%23": 403, "$share/g/blue/%23": 400, "a%23": 400} {
		if code, body := ana("GET", "/export?topic="+filter, ""); code != want {
			t.Errorf("export of %s: %d %s", filter, code, body)
		}
	}
	s.failing = errDisk
	r, err := http.NewRequest("GET", srv.URL+"/api/v1/export?topic=blue/%23", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer access-2-1")
	if resp, err := http.DefaultClient.Do(r); err == nil {
		resp.Body.Close()
		t.Error("half an export was taken for a whole one")
	}
}

func TestTopics(t *testing.T) {
	s := newSchool()
	s.states = []core.TopicState{{Last: core.Message{Topic: "blue/lab/lamp/set", Payload: []byte(strings.Repeat("é", 200))}, Size: 400, Count: 3}, {Last: core.Message{Topic: "blue/lab/new", Payload: []byte{0xff}}, Count: 1}}
	srv, _ := serve(t, s)
	ana := as(t, srv, "ana")
	if code, body := ana("POST", "/topics", `{"topic":"lab/lamp","label":"Lampe","unit":"%","kind":"number","max":100,"writable":true,"qos":1}`); code != 201 || !strings.Contains(body, `"topic":"blue/lab/lamp"`) || !strings.Contains(body, "a hint") {
		t.Fatalf("create: %d %s", code, body)
	}
	if got := s.plan[0]; got.Kind != core.Number || got.Max != 100 || !got.Writable || got.QoS != 1 || got.Description != (core.Description{Label: "Lampe", Unit: "%"}) {
		t.Errorf("created %+v", got)
	}
	if code, body := ana("POST", "/topics", `{"topic":"blue/lab/lamp"}`); code != 409 {
		t.Errorf("twice: %d %s", code, body)
	}
	if code, body := ana("PATCH", "/topics/blue%2Flab%2Flamp", `{"text":"Over the door","unit":"lx"}`); code != 200 || s.plan[0].Text != "Over the door" || s.plan[0].Max != 100 || s.plan[0].Label != "Lampe" || s.plan[0].Unit != "lx" {
		t.Errorf("change: %d %s %+v", code, body, s.plan[0])
	}
	if code, body := ana("PATCH", "/topics?topic=blue/lab/none", `{"text":"x"}`); code != 404 {
		t.Errorf("change of nothing: %d %s", code, body)
	}
	names := func(query string) []string {
		t.Helper()
		code, body := ana("GET", "/topics"+query, "")
		var out struct{ Items []planned }
		if err := json.Unmarshal([]byte(body), &out); err != nil || code != 200 {
			t.Fatalf("%s: %d %s", query, code, body)
		}
		ns := []string{}
		for _, i := range out.Items {
			ns = append(ns, i.Topic)
		}
		return ns
	}
	for query, want := range map[string][]string{
		"":                              {"blue/lab/lamp", "blue/lab/lamp/set", "blue/lab/new"},
		"?state=arriving":               {"blue/lab/new"},
		"?state=silent":                 {"blue/lab/lamp"},
		"?state=designed":               {"blue/lab/lamp", "blue/lab/lamp/set"},
		"?text=DOOR":                    {"blue/lab/lamp"},
		"?topic=blue/lab/%2B":           {"blue/lab/lamp", "blue/lab/new"},
		"?limit=1&cursor=blue/lab/lamp": {"blue/lab/lamp/set"},
		"?cursor=z":                     {},
	} {
		if got := names(query); !slices.Equal(got, want) {
			t.Errorf("%s: %v", query, got)
		}
	}
	_, body := ana("GET", "/topics?tree=true", "")
	var out struct{ Tree []branch }
	if err := json.Unmarshal([]byte(body), &out); err != nil || len(out.Tree) != 1 || out.Tree[0].Level != "blue" || len(out.Tree[0].Children[0].Children) != 2 || out.Tree[0].Children[0].Children[0].Children[0].Topic.Topic != "blue/lab/lamp/set" {
		t.Errorf("tree: %s", body)
	}
	if code, body := ana("GET", "/topics/blue%2Flab%2Flamp%2Fset", ""); code != 200 || !strings.Contains(body, `"value":"`+strings.Repeat("é", 128)+`"`) {
		t.Errorf("one: %d %s", code, body)
	}
	if code, body := ana("GET", "/topics/blue%2Fnone", ""); code != 404 {
		t.Errorf("none: %d %s", code, body)
	}
	s.clients = []core.Client{{ID: "kit-1", Account: 4}, {ID: "kit-2", Account: 6}}
	if code, body := ana("POST", "/topics/move", `{"from":"blue/lab","to":"blue/kitchen","preview":true}`); code != 200 || !strings.Contains(body, `"done":false`) || !strings.Contains(body, `"subscribers":["kit-1"]`) || strings.Contains(body, "grants") || !s.Known("blue/lab/lamp") {
		t.Errorf("preview: %d %s", code, body)
	}
	if code, body := ana("POST", "/topics/move", `{"from":"blue/lab","to":"blue/kitchen"}`); code != 200 || !s.Known("blue/kitchen/lamp") {
		t.Errorf("move: %d %s", code, body)
	}
	if code, body := ana("DELETE", "/topics?topic=blue/kitchen&preview=true", ""); code != 200 || !s.Known("blue/kitchen/lamp") {
		t.Errorf("preview of a removal: %d %s", code, body)
	}
	if code, body := ana("DELETE", "/topics/blue%2Fkitchen", ""); code != 200 || s.Known("blue/kitchen/lamp") || !strings.Contains(body, `"removal":1`) {
		t.Errorf("remove: %d %s", code, body)
	}
	teacher := as(t, srv, "teacher")
	if code, body := teacher("POST", "/topics", `{"topic":"anywhere/x"}`); code != 201 {
		t.Errorf("the teacher designs: %d %s", code, body)
	}
}

func TestGrow(t *testing.T) {
	var ps []planned
	for _, n := range []string{"a", "a-b", "a/c", "a/c/d", "b//x"} {
		ps = append(ps, planned{Topic: n})
	}
	var flat func(prefix string, bs []branch) []string
	flat = func(prefix string, bs []branch) (out []string) {
		for _, b := range bs {
			if b.Topic != nil {
				out = append(out, prefix+b.Level+"="+b.Topic.Topic)
			}
			out = append(out, flat(prefix+b.Level+"/", b.Children)...)
		}
		return out
	}
	if got := fmt.Sprint(flat("", grow(ps))); got != "[a=a a/c=a/c a/c/d=a/c/d a-b=a-b b//x=b//x]" {
		t.Error(got)
	}
}

func TestAccounts(t *testing.T) {
	s := newSchool()
	srv, _ := serve(t, s)
	teacher := as(t, srv, "teacher")
	if code, body := teacher("POST", "/accounts", `{"name":"kit-7","role":"kit","team":"blue"}`); code != 201 || !strings.Contains(body, `"secret":"a random secret"`) || !strings.Contains(body, `"mounted":true`) {
		t.Errorf("add: %d %s", code, body)
	}
	for body, want := range map[string]int{`{"name":"ana","role":"student","password":"a good one"}`: 409, `{"name":"x","role":"boss"}`: 422, `{"name":"x"}`: 422, `[]`: 422, ``: 400, `{"name":"x","role":"kit","id":1}`: 422} {
		if code, answer := teacher("POST", "/accounts", body); code != want {
			t.Errorf("%s: %d %s", body, code, answer)
		}
	}
	if code, body := teacher("PATCH", "/accounts/bo", `{"team":"red","limits":{"messages":5},"version":1}`); code != 200 || s.byName("bo").Team != "red" || s.byName("bo").Limits.Messages != 5 || s.byName("bo").Role != core.Student {
		t.Errorf("change: %d %s", code, body)
	}
	if code, body := teacher("PATCH", "/accounts/bo", `{"team":"blue","version":1}`); code != 409 {
		t.Errorf("change of what changed: %d %s", code, body)
	}
	if code, body := teacher("PUT", "/accounts/kit-1/password", ""); code != 200 || !strings.Contains(body, "another secret") {
		t.Errorf("new secret: %d %s", code, body)
	}
	if code, body := teacher("PUT", "/accounts/ana/password", `{"password":"a better one"}`); code != 200 || strings.Contains(body, "secret") {
		t.Errorf("new password: %d %s", code, body)
	}
	if code, _ := teacher("DELETE", "/accounts/kit-7", ""); code != 204 || s.byName("kit-7") != nil {
		t.Errorf("remove: %d", code)
	}
	if code, _ := teacher("DELETE", "/accounts/kit-7", ""); code != 404 {
		t.Errorf("remove again: %d", code)
	}
	for _, x := range [][3]string{{"POST", "/teams", `{"name":"green"}`}, {"PATCH", "/teams/green", `{"label":"x"}`}, {"DELETE", "/teams/green", ""},
		{"POST", "/grants", `{"account":"ana","action":"publish","pattern":"x/#"}`}, {"DELETE", "/grants/9", ""}, {"DELETE", "/clients/kit-1", ""}, {"GET", "/settings", ""}} {
		if code, body := teacher(x[0], x[1], x[2]); code >= 300 {
			t.Errorf("%v: %d %s", x, code, body)
		}
	}
	if code, body := teacher("POST", "/grants", `{"account":"nobody","action":"publish","pattern":"x/#"}`); code != 404 {
		t.Errorf("a grant for nobody: %d %s", code, body)
	}
}

// TestPaging reads lists in parts, whatever their order.
func TestPaging(t *testing.T) {
	s := newSchool()
	for i := range 7 {
		s.ring = append(s.ring, core.Message{Topic: topic.Name(fmt.Sprint("blue/", i%2)), Payload: []byte{byte('0' + i)}})
		s.kept = append(s.kept, core.Message{Topic: topic.Name(fmt.Sprint("blue/", i))})
	}
	srv, _ := serve(t, s)
	teacher := as(t, srv, "teacher")
	for path, want := range map[string]int{"/accounts?limit=2": 6, "/accounts?limit=2&role=student": 3, "/accounts?limit=1&team=red": 2, "/accounts?text=ANA": 1, "/teams?limit=1": 2, "/grants?limit=1": 2,
		"/refusals?limit=7": 250, "/audit": 1, "/messages?limit=3": 7, "/messages?topic=blue/1&limit=2": 3, "/retained?limit=2": 7, "/retained?topic=blue/3": 1, "/kits?limit=1": 2, "/xray/packets?limit=2": 3} {
		seen, cursor, sep := map[string]bool{}, "", "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		for n := 0; ; n++ {
			code, body := teacher("GET", path+sep+"cursor="+url.QueryEscape(cursor), "")
			if cursor == "" {
				code, body = teacher("GET", path, "")
			}
			var out struct {
				Items []json.RawMessage
				Next  string
			}
			if err := json.Unmarshal([]byte(body), &out); err != nil || code != 200 || n > 300 {
				t.Fatalf("%s: %d %s", path, code, body)
			}
			for _, i := range out.Items {
				seen[string(i)] = true
			}
			if cursor = out.Next; cursor == "" || len(out.Items) == 0 {
				break
			}
		}
		if len(seen) != want {
			t.Errorf("%s: %d items, want %d", path, len(seen), want)
		}
	}
	for _, bad := range []string{"/accounts?limit=0", "/accounts?limit=1001", "/accounts?limit=x", "/accounts?nothing=1"} {
		if code, body := teacher("GET", bad, ""); code != 422 {
			t.Errorf("%s: %d %s", bad, code, body)
		}
	}
	if code, body := teacher("GET", "/messages?cursor=x", ""); code != 400 {
		t.Errorf("a cursor of somebody else: %d %s", code, body)
	}
}

func TestKits(t *testing.T) {
	s := newSchool()
	at := time.UnixMilli(1e12).UTC()
	s.clients = []core.Client{{ID: "kit-1", Account: 4, Since: at}, {ID: "kit-2", Account: 6, Connected: true, Since: at, Dropped: 3}}
	s.states = []core.TopicState{{Last: core.Message{Topic: "blue/lab/kit-1/x", From: 4, At: at.Add(time.Minute)}}}
	s.kept = []core.Message{{Topic: "blue/lab/kit-1/$state", Payload: []byte("lost")}, {Topic: "red/lab/kit-1/$state", Payload: []byte("ready")}}
	srv, _ := serve(t, s)
	_, body := as(t, srv, "teacher")("GET", "/kits", "")
	var out struct {
		Items []struct {
			Name, State string
			Connected   bool
			Seen        time.Time
			Dropped     int
		}
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil || len(out.Items) != 2 {
		t.Fatalf("%s", body)
	}
	if k := out.Items[0]; k.Connected || k.State != "lost" || !k.Seen.Equal(at.Add(time.Minute)) {
		t.Errorf("kit-1: %+v", k)
	}
	if k := out.Items[1]; !k.Connected || k.State != "" || k.Seen.Before(at) || k.Dropped != 3 {
		t.Errorf("kit-2: %+v", k)
	}
}

func TestXRay(t *testing.T) {
	s := newSchool()
	srv, _ := serve(t, s)
	teacher := as(t, srv, "teacher")
	for body, want := range map[string]core.Watch{`{"on":true,"client":"kit-1"}`: {Client: "kit-1"}, `{"on":true}`: {Filter: "#"}, `{"on":true,"topic":"blue/#"}`: {Filter: "blue/#"}, `{"on":false,"topic":"x"}`: {}} {
		if code, answer := teacher("PUT", "/xray", body); code != 200 || s.watch != want {
			t.Errorf("%s: %d %s %+v", body, code, answer, s.watch)
		}
	}
	if code, body := teacher("PUT", "/xray", `{"on":true,"topic":"a#"}`); code != 400 {
		t.Errorf("no filter: %d %s", code, body)
	}
	if _, body := teacher("GET", "/xray/packets", ""); !strings.Contains(body, `"base64":"/w=="`) || !strings.Contains(body, `"next":"3"`) {
		t.Errorf("packets: %s", body)
	}
}

// TestValidationSpeaks wants what huma finds wrong in the reader's language,
// and no value told back, for one may be a password.
func TestValidationSpeaks(t *testing.T) {
	srv, c := serve(t, newSchool())
	for _, x := range [][2]string{
		{`{"name":"ana","password":"hunter2","admin":true}`, "fr: admin is not known here"},
		{`{"name":"ana"}`, "fr: password is missing. Add it."},
		{`{"name":"ana","password":["hunter2"]}`, "fr: password has to be string."},
		{`{"name":"ana","password":"` + strings.Repeat("hunter2", 1000) + `"}`, "fr: password is too long. It may have 1024 at most."},
		{`{"name":"ana","password":"hunter2"`, "fr: The request could not be read as JSON"},
		{``, "fr: The request could not be read as JSON"},
	} {
		code, body := do(t, c, "POST", srv.URL+"/api/v1/sessions", x[0], "Accept-Language", "fr")
		if code < 400 || !strings.Contains(body, x[1]) || strings.Contains(body, "hunter2") {
			t.Errorf("%.60s: %d %s", x[0], code, body)
		}
	}
	teacher := as(t, srv, "teacher")
	for path, want := range map[string]string{"/accounts?limit=x": "limit has to be integer", "/accounts?limit=5000": "limit is too large. It has to be 1000 or less", "/accounts?limit=-1": "limit is too small", "/accounts?role=boss": "role has to be one of these: teacher, student, kit",
		"/readings?topic=a&from=x": "from is not a time", "/readings": "topic is missing", "/topics?tree=perhaps": "tree has to be true / false", "/accounts?x%0d%0ay=1": "x y is not known here"} {
		if _, body := teacher("GET", path, ""); !strings.Contains(body, want) {
			t.Errorf("%s: %s", path, body)
		}
	}
}

func TestDocs(t *testing.T) {
	srv, c := serve(t, newSchool())
	_, body := do(t, c, "GET", srv.URL+"/openapi.json", "")
	var doc struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]map[string]struct{ Summary, OperationID string }
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || doc.OpenAPI != "3.1.0" || doc.Info.Version != "1.2.3" || !strings.Contains(body, `"examples"`) {
		t.Fatalf("%v %.500s", err, body)
	}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if op.Summary == "" || op.OperationID == "" {
				t.Errorf("%s %s says nothing", method, path)
			}
		}
	}
	said := map[string]bool{}
	for _, w := range docsWords {
		said[w.Format] = true
	}
	_, script := do(t, c, "GET", srv.URL+"/docs.js", "")
	for _, m := range regexp.MustCompile(`L\("([^"]+)"\)`).FindAllStringSubmatch(script, -1) {
		if !said[m[1]] {
			t.Errorf("docs.js says %q, which docsWords lacks", m[1])
		}
	}
	for path, kind := range map[string]string{"/docs": "text/html", "/docs.js": "text/javascript", "/docs.css": "text/css"} {
		resp, body := ask(t, c, "GET", srv.URL+path, "")
		if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), kind) || strings.Contains(body, "://") && strings.Contains(body, "cdn") || len(body) < 100 {
			t.Errorf("%s: %d %s %d bytes", path, resp.StatusCode, resp.Header.Get("Content-Type"), len(body))
		}
	}
}

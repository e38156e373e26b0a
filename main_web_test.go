package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"homeroom/assets/page"
	"homeroom/core"
	"homeroom/core/accounts"
	"homeroom/core/gateway"
	"homeroom/storage"
)

// web asks a running program over REST, as one account.
type web struct {
	s             *served
	access, renew string
}

// rest sends body, where it is not nil, as JSON and reads the answer into out,
// where that is not nil.
func (w *web) rest(method, path string, body, out any) (code int, answer string, header http.Header) {
	w.s.t.Helper()
	var send io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			w.s.t.Fatal(err)
		}
		send = bytes.NewReader(data)
	}
	r, err := http.NewRequest(method, "http://127.0.0.1:"+w.s.http+"/api/v1"+path, send)
	if err != nil {
		w.s.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if w.access != "" {
		r.Header.Set("Authorization", "Bearer "+w.access)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		w.s.t.Fatal(err)
	}
	if out != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(data, out); err != nil {
			w.s.t.Fatalf("%s %s: %v: %s", method, path, err, data)
		}
	}
	return resp.StatusCode, string(data), resp.Header
}

// want is rest that has to be answered with code.
func (w *web) want(code int, method, path string, body, out any) string {
	w.s.t.Helper()
	got, answer, _ := w.rest(method, path, body, out)
	if got != code {
		w.s.t.Fatalf("%s %s: %d %s, want %d", method, path, got, answer, code)
	}
	return answer
}

type object = map[string]any

// signIn signs somebody in and returns who that is.
func (s *served) signIn(name, password string) *web {
	s.t.Helper()
	w := &web{s: s}
	var in struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Expires int    `json:"expires_in"`
	}
	w.want(200, "POST", "/sessions", object{"name": name, "password": password}, &in)
	if in.Access == "" || in.Refresh == "" || in.Expires != 600 {
		s.t.Fatalf("signed in: %+v", in)
	}
	w.access, w.renew = in.Access, in.Refresh
	return w
}

// claimed starts the program with a teacher and nobody else.
func claimed(t *testing.T) (*served, *web) {
	t.Helper()
	s := serve(t, t.TempDir())
	(&web{s: s}).want(200, "POST", "/claim", object{"code": s.claim, "name": "teacher", "password": "a good password"}, nil)
	return s, s.signIn("teacher", "a good password")
}

// TestWebLesson is a whole lesson over REST, with a kit that speaks MQTT and a
// device that does not.
func TestWebLesson(t *testing.T) {
	s, teacher := claimed(t)
	nobody := &web{s: s}
	nobody.want(401, "GET", "/accounts", nil, nil)

	// Two teams, a student in each, a kit.
	for _, team := range []string{"blue", "red"} {
		teacher.want(201, "POST", "/teams", object{"name": team, "label": "팀 " + team}, nil)
	}
	for name, team := range map[string]string{"ana": "blue", "cleo": "red"} {
		teacher.want(201, "POST", "/accounts", object{"name": name, "role": "student", "team": team, "password": "a good password"}, nil)
	}
	var kit struct{ Secret string }
	teacher.want(201, "POST", "/accounts", object{"name": "kit-1", "role": "kit", "team": "blue"}, &kit)
	ana, cleo, device := s.signIn("ana", "a good password"), s.signIn("cleo", "a good password"), s.signIn("kit-1", kit.Secret)

	// A topic is designed, by its short name, and is silent until the kit speaks.
	type item struct {
		Topic, Value, Unit string
		Designed           bool
		Count              int
	}
	var made item
	ana.want(201, "POST", "/topics", object{"topic": "lab/kit-1/light", "kind": "number", "unit": "%", "max": 100, "writable": true}, &made)
	if made.Topic != "blue/lab/kit-1/light" {
		t.Errorf("designed %+v", made)
	}
	var topics struct{ Items []item }
	ana.want(200, "GET", "/topics?state=silent", nil, &topics)
	if len(topics.Items) != 1 || topics.Items[0].Unit != "%" {
		t.Errorf("silent: %+v", topics)
	}
	for i := range 20 {
		if out, code := s.mosquitto("mosquitto_pub", "kit-1", kit.Secret, "-i", "kit-1", "-q", "1", "-t", "lab/kit-1/light", "-m", strconv.Itoa(40+i), "-r"); code != 0 {
			t.Fatal(out)
		}
	}
	// The device without MQTT, over REST, into JSON that is charted leaf by leaf.
	device.want(200, "POST", "/topics/"+url.PathEscape("lab/kit-1/air")+"/messages", object{"payload": `{"temp":{"out":-3.5}}`, "qos": 1}, nil)
	ana.want(200, "GET", "/topics/blue%2Flab%2Fkit-1%2Flight", nil, &made)
	if made.Count != 20 || made.Value != "59" || !made.Designed {
		t.Errorf("light: %+v", made)
	}
	var tree struct{ Tree []struct{ Level string } }
	teacher.want(200, "GET", "/topics?tree=true", nil, &tree)
	if len(tree.Tree) != 1 || tree.Tree[0].Level != "blue" {
		t.Errorf("tree: %+v", tree)
	}

	// What was read: all, raw, summed up, and a leaf.
	type readings struct {
		Kind  string
		Items []struct {
			Value, Min, Max, Mean float64
			N                     int
		}
	}
	var raw, mean, all, leaf readings
	const light = "/topics/blue%2Flab%2Fkit-1%2Flight/readings"
	ana.want(200, "GET", light+"?aggregate=raw", nil, &raw)
	ana.want(200, "GET", light+"?aggregate=max&points=1", nil, &mean)
	ana.want(200, "GET", "/readings?topic=lab/kit-1/light&points=1", nil, &all)
	ana.want(200, "GET", "/readings?topic=blue/lab/kit-1/air&leaf=temp.out", nil, &leaf)
	if len(raw.Items) != 20 || raw.Items[0].Value != 40 || mean.Items[len(mean.Items)-1].Value != 59 || all.Items[0].Min != 40 || len(leaf.Items) != 1 || leaf.Items[0].Mean != -3.5 {
		t.Errorf("raw %+v, max %+v, all %+v, leaf %+v", raw, mean, all, leaf)
	}
	var live struct{ Rows []struct{ Series string } }
	ana.want(200, "GET", "/live", nil, &live)
	var kits struct {
		Items []struct {
			Name string
			Seen time.Time
		}
	}
	ana.want(200, "GET", "/kits", nil, &kits)
	if len(live.Rows) != 2 || len(kits.Items) != 1 || time.Since(kits.Items[0].Seen) > time.Hour {
		t.Errorf("live %+v, kits %+v", live, kits)
	}

	// A command from the web arrives at a client of MQTT. The broker's result is the answer.
	hears := s.start("mosquitto_sub", "kit-1", kit.Secret, "-i", "kit-1", "-q", "1", "-t", "lab/kit-1/light/set", "-C", "1", "-W", "20")
	eventually(t, "the kit listens", func() bool {
		var clients struct{ Items []struct{ Filters []string } }
		ana.want(200, "GET", "/clients", nil, &clients)
		return slices.ContainsFunc(clients.Items, func(c struct{ Filters []string }) bool { return len(c.Filters) == 1 })
	})
	ana.want(200, "POST", "/messages?topic=lab/kit-1/light/set", object{"payload": "70", "qos": 1}, nil)
	if out, code := hears(); code != 0 || strings.TrimSpace(out) != "70" {
		t.Errorf("the kit heard %q", out)
	}

	// Another team gets nothing of it, and its refusal is told to it and the teacher.
	for path, method := range map[string]string{light: "GET", "/messages?topic=blue/lab/kit-1/light/set": "POST", "/export?topic=blue/%23": "GET"} {
		var body any
		if method == "POST" {
			body = object{"payload": "0"}
		}
		cleo.want(403, method, path, body, nil)
	}
	for _, list := range []string{"/topics", "/live", "/kits", "/clients", "/messages", "/retained", "/accounts"} {
		if answer := cleo.want(200, "GET", list, nil, nil); strings.Contains(answer, "blue") || strings.Contains(answer, "kit-1") || strings.Contains(answer, "ana") {
			t.Errorf("%s tells another team %s", list, answer)
		}
	}
	for _, reader := range []*web{cleo, teacher} {
		if answer := reader.want(200, "GET", "/refusals", nil, nil); !strings.Contains(answer, "cleo may not publish to blue/lab/kit-1/light/set") {
			t.Errorf("refusals: %s", answer)
		}
	}
	if answer := ana.want(200, "GET", "/refusals", nil, nil); strings.Contains(answer, "cleo") {
		t.Errorf("ana reads cleo's refusals: %s", answer)
	}

	// A grant opens it, and its revocation closes it.
	var grant struct{ ID int64 }
	teacher.want(201, "POST", "/grants", object{"account": "cleo", "action": "subscribe", "pattern": "blue/#"}, &grant)
	cleo.want(200, "GET", light, nil, nil)
	teacher.want(204, "DELETE", fmt.Sprint("/grants/", grant.ID), nil, nil)
	cleo.want(403, "GET", light, nil, nil)

	// Move, remove, undo: first as a preview.
	var effect struct {
		Done     bool
		Topics   []string
		Readings int
		Retained int
		Removal  int64
	}
	ana.want(200, "POST", "/topics/move", object{"from": "blue/lab", "to": "blue/kitchen", "preview": true}, &effect)
	if effect.Done || len(effect.Topics) != 1 || effect.Readings < 20 || effect.Retained != 1 {
		t.Errorf("preview: %+v", effect)
	}
	ana.want(200, "GET", "/topics/blue%2Flab%2Fkit-1%2Flight", nil, nil)
	ana.want(200, "POST", "/topics/move", object{"from": "blue/lab", "to": "blue/kitchen"}, nil)
	const moved = "/topics/blue%2Fkitchen%2Fkit-1%2Flight"
	ana.want(200, "GET", moved+"/readings?aggregate=raw", nil, &raw)
	if len(raw.Items) != 20 {
		t.Errorf("%d readings came along", len(raw.Items))
	}
	cleo.want(403, "DELETE", moved, nil, nil)
	ana.want(200, "DELETE", moved+"?preview=true", nil, &effect)
	ana.want(200, "DELETE", moved, nil, &effect)
	var retained struct {
		Items []struct{ Topic, Payload, From string }
	}
	ana.want(200, "GET", "/retained", nil, &retained)
	if len(retained.Items) != 0 || effect.Removal == 0 {
		t.Errorf("removed: %+v, %+v", effect, retained)
	}
	cleo.want(404, "POST", fmt.Sprint("/removals/", effect.Removal, "/undo"), nil, nil)
	ana.want(204, "POST", fmt.Sprint("/removals/", effect.Removal, "/undo"), nil, nil)
	ana.want(200, "GET", "/retained", nil, &retained)
	if len(retained.Items) != 1 || retained.Items[0].Topic != "blue/kitchen/kit-1/light" || retained.Items[0].Payload != "59" {
		t.Errorf("undone: %+v", retained)
	}

	// X-ray, settings, snippets and the audit.
	teacher.want(200, "PUT", "/xray", object{"on": true, "client": "kit-1"}, nil)
	s.mosquitto("mosquitto_pub", "kit-1", kit.Secret, "-i", "kit-1", "-q", "1", "-t", "lab/x", "-m", "1")
	eventually(t, "packets are seen", func() bool {
		return strings.Contains(teacher.want(200, "GET", "/xray/packets", nil, nil), `"type":"PUBACK"`)
	})
	ana.want(403, "GET", "/xray/packets", nil, nil)
	teacher.want(200, "GET", "/settings", nil, nil)
	ana.want(200, "GET", "/snippets?topic=blue/kitchen/kit-1/light&language=python", nil, nil)
	if answer := teacher.want(200, "GET", "/audit", nil, nil); !strings.Contains(answer, "cleo") || !strings.Contains(answer, `"name":"teacher"`) {
		t.Errorf("audit: %s", answer)
	}

	// A one-time code signs a phone in, once.
	var code struct{ Code string }
	teacher.want(201, "POST", "/codes", object{"team": "blue"}, &code)
	nobody.want(200, "POST", "/sessions/code", object{"code": code.Code}, nil)
	nobody.want(401, "POST", "/sessions/code", object{"code": code.Code}, nil)

	// Tokens: refreshed once, ended by reuse, by signing out and by a change of the account.
	var next struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	nobody.want(200, "POST", "/sessions/refresh", object{"refresh_token": ana.renew}, &next)
	(&web{s: s, access: next.Access}).want(200, "GET", "/live", nil, nil)
	nobody.want(401, "POST", "/sessions/refresh", object{"refresh_token": ana.renew}, nil)
	(&web{s: s, access: next.Access}).want(401, "GET", "/live", nil, nil)
	nobody.want(401, "POST", "/sessions/refresh", object{"refresh_token": next.Refresh}, nil)
	device.want(200, "DELETE", "/sessions", object{"refresh_token": device.renew}, nil)
	device.want(401, "GET", "/live", nil, nil)
	teacher.want(200, "PATCH", "/accounts/cleo", object{"disabled": true}, nil)
	cleo.want(401, "GET", "/live", nil, nil)

	// Everything stands after a restart, the teacher's token too.
	if code := s.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d: %s", code, s.errors)
	}
	s = serve(t, s.data)
	teacher.s = s
	teacher.want(200, "GET", moved, nil, nil)
}

// TestAttackSQL puts SQL into every parameter and field there is, as a teacher,
// who gets through to the storage. Nothing breaks, and nothing is gone.
func TestAttackSQL(t *testing.T) {
	s, teacher := claimed(t)
	teacher.want(201, "POST", "/teams", object{"name": "blue"}, nil)
	teacher.want(201, "POST", "/accounts", object{"name": "kit-1", "role": "kit", "team": "blue"}, nil)
	teacher.want(201, "POST", "/topics", object{"topic": "blue/x"}, nil)
	teacher.want(200, "POST", "/messages?topic=blue/x", object{"payload": "1"}, nil)
	state := func() string {
		return teacher.want(200, "GET", "/accounts", nil, nil) + teacher.want(200, "GET", "/teams", nil, nil) + teacher.want(200, "GET", "/grants", nil, nil) +
			teacher.want(200, "GET", "/readings?topic=blue/x&aggregate=raw", nil, nil)
	}
	before := state()
	resp, err := http.Get("http://127.0.0.1:" + s.http + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	type schema struct {
		Ref        string `json:"$ref"`
		Type       any
		Properties map[string]struct {
			Type any
			Enum []any
		}
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters  []struct{ Name, In string }
			RequestBody struct {
				Content map[string]struct{ Schema schema }
			}
		}
		Components struct{ Schemas map[string]schema }
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, sql := range []string{`'; DROP TABLE accounts; --`, `" OR "1"="1`, `1); DELETE FROM series; --`, `%`, `_`, `x' UNION SELECT secret FROM accounts --`, "x\x00y", `\'`, `${1}`, `9223372036854775808'`} {
		for path, methods := range doc.Paths {
			for method, op := range methods {
				at, query := strings.TrimPrefix(path, "/api/v1"), url.Values{}
				for _, p := range op.Parameters {
					switch p.In {
					case "path":
						at = strings.ReplaceAll(at, "{"+p.Name+"}", url.PathEscape(sql))
					case "query":
						query.Set(p.Name, sql)
					}
				}
				// All parameters at once meet the first check only; so each alone too.
				queries := []url.Values{query}
				for name := range query {
					queries = append(queries, url.Values{name: {sql}, "topic": {sql}})
					if !query.Has("topic") {
						queries[len(queries)-1].Del("topic")
					}
				}
				var bodies []any
				if json, ok := op.RequestBody.Content["application/json"]; ok {
					body := object{}
					for name, p := range doc.Components.Schemas[strings.TrimPrefix(json.Schema.Ref, "#/components/schemas/")].Properties {
						switch {
						case len(p.Enum) > 0:
							body[name] = p.Enum[0]
						case p.Type == "string" || fmt.Sprint(p.Type) == "[string null]":
							body[name] = sql
						}
					}
					bodies = append(bodies, body, sql)
				} else {
					bodies = append(bodies, nil)
				}
				for _, q := range queries {
					for _, body := range bodies {
						tried++
						if code, answer, _ := teacher.rest(strings.ToUpper(method), at+"?"+q.Encode(), body, nil); code >= 500 || strings.Contains(strings.ToLower(answer), "sqlite") || strings.Contains(answer, "syntax error") {
							t.Errorf("%s %s with %q: %d %s", method, path, sql, code, answer)
						}
					}
				}
			}
		}
	}
	if tried < 500 {
		t.Errorf("only %d requests", tried)
	}
	if after := state(); after != before {
		t.Errorf("before %s\nafter %s", before, after)
	}
	if code := s.end(syscall.SIGTERM); code != 0 || strings.Contains(s.errors.String(), "SQL") {
		t.Errorf("exit %d: %s", code, s.errors)
	}
}

// TestAttackBruteForce tries many passwords of one account.
func TestAttackBruteForce(t *testing.T) {
	s, _ := claimed(t)
	slowedDown(t, &web{s: s}, func(int) string { return "teacher" })
	// The right one is not told apart either.
	if code, answer, _ := (&web{s: s}).rest("POST", "/sessions", object{"name": "teacher", "password": "a good password"}, nil); code != 429 {
		t.Errorf("the right one in between: %d %s", code, answer)
	}
}

// TestAttackSpray tries one password of many accounts. Sixty real hashes take
// too long, so it is the web door with accounts whose hashes are quick.
func TestAttackSpray(t *testing.T) {
	db, err := storage.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	log := slog.New(slog.DiscardHandler)
	people, err := accounts.Open(t.Context(), accounts.Config{Store: db, Feed: &core.Feed{}, Log: log, Strength: accounts.ForTests})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.Open(gateway.Config{Addr: "127.0.0.1:0", Authority: people, Tokens: people, Refuse: people.Refuse, Feed: &core.Feed{}, Log: log, Page: page.Files,
		Say: func(_ string, s core.Sentence) string { return s.String() }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	defer func() { cancel(); <-done }()
	_, port, _ := net.SplitHostPort(g.Addr())
	slowedDown(t, &web{s: &served{t: t, http: port}}, func(i int) string { return fmt.Sprint("student-", i) })
}

// slowedDown guesses until it is told to wait.
func slowedDown(t *testing.T, w *web, name func(i int) string) {
	t.Helper()
	for i := range 200 {
		code, answer, header := w.rest("POST", "/sessions", object{"name": name(i), "password": "guess"}, nil)
		if code == 401 {
			continue
		}
		if wait, err := strconv.Atoi(header.Get("Retry-After")); code != 429 || err != nil || wait < 1 || !strings.Contains(answer, "Too many wrong passwords") {
			t.Errorf("%d %v %s", code, header, answer)
		}
		return
	}
	t.Error("nobody slowed it down")
}

// TestAttackFormula exports what a spreadsheet would run.
func TestAttackFormula(t *testing.T) {
	_, teacher := claimed(t)
	formulas := []string{`=cmd|'/c calc'!A1`, `+1+1`, `-1+1`, `@SUM(A1)`, "\t=1", "\r=1", `=HYPERLINK("http://evil.example")`}
	for i, f := range formulas {
		teacher.want(200, "POST", fmt.Sprint("/messages?topic=x/", i), object{"payload": f}, nil)
		teacher.want(200, "POST", "/messages?topic="+url.QueryEscape(strings.NewReplacer("+", "=", "#", "").Replace(f)), object{"payload": "-5"}, nil)
	}
	var rows [][]string
	eventually(t, "everything is in the export", func() bool {
		out := teacher.want(200, "GET", "/export?topic=%23", nil, nil)
		var err error
		if rows, err = csv.NewReader(strings.NewReader(out)).ReadAll(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return len(rows) >= 1+2*len(formulas)-1 // "\r" in a name is refused or kept: both are fine
	})
	for _, row := range rows {
		for _, cell := range row {
			if _, err := strconv.ParseFloat(cell, 64); err != nil && cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("a spreadsheet runs %q", cell)
			}
		}
	}
}

// TestAttackLogLines writes lines into whatever is logged or listed.
func TestAttackLogLines(t *testing.T) {
	s, teacher := claimed(t)
	const line = "x\r\ntime=2026-01-01 level=ERROR msg=FORGED\u2028\x1b[31m"
	w := &web{s: s}
	w.want(401, "POST", "/sessions", object{"name": line, "password": "x"}, nil)
	for _, path := range []string{"/accounts/", "/topics/", "/nothing/"} {
		teacher.rest("GET", path+url.PathEscape(line), nil, nil)
	}
	teacher.rest("POST", "/messages?topic="+url.QueryEscape("$"+line), object{"payload": line}, nil)
	var refusals struct {
		Items []struct{ Say, Name, Client, Topic string }
	}
	teacher.want(200, "GET", "/refusals", nil, &refusals)
	found := false
	for _, r := range refusals.Items {
		found = found || strings.Contains(r.Name, "FORGED")
		if all := r.Say + r.Name + r.Client + r.Topic; strings.ContainsAny(all, "\r\n\x1b") {
			t.Errorf("a refusal of two lines: %q", all)
		}
	}
	if !found {
		t.Errorf("the try is not there: %+v", refusals)
	}
	s.end(syscall.SIGTERM)
	for l := range strings.Lines(s.errors.String()) {
		if strings.HasPrefix(l, "time=2026-01-01") || strings.Contains(l, "\x1b") {
			t.Errorf("a forged line: %q", l)
		}
	}
}

package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/alarms"
	"homeroom/core/plan"
	"homeroom/core/record"
	"homeroom/core/rules"
	"homeroom/core/topic"
	"homeroom/core/why"
	"homeroom/storage"
)

// lab is a school with a real plan and what is made from it; its boards only
// note what is done to them.
type lab struct {
	*school
	plan   *plan.Service
	rules  *rules.Service
	alarms *alarms.Service
	why    *why.Service
	srv    *httptest.Server
	done   []string // to boards
	record func(core.Message)
}

// newLab opens one in which the four boards of blue and red decide by rules.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{school: newSchool()}
	log, feed := slog.New(slog.DiscardHandler), &core.Feed{}
	db, err := storage.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if l.plan, err = plan.Open(t.Context(), plan.Config{Store: db, Feed: feed, Log: log, CheckRule: rules.Check}); err != nil {
		t.Fatal(err)
	}
	if l.why, err = why.Open(t.Context(), why.Config{Store: db, Design: l.plan.Design, Account: l.Account, Feed: feed, Log: log}); err != nil {
		t.Fatal(err)
	}
	newest := func(topic.Name) (core.Message, bool) { return core.Message{}, false }
	past := func(context.Context, []topic.Name, time.Time, time.Time) ([]core.Message, error) { return l.ring, nil }
	l.rules = rules.Open(rules.Config{Publish: l.Publish, Topic: l.plan.Topic, Value: newest, Past: past, Title: func(core.AccountID) string { return "" }, Fired: l.why.Fired, Feed: feed, Log: log})
	if l.alarms, err = alarms.Open(t.Context(), alarms.Config{Store: db, Topic: l.plan.Topic, Newest: newest, Publish: l.Publish, Feed: feed, Log: log}); err != nil {
		t.Fatal(err)
	}
	recorder, err := record.Open(t.Context(), record.Config{Store: db, Subscribe: func(_ topic.Filter, sink func(core.Message)) func() { l.record = sink; return func() {} }, Retained: l.Retained, Publish: l.Publish,
		Feel: func(topic.Name, string) bool { return false }, Feed: feed, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 4)
	for _, run := range []func(context.Context) error{l.rules.Run, l.alarms.Run, recorder.Run, l.why.Run} {
		go func() { ended <- run(ctx) }()
	}
	t.Cleanup(func() {
		cancel()
		for range cap(ended) {
			<-ended
		}
	})
	cfg := config(l.school)
	cfg.Drawing, cfg.Rules, cfg.Alarms, cfg.Boards, cfg.Recorder, cfg.Why = labPlan{l.plan}, labRules{l.rules}, l.alarms, l, recorder, l.why.Why
	g := &Gateway{sessions: newSessions(), lives: make(chan struct{}, 1), cfg: cfg}
	l.srv = httptest.NewServer(g.handler())
	t.Cleanup(l.srv.Close)
	if code, body := as(t, l.srv, "teacher")("POST", "/plan/templates/four-boards", `{"branches":["blue","red"]}`); code != 200 {
		t.Fatalf("template: %d %s", code, body)
	}
	l.follow()
	return l
}

// follow hands the design on, as main does.
func (l *lab) follow() {
	l.rules.Set(l.plan.Design().Rules)
	l.alarms.Set(l.plan.Design().Alarms)
}

// Boards are one of each team.
func (l *lab) Boards() (all []core.Board) {
	for _, team := range []topic.Name{"blue", "red"} {
		all = append(all, core.Board{Kit: core.Place{Name: team + "/home/kit", Label: "<i>Kit</i>"}, State: "ready", Log: []string{"hello from " + string(team)},
			Parts: []core.Part{{Port: core.Port{Slot: "button", Topic: team + "/home/button", Action: core.Publish}, Kind: core.Boolean, Value: "turn on"}}})
	}
	return all
}

func (l *lab) note(format string, args ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = append(l.done, fmt.Sprintf(format, args...))
	return nil
}

func (l *lab) Press(kit topic.Name, slot topic.ID, down bool) error {
	return l.note("press %s %s %t", kit, slot, down)
}

func (l *lab) Turn(kit topic.Name, slot topic.ID, value string) error {
	return l.note("turn %s %s %s", kit, slot, value)
}

func (l *lab) Break(kit topic.Name, f core.Fault, on bool) error {
	return l.note("break %s %s %t", kit, f, on)
}

// labPlan and labRules are what main makes of the parts.
type (
	labPlan  struct{ *plan.Service }
	labRules struct{ *rules.Service }
)

func (labPlan) Problems(d *core.Design, arriving []core.TopicState) []core.Fix {
	return plan.Problems(d, arriving)
}
func (labPlan) Arriving() []core.TopicState { return nil }
func (labPlan) Select(d *core.Design, filter string, arriving []core.TopicState) (core.Selection, error) {
	return plan.Select(d, filter, arriving)
}
func (labPlan) Templates() []core.Template { return plan.Templates() }
func (p labPlan) FromTemplate(key string, branches []topic.Name, onBoard bool, _ string) (core.Batch, error) {
	return plan.FromTemplate(key, branches, p.Design(), plan.Options{OnBoard: onBoard})
}
func (p labPlan) Import(ctx context.Context, file []byte) (created, changed int, faults []core.FileFault, err error) {
	created, changed, err = p.Service.Import(ctx, file)
	var told plan.Faults
	if errors.As(err, &told) {
		for _, f := range told {
			faults = append(faults, core.FileFault{Line: f.Line, Path: f.Path, Say: f.Sentence})
		}
		err = nil
	}
	return created, changed, faults, err
}
func (labPlan) Document(w io.Writer, d *core.Design, o DocumentOptions) error {
	switch o.Format {
	case "json":
		return plan.WriteJSON(w, d)
	case "csv":
		return plan.WriteCSV(w, d)
	case "markdown":
		return plan.Markdown(w, d, o.Filter, plan.DocOptions{Account: o.Account})
	}
	return plan.AsyncAPI(w, d, o.Filter, plan.DocOptions{})
}

func (labRules) Parse(text string, design func(topic.Name) (core.Topic, bool)) (core.Rule, error) {
	return rules.Parse(text, design)
}
func (labRules) Text(r core.Rule) string { return rules.Text(r) }
func (labRules) Sentence(r core.Rule, design func(topic.Name) (core.Topic, bool), title func(topic.Name) string) (when, holds, then []core.Sentence) {
	return rules.Sentence(r, design, title)
}

// decode reads an answer.
func decode[T any](t *testing.T, code int, body string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &v); err != nil || code != 200 && code != 201 {
		t.Fatalf("%d %s: %v", code, body, err)
	}
	return v
}

// TestPlanRoundTrip gets the plan, sends it back unchanged, and finds it as it was.
func TestPlanRoundTrip(t *testing.T) {
	l := newLab(t)
	for _, who := range []string{"teacher", "ana"} {
		ask := as(t, l.srv, who)
		code, body := ask("GET", "/plan", "")
		d := decode[drawn](t, code, body)
		if len(d.Topics) == 0 || len(d.Places) == 0 || len(d.Rules) == 0 || d.Revision == 0 {
			t.Fatalf("%s: %s", who, body)
		}
		send, err := json.Marshal(changes{Put: changesPut{d.Topics, d.Places, d.Rules, d.Alarms}})
		if err != nil {
			t.Fatal(err)
		}
		before, _ := l.plan.Edits()
		if code, answer := ask("POST", "/plan/changes", string(send)); code != 200 {
			t.Fatalf("%s sends it back: %d %s", who, code, answer)
		}
		if after, _ := l.plan.Edits(); len(after) != len(before) {
			t.Errorf("%s: to send back what was there is an edit: %s", who, after[0].Say)
		}
	}
}

func TestPlanEdits(t *testing.T) {
	l := newLab(t)
	ana, teacher := as(t, l.srv, "ana"), as(t, l.srv, "teacher")
	if code, body := ana("POST", "/plan/changes", `{"say":"a <b>hall</b>","put":{"places":[{"name":"blue/hall","kind":"room"}],"topics":[{"name":"blue/hall/bell","kind":"boolean"}]}}`); code != 200 {
		t.Fatalf("change: %d %s", code, body)
	}
	if l.plan.Design().Place("blue/hall") == nil || l.plan.Design().Topic("blue/hall/bell") == nil {
		t.Fatal("it was not drawn")
	}
	if code, body := ana("GET", "/plan/edits", ""); code != 200 || strings.Count(body, `"id"`) != 1 || strings.Contains(body, "<b>") {
		t.Errorf("ana's edits: %d %s", code, body)
	}
	if code, body := teacher("GET", "/plan/edits", ""); code != 200 || strings.Count(body, `"id"`) != 2 || !strings.Contains(body, `"by":"ana"`) {
		t.Errorf("all edits: %d %s", code, body)
	}
	if code, body := teacher("POST", "/plan/undo", ""); code != 200 || l.plan.Design().Place("blue/hall") != nil {
		t.Errorf("undo: %d %s", code, body)
	}
	if code, body := teacher("POST", "/plan/redo", ""); code != 200 || l.plan.Design().Place("blue/hall") == nil {
		t.Errorf("redo: %d %s", code, body)
	}
	if code, body := teacher("POST", "/plan/redo", ""); code != 404 {
		t.Errorf("redo of nothing: %d %s", code, body)
	}
	// All or nothing.
	if code, body := ana("POST", "/plan/changes", `{"put":{"topics":[{"name":"blue/hall/one"}]},"remove":{"places":["blue/nowhere"]}}`); code != 404 || l.plan.Design().Topic("blue/hall/one") != nil {
		t.Errorf("half a change: %d %s", code, body)
	}
	if code, body := teacher("POST", "/plan/changes", `{"put":{"topics":[{"name":"blue/hall/bell","changed":"2001-01-01T00:00:00Z","kind":"text"}]}}`); code != 409 {
		t.Errorf("a change of what changed meanwhile: %d %s", code, body)
	}
}

func TestPlanFiles(t *testing.T) {
	l := newLab(t)
	teacher := as(t, l.srv, "teacher")
	for format, has := range map[string]string{"json": `"version": 2`, "csv": "red/", "markdown": "# ", "asyncapi": `"asyncapi"`} {
		if code, body := teacher("GET", "/plan/document?format="+format, ""); code != 200 || !strings.Contains(body, has) || !strings.Contains(body, "red/") {
			t.Errorf("%s: %d %.300s", format, code, body)
		}
	}
	_, file := teacher("GET", "/plan/document?format=json", "")
	if code, body := teacher("POST", "/plan/import", file); code != 200 || !strings.Contains(body, `"created":0`) {
		t.Errorf("import of what was exported: %d %s", code, body)
	}
	before := l.plan.Design().Revision
	code, body := teacher("POST", "/plan/import", "{\"version\": 2, \"topics\": [\n{\"name\": \"green/a\"},\n{\"name\": \"green/+\"},\n{\"name\": \"green/b\", \"qos\": 7}]}")
	var p struct {
		Errors []struct{ Message, Location string }
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil || code != 400 || len(p.Errors) != 2 || !strings.HasPrefix(p.Errors[0].Location, "line 3: topics[1]") || !strings.HasPrefix(p.Errors[1].Location, "line 4: topics[2]") {
		t.Errorf("faults: %d %s", code, body)
	}
	if l.plan.Design().Revision != before {
		t.Error("half a file was imported")
	}
	for _, bad := range []string{"", "{", "[]", "\x00\xff", "a;b\n"} {
		if code, body := teacher("POST", "/plan/import", bad); code != 400 {
			t.Errorf("%q: %d %s", bad, code, body)
		}
	}
	if code, body := teacher("POST", "/plan/import", strings.Repeat("x", maxFile+1)); code != 413 {
		t.Errorf("a file too large: %d %s", code, body)
	}
	if code, body := teacher("GET", "/plan/select?filter=blue/%2B", ""); code != 200 || !strings.Contains(body, `"took"`) || !strings.Contains(body, `"ana"`) {
		t.Errorf("select: %d %s", code, body)
	}
	if code, body := teacher("GET", "/plan/select?filter=blue/%23/x", ""); code != 200 || !strings.Contains(body, `"wrong":`) || !strings.Contains(body, `"problem":`) {
		t.Errorf("no filter: %d %s", code, body)
	}
	if code, body := teacher("GET", "/plan/problems", ""); code != 200 || !strings.Contains(body, `"items"`) {
		t.Errorf("problems: %d %s", code, body)
	}
	if code, body := teacher("GET", "/plan/templates", ""); code != 200 || !strings.Contains(body, `"four-boards"`) {
		t.Errorf("templates: %d %s", code, body)
	}
}

// ruleOf returns a rule of a team and the topics that it uses.
func (l *lab) ruleOf(t *testing.T, team string) *core.Rule {
	t.Helper()
	for _, r := range l.plan.Design().Rules {
		if core.Within(r.Then[0].Topic, topic.Name(team)) {
			return r
		}
	}
	t.Fatal("no rule")
	return nil
}

func TestRules(t *testing.T) {
	l := newLab(t)
	ana := as(t, l.srv, "ana")
	r := l.ruleOf(t, "blue")
	code, body := ana("GET", "/rules", "")
	all := decode[list[shownRule]](t, code, body)
	if len(all.Items) != 1 || all.Items[0].ID != string(r.ID) || len(all.Items[0].SaysThen) == 0 || !strings.HasPrefix(all.Items[0].Source, "rule ") {
		t.Fatalf("rules: %s", body)
	}
	in, out := r.Inputs[0], r.Then[0].Topic
	written := fmt.Sprintf(`{"inputs":[{"name":"x","topic":%q}],"when":[{"kind":"time","at":"07:30","days":["mon"]},{"kind":"every","every":1.5}],"if":"x > 10","for":2,"then":[{"topic":%q,"value":"true"}]}`, in.Topic, out)
	if code, body = ana("PUT", "/rules/mine", written); code != 200 {
		t.Fatalf("put: %d %s", code, body)
	}
	got := l.plan.Design().Rule("mine")
	if got.Account != 2 || got.When[0].At != 7*time.Hour+30*time.Minute || got.When[0].Days[0] != time.Monday || got.When[1].Every != 1500*time.Millisecond || got.For != 2*time.Second {
		t.Errorf("put: %+v", got)
	}
	if x := decode[shownRule](t, code, body); x.When == nil || x.When[0].At != "07:30" || x.For != 2 || x.Account != "ana" {
		t.Errorf("it came back as %s", body)
	}
	text, _ := json.Marshal(map[string]string{"source": fmt.Sprintf("rule mine \"<b>Mine</b>\"\nread x from %s\nset %s to x > 20\n", in.Topic, out)})
	if code, body := ana("PUT", "/rules/mine", string(text)); code != 200 || strings.ContainsAny(body, "<>") || l.plan.Design().Rule("mine").Label != "<b>Mine</b>" {
		t.Errorf("as text: %d %s", code, body)
	}
	for what, source := range map[string]string{"another name": "rule other\n", "no rule": "x", "a topic of nobody": "rule mine\nread x from blue/none\nset " + string(out) + " to x", "too long": strings.Repeat("#\n", 8193)} {
		text, _ := json.Marshal(map[string]string{"source": source})
		if code, body := ana("PUT", "/rules/mine", string(text)); code != 400 && code != 422 {
			t.Errorf("%s: %d %s", what, code, body)
		}
	}
	for _, bad := range []string{`{"when":[{"kind":"time","at":"25:00"}]}`, `{"id":"other"}`, `{"then":[{"topic":"blue/+","value":"1"}]}`} {
		if code, body := ana("PUT", "/rules/mine", bad); code != 400 {
			t.Errorf("%s: %d %s", bad, code, body)
		}
	}
	l.follow()
	l.ring = []core.Message{{Topic: in.Topic, Payload: []byte("10"), At: time.Now().Add(-30 * time.Minute)}, {Topic: in.Topic, Payload: []byte("90"), At: time.Now().Add(-20 * time.Minute)}}
	code, body = ana("POST", "/rules/mine/dry-run", "")
	if fs := decode[list[firing]](t, code, body); len(fs.Items) == 0 || len(fs.Items[0].Sent) == 0 {
		t.Errorf("dry run: %s", body)
	}
	for _, bad := range []string{"from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z"} {
		if code, body := ana("POST", "/rules/mine/dry-run?"+bad, ""); code != 400 {
			t.Errorf("%s: %d %s", bad, code, body)
		}
	}
	if code, body := ana("POST", "/rules/mine/resume", ""); code != 204 {
		t.Errorf("resume: %d %s", code, body)
	}
	// bo is of the team, and may change what is all within its branch.
	bo := as(t, l.srv, "bo")
	if code, body := bo("DELETE", "/rules/mine", ""); code != 204 || l.plan.Design().Rule("mine") != nil {
		t.Errorf("remove: %d %s", code, body)
	}
}

func TestAlarms(t *testing.T) {
	l := newLab(t)
	ana, kit := as(t, l.srv, "ana"), as(t, l.srv, "kit-1")
	n := l.ruleOf(t, "blue").Inputs[0].Topic
	put := fmt.Sprintf(`{"label":"<b>Bright</b>","topic":%q,"kind":"above","limit":90,"clear":5}`, n)
	if code, body := ana("PUT", "/alarms/bright", put); code != 200 || strings.ContainsAny(body, "<>") {
		t.Fatalf("put: %d %s", code, body)
	}
	l.follow()
	if code, body := ana("POST", "/alarms/bright/acknowledge", ""); code != 404 {
		t.Errorf("seen before it calls: %d %s", code, body)
	}
	l.alarms.Observe(core.Message{Topic: n, Payload: []byte("95"), At: time.Now()})
	var body string
	for end := time.Now().Add(10 * time.Second); !strings.Contains(body, `"since"`); {
		if _, body = ana("GET", "/alarms?calling=true", ""); time.Now().After(end) {
			t.Fatalf("it does not call: %s", body)
		}
	}
	if !strings.Contains(body, `"mine":true`) || strings.ContainsAny(body, "<>") {
		t.Errorf("calling: %s", body)
	}
	if _, body := as(t, l.srv, "cleo")("GET", "/alarms?calling=true", ""); strings.Contains(body, "bright") {
		t.Errorf("cleo hears blue's alarm: %s", body)
	}
	if code, body := kit("POST", "/alarms/bright/acknowledge", ""); code != 403 {
		t.Errorf("a kit has seen it: %d %s", code, body)
	}
	if code, body := ana("POST", "/alarms/bright/acknowledge", ""); code != 204 {
		t.Errorf("seen: %d %s", code, body)
	}
	if _, body := ana("GET", "/alarms?calling=true", ""); !strings.Contains(body, `"by":"ana"`) || strings.Contains(body, `"mine"`) {
		t.Errorf("after it was seen: %s", body)
	}
	if code, body := ana("DELETE", "/alarms/bright", ""); code != 204 || l.plan.Design().Alarm("bright") != nil {
		t.Errorf("remove: %d %s", code, body)
	}
}

func TestBoards(t *testing.T) {
	l := newLab(t)
	ana := as(t, l.srv, "ana")
	if code, body := ana("GET", "/boards", ""); code != 200 || strings.Count(body, `"name"`) != 1 || !strings.Contains(body, "hello from blue") || strings.ContainsAny(body, "<>") || !strings.Contains(body, `"on":true`) {
		t.Errorf("boards: %d %s", code, body)
	}
	for _, x := range [][2]string{{"/boards/press", `{"kit":"blue/home/kit","slot":"button","down":true}`}, {"/boards/turn", `{"kit":"blue/home/kit","slot":"brightness","value":"80"}`}, {"/boards/break", `{"kit":"blue/home/kit","fault":"wifi","on":true}`}} {
		if code, body := ana("POST", x[0], x[1]); code != 204 {
			t.Errorf("%s: %d %s", x[0], code, body)
		}
	}
	if want := []string{"press blue/home/kit button true", "turn blue/home/kit brightness 80", "break blue/home/kit wifi true"}; !slices.Equal(l.done, want) {
		t.Errorf("done: %v", l.done)
	}
	for _, bad := range []string{`{"kit":"blue/home/kit","fault":"fire","on":true}`, `{"kit":"blue/home/kit"}`, `{"kit":1}`} {
		if code, body := ana("POST", "/boards/break", bad); code != 422 {
			t.Errorf("%s: %d %s", bad, code, body)
		}
	}
	if _, body := as(t, l.srv, "kit-1")("GET", "/boards", ""); strings.Contains(body, "blue") {
		t.Errorf("a kit has boards: %s", body)
	}
}

func TestWhy(t *testing.T) {
	l := newLab(t)
	n := l.ruleOf(t, "blue").Inputs[0].Topic
	for end := time.Now().Add(10 * time.Second); !l.why.Traces(n); { // it has not heard of the template yet
		if time.Now().After(end) {
			t.Fatalf("nobody notes where %s comes from", n)
		}
		time.Sleep(time.Millisecond)
	}
	l.why.Observe(core.Message{N: 1, Topic: n, Payload: []byte("42"), From: 4, Client: "kit-1", At: time.Now()})
	if code, body := as(t, l.srv, "ana")("GET", "/why?topic="+string(n), ""); code != 200 || !strings.Contains(body, `"value":"42`) || !strings.Contains(body, `"effect":0`) {
		t.Errorf("why: %d %s", code, body)
	}
	if code, body := as(t, l.srv, "cleo")("GET", "/why?topic="+string(n), ""); code != 403 || strings.Contains(body, "42") {
		t.Errorf("cleo is told why: %d %s", code, body)
	}
	if code, body := as(t, l.srv, "ana")("GET", "/why?topic=blue/none", ""); code != 404 {
		t.Errorf("of nothing: %d %s", code, body)
	}
}

func TestRecordings(t *testing.T) {
	l := newLab(t)
	teacher := as(t, l.srv, "teacher")
	code, body := teacher("POST", "/recordings", `{"name":"one","topic":"blue/#"}`)
	r := decode[recording](t, code, body)
	if r.To != nil || r.Filter != "blue/#" {
		t.Errorf("start: %s", body)
	}
	l.record(core.Message{Topic: "blue/x", Payload: []byte("<b>1</b>"), At: time.Now().Add(time.Second)})
	at := fmt.Sprintf("/recordings/%d", r.ID)
	if code, body := teacher("POST", at+"/stop", ""); code != 204 {
		t.Errorf("stop: %d %s", code, body)
	}
	if code, body := teacher("GET", "/recordings", ""); code != 200 || !strings.Contains(body, `"messages":1`) || !strings.Contains(body, `"to":`) {
		t.Errorf("list: %d %s", code, body)
	}
	if code, body := teacher("GET", at+"/messages?from=0", ""); code != 200 || !strings.Contains(body, `"topic":"blue/x"`) || strings.ContainsAny(body, "<>") {
		t.Errorf("messages: %d %s", code, body)
	}
	if code, body := teacher("GET", "/replay", ""); code != 404 {
		t.Errorf("nothing is played: %d %s", code, body)
	}
	if code, body := teacher("POST", at+"/play", `{"branch":"replay","speed":10,"repeat":true}`); code != 200 || !strings.Contains(body, `"speed":10`) {
		t.Errorf("play: %d %s", code, body)
	}
	for _, x := range [][2]string{{"pause", `{"paused":true}`}, {"seek", `{"at":0}`}} {
		if code, body := teacher("POST", "/replay/"+x[0], x[1]); code != 200 {
			t.Errorf("%s: %d %s", x[0], code, body)
		}
	}
	if code, body := teacher("POST", "/replay/halt", ""); code != 204 {
		t.Errorf("halt: %d %s", code, body)
	}
	if code, body := teacher("POST", at+"/play", `{"branch":"a/+"}`); code != 400 {
		t.Errorf("a branch that is a filter: %d %s", code, body)
	}
	if code, body := teacher("DELETE", at, ""); code != 204 {
		t.Errorf("remove: %d %s", code, body)
	}
	for _, x := range [][2]string{{"POST", at + "/stop"}, {"DELETE", at}, {"GET", at + "/messages"}} {
		if code, body := teacher(x[0], x[1], ""); code != 404 {
			t.Errorf("%v of what is gone: %d %s", x, code, body)
		}
	}
}

// TestDesignOfOthers is what a student of blue gets of red by every route of the
// design: the same as of nothing.
func TestDesignOfOthers(t *testing.T) {
	l := newLab(t)
	ana, cleo := as(t, l.srv, "ana"), as(t, l.srv, "cleo")
	r, theirs := l.ruleOf(t, "blue"), l.ruleOf(t, "red")
	own, other := string(r.Inputs[0].Topic), string(theirs.Inputs[0].Topic)
	if code, body := cleo("PUT", "/alarms/theirs", fmt.Sprintf(`{"topic":%q,"kind":"above","limit":1}`, other)); code != 200 {
		t.Fatalf("cleo's alarm: %d %s", code, body)
	}
	// The teacher joins a kit of blue to red's lamp, and writes a rule from blue to red.
	var kit core.Place
	for _, p := range l.plan.Design().Places {
		if p.Kind == core.KitPlace && core.Within(p.Name, "blue") {
			kit = *p
		}
	}
	kit.Ports = append(slices.Clone(kit.Ports), core.Port{Slot: "spy", Topic: theirs.Inputs[0].Topic, Action: core.Subscribe})
	kit.Role, kit.Changed = core.AnyKit, time.Time{}
	between := core.Rule{ID: "between", Inputs: []core.Input{{Name: "x", Topic: r.Inputs[0].Topic}, {Name: "y", Topic: theirs.Inputs[0].Topic}}, Then: []core.Act{{Topic: r.Then[0].Topic, Value: "x > y"}}}
	if err := l.plan.Change(core.As(t.Context(), 1), core.Batch{Places: []core.Place{kit}, Rules: []core.Rule{between}}); err != nil {
		t.Fatal(err)
	}
	l.follow()

	before := l.plan.Design().Revision
	for _, path := range []string{"/plan", "/plan/edits", "/plan/problems", "/plan/document?format=json", "/plan/document?format=csv", "/plan/document?format=markdown", "/plan/document?format=asyncapi",
		"/plan/select?filter=%23", "/plan/select?filter=red/%23", "/rules", "/alarms", "/alarms?calling=true", "/boards"} {
		code, body := ana("GET", path, "")
		if told := strings.NewReplacer("filter=red", "", `"filter":"red/#"`, "").Replace(body); code != 200 || strings.Contains(told, "red/") || strings.Contains(told, "red-") || strings.Contains(told, `"red"`) || strings.Contains(told, "cleo") ||
			strings.Contains(told, "theirs") || strings.Contains(told, "between") || strings.Contains(told, `"teacher"`) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	// Nothing of theirs differs from what does not exist.
	same := func(method, others, nothing, body string, codes ...int) {
		t.Helper()
		a, first := ana(method, others, body)
		b, second := ana(method, nothing, strings.ReplaceAll(body, other, "red/none"))
		hide := strings.NewReplacer("theirs", "X", "between", "X", string(theirs.ID), "X", "nothing", "X", other, "X", "red/none", "X").Replace
		if a != b || hide(first) != hide(second) || !slices.Contains(codes, a) {
			t.Errorf("%s %s: %d %s, of nothing %d %s", method, others, a, first, b, second)
		}
	}
	for _, id := range []string{string(theirs.ID), "between"} {
		same("DELETE", "/rules/"+id, "/rules/nothing", "", 404)
		same("POST", "/rules/"+id+"/resume", "/rules/nothing/resume", "", 404)
		same("POST", "/rules/"+id+"/dry-run", "/rules/nothing/dry-run", "", 404)
	}
	same("DELETE", "/alarms/theirs", "/alarms/nothing", "", 404)
	same("POST", "/alarms/theirs/acknowledge", "/alarms/nothing/acknowledge", "", 404)
	same("GET", "/why?topic="+other, "/why?topic=red/none", "", 403)
	same("PUT", "/alarms/mine", "/alarms/mine", fmt.Sprintf(`{"topic":%q,"kind":"above"}`, other), 403)
	for path, body := range map[string]string{"/boards/press": `{"kit":"red/home/kit","slot":"button","down":true}`, "/boards/turn": `{"kit":"red/home/kit","slot":"x","value":"1"}`, "/boards/break": `{"kit":"red/home/kit","fault":"wifi","on":true}`} {
		a, first := ana("POST", path, body)
		b, second := ana("POST", path, strings.ReplaceAll(body, "home", "none"))
		if a != 404 || b != 404 || strings.ReplaceAll(first, "home", "none") != second {
			t.Errorf("%s: %d %s, of nothing %d %s", path, a, first, b, second)
		}
	}
	put := func(what string) string { return `{"put":{` + what + `}}` }
	out := string(r.Then[0].Topic)
	for what, x := range map[string]struct {
		body  string
		codes []int
	}{
		"a topic":                {put(`"topics":[{"name":"red/new"}]`), []int{403}},
		"a changed topic":        {put(fmt.Sprintf(`"topics":[{"name":%q,"writable":true}]`, other)), []int{403}},
		"a topic beside its own": {put(`"topics":[{"name":"blue/ok"},{"name":"red/new"}]`), []int{403}},
		"a topic of nobody":      {put(`"topics":[{"name":"$SYS/x"}]`), []int{403}},
		"a removed topic":        {fmt.Sprintf(`{"remove":{"topics":[%q]}}`, other), []int{403}},
		"a removed branch":       {`{"remove":{"places":["red"]}}`, []int{403}},
		"a place":                {put(`"places":[{"name":"red/spy","kind":"room"}]`), []int{403}},
		"a branch":               {put(`"places":[{"name":"green","kind":"branch"}]`), []int{403, 200}}, // mounted: her own blue/green
		"a kit that reads":       {put(fmt.Sprintf(`"places":[{"name":"blue/spy","kind":"kit","role":"any","account":"kit-1","ports":[{"slot":"x","topic":%q,"action":"subscribe"}]}]`, other)), []int{403}},
		"a kit that publishes":   {put(fmt.Sprintf(`"places":[{"name":"blue/spy","kind":"kit","role":"any","account":"kit-1","ports":[{"slot":"x","topic":%q,"action":"publish"}]}]`, other)), []int{403}},
		"another's kit":          {put(`"places":[{"name":"blue/spy","kind":"kit","role":"any","account":"kit-2"}]`), []int{403}},
		"a person as a kit":      {put(`"places":[{"name":"blue/spy","kind":"kit","role":"any","account":"bo"}]`), []int{403}},
		"the teacher as a kit":   {put(`"places":[{"name":"blue/spy","kind":"kit","role":"any","account":"teacher","virtual":true}]`), []int{403}},
		"a kit to come":          {put(`"places":[{"name":"blue/spy","kind":"kit","role":"any","account":"red-board-9","virtual":true}]`), []int{403}},
		"a kit with a spy":       {put(fmt.Sprintf(`"places":[{"name":%q,"kind":"kit","role":"any","account":"kit-1"}]`, kit.Name)), []int{403}},
		"a rule that reads":      {put(fmt.Sprintf(`"rules":[{"id":"spy","inputs":[{"name":"x","topic":%q}],"then":[{"topic":%q,"value":"true"}]}]`, other, out)), []int{403}},
		"a rule that sets":       {put(fmt.Sprintf(`"rules":[{"id":"spy","inputs":[{"name":"x","topic":%q}],"then":[{"topic":%q,"value":"true"}]}]`, own, theirs.Then[0].Topic)), []int{403}},
		"their rule":             {put(fmt.Sprintf(`"rules":[{"id":%q,"inputs":[{"name":"x","topic":%q}],"then":[{"topic":%q,"value":"true"}]}]`, theirs.ID, own, out)), []int{409}},
		"a removed rule":         {fmt.Sprintf(`{"remove":{"rules":[%q]}}`, theirs.ID), []int{404}},
		"an alarm":               {put(fmt.Sprintf(`"alarms":[{"id":"spy","topic":%q,"kind":"above"}]`, other)), []int{403}},
		"their alarm":            {put(fmt.Sprintf(`"alarms":[{"id":"theirs","topic":%q,"kind":"above"}]`, own)), []int{409}},
		"a removed alarm":        {`{"remove":{"alarms":["theirs"]}}`, []int{404}},
		"wildcards":              {put(`"topics":[{"name":"blue/#"}]`), []int{400}},
		"bad JSON":               {`{"put":`, []int{400}},
		"another shape":          {`{"put":{"topics":{}}}`, []int{422}},
		"something else":         {`{"put":{"accounts":[]}}`, []int{422}},
		"no time":                {put(`"rules":[{"id":"x","when":[{"kind":"time","at":"late"}]}]`), []int{400}},
		"too much":               {put(`"topics":[{"name":"` + strings.Repeat("x", maxBody) + `"}]`), []int{413}},
		"too many kits":          {put(`"places":[` + strings.TrimSuffix(strings.Repeat(`{"name":"blue/hall","kind":"room"},`, 10_001), ",") + `]`), []int{422}},
	} {
		if code, body := ana("POST", "/plan/changes", x.body); !slices.Contains(x.codes, code) {
			t.Errorf("%s: %d %s", what, code, body)
		}
	}
	for what, x := range map[string][3]string{
		"a template of theirs": {"/plan/templates/state_led", `{"branches":["red"]}`, "403"},
		"a template of both":   {"/plan/templates/state_led", `{"branches":["blue","red"]}`, "403"},
		"flat topics":          {"/plan/templates/state_led", `{"branches":[""]}`, "403"},
		"no template":          {"/plan/templates/none", `{"branches":["blue"]}`, "404"},
		"an undo":              {"/plan/undo", "", "403"},
		"a redo":               {"/plan/redo", "", "403"},
		"an import":            {"/plan/import", `{"version":2}`, "403"},
		"a recording":          {"/recordings", `{"name":"x"}`, "403"},
		"a replay":             {"/recordings/1/play", `{}`, "403"},
		"an end of one":        {"/replay/halt", "", "403"},
	} {
		if code, body := ana("POST", x[0], x[1]); fmt.Sprint(code) != x[2] {
			t.Errorf("%s: %d %s", what, code, body)
		}
	}
	for _, n := range []topic.Name{"red/new", "red/spy", "blue/spy", "blue/ok"} {
		if d := l.plan.Design(); d.Topic(n) != nil || d.Place(n) != nil {
			t.Errorf("%s was drawn", n)
		}
	}
	if d := l.plan.Design(); d.Revision > before+1 || d.Rule("spy") != nil || d.Alarm("spy") != nil || len(l.done) > 0 {
		t.Errorf("something was changed: revision %d to %d, boards %v", before, d.Revision, l.done)
	}
	// What she changes of the kit leaves the teacher's wire as it is.
	if code, body := ana("POST", "/plan/changes", put(fmt.Sprintf(`"places":[{"name":%q,"kind":"kit","role":"any","label":"Hers","account":%q,"virtual":true}]`, kit.Name, kit.Account))); code != 200 {
		t.Errorf("her kit: %d %s", code, body)
	}
	if p := l.plan.Design().Place(kit.Name); p.Label != "Hers" || !slices.ContainsFunc(p.Ports, func(x core.Port) bool { return x.Slot == "spy" }) {
		t.Errorf("her kit: %+v", p)
	}
	// A rule whose author she becomes can do no more than she may.
	if code, body := ana("POST", "/plan/changes", put(fmt.Sprintf(`"rules":[{"id":%q,"inputs":[{"name":"x","topic":%q}],"then":[{"topic":%q,"value":"true"}]}]`, r.ID, own, out))); code != 200 || l.plan.Design().Rule(r.ID).Account != 2 {
		t.Errorf("a rule of the teacher in her branch: %d %s", code, body)
	}
}

// TestDesignRevoked takes the team away while somebody is signed in.
func TestDesignRevoked(t *testing.T) {
	l := newLab(t)
	ana := as(t, l.srv, "ana")
	r := l.ruleOf(t, "blue")
	if _, body := ana("GET", "/plan", ""); !strings.Contains(body, "blue/") {
		t.Fatalf("the plan before: %s", body)
	}
	l.mu.Lock()
	l.byID(2).Team = ""
	l.mu.Unlock()
	for _, path := range []string{"/plan", "/rules", "/alarms", "/boards", "/plan/problems", "/plan/document?format=json", "/plan/select?filter=%23"} {
		if code, body := ana("GET", path, ""); code != 200 || strings.Contains(body, "blue") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	for path, body := range map[string]string{"/boards/press": `{"kit":"blue/home/kit","slot":"button","down":true}`, "/plan/changes": `{"put":{"topics":[{"name":"blue/new"}]}}`, "/rules/" + string(r.ID) + "/resume": ""} {
		if code, answer := ana("POST", path, body); code != 403 && code != 404 {
			t.Errorf("%s: %d %s", path, code, answer)
		}
	}
	if code, _ := ana("GET", "/why?topic="+string(r.Inputs[0].Topic), ""); code != 403 {
		t.Errorf("why: %d", code)
	}
}

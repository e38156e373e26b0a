package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"homeroom/core"
	"homeroom/core/plan"
	"homeroom/core/rules"
	"homeroom/core/topic"
)

// TestPlanMovesEverything designs, moves, removes and undoes in the whole program,
// with a restart between, while somebody subscribes.
func TestPlanMovesEverything(t *testing.T) {
	data := t.TempDir()
	var p *program
	start := func() (stop func()) {
		t.Helper()
		var err error
		p, err = open(t.Context(), env{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}, data: data},
			listeners{MQTT: "127.0.0.1:0", MQTTS: "-", HTTP: "127.0.0.1:0", Open: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.run(ctx) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	stop := start()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(p.plan.CreateTopic(ctx, core.Topic{Name: "blue/lab/air", Kind: core.Number, Retain: true}))
	for _, v := range []string{"20", "21", "21.5"} {
		must(p.broker.Publish(ctx, core.Message{Topic: "blue/lab/air", Payload: []byte(v), QoS: 1, Retain: true, From: core.Anyone}))
	}
	heard := make(chan core.Message, 16)
	p.broker.Subscribe("#", func(m core.Message) { heard <- m })
	at := func(n topic.Name, payload string, readings int64) {
		t.Helper()
		ms := p.broker.Retained("blue/#", 9)
		if payload == "" && len(ms) != 0 || payload != "" && (len(ms) != 1 || ms[0].Topic != n || string(ms[0].Payload) != payload || ms[0].QoS != 1) {
			t.Errorf("retained %+v, want %q at %s", ms, payload, n)
		}
		if got, err := p.history.CountReadings(ctx, n); got != readings || err != nil {
			t.Errorf("%s has %d readings, want %d; %v", n, got, readings, err)
		}
	}
	at("blue/lab/air", "21.5", 3)
	e, err := p.plan.MoveTopics(ctx, "blue/lab", "blue/den", true)
	must(err)
	if e.Readings != 3 || e.Retained != 1 || len(e.Topics) != 1 {
		t.Errorf("%+v", e)
	}
	at("blue/den/air", "21.5", 3) // putting it there is no reading
	at("blue/den/air", "21.5", 3)
	if m := <-heard; m.Topic != "blue/lab/air" || len(m.Payload) != 0 {
		t.Errorf("who subscribes hears %+v first", m)
	}
	if m := <-heard; m.Topic != "blue/den/air" || string(m.Payload) != "21.5" || m.From != core.Program {
		t.Errorf("who subscribes hears %+v second", m)
	}
	removed, err := p.plan.RemoveTopics(ctx, "blue", true)
	must(err)
	at("blue/den/air", "", 0)
	stop()
	stop = start()
	at("blue/den/air", "", 0)
	must(p.plan.UndoRemove(ctx, removed.Removal.ID))
	at("blue/den/air", "21.5", 3)
	stop()
	stop = start()
	at("blue/den/air", "21.5", 3)
	stop()
}

// TestNobodyIsTheProgram: only the program itself publishes as core.Program, and
// reads nothing as it.
func TestNobodyIsTheProgram(t *testing.T) {
	p, err := open(t.Context(), env{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}, data: t.TempDir()},
		listeners{MQTT: "127.0.0.1:0", MQTTS: "-", HTTP: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}()
	g := gate{p.accounts, p}
	if _, ok := g.Account(core.Program); ok {
		t.Error("the program is an account")
	}
	if _, err := g.Authorize(core.Program, core.Subscribe, "a"); !errors.Is(err, core.ErrDenied) {
		t.Errorf("the program reads: %v", err)
	}
	if _, err := g.Authorize(0, core.Publish, "a"); !errors.Is(err, core.ErrDenied) {
		t.Errorf("nobody publishes: %v", err)
	}
	if err := p.broker.Publish(t.Context(), core.Message{Topic: "$SYS/x", From: core.Program}); !errors.Is(err, core.ErrDenied) {
		t.Errorf("the program publishes what is the broker's: %v", err)
	}
}

// TestPlanOnTheCommandLine imports beside a running program, which sees it.
func TestPlanOnTheCommandLine(t *testing.T) {
	data := t.TempDir()
	s := serve(t, data, "--open")
	table := "name,text,kind,min,max,writable,qos,retain\nblue/lab/air,=온도,number,-20,50,false,1,true\nblue/lab/led,,boolean,,,true,0,false\n"
	if out := tool(t, data, table, "plan", "import", "-"); out != "Created 2, changed 0.\n" {
		t.Errorf("import said %q", out)
	}
	if out := tool(t, data, "", "plan", "list", "blue/#"); !strings.Contains(out, "-20 to 50") || !strings.Contains(out, "온도") || strings.Count(out, "\n") != 3 {
		t.Errorf("list:\n%s", out)
	}
	for _, format := range []string{"json", "csv"} {
		out := tool(t, data, "", "plan", "export", "--format", format)
		if said := tool(t, data, out, "plan", "import", "-"); said != "Created 0, changed 0.\n" {
			t.Errorf("%s comes back otherwise: %s\n%s", format, said, out)
		}
	}
	out, errs, code := try(data, "name,qos\nblue/lab/new,0\nblue/+,1\nBlue/Lab/Air,1\n", "plan", "import", "-")
	if code != 1 || out != "" || !strings.Contains(errs, "-:3: name: blue/+") || !strings.Contains(errs, "Nothing was imported") {
		t.Errorf("exit %d, out %q, err %q", code, out, errs)
	}
	if _, errs, _ := try(data, "name\nBlue/Lab/Air\n", "plan", "import", "-"); !strings.Contains(errs, "-:2: name: Blue/Lab/Air would look like blue/lab/air") {
		t.Errorf("err %q", errs)
	}
	if out := tool(t, data, "", "plan", "list"); strings.Contains(out, "new") {
		t.Errorf("half of it was imported:\n%s", out)
	}
	s.end(9)
}

// TestPlanTemplateOnTheCommandLine draws a template, documents it and finds
// nothing to mend; then something is to mend.
func TestPlanTemplateOnTheCommandLine(t *testing.T) {
	data := t.TempDir()
	tool(t, data, "secret-word-7\n", "account", "add", "ana", "--role", "teacher", "--password-stdin")
	if out := tool(t, data, "", "plan", "template", "four-boards", "--branch", "blue, red"); out != "Drew 8 topics, 12 branches, rooms and kits, 2 rules and 2 alarms.\n" {
		t.Errorf("template said %q", out)
	}
	if out := tool(t, data, "", "plan", "template", "state_led", "--no-on-board"); out != "Drew 1 topics, 3 branches, rooms and kits, 0 rules and 1 alarms.\n" {
		t.Errorf("flat template said %q", out)
	}
	if out := tool(t, data, "", "plan", "check"); out != "" {
		t.Errorf("check said %q", out)
	}
	err := withPlan(t.Context(), env{data: data}, func(s *plan.Service) error {
		if r := s.Design().Rule("blue-choice"); r == nil || r.Account <= 0 || r.Kit != "blue/home/esp-choice" {
			t.Errorf("the rule is %+v", r)
		}
		return s.CreateTopic(t.Context(), core.Topic{Name: "Yellow/a b"})
	})
	if err != nil {
		t.Fatal(err)
	}
	out, errs, code := try(data, "", "plan", "check")
	if code != 1 || !strings.Contains(out, "Yellow/a b") || !strings.Contains(out, "Rename it to yellow/a-b.") || !strings.Contains(errs, "could be better: 1") {
		t.Errorf("exit %d, out %q, err %q", code, out, errs)
	}
	if out := tool(t, data, "", "plan", "document", "blue/#", "--title", "Lesson 4", "--address", "10.0.0.2:1883"); !strings.Contains(out, "# Lesson 4") || !strings.Contains(out, "`blue/light`") || strings.Contains(out, "red/") {
		t.Errorf("document:\n%s", out)
	}
	var doc struct {
		AsyncAPI string
		Channels map[string]any
	}
	if err := json.Unmarshal([]byte(tool(t, data, "", "plan", "document", "--format", "asyncapi")), &doc); err != nil || doc.AsyncAPI != "3.0.0" || len(doc.Channels) != 10 {
		t.Errorf("%v: %+v", err, doc)
	}
	for _, args := range [][]string{{"plan", "template", "castle"}, {"plan", "template", "monitoring"}, {"plan", "template", "four-boards", "--branch", "blue"}, {"plan", "document", "a/#/b"}} {
		if out, errs, code := try(data, "", args...); code == 0 || out != "" || errs == "" {
			t.Errorf("%q: exit %d, out %q, err %q", args, code, out, errs)
		}
	}
}

// TestTemplateRulesWork: the rules of the templates are understood.
func TestTemplateRulesWork(t *testing.T) {
	for _, one := range plan.Templates() {
		batch, err := plan.FromTemplate(one.Key, []topic.Name{"blue"}, &core.Design{}, plan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		designed := func(n topic.Name) (core.Topic, bool) {
			for _, d := range batch.Topics {
				if d.Name == n {
					return d, true
				}
			}
			return core.Topic{}, false
		}
		for _, r := range batch.Rules {
			if err := rules.Check(r, designed); err != nil {
				t.Errorf("%s: %v", r.ID, err)
			}
		}
	}
}

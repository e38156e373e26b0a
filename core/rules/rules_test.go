package rules

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // for the clocks of Paris

	"homeroom/core"
	"homeroom/core/topic"
)

// lab is a broker and a design, as far as rules see them.
type lab struct {
	t       testing.TB
	s       *Service
	mu      sync.Mutex
	topics  map[topic.Name]core.Topic     // guarded by mu
	newest  map[topic.Name]core.Message   // guarded by mu
	log     []string                      // guarded by mu; what rules published: "topic value"
	all     []core.Message                // guarded by mu; what anybody published
	firings []core.Firing                 // guarded by mu
	refuse  error                         // guarded by mu; of what rules publish
	answer  map[topic.Name]func(v string) // guarded by mu; a kit that obeys
}

func newLab(t testing.TB, topics ...core.Topic) *lab {
	l := &lab{t: t, topics: map[topic.Name]core.Topic{}, newest: map[topic.Name]core.Message{}, answer: map[topic.Name]func(string){}}
	for _, d := range topics {
		l.topics[d.Name] = d
	}
	l.s = Open(Config{
		Publish: l.publish, Topic: l.topic, Value: l.value,
		Past: func(_ context.Context, names []topic.Name, from, to time.Time) (past []core.Message, _ error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			for _, m := range l.all {
				if slices.Contains(names, m.Topic) && !m.At.Before(from) && !m.At.After(to) {
					past = append(past, m)
				}
			}
			return past, nil
		},
		Title: func(id core.AccountID) string { return fmt.Sprint("account ", id) },
		Fired: func(f core.Firing) { l.mu.Lock(); l.firings = append(l.firings, f); l.mu.Unlock() },
		Feed:  &core.Feed{},
		Log:   slog.New(slog.DiscardHandler),
	})
	return l
}

func (l *lab) topic(n topic.Name) (core.Topic, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, ok := l.topics[n]
	return d, ok
}

func (l *lab) value(n topic.Name) (core.Message, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m, ok := l.newest[n]
	return m, ok
}

// publish is what the broker does: keep, hand on.
func (l *lab) publish(_ context.Context, m core.Message) error {
	l.mu.Lock()
	if strings.HasPrefix(m.Client, clientPrefix) {
		if l.refuse != nil {
			defer l.mu.Unlock()
			return l.refuse
		}
		l.log = append(l.log, string(m.Topic)+" "+string(m.Payload))
	}
	m.At = l.s.cfg.Now()
	l.newest[m.Topic] = m
	l.all = append(l.all, m)
	answer := l.answer[m.Topic]
	l.mu.Unlock()
	l.s.Observe(m)
	if answer != nil {
		answer(string(m.Payload))
	}
	return nil
}

// say publishes as a kit, and lets the rules look.
func (l *lab) say(n topic.Name, v string) {
	_ = l.publish(context.Background(), core.Message{Topic: n, Payload: []byte(v), Client: "kit", From: 7})
	synctest.Wait()
}

// said returns what rules published since it was asked last.
func (l *lab) said() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := strings.Join(l.log, ", ")
	l.log = nil
	return s
}

func (l *lab) want(what, want string) {
	l.t.Helper()
	if got := l.said(); got != want {
		l.t.Errorf("%s: rules published %q, want %q", what, got, want)
	}
}

// run runs the service within a bubble until f returns.
func (l *lab) run(f func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- l.s.Run(ctx) }()
	synctest.Wait()
	f()
	cancel()
	if err := <-done; err != nil {
		l.t.Errorf("run: %v", err)
	}
}

func (l *lab) set(rules ...core.Rule) {
	ps := make([]*core.Rule, len(rules))
	for i := range rules {
		ps[i] = &rules[i]
	}
	l.s.Set(ps)
	for _, st := range l.s.States() {
		if st.Problem.Format != "" {
			l.t.Errorf("%s does not work: %s", st.ID, st.Problem)
		}
	}
	synctest.Wait()
}

// wait lets some time go by, and a little more.
func wait(d time.Duration) {
	time.Sleep(d + time.Millisecond)
	synctest.Wait()
}

func (l *lab) state(id topic.ID) core.RuleState {
	for _, st := range l.s.States() {
		if st.ID == id {
			return st
		}
	}
	l.t.Fatalf("no state of %s", id)
	return core.RuleState{}
}

func boolean(n topic.Name, words ...string) core.Topic {
	return core.Topic{Name: n, Kind: core.Boolean, Options: words}
}

func numeral(n topic.Name) core.Topic { return core.Topic{Name: n, Kind: core.Number} }

func home() []core.Topic {
	bright := numeral("brightness")
	bright.Unit = "%"
	return []core.Topic{bright, boolean("button", "turn on", "turn off"), boolean("presence"), boolean("light", "On", "Off")}
}

func template(id topic.ID, topics ...topic.Name) core.Rule {
	for _, t := range Templates() {
		if t.ID == id {
			return t.Make(id, topics)
		}
	}
	panic(id)
}

func choiceRule() core.Rule { return template("choice", "brightness", "button", "presence", "light") }

func follow(id topic.ID, from, to topic.Name) core.Rule {
	return core.Rule{ID: id, Inputs: []core.Input{{Name: "x", Topic: from}}, Then: []core.Act{{Topic: to, Value: "x"}}}
}

// TestChoice is the scenario of the four-board home in full.
func TestChoice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, home()...)
		l.set(choiceRule())
		l.run(func() {
			l.say("presence", "true")
			l.want("not dark as long as nothing is known", "light Off")
			l.say("brightness", "80")
			l.want("bright: it stays off", "")
			l.say("brightness", "30")
			l.want("dark: lamp on", "light On")
			l.say("brightness", "25")
			l.want("still dark", "")
			l.say("brightness", "80")
			l.want("bright again", "light Off")
			l.say("button", "turn on")
			l.want("the button wins", "light On")
			l.say("brightness", "90")
			l.want("however bright it is", "")
			l.say("brightness", "10")
			l.say("presence", "false")
			l.say("button", "turn off")
			l.want("turned off", "light Off")
			l.say("presence", "true")
			l.want("turned off a moment ago", "")
			wait(9 * time.Minute)
			l.want("nine minutes ago", "")
			wait(time.Minute + 2*time.Second)
			l.want("long ago, and somebody is there", "light On")
			l.say("presence", "false")
			l.want("nobody is there", "light Off")
			wait(time.Hour)
			l.want("nobody for an hour", "")
			l.say("presence", "true")
			l.want("somebody comes", "light On")
			l.say("light", "Off") // by hand
			wait(time.Hour)
			l.want("who switches it by hand is left alone", "")
		})
		if st := l.state("choice"); st.Acts != 8 || st.Problem.Format != "" || st.Paused.Format != "" {
			t.Errorf("state is %+v, want 8 acts and nothing wrong", st)
		}
		for i, why := range []string{"brightness = –, button = –", "brightness = 30 %, button = –", "brightness = 80 %, button = –", "button = turn on"} {
			if got := l.firings[i].Why.String(); got != why {
				t.Errorf("firing %d because %q, want %q", i, got, why)
			}
		}
		if f := l.firings[3]; f.Cause.Topic != "button" || string(f.Cause.Payload) != "turn on" || len(f.Sent) != 1 || f.Sent[0].Client != "rule:choice" {
			t.Errorf("the button's firing is %+v", f)
		}
	})
}

// TestTranscript replays what the boards do: the rule must decide the same.
func TestTranscript(t *testing.T) {
	file, err := os.Open("../../firmware/testdata/choice.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p, bad := compile(choiceRule(), newLab(t, home()...).topic)
	if bad != nil {
		t.Fatal(bad)
	}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	newest := map[topic.Name]core.Message{}
	r := newRun(p, func(n topic.Name) (core.Message, bool) { m, ok := newest[n]; return m, ok })
	r.start(begin)
	now := begin
	var did []string
	acted := func(a *attempt) {
		if a != nil {
			newest["light"] = a.sends[0]
			did = append(did, string(a.sends[0].Topic)+" "+string(a.sends[0].Payload))
		}
	}
	n, answers := 0, 0
	settled := func() {
		if len(did) > 0 {
			t.Errorf("before line %d: the rule published %q, and the board nothing", n, did)
			did = nil
		}
	}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		n++
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "clock":
			settled()
			ms, err := strconv.Atoi(rest)
			if err != nil {
				t.Fatalf("line %d: %v", n, err)
			}
			now = begin.Add(time.Duration(ms) * time.Millisecond)
			for due := r.due(); !due.IsZero() && !due.After(now); due = r.due() {
				acted(r.wake(due))
			}
		case ">":
			settled()
			name, value, _ := strings.Cut(rest, " ")
			acted(r.take(core.Message{Topic: topic.Name(name), Payload: []byte(value), At: now}, nil, now))
		case "<":
			if !strings.HasPrefix(rest, "light ") {
				continue
			}
			answers++
			if len(did) == 0 || did[0] != rest {
				t.Errorf("line %d: the board published %q, the rule %q", n, rest, did)
			}
			did = did[min(1, len(did)):]
		}
	}
	settled()
	if answers < 10 {
		t.Errorf("the transcript has only %d answers", answers)
	}
}

func TestTemplates(t *testing.T) {
	l := newLab(t, append(home(), boolean("fan"), boolean("door"), numeral("temperature"), core.Topic{Name: "message"})...)
	for _, tm := range Templates() {
		var chosen []topic.Name
		for _, p := range tm.Parts {
			chosen = append(chosen, topic.Name(p.Input))
			if d, _ := l.topic(topic.Name(p.Input)); !slices.Contains(p.Kinds, d.Kind) {
				t.Errorf("%s: %s is not for %v", tm.ID, p.Input, d.Kind)
			}
		}
		r := tm.Make("mine", chosen)
		if err := Check(r, l.topic); err != nil {
			t.Errorf("%s: %v", tm.ID, err)
		}
		if got, err := Parse(Text(r), l.topic); err != nil || Text(got) != Text(r) {
			t.Errorf("%s: %s\nbecame %s, %v", tm.ID, Text(r), Text(got), err)
		}
		when, holds, then := Sentence(r, l.topic, func(n topic.Name) string { return string(n) })
		t.Log(when, holds, then)
		if len(when) == 0 || len(then) == 0 {
			t.Errorf("%s reads %v, %v, %v", tm.ID, when, holds, then)
		}
	}
}

func TestSentence(t *testing.T) {
	l := newLab(t, home()...)
	r := choiceRule()
	r.If, r.For, r.Cooldown, r.Debounce = `brightness < 60 && !button && age(presence) >= duration("2m")`, 5*time.Second, time.Minute, time.Second
	r.Then[0].Value = "true"
	r.When = []core.Trigger{{Kind: core.OnTime, At: 7*time.Hour + 30*time.Minute, Days: []time.Weekday{1, 3}}}
	when, holds, then := Sentence(r, l.topic, func(n topic.Name) string { return strings.ToUpper(string(n)) })
	got := fmt.Sprint(when, holds, then)
	want := "[On Mondays at 07:30 On Wednesdays at 07:30 once it has been quiet for 1s] " +
		"[if BRIGHTNESS is less than 60 % if BUTTON is turn off if PRESENCE has not changed for at least 2m for at least 5s without a break] [set LIGHT to On then rest for 1m]"
	if got != want {
		t.Errorf("it reads\n%s, want\n%s", got, want)
	}
}

func TestTimes(t *testing.T) {
	x := core.Input{Name: "x", Topic: "in"}
	on := []core.Act{{Topic: "out", Value: "true", Always: true}}
	for _, c := range []struct {
		what string
		rule core.Rule
		do   func(l *lab)
	}{
		{"for at least", core.Rule{Inputs: []core.Input{x}, If: "x", For: 2 * time.Minute, Then: on}, func(l *lab) {
			l.say("in", "true")
			wait(119 * time.Second)
			l.want("too short", "")
			l.say("in", "false")
			l.say("in", "true")
			wait(119 * time.Second)
			l.want("with a break", "")
			wait(time.Second)
			l.want("long enough", "out true")
			wait(time.Hour)
			l.say("in", "true")
			l.want("once", "")
			l.say("in", "false")
			l.say("in", "true")
			wait(2 * time.Minute)
			l.want("again after it was false", "out true")
		}},
		{"for, begun by another topic", core.Rule{Inputs: []core.Input{x, {Name: "go", Topic: "go"}}, When: []core.Trigger{{Kind: core.OnMessage, Input: "go"}}, If: "x", For: time.Minute, Then: on}, func(l *lab) {
			l.say("in", "true")
			wait(time.Hour)
			l.want("nobody began", "")
			l.say("go", "true")
			wait(30 * time.Second)
			l.say("in", "false")
			l.say("in", "true")
			wait(time.Hour)
			l.want("a break between", "")
			l.say("go", "true")
			wait(time.Minute)
			l.want("begun again", "out true")
		}},
		{"quiet", core.Rule{Inputs: []core.Input{x}, Debounce: time.Second, Then: []core.Act{{Topic: "out", Value: "x"}}}, func(l *lab) {
			for range 5 {
				l.say("in", "true")
				wait(500 * time.Millisecond)
				l.say("in", "false")
				wait(500 * time.Millisecond)
			}
			l.say("in", "true")
			l.want("not quiet", "")
			wait(time.Second)
			l.want("quiet", "out true")
		}},
		{"rest", core.Rule{Inputs: []core.Input{x}, Cooldown: 10 * time.Second, Then: []core.Act{{Topic: "out", Value: "x"}}}, func(l *lab) {
			l.say("in", "true")
			l.want("at once", "out true")
			l.say("in", "false")
			wait(9 * time.Second)
			l.want("it rests", "")
			wait(time.Second)
			l.want("rested: what is true now", "out false")
		}},
		{"every", core.Rule{When: []core.Trigger{{Kind: core.OnEvery, Every: 10 * time.Second}}, Then: on}, func(l *lab) {
			wait(31 * time.Second)
			l.want("three times", "out true, out true, out true")
		}},
		{"message", core.Rule{Inputs: []core.Input{x}, When: []core.Trigger{{Kind: core.OnMessage, Input: "x"}}, Then: on}, func(l *lab) {
			l.say("in", "true")
			l.say("in", "true")
			l.want("each message", "out true, out true")
		}},
		{"change", core.Rule{Inputs: []core.Input{x}, When: []core.Trigger{{Kind: core.OnChange, Input: "x"}}, Then: on}, func(l *lab) {
			l.say("in", "true")
			l.say("in", "ON")
			l.say("in", "0")
			l.want("each change", "out true, out true")
		}},
		{"changed", core.Rule{Inputs: []core.Input{x, {Name: "go", Topic: "go"}}, If: "changed(go)", Then: on}, func(l *lab) {
			l.say("in", "true")
			l.want("another", "")
			l.say("go", "true")
			l.say("in", "false")
			l.say("go", "false")
			l.want("each change of go", "out true, out true")
		}},
		{"only what differs", core.Rule{Inputs: []core.Input{x}, When: []core.Trigger{{Kind: core.OnMessage, Input: "x"}}, Then: []core.Act{{Topic: "out", Value: "x"}}}, func(l *lab) {
			l.say("out", "1")
			l.say("in", "true")
			l.want("it is so already", "")
			l.say("out", "off")
			l.say("in", "true")
			l.want("it is not so", "out true")
		}},
		{"keeps the lamp on", core.Rule{Inputs: []core.Input{x}, Then: []core.Act{{Topic: "out", Value: `x || !never(x) && age(x) < duration("2m")`}}}, func(l *lab) {
			l.say("in", "true")
			l.want("there", "out true")
			l.say("in", "false")
			wait(119 * time.Second)
			l.want("gone for a while", "")
			wait(2 * time.Second)
			l.want("gone", "out false")
		}},
		{"time of day", core.Rule{When: []core.Trigger{{Kind: core.OnTime, At: 7*time.Hour + 30*time.Minute, Days: []time.Weekday{time.Monday, time.Tuesday}}}, Then: on}, func(l *lab) {
			// A bubble begins on Saturday, 2000-01-01 at midnight UTC.
			wait(2*24*time.Hour + 7*time.Hour + 29*time.Minute)
			l.want("before Monday morning", "")
			wait(time.Minute)
			l.want("Monday morning", "out true")
			wait(23*time.Hour + 59*time.Minute)
			l.want("before Tuesday morning", "")
			wait(time.Minute)
			l.want("Tuesday morning", "out true")
			wait(5 * 24 * time.Hour)
			l.want("until Sunday", "")
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, boolean("in"), boolean("go"), boolean("out"))
				l.s.cfg.Now = func() time.Time { return time.Now().UTC() }
				c.rule.ID = "r"
				l.set(c.rule)
				l.run(func() { c.do(l) })
			})
		})
	}
}

// TestSummerTime wants a time of day once a day, also where the clocks change.
func TestSummerTime(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	p, bad := compile(core.Rule{ID: "r", When: []core.Trigger{{Kind: core.OnTime, At: 2*time.Hour + 30*time.Minute}}, Then: []core.Act{{Topic: "out", Value: "true", Always: true}}}, newLab(t, boolean("out")).topic)
	if bad != nil {
		t.Fatal(bad)
	}
	for _, c := range []struct {
		from time.Time
		want []string
	}{
		{time.Date(2026, 3, 28, 0, 0, 0, 0, paris), []string{"28 02:30 +0100", "29 03:30 +0200", "30 02:30 +0200"}},
		{time.Date(2026, 10, 24, 0, 0, 0, 0, paris), []string{"24 02:30 +0200", "25 02:30", "26 02:30 +0100"}},
	} {
		fs, err := p.rehearse(context.Background(), nil, c.from, c.from.AddDate(0, 0, 3))
		if err != nil || len(fs) != len(c.want) {
			t.Fatalf("%v: %d firings, %v; want %d", c.from, len(fs), err, len(c.want))
		}
		for i, f := range fs {
			if got := f.At.In(paris).Format("02 15:04 -0700"); !strings.HasPrefix(got, c.want[i]) {
				t.Errorf("day %d: at %s, want %s", i, got, c.want[i])
			}
		}
	}
}

// TestClockIsSet wants a rule to go on where somebody sets the clock of the PC back.
func TestClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, boolean("out"))
		var mu sync.Mutex
		var off time.Duration
		l.s.cfg.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().UTC().Add(off).Round(0) }
		l.set(core.Rule{ID: "r", When: []core.Trigger{{Kind: core.OnTime, At: 7 * time.Hour}}, Then: []core.Act{{Topic: "out", Value: "true", Always: true}}})
		l.run(func() {
			mu.Lock()
			off = -50 * 365 * 24 * time.Hour
			mu.Unlock()
			wait(7*time.Hour + time.Second)
			l.want("seven in the morning of 1950", "out true")
			mu.Lock()
			off = 12 * time.Hour // 19:00, and seven o'clock is long over
			mu.Unlock()
			wait(time.Hour)
			l.want("the morning is over", "")
		})
	})
}

// TestSentBeforeClockWasSetBack wants a rule to see that somebody changed what it
// set, though that was at an earlier time.
func TestSentBeforeClockWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, boolean("out"))
		var off atomic.Int64
		l.s.cfg.Now = func() time.Time { return time.Now().Add(time.Duration(off.Load())).Round(0) }
		l.set(core.Rule{ID: "r", When: []core.Trigger{{Kind: core.OnEvery, Every: time.Minute}}, Then: []core.Act{{Topic: "out", Value: "true"}}})
		l.run(func() {
			wait(time.Minute)
			l.want("at first", "out true")
			off.Store(-int64(30 * time.Second))
			wait(time.Minute)
			l.want("it has that value", "")
			off.Store(-int64(2 * time.Hour))
			wait(2 * lookAgain)
			l.say("out", "false")
			wait(2*time.Hour + time.Minute)
			l.want("two hours later", "out true")
		})
	})
}

func TestWritable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lamp := boolean("lamp", "On", "Off")
		lamp.Writable, lamp.Retain, lamp.QoS = true, true, 1
		l := newLab(t, lamp, boolean("in"))
		l.set(follow("r", "in", "lamp"))
		l.run(func() {
			l.say("in", "true")
			l.want("a command", "lamp/set On")
			l.say("in", "false")
			l.want("the kit has not obeyed yet", "lamp/set Off")
			wait(time.Second)
			l.say("lamp", "On") // now it obeys the first
			l.say("in", "true")
			l.want("it says on, but was just told off", "lamp/set On")
			wait(time.Minute)
			l.say("lamp", "On")
			l.say("in", "false")
			l.want("off", "lamp/set Off")
			wait(time.Minute)
			l.say("lamp", "On") // by hand
			l.say("in", "true")
			l.want("it is on, and nobody told it otherwise for long", "")
			for _, f := range l.firings {
				if m := f.Sent[0]; m.Retain || m.QoS != 1 {
					t.Errorf("the command is %+v, want QoS 1 and not retained", m)
				}
			}
		})
	})
}

func TestValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deg := core.Topic{Name: "deg", Kind: core.Number, Min: -10, Max: 40}
		mode := core.Topic{Name: "mode", Kind: core.Enumeration, Options: []string{"eco", "full"}}
		l := newLab(t, numeral("in"), deg, mode, core.Topic{Name: "note"}, core.Topic{Name: "air", Kind: core.JSON})
		rule := func(id topic.ID, from topic.Name, value string, to topic.Name) core.Rule {
			return core.Rule{ID: id, Inputs: []core.Input{{Name: "x", Topic: from}}, Then: []core.Act{{Topic: to, Value: value}}}
		}
		l.set(rule("a", "in", "x * 2", "deg"), rule("b", "in", `x > 10 ? "full" : "eco"`, "mode"), rule("c", "air", `"out " + text(x.temp.out)`, "note"))
		l.run(func() {
			for _, c := range []struct{ n, v, want string }{
				{"in", "0.1", "deg 0.2, mode eco"},
				{"in", "1e-10", "deg 0"},
				{"in", "15", "deg 30, mode full"},
				{"in", "25", ""}, // 50 is out of range
				{"in", "NaN", ""},
				{"in", "0x10", ""},
				{"in", strings.Repeat("9", 40), ""},
				{"in", "", ""},
				{"in", "\xff\xfe", ""},
				{"in", " 2 ", "deg 4, mode eco"},
				{"air", `{"temp":{"out":-3.5}}`, "note out -3.5"},
				{"air", `[1]`, ""},
				{"air", strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), ""},
				{"air", `{"temp":"none"}`, ""},
				{"air", `{"a":"` + strings.Repeat("x", maxPayload) + `"}`, ""},
			} {
				l.say(topic.Name(c.n), c.v)
				l.want(fmt.Sprintf("%s %.20q", c.n, c.v), c.want)
				switch {
				case c.v == "25":
					if p := l.state("a").Problem.String(); !strings.Contains(p, "from -10 to 40") {
						t.Errorf("out of range: %q", p)
					}
				case c.v == "NaN":
					if p := l.state("b").Problem.String(); !strings.Contains(p, "in said NaN") {
						t.Errorf("no number: %q", p)
					}
				case strings.Contains(c.v, "none"):
					if p := l.state("c").Problem.String(); !strings.Contains(p, "could not be worked out") {
						t.Errorf("no such part: %q", p)
					}
				}
			}
		})
	})
}

func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, numeral("in"), numeral("a"), numeral("b"), numeral("c"), numeral("d"), numeral("e"))
		r := core.Rule{ID: "r", Inputs: []core.Input{{Name: "x", Topic: "in"}}, When: []core.Trigger{{Kind: core.OnMessage, Input: "x"}}}
		for n, v := range map[topic.Name]string{"a": `avg(x, duration("5m"))`, "b": `min(x, duration("5m"))`, "c": `max(x, duration("5m"), )`, "d": "rate(x)", "e": "old(x)"} {
			r.Then = append(r.Then, core.Act{Topic: n, Value: strings.ReplaceAll(v, ", )", ")"), Always: true})
		}
		slices.SortFunc(r.Then, func(a, b core.Act) int { return strings.Compare(string(a.Topic), string(b.Topic)) })
		l.set(r)
		l.run(func() {
			l.say("in", "10")
			l.want("one value", "a 10, b 10, c 10, d 0") // there is no old one
			wait(time.Minute - time.Millisecond)
			l.say("in", "20")
			l.want("two values", "a 15, b 10, c 20, d 10, e 10")
			wait(10 * time.Minute)
			l.say("in", "8")
			l.want("much later", "a 8, b 8, c 8, d 0, e 20")
			for i := range 100_000 {
				l.s.mu.Lock()
				in := l.s.rules[0].run.ins[0]
				in.note(float64(i), time.Now().Add(time.Duration(i)*time.Millisecond))
				n := len(in.past)
				l.s.mu.Unlock()
				if n > maxBuckets+2 {
					t.Fatalf("%d buckets", n)
				}
			}
		})
	})
}

func TestLoop(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n, " rules"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t)
				var rules []core.Rule
				for i := range n {
					name := func(i int) topic.Name { return topic.Name(fmt.Sprint("t", i%n)) }
					l.topics[name(i)] = numeral(name(i))
					r := follow(topic.ID(fmt.Sprint("r", i)), name(i), name(i+1))
					r.Label, r.Then[0].Value = fmt.Sprint("Rule ", i), "x + 1"
					rules = append(rules, r)
				}
				l.set(rules...)
				l.run(func() {
					l.say("t0", "0")
					want := "Rule 0 → Rule 1 → Rule 0"
					published := "t1 1, t0 2"
					if n == 3 {
						want, published = "Rule 0 → Rule 1 → Rule 2 → Rule 0", "t1 1, t2 2, t0 3"
					}
					l.want("once round", published)
					if f := l.firings[n-1]; len(f.Chain) != n-1 || f.Chain[0] != "r0" || len(f.Reads) != 1 || f.Reads[0] != topic.Name(fmt.Sprint("t", n-1)) {
						t.Errorf("the last firing has the chain %v and reads %v", f.Chain, f.Reads)
					}
					if p := l.state("r0").Paused.String(); !strings.Contains(p, want) {
						t.Errorf("paused because %q, want %q in it", p, want)
					}
					l.say("t0", "7")
					l.want("paused", "")
					if err := l.s.Resume("r0"); err != nil {
						t.Error(err)
					}
					l.say("t0", "20")
					if got := l.said(); !strings.HasPrefix(got, "t1 21") {
						t.Errorf("resumed: %q", got)
					}
					if l.state("r0").Paused.Format == "" {
						t.Error("the circle is not found again")
					}
					edited := slices.Clone(rules)
					edited[0].Then = []core.Act{{Topic: "t1", Value: "0"}}
					l.set(edited...)
					if l.state("r0").Paused.Format != "" {
						t.Error("an edited rule is still paused")
					}
				})
			})
		})
	}
}

// TestMirror wants rules that only repeat each other to be left alone.
func TestMirror(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, boolean("a"), boolean("b"))
		l.set(follow("r1", "a", "b"), follow("r2", "b", "a"))
		l.run(func() {
			for range 20 {
				l.say("a", "true")
				l.say("b", "false")
				wait(time.Second)
			}
			for _, st := range l.s.States() {
				if st.Paused.Format != "" {
					t.Errorf("%s is paused: %s", st.ID, st.Paused)
				}
			}
		})
	})
}

// TestCircleThroughKit wants a circle found that goes through something that is no rule.
func TestCircleThroughKit(t *testing.T) {
	for _, c := range []struct {
		what string
		lag  time.Duration
		want string
	}{
		{"at once", 20 * time.Millisecond, "set each other off without end: state → lamp → state"},
		{"slowly", time.Second, "set each other off without end: state → lamp → state"},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, boolean("lamp"), boolean("state"))
				r := follow("r", "state", "lamp")
				r.Then[0].Value = "!x"
				l.set(r)
				l.answer["lamp"] = func(v string) { time.AfterFunc(c.lag, func() { l.say2("state", v) }) }
				l.run(func() {
					l.say("state", "true")
					wait(5 * time.Minute)
					if p := l.state("r").Paused.String(); !strings.Contains(p, c.want) {
						t.Errorf("paused because %q, want %q in it", p, c.want)
					}
					if got := strings.Count(l.said(), "lamp"); got > 100 {
						t.Errorf("it acted %d times", got)
					}
				})
			})
		})
	}
}

// TestCounterThroughKit wants a circle found whose values never come again.
func TestCounterThroughKit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, numeral("lamp"), numeral("state"))
		r := follow("r", "state", "lamp")
		r.Then[0].Value = "x + 1"
		l.set(r)
		l.answer["lamp"] = func(v string) { time.AfterFunc(20*time.Millisecond, func() { l.say2("state", v) }) }
		l.run(func() {
			l.say("state", "1")
			wait(time.Minute)
			if p := l.state("r").Paused.String(); !strings.Contains(p, "acted more than 200 times within 10s: state → lamp → state") {
				t.Errorf("paused because %q", p)
			}
			if got := strings.Count(l.said(), "lamp"); got != 200 {
				t.Errorf("it acted %d times", got)
			}
		})
	})
}

// TestNoCircle wants what is no circle to be left alone: a kit that blinks by
// itself, and a slider that somebody moves.
func TestNoCircle(t *testing.T) {
	for _, every := range []time.Duration{100 * time.Millisecond, 500 * time.Millisecond, time.Second, 1900 * time.Millisecond} {
		for what, design := range map[string]func(topic.Name) core.Topic{"blinks": func(n topic.Name) core.Topic { return boolean(n) }, "slides": numeral} {
			t.Run(fmt.Sprint(what, every), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLab(t, design("in"), design("out"))
					l.set(follow("r", "in", "out"))
					l.run(func() {
						const n = 700
						for i := range n {
							v := strconv.Itoa(i % 100)
							if what == "blinks" {
								v = strconv.FormatBool(i%2 == 0)
							}
							l.say("in", v)
							time.Sleep(every)
						}
						st := l.state("r")
						if st.Paused.Format != "" {
							t.Errorf("paused: %s", st.Paused)
						}
						if st.Acts < n-20 {
							t.Errorf("it acted %d times of %d", st.Acts, n)
						}
						in, _ := l.value("in")
						if out, _ := l.value("out"); (string(out.Payload) == "true") != (string(in.Payload) == "true") {
							t.Errorf("in is %s, and out %s", in.Payload, out.Payload)
						}
					})
				})
			})
		}
	}
}

// TestLateAct wants an act that is held back to see whether it is part of a circle
// to be done, or given up where it is out of date.
func TestLateAct(t *testing.T) {
	for _, c := range []struct {
		what, other, want string
	}{
		{"nothing else comes", "", "out true"},
		{"another input changes the answer", "false", ""},
		{"another input comes", "true", "out true"},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, boolean("in"), boolean("may"), boolean("out"))
				r := follow("r", "in", "out")
				r.Inputs = append(r.Inputs, core.Input{Name: "y", Topic: "may"})
				r.Then[0].Value = "x && y"
				l.set(r)
				l.run(func() {
					l.say("may", "true")
					i := 0
					held := func() bool { l.s.mu.Lock(); defer l.s.mu.Unlock(); return l.s.rules[0].run.kept != nil }
					for ; !held() && i < 100; i++ {
						l.said()
						l.say("in", strconv.FormatBool(i%2 == 0))
					}
					if i%2 == 0 {
						t.Fatalf("held back after %d", i) // what it holds back is true
					}
					l.want("held back", "")
					if c.other != "" {
						l.say("may", c.other)
					}
					wait(bounceWithin)
					l.want("then", c.want)
					wait(time.Minute)
					if p := l.state("r").Paused; p.Format != "" {
						t.Errorf("paused: %s", p)
					}
				})
			})
		})
	}
}

// say2 is say from a kit's own goroutine.
func (l *lab) say2(n topic.Name, v string) {
	_ = l.publish(context.Background(), core.Message{Topic: n, Payload: []byte(v), Client: "kit", From: 7})
}

// TestForgedChain wants a client that calls itself as a rule does not to stop it.
func TestForgedChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, boolean("a"), boolean("b"))
		r := follow("r", "a", "b")
		r.Account = 3
		l.set(r)
		l.run(func() {
			l.say("a", "true")
			_ = l.publish(context.Background(), core.Message{Topic: "a", Payload: []byte("false"), Client: "rule:r", From: 9})
			synctest.Wait()
			if p := l.state("r").Paused; p.Format != "" {
				t.Errorf("paused: %s", p)
			}
		})
	})
}

func TestLoops(t *testing.T) {
	rule := func(id topic.ID, from, to topic.Name) *core.Rule { r := follow(id, from, to); return &r }
	timed := rule("e", "b", "a")
	timed.When = []core.Trigger{{Kind: core.OnEvery, Every: time.Second}}
	off := rule("f", "b", "a")
	off.Disabled = true
	got := Loops([]*core.Rule{rule("a", "a", "b"), rule("b", "b/set", "c"), rule("c", "c", "a"), rule("d", "c", "d"), timed, off, rule("g", "x", "y"), rule("h", "y", "x"), rule("i", "y", "x")})
	if want := "[[a b c] [g h] [g i]]"; fmt.Sprint(got) != want {
		t.Errorf("circles %v, want %v", got, want)
	}
}

func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, boolean("a"), boolean("b"))
		r := follow("r", "a", "b")
		r.Account = 3
		l.set(r)
		l.run(func() {
			l.refuse = core.Fail(core.ErrDenied, "no")
			l.say("a", "true")
			if st := l.state("r"); !strings.Contains(st.Problem.String(), "account 3, who may not publish to b") || st.Acts != 0 {
				t.Errorf("refused: %+v", st)
			}
			l.refuse = nil
			l.say("a", "false")
			l.want("granted meanwhile", "b false")
			if st := l.state("r"); st.Problem.Format != "" || st.Acts != 1 {
				t.Errorf("granted: %+v", st)
			}
		})
	})
}

// TestSet wants an edit to leave other rules alone, and what is known of topics.
// TestMayNotRead wants a rule to tell nothing that its owner may not read any more.
func TestMayNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, boolean("a"), boolean("b"), boolean("out"))
		var revoked atomic.Bool
		l.s.cfg.MayRead = func(id core.AccountID, n topic.Name) bool { return id == 3 && (n != "b" || !revoked.Load()) }
		r := follow("r", "a", "out")
		r.Account, r.Inputs = 3, append(r.Inputs, core.Input{Name: "y", Topic: "b"})
		l.set(r)
		l.run(func() {
			l.say("a", "true")
			l.want("it may", "out true")
			revoked.Store(true)
			l.say("a", "false")
			l.want("it may not", "")
			if p := l.state("r").Problem.String(); p != "r reads as account 3, who may not read b. Give account 3 a grant, or let somebody save the rule who may." {
				t.Errorf("told %q", p)
			}
			if n := len(l.firings); n != 1 {
				t.Errorf("it is told to have acted %d times", n)
			}
			revoked.Store(false)
			l.say("a", "true")
			l.say("a", "false")
			l.want("again", "out false")
			if p := l.state("r").Problem; p.Format != "" {
				t.Errorf("still told: %s", p)
			}
		})
	})
}

func TestSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, home()...)
		hold := core.Rule{ID: "hold", Inputs: []core.Input{{Name: "x", Topic: "presence"}}, If: "x", For: time.Minute, Then: []core.Act{{Topic: "light", Value: "true", Always: true}}}
		l.set(choiceRule(), hold)
		l.run(func() {
			l.say("button", "turn off")
			l.say("brightness", "10")
			l.say("presence", "true")
			l.said()
			wait(30 * time.Second)
			edited := choiceRule()
			edited.Label = "Other"
			l.set(edited, hold)
			wait(30 * time.Second)
			l.want("the minute of the other rule goes on", "light On")
			l.say("light", "Off")
			l.said()
			wait(9*time.Minute + 2*time.Second)
			if w := l.state("choice").Last.Why.String(); w != "brightness = 10 %, button = turn off (10m), presence = true" {
				t.Errorf("after the edit the rule forgot when the button was: %q", w)
			}
			l.mu.Lock()
			words := l.topics["button"]
			words.Options = []string{"yes", "no"}
			l.topics["button"] = words
			l.mu.Unlock()
			l.set(edited, hold)
			l.say("presence", "false")
			l.said()
			l.say("button", "yes")
			l.want("the design changed", "light On")
			l.s.Set(nil)
			l.say("button", "no")
			l.want("no rules", "")
		})
	})
}

// TestSeed wants a rule to know what was published before it began.
func TestSeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, home()...)
		l.say("brightness", "20")
		l.say("light", "Off")
		time.Sleep(time.Hour)
		l.set(choiceRule())
		l.run(func() {
			l.want("dark since before", "light On")
		})
	})
}

// TestSeedIsAsOldAsItWas wants a rule to know after a restart how long ago somebody
// turned the lamp off, though nothing is retained, or was told again since.
func TestSeedIsAsOldAsItWas(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprint("told again: ", again), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, home()...)
				off := core.Message{Topic: "button", Payload: []byte("turn off"), At: time.Now()}
				l.s.cfg.Changed = func(n topic.Name) (core.Message, bool) { return off, n == "button" }
				time.Sleep(9 * time.Minute)
				l.say("brightness", "20")
				l.say("presence", "true")
				l.say("light", "Off")
				if again {
					l.say("button", "turn off")
				}
				l.set(choiceRule())
				l.run(func() {
					l.want("turned off nine minutes ago", "")
					wait(time.Minute + time.Second)
					l.want("turned off ten minutes ago", "light On")
				})
			})
		})
	}
}

func TestDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, home()...)
		from := time.Now()
		for _, v := range []string{"80", "30", "20", "90"} {
			time.Sleep(time.Minute)
			l.say("brightness", v)
		}
		l.say("button", "turn off")
		l.say("brightness", "10")
		l.say("presence", "true")
		time.Sleep(11 * time.Minute)
		r := choiceRule()
		r.Kit = "kit" // a board runs it; that does not matter here
		fs, err := l.s.DryRun(context.Background(), r, from, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range fs {
			got = append(got, fmt.Sprintf("%s %s %s", f.At.Sub(from), f.Sent[0].Payload, f.Why))
		}
		want := []string{
			"1m0s Off brightness = 80 %, button = –",
			"2m0s On brightness = 30 %, button = –",
			"4m0s Off brightness = 90 %, button = –",
			"14m0s On brightness = 10 %, button = turn off (10m), presence = true",
		}
		if !slices.Equal(got, want) {
			t.Errorf("a dry run tells\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if l.said() != "" {
			t.Error("a dry run published something")
		}
		if _, err := l.s.DryRun(context.Background(), r, from, from.Add(48*time.Hour)); !errors.Is(err, core.ErrInvalid) {
			t.Errorf("two days: %v", err)
		}
		r.If = "nothing("
		if _, err := l.s.DryRun(context.Background(), r, from, time.Now()); !errors.Is(err, core.ErrInvalid) {
			t.Errorf("a wrong rule: %v", err)
		}
	})
}

// TestDryRunKnowsBefore wants a dry run to begin with what was known then.
func TestDryRunKnowsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, home()...)
		l.say("button", "turn on")
		l.say("button", "turn off")
		l.say("light", "On")
		time.Sleep(30 * time.Minute)
		from := time.Now()
		time.Sleep(time.Minute)
		l.say("brightness", "20") // dark, but it was turned off long ago, and nobody is there
		time.Sleep(time.Minute)
		l.say("presence", "true")
		fs, err := l.s.DryRun(context.Background(), choiceRule(), from, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range fs {
			got = append(got, fmt.Sprintf("%s %s %s", f.At.Sub(from), f.Sent[0].Payload, f.Why))
		}
		want := []string{"0s Off button = turn off, presence = –", "2m0s On brightness = 20 %, button = turn off (32m), presence = true"}
		if !slices.Equal(got, want) {
			t.Errorf("a dry run tells\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// TestDryRunTakesTooLong wants a dry run to end that would take for ever.
func TestDryRunTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, boolean("a"), boolean("b"))
		past := l.s.cfg.Past
		slow := time.Duration(0)
		l.s.cfg.Past = func(ctx context.Context, n []topic.Name, from, to time.Time) ([]core.Message, error) {
			time.Sleep(slow)
			return past(ctx, n, from, to)
		}
		l.say("a", "true")
		from := time.Now()
		if fs, err := l.s.DryRun(t.Context(), follow("r", "a", "b"), from, from.Add(time.Hour)); err != nil || len(fs) != 1 {
			t.Errorf("%v %v", fs, err)
		}
		slow = dryWithin + time.Second
		if _, err := l.s.DryRun(t.Context(), follow("r", "a", "b"), from, from.Add(time.Hour)); !errors.Is(err, core.ErrInvalid) || !strings.Contains(err.Error(), "takes too long") {
			t.Errorf("too slow: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.s.DryRun(ctx, follow("r", "a", "b"), from, from.Add(time.Hour)); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
	})
}

// TestNobodyWaits wants publishers and the window not to wait for a rule whose
// publishing takes long.
func TestNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, boolean("a"), boolean("b"))
		hold := make(chan struct{})
		l.s.cfg.Publish = func(context.Context, core.Message) error { <-hold; return nil }
		l.set(follow("r", "a", "b"))
		l.run(func() {
			for i := range 3 * maxQueue {
				l.s.Observe(core.Message{Topic: "a", Payload: []byte(strconv.Itoa(i % 2))})
			}
			synctest.Wait()
			l.state("r")
			r := follow("r", "a", "b")
			l.s.Set([]*core.Rule{&r})
			close(hold)
		})
	})
}

// TestKit wants a board to be given only what it can decide.
func TestKit(t *testing.T) {
	l := newLab(t, home()...)
	r := choiceRule()
	r.Kit = "home/choice"
	r.Then[0].Value = `button||(never( button ) || age(button) >= duration("600s") && presence) && brightness < 60`
	if err := Check(r, l.topic); err != nil {
		t.Errorf("the same with other spaces: %v", err)
	}
	l.s.Set([]*core.Rule{&r})
	if st := l.s.States(); len(st) != 1 || st[0].Problem.Format != "" || len(*l.s.index.Load()) != 0 {
		t.Errorf("the program runs what a board runs: %+v", st)
	}
	r.Then[0].Value = "button"
	if err := Check(r, l.topic); err == nil || !strings.Contains(err.Error(), "decides as its firmware does") {
		t.Errorf("another decision: %v", err)
	}
}

// TestCrowd does everything at once, for the race detector.
func TestCrowd(t *testing.T) {
	l := newLab(t, home()...)
	l.topics["echo"] = boolean("echo")
	rules := []*core.Rule{}
	for i, r := range []core.Rule{choiceRule(), follow("echo", "light", "echo")} {
		r.Account = core.AccountID(i)
		rules = append(rules, &r)
	}
	l.s.Set(rules)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error)
	go func() { ran <- l.s.Run(ctx) }()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				_ = l.publish(ctx, core.Message{Topic: []topic.Name{"brightness", "button", "presence", "other"}[(i+g)%4], Payload: []byte(strconv.Itoa(i % 2)), Client: "kit"})
			}
		})
	}
	wg.Go(func() {
		for i := range 50 {
			edited := *rules[1]
			edited.Label = strconv.Itoa(i)
			l.s.Set([]*core.Rule{rules[0], &edited})
			l.s.States()
			_ = l.s.Resume("choice")
			if _, err := l.s.DryRun(ctx, *rules[0], time.Now().Add(-time.Hour), time.Now()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// TestOverflow wants the newest values to survive, and the others counted.
func TestOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, numeral("in"), numeral("out"))
		l.set(follow("r", "in", "out"))
		for i := range maxQueue + 500 {
			l.s.Observe(core.Message{Topic: "in", Payload: []byte(strconv.Itoa(i % 1000))})
		}
		if p := l.state("r").Problem.String(); !strings.Contains(p, "500 messages were left out") {
			t.Errorf("told %q", p)
		}
		l.s.Observe(core.Message{Topic: "in", Payload: []byte("12345")})
		time.Sleep(tellLost + time.Second)
		if p := l.state("r").Problem; p.Format != "" {
			t.Errorf("long after: %s", p)
		}
		l.run(func() {})
		if v := l.s.rules[0].run.ins[0].value; v != 12345.0 {
			t.Errorf("the newest value is %v", v)
		}
	})
}

// TestSlowRule wants a rule that takes the time of all others to be stopped: what
// may be written can take a second to work out.
func TestSlowRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, boolean("a"), boolean("b"), boolean("c"), boolean("d"))
		slow, other := follow("slow", "a", "b"), follow("other", "c", "d")
		l.set(other, slow)
		value := l.s.cfg.Value
		l.s.cfg.Value = func(n topic.Name) (core.Message, bool) {
			if n == "b" {
				time.Sleep(100 * time.Millisecond) // as if expressions took that long
			}
			return value(n)
		}
		for _, e := range l.s.rules {
			e.run.known = l.s.cfg.Value
		}
		l.run(func() {
			for i := range 12 { // seldom: it may
				l.say("a", strconv.FormatBool(i%2 == 0))
				wait(5 * time.Second)
			}
			if p := l.state("slow").Paused; p.Format != "" {
				t.Errorf("paused: %s", p)
			}
			for i := range 12 {
				l.say("a", strconv.FormatBool(i%2 == 0))
				wait(time.Second / 2)
			}
			if p := l.state("slow").Paused.String(); !strings.Contains(p, "slow takes so long") {
				t.Errorf("paused because %q", p)
			}
			l.said()
			l.say("c", "true")
			l.want("the other goes on", "d true")
			if err := l.s.Resume("slow"); err != nil || l.state("slow").Paused.Format != "" {
				t.Error("it does not go on", err)
			}
		})
	})
}

func bench(b *testing.B) *lab {
	l := newLab(b)
	rules := make([]*core.Rule, 1000)
	for i := range rules {
		from, to := topic.Name(fmt.Sprintf("home/%03d/in", i)), topic.Name(fmt.Sprintf("home/%03d/out", i))
		l.topics[from], l.topics[to] = numeral(from), boolean(to)
		rules[i] = &core.Rule{ID: topic.ID(fmt.Sprintf("r-%03d", i)), Inputs: []core.Input{{Name: "x", Topic: from}}, Then: []core.Act{{Topic: to, Value: `x > 60 && age(x) < duration("5m")`}}}
	}
	l.s.Set(rules)
	return l
}

// BenchmarkObserve measures what a message costs its publisher, and the rule that
// looks at it, with 1,000 rules that read 1,000 topics.
func BenchmarkObserve(b *testing.B) {
	b.Run("no rule reads it", func(b *testing.B) {
		l := bench(b)
		m := core.Message{Topic: "home/1/other", Payload: []byte("1")}
		b.ReportAllocs()
		for b.Loop() {
			l.s.Observe(m)
		}
	})
	b.Run("a rule reads it", func(b *testing.B) {
		l := bench(b)
		m := core.Message{Topic: "home/007/in", Payload: []byte("1")}
		b.ReportAllocs()
		for b.Loop() {
			l.s.Observe(m)
		}
	})
	b.Run("a rule looks", func(b *testing.B) {
		l := bench(b)
		now := time.Now()
		ms := make([]core.Message, 1000)
		for i := range ms {
			ms[i] = core.Message{Topic: topic.Name(fmt.Sprintf("home/%03d/in", i)), Payload: []byte(strconv.Itoa(i % 50)), At: now}
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			l.s.arrived(context.Background(), arrival{m: ms[i%1000]})
			i++
		}
	})
	b.Run("every rule looks because time goes by", func(b *testing.B) {
		l := bench(b)
		for i := range 1000 {
			l.s.arrived(context.Background(), arrival{m: core.Message{Topic: topic.Name(fmt.Sprintf("home/%03d/in", i)), Payload: []byte("1")}})
		}
		now := time.Now()
		l.s.cfg.Now = func() time.Time { return now }
		b.ReportAllocs()
		for b.Loop() {
			now = now.Add(2 * time.Second)
			l.s.tell(context.Background())
		}
	})
}

// TestObserveAllocates wants a topic that no rule reads to cost nothing.
func TestObserveAllocates(t *testing.T) {
	l := newLab(t, home()...)
	c := choiceRule()
	l.s.Set([]*core.Rule{&c})
	m := core.Message{Topic: "other", Payload: []byte("1"), Client: "rule:x"}
	if n := testing.AllocsPerRun(100, func() { l.s.Observe(m) }); n != 0 {
		t.Errorf("a topic that nobody reads costs %v allocations, and a broker has many of them", n)
	}
}

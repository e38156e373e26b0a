package alarms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// desk is a Service with what it needs, and what it published.
type desk struct {
	*Service
	t      *testing.T
	mu     sync.Mutex
	kept   []byte
	sent   []string   // guarded by mu
	broken bool       // guarded by mu
	refuse topic.Name // nothing is published there
	moved  map[topic.Name]topic.Name
	newest map[topic.Name]string // what topics have
	design map[topic.Name]core.Topic
}

func (d *desk) Alarms(context.Context) (states []core.AlarmState, err error) {
	if d.kept != nil {
		err = json.Unmarshal(d.kept, &states)
	}
	return states, err
}

func (d *desk) SaveAlarms(_ context.Context, states []core.AlarmState) (err error) {
	d.kept, err = json.Marshal(states)
	return err
}

func (d *desk) publish(_ context.Context, m core.Message) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		return errors.New("the disk is full")
	}
	if m.Topic == d.refuse {
		return core.Fail(core.ErrInvalid, "{topic} is too long.", "topic", m.Topic)
	}
	d.sent = append(d.sent, fmt.Sprintf("%s %s", m.Topic, m.Payload))
	return nil
}

// take returns what was published since the last time, in order of name.
func (d *desk) take() []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	sent := d.sent
	d.sent = nil
	slices.Sort(sent)
	return sent
}

func newDesk(t *testing.T) *desk {
	return &desk{t: t, newest: map[topic.Name]string{}, design: map[topic.Name]core.Topic{
		"lab/temp": {Name: "lab/temp", Description: core.Description{Label: "Temperature", Unit: "°C"}, Kind: core.Number},
		"lab/door": {Name: "lab/door", Kind: core.Boolean, Options: []string{"offen", "zu"}},
	}}
}

// run opens the service and runs it; what it returns stops it.
func (d *desk) run(alarms ...core.Alarm) (stop func()) {
	d.t.Helper()
	var err error
	d.Service, err = Open(d.t.Context(), Config{Store: d, Publish: d.publish, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler),
		Topic:   func(n topic.Name) (core.Topic, bool) { t, ok := d.design[n]; return t, ok },
		Renamed: func(n topic.Name) (topic.Name, bool) { to, ok := d.moved[n]; return to, ok },
		Newest: func(n topic.Name) (core.Message, bool) {
			v, ok := d.newest[n]
			return core.Message{Topic: n, Payload: []byte(v), At: time.Now().Add(-time.Hour)}, ok
		}})
	if err != nil {
		d.t.Fatal(err)
	}
	d.set(alarms...)
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			d.t.Error(err)
		}
	}
}

func (d *desk) set(alarms ...core.Alarm) {
	ps := make([]*core.Alarm, len(alarms))
	for i := range alarms {
		ps[i] = &alarms[i]
	}
	d.Set(ps)
}

func (d *desk) says(n topic.Name, value string) {
	d.Observe(core.Message{Topic: n, Payload: []byte(value), At: time.Now()})
}

// calls returns the alarms that call now, with their sentences.
func (d *desk) calls() (said []string) {
	for _, st := range d.States() {
		if st.Ended.IsZero() {
			said = append(said, string(st.Alarm.ID)+": "+st.Say.String())
		}
	}
	return said
}

func TestKinds(t *testing.T) {
	type say struct {
		after time.Duration // since the one before
		value string        // "" is nothing
		calls bool
	}
	const s = time.Second
	for name, tt := range map[string]struct {
		alarm core.Alarm
		says  []say
		text  string // of the first call
	}{
		"above, with hysteresis": {core.Alarm{Topic: "lab/temp", Kind: core.AlarmAbove, Limit: 30, Clear: 2},
			[]say{{0, "30", false}, {s, "30.1", true}, {s, "29", true}, {s, "28", false}, {s, "29.9", false}, {s, " 31 \n", true}, {s, "warm", true}, {s, "NaN", true}, {s, "27", false}},
			"Temperature is 30.1 °C, more than 30 °C."},
		"below": {core.Alarm{Topic: "lab/temp", Kind: core.AlarmBelow, Limit: 5, Clear: 1},
			[]say{{0, "4", true}, {s, "5.5", true}, {s, "6", false}}, "Temperature is 4 °C, less than 5 °C."},
		"only after a while": {core.Alarm{Topic: "lab/temp", Kind: core.AlarmAbove, Limit: 30, For: 10 * s},
			[]say{{0, "31", false}, {9 * s, "32", false}, {s, "30", false}, {s, "31", false}, {11 * s, "", true}}, "Temperature is 31 °C, more than 30 °C."},
		"a word of the topic": {core.Alarm{Topic: "lab/door", Kind: core.AlarmEquals, Word: "true"},
			[]say{{0, "zu", false}, {s, "OFFEN", true}, {s, "false", false}, {s, "1", true}}, "lab/door is true."},
		"a word": {core.Alarm{Topic: "lab/mode", Kind: core.AlarmEquals, Word: "error"},
			[]say{{0, "Error", false}, {s, "error", true}, {s, "ok", false}}, "lab/mode is error."},
		"silence": {core.Alarm{Topic: "lab/temp", Kind: core.AlarmSilent, Within: 60 * s},
			[]say{{59 * s, "", false}, {2 * s, "", true}, {s, "21", false}, {59 * s, "21", false}, {61 * s, "", true}}, "Temperature has said nothing for 1 min."},
		"rate": {core.Alarm{Topic: "lab/temp", Kind: core.AlarmRate, Limit: 5, Within: 10 * s},
			[]say{{0, "20", false}, {5 * s, "25", false}, {6 * s, "29", false}, {s, "31", true}, {11 * s, "", false}, {s, "10", false}}, "Temperature changed by more than 5 °C within 10 s."},
		"flood": {core.Alarm{Topic: "lab/x", Kind: core.AlarmFlood, Limit: 3, Within: s},
			[]say{{0, "a", false}, {0, "a", false}, {0, "a", false}, {0, "a", true}, {0, "a", true}, {2 * s, "", false}}, "lab/x got more than 3 messages within 1 s."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				tt.alarm.ID = "it"
				defer d.run(tt.alarm)()
				first := ""
				for i, say := range tt.says {
					time.Sleep(say.after)
					if say.value != "" {
						d.says(tt.alarm.Topic, say.value)
					}
					time.Sleep(lookEvery + time.Millisecond)
					calls := d.calls()
					if (len(calls) == 1) != say.calls {
						t.Fatalf("after %d, %q: %q, want call %v", i, say.value, calls, say.calls)
					}
					if len(calls) > 0 && first == "" {
						first = calls[0]
					}
				}
				if first != "it: "+tt.text {
					t.Fatalf("it says %q, want %q", first, tt.text)
				}
			})
		})
	}
}

// TestAcknowledged: an alarm waits for a person even after its end, tells itself
// as a topic, and does both again when it calls again.
func TestAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		hot := core.Alarm{ID: "hot", Topic: "lab/temp", Kind: core.AlarmAbove, Limit: 30}
		defer d.run(hot)()
		want := func(when string, states int, sent ...string) {
			t.Helper()
			time.Sleep(lookEvery + time.Millisecond)
			if got := d.take(); len(d.States()) != states || !slices.Equal(got, sent) {
				t.Fatalf("%s: %d states, sent %q; want %d, %q", when, len(d.States()), got, states, sent)
			}
		}
		if err := d.Acknowledge(t.Context(), "hot"); !errors.Is(err, core.ErrNotFound) {
			t.Fatalf("acknowledged what does not call: %v", err)
		}
		d.says("lab/temp", "31")
		want("calls", 1, "lab/temp/$alarm/hot on")
		d.says("lab/temp", "29")
		want("ended, not seen", 1, "lab/temp/$alarm/hot off")
		if err := d.Acknowledge(core.As(t.Context(), 7), "hot"); err != nil {
			t.Fatal(err)
		}
		want("seen", 0)
		d.says("lab/temp", "32")
		want("calls again", 1, "lab/temp/$alarm/hot on")
		if err := d.Acknowledge(core.As(t.Context(), 7), "hot"); err != nil {
			t.Fatal(err)
		}
		want("seen while it calls", 1, "lab/temp/$alarm/hot acknowledged")
		if st := d.States()[0]; st.By != 7 || st.Acked.IsZero() {
			t.Fatalf("acknowledged by %d at %v", st.By, st.Acked)
		}
		d.says("lab/temp", "20")
		want("over", 0, "lab/temp/$alarm/hot off")
	})
}

// TestAlarmsSurvive: what called when the program stopped calls after the start,
// is not a new call, and an edit or removal of the alarm ends it.
func TestAlarmsSurvive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		hot := core.Alarm{ID: "hot", Topic: "lab/temp", Kind: core.AlarmAbove, Limit: 30, Changed: time.Now()}
		silent := core.Alarm{ID: "silent", Topic: "lab/x", Kind: core.AlarmSilent, Within: time.Minute}
		stop := d.run(hot, silent)
		d.says("lab/temp", "31")
		time.Sleep(2 * time.Minute)
		before := d.States()
		stop()
		defer d.run(hot, silent)()
		time.Sleep(time.Second)
		if got := d.States(); len(got) != 2 || !got[0].Since.Equal(before[0].Since) || !got[1].Since.Equal(before[1].Since) {
			t.Fatalf("after the start %+v, before %+v", got, before)
		}
		d.take()
		hot.Limit = 40
		d.set(hot)
		time.Sleep(time.Second)
		if got, sent := d.States(), d.take(); len(got) != 0 || len(sent) != 2 {
			t.Fatalf("after an edit and a removal %+v, sent %q", got, sent)
		}
		// A new alarm feels what the topic has.
		d.newest["lab/temp"] = "41"
		d.set()
		d.set(hot)
		if got := d.calls(); len(got) != 1 {
			t.Fatalf("a new alarm on a topic that is above: %q", got)
		}
		d.set(core.Alarm{ID: "hot", Topic: "lab/temp", Kind: core.AlarmAbove, Limit: 40, Disabled: true})
		if got := d.calls(); len(got) != 0 {
			t.Fatalf("disabled: %q", got)
		}
	})
}

// TestCannotPublish: what could not be told is told later, the newest only.
func TestCannotPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.broken = true
		defer d.run(core.Alarm{ID: "hot", Topic: "lab/temp", Kind: core.AlarmAbove, Limit: 30})()
		d.says("lab/temp", "31")
		time.Sleep(time.Second)
		d.says("lab/temp", "29")
		time.Sleep(time.Second)
		d.mu.Lock()
		d.broken = false
		d.mu.Unlock()
		time.Sleep(time.Second)
		if got := d.take(); !slices.Equal(got, []string{"lab/temp/$alarm/hot off"}) {
			t.Fatalf("sent %q", got)
		}
	})
}

// TestBounded: a flood on a watched topic keeps memory bounded.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		defer d.run(core.Alarm{ID: "rate", Topic: "lab/temp", Kind: core.AlarmRate, Limit: 5, Within: time.Hour},
			core.Alarm{ID: "flood", Topic: "lab/temp", Kind: core.AlarmFlood, Limit: 100, Within: time.Hour},
			core.Alarm{ID: "never", Topic: "lab/temp", Kind: core.AlarmFlood, Limit: 1e300, Within: time.Hour})()
		for i := range 50_000 {
			d.says("lab/temp", fmt.Sprint(i%3))
			time.Sleep(time.Millisecond)
		}
		d.Service.mu.Lock()
		defer d.Service.mu.Unlock()
		for id, w := range d.watches {
			if n := len(w.seen); n > maxSeen+1 {
				t.Errorf("%s remembers %d samples", id, n)
			}
		}
		if n := d.watches["never"].count; n != 50_000 {
			t.Errorf("%d messages were counted", n)
		}
	})
}

// TestMovedOrRemoved: an alarm whose topic is moved, or that gets another label,
// still calls and stays acknowledged; what is no alarm any more is no topic either.
func TestMovedOrRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		hot := core.Alarm{ID: "hot", Topic: "lab/temp", Kind: core.AlarmAbove, Limit: 30}
		defer d.run(hot)()
		d.says("lab/temp", "31")
		time.Sleep(time.Second)
		if err := d.Acknowledge(core.As(t.Context(), 7), "hot"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		before := d.States()[0]
		d.take()
		d.newest["lab/temp/$alarm/hot"] = "acknowledged"
		d.moved = map[topic.Name]topic.Name{"lab/temp": "hall/temp"}
		hot.Topic, hot.Label, hot.Changed = "hall/temp", "Hot", time.Now()
		d.set(hot)
		time.Sleep(time.Second)
		if got := d.States(); len(got) != 1 || got[0].Since != before.Since || got[0].Acked != before.Acked || got[0].Alarm != hot {
			t.Fatalf("after the move %+v, before %+v", got, before)
		}
		if got := d.take(); !slices.Equal(got, []string{"hall/temp/$alarm/hot acknowledged", "lab/temp/$alarm/hot "}) {
			t.Fatalf("after the move %q", got)
		}
		d.says("hall/temp", "20")
		time.Sleep(time.Second)
		if got := d.take(); len(d.States()) != 0 || !slices.Equal(got, []string{"hall/temp/$alarm/hot off"}) {
			t.Fatalf("over: %q", got)
		}
		d.newest["hall/temp/$alarm/hot"] = "off"
		d.set()
		time.Sleep(time.Second)
		if got := d.take(); !slices.Equal(got, []string{"hall/temp/$alarm/hot "}) {
			t.Fatalf("after the removal %q", got)
		}
	})
}

// TestTells: only what an alarm of the design says is where one tells its state.
func TestTells(t *testing.T) {
	d := &core.Design{Alarms: []*core.Alarm{{ID: "hot", Topic: "a/b"}}}
	for n, want := range map[topic.Name]bool{"a/b/$alarm/hot": true, "a/b/$alarm/cold": false, "a/$alarm/hot": false, "x/a/b/$alarm/hot": false,
		"a/b": false, "a/b/$alarm/": false, "$alarm/hot": false, "a/b/$alarm/hot/x": false} {
		if Tells(d, n) != want {
			t.Errorf("%s: %v", n, !want)
		}
	}
}

// TestRefusedIsNotTriedAgain: a state that can never be published keeps no other
// from being told.
func TestRefusedIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.refuse = "lab/temp/$alarm/a"
		var all []core.Alarm
		for _, id := range []topic.ID{"a", "b", "c", "d"} {
			all = append(all, core.Alarm{ID: id, Topic: "lab/temp", Kind: core.AlarmAbove, Limit: 30})
		}
		defer d.run(all...)()
		d.says("lab/temp", "31")
		time.Sleep(lookEvery + time.Millisecond)
		if got := d.take(); len(got) != 3 {
			t.Fatalf("sent %q", got)
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	s := &Service{cfg: Config{Feed: &core.Feed{}, Topic: func(topic.Name) (core.Topic, bool) { return core.Topic{}, false },
		Newest: func(topic.Name) (core.Message, bool) { return core.Message{}, false }},
		watches: map[topic.ID]*watch{}, states: map[topic.ID]core.AlarmState{}, tell: map[topic.Name]string{}}
	s.byTopic.Store(&map[topic.Name][]*watch{})
	s.Set([]*core.Alarm{{ID: "a", Topic: "x", Kind: core.AlarmAbove, Limit: 30}})
	for _, n := range []topic.Name{"x", "y"} {
		b.Run(string(n), func(b *testing.B) {
			m := core.Message{Topic: n, Payload: []byte("21.5"), At: time.Now()}
			b.ReportAllocs()
			for b.Loop() {
				s.Observe(m)
			}
		})
	}
}

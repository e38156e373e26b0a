package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// attic is Readings and a Broker that are maps.
type attic struct {
	quiet
	mu       sync.Mutex
	readings map[topic.Name]int64        // guarded by mu
	retained map[topic.Name]core.Message // guarded by mu
}

func newAttic() *attic {
	return &attic{readings: map[topic.Name]int64{}, retained: map[topic.Name]core.Message{}}
}

func (a *attic) Move(_ context.Context, from, to topic.Name) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for n, count := range maps.Clone(a.readings) {
		if core.Within(n, from) {
			delete(a.readings, n)
			a.readings[to+n[len(from):]] += count
		}
	}
	return nil
}

func (a *attic) ForgetUnder(_ context.Context, under topic.Name) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.readings, func(n topic.Name, _ int64) bool { return core.Within(n, under) })
	return nil
}

func (a *attic) CountReadings(_ context.Context, under topic.Name) (count int64, _ error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for n, c := range a.readings {
		if core.Within(n, under) {
			count += c
		}
	}
	return count, nil
}

func (a *attic) Publish(_ context.Context, m core.Message) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.retained[m.Topic] = m; len(m.Payload) == 0 {
		delete(a.retained, m.Topic)
	}
	return nil
}

func (a *attic) Retained(f topic.Filter, _ int) (ms []core.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.retained {
		if f.Match(m.Topic) {
			ms = append(ms, m)
		}
	}
	return ms
}

func (a *attic) Clients() []core.Client { return nil }
func (a *attic) Grants() []core.Grant   { return nil }
func (a *attic) Authorize(_ core.AccountID, _ core.Action, f topic.Filter) (topic.Filter, error) {
	return f, nil
}

// total is how many readings there are, wherever.
func (a *attic) total() (n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.readings {
		n += c
	}
	return n
}

// complete opens a Service with everything, and what more sets.
func complete(t testing.TB, m *memory, a *attic, more ...func(*Config)) *Service {
	t.Helper()
	cfg := Config{Store: m, Readings: a, Arrivals: quiet{}, Broker: a, Authority: a, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler)}
	for _, set := range more {
		set(&cfg)
	}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sketch is the design as text, with the time of each change where exact.
func sketch(d *core.Design, exact bool) string {
	var b strings.Builder
	at := func(t *time.Time) {
		if !exact {
			*t = time.Time{}
		}
	}
	for _, t := range d.Topics {
		one := *t
		at(&one.Changed)
		fmt.Fprintf(&b, "topic %+v\n", one)
	}
	for _, p := range d.Places {
		one := *p
		at(&one.Changed)
		fmt.Fprintf(&b, "place %+v\n", one)
	}
	for _, r := range d.Rules {
		one := *r
		at(&one.Changed)
		fmt.Fprintf(&b, "rule %+v\n", one)
	}
	for _, a := range d.Alarms {
		one := *a
		at(&one.Changed)
		fmt.Fprintf(&b, "alarm %+v\n", one)
	}
	if exact {
		fmt.Fprintf(&b, "renamed %+v\n", d.Renamed)
	}
	return b.String()
}

// model is the naive plan: sets, and a list of how they were.
type model struct {
	d core.Design
}

func (m *model) String() string {
	slices.SortFunc(m.d.Topics, order(topicKey))
	slices.SortFunc(m.d.Places, order(placeKey))
	slices.SortFunc(m.d.Rules, order(ruleKey))
	slices.SortFunc(m.d.Alarms, order(alarmKey))
	return sketch(&m.d, false)
}

func without[T any](all []*T, gone func(*T) bool) (left []*T) {
	for _, one := range all {
		if !gone(one) {
			left = append(left, one)
		}
	}
	return left
}

func (m *model) change(b core.Batch) {
	d := &m.d
	d.Topics = without(d.Topics, func(t *core.Topic) bool { return slices.Contains(b.RemoveTopics, t.Name) })
	d.Places = without(d.Places, func(p *core.Place) bool { return slices.Contains(b.RemovePlaces, p.Name) })
	d.Rules = without(d.Rules, func(r *core.Rule) bool { return slices.Contains(b.RemoveRules, r.ID) })
	d.Alarms = without(d.Alarms, func(a *core.Alarm) bool { return slices.Contains(b.RemoveAlarms, a.ID) })
	for _, t := range b.Topics {
		d.Topics = append(without(d.Topics, func(o *core.Topic) bool { return o.Name == t.Name }), &t)
	}
	for _, p := range b.Places {
		d.Places = append(without(d.Places, func(o *core.Place) bool { return o.Name == p.Name }), &p)
	}
	for _, r := range b.Rules {
		d.Rules = append(without(d.Rules, func(o *core.Rule) bool { return o.ID == r.ID }), &r)
	}
	for _, a := range b.Alarms {
		d.Alarms = append(without(d.Alarms, func(o *core.Alarm) bool { return o.ID == a.ID }), &a)
	}
}

func (m *model) move(from, to topic.Name) {
	name := func(n topic.Name) topic.Name {
		if n == from {
			return to
		}
		if strings.HasPrefix(string(n), string(from)+"/") {
			return topic.Name(strings.Replace(string(n), string(from), string(to), 1))
		}
		return n
	}
	d := &m.d
	for i, t := range d.Topics {
		one := *t
		one.Name = name(t.Name)
		d.Topics[i] = &one
	}
	for i, p := range d.Places {
		one := *p
		one.Name, one.Ports = name(p.Name), slices.Clone(p.Ports)
		if one.Name != p.Name && one.Kind != core.KitPlace {
			if one.Kind = core.BranchPlace; strings.Contains(string(one.Name), "/") {
				one.Kind = core.RoomPlace
			}
		}
		for j := range one.Ports {
			one.Ports[j].Topic = name(one.Ports[j].Topic)
		}
		d.Places[i] = &one
	}
	for i, r := range d.Rules {
		one := ownRule(*r)
		one.Kit = name(r.Kit)
		for j := range one.Inputs {
			one.Inputs[j].Topic = name(one.Inputs[j].Topic)
		}
		for j := range one.Then {
			one.Then[j].Topic = name(one.Then[j].Topic)
		}
		d.Rules[i] = &one
	}
	for i, a := range d.Alarms {
		one := *a
		one.Topic = name(a.Topic)
		d.Alarms[i] = &one
	}
}

func (m *model) remove(n topic.Name) {
	in := func(o topic.Name) bool { return o == n || strings.HasPrefix(string(o), string(n)+"/") }
	d := &m.d
	d.Topics = without(d.Topics, func(t *core.Topic) bool { return in(t.Name) })
	d.Places = without(d.Places, func(p *core.Place) bool { return in(p.Name) })
	d.Alarms = without(d.Alarms, func(a *core.Alarm) bool { return in(a.Topic) })
	d.Rules = without(d.Rules, func(r *core.Rule) bool {
		for _, i := range r.Inputs {
			if in(i.Topic) {
				return true
			}
		}
		for _, a := range r.Then {
			if in(a.Topic) {
				return true
			}
		}
		return in(r.Kit)
	})
}

// chance makes names and batches up, from so few that they often meet.
type chance struct{ *rand.Rand }

func (c chance) name(levels int) topic.Name {
	ls := []string{[]string{"blue", "red", "green"}[c.IntN(3)], []string{"lab", "hall", "Lab"}[c.IntN(3)], []string{"kit-1", "kit-2"}[c.IntN(2)], []string{"air", "led", "set"}[c.IntN(3)]}
	return topic.Name(strings.Join(ls[:levels], "/"))
}

func (c chance) topic() core.Topic {
	t := core.Topic{Name: c.name(3 + c.IntN(2)), Text: fmt.Sprint(c.IntN(1000)), QoS: byte(c.IntN(3))}
	switch c.IntN(3) {
	case 0:
		t.Kind, t.Max, t.Step, t.Unit = core.Number, float64(1+c.IntN(9)), 0.5, "°C"
	case 1:
		t.Kind, t.Options = core.Enumeration, []string{"wet", fmt.Sprint(c.IntN(9))}
	}
	return t
}

func (c chance) place() core.Place {
	p := core.Place{Label: fmt.Sprint(c.IntN(1000)), X: c.Float64() * 100}
	switch c.IntN(3) {
	case 0:
		p.Name, p.Kind = c.name(1), core.BranchPlace
	case 1:
		p.Name, p.Kind, p.W = c.name(2), core.RoomPlace, 3
	default:
		p.Name, p.Kind, p.Role = c.name(3), core.KitPlace, core.AnyKit
		for i := range c.IntN(3) {
			p.Ports = append(p.Ports, core.Port{Slot: topic.ID(fmt.Sprint("p", i)), Topic: c.name(4), Action: core.Publish})
		}
	}
	return p
}

func (c chance) rule() core.Rule {
	return core.Rule{ID: topic.ID(fmt.Sprint("r", c.IntN(5))), If: fmt.Sprint("a > ", c.IntN(100)), Inputs: []core.Input{{Name: "a", Topic: c.name(4)}},
		When: []core.Trigger{{Kind: core.OnChange, Input: "a"}}, Then: []core.Act{{Topic: c.name(4), Value: "1"}}}
}

func (c chance) batch(d *core.Design) (b core.Batch) {
	for range c.IntN(3) {
		b.Topics = append(b.Topics, c.topic())
	}
	for range c.IntN(3) {
		b.Places = append(b.Places, c.place())
	}
	if c.IntN(2) == 0 {
		b.Rules = append(b.Rules, c.rule())
		b.Alarms = append(b.Alarms, core.Alarm{ID: topic.ID(fmt.Sprint("a", c.IntN(5))), Topic: c.name(4), Kind: core.AlarmAbove, Limit: float64(c.IntN(100))})
	}
	if c.IntN(4) == 0 && len(d.Topics) > 0 {
		b.RemoveTopics = []topic.Name{d.Topics[c.IntN(len(d.Topics))].Name}
	}
	if c.IntN(6) == 0 && len(d.Places) > 0 {
		b.RemovePlaces = []topic.Name{d.Places[c.IntN(len(d.Places))].Name}
	}
	if c.IntN(6) == 0 && len(d.Rules) > 0 {
		b.RemoveRules = []topic.ID{d.Rules[c.IntN(len(d.Rules))].ID}
	}
	return b
}

// seeds are those of a test that makes something at random: few for each change,
// and as many as SEEDS says for the night.
func seeds(t *testing.T, few uint64) iter.Seq[uint64] {
	if s := os.Getenv("SEEDS"); s != "" {
		var err error
		if few, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return func(yield func(uint64) bool) {
		for seed := range few {
			if !yield(seed) {
				return
			}
		}
	}
}

// TestEditsLikeTheModel makes changes at random, and compares each with a naive
// model: what is refused changes nothing, what is undone is exactly as before, and
// no reading is lost.
func TestEditsLikeTheModel(t *testing.T) {
	for seed := range seeds(t, 3) {
		m, a, c := &memory{}, newAttic(), chance{rand.New(rand.NewPCG(seed, 5))}
		s := complete(t, m, a)
		for range 10 {
			a.readings[c.name(4)] = 7
		}
		readings := a.total()
		states, at := []string{sketch(s.Design(), true)}, 0
		made := map[string]int{}
		for step := range 120 {
			before := sketch(s.Design(), true)
			naive := model{core.Design{Topics: slices.Clone(s.Design().Topics), Places: slices.Clone(s.Design().Places), Rules: slices.Clone(s.Design().Rules), Alarms: slices.Clone(s.Design().Alarms)}}
			topics := len(s.Design().Topics)
			undo, _ := s.Edits()
			var err error
			what, pushed, moved := "", true, false
			switch c.IntN(10) {
			case 0, 1, 2, 3:
				b := c.batch(s.Design())
				what = fmt.Sprintf("change %+v", b)
				naive.change(b)
				err = s.Change(t.Context(), b)
			case 4:
				from, to := c.name(1+c.IntN(4)), c.name(1+c.IntN(4))
				what = fmt.Sprint("move ", from, " to ", to)
				naive.move(from, to)
				moved = true
				_, err = s.MoveTopics(t.Context(), from, to, true)
			case 5:
				n := c.name(1 + c.IntN(4))
				what = fmt.Sprint("remove ", n)
				naive.remove(n)
				_, err = s.RemoveTopics(t.Context(), n, true)
			case 6:
				if rs := s.Removals(); len(rs) > 0 {
					r := rs[c.IntN(len(rs))]
					what = fmt.Sprint("bring back ", r.Under)
					err = s.UndoRemove(t.Context(), r.ID)
				}
				naive.d = *s.Design()
				if now, _ := s.Edits(); len(now) < len(undo) {
					pushed = false
					at--
				}
			case 7, 8:
				what, pushed = "undo", false
				if _, err = s.Undo(t.Context()); err == nil {
					at--
				} else if at != 0 {
					t.Fatalf("seed %d, step %d: %v", seed, step, err)
				}
				naive.d = *s.Design()
			default:
				what, pushed = "redo", false
				if _, err = s.Redo(t.Context()); err == nil {
					at++
				} else if at != len(states)-1 {
					t.Fatalf("seed %d, step %d: %v", seed, step, err)
				}
				naive.d = *s.Design()
			}
			after := sketch(s.Design(), true)
			switch {
			case err != nil:
				var told *core.Problem
				if !errors.As(err, &told) || before != after {
					t.Fatalf("seed %d, step %d: %s was refused and changed something: %v\nbefore\n%s\nafter\n%s", seed, step, what, err, before, after)
				}
			case !pushed:
				if after != states[at] {
					t.Fatalf("seed %d, step %d: %s\nis\n%s\nwant\n%s", seed, step, what, after, states[at])
				}
			case sketch(s.Design(), false) != naive.String():
				t.Fatalf("seed %d, step %d: %s\nis\n%s\nwant\n%s", seed, step, what, sketch(s.Design(), false), naive.String())
			case before != after:
				states, at = append(states[:at+1], after), at+1
			}
			if err == nil && moved && len(s.Design().Topics) != topics {
				t.Fatalf("seed %d: %s: %d topics became %d", seed, what, topics, len(s.Design().Topics))
			}
			if err == nil {
				kind, _, _ := strings.Cut(what, " ")
				made[kind]++
			}
			if n := a.total(); n != readings {
				t.Fatalf("seed %d, step %d: %s: %d readings became %d", seed, step, what, readings, n)
			}
			if undo, redo := s.Edits(); len(undo) != at || len(redo) != len(states)-1-at {
				t.Fatalf("seed %d, step %d: %s: %d can be undone and %d redone, want %d and %d", seed, step, what, len(undo), len(redo), at, len(states)-1-at)
			}
			if c.IntN(20) == 0 {
				s = complete(t, m, a) // the program starts anew
				if got := sketch(s.Design(), true); got != after {
					t.Fatalf("seed %d, step %d: after a restart\n%s\nwant\n%s", seed, step, got, after)
				}
			}
			checkWhole(t, s)
		}
		for back := at; back > 0; back-- {
			if _, err := s.Undo(t.Context()); err != nil || sketch(s.Design(), true) != states[back-1] {
				t.Fatalf("seed %d: undone to %d: %v", seed, back-1, err)
			}
		}
		for on := 1; on < len(states); on++ {
			if _, err := s.Redo(t.Context()); err != nil || sketch(s.Design(), true) != states[on] {
				t.Fatalf("seed %d: redone to %d: %v", seed, on, err)
			}
		}
		if seed == 0 && len(made) < 6 {
			t.Errorf("little was tried: %v", made)
		}
	}
}

// checkWhole looks at what must hold of every design.
func checkWhole(t *testing.T, s *Service) {
	t.Helper()
	d := s.Design()
	folds := map[string]topic.Name{}
	for _, n := range append(names(d.Topics, topicKey), names(d.Places, placeKey)...) {
		if other, there := folds[fold(n)]; there {
			t.Fatalf("%s and %s are both designed", n, other)
		}
		folds[fold(n)] = n
		if to, is := s.Renamed(n); is {
			t.Fatalf("%s is designed and stands for %s", n, to)
		}
	}
	if !slices.IsSortedFunc(d.Topics, order(topicKey)) || !slices.IsSortedFunc(d.Places, order(placeKey)) || !slices.IsSortedFunc(d.Rules, order(ruleKey)) {
		t.Fatal("not in order")
	}
	for _, r := range d.Renamed {
		if to, is := s.Renamed(r.New); is {
			t.Fatalf("%s stands for %s, which stands for %s", r.Old, r.New, to)
		}
	}
	if !maps.Equal(folds, s.folded) {
		t.Fatalf("names that are taken: %v, want %v", s.folded, folds)
	}
}

func names[T any](all []*T, key func(*T) topic.Name) (ns []topic.Name) {
	for _, one := range all {
		ns = append(ns, key(one))
	}
	return ns
}

func TestChangeIsAllOrNothing(t *testing.T) {
	a := newAttic()
	s := complete(t, &memory{}, a, func(c *Config) {
		c.CheckRule = func(r core.Rule, topics func(topic.Name) (core.Topic, bool)) error {
			if _, ok := topics(r.Inputs[0].Topic); !ok {
				return core.Fail(core.ErrInvalid, "no such input")
			}
			return nil
		}
	})
	base := core.Batch{Topics: []core.Topic{{Name: "blue/lab/kit-1/air"}, {Name: "flat"}}, Places: []core.Place{{Name: "blue", Kind: core.BranchPlace}, {Name: "blue/lab", Kind: core.RoomPlace},
		{Name: "blue/lab/kit-1", Kind: core.KitPlace, Role: core.ChoiceKit, Account: "kit-1"}},
		Rules: []core.Rule{{ID: "r", Kit: "blue/lab/kit-1", Inputs: []core.Input{{Name: "air", Topic: "flat"}}}}}
	if err := s.Change(core.As(t.Context(), 7), base); err != nil {
		t.Fatal(err)
	}
	if r := s.Design().Rule("r"); r.Account != 7 {
		t.Errorf("the rule belongs to %d", r.Account)
	}
	want, revision := sketch(s.Design(), true), s.Design().Revision
	kit := core.Place{Name: "blue/lab/kit-2", Kind: core.KitPlace, Role: core.LightKit}
	with := func(change func(*core.Place)) core.Batch {
		p := kit
		change(&p)
		return core.Batch{Places: []core.Place{p}}
	}
	ruled := func(r core.Rule) core.Batch {
		r.ID = cmp.Or(r.ID, "new")
		r.Inputs = append(r.Inputs, core.Input{Name: "x", Topic: "flat"})
		return core.Batch{Rules: []core.Rule{r}}
	}
	alarm := func(a core.Alarm) core.Batch {
		a.ID, a.Topic = cmp.Or(a.ID, "new"), cmp.Or(a.Topic, "flat")
		return core.Batch{Alarms: []core.Alarm{a}}
	}
	port := core.Port{Slot: "led", Topic: "blue/lab/led", Action: core.Publish}
	for _, c := range []struct {
		what string
		b    core.Batch
		kind error
		says string
	}{
		{"looks like a room", with(func(p *core.Place) { p.Name = "blue/LAB" }), core.ErrConflict, "blue/LAB would look like blue/lab"},
		{"a topic is there", with(func(p *core.Place) { p.Name = "flat" }), core.ErrConflict, "flat is a topic"},
		{"a room is there", core.Batch{Topics: []core.Topic{{Name: "blue/lab"}}}, core.ErrConflict, "blue/lab is a branch, room or kit"},
		{"both at once", core.Batch{Topics: []core.Topic{{Name: "x"}}, Places: []core.Place{{Name: "x", Kind: core.RoomPlace}}}, core.ErrConflict, "x is a topic"},
		{"twice", core.Batch{Topics: []core.Topic{{Name: "x"}, {Name: "x"}}}, core.ErrInvalid, "x is there twice"},
		{"pattern", with(func(p *core.Place) { p.Name = "{team}/lab" }), core.ErrInvalid, "{ or }"},
		{"wildcard", with(func(p *core.Place) { p.Name = "blue/+" }), core.ErrInvalid, "+ or #"},
		{"kind", with(func(p *core.Place) { p.Kind = "house" }), core.ErrInvalid, "no branch, room or kit"},
		{"role", with(func(p *core.Place) { p.Role = "oven" }), core.ErrInvalid, "no role"},
		{"role of a room", with(func(p *core.Place) { p.Kind = core.RoomPlace }), core.ErrInvalid, "no kit"},
		{"far away", with(func(p *core.Place) { p.X = 1e300 }), core.ErrInvalid, "nobody can see"},
		{"nowhere", with(func(p *core.Place) { p.Y = nan }), core.ErrInvalid, "nobody can see"},
		{"size", with(func(p *core.Place) { p.W = -1 }), core.ErrInvalid, "below 0"},
		{"account", with(func(p *core.Place) { p.Account = "+" }), core.ErrInvalid, "+ cannot be the name"},
		{"slot", with(func(p *core.Place) { p.Ports = []core.Port{{Slot: "L E D", Topic: "x", Action: core.Publish}} }), core.ErrInvalid, "cannot be the name"},
		{"slot twice", with(func(p *core.Place) { p.Ports = []core.Port{port, port} }), core.ErrInvalid, "the port led twice"},
		{"port without action", with(func(p *core.Place) { p.Ports = []core.Port{{Slot: "led", Topic: "x"}} }), core.ErrInvalid, "neither"},
		{"port to a pattern", with(func(p *core.Place) { p.Ports = []core.Port{{Slot: "led", Topic: "{kit}/x", Action: core.Publish}} }), core.ErrInvalid, "{ or }"},
		{"many ports", with(func(p *core.Place) { p.Ports = make([]core.Port, maxPorts+1) }), core.ErrInvalid, "ports"},
		{"long text", with(func(p *core.Place) { p.Text = strings.Repeat("x", maxText+1) }), core.ErrInvalid, "longer"},
		{"removed meanwhile", core.Batch{Topics: []core.Topic{{Name: "gone", Changed: time.Now()}}}, core.ErrConflict, "gone was removed meanwhile"},
		{"changed meanwhile", core.Batch{Topics: []core.Topic{{Name: "flat", Text: "x", Changed: time.UnixMilli(1)}}}, core.ErrConflict, "flat was changed meanwhile"},
		{"room changed meanwhile", core.Batch{Places: []core.Place{{Name: "blue", Kind: core.BranchPlace, Changed: time.UnixMilli(1)}}}, core.ErrConflict, "blue was changed meanwhile"},
		{"what is not there", core.Batch{RemoveTopics: []topic.Name{"nothing"}}, core.ErrNotFound, "nothing is not in the plan"},
		{"removed twice", core.Batch{RemovePlaces: []topic.Name{"blue", "blue"}}, core.ErrNotFound, "not in the plan"},
		{"no rule", core.Batch{RemoveRules: []topic.ID{"x"}}, core.ErrNotFound, "not in the plan"},
		{"no alarm", core.Batch{RemoveAlarms: []topic.ID{"x"}}, core.ErrNotFound, "not in the plan"},
		{"rule ID", ruled(core.Rule{ID: "Choice"}), core.ErrInvalid, "Choice cannot be the name"},
		{"rule twice", core.Batch{Rules: append(ruled(core.Rule{}).Rules, ruled(core.Rule{}).Rules...)}, core.ErrInvalid, "new is there twice"},
		{"input name", ruled(core.Rule{Inputs: []core.Input{{Name: "1st", Topic: "flat"}}}), core.ErrInvalid, "1st cannot be"},
		{"input twice", ruled(core.Rule{Inputs: []core.Input{{Name: "x", Topic: "flat"}}}), core.ErrInvalid, "input x twice"},
		{"input of a pattern", ruled(core.Rule{Inputs: []core.Input{{Name: "y", Topic: "#"}}}), core.ErrInvalid, "+ or #"},
		{"trigger", ruled(core.Rule{When: []core.Trigger{{Kind: "moon"}}}), core.ErrInvalid, "that there is not"},
		{"trigger of no input", ruled(core.Rule{When: []core.Trigger{{Kind: core.OnChange, Input: "y"}}}), core.ErrInvalid, "none of its inputs"},
		{"time of day", ruled(core.Rule{When: []core.Trigger{{Kind: core.OnTime, At: day}}}), core.ErrInvalid, "no day has"},
		{"day", ruled(core.Rule{When: []core.Trigger{{Kind: core.OnTime, Days: []time.Weekday{7}}}}), core.ErrInvalid, "day that there is not"},
		{"too often", ruled(core.Rule{When: []core.Trigger{{Kind: core.OnEvery, Every: time.Millisecond}}}), core.ErrInvalid, "too short"},
		{"before it began", ruled(core.Rule{For: -1}), core.ErrInvalid, "too short"},
		{"for years", ruled(core.Rule{Cooldown: 1 << 60}), core.ErrInvalid, "longer than 7 days"},
		{"novel", ruled(core.Rule{If: strings.Repeat("a", maxExpression+1)}), core.ErrInvalid, "An expression"},
		{"acts on a pattern", ruled(core.Rule{Then: []core.Act{{Topic: "a/+"}}}), core.ErrInvalid, "+ or #"},
		{"many acts", ruled(core.Rule{Then: make([]core.Act, maxActs+1)}), core.ErrInvalid, "too large"},
		{"no such kit", ruled(core.Rule{Kit: "blue/lab/kit-9"}), core.ErrInvalid, "no kit that decides"},
		{"kit goes", core.Batch{Rules: ruled(core.Rule{Kit: "blue/lab/kit-1"}).Rules, RemovePlaces: []topic.Name{"blue/lab/kit-1"}}, core.ErrInvalid, "no kit that decides"},
		{"grammar", core.Batch{Rules: []core.Rule{{ID: "new", Inputs: []core.Input{{Name: "x", Topic: "unknown"}}}}}, core.ErrInvalid, "no such input"},
		{"alarm kind", alarm(core.Alarm{Kind: "loud"}), core.ErrInvalid, "that there is not"},
		{"alarm word", alarm(core.Alarm{Kind: core.AlarmEquals}), core.ErrInvalid, "needs the value"},
		{"alarm limit", alarm(core.Alarm{Kind: core.AlarmAbove, Limit: nan}), core.ErrInvalid, "no number"},
		{"alarm hysteresis", alarm(core.Alarm{Kind: core.AlarmAbove, Clear: -1}), core.ErrInvalid, "below 0"},
		{"alarm without time", alarm(core.Alarm{Kind: core.AlarmSilent}), core.ErrInvalid, "too short"},
		{"alarm topic", alarm(core.Alarm{Kind: core.AlarmAbove, Topic: "#"}), core.ErrInvalid, "+ or #"},
		{"rate below 0", alarm(core.Alarm{Kind: core.AlarmRate, Within: time.Minute, Limit: -1}), core.ErrInvalid, "below 0"},
	} {
		c.b.Topics = append(c.b.Topics, core.Topic{Name: "is/right"})
		err := s.Change(t.Context(), c.b)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.what, err, c.says)
		}
		if got := sketch(s.Design(), true); got != want || s.Design().Revision != revision {
			t.Fatalf("%s: half of it was taken\n%s", c.what, got)
		}
	}
	if undo, redo := s.Edits(); len(undo) != 1 || len(redo) != 0 {
		t.Errorf("%d edits", len(undo))
	}
	if err := s.Change(t.Context(), core.Batch{Topics: []core.Topic{{Name: "flat"}}}); err != nil || s.Design().Revision != revision {
		t.Errorf("a change of nothing is an edit: %v", err)
	}
	if err := s.Change(t.Context(), core.Batch{Places: []core.Place{{Name: "flat", Kind: core.RoomPlace}}, RemoveTopics: []topic.Name{"flat"}}); err != nil {
		t.Errorf("a topic becomes a room: %v", err)
	}
	if r := s.Design().Rule("r"); r == nil || r.Account != 7 {
		t.Errorf("the rule went: %+v", r)
	}
}

var nan = func() float64 { zero := 0.0; return zero / zero }()

// TestUndoRemembersWho: an edit says who made it, what is undone tells the audit,
// and a new edit clears what could be redone.
func TestUndoRemembersWho(t *testing.T) {
	var noted []string
	s := complete(t, &memory{}, newAttic(), func(c *Config) {
		c.Note = func(ctx context.Context, say core.Sentence) error {
			noted = append(noted, fmt.Sprint(core.Actor(ctx), " ", say))
			return nil
		}
	})
	if _, err := s.Undo(t.Context()); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("nothing to undo: %v", err)
	}
	if _, err := s.Redo(t.Context()); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("nothing to redo: %v", err)
	}
	ana, ben := core.As(t.Context(), 1), core.As(t.Context(), 2)
	must(t, s.CreateTopic(ana, core.Topic{Name: "a"}))
	must(t, s.Change(ben, core.Batch{Topics: []core.Topic{{Name: "b"}}, Say: core.Say("{what} came", "what", strings.Repeat("b", 1000))}))
	e, err := s.Undo(ana)
	if err != nil || e.Account != 2 || len(e.Say.String()) > maxArg+10 || !strings.HasSuffix(e.Say.String(), "… came") {
		t.Errorf("%+v, %v", e, err)
	}
	undo, redo := s.Edits()
	if len(undo) != 1 || len(redo) != 1 || undo[0].Account != 1 || undo[0].Say.String() != "a was designed" || redo[0].ID != e.ID || time.Since(e.At) > time.Minute {
		t.Errorf("undo %+v, redo %+v", undo, redo)
	}
	must(t, s.CreateTopic(ana, core.Topic{Name: "c"}))
	if _, redo := s.Edits(); len(redo) != 0 {
		t.Errorf("redo %+v", redo)
	}
	if _, err := s.Redo(t.Context()); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("nothing to redo: %v", err)
	}
	want := []string{"1 a was designed", "2 bbb", "1 Undone: bbb", "1 c was designed"}
	for i, n := range noted {
		if len(noted) != len(want) || !strings.HasPrefix(n, want[i]) {
			t.Errorf("noted %q", noted)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestUndoOfWhatChanged: what is not as an edit left it stays as it is, and the
// next undo goes on to the edit before.
func TestUndoOfWhatChanged(t *testing.T) {
	m := &memory{}
	s := complete(t, m, newAttic())
	must(t, s.CreateTopic(t.Context(), core.Topic{Name: "before"}))
	must(t, s.Change(t.Context(), core.Batch{Topics: []core.Topic{{Name: "one"}, {Name: "two"}}}))
	// Somebody whose edit is not kept changes one of them.
	must(t, m.WritePlan(t.Context(), m.kept.Revision, Change{Topics: Rows[topic.Name, core.Topic]{Put: []core.Topic{{Name: "two", Text: "mine"}}}}))
	must(t, s.follow(t.Context()))
	want := sketch(s.Design(), true)
	if _, err := s.Undo(t.Context()); !errors.Is(err, core.ErrConflict) || !strings.Contains(err.Error(), "two is not as it was") {
		t.Errorf("%v", err)
	}
	if got := sketch(s.Design(), true); got != want {
		t.Errorf("half of it was undone\n%s", got)
	}
	if e, err := s.Undo(t.Context()); err != nil || e.Say.String() != "before was designed" || len(s.Topics("#")) != 2 {
		t.Errorf("%v, %v", e, err)
	}
}

// TestUndoIsBounded makes more and larger edits than are kept.
func TestUndoIsBounded(t *testing.T) {
	m := &memory{}
	s := complete(t, m, newAttic())
	for i := range 3 {
		must(t, s.Change(t.Context(), core.Batch{Topics: []core.Topic{{Name: "a", Text: fmt.Sprint(i)}}}))
	}
	before := s.Design().Revision
	// Those that another time made, as small as they can be.
	for id := range int64(maxEdits) {
		m.kept.Edits = append(m.kept.Edits, Edit{Edit: core.Edit{ID: before + 1 + id}, Size: 1})
	}
	m.kept.Revision += maxEdits
	s = complete(t, m, newAttic())
	must(t, s.Change(t.Context(), core.Batch{Topics: []core.Topic{{Name: "a", Text: "newest"}}}))
	undo, _ := s.Edits()
	if len(undo) != maxEdits || len(m.kept.Edits) != maxEdits || undo[0].ID != s.Design().Revision || undo[maxEdits-1].ID != before+2 {
		t.Fatalf("%d edits, %d kept", len(undo), len(m.kept.Edits))
	}
	// Now as large as they can be.
	for i := range m.kept.Edits {
		m.kept.Edits[i].Size = maxImages / 8
	}
	s = complete(t, m, newAttic())
	must(t, s.Change(t.Context(), core.Batch{Topics: []core.Topic{{Name: "a", Text: "one more"}}}))
	newest := m.kept.Edits[len(m.kept.Edits)-1]
	if newest.Size == 0 || newest.Size != len(newest.Images) {
		t.Errorf("an edit of %d bytes says it has %d", len(newest.Images), newest.Size)
	}
	if undo, _ = s.Edits(); len(undo) != 8 || len(m.kept.Edits) != 8 || undo[0].ID != s.Design().Revision {
		t.Fatalf("%d edits, %d kept", len(undo), len(m.kept.Edits))
	}
	if _, err := s.Undo(t.Context()); err != nil || s.Design().Topic("a").Text != "newest" {
		t.Errorf("%v, %+v", err, s.Design().Topic("a"))
	}
}

// TestUndoOfARemovalTooLate: after ten minutes a removal stays, and the edits
// before it can be reached.
func TestUndoOfARemovalTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAttic()
		s := complete(t, &memory{}, a)
		must(t, s.CreateTopic(t.Context(), core.Topic{Name: "old"}))
		must(t, s.CreateTopic(t.Context(), core.Topic{Name: "a"}))
		a.readings["a"] = 3
		_, err := s.RemoveTopics(t.Context(), "a", true)
		must(t, err)
		time.Sleep(UndoWithin - time.Second)
		_, err = s.Undo(t.Context())
		must(t, err)
		if a.readings["a"] != 3 || len(s.Removals()) != 0 {
			t.Errorf("readings %v", a.readings)
		}
		_, err = s.Redo(t.Context())
		must(t, err)
		if a.readings["a"] != 0 || len(s.Removals()) != 1 {
			t.Errorf("readings %v, removals %v", a.readings, s.Removals())
		}
		_, err = s.Undo(t.Context())
		must(t, err)
		_, err = s.Redo(t.Context())
		must(t, err)
		time.Sleep(UndoWithin + time.Second)
		if _, err := s.Undo(t.Context()); !errors.Is(err, core.ErrNotFound) || !strings.Contains(err.Error(), "cannot be undone any more") {
			t.Errorf("%v", err)
		}
		if _, err := s.Undo(t.Context()); !errors.Is(err, core.ErrConflict) || !strings.Contains(err.Error(), "a is not as it was then") {
			t.Errorf("%v", err)
		}
		if e, err := s.Undo(t.Context()); err != nil || e.Say.String() != "old was designed" {
			t.Errorf("%v %v", e, err)
		}
		if _, ok := s.Topic("old"); ok {
			t.Error("it is still there")
		}
	})
}

// TestBringBackAmongOtherEdits brings back what is not the newest edit, and undoes
// and redoes around it.
func TestBringBackAmongOtherEdits(t *testing.T) {
	a := newAttic()
	s := complete(t, &memory{}, a)
	must(t, s.CreateTopic(t.Context(), core.Topic{Name: "a"}))
	a.readings["a"] = 3
	e, err := s.RemoveTopics(t.Context(), "a", true)
	must(t, err)
	must(t, s.CreateTopic(t.Context(), core.Topic{Name: "b"}))
	must(t, s.UndoRemove(t.Context(), e.Removal.ID))
	look := func(what string, readings int64, designed ...topic.Name) {
		t.Helper()
		if got := names(s.Design().Topics, topicKey); !slices.Equal(got, designed) || a.readings["a"] != readings {
			t.Errorf("%s: %v, %v", what, got, a.readings)
		}
	}
	look("back", 3, "a", "b")
	for range 2 {
		for i, want := range []struct {
			readings int64
			designed []topic.Name
		}{{0, []topic.Name{"b"}}, {0, nil}, {3, []topic.Name{"a"}}} {
			_, err := s.Undo(t.Context())
			must(t, err)
			look(fmt.Sprint("undone ", i), want.readings, want.designed...)
		}
		for i, want := range []struct {
			readings int64
			designed []topic.Name
		}{{0, nil}, {0, []topic.Name{"b"}}, {3, []topic.Name{"a", "b"}}} {
			_, err := s.Redo(t.Context())
			must(t, err)
			look(fmt.Sprint("redone ", i), want.readings, want.designed...)
		}
	}
}

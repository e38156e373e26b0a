package plan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"homeroom/core"
	"homeroom/core/topic"
)

// memory is a Store without a disk.
type memory struct {
	mu       sync.Mutex
	kept     Kept
	topics   map[topic.Name]core.Topic // that it begins with
	images   map[int64][]byte
	retained map[int64][]core.Message
	hold     chan struct{} // if not nil, writing waits until it is closed
}

func (m *memory) PlanRevision(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept.Revision, nil
}

func (m *memory) ReadPlan(context.Context) (Kept, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.topics {
		m.kept.Topics = append(m.kept.Topics, &t)
	}
	m.topics = nil
	slices.SortFunc(m.kept.Topics, order(topicKey))
	k := m.kept
	k.Topics, k.Tasks, k.Edits, k.Removed = slices.Clone(k.Topics), slices.Clone(k.Tasks), slices.Clone(k.Edits), maps.Clone(k.Removed)
	return k, nil
}

func (m *memory) WritePlan(_ context.Context, revision int64, c Change) error {
	if m.hold != nil {
		<-m.hold
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k := &m.kept
	if revision != k.Revision {
		return core.ErrConflict
	}
	k.Revision++
	k.Topics, k.Places = merge(k.Topics, c.Topics, topicKey), merge(k.Places, c.Places, placeKey)
	k.Rules, k.Alarms = merge(k.Rules, c.Rules, ruleKey), merge(k.Alarms, c.Alarms, alarmKey)
	k.Renamed = merge(k.Renamed, c.Renamed, renamedKey)
	if k.Removed == nil {
		k.Removed, m.images, m.retained = map[topic.Name]core.Removal{}, map[int64][]byte{}, map[int64][]core.Message{}
	}
	for _, n := range c.Removed.Remove {
		delete(k.Removed, n)
	}
	for _, t := range c.Removed.Put {
		k.Removed[t.Topic] = t.Removal
	}
	k.Adopt = k.Adopt && !c.Adopted
	if t := c.Task; t != nil && t.ID == 0 {
		began := *t
		began.ID, began.Retained, m.retained[k.Revision] = k.Revision, nil, t.Retained
		k.Tasks = append(k.Tasks, began)
	} else if t != nil {
		for i := range k.Tasks {
			if k.Tasks[i].ID == t.ID {
				k.Tasks[i].Kind, k.Tasks[i].Done = t.Kind, t.Done
			}
		}
	}
	k.Tasks = slices.DeleteFunc(k.Tasks, func(t Task) bool { return t.ID == c.End })
	k.Edits = slices.DeleteFunc(k.Edits, func(e Edit) bool { return slices.Contains(c.Forget, e.ID) })
	for i := range k.Edits {
		if e := &k.Edits[i]; e.ID == c.Turn {
			e.Undone = !e.Undone
		}
		if e := &k.Edits[i]; c.Again != 0 && e.Task == c.Again {
			e.Task = k.Revision
		}
	}
	if c.Edit != nil {
		k.Edits = append(k.Edits, *c.Edit)
		m.images[c.Edit.ID] = c.Edit.Images
	}
	return nil
}

func (m *memory) ReadRetained(_ context.Context, task int64) ([]core.Message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.retained[task], nil
}

func (m *memory) ReadImages(_ context.Context, edit int64) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.images[edit], nil
}

// quiet is an Arrivals where nothing arrives and a Broker that retains nothing.
type quiet struct{ Broker }

func (quiet) Known(topic.Name) bool                          { return false }
func (quiet) Topics(uint64) ([]core.TopicState, uint64)      { return nil, 0 }
func (quiet) Retained(topic.Filter, int) (ms []core.Message) { return nil }

func service(t testing.TB, m *memory) *Service {
	t.Helper()
	s, err := Open(t.Context(), Config{Store: m, Arrivals: quiet{}, Broker: quiet{}, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCheck(t *testing.T) {
	long := topic.Name(strings.Repeat("a", topic.MaxLen-3))
	for _, c := range []struct {
		what string
		t    core.Topic
		says string // "" is allowed
	}{
		{"plain", core.Topic{Name: "blue/lab/kit-1/light", Kind: core.Number, Max: 1023, QoS: 2, Retain: true, Writable: true}, ""},
		{"flat", core.Topic{Name: "state_led"}, ""},
		{"any script", core.Topic{Name: "파란/거실/émile", Text: "무엇\nquoi"}, ""},
		{"HTML", core.Topic{Name: "<script>alert(1)</script>", Text: "<b>"}, ""},
		{"presence", core.Topic{Name: "blue/lab/kit-1/$state"}, ""},
		{"slashes", core.Topic{Name: "/a//b/"}, ""},
		{"no name", core.Topic{}, "needs a name"},
		{"the broker's", core.Topic{Name: "$SYS/x"}, "begins with $"},
		{"plus", core.Topic{Name: "a/+"}, "+ or #"},
		{"plus inside", core.Topic{Name: "a/b+c"}, "+ or #"},
		{"hash", core.Topic{Name: "#"}, "+ or #"},
		{"new line", core.Topic{Name: "a\nb"}, "cannot be shown"},
		{"NUL", core.Topic{Name: "a\x00b"}, "cannot be shown"},
		{"right to left", core.Topic{Name: "a\u202eb"}, "cannot be shown"},
		{"nothing there", core.Topic{Name: "a\u200bb"}, "cannot be shown"},
		{"no UTF-8", core.Topic{Name: "a\xffb"}, "cannot be shown"},
		{"no character", core.Topic{Name: "a\uffffb"}, "cannot be shown"},
		{"long", core.Topic{Name: long + "aaaa"}, "too long"},
		{"deep", core.Topic{Name: topic.Name(strings.Repeat("a/", topic.MaxLevels))}, "too long"},
		{"long command", core.Topic{Name: long, Writable: true}, "too long"},
		{"the same without commands", core.Topic{Name: long}, ""},
		{"QoS", core.Topic{Name: "a", QoS: 3}, "QoS"},
		{"kind", core.Topic{Name: "a", Kind: 5}, "no such kind"},
		{"words", core.Topic{Name: "a", Kind: core.Enumeration, Options: []string{"wet", "젖음"}}, ""},
		{"words for true and false", core.Topic{Name: "a", Kind: core.Boolean, Options: []string{"On", "Off"}}, ""},
		{"document", core.Topic{Name: "a", Kind: core.JSON}, ""},
		{"no words", core.Topic{Name: "a", Kind: core.Enumeration}, "without words"},
		{"one word", core.Topic{Name: "a", Kind: core.Boolean, Options: []string{"On"}}, "one word for true"},
		{"a word twice", core.Topic{Name: "a", Kind: core.Enumeration, Options: []string{"x", "x"}}, "twice"},
		{"an empty word", core.Topic{Name: "a", Kind: core.Enumeration, Options: []string{"x", ""}}, "cannot be a word"},
		{"a word of two lines", core.Topic{Name: "a", Kind: core.Enumeration, Options: []string{"x\ny"}}, "cannot be a word"},
		{"many words", core.Topic{Name: "a", Kind: core.Enumeration, Options: make([]string, maxOptions+1)}, "Leave at most"},
		{"words of a number", core.Topic{Name: "a", Kind: core.Number, Options: []string{"x"}}, "no enumeration"},
		{"step", core.Topic{Name: "a", Kind: core.Number, Max: 10, Step: 0.5}, ""},
		{"step back", core.Topic{Name: "a", Kind: core.Number, Step: -1}, "step"},
		{"step of words", core.Topic{Name: "a", Step: 1}, "no numbers"},
		{"large step", core.Topic{Name: "a", Kind: core.Number, Max: 10, Step: 11}, "whole range"},
		{"display name", core.Topic{Name: "a", Description: core.Description{Label: strings.Repeat("x", maxLabel+1)}}, "display name"},
		{"unit of two lines", core.Topic{Name: "a", Description: core.Description{Unit: "a\nb"}}, "unit"},
		{"kept for ever", core.Topic{Name: "a", Description: core.Description{KeepDays: -2}}, "kept for"},
		{"range of words", core.Topic{Name: "a", Max: 1}, "no numbers"},
		{"range turned around", core.Topic{Name: "a", Kind: core.Number, Min: 2, Max: 1}, "range"},
		{"range of nothing", core.Topic{Name: "a", Kind: core.Number, Min: 2, Max: 2}, "range"},
		{"endless range", core.Topic{Name: "a", Kind: core.Number, Max: math.Inf(1)}, "range"},
		{"no range", core.Topic{Name: "a", Kind: core.Number, Max: math.NaN()}, "range"},
		{"much to say", core.Topic{Name: "a", Text: strings.Repeat("é", maxText+1)}, "longer than"},
		{"bell", core.Topic{Name: "a", Text: "\a"}, "cannot be shown"},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := service(t, &memory{})
			err := s.CreateTopic(t.Context(), c.t)
			if c.says == "" && err == nil {
				if got, ok := s.Topic(c.t.Name); !ok || got.Changed.IsZero() {
					t.Errorf("it is not there: %+v", got)
				}
				return
			}
			if !errors.Is(err, core.ErrInvalid) || c.says == "" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if len(err.Error()) > 300 || strings.ContainsFunc(err.Error(), unseen) {
				t.Errorf("nobody can read %q", err)
			}
			if err := s.ChangeTopic(t.Context(), c.t); !errors.Is(err, core.ErrInvalid) {
				t.Errorf("changed: %v", err)
			}
			if len(s.Topics("#")) != 0 {
				t.Error("it was taken all the same")
			}
		})
	}
}

func TestNamesThatLookTheSame(t *testing.T) {
	s := service(t, &memory{})
	for _, n := range []topic.Name{"blue/caf\u00e9", "straße", "한글", "k"} {
		if err := s.CreateTopic(t.Context(), core.Topic{Name: n}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []topic.Name{"blue/caf\u00e9", "blue/cafe\u0301", "Blue/CAFE\u0301", "STRASSE", "\u1112\u1161\u11ab\u1100\u1173\u11af", "\u212a"} {
		err := s.CreateTopic(t.Context(), core.Topic{Name: n})
		if !errors.Is(err, core.ErrConflict) {
			t.Errorf("%s: %v", n, err)
		}
		if _, ok := s.Topic(n); ok != (n == "blue/caf\u00e9") {
			t.Errorf("%s is there: %v", n, ok)
		}
	}
	if err := s.CreateTopic(t.Context(), core.Topic{Name: "blue/cafe"}); err != nil {
		t.Error(err)
	}
}

func TestChange(t *testing.T) {
	s := service(t, &memory{})
	if err := s.ChangeTopic(t.Context(), core.Topic{Name: "a"}); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a topic that is not there: %v", err)
	}
	if err := s.CreateTopic(t.Context(), core.Topic{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	read, _ := s.Topic("a")
	read.Text = "first"
	if err := s.ChangeTopic(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	read.Text = "second, but read before"
	if err := s.ChangeTopic(t.Context(), read); !errors.Is(err, core.ErrConflict) {
		t.Errorf("a change of what was changed meanwhile: %v", err)
	}
	if err := s.ChangeTopic(t.Context(), core.Topic{Name: "a", Text: "whatever it was"}); err != nil {
		t.Error(err)
	}
	if now, _ := s.Topic("a"); now.Text != "whatever it was" || !now.Changed.After(read.Changed) {
		t.Errorf("%+v", now)
	}
}

func TestKnown(t *testing.T) {
	s := service(t, &memory{})
	for _, d := range []core.Topic{{Name: "lamp", Writable: true}, {Name: "light"}} {
		if err := s.CreateTopic(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	for n, want := range map[topic.Name]bool{"lamp": true, "lamp/set": true, "light": true, "light/set": false, "lam": false, "lamp/set/set": false, "/set": false, "": false} {
		if got := s.Known(n); got != want {
			t.Errorf("%q is known: %v", n, got)
		}
	}
}

// TestQuestionsDoNotWait holds the disk while it asks.
func TestQuestionsDoNotWait(t *testing.T) {
	m := &memory{}
	s := service(t, m)
	if err := s.CreateTopic(t.Context(), core.Topic{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	m.hold = make(chan struct{})
	var writing sync.WaitGroup
	for i := range 3 {
		writing.Go(func() {
			if err := s.CreateTopic(t.Context(), core.Topic{Name: topic.Name(fmt.Sprint("b", i))}); err != nil {
				t.Error(err)
			}
		})
	}
	for range 1000 {
		if _, ok := s.Topic("a"); !ok || len(s.Topics("#")) != 1 || !s.Known("a") || s.Known("b0") || s.Removals() != nil || s.Arriving() != nil {
			t.Fatal("a question has no answer while the disk is held")
		}
	}
	close(m.hold)
	writing.Wait()
	if n := len(s.Topics("#")); n != 4 {
		t.Errorf("%d topics", n)
	}
}

// TestTopicsSelectsLikeAFilter compares the short cut with the rule.
func TestTopicsSelectsLikeAFilter(t *testing.T) {
	s := service(t, &memory{})
	all := []topic.Name{"a", "a/b", "a/b/c", "a/b-c", "a/b-c/d", "a/bb", "a//b", "/", "/a", "b", "ab", "A/b2", "a/$state"}
	for _, n := range all {
		if err := s.CreateTopic(t.Context(), core.Topic{Name: n}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	for _, f := range []topic.Filter{"#", "+", "a", "a/#", "a/+", "a/b/#", "a/b", "+/b/#", "a/+/c", "/#", "/+", "+/+", "x", "a/b/c/#", "$SYS/#", "a//#"} {
		var want, got []topic.Name
		for _, n := range all {
			if f.Match(n) {
				want = append(want, n)
			}
		}
		for _, d := range s.Topics(f) {
			got = append(got, d.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s selects %v, want %v", f, got, want)
		}
	}
}

func TestHints(t *testing.T) {
	s := service(t, &memory{})
	for n, want := range map[topic.Name][]string{
		"blue/lab/kit-1/light":      nil,
		"blue/lab/kit-1/$state":     nil,
		"state_led":                 nil,
		"Blue/My Lab/Température":   {"signs: blue/my-lab/temperature"},
		"blue/lab/":                 {"too much: blue/lab"},
		"/blue//Lab":                {"too much: blue/lab"},
		"blue/lab/ kit ":            {"signs: blue/lab/kit"},
		"파란/lab":                    {"Not every kit"},
		"파란/Lab":                    {"signs: 파란/lab", "Not every kit"},
		"a/b/c/d/e/f/g":             {"7 levels"},
		"blue/lab/kit-1/led/set":    {"commands of blue/lab/kit-1/led"},
		"/":                         {},
		"<script>alert(1)</script>": {"signs: script-alert-1/script"},
	} {
		got := s.Hints(n)
		ok := len(got) == len(want)
		for i := range min(len(got), len(want)) {
			ok = ok && strings.Contains(got[i].String(), want[i])
		}
		if !ok {
			t.Errorf("%s: %v, want %q", n, got, want)
		}
	}
}

func TestReachesAndWrites(t *testing.T) {
	for f, want := range map[topic.Filter]bool{"#": true, "a/#": true, "a/b": true, "a/b/#": true, "a/b/c": true, "a/+": true, "+/+/+": true,
		"a": false, "+": false, "a/c": false, "a/bb": false, "b/#": false, "$SYS/#": false, "+/b": true, "a/c/#": false} {
		if got := reaches(f, "a/b"); got != want {
			t.Errorf("%s reaches a/b: %v", f, got)
		}
	}
	for p, want := range map[string]bool{"a/b": true, "a/b/#": true, "{team}/b/+": true, "+/b": true, "#": false, "a/#": false, "a/+": false, "a": false,
		"{team}/#": false, "{team}/{kit}/#": false, "c/b": false, "a/b/c": true} {
		if got := writes(p, "a/b"); got != want {
			t.Errorf("%s writes a/b: %v", p, got)
		}
	}
}

func BenchmarkTopic(b *testing.B) {
	m := &memory{topics: map[topic.Name]core.Topic{}}
	for i := range MaxTopics {
		n := topic.Name(fmt.Sprintf("team-%d/room-%d/kit-%d/air", i%100, i/100%10, i/1000))
		m.topics[n] = core.Topic{Name: n}
	}
	s := service(b, m)
	for b.Loop() {
		s.Topic("team-77/room-7/kit-77/air")
	}
}

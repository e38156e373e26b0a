package plan

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// TestRenamed: a name that was given up answers for a day, follows further moves,
// and ends where something is designed again.
func TestRenamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		s := complete(t, m, newAttic())
		ctx := t.Context()
		answers := func(what string, want map[topic.Name]topic.Name) {
			t.Helper()
			for _, n := range []topic.Name{"a", "a/x", "a/x/deep", "a/x/deep/set", "b", "b/x", "b/x/deep", "c", "c/x", "ab", "a-b", ""} {
				if to, ok := s.Renamed(n); ok != (want[n] != "") || to != want[n] {
					t.Errorf("%s: %s is %s now, want %q", what, n, to, want[n])
				}
			}
		}
		move := func(from, to topic.Name) {
			t.Helper()
			_, err := s.MoveTopics(ctx, from, to, true)
			must(t, err)
		}
		must(t, s.CreateTopic(ctx, core.Topic{Name: "a/x"}))
		must(t, s.CreateTopic(ctx, core.Topic{Name: "a/x/deep", Writable: true}))
		answers("before", nil)
		move("a", "b")
		answers("moved", map[topic.Name]topic.Name{"a": "b", "a/x": "b/x", "a/x/deep": "b/x/deep", "a/x/deep/set": "b/x/deep/set"})
		s.Used("a/x")
		s.Used("a/x/deep")
		s.Used("ab")
		s.count()
		if r := s.Design().Renamed; len(r) != 1 || r[0].Uses != 2 || r[0].Old != "a" || r[0].New != "b" || !r[0].Until.Equal(now().Add(AnswerFor)) {
			t.Errorf("%+v", r)
		}
		time.Sleep(time.Hour)
		move("b/x", "c")
		answers("a part moved on", map[topic.Name]topic.Name{"a": "b", "a/x": "c", "a/x/deep": "c/deep", "a/x/deep/set": "c/deep/set", "b/x": "c", "b/x/deep": "c/deep"})
		s = complete(t, m, newAttic())
		answers("after a restart", map[topic.Name]topic.Name{"a": "b", "a/x": "c", "a/x/deep": "c/deep", "a/x/deep/set": "c/deep/set", "b/x": "c", "b/x/deep": "c/deep"})
		_, err := s.Undo(ctx)
		must(t, err)
		answers("undone", map[topic.Name]topic.Name{"a": "b", "a/x": "b/x", "a/x/deep": "b/x/deep", "a/x/deep/set": "b/x/deep/set"})
		_, err = s.Redo(ctx)
		must(t, err)
		must(t, s.Change(ctx, core.Batch{Places: []core.Place{{Name: "b/x", Kind: core.RoomPlace}}}))
		answers("designed again", map[topic.Name]topic.Name{"a": "b", "a/x": "c", "a/x/deep": "c/deep", "a/x/deep/set": "c/deep/set"})
		must(t, s.CreateTopic(ctx, core.Topic{Name: "a/x/new"}))
		answers("designed below", nil)
		if len(s.Design().Renamed) != 0 {
			t.Errorf("%+v", s.Design().Renamed)
		}
		_, err = s.Undo(ctx)
		must(t, err)
		answers("that undone", map[topic.Name]topic.Name{"a": "b", "a/x": "c", "a/x/deep": "c/deep", "a/x/deep/set": "c/deep/set"})
		time.Sleep(23 * time.Hour)
		must(t, s.endRenamed(ctx))
		if r := s.Design().Renamed; len(r) != 0 || len(m.kept.Renamed) != 0 {
			t.Errorf("after a day: %+v", r)
		}
		move("c", "a/x")
		move("a/x", "c")
		answers("there and back", map[topic.Name]topic.Name{"a/x": "c", "a/x/deep": "c/deep", "a/x/deep/set": "c/deep/set"})
		if n := testing.AllocsPerRun(100, func() { s.Renamed("somewhere/else/entirely") }); n != 0 {
			t.Errorf("%v allocations for a name that is as it was", n)
		}
	})
}

// TestMoveTakesEverythingAlong moves a room: places, ports, rules, alarms.
func TestMoveTakesEverythingAlong(t *testing.T) {
	a := newAttic()
	s := complete(t, &memory{}, a)
	ctx := t.Context()
	must(t, s.Change(core.As(ctx, 7), core.Batch{
		Topics: []core.Topic{{Name: "blue/lab/kit-1/light", Writable: true}, {Name: "blue/hall/kit-2/button"}},
		Places: []core.Place{{Name: "blue", Kind: core.BranchPlace}, {Name: "blue/lab", Kind: core.RoomPlace, X: 3}, {Name: "blue/lab/kit-1", Kind: core.KitPlace, Role: core.LightKit,
			Ports: []core.Port{{Slot: "light", Topic: "blue/lab/kit-1/light", Action: core.Subscribe}, {Slot: "button", Topic: "blue/hall/kit-2/button", Action: core.Subscribe}}},
			{Name: "blue/hall", Kind: core.RoomPlace},
			{Name: "blue/hall/kit-2", Kind: core.KitPlace, Role: core.ChoiceKit, Ports: []core.Port{{Slot: "light", Topic: "blue/lab/kit-1/light", Action: core.Publish}}}},
		Rules: []core.Rule{{ID: "choice", Inputs: []core.Input{{Name: "b", Topic: "blue/hall/kit-2/button"}}, Then: []core.Act{{Topic: "blue/lab/kit-1/light", Value: "b"}}, Kit: "blue/hall/kit-2"},
			{ID: "other", Inputs: []core.Input{{Name: "x", Topic: "x"}}}},
		Alarms: []core.Alarm{{ID: "dark", Topic: "blue/lab/kit-1/light", Kind: core.AlarmSilent, Within: time.Minute}, {ID: "other", Topic: "blue/lab-2", Kind: core.AlarmSilent, Within: time.Minute}},
	}))
	before := sketch(s.Design(), true)
	e, err := s.MoveTopics(core.As(ctx, 8), "blue/lab", "red", false)
	must(t, err)
	if want := (core.Effect{Topics: []topic.Name{"blue/lab/kit-1/light"}, Places: []topic.Name{"blue/lab", "blue/lab/kit-1"}, Rules: []topic.ID{"choice"}, Alarms: []topic.ID{"dark"}, Kits: []topic.Name{"blue/hall/kit-2"}}); fmt.Sprint(e) != fmt.Sprint(want) {
		t.Errorf("the preview says %+v", e)
	}
	if sketch(s.Design(), true) != before {
		t.Error("the preview did something")
	}
	_, err = s.MoveTopics(core.As(ctx, 8), "blue/lab", "red", true)
	must(t, err)
	d := s.Design()
	if d.Place("blue/lab") != nil || d.Place("red").Kind != core.BranchPlace || d.Place("red").X != 3 || d.Place("red/kit-1").Ports[0].Topic != "red/kit-1/light" ||
		d.Place("red/kit-1").Ports[1].Topic != "blue/hall/kit-2/button" || d.Place("blue/hall/kit-2").Ports[0].Topic != "red/kit-1/light" {
		t.Errorf("places\n%s", sketch(d, false))
	}
	if r := d.Rule("choice"); r.Then[0].Topic != "red/kit-1/light" || r.Inputs[0].Topic != "blue/hall/kit-2/button" || r.Account != 7 {
		t.Errorf("%+v", r)
	}
	if d.Alarm("dark").Topic != "red/kit-1/light" || d.Alarm("other").Topic != "blue/lab-2" {
		t.Errorf("alarms\n%s", sketch(d, false))
	}
	if _, err := s.MoveTopics(ctx, "red", "blue/hall", false); !errors.Is(err, core.ErrConflict) {
		t.Errorf("onto a room: %v", err)
	}
	if _, err := s.MoveTopics(ctx, "red", "{team}", false); !errors.Is(err, core.ErrInvalid) {
		t.Errorf("onto a pattern: %v", err)
	}
	_, err = s.Undo(ctx)
	must(t, err)
	if got := sketch(s.Design(), true); got != before {
		t.Errorf("undone\n%s\nwant\n%s", got, before)
	}
	// An empty room goes, and a removal takes what depends along.
	e, err = s.RemoveTopics(core.As(ctx, 9), "blue/hall", true)
	must(t, err)
	if len(e.Places) != 2 || !slices.Equal(e.Rules, []topic.ID{"choice"}) || !slices.Equal(e.Kits, []topic.Name{"blue/lab/kit-1"}) {
		t.Errorf("%+v", e)
	}
	if d := s.Design(); d.Rule("choice") != nil || d.Rule("other") == nil || len(d.Place("blue/lab/kit-1").Ports) != 2 {
		t.Errorf("removed\n%s", sketch(d, false))
	}
	must(t, s.UndoRemove(ctx, e.Removal.ID))
	if got := sketch(s.Design(), true); got != before {
		t.Errorf("brought back\n%s\nwant\n%s", got, before)
	}
	must(t, s.Change(ctx, core.Batch{Places: []core.Place{{Name: "empty", Kind: core.BranchPlace}}}))
	if _, err = s.RemoveTopics(ctx, "empty", true); err != nil || s.Design().Place("empty") != nil {
		t.Errorf("an empty place: %v", err)
	}
	if _, err = s.RemoveTopics(ctx, "empty", true); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
}

// TestRemoved: who removed a topic is known for a month.
func TestRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		s := complete(t, m, newAttic())
		ctx := core.As(t.Context(), 5)
		must(t, s.Change(ctx, core.Batch{Topics: []core.Topic{{Name: "a/led", Writable: true}, {Name: "a/air"}, {Name: "b"}}}))
		removed := func(n topic.Name, by core.AccountID) {
			t.Helper()
			if r, ok := s.Removed(n); ok != (by != 0) || r.Account != by {
				t.Errorf("%s: %+v, want it removed by %d", n, r, by)
			}
		}
		removed("a/led", 0)
		e, err := s.RemoveTopics(ctx, "a", true)
		must(t, err)
		must(t, s.Change(core.As(ctx, 6), core.Batch{RemoveTopics: []topic.Name{"b"}}))
		if r, ok := s.Removed("a/led"); !ok || r != e.Removal {
			t.Errorf("%+v, want %+v", r, e.Removal)
		}
		s = complete(t, m, newAttic())
		removed("a/led/set", 5)
		removed("a/air", 5)
		removed("b", 6)
		removed("a", 0)
		removed("a/other", 0)
		must(t, s.CreateTopic(ctx, core.Topic{Name: "a/air"}))
		removed("a/air", 0)
		removed("a/led", 5)
		_, err = s.RemoveTopics(core.As(ctx, 7), "a/air", true)
		must(t, err)
		must(t, s.UndoRemove(ctx, e.Removal.ID))
		removed("a/led", 0)
		_, err = s.Undo(core.As(ctx, 8)) // removes it again
		must(t, err)
		removed("a/led", 8)
		time.Sleep(rememberFor)
		removed("a/led", 0)
		removed("b", 0)
		var b core.Batch
		for i := range maxRemoved + 5 {
			b.Topics = append(b.Topics, core.Topic{Name: topic.Name(fmt.Sprintf("many/%05d", i))})
		}
		must(t, s.Change(ctx, b))
		_, err = s.RemoveTopics(ctx, "many", true)
		must(t, err)
		must(t, s.CreateTopic(ctx, core.Topic{Name: "last"}))
		must(t, s.Change(ctx, core.Batch{RemoveTopics: []topic.Name{"last"}}))
		removed("last", 5)
		if len(s.view.Load().removed) != maxRemoved || len(m.kept.Removed) != maxRemoved {
			t.Errorf("%d are remembered, %d kept", len(s.view.Load().removed), len(m.kept.Removed))
		}
	})
}

func TestGrants(t *testing.T) {
	s := complete(t, &memory{}, newAttic(), func(c *Config) {
		c.AccountID = func(id topic.ID) (core.AccountID, bool) {
			n, ok := map[topic.ID]core.AccountID{"kit-1": 1, "kit-2": 2}[id]
			return n, ok
		}
	})
	must(t, s.Change(t.Context(), core.Batch{
		Topics: []core.Topic{{Name: "blue/kit-1/light", Writable: true}, {Name: "blue/kit-2/button"}},
		Places: []core.Place{
			{Name: "blue", Kind: core.BranchPlace},
			{Name: "blue/kit-1", Kind: core.KitPlace, Role: core.LightKit, Account: "kit-1", Ports: []core.Port{{Slot: "light", Topic: "blue/kit-1/light", Action: core.Subscribe}}},
			{Name: "blue/kit-2", Kind: core.KitPlace, Role: core.AnyKit, Account: "kit-2", Ports: []core.Port{
				{Slot: "button", Topic: "blue/kit-2/button", Action: core.Publish},
				{Slot: "button", Topic: "blue/kit-2/button", Action: core.Subscribe},
				{Slot: "light", Topic: "blue/kit-1/light", Action: core.Publish},
				{Slot: "lamp", Topic: "blue/kit-1/light", Action: core.Publish},
				{Slot: "see", Topic: "blue/kit-1/light", Action: core.Subscribe},
				{Slot: "nothing", Topic: "blue/secret", Action: core.Subscribe}}},
			{Name: "blue/kit-3", Kind: core.KitPlace, Role: core.AllKit, Account: "nobody"},
			{Name: "blue/kit-4", Kind: core.KitPlace, Role: core.AllKit},
		},
	}))
	var got []string
	for _, g := range s.Grants() {
		got = append(got, fmt.Sprint(g.Subject.Account, " ", g.Action, " ", g.Pattern))
	}
	want := []string{"1 publish blue/kit-1/$info", "1 publish blue/kit-1/$state", "1 publish blue/kit-1/$told", "1 publish blue/kit-1/light", "1 subscribe blue/kit-1/$do", "1 subscribe blue/kit-1/light/set",
		"2 publish blue/kit-1/light/set", "2 publish blue/kit-2/$info", "2 publish blue/kit-2/$state", "2 publish blue/kit-2/$told", "2 publish blue/kit-2/button",
		"2 subscribe blue/kit-1/light", "2 subscribe blue/kit-2/$do", "2 subscribe blue/kit-2/button"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if service(t, &memory{}).Grants() != nil {
		t.Error("grants without accounts")
	}
}

// TestDescriptions: the history is told what changed, again where it failed, and
// nothing that it knows.
func TestDescriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := map[core.Series]core.Description{"old": {Label: "of before"}, "said": {Label: "of before"}, "beside": {Unit: "lx"}}
		var mu sync.Mutex // Run tells, too
		var told []string
		var broken error
		breaks := func(err error) {
			mu.Lock()
			defer mu.Unlock()
			broken = err
		}
		m := &memory{topics: map[topic.Name]core.Topic{"old": {Name: "old"}, "said": {Name: "said", Description: core.Description{Label: "said"}}}, kept: Kept{Adopt: true}}
		with := func(c *Config) {
			c.Described = func(context.Context) (map[core.Series]core.Description, error) {
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(broken, core.ErrInvalid) {
					return maps.Clone(known), nil
				}
				return maps.Clone(known), broken
			}
			c.Describe = func(_ context.Context, s core.Series, d core.Description) error {
				mu.Lock()
				defer mu.Unlock()
				if broken != nil {
					return broken
				}
				told, known[s] = append(told, string(s)), d
				return nil
			}
		}
		s := complete(t, m, newAttic(), with)
		if d, _ := s.Topic("old"); d.Label != "of before" || m.kept.Adopt {
			t.Errorf("not taken over: %+v", d)
		}
		if undo, _ := s.Edits(); len(undo) != 0 {
			t.Errorf("it can be undone: %+v", undo)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		look := func(what string, want ...string) {
			t.Helper()
			time.Sleep(2 * tickEvery)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(told, want) {
				t.Errorf("%s: the history was told %v, want %v", what, told, want)
			}
			told = nil
		}
		look("at first", "said")
		must(t, s.ChangeTopic(ctx, core.Topic{Name: "old", QoS: 1, Description: core.Description{Label: "of before"}}))
		must(t, s.CreateTopic(ctx, core.Topic{Name: "beside"})) // what was said about it stays
		look("nothing new")
		breaks(errors.New("the disk is full"))
		must(t, s.ChangeTopic(ctx, core.Topic{Name: "old", Description: core.Description{Label: "new", Unit: "°C"}}))
		look("while it fails")
		breaks(nil)
		look("later", "old")
		_, err := s.Undo(ctx)
		must(t, err)
		look("undone", "old")
		if known["old"].Label != "of before" || known["beside"].Unit != "lx" {
			t.Errorf("%+v", known)
		}
		must(t, s.Describe(ctx, "said", core.Description{Label: "anew"}))
		must(t, s.Describe(ctx, "said#leaf", core.Description{Label: "leaf"}))
		if d, _ := s.Topic("said"); d.Label != "anew" || known["said#leaf"].Label != "leaf" || known["said"].Label != "anew" {
			t.Errorf("%+v, %+v", d, known)
		}
		look("said by a person", "said", "said#leaf")
		// Another process changes it.
		must(t, m.WritePlan(ctx, m.kept.Revision, Change{Topics: Rows[topic.Name, core.Topic]{Put: []core.Topic{{Name: "said", Description: core.Description{Label: "from beside"}}}}}))
		look("by another process", "said")
		breaks(core.Fail(core.ErrInvalid, "never"))
		must(t, s.ChangeTopic(ctx, core.Topic{Name: "old"}))
		breaks(nil)
		look("what it never takes")
		stop()
		must(t, <-ended)
	})
}

// came is an Arrivals.
type came []core.TopicState

func (came) Known(topic.Name) bool                              { return true }
func (c came) Topics(uint64) (rows []core.TopicState, _ uint64) { return slices.Clone(c), 0 }

// TestArrivesAtAnOldName: what came to a name before that was given up does not
// arrive any more; what still comes there, of who may not publish to the new one, does.
func TestArrivesAtAnOldName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := complete(t, &memory{}, newAttic())
		must(t, s.CreateTopic(t.Context(), core.Topic{Name: "a/old"}))
		before := time.Now()
		time.Sleep(time.Minute)
		_, err := s.MoveTopics(t.Context(), "a/old", "b/new", true)
		must(t, err)
		arrive := func(at time.Time) int {
			s.cfg.Arrivals = came{{Last: core.Message{Topic: "a/old", At: at}}}
			return len(s.Arriving())
		}
		time.Sleep(time.Minute)
		if n := arrive(before); n != 0 {
			t.Errorf("%d arrive that came before", n)
		}
		if n := arrive(time.Now()); n != 1 {
			t.Errorf("%d arrive that come now", n)
		}
	})
}

// TestAlarmWithALongName: an alarm needs room below its topic to tell its state.
func TestAlarmWithALongName(t *testing.T) {
	n := topic.Name(strings.Repeat("a", topic.MaxLen-len("/$alarm/hot")))
	if err := checkAlarm(core.Alarm{ID: "hot", Topic: n, Kind: core.AlarmAbove}); err != nil {
		t.Error(err)
	}
	if err := checkAlarm(core.Alarm{ID: "hot", Topic: n + "a", Kind: core.AlarmAbove}); !errors.Is(err, core.ErrInvalid) {
		t.Errorf("one byte more: %v", err)
	}
}

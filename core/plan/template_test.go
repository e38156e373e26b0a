package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"homeroom/core"
	"homeroom/core/topic"
)

var six = []topic.Name{"blue", "red", "green", "yellow", "orange", "violet"}

// with returns d after the batch, without any check.
func with(d *core.Design, b core.Batch) *core.Design {
	next := &core.Design{Revision: d.Revision + 1, Renamed: d.Renamed}
	next.Topics = merged(d.Topics, b.Topics, b.RemoveTopics, func(t *core.Topic) topic.Name { return t.Name })
	next.Places = merged(d.Places, b.Places, b.RemovePlaces, func(p *core.Place) topic.Name { return p.Name })
	next.Rules = merged(d.Rules, b.Rules, b.RemoveRules, func(r *core.Rule) topic.ID { return r.ID })
	next.Alarms = merged(d.Alarms, b.Alarms, b.RemoveAlarms, func(a *core.Alarm) topic.ID { return a.ID })
	return next
}

func merged[T any, K ~string](old []*T, put []T, gone []K, key func(*T) K) (all []*T) {
	for _, t := range old {
		if !slices.Contains(gone, key(t)) && !slices.ContainsFunc(put, func(p T) bool { return key(&p) == key(t) }) {
			all = append(all, t)
		}
	}
	for _, t := range put {
		all = append(all, &t)
	}
	slices.SortFunc(all, func(a, b *T) int { return strings.Compare(string(key(a)), string(key(b))) })
	return all
}

// renamed returns d after from and everything below it moved to "to".
func renamed(d *core.Design, from, to topic.Name) *core.Design {
	move := func(n topic.Name) topic.Name {
		if core.Within(n, from) {
			return to + n[len(from):]
		}
		return n
	}
	var b core.Batch
	for _, t := range d.Topics {
		moved := *t
		moved.Name = move(t.Name)
		b.Topics = append(b.Topics, moved)
	}
	for _, p := range d.Places {
		moved := *p
		moved.Name, moved.Ports = move(p.Name), slices.Clone(p.Ports)
		for i := range moved.Ports {
			moved.Ports[i].Topic = move(moved.Ports[i].Topic)
		}
		b.Places = append(b.Places, moved)
	}
	for _, r := range d.Rules {
		moved := *r
		moved.Kit, moved.Inputs, moved.Then = move(r.Kit), slices.Clone(r.Inputs), slices.Clone(r.Then)
		for i := range moved.Inputs {
			moved.Inputs[i].Topic = move(moved.Inputs[i].Topic)
		}
		for i := range moved.Then {
			moved.Then[i].Topic = move(moved.Then[i].Topic)
		}
		b.Rules = append(b.Rules, moved)
	}
	for _, a := range d.Alarms {
		moved := *a
		moved.Topic = move(a.Topic)
		b.Alarms = append(b.Alarms, moved)
	}
	next := with(&core.Design{}, b)
	next.Renamed = append(slices.Clone(d.Renamed), core.Renamed{Old: from, New: to})
	return next
}

// template draws a template, or fails.
func drawTemplate(t *testing.T, key string, d *core.Design, o Options, branches ...topic.Name) *core.Design {
	t.Helper()
	b, err := FromTemplate(key, branches, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return with(d, b)
}

// onCanvas returns where a place is on the whole canvas.
func onCanvas(t *testing.T, d *core.Design, p core.Place) box {
	a := area(p)
	for n, more := above(p.Name); more; n, more = above(n) {
		parent := d.Place(n)
		if parent == nil {
			t.Fatalf("%s is in %s, which is not drawn", p.Name, n)
		}
		if in := (box{0, 0, parent.W, parent.H}); a.x < 0 || a.y < 0 || a.x+a.w > in.w || a.y+a.h > in.h {
			t.Errorf("%s at %+v does not fit into %s, %+v", p.Name, a, n, in)
		}
		a.x, a.y = a.x+parent.X, a.y+parent.Y
	}
	return a
}

// tidy checks names and layout of all that is drawn.
func tidy(t *testing.T, d *core.Design) {
	t.Helper()
	var errs []error
	names, accounts := map[string]bool{}, map[topic.ID]bool{}
	for _, one := range d.Topics {
		if names[fold(one.Name)] {
			t.Errorf("%s is there twice", one.Name)
		}
		names[fold(one.Name)] = true
		if one.Label == "" || one.Text == "" {
			t.Errorf("%s has no display name or text", one.Name)
		}
	}
	byKind := map[core.PlaceKind]map[topic.Name]box{core.BranchPlace: {}, core.RoomPlace: {}, core.KitPlace: {}}
	for _, p := range d.Places {
		if names[fold(p.Name)] {
			t.Errorf("%s is there twice", p.Name)
		}
		names[fold(p.Name)] = true
		a := onCanvas(t, d, *p)
		for n, other := range byKind[p.Kind] {
			if a.overlaps(other) {
				t.Errorf("%s %+v lies over %s %+v", p.Name, a, n, other)
			}
		}
		byKind[p.Kind][p.Name] = a
		if p.Kind == core.KitPlace {
			if accounts[p.Account] || p.Account == "" || !p.Virtual || p.Label == "" {
				t.Errorf("%+v", p)
			}
			if _, err := topic.ParseID(string(p.Account)); err != nil {
				t.Errorf("%q cannot be an account", p.Account)
			}
			accounts[p.Account] = true
			slots := map[string]bool{}
			for _, port := range p.Ports {
				if d.Topic(port.Topic) == nil {
					t.Errorf("%s uses %s, which is not designed", p.Name, port.Topic)
				}
				if key := string(port.Slot) + string(port.Action); slots[key] {
					t.Errorf("%s has %s twice", p.Name, key)
				} else {
					slots[key] = true
				}
			}
		}
		if p.Kind == core.RoomPlace && (p.W < roomWidth || p.H < roomHeight) {
			t.Errorf("the room %s is only %v x %v", p.Name, p.W, p.H)
		}
	}
	for _, one := range d.Topics {
		errs = append(errs, check(*one))
	}
	for _, p := range d.Places {
		errs = append(errs, checkPlace(*p))
	}
	for _, r := range d.Rules {
		errs = append(errs, checkRule(*r))
	}
	for _, a := range d.Alarms {
		errs = append(errs, checkAlarm(*a))
	}
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	for _, f := range Problems(d, nil) {
		t.Errorf("%s: %s", f.Topic, f.Say)
	}
}

func TestTemplates(t *testing.T) {
	for _, one := range Templates() {
		for _, onBoard := range []bool{false, true} {
			for _, n := range []int{1, 2, 6} {
				d := drawTemplate(t, one.Key, &core.Design{}, Options{OnBoard: onBoard}, six[:n]...)
				tidy(t, d)
				kits := 0
				for _, p := range d.Places {
					if p.Kind == core.KitPlace {
						kits++
					}
				}
				if want := n * one.Kits; kits != want && (!one.Decides || onBoard) {
					t.Errorf("%s has %d kits in %d branches, want %d", one.Key, kits, n, want)
				}
				_, err := FromTemplate(one.Key, six[n-1:n], d, Options{OnBoard: onBoard})
				if !errors.Is(err, core.ErrConflict) {
					t.Errorf("%s again: %v", one.Key, err)
				}
			}
		}
		flat, err := FromTemplate(one.Key, []topic.Name{""}, &core.Design{}, Options{OnBoard: true})
		if one.Flat != (err == nil) || !one.Flat && !errors.Is(err, core.ErrInvalid) {
			t.Fatalf("%s without a branch: %v", one.Key, err)
		}
		if one.Flat {
			tidy(t, with(&core.Design{}, flat))
		}
	}
}

// TestTemplatesBesideEachOther draws them into branches that are there, with
// somebody else's house between.
func TestTemplatesBesideEachOther(t *testing.T) {
	d := &core.Design{}
	for i, key := range []string{"state_led", "four-boards", "empty-home"} {
		d = drawTemplate(t, key, d, Options{OnBoard: i == 1}, "blue", "red")
	}
	d = drawTemplate(t, "monitoring", d, Options{}, "green")
	d = drawTemplate(t, "state_led", d, Options{}, "", "green", "yellow")
	// The bedroom that waits for its first kit is a hint, now that its house has some.
	for n, b := range map[topic.Name]core.Place{"blue": *d.Place("blue"), "red": *d.Place("red")} {
		for _, room := range []topic.Name{"living", "kitchen", "bedroom"} {
			if d.Place(n+"/"+room) == nil {
				t.Errorf("%s is missing", n+"/"+room)
			}
			d = with(d, core.Batch{Places: []core.Place{{Name: n + "/" + room + "/lamp", Kind: core.KitPlace, Label: "Lamp", Role: core.LightKit, Account: topic.ID(n + "-" + room), Virtual: true, X: roomGap, Y: roomHead}}})
		}
		if b.W < 2*roomWidth {
			t.Errorf("%s did not grow: %+v", n, b)
		}
	}
	tidy(t, d)
}

func TestTemplateSays(t *testing.T) {
	d := drawTemplate(t, "four-boards", &core.Design{}, Options{OnBoard: true, Say: func(s core.Sentence) string { return "«" + s.String() + "»" }}, "blue")
	if l := d.Topic("blue/light"); l.Label != "«Lamp»" || !l.Retain || !slices.Equal(l.Options, []string{"On", "Off"}) {
		t.Errorf("%+v", l)
	}
	r := d.Rule("blue-choice")
	if r == nil || r.Kit != "blue/home/esp-choice" || r.Then[0].Topic != "blue/light" || r.Then[0].Value != choice {
		t.Errorf("%+v", r)
	}
	d = drawTemplate(t, "four-boards", &core.Design{}, Options{}, "blue")
	if r := d.Rule("blue-choice"); r.Kit != "" || d.Place("blue/home/esp-choice") != nil {
		t.Errorf("two decide: %+v", r)
	}
	button := d.Place("blue/home/esp-button").Ports[0]
	if !button.Toggle || button.Topic != "blue/button" {
		t.Errorf("%+v", button)
	}
	d = drawTemplate(t, "state_led", &core.Design{}, Options{}, "")
	if d.Topic("state_led") == nil || d.Place("lab/board-1").Ports[0] != (core.Port{Slot: "button", Topic: "state_led", Action: core.Publish}) {
		t.Errorf("%+v", d.Places)
	}
}

func TestTemplateRefuses(t *testing.T) {
	d := drawTemplate(t, "state_led", &core.Design{}, Options{}, "blue")
	taken := with(&core.Design{}, core.Batch{Topics: []core.Topic{{Name: "RED/state_led"}}})
	account := with(&core.Design{}, core.Batch{Places: []core.Place{{Name: "x", Kind: core.KitPlace, Account: "red-board-1"}}})
	many := make([]topic.Name, maxCopies+1)
	for _, c := range []struct {
		what, key string
		branches  []topic.Name
		d         *core.Design
		kind      error
		says      string
	}{
		{"no template", "castle", six[:1], d, core.ErrNotFound, "no template castle"},
		{"no branch", "state_led", nil, d, core.ErrInvalid, "Choose 1 to"},
		{"many", "state_led", many, d, core.ErrInvalid, "Choose 1 to"},
		{"twice", "state_led", []topic.Name{"red", "red"}, d, core.ErrInvalid, "twice"},
		{"capital", "state_led", []topic.Name{"Red"}, d, core.ErrInvalid, "Red cannot be a branch"},
		{"wildcard", "state_led", []topic.Name{"+"}, d, core.ErrInvalid, "cannot be a branch"},
		{"levels", "state_led", []topic.Name{"a/b"}, d, core.ErrInvalid, "cannot be a branch"},
		{"long", "state_led", []topic.Name{topic.Name(strings.Repeat("a", 60))}, d, core.ErrInvalid, "too long a name"},
		{"there", "state_led", []topic.Name{"red", "blue"}, d, core.ErrConflict, "blue/state_led is there already"},
		{"topic", "state_led", []topic.Name{"red"}, taken, core.ErrConflict, "red/state_led is there"},
		{"account", "state_led", []topic.Name{"red"}, account, core.ErrConflict, "red-board-1 is there"},
	} {
		if _, err := FromTemplate(c.key, c.branches, c.d, Options{}); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

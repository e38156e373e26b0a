package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2/test"

	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// short writes an ID of the picture as a person reads it.
func short(id string) string { return strings.ReplaceAll(id, cut, "|") }

// outline writes what is drawn: areas, tiles with ports, wires.
func outline(d drawing) string {
	var b strings.Builder
	for _, a := range d.Areas {
		fmt.Fprintf(&b, "%s in %q: %s\n", a.ID, a.In, a.Title)
	}
	for _, t := range d.Tiles {
		fmt.Fprintf(&b, "%s in %q:", t.ID, t.In)
		for _, p := range t.Ports {
			way := ""
			if p.In {
				way += "<"
			}
			if p.Out {
				way += ">"
			}
			fmt.Fprintf(&b, " %s%s=%q/%d", way, p.Title, p.Value, p.Paint)
		}
		if t.Note != "" {
			fmt.Fprintf(&b, " (%s)", t.Note)
		}
		b.WriteByte('\n')
	}
	for _, l := range d.Links {
		rule := ""
		if l.Rule {
			rule = " by rule"
		}
		fmt.Fprintf(&b, "%s -> %s%s: %s\n", short(l.From), short(l.To), rule, l.Title)
	}
	return b.String()
}

func design(topics []core.Topic, places []core.Place, rules ...core.Rule) *core.Design {
	d := &core.Design{}
	d.Topics = merge(nil, topics, nil, func(t *core.Topic) topic.Name { return t.Name })
	d.Places = merge(nil, places, nil, func(p *core.Place) topic.Name { return p.Name })
	d.Rules = merge(nil, rules, nil, func(r *core.Rule) topic.ID { return r.ID })
	h := house{d: d}
	h.swap(*d)
	return h.d
}

func message(n topic.Name, value string) core.TopicState {
	return core.TopicState{Last: core.Message{Topic: n, Payload: []byte(value), At: noon}}
}

func TestScene(t *testing.T) {
	newShell(t, test.Theme())
	room := []core.Place{{Name: "blue", Kind: core.BranchPlace}, {Name: "blue/lab", Kind: core.RoomPlace, Label: "Lab"}}
	lampTopic := core.Topic{Name: "blue/lab/kit-1/light", Kind: core.Boolean, Writable: true}
	lampKit := core.Place{Name: "blue/lab/kit-1", Kind: core.KitPlace, Role: core.LightKit,
		Ports: []core.Port{{Slot: "light", Topic: lampTopic.Name, Action: core.Subscribe}}}
	for name, c := range map[string]struct {
		w    world
		want string
	}{
		"a kit that commands another's lamp, and one that watches it": {
			world{design: design([]core.Topic{lampTopic}, append(slices.Clone(room), lampKit,
				core.Place{Name: "blue/lab/kit-2", Kind: core.KitPlace, Ports: []core.Port{{Slot: "light", Topic: lampTopic.Name, Action: core.Publish}}},
				core.Place{Name: "blue/lab/kit-3", Kind: core.KitPlace, Ports: []core.Port{{Slot: "watch", Topic: lampTopic.Name, Action: core.Subscribe}}}))},
			`pblue in "": blue
pblue/lab in "pblue": Lab
pblue/lab/kit-1 in "pblue/lab": <>light=""/0
pblue/lab/kit-2 in "pblue/lab": >light=""/0
pblue/lab/kit-3 in "pblue/lab": <watch=""/0
oblue/lab/kit-1|light|subscribe|blue/lab/kit-1/light -> oblue/lab/kit-3|watch|subscribe|blue/lab/kit-1/light: blue/lab/kit-1/light
oblue/lab/kit-2|light|publish|blue/lab/kit-1/light -> oblue/lab/kit-1|light|subscribe|blue/lab/kit-1/light: blue/lab/kit-1/light
`},
		"topics of no kit, of a kit without a port, and without a place": {
			world{design: design([]core.Topic{{Name: "blue/lab/door", Kind: core.Boolean}, {Name: "blue/lab/kit-1/light/power", Kind: core.Number}, lampTopic, {Name: "state_led"}},
				append(slices.Clone(room), lampKit)), live: map[topic.Name]core.TopicState{"state_led": message("state_led", "1")}},
			`pblue in "": blue
pblue/lab in "pblue": Lab
tblue/lab/door in "pblue/lab": >yes or no=""/0
pblue/lab/kit-1 in "pblue/lab": <>light=""/0 >light/power=""/0
tstate_led in "": >text="1"/1
`},
		"what arrives without being designed": {
			world{design: design([]core.Topic{lampTopic}, append(slices.Clone(room), lampKit)),
				arriving: []core.TopicState{message("blue/lab/kit-1/ligth", "On"), message("blue/lab/x", "<b>"), message("elsewhere", "2"), message("blue/lab/kit-1/$state", "ready")},
				meant:    map[topic.Name]topic.Name{"blue/lab/kit-1/ligth": lampTopic.Name},
				live:     map[topic.Name]core.TopicState{"blue/lab/kit-1/ligth": message("blue/lab/kit-1/ligth", "On")}},
			`pblue in "": blue
pblue/lab in "pblue": Lab
tblue/lab/x in "pblue/lab": >value=""/2
pblue/lab/kit-1 in "pblue/lab": <>light=""/0 >ligth="On"/2 (ligth – did you mean light?)
telsewhere in "": >value=""/2
`},
		"a rule between two kits, and one that a board runs": {
			world{design: design([]core.Topic{lampTopic, {Name: "blue/lab/kit-2/button", Kind: core.Boolean}}, append(slices.Clone(room), lampKit,
				core.Place{Name: "blue/lab/kit-2", Kind: core.KitPlace, Ports: []core.Port{{Slot: "button", Topic: "blue/lab/kit-2/button", Action: core.Publish}}}),
				core.Rule{ID: "r", Label: "Press", Inputs: []core.Input{{Name: "b", Topic: "blue/lab/kit-2/button"}}, Then: []core.Act{{Topic: lampTopic.Name}}},
				core.Rule{ID: "s", Kit: "blue/lab/kit-2", Inputs: []core.Input{{Name: "b", Topic: "blue/lab/kit-2/button"}}, Then: []core.Act{{Topic: lampTopic.Name}}})},
			`pblue in "": blue
pblue/lab in "pblue": Lab
pblue/lab/kit-1 in "pblue/lab": <>light=""/0
pblue/lab/kit-2 in "pblue/lab": >button=""/0
oblue/lab/kit-2|button|publish|blue/lab/kit-2/button -> oblue/lab/kit-1|light|subscribe|blue/lab/kit-1/light by rule: Press
`},
		"refused": {
			world{design: design([]core.Topic{lampTopic}, append(slices.Clone(room), lampKit)),
				red: []core.Refusal{{Topic: "blue/lab/kit-1/light/set", At: noon}}, live: map[topic.Name]core.TopicState{lampTopic.Name: message(lampTopic.Name, "true")}},
			`pblue in "": blue
pblue/lab in "pblue": Lab
pblue/lab/kit-1 in "pblue/lab": <>light="true"/3
`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := outline(scene(c.w)); got != c.want {
				t.Errorf("the house is drawn as\n%swant\n%s", got, c.want)
			}
		})
	}
}

// overlaps tells of every two things in one area that cover each other.
func overlaps(d drawing) (all []string) {
	type box struct {
		id         string
		x, y, w, h float32
	}
	in := map[string][]box{}
	for _, a := range d.Areas {
		in[a.In] = append(in[a.In], box{a.ID, a.X, a.Y, a.W, a.H})
	}
	for i := range d.Tiles {
		w, h := d.Tiles[i].Size()
		in[d.Tiles[i].In] = append(in[d.Tiles[i].In], box{d.Tiles[i].ID, d.Tiles[i].X, d.Tiles[i].Y, w, h})
	}
	for area, bs := range in {
		for i, a := range bs {
			for _, b := range bs[:i] {
				if a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h {
					all = append(all, fmt.Sprintf("%s and %s in %q", a.id, b.id, area))
				}
			}
			if area == "" {
				continue
			}
			at := slices.IndexFunc(d.Areas, func(x widget.HouseArea) bool { return x.ID == area })
			if o := d.Areas[at]; a.x < 0 || a.y < widget.HouseHead || a.x+a.w > o.W || a.y+a.h > o.H {
				all = append(all, fmt.Sprintf("%s is not within %q", a.id, area))
			}
		}
	}
	return all
}

func TestNobodyStandsOnAnother(t *testing.T) {
	newShell(t, test.Theme())
	for name, w := range map[string]world{
		"the four boards of two teams": {design: twoTeams(t).d},
		"a thousand topics":            {design: large(1000)},
		"kits that somebody placed, and others": {design: design(nil, []core.Place{
			{Name: "b", Kind: core.BranchPlace}, {Name: "b/r", Kind: core.RoomPlace, X: 100, Y: 80, W: 400, H: 300}, {Name: "b/s", Kind: core.RoomPlace},
			{Name: "b/r/k1", Kind: core.KitPlace, X: 40, Y: 56}, {Name: "b/r/k2", Kind: core.KitPlace}, {Name: "b/r/k3", Kind: core.KitPlace}, {Name: "b/k4", Kind: core.KitPlace}})},
	} {
		t.Run(name, func(t *testing.T) {
			d := scene(w)
			if all := overlaps(d); len(all) > 0 {
				t.Errorf("%d cover each other or leave their room: %s", len(all), all[:min(len(all), 5)])
			}
			if again := scene(w); outline(again) != outline(d) || !slices.EqualFunc(again.Tiles, d.Tiles, func(a, b widget.HouseTile) bool { return a.ID == b.ID && a.X == b.X && a.Y == b.Y }) {
				t.Error("the same design is drawn differently the second time")
			}
		})
	}
	d := scene(world{design: design(nil, []core.Place{{Name: "b", Kind: core.BranchPlace}, {Name: "b/k", Kind: core.KitPlace, X: 320, Y: 160}})})
	if k := d.Tiles[0]; k.X != 320 || k.Y != 160 {
		t.Errorf("a kit that was placed at 320, 160 is drawn at %v, %v", k.X, k.Y)
	}
}

// large is a design with n topics, five a kit and ten kits a room.
func large(n int) *core.Design {
	var topics []core.Topic
	var places []core.Place
	for i := range n / 5 {
		branch := topic.Name(fmt.Sprintf("team-%d", i/50))
		room := branch + topic.Name(fmt.Sprintf("/room-%d", i/10%5))
		kit := room + topic.Name(fmt.Sprintf("/kit-%d", i%10))
		if i%50 == 0 {
			places = append(places, core.Place{Name: branch, Kind: core.BranchPlace})
		}
		if i%10 == 0 {
			places = append(places, core.Place{Name: room, Kind: core.RoomPlace})
		}
		p := core.Place{Name: kit, Kind: core.KitPlace, Role: core.AnyKit}
		for j := range 5 {
			n := kit + topic.Name(fmt.Sprintf("/value-%d", j))
			topics = append(topics, core.Topic{Name: n, Kind: core.Number})
			p.Ports = append(p.Ports, core.Port{Slot: topic.ID(last(n)), Topic: n, Action: core.Publish})
		}
		if i%10 > 0 {
			p.Ports = append(p.Ports, core.Port{Slot: "near", Topic: room + topic.Name(fmt.Sprintf("/kit-%d/value-0", i%10-1)), Action: core.Subscribe})
		}
		places = append(places, p)
	}
	return design(topics, places)
}

func TestItemsOfThePicture(t *testing.T) {
	for id, want := range map[string]item{
		placeID("blue/lab"):                               {place: "blue/lab"},
		looseID("state_led"):                              {topic: "state_led"},
		portID("blue/kit", "led", core.Publish, "a/b"):    {topic: "a/b"},
		portID("", "", core.Publish, "x"+cut+"odd/topic"): {topic: "x" + cut + "odd/topic"},
	} {
		if got, ok := itemOf(id); !ok || got != want {
			t.Errorf("%q is %v, want %v", id, got, want)
		}
	}
	for _, id := range []string{"", "l", "o", "oa" + cut + "b"} {
		if got, ok := itemOf(id); ok {
			t.Errorf("%q is %v, want nothing", id, got)
		}
	}
}

func BenchmarkScene(b *testing.B) {
	newShell(b, test.Theme())
	w := world{design: large(1000), live: map[topic.Name]core.TopicState{}}
	for _, t := range w.design.Topics {
		w.live[t.Name] = message(t.Name, "21.5")
	}
	b.ReportAllocs()
	for b.Loop() {
		scene(w)
	}
}

// BenchmarkValues is a load and show of 500 values that changed, of 1,000 topics.
func BenchmarkValues(b *testing.B) {
	h := newHouse()
	h.d = large(1000)
	s, _ := visit(b, h)
	at := noon
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		h.values = h.values[:0]
		s.since = 0
		at = at.Add(100 * time.Millisecond)
		s.now = func() time.Time { return at }
		for _, t := range h.d.Topics[:500] {
			h.values = append(h.values, core.TopicState{Last: core.Message{Topic: t.Name, Payload: fmt.Appendf(nil, "%d.%d", i%50, i%10), At: at}})
		}
		b.StartTimer()
		load(b, s)
	}
}

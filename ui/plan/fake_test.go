package plan

import (
	"context"
	"fmt"
	"image/color"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"homeroom/assets"
	"homeroom/core"
	"homeroom/core/plan"
	"homeroom/core/topic"
	"homeroom/ui/widget"
	"homeroom/ui/widget/widgettest"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// house is everything the screen asks for, in memory, with a design that can be
// undone.
type house struct {
	d        *core.Design
	past     []*core.Design // before each edit
	future   []*core.Design
	undo     []core.Edit // the next one first
	redo     []core.Edit
	edits    int64
	err      error
	arriving []core.TopicState
	values   []core.TopicState
	fixes    []core.Fix
	meant    map[topic.Name]topic.Name
	effect   core.Effect
	faults   []core.FileFault
	imported []byte
	accounts []core.Account
	teams    []core.Team
	clients  []core.Client
	refusals []core.Refusal
	boards   []core.Board
	states   []core.RuleState
	drawn    string // the template that was drawn, for whom
}

func newHouse() *house {
	return &house{d: &core.Design{}, meant: map[topic.Name]topic.Name{},
		teams: []core.Team{{Name: "blue", Label: "Team Blue"}, {Name: "green", Label: "초록 팀"}}}
}

func (h *house) Design() *core.Design { return h.d }

// set makes d the design as one edit.
func (h *house) set(d core.Design, say core.Sentence) {
	h.past, h.future, h.redo = append(h.past, h.d), nil, nil
	h.edits++
	h.undo = append([]core.Edit{{ID: h.edits, At: noon, Say: say}}, h.undo...)
	h.swap(d)
}

func (h *house) swap(d core.Design) {
	d.Revision = h.d.Revision + 1
	slices.SortFunc(d.Topics, func(a, b *core.Topic) int { return strings.Compare(string(a.Name), string(b.Name)) })
	slices.SortFunc(d.Places, func(a, b *core.Place) int { return strings.Compare(string(a.Name), string(b.Name)) })
	slices.SortFunc(d.Rules, func(a, b *core.Rule) int { return strings.Compare(string(a.ID), string(b.ID)) })
	h.d = &d
}

func merge[T any, K comparable](old []*T, put []T, gone []K, key func(*T) K) []*T {
	all := map[K]*T{}
	for _, t := range old {
		all[key(t)] = t
	}
	for _, k := range gone {
		delete(all, k)
	}
	for _, t := range put {
		all[key(&t)] = &t
	}
	return slices.Collect(maps.Values(all))
}

func (h *house) Change(_ context.Context, b core.Batch) error {
	if h.err != nil {
		return h.err
	}
	d := *h.d
	d.Topics = merge(d.Topics, b.Topics, b.RemoveTopics, func(t *core.Topic) topic.Name { return t.Name })
	d.Places = merge(d.Places, b.Places, b.RemovePlaces, func(p *core.Place) topic.Name { return p.Name })
	d.Rules = merge(d.Rules, b.Rules, b.RemoveRules, func(r *core.Rule) topic.ID { return r.ID })
	d.Alarms = merge(d.Alarms, b.Alarms, b.RemoveAlarms, func(a *core.Alarm) topic.ID { return a.ID })
	h.set(d, b.Say)
	return nil
}

// under tells what is at or below n.
func (h *house) under(n topic.Name) (core.Effect, error) {
	e := h.effect
	for _, t := range h.d.Topics {
		if core.Within(t.Name, n) {
			e.Topics = append(e.Topics, t.Name)
		}
	}
	if len(e.Topics) == 0 && h.d.Place(n) == nil {
		return e, core.Fail(core.ErrNotFound, "nothing there")
	}
	return e, nil
}

func (h *house) MoveTopics(_ context.Context, from, to topic.Name, apply bool) (core.Effect, error) {
	e, err := h.under(from)
	if err != nil || !apply {
		return e, err
	}
	d := core.Design{}
	name := func(n topic.Name) topic.Name {
		if core.Within(n, from) {
			return rebase(n, from, to)
		}
		return n
	}
	for _, t := range h.d.Topics {
		c := *t
		c.Name = name(c.Name)
		d.Topics = append(d.Topics, &c)
	}
	for _, p := range h.d.Places {
		c := *p
		c.Name, c.Ports = name(c.Name), slices.Clone(p.Ports)
		for i := range c.Ports {
			c.Ports[i].Topic = name(c.Ports[i].Topic)
		}
		d.Places = append(d.Places, &c)
	}
	d.Rules, d.Alarms = h.d.Rules, h.d.Alarms
	h.set(d, core.Say("{from} moved to {to}", "from", from, "to", to))
	return e, nil
}

func (h *house) RemoveTopics(_ context.Context, n topic.Name, apply bool) (core.Effect, error) {
	e, err := h.under(n)
	if err != nil || !apply {
		return e, err
	}
	d := *h.d
	d.Topics = slices.DeleteFunc(slices.Clone(d.Topics), func(t *core.Topic) bool { return core.Within(t.Name, n) })
	d.Places = slices.DeleteFunc(slices.Clone(d.Places), func(p *core.Place) bool { return core.Within(p.Name, n) })
	h.set(d, core.Say("{name} removed", "name", n))
	return e, nil
}

func (h *house) Undo(context.Context) (core.Edit, error) {
	if len(h.undo) == 0 {
		return core.Edit{}, core.Fail(core.ErrNotFound, "There is nothing to undo.")
	}
	e := h.undo[0]
	h.future = append(h.future, h.d)
	d := h.past[len(h.past)-1]
	h.past, h.undo, h.redo = h.past[:len(h.past)-1], h.undo[1:], append([]core.Edit{e}, h.redo...)
	h.swap(*d)
	return e, nil
}

func (h *house) Redo(context.Context) (core.Edit, error) {
	if len(h.redo) == 0 {
		return core.Edit{}, core.Fail(core.ErrNotFound, "There is nothing to redo.")
	}
	e := h.redo[0]
	h.past = append(h.past, h.d)
	d := h.future[len(h.future)-1]
	h.future, h.redo, h.undo = h.future[:len(h.future)-1], h.redo[1:], append([]core.Edit{e}, h.undo...)
	h.swap(*d)
	return e, nil
}

func (h *house) Edits() (undo, redo []core.Edit) { return slices.Clone(h.undo), slices.Clone(h.redo) }
func (h *house) Arriving() []core.TopicState     { return slices.Clone(h.arriving) }
func (h *house) Problems() []core.Fix            { return slices.Clone(h.fixes) }
func (h *house) Clients() []core.Client          { return slices.Clone(h.clients) }
func (h *house) Teams() []core.Team              { return slices.Clone(h.teams) }
func (h *house) Accounts() []core.Account        { return slices.Clone(h.accounts) }
func (h *house) Refusals(limit int) []core.Refusal {
	return slices.Clone(h.refusals[:min(limit, len(h.refusals))])
}
func (h *house) Boards() []core.Board     { return slices.Clone(h.boards) }
func (h *house) States() []core.RuleState { return slices.Clone(h.states) }

func (h *house) Meant(n topic.Name) (topic.Name, bool) {
	m, ok := h.meant[n]
	return m, ok
}

func (h *house) Adopt(t core.TopicState) core.Batch {
	return core.Batch{Say: core.Say("{name} adopted", "name", t.Last.Topic), Topics: []core.Topic{{Name: t.Last.Topic}}}
}

func (h *house) Removals() []core.Removal                { return nil }
func (h *house) UndoRemove(context.Context, int64) error { return nil }

func (h *house) Templates() []core.Template {
	return []core.Template{
		{Key: "state_led", Flat: true, Kits: 2, Title: core.Say("Button and LED"), Text: core.Say("Two boards and one topic: the button of one lights the LED of the other.")},
		{Key: "four-boards", Flat: true, Decides: true, Kits: 4, Title: core.Say("Four-board home"), Text: core.Say("Light, sensor, button and choice: a lamp that decides from brightness, button and presence.")},
		{Key: "monitoring", Kits: 14, Title: core.Say("Smart-home monitoring"), Text: core.Say("Five rooms with climate, doors, windows, presence and power, lamps and heating, rules and alarms.")},
		{Key: "empty-home", Title: core.Say("Empty home"), Text: core.Say("A branch with three rooms, to furnish yourself.")},
	}
}

func (h *house) FromTemplate(key string, branches []topic.Name, onBoard bool) (core.Batch, error) {
	h.drawn = fmt.Sprint(key, branches, onBoard)
	var b core.Batch
	for _, n := range branches {
		four(&b, n, onBoard)
	}
	return b, h.err
}

func (h *house) DrawKit(kit core.Place) core.Batch {
	return plan.DrawKit(h.Design(), kit, core.Sentence.String)
}

func (h *house) PartTopic(slot topic.ID) core.Topic {
	return plan.PartTopic(slot, core.Sentence.String)
}

func (h *house) Select(filter string) (core.Selection, error) {
	f, err := topic.ParseFilter(filter)
	if err != nil {
		return core.Selection{}, core.Fail(core.ErrInvalid, "no filter")
	}
	s := core.Selection{Filter: f}
	for _, t := range h.d.Topics {
		if f.Match(t.Name) {
			s.Topics = append(s.Topics, t.Name)
		}
	}
	return s, nil
}

func (h *house) Import(_ context.Context, file []byte) (created, changed int, faults []core.FileFault, err error) {
	h.imported = file
	return 3, 1, h.faults, h.err
}

func (h *house) Export(_ context.Context, w io.Writer, format string) error {
	_, err := io.WriteString(w, format)
	return err
}

func (h *house) Topics(since uint64) ([]core.TopicState, uint64) {
	return slices.Clone(h.values[min(since, uint64(len(h.values))):]), uint64(len(h.values))
}

func (h *house) Messages(uint64, int) (ms []core.Message, next, lost uint64) { return nil, 0, 0 }

func (h *house) MayUse(f topic.Filter, a core.Action) []string { return []string{"Team Blue"} }

func (h *house) Press(context.Context, topic.Name, topic.ID, bool) error   { return nil }
func (h *house) Turn(context.Context, topic.Name, topic.ID, string) error  { return nil }
func (h *house) Break(context.Context, topic.Name, core.Fault, bool) error { return nil }
func (h *house) Why(context.Context, topic.Name, time.Time) (core.Chain, error) {
	return core.Chain{}, nil
}

// say publishes a value.
func (h *house) say(n topic.Name, value string, at time.Time) {
	s := core.TopicState{Last: core.Message{Topic: n, Payload: []byte(value), At: at}, Size: len(value), Count: 1}
	h.values = append(h.values, s)
	if h.d.Topic(n) == nil && !strings.HasSuffix(string(n), "/set") {
		h.arriving = append(h.arriving, s)
	}
}

// four draws the four boards of the lab in a branch.
func four(b *core.Batch, branch topic.Name, onBoard bool) {
	at := func(n topic.Name) topic.Name { return branch + "/" + n }
	topicOf := func(n topic.Name, label string, t core.Topic) topic.Name {
		t.Name, t.Label = at(n), label
		b.Topics = append(b.Topics, t)
		return t.Name
	}
	bright := topicOf("brightness", "Brightness", core.Topic{Kind: core.Number, Description: core.Description{Unit: "%"}, Max: 100})
	button := topicOf("button", "Button", core.Topic{Kind: core.Boolean, Options: []string{"turn on", "turn off"}})
	presence := topicOf("presence", "Presence", core.Topic{Kind: core.Boolean})
	light := topicOf("light", "Lamp", core.Topic{Kind: core.Boolean, Options: []string{"On", "Off"}})
	b.Places = append(b.Places,
		core.Place{Name: branch, Kind: core.BranchPlace, Label: map[topic.Name]string{"blue": "Team Blue", "green": "초록 팀"}[branch]},
		core.Place{Name: at("home"), Kind: core.RoomPlace, Label: "Smart home"},
		core.Place{Name: at("hall"), Kind: core.RoomPlace, Label: "Hall"})
	kit := func(n topic.Name, label string, r core.KitRole, ports ...core.Port) {
		b.Places = append(b.Places, core.Place{Name: at(n), Kind: core.KitPlace, Label: label, Role: r, Virtual: true, Account: topic.ID(string(branch) + "-" + last(n)), Ports: ports})
	}
	kit("home/esp-sensor", "ESP_Sensor", core.SensorKit, core.Port{Slot: "brightness", Topic: bright, Action: core.Publish}, core.Port{Slot: "presence", Topic: presence, Action: core.Publish})
	kit("home/esp-button", "ESP_Button", core.ButtonKit, core.Port{Slot: "button", Topic: button, Action: core.Publish})
	kit("home/esp-light", "ESP_Light", core.LightKit, core.Port{Slot: "light", Topic: light, Action: core.Subscribe})
	rule := core.Rule{ID: topic.ID(branch) + "-choice", Label: "Choice",
		Inputs: []core.Input{{Name: "brightness", Topic: bright}, {Name: "button", Topic: button}, {Name: "presence", Topic: presence}},
		Then:   []core.Act{{Topic: light, Value: "button"}}}
	if onBoard {
		rule.Kit = at("home/esp-choice")
		kit("home/esp-choice", "ESP_Choice", core.ChoiceKit, core.Port{Slot: "brightness", Topic: bright, Action: core.Subscribe},
			core.Port{Slot: "button", Topic: button, Action: core.Subscribe}, core.Port{Slot: "presence", Topic: presence, Action: core.Subscribe},
			core.Port{Slot: "light", Topic: light, Action: core.Publish})
	}
	b.Rules = append(b.Rules, rule)
}

// twoTeams is the four-board home of two teams: one decides on the board.
func twoTeams(t testing.TB) *house {
	h := newHouse()
	var b core.Batch
	four(&b, "blue", true)
	four(&b, "green", false)
	if err := h.Change(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	h.past, h.undo = nil, nil
	return h
}

// visit opens the screen on h in a window.
func visit(t testing.TB, h *house) (*Screen, *widgettest.Shell) { return visitAs(t, h, look{}) }

// visitAs opens it in a theme.
func visitAs(t testing.TB, h *house, l fyne.Theme) (*Screen, *widgettest.Shell) {
	shell := newShell(t, l)
	s := New(Parts{h, h, h, h, h, h, h}, shell)
	s.now = func() time.Time { return noon }
	shell.Win.SetPadded(false)
	shell.Win.SetContent(s.Content())
	shell.Win.Resize(fyne.NewSize(1000, 700))
	load(t, s)
	shell.Win.Resize(fyne.NewSize(1100, 760)) // lays out anew, as a real window does
	return s, shell
}

// look is a theme that does not depend on the system, with Homeroom's own colours.
type look struct{ dark, korean bool }

func (l look) Color(n fyne.ThemeColorName, _ fyne.ThemeVariant) color.Color {
	v := theme.VariantLight
	if l.dark {
		v = theme.VariantDark
	}
	switch n {
	case widget.ColorWarningTint, widget.ColorErrorTint, widget.ColorSuccessTint, widget.ColorRail:
		n = theme.ColorNameHover
	}
	return theme.DefaultTheme().Color(n, v)
}

func (l look) Font(s fyne.TextStyle) fyne.Resource {
	if ttf, ok := assets.Font(s.Bold); ok && l.korean && !s.Symbol {
		return fyne.NewStaticResource(fmt.Sprint("korean", s.Bold), ttf)
	}
	return theme.DefaultTheme().Font(s)
}

func (look) Icon(n fyne.ThemeIconName) fyne.Resource { return theme.DefaultTheme().Icon(n) }
func (look) Size(n fyne.ThemeSizeName) float32       { return theme.DefaultTheme().Size(n) }

// load does what the shell does.
func load(t testing.TB, s *Screen) {
	t.Helper()
	show, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	show()
}

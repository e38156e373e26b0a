package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
	"homeroom/ui/widget/widgettest"
)

// names writes what is designed, on one line.
func names(h *house) string {
	var all []string
	for _, p := range h.d.Places {
		all = append(all, string(p.Name))
	}
	for _, t := range h.d.Topics {
		all = append(all, string(t.Name)+"!")
	}
	return strings.Join(all, " ")
}

// texts returns everything that labels and buttons in the topmost dialog say.
func texts(shell *widgettest.Shell) string {
	var all []string
	top := shell.Win.Canvas().Overlays().Top()
	if top == nil {
		return ""
	}
	for _, o := range test.LaidOutObjects(top) {
		switch o := o.(type) {
		case *fw.Label:
			all = append(all, o.Text)
		case *fw.Button:
			all = append(all, "["+o.Text+"]")
		}
	}
	return strings.Join(all, "\n")
}

// press presses the button in the topmost dialog that says text.
func press(t *testing.T, shell *widgettest.Shell, text string) {
	t.Helper()
	if top := shell.Win.Canvas().Overlays().Top(); top != nil {
		for _, o := range test.LaidOutObjects(top) {
			if b, ok := o.(*fw.Button); ok && b.Text == text && b.Visible() {
				test.Tap(b)
				return
			}
		}
	}
	t.Fatalf("no button says %q in\n%s", text, texts(shell))
}

func TestAKitMovesToAnotherRoomAndBack(t *testing.T) {
	h := twoTeams(t)
	h.accounts = []core.Account{{ID: 7, Name: "blue-esp-light", Role: core.Kit}}
	s, shell := visit(t, h)
	own := core.Topic{Name: "blue/home/esp-light/power", Kind: core.Number}
	if err := h.Change(t.Context(), core.Batch{Topics: []core.Topic{own}}); err != nil {
		t.Fatal(err)
	}
	load(t, s)
	before := names(h)
	s.choose(item{place: "blue/home/esp-light"})
	s.house.OnMoved([]widget.HouseMove{{ID: placeID("blue/home/esp-light"), In: placeID("blue/hall"), X: 48, Y: 64}})
	load(t, s)
	if h.d.Place("blue/home/esp-light") != nil || h.d.Topic("blue/hall/esp-light/power") == nil {
		t.Fatalf("after the drag there is %s", names(h))
	}
	if p := h.d.Place("blue/hall/esp-light"); p.X != 48 || p.Y != 64 {
		t.Errorf("the kit was dropped at 48, 64 and is drawn at %v, %v", p.X, p.Y)
	}
	if want := []item{{place: "blue/hall/esp-light"}}; !slices.Equal(s.chosen(), want) {
		t.Errorf("the choice is %v after the drag, want %v", s.chosen(), want)
	}
	if told := shell.Told[len(shell.Told)-1]; told != "blue/home/esp-light was moved to blue/hall/esp-light" {
		t.Errorf("the window told %q", told)
	}
	if err := shell.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	load(t, s)
	if got := names(h); got != before {
		t.Errorf("after undo there is\n%s\nwant\n%s", got, before)
	}
	if p := s.tile(placeID("blue/home/esp-light")); p == nil || p.In != placeID("blue/home") {
		t.Errorf("after undo the kit is drawn as %+v", p)
	}
}

func TestUndoOfAMoveStopsWhereSomethingElseWasChanged(t *testing.T) {
	h := twoTeams(t)
	s, shell := visit(t, h)
	s.move("blue/home/esp-light", "blue/hall/esp-light")
	if err := h.Change(t.Context(), core.Batch{Topics: []core.Topic{{Name: "x"}}}); err != nil {
		t.Fatal(err)
	}
	if err := shell.Undo(t.Context()); !errors.Is(err, core.ErrConflict) {
		t.Errorf("undo after somebody else's change fails with %v, want a conflict", err)
	}
	if h.d.Topic("x") == nil {
		t.Error("undo of the move took back somebody else's change")
	}
}

func TestAMoveThatBreaksSomethingAsks(t *testing.T) {
	h := twoTeams(t)
	h.effect = core.Effect{Joins: 12, Subscribers: []core.Client{{ID: "my sketch", Filters: []string{"blue/home/esp-light/x"}}}}
	s, shell := visit(t, h)
	s.move("blue/home", "blue/house")
	if h.d.Place("blue/home") == nil {
		t.Fatal("it was moved without asking")
	}
	for _, want := range []string{"Move Smart home?", "12", "my sketch"} {
		if !strings.Contains(texts(shell), want) {
			t.Errorf("the question does not say %q:\n%s", want, texts(shell))
		}
	}
	press(t, shell, "Move")
	if h.d.Place("blue/house/esp-light") == nil {
		t.Errorf("after yes there is %s", names(h))
	}
}

func TestBreaks(t *testing.T) {
	d := twoTeams(t).d
	for name, c := range map[string]struct {
		e    core.Effect
		want bool
	}{
		"nothing hangs on it":         {core.Effect{Readings: 100, Retained: 3}, false},
		"values become one":           {core.Effect{Joins: 1}, true},
		"a permission writes it":      {core.Effect{Grants: []core.Grant{{Pattern: "blue/home/#"}}}, true},
		"somebody subscribes to all":  {core.Effect{Subscribers: []core.Client{{ID: "x", Filters: []string{"#", "blue/+/light"}}}}, false},
		"somebody knows the name":     {core.Effect{Subscribers: []core.Client{{ID: "x", Filters: []string{"blue/home/light"}}}}, true},
		"the virtual kit itself":      {core.Effect{Subscribers: []core.Client{{ID: "blue-esp-light-virtual", Filters: []string{"blue/home/light"}}}}, false},
		"somebody knows another name": {core.Effect{Subscribers: []core.Client{{ID: "x", Filters: []string{"green/home/light"}}}}, false},
	} {
		if got := breaks(d, "blue/home", c.e); got != c.want {
			t.Errorf("%s: breaks is %v", name, got)
		}
	}
}

func TestMovingWithinARoomPinsTheOthers(t *testing.T) {
	h := twoTeams(t)
	s, _ := visit(t, h)
	was := *s.tile(placeID("blue/home/esp-button"))
	s.house.OnMoved([]widget.HouseMove{{ID: placeID("blue/home/esp-light"), In: placeID("blue/home"), X: 480, Y: 320}})
	load(t, s)
	if p := h.d.Place("blue/home/esp-light"); p.X != 480 || p.Y != 320 || len(h.undo) != 1 {
		t.Errorf("the kit is at %v, %v after %d edits, want 480, 320 after one", p.X, p.Y, len(h.undo))
	}
	if now := s.tile(placeID("blue/home/esp-button")); now.X != was.X || now.Y != was.Y {
		t.Errorf("the kit beside it went from %v, %v to %v, %v", was.X, was.Y, now.X, now.Y)
	}
}

func TestWhatCannotBeDroppedThere(t *testing.T) {
	h := twoTeams(t)
	s, shell := visit(t, h)
	for _, m := range []widget.HouseMove{
		{ID: placeID("blue/home/esp-light"), In: ""},
		{ID: placeID("blue/home"), In: ""},
		{ID: placeID("blue/home"), In: placeID("green/hall")},
		{ID: placeID("blue"), In: placeID("green")},
	} {
		told := len(shell.Told)
		s.house.OnMoved([]widget.HouseMove{m})
		if len(shell.Told) == told || len(h.undo) > 0 {
			t.Errorf("%s dropped in %q: told %d lines and made %d edits", m.ID, m.In, len(shell.Told)-told, len(h.undo))
		}
	}
}

func TestCopiesHaveNamesOfTheirOwn(t *testing.T) {
	h := twoTeams(t)
	if err := h.Change(t.Context(), core.Batch{Topics: []core.Topic{{Name: "blue/home/esp-light/power"}}}); err != nil {
		t.Fatal(err)
	}
	s, _ := visit(t, h)
	s.choose(item{place: "blue/home/esp-light"})
	s.duplicate()
	load(t, s)
	s.duplicate() // of the copy
	load(t, s)
	for _, n := range []topic.Name{"blue/home/esp-light-2", "blue/home/esp-light-3"} {
		if p := h.d.Place(n); p == nil || p.Account != "blue-"+topic.ID(last(n)) || p.Ports[0].Topic != "blue/light" || h.d.Topic(n+"/power") == nil {
			t.Errorf("the copy %s is %+v", n, p)
		}
	}
	s.choose(item{place: "blue/home"})
	s.copy()
	s.choose(item{place: "green"})
	s.paste()
	load(t, s)
	if p := h.d.Place("green/home-2/esp-choice"); p == nil || p.Account != "green-esp-choice" {
		t.Errorf("the room's kit is %+v in %s", p, names(h))
	}
	if p := h.d.Place("green/home-2/esp-button"); p.Account != "green-home-2-esp-button" {
		t.Errorf("green has a kit esp-button already; the account of the other is %q", p.Account)
	}
	if want := []item{{place: "green/home-2"}}; !slices.Equal(s.chosen(), want) {
		t.Errorf("after pasting the choice is %v, want %v", s.chosen(), want)
	}
	accounts := map[topic.ID]topic.Name{}
	for _, p := range h.d.Places {
		if other, taken := accounts[p.Account]; taken && p.Account != "" {
			t.Errorf("%s and %s share the account %s", p.Name, other, p.Account)
		}
		accounts[p.Account] = p.Name
	}
}

func TestACopiedRoomTakesItsRulesAlong(t *testing.T) {
	d := design([]core.Topic{{Name: "b/r/k/in"}, {Name: "b/r/k/out"}, {Name: "b/far"}}, []core.Place{{Name: "b", Kind: core.BranchPlace}, {Name: "b/r", Kind: core.RoomPlace},
		{Name: "b/r/k", Kind: core.KitPlace, Ports: []core.Port{{Slot: "in", Topic: "b/r/k/in"}, {Slot: "far", Topic: "b/far"}}}},
		core.Rule{ID: "here", Inputs: []core.Input{{Name: "x", Topic: "b/r/k/in"}}, Then: []core.Act{{Topic: "b/r/k/out"}}},
		core.Rule{ID: "there", Inputs: []core.Input{{Name: "x", Topic: "b/far"}}, Then: []core.Act{{Topic: "b/r/k/out"}}})
	b, made := newMaker(d, nil).copies(d, []item{{place: "b/r"}, {place: "b/r/k"}, {topic: "b/r/k/in"}}, nil)
	if want := []item{{place: "b/r-2"}}; !slices.Equal(made, want) {
		t.Errorf("the copies are %v, want %v: what is inside comes with it", made, want)
	}
	if len(b.Rules) != 1 || b.Rules[0].ID != "here-2" || b.Rules[0].Inputs[0].Topic != "b/r-2/k/in" || b.Rules[0].Then[0].Topic != "b/r-2/k/out" {
		t.Errorf("the copied rules are %+v", b.Rules)
	}
	if p := b.Places[1].Ports; p[0].Topic != "b/r-2/k/in" || p[1].Topic != "b/far" {
		t.Errorf("the ports of the copied kit are %+v", p)
	}
	if d.Rules[0].Inputs[0].Topic != "b/r/k/in" || d.Places[2].Ports[0].Topic != "b/r/k/in" {
		t.Error("copying changed what was copied")
	}
}

func TestNewKits(t *testing.T) {
	h := newHouse()
	h.accounts = []core.Account{{ID: 1, Name: "house-1-kit-1"}}
	s, _ := visit(t, h)
	s.dropped(dropKit+string(core.SensorKit), "", 40, 60)
	load(t, s)
	if got := names(h); got != "house-1 house-1/kit-1 house-1/kit-1/brightness! house-1/kit-1/presence!" {
		t.Fatalf("a sensor on empty ground makes %s", got)
	}
	if p := h.d.Place("house-1/kit-1"); p.Account != "house-1-kit-1-2" || !p.Virtual {
		t.Errorf("the kit is %+v; its account's name is taken", p)
	}
	for _, r := range []core.KitRole{core.ButtonKit, core.LightKit, core.ChoiceKit} {
		s.dropped(dropKit+string(r), placeID("house-1"), 40, 260)
		load(t, s)
	}
	var ports []string
	for _, p := range h.d.Place("house-1/kit-4").Ports {
		ports = append(ports, fmt.Sprintf("%s %s %s", p.Slot, p.Action, p.Topic))
	}
	want := "brightness subscribe house-1/kit-1/brightness, button subscribe house-1/kit-2/button, presence subscribe house-1/kit-1/presence, light publish house-1/kit-3/light"
	if got := strings.Join(ports, ", "); got != want {
		t.Errorf("a choice board beside sensor, button and light has the ports\n%s\nwant\n%s", got, want)
	}
	if want := []item{{place: "house-1/kit-4"}}; !slices.Equal(s.chosen(), want) {
		t.Errorf("the choice is %v, want %v", s.chosen(), want)
	}
	s.undo()
	load(t, s)
	if h.d.Place("house-1/kit-4") != nil || len(s.chosen()) > 0 {
		t.Errorf("after undo there is %s and the choice is %v", names(h), s.chosen())
	}
}

func TestConnect(t *testing.T) {
	d := design([]core.Topic{
		{Name: "b/lamp/light", Kind: core.Boolean, Writable: true}, {Name: "b/sensor/brightness", Kind: core.Number},
		{Name: "b/choice/light", Kind: core.Boolean}, {Name: "b/choice/brightness", Kind: core.Number}, {Name: "b/door"}},
		[]core.Place{{Name: "b", Kind: core.BranchPlace},
			{Name: "b/lamp", Kind: core.KitPlace, Ports: []core.Port{{Slot: "light", Topic: "b/lamp/light", Action: core.Subscribe}}},
			{Name: "b/sensor", Kind: core.KitPlace, Ports: []core.Port{{Slot: "brightness", Topic: "b/sensor/brightness", Action: core.Publish}}},
			{Name: "b/choice", Kind: core.KitPlace, Ports: []core.Port{
				{Slot: "brightness", Topic: "b/choice/brightness", Action: core.Subscribe}, {Slot: "light", Topic: "b/choice/light", Action: core.Publish}}}})
	at := func(kit topic.Name, s topic.ID, n topic.Name) end { return endOf(d, kit, s, n) }
	lamp, sensor := at("b/lamp", "light", "b/lamp/light"), at("b/sensor", "brightness", "b/sensor/brightness")
	reads, decides, door := at("b/choice", "brightness", "b/choice/brightness"), at("b/choice", "light", "b/choice/light"), at("", "", "b/door")
	for name, c := range map[string]struct {
		a, b end
		want string // kit, port's topic, topics that go
	}{
		"a reader gets what is published":      {sensor, reads, "b/choice b/sensor/brightness [b/choice/brightness]"},
		"and the other way round":              {reads, sensor, "b/choice b/sensor/brightness [b/choice/brightness]"},
		"who decides commands the lamp":        {decides, lamp, "b/choice b/lamp/light [b/choice/light]"},
		"a kit reads a topic of nobody":        {door, reads, "b/choice b/door [b/choice/brightness]"},
		"a kit publishes to a topic of nobody": {sensor, door, "b/sensor b/door [b/sensor/brightness]"},
		"two that publish":                     {sensor, decides, ""},
		"a port with itself":                   {sensor, sensor, ""},
	} {
		b, _, ok := direct(d, c.a, c.b)
		got := ""
		if ok {
			p := b.Places[0]
			for i, port := range p.Ports {
				if old := d.Place(p.Name).Ports[i]; old.Topic != port.Topic {
					got = fmt.Sprint(p.Name, " ", port.Topic, " ", b.RemoveTopics)
				}
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	b, _, ok := direct(d, sensor, reads)
	h := house{d: d}
	if err := h.Change(t.Context(), b); err != nil || !ok {
		t.Fatal(err)
	}
	b, ok = unplug(h.d, at2(h.d, "b/choice", "brightness"))
	if !ok || len(b.Topics) != 1 || b.Topics[0].Name != "b/choice/brightness" || b.Topics[0].Kind != core.Number {
		t.Errorf("taking the wire away makes %+v, want a topic of the kit's own again", b.Topics)
	}
}

func at2(d *core.Design, kit topic.Name, s topic.ID) end {
	for _, p := range d.Place(kit).Ports {
		if p.Slot == s {
			return end{kit, s, p.Topic, p.Action}
		}
	}
	return end{}
}

func TestConnectAsksHow(t *testing.T) {
	h := twoTeams(t)
	s, shell := visit(t, h)
	from := portID("blue/home/esp-button", "button", core.Publish, "blue/button")
	to := portID("green/home/esp-light", "light", core.Subscribe, "green/light")
	s.connect(from, to)
	press(t, shell, "With a rule")
	if want := "rules/new/blue%2Fbutton/green%2Flight"; shell.Gone != want {
		t.Errorf("with a rule goes to %q, want %q", shell.Gone, want)
	}
	s.connect(from, to)
	press(t, shell, "Directly")
	if got := h.d.Place("green/home/esp-light").Ports[0].Topic; got != "blue/button" {
		t.Errorf("connected directly the light reads %s, want blue/button", got)
	}
}

func TestRemoveShowsWhatGoes(t *testing.T) {
	h := twoTeams(t)
	h.effect = core.Effect{Readings: 1234, Retained: 2}
	s, shell := visit(t, h)
	before := names(h)
	s.choose(item{place: "blue/home"}, item{place: "blue/home/esp-light"})
	s.key(fyne.KeyDelete, 0)
	for _, want := range []string{"Remove Smart home?", "1,234", "(2)", "Choice"} {
		if !strings.Contains(texts(shell), want) {
			t.Errorf("the question does not say %q:\n%s", want, texts(shell))
		}
	}
	if names(h) != before {
		t.Fatal("it is gone before the answer")
	}
	press(t, shell, "Remove")
	load(t, s)
	if h.d.Place("blue/home/esp-light") != nil || len(s.chosen()) > 0 {
		t.Errorf("after yes there is %s, chosen %v", names(h), s.chosen())
	}
	if err := shell.Undo(t.Context()); err != nil || names(h) != before {
		t.Errorf("undo fails with %v and leaves\n%s\nwant\n%s", err, names(h), before)
	}
}

func TestWhatIsNotDesignedCannotBeRemoved(t *testing.T) {
	h := twoTeams(t)
	h.say("elsewhere", "1", noon)
	s, shell := visit(t, h)
	s.remove(item{topic: "elsewhere"})
	if texts(shell) != "" || len(shell.Told) != 1 || shell.Told[0] != "elsewhere is not designed, so there is nothing to remove." {
		t.Errorf("removing it asks %q and tells %q", texts(shell), shell.Told)
	}
}

func TestEmptyPlanInvites(t *testing.T) {
	h := newHouse()
	h.say("state_led", "1", noon)
	h.say("x/$state", "ready", noon)
	s, shell := visit(t, h)
	if !s.invite.box.Visible() || s.work.Visible() {
		t.Fatal("an empty plan does not invite")
	}
	if s.invite.adopt.Text != "Adopt what arrives (1)" {
		t.Errorf("the button says %q", s.invite.adopt.Text)
	}
	test.Tap(s.invite.cards[1])
	press(t, shell, "Draw")
	if h.drawn != "four-boards[blue green] false" {
		t.Errorf("the template was drawn as %s, want four boards for both teams with a rule", h.drawn)
	}
	load(t, s)
	if s.invite.box.Visible() || !s.work.Visible() {
		t.Error("a plan that is drawn still invites")
	}
	h.d = &core.Design{}
	load(t, s)
	test.Tap(s.invite.adopt)
	load(t, s)
	if got := names(h); got != "state_led!" {
		t.Errorf("adopting what arrives makes %s", got)
	}
	if len(shell.Told) > 0 && shell.Err != nil {
		t.Error(shell.Err)
	}
}

func TestBranchesOfATemplate(t *testing.T) {
	h := twoTeams(t)
	s, shell := visit(t, h)
	b := askBranches(shell, s.d, h.teams, h.Templates()[1], func([]topic.Name, bool) {})
	if len(b.check.Selected) != 0 || !b.sheet.OK().Disabled() {
		t.Errorf("both teams have a branch; %v are selected, and drawing is off: %v", b.check.Selected, b.sheet.OK().Disabled())
	}
	b.other.SetText("My House")
	if !b.sheet.OK().Disabled() {
		t.Error("a branch may be called My House")
	}
	b.other.SetText("annex")
	b.flat.SetChecked(true)
	if ns, _ := b.names(); !slices.Equal(ns, []topic.Name{"annex", ""}) || b.sheet.OK().Disabled() {
		t.Errorf("the branches are %q", ns)
	}
}

func TestFaultsOfAFile(t *testing.T) {
	h := twoTeams(t)
	h.faults = []core.FileFault{{Line: 3, Path: "topics[1].qos", Say: core.Say("The QoS of {topic} is {qos}. Choose 0, 1 or 2.", "topic", "a", "qos", 9)}, {Say: core.Say("Something else")}}
	s, shell := visit(t, h)
	s.importData("plan.json", []byte("{}"))
	if got := texts(shell); !strings.Contains(got, "plan.json has faults (2)") || !strings.Contains(got, "Line 3 · topics[1].qos\nThe QoS of a is 9.") {
		t.Errorf("the list says\n%s", got)
	}
	press(t, shell, "Copy the list")
	if got := fyne.CurrentApp().Clipboard().Content(); got != "Line 3 · topics[1].qos\nThe QoS of a is 9. Choose 0, 1 or 2.\n\nSomething else" {
		t.Errorf("copied %q", got)
	}
	press(t, shell, "Close")
	h.faults = nil
	s.importData("plan.json", []byte("{}"))
	if told := shell.Told[len(shell.Told)-1]; told != "plan.json is imported. New: 3. Changed: 1." {
		t.Errorf("told %q", told)
	}
}

func TestValuesAreTouchedWithoutDrawingAnew(t *testing.T) {
	h := twoTeams(t)
	s, _ := visit(t, h)
	drawn := s.redrawn
	at := noon
	later := func(d time.Duration) {
		at = at.Add(d)
		s.now = func() time.Time { return at }
	}
	later(2 * time.Second)
	h.say("blue/brightness", "80", at)
	load(t, s)
	if s.redrawn != drawn {
		t.Error("a value made the house be drawn anew")
	}
	if text, paint, _ := s.world.value("blue/brightness", s.d.Topic("blue/brightness")); text != "80 %" || paint != widget.PaintAlive {
		t.Errorf("the port shows %q in %v", text, paint)
	}
	later(2 * time.Second)
	h.say("blue/brightnes", "81", at)
	h.meant["blue/brightnes"] = "blue/brightness"
	load(t, s)
	if s.redrawn == drawn || s.tile(looseID("blue/brightnes")) == nil {
		t.Error("a topic that is not designed is not drawn")
	}
	if note := s.tile(looseID("blue/brightnes")).Note; note != "did you mean brightness?" {
		t.Errorf("it says %q", note)
	}
	h.refusals = []core.Refusal{{At: at, Topic: "blue/light", Say: core.Say("no")}}
	later(2 * time.Second)
	load(t, s)
	if !s.reds["blue/light"] {
		t.Error("a refused topic is not red")
	}
	later(11 * time.Second)
	load(t, s)
	if len(s.reds) > 0 {
		t.Errorf("after 11 s %v are red still", s.reds)
	}
}

func TestOpenChoosesAndWaitsForTheFirstLoad(t *testing.T) {
	h := twoTeams(t)
	shell := newShell(t, test.Theme())
	s := New(Parts{h, h, h, h, h, h, h}, shell)
	s.Open("blue/light")
	shell.Win.SetContent(s.Content())
	load(t, s)
	if want := []item{{topic: "blue/light"}}; !slices.Equal(s.chosen(), want) {
		t.Errorf("the choice is %v, want %v", s.chosen(), want)
	}
	s.Open("green/home")
	if want := []item{{place: "green/home"}}; !slices.Equal(s.chosen(), want) {
		t.Errorf("the choice is %v, want %v", s.chosen(), want)
	}
	if !s.Back() || s.Back() || len(s.chosen()) > 0 {
		t.Error("Back does not let go of the choice, once")
	}
}

func TestKeysAndWhatUndoWouldDo(t *testing.T) {
	h := twoTeams(t)
	s, _ := visit(t, h)
	if !s.tools.undo.Disabled() || s.tools.undo.hint != "There is nothing to undo" {
		t.Errorf("undo is on, and says %q", s.tools.undo.hint)
	}
	s.choose(item{place: "blue/home/esp-light"})
	ctrl := fyne.KeyModifierShortcutDefault
	s.key(fyne.KeyD, ctrl)
	load(t, s)
	if s.tools.undo.Disabled() || s.tools.undo.hint != "Undo: blue/home/esp-light copied" {
		t.Errorf("undo says %q", s.tools.undo.hint)
	}
	s.key(fyne.KeyZ, ctrl)
	load(t, s)
	if h.d.Place("blue/home/esp-light-2") != nil || s.tools.redo.hint != "Redo: blue/home/esp-light copied" {
		t.Errorf("after Ctrl+Z there is %s; redo says %q", names(h), s.tools.redo.hint)
	}
	s.key(fyne.KeyZ, ctrl|fyne.KeyModifierShift)
	load(t, s)
	if h.d.Place("blue/home/esp-light-2") == nil {
		t.Error("Ctrl+Shift+Z does not redo")
	}
	if s.key(fyne.KeyQ, ctrl) {
		t.Error("the screen took Ctrl+Q, which is the window's")
	}
}

func TestAFailedChangeShowsTheHouseAsItIs(t *testing.T) {
	h := twoTeams(t)
	s, shell := visit(t, h)
	h.err = core.Fail(core.ErrConflict, "no")
	s.house.OnMoved([]widget.HouseMove{{ID: placeID("blue/home/esp-light"), In: placeID("blue/home"), X: 480, Y: 320}})
	if shell.Err == nil {
		t.Error("nobody is told that the change failed")
	}
	if _, err := h.Undo(context.Background()); err == nil {
		t.Error("a failed change is an edit")
	}
}

func TestPictures(t *testing.T) {
	small, large := fyne.NewSize(1100, 760), fyne.NewSize(1500, 900)
	for _, c := range []struct {
		name string
		lang lang.Language
		look look
		size fyne.Size
	}{
		{"plan-light", lang.English, look{}, small}, // those of a theme together: another reads the fonts anew
		{"plan-fr", lang.French, look{}, small},
		{"plan-empty", lang.English, look{}, small},
		{"plan-dark-wide", lang.English, look{dark: true}, large},
		{"plan-ko-dark", lang.Korean, look{true, true}, small},
	} {
		t.Run(c.name, func(t *testing.T) {
			lang.Use(c.lang, "")
			t.Cleanup(func() { lang.Use(lang.English, "") })
			h := twoTeams(t)
			if c.name == "plan-empty" {
				h = newHouse()
				h.say("state_led", "1", noon)
			} else {
				living(h)
			}
			s, shell := visitAs(t, h, c.look)
			shell.Win.Resize(c.size)
			s.house.Fit()
			s.Open("blue/home/esp-light")
			test.AssertImageMatches(t, c.name+".png", shell.Win.Canvas().Capture())
		})
	}
}

// living gives the house values of some ages, a slip and a refusal.
func living(h *house) {
	h.say("blue/brightness", "80", noon.Add(-time.Second))
	h.say("blue/button", "turn on", noon.Add(-20*time.Second))
	h.say("blue/light", "On", noon.Add(-20*time.Second))
	h.say("blue/presence", "true", noon.Add(-3*time.Minute))
	h.say("green/brightness", "34", noon)
	h.say("green/brightnes", "33", noon)
	h.say("state_led", "1", noon.Add(-2*time.Second))
	h.meant["green/brightnes"] = "green/brightness"
	h.accounts = []core.Account{{ID: 1, Name: "blue-esp-light"}, {ID: 2, Name: "blue-esp-sensor"}, {ID: 3, Name: "green-esp-button"}}
	for _, p := range h.d.Places {
		if p.Kind == core.KitPlace {
			h.boards = append(h.boards, core.Board{Kit: *p, State: "ready"})
		}
	}
	h.refusals = []core.Refusal{{At: noon, Account: 3, Topic: "blue/button", Action: core.Publish, Say: core.Say("{name} may not publish to {topic}.", "name", "green-esp-button", "topic", "blue/button")}}
	h.states = []core.RuleState{{ID: "green-choice", Acts: 1, Last: core.Firing{At: noon}}}
	h.fixes = []core.Fix{{Topic: "green/brightnes", Say: core.Say("{name} – did you mean {other}?", "name", "brightnes", "other", "brightness")}}
}

// TestOneGestureIsOneUndo: what takes several edits is undone and made again at once.
func TestOneGestureIsOneUndo(t *testing.T) {
	h := twoTeams(t)
	s, _ := visit(t, h)
	before := names(h)
	if err := h.Change(t.Context(), core.Batch{Topics: []core.Topic{{Name: "x"}}}); err != nil {
		t.Fatal(err)
	}
	load(t, s)
	x := names(h)
	s.house.OnMoved([]widget.HouseMove{{ID: placeID("blue/home/esp-light"), In: placeID("blue/hall"), X: 48, Y: 64}})
	load(t, s)
	moved := names(h)
	if len(h.undo) != 3 {
		t.Fatalf("the drag was %d edits, want a move and where it is drawn", len(h.undo)-1)
	}
	s.undo()
	load(t, s)
	if got := names(h); got != x {
		t.Errorf("after one undo there is\n%s\nwant\n%s", got, x)
	}
	s.redo()
	load(t, s)
	if p := h.d.Place("blue/hall/esp-light"); names(h) != moved || p == nil || p.X != 48 || p.Y != 64 {
		t.Errorf("after one redo there is\n%s\nwant\n%s", names(h), moved)
	}
	s.undo()
	s.undo()
	if got := names(h); got != before {
		t.Errorf("what was done before is not undone by itself: %s", got)
	}
}

// TestWhatIsNewIsChosen also where the window saw it before it knew that it was to.
func TestWhatIsNewIsChosen(t *testing.T) {
	h := twoTeams(t)
	s, shell := visit(t, h)
	b, i := newMaker(s.d, nil).room("blue")
	if err := h.Change(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	load(t, s)
	s.naming = i
	load(t, s)
	if !slices.Equal(s.chosen(), []item{i}) {
		t.Errorf("chosen %v, want %v", s.chosen(), i)
	}
	if e, ok := shell.Win.Canvas().Focused().(*fieldEntry); !ok || e.Text != last(i.place) {
		t.Errorf("the keyboard is at %T, want the name", shell.Win.Canvas().Focused())
	}
}

// TestNewRoomsCoverNothing wherever they are dropped.
func TestNewRoomsCoverNothing(t *testing.T) {
	for _, in := range []topic.Name{"", "blue", "blue/home"} {
		h := twoTeams(t)
		s, _ := visit(t, h)
		for range 3 {
			s.addRoom(in, 0, 0)
			load(t, s)
		}
		if n := len(h.undo); n != 3 {
			t.Errorf("in %q: %d rooms were added", in, n)
		}
		for i, a := range s.pic.Areas {
			for _, b := range s.pic.Areas[:i] {
				if a.In == b.In && (rect{a.X, a.Y, a.W, a.H}).meets(rect{b.X, b.Y, b.W, b.H}) {
					t.Errorf("in %q: %s covers %s", in, a.Title, b.Title)
				}
			}
		}
	}
}

func TestShelve(t *testing.T) {
	wide := func(n int) (ps []core.Place) {
		for i := range n {
			ps = append(ps, core.Place{Name: topic.Name(fmt.Sprint("team-", i)), Kind: core.BranchPlace, W: 900, H: 400})
			ps = append(ps, core.Place{Name: topic.Name(fmt.Sprint("team-", i, "/room")), Kind: core.RoomPlace, X: 7})
		}
		return ps
	}
	for _, c := range []struct {
		n       int
		canvas  fyne.Size
		columns int
	}{{1, fyne.NewSize(500, 500), 1}, {2, fyne.NewSize(500, 600), 1}, {2, fyne.NewSize(2000, 300), 2}, {6, fyne.NewSize(540, 590), 2}, {6, fyne.Size{}, 1}} {
		ps := wide(c.n)
		shelve(ps, c.canvas)
		xs := map[float64]bool{}
		for i, p := range ps {
			if p.Kind == core.RoomPlace {
				if p.X != 7 {
					t.Errorf("a room was moved to %v", p.X)
				}
				continue
			}
			xs[p.X] = true
			for _, o := range ps[:i] {
				if o.Kind == core.BranchPlace && o.X < p.X+p.W && p.X < o.X+o.W && o.Y < p.Y+p.H && p.Y < o.Y+o.H && c.canvas.Width > 0 {
					t.Errorf("%d on %v: %s covers %s", c.n, c.canvas, p.Name, o.Name)
				}
			}
		}
		if len(xs) != c.columns {
			t.Errorf("%d on %v stand in %d columns, want %d", c.n, c.canvas, len(xs), c.columns)
		}
	}
	flat := append(wide(1), core.Place{Name: "esp-light", Kind: core.KitPlace})
	flat[0].X = 5
	if shelve(flat, fyne.NewSize(500, 500)); flat[0].X != 5 {
		t.Error("with flat kits beside it a branch is moved")
	}
}

func TestBranchesHaveTheColorsOfTheirNames(t *testing.T) {
	d := &core.Design{}
	for _, n := range []topic.Name{"amber", "blue", "red", "team-1", "team-2", "team-3", "team-4", "team-5"} {
		d.Places = append(d.Places, &core.Place{Name: n, Kind: core.BranchPlace})
	}
	hues := branchHues(d)
	if hues["blue"] != 1 || hues["red"] != 4 {
		t.Errorf("blue is %d and red is %d", hues["blue"], hues["red"])
	}
	seen := map[int]topic.Name{}
	for n, h := range hues {
		if o, twice := seen[h]; twice {
			t.Errorf("%s and %s have one colour", n, o)
		}
		seen[h] = n
	}
}

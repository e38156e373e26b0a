package setup

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"homeroom/core"
	"homeroom/core/topic"
)

// TestOnePass makes a kit of a drawn one with the keyboard alone, and begins with
// the next board.
func TestOnePass(t *testing.T) {
	l := newLab()
	s, shell := visit(t, l)
	w := s.wizard
	if w.next.Disabled() != true || !strings.Contains(text(s.Content()), "Plug in the board") {
		t.Fatalf("before anything is plugged in:\n%s", text(s.Content()))
	}
	l.plug("COM3", noon)
	load(t, s)
	if !slices.Equal(l.calls, []string{"begin COM3"}) || w.id != 1 {
		t.Fatalf("the board that was plugged in did not begin: %q", l.calls)
	}
	l.read(1)
	load(t, s)
	if w.at != core.StepKit {
		t.Fatalf("after the chip is known the step is %s", w.at)
	}
	p := w.pages[core.StepKit].(*kitPage)
	if p.tiles["blue/lab/own"] != nil {
		t.Error("offers a kit that has no firmware")
	}
	enter(shell)
	if w.at != core.StepKit {
		t.Error("goes on without a kit")
	}
	p.tiles["blue/lab/kit-1"].TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	if !strings.Contains(p.tiles["blue/lab/kit-1"].text.Text, "virtual kit") {
		t.Errorf("a virtual kit is %q", p.tiles["blue/lab/kit-1"].text.Text)
	}
	enter(shell)
	if w.at != core.StepNetwork {
		t.Fatalf("Enter goes to %s", w.at)
	}
	press(shell, fyne.KeyEscape)
	if w.at != core.StepKit {
		t.Fatalf("Escape goes to %s", w.at)
	}
	enter(shell)
	form := w.pages[core.StepNetwork].(*networkPage).form
	form.tiles["library"].TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	if c := shell.Win.Canvas().Focused(); c != form.key {
		t.Errorf("the keyboard is at %T, want the key", c)
	}
	if !w.next.Disabled() {
		t.Error("goes on without the key of a network that has one")
	}
	form.tiles["eduroam"].Tapped(nil)
	if w.d.network != "library" {
		t.Error("took a network that kits cannot join")
	}
	test.Type(form.key, "spring lab")
	enter(shell)
	f, _ := l.find(1)
	want := core.SetupOrder{Kit: "blue/lab/kit-1", Image: "wifi", Network: "library", Remember: true, TLS: true} // which the program has
	if fmt.Sprint(f.Order) != fmt.Sprint(want) || l.keys[1] != "spring lab" {
		t.Errorf("ordered %+v with key %q, want %+v", f.Order, l.keys[1], want)
	}
	if w.d.key != "" || form.key.Text != "" {
		t.Error("the key stays in the window")
	}

	l.at(1, core.StepFlash, core.Say("Writing")).Total = 100
	load(t, s)
	if got := text(s.Content()); w.at != core.StepFlash || !strings.Contains(got, "Writing") || !strings.Contains(got, "0 bytes of 100 bytes") || w.back.Text != "Cancel" {
		t.Errorf("while it flashes:\n%s", got)
	}
	l.at(1, core.StepJoin, core.Say("Waiting"))
	load(t, s)
	l.testing(1)
	load(t, s)
	cards := w.pages[core.StepTest].(*tryPage).cards
	if len(cards) != 4 || w.next.Text != "Leave out the rest" {
		t.Fatalf("%d cards, the button says %q", len(cards), w.next.Text)
	}
	test.Tap(cards[1].yes)
	load(t, s)
	if cards[1].state.Text != "works" || cards[0].state.Text != "waits for you" {
		t.Errorf("after Yes the lamp %q, the button %q", cards[1].state.Text, cards[0].state.Text)
	}
	l.pass(1)
	load(t, s)
	if w.at != core.StepCard || !strings.Contains(w.title.Text, "kit-1 is ready") {
		t.Fatalf("at the end %s, %q", w.at, w.title.Text)
	}
	for i, item := range w.rail.items {
		if item.state != stepDone {
			t.Errorf("step %d is %v at the end", i+1, item.state)
		}
	}
	enter(shell) // the next board
	if w.id != 0 || w.at != core.StepPort || w.d.kit != "blue/lab/kit-2" || w.d.network != "library" || len(l.setups) != 0 {
		t.Errorf("the next board is %+v at %s", w.d, w.at)
	}
	load(t, s)
	if w.id != 0 {
		t.Error("the board that is still there began again by itself")
	}
}

func TestNewKit(t *testing.T) {
	l := newLab()
	s, shell := visit(t, l)
	w := s.wizard
	s.Open("port/COM9")
	l.read(1)
	load(t, s)
	p := w.pages[core.StepKit].(*kitPage)
	test.Tap(p.fresh)
	if w.d.in != "blue/hall" || w.d.id != "kit-1" {
		t.Fatalf("proposes %s/%s", w.d.in, w.d.id)
	}
	p.room.SetSelected("Lab (lab)")
	if w.d.in != "blue/lab" || w.d.id != "kit-4" {
		t.Errorf("in the lab proposes %s/%s", w.d.in, w.d.id)
	}
	for id, want := range map[string]string{"kit-1": "taken", "Kit": "small letters", "민준": "cannot have", "": "Type a name", "a b": "no spaces"} {
		p.id.SetText(id)
		if !strings.Contains(p.hint.Text, want) || !w.next.Disabled() {
			t.Errorf("%q tells %q, want %q", id, p.hint.Text, want)
		}
	}
	p.id.SetText("desk-9")
	p.label.SetText("창가 책상")
	test.Tap(p.roles[core.SensorKit])
	w.d.cable = true
	enter(shell)
	enter(shell)
	f, _ := l.find(1)
	if o := f.Order; o.Kit != "blue/lab/desk-9" || o.Role != core.SensorKit || o.Label != "창가 책상" || !o.Cable || o.Image != "wired" || o.Pins != nil {
		t.Fatalf("ordered %+v", o)
	}
	l.testing(1)
	l.pass(1)
	load(t, s)
	enter(shell)
	if w.d.id != "desk-10" || w.d.label != "" || !w.d.fresh || !w.d.cable {
		t.Errorf("the next board is %+v", w.d)
	}
}

func TestFailureTellsAndGoesOn(t *testing.T) {
	l := newLab()
	s, shell := visit(t, l)
	w := s.wizard
	s.Open("port/COM3")
	l.read(1)
	load(t, s)
	w.d.kit, w.d.network = "blue/lab/kit-1", "school-lab"
	w.begin(core.StepKit)
	f := l.at(1, core.StepJoin, core.Sentence{})
	f.Running, f.Problem = false, core.Say("The key of {network} is wrong. Type it again.", "network", "school-lab")
	load(t, s)
	if got := text(s.Content()); !strings.Contains(got, "The key of school-lab is wrong") || w.rail.items[5].state != stepFailed {
		t.Fatalf("told\n%s", got)
	}
	enter(shell)
	if l.calls[len(l.calls)-1] != "start 1 join" {
		t.Errorf("Try again asked for %q", l.calls)
	}
	f.Running = false
	f.Problem = core.Say("No.")
	load(t, s)
	test.Tap(w.pages[core.StepJoin].(*workPage).network)
	form := w.pages[core.StepNetwork].(*networkPage).form
	test.Tap(form.tiles["guests"])
	if w.next.Text != "Join" {
		t.Errorf("with another network the button says %q", w.next.Text)
	}
	enter(shell)
	if l.calls[len(l.calls)-1] != "start 1 network" || f.Order.Network != "guests" {
		t.Errorf("another network asked for %q", l.calls)
	}
	load(t, s)
	l.at(1, core.StepSettings, core.Say("Waiting"))
	load(t, s)
	press(shell, fyne.KeyEscape)
	if l.calls[len(l.calls)-1] != "stop 1" {
		t.Errorf("Escape while it works asked for %q", l.calls)
	}
	load(t, s)
	if w.at != core.StepSettings || w.next.Text != "Go on" {
		t.Errorf("after Cancel: %s, %q", w.at, w.next.Text)
	}
	l.refuse = core.Fail(core.ErrConflict, "The name is taken. Choose another.")
	w.begin(core.StepKit)
	if !w.problem.Visible() || w.problem.Text.Text != "The name is taken. Choose another." || w.asked {
		t.Errorf("told %q", w.problem.Text.Text)
	}
}

func TestMissingFirmware(t *testing.T) {
	l := newLab()
	s, _ := visit(t, l)
	w := s.wizard
	s.Open("port/COM3")
	l.read(1)
	l.images[0].Missing = core.Say("It is not part of this build. Build it, or choose a file.")
	load(t, s)
	w.d.kit, w.d.network = "blue/lab/kit-1", "school-lab"
	w.look(core.StepNetwork)
	form := w.pages[core.StepNetwork].(*networkPage).form
	if !form.missing.Visible() || !w.next.Disabled() {
		t.Fatal("goes on without firmware")
	}
	test.Tap(form.byWire)
	if !w.d.cable || w.next.Disabled() || form.missing.Visible() {
		t.Error("the cable does not help")
	}
	test.Tap(form.wifi)
	test.Tap(form.build)
	load(t, s)
	if w.next.Disabled() || form.missing.Visible() || !slices.Contains(l.calls, "build") {
		t.Error("the build does not help")
	}
	f, _ := l.find(1)
	f.Firmware = "Homeroom 0.9 (Wi-Fi)"
	load(t, s)
	form.images.SetSelected("Leave Homeroom 0.9 (Wi-Fi) on it")
	if o := w.d.order(l.images); o.Image != "" {
		t.Errorf("what stays is ordered as %q", o.Image)
	}
	test.Tap(form.tiles["school-lab"])
	test.Tap(form.forget)
	load(t, s)
	if !w.next.Disabled() {
		t.Error("goes on with a key that was forgotten")
	}
}

// TestLaterNetwork: the kit looks around when it has its firmware.
func TestLaterNetwork(t *testing.T) {
	l := newLab()
	s, shell := visit(t, l)
	w := s.wizard
	s.Open("port/COM3")
	l.read(1)
	load(t, s)
	w.d.kit = "blue/lab/kit-1"
	w.look(core.StepNetwork)
	test.Tap(w.pages[core.StepNetwork].(*networkPage).form.later)
	enter(shell)
	f := l.at(1, core.StepSettings, core.Sentence{})
	load(t, s)
	f.Running, f.Step, f.Networks = false, core.StepNetwork, []core.Network{{Name: "attic", Signal: -40, Open: true}}
	load(t, s)
	form := w.pages[core.StepNetwork].(*networkPage).form
	if w.at != core.StepNetwork || form.tiles["attic"] == nil {
		t.Fatalf("at %s", w.at)
	}
	test.Tap(form.tiles["attic"])
	enter(shell)
	if l.calls[len(l.calls)-1] != "start 1 network" || f.Order.Network != "attic" {
		t.Errorf("asked for %q with %+v", l.calls, f.Order)
	}
}

func TestLeaveAndResume(t *testing.T) {
	l := newLab()
	s, _ := visit(t, l)
	w := s.wizard
	s.Open("port/COM3")
	l.read(1)
	f, _ := l.find(1)
	f.Order = core.SetupOrder{Kit: "red/lab/kit-2", Network: "library", Image: "wifi"}
	load(t, s)
	test.Tap(w.leave)
	load(t, s)
	if w.id != 0 || len(l.setups) != 1 || !strings.Contains(text(s.Content()), "Go on with a board") {
		t.Fatalf("left:\n%s", text(s.Content()))
	}
	s.Open("port/COM3") // the same board again
	if w.id != 1 || w.d.kit != "red/lab/kit-2" || w.d.network != "library" || len(l.setups) != 1 {
		t.Errorf("resumed as %d with %+v", w.id, w.d)
	}
	if err := l.Close(1); err != nil {
		t.Fatal(err)
	}
	load(t, s)
	if w.id != 0 || w.at != core.StepPort {
		t.Error("a setup that was closed elsewhere is still shown")
	}
	s.Open("kit/blue/lab/kit-3")
	l.plug("COM4", noon.Add(time.Second))
	load(t, s)
	l.read(2)
	load(t, s)
	if w.d.kit != "blue/lab/kit-3" || w.at != core.StepKit || w.next.Disabled() {
		t.Errorf("a board for a kit: %+v at %s", w.d, w.at)
	}
}

func TestTwoNewBoardsAreNotChosen(t *testing.T) {
	l := newLab()
	s, _ := visit(t, l)
	l.plug("COM3", noon)
	l.plug("COM4", noon)
	load(t, s)
	if len(l.calls) != 0 || !strings.Contains(text(s.Content()), "just plugged in") {
		t.Errorf("asked for %q:\n%s", l.calls, text(s.Content()))
	}
}

func TestLeaveOutTheRest(t *testing.T) {
	l := newLab()
	s, shell := visit(t, l)
	s.Open("port/COM3")
	l.read(1)
	l.testing(1)
	load(t, s)
	enter(shell)
	load(t, s)
	load(t, s)
	if got := l.calls[len(l.calls)-2:]; !slices.Equal(got, []string{"stop 1", "start 1 card"}) || s.wizard.at != core.StepCard {
		t.Fatalf("asked for %q, at %s", l.calls, s.wizard.at)
	}
	if got := text(s.Content()); !strings.Contains(got, "Not every part") {
		t.Errorf("told\n%s", got)
	}
}

func TestPins(t *testing.T) {
	l := newLab()
	s, _ := visit(t, l)
	w := s.wizard
	s.Open("port/COM3")
	l.read(1)
	load(t, s)
	w.d.kit = "blue/lab/kit-1"
	load(t, s)
	want := []core.KitPin{{Slot: "button", GPIO: 4, Inverted: true, PullUp: true}, {Slot: "led", GPIO: 5}, {Slot: "brightness", GPIO: core.PinA0}, {Slot: "presence", GPIO: 14}}
	if got := usualPins(slotsOf(l.design.Place("blue/lab/kit-1"), "")); !slices.Equal(got, want) {
		t.Errorf("usual pins %v, want %v", got, want)
	}
	if got := slotsOf(l.design.Place("blue/lab/judge"), ""); len(got) != 0 {
		t.Errorf("a board that decides has the parts %v", got)
	}
	p := w.pages[core.StepKit].(*kitPage)
	choose := func(row int, pin string) {
		for _, o := range test.LaidOutObjects(p.pins.Objects[row]) {
			if c, ok := o.(interface{ SetSelected(string) }); ok {
				c.SetSelected(pin)
				return
			}
		}
		t.Fatalf("no choice of pins in row %d", row)
	}
	p.pins.Show()
	choose(1, "D2")
	if !w.next.Disabled() || !strings.Contains(p.warning.Text.Text, "both on D2") {
		t.Errorf("two parts on a pin: %q", p.warning.Text.Text)
	}
	choose(1, "D4")
	if w.next.Disabled() || !strings.Contains(p.warning.Text.Text, "D4 decides") || w.d.pins[1].GPIO != 2 {
		t.Errorf("a part on D4: %q, %v", p.warning.Text.Text, w.d.pins)
	}
}

func TestNames(t *testing.T) {
	for id, want := range map[string]string{"kit-1": "kit-2", "kit-9": "kit-10", "kit-09": "kit-10", "kit": "kit-2", "a1b": "a1b-2", "7": "8", "kit-99999999999999999999": "kit-99999999999999999999-2"} {
		if got := raise(id); got != want {
			t.Errorf("raise(%q) = %q, want %q", id, got, want)
		}
	}
	got := numbered("blue/lab", "kit-{n}", 3, core.AllKit, func(id topic.ID) bool { return id == "kit-2" })
	if len(got) != 3 || got[0].kit != "blue/lab/kit-1" || got[1].kit != "blue/lab/kit-3" || got[2].kit != "blue/lab/kit-4" {
		t.Errorf("numbered %v", got)
	}
	for key, ok := range map[string]bool{"1234567": false, "12345678": true, strings.Repeat("x", 63): true, strings.Repeat("x", 64): false, strings.Repeat("aF", 32): true, strings.Repeat("a", 65): false} {
		if (explainKey(key) == "") != ok {
			t.Errorf("a key of %d characters: %q", len(key), explainKey(key))
		}
	}
	ns := mergeNetworks([]core.Network{{Name: "far", Signal: -80}, {Name: "near", Signal: -40}, {Name: "", Signal: -30}, {Name: "work", Signal: -20, Enterprise: true}},
		[]core.Network{{Name: "far", Known: true}, {Name: "old", Known: true}})
	var names []string
	for _, n := range ns {
		names = append(names, n.Name)
	}
	if !slices.Equal(names, []string{"far", "old", "near", "work"}) || ns[0].Signal != -80 {
		t.Errorf("networks %v", ns)
	}
}

// opened is an app that remembers what it was to open.
type opened struct {
	fyne.App
	url *url.URL
}

func (o *opened) OpenURL(u *url.URL) error { o.url = u; return nil }

func TestLabels(t *testing.T) {
	l := newLab()
	s, _ := visit(t, l)
	app := &opened{App: fyne.CurrentApp()}
	fyne.SetCurrentApp(app)
	t.Cleanup(func() { fyne.SetCurrentApp(app.App) })
	m := core.Setup{Order: core.SetupOrder{Kit: "blue/lab/kit-1"}, Chip: core.KitChip{MAC: "5c:cf:7f:01:02:03"}, Passed: true}
	got := s.v.labelOf(m)
	want := label{kit: "blue/lab/kit-1", title: "kit-1", account: "blue-kit-1", role: "All in one", team: "Blue", room: "Lab", mac: "5c:cf:7f:01:02:03",
		page: "http://192.168.1.20:8080/#kit=blue%2Flab%2Fkit-1"}
	if got != want {
		t.Errorf("label %+v, want %+v", got, want)
	}
	if b := got.picture().Bounds(); b.Dx() != 3*labelWidth || b.Dy() != 3*labelHeight {
		t.Errorf("the picture is %v", b)
	}
	hostile := got
	hostile.kit, hostile.title = `x"><script>`, strings.Repeat("긴 이름", 40)
	s.sheets.print([]label{got, hostile})
	if app.url == nil || s.sheets.busy {
		t.Fatal("nothing was opened")
	}
	page, err := os.ReadFile(s.sheets.last)
	t.Cleanup(func() { os.Remove(s.sheets.last) })
	if err != nil || strings.Count(string(page), "<img ") != 2 || strings.Contains(string(page), `"><script>`) || app.url.Path != filePath(s.sheets.last) {
		t.Errorf("page of %d bytes at %v, %v", len(page), app.url, err)
	}
	first := s.sheets.last
	s.sheets.print([]label{got})
	if _, err := os.Stat(first); err == nil || first == s.sheets.last {
		t.Error("the page before is still there")
	}
}

// TestBounded: however much there is, the screen lists a bounded part of it.
func TestBounded(t *testing.T) {
	l := newLab()
	d := *l.design
	for i := range 2000 {
		d.Places = append(d.Places, &core.Place{Name: topic.Name(fmt.Sprintf("zoo/r/kit-%d", i)), Kind: core.KitPlace, Role: core.LightKit})
	}
	slices.SortFunc(d.Places, func(a, b *core.Place) int { return strings.Compare(string(a.Name), string(b.Name)) })
	l.design = &d
	for i := range 200 {
		l.networks = append(l.networks, core.Network{Name: fmt.Sprint("net ", i), Signal: -60})
		l.plug(fmt.Sprint("COM", i+10), time.Time{})
	}
	s, _ := visit(t, l)
	w := s.wizard
	if n := len(w.pages[core.StepPort].(*portPage).list.Objects); n > maxPorts {
		t.Errorf("%d ports are listed", n)
	}
	s.Open("port/COM10")
	l.read(1)
	load(t, s)
	p := w.pages[core.StepKit].(*kitPage)
	if len(p.tiles) > maxListed {
		t.Errorf("%d kits are listed", len(p.tiles))
	}
	p.search.SetText("kit-1999")
	if p.tiles["zoo/r/kit-1999"] == nil || len(p.tiles) != 1 {
		t.Errorf("the search finds %d kits", len(p.tiles))
	}
	w.look(core.StepNetwork)
	if n := len(w.pages[core.StepNetwork].(*networkPage).form.tiles); n > 40 {
		t.Errorf("%d networks are listed", n)
	}
	f, _ := l.find(1)
	for i := range 200 {
		f.Log = append(f.Log, fmt.Sprint(i, "\x1b[2J"))
	}
	l.at(1, core.StepFlash, core.Say("Writing"))
	load(t, s)
	log := w.pages[core.StepFlash].(*workPage).log
	log.fold.SetOpen(true)
	if strings.Contains(log.text.Text, "\x1b") {
		t.Error("control characters of a board are shown as they are")
	}
}

// TestCableFirmware: firmware that was chosen for the air is not written to a kit on the cable.
func TestCableFirmware(t *testing.T) {
	l := newLab()
	s, _ := visit(t, l)
	s.v.images = []core.KitImage{{ID: "wifi", Variant: "wifi"}, {ID: "wired", Variant: "wired"}, {ID: "mine", Variant: "wifi"}}
	w := s.wizard
	w.d.image = "mine"
	f := w.pages[core.StepNetwork].(*networkPage).form
	test.Tap(f.cable)
	if i := w.d.firmware(s.v.images); i == nil || i.ID != "wired" {
		t.Errorf("on the cable it would write %+v", i)
	}
}

package kits

import (
	"context"
	"fmt"
	"image/color"
	"image/png"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
	"homeroom/ui/widget/widgettest"
)

// class is the kits of a class, and what was asked for them.
type class struct {
	kits    []core.RealKit
	rollout core.Rollout
	design  *core.Design
	console []string
	said    []string
	failing error
}

func (c *class) say(format string, args ...any) error {
	c.said = append(c.said, fmt.Sprintf(format, args...))
	return c.failing
}

func (c *class) Kits() []core.RealKit { return slices.Clone(c.kits) }
func (c *class) Locate(_ context.Context, kit topic.Name, seconds int) error {
	return c.say("locate %s %d", kit, seconds)
}
func (c *class) Restart(_ context.Context, kit topic.Name) error { return c.say("restart %s", kit) }
func (c *class) Send(_ context.Context, kit topic.Name) error    { return c.say("send %s", kit) }
func (c *class) Configure(_ context.Context, kit topic.Name, o core.SetupOrder) error {
	return c.say("configure %s %q %q %v %v", kit, o.Network, o.Key, o.Remember, o.Pins)
}
func (c *class) Networks() []core.Network                        { return []core.Network{{Name: "Lab"}} }
func (c *class) Rotate(_ context.Context, kit topic.Name) error  { return c.say("rotate %s", kit) }
func (c *class) Forget(_ context.Context, kit topic.Name) error  { return c.say("forget %s", kit) }
func (c *class) Update(_ context.Context, ks []topic.Name) error { return c.say("update %v", ks) }
func (c *class) Rollout() core.Rollout                           { return c.rollout }
func (c *class) StopRollout()                                    { _ = c.say("stop") }
func (c *class) Console(string) ([]string, bool)                 { return c.console, true }
func (c *class) Type(_ context.Context, port, line string) error {
	return c.say("type %s %s", port, line)
}
func (c *class) Ports() core.Ports {
	return core.Ports{All: []core.SerialPort{{Name: "COM3", Kit: "blue/lab/kit-3"}}}
}
func (c *class) Design() *core.Design { return c.design }
func (c *class) Change(_ context.Context, b core.Batch) error {
	for _, p := range b.Places {
		_ = c.say("change %s %q virtual %v", p.Name, p.Label, p.Virtual)
	}
	return c.failing
}
func (c *class) MoveTopics(_ context.Context, from, to topic.Name, apply bool) (core.Effect, error) {
	return core.Effect{}, c.say("move %s %s %v", from, to, apply)
}

// lesson is a class with a kit of each kind.
func lesson() *class {
	now := time.Now()
	place := func(name topic.Name, label string, role core.KitRole) core.Place {
		return core.Place{Name: name, Kind: core.KitPlace, Label: label, Role: role, Account: topic.ID(strings.ReplaceAll(string(name), "/", "-")),
			Ports: []core.Port{{Slot: "light", Topic: name + "/light", Action: core.Subscribe}}}
	}
	c := &class{console: []string{"Homeroom kit 1.0.0", "joined the broker", "Received a message with topic 'blue/lab/kit-3/light/set', length 4 bytes: true"}}
	add := func(k core.RealKit) { c.kits = append(c.kits, k) }
	add(core.RealKit{Place: place("blue/hall/kit-2", "Lampe am Fenster", core.LightKit), Link: "wifi", State: "ready", Signal: -58, Uptime: 94 * time.Minute, Heap: 31240, Image: "wifi", Version: "1.0.0", Newer: "1.1.0",
		Address: "192.168.1.32", MAC: "5c:cf:7f:0a:11:02", Since: now.Add(-48 * time.Hour), Seen: now})
	add(core.RealKit{Place: place("blue/lab/kit-1", "전등", core.LightKit), Link: "wifi", State: "ready", Signal: -77, Uptime: 3 * time.Minute, Heap: 30980, Image: "wifi", Version: "1.0.0", Newer: "1.1.0", Waiting: true,
		Address: "192.168.1.31", MAC: "5c:cf:7f:0a:11:01", Since: now.Add(-48 * time.Hour), Seen: now.Add(-20 * time.Second)})
	add(core.RealKit{Place: place("blue/lab/kit-3", "", core.ButtonKit), Link: "cable", State: "ready", Uptime: 70 * time.Second, Heap: 21000, Image: "wired", Version: "1.1.0", Address: "COM3", MAC: "5c:cf:7f:0a:11:03", Seen: now})
	lost := core.RealKit{Place: place("red/lab/sensor", "", core.SensorKit), Link: "wifi", State: "lost", Signal: -88, Image: "wifi", Version: "0.9.0", Address: "192.168.1.40", MAC: "5c:cf:7f:0a:11:04", Seen: now.Add(-3 * time.Hour)}
	lost.Problem = core.Say("The update failed: the kit does not come back. Plug it in and set it up anew.")
	add(lost)
	twin := core.RealKit{Place: place("red/lab/twin", "", core.AllKit), Link: "virtual", State: "ready", Seen: now}
	twin.Virtual = true
	add(twin)
	add(core.RealKit{Place: place("red/roof/new", "", core.ChoiceKit)})
	for _, n := range []topic.Name{"blue", "red"} {
		c.kits = slices.Clip(c.kits)
		if c.design == nil {
			c.design = &core.Design{}
		}
		c.design.Places = append(c.design.Places, &core.Place{Name: n, Kind: core.BranchPlace})
	}
	for _, n := range []topic.Name{"blue/hall", "blue/lab", "red/lab", "red/roof"} {
		c.design.Places = append(c.design.Places, &core.Place{Name: n, Kind: core.RoomPlace})
	}
	for i := range c.kits {
		c.design.Places = append(c.design.Places, &c.kits[i].Place)
	}
	slices.SortFunc(c.design.Places, func(a, b *core.Place) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return c
}

func visit(t *testing.T, c *class) (*Screen, *widgettest.Shell) {
	shell := widgettest.New(t)
	s := New(Parts{Kits: c, Care: c, Updates: c, Consoles: c, Plan: c, Teams: func() []core.Team { return nil }}, shell)
	shell.Win.SetContent(s.Content())
	shell.Win.Resize(fyne.NewSize(1100, 720))
	load(t, s)
	return s, shell
}

func load(t *testing.T, s *Screen) {
	t.Helper()
	show, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	show()
}

// press presses the button that says text, in the window or the dialog over it.
func press(t *testing.T, shell *widgettest.Shell, text string) {
	t.Helper()
	var roots []fyne.CanvasObject
	if top := shell.Win.Canvas().Overlays().Top(); top != nil {
		roots = append(roots, top)
	} else {
		roots = append(roots, shell.Win.Canvas().Content())
	}
	for _, root := range roots {
		for _, o := range test.LaidOutObjects(root) {
			if b, ok := o.(*fw.Button); ok && b.Text == text && b.Visible() {
				if b.Disabled() {
					t.Fatalf("%q is disabled", text)
				}
				test.Tap(b)
				return
			}
		}
	}
	t.Fatalf("no button says %q", text)
}

// TestActions: each button asks for the chosen kit, and nothing else.
func TestActions(t *testing.T) {
	c := lesson()
	s, shell := visit(t, c)
	s.Open("blue/lab/kit-1")
	press(t, shell, "Blink")
	press(t, shell, "Send now")
	press(t, shell, "Restart")
	press(t, shell, "Use a virtual kit")
	press(t, shell, "Use a virtual kit") // its board is there: both would publish
	press(t, shell, "New secret…")
	press(t, shell, "New secret")
	press(t, shell, "Forget…")
	press(t, shell, "Cancel")
	press(t, shell, "Forget…")
	press(t, shell, "Forget")
	press(t, shell, "Rename…")
	press(t, shell, "Rename")
	press(t, shell, "Move…")
	press(t, shell, "Move")
	want := []string{"locate blue/lab/kit-1 10", "send blue/lab/kit-1", "restart blue/lab/kit-1", `change blue/lab/kit-1 "전등" virtual true`, "rotate blue/lab/kit-1",
		"forget blue/lab/kit-1", `change blue/lab/kit-1 "전등" virtual false`, "move blue/lab/kit-1 blue/hall/kit-1 false", "move blue/lab/kit-1 blue/hall/kit-1 true"}
	if !slices.Equal(c.said, want) {
		t.Errorf("said %q\nwant %q", c.said, want)
	}
	press(t, shell, "Set up the board…")
	if shell.Gone != "setup/kit/blue/lab/kit-1" {
		t.Errorf("went to %q", shell.Gone)
	}
	if !s.Back() || s.chosen != "" || s.Back() {
		t.Error("Esc does not let go of the kit")
	}
}

// TestVirtual: what only a board can do is not offered for a virtual kit.
func TestVirtual(t *testing.T) {
	s, _ := visit(t, lesson())
	s.Open("red/lab/twin")
	for _, b := range s.detail.onlyReal {
		if !b.Disabled() {
			t.Errorf("%v is offered", b.(*fw.Button).Text)
		}
	}
	if s.detail.swap.Text != "Use the real kit" {
		t.Errorf("the swap says %q", s.detail.swap.Text)
	}
}

// TestUpdate: only kits that have older firmware and are on the Wi-Fi are updated;
// the strip tells how it goes, and why it stopped.
func TestUpdate(t *testing.T) {
	c := lesson()
	s, shell := visit(t, c)
	press(t, shell, "Update 2 kits")
	press(t, shell, "Update")
	if want := []string{"update [blue/hall/kit-2 blue/lab/kit-1]"}; !slices.Equal(c.said, want) {
		t.Errorf("said %q, want %q", c.said, want)
	}
	c.rollout = core.Rollout{Kits: []topic.Name{"blue/hall/kit-2", "blue/lab/kit-1"}, Next: 1, Version: "1.1.0", Running: true}
	load(t, s)
	if got := s.rollout.text.Text; got != "Firmware 1.1.0: 전등 is updated, 2 of 2." {
		t.Errorf("the strip says %q", got)
	}
	press(t, shell, "Stop after this one")
	c.rollout.Running, c.rollout.Stopped = false, core.Say("The kit does not come back.")
	load(t, s)
	if got := s.rollout.text.Text; got != "The update stopped after 1 of 2 kits. The kit does not come back." || c.said[1] != "stop" {
		t.Errorf("the strip says %q, said %q", got, c.said)
	}
	press(t, shell, "Close")
	load(t, s)
	if s.rollout.box.Visible() {
		t.Error("the strip comes back")
	}
}

// TestSettings: a network is sent with its key; pins only where they were touched;
// a failure stays in the sheet.
func TestSettings(t *testing.T) {
	c := lesson()
	s, shell := visit(t, c)
	s.Open("blue/lab/kit-1")
	press(t, shell, "Change settings…")
	press(t, shell, "Send")
	if len(c.said) > 0 {
		t.Errorf("nothing was changed, and it sent %q", c.said)
	}
	top := shell.Win.Canvas().Overlays().Top()
	for _, o := range test.LaidOutObjects(top) {
		switch o := o.(type) {
		case *fw.SelectEntry:
			o.SetText("Lab")
		case *widget.Entry:
			if o.Password {
				o.SetText("12345678")
			}
		}
	}
	c.failing = core.Fail(core.ErrConflict, "The kit is away. Try again.")
	press(t, shell, "Send")
	found := false
	for _, o := range test.LaidOutObjects(shell.Win.Canvas().Overlays().Top()) {
		if l, ok := o.(*fw.Label); ok && l.Text == "The kit is away. Try again." {
			found = true
		}
	}
	if want := []string{`configure blue/lab/kit-1 "Lab" "12345678" false []`}; !slices.Equal(c.said, want) || !found {
		t.Errorf("said %q, want %q; told %v", c.said, want, found)
	}
}

// TestConsole: lines are shown as they are, and what is typed goes to the port.
func TestConsole(t *testing.T) {
	c := lesson()
	s, shell := visit(t, c)
	s.Open("blue/lab/kit-3")
	press(t, shell, "Serial console…")
	for _, o := range test.LaidOutObjects(shell.Win.Canvas().Overlays().Top()) {
		if e, ok := o.(*widget.Entry); ok {
			test.Type(e, "info")
			e.OnSubmitted(e.Text)
		}
	}
	if want := []string{"type COM3 info"}; !slices.Equal(c.said, want) || len(s.detail.open.lines) != 3 {
		t.Errorf("said %q, want %q; lines %q", c.said, want, s.detail.open.lines)
	}
	press(t, shell, "Close")
	if s.detail.open != nil {
		t.Error("the console stays open")
	}
	press(t, shell, "Serial console…")
	if !s.Back() || s.detail.open != nil || shell.Win.Canvas().Overlays().Top() != nil || s.chosen == "" {
		t.Error("Esc does not close the console alone")
	}
}

// TestSearch finds by any word that a person knows of a kit.
func TestSearch(t *testing.T) {
	s, _ := visit(t, lesson())
	for words, want := range map[string]int{"": 6, "blue": 3, "0a:11:04": 1, "cable": 1, "전등": 1, "red lost": 1, "nothing": 0} {
		s.search.SetText(words)
		if len(s.shown) != want {
			t.Errorf("%q finds %d, want %d", words, len(s.shown), want)
		}
	}
}

// fixed is a theme in one of its variants: dark is 0, light 1.
type fixed struct {
	fyne.Theme
	variant fyne.ThemeVariant
}

func (f fixed) Color(n fyne.ThemeColorName, _ fyne.ThemeVariant) color.Color {
	return theme.DefaultTheme().Color(n, f.variant)
}

// TestPictures draws the screen in each language and theme; HOMEROOM_PICTURES is
// a folder in which to look at them.
func TestPictures(t *testing.T) {
	t.Cleanup(func() { lang.Use(lang.English, "") })
	for _, l := range lang.All() {
		lang.Use(l, "")
		for i := range 2 {
			s, shell := visit(t, lesson())
			fyne.CurrentApp().Settings().SetTheme(fixed{test.Theme(), fyne.ThemeVariant(i)})
			s.Open("blue/lab/kit-1")
			if m := s.Content().MinSize(); m.Width > 1060 || m.Height > 700 {
				t.Errorf("%s needs %v", l, m)
			}
			folder := os.Getenv("HOMEROOM_PICTURES")
			if folder == "" {
				continue
			}
			shell.Win.Resize(fyne.NewSize(1060, 720))
			f, err := os.Create(fmt.Sprintf("%s/kits-%s-%d.png", folder, l, i))
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(f, shell.Win.Canvas().Capture()); err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
		}
	}
}

package setup

import (
	"context"
	"fmt"
	"image/color"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
	"homeroom/ui/widget/widgettest"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// lab is a service with a class in front of it. Its setups go on when a test says so.
type lab struct {
	ports    core.Ports
	setups   []*core.Setup
	networks []core.Network
	images   []core.KitImage
	building core.Sentence
	builds   bool
	made     []core.Setup
	design   *core.Design
	teams    []core.Team
	next     int64
	refuse   error // of the next thing that is asked
	keys     map[int64]string
	calls    []string
	mqtts    []string
}

func (l *lab) say(format string, args ...any) {
	l.calls = append(l.calls, fmt.Sprintf(format, args...))
}

func (l *lab) refused() error {
	err := l.refuse
	l.refuse = nil
	return err
}

func (l *lab) find(id int64) (*core.Setup, error) {
	for _, s := range l.setups {
		if s.ID == id {
			return s, nil
		}
	}
	return nil, core.Fail(core.ErrNotFound, "This setup was closed.")
}

func (l *lab) Ports() core.Ports {
	all := core.Ports{Advice: l.ports.Advice}
	for _, p := range l.ports.All {
		for _, s := range l.setups {
			if s.Port == p.Name {
				p.Setup = s.ID
			}
		}
		all.All = append(all.All, p)
	}
	return all
}

func (l *lab) Setups() []core.Setup {
	var all []core.Setup
	for _, s := range l.setups {
		c := *s
		c.Tests = slices.Clone(c.Tests)
		all = append(all, c)
	}
	return all
}

func (l *lab) Begin(_ context.Context, port string) (int64, error) {
	if err := l.refused(); err != nil {
		return 0, err
	}
	l.next++
	l.setups = append(l.setups, &core.Setup{ID: l.next, Port: port, Step: core.StepPort, Running: true, Started: noon, Doing: core.Say("Reading the chip")})
	l.say("begin %s", port)
	return l.next, nil
}

func (l *lab) Close(id int64) error {
	l.setups = slices.DeleteFunc(l.setups, func(s *core.Setup) bool { return s.ID == id })
	l.say("close %d", id)
	return nil
}

func (l *lab) Order(_ context.Context, id int64, o core.SetupOrder) error {
	if err := l.refused(); err != nil {
		return err
	}
	s, err := l.find(id)
	if err != nil {
		return err
	}
	if s.Running {
		return core.Fail(core.ErrConflict, "The board is at work. Wait, or stop it first.")
	}
	l.keys[id] = o.Key
	o.Key = ""
	s.Order = o
	l.say("order %d %s", id, o.Kit)
	return nil
}

func (l *lab) Start(_ context.Context, id int64, from core.SetupStep) error {
	s, err := l.find(id)
	if err != nil {
		return err
	}
	if s.Running {
		return core.Fail(core.ErrConflict, "The board is at work. Wait, or stop it first.")
	}
	s.Step, s.Running, s.Problem = from, true, core.Sentence{}
	if from == core.StepCard {
		s.Running, s.Ended = false, noon
		l.made = slices.Insert(l.made, 0, *s)
	}
	l.say("start %d %s", id, from)
	return nil
}

func (l *lab) Stop(id int64) error {
	s, err := l.find(id)
	if err == nil {
		s.Running = false
	}
	l.say("stop %d", id)
	return err
}

func (l *lab) Judge(_ context.Context, id int64, slot topic.ID, ok bool) error {
	s, err := l.find(id)
	if err != nil {
		return err
	}
	for i, t := range s.Tests {
		if t.Slot == slot {
			s.Tests[i].Tried, s.Tests[i].Passed = true, ok
		}
	}
	l.say("judge %s %v", slot, ok)
	return nil
}

func (l *lab) Look(_ context.Context, id int64) error {
	s, err := l.find(id)
	if err == nil {
		s.Networks = []core.Network{{Name: "lab-2", Signal: -50, Channel: 6}, {Name: "lab", Signal: -70, Channel: 1}}
	}
	return err
}
func (l *lab) Networks() []core.Network { return l.networks }
func (l *lab) ForgetNetwork(_ context.Context, name string) error {
	l.say("forget %s", name)
	for i := range l.networks {
		if l.networks[i].Name == name {
			l.networks[i].Known = false
		}
	}
	return nil
}
func (l *lab) Images() []core.KitImage { return l.images }
func (l *lab) AddImage(_ context.Context, name string, r io.Reader) (core.KitImage, error) {
	data, err := io.ReadAll(r)
	i := core.KitImage{ID: "file", Title: core.Say("File {name}", "name", name), Variant: "wifi", Size: int64(len(data))}
	l.images = append(l.images, i)
	return i, err
}
func (l *lab) BuildImage(context.Context) error {
	l.say("build")
	l.images[0].Missing = core.Sentence{}
	return nil
}
func (l *lab) Building() (core.Sentence, bool) { return l.building, l.builds }
func (l *lab) Made() []core.Setup              { return l.made }
func (l *lab) WriteMade(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, "kit\n")
	return err
}
func (l *lab) Design() *core.Design { return l.design }
func (l *lab) Teams() []core.Team   { return l.teams }
func (l *lab) addresses() core.Addresses {
	return core.Addresses{MQTT: []string{"192.168.1.20:1883"}, MQTTS: l.mqtts, Page: []string{"http://192.168.1.20:8080/"}}
}

func (l *lab) parts() Parts { return Parts{Kits: l, Plan: l, Teams: l, Addresses: l.addresses} }

// plug puts a board into a port.
func (l *lab) plug(name string, at time.Time) {
	l.ports.All = append(l.ports.All, core.SerialPort{Name: name, Title: "CH340", VID: 0x1a86, PID: 0x7523, Likely: true, Since: at})
}

// read is the end of the first step.
func (l *lab) read(id int64) {
	s, _ := l.find(id)
	s.Step, s.Running, s.Doing, s.Ask = core.StepKit, false, core.Sentence{}, core.Sentence{}
	s.Chip = core.KitChip{Name: "ESP8266EX", MAC: fmt.Sprintf("5c:cf:7f:01:02:%02x", id), FlashSize: 4 << 20}
}

// at puts a setup to a step at which something goes on.
func (l *lab) at(id int64, step core.SetupStep, doing core.Sentence) *core.Setup {
	s, _ := l.find(id)
	s.Step, s.Running, s.Doing, s.Done, s.Total, s.Left = step, true, doing, 0, 0, 0
	return s
}

// testing puts a setup to its test.
func (l *lab) testing(id int64) *core.Setup {
	s := l.at(id, core.StepTest, core.Sentence{})
	s.Tests = []core.KitTest{
		{Slot: "button", Say: core.Say("Press the button."), Value: "open"},
		{Slot: "led", Say: core.Say("Does the LED blink?"), Asks: true},
		{Slot: "brightness", Say: core.Say("Cover the sensor with your hand."), Value: "63"},
		{Slot: "presence", Say: core.Say("Move in front of the sensor."), Value: "nobody"},
	}
	return s
}

// pass is the end of a setup whose parts all work.
func (l *lab) pass(id int64) {
	s, _ := l.find(id)
	for i := range s.Tests {
		s.Tests[i].Tried, s.Tests[i].Passed = true, true
	}
	s.Step, s.Running, s.Passed, s.Ended, s.Doing = core.StepCard, false, true, noon, core.Sentence{}
	if s.Order.Kit != "" {
		l.realize(s.Order)
	}
	l.made = slices.Insert(l.made, 0, *s)
}

// realize makes the kit of an order a real one in the plan.
func (l *lab) realize(o core.SetupOrder) {
	d := *l.design
	d.Places = slices.Clone(d.Places)
	d.Revision++
	if p := d.Place(o.Kit); p != nil {
		c := *p
		c.Virtual = false
		d.Places[slices.Index(d.Places, p)] = &c
	} else {
		d.Places = append(d.Places, &core.Place{Name: o.Kit, Kind: core.KitPlace, Role: o.Role, Label: o.Label,
			Account: topic.ID(strings.ReplaceAll(string(o.Kit), "/", "-"))})
		slices.SortFunc(d.Places, func(a, b *core.Place) int { return strings.Compare(string(a.Name), string(b.Name)) })
	}
	l.design = &d
}

func newLab() *lab {
	l := &lab{keys: map[int64]string{}, design: &core.Design{}, mqtts: []string{"192.168.1.20:8883"},
		teams: []core.Team{{Name: "blue", Label: "Blue"}, {Name: "red", Label: "Red"}},
		networks: []core.Network{
			{Name: "school-lab", Signal: -52, Channel: 6, Known: true}, {Name: "library", Signal: -68, Channel: 11},
			{Name: "eduroam", Signal: -49, Channel: 1, Enterprise: true}, {Name: "guests", Signal: -80, Channel: 3, Open: true}},
		images: []core.KitImage{
			{ID: "wifi", Title: core.Say("Wi-Fi firmware"), Variant: "wifi", Version: "1.0.0", Chip: "ESP8266", Size: 343_040, Flash: 4 << 20},
			{ID: "wired", Title: core.Say("Cable firmware"), Variant: "wired", Version: "1.0.0", Chip: "ESP8266", Size: 41_000, Flash: 4 << 20}}}
	port := func(n topic.Name, slot topic.ID, a core.Action) core.Port {
		return core.Port{Slot: slot, Topic: n + "/" + topic.Name(slot), Action: a}
	}
	add := func(p core.Place) { l.design.Places = append(l.design.Places, &p) }
	for _, team := range []topic.Name{"blue", "red"} {
		label := map[topic.Name]string{"blue": "Blue", "red": "Red"}[team]
		add(core.Place{Name: team, Kind: core.BranchPlace, Label: label})
		hall, room := team+"/hall", team+"/lab"
		add(core.Place{Name: hall, Kind: core.RoomPlace, Label: "Hall"})
		n := hall + "/lamp"
		add(core.Place{Name: n, Kind: core.KitPlace, Label: "Ceiling lamp", Role: core.LightKit, Account: topic.ID(team) + "-lamp", Virtual: true, Ports: []core.Port{port(n, "light", core.Subscribe)}})
		add(core.Place{Name: room, Kind: core.RoomPlace, Label: "Lab"})
		for i := 1; i <= 3; i++ {
			n := room + topic.Name(fmt.Sprintf("/kit-%d", i))
			add(core.Place{Name: n, Kind: core.KitPlace, Role: core.AllKit, Account: topic.ID(fmt.Sprintf("%s-kit-%d", team, i)), Virtual: i < 3,
				Ports: []core.Port{port(n, "button", core.Publish), port(n, "led", core.Subscribe), port(n, "brightness", core.Publish), port(n, "presence", core.Publish)}})
		}
		n = room + "/judge"
		add(core.Place{Name: n, Kind: core.KitPlace, Label: "Judge", Role: core.ChoiceKit, Virtual: true, Ports: []core.Port{port(n, "brightness", core.Subscribe), port(n, "light", core.Publish)}})
		n = room + "/own"
		add(core.Place{Name: n, Kind: core.KitPlace, Role: core.AnyKit, Virtual: true})
	}
	slices.SortFunc(l.design.Places, func(a, b *core.Place) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return l
}

// look is a theme near Homeroom's, light or dark.
type look struct {
	fyne.Theme
	dark, korean bool
}

func (l look) Color(n fyne.ThemeColorName, _ fyne.ThemeVariant) color.Color {
	v := theme.VariantLight
	if l.dark {
		v = theme.VariantDark
	}
	if c, ok := colors[n]; ok {
		if l.dark {
			return c[1]
		}
		return c[0]
	}
	return l.Theme.Color(n, v)
}

func (l look) Size(n fyne.ThemeSizeName) float32 {
	if s, ok := map[fyne.ThemeSizeName]float32{theme.SizeNameText: 15, theme.SizeNameCaptionText: 13, theme.SizeNamePadding: 5, theme.SizeNameCardRadius: 14, theme.SizeNameButtonRadius: 8, theme.SizeNameInputRadius: 8}[n]; ok {
		return s
	}
	return l.Theme.Size(n)
}

func (l look) Font(s fyne.TextStyle) fyne.Resource {
	if ttf, ok := assets.Font(s.Bold); ok && l.korean && !s.Symbol {
		return fyne.NewStaticResource(fmt.Sprint("korean", s.Bold), ttf)
	}
	return l.Theme.Font(s)
}

func rgb(hex uint32) color.Color {
	return color.NRGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 255}
}

var colors = map[fyne.ThemeColorName][2]color.Color{
	theme.ColorNameBackground:          {rgb(0xF1F4F9), rgb(0x11151E)},
	theme.ColorNameOverlayBackground:   {rgb(0xFFFFFF), rgb(0x1B2130)},
	theme.ColorNameInputBackground:     {rgb(0xEFF2F8), rgb(0x141A27)},
	theme.ColorNameSeparator:           {rgb(0xDBE1EC), rgb(0x2D3648)},
	theme.ColorNameForeground:          {rgb(0x1A2233), rgb(0xE9EDF5)},
	theme.ColorNamePlaceHolder:         {rgb(0x5B667B), rgb(0x9BA6BB)},
	theme.ColorNameDisabled:            {rgb(0x5B667B), rgb(0x9BA6BB)},
	theme.ColorNameButton:              {rgb(0xE4EAF6), rgb(0x2C3549)},
	theme.ColorNameDisabledButton:      {rgb(0xEEF1F6), rgb(0x222A3A)},
	theme.ColorNamePrimary:             {rgb(0x3451D1), rgb(0x93AAFF)},
	theme.ColorNameForegroundOnPrimary: {rgb(0xFFFFFF), rgb(0x0D1433)},
	theme.ColorNameSelection:           {color.NRGBA{0x34, 0x51, 0xD1, 0x26}, color.NRGBA{0x93, 0xAA, 0xFF, 0x38}},
	theme.ColorNameSuccess:             {rgb(0x1A7F43), rgb(0x57D98A)},
	theme.ColorNameWarning:             {rgb(0xA64B05), rgb(0xFFC14D)},
	theme.ColorNameError:               {rgb(0xC62828), rgb(0xFF8A80)},
	widget.ColorWarningTint:            {rgb(0xFFF3DC), rgb(0x3A2D12)},
	widget.ColorErrorTint:              {rgb(0xFDE7E7), rgb(0x401E22)},
	widget.ColorSuccessTint:            {rgb(0xE3F5E9), rgb(0x16351F)},
}

func visit(t *testing.T, l *lab) (*Screen, *widgettest.Shell) {
	t.Helper()
	shell := widgettest.New(t)
	test.ApplyTheme(t, look{theme.DefaultTheme(), false, false})
	s := New(l.parts(), shell)
	s.now = func() time.Time { return noon }
	s.wizard.begun = noon.Add(-time.Second)
	shell.Win.SetPadded(false)
	shell.Win.SetContent(s.Content())
	shell.Win.Resize(fyne.NewSize(1104, 752))
	shell.Win.Canvas().SetOnTypedKey(func(k *fyne.KeyEvent) {
		if k.Name == fyne.KeyEscape {
			s.Back()
			return
		}
		s.TypedKey(k)
	})
	load(t, s)
	return s, shell
}

func load(t testing.TB, s *Screen) {
	t.Helper()
	show, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	show()
}

func enter(s *widgettest.Shell) { press(s, fyne.KeyReturn) }

// press sends a key to what has the keyboard, else to the window.
func press(s *widgettest.Shell, k fyne.KeyName) {
	c := s.Win.Canvas()
	if f := c.Focused(); f != nil {
		f.TypedKey(&fyne.KeyEvent{Name: k})
		return
	}
	c.OnTypedKey()(&fyne.KeyEvent{Name: k})
}

// text returns all that can be read under o.
func text(o fyne.CanvasObject) string {
	var b strings.Builder
	for _, x := range test.LaidOutObjects(o) {
		switch x := x.(type) {
		case *fw.Label:
			b.WriteString(x.Text + "\n")
		case *fw.Button:
			b.WriteString(x.Text + "\n")
		}
	}
	return b.String()
}

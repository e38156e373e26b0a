package widget

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/core"
	"homeroom/core/topic"
)

// benchShell is a Shell for widgets that only tell.
type benchShell struct{ told []string }

func (s *benchShell) Do(work func(context.Context) (func(), error)) {
	if show, err := work(context.Background()); err == nil && show != nil {
		show()
	}
}
func (s *benchShell) Refresh()                                            {}
func (s *benchShell) Tell(text string)                                    { s.told = append(s.told, text) }
func (s *benchShell) TellUndo(text string, _ func(context.Context) error) { s.Tell(text) }
func (s *benchShell) Go(string)                                           {}
func (s *benchShell) Window() fyne.Window                                 { return nil }

// allBoard is a virtual kit with one of each part.
func allBoard(on bool) core.Board {
	word, seen, bright := "Off", "false", "12"
	if on {
		word, seen, bright = "On", "true", "80"
	}
	kit := topic.Name("blue/lab/kit-1")
	port := func(slot topic.ID, a core.Action, toggle bool) core.Port {
		return core.Port{Slot: slot, Topic: kit + "/" + topic.Name(slot), Action: a, Toggle: toggle}
	}
	return core.Board{
		Kit:   core.Place{Name: kit, Kind: core.KitPlace, Label: "Window desk", Role: core.AllKit, Virtual: true},
		State: "ready",
		Parts: []core.Part{
			{Port: port("button", core.Publish, true), Kind: core.Boolean, Options: []string{"turn on", "turn off"}, Value: map[bool]string{true: "turn on", false: "turn off"}[on]},
			{Port: port("light", core.Subscribe, false), Kind: core.Boolean, Options: []string{"On", "Off"}, Value: word},
			{Port: port("brightness", core.Publish, false), Kind: core.Number, Max: 100, Unit: "%", Value: bright},
			{Port: port("presence", core.Publish, false), Kind: core.Boolean, Value: seen},
		},
		Faults: []core.FaultState{
			{Fault: core.FaultWiFi, On: on, Title: core.Say("Wi-Fi off for 20 s"), Observe: core.Say("The kit is lost, and comes back by itself.")},
			{Fault: core.FaultDelay, Title: core.Say("Everything 2 s late"), Observe: core.Say("The lamp follows the button late.")},
		},
		Log: []string{"connecting to 192.168.1.20:1883", "\x1b[31mconnected", "publish button turn on"},
	}
}

// acts is what was done to a board.
type acts []string

func (a *acts) actions() BoardActions {
	say := func(what ...any) { *a = append(*a, fmt.Sprintln(what...)) }
	return BoardActions{
		Press: func(k topic.Name, s topic.ID, down bool) { say("press", k, s, down) },
		Turn:  func(k topic.Name, s topic.ID, v string) { say("turn", k, s, v) },
		Break: func(k topic.Name, f core.Fault, on bool) { say("break", k, f, on) },
	}
}

func TestBoardPictures(t *testing.T) {
	for name, c := range map[string]struct {
		variant fyne.ThemeVariant
		on      bool
		size    fyne.Size
	}{
		"light-off": {theme.VariantLight, false, fyne.NewSize(340, 640)},
		"light-on":  {theme.VariantLight, true, fyne.NewSize(340, 640)},
		"dark-off":  {theme.VariantDark, false, fyne.NewSize(340, 640)},
		"dark-on":   {theme.VariantDark, true, fyne.NewSize(600, 860)},
	} {
		t.Run(name, func(t *testing.T) {
			variant(t, c.variant)
			b := NewBoard((&acts{}).actions(), &benchShell{})
			b.Set(allBoard(c.on))
			b.folds()[0].SetOpen(c.on)
			b.folds()[1].SetOpen(true)
			ground := canvas.NewRectangle(themeColor(theme.ColorNameBackground))
			test.AssertImageMatches(t, "board-"+name+".png", picture(container.NewStack(ground, Scroll(b)), c.size, 1))
		})
	}
}

// folds returns what can be opened on the board.
func (b *Board) folds() (all []*Fold) {
	for _, o := range b.body.Objects {
		if f, ok := o.(*Fold); ok {
			all = append(all, f)
		}
	}
	return all
}

// control returns the first object of that type on the board.
func control[T fyne.CanvasObject](t *testing.T, o fyne.CanvasObject) T {
	t.Helper()
	var find func(o fyne.CanvasObject) (T, bool)
	find = func(o fyne.CanvasObject) (none T, ok bool) {
		if x, ok := o.(T); ok {
			return x, true
		}
		var kids []fyne.CanvasObject
		switch o := o.(type) {
		case *fyne.Container:
			kids = o.Objects
		case fyne.Widget:
			kids = test.WidgetRenderer(o).Objects()
		}
		for _, k := range kids {
			if x, ok := find(k); ok {
				return x, true
			}
		}
		return none, false
	}
	x, ok := find(o)
	if !ok {
		t.Fatalf("no %T", x)
	}
	return x
}

func TestBoardDoesWhatAPersonDoes(t *testing.T) {
	variant(t, theme.VariantLight)
	var did acts
	shell := &benchShell{}
	b := NewBoard(did.actions(), shell)
	w := test.NewTempWindow(t, b)
	w.Resize(fyne.NewSize(400, 900))
	b.Set(allBoard(false))

	primary := &desktop.MouseEvent{Button: desktop.MouseButtonPrimary}
	onBoard, row := b.picture.parts["button"].button, control[*Hold](t, b.rows)
	onBoard.MouseDown(primary)
	onBoard.MouseOut() // the mouse leaves while it is held
	onBoard.MouseUp(primary)
	onBoard.MouseDown(&desktop.MouseEvent{Button: desktop.MouseButtonSecondary})
	row.KeyDown(&fyne.KeyEvent{Name: fyne.KeySpace})
	row.KeyDown(&fyne.KeyEvent{Name: fyne.KeySpace}) // as the keyboard repeats
	row.FocusLost()
	control[*fw.Check](t, b.rows).SetChecked(true)
	slider := control[*fw.Slider](t, b.rows)
	slider.OnChanged(40)
	slider.OnChangeEnded(41)
	b.folds()[0].SetOpen(true)
	b.faults[1].check.SetChecked(true)
	want := acts{
		"press blue/lab/kit-1 button true\n", "press blue/lab/kit-1 button false\n",
		"press blue/lab/kit-1 button true\n", "press blue/lab/kit-1 button false\n",
		"turn blue/lab/kit-1 presence true\n",
		"turn blue/lab/kit-1 brightness 40\n", "turn blue/lab/kit-1 brightness 41\n",
		"break blue/lab/kit-1 delay true\n",
	}
	if !slices.Equal(did, want) {
		t.Errorf("did\n%vwant\n%v", did, want)
	}

	n := len(did)
	b.Set(allBoard(true)) // what the kit reports is nobody's doing
	if len(did) != n {
		t.Errorf("showing a board did %v", did[n:])
	}
	if slider.Value != 80 || !control[*fw.Check](t, b.rows).Checked || !row.lit {
		t.Errorf("shows brightness %v, presence %v, button %v", slider.Value, control[*fw.Check](t, b.rows).Checked, row.lit)
	}
	if strings.ContainsRune(b.console.Text, 0x1b) || !strings.Contains(b.console.Text, "‹ESC›") {
		t.Errorf("the console shows %q", b.console.Text)
	}
}

// TestBoardKeepsWhatIsHeld: values that arrive do not pull a slider away.
func TestBoardKeepsWhatIsHeld(t *testing.T) {
	variant(t, theme.VariantLight)
	b := NewBoard((&acts{}).actions(), &benchShell{})
	b.Set(allBoard(false))
	s := control[*fw.Slider](t, b.rows)
	s.Value = 55
	s.OnChanged(55)
	b.Set(allBoard(true))
	if s.Value != 55 {
		t.Errorf("the slider went to %v", s.Value)
	}
	s.OnChangeEnded(55)
	b.Set(allBoard(true))
	if s.Value != 80 {
		t.Errorf("the slider stays at %v", s.Value)
	}
}

// TestBoardOfEveryRole: a choice kit has nothing to press, other kits what they publish.
func TestBoardOfEveryRole(t *testing.T) {
	variant(t, theme.VariantLight)
	board := allBoard(false)
	for role, want := range map[core.KitRole]boardLook{core.ChoiceKit: lookLamp, core.AnyKit: lookButton} {
		b := NewBoard((&acts{}).actions(), &benchShell{})
		board.Kit.Role = role
		b.Set(board)
		if got := b.picture.parts["button"].look; got != want {
			t.Errorf("%s: a published boolean looks %v, want %v", role, got, want)
		}
	}
	b := NewBoard((&acts{}).actions(), &benchShell{})
	board.Kit.Role, board.Parts = core.AnyKit, nil
	for i := range 40 {
		p := core.Part{Port: core.Port{Slot: topic.ID(fmt.Sprint("p", i)), Topic: "x", Action: core.Publish}, Kind: core.Kind(i % 5), Value: strings.Repeat("long ", 99)}
		if p.Kind == core.Enumeration {
			p.Options = []string{"a", "b"}
		}
		board.Parts = append(board.Parts, p)
	}
	b.Set(board)
	picture(Scroll(b), fyne.NewSize(300, 500), 1)
	if n := len(b.picture.parts); n != pcbParts || len(b.parts) != 40 {
		t.Errorf("%d parts on the board, %d below", n, len(b.parts))
	}
	b.Set(core.Board{})
	if len(b.parts) != 0 {
		t.Error("the parts of the board before are still there")
	}
}

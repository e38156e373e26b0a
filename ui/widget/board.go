package widget

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
)

// turnEvery is how often a slider that is moved says where it is.
const turnEvery = 100 * time.Millisecond

// BoardActions is what a person does to a virtual kit. They are called on the
// UI goroutine and return at once.
type BoardActions struct {
	Press func(kit topic.Name, slot topic.ID, down bool)
	Turn  func(kit topic.Name, slot topic.ID, value string)
	Break func(kit topic.Name, f core.Fault, on bool)
}

// Board is a virtual kit on screen: the board with what one can press and turn,
// its faults, and its serial console. Put it in a Scroll.
type Board struct {
	fw.BaseWidget
	actions BoardActions
	shell   Shell
	board   core.Board

	head         *fyne.Container
	title, state *fw.Label
	dot          *Dot
	say          *Note
	picture      *pcb
	rows         *fyne.Container
	parts        []*boardRow
	breaks       *fyne.Container
	faults       []*boardFault
	console      *fw.Label
	body         *fyne.Container
}

// NewBoard returns a board of nothing; Set shows one.
func NewBoard(actions BoardActions, shell Shell) *Board {
	b := &Board{actions: actions, shell: shell, title: Cell(""), state: fw.NewLabel(""), dot: NewDot(theme.ColorNameDisabled),
		say: NewNote("", fw.WarningImportance), rows: container.NewVBox(), breaks: container.NewVBox(), console: fw.NewLabel("")}
	b.title.TextStyle.Bold = true
	b.say.Hide()
	b.picture = newPCB(func(slot topic.ID, down bool) { b.actions.Press(b.board.Kit.Name, slot, down) })
	b.picture.build("", nil)
	b.console.Wrapping, b.console.TextStyle.Monospace, b.console.SizeName = fyne.TextWrapBreak, true, theme.SizeNameCaptionText
	clip := fw.NewButtonWithIcon(lang.L("Copy"), theme.ContentCopyIcon(), func() {
		fyne.CurrentApp().Clipboard().SetContent(strings.Join(b.board.Log, "\n"))
		b.shell.Tell(lang.L("The console was copied."))
	})
	clip.Importance = fw.LowImportance
	b.head = container.NewBorder(nil, nil, nil, container.NewHBox(b.dot, b.state), b.title)
	b.body = container.New(column{pcbWidth * pcbMost},
		b.head,
		b.picture, b.say, b.rows,
		NewFold(lang.L("Break it on purpose"), b.breaks),
		NewFold(lang.L("Serial console"), container.NewBorder(nil, container.NewHBox(layout.NewSpacer(), clip), nil, nil, b.console)))
	b.ExtendBaseWidget(b)
	return b
}

// HideTitle leaves out the name and the state, which are said beside the board.
func (b *Board) HideTitle() { b.head.Hide() }

// CreateRenderer is part of fyne.Widget.
func (b *Board) CreateRenderer() fyne.WidgetRenderer { return fw.NewSimpleRenderer(b.body) }

// Kit returns the name of the kit that is shown.
func (b *Board) Kit() topic.Name { return b.board.Kit.Name }

// Set shows a kit as it is now. What is being pressed or turned stays as it is.
func (b *Board) Set(board core.Board) {
	old := b.board
	b.board = board
	if old.Kit.Name != board.Kit.Name || old.Kit.Role != board.Kit.Role || !slices.EqualFunc(old.Parts, board.Parts, samePart) {
		b.build()
	}
	if !slices.EqualFunc(old.Faults, board.Faults, func(x, y core.FaultState) bool { return x.Fault == y.Fault }) || old.Kit.Name != board.Kit.Name {
		b.buildFaults()
	}
	SetText(b.title, board.Kit.Title())
	SetText(b.state, StateWord(board.State))
	b.dot.Set(StateColor(board.State))
	text := ""
	if board.Say.Format != "" {
		text = lang.Say(board.Say)
	}
	SetText(b.say.Text, text)
	b.say.Hidden = text == ""
	for i, r := range b.parts {
		r.set(board.Parts[i])
	}
	for i, f := range b.faults {
		f.set(board.Faults[i].On)
	}
	SetText(b.console, consoleText(board.Log))
	b.picture.show(board)
}

// samePart reports whether two parts are shown by the same things.
func samePart(x, y core.Part) bool {
	return x.Port == y.Port && x.Kind == y.Kind && x.Min == y.Min && x.Max == y.Max && x.Unit == y.Unit && slices.Equal(x.Options, y.Options)
}

func consoleText(log []string) string {
	if len(log) == 0 {
		return lang.L("Nothing yet.")
	}
	lines := make([]string, len(log))
	for i, l := range log {
		lines[i] = Visible(l, false)
	}
	return strings.Join(lines, "\n")
}

// StateWord is a kit's $state as a person says it.
func StateWord(state string) string {
	switch state {
	case "init":
		return lang.L("Starting")
	case "ready":
		return lang.L("Ready")
	case "disconnected":
		return lang.L("Disconnected")
	case "sleeping":
		return lang.L("Sleeping")
	case "lost":
		return lang.L("Connection lost")
	case "alert":
		return lang.L("Needs attention")
	}
	return lang.L("Not seen yet")
}

// StateColor is the colour of a kit's $state.
func StateColor(state string) fyne.ThemeColorName {
	switch state {
	case "ready":
		return theme.ColorNameSuccess
	case "init":
		return theme.ColorNameWarning
	case "lost", "alert":
		return theme.ColorNameError
	}
	return theme.ColorNameDisabled
}

// SlotName is a part of a kit as a person calls it.
func SlotName(slot topic.ID) string {
	switch slot {
	case "light":
		return lang.L("Lamp")
	case "led":
		return lang.L("LED")
	case "brightness":
		return lang.L("Brightness")
	case "button":
		return lang.L("Button")
	case "presence":
		return lang.L("Presence")
	}
	return string(slot)
}

// Pins are the GPIOs that a part can be on, in the order in which they are offered.
var Pins = []int{5, 4, 14, 12, 13, 16, 0, 2, 15, core.PinA0}

// pinNames are what is printed beside Pins on a NodeMCU and a D1 mini.
var pinNames = []string{"D1", "D2", "D5", "D6", "D7", "D0", "D3", "D4", "D8", "A0"}

// PinName is what is printed beside a pin.
func PinName(gpio int) string {
	if i := slices.Index(Pins, gpio); i >= 0 {
		return pinNames[i]
	}
	return "GPIO " + strconv.Itoa(gpio)
}

// boardRow is one part under the picture.
type boardRow struct {
	set func(core.Part)
}

func (b *Board) build() {
	b.picture.build(b.board.Kit.Role, b.board.Parts)
	b.rows.RemoveAll()
	b.parts = nil
	for i, p := range b.board.Parts {
		r, o := b.row(p, i)
		b.parts = append(b.parts, r)
		b.rows.Add(o)
	}
	b.picture.Refresh()
}

// row returns the thing with which a part is turned, or that shows its value.
func (b *Board) row(p core.Part, at int) (*boardRow, fyne.CanvasObject) {
	r := &boardRow{}
	name := Cell(SlotName(p.Slot))
	value := fw.NewLabelWithStyle("", fyne.TextAlignTrailing, fyne.TextStyle{Bold: true})
	where := Cell(string(p.Topic))
	where.SizeName, where.Importance = theme.SizeNameCaptionText, fw.LowImportance
	kit := b.board.Kit.Name
	turn := func(v string) { b.actions.Turn(kit, p.Slot, v) }
	show := func(p core.Part) { SetText(value, boardValue(p)) }
	r.set = show
	var right, below fyne.CanvasObject = value, nil
	switch look := lookOf(b.board.Kit.Role, p); {
	case !feels(b.board.Kit.Role, p):
	case look == lookButton:
		text := lang.L("Press and hold")
		if p.Toggle {
			text = lang.L("Press")
		}
		h := NewHold(text, func(down bool) { b.actions.Press(kit, p.Slot, down) })
		r.set = func(p core.Part) {
			show(p)
			h.Light(p.Toggle && isOn(p))
		}
		right = container.NewHBox(value, h)
	case p.Kind == core.Boolean:
		c := fw.NewCheck("", nil)
		words := core.Topic{Options: p.Options}
		c.OnChanged = func(on bool) { turn(words.Word(on)) }
		r.set = func(p core.Part) {
			show(p)
			setCheck(c, isOn(p))
		}
		right = container.NewHBox(value, c)
	case p.Kind == core.Number && p.Max > p.Min:
		below = container.NewStack(container.New(groove{}, NewSurface(theme.ColorNameInputBorder, layout.NewSpacer())), b.slider(r, p, show, turn))
	case p.Kind == core.Enumeration && len(p.Options) > 0:
		s := fw.NewSelect(p.Options, nil)
		s.OnChanged = turn
		r.set = func(p core.Part) {
			if s.Selected != p.Value {
				s.Selected = p.Value
				s.Refresh()
			}
		}
		right = s
	default:
		e := NewEntry()
		e.OnSubmitted = turn
		e.SetPlaceHolder(lang.L("Type a value and press Enter"))
		r.set = show
		below = e
	}
	head := container.NewBorder(nil, nil, nil, container.NewCenter(right), container.New(layout.NewCustomPaddedVBoxLayout(-14), name, where))
	if below == nil {
		return r, head
	}
	return r, container.New(layout.NewCustomPaddedVBoxLayout(-4), head, below)
}

// groove is where the way of a slider is, a little larger than Fyne draws it:
// that is as light as the surface under it.
type groove struct{}

func (groove) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.Size{} }

func (groove) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	const height = 8
	from := (theme.IconInlineSize()-4)/2 + theme.InnerPadding() - 4
	for _, o := range objects {
		o.Move(fyne.NewPos(from, (size.Height-height)/2))
		o.Resize(fyne.NewSize(max(0, size.Width-2*from), height))
	}
}

// slider returns the slider of a Number, which a person moves and what the kit
// reports moves only while nobody holds it.
func (b *Board) slider(r *boardRow, p core.Part, show func(core.Part), turn func(string)) fyne.CanvasObject {
	s := fw.NewSlider(p.Min, p.Max)
	s.Step = (p.Max - p.Min) / 100
	if p.Max-p.Min >= 10 {
		s.Step = max(1, float64(int((p.Max-p.Min)/100)))
	}
	var said time.Time
	held := false
	say := func(v float64) {
		said = time.Now()
		turn(strconv.FormatFloat(v, 'f', -1, 64))
	}
	s.OnChanged = func(v float64) {
		held = true
		p := p
		p.Value = strconv.FormatFloat(v, 'f', -1, 64)
		show(p)
		if time.Since(said) >= turnEvery {
			say(v)
		}
	}
	s.OnChangeEnded = func(v float64) {
		held = false
		say(v)
	}
	r.set = func(p core.Part) {
		if held {
			return
		}
		show(p)
		if v := number(p.Value); p.Value != "" && v != s.Value {
			s.Value = v
			s.Refresh()
		}
	}
	return s
}

// setCheck turns a check without telling that a person did.
func setCheck(c *fw.Check, on bool) {
	if c.Checked != on {
		c.Checked = on
		c.Refresh()
	}
}

// number is the value of a Number part, or 0.
func number(value string) float64 {
	v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || v != v {
		return 0
	}
	return v
}

// boardValue is what a part shows: a number with its unit, a word.
func boardValue(p core.Part) string {
	switch {
	case p.Value == "":
		return "–"
	case p.Kind == core.Number:
		if v, err := strconv.ParseFloat(strings.TrimSpace(p.Value), 64); err == nil {
			return strings.TrimSpace(FormatNumber(v) + " " + p.Unit)
		}
	case p.Kind == core.Boolean:
		if on, ok := (core.Topic{Options: p.Options}).Truth(p.Value); ok {
			return Word(on)
		}
	}
	return cutTo(OneLine(p.Value), 24)
}

// cutTo returns at most n characters of s.
func cutTo(s string, n int) string {
	if rs := []rune(s); len(rs) > n {
		return string(rs[:n-1]) + "…"
	}
	return s
}

// boardFault is one thing that can be broken.
type boardFault struct {
	check   *fw.Check
	observe *fw.Label
}

func (f *boardFault) set(on bool) {
	setCheck(f.check, on)
	if f.observe.Importance = fw.LowImportance; on {
		f.observe.Importance = fw.WarningImportance
	}
	f.observe.Refresh()
}

func (b *Board) buildFaults() {
	b.breaks.RemoveAll()
	b.faults = nil
	kit := b.board.Kit.Name
	for _, s := range b.board.Faults {
		f := &boardFault{observe: Muted(lang.L("What you should observe: {what}", "what", lang.Say(s.Observe)))}
		f.observe.SizeName = theme.SizeNameCaptionText
		f.check = fw.NewCheck(lang.Say(s.Title), func(on bool) { b.actions.Break(kit, s.Fault, on) })
		b.faults = append(b.faults, f)
		b.breaks.Add(container.New(layout.NewCustomPaddedVBoxLayout(-10), f.check, container.New(layout.NewCustomPaddedLayout(0, 0, 26, 0), f.observe)))
	}
}

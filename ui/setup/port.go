package setup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// justFor is how long a port counts as just plugged in.
const justFor = time.Minute

// maxPorts is how many ports, and how many open setups, are listed.
const maxPorts = 24

// portPage is where a board is plugged in.
type portPage struct {
	shower
	w     *wizard
	tried map[string]time.Time // ports that chose themselves once, by when they came
	shown string               // what is drawn, to draw only what changed

	picture *widget.Sketch
	hands   *widget.Sketch
	ask     *fw.Label
	list    *fyne.Container
	open    *fyne.Container // setups that can go on
	found   *fyne.Container // what the board is, while one is read
	scroll  fyne.CanvasObject
}

func newPortPage(w *wizard) *portPage {
	p := &portPage{w: w, tried: map[string]time.Time{}, picture: cablePicture(), hands: handsPicture(), list: container.NewVBox(), open: container.NewVBox(), found: container.NewVBox()}
	p.ask = askLabel()
	drivers := widget.NewFold(lang.L("No port appears? Drivers, without internet"), container.NewVBox(
		advice(usbIcon, lang.L("The cable: many cables of phones only charge. Try another one, straight into the PC."), false),
		advice(boardIcon, lang.L("CH340 (most NodeMCU and D1 mini): Windows 10 and 11 have the driver. Else fetch CH341SER from wch-ic.com on another PC, bring it on a USB stick and start it."), false),
		advice(boardIcon, lang.L("CP2102: fetch “CP210x Universal Windows Driver” from silabs.com on another PC, unpack it, and choose its folder in the Device Manager: right click on the board, Update driver."), false),
		advice(theme.ComputerIcon(), lang.L("Linux has both drivers. Where the port may not be opened: sudo usermod -aG dialout YOUR-NAME, then sign out and in again."), false)))
	p.scroll = widget.Scroll(widget.Middle(820, p.open, p.ask, p.hands, p.found, p.picture, p.list, drivers))
	return p
}

// askLabel is a label for what a person has to do with their hands.
func askLabel() *fw.Label {
	l := fw.NewLabelWithStyle("", fyne.TextAlignCenter, fyne.TextStyle{Bold: true})
	l.SizeName, l.Wrapping, l.Importance = theme.SizeNameHeadingText, fyne.TextWrapWord, fw.WarningImportance
	return l
}

// advice is a sentence of advice as a card; the first is the likeliest.
func advice(icon fyne.Resource, text string, first bool) fyne.CanvasObject {
	l := widget.Text(text)
	l.TextStyle.Bold = first
	picture := container.NewGridWrap(fyne.NewSquareSize(28), fw.NewIcon(theme.NewPrimaryThemedResource(icon)))
	return widget.NewSurface(theme.ColorNameInputBackground, container.NewBorder(nil, nil, container.NewCenter(container.NewPadded(picture)), nil, l))
}

func (p *portPage) content() fyne.CanvasObject { return p.scroll }

func (p *portPage) head() (title, about string) {
	w := p.w
	switch {
	case w.id == 0 && p.likely() == 0:
		return lang.L("Plug in the board"), lang.L("Take a USB cable and join the board to this PC. It shows up here by itself.")
	case w.id == 0:
		return lang.L("Which board?"), lang.L("Choose its port. A board that is plugged in now is chosen by itself.")
	case w.set.Problem.Format != "" && w.set.Step == core.StepPort && w.set.Chip.MAC != "":
		return lang.L("This board cannot be a kit"), w.set.Port
	case w.set.Problem.Format != "" && w.set.Step == core.StepPort:
		return lang.L("The board does not answer"), w.set.Port
	case w.set.Step == core.StepPort && !w.set.Running:
		return lang.L("{step}: stopped", "step", lang.L("Looking at the board")), w.set.Port
	case w.set.Step == core.StepPort:
		return lang.L("Looking at the board"), w.set.Port
	}
	return lang.L("This is the board"), w.set.Port
}

// likely counts the ports that a kit may be on.
func (p *portPage) likely() (n int) {
	for _, port := range p.w.s.v.ports.All {
		if port.Likely {
			n++
		}
	}
	return n
}

// choose takes the one board that was just plugged in.
func (p *portPage) choose() {
	w := p.w
	if w.at != core.StepPort || w.asked {
		return
	}
	var only *core.SerialPort
	for i, port := range w.s.v.ports.All {
		if !port.Likely || !port.Since.After(w.begun) || port.Setup != 0 || port.Problem.Format != "" || p.tried[port.Name].Equal(port.Since) {
			continue
		}
		if only != nil {
			return
		}
		only = &w.s.v.ports.All[i]
	}
	if only != nil {
		if len(p.tried) > maxPorts {
			clear(p.tried)
		}
		p.tried[only.Name] = only.Since
		w.take(only.Name)
	}
}

func (p *portPage) draw() {
	w := p.w
	v := &w.s.v
	ask := said(w.set.Ask)
	p.say(p.ask, ask)
	p.show(p.ask, ask != "")
	p.show(p.hands, ask != "")
	p.show(p.picture, w.id != 0 && ask == "" || w.id == 0 && p.likely() == 0)
	just := func(x core.SerialPort) bool { return !x.Since.IsZero() && w.s.now().Sub(x.Since) < justFor }
	var key string
	if w.id == 0 {
		key = fmt.Sprint(v.ports, p.keyOfOpen())
		for _, x := range v.ports.All {
			key += fmt.Sprint(just(x))
		}
	} else {
		key = fmt.Sprint(w.id, w.set.Chip, w.set.Running, w.set.Step, w.set.Problem, w.set.Doing, w.set.Firmware)
	}
	if key == p.shown {
		return
	}
	p.shown, p.stale = key, true
	p.list.RemoveAll()
	p.open.RemoveAll()
	p.found.RemoveAll()
	if w.id != 0 {
		p.drawFound()
		return
	}
	p.drawOpen()
	all := slices.Clone(v.ports.All)
	slices.SortStableFunc(all, func(a, b core.SerialPort) int { return rankPort(a, just(a)) - rankPort(b, just(b)) })
	for i, x := range all {
		if i == maxPorts {
			break
		}
		p.list.Add(p.tile(x, just(x)))
	}
	for i, a := range v.ports.Advice {
		p.list.Add(advice(theme.InfoIcon(), said(a), i == 0))
	}
}

// rankPort puts what was just plugged in first, and what is hardly a board last.
func rankPort(x core.SerialPort, just bool) int {
	switch {
	case x.Likely && just:
		return 0
	case x.Likely:
		return 1
	}
	return 2
}

// keyOfOpen changes with what drawOpen draws.
func (p *portPage) keyOfOpen() string {
	key := ""
	for _, x := range p.w.s.v.setups {
		key += fmt.Sprint(x.ID, x.Step, x.Running, x.Problem.Format != "", x.Passed, x.Order.Kit, x.Port)
	}
	return key
}

// tile is a port to choose.
func (p *portPage) tile(x core.SerialPort, just bool) fyne.CanvasObject {
	w := p.w
	text := x.Name
	if id := usbID(x); id != "" {
		text += " · " + id
	}
	title := x.Title
	if title == "" {
		title = x.Name
	}
	t := newTile(usbIcon, title, text, nil)
	t.OnPress = func() {
		if x.Kit != "" { // it most likely stays what it is
			w.d.fresh, w.d.kit, w.d.pins = false, x.Kit, nil
		}
		w.take(x.Name)
	}
	switch {
	case x.Setup != 0:
		t.note(lang.L("is being set up"), fw.MediumImportance)
		t.OnPress = func() { w.resume(x.Setup) }
	case just:
		t.note(lang.L("just plugged in"), fw.SuccessImportance)
	case x.Kit != "":
		t.note(w.s.v.title(x.Kit), fw.MediumImportance)
	case !x.Likely:
		t.note(lang.L("hardly a board"), fw.LowImportance)
	}
	if x.Problem.Format == "" {
		return t
	}
	return container.New(layout.NewCustomPaddedVBoxLayout(2), t, widget.NewNote(said(x.Problem), fw.WarningImportance))
}

// drawOpen lists the setups that were left.
func (p *portPage) drawOpen() {
	w := p.w
	all := w.s.v.setups
	if len(all) == 0 {
		return
	}
	p.open.Add(fw.NewLabelWithStyle(lang.L("Go on with a board"), fyne.TextAlignLeading, fyne.TextStyle{Bold: true}))
	for i, x := range all {
		if i == maxPorts {
			break
		}
		title := x.Port
		if x.Order.Kit != "" {
			title = w.s.v.title(x.Order.Kit)
		}
		closes := fw.NewButtonWithIcon("", theme.CancelIcon(), func() {
			w.ask(func(context.Context) error { return w.s.p.Kits.Close(x.ID) }, nil)
		})
		closes.Importance = fw.LowImportance
		t := newTile(boardIcon, title, x.Port+" · "+stepTitle(x.Step), func() { w.resume(x.ID) }, closes)
		switch {
		case x.Problem.Format != "":
			t.note(lang.L("failed"), fw.DangerImportance)
		case x.Passed:
			t.note(lang.L("passed"), fw.SuccessImportance)
		case x.Running:
			t.note(lang.L("at work"), fw.MediumImportance)
		default:
			t.note(lang.L("waits for you"), fw.WarningImportance)
		}
		p.open.Add(t)
	}
	p.open.Add(fw.NewSeparator())
}

// drawFound shows what was read from the board.
func (p *portPage) drawFound() {
	set := p.w.set
	switch {
	case set.Problem.Format != "" && set.Step == core.StepPort:
		p.found.Add(widget.NewNote(said(set.Problem), fw.DangerImportance))
		return
	case set.Step == core.StepPort:
		if set.Doing.Format != "" {
			p.found.Add(widget.Text(said(set.Doing)))
		}
		return
	}
	chip := fw.NewLabelWithStyle(chipText(set.Chip), fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	chip.Wrapping = fyne.TextWrapWord
	runs := lang.L("It runs no firmware of Homeroom yet.")
	if set.Firmware != "" {
		runs = lang.L("It runs {firmware}.", "firmware", set.Firmware)
	}
	p.found.Add(widget.NewSurface(theme.ColorNameInputBackground, container.NewBorder(nil, nil,
		container.NewCenter(container.NewPadded(container.NewGridWrap(fyne.NewSquareSize(36), fw.NewIcon(theme.NewSuccessThemedResource(theme.ConfirmIcon()))))), nil,
		container.New(layout.NewCustomPaddedVBoxLayout(-8), chip, widget.Muted(runs)))))
}

func (p *portPage) next() (string, func()) {
	w := p.w
	switch {
	case w.id == 0:
		return lang.L("Next"), nil
	case w.set.Step == core.StepPort && w.set.Running:
		return lang.L("Next"), nil
	case w.set.Step == core.StepPort: // it failed, or was stopped
		return lang.L("Try again"), func() { w.start(core.StepPort) }
	}
	return lang.L("Next"), func() { w.look(core.StepKit) }
}

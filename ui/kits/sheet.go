package kits

import (
	"context"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// sheet asks for something in a dialog, which stays open and says why where work
// fails. first has the keyboard; it may be nil.
func sheet(s *Screen, title, ok string, body fyne.CanvasObject, first *widget.Entry, work func(ctx context.Context) error) {
	problem := widget.NewNote("", fw.DangerImportance)
	problem.Hide()
	var d *dialog.CustomDialog
	var yes *fw.Button
	press := func() {
		if yes.Disabled() {
			return
		}
		yes.Disable()
		problem.Hide()
		s.shell.Do(func(ctx context.Context) (func(), error) {
			err := work(ctx)
			return func() {
				yes.Enable()
				if err != nil {
					problem.Text.SetText(lang.Error(err))
					problem.Show()
					return
				}
				d.Hide()
				s.shell.Refresh()
			}, nil
		})
	}
	yes = fw.NewButtonWithIcon(ok, theme.ConfirmIcon(), press)
	yes.Importance = fw.HighImportance
	content := container.NewVBox(widget.Middle(460, body), problem)
	d = dialog.NewCustomWithoutButtons(title, container.NewVScroll(container.NewPadded(content)), s.shell.Window())
	d.SetButtons([]fyne.CanvasObject{fw.NewButton(lang.L("Cancel"), func() { d.Hide() }), yes})
	room := s.shell.Window().Canvas().Size()
	d.Resize(fyne.NewSize(min(540, room.Width-40), min(content.MinSize().Height+180, room.Height-40)))
	d.Show()
	if first != nil {
		first.OnSubmitted = func(string) { press() }
		s.shell.Window().Canvas().Focus(first)
	}
}

// pins are the pins of a kit's parts, to be changed.
type pins struct {
	box     *fyne.Container
	slots   []topic.ID
	selects []*fw.Select
	invert  []*fw.Check
	gpios   []int // beside the options, after "as usual"
	touched bool
}

func newPins(k core.RealKit) *pins {
	p := &pins{box: container.NewVBox(fw.NewLabelWithStyle(lang.L("Pins"), fyne.TextAlignLeading, fyne.TextStyle{Bold: true})), gpios: []int{5, 4, 14, 12, 13, 0, 2, 15, 16, core.PinA0}}
	options := []string{lang.L("as usual")}
	for _, g := range p.gpios {
		options = append(options, pinName(g))
	}
	for _, port := range k.Ports {
		if k.Role == core.ChoiceKit { // it has no parts on pins
			break
		}
		choose, invert := fw.NewSelect(options, nil), fw.NewCheck(lang.L("inverted"), nil)
		choose.SetSelectedIndex(0)
		for _, now := range k.Pins {
			if at := slices.Index(p.gpios, now.GPIO); now.Slot == port.Slot && at >= 0 {
				choose.SetSelectedIndex(at + 1)
				invert.SetChecked(now.Inverted)
			}
		}
		choose.OnChanged = func(string) { p.touched = true }
		invert.OnChanged = func(bool) { p.touched = true }
		p.slots, p.selects, p.invert = append(p.slots, port.Slot), append(p.selects, choose), append(p.invert, invert)
		p.box.Add(container.NewBorder(nil, nil, widget.Wide(150, widget.Cell(widget.SlotName(port.Slot))), invert, choose))
	}
	if len(p.slots) == 0 {
		p.box.Add(widget.Muted(lang.L("This kit has no part on a pin.")))
	}
	return p
}

// changed returns the pins, or nil where nobody touched them. One that is as usual
// is left out; where all are, a single empty one says so.
func (p *pins) changed() []core.KitPin {
	if !p.touched {
		return nil
	}
	all := []core.KitPin{}
	for i, s := range p.slots {
		if at := p.selects[i].SelectedIndex(); at > 0 {
			gpio := p.gpios[at-1]
			all = append(all, core.KitPin{Slot: s, GPIO: gpio, Inverted: p.invert[i].Checked, PullUp: p.invert[i].Checked && gpio != 16 && gpio != core.PinA0})
		}
	}
	return all
}

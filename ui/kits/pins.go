package kits

import (
	"fmt"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// pins are the pins of a kit's parts, to be changed.
type pins struct {
	box     *fyne.Container
	slots   []topic.ID
	selects []*fw.Select
	invert  []*fw.Check
	touched bool
}

func newPins(k core.RealKit) *pins {
	p := &pins{box: container.NewVBox(fw.NewLabelWithStyle(lang.L("Pins"), fyne.TextAlignLeading, fyne.TextStyle{Bold: true}))}
	options := []string{lang.L("as usual")}
	for _, g := range widget.Pins { // after "as usual"
		name := widget.PinName(g)
		if g != core.PinA0 {
			name += fmt.Sprintf(" (GPIO %d)", g)
		}
		options = append(options, name)
	}
	for _, port := range k.Ports {
		if k.Role == core.ChoiceKit { // it has no parts on pins
			break
		}
		choose, invert := fw.NewSelect(options, nil), fw.NewCheck(lang.L("inverted"), nil)
		choose.SetSelectedIndex(0)
		for _, now := range k.Pins {
			if at := slices.Index(widget.Pins, now.GPIO); now.Slot == port.Slot && at >= 0 {
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
			gpio := widget.Pins[at-1]
			all = append(all, core.KitPin{Slot: s, GPIO: gpio, Inverted: p.invert[i].Checked, PullUp: p.invert[i].Checked && gpio != 16 && gpio != core.PinA0})
		}
	}
	return all
}

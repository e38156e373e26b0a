package rooms

import (
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// picker chooses what else a chart shows.
type picker struct {
	d      *detail
	all    []*entry // what can be chosen, the likeliest first
	found  []*entry // what of it the search leaves
	chosen []core.Series
	list   *fw.List
	search *widget.Entry
	count  *fw.Label
	teams  *fw.Button
}

func newPicker(d *detail) *picker {
	p := &picker{d: d, chosen: slices.Clone(d.series)}
	m := &d.s.model
	first := m.entries[d.series[0]]
	p.all = p.candidates(first)
	p.found = p.all
	p.list = fw.NewList(
		func() int { return len(p.found) },
		func() fyne.CanvasObject {
			topic := widget.Cell("")
			topic.SizeName, topic.Importance = theme.SizeNameCaptionText, fw.LowImportance
			return container.NewBorder(nil, nil, fw.NewCheck("", nil), nil, container.NewGridWithColumns(2, widget.Cell(""), topic))
		},
		func(i fw.ListItemID, o fyne.CanvasObject) {
			row := o.(*fyne.Container)
			texts, check := row.Objects[0].(*fyne.Container), row.Objects[1].(*fw.Check)
			e := p.found[i]
			texts.Objects[0].(*fw.Label).SetText(m.long(e))
			texts.Objects[1].(*fw.Label).SetText(string(e.Series))
			check.OnChanged = nil
			check.SetChecked(slices.Contains(p.chosen, e.Series))
			check.OnChanged = func(bool) { p.toggle(e.Series) }
		})
	p.list.OnSelected = func(i fw.ListItemID) {
		p.list.UnselectAll()
		p.toggle(p.found[i].Series)
	}
	p.search = widget.NewEntry()
	p.search.SetPlaceHolder(lang.L("Search rooms, kits and topics"))
	p.search.OnChanged = p.find
	p.count = fw.NewLabel("")
	p.teams = fw.NewButton(lang.L("The same in every team"), func() {
		for _, e := range m.alike(first) {
			if !slices.Contains(p.chosen, e.Series) {
				p.toggle(e.Series)
			}
		}
	})
	if first == nil || len(m.alike(first)) == 0 {
		p.teams.Disable()
	}
	p.counted()
	return p
}

// candidates returns every value that could be in the chart: the same property
// of other teams first, then the same kit's, then the rest.
func (p *picker) candidates(first *entry) []*entry {
	m := &p.d.s.model
	rank := map[core.Series]int{}
	if first != nil {
		for _, e := range m.alike(first) {
			rank[e.Series] = -2
		}
	}
	var es []*entry
	for _, s := range m.sections(choice{all: p.d.s.choice.all}) {
		for _, e := range s.entries {
			if first != nil && e.branch == first.branch && e.room == first.room && e.kit == first.kit {
				rank[e.Series] = -1
			}
			if slices.Contains(p.chosen, e.Series) {
				rank[e.Series] = -3
			}
			es = append(es, e)
		}
	}
	slices.SortStableFunc(es, func(a, b *entry) int { return rank[a.Series] - rank[b.Series] })
	return es
}

// find leaves what matches text.
func (p *picker) find(text string) {
	words := strings.Fields(strings.ToLower(text))
	p.found = nil
	for _, e := range p.all {
		if p.d.s.model.matches(e, choice{all: true}, words) {
			p.found = append(p.found, e)
		}
	}
	p.list.Refresh()
	p.list.ScrollToTop()
}

// toggle chooses a series, or no longer. No more than there are colours.
func (p *picker) toggle(s core.Series) {
	if i := slices.Index(p.chosen, s); i >= 0 {
		p.chosen = slices.Delete(p.chosen, i, i+1)
	} else if len(p.chosen) < widget.Colors {
		p.chosen = append(p.chosen, s)
	}
	p.counted()
	p.list.Refresh()
}

func (p *picker) counted() {
	p.count.SetText(lang.L("{n} of at most {most}", "n", len(p.chosen), "most", widget.Colors))
}

// apply shows what was chosen; nothing chosen changes nothing.
func (p *picker) apply() {
	if len(p.chosen) == 0 {
		return
	}
	d := p.d
	for _, s := range slices.Clone(d.series) {
		if !slices.Contains(p.chosen, s) {
			d.remove(s)
		}
	}
	for _, s := range p.chosen {
		d.add(s)
	}
	d.header()
	d.ask()
}

// pick asks what to compare.
func (d *detail) pick() {
	p := newPicker(d)
	body := container.NewBorder(container.NewBorder(nil, nil, nil, p.teams, p.search), p.count, nil, nil, p.list)
	box := dialog.NewCustomConfirm(lang.L("Compare in one chart"), lang.L("Show"), lang.L("Cancel"), body, func(ok bool) {
		if ok {
			p.apply()
		}
		d.focus()
	}, d.s.shell.Window())
	box.Resize(fyne.NewSize(760, 520))
	box.Show()
	d.s.shell.Window().Canvas().Focus(p.search)
}

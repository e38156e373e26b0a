package accounts

import (
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// auditShown is how many changes the list has.
const auditShown = 500

// changeTab lists who changed what.
type changeTab struct {
	screen *Screen
	table  *table

	detail, nothing fyne.CanvasObject
	what, who       *fw.Label
}

func newChangeTab(s *Screen) *changeTab {
	t := &changeTab{screen: s, what: widget.Text(""), who: widget.Muted("")}
	t.what.SizeName, t.what.TextStyle, t.what.Selectable = theme.SizeNameSubHeadingText, fyne.TextStyle{Bold: true}, true
	t.detail = widget.Scroll(container.New(layout.NewCustomPaddedVBoxLayout(0), t.what, t.who))
	t.detail.Hide()
	t.nothing = widget.Empty(theme.HistoryIcon(), lang.L("No change chosen"), lang.L("Choose a row to read all of it."), nil)
	empty := widget.Empty(theme.HistoryIcon(), lang.L("No changes yet"), lang.L("Whoever adds, changes or removes something is listed here."), nil)
	t.table = newTable([]string{lang.L("When"), lang.L("Who"), lang.L("What")}, []float32{3, 3, 6},
		nil, empty, container.NewStack(t.detail, t.nothing), func(string) { t.drawDetail() })
	return t
}

func (t *changeTab) show() {
	d := &t.screen.data
	var lines []line
	for _, a := range d.audit {
		lines = append(lines, line{key: strconv.FormatInt(a.ID, 10), cells: []string{moment(a), d.doer(a), lang.Say(a.Say)}})
	}
	t.table.set(lines)
	t.drawDetail()
}

func (t *changeTab) drawDetail() {
	for _, a := range t.screen.data.audit {
		if strconv.FormatInt(a.ID, 10) == t.table.selected {
			t.what.SetText(lang.Say(a.Say))
			t.who.SetText(t.screen.data.doer(a) + " · " + moment(a))
			either(true, t.detail, t.nothing)
			return
		}
	}
	either(false, t.detail, t.nothing)
}

func moment(a core.Audit) string { return a.At.Local().Format("2006-01-02 15:04:05") }

// doer is who made a change.
func (d *data) doer(a core.Audit) string {
	if a.Account == 0 || a.Name == "" {
		return lang.L("this PC")
	}
	if now, ok := d.account(a.Account); ok && now.Label != "" {
		return now.Label + " (" + a.Name + ")"
	}
	return a.Name
}

package rooms

import (
	"context"
	"image/png"
	"io"
	"slices"
	"strings"
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

// ranges are the stretches of time that have a button.
var ranges = []time.Duration{10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour}

func rangeNames() []string {
	return []string{lang.L("10 min"), lang.L("1 h"), lang.L("6 h"), lang.L("24 h"), lang.L("7 days"), lang.L("30 days")}
}

// detail is a chart of one series, and of others that a person adds to compare.
type detail struct {
	s     *Screen
	page  *fyne.Container
	chart *widget.Chart

	title, value, path *fw.Label
	ranges             []*fw.Button
	live               *fw.Button
	more               *fw.Button

	series []core.Series // what the chart shows; the first is the one that was opened
	colors map[core.Series]int
	traces map[core.Series]core.Trace
	length time.Duration // the range to come back to
	turn   uint64        // of the newest request
}

func newDetail(s *Screen) *detail {
	d := &detail{s: s, chart: widget.NewChart(), length: ranges[0]}
	d.chart.Now = func() time.Time { return s.now() }
	d.chart.OnView = func(widget.View) { d.ask() }
	d.chart.OnLine = d.lineMenu
	d.chart.OnKey = func(e *fyne.KeyEvent) {
		if e.Name == fyne.KeyEscape || e.Name == fyne.KeyBackspace {
			s.Back()
		}
	}
	label := func(size fyne.ThemeSizeName, bold bool) *fw.Label {
		l := widget.Cell("")
		l.SizeName, l.TextStyle.Bold = size, bold
		return l
	}
	d.title, d.path = label(theme.SizeNameHeadingText, true), label(theme.SizeNameCaptionText, false)
	d.path.Importance = fw.LowImportance
	d.value = fw.NewLabel("")
	d.value.SizeName = theme.SizeNameHeadingText

	back := fw.NewButtonWithIcon("", theme.NavigateBackIcon(), func() { s.Back() })
	var left []fyne.CanvasObject
	for i, name := range rangeNames() {
		b := fw.NewButton(name, func() { d.latest(ranges[i]) })
		d.ranges = append(d.ranges, b)
		left = append(left, b)
	}
	d.live = fw.NewButtonWithIcon(lang.L("Live"), theme.MediaPlayIcon(), func() { d.latest(d.chart.View().Length()) })
	left = append(left, d.live)
	compare := fw.NewButtonWithIcon(lang.L("Compare"), theme.ContentAddIcon(), func() { d.pick() })
	edit := fw.NewButtonWithIcon(lang.L("Edit"), theme.DocumentCreateIcon(), func() { d.edit(d.series[0]) })
	d.more = fw.NewButtonWithIcon("", theme.MoreVerticalIcon(), d.moreMenu)
	tools := container.NewHBox(d.value, compare, edit, d.more)

	head := container.NewBorder(nil, nil, container.NewCenter(back), container.NewCenter(tools),
		container.New(layout.NewCustomPaddedVBoxLayout(-8), d.title, d.path))
	d.page = container.New(layout.NewCustomPaddedLayout(10, 10, 10, 10), container.NewBorder(
		container.NewVBox(head, container.NewHBox(left...)), nil, nil, nil,
		widget.NewSurface(theme.ColorNameOverlayBackground, d.chart)))
	return d
}

// open shows one series, following.
func (d *detail) open(series core.Series) {
	d.series, d.colors, d.traces = nil, map[core.Series]int{}, map[core.Series]core.Trace{}
	d.add(series)
	d.chart.ShowAll(false)
	d.chart.SetLines(nil, widget.Latest(d.length, d.s.now()))
	d.header()
	d.ask()
}

// add puts one more series into the chart, in a colour no other has.
func (d *detail) add(series core.Series) {
	if slices.Contains(d.series, series) || len(d.series) >= widget.Colors {
		return
	}
	color := 0
	for d.taken(color) {
		color++
	}
	d.series = append(d.series, series)
	d.colors[series] = color
}

func (d *detail) taken(color int) bool {
	for _, c := range d.colors {
		if c == color {
			return true
		}
	}
	return false
}

// remove takes a series out of the chart.
func (d *detail) remove(series core.Series) {
	d.series = slices.DeleteFunc(d.series, func(s core.Series) bool { return s == series })
	delete(d.colors, series)
	delete(d.traces, series)
	d.draw(d.chart.View())
	d.ask()
}

// close forgets what the chart shows.
func (d *detail) close() {
	d.series = nil
	d.ask()
}

// focus gives the chart the keyboard.
func (d *detail) focus() {
	if c := fyne.CurrentApp().Driver().CanvasForObject(d.s.content); c != nil {
		c.Focus(d.chart)
	}
}

// ask tells Load what the chart needs now.
func (d *detail) ask() {
	d.turn++
	d.s.mu.Lock()
	d.s.wanted = request{turn: d.turn, series: slices.Clone(d.series), view: d.chart.View(), points: d.chart.Points()}
	d.s.mu.Unlock()
	d.buttons()
	d.s.shell.Refresh()
}

// latest shows the latest stretch of that length and follows.
func (d *detail) latest(length time.Duration) {
	d.length = length
	d.chart.ShowAll(false)
	d.chart.SetView(widget.Latest(length, d.s.now()))
	d.ask()
	d.focus()
}

// buttons shows which range is on.
func (d *detail) buttons() {
	v := d.chart.View()
	for i, b := range d.ranges {
		importance(b, v.Length() == ranges[i])
	}
	importance(d.live, v.Follow)
}

func importance(b *fw.Button, on bool) {
	want := fw.MediumImportance
	if on {
		want = fw.HighImportance
	}
	if b.Importance != want {
		b.Importance = want
		b.Refresh()
	}
}

// show draws what Load found.
func (d *detail) show(f found) {
	if len(d.series) == 0 {
		return
	}
	if f.more {
		d.s.shell.Refresh()
	}
	d.header()
	v := d.chart.View().At(d.s.now())
	if f.turn != d.turn || f.traces == nil {
		d.chart.SetView(v)
		return
	}
	for i, s := range d.series {
		d.traces[s] = f.traces[i]
	}
	d.draw(v)
}

// header writes the newest value of the series that was opened.
func (d *detail) header() {
	e := d.s.model.entries[d.series[0]]
	if e == nil {
		d.value.SetText("")
		return
	}
	widget.SetText(d.title, e.title())
	widget.SetText(d.path, string(e.Series)+"   "+lang.Ago(d.s.now().Sub(e.Newest.At)))
	value := e.value()
	if len([]rune(value)) > 40 {
		value = string([]rune(value)[:40]) + "…"
	}
	widget.SetText(d.value, strings.TrimSpace(value+" "+unitOf(e)))
}

// draw gives the chart its lines.
func (d *detail) draw(v widget.View) {
	var lines []widget.Line
	entries := []*entry{}
	for _, s := range d.series {
		if e := d.s.model.entries[s]; e != nil {
			entries = append(entries, e)
		}
	}
	for _, s := range d.series {
		t, ok := d.traces[s]
		if !ok {
			continue
		}
		l := widget.Line{Trace: t, Title: string(s), Color: d.colors[s]}
		if e := d.s.model.entries[s]; e != nil {
			l.Title, l.Unit = d.s.model.among(e, entries), unitOf(e)
			l.Trace = e.draws(t)
		}
		lines = append(lines, l)
	}
	d.chart.SetLines(lines, v)
}

// lineMenu offers what can be done with a line, at its legend.
func (d *detail) lineMenu(i int, at fyne.Position) {
	shown := slices.DeleteFunc(slices.Clone(d.series), func(s core.Series) bool { _, ok := d.traces[s]; return !ok })
	if i >= len(shown) {
		return
	}
	s := shown[i]
	items := []*fyne.MenuItem{fyne.NewMenuItem(lang.L("Edit"), func() { d.edit(s) })}
	if len(d.series) > 1 {
		items = append(items,
			fyne.NewMenuItem(lang.L("Take out of the chart"), func() { d.remove(s) }),
			fyne.NewMenuItem(lang.L("Show alone"), func() { d.open(s) }))
	}
	fw.ShowPopUpMenuAtPosition(fyne.NewMenu("", items...), d.s.shell.Window().Canvas(), at)
}

func (d *detail) moreMenu() {
	items := []*fyne.MenuItem{
		fyne.NewMenuItemWithIcon(lang.L("Copy topic"), theme.ContentCopyIcon(), d.copyTopic),
		fyne.NewMenuItemWithIcon(lang.L("Save picture"), theme.DocumentSaveIcon(), d.savePicture),
		fyne.NewMenuItemSeparator(),
		fyne.NewMenuItemWithIcon(lang.L("Forget readings"), theme.DeleteIcon(), func() { d.forget(d.series[0]) }),
	}
	fw.ShowPopUpMenuAtRelativePosition(fyne.NewMenu("", items...), d.s.shell.Window().Canvas(), fyne.NewPos(0, d.more.Size().Height), d.more)
}

func (d *detail) copyTopic() {
	t := string(d.series[0].Topic())
	fyne.CurrentApp().Clipboard().SetContent(t)
	d.s.shell.Tell(lang.L("Copied {text}", "text", t))
}

// savePicture writes the chart as a PNG file where the person says.
func (d *detail) savePicture() {
	img := d.chart.Picture(d.title.Text)
	name := widget.FileName(d.title.Text) + " " + d.chart.View().To.Format("2006-01-02 1504") + ".png"
	widget.Save(d.s.shell, name, func(w io.Writer) error { return png.Encode(w, img) })
}

// forget removes the readings of a series, after asking.
func (d *detail) forget(series core.Series) {
	e := d.s.model.entries[series]
	if e == nil {
		return
	}
	text := lang.L("Every reading of {name} ({topic}) kept on this PC is removed, from the first to the newest. Charts and exports no longer have them, and this cannot be undone. What arrives from now on is kept again.", "name", e.title(), "topic", e.Series)
	widget.Confirm(d.s.shell, lang.L("Forget readings?"), text, lang.L("Forget readings"), func() {
		d.s.shell.Do(func(ctx context.Context) (func(), error) {
			if err := d.s.history.Forget(ctx, series); err != nil {
				return nil, err
			}
			return func() {
				d.s.shell.Tell(lang.L("Forgot the readings of {name}", "name", e.title()))
				d.ask()
			}, nil
		})
	})
}

// keepChoices are how long readings can be kept, in days.
var keepChoices = []int{0, 7, 30, 90, 365}

func keepName(days int) string {
	switch days {
	case 0:
		return lang.L("As the settings say")
	case -1:
		return lang.L("Nothing")
	}
	return lang.L("{n} days", "n", days)
}

// edit asks how a series is called and kept.
func (d *detail) edit(series core.Series) {
	e := d.s.model.entries[series]
	if e == nil {
		return
	}
	name, unit := widget.NewEntry(), fw.NewSelectEntry([]string{"°C", "%", "hPa", "lx", "V", "A", "W", "kWh", "ppm", "cm", "s"})
	name.SetText(e.Label)
	name.SetPlaceHolder(e.property)
	unit.SetText(e.Unit)
	unit.SetPlaceHolder(unitOf(e))
	days := keepChoices
	if !slices.Contains(days, e.KeepDays) {
		days = slices.Sorted(slices.Values(append(slices.Clone(days), e.KeepDays)))
	}
	var names []string
	for _, n := range days {
		names = append(names, keepName(n))
	}
	keep := fw.NewSelect(names, nil)
	keep.SetSelectedIndex(slices.Index(days, e.KeepDays))
	form := container.NewVBox(
		widget.Field(lang.L("Display name"), name, ""),
		widget.Field(lang.L("Unit"), unit, lang.L("Leave it empty to take what the topic's name means.")),
		widget.Field(lang.L("Keep readings for"), keep, ""),
	)
	widget.NewSheet(d.s.shell, e.property, lang.L("Save"), 380, form, func(sh *widget.Sheet) {
		said := core.Description{Label: short(name.Text, 60), Unit: short(unit.Text, 12), KeepDays: days[max(keep.SelectedIndex(), 0)]}
		sh.Do(func(ctx context.Context) error { return d.s.history.Describe(ctx, series, said) }, func() {
			d.s.describe(series, said)
			d.s.shell.Tell(lang.L("Saved"))
		})
	}, name).OnClosed = d.focus
}

// short returns text on one line, without more than n characters.
func short(text string, n int) string {
	rs := []rune(strings.Join(strings.Fields(text), " "))
	return string(rs[:min(n, len(rs))])
}

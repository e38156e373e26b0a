package accounts

import (
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/ui/widget"
)

// line is one row of a table.
type line struct {
	key   string // says which row it is while others come and go
	cells []string
	quiet bool // drawn in the quiet colour
}

// table is a list with columns, a search box and something to do above it, and
// what is known about the selected row beside it.
type table struct {
	content fyne.CanvasObject
	search  *widget.Entry
	list    *fw.List
	empty   *fyne.Container
	found   *fw.Label

	weights  []float32
	lines    []line // all
	shown    []line // those that the search finds
	selected string // key, or ""
	onSelect func(key string)
	choosing bool // the list is told what is selected; nobody chose
}

// newTable returns a table. weights are the columns' shares of the width.
func newTable(titles []string, weights []float32, actions []fyne.CanvasObject, empty, detail fyne.CanvasObject, onSelect func(key string)) *table {
	t := &table{weights: weights, onSelect: onSelect}
	t.search = widget.NewEntry()
	t.search.SetPlaceHolder(lang.L("Search"))
	t.search.SetIcon(theme.SearchIcon())
	t.search.OnChanged = func(string) { t.filter() }
	t.found = widget.Muted("")
	t.found.Hide()
	t.empty = container.NewStack(empty)

	t.list = fw.NewList(
		func() int { return len(t.shown) },
		func() fyne.CanvasObject {
			cells := widget.Row(weights)
			for range weights {
				cells.Add(widget.Cell(""))
			}
			return cells
		},
		func(i fw.ListItemID, o fyne.CanvasObject) {
			if i >= len(t.shown) {
				return
			}
			for c, cell := range o.(*fyne.Container).Objects {
				l, importance := cell.(*fw.Label), fw.MediumImportance
				if t.shown[i].quiet {
					importance = fw.LowImportance
				}
				if text := t.shown[i].cells[c]; l.Text != text || l.Importance != importance {
					l.Importance = importance
					l.SetText(text)
				}
			}
		})
	t.list.OnSelected = func(i fw.ListItemID) {
		if t.choosing || i >= len(t.shown) {
			return
		}
		t.selected = t.shown[i].key
		t.onSelect(t.selected)
	}

	head := widget.Row(weights)
	for _, title := range titles {
		l := widget.Cell(title)
		l.Importance = fw.LowImportance
		head.Add(l)
	}
	top := container.NewBorder(nil, nil, nil, container.NewHBox(actions...), t.search)
	left := widget.NewSurface(theme.ColorNameOverlayBackground,
		container.NewBorder(container.NewVBox(top, head), t.found, nil, nil, container.NewStack(t.list, t.empty)))
	split := container.NewHSplit(left, widget.NewSurface(theme.ColorNameOverlayBackground, detail))
	split.Offset = 0.6
	t.content = split
	return t
}

// set replaces the rows. The selected row stays selected, or nothing is.
func (t *table) set(lines []line) {
	if slices.EqualFunc(t.lines, lines, func(a, b line) bool {
		return a.key == b.key && a.quiet == b.quiet && slices.Equal(a.cells, b.cells)
	}) {
		return
	}
	t.lines = lines
	t.filter()
}

// choose selects a row as if a person had done it; "" selects none.
func (t *table) choose(key string) {
	t.selected = key
	t.mark()
	t.onSelect(key)
}

// filter shows the rows in which every word of the search is somewhere.
func (t *table) filter() {
	words := strings.Fields(strings.ToLower(t.search.Text))
	t.shown = nil
	for _, l := range t.lines {
		text := strings.ToLower(strings.Join(l.cells, "\n"))
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			t.shown = append(t.shown, l)
		}
	}
	t.found.SetText(lang.L("Found: {n} of {all}", "n", len(t.shown), "all", len(t.lines)))
	t.found.Hidden = len(words) == 0
	t.empty.Hidden = len(t.lines) > 0
	t.list.Refresh()
	t.mark()
	t.content.Refresh()
}

// mark makes the list's selection what is selected.
func (t *table) mark() {
	t.choosing = true
	defer func() { t.choosing = false }()
	if i := slices.IndexFunc(t.shown, func(l line) bool { return l.key == t.selected && t.selected != "" }); i >= 0 {
		t.list.Select(i)
	} else {
		t.list.UnselectAll()
	}
}

// either shows the one or the other.
func either(first bool, one, other fyne.CanvasObject) {
	if first {
		other.Hide()
		one.Show()
	} else {
		one.Hide()
		other.Show()
	}
}

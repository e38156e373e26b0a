//go:build !headless

package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets"
	"homeroom/ui/widget"
)

// rail is the navigation at the left.
type rail struct {
	content fyne.CanvasObject
	items   []*railItem
}

func newRail(screens []screen, pick func(i int)) *rail {
	r := &rail{}
	logo := fw.NewIcon(fyne.NewStaticResource("homeroom.svg", assets.IconSVG()))
	name := fw.NewLabelWithStyle("Homeroom", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	name.SizeName = theme.SizeNameSubHeadingText
	items := container.NewVBox(container.NewPadded(container.NewBorder(nil, nil,
		container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(34), logo)), nil, name)))
	for i, s := range screens {
		item := newRailItem(s.Icon(), s.Title(), func() { pick(i) })
		r.items = append(r.items, item)
		items.Add(item)
	}
	r.content = container.NewStack(newGround(widget.ColorRail),
		container.New(layout.NewCustomPaddedLayout(6, 8, 8, 8), widget.Wide(160, items)))
	return r
}

// choose marks item i as where we are.
func (r *rail) choose(i int) {
	for j, item := range r.items {
		item.choose(i == j)
	}
}

// railItem is one line of the navigation.
type railItem struct {
	fw.BaseWidget
	icon    *fw.Icon
	source  fyne.Resource
	name    *fw.Label
	back    *canvas.Rectangle
	pick    func()
	chosen  bool
	hovered bool
	focused bool
}

var (
	_ fyne.Tappable     = (*railItem)(nil)
	_ fyne.Focusable    = (*railItem)(nil)
	_ desktop.Hoverable = (*railItem)(nil)
)

func newRailItem(icon fyne.Resource, name string, pick func()) *railItem {
	i := &railItem{icon: fw.NewIcon(icon), source: icon, name: fw.NewLabel(name), back: canvas.NewRectangle(nil), pick: pick}
	i.ExtendBaseWidget(i)
	return i
}

func (i *railItem) choose(chosen bool) {
	if i.chosen == chosen {
		return
	}
	i.chosen = chosen
	i.name.TextStyle.Bold = chosen
	i.name.Importance = fw.MediumImportance
	i.icon.SetResource(i.source)
	if chosen {
		i.name.Importance = fw.HighImportance
		i.icon.SetResource(theme.NewPrimaryThemedResource(i.source))
	}
	i.name.Refresh()
	i.Refresh()
}

// CreateRenderer is part of fyne.Widget.
func (i *railItem) CreateRenderer() fyne.WidgetRenderer {
	i.paint()
	return fw.NewSimpleRenderer(container.NewStack(i.back, container.New(layout.NewCustomPaddedLayout(1, 1, 10, 10),
		container.NewBorder(nil, nil, i.icon, nil, i.name))))
}

// Refresh is part of fyne.CanvasObject.
func (i *railItem) Refresh() {
	i.paint()
	i.BaseWidget.Refresh()
}

func (i *railItem) paint() {
	i.back.CornerRadius = theme.Size(theme.SizeNameButtonRadius)
	i.back.StrokeWidth = 0
	switch {
	case i.chosen:
		i.back.FillColor = theme.Color(theme.ColorNameSelection)
	case i.hovered:
		i.back.FillColor = theme.Color(theme.ColorNameHover)
	default:
		i.back.FillColor = nil
	}
	if i.focused {
		i.back.StrokeWidth = 2
		i.back.StrokeColor = theme.Color(theme.ColorNameFocus)
	}
}

// Tapped is part of fyne.Tappable.
func (i *railItem) Tapped(*fyne.PointEvent) { i.pick() }

// MouseIn is part of desktop.Hoverable.
func (i *railItem) MouseIn(*desktop.MouseEvent) { i.hovered = true; i.Refresh() }

// MouseMoved is part of desktop.Hoverable.
func (i *railItem) MouseMoved(*desktop.MouseEvent) {}

// MouseOut is part of desktop.Hoverable.
func (i *railItem) MouseOut() { i.hovered = false; i.Refresh() }

// FocusGained is part of fyne.Focusable.
func (i *railItem) FocusGained() { i.focused = true; i.Refresh() }

// FocusLost is part of fyne.Focusable.
func (i *railItem) FocusLost() { i.focused = false; i.Refresh() }

// TypedRune is part of fyne.Focusable.
func (i *railItem) TypedRune(rune) {}

// TypedKey is part of fyne.Focusable.
func (i *railItem) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		i.pick()
	}
}

// ground is a flat colour of the theme behind a part of the window.
type ground struct {
	fw.BaseWidget
	fill fyne.ThemeColorName
	rect *canvas.Rectangle
}

func newGround(fill fyne.ThemeColorName) *ground {
	g := &ground{fill: fill, rect: canvas.NewRectangle(nil)}
	g.ExtendBaseWidget(g)
	return g
}

// CreateRenderer is part of fyne.Widget.
func (g *ground) CreateRenderer() fyne.WidgetRenderer {
	g.rect.FillColor = theme.Color(g.fill)
	return fw.NewSimpleRenderer(g.rect)
}

// Refresh is part of fyne.CanvasObject.
func (g *ground) Refresh() {
	g.rect.FillColor = theme.Color(g.fill)
	g.BaseWidget.Refresh()
}

//go:build !headless

package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
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
		item.mark(i == j)
	}
}

// railItem is one line of the navigation.
type railItem struct {
	widget.Item
	icon   *fw.Icon
	source fyne.Resource
	name   *fw.Label
}

func newRailItem(icon fyne.Resource, name string, pick func()) *railItem {
	i := &railItem{icon: fw.NewIcon(icon), source: icon, name: fw.NewLabel(name)}
	i.OnPress = pick
	i.Body = container.New(layout.NewCustomPaddedLayout(1, 1, 10, 10), container.NewBorder(nil, nil, i.icon, nil, i.name))
	i.ExtendBaseWidget(i)
	return i
}

// mark chooses it, or another.
func (i *railItem) mark(chosen bool) {
	if i.Chosen() == chosen {
		return
	}
	i.name.TextStyle.Bold = chosen
	i.name.Importance = fw.MediumImportance
	i.icon.SetResource(i.source)
	if chosen {
		i.name.Importance = fw.HighImportance
		i.icon.SetResource(theme.NewPrimaryThemedResource(i.source))
	}
	i.name.Refresh()
	i.Choose(chosen)
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

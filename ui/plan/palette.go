package plan

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// What a House is told to place: "kit:" and the role, or "room".
const (
	dropKit  = "kit:"
	dropRoom = "room"
)

// palette is what can be put into the house: click it and click where, or drag it.
type palette struct {
	box   *fyne.Container
	chips []*chip
}

// newPalette offers rooms, kits, and the templates of more. begin is told what
// was taken, templates below what to offer them; hint what to say about what the
// pointer is on, "" for nothing.
func newPalette(begin func(what, title string, icon fyne.Resource), templates func(below fyne.CanvasObject), hint func(string)) *palette {
	p := &palette{}
	add := func(title, text string, icon fyne.Resource, take func()) *chip {
		c := newChip(title, icon, take, func(on bool) {
			if on {
				hint(text)
			} else {
				hint("")
			}
		})
		p.chips = append(p.chips, c)
		return c
	}
	add(lang.L("Room"), lang.L("Room: click, then click where it goes, or drag it there"), roomIcon, func() { begin(dropRoom, lang.L("Room"), roomIcon) })
	for _, r := range core.KitRoles {
		add(widget.RoleTitle(r), widget.RoleText(r), widget.RoleIcon(r), func() { begin(dropKit+string(r), widget.RoleTitle(r), widget.RoleIcon(r)) })
	}
	var more *chip
	more = add(lang.L("Template"), lang.L("Template: rooms, kits and rules that are ready to use"), theme.GridIcon(), func() { templates(more) })
	objects := make([]fyne.CanvasObject, len(p.chips))
	for i, c := range p.chips {
		objects[i] = c
	}
	p.box = container.New(layout.NewCustomPaddedHBoxLayout(4), objects...)
	return p
}

func (p *palette) content() fyne.CanvasObject {
	return container.NewHScroll(container.New(layout.NewCustomPaddedLayout(1, 5, 1, 1), p.box))
}

// chip is one thing of the palette.
type chip struct {
	widget.Press
	icon     *fw.Icon
	text     *canvas.Text
	ground   *canvas.Rectangle
	dragging bool
}

var _ fyne.Draggable = (*chip)(nil)

func newChip(title string, icon fyne.Resource, begin func(), over func(bool)) *chip {
	c := &chip{icon: fw.NewIcon(icon), text: canvas.NewText(title, color.Black), ground: canvas.NewRectangle(nil)}
	c.OnPress, c.OnLight = begin, over
	c.text.Alignment = fyne.TextAlignCenter
	c.ExtendBaseWidget(c)
	return c
}

// CreateRenderer is part of fyne.Widget.
func (c *chip) CreateRenderer() fyne.WidgetRenderer {
	c.paint()
	return fw.NewSimpleRenderer(container.NewStack(c.ground, container.New(layout.NewCustomPaddedLayout(5, 5, 7, 7),
		container.New(layout.NewCustomPaddedVBoxLayout(2), container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(22), c.icon)), c.text))))
}

// Refresh is part of fyne.CanvasObject.
func (c *chip) Refresh() {
	c.paint()
	c.BaseWidget.Refresh()
}

func (c *chip) paint() {
	c.text.TextSize = theme.Size(theme.SizeNameCaptionText)
	c.text.Color = theme.Color(theme.ColorNameForeground)
	c.ground.CornerRadius = theme.Size(theme.SizeNameCardRadius)
	c.ground.FillColor = theme.Color(theme.ColorNameOverlayBackground)
	c.ground.StrokeColor, c.ground.StrokeWidth = theme.Color(theme.ColorNameSeparator), 1
	if c.Hovered() || c.Focused() {
		c.ground.StrokeColor, c.ground.StrokeWidth = theme.Color(theme.ColorNamePrimary), 2
	}
}

// Dragged takes it when it begins to be dragged.
func (c *chip) Dragged(*fyne.DragEvent) {
	if !c.dragging {
		c.dragging = true
		c.OnPress()
	}
}

// DragEnd is part of fyne.Draggable.
func (c *chip) DragEnd() { c.dragging = false }

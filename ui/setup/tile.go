package setup

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/ui/widget"
)

// tile is one of several things to choose from: a picture, a title, a line about
// it, and a word at the right.
type tile struct {
	widget.Press
	icon   *fw.Icon
	source fyne.Resource
	title  *fw.Label
	text   *fw.Label
	mark   *fw.Label
	right  *fyne.Container
	back   *canvas.Rectangle
	body   fyne.CanvasObject
	chosen bool
}

// newTile returns a tile; text may be "", and right is what stands at its right.
func newTile(icon fyne.Resource, title, text string, pick func(), right ...fyne.CanvasObject) *tile {
	t := &tile{source: icon, icon: fw.NewIcon(icon), title: widget.Cell(title), text: widget.Muted(text), mark: fw.NewLabel(""), back: canvas.NewRectangle(nil)}
	t.OnPress = pick
	t.title.TextStyle.Bold = true
	t.text.SizeName, t.mark.SizeName = theme.SizeNameCaptionText, theme.SizeNameCaptionText
	t.mark.TextStyle.Bold = true
	t.mark.Hide()
	t.text.Hidden = text == ""
	t.right = container.NewHBox(append([]fyne.CanvasObject{t.mark}, right...)...)
	words := container.New(layout.NewCustomPaddedVBoxLayout(-12), t.title, t.text)
	t.body = container.NewBorder(nil, nil,
		container.NewCenter(container.New(layout.NewCustomPaddedLayout(0, 0, 4, 4), container.NewGridWrap(fyne.NewSquareSize(28), t.icon))),
		container.NewCenter(t.right), container.NewVBox(layout.NewSpacer(), words, layout.NewSpacer()))
	t.ExtendBaseWidget(t)
	return t
}

// newPictureTile is a tile with its picture over its title.
func newPictureTile(icon fyne.Resource, title string, pick func()) *tile {
	t := newTile(icon, title, "", pick)
	t.title.Alignment = fyne.TextAlignCenter
	t.body = container.New(layout.NewCustomPaddedVBoxLayout(0),
		container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(34), t.icon)), t.title)
	return t
}

// choose marks it as the chosen one.
func (t *tile) choose(chosen bool) {
	if t.chosen != chosen {
		t.chosen = chosen
		t.Refresh()
	}
}

// note writes the word at the right, in the colour of its importance.
func (t *tile) note(text string, importance fw.Importance) {
	if t.mark.Text != text || t.mark.Importance != importance {
		t.mark.Importance, t.mark.Hidden = importance, text == ""
		t.mark.SetText(text)
	}
}

// CreateRenderer is part of fyne.Widget.
func (t *tile) CreateRenderer() fyne.WidgetRenderer {
	t.paint()
	return fw.NewSimpleRenderer(container.NewStack(t.back, container.New(layout.NewCustomPaddedLayout(6, 6, 8, 8), t.body)))
}

// Refresh is part of fyne.CanvasObject.
func (t *tile) Refresh() {
	t.paint()
	t.BaseWidget.Refresh()
}

func (t *tile) paint() {
	t.back.CornerRadius = theme.Size(theme.SizeNameButtonRadius) + 2
	t.back.FillColor, t.back.StrokeColor, t.back.StrokeWidth = theme.Color(theme.ColorNameInputBackground), theme.Color(theme.ColorNameSeparator), 1
	icon := fyne.Resource(t.source)
	switch {
	case t.Disabled():
		t.back.FillColor = color.Transparent
		icon = theme.NewDisabledResource(t.source)
	case t.chosen:
		t.back.FillColor, t.back.StrokeColor, t.back.StrokeWidth = theme.Color(theme.ColorNameSelection), theme.Color(theme.ColorNamePrimary), 2
		icon = theme.NewPrimaryThemedResource(t.source)
	case t.Hovered():
		t.back.FillColor = theme.Color(theme.ColorNameHover)
	}
	if t.Focused() {
		t.back.StrokeColor, t.back.StrokeWidth = theme.Color(theme.ColorNamePrimary), 3
	}
	if t.icon.Resource == nil || t.icon.Resource.Name() != icon.Name() {
		t.icon.SetResource(icon)
	}
	importance := fw.MediumImportance
	if t.Disabled() {
		importance = fw.LowImportance
	}
	if t.title.Importance != importance {
		t.title.Importance = importance
		t.title.Refresh()
	}
}

// TypedKey is part of fyne.Focusable. Enter on what is chosen already is the window's.
func (t *tile) TypedKey(k *fyne.KeyEvent) {
	if t.chosen && (k.Name == fyne.KeyReturn || k.Name == fyne.KeyEnter) {
		widget.PassKey(t, k)
		return
	}
	t.Press.TypedKey(k)
}

// bars are the four bars of a signal.
type bars struct {
	fw.BaseWidget
	signal int // dBm
	rects  [4]*canvas.Rectangle
}

func newBars(signal int) *bars {
	b := &bars{signal: signal}
	for i := range b.rects {
		b.rects[i] = canvas.NewRectangle(nil)
		b.rects[i].CornerRadius = 1.5
	}
	b.ExtendBaseWidget(b)
	return b
}

// strength is how many of four bars a signal is worth.
func strength(dBm int) int {
	switch {
	case dBm == 0:
		return 0
	case dBm >= -55:
		return 4
	case dBm >= -67:
		return 3
	case dBm >= -75:
		return 2
	}
	return 1
}

// CreateRenderer is part of fyne.Widget.
func (b *bars) CreateRenderer() fyne.WidgetRenderer {
	b.paint()
	objects := make([]fyne.CanvasObject, len(b.rects))
	for i, r := range b.rects {
		objects[i] = r
	}
	return fw.NewSimpleRenderer(container.New(barsLayout{}, objects...))
}

// Refresh is part of fyne.CanvasObject.
func (b *bars) Refresh() {
	b.paint()
	b.BaseWidget.Refresh()
}

func (b *bars) paint() {
	n := strength(b.signal)
	for i, r := range b.rects {
		r.FillColor = theme.Color(theme.ColorNameSeparator)
		if i < n {
			r.FillColor = theme.Color(theme.ColorNameForeground)
		}
	}
}

type barsLayout struct{}

func (barsLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(26, 20) }

func (barsLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for i, o := range objects {
		h := 5 + 5*float32(i)
		o.Resize(fyne.NewSize(5, h))
		o.Move(fyne.NewPos(float32(i)*7, (size.Height+20)/2-h))
	}
}

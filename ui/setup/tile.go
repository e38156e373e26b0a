package setup

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/ui/widget"
)

// tile is one of several things to choose from: a picture, a title, a line about
// it, and a word at the right.
type tile struct {
	fw.BaseWidget
	pick     func()
	icon     *fw.Icon
	source   fyne.Resource
	title    *fw.Label
	text     *fw.Label
	mark     *fw.Label
	right    *fyne.Container
	back     *canvas.Rectangle
	body     fyne.CanvasObject
	chosen   bool
	disabled bool
	hovered  bool
	focused  bool
}

var (
	_ fyne.Tappable     = (*tile)(nil)
	_ fyne.Focusable    = (*tile)(nil)
	_ desktop.Hoverable = (*tile)(nil)
)

// newTile returns a tile; text may be "", and right is what stands at its right.
func newTile(icon fyne.Resource, title, text string, pick func(), right ...fyne.CanvasObject) *tile {
	t := &tile{pick: pick, source: icon, icon: fw.NewIcon(icon), title: widget.Cell(title), text: widget.Muted(text), mark: fw.NewLabel(""), back: canvas.NewRectangle(nil)}
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

// disable makes it one that cannot be chosen.
func (t *tile) disable(disabled bool) {
	if t.disabled != disabled {
		t.disabled = disabled
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
	case t.disabled:
		t.back.FillColor = color.Transparent
		icon = theme.NewDisabledResource(t.source)
	case t.chosen:
		t.back.FillColor, t.back.StrokeColor, t.back.StrokeWidth = theme.Color(theme.ColorNameSelection), theme.Color(theme.ColorNamePrimary), 2
		icon = theme.NewPrimaryThemedResource(t.source)
	case t.hovered:
		t.back.FillColor = theme.Color(theme.ColorNameHover)
	}
	if t.focused {
		t.back.StrokeColor, t.back.StrokeWidth = theme.Color(theme.ColorNamePrimary), 3
	}
	if t.icon.Resource == nil || t.icon.Resource.Name() != icon.Name() {
		t.icon.SetResource(icon)
	}
	importance := fw.MediumImportance
	if t.disabled {
		importance = fw.LowImportance
	}
	if t.title.Importance != importance {
		t.title.Importance = importance
		t.title.Refresh()
	}
}

// Tapped is part of fyne.Tappable.
func (t *tile) Tapped(*fyne.PointEvent) {
	if !t.disabled && t.pick != nil {
		t.pick()
	}
}

// MouseIn is part of desktop.Hoverable.
func (t *tile) MouseIn(*desktop.MouseEvent) { t.hovered = true; t.Refresh() }

// MouseMoved is part of desktop.Hoverable.
func (t *tile) MouseMoved(*desktop.MouseEvent) {}

// MouseOut is part of desktop.Hoverable.
func (t *tile) MouseOut() { t.hovered = false; t.Refresh() }

// Cursor is part of desktop.Cursorable.
func (t *tile) Cursor() desktop.Cursor {
	if t.disabled {
		return desktop.DefaultCursor
	}
	return desktop.PointerCursor
}

// FocusGained is part of fyne.Focusable.
func (t *tile) FocusGained() { t.focused = true; t.Refresh() }

// FocusLost is part of fyne.Focusable.
func (t *tile) FocusLost() { t.focused = false; t.Refresh() }

// TypedRune is part of fyne.Focusable.
func (t *tile) TypedRune(rune) {}

// TypedKey is part of fyne.Focusable. Enter on what is chosen already is the
// window's, as is what the tile has no use for.
func (t *tile) TypedKey(k *fyne.KeyEvent) {
	enter := k.Name == fyne.KeyReturn || k.Name == fyne.KeyEnter
	if k.Name == fyne.KeySpace || enter && !t.chosen {
		t.Tapped(nil)
		return
	}
	if c := fyne.CurrentApp().Driver().CanvasForObject(t); c != nil && c.OnTypedKey() != nil {
		c.OnTypedKey()(k)
	}
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

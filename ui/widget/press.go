package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"
)

// Press is what a widget embeds in place of fw.BaseWidget to be pressed: with the
// mouse, and with Enter or Space while it has the keyboard. A key that it has no
// use for is the window's. What embeds it is refreshed when Hovered, Focused or
// Disabled is another than before, and shows them.
type Press struct {
	fw.BaseWidget
	OnPress func()         // may be nil
	OnLight func(lit bool) // is told when the mouse or the keyboard comes or goes; may be nil

	self                       fyne.Widget // the outermost, which the window knows
	hovered, focused, disabled bool
}

var (
	_ fyne.Tappable      = (*Press)(nil)
	_ fyne.Focusable     = (*Press)(nil)
	_ desktop.Hoverable  = (*Press)(nil)
	_ desktop.Cursorable = (*Press)(nil)
)

// ExtendBaseWidget is part of Fyne's way to embed widgets.
func (p *Press) ExtendBaseWidget(self fyne.Widget) {
	p.self = self
	p.BaseWidget.ExtendBaseWidget(self)
}

// Hovered reports whether the mouse is on it and it can be pressed.
func (p *Press) Hovered() bool { return p.hovered && !p.disabled }

// Focused reports whether it has the keyboard.
func (p *Press) Focused() bool { return p.focused }

// Disabled reports whether it cannot be pressed.
func (p *Press) Disabled() bool { return p.disabled }

// SetDisabled makes it one that cannot be pressed. It still takes the keyboard
// in its turn, so that the turn of the others stays.
func (p *Press) SetDisabled(disabled bool) {
	if p.disabled != disabled {
		p.disabled = disabled
		p.self.Refresh()
	}
}

func (p *Press) light(what *bool, on bool) {
	if *what == on {
		return
	}
	*what = on
	if p.OnLight != nil {
		p.OnLight(p.hovered || p.focused)
	}
	p.self.Refresh()
}

// Tapped is part of fyne.Tappable.
func (p *Press) Tapped(*fyne.PointEvent) {
	if p.OnPress != nil && !p.disabled {
		p.OnPress()
	}
}

// MouseIn is part of desktop.Hoverable.
func (p *Press) MouseIn(*desktop.MouseEvent) { p.light(&p.hovered, true) }

// MouseMoved is part of desktop.Hoverable.
func (p *Press) MouseMoved(*desktop.MouseEvent) {}

// MouseOut is part of desktop.Hoverable.
func (p *Press) MouseOut() { p.light(&p.hovered, false) }

// Cursor is part of desktop.Cursorable.
func (p *Press) Cursor() desktop.Cursor {
	if p.disabled {
		return desktop.DefaultCursor
	}
	return desktop.PointerCursor
}

// FocusGained is part of fyne.Focusable.
func (p *Press) FocusGained() { p.light(&p.focused, true) }

// FocusLost is part of fyne.Focusable.
func (p *Press) FocusLost() { p.light(&p.focused, false) }

// TypedRune is part of fyne.Focusable.
func (p *Press) TypedRune(rune) {}

// TypedKey is part of fyne.Focusable.
func (p *Press) TypedKey(k *fyne.KeyEvent) {
	switch k.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		p.Tapped(nil)
	default:
		PassKey(p.self, k)
	}
}

// PassKey gives the window a key that o got and has no use for.
func PassKey(o fyne.CanvasObject, k *fyne.KeyEvent) {
	if c := fyne.CurrentApp().Driver().CanvasForObject(o); c != nil && c.OnTypedKey() != nil {
		c.OnTypedKey()(k)
	}
}

// Item is a row of a list of places to go to, such as pages or steps. It is lit
// under the mouse, ringed while it has the keyboard, and filled where it is chosen.
// Embed it, or set Body and call ExtendBaseWidget.
type Item struct {
	Press
	Body   fyne.CanvasObject
	ground canvas.Rectangle
	chosen bool
}

// Choose says whether it is where we are.
func (i *Item) Choose(chosen bool) {
	if i.chosen != chosen {
		i.chosen = chosen
		i.self.Refresh()
	}
}

// Chosen reports whether it is where we are.
func (i *Item) Chosen() bool { return i.chosen }

// CreateRenderer is part of fyne.Widget.
func (i *Item) CreateRenderer() fyne.WidgetRenderer {
	i.paint()
	return fw.NewSimpleRenderer(container.NewStack(&i.ground, i.Body))
}

// Refresh is part of fyne.CanvasObject.
func (i *Item) Refresh() {
	i.paint()
	i.BaseWidget.Refresh()
}

func (i *Item) paint() {
	i.ground.CornerRadius, i.ground.StrokeWidth, i.ground.FillColor = theme.Size(theme.SizeNameButtonRadius), 0, nil
	switch {
	case i.chosen:
		i.ground.FillColor = theme.Color(theme.ColorNameSelection)
	case i.Hovered():
		i.ground.FillColor = theme.Color(theme.ColorNameHover)
	}
	if i.focused {
		i.ground.StrokeWidth, i.ground.StrokeColor = 2, theme.Color(theme.ColorNameFocus)
	}
}

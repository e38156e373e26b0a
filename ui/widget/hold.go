package widget

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"
)

// Hold is a button that knows how long it is held down, with the mouse or with
// the space bar. It looks like the push button of a board, or like one of a form.
type Hold struct {
	fw.BaseWidget
	OnHold func(down bool)
	text   string // "" is the push button of a board
	lit    bool
	down   bool
	focus  bool

	ring, ground, cap *canvas.Rectangle
	label             *canvas.Text
}

// NewHold returns a button with that text; "" looks like a push button of a board.
func NewHold(text string, hold func(down bool)) *Hold {
	h := &Hold{OnHold: hold, text: text, ring: canvas.NewRectangle(color.Transparent), ground: canvas.NewRectangle(nil), cap: canvas.NewRectangle(nil), label: canvas.NewText(text, nil)}
	h.label.Alignment = fyne.TextAlignCenter
	h.ExtendBaseWidget(h)
	return h
}

// Light shows that what the button switches is on.
func (h *Hold) Light(on bool) {
	if h.lit != on {
		h.lit = on
		h.Refresh()
	}
}

// Down reports whether it is held.
func (h *Hold) Down() bool { return h.down }

func (h *Hold) hold(down bool) {
	if h.down == down {
		return
	}
	h.down = down
	h.Refresh()
	if h.OnHold != nil {
		h.OnHold(down)
	}
}

// MouseDown is part of desktop.Mouseable.
func (h *Hold) MouseDown(e *desktop.MouseEvent) {
	if e.Button != desktop.MouseButtonPrimary {
		return
	}
	if c := fyne.CurrentApp().Driver().CanvasForObject(h); c != nil {
		c.Focus(h)
	}
	h.hold(true)
}

// MouseUp is part of desktop.Mouseable.
func (h *Hold) MouseUp(*desktop.MouseEvent) { h.hold(false) }

// Dragged is part of fyne.Draggable: so the button is let go although the mouse
// has left it.
func (h *Hold) Dragged(*fyne.DragEvent) {}

// DragEnd is part of fyne.Draggable.
func (h *Hold) DragEnd() { h.hold(false) }

// MouseIn is part of desktop.Hoverable.
func (h *Hold) MouseIn(*desktop.MouseEvent) {}

// MouseMoved is part of desktop.Hoverable.
func (h *Hold) MouseMoved(*desktop.MouseEvent) {}

// MouseOut is part of desktop.Hoverable.
func (h *Hold) MouseOut() { h.hold(false) }

// KeyDown is part of desktop.Keyable.
func (h *Hold) KeyDown(k *fyne.KeyEvent) {
	if k.Name == fyne.KeySpace {
		h.hold(true)
	}
}

// KeyUp is part of desktop.Keyable.
func (h *Hold) KeyUp(k *fyne.KeyEvent) {
	if k.Name == fyne.KeySpace {
		h.hold(false)
	}
}

// FocusGained is part of fyne.Focusable.
func (h *Hold) FocusGained() {
	h.focus = true
	h.Refresh()
}

// FocusLost is part of fyne.Focusable.
func (h *Hold) FocusLost() {
	h.focus = false
	h.hold(false)
	h.Refresh()
}

// TypedKey is part of fyne.Focusable. What it has no use for is the window's.
func (h *Hold) TypedKey(k *fyne.KeyEvent) {
	if k.Name != fyne.KeySpace {
		PassKey(h, k)
	}
}

// TypedRune is part of fyne.Focusable.
func (h *Hold) TypedRune(rune) {}

// Cursor is part of desktop.Cursorable.
func (h *Hold) Cursor() desktop.Cursor { return desktop.PointerCursor }

// CreateRenderer is part of fyne.Widget.
func (h *Hold) CreateRenderer() fyne.WidgetRenderer {
	r := &holdRenderer{h}
	r.Refresh()
	return r
}

type holdRenderer struct{ h *Hold }

func (r *holdRenderer) Destroy() {}

func (r *holdRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.h.ring, r.h.ground, r.h.cap, r.h.label}
}

func (r *holdRenderer) MinSize() fyne.Size {
	if r.h.text == "" {
		return fyne.NewSquareSize(20)
	}
	m := fyne.MeasureText(r.h.text, theme.TextSize(), fyne.TextStyle{})
	return m.AddWidthHeight(4*theme.InnerPadding(), 2*theme.InnerPadding())
}

func (r *holdRenderer) Layout(size fyne.Size) {
	h := r.h
	h.ring.Resize(size)
	h.ground.Move(fyne.NewPos(3, 3))
	h.ground.Resize(size.SubtractWidthHeight(6, 6))
	side := min(size.Width, size.Height) * 0.56
	if h.down {
		side *= 0.86
	}
	h.cap.CornerRadius = side / 2
	h.cap.Move(fyne.NewPos((size.Width-side)/2, (size.Height-side)/2))
	h.cap.Resize(fyne.NewSquareSize(side))
	t := h.label.MinSize()
	h.label.Move(fyne.NewPos(0, (size.Height-t.Height)/2))
	h.label.Resize(fyne.NewSize(size.Width, t.Height))
}

func (r *holdRenderer) Refresh() {
	h := r.h
	h.ring.FillColor = color.Transparent
	if h.focus {
		h.ring.FillColor = theme.Color(theme.ColorNameFocus)
	}
	h.label.TextSize = theme.TextSize()
	if h.text == "" {
		h.ring.CornerRadius, h.ground.CornerRadius = 8, 6
		h.ground.FillColor, h.ground.StrokeColor, h.ground.StrokeWidth = BoardMetal, BoardShade, 1
		h.cap.FillColor, h.cap.StrokeColor, h.cap.StrokeWidth = BoardInk, BoardShade, 1
		switch {
		case h.down:
			h.cap.FillColor, h.cap.StrokeWidth = color.NRGBA{0x4a, 0x53, 0x63, 255}, 2
		case h.lit:
			h.cap.FillColor = color.NRGBA{0xd9, 0x3a, 0x3a, 255}
		}
	} else {
		h.ring.CornerRadius, h.ground.CornerRadius = theme.Size(theme.SizeNameButtonRadius)+2, theme.Size(theme.SizeNameButtonRadius)
		h.cap.Hide()
		h.ground.FillColor, h.label.Color = theme.Color(theme.ColorNameButton), theme.Color(theme.ColorNameForeground)
		if h.down || h.lit {
			h.ground.FillColor, h.label.Color = theme.Color(theme.ColorNamePrimary), theme.Color(theme.ColorNameForegroundOnPrimary)
		}
	}
	r.Layout(h.Size())
	for _, o := range r.Objects() {
		o.Refresh()
	}
}

package record

import (
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"
)

// strip shows how much came when, and the place one looks at. A press or drag
// asks for another.
type strip struct {
	fw.BaseWidget
	film    *film // nil is none
	at      time.Duration
	onSeek  func(time.Duration)
	focused bool
}

var (
	_ fyne.Draggable     = (*strip)(nil)
	_ desktop.Mouseable  = (*strip)(nil)
	_ fyne.Focusable     = (*strip)(nil)
	_ desktop.Cursorable = (*strip)(nil)
)

func newStrip(onSeek func(time.Duration)) *strip {
	s := &strip{onSeek: onSeek}
	s.ExtendBaseWidget(s)
	return s
}

func (s *strip) set(f *film, at time.Duration) {
	if s.film != f || s.at != at {
		s.film, s.at = f, at
		s.Refresh()
	}
}

func (s *strip) seek(x float32) {
	if s.film != nil && s.Size().Width > 0 {
		share := min(max(0, x/s.Size().Width), 1)
		s.onSeek(time.Duration(float64(share) * float64(s.film.length)))
	}
}

func (s *strip) MouseDown(e *desktop.MouseEvent) {
	if c := fyne.CurrentApp().Driver().CanvasForObject(s); c != nil {
		c.Focus(s)
	}
	s.seek(e.Position.X)
}
func (s *strip) MouseUp(*desktop.MouseEvent) {}
func (s *strip) Dragged(e *fyne.DragEvent)   { s.seek(e.Position.X) }
func (s *strip) DragEnd()                    {}
func (s *strip) Cursor() desktop.Cursor      { return desktop.HResizeCursor }
func (s *strip) TypedRune(rune)              {}
func (s *strip) FocusGained()                { s.focused = true; s.Refresh() }
func (s *strip) FocusLost()                  { s.focused = false; s.Refresh() }

// TypedKey moves from message to message.
func (s *strip) TypedKey(e *fyne.KeyEvent) {
	if s.film == nil {
		return
	}
	switch e.Name {
	case fyne.KeyLeft:
		s.onSeek(s.film.next(s.at, -1))
	case fyne.KeyRight:
		s.onSeek(s.film.next(s.at, +1))
	case fyne.KeyHome:
		s.onSeek(0)
	case fyne.KeyEnd:
		s.onSeek(s.film.length)
	}
}

// CreateRenderer is part of fyne.Widget.
func (s *strip) CreateRenderer() fyne.WidgetRenderer {
	r := &stripRenderer{s: s, ground: canvas.NewRectangle(nil), past: canvas.NewRectangle(nil), cursor: canvas.NewRectangle(nil), knob: canvas.NewCircle(nil)}
	for i := range r.bars {
		r.bars[i] = canvas.NewRectangle(nil)
		r.all = append(r.all, r.bars[i])
	}
	r.all = append(append([]fyne.CanvasObject{r.ground, r.past}, r.all...), r.cursor, r.knob)
	r.Refresh()
	return r
}

type stripRenderer struct {
	s            *strip
	ground, past *canvas.Rectangle
	bars         [bars]*canvas.Rectangle
	cursor       *canvas.Rectangle
	knob         *canvas.Circle
	all          []fyne.CanvasObject
}

func (r *stripRenderer) Destroy()                     {}
func (r *stripRenderer) MinSize() fyne.Size           { return fyne.NewSize(200, 72) }
func (r *stripRenderer) Objects() []fyne.CanvasObject { return r.all }
func (r *stripRenderer) Layout(fyne.Size)             { r.place() }

func (r *stripRenderer) Refresh() {
	r.ground.FillColor = theme.Color(theme.ColorNameInputBackground)
	r.ground.CornerRadius = theme.InputRadiusSize()
	r.ground.StrokeWidth, r.ground.StrokeColor = 0, color.Transparent
	if r.s.focused {
		r.ground.StrokeWidth, r.ground.StrokeColor = 2, theme.Color(theme.ColorNamePrimary)
	}
	r.past.FillColor = theme.Color(theme.ColorNameHover)
	r.past.CornerRadius = theme.InputRadiusSize()
	r.cursor.FillColor = theme.Color(theme.ColorNamePrimary)
	r.knob.FillColor = theme.Color(theme.ColorNamePrimary)
	r.place()
	canvas.Refresh(r.s)
}

func (r *stripRenderer) place() {
	size, f := r.s.Size(), r.s.film
	r.ground.Resize(size)
	there := f != nil
	r.cursor.Hidden, r.knob.Hidden, r.past.Hidden = !there, !there, !there
	for _, b := range r.bars {
		b.Hidden = true
	}
	if !there {
		return
	}
	x := size.Width * float32(float64(r.s.at)/float64(f.length))
	r.past.Resize(fyne.NewSize(x, size.Height))
	w := size.Width / bars
	for i, n := range f.count {
		if n == 0 {
			continue
		}
		b := r.bars[i]
		b.Hidden = false
		b.FillColor = theme.Color(theme.ColorNamePlaceHolder)
		if float32(i)*w <= x {
			b.FillColor = theme.Color(theme.ColorNamePrimary)
		}
		h := max(4, (size.Height-20)*float32(n)/float32(f.most))
		b.Move(fyne.NewPos(float32(i)*w, size.Height-4-h))
		b.Resize(fyne.NewSize(max(1.5, w-1), h))
	}
	r.cursor.Move(fyne.NewPos(x-1, 4))
	r.cursor.Resize(fyne.NewSize(2, size.Height-8))
	r.knob.Move(fyne.NewPos(x-6, 2))
	r.knob.Resize(fyne.NewSquareSize(12))
}

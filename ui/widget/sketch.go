package widget

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
)

// Sketch is a picture that is drawn in units of its own and scaled to the width
// that it gets. It keeps its proportions.
type Sketch struct {
	fw.BaseWidget
	width, height float32 // in units
	least         float32 // the smallest width, in device-independent pixels
	most          float32 // the largest scale
	spots         []spot
	self          fyne.CanvasObject // the outermost, which the window knows
}

// spot is where a thing is, in units of the picture.
type spot struct {
	o          fyne.CanvasObject
	x, y, w, h float32
	size       float32 // of a text
}

// NewSketch returns an empty picture of that many units, at least `least` pixels
// wide and at most `most` pixels a unit.
func NewSketch(width, height, least, most float32) *Sketch {
	s := &Sketch{width: width, height: height, least: least, most: most}
	s.ExtendBaseWidget(s)
	return s
}

// ExtendBaseWidget is part of Fyne's way to embed widgets.
func (s *Sketch) ExtendBaseWidget(self fyne.Widget) {
	if s.self == nil {
		s.self = self
	}
	s.BaseWidget.ExtendBaseWidget(self)
}

// Clear takes everything away.
func (s *Sketch) Clear() { s.spots = nil }

// Put places something.
func (s *Sketch) Put(o fyne.CanvasObject, x, y, w, h float32) {
	s.spots = append(s.spots, spot{o: o, x: x, y: y, w: w, h: h})
}

// Box draws a rectangle with round corners.
func (s *Sketch) Box(x, y, w, h, radius float32, fill, edge color.Color) *canvas.Rectangle {
	r := canvas.NewRectangle(fill)
	r.CornerRadius, r.StrokeColor, r.StrokeWidth = radius, edge, 1
	s.Put(r, x, y, w, h)
	return r
}

// Circle draws a circle around a point.
func (s *Sketch) Circle(x, y, radius float32, fill, edge color.Color) *canvas.Circle {
	c := canvas.NewCircle(fill)
	c.StrokeColor, c.StrokeWidth = edge, 1
	s.Put(c, x-radius, y-radius, 2*radius, 2*radius)
	return c
}

// Text writes a line in the middle of a width.
func (s *Sketch) Text(text string, x, y, w, size float32, bold bool, ink color.Color) *canvas.Text {
	t := canvas.NewText(text, ink)
	t.Alignment, t.TextStyle.Bold = fyne.TextAlignCenter, bold
	s.spots = append(s.spots, spot{o: t, x: x, y: y, w: w, h: size * 1.4, size: size})
	return t
}

// Line draws a line; its width is not scaled.
func (s *Sketch) Line(x0, y0, x1, y1, width float32, ink color.Color) *canvas.Line {
	l := canvas.NewLine(ink)
	l.StrokeWidth = width
	s.Put(l, x0, y0, x1-x0, y1-y0)
	return l
}

// MinSize is part of fyne.CanvasObject. The height follows the width.
func (s *Sketch) MinSize() fyne.Size {
	return fyne.NewSize(s.least, s.height*min(max(s.Size().Width, s.least)/s.width, s.most))
}

// CreateRenderer is part of fyne.Widget.
func (s *Sketch) CreateRenderer() fyne.WidgetRenderer { return &sketchRenderer{s} }

type sketchRenderer struct{ s *Sketch }

func (r *sketchRenderer) Destroy()           {}
func (r *sketchRenderer) MinSize() fyne.Size { return r.s.MinSize() }
func (r *sketchRenderer) Refresh()           { r.Layout(r.s.Size()); canvas.Refresh(r.s.self) }

func (r *sketchRenderer) Objects() []fyne.CanvasObject {
	all := make([]fyne.CanvasObject, len(r.s.spots))
	for i, s := range r.s.spots {
		all[i] = s.o
	}
	return all
}

func (r *sketchRenderer) Layout(size fyne.Size) {
	k := min(size.Width/r.s.width, size.Height/r.s.height, r.s.most)
	dx := (size.Width - r.s.width*k) / 2
	for _, s := range r.s.spots {
		pos, to := fyne.NewPos(dx+s.x*k, s.y*k), fyne.NewSize(s.w*k, s.h*k)
		switch o := s.o.(type) {
		case *canvas.Line:
			o.Position1, o.Position2 = pos, fyne.NewPos(dx+(s.x+s.w)*k, (s.y+s.h)*k)
			o.Refresh()
			continue
		case *canvas.Text:
			o.TextSize = s.size * k
		}
		s.o.Move(pos)
		s.o.Resize(to)
	}
}

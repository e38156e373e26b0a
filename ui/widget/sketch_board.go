package widget

import (
	"image/color"
	"math"

	"fyne.io/fyne/v2/canvas"
)

// The colours of boards and of what is on them, which are the same in the light
// and in the dark.
var (
	BoardGround = color.NRGBA{0x12, 0x46, 0x3c, 255}
	BoardEdge   = color.NRGBA{0x2c, 0x6e, 0x60, 255}
	BoardMetal  = color.NRGBA{0xb9, 0xc0, 0xca, 255}
	BoardShade  = color.NRGBA{0x74, 0x7d, 0x8a, 255}
	BoardInk    = color.NRGBA{0x1b, 0x1f, 0x27, 255}
	BoardGold   = color.NRGBA{0xd9, 0xb2, 0x4c, 255}
	BoardSilk   = color.NRGBA{0xf2, 0xf6, 0xf4, 255}
	BoardClay   = color.NRGBA{0xe8, 0xc9, 0x8e, 255} // the body of a resistor
)

// Path draws lines from point to point; points are x, y, x, y and so on.
func (s *Sketch) Path(width float32, ink color.Color, points ...float32) {
	for i := 0; i+3 < len(points); i += 2 {
		s.Line(points[i], points[i+1], points[i+2], points[i+3], width, ink)
	}
}

// Meander draws parallel strokes across the shorter side of a box, each joined to
// the next: the first two at the end of w or h, which may be negative. The strokes
// are whole units apart.
func (s *Sketch) Meander(x, y, w, h float32, strokes int, ink color.Color) {
	points := make([]float32, 0, 4*strokes)
	flat := max(w, -w) > max(h, -h)
	for i := range strokes {
		share := float64(i) / float64(strokes-1)
		for end := range 2 {
			far := float32((end + i) % 2)
			if flat {
				points = append(points, x+float32(math.Round(float64(w)*share)), y+h*far)
			} else {
				points = append(points, x+w*far, y+float32(math.Round(float64(h)*share)))
			}
		}
	}
	s.Path(2, ink, points...)
}

// Hole draws a gilded hole for a pin.
func (s *Sketch) Hole(x, y, radius float32) {
	s.Circle(x, y, radius, BoardGold, color.Transparent)
	s.Circle(x, y, radius*0.45, BoardInk, color.Transparent)
}

// PhotoResistor draws one from above, and returns its face.
func (s *Sketch) PhotoResistor(x, y, radius float32) *canvas.Circle {
	face := s.Circle(x, y, radius, BoardClay, BoardShade)
	w, h := radius*18/16, radius*14/16
	s.Meander(x-w/2, y-h/2, w, h, 4, color.NRGBA{0xa5, 0x48, 0x2f, 255})
	return face
}

// Eye draws the lens of a presence sensor.
func (s *Sketch) Eye(x, y, radius float32) {
	s.Circle(x, y, radius, color.NRGBA{0xee, 0xf1, 0xf2, 255}, BoardShade)
	s.Circle(x, y, radius*11/17, color.Transparent, BoardMetal)
	s.Circle(x, y, radius*5/17, color.Transparent, BoardMetal)
}

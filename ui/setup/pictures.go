package setup

import (
	"image/color"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// The colours of things, which are the same in the light and in the dark.
var (
	mat     = color.NRGBA{0x1d, 0x27, 0x38, 255} // under all pictures
	ground  = widget.BoardGround
	edge    = widget.BoardEdge
	metal   = widget.BoardMetal
	shade   = widget.BoardShade
	ink     = color.NRGBA{0x10, 0x14, 0x1c, 255} // darker than the mat
	gold    = widget.BoardGold
	silk    = widget.BoardSilk
	faint   = color.NRGBA{0xf2, 0xf6, 0xf4, 120}
	mark    = color.NRGBA{0xff, 0xb0, 0x2e, 255} // where hands are needed
	plus    = color.NRGBA{0xff, 0x6b, 0x63, 255} // 3V3 and VIN
	minus   = color.NRGBA{0x9a, 0xa8, 0xbf, 255} // GND
	nothing = color.NRGBA{}
	signals = []color.NRGBA{{0xff, 0xd2, 0x3f, 255}, {0x5f, 0xb4, 0xff, 255}, {0x6d, 0xf2, 0xa8, 255}, {0xd9, 0x9b, 0xff, 255}}
)

// cablePicture shows a PC, a cable and a board.
func cablePicture() *widget.Sketch {
	s := widget.NewSketch(560, 170, 300, 1.5)
	s.Box(0, 0, 560, 170, 14, mat, mat)
	drawPC(s, 24, 26)
	// The cable with its two plugs.
	s.Box(196, 110, 30, 16, 3, metal, shade)
	s.Box(222, 106, 34, 24, 5, ink, shade)
	for _, w := range []struct {
		width float32
		c     color.Color
	}{{7, ink}, {4, shade}} {
		s.Path(w.width, w.c, 254, 118, 300, 118, 300, 84, 346, 84)
	}
	s.Box(344, 74, 30, 20, 4, ink, shade)
	s.Box(372, 77, 14, 14, 2, metal, shade)
	smallBoard(s, 384, 40)
	s.Text(lang.L("a cable that carries data"), 200, 136, 190, 12, false, faint)
	return s
}

// drawPC draws a laptop.
func drawPC(s *widget.Sketch, x, y float32) {
	s.Box(x+20, y, 132, 88, 8, ink, shade)
	s.Box(x+28, y+8, 116, 72, 3, color.NRGBA{0x34, 0x51, 0xd1, 255}, nothing)
	s.Box(x+42, y+22, 88, 8, 4, color.NRGBA{255, 255, 255, 210}, nothing)
	s.Box(x+42, y+38, 60, 8, 4, color.NRGBA{255, 255, 255, 120}, nothing)
	s.Box(x+42, y+54, 74, 8, 4, color.NRGBA{255, 255, 255, 120}, nothing)
	s.Box(x, y+90, 172, 14, 6, metal, shade)
	s.Box(x+68, y+90, 36, 5, 2, shade, nothing)
}

// smallBoard draws a board that lies on its side, with its USB socket at the left.
func smallBoard(s *widget.Sketch, x, y float32) {
	s.Box(x, y, 150, 88, 8, ground, edge)
	for i := range 12 {
		at := x + 14 + float32(i)*11
		s.Circle(at, y+8, 3, gold, nothing)
		s.Circle(at, y+80, 3, gold, nothing)
	}
	s.Box(x-3, y+35, 20, 20, 3, metal, shade)
	s.Box(x+26, y+20, 7, 7, 2, metal, shade)
	s.Box(x+26, y+62, 7, 7, 2, metal, shade)
	s.Box(x+58, y+18, 84, 52, 4, ink, shade)
	s.Box(x+62, y+23, 52, 42, 3, metal, shade)
	s.Text("ESP8266", x+62, y+36, 52, 10, true, ink)
	s.Meander(x+120, y+24, 15, 27, 4, gold)
}

// handsPicture shows the end of a board with its two buttons, and which of them
// to hold and which to press.
func handsPicture() *widget.Sketch {
	s := widget.NewSketch(560, 230, 300, 1.5)
	s.Box(0, 0, 560, 230, 14, mat, mat)
	s.Box(150, 0, 260, 184, 0, ground, edge) // the rest of it is above the edge
	for i := range 9 {
		y := float32(20 + i*17)
		s.Hole(164, y, 5)
		s.Hole(396, y, 5)
	}
	s.Box(222, 12, 116, 62, 4, metal, shade)
	s.Text("ESP8266", 222, 30, 116, 18, true, ink)
	// The USB socket with the cable.
	s.Box(254, 150, 52, 42, 4, metal, shade)
	s.Box(250, 188, 60, 46, 6, ink, shade)
	push := func(x float32, name, number, what string) {
		s.Circle(x, 132, 33, color.NRGBA{mark.R, mark.G, mark.B, 70}, mark).StrokeWidth = 3
		s.Box(x-19, 113, 38, 38, 5, metal, shade)
		s.Circle(x, 132, 13, ink, shade)
		s.Text(name, x-40, 80, 80, 14, true, silk)
		side, at := float32(-1), float32(18)
		if x > 280 {
			side, at = 1, 430
		}
		s.Line(x+side*34, 132, x+side*96, 132, 3, mark)
		s.Circle(x+side*112, 132, 17, mark, mark)
		s.Text(number, x+side*112-17, 119, 34, 19, true, ink)
		s.Text(what, at, 156, 112, 17, true, mark)
	}
	push(358, "FLASH", "1", lang.L("hold"))
	push(202, "RST", "2", lang.L("press"))
	return s
}

// The pins of a NodeMCU whose USB socket is below, from above.
var (
	leftPins  = []string{"A0", "RSV", "RSV", "SD3", "SD2", "SD1", "CMD", "SD0", "CLK", "GND", "3V3", "EN", "RST", "GND", "VIN"}
	rightPins = []string{"D0", "D1", "D2", "D3", "D4", "3V3", "GND", "D5", "D6", "D7", "D8", "RX", "TX", "GND", "3V3"}
)

// Where things are in the wiring picture.
const (
	wireWidth  = 640
	wireHeight = 330
	wireLeft   = 208 // of the board
	wireRight  = 368
	wireTop    = 46 // of the first pin
	wireStep   = 17
)

// wiringPicture returns a picture of nothing; drawWiring draws it.
func wiringPicture() *widget.Sketch { return widget.NewSketch(wireWidth, wireHeight, 300, 1.6) }

// drawWiring draws a board and what is to be joined to its pins.
func drawWiring(s *widget.Sketch, pins []core.KitPin) {
	s.Clear()
	s.Box(0, 0, wireWidth, wireHeight, 14, mat, mat)
	s.Box(wireLeft, 12, wireRight-wireLeft, 306, 10, ground, edge)
	s.Box(wireLeft+50, 20, 60, 92, 4, ink, shade)
	s.Box(wireLeft+54, 46, 52, 62, 3, metal, shade)
	s.Text("ESP8266", wireLeft+54, 69, 52, 10, true, ink)
	s.Meander(wireLeft+58, 39, 44, -14, 5, gold)
	s.Box(wireLeft+59, 292, 42, 30, 3, metal, shade)
	for _, x := range []float32{wireLeft + 42, wireLeft + 106} {
		s.Box(x, 296, 12, 12, 2, metal, shade)
	}

	used := map[string]bool{}
	var left, right []core.KitPin
	for _, p := range pins {
		used[widget.PinName(p.GPIO)] = true
		if p.GPIO == core.PinA0 {
			left = append(left, p)
		} else {
			right = append(right, p)
		}
	}
	pinY := func(i int) float32 { return wireTop + float32(i)*wireStep }
	pin := func(i int, name string, x, textX float32, on bool) {
		c, size := faint, float32(9)
		if on {
			c, size = silk, 11
		}
		s.Hole(x, pinY(i), 5)
		s.Text(name, textX, pinY(i)-size*0.7, 30, size, on, c)
	}
	for i, n := range leftPins {
		pin(i, n, wireLeft+10, wireLeft+17, used[n] || len(left) > 0 && (n == "3V3" || n == "GND" && i == 9))
	}
	for i, n := range rightPins {
		pin(i, n, wireRight-10, wireRight-47, used[n] || len(right) > 0 && n == "GND" && i == 6)
	}

	wire := func(c color.Color, points ...float32) {
		s.Path(3, c, points...)
		end := len(points)
		s.Circle(points[end-2], points[end-1], 3.5, c, nothing)
	}
	indexOf := func(names []string, name string) int {
		for i, n := range names {
			if n == name {
				return i
			}
		}
		return 0
	}

	high := min(float32(92), 300/float32(max(1, len(right))))
	top := (wireHeight - high*float32(len(right))) / 2
	for i, p := range right {
		c := signals[i%len(signals)]
		y := top + high*(float32(i)+0.5)
		const px = 460
		lane := float32(wireRight+14) + 9*float32(i)
		rail := float32(wireRight + 14 + 9*len(right))
		name := widget.PinName(p.GPIO)
		from := pinY(indexOf(rightPins, name))
		wire(c, wireRight-10, from, lane, from, lane, y-8, px, y-8)
		// Its other end: to GND or, of what is on while the pin is low, to 3V3.
		other, otherY := minus, pinY(6)
		if !isButton(p.Slot) && p.Slot != "presence" && p.Inverted || isButton(p.Slot) && !p.Inverted {
			other, otherY = plus, pinY(5)
			rail += 9
		}
		wire(other, wireRight-10, otherY, rail, otherY, rail, y+8, px, y+8)
		if p.Slot == "presence" {
			wire(plus, wireLeft+10, pinY(14), wireLeft-12, pinY(14), wireLeft-12, wireHeight-5, wireRight+72, wireHeight-5, wireRight+72, y+22, px, y+22)
		}
		drawPart(s, p, px, y, c)
		s.Text(slotName(p.Slot)+" · "+name, px+20, y+min(high/2-15, 25), 150, 12, true, silk)
	}
	for i, p := range left {
		y := float32(70 + i*110)
		c := signals[(len(right)+i)%len(signals)]
		wire(c, wireLeft+10, pinY(0), 168, pinY(0), 168, y, 132, y)
		wire(plus, wireLeft+10, pinY(10), 186, pinY(10), 186, y-18, 132, y-18)
		// The second resistor, from the same leg to GND.
		wire(minus, wireLeft+10, pinY(9), 168, pinY(9))
		s.Line(168, y, 168, pinY(9), 3, c)
		resistor(s, 168, (y+pinY(9))/2, true, "10 kΩ")
		drawPart(s, p, 132, y-9, c)
		s.Text(slotName(p.Slot)+" · A0", 14, y+26, 130, 12, true, silk)
	}
	if len(pins) == 0 {
		s.Text(lang.L("No parts"), wireRight+10, 130, wireWidth-wireRight-20, 18, true, silk)
		s.Text(lang.L("only the board and its cable"), wireRight+10, 156, wireWidth-wireRight-20, 13, false, faint)
	}
}

// resistor draws one with its middle at x, y.
func resistor(s *widget.Sketch, x, y float32, upright bool, value string) {
	body := widget.BoardClay
	if upright {
		s.Box(x-6, y-16, 12, 32, 4, body, shade)
		for i, c := range []color.NRGBA{{0x8a, 0x4b, 0x1e, 255}, ink, {0xff, 0x8c, 0x1a, 255}} {
			s.Box(x-6, y-10+float32(i)*8, 12, 3, 0, c, nothing)
		}
		s.Text(value, x-62, y-9, 52, 11, false, silk)
		return
	}
	s.Box(x-14, y-5, 28, 10, 4, body, shade)
	for i, c := range []color.NRGBA{{0xd9, 0x3a, 0x3a, 255}, {0xd9, 0x3a, 0x3a, 255}, {0x8a, 0x4b, 0x1e, 255}} {
		s.Box(x-9+float32(i)*7, y-5, 3, 10, 0, c, nothing)
	}
}

// drawPart draws a part whose legs begin at x, around y. Of what is left of the
// board the legs go to the left.
func drawPart(s *widget.Sketch, p core.KitPin, x, y float32, c color.NRGBA) {
	switch {
	case p.GPIO == core.PinA0 || p.Slot == "brightness":
		m := x - 40
		if x > wireRight {
			m = x + 44
		}
		for _, dy := range []float32{-9, 9} {
			s.Line(x, y+dy, m, y+dy, 3, metal)
		}
		s.PhotoResistor(m, y, 22)
	case isButton(p.Slot):
		s.Line(x, y-8, x+24, y-8, 3, metal)
		s.Line(x, y+8, x+24, y+8, 3, metal)
		s.Box(x+22, y-19, 38, 38, 5, metal, shade)
		s.Circle(x+41, y, 12, ink, c)
	case p.Slot == "presence":
		for i, dy := range []float32{-8, 8, 22} {
			s.Line(x, y+dy, x+20, y+dy, 3, metal)
			s.Text([]string{"OUT", "GND", "VCC"}[i], x+18, y+dy-7, 30, 9, true, silk)
		}
		s.Box(x+48, y-22, 52, 50, 6, ground, edge)
		s.Eye(x+74, y+3, 20)
	default:
		s.Line(x, y-8, x+46, y-8, 3, metal)
		s.Line(x, y+8, x+46, y+8, 3, metal)
		resistor(s, x+24, y+8, false, "220 Ω")
		s.Text("220 Ω", x-4, y+13, 54, 10, false, faint)
		s.Box(x+42, y-15, 10, 30, 2, c, shade)
		s.Circle(x+58, y, 15, c, silk)
		s.Circle(x+53, y-5, 4, color.NRGBA{255, 255, 255, 170}, nothing)
	}
}

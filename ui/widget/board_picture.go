package widget

import (
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"homeroom/core"
	"homeroom/core/topic"
)

// The picture of a board is drawn in units of its own and scaled to the width.
const (
	pcbWidth  = 320
	pcbHeight = 172
	pcbMost   = 2 // the largest scale
	pcbParts  = 6 // that have room on the board
)

// The colours of a screen on the board.
var (
	boardGlass  = color.NRGBA{0x0a, 0x1c, 0x22, 255}
	boardDigits = color.NRGBA{0x6d, 0xf2, 0xd0, 255}
)

// lamps are the colours of LEDs that are on, by slot.
var lamps = map[topic.ID]color.NRGBA{"light": {0xff, 0xd2, 0x3f, 255}, "led": {0x4d, 0xb8, 0xff, 255}}

// boardLook is what a part looks like.
type boardLook int

const (
	lookLamp boardLook = iota
	lookButton
	lookLight  // a light sensor
	lookEye    // a presence sensor
	lookScreen // a value
)

// lookOf returns how p is drawn on a board of that role.
func lookOf(role core.KitRole, p core.Part) boardLook {
	switch {
	case p.Kind == core.Boolean && p.Slot == "presence":
		return lookEye
	case p.Kind == core.Boolean && feels(role, p):
		return lookButton
	case p.Kind == core.Boolean:
		return lookLamp
	case p.Kind == core.Number && p.Slot == "brightness":
		return lookLight
	}
	return lookScreen
}

// feels reports whether a person acts on p; what an ESP_Choice publishes it
// decides itself.
func feels(role core.KitRole, p core.Part) bool {
	return p.Action == core.Publish && role != core.ChoiceKit
}

// isOn reports whether the value of a Boolean part is true.
func isOn(p core.Part) bool {
	on, _ := core.Topic{Options: p.Options}.Truth(p.Value)
	return on
}

// pcb is the picture of a board.
type pcb struct {
	Sketch
	hold  func(slot topic.ID, down bool)
	parts map[topic.ID]*pcbPart
	power *canvas.Circle
}

// pcbPart is a part on the board.
type pcbPart struct {
	look   boardLook
	glow   *canvas.RadialGradient
	dome   *canvas.Circle
	shine  *canvas.Circle
	button *Hold
	waves  []*canvas.Circle
	text   *canvas.Text
	color  color.NRGBA
}

func newPCB(hold func(slot topic.ID, down bool)) *pcb {
	p := &pcb{Sketch: Sketch{width: pcbWidth, height: pcbHeight, least: 240, most: pcbMost}, hold: hold}
	p.ExtendBaseWidget(p)
	return p
}

// build draws a board with those parts.
func (p *pcb) build(role core.KitRole, parts []core.Part) {
	p.Clear()
	p.parts = map[topic.ID]*pcbPart{}
	p.Box(10, 4, 306, 164, 14, BoardGround, BoardEdge)
	for x := float32(50); x < 284; x += 15.5 {
		for _, y := range []float32{13, 159} {
			p.Hole(x, y, 4)
		}
	}
	for _, x := range []float32{24, 302} {
		for _, y := range []float32{18, 154} {
			p.Circle(x, y, 6.5, BoardGold, color.Transparent)
			p.Circle(x, y, 3.5, BoardInk, color.Transparent)
		}
	}
	// The USB socket, and the module with its antenna.
	p.Box(2, 66, 32, 40, 4, BoardMetal, BoardShade)
	p.Box(2, 76, 9, 20, 2, BoardShade, BoardShade)
	p.Box(44, 28, 96, 116, 5, BoardInk, BoardShade)
	p.Path(2, BoardGold, 52, 50, 52, 34, 60, 34)
	p.Meander(60, 34, 67, 12, 10, BoardGold)
	p.Box(51, 58, 82, 80, 4, BoardMetal, BoardShade)
	p.Text("ESP8266", 51, 80, 82, 14, true, BoardInk)
	p.Text("Wi-Fi · MQTT", 51, 100, 82, 9, false, BoardInk)
	p.power = p.Circle(26, 124, 4, BoardInk, BoardShade)

	n := min(len(parts), pcbParts)
	if n == 0 {
		return
	}
	cols := 3
	switch {
	case n == 1:
		cols = 1
	case n <= 4:
		cols = 2
	}
	rows := (n + cols - 1) / cols
	const left, top, width, height = 144, 24, 164, 128
	for i, part := range parts[:n] {
		inRow := cols
		if i/cols == rows-1 && n%cols != 0 {
			inRow = n % cols
		}
		w, h := float32(width)/float32(inRow), float32(height)/float32(rows)
		cx, cy := left+w*(float32(i%cols)+0.5), top+h*(float32(i/cols)+0.5)-7
		p.part(role, part, cx, cy, w)
	}
}

// part draws a part with its middle at x, y in a cell of that width.
func (p *pcb) part(role core.KitRole, part core.Part, x, y, w float32) {
	pp := &pcbPart{look: lookOf(role, part)}
	p.parts[part.Slot] = pp
	switch pp.look {
	case lookLamp:
		var ok bool
		if pp.color, ok = lamps[part.Slot]; !ok {
			pp.color = color.NRGBA{0xff, 0x5a, 0x4d, 255}
		}
		pp.glow = canvas.NewRadialGradient(color.Transparent, color.Transparent)
		p.Put(pp.glow, x-44, y-44, 88, 88)
		p.Box(x-15, y+9, 30, 6, 2, BoardShade, BoardShade)
		pp.dome = p.Circle(x, y, 15, BoardInk, BoardSilk)
		pp.shine = p.Circle(x-5, y-5, 3.5, color.NRGBA{255, 255, 255, 70}, color.Transparent)
	case lookButton:
		pp.button = NewHold("", func(down bool) { p.hold(part.Slot, down) })
		for _, dx := range []float32{-20, 14} {
			for _, dy := range []float32{-12, 8} {
				p.Box(x+dx, y+dy, 6, 5, 1, BoardMetal, BoardShade)
			}
		}
		p.Put(pp.button, x-20, y-20, 40, 40)
	case lookLight:
		pp.glow = canvas.NewRadialGradient(color.Transparent, color.Transparent)
		p.Put(pp.glow, x-34, y-34, 68, 68)
		pp.dome = p.PhotoResistor(x, y, 16)
	case lookEye:
		for i := range 2 {
			wave := p.Circle(x, y, 20+5*float32(i), color.Transparent, color.Transparent)
			wave.StrokeWidth = 2
			pp.waves = append(pp.waves, wave)
		}
		p.Eye(x, y, 17)
	case lookScreen:
		wide := min(w-10, 84)
		p.Box(x-wide/2, y-15, wide, 30, 4, boardGlass, BoardSilk)
		pp.text = p.Text("", x-wide/2, y-11, wide, 15, true, boardDigits)
	}
	size := float32(11)
	for size > 7 && fyne.MeasureText(string(part.Slot), size, fyne.TextStyle{}).Width > w-4 {
		size--
	}
	p.Text(string(part.Slot), x-w/2, y+22, w, size, false, BoardSilk)
}

// show draws the values, and whether the board works.
func (p *pcb) show(b core.Board) {
	p.power.FillColor = stateInk(b.State)
	p.power.Refresh()
	for i, part := range b.Parts {
		if pp := p.parts[part.Slot]; pp != nil && i < pcbParts {
			pp.show(part)
		}
	}
}

// stateInk is the colour of the board's own LED.
func stateInk(state string) color.NRGBA {
	switch state {
	case "ready":
		return color.NRGBA{0x5c, 0xf2, 0x8e, 255}
	case "init":
		return color.NRGBA{0xff, 0xc1, 0x4d, 255}
	case "lost", "alert":
		return color.NRGBA{0xff, 0x5a, 0x4d, 255}
	}
	return BoardInk
}

func (pp *pcbPart) show(part core.Part) {
	fade := func(c color.NRGBA, alpha uint8) color.NRGBA { return color.NRGBA{c.R, c.G, c.B, alpha} }
	on := isOn(part)
	switch pp.look {
	case lookLamp:
		pp.dome.FillColor, pp.dome.StrokeColor = blend(BoardInk, pp.color, 0.28), BoardMetal
		pp.glow.StartColor, pp.shine.FillColor = color.Transparent, color.NRGBA{255, 255, 255, 70}
		if on {
			pp.dome.FillColor, pp.dome.StrokeColor = pp.color, BoardSilk
			pp.glow.StartColor, pp.shine.FillColor = fade(pp.color, 235), color.NRGBA{255, 255, 255, 230}
		}
		pp.glow.EndColor = fade(pp.color, 0)
		pp.glow.Refresh()
		pp.dome.Refresh()
		pp.shine.Refresh()
	case lookButton:
		pp.button.Light(on && part.Toggle)
	case lookLight:
		sun := color.NRGBA{0xff, 0xe9, 0x9a, 255}
		share := 0.0
		if part.Max > part.Min {
			share = (number(part.Value) - part.Min) / (part.Max - part.Min)
		}
		share = math.Min(math.Max(share, 0), 1)
		pp.glow.StartColor, pp.glow.EndColor = fade(sun, uint8(230*share)), fade(sun, 0)
		pp.dome.FillColor = blend(color.NRGBA{0x8a, 0x70, 0x48, 255}, sun, share)
		pp.glow.Refresh()
		pp.dome.Refresh()
	case lookEye:
		for _, w := range pp.waves {
			if w.StrokeColor = color.Transparent; on {
				w.StrokeColor = boardDigits
			}
			w.Refresh()
		}
	case lookScreen:
		if text := cutTo(boardValue(part), 10); pp.text.Text != text {
			pp.text.Text = text
			pp.text.Refresh()
		}
	}
}

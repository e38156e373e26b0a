package widget

import (
	"image"
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/software"
	"fyne.io/fyne/v2/theme"
)

// letters writes text into pixels, of any size at next to no cost: each
// character is taken once, large, from Fyne's own painter and its fonts, and
// made smaller from there. Writing that needs more than one character after
// the other, such as Arabic or emoji, is taken whole.
type letters struct {
	font   fyne.Resource // of the theme, when the characters were taken
	cv     software.WindowlessCanvas
	source *canvas.Text
	ascii  [2][128]*stamp // regular and bold
	stamps map[stampKey]*stamp
	prints map[printKey]*print
	wides  map[wideKey]float32 // how long a whole text is, for each pixel of its size
	cuts   map[wideKey]string  // what of it fits
	taken  uint32
}

// Sizes at which characters and whole texts are taken, in pixels, and how many
// of each are kept.
const (
	stampSize = 72
	wholeSize = 40
	maxStamps = 3000
	maxPrints = 12000
)

type stampKey struct {
	text string
	bold bool
	ink  color.NRGBA // of a text with colours of its own
}

// stamp is a character or a whole text as it was taken.
type stamp struct {
	id      uint32
	size    float32 // in pixels
	advance float32 // to the next character, for each pixel of size
	colored bool    // has colours of its own, such as emoji
	w, h    int
	x, y    float32 // of its first pixel, from the pen and from the top of the line
	cover   []uint8 // w by h; of what is coloured four bytes a pixel, as image.RGBA
}

type wideKey struct {
	text  string
	bold  bool
	width uint16 // that it is cut to, in quarters of its size
}

type printKey struct {
	id   uint32
	size uint16 // quarters of a pixel
	part uint8  // quarters of a pixel that it is moved to the right
}

// print is a stamp at the size at which it is written.
type print struct {
	w, h, x, y int
	cover      []uint8
}

// fresh forgets all that was taken where the theme has another font now.
func (l *letters) fresh() {
	font := theme.Current().Font(fyne.TextStyle{})
	if l.font == font && l.stamps != nil {
		return
	}
	l.font, l.ascii = font, [2][128]*stamp{}
	l.stamps, l.prints = map[stampKey]*stamp{}, map[printKey]*print{}
	l.wides, l.cuts = map[wideKey]float32{}, map[wideKey]string{}
	if l.cv == nil {
		l.cv = software.NewTransparentCanvas()
		l.cv.SetPadded(false)
		l.source = canvas.NewText("", color.White)
	}
}

// single reports whether r stands for itself, whatever is beside it.
func single(r rune) bool {
	switch {
	case r >= 0x20 && r < 0x250, r >= 0x370 && r < 0x483, r >= 0x48A && r < 0x530, // Latin, Greek, Cyrillic
		r >= 0x2010 && r < 0x2028, r >= 0x2030 && r < 0x2060, r >= 0x2070 && r < 0x20A0, r >= 0x2100 && r < 0x2300,
		r >= 0x3000 && r < 0x3040, r >= 0x3041 && r < 0x3097, r >= 0x30A0 && r < 0x3100, r >= 0x3131 && r < 0x318F,
		r >= 0x4E00 && r < 0xA000, r >= 0xAC00 && r < 0xD7A4, r >= 0xFF01 && r < 0xFFE7:
		return r != 0xAD
	}
	return false
}

// simple reports whether each character of text stands for itself.
func simple(text string) bool {
	for _, r := range text {
		if !single(r) {
			return false
		}
	}
	return true
}

// of returns the stamp of one character.
func (l *letters) of(r rune, bold bool) *stamp {
	style := 0
	if bold {
		style = 1
	}
	if r < 128 {
		if s := l.ascii[style][r]; s != nil {
			return s
		}
		s := l.take(string(r), stampSize, bold, color.NRGBA{255, 255, 255, 255})
		l.ascii[style][r] = s
		return s
	}
	return l.stamp(stampKey{text: string(r), bold: bold}, stampSize)
}

// whole returns the stamp of a whole text.
func (l *letters) whole(text string, bold bool, ink color.NRGBA) *stamp {
	s := l.stamp(stampKey{text: text, bold: bold}, wholeSize)
	if s.colored { // what has none beside the emoji is in ink
		ink.A = 255
		s = l.stamp(stampKey{text, bold, ink}, wholeSize)
	}
	return s
}

func (l *letters) stamp(key stampKey, size float32) *stamp {
	s := l.stamps[key]
	if s == nil {
		if len(l.stamps) >= maxStamps {
			clear(l.stamps)
			clear(l.prints)
		}
		ink := key.ink
		if ink.A == 0 {
			ink = color.NRGBA{255, 255, 255, 255}
		}
		s = l.take(key.text, size, key.bold, ink)
		l.stamps[key] = s
	}
	return s
}

// take draws text with Fyne's painter.
func (l *letters) take(text string, size float32, bold bool, ink color.NRGBA) *stamp {
	const room = 8 // for what reaches beyond the pen
	style := fyne.TextStyle{Bold: bold}
	space := fyne.MeasureText(" ", size, style).Width
	measure := fyne.MeasureText(text, size, style)
	l.taken++
	s := &stamp{id: l.taken, size: size, advance: measure.Width / size}
	l.source.Text, l.source.TextSize, l.source.TextStyle, l.source.Color = " "+text+" ", size, style, ink
	l.cv.SetContent(l.source)
	l.cv.Resize(fyne.NewSize(min(measure.Width, 4096)+2*space+room, measure.Height+room))
	s.keep(l.cv.Capture(), ink)
	s.x -= space
	return s
}

// picture returns the stamp of an icon: with its colours where it has several,
// else to be written in any.
func (l *letters) picture(icon fyne.Resource) *stamp {
	key := stampKey{text: "\x00" + icon.Name(), bold: dark()}
	s := l.stamps[key]
	if s == nil {
		l.taken++
		s = &stamp{id: l.taken, size: stampSize, advance: 1}
		image := canvas.NewImageFromResource(icon)
		image.FillMode = canvas.ImageFillContain
		l.cv.SetContent(image)
		l.cv.Resize(fyne.NewSquareSize(stampSize))
		s.keep(l.cv.Capture(), color.NRGBA{})
		l.stamps[key] = s
	}
	return s
}

// keep takes what is painted in a picture, and finds out whether it has other
// colours than ink. Ink that is nothing is any one colour.
func (s *stamp) keep(from image.Image, ink color.NRGBA) {
	img, ok := from.(*image.NRGBA)
	if !ok {
		return
	}
	box := image.Rectangle{}
	for y := range img.Rect.Dy() {
		row := img.Pix[y*img.Stride : y*img.Stride+4*img.Rect.Dx()]
		for x := 0; x < len(row)/4; x++ {
			if px := row[4*x : 4*x+4 : 4*x+4]; px[3] != 0 {
				box = box.Union(image.Rect(x, y, x+1, y+1))
				if ink.A == 0 && px[3] > 128 {
					ink = color.NRGBA{px[0], px[1], px[2], 255}
				}
				s.colored = s.colored || px[3] > 128 && (diff(px[0], ink.R) > 24 || diff(px[1], ink.G) > 24 || diff(px[2], ink.B) > 24)
			}
		}
	}
	s.x, s.y, s.w, s.h = float32(box.Min.X), float32(box.Min.Y), box.Dx(), box.Dy()
	if s.colored {
		s.cover = make([]uint8, 4*s.w*s.h)
	} else {
		s.cover = make([]uint8, s.w*s.h)
	}
	for y := range s.h {
		for x := range s.w {
			px := img.Pix[img.PixOffset(box.Min.X+x, box.Min.Y+y):]
			if !s.colored {
				s.cover[y*s.w+x] = px[3]
				continue
			}
			for i := range 3 {
				s.cover[4*(y*s.w+x)+i] = uint8(uint32(px[i]) * uint32(px[3]) / 255)
			}
			s.cover[4*(y*s.w+x)+3] = px[3]
		}
	}
}

func diff(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }

// at returns s as it is written at a size, moved to the right by part of a pixel.
func (l *letters) at(s *stamp, size, part float32) *print {
	key := printKey{s.id, uint16(min(size, 4000)*4 + 0.5), uint8(part * 4)}
	if p := l.prints[key]; p != nil {
		return p
	}
	if len(l.prints) >= maxPrints {
		clear(l.prints)
	}
	depth := 1
	if s.colored {
		depth = 4
	}
	k := float32(key.size) / 4 / s.size
	p := shrink(s.cover, s.w, s.h, depth, s.x*k+float32(key.part)/4, s.y*k, k)
	l.prints[key] = p
	return p
}

// shrink makes a picture k times as large, with its corner at (x, y): each
// pixel is the mean of what it covers.
func shrink(cover []uint8, w, h, depth int, x, y, k float32) *print {
	p := &print{x: floor(x), y: floor(y)}
	if w == 0 || h == 0 || !(k > 0) {
		return p
	}
	p.w, p.h = int(math.Ceil(float64(x+float32(w)*k)))-p.x, int(math.Ceil(float64(y+float32(h)*k)))-p.y
	p.cover = make([]uint8, p.w*p.h*depth)
	// First each row becomes shorter, then each column.
	rows := make([]float32, p.w*h*depth)
	spread(w, p.w, x-float32(p.x), k, func(from, to int, share float32) {
		for row := range h {
			for i := range depth {
				rows[(row*p.w+to)*depth+i] += share * float32(cover[(row*w+from)*depth+i])
			}
		}
	})
	sums := make([]float32, p.w*p.h*depth)
	spread(h, p.h, y-float32(p.y), k, func(from, to int, share float32) {
		a, b := rows[from*p.w*depth:(from+1)*p.w*depth], sums[to*p.w*depth:]
		for i, v := range a {
			b[i] += share * v
		}
	})
	for i, v := range sums {
		p.cover[i] = uint8(min(v+0.5, 255))
	}
	return p
}

// spread tells which share of each of n cells falls into which of m, where a
// cell is k long and the first begins at start.
func spread(n, m int, start, k float32, add func(from, to int, share float32)) {
	for i := range n {
		a := start + float32(i)*k
		b := a + k
		for to := int(a); to < m && float32(to) < b; to++ {
			if share := min(b, float32(to+1)) - max(a, float32(to)); share > 0 {
				add(i, to, share)
			}
		}
	}
}

// width returns how long text is, for each pixel of its size.
func (l *letters) width(text string, bold bool) float32 {
	if !simple(text) {
		return l.wide(text, bold)
	}
	var w float32
	for _, r := range text {
		w += l.of(r, bold).advance
	}
	return w
}

// wide is width of a text that is written whole.
func (l *letters) wide(text string, bold bool) float32 {
	key := wideKey{text: text, bold: bold}
	w, ok := l.wides[key]
	if !ok {
		if len(l.wides) >= maxStamps {
			clear(l.wides)
		}
		w = fyne.MeasureText(text, wholeSize, fyne.TextStyle{Bold: bold}).Width / wholeSize
		l.wides[key] = w
	}
	return w
}

// fit returns text, or as much of its beginning as fits into width and "…".
// width is for each pixel of the size.
func (l *letters) fit(text string, width float32, bold bool) string {
	if !(width > 0) {
		return ""
	}
	if !simple(text) {
		return l.cut(text, width, bold)
	}
	dots := l.of('…', bold).advance
	var w float32
	end := 0 // of what fits with dots after it
	for i, r := range text {
		if w+dots <= width {
			end = i
		}
		if w += l.of(r, bold).advance; w > width {
			if dots > width {
				return ""
			}
			return text[:end] + "…"
		}
	}
	return text
}

// cut is fit of a text that is written whole.
func (l *letters) cut(text string, width float32, bold bool) string {
	if l.wide(text, bold) <= width {
		return text
	}
	key := wideKey{text, bold, uint16(min(width, 1000) * 4)}
	short, ok := l.cuts[key]
	if !ok {
		if len(l.cuts) >= maxStamps {
			clear(l.cuts)
		}
		short = Cut(text, float32(key.width)/4*wholeSize, wholeSize, fyne.TextStyle{Bold: bold})
		l.cuts[key] = short
	}
	return short
}

// write puts text into p, with the top of its line at y; all in pixels.
func (l *letters) write(p *pixels, text string, x, y, size float32, bold bool, ink color.NRGBA) {
	if size < 3 || size > 1000 || !(x > -1e6 && x < 1e6) || !(y > -1e6 && y < 1e6) {
		return
	}
	top := int(math.Round(float64(y)))
	if !simple(text) {
		s := l.whole(text, bold, ink)
		p.stamp(l.at(s, size, 0), floor(x+0.5), top, s.colored, ink)
		return
	}
	size = float32(uint16(size*4+0.5)) / 4
	for _, r := range text {
		s := l.of(r, bold)
		if r != ' ' {
			pen := floor(x*4 + 0.5)
			p.stamp(l.at(s, size, float32(pen&3)/4), pen>>2, top, s.colored, ink)
		}
		x += s.advance * size
	}
}

// stamp puts a print down in a colour, or in its own.
func (p *pixels) stamp(t *print, x, y int, colored bool, ink color.NRGBA) {
	x, y = x+t.x, y+t.y
	area := image.Rect(x, y, x+t.w, y+t.h).Intersect(p.clip)
	for row := area.Min.Y; row < area.Max.Y; row++ {
		at := (row-y)*t.w + area.Min.X - x
		pix := p.img.Pix[p.img.PixOffset(area.Min.X, row):]
		if !colored {
			for i, a := range t.cover[at : at+area.Dx()] {
				if a != 0 {
					over(pix[4*i:], ink, uint32(a))
				}
			}
			continue
		}
		for i := range area.Dx() {
			c, under := t.cover[4*(at+i):4*(at+i)+4], pix[4*i:4*i+4]
			rest := 255 - uint32(c[3])
			for j := range 4 {
				under[j] = uint8(min(255, uint32(c[j])+(uint32(under[j])*rest+127)/255))
			}
		}
	}
}

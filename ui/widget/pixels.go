package widget

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"math"
	"runtime/debug"

	"fyne.io/fyne/v2"
)

// Broken is told of a panic while a picture was drawn, on the UI goroutine; it
// must not panic or touch a widget. The picture is empty then: the painter
// calls from outside all screens, where a panic ends the program. Whoever runs
// the window sets it, before anything is shown.
var Broken = func(value any, stack []byte) {
	fyne.LogError(fmt.Sprintf("drawing: %v\n%s", value, stack), nil)
}

// safely returns what paint draws at w by h pixels, or an empty picture where
// it panics.
func (p *pixels) safely(w, h int, paint func(w, h int) image.Image) (img image.Image) {
	defer func() {
		if r := recover(); r != nil {
			*p = pixels{} // the mask may be half full
			p.clear(w, h)
			img = p.img
			Broken(r, debug.Stack())
		}
	}()
	return paint(w, h)
}

// density returns how many pixels a unit has where width units are w pixels.
func density(w int, width float32) float32 {
	return min(max(float32(w)/max(width, 1), 0.25), 16)
}

// pixels is a picture that is drawn anew many times into the same memory.
// Lines and dots are gathered in a mask first, which ink then puts down in one
// colour: so nothing is painted twice where strokes of one line meet.
type pixels struct {
	img   *image.RGBA
	mask  []uint8         // coverage, one byte a pixel of img
	dirty image.Rectangle // holds every pixel of mask that is not 0
	clip  image.Rectangle // nothing is drawn outside
}

// clear makes the picture w by h pixels, all transparent.
func (p *pixels) clear(w, h int) {
	w, h = max(w, 0), max(h, 0)
	if p.img == nil || p.img.Rect.Dx() != w || p.img.Rect.Dy() != h {
		p.img = image.NewRGBA(image.Rect(0, 0, w, h))
		p.mask = make([]uint8, w*h)
	} else {
		clear(p.img.Pix)
	}
	p.dirty = image.Rectangle{}
	p.clip = p.img.Rect
}

// within restricts what is drawn to what of r is in the picture.
func (p *pixels) within(r image.Rectangle) { p.clip = r.Intersect(p.img.Rect) }

// over puts c, covered to a of 255, on the four bytes of a pixel.
func over(pix []uint8, c color.NRGBA, a uint32) {
	a = a * uint32(c.A) / 255
	pix = pix[:4:4]
	if a >= 255 {
		pix[0], pix[1], pix[2], pix[3] = c.R, c.G, c.B, 255
		return
	}
	rest := 255 - a
	pix[0] = uint8((uint32(c.R)*a + uint32(pix[0])*rest + 127) / 255)
	pix[1] = uint8((uint32(c.G)*a + uint32(pix[1])*rest + 127) / 255)
	pix[2] = uint8((uint32(c.B)*a + uint32(pix[2])*rest + 127) / 255)
	pix[3] = uint8((255*a + uint32(pix[3])*rest + 127) / 255)
}

// fill paints a rectangle.
func (p *pixels) fill(r image.Rectangle, c color.NRGBA) {
	r = r.Intersect(p.clip)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := p.img.Pix[p.img.PixOffset(r.Min.X, y):p.img.PixOffset(r.Max.X, y)]
		for ; len(row) > 0; row = row[4:] {
			over(row, c, 255)
		}
	}
}

// column paints a strip one pixel wide from y0 down to y1, with soft ends.
func (p *pixels) column(x int, y0, y1 float32, c color.NRGBA) {
	y0, y1 = max(y0, float32(p.clip.Min.Y)), min(y1, float32(p.clip.Max.Y))
	if x < p.clip.Min.X || x >= p.clip.Max.X || !(y0 < y1) { // one may be no number
		return
	}
	for y := int(y0); y < p.clip.Max.Y && float32(y) < y1; y++ {
		part := min(y1, float32(y+1)) - max(y0, float32(y))
		over(p.img.Pix[p.img.PixOffset(x, y):], c, uint32(part*255))
	}
}

// line draws a stroke with round ends into the mask.
func (p *pixels) line(x0, y0, x1, y1, width float32) {
	half := width / 2
	if sum := x0 + y0 + x1 + y1 + half; sum-sum != 0 { // not finite
		return
	}
	box := p.clip.Inset(-int(half) - 2)
	if !crop(&x0, &y0, &x1, &y1, box) {
		return
	}
	dx, dy := x1-x0, y1-y0
	length := float32(math.Hypot(float64(dx), float64(dy)))
	if length < 1e-3 {
		p.dot(x0, y0, half)
		return
	}
	ux, uy := dx/length, dy/length
	area := image.Rect(floor(min(x0, x1)-half-1), floor(min(y0, y1)-half-1), floor(max(x0, x1)+half+2), floor(max(y0, y1)+half+2)).Intersect(p.clip)
	if area.Empty() {
		return
	}
	p.dirty = p.dirty.Union(area)
	// cover marks one pixel by its distance from the stroke's middle.
	cover := func(at int, rx, ry float32) {
		along := rx*ux + ry*uy
		var d float32
		switch {
		case along < 0:
			d = float32(math.Sqrt(float64(rx*rx + ry*ry)))
		case along > length:
			ex, ey := rx-dx, ry-dy
			d = float32(math.Sqrt(float64(ex*ex + ey*ey)))
		default:
			d = rx*uy - ry*ux
			if d < 0 {
				d = -d
			}
		}
		if a := half + 0.5 - d; a > 0 {
			p.mask[at] = max(p.mask[at], uint8(min(a, 1)*255))
		}
	}
	w := p.img.Rect.Dx()
	if abs(dx) >= abs(dy) { // walk along x; each column has a few pixels
		reach := half/abs(ux) + 1
		for x := area.Min.X; x < area.Max.X; x++ {
			rx := float32(x) + 0.5 - x0
			mid := y0 + min(max(rx/dx, 0), 1)*dy
			for y := max(area.Min.Y, floor(mid-reach)); y < min(area.Max.Y, floor(mid+reach)+1); y++ {
				cover(y*w+x, rx, float32(y)+0.5-y0)
			}
		}
		return
	}
	reach := half/abs(uy) + 1
	for y := area.Min.Y; y < area.Max.Y; y++ {
		ry := float32(y) + 0.5 - y0
		mid := x0 + min(max(ry/dy, 0), 1)*dx
		for x := max(area.Min.X, floor(mid-reach)); x < min(area.Max.X, floor(mid+reach)+1); x++ {
			cover(y*w+x, float32(x)+0.5-x0, ry)
		}
	}
}

// dot draws a disc into the mask.
func (p *pixels) dot(cx, cy, radius float32) {
	area := image.Rect(floor(cx-radius-1), floor(cy-radius-1), floor(cx+radius+2), floor(cy+radius+2)).Intersect(p.clip)
	p.dirty = p.dirty.Union(area)
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			d := math.Hypot(float64(x)+0.5-float64(cx), float64(y)+0.5-float64(cy))
			if a := radius + 0.5 - float32(d); a > 0 {
				at := y*p.img.Rect.Dx() + x
				p.mask[at] = max(p.mask[at], uint8(min(a, 1)*255))
			}
		}
	}
}

// arrow draws a triangle of that size into the mask, with its tip at (x, y),
// pointing up where size is positive and down where it is negative.
func (p *pixels) arrow(x, y, size float32) {
	size = min(max(size, -1000), 1000)
	for i := float32(0); i < abs(size); i++ {
		half := i * 0.6
		row := y + i*size/abs(size)
		p.line(x-half, row, x+half, row, 1.5)
	}
}

// ink puts the mask down in colour c and empties it.
func (p *pixels) ink(c color.NRGBA) {
	w := p.img.Rect.Dx()
	for y := p.dirty.Min.Y; y < p.dirty.Max.Y; y++ {
		mask := p.mask[y*w+p.dirty.Min.X : y*w+p.dirty.Max.X]
		pix := p.img.Pix[p.img.PixOffset(p.dirty.Min.X, y):]
		for x := 0; x < len(mask); x++ {
			if x+8 <= len(mask) && binary.LittleEndian.Uint64(mask[x:]) == 0 {
				x += 7
				continue
			}
			if a := mask[x]; a != 0 {
				over(pix[4*x:], c, uint32(a))
				mask[x] = 0
			}
		}
	}
	p.dirty = image.Rectangle{}
}

// crop cuts a line to what of it is in box and reports whether that is
// anything (Liang and Barsky), so that a value far off costs nothing.
func crop(x0, y0, x1, y1 *float32, box image.Rectangle) bool {
	dx, dy := *x1-*x0, *y1-*y0
	from, to := float32(0), float32(1)
	for _, e := range [4][2]float32{
		{-dx, *x0 - float32(box.Min.X)}, {dx, float32(box.Max.X) - *x0},
		{-dy, *y0 - float32(box.Min.Y)}, {dy, float32(box.Max.Y) - *y0},
	} {
		switch p, q := e[0], e[1]; {
		case p == 0 && q < 0:
			return false
		case p < 0:
			from = max(from, q/p)
		case p > 0:
			to = min(to, q/p)
		}
	}
	if from > to {
		return false
	}
	*x1, *y1 = *x0+to*dx, *y0+to*dy
	*x0, *y0 = *x0+from*dx, *y0+from*dy
	return true
}

func abs(v float32) float32 {
	if v < 0 {
		return -v
	}
	return v
}

// floor returns the pixel that v is in, or one far off on all machines alike
// where v is too large or no number.
func floor(v float32) int {
	const far = 1 << 30
	switch {
	case !(v > -far):
		return -far
	case v > far:
		return far
	}
	return int(math.Floor(float64(v)))
}

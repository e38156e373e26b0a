package widget

import (
	"image"
	"image/color"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/core"
)

// Spark is a chart the size of a word: the latest values of a number as a
// line, those of a boolean as a strip of states.
type Spark struct {
	fw.BaseWidget
	kind     core.Kind
	readings []core.Reading
	faded    bool
	pix      pixels
	stale    bool
	raster   *canvas.Raster
}

// NewSpark returns a Spark of nothing.
func NewSpark() *Spark {
	s := &Spark{}
	s.raster = canvas.NewRaster(s.draw)
	s.raster.ScaleMode = canvas.ImageScalePixels
	s.ExtendBaseWidget(s)
	return s
}

// Set shows readings, oldest first; faded says that they are old.
func (s *Spark) Set(readings []core.Reading, kind core.Kind, faded bool) {
	s.readings, s.kind, s.faded = readings, kind, faded
	s.Refresh()
}

// CreateRenderer is part of fyne.Widget.
func (s *Spark) CreateRenderer() fyne.WidgetRenderer { return fw.NewSimpleRenderer(s.raster) }

// Refresh is part of fyne.CanvasObject.
func (s *Spark) Refresh() {
	s.stale = true
	s.raster.Refresh()
}

// MinSize is part of fyne.CanvasObject.
func (s *Spark) MinSize() fyne.Size { return fyne.NewSize(60, 24) }

func (s *Spark) draw(w, h int) image.Image { return s.pix.safely(w, h, s.paint) }

// paint draws the readings w by h pixels large.
func (s *Spark) paint(w, h int) image.Image {
	p := &s.pix
	if !s.stale && p.img != nil && p.img.Rect.Dx() == w && p.img.Rect.Dy() == h {
		return p.img
	}
	s.stale = false
	p.clear(w, h)
	if len(s.readings) < 2 || s.kind == core.Text || s.Size().Width <= 0 {
		return p.img
	}
	ink := themeColor(theme.ColorNamePrimary)
	if s.faded {
		ink = themeColor(theme.ColorNameDisabled)
	}
	t := sparkTrace(s.readings, s.kind)
	v := View{From: s.readings[0].At, To: s.readings[len(s.readings)-1].At}
	scale := density(w, s.Size().Width)
	if s.kind == core.Boolean {
		s.strip(t, v, ink, scale)
	} else {
		s.line(t, v, ink, scale)
	}
	return p.img
}

func (s *Spark) line(t core.Trace, v View, ink color.NRGBA, scale float32) {
	p := &s.pix
	lo, hi, _ := robust(samples(nil, t.Spans))
	lo, hi = widen(lo, hi)
	edge := 3 * scale
	w, h := float32(p.clip.Dx())-2*edge, float32(p.clip.Dy())-2*edge
	points := vertices(nil, t, v, valueScale{lo: lo, hi: hi}, w, h)
	area := ink
	area.A = 40
	for i, a := range points {
		if i+1 < len(points) && !points[i+1].after {
			b := points[i+1]
			p.line(edge+a.x, edge+a.mid, edge+b.x, edge+b.mid, 1.5*scale)
			for x := max(floor(edge+a.x+0.5), 0); x < min(floor(edge+b.x+0.5), p.clip.Max.X); x++ {
				y := a.mid + (b.mid-a.mid)*(float32(x)+0.5-edge-a.x)/(b.x-a.x)
				p.column(x, edge+max(y, 0), float32(p.clip.Dy()), area)
			}
		}
	}
	if n := len(points); n > 0 {
		p.dot(edge+points[n-1].x, edge+points[n-1].mid, 2.2*scale)
	}
	p.ink(ink)
}

func (s *Spark) strip(t core.Trace, v View, ink color.NRGBA, scale float32) {
	p := &s.pix
	off := themeColor(theme.ColorNameSeparator)
	w, h := float32(p.clip.Dx()), float32(p.clip.Dy())
	for _, st := range States(t, v.To) {
		c := off
		top := h - 6*scale
		if st.Share > 0.5 {
			c, top = ink, h-16*scale
		}
		x0, x1 := across(v, st.From, w), across(v, st.To, w)
		p.fill(image.Rect(floor(x0), floor(top), max(floor(x1), floor(x0)+1), floor(h-2*scale)), c)
	}
}

// sparkTrace makes a trace of single readings. A number that came regularly
// has gaps where it did not; a state lasts until the next.
func sparkTrace(rs []core.Reading, kind core.Kind) core.Trace {
	t := core.Trace{Kind: kind, Spans: make([]core.Span, len(rs))}
	between := make([]time.Duration, 0, len(rs))
	for i, r := range rs {
		t.Spans[i] = core.Span{First: r.At, Last: r.At, Min: r.Value, Max: r.Value, Sum: r.Value, N: 1, End: r.Value}
		if i > 0 {
			between = append(between, r.At.Sub(rs[i-1].At))
		}
	}
	if kind == core.Number && len(between) > 4 {
		slices.Sort(between)
		t.Step = max(between[len(between)*3/4], time.Second)
	}
	return t
}

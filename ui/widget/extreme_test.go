package widget

import (
	"fmt"
	"image"
	"math"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"

	"homeroom/core"
)

// extremes are values at which sums and differences overflow, or change nothing.
var extremes = []float64{
	0, 1e308, -1e308, 1763797000000000000, 9007199254740993, 1 << 53, 1e15, 5e-324, -5e-324, 2.2e-308,
	math.MaxFloat64, -math.MaxFloat64, math.NaN(), math.Inf(1), math.Inf(-1), 21.5,
}

func readingsOf(kind core.Kind, vs ...float64) []core.Reading {
	var rs []core.Reading
	for i, v := range vs {
		rs = append(rs, core.Reading{At: noon.Add(time.Duration(i-len(vs)) * time.Second), Kind: kind, Value: v})
	}
	return rs
}

func traceOf(vs ...float64) core.Trace {
	return wave(len(vs), time.Second, noon, func(i int) float64 { return vs[i] })
}

// painted reports whether anything of img is painted.
func painted(img image.Image) bool {
	for _, v := range img.(*image.RGBA).Pix {
		if v != 0 {
			return true
		}
	}
	return false
}

// TestSameHugeValueTwice: near 1e16 and beyond, one more is the same number.
func TestSameHugeValueTwice(t *testing.T) {
	variant(t, theme.VariantLight)
	for _, v := range extremes {
		for _, w := range extremes {
			s := NewSpark()
			s.Resize(fyne.NewSize(100, 36))
			s.readings, s.kind = readingsOf(core.Number, v, w, v), core.Number
			if !painted(s.paint(200, 72)) && finite(v) && finite(w) {
				t.Errorf("%v, %v, %v: nothing is drawn", v, w, v)
			}
			c := NewChart()
			c.Now = func() time.Time { return noon }
			c.Resize(fyne.NewSize(300, 240))
			test.WidgetRenderer(c)
			for _, all := range []bool{false, true} {
				c.all = all
				c.SetLines([]Line{{Trace: traceOf(v, w), Unit: "W"}, {Trace: traceOf(w, w), Unit: "%"}, {Trace: traceOf(v, 1), Unit: "W"}}, Latest(10*time.Second, noon))
				c.drawn.stale = true
				c.drawn.paint(400, 200)
			}
		}
	}
}

func TestEveryScaleIsFinite(t *testing.T) {
	for _, v := range extremes {
		for _, w := range extremes {
			lo, hi := widen(v, w)
			if !finite(lo) || !finite(hi) || !(hi > lo) || !finite(hi-lo) {
				t.Errorf("widen(%v, %v) = %v, %v", v, w, lo, hi)
			}
			for _, s := range []valueScale{{lo: lo, hi: hi}, newScale(v, w, 5), alignedScale(v, w, 5), {}} {
				for _, x := range extremes {
					for _, h := range []float32{-3, 0, 1, 120} {
						if y := s.y(x, h); math.IsNaN(float64(y)) || math.Abs(float64(y)) > 500 {
							t.Fatalf("on %+v, %v of %v is at %v", s, x, h, y)
						}
					}
				}
			}
		}
	}
}

// TestBrokenDrawingIsToldAndEmpty: a panic in the painter would end the program.
func TestBrokenDrawingIsToldAndEmpty(t *testing.T) {
	variant(t, theme.VariantLight)
	before := Broken
	t.Cleanup(func() { Broken = before })
	var told []string
	Broken = func(value any, stack []byte) { told = append(told, fmt.Sprint(value)) }
	c := shown(t, demoLines()[:1], fyne.NewSize(300, 240))
	c.drawn.scales = nil // which cannot be
	if img := c.drawn.draw(200, 100); img == nil || painted(img) || img.Bounds().Dx() != 200 {
		t.Errorf("drawn: %v", img)
	}
	if len(told) != 1 {
		t.Errorf("told %q", told)
	}
	if c.drawn.draw(200, 100); len(told) != 1 {
		t.Error("the same picture broke twice")
	}
}

// FuzzSpark draws whatever readings there may be, at whatever size.
func FuzzSpark(f *testing.F) {
	f.Add(1e308, 1e308, 1e308, int64(1e9), uint8(3), int16(200), int16(72), float32(100), false)
	f.Add(1763797000000000000.0, 1763797000000000000.0, 0.0, int64(1), uint8(2), int16(1), int16(1), float32(1), false)
	f.Add(math.NaN(), math.Inf(-1), math.MaxFloat64, int64(math.MaxInt64), uint8(60), int16(-4), int16(900), float32(1e-9), false)
	f.Add(5e-324, 0.0, -5e-324, int64(math.MinInt64), uint8(90), int16(0), int16(0), float32(1e30), true)
	test.NewApp()
	f.Fuzz(func(t *testing.T, a, b, d float64, step int64, n uint8, w, h int16, width float32, truth bool) {
		s := NewSpark()
		s.Resize(fyne.NewSize(width, 30))
		s.kind = core.Number
		if truth {
			s.kind = core.Boolean
		}
		for i := range int(n) {
			s.readings = append(s.readings, core.Reading{At: noon.Add(time.Duration(step) * time.Duration(i)), Kind: s.kind, Value: []float64{a, b, d}[i%3]})
		}
		s.paint(int(w), int(h)%600)
	})
}

// FuzzPixels draws strokes of whatever numbers.
func FuzzPixels(f *testing.F) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	f.Add(nan, float32(1), inf, float32(2), float32(3), int8(10), int8(10))
	f.Add(float32(-1e30), float32(1e30), float32(1e30), float32(math.MaxFloat32), inf, int8(-10), int8(10))
	f.Add(float32(5), nan, float32(5), float32(5), -inf, int8(0), int8(3))
	f.Fuzz(func(t *testing.T, x0, y0, x1, y1, size float32, left, top int8) {
		var p pixels
		p.clear(40, 30)
		p.within(image.Rect(int(left), int(top), 200, 25))
		ink := LineColor(0)
		p.line(x0, y0, x1, y1, size)
		p.dot(x0, y0, size)
		p.arrow(x1, y1, size)
		p.column(floor(x0), y0, y1, ink)
		p.column(3, y0, y1, ink)
		p.fill(image.Rect(floor(x0), floor(y0), floor(x1), floor(y1)), ink)
		p.ink(ink)
		bands(&p, []vertex{{x: x0, top: y0, bottom: y1}, {x: x1, top: y1, bottom: size}}, ink)
		edges(&p, []vertex{{x: x0, top: y0, bottom: y1}, {x: x1, top: y1, bottom: size}}, size)
	})
}

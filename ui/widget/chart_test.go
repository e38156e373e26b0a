package widget

import (
	"image"
	"image/color"
	"math"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/driver/software"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	"golang.org/x/image/vector"

	"homeroom/core"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// wave makes n readings, one every step, that end at end.
func wave(n int, step time.Duration, end time.Time, f func(i int) float64) core.Trace {
	t := core.Trace{Kind: core.Number, Step: step}
	for i := range n {
		at, v := end.Add(-time.Duration(n-1-i)*step), f(i)
		t.Spans = append(t.Spans, core.Span{First: at, Last: at, Min: v, Max: v, Sum: v, N: 1, End: v})
	}
	return t
}

// without removes spans from..to.
func without(t core.Trace, from, to int) core.Trace {
	t.Spans = append(append([]core.Span(nil), t.Spans[:from]...), t.Spans[to:]...)
	return t
}

func demoLines() []Line {
	warm := wave(600, time.Second, noon, func(i int) float64 { return 21 + 2*math.Sin(float64(i)/60) })
	warm = without(warm, 300, 360)
	spiked := wave(600, time.Second, noon, func(i int) float64 {
		if i == 450 {
			return 900
		}
		return 23 + math.Cos(float64(i)/40)
	})
	damp := core.Trace{Kind: core.Number, Step: time.Second}
	for i := range 60 {
		at, v := noon.Add(-time.Duration(600-10*i)*time.Second), 48+6*math.Sin(float64(i)/9)
		damp.Spans = append(damp.Spans, core.Span{First: at, Last: at.Add(9 * time.Second), Min: v - 3, Max: v + 4, Sum: v * 10, N: 10, End: v})
	}
	lamp := core.Trace{Kind: core.Boolean}
	for i, v := range []float64{0, 1, 0, 1, 1, 0} {
		at := noon.Add(time.Duration(i*100-590) * time.Second)
		lamp.Spans = append(lamp.Spans, core.Span{First: at, Last: at, Min: v, Max: v, Sum: v, N: 1, End: v})
	}
	mode := core.Trace{Kind: core.Text}
	for i, w := range []string{"auto", "manual", "auto", "error: sensor missing", "manual"} {
		mode.Texts = append(mode.Texts, core.Reading{At: noon.Add(time.Duration(i*110-580) * time.Second), Kind: core.Text, Text: w})
	}
	return []Line{
		{Trace: warm, Title: "temperature · kit-1", Unit: "°C", Color: 0},
		{Trace: spiked, Title: "temperature · kit-2", Unit: "°C", Color: 1},
		{Trace: damp, Title: "humidity · kit-1", Unit: "%", Color: 2},
		{Trace: lamp, Title: "state_led", Color: 3},
		{Trace: mode, Title: "mode", Color: 4},
	}
}

// shown returns a chart of lines, laid out at that size in the theme's variant.
func shown(t testing.TB, lines []Line, size fyne.Size) *Chart {
	c := NewChart()
	c.Now = func() time.Time { return noon }
	c.SetLines(lines, Latest(10*time.Minute, noon))
	w := test.NewTempWindow(t, c)
	w.SetPadded(false)
	w.Resize(size)
	return c
}

// picture renders o with scale pixels a unit.
func picture(o fyne.CanvasObject, size fyne.Size, scale float32) image.Image {
	cv := software.NewCanvas()
	cv.SetPadded(false)
	cv.SetScale(scale)
	cv.SetContent(o)
	cv.Resize(size)
	return cv.Capture()
}

func variant(t testing.TB, v fyne.ThemeVariant) {
	test.NewTempApp(t)
	fyne.CurrentApp().Settings().SetTheme(fixedVariant{v})
}

type fixedVariant struct{ v fyne.ThemeVariant }

func (f fixedVariant) Color(n fyne.ThemeColorName, _ fyne.ThemeVariant) color.Color {
	return theme.DefaultTheme().Color(n, f.v)
}
func (f fixedVariant) Font(s fyne.TextStyle) fyne.Resource     { return theme.DefaultTheme().Font(s) }
func (f fixedVariant) Icon(n fyne.ThemeIconName) fyne.Resource { return theme.DefaultTheme().Icon(n) }
func (f fixedVariant) Size(n fyne.ThemeSizeName) float32       { return theme.DefaultTheme().Size(n) }

func TestChartPictures(t *testing.T) {
	lines := demoLines()
	for name, c := range map[string]struct {
		lines   []Line
		variant fyne.ThemeVariant
		scale   float32
		size    fyne.Size
		hover   bool
	}{
		"light":     {lines, theme.VariantLight, 1, fyne.NewSize(800, 520), false},
		"dark":      {lines, theme.VariantDark, 1, fyne.NewSize(800, 520), true},
		"scale2":    {lines[:3], theme.VariantLight, 2, fyne.NewSize(480, 320), false},
		"timeline":  {lines[3:], theme.VariantLight, 1, fyne.NewSize(640, 240), true},
		"one":       {lines[1:2], theme.VariantDark, 1, fyne.NewSize(480, 300), false},
		"empty":     {nil, theme.VariantLight, 1, fyne.NewSize(480, 300), false},
		"manyunits": {units(lines), theme.VariantLight, 1, fyne.NewSize(640, 360), false},
	} {
		t.Run(name, func(t *testing.T) {
			variant(t, c.variant)
			chart := shown(t, c.lines, c.size)
			if c.hover {
				chart.MouseMoved(mouse(chart.Size().Width/2, 80))
			}
			test.AssertImageMatches(t, "chart-"+name+".png", picture(chart, c.size, c.scale))
		})
	}
}

func units(lines []Line) []Line {
	out := append([]Line(nil), lines[:3]...)
	out[1].Unit = "W"
	return out
}

func mouse(x, y float32) *desktop.MouseEvent {
	return &desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(x, y)}}
}

func TestFormatNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 20.5: "20.5", 20.123456: "20.12", -0.001: "-0.001", 0.0123456: "0.0123", 1013.25: "1013.2", 99.999: "100",
		1234567: "1234567", 12345678: "12.346M", 1e15: "1e+15", 1e-9: "1e-09", -0.00000001: "-1e-08", math.Inf(1): "–", 100: "100", 5e9: "5G",
	} {
		if got := FormatNumber(v); got != want {
			t.Errorf("%v = %q, want %q", v, got, want)
		}
	}
	if got := FormatNumber(math.NaN()); got != "–" {
		t.Errorf("NaN = %q", got)
	}
}

func TestScale(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		n      int
		want   string
	}{
		{0, 100, 5, "0 20 40 60 80 100"},
		{19.2, 23.4, 5, "19 20 21 22 23 24"},
		{0, 0.037, 4, "0.00 0.01 0.02 0.03 0.04"},
		{-3, 3, 6, "-3 -2 -1 0 1 2 3"},
		{20, 20, 4, "19.5 20.0 20.5"},
		{0, 0, 4, "-0.5 0.0 0.5"},
		{0, 2.5e6, 5, "0 500k 1M 1.5M 2M 2.5M"},
		{1e15, 3e15, 2, "1e+15 2e+15 3e+15"},
	} {
		s := newScale(c.lo, c.hi, c.n)
		var got []string
		for _, v := range s.ticks() {
			got = append(got, s.label(v))
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%v to %v: %s, want %s", c.lo, c.hi, g, c.want)
		}
	}
	for _, c := range []struct {
		lo, hi float64
		n      int
		want   string
	}{
		{38.2, 53.1, 6, "36 40 44 48 52 56 60"},
		{-9.7, 3.2, 5, "-12 -8 -4 0 4 8"},
		{0, 1, 4, "0.00 0.25 0.50 0.75 1.00"},
		{7, 7, 3, "6.4 6.8 7.2 7.6"},
	} {
		s := alignedScale(c.lo, c.hi, c.n)
		var got []string
		for _, v := range s.ticks() {
			got = append(got, s.label(v))
		}
		if g := strings.Join(got, " "); s.steps() != c.n || s.lo > c.lo || s.hi < c.hi || c.want != "" && g != c.want {
			t.Errorf("%v to %v in %d steps: %s, want %s", c.lo, c.hi, c.n, g, c.want)
		}
	}
	for _, c := range [][2]float64{{-math.MaxFloat64, math.MaxFloat64}, {5e-324, 1e-323}, {1e17, 1e17 + 16}} {
		s := newScale(c[0], c[1], 5)
		if n := len(s.ticks()); n < 2 || n > 20 || !finite(s.hi-s.lo) {
			t.Errorf("%v: %d ticks of %+v", c, n, s)
		}
		if a := alignedScale(c[0], c[1], 5); !finite(a.hi-a.lo) || a.hi <= a.lo {
			t.Errorf("%v: aligned %+v", c, a)
		}
	}
}

func TestRobust(t *testing.T) {
	flat := func(n int, others ...float64) []sample {
		var vs []sample
		for _, v := range others {
			vs = append(vs, sample{v, 1})
		}
		for i := range n {
			vs = append(vs, sample{20 + float64(i%10)/10, 1})
		}
		return vs
	}
	var rolled []core.Span // a day of minutes, a spike in one of twenty
	for i := range 1440 {
		p := core.Span{Min: 20, Max: 21, Sum: 60 * 20.5, N: 60}
		if i%20 == 7 {
			p.Max = 85
		}
		rolled = append(rolled, p)
	}
	wide := make([]sample, 0, 15)
	for i := range 15 {
		wide = append(wide, sample{float64(i * 10), 1})
	}
	event := flat(400)
	for range 20 {
		event = append(event, sample{900, 1})
	}
	for name, c := range map[string]struct {
		vs          []sample
		least, most float64
		cut         bool
	}{
		"nothing":       {nil, 0, 1, false},
		"plain":         {flat(400), 20, 20.9, false},
		"one spike":     {flat(400, 900), 20, 21.5, true},
		"one hole":      {flat(400, -127), 19.5, 20.9, true},
		"both":          {flat(400, -127, 900, 901), 19.5, 21.5, true},
		"very many":     {flat(40_000, -127, 900, 901), 19.5, 21.5, true},
		"few values":    {flat(0, 1, 2, 100), 1, 100, false},
		"an event":      {event, 20, 900, false},
		"a wide spread": {wide, 0, 140, false},
		"rolled up":     {samples(nil, rolled), 20, 22, true},
	} {
		lo, hi, cut := robust(c.vs)
		if cut != c.cut || lo < c.least-0.01 || hi > c.most+0.01 || hi < lo || !cut && hi < c.most-0.01 {
			t.Errorf("%s: %v to %v, cut %v", name, lo, hi, cut)
		}
	}
}

func TestTimeTicks(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Skip("no time zones here: ", err)
	}
	at := func(s string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04:05", s, paris)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		from, to string
		n        int
		want     string
	}{
		{"2026-03-14 11:50:03", "2026-03-14 12:00:03", 6, "11:52|2026-03-14 11:54 11:56 11:58 12:00"},
		{"2026-03-14 12:00:00", "2026-03-14 12:00:10", 5, "12:00:00|2026-03-14 12:00:02 12:00:04 12:00:06 12:00:08 12:00:10"},
		{"2026-03-13 22:30:00", "2026-03-14 04:30:00", 6, "23:00|2026-03-13 00:00|2026-03-14 01:00 02:00 03:00 04:00"},
		{"2026-03-28 12:00:00", "2026-03-29 12:00:00", 8, "12:00|2026-03-28 15:00 18:00 21:00 00:00|2026-03-29 03:00 06:00 09:00 12:00"}, // the clock goes forward
		{"2026-03-10 09:00:00", "2026-03-17 09:00:00", 7, "03-11|2026 03-12 03-13 03-14 03-15 03-16 03-17"},
		{"2025-12-20 00:00:00", "2026-01-10 00:00:00", 5, "12-22|2025 12-27 01-01|2026 01-06"},
		{"2026-01-15 00:00:00", "2026-06-15 00:00:00", 5, "2026-02 2026-03 2026-04 2026-05 2026-06"},
	} {
		var got []string
		for _, tick := range timeTicks(at(c.from), at(c.to), c.n) {
			s := tick.label
			if tick.date != "" {
				s += "|" + tick.date
			}
			got = append(got, s)
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s to %s:\n got %s\nwant %s", c.from, c.to, g, c.want)
		}
	}
	if ticks := timeTicks(noon, noon, 5); ticks != nil {
		t.Error("no time has ticks:", ticks)
	}
	for length := minView; length < maxView; length = length * 5 / 4 {
		if n := len(timeTicks(noon.Add(-length), noon, 8)); n < 2 || n > 10 {
			t.Errorf("%v: %d ticks", length, n)
		}
	}
}

func TestView(t *testing.T) {
	v := Latest(time.Hour, noon)
	if !v.Follow || v.Length() != time.Hour || v.To != noon {
		t.Fatalf("latest = %+v", v)
	}
	if w := v.At(noon.Add(time.Minute)); w.To != noon.Add(time.Minute) || w.Length() != time.Hour {
		t.Errorf("a minute later = %+v", w)
	}
	back := v.Pan(-30*time.Minute, noon)
	if back.Follow || back.To != noon.Add(-30*time.Minute) || back.At(noon.Add(time.Minute)) != back {
		t.Errorf("back = %+v", back)
	}
	if w := back.Pan(2*time.Hour, noon); !w.Follow || w.To != noon || w.Length() != time.Hour {
		t.Errorf("beyond the present = %+v", w)
	}
	at := noon.Add(-45 * time.Minute)
	in := v.Zoom(at, 0.5, noon)
	if in.Follow || in.Length() != 30*time.Minute || at.Sub(in.From) != 7*time.Minute+30*time.Second {
		t.Errorf("zoomed in = %+v", in)
	}
	if w := v.Zoom(noon, 0.5, noon); !w.Follow || w.To != noon || w.Length() != 30*time.Minute {
		t.Errorf("zoomed at the present = %+v", w)
	}
	if w := in.Zoom(at, 4, noon); !w.Follow || w.To != noon || w.Length() != 2*time.Hour {
		t.Errorf("zoomed out = %+v", w)
	}
	if w := v.Zoom(noon, 1e-12, noon); w.Length() != minView {
		t.Errorf("closest = %v", w.Length())
	}
	if w := v.Zoom(noon, 1e12, noon); w.Length() != maxView {
		t.Errorf("widest = %v", w.Length())
	}
	for _, f := range []float64{0, -1, math.NaN()} {
		if w := v.Zoom(noon, f, noon); w != v {
			t.Errorf("zoom by %v = %+v", f, w)
		}
	}
}

func TestGapsAreNotDrawn(t *testing.T) {
	steady := wave(100, time.Second, noon, func(int) float64 { return 5 })
	v := Latest(100*time.Second, noon)
	s := newScale(0, 10, 5)
	for name, c := range map[string]struct {
		t    core.Trace
		gaps int
	}{
		"whole":         {steady, 0},
		"three steps":   {without(steady, 50, 52), 0},
		"four steps":    {without(steady, 50, 53), 1},
		"two holes":     {without(without(steady, 70, 80), 20, 40), 2},
		"step unknown":  {func() core.Trace { x := without(steady, 20, 80); x.Step = 0; return x }(), 0},
		"a NaN between": {func() core.Trace { x := without(steady, 50, 51); x.Spans[20].Max = math.NaN(); return x }(), 0},
	} {
		gaps := -1 // the first vertex is after one
		for _, p := range vertices(nil, c.t, v, s, 500, 100) {
			if p.after {
				gaps++
			}
		}
		if gaps != c.gaps {
			t.Errorf("%s: %d gaps, want %d", name, gaps, c.gaps)
		}
	}
}

func TestVerticesKeepExtremes(t *testing.T) {
	many := wave(100_000, time.Second, noon, func(i int) float64 {
		if i == 77_777 {
			return 9
		}
		return 5
	})
	vs := vertices(nil, many, Latest(100_000*time.Second, noon), newScale(0, 10, 5), 500, 100)
	if len(vs) > 502 {
		t.Errorf("%d vertices for 500 pixels", len(vs))
	}
	top := float32(100)
	for _, v := range vs {
		top = min(top, v.top)
	}
	if want := newScale(0, 10, 5).y(9, 100); top != want {
		t.Errorf("the highest value is drawn at %v, want %v", top, want)
	}
}

func TestSpikeIsMarkedAtTheEdge(t *testing.T) {
	variant(t, theme.VariantLight)
	c := shown(t, demoLines()[1:2], fyne.NewSize(600, 400))
	a := c.drawn.axes[0]
	if a.hi > 30 {
		t.Fatalf("a spike of 900 stretched the axis to %v", a.hi)
	}
	img := c.drawn.draw(c.drawn.area.Dx(), c.drawn.area.Dy())
	x := int(c.drawn.x(noon.Add(-149 * time.Second)))
	want := LineColor(1)
	if got := color.NRGBAModel.Convert(img.At(x, 5)).(color.NRGBA); got.A < 200 || max(got.R, want.R)-min(got.R, want.R) > 3 || max(got.B, want.B)-min(got.B, want.B) > 3 {
		t.Errorf("above the spike is %v, want %v", got, want)
	}
	c.DoubleTapped(nil)
	if a := c.drawn.axes[0]; a.hi < 900 {
		t.Errorf("a double tap shows up to %v", a.hi)
	}
}

func TestAxesByUnit(t *testing.T) {
	variant(t, theme.VariantLight)
	lines := demoLines()[:3]
	v := Latest(10*time.Minute, noon)
	as, scales, relative := axes(lines, v, false, 5, new([]sample))
	if len(as) != 2 || as[0].unit != "°C" || as[1].unit != "%" || relative {
		t.Fatalf("axes = %+v", as)
	}
	if scales[0] != scales[1] || scales[2] == scales[0] {
		t.Errorf("scales = %+v", scales)
	}
	if as, _, relative := axes(units(lines), v, false, 5, new([]sample)); len(as) != 1 || !relative {
		t.Errorf("three units: %+v", as)
	}
}

func TestSummaryOfWhatIsVisible(t *testing.T) {
	tr := wave(100, time.Second, noon, func(i int) float64 { return float64(i) })
	s := summary(tr, View{From: noon.Add(-9 * time.Second), To: noon})
	if want := (Summary{Min: 90, Max: 99, Mean: 94.5, Last: 99, N: 10}); s != want {
		t.Errorf("summary = %+v, want %+v", s, want)
	}
	if s := summary(tr, View{From: noon.Add(time.Hour), To: noon.Add(2 * time.Hour)}); s != (Summary{}) {
		t.Errorf("later = %+v", s)
	}
}

func TestStates(t *testing.T) {
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	on := func(s int, v float64) core.Span {
		return core.Span{First: at(s), Last: at(s), Min: v, Max: v, Sum: v, N: 1, End: v}
	}
	busy := core.Span{First: at(10), Last: at(20), Min: 0, Max: 1, Sum: 2, N: 8, End: 1}
	for name, c := range map[string]struct {
		t    core.Trace
		want string
	}{
		"nothing":     {core.Trace{Kind: core.Boolean}, ""},
		"held":        {core.Trace{Kind: core.Boolean, Spans: []core.Span{on(0, 1), on(5, 1), on(9, 0)}}, "0-9 On, 9-100 Off"},
		"rolled up":   {core.Trace{Kind: core.Boolean, Spans: []core.Span{on(0, 0), busy}}, "0-10 Off, 10-20 25%, 20-100 On"},
		"gap":         {core.Trace{Kind: core.Boolean, Step: time.Second, Spans: []core.Span{on(0, 1), on(1, 1), on(2, 1), on(50, 0), on(99, 0)}}, "0-3 On, 3-50 (On), 50-51 Off, 51-99 (Off), 99-100 Off"},
		"on change":   {core.Trace{Kind: core.Boolean, Step: time.Second, Spans: []core.Span{on(0, 1), on(2, 0), on(50, 1), on(51, 0)}}, "0-2 On, 2-50 Off, 50-51 On, 51-100 Off"},
		"text":        {core.Trace{Kind: core.Text, Texts: []core.Reading{{At: at(0), Text: "a"}, {At: at(4), Text: "b"}}}, "0-4 a, 4-100 b"},
		"at one time": {core.Trace{Kind: core.Text, Texts: []core.Reading{{At: at(0), Text: "a"}, {At: at(0), Text: "b"}}}, "0-100 b"},
	} {
		var got []string
		for _, s := range States(c.t, at(100)) {
			w := s.Word
			if w == "" {
				w = decimal(s.Share*100, 0) + "%"
			}
			if s.Silent {
				w = "(" + w + ")"
			}
			got = append(got, decimal(s.From.Sub(noon).Seconds(), 0)+"-"+decimal(s.To.Sub(noon).Seconds(), 0)+" "+w)
		}
		if g := strings.Join(got, ", "); g != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, g, c.want)
		}
	}
}

func TestPersonMovesView(t *testing.T) {
	variant(t, theme.VariantLight)
	c := shown(t, demoLines(), fyne.NewSize(800, 500))
	var told View
	c.OnView = func(v View) { told = v }
	start := c.View()

	c.Dragged(&fyne.DragEvent{Dragged: fyne.NewDelta(100, 0)})
	if told.Follow || told.Length() != start.Length() || !told.To.Before(noon) {
		t.Errorf("dragged to the past: %+v", told)
	}
	c.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnd})
	if told != start {
		t.Errorf("End: %+v, want %+v", told, start)
	}
	x := float32(c.drawn.area.Min.X + c.drawn.area.Dx()/4)
	before := c.at(fyne.NewPos(x, 50))
	c.Scrolled(&fyne.ScrollEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(x, 50)}, Scrolled: fyne.NewDelta(0, 10)})
	if after := c.at(fyne.NewPos(x, 50)); told.Length() >= start.Length() || after.Sub(before).Abs() > time.Millisecond {
		t.Errorf("zoomed to %v; under the pointer %v became %v", told.Length(), before, after)
	}
	c.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnd})
	c.TypedRune('+')
	if !told.Follow || told.To != noon {
		t.Errorf("+ while following: %+v", told)
	}
	var key fyne.KeyName
	c.OnKey = func(e *fyne.KeyEvent) { key = e.Name }
	c.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if key != fyne.KeyEscape {
		t.Error("Esc was kept")
	}
	line := -1
	c.OnLine = func(i int, _ fyne.Position) { line = i }
	c.Tapped(&fyne.PointEvent{Position: fyne.NewPos(100, c.drawn.legend+2*chartRow+4)})
	if line != 1 {
		t.Errorf("tapped line %d, want 1", line)
	}
}

func TestCrosshairTellsEveryValue(t *testing.T) {
	variant(t, theme.VariantLight)
	c := shown(t, demoLines(), fyne.NewSize(800, 500))
	c.MouseMoved(mouse(float32(c.drawn.area.Max.X), 100))
	var texts []string
	for _, o := range c.drawn.objects {
		if x, ok := o.(*canvas.Text); ok {
			texts = append(texts, x.Text)
		}
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{"12:00:00", "19.94 °C", "22.26 °C", "manual"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q at the crosshair; there are:\n%s", want, all)
		}
	}
	n := len(c.drawn.objects)
	c.MouseOut()
	if len(c.drawn.objects) >= n || !c.drawn.cross.Hidden {
		t.Error("the crosshair stayed")
	}
}

// TestPalette measures how far apart the colours are, in OKLab, for people
// with usual sight and as Machado et al. (2009) simulate the three kinds of
// colour blindness, and how far from the background (WCAG contrast).
func TestPalette(t *testing.T) {
	sights := map[string][9]float64{
		"usual":        {1, 0, 0, 0, 1, 0, 0, 0, 1},
		"protanopia":   {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
		"deuteranopia": {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881},
		"tritanopia":   {1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900},
	}
	linear := func(c color.NRGBA) [3]float64 {
		f := func(v uint8) float64 {
			x := float64(v) / 255
			if x <= 0.04045 {
				return x / 12.92
			}
			return math.Pow((x+0.055)/1.055, 2.4)
		}
		return [3]float64{f(c.R), f(c.G), f(c.B)}
	}
	seen := func(m [9]float64, c color.NRGBA) (lab [3]float64) {
		l := linear(c)
		var s [3]float64
		for i := range s {
			s[i] = min(max(m[3*i]*l[0]+m[3*i+1]*l[1]+m[3*i+2]*l[2], 0), 1)
		}
		a := math.Cbrt(0.4122214708*s[0] + 0.5363325363*s[1] + 0.0514459929*s[2])
		b := math.Cbrt(0.2119034982*s[0] + 0.6806995451*s[1] + 0.1073969566*s[2])
		d := math.Cbrt(0.0883024619*s[0] + 0.2817188376*s[1] + 0.6299787005*s[2])
		return [3]float64{0.2104542553*a + 0.7936177850*b - 0.0040720468*d, 1.9779984951*a - 2.4285922050*b + 0.4505937099*d, 0.0259040371*a + 0.7827717662*b - 0.8086757660*d}
	}
	y := func(c color.NRGBA) float64 {
		l := linear(c)
		return 0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2]
	}
	for name, p := range map[string]struct {
		colors [Colors]color.NRGBA
		ground color.NRGBA
	}{
		"light": {onLight, color.NRGBA{255, 255, 255, 255}},
		"dark":  {onDark, color.NRGBA{0x17, 0x17, 0x18, 255}},
	} {
		for i, a := range p.colors {
			if c := (max(y(a), y(p.ground)) + 0.05) / (min(y(a), y(p.ground)) + 0.05); c < 2.85 {
				t.Errorf("%s %d: contrast %.2f with the background", name, i, c)
			}
			for sight, m := range sights {
				for j := range i {
					u, v := seen(m, a), seen(m, p.colors[j])
					if d := math.Hypot(math.Hypot(u[0]-v[0], u[1]-v[1]), u[2]-v[2]); d < 0.065 {
						t.Errorf("%s: %d and %d are %.3f apart for %s", name, i, j, d, sight)
					}
				}
			}
		}
	}
}

func TestSparkDraws(t *testing.T) {
	variant(t, theme.VariantLight)
	for name, c := range map[string]struct {
		kind  core.Kind
		n     int
		empty bool
	}{
		"number": {core.Number, 60, false}, "boolean": {core.Boolean, 20, false}, "one": {core.Number, 1, true}, "text": {core.Text, 9, true},
	} {
		s := NewSpark()
		s.Resize(fyne.NewSize(100, 30))
		var rs []core.Reading
		for i := range c.n {
			rs = append(rs, core.Reading{At: noon.Add(time.Duration(i) * time.Second), Kind: c.kind, Value: float64(i / 3 % 2)})
		}
		s.Set(rs, c.kind, false)
		img := s.draw(200, 60).(*image.RGBA)
		empty := true
		for _, v := range img.Pix {
			empty = empty && v == 0
		}
		if empty != c.empty {
			t.Errorf("%s: empty %v", name, empty)
		}
	}
}

// FuzzChart draws whatever values there may be.
func FuzzChart(f *testing.F) {
	f.Add(1.0, 2.0, 3.0, int64(1e9), int64(1e9), uint8(3))
	f.Add(math.NaN(), math.Inf(1), -math.MaxFloat64, int64(-5), int64(math.MaxInt64), uint8(200))
	f.Add(math.MaxFloat64, 0.0, 5e-324, int64(math.MinInt64), int64(0), uint8(0))
	test.NewApp()
	c := NewChart()
	c.Now = func() time.Time { return noon }
	c.Resize(fyne.NewSize(300, 200))
	test.WidgetRenderer(c)
	f.Fuzz(func(t *testing.T, a, b, d float64, at, step int64, n uint8) {
		tr := core.Trace{Kind: core.Number, Step: time.Duration(step)}
		for i := range int(n) {
			when := noon.Add(-time.Duration(n)*time.Second + time.Duration(i)*time.Second)
			v := []float64{a, b, d}[i%3]
			tr.Spans = append(tr.Spans, core.Span{First: when, Last: when, Min: v, Max: v, Sum: v, N: 1, End: v})
		}
		bools := tr
		bools.Kind = core.Boolean
		v := Latest(time.Duration(at), noon)
		c.SetLines([]Line{{Trace: tr, Unit: "W"}, {Trace: bools, Color: 3}}, v)
		c.drawn.paint(200, 120)
		c.drawn.paint(int(at%700), int(step%700))
	})
}

// TestGapsStayWhenPanned: another part of the same readings has another usual
// step, but not other gaps.
func TestGapsStayWhenPanned(t *testing.T) {
	every := func(n int, step, end time.Duration) core.Trace {
		tr := wave(n, step, noon.Add(end), func(int) float64 { return 5 })
		tr.Series = "blue/lab/kit-1/temperature"
		return tr
	}
	slow := every(20, 10*time.Second, -100*time.Second)
	fast := every(100, time.Second, 0)
	both := slow
	both.Step, both.Spans = time.Second, append(append([]core.Span(nil), slow.Spans...), fast.Spans...)
	few := every(3, time.Hour, 0)

	c := NewChart()
	c.Now = func() time.Time { return noon }
	v := Latest(5*time.Minute, noon)
	gaps := func(tr core.Trace) int {
		c.SetLines([]Line{{Trace: tr}}, v)
		n := -1
		for _, p := range vertices(nil, c.lines[0].Trace, v, newScale(0, 10, 5), 4000, 100) {
			if p.after {
				n++
			}
		}
		return n
	}
	if n := gaps(slow); n != 0 {
		t.Fatalf("%d gaps between regular readings", n)
	}
	if n := gaps(both); n != 0 {
		t.Errorf("panned: %d gaps where there were none", n)
	}
	gaps(few)
	if got := c.lines[0].Step; got != 10*time.Second {
		t.Errorf("three readings made the usual step %v", got)
	}
	c.SetLines(nil, v)
	if n := gaps(both); n == 0 {
		t.Error("another chart knows of the first")
	}
}

// TestFocusIsAFrame: not a line along the time axis, where it looks like data.
func TestFocusIsAFrame(t *testing.T) {
	variant(t, theme.VariantLight)
	c := shown(t, demoLines()[:1], fyne.NewSize(400, 300))
	at := func(x, y int) color.Color { return c.drawn.draw(200, 100).At(x, y) }
	before := [2]color.Color{at(199, 47), at(100, 99)}
	c.FocusGained()
	if at(199, 47) == before[0] || at(100, 99) == before[1] {
		t.Error("the frame does not go around")
	}
	if got := color.NRGBAModel.Convert(at(199, 47)).(color.NRGBA); got.A > 160 {
		t.Errorf("the frame is %v: too loud", got)
	}
}

// TestLaneTellsItsNewest: as the legend does for numbers.
func TestLaneTellsItsNewest(t *testing.T) {
	variant(t, theme.VariantLight)
	mode := core.Trace{Kind: core.Text, Texts: []core.Reading{
		{At: noon.Add(-300 * time.Second), Text: "auto"}, {At: noon.Add(-200 * time.Second), Text: "\x00"}, {At: noon.Add(-time.Second), Text: "error: sensor missing"},
	}}
	c := shown(t, []Line{{Trace: mode, Title: "mode"}}, fyne.NewSize(600, 200))
	var texts []string
	for _, x := range c.drawn.texts[:c.drawn.used] {
		texts = append(texts, x.Text)
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{"error: sensor missing", "‹NUL›"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q; there are:\n%s", want, all)
		}
	}
}

// TestValueAtTheLimitIsSeenWhole: half of it would be hidden otherwise.
func TestValueAtTheLimitIsSeenWhole(t *testing.T) {
	s := newScale(0, 100, 5)
	if top, bottom := s.y(100, 200), s.y(0, 200); top < 4 || bottom > 196 || s.hi != 100 {
		t.Errorf("100 is at %v and 0 at %v of 200, up to %v", top, bottom, s.hi)
	}
}

// room is what a wall of charts shows at each update.
const (
	wallCharts = 4
	wallLines  = 4
	wallPoints = 2000
)

var wallSize = image.Pt(600, 320)

func wall(k int) []Line {
	lines := make([]Line, wallLines)
	for i := range lines {
		lines[i] = Line{Color: i, Unit: "%", Trace: wave(wallPoints, time.Second, noon, func(t int) float64 {
			x := float64(t + k)
			return 50 + 30*math.Sin(x/float64(60+i*30)+float64(i)) + 6*math.Sin(x*1.7+float64(i*t%13))
		})}
	}
	return lines
}

// BenchmarkChart is one update of 4 charts of 4 lines of 2,000 points: ours,
// with everything it computes, against the lines alone in two plain ways.
func BenchmarkChart(b *testing.B) {
	variant(b, theme.VariantLight)
	lines := wall(0)
	view := Latest(wallPoints*time.Second, noon)
	b.Run("ours", func(b *testing.B) {
		var charts [wallCharts]*Chart
		for i := range charts {
			charts[i] = NewChart()
			charts[i].Now = func() time.Time { return noon }
			charts[i].Resize(fyne.NewSize(float32(wallSize.X)+60, float32(wallSize.Y)+160))
			test.WidgetRenderer(charts[i])
		}
		b.ReportAllocs()
		for b.Loop() {
			for _, c := range charts {
				c.SetLines(lines, view)
				c.drawn.draw(wallSize.X, wallSize.Y)
			}
		}
	})
	b.Run("naive", func(b *testing.B) { // every point, golang.org/x/image/vector
		img := image.NewRGBA(image.Rectangle{Max: wallSize})
		z := vector.NewRasterizer(wallSize.X, wallSize.Y)
		b.ReportAllocs()
		for b.Loop() {
			for range wallCharts {
				clear(img.Pix)
				for _, l := range lines {
					z.Reset(wallSize.X, wallSize.Y)
					strokeAll(z, l, view)
					z.Draw(img, img.Rect, image.NewUniform(LineColor(l.Color)), image.Point{})
				}
			}
		}
	})
	b.Run("canvas.Line", func(b *testing.B) { // an object for each pair of points
		s := newScale(0, 100, 5)
		box := &fyne.Container{}
		for range wallLines * (wallPoints - 1) {
			l := canvas.NewLine(color.Black)
			l.StrokeWidth = lineWidth
			box.Objects = append(box.Objects, l)
		}
		size := fyne.NewSize(float32(wallSize.X), float32(wallSize.Y))
		cv := software.NewCanvas()
		cv.SetPadded(false)
		cv.SetContent(box)
		cv.Resize(size)
		b.ReportAllocs()
		for b.Loop() {
			for range wallCharts {
				n := 0
				for _, l := range lines {
					for i, p := range l.Spans[1:] {
						q := l.Spans[i]
						o := box.Objects[n].(*canvas.Line)
						o.Position1 = fyne.NewPos(across(view, q.First, size.Width), s.y(q.End, size.Height))
						o.Position2 = fyne.NewPos(across(view, p.First, size.Width), s.y(p.End, size.Height))
						n++
					}
				}
				cv.Capture()
			}
		}
	})
}

func strokeAll(z *vector.Rasterizer, l Line, v View) {
	s := newScale(0, 100, 5)
	w, h := float32(wallSize.X), float32(wallSize.Y)
	for i, p := range l.Spans[1:] {
		q := l.Spans[i]
		x0, y0, x1, y1 := across(v, q.First, w), s.y(q.End, h), across(v, p.First, w), s.y(p.End, h)
		length := float32(math.Hypot(float64(x1-x0), float64(y1-y0)))
		nx, ny := -(y1-y0)/length*lineWidth/2, (x1-x0)/length*lineWidth/2
		z.MoveTo(x0+nx, y0+ny)
		z.LineTo(x1+nx, y1+ny)
		z.LineTo(x1-nx, y1-ny)
		z.LineTo(x0-nx, y0-ny)
		z.ClosePath()
	}
}

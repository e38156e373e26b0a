package widget

import (
	"image"
	"image/color"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/software"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
)

// Line is one series in a Chart.
type Line struct {
	core.Trace
	Title string // what a person calls it
	Unit  string // lines of one unit share an axis
	Color int    // which of the Colors
}

// Chart shows series over time. Numbers are lines: the mean, in a band from
// the lowest to the highest value where a pixel has many readings. Booleans
// and texts are bars of states below, on the same time axis (see timeline.go).
//
// Dragging pans, the wheel zooms around the pointer, a double tap shows all
// values of the view; arrows, + and - do the same from the keyboard, and End
// follows the present again. A Chart only asks to see more: who owns it
// answers OnView with SetLines.
type Chart struct {
	fw.BaseWidget

	OnView func(View)                    // the person chose another view; may be nil
	OnLine func(i int, at fyne.Position) // the legend of line i was tapped, at an absolute position; may be nil
	OnKey  func(*fyne.KeyEvent)          // a key the chart has no use for; may be nil
	Now    func() time.Time              // time.Now, but in tests

	lines   []Line
	pace    map[core.Series]pace // of lines that have a Series
	view    View
	all     bool // the axes cover spikes too
	hover   fyne.Position
	hovered bool
	focused bool
	drawn   *chartRenderer // nil before it is shown
}

// NewChart returns a chart of the last ten minutes, without lines.
func NewChart() *Chart {
	c := &Chart{Now: time.Now, view: Latest(10*time.Minute, time.Now())}
	c.ExtendBaseWidget(c)
	return c
}

// SetLines shows these lines in this view. Lines of one Series after another
// may be different parts of it: what is once a gap stays one.
func (c *Chart) SetLines(lines []Line, v View) {
	c.lines, c.view = slices.Clone(lines), v
	known := c.pace
	c.pace = map[core.Series]pace{}
	for i := range c.lines {
		t := &c.lines[i].Trace
		if t.Series == "" {
			continue
		}
		p := known[t.Series].learn(t)
		c.pace[t.Series] = p
		t.Step = p.step
	}
	c.Refresh()
}

// pace is how often a series speaks, as far as its parts told.
type pace struct {
	step time.Duration
	sure bool // enough readings told it
}

// learn returns what is known with one more part: the longest usual step of
// all, so that moving the view never parts what it joined. A few readings tell
// only while nothing else does: their distance may be an outage.
func (p pace) learn(t *core.Trace) pace {
	const enough = 10
	n := 0
	for _, s := range t.Spans {
		n += s.N
	}
	switch sure := n >= enough; {
	case t.Step <= 0, p.sure && !sure:
		return p
	case sure && !p.sure:
		return pace{t.Step, true}
	default:
		return pace{max(p.step, t.Step), sure}
	}
}

// SetView shows the lines it has in another view.
func (c *Chart) SetView(v View) {
	if v != c.view {
		c.view = v
		c.Refresh()
	}
}

// View returns what the chart shows.
func (c *Chart) View() View { return c.view }

// ShowAll makes the value axes cover every value, or only the usual ones.
func (c *Chart) ShowAll(all bool) {
	if all != c.all {
		c.all = all
		c.Refresh()
	}
}

// Points returns how many spans a trace needs to fill the chart's width in its
// present size: one a pixel.
func (c *Chart) Points() int {
	scale := float32(1)
	if cv := fyne.CurrentApp().Driver().CanvasForObject(c); cv != nil {
		scale = cv.Scale()
	}
	return min(max(int(c.Size().Width*scale), 300), 2000)
}

// Picture draws the chart anew as an image of the same size, twice as fine,
// under a title. It runs on the UI goroutine.
func (c *Chart) Picture(title string) image.Image {
	copied := NewChart()
	copied.Now, copied.all = c.Now, c.all
	copied.SetLines(c.lines, c.view)
	heading := canvas.NewText(title, themeColor(theme.ColorNameForeground))
	heading.TextSize, heading.TextStyle.Bold = 18, true
	cv := software.NewCanvas()
	cv.SetPadded(false)
	cv.SetScale(2)
	cv.SetContent(container.NewStack(
		canvas.NewRectangle(themeColor(theme.ColorNameOverlayBackground)),
		container.New(pad{14}, container.NewBorder(heading, nil, nil, nil, copied))))
	cv.Resize(fyne.NewSize(max(c.Size().Width, 480), max(c.Size().Height, 300)).AddWidthHeight(28, 28+heading.MinSize().Height))
	return cv.Capture()
}

// Summary is what a line does in the visible stretch of time.
type Summary struct {
	Min, Max, Mean float64
	Last           float64 // the newest value
	N              int     // readings; the rest is 0 where it is
}

// summary returns what of t is visible in v.
func summary(t core.Trace, v View) Summary {
	from, to := visible(t.Spans, v)
	s := Summary{Min: math.Inf(1), Max: math.Inf(-1)}
	var sum float64
	for _, p := range t.Spans[from:to] {
		if finite(p.Min) && finite(p.Max) && finite(p.Sum) {
			s.Min, s.Max, s.Last = min(s.Min, p.Min), max(s.Max, p.Max), p.End
			sum += p.Sum
			s.N += p.N
		}
	}
	if s.N == 0 {
		return Summary{}
	}
	s.Mean = sum / float64(s.N)
	return s
}

// visible returns which spans reach into v.
func visible(spans []core.Span, v View) (from, to int) {
	from = sort.Search(len(spans), func(i int) bool { return !spans[i].Last.Before(v.From) })
	to = from + sort.Search(len(spans)-from, func(i int) bool { return spans[from+i].First.After(v.To) })
	return from, to
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// chartAxis is a value axis at one side of the chart.
type chartAxis struct {
	valueScale
	unit string
	ink  color.NRGBA // of the labels
}

// axes returns the axes to label, at most two, and the scale of each line.
// With three units or more, each line has a scale of its own and relative is
// true. buf is memory for values.
func axes(lines []Line, v View, all bool, ticks int, buf *[]sample) (as []chartAxis, scales []valueScale, relative bool) {
	var units []string
	byUnit := map[string][]int{}
	for i, l := range lines {
		if l.Kind != core.Number {
			continue
		}
		if byUnit[l.Unit] == nil {
			units = append(units, l.Unit)
		}
		byUnit[l.Unit] = append(byUnit[l.Unit], i)
	}
	scaleOf := func(beside *valueScale, which ...int) valueScale {
		vs := (*buf)[:0]
		for _, i := range which {
			from, to := visible(lines[i].Spans, v)
			vs = samples(vs, lines[i].Spans[from:to])
		}
		*buf = vs
		lo, hi := full(vs)
		if !all {
			lo, hi, _ = robust(vs)
		}
		if beside != nil {
			return alignedScale(lo, hi, beside.steps())
		}
		return newScale(lo, hi, ticks)
	}
	scales = make([]valueScale, len(lines))
	muted := themeColor(theme.ColorNamePlaceHolder)
	if len(units) > 2 {
		for i, l := range lines {
			if l.Kind == core.Number {
				scales[i] = scaleOf(nil, i)
			}
		}
		return []chartAxis{{valueScale: valueScale{0, 100, 25}, unit: "%", ink: muted}}, scales, true
	}
	var first *valueScale
	for _, u := range units {
		group := byUnit[u]
		a := chartAxis{valueScale: scaleOf(first, group...), unit: u, ink: muted}
		first = &a.valueScale
		if len(units) == 2 && len(group) == 1 {
			a.ink = LineColor(lines[group[0]].Color)
		}
		for _, i := range group {
			scales[i] = a.valueScale
		}
		as = append(as, a)
	}
	return as, scales, false
}

// Measures of a chart.
const (
	chartText   = 13 // size of axis and legend text
	chartRow    = 21 // height of a legend row
	chartLane   = 46 // height of a bar of states with its title
	chartGutter = 48 // least width of the left axis
	lineWidth   = 1.8
)

type chartRenderer struct {
	c       *Chart
	raster  *canvas.Raster
	pix     pixels
	stale   bool // pix does not show what the chart has
	texts   []*canvas.Text
	used    int // how many of texts are shown
	swatch  []*canvas.Rectangle
	marked  int // how many of swatch are shown
	cross   *canvas.Line
	tip     *canvas.Rectangle
	objects []fyne.CanvasObject

	// Where things are, as last laid out.
	area    image.Rectangle // of the raster, in whole units
	plot    int             // height of the part of area with lines
	lanesAt int             // top of the bars of states, from the top of area
	lane    int             // height of one bar of states, with its title
	legend  float32         // top of the first legend row
	axes    []chartAxis
	scales  []valueScale
	ticks   []timeTick
	values  []sample // memory of axes
	points  []vertex // memory of draw
	cols    []shade  // memory of drawLane
}

// CreateRenderer is part of fyne.Widget.
func (c *Chart) CreateRenderer() fyne.WidgetRenderer {
	r := &chartRenderer{c: c, cross: canvas.NewLine(nil), tip: canvas.NewRectangle(nil)}
	r.raster = canvas.NewRaster(r.draw)
	r.raster.ScaleMode = canvas.ImageScalePixels
	r.cross.StrokeWidth = 1
	r.tip.CornerRadius, r.tip.StrokeWidth = 6, 1
	c.drawn = r
	r.arrange()
	return r
}

func (r *chartRenderer) Destroy()                     {}
func (r *chartRenderer) MinSize() fyne.Size           { return fyne.NewSize(280, 180) }
func (r *chartRenderer) Objects() []fyne.CanvasObject { return r.objects }
func (r *chartRenderer) Layout(fyne.Size)             { r.arrange() }

// Refresh draws the lines anew, and of the texts only those that changed.
func (r *chartRenderer) Refresh() { r.arrange() }

// arrange computes the axes and places everything; the lines themselves are
// drawn when the window is painted.
func (r *chartRenderer) arrange() {
	c, size := r.c, r.c.Size()
	r.used, r.marked, r.stale = 0, 0, true
	numbers, lanes := 0, 0
	for _, l := range c.lines {
		if l.Kind == core.Number {
			numbers++
		} else {
			lanes++
		}
	}
	legend := 0
	if numbers > 0 {
		legend = (numbers + 1) * chartRow
	}
	top, bottom := 22, int(size.Height)-legend-38
	r.lane = chartLane
	if numbers == 0 {
		top = 4
		r.lane = min(110, max(chartLane, (bottom-top)/max(lanes, 1)))
	}
	r.plot, r.lanesAt = 0, 0
	switch {
	case numbers > 0 && lanes > 0:
		r.lanesAt = bottom - top - lanes*r.lane
		r.plot = r.lanesAt - 10
	case numbers > 0:
		r.plot = bottom - top
	case lanes > 0:
		bottom = min(bottom, top+lanes*r.lane)
	}
	var relative bool
	r.axes, r.scales, relative = axes(c.lines, c.view, c.all, min(max(r.plot/44, 2), 10), &r.values)
	left, right := chartGutter, 14
	for i, a := range r.axes {
		w := 0
		for _, v := range a.ticks() {
			w = max(w, int(textWidth(a.label(v), chartText))+10)
		}
		if i == 0 {
			left = max(left, w)
		} else {
			right = max(right, w)
		}
	}
	r.area = image.Rect(left, top, max(int(size.Width)-right, left+20), max(bottom, top+20))
	r.legend = float32(r.area.Max.Y + 38)
	r.ticks = timeTicks(c.view.From, c.view.To, max(2, r.area.Dx()/92))

	r.raster.Move(fyne.NewPos(float32(r.area.Min.X), float32(r.area.Min.Y)))
	r.raster.Resize(fyne.NewSize(float32(r.area.Dx()), float32(r.area.Dy())))
	r.labels(relative)
	r.lanes()
	r.rows()
	r.gather()
	canvas.Refresh(r.raster)
}

// gather lists what is shown, the crosshair last.
func (r *chartRenderer) gather() {
	r.objects = append(r.objects[:0], r.raster)
	for _, s := range r.swatch[:r.marked] {
		r.objects = append(r.objects, s)
	}
	for _, t := range r.texts[:r.used] {
		r.objects = append(r.objects, t)
	}
	// The canvas knows these two, hidden or not, so refreshing them repaints it.
	r.objects = append(r.objects, r.cross, r.tip)
	r.cross.Hidden = !r.c.hovered || !r.c.inside(r.c.hover)
	r.tip.Hidden = r.cross.Hidden
	if !r.cross.Hidden {
		r.crosshair()
	}
	r.cross.Refresh()
	r.tip.Refresh()
}

// labels writes the axes.
func (r *chartRenderer) labels(relative bool) {
	muted := themeColor(theme.ColorNamePlaceHolder)
	for i, a := range r.axes {
		for _, v := range a.ticks() {
			y := float32(r.area.Min.Y) + a.y(v, float32(r.plot)) - 8
			if i == 0 {
				r.text(a.label(v), float32(r.area.Min.X)-6, y, a.ink, fyne.TextAlignTrailing)
			} else {
				r.text(a.label(v), float32(r.area.Max.X)+6, y, a.ink, fyne.TextAlignLeading)
			}
		}
		switch {
		case relative:
			r.text(lang.L("Several units: each line fills its own scale, 0 to 100 %"), float32(r.area.Min.X), 0, a.ink, fyne.TextAlignLeading)
		case i == 0:
			r.text(a.unit, float32(r.area.Min.X)-6, -1, a.ink, fyne.TextAlignTrailing)
		default:
			r.text(a.unit, float32(r.area.Max.X)+6, -1, a.ink, fyne.TextAlignLeading)
		}
	}
	end := float32(-1000) // of the last label, so that none covers another
	for _, t := range r.ticks {
		x := float32(r.area.Min.X) + r.x(t.at)
		w := max(textWidth(t.label, chartText), textWidth(t.date, chartText))
		if x-w/2 < end+8 || x+w/2 > r.c.Size().Width {
			continue
		}
		end = x + w/2
		r.text(t.label, x, float32(r.area.Max.Y)+3, muted, fyne.TextAlignCenter)
		if t.date != "" {
			r.text(t.date, x, float32(r.area.Max.Y)+18, muted, fyne.TextAlignCenter)
		}
	}
	if r.empty() {
		r.text(lang.L("No readings in this stretch of time"), float32(r.area.Min.X+r.area.Max.X)/2, float32(r.area.Min.Y+r.area.Max.Y)/2-8, muted, fyne.TextAlignCenter)
	}
}

func (r *chartRenderer) empty() bool {
	for _, l := range r.c.lines {
		if from, to := visible(l.Spans, r.c.view); from < to || len(l.Texts) > 0 || l.Kind == core.Boolean && len(l.Spans) > 0 {
			return false
		}
	}
	return true
}

// rows writes the legend.
func (r *chartRenderer) rows() {
	c := r.c
	ink, muted := themeColor(theme.ColorNameForeground), themeColor(theme.ColorNamePlaceHolder)
	left, right := float32(r.area.Min.X), c.Size().Width-14
	names := []string{lang.L("Newest"), lang.L("Min"), lang.L("Mean"), lang.L("Max")}
	column := float32(96)
	shown := int(min(max((right-left-150)/column, 1), 4))
	row := 0
	for _, l := range c.lines {
		if l.Kind != core.Number {
			continue
		}
		if row == 0 {
			for i := range shown {
				r.text(names[i], right-float32(shown-1-i)*column, r.legend, muted, fyne.TextAlignTrailing)
			}
		}
		row++
		y := r.legend + float32(row*chartRow)
		r.mark(left, y+4, LineColor(l.Color))
		r.text(cut(l.Title, right-left-float32(shown)*column-16), left+18, y, ink, fyne.TextAlignLeading)
		s := summary(l.Trace, c.view)
		for i, v := range []float64{s.Last, s.Min, s.Mean, s.Max}[:shown] {
			text := "–"
			if s.N > 0 {
				text = withUnit(v, l.Unit)
			}
			r.text(text, right-float32(shown-1-i)*column, y, ink, fyne.TextAlignTrailing)
		}
	}
}

// withUnit writes a value and its unit.
func withUnit(v float64, unit string) string {
	if unit == "" {
		return FormatNumber(v)
	}
	return FormatNumber(v) + " " + unit
}

func cut(text string, width float32) string { return Cut(text, width, chartText, fyne.TextStyle{}) }

// Cut returns text, or as much of its beginning as fits width, and "…". Use it
// for a canvas.Text, which does not end by itself; a Cell does.
func Cut(text string, width, size float32, style fyne.TextStyle) string {
	if len(text) > 4096 {
		text = strings.ToValidUTF8(text[:4096], "")
	}
	fits := func(s string) bool { return fyne.MeasureText(s, size, style).Width <= width }
	if fits(text) {
		return text
	}
	rs := []rune(text)
	n := sort.Search(len(rs), func(n int) bool { return !fits(string(rs[:n]) + "…") })
	return string(rs[:max(n-1, 0)]) + "…"
}

func textWidth(text string, size float32) float32 {
	if text == "" {
		return 0
	}
	return fyne.MeasureText(text, size, fyne.TextStyle{}).Width
}

// text shows one more text; align says which end of it is at x.
func (r *chartRenderer) text(text string, x, y float32, ink color.NRGBA, align fyne.TextAlign) {
	if text == "" {
		return
	}
	if r.used == len(r.texts) {
		r.texts = append(r.texts, canvas.NewText("", nil))
	}
	t := r.texts[r.used]
	r.used++
	if t.Text != text || t.Color != color.Color(ink) {
		t.Text, t.Color, t.TextSize = text, ink, chartText
		t.Resize(t.MinSize())
		t.Refresh()
	}
	switch w := t.MinSize().Width; align {
	case fyne.TextAlignTrailing:
		x -= w
	case fyne.TextAlignCenter:
		x -= w / 2
	}
	t.Move(fyne.NewPos(x, y))
}

// mark shows one more square of a line's colour.
func (r *chartRenderer) mark(x, y float32, ink color.NRGBA) {
	if r.marked == len(r.swatch) {
		s := canvas.NewRectangle(nil)
		s.CornerRadius = 3
		s.Resize(fyne.NewSquareSize(10))
		r.swatch = append(r.swatch, s)
	}
	s := r.swatch[r.marked]
	r.marked++
	if s.FillColor != color.Color(ink) {
		s.FillColor = ink
		s.Refresh()
	}
	s.Move(fyne.NewPos(x, y))
}

// x returns where at is, from the left of the area.
func (r *chartRenderer) x(at time.Time) float32 { return across(r.c.view, at, float32(r.area.Dx())) }

// across returns where at is in a view that is so many units wide.
func across(v View, at time.Time, width float32) float32 {
	x := float64(at.Sub(v.From)) / float64(max(v.Length(), 1)) * float64(width)
	return float32(min(max(x, -1e6), 1e6))
}

// draw returns the picture of the lines at w by h pixels.
func (r *chartRenderer) draw(w, h int) image.Image { return r.pix.safely(w, h, r.paint) }

// paint draws the grid, the lines and the bars of states at w by h pixels.
func (r *chartRenderer) paint(w, h int) image.Image {
	p := &r.pix
	if !r.stale && p.img != nil && p.img.Rect.Dx() == w && p.img.Rect.Dy() == h {
		return p.img
	}
	r.stale = false
	p.clear(w, h)
	grid := themeColor(theme.ColorNameSeparator)
	scale := density(w, float32(r.area.Dx()))
	thin := max(1, int(scale+0.25))
	plot := min(max(int(float32(r.plot)*scale+0.5), 0), p.img.Rect.Dy())
	lines := image.Rect(0, 0, w, plot)
	for _, t := range r.ticks {
		x := floor(r.x(t.at) * scale)
		p.fill(image.Rect(x, 0, x+thin, h), grid)
	}
	if len(r.axes) > 0 {
		for _, v := range r.axes[0].ticks() {
			y := min(floor(r.axes[0].y(v, float32(plot))), plot-thin)
			p.fill(image.Rect(0, y, w, y+thin), grid)
		}
	}
	p.within(lines)
	r.points = r.points[:0]
	var ends [][2]int // of each line in r.points
	for i, l := range r.c.lines {
		start := len(r.points)
		if l.Kind == core.Number {
			r.points = vertices(r.points, l.Trace, r.c.view, r.scales[i], float32(w), float32(plot))
			bands(p, r.points[start:], LineColor(l.Color))
		}
		ends = append(ends, [2]int{start, len(r.points)})
	}
	lane := 0
	for i, l := range r.c.lines {
		if l.Kind == core.Number {
			p.within(lines)
			r.drawLine(l, r.points[ends[i][0]:ends[i][1]], scale)
			continue
		}
		p.clip = p.img.Rect
		top := float32(r.lanesAt+lane*r.lane+laneTitle) * scale
		r.drawLane(l, top, float32(r.lane-laneTitle-laneGap)*scale)
		lane++
	}
	p.clip = p.img.Rect
	if r.c.focused {
		frame := themeColor(theme.ColorNameFocus)
		for _, side := range []image.Rectangle{
			image.Rect(0, 0, w, thin), image.Rect(0, h-thin, w, h),
			image.Rect(0, thin, thin, h-thin), image.Rect(w-thin, thin, w, h-thin),
		} {
			p.fill(side, frame)
		}
	}
	return p.img
}

// vertex is where a line passes: the mean of what fell on one column of pixels.
type vertex struct {
	x, mid, top, bottom float32 // pixels
	single              bool    // it is one reading
	after               bool    // a gap is before it
}

// vertices returns where a line passes in a picture w by h pixels, one vertex
// for each column of pixels at most. It appends to vs.
func vertices(vs []vertex, t core.Trace, v View, s valueScale, w, h float32) []vertex {
	from, to := visible(t.Spans, v)
	from, to = max(from-1, 0), min(to+1, len(t.Spans)) // the line goes on beyond the edges
	var lo, hi, sum float64
	var n, column int
	var x float32
	var after bool
	flush := func() {
		if n > 0 {
			vs = append(vs, vertex{x, s.y(sum/float64(n), h), s.y(hi, h), s.y(lo, h), n == 1, after})
		}
		n = 0
	}
	var last time.Time
	for _, p := range t.Spans[from:to] {
		if !finite(p.Min) || !finite(p.Max) || !finite(p.Sum) || p.N == 0 {
			continue
		}
		px := across(v, p.First.Add(p.Last.Sub(p.First)/2), w)
		hole := last.IsZero() || gap(t, p.First.Sub(last))
		last = p.Last
		if n > 0 && floor(px) == column && !hole {
			lo, hi, sum, n = min(lo, p.Min), max(hi, p.Max), sum+p.Sum, n+p.N
			continue
		}
		flush()
		lo, hi, sum, n, x, column, after = p.Min, p.Max, p.Sum, p.N, px, floor(px), hole
	}
	flush()
	return vs
}

// drawLine paints one line of numbers.
func (r *chartRenderer) drawLine(l Line, vs []vertex, scale float32) {
	p := &r.pix
	ink := LineColor(l.Color)
	apart := float32(0) // the mean distance of two vertices
	if len(vs) > 1 {
		apart = (vs[len(vs)-1].x - vs[0].x) / float32(len(vs)-1)
	}
	for i, v := range vs {
		next := i+1 < len(vs) && !vs[i+1].after
		if next {
			p.line(v.x, v.mid, vs[i+1].x, vs[i+1].mid, lineWidth*scale)
		}
		alone := v.after && !next
		if alone {
			p.column(floor(v.x), v.top, v.bottom, ink)
		}
		if alone || v.single && apart > 14*scale {
			p.dot(v.x, v.mid, 2.6*scale)
		}
	}
	if n := len(vs); n > 0 && r.c.view.Follow && !gap(l.Trace, r.c.view.To.Sub(l.Spans[len(l.Spans)-1].Last)) {
		radius := 3.6 * scale
		p.dot(min(vs[n-1].x, float32(p.clip.Max.X)-radius), vs[n-1].mid, radius)
	}
	edges(p, vs, scale)
	p.ink(ink)
}

// bands paints what lies between the lowest and the highest values of a line.
func bands(p *pixels, vs []vertex, c color.NRGBA) {
	c.A = 72
	for i := 0; i+1 < len(vs); i++ {
		a, b := vs[i], vs[i+1]
		if b.after || a.bottom-a.top < 1 && b.bottom-b.top < 1 {
			continue
		}
		for x := max(floor(a.x+0.5), p.clip.Min.X); x < min(floor(b.x+0.5), p.clip.Max.X); x++ {
			share := (float32(x) + 0.5 - a.x) / (b.x - a.x)
			p.column(x, a.top+share*(b.top-a.top), a.bottom+share*(b.bottom-a.bottom), c)
		}
	}
}

// edges marks with arrows where values are beyond the axis.
func edges(p *pixels, vs []vertex, scale float32) {
	up, down := float32(-1e9), float32(-1e9) // the last arrow's place
	for _, v := range vs {
		if v.top < -1 && v.x-up > 9*scale {
			up = v.x
			p.arrow(v.x, scale, 7*scale)
		}
		if v.bottom > float32(p.clip.Dy())+1 && v.x-down > 9*scale {
			down = v.x
			p.arrow(v.x, float32(p.clip.Dy())-scale, -7*scale)
		}
	}
}

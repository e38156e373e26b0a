package widget

import (
	"image/color"
	"math"
	"sort"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"

	"homeroom/core"
)

var (
	_ desktop.Hoverable   = (*Chart)(nil)
	_ desktop.Cursorable  = (*Chart)(nil)
	_ fyne.Draggable      = (*Chart)(nil)
	_ fyne.Scrollable     = (*Chart)(nil)
	_ fyne.DoubleTappable = (*Chart)(nil)
	_ fyne.Tappable       = (*Chart)(nil)
	_ fyne.Focusable      = (*Chart)(nil)
)

// Cursor is part of desktop.Cursorable.
func (c *Chart) Cursor() desktop.Cursor {
	if c.inside(c.hover) {
		return desktop.CrosshairCursor
	}
	return desktop.DefaultCursor
}

// MouseIn is part of desktop.Hoverable.
func (c *Chart) MouseIn(e *desktop.MouseEvent) { c.MouseMoved(e) }

// MouseMoved moves the crosshair.
func (c *Chart) MouseMoved(e *desktop.MouseEvent) {
	c.hover, c.hovered = e.Position, true
	c.point()
}

// MouseOut hides the crosshair.
func (c *Chart) MouseOut() {
	c.hovered = false
	c.point()
}

func (c *Chart) point() {
	if c.drawn != nil {
		c.drawn.gather()
	}
}

// Dragged pans.
func (c *Chart) Dragged(e *fyne.DragEvent) {
	c.hover = e.Position
	if c.drawn != nil {
		c.look(c.view.Pan(-c.per(e.Dragged.DX), c.Now()))
	}
}

// DragEnd is part of fyne.Draggable.
func (c *Chart) DragEnd() {}

// per returns how much time dx units are.
func (c *Chart) per(dx float32) time.Duration {
	return time.Duration(float64(dx) / float64(max(c.drawn.area.Dx(), 1)) * float64(c.view.Length()))
}

// Scrolled zooms around the pointer, or pans where the wheel moves sideways.
func (c *Chart) Scrolled(e *fyne.ScrollEvent) {
	if c.drawn == nil {
		return
	}
	v := c.view
	if e.Scrolled.DX != 0 {
		v = v.Pan(-c.per(e.Scrolled.DX*4), c.Now())
	}
	if e.Scrolled.DY != 0 {
		turn := min(max(float64(e.Scrolled.DY)/40, -1), 1)
		v = v.Zoom(c.at(e.Position), math.Pow(0.72, turn), c.Now())
	}
	c.look(v)
}

// Tapped takes the keyboard, and tells OnLine where the legend was tapped.
func (c *Chart) Tapped(e *fyne.PointEvent) {
	if cv := fyne.CurrentApp().Driver().CanvasForObject(c); cv != nil {
		cv.Focus(c)
	}
	if i := c.lineAt(e.Position); i >= 0 && c.OnLine != nil {
		c.OnLine(i, e.AbsolutePosition)
	}
}

// lineAt returns which line's legend is at pos, or -1.
func (c *Chart) lineAt(pos fyne.Position) int {
	r := c.drawn
	if r == nil {
		return -1
	}
	row, lane := 0, 0
	for i, l := range c.lines {
		var top, height float32
		if l.Kind == core.Number {
			row++
			top, height = r.legend+float32(row*chartRow), chartRow
		} else {
			top, height = float32(r.area.Min.Y+r.lanesAt+lane*r.lane), laneTitle
			lane++
		}
		if pos.Y >= top && pos.Y < top+height {
			return i
		}
	}
	return -1
}

// DoubleTapped shows all there is in the view: every value, and no empty time around it.
func (c *Chart) DoubleTapped(*fyne.PointEvent) {
	if c.all {
		c.ShowAll(false)
		return
	}
	c.ShowAll(true)
	var from, to time.Time
	for _, l := range c.lines {
		a, b := visible(l.Spans, c.view)
		if a == b {
			continue
		}
		if first := later(l.Spans[a].First, c.view.From); from.IsZero() || first.Before(from) {
			from = first
		}
		to = later(to, l.Spans[b-1].Last)
	}
	if from.IsZero() || to.Sub(from) > c.view.Length()*9/10 || !to.After(from) {
		return
	}
	v := c.view
	v.From = from.Add(-to.Sub(from) / 20)
	if !v.Follow {
		v.To = to.Add(to.Sub(from) / 20)
	}
	c.look(v)
}

// FocusGained is part of fyne.Focusable.
func (c *Chart) FocusGained() { c.setFocus(true) }

// FocusLost is part of fyne.Focusable.
func (c *Chart) FocusLost() { c.setFocus(false) }

func (c *Chart) setFocus(on bool) {
	c.focused = on
	c.Refresh()
}

// TypedRune zooms.
func (c *Chart) TypedRune(r rune) {
	switch r {
	case '+', '=':
		c.zoom(0.5)
	case '-', '_':
		c.zoom(2)
	}
}

// zoom zooms around the present where the view follows it, or around the middle.
func (c *Chart) zoom(factor float64) {
	at := c.view.To
	if !c.view.Follow {
		at = c.view.From.Add(c.view.Length() / 2)
	}
	c.look(c.view.Zoom(at, factor, c.Now()))
}

// TypedKey pans, zooms and follows.
func (c *Chart) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyLeft:
		c.look(c.view.Pan(-c.view.Length()/5, c.Now()))
	case fyne.KeyRight:
		c.look(c.view.Pan(c.view.Length()/5, c.Now()))
	case fyne.KeyUp:
		c.zoom(0.5)
	case fyne.KeyDown:
		c.zoom(2)
	case fyne.KeyEnd:
		c.look(Latest(c.view.Length(), c.Now()))
	default:
		if c.OnKey != nil {
			c.OnKey(e)
		}
	}
}

// look shows another view that the person chose.
func (c *Chart) look(v View) {
	if v == c.view {
		return
	}
	c.SetView(v)
	if c.OnView != nil {
		c.OnView(v)
	}
}

// inside reports whether pos is where lines and states are.
func (c *Chart) inside(pos fyne.Position) bool {
	if c.drawn == nil {
		return false
	}
	a := c.drawn.area
	return pos.X >= float32(a.Min.X) && pos.X <= float32(a.Max.X) && pos.Y >= float32(a.Min.Y) && pos.Y <= float32(a.Max.Y)
}

// at returns the time at pos.
func (c *Chart) at(pos fyne.Position) time.Time {
	return c.view.From.Add(c.per(pos.X - float32(c.drawn.area.Min.X)))
}

// valueAt returns what a line says at a time: its reading nearest to it that is
// at most so far away, or the state it was in. "" is none.
func valueAt(l Line, at time.Time, reach time.Duration, end time.Time) string {
	if l.Kind != core.Number {
		for _, s := range States(l.Trace, end) {
			if !at.Before(s.From) && at.Before(s.To) {
				if s.Word == "" {
					return Word(true) + " / " + Word(false)
				}
				return s.Word
			}
		}
		return ""
	}
	spans := l.Spans
	i := sort.Search(len(spans), func(i int) bool { return !spans[i].Last.Before(at) })
	best, far := -1, max(reach, l.Step*3/2)
	for j := max(i-1, 0); j < min(i+1, len(spans)); j++ {
		d := max(spans[j].First.Sub(at), at.Sub(spans[j].Last), 0)
		if d <= far {
			best, far = j, d
		}
	}
	if best < 0 {
		return ""
	}
	s := spans[best]
	text := withUnit(s.Sum/float64(max(s.N, 1)), l.Unit)
	if s.N > 1 && s.Max > s.Min {
		text += "  (" + FormatNumber(s.Min) + " … " + FormatNumber(s.Max) + ")"
	}
	return text
}

// crosshair adds to what is shown, under the pointer: a line, and a box with
// the time and every line's value there.
func (r *chartRenderer) crosshair() {
	c := r.c
	at := c.at(c.hover)
	ink, muted := themeColor(theme.ColorNameForeground), themeColor(theme.ColorNamePlaceHolder)
	r.cross.StrokeColor = muted
	r.cross.Position1 = fyne.NewPos(c.hover.X, float32(r.area.Min.Y))
	r.cross.Position2 = fyne.NewPos(c.hover.X, float32(r.area.Max.Y))
	r.tip.FillColor, r.tip.StrokeColor = themeColor(theme.ColorNameMenuBackground), themeColor(theme.ColorNameSeparator)

	layout := "15:04:05"
	if c.view.Length() < time.Minute {
		layout = "15:04:05.0"
	}
	if y, m, d := c.view.From.Date(); at.Sub(time.Date(y, m, d, 0, 0, 0, 0, at.Location())) >= 24*time.Hour || c.view.Length() > 12*time.Hour {
		layout = "2006-01-02 15:04:05"
	}
	type entry struct {
		title, value string
		ink          color.NRGBA
	}
	var entries []entry
	names, values := textWidth(at.Format(layout), chartText)-20, float32(0)
	for _, l := range c.lines {
		value := valueAt(l, at, c.per(6), earlier(c.view.To, c.Now()))
		if value == "" {
			value = "–"
		}
		e := entry{cut(l.Title, 200), value, LineColor(l.Color)}
		if l.Kind == core.Text {
			e.ink = muted
		}
		entries = append(entries, e)
		names = max(names, textWidth(e.title, chartText))
		values = max(values, textWidth(cut(e.value, 220), chartText))
	}
	size := fyne.NewSize(names+values+52, float32(chartRow*(len(entries)+1)+10))
	pos := fyne.NewPos(c.hover.X+14, min(c.hover.Y+10, c.Size().Height-size.Height))
	if pos.X+size.Width > c.Size().Width {
		pos.X = max(c.hover.X-14-size.Width, 0)
	}
	pos.Y = max(pos.Y, 0)
	r.tip.Move(pos)
	r.tip.Resize(size)
	texts, marks := r.used, r.marked
	y := pos.Y + 5
	r.text(at.Format(layout), pos.X+10, y, muted, fyne.TextAlignLeading)
	for _, e := range entries {
		y += chartRow
		r.mark(pos.X+10, y+4, e.ink)
		r.text(e.title, pos.X+26, y, ink, fyne.TextAlignLeading)
		r.text(cut(e.value, 220), pos.X+size.Width-10, y, ink, fyne.TextAlignTrailing)
	}
	for _, s := range r.swatch[marks:r.marked] {
		r.objects = append(r.objects, s)
	}
	for _, t := range r.texts[texts:r.used] {
		r.objects = append(r.objects, t)
	}
	r.used, r.marked = texts, marks
}

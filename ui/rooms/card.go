package rooms

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// Measures of the overview.
const (
	cardWidth  = 232 // at least
	cardHeight = 118
	cardGap    = 10
	cardEdge   = 12 // space inside a card
)

// unknown is a time at which nothing was drawn.
var unknown = time.Unix(1, 0)

// card shows the newest value of one series. Cards are few and are given
// another entry when they scroll into view.
type card struct {
	widget.Press
	e     *entry // nil before the first bind
	old   bool
	now   time.Time // as last shown
	drawn time.Time // newest point that the spark shows

	ground                       *canvas.Rectangle
	name, kit, value, unit, path *canvas.Text
	age                          *canvas.Text
	dot                          *canvas.Circle
	spark                        *widget.Spark
}

func newCard(open func(core.Series)) *card {
	text := func(size float32, bold bool) *canvas.Text {
		t := canvas.NewText("", nil)
		t.TextSize, t.TextStyle.Bold = size, bold
		return t
	}
	c := &card{
		ground: canvas.NewRectangle(nil), dot: canvas.NewCircle(nil), spark: widget.NewSpark(),
		name: text(15, true), kit: text(12, false), value: text(26, false), unit: text(15, false), path: text(11, false), age: text(12, false),
	}
	c.OnPress = func() {
		if c.e != nil {
			open(c.e.Series)
		}
	}
	c.ExtendBaseWidget(c)
	return c
}

// bind makes the card show e.
func (c *card) bind(e *entry, now time.Time) {
	if c.e != e {
		c.e, c.drawn = e, unknown
		c.MouseOut()
	}
	c.update(now)
}

// update shows what is new about the entry.
func (c *card) update(now time.Time) {
	if c.now = now; c.e == nil {
		return
	}
	c.paint()
	// A value may come ten times a second, a point of its line only once.
	if n := len(c.e.Spark); n > 0 && !c.e.Spark[n-1].At.Equal(c.drawn) || n == 0 && !c.drawn.IsZero() {
		c.drawn = time.Time{}
		if n > 0 {
			c.drawn = c.e.Spark[n-1].At
		}
		c.spark.Set(c.e.Spark, c.e.kind(), c.old)
	}
}

// set changes a text, where it changed.
func set(t *canvas.Text, text string, ink fyne.ThemeColorName) {
	c := theme.Color(ink)
	if t.Text != text || t.Color != c {
		t.Text, t.Color = text, c
		t.Resize(t.MinSize())
		t.Refresh()
	}
}

// paint places the texts and gives everything its colour.
func (c *card) paint() {
	e, w, now := c.e, c.Size().Width, c.now
	if e == nil || w <= 0 {
		return
	}
	old := e.stale(now)
	if old != c.old {
		c.old, c.drawn = old, unknown
	}
	ink := theme.ColorNameForeground
	if old {
		ink = theme.ColorNamePlaceHolder
	}
	stroke, fill, width := theme.ColorNameSeparator, theme.ColorNameOverlayBackground, float32(1)
	if e.calls {
		stroke, fill, width = theme.ColorNameError, widget.ColorErrorTint, 2
	}
	if c.Hovered() || c.Focused() {
		stroke, width = theme.ColorNamePrimary, 2
	}
	if g := c.ground; g.FillColor != theme.Color(fill) || g.StrokeColor != theme.Color(stroke) {
		g.FillColor, g.StrokeColor, g.StrokeWidth = theme.Color(fill), theme.Color(stroke), width
		g.CornerRadius = theme.Size(theme.SizeNameCardRadius)
		g.Refresh()
	}
	inner := w - 2*cardEdge
	place := func(t *canvas.Text, x, y float32) {
		t.Move(fyne.NewPos(x, y))
	}
	kit := widget.Cut(e.kit, inner*0.5, c.kit.TextSize, c.kit.TextStyle)
	set(c.kit, kit, theme.ColorNamePlaceHolder)
	place(c.kit, w-cardEdge-c.kit.MinSize().Width, 13)
	set(c.name, widget.Cut(e.title(), inner-c.kit.MinSize().Width-8, c.name.TextSize, c.name.TextStyle), theme.ColorNameForeground)
	place(c.name, cardEdge, 10)

	x := float32(cardEdge)
	c.dot.Hidden = e.kind() != core.Boolean
	if !c.dot.Hidden {
		color, line := theme.Color(theme.ColorNameSeparator), theme.Color(theme.ColorNamePlaceHolder)
		if on, _ := e.on(); on {
			color, line = theme.Color(theme.ColorNameSuccess), theme.Color(theme.ColorNameSuccess)
		}
		if c.dot.FillColor != color {
			c.dot.FillColor, c.dot.StrokeColor, c.dot.StrokeWidth = color, line, 1.5
			c.dot.Refresh()
		}
		c.dot.Resize(fyne.NewSquareSize(16))
		c.dot.Move(fyne.NewPos(x, 51))
		x += 25
	}
	unit := unitOf(e)
	set(c.unit, unit, theme.ColorNamePlaceHolder)
	room := inner - (x - cardEdge)
	c.spark.Hidden = e.Newest.Kind == core.Text
	if !c.spark.Hidden {
		room = w*0.56 - x
	}
	size := float32(26)
	if e.kind() == core.Text {
		size = 20
	}
	value := e.value()
	if c.value.TextSize != size {
		c.value.TextSize = size
		c.value.Text = ""
	}
	set(c.value, widget.Cut(value, max(room-c.unit.MinSize().Width-5, 40), size, c.value.TextStyle), ink)
	place(c.value, x, 59-c.value.MinSize().Height/2)
	place(c.unit, x+c.value.MinSize().Width+5, 59+c.value.MinSize().Height/2-c.unit.MinSize().Height-4)
	left := max(w*0.56, c.unit.Position().X+c.unit.MinSize().Width+10)
	c.spark.Move(fyne.NewPos(left, 42))
	c.spark.Resize(fyne.NewSize(max(w-cardEdge-left, 10), 36))

	set(c.age, lang.Ago(now.Sub(e.Newest.At)), theme.ColorNamePlaceHolder)
	place(c.age, w-cardEdge-c.age.MinSize().Width, cardHeight-26)
	set(c.path, widget.Cut(string(e.Series), inner-c.age.MinSize().Width-10, c.path.TextSize, c.path.TextStyle), theme.ColorNamePlaceHolder)
	place(c.path, cardEdge, cardHeight-25)
}

// CreateRenderer is part of fyne.Widget.
func (c *card) CreateRenderer() fyne.WidgetRenderer {
	return &cardRenderer{c, []fyne.CanvasObject{c.ground, c.name, c.kit, c.value, c.unit, c.dot, c.spark, c.path, c.age}}
}

type cardRenderer struct {
	c       *card
	objects []fyne.CanvasObject
}

func (r *cardRenderer) Destroy()                     {}
func (r *cardRenderer) MinSize() fyne.Size           { return fyne.NewSize(cardWidth, cardHeight) }
func (r *cardRenderer) Objects() []fyne.CanvasObject { return r.objects }

func (r *cardRenderer) Layout(size fyne.Size) {
	r.c.ground.Resize(size)
	r.Refresh()
}

// Refresh is for another theme or size; values come by update.
func (r *cardRenderer) Refresh() {
	if r.c.e != nil {
		r.c.paint()
		r.c.spark.Refresh()
	}
}

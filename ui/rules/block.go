package rules

import (
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/core"
	"homeroom/ui/widget"
)

// block is a part of a rule that reads as a part of a sentence, in a colour of its
// own. A tap opens its form.
type block struct {
	fw.BaseWidget
	ink     fyne.ThemeColorName
	ground  *canvas.Rectangle
	edge    *canvas.Rectangle
	caption *canvas.Text
	lines   *fyne.Container
	edit    *fw.Button
	body    *fyne.Container
	all     fyne.CanvasObject
	onOpen  func(open bool)
}

func newBlock(caption string, ink fyne.ThemeColorName, onOpen func(bool)) *block {
	b := &block{ink: ink, ground: canvas.NewRectangle(nil), edge: canvas.NewRectangle(nil), caption: canvas.NewText(caption, nil), onOpen: onOpen}
	b.caption.TextStyle.Bold = true
	b.lines = container.New(layout.NewCustomPaddedVBoxLayout(-10))
	b.edit = fw.NewButtonWithIcon("", theme.DocumentCreateIcon(), b.toggle)
	b.edit.Importance = fw.LowImportance
	b.body = container.New(stack{8})
	b.body.Hide()
	head := container.NewBorder(nil, nil, nil, container.NewVBox(b.edit),
		container.New(stack{0}, container.New(layout.NewCustomPaddedLayout(2, 0, 9, 0), b.caption), b.lines))
	b.all = container.NewStack(b.ground, container.NewBorder(nil, nil, container.New(layout.NewCustomPaddedLayout(8, 8, 6, 0), container.NewGridWrap(fyne.NewSize(4, 4), canvas.NewRectangle(color.Transparent))), nil,
		container.New(layout.NewCustomPaddedLayout(4, 8, 0, 8), container.New(stack{4}, head, b.body))), container.New(leading{}, b.edge))
	b.ExtendBaseWidget(b)
	return b
}

// say shows the sentences.
func (b *block) say(lines []string, muted bool) {
	importance := fw.MediumImportance
	if muted {
		importance = fw.LowImportance
	}
	for len(b.lines.Objects) < len(lines) {
		l := widget.Text("")
		l.SizeName = theme.SizeNameSubHeadingText
		b.lines.Add(l)
	}
	b.lines.Objects = b.lines.Objects[:len(lines)]
	for i, text := range lines {
		l := b.lines.Objects[i].(*fw.Label)
		if l.Text != text || l.Importance != importance {
			l.Importance = importance
			l.SetText(text)
		}
	}
	b.lines.Refresh()
}

func (b *block) open() bool { return b.body.Visible() }

func (b *block) toggle() { b.setOpen(!b.open()) }

func (b *block) setOpen(open bool) {
	if b.open() == open {
		return
	}
	icon := theme.DocumentCreateIcon()
	if open {
		icon = theme.ConfirmIcon()
	}
	b.edit.SetIcon(icon)
	widget.SetVisible(b.body, open)
	b.onOpen(open)
}

// fill replaces the form.
func (b *block) fill(rows ...fyne.CanvasObject) {
	b.body.Objects = rows
	b.body.Refresh()
}

// Tapped is part of fyne.Tappable.
func (b *block) Tapped(*fyne.PointEvent) {
	if !b.open() {
		b.toggle()
	}
}

// CreateRenderer is part of fyne.Widget.
func (b *block) CreateRenderer() fyne.WidgetRenderer {
	b.paint()
	return fw.NewSimpleRenderer(b.all)
}

// Refresh is part of fyne.CanvasObject.
func (b *block) Refresh() {
	b.paint()
	b.BaseWidget.Refresh()
}

func (b *block) paint() {
	ink := color.NRGBAModel.Convert(theme.Color(b.ink)).(color.NRGBA)
	b.caption.Color, b.caption.TextSize = ink, theme.CaptionTextSize()
	b.edge.FillColor, b.edge.CornerRadius = ink, 3
	b.ground.StrokeColor, b.ground.StrokeWidth = theme.Color(theme.ColorNameSeparator), 1
	ink.A = 0x1c
	b.ground.FillColor, b.ground.CornerRadius = ink, theme.Size(theme.SizeNameCardRadius)
}

// leading puts a bar along the left edge.
type leading struct{}

func (leading) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Move(fyne.NewPos(6, 10))
		o.Resize(fyne.NewSize(5, max(0, size.Height-20)))
	}
}

func (leading) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.Size{} }

// stack places objects below each other, as high as they are once they have the
// width: text wraps.
type stack struct{ gap float32 }

func (s stack) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	y := float32(0)
	for _, o := range objects {
		if o.Visible() {
			o.Move(fyne.NewPos(0, y))
			y += fit(o, size.Width) + s.gap
		}
	}
}

func (s stack) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var m fyne.Size
	for _, o := range objects {
		if o.Visible() {
			if m.Height > 0 {
				m.Height += s.gap
			}
			min := o.MinSize()
			m = fyne.NewSize(max(m.Width, min.Width), m.Height+min.Height)
		}
	}
	return m
}

// fit makes o that wide and as high as it is then, and returns the height.
func fit(o fyne.CanvasObject, width float32) float32 {
	for range 2 {
		o.Resize(fyne.NewSize(width, o.MinSize().Height))
	}
	return o.MinSize().Height
}

// sides places two objects side by side where there is room, else below each other.
type sides struct{ wide bool }

func (s *sides) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	const gap = 12
	s.wide = size.Width >= 960
	if !s.wide {
		stack{gap}.Layout(objects, size)
		return
	}
	left := (size.Width - gap) * 0.58
	objects[0].Move(fyne.NewPos(0, 0))
	fit(objects[0], left)
	objects[1].Move(fyne.NewPos(left+gap, 0))
	fit(objects[1], size.Width-gap-left)
}

func (s *sides) MinSize(objects []fyne.CanvasObject) fyne.Size {
	a, b := objects[0].MinSize(), objects[1].MinSize()
	if s.wide {
		return fyne.NewSize(max(a.Width, b.Width), max(a.Height, b.Height))
	}
	return fyne.NewSize(max(a.Width, b.Width), a.Height+12+b.Height)
}

// tall makes its object that high.
type tall struct{ height float32 }

func (tall) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(size)
	}
}

func (t tall) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(objects[0].MinSize().Width, t.height)
}

// ticks shows when something happened between two times.
type ticks struct {
	fw.BaseWidget
	count [ticksN]int
}

const ticksN = 120

func newTicks() *ticks {
	t := &ticks{}
	t.ExtendBaseWidget(t)
	return t
}

func (t *ticks) set(all []core.Firing, from, to time.Time) {
	t.count = [ticksN]int{}
	for _, f := range all {
		i := int(float64(f.At.Sub(from)) / float64(to.Sub(from)) * ticksN)
		t.count[min(max(i, 0), ticksN-1)]++
	}
	t.Refresh()
}

// CreateRenderer is part of fyne.Widget.
func (t *ticks) CreateRenderer() fyne.WidgetRenderer {
	r := &ticksRenderer{t: t, ground: canvas.NewRectangle(nil)}
	r.all = append(r.all, r.ground)
	for i := range r.bars {
		r.bars[i] = canvas.NewRectangle(nil)
		r.all = append(r.all, r.bars[i])
	}
	r.Refresh()
	return r
}

type ticksRenderer struct {
	t      *ticks
	ground *canvas.Rectangle
	bars   [ticksN]*canvas.Rectangle
	all    []fyne.CanvasObject
}

func (r *ticksRenderer) Destroy()                     {}
func (r *ticksRenderer) MinSize() fyne.Size           { return fyne.NewSize(160, 44) }
func (r *ticksRenderer) Objects() []fyne.CanvasObject { return r.all }

func (r *ticksRenderer) Refresh() {
	r.ground.FillColor, r.ground.CornerRadius = theme.Color(theme.ColorNameInputBackground), 6
	for _, b := range r.bars {
		b.FillColor = theme.Color(theme.ColorNameSuccess)
	}
	r.Layout(r.t.Size())
	canvas.Refresh(r.t)
}

func (r *ticksRenderer) Layout(size fyne.Size) {
	r.ground.Resize(size)
	most := 1
	for _, n := range r.t.count {
		most = max(most, n)
	}
	w := size.Width / ticksN
	for i, n := range r.t.count {
		b := r.bars[i]
		if b.Hidden = n == 0; n > 0 {
			h := (size.Height - 8) * (0.4 + 0.6*float32(n)/float32(most))
			b.Move(fyne.NewPos(float32(i)*w, size.Height-4-h))
			b.Resize(fyne.NewSize(max(2, w-1), h))
		}
	}
}

// curve shows the latest values of a number and a limit.
type curve struct {
	fw.BaseWidget
	readings []core.Reading
	limit    float64
	limited  bool
}

func newCurve() *curve {
	c := &curve{}
	c.ExtendBaseWidget(c)
	return c
}

func (c *curve) set(rs []core.Reading, limit float64, limited bool) {
	c.readings, c.limit, c.limited = rs, limit, limited
	c.Refresh()
}

// CreateRenderer is part of fyne.Widget.
func (c *curve) CreateRenderer() fyne.WidgetRenderer {
	r := &curveRenderer{c: c, ground: canvas.NewRectangle(nil), limit: canvas.NewLine(nil), dot: canvas.NewCircle(nil)}
	r.all = []fyne.CanvasObject{r.ground, r.limit}
	for i := range r.lines {
		r.lines[i] = canvas.NewLine(nil)
		r.all = append(r.all, r.lines[i])
	}
	r.all = append(r.all, r.dot)
	r.Refresh()
	return r
}

type curveRenderer struct {
	c      *curve
	ground *canvas.Rectangle
	limit  *canvas.Line
	lines  [60]*canvas.Line
	dot    *canvas.Circle
	all    []fyne.CanvasObject
}

func (r *curveRenderer) Destroy()                     {}
func (r *curveRenderer) MinSize() fyne.Size           { return fyne.NewSize(200, 110) }
func (r *curveRenderer) Objects() []fyne.CanvasObject { return r.all }

func (r *curveRenderer) Refresh() {
	r.ground.FillColor, r.ground.CornerRadius = theme.Color(theme.ColorNameInputBackground), 8
	r.limit.StrokeColor, r.limit.StrokeWidth = theme.Color(theme.ColorNameError), 2
	for _, l := range r.lines {
		l.StrokeColor, l.StrokeWidth = theme.Color(theme.ColorNamePrimary), 2
	}
	r.dot.FillColor = theme.Color(theme.ColorNamePrimary)
	r.Layout(r.c.Size())
	canvas.Refresh(r.c)
}

func (r *curveRenderer) Layout(size fyne.Size) {
	r.ground.Resize(size)
	rs := r.c.readings
	if len(rs) > len(r.lines)+1 {
		rs = rs[len(rs)-len(r.lines)-1:]
	}
	for _, l := range r.lines {
		l.Hidden = true
	}
	r.limit.Hidden, r.dot.Hidden = !r.c.limited, len(rs) == 0
	if len(rs) == 0 && !r.c.limited {
		return
	}
	low, high := r.c.limit, r.c.limit
	if !r.c.limited {
		low, high = rs[0].Value, rs[0].Value
	}
	for _, v := range rs {
		low, high = min(low, v.Value), max(high, v.Value)
	}
	if room := (high - low) * 0.15; room > 0 {
		low, high = low-room, high+room
	} else {
		low, high = low-1, high+1
	}
	y := func(v float64) float32 { return size.Height - float32((v-low)/(high-low))*size.Height }
	r.limit.Position1, r.limit.Position2 = fyne.NewPos(0, y(r.c.limit)), fyne.NewPos(size.Width, y(r.c.limit))
	if len(rs) == 0 {
		return
	}
	first, last := rs[0].At, rs[len(rs)-1].At
	x := func(at time.Time) float32 {
		if d := last.Sub(first); d > 0 {
			return 6 + (size.Width-12)*float32(at.Sub(first))/float32(d)
		}
		return size.Width - 6
	}
	for i := range len(rs) - 1 {
		l := r.lines[i]
		l.Hidden = false
		l.Position1, l.Position2 = fyne.NewPos(x(rs[i].At), y(rs[i].Value)), fyne.NewPos(x(rs[i+1].At), y(rs[i+1].Value))
	}
	end := rs[len(rs)-1]
	r.dot.Resize(fyne.NewSquareSize(8))
	r.dot.Move(fyne.NewPos(x(end.At)-4, y(end.Value)-4))
}

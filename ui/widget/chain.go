package widget

import (
	"image/color"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
)

// Chain draws why a topic has a value: time goes down, each step is a card on a
// rail, the step that published the value stands out, and who got it is fanned out
// below. A link that was only concluded is dashed. It scrolls. Its methods run on
// the UI goroutine.
type Chain struct {
	fw.BaseWidget
	OnTapped func(core.Step) // a person chose a step; may be nil
	chain    core.Chain
	scroll   *container.Scroll
	body     *chainBody
}

// Measures of the picture, in units.
const (
	chainTimes = 96              // width of the column of times
	chainRail  = chainTimes + 18 // where the rail is
	chainLeft  = chainRail + 32  // where cards begin
	chainGap   = 30              // between cards
	chainEdge  = 14              // around the picture
	chainPad   = 12              // within a card
	chainMost  = 800             // the widest card
	chainCell  = 236             // the narrowest card of a delivery
	chainFlat  = 40              // height of one
	chainApart = 10              // between two
	chainDot   = 13              // radius of the mark on the rail
	chainTitle = 15              // text sizes
	chainText  = 14
	chainSmall = 13
	chainLine  = 20  // height of a line of text
	chainLines = 5   // of one sentence, at most
	chainRunes = 600 // of one sentence, at most
)

// NewChain returns an empty picture.
func NewChain() *Chain {
	c := &Chain{body: &chainBody{}}
	c.body.ExtendBaseWidget(c.body)
	c.scroll = container.NewVScroll(c.body)
	c.ExtendBaseWidget(c)
	return c
}

// Set shows another chain, from its beginning.
func (c *Chain) Set(chain core.Chain) {
	c.chain = chain
	c.body.marks = nil
	for i, s := range chain.Steps {
		s.Who, s.Value = cutRunes(s.Who, chainRunes/4), cutRunes(s.Value, chainRunes/4)
		m := &chainMark{n: i, step: s, effect: i == chain.Effect, after: i > chain.Effect}
		m.cell = m.after && s.Kind == core.StepDelivered
		m.card = newChainCard(c, m)
		c.body.marks = append(c.body.marks, m)
	}
	c.body.arrange(c.Size().Width)
	c.body.Refresh()
	c.scroll.Refresh()
	c.scroll.ScrollToTop()
}

// Resize is part of fyne.CanvasObject.
func (c *Chain) Resize(size fyne.Size) {
	c.body.arrange(size.Width) // its height follows
	c.BaseWidget.Resize(size)
}

// Refresh is part of fyne.CanvasObject.
func (c *Chain) Refresh() {
	c.body.arrange(c.Size().Width)
	c.body.Refresh()
	c.BaseWidget.Refresh()
}

// MinSize is part of fyne.CanvasObject.
func (c *Chain) MinSize() fyne.Size { return fyne.NewSize(chainLeft+180, 160) }

// CreateRenderer is part of fyne.Widget.
func (c *Chain) CreateRenderer() fyne.WidgetRenderer { return fw.NewSimpleRenderer(c.scroll) }

// chainMark is one step with its place.
type chainMark struct {
	n             int // in the chain
	step          core.Step
	effect, after bool // it published the value, it follows from that
	cell          bool // a delivery beside others
	card          *chainCard
	x, y, w, h    float32
}

// middle is where its mark on the rail is.
func (m *chainMark) middle() float32 {
	if m.cell {
		return m.y + m.h/2
	}
	return m.y + chainPad + chainLine/2
}

// ink is the colour of a kind of steps.
func (m *chainMark) ink() color.NRGBA {
	switch s := m.step; {
	case hidden(s):
		return themeColor(theme.ColorNamePlaceHolder)
	case m.effect:
		return themeColor(theme.ColorNamePrimary)
	case s.Kind == core.StepRule:
		return LineColor(4)
	case s.Kind == core.StepDelivered:
		return LineColor(2)
	case s.Kind == core.StepRefused:
		return themeColor(theme.ColorNameError)
	}
	return LineColor(0)
}

// hidden reports whether the reader may not know more of s than that it was.
func hidden(s core.Step) bool { return s.Topic == "" && s.Who == "" && s.Rule == "" }

// icon is what is on its mark.
func (m *chainMark) icon() fyne.Resource {
	switch s := m.step; {
	case hidden(s):
		return theme.VisibilityOffIcon()
	case s.Kind == core.StepRule:
		return theme.SettingsIcon()
	case s.Kind == core.StepDelivered:
		return theme.ConfirmIcon()
	case s.Kind == core.StepRefused:
		return theme.CancelIcon()
	}
	return theme.MailSendIcon()
}

// chainBody is what scrolls.
type chainBody struct {
	fw.BaseWidget
	marks  []*chainMark
	left   float32 // of the picture, which is in the middle
	head   float32 // where the words over what followed are; 0 is nowhere
	height float32
}

// rail is where the rail is.
func (b *chainBody) rail() float32 { return b.left + chainRail }

// arrange puts the cards where they belong in a picture of that width.
func (b *chainBody) arrange(width float32) {
	room := min(max(width-chainLeft-chainEdge, 120), chainMost)
	b.left = max(0, (width-chainLeft-room-chainEdge)/2)
	y := float32(chainEdge)
	b.head = 0
	for i := 0; i < len(b.marks); {
		m := b.marks[i]
		if m.after && !b.marks[i-1].after {
			y -= 8
			b.head = y
			y += chainLine + 10
		}
		if !m.cell {
			m.x, m.y, m.w = b.left+chainLeft, y, room
			m.h = m.card.wrap(m.w)
			y += m.h + chainGap
			i++
			continue
		}
		inside := room - 2*chainApart
		columns := max(1, int((inside+chainApart)/(chainCell+chainApart)))
		w := (inside - chainApart*float32(columns-1)) / float32(columns)
		y += chainApart
		for n := 0; i < len(b.marks) && b.marks[i].cell; n, i = n+1, i+1 {
			if n > 0 && n%columns == 0 {
				y += chainFlat + chainApart
			}
			c := b.marks[i]
			c.x, c.y, c.w, c.h = b.left+chainLeft+chainApart+float32(n%columns)*(w+chainApart), y, w, chainFlat
		}
		y += chainFlat + chainApart + chainGap
	}
	b.height = max(y-chainGap+chainEdge, 0)
}

// MinSize is part of fyne.CanvasObject.
func (b *chainBody) MinSize() fyne.Size { return fyne.NewSize(0, b.height) }

// CreateRenderer is part of fyne.Widget.
func (b *chainBody) CreateRenderer() fyne.WidgetRenderer {
	r := &chainRenderer{b: b}
	r.Refresh()
	return r
}

// chainRenderer makes the objects anew for each chain: they are few.
type chainRenderer struct {
	b       *chainBody
	objects []fyne.CanvasObject
}

func (r *chainRenderer) Layout(fyne.Size)             { r.Refresh() }
func (r *chainRenderer) MinSize() fyne.Size           { return r.b.MinSize() }
func (r *chainRenderer) Destroy()                     {}
func (r *chainRenderer) Objects() []fyne.CanvasObject { return r.objects }

func (r *chainRenderer) Refresh() {
	r.objects = nil
	b := r.b
	rail := blend(themeColor(theme.ColorNameSeparator), themeColor(theme.ColorNameForeground), 0.35)
	from := float32(0) // on the rail: the mark before
	for i := 0; i < len(b.marks); i++ {
		m := b.marks[i]
		if m.cell {
			last := i
			for last+1 < len(b.marks) && b.marks[last+1].cell {
				last++
			}
			from, i = r.group(b.marks[i:last+1], from, rail), last
			continue
		}
		y := m.middle()
		if i > 0 {
			r.line(b.rail(), from, b.rail(), y-chainDot, rail, m.step.Likely)
			r.head(b.rail(), y-chainDot-1, 0, 1, rail)
			r.delay(m, b.marks[i-1])
		}
		from = y
	}
	if b.head > 0 {
		r.text(lang.L("What it led to"), b.left+chainLeft, b.head, chainSmall, true, themeColor(theme.ColorNamePlaceHolder), fyne.TextAlignLeading)
	}
	for _, m := range b.marks {
		if !m.cell {
			r.mark(m)
		}
		m.card.Move(fyne.NewPos(m.x, m.y))
		if size := fyne.NewSize(m.w, m.h); m.card.Size() != size {
			m.card.Resize(size) // which refreshes it
		} else {
			m.card.Refresh()
		}
		r.objects = append(r.objects, m.card)
	}
	canvas.Refresh(b)
}

// group draws the ground of deliveries and the branch that leads there, and
// returns where that leaves the rail.
func (r *chainRenderer) group(marks []*chainMark, from float32, rail color.NRGBA) (y float32) {
	b, first, last := r.b, marks[0], marks[len(marks)-1]
	x, top, right := b.left+chainLeft, first.y-chainApart, float32(0)
	for _, m := range marks {
		right = max(right, m.x+m.w+chainApart)
	}
	ground := canvas.NewRectangle(blend(themeColor(theme.ColorNameBackground), LineColor(2), 0.09))
	ground.CornerRadius = 12
	ground.Move(fyne.NewPos(x, top))
	ground.Resize(fyne.NewSize(right-x, last.y+last.h+chainApart-top))
	r.objects = append(r.objects, ground)
	y = first.middle()
	r.line(b.rail(), from, b.rail(), y, rail, false)
	r.line(b.rail(), y, x-2, y, rail, first.step.Likely)
	r.head(x-2, y, 1, 0, rail)
	return y
}

// delay says how long after the step before m was, and how sure that link is.
func (r *chainRenderer) delay(m, before *chainMark) {
	top := m.y - chainGap/2 - chainLine/2 + 1
	if m.after && !before.after {
		top = m.y - chainLine/2
	}
	fore, muted := themeColor(theme.ColorNameForeground), themeColor(theme.ColorNamePlaceHolder)
	if gap := between(m.step.After); gap != "" && !(m.after && !before.after) {
		r.text(gap, r.b.rail()-10, top, chainSmall, true, fore, fyne.TextAlignTrailing)
	}
	if m.step.Likely {
		r.text(lang.L("probably"), r.b.rail()+10, top, chainSmall, false, muted, fyne.TextAlignLeading)
	}
}

// mark draws the round mark of m on the rail, and its time.
func (r *chainRenderer) mark(m *chainMark) {
	ink, y, radius := m.ink(), m.middle(), float32(chainDot)
	if m.effect {
		radius += 2
		halo := canvas.NewCircle(color.NRGBA{ink.R, ink.G, ink.B, 60})
		halo.Move(fyne.NewPos(r.b.rail()-radius-4, y-radius-4))
		halo.Resize(fyne.NewSquareSize(2 * (radius + 4)))
		r.objects = append(r.objects, halo)
	}
	dot := canvas.NewCircle(ink)
	dot.Move(fyne.NewPos(r.b.rail()-radius, y-radius))
	dot.Resize(fyne.NewSquareSize(2 * radius))
	on := theme.ColorNameBackground
	if luminance(ink) < 0.5 == dark() {
		on = theme.ColorNameForeground
	}
	icon := canvas.NewImageFromResource(theme.NewColoredResource(m.icon(), on))
	icon.FillMode = canvas.ImageFillContain
	icon.Move(fyne.NewPos(r.b.rail()-8, y-8))
	icon.Resize(fyne.NewSquareSize(16))
	r.objects = append(r.objects, dot, icon)
	r.text(m.step.At.Local().Format("15:04:05.000"), r.b.left+chainTimes-4, y-chainLine/2, chainSmall, m.effect, themeColor(theme.ColorNamePlaceHolder), fyne.TextAlignTrailing)
}

func (r *chainRenderer) text(text string, x, y, size float32, bold bool, ink color.NRGBA, align fyne.TextAlign) {
	t := newText(text, size, bold, ink)
	if align == fyne.TextAlignTrailing {
		x -= t.MinSize().Width
	}
	t.Move(fyne.NewPos(x, y))
	r.objects = append(r.objects, t)
}

// line draws a straight link.
func (r *chainRenderer) line(x0, y0, x1, y1 float32, ink color.NRGBA, dashed bool) {
	add := func(x0, y0, x1, y1 float32) {
		l := canvas.NewLine(ink)
		l.StrokeWidth = 2
		l.Position1, l.Position2 = fyne.NewPos(x0, y0), fyne.NewPos(x1, y1)
		r.objects = append(r.objects, l)
	}
	if !dashed {
		add(x0, y0, x1, y1)
		return
	}
	for x := x0; x < x1; x += 9 {
		add(x, y0, min(x+5, x1), y0)
	}
	for y := y0; y < y1; y += 9 {
		add(x0, y, x0, min(y+5, y1))
	}
}

// head draws the head of an arrow to the right or down.
func (r *chainRenderer) head(x, y, right, down float32, ink color.NRGBA) {
	const size = 6
	for _, side := range []float32{-1, 1} {
		r.line(x-size*right+size*side*down, y-size*down+size*side*right, x, y, ink, false)
	}
}

func newText(text string, size float32, bold bool, ink color.NRGBA) *canvas.Text {
	t := canvas.NewText(text, ink)
	t.TextSize, t.TextStyle.Bold = size, bold
	t.Resize(t.MinSize())
	return t
}

// chainCard is the card of one step. It can be tapped, and has the focus of the
// keyboard in its turn.
type chainCard struct {
	Press
	view  *Chain
	mark  *chainMark
	width float32  // for which lines were made, from says
	says  string   // the sentence of the step
	lines []string // that it is wrapped into
}

func newChainCard(view *Chain, m *chainMark) *chainCard {
	c := &chainCard{view: view, mark: m}
	c.OnPress = func() {
		if view.OnTapped != nil {
			view.OnTapped(view.chain.Steps[m.n])
		}
	}
	c.ExtendBaseWidget(c)
	return c
}

// say puts the sentence of the step into the language of now.
func (c *chainCard) say() string {
	if says := cutRunes(lang.Say(c.mark.step.Say), chainRunes); says != c.says {
		c.says, c.width = says, -1
	}
	return c.says
}

// wrap breaks the sentence for a card of that width, and returns its height.
func (c *chainCard) wrap(width float32) float32 {
	if says := c.say(); width != c.width {
		c.width, c.lines = width, wrapped(says, width-2*chainPad, chainText, chainLines)
	}
	n := len(c.lines)
	if c.mark.step.Who != "" {
		n++
	}
	return float32(max(n, 1))*chainLine + 2*chainPad
}

// AccessibilityLabel is part of fyne.Accessible.
func (c *chainCard) AccessibilityLabel() string {
	s := c.mark.step
	words := []string{s.At.Local().Format("15:04:05.000")}
	for _, w := range []string{between(s.After), s.Who} {
		if w != "" {
			words = append(words, w)
		}
	}
	if s.Likely {
		words = append(words, lang.L("probably"))
	}
	return strings.Join(append(words, c.say()), ", ")
}

// AccessibilityRole is part of fyne.Accessible.
func (c *chainCard) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// Cursor is part of desktop.Cursorable.
func (c *chainCard) Cursor() desktop.Cursor {
	if c.view.OnTapped != nil {
		return desktop.PointerCursor
	}
	return desktop.DefaultCursor
}

// FocusGained is part of fyne.Focusable.
func (c *chainCard) FocusGained() {
	c.Press.FocusGained()
	s := c.view.scroll
	if top, h := c.mark.y-chainEdge, c.mark.h+2*chainEdge; top < s.Offset.Y || top+h > s.Offset.Y+s.Size().Height {
		s.ScrollToOffset(fyne.NewPos(0, max(0, min(top, c.view.body.height-s.Size().Height))))
	}
}

// CreateRenderer is part of fyne.Widget.
func (c *chainCard) CreateRenderer() fyne.WidgetRenderer {
	r := &chainCardRenderer{c: c}
	r.Refresh()
	return r
}

type chainCardRenderer struct {
	c       *chainCard
	objects []fyne.CanvasObject
}

func (r *chainCardRenderer) Layout(fyne.Size)             { r.Refresh() }
func (r *chainCardRenderer) MinSize() fyne.Size           { return fyne.NewSize(0, 0) }
func (r *chainCardRenderer) Destroy()                     {}
func (r *chainCardRenderer) Objects() []fyne.CanvasObject { return r.objects }

func (r *chainCardRenderer) Refresh() {
	c := r.c
	m, size := c.mark, c.Size()
	ink := m.ink()
	rect := canvas.NewRectangle(themeColor(theme.ColorNameOverlayBackground))
	rect.CornerRadius = 9
	rect.StrokeWidth = 1
	rect.StrokeColor = themeColor(theme.ColorNameSeparator)
	if m.effect {
		rect.StrokeWidth, rect.StrokeColor = 2, ink
		rect.FillColor = blend(themeColor(theme.ColorNameOverlayBackground), ink, 0.05)
	}
	if c.Hovered() && c.view.OnTapped != nil {
		rect.FillColor = blend(themeColor(theme.ColorNameOverlayBackground), themeColor(theme.ColorNameForeground), 0.06)
	}
	if c.Focused() {
		rect.StrokeWidth, rect.StrokeColor = 2, themeColor(theme.ColorNameFocus)
	}
	rect.Resize(size)
	r.objects = []fyne.CanvasObject{rect}
	add := func(t *canvas.Text, x, y float32) {
		t.Move(fyne.NewPos(x, y))
		r.objects = append(r.objects, t)
	}
	fore, muted := themeColor(theme.ColorNameForeground), themeColor(theme.ColorNamePlaceHolder)
	right := size.Width - chainPad
	if m.cell {
		y := (size.Height - chainLine) / 2
		if gap := between(m.step.After); gap != "" {
			t := newText(gap, chainSmall, true, muted)
			right -= t.MinSize().Width
			add(t, right, y)
			right -= 8
		}
		dot := canvas.NewCircle(ink)
		dot.Resize(fyne.NewSquareSize(10))
		dot.Move(fyne.NewPos(chainPad, size.Height/2-5))
		r.objects = append(r.objects, dot)
		add(newText(Cut(c.say(), right-chainPad-18, chainText, fyne.TextStyle{}), chainText, false, fore), chainPad+18, y)
		return
	}
	y := float32(chainPad)
	if m.step.Who != "" {
		if m.step.Value != "" {
			ground, words := color.NRGBA{ink.R, ink.G, ink.B, 40}, fore
			if m.effect {
				ground, words = ink, readable(ink)
			}
			v := newText(Cut(m.step.Value, size.Width/2-2*chainPad, chainTitle, fyne.TextStyle{Bold: true}), chainTitle, true, words)
			chip := canvas.NewRectangle(ground)
			chip.CornerRadius = 7
			w := v.MinSize().Width + 18
			chip.Resize(fyne.NewSize(w, chainLine+6))
			chip.Move(fyne.NewPos(right-w, y-4))
			r.objects = append(r.objects, chip)
			add(v, right-w+9, y-1)
			right -= w + 8
		}
		add(newText(Cut(m.step.Who, right-chainPad, chainTitle, fyne.TextStyle{Bold: true}), chainTitle, true, fore), chainPad, y-1)
		y += chainLine
	}
	for _, l := range c.lines {
		words := fore
		if hidden(m.step) {
			words = muted
		}
		add(newText(l, chainText, false, words), chainPad, y+1)
		y += chainLine
	}
}

// wrapped breaks text into at most most lines that fit width: between words, or
// within one that is too long. The last one ends in … where there is more.
func wrapped(text string, width, size float32, most int) (lines []string) {
	fits := func(s string) bool { return textWidth(s, size) <= width }
	rest := strings.Join(strings.Fields(text), " ")
	for rest != "" {
		if len(lines) == most-1 || fits(rest) {
			return append(lines, Cut(rest, width, size, fyne.TextStyle{}))
		}
		line := ""
		for end := 0; end < len(rest); {
			next := strings.IndexByte(rest[end+1:], ' ')
			if next < 0 {
				next = len(rest)
			} else {
				next += end + 1
			}
			if !fits(rest[:next]) {
				break
			}
			line, end = rest[:next], next
		}
		if line == "" { // one long word
			rs := []rune(rest)
			n := 1
			for n < len(rs) && fits(string(rs[:n+1])) {
				n++
			}
			line = string(rs[:n])
		}
		lines = append(lines, line)
		rest = strings.TrimPrefix(rest[len(line):], " ")
	}
	return lines
}

// cutRunes returns the first n characters of s.
func cutRunes(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i] + "…"
		}
	}
	return s
}

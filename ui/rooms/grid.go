package rooms

import (
	"sort"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"homeroom/core"
	"homeroom/ui/widget"
)

const headerHeight = 44

// grid shows sections of cards in a scroll. However many entries there are,
// only the cards in view exist.
type grid struct {
	scroll *container.Scroll
	inner  *fyne.Container
	open   func(core.Series)

	sections []section
	now      time.Time
	rows     []gridRow
	width    float32 // for which rows are laid out
	height   float32

	cards   map[*entry]*card // in view
	spare   []*card
	headers []*header
}

// gridRow is a section's header, or cards side by side.
type gridRow struct {
	top, height float32
	header      *section
	entries     []*entry
}

func newGrid(open func(core.Series)) *grid {
	g := &grid{open: open, cards: map[*entry]*card{}}
	g.inner = container.New(g)
	g.scroll = container.NewVScroll(g.inner)
	g.scroll.OnScrolled = func(fyne.Position) { g.place() }
	return g
}

// set shows other sections.
func (g *grid) set(sections []section, now time.Time) {
	g.sections, g.now, g.width = sections, now, 0
	g.arrange(g.inner.Size().Width)
	g.place()
	g.scroll.Refresh()
}

// update shows what changed of entries, where it is in view.
func (g *grid) update(changed []*entry, now time.Time) {
	g.now = now
	for _, e := range changed {
		if c := g.cards[e]; c != nil {
			c.update(now)
		}
	}
}

// age shows how old every value in view is.
func (g *grid) age(now time.Time) {
	g.now = now
	for _, c := range g.cards {
		c.update(now)
	}
}

// MinSize is part of fyne.Layout.
func (g *grid) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(cardWidth, g.height) }

// Layout is part of fyne.Layout.
func (g *grid) Layout(_ []fyne.CanvasObject, size fyne.Size) {
	g.arrange(size.Width)
	g.place()
}

func (g *grid) columns() (n int, width float32) {
	const bar = 14 // room for the scroll bar
	w := g.width - bar
	n = max(1, int((w+cardGap)/(cardWidth+cardGap)))
	return n, (w - cardGap*float32(n-1)) / float32(n)
}

// arrange computes which row is where, for that width.
func (g *grid) arrange(width float32) {
	if width == g.width {
		return
	}
	g.width, g.rows, g.height = width, g.rows[:0], 0
	n, _ := g.columns()
	for i := range g.sections {
		s := &g.sections[i]
		g.rows = append(g.rows, gridRow{g.height, headerHeight, s, nil})
		g.height += headerHeight
		for rest := s.entries; len(rest) > 0; {
			k := min(n, len(rest))
			g.rows = append(g.rows, gridRow{g.height, cardHeight, nil, rest[:k]})
			g.height += cardHeight + cardGap
			rest = rest[k:]
		}
	}
}

// place puts cards where the scroll shows them.
func (g *grid) place() {
	top, bottom := g.scroll.Offset.Y, g.scroll.Offset.Y+g.scroll.Size().Height
	from := sort.Search(len(g.rows), func(i int) bool { return g.rows[i].top+g.rows[i].height > top })
	to := from
	wanted := map[*entry]bool{}
	for to < len(g.rows) && g.rows[to].top < bottom {
		for _, e := range g.rows[to].entries {
			wanted[e] = true
		}
		to++
	}
	for e, c := range g.cards {
		if !wanted[e] {
			delete(g.cards, e)
			g.spare = append(g.spare, c)
		}
	}
	_, width := g.columns()
	g.inner.Objects = g.inner.Objects[:0]
	heads := 0
	for _, r := range g.rows[from:to] {
		if r.header != nil {
			if heads == len(g.headers) {
				g.headers = append(g.headers, newHeader())
			}
			h := g.headers[heads]
			heads++
			h.show(r.header, g.width)
			h.box.Move(fyne.NewPos(0, r.top))
			g.inner.Objects = append(g.inner.Objects, h.box)
		}
		for i, e := range r.entries {
			c := g.cards[e]
			if c == nil {
				c = g.take()
				g.cards[e] = c
			}
			c.Resize(fyne.NewSize(width, cardHeight))
			c.Move(fyne.NewPos(float32(i)*(width+cardGap), r.top))
			c.bind(e, g.now)
			g.inner.Objects = append(g.inner.Objects, c)
		}
	}
}

// take returns a card that shows nothing any more, or a new one.
func (g *grid) take() *card {
	if n := len(g.spare); n > 0 {
		c := g.spare[n-1]
		g.spare = g.spare[:n-1]
		return c
	}
	return newCard(g.open)
}

// header is the title of a room.
type header struct {
	box         *fyne.Container
	title, team *canvas.Text
}

func newHeader() *header {
	h := &header{title: canvas.NewText("", nil), team: canvas.NewText("", nil)}
	h.title.TextSize, h.title.TextStyle.Bold = 18, true
	h.team.TextSize = 14
	h.box = container.NewWithoutLayout(h.title, h.team)
	return h
}

func (h *header) show(s *section, width float32) {
	room := width - 14 - 22 // beside the scroll bar, around and between the two
	team := widget.Cut(s.team, room*0.4, h.team.TextSize, h.team.TextStyle)
	set(h.team, team, theme.ColorNamePlaceHolder)
	set(h.title, widget.Cut(s.title, room-h.team.MinSize().Width, h.title.TextSize, h.title.TextStyle), theme.ColorNameForeground)
	h.title.Move(fyne.NewPos(4, headerHeight-8-h.title.MinSize().Height))
	h.team.Move(fyne.NewPos(14+h.title.MinSize().Width, headerHeight-10-h.team.MinSize().Height))
	h.box.Resize(fyne.NewSize(width, headerHeight))
}

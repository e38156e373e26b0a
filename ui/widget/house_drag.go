package widget

import (
	"slices"
	"time"

	"fyne.io/fyne/v2"
)

// houseHit is what is under the pointer.
type houseHit struct {
	kind  hitKind
	place *place // an area or a tile; of hitPort and hitSocket the tile
	port  *port
	wire  *wire
	out   bool  // of hitSocket: the one where values come out
	edges uint8 // of hitEdge
}

type hitKind uint8

const (
	hitGround hitKind = iota
	hitArea           // inside, where there is nothing
	hitTitle          // of an area
	hitEdge           // of an area
	hitWire
	hitTile
	hitPort
	hitSocket
)

// The edges of an area; two are a corner.
const (
	edgeLeft uint8 = 1 << iota
	edgeRight
	edgeTop
	edgeBottom
)

// id returns what is chosen by a click.
func (t houseHit) id() string {
	switch {
	case t.port != nil:
		return t.port.ID
	case t.place != nil:
		return t.place.id
	}
	return ""
}

// holds reports whether what was hit is still there.
func (s *houseScene) holds(t houseHit) bool {
	return (t.place == nil || s.places[t.place.id] == t.place) &&
		(t.port == nil || s.ports[t.port.ID] == t.port) && (t.wire == nil || s.wires[t.wire.ID] == t.wire)
}

// hit returns what is at a position of the widget.
func (h *House) hit(p fyne.Position) houseHit {
	s := &h.scene
	x, y := h.ground(p)
	if h.zoom >= zoomBlocks {
		reach := max(9, 7/h.zoom)
		for _, t := range slices.Backward(s.tiles) {
			b := t.bounds()
			if !(houseBox{b.x0 - reach, b.y0, b.x1 + reach, b.y1}).holds(x, y) {
				continue
			}
			q := t.portAt(y)
			switch {
			case q == nil:
			case q.Out && abs(x-b.x1) <= reach:
				return houseHit{kind: hitSocket, place: t, port: q, out: true}
			case q.In && abs(x-b.x0) <= reach:
				return houseHit{kind: hitSocket, place: t, port: q}
			}
			if b.holds(x, y) {
				break // it is above whatever comes
			}
		}
	}
	if t := s.tileAt(x, y); t != nil {
		if q := t.portAt(y); q != nil && h.zoom >= zoomBlocks {
			return houseHit{kind: hitPort, place: t, port: q}
		}
		return houseHit{kind: hitTile, place: t}
	}
	if w := h.wireAt(x, y); w != nil {
		return houseHit{kind: hitWire, wire: w}
	}
	return h.hitArea(x, y)
}

// hitArea returns which part of which area is at a place on the ground.
func (h *House) hitArea(x, y float32) houseHit {
	reach := min(6/h.zoom, 40)
	for _, a := range slices.Backward(h.scene.areas) {
		b := a.bounds()
		if !(houseBox{b.x0 - reach, b.y0 - reach, b.x1 + reach, b.y1 + reach}).holds(x, y) {
			continue
		}
		var edges uint8
		for _, e := range [4]struct {
			edge uint8
			off  float32
		}{{edgeLeft, x - b.x0}, {edgeRight, x - b.x1}, {edgeTop, y - b.y0}, {edgeBottom, y - b.y1}} {
			if abs(e.off) <= reach {
				edges |= e.edge
			}
		}
		switch {
		case edges != 0 && min(a.w, a.h) > 4*reach:
			return houseHit{kind: hitEdge, place: a, edges: edges}
		case !b.holds(x, y):
			continue
		case y < b.y0+max(HouseHead, min(16/h.zoom, a.h/3)):
			return houseHit{kind: hitTitle, place: a}
		}
		return houseHit{kind: hitArea, place: a}
	}
	return houseHit{}
}

// wireAt returns the wire that passes a place on the ground.
func (h *House) wireAt(x, y float32) *wire {
	if h.zoom < zoomBlocks {
		return nil
	}
	reach := max(5, 5/h.zoom)
	for _, w := range slices.Backward(h.scene.links) {
		if !w.bounds().holds(x, y) {
			continue
		}
		c := w.curve()
		const steps = 40
		x0, y0 := c[0], c[1]
		for i := 1; i <= steps; i++ {
			x1, y1 := on(c, float32(i)/steps)
			if apart(x, y, x0, y0, x1, y1) <= reach {
				return w
			}
			x0, y0 = x1, y1
		}
	}
	return nil
}

// apart returns how far (x, y) is from a line, or a little less.
func apart(x, y, x0, y0, x1, y1 float32) float32 {
	dx, dy := x1-x0, y1-y0
	t := float32(0)
	if l := dx*dx + dy*dy; l > 0 {
		t = min(max(((x-x0)*dx+(y-y0)*dy)/l, 0), 1)
	}
	ex, ey := abs(x-x0-t*dx), abs(y-y0-t*dy)
	return max(ex, ey) + min(ex, ey)*0.4
}

type dragKind uint8

const (
	dragNothing dragKind = iota // it was cancelled, and waits for the button
	dragPan
	dragMarquee
	dragMove
	dragResize
	dragWire
)

// houseDrag is what a person does with the button held down.
type houseDrag struct {
	h     *House
	kind  dragKind
	from  fyne.Position // in the widget, where it began
	at    fyne.Position // where it is
	gx    float32       // on the ground, where it began: the view may move
	gy    float32
	add   bool     // a marquee adds to what was chosen before
	prior []string // chosen before
	// What is moved, without what is inside of something that is. The first is
	// the one in the hand.
	moves []houseMoved
	area  *place // that is resized, or into which all goes
	edges uint8
	port  *port // a wire comes from
	out   bool  // from where its values come out
	lines []houseBox
}

// houseMoved is a place, and where it was.
type houseMoved struct {
	p          *place
	in         *place
	x, y       float32
	ax, ay     float32
	w, h       float32 // of an area that is resized
	homeOnly   bool    // it stays in its area: a branch
	depthWants int     // that its area must have
}

func startOf(p *place) houseMoved {
	return houseMoved{p: p, in: p.in, x: p.x, y: p.y, ax: p.ax, ay: p.ay, w: p.w, h: p.h, homeOnly: p.area != nil && p.in == nil, depthWants: p.depth - 1}
}

// begin starts what the press was the beginning of.
func (h *House) begin(press *housePress) {
	g := &houseDrag{h: h, from: press.at, at: press.at, prior: h.Chosen()}
	g.gx, g.gy = h.ground(press.at)
	h.drag = g
	hit := press.hit
	switch {
	case press.pans:
		g.kind = dragPan
	case hit.kind == hitSocket:
		g.kind, g.port, g.out = dragWire, hit.port, hit.out
	case hit.kind == hitTile || hit.kind == hitPort || hit.kind == hitTitle:
		g.kind = dragMove
		g.take(hit.place)
	case hit.kind == hitEdge:
		g.kind, g.area, g.edges = dragResize, hit.place, hit.edges
		g.moves = []houseMoved{startOf(hit.place)}
	case press.mod&fyne.KeyModifierShift != 0 || h.marquee:
		g.kind, g.add = dragMarquee, press.mod&(fyne.KeyModifierShift|fyne.KeyModifierShortcutDefault) != 0
	default:
		g.kind = dragPan
	}
}

// take takes p in the hand, and with it whatever else is chosen where p is.
func (g *houseDrag) take(p *place) {
	all := []*place{p}
	mine := func(id string) bool { return id == p.id || g.h.scene.ports[id] != nil && g.h.scene.ports[id].tile == p }
	if slices.ContainsFunc(g.h.chosen, mine) {
		for _, id := range g.h.chosen {
			if q := g.h.scene.places[id]; q != nil && q != p {
				all = append(all, q)
			}
		}
	}
	for _, q := range all {
		if !slices.ContainsFunc(all, q.within) {
			g.moves = append(g.moves, startOf(q))
		}
	}
}

// carried returns what is moved, with all that is in it.
func (g *houseDrag) carried() map[*place]bool {
	if g.kind != dragMove {
		return nil
	}
	all := map[*place]bool{}
	for _, m := range g.moves {
		all[m.p] = true
	}
	for _, list := range [2][]*place{g.h.scene.areas, g.h.scene.tiles} {
		for _, p := range list {
			if p.in != nil && all[p.in] {
				all[p] = true
			}
		}
	}
	return all
}

// into returns the area into which what is moved would go, if it is another.
func (g *houseDrag) into() *place {
	if g.kind == dragMove && g.area != nil && len(g.moves) > 0 && g.area != g.moves[0].in {
		return g.area
	}
	return nil
}

// to follows the pointer.
func (g *houseDrag) to(at fyne.Position) {
	last := g.at
	g.at = at
	g.lines = g.lines[:0]
	switch g.kind {
	case dragPan:
		g.h.pan(at.X-last.X, at.Y-last.Y)
		return
	case dragMarquee:
		g.mark()
	case dragMove:
		g.move()
	case dragResize:
		g.resize()
	case dragNothing:
		return
	}
	g.h.show()
}

// box returns the rectangle between the pointer and where it began, in the widget.
func (g *houseDrag) box() houseBox {
	o := g.h.onto(g.gx, g.gy)
	return houseBox{min(o.X, g.at.X), min(o.Y, g.at.Y), max(o.X, g.at.X), max(o.Y, g.at.Y)}
}

// mark chooses the kits in the rectangle, or, where there are none, the areas
// that are wholly in it.
func (g *houseDrag) mark() {
	b := g.box()
	x0, y0 := g.h.ground(fyne.NewPos(b.x0, b.y0))
	x1, y1 := g.h.ground(fyne.NewPos(b.x1, b.y1))
	box := houseBox{x0, y0, x1, y1}
	var ids []string
	if g.add {
		ids = append(ids, g.prior...)
	}
	found := false
	for _, t := range g.h.scene.tiles {
		if box.meets(t.bounds()) {
			ids, found = append(ids, t.id), true
		}
	}
	if !found {
		for _, a := range g.h.scene.areas {
			if c := a.bounds(); c.x0 >= x0 && c.y0 >= y0 && c.x1 <= x1 && c.y1 <= y1 {
				ids = append(ids, a.id)
			}
		}
	}
	g.h.Choose(ids...)
}

// target returns the area under the pointer into which the first of what is
// moved can go. Where that is none, a branch stays on the ground, a room in its
// branch, and a kit is on the ground.
func (g *houseDrag) target() *place {
	first := g.moves[0]
	if first.homeOnly {
		return nil
	}
	x, y := g.h.ground(g.at)
	in := g.h.scene.areaAt(x, y, func(a *place) bool {
		for _, m := range g.moves {
			if a == m.p || a.within(m.p) {
				return false
			}
		}
		return first.p.tile != nil || a.depth == first.depthWants
	})
	if in == nil && first.p.area != nil {
		return first.in
	}
	return in
}

// move puts what is in the hand where the pointer is.
func (g *houseDrag) move() {
	first := g.moves[0]
	x, y := g.h.ground(g.at)
	dx, dy := x-g.gx, y-g.gy
	g.area = g.target()
	away := g.area != first.in
	// All goes along with the first, or stays where it is.
	var group houseBox
	for _, m := range g.moves {
		group = group.union(houseBox{m.ax, m.ay, m.ax + m.p.w, m.ay + m.p.h})
	}
	ox, oy := float32(0), float32(0)
	if g.area != nil {
		ox, oy = g.area.ax, g.area.ay
	}
	// On the grid of the area; the first is what is aligned.
	nx, ny := ox+snap(first.ax+dx-ox), oy+snap(first.ay+dy-oy)
	nx, ny = g.align(first, nx, ny, first.ax+dx, first.ay+dy)
	dx, dy = nx-first.ax, ny-first.ay
	hold := func(a *place, b houseBox, tight bool) {
		if a == nil {
			return
		}
		if mx, my := a.hold(houseBox{b.x0 + dx, b.y0 + dy, b.x1 + dx, b.y1 + dy}, tight); mx != 0 || my != 0 {
			dx, dy, g.lines = dx+mx, dy+my, g.lines[:0]
		}
	}
	if away {
		hold(g.area, group, first.p.area == nil)
	} else {
		for _, m := range g.moves {
			hold(m.in, houseBox{m.ax, m.ay, m.ax + m.p.w, m.ay + m.p.h}, m.p.area == nil)
		}
	}
	for _, m := range g.moves {
		in := m.in
		if away && !m.homeOnly && (m.p.tile != nil || g.area != nil && g.area.depth == m.depthWants) {
			in = g.area
		}
		m.p.in = in
		m.p.x, m.p.y = m.ax+dx, m.ay+dy
		if in != nil {
			m.p.x, m.p.y = m.p.x-in.ax, m.p.y-in.ay
		}
	}
	g.h.scene.arrange()
}

// hold returns by how much b must move to be inside p, below its title; to the
// right and below only where tight.
func (p *place) hold(b houseBox, tight bool) (dx, dy float32) {
	if tight {
		dx = min(0, p.ax+p.w-areaEdge-b.x1)
		dy = min(0, p.ay+p.h-areaEdge-b.y1)
	}
	return dx + max(0, p.ax+areaEdge-b.x0-dx), dy + max(0, p.ay+HouseHead-b.y0-dy)
}

// align moves what is in the hand to be in line with its neighbours, where it
// nearly is, and notes the lines to draw.
func (g *houseDrag) align(m houseMoved, nx, ny, x, y float32) (float32, float32) {
	reach := min(5/g.h.zoom, 16)
	carried := g.carried()
	bestX, bestY := reach, reach
	var besideX, besideY *place
	var lineX, lineY float32
	consider := func(o *place) {
		if carried[o] || o.in != g.area || (o.tile == nil) != (m.p.tile == nil) || !g.h.seen().meets(o.bounds()) {
			return
		}
		for _, e := range [3][2]float32{{o.ax, 0}, {o.ax + o.w/2, m.p.w / 2}, {o.ax + o.w, m.p.w}} {
			if off := abs(x + e[1] - e[0]); off < bestX {
				bestX, besideX, nx, lineX = off, o, e[0]-e[1], e[0]
			}
		}
		for _, e := range [3][2]float32{{o.ay, 0}, {o.ay + o.h/2, m.p.h / 2}, {o.ay + o.h, m.p.h}} {
			if off := abs(y + e[1] - e[0]); off < bestY {
				bestY, besideY, ny, lineY = off, o, e[0]-e[1], e[0]
			}
		}
	}
	list := g.h.scene.tiles
	if m.p.tile == nil {
		list = g.h.scene.areas
	}
	for _, o := range list {
		consider(o)
	}
	const over = 12
	if o := besideX; o != nil {
		g.lines = append(g.lines, houseBox{lineX, min(o.ay, ny) - over, lineX, max(o.ay+o.h, ny+m.p.h) + over})
	}
	if o := besideY; o != nil {
		g.lines = append(g.lines, houseBox{min(o.ax, nx) - over, lineY, max(o.ax+o.w, nx+m.p.w) + over, lineY})
	}
	return nx, ny
}

// resize moves the edges of an area with the pointer; what is in it still fits.
func (g *houseDrag) resize() {
	x, y := g.h.ground(g.at)
	dx, dy := x-g.gx, y-g.gy
	m := g.moves[0]
	leastW, leastH := g.h.scene.least(m.p)
	x0, y0, x1, y1 := m.x, m.y, m.x+m.w, m.y+m.h
	if g.edges&edgeLeft != 0 {
		x0 = min(snap(x0+dx), x1-leastW)
	}
	if g.edges&edgeTop != 0 {
		y0 = min(snap(y0+dy), y1-leastH)
	}
	if g.edges&edgeRight != 0 {
		x1 = max(snap(x1+dx), x0+leastW)
	}
	if g.edges&edgeBottom != 0 {
		y1 = max(snap(y1+dy), y0+leastH)
	}
	if m.p.in != nil {
		x0, y0 = max(x0, areaEdge), max(y0, HouseHead)
	}
	m.p.x, m.p.y, m.p.w, m.p.h = x0, y0, x1-x0, y1-y0
	g.h.scene.arrange()
}

// least returns how small an area can be, for what is in it.
func (s *houseScene) least(a *place) (w, h float32) {
	w, h = 120, 88
	for _, list := range [2][]*place{s.areas, s.tiles} {
		for _, p := range list {
			if p.in == a {
				w, h = max(w, p.x+p.w+areaEdge), max(h, p.y+p.h+areaEdge)
			}
		}
	}
	return w, h
}

// back puts everything back.
func (g *houseDrag) back() {
	for _, m := range g.moves {
		m.p.in, m.p.x, m.p.y = m.in, m.x, m.y
		if m.p.area != nil {
			m.p.w, m.p.h = m.w, m.h
		}
	}
	g.h.scene.arrange()
}

// again goes on after the scene changed. What is gone can't be moved.
func (g *houseDrag) again() {
	s := &g.h.scene
	gone := func(p *place) bool { return p != nil && s.places[p.id] != p }
	if slices.ContainsFunc(g.moves, func(m houseMoved) bool { return gone(m.p) }) || g.port != nil && s.ports[g.port.ID] != g.port {
		g.kind, g.moves, g.area, g.port, g.lines = dragNothing, nil, nil, nil, nil
		return
	}
	if g.kind != dragMove && g.kind != dragResize {
		return
	}
	for i, m := range g.moves {
		g.moves[i] = startOf(m.p)
	}
	g.to(g.at)
}

// end does what the person wants, once they let go.
func (g *houseDrag) end() {
	h := g.h
	target := h.aimed()
	h.drag = nil
	h.still()
	switch g.kind {
	case dragMarquee:
		if !slices.Equal(g.prior, h.chosen) && h.OnChosen != nil {
			h.OnChosen(h.Chosen())
		}
	case dragMove:
		h.tell(g.moves)
	case dragResize:
		m := g.moves[0]
		if p := m.p; (p.x != m.x || p.y != m.y || p.w != m.w || p.h != m.h) && h.OnResized != nil {
			h.OnResized(p.id, p.x, p.y, p.w, p.h)
		}
	case dragWire:
		if target != nil {
			h.connect(g.port, target, g.out)
		}
	}
	h.hover = h.hit(h.pointer)
	h.show()
}

// tell tells OnMoved of what is not where it was.
func (h *House) tell(moves []houseMoved) {
	var to []HouseMove
	for _, m := range moves {
		if p := m.p; p.in != m.in || p.x != m.x || p.y != m.y {
			in := ""
			if p.in != nil {
				in = p.in.id
			}
			to = append(to, HouseMove{p.id, in, p.x, p.y})
		}
	}
	h.scene.order()
	if len(to) > 0 && h.OnMoved != nil {
		h.OnMoved(to)
	}
}

// connect tells of a wire from where values come out to where they go in.
func (h *House) connect(a, b *port, out bool) {
	if !out {
		a, b = b, a
	}
	if h.OnConnected != nil {
		h.OnConnected(a.ID, b.ID)
	}
}

// cancel puts back whatever is being done, and reports whether anything was.
func (h *House) cancel() bool {
	switch {
	case h.drop != nil:
		h.drop = nil
	case h.join != nil:
		h.join = nil
	case h.drag != nil && h.drag.kind != dragNothing:
		g := h.drag
		g.back()
		if g.kind == dragMarquee {
			h.Choose(g.prior...)
		}
		g.kind, g.moves, g.area, g.port, g.lines = dragNothing, nil, nil, nil, nil
	default:
		return false
	}
	h.still()
	h.show()
	return true
}

// fits reports whether a wire can be drawn between two ports, where out tells
// that a is where values come out.
func fits(a, b *port, out bool) bool {
	return a != b && (out && b.In || !out && b.Out)
}

// aimed returns the port to which the wire in somebody's hand would go.
func (h *House) aimed() *port {
	if h.join != nil {
		return h.join.to
	}
	g := h.drag
	if g == nil || g.kind != dragWire {
		return nil
	}
	x, y := h.ground(g.at)
	reach := 12 / h.zoom
	for _, t := range slices.Backward(h.scene.tiles) {
		b := t.bounds()
		if (houseBox{b.x0 - reach, b.y0, b.x1 + reach, b.y1}).holds(x, y) {
			if q := t.portAt(y); q != nil && fits(g.port, q, g.out) {
				return q
			}
		}
	}
	return nil
}

// offers reports whether a connector is one that the wire in somebody's hand
// can go to.
func (h *House) offers(q *port, out bool) bool {
	if g := h.drag; g != nil && g.kind == dragWire {
		return out != g.out && fits(g.port, q, g.out)
	}
	if j := h.join; j != nil {
		return out != j.from.Out && fits(j.from, q, j.from.Out)
	}
	return false
}

// houseJoin is a wire that is drawn with the keyboard.
type houseJoin struct {
	from, to *port // to may be nil
}

// stands reports whether its ports are still there; it forgets a target that is not.
func (j *houseJoin) stands(h *House) bool {
	if j.to != nil && h.scene.ports[j.to.ID] != j.to {
		j.to = nil
	}
	return h.scene.ports[j.from.ID] == j.from
}

// next chooses the next port that the wire can go to, in the order of drawing.
func (j *houseJoin) next(h *House, step int) {
	var all []*port
	at := -1
	for _, t := range h.scene.tiles {
		for _, q := range t.ports {
			if fits(j.from, q, j.from.Out) {
				if q == j.to {
					at = len(all)
				}
				all = append(all, q)
			}
		}
	}
	switch {
	case len(all) == 0:
		return
	case at < 0 && step < 0:
		at = 0
	}
	j.to = all[((at+step)%len(all)+len(all))%len(all)]
	h.Reveal(j.to.ID)
	h.show()
}

// houseDrop is something from the palette, on its way.
type houseDrop struct {
	what, title string
	icon        fyne.Resource
	at          fyne.Position
	seen        bool // the pointer, or the keyboard, is over the house
}

// box returns where on the ground it would be: with its title under the pointer.
func (g *houseDrop) box(h *House) houseBox {
	x, y := h.ground(g.at)
	in := h.scene.areaAt(x, y, nil)
	x, y = x-40, y-28
	ox, oy := float32(0), float32(0)
	if in != nil {
		ox, oy = in.ax, in.ay
	}
	b := houseBox{x0: ox + snap(x-ox), y0: oy + snap(y-oy)}
	b.x1, b.y1 = b.x0+tileWidth, b.y0+tileHead+tileFoot
	if in != nil {
		dx, dy := in.hold(b, true)
		b = houseBox{b.x0 + dx, b.y0 + dy, b.x1 + dx, b.y1 + dy}
	}
	return b
}

// StartDrop begins to place something from a palette: its title follows the
// pointer until a click, which OnDropped is told, or Escape. A palette from
// which it is dragged calls it when the drag begins; letting go drops too.
// With the keyboard arrows move it and Enter drops it.
func (h *House) StartDrop(what string, title string, icon fyne.Resource) {
	h.cancel()
	h.viewed = true
	h.drop = &houseDrop{what: what, title: line(title), icon: icon, at: h.pointer, seen: h.inside}
	if !h.inside {
		h.drop.at = fyne.NewPos(h.Size().Width/2, h.Size().Height/2)
	}
	h.takeKeyboard()
	h.show()
}

// let tells OnDropped where something from the palette was let go.
func (h *House) let() {
	g := h.drop
	h.drop = nil
	if g == nil {
		return
	}
	b := g.box(h)
	x, y := h.ground(g.at)
	in, id := h.scene.areaAt(x, y, nil), ""
	x, y = b.x0, b.y0
	if in != nil {
		id, x, y = in.id, x-in.ax, y-in.ay
	}
	h.show()
	if h.OnDropped != nil {
		h.OnDropped(g.what, id, x, y)
	}
}

// push returns by how much the view moves at once, while something is dragged
// at its edge.
func (g *houseDrag) push() (dx, dy float32) {
	const edge, most = 28, 14
	if g.kind == dragPan || g.kind == dragNothing {
		return 0, 0
	}
	along := func(at, width float32) float32 {
		switch {
		case at < edge:
			return min((edge-at)/2, most)
		case at > width-edge:
			return -min((at-width+edge)/2, most)
		}
		return 0
	}
	return along(g.at.X, g.h.Size().Width), along(g.at.Y, g.h.Size().Height)
}

// creep moves the view as long as something is dragged at its edge.
func (h *House) creep() {
	var dx, dy float32
	if h.drag != nil {
		dx, dy = h.drag.push()
	}
	if dx == 0 && dy == 0 {
		h.still()
		return
	}
	if h.edge == nil {
		h.edge = fyne.NewAnimation(time.Second, func(float32) { h.creep() })
		h.edge.RepeatCount, h.edge.Curve = fyne.AnimationRepeatForever, fyne.AnimationLinear
		h.edge.Start()
		return
	}
	h.pan(dx, dy)
	h.drag.to(h.drag.at)
}

// still ends the movement of the view.
func (h *House) still() {
	if h.edge != nil {
		h.edge.Stop()
		h.edge = nil
	}
}

package widget

import (
	"slices"
	"time"
)

// Measures of a tile and of an area, in units of the ground.
const (
	tileWidth = 216
	tileHead  = 56
	tileNote  = 24
	tilePort  = 24
	tileFoot  = 8

	leastArea = 64  // width and height of an area
	areaEdge  = 8   // between an area and what is in it
	farthest  = 1e6 // a place
	longest   = 200 // characters of a text
)

// houseScene is a scene as it is drawn: with absolute places, and ways from one
// thing to the other.
type houseScene struct {
	areas  []*place // each after the one around it
	tiles  []*place
	links  []*wire
	places map[string]*place
	ports  map[string]*port
	wires  map[string]*wire
}

// place is an area or a tile.
type place struct {
	id   string
	in   *place // nil is the ground
	x, y float32
	w, h float32
	// Absolute, as computed by arrange.
	ax, ay float32
	area   *HouseArea // nil of a tile; of its fields only the texts count here
	tile   *HouseTile // nil of an area
	ports  []*port
	depth  int // areas around it
	hue    int // of a branch: its number
	stale  bool
}

type port struct {
	HousePort
	tile  *place
	i     int // its row
	stale bool
	level uint8 // as drawn, see fade
}

type wire struct {
	HouseLink
	from, to *port
	stale    bool
	level    uint8
	pulse    uint8
}

func (s *houseScene) clear() {
	*s = houseScene{places: map[string]*place{}, ports: map[string]*port{}, wires: map[string]*wire{}}
}

func (s *houseScene) has(id string) bool {
	return s.places[id] != nil || s.ports[id] != nil
}

// line returns a text as it can be drawn on a line.
func line(text string) string {
	if text == "" {
		return ""
	}
	text = OneLine(text)
	n := 0
	for i := range text {
		if n++; n > longest {
			return text[:i] + "…"
		}
	}
	return text
}

// sane returns v, or what is nearest to it that can be drawn.
func sane(v, least, most float32) float32 {
	if v != v {
		return least
	}
	return min(max(v, least), most)
}

// set takes a scene, and reports whether anything is different. Things keep
// their identity by ID.
func (s *houseScene) set(to HouseScene) bool {
	old := *s
	next := houseScene{
		areas: make([]*place, 0, len(to.Areas)), tiles: make([]*place, 0, len(to.Tiles)), links: make([]*wire, 0, len(to.Links)),
		places: make(map[string]*place, len(to.Areas)+len(to.Tiles)), ports: make(map[string]*port, len(old.ports)), wires: make(map[string]*wire, len(to.Links)),
	}
	changed := false
	around := make(map[*place]string, len(to.Areas)+len(to.Tiles))
	add := func(id, in string, x, y float32) *place {
		if id == "" || next.places[id] != nil {
			return nil
		}
		p := old.places[id]
		if p == nil {
			p, changed = &place{id: id}, true
		}
		next.places[id] = p
		around[p] = in
		x, y = sane(x, -farthest, farthest), sane(y, -farthest, farthest)
		if p.x != x || p.y != y {
			p.x, p.y, changed = x, y, true
		}
		return p
	}
	for i := range to.Areas {
		a := to.Areas[i]
		p := add(a.ID, a.In, a.X, a.Y)
		if p == nil {
			continue
		}
		a.Title, a.Sub = line(a.Title), line(a.Sub)
		w, h := sane(a.W, leastArea, farthest), sane(a.H, leastArea, farthest)
		if p.area == nil || p.area.Title != a.Title || p.area.Sub != a.Sub || p.area.Hue != a.Hue || p.w != w || p.h != h {
			changed = true
		}
		p.area, p.tile, p.ports, p.w, p.h = &a, nil, nil, w, h
		next.areas = append(next.areas, p)
	}
	for i := range to.Tiles {
		t := to.Tiles[i]
		p := add(t.ID, t.In, t.X, t.Y)
		if p == nil {
			continue
		}
		changed = p.setTile(t, &old, &next) || changed
		next.tiles = append(next.tiles, p)
	}
	for p, id := range around {
		in := next.places[id]
		if in != nil && in.area == nil {
			in = nil
		}
		if p.in != in {
			p.in, changed = in, true
		}
	}
	for _, a := range next.areas { // nothing is in itself
		steps := 0
		for in := a.in; in != nil; in = in.in {
			if steps++; steps > len(next.areas) || in == a {
				a.in = nil
				break
			}
		}
	}
	for _, l := range to.Links {
		from, onto := next.ports[l.From], next.ports[l.To]
		if l.ID == "" || next.wires[l.ID] != nil || from == nil || onto == nil || from == onto {
			continue
		}
		l.Title = line(l.Title)
		w := old.wires[l.ID]
		if w == nil {
			w, changed = &wire{}, true
		} else if w.At.After(l.At) {
			l.Paint, l.At = w.Paint, w.At
		}
		if w.HouseLink != l || w.from != from || w.to != onto {
			w.HouseLink, w.from, w.to, changed = l, from, onto, true
		}
		next.wires[l.ID] = w
		next.links = append(next.links, w)
	}
	if !changed && slices.Equal(old.areas, next.areas) && slices.Equal(old.tiles, next.tiles) && slices.Equal(old.links, next.links) {
		return false
	}
	*s = next
	s.order()
	s.arrange()
	return true
}

// setTile takes a tile's texts and ports, and reports whether anything is different.
func (p *place) setTile(t HouseTile, old, next *houseScene) bool {
	t.Title, t.Sub, t.Note = line(t.Title), line(t.Sub), line(t.Note)
	given := t.Ports
	t.Ports = nil
	was := p.tile
	if was != nil && !t.Known {
		t.Online, t.Known, t.Note = was.Online, was.Known, was.Note
	}
	changed := was == nil || was.Title != t.Title || was.Sub != t.Sub || was.Note != t.Note || was.Icon != t.Icon ||
		was.Virtual != t.Virtual || was.Online != t.Online || was.Known != t.Known
	ports := make([]*port, 0, len(given))
	for _, hp := range given {
		if hp.ID == "" || next.ports[hp.ID] != nil {
			continue
		}
		hp.Title, hp.Value = line(hp.Title), line(hp.Value)
		q := old.ports[hp.ID]
		if q == nil {
			q, changed = &port{}, true
		} else if q.At.After(hp.At) {
			hp.Value, hp.Paint, hp.At = q.Value, q.Paint, q.At
		}
		if q.HousePort != hp || q.tile != p || q.i != len(ports) {
			q.HousePort, q.tile, q.i, changed = hp, p, len(ports), true
		}
		next.ports[hp.ID] = q
		ports = append(ports, q)
	}
	changed = changed || !slices.Equal(ports, p.ports)
	p.ports = ports
	t.Ports = make([]HousePort, len(ports)) // for Size
	p.tile, p.area = &t, nil
	p.w, p.h = t.Size()
	return changed
}

// order puts each area after the one around it, and counts branches.
func (s *houseScene) order() {
	hue := 0
	for _, a := range s.areas {
		a.depth = 0
		for in := a.in; in != nil; in = in.in {
			a.depth++
		}
		if a.depth == 0 {
			a.hue = hue
			hue++
			if a.area.Hue > 0 {
				a.hue = a.area.Hue - 1
			}
		}
	}
	slices.SortStableFunc(s.areas, func(a, b *place) int { return a.depth - b.depth })
	for _, a := range s.areas {
		if a.in != nil {
			a.hue = a.in.hue
		}
	}
	for _, t := range s.tiles {
		t.depth, t.hue = 0, -1
		if t.in != nil {
			t.depth, t.hue = t.in.depth+1, t.in.hue
		}
	}
}

// arrange computes absolute places.
func (s *houseScene) arrange() {
	for _, all := range [2][]*place{s.areas, s.tiles} {
		for _, p := range all {
			p.ax, p.ay = p.x, p.y
			if p.in != nil {
				p.ax, p.ay = p.in.ax+p.x, p.in.ay+p.y
			}
		}
	}
}

// within reports whether p is in a, at any depth.
func (p *place) within(a *place) bool {
	for in := p.in; in != nil; in = in.in {
		if in == a {
			return true
		}
	}
	return false
}

// houseBox is a part of the ground.
type houseBox struct{ x0, y0, x1, y1 float32 }

func (b houseBox) none() bool { return !(b.x1 > b.x0 && b.y1 > b.y0) }

func (b houseBox) union(c houseBox) houseBox {
	switch {
	case b.none():
		return c
	case c.none():
		return b
	}
	return houseBox{min(b.x0, c.x0), min(b.y0, c.y0), max(b.x1, c.x1), max(b.y1, c.y1)}
}

func (b houseBox) meets(c houseBox) bool {
	return b.x0 < c.x1 && c.x0 < b.x1 && b.y0 < c.y1 && c.y0 < b.y1
}

func (b houseBox) holds(x, y float32) bool { return x >= b.x0 && x < b.x1 && y >= b.y0 && y < b.y1 }

func (p *place) bounds() houseBox { return houseBox{p.ax, p.ay, p.ax + p.w, p.ay + p.h} }

// bounds returns where anything is.
func (s *houseScene) bounds() houseBox {
	var all houseBox
	for _, a := range s.areas {
		all = all.union(a.bounds())
	}
	for _, t := range s.tiles {
		all = all.union(t.bounds())
	}
	return all
}

// boundsOf returns where a thing is.
func (s *houseScene) boundsOf(id string) houseBox {
	if p := s.places[id]; p != nil {
		return p.bounds()
	}
	if q := s.ports[id]; q != nil {
		y := q.y()
		return houseBox{q.tile.ax, y - tilePort/2, q.tile.ax + q.tile.w, y + tilePort/2}
	}
	if w := s.wires[id]; w != nil {
		return w.bounds()
	}
	return houseBox{}
}

// y returns the middle of a port's row.
func (q *port) y() float32 {
	y := q.tile.ay + tileHead + tilePort*(float32(q.i)+0.5)
	if q.tile.tile.Note != "" {
		y += tileNote
	}
	return y
}

// socket returns where a wire that comes out of q begins, or one into it ends.
func (q *port) socket(out bool) (x, y float32) {
	if out {
		return q.tile.ax + q.tile.w, q.y()
	}
	return q.tile.ax, q.y()
}

// curve returns the four points of a wire. One that goes back to the left makes
// a loop at both ends.
func curve(x0, y0, x1, y1 float32) [8]float32 {
	reach := min(max((x0-x1)/4, 48+abs(y1-y0)/4), 160)
	if x1 > x0 {
		reach = max((x1-x0)/2, min(40, x1-x0))
	}
	return [8]float32{x0, y0, x0 + reach, y0, x1 - reach, y1, x1, y1}
}

func (w *wire) curve() [8]float32 {
	x0, y0 := w.from.socket(true)
	x1, y1 := w.to.socket(false)
	return curve(x0, y0, x1, y1)
}

// tells reports whether the title of the wire says more than those of its ends.
func (w *wire) tells() bool {
	return w.Title != "" && (w.Title != w.from.Title || w.Title != w.to.Title)
}

// on returns the place at t of 0 to 1 on a curve.
func on(c [8]float32, t float32) (x, y float32) {
	u := 1 - t
	a, b, d, e := u*u*u, 3*u*u*t, 3*u*t*t, t*t*t
	return a*c[0] + b*c[2] + d*c[4] + e*c[6], a*c[1] + b*c[3] + d*c[5] + e*c[7]
}

// bounds returns what holds the wire, and the signs on it.
func (w *wire) bounds() houseBox {
	const signs = 12
	c := w.curve()
	return houseBox{
		min(c[0], c[2], c[4], c[6]) - signs, min(c[1], c[7]) - signs,
		max(c[0], c[2], c[4], c[6]) + signs, max(c[1], c[7]) + signs,
	}
}

// areaAt returns the innermost area at a place on the ground for which fits, if
// it is not nil, is true.
func (s *houseScene) areaAt(x, y float32, fits func(*place) bool) *place {
	for _, a := range slices.Backward(s.areas) {
		if a.bounds().holds(x, y) && (fits == nil || fits(a)) {
			return a
		}
	}
	return nil
}

// tileAt returns the tile at a place on the ground.
func (s *houseScene) tileAt(x, y float32) *place {
	for _, t := range slices.Backward(s.tiles) {
		if t.bounds().holds(x, y) {
			return t
		}
	}
	return nil
}

// portAt returns the port whose row is at a place on the ground.
func (p *place) portAt(y float32) *port {
	for _, q := range p.ports {
		if abs(y-q.y()) <= tilePort/2 {
			return q
		}
	}
	return nil
}

// fade says how old something is, from 0, just now, to fadeLevels-1.
func fade(p Paint, age time.Duration) uint8 {
	if p == PaintSilent {
		return fadeLevels
	}
	for i, limit := range fadeAges {
		if age < limit {
			return uint8(i) + uint8(p)<<4
		}
	}
	return uint8(len(fadeAges)) + uint8(p)<<4
}

var fadeAges = [...]time.Duration{time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

const fadeLevels = uint8(len(fadeAges) + 1)

// pulseTime is how long a message is seen on its way, and pulseSteps in how
// many steps.
const (
	pulseTime  = 900 * time.Millisecond
	pulseSteps = 9
)

// pulse says how far a message has come that passed so long ago: from 1 to
// pulseSteps, or 0 where it arrived.
func pulse(age time.Duration) uint8 {
	if age < 0 || age >= pulseTime {
		return 0
	}
	return uint8(age*pulseSteps/pulseTime) + 1
}

package widget

import (
	"math"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	fw "fyne.io/fyne/v2/widget"
)

// Paint is how alive something is.
type Paint uint8

// How alive something is.
const (
	PaintSilent  Paint = iota // designed, nothing arrived: grey
	PaintAlive                // the property's own colour; the age fades it
	PaintStray                // arrives, not designed: orange
	PaintRefused              // refused a moment ago: red
)

// Measures of a house, in units of the ground.
const (
	HouseGrid = 8  // places snap to it
	HouseHead = 40 // height of an area's title; what is in it begins below
)

// HouseArea is a branch, or a room in one.
type HouseArea struct {
	ID, Title, Sub string
	In             string  // ID of the area around it; "" is the ground
	X, Y, W, H     float32 // within In
	Hue            int     // of a branch: which of the Colors, from 1; 0 is any
}

// HouseTile is a kit.
type HouseTile struct {
	ID, In     string // In is the ID of the area around it; "" is the ground
	Title, Sub string
	Icon       fyne.Resource // picture of its role; may be nil
	X, Y       float32       // within In; its size follows from what it has (Size)
	Virtual    bool
	// Online is what it is where Known.
	Online, Known bool
	Note          string // a warning under the title; "" is none
	Ports         []HousePort
}

// Size returns how large the tile is drawn, in units of the ground.
func (t *HouseTile) Size() (w, h float32) {
	h = tileHead + tilePort*float32(len(t.Ports)) + tileFoot
	if t.Note != "" {
		h += tileNote
	}
	return tileWidth, h
}

// HousePort is a property of a kit.
type HousePort struct {
	ID, Title, Value string
	In, Out          bool // it reads; it publishes
	Hue              int  // which of the Colors
	Paint            Paint
	At               time.Time // of the value
}

// HouseLink is a wire from a port that publishes to one that reads.
type HouseLink struct {
	ID, From, To string // From and To are ports
	Title        string // the topic
	Rule         bool   // it goes through a rule: drawn with its sign
	Paint        Paint
	At           time.Time // of the last message
}

// HouseScene is all that is in a house. Of things that overlap the later is above.
type HouseScene struct {
	Areas []HouseArea
	Tiles []HouseTile
	Links []HouseLink
}

// HouseMove is where a tile or an area is now, within In.
type HouseMove struct {
	ID, In string
	X, Y   float32
}

// House is a plan of a house: branches and rooms as areas, kits as tiles with
// their properties as ports, and wires between them.
//
// It shows at once what a person does; who owns it answers with SetScene, with
// the places as they were where it did not do it. All runs on the UI goroutine.
type House struct {
	fw.BaseWidget

	OnChosen    func(ids []string)                                 // by a person; of areas, tiles and ports
	OnMoved     func([]HouseMove)                                  // dropped, or moved by the arrow keys
	OnResized   func(id string, x, y, w, h float32)                // an area; what is in it keeps its X and Y
	OnConnected func(from, to string)                              // dragged from one port to another: from publishes, to reads
	OnOpened    func(id string)                                    // double tap or Enter
	OnMenu      func(id string, at fyne.Position)                  // right click or the menu key, at an absolute position; "" is the ground
	OnKey       func(name fyne.KeyName, mod fyne.KeyModifier) bool // what the house has no use for; false: nor has its owner
	OnDropped   func(what string, in string, x, y float32)         // see StartDrop
	OnLink      func(id string)                                    // a wire was tapped

	scene  houseScene
	chosen []string // areas, tiles and ports
	empty  string
	now    time.Time // of the last Commit

	// The view: what is at (x, y) of the ground is at (x*zoom+ox, y*zoom+oy).
	zoom, ox, oy float32
	viewed       bool // the view was chosen; before, all is shown

	focused bool
	marquee bool
	space   bool             // the key is held down
	mods    fyne.KeyModifier // held down, where the driver does not know
	pointer fyne.Position
	inside  bool // the pointer is
	hover   houseHit
	press   *housePress
	drag    *houseDrag
	join    *houseJoin
	drop    *houseDrop
	edge    *fyne.Animation // moves the view while something is dragged at its edge

	letters letters
	drawn   *houseRenderer // nil before it is shown
}

// NewHouse returns an empty house.
func NewHouse() *House {
	h := &House{zoom: 1}
	h.scene.clear()
	h.ExtendBaseWidget(h)
	return h
}

// SetScene shows a scene; what is chosen and in view stays. A port's or link's
// value, paint and time stay too where they are newer than those of the scene,
// and so does the presence of a tile that is not Known in it. Of two things of
// one ID the first counts, and what has no place of its own is on the ground.
func (h *House) SetScene(s HouseScene) {
	if h.drag != nil {
		h.drag.back()
	}
	if h.scene.set(s) {
		h.chosen = slices.DeleteFunc(h.chosen, func(id string) bool { return !h.scene.has(id) })
		h.hover = houseHit{}
		if h.press != nil && !h.scene.holds(h.press.hit) {
			h.press.hit = houseHit{}
		}
		if h.join != nil && !h.join.stands(h) {
			h.join = nil
		}
	}
	if h.drag != nil {
		h.drag.again()
	}
	h.show()
}

// SetEmpty sets what invites a person where there is nothing.
func (h *House) SetEmpty(text string) {
	h.empty = text
	h.show()
}

// SetPort changes what a port shows at the next Commit.
func (h *House) SetPort(id, value string, p Paint, at time.Time) {
	if port := h.scene.ports[id]; port != nil {
		if value = line(value); value != port.Value || p != port.Paint {
			port.stale = true
		}
		port.Value, port.Paint, port.At = value, p, at
	}
}

// SetLink changes how alive a wire is at the next Commit.
func (h *House) SetLink(id string, p Paint, at time.Time) {
	if w := h.scene.wires[id]; w != nil {
		w.stale = w.stale || p != w.Paint || !at.Equal(w.At)
		w.Paint, w.At = p, at
	}
}

// SetTile changes the presence and the warning of a tile at the next Commit.
func (h *House) SetTile(id string, online, known bool, note string) {
	p := h.scene.places[id]
	if p == nil || p.tile == nil {
		return
	}
	t := p.tile
	note = line(note)
	if t.Online == online && t.Known == known && t.Note == note {
		return
	}
	t.Online, t.Known, t.Note = online, known, note
	p.w, p.h = t.Size()
	p.stale = true
}

// Commit draws what changed since, and what faded until now. It costs next to
// nothing where that is nothing in view.
func (h *House) Commit(now time.Time) {
	h.now = now
	if h.drawn != nil && h.aged() {
		h.show()
	}
}

// aged reports whether something in view looks different now.
func (h *House) aged() bool {
	view := h.seen()
	for _, t := range h.scene.tiles {
		stale := t.stale
		for _, q := range t.ports {
			stale = stale || q.stale || q.level != fade(q.Paint, h.now.Sub(q.At))
		}
		if stale && view.meets(t.bounds()) {
			return true
		}
	}
	for _, w := range h.scene.links {
		age := h.now.Sub(w.At)
		if (w.stale || w.level != fade(w.Paint, age) || w.pulse != pulse(age)) && view.meets(w.bounds()) {
			return true
		}
	}
	return false
}

// Choose chooses areas, tiles and ports, without telling OnChosen.
func (h *House) Choose(ids ...string) {
	chosen := make([]string, 0, len(ids))
	for _, id := range ids {
		if h.scene.has(id) && !slices.Contains(chosen, id) {
			chosen = append(chosen, id)
		}
	}
	if !slices.Equal(chosen, h.chosen) {
		h.chosen = chosen
		h.show()
	}
}

// Chosen returns what is chosen.
func (h *House) Chosen() []string { return slices.Clone(h.chosen) }

// choose is Choose by a person.
func (h *House) choose(ids ...string) {
	before := h.chosen
	h.Choose(ids...)
	if !slices.Equal(before, h.chosen) && h.OnChosen != nil {
		h.OnChosen(h.Chosen())
	}
}

// Fit shows all there is.
func (h *House) Fit() {
	h.viewed = false
	h.fit(h.scene.bounds())
	h.show()
}

// FitTo shows these as large as they fit.
func (h *House) FitTo(ids ...string) {
	var all houseBox
	for _, id := range ids {
		all = all.union(h.scene.boundsOf(id))
	}
	if !all.none() {
		h.viewed = true
		h.fit(all)
		h.show()
	}
}

// fit shows b in the middle.
func (h *House) fit(b houseBox) {
	size := h.Size()
	if b.none() || size.Width < 1 || size.Height < 1 {
		return
	}
	h.zoom = fitting(b, size)
	h.ox = size.Width/2 - (b.x0+b.x1)/2*h.zoom
	h.oy = size.Height/2 - (b.y0+b.y1)/2*h.zoom
}

// fitting returns the zoom at which b fills size, but for a margin.
func fitting(b houseBox, size fyne.Size) float32 {
	const margin = 24
	k := min((size.Width-2*margin)/max(b.x1-b.x0, 1), (size.Height-2*margin)/max(b.y1-b.y0, 1))
	return min(max(k, 0.02), 1.25)
}

// The zoom of a person; less only where else not all can be seen.
const (
	zoomMin = 0.15
	zoomMax = 3
)

// Zoom multiplies the zoom by k around the middle of the view.
func (h *House) Zoom(k float32) {
	h.zoomAt(k, fyne.NewPos(h.Size().Width/2, h.Size().Height/2))
}

// zoomAt multiplies the zoom by k; what is at a position stays there.
func (h *House) zoomAt(k float32, at fyne.Position) {
	if !(k > 0) || k > 1e3 {
		return
	}
	least := float32(zoomMin)
	if b := h.scene.bounds(); !b.none() {
		least = min(least, fitting(b, h.Size()))
	}
	to := min(max(h.zoom*k, least), zoomMax)
	k = to / h.zoom
	if k == 1 {
		return
	}
	h.ox, h.oy, h.zoom, h.viewed = at.X-(at.X-h.ox)*k, at.Y-(at.Y-h.oy)*k, to, true
	h.moved()
}

// pan moves the view.
func (h *House) pan(dx, dy float32) {
	if dx != 0 || dy != 0 {
		h.ox, h.oy, h.viewed = h.ox+dx, h.oy+dy, true
		h.keep()
		h.moved()
	}
}

// keep keeps at least a corner of the house in view, so that nobody gets lost.
func (h *House) keep() {
	const corner = 80
	b, size := h.scene.bounds(), h.Size()
	if b.none() {
		return
	}
	h.ox = min(max(h.ox, corner-b.x1*h.zoom), size.Width-corner-b.x0*h.zoom)
	h.oy = min(max(h.oy, corner-b.y1*h.zoom), size.Height-corner-b.y0*h.zoom)
}

// moved is called after the view changed.
func (h *House) moved() {
	if h.inside && h.drag == nil {
		h.hover = h.hit(h.pointer)
	}
	h.show()
}

// Zoomed returns the zoom; at 1 a unit of the ground is a unit of the window.
func (h *House) Zoomed() float32 { return h.zoom }

// Reveal moves the view until a thing is seen, if it is not.
func (h *House) Reveal(id string) {
	const margin = 24
	b, size := h.scene.boundsOf(id), h.Size()
	if b.none() || size.Width < 1 || size.Height < 1 {
		return
	}
	move := func(from, to, offset, width float32) float32 {
		from, to = from*h.zoom+offset, to*h.zoom+offset
		switch {
		case to-from > width-2*margin: // it does not fit: its beginning
			if from < 0 || from > width/2 {
				return margin - from
			}
			return 0
		case from < margin:
			return margin - from
		case to > width-margin:
			return width - margin - to
		}
		return 0
	}
	if dx, dy := move(b.x0, b.x1, h.ox, size.Width), move(b.y0, b.y1, h.oy, size.Height); dx != 0 || dy != 0 {
		h.ox, h.oy, h.viewed = h.ox+dx, h.oy+dy, true
		h.moved()
	}
}

// SetMarquee makes a drag on the ground choose what is in the rectangle instead
// of moving the view. With Shift it always does.
func (h *House) SetMarquee(on bool) { h.marquee = on }

// At returns what area is at a position of the widget, and where in it.
func (h *House) At(p fyne.Position) (in string, x, y float32) {
	x, y = h.ground(p)
	if a := h.scene.areaAt(x, y, nil); a != nil {
		return a.id, x - a.ax, y - a.ay
	}
	return "", x, y
}

// ground returns what is at a position of the widget.
func (h *House) ground(p fyne.Position) (x, y float32) {
	return (p.X - h.ox) / h.zoom, (p.Y - h.oy) / h.zoom
}

// onto returns the position in the widget of a place on the ground.
func (h *House) onto(x, y float32) fyne.Position { return fyne.NewPos(x*h.zoom+h.ox, y*h.zoom+h.oy) }

// seen returns what is in view.
func (h *House) seen() houseBox {
	x0, y0 := h.ground(fyne.NewPos(0, 0))
	x1, y1 := h.ground(fyne.NewPos(h.Size().Width, h.Size().Height))
	return houseBox{x0, y0, x1, y1}
}

// snap returns v on the grid.
func snap(v float32) float32 { return float32(math.Round(float64(v)/HouseGrid)) * HouseGrid }

// show draws anew.
func (h *House) show() {
	if h.drawn != nil {
		h.drawn.show()
	}
}

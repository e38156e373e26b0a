package widget

import (
	"math"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
)

var (
	_ desktop.Hoverable      = (*House)(nil)
	_ desktop.Cursorable     = (*House)(nil)
	_ desktop.Mouseable      = (*House)(nil)
	_ desktop.Keyable        = (*House)(nil)
	_ fyne.Draggable         = (*House)(nil)
	_ fyne.Scrollable        = (*House)(nil)
	_ fyne.DoubleTappable    = (*House)(nil)
	_ fyne.SecondaryTappable = (*House)(nil)
	_ fyne.Focusable         = (*House)(nil)
	_ fyne.Tabbable          = (*House)(nil)
	_ fyne.Shortcutable      = (*House)(nil)
)

// housePress is a mouse button that is held down.
type housePress struct {
	at   fyne.Position
	mod  fyne.KeyModifier
	hit  houseHit
	pans bool // whatever is hit
	late bool // what is hit was chosen already: alone only if nothing is dragged
}

// modifiers returns which keys are held down.
func (h *House) modifiers() fyne.KeyModifier {
	if d, ok := fyne.CurrentApp().Driver().(desktop.Driver); ok {
		return d.CurrentKeyModifiers()
	}
	return h.mods
}

// takeKeyboard makes the keys go here.
func (h *House) takeKeyboard() {
	if cv := fyne.CurrentApp().Driver().CanvasForObject(h); cv != nil && cv.Focused() != h {
		cv.Focus(h)
	}
}

// Cursor is part of desktop.Cursorable.
func (h *House) Cursor() desktop.Cursor {
	hit := h.hover
	if g := h.drag; g != nil {
		switch g.kind {
		case dragMarquee, dragWire:
			return desktop.CrosshairCursor
		case dragResize:
			hit = houseHit{kind: hitEdge, edges: g.edges}
		case dragMove:
			return desktop.PointerCursor
		default:
			return desktop.DefaultCursor
		}
	}
	if h.drop != nil {
		return desktop.PointerCursor
	}
	switch hit.kind {
	case hitSocket:
		return desktop.CrosshairCursor
	case hitTile, hitPort, hitTitle, hitWire:
		return desktop.PointerCursor
	case hitEdge:
		switch hit.edges {
		case edgeLeft, edgeRight:
			return desktop.HResizeCursor
		case edgeTop, edgeBottom:
			return desktop.VResizeCursor
		case edgeLeft | edgeTop, edgeRight | edgeBottom:
			return desktop.NWSEResizeCursor
		}
		return desktop.NESWResizeCursor
	}
	if h.marquee {
		return desktop.CrosshairCursor
	}
	return desktop.DefaultCursor
}

// MouseIn is part of desktop.Hoverable.
func (h *House) MouseIn(e *desktop.MouseEvent) { h.MouseMoved(e) }

// MouseMoved lights up what is under the pointer.
func (h *House) MouseMoved(e *desktop.MouseEvent) {
	h.pointer, h.inside = e.Position, true
	if h.drop != nil {
		h.drop.at, h.drop.seen = e.Position, true
		h.show()
		return
	}
	if hit := h.hit(e.Position); hit != h.hover {
		h.hover = hit
		h.show()
	}
}

// MouseOut is part of desktop.Hoverable.
func (h *House) MouseOut() {
	h.inside = false
	if h.drop != nil {
		h.drop.seen = false
		h.show()
	}
	if h.hover != (houseHit{}) {
		h.hover = houseHit{}
		h.show()
	}
}

// MouseDown chooses what is hit, at once.
func (h *House) MouseDown(e *desktop.MouseEvent) {
	h.takeKeyboard()
	h.viewed = true // nothing moves under a hand by itself
	if h.drop != nil {
		h.drop.at, h.drop.seen = e.Position, true
		return
	}
	h.join = nil
	hit := h.hit(e.Position)
	if h.drag != nil { // another button
		return
	}
	switch e.Button {
	case desktop.MouseButtonSecondary:
		if id := hit.id(); hit.kind != hitArea && id != "" && !slices.Contains(h.chosen, id) {
			h.choose(id)
		}
		return
	case desktop.MouseButtonTertiary:
		h.press = &housePress{at: e.Position, pans: true}
		return
	}
	h.press = &housePress{at: e.Position, mod: e.Modifier, hit: hit, pans: h.space}
	if h.space {
		return
	}
	switch hit.kind {
	case hitTile, hitPort, hitTitle, hitEdge:
		id := hit.id()
		switch known := slices.Contains(h.chosen, id); {
		case e.Modifier&fyne.KeyModifierShortcutDefault != 0 && known:
			h.choose(slices.DeleteFunc(h.Chosen(), func(c string) bool { return c == id })...)
		case e.Modifier&(fyne.KeyModifierShortcutDefault|fyne.KeyModifierShift) != 0:
			h.choose(append(h.Chosen(), id)...)
		case known:
			h.press.late = true
		default:
			h.choose(id)
		}
	}
}

// MouseUp ends a click. What was dragged ends in DragEnd.
func (h *House) MouseUp(e *desktop.MouseEvent) {
	if h.drop != nil {
		if e.Button == desktop.MouseButtonPrimary {
			h.drop.at = e.Position
			h.let()
		}
		return
	}
	press := h.press
	if press == nil || h.drag != nil || e.Button == desktop.MouseButtonSecondary {
		return
	}
	h.press = nil
	if press.pans {
		return
	}
	adds := press.mod&(fyne.KeyModifierShortcutDefault|fyne.KeyModifierShift) != 0
	switch hit := press.hit; {
	case hit.kind == hitWire:
		if h.OnLink != nil {
			h.OnLink(hit.wire.ID)
		}
	case hit.kind == hitArea && adds:
		h.choose(append(h.Chosen(), hit.id())...)
	case hit.kind == hitArea || hit.kind == hitSocket && !adds || press.late:
		h.choose(hit.id())
	case hit.kind == hitGround && !adds:
		h.choose()
	}
}

// Dragged goes on with what the press began.
func (h *House) Dragged(e *fyne.DragEvent) {
	at := e.Position
	if h.press == nil && h.drag == nil { // a driver without a mouse
		h.press, h.viewed = &housePress{at: at, hit: h.hit(at)}, true
		at = at.AddXY(e.Dragged.DX, e.Dragged.DY)
	}
	h.pointer = at
	if h.drop != nil {
		h.drop.at, h.drop.seen = at, true
		h.show()
		return
	}
	if h.drag == nil {
		h.begin(h.press)
	}
	h.drag.to(at)
	if h.edge == nil {
		h.creep()
	}
}

// DragEnd does what the drag was for.
func (h *House) DragEnd() {
	h.press = nil
	if h.drag != nil {
		h.drag.end()
	}
}

// DoubleTapped opens what is there.
func (h *House) DoubleTapped(e *fyne.PointEvent) {
	if id := h.hit(e.Position).id(); id != "" && h.OnOpened != nil {
		h.OnOpened(id)
	}
}

// TappedSecondary asks for the menu of what is there.
func (h *House) TappedSecondary(e *fyne.PointEvent) {
	if h.cancel() {
		return
	}
	hit := h.hit(e.Position)
	id := hit.id()
	if hit.wire != nil {
		id = hit.wire.ID
	}
	if h.OnMenu != nil {
		h.OnMenu(id, e.AbsolutePosition)
	}
}

// Scrolled zooms at the pointer; with Shift, and sideways, it moves the view.
func (h *House) Scrolled(e *fyne.ScrollEvent) {
	dx, dy := e.Scrolled.DX, e.Scrolled.DY
	if h.modifiers()&fyne.KeyModifierShift != 0 || abs(dx) > abs(dy) {
		h.pan(dx, dy)
		return
	}
	turn := min(max(float64(dy)/25, -6), 6)
	h.zoomAt(float32(math.Pow(1.12, turn)), e.Position)
}

// FocusGained is part of fyne.Focusable.
func (h *House) FocusGained() { h.setFocus(true) }

// FocusLost is part of fyne.Focusable.
func (h *House) FocusLost() {
	h.space, h.mods, h.join = false, 0, nil
	h.setFocus(false)
}

func (h *House) setFocus(on bool) {
	h.focused = on
	h.show()
}

// AcceptsTab is part of fyne.Tabbable. After the last kit Tab goes on to the
// next widget.
func (h *House) AcceptsTab() bool {
	if h.join != nil {
		return true
	}
	step := 1
	if h.modifiers()&fyne.KeyModifierShift != 0 {
		step = -1
	}
	_, ok := h.beside(step)
	return ok
}

// KeyDown is part of desktop.Keyable.
func (h *House) KeyDown(e *fyne.KeyEvent) { h.held(e.Name, true) }

// KeyUp is part of desktop.Keyable.
func (h *House) KeyUp(e *fyne.KeyEvent) { h.held(e.Name, false) }

func (h *House) held(name fyne.KeyName, down bool) {
	var mod fyne.KeyModifier
	switch name {
	case fyne.KeySpace:
		h.space = down
		return
	case desktop.KeyShiftLeft, desktop.KeyShiftRight:
		mod = fyne.KeyModifierShift
	case desktop.KeyControlLeft, desktop.KeyControlRight:
		mod = fyne.KeyModifierControl
	case desktop.KeyAltLeft, desktop.KeyAltRight:
		mod = fyne.KeyModifierAlt
	}
	if down {
		h.mods |= mod
	} else {
		h.mods &^= mod
	}
}

// TypedRune zooms. These characters are on other keys of other keyboards.
func (h *House) TypedRune(r rune) {
	switch r {
	case '+', '=':
		h.Zoom(1.25)
	case '-', '_':
		h.Zoom(0.8)
	case '0':
		h.Fit()
	}
}

// TypedKey is the rest of the keyboard: Tab and Shift+Tab walk through things
// of one kind, Page Down goes into one, Page Up out of it, arrows move what is
// chosen (Alt+arrows: the edges of an area), Enter opens, C draws a wire, F
// shows all, Escape ends or clears.
func (h *House) TypedKey(e *fyne.KeyEvent) {
	mod := h.modifiers()
	h.viewed = true
	switch e.Name {
	case fyne.KeyEscape:
		if h.cancel() {
			return
		}
		if len(h.chosen) > 0 {
			h.choose()
			return
		}
	case fyne.KeyTab:
		step := 1
		if mod&fyne.KeyModifierShift != 0 {
			step = -1
		}
		if h.join != nil {
			h.join.next(h, step)
		} else if id, ok := h.beside(step); ok {
			h.choose(id)
			h.Reveal(id)
		}
		return
	case fyne.KeyReturn, fyne.KeyEnter:
		h.enter()
		return
	case fyne.KeyLeft, fyne.KeyRight, fyne.KeyUp, fyne.KeyDown:
		h.arrow(e.Name, mod)
		return
	case fyne.KeyPageUp, fyne.KeyPageDown:
		if id := h.deeper(e.Name == fyne.KeyPageDown); id != "" {
			h.choose(id)
			h.Reveal(id)
		}
		return
	case fyne.KeyF:
		h.Fit()
		return
	case fyne.KeyC:
		h.startJoin()
		return
	case desktop.KeyMenu:
		h.menu()
		return
	case fyne.KeyF10:
		if mod&fyne.KeyModifierShift != 0 {
			h.menu()
			return
		}
	case fyne.KeySpace, fyne.Key0, fyne.KeyPlus, fyne.KeyMinus, fyne.KeyEqual,
		desktop.KeyShiftLeft, desktop.KeyShiftRight, desktop.KeyControlLeft, desktop.KeyControlRight, desktop.KeyAltLeft, desktop.KeyAltRight:
		return
	}
	if h.OnKey != nil {
		h.OnKey(e.Name, mod)
	}
}

// TypedShortcut chooses all, moves the edges of an area, or gives the keys to
// OnKey and then to the window.
func (h *House) TypedShortcut(s fyne.Shortcut) {
	name, mod := fyne.KeyUnknown, fyne.KeyModifierShortcutDefault
	switch s := s.(type) {
	case *fyne.ShortcutSelectAll:
		h.chooseAll()
		return
	case *fyne.ShortcutCopy:
		name = fyne.KeyC
	case *fyne.ShortcutCut:
		name = fyne.KeyX
	case *fyne.ShortcutPaste:
		name = fyne.KeyV
	case *fyne.ShortcutUndo:
		name = fyne.KeyZ
	case *fyne.ShortcutRedo:
		name = fyne.KeyY
	case fyne.KeyboardShortcut:
		name, mod = s.Key(), s.Mod()
	}
	if mod == fyne.KeyModifierAlt && h.stretch(name) {
		return
	}
	if name != fyne.KeyUnknown && h.OnKey != nil && h.OnKey(name, mod) {
		return
	}
	if cv, ok := fyne.CurrentApp().Driver().CanvasForObject(h).(fyne.Shortcutable); ok {
		cv.TypedShortcut(s)
	}
}

// chooseAll chooses all kits, or, where there are none, all areas.
func (h *House) chooseAll() {
	all := h.scene.tiles
	if len(all) == 0 {
		all = h.scene.areas
	}
	ids := make([]string, len(all))
	for i, p := range all {
		ids[i] = p.id
	}
	h.choose(ids...)
}

// last returns what was chosen last: a place, and its port where that is one.
func (h *House) last() (*place, *port) {
	if len(h.chosen) == 0 {
		return nil, nil
	}
	id := h.chosen[len(h.chosen)-1]
	if p := h.scene.places[id]; p != nil {
		return p, nil
	}
	q := h.scene.ports[id]
	return q.tile, q
}

// beside returns what comes after, or before, what is chosen: a kit after a kit,
// an area after an area, a port after a port of its kit.
func (h *House) beside(step int) (string, bool) {
	var ids []string
	p, q := h.last()
	switch {
	case q != nil:
		for _, o := range p.ports {
			ids = append(ids, o.ID)
		}
	case p != nil && p.area != nil || len(h.scene.tiles) == 0:
		for _, a := range h.scene.areas {
			ids = append(ids, a.id)
		}
	default:
		for _, t := range h.walk() {
			ids = append(ids, t.id)
		}
	}
	at := -1
	if len(h.chosen) > 0 {
		at = slices.Index(ids, h.chosen[len(h.chosen)-1])
	}
	if at < 0 && step < 0 {
		at = len(ids)
	}
	if at += step; at < 0 || at >= len(ids) {
		return "", false
	}
	return ids[at], true
}

// walk returns the kits as one reads: branch by branch, room by room, line by line.
func (h *House) walk() []*place {
	order := map[*place]int{}
	for i, a := range h.scene.areas {
		order[a] = i + 1
	}
	all := slices.Clone(h.scene.tiles)
	slices.SortStableFunc(all, func(a, b *place) int {
		switch {
		case a.in != b.in:
			if a.in != nil && b.in != nil && a.hue != b.hue {
				return a.hue - b.hue
			}
			return order[a.in] - order[b.in]
		case a.ay != b.ay:
			return int(min(max(a.ay-b.ay, -1), 1) * 2)
		}
		return int(min(max(a.ax-b.ax, -1), 1) * 2)
	})
	return all
}

// deeper returns what is inside of what is chosen, or around it; "" is nothing.
func (h *House) deeper(in bool) string {
	p, q := h.last()
	switch {
	case p == nil:
		if id, ok := h.beside(1); in && ok {
			return id
		}
		return ""
	case !in && q != nil:
		return p.id
	case !in && p.in != nil:
		return p.in.id
	case !in || q != nil:
		return ""
	case p.tile != nil:
		if len(p.ports) > 0 {
			return p.ports[0].ID
		}
		return ""
	}
	for _, list := range [2][]*place{h.scene.areas, h.walk()} {
		for _, o := range list {
			if o.in == p {
				return o.id
			}
		}
	}
	return ""
}

// enter drops, connects, or opens what is chosen.
func (h *House) enter() {
	switch j := h.join; {
	case h.drop != nil:
		h.let()
	case j != nil && j.to != nil:
		h.join = nil
		h.show()
		h.connect(j.from, j.to, j.from.Out)
	case j == nil && len(h.chosen) > 0 && h.OnOpened != nil:
		h.OnOpened(h.chosen[len(h.chosen)-1])
	}
}

// menu asks for the menu of what is chosen.
func (h *House) menu() {
	if h.OnMenu == nil {
		return
	}
	at, id := fyne.NewPos(h.Size().Width/2, h.Size().Height/2), ""
	if len(h.chosen) > 0 {
		id = h.chosen[len(h.chosen)-1]
		h.Reveal(id)
		b := h.scene.boundsOf(id)
		at = h.onto(b.x0+min(40, b.x1-b.x0), b.y0+min(40, b.y1-b.y0))
	}
	at.X, at.Y = min(max(at.X, 0), h.Size().Width), min(max(at.Y, 0), h.Size().Height)
	h.OnMenu(id, at.Add(fyne.CurrentApp().Driver().AbsolutePositionForObject(h)))
}

// startJoin begins a wire from the chosen port, or from one of the chosen kit.
func (h *House) startJoin() {
	p, q := h.last()
	if q == nil && p != nil {
		for _, o := range p.ports {
			if o.Out && q == nil {
				q = o
			}
		}
		if q == nil && len(p.ports) > 0 {
			q = p.ports[0]
		}
	}
	if q == nil || !q.In && !q.Out {
		return
	}
	h.cancel()
	h.join = &houseJoin{from: q}
	h.choose(q.ID)
	h.join.next(h, 1)
	if h.join.to == nil { // there is none
		h.join = nil
	}
}

// arrow moves what is chosen, or what is on its way from the palette; of ports
// it chooses another, and where nothing is chosen it moves the view.
func (h *House) arrow(name fyne.KeyName, mod fyne.KeyModifier) {
	dx, dy := towards(name)
	step := float32(HouseGrid)
	if mod&fyne.KeyModifierShift != 0 {
		step *= 5
	}
	p, q := h.last()
	switch {
	case h.drop != nil:
		h.drop.at, h.drop.seen = h.drop.at.AddXY(dx*step*h.zoom, dy*step*h.zoom), true
		h.show()
	case h.join != nil:
		h.join.next(h, int(dx+dy))
	case q != nil:
		if id, ok := h.beside(int(dx + dy)); ok {
			h.choose(id)
			h.Reveal(id)
		}
	case p == nil:
		h.pan(-dx*8*step, -dy*8*step)
	case h.drag == nil:
		h.shift(dx*step, dy*step)
	}
}

func towards(name fyne.KeyName) (dx, dy float32) {
	switch name {
	case fyne.KeyLeft:
		return -1, 0
	case fyne.KeyRight:
		return 1, 0
	case fyne.KeyUp:
		return 0, -1
	case fyne.KeyDown:
		return 0, 1
	}
	return 0, 0
}

// shift moves what is chosen, each within its area.
func (h *House) shift(dx, dy float32) {
	p, _ := h.last()
	g := &houseDrag{h: h}
	g.take(p)
	for _, m := range g.moves {
		x, y := m.x+dx, m.y+dy
		if m.in != nil {
			mx, my := m.in.hold(houseBox{m.ax + dx, m.ay + dy, m.ax + dx + m.p.w, m.ay + dy + m.p.h}, m.p.area == nil)
			x, y = x+mx, y+my
		}
		m.p.x, m.p.y = x, y
	}
	h.scene.arrange()
	h.Reveal(p.id)
	h.tell(g.moves)
	h.show()
}

// stretch moves the right or lower edge of the chosen area by the grid.
func (h *House) stretch(name fyne.KeyName) bool {
	dx, dy := towards(name)
	p, q := h.last()
	if dx == 0 && dy == 0 || p == nil || q != nil || p.area == nil || h.drag != nil {
		return false
	}
	leastW, leastH := h.scene.least(p)
	w, hh := max(p.w+dx*HouseGrid, leastW), max(p.h+dy*HouseGrid, leastH)
	if w == p.w && hh == p.h {
		return true
	}
	p.w, p.h = w, hh
	h.scene.arrange()
	if h.OnResized != nil {
		h.OnResized(p.id, p.x, p.y, p.w, p.h)
	}
	h.show()
	return true
}

package widget

import (
	"image"
	"image/color"
	"math"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"

	"homeroom/assets/lang"
)

// Zooms below which less is drawn.
const (
	zoomBlocks = 0.25 // only blocks
	zoomTexts  = 0.4  // no texts of ports
	zoomSubs   = 0.55 // no second titles
	zoomDots   = 0.6  // no grid
	zoomWires  = 0.75 // no topics on wires
)

// houseRenderer is one picture that is drawn anew where something changed. That
// is cheaper than an object for each thing, by far: see docs/benchmarks.md.
type houseRenderer struct {
	h      *House
	raster *canvas.Raster
	pix    pixels
	stale  bool
	counts houseCounts
}

// houseCounts is how much the last drawing drew.
type houseCounts struct{ areas, tiles, ports, links, texts int }

// CreateRenderer is part of fyne.Widget.
func (h *House) CreateRenderer() fyne.WidgetRenderer {
	r := &houseRenderer{h: h, stale: true}
	r.raster = canvas.NewRaster(func(w, h int) image.Image { return r.pix.safely(w, h, r.paint) })
	r.raster.ScaleMode = canvas.ImageScalePixels
	h.drawn = r
	return r
}

func (r *houseRenderer) Destroy()                     {}
func (r *houseRenderer) MinSize() fyne.Size           { return fyne.NewSize(240, 160) }
func (r *houseRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.raster} }
func (r *houseRenderer) Refresh()                     { r.show() }

func (r *houseRenderer) Layout(size fyne.Size) {
	r.raster.Resize(size)
	if !r.h.viewed {
		r.h.fit(r.h.scene.bounds())
	}
	r.show()
}

func (r *houseRenderer) show() {
	if !r.h.viewed {
		r.h.fit(r.h.scene.bounds())
	}
	r.stale = true
	r.raster.Refresh()
}

// paint draws what is in view at w by h pixels.
func (r *houseRenderer) paint(w, h int) image.Image {
	if p := &r.pix; !r.stale && p.img != nil && p.img.Rect.Dx() == w && p.img.Rect.Dy() == h {
		return p.img
	}
	r.stale = false
	size := r.h.Size()
	d := newHousePaint(r.h, &r.pix, w, h, density(w, size.Width))
	d.all()
	r.counts = d.counts
	return r.pix.img
}

// houseInks are the colours of a drawing.
type houseInks struct {
	ground, paper, fore, muted, edge, wall   color.NRGBA
	accent, good, bad, stray, warn, warnTint color.NRGBA
	grid, shadow, choice                     color.NRGBA
	dark                                     bool
}

func newHouseInks() houseInks {
	i := houseInks{
		ground: themeColor(theme.ColorNameBackground), paper: themeColor(theme.ColorNameOverlayBackground),
		fore: themeColor(theme.ColorNameForeground), muted: themeColor(theme.ColorNamePlaceHolder),
		accent: themeColor(theme.ColorNamePrimary), good: themeColor(theme.ColorNameSuccess), bad: themeColor(theme.ColorNameError),
		warn: themeColor(theme.ColorNameWarning), choice: themeColor(theme.ColorNameSelection), dark: dark(),
	}
	i.ground.A, i.paper.A, i.fore.A, i.muted.A = 255, 255, 255, 255
	i.stray = color.NRGBA{0xC8, 0x58, 0x00, 255}
	i.shadow = color.NRGBA{0x10, 0x18, 0x30, 26}
	wall := 0.34
	if i.dark {
		i.stray = color.NRGBA{0xFF, 0x9F, 0x43, 255}
		i.shadow = color.NRGBA{0, 0, 0, 90}
		wall = 0.26
	}
	if i.warnTint = themeColor(ColorWarningTint); i.warnTint.A < 255 {
		i.warnTint = blend(i.paper, i.warn, 0.16)
	}
	i.edge = blend(i.paper, i.fore, 0.16)
	i.wall = blend(i.paper, i.fore, wall)
	i.grid = i.fore
	i.grid.A = 34
	return i
}

// housePaint is one drawing of a house.
type housePaint struct {
	houseInks
	h       *House
	p       *pixels
	k       float32 // pixels a unit of the ground
	s       float32 // pixels a unit of the window
	ox, oy  float32 // where the ground begins, in whole pixels: edges stay sharp while it moves
	view    houseBox
	counts  houseCounts
	chosen  map[string]bool
	carried map[*place]bool // in somebody's hand
}

func newHousePaint(h *House, p *pixels, width, height int, scale float32) *housePaint {
	d := &housePaint{houseInks: newHouseInks(), h: h, p: p, s: scale, k: scale * h.zoom, view: h.seen()}
	d.ox, d.oy = float32(floor(h.ox*scale+0.5)), float32(floor(h.oy*scale+0.5))
	h.letters.fresh()
	p.blank(width, height, d.ground)
	d.chosen = make(map[string]bool, len(h.chosen))
	for _, id := range h.chosen {
		d.chosen[id] = true
	}
	if h.drag != nil {
		d.carried = h.drag.carried()
	}
	return d
}

// rect returns a part of the ground in whole pixels.
func (d *housePaint) rect(b houseBox) image.Rectangle {
	at := func(v, o float32) int { return floor(v*d.k + o + 0.5) }
	return image.Rect(at(b.x0, d.ox), at(b.y0, d.oy), at(b.x1, d.ox), at(b.y1, d.oy))
}

// part returns a rectangle within r, in units of the ground.
func (d *housePaint) part(r image.Rectangle, x, y, w, h float32) image.Rectangle {
	at := func(v float32) int { return floor(v*d.k + 0.5) }
	return image.Rect(r.Min.X+at(x), r.Min.Y+at(y), r.Min.X+at(x+w), r.Min.Y+at(y+h))
}

// text writes a line whose middle is at y, as much of it as fits into width,
// and returns how wide it is; all in pixels.
func (d *housePaint) text(text string, x, y, width, size float32, bold bool, ink color.NRGBA, align fyne.TextAlign) float32 {
	l := &d.h.letters
	text = l.fit(text, width/size, bold)
	if text == "" {
		return 0
	}
	w := l.width(text, bold) * size
	switch align {
	case fyne.TextAlignTrailing:
		x -= w
	case fyne.TextAlignCenter:
		x -= w / 2
	}
	l.write(d.p, text, x, y-0.69*size, size, bold, ink)
	d.counts.texts++
	return w
}

// tone is the colour of something as old as that.
func (d *housePaint) tone(p Paint, level uint8, hue int) color.NRGBA {
	age := float64(level & 15)
	switch p {
	case PaintAlive:
		return blend(LineColor(hue), d.muted, age*0.09)
	case PaintStray:
		return blend(d.stray, d.muted, age*0.05)
	case PaintRefused:
		return d.bad
	}
	return blend(d.muted, d.paper, 0.25)
}

// all draws everything, from below.
func (d *housePaint) all() {
	h := d.h
	if len(h.scene.areas)+len(h.scene.tiles) == 0 {
		d.dots()
		d.invitation()
	} else {
		var into *place
		if h.drag != nil {
			into = h.drag.into()
		}
		for _, a := range h.scene.areas {
			if !d.carried[a] {
				d.area(a, a == into)
			}
		}
		d.tabs(false)
		d.dots()
		d.wires(false)
		for _, t := range h.scene.tiles {
			if !d.carried[t] {
				d.tile(t, false)
			}
		}
		d.through()
		d.wires(true)
		if h.drag != nil && len(d.carried) > 0 {
			for _, a := range h.scene.areas {
				if d.carried[a] {
					d.area(a, false)
				}
			}
			d.tabs(true)
			for _, t := range h.scene.tiles {
				if d.carried[t] {
					d.tile(t, true)
				}
			}
		}
		d.rubber()
	}
	d.guides()
	d.ghost()
	if h.focused {
		d.frame(d.p.img.Rect, 2*d.s, d.accent)
	}
}

// frame draws the edge of r inside it.
func (d *housePaint) frame(r image.Rectangle, width float32, ink color.NRGBA) {
	n := max(1, floor(width+0.5))
	d.p.block(image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+n), ink)
	d.p.block(image.Rect(r.Min.X, r.Max.Y-n, r.Max.X, r.Max.Y), ink)
	d.p.block(image.Rect(r.Min.X, r.Min.Y+n, r.Min.X+n, r.Max.Y-n), ink)
	d.p.block(image.Rect(r.Max.X-n, r.Min.Y+n, r.Max.X, r.Max.Y-n), ink)
}

// dots shows the grid.
func (d *housePaint) dots() {
	if d.h.zoom < zoomDots {
		return
	}
	step := float32(HouseGrid)
	for step*d.h.zoom < 14 {
		step *= 2
	}
	n := max(1, floor(d.s))
	for y := float32(math.Ceil(float64(d.view.y0/step))) * step; y < d.view.y1; y += step {
		py := floor(y*d.k + d.oy)
		for x := float32(math.Ceil(float64(d.view.x0/step))) * step; x < d.view.x1; x += step {
			px := floor(x*d.k + d.ox)
			d.p.fill(image.Rect(px, py, px+n, py+n), d.grid)
		}
	}
}

// invitation tells in the middle what a person can do here.
func (d *housePaint) invitation() {
	if d.h.empty == "" {
		return
	}
	w, h := float32(d.p.img.Rect.Dx()), float32(d.p.img.Rect.Dy())
	size := 17 * d.s
	lines := d.wrap(d.h.empty, min(w-80*d.s, 460*d.s)/size)
	half := float32(len(lines))*size*0.75 + 44*d.s
	r := image.Rect(floor(w/2-min(w/2-16*d.s, 280*d.s)), floor(h/2-half-20*d.s), floor(w/2+min(w/2-16*d.s, 280*d.s)), floor(h/2+half+12*d.s))
	edge := max(1, floor(2*d.s))
	d.p.round(r, 20*d.s, blend(d.ground, d.accent, 0.3))
	d.p.round(r.Inset(edge), 20*d.s-float32(edge), blend(d.ground, d.paper, 0.6))
	picture := d.h.letters.picture(theme.NewColoredResource(theme.HomeIcon(), theme.ColorNamePrimary))
	across := 44 * d.s
	d.p.stamp(d.h.letters.at(picture, across, 0), floor(w/2-across/2), floor(h/2-half), picture.colored, d.accent)
	y := h/2 - half + across + size*1.3
	for i, l := range lines {
		ink := d.muted
		if i == 0 {
			ink = d.fore
		}
		d.text(l, w/2, y, w, size, i == 0, ink, fyne.TextAlignCenter)
		y += size * 1.5
	}
}

// wrap returns text in lines no wider than width, for each pixel of its size.
func (d *housePaint) wrap(text string, width float32) []string {
	var lines []string
	for paragraph := range strings.Lines(text) {
		now := ""
		for _, word := range strings.Fields(paragraph) {
			longer := strings.TrimSpace(now + " " + word)
			if now != "" && d.h.letters.width(longer, len(lines) == 0) > width {
				lines, longer = append(lines, now), word
			}
			now = longer
		}
		lines = append(lines, now)
	}
	return lines
}

// areaTint returns the colour of a branch: light enough that a little of it is not grey.
func areaTint(hue int) color.NRGBA {
	const least = 160
	c := LineColor(hue)
	if most := int(max(c.R, c.G, c.B)); most < least {
		c.R, c.G, c.B = uint8(int(c.R)*least/most), uint8(int(c.G)*least/most), uint8(int(c.B)*least/most)
	}
	return c
}

// area draws a branch or a room.
func (d *housePaint) area(a *place, into bool) {
	b := a.bounds()
	if !d.view.meets(houseBox{b.x0 - 8, b.y0 - 8, b.x1 + 8, b.y1 + 8}) {
		return
	}
	d.counts.areas++
	r := d.rect(b)
	chosen, hovered := d.chosen[a.id], d.h.hover.place == a && d.h.hover.kind != hitArea
	tint := areaTint(a.hue)
	z := d.h.zoom
	if a.depth == 0 {
		fill, edge := blend(d.ground, tint, 0.08), blend(d.ground, tint, 0.32)
		width := max(1, 1.5*d.s)
		switch {
		case into:
			fill, edge, width = blend(d.ground, d.accent, 0.2), d.accent, 2.5*d.s
		case chosen:
			edge, width = d.accent, 2.5*d.s
		case hovered:
			edge = blend(d.ground, tint, 0.55)
		}
		radius := 20 * d.k
		d.p.round(r, radius, edge)
		d.p.round(r.Inset(floor(width+0.5)), radius-width, fill)
		return
	}
	fill, wall := blend(blend(d.ground, tint, 0.05), d.paper, 0.62), blend(d.wall, tint, 0.18)
	thick := max(1, 4*d.k)
	switch {
	case into:
		fill, wall = blend(d.paper, d.accent, 0.18), d.accent
	case chosen:
		wall = d.accent
	case hovered:
		wall = blend(wall, d.fore, 0.3)
	}
	radius := 8 * d.k
	d.p.round(r, radius, wall)
	inner := r.Inset(max(1, floor(thick+0.5)))
	d.p.round(inner, radius-thick, fill)
	if z >= 0.3 {
		d.door(r, inner, fill, wall)
	}
	size := max(15*d.k, min(11*d.s, 30*d.k))
	if size < 7*d.s {
		return
	}
	y := float32(r.Min.Y) + HouseHead/2*d.k + min(2*d.k, d.s)
	x := float32(r.Min.X) + max(14*d.k, 5*d.s)
	room := float32(r.Max.X) - x - 6*d.s
	w := d.text(a.area.Title, x, y, room, size, true, blend(d.fore, d.muted, 0.15), fyne.TextAlignLeading)
	if a.area.Sub != "" && z >= zoomSubs {
		d.text(a.area.Sub, x+w+8*d.k, y+0.5*d.s, room-w-8*d.k, 12*d.k, false, d.muted, fyne.TextAlignLeading)
	}
}

// tabs writes the titles of the branches, which from far reach into their rooms.
func (d *housePaint) tabs(carried bool) {
	for _, a := range d.h.scene.areas {
		if a.depth == 0 && d.carried[a] == carried && d.view.meets(a.bounds()) {
			d.tab(a, d.rect(a.bounds()), blend(d.ground, areaTint(a.hue), 0.24))
		}
	}
}

// tab writes the title of a branch on a tab at its corner.
func (d *housePaint) tab(a *place, r image.Rectangle, fill color.NRGBA) {
	size := max(18*d.k, 12*d.s)
	height := max(HouseHead*d.k, 1.5*size)
	room := float32(r.Dx()) - 12*d.s
	if room < 3*size {
		return
	}
	title := d.h.letters.fit(a.area.Title, (room-size)/size, true)
	w := d.h.letters.width(title, true)*size + 1.4*size
	tab := image.Rect(r.Min.X, r.Min.Y, r.Min.X+floor(w), r.Min.Y+floor(height))
	d.p.tab(tab, 20*d.k, min(12*d.s, height/2), fill)
	d.text(title, float32(tab.Min.X)+0.7*size, float32(tab.Min.Y)+height/2, room, size, true, d.fore, fyne.TextAlignLeading)
	if a.area.Sub != "" && d.h.zoom >= 0.35 {
		small := max(12*d.k, 10*d.s)
		d.text(a.area.Sub, float32(tab.Max.X)+0.6*small, float32(tab.Min.Y)+height/2, float32(r.Max.X-tab.Max.X)-20*d.k, small, false, d.muted, fyne.TextAlignLeading)
	}
}

// door draws an opening in the lower wall of a room, and the door that stands open.
func (d *housePaint) door(r, inner image.Rectangle, fill, wall color.NRGBA) {
	wide := floor(30 * d.k)
	left := r.Max.X - floor(56*d.k)
	if r.Dx() < 4*wide || left < r.Min.X+wide {
		return
	}
	d.p.block(image.Rect(left, inner.Max.Y, left+wide, r.Max.Y), fill)
	x, y, radius := float32(left), float32(inner.Max.Y), float32(wide)
	thin := max(1, 1.4*d.k)
	d.p.line(x+thin/2, y, x+thin/2, y-radius, thin)
	for i := range 10 {
		a0, a1 := float64(i)*math.Pi/20, float64(i+1)*math.Pi/20
		d.p.line(x+radius*float32(math.Sin(a0)), y-radius*float32(math.Cos(a0)), x+radius*float32(math.Sin(a1)), y-radius*float32(math.Cos(a1)), max(1, d.k))
	}
	d.p.ink(blend(fill, wall, 0.6))
}

// tile draws a kit.
func (d *housePaint) tile(t *place, lifted bool) {
	b := t.bounds()
	if !d.view.meets(houseBox{b.x0 - 16, b.y0 - 16, b.x1 + 16, b.y1 + 16}) {
		return
	}
	d.counts.tiles++
	h, z := d.h, d.h.zoom
	t.stale = false
	for _, q := range t.ports {
		q.stale, q.level = false, fade(q.Paint, h.now.Sub(q.At))
	}
	r := d.rect(b)
	radius := 12 * d.k
	chosen := d.chosen[t.id]
	for _, q := range t.ports {
		chosen = chosen || d.chosen[q.ID]
	}
	hovered := h.hover.place == t
	switch {
	case lifted:
		d.p.shade(r, radius, 18*d.s, 6*d.s, d.shadow)
	case z >= zoomTexts:
		d.p.shade(r, radius, 7*d.s, 2*d.s, d.shadow)
	}
	if chosen {
		n := max(2, floor(2.5*d.s+0.5))
		d.p.round(r.Inset(-n), radius+float32(n), d.accent)
	}
	edge := d.edge
	if hovered {
		edge = blend(d.edge, d.accent, 0.6)
	}
	if t.tile.Known && !t.tile.Online {
		edge = blend(edge, d.bad, 0.5)
	}
	width := max(1, floor(d.s+0.5))
	d.p.round(r, radius, edge)
	d.p.round(r.Inset(width), radius-float32(width), d.paper)
	if t.tile.Virtual && z >= zoomBlocks {
		d.dashes(r, radius, width)
	}
	if z < zoomBlocks {
		d.block(t, r)
		return
	}
	d.head(t, r)
	for _, q := range t.ports {
		d.port(q, r)
	}
}

// dashes break the edge of a virtual kit.
func (d *housePaint) dashes(r image.Rectangle, radius float32, width int) {
	step := max(4, floor(5*d.s))
	from := floor(radius)
	for x := r.Min.X + from; x < r.Max.X-from; x += 2 * step {
		end := min(x+step, r.Max.X-from)
		d.p.block(image.Rect(x, r.Min.Y, end, r.Min.Y+width), d.accent)
		d.p.block(image.Rect(x, r.Max.Y-width, end, r.Max.Y), d.accent)
	}
	for y := r.Min.Y + from; y < r.Max.Y-from; y += 2 * step {
		end := min(y+step, r.Max.Y-from)
		d.p.block(image.Rect(r.Min.X, y, r.Min.X+width, end), d.accent)
		d.p.block(image.Rect(r.Max.X-width, y, r.Max.X, end), d.accent)
	}
}

// block draws a kit from far: a line for each port.
func (d *housePaint) block(t *place, r image.Rectangle) {
	head := d.part(r, 0, 0, tileWidth, tileHead*0.7).Inset(max(1, floor(6*d.k)))
	d.p.block(head, blend(d.paper, d.muted, 0.35))
	if t.tile.Known {
		sign := image.Rect(head.Max.X-max(2, floor(28*d.k)), head.Min.Y, head.Max.X, head.Max.Y)
		if t.tile.Online {
			d.p.block(sign, d.good)
		} else {
			d.frame(sign, d.s, d.bad)
		}
	}
	top := float32(0)
	if t.tile.Note != "" {
		top = tileNote
		d.p.block(d.part(r, 12, tileHead, tileWidth-24, tileNote-8), d.warn)
	}
	for _, q := range t.ports {
		bar := d.part(r, 12, tileHead+top+tilePort*float32(q.i)+5, tileWidth-24, 14)
		if bar.Dy() < 1 {
			bar.Max.Y = bar.Min.Y + 1
		}
		if q.Paint == PaintRefused { // not by colour alone: wider, and in pieces
			bar = bar.Union(d.part(r, 2, tileHead+top+tilePort*float32(q.i)+5, tileWidth-4, 1))
		}
		d.p.block(bar, d.tone(q.Paint, q.level, q.Hue))
		if q.Paint == PaintStray {
			for i := 1; i < 4; i++ {
				x := bar.Min.X + i*bar.Dx()/4
				d.p.block(image.Rect(x, bar.Min.Y, x+max(1, floor(d.s)), bar.Max.Y), d.paper)
			}
		}
		d.counts.ports++
	}
}

// size returns that of a text for which zoom 1 has so much room: from afar it is a
// little larger than the rest.
func (d *housePaint) size(full float32) float32 {
	return min(max(full*d.k, 10*d.s), 1.35*full*d.k)
}

// head draws the top of a kit: its picture, name and presence.
func (d *housePaint) head(t *place, r image.Rectangle) {
	tile, z, k := t.tile, d.h.zoom, d.k
	left, top := float32(r.Min.X), float32(r.Min.Y)
	d.picture(tile.Icon, r)
	room := float32(tileWidth-56-12) * k
	if tile.Known {
		room -= 18 * k
		x, y, radius := left+(tileWidth-20)*k, top+19*k, 5*k
		if tile.Online {
			d.p.dot(x, y, radius)
			d.p.ink(d.good)
		} else { // a ring with a bar through it
			d.ring(x, y, radius, max(1, 1.6*k), d.bad, d.paper)
			d.p.line(x-radius*0.9, y+radius*0.9, x+radius*0.9, y-radius*0.9, max(1, 1.6*k))
			d.p.ink(d.bad)
		}
	}
	if z < zoomSubs { // a little larger, in the place of what is left out
		d.text(tile.Title, left+56*k, top+28*k, room, max(20*k, 9*d.s), true, d.fore, fyne.TextAlignLeading)
	} else {
		d.text(tile.Title, left+56*k, top+20*k, room, d.size(15), true, d.fore, fyne.TextAlignLeading)
		room = float32(tileWidth-56-12) * k
		if tile.Virtual {
			word := lang.L("virtual")
			w := min(d.h.letters.width(word, false)*11*k, room/2)
			chip := d.part(r, tileWidth-26-w/k, 31, 16+w/k, 16)
			d.p.round(chip, 8*k, blend(d.paper, d.accent, 0.16))
			d.text(word, float32(chip.Min.X)+8*k, float32(chip.Min.Y+chip.Max.Y)/2, w+1, 11*k, false, blend(d.accent, d.fore, 0.3), fyne.TextAlignLeading)
			room -= w + 20*k
		}
		d.text(tile.Sub, left+56*k, top+39*k, room, 12*k, false, d.muted, fyne.TextAlignLeading)
	}
	if tile.Note == "" {
		return
	}
	strip := d.part(r, 8, tileHead-2, tileWidth-16, tileNote-2)
	d.p.round(strip, 6*k, d.warnTint)
	x, y := float32(strip.Min.X)+12*k, float32(strip.Min.Y+strip.Max.Y)/2
	d.triangle(x, y, 7*k, d.warn)
	if z >= zoomTexts {
		d.text("!", x, y+0.5*k, 20*k, 9*k, true, d.paper, fyne.TextAlignCenter)
		d.text(tile.Note, x+12*k, y, float32(strip.Max.X)-x-16*k, d.size(12), false, blend(d.warn, d.fore, 0.45), fyne.TextAlignLeading)
	}
}

// picture draws what a kit is for, at its upper left.
func (d *housePaint) picture(icon fyne.Resource, r image.Rectangle) {
	if icon == nil {
		icon = theme.ComputerIcon()
	}
	box := d.part(r, 10, 10, 36, 36)
	d.p.round(box, 9*d.k, blend(d.paper, d.accent, 0.13))
	s := d.h.letters.picture(icon)
	size := floor(24*d.k + 0.5)
	d.p.stamp(d.h.letters.at(s, float32(size), 0), box.Min.X+(box.Dx()-size)/2, box.Min.Y+(box.Dy()-size)/2, s.colored, d.accent)
}

// ring draws a circle.
func (d *housePaint) ring(x, y, radius, width float32, ink, within color.NRGBA) {
	d.p.dot(x, y, radius)
	d.p.ink(ink)
	d.p.dot(x, y, radius-width)
	d.p.ink(within)
}

// triangle draws a filled one with its tip up, size from its middle to a corner.
func (d *housePaint) triangle(x, y, size float32, ink color.NRGBA) {
	for i := float32(0); i <= 1.6*size; i += 0.5 {
		half := i * 0.6
		d.p.line(x-half, y-size+i, x+half, y-size+i, 1)
	}
	d.p.ink(ink)
}

// diamond draws a filled square on its corner.
func (d *housePaint) diamond(x, y, size float32, ink color.NRGBA) {
	for i := -size; i <= size; i += 0.5 {
		half := size - abs(i)
		d.p.line(x-half, y+i, x+half, y+i, 1)
	}
	d.p.ink(ink)
}

// cross draws an ×.
func (d *housePaint) cross(x, y, size, width float32, ink color.NRGBA) {
	d.p.line(x-size, y-size, x+size, y+size, width)
	d.p.line(x-size, y+size, x+size, y-size, width)
	d.p.ink(ink)
}

// port draws a row: connectors at the edges, name and value.
func (d *housePaint) port(q *port, r image.Rectangle) {
	d.counts.ports++
	k, z, h := d.k, d.h.zoom, d.h
	top := q.y() - q.tile.ay - tilePort/2
	row := d.part(r, 0, top, tileWidth, tilePort)
	y := float32(row.Min.Y+row.Max.Y) / 2
	ink := d.tone(q.Paint, q.level, q.Hue)
	aimed := h.aimed() == q
	if back := d.part(r, 5, top+1, tileWidth-10, tilePort-2); aimed || d.chosen[q.ID] {
		d.p.round(back, 6*k, blend(d.paper, d.accent, 0.22))
	} else if h.hover.port == q {
		d.p.round(back, 6*k, blend(d.paper, d.accent, 0.08))
	}
	if z < zoomTexts {
		bar := d.part(r, 16, top+9, tileWidth*0.4, 6)
		d.p.round(bar, 3*k, blend(d.paper, d.muted, 0.3))
		d.p.round(d.part(r, tileWidth*0.62, top+8, tileWidth*0.38-18, 8), 4*k, ink)
	} else {
		left, right := float32(r.Min.X)+14*k, float32(r.Max.X)-14*k
		value, bold := q.Value, true
		if value == "" {
			value, bold = "–", false
		}
		valueInk := ink
		if q.Paint == PaintSilent {
			valueInk = d.muted
		}
		size := d.size(13)
		w := d.text(value, right, y, (right-left)*0.55, size, bold, valueInk, fyne.TextAlignTrailing)
		switch q.Paint { // not by colour alone
		case PaintStray:
			w += 16 * k
			d.diamond(right-w+5*k, y, 6*k, ink)
			d.text("!", right-w+5*k, y, 12*k, 9*k, true, d.paper, fyne.TextAlignCenter)
		case PaintRefused:
			w += 16 * k
			d.p.dot(right-w+5*k, y, 5.5*k)
			d.p.ink(ink)
			d.cross(right-w+5*k, y, 2.2*k, max(1, 1.6*k), d.paper)
		}
		name := d.fore
		if q.Paint == PaintSilent {
			name = d.muted
		}
		d.text(q.Title, left, y, right-left-w-8*k, size, false, name, fyne.TextAlignLeading)
	}
	if q.In {
		d.socket(q, float32(r.Min.X), y, ink, false)
	}
	if q.Out {
		d.socket(q, float32(r.Max.X), y, ink, true)
	}
}

// socket draws a connector: full where values come, hollow where none came.
func (d *housePaint) socket(q *port, x, y float32, ink color.NRGBA, out bool) {
	h := d.h
	radius := max(4.5*d.k, 1.5*d.s)
	if h.hover.port == q && h.hover.kind == hitSocket && h.hover.out == out || h.offers(q, out) {
		d.p.dot(x, y, radius+4*d.k)
		d.p.ink(blend(d.paper, d.accent, 0.35))
		radius += 1.5 * d.k
	}
	d.p.dot(x, y, radius+max(1, 1.5*d.k))
	d.p.ink(d.paper)
	switch q.Paint {
	case PaintSilent:
		d.ring(x, y, radius, max(1, 1.6*d.k), d.muted, d.paper)
	case PaintStray:
		d.diamond(x, y, radius+d.k, ink)
	case PaintRefused:
		d.p.dot(x, y, radius+d.k)
		d.p.ink(ink)
		d.cross(x, y, radius*0.45, max(1, 1.6*d.k), d.paper)
	default:
		d.p.dot(x, y, radius)
		d.p.ink(ink)
	}
}

// wires draws the links; the one that is pointed at in a second go, above the kits.
func (d *housePaint) wires(above bool) {
	h := d.h
	for _, w := range h.scene.links {
		b := w.bounds()
		if !d.view.meets(b) {
			continue
		}
		if (h.hover.wire == w) != above {
			continue
		}
		d.counts.links++
		marked := above || d.chosen[w.from.ID] || d.chosen[w.to.ID]
		w.stale, w.level, w.pulse = false, fade(w.Paint, h.now.Sub(w.At)), pulse(h.now.Sub(w.At))
		d.wire(w, marked)
	}
}

// through shows where a wire runs behind a kit.
func (d *housePaint) through() {
	if d.h.zoom < zoomBlocks {
		return
	}
	const pieces = 48
	for _, w := range d.h.scene.links {
		b := w.bounds()
		if !d.view.meets(b) {
			continue
		}
		var x, y [pieces + 1]float32 // where they are worked out
		worked := false
		for _, t := range d.h.scene.tiles {
			r := t.bounds()
			if !r.meets(b) || !d.view.meets(r) || d.carried[t] {
				continue
			}
			if !worked {
				c := w.curve()
				for i := range x {
					x[i], y[i] = on(c, float32(i)/pieces)
				}
				worked = true
			}
			d.p.within(d.rect(r))
			some := false
			for i := range pieces {
				if i%2 == 0 && r.meets(houseBox{min(x[i], x[i+1]), min(y[i], y[i+1]) - 1, max(x[i], x[i+1]), max(y[i], y[i+1]) + 1}) {
					d.p.line(x[i]*d.k+d.ox, y[i]*d.k+d.oy, x[i+1]*d.k+d.ox, y[i+1]*d.k+d.oy, min(max(2*d.k, d.s), 4*d.s))
					some = true
				}
			}
			if some {
				ink := d.inkOf(w)
				ink.A = 130
				d.p.ink(ink)
			}
		}
	}
	d.p.within(d.p.img.Rect)
}

// inkOf returns the colour of a wire.
func (d *housePaint) inkOf(w *wire) color.NRGBA {
	ink := d.tone(w.Paint, w.level, w.from.Hue)
	if w.Paint == PaintSilent {
		return blend(d.ground, d.muted, 0.7)
	} else if w.level&15 > 0 {
		return blend(ink, d.ground, 0.15)
	}
	return ink
}

func (d *housePaint) wire(w *wire, marked bool) {
	z, k := d.h.zoom, d.k
	c := d.onto(w.curve())
	ink := d.inkOf(w)
	width := min(max(2*k, d.s), 4*d.s)
	if marked {
		width += 1.5 * d.s
		ink = blend(ink, d.accent, 0.35)
	}
	if z < zoomBlocks {
		d.stroke(c, max(1, 0.8*d.s), blend(ink, d.ground, 0.25), w.Paint == PaintStray)
		return
	}
	if w.pulse > 0 {
		glow := ink
		glow.A = 70
		d.stroke(c, width+5*d.s, glow, false)
	}
	d.stroke(c, width, ink, w.Paint == PaintStray)
	d.signs(w, c, ink)
	if w.pulse > 0 {
		x, y := on(c, float32(w.pulse)/float32(pulseSteps+1))
		d.p.dot(x, y, 6.5*k)
		d.p.ink(d.paper)
		d.p.dot(x, y, 5*k)
		d.p.ink(LineColor(w.from.Hue))
	}
}

// signs draws what is said in the middle of a wire, or near it where a kit is there.
func (d *housePaint) signs(w *wire, c [8]float32, ink color.NRGBA) {
	k := d.k
	labeled := d.h.zoom >= zoomWires && w.tells()
	if !labeled && !w.Rule && w.Paint != PaintRefused {
		return
	}
	at, ground := float32(0.5), w.curve()
	for _, t := range [...]float32{0.5, 0.35, 0.65, 0.2, 0.8, 0.08, 0.92} {
		if d.h.scene.tileAt(on(ground, t)) == nil {
			at = t
			break
		}
	}
	mx, my := on(c, at)
	if labeled {
		d.label(w, mx, my, c[6]-c[0])
	}
	switch {
	case w.Paint == PaintRefused:
		d.p.dot(mx, my, 9*k)
		d.p.ink(ink)
		d.cross(mx, my, 3.5*k, max(1, 2*k), d.paper)
	case w.Rule:
		d.rule(mx, my, ink)
	}
}

// onto returns a curve in pixels.
func (d *housePaint) onto(c [8]float32) [8]float32 {
	for i := range c {
		if i%2 == 0 {
			c[i] = c[i]*d.k + d.ox
		} else {
			c[i] = c[i]*d.k + d.oy
		}
	}
	return c
}

// label writes a topic on its wire, where it spans room for it.
func (d *housePaint) label(w *wire, x, y, span float32) {
	size := 11 * d.k
	room := min(span-48*d.k, 220*d.k)
	if room < 40*d.k {
		return
	}
	title := d.h.letters.fit(w.Title, room/size, false)
	if w.Rule || w.Paint == PaintRefused {
		y -= 19 * d.k
	}
	half := d.h.letters.width(title, false) * size / 2
	back := image.Rect(floor(x-half-5*d.k), floor(y-8*d.k), floor(x+half+5*d.k), floor(y+8*d.k))
	d.p.round(back, 7*d.k, blend(d.paper, d.ground, 0.3))
	d.text(title, x, y, 2*half+1, size, false, d.muted, fyne.TextAlignCenter)
}

// rule draws the sign of a link that goes through a rule: a bolt in a circle.
func (d *housePaint) rule(x, y float32, ink color.NRGBA) {
	k := d.k
	d.ring(x, y, 11*k, max(1, 1.6*k), ink, d.paper)
	for _, l := range [][4]float32{{1.5, -6.5, -3.5, 0.5}, {-3.5, 0.5, 3.5, -0.5}, {3.5, -0.5, -1.5, 6.5}} {
		d.p.line(x+l[0]*k, y+l[1]*k, x+l[2]*k, y+l[3]*k, max(1, 2*k))
	}
	d.p.ink(ink)
}

// stroke draws a curve, in pieces so that little of the mask is looked through.
func (d *housePaint) stroke(c [8]float32, width float32, ink color.NRGBA, dashed bool) {
	length := abs(c[2]-c[0]) + abs(c[4]-c[2]) + abs(c[6]-c[4]) + abs(c[7]-c[1])
	n := min(max(int(length/(10*d.s)), 4), 96)
	x0, y0 := c[0], c[1]
	for i := 1; i <= n; i++ {
		x1, y1 := on(c, float32(i)/float32(n))
		if !dashed || i%2 == 1 {
			d.p.line(x0, y0, x1, y1, width)
		}
		if ink.A == 255 && i%3 == 0 {
			d.p.ink(ink)
		}
		x0, y0 = x1, y1
	}
	d.p.ink(ink)
}

// rubber draws the wire in somebody's hand.
func (d *housePaint) rubber() {
	h := d.h
	var x0, y0, x1, y1 float32
	switch {
	case h.join != nil && h.join.to != nil:
		x0, y0 = h.join.from.socket(h.join.from.Out)
		x1, y1 = h.join.to.socket(!h.join.from.Out)
		if !h.join.from.Out {
			x0, y0, x1, y1 = x1, y1, x0, y0
		}
	case h.drag != nil && h.drag.kind == dragWire:
		x0, y0 = h.drag.port.socket(h.drag.out)
		x1, y1 = h.ground(h.drag.at)
		if q := h.aimed(); q != nil {
			x1, y1 = q.socket(!h.drag.out)
		}
		if !h.drag.out {
			x0, y0, x1, y1 = x1, y1, x0, y0
		}
	default:
		return
	}
	c := d.onto(curve(x0, y0, x1, y1))
	d.stroke(c, max(2.5*d.k, 2*d.s), d.accent, h.aimed() == nil)
	for i := 0; i < 8; i += 6 {
		d.p.dot(c[i], c[i+1], max(5*d.k, 3*d.s))
	}
	d.p.ink(d.accent)
}

// guides draws the lines along which something in the hand is aligned, and the
// rectangle that chooses.
func (d *housePaint) guides() {
	g := d.h.drag
	if g == nil {
		return
	}
	if g.kind == dragMarquee {
		b := g.box()
		r := image.Rect(floor(b.x0*d.s), floor(b.y0*d.s), floor(b.x1*d.s), floor(b.y1*d.s))
		d.p.fill(r, d.choice)
		d.frame(r, d.s, d.accent)
		return
	}
	n := max(1, floor(d.s))
	for _, l := range g.lines {
		r := d.rect(l)
		if l.x0 == l.x1 {
			d.p.block(image.Rect(r.Min.X, r.Min.Y, r.Min.X+n, r.Max.Y), d.stray)
		} else {
			d.p.block(image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+n), d.stray)
		}
	}
}

// ghost draws what comes from the palette.
func (d *housePaint) ghost() {
	g := d.h.drop
	if g == nil || !g.seen {
		return
	}
	x, y := d.h.ground(g.at)
	if in := d.h.scene.areaAt(x, y, nil); in != nil {
		d.frame(d.rect(in.bounds()), 3*d.s, d.accent)
	}
	b := g.box(d.h)
	r := d.rect(b)
	radius := 12 * d.k
	d.p.shade(r, radius, 18*d.s, 6*d.s, d.shadow)
	d.p.round(r, radius, d.accent)
	n := max(1, floor(2*d.s))
	d.p.round(r.Inset(n), radius-float32(n), d.paper)
	d.picture(g.icon, r)
	d.text(g.title, float32(r.Min.X)+56*d.k, float32(r.Min.Y)+28*d.k, (tileWidth-68)*d.k, max(15*d.k, 10*d.s), true, d.fore, fyne.TextAlignLeading)
}

// blank makes the picture w by h pixels of a colour.
func (p *pixels) blank(w, h int, c color.NRGBA) {
	w, h = max(w, 0), max(h, 0)
	if p.img == nil || p.img.Rect.Dx() != w || p.img.Rect.Dy() != h {
		p.clear(w, h)
	}
	p.dirty, p.clip = image.Rectangle{}, p.img.Rect
	p.block(p.img.Rect, c)
}

// block paints a rectangle, fast where c is opaque.
func (p *pixels) block(r image.Rectangle, c color.NRGBA) {
	r = r.Intersect(p.clip)
	if r.Empty() {
		return
	}
	if c.A < 255 {
		p.fill(r, c)
		return
	}
	first := p.img.Pix[p.img.PixOffset(r.Min.X, r.Min.Y):p.img.PixOffset(r.Max.X, r.Min.Y)]
	first[0], first[1], first[2], first[3] = c.R, c.G, c.B, 255
	for done := 4; done < len(first); done *= 2 {
		copy(first[done:], first[:done])
	}
	for y := r.Min.Y + 1; y < r.Max.Y; y++ {
		copy(p.img.Pix[p.img.PixOffset(r.Min.X, y):], first)
	}
}

// round paints a rectangle with round corners.
func (p *pixels) round(r image.Rectangle, radius float32, c color.NRGBA) {
	p.corners(r, [4]float32{radius, radius, radius, radius}, c)
}

// tab paints a rectangle with one corner as round as that of what it is on, and
// the one across from it.
func (p *pixels) tab(r image.Rectangle, outer, inner float32, c color.NRGBA) {
	p.corners(r, [4]float32{outer, 0, 0, inner}, c)
}

// corners paints a rectangle whose corners, upper left, upper right, lower left
// and lower right, have these radii.
func (p *pixels) corners(r image.Rectangle, radii [4]float32, c color.NRGBA) {
	if r.Empty() || !r.Overlaps(p.clip) {
		return
	}
	most := float32(min(r.Dx(), r.Dy())) / 2
	rows := [2]int{}
	for i, radius := range radii {
		radii[i] = min(max(radius, 0), most)
		rows[i/2] = max(rows[i/2], int(math.Ceil(float64(radii[i]))))
	}
	if rows[0]+rows[1] > r.Dy() {
		rows[1] = r.Dy() - rows[0]
	}
	p.block(image.Rect(r.Min.X, r.Min.Y+rows[0], r.Max.X, r.Max.Y-rows[1]), c)
	for i := range rows[0] {
		p.cap(r, r.Min.Y+i, float32(i)+0.5, radii[0], radii[1], c)
	}
	for i := range rows[1] {
		p.cap(r, r.Max.Y-1-i, float32(i)+0.5, radii[2], radii[3], c)
	}
}

// cap paints a row of r, so far from its upper or lower edge, between two corners.
func (p *pixels) cap(r image.Rectangle, y int, from, left, right float32, c color.NRGBA) {
	if y < p.clip.Min.Y || y >= p.clip.Max.Y {
		return
	}
	inset := func(radius float32, at func(i int) int) int {
		dy := radius - from
		if dy <= 0 {
			return 0
		}
		gone := radius - float32(math.Sqrt(float64(max(radius*radius-dy*dy, 0))))
		i := max(0, int(gone-1))
		for ; float32(i) < radius; i++ {
			dx := radius - float32(i) - 0.5
			a := radius + 0.5 - float32(math.Sqrt(float64(dx*dx+dy*dy)))
			if a >= 1 {
				break
			}
			if x := at(i); a > 0 && x >= p.clip.Min.X && x < p.clip.Max.X {
				over(p.img.Pix[p.img.PixOffset(x, y):], c, uint32(a*255))
			}
		}
		return i
	}
	a := inset(left, func(i int) int { return r.Min.X + i })
	b := inset(right, func(i int) int { return r.Max.X - 1 - i })
	p.block(image.Rect(r.Min.X+a, y, r.Max.X-b, y+1), c)
}

// shade paints a soft shadow around r, reach wide and moved down by drop. What
// is under r itself is not painted.
func (p *pixels) shade(r image.Rectangle, radius, reach, drop float32, c color.NRGBA) {
	x0, y0, x1, y1 := float32(r.Min.X), float32(r.Min.Y)+drop, float32(r.Max.X), float32(r.Max.Y)+drop
	n := int(reach) + 1
	area := image.Rect(r.Min.X-n, floor(y0)-n, r.Max.X+n, floor(y1)+n+1).Intersect(p.clip)
	if area.Empty() || reach <= 0 {
		return
	}
	in := floor(radius/3) + 1 // beyond it all is hidden
	hidden := image.Rect(r.Min.X+in, r.Min.Y+in, r.Max.X-in, r.Max.Y-in)
	for y := area.Min.Y; y < area.Max.Y; y++ {
		py := float32(y) + 0.5
		dy := max(y0+radius-py, py-(y1-radius), 0)
		for x := area.Min.X; x < area.Max.X; x++ {
			if y >= hidden.Min.Y && y < hidden.Max.Y && x >= hidden.Min.X && x < hidden.Max.X {
				x = hidden.Max.X - 1
				continue
			}
			px := float32(x) + 0.5
			dx := max(x0+radius-px, px-(x1-radius), 0)
			var off float32
			switch {
			case dx == 0:
				off = dy - radius
			case dy == 0:
				off = dx - radius
			default:
				off = float32(math.Sqrt(float64(dx*dx+dy*dy))) - radius
			}
			if off >= reach {
				continue
			}
			share := 1 - max(off, 0)/reach
			over(p.img.Pix[p.img.PixOffset(x, y):], c, uint32(share*share*255))
		}
	}
}

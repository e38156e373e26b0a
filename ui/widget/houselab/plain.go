//go:build linux

package main

import (
	"image/color"
	"math"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/ui/widget"
)

// plain draws a house with an object for each thing: a rectangle and texts for
// each area and kit, two texts or a bar for each port, and a curve for each
// wire. What is not in view is hidden, texts have half-point sizes, and only
// values that changed are refreshed. It has less to draw than a House: no
// connectors, shadows, signs or grid.
type plain struct {
	fw.BaseWidget
	zoom, ox, oy float32
	ground       *canvas.Rectangle
	areas        []*box
	kits         []*box
	ports        map[string]*row
	rows         []*row
	wires        []*curve
	all          []fyne.CanvasObject
	changed      []*row
}

// box is an area or a kit; x and y are on the ground.
type box struct {
	x, y, w, h, text float32
	rect             *canvas.Rectangle
	title            *canvas.Text
}

type row struct {
	kit         *box
	y           float32
	name, value *canvas.Text
	bar         *canvas.Rectangle
}

type curve struct {
	from, to *row
	line     *canvas.BezierCurve
}

func newPlain(s widget.HouseScene) *plain {
	p := &plain{zoom: 1, ports: map[string]*row{}, ground: canvas.NewRectangle(theme.Color(theme.ColorNameBackground))}
	p.ExtendBaseWidget(p)
	fore, edge := theme.Color(theme.ColorNameForeground), theme.Color(theme.ColorNameSeparator)
	at := map[string][2]float32{}
	add := func(id, in, title string, x, y, w, h, text float32, fill color.Color) *box {
		b := &box{x: x + at[in][0], y: y + at[in][1], w: w, h: h, text: text, rect: canvas.NewRectangle(fill), title: canvas.NewText(title, fore)}
		b.rect.StrokeColor, b.rect.StrokeWidth = edge, 1
		b.title.TextStyle.Bold = true
		at[id] = [2]float32{b.x, b.y}
		return b
	}
	p.all = append(p.all, p.ground)
	for _, a := range s.Areas {
		fill := theme.Color(theme.ColorNameInputBackground)
		if a.In == "" {
			fill = theme.Color(theme.ColorNameButton)
		}
		b := add(a.ID, a.In, a.Title, a.X, a.Y, a.W, a.H, 15, fill)
		p.areas = append(p.areas, b)
		p.all = append(p.all, b.rect, b.title)
	}
	var above []fyne.CanvasObject
	for _, t := range s.Tiles {
		w, h := t.Size()
		b := add(t.ID, t.In, t.Title, t.X, t.Y, w, h, 15, theme.Color(theme.ColorNameOverlayBackground))
		p.kits = append(p.kits, b)
		above = append(above, b.rect, b.title)
		for i, q := range t.Ports {
			ink := widget.LineColor(q.Hue)
			r := &row{kit: b, y: b.y + 56 + 24*float32(i), name: canvas.NewText(q.Title, fore), value: canvas.NewText(q.Value, ink), bar: canvas.NewRectangle(ink)}
			r.value.Alignment, r.value.TextStyle.Bold = fyne.TextAlignTrailing, true
			p.ports[q.ID] = r
			p.rows = append(p.rows, r)
			above = append(above, r.bar, r.name, r.value)
		}
	}
	for _, l := range s.Links {
		c := &curve{p.ports[l.From], p.ports[l.To], canvas.NewCubicBezierCurve(fyne.Position{}, fyne.Position{}, fyne.Position{}, fyne.Position{}, widget.LineColor(0))}
		c.line.StrokeWidth = 1.5
		p.wires = append(p.wires, c)
		p.all = append(p.all, c.line)
	}
	p.all = append(p.all, above...)
	return p
}

// CreateRenderer is part of fyne.Widget.
func (p *plain) CreateRenderer() fyne.WidgetRenderer { return &plainRenderer{p} }

type plainRenderer struct{ p *plain }

func (r *plainRenderer) Destroy()                     {}
func (r *plainRenderer) MinSize() fyne.Size           { return fyne.NewSize(200, 200) }
func (r *plainRenderer) Objects() []fyne.CanvasObject { return r.p.all }
func (r *plainRenderer) Layout(fyne.Size)             { r.p.place() }
func (r *plainRenderer) Refresh()                     { r.p.place(); canvas.Refresh(r.p) }

// Fit shows everything.
func (p *plain) Fit() {
	var right, bottom float32
	for _, a := range p.areas {
		right, bottom = max(right, a.x+a.w), max(bottom, a.y+a.h)
	}
	p.zoom = min((p.Size().Width-48)/right, (p.Size().Height-48)/bottom)
	p.ox, p.oy = (p.Size().Width-right*p.zoom)/2, (p.Size().Height-bottom*p.zoom)/2
	p.Refresh()
}

// Zoom multiplies the zoom by k around the middle.
func (p *plain) Zoom(k float32) {
	x, y := p.Size().Width/2, p.Size().Height/2
	p.ox, p.oy, p.zoom = x-(x-p.ox)*k, y-(y-p.oy)*k, p.zoom*k
	p.Refresh()
}

// Zoomed returns the zoom.
func (p *plain) Zoomed() float32 { return p.zoom }

// Scrolled pans.
func (p *plain) Scrolled(e *fyne.ScrollEvent) {
	p.ox += e.Scrolled.DX
	p.Refresh()
}

// SetPort changes a value.
func (p *plain) SetPort(id, value string, _ widget.Paint, _ time.Time) {
	if r := p.ports[id]; r.value.Text != value {
		r.value.Text = value
		p.changed = append(p.changed, r)
	}
}

// Commit draws what changed.
func (p *plain) Commit(time.Time) {
	for _, r := range p.changed {
		if r.value.Hidden {
			r.bar.Refresh()
		} else {
			r.value.Refresh()
		}
	}
	p.changed = p.changed[:0]
}

// place moves every object to where it is seen.
func (p *plain) place() {
	size, z := p.Size(), p.zoom
	p.ground.Resize(size)
	seen := func(x, y, w, h float32) bool { return x < size.Width && y < size.Height && x+w > 0 && y+h > 0 }
	points := func(t *canvas.Text, base float32) {
		if s := float32(math.Round(float64(base*z)*2) / 2); t.TextSize != s {
			t.TextSize = s
			t.Refresh()
		}
	}
	for _, list := range [2][]*box{p.areas, p.kits} {
		for _, b := range list {
			x, y, w, h := b.x*z+p.ox, b.y*z+p.oy, b.w*z, b.h*z
			b.rect.Hidden = !seen(x, y, w, h)
			b.title.Hidden = b.rect.Hidden || z < 0.25
			if b.rect.Hidden {
				continue
			}
			b.rect.Move(fyne.NewPos(x, y))
			b.rect.Resize(fyne.NewSize(w, h))
			b.rect.CornerRadius = 10 * z
			points(b.title, b.text)
			b.title.Move(fyne.NewPos(x+12*z, y+10*z))
		}
	}
	for _, r := range p.rows {
		x, y, w := r.kit.x*z+p.ox, r.y*z+p.oy, r.kit.w*z
		hidden := !seen(x, y, w, 24*z)
		far := z < 0.5
		r.bar.Hidden, r.name.Hidden, r.value.Hidden = hidden || !far, hidden || far, hidden || far
		switch {
		case hidden:
		case far:
			r.bar.Move(fyne.NewPos(x+12*z, y+5*z))
			r.bar.Resize(fyne.NewSize(w-24*z, 14*z))
		default:
			points(r.name, 13)
			points(r.value, 13)
			r.name.Move(fyne.NewPos(x+14*z, y+3*z))
			r.value.Move(fyne.NewPos(x+14*z, y+3*z))
			r.value.Resize(fyne.NewSize(w-28*z, 18*z))
		}
	}
	for _, c := range p.wires {
		x0, y0 := (c.from.kit.x+c.from.kit.w)*z+p.ox, (c.from.y+12)*z+p.oy
		x1, y1 := c.to.kit.x*z+p.ox, (c.to.y+12)*z+p.oy
		left, top := min(x0, x1)-4, min(y0, y1)-4
		w, h := max(x0, x1)+4-left, max(y0, y1)+4-top
		if c.line.Hidden = !seen(left, top, w, h); c.line.Hidden {
			continue
		}
		c.line.Move(fyne.NewPos(left, top))
		c.line.Resize(fyne.NewSize(w, h))
		mid := (x0 + x1) / 2
		c.line.StartPoint, c.line.EndPoint = fyne.NewPos(x0-left, y0-top), fyne.NewPos(x1-left, y1-top)
		c.line.ControlPoints = []fyne.Position{fyne.NewPos(mid-left, y0-top), fyne.NewPos(mid-left, y1-top)}
	}
}

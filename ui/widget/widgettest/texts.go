package widgettest

import (
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
)

// slack is how far letters may reach into what is beside them: a line of text is
// higher than its letters.
const slack = 3

// rect is a part of a window.
type rect struct {
	x0, y0, x1, y1 float32
	scrolls        bool // sideways, so that one can see what is beside it
}

func (r rect) and(o rect) rect {
	return rect{max(r.x0, o.x0), max(r.y0, o.y0), min(r.x1, o.x1), min(r.y1, o.y1), r.scrolls || o.scrolls}
}

// seen reports whether more than the edge of something is in r.
func (r rect) seen() bool { return r.x1-r.x0 > slack && r.y1-r.y0 > slack }

// text is words as they stand in a window.
type text struct {
	words string
	at    rect // where they are seen
	whole rect
}

// Crowded tells which texts of a window stand on each other or on a picture, and
// which are cut off at the side of the window or of what they scroll in. It looks at what is there
// after one layout, as a person does.
func Crowded(w fyne.Window) (faults []string) {
	size := w.Canvas().Size()
	f := finder{}
	f.look(w.Content(), fyne.Position{}, rect{x1: size.Width, y1: size.Height})
	for i, a := range f.texts {
		if !a.at.scrolls && (a.whole.x0 < a.at.x0-slack || a.whole.x1 > a.at.x1+slack) {
			faults = append(faults, fmt.Sprintf("%q is cut off: it is %.0f to %.0f wide, and seen from %.0f to %.0f", a.words, a.whole.x0, a.whole.x1, a.at.x0, a.at.x1))
		}
		for _, b := range f.texts[:i] {
			if both := a.words == picture && b.words == picture; !both && a.at.and(b.at).seen() { // a mark in its box is two
				faults = append(faults, fmt.Sprintf("%q stands on %q at %.0f, %.0f", a.words, b.words, a.at.x0, a.at.y0))
			}
		}
	}
	return faults
}

// picture stands for a picture among the texts.
const picture = "a picture"

// finder collects the texts that are seen, and the pictures.
type finder struct{ texts []text }

// look collects the texts of o, which begins at from; only what is within in is seen.
func (f *finder) look(o fyne.CanvasObject, from fyne.Position, in rect) {
	if o == nil || !o.Visible() {
		return
	}
	from = from.Add(o.Position())
	size := o.Size()
	here := rect{from.X, from.Y, from.X + size.Width, from.Y + size.Height, false}
	switch o := o.(type) {
	case *canvas.Text:
		f.add(o, from, in)
	case *canvas.Image:
		if at := here.and(in); at.seen() {
			f.texts = append(f.texts, text{picture, at, at})
		}
	case *fyne.Container:
		for _, c := range o.Objects {
			f.look(c, from, in)
		}
	case fyne.Widget:
		if s, ok := o.(*container.Scroll); ok {
			in = in.and(here)
			if s.Direction != container.ScrollVerticalOnly {
				in.scrolls = true
			}
		}
		if !in.and(here).seen() {
			return
		}
		for _, c := range test.WidgetRenderer(o).Objects() {
			f.look(c, from, in)
		}
	}
}

func (f *finder) add(o *canvas.Text, from fyne.Position, in rect) {
	if strings.TrimSpace(o.Text) == "" {
		return
	}
	need, size := o.MinSize(), o.Size()
	switch o.Alignment {
	case fyne.TextAlignCenter:
		from.X += (size.Width - need.Width) / 2
	case fyne.TextAlignTrailing:
		from.X += size.Width - need.Width
	}
	whole := rect{from.X, from.Y, from.X + need.Width, from.Y + need.Height, false}
	if at := whole.and(in); at.seen() {
		f.texts = append(f.texts, text{o.Text, at, whole})
	}
}

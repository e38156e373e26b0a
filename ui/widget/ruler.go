package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// Ruler cuts text to a width. It adds up the widths of single characters, which
// is near enough and cheap: rows change ten times a second. Only the UI goroutine
// uses it.
type Ruler struct {
	Style  fyne.TextStyle
	Name   fyne.ThemeSizeName // "" is the size of text
	size   float32
	base   float32 // from the top of a text to the line its letters stand on
	widths map[rune]float32
}

// Width returns how wide a character is.
func (r *Ruler) Width(c rune) float32 {
	r.measure()
	w, ok := r.widths[c]
	if !ok {
		w = fyne.MeasureText(string(c), r.size, r.Style).Width
		if c == ' ' { // alone it may get another font than behind a letter
			w = fyne.MeasureText("0 0", r.size, r.Style).Width - fyne.MeasureText("00", r.size, r.Style).Width
		}
		if len(r.widths) < 10_000 {
			r.widths[c] = w
		}
	}
	return w
}

// Size returns the size of the text, as the theme has it now.
func (r *Ruler) Size() float32 {
	r.measure()
	return r.size
}

// Base returns how far below its top a text has the line its letters stand on.
func (r *Ruler) Base() float32 {
	r.measure()
	return r.base
}

// measure forgets the widths where the theme's text size is another than before.
func (r *Ruler) measure() {
	name := r.Name
	if name == "" {
		name = theme.SizeNameText
	}
	if size := theme.Size(name); size != r.size {
		r.size, r.widths = size, map[rune]float32{}
		_, r.base = fyne.CurrentApp().Driver().RenderedTextSize("Ag", size, r.Style, nil)
	}
}

// Fit returns s, or as much of it as fits with … behind it, and its width.
func (r *Ruler) Fit(s string, width float32) (string, float32) {
	dots := r.Width('…')
	var sum float32
	end := 0 // where to cut
	for i, c := range s {
		if sum+dots <= width {
			end = i
		}
		if sum += r.Width(c); sum > width {
			return s[:end] + "…", width
		}
	}
	return s, sum
}

package widget

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
)

// Paper is a card to print: white in every theme.
type Paper struct {
	Card *fyne.Container
}

// NewPaper returns an empty card.
func NewPaper(width, height float32) Paper {
	ground := canvas.NewRectangle(color.White)
	ground.StrokeColor, ground.StrokeWidth, ground.CornerRadius = color.NRGBA{0xb9, 0xc2, 0xd3, 0xff}, 1, 12
	ground.Resize(fyne.NewSize(width, height))
	return Paper{container.NewWithoutLayout(ground)}
}

// Write puts text there, at most room wide: smaller where it must be, down to
// least, and then cut.
func (p Paper) Write(text string, x, y, size, least, room float32, c color.Color, style fyne.TextStyle) {
	for size > least && fyne.MeasureText(text, size, style).Width > room {
		size--
	}
	for r := []rune(text); len(r) > 1 && fyne.MeasureText(text, size, style).Width > room; text = string(r) + "…" {
		r = r[:len(r)-1]
	}
	t := canvas.NewText(text, c)
	t.TextSize, t.TextStyle = size, style
	t.Move(fyne.NewPos(x, y))
	t.Resize(t.MinSize())
	p.Card.Add(t)
}

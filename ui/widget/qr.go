package widget

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
	"github.com/skip2/go-qrcode"
)

// QR is text as a QR code with that side. It is black on white in every theme:
// phones cannot read the inverse. A text too long for a QR code is shown as words.
func QR(text string, side float32) fyne.CanvasObject {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		l := fw.NewLabel(text)
		l.Wrapping = fyne.TextWrapBreak
		return l
	}
	code.BackgroundColor, code.ForegroundColor = color.White, color.Black
	const pixelsPerModule = -8 // negative: of each module, not of the picture
	i := canvas.NewImageFromImage(code.Image(pixelsPerModule))
	i.FillMode = canvas.ImageFillContain
	i.ScaleMode = canvas.ImageScalePixels
	i.SetMinSize(fyne.NewSquareSize(side))
	return i
}

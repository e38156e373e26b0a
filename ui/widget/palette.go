package widget

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// Colors is how many different colours a chart has.
const Colors = 8

// The colours were searched for so that any two of them stay apart for people
// who see no red, no green or no blue, and each from the background;
// TestPalette measures it.
var (
	onLight = [Colors]color.NRGBA{
		{0x15, 0x62, 0xd0, 255}, {0xe0, 0x65, 0x0a, 255}, {0x25, 0xaa, 0x80, 255}, {0x6c, 0x1c, 0x2c, 255},
		{0x96, 0x87, 0xf6, 255}, {0x5b, 0x5d, 0x03, 255}, {0x9d, 0x55, 0x83, 255}, {0x03, 0x3a, 0x6e, 255},
	}
	onDark = [Colors]color.NRGBA{
		{0x5a, 0xa9, 0xff, 255}, {0xff, 0x9a, 0x3c, 255}, {0x00, 0xd2, 0xb1, 255}, {0xce, 0x5e, 0x1b, 255},
		{0x9d, 0x6a, 0xd2, 255}, {0xd2, 0xdf, 0x83, 255}, {0x38, 0x8f, 0x70, 255}, {0xfb, 0xbb, 0xff, 255},
	}
)

// LineColor returns the i-th colour of charts for the present theme, from the
// first again after the last.
func LineColor(i int) color.NRGBA {
	i = (i%Colors + Colors) % Colors
	if dark() {
		return onDark[i]
	}
	return onLight[i]
}

// dark reports whether the theme draws light on dark, whatever it is called.
func dark() bool { return luminance(themeColor(theme.ColorNameBackground)) < 0.2 }

func themeColor(name fyne.ThemeColorName) color.NRGBA {
	return color.NRGBAModel.Convert(theme.Color(name)).(color.NRGBA)
}

// luminance is that of WCAG 2, near enough.
func luminance(c color.NRGBA) float64 {
	sq := func(v uint8) float64 { return float64(v) / 255 * float64(v) / 255 }
	return 0.2126*sq(c.R) + 0.7152*sq(c.G) + 0.0722*sq(c.B)
}

// readable returns black or white, whichever is read more easily on c.
func readable(c color.NRGBA) color.NRGBA {
	if luminance(c) > 0.24 {
		return color.NRGBA{0, 0, 0, 235}
	}
	return color.NRGBA{255, 255, 255, 255}
}

// blend returns a with share of b in it.
func blend(a, b color.NRGBA, share float64) color.NRGBA {
	mix := func(x, y uint8) uint8 { return uint8(float64(x)*(1-share) + float64(y)*share + 0.5) }
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), mix(a.A, b.A)}
}

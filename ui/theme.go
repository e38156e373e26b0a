//go:build !headless

package ui

import (
	"image/color"
	"sync"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"homeroom/assets"
	"homeroom/ui/widget"
)

// look is Homeroom's theme: white cards on a tinted ground, or dark ones on a
// darker ground, text a little larger than Fyne's, and colours that a weak
// projector still tells apart (text 4.5:1 or better).
type look struct {
	fyne.Theme
	variant string // "light", "dark", or "" as the system has it
}

func newLook(variant string) *look { return &look{theme.DefaultTheme(), variant} }

// dark reports which palette to use where the system asks for v.
func (l *look) dark(v fyne.ThemeVariant) bool {
	return l.variant == "dark" || l.variant == "" && v == theme.VariantDark
}

// Color is part of fyne.Theme.
func (l *look) Color(name fyne.ThemeColorName, v fyne.ThemeVariant) color.Color {
	p, system := lightColors, theme.VariantLight
	if l.dark(v) {
		p, system = darkColors, theme.VariantDark
	}
	if c, ok := p[name]; ok {
		return c
	}
	return l.Theme.Color(name, system)
}

// Size is part of fyne.Theme.
func (l *look) Size(name fyne.ThemeSizeName) float32 {
	if s, ok := sizes[name]; ok {
		return s
	}
	return l.Theme.Size(name)
}

// Font is part of fyne.Theme. The bundled font comes first but holds East Asian
// characters only, so everything else falls through to Fyne's faces.
func (l *look) Font(style fyne.TextStyle) fyne.Resource {
	usual := l.Theme.Font(style)
	if style.Symbol {
		return usual
	}
	if f := bundled(style.Bold, usual); f != nil {
		return f
	}
	return usual
}

// fitted is the bundled font by the face it stands before. guarded by fittedMu
var (
	fittedMu sync.Mutex
	fitted   = map[string]fyne.Resource{}
)

// bundled returns the East Asian part of the bundled font, made to stand before
// usual, or nil where there is none.
func bundled(bold bool, usual fyne.Resource) fyne.Resource {
	fittedMu.Lock()
	defer fittedMu.Unlock()
	if f, ok := fitted[usual.Name()]; ok {
		return f
	}
	var f fyne.Resource
	if ttf, ok := assets.Font(bold); ok {
		part, err := fit(ttf, eastAsian, usual.Content())
		if err != nil {
			fyne.LogError("bundled font", err)
		} else {
			f = fyne.NewStaticResource("bundled-"+usual.Name(), part)
		}
	}
	fitted[usual.Name()] = f
	return f
}

var sizes = map[fyne.ThemeSizeName]float32{
	theme.SizeNameText:            15,
	theme.SizeNameCaptionText:     13,
	theme.SizeNameSubHeadingText:  18,
	theme.SizeNameHeadingText:     24,
	theme.SizeNameInnerPadding:    8,
	theme.SizeNamePadding:         5,
	theme.SizeNameInputRadius:     8,
	theme.SizeNameButtonRadius:    8,
	theme.SizeNameCardRadius:      14,
	theme.SizeNameDialogRadius:    14,
	theme.SizeNamePopupRadius:     10,
	theme.SizeNameMenuRadius:      8,
	theme.SizeNameSelectionRadius: 8,
	theme.SizeNameScrollBar:       12,
	theme.SizeNameModalBlurRadius: 0, // without a GPU a blurred frame takes half a second
	theme.SizeNameScrollBarSmall:  5,
	theme.SizeNameScrollBarRadius: 4,
}

var lightColors = map[fyne.ThemeColorName]color.Color{
	theme.ColorNameBackground:          rgb(0xF1F4F9),
	widget.ColorRail:                   rgb(0xE6EBF4),
	theme.ColorNameOverlayBackground:   rgb(0xFFFFFF),
	theme.ColorNameMenuBackground:      rgb(0xFFFFFF),
	theme.ColorNameHeaderBackground:    rgb(0xF1F4F9),
	theme.ColorNameInputBackground:     rgb(0xEFF2F8),
	theme.ColorNameInputBorder:         rgb(0xB9C2D3),
	theme.ColorNameSeparator:           rgb(0xDBE1EC),
	theme.ColorNameForeground:          rgb(0x1A2233),
	theme.ColorNamePlaceHolder:         rgb(0x5B667B),
	theme.ColorNameDisabled:            rgb(0x5B667B),
	theme.ColorNameButton:              rgb(0xE4EAF6),
	theme.ColorNameDisabledButton:      rgb(0xEEF1F6),
	theme.ColorNamePrimary:             rgb(0x3451D1),
	theme.ColorNameForegroundOnPrimary: rgb(0xFFFFFF),
	theme.ColorNameHyperlink:           rgb(0x2A47C4),
	theme.ColorNameFocus:               rgba(0x3451D1, 0x48),
	theme.ColorNameSelection:           rgba(0x3451D1, 0x26),
	theme.ColorNameHover:               rgba(0x3451D1, 0x12),
	theme.ColorNamePressed:             rgba(0x3451D1, 0x30),
	theme.ColorNameScrollBar:           rgba(0x1A2233, 0x66),
	theme.ColorNameScrollBarBackground: rgba(0x1A2233, 0x0A),
	theme.ColorNameShadow:              rgba(0x1A2233, 0x1E),
	theme.ColorNameSuccess:             rgb(0x1A7F43),
	theme.ColorNameForegroundOnSuccess: rgb(0xFFFFFF),
	theme.ColorNameWarning:             rgb(0xA64B05),
	theme.ColorNameForegroundOnWarning: rgb(0xFFFFFF),
	theme.ColorNameError:               rgb(0xC62828),
	theme.ColorNameForegroundOnError:   rgb(0xFFFFFF),
	widget.ColorWarningTint:            rgb(0xFFF3DC),
	widget.ColorErrorTint:              rgb(0xFDE7E7),
	widget.ColorSuccessTint:            rgb(0xE3F5E9),
}

var darkColors = map[fyne.ThemeColorName]color.Color{
	theme.ColorNameBackground:          rgb(0x11151E),
	widget.ColorRail:                   rgb(0x0B0E15),
	theme.ColorNameOverlayBackground:   rgb(0x1B2130),
	theme.ColorNameMenuBackground:      rgb(0x252D3F),
	theme.ColorNameHeaderBackground:    rgb(0x11151E),
	theme.ColorNameInputBackground:     rgb(0x141A27),
	theme.ColorNameInputBorder:         rgb(0x465168),
	theme.ColorNameSeparator:           rgb(0x2D3648),
	theme.ColorNameForeground:          rgb(0xE9EDF5),
	theme.ColorNamePlaceHolder:         rgb(0x9BA6BB),
	theme.ColorNameDisabled:            rgb(0x9BA6BB),
	theme.ColorNameButton:              rgb(0x2C3549),
	theme.ColorNameDisabledButton:      rgb(0x222A3A),
	theme.ColorNamePrimary:             rgb(0x93AAFF),
	theme.ColorNameForegroundOnPrimary: rgb(0x0D1433),
	theme.ColorNameHyperlink:           rgb(0xA6B8FF),
	theme.ColorNameFocus:               rgba(0x93AAFF, 0x55),
	theme.ColorNameSelection:           rgba(0x93AAFF, 0x38),
	theme.ColorNameHover:               rgba(0xC3D0FF, 0x14),
	theme.ColorNamePressed:             rgba(0xC3D0FF, 0x30),
	theme.ColorNameScrollBar:           rgba(0xE9EDF5, 0x66),
	theme.ColorNameScrollBarBackground: rgba(0xE9EDF5, 0x0A),
	theme.ColorNameShadow:              rgba(0x000000, 0x70),
	theme.ColorNameSuccess:             rgb(0x57D98A),
	theme.ColorNameForegroundOnSuccess: rgb(0x08210F),
	theme.ColorNameWarning:             rgb(0xFFC14D),
	theme.ColorNameForegroundOnWarning: rgb(0x2A1B00),
	theme.ColorNameError:               rgb(0xFF8A80),
	theme.ColorNameForegroundOnError:   rgb(0x330907),
	widget.ColorWarningTint:            rgb(0x3A2D12),
	widget.ColorErrorTint:              rgb(0x401E22),
	widget.ColorSuccessTint:            rgb(0x16351F),
}

func rgb(hex uint32) color.Color { return rgba(hex, 0xFF) }

func rgba(hex uint32, alpha uint8) color.Color {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: alpha}
}

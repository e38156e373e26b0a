package plan

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"homeroom/core"
	"homeroom/ui/widget"
)

// The pictures of places and topics. The paths are Google's Material icons
// (Apache-2.0), as those of Fyne's theme are.
var (
	roomIcon  = widget.Drawn("room", "M14 6v15H3v-2h2V3h9v1h5v15h2v2h-4V6h-3zm-4 5v2h2v-2h-2z")
	kindIcons = map[core.Kind]*theme.ThemedResource{
		core.Text:        widget.Drawn("text", "M5 4v3h5.5v12h3V7H19V4z"),
		core.Number:      widget.Drawn("number", "M20 10V8h-4V4h-2v4h-4V4H8v4H4v2h4v4H4v2h4v4h2v-4h4v4h2v-4h4v-2h-4v-4h4zm-6 4h-4v-4h4v4z"),
		core.Boolean:     widget.Drawn("boolean", "M17 7H7c-2.76 0-5 2.24-5 5s2.24 5 5 5h10c2.76 0 5-2.24 5-5s-2.24-5-5-5zm0 8c-1.66 0-3-1.34-3-3s1.34-3 3-3 3 1.34 3 3-1.34 3-3 3z"),
		core.Enumeration: widget.Drawn("enumeration", "M3 13h2v-2H3v2zm0 4h2v-2H3v2zm0-8h2V7H3v2zm4 4h14v-2H7v2zm0 4h14v-2H7v2zM7 7v2h14V7H7z"),
		core.JSON:        widget.Drawn("json", "M4 7v2c0 .55-.45 1-1 1H2v4h1c.55 0 1 .45 1 1v2c0 1.65 1.35 3 3 3h3v-2H7c-.55 0-1-.45-1-1v-2c0-1.3-.84-2.42-2-2.83v-.34C5.16 11.42 6 10.3 6 9V7c0-.55.45-1 1-1h3V4H7C5.35 4 4 5.35 4 7zm17 3c-.55 0-1-.45-1-1V7c0-1.65-1.35-3-3-3h-3v2h3c.55 0 1 .45 1 1v2c0 1.3.84 2.42 2 2.83v.34c-1.16.41-2 1.52-2 2.83v2c0 .55-.45 1-1 1h-3v2h3c1.65 0 3-1.35 3-3v-2c0-.55.45-1 1-1h1v-4h-1z"),
	}
)

// placeIcon is the picture of a place.
func placeIcon(p *core.Place) fyne.Resource {
	switch p.Kind {
	case core.KitPlace:
		return widget.RoleIcon(p.Role)
	case core.RoomPlace:
		return roomIcon
	}
	return theme.HomeIcon()
}

// kindIcon is the picture of a topic's values.
func kindIcon(k core.Kind) *theme.ThemedResource {
	if i := kindIcons[k]; i != nil {
		return i
	}
	return kindIcons[core.Text]
}

package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"homeroom/assets/lang"
	"homeroom/core"
)

// roleIcons are the pictures of kits, in a square of 24. The paths are Google's
// Material icons (Apache-2.0), as those of Fyne's theme are.
var roleIcons = map[core.KitRole]*theme.ThemedResource{
	core.LightKit:  Drawn("light", "M9 21c0 .55.45 1 1 1h4c.55 0 1-.45 1-1v-1H9v1zm3-19C8.14 2 5 5.14 5 9c0 2.38 1.19 4.47 3 5.74V17c0 .55.45 1 1 1h6c.55 0 1-.45 1-1v-2.26c1.81-1.27 3-3.36 3-5.74 0-3.86-3.14-7-7-7z"),
	core.SensorKit: Drawn("sensor", "M6.76 4.84l-1.8-1.79-1.41 1.41 1.79 1.79 1.42-1.41zM4 10.5H1v2h3v-2zm9-9.95h-2V3.5h2V.55zm7.45 3.91l-1.41-1.41-1.79 1.79 1.41 1.41 1.79-1.79zm-3.21 13.7l1.79 1.8 1.41-1.41-1.8-1.79-1.4 1.4zM20 10.5v2h3v-2h-3zm-8-5c-3.31 0-6 2.69-6 6s2.69 6 6 6 6-2.69 6-6-2.69-6-6-6zm-1 16.95h2V19.5h-2v2.95zm-7.45-3.91l1.41 1.41 1.79-1.8-1.41-1.41-1.79 1.8z"),
	core.ButtonKit: Drawn("button", "M12 7c-2.76 0-5 2.24-5 5s2.24 5 5 5 5-2.24 5-5-2.24-5-5-5zm0-5C6.48 2 2 6.48 2 12s4.48 10 10 10 10-4.48 10-10S17.52 2 12 2zm0 18c-4.42 0-8-3.58-8-8s3.58-8 8-8 8 3.58 8 8-3.58 8-8 8z"),
	core.ChoiceKit: Drawn("choice", "M14 4l2.29 2.29-2.88 2.88 1.42 1.42 2.88-2.88L20 10V4h-6zm-4 0H4v6l2.29-2.29 4.71 4.7V20h2v-8.41l-5.29-5.3L10 4z"),
	core.AllKit:    Drawn("all", "M15 9H9v6h6V9zm-2 4h-2v-2h2v2zm8-2V9h-2V7c0-1.1-.9-2-2-2h-2V3h-2v2h-2V3H9v2H7c-1.1 0-2 .9-2 2v2H3v2h2v2H3v2h2v2c0 1.1.9 2 2 2h2v2h2v-2h2v2h2v-2h2c1.1 0 2-.9 2-2v-2h2v-2h-2v-2h2zm-4 6H7V7h10v10z"),
	core.AnyKit:    Drawn("any", "M20.5 11H19V7c0-1.1-.9-2-2-2h-4V3.5C13 2.12 11.88 1 10.5 1S8 2.12 8 3.5V5H4c-1.1 0-1.99.9-1.99 2v3.8H3.5c1.49 0 2.7 1.21 2.7 2.7s-1.21 2.7-2.7 2.7H2V20c0 1.1.9 2 2 2h3.8v-1.5c0-1.49 1.21-2.7 2.7-2.7 1.49 0 2.7 1.21 2.7 2.7V22H17c1.1 0 2-.9 2-2v-4h1.5c1.38 0 2.5-1.12 2.5-2.5S21.88 11 20.5 11z"),
}

// Drawn makes an icon that takes the colour of the theme from an SVG path in a
// square of 24.
func Drawn(name, path string) *theme.ThemedResource {
	return theme.NewThemedResource(fyne.NewStaticResource(name+".svg", []byte(
		`<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24"><path d="`+path+`"/></svg>`)))
}

// RoleIcon is the picture of a kit of that role. It takes the colour of the theme.
func RoleIcon(r core.KitRole) *theme.ThemedResource {
	if i := roleIcons[r]; i != nil {
		return i
	}
	return roleIcons[core.AnyKit]
}

// RoleTitle is what kits of a role are called.
func RoleTitle(r core.KitRole) string {
	switch r {
	case core.LightKit:
		return lang.L("Lamp")
	case core.SensorKit:
		return lang.L("Sensor")
	case core.ButtonKit:
		return lang.L("Button")
	case core.ChoiceKit:
		return lang.L("Choice")
	case core.AllKit:
		return lang.L("All in one")
	}
	return lang.L("Own kit")
}

// RoleText says what kits of a role do.
func RoleText(r core.KitRole) string {
	switch r {
	case core.LightKit:
		return lang.L("Lamp: it obeys commands")
	case core.SensorKit:
		return lang.L("Sensor: tells how bright it is and whether somebody is there")
	case core.ButtonKit:
		return lang.L("Button: tells when it is pressed")
	case core.ChoiceKit:
		return lang.L("Choice: reads the sensor and the button and decides about the lamp")
	case core.AllKit:
		return lang.L("All in one: button, LED, brightness and presence on one board")
	}
	return lang.L("Own kit: with the parts that you give it")
}

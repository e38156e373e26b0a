package setup

import (
	"fmt"
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// stepTitle is a step as the list of steps has it.
func stepTitle(s core.SetupStep) string {
	switch s {
	case core.StepPort:
		return lang.L("Plug in")
	case core.StepKit:
		return lang.L("Which kit")
	case core.StepNetwork:
		return lang.L("Network")
	case core.StepFlash:
		return lang.L("Firmware")
	case core.StepSettings:
		return lang.L("Settings")
	case core.StepJoin:
		return lang.L("Joined")
	case core.StepTest:
		return lang.L("Test")
	}
	return lang.L("Label")
}

// roleTitle is what kits of a role are called.
func roleTitle(r core.KitRole) string {
	switch r {
	case core.LightKit:
		return lang.L("Lamp")
	case core.SensorKit:
		return lang.L("Sensor")
	case core.ButtonKit:
		return lang.L("Button")
	case core.ChoiceKit:
		return lang.L("Choice")
	}
	return lang.L("All in one")
}

// roleText says what kits of a role do.
func roleText(r core.KitRole) string {
	switch r {
	case core.LightKit:
		return lang.L("Lamp: it obeys commands")
	case core.SensorKit:
		return lang.L("Sensor: tells how bright it is and whether somebody is there")
	case core.ButtonKit:
		return lang.L("Button: tells when it is pressed")
	case core.ChoiceKit:
		return lang.L("Choice: reads the sensor and the button and decides about the lamp")
	}
	return lang.L("All in one: button, LED, brightness and presence on one board")
}

// slotName is a part of a kit as a person calls it.
func slotName(slot topic.ID) string {
	if n, ok := strings.CutPrefix(string(slot), "button-"); ok {
		return lang.L("Button {n}", "n", n)
	}
	return widget.SlotName(slot)
}

// slotIcon is the picture of a part.
func slotIcon(slot topic.ID) fyne.Resource {
	switch {
	case isButton(slot):
		return widget.RoleIcon(core.ButtonKit)
	case slot == "brightness":
		return widget.RoleIcon(core.SensorKit)
	case slot == "presence":
		return presentIcon
	}
	return widget.RoleIcon(core.LightKit)
}

// partText says how a part is wired.
func partText(p core.KitPin) string {
	switch {
	case isButton(p.Slot) && p.Inverted:
		return lang.L("between the pin and GND")
	case isButton(p.Slot):
		return lang.L("between the pin and 3V3, with 10 kΩ to GND")
	case p.Slot == "brightness":
		return lang.L("photo resistor to 3V3, 10 kΩ to GND")
	case p.Slot == "presence":
		return lang.L("OUT of the sensor; its power from VIN and GND")
	case p.Inverted:
		return lang.L("from 3V3 through 220 Ω, short leg to the pin")
	}
	return lang.L("long leg to the pin, short leg through 220 Ω to GND")
}

// left says how long something will still take, or "".
func left(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < 90*time.Second:
		return lang.L("about {n} s left", "n", max(1, int(d.Round(time.Second).Seconds())))
	}
	return lang.L("about {n} min left", "n", int(d.Round(time.Minute).Minutes()))
}

// chipText is the board in a line.
func chipText(c core.KitChip) string {
	var parts []string
	if c.Name != "" {
		parts = append(parts, c.Name)
	}
	if c.FlashSize > 0 {
		parts = append(parts, lang.L("{size} of flash", "size", widget.Bytes(c.FlashSize)))
	}
	if c.MAC != "" {
		parts = append(parts, c.MAC)
	}
	return strings.Join(parts, " · ")
}

// said is a sentence in the window's language, or "".
func said(s core.Sentence) string {
	if s.Format == "" {
		return ""
	}
	return lang.Say(s)
}

// usbID is the vendor and product as everybody writes them, or "".
func usbID(p core.SerialPort) string {
	if p.VID == 0 {
		return ""
	}
	return fmt.Sprintf("%04x:%04x", p.VID, p.PID)
}

// explainID says what is wrong with the name of a kit, or "".
func explainID(name string) string {
	if _, err := topic.ParseID(name); err == nil {
		return ""
	}
	if name == "" {
		return lang.L("Type a name, such as kit-1.")
	}
	if len(name) > topic.MaxID {
		return lang.L("A name has at most {n} characters.", "n", topic.MaxID)
	}
	for _, r := range name {
		switch {
		case r == ' ':
			return lang.L("A name has no spaces: use a hyphen.")
		case r >= 'A' && r <= 'Z':
			return lang.L("A name has small letters only.")
		case r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z'):
			return lang.L("A name cannot have “{sign}”. Only a to z, 0 to 9 and hyphens; the display name can have anything.", "sign", string(r))
		}
	}
	return ""
}

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
	return widget.WhyNoID(name, lang.L("Type a name, such as kit-1."))
}

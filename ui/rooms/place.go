package rooms

import (
	"strings"
	"unicode"

	"homeroom/core"
)

// place is where a series stands in the house, read from its topic:
// <branch>/<room>/<kit>/<property>. Shorter topics lack the kit, then the
// room, then the branch.
type place struct {
	branch, room, kit string
	property          string // the rest of the topic, and the leaf in its JSON
	hidden            bool   // a command or a $-topic: not a value of the house
}

// placeOf returns where s stands.
func placeOf(s core.Series) place {
	levels := s.Topic().Split()
	var p place
	for _, l := range levels {
		p.hidden = p.hidden || strings.HasPrefix(l, "$")
	}
	p.hidden = p.hidden || levels[len(levels)-1] == "set"
	for _, to := range []*string{&p.branch, &p.room, &p.kit} {
		// "blue/lab/temperature" is a property of the room, not of a kit.
		if len(levels) > 1 {
			*to, levels = levels[0], levels[1:]
		}
	}
	p.property = strings.Join(levels, "/")
	if leaf := s.Leaf(); leaf != "" {
		p.property += " · " + leaf
	}
	return p
}

// units are what a property's name usually means.
var units = map[string]string{
	"temperature": "°C", "temp": "°C", "temperatur": "°C", "온도": "°C", "température": "°C",
	"humidity": "%", "humidité": "%", "습도": "%", "moisture": "%", "brightness": "%", "luminosité": "%", "밝기": "%", "battery": "%", "batterie": "%", "percent": "%",
	"pressure": "hPa", "pression": "hPa", "기압": "hPa",
	"power": "W", "watt": "W", "watts": "W", "puissance": "W", "energy": "kWh", "kwh": "kWh",
	"voltage": "V", "volt": "V", "volts": "V", "vcc": "V", "current": "A", "ampere": "A",
	"co2": "ppm", "eco2": "ppm", "tvoc": "ppb", "pm25": "µg/m³", "pm10": "µg/m³",
	"illuminance": "lx", "lux": "lx", "distance": "cm", "rssi": "dBm", "noise": "dB",
	"frequency": "Hz", "angle": "°", "heading": "°", "uptime": "s", "rain": "mm", "heap": "B",
}

// unitOf returns the unit of a series: what a person said, or what the name of
// the property means, or "". Only numbers have one.
func unitOf(e *entry) string {
	switch {
	case e.kind() != core.Number:
		return ""
	case e.Unit != "":
		return e.Unit
	}
	return e.meant
}

// meant returns the unit that the name of a property usually has, or "".
func meant(property string) string {
	name := strings.ToLower(property[strings.LastIndexAny(property, "/. ")+1:])
	if u, ok := units[name]; ok {
		return u
	}
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i := len(words) - 1; i >= 0; i-- { // the last word tells: "battery-voltage" is a voltage
		if u, ok := units[words[i]]; ok {
			return u
		}
	}
	return ""
}

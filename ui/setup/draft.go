package setup

import (
	"slices"
	"strconv"
	"strings"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// draft is what a person has chosen so far. The next board begins with it.
type draft struct {
	fresh bool       // a kit that is to be drawn; else one of the plan
	kit   topic.Name // of the plan, or ""
	// Of a kit that is to be drawn.
	in    topic.Name // its branch or room
	id    string     // its last level, as it was typed
	label string
	role  core.KitRole
	pins  []core.KitPin // nil: as usual

	link
}

// link is how a kit reaches the broker, and with which firmware. The kits of a
// bench share one.
type link struct {
	cable    bool
	network  string // SSID; "" is not known yet
	key      string
	later    bool // the kit looks for networks itself, after it has its firmware
	remember bool
	tls      bool   // wanted where the program has it
	image    string // KitImage.ID; "" is the one that fits
	keep     bool   // the firmware that is there stays
	erase    bool
	baud     int
}

// name is where the kit is, or will be drawn; "" where that is not known yet.
func (d *draft) name() topic.Name {
	switch {
	case !d.fresh:
		return d.kit
	case d.in == "" || explainID(d.id) != "":
		return ""
	}
	return d.in + "/" + topic.Name(d.id)
}

// order is the draft as the service takes it.
func (d *draft) order(images []core.KitImage) core.SetupOrder {
	o := d.link.order(images)
	o.Kit, o.Pins = d.name(), d.pins
	if d.fresh {
		o.Role, o.Label = d.role, strings.TrimSpace(d.label)
	}
	return o
}

// order is what a link says of an order.
func (l *link) order(images []core.KitImage) core.SetupOrder {
	o := core.SetupOrder{Cable: l.cable, EraseAll: l.erase && !l.keep, Baud: l.baud}
	if i := l.firmware(images); i != nil && !l.keep {
		o.Image = i.ID
	}
	if !l.cable {
		o.TLS = l.tls
		if !l.later {
			o.Network, o.Key, o.Remember = l.network, l.key, l.remember
		}
	}
	return o
}

// firmware is the image that will be written, or nil.
func (l *link) firmware(images []core.KitImage) *core.KitImage {
	want := "wifi"
	if l.cable {
		want = "wired"
	}
	for i, m := range images {
		if l.image != "" && m.ID == l.image {
			return &images[i]
		}
	}
	for i, m := range images {
		if m.Variant == want {
			return &images[i]
		}
	}
	return nil
}

// problem says what is missing of a link, or "".
func (l *link) problem(networks []core.Network, images []core.KitImage) string {
	if !l.keep {
		switch i := l.firmware(images); {
		case i == nil:
			return lang.L("There is no firmware for this. Choose a file, or use the cable.")
		case i.Missing.Format != "":
			return said(i.Missing)
		}
	}
	if l.cable || l.later {
		return ""
	}
	n, known := findNetwork(networks, l.network)
	switch {
	case l.network == "":
		return lang.L("Choose a network.")
	case len(l.network) > 32:
		return lang.L("The name of a network has at most 32 bytes.")
	case known && n.Enterprise:
		return lang.L("{network} asks for a user name (802.1X). Kits cannot join it; choose another network or the cable.", "network", l.network)
	case l.key == "":
		return ""
	}
	return explainKey(l.key)
}

// needsKey reports whether a key has to be typed for the network.
func (l *link) needsKey(networks []core.Network) bool {
	n, ok := findNetwork(networks, l.network)
	return !l.cable && !l.later && l.network != "" && ok && !n.Open && !n.Known && l.key == ""
}

// explainKey says what is wrong with the key of a network, or "".
func explainKey(key string) string {
	switch {
	case len(key) < 8:
		return lang.L("A Wi-Fi key has 8 characters or more.")
	case len(key) == 64 && strings.Trim(key, "0123456789abcdefABCDEF") == "":
		return ""
	case len(key) > 63:
		return lang.L("A Wi-Fi key has at most 63 characters.")
	}
	return ""
}

func findNetwork(all []core.Network, name string) (core.Network, bool) {
	i := slices.IndexFunc(all, func(n core.Network) bool { return n.Name == name })
	if i < 0 {
		return core.Network{}, false
	}
	return all[i], true
}

// looks5GHz reports whether the name of a network says that it is of the other band.
func looks5GHz(name string) bool {
	low := strings.ToLower(name)
	for _, mark := range []string{"5ghz", "5 ghz", "_5g", "-5g", " 5g"} {
		if strings.Contains(low, mark) {
			return true
		}
	}
	return false
}

// mergeNetworks returns those that the board sees and those that are known, once
// each: what is known first, then by signal.
func mergeNetworks(seen, known []core.Network) []core.Network {
	var all []core.Network
	for _, n := range append(slices.Clone(seen), known...) {
		i := slices.IndexFunc(all, func(o core.Network) bool { return o.Name == n.Name })
		switch {
		case n.Name == "":
		case i < 0:
			all = append(all, n)
		default:
			all[i].Known = all[i].Known || n.Known
			if n.Signal != 0 && (all[i].Signal == 0 || n.Signal > all[i].Signal) {
				all[i].Signal = n.Signal
			}
		}
	}
	rank := func(n core.Network) int {
		r := n.Signal
		if r == 0 {
			r = -200
		}
		if n.Enterprise {
			r -= 1000
		}
		if n.Known {
			r += 400
		}
		return r
	}
	slices.SortStableFunc(all, func(a, b core.Network) int { return rank(b) - rank(a) })
	return all
}

// isButton reports whether a slot is that of a push button.
func isButton(slot topic.ID) bool {
	return slot == "button" || strings.HasPrefix(string(slot), "button-")
}

// slotsOf returns the parts that are on a board: of a kit of the plan by its
// ports, else by the role. A board that decides has none.
func slotsOf(p *core.Place, role core.KitRole) []topic.ID {
	if p != nil {
		role = p.Role
	}
	var all []topic.ID
	switch {
	case role == core.ChoiceKit:
	case p != nil:
		for _, port := range p.Ports {
			feels := isButton(port.Slot) || port.Slot == "brightness" || port.Slot == "presence"
			obeys := port.Slot == "light" || port.Slot == "led"
			if (port.Action == core.Publish && feels || port.Action == core.Subscribe && obeys) && !slices.Contains(all, port.Slot) {
				all = append(all, port.Slot)
			}
		}
	case role == core.LightKit:
		all = []topic.ID{"light"}
	case role == core.SensorKit:
		all = []topic.ID{"brightness", "presence"}
	case role == core.ButtonKit:
		all = []topic.ID{"button"}
	default:
		all = []topic.ID{"button", "led", "brightness", "presence"}
	}
	return all
}

// usualPins is where the firmware expects the parts where nobody says otherwise
// (firmware/PROTOCOL.md).
func usualPins(slots []topic.ID) []core.KitPin {
	var pins []core.KitPin
	buttons := 0
	for _, s := range slots {
		p := core.KitPin{Slot: s}
		switch {
		case isButton(s):
			p.GPIO, p.Inverted, p.PullUp = 4, true, true
			if buttons++; buttons > 1 {
				p.GPIO = 12
			}
		case s == "brightness":
			p.GPIO = core.PinA0
		case s == "presence":
			p.GPIO = 14
		default:
			p.GPIO = 5
		}
		pins = append(pins, p)
	}
	return pins
}

// pinProblem says what is wrong with the pins, or "".
func pinProblem(pins []core.KitPin) string {
	for i, p := range pins {
		for _, q := range pins[:i] {
			if p.GPIO == q.GPIO {
				return lang.L("{part} and {other} are both on {pin}. Choose another pin for one of them.",
					"part", slotName(q.Slot), "other", slotName(p.Slot), "pin", widget.PinName(p.GPIO))
			}
		}
	}
	for _, p := range pins {
		switch p.GPIO {
		case 0, 2, 15:
			return lang.L("{pin} decides how the chip starts. With a part on it the board may not start; better use D1, D2, D5, D6 or D7.", "pin", widget.PinName(p.GPIO))
		case 16:
			if p.PullUp {
				return lang.L("D0 has no pull-up. Add a resistor of 10 kΩ to 3V3, or use another pin.")
			}
		}
	}
	return ""
}

// raise returns a name with its number raised: kit-1, kit-2.
func raise(id string) string {
	at := len(id)
	for at > 0 && id[at-1] >= '0' && id[at-1] <= '9' {
		at--
	}
	n, err := strconv.Atoi(id[at:])
	if err != nil || n > 1_000_000 {
		return id + "-2"
	}
	next := strconv.Itoa(n + 1)
	if gap := len(id) - at - len(next); gap > 0 {
		next = strings.Repeat("0", gap) + next // kit-09, kit-10
	}
	return id[:at] + next
}

// freeID returns id, or the next one that nothing in a place is called.
func freeID(id string, taken func(topic.ID) bool) string {
	for range 10_000 {
		if !taken(topic.ID(id)) {
			break
		}
		id = raise(id)
	}
	return id
}

// parent is where n is in, or "".
func parent(n topic.Name) topic.Name {
	i := strings.LastIndexByte(string(n), '/')
	return n[:max(i, 0)]
}

// branchOf is the first level of n.
func branchOf(n topic.Name) topic.ID {
	first, _, _ := strings.Cut(string(n), "/")
	return topic.ID(first)
}

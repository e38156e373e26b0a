package sim

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	debounce   = 30  // ms that a contact must rest before it counts
	sensorRest = 200 // ms between two readings of one sensor at least
	hysteresis = 2   // percent of its range that a sensor must move
	shown      = 64  // bytes of a payload that the console prints
	maxValue   = 1024
)

// board is what a kit needs from the hardware and the network. It mirrors Board
// in firmware/kit/src/core/roles.h.
type board interface {
	publish(name topic.Name, payload string, retain bool)
	light(slot topic.ID, on bool)
	print(line string)
}

// behaviour is what a kit does. It has no clock and waits for nothing: times are
// milliseconds since power-on and wrap. It mirrors Kit in firmware/kit/src/core/roles.cpp;
// the transcripts in firmware/testdata keep the two the same.
type behaviour struct {
	board
	name   topic.Name
	ports  []*port
	choice *choice // of a ChoiceKit
	online bool
	state  string // what $state was last told to be
}

// job is what a port is on the board.
type job uint8

const (
	lamp     job = iota // is told what to be: a light, or of an AnyKit any value
	button              // a contact that bounces
	sensor              // a number that is measured
	switched            // a state that is seen at once: presence, or of an AnyKit a word
	input               // a ChoiceKit decides from it
	answer              // a ChoiceKit decides it
)

// port is one part of the kit and the topic that it is joined to.
type port struct {
	core.Port
	job                job
	kind               core.Kind
	publish, subscribe topic.Name // "" is nothing
	retain             bool
	qos                byte
	unit               string
	yes, no            string // the words for true and false
	options            []string
	min, max, step     float64
	coarse             bool // small moves are not told

	known bool // it has a value
	on    bool
	num   float64
	text  string

	told   bool // toldOf was published since the kit connected
	toldOf string
	toldN  float64
	toldAt uint32

	down, raw bool // of a button: as it counts, and as the contact is
	rawAt     uint32
}

func newBehaviour(b board, p core.Place, design func(topic.Name) (core.Topic, bool)) *behaviour {
	k := &behaviour{board: b, name: p.Name}
	if p.Role == core.ChoiceKit {
		k.choice = &choice{hold: offFor}
	}
	for _, x := range p.Ports {
		t, ok := design(x.Topic)
		if !ok {
			t = core.Topic{Name: x.Topic, Kind: usual(x.Slot)}
		}
		k.ports = append(k.ports, newPort(p, x, t))
	}
	return k
}

// usual is the kind of a part that nobody said more about.
func usual(slot topic.ID) core.Kind {
	switch {
	case slot == "light", slot == "led", slot == "presence", isButton(slot):
		return core.Boolean
	case slot == "brightness":
		return core.Number
	}
	return core.Text
}

func isButton(slot topic.ID) bool {
	return slot == "button" || strings.HasPrefix(string(slot), "button-")
}

func newPort(place core.Place, x core.Port, t core.Topic) *port {
	p := &port{Port: x, kind: t.Kind, qos: max(1, t.QoS), unit: t.Unit, options: t.Options, min: t.Min, max: t.Max, step: t.Step, yes: "true", no: "false"}
	p.publish, p.subscribe = place.Names(x, t)
	p.retain = t.Retain && p.publish == x.Topic // a command never is
	if place.Role != core.AnyKit {              // the board has what it has, whatever the topic is called
		p.kind = usual(x.Slot)
	}
	if len(t.Options) == 2 && p.kind == core.Boolean {
		p.yes, p.no = t.Options[0], t.Options[1]
	}
	switch {
	case place.Role == core.ChoiceKit && x.Action == core.Subscribe:
		p.job = input
	case place.Role == core.ChoiceKit:
		p.job = answer
	case x.Action == core.Subscribe:
		p.job, p.retain = lamp, true // what it tells is what became of commands
		p.known = p.kind == core.Boolean
	case p.kind == core.Number:
		p.job = sensor
	case isButton(x.Slot) && p.kind == core.Boolean:
		p.job = button
	default:
		p.job = switched
	}
	if p.job == sensor && place.Role != core.AnyKit {
		p.step, p.coarse = 1, true
	}
	if p.kind == core.Number && p.max <= p.min {
		p.min, p.max = 0, 100
	}
	return p
}

// measured ports are told anew at each connection: nobody else knows them.
func (p *port) measured() bool { return p.job == sensor || p.job == switched }

// set makes v, on its steps, the value of a Number.
func (p *port) set(v float64) {
	if p.step > 0 {
		v = p.min + math.Round((v-p.min)/p.step)*p.step
	}
	p.known, p.num = true, min(max(v, p.min), p.max)
}

// payload is the value as it is published.
func (p *port) payload() string {
	switch {
	case !p.known:
		return ""
	case p.kind == core.Boolean && p.on:
		return p.yes
	case p.kind == core.Boolean:
		return p.no
	case p.kind == core.Number:
		return strconv.FormatFloat(p.num, 'f', decimals(p.step), 64)
	}
	return p.text
}

// decimals is how many of them a number with such steps has.
func decimals(step float64) int {
	if step <= 0 {
		return -1
	}
	for n := range 6 {
		if s := step * math.Pow10(n); math.Abs(s-math.Round(s)) < 1e-9 {
			return n
		}
	}
	return 6
}

// accept takes a payload as the value, or says no to what is none.
func (p *port) accept(payload string) bool {
	if len(payload) > maxValue {
		return false
	}
	payload = strings.Trim(payload, " \t\n\v\f\r") // other spaces are letters to a board
	switch p.kind {
	case core.Boolean:
		on, ok := core.Topic{Options: []string{p.yes, p.no}}.Truth(payload)
		if plain := fold(payload); ok && strings.ContainsFunc(plain, func(r rune) bool { return r > 0x7f }) {
			ok = plain == fold(p.yes) || plain == fold(p.no)
		}
		if ok {
			p.known, p.on = true, on
		}
		return ok
	case core.Number:
		v, ok := number(payload)
		if ok = ok && (p.job == input || v >= p.min && v <= p.max); !ok {
			return false
		}
		if p.job == input { // what others measure is nobody's to round; a board has thousandths
			if i := strings.IndexByte(payload, '.'); i >= 0 && len(payload) > i+4 {
				v, _ = number(payload[:i+4])
			}
			p.known, p.num = true, v
		} else {
			p.set(v)
		}
		return true
	case core.Enumeration:
		i := slices.IndexFunc(p.options, func(o string) bool { return strings.EqualFold(o, payload) })
		if i < 0 {
			return false
		}
		payload = p.options[i]
	case core.JSON:
		if !json.Valid([]byte(payload)) {
			return false
		}
	}
	p.known, p.text = true, payload
	return true
}

// fold makes capitals small as the firmware does, which knows those of ASCII.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

// number reads a decimal number as the firmware does: digits, one point, a sign.
func number(s string) (float64, bool) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || len(s) > 32 || digits == "" || digits[0] == '.' ||
		strings.Trim(digits, "0123456789.") != "" || strings.Count(digits, ".") > 1 {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// connected tells that the kit is there, and what it is the source of.
func (b *behaviour) connected(now uint32) {
	b.online = true
	b.tellState("ready")
	for _, p := range b.ports {
		if p.measured() || p.retain {
			p.told = false
		}
	}
	b.tick(now)
}

// refused hears that the broker does not let the kit do all that it should.
func (b *behaviour) refused() {
	if b.online && b.state != "alert" {
		b.tellState("alert")
	}
}

func (b *behaviour) disconnected() { b.online = false }

// stopping says goodbye.
func (b *behaviour) stopping() {
	if b.online {
		b.tellState("disconnected")
	}
	b.online = false
}

func (b *behaviour) tellState(word string) {
	b.state = word
	b.publish(b.name+"/$state", word, true)
}

// received takes a message of a topic that a port subscribes to.
func (b *behaviour) received(name topic.Name, payload []byte, now uint32) {
	b.print(fmt.Sprintf("Received a message with topic '%s', length %d bytes: %s", name, len(payload), printable(payload)))
	for _, p := range b.ports {
		if p.subscribe != name {
			continue
		}
		before := p.known
		was := p.on
		if !p.accept(string(payload)) {
			b.print("Ignored: " + printable(payload))
			continue
		}
		switch p.job {
		case lamp:
			p.told = false // also where nothing changed: who commanded wants to know
			if p.kind == core.Boolean {
				b.light(p.Slot, p.on)
			}
		case input:
			b.choice.heard(p.Slot, p, !before || p.on != was, now)
		}
	}
	b.tick(now)
}

// printable is what the console shows of a payload.
func printable(payload []byte) string {
	more := ""
	if len(payload) > shown {
		payload, more = payload[:shown], "..."
	}
	out := slices.Clone(payload)
	for i, c := range out {
		if c < ' ' || c == 0x7f {
			out[i] = '.'
		}
	}
	return string(out) + more
}

// contact is how the contact of a button is now, bounces and all.
func (b *behaviour) contact(p *port, down bool, now uint32) {
	if p.raw != down {
		p.raw, p.rawAt = down, now
	}
}

// tick does what is due. The unsigned differences stay right when the clock wraps.
func (b *behaviour) tick(now uint32) {
	for _, p := range b.ports {
		switch p.job {
		case button:
			p.settle(now)
		case answer:
			if on, ok := b.choice.decide(now); ok {
				p.known, p.on = true, on
			}
		}
		if b.online && p.changed() && (p.job != sensor || !p.told || now-p.toldAt >= sensorRest) {
			b.tell(p, now)
		}
	}
}

// settle makes the contact count once it has rested.
func (p *port) settle(now uint32) {
	if p.raw == p.down || now-p.rawAt < debounce {
		return
	}
	p.down = p.raw
	switch {
	case !p.Toggle:
		p.known, p.on = true, p.down
	case p.down:
		p.known, p.on = true, !p.on
	}
}

// changed reports whether p has something to tell.
func (p *port) changed() bool {
	switch {
	case p.publish == "" || !p.known:
		return false
	case !p.told:
		return true
	case p.coarse:
		far := math.Abs(p.num-p.toldN)*100 >= hysteresis*(p.max-p.min)
		end := p.num == p.min || p.num == p.max // or the end of the range would never be told
		return p.num != p.toldN && (far || end)
	}
	return p.payload() != p.toldOf
}

func (b *behaviour) tell(p *port, now uint32) {
	p.told, p.toldOf, p.toldN, p.toldAt = true, p.payload(), p.num, now
	b.publish(p.publish, p.toldOf, p.retain)
}

// due returns how many milliseconds after now the next tick has something to do.
func (b *behaviour) due(now uint32) (wait uint32, ok bool) {
	at := func(since, rest uint32) {
		left := uint32(0)
		if gone := now - since; gone < rest {
			left = rest - gone
		}
		if !ok || left < wait {
			wait, ok = left, true
		}
	}
	for _, p := range b.ports {
		if p.job == button && p.raw != p.down {
			at(p.rawAt, debounce)
		}
		if b.online && p.changed() {
			if p.job == sensor && p.told {
				at(p.toldAt, sensorRest)
			} else {
				at(now, 0)
			}
		}
	}
	if c := b.choice; c != nil && c.pressed && !c.button && !c.long {
		at(c.since, c.hold)
	}
	return wait, ok
}

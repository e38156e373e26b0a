package plan

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"homeroom/core"
	"homeroom/core/topic"
)

// Matcher finds what a name that is not designed was meant to be. It belongs to
// one design and may be used from any goroutine.
type Matcher struct {
	prefix   map[topic.Name]bool        // designed topics, places, and all that they begin with
	alike    map[string][]topic.Name    // by spelling without capitals, spaces and empty levels
	sorted   map[string][]topic.Name    // by the levels, whatever their order
	tails    map[string][]topic.Name    // by spelling without the first level
	byDigits map[string][]spelled       // by levels and the digits in them
	states   map[topic.Name]*core.Topic // designed topics
}

// spelled is a designed topic and its levels.
type spelled struct {
	name   topic.Name
	levels []string
}

// longest is the longest level in which slips are looked for, in characters.
const longest = 64

// NewMatcher reads the design.
func NewMatcher(d *core.Design) *Matcher {
	n := len(d.Topics)
	m := &Matcher{prefix: make(map[topic.Name]bool, n), alike: make(map[string][]topic.Name, n), sorted: map[string][]topic.Name{},
		tails: make(map[string][]topic.Name, n), byDigits: map[string][]spelled{}, states: make(map[topic.Name]*core.Topic, n)}
	begin := func(n topic.Name) {
		for more := true; more && !m.prefix[n]; n, more = above(n) {
			m.prefix[n] = true
		}
	}
	for _, p := range d.Places {
		begin(p.Name)
	}
	for _, t := range d.Topics {
		begin(t.Name)
		m.states[t.Name] = t
		key := plainly(t.Name)
		m.alike[key] = append(m.alike[key], t.Name)
		if _, tail, ok := strings.Cut(key, "/"); ok {
			m.tails[tail] = append(m.tails[tail], t.Name)
		}
		levels := strings.Split(key, "/")
		numbers := digits(key)
		m.byDigits[numbers] = append(m.byDigits[numbers], spelled{t.Name, levels})
		if len(levels) > 1 {
			key = jumbled(levels)
			m.sorted[key] = append(m.sorted[key], t.Name)
		}
	}
	return m
}

// Meant returns the designed topic that arrived looks like a slip of. It is never
// one that differs on purpose: by a number, or by a level that is designed too.
func Meant(d *core.Design, arrived topic.Name) (topic.Name, bool) {
	return NewMatcher(d).Meant(arrived)
}

// Meant is as the function.
func (m *Matcher) Meant(arrived topic.Name) (topic.Name, bool) {
	if len(arrived) > topic.MaxLen || strings.HasPrefix(string(arrived), "$") || m.states[arrived] != nil {
		return "", false
	}
	if n, ok := m.state(arrived); ok {
		return n, true
	}
	state, ok := strings.CutSuffix(plainly(arrived), setSuffix)
	if !ok {
		return "", false
	}
	n, ok := topic.Name(state), m.states[topic.Name(state)] != nil
	if !ok {
		n, ok = m.state(n)
	}
	if !ok || !m.states[n].Writable || n+setSuffix == arrived {
		return "", false
	}
	return n + setSuffix, true
}

// state is as Meant, for what takes no command.
func (m *Matcher) state(arrived topic.Name) (topic.Name, bool) {
	key := plainly(arrived)
	if key == "" {
		return "", false
	}
	if n, ok := only(m.alike[key]); ok {
		return n, true
	}
	if n, ok := only(m.tails[key]); ok && m.purpose(arrived) == 0 { // the branch is missing: an account without mount
		return n, true
	}
	levels := strings.Split(key, "/")
	if len(levels) > 2 && levels[0] == levels[1] { // the branch is there twice: mounted, and written
		if n, ok := only(m.alike[strings.Join(levels[1:], "/")]); ok {
			return n, true
		}
	}
	if len(levels) > 1 && len(levels) <= topic.MaxLevels {
		if n, ok := only(m.sorted[jumbled(levels)]); ok {
			return n, true
		}
	}
	return m.slip(arrived, levels)
}

// slip looks for one or two slips of the finger. Where two are as near, it is
// the one with the same parent, or none.
func (m *Matcher) slip(arrived topic.Name, levels []string) (topic.Name, bool) {
	const far = math.MaxInt
	var nearest topic.Name
	best, again := far, false
	purpose := m.purpose(arrived)
	for _, c := range m.byDigits[digits(strings.Join(levels, "/"))] {
		edits, first := 0, -1
		for i, l := range c.levels {
			if l == levels[i] {
				continue
			}
			if first < 0 {
				first = i
			}
			if edits += slips(l, levels[i]); edits > 2 {
				break
			}
		}
		if first < 0 || edits > 2 || first < purpose {
			continue
		}
		rank := 2 * edits
		if first < len(levels)-1 { // another parent
			rank++
		}
		switch {
		case rank < best:
			nearest, best, again = c.name, rank, false
		case rank == best:
			again = true
		}
	}
	return nearest, best < far && !again
}

// purpose returns how many levels of n are designed: they are meant as they are.
func (m *Matcher) purpose(n topic.Name) int {
	for more := true; more; n, more = above(n) {
		if m.prefix[n] {
			return 1 + strings.Count(string(n), "/")
		}
	}
	return 0
}

// looksLike reports whether a designed topic differs from n at most by capitals or
// normal form.
func (m *Matcher) looksLike(n topic.Name) bool {
	folded := fold(n)
	return slices.ContainsFunc(m.alike[plainly(n)], func(other topic.Name) bool { return fold(other) == folded })
}

func only(ns []topic.Name) (topic.Name, bool) {
	if len(ns) != 1 {
		return "", false
	}
	return ns[0], true
}

// plainly is n without capitals, normal form, spaces around levels and empty levels.
func plainly(n topic.Name) string {
	if isPlain(string(n)) {
		return string(n)
	}
	levels := strings.Split(fold(n), "/")
	for i, l := range levels {
		levels[i] = strings.TrimFunc(l, func(r rune) bool { return unicode.IsSpace(r) || unseen(r) })
	}
	return strings.Join(slices.DeleteFunc(levels, func(l string) bool { return l == "" }), "/")
}

// isPlain reports whether plainly leaves s as it is; most names are so.
func isPlain(s string) bool {
	before := byte('/')
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c > '~' || c >= 'A' && c <= 'Z' || c == '/' && before == '/' {
			return false
		}
		before = c
	}
	return before != '/'
}

func jumbled(levels []string) string {
	levels = slices.Clone(levels)
	slices.Sort(levels)
	return strings.Join(levels, "/")
}

// slips returns how many letters were left out, added, changed or swapped between
// a and b (Damerau and Levenshtein, optimal string alignment); 3 is too many for
// so short a word.
func slips(a, b string) int {
	const many = 3
	as, bs := []rune(a), []rune(b)
	short := min(len(as), len(bs))
	if len(as) > longest || len(bs) > longest || max(len(as), len(bs))-short > 2 {
		return many
	}
	before, prev, row := make([]int, len(bs)+1), make([]int, len(bs)+1), make([]int, len(bs)+1)
	for j := range prev {
		prev[j] = j
	}
	for i, x := range as {
		row[0] = i + 1
		for j, y := range bs {
			cost := 1
			if x == y {
				cost = 0
			}
			row[j+1] = min(prev[j+1]+1, row[j]+1, prev[j]+cost)
			if i > 0 && j > 0 && x == bs[j-1] && as[i-1] == y {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	switch n := prev[len(bs)]; {
	case n > 2, short < 4, short < 6 && n > 1:
		return many
	default:
		return n
	}
}

// digits are the digits of a name and where its levels end: who has others is
// another on purpose.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

// Adopt returns the change that designs a topic as it arrives: its kind, range and
// unit from the value and the name, and the places that a name of four levels
// implies. It is empty where a topic may not be called so.
func Adopt(d *core.Design, state core.TopicState) core.Batch {
	return adopt(d, state, func(n topic.Name) bool {
		folded := fold(n)
		return slices.ContainsFunc(d.Topics, func(t *core.Topic) bool { return fold(t.Name) == folded })
	})
}

// adopt is Adopt; taken reports whether a topic of d would look like n.
func adopt(d *core.Design, state core.TopicState, taken func(topic.Name) bool) core.Batch {
	n := state.Last.Topic
	if checkName(n) != nil || d.Topic(n) != nil {
		return core.Batch{}
	}
	b := core.Batch{Say: core.Say("{topic} adopted as it arrives", "topic", short(n))}
	if s, ok := strings.CutSuffix(string(n), setSuffix); ok && checkName(topic.Name(s)) == nil {
		n = topic.Name(s)
		if t := d.Topic(n); t != nil {
			if t.Writable {
				return core.Batch{}
			}
			commanded := *t
			commanded.Writable = true
			b.Topics = []core.Topic{commanded}
			return b
		}
	}
	if taken(n) || d.Place(n) != nil {
		return core.Batch{}
	}
	t := guess(n, state)
	t.Writable = n != state.Last.Topic
	b.Topics = []core.Topic{t}
	b.Places = implied(d, t)
	return b
}

// guess designs n by what arrived there.
func guess(n topic.Name, state core.TopicState) core.Topic {
	t := core.Topic{Name: n, QoS: min(state.Last.QoS, 2), Retain: state.Last.Retain}
	value := strings.TrimSpace(string(state.Last.Payload[:min(len(state.Last.Payload), 4096)]))
	number, err := strconv.ParseFloat(value, 64)
	switch {
	case last(n) == "$state":
		t.Kind, t.Options = core.Enumeration, []string{"init", "ready", "disconnected", "sleeping", "lost", "alert"}
	case value == "true" || value == "false":
		t.Kind = core.Boolean
	case (value == "1" || value == "0") && switched(n):
		t.Kind, t.Options = core.Boolean, []string{"1", "0"}
	case err == nil && finite(number):
		t.Kind, t.Unit = core.Number, UnitOf(n)
		if lo, hi := usual(t.Unit); number >= lo && number <= hi {
			t.Min, t.Max = lo, hi
		}
	case len(value) > 1 && (value[0] == '{' || value[0] == '[') && state.Size <= 4096 && json.Valid([]byte(value)):
		t.Kind = core.JSON
	default:
		for _, pair := range pairs {
			if value == pair[0] || value == pair[1] {
				t.Kind, t.Options = core.Boolean, slices.Clone(pair[:])
				return t
			}
		}
	}
	return t
}

// pairs are what kits say instead of true and false.
var pairs = [][2]string{
	{"On", "Off"}, {"ON", "OFF"}, {"on", "off"}, {"turn on", "turn off"}, {"open", "closed"}, {"Open", "Closed"}, {"OPEN", "CLOSED"},
	{"yes", "no"}, {"TRUE", "FALSE"}, {"True", "False"},
}

// switched reports whether 1 and 0 of such a name are no numbers.
func switched(n topic.Name) bool {
	words := wordsOf(n)
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"led", "button", "switch", "relay", "door", "window", "presence", "motion", "lamp", "on", "pir", "bouton", "lampe", "porte"}, w)
	})
}

// wordsOf returns the words of the last level of n.
func wordsOf(n topic.Name) []string {
	return strings.FieldsFunc(fold(last(n)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// units are what the word for a quantity usually means.
var units = map[string]string{
	"temperature": "°C", "temp": "°C", "temperatur": "°C", "température": "°C", "온도": "°C", "setpoint": "°C",
	"humidity": "%", "humidité": "%", "습도": "%", "moisture": "%", "brightness": "%", "luminosité": "%", "밝기": "%", "battery": "%", "batterie": "%", "percent": "%",
	"pressure": "hPa", "pression": "hPa", "기압": "hPa",
	"power": "W", "watt": "W", "watts": "W", "puissance": "W", "전력": "W", "energy": "kWh", "kwh": "kWh", "énergie": "kWh",
	"voltage": "V", "volt": "V", "volts": "V", "vcc": "V", "current": "A", "ampere": "A",
	"co2": "ppm", "eco2": "ppm", "tvoc": "ppb", "pm25": "µg/m³", "pm10": "µg/m³",
	"illuminance": "lx", "lux": "lx", "lx": "lx", "조도": "lx", "distance": "cm", "rssi": "dBm", "noise": "dB",
	"frequency": "Hz", "angle": "°", "heading": "°", "uptime": "s", "rain": "mm",
}

// UnitOf returns the unit that the name of a topic usually has, or "".
func UnitOf(n topic.Name) string {
	words := wordsOf(n)
	for _, w := range slices.Backward(words) { // the last word tells: battery-voltage is a voltage
		if u, ok := units[w]; ok {
			return u
		}
	}
	return ""
}

// usual returns the range that a unit usually has in a home; 0 and 0 is any.
func usual(unit string) (lo, hi float64) {
	switch unit {
	case "%":
		return 0, 100
	case "°C":
		return -10, 50
	case "lx":
		return 0, 2000
	case "hPa":
		return 900, 1100
	case "W":
		return 0, 5000
	case "V":
		return 0, 250
	case "A":
		return 0, 16
	case "ppm":
		return 0, 5000
	case "dBm":
		return -100, 0
	case "°":
		return 0, 360
	case "cm":
		return 0, 400
	}
	return 0, 0
}

// implied returns the places that a name branch/room/kit/property stands for and
// that are not drawn, and the kit with a port for t.
func implied(d *core.Design, t core.Topic) (places []core.Place) {
	levels := t.Name.Split()
	if len(levels) != 4 || slices.Contains(levels, "") {
		return nil
	}
	branch, room, kit := topic.Name(levels[0]), topic.Name(levels[0]+"/"+levels[1]), topic.Name(strings.Join(levels[:3], "/"))
	if branch == "homie" || branch == "homeassistant" || checkPlace(core.Place{Name: kit, Kind: core.KitPlace, Role: core.AnyKit}) != nil {
		return nil
	}
	for _, n := range []topic.Name{branch, room, kit} {
		if d.Topic(n) != nil {
			return nil // the level is something else
		}
	}
	house, place := d.Place(branch), d.Place(room)
	if house != nil && house.Kind != core.BranchPlace || place != nil && place.Kind != core.RoomPlace {
		return nil
	}
	port := core.Port{Slot: slotOf(t.Name), Topic: t.Name, Action: core.Publish}
	if t.Writable {
		port.Action = core.Subscribe
	}
	ports := []core.Port{port}
	if port.Slot == "" || levels[3][0] == '$' || checkLevels(t.Name) != nil {
		ports = nil
	}
	if k := d.Place(kit); k != nil {
		joined := *k
		joined.Ports = slices.Concat(k.Ports, ports)
		if k.Kind != core.KitPlace || k.Role != core.AnyKit || ports == nil || slices.ContainsFunc(k.Ports, func(p core.Port) bool { return p.Slot == port.Slot && p.Action == port.Action }) {
			return nil
		}
		return []core.Place{joined}
	}
	k := core.Place{Name: kit, Kind: core.KitPlace, Role: core.AnyKit, Ports: ports}
	r := core.Place{Name: room, Kind: core.RoomPlace, W: roomWidth, H: roomHeight, X: houseGap, Y: houseHead}
	if place != nil {
		r = *place
	}
	h := core.Place{Name: branch, Kind: core.BranchPlace}
	if house != nil {
		h = *house
	}
	if place == nil {
		for _, p := range d.Places {
			if parent, _ := above(p.Name); parent == branch {
				r.Y = max(r.Y, area(*p).y+area(*p).h+houseGap)
			}
		}
	}
	k.X, k.Y = roomGap, roomHead
	for _, p := range d.Places {
		if parent, _ := above(p.Name); parent == room {
			k.Y = max(k.Y, area(*p).y+area(*p).h+roomGap)
		}
	}
	grown := func(p *core.Place, right, bottom float64) bool {
		a := area(*p)
		p.W, p.H = max(a.w, right), max(a.h, bottom)
		return p.W != a.w || p.H != a.h
	}
	room2 := grown(&r, k.X+tileWidth+roomGap, k.Y+area(k).h+roomGap)
	house2 := grown(&h, r.X+r.W+houseGap, r.Y+r.H+houseGap)
	if house == nil {
		for _, p := range d.Places {
			if p.Kind == core.BranchPlace {
				h.Y = max(h.Y, area(*p).y+area(*p).h+townGap)
			}
		}
	}
	if house == nil || house2 {
		places = append(places, h)
	}
	if place == nil || room2 {
		places = append(places, r)
	}
	return append(places, k)
}

// slotOf returns the part of a kit that a topic is usually of, or "".
func slotOf(n topic.Name) topic.ID {
	id, err := topic.ParseID(strings.ReplaceAll(suggest(string(last(n))), "_", "-"))
	if err != nil {
		return ""
	}
	return id
}

const (
	maxNear   = 20
	maxSelect = 10_000 // topics that a Selection names
)

// Select tells what a filter selects of d and of what arrives, as a person types
// it: commands at /set among it. Where it is no filter it fails with
// core.ErrInvalid, and Wrong tells where.
func Select(d *core.Design, filter string, arriving []core.TopicState) (core.Selection, error) {
	var s core.Selection
	if wrong, err := wrongFilter(filter); err != nil {
		return core.Selection{Wrong: wrong}, err
	}
	f, err := topic.ParseFilter(filter)
	if err != nil {
		return core.Selection{Wrong: 1}, tooLong(topic.Name(filter))
	}
	s.Filter = f
	if rest, ok := strings.CutPrefix(filter, "$share/"); ok {
		group, _, _ := strings.Cut(rest, "/")
		s.Notes = append(s.Notes, core.Say("Subscribers of the group {group} share these messages: each message reaches one of them.", "group", short(topic.Name(group))))
	}
	if f[0] == '+' || f[0] == '#' {
		s.Notes = append(s.Notes, core.Say("A wildcard at the beginning does not select topics that begin with $, such as those of the broker. Write $SYS/# for these."))
	}
	if f[0] == '/' || len(f) > 1 && strings.HasSuffix(string(f), "/") || strings.Contains(string(f), "//") {
		s.Notes = append(s.Notes, core.Say("There is a / too much: before or after it is a level without a name, and few topics have one."))
	}
	more := 0
	var others []core.Near // that are worth a word only where nothing is selected
	levels := strings.Split(string(f), "/")
	for _, t := range d.Topics {
		if f.Match(t.Name) {
			if len(s.Topics) == maxSelect {
				more++
				continue
			}
			s.Topics = append(s.Topics, t.Name)
			s.Took = append(s.Took, took(levels, t.Name))
		} else if say, slip := near(levels, t.Name); say.Format != "" {
			one := core.Near{Topic: t.Name, Say: say}
			if slip && len(s.Near) < maxNear {
				s.Near = append(s.Near, one)
			} else if !slip && len(others) < maxNear {
				others = append(others, one)
			}
		}
		if set := t.Name + setSuffix; t.Writable && f.Match(set) && d.Topic(set) == nil {
			if len(s.Topics) == maxSelect {
				more++
				continue
			}
			s.Topics = append(s.Topics, set)
			s.Took = append(s.Took, took(levels, set))
		}
	}
	for _, a := range arriving {
		if n := a.Last.Topic; f.Match(n) && !drawn(d, n) {
			if len(s.Arriving) == maxSelect {
				more++
				continue
			}
			s.Arriving = append(s.Arriving, n)
		}
	}
	slices.Sort(s.Arriving)
	s.Arriving = slices.Compact(s.Arriving)
	if len(s.Topics) == 0 && len(s.Near) == 0 {
		s.Near = others
	}
	if more > 0 {
		s.Notes = append(s.Notes, core.Say("It selects {n} topics more than are shown here.", "n", more))
	}
	return s, nil
}

// drawn reports whether n is designed, or takes the commands of what is.
func drawn(d *core.Design, n topic.Name) bool {
	if d.Topic(n) != nil {
		return true
	}
	state, ok := strings.CutSuffix(string(n), setSuffix)
	t := d.Topic(topic.Name(state))
	return ok && t != nil && t.Writable
}

// wrongFilter returns what is wrong with a filter and at which character, from 1.
func wrongFilter(s string) (int, error) {
	at := func(i int) int { return 1 + utf8.RuneCountInString(s[:i]) }
	switch {
	case s == "":
		return 1, core.Fail(core.ErrInvalid, "Type a filter, like blue/# or +/lab/+/temperature.")
	case len(s) > topic.MaxLen+len("$share/")+topic.MaxID:
		return at(0), tooLong(topic.Name(s))
	case !utf8.ValidString(s):
		return 1, core.Fail(core.ErrInvalid, "This is no UTF-8 text, which MQTT demands.")
	}
	if i := strings.IndexByte(s, 0); i >= 0 {
		return at(i), core.Fail(core.ErrInvalid, "At character {at} is one that MQTT does not allow. Remove it.", "at", at(i))
	}
	start := 0
	if rest, ok := strings.CutPrefix(s, "$share/"); ok {
		group, filter, ok := strings.Cut(rest, "/")
		start = len("$share/") + len(group) + 1
		switch {
		case !ok || group == "" || filter == "":
			return at(len(s)), core.Fail(core.ErrInvalid, "A shared subscription is $share, a group and a filter: $share/readers/blue/#")
		case strings.ContainsAny(group, "+#"):
			return at(len("$share/")), core.Fail(core.ErrInvalid, "The group of a shared subscription is a name. It has no + and no #.")
		}
	}
	count := 0
	for i := start; i <= len(s); count++ {
		end := len(s)
		if j := strings.IndexByte(s[i:], '/'); j >= 0 {
			end = i + j
		}
		level := s[i:end]
		hash, plus := strings.IndexByte(level, '#'), strings.IndexByte(level, '+')
		switch {
		case hash >= 0 && level != "#":
			return at(i + hash), core.Fail(core.ErrInvalid, "At character {at}, # must stand alone in its level: write /# after a /.", "at", at(i+hash))
		case hash >= 0 && end < len(s):
			return at(i), core.Fail(core.ErrInvalid, "At character {at}, # must be the last: it selects everything below already. Use + for one level.", "at", at(i))
		case plus >= 0 && level != "+":
			return at(i + plus), core.Fail(core.ErrInvalid, "At character {at}, + must stand alone in its level: it is one whole level.", "at", at(i+plus))
		case count == topic.MaxLevels:
			return at(i), tooLong(topic.Name(s))
		}
		i = end + 1
	}
	return 0, nil
}

// took returns what each wildcard of the filter stood for in n.
func took(filter []string, n topic.Name) (levels []string) {
	rest := n.Split()
	for i, l := range filter {
		switch {
		case l == "#":
			return append(levels, strings.Join(rest[min(i, len(rest)):], "/"))
		case l == "+":
			levels = append(levels, rest[i])
		}
	}
	return levels
}

// near tells why a filter just does not select n, and whether that looks like a
// slip rather than another topic; it says nothing where they are far apart.
func near(filter []string, n topic.Name) (say core.Sentence, slip bool) {
	levels := n.Split()
	open := filter[len(filter)-1] == "#"
	if open {
		filter = filter[:len(filter)-1]
	}
	other, where := 0, 0
	for i := range min(len(filter), len(levels)) {
		if filter[i] != "+" && filter[i] != levels[i] {
			other++
			where = i
		}
	}
	longer := len(levels) - len(filter)
	if other == 0 {
		switch {
		case longer == 1 && !open:
			return core.Say("It has one level more than the filter. End the filter with /+ or /#."), true
		case longer > 1 && !open:
			return core.Say("It has {n} levels more than the filter. End the filter with /#.", "n", longer), true
		case longer == -1:
			return core.Say("It has one level less than the filter."), true
		}
	}
	if other != 1 || longer < 0 || longer > 0 && !open {
		return core.Sentence{}, false
	}
	theirs, yours := levels[where], filter[where]
	a, b := fold(topic.Name(theirs)), fold(topic.Name(yours))
	switch {
	case a == b:
		return core.Say("MQTT tells capitals apart: level {n} is {theirs}, not {yours}.", "n", where+1, "theirs", theirs, "yours", yours), true
	case strings.TrimSpace(a) == strings.TrimSpace(b):
		return core.Say("There is a space too much in level {n}.", "n", where+1), true
	case digits(a) == digits(b) && slips(a, b) <= 2:
		return core.Say("Level {n} is {theirs}, not {yours}.", "n", where+1, "theirs", theirs, "yours", yours), true
	case len(filter) > 1:
		return core.Say("Level {n} is {theirs}, not {yours}.", "n", where+1, "theirs", theirs, "yours", yours), false
	}
	return core.Sentence{}, false
}

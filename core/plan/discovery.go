package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"homeroom/core"
	"homeroom/core/topic"
)

// Discovery is made from the drawing, not by the kits: what it says of them is
// retained, and what it says is only as true as the design. Home Assistant then
// uses the topics as they are. Homie 5 wants its own names, so a Bridge carries
// values to homie/5/… and commands back.

const (
	homieRoot = "homie/5/"
	hassRoot  = "homeassistant/"
)

// Discovery returns every retained message that others discover the design by,
// in order of topic. SameDiscovery tells which of them are new.
func Discovery(d *core.Design) []core.Message {
	return slices.SortedFunc(slices.Values(append(HomeAssistant(d, ""), Homie5(d, "")...)), func(a, b core.Message) int {
		return strings.Compare(string(a.Topic), string(b.Topic))
	})
}

// SameDiscovery reports whether two payloads of one discovery topic say the same:
// the version of a description rises with each change of the plan, but there is
// nothing to publish until something else differs.
func SameDiscovery(a, b []byte) bool { return bytes.Equal(versionless(a), versionless(b)) }

func versionless(p []byte) []byte {
	const key = `"version":`
	if !bytes.HasPrefix(p, []byte(`{"homie":"5.0",`+key)) {
		return p
	}
	i := bytes.Index(p, []byte(key)) + len(key)
	j := i
	for j < len(p) && p[j] >= '0' && p[j] <= '9' {
		j++
	}
	return slices.Concat(p[:i], p[j:])
}

// device is a kit, or a branch for the topics that no kit has.
type device struct {
	id         string // of Homie: a-z, 0-9 and -
	place      *core.Place
	name, room string
	state      topic.Name // where its presence is, or ""
	properties []property
}

// property is a topic as Homie and Home Assistant have it.
type property struct {
	*core.Topic
	node, id string
	command  topic.Name // where commands go, or ""
}

func (p property) homie(device string) topic.Name {
	return topic.Name(homieRoot + device + "/" + p.node + "/" + p.id)
}

// devices reads the design, in order of ID.
func devices(d *core.Design) []*device {
	byPlace := map[topic.Name]*device{}
	var all []*device
	add := func(n topic.Name, p *core.Place) *device {
		if dev := byPlace[n]; dev != nil {
			return dev
		}
		dev := &device{place: p, name: short(n)}
		if p != nil {
			dev.name = p.Title()
		}
		byPlace[n], all = dev, append(all, dev)
		dev.id = idOf(string(n))
		return dev
	}
	users := map[topic.Name]*core.Place{} // the kit that a topic is told by, or else that obeys it
	tells := map[topic.Name]bool{}
	for _, p := range d.Places {
		if p.Kind != core.KitPlace {
			continue
		}
		dev := add(p.Name, p)
		dev.state = p.Name + "/$state"
		if parent, ok := above(p.Name); ok {
			if r := d.Place(parent); r != nil {
				dev.room = r.Title()
			}
		}
		for _, port := range p.Ports {
			told := port.Action == core.Publish
			if old := users[port.Topic]; old == nil || told && !tells[port.Topic] {
				users[port.Topic] = p
			}
			tells[port.Topic] = tells[port.Topic] || told
		}
	}
	for _, t := range d.Topics {
		if !discoverable(d, t) {
			continue
		}
		owner := d.Place(ownerOf(d, t.Name))
		if owner == nil {
			owner = users[t.Name]
		}
		p := property{Topic: t}
		switch {
		case t.Writable:
			p.command = t.Name + setSuffix
		case users[t.Name] != nil && !tells[t.Name]: // a kit obeys it, and none tells it
			p.command = t.Name
		}
		var dev *device
		switch {
		case owner == nil:
			branch := branchOf(t.Name)
			if branch == t.Name {
				branch = "homeroom" // flat topics of nobody
			}
			dev = add(branch, d.Place(branch))
			p.node, p.id = "topics", idOf(strings.TrimPrefix(string(t.Name), string(branch)+"/"))
		case core.Within(t.Name, owner.Name):
			dev = byPlace[owner.Name]
			first, rest, deeper := strings.Cut(string(t.Name[len(owner.Name)+1:]), "/")
			p.node, p.id = "kit", idOf(first)
			if deeper {
				p.node, p.id = idOf(first), idOf(rest)
			}
		default:
			dev = byPlace[owner.Name]
			p.node, p.id = "kit", idOf(string(last(t.Name)))
		}
		dev.properties = append(dev.properties, p)
	}
	settleIDs(all)
	return all
}

// discoverable reports whether t is a value, not an attribute or a command.
func discoverable(d *core.Design, t *core.Topic) bool {
	state, isSet := strings.CutSuffix(string(t.Name), setSuffix)
	return !strings.Contains("/"+string(t.Name), "/$") && !core.Within(t.Name, "homie") && !core.Within(t.Name, "homeassistant") &&
		!(isSet && d.Topic(topic.Name(state)) != nil)
}

// ownerOf returns the kit in whose name n is, or "".
func ownerOf(d *core.Design, n topic.Name) topic.Name {
	for n, more := above(n); more; n, more = above(n) {
		if p := d.Place(n); p != nil && p.Kind == core.KitPlace {
			return n
		}
	}
	return ""
}

// idOf makes an ID of Homie from a name: a-z, 0-9 and - between.
func idOf(name string) string {
	levels := strings.Split(name, "/")
	for i, l := range levels {
		if _, err := topic.ParseID(l); err == nil && l[0] != '-' && l[len(l)-1] != '-' {
			continue
		}
		levels[i] = strings.Trim(strings.ReplaceAll(suggest(l), "_", "-"), "-")
		if levels[i] == "" {
			levels[i] = "x" + sum(l)
		}
	}
	return strings.Join(levels, "-")
}

func sum(s string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // cannot fail
	return fmt.Sprintf("%08x", h.Sum32())
}

// settleIDs gives those that would share an ID one each that stays theirs: it is
// made from the name, not from who else there is. Then all are in order.
func settleIDs(all []*device) {
	count := map[string]int{}
	for _, dev := range all {
		count[dev.id]++
	}
	for _, dev := range all {
		if count[dev.id] > 1 {
			name := dev.name
			if dev.place != nil {
				name = string(dev.place.Name)
			}
			dev.id += "-" + sum(name)
		}
		properties := map[string]int{}
		for _, p := range dev.properties {
			properties[p.node+"/"+p.id]++
		}
		for i := range dev.properties {
			if p := &dev.properties[i]; properties[p.node+"/"+p.id] > 1 {
				p.id += "-" + sum(string(p.Name))
			}
		}
	}
	slices.SortFunc(all, func(a, b *device) int { return strings.Compare(a.id, b.id) })
}

// in reports whether the device belongs to what is asked for; "" is everything.
func (dev *device) in(branch topic.Name) bool {
	switch {
	case branch == "":
		return true
	case dev.place != nil:
		return core.Within(dev.place.Name, branch)
	}
	return len(dev.properties) > 0 && core.Within(dev.properties[0].Name, branch)
}

func announce(n topic.Name, payload any) core.Message {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(payload) // structs of strings and numbers
	return core.Message{Topic: n, Payload: bytes.TrimSuffix(b.Bytes(), []byte("\n")), QoS: 1, Retain: true, From: core.Program}
}

// homieDescription is Homie 5's $description of a device.
type homieDescription struct {
	Homie   string               `json:"homie"`
	Version int64                `json:"version"`
	Name    string               `json:"name"`
	Nodes   map[string]homieNode `json:"nodes,omitempty"`
}

type homieNode struct {
	Name       string                   `json:"name,omitempty"`
	Properties map[string]homieProperty `json:"properties"`
}

type homieProperty struct {
	Name     string `json:"name,omitempty"`
	Datatype string `json:"datatype"`
	Format   string `json:"format,omitempty"`
	Settable bool   `json:"settable,omitempty"`
	Retained bool   `json:"retained"`
	Unit     string `json:"unit,omitempty"`
}

// Homie5 returns the $description of each device of a branch; "" is all of them.
// The $state of a kit is its own, which a Bridge carries; that of a branch is here.
func Homie5(d *core.Design, branch topic.Name) (ms []core.Message) {
	for _, dev := range devices(d) {
		if !dev.in(branch) {
			continue
		}
		doc := homieDescription{Homie: "5.0", Version: d.Revision, Name: dev.name, Nodes: map[string]homieNode{}}
		for _, p := range dev.properties {
			node, ok := doc.Nodes[p.node]
			if !ok {
				node = homieNode{Properties: map[string]homieProperty{}}
			}
			datatype, format := homieType(*p.Topic)
			node.Properties[p.id] = homieProperty{Name: cmp.Or(p.Label, string(last(p.Name))), Datatype: datatype, Format: format, Settable: p.command != "", Retained: p.Retain, Unit: p.Unit}
			doc.Nodes[p.node] = node
		}
		ms = append(ms, announce(topic.Name(homieRoot+dev.id+"/$description"), doc))
		if dev.state == "" {
			ms = append(ms, core.Message{Topic: topic.Name(homieRoot + dev.id + "/$state"), Payload: []byte("ready"), QoS: 1, Retain: true, From: core.Program})
		}
	}
	return ms
}

// homieType returns datatype and format.
func homieType(t core.Topic) (datatype, format string) {
	listed := func(words ...string) string {
		if slices.ContainsFunc(words, func(w string) bool { return w == "" || strings.Contains(w, ",") }) {
			return "" // the format has no way to say this
		}
		return strings.Join(words, ",")
	}
	switch t.Kind {
	case core.Number:
		if t.Min != 0 || t.Max != 0 {
			format = number(t.Min) + ":" + number(t.Max)
		}
		if t.Step > 0 {
			format = cmp.Or(format, ":") + ":" + number(t.Step)
		}
		if integral(t) {
			return "integer", format
		}
		return "float", format
	case core.Boolean:
		if len(t.Options) == 2 {
			format = listed(t.Options[1], t.Options[0]) // false comes first there
		}
		return "boolean", format
	case core.Enumeration:
		if format = listed(t.Options...); format != "" {
			return "enum", format
		}
	case core.JSON:
		return "json", ""
	}
	return "string", ""
}

// integral reports whether the values of t are whole numbers.
func integral(t core.Topic) bool {
	return t.Step >= 1 && t.Step == math.Trunc(t.Step) && t.Min == math.Trunc(t.Min) && t.Max == math.Trunc(t.Max)
}

// Bridge carries values to the names of Homie 5 and commands back. It belongs to
// one design and may be used from any goroutine.
type Bridge struct {
	out  map[topic.Name]carriage // from a topic of the design
	back map[topic.Name]carriage // from homie/5/…/set
}

type carriage struct {
	to topic.Name
	t  *core.Topic // nil is a $state
}

// NewBridge reads the design.
func NewBridge(d *core.Design) *Bridge {
	b := &Bridge{map[topic.Name]carriage{}, map[topic.Name]carriage{}}
	for _, dev := range devices(d) {
		if dev.state != "" {
			b.out[dev.state] = carriage{topic.Name(homieRoot + dev.id + "/$state"), nil}
		}
		for _, p := range dev.properties {
			n := p.homie(dev.id)
			b.out[p.Name] = carriage{n, p.Topic}
			if p.command != "" {
				b.back[n+setSuffix] = carriage{p.command, p.Topic}
			}
		}
	}
	return b
}

// HomieNames returns where a Bridge carries what is published: values and $state
// from the names of the design to those of Homie, commands from homie/5/…/set back.
func HomieNames(d *core.Design) map[topic.Name]topic.Name {
	b := NewBridge(d)
	names := make(map[topic.Name]topic.Name, len(b.out)+len(b.back))
	for from, c := range b.out {
		names[from] = c.to
	}
	for from, c := range b.back {
		names[from] = c.to
	}
	return names
}

// Carry returns what is to be published because m was: with the words that are
// meant there. A value comes from core.Program. A command stays that of who sent
// it, and whoever publishes it must ask whether they may. ok is false for what the
// other side could not understand, and for all that nobody carries.
func (b *Bridge) Carry(m core.Message) (out core.Message, ok bool) {
	if c, found := b.out[m.Topic]; found {
		payload, ok := outward(c.t, m.Payload)
		retain := c.t == nil || c.t.Retain
		return core.Message{Topic: c.to, Payload: payload, QoS: 1, Retain: retain, From: core.Program}, ok && (len(payload) > 0 || retain)
	}
	c, found := b.back[m.Topic]
	if !found || m.Retain || len(m.Payload) == 0 {
		return core.Message{}, false // Homie's controllers never retain a command
	}
	payload, ok := inward(*c.t, m.Payload)
	return core.Message{Topic: c.to, Payload: payload, QoS: c.t.QoS, Retain: c.t.Retain && c.to == c.t.Name, From: m.From, Client: m.Client}, ok
}

// outward says a value as Homie does. No value clears it.
func outward(t *core.Topic, payload []byte) ([]byte, bool) {
	value := strings.TrimSpace(string(payload))
	switch {
	case len(payload) == 0:
		return nil, true
	case !utf8.Valid(payload):
		return nil, false
	case t == nil:
		if value == "alert" {
			value = "ready" // Homie 5 has no such state any more
		}
		return []byte(value), slices.Contains([]string{"init", "ready", "disconnected", "sleeping", "lost"}, value)
	case t.Kind == core.Number:
		v, err := strconv.ParseFloat(value, 64)
		if err != nil || !finite(v) {
			return nil, false
		}
		if integral(*t) {
			v = math.Round(v)
		}
		return []byte(number(v)), true
	case t.Kind == core.Boolean:
		is, ok := t.Truth(value)
		return strconv.AppendBool(nil, is), ok
	case t.Kind == core.Enumeration:
		return []byte(value), slices.Contains(t.Options, value)
	case t.Kind == core.JSON:
		return payload, (strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[")) && json.Valid(payload)
	}
	return payload, true
}

// inward says a command of Homie in the words of the topic.
func inward(t core.Topic, payload []byte) ([]byte, bool) {
	switch value := string(payload); {
	case t.Kind == core.Boolean:
		return []byte(t.Word(value == "true")), value == "true" || value == "false"
	case t.Kind == core.Number:
		v, err := strconv.ParseFloat(value, 64)
		return payload, err == nil && finite(v) && (t.Min == 0 && t.Max == 0 || v >= t.Min && v <= t.Max)
	case t.Kind == core.Enumeration:
		return payload, slices.Contains(t.Options, value)
	case t.Kind == core.JSON:
		return payload, json.Valid(payload)
	}
	return payload, utf8.Valid(payload)
}

// hassConfig is the discovery document of one entity of Home Assistant.
type hassConfig struct {
	Name         string             `json:"name"`
	UniqueID     string             `json:"unique_id"`
	StateTopic   topic.Name         `json:"state_topic"`
	CommandTopic topic.Name         `json:"command_topic,omitempty"`
	QoS          byte               `json:"qos"`
	Retain       bool               `json:"retain,omitempty"` // of commands
	PayloadOn    string             `json:"payload_on,omitempty"`
	PayloadOff   string             `json:"payload_off,omitempty"`
	Unit         string             `json:"unit_of_measurement,omitempty"`
	DeviceClass  string             `json:"device_class,omitempty"`
	StateClass   string             `json:"state_class,omitempty"`
	Min          *float64           `json:"min,omitempty"`
	Max          *float64           `json:"max,omitempty"`
	Step         float64            `json:"step,omitempty"`
	Options      []string           `json:"options,omitempty"`
	Template     string             `json:"value_template,omitempty"`
	Attributes   topic.Name         `json:"json_attributes_topic,omitempty"`
	Availability []hassAvailability `json:"availability,omitempty"`
	Device       hassDevice         `json:"device"`
	Origin       hassOrigin         `json:"origin"`
}

type hassAvailability struct {
	Topic        topic.Name `json:"topic"`
	Available    string     `json:"payload_available"`
	NotAvailable string     `json:"payload_not_available"`
	Template     string     `json:"value_template"`
}

type hassDevice struct {
	Identifiers  []string `json:"identifiers"`
	Name         string   `json:"name"`
	Manufacturer string   `json:"manufacturer"`
	Model        string   `json:"model,omitempty"`
	Area         string   `json:"suggested_area,omitempty"`
}

type hassOrigin struct {
	Name string `json:"name"`
}

// Templates are Jinja; they hold nothing of a name.
const (
	hassReady = "{{ 'ready' if value in ['ready', 'alert', 'sleeping'] else 'lost' }}"
	hassShort = "{{ value[:255] }}" // a state may not be longer
)

// HomeAssistant returns the discovery documents of a branch for Home Assistant; ""
// is all of them.
func HomeAssistant(d *core.Design, branch topic.Name) (ms []core.Message) {
	for _, dev := range devices(d) {
		if !dev.in(branch) {
			continue
		}
		about := hassDevice{Identifiers: []string{"homeroom-" + dev.id}, Name: dev.name, Manufacturer: "Homeroom", Area: dev.room}
		var availability []hassAvailability
		if dev.state != "" {
			about.Model = string(dev.place.Role)
			availability = []hassAvailability{{dev.state, "ready", "lost", hassReady}}
		}
		for _, p := range dev.properties {
			object := p.node + "_" + p.id // IDs have no _
			c := hassConfig{Name: cmp.Or(p.Label, string(last(p.Name))), UniqueID: "homeroom_" + dev.id + "_" + object, StateTopic: p.Name,
				CommandTopic: p.command, QoS: p.QoS, Retain: p.command == p.Name && p.Retain, Availability: availability, Device: about, Origin: hassOrigin{"Homeroom"}}
			component := c.entity(*p.Topic)
			ms = append(ms, announce(topic.Name(hassRoot+component+"/"+dev.id+"/"+object+"/config"), c))
		}
	}
	return ms
}

// entity fills in what depends on the values, and returns what t is there.
func (c *hassConfig) entity(t core.Topic) (component string) {
	settable := c.CommandTopic != ""
	words := wordsOf(t.Name)
	called := func(any ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(any, w) })
	}
	switch t.Kind {
	case core.Number:
		c.Unit = t.Unit
		c.DeviceClass = classes[t.Unit]
		if t.Unit == "%" && called("humidity", "humidité", "습도") {
			c.DeviceClass = "humidity"
		}
		if settable {
			c.Step = t.Step
			if t.Min != 0 || t.Max != 0 {
				c.Min, c.Max = &t.Min, &t.Max
			}
			return "number"
		}
		c.StateClass = "measurement"
		if t.Unit == "kWh" {
			c.StateClass = "total_increasing"
		}
		return "sensor"
	case core.Boolean:
		c.PayloadOn, c.PayloadOff = t.Word(true), t.Word(false)
		switch {
		case settable && called("light", "lamp", "led", "lampe", "lumière", "조명", "전등"):
			return "light"
		case settable:
			return "switch"
		case called("door", "porte", "문"):
			c.DeviceClass = "door"
		case called("window", "fenêtre", "창문"):
			c.DeviceClass = "window"
		case called("presence", "présence", "재실"):
			c.DeviceClass = "occupancy"
		case called("motion", "pir"):
			c.DeviceClass = "motion"
		}
		return "binary_sensor"
	case core.Enumeration:
		c.Options = t.Options
		if settable {
			return "select"
		}
		c.DeviceClass = "enum"
		return "sensor"
	case core.JSON:
		c.Template, c.Attributes = hassShort, t.Name
		c.CommandTopic, c.Retain = "", false
		return "sensor"
	}
	c.Template = hassShort
	if settable {
		return "text"
	}
	return "sensor"
}

// classes are Home Assistant's classes of sensors that go with a unit.
var classes = map[string]string{
	"°C": "temperature", "°F": "temperature", "K": "temperature", "lx": "illuminance", "W": "power", "kW": "power", "kWh": "energy", "Wh": "energy",
	"V": "voltage", "A": "current", "hPa": "pressure", "Pa": "pressure", "Hz": "frequency", "dBm": "signal_strength", "dB": "sound_pressure", "cm": "distance", "m": "distance",
}

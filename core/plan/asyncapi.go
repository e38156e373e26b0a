package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"homeroom/core"
	"homeroom/core/topic"
)

// AsyncAPI writes the topics that filter selects as an AsyncAPI 3.0 document in
// JSON, as one who connects with MQTT sees them: each topic is a channel; "send" is
// to publish there, "receive" is to subscribe. Where the design says which kits do,
// x-kits names them.
func AsyncAPI(w io.Writer, d *core.Design, filter topic.Filter, o DocOptions) error {
	if o.Say == nil {
		o.Say = core.Sentence.String
	}
	a := asyncAPI{part: partOf(d, filter), ids: map[string]int{}, doc: asyncDoc{
		AsyncAPI:           "3.0.0",
		Info:               asyncInfo{cmp.Or(o.Title, o.Say(core.Say("Topics"))), strconv.FormatInt(d.Revision, 10), o.Say(core.Say("Made from the plan of Homeroom. To send is to publish, to receive is to subscribe."))},
		DefaultContentType: "text/plain",
		Servers:            map[string]asyncServer{},
		Channels:           map[string]asyncChannel{},
		Operations:         map[string]asyncOperation{},
		Components: asyncComponents{map[string]asyncScheme{"account": {"userPassword",
			o.Say(core.Say("The name and password, or secret, of an account of this Homeroom."))}}},
	}}
	for id, server := range map[string]asyncServer{"mqtt": {Host: cmp.Or(o.Address, "localhost:1883"), Protocol: "mqtt"}, "mqtts": {Host: o.Secure, Protocol: "secure-mqtt"}} {
		if server.Host != "" {
			server.Security = []asyncRef{{"#/components/securitySchemes/account"}}
			a.doc.Servers[id] = server
		}
	}
	for _, t := range a.topics {
		a.channel(*t, t.Name, t.Writable)
		if t.Writable {
			command := *t
			command.Retain = false
			a.channel(command, t.Name+setSuffix, true)
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(a.doc)
}

// asyncAPI is an AsyncAPI document while it is made.
type asyncAPI struct {
	part
	ids map[string]int // of channels: how many would have this one
	doc asyncDoc
}

type asyncDoc struct {
	AsyncAPI           string                    `json:"asyncapi"`
	Info               asyncInfo                 `json:"info"`
	DefaultContentType string                    `json:"defaultContentType"`
	Servers            map[string]asyncServer    `json:"servers"`
	Channels           map[string]asyncChannel   `json:"channels"`
	Operations         map[string]asyncOperation `json:"operations"`
	Components         asyncComponents           `json:"components"`
}

type asyncInfo struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description"`
}

type asyncServer struct {
	Host     string     `json:"host"`
	Protocol string     `json:"protocol"`
	Security []asyncRef `json:"security"`
}

type asyncRef struct {
	Ref string `json:"$ref"`
}

type asyncChannel struct {
	// Address is null for a name with braces, which AsyncAPI would take for
	// parameters; Topic is the name then.
	Address     *topic.Name             `json:"address"`
	Topic       topic.Name              `json:"x-topic,omitempty"`
	Title       string                  `json:"title,omitempty"`
	Description string                  `json:"description,omitempty"`
	Messages    map[string]asyncMessage `json:"messages"`
}

type asyncMessage struct {
	ContentType string         `json:"contentType,omitempty"`
	Payload     asyncSchema    `json:"payload"`
	Examples    []asyncExample `json:"examples,omitempty"`
}

type asyncExample struct {
	Payload any `json:"payload"`
}

// asyncSchema is a JSON Schema of the payload.
type asyncSchema struct {
	Type       any      `json:"type,omitempty"`
	Enum       []string `json:"enum,omitempty"`
	Minimum    *float64 `json:"minimum,omitempty"`
	Maximum    *float64 `json:"maximum,omitempty"`
	MultipleOf float64  `json:"multipleOf,omitempty"`
	Unit       string   `json:"x-unit,omitempty"`
}

type asyncOperation struct {
	Action   string        `json:"action"`
	Channel  asyncRef      `json:"channel"`
	Summary  string        `json:"summary,omitempty"`
	Messages []asyncRef    `json:"messages"`
	Bindings asyncBindings `json:"bindings"`
	Kits     []topic.Name  `json:"x-kits,omitempty"`
}

type asyncBindings struct {
	MQTT asyncMQTT `json:"mqtt"`
}

type asyncMQTT struct {
	QoS     byte   `json:"qos"`
	Retain  *bool  `json:"retain,omitempty"` // of what is sent
	Version string `json:"bindingVersion"`
}

type asyncComponents struct {
	SecuritySchemes map[string]asyncScheme `json:"securitySchemes"`
}

type asyncScheme struct {
	Type        string `json:"type"`
	Description string `json:"description"`
}

// channel adds the channel of t at n, which is t or where its commands go. Both
// is set where commands go one way and states the other.
func (a *asyncAPI) channel(t core.Topic, n topic.Name, commanded bool) {
	id := a.id(n)
	c := asyncChannel{Address: &n, Title: t.Label, Description: t.Text, Messages: map[string]asyncMessage{"value": message(t)}}
	if strings.ContainsAny(string(n), "{}") {
		c.Address, c.Topic = nil, n
	}
	a.doc.Channels[id] = c
	var senders, receivers []topic.Name
	for _, p := range a.d.Places {
		for _, port := range p.Ports {
			if port.Topic != t.Name {
				continue
			}
			publish, subscribe := p.Names(port, core.Topic{Name: t.Name, Writable: commanded})
			if publish == n && !slices.Contains(senders, p.Name) {
				senders = append(senders, p.Name)
			}
			if subscribe == n && !slices.Contains(receivers, p.Name) {
				receivers = append(receivers, p.Name)
			}
		}
	}
	operation := func(action string, retain *bool, kits []topic.Name) {
		a.doc.Operations[action+"_"+id] = asyncOperation{Action: action, Channel: asyncRef{"#/channels/" + id}, Summary: t.Label, Kits: kits,
			Messages: []asyncRef{{"#/channels/" + id + "/messages/value"}}, Bindings: asyncBindings{asyncMQTT{t.QoS, retain, "0.2.0"}}}
	}
	operation("send", &t.Retain, senders)
	operation("receive", nil, receivers)
}

// id returns a name for a channel that no other has, of letters, digits, - and _.
func (a *asyncAPI) id(n topic.Name) string {
	s := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, string(n))
	id := s
	for a.ids[id] > 0 {
		a.ids[s]++
		id = fmt.Sprintf("%s_%d", s, a.ids[s])
	}
	a.ids[id]++
	return id
}

// message describes what t says.
func message(t core.Topic) asyncMessage {
	m := asyncMessage{ContentType: "text/plain", Payload: asyncSchema{Type: "string"}}
	for _, e := range Examples(t) {
		m.Examples = append(m.Examples, asyncExample{e})
	}
	switch t.Kind {
	case core.Number:
		m.ContentType, m.Payload.Type, m.Payload.Unit = "application/json", "number", t.Unit // a decimal number is JSON as it is
		for i := range m.Examples {
			m.Examples[i].Payload = json.Number(m.Examples[i].Payload.(string))
		}
		if t.Min != 0 || t.Max != 0 {
			m.Payload.Minimum, m.Payload.Maximum = &t.Min, &t.Max
		}
		if t.Step > 0 && math.Mod(t.Min, t.Step) == 0 { // else the steps do not begin at 0, as multiples do
			m.Payload.MultipleOf = t.Step
		}
	case core.Boolean:
		if len(t.Options) != 2 {
			m.ContentType, m.Payload.Type = "application/json", "boolean"
			m.Examples = []asyncExample{{true}, {false}}
			break
		}
		m.Payload.Enum = t.Options
	case core.Enumeration:
		m.Payload.Enum = t.Options
	case core.JSON:
		m.ContentType, m.Payload.Type = "application/json", []string{"object", "array"}
		for i := range m.Examples {
			m.Examples[i].Payload = json.RawMessage(m.Examples[i].Payload.(string))
		}
	}
	return m
}

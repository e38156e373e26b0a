package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"homeroom/core"
	"homeroom/core/topic"
)

// indented writes messages for people to compare.
func indented(t *testing.T, ms []core.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, m := range ms {
		fmt.Fprintf(&b, "%s\n", m.Topic)
		if err := json.Indent(&b, m.Payload, "", "  "); err != nil {
			b.Write(m.Payload)
		}
		b.WriteString("\n\n")
	}
	return b.Bytes()
}

func TestDiscovery(t *testing.T) {
	d := drawTemplate(t, "four-boards", &core.Design{}, Options{}, "blue", "red")
	d = with(d, core.Batch{
		Places: []core.Place{{Name: "blue/lab", Kind: core.RoomPlace, Label: "Lab"}, {Name: "blue/lab/kit-1", Kind: core.KitPlace, Role: core.AnyKit, Label: "한글 키트"}},
		Topics: []core.Topic{
			{Name: "blue/lab/kit-1/heating/setpoint", Kind: core.Number, Writable: true, Min: 5, Max: 30, Step: 0.5, Description: core.Description{Unit: "°C"}},
			{Name: "blue/lab/kit-1/mode", Kind: core.Enumeration, Options: []string{"day", "night"}, Writable: true},
			{Name: "blue/lab/kit-1/air", Kind: core.JSON}, {Name: "blue/lab/kit-1/온도", Kind: core.Number}, {Name: "blue/lab/kit-1/$state"}, {Name: "blue/note"},
		},
	})
	golden(t, "discovery.txt", indented(t, append(HomeAssistant(d, "blue"), Homie5(d, "blue")...)))
}

func TestDiscoveryIsSound(t *testing.T) {
	homie := regexp.MustCompile(`^homie/5(/[a-z0-9]([a-z0-9-]*[a-z0-9])?)+/\$(description|state)$`)
	hass := regexp.MustCompile(`^homeassistant/(sensor|binary_sensor|switch|light|number|select|text)/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config$`)
	for what, d := range map[string]*core.Design{
		"monitoring": drawTemplate(t, "monitoring", &core.Design{}, Options{}, six...),
		"hostile":    hostile(),
		"empty":      {},
		"the same": with(of("a/b-c/d", "a/b/c/d", "a-b/c/d", "a/b/c-d", "거실/온도", "주방/온도", "A_b", "a-b", "set", "x/set", "homie/5/x", "homeassistant/y"), core.Batch{Places: []core.Place{
			{Name: "a/b-c", Kind: core.KitPlace}, {Name: "a-b/c", Kind: core.KitPlace}, {Name: "homeroom", Kind: core.BranchPlace}}}),
	} {
		seen, unique := map[topic.Name]bool{}, map[string]bool{}
		for _, m := range Discovery(d) {
			if seen[m.Topic] || !m.Retain || m.From != core.Program || len(m.Payload) == 0 || !homie.MatchString(string(m.Topic)) && !hass.MatchString(string(m.Topic)) {
				t.Errorf("%s: %+v", what, m)
			}
			seen[m.Topic] = true
			var c struct {
				UniqueID string `json:"unique_id"`
				Nodes    map[string]struct{ Properties map[string]any }
			}
			if strings.HasSuffix(string(m.Topic), "/$state") {
				continue
			}
			if err := json.Unmarshal(m.Payload, &c); err != nil {
				t.Errorf("%s: %s: %v", what, m.Topic, err)
			}
			if c.UniqueID != "" && unique[c.UniqueID] {
				t.Errorf("%s: %s is there twice", what, c.UniqueID)
			}
			unique[c.UniqueID] = true
		}
		names := HomieNames(d)
		targets := map[topic.Name]topic.Name{}
		described := func(n topic.Name) bool { // homie/5/device/node/property
			levels := n.Split()
			if len(levels) != 5 {
				return false
			}
			for _, m := range Homie5(d, "") {
				var doc homieDescription
				if string(m.Topic) == strings.Join(levels[:3], "/")+"/$description" && json.Unmarshal(m.Payload, &doc) == nil {
					_, ok := doc.Nodes[levels[3]].Properties[levels[4]]
					return ok
				}
			}
			return false
		}
		for from, to := range names {
			if other, again := targets[to]; again {
				t.Errorf("%s: %s and %s both go to %s", what, from, other, to)
			}
			targets[to] = from
			switch {
			case strings.HasSuffix(string(from), "/$state"):
			case strings.HasPrefix(string(from), "homie/5/"):
				if !described(topic.Name(strings.TrimSuffix(string(from), "/set"))) {
					t.Errorf("%s: %s is not described", what, from)
				}
			case !described(to):
				t.Errorf("%s: %s is not described", what, to)
			}
		}
	}
}

func TestBridge(t *testing.T) {
	d := drawTemplate(t, "four-boards", &core.Design{}, Options{}, "blue")
	d = drawTemplate(t, "monitoring", d, Options{}, "blue")
	d = with(d, core.Batch{Topics: []core.Topic{{Name: "blue/living/lamp/mode", Kind: core.Enumeration, Options: []string{"day", "night"}, Writable: true}, {Name: "blue/living/lamp/air", Kind: core.JSON}}})
	b := NewBridge(d)
	for _, c := range []struct {
		from    topic.Name
		payload string
		to      topic.Name // "" is nowhere
		said    string
	}{
		{"blue/light", "On", "homie/5/blue-home-esp-light/kit/light", "true"},
		{"blue/light", "off", "homie/5/blue-home-esp-light/kit/light", "false"},
		{"blue/light", "maybe", "", ""},
		{"blue/light", "\xff", "", ""},
		{"blue/light", "", "homie/5/blue-home-esp-light/kit/light", ""}, // is cleared
		{"blue/button", "", "", ""},                                     // was never retained
		{"blue/button", "turn on", "homie/5/blue-home-esp-button/kit/button", "true"},
		{"blue/brightness", " 41.6 ", "homie/5/blue-home-esp-sensor/kit/brightness", "42"}, // integer
		{"blue/brightness", "NaN", "", ""},
		{"blue/home/esp-light/$state", "ready", "homie/5/blue-home-esp-light/$state", "ready"},
		{"blue/home/esp-light/$state", "alert", "homie/5/blue-home-esp-light/$state", "ready"},
		{"blue/home/esp-light/$state", "asleep", "", ""},
		{"homie/5/blue-home-esp-light/kit/light/set", "true", "blue/light", "On"}, // no kit tells it, so it may be told
		{"homie/5/blue-home-esp-light/kit/light/set", "On", "", ""},
		{"homie/5/blue-home-esp-sensor/kit/brightness/set", "5", "", ""},
		{"homie/5/blue-living-heating/kit/setpoint/set", "21.5", "blue/living/heating/setpoint/set", "21.5"},
		{"homie/5/blue-living-heating/kit/setpoint/set", "99", "", ""},
		{"homie/5/blue-living-heating/kit/setpoint/set", "", "", ""},
		{"homie/5/blue-living-lamp/kit/mode/set", "night", "blue/living/lamp/mode/set", "night"},
		{"homie/5/blue-living-lamp/kit/mode/set", "noon", "", ""},
		{"blue/living/lamp/mode", "day", "homie/5/blue-living-lamp/kit/mode", "day"},
		{"blue/living/lamp/air", `{"t":1}`, "homie/5/blue-living-lamp/kit/air", `{"t":1}`},
		{"blue/living/lamp/air", `7`, "", ""},
		{"blue/living/lamp/light/set", "On", "", ""},
		{"homie/5/blue-living-lamp/kit/light", "true", "", ""}, // what we said comes not back
		{"nothing", "1", "", ""},
	} {
		m, ok := b.Carry(core.Message{Topic: c.from, Payload: []byte(c.payload), From: 7, Client: "app"})
		if ok != (c.to != "") || ok && (m.Topic != c.to || string(m.Payload) != c.said) {
			t.Errorf("%s %q goes to %s %q, %v, want %s %q", c.from, c.payload, m.Topic, m.Payload, ok, c.to, c.said)
		}
		if command := strings.HasPrefix(string(c.from), "homie"); ok && (m.From == 7) != command {
			t.Errorf("%s is published by %d", c.from, m.From)
		}
	}
	if _, ok := b.Carry(core.Message{Topic: "homie/5/blue-living-lamp/kit/light/set", Payload: []byte("true"), Retain: true}); ok {
		t.Error("a retained command is carried")
	}
}

func TestSameDiscovery(t *testing.T) {
	d := drawTemplate(t, "state_led", &core.Design{}, Options{}, "blue")
	before := Discovery(d)
	d.Revision += 100
	after := Discovery(d)
	changed := 0
	for i := range before {
		if !SameDiscovery(before[i].Payload, after[i].Payload) {
			t.Errorf("%s\n%s", before[i].Payload, after[i].Payload)
		}
		if !bytes.Equal(before[i].Payload, after[i].Payload) {
			changed++
		}
	}
	if changed != 2 { // the descriptions of two boards
		t.Errorf("%d have another version", changed)
	}
	d = with(d, core.Batch{Topics: []core.Topic{{Name: "blue/state_led", Kind: core.Boolean, Description: core.Description{Label: "LED 2"}}}})
	same := 0
	for i, m := range Discovery(d) {
		if SameDiscovery(m.Payload, after[i].Payload) {
			same++
		}
	}
	if same != len(after)-2 {
		t.Errorf("%d of %d say the same", same, len(after))
	}
}

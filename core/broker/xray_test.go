package broker

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// wire is a packet as it is sent: the first byte, the remaining length, the rest.
func wire(first byte, rest ...any) []byte {
	var b []byte
	for _, v := range rest {
		switch v := v.(type) {
		case int:
			b = append(b, byte(v))
		case string: // with its length in front
			b = append(append(b, byte(len(v)>>8), byte(len(v))), v...)
		case []byte:
			b = append(b, v...)
		}
	}
	out := []byte{first}
	for n := len(b); ; n >>= 7 {
		if n < 0x80 {
			return append(append(out, byte(n)), b...)
		}
		out = append(out, byte(n)|0x80)
	}
}

// sight is what a test wants to see of a packet.
func sight(p core.Packet) string {
	dir := "<"
	if p.In {
		dir = ">"
	}
	s := fmt.Sprintf("%s%s %s", p.Client, dir, p.Type)
	if p.ID > 0 {
		s += fmt.Sprintf(" #%d", p.ID)
	}
	if p.QoS > 0 {
		s += fmt.Sprintf(" q%d", p.QoS)
	}
	if p.Dup {
		s += " dup"
	}
	if p.Retain {
		s += " retain"
	}
	if p.Topic != "" {
		s += " " + p.Topic
	}
	if len(p.Payload) > 0 {
		s += fmt.Sprintf(" %q", p.Payload)
	}
	if p.Reason > 0 {
		s += fmt.Sprintf(" 0x%02X", p.Reason)
	}
	if p.State != "" {
		s += " " + p.State
	}
	return s
}

func TestXrayDecodes(t *testing.T) {
	long := strings.Repeat("한", 400)
	for name, c := range map[string]struct {
		version byte
		in      bool
		frame   []byte
		want    string
	}{
		"CONNECT 3.1":        {0, true, wire(0x10, "MQIsdp", 3, 2, 0, 60, "kit-1"), "kit-1> CONNECT"},
		"CONNECT 3.1.1":      {0, true, wire(0x10, "MQTT", 4, 0xC2, 0, 60, "kit-1", "ana", "secret"), "kit-1> CONNECT"},
		"CONNECT 5":          {0, true, wire(0x10, "MQTT", 5, 2, 0, 60, 5, 0x11, 0, 0, 0, 9, "kit-1"), "kit-1> CONNECT"},
		"CONNACK":            {5, false, wire(0x20, 0, 0x87, 0), "kit-1< CONNACK 0x87"},
		"CONNACK 3":          {4, false, wire(0x20, 0, 5), "kit-1< CONNACK 0x05"},
		"QoS 0":              {4, true, wire(0x31, "a/b", []byte("on")), `kit-1> PUBLISH retain a/b "on"`},
		"QoS 1":              {4, true, wire(0x3A, "a/b", 0, 7, []byte("on")), `kit-1> PUBLISH #7 q1 dup a/b "on" sent`},
		"QoS 2, 5":           {5, false, wire(0x34, "a/b", 1, 2, 3, 0x23, 0, 1, []byte("x")), "kit-1< PUBLISH #258 q2 a/b \"x\" sent"},
		"properties":         {5, true, wire(0x30, "a/b", 15, 0x01, 1, 0x26, "k", "v", 0x0B, 0x80, 0x01, 0x23, 0, 3, []byte("on")), `kit-1> PUBLISH a/b "on"`},
		"long topic":         {4, true, wire(0x30, long), "kit-1> PUBLISH " + long[:1023]},
		"long payload":       {4, true, wire(0x30, "a", bytes.Repeat([]byte("x"), 300)), fmt.Sprintf("kit-1> PUBLISH a %q", strings.Repeat("x", 256))},
		"PUBACK":             {4, false, wire(0x40, 0, 7), "kit-1< PUBACK #7 q1 done"},
		"PUBACK refused":     {5, false, wire(0x40, 0, 7, 0x87, 0), "kit-1< PUBACK #7 q1 0x87 done"},
		"PUBREC":             {5, false, wire(0x50, 0, 7), "kit-1< PUBREC #7 q2 received"},
		"PUBREC refused":     {5, false, wire(0x50, 0, 7, 0x97), "kit-1< PUBREC #7 q2 0x97 done"},
		"PUBREL":             {5, true, wire(0x62, 0, 7), "kit-1> PUBREL #7 q2 released"},
		"PUBCOMP":            {5, false, wire(0x70, 0, 7, 0x92), "kit-1< PUBCOMP #7 q2 0x92 done"},
		"SUBSCRIBE":          {4, true, wire(0x82, 0, 9, "a/#", 1, "$share/g/b", 0), "kit-1> SUBSCRIBE #9 a/# $share/g/b"},
		"SUBSCRIBE 5":        {5, true, wire(0x82, 0, 9, 2, 0x0B, 4, "a/#", 1), "kit-1> SUBSCRIBE #9 a/#"},
		"SUBACK refused":     {5, false, wire(0x90, 0, 9, 0, 1, 0x87), "kit-1< SUBACK #9 0x87"},
		"UNSUBSCRIBE":        {4, true, wire(0xA2, 0, 9, "a/#"), "kit-1> UNSUBSCRIBE #9 a/#"},
		"UNSUBACK":           {4, false, wire(0xB0, 0, 9), "kit-1< UNSUBACK #9"},
		"PINGREQ":            {4, true, wire(0xC0), "kit-1> PINGREQ"},
		"PINGRESP":           {4, false, wire(0xD0), "kit-1< PINGRESP"},
		"DISCONNECT":         {4, true, wire(0xE0), "kit-1> DISCONNECT"},
		"DISCONNECT 5":       {5, false, wire(0xE0, 0x8E, 0), "kit-1< DISCONNECT 0x8E"},
		"AUTH":               {5, true, wire(0xF0, 0x18), "kit-1> AUTH 0x18"},
		"cut off":            {5, true, []byte{0x32, 100, 0, 50, 'a'}, "kit-1> PUBLISH q1 sent"},
		"more than it says":  {4, true, []byte{0xC0, 0, 0x30, 1}, "kit-1> PINGREQ"},
		"nothing":            {4, true, nil, ""},
		"one byte":           {4, true, []byte{0x30}, ""},
		"a type there isn't": {4, true, wire(0x00, "a"), ""},
	} {
		x := newXray(&core.Feed{})
		x.Watch(core.Watch{Client: "kit-1"})
		was := bytes.Clone(c.frame)
		by := seen{client: "kit-1", account: 3, version: c.version}
		if c.version == 0 {
			by = seen{}
		}
		x.see(by, c.in, c.frame)
		got := ""
		ps, _ := x.Packets(0)
		for _, p := range ps {
			got += sight(p)
			if p.Size != len(c.frame) || p.At.IsZero() || p.Account != by.account {
				t.Errorf("%s: %+v", name, p)
			}
			if strings.Contains(fmt.Sprintf("%+v", p), "secret") {
				t.Errorf("%s: a password is recorded", name)
			}
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
		if !bytes.Equal(was, c.frame) {
			t.Errorf("%s: the frame was changed", name)
		}
	}
}

// step is a packet on the connection of a client.
type step struct {
	client string
	in     bool
	frame  []byte
}

func watched(w core.Watch, steps ...step) []string {
	x := newXray(&core.Feed{})
	x.Watch(w)
	for _, s := range steps {
		x.see(seen{client: s.client, version: 5}, s.in, s.frame)
	}
	ps, _ := x.Packets(0)
	var got []string
	for _, p := range ps {
		got = append(got, sight(p))
	}
	return got
}

func TestXrayFollowsTopic(t *testing.T) {
	publish := func(first byte, name string, id int) []byte {
		if first&6 == 0 {
			return wire(first, name, 0, []byte("x"))
		}
		return wire(first, name, 0, id, 0, []byte("x"))
	}
	aliased := func(name string, alias int) []byte { return wire(0x30, name, 3, 0x23, 0, alias, []byte("x")) }
	for name, c := range map[string]struct {
		steps []step
		want  []string
	}{
		"both halves of QoS 2": {[]step{
			{"pub", true, publish(0x34, "a/b", 7)}, {"pub", false, wire(0x50, 0, 7)}, {"pub", true, wire(0x62, 0, 7)},
			{"sub", false, publish(0x32, "a/b", 1)}, {"pub", false, wire(0x70, 0, 7)}, {"sub", true, wire(0x40, 0, 1)},
		}, []string{
			`pub> PUBLISH #7 q2 a/b "x" sent`, "pub< PUBREC #7 q2 received", "pub> PUBREL #7 q2 released",
			`sub< PUBLISH #1 q1 a/b "x" sent`, "pub< PUBCOMP #7 q2 done", "sub> PUBACK #1 q1 done",
		}},
		"other topics and their answers": {[]step{
			{"pub", true, publish(0x34, "other", 7)}, {"pub", false, wire(0x50, 0, 7)}, {"pub", true, wire(0x62, 0, 7)}, {"pub", false, wire(0x70, 0, 7)},
			{"pub", true, wire(0xC0)}, {"pub", true, wire(0x10, "MQTT", 4, 2, 0, 60, "pub")},
		}, nil},
		"the same number both ways": {[]step{
			{"kit", true, publish(0x32, "other", 7)}, {"kit", false, publish(0x32, "a/b", 7)},
			{"kit", false, wire(0x40, 0, 7)}, {"kit", true, wire(0x40, 0, 7)},
		}, []string{`kit< PUBLISH #7 q1 a/b "x" sent`, "kit> PUBACK #7 q1 done"}},
		"a number used again": {[]step{
			{"kit", true, publish(0x32, "a/b", 7)}, {"kit", false, wire(0x40, 0, 7)},
			{"kit", true, publish(0x32, "other", 7)}, {"kit", false, wire(0x40, 0, 7)},
			{"kit", true, publish(0x32, "a/b", 8)}, {"kit", true, publish(0x32, "other", 8)}, {"kit", false, wire(0x40, 0, 8)},
		}, []string{`kit> PUBLISH #7 q1 a/b "x" sent`, "kit< PUBACK #7 q1 done", `kit> PUBLISH #8 q1 a/b "x" sent`}},
		"refused ends the flow": {[]step{
			{"kit", true, publish(0x34, "a/b", 7)}, {"kit", false, wire(0x50, 0, 7, 0x87)}, {"kit", true, wire(0x62, 0, 7)},
		}, []string{`kit> PUBLISH #7 q2 a/b "x" sent`, "kit< PUBREC #7 q2 0x87 done"}},
		"subscriptions": {[]step{
			{"sub", true, wire(0x82, 0, 1, 0, "x/y", 0)}, {"sub", false, wire(0x90, 0, 1, 0, 0)},
			{"sub", true, wire(0x82, 0, 2, 0, "x/y", 0, "$share/g/+/b", 1)}, {"sub", false, wire(0x90, 0, 2, 0, 0, 1)},
			{"sub", true, wire(0xA2, 0, 3, 0, "a/#")}, {"sub", false, wire(0xB0, 0, 3, 0, 0x11)},
		}, []string{"sub> SUBSCRIBE #2 x/y $share/g/+/b", "sub< SUBACK #2 0x01", "sub> UNSUBSCRIBE #3 a/#", "sub< UNSUBACK #3 0x11"}},
		"topic aliases": {[]step{
			{"pub", true, aliased("a/b", 1)}, {"pub", true, aliased("other", 2)}, {"pub", true, aliased("", 1)}, {"pub", true, aliased("", 2)},
			{"two", true, aliased("", 1)}, {"pub", true, wire(0x10, "MQTT", 5, 2, 0, 60, 0, "pub")}, {"pub", true, aliased("", 1)},
		}, []string{`pub> PUBLISH a/b "x"`, `pub> PUBLISH a/b "x"`}},
	} {
		if got := watched(core.Watch{Filter: "a/+"}, c.steps...); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %s\nwant %s", name, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
		}
	}
	got := watched(core.Watch{Client: "pub", Filter: "a/b"}, step{"pub", true, publish(0x32, "a/b", 7)}, step{"sub", false, publish(0x30, "a/b", 0)}, step{"pub", true, publish(0x30, "c", 0)})
	if len(got) != 1 {
		t.Errorf("one client's part of a topic: %q", got)
	}
	got = watched(core.Watch{Client: "pub"}, step{"pub", true, aliased("", 9)})
	if !slices.Equal(got, []string{`pub> PUBLISH #9 "x"`}) {
		t.Errorf("an alias from before: %q", got)
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		f, g topic.Filter
		want bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/c", false}, {"a/+", "+/b", true}, {"a/#", "+/b/c", true}, {"a/#", "a", true},
		{"a", "a/#", true}, {"#", "x/y", true}, {"#", "$SYS/x", false}, {"$SYS/#", "+/x", false}, {"$SYS/#", "$SYS/x", true},
		{"a/b", "a/b/c", false}, {"a/+/c", "a/b", false}, {"+", "#", true}, {"", "a", false},
	} {
		if overlap(c.f, c.g) != c.want || overlap(c.g, c.f) != c.want {
			t.Errorf("overlap(%q, %q) is not %v", c.f, c.g, c.want)
		}
	}
}

// TestXrayMounted follows a real name to who knows it without its branch.
func TestXrayMounted(t *testing.T) {
	x := newXray(&core.Feed{})
	x.Watch(core.Watch{Filter: "blue/lamp"})
	kit := seen{client: "kit", version: 4, branch: "blue"}
	x.see(kit, true, wire(0x30, "lamp"))
	x.see(kit, true, wire(0x30, "blue/lamp"))
	x.see(kit, true, wire(0x30, "lamps"))
	x.see(seen{client: "stranger", version: 4}, true, wire(0x30, "lamp"))
	if ps, _ := x.Packets(0); len(ps) != 2 || ps[0].Topic != "lamp" || ps[1].Topic != "blue/lamp" {
		t.Errorf("recorded %v", ps)
	}
}

func TestXrayIsBounded(t *testing.T) {
	feed := &core.Feed{}
	l := feed.Listen()
	if c, err := l.Next(t.Context()); err != nil || c == 0 {
		t.Fatal(c, err)
	}
	x := newXray(feed)
	small := wire(0x30, "a", []byte("x"))
	x.see(seen{client: "kit"}, true, small)
	if ps, _ := x.Packets(0); len(ps) != 0 || x.on() {
		t.Error("recorded without a watch")
	}
	x.Watch(core.Watch{Client: "kit"})
	for range maxSeen + 100 {
		x.see(seen{client: "kit", version: 4}, true, small)
	}
	if c, err := l.Next(t.Context()); err != nil || c&core.PacketsChanged == 0 {
		t.Error("nobody was told", c, err)
	}
	ps, missed := x.Packets(0)
	if len(ps) != maxSeen || missed != 100 || ps[0].N != 101 || ps[maxSeen-1].N != maxSeen+100 {
		t.Errorf("%d packets from %d, missed %d", len(ps), ps[0].N, missed)
	}
	if ps, missed := x.Packets(maxSeen + 98); len(ps) != 2 || missed != 0 {
		t.Errorf("after the last but two: %d, missed %d", len(ps), missed)
	}
	if ps, missed := x.Packets(1 << 60); len(ps) != 0 || missed != 0 {
		t.Errorf("after the future: %d, missed %d", len(ps), missed)
	}

	x.Watch(core.Watch{})
	x.see(seen{client: "kit", version: 4}, true, small)
	if ps, _ := x.Packets(0); len(ps) != maxSeen || x.on() || x.Watching() != (core.Watch{}) {
		t.Errorf("stopping forgets, or does not stop: %d", len(ps))
	}
	x.Watch(core.Watch{Filter: "#"})
	if ps, missed := x.Packets(0); len(ps) != 0 || missed != 0 || x.Watching().Filter != "#" {
		t.Errorf("a new watch begins with %d, missed %d", len(ps), missed)
	}
	big := wire(0x30, strings.Repeat("t", 1000), bytes.Repeat([]byte("x"), 5000))
	for range maxSeen {
		x.see(seen{client: strings.Repeat("c", 200), version: 4}, false, big)
	}
	ps, _ = x.Packets(0)
	if cost := len(ps) * seenCost(&ps[0]); cost > maxSeenBytes || cost < maxSeenBytes*9/10 {
		t.Errorf("%d packets take %d bytes", len(ps), cost)
	}
	for i := range maxExchanges + 500 {
		x.see(seen{client: fmt.Sprint(i), version: 5}, true, wire(0x32, "t", 0, 1, 3, 0x23, 0, 1))
	}
	if len(x.exchanges) != maxExchanges || len(x.aliases) != maxSeenAliases {
		t.Errorf("remembers %d exchanges, %d aliases", len(x.exchanges), len(x.aliases))
	}
}

// TestXrayFromManySides is for the race detector.
func TestXrayFromManySides(t *testing.T) {
	x := newXray(&core.Feed{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 500 {
				x.see(seen{client: fmt.Sprint(i), version: 5}, true, wire(0x32, "a", 0, 1, 0))
			}
		})
	}
	for i := range 100 {
		x.Watch(core.Watch{Filter: "a", Client: []string{"", "1"}[i%2]})
		ps, _ := x.Packets(0)
		for j := range ps {
			if ps[j].N != ps[0].N+uint64(j) {
				t.Fatal("a gap in the numbers")
			}
		}
	}
	wg.Wait()
}

func TestXrayCostsNothingOff(t *testing.T) {
	x := newXray(&core.Feed{})
	frame := wire(0x32, "a", 0, 1, 0)
	if n := testing.AllocsPerRun(100, func() { x.see(seen{client: "c", version: 5}, true, frame) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzXray compares what is read with the engine's own decoder where that takes
// the packet, and wants no panic where it does not.
func FuzzXray(f *testing.F) {
	f.Add(wire(0x34, "a/b", 1, 2, 3, 0x23, 0, 1, []byte("x")), byte(5))
	f.Add(wire(0x82, 0, 9, 2, 0x0B, 4, "a/#", 1), byte(5))
	f.Add(wire(0x10, "MQTT", 5, 0xC6, 0, 60, 0, "kit-1", 0, "will", "secret", "ana", "secret"), byte(0))
	f.Add(wire(0x50, 0, 7, 0x97), byte(5))
	f.Fuzz(func(t *testing.T, frame []byte, version byte) {
		x := newXray(&core.Feed{})
		x.Watch(core.Watch{Filter: "#"})
		x.see(seen{client: "kit", version: version}, true, frame)
		x.Watch(core.Watch{Client: "kit"})
		was := bytes.Clone(frame)
		x.see(seen{client: "kit", version: version}, true, frame)
		if !bytes.Equal(was, frame) {
			t.Fatal("the frame was changed")
		}
		ps, _ := x.Packets(0)
		if len(ps) == 0 {
			return
		}
		p := ps[0]
		if len(p.Topic) > topic.MaxLen || len(p.Payload) > seenPayload || p.Size != len(frame) {
			t.Fatalf("%+v", p)
		}
		header := packets.FixedHeader{}
		if len(frame) < 2 || frame[1] >= 0x80 || int(frame[1]) != len(frame)-2 || header.Decode(frame[0]) != nil || header.Type != packets.Publish {
			return
		}
		want := packets.Packet{FixedHeader: header, ProtocolVersion: version}
		want.FixedHeader.Remaining = int(frame[1])
		if want.PublishDecode(bytes.Clone(frame[2:])) != nil || want.TopicName == "" {
			return
		}
		if p.Topic != want.TopicName || p.ID != want.PacketID || p.QoS != header.Qos || p.Retain != header.Retain || p.Dup != header.Dup || !bytes.HasPrefix(want.Payload, p.Payload) {
			t.Fatalf("%+v, the engine reads %+v", p, want)
		}
	})
}

package broker

import (
	"fmt"
	"net"
	"slices"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// TestMount has a kit of team blue that knows nothing of its branch, and
// somebody who sees real names.
func TestMount(t *testing.T) {
	store := newMemory()
	r := start(t, store)
	var kit, teacher, red box
	m := r.dial(r.options("m-kit"), &kit)
	other := r.dial(r.options("teacher"), &teacher)
	stranger := r.dial(r.options("red"), &red)
	r.ok(other.Subscribe("#", 1, nil))
	r.ok(stranger.Subscribe("state_led", 1, nil))
	r.ok(m.Subscribe("state_led", 1, nil))
	r.ok(m.Publish("state_led", 1, false, "1"))
	r.wants(&teacher, "blue/state_led=1 q1")
	r.wants(&kit, "state_led=1 q1")
	r.ok(other.Publish("blue/state_led", 0, true, "0")) // a teacher switches it
	r.wants(&kit, "state_led=1 q1", "state_led=0 q0")
	r.ok(stranger.Publish("state_led", 1, false, "not yours"))
	r.wants(&red, "state_led=not yours q1")

	var all box
	r.ok(r.dial(r.options("m-all"), &all).Subscribe("#", 1, nil))
	r.wants(&all, "state_led=0 q0 retained")
	var real box
	r.ok(r.dial(r.options("m-real"), &real).Subscribe("blue/state_led", 1, nil))
	r.wants(&real, "blue/state_led=0 q0 retained")
	var both box
	b := r.dial(r.options("m-both"), &both)
	r.ok(b.SubscribeMultiple(map[string]byte{"x": 1, "blue/x": 1}, nil))
	r.ok(other.Publish("blue/x", 1, false, "once"))
	r.wants(&both, "blue/x=once q1")
	if got := kit.all(); len(got) != 2 {
		t.Errorf("the kit got %q", got)
	}
	for _, c := range r.Clients() {
		if c.ID == "m-all" && !slices.Equal(c.Filters, []string{"#"}) {
			t.Errorf("shown as %q", c.Filters)
		}
	}
}

// TestMountIsKept keeps messages for a mounted session over a restart, sends its
// will, and shares a subscription with a real name.
func TestMountIsKept(t *testing.T) {
	store := newMemory()
	r := start(t, store)
	m := r.dial(r.options("m-kit").SetCleanSession(false), nil)
	r.ok(m.SubscribeMultiple(map[string]byte{"in/#": 1, "$share/g/work": 1}, nil))
	m.Disconnect(0)
	r.away("m-kit")
	var seen box
	p := r.dial(r.options("p"), &seen)
	r.ok(p.Subscribe("blue/#", 1, nil))
	for i := range 3 {
		r.ok(p.Publish("blue/in/x", 1, false, fmt.Sprint(i)))
	}
	r.ok(p.Publish("blue/work", 1, false, "w"))
	r.stop()

	r = start(t, store)
	var got box
	m = r.dial(r.options("m-kit").SetCleanSession(false).SetWill("gone", "bye", 1, false), &got)
	r.wants(&got, "in/x=0 q1", "in/x=1 q1", "in/x=2 q1", "work=w q1")
	var after box
	r.ok(r.dial(r.options("p"), &after).Subscribe("blue/gone", 1, nil))
	r.mustDrop("m-kit")
	r.wants(&after, "blue/gone=bye q1")
	_ = m
}

// mustDrop cuts a client's connection without a DISCONNECT.
func (r *rig) mustDrop(id string) {
	r.t.Helper()
	r.Broker.mu.Lock()
	c := r.sessions[id].conn
	r.Broker.mu.Unlock()
	if c == nil {
		r.t.Fatal(id, "is not connected")
	}
	_ = c.Conn.Close()
}

// TestMountedResponse answers across the mount: the Response Topic is a name too.
func TestMountedResponse(t *testing.T) {
	r := start(t, newMemory())
	asker, teacher, mate := dial(t, r), dial(t, r), dial(t, r)
	connect(t, asker, "m-asker", 5)
	connect(t, teacher, "teacher", 5)
	connect(t, mate, "m-mate", 5)
	for filter, c := range map[string]net.Conn{"blue/ask": teacher, "ask": mate} {
		send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1, ProtocolVersion: 5, Filters: packets.Subscriptions{{Filter: filter}}})
		read(t, c, 5)
	}
	send(t, asker, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, ProtocolVersion: 5, TopicName: "ask", Payload: []byte("?"),
		Mods: packets.Mods{AllowResponseInfo: true}, Properties: packets.Properties{ResponseTopic: "reply/1", CorrelationData: []byte("c")}})
	if pk := decodePublish(t, read(t, teacher, 5)); pk.TopicName != "blue/ask" || pk.Properties.ResponseTopic != "blue/reply/1" || string(pk.Properties.CorrelationData) != "c" {
		t.Errorf("the teacher reads %q, answers to %q", pk.TopicName, pk.Properties.ResponseTopic)
	}
	if pk := decodePublish(t, read(t, mate, 5)); pk.TopicName != "ask" || pk.Properties.ResponseTopic != "reply/1" {
		t.Errorf("the team mate reads %q, answers to %q", pk.TopicName, pk.Properties.ResponseTopic)
	}
}

// TestMountedRefusal names the grant that was missing by its real name.
func TestMountedRefusal(t *testing.T) {
	r := start(t, newMemory())
	r.gate.deny["blue/lamp"] = true
	m := r.dial(r.options("m-kit"), nil)
	r.ok(m.Publish("lamp", 1, false, "on"))
	if token := m.Subscribe("lamp", 1, nil); !token.WaitTimeout(5e9) || token.(*paho.SubscribeToken).Result()["lamp"] != 0x80 {
		t.Error("not refused")
	}
	r.gate.mu.Lock()
	defer r.gate.mu.Unlock()
	var got []string
	for _, x := range r.gate.refused {
		got = append(got, fmt.Sprintf("%s %s", x.Action, x.Topic))
	}
	if want := []string{"publish blue/lamp", "subscribe blue/lamp"}; !slices.Equal(got, want) {
		t.Errorf("missing: %q, want %q", got, want)
	}
}

// TestMountChanges gives an account a real branch while it is connected.
func TestMountChanges(t *testing.T) {
	g := &gate{}
	b := newBroker(Config{Gate: g, Feed: &core.Feed{}})
	b.journal = newJournal(nil, nil, nil)
	s := b.newSession("m")
	s.account, s.version, s.usage = 'm', 1, &usage{}
	s.subscribe(newSubscription(Subscription{Client: "m", Filter: "x"}, "x", "elsewhere/x"))
	s.recheck()
	if got := s.subs["x"].filter; got != topic.Filter("blue/x") {
		t.Errorf("still %q", got)
	}
	if b.router.root.next["elsewhere"] != nil || b.router.root.next["blue"] == nil {
		t.Error("the router has the old one")
	}
}

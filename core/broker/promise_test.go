package broker

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// answers reports whether anything comes from c soon.
func answers(t *testing.T, c net.Conn) bool {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	n, _ := c.Read(make([]byte, 1))
	return n > 0
}

func dial(t *testing.T, r *rig) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestNoPromiseBeforeTheDisk holds the disk at each step of QoS 2. What confirms
// a step may not leave before the step is stored; what needs no disk may.
func TestNoPromiseBeforeTheDisk(t *testing.T) {
	publish := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 2}, PacketID: 5, ProtocolVersion: 4, TopicName: "e", Payload: []byte("x")}
	ping := []byte{packets.Pingreq << 4, 0}
	t.Run("PUBREC on a second connection", func(t *testing.T) {
		store := newMemory()
		r := start(t, store)
		c := dial(t, r)
		durable(t, c, "kit")
		store.held.Lock()
		send(t, c, publish)
		if answers(t, c) {
			t.Error("PUBREC before it was stored")
		}
		c = dial(t, r)
		durable(t, c, "kit")
		publish.FixedHeader.Dup = true
		send(t, c, publish)
		if answers(t, c) {
			t.Error("PUBREC for the duplicate before it was stored")
		}
		if _, err := c.Write(ping); err != nil {
			t.Fatal(err)
		}
		if pong := read(t, c, 4); pong[0]>>4 != packets.Pingresp {
			t.Errorf("a ping behind it got % x", pong)
		}
		store.held.Unlock()
		if ack := read(t, c, 4); ack[0]>>4 != packets.Pubrec {
			t.Errorf("then % x", ack)
		}
	})
	t.Run("PUBCOMP", func(t *testing.T) {
		store := newMemory()
		r := start(t, store)
		c := dial(t, r)
		durable(t, c, "kit")
		send(t, c, publish)
		read(t, c, 4)
		store.held.Lock()
		if _, err := c.Write([]byte{packets.Pubrel<<4 | 2, 2, 0, 5}); err != nil {
			t.Fatal(err)
		}
		if answers(t, c) {
			t.Error("PUBCOMP before the release was stored")
		}
		store.held.Unlock()
		if ack := read(t, c, 4); ack[0]>>4 != packets.Pubcomp {
			t.Errorf("then % x", ack)
		}
	})
	t.Run("PUBREL", func(t *testing.T) {
		store := newMemory()
		r := start(t, store)
		c := dial(t, r)
		durable(t, c, "kit")
		send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1, ProtocolVersion: 4, Filters: packets.Subscriptions{{Filter: "e", Qos: 2}}})
		read(t, c, 4)
		r.ok(r.dial(r.options("pub"), nil).Publish("e", 2, false, "x"))
		frame := read(t, c, 4)
		id := frame[len(frame)-3 : len(frame)-1] // topic "e" and payload "x" are one byte each
		store.held.Lock()
		if _, err := c.Write([]byte{packets.Pubrec << 4, 2, id[0], id[1]}); err != nil {
			t.Fatal(err)
		}
		if answers(t, c) {
			t.Error("PUBREL before it was stored")
		}
		store.held.Unlock()
		if ack := read(t, c, 4); ack[0]>>4 != packets.Pubrel {
			t.Errorf("then % x", ack)
		}
	})
}

// TestWaitingIsBounded floods a session that is away, and one that never acknowledges.
func TestWaitingIsBounded(t *testing.T) {
	for name, payload := range map[string]int{"empty": 0, "large": 64 << 10} {
		r := start(t, newMemory())
		away, silent := dial(t, r), dial(t, r)
		for id, c := range map[string]net.Conn{"away": away, "silent": silent} {
			durable(t, c, id)
			send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1, ProtocolVersion: 4, Filters: packets.Subscriptions{{Filter: "k", Qos: 1}}})
			read(t, c, 4)
		}
		away.Close()
		go func() { // it reads, and acknowledges nothing
			buf := make([]byte, 64<<10)
			for {
				if _, err := silent.Read(buf); err != nil {
					return
				}
			}
		}()
		r.away("away")
		maxQueue := core.DefaultLimits().Queue
		n := 3 * maxQueue / (perMessage + payload)
		for range n {
			if err := r.Broker.Publish(t.Context(), core.Message{Topic: "k", Payload: make([]byte, payload), QoS: 1, From: 1}); err != nil {
				t.Fatal(err)
			}
		}
		for id, s := range r.sessions {
			s.mu.Lock()
			count := 0
			for _, o := range s.queue {
				count += o.m.cost()
			}
			for _, o := range s.inflight {
				count += o.m.cost()
			}
			if count != s.bytes || count > maxQueue || count < maxQueue/2 {
				t.Errorf("%s, %s: %d bytes wait, counted as %d", name, id, count, s.bytes)
			}
			s.mu.Unlock()
		}
		if all := r.gate.sentences(); len(all) == 0 || !strings.Contains(all[0], "the oldest messages are dropped") {
			t.Errorf("%s: not told: %q", name, all)
		}
		r.stop()
	}
}

func TestTooManyFilters(t *testing.T) {
	r := start(t, newMemory())
	c := dial(t, r)
	connect(t, c, "greedy", 4)
	var filters packets.Subscriptions
	for i := range maxFilters + 50 {
		filters = append(filters, packets.Subscription{Filter: fmt.Sprintf("f/%d", i)})
	}
	send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1, ProtocolVersion: 4, Filters: filters})
	ack := read(t, c, 4)
	codes := ack[len(ack)-len(filters):]
	if codes[maxFilters-1] != 0 || codes[maxFilters] != 0x80 || codes[len(codes)-1] != 0x80 {
		t.Errorf("codes around the limit: % x", codes[maxFilters-2:maxFilters+2])
	}
	if n := len(r.Clients()[0].Filters); n != maxFilters {
		t.Errorf("%d filters", n)
	}
}

// TestReturnCodes has CONNECTs that are refused before anybody asks who it is.
func TestReturnCodes(t *testing.T) {
	r := start(t, newMemory())
	for _, c := range []struct {
		what  string
		bytes []byte
		code  byte
	}{
		{"no client ID, but a session", []byte{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x00, 0, 60, 0, 0}, 2},
		{"version 6", []byte{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 6, 0x02, 0, 60, 0, 0}, 1},
		{"version 2", []byte{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 2, 0x02, 0, 60, 0, 0}, 1},
	} {
		conn := dial(t, r)
		if _, err := conn.Write(c.bytes); err != nil {
			t.Fatal(err)
		}
		if ack := read(t, conn, 4); ack[0] != 0x20 || ack[3] != c.code {
			t.Errorf("%s: % x, want code %d", c.what, ack, c.code)
		}
	}
}

// TestWillOfAnEndedSession comes back with a clean start: the session ends, and
// so its delayed will is due (MQTT 5.0, section 3.1.3.2.2). Its expiry counts
// from then.
func TestWillOfAnEndedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bubble(t, &gate{deny: map[topic.Filter]bool{}})
		dial := func() net.Conn {
			c := piped(t, b)
			send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: 5,
				Properties: packets.Properties{SessionExpiryInterval: 600, SessionExpiryIntervalFlag: true},
				Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), Clean: true, ClientIdentifier: "kit", UsernameFlag: true, Username: []byte("kit"), PasswordFlag: true, Password: []byte("right"),
					WillFlag: true, WillTopic: "kit/$state", WillPayload: []byte("lost"), WillRetain: true, WillProperties: packets.Properties{WillDelayInterval: 300, MessageExpiryInterval: 60}}})
			read(t, c, 5)
			return c
		}
		first := dial()
		time.Sleep(2 * time.Minute)
		first.Close()
		time.Sleep(time.Second)
		if b.router.current("kit/$state") != nil {
			t.Fatal("the will was sent at once")
		}
		dial()
		synctest.Wait()
		m := b.router.current("kit/$state")
		if m == nil || m.expired(time.Now().Add(59*time.Second)) || !m.expired(time.Now().Add(61*time.Second)) {
			t.Fatalf("will %+v", m)
		}
	})
}

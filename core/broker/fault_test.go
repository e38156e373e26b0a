package broker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// These are faults that a review provoked: each of them lost something, let
// somebody hold the others, or grew without bound.

// helloFive is a CONNECT of MQTT 5 for the account k.
func helloFive(id string, expiry uint32, clean bool, change func(*packets.Packet)) packets.Packet {
	p := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: 5,
		Properties: packets.Properties{SessionExpiryInterval: expiry, SessionExpiryIntervalFlag: true},
		Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), Clean: clean, ClientIdentifier: id, UsernameFlag: true, Username: []byte("kit"),
			PasswordFlag: true, Password: []byte("right")}}
	if change != nil {
		change(&p)
	}
	return p
}

func subscribeTo(t *testing.T, c net.Conn, version, qos byte, filter string) {
	t.Helper()
	send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1, ProtocolVersion: version, Filters: packets.Subscriptions{{Filter: filter, Qos: qos}}})
	read(t, c, version)
}

// keep retains n messages t/0, t/1, …
func (r *rig) keep(n int) {
	for i := range n {
		r.router.retain(newMessage(core.Message{Topic: topic.Name(fmt.Sprint("t/", i)), QoS: 1, Payload: []byte("x"), Retain: true, At: time.Now()}, nil), nil)
	}
}

// TestFullBufferIsSentOn fills what may be written to a client while whoever
// publishes has not written yet: what did not fit follows.
func TestFullBufferIsSentOn(t *testing.T) {
	r := start(t, newMemory())
	c := dial(t, r)
	connect(t, c, "kit", 4)
	subscribeTo(t, c, 4, 1, "k")
	go io.Copy(io.Discard, c)
	var w wakes
	publish := func(qos byte, n int) {
		r.accepted(newMessage(core.Message{Topic: "k", Payload: make([]byte, n), QoS: qos, From: 1}, nil), &w)
	}
	for range 17 {
		publish(0, 30<<10)
	}
	publish(1, 20<<10)
	w.flush()
	s := r.sessions["kit"]
	eventually(t, func() (string, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return fmt.Sprint(len(s.queue), " unsent"), len(s.queue) == 0 && len(s.inflight) == 1
	})
}

// TestReleaseOverAConnection repeats a PUBREL on the next connection, while the
// disk still holds the first.
func TestReleaseOverAConnection(t *testing.T) {
	store := newMemory()
	r := start(t, store)
	c := dial(t, r)
	durable(t, c, "kit")
	send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 2}, PacketID: 5, ProtocolVersion: 4, TopicName: "e", Payload: []byte("x")})
	read(t, c, 4)
	store.held.Lock()
	release := acknowledgement(packets.Pubrel, 5)
	_, _ = c.Write(release)
	first := answers(t, c)
	c = dial(t, r)
	durable(t, c, "kit")
	_, _ = c.Write(release)
	second := answers(t, c)
	store.held.Unlock()
	if first || second {
		t.Errorf("PUBCOMP before the release is stored: %v, %v", first, second)
	}
	if ack := read(t, c, 4); ack[0]>>4 != packets.Pubcomp {
		t.Errorf("then % x", ack)
	}
}

// TestTakenOverPublish has a connection hand over a QoS 2 message after the session
// was taken over: the client sends it again on the new one, and it counts once.
func TestTakenOverPublish(t *testing.T) {
	r := start(t, newMemory())
	c := dial(t, r)
	durable(t, c, "kit")
	old := r.sessions["kit"].conn
	durable(t, dial(t, r), "kit")
	f := []byte{packets.Publish<<4 | 2<<1, 6, 0, 1, 'e', 0, 5, 'x'}
	if err := old.publish(f, &reader{rest: f[2:]}); err == nil || r.in.Load() != 0 {
		t.Errorf("taken: %v, %d messages", err, r.in.Load())
	}
}

// TestResumedWithoutExpiry publishes between the take-up of a session and its
// greeting.
func TestResumedWithoutExpiry(t *testing.T) {
	r := start(t, newMemory())
	c := dial(t, r)
	send(t, c, helloFive("kit", 100, true, nil))
	read(t, c, 5)
	subscribeTo(t, c, 5, 1, "a")
	c.Close()
	r.away("kit")
	end, _ := net.Pipe()
	k := newConn(r.Broker, end)
	k.clientID, k.name, k.version = "kit", "kit", 5
	k.account, _ = r.gate.Authenticate(context.Background(), "kit", "right", "", "")
	if present, _, err := r.open(k, nil, false, 0, 0); !present || err != nil {
		t.Fatal(present, err)
	}
	if err := r.Publish(t.Context(), core.Message{Topic: "a", QoS: 1, From: 1}); err != nil {
		t.Fatal(err)
	}
	if n := len(r.sessions["kit"].queue); n != 1 {
		t.Errorf("%d messages wait", n)
	}
	k.session.left(k, true)
}

// TestRetainedOfAnotherClock delivers what was retained by a clock ahead of this one.
func TestRetainedOfAnotherClock(t *testing.T) {
	s := newMemory()
	s.retained["a"] = Stored{Topic: "a", Payload: []byte("x"), Retain: true, At: time.Now().Add(time.Hour)}
	r := start(t, s)
	c := dial(t, r)
	connect(t, c, "kit", 4)
	subscribeTo(t, c, 4, 0, "a")
	if !answers(t, c) {
		t.Error("never delivered")
	}
}

// TestRetainedGoesOn takes some of many retained messages, leaves, and comes back.
func TestRetainedGoesOn(t *testing.T) {
	const all = 5000
	r := start(t, newMemory())
	r.keep(all)
	c := dial(t, r)
	durable(t, c, "kit")
	subscribeTo(t, c, 4, 1, "#")
	read(t, c, 4)
	c.Close()
	r.away("kit")
	c = dial(t, r)
	durable(t, c, "kit")
	seen := map[string]bool{}
	for len(seen) < all {
		f := read(t, c, 4)
		pk := reader{rest: f[head(f):]}
		seen[string(pk.text())] = true
		_, _ = c.Write(acknowledgement(packets.Puback, pk.id()))
	}
}

// TestFullDiskAndImpatience has a client that gives up and comes again while
// the journal has no room: it is not counted twice.
func TestFullDiskAndImpatience(t *testing.T) {
	store := newMemory()
	r := start(t, store)
	r.gate.limits = core.Limits{Connections: 3}
	store.held.Lock()
	defer store.held.Unlock()
	r.journal.bytes.Add(2 * maxPending)
	defer r.journal.bytes.Add(-2 * maxPending)
	for i := range 8 {
		c := dial(t, r)
		send(t, c, helloFive("kit", 100, false, nil))
		if ack := read(t, c, 5); ack[3] != 0 {
			t.Fatalf("connection %d is refused with %#x: %q", i, ack[3], r.gate.sentences())
		}
		send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: 5, ProtocolVersion: 5, TopicName: "e", Payload: []byte("x")})
		c.Close()
		if i%2 == 1 {
			r.away("kit")
		}
	}
	eventually(t, func() (string, bool) {
		r.Broker.mu.Lock()
		defer r.Broker.mu.Unlock()
		return fmt.Sprint(len(r.conns), " connections"), len(r.conns) == 0
	})
}

// TestWillOfWhoIsBack runs the end of a connection after its client is back.
func TestWillOfWhoIsBack(t *testing.T) {
	r := start(t, newMemory())
	c := dial(t, r)
	send(t, c, helloFive("kit", 100, false, nil))
	read(t, c, 5)
	old := r.sessions["kit"].conn
	again := dial(t, r)
	send(t, again, helloFive("kit", 100, false, nil))
	read(t, again, 5)
	r.delayWill(old, &will{m: newMessage(core.Message{Topic: "w", Payload: []byte("lost"), Retain: true}, nil)}, time.Hour)
	r.Broker.mu.Lock()
	defer r.Broker.mu.Unlock()
	if len(r.wills) != 0 {
		t.Error("the will waits although the client is connected")
	}
}

// TestAnswersAreBounded sends acknowledgements of nothing and reads no answer.
func TestAnswersAreBounded(t *testing.T) {
	r := start(t, newMemory())
	c := dial(t, r)
	connect(t, c, "kit", 4)
	chunk := make([]byte, 0, 1<<20)
	for len(chunk) < 1<<20-4 {
		chunk = append(chunk, packets.Pubrec<<4, 2, 0, 9)
	}
	_ = c.SetWriteDeadline(time.Now().Add(30 * time.Second))
	for n := 0; ; n++ {
		if _, err := c.Write(chunk); err != nil {
			break // it was cut off
		}
		if n > 200 {
			t.Fatal("200 MB were taken")
		}
	}
	r.away("kit")
}

// TestManyFiltersAtOnce asks a million times for the same in one packet.
func TestManyFiltersAtOnce(t *testing.T) {
	r := start(t, newMemory())
	c := dial(t, r)
	connect(t, c, "kit", 5)
	body := []byte{0, 1, 0}
	for len(body) < 4<<20-20 {
		body = append(body, 0, 1, '#', 0)
	}
	_, _ = c.Write(append(appendLength([]byte{packets.Subscribe<<4 | 2}, len(body)), body...))
	if end := read(t, c, 5); end[0]>>4 != packets.Disconnect || end[2] != packets.ErrQuotaExceeded.Code {
		t.Errorf("% x", end)
	}
}

// TestLongFilters has an account that subscribes to as many bytes as it can, over
// several connections.
func TestLongFilters(t *testing.T) {
	u := &usage{}
	taken := 0
	for i := range 100_000 {
		if u.filter(&subscription{Subscription: Subscription{Filter: fmt.Sprintf("%01000d", i)}}) {
			taken++
		}
	}
	if most := maxFilterBytes / 1000; taken > most || taken < most/2 {
		t.Errorf("%d filters of 1,000 bytes", taken)
	}
}

// TestRetainedIsBounded replaces small retained messages by large ones.
func TestRetainedIsBounded(t *testing.T) {
	r := newRouter()
	for _, size := range []int{1, 1 << 20} {
		payload := make([]byte, size)
		for i := range 1000 {
			m := newMessage(core.Message{Topic: topic.Name(fmt.Sprint("t", i)), Payload: payload, Retain: true}, nil)
			if r.mayRetain(m) {
				r.retain(m, nil)
			}
		}
	}
	if r.bytes > maxRetained || r.bytes < maxRetained/2 {
		t.Errorf("%d MB retained, most %d", r.bytes>>20, maxRetained>>20)
	}
}

// TestWillsAreBounded leaves sessions with a will for a hundred years; only as
// many sessions as the account may have are kept, and no more wills.
func TestWillsAreBounded(t *testing.T) {
	r := start(t, newMemory())
	r.gate.limits = core.Limits{Connections: 2}
	for i := range 20 {
		c := dial(t, r)
		send(t, c, helloFive(fmt.Sprint("kit", i), never, true, func(p *packets.Packet) {
			p.Connect.WillFlag, p.Connect.WillTopic, p.Connect.WillPayload = true, "w", []byte("gone")
			p.Connect.WillProperties.WillDelayInterval = 1 << 31
		}))
		read(t, c, 5)
		c.Close()
		r.away(fmt.Sprint("kit", i))
	}
	eventually(t, func() (string, bool) {
		r.Broker.mu.Lock()
		defer r.Broker.mu.Unlock()
		return fmt.Sprint(len(r.sessions), " sessions, ", len(r.wills), " wills"), len(r.sessions) == 2 && len(r.wills) == 2
	})
}

// TestUsageStays replaces an account's only session.
func TestUsageStays(t *testing.T) {
	r := start(t, newMemory())
	c := dial(t, r)
	durable(t, c, "kit")
	c.Close()
	r.away("kit")
	c = dial(t, r)
	connect(t, c, "kit", 4)
	r.Broker.mu.Lock()
	defer r.Broker.mu.Unlock()
	for k := range r.conns {
		if u := r.usage[k.account.ID]; u != k.usage || u.conns != 1 || u.sessions != 1 {
			t.Errorf("the connection counts for %p, the account is %p", k.usage, u)
		}
	}
}

// TestNoLocalRetained asks for what others publish, and has published itself.
func TestNoLocalRetained(t *testing.T) {
	r := start(t, newMemory())
	c := dial(t, r)
	send(t, c, helloFive("kit", 0, true, nil))
	read(t, c, 5)
	send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true}, ProtocolVersion: 5, TopicName: "e", Payload: []byte("x")})
	send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1, ProtocolVersion: 5, Filters: packets.Subscriptions{{Filter: "e", NoLocal: true}}})
	read(t, c, 5)
	if answers(t, c) {
		t.Error("its own came back") // [MQTT-3.8.3-3]
	}
}

// TestSharedIsPassedOn ends a member that has not acknowledged what it alone got.
func TestSharedIsPassedOn(t *testing.T) {
	r := start(t, newMemory())
	lazy := dial(t, r)
	connect(t, lazy, "lazy", 4)
	subscribeTo(t, lazy, 4, 1, "$share/g/work")
	if err := r.Publish(t.Context(), core.Message{Topic: "work", Payload: []byte("1"), QoS: 1, From: 1}); err != nil {
		t.Fatal(err)
	}
	read(t, lazy, 4)
	busy := dial(t, r)
	connect(t, busy, "busy", 4)
	subscribeTo(t, busy, 4, 1, "$share/g/work")
	lazy.Close()
	if f := read(t, busy, 4); f[0] != packets.Publish<<4|2 || f[len(f)-1] != '1' {
		t.Errorf("got % x", f)
	}
}

// TestStopWhileConnecting stops the broker while clients come. It is for -race.
func TestStopWhileConnecting(t *testing.T) {
	for range 10 {
		r := start(t, newMemory())
		for i := range 20 {
			go func() {
				c, err := net.Dial("tcp", r.Addr())
				if err != nil {
					return
				}
				defer c.Close()
				first := helloFive(fmt.Sprint("kit", i), 0, true, nil)
				var b bytes.Buffer
				if first.ConnectEncode(&b) != nil {
					return
				}
				_, _ = c.Write(b.Bytes())
				_, _ = io.Copy(io.Discard, c)
			}()
		}
		time.Sleep(time.Millisecond)
		r.stop()
	}
}

// TestWillAtTheEnd stops the broker under a client: what it left is retained for
// whoever comes after the restart.
func TestWillAtTheEnd(t *testing.T) {
	store := newMemory()
	r := start(t, store)
	for i, delay := range []uint32{0, 1000} {
		c := dial(t, r)
		send(t, c, helloFive(fmt.Sprint("kit", i), 1000, true, func(p *packets.Packet) {
			p.Connect.WillFlag, p.Connect.WillRetain, p.Connect.WillTopic, p.Connect.WillPayload = true, true, fmt.Sprint("kit/", i), []byte("lost")
			p.Connect.WillProperties.WillDelayInterval = delay
		}))
		read(t, c, 5)
	}
	r.stop()
	if len(store.retained) != 2 {
		t.Errorf("%d wills are kept", len(store.retained))
	}
}

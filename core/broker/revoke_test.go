package broker

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// school lets the account of reader and rita use what begins with "a" until it
// is revoked; everybody may do everything else.
type school struct {
	gate
	revoked atomic.Bool
}

func (g *school) Authorize(id core.AccountID, a core.Action, f topic.Filter) (topic.Filter, error) {
	if g.revoked.Load() && id == 'r' && (strings.HasPrefix(string(f), "a") || f[0] == '#' || f[0] == '+') {
		return f, core.Fail(core.ErrDenied, "reader may not use {filter}", "filter", f)
	}
	return g.gate.Authorize(id, a, f)
}

// class is a broker with one account whose grant can be taken away.
type class struct {
	*rig
	school *school
}

func newClass(t *testing.T, g *school, store *memory) *class {
	feed := &core.Feed{}
	b, stop := run(t, Config{Gate: g, Store: store, Feed: feed})
	return &class{rig: &rig{Broker: b, t: t, gate: &g.gate, feed: feed, stop: stop}, school: g}
}

func newSchool() *school { return &school{gate: gate{deny: map[topic.Filter]bool{}}} }

// revoke takes the grant away and waits until reader's session has none of the
// filters that it covered.
func (r *class) revoke() {
	r.t.Helper()
	r.school.revoked.Store(true)
	r.feed.Tell(core.AccountsChanged)
	eventually(r.t, func() (string, bool) {
		for _, c := range r.Clients() {
			if c.ID == "reader" && slices.ContainsFunc(c.Filters, func(f string) bool { return f[0] != 'b' }) {
				return fmt.Sprintf("reader still has %q", c.Filters), false
			}
		}
		return "", true
	})
}

// publish sends as somebody who may.
func (r *class) publish(name topic.Name, retain bool, payload string) {
	r.t.Helper()
	if err := r.Publish(r.t.Context(), core.Message{Topic: name, Payload: []byte(payload), QoS: 2, Retain: retain, From: 'p', Client: "p"}); err != nil {
		r.t.Fatal(err)
	}
}

// peer is a client that does only what it is told.
type peer struct {
	net.Conn
	t       *testing.T
	in      *bufio.Reader
	version byte
	present bool
	next    uint16
}

func (r *class) peer(version byte, id string, change func(*packets.Packet)) *peer {
	r.t.Helper()
	w := &peer{Conn: dial(r.t, r.rig), t: r.t, version: version}
	w.in = bufio.NewReader(w.Conn)
	_ = w.SetDeadline(time.Now().Add(30 * time.Second))
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: version, Connect: packets.ConnectParams{
		ProtocolName: []byte("MQTT"), ClientIdentifier: id, UsernameFlag: true, Username: []byte(id), PasswordFlag: true, Password: []byte("right")}}
	if version == 5 {
		pk.Properties = packets.Properties{SessionExpiryInterval: 600, SessionExpiryIntervalFlag: true}
	}
	if change != nil {
		change(&pk)
	}
	send(r.t, w, pk)
	head, body := w.packet()
	if head != packets.Connack<<4 || body[1] != 0 {
		r.t.Fatalf("CONNECT was answered by %x % x", head, body)
	}
	w.present = body[0] == 1
	return w
}

// packet returns the next packet.
func (w *peer) packet() (head byte, body []byte) {
	w.t.Helper()
	head, err := w.in.ReadByte()
	var n uint64
	if err == nil {
		n, err = binary.ReadUvarint(w.in)
	}
	body = make([]byte, n)
	if err == nil {
		_, err = io.ReadFull(w.in, body)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return head, body
}

// subscribe returns the code of the SUBACK.
func (w *peer) subscribe(filter string) byte {
	w.t.Helper()
	w.next++
	send(w.t, w, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, ProtocolVersion: w.version, PacketID: w.next, Filters: packets.Subscriptions{{Filter: filter, Qos: 2}}})
	for {
		head, body := w.packet()
		switch head >> 4 {
		case packets.Suback:
			return body[len(body)-1]
		case packets.Pubrel:
			_, _ = w.Write([]byte{packets.Pubcomp << 4, 2, body[0], body[1]})
		default:
			w.t.Fatalf("SUBSCRIBE was answered by %x % x", head, body)
		}
	}
}

// message returns the next PUBLISH, and answers what is between.
func (w *peer) message() packets.Packet {
	w.t.Helper()
	for {
		head, body := w.packet()
		switch head >> 4 {
		case packets.Publish:
			pk := packets.Packet{ProtocolVersion: w.version}
			if err := pk.FixedHeader.Decode(head); err != nil {
				w.t.Fatal(err)
			}
			if err := pk.PublishDecode(body); err != nil {
				w.t.Fatal(err)
			}
			return pk
		case packets.Pubrel:
			_, _ = w.Write([]byte{packets.Pubcomp << 4, 2, body[0], body[1]})
		default:
			w.t.Fatalf("got %x % x, want a PUBLISH", head, body)
		}
	}
}

// accept acknowledges pk; of QoS 2 the rest is done by message.
func (w *peer) accept(pk packets.Packet) {
	if q := pk.FixedHeader.Qos; q > 0 {
		_, _ = w.Write([]byte{(packets.Puback + q - 1) << 4, 2, byte(pk.PacketID >> 8), byte(pk.PacketID)})
	}
}

// until acknowledges messages until one has the topic last, and returns the topics before it.
func (w *peer) until(last string) (before []string) {
	w.t.Helper()
	for {
		pk := w.message()
		w.accept(pk)
		if pk.TopicName == last {
			return before
		}
		before = append(before, pk.TopicName)
	}
}

// nothingBut wants only want before the message that is published now.
func (r *class) nothingBut(w *peer, want ...string) {
	r.t.Helper()
	r.publish("b/end", false, "")
	if got := w.until("b/end"); !slices.Equal(got, want) {
		r.t.Errorf("got %q, want %q", got, want)
	}
}

// TestRevoked takes the right to read or to write a/… away in each state in
// which a message can be on its way: nothing more arrives.
func TestRevoked(t *testing.T) {
	for version := byte(4); version <= 5; version++ {
		reader := func(r *class) *peer {
			t.Helper()
			w := r.peer(version, "reader", nil)
			for _, f := range []string{"a/#", "b/#"} {
				if code := w.subscribe(f); code != 2 {
					t.Fatalf("SUBSCRIBE to %s was answered by %x", f, code)
				}
			}
			return w
		}
		refused := map[byte]byte{4: 0x80, 5: packets.ErrNotAuthorized.Code}[version]
		for _, c := range []struct {
			what string
			only byte // this version; 0 is both
			test func(*testing.T, *class)
		}{
			{"live subscription", 0, func(t *testing.T, r *class) {
				w := reader(r)
				r.publish("a/before", false, "")
				if pk := w.message(); pk.TopicName != "a/before" {
					t.Fatalf("got %q", pk.TopicName)
				} else {
					w.accept(pk)
				}
				r.revoke()
				r.publish("a/after", false, "")
				r.publish("a/after", true, "")
				r.nothingBut(w)
			}},
			{"wider subscription", 0, func(t *testing.T, r *class) {
				w := reader(r)
				if code := w.subscribe("#"); code != 2 {
					t.Fatalf("# was answered by %x", code)
				}
				r.revoke()
				r.publish("a/after", false, "")
				r.nothingBut(w)
			}},
			{"queued while away", 0, func(t *testing.T, r *class) {
				reader(r).Close()
				r.away("reader")
				for i := range 3 {
					r.publish(topic.Name(fmt.Sprint("a/", i)), false, "")
					r.publish(topic.Name(fmt.Sprint("b/", i)), false, "")
				}
				r.revoke()
				w := r.peer(version, "reader", nil)
				if !w.present {
					t.Error("the session has ended")
				}
				r.nothingBut(w, "b/0", "b/1", "b/2")
			}},
			{"new subscription to what is retained", 0, func(t *testing.T, r *class) {
				w := reader(r)
				r.publish("b/kept", true, "1")
				if got := w.message(); got.TopicName != "b/kept" {
					t.Fatalf("got %q", got.TopicName)
				} else {
					w.accept(got)
				}
				r.revoke()
				r.publish("a/kept", true, "1")
				for _, f := range []string{"a/#", "a/kept", "#", "+/kept", "$share/g/a/#"} {
					if code := w.subscribe(f); code != refused {
						t.Errorf("SUBSCRIBE to %s was answered by %x", f, code)
					}
				}
				r.nothingBut(w)
			}},
			{"retained on their way", 0, func(t *testing.T, r *class) {
				const n = 500 // of 64 KiB: more than the sockets hold
				for i := range n {
					r.publish(topic.Name(fmt.Sprint("a/", i)), true, strings.Repeat("x", 64<<10))
				}
				w := r.peer(version, "reader", nil)
				w.subscribe("b/#")
				w.subscribe("a/#") // and does not read
				r.revoke()
				r.publish("b/end", false, "")
				if got := w.until("b/end"); len(got) > n/2 {
					t.Errorf("got %d of %d retained messages, though it did not read before the right was gone", len(got), n)
				}
				r.nothingBut(w)
			}},
			{"retained behind a full queue", 0, func(t *testing.T, r *class) {
				for i := range 3 * window {
					r.publish(topic.Name(fmt.Sprint("a/", i)), true, "x")
				}
				w := r.peer(version, "reader", nil)
				w.subscribe("b/#")
				w.subscribe("a/#")
				eventually(t, func() (string, bool) { // it acknowledges nothing: some are sent, some queued, and the rest waits
					for _, c := range r.Clients() {
						if c.ID == "reader" {
							return fmt.Sprintf("%d wait", c.Waiting), c.Waiting >= 2*window
						}
					}
					return "no reader", false
				})
				r.revoke()
				r.publish("b/end", false, "")
				if got := w.until("b/end"); len(got) > window {
					t.Errorf("got %d messages, and %d were sent before the right was gone: %q", len(got), window, got[window:])
				}
				r.nothingBut(w)
			}},
			{"sent and not acknowledged", 0, func(t *testing.T, r *class) {
				w := reader(r)
				r.publish("a/1", false, "")
				r.publish("b/1", false, "")
				w.message()
				w.message()
				w.Close()
				r.away("reader")
				r.revoke()
				w = r.peer(version, "reader", nil)
				if !w.present {
					t.Error("the session has ended")
				}
				r.nothingBut(w, "b/1")
			}},
			{"sent and not acknowledged, revoked while connected", 0, func(t *testing.T, r *class) {
				w := reader(r)
				r.publish("a/1", false, "")
				w.message()
				r.revoke()
				w.Close()
				r.away("reader")
				w = r.peer(version, "reader", nil)
				r.nothingBut(w)
			}},
			{"received and not released", 0, func(t *testing.T, r *class) { // QoS 2 ends as it began
				w := reader(r)
				r.publish("a/1", false, "")
				pk := w.message()
				w.accept(pk) // PUBREC
				if head, _ := w.packet(); head>>4 != packets.Pubrel {
					t.Fatalf("PUBREC was answered by %x", head)
				}
				w.Close()
				r.away("reader")
				r.revoke()
				w = r.peer(version, "reader", nil)
				r.nothingBut(w)
			}},
			{"behind Receive Maximum", 5, func(t *testing.T, r *class) {
				w := r.peer(version, "reader", func(pk *packets.Packet) { pk.Properties.ReceiveMaximum = 1 })
				w.subscribe("a/#")
				w.subscribe("b/#")
				for i := range 3 {
					r.publish(topic.Name(fmt.Sprint("a/", i)), false, "")
				}
				first := w.message()
				r.revoke()
				w.accept(first)
				r.nothingBut(w)
			}},
			{"topic alias", 5, func(t *testing.T, r *class) {
				watch := r.peer(5, "watch", nil)
				watch.subscribe("#")
				w := r.peer(5, "reader", nil)
				by := func(name string, qos byte) {
					w.next++
					send(t, w, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos}, PacketID: w.next, ProtocolVersion: 5, TopicName: name, Payload: []byte("x"), Properties: packets.Properties{TopicAlias: 1, TopicAliasFlag: true}})
				}
				by("a/x", 1)
				if head, body := w.packet(); head != packets.Puback<<4 || len(body) > 2 && body[2] != 0 {
					t.Fatalf("answered by %x % x", head, body)
				}
				r.revoke()
				by("", 0)
				for qos := byte(1); qos <= 2; qos++ {
					by("", qos)
					if head, body := w.packet(); head>>4 != packets.Puback+qos-1 || len(body) < 3 || body[2] != packets.ErrNotAuthorized.Code {
						t.Errorf("QoS %d was answered by %x % x", qos, head, body)
					}
				}
				r.nothingBut(watch, "a/x")
			}},
			{"publish", 0, func(t *testing.T, r *class) {
				watch := r.peer(version, "watch", nil)
				watch.subscribe("#")
				w := r.peer(version, "reader", nil)
				r.revoke()
				for qos := range byte(3) {
					send(t, w, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos, Retain: true}, PacketID: 7 + uint16(qos), ProtocolVersion: version, TopicName: "a/x", Payload: []byte("x")})
					if qos > 0 {
						w.packet()
					}
				}
				r.nothingBut(watch)
				if ms := r.Retained("a/#", 1); len(ms) > 0 {
					t.Errorf("retained %q", ms[0].Topic)
				}
			}},
			{"will", 0, func(t *testing.T, r *class) {
				watch := r.peer(version, "watch", nil)
				watch.subscribe("#")
				w := r.peer(version, "reader", func(pk *packets.Packet) {
					pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload, pk.Connect.WillQos, pk.Connect.WillRetain = true, "a/will", []byte("lost"), 1, true
				})
				r.revoke()
				w.Close()
				r.willRefused()
				r.nothingBut(watch)
			}},
			{"delayed will", 5, func(t *testing.T, r *class) {
				watch := r.peer(version, "watch", nil)
				watch.subscribe("#")
				r.peer(version, "reader", func(pk *packets.Packet) {
					pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload, pk.Connect.WillProperties.WillDelayInterval = true, "a/will", []byte("lost"), 1
				}).Close()
				r.away("reader")
				r.revoke()
				r.willRefused()
				r.nothingBut(watch)
			}},
			{"shared subscription", 0, func(t *testing.T, r *class) {
				w, other := r.peer(version, "reader", nil), r.peer(version, "other", nil)
				for _, m := range []*peer{w, other} {
					m.subscribe("b/#")
					if code := m.subscribe("$share/g/a/#"); code != 2 {
						t.Fatalf("answered by %x", code)
					}
				}
				r.revoke()
				var all []string
				for i := range 20 {
					all = append(all, fmt.Sprint("a/", i))
					r.publish(topic.Name(all[i]), false, "")
				}
				r.publish("b/end", false, "")
				if got := other.until("b/end"); !slices.Equal(got, all) {
					t.Errorf("who is left got %q", got)
				}
				if got := w.until("b/end"); len(got) > 0 {
					t.Errorf("reader got %q", got)
				}
			}},
			{"shared, queued while away", 0, func(t *testing.T, r *class) {
				w := r.peer(version, "reader", nil)
				w.subscribe("$share/g/a/#")
				w.subscribe("b/#")
				w.Close()
				r.away("reader")
				r.publish("a/1", false, "")
				r.revoke()
				w = r.peer(version, "reader", nil)
				r.nothingBut(w)
			}},
			{"account disabled", 0, func(t *testing.T, r *class) {
				w := reader(r)
				watch := r.peer(version, "watch", nil)
				r.school.mu.Lock()
				r.school.version++
				r.school.mu.Unlock()
				r.feed.Tell(core.AccountsChanged)
				for _, c := range []*peer{w, watch} {
					rest, err := io.ReadAll(c.in)
					want := []byte(nil)
					if version == 5 {
						want = []byte{packets.Disconnect << 4, 2, packets.ErrNotAuthorized.Code, 0}
					}
					if err != nil || string(rest) != string(want) {
						t.Errorf("told % x, %v; want % x", rest, err, want)
					}
				}
				r.publish("a/after", false, "")
				r.publish("b/after", false, "")
				w = r.peer(version, "reader", nil)
				if w.present {
					t.Error("the session of what the account was is still there")
				}
			}},
		} {
			if c.only != 0 && c.only != version {
				continue
			}
			t.Run(fmt.Sprintf("MQTT %s, %s", map[byte]string{4: "3.1.1", 5: "5"}[version], c.what), func(t *testing.T) { c.test(t, newClass(t, newSchool(), newMemory())) })
		}
	}
}

// TestRevokedWhileClosed takes the right away while no broker runs: nobody is told.
func TestRevokedWhileClosed(t *testing.T) {
	for version := byte(4); version <= 5; version++ {
		g, store := newSchool(), newMemory()
		r := newClass(t, g, store)
		w := r.peer(version, "reader", nil)
		w.subscribe("a/#")
		w.subscribe("b/#")
		w.Close()
		r.away("reader")
		r.publish("a/1", false, "")
		r.publish("b/1", false, "")
		r.stop()
		g.revoked.Store(true)
		r = newClass(t, g, store)
		r.publish("a/2", false, "")
		w = r.peer(version, "reader", nil)
		if !w.present {
			t.Error("the session has ended")
		}
		r.publish("a/3", false, "")
		r.nothingBut(w, "b/1")
	}
}

// willRefused waits until somebody was told that the will was not sent.
func (r *class) willRefused() {
	r.t.Helper()
	eventually(r.t, func() (string, bool) {
		all := r.school.sentences()
		return fmt.Sprintf("%q", all), slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, "a/will") })
	})
}

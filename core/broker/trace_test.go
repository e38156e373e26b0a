package broker

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// deliveries gathers what is told of who got what.
type deliveries struct {
	mu  sync.Mutex
	got []core.Delivery
}

func (d *deliveries) add(x core.Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got = append(d.got, x)
}

// seen returns what was told as text, sorted: "client topic", with ! where it was acknowledged.
func (d *deliveries) seen() (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.got {
		s := fmt.Sprintf("%s %s", x.Client, x.Topic)
		if x.Acked {
			s += "!"
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

func (d *deliveries) wants(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, func() (string, bool) {
		got := d.seen()
		return fmt.Sprintf("told %q, want %q", got, want), slices.Equal(got, want)
	})
}

func TestDeliveriesAreTold(t *testing.T) {
	r := start(t, newMemory())
	var told deliveries
	cancel := r.Deliveries(func(n topic.Name) bool { return strings.HasPrefix(string(n), "lamp") }, told.add)
	for q, id := range []string{"zero", "one", "two"} {
		c := r.dial(r.options(id), &box{})
		r.ok(c.Subscribe("#", byte(q), nil))
	}
	s := r.dial(r.options("away").SetCleanSession(false), &box{})
	r.ok(s.Subscribe("lamp/#", 1, nil))
	s.Disconnect(100)
	r.away("away")
	p := r.dial(r.options("pub"), nil)
	r.ok(p.Publish("other", 2, false, "nobody asks"))
	r.ok(p.Publish("lamp/a", 2, false, "on"))
	told.wants(t, "one lamp/a!", "two lamp/a!", "zero lamp/a")

	// Who was away gets it later, by the same number.
	r.dial(r.options("away").SetCleanSession(false), &box{})
	told.wants(t, "away lamp/a!", "one lamp/a!", "two lamp/a!", "zero lamp/a")
	r.mu.Lock()
	m := r.sunk[len(r.sunk)-1]
	r.mu.Unlock()
	for _, d := range told.got {
		if d.N != m.N || m.Topic != "lamp/a" || d.Account != core.AccountID(d.Client[0]) || d.At.Before(m.At) {
			t.Errorf("%+v of %+v", d, m)
		}
	}

	// Newer ones take the place of older ones, and only their own place is given up.
	var other deliveries
	cancelOther := r.Deliveries(func(topic.Name) bool { return true }, other.add)
	cancel()
	r.ok(p.Publish("lamp/b", 0, false, "on"))
	other.wants(t, "away lamp/b", "one lamp/b", "two lamp/b", "zero lamp/b")
	cancelOther()
	cancelOther()
	r.ok(p.Publish("lamp/c", 1, false, "on"))
	if n := len(other.seen()) + len(told.seen()); n != 4+4 {
		t.Errorf("told %d after it was over", n)
	}
}

// TestDeliveriesOfRetained: who subscribes later got the message later.
func TestDeliveriesOfRetained(t *testing.T) {
	r := start(t, newMemory())
	r.keep(1) // before anybody asked: it has no number
	var told deliveries
	r.Deliveries(func(topic.Name) bool { return true }, told.add)
	p := r.dial(r.options("pub"), nil)
	r.ok(p.Publish("lamp", 1, true, "on"))
	var got box
	s := r.dial(r.options("sub"), &got)
	r.ok(s.Subscribe("#", 0, nil))
	told.wants(t, "sub lamp")
	eventually(t, func() (string, bool) { return fmt.Sprint(got.all()), len(got.all()) == 2 })
	told.wants(t, "sub lamp")
}

// TestRefusedByTheClient: a client of MQTT 5 may answer that it does not want a message.
func TestRefusedByTheClient(t *testing.T) {
	for _, qos := range []byte{1, 2} {
		for _, reason := range []byte{0, 0x10, 0x83} {
			t.Run(fmt.Sprintf("q%d %#x", qos, reason), func(t *testing.T) {
				r := start(t, newMemory())
				var told deliveries
				r.Deliveries(func(topic.Name) bool { return true }, told.add)
				c := dial(t, r)
				send(t, c, helloFive("kit", 0, true, nil))
				read(t, c, 5)
				subscribeTo(t, c, 5, qos, "k")
				r.ok(r.dial(r.options("pub"), nil).Publish("k", 2, false, "x"))
				pk := decodePublish(t, read(t, c, 5))
				answer := func(kind byte) {
					if _, err := c.Write([]byte{kind << 4, 3, byte(pk.PacketID >> 8), byte(pk.PacketID), reason}); err != nil {
						t.Fatal(err)
					}
				}
				if qos == 1 {
					answer(packets.Puback)
				} else {
					answer(packets.Pubrec)
					if reason < 0x80 {
						read(t, c, 5) // PUBREL
						if len(told.seen()) != 0 {
							t.Errorf("told before PUBCOMP: %q", told.seen())
						}
						reason = 0
						answer(packets.Pubcomp)
					}
				}
				eventually(t, func() (string, bool) {
					for _, s := range r.Clients() {
						if s.ID == "kit" {
							return fmt.Sprint("waiting: ", s.Waiting), s.Waiting == 0
						}
					}
					return "no kit", false
				})
				want := []string{"kit k!"}
				if reason >= 0x80 {
					want = nil
				}
				told.wants(t, want...)
			})
		}
	}
}

func TestWillsAreMarked(t *testing.T) {
	r := start(t, newMemory())
	conn := dial(t, r)
	send(t, conn, helloFive("kit", 0, true, func(p *packets.Packet) {
		p.Connect.WillFlag, p.Connect.WillTopic, p.Connect.WillPayload = true, "kit/$state", []byte("lost")
	}))
	read(t, conn, 5)
	conn.Close()
	eventually(t, func() (string, bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return fmt.Sprintf("%+v", r.sunk), len(r.sunk) == 1 && r.sunk[0].Will && string(r.sunk[0].Payload) == "lost"
	})
}

// BenchmarkDeliveries is a message to ten clients, while nobody asks who got it,
// while somebody asks about other topics, and while somebody asks about this one.
func BenchmarkDeliveries(b *testing.B) {
	for name, wants := range map[string]func(topic.Name) bool{
		"off": nil, "other": func(topic.Name) bool { return false }, "this": func(topic.Name) bool { return true },
	} {
		b.Run(name, func(b *testing.B) {
			br := newBroker(Config{Gate: &gate{}, Store: newMemory(), Sink: func(core.Message) {}, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler)})
			br.journal = newJournal(br.cfg.Store, br.cfg.Log, nil)
			if wants != nil {
				n := 0
				br.Deliveries(wants, func(core.Delivery) { n++ })
			}
			for i := range 10 {
				s := br.newSession(fmt.Sprint("kit-", i))
				s.usage = br.usageOf(core.Account{ID: 1})
				c := newConn(br, &fakeConn{})
				c.session, c.usage, c.clientID = s, s.usage, s.id
				s.owner, s.conn = c, c
				s.online.Store(true)
				f := topic.Filter("blue/lab/kit-1/light")
				if _, _, full := s.subscribe(newSubscription(Subscription{Client: s.id, Filter: string(f)}, f, f)); full {
					b.Fatal("full")
				}
			}
			var w wakes
			payload := []byte("On")
			b.ReportAllocs()
			for b.Loop() {
				br.accepted(newMessage(core.Message{Topic: "blue/lab/kit-1/light", Payload: payload, From: 1, At: time.Now()}, nil), &w)
				w.flush()
			}
		})
	}
}

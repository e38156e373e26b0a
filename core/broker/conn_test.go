package broker

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// piped returns the client's end of a connection to a broker that does not
// listen, in the time of the bubble.
func piped(t *testing.T, b *Broker) net.Conn {
	t.Helper()
	server, client := net.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); b.serve(server) }()
	t.Cleanup(func() { client.Close(); <-done })
	return client
}

func bubble(t *testing.T, g *gate) *Broker {
	t.Helper()
	store := newMemory()
	b := newBroker(Config{Gate: g, Store: store, Sink: func(core.Message) {}, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler)})
	b.journal = newJournal(store, b.cfg.Log, nil)
	return b
}

// TestConnectDeadline has a socket that says nothing, and one that dribbles.
func TestConnectDeadline(t *testing.T) {
	for name, dribble := range map[string]bool{"silent": false, "dribbling": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := bubble(t, &gate{})
				c := piped(t, b)
				if dribble {
					go func() {
						for _, x := range []byte{0x10, 0x20, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 10} {
							if _, err := c.Write([]byte{x}); err != nil {
								return
							}
							time.Sleep(time.Second)
						}
					}()
				}
				began := time.Now()
				if data, err := io.ReadAll(c); err != nil || len(data) != 0 {
					t.Errorf("got % x, %v", data, err)
				}
				if took := time.Since(began); took < connectWithin || took > connectWithin+2*lingerFor {
					t.Errorf("closed after %v", took)
				}
				time.Sleep(time.Minute) // what dribbles notices
			})
		})
	}
}

// TestSlowReaderIsTold stops reading: the connection ends, with a sentence.
func TestSlowReaderIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{deny: map[topic.Filter]bool{}}
		b := bubble(t, g)
		c := piped(t, b)
		connect(t, c, "slow", 4)
		send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1, ProtocolVersion: 4, Filters: packets.Subscriptions{{Filter: "k", Qos: 0}}})
		read(t, c, 4)
		for range 100 {
			b.accepted(newMessage(core.Message{Topic: "k", Payload: make([]byte, 64<<10)}, nil), nil)
		}
		if n, want := int(b.shed.Load()), 100-maxOut>>16; n < want-3 || n > want+3 {
			t.Errorf("%d deliveries dropped; a client may hold about %d KiB", n, maxOut>>10)
		}
		time.Sleep(2 * writeWithin)
		synctest.Wait()
		if all := g.sentences(); len(all) != 1 || !strings.Contains(all[0], "slow did not read for 20 s") {
			t.Errorf("refusals %q", all)
		}
		if b.mu.Lock(); len(b.conns) != 0 {
			t.Error("still connected")
		}
		b.mu.Unlock()
	})
}

// TestWillDelay waits as long as MQTT 5 asks, unless the client comes back.
func TestWillDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bubble(t, &gate{deny: map[topic.Filter]bool{}})
		dial := func() net.Conn {
			c := piped(t, b)
			send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: 5,
				Properties: packets.Properties{SessionExpiryInterval: 600, SessionExpiryIntervalFlag: true},
				Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), ClientIdentifier: "kit", UsernameFlag: true, Username: []byte("kit"), PasswordFlag: true, Password: []byte("right"),
					WillFlag: true, WillTopic: "kit/$state", WillPayload: []byte("lost"), WillRetain: true, WillProperties: packets.Properties{WillDelayInterval: 30}}})
			read(t, c, 5)
			return c
		}
		dial().Close()
		time.Sleep(29 * time.Second)
		second := dial() // back in time: no will
		time.Sleep(10 * time.Second)
		if m := b.router.current("kit/$state"); m != nil {
			t.Fatal("the will was sent though the client came back")
		}
		second.Close()
		time.Sleep(29 * time.Second)
		if m := b.router.current("kit/$state"); m != nil {
			t.Fatal("the will was sent too early")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if m := b.router.current("kit/$state"); m == nil || string(m.Payload) != "lost" {
			t.Fatal("the will was not sent")
		}
	})
}

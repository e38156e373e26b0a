package broker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
)

// TestRateLimit publishes faster than the account may: everything arrives, later,
// and one sentence says so.
func TestRateLimit(t *testing.T) {
	for name, c := range map[string]struct {
		limits core.Limits
		size   int
		takes  time.Duration // at least, for 300 messages
	}{
		"messages": {core.Limits{Messages: 100}, 1, 2 * time.Second},
		"bytes":    {core.Limits{Bytes: 10_000}, 100, 2 * time.Second},
		"none":     {core.Limits{}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gate{limits: c.limits}
				b := bubble(t, g)
				conn := piped(t, b)
				connect(t, conn, "fast", 4)
				began := time.Now()
				for range 300 {
					send(t, conn, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, ProtocolVersion: 4, TopicName: "k", Payload: make([]byte, c.size)})
				}
				if _, err := conn.Write([]byte{0xc0, 0}); err != nil {
					t.Fatal(err)
				}
				_ = conn.SetReadDeadline(time.Time{})
				if _, err := io.ReadFull(conn, make([]byte, 2)); err != nil {
					t.Fatal(err)
				}
				took := time.Since(began) // in the time of the bubble
				if took < c.takes || took > c.takes+2*time.Second {
					t.Errorf("took %v", took)
				}
				if n := b.in.Load(); n != 300 {
					t.Errorf("%d messages", n)
				}
				all := g.sentences()
				if told := len(all) == 1 && strings.Contains(all[0], "fast publishes more than"); told != (c.takes > 0) {
					t.Errorf("%q", all)
				}
			})
		})
	}
}

// TestConnectionLimit lets an account have two connections, a third once one has
// gone, and keeps the sessions of no more clients than that.
func TestConnectionLimit(t *testing.T) {
	r := start(t, newMemory())
	r.gate.limits = core.Limits{Connections: 2}
	one := r.dial(r.options("k1").SetCleanSession(false), nil)
	r.dial(r.options("k2").SetCleanSession(false), nil)
	r.dial(r.options("other"), nil) // another account
	third := paho.NewClient(r.options("k3"))
	token := third.Connect()
	if !token.WaitTimeout(5*time.Second) || token.Error() == nil {
		t.Fatal("a third connection was let in")
	}
	if all := r.gate.sentences(); len(all) != 1 || !strings.Contains(all[0], "k3 has 2 connections already") {
		t.Errorf("%q", all)
	}
	r.dial(r.options("k2").SetCleanSession(false), nil) // takes over: not one more
	one.Disconnect(0)
	r.away("k1")
	r.dial(r.options("k3").SetCleanSession(false), nil)
	if all := r.Clients(); len(all) != 3 || slices.ContainsFunc(all, func(c core.Client) bool { return c.ID == "k1" }) {
		t.Errorf("kept: %v", all)
	}
	r.SetLimits(core.Limits{Connections: 1000})
	r.gate.mu.Lock()
	r.gate.limits = core.Limits{}
	r.gate.mu.Unlock()
	r.SetLimits(core.Limits{Connections: 5})
	for i := range 3 {
		r.dial(r.options(fmt.Sprint("k", 4+i)), nil)
	}
}

// TestPacketLimit tells a client of MQTT 5 its limit, and holds every client to it.
func TestPacketLimit(t *testing.T) {
	r := start(t, newMemory())
	r.gate.limits = core.Limits{Packet: 2000}
	c := dial(t, r)
	send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: 5, Connect: packets.ConnectParams{
		ProtocolName: []byte("MQTT"), Clean: true, ClientIdentifier: "c", UsernameFlag: true, Username: []byte("c"), PasswordFlag: true, Password: []byte("right")}})
	ack := read(t, c, 5)
	pk := packets.Packet{ProtocolVersion: 5, FixedHeader: packets.FixedHeader{Type: packets.Connack, Remaining: len(ack) - 2}}
	if err := pk.ConnackDecode(ack[2:]); err != nil || pk.Properties.MaximumPacketSize != 2000 {
		t.Errorf("told %d, %v", pk.Properties.MaximumPacketSize, err)
	}
	send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, ProtocolVersion: 5, TopicName: "k", Payload: make([]byte, 1900)})
	send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, ProtocolVersion: 5, TopicName: "k", Payload: make([]byte, 2100)})
	if end := read(t, c, 5); !bytes.Equal(end[:3], []byte{0xe0, 2, packets.ErrPacketTooLarge.Code}) {
		t.Errorf("then % x", end)
	}
	if all := r.gate.sentences(); len(all) != 1 || !strings.Contains(all[0], "Send at most 1 KB at once") {
		t.Errorf("%q", all)
	}
}

// TestClash has two addresses fight for one client ID: after some take-overs the
// newcomer is refused, so that one of them works, and both are named.
func TestClash(t *testing.T) {
	g := &gate{}
	b := newBroker(Config{Gate: g, Store: newMemory(), Sink: func(core.Message) {}, Feed: &core.Feed{}})
	b.journal = newJournal(b.cfg.Store, nil, nil)
	enter := func(host string) (*conn, error) {
		c := newConn(b, &addressed{fakeConn{}, host})
		c.clientID, c.version, c.account = "kit-1", 4, core.Account{ID: 'k', Name: "kit-1", Version: 1}
		_, _, err := b.open(c, nil, true, 0, 0)
		if err == nil {
			c.session.attach(c, nil)
		}
		return c, err
	}
	var err error
	let := 0
	for range 20 { // whoever was thrown out comes back
		host := "10.0.0.7"
		if s := b.sessions["kit-1"]; s != nil && s.addr() == host {
			host = "10.0.0.8"
		}
		if _, err = enter(host); err == nil {
			let++
		}
	}
	if let < 3 || let > 6 || !errors.Is(err, core.ErrConflict) {
		t.Errorf("%d were let in, then %v", let, err)
	}
	if _, err := enter(b.sessions["kit-1"].addr()); err != nil {
		t.Errorf("it may not come back itself: %v", err)
	}
	all := g.sentences()
	if len(all) == 0 || !strings.Contains(all[0], "10.0.0.7") || !strings.Contains(all[0], "10.0.0.8") {
		t.Errorf("told %q", all)
	}
}

// TestInside subscribes from inside the program and serves a connection that
// somebody else accepted.
func TestInside(t *testing.T) {
	r := start(t, newMemory())
	var got, all []string
	cancel := r.Subscribe("a/+", func(m core.Message) { got = append(got, fmt.Sprintf("%s=%s from %s", m.Topic, m.Payload, m.Client)) })
	end := r.Subscribe("#", func(m core.Message) { all = append(all, string(m.Topic)) })
	defer end()
	server, client := net.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); r.Serve(server) }()
	connect(t, client, "web", 4)
	publish := func(name string) {
		send(t, client, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: 1, ProtocolVersion: 4, TopicName: name, Payload: []byte("1")})
		read(t, client, 4) // the PUBACK comes after the delivery
	}
	publish("a/b")
	publish("c")
	cancel()
	cancel()
	publish("a/b")
	if want := []string{"a/b=1 from web"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := []string{"a/b", "c", "a/b"}; !slices.Equal(all, want) {
		t.Errorf("all: %q, want %q", all, want)
	}
	client.Close()
	<-done
}

// TestTokenEnds lets a client in with a token, and ends its connection with that.
func TestTokenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bubble(t, &gate{until: time.Now().Add(10 * time.Minute)})
		c := piped(t, b)
		connect(t, c, "web", 5)
		_ = c.SetReadDeadline(time.Time{})
		began := time.Now()
		rest, err := io.ReadAll(c)
		if took := time.Since(began); err != nil || took < 10*time.Minute-time.Second || took > 10*time.Minute+2*lingerFor {
			t.Errorf("ended after %v, %v", took, err)
		}
		if want := []byte{packets.Disconnect << 4, 2, packets.ErrNotAuthorized.Code, 0}; !bytes.Equal(rest, want) {
			t.Errorf("told % x", rest)
		}
	})
}

// TestDisconnect ends one client's connection and says why.
func TestDisconnect(t *testing.T) {
	r := start(t, newMemory())
	c := dial(t, r)
	connect(t, c, "c", 5)
	if err := r.Disconnect("c"); err != nil {
		t.Fatal(err)
	}
	if end := read(t, c, 5); !bytes.Equal(end[:3], []byte{0xe0, 2, packets.ErrAdministrativeAction.Code}) {
		t.Errorf("told % x", end)
	}
	r.away("c")
	if err := r.Disconnect("c"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
}

// addressed is a connection from some host.
type addressed struct {
	fakeConn
	host string
}

func (a *addressed) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(a.host), Port: 4711} }

package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// memory is a Store that forgets when the test ends, and whose disk can be held.
type memory struct {
	held sync.Mutex // locked: nothing is stored
	mu   sync.Mutex
	fail error

	sessions map[string]Session
	subs     map[[2]string]Subscription
	retained map[topic.Name]Stored
	owed     map[owedKey]Owed
	received map[Received]bool
}

func newMemory() *memory {
	return &memory{sessions: map[string]Session{}, subs: map[[2]string]Subscription{}, retained: map[topic.Name]Stored{}, owed: map[owedKey]Owed{}, received: map[Received]bool{}}
}

func (m *memory) LoadJournal(context.Context) (s Saved, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, x := range m.sessions {
		s.Sessions = append(s.Sessions, x)
	}
	for _, x := range m.subs {
		s.Subscriptions = append(s.Subscriptions, x)
	}
	for _, x := range m.retained {
		s.Retained = append(s.Retained, x)
	}
	for _, x := range m.owed {
		s.Owed = append(s.Owed, x)
	}
	slices.SortFunc(s.Owed, func(a, b Owed) int { return int(a.Seq - b.Seq) })
	for x := range m.received {
		s.Received = append(s.Received, x)
	}
	return s, nil
}

func (m *memory) AppendJournal(_ context.Context, es []Entry) error {
	m.held.Lock()
	defer m.held.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	for _, e := range es {
		switch {
		case e.PutSession != nil:
			m.sessions[e.PutSession.Client] = *e.PutSession
		case e.DropSession != "":
			for k := range m.received {
				if k.Client == e.DropSession {
					delete(m.received, k)
				}
			}
			delete(m.sessions, e.DropSession)
			for k := range m.subs {
				if k[0] == e.DropSession {
					delete(m.subs, k)
				}
			}
			for k := range m.owed {
				if k.client == e.DropSession {
					delete(m.owed, k)
				}
			}
		case e.PutSubscription != nil:
			m.subs[[2]string{e.PutSubscription.Client, e.PutSubscription.Filter}] = *e.PutSubscription
		case e.DropFilter != nil:
			delete(m.subs, [2]string{e.DropFilter.Client, e.DropFilter.Filter})
		case e.PutRetained != nil:
			m.retained[e.PutRetained.Topic] = *e.PutRetained
		case e.DropRetained != "":
			delete(m.retained, e.DropRetained)
		case e.PutOwed != nil:
			m.owed[owedKey{e.PutOwed.Client, e.PutOwed.Seq}] = *e.PutOwed
		case e.MarkOwed != nil:
			k := owedKey{e.MarkOwed.Client, e.MarkOwed.Seq}
			if o, ok := m.owed[k]; ok {
				o.Packet, o.Released = e.MarkOwed.Packet, e.MarkOwed.Released
				m.owed[k] = o
			}
		case e.DropOwed != nil:
			delete(m.owed, owedKey{e.DropOwed.Client, e.DropOwed.Seq})
		case e.PutReceived != nil:
			m.received[*e.PutReceived] = true
		case e.DropReceived != nil:
			delete(m.received, *e.DropReceived)
		}
	}
	return nil
}

// gate lets everybody with the password "right" in. The first letter of a name is
// its account; those of "m" are mounted in the branch blue.
type gate struct {
	mu      sync.Mutex
	version int64
	limits  core.Limits // of every account
	until   time.Time   // of every sign-in
	deny    map[topic.Filter]bool
	refused []core.Refusal
}

func (g *gate) Authenticate(_ context.Context, name, secret, _, _ string) (core.Account, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if secret != "right" || name == "" {
		return core.Account{}, core.Fail(core.ErrDenied, "wrong name or password")
	}
	a := g.account(core.AccountID(name[0]), topic.ID(name))
	a.Until = g.until
	return a, nil
}

// account is what there is to know of an account. g.mu is held.
func (g *gate) account(id core.AccountID, name topic.ID) core.Account {
	return core.Account{ID: id, Name: name, Version: 1 + g.version, Limits: g.limits, Mounted: id == 'm'}
}

func (g *gate) Authorize(id core.AccountID, _ core.Action, f topic.Filter) (topic.Filter, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if id == 'm' && f[0] != '$' && f != "blue" && !strings.HasPrefix(string(f), "blue/") {
		f = "blue/" + f
	}
	if g.deny[f] || strings.HasPrefix(string(f), "secret") {
		return f, core.Fail(core.ErrDenied, "{who} may not use {filter}", "who", string(rune(id)), "filter", f)
	}
	return f, nil
}

func (g *gate) Account(id core.AccountID) (core.Account, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.account(id, ""), true
}

func (g *gate) Refuse(r core.Refusal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused = append(g.refused, r)
}

func (g *gate) sentences() (all []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.refused {
		all = append(all, r.Say.String())
	}
	return all
}

type rig struct {
	*Broker
	t     *testing.T
	gate  *gate
	store *memory
	feed  *core.Feed
	stop  func()

	mu   sync.Mutex
	sunk []core.Message
}

// start runs a broker on a free port until the test ends.
func start(t *testing.T, store *memory) *rig {
	t.Helper()
	r := &rig{t: t, gate: &gate{deny: map[topic.Filter]bool{}}, store: store, feed: &core.Feed{}}
	var err error
	r.Broker, err = Open(t.Context(), Config{Addr: "127.0.0.1:0", Gate: r.gate, Store: store, Feed: r.feed, Log: slog.New(slog.DiscardHandler), Version: "test",
		Sink: func(m core.Message) { r.mu.Lock(); r.sunk = append(r.sunk, m); r.mu.Unlock() }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(r.stop)
	return r
}

// box gathers what a client gets.
type box struct {
	mu  sync.Mutex
	got []string
}

func (b *box) add(_ paho.Client, m paho.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	flags := ""
	if m.Retained() {
		flags += " retained"
	}
	if m.Duplicate() {
		flags += " dup"
	}
	b.got = append(b.got, fmt.Sprintf("%s=%s q%d%s", m.Topic(), m.Payload(), m.Qos(), flags))
}

func (b *box) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

func (r *rig) options(id string) *paho.ClientOptions {
	return paho.NewClientOptions().AddBroker("tcp://" + r.Addr()).SetClientID(id).SetUsername(id).SetPassword("right").
		SetProtocolVersion(4).SetAutoReconnect(false).SetOrderMatters(true).SetConnectTimeout(5 * time.Second)
}

func (r *rig) dial(o *paho.ClientOptions, in *box) paho.Client {
	r.t.Helper()
	if in != nil {
		o.SetDefaultPublishHandler(in.add)
	}
	c := paho.NewClient(o)
	r.ok(c.Connect())
	r.t.Cleanup(func() { c.Disconnect(0) })
	return c
}

func (r *rig) ok(t paho.Token) {
	r.t.Helper()
	if !t.WaitTimeout(10 * time.Second) {
		r.t.Fatal("no answer")
	}
	if t.Error() != nil {
		r.t.Fatal(t.Error())
	}
}

func eventually(t *testing.T, what func() (string, bool)) {
	t.Helper()
	var last string
	for range 1000 {
		var ok bool
		if last, ok = what(); ok {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("never: ", last)
}

func (r *rig) wants(b *box, want ...string) {
	r.t.Helper()
	eventually(r.t, func() (string, bool) {
		got := b.all()
		return fmt.Sprintf("got %q, want %q", got, want), slices.Equal(got, want)
	})
}

// taken waits until a client has acknowledged all that was sent to it. It has
// seen a message before it acknowledges it, and may go in between: the broker
// then rightly sends it again, with DUP.
func (r *rig) taken(id string) {
	r.t.Helper()
	r.Broker.mu.Lock()
	s := r.sessions[id]
	r.Broker.mu.Unlock()
	eventually(r.t, func() (string, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return fmt.Sprintf("%s has %d messages to acknowledge", id, len(s.inflight)), len(s.inflight) == 0
	})
}

// away waits until the broker has seen that a client is gone. What it sends
// before that is rightly sent again, with DUP.
func (r *rig) away(id string) {
	r.t.Helper()
	eventually(r.t, func() (string, bool) {
		for _, c := range r.Clients() {
			if c.ID == id && c.Connected {
				return id + " is still connected", false
			}
		}
		return "", true
	})
}

func TestDelivery(t *testing.T) {
	r := start(t, newMemory())
	var got box
	s := r.dial(r.options("sub"), &got)
	r.ok(s.SubscribeMultiple(map[string]byte{"a/#": 2, "a/+": 1, "+/b": 0}, nil))
	p := r.dial(r.options("pub"), nil)
	for q := range byte(3) {
		r.ok(p.Publish("a/b", q, false, fmt.Sprint(q)))
	}
	r.ok(p.Publish("a", 1, false, "parent"))
	r.ok(p.Publish("b/x", 1, false, "elsewhere"))
	r.ok(s.Unsubscribe("a/#", "+/b"))
	r.ok(p.Publish("a/b/c", 1, false, "deeper"))
	r.ok(p.Publish("a/z", 2, false, "last"))
	r.wants(&got, "a/b=0 q0", "a/b=1 q1", "a/b=2 q2", "a=parent q1", "a/z=last q1") // once each, however many filters overlap
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sunk) != 7 || r.sunk[0].From != core.AccountID('p') || r.sunk[0].Client != "pub" {
		t.Errorf("sunk %+v", r.sunk)
	}
}

func TestRetained(t *testing.T) {
	store := newMemory()
	r := start(t, store)
	p := r.dial(r.options("pub"), nil)
	r.ok(p.Publish("r/one", 1, true, "1"))
	r.ok(p.Publish("r/two", 0, true, "2"))
	r.ok(p.Publish("r/two", 2, true, "22"))
	r.ok(p.Publish("r/gone", 1, true, "3"))
	r.ok(p.Publish("r/gone", 1, true, ""))
	look := func(r *rig) {
		t.Helper()
		var names []string
		for _, m := range r.Retained("r/#", 10) {
			names = append(names, fmt.Sprintf("%s=%s", m.Topic, m.Payload))
		}
		if want := []string{"r/one=1", "r/two=22"}; !slices.Equal(names, want) {
			t.Fatalf("retained %v, want %v", names, want)
		}
		var got box
		s := r.dial(r.options("late"), &got)
		r.ok(s.Subscribe("r/#", 1, nil))
		eventually(t, func() (string, bool) {
			all := got.all()
			slices.Sort(all)
			return fmt.Sprint(all), slices.Equal(all, []string{"r/one=1 q1 retained", "r/two=22 q1 retained"})
		})
	}
	look(r)
	r.stop()
	look(start(t, store))
}

// TestDurableSession is a kit that is away while the broker is restarted.
func TestDurableSession(t *testing.T) {
	store := newMemory()
	r := start(t, store)
	s := r.dial(r.options("sub").SetCleanSession(false), &box{})
	r.ok(s.Subscribe("q/#", 2, nil))
	s.Disconnect(100)
	r.away("sub")
	p := r.dial(r.options("pub"), nil)
	var want []string
	for i := range 300 {
		q := byte(i % 3)
		r.ok(p.Publish(fmt.Sprintf("q/%d", i%7), q, false, fmt.Sprint(i)))
		if q > 0 {
			want = append(want, fmt.Sprintf("q/%d=%d q%d", i%7, i, q))
		}
	}
	r.stop()
	if len(store.owed) != 200 {
		t.Errorf("%d owed in the store, want 200", len(store.owed))
	}
	r = start(t, store)
	var got box
	s = r.dial(r.options("sub").SetCleanSession(false), &got)
	r.wants(&got, want...)
	eventually(t, func() (string, bool) {
		store.mu.Lock()
		defer store.mu.Unlock()
		return fmt.Sprintf("%d still owed", len(store.owed)), len(store.owed) == 0
	})
	s.Disconnect(100)
	r.away("sub")
	r.dial(r.options("sub"), &got) // a clean session forgets
	p = r.dial(r.options("pub"), nil)
	r.ok(p.Publish("q/1", 1, false, "nobody"))
	store.mu.Lock()
	defer store.mu.Unlock()
	if len(store.sessions)+len(store.subs)+len(store.owed) != 0 {
		t.Errorf("left in the store: %v %v %v", store.sessions, store.subs, store.owed)
	}
}

// TestAcknowledgedMeansStored holds the disk: no acknowledgement may go out, and
// nobody who needs none may wait.
func TestAcknowledgedMeansStored(t *testing.T) {
	store := newMemory()
	r := start(t, store)
	s := r.dial(r.options("sub").SetCleanSession(false), &box{})
	r.ok(s.Subscribe("d/#", 1, nil))
	s.Disconnect(100)
	r.away("sub")
	p, other := r.dial(r.options("pub"), nil), r.dial(r.options("other"), nil)
	store.held.Lock()
	token := p.Publish("d/x", 1, false, "kept")
	retained := p.Publish("elsewhere", 1, true, "kept")
	r.ok(other.Publish("nobody/wants/it", 1, false, ""))
	if token.WaitTimeout(300*time.Millisecond) || retained.WaitTimeout(0) {
		t.Fatal("acknowledged before it was stored")
	}
	store.held.Unlock()
	r.ok(token)
	r.ok(retained)
	store.mu.Lock()
	defer store.mu.Unlock()
	if len(store.owed) != 1 || len(store.retained) != 1 {
		t.Errorf("stored %v %v", store.owed, store.retained)
	}
}

func TestFullDiskLosesNothing(t *testing.T) {
	store := newMemory()
	r := start(t, store)
	p := r.dial(r.options("pub"), nil)
	store.mu.Lock()
	store.fail = errors.New("disk full")
	store.mu.Unlock()
	token := p.Publish("a", 1, true, "1")
	if token.WaitTimeout(300 * time.Millisecond) {
		t.Fatal("acknowledged while the disk was full")
	}
	store.mu.Lock()
	store.fail = nil
	store.mu.Unlock()
	r.ok(token)
	store.mu.Lock()
	defer store.mu.Unlock()
	if string(store.retained["a"].Payload) != "1" {
		t.Errorf("stored %v", store.retained)
	}
}

func TestWill(t *testing.T) {
	r := start(t, newMemory())
	var got box
	s := r.dial(r.options("watch"), &got)
	r.ok(s.Subscribe("w/#", 1, nil))
	r.dial(r.options("polite").SetWill("w/polite", "lost", 1, true), nil).Disconnect(100)
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: 4, Connect: packets.ConnectParams{
		ProtocolName: []byte("MQTT"), Clean: true, ClientIdentifier: "rude", UsernameFlag: true, Username: []byte("rude"), PasswordFlag: true, Password: []byte("right"),
		WillFlag: true, WillTopic: "w/rude", WillPayload: []byte("lost"), WillQos: 1, WillRetain: true}})
	read(t, c, 4)
	c.Close()
	r.wants(&got, "w/rude=lost q1")
	if ms := r.Retained("w/#", 10); len(ms) != 1 || ms[0].From != core.AccountID('r') {
		t.Errorf("retained %v", ms)
	}
	// A will that would not be allowed as a publish is refused at CONNECT.
	bad := paho.NewClient(r.options("sly").SetWill("secret/lamp", "on", 1, true))
	if token := bad.Connect(); !token.WaitTimeout(5*time.Second) || token.Error() == nil {
		t.Error("a will to a forbidden topic was taken")
	}
}

func TestRefusals(t *testing.T) {
	r := start(t, newMemory())
	if token := paho.NewClient(r.options("kit").SetPassword("wrong")).Connect(); token.Wait() && token.Error() == nil {
		t.Error("a wrong password was taken")
	}
	if token := paho.NewClient(r.options("kit").SetUsername("")).Connect(); token.Wait() && token.Error() == nil {
		t.Error("no name was taken")
	}
	var got box
	s := r.dial(r.options("sub"), &got)
	token := s.SubscribeMultiple(map[string]byte{"open/#": 1, "secret/#": 1}, nil).(*paho.SubscribeToken)
	token.Wait()
	if codes := token.Result(); codes["open/#"] != 1 || codes["secret/#"] != 0x80 {
		t.Errorf("subscribe answered %v", codes)
	}
	p := r.dial(r.options("pub"), nil)
	for q := range byte(3) { // acknowledged, as MQTT 3.1.1 asks, and dropped
		r.ok(p.Publish("secret/x", q, true, "x"))
		r.ok(p.Publish("$SYS/x", q, true, "x"))
		r.ok(p.Publish("$other/x", q, true, "x"))
		r.ok(p.Publish(strings.Repeat("x", 65535), q, true, "x"))
	}
	r.ok(p.Publish("open/end", 1, false, "end"))
	r.wants(&got, "open/end=end q1")
	if ms := r.Retained("#", 10); len(ms) != 0 {
		t.Errorf("retained %v", ms)
	}
	if n := len(r.gate.sentences()); n != 3+9+3 {
		t.Errorf("%d refusals: %q", n, r.gate.sentences())
	}
}

// TestRevoke changes what is allowed under open connections.
func TestRevoke(t *testing.T) {
	r := start(t, newMemory())
	var got box
	s := r.dial(r.options("sub"), &got)
	r.ok(s.Subscribe("a/#", 0, nil))
	r.ok(s.Subscribe("b/#", 0, nil))
	r.gate.mu.Lock()
	r.gate.deny["a/#"] = true
	r.gate.mu.Unlock()
	r.feed.Tell(core.AccountsChanged)
	eventually(t, func() (string, bool) {
		cs := r.Clients()
		return fmt.Sprintf("%+v", cs), len(cs) == 1 && slices.Equal(cs[0].Filters, []string{"b/#"})
	})
	p := r.dial(r.options("pub"), nil)
	r.ok(p.Publish("a/x", 1, false, "1"))
	r.ok(p.Publish("b/x", 1, false, "2"))
	r.wants(&got, "b/x=2 q0")
	r.gate.mu.Lock()
	r.gate.version++
	r.gate.mu.Unlock()
	r.feed.Tell(core.AccountsChanged)
	eventually(t, func() (string, bool) {
		return fmt.Sprintf("%+v", r.Clients()), len(r.Clients()) == 0 && !s.IsConnectionOpen()
	})
}

func TestTakeOver(t *testing.T) {
	r := start(t, newMemory())
	a := r.dial(r.options("same").SetCleanSession(false), nil)
	r.ok(a.Subscribe("t/#", 1, nil))
	var got box
	r.dial(r.options("same").SetCleanSession(false), &got)
	eventually(t, func() (string, bool) { return "the first is still there", !a.IsConnectionOpen() })
	p := r.dial(r.options("pub"), nil)
	r.ok(p.Publish("t/x", 1, false, "1"))
	r.wants(&got, "t/x=1 q1")
	// Nobody else may take the identifier and its queue.
	if token := paho.NewClient(r.options("same").SetUsername("other")).Connect(); token.Wait() && token.Error() == nil {
		t.Error("another account took the client ID")
	}
	if all := r.gate.sentences(); len(all) != 1 || !strings.Contains(all[0], "belongs to same") {
		t.Errorf("refusals %q", all)
	}
}

func TestShared(t *testing.T) {
	r := start(t, newMemory())
	var one, two box
	r.ok(r.dial(r.options("one"), &one).Subscribe("$share/g/s/+", 1, nil))
	r.ok(r.dial(r.options("two"), &two).Subscribe("$share/g/s/+", 1, nil))
	p := r.dial(r.options("pub"), nil)
	for i := range 100 {
		r.ok(p.Publish("s/x", 1, false, fmt.Sprint(i)))
	}
	eventually(t, func() (string, bool) {
		a, b := len(one.all()), len(two.all())
		return fmt.Sprint(a, b), a == 50 && b == 50
	})
}

// TestStuckReader has a client that reads nothing: it must not hold anybody.
func TestStuckReader(t *testing.T) {
	r := start(t, newMemory())
	stuck, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.Close()
	_ = stuck.(*net.TCPConn).SetReadBuffer(4096)
	connect(t, stuck, "stuck", 4)
	send(t, stuck, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1, ProtocolVersion: 4, Filters: packets.Subscriptions{{Filter: "k", Qos: 1}}})
	read(t, stuck, 5)
	var got box
	r.ok(r.dial(r.options("healthy"), &got).Subscribe("k", 1, nil))
	p := r.dial(r.options("pub"), nil)
	payload := bytes.Repeat([]byte("x"), 64<<10)
	for range 200 { // 12 MB: more than what is written ahead, for a reader that is slower than its publisher
		r.ok(p.Publish("k", 1, false, payload))
	}
	eventually(t, func() (string, bool) { n := len(got.all()); return fmt.Sprint(n), n == 200 })
}

func TestLargePayload(t *testing.T) {
	r := start(t, newMemory())
	var got box
	s := r.dial(r.options("sub"), nil)
	sizes := make(chan int, 1)
	r.ok(s.Subscribe("big", 1, func(_ paho.Client, m paho.Message) { sizes <- len(m.Payload()) }))
	p := r.dial(r.options("pub"), nil)
	r.ok(p.Publish("big", 1, true, bytes.Repeat([]byte{0}, 1<<20)))
	if n := <-sizes; n != 1<<20 {
		t.Errorf("%d bytes", n)
	}
	p.Publish("big", 1, true, bytes.Repeat([]byte{0}, MaxPacket))
	eventually(t, func() (string, bool) {
		all := r.gate.sentences()
		return fmt.Sprintf("%q", all), len(all) == 1 && strings.Contains(all[0], "at most 4 MB")
	})
	_ = got.all()
}

// TestFive has what only MQTT 5 can say.
func TestFive(t *testing.T) {
	r := start(t, newMemory())
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	connect(t, c, "five", 5)
	send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 7, ProtocolVersion: 5,
		Properties: packets.Properties{SubscriptionIdentifier: []int{9}}, Filters: packets.Subscriptions{{Filter: "f/#", Qos: 1, RetainAsPublished: true, Identifier: 9}}})
	read(t, c, 4)
	publish := func(name string, alias uint16, qos byte, id uint16) {
		send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos, Retain: true}, PacketID: id, ProtocolVersion: 5, TopicName: name, Payload: []byte("x"),
			Properties: packets.Properties{TopicAlias: alias, TopicAliasFlag: alias > 0, ContentType: "text/plain", User: []packets.UserProperty{{Key: "k", Val: "v"}}}})
	}
	publish("f/a", 3, 0, 0)
	pk := decodePublish(t, read(t, c, 0))
	if pk.TopicName != "f/a" || !pk.FixedHeader.Retain || pk.Properties.ContentType != "text/plain" || !slices.Equal(pk.Properties.SubscriptionIdentifier, []int{9}) || len(pk.Properties.User) != 1 {
		t.Errorf("got %+v", pk)
	}
	publish("", 3, 0, 0) // by alias
	if pk := decodePublish(t, read(t, c, 0)); pk.TopicName != "f/a" {
		t.Errorf("alias became %q", pk.TopicName)
	}
	publish("secret/x", 4, 1, 11)
	if ack := read(t, c, 0); ack[0]>>4 != packets.Puback || ack[4] != packets.ErrNotAuthorized.Code || !bytes.Contains(ack, []byte("may not use secret/x")) {
		t.Errorf("refused publish answered % x", ack)
	}
	publish("", 4, 2, 12) // a forbidden topic does not come in by its alias either
	if ack := read(t, c, 0); ack[0]>>4 != packets.Pubrec || ack[4] != packets.ErrNotAuthorized.Code {
		t.Errorf("refused alias answered % x", ack)
	}
	publish("nobody", 0, 1, 13)
	if ack := read(t, c, 0); ack[0]>>4 != packets.Puback || len(ack) > 4 && ack[4] != 0 {
		t.Errorf("publish answered % x", ack)
	}
}

// TestExactlyOnce resends a QoS 2 publish over a new connection, as a kit does
// that lost the PUBREC.
func TestExactlyOnce(t *testing.T) {
	store := newMemory()
	r := start(t, store)
	var got box
	r.ok(r.dial(r.options("sub"), &got).Subscribe("e", 2, nil))
	pub := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 2}, PacketID: 5, ProtocolVersion: 4, TopicName: "e", Payload: []byte("once")}
	for range 2 {
		c, err := net.Dial("tcp", r.Addr())
		if err != nil {
			t.Fatal(err)
		}
		durable(t, c, "kit")
		send(t, c, pub)
		if ack := read(t, c, 4); ack[0]>>4 != packets.Pubrec {
			t.Errorf("% x", ack)
		}
		c.Close()
		pub.FixedHeader.Dup = true
	}
	r.wants(&got, "e=once q2")
}

// TestMalformed throws bytes at the broker; it answers others all the while.
func TestMalformed(t *testing.T) {
	r := start(t, newMemory())
	rnd := rand.New(rand.NewPCG(1, 2))
	cut := func(version byte) []byte { // the SUBSCRIBE that kills a plain mochi
		return []byte{0x82, 0x04, 0, 1, 0xff, 0xff}
	}
	for i := range 600 {
		c, err := net.Dial("tcp", r.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			connect(t, c, fmt.Sprint("c", i), byte(4+i/2%2))
		}
		junk := make([]byte, 1+rnd.IntN(64))
		for j := range junk {
			junk[j] = byte(rnd.Uint32())
		}
		switch i % 3 {
		case 0:
			junk = cut(5)
		case 1:
			junk = append([]byte{byte(1+rnd.IntN(15)) << 4, byte(len(junk))}, junk...)
		}
		_, _ = c.Write(junk)
		_, _ = c.Write([]byte{0x10, 0xff, 0xff, 0xff, 0x7f})
		c.Close()
	}
	var got box
	r.ok(r.dial(r.options("sub"), &got).Subscribe("alive", 1, nil))
	r.ok(r.dial(r.options("pub"), nil).Publish("alive", 1, false, "yes"))
	r.wants(&got, "alive=yes q1")
	eventually(t, func() (string, bool) {
		r.Broker.mu.Lock()
		defer r.Broker.mu.Unlock()
		return fmt.Sprint(len(r.conns), len(r.sessions)), len(r.conns) == 2 && len(r.sessions) == 2
	})
}

func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Open(t.Context(), Config{Addr: l.Addr().String(), Gate: &gate{}, Store: newMemory(), Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler)})
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if !errors.Is(err, core.ErrConflict) || !strings.HasPrefix(err.Error(), "Port "+port+" is taken") {
		t.Errorf("err = %v", err)
	}
}

func TestPublishFromInside(t *testing.T) {
	r := start(t, newMemory())
	var got box
	r.ok(r.dial(r.options("sub"), &got).Subscribe("#", 1, nil))
	for _, c := range []struct {
		topic topic.Name
		kind  error
	}{{"a/b", nil}, {"secret/x", core.ErrDenied}, {"a/+", core.ErrInvalid}, {"", core.ErrInvalid}, {"$SYS/x", core.ErrDenied}} {
		if err := r.Publish(t.Context(), core.Message{Topic: c.topic, Payload: []byte("1"), QoS: 1, From: 1, Client: "window"}); !errors.Is(err, c.kind) || (err == nil) != (c.kind == nil) {
			t.Errorf("%q: %v", c.topic, err)
		}
	}
	r.wants(&got, "a/b=1 q1")
}

// TestForOneAccount: what a kit is asked, which may be a new secret, reaches the
// kit alone, whoever subscribes; and no record of packets shows it.
func TestForOneAccount(t *testing.T) {
	r := start(t, newMemory())
	r.Watch(core.Watch{Filter: "#"})
	var kit, other, shared, after box
	r.ok(r.dial(r.options("kit"), &kit).Subscribe("#", 1, nil))
	r.ok(r.dial(r.options("other"), &other).Subscribe("#", 1, nil))
	r.ok(r.dial(r.options("shared"), &shared).Subscribe("$share/g/blue/kit/$do", 1, nil))
	var inside []core.Message
	cancel := r.Subscribe("#", func(m core.Message) { inside = append(inside, m) })
	defer cancel()
	asked := core.Message{Topic: "blue/kit/" + core.KitAsked, Payload: []byte("settings hushhush"), QoS: 1, From: core.Program, To: 'k'}
	if err := r.Publish(t.Context(), asked); err != nil {
		t.Fatal(err)
	}
	cancel()
	c := r.dial(r.options("late"), &after)
	r.ok(c.Subscribe("#", 1, nil))
	r.ok(c.Publish("end", 1, false, "."))
	r.wants(&kit, "blue/kit/$do=settings hushhush q1", "end=. q1")
	r.wants(&other, "end=. q1")
	r.wants(&after, "end=. q1")
	if len(inside) > 0 || len(shared.all()) > 0 {
		t.Errorf("inside %v, shared %v", inside, shared.all())
	}
	ps, _ := r.Packets(0)
	for _, p := range ps {
		if bytes.Contains(p.Payload, []byte("hush")) {
			t.Errorf("the record shows %s %q", p.Topic, p.Payload)
		}
	}
	if len(ps) == 0 {
		t.Error("no packets were recorded")
	}
}

// TestForOneAccountIsNotStored: what only one account gets waits for a session that is
// kept, in memory; it is never on the disk, where a secret would stay.
func TestForOneAccountIsNotStored(t *testing.T) {
	r := start(t, newMemory())
	durable := func(got *box) paho.Client { return r.dial(r.options("kit").SetCleanSession(false), got) }
	var before, after box
	c := durable(&before)
	r.ok(c.Subscribe("#", 1, nil))
	asked := core.Message{Topic: "blue/kit/" + core.KitAsked, Payload: []byte("settings hushhush"), QoS: 1, From: core.Program, To: 'k'}
	for _, away := range []bool{false, true} {
		if away {
			r.wants(&before, "blue/kit/$do=settings hushhush q1", "blue/kit/led/set=true q1")
			r.taken("kit")
			c.Disconnect(100)
			r.away("kit")
		}
		if err := r.Publish(t.Context(), asked); err != nil {
			t.Fatal(err)
		}
		other := asked
		other.Topic, other.Payload, other.To = "blue/kit/led/set", []byte("true"), 0
		if err := r.Publish(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		r.store.mu.Lock()
		for _, o := range r.store.owed {
			if bytes.Contains(o.Message.Payload, []byte("hush")) {
				t.Errorf("away %v: it is stored: %q", away, o.Message.Payload)
			}
		}
		if n := len(r.store.owed); away && n != 1 {
			t.Errorf("%d messages are stored", n)
		}
		r.store.mu.Unlock()
	}
	durable(&after)
	r.wants(&after, "blue/kit/$do=settings hushhush q1", "blue/kit/led/set=true q1")
}

// TestMatchAgreesWithEngine checks that permission, delivery and the engine
// understand filters in the same way.
func TestMatchAgreesWithEngine(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string {
		ls := make([]string, 1+rnd.IntN(4))
		for i := range ls {
			ls[i] = from[rnd.IntN(len(from))]
		}
		return strings.Join(ls, "/")
	}
	checked, matched := 0, 0
	for range 200_000 {
		f, err := topic.ParseFilter(pick("a", "b", "", "+", "#", "$SYS"))
		if err != nil {
			continue
		}
		n, err := topic.ParseName(pick("a", "b", "", "$SYS"))
		if err != nil {
			continue
		}
		x := mqtt.NewTopicsIndex()
		x.Subscribe("c", packets.Subscription{Filter: string(f)})
		_, engine := x.Subscribers(string(n)).Subscriptions["c"]
		want := f.Match(n)
		ours := newRouter()
		s := &session{id: "c"}
		sub := &subscription{s: s, filter: f}
		ours.subscribe(sub, nil)
		to := &found{where: map[*session]int{}}
		m := newMessage(core.Message{Topic: n, Payload: []byte("x")}, nil)
		ours.root.match(string(n), true, strings.HasPrefix(string(n), "$"), m, to)
		if got := len(to.list) == 1; got != want {
			t.Fatalf("filter %q, name %q: router %v, topic %v", f, n, got, want)
		}
		ours.unsubscribe(sub)
		if len(ours.root.next) != 0 {
			t.Fatalf("%q left %v", f, ours.root.next)
		}
		ours.retain(m, nil)
		if got := len(ours.retained(f)) == 1; got != want {
			t.Fatalf("filter %q, name %q: retained %v, topic %v", f, n, got, want)
		}
		ours.retain(newMessage(core.Message{Topic: n}, nil), nil)
		if !ours.retainer.root.empty() || ours.bytes != 0 {
			t.Fatalf("%q left %v, %d bytes", n, ours.retainer.root, ours.bytes)
		}
		checked++
		if want {
			matched++
		}
		if want && !engine && strings.HasSuffix(string(f), "+/#") && strings.Count(string(f), "/") == strings.Count(string(n), "/")+1 {
			continue // the engine's "+/#" misses its parent level (v2.7.9; MQTT 5.0, section 4.7.1.2)
		}
		if engine != want {
			t.Fatalf("filter %q, name %q: engine %v, topic %v", f, n, engine, want)
		}
	}
	if matched < 1000 || checked < 10_000 {
		t.Errorf("only %d pairs, %d matched", checked, matched)
	}
}

// FuzzPackets lets a client that is signed in send anything, whole or in pieces.
func FuzzPackets(f *testing.F) {
	f.Add([]byte{0x10, 0x05, 1, 2, 3, 4, 5}, byte(4), 3)
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f}, byte(5), 1)
	f.Add([]byte{0x30, 0x80, 0x80, 0x80, 0x80, 0x01}, byte(5), 100)
	f.Add([]byte("\x32\x0c\x00\x03a/b\x00\x07\x03\x23\x00\x01x\x82\x08\x00\x01\x00\x00\x02a/\x01\xc0\x00\xe0\x00"), byte(5), 4)
	f.Add([]byte("\x34\x06\x00\x01a\x00\x01x\x62\x02\x00\x01\x82\x06\x00\x02\x00\x01#\x02\xa2\x05\x00\x03\x00\x01#"), byte(4), 50)
	f.Fuzz(func(t *testing.T, data []byte, version byte, piece int) {
		if version != 3 && version != 4 {
			version = 5
		}
		b := newBroker(Config{Gate: &gate{}, Store: newMemory(), Sink: func(core.Message) {}, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler)})
		b.journal = newJournal(b.cfg.Store, b.cfg.Log, nil)
		hello := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: version, Connect: packets.ConnectParams{
			ProtocolName: []byte(map[bool]string{true: "MQIsdp", false: "MQTT"}[version == 3]), Clean: true, ClientIdentifier: "f",
			UsernameFlag: true, Username: []byte("f"), PasswordFlag: true, Password: []byte("right")}}
		var first bytes.Buffer
		if err := hello.ConnectEncode(&first); err != nil {
			t.Fatal(err)
		}
		c := newConn(b, &fakeConn{from: append(first.Bytes(), data...), piece: max(1, piece)})
		c.run() // a panic is a failure
		if c.session == nil {
			t.Fatal("not signed in")
		}
		c.session.left(c, true)
		if len(b.sessions) != 0 || len(b.usage) != 0 || len(b.router.root.next) != 0 {
			t.Errorf("left behind: %d sessions, %d accounts, %d filters", len(b.sessions), len(b.usage), len(b.router.root.next))
		}
	})
}

// FuzzConnect lets anybody send anything as the first packet.
func FuzzConnect(f *testing.F) {
	f.Add([]byte("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"))
	f.Add([]byte("\x10\x1f\x00\x04MQTT\x05\xc6\x00\x3c\x05\x11\x00\x00\x00\x01\x00\x01a\x00\x00\x01t\x00\x01p\x00\x01u\x00\x01p"))
	f.Add([]byte("\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := newBroker(Config{Gate: &gate{}, Store: newMemory(), Sink: func(core.Message) {}, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler)})
		b.journal = newJournal(b.cfg.Store, b.cfg.Log, nil)
		raw := &fakeConn{from: data, piece: 1 << 20}
		b.serve(raw)
		if len(b.conns) != 0 || b.newcomers.order.Len() != 0 {
			t.Errorf("left behind: %d connections, %d silent", len(b.conns), b.newcomers.order.Len())
		}
	})
}

// TestRetainedAgrees puts and drops many topics and looks each filter up in
// them, beside a plain list.
func TestRetainedAgrees(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	pick := func(from ...string) string {
		ls := make([]string, 1+rnd.IntN(4))
		for i := range ls {
			ls[i] = from[rnd.IntN(len(from))]
		}
		return strings.Join(ls, "/")
	}
	r, plain := newRouter(), map[topic.Name]bool{}
	for range 20_000 {
		n := topic.Name(pick("a", "b", "c", "", "$SYS"))
		m := newMessage(core.Message{Topic: n}, nil)
		if rnd.IntN(2) == 0 {
			m.Payload = []byte("x")
		}
		r.retain(m, nil)
		if delete(plain, n); len(m.Payload) > 0 {
			plain[n] = true
		}
		f, err := topic.ParseFilter(pick("a", "b", "", "+", "#", "$SYS"))
		if err != nil {
			continue
		}
		want := 0
		for n := range plain {
			if f.Match(n) {
				want++
			}
		}
		if got := len(r.retained(f)); got != want {
			t.Fatalf("%q selects %d, want %d", f, got, want)
		}
		if (r.current(n) != nil) != plain[n] {
			t.Fatalf("%q: %v", n, r.current(n))
		}
	}
	for n := range plain {
		r.retain(newMessage(core.Message{Topic: n}, nil), nil)
	}
	if !r.retainer.root.empty() || r.bytes != 0 {
		t.Errorf("left %v, %d bytes", r.retainer.root, r.bytes)
	}
}

func FuzzStoredProperties(f *testing.F) {
	f.Add([]byte(`{"UTF8":true,"User":[["a","b"]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := fromStored(Stored{Topic: "a", Payload: []byte("x"), Properties: data})
		if frame := m.frame(form{five: true, qos: 1}, nil); len(frame) > 0 {
			patch(bytes.Clone(frame), 7, true)
		}
		again := properties{}
		if p := m.props.marshal(); p != nil && json.Unmarshal(p, &again) != nil {
			t.Fatalf("%s does not read back", p)
		}
	})
}

// fakeConn gives what it holds in pieces, and swallows what it gets.
type fakeConn struct {
	from  []byte
	piece int
}

func (c *fakeConn) Read(p []byte) (int, error) {
	if len(c.from) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.piece)], c.from)
	c.from = c.from[n:]
	return n, nil
}
func (*fakeConn) Write(p []byte) (int, error)      { return len(p), nil }
func (*fakeConn) Close() error                     { return nil }
func (*fakeConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*fakeConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*fakeConn) SetDeadline(time.Time) error      { return nil }
func (*fakeConn) SetReadDeadline(time.Time) error  { return nil }
func (*fakeConn) SetWriteDeadline(time.Time) error { return nil }

// ---- packets by hand, for what paho cannot send

func connect(t *testing.T, c net.Conn, id string, version byte) {
	t.Helper()
	send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: version, Connect: packets.ConnectParams{
		ProtocolName: []byte("MQTT"), Clean: true, ClientIdentifier: id, UsernameFlag: true, Username: []byte(id), PasswordFlag: true, Password: []byte("right")}})
	if ack := read(t, c, version); ack[0] != 0x20 || ack[3] != 0 {
		t.Fatalf("CONNACK % x", ack)
	}
}

func durable(t *testing.T, c net.Conn, id string) {
	t.Helper()
	send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: 4, Connect: packets.ConnectParams{
		ProtocolName: []byte("MQTT"), ClientIdentifier: id, UsernameFlag: true, Username: []byte(id), PasswordFlag: true, Password: []byte("right")}})
	read(t, c, 4)
}

func send(t *testing.T, c net.Conn, pk packets.Packet) {
	t.Helper()
	var buf bytes.Buffer
	var err error
	pk.Mods.AllowResponseInfo = true
	switch pk.FixedHeader.Type {
	case packets.Connect:
		err = pk.ConnectEncode(&buf)
	case packets.Subscribe:
		err = pk.SubscribeEncode(&buf)
	case packets.Publish:
		err = pk.PublishEncode(&buf)
	}
	if err == nil {
		_, err = c.Write(buf.Bytes())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// read returns the next packet.
func read(t *testing.T, c net.Conn, _ byte) []byte {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	var all []byte
	one := make([]byte, 1)
	next := func() byte {
		if _, err := c.Read(one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one[0])
		return one[0]
	}
	next()
	n, shift := 0, 0
	for {
		b := next()
		n |= int(b&0x7f) << shift
		if shift += 7; b < 0x80 {
			break
		}
	}
	for range n {
		next()
	}
	return all
}

func decodePublish(t *testing.T, data []byte) packets.Packet {
	t.Helper()
	pk := packets.Packet{ProtocolVersion: 5}
	if err := pk.FixedHeader.Decode(data[0]); err != nil || pk.FixedHeader.Type != packets.Publish {
		t.Fatalf("not a PUBLISH: % x", data)
	}
	if err := pk.PublishDecode(data[2:]); err != nil {
		t.Fatal(err)
	}
	return pk
}

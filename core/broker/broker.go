// Package broker is the MQTT server of Homeroom. It is the only package that
// knows which engine is inside.
//
// conn.go is the network: packets in, bytes out, and nobody waits for a client.
// front.go says what each packet means, wire.go how it is written (the codec of
// properties, acknowledgements and reason codes is mochi's). router.go knows who
// wants a message, session.go keeps what each client is owed, retained.go what a
// new subscriber gets, journal.go writes what must survive: an acknowledgement
// leaves only after what it promises is stored.
//
// mochi's server is not used. All of its parts had to be switched off or corrected
// (DESIGN: section 6), and what was left of it, a second reader, a second copy of
// each packet and two goroutines a client, was half of the memory of a connection.
package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// MaxPacket is the largest MQTT packet that is accepted, in bytes.
const MaxPacket = 4 << 20

// maxConns is the largest number of connections at once.
const maxConns = 10_000

// Gate decides who may connect and what they may publish and read.
type Gate interface {
	// Authenticate returns the account with that name and secret, which may use
	// that MQTT Client Identifier; or core.ErrDenied.
	Authenticate(ctx context.Context, name, secret, client, addr string) (core.Account, error)
	// Account returns the account as it is now.
	Account(id core.AccountID) (core.Account, bool)
	// Authorize returns the real name of what the account calls f, and nil if it
	// may do that. Of a real name it returns that name; or, to publish, what that
	// is called now. It is asked once a publish and must not wait for anything.
	Authorize(id core.AccountID, a core.Action, f topic.Filter) (real topic.Filter, err error)
	// Refuse keeps a refusal for the people it concerns. It must not wait.
	Refuse(core.Refusal)
}

// Config is everything a Broker needs.
type Config struct {
	Addr string // "127.0.0.1:0" picks a free port
	// TLS is how TLSAddr is served; nil is not at all.
	TLS     *tls.Config
	TLSAddr string
	// Limits are those of every account that has none of its own.
	Limits core.Limits
	Gate   Gate
	Store  Store
	// Sink gets every accepted message, in the order in which its client sent
	// them. It runs on that client's goroutine and must not wait.
	Sink func(core.Message)
	Feed *core.Feed
	Log  *slog.Logger
	// Version is told in $SYS/broker/version.
	Version string
}

// Broker is an MQTT server. It cannot be started twice: open another.
type Broker struct {
	cfg       Config
	listen    []net.Listener // for TCP, and for TLS where there is one
	journal   *journal
	router    *router
	xray      *xray
	trace     atomic.Pointer[trace] // nil while nobody asks for deliveries
	newcomers *newcomers
	started   time.Time

	numbers  atomic.Uint64 // that messages got, see core.Message.N
	in, out  atomic.Uint64 // messages accepted, deliveries written
	shed     atomic.Uint64 // deliveries dropped because a client was too slow
	stopping atomic.Bool

	mu       sync.Mutex
	conns    map[*conn]struct{}        // guarded by mu
	sessions map[string]*session       // guarded by mu; by MQTT Client Identifier
	wills    map[string]*delayed       // guarded by mu; by Client Identifier
	usage    map[core.AccountID]*usage // guarded by mu; of those who have a session
	limits   core.Limits               // guarded by mu

	close sync.Once
}

// Open reads what the store holds, binds the address and is ready to Run.
// A port that is taken is a core.ErrConflict with a sentence.
func Open(ctx context.Context, cfg Config) (*Broker, error) {
	b := newBroker(cfg)
	b.journal = newJournal(cfg.Store, cfg.Log, func(err error) {
		cfg.Gate.Refuse(core.Refusal{At: time.Now(), Count: 1, Say: core.Say("Messages wait to be stored: {reason}", "reason", sentence(err).String())})
	})
	saved, err := cfg.Store.LoadJournal(ctx)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b.restore(saved)
	plain, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, listenFailure(cfg.Addr, "--mqtt", err)
	}
	b.listen = append(b.listen, plain)
	if cfg.TLS != nil {
		secure, err := net.Listen("tcp", cfg.TLSAddr)
		if err != nil {
			return nil, errors.Join(listenFailure(cfg.TLSAddr, "--mqtts", err), b.Close())
		}
		b.listen = append(b.listen, tls.NewListener(secure, cfg.TLS))
	}
	return b, nil
}

func newBroker(cfg Config) *Broker {
	return &Broker{cfg: cfg, started: time.Now(), conns: map[*conn]struct{}{}, sessions: map[string]*session{}, wills: map[string]*delayed{},
		usage: map[core.AccountID]*usage{}, limits: cfg.Limits, router: newRouter(), newcomers: newNewcomers(), xray: newXray(cfg.Feed)}
}

// listenFailure says why addr cannot be had, and which flag changes it.
func listenFailure(addr, flag string, err error) error {
	_, port, splitErr := net.SplitHostPort(addr)
	if splitErr != nil {
		return core.Fail(core.ErrInvalid, "{address} is not an address. Write it as host:port, or :1883 for every network.", "address", addr)
	}
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.Errno(10048)) { // 10048: Windows' own number
		return core.Fail(core.ErrConflict, "Port {port} is taken by another program, perhaps another MQTT broker. Stop it, or choose another port with {flag}.", "port", port, "flag", flag)
	}
	return core.Fail(err, "MQTT cannot listen on {address}: {reason}. Choose another port with {flag}.", "address", addr, "reason", err, "flag", flag)
}

// Addr is the address the broker listens on.
func (b *Broker) Addr() string { return b.listen[0].Addr().String() }

// TLSAddr is the address the broker listens on for TLS, or "".
func (b *Broker) TLSAddr() string {
	if len(b.listen) < 2 {
		return ""
	}
	return b.listen[1].Addr().String()
}

// Run serves clients until ctx ends. Then it tells them, sends the wills of those
// who did not say goodbye, and stores what is owed.
func (b *Broker) Run(ctx context.Context) error {
	var clients, rest sync.WaitGroup
	rest.Go(b.journal.run)
	for _, l := range b.listen {
		clients.Go(func() { b.accept(l, &clients) })
	}
	rest.Go(func() { b.watch(ctx) })
	rest.Go(func() { b.tend(ctx) })
	<-ctx.Done()
	b.stopping.Store(true)
	err := b.unbind()
	b.mu.Lock()
	for c := range b.conns {
		c.disconnect(packets.ErrServerShuttingDown)
	}
	b.mu.Unlock()
	left := make(chan struct{})
	go func() { clients.Wait(); close(left) }()
	select {
	case <-left:
	case <-time.After(core.StopTimeout / 2):
		err = errors.Join(err, errors.New("broker: some clients did not go"))
	}
	b.sendWills()
	b.journal.stop()
	done := make(chan struct{})
	go func() { rest.Wait(); _ = b.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(core.StopTimeout/2 - time.Second):
		err = errors.Join(err, errors.New("broker: not everything was stored"))
	}
	return err
}

// Close frees the address. Run closes by itself; Close is for a broker that
// never ran. It may be called twice.
func (b *Broker) Close() (err error) {
	b.close.Do(func() {
		err = b.unbind()
	})
	return err
}

// Publish sends m on behalf of m.From and returns when it is stored for
// everybody who is owed it. A publish that is not allowed is core.ErrDenied. What
// only one account gets must not be retained.
func (b *Broker) Publish(ctx context.Context, m core.Message) error {
	if _, err := topic.ParseName(string(m.Topic)); err != nil {
		return core.Fail(core.ErrInvalid, "{topic} is not a topic to publish to: no + or #, at most {max} bytes.", "topic", short(string(m.Topic)), "max", topic.MaxLen)
	}
	if len(m.Payload) > MaxPacket-topic.MaxLen-64 {
		return core.Fail(core.ErrInvalid, "The payload is larger than {max} MB. Send less at once.", "max", MaxPacket>>20)
	}
	if strings.HasPrefix(string(m.Topic), "$") {
		return core.Fail(core.ErrDenied, "Topics that begin with $ belong to the broker. Publish to another topic.")
	}
	real, err := b.cfg.Gate.Authorize(m.From, core.Publish, topic.Filter(m.Topic))
	if err != nil {
		return err
	}
	m.Topic = topic.Name(real)
	m.At = time.Now()
	if err := b.journal.roomOr(ctx); err != nil {
		return err
	}
	accepted := newMessage(m, nil)
	if m.Retain && !b.router.mayRetain(accepted) {
		return tooMuchRetained()
	}
	return b.journal.wait(ctx, b.accepted(accepted, nil))
}

// accepted delivers m, which may be published, and returns the journal position
// that must be stored before anybody is told that it was taken. w are written to
// later by the caller; nil is at once.
func (b *Broker) accepted(m *message, w *wakes) uint64 {
	at, _ := b.acceptedOnce(m, nil, w)
	return at
}

// acceptedOnce is accepted, unless first says no: it puts into the same
// transaction that m was taken, and returns the position of that.
func (b *Broker) acceptedOnce(m *message, first func() (at uint64, ok bool), w *wakes) (uint64, bool) {
	m.N = b.numbers.Add(1)
	at, sinks, ok := b.store(m, first, w)
	if !ok {
		return 0, false
	}
	b.in.Add(1)
	if m.Retain {
		m.settle()
	}
	b.cfg.Sink(m.Message)
	for _, sub := range sinks {
		sub.sink(m.Message)
	}
	return at, true
}

// store puts everything that m causes into one group of the journal.
func (b *Broker) store(m *message, first func() (at uint64, ok bool), w *wakes) (at uint64, sinks []*subscription, ok bool) {
	b.journal.begin()
	defer b.journal.end()
	if first != nil {
		if at, ok = first(); !ok {
			return 0, nil, false
		}
	}
	m.traced = b.traces(m.Topic)
	if m.Retain {
		at = max(at, b.router.retain(m, b.journal))
	}
	delivered, sinks := b.router.deliver(m, w)
	return max(at, delivered), sinks, true
}

// Subscribe calls sink with every message that f, a real filter, selects, until
// cancel has been called; a call that is under way then may still end after it.
// Who asks has to check the permission. sink runs on the goroutine of whoever
// publishes, in the order in which each client sent, and must not wait.
func (b *Broker) Subscribe(f topic.Filter, sink func(core.Message)) (cancel func()) {
	sub := &subscription{filter: f, sink: sink}
	b.router.subscribe(sub, nil)
	var once sync.Once
	return func() { once.Do(func() { b.router.unsubscribe(sub) }) }
}

// Serve speaks MQTT on a connection that somebody else accepted, with the checks
// and limits of every other, and returns when it has ended. It closes raw.
func (b *Broker) Serve(raw net.Conn) {
	if !b.hasPlace() {
		_ = raw.Close()
		return
	}
	b.serve(raw)
}

// unbind frees the addresses. It may be called twice.
func (b *Broker) unbind() (err error) {
	for _, l := range b.listen {
		if e := l.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Retained returns at most limit retained messages that f selects, in order of topic.
func (b *Broker) Retained(f topic.Filter, limit int) []core.Message {
	found := b.router.retained(f)
	slices.SortFunc(found, func(x, y *message) int { return strings.Compare(string(x.Topic), string(y.Topic)) })
	found = found[:min(limit, len(found))]
	ms := make([]core.Message, len(found))
	for i, m := range found {
		ms[i] = m.Message
	}
	return ms
}

// Clients returns the sessions the broker knows, sorted by client identifier.
func (b *Broker) Clients() []core.Client {
	all := b.all()
	cs := make([]core.Client, 0, len(all))
	for _, s := range all {
		cs = append(cs, s.client())
	}
	slices.SortFunc(cs, func(x, y core.Client) int { return strings.Compare(x.ID, y.ID) })
	return cs
}

// Disconnect ends the connection of a client; its session stays. It fails with
// core.ErrNotFound where nobody is connected with that MQTT Client Identifier.
func (b *Broker) Disconnect(client string) error {
	b.mu.Lock()
	s := b.sessions[client]
	b.mu.Unlock()
	if s != nil {
		s.mu.Lock()
		c := s.conn
		s.mu.Unlock()
		if c != nil {
			c.disconnect(packets.ErrAdministrativeAction)
			return nil
		}
	}
	return core.Fail(core.ErrNotFound, "{client} is not connected any more.", "client", short(client))
}

// Watch replaces what the packet record listens to. The zero Watch ends it and
// keeps what was recorded; any other begins anew.
func (b *Broker) Watch(w core.Watch) { b.xray.Watch(w) }

// Watching returns what the packet record listens to.
func (b *Broker) Watching() core.Watch { return b.xray.Watching() }

// Packets returns the recorded packets after number after, oldest first, and how
// many of them the record had no room for.
func (b *Broker) Packets(after uint64) (ps []core.Packet, missed uint64) {
	return b.xray.Packets(after)
}

// Traffic returns the messages accepted and delivered since the broker was opened.
func (b *Broker) Traffic() (in, out uint64) { return b.in.Load(), b.out.Load() }

func (b *Broker) all() []*session {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*session, 0, len(b.sessions))
	for _, s := range b.sessions {
		all = append(all, s)
	}
	return all
}

// accept takes connections until the listener closes. Running out of file
// descriptors is a pause, not an end.
func (b *Broker) accept(l net.Listener, wg *sync.WaitGroup) {
	for pause := 5 * time.Millisecond; ; {
		raw, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			b.cfg.Log.Warn("cannot take a connection", "err", err)
			time.Sleep(pause)
			pause = min(2*pause, time.Second)
			continue
		}
		pause = 5 * time.Millisecond
		if !b.hasPlace() {
			_ = raw.Close()
			continue
		}
		wg.Go(func() { b.serve(raw) })
	}
}

// hasPlace reports whether one more connection may be had; the oldest that nobody
// has signed in on makes room for it.
func (b *Broker) hasPlace() bool {
	b.mu.Lock()
	full := len(b.conns) >= maxConns
	b.mu.Unlock()
	return !full || b.newcomers.evict()
}

// watch ends what an account may no longer have, as soon as accounts change.
func (b *Broker) watch(ctx context.Context) {
	l := b.cfg.Feed.Listen()
	defer l.Close()
	for {
		changed, err := l.Next(ctx)
		if err != nil {
			return
		}
		if changed&core.AccountsChanged != 0 {
			b.renewLimits()
			for _, s := range b.all() {
				s.recheck()
			}
		}
	}
}

// tend expires sessions and publishes $SYS until ctx ends.
func (b *Broker) tend(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 0; ; n++ {
		if n%10 == 0 {
			b.publishSys()
		}
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			b.expire(now)
		}
	}
}

// expire ends the sessions to which nobody came back in time.
func (b *Broker) expire(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions {
		if s.expired(now, connectWithin) {
			b.endLocked(s)
		}
	}
}

// publishSys tells the state of the broker in $SYS, which is kept in memory only.
func (b *Broker) publishSys() {
	connected, total := 0, 0
	for _, s := range b.all() {
		total++
		if s.online.Load() {
			connected++
		}
	}
	in, out := b.Traffic()
	for name, value := range map[topic.Name]string{
		"$SYS/broker/version":           "Homeroom " + b.cfg.Version,
		"$SYS/broker/uptime":            strconv.Itoa(int(time.Since(b.started).Seconds())),
		"$SYS/broker/clients/connected": strconv.Itoa(connected),
		"$SYS/broker/clients/total":     strconv.Itoa(total),
		"$SYS/broker/messages/received": strconv.FormatUint(in, 10),
		"$SYS/broker/messages/sent":     strconv.FormatUint(out, 10),
		"$SYS/broker/messages/dropped":  strconv.FormatUint(b.shed.Load(), 10),
	} {
		m := newMessage(core.Message{Topic: name, Payload: []byte(value), Retain: true, At: time.Now()}, nil)
		b.router.retain(m, nil)
		_, sinks := b.router.deliver(m, nil)
		for _, sub := range sinks {
			sub.sink(m.Message)
		}
	}
}

// may returns nil if the account may do a to f, a real name. A yes to what a
// mount makes of that name is no yes to it.
func (b *Broker) may(id core.AccountID, a core.Action, f topic.Filter) error {
	real, err := b.cfg.Gate.Authorize(id, a, f)
	if err == nil && real != f {
		return core.ErrDenied
	}
	return err
}

// current reports whether what was opened with that version of the account may
// stay open.
func (b *Broker) current(id core.AccountID, version int64) bool {
	a, ok := b.cfg.Gate.Account(id)
	return ok && !a.Disabled && a.Version == version
}

// refuse keeps a refusal for c's side to read, and the grant that was missing.
func (b *Broker) refuse(c *conn, missing refused, s core.Sentence) {
	r := core.Refusal{At: time.Now(), Count: 1, Account: c.account.ID, Name: short(c.name), Client: short(c.clientID), Addr: c.host(),
		Action: missing.action, Topic: missing.topic, Say: s}
	b.cfg.Gate.Refuse(r)
}

// short makes what came from outside fit for a sentence.
func short(s string) string { return core.Readable(s, 64) }

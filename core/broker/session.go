package broker

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	never  = math.MaxUint32 // seconds: a session that does not expire
	window = 1024           // unacknowledged deliveries at once, unless the client wants fewer
	// maxPassing is how many bytes may wait for a client that has taken nothing
	// for stalled, and whose session ends with its connection: who does not read
	// now will not read later.
	maxPassing = 512 << 10
	stalled    = time.Second
)

// session is what the broker remembers of a client (MQTT 5.0, section 4.1).
// Lock order: Broker.mu, session.mu, router.subsMu, conn.mu, retainer.mu, journal.
type session struct {
	b  *Broker
	id string

	online, keeps atomic.Bool // conn != nil, expiry > 0: for the router, which holds its own lock

	mu       sync.Mutex
	usage    *usage // guarded by mu, as all below; of the account
	account  core.AccountID
	name     string                   // the account's
	title    string                   // the account's, for sentences
	version  int64                    // the account's at CONNECT
	protocol byte                     // 3, 4 or 5
	expiry   uint32                   // seconds after the connection ends
	owner    *conn                    // the connection that opened it last
	conn     *conn                    // the owner once it is greeted; nil while away
	since    time.Time                // of the connection, or of its end
	kept     bool                     // the journal has it
	ended    bool                     // nothing is delivered any more
	subs     map[string]*subscription // by filter as it was sent
	received map[uint16]struct{}      // inbound QoS 2, not released

	inflight map[uint16]*owed // sent and not acknowledged
	queue    []*owed          // not sent, in order
	bytes    int              // that inflight and queue take
	flying   int              // that inflight takes
	due      []retainedFor    // retained messages that new subscriptions wait for
	paying   bool             // sendRetained runs
	moved    sync.Cond        // of mu: the queue or the connection changed
	shed     int              // dropped since it was last told
	dropped  uint64           // dropped in all
	clash    clash
	last     uint16 // packet identifier last used
	window   int
}

// owed is one message that a session has not acknowledged.
type owed struct {
	m        *message
	seq      int64
	qos      byte
	retain   bool
	ids      []int
	mounted  bool          // its client knows the topic without its branch
	share    *subscription // the shared one that alone asked for it, or nil
	packet   uint16
	sent     bool // by an earlier connection too: then DUP is set
	released bool // QoS 2: PUBREL is owed, not the message
}

func (b *Broker) newSession(id string) *session {
	s := &session{b: b, id: id, subs: map[string]*subscription{}, received: map[uint16]struct{}{}, inflight: map[uint16]*owed{}, window: window, since: time.Now()}
	s.moved.L = &s.mu
	return s
}

// restore brings back what the store held.
func (b *Broker) restore(saved Saved) {
	for _, e := range saved.Sessions {
		s := b.newSession(e.Client)
		s.account, s.name, s.title, s.version, s.protocol = e.Account, e.Name, e.Name, e.Version, e.Protocol
		s.setExpiry(e.Expiry)
		s.kept = true
		s.since = e.Left
		if s.since.IsZero() { // the program ended while it was connected
			s.since = time.Now()
		}
		account, _ := b.cfg.Gate.Account(s.account)
		account.ID = s.account
		s.usage = b.usageOf(account)
		s.usage.sessions++
		b.sessions[s.id] = s
	}
	for _, e := range saved.Subscriptions {
		s := b.sessions[e.Client]
		if s == nil {
			continue
		}
		f, err := topic.ParseFilter(e.Filter)
		if err != nil {
			continue
		}
		real, err := b.cfg.Gate.Authorize(s.account, core.Subscribe, f)
		if err != nil { // revoked while the program did not run
			b.journal.add(Entry{DropFilter: &Subscription{Client: s.id, Filter: e.Filter}})
			continue
		}
		sub := newSubscription(e, f, real)
		sub.s = s
		s.usage.filter(sub)
		s.subs[e.Filter] = sub
		b.router.subscribe(sub, nil)
	}
	for _, e := range saved.Retained {
		b.router.retain(fromStored(e), nil)
	}
	for _, e := range saved.Owed {
		b.journal.seq.Store(max(b.journal.seq.Load(), e.Seq))
		if s := b.sessions[e.Client]; s != nil {
			m := fromStored(e.Message)
			s.queue = append(s.queue, &owed{m: m, seq: e.Seq, qos: m.QoS, retain: m.Retain, ids: e.Ids, mounted: s.knowsMounted(m.Topic), packet: e.Packet, sent: e.Packet != 0, released: e.Released})
			s.bytes += m.cost()
		}
	}
	for _, e := range saved.Received {
		if s := b.sessions[e.Client]; s != nil {
			s.received[e.Packet] = struct{}{}
		}
	}
}

// knowsMounted reports whether only mounted subscriptions select n.
func (s *session) knowsMounted(n topic.Name) bool {
	known := false
	for _, sub := range s.subs {
		if sub.filter.Match(n) {
			if !sub.mounted {
				return false
			}
			known = true
		}
	}
	return known
}

// open finds or makes the session of a client that has proved its account, gives
// it to c with the will w, and ends the connection that has the identifier now.
func (b *Broker) open(c *conn, w *will, clean bool, expiry uint32, receiveMax uint16) (present bool, code packets.Code, err error) {
	b.mu.Lock()
	s := b.sessions[c.clientID]
	if s != nil {
		if owner, ok := s.belongsTo(c.account.ID); !ok {
			b.mu.Unlock()
			return false, packets.ErrClientIdentifierNotValid, core.Fail(core.ErrConflict, "Client ID {client} belongs to {owner}. Give {name} another client ID in its sketch.", "client", short(c.clientID), "owner", owner, "name", c.title())
		}
		if other := s.clashes(c); other != "" {
			b.mu.Unlock()
			return false, packets.ErrClientIdentifierNotValid, core.Fail(core.ErrConflict, "Two clients use the client ID {client}: {one} and {two}. Give one of them another ID.", "client", short(c.clientID), "one", other, "two", c.host())
		}
	}
	u := b.usageOf(c.account)
	u.conns++
	if code, err := b.hasRoom(c, u, s); err != nil {
		u.conns--
		b.forgetUsage(c.account.ID)
		b.mu.Unlock()
		return false, code, err
	}
	late := b.wills[c.clientID]
	if late != nil { // it is back in time (MQTT 5.0, section 3.1.3.2.2)
		late.timer.Stop()
		delete(b.wills, c.clientID)
	}
	var old *conn
	if s != nil {
		over := clean || s.expiryNow() == 0 || s.expired(time.Now(), 0) || !s.isOf(c.account.Version)
		if old = s.detach(); over {
			clash := s.clash
			b.endLocked(s)
			s = b.newSession(c.clientID)
			s.clash = clash
		} else {
			present = true
		}
	} else {
		s = b.newSession(c.clientID)
	}
	if !present {
		s.account, s.usage = c.account.ID, u
		u.sessions++
		b.sessions[s.id] = s
	}
	c.usage = u
	s.mu.Lock()
	s.account, s.name, s.title, s.version = c.account.ID, string(c.account.Name), c.title(), c.account.Version
	s.owner, s.protocol, s.window = c, c.version, window
	if receiveMax > 0 {
		s.window = min(window, int(receiveMax))
	}
	if expiry > 0 {
		b.journal.add(Entry{PutSession: s.stored(time.Time{}, expiry)})
	} else if s.kept {
		b.journal.add(Entry{DropSession: s.id}) // it lives as long as the connection now
	}
	s.kept = expiry > 0
	s.setExpiry(expiry)
	c.session = s
	s.mu.Unlock()
	c.mu.Lock()
	c.will = w
	c.mu.Unlock()
	b.mu.Unlock()

	if late != nil && !present { // the session it belonged to has ended
		b.sendWill(late.c, late.w)
	}
	if old != nil {
		w := old.takeWill()
		if w != nil && (w.delay == 0 || !present) {
			b.sendWill(old, w)
		}
		s.takenOver(old, c)
		old.disconnect(packets.ErrSessionTakenOver)
	}
	return present, packets.CodeSuccess, nil
}

// hasRoom checks what the account and the broker may have at once; s is the
// session that c takes over, or nil. b.mu is held.
func (b *Broker) hasRoom(c *conn, u *usage, s *session) (packets.Code, error) {
	most := u.limits().Connections
	if u.free {
		most = maxConns
	}
	taken := u.conns - 1
	if s != nil && s.online.Load() {
		taken--
	}
	if taken >= most {
		return packets.ErrQuotaExceeded, core.Fail(core.ErrConflict, "{name} has {n} connections already, which is the most. End some, or ask the teacher for more.", "name", c.title(), "n", taken)
	}
	if s != nil || u.sessions < most {
		return packets.CodeSuccess, nil
	}
	var oldest *session
	for _, x := range b.sessions { // the one that is away longest makes room
		if !x.online.Load() && x.usage == u && (oldest == nil || x.awaySince().Before(oldest.awaySince())) {
			oldest = x
		}
	}
	if oldest != nil {
		b.endLocked(oldest)
	}
	return packets.CodeSuccess, nil
}

func (s *session) awaySince() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since
}

func (s *session) belongsTo(id core.AccountID) (owner string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.title, s.account == id
}

// clash is what is known of two clients with one identifier, which would take
// the session from each other for ever. It is guarded by Broker.mu.
type clash struct {
	one, two string    // where they connect from
	count    int       // times that one took over from the other
	at       time.Time // the last time
}

const (
	clashes   = 3 // take-overs between two addresses before the newcomer is refused
	clashTime = 30 * time.Second
)

// clashes reports who keeps the identifier from c, or "". One of two clients
// that fight is let be, so that one of them works. b.mu is held.
func (s *session) clashes(c *conn) (other string) {
	if s.clash.count < clashes || time.Since(s.clash.at) > clashTime || !s.online.Load() {
		return ""
	}
	if now := s.addr(); now != c.host() {
		return now
	}
	return ""
}

// addr is where the session's client is connected from, or "".
func (s *session) addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return ""
	}
	return s.conn.host()
}

// takenOver notes that c took the session from old, and tells where that looks
// like two clients with one identifier.
func (s *session) takenOver(old, c *conn) {
	if old.host() == c.host() || time.Since(old.opened) > time.Minute {
		return
	}
	b := s.b
	b.mu.Lock()
	same := s.clash.one == old.host() && s.clash.two == c.host() || s.clash.two == old.host() && s.clash.one == c.host()
	if !same || time.Since(s.clash.at) > clashTime {
		s.clash = clash{one: old.host(), two: c.host()}
	}
	s.clash.count++
	s.clash.at = time.Now()
	b.mu.Unlock()
	b.refuse(c, refused{}, core.Say("Two clients use the client ID {client}: {one} and {two}. Give one of them another ID.", "client", short(c.clientID), "one", old.host(), "two", c.host()))
}

// stored is the session as the journal keeps it. s.mu is held.
func (s *session) stored(left time.Time, expiry uint32) *Session {
	return &Session{Client: s.id, Account: s.account, Name: s.name, Version: s.version, Protocol: s.protocol, Expiry: expiry, Left: left}
}

func (s *session) expiryNow() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expiry
}

// setConn sets the connection that is delivered to. s.mu is held.
func (s *session) setConn(c *conn) {
	s.conn, s.since = c, time.Now()
	s.online.Store(c != nil)
	s.moved.Broadcast()
}

// setExpiry sets the Session Expiry Interval. s.mu is held.
func (s *session) setExpiry(seconds uint32) {
	s.expiry = seconds
	s.keeps.Store(seconds > 0)
}

// detach takes the connection away from the session and returns it.
func (s *session) detach() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conn
	s.setConn(nil)
	return c
}

// keepFor sets the Session Expiry Interval, which c may while the session is its.
func (s *session) keepFor(c *conn, seconds uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner == c {
		s.setExpiry(seconds)
	}
}

// attach starts delivering to c: first what an earlier connection did not
// acknowledge, in order, then what came while nobody was there.
func (s *session) attach(c *conn, w *wakes) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != c || s.ended { // somebody else came, or the account went, meanwhile
		c.disconnect(packets.ErrSessionTakenOver)
		return
	}
	s.setConn(c)
	again := make([]*owed, 0, len(s.inflight)+len(s.queue))
	for _, o := range s.inflight {
		o.sent = true
		again = append(again, o)
	}
	clear(s.inflight)
	s.flying = 0
	slices.SortFunc(again, func(a, b *owed) int { return cmp.Compare(a.seq, b.seq) })
	s.queue = append(again, s.queue...)
	s.purge()
	s.send(w)
	s.pay()
}

// purge drops what waits and may not be read any more. s.mu is held.
func (s *session) purge() {
	s.queue = slices.DeleteFunc(s.queue, func(o *owed) bool {
		gone := !o.released && s.b.may(s.account, core.Subscribe, topic.Filter(o.m.Topic)) != nil
		if gone {
			s.forget(o)
		}
		return gone
	})
}

// deliver gives the session a message it subscribes to, and returns the journal
// position that stores it, or 0, and false where the session is not there for it.
func (s *session) deliver(m *message, d *delivery, w *wakes) (at uint64, taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.give(m, d, w)
}

// give is deliver. s.mu is held.
func (s *session) give(m *message, d *delivery, w *wakes) (at uint64, taken bool) {
	if m.To != 0 && m.To != s.account {
		return 0, true
	}
	if s.ended || s.conn == nil && (d.qos == 0 || s.expiry == 0 && s.owner == nil) {
		return 0, false
	}
	if d.qos == 0 {
		frame := m.frame(form{five: s.protocol == 5, retain: d.retain, mounted: d.mounted}, d.identifiers)
		if len(frame) > s.conn.maxPacket {
			return 0, true
		}
		if s.conn.deliver(frame, 0, false, 0, w) {
			s.b.out.Add(1)
			s.reached(m, false)
		} else {
			s.b.shed.Add(1)
			s.dropped++
		}
		return 0, true
	}
	o := &owed{m: m, seq: s.b.journal.seq.Add(1), qos: d.qos, retain: d.retain, mounted: d.mounted, share: d.share, ids: d.identifiers}
	s.bytes += m.cost()
	at = s.makeRoom()
	if s.conn != nil && len(s.queue) == 0 && len(s.inflight) < s.window {
		o.packet = s.identifier()
	}
	if s.writes(o) {
		at = max(at, s.b.journal.add(Entry{PutOwed: s.owedEntry(o)}))
	}
	s.queue = append(s.queue, o)
	s.send(w)
	return at, true
}

// writes reports whether o is in the journal. What is for one account alone may be a
// secret, so it is never on the disk. s.mu is held.
func (s *session) writes(o *owed) bool { return s.expiry > 0 && o.m.To == 0 }

// maxQueue is how many bytes may wait. s.mu is held.
func (s *session) maxQueue() int {
	most := s.usage.limits().Queue
	if s.expiry == 0 && s.bytes > maxPassing && s.conn != nil && s.conn.idle() > stalled {
		most = min(most, maxPassing)
	}
	return most
}

func (s *session) owedEntry(o *owed) *Owed {
	stored := o.m.stored()
	stored.QoS, stored.Retain = o.qos, o.retain
	return &Owed{Client: s.id, Seq: o.seq, Packet: o.packet, Released: o.released, Ids: o.ids, Message: stored}
}

// makeRoom drops the oldest messages that were not sent while more waits than
// may: what a kit said last is worth most. It is told, once a flood.
func (s *session) makeRoom() (at uint64) {
	most := s.maxQueue()
	if s.bytes <= most {
		return 0
	}
	first := len(s.resends()) // what was sent once stays: its identifier is in use
	for s.bytes > most && len(s.queue) > first {
		o := s.queue[first]
		copy(s.queue[1:first+1], s.queue[:first])
		s.queue[0] = nil
		s.queue = s.queue[1:]
		at = max(at, s.forget(o))
		s.b.shed.Add(1)
		s.dropped++
		if s.shed++; s.shed == 1 {
			s.b.cfg.Gate.Refuse(core.Refusal{At: time.Now(), Count: 1, Account: s.account, Name: s.name, Client: short(s.id),
				Say: core.Say("More than {max} MB wait for {name}, so the oldest messages are dropped. Connect it, or let it start with a clean session.", "max", max(1, most>>20), "name", s.title)})
		}
	}
	return at
}

// forget drops o from the accounts of the session and from the journal.
func (s *session) forget(o *owed) (at uint64) {
	s.bytes -= o.m.cost()
	if s.writes(o) {
		return s.b.journal.add(Entry{DropOwed: &Owed{Client: s.id, Seq: o.seq}})
	}
	return 0
}

// identifier returns a packet identifier that is not in use; 0 never.
func (s *session) identifier() uint16 {
	for {
		s.last++
		if s.last == 0 {
			continue
		}
		if _, used := s.inflight[s.last]; used {
			continue
		}
		if !slices.ContainsFunc(s.resends(), func(o *owed) bool { return o.packet == s.last }) {
			return s.last
		}
	}
}

// resends are the messages at the head of the queue that have an identifier already.
func (s *session) resends() []*owed {
	n := 0
	for n < len(s.queue) && s.queue[n].packet != 0 {
		n++
	}
	return s.queue[:n]
}

// pump sends what waits, when there is room again.
func (s *session) pump() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(nil)
}

// send writes from the queue as long as the client's window and the connection
// have room. s.mu is held.
func (s *session) send(w *wakes) {
	if s.conn == nil || len(s.queue) == 0 {
		return
	}
	most := s.maxQueue() / 2
	for s.conn != nil && len(s.queue) > 0 && len(s.inflight) < s.window && (s.flying < most || len(s.inflight) == 0) {
		o := s.queue[0]
		if o.released {
			if !s.conn.deliver(acknowledgement(packets.Pubrel, o.packet), 0, false, s.b.journal.position(), w) {
				return
			}
			s.fly(o)
			continue
		}
		if !o.sent && o.m.expired(time.Now()) {
			s.queue = s.queue[1:]
			s.forget(o)
			continue
		}
		frame := o.m.frame(form{five: s.protocol == 5, qos: o.qos, retain: o.retain, mounted: o.mounted}, o.ids)
		if len(frame) > s.conn.maxPacket { // MQTT 5.0, section 3.1.2.11.4: as if it was sent
			s.queue = s.queue[1:]
			s.forget(o)
			continue
		}
		fresh := o.packet == 0
		if fresh {
			o.packet = s.identifier()
		}
		after := uint64(0)
		if s.writes(o) && !o.sent {
			if fresh {
				after = s.b.journal.add(Entry{MarkOwed: &Owed{Client: s.id, Seq: o.seq, Packet: o.packet}})
			} else {
				after = s.b.journal.position()
			}
			if o.qos == 1 {
				after = 0 // at least once: a second time does no harm
			}
		}
		if !s.conn.deliver(frame, o.packet, o.sent, after, w) {
			return
		}
		s.b.out.Add(1)
		s.shed = 0
		s.fly(o)
	}
	if len(s.queue) == 0 {
		s.queue = nil // let go of the array
	}
	if s.paying {
		s.moved.Broadcast()
	}
}

// fly moves the first of the queue to what is sent. s.mu is held.
func (s *session) fly(o *owed) {
	s.queue, s.inflight[o.packet] = s.queue[1:], o
	s.flying += o.m.cost()
}

// acknowledged takes a PUBACK, PUBREC or PUBCOMP (MQTT 5.0, section 4.3). It fails
// where the client sends them and reads no answers.
func (s *session) acknowledged(c *conn, kind byte, id uint16, reason byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return errClosed
	}
	o := s.inflight[id]
	if kind == packets.Pubrec {
		release := acknowledgement(packets.Pubrel, id)
		at := uint64(0)
		switch {
		case o == nil && c.version == 5:
			release = []byte{packets.Pubrel<<4 | 2, 3, byte(id >> 8), byte(id), packets.ErrPacketIdentifierNotFound.Code}
		case o == nil:
		case o.qos != 2:
			return nil
		case reason >= 0x80:
			release = nil
		case !o.released:
			o.released = true
			if s.writes(o) {
				at = s.b.journal.add(Entry{MarkOwed: &Owed{Client: s.id, Seq: o.seq, Packet: id, Released: true}})
			}
		}
		if release != nil {
			return c.write(release, at) // after a crash it must not be sent as a message again
		}
	}
	if o == nil || (kind == packets.Puback) != (o.qos == 1) {
		return nil
	}
	delete(s.inflight, id)
	s.flying -= o.m.cost()
	s.forget(o)
	if reason < packets.ErrUnspecifiedError.Code {
		s.reached(o.m, true)
	}
	s.send(&c.wakes)
	if s.paying {
		s.moved.Broadcast()
	}
	return nil
}

// subscribe adds a subscription and returns the journal position that stores
// it, and whether the filter was subscribed to before, or that there are too many.
func (s *session) subscribe(sub *subscription) (at uint64, existed, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return 0, false, false
	}
	old := s.subs[sub.Filter]
	if old == nil {
		if len(s.subs) >= maxFilters || !s.usage.filter(sub) {
			return 0, false, true
		}
	}
	sub.s = s
	s.subs[sub.Filter] = sub
	s.b.router.subscribe(sub, old)
	if s.expiry > 0 {
		at = s.b.journal.add(Entry{PutSubscription: &sub.Subscription})
	}
	return at, old != nil, false
}

func (s *session) unsubscribe(filter string) (at uint64, existed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[filter]
	if sub == nil {
		return 0, false
	}
	delete(s.subs, filter)
	s.usage.unfilter(sub)
	s.b.router.unsubscribe(sub)
	if s.expiry > 0 {
		at = s.b.journal.add(Entry{DropFilter: &Subscription{Client: s.id, Filter: filter}})
	}
	return at, true
}

// owe queues the retained messages of new subscriptions, and sees to it that
// one goroutine delivers them.
func (s *session) owe(due []retainedFor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = append(s.due, due...) // of two for one filter, the older finds its subscription gone
	s.pay()
}

// pay starts delivering what is due of the retained messages. s.mu is held.
func (s *session) pay() {
	if !s.paying && len(s.due) > 0 && s.conn != nil {
		s.paying = true
		go s.sendRetained()
	}
}

// sendRetained delivers what is due, at the speed at which the client reads it.
// What is left when the client goes is delivered when it comes back.
func (s *session) sendRetained() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.conn != nil && len(s.due) > 0 {
		due := &s.due[0]
		if s.subs[due.sub.Filter] != due.sub {
			s.due = s.due[1:]
			continue
		}
		if !due.found {
			s.look(due.sub)
			continue
		}
		if len(due.rest) == 0 {
			s.due = s.due[1:]
			continue
		}
		if c := s.conn; !s.waitQueue(c) || !s.waitRoom(c) || len(s.due) == 0 || due != &s.due[0] || s.subs[due.sub.Filter] != due.sub {
			continue // things have changed, perhaps it may not read this any more
		}
		m := due.rest[0]
		due.rest[0], due.rest = nil, due.rest[1:]
		s.giveRetained(m, due)
	}
	s.paying = false
	if len(s.due) == 0 {
		s.due = nil
	}
}

// look finds what is retained for sub. s.mu is held, but not while it looks:
// there may be a hundred thousand.
func (s *session) look(sub *subscription) {
	s.mu.Unlock()
	found := s.b.router.retained(sub.filter)
	s.mu.Lock()
	if len(s.due) > 0 && s.due[0].sub == sub {
		s.due[0].rest, s.due[0].found = found, true
	}
}

// giveRetained delivers one retained message, unless the subscription has had it
// or a newer one. s.mu is held.
func (s *session) giveRetained(m *message, due *retainedFor) {
	sub := due.sub
	switch {
	case m.expired(time.Now()):
		s.b.router.forget(m, s.b.journal)
		return
	case m.turn > due.since, sub.NoLocal && m.Client == s.id, s.b.router.current(m.Topic) != m:
		return
	}
	d := delivery{s: s, qos: min(sub.QoS, m.QoS), retain: true, mounted: sub.mounted}
	if sub.Identifier > 0 {
		d.identifiers = []int{sub.Identifier}
	}
	s.give(m, &d, nil)
}

// waitRoom waits until c has room for a delivery, and reports whether it still is
// the session's. s.mu is held, but not while it waits.
func (s *session) waitRoom(c *conn) bool {
	s.mu.Unlock()
	open := c.waitRoom()
	s.mu.Lock()
	return open && s.conn == c
}

// waitQueue waits until the client has taken most of what it is owed, and
// reports whether it is still there. s.mu is held, but not while it waits.
func (s *session) waitQueue(c *conn) bool {
	for s.conn == c && !s.ended && (len(s.queue) >= window || s.bytes >= s.maxQueue()/2) {
		s.moved.Wait()
	}
	return s.conn == c && !s.ended
}

// left ends connection c. Without a DISCONNECT its will is published.
func (s *session) left(c *conn, clean bool) {
	w := c.takeWill()
	if clean {
		w = nil
	}
	s.mu.Lock()
	gone := false
	wait := time.Duration(s.expiry) * time.Second
	if s.owner == c && !s.ended {
		s.owner = nil
		s.setConn(nil)
		if gone = s.expiry == 0; !gone {
			s.b.journal.add(Entry{PutSession: s.stored(s.since, s.expiry)})
		}
	}
	s.mu.Unlock()
	s.b.mu.Lock()
	c.usage.conns--
	s.b.forgetUsage(c.account.ID)
	s.b.mu.Unlock()
	if gone {
		s.b.end(s)
	}
	s.b.cfg.Feed.Tell(core.ClientsChanged)
	switch {
	case w == nil:
	case w.delay == 0 || gone || s.b.stopping.Load():
		s.b.sendWill(c, w)
	default:
		s.b.delayWill(c, w, min(w.delay, wait))
	}
}

// will is what is published when the connection ends without a DISCONNECT.
type will struct {
	m       *message
	delay   time.Duration
	expires time.Duration // of the message, from its sending; 0 is never
}

// delayed is a will that is sent unless its client comes back in time.
type delayed struct {
	timer *time.Timer
	c     *conn
	w     *will
}

// delayWill sends the will of c after d, unless the client is back by then.
func (b *Broker) delayWill(c *conn, w *will, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	late := &delayed{c: c, w: w}
	switch s := c.session; {
	case b.sessions[c.clientID] != s: // the session has ended since
		go b.sendWill(c, w)
		return
	case s.isOwned(): // the client is back since
		return
	}
	late.timer = time.AfterFunc(d, func() {
		b.mu.Lock()
		mine := b.wills[c.clientID] == late
		if mine {
			delete(b.wills, c.clientID)
		}
		b.mu.Unlock()
		if mine {
			b.sendWill(c, w)
		}
	})
	b.wills[c.clientID] = late
}

// isOf reports whether the session was opened by this version of its account.
func (s *session) isOf(version int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version == version
}

func (s *session) isOwned() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owner != nil
}

// sendWills sends the wills that wait: nobody will be there to send them later.
func (b *Broker) sendWills() {
	b.mu.Lock()
	late := b.wills
	b.wills = map[string]*delayed{}
	b.mu.Unlock()
	for _, l := range late {
		l.timer.Stop()
		b.sendWill(l.c, l.w)
	}
}

// sendWill publishes the will of c. It was allowed at CONNECT; it is asked again,
// and goes to what its topic is called now.
func (b *Broker) sendWill(c *conn, w *will) {
	was := topic.Filter(w.m.Topic)
	real, err := b.cfg.Gate.Authorize(c.account.ID, core.Publish, was)
	if own, _ := b.cfg.Gate.Authorize(c.account.ID, core.Subscribe, was); err == nil && own != was {
		err = core.ErrDenied // it is no real name to the account any more: see may
	}
	if err != nil {
		b.refuse(c, refused{core.Publish, was}, sentence(err))
		return
	}
	w.m.Topic = topic.Name(real)
	if w.m.Retain && !b.router.mayRetain(w.m) {
		w.m.Retain = false
	}
	w.m.At, w.m.Will = time.Now(), true
	if w.expires > 0 {
		w.m.props.Expires = w.m.At.Add(w.expires)
	}
	b.accepted(w.m, nil)
}

// expired reports whether nobody came back in time, or within grace after it.
func (s *session) expired(now time.Time, grace time.Duration) bool {
	if s.online.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owner == nil && !s.ended && s.expiry != never && now.Sub(s.since) > time.Duration(s.expiry)*time.Second+grace
}

// end forgets a session that nobody is connected to.
func (b *Broker) end(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sessions[s.id] == s && !s.online.Load() {
		b.endLocked(s)
	}
}

// endLocked forgets a session. Its will is due, and what a shared subscription
// gave it alone goes to another member. b.mu is held.
func (b *Broker) endLocked(s *session) {
	delete(b.sessions, s.id)
	s.usage.sessions--
	if late := b.wills[s.id]; late != nil { // MQTT 5.0, section 3.1.3.2.2
		late.timer.Stop()
		delete(b.wills, s.id)
		go b.sendWill(late.c, late.w)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.moved.Broadcast()
	for _, sub := range s.subs {
		s.usage.unfilter(sub)
		b.router.unsubscribe(sub)
	}
	b.forgetUsage(s.account)
	if s.kept {
		b.journal.add(Entry{DropSession: s.id})
	}
	var shared []*owed
	for _, o := range s.inflight {
		if o.share != nil && !o.released {
			shared = append(shared, o)
		}
	}
	slices.SortFunc(shared, func(a, b *owed) int { return cmp.Compare(a.seq, b.seq) })
	for _, o := range s.queue {
		if o.share != nil && !o.released {
			shared = append(shared, o)
		}
	}
	if len(shared) > 0 {
		go b.redistribute(shared)
	}
	clear(s.subs)
	clear(s.inflight)
	s.queue, s.due, s.bytes, s.flying = nil, nil, 0, 0
}

// redistribute gives what a member of shared subscriptions left behind to others.
func (b *Broker) redistribute(left []*owed) {
	b.journal.begin()
	defer b.journal.end()
	for _, o := range left {
		b.router.redeliver(o.m, o.share, nil)
	}
}

// recheck ends what the account may no longer have: everything where the
// account has changed, else the filters that it may no longer read.
func (s *session) recheck() {
	s.mu.Lock()
	c := s.conn
	if !s.b.current(s.account, s.version) {
		s.setConn(nil)
		s.owner = nil
		s.mu.Unlock()
		s.b.end(s) // before its client can come back
		if c != nil {
			c.takeWill() // it was the right of an account that is no more
			c.disconnect(packets.ErrNotAuthorized)
		}
		s.b.cfg.Feed.Tell(core.ClientsChanged)
		return
	}
	account := s.account
	filters := make([]*subscription, 0, len(s.subs))
	for _, sub := range s.subs {
		filters = append(filters, sub)
	}
	s.mu.Unlock()
	revoked := false
	for _, sub := range filters {
		f, err := topic.ParseFilter(sub.Filter)
		if err != nil {
			continue
		}
		real, err := s.b.cfg.Gate.Authorize(account, core.Subscribe, f)
		switch {
		case err != nil:
			revoked = true
			s.unsubscribe(sub.Filter)
			if c != nil {
				s.b.refuse(c, refused{core.Subscribe, real}, sentence(err))
			}
		case real != sub.filter: // its mount is another now
			s.subscribe(newSubscription(sub.Subscription, f, real))
		}
	}
	if !revoked {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.purge()
}

// client is the session as people see it.
func (s *session) client() core.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := core.Client{ID: s.id, Account: s.account, Connected: s.conn != nil, Durable: s.expiry > 0, Since: s.since,
		Waiting: len(s.queue) + len(s.inflight), Bytes: s.bytes, Dropped: s.dropped,
		Protocol: map[byte]string{3: "3.1", 4: "3.1.1", 5: "5"}[s.protocol]}
	if s.conn != nil {
		c.Addr = s.conn.RemoteAddr().String()
	}
	for f := range s.subs {
		c.Filters = append(c.Filters, f)
	}
	return c
}

// unreleased returns how many inbound QoS 2 messages are not released.
func (s *session) unreleased() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.received)
}

// seen reports whether an inbound QoS 2 message was taken before.
func (s *session) seen(packet uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.received[packet]
	return ok
}

// receive remembers an inbound QoS 2 message of c until it is released, and
// returns the journal position that stores it, or 0; and false where another
// connection has the session now, on which the client sends it again.
func (s *session) receive(c *conn, packet uint16) (at uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != c {
		return 0, false
	}
	s.received[packet] = struct{}{}
	if s.expiry == 0 {
		return 0, true
	}
	return s.b.journal.add(Entry{PutReceived: &Received{s.id, packet}}), true
}

// release forgets an inbound QoS 2 message of c and returns the journal position
// that stores it, or 0, and whether there was one.
func (s *session) release(c *conn, packet uint16) (at uint64, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known = s.received[packet]; !known || s.owner != c {
		return 0, false
	}
	delete(s.received, packet)
	if s.expiry == 0 {
		return 0, true
	}
	return s.b.journal.add(Entry{DropReceived: &Received{s.id, packet}}), true
}

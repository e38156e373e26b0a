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
	never    = math.MaxUint32 // seconds: a session that does not expire
	maxQueue = 16 << 20       // bytes that may wait for one session
	window   = 1024           // unacknowledged deliveries at once, unless the client wants fewer
)

// session is what the broker remembers of a client (MQTT 5.0, section 4.1).
// Lock order: Broker.mu, session.mu, conn.mu, journal.
type session struct {
	b  *Broker
	id string

	online, keeps atomic.Bool // conn != nil, expiry > 0: for the router, which holds its own lock

	mu       sync.Mutex
	account  core.AccountID           // guarded by mu, as all below
	name     string                   // the account's
	title    string                   // the account's, for sentences
	version  int64                    // the account's at CONNECT
	protocol byte                     // 3, 4 or 5
	expiry   uint32                   // seconds after the connection ends
	owner    *conn                    // the connection that opened it last
	conn     *conn                    // the owner once it is greeted; nil while away
	since    time.Time                // of the connection, or of its end
	ended    bool                     // nothing is delivered any more
	subs     map[string]*subscription // by filter as it was sent
	received map[uint16]struct{}      // inbound QoS 2, not released

	inflight map[uint16]*owed // sent and not acknowledged
	queue    []*owed          // not sent, in order
	bytes    int              // that inflight and queue take
	flying   int              // that inflight takes
	due      []retainedFor    // retained messages that new subscriptions wait for
	paying   bool             // sendRetained runs
	shed     int              // dropped since it was last told
	last     uint16           // packet identifier last used
	window   int
}

// owed is one message that a session has not acknowledged.
type owed struct {
	m        *message
	seq      int64
	qos      byte
	retain   bool
	ids      []int
	packet   uint16
	sent     bool // by an earlier connection too: then DUP is set
	released bool // QoS 2: PUBREL is owed, not the message
}

func (b *Broker) newSession(id string) *session {
	return &session{b: b, id: id, subs: map[string]*subscription{}, received: map[uint16]struct{}{}, inflight: map[uint16]*owed{}, window: window, since: time.Now()}
}

// restore brings back what the store held.
func (b *Broker) restore(saved Saved) {
	for _, e := range saved.Sessions {
		s := b.newSession(e.Client)
		s.account, s.name, s.title, s.version, s.protocol = e.Account, e.Name, e.Name, e.Version, e.Protocol
		s.setExpiry(e.Expiry)
		s.since = e.Left
		if s.since.IsZero() { // the program ended while it was connected
			s.since = time.Now()
		}
		b.sessions[s.id] = s
	}
	for _, e := range saved.Subscriptions {
		if s := b.sessions[e.Client]; s != nil {
			if sub, err := newSubscription(e); err == nil {
				s.subs[e.Filter] = sub
				b.router.subscribe(s, sub)
			}
		}
	}
	for _, e := range saved.Retained {
		b.router.retain(fromStored(e), nil)
	}
	for _, e := range saved.Owed {
		b.journal.seq.Store(max(b.journal.seq.Load(), e.Seq))
		if s := b.sessions[e.Client]; s != nil {
			m := fromStored(e.Message)
			s.queue = append(s.queue, &owed{m: m, seq: e.Seq, qos: m.QoS, retain: m.Retain, ids: e.Ids, packet: e.Packet, sent: e.Packet != 0, released: e.Released})
			s.bytes += m.cost()
		}
	}
	for _, e := range saved.Received {
		if s := b.sessions[e.Client]; s != nil {
			s.received[e.Packet] = struct{}{}
		}
	}
}

func newSubscription(e Subscription) (*subscription, error) {
	f, err := topic.ParseFilter(e.Filter)
	if err != nil {
		return nil, err
	}
	sub := &subscription{Subscription: e, filter: f}
	if n := len(e.Filter) - len(f); n > 0 {
		sub.group = e.Filter[len("$share/") : n-1]
	}
	return sub, nil
}

// open finds or makes the session of a client that has proved its account, and
// ends the connection that has the identifier now.
func (b *Broker) open(c *conn, clean bool, expiry uint32, receiveMax uint16) (present bool, err error) {
	b.mu.Lock()
	s := b.sessions[c.clientID]
	if s != nil {
		s.mu.Lock()
		if s.account != c.account.ID {
			owner := s.title
			s.mu.Unlock()
			b.mu.Unlock()
			return false, core.Fail(core.ErrConflict, "Client ID {client} belongs to {owner}. Give {name} another client ID in its sketch.", "client", short(c.clientID), "owner", owner, "name", c.title())
		}
		s.mu.Unlock()
	}
	late := b.wills[c.clientID]
	if late != nil { // it is back in time (MQTT 5.0, section 3.1.3.2.2)
		late.timer.Stop()
		delete(b.wills, c.clientID)
	}
	var old *conn
	if s != nil {
		old = s.detach()
		if clean || s.expiryNow() == 0 {
			b.endLocked(s)
			s = nil
		}
	}
	present = s != nil
	if s == nil {
		s = b.newSession(c.clientID)
		s.account = c.account.ID
		b.sessions[s.id] = s
	}
	b.mu.Unlock()

	s.mu.Lock()
	s.account, s.name, s.title, s.version = c.account.ID, string(c.account.Name), c.title(), c.account.Version
	s.owner, s.protocol, s.window = c, c.version, window
	s.setExpiry(expiry)
	if receiveMax > 0 {
		s.window = min(window, int(receiveMax))
	}
	c.session, c.present = s, present
	if expiry > 0 {
		b.journal.add(Entry{PutSession: s.stored(time.Time{})})
	} else if present {
		b.journal.add(Entry{DropSession: s.id}) // it lives as long as the connection now
	}
	s.mu.Unlock()

	if late != nil && !present { // the session it belonged to has ended
		b.sendWill(late.c, late.w)
	}
	if old != nil {
		w := old.takeWill()
		if w != nil && (w.delay == 0 || !present) {
			b.sendWill(old, w)
		}
		if old.host() != c.host() && time.Since(old.opened) < time.Minute {
			b.refuse(c, core.Say("Two clients use the client ID {client}: {one} and {two}. Give one of them another ID.", "client", short(c.clientID), "one", old.host(), "two", c.host()))
		}
		old.disconnect(packets.ErrSessionTakenOver)
	}
	return present, nil
}

// stored is the session as the journal keeps it. s.mu is held.
func (s *session) stored(left time.Time) *Session {
	return &Session{Client: s.id, Account: s.account, Name: s.name, Version: s.version, Protocol: s.protocol, Expiry: s.expiry, Left: left}
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

// attach starts delivering to c: first what an earlier connection did not
// acknowledge, in order, then what came while nobody was there.
func (s *session) attach(c *conn) {
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
	s.send()
}

// deliver gives the session a message it subscribes to, and returns the journal
// position that stores it, or 0.
func (s *session) deliver(m *message, d delivery) (at uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.give(m, d)
}

// give is deliver. s.mu is held.
func (s *session) give(m *message, d delivery) (at uint64) {
	if s.ended || s.conn == nil && (s.expiry == 0 || d.qos == 0) {
		return 0
	}
	if d.qos == 0 {
		frame := m.frame(s.protocol, 0, d.retain, d.identifiers)
		if len(frame) > s.conn.maxPacket {
			return 0
		}
		if s.conn.deliver(frame, 0, false, 0) {
			s.b.out.Add(1)
		} else {
			s.b.shed.Add(1)
		}
		return 0
	}
	o := &owed{m: m, seq: s.b.journal.seq.Add(1), qos: d.qos, retain: d.retain, ids: d.identifiers}
	s.bytes += m.cost()
	at = s.makeRoom()
	if s.conn != nil && len(s.queue) == 0 && len(s.inflight) < s.window {
		o.packet = s.identifier()
	}
	if s.expiry > 0 {
		at = max(at, s.b.journal.add(Entry{PutOwed: s.owedEntry(o)}))
	}
	s.queue = append(s.queue, o)
	s.send()
	return at
}

func (s *session) owedEntry(o *owed) *Owed {
	stored := o.m.stored()
	stored.QoS, stored.Retain = o.qos, o.retain
	return &Owed{Client: s.id, Seq: o.seq, Packet: o.packet, Released: o.released, Ids: o.ids, Message: stored}
}

// makeRoom drops the oldest messages that were not sent while more than
// maxQueue waits: what a kit said last is worth most. It is told, once a flood.
func (s *session) makeRoom() (at uint64) {
	first := len(s.resends()) // what was sent once stays: its identifier is in use
	for s.bytes > maxQueue && len(s.queue) > first {
		o := s.queue[first]
		s.queue = slices.Delete(s.queue, first, first+1)
		at = max(at, s.forget(o))
		s.b.shed.Add(1)
		if s.shed++; s.shed == 1 {
			s.b.cfg.Gate.Refuse(core.Refusal{At: time.Now(), Count: 1, Account: s.account, Name: s.name, Client: short(s.id),
				Say: core.Say("More than {max} MB wait for {name}, so the oldest messages are dropped. Connect it, or let it start with a clean session.", "max", maxQueue>>20, "name", s.title)})
		}
	}
	return at
}

// forget drops o from the accounts of the session and from the journal.
func (s *session) forget(o *owed) (at uint64) {
	s.bytes -= o.m.cost()
	if s.expiry > 0 {
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
	s.send()
}

// send writes from the queue as long as the client's window and the connection
// have room. s.mu is held.
func (s *session) send() {
	now := time.Now()
	for s.conn != nil && len(s.queue) > 0 && len(s.inflight) < s.window && s.flying < maxQueue/2 {
		o := s.queue[0]
		if o.released {
			if !s.conn.deliver([]byte{packets.Pubrel<<4 | 2, 2, byte(o.packet >> 8), byte(o.packet)}, 0, false, s.b.journal.position()) {
				return
			}
			s.fly(o)
			continue
		}
		if !o.sent && o.m.expired(now) {
			s.queue = s.queue[1:]
			s.forget(o)
			continue
		}
		frame := o.m.frame(s.protocol, o.qos, o.retain, o.ids)
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
		if s.expiry > 0 && !o.sent {
			if fresh {
				after = s.b.journal.add(Entry{MarkOwed: &Owed{Client: s.id, Seq: o.seq, Packet: o.packet}})
			} else {
				after = s.b.journal.position()
			}
			if o.qos == 1 {
				after = 0 // at least once: a second time does no harm
			}
		}
		if !s.conn.deliver(frame, o.packet, o.sent, after) {
			return
		}
		s.b.out.Add(1)
		s.shed = 0
		s.fly(o)
	}
	if len(s.queue) == 0 {
		s.queue = nil // let go of the array
	}
}

// fly moves the first of the queue to what is sent. s.mu is held.
func (s *session) fly(o *owed) {
	s.queue, s.inflight[o.packet] = s.queue[1:], o
	s.flying += o.m.cost()
}

// acknowledged takes a PUBACK, PUBREC or PUBCOMP (MQTT 5.0, section 4.3).
func (s *session) acknowledged(c *conn, kind byte, id uint16, reason byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return
	}
	o := s.inflight[id]
	if kind == packets.Pubrec {
		release := []byte{packets.Pubrel<<4 | 2, 2, byte(id >> 8), byte(id)}
		at := uint64(0)
		switch {
		case o == nil && c.version == 5:
			release = []byte{packets.Pubrel<<4 | 2, 3, byte(id >> 8), byte(id), packets.ErrPacketIdentifierNotFound.Code}
		case o == nil:
		case o.qos != 2:
			return
		case reason >= 0x80:
			release = nil
		case !o.released:
			o.released = true
			if s.expiry > 0 {
				at = s.b.journal.add(Entry{MarkOwed: &Owed{Client: s.id, Seq: o.seq, Packet: id, Released: true}})
			}
		}
		if release != nil {
			c.answer(release, at) // after a crash it must not be sent as a message again
			return
		}
	}
	if o == nil || (kind == packets.Puback) != (o.qos == 1) {
		return
	}
	delete(s.inflight, id)
	s.flying -= o.m.cost()
	s.forget(o)
	s.send()
}

// subscribe adds a subscription and returns the journal position that stores
// it, and whether the filter was subscribed to before.
func (s *session) subscribe(sub *subscription) (at uint64, existed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return 0, false
	}
	_, existed = s.subs[sub.Filter]
	s.subs[sub.Filter] = sub
	s.b.router.subscribe(s, sub)
	if s.expiry > 0 {
		at = s.b.journal.add(Entry{PutSubscription: &sub.Subscription})
	}
	return at, existed
}

func (s *session) unsubscribe(filter string) (at uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[filter]
	if sub == nil {
		return 0
	}
	delete(s.subs, filter)
	s.b.router.unsubscribe(s, sub)
	if s.expiry > 0 {
		at = s.b.journal.add(Entry{DropFilter: &Subscription{Client: s.id, Filter: filter}})
	}
	return at
}

// owe queues the retained messages of new subscriptions, and sees to it that
// one goroutine delivers them.
func (s *session) owe(due []retainedFor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range due {
		s.due = slices.DeleteFunc(s.due, func(x retainedFor) bool { return x.sub.Filter == d.sub.Filter })
		s.due = append(s.due, d)
	}
	if !s.paying && len(s.due) > 0 {
		s.paying = true
		go s.sendRetained()
	}
}

// sendRetained delivers what is due, at the speed at which the client reads it.
func (s *session) sendRetained() {
	for {
		s.mu.Lock()
		if len(s.due) == 0 {
			s.paying, s.due = false, nil
			s.mu.Unlock()
			return
		}
		due := s.due[0]
		s.due = s.due[1:]
		s.mu.Unlock()
		for _, m := range s.b.router.retained(due.sub.filter) {
			if m.expired(time.Now()) {
				s.b.router.forget(m, s.b.journal)
				continue
			}
			if !m.At.Before(due.since) {
				continue // the subscription has had it
			}
			if !due.c.waitRoom() || !s.waitQueue(due.c) {
				break
			}
			d := delivery{qos: min(due.sub.QoS, m.QoS), retain: true}
			if due.sub.Identifier > 0 {
				d.identifiers = []int{due.sub.Identifier}
			}
			if !s.deliverRetained(m, d, due.sub) {
				break
			}
		}
	}
}

// deliverRetained delivers m unless a newer one has been, and reports whether
// the subscription still stands.
func (s *session) deliverRetained(m *message, d delivery, sub *subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subs[sub.Filter] != sub {
		return false
	}
	if s.b.router.current(m.Topic) == m {
		s.give(m, d)
	}
	return true
}

// waitQueue waits until the client has taken most of what it is owed, and
// reports whether it is still there.
func (s *session) waitQueue(c *conn) bool {
	for {
		s.mu.Lock()
		here, short := s.conn == c && !s.ended, len(s.queue) < window && s.bytes < maxQueue/2
		s.mu.Unlock()
		if !here || short {
			return here
		}
		select {
		case <-c.done:
			return false
		case <-time.After(time.Millisecond):
		}
	}
}

// left ends connection c. Without a DISCONNECT its will is published.
func (s *session) left(c *conn, clean bool) {
	w := c.takeWill()
	if clean || s.b.stopping.Load() {
		w = nil
	}
	s.mu.Lock()
	gone := false
	wait := time.Duration(s.expiry) * time.Second
	if s.owner == c && !s.ended {
		s.owner = nil
		s.setConn(nil)
		if gone = s.expiry == 0; !gone {
			s.b.journal.add(Entry{PutSession: s.stored(s.since)})
		}
	}
	s.mu.Unlock()
	if gone {
		s.b.end(s)
	}
	s.b.cfg.Feed.Tell(core.ClientsChanged)
	switch {
	case w == nil:
	case w.delay == 0 || gone:
		s.b.sendWill(c, w)
	default:
		s.b.delayWill(c, w, min(w.delay, wait))
	}
}

func (b *Broker) delayWill(c *conn, w *will, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	late := &delayed{c: c, w: w}
	late.timer = time.AfterFunc(d, func() {
		b.mu.Lock()
		mine := b.wills[c.clientID] == late
		if mine {
			delete(b.wills, c.clientID)
		}
		b.mu.Unlock()
		if mine && !b.stopping.Load() {
			b.sendWill(c, w)
		}
	})
	b.wills[c.clientID] = late
}

// sendWill publishes the will of c. It was allowed at CONNECT; it is asked again.
func (b *Broker) sendWill(c *conn, w *will) {
	if err := b.may(c.account.ID, core.Publish, topic.Filter(w.m.Topic)); err != nil {
		b.refuse(c, sentence(err))
		return
	}
	w.m.At = time.Now()
	if w.expires > 0 {
		w.m.props.Expires = w.m.At.Add(w.expires)
	}
	b.accepted(w.m, nil)
}

// expired reports whether nobody came back in time.
func (s *session) expired(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn == nil && !s.ended && s.expiry != never && now.Sub(s.since) > time.Duration(s.expiry)*time.Second+connectWithin
}

// end forgets a session that nobody is connected to.
func (b *Broker) end(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sessions[s.id] == s && !s.online.Load() {
		b.endLocked(s)
	}
}

// endLocked forgets a session. b.mu is held.
func (b *Broker) endLocked(s *session) {
	delete(b.sessions, s.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for _, sub := range s.subs {
		b.router.unsubscribe(s, sub)
	}
	b.journal.add(Entry{DropSession: s.id})
	clear(s.subs)
	clear(s.inflight)
	s.queue, s.due, s.bytes, s.flying = nil, nil, 0, 0
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
		if c != nil {
			c.takeWill() // it was the right of an account that is no more
			c.disconnect(packets.ErrNotAuthorized)
		}
		s.b.end(s)
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
		if err := s.b.may(account, core.Subscribe, sub.filter); err != nil {
			revoked = true
			s.unsubscribe(sub.Filter)
			if c != nil {
				s.b.refuse(c, sentence(err))
			}
		}
	}
	if !revoked {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = slices.DeleteFunc(s.queue, func(o *owed) bool { // what waits for it is not its any more
		gone := o.packet == 0 && s.b.may(account, core.Subscribe, topic.Filter(o.m.Topic)) != nil
		if gone {
			s.forget(o)
		}
		return gone
	})
}

// client is the session as people see it.
func (s *session) client() core.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := core.Client{ID: s.id, Account: s.account, Connected: s.conn != nil, Durable: s.expiry > 0, Since: s.since,
		Protocol: map[byte]string{3: "3.1", 4: "3.1.1", 5: "5"}[s.protocol]}
	if s.conn != nil {
		c.Addr = s.conn.RemoteAddr().String()
	}
	for f := range s.subs {
		c.Filters = append(c.Filters, f)
	}
	return c
}

package broker

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"homeroom/core"
	"homeroom/core/topic"
)

// router knows who wants which topic, and the retained messages.
type router struct {
	retainer

	subsMu sync.RWMutex
	root   *level // guarded by subsMu
}

// level is one level of the filters that somebody subscribes to.
type level struct {
	next map[string]*level
	here []*subscription   // filters that end here
	away map[string]*group // shared ones, by group
	// mounts is set once a session may be here twice, by a real name and by a
	// mounted one; else it is here once.
	mounts bool
}

// group is one shared subscription (MQTT 5.0, section 4.8.2).
type group struct {
	members []*subscription
	turn    atomic.Uint32 // changed under the router's read lock
}

// subscription is one filter of one session. It does not change.
type subscription struct {
	Subscription
	s       *session
	filter  topic.Filter       // its real name, without $share/group/
	group   string             // of a shared subscription, or ""
	sink    func(core.Message) // of the program itself, instead of a session
	mounted bool               // its session knows the topics without their branch
}

func newRouter() *router { return &router{root: &level{}} }

// newSubscription returns what e asks for, f being its filter as parsed and real
// the real name of that.
func newSubscription(e Subscription, f, real topic.Filter) *subscription {
	sub := &subscription{Subscription: e, filter: real, mounted: mounted(f, real)}
	if n := len(e.Filter) - len(f); n > 0 {
		sub.group = e.Filter[len("$share/") : n-1]
	}
	return sub
}

// subscribe adds a subscription; in place of old, where that is not nil.
func (r *router) subscribe(sub, old *subscription) {
	r.subsMu.Lock()
	defer r.subsMu.Unlock()
	if old != nil && old.filter != sub.filter {
		r.root.remove(old, string(old.filter), true)
		old = nil
	}
	at := r.root
	for rest, more := string(sub.filter), true; more; {
		var l string
		l, rest, more = strings.Cut(rest, "/")
		child := at.next[l]
		if child == nil {
			child = &level{}
			if at.next == nil {
				at.next = map[string]*level{}
			}
			at.next[l] = child
		}
		at = child
	}
	if sub.group == "" {
		at.mounts = at.mounts || sub.mounted
		at.here = replace(at.here, old, sub)
		return
	}
	if at.away == nil {
		at.away = map[string]*group{}
	}
	g := at.away[sub.group]
	if g == nil {
		g = &group{}
		at.away[sub.group] = g
	}
	g.members = replace(g.members, old, sub)
}

// replace puts sub where old is, or at the end.
func replace(subs []*subscription, old, sub *subscription) []*subscription {
	if old != nil {
		if i := slices.Index(subs, old); i >= 0 {
			subs[i] = sub
			return subs
		}
	}
	return append(subs, sub)
}

// unsubscribe removes a subscription and the levels that nobody needs any more.
func (r *router) unsubscribe(sub *subscription) {
	r.subsMu.Lock()
	defer r.subsMu.Unlock()
	r.root.remove(sub, string(sub.filter), true)
}

func (l *level) remove(sub *subscription, rest string, more bool) (empty bool) {
	if more {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		if child := l.next[name]; child != nil && child.remove(sub, rest, more) {
			delete(l.next, name)
		}
	} else if sub.group == "" {
		l.here = without(l.here, sub)
	} else if g := l.away[sub.group]; g != nil {
		if g.members = without(g.members, sub); len(g.members) == 0 {
			delete(l.away, sub.group)
		}
	}
	return len(l.next) == 0 && len(l.here) == 0 && len(l.away) == 0
}

// without takes sub out, in no order: a thousand clients that leave at once must
// not move each other's.
func without(subs []*subscription, sub *subscription) []*subscription {
	i := slices.Index(subs, sub)
	if i < 0 {
		return subs
	}
	last := len(subs) - 1
	subs[i], subs[last] = subs[last], nil
	return subs[:last]
}

// delivery is what one session gets of a message: once, whatever overlaps.
type delivery struct {
	s           *session
	qos         byte
	retain      bool
	mounted     bool
	identifiers []int
	share       *subscription // the shared one that alone asked for it, or nil
}

// found gathers the deliveries of one message.
type found struct {
	sinks  []*subscription
	list   []delivery
	levels int              // places that had subscriptions: with one, nobody is there twice
	where  map[*session]int // index in list, once there are many
}

var finds = sync.Pool{New: func() any { return &found{where: map[*session]int{}} }}

// few is how many deliveries are searched one by one.
const few = 16

// deliver hands m to every session that wants it and returns the journal
// position that stores what is owed, or 0, and who inside the program wants it.
func (r *router) deliver(m *message, w *wakes) (at uint64, sinks []*subscription) {
	f := finds.Get().(*found)
	r.subsMu.RLock()
	// a wildcard at the first level does not reach $-topics (MQTT 5.0, section 4.7.2)
	r.root.match(string(m.Topic), true, m.Topic[0] == '$', m, f)
	r.subsMu.RUnlock()
	for i := range f.list {
		d := &f.list[i]
		here, taken := d.s.deliver(m, d, w)
		if !taken && d.share != nil {
			here = r.redeliver(m, d.share, w)
		}
		at = max(at, here)
	}
	sinks, f.sinks = f.sinks, nil
	clear(f.list)
	if f.list, f.levels = f.list[:0], 0; len(f.where) > 0 {
		clear(f.where)
	}
	finds.Put(f)
	return at, sinks
}

// redeliver gives m to another member of a shared subscription, because the one
// that sub was of has ended (MQTT 5.0, section 4.8.2). Where nobody is left the
// message is gone, as if nobody had subscribed.
func (r *router) redeliver(m *message, sub *subscription, w *wakes) (at uint64) {
	for range 8 { // they may all be about to leave
		r.subsMu.RLock()
		next := r.member(sub)
		r.subsMu.RUnlock()
		if next == nil {
			return 0
		}
		d := delivery{s: next.s, qos: min(next.QoS, m.QoS), retain: next.RetainAsPublished && m.Retain, mounted: next.mounted, share: next}
		if next.Identifier > 0 {
			d.identifiers = []int{next.Identifier}
		}
		at, taken := next.s.deliver(m, &d, w)
		if taken {
			return at
		}
	}
	return 0
}

// member picks who is next in the group of a shared subscription, or returns nil.
// subsMu is held.
func (r *router) member(sub *subscription) *subscription {
	at := r.root
	for rest, more := string(sub.filter), true; more; {
		var l string
		l, rest, more = strings.Cut(rest, "/")
		if at = at.next[l]; at == nil {
			return nil
		}
	}
	if g := at.away[sub.group]; g != nil {
		return g.pick()
	}
	return nil
}

func (l *level) match(rest string, more, dollar bool, m *message, f *found) {
	if !dollar {
		if all := l.next["#"]; all != nil { // matches its parent level too (section 4.7.1.2)
			all.collect(m, f)
		}
	}
	if !more {
		l.collect(m, f)
		return
	}
	if l.next == nil {
		return
	}
	name, rest, more := strings.Cut(rest, "/")
	if child := l.next[name]; child != nil {
		child.match(rest, more, false, m, f)
	}
	if any := l.next["+"]; any != nil && !dollar {
		any.match(rest, more, false, m, f)
	}
}

func (l *level) collect(m *message, f *found) {
	if len(l.here) > 0 {
		if f.levels++; l.mounts {
			f.levels++
		}
		for _, sub := range l.here {
			f.add(sub, m)
		}
	}
	for _, g := range l.away {
		if sub := g.pick(); sub != nil {
			f.levels++
			f.add(sub, m)
		}
	}
}

// pick chooses the member whose turn it is among those that are connected; where
// nobody is, one whose session keeps the message; nil where there is none.
func (g *group) pick() *subscription {
	var waiting *subscription
	first := int(g.turn.Add(1) % uint32(len(g.members)))
	for i := range g.members {
		sub := g.members[(first+i)%len(g.members)]
		if sub.s.online.Load() {
			return sub
		}
		if waiting == nil && sub.s.keeps.Load() {
			waiting = sub
		}
	}
	return waiting
}

// add adds what sub gets of m to what its session gets.
func (f *found) add(sub *subscription, m *message) {
	if sub.sink != nil && m.To != 0 {
		return
	}
	if sub.sink != nil {
		f.sinks = append(f.sinks, sub)
		return
	}
	if sub.NoLocal && m.Client == sub.s.id {
		return
	}
	d := f.of(sub.s)
	if d == nil {
		f.list = append(f.list, delivery{s: sub.s, mounted: true})
		d = &f.list[len(f.list)-1]
		if sub.group != "" {
			d.share = sub
		}
		if len(f.list) > few && f.levels > 1 {
			f.where[sub.s] = len(f.list) - 1
		}
	}
	if sub != d.share {
		d.share = nil
	}
	d.qos = max(d.qos, min(sub.QoS, m.QoS))
	d.retain = d.retain || sub.RetainAsPublished && m.Retain
	d.mounted = d.mounted && sub.mounted
	if sub.Identifier > 0 {
		d.identifiers = append(d.identifiers, sub.Identifier)
	}
}

// of returns the delivery to s, or nil.
func (f *found) of(s *session) *delivery {
	if f.levels <= 1 { // a session has one subscription a filter
		return nil
	}
	for i := range f.list[:min(few, len(f.list))] {
		if f.list[i].s == s {
			return &f.list[i]
		}
	}
	if len(f.list) <= few {
		return nil
	}
	if len(f.where) == 0 { // those of the first level were not counted
		for i := few; i < len(f.list); i++ {
			f.where[f.list[i].s] = i
		}
	}
	if i, ok := f.where[s]; ok {
		return &f.list[i]
	}
	return nil
}

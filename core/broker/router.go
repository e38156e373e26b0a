package broker

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"homeroom/core/topic"
)

// router knows who wants which topic, and the retained messages.
type router struct {
	mu   sync.RWMutex
	root *level // guarded by mu

	retainedMu sync.RWMutex
	kept       map[topic.Name]*message // guarded by retainedMu
}

// level is one level of the filters that somebody subscribes to.
type level struct {
	next map[string]*level
	here map[*session]*subscription // filters that end here
	away map[string]*group          // shared ones, by group
}

// group is one shared subscription (MQTT 5.0, section 4.8.2).
type group struct {
	members map[*session]*subscription
	order   []*session
	turn    atomic.Uint32 // changed under the router's read lock
}

// subscription is one filter of one session.
type subscription struct {
	Subscription
	filter topic.Filter // without $share/group/
	group  string       // of a shared subscription, or ""
}

func newRouter() *router {
	return &router{root: &level{}, kept: map[topic.Name]*message{}}
}

// subscribe adds or replaces a subscription of s.
func (r *router) subscribe(s *session, sub *subscription) {
	r.mu.Lock()
	defer r.mu.Unlock()
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
		if at.here == nil {
			at.here = map[*session]*subscription{}
		}
		at.here[s] = sub
		return
	}
	if at.away == nil {
		at.away = map[string]*group{}
	}
	g := at.away[sub.group]
	if g == nil {
		g = &group{members: map[*session]*subscription{}}
		at.away[sub.group] = g
	}
	if g.members[s] == nil {
		g.order = append(g.order, s)
	}
	g.members[s] = sub
}

// unsubscribe removes a subscription of s and the levels that nobody needs any more.
func (r *router) unsubscribe(s *session, sub *subscription) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.root.remove(s, sub, string(sub.filter), true)
}

func (l *level) remove(s *session, sub *subscription, rest string, more bool) (empty bool) {
	if more {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		if child := l.next[name]; child != nil && child.remove(s, sub, rest, more) {
			delete(l.next, name)
		}
	} else if sub.group == "" {
		delete(l.here, s)
	} else if g := l.away[sub.group]; g != nil {
		delete(g.members, s)
		g.order = slices.DeleteFunc(g.order, func(x *session) bool { return x == s })
		if len(g.members) == 0 {
			delete(l.away, sub.group)
		}
	}
	return len(l.next) == 0 && len(l.here) == 0 && len(l.away) == 0
}

// delivery is what one session gets of a message: once, whatever overlaps.
type delivery struct {
	qos         byte
	retain      bool
	identifiers []int
}

// deliver hands m to every session that wants it and returns the journal
// position that stores what is owed, or 0.
func (r *router) deliver(m *message) (at uint64) {
	found := matches.Get().(map[*session]delivery)
	r.mu.RLock()
	// a wildcard at the first level does not reach $-topics (MQTT 5.0, section 4.7.2)
	r.root.match(string(m.Topic), true, strings.HasPrefix(string(m.Topic), "$"), m, found)
	r.mu.RUnlock()
	for s, d := range found {
		at = max(at, s.deliver(m, d))
	}
	clear(found)
	matches.Put(found)
	return at
}

var matches = sync.Pool{New: func() any { return map[*session]delivery{} }}

func (l *level) match(rest string, more, dollar bool, m *message, found map[*session]delivery) {
	if !dollar {
		if all := l.next["#"]; all != nil { // matches its parent level too (section 4.7.1.2)
			all.collect(m, found)
		}
	}
	if !more {
		l.collect(m, found)
		return
	}
	if l.next == nil {
		return
	}
	name, rest, more := strings.Cut(rest, "/")
	if child := l.next[name]; child != nil {
		child.match(rest, more, false, m, found)
	}
	if any := l.next["+"]; any != nil && !dollar {
		any.match(rest, more, false, m, found)
	}
}

func (l *level) collect(m *message, found map[*session]delivery) {
	for s, sub := range l.here {
		sub.add(s, m, found)
	}
	for _, g := range l.away {
		if s := g.pick(); s != nil {
			g.members[s].add(s, m, found)
		}
	}
}

// pick chooses the member whose turn it is among those that are connected; where
// nobody is, one whose session keeps the message; nil where there is none.
func (g *group) pick() *session {
	var waiting *session
	first := int(g.turn.Add(1)) % len(g.order)
	for i := range g.order {
		s := g.order[(first+i)%len(g.order)]
		if s.online.Load() {
			return s
		}
		if waiting == nil && s.keeps.Load() {
			waiting = s
		}
	}
	return waiting
}

func (sub *subscription) add(s *session, m *message, found map[*session]delivery) {
	if sub.NoLocal && m.Client == s.id {
		return
	}
	d := found[s]
	d.qos = max(d.qos, min(sub.QoS, m.QoS))
	d.retain = d.retain || sub.RetainAsPublished && m.Retain
	if sub.Identifier > 0 {
		d.identifiers = append(d.identifiers, sub.Identifier)
	}
	found[s] = d
}

// retain keeps m, or forgets its topic where m is empty (MQTT 5.0, section
// 3.3.1.3), and returns the journal position that stores it. j is nil for
// what is kept in memory only.
func (r *router) retain(m *message, j *journal) (at uint64) {
	r.retainedMu.Lock() // held while adding: the journal must end with what is kept here
	defer r.retainedMu.Unlock()
	var e Entry
	if len(m.Payload) > 0 {
		r.kept[m.Topic] = m
		s := m.stored()
		e.PutRetained = &s
	} else if _, ok := r.kept[m.Topic]; ok {
		delete(r.kept, m.Topic)
		e.DropRetained = m.Topic
	} else {
		return 0
	}
	if j == nil {
		return 0
	}
	return j.add(e)
}

// retained returns the retained messages that f selects, in no order.
func (r *router) retained(f topic.Filter) []*message {
	r.retainedMu.RLock()
	defer r.retainedMu.RUnlock()
	if !strings.ContainsAny(string(f), "+#") {
		if m := r.kept[topic.Name(f)]; m != nil {
			return []*message{m}
		}
		return nil
	}
	var found []*message
	for name, m := range r.kept {
		if f.Match(name) {
			found = append(found, m)
		}
	}
	return found
}

// current returns the retained message of a topic, or nil.
func (r *router) current(n topic.Name) *message {
	r.retainedMu.RLock()
	defer r.retainedMu.RUnlock()
	return r.kept[n]
}

// forget drops a retained message that is no longer worth delivering.
func (r *router) forget(m *message, j *journal) {
	r.retainedMu.Lock()
	defer r.retainedMu.Unlock()
	if r.kept[m.Topic] == m {
		delete(r.kept, m.Topic)
		j.add(Entry{DropRetained: m.Topic})
	}
}

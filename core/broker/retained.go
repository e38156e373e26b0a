package broker

import (
	"strings"
	"sync"

	"homeroom/core"
	"homeroom/core/topic"
)

// maxRetained is how much all retained messages may take together, in bytes.
const maxRetained = 256 << 20

// retainer keeps the retained messages, by level of their topic, so that a
// filter is looked up without looking at every message.
type retainer struct {
	mu    sync.RWMutex
	root  shelf  // guarded by mu
	bytes int    // guarded by mu; that they take
	turns uint64 // guarded by mu; messages that were retained
}

// shelf is one level. Most have one level below them (the state of a lamp, the
// value of a sensor), and a map for one takes more memory than the message.
type shelf struct {
	m    *message          // of the topic that ends here, or nil
	name string            // of only
	only *shelf            // the level below, while there is one
	many map[string]*shelf // the levels below, once there are more
}

// child returns the level below with that name, or nil.
func (s *shelf) child(name string) *shelf {
	if s.only != nil && s.name == name {
		return s.only
	}
	return s.many[name]
}

// add makes a level below.
func (s *shelf) add(name string) *shelf {
	child := &shelf{}
	switch {
	case s.many != nil:
		s.many[name] = child
	case s.only == nil:
		s.name, s.only = name, child
	default:
		s.many = map[string]*shelf{s.name: s.only, name: child}
		s.name, s.only = "", nil
	}
	return child
}

// remove drops a level below.
func (s *shelf) remove(name string) {
	if s.only != nil {
		s.name, s.only = "", nil
		return
	}
	if delete(s.many, name); len(s.many) == 0 {
		s.many = nil
	}
}

func (s *shelf) empty() bool { return s.m == nil && s.only == nil && s.many == nil }

// below calls do for every level below; where first, not for those of $-topics,
// which wildcards at the first level do not reach (MQTT 5.0, section 4.7.2).
func (s *shelf) below(first bool, do func(*shelf)) {
	if s.only != nil && !(first && strings.HasPrefix(s.name, "$")) {
		do(s.only)
	}
	for name, child := range s.many {
		if !first || !strings.HasPrefix(name, "$") {
			do(child)
		}
	}
}

// mayRetain reports whether there is room for a retained message. Clearing one
// always has room.
func (r *retainer) mayRetain(m *message) bool {
	if len(m.Payload) == 0 {
		return true
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	bytes := r.bytes + m.cost()
	if old := r.find(m.Topic); old != nil {
		bytes -= old.cost()
	}
	return bytes <= maxRetained
}

func tooMuchRetained() error {
	return core.Fail(core.ErrConflict, "The retained messages take more than {max} MB. Clear some, or publish without retain.", "max", maxRetained>>20)
}

// turn returns a number that rises with each message that is retained.
func (r *retainer) turn() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.turns
}

// retain keeps m, or forgets its topic where m is empty (MQTT 5.0, section
// 3.3.1.3), and returns the journal position that stores it. j is nil for
// what is kept in memory only.
func (r *retainer) retain(m *message, j *journal) (at uint64) {
	r.mu.Lock() // held while adding: the journal must end with what is kept here
	defer r.mu.Unlock()
	var e Entry
	if len(m.Payload) > 0 {
		r.turns++
		m.turn = r.turns
		r.put(m)
		s := m.stored()
		e.PutRetained = &s
	} else if r.drop(m.Topic) {
		e.DropRetained = m.Topic
	} else {
		return 0
	}
	if j == nil {
		return 0
	}
	return j.add(e)
}

// put keeps m. r.mu is held.
func (r *retainer) put(m *message) {
	at := &r.root
	for rest, more := string(m.Topic), true; more; {
		var l string
		l, rest, more = strings.Cut(rest, "/")
		child := at.child(l)
		if child == nil {
			child = at.add(l)
		}
		at = child
	}
	if at.m != nil {
		r.bytes -= at.m.cost()
	}
	at.m = m
	r.bytes += m.cost()
}

// drop forgets a topic and the levels that nobody needs any more, and reports
// whether there was one. r.mu is held.
func (r *retainer) drop(n topic.Name) bool {
	dropped := r.root.drop(string(n), true)
	if dropped == nil {
		return false
	}
	r.bytes -= dropped.cost()
	return true
}

func (s *shelf) drop(rest string, more bool) (m *message) {
	if !more {
		m, s.m = s.m, nil
		return m
	}
	l, rest, more := strings.Cut(rest, "/")
	child := s.child(l)
	if child == nil {
		return nil
	}
	if m = child.drop(rest, more); child.empty() {
		s.remove(l)
	}
	return m
}

// find returns the message of a topic, or nil. r.mu is held.
func (r *retainer) find(n topic.Name) *message {
	at := &r.root
	for rest, more := string(n), true; more; {
		var l string
		l, rest, more = strings.Cut(rest, "/")
		if at = at.child(l); at == nil {
			return nil
		}
	}
	return at.m
}

// retained returns the retained messages that f selects, in no order.
func (r *retainer) retained(f topic.Filter) (found []*message) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	r.root.match(string(f), true, true, &found)
	return found
}

// match adds what the rest of a filter selects. first is the first level.
func (s *shelf) match(rest string, more, first bool, found *[]*message) {
	if !more {
		if s.m != nil {
			*found = append(*found, s.m)
		}
		return
	}
	l, rest, more := strings.Cut(rest, "/")
	switch l {
	case "#":
		s.all(first, found)
	case "+":
		s.below(first, func(child *shelf) { child.match(rest, more, false, found) })
	default:
		if child := s.child(l); child != nil {
			child.match(rest, more, false, found)
		}
	}
}

// all adds everything at and below s: "#" is its parent too (section 4.7.1.2).
func (s *shelf) all(first bool, found *[]*message) {
	if s.m != nil {
		*found = append(*found, s.m)
	}
	s.below(first, func(child *shelf) { child.all(false, found) })
}

// current returns the retained message of a topic, or nil.
func (r *retainer) current(n topic.Name) *message {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.find(n)
}

// forget drops a retained message that is no longer worth delivering.
func (r *retainer) forget(m *message, j *journal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.find(m.Topic) == m {
		r.drop(m.Topic)
		j.add(Entry{DropRetained: m.Topic})
	}
}

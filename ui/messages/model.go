package messages

import (
	"strings"
	"sync"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// Bounds of the stream. A payload of 1 MB counts as much as it weighs.
const (
	maxStream = 2_000
	maxBytes  = 8 << 20
)

// batch is how many messages are asked for at once, and batches how often in
// one Load.
const (
	batch   = 4_096
	batches = 8
)

// askAgain is the shortest time between two questions to the broker about
// everything that is retained.
const askAgain = 5 * time.Second

// scope is what the person wants to see.
type scope struct {
	search string       // somewhere in the topic, in lower case
	filter topic.Filter // "" is every topic
	system bool         // $SYS too
	under  string       // UID of the tree's selected node; the stream shows only what is at or below it
}

// topic reports whether the tree shows n.
func (s scope) topic(n topic.Name) bool {
	if strings.HasPrefix(string(n), "$") && !s.system && !strings.HasPrefix(string(s.filter), "$") {
		return false
	}
	if s.filter != "" && !s.filter.Match(n) {
		return false
	}
	return s.search == "" || strings.Contains(strings.ToLower(string(n)), s.search)
}

// message reports whether the stream shows messages to n.
func (s scope) message(n topic.Name) bool {
	return s.topic(n) && (s.under == root || strings.HasPrefix(uid(n), s.under))
}

// entry is one row of the stream: a message, or how many went by unseen.
type entry struct {
	seq    uint64 // position in the history; of a hole, that of the message after it
	missed uint64 // messages that went by unseen; then there is no Message
	core.Message
}

// model is what the screen knows. Load fills it away from the UI goroutine,
// the widgets read it on the UI goroutine; each holds mu only briefly.
type model struct {
	mu     sync.Mutex
	tree   *tree   // guarded by mu
	scope  scope   // guarded by mu
	stream []entry // guarded by mu; oldest first; replaced, never changed in place
	came   uint64  // guarded by mu; messages in scope since the program looked first
	floor  uint64  // guarded by mu; messages up to here were cleared away
	again  bool    // guarded by mu; the stream has to be read anew
	grown  bool    // guarded by mu; the tree's shape changed since it was drawn
	read   uint64  // guarded by mu; position up to which messages were read

	// used by load only
	topicsRead uint64
	doubt      bool      // messages went by unseen, so what is retained is not known
	asked      time.Time // when the broker was asked what is retained
}

func newModel() *model {
	m := &model{}
	m.tree = newTree(func(n topic.Name) bool { return m.scope.topic(n) })
	return m
}

// rescope changes what is seen. It reports whether the tree is different now.
func (m *model) rescope(change func(*scope)) (tree bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.scope
	change(&m.scope)
	if m.scope == was {
		return false
	}
	m.again = true
	was.under = m.scope.under
	if was != m.scope {
		m.tree.refilter()
		m.grown = true
	}
	return was != m.scope
}

// present returns what is seen.
func (m *model) present() scope {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.scope
}

// clear empties the stream.
func (m *model) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.floor, m.stream = m.read, nil
}

// load takes in what changed. One goroutine at a time calls it.
func (m *model) load(h History, b Broker) {
	topics, now := h.Topics(m.topicsRead)
	m.topicsRead = now
	m.mu.Lock()
	for _, t := range topics {
		m.grown = m.tree.put(t) || m.grown
	}
	m.mu.Unlock()
	if m.messages(h) {
		m.doubt = true
	}
	if m.asked.IsZero() || m.doubt && time.Since(m.asked) > askAgain {
		m.doubt, m.asked = false, time.Now()
		m.retained(b.Retained("#", maxTopics))
	}
}

// retained takes in everything the broker keeps.
func (m *model) retained(kept []core.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.tree.nodes {
		n.retained = false
	}
	for _, r := range kept {
		if n := m.tree.nodes[uid(r.Topic)]; n == nil || !n.here {
			m.grown = m.tree.put(core.TopicState{Last: r, Size: len(r.Payload)}) || m.grown
		}
		m.tree.keep(r.Topic, true)
	}
}

// messages reads on in the stream. It reports whether messages went by unseen.
func (m *model) messages(h History) (hole bool) {
	m.mu.Lock()
	scope, known, from := m.scope, m.read, m.read
	if m.again {
		m.again, m.stream, from = false, nil, m.floor
	}
	m.mu.Unlock()
	for range batches {
		ms, next, lost := h.Messages(from, batch)
		first := next - uint64(len(ms)) + 1
		var more []entry
		if lost > 0 && known > 0 && first-1 > known {
			hole = true
			more = append(more, entry{seq: first, missed: first - 1 - known})
		}
		m.mu.Lock()
		for i, msg := range ms {
			seq := first + uint64(i)
			if msg.Retain && seq > known {
				m.tree.keep(msg.Topic, len(msg.Payload) > 0)
			}
			if seq > m.floor && scope.message(msg.Topic) {
				more = append(more, entry{seq: seq, Message: msg})
				if seq > known {
					m.came++
				}
			}
		}
		if m.scope == scope {
			m.stream = appendBounded(m.stream, more)
		}
		m.read = max(m.read, next)
		m.mu.Unlock()
		if len(ms) < batch {
			break
		}
		from, known = next, max(known, next)
	}
	return hole
}

// appendBounded returns a new slice of the newest of both within the bounds.
func appendBounded(old, more []entry) []entry {
	if len(more) == 0 {
		return old
	}
	n, bytes := 0, 0
	at := func(i int) entry { // counted from the newest
		if i < len(more) {
			return more[len(more)-1-i]
		}
		return old[len(old)-1-(i-len(more))]
	}
	for n < len(old)+len(more) && n < maxStream {
		bytes += len(at(n).Payload)
		if bytes > maxBytes && n > 0 {
			break
		}
		n++
	}
	all := make([]entry, n)
	for i := range n {
		all[n-1-i] = at(i)
	}
	return all
}

// snapshot is the stream as it is, how many messages came so far, and whether
// the tree's shape changed since the last snapshot.
func (m *model) snapshot() (stream []entry, came uint64, grown bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	grown, m.grown = m.grown, false
	return m.stream, m.came, grown
}

// entries returns the stream as it is.
func (m *model) entries() []entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stream
}

// look calls f with the node of that UID while it cannot change, or does nothing
// where there is none. f keeps nothing of it.
func (m *model) look(id string, f func(n *node)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.tree.nodes[id]; n != nil {
		f(n)
	}
}

func (m *model) children(id string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tree.children(id)
}

func (m *model) branch(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tree.branch(id)
}

// gone reports whether there were messages in scope, whether or not the stream
// still has them. After clear nothing is gone that a person would miss.
func (m *model) gone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.tree.nodes[m.scope.under]
	return m.floor == 0 && n != nil && n.hits > 0
}

// totals returns the topics seen, those that are shown, and the messages.
func (m *model) totals() (topics, shown int, messages uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.tree.nodes[root]
	return r.topics, r.hits, r.count
}

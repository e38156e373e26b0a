package messages

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// maxTopics is how many topics the tree holds; the quietest tenth makes room.
const maxTopics = 20_000

// root is the UID of the tree's root.
const root = ""

// uid is the tree's name for a topic or the start of one: the levels, each with
// a slash behind it. So the topics "a", "a/" and "/a" and the root all differ,
// and what is at or below a node is what has its UID as a prefix.
func uid(n topic.Name) string { return string(n) + "/" }

// node is one level of the topics that were seen. It may be a topic itself.
type node struct {
	uid    string
	level  string
	parent *node
	kids   []*node
	shown  []string // UIDs of the kids that match, in order; never changed in place
	stale  bool     // shown has to be made again

	here     bool            // this is a topic
	state    core.TopicState // of the topic
	retained bool            // the broker keeps a message for the topic
	hit      bool            // the topic matches

	topics int       // at or below
	hits   int       // matching topics at or below
	count  uint64    // messages at or below
	fresh  time.Time // the newest message at or below
}

// tree holds the topics that were seen. It is not safe for concurrent use.
type tree struct {
	nodes map[string]*node
	match func(topic.Name) bool // which topics are shown
}

func newTree(match func(topic.Name) bool) *tree {
	return &tree{nodes: map[string]*node{root: {}}, match: match}
}

// put takes in the present state of a topic. It reports whether other nodes
// are to be seen than before.
func (t *tree) put(s core.TopicState) (grown bool) {
	n := t.nodes[uid(s.Last.Topic)]
	if n == nil || !n.here {
		n = t.add(s.Last.Topic)
		grown = n.hit
	}
	more := s.Count - n.state.Count
	if s.Count < n.state.Count {
		more = s.Count
	}
	n.state = s
	for p := n; p != nil; p = p.parent {
		p.count += more
		if s.Last.At.After(p.fresh) {
			p.fresh = s.Last.At
		}
	}
	return grown
}

// add makes the topic's node and those above it.
func (t *tree) add(name topic.Name) *node {
	if t.nodes[root].topics >= maxTopics {
		t.thin()
	}
	id := uid(name)
	n := t.nodes[root]
	for at := 0; at < len(id); {
		end := at + strings.IndexByte(id[at:], '/') + 1
		next := t.nodes[id[:end]]
		if next == nil {
			next = &node{uid: id[:end], level: id[at : end-1], parent: n}
			t.nodes[next.uid] = next
			n.kids = append(n.kids, next)
			n.stale = true
		}
		n, at = next, end
	}
	n.here, n.hit = true, t.match(name)
	for p := n; p != nil; p = p.parent {
		p.topics++
		if n.hit {
			t.hit(p, 1)
		}
	}
	return n
}

func (t *tree) hit(n *node, by int) {
	was := n.hits > 0
	n.hits += by
	if was != (n.hits > 0) && n.parent != nil {
		n.parent.stale = true
	}
}

// remove forgets a topic, and the nodes above it that nothing needs any more.
func (t *tree) remove(n *node) {
	for p := n; p != nil; p = p.parent {
		p.topics--
		p.count -= n.state.Count
		if n.hit {
			t.hit(p, -1)
		}
	}
	n.here, n.hit, n.retained, n.state = false, false, false, core.TopicState{}
	for n.parent != nil && !n.here && len(n.kids) == 0 {
		delete(t.nodes, n.uid)
		p := n.parent
		p.kids = slices.DeleteFunc(p.kids, func(k *node) bool { return k == n })
		p.stale = true
		n = p
	}
}

// thin forgets the tenth of the topics that have been quiet longest.
func (t *tree) thin() {
	var all []*node
	for _, n := range t.nodes {
		if n.here {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b *node) int {
		return cmp.Or(a.state.Last.At.Compare(b.state.Last.At), strings.Compare(a.uid, b.uid))
	})
	for _, n := range all[:max(1, len(all)/10)] {
		t.remove(n)
	}
}

// refilter applies match to every topic.
func (t *tree) refilter() {
	for _, n := range t.nodes {
		n.hits, n.stale = 0, true
	}
	for _, n := range t.nodes {
		if n.hit = n.here && t.match(topic.Name(n.uid[:len(n.uid)-1])); !n.hit {
			continue
		}
		for p := n; p != nil; p = p.parent {
			p.hits++
		}
	}
}

// keep marks whether the broker keeps a message for the topic.
func (t *tree) keep(name topic.Name, retained bool) {
	if n := t.nodes[uid(name)]; n != nil && n.here {
		n.retained = retained
	}
}

// children returns the UIDs below a node that are shown, in order. The caller
// must not change them.
func (t *tree) children(id string) []string {
	n := t.nodes[id]
	if n == nil {
		return nil
	}
	if n.stale {
		slices.SortFunc(n.kids, func(a, b *node) int { return widget.Natural(a.level, b.level) })
		n.shown = nil
		for _, k := range n.kids {
			if k.hits > 0 {
				n.shown = append(n.shown, k.uid)
			}
		}
		n.stale = false
	}
	return n.shown
}

// branch reports whether there is something to show below a node.
func (t *tree) branch(id string) bool {
	n := t.nodes[id]
	if n == nil {
		return false
	}
	own := 0
	if n.hit {
		own = 1
	}
	return id == root || n.hits > own
}

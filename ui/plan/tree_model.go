package plan

import (
	"cmp"
	"slices"
	"strings"

	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// maxStrays is how many names that arrive without being designed the tree holds.
const maxStrays = 2000

// levelNode is one level of the names that are designed, or that arrive.
type levelNode struct {
	uid    string // see uid
	level  string
	parent *levelNode
	kids   []*levelNode // in order
	depth  int
	place  *core.Place // or nil
	topic  *core.Topic // or nil
	stray  bool        // arrives and is not designed
	hits   int         // of the search, at or below
}

// name returns the levels up to here.
func (n *levelNode) name() topic.Name { return topic.Name(n.uid[:max(0, len(n.uid)-1)]) }

// item returns what is chosen with the node. A level that is neither place nor
// topic counts as a place that nobody has drawn.
func (n *levelNode) item() item {
	if n.place == nil && (n.topic != nil || n.stray) {
		return item{topic: n.name()}
	}
	return item{place: n.name()}
}

// uid is the tree's name for the start of a topic name: the levels, each with a
// slash behind it. So "a", "a/" and the root all differ.
func uid(n topic.Name) string { return string(n) + "/" }

// levels is the hierarchy of a design, with what arrives beside it.
type levels struct {
	nodes map[string]*levelNode
	root  *levelNode
}

// newLevels returns the hierarchy of d. search keeps only what has all of its
// words, and what is above that; dollars shows names with a level that begins with $.
func newLevels(d *core.Design, strays map[topic.Name]bool, search string, dollars bool) *levels {
	l := &levels{nodes: map[string]*levelNode{}, root: &levelNode{depth: -1}}
	words := strings.Fields(strings.ToLower(search))
	fits := func(parts ...string) bool {
		if len(words) == 0 {
			return true
		}
		text := strings.ToLower(strings.Join(parts, " "))
		for _, w := range words {
			if !strings.Contains(text, w) {
				return false
			}
		}
		return true
	}
	hit := func(n *levelNode) {
		for ; n != nil; n = n.parent {
			n.hits++
		}
	}
	for _, p := range d.Places {
		n := l.add(p.Name)
		n.place = p
		if fits(string(p.Name), p.Label) {
			hit(n)
		}
	}
	for _, t := range d.Topics {
		n := l.add(t.Name)
		n.topic = t
		if fits(string(t.Name), t.Label, t.Unit) {
			hit(n)
		}
	}
	for s := range strays {
		if isDesigned(d, s) || !dollars && hidden(s) {
			continue
		}
		n := l.add(s)
		n.stray = true
		if fits(string(s)) {
			hit(n)
		}
	}
	for _, n := range l.nodes {
		l.sort(n)
	}
	l.sort(l.root)
	return l
}

// isDesigned reports whether n is designed, or takes the commands of what is.
func isDesigned(d *core.Design, n topic.Name) bool {
	if d.Topic(n) != nil {
		return true
	}
	state, ok := strings.CutSuffix(string(n), "/set")
	t := d.Topic(topic.Name(state))
	return ok && t != nil && t.Writable
}

// sort puts places before topics, and each as people count.
func (l *levels) sort(n *levelNode) {
	rank := func(k *levelNode) int {
		if k.place == nil && len(k.kids) == 0 {
			return 1
		}
		return 0
	}
	slices.SortFunc(n.kids, func(a, b *levelNode) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), widget.Natural(a.level, b.level))
	})
}

// add makes the node of a name and those above it.
func (l *levels) add(name topic.Name) *levelNode {
	id := uid(name)
	if n := l.nodes[id]; n != nil {
		return n
	}
	n := l.root
	for at := 0; at < len(id); {
		end := at + strings.IndexByte(id[at:], '/') + 1
		next := l.nodes[id[:end]]
		if next == nil {
			next = &levelNode{uid: id[:end], level: id[at : end-1], parent: n, depth: n.depth + 1}
			l.nodes[next.uid] = next
			n.kids = append(n.kids, next)
		}
		n, at = next, end
	}
	return n
}

// rows returns what is to be seen, from the top: what is found, as far as what is
// above it is open.
func (l *levels) rows(open func(*levelNode) bool) []*levelNode {
	out := make([]*levelNode, 0, len(l.nodes))
	var walk func(n *levelNode)
	walk = func(n *levelNode) {
		for _, k := range n.kids {
			if k.hits == 0 {
				continue
			}
			out = append(out, k)
			if len(k.kids) > 0 && open(k) {
				walk(k)
			}
		}
	}
	walk(l.root)
	return out
}

// reason is why something cannot be put somewhere; "" is that it can.
type reason string

// The reasons, see why.
const (
	intoItself  reason = "itself"
	thereYet    reason = "there"
	nameTaken   reason = "taken"
	branchStays reason = "branch"
	roomWants   reason = "room"
	kitWants    reason = "kit"
	noPlace     reason = "place"
)

// drop returns the name that what is at from gets below the node to, or why it
// cannot go there. The root is the top of the tree.
func (l *levels) drop(from topic.Name, to *levelNode) (topic.Name, reason) {
	n := l.nodes[uid(from)]
	if n == nil {
		return "", noPlace
	}
	name := topic.Name(n.level)
	if to != l.root {
		name = join(to.name(), n.level)
	}
	isPlace := func(kinds ...core.PlaceKind) bool { return to.place != nil && slices.Contains(kinds, to.place.Kind) }
	other := l.nodes[uid(name)]
	switch {
	case to == n || strings.HasPrefix(to.uid, n.uid):
		return "", intoItself
	case name == from:
		return "", thereYet
	case n.place != nil && n.place.Kind == core.BranchPlace:
		return "", branchStays
	case n.place != nil && n.place.Kind == core.RoomPlace && !isPlace(core.BranchPlace):
		return "", roomWants
	case n.place != nil && n.place.Kind == core.KitPlace && !isPlace(core.BranchPlace, core.RoomPlace):
		return "", kitWants
	case to != l.root && to.place == nil && (to.topic != nil || to.stray):
		return "", noPlace
	case other != nil && (other.place != nil || other.topic != nil || len(other.kids) > 0):
		return "", nameTaken
	}
	return name, ""
}

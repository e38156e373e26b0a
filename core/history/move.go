package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"homeroom/core"
	"homeroom/core/topic"
)

// hidden reports whether a name is the broker's own or that of something that
// was moved out of sight. Nothing that starts with "$" is ever recorded.
func hidden[T ~string](name T) bool { return len(name) > 0 && name[0] == '$' }

// moved returns the name at to of what is called name at from or below it.
func moved[T ~string](name T, from, to topic.Name) (T, bool) {
	rest, ok := strings.CutPrefix(string(name), string(from))
	if !ok || rest != "" && rest[0] != '/' && rest[0] != '#' {
		return "", false
	}
	return T(to) + T(rest), true
}

// Move gives everything that was recorded at from, and at every topic below it,
// the name that it has at to: readings, what was said about them, newest
// messages. Where something was recorded there, both become one. A second Move
// of the same is no mistake: it moves what came since. Neither may be below the
// other.
//
// What is moved to a name that starts with "$" is out of sight until it is moved
// back: Live, Topics, Known and Export leave it out.
func (h *History) Move(ctx context.Context, from, to topic.Name) error {
	for _, pair := range [][2]topic.Name{{from, to}, {to, from}} {
		if _, below := moved(pair[0], pair[1], ""); below {
			return fmt.Errorf("history: %s and %s overlap", from, to)
		}
	}
	h.flushing.Lock()
	defer h.flushing.Unlock()
	// A transaction that was cut off might be there or not.
	if _, err := h.cfg.Store.WriteHistory(context.WithoutCancel(ctx), Batch{Move: Move{from, to}}); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	for _, c := range h.closed {
		if name, ok := moved(c.Series, from, to); ok {
			c.Series = name
		}
	}
	for i := range h.texts {
		if name, ok := moved(h.texts[i].Series, from, to); ok {
			h.texts[i].Series = name
		}
	}
	for i := range h.fresh {
		if name, ok := moved(h.fresh[i], from, to); ok {
			h.fresh[i] = name
		}
	}
	for _, s := range h.take(from) {
		s.name, _ = moved(s.name, from, to)
		if s.open != nil {
			s.open.Series = s.name
		}
		if there := h.series[s.name]; there != nil {
			h.join(there, s)
			continue
		}
		h.add(s)
		s.changed = h.seq
	}
	for _, t := range h.takeTopics(from) {
		t.Last.Topic, _ = moved(t.Last.Topic, from, to)
		if there := h.topics[t.Last.Topic]; there != nil {
			if t.Count += there.Count; there.Last.At.After(t.Last.At) {
				t.Last, t.Size = there.Last, there.Size
			}
			t.series = there.series
			h.byChange.Remove(there.place)
			h.bytes -= there.cost
		}
		h.topics[t.Last.Topic] = t
		t.place = h.byChange.PushFront(t)
		t.changed = h.seq
		h.weigh(t)
	}
	h.cfg.Feed.Tell(core.MessagesChanged)
	return nil
}

// ForgetUnder removes everything that was recorded at n and at the topics below
// it, and what was said about it.
func (h *History) ForgetUnder(ctx context.Context, n topic.Name) error {
	h.flushing.Lock()
	defer h.flushing.Unlock()
	if _, err := h.cfg.Store.WriteHistory(context.WithoutCancel(ctx), Batch{Drop: []topic.Name{n}}); err != nil {
		return err
	}
	below := func(name core.Series) bool {
		_, ok := moved(name, n, "")
		return ok
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	h.take(n)
	h.takeTopics(n)
	h.closed = slices.DeleteFunc(h.closed, func(c *chunk) bool {
		gone := below(c.Series)
		if gone {
			h.unsaved -= len(c.Packed) + perItem
		}
		return gone
	})
	h.texts = slices.DeleteFunc(h.texts, func(t Text) bool {
		gone := below(t.Series)
		if gone {
			h.unsaved -= len(t.Value) + perItem
		}
		return gone
	})
	h.fresh = slices.DeleteFunc(h.fresh, below)
	h.cfg.Feed.Tell(core.MessagesChanged)
	return nil
}

// CountReadings returns how many readings there are of n and the topics below
// it, those that are not written yet among them.
func (h *History) CountReadings(ctx context.Context, n topic.Name) (int64, error) {
	h.flushing.Lock() // so that nothing is counted twice
	defer h.flushing.Unlock()
	count, err := h.cfg.Store.CountReadings(ctx, n)
	if err != nil {
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.closed {
		if _, ok := moved(c.Series, n, ""); ok {
			count += int64(c.N - c.saved)
		}
	}
	for _, t := range h.texts {
		if _, ok := moved(t.Series, n, ""); ok {
			count++
		}
	}
	for name, s := range h.series {
		if _, ok := moved(name, n, ""); ok && s.open != nil {
			count += int64(s.open.N - s.open.saved)
		}
	}
	return count, nil
}

// Known reports whether something was recorded at n, as far as memory goes back:
// the topics of Topics and the series of Live.
func (h *History) Known(n topic.Name) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !hidden(n) && (h.topics[n] != nil || h.named[n] > 0)
}

// take removes the series of from and of the topics below it from memory and
// returns them, least recent change first. Live tells that their names are gone.
// Callers hold h.mu.
func (h *History) take(from topic.Name) (taken []*series) {
	for e := h.recent.Back(); e != nil; e = e.Prev() {
		s := e.Value.(*series)
		if _, ok := moved(s.name, from, ""); ok && h.series[s.name] == s {
			taken = append(taken, s)
		}
	}
	for _, s := range taken {
		h.remove(s)
		if !hidden(s.name) {
			h.gone[s.name] = h.recent.PushFront(&series{name: s.name, changed: h.seq})
		}
	}
	return taken
}

// takeTopics does the same with topics. Callers hold h.mu.
func (h *History) takeTopics(from topic.Name) (taken []*topicEntry) {
	for e := h.byChange.Back(); e != nil; e = e.Prev() {
		t := e.Value.(*topicEntry)
		if _, ok := moved(t.Last.Topic, from, ""); ok {
			taken = append(taken, t)
		}
	}
	for _, t := range taken {
		h.byChange.Remove(t.place)
		delete(h.topics, t.Last.Topic)
		h.bytes -= t.cost
		t.cost = 0
	}
	return taken
}

// join makes s, which is in memory no more, a part of the series there. Callers
// hold h.mu.
func (h *History) join(there, s *series) {
	h.close(s)
	if s.newest.At.After(there.newest.At) {
		there.newest = s.newest
	}
	if s.spark != nil {
		all := s.spark.readings()
		if there.spark != nil {
			all = append(all, there.spark.readings()...)
			slices.SortStableFunc(all, func(a, b reading) int { return cmp.Compare(a.ms, b.ms) })
		}
		there.spark = &spark{}
		for _, r := range all {
			there.spark.add(r)
		}
	}
	if there.Description == (core.Description{}) {
		there.Description = s.Description
	}
	there.changed = h.seq
	h.recent.MoveToFront(there.place)
}

package history

import (
	"slices"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// Live returns the series that changed after the position since (0: all that
// have a reading), newest change first, and the position to ask from next. A
// row whose newest reading has no time says that the series was forgotten, or
// has another name. Hidden series (see Move) are left out. At
// most 20,000 series are in memory; the one that has not changed for longest goes.
func (h *History) Live(since uint64) (rows []core.Live, now uint64) {
	h.mu.Lock()
	now = h.seq
	var changed []*series
	for e := h.recent.Front(); e != nil; e = e.Next() {
		s := e.Value.(*series)
		if s.changed <= since {
			break
		}
		if since == 0 && s.newest.At.IsZero() || hidden(s.name) {
			continue
		}
		changed = append(changed, s)
	}
	h.mu.Unlock()
	// A few at a time: publishers wait for the same lock.
	const few = 256
	rows = make([]core.Live, 0, len(changed))
	for part := range slices.Chunk(changed, few) {
		h.mu.Lock()
		for _, s := range part {
			rows = append(rows, core.Live{Series: s.name, Description: s.Description, Newest: s.newest, Spark: s.sparkline()})
		}
		h.mu.Unlock()
	}
	return rows, now
}

func (s *series) sparkline() []core.Reading {
	if s.spark == nil {
		return nil
	}
	rs := make([]core.Reading, 0, s.spark.n)
	kind := s.newest.Kind
	if kind == core.Text {
		kind = core.Number
	}
	for _, r := range s.spark.readings() {
		rs = append(rs, core.Reading{At: time.UnixMilli(r.ms), Kind: kind, Value: r.v})
	}
	return rs
}

// readings returns what p holds, oldest first.
func (p *spark) readings() []reading {
	rs := make([]reading, p.n)
	for i := range rs {
		rs[i] = p.at[(p.next-p.n+i+sparkLength)%sparkLength]
	}
	return rs
}

// Topics returns the topics that changed after the position since (0: all),
// newest change first, and the position to ask from next. They take at most
// 64 MiB; the one that has not changed for longest goes.
func (h *History) Topics(since uint64) (rows []core.TopicState, now uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for e := h.byChange.Front(); e != nil; e = e.Next() {
		t := e.Value.(*topicEntry)
		if t.changed <= since {
			break
		}
		if !hidden(t.Last.Topic) {
			rows = append(rows, t.TopicState)
		}
	}
	return rows, h.seq
}

// Newest returns the newest message of a topic, as far back as memory goes.
func (h *History) Newest(n topic.Name) (core.Message, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[n]
	if t == nil {
		return core.Message{}, false
	}
	return t.Last, true
}

// noteTopic makes m the newest of its topic. Callers hold h.mu.
func (h *History) noteTopic(m core.Message) *topicEntry {
	t := h.topics[m.Topic]
	if t == nil {
		t = &topicEntry{}
		t.place = h.byChange.PushFront(t)
		h.topics[m.Topic] = t
	} else {
		h.byChange.MoveToFront(t.place)
	}
	t.changed = h.seq
	t.Size = len(m.Payload)
	t.Count++
	t.Last = cut(m, maxPayload)
	h.weigh(t)
	for h.bytes > maxTopics && h.byChange.Len() > 1 {
		old := h.byChange.Back().Value.(*topicEntry)
		h.byChange.Remove(old.place)
		delete(h.topics, old.Last.Topic)
		h.bytes -= old.cost
	}
	return t
}

// weigh counts what t costs now. Callers hold h.mu.
func (h *History) weigh(t *topicEntry) {
	h.bytes -= t.cost
	t.cost = perTopic + len(t.Last.Topic) + len(t.Last.Client) + len(t.Last.Payload)
	h.bytes += t.cost
}

// cut returns m with at most n bytes of its payload, and does not hold on to the rest.
func cut(m core.Message, n int) core.Message {
	if len(m.Payload) > n {
		m.Payload = append([]byte(nil), m.Payload[:n]...)
	}
	return m
}

// Messages returns messages after the position after, oldest first, at most
// limit of them, and the position to ask from next. lost is how many in between
// are no longer there; 0 starts with the oldest there is and lost none. The
// last 4,096 are kept, or fewer where they are larger than 8 MiB together; of a
// payload above 1 MiB only the first 64 KiB are.
func (h *History) Messages(after uint64, limit int) (ms []core.Message, next, lost uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := &h.ring
	oldest := r.next - uint64(r.n)
	switch {
	case after == 0:
		after = oldest
	case after < oldest:
		lost = oldest - after
		after = oldest
	}
	after = min(after, r.next)
	n := min(uint64(max(limit, 0)), r.next-after)
	ms = make([]core.Message, n)
	for i := range ms {
		ms[i] = r.at[(after+uint64(i))%ringMessages]
	}
	return ms, after + n, lost
}

// ring holds the last messages. The message at position p is at[p%len(at)].
type ring struct {
	at    [ringMessages]core.Message
	next  uint64 // position of the message to come
	n     int
	bytes int
}

func (r *ring) add(m core.Message) {
	m = cutAbove(m)
	for r.n > 0 && (r.n == ringMessages || r.bytes+ringCost(m) > ringBytes) {
		old := &r.at[(r.next-uint64(r.n))%ringMessages]
		r.bytes -= ringCost(*old)
		*old = core.Message{}
		r.n--
	}
	r.at[r.next%ringMessages] = m
	r.bytes += ringCost(m)
	r.next++
	r.n++
}

func cutAbove(m core.Message) core.Message {
	if len(m.Payload) > 1<<20 {
		return cut(m, maxPayload)
	}
	return m
}

func ringCost(m core.Message) int { return perItem + len(m.Payload) + len(m.Topic) + len(m.Client) }

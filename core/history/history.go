// Package history remembers what was published: the last messages, the present
// state of every topic and series, and the readings of the past.
//
// Record is called for every message on its publisher's goroutine. It packs
// readings into chunks in memory and never waits for the disk; Run writes them
// every few seconds. A crash loses at most what came since the last write.
package history

import (
	"cmp"
	"container/list"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	flushEvery   = 3 * time.Second
	trimEvery    = time.Hour
	stopWithin   = 3 * time.Second
	portion      = 512  // chunks in one transaction
	textPortion  = 4096 // texts in one transaction
	wakeAt       = 2048 // full chunks that wake the writer
	maxSeries    = 20_000
	maxUnsaved   = 64 << 20 // bytes of full chunks and texts that wait for the disk
	maxTopics    = 64 << 20 // bytes of topics with their newest messages
	maxPayload   = 64 << 10 // bytes of a newest message
	perItem      = 128      // bytes that a chunk, text or message costs beside its content
	perTopic     = 512      // and a topic
	sparkLength  = 60
	ringMessages = 4096
	ringBytes    = 8 << 20
)

// Config is everything a History needs.
type Config struct {
	Store Store
	Feed  *core.Feed
	Log   *slog.Logger
}

// History is the memory of the program. All methods may be called from any goroutine.
type History struct {
	cfg  Config
	wake chan struct{} // holds at most one token

	// flushing is held while something is written. It comes before mu.
	flushing sync.Mutex

	mu       sync.Mutex
	seq      uint64                        // guarded by mu; position of the newest change
	series   map[core.Series]*series       // guarded by mu
	named    map[topic.Name]int            // guarded by mu; how many of series come from a topic
	recent   *list.List                    // guarded by mu; *series, newest change first
	gone     map[core.Series]*list.Element // guarded by mu; in recent, to tell that they have another name
	topics   map[topic.Name]*topicEntry    // guarded by mu
	byChange *list.List                    // guarded by mu; *topicEntry, newest change first
	bytes    int                           // guarded by mu; of topics
	ring     ring                          // guarded by mu
	fresh    []core.Series                 // guarded by mu; whose description is not known
	dirty    []*series                     // guarded by mu; whose open chunk is not written
	closed   []*chunk                      // guarded by mu; full and not written, oldest first
	texts    []Text                        // guarded by mu; not written, oldest first
	unsaved  int                           // guarded by mu; bytes of closed and texts
	lastID   int64                         // guarded by mu; of a chunk
	lastText int64                         // guarded by mu; ID of a text
	days     []int64                       // guarded by mu; on which something was recorded, in order
	day      int64                         // guarded by mu; of the newest reading
	newDays  []int64                       // guarded by mu; not written
	dropped  uint64                        // guarded by mu
	size     int64                         // guarded by mu
	keep     struct {
		days  int
		bytes int64
	} // guarded by mu
	failing bool   // guarded by flushing
	told    uint64 // guarded by flushing; dropped readings that the log knows of
}

// series is what is in memory of one series. History.mu guards it.
type series struct {
	name    core.Series
	place   *list.Element // in recent; nil once it had to go
	changed uint64
	core.Description
	newest core.Reading // At is zero where there is none
	spark  *spark       // nil until there is a number
	open   *chunk       // nil until there is a number
	dirty  bool         // is in History.dirty
}

// topicEntry is what is in memory of one topic. History.mu guards it.
type topicEntry struct {
	core.TopicState
	place   *list.Element
	changed uint64
	cost    int
	series  *series // of payloads that are one value; nil or gone until needed
}

// spark is the latest values of a series, at most one a second.
type spark struct {
	at   [sparkLength]reading
	n    int // readings in it
	next int // where the next goes
}

// Open loads the present state of every series from the store.
func Open(ctx context.Context, cfg Config) (*History, error) {
	h := &History{
		cfg:      cfg,
		wake:     make(chan struct{}, 1),
		series:   map[core.Series]*series{},
		named:    map[topic.Name]int{},
		recent:   list.New(),
		gone:     map[core.Series]*list.Element{},
		topics:   map[topic.Name]*topicEntry{},
		byChange: list.New(),
	}
	loaded, err := cfg.Store.LoadHistory(ctx, maxSeries)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	h.lastID, h.lastText, h.size = loaded.LastChunk, loaded.LastText, loaded.Size
	h.days = loaded.Days
	slices.Sort(h.days)
	for _, stored := range loaded.Series {
		h.restore(stored)
	}
	return h, nil
}

// restore puts a series from the store at the front.
func (h *History) restore(stored Stored) {
	h.seq++
	s := &series{name: stored.Series, Description: stored.Description, changed: h.seq}
	h.add(s)
	for _, c := range slices.Backward(stored.Chunks) {
		rs, err := unpack(nil, c.Packed)
		if err != nil {
			h.cfg.Log.Error("history: a chunk cannot be read", "series", s.name, "chunk", c.ID, "err", err)
			continue
		}
		for _, r := range rs {
			s.show(core.Reading{At: time.UnixMilli(r.ms), Kind: c.Kind, Value: r.v})
		}
	}
	if len(stored.Chunks) > 0 && stored.Chunks[0].Rolled == Unrolled {
		if c, err := reopen(stored.Chunks[0]); err == nil && c.N < chunkReadings {
			s.open = c
		}
	}
	if t := stored.Text; t != nil && t.At > s.newest.At.UnixMilli() {
		s.show(core.Reading{At: time.UnixMilli(t.At), Kind: core.Text, Text: t.Value})
	}
}

// Record takes in a message. Topics that start with "$" are the broker's own
// and are left out. An empty retained payload clears the topic: it is a message
// but no reading.
func (h *History) Record(m core.Message) {
	if m.Topic == "" || m.Topic[0] == '$' {
		return
	}
	if m.At.IsZero() {
		m.At = time.Now()
	}
	var whole value
	ls := leavesOf(m.Payload)
	if ls == nil {
		whole = valueOf(m.Payload)
	}

	h.mu.Lock()
	h.seq++
	t := h.noteTopic(m)
	h.ring.add(m)
	switch {
	case len(m.Payload) == 0 && m.Retain:
	case ls == nil:
		if t.series == nil || t.series.place == nil {
			t.series = h.seriesNamed(core.Series(m.Topic))
		}
		h.record(t.series, m.At, whole)
	default:
		for _, l := range ls {
			h.record(h.seriesNamed(core.Series(string(m.Topic)+"#"+l.path)), m.At, l.value)
		}
	}
	h.mu.Unlock()
	h.cfg.Feed.Tell(core.MessagesChanged)
}

// seriesNamed returns the series, new where it must be. Callers hold h.mu.
func (h *History) seriesNamed(name core.Series) *series {
	s := h.series[name]
	if s == nil {
		s = &series{name: name}
		h.add(s)
		if len(h.fresh) < maxSeries {
			h.fresh = append(h.fresh, name)
		}
	}
	return s
}

// add makes s the first in memory, and the last has to go where there are too
// many. Callers hold h.mu.
func (h *History) add(s *series) {
	if e := h.gone[s.name]; e != nil {
		h.recent.Remove(e)
		delete(h.gone, s.name)
	}
	s.place = h.recent.PushFront(s)
	h.series[s.name] = s
	h.named[s.name.Topic()]++
	if h.recent.Len() > maxSeries {
		old := h.recent.Back().Value.(*series)
		if h.series[old.name] == old {
			h.close(old)
			h.remove(old)
		} else {
			h.recent.Remove(h.gone[old.name])
			delete(h.gone, old.name)
		}
	}
}

// remove takes s out of memory. Callers hold h.mu.
func (h *History) remove(s *series) {
	h.recent.Remove(s.place)
	s.place = nil
	delete(h.series, s.name)
	n := s.name.Topic()
	if h.named[n]--; h.named[n] == 0 {
		delete(h.named, n)
	}
}

// record adds a reading to a series, which is only shown where nobody wants to
// keep it. Callers hold h.mu.
func (h *History) record(s *series, at time.Time, v value) {
	s.changed = h.seq
	h.recent.MoveToFront(s.place)
	s.show(core.Reading{At: at, Kind: v.kind, Value: v.v, Text: v.text})
	if s.KeepDays < 0 {
		return
	}
	if h.unsaved >= maxUnsaved {
		h.dropped++
		return
	}
	ms := at.UnixMilli()
	if day := dayOf(ms); day != h.day {
		h.noteDay(day)
	}
	if v.kind == core.Text {
		h.lastText++
		h.texts = append(h.texts, Text{h.lastText, s.name, ms, v.text})
		h.unsaved += len(v.text) + perItem
		return
	}
	if s.open != nil && ms < s.open.Last && ms >= s.open.Last-overtaking {
		ms = s.open.Last
	}
	if s.open == nil || !s.open.takes(v.kind, ms) {
		h.close(s)
		h.lastID++
		s.open = &chunk{Chunk: Chunk{ID: h.lastID, Series: s.name, Kind: v.kind, Rolled: Unrolled}}
	}
	s.open.add(ms, v.v)
	if s.open.N == chunkReadings {
		h.close(s)
	} else if !s.dirty {
		s.dirty = true
		h.dirty = append(h.dirty, s)
	}
}

// close hands the open chunk of s to the writer. Callers hold h.mu.
func (h *History) close(s *series) {
	c := s.open
	if c == nil {
		return
	}
	s.open = nil
	if h.unsaved >= maxUnsaved && c.saved < c.N {
		h.dropped += uint64(c.N - c.saved)
		return
	}
	h.closed = append(h.closed, c)
	h.unsaved += len(c.Packed) + perItem
	if len(h.closed)%wakeAt == 0 {
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
}

// show makes r the newest of s. Callers hold History.mu.
func (s *series) show(r core.Reading) {
	s.newest = r
	if r.Kind == core.Text {
		return
	}
	if s.spark == nil {
		s.spark = &spark{}
	}
	s.spark.add(reading{r.At.UnixMilli(), r.Value})
}

func (p *spark) add(r reading) {
	if p.n > 0 {
		if last := &p.at[(p.next+sparkLength-1)%sparkLength]; floor(last.ms, 1000) == floor(r.ms, 1000) {
			*last = r
			return
		}
	}
	p.at[p.next] = r
	p.next = (p.next + 1) % sparkLength
	p.n = min(p.n+1, sparkLength)
}

// Run writes what Record took in, every few seconds, and removes what is too
// old or too much. When ctx ends it writes the rest.
func (h *History) Run(ctx context.Context) error {
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	trim := time.NewTicker(trimEvery)
	defer trim.Stop()
	first := time.After(time.Minute)
	for {
		due := false
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
			defer cancel()
			if err := h.Flush(last); err != nil {
				return fmt.Errorf("history: the last readings were not written: %w", err)
			}
			return nil
		case <-flush.C:
		case <-h.wake:
		case <-trim.C:
			due = true
		case <-first:
			due = true
		}
		if h.Flush(ctx) == nil && (due || h.tooLarge()) {
			h.trim(ctx)
		}
	}
}

// Flush writes everything that was recorded before it was called. What cannot
// be written stays in memory, within bounds, and is written by the next Flush.
func (h *History) Flush(ctx context.Context) error {
	h.flushing.Lock()
	defer h.flushing.Unlock()
	h.mu.Lock()
	until := h.lastID
	left := budget{texts: len(h.texts), open: len(h.dirty), fresh: len(h.fresh)}
	h.mu.Unlock()
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		// A transaction that was cut off might be there or not.
		err := h.flushPortion(context.WithoutCancel(ctx), &left)
		h.tell(err)
		if err != nil {
			return err
		}
		h.mu.Lock()
		more = left.texts > 0 || left.open > 0 || left.fresh > 0 ||
			slices.ContainsFunc(h.closed, func(c *chunk) bool { return c.ID <= until })
		h.mu.Unlock()
	}
	return nil
}

// budget is what a Flush still has to write. What is recorded meanwhile is
// left to the next, or it would never end.
type budget struct{ texts, open, fresh int }

// flushPortion writes a part of what waits. Callers hold h.flushing.
func (h *History) flushPortion(ctx context.Context, left *budget) error {
	h.mu.Lock()
	closed := h.closed[:min(len(h.closed), portion)]
	texts := h.texts[:min(left.texts, textPortion)]
	open := h.dirty[:min(left.open, portion)]
	h.dirty = h.dirty[len(open):]
	left.texts -= len(texts)
	left.open -= len(open)
	b := Batch{Texts: texts, Days: h.newDays, Meet: h.fresh[:min(left.fresh, textPortion)]}
	left.fresh -= len(b.Meet)
	type state struct {
		s *series
		c *chunk
		n int
	}
	states := make([]state, 0, len(open))
	for _, c := range closed {
		b.Chunks = append(b.Chunks, c.Chunk)
	}
	for _, s := range open {
		s.dirty = false
		if c := s.open; c != nil && c.saved < c.N {
			b.Chunks = append(b.Chunks, c.Chunk)
			states = append(states, state{s, c, c.N})
		}
	}
	h.mu.Unlock()

	rolled := map[rollKey]Summary{}
	for i := range closed {
		if err := b.Chunks[i].roll(rolled); err != nil { // our own bytes
			return err
		}
	}
	for k, sum := range rolled {
		b.Rollups = append(b.Rollups, Rollup{k.series, k.level, k.start, sum})
	}
	slices.SortFunc(b.Rollups, func(a, b Rollup) int { // rows that lie together are written together
		return cmp.Or(strings.Compare(string(a.Series), string(b.Series)), cmp.Compare(a.Level, b.Level), cmp.Compare(a.Start, b.Start))
	})
	var w Written
	var err error
	if len(b.Chunks)+len(b.Texts)+len(b.Meet) > 0 {
		w, err = h.cfg.Store.WriteHistory(ctx, b)
	}

	h.mu.Lock()
	defer h.mu.Unlock()
	for _, st := range states {
		switch {
		case err == nil:
			st.c.saved = st.n
		case st.s.open == st.c && !st.s.dirty:
			st.s.dirty = true
			h.dirty = append(h.dirty, st.s)
		}
	}
	if err != nil {
		return err
	}
	h.newDays = rest(h.newDays, len(b.Days))
	h.fresh = rest(h.fresh, len(b.Meet))
	for _, c := range closed {
		h.unsaved -= len(c.Packed) + perItem
	}
	for _, t := range texts {
		h.unsaved -= len(t.Value) + perItem
	}
	h.closed = rest(h.closed, len(closed))
	h.texts = rest(h.texts, len(texts))
	h.dirty = rest(h.dirty, 0)
	if w.Size > 0 {
		h.size = w.Size
	}
	for name, d := range w.Known {
		if s := h.series[name]; s != nil && s.Description == (core.Description{}) {
			h.describe(s, d)
		}
	}
	return nil
}

// rest returns s without its first n, and gives the memory back when nothing is left.
func rest[T any](s []T, n int) []T {
	clear(s[:n])
	if s = s[n:]; len(s) == 0 {
		return nil
	}
	return s
}

// tell says once that writing fails and once that it works again. Callers hold h.flushing.
func (h *History) tell(err error) {
	dropped := h.Dropped()
	switch {
	case err != nil && !h.failing:
		h.cfg.Log.Error("history: readings cannot be written and wait in memory", "err", err)
	case err == nil && h.failing:
		h.cfg.Log.Info("history: readings are written again", "lost", dropped-h.told)
		h.told = dropped
	case dropped > h.told && err == nil:
		h.cfg.Log.Error("history: the disk does not keep up and readings were lost", "lost", dropped-h.told)
		h.told = dropped
	}
	h.failing = err != nil
}

// Dropped returns how many readings were lost since the start because the disk
// did not take them.
func (h *History) Dropped() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dropped
}

// Size returns the size of the stored history in bytes.
func (h *History) Size() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.size
}

// Describe keeps what a person said about a series.
func (h *History) Describe(ctx context.Context, s core.Series, d core.Description) error {
	if d.KeepDays < -1 {
		return core.Fail(core.ErrInvalid, "The number of days cannot be below 0.")
	}
	h.flushing.Lock()
	defer h.flushing.Unlock()
	if _, err := h.cfg.Store.WriteHistory(ctx, Batch{Describe: map[core.Series]core.Description{s: d}}); err != nil {
		return err
	}
	h.mu.Lock()
	if known := h.series[s]; known != nil {
		h.describe(known, d)
	}
	h.mu.Unlock()
	h.cfg.Feed.Tell(core.SettingsChanged | core.MessagesChanged)
	return nil
}

// describe changes a description in memory. Callers hold h.mu.
func (h *History) describe(s *series, d core.Description) {
	h.seq++
	s.Description, s.changed = d, h.seq
	h.recent.MoveToFront(s.place)
}

// Forget removes the readings of a series, those in memory too. What was said
// about it stays.
func (h *History) Forget(ctx context.Context, s core.Series) error {
	h.flushing.Lock()
	defer h.flushing.Unlock()
	if _, err := h.cfg.Store.WriteHistory(ctx, Batch{Forget: []core.Series{s}}); err != nil {
		return err
	}
	h.mu.Lock()
	h.closed = slices.DeleteFunc(h.closed, func(c *chunk) bool {
		if c.Series == s {
			h.unsaved -= len(c.Packed) + perItem
		}
		return c.Series == s
	})
	h.texts = slices.DeleteFunc(h.texts, func(t Text) bool {
		if t.Series == s {
			h.unsaved -= len(t.Value) + perItem
		}
		return t.Series == s
	})
	if known := h.series[s]; known != nil {
		known.open, known.spark, known.newest = nil, nil, core.Reading{}
		h.describe(known, known.Description) // tell that it changed
	}
	h.mu.Unlock()
	h.cfg.Feed.Tell(core.SettingsChanged | core.MessagesChanged)
	return nil
}

package history

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"homeroom/core"
)

const (
	maxPoints = 10_000
	// chunksFirst is how many chunks are cheaper to read than roll-ups are to miss.
	chunksFirst = 4096
	// textsRead is how many texts a trace looks at, the newest first.
	textsRead = 200_000
)

// Trace returns the readings of s at from or later and before to in at most
// points spans, those that are not written yet among them. A series without
// readings has an empty trace.
//
// Where more texts change than points, the stretch is cut into points equal
// parts and only the newest of each part stays. The text, or the Boolean state,
// that holds when the stretch begins is the first, with its own time, which is
// before from.
func (h *History) Trace(ctx context.Context, s core.Series, from, to time.Time, points int) (core.Trace, error) {
	trace := core.Trace{Series: s, Kind: core.Number}
	points = max(1, min(points, maxPoints))
	first, end := from.UnixMilli(), to.UnixMilli()
	if first >= end {
		return trace, nil
	}
	step := max(1, (end-first)/int64(points))
	q := Query{Series: s, From: first, To: end, Whole: step, MaxChunks: chunksFirst, Level: -1}
	for level, width := range Levels {
		if width <= 2*step {
			q.Level = level
		}
	}
	got, err := h.read(ctx, q)
	if err != nil {
		return trace, err
	}
	if got.n <= points && got.whole {
		q.Whole = -1
		if got, err = h.read(ctx, q); err != nil {
			return trace, err
		}
	}
	texts, err := h.readTexts(ctx, s, first, end)
	if err != nil {
		return trace, err
	}
	if len(got.spans) > 0 {
		trace.Kind = got.kind
		trace.Spans = spans(got.spans, first, end, points)
		trace.Step = usualStep(trace.Spans)
	}
	if got.kind == core.Boolean {
		trace.Kind = core.Boolean
		before, err := h.before(ctx, s, first)
		if err != nil {
			return trace, err
		}
		trace.Spans = append(before, trace.Spans...)
	}
	if len(texts) > 0 {
		if len(got.spans) == 0 || texts[len(texts)-1].At >= got.newest {
			trace.Kind = core.Text
		}
		trace.Texts = changes(texts, first, end, points)
	}
	return trace, nil
}

// lookBack is how long before a stretch its first Boolean state is looked for, in ms.
const lookBack = 7 * 24 * 3600 * 1000

// before returns the newest reading of s before a time, as a span; none where
// there is none within lookBack.
func (h *History) before(ctx context.Context, s core.Series, end int64) ([]core.Span, error) {
	got, err := h.read(ctx, Query{Series: s, From: end - lookBack, To: end, Whole: lookBack, MaxChunks: chunksFirst, Level: len(Levels) - 1})
	got.spans = slices.DeleteFunc(got.spans, func(s Summary) bool { return s.Last >= end }) // roll-ups that reach beyond
	if err != nil || len(got.spans) == 0 {
		return nil, err
	}
	newest := slices.MaxFunc(got.spans, func(a, b Summary) int { return cmp.Compare(a.Last, b.Last) })
	at := time.UnixMilli(newest.Last)
	return []core.Span{{First: at, Last: at, Min: newest.End, Max: newest.End, Sum: newest.End, End: newest.End, N: 1}}, nil
}

// found is what a query selects, from the store and from memory.
type found struct {
	spans  []Summary // in no order
	n      int       // readings
	whole  bool      // some spans are more than one reading
	kind   core.Kind // of the newest chunk
	newest int64     // its last reading
}

// read makes spans of what q selects.
func (h *History) read(ctx context.Context, q Query) (found, error) {
	f := found{kind: core.Number, newest: math.MinInt64}
	h.mu.Lock()
	if s := h.series[q.Series]; s != nil && s.newest.Kind == core.Boolean {
		f.kind = core.Boolean // until a chunk says better: roll-ups do not know
	}
	h.mu.Unlock()
	var rs []reading
	err := h.chunks(ctx, q, func(c Chunk) {
		if c.Last >= f.newest {
			f.kind, f.newest = c.Kind, c.Last
		}
		inside := c.First >= q.From && c.Last < q.To
		if inside && (c.Packed == nil || c.Last-c.First <= q.Whole) {
			f.spans = append(f.spans, c.Summary)
			f.n += c.N
			f.whole = f.whole || c.N > 1
			return
		}
		rs = h.unpack(rs[:0], c)
		for _, r := range rs {
			if r.ms >= q.From && r.ms < q.To {
				f.spans = append(f.spans, r.summary())
				f.n++
			}
		}
	}, func(r Rollup) {
		f.spans = append(f.spans, r.Summary)
		f.n += r.N
		f.whole = true
		f.newest = max(f.newest, r.Last)
	})
	return f, err
}

// unpack appends the readings of c to rs, as many as can be read.
func (h *History) unpack(rs []reading, c Chunk) []reading {
	rs, err := unpack(rs, c.Packed)
	if err != nil {
		h.cfg.Log.Error("history: a chunk cannot be read", "series", c.Series, "chunk", c.ID, "err", err)
	}
	return rs
}

// chunks calls the functions with what q selects from the store and with the
// chunks in memory, each reading once.
func (h *History) chunks(ctx context.Context, q Query, chunk func(Chunk), rollup func(Rollup)) error {
	waiting := h.waiting(q.Series)
	for id := range waiting {
		q.Unsaved = append(q.Unsaved, id)
	}
	var both []Chunk // in memory and in the store
	rolled, err := h.cfg.Store.ReadChunks(ctx, q, func(c Chunk) error {
		if _, ok := waiting[c.ID]; ok {
			both = append(both, c)
		} else {
			chunk(c)
		}
		return nil
	}, func(r Rollup) error {
		rollup(r)
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range both { // some may have been written since we looked
		switch {
		case rolled && c.Rolled <= q.Level:
			delete(waiting, c.ID) // the roll-ups hold it
		case c.N > waiting[c.ID].N:
			delete(waiting, c.ID)
			chunk(c)
		}
	}
	for _, c := range waiting {
		if c.Last >= q.From && c.First < q.To {
			chunk(c)
		}
	}
	return nil
}

// waiting returns the chunks of s that are in memory, by ID.
func (h *History) waiting(s core.Series) map[int64]Chunk {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := map[int64]Chunk{}
	for _, c := range h.closed {
		if c.Series == s {
			m[c.ID] = c.Chunk
		}
	}
	if known := h.series[s]; known != nil && known.open != nil {
		m[known.open.ID] = known.open.Chunk
	}
	return m
}

// spans makes at most points spans of what was found, in order.
func spans(sums []Summary, from, to int64, points int) []core.Span {
	slices.SortFunc(sums, func(a, b Summary) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	if len(sums) > points {
		sums = merge(sums, func(prev, next Summary) bool {
			return part(prev.First, from, to, points) == part(next.First, from, to, points)
		})
	}
	sums = merge(sums, func(prev, next Summary) bool { return next.First < prev.Last })
	spans := make([]core.Span, len(sums))
	for i, s := range sums {
		spans[i] = core.Span{First: time.UnixMilli(s.First), Last: time.UnixMilli(s.Last),
			Min: s.Min, Max: s.Max, Sum: s.Sum, N: s.N, End: s.End}
	}
	return spans
}

// part is in which of parts equal parts of the stretch ms lies.
func part(ms, from, to int64, parts int) int {
	p := int(float64(ms-from) / float64(to-from) * float64(parts))
	return max(0, min(p, parts-1))
}

// merge joins neighbours that belong together, in place.
func merge(sums []Summary, together func(prev, next Summary) bool) []Summary {
	out := sums[:0]
	for _, s := range sums {
		if n := len(out); n > 0 && together(out[n-1], s) {
			out[n-1].add(s)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// usualStep is the median distance between readings. Within a span only the
// mean distance is known; it counts as often as there are distances.
func usualStep(spans []core.Span) time.Duration {
	type distance struct {
		d time.Duration
		n int
	}
	var ds []distance
	total := 0
	add := func(d time.Duration, n int) {
		ds = append(ds, distance{d, n})
		total += n
	}
	for i, s := range spans {
		if i > 0 {
			add(s.First.Sub(spans[i-1].Last), 1)
		}
		if s.N > 1 {
			add(s.Last.Sub(s.First)/time.Duration(s.N-1), s.N-1)
		}
	}
	slices.SortFunc(ds, func(a, b distance) int { return cmp.Compare(a.d, b.d) })
	seen := 0
	for _, d := range ds {
		if seen += d.n; 2*seen >= total {
			return d.d
		}
	}
	return 0
}

// readTexts returns the texts of s in the stretch and the one before it, in
// order. Of very many it returns the newest.
func (h *History) readTexts(ctx context.Context, s core.Series, from, to int64) ([]Text, error) {
	texts := h.waitingTexts(s, math.MinInt64, to)
	seen := idsOf(texts)
	read := 0
	err := h.cfg.Store.ReadTexts(ctx, TextQuery{Series: s, From: math.MinInt64, To: to, Newest: true}, func(t Text) bool {
		if !seen[t.ID] {
			texts = append(texts, t)
		}
		read++
		return t.At >= from && read < textsRead
	})
	slices.SortFunc(texts, Text.compare)
	start := 0
	for i, t := range texts {
		if t.At < from {
			start = i
		}
	}
	return texts[start:], err
}

// waitingTexts returns the texts of s in the stretch that are in memory, in order.
func (h *History) waitingTexts(s core.Series, from, to int64) []Text {
	h.mu.Lock()
	defer h.mu.Unlock()
	var texts []Text
	for _, t := range h.texts {
		if t.Series == s && t.At >= from && t.At < to {
			texts = append(texts, t)
		}
	}
	slices.SortFunc(texts, Text.compare)
	return texts
}

func (t Text) compare(u Text) int { return cmp.Or(cmp.Compare(t.At, u.At), cmp.Compare(t.ID, u.ID)) }

func idsOf(texts []Text) map[int64]bool {
	ids := make(map[int64]bool, len(texts))
	for _, t := range texts {
		ids[t.ID] = true
	}
	return ids
}

// changes leaves out texts that repeat the one before. Where more than points
// are left, only the newest in each of points equal parts stays.
func changes(texts []Text, from, to int64, points int) []core.Reading {
	repeats := func(a, b Text) bool { return a.Value == b.Value }
	texts = slices.CompactFunc(texts, repeats)
	if len(texts) > points {
		kept := texts[:0]
		for i, t := range texts {
			if i+1 == len(texts) || part(t.At, from, to, points) != part(texts[i+1].At, from, to, points) {
				kept = append(kept, t)
			}
		}
		texts = slices.CompactFunc(kept, repeats)
	}
	rs := make([]core.Reading, len(texts))
	for i, t := range texts {
		rs[i] = core.Reading{At: time.UnixMilli(t.At), Kind: core.Text, Text: t.Value}
	}
	return rs
}

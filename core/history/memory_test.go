package history

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"homeroom/core"
	"homeroom/core/topic"
)

// memory is a Store without a disk. Its zero value is ready.
type memory struct {
	hold chan struct{} // if not nil, writing waits until it is closed

	mu      sync.Mutex
	err     error               // guarded by mu; of writing
	chunks  map[int64]Chunk     // guarded by mu
	rollups map[rollKey]Summary // guarded by mu
	texts   []Text              // guarded by mu
	days    []int64             // guarded by mu
	trims   []Trim              // guarded by mu
	writes  int                 // guarded by mu
	keeps   bool                // whether anything is kept
}

func (m *memory) LoadHistory(context.Context, int) (Loaded, error) { return Loaded{}, nil }

func (m *memory) SeriesNames(context.Context) (map[core.Series]core.Description, error) {
	return map[core.Series]core.Description{}, nil
}

func (m *memory) WriteHistory(_ context.Context, b Batch) (Written, error) {
	if m.hold != nil {
		<-m.hold
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return Written{}, m.err
	}
	m.writes++
	if !m.keeps {
		return Written{}, nil
	}
	if m.chunks == nil {
		m.chunks, m.rollups = map[int64]Chunk{}, map[rollKey]Summary{}
	}
	for _, c := range b.Chunks {
		c.Packed = slices.Clone(c.Packed)
		m.chunks[c.ID] = c
	}
	for _, r := range b.Rollups {
		k := rollKey{r.Series, r.Level, r.Start}
		sum := m.rollups[k]
		sum.add(r.Summary)
		m.rollups[k] = sum
	}
	m.texts = append(m.texts, b.Texts...)
	m.days = append(m.days, b.Days...)
	return Written{}, nil
}

func (m *memory) ReadChunks(_ context.Context, q Query, chunk func(Chunk) error, _ func(Rollup) error) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.chunks {
		if c.Series == q.Series && c.Last >= q.From && c.First < q.To {
			if err := chunk(c); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

func (m *memory) ReadTexts(_ context.Context, q TextQuery, text func(Text) bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	texts := slices.SortedFunc(slices.Values(m.texts), func(a, b Text) int { return cmp.Compare(a.At, b.At) })
	if q.Newest {
		slices.Reverse(texts)
	}
	for _, t := range texts {
		if t.Series == q.Series && t.At >= q.From && t.At < q.To && !text(t) {
			break
		}
	}
	return nil
}

func (m *memory) CountReadings(context.Context, topic.Name) (int64, error) { return 0, nil }

func (m *memory) TrimHistory(_ context.Context, t Trim) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trims = append(m.trims, t)
	return 0, nil
}

func openWith(t testing.TB, store Store) *History {
	t.Helper()
	h, err := Open(t.Context(), Config{Store: store, Feed: &core.Feed{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

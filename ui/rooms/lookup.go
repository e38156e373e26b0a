package rooms

import (
	"context"
	"errors"
	"slices"
	"time"

	"homeroom/core"
	"homeroom/ui/widget"
)

// request is what an open chart asks for.
type request struct {
	turn   uint64 // rises with each request
	series []core.Series
	view   widget.View
	points int // for the view's length
}

// found answers a request.
type found struct {
	turn   uint64
	view   widget.View  // the request's, as it is now
	traces []core.Trace // of the request's series; nil where nothing is new
	more   bool         // something changed that was not read yet
}

// lookup reads traces, only those that can have changed, and while a chart
// follows at most once every retraceEvery. Load alone uses it.
type lookup struct {
	turn   uint64
	traces map[core.Series]core.Trace
	dirty  map[core.Series]bool // changed since it was read
	asked  time.Time
}

// read answers want; rows are the series that changed since the last time.
func (l *lookup) read(ctx context.Context, h History, want request, rows []core.Live, now time.Time) (found, error) {
	f := found{turn: want.turn, view: want.view.At(now.In(want.view.To.Location()))}
	if len(want.series) == 0 {
		l.turn = want.turn
		clear(l.traces)
		return f, nil
	}
	if l.dirty == nil || want.turn != l.turn {
		l.dirty = map[core.Series]bool{}
		for _, s := range want.series {
			l.dirty[s] = true
		}
	}
	margin := f.view.Length() / 4 // so that panning has something to show
	for _, r := range rows {
		if slices.Contains(want.series, r.Series) && !f.view.To.Add(margin).Before(earliest(r)) {
			l.dirty[r.Series] = true
		}
	}
	if len(l.dirty) == 0 {
		return f, nil
	}
	if want.turn == l.turn && !apart(now, l.asked, retraceEvery) {
		f.more = true
		return f, nil
	}
	from, to := f.view.From.Add(-margin), f.view.To.Add(margin)
	if f.view.Follow {
		to = f.view.To.Add(time.Second)
	}
	for s := range l.dirty {
		t, err := h.Trace(ctx, s, from, to, want.points*5/4)
		if errors.Is(err, core.ErrNotFound) {
			t, err = core.Trace{Series: s}, nil
		}
		if err != nil {
			return f, err
		}
		l.traces[s] = t
		delete(l.dirty, s)
	}
	l.turn, l.asked = want.turn, now
	for _, s := range want.series {
		f.traces = append(f.traces, l.traces[s])
	}
	return f, nil
}

// earliest returns the time from which on the readings of a changed row can
// differ: some before its newest, or all of them where it was forgotten.
func earliest(r core.Live) time.Time {
	if r.Newest.At.IsZero() {
		return time.Time{}
	}
	return r.Newest.At.Add(-time.Minute)
}

package history

import (
	"context"
	"slices"
	"time"
)

// The rule of keeping by age: age is counted from the last day but two on
// which something was recorded, and never from a day after today. A clock that
// jumps ahead must therefore stay there for more than a whole day of recording
// before anything is removed because of it, and once it is set right the days
// it made up count no more. A PC that was off over the summer is not taken for
// a jump, nor the other way round: the days without readings do not matter.

// SetKeep sets how long readings are kept, in days, and how large the store
// may grow, in bytes; 0 is without bound.
func (h *History) SetKeep(days int, bytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keep.days, h.keep.bytes = days, bytes
}

// noteDay remembers that something was recorded on day. Callers hold h.mu.
func (h *History) noteDay(day int64) {
	h.day = day
	if i, found := slices.BinarySearch(h.days, day); !found {
		h.days = slices.Insert(h.days, i, day)
		h.newDays = append(h.newDays, day)
	}
}

func (h *History) tooLarge() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.keep.bytes > 0 && h.size > h.keep.bytes
}

// trim removes what is too old or too much.
func (h *History) trim(ctx context.Context) {
	h.mu.Lock()
	t := Trim{Day: countFrom(h.days, time.Now()), Days: h.keep.days, Bytes: h.keep.bytes}
	h.mu.Unlock()
	size, err := h.cfg.Store.TrimHistory(ctx, t)
	if err != nil {
		if ctx.Err() == nil {
			h.cfg.Log.Error("history: old readings cannot be removed", "err", err)
		}
		return
	}
	h.mu.Lock()
	h.size = size
	h.mu.Unlock()
}

// countFrom returns the day from which age is counted, or -1. days are in order.
func countFrom(days []int64, now time.Time) int64 {
	n, found := slices.BinarySearch(days, dayOf(now.UnixMilli()))
	if found {
		n++
	}
	if n < 3 {
		return -1
	}
	return days[n-3]
}

// dayOf returns the day since 1970, UTC.
func dayOf(ms int64) int64 { return floor(ms, Levels[2]) / Levels[2] }

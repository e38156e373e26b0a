//go:build !headless

package ui

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// frames measures how often and how long the visible screen is refreshed, for
// `make bench`. It is nil, and costs nothing, unless HOMEROOM_BENCH is set.
type frames struct {
	every, took []time.Duration
}

func newFrames() *frames {
	if os.Getenv("HOMEROOM_BENCH") == "" {
		return nil
	}
	return &frames{}
}

// add notes one refresh: the time since the one before, and how long load and
// show took. Each hundred are printed.
func (f *frames) add(every, took time.Duration) {
	if f == nil || every > idle+frame { // the first, or nothing to show
		return
	}
	f.every, f.took = append(f.every, every), append(f.took, took)
	if len(f.every) == 100 {
		fmt.Fprintf(os.Stderr, "bench frame p50 %.0f ms p99 %.0f ms, load and show p50 %.1f ms p99 %.1f ms\n",
			quantile(f.every, 50), quantile(f.every, 99), quantile(f.took, 50), quantile(f.took, 99))
		f.every, f.took = f.every[:0], f.took[:0]
	}
}

// quantile returns the q-th of a hundred durations, in milliseconds. It sorts them.
func quantile(ds []time.Duration, q int) float64 {
	slices.Sort(ds)
	return float64(ds[min(len(ds)-1, len(ds)*q/100)].Microseconds()) / 1000
}

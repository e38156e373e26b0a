package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// most is how much garbage may lie beside what is in use, in percent of
	// it: messages are short-lived, and collecting them less often saves a third
	// of the broker's time.
	most  = 400
	least = 40
	// garbage is how much that may be in bytes. Thousands of connections and
	// retained messages are in use all the time, and must not cost five times
	// their size.
	garbage = 32 << 20
)

// tuneMemory keeps the garbage collector between these bounds until ctx ends.
func tuneMemory(ctx context.Context) {
	now := most
	debug.SetGCPercent(now)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(live)
		if want := collectAt(live[0].Value.Uint64()); want != now {
			now = want
			debug.SetGCPercent(now)
		}
	}
}

// collectAt returns the GC percent for so many bytes in use, in steps of 20.
func collectAt(live uint64) int {
	return min(max(int(garbage*100/max(live, 1))/20*20, least), most)
}

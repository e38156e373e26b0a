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
	// quiet is how many seconds without a collection make a pause, and idle how
	// many bytes are then worth giving back to the system.
	quiet = 2
	idle  = 8 << 20
)

// tuneMemory keeps the garbage collector between these bounds until ctx ends, and
// gives memory back in a pause: on a lab PC other programs want it.
func tuneMemory(ctx context.Context) {
	now := most
	debug.SetGCPercent(now)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	m := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	cycles, since := uint64(0), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(m)
		live := m[0].Value.Uint64()
		if want := collectAt(live); want != now {
			now = want
			debug.SetGCPercent(now)
		}
		if n := m[1].Value.Uint64(); n != cycles {
			cycles, since = n, 0
			continue
		}
		if since++; since >= quiet && m[2].Value.Uint64()+m[3].Value.Uint64() > live+idle {
			debug.FreeOSMemory()
		}
	}
}

// collectAt returns the GC percent for so many bytes in use, in steps of 20.
func collectAt(live uint64) int {
	return min(max(int(garbage*100/max(live, 1))/20*20, least), most)
}

package sim

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// used returns the memory and the CPU time of this process, after a collection.
func used() (bytes, seconds float64, goroutines int) {
	runtime.GC()
	m := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/cpu/classes/user:cpu-seconds"}, {Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(m)
	return float64(m[0].Value.Uint64() + m[1].Value.Uint64()), m[2].Value.Float64() + m[3].Value.Float64(), runtime.NumGoroutine()
}

// kits starts n of them, and waits until all are ready. The broker is in the same
// process, so what is measured is both ends of each connection.
func kits(b *testing.B, h *house, n int) []core.Place {
	var places []core.Place
	for i := range n {
		places = append(places, board1(topic.Name(fmt.Sprintf("school/kit-%d", i))))
	}
	h.sim.Set(places)
	for {
		ready := 0
		for _, x := range h.sim.Boards() {
			if x.State == "ready" {
				ready++
			}
		}
		if ready == n {
			return places
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// BenchmarkIdleKits is 200 boards that nobody touches.
func BenchmarkIdleKits(b *testing.B) {
	h := open(b)
	h.start()
	bytes, _, goroutines := used()
	kits(b, h, 200)
	time.Sleep(time.Second)
	after, cpu, more := used()
	const watched = 5 * time.Second
	time.Sleep(watched)
	_, end, _ := used()
	b.ReportMetric((after-bytes)/200/1024, "KiB/kit")
	b.ReportMetric(float64(more-goroutines)/200, "goroutines/kit")
	b.ReportMetric((end-cpu)/watched.Seconds()*1000, "cpu-ms/s")
}

// BenchmarkBusyKits is 40 boards that publish ten times a second.
func BenchmarkBusyKits(b *testing.B) {
	h := open(b)
	h.start()
	places := kits(b, h, 40)
	_, cpu, _ := used()
	const seconds = 5
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := range seconds * 10 {
		<-tick.C
		for _, p := range places {
			if err := h.sim.Turn(p.Name, "presence", fmt.Sprint(i%2 == 0)); err != nil {
				b.Fatal(err)
			}
		}
	}
	_, end, _ := used()
	b.ReportMetric((end-cpu)/seconds*1000, "cpu-ms/s")
}

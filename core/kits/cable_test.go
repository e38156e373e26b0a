package kits_test

import (
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits/chip"
)

// BenchmarkCable is how long a kit on the cable takes from being plugged in until the
// broker has its "ready": the board starts, its port is seen, it says who it is, and
// joins. The board is emulated and runs firmware/host.
func BenchmarkCable(b *testing.B) {
	l := newLab(b, bundle{"wired": image("wired", "1.0.0")})
	const kit = "blue/lab/cable"
	board, _ := l.board(1, chip.Options{})
	id := l.begin("COM3", board)
	l.rest(id)
	l.ok(l.s.Order(b.Context(), id, core.SetupOrder{Kit: kit, Role: core.ButtonKit, Image: "wired", Cable: true}))
	l.ok(l.s.Start(b.Context(), id, core.StepKit))
	l.until("it is tested", func() bool { return l.setup(id).Step == core.StepTest })
	l.ok(l.s.Stop(id))
	l.rest(id)
	l.ok(l.s.Close(id))
	b.ResetTimer()
	longest := time.Duration(0)
	for i := range b.N {
		b.StopTimer()
		l.pc.unplug("COM3")
		l.until("it is lost", func() bool { return l.last(kit+"/$state") == "lost" })
		time.Sleep(time.Duration(i%10) * 50 * time.Millisecond) // the ports are looked at twice a second: nobody waits for that
		b.StartTimer()
		began := time.Now()
		board.Replug()
		l.pc.plug("COM3", board)
		l.until("it is on the broker again", func() bool { return l.last(kit+"/$state") == "ready" })
		longest = max(longest, time.Since(began))
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/join")
	b.ReportMetric(float64(longest.Milliseconds()), "ms/longest")
}

package esp

import (
	"testing"
	"time"

	"homeroom/core/kits/chip"
	"homeroom/core/kits/line"
)

// metered adds up how long the bytes that are written to a port are on the line, each
// at its rate.
type metered struct {
	line.Port
	baud  int
	bytes int
	took  time.Duration
}

func (m *metered) Write(b []byte) (int, error) {
	n, err := m.Port.Write(b)
	m.bytes += n
	m.took += time.Duration(n) * 10 * time.Second / time.Duration(m.baud)
	return n, err
}

func (m *metered) SetBaud(baud int) error {
	m.baud = baud
	return m.Port.SetBaud(baud)
}

// flashTime flashes 334,992 bytes over a line, and onto a flash, that take the time
// that real ones take. It returns how long Write took, from the change of the rate
// to the verified MD5, and how long its bytes were on the line at least.
func flashTime(tb testing.TB) (took, limit time.Duration, bytes int) {
	b := chip.New(chip.Options{Paced: true})
	defer b.Close()
	p := &metered{Port: b.Port(), baud: baudFirst}
	c, err := Connect(tb.Context(), p, Options{Stub: ownStub})
	if err != nil {
		tb.Fatal(err)
	}
	p.bytes, p.took = 0, 0
	start := time.Now()
	if err := c.Write(tb.Context(), []Region{{Data: firmware(334_992)}}); err != nil {
		tb.Fatal(err)
	}
	return time.Since(start), p.took, p.bytes
}

// TestFlashTime: nothing is waited for but the line, and the flash at the very end.
func TestFlashTime(t *testing.T) {
	within(t, func(t *testing.T) { // a bubble's time: what the PC computes costs none
		took, limit, _ := flashTime(t)
		t.Logf("%v, %.3f times the line's limit", took, float64(took)/float64(limit))
		if float64(took) > 1.1*float64(limit) {
			t.Errorf("a flash takes %v, more than 1.1 times the %v that its bytes are on the line", took, limit)
		}
	})
}

// BenchmarkFlash is the same on the real clock, with what this PC adds.
func BenchmarkFlash(b *testing.B) {
	var took, limit time.Duration
	var bytes int
	for b.Loop() {
		one, least, n := flashTime(b)
		took, limit, bytes = took+one, limit+least, n
	}
	b.ReportMetric(float64(took)/float64(limit), "x-line-limit")
	b.ReportMetric(float64(bytes), "wire-B")
}

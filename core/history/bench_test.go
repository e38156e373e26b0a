package history

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// BenchmarkRecord is what a publisher pays for the history of its message.
func BenchmarkRecord(b *testing.B) {
	for _, bb := range []struct {
		name    string
		topics  int
		payload func(i int) []byte
	}{
		{"number", 2000, func(i int) []byte { return strconv.AppendInt([]byte("21."), int64(i%100), 10) }},
		{"boolean", 2000, func(i int) []byte { return strconv.AppendBool(nil, i%2 == 0) }},
		{"text", 2000, func(i int) []byte { return fmt.Appendf(nil, "state %d", i) }},
		{"json", 2000, func(i int) []byte { return fmt.Appendf(nil, `{"t":21.%d,"h":40,"ok":true}`, i%100) }},
		{"number, one topic", 1, func(i int) []byte { return strconv.AppendInt([]byte("21."), int64(i%100), 10) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			h := openWith(b, &memory{})
			ms := make([]core.Message, max(1000, bb.topics))
			for i := range ms {
				ms[i] = core.Message{Topic: topic.Name(fmt.Sprintf("blue/lab/kit-%d/air", i%bb.topics)), Payload: bb.payload(i)}
			}
			at := time.Now()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				m := ms[i%len(ms)]
				m.At = at.Add(time.Duration(i) * time.Millisecond)
				h.Record(m)
				if i++; i%100_000 == 0 { // as Run does
					if err := h.Flush(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			}
			if h.Dropped() > 0 {
				b.Fatalf("%d readings were dropped", h.Dropped())
			}
		})
	}
}

// BenchmarkPack is the part of Record that packs, with chunks of a sensor's readings.
func BenchmarkPack(b *testing.B) {
	rs := make([]reading, chunkReadings)
	for i := range rs {
		rs[i] = reading{1_772_438_400_000 + int64(i)*1000 + int64(i%7), float64(2150+i%30) / 100}
	}
	var packed []byte
	b.Run("pack", func(b *testing.B) {
		for b.Loop() {
			c := &chunk{}
			for _, r := range rs {
				c.add(r.ms, r.v)
			}
			packed = c.Packed
		}
		b.ReportMetric(float64(len(packed))/chunkReadings, "B/sample")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/chunkReadings, "ns/sample")
	})
	b.Run("unpack", func(b *testing.B) {
		var out []reading
		for b.Loop() {
			var err error
			if out, err = unpack(out[:0], packed); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/chunkReadings, "ns/sample")
	})
}

package history

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"homeroom/core"
)

func packAll(rs []reading) []byte {
	var p packer
	for _, r := range rs {
		p.add(r.ms, r.v)
	}
	return p.packed
}

func same(a, b reading) bool { return a.ms == b.ms && math.Float64bits(a.v) == math.Float64bits(b.v) }

func TestPack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	start := int64(1_772_438_400_000)
	sensor := make([]reading, 256)
	for i := range sensor {
		sensor[i] = reading{start + int64(i)*1000, math.Round(2150+20*math.Sin(float64(i)/10)) / 100}
	}
	jitter := make([]reading, 256)
	for i := range jitter {
		jitter[i] = reading{start + int64(i)*1000 + rnd.Int64N(40), rnd.NormFloat64()}
	}
	for name, tt := range map[string]struct {
		rs    []reading
		bytes int // at most, for each reading
	}{
		"sensor": {sensor, 3},
		"jitter": {jitter, 11},
		"edges": {[]reading{{0, 0}, {0, math.Copysign(0, -1)}, {-5, 1}, {math.MaxInt64, math.MaxFloat64}, {math.MinInt64, math.SmallestNonzeroFloat64},
			{1, math.Inf(-1)}, {2, math.NaN()}, {3, 1 << 53}, {4, -(1<<53 - 1)}, {5, 1<<53 - 1}, {6, 0.1}, {7, 123456.789}, {8, 9e9}, {9, 1e-6}, {10, 22}}, 30},
		"none": {nil, 0},
	} {
		packed := packAll(tt.rs)
		got, err := unpack(nil, packed)
		if err != nil || !slices.EqualFunc(got, tt.rs, same) {
			t.Errorf("%s: %v became %v, %v", name, tt.rs, got, err)
		}
		if len(packed) > tt.bytes*len(tt.rs) {
			t.Errorf("%s: %d bytes for %d readings", name, len(packed), len(tt.rs))
		}
		for cut := range packed {
			if got, err := unpack(nil, packed[:cut]); err == nil && len(got) >= len(tt.rs) {
				t.Errorf("%s: %d of %d bytes make %d readings", name, cut, len(packed), len(got))
			}
		}
	}
}

// FuzzUnpack takes any bytes for a chunk, and any readings for what goes into one.
func FuzzUnpack(f *testing.F) {
	f.Add(packAll([]reading{{1000, 21.5}, {2000, 21.25}, {3000, math.Pi}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{0, 7, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, data []byte) {
		rs, _ := unpack(nil, data)
		if len(rs) > len(data)/2 {
			t.Fatalf("%d bytes make %d readings", len(data), len(rs))
		}
		again, err := unpack(nil, packAll(rs))
		if err != nil || !slices.EqualFunc(again, rs, same) {
			t.Fatalf("%v became %v, %v", rs, again, err)
		}
		rs = rs[:0]
		for ; len(data) >= 16; data = data[16:] {
			rs = append(rs, reading{int64(binary.LittleEndian.Uint64(data)), math.Float64frombits(binary.LittleEndian.Uint64(data[8:]))})
		}
		again, err = unpack(nil, packAll(rs))
		if err != nil || !slices.EqualFunc(again, rs, same) {
			t.Fatalf("%v became %v, %v", rs, again, err)
		}
	})
}

func TestRoll(t *testing.T) {
	for _, tt := range []struct {
		every  int64
		rolled int
	}{{1000, 0}, {15_000, 0}, {20_000, 1}, {200_000, 1}, {250_000, 2}, {300_000, 2}} {
		c := &chunk{Chunk: Chunk{Series: "a", Kind: core.Number}}
		const start = 1_772_438_400_000
		c.add(start, 0)
		for ms := start + tt.every; c.takes(core.Number, ms); ms += tt.every {
			c.add(ms, float64(ms-start))
		}
		into := map[rollKey]Summary{}
		if err := c.roll(into); err != nil {
			t.Fatal(err)
		}
		if c.Rolled != tt.rolled {
			t.Errorf("one every %d ms is rolled up to level %d, want %d", tt.every, c.Rolled, tt.rolled)
		}
		n := map[int]int{}
		for k, sum := range into {
			n[k.level] += sum.N
			if sum.First < k.start || sum.Last >= k.start+Levels[k.level] || k.start%Levels[k.level] != 0 || sum.End != sum.Max {
				t.Errorf("%+v: %+v", k, sum)
			}
		}
		for level := range Levels {
			if want := c.N; level >= c.Rolled && n[level] != want || level < c.Rolled && n[level] != 0 {
				t.Errorf("level %d holds %d readings of %d", level, n[level], c.N)
			}
		}
	}
}

package history

import (
	"encoding/binary"
	"errors"
	"math"

	"homeroom/core"
)

const (
	chunkReadings = 256               // in a full chunk
	chunkSpan     = int64(86_400_000) // milliseconds from first to last, at most
	overtaking    = int64(1_000)      // milliseconds by which two publishers may overtake each other
	maxExponent   = 6                 // of ten, below which a value is kept as it is
	raw           = maxExponent + 1   // tag of a value kept as it is
	exact         = float64(1 << 53)  // integers below are exact
)

var pow10 = [maxExponent + 1]float64{1, 10, 100, 1000, 1e4, 1e5, 1e6}

// reading is one value in memory.
type reading struct {
	ms int64
	v  float64
}

// packer appends readings to a packed chunk. What it has written never
// changes, so packed[:n] may be read while more is appended.
//
// A packed chunk is a row of readings without a header. Each is two or three
// parts:
//
//   - the time: the change of the distance from the reading before, as a
//     zigzag varint of milliseconds. The first is the time itself, and the
//     distance before the second counts as 0.
//   - the value: a varint whose low 3 bits are e. For e up to 6 the value is
//     m/10^e, and the upper bits are the change of m, zigzag; m starts at 0
//     and again whenever e changes. For e = 7 nothing is above, and
//   - 8 bytes follow, the IEEE 754 bits of the value, low byte first.
//
// A sensor's "21.53" each second takes 2 bytes.
type packer struct {
	packed []byte
	n      int
	ms     int64
	step   int64
	m      int64
	e      int
}

func (p *packer) add(ms int64, v float64) {
	step := ms - p.ms
	p.packed = binary.AppendVarint(p.packed, step-p.step)
	p.ms, p.step = ms, step
	if p.n == 0 {
		p.step = 0
	}
	p.n++
	for e := p.e; e <= maxExponent; e++ {
		m := math.RoundToEven(v * pow10[e])
		if !(math.Abs(m) < exact) { // NaN is not below either
			break
		}
		i := int64(m)
		if math.Float64bits(float64(i)/pow10[e]) != math.Float64bits(v) {
			continue
		}
		if e != p.e {
			p.e, p.m = e, 0
		}
		d := i - p.m
		p.m = i
		p.packed = binary.AppendUvarint(p.packed, uint64(d<<1^d>>63)<<3|uint64(e))
		return
	}
	p.packed = append(p.packed, raw)
	p.packed = binary.LittleEndian.AppendUint64(p.packed, math.Float64bits(v))
}

var errPacked = errors.New("history: a packed chunk is damaged")

// unpack appends the readings in packed to rs. It accepts any bytes.
func unpack(rs []reading, packed []byte) ([]reading, error) {
	var p packer
	for len(packed) > 0 {
		change, n := binary.Varint(packed)
		if n <= 0 {
			return rs, errPacked
		}
		packed = packed[n:]
		p.step += change
		p.ms += p.step
		if p.n == 0 {
			p.step = 0
		}
		p.n++
		h, n := binary.Uvarint(packed)
		if n <= 0 {
			return rs, errPacked
		}
		packed = packed[n:]
		var v float64
		if e := int(h & 7); e == raw {
			if h != raw || len(packed) < 8 {
				return rs, errPacked
			}
			v = math.Float64frombits(binary.LittleEndian.Uint64(packed))
			packed = packed[8:]
		} else {
			if e != p.e {
				p.e, p.m = e, 0
			}
			h >>= 3
			p.m += int64(h>>1) ^ -int64(h&1)
			v = float64(p.m) / pow10[e]
		}
		rs = append(rs, reading{p.ms, v})
	}
	return rs, nil
}

// add makes s say what it said and what t says.
func (s *Summary) add(t Summary) {
	if t.N == 0 {
		return
	}
	if s.N == 0 {
		*s = t
		return
	}
	if t.Last >= s.Last {
		s.Last, s.End = t.Last, t.End
	}
	s.First = min(s.First, t.First)
	s.Min, s.Max = min(s.Min, t.Min), max(s.Max, t.Max)
	s.Sum = max(-math.MaxFloat64, min(s.Sum+t.Sum, math.MaxFloat64)) // infinities would cancel out to NaN
	s.N += t.N
}

func (r reading) summary() Summary {
	return Summary{First: r.ms, Last: r.ms, Min: r.v, Max: r.v, Sum: r.v, End: r.v, N: 1}
}

// chunk is a chunk that grows.
type chunk struct {
	Chunk
	packer packer
	saved  int // readings of it that are in the store
}

// takes reports whether a reading of that kind and time may be added.
func (c *chunk) takes(kind core.Kind, ms int64) bool {
	return c.N < chunkReadings && kind == c.Kind && ms >= c.Last && ms-c.First < chunkSpan
}

func (c *chunk) add(ms int64, v float64) {
	if c.packer.packed == nil {
		c.packer.packed = make([]byte, 0, 32)
	}
	c.packer.add(ms, v)
	c.Packed = c.packer.packed
	c.Summary.add(reading{ms, v}.summary())
}

// reopen makes a chunk from the store one that grows again.
func reopen(stored Chunk) (*chunk, error) {
	rs, err := unpack(nil, stored.Packed)
	if err != nil {
		return nil, err
	}
	c := &chunk{Chunk: stored, saved: len(rs)}
	c.Summary, c.Packed = Summary{}, nil
	for _, r := range rs {
		c.add(r.ms, r.v)
	}
	return c, nil
}

// roll sets how far a closed chunk is rolled up and adds it to the roll-ups
// in into. Where a level would have a row for nearly each reading it is left
// out: then the chunk itself is the better summary.
func (c *Chunk) roll(into map[rollKey]Summary) error {
	rs, err := unpack(make([]reading, 0, chunkReadings), c.Packed)
	if err != nil {
		return err
	}
	c.Rolled = 0
	for c.Rolled < len(Levels)-1 && int64(c.N) < 4*(1+(c.Last-c.First)/Levels[c.Rolled]) {
		c.Rolled++
	}
	for level := c.Rolled; level < len(Levels); level++ {
		width := Levels[level]
		var sum Summary
		start := floor(c.First, width)
		for _, r := range rs {
			if r.ms >= start+width {
				c.rollInto(into, level, start, sum)
				sum, start = Summary{}, floor(r.ms, width)
			}
			sum.add(r.summary())
		}
		c.rollInto(into, level, start, sum)
	}
	return nil
}

type rollKey struct {
	series core.Series
	level  int
	start  int64
}

func (c *Chunk) rollInto(into map[rollKey]Summary, level int, start int64, sum Summary) {
	k := rollKey{c.Series, level, start}
	all := into[k]
	all.add(sum)
	into[k] = all
}

// floor is the greatest multiple of width that is not above ms.
func floor(ms, width int64) int64 {
	r := ms % width
	if r < 0 {
		r += width
	}
	return ms - r
}

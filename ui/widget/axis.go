package widget

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"homeroom/core"
)

// FormatNumber writes a measured value for people: no more digits than a
// sensor can mean, no exponent where it can be helped, always a decimal point,
// as on the wire.
func FormatNumber(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case a >= 1e15 || a > 0 && a < 1e-4:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case a >= 1e7:
		return short(v, 3)
	case a >= 1000:
		return decimal(v, 1)
	case a >= 0.1 || a == 0:
		return decimal(v, 2)
	}
	return decimal(v, 2-int(math.Floor(math.Log10(a))))
}

// decimal writes v with at most n decimals.
func decimal(v float64, n int) string {
	s := strconv.FormatFloat(v, 'f', n, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// short writes v with a letter for thousands, millions and so on.
func short(v float64, n int) string {
	for _, p := range []struct {
		size float64
		sign string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= p.size {
			return decimal(v/p.size, n) + p.sign
		}
	}
	return decimal(v, n)
}

// valueScale is a value axis: lo at its bottom, hi at its top, a round number at each tick.
type valueScale struct {
	lo, hi, step float64
}

// newScale returns a scale of round numbers, with about n steps, that covers lo to hi.
func newScale(lo, hi float64, n int) valueScale {
	lo, hi = widen(lo, hi)
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/float64(max(n, 1)))))
	for _, f := range []float64{1, 2, 5, 10} {
		if s := step * f; (hi-lo)/s <= float64(max(n, 1))*1.01 {
			step = s
			break
		}
	}
	return valueScale{math.Floor(lo/step+1e-9) * step, math.Ceil(hi/step-1e-9) * step, step}
}

// limit keeps v so small that sums of a few stay finite.
func limit(v float64) float64 {
	const most = 1e300
	return min(max(v, -most), most)
}

// widen returns a range that holds lo to hi and is safe to divide by: both ends
// are finite and far enough apart to tell them apart, however large they are.
// One value is in its middle.
func widen(lo, hi float64) (float64, float64) {
	if math.IsNaN(lo) || math.IsNaN(hi) {
		lo, hi = 0, 0
	}
	lo, hi = limit(min(lo, hi)), limit(max(lo, hi))
	if hi-lo < max(math.Abs(lo)*1e-9, 1e-12) { // flat
		d := max(math.Abs(lo)*0.02, 0.5)
		lo, hi = lo-d, hi+d
	}
	return lo, hi
}

// alignedScale returns a scale of n steps that covers lo to hi, so that its
// ticks stand beside those of another with n steps.
func alignedScale(lo, hi float64, n int) valueScale {
	n = max(n, 1)
	lo, hi = widen(lo, hi)
	s := newScale(lo, hi, n)
	for power := s.step / 10; ; power *= 10 {
		power = math.Pow(10, math.Floor(math.Log10(power)+1e-9))
		for _, f := range []float64{1, 2, 2.5, 4, 5, 8} {
			step := power * f
			low := math.Floor(lo/step+1e-9) * step
			if low+float64(n)*step >= hi-step*1e-9 {
				return valueScale{low, low + float64(n)*step, step}
			}
		}
	}
}

// steps returns how many steps s has.
func (s valueScale) steps() int { return int(math.Round((s.hi - s.lo) / s.step)) }

// ticks returns the values to label, from below.
func (s valueScale) ticks() []float64 {
	var ts []float64
	for i := 0.0; len(ts) < 64; i++ {
		v := s.lo + i*s.step
		if v > s.hi+s.step/2 {
			break
		}
		if math.Abs(v) < s.step/1e6 {
			v = 0
		}
		ts = append(ts, v)
	}
	return ts
}

// label writes a tick's value with as many decimals as its neighbours need.
func (s valueScale) label(v float64) string {
	big := max(math.Abs(s.lo), math.Abs(s.hi))
	switch {
	case big >= 1e15 || s.step < 1e-6:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case big >= 1e5:
		return short(v, 3)
	}
	for n := 0; n < 9; n++ {
		if x := s.step * math.Pow10(n); math.Abs(x-math.Round(x)) < 1e-6*x {
			return strconv.FormatFloat(v, 'f', n, 64)
		}
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// y returns where v is on an axis of that height, from its top. A little room
// stays beyond lo and hi, so that a point there is seen whole. What is far off
// is just outside, and what is no number in the middle.
func (s valueScale) y(v float64, height float32) float32 {
	const room = 0.05
	share := ((s.hi-limit(v))/(s.hi-s.lo) + room) / (1 + 2*room)
	if math.IsNaN(share) {
		share = 0.5
	}
	return float32(min(max(share, -1), 2) * float64(height))
}

// sample is a value and how many readings had it.
type sample struct {
	v float64
	n int
}

// samples appends the values of spans to vs: of each its lowest, its highest,
// and its mean for all the others.
func samples(vs []sample, spans []core.Span) []sample {
	for _, p := range spans {
		if !finite(p.Min) || !finite(p.Max) || !finite(p.Sum) || p.N < 1 {
			continue
		}
		vs = append(vs, sample{p.Max, 1})
		if p.N > 1 {
			vs = append(vs, sample{p.Min, 1})
		}
		if p.N > 2 {
			vs = append(vs, sample{p.Sum / float64(p.N), p.N - 2})
		}
	}
	return vs
}

// full returns the range of all values.
func full(vs []sample) (lo, hi float64) {
	if len(vs) == 0 {
		return 0, 1
	}
	lo, hi = vs[0].v, vs[0].v
	for _, s := range vs {
		lo, hi = min(lo, s.v), max(hi, s.v)
	}
	return lo, hi
}

// robust returns the range of values that an axis should cover, and whether it
// leaves some out: a few readings far from all others, which would press
// everything else into a flat line. It changes the order of vs.
func robust(vs []sample) (lo, hi float64, cut bool) {
	lo, hi = full(vs)
	if every := len(vs) / 2000; every > 1 { // a part of them tells what is usual
		if every%3 == 0 {
			every++ // values come in threes
		}
		n := 0
		for i := 0; i < len(vs); i += every {
			vs[n] = vs[i]
			n++
		}
		vs = vs[:n]
	}
	total := 0
	for _, s := range vs {
		total += s.n
	}
	few := max(2, total/200) // as many as may be left out at each end
	if total < 6*few {
		return lo, hi, false
	}
	slices.SortFunc(vs, func(a, b sample) int { return cmp.Compare(a.v, b.v) })
	inner := func(at, step int) float64 { // the outermost value that is not of the few
		for left := few - vs[at].n; left >= 0; left -= vs[at].n {
			at += step
		}
		return vs[at].v
	}
	l, h := inner(0, 1), inner(len(vs)-1, -1)
	usual := max(h-l, (math.Abs(l)+math.Abs(h))*0.005)
	if hi-h > 2*usual {
		hi, cut = h+usual*0.1, true
	}
	if l-lo > 2*usual {
		lo, cut = l-usual*0.1, true
	}
	return lo, hi, cut
}

// gap reports whether a hole between two readings is more than a late reading.
func gap(t core.Trace, hole time.Duration) bool { return t.Step > 0 && hole > 3*t.Step }

// timeTick is a labelled moment on a time axis.
type timeTick struct {
	at    time.Time
	label string
	date  string // in a second line, where the day changes; "" otherwise
}

// timeTicks returns at most about n round moments from from to to, in the
// time zone of from. Labels are the same in every language.
func timeTicks(from, to time.Time, n int) []timeTick {
	length := to.Sub(from)
	if length <= 0 || n < 1 {
		return nil
	}
	next, layout := timeSteps(from, length/time.Duration(n))
	var ts []timeTick
	day := ""
	for i := 0; len(ts) <= 4*n && i < 1000; i++ {
		at := next(i)
		if at.Before(from) {
			continue
		}
		if at.After(to) {
			break
		}
		t := timeTick{at: at, label: at.Format(layout)}
		d := at.Format("2006-01-02")
		if layout == "01-02" || layout == "2006-01" {
			d = at.Format("2006")
		}
		if d != day && layout != "2006-01" {
			t.date, day = d, d
		}
		ts = append(ts, t)
	}
	return ts
}

// timeSteps returns the round moments from before from on that are at least
// step apart, and the layout of their labels.
func timeSteps(from time.Time, step time.Duration) (next func(i int) time.Time, layout string) {
	y, mo, d := from.Date()
	zone := from.Location()
	for _, s := range []int{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600} {
		if every := time.Duration(s) * time.Second; step <= every {
			layout = "15:04"
			if s < 60 {
				layout = "15:04:05"
			}
			hour := time.Date(y, mo, d, from.Hour(), 0, 0, 0, zone)
			first := from.Sub(hour) / every
			return func(i int) time.Time { return hour.Add((first + time.Duration(i)) * every) }, layout
		}
	}
	for _, h := range []int{2, 3, 6, 12} {
		if step <= time.Duration(h)*time.Hour {
			return func(i int) time.Time { return time.Date(y, mo, d, i*h, 0, 0, 0, zone) }, "15:04"
		}
	}
	for _, days := range []int{1, 2, 5, 10} {
		if step <= time.Duration(days)*24*time.Hour {
			d -= (from.YearDay() - 1) % days
			return func(i int) time.Time { return time.Date(y, mo, d+i*days, 0, 0, 0, 0, zone) }, "01-02"
		}
	}
	for _, months := range []int{1, 3} {
		if step <= time.Duration(months)*31*24*time.Hour {
			mo -= (mo - 1) % time.Month(months)
			return func(i int) time.Time { return time.Date(y, mo+time.Month(i*months), 1, 0, 0, 0, 0, zone) }, "2006-01"
		}
	}
	return func(i int) time.Time { return time.Date(y+i, 1, 1, 0, 0, 0, 0, zone) }, "2006-01"
}

package widget

import (
	"strconv"
	"strings"
	"time"

	"homeroom/assets/lang"
)

// Number returns n with its thousands apart, as the window's language has it.
func Number(n uint64) string {
	gap := ","
	if lang.Used() == lang.French {
		gap = "\u00a0"
	}
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + gap + s[i:]
	}
	return s
}

// Bytes returns a size in the largest unit of which there is at least one.
func Bytes(n int64) string {
	switch {
	case n < 1<<10:
		return lang.L("{n} bytes", "n", n)
	case n < 1<<20:
		return lang.L("{n} KB", "n", n>>10)
	case n < 1<<30:
		return lang.L("{n} MB", "n", tenths(n, 1<<20))
	}
	return lang.L("{n} GB", "n", tenths(n, 1<<30))
}

func tenths(n, unit int64) string {
	s := strings.TrimSuffix(strconv.FormatFloat(float64(n)/float64(unit), 'f', 1, 64), ".0")
	if lang.Used() == lang.French {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s
}

// Rate turns a counter that only rises into events a second. The zero Rate is
// ready to use.
type Rate struct {
	at    time.Time
	count uint64
	value uint64
}

// Of returns the rate now that the counter stands at count: the mean over at
// least one second, and 0 until there was one.
func (r *Rate) Of(count uint64, now time.Time) uint64 {
	d := now.Sub(r.at)
	switch {
	case r.at.IsZero() || count < r.count || d < 0:
		*r = Rate{at: now, count: count}
	case d >= time.Second:
		*r = Rate{at: now, count: count, value: uint64(float64(count-r.count)/d.Seconds() + 0.5)}
	}
	return r.value
}

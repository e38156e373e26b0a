package rules

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"homeroom/core"
)

const (
	maxPayload = 8 << 10 // bytes of a JSON value
	maxText    = 1 << 10 // bytes of a text
	maxNumber  = 32      // bytes of a number
	maxDepth   = 16      // of a JSON value
	maxBuckets = 300     // of the values of a while
	rateOver   = 5 * time.Minute
)

// long is how long ago is what never was.
const long = 100 * 365 * 24 * time.Hour

// read returns what a payload says to whom the topic is t: a bool, a float64, a
// string or a map[string]any; or false where it does not fit.
func read(t core.Topic, payload []byte) (any, bool) {
	if len(payload) > maxPayload || !utf8.Valid(payload) {
		return nil, false
	}
	switch t.Kind {
	case core.Boolean:
		return result(t.Truth(string(payload)))
	case core.Number:
		return number(strings.TrimSpace(string(payload)))
	case core.JSON:
		return document(payload)
	case core.Enumeration:
		word := strings.TrimSpace(string(payload))
		if len(t.Options) == 0 {
			return word, len(word) <= maxText
		}
		for _, o := range t.Options {
			if strings.EqualFold(o, word) {
				return o, true
			}
		}
		return nil, false
	}
	return string(payload), len(payload) <= maxText
}

// result is v as a value of any kind.
func result[T any](v T, ok bool) (any, bool) { return v, ok }

// number reads a decimal number; neither NaN nor infinity is one.
func number(s string) (any, bool) {
	if s == "" || len(s) > maxNumber || strings.Trim(s, "0123456789.+-eE") != "" {
		return nil, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// document reads a JSON object.
func document(payload []byte) (any, bool) {
	depth := 0
	for _, c := range payload { // braces in texts count too: it is a bound, no parser
		switch c {
		case '{', '[':
			if depth++; depth > maxDepth {
				return nil, false
			}
		case '}', ']':
			depth--
		}
	}
	var m map[string]any
	if json.Unmarshal(payload, &m) != nil || m == nil {
		return nil, false
	}
	return m, true
}

// zero is the value of an input that never came. A number that never came is
// neither less nor more than another: 0 would be dark, and cold.
func zero(k core.Kind) any {
	switch k {
	case core.Boolean:
		return false
	case core.Number:
		return math.NaN()
	case core.JSON:
		return map[string]any{}
	}
	return ""
}

// write returns what a topic is sent for a value of an expression.
func write(t core.Topic, v any) (string, error) {
	if i, ok := v.(int); ok {
		v = float64(i)
	}
	switch v := v.(type) {
	case bool:
		if t.Kind != core.Number && t.Kind != core.Enumeration {
			return t.Word(v), nil
		}
	case float64:
		switch {
		case math.IsNaN(v) || math.Abs(v) > 1e15:
			return "", core.Fail(core.ErrInvalid, "The value for {topic} is no number that can be sent. Look for a division by zero.", "topic", t.Name)
		case t.Kind == core.Boolean || t.Kind == core.Enumeration:
		case t.Kind == core.Number && t.Min != t.Max && (v < t.Min || v > t.Max):
			return "", core.Fail(core.ErrInvalid, "{topic} is not set to {value}: it goes from {min} to {max}. Use max and min in the rule to stay within.",
				"topic", t.Name, "value", decimal(v), "min", decimal(t.Min), "max", decimal(t.Max))
		default:
			return decimal(v), nil
		}
	case string:
		if t.Kind == core.Text || t.Kind == core.Enumeration {
			if got, ok := read(t, []byte(v)); ok {
				return got.(string), nil
			}
		}
		if t.Kind == core.JSON && len(v) <= maxPayload && json.Valid([]byte(v)) {
			return v, nil
		}
		if t.Kind == core.Boolean || t.Kind == core.Number {
			if got, ok := read(t, []byte(v)); ok { // from a JSON input, whose kinds nobody designed
				return write(t, got)
			}
		}
	case map[string]any, []any:
		if b, err := json.Marshal(v); t.Kind == core.JSON && err == nil && len(b) <= maxPayload {
			return string(b), nil
		}
	case time.Duration:
		return write(t, v.Seconds())
	}
	return "", core.Fail(core.ErrInvalid, "{topic} is not set to {value}, which is no value of its kind. Change the rule, or the design of the topic.", "topic", t.Name, "value", short(show(v)))
}

// decimal writes v without exponent, and without the digits that only say that
// 0.1 is no binary number.
func decimal(v float64) string {
	if r := math.Round(v*1e9) / 1e9; !math.IsInf(r, 0) {
		v = r
	}
	if v == 0 {
		v = 0 // not -0
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// show writes a value of an expression for a person.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "–"
	case float64:
		if math.IsNaN(v) {
			return "–"
		}
		return decimal(v)
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	case time.Duration:
		return span(v)
	}
	b, _ := json.Marshal(v) // it came from JSON
	return string(b)
}

// short makes what somebody wrote or sent fit for a sentence.
func short[T ~string | ~[]byte](s T) string { return core.Readable(s, 96) }

// same reports whether two values of one kind are the same.
func same(a, b any) bool {
	switch a.(type) {
	case map[string]any, []any:
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		return string(x) == string(y)
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}

// span writes a duration as short as it can be read again: 2m, 1h30m.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// clock is the time at which a rule looks: the real one, or that of a dry run.
type clock struct{ now time.Time }

// input is what a rule knows of one of its topics.
type input struct {
	*source
	clock   *clock
	value   any
	before  any
	came    bool
	made    bool      // it is what makes the rule look
	changed time.Time // when value became what it is
	at      time.Time // of the newest message
	past    []bucket  // oldest first; none where no expression asks
}

// bucket is the values of a stretch of time.
type bucket struct {
	from           time.Time
	sum, low, high float64
	first, last    float64
	n              int
}

func newInput(s *source, c *clock) *input {
	return &input{source: s, clock: c, value: zero(s.design.Kind), before: zero(s.design.Kind)}
}

// take takes a value in and reports whether it is another than before.
func (in *input) take(v any, at time.Time) bool {
	other := !in.came || !same(in.value, v)
	if other {
		if in.came {
			in.before = in.value
		}
		in.value, in.changed = v, at
	}
	in.came, in.at = true, at
	if f, ok := v.(float64); ok && in.window > 0 {
		in.note(f, at)
	}
	return other
}

// note keeps a number as long as an expression can ask for it.
func (in *input) note(v float64, at time.Time) {
	gone := 0
	for gone < len(in.past) && at.Sub(in.past[gone].from) > in.window {
		gone++
	}
	in.past = append(in.past[:0], in.past[gone:]...)
	if n := len(in.past); n > 0 && (at.Sub(in.past[n-1].from) < in.window/maxBuckets || n >= maxBuckets+2) {
		b := &in.past[n-1]
		b.sum, b.low, b.high, b.last, b.n = b.sum+v, min(b.low, v), max(b.high, v), v, b.n+1
		return
	}
	in.past = append(in.past, bucket{from: at, sum: v, low: v, high: v, first: v, last: v, n: 1})
}

// over sums up the last d. Where nothing came in that time it is the value that
// still holds.
func (in *input) over(d time.Duration) bucket {
	now := in.value.(float64) // parse has seen to it
	all := bucket{from: in.clock.now, low: now, high: now, first: now, last: now}
	for _, b := range in.past {
		if in.clock.now.Sub(b.from) > d {
			continue
		}
		if all.n == 0 {
			all = b
			continue
		}
		all.sum, all.n, all.last = all.sum+b.sum, all.n+b.n, b.last
		all.low, all.high = min(all.low, b.low), max(all.high, b.high)
	}
	if all.n == 0 {
		all.sum, all.n = now, 1
	}
	return all
}

func (in *input) age() time.Duration {
	if !in.came {
		return long
	}
	return in.clock.now.Sub(in.changed)
}

func (in *input) since() time.Duration {
	if !in.came {
		return long
	}
	return in.clock.now.Sub(in.at)
}

// rate is how much the number rises in a minute.
func (in *input) rate() float64 {
	all := in.over(rateOver)
	if took := in.at.Sub(all.from); took >= 10*time.Second { // less says more about noise
		return (all.last - all.first) / took.Minutes()
	}
	return 0
}

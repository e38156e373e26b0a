package rules

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"homeroom/core"
)

// What follows knows just enough of the language of expressions to show simple
// comparisons as a form, and to write one. core/rules alone says what is right.

// token is a piece of an expression.
type token struct {
	kind rune // 'n' a name, '0' a number, '"' a string, ' ' space, else '.'
	text string
}

// tokens cuts an expression into pieces that together are all of it.
func tokens(s string) []token {
	var ts []token
	for s != "" {
		n, kind := 0, '.'
		r, size := utf8.DecodeRuneInString(s)
		span := func(is func(rune) bool) int {
			if i := strings.IndexFunc(s, func(r rune) bool { return !is(r) }); i >= 0 {
				return i
			}
			return len(s)
		}
		switch {
		case unicode.IsSpace(r):
			n, kind = span(unicode.IsSpace), ' '
		case r == '_' || unicode.IsLetter(r):
			n, kind = span(func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }), 'n'
		case unicode.IsDigit(r):
			n, kind = span(func(r rune) bool { return r == '.' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }), '0'
		case r == '"' || r == '\'' || r == '`':
			n, kind = quotedLen(s), '"'
		default:
			n = size
			for _, op := range []string{"&&", "||", "==", "!=", "<=", ">=", "**", "??", "?."} {
				if strings.HasPrefix(s, op) {
					n = len(op)
				}
			}
		}
		ts = append(ts, token{kind, s[:n]})
		s = s[n:]
	}
	return ts
}

// quotedLen is how long the string is that s begins with.
func quotedLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] != '`':
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return len(s)
}

// words are the tokens that are not space.
func words(s string) []token {
	return slices.DeleteFunc(tokens(s), func(t token) bool { return t.kind == ' ' })
}

// parts cuts an expression where it says "and" outside of brackets; one that
// says "or" there, too, is one part.
func parts(s string) []string {
	var all []string
	part, depth := "", 0
	for _, t := range tokens(s) {
		switch {
		case t.kind == '.' && strings.Contains("([{", t.text):
			depth++
		case t.kind == '.' && strings.Contains(")]}", t.text):
			depth--
		case depth == 0 && loose(t):
			return []string{strings.TrimSpace(s)}
		case depth == 0 && (t.kind == '.' && t.text == "&&" || t.kind == 'n' && t.text == "and"):
			all = append(all, strings.TrimSpace(part))
			part = ""
			continue
		}
		part += t.text
	}
	if part = strings.TrimSpace(part); part != "" || len(all) > 0 {
		all = append(all, part)
	}
	return all
}

// loose reports whether t binds less than "and" does.
func loose(t token) bool {
	return t.kind == '.' && slices.Contains([]string{"||", "?", "|", ";", "="}, t.text) || t.kind == 'n' && (t.text == "or" || t.text == "let" || t.text == "if")
}

// join is the expression that holds where all parts do.
func join(all []string) string {
	var kept []string
	for _, p := range all {
		if p = strings.TrimSpace(p); p != "" {
			kept = append(kept, p)
		}
	}
	if len(kept) == 1 {
		return kept[0]
	}
	for i, p := range kept {
		depth := 0
		for _, t := range tokens(p) {
			switch {
			case t.kind == '.' && strings.Contains("([{", t.text):
				depth++
			case t.kind == '.' && strings.Contains(")]}", t.text):
				depth--
			case depth == 0 && loose(t):
				kept[i] = "(" + p + ")"
			}
		}
	}
	return strings.Join(kept, " && ")
}

// renamed is s with the input from called to.
func renamed(s, from, to string) string {
	var b strings.Builder
	last := ""
	for _, t := range tokens(s) {
		if t.kind == 'n' && t.text == from && last != "." && last != "?." { // a field of JSON is no input
			t.text = to
		}
		if t.kind != ' ' {
			last = t.text
		}
		b.WriteString(t.text)
	}
	return b.String()
}

// The ways in which a condition compares.
const (
	opIs, opIsNot                   = "==", "!="
	opLess, opMost, opMore, opLeast = "<", "<=", ">", ">="
	opStill, opRecent               = "age>=", "age<"
	opSilent, opHeard               = "since>=", "since<"
	opNever, opEver                 = "never", "!never"
	opFree                          = "" // an expression of its own
)

// cond is a part of a condition.
type cond struct {
	input string
	op    string
	value string // as it is written: 30, true, "auto"; of a time 2m0s
	text  string // of opFree
}

// readCond reads a part of a condition; what is no simple comparison of an input
// is free.
func readCond(s string, isInput func(string) bool) cond {
	free := cond{text: s}
	ts := words(s)
	is := func(i int, text string) bool { return i < len(ts) && ts[i].kind != '"' && ts[i].text == text }
	input := func(i int) bool { return i < len(ts) && ts[i].kind == 'n' && isInput(ts[i].text) }
	not := len(ts) > 0 && (is(0, "!") || is(0, "not"))
	if not {
		ts = ts[1:]
	}
	switch {
	case len(ts) == 1 && input(0):
		return cond{input: ts[0].text, op: opIs, value: strconv.FormatBool(!not)}
	case len(ts) == 4 && is(0, "never") && is(1, "(") && input(2) && is(3, ")"):
		op := opNever
		if not {
			op = opEver
		}
		return cond{input: ts[2].text, op: op}
	case not:
		return free
	case len(ts) >= 3 && input(0) && slices.Contains([]string{opIs, opIsNot, opLess, opMost, opMore, opLeast}, ts[1].text):
		if value, ok := literal(ts[2:]); ok {
			return cond{input: ts[0].text, op: ts[1].text, value: value}
		}
	case len(ts) == 9 && (is(0, "age") || is(0, "since")) && is(1, "(") && input(2) && is(3, ")") && (is(4, ">=") || is(4, "<")) &&
		is(5, "duration") && is(6, "(") && is(8, ")"):
		text, err := strconv.Unquote(ts[7].text)
		if err != nil {
			return free
		}
		if d, err := time.ParseDuration(text); err == nil && d > 0 {
			return cond{input: ts[2].text, op: ts[0].text + ts[4].text, value: d.String()}
		}
	}
	return free
}

// literal is a value that is written out: a number, a string, true or false.
func literal(ts []token) (string, bool) {
	if len(ts) == 2 && ts[0].text == "-" && ts[1].kind == '0' {
		return "-" + ts[1].text, true
	}
	if len(ts) != 1 {
		return "", false
	}
	switch t := ts[0]; {
	case t.kind == '0', t.text == "true", t.text == "false":
		return t.text, true
	case t.kind == '"':
		text, err := strconv.Unquote(t.text)
		return strconv.Quote(text), err == nil && t.text[0] == '"'
	}
	return "", false
}

// write is the part as an expression.
func (c cond) write() string {
	switch {
	case c.op == opFree:
		return c.text
	case c.op == opIs && c.value == "true", c.op == opIsNot && c.value == "false":
		return c.input
	case c.op == opIs && c.value == "false", c.op == opIsNot && c.value == "true":
		return "!" + c.input
	case c.op == opNever:
		return "never(" + c.input + ")"
	case c.op == opEver:
		return "!never(" + c.input + ")"
	}
	if f, op, ok := strings.Cut(c.op, ">"); ok && f != "" {
		return f + "(" + c.input + ") >" + op + " duration(" + strconv.Quote(c.value) + ")"
	}
	if f, _, ok := strings.Cut(c.op, "<"); ok && f != "" {
		return f + "(" + c.input + ") < duration(" + strconv.Quote(c.value) + ")"
	}
	return c.input + " " + c.op + " " + c.value
}

// span reports whether the value of c is a time.
func (c cond) span() bool { return strings.HasPrefix(c.op, "age") || strings.HasPrefix(c.op, "since") }

// ops are the comparisons that make sense for values of that kind.
func ops(k core.Kind) []string {
	always := []string{opStill, opRecent, opSilent, opHeard, opNever, opEver}
	switch k {
	case core.Boolean:
		return append([]string{opIs}, always...)
	case core.Number:
		return append([]string{opLess, opMost, opMore, opLeast, opIs, opIsNot}, always...)
	case core.JSON:
		return always
	}
	return append([]string{opIs, opIsNot}, always...)
}

// holds reports whether a simple comparison holds for a value that came at a time;
// known is false where that cannot be told from it.
func (c cond) holds(t core.Topic, payload string, at, now time.Time) (is, known bool) {
	came := !at.IsZero()
	switch c.op {
	case opFree, opStill, opRecent: // when it changed is not known here
		return false, false
	case opNever:
		return !came, true
	case opEver:
		return came, true
	case opSilent, opHeard:
		d, err := time.ParseDuration(c.value)
		if err != nil {
			return false, false
		}
		silent := !came || now.Sub(at) >= d
		return silent == (c.op == opSilent), true
	}
	if !came {
		return false, false
	}
	switch t.Kind {
	case core.Boolean:
		v, ok := t.Truth(payload)
		return (v == (c.value == "true")) == (c.op == opIs), ok
	case core.Number:
		v, ok := number(payload)
		limit, err := strconv.ParseFloat(c.value, 64)
		if !ok || err != nil {
			return false, false
		}
		switch c.op {
		case opLess:
			return v < limit, true
		case opMost:
			return v <= limit, true
		case opMore:
			return v > limit, true
		case opLeast:
			return v >= limit, true
		}
		return (v == limit) == (c.op == opIs), true
	case core.Text, core.Enumeration:
		word, err := strconv.Unquote(c.value)
		return (payload == word) == (c.op == opIs), err == nil && (c.op == opIs || c.op == opIsNot)
	}
	return false, false
}

// number reads a decimal number as a person or a kit writes it.
func number(s string) (float64, bool) {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\u2212", "-")
	if strings.Count(s, ",") == 1 && !strings.Contains(s, ".") {
		s = strings.Replace(s, ",", ".", 1)
	}
	if s == "" || strings.Trim(s, "+-.0123456789eE") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// sayNumber writes a number as it would be typed.
func sayNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// readSpan reads how long something is: "30 s", "5 min", "1 h 30 min". A number
// alone is seconds. Empty is nothing.
func readSpan(s string) (time.Duration, bool) {
	s = strings.ToLower(strings.Join(strings.Fields(s), ""))
	if s == "" {
		return 0, true
	}
	s = strings.NewReplacer("min", "m", "sec", "s", "시간", "h", "분", "m", "초", "s", ",", ".").Replace(s)
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		s += "s"
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0 && d <= 24*time.Hour
}

// saySpan writes how long something is, as readSpan reads it; nothing is "".
func saySpan(d time.Duration) string {
	var all []string
	if h := d / time.Hour; h > 0 {
		all = append(all, strconv.Itoa(int(h))+" h")
	}
	if m := d / time.Minute % 60; m > 0 {
		all = append(all, strconv.Itoa(int(m))+" min")
	}
	if s := (d % time.Minute).Seconds(); s > 0 {
		all = append(all, sayNumber(s)+" s")
	}
	return strings.Join(all, " ")
}

// readClock reads a time of day.
func readClock(s string) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	for _, layout := range []string{"15:04", "15:04:05", "15h04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second, true
		}
	}
	return 0, false
}

// sayClock writes a time of day.
func sayClock(d time.Duration) string {
	return strings.TrimSuffix(time.Time{}.Add(d).Format("15:04:05"), ":00")
}

package plan

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	maxText   = 1000 // characters of what a topic is for
	manyDeep  = 6    // levels beyond which a name is hard to read
	setSuffix = "/set"
)

// check returns nil if t may be designed.
func check(t core.Topic) error {
	if err := checkName(t.Name); err != nil {
		return err
	}
	switch {
	case t.Kind > core.Boolean:
		return core.Fail(core.ErrInvalid, "The values of {topic} have no such kind. Choose text, number or boolean.", "topic", t.Name)
	case t.QoS > 2:
		return core.Fail(core.ErrInvalid, "The QoS of {topic} is {qos}. Choose 0, 1 or 2.", "topic", t.Name, "qos", t.QoS)
	case t.Kind != core.Number && (t.Min != 0 || t.Max != 0):
		return core.Fail(core.ErrInvalid, "{topic} has a range, but its values are no numbers. Leave the range away.", "topic", t.Name)
	case !finite(t.Min) || !finite(t.Max) || t.Min > t.Max || t.Min == t.Max && t.Min != 0:
		return core.Fail(core.ErrInvalid, "The range of {topic} is from {min} to {max}. The first must be less than the last.", "topic", t.Name, "min", t.Min, "max", t.Max)
	case utf8.RuneCountInString(t.Text) > maxText:
		return core.Fail(core.ErrInvalid, "What {topic} is for is longer than {max} characters. Shorten it.", "topic", t.Name, "max", maxText)
	case !utf8.ValidString(t.Text) || strings.ContainsFunc(t.Text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }):
		return core.Fail(core.ErrInvalid, "What {topic} is for holds characters that cannot be shown. Remove them.", "topic", t.Name)
	case t.Writable:
		if _, err := topic.ParseName(string(t.Name) + setSuffix); err != nil {
			return tooLong(t.Name + setSuffix)
		}
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// checkName returns nil if a topic may be called n.
func checkName(n topic.Name) error {
	s := string(n)
	switch {
	case s == "":
		return core.Fail(core.ErrInvalid, "A topic needs a name, like blue/lab/kit-1/light.")
	case s[0] == '$':
		return core.Fail(core.ErrInvalid, "{topic} begins with $, which is for the broker. Choose another name.", "topic", short(n))
	case strings.ContainsAny(s, "+#"):
		return core.Fail(core.ErrInvalid, "{topic} holds + or #, which select topics and name none. Write each topic on its own.", "topic", short(n))
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unseen):
		return core.Fail(core.ErrInvalid, "{topic} holds characters that cannot be shown. Remove them.", "topic", short(n))
	}
	if _, err := topic.ParseName(s); err != nil {
		return tooLong(n)
	}
	return nil
}

// unseen reports whether r is a control character, or one that MQTT advises
// against (MQTT 5.0, section 1.5.4) or that nobody sees.
func unseen(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Noncharacter_Code_Point, r) || r == '\u2028' || r == '\u2029'
}

func tooLong(n topic.Name) error {
	return core.Fail(core.ErrInvalid, "{topic} is too long. Use at most {max} bytes and {levels} levels.", "topic", short(n), "max", topic.MaxLen, "levels", topic.MaxLevels)
}

// short cuts a name that is wrong to what a person can read.
func short(n topic.Name) string {
	rs := []rune(strings.Map(func(r rune) rune {
		if unseen(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(string(n), string(utf8.RuneError))))
	if len(rs) > 64 {
		return string(rs[:63]) + "…"
	}
	return string(rs)
}

// fold returns what is the same for names that differ only by case or Unicode
// normal form.
func fold(n topic.Name) string {
	s := string(n)
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return norm.NFC.String(cases.Fold().String(norm.NFD.String(s)))
		}
	}
	return strings.ToLower(s)
}

// Hints returns what would make the name of a topic better, in order of
// importance; none where it is as Homeroom recommends. A topic may be called
// otherwise all the same.
func (s *Service) Hints(n topic.Name) []core.Sentence {
	var hints []core.Sentence
	levels := n.Split()
	better, empty, plain := make([]string, 0, len(levels)), false, true
	for i, l := range levels {
		if l == "" {
			empty = true
			continue
		}
		id := suggest(l)
		if id == "" {
			id, plain = l, false
		} else if i > 0 && l == "$"+id {
			id = l // Homie's attributes, such as $state
		}
		better = append(better, id)
	}
	meant := strings.Join(better, "/")
	switch {
	case meant == "":
	case empty:
		hints = append(hints, core.Say("{topic} has a level without a name. Take the / away that is too much: {better}", "topic", n, "better", meant))
	case meant != string(n):
		hints = append(hints, core.Say("{topic} is easier to type without capitals, spaces and signs: {better}", "topic", n, "better", meant))
	}
	if !plain {
		hints = append(hints, core.Say("Not every kit can send the letters of {topic}. Use a-z, 0-9 and - in the name, and any script in the display name.", "topic", n))
	}
	if len(levels) > manyDeep {
		hints = append(hints, core.Say("{topic} has {n} levels. Branch, room, kit and property are usually enough.", "topic", n, "n", len(levels)))
	}
	if state, ok := strings.CutSuffix(string(n), setSuffix); ok {
		hints = append(hints, core.Say("{topic} is where the commands of {state} go. Let {state} take commands instead of designing both.", "topic", n, "state", state))
	}
	return hints
}

// suggest returns an ID for what a level means, or "" where there is none.
// An underscore may stay: state_led is what kits of the lab send.
func suggest(level string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(level) {
		switch r = unicode.ToLower(r); {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r):
		case r >= utf8.RuneSelf && unicode.IsLetter(r):
			return ""
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.TrimSuffix(b.String(), "-")
}

package plan

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	maxText     = 1000 // characters of what a topic is for
	maxLabel    = 256
	maxUnit     = 32
	maxOption   = 64 // characters
	maxOptions  = 64
	maxKeepDays = 36_500
	manyDeep    = 6 // levels beyond which a name is hard to read
	setSuffix   = "/set"
)

// check returns nil if t may be designed.
func check(t core.Topic) error {
	if err := checkName(t.Name); err != nil {
		return err
	}
	if err := checkWords(t.Name, t.Label, t.Text); err != nil {
		return err
	}
	number := t.Kind == core.Number
	switch {
	case t.Kind > core.JSON:
		return noKind(t.Name)
	case t.QoS > 2:
		return core.Fail(core.ErrInvalid, "The QoS of {topic} is {qos}. Choose 0, 1 or 2.", "topic", t.Name, "qos", t.QoS)
	case !number && (t.Min != 0 || t.Max != 0):
		return core.Fail(core.ErrInvalid, "{topic} has a range, but its values are no numbers. Leave the range away.", "topic", t.Name)
	case !number && t.Step != 0:
		return core.Fail(core.ErrInvalid, "{topic} has a step, but its values are no numbers. Leave the step away.", "topic", t.Name)
	case !finite(t.Min) || !finite(t.Max) || t.Min > t.Max || t.Min == t.Max && t.Min != 0:
		return core.Fail(core.ErrInvalid, "The range of {topic} is from {min} to {max}. The first must be less than the last.", "topic", t.Name, "min", t.Min, "max", t.Max)
	case !finite(t.Step) || t.Step < 0:
		return core.Fail(core.ErrInvalid, "The step of {topic} is {step}. Choose a number above 0, or none.", "topic", t.Name, "step", t.Step)
	case t.Max != t.Min && t.Step > t.Max-t.Min:
		return core.Fail(core.ErrInvalid, "The step of {topic} is {step}, more than its whole range. Choose a smaller one.", "topic", t.Name, "step", t.Step)
	case !shown(t.Unit, maxUnit):
		return core.Fail(core.ErrInvalid, "The unit of {topic} is longer than {max} characters, or holds some that cannot be shown. Shorten it.", "topic", t.Name, "max", maxUnit)
	case t.KeepDays < -1 || t.KeepDays > maxKeepDays:
		return core.Fail(core.ErrInvalid, "The readings of {topic} are to be kept for {days} days. Choose 1 to {max}, 0 for as the settings say, or -1 for not at all.", "topic", t.Name, "days", t.KeepDays, "max", maxKeepDays)
	case t.Writable:
		if _, err := topic.ParseName(string(t.Name) + setSuffix); err != nil {
			return tooLong(t.Name + setSuffix)
		}
	}
	return checkOptions(t)
}

func noKind(n topic.Name) error {
	return core.Fail(core.ErrInvalid, "The values of {topic} have no such kind. Choose text, number, boolean, enumeration or json.", "topic", short(n))
}

// checkOptions returns nil if the words of t may be those.
func checkOptions(t core.Topic) error {
	switch n := len(t.Options); {
	case n > 0 && t.Kind != core.Enumeration && t.Kind != core.Boolean:
		return core.Fail(core.ErrInvalid, "{topic} has words to choose from, but its values are no enumeration. Leave the words away.", "topic", t.Name)
	case n == 0 && t.Kind == core.Enumeration:
		return core.Fail(core.ErrInvalid, "{topic} is an enumeration without words. Write the words that it may say.", "topic", t.Name)
	case n > maxOptions:
		return core.Fail(core.ErrInvalid, "{topic} has {n} words to choose from. Leave at most {max}.", "topic", t.Name, "n", n, "max", maxOptions)
	case n != 0 && n != 2 && t.Kind == core.Boolean:
		return core.Fail(core.ErrInvalid, "{topic} is a boolean: it needs one word for true and one for false, or none of its own.", "topic", t.Name)
	}
	for i, o := range t.Options {
		switch {
		case o == "" || o != strings.TrimSpace(o) || !shown(o, maxOption):
			return core.Fail(core.ErrInvalid, "{word} cannot be a word of {topic}: it is empty, longer than {max} characters, or holds a space at an end or what cannot be shown.", "word", short(topic.Name(o)), "topic", t.Name, "max", maxOption)
		case slices.Contains(t.Options[:i], o):
			return core.Fail(core.ErrInvalid, "{topic} has the word {word} twice. Remove one of them.", "topic", t.Name, "word", o)
		}
	}
	return nil
}

// checkWords returns nil if a person can read label and text of what is called n.
func checkWords[K ~string](n K, label, text string) error {
	switch {
	case !shown(label, maxLabel):
		return core.Fail(core.ErrInvalid, "The display name of {topic} is longer than {max} characters, or holds some that cannot be shown. Shorten it.", "topic", n, "max", maxLabel)
	case utf8.RuneCountInString(text) > maxText:
		return core.Fail(core.ErrInvalid, "What {topic} is for is longer than {max} characters. Shorten it.", "topic", n, "max", maxText)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }):
		return core.Fail(core.ErrInvalid, "What {topic} is for holds characters that cannot be shown. Remove them.", "topic", n)
	}
	return nil
}

// shown reports whether s is one line of at most so many characters.
func shown(s string, most int) bool {
	return utf8.RuneCountInString(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
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

// short makes a name that may be wrong fit for a sentence.
func short(n topic.Name) string { return core.Readable(n, 128) }

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

package rules

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"homeroom/core"
	"homeroom/core/topic"
)

// taken are the words of expressions, which no input can have as its name.
var taken = strings.Fields(`true false nil not and or in let if else contains startsWith endsWith matches
	age since old never changed rate avg min max now hour minute weekday abs round floor ceil seconds lower upper trim len text number duration`)

// copyRule returns r with slices of its own.
func copyRule(r core.Rule) core.Rule {
	r.Inputs, r.When, r.Then = slices.Clone(r.Inputs), slices.Clone(r.When), slices.Clone(r.Then)
	for i := range r.When {
		r.When[i].Days = slices.Clone(r.When[i].Days)
	}
	return r
}

// level is the last level of a name.
func level(n topic.Name) string { return string(n[strings.LastIndexByte(string(n), '/')+1:]) }

// inputName returns a name for a topic in the expressions of r.
func inputName(r core.Rule, n topic.Name) string {
	name := strings.Trim(strings.Map(func(c rune) rune {
		switch {
		case c == '_', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			return c
		case c < utf8.RuneSelf:
			return '_'
		}
		return -1
	}, level(n)), "_")
	if name == "" {
		name = "input"
	}
	if name[0] >= '0' && name[0] <= '9' {
		name = "x" + name
	}
	name = name[:min(len(name), 28)]
	return unique(name, "", func(s string) bool {
		return slices.Contains(taken, s) || slices.ContainsFunc(r.Inputs, func(in core.Input) bool { return in.Name == s })
	})
}

// unique returns base, or base with a number behind.
func unique(base, gap string, taken func(string) bool) string {
	name := base
	for i := 2; taken(name); i++ {
		name = base + gap + strconv.Itoa(i)
	}
	return name
}

// newID makes an ID of words; others are those that there are.
func newID(text, fallback string, there func(topic.ID) bool) topic.ID {
	var b strings.Builder
	for _, c := range strings.ToLower(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b.WriteRune(c)
		case c < utf8.RuneSelf && b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	id := strings.Trim(b.String(), "-")
	id = strings.Trim(id[:min(len(id), 40)], "-")
	if id == "" {
		id = fallback
	}
	return topic.ID(unique(id, "-", func(s string) bool { return there(topic.ID(s)) }))
}

// between is a rule to start from that sets b from a.
func between(a, b core.Topic) core.Rule {
	r := core.Rule{}
	name := inputName(r, a.Name)
	r.Inputs = []core.Input{{Name: name, Topic: a.Name}}
	act := core.Act{Topic: b.Name}
	middle := sayNumber((a.Min + a.Max) / 2)
	switch {
	case a.Kind == b.Kind && a.Kind != core.Enumeration:
		act.Value = name
	case b.Kind == core.Text:
		act.Value = "text(" + name + ")"
		if a.Kind == core.JSON {
			act.Value = strconv.Quote("…")
		}
	case a.Kind == core.Number && b.Kind == core.Boolean:
		act.Value = name + " > " + middle
	case a.Kind == core.Boolean && b.Kind == core.Number:
		low, high := b.Min, b.Max
		if low == high {
			low, high = 0, 1
		}
		act.Value = name + " ? " + sayNumber(high) + " : " + sayNumber(low)
	default:
		if a.Kind == core.Boolean {
			r.If = name
		}
		act.Value = plainValue(b)
	}
	r.Then = []core.Act{act}
	return r
}

// plainValue is a value of t to start from, as an expression.
func plainValue(t core.Topic) string {
	switch t.Kind {
	case core.Boolean:
		return "true"
	case core.Number:
		return sayNumber(max(t.Min, 0))
	case core.Enumeration:
		if len(t.Options) > 0 {
			return strconv.Quote(t.Options[0])
		}
	case core.JSON:
		return `"{}"`
	}
	return `"…"`
}

// guess returns the topic that fits a part of a template best, or "".
func guess(d *core.Design, p core.RulePart, not []topic.Name) topic.Name {
	best, score := topic.Name(""), 0
	for _, t := range d.Topics {
		if !fits(*t, p) || slices.Contains(not, t.Name) {
			continue
		}
		s := 1
		switch name := strings.ToLower(level(t.Name)); {
		case name == p.Input:
			s = 3
		case strings.Contains(name, p.Input):
			s = 2
		}
		if p.Set && s > 1 && t.Writable {
			s += 2
		}
		if s > score {
			best, score = t.Name, s
		}
	}
	if score < 2 {
		return ""
	}
	return best
}

func fits(t core.Topic, p core.RulePart) bool {
	return len(p.Kinds) == 0 || slices.Contains(p.Kinds, t.Kind)
}

package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"homeroom/core"
	"homeroom/core/topic"
)

const atExample = "at 07:30 on mon tue wed"

// maxSource is the longest text of a rule, in bytes.
const maxSource = 64 << 10

// Text writes a rule as text; docs/rules.md tells how. Whose rule it is and when it
// was changed is not in it.
func Text(r core.Rule) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if r.Label != "" {
		line("rule %s %s", r.ID, strconv.Quote(r.Label))
	} else {
		line("rule %s", r.ID)
	}
	if r.Text != "" {
		line("about %s", strconv.Quote(r.Text))
	}
	if r.Disabled {
		line("off")
	}
	if r.Kit != "" {
		line("on %s", bare(r.Kit))
	}
	for _, in := range r.Inputs {
		line("read %s from %s", in.Name, bare(in.Topic))
	}
	for _, t := range r.When {
		switch t.Kind {
		case core.OnChange:
			line("when %s changes", t.Input)
		case core.OnMessage:
			line("when %s comes", t.Input)
		case core.OnTime:
			line("at %s%s", clockText(t.At), daysText(t.Days))
		case core.OnEvery:
			line("every %s", span(t.Every))
		}
	}
	if r.Debounce != 0 {
		line("quiet %s", span(r.Debounce))
	}
	if r.If != "" {
		line("if %s", r.If)
	}
	if r.For != 0 {
		line("for %s", span(r.For))
	}
	for _, a := range r.Then {
		verb := "set"
		if a.Always {
			verb = "send"
		}
		line("%s %s to %s", verb, bare(a.Topic), a.Value)
	}
	if r.Cooldown != 0 {
		line("rest %s", span(r.Cooldown))
	}
	return b.String()
}

// bare writes a topic name as one word, in quotation marks where it is not one.
func bare(n topic.Name) string {
	plain := n != "" && !strings.ContainsFunc(string(n), func(r rune) bool {
		return unicode.IsSpace(r) || r == '"' || r == '\\' || !unicode.IsPrint(r)
	})
	if plain {
		return string(n)
	}
	return strconv.Quote(string(n))
}

// clockText writes a time of day: 07:30, or 07:30:15.
func clockText(d time.Duration) string {
	s := fmt.Sprintf("%02d:%02d:%02d", d/time.Hour, d/time.Minute%60, d/time.Second%60)
	return strings.TrimSuffix(s, ":00")
}

func daysText(ds []time.Weekday) string {
	if len(ds) == 0 {
		return ""
	}
	names := make([]string, len(ds))
	for i, d := range ds {
		names[i] = days[(d%7+7)%7]
	}
	return " on " + strings.Join(names, " ")
}

// Parse reads the text of a rule and checks it against the design. Where design is
// nil it only reads. An error tells the line.
func Parse(text string, design func(topic.Name) (core.Topic, bool)) (core.Rule, error) {
	if len(text) > maxSource {
		return core.Rule{}, core.Fail(core.ErrInvalid, "The text of a rule is longer than {max} KiB. Make two rules of it.", "max", maxSource>>10)
	}
	p := textParser{lines: map[place]int{}}
	for l := range strings.SplitSeq(text, "\n") {
		p.n++
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' {
			continue
		}
		if err := p.line(l); err != nil {
			return core.Rule{}, atLine(p.n, err)
		}
	}
	if p.rule.ID == "" {
		return core.Rule{}, atLine(1, core.Fail(core.ErrInvalid, "The text begins with rule and a name, as in: rule choice \"The light\""))
	}
	if design == nil {
		return p.rule, nil
	}
	if _, bad := compile(p.rule, design); bad != nil {
		n := p.lines[bad.place]
		return core.Rule{}, atLine(max(n, 1), bad.error)
	}
	return p.rule, nil
}

// atLine tells where in the text something is wrong.
func atLine(n int, err error) error {
	return core.Fail(core.ErrInvalid, "Line {line}: {problem}", "line", n, "problem", saying(err))
}

type textParser struct {
	rule  core.Rule
	n     int           // the line
	lines map[place]int // where each part of the rule is
}

func (p *textParser) line(l string) error {
	verb, rest, _ := strings.Cut(l, " ")
	rest = strings.TrimSpace(rest)
	r := &p.rule
	if verb != "rule" && r.ID == "" {
		return core.Fail(core.ErrInvalid, "The text begins with rule and a name, as in: rule choice \"The light\"")
	}
	part := place{what: verb}
	switch verb {
	case "read":
		part.n = len(r.Inputs)
	case "when", "at", "every":
		part = place{"when", len(r.When)}
	case "set", "send":
		part = place{"set", len(r.Then)}
	}
	if _, twice := p.lines[part]; twice {
		return core.Fail(core.ErrInvalid, "A rule has one line that begins with {word}. Remove the other.", "word", verb)
	}
	p.lines[part] = p.n
	var err error
	switch verb {
	case "rule":
		name, label, _ := strings.Cut(rest, " ")
		if r.ID, err = topic.ParseID(name); err != nil {
			return core.Fail(core.ErrInvalid, "{name} cannot be the name of a rule. Use a-z, 0-9 and -, at most {max} of them.", "name", short(name), "max", topic.MaxID)
		}
		if label = strings.TrimSpace(label); label != "" {
			r.Label, err = quoted(label)
		}
	case "about":
		r.Text, err = quoted(rest)
	case "off":
		r.Disabled = true
		if rest != "" {
			err = unreadable(l, "off")
		}
	case "on":
		var after string
		if r.Kit, after, err = nameIn(rest); err == nil && after != "" {
			err = unreadable(l, "on home/lab/kit-1")
		}
	case "read":
		name, from, ok := strings.Cut(rest, " ")
		from, ok2 := strings.CutPrefix(strings.TrimSpace(from), "from ")
		if !ok || !ok2 {
			return unreadable(l, "read button from home/button")
		}
		n, after, e := nameIn(strings.TrimSpace(from))
		if e != nil || after != "" {
			return unreadable(l, "read button from home/button")
		}
		r.Inputs = append(r.Inputs, core.Input{Name: name, Topic: n})
	case "when":
		return p.when(l, rest)
	case "at":
		f := strings.Fields(rest)
		if len(f) == 0 {
			return unreadable(l, atExample)
		}
		at, ok := clockOf(f[0])
		ds, ok2 := daysOf(f[1:])
		if !ok || !ok2 {
			return unreadable(l, atExample)
		}
		r.When = append(r.When, core.Trigger{Kind: core.OnTime, At: at, Days: ds})
	case "every":
		t := core.Trigger{Kind: core.OnEvery}
		t.Every, err = spanOf(rest)
		r.When = append(r.When, t)
	case "quiet":
		r.Debounce, err = spanOf(rest)
	case "for":
		r.For, err = spanOf(rest)
	case "rest":
		r.Cooldown, err = spanOf(rest)
	case "if":
		if r.If = rest; rest == "" {
			err = unreadable(l, "if brightness < 60")
		}
	case "set", "send":
		n, after, e := nameIn(rest)
		value, ok := strings.CutPrefix(after, "to ")
		if e != nil || !ok || strings.TrimSpace(value) == "" {
			return unreadable(l, "set home/light to true")
		}
		r.Then = append(r.Then, core.Act{Topic: n, Value: strings.TrimSpace(value), Always: verb == "send"})
	default:
		return core.Fail(core.ErrInvalid, "No line begins with {word}. Begin with rule, about, off, on, read, when, at, every, quiet, if, for, set, send or rest.", "word", short(verb))
	}
	return err
}

func (p *textParser) when(l, rest string) error {
	f := strings.Fields(rest)
	kind := map[string]core.TriggerKind{"changes": core.OnChange, "comes": core.OnMessage}
	if len(f) != 2 || kind[f[1]] == "" {
		return unreadable(l, "when button changes")
	}
	p.rule.When = append(p.rule.When, core.Trigger{Kind: kind[f[1]], Input: f[0]})
	return nil
}

func clockOf(s string) (time.Duration, bool) {
	if len(s) == len("15:04") {
		s += ":00"
	}
	t, err := time.Parse("15:04:05", s)
	if err != nil || len(s) != len("15:04:05") {
		return 0, false
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second, true
}

func daysOf(f []string) ([]time.Weekday, bool) {
	if len(f) == 0 {
		return nil, true
	}
	if f[0] != "on" || len(f) == 1 {
		return nil, false
	}
	var ds []time.Weekday
	for _, name := range f[1:] {
		i := slices.Index(days[:], name)
		if i < 0 || len(ds) == 7 {
			return nil, false
		}
		ds = append(ds, time.Weekday(i))
	}
	return ds, true
}

// nameIn reads a topic name, in quotation marks or without, and what follows it.
func nameIn(s string) (topic.Name, string, error) {
	name, after := s, ""
	if strings.HasPrefix(s, "\"") {
		q, err := strconv.QuotedPrefix(s)
		if err != nil {
			return "", "", unquoted(s)
		}
		name, _ = strconv.Unquote(q) // QuotedPrefix has seen to it
		after = s[len(q):]
	} else if i := strings.IndexFunc(s, unicode.IsSpace); i >= 0 {
		name, after = s[:i], s[i:]
	}
	n, err := topic.ParseName(name)
	if err != nil {
		return "", "", core.Fail(core.ErrInvalid, "{topic} is not a topic name.", "topic", short(name))
	}
	return n, strings.TrimSpace(after), nil
}

func quoted(s string) (string, error) {
	if !strings.HasPrefix(s, "\"") {
		return "", unquoted(s)
	}
	text, err := strconv.Unquote(s)
	if err != nil {
		return "", unquoted(s)
	}
	return strings.ToValidUTF8(text, "\uFFFD"), nil
}

func unquoted(s string) error {
	return core.Fail(core.ErrInvalid, "{text} must begin and end with a quotation mark.", "text", short(s))
}

func spanOf(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, core.Fail(core.ErrInvalid, "{text} is no time. Write 30s, 5m or 1h30m.", "text", short(s))
	}
	return d, nil
}

func unreadable(l, like string) error {
	return core.Fail(core.ErrInvalid, "{text} cannot be read. Write it like: {example}", "text", short(l), "example", like)
}

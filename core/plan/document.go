package plan

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"homeroom/core"
	"homeroom/core/topic"
)

// DocOptions is what a document says beside the design.
type DocOptions struct {
	Title   string // "" is a title of its own
	Address string // of MQTT, "192.168.1.20:1883"; "" leaves it away
	Secure  string // of MQTT over TLS, likewise
	// Say translates; nil is English.
	Say func(core.Sentence) string
	// Rule writes a rule as a sentence; nil shows its expressions.
	Rule func(core.Rule) string
	// Account is the title of an account; nil leaves away who wrote a rule.
	Account func(core.AccountID) string
}

// Markdown writes what a class needs to know about the topics that filter selects:
// the places as a tree, the topics of each branch as a table, rules and alarms.
// Names are of students and of the network: nothing in them is Markdown or HTML.
func Markdown(w io.Writer, d *core.Design, filter topic.Filter, o DocOptions) error {
	if o.Say == nil {
		o.Say = core.Sentence.String
	}
	b := bufio.NewWriter(w)
	m := &markdown{Writer: b, o: o, part: partOf(d, filter)}
	title := o.Title
	if title == "" {
		title = o.Say(core.Say("Topic document"))
	}
	m.line("# " + text(title))
	if o.Address != "" {
		m.line(text(o.Say(core.Say("Broker"))) + ": " + code(o.Address))
	}
	if o.Secure != "" {
		m.line(text(o.Say(core.Say("Broker with TLS"))) + ": " + code(o.Secure))
	}
	if len(m.places) > 0 {
		m.line("## " + m.say(core.Say("Places and kits")))
		m.tree()
	}
	m.line("## " + m.say(core.Say("Topics")))
	if len(m.topics) == 0 {
		m.line(m.say(core.Say("There are none.")))
	}
	m.tables()
	if len(m.rules) > 0 {
		m.line("## " + m.say(core.Say("Rules")))
		for _, r := range m.rules {
			m.rule(r)
		}
		_ = m.WriteByte('\n')
	}
	if len(m.alarms) > 0 {
		m.line("## " + m.say(core.Say("Alarms")))
		for _, a := range m.alarms {
			fmt.Fprintf(m, "- **%s**: %s\n", text(a.Title()), text(o.Say(Watches(*a, d.Topic(a.Topic)))))
		}
	}
	return b.Flush() // says what went wrong above
}

// part is what a filter selects of a design.
type part struct {
	d      *core.Design
	topics []*core.Topic
	places []*core.Place // that hold or use one of the topics, or all where the filter is #
	rules  []*core.Rule
	alarms []*core.Alarm
	users  map[topic.Name][]user
}

// user is a kit or a rule that publishes or reads a topic, or its commands.
type user struct {
	title     string
	rule      bool
	publishes bool
	command   bool
}

func (p part) use(n topic.Name, u user) {
	if !slices.Contains(p.users[n], u) {
		p.users[n] = append(p.users[n], u)
	}
}

func partOf(d *core.Design, f topic.Filter) part {
	p := part{d: d, users: map[topic.Name][]user{}}
	in, seen := map[topic.Name]bool{}, map[topic.Name]bool{}
	for _, t := range d.Topics {
		if !f.Match(t.Name) && !(t.Writable && f.Match(t.Name+setSuffix)) {
			continue
		}
		p.topics, in[t.Name] = append(p.topics, t), true
		for n, more := above(t.Name); more; n, more = above(n) {
			seen[n] = true
		}
	}
	for _, k := range d.Places {
		for _, port := range k.Ports {
			if !in[port.Topic] {
				continue
			}
			for n, more := k.Name, true; more; n, more = above(n) {
				seen[n] = true
			}
			publish, subscribe := k.Names(port, *d.Topic(port.Topic))
			if publish != "" {
				p.use(port.Topic, user{k.Title(), false, true, publish != port.Topic})
			}
			if subscribe != "" {
				p.use(port.Topic, user{k.Title(), false, false, subscribe != port.Topic})
			}
		}
	}
	for _, k := range d.Places {
		if seen[k.Name] || f == "#" {
			p.places = append(p.places, k)
		}
	}
	for _, r := range d.Rules {
		if slices.ContainsFunc(r.Inputs, func(i core.Input) bool { return in[i.Topic] }) || slices.ContainsFunc(r.Then, func(a core.Act) bool { return in[a.Topic] }) {
			p.rules = append(p.rules, r)
		}
		if r.Kit != "" {
			continue // its ports say the same
		}
		for _, i := range r.Inputs {
			p.use(i.Topic, user{r.Title(), true, false, false})
		}
		for _, a := range r.Then {
			t := d.Topic(a.Topic)
			p.use(a.Topic, user{r.Title(), true, true, t != nil && t.Writable})
		}
	}
	for _, a := range d.Alarms {
		if in[a.Topic] {
			p.alarms = append(p.alarms, a)
		}
	}
	return p
}

type markdown struct {
	*bufio.Writer
	o DocOptions
	part
}

func (m *markdown) say(s core.Sentence) string { return text(m.o.Say(s)) }

// line writes a paragraph.
func (m *markdown) line(s string) { fmt.Fprintf(m, "%s\n\n", s) }

// tree writes branches, rooms and kits as a list in a list.
func (m *markdown) tree() {
	for _, p := range m.places {
		depth := 0
		for n, more := above(p.Name); more; n, more = above(n) {
			if m.d.Place(n) != nil {
				depth++
			}
		}
		fmt.Fprintf(m, "%s- **%s** %s", strings.Repeat("  ", depth), text(p.Title()), code(string(p.Name)))
		if p.Kind == core.KitPlace {
			fmt.Fprintf(m, " · %s", m.say(RoleTitle(p.Role)))
			if p.Virtual {
				fmt.Fprintf(m, ", %s", m.say(core.Say("virtual")))
			}
			if p.Account != "" {
				fmt.Fprintf(m, " · %s %s", m.say(core.Say("account")), code(string(p.Account)))
			}
		}
		if p.Text != "" {
			fmt.Fprintf(m, " · %s", text(p.Text))
		}
		_ = m.WriteByte('\n')
	}
	_ = m.WriteByte('\n')
}

// RoleTitle is what a person calls a kit of that role.
func RoleTitle(r core.KitRole) core.Sentence {
	switch r {
	case core.LightKit:
		return core.Say("Light kit")
	case core.SensorKit:
		return core.Say("Sensor kit")
	case core.ButtonKit:
		return core.Say("Button kit")
	case core.ChoiceKit:
		return core.Say("Choice kit")
	case core.AllKit:
		return core.Say("Kit with everything")
	}
	return core.Say("Kit of its own kind")
}

// tables writes the topics, those of a branch together and those of none first.
func (m *markdown) tables() {
	var flat, rest []*core.Topic
	for _, t := range m.topics {
		if strings.Contains(string(t.Name), "/") {
			rest = append(rest, t)
		} else {
			flat = append(flat, t)
		}
	}
	if len(flat) > 0 {
		m.table(m.say(core.Say("Without a branch")), flat)
	}
	for len(rest) > 0 {
		branch := branchOf(rest[0].Name)
		n := slices.IndexFunc(rest, func(t *core.Topic) bool { return branchOf(t.Name) != branch })
		if n < 0 {
			n = len(rest)
		}
		title := string(branch)
		if p := m.d.Place(branch); p != nil {
			title = p.Title()
		}
		m.table(text(title), rest[:n])
		rest = rest[n:]
	}
}

func (m *markdown) table(title string, topics []*core.Topic) {
	m.line("### " + title)
	heads := []core.Sentence{core.Say("Topic"), core.Say("Name"), core.Say("Values"), core.Say("Unit"), core.Say("Direction"), core.Say("QoS"), core.Say("Retained"), core.Say("Example"), core.Say("Published by"), core.Say("Read by"), core.Say("What for")}
	for _, h := range heads {
		fmt.Fprintf(m, "| %s ", m.say(h))
	}
	fmt.Fprintf(m, "|\n%s|\n", strings.Repeat("| --- ", len(heads)))
	for _, t := range topics {
		m.row(t)
	}
	_ = m.WriteByte('\n')
}

func (m *markdown) row(t *core.Topic) {
	name := code(string(t.Name))
	if t.Writable {
		name += "<br>" + code(string(t.Name)+setSuffix)
	}
	retained := core.Say("no")
	if t.Retain {
		retained = core.Say("yes")
	}
	cells := []string{name, text(t.Label), m.values(t), text(t.Unit), m.direction(t), strconv.Itoa(int(t.QoS)), m.say(retained),
		codes(Examples(*t)), m.titles(t.Name, true), m.titles(t.Name, false), text(t.Text)}
	for _, c := range cells {
		fmt.Fprintf(m, "| %s ", c)
	}
	_, _ = m.WriteString("|\n")
}

// values tells kind and range.
func (m *markdown) values(t *core.Topic) string {
	s := m.say(KindTitle(t.Kind))
	switch {
	case t.Kind == core.Number && (t.Min != 0 || t.Max != 0) && t.Step != 0:
		s += ", " + m.say(core.Say("{min} to {max} in steps of {step}", "min", number(t.Min), "max", number(t.Max), "step", number(t.Step)))
	case t.Kind == core.Number && (t.Min != 0 || t.Max != 0):
		s += ", " + m.say(core.Say("{min} to {max}", "min", number(t.Min), "max", number(t.Max)))
	case t.Kind == core.Boolean:
		s += ": " + codes([]string{t.Word(true), t.Word(false)})
	case t.Kind == core.Enumeration && len(t.Options) > 0:
		s += ": " + codes(t.Options)
	}
	return s
}

// KindTitle is what a person calls a kind of value.
func KindTitle(k core.Kind) core.Sentence {
	switch k {
	case core.Number:
		return core.Say("Number")
	case core.Boolean:
		return core.Say("Yes or no")
	case core.Enumeration:
		return core.Say("One of")
	case core.JSON:
		return core.Say("JSON")
	}
	return core.Say("Text")
}

func (m *markdown) direction(t *core.Topic) string {
	from := slices.ContainsFunc(m.users[t.Name], func(u user) bool { return !u.rule && u.publishes })
	to := slices.ContainsFunc(m.users[t.Name], func(u user) bool { return !u.rule && !u.publishes })
	switch {
	case t.Writable:
		return m.say(core.Say("state; commands at /set"))
	case from && to:
		return m.say(core.Say("from kit to kit"))
	case from:
		return m.say(core.Say("from the kit"))
	case to:
		return m.say(core.Say("to the kit"))
	}
	return ""
}

func (m *markdown) rule(r *core.Rule) {
	fmt.Fprintf(m, "- **%s**", text(r.Title()))
	if m.o.Rule != nil {
		fmt.Fprintf(m, ": %s", text(m.o.Rule(*r)))
	} else {
		if r.If != "" {
			fmt.Fprintf(m, " · %s %s", m.say(core.Say("if")), expression(r.If))
		}
		if r.For > 0 {
			fmt.Fprintf(m, " · %s", m.say(core.Say("for at least {time}", "time", span(r.For))))
		}
		for _, a := range r.Then {
			fmt.Fprintf(m, " · %s = %s", code(string(a.Topic)), expression(a.Value))
		}
	}
	if r.Disabled {
		fmt.Fprintf(m, " (%s)", m.say(core.Say("switched off")))
	}
	if p := m.d.Place(r.Kit); p != nil {
		fmt.Fprintf(m, " · %s", m.say(core.Say("decided on {kit}", "kit", p.Title())))
	}
	if m.o.Account != nil && r.Account > 0 {
		fmt.Fprintf(m, " · %s", m.say(core.Say("written by {name}", "name", m.o.Account(r.Account))))
	}
	_ = m.WriteByte('\n')
	if r.Text != "" {
		fmt.Fprintf(m, "  %s\n", text(r.Text))
	}
}

// Watches is an alarm as a sentence; t is its topic, or nil.
func Watches(a core.Alarm, t *core.Topic) core.Sentence {
	unit := ""
	if t != nil && t.Unit != "" {
		unit = " " + t.Unit
	}
	limit := number(a.Limit) + unit
	switch {
	case a.Kind == core.AlarmAbove && a.For > 0:
		return core.Say("{topic} is more than {limit} for {time}", "topic", a.Topic, "limit", limit, "time", span(a.For))
	case a.Kind == core.AlarmAbove:
		return core.Say("{topic} is more than {limit}", "topic", a.Topic, "limit", limit)
	case a.Kind == core.AlarmBelow && a.For > 0:
		return core.Say("{topic} is less than {limit} for {time}", "topic", a.Topic, "limit", limit, "time", span(a.For))
	case a.Kind == core.AlarmBelow:
		return core.Say("{topic} is less than {limit}", "topic", a.Topic, "limit", limit)
	case a.Kind == core.AlarmEquals && a.For > 0:
		return core.Say("{topic} is {word} for {time}", "topic", a.Topic, "word", a.Word, "time", span(a.For))
	case a.Kind == core.AlarmEquals:
		return core.Say("{topic} is {word}", "topic", a.Topic, "word", a.Word)
	case a.Kind == core.AlarmSilent:
		return core.Say("{topic} has no value for {time}", "topic", a.Topic, "time", span(a.Within))
	case a.Kind == core.AlarmRate:
		return core.Say("{topic} changes by more than {limit} within {time}", "topic", a.Topic, "limit", limit, "time", span(a.Within))
	}
	return core.Say("{topic} gets more than {limit} messages within {time}", "topic", a.Topic, "limit", number(a.Limit), "time", span(a.Within))
}

// span writes a duration as people do: "2 min", "1 h 30 min", "0.5 s".
func span(d time.Duration) string {
	var parts []string
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "min"}} {
		if n := d / u.of; n > 0 {
			parts, d = append(parts, fmt.Sprintf("%d %s", n, u.name)), d%u.of
		}
	}
	if d > 0 || parts == nil {
		parts = append(parts, number(d.Seconds())+" s")
	}
	return strings.Join(parts, " ")
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Examples returns some payloads of a topic as they are sent.
func Examples(t core.Topic) []string {
	switch t.Kind {
	case core.Boolean:
		return []string{t.Word(true), t.Word(false)}
	case core.Enumeration:
		return t.Options[:min(len(t.Options), 2)]
	case core.JSON:
		return []string{`{"value":21.5}`}
	case core.Number:
		if t.Min == 0 && t.Max == 0 {
			return []string{"21.5"}
		}
		middle := t.Min/2 + t.Max/2
		if t.Step > 0 {
			middle = t.Min + math.Round((middle-t.Min)/t.Step)*t.Step
		}
		return []string{strconv.FormatFloat(middle, 'g', 6, 64)}
	}
	return []string{"hello"}
}

// titles names who publishes n, or who reads it.
func (m *markdown) titles(n topic.Name, publishes bool) string {
	var s []string
	for _, u := range m.users[n] {
		if u.publishes != publishes {
			continue
		}
		title := text(u.title)
		if u.rule {
			title = m.say(core.Say("rule {rule}", "rule", u.title))
		}
		if u.command {
			title += " (" + code(setSuffix) + ")"
		}
		s = append(s, title)
	}
	return strings.Join(s, ", ")
}

func codes(words []string) string {
	var s []string
	for _, w := range words {
		s = append(s, code(w))
	}
	return strings.Join(s, ", ")
}

// code writes s as code where nothing in s could end it, else as text.
func code(s string) string {
	if s == "" || strings.TrimSpace(s) != s || strings.ContainsAny(s, "`|<>&\\") || strings.ContainsFunc(s, func(r rune) bool { return unseen(r) || r == unicode.ReplacementChar }) {
		return text(s)
	}
	return "`" + s + "`"
}

// expression writes code that is not in a table: there only the fence ends it.
func expression(s string) string {
	if s == "" || strings.TrimSpace(s) != s || strings.Contains(s, "`") || !utf8.ValidString(s) || strings.ContainsFunc(s, unseen) {
		return text(s)
	}
	return "`" + s + "`"
}

// text writes s so that nothing in it is Markdown, HTML or a link.
func text(s string) string {
	var b strings.Builder
	rs := []rune(strings.ToValidUTF8(s, "\ufffd"))
	for i, r := range rs {
		before, next := rune(0), rune(0)
		if i > 0 {
			before = rs[i-1]
		}
		if i+1 < len(rs) {
			next = rs[i+1]
		}
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == ':' && next == '/', r == '@', r == '.' && (unicode.IsLetter(next) || unicode.IsLetter(before) && next > ' '): // renderers make links of these
			fmt.Fprintf(&b, "&#%d;", r)
		case unseen(r):
			b.WriteByte(' ')
		case strings.ContainsRune("\\`*_{}[]()#|~!$^=\"'", r), i == 0 && strings.ContainsRune("-+", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '.' && unicode.IsDigit(before) && (next == ' ' || next == 0):
			b.WriteString("\\.") // no list
		default:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

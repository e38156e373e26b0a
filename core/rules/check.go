package rules

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	maxInputs   = 32
	maxTriggers = 32
	maxActs     = 16
	maxName     = 32 // characters of an input's name
	maxLabel    = 100
	maxAbout    = 1000
	maxWait     = 24 * time.Hour
	minEvery    = time.Second
	setSuffix   = "/set"
)

// program is a rule that was checked, ready to run. Nobody changes one.
type program struct {
	rule   core.Rule
	inputs []*source
	cond   *formula // nil is always true
	acts   []*action
	// steady means that it looks whenever something that it reads changes, and
	// acts when its answer becomes another.
	steady bool
	timed  bool // it must look again while nothing comes
}

// source is an input as it was designed.
type source struct {
	name   string
	topic  topic.Name
	design core.Topic
	window time.Duration // how far back expressions ask for its numbers
}

// action is an act whose expression can be evaluated.
type action struct {
	core.Act
	design core.Topic
	value  *formula
}

// target is where the values go.
func (a *action) target() topic.Name {
	if a.design.Writable {
		return a.design.Name + setSuffix
	}
	return a.design.Name
}

// Check returns nil if r can run: its names are those of designed topics, and
// its expressions can be evaluated and yield what the topics are designed for.
func Check(r core.Rule, design func(topic.Name) (core.Topic, bool)) error {
	_, err := compile(r, design)
	if err != nil {
		return err.error
	}
	return nil
}

// place is a part of a rule.
type place struct {
	what string // "rule", "read", "when", "if", "for", "set", …: how its line in the text begins
	n    int    // which of them
}

// fault is an error and the part of a rule that has it.
type fault struct {
	place
	error
}

func wrong(what string, n int, err error) *fault { return &fault{place{what, n}, err} }

// compile checks r.
func compile(r core.Rule, design func(topic.Name) (core.Topic, bool)) (*program, *fault) {
	p := &program{rule: r}
	if err := checkHead(r); err != nil {
		return nil, wrong("rule", 0, err)
	}
	if err := checkTimes(r); err != nil {
		return nil, err
	}
	if len(r.Inputs) > maxInputs || len(r.When) > maxTriggers || len(r.Then) > maxActs {
		return nil, wrong("rule", 0, core.Fail(core.ErrInvalid, "A rule reads at most {inputs} topics, has at most {triggers} things that make it look and sets at most {acts} topics. Make two rules of it.",
			"inputs", maxInputs, "triggers", maxTriggers, "acts", maxActs))
	}
	for i, in := range r.Inputs {
		s, err := newSource(r.Inputs[:i], in, design)
		if err != nil {
			return nil, wrong("read", i, err)
		}
		p.inputs = append(p.inputs, s)
	}
	for i, t := range r.When {
		if err := checkTrigger(r, t); err != nil {
			return nil, wrong("when", i, err)
		}
	}
	if len(r.Inputs) == 0 && len(r.When) == 0 {
		return nil, wrong("rule", 0, core.Fail(core.ErrInvalid, "Nothing makes {rule} look. Let it read a topic, or give it a time.", "rule", r.Title()))
	}
	if r.If != "" {
		f, err := parse(r.If, p.inputs)
		switch {
		case err != nil:
			return nil, wrong("if", 0, err)
		case f.sort != truthful && f.sort != anything:
			return nil, wrong("if", 0, core.Fail(core.ErrInvalid, "{expression} is neither true nor false. Compare it with something, as in x > 20.", "expression", short(r.If)))
		}
		p.cond = f
	}
	if len(r.Then) == 0 {
		return nil, wrong("rule", 0, core.Fail(core.ErrInvalid, "{rule} does nothing. Choose a topic that it sets.", "rule", r.Title()))
	}
	for i, act := range r.Then {
		a, err := newAction(r, act, p.inputs, design)
		if err != nil {
			return nil, wrong("set", i, err)
		}
		p.acts = append(p.acts, a)
	}
	formulas := p.formulas()
	if r.Kit != "" && !p.onBoard() {
		return nil, wrong("on", 0, core.Fail(core.ErrInvalid, "{kit} decides as its firmware does, and {rule} decides otherwise. Take the rule from the template Choice, or let the program run it.", "kit", r.Kit, "rule", r.Title()))
	}
	moment := slices.ContainsFunc(formulas, func(f *formula) bool { return f.moment })
	p.steady = len(r.When) == 0 && !moment
	p.timed = slices.ContainsFunc(formulas, func(f *formula) bool { return f.timed })
	return p, nil
}

// choice is what a board with the firmware of a ChoiceKit decides.
const choice = `button || (never(button) || age(button) >= duration("10m") && presence) && brightness < 60`

// onBoard reports whether p decides as a board does.
func (p *program) onBoard() bool {
	r := p.rule
	if p.cond != nil || len(r.When) > 0 || r.Debounce != 0 || r.Cooldown != 0 || len(p.acts) != 1 || p.acts[0].Always {
		return false
	}
	board, err := parse(choice, p.inputs)
	return err == nil && board.tree.String() == p.acts[0].value.tree.String()
}

func checkHead(r core.Rule) error {
	hidden := func(r rune) bool { return r != '\n' && unicode.IsControl(r) || r == utf8.RuneError }
	if _, err := topic.ParseID(string(r.ID)); err != nil {
		return core.Fail(core.ErrInvalid, "{name} cannot be the name of a rule. Use a-z, 0-9 and -, at most {max} of them.", "name", short(string(r.ID)), "max", topic.MaxID)
	}
	if utf8.RuneCountInString(r.Label) > maxLabel || strings.ContainsFunc(r.Label, func(c rune) bool { return c == '\n' || hidden(c) }) {
		return core.Fail(core.ErrInvalid, "The display name of {rule} is longer than {max} characters, or holds some that cannot be shown. Shorten it.", "rule", r.ID, "max", maxLabel)
	}
	if utf8.RuneCountInString(r.Text) > maxAbout || strings.ContainsFunc(r.Text, hidden) {
		return core.Fail(core.ErrInvalid, "What {rule} is for is longer than {max} characters, or holds some that cannot be shown. Shorten it.", "rule", r.ID, "max", maxAbout)
	}
	return nil
}

func checkTimes(r core.Rule) *fault {
	for _, t := range []struct {
		what string
		d    time.Duration
	}{{"for", r.For}, {"quiet", r.Debounce}, {"rest", r.Cooldown}} {
		if t.d < 0 || t.d > maxWait {
			return wrong(t.what, 0, core.Fail(core.ErrInvalid, "{span} is too long or less than nothing. Use at most {max}.", "span", span(t.d), "max", span(maxWait)))
		}
	}
	if r.For > 0 && r.If == "" {
		return wrong("for", 0, core.Fail(core.ErrInvalid, "{rule} waits until something holds for {span}, but has no condition. Add one.", "rule", r.Title(), "span", span(r.For)))
	}
	return nil
}

// newSource checks an input; others are those before it.
func newSource(others []core.Input, in core.Input, design func(topic.Name) (core.Topic, bool)) (*source, error) {
	if !isName(in.Name) {
		return nil, core.Fail(core.ErrInvalid, "{name} cannot be the name of an input. Use letters, digits and _, beginning with a letter, at most {max}.", "name", short(in.Name), "max", maxName)
	}
	if _, ok := signatures[in.Name]; ok || slices.Contains(words, in.Name) {
		return nil, core.Fail(core.ErrInvalid, "{name} means something else in expressions. Give the input another name, such as {name}1.", "name", in.Name)
	}
	if slices.ContainsFunc(others, func(o core.Input) bool { return o.Name == in.Name }) {
		return nil, core.Fail(core.ErrInvalid, "Two inputs are called {name}. Give one of them another name.", "name", in.Name)
	}
	if _, err := topic.ParseName(string(in.Topic)); err != nil {
		return nil, core.Fail(core.ErrInvalid, "{topic} is not a topic name.", "topic", short(string(in.Topic)))
	}
	t, ok := design(in.Topic)
	if !ok {
		if state := commanded(in.Topic); state != in.Topic {
			t, ok = design(state)
			ok = ok && t.Writable
		}
	}
	if !ok {
		return nil, core.Fail(core.ErrInvalid, "{topic} is not designed. Create it first.", "topic", in.Topic)
	}
	return &source{name: in.Name, topic: in.Topic, design: t}, nil
}

// isName reports whether s can be the name of an input.
func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

// commanded is the topic whose commands go to n, or n.
func commanded(n topic.Name) topic.Name {
	return topic.Name(strings.TrimSuffix(string(n), setSuffix))
}

func checkTrigger(r core.Rule, t core.Trigger) error {
	switch t.Kind {
	case core.OnChange, core.OnMessage:
		if !slices.ContainsFunc(r.Inputs, func(in core.Input) bool { return in.Name == t.Input }) {
			return core.Fail(core.ErrInvalid, "{name} makes the rule look, but it is no input. Choose one of the topics that the rule reads.", "name", short(t.Input))
		}
	case core.OnTime:
		if t.At < 0 || t.At >= 24*time.Hour || t.At%time.Second != 0 {
			return core.Fail(core.ErrInvalid, "{time} is no time of day. Write it like 07:30.", "time", span(t.At))
		}
		for i, d := range t.Days {
			if d < time.Sunday || d > time.Saturday || slices.Contains(t.Days[:i], d) {
				return core.Fail(core.ErrInvalid, "A day of the week is wrong, or there twice. Use mon, tue, wed, thu, fri, sat and sun, each once.")
			}
		}
	case core.OnEvery:
		if t.Every < minEvery || t.Every > maxWait {
			return core.Fail(core.ErrInvalid, "Again every {span} is too often or too seldom. Use from {min} to {max}.", "span", span(t.Every), "min", span(minEvery), "max", span(maxWait))
		}
	default:
		return core.Fail(core.ErrInvalid, "{kind} makes no rule look. Use change, message, time or every.", "kind", short(string(t.Kind)))
	}
	return nil
}

func newAction(r core.Rule, act core.Act, inputs []*source, design func(topic.Name) (core.Topic, bool)) (*action, error) {
	if _, err := topic.ParseName(string(act.Topic)); err != nil {
		return nil, core.Fail(core.ErrInvalid, "{topic} is not a topic name.", "topic", short(string(act.Topic)))
	}
	t, ok := design(act.Topic)
	if !ok {
		if state, ok := design(commanded(act.Topic)); ok && state.Writable {
			return nil, core.Fail(core.ErrInvalid, "{topic} takes the commands of {state}. Set {state} itself: the rule sends the command.", "topic", act.Topic, "state", state.Name)
		}
		return nil, core.Fail(core.ErrInvalid, "{topic} is not designed. Create it first.", "topic", act.Topic)
	}
	for _, in := range inputs {
		if commanded(in.topic) == act.Topic {
			return nil, core.Fail(core.ErrInvalid, "The rule reads {topic} and sets it too, so it would go round in circles. Read or set another topic.", "topic", act.Topic)
		}
	}
	f, err := parse(act.Value, inputs)
	if err != nil {
		return nil, err
	}
	fits := f.sort == anything
	switch t.Kind {
	case core.Boolean:
		fits = fits || f.sort == truthful
	case core.Number:
		fits = fits || f.sort == numeric || f.sort == lasting
	case core.Enumeration:
		fits = fits || f.sort == textual
	default:
		fits = fits || f.sort != nothing
	}
	if !fits {
		return nil, misfit(t, act.Value)
	}
	a := &action{Act: act, design: t, value: f}
	if f.constant() {
		alone := newRun(&program{acts: []*action{a}}, nil)
		v, err := alone.eval(f.code)
		if err == nil {
			_, err = write(t, v)
		}
		if err != nil {
			return nil, err
		}
	}
	return a, nil
}

// misfit tells which values t takes.
func misfit(t core.Topic, expression string) error {
	args := []any{"topic", t.Name, "expression", short(expression)}
	switch t.Kind {
	case core.Boolean:
		return core.Fail(core.ErrInvalid, "{topic} is true or false, and {expression} is neither. Compare it with something, as in x > 20.", args...)
	case core.Number:
		return core.Fail(core.ErrInvalid, "{topic} is a number, and {expression} is none.", args...)
	case core.Enumeration:
		return core.Fail(core.ErrInvalid, "{topic} is one of some words, and {expression} is none of them: {words}", append(args, "words", strings.Join(t.Options, ", "))...)
	}
	return core.Fail(core.ErrInvalid, "{topic} cannot be set to {expression}.", args...)
}

// constant reports whether f is always the same.
func (f *formula) constant() bool { return !f.timed && !f.moment && f.why.alone() }

func (w *reason) alone() bool {
	return len(w.uses) == 0 && !slices.ContainsFunc(w.kids, func(k *reason) bool { return !k.alone() })
}

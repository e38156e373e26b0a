package rules

import (
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"homeroom/core"
	"homeroom/core/topic"
)

// Sentence tells a rule in blocks that read as one sentence: what makes it look,
// what has to hold, and what it does. title names topics for a person.
func Sentence(r core.Rule, design func(topic.Name) (core.Topic, bool), title func(topic.Name) string) (when, holds, then []core.Sentence) {
	t := teller{rule: r, title: title, inputs: map[string]*source{}}
	var all []*source
	for i, in := range r.Inputs {
		s, err := newSource(r.Inputs[:i], in, design)
		if err != nil {
			s = &source{name: in.Name, topic: in.Topic} // told as it is written
		}
		t.inputs[in.Name] = s
		all = append(all, s)
	}
	if r.If != "" {
		f, err := parse(r.If, all)
		if err != nil || !t.conditions(f.tree, &holds) {
			holds = []core.Sentence{core.Say("if {expression}", "expression", r.If)}
		}
	}
	if r.For > 0 {
		holds = append(holds, core.Say("for at least {span} without a break", "span", span(r.For)))
	}
	for _, a := range r.Then {
		then = append(then, t.act(a, all, design))
	}
	if r.Cooldown > 0 {
		then = append(then, core.Say("then rest for {span}", "span", span(r.Cooldown)))
	}
	return t.triggers(), holds, then
}

type teller struct {
	rule   core.Rule
	title  func(topic.Name) string
	inputs map[string]*source
}

func (t *teller) name(input string) string {
	if s := t.inputs[input]; s != nil {
		return t.title(s.topic)
	}
	return input
}

func (t *teller) triggers() (when []core.Sentence) {
	r := t.rule
	if len(r.When) == 0 {
		names := make([]string, len(r.Inputs))
		for i, in := range r.Inputs {
			names[i] = t.title(in.Topic)
		}
		when = append(when, core.Say("When {topics} changes", "topics", strings.Join(names, " / ")))
	}
	for _, w := range r.When {
		switch w.Kind {
		case core.OnChange:
			when = append(when, core.Say("When {topics} changes", "topics", t.name(w.Input)))
		case core.OnMessage:
			when = append(when, core.Say("When {topics} sends a value, also the same again", "topics", t.name(w.Input)))
		case core.OnEvery:
			when = append(when, core.Say("Again every {span}", "span", span(w.Every)))
		case core.OnTime:
			when = append(when, atTime(w)...)
		}
	}
	if r.Debounce > 0 {
		when = append(when, core.Say("once it has been quiet for {span}", "span", span(r.Debounce)))
	}
	return when
}

func atTime(w core.Trigger) (when []core.Sentence) {
	at := clockText(w.At)
	set := [7]bool{}
	for _, d := range w.Days {
		set[(d%7+7)%7] = true
	}
	switch set {
	case [7]bool{}, [7]bool{true, true, true, true, true, true, true}:
		return []core.Sentence{core.Say("Every day at {time}", "time", at)}
	case [7]bool{false, true, true, true, true, true, false}:
		return []core.Sentence{core.Say("From Monday to Friday at {time}", "time", at)}
	case [7]bool{true, false, false, false, false, false, true}:
		return []core.Sentence{core.Say("On Saturdays and Sundays at {time}", "time", at)}
	}
	each := [7]core.Sentence{
		core.Say("On Sundays at {time}", "time", at), core.Say("On Mondays at {time}", "time", at), core.Say("On Tuesdays at {time}", "time", at),
		core.Say("On Wednesdays at {time}", "time", at), core.Say("On Thursdays at {time}", "time", at), core.Say("On Fridays at {time}", "time", at),
		core.Say("On Saturdays at {time}", "time", at),
	}
	for i := range 7 {
		if d := (i + 1) % 7; set[d] { // Monday comes first
			when = append(when, each[d])
		}
	}
	return when
}

// conditions tells an expression part by part; or returns false where a part is
// better read as it is written.
func (t *teller) conditions(n ast.Node, all *[]core.Sentence) bool {
	if b, ok := n.(*ast.BinaryNode); ok && (b.Operator == "&&" || b.Operator == "and") {
		return t.conditions(b.Left, all) && t.conditions(b.Right, all)
	}
	s, ok := t.condition(n)
	*all = append(*all, s)
	return ok
}

func (t *teller) condition(n ast.Node) (core.Sentence, bool) {
	positive := true
	if u, ok := n.(*ast.UnaryNode); ok && (u.Operator == "!" || u.Operator == "not") {
		n, positive = u.Node, false
	}
	switch n := n.(type) {
	case *ast.IdentifierNode:
		s := t.inputs[n.Value]
		return core.Say("if {topic} is {value}", "topic", t.title(s.topic), "value", says(positive, s.design)), true
	case *ast.CallNode:
		f, name := t.called(n)
		switch {
		case f == "never" && positive:
			return core.Say("if {topic} never said anything", "topic", name), true
		case f == "never":
			return core.Say("if {topic} said something before", "topic", name), true
		case f == "changed" && positive:
			return core.Say("if it is {topic} that changed", "topic", name), true
		}
	case *ast.BinaryNode:
		if !positive {
			break
		}
		if call, ok := n.Left.(*ast.CallNode); ok {
			return t.lasted(call, n)
		}
		id, ok := n.Left.(*ast.IdentifierNode)
		if !ok {
			break
		}
		s := t.inputs[id.Value]
		value, ok := literal(n.Right, s.design)
		args := []any{"topic", t.title(s.topic), "value", value}
		switch n.Operator {
		case "<":
			return core.Say("if {topic} is less than {value}", args...), ok
		case "<=":
			return core.Say("if {topic} is at most {value}", args...), ok
		case ">":
			return core.Say("if {topic} is more than {value}", args...), ok
		case ">=":
			return core.Say("if {topic} is at least {value}", args...), ok
		case "==":
			return core.Say("if {topic} is {value}", args...), ok
		case "!=":
			return core.Say("if {topic} is not {value}", args...), ok
		}
	}
	return core.Sentence{}, false
}

// called returns the function and the title of the input that it is about.
func (t *teller) called(n *ast.CallNode) (f, name string) {
	if len(n.Arguments) == 0 {
		return "", ""
	}
	id, ok := n.Arguments[0].(*ast.IdentifierNode)
	if !ok || t.inputs[strings.TrimPrefix(id.Value, state)] == nil {
		return "", ""
	}
	return n.Callee.(*ast.IdentifierNode).Value, t.name(strings.TrimPrefix(id.Value, state))
}

// lasted tells a comparison of an age.
func (t *teller) lasted(call *ast.CallNode, n *ast.BinaryNode) (core.Sentence, bool) {
	f, name := t.called(call)
	c, ok := n.Right.(*ast.ConstantNode)
	if !ok {
		return core.Sentence{}, false
	}
	d, ok := c.Value.(time.Duration)
	args := []any{"topic", name, "span", span(d)}
	least := n.Operator == ">=" || n.Operator == ">"
	ok = ok && (least || n.Operator == "<" || n.Operator == "<=")
	switch {
	case f == "age" && least:
		return core.Say("if {topic} has not changed for at least {span}", args...), ok
	case f == "age":
		return core.Say("if {topic} changed less than {span} ago", args...), ok
	case f == "since" && least:
		return core.Say("if {topic} has said nothing for at least {span}", args...), ok
	case f == "since":
		return core.Say("if {topic} said something less than {span} ago", args...), ok
	}
	return core.Sentence{}, false
}

// literal is a value that is written in an expression, in the words of t.
func literal(n ast.Node, t core.Topic) (string, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return withUnit(strconv.Itoa(n.Value), t), true
	case *ast.FloatNode:
		return withUnit(decimal(n.Value), t), true
	case *ast.StringNode:
		return n.Value, true
	case *ast.BoolNode:
		return says(n.Value, t), true
	case *ast.UnaryNode:
		text, ok := literal(n.Node, t)
		return "-" + text, ok && n.Operator == "-"
	}
	return "", false
}

func says(v bool, t core.Topic) string {
	if t.Kind == core.Boolean {
		return t.Word(v)
	}
	return strconv.FormatBool(v)
}

func withUnit(text string, t core.Topic) string {
	if t.Unit != "" && t.Kind == core.Number {
		return text + " " + t.Unit
	}
	return text
}

func (t *teller) act(a core.Act, inputs []*source, design func(topic.Name) (core.Topic, bool)) core.Sentence {
	value := a.Value
	to, ok := design(a.Topic)
	f, err := parse(a.Value, inputs)
	if ok && err == nil {
		text, known := literal(f.tree, to)
		id, _ := f.tree.(*ast.IdentifierNode)
		switch {
		case id != nil && !a.Always:
			return core.Say("set {topic} to what {input} is", "topic", t.title(a.Topic), "input", t.name(id.Value))
		case known:
			value = text
		case to.Kind == core.Boolean && !a.Always:
			return core.Say("set {topic} to {on} where {expression}, else to {off}", "topic", t.title(a.Topic), "on", to.Word(true), "off", to.Word(false), "expression", a.Value)
		}
	}
	if a.Always {
		return core.Say("send {value} to {topic}, also where it has that value already", "topic", t.title(a.Topic), "value", value)
	}
	return core.Say("set {topic} to {value}", "topic", t.title(a.Topic), "value", value)
}

// Templates are rules to start from.
func Templates() []core.RuleTemplate {
	boolean, number, words := []core.Kind{core.Boolean}, []core.Kind{core.Number}, []core.Kind{core.Text, core.Enumeration}
	part := func(input string, title core.Sentence, kinds []core.Kind, set bool) core.RulePart {
		return core.RulePart{Input: input, Title: title, Kinds: kinds, Set: set}
	}
	button := part("button", core.Say("Button"), boolean, false)
	brightness := part("brightness", core.Say("Brightness"), number, false)
	presence := part("presence", core.Say("Presence"), boolean, false)
	light := part("light", core.Say("Light"), boolean, true)
	all := []core.RuleTemplate{
		{ID: "follow", Title: core.Say("The lamp follows the button"), Parts: []core.RulePart{button, light},
			Rule: core.Rule{Then: []core.Act{{Value: "button"}}}},
		{ID: "dark", Title: core.Say("Lamp on when it gets dark"), Parts: []core.RulePart{brightness, light},
			Rule: core.Rule{If: "brightness < 30", Then: []core.Act{{Value: "true"}}}},
		{ID: "presence", Title: core.Say("Somebody there keeps the lamp on for 2 minutes"), Parts: []core.RulePart{presence, light},
			Rule: core.Rule{Then: []core.Act{{Value: `presence || !never(presence) && age(presence) < duration("2m")`}}}},
		{ID: "warm", Title: core.Say("Fan on when it is too warm"),
			Parts: []core.RulePart{part("temperature", core.Say("Temperature"), number, false), part("fan", core.Say("Fan"), boolean, true)},
			Rule:  core.Rule{Then: []core.Act{{Value: "temperature > 26"}}}},
		{ID: "door", Title: core.Say("Tell when the door is open for 2 minutes"),
			Parts: []core.RulePart{part("door", core.Say("Door"), boolean, false), part("message", core.Say("Message"), words, true)},
			Rule:  core.Rule{If: "door", For: 2 * time.Minute, Then: []core.Act{{Value: `"open"`, Always: true}}}},
		{ID: "morning", Title: core.Say("Lamp on at 7:30 from Monday to Friday"), Parts: []core.RulePart{light},
			Rule: core.Rule{When: []core.Trigger{{Kind: core.OnTime, At: 7*time.Hour + 30*time.Minute,
				Days: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}}}, Then: []core.Act{{Value: "true"}}}},
		{ID: "choice", Title: core.Say("Choice: button first, else lamp on when it is dark"), Parts: []core.RulePart{brightness, button, presence, light},
			Rule: core.Rule{Then: []core.Act{{Value: choice}}}},
	}
	for i := range all {
		all[i].Rule.ID = all[i].ID
	}
	return all
}

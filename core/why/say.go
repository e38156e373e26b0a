package why

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// Text returns the chain in one paragraph, with times of this PC to the
// millisecond. say puts a sentence into the reader's language; nil is English.
func Text(c core.Chain, say func(core.Sentence) string) string {
	if say == nil {
		say = core.Sentence.String
	}
	var b strings.Builder
	for i, s := range c.Steps {
		switch {
		case i == 0:
			b.WriteString(s.At.Local().Format(time.DateOnly) + " ")
		case i <= c.Effect+1:
			b.WriteString(" → ")
		default:
			b.WriteString("; ")
		}
		b.WriteString(s.At.Local().Format("15:04:05.000") + " ")
		what := say(s.Say)
		if s.Kind == core.StepRule && s.Who != "" {
			what = say(core.Say("rule {rule}: {why}", "rule", s.Who, "why", what))
		}
		if s.Likely {
			what = say(core.Say("probably {what}", "what", what))
		}
		if i > 0 {
			what = say(later(what, s.After))
		}
		b.WriteString(what)
	}
	return b.String()
}

// later says how long after the step before something was.
func later(what string, after time.Duration) core.Sentence {
	if after < time.Second {
		return core.Say("{what} after {n} ms", "what", what, "n", after.Milliseconds())
	}
	return core.Say("{what} after {n} s", "what", what, "n", strconv.FormatFloat(after.Round(time.Millisecond).Seconds(), 'f', -1, 64))
}

// told is m as a step; l is what led to it.
func (q *question) told(m Message, l link) step {
	s := core.Step{At: m.At, Kind: core.StepMessage, Topic: m.Topic, Value: q.value(m.Topic, m.Value), Who: q.who(m.Account, m.Client, m.Topic), Likely: l.likely}
	s.Say = q.sentence(m, l, s.Who, s.Value)
	return step{s, []topic.Name{m.Topic}}
}

func (q *question) sentence(m Message, l link, who, value string) core.Sentence {
	of, command := commandOf(m.Topic)
	title := q.title(m.Topic)
	if command {
		title = q.title(of)
	}
	args := []any{"who", who, "topic", title, "value", value}
	byRule := l.rule != nil || strings.HasPrefix(m.Client, "rule:")
	p := q.kit(m.Account, m.Client, m.Topic)
	var slot topic.ID
	var toggles bool
	if p != nil {
		if port := portOf(q.design, p, m.Topic); port != nil {
			slot, toggles = port.Slot, port.Toggle
		}
	}
	switch {
	case m.Digest == digestOf(nil) && m.Value == "":
		return core.Say("{who} cleared {topic}", args...)
	case m.Will:
		return core.Say("{who} was lost: {topic} = {value}", args...)
	case byRule && command:
		return core.Say("asked for {topic} = {value}", args...)
	case byRule:
		return core.Say("{topic} = {value}", args...)
	case l.inputs != "":
		return core.Say("{who} set {topic} = {value}; it had {inputs}", append(args, "inputs", l.inputs)...)
	case l.obeys:
		return core.Say("{who} told {topic} = {value}", args...)
	case l.cause != nil:
		return core.Say("{who} set {topic} = {value}", args...)
	case slot == "button" && (toggles || truth(m.Value) != 0):
		return core.Say("button pressed by {who}: {topic} = {value}", args...)
	case slot == "button":
		return core.Say("button released by {who}: {topic} = {value}", args...)
	case strings.HasPrefix(m.Client, "replay"):
		return core.Say("a replay published {topic} = {value}", args...)
	case m.Client == "window" && command:
		return core.Say("somebody at this PC asked for {topic} = {value}", args...)
	case m.Client == "window":
		return core.Say("somebody at this PC published {topic} = {value}", args...)
	case command:
		return core.Say("{who} asked for {topic} = {value}", args...)
	}
	return core.Say("{who} published {topic} = {value}", args...)
}

// ruleStep is f as a step.
func (q *question) ruleStep(f *Firing, at time.Time) step {
	s := core.Step{At: at, Kind: core.StepRule, Who: string(f.Rule), Rule: f.Rule, Say: f.Why}
	if s.Say.Format == "" {
		s.Say = core.Say("acted")
	}
	if r := q.design.Rule(f.Rule); r != nil {
		s.Who = r.Title()
	}
	return step{s, f.Reads}
}

// delivered is d, a delivery of m, as a step that was no later than latest: who
// reacts first and acknowledges then had got it all the same.
func (q *question) delivered(m Message, d Delivery, latest time.Time) step {
	s := core.Step{At: d.At, Kind: core.StepDelivered, Topic: m.Topic, Value: q.value(m.Topic, m.Value), Who: q.who(d.Account, d.Client, "")}
	if s.At.After(latest) {
		s.At = latest
	}
	s.Say = core.Say("sent to {who}", "who", s.Who)
	if d.Acked {
		s.Say = core.Say("delivered to {who}", "who", s.Who)
	}
	return step{s, []topic.Name{m.Topic}}
}

// kit returns the kit of the design that a client is, or nil. Of several, the one
// that has to do with n.
func (q *question) kit(id core.AccountID, client string, n topic.Name) (kit *core.Place) {
	a, ok := q.s.cfg.Account(id)
	for _, p := range q.design.Places {
		switch {
		case p.Kind != core.KitPlace:
			continue
		case id == core.Anyone: // everybody is the same account
			if client == "" || string(p.Account) != client && p.Title() != client {
				continue
			}
		case !ok || p.Account == "" || p.Account != a.Name:
			continue
		}
		if kit == nil || portOf(q.design, p, n) != nil || core.Within(n, p.Name) {
			kit = p
		}
	}
	return kit
}

// who is how a person knows a client.
func (q *question) who(id core.AccountID, client string, n topic.Name) string {
	if rule, ok := strings.CutPrefix(client, "rule:"); ok {
		if r := q.design.Rule(topic.ID(rule)); r != nil {
			return r.Title()
		}
		return core.Readable(rule, maxClient)
	}
	if client == "window" || id == core.Program {
		return "Homeroom"
	}
	if p := q.kit(id, client, n); p != nil {
		return p.Title()
	}
	shown := core.Readable(client, maxClient)
	a, ok := q.s.cfg.Account(id)
	switch {
	case !ok || id == core.Anyone:
		return shown
	case client == "page" || shown == "" || shown == string(a.Name):
		return a.Title()
	}
	return a.Title() + " (" + shown + ")"
}

// title is how a person knows a topic.
func (q *question) title(n topic.Name) string {
	if t := q.design.Topic(n); t != nil && t.Label != "" {
		return t.Label
	}
	s := string(n)
	return s[strings.LastIndexByte(s, '/')+1:]
}

// value is a value with its unit.
func (q *question) value(n topic.Name, v string) string {
	if of, ok := commandOf(n); ok {
		n = of
	}
	if t := q.design.Topic(n); t != nil && t.Kind == core.Number && t.Unit != "" && v != "" {
		return v + " " + t.Unit
	}
	return v
}

// sensed reports whether p publishes n because of the world, not of what it got.
func sensed(d *core.Design, p *core.Place, n topic.Name) bool {
	port := portOf(d, p, n)
	return port != nil && slices.Contains([]topic.ID{"brightness", "button", "presence"}, port.Slot)
}

// truth is 1 for a word that means true, -1 for one that means no other than
// that, and 0 for false.
func truth(v string) int {
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "false", "0", "off", "turn off", "released", "no", "":
		return 0
	case "true", "1", "on", "turn on", "pressed", "yes":
		return 1
	}
	return -1
}

// sameValue reports whether a state is what a command asked for.
func sameValue(a, b string) bool {
	if strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) {
		return true
	}
	x, errX := strconv.ParseFloat(strings.TrimSpace(a), 64)
	y, errY := strconv.ParseFloat(strings.TrimSpace(b), 64)
	return errX == nil && errY == nil && x == y || truth(a) >= 0 && truth(a) == truth(b)
}

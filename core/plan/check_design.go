package plan

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
	maxPorts      = 64
	maxInputs     = 32
	maxTriggers   = 16
	maxActs       = 16
	maxExpression = 2000    // characters
	maxFarAway    = 1e6     // units of the canvas
	maxWait       = 7 * day // for, debounce, cool-down, every, within
	day           = 24 * time.Hour
	alarmLevel    = "/$alarm/" // between a topic and its alarm, where that tells its state
)

// checkLevels returns nil if a place, or what a kit may use, can be called n: a
// grant is made of it, so it must mean itself.
func checkLevels(n topic.Name) error {
	if err := checkName(n); err != nil {
		return err
	}
	if strings.ContainsAny(string(n), "{}") {
		return core.Fail(core.ErrInvalid, "{topic} holds { or }, which stand for other names in permissions. Choose another name.", "topic", short(n))
	}
	return nil
}

func checkID(id topic.ID) error {
	if _, err := topic.ParseID(string(id)); err != nil {
		return core.Fail(core.ErrInvalid, "{topic} cannot be the name of a rule, an alarm, an account or a part of a kit. Use at most {max} of a-z, 0-9 and -.", "topic", short(topic.Name(id)), "max", topic.MaxID)
	}
	return nil
}

// checkPlace returns nil if p may be designed.
func checkPlace(p core.Place) error {
	if err := checkLevels(p.Name); err != nil {
		return err
	}
	if err := checkWords(p.Name, p.Label, p.Text); err != nil {
		return err
	}
	for _, v := range []float64{p.X, p.Y, p.W, p.H} {
		if !finite(v) || v < -maxFarAway || v > maxFarAway {
			return core.Fail(core.ErrInvalid, "{topic} would be drawn where nobody can see it. Choose another place.", "topic", p.Name)
		}
	}
	switch {
	case p.Kind != core.BranchPlace && p.Kind != core.RoomPlace && p.Kind != core.KitPlace:
		return core.Fail(core.ErrInvalid, "{topic} is no branch, room or kit. Choose one of them.", "topic", p.Name)
	case p.W < 0 || p.H < 0:
		return core.Fail(core.ErrInvalid, "{topic} has a size below 0. Choose another.", "topic", p.Name)
	case p.Kind != core.KitPlace && (p.Role != "" || p.Account != "" || p.Virtual || len(p.Ports) > 0):
		return core.Fail(core.ErrInvalid, "{topic} is no kit, but has a role, an account or ports. Make it a kit, or leave them away.", "topic", p.Name)
	case p.Kind != core.KitPlace:
		return nil
	case !slices.Contains(core.KitRoles, p.Role):
		return core.Fail(core.ErrInvalid, "{topic} has no role of a kit. Choose light, sensor, button, choice, all or any.", "topic", p.Name)
	case len(p.Ports) > maxPorts:
		return core.Fail(core.ErrInvalid, "{topic} has {n} ports. Leave at most {max}.", "topic", p.Name, "n", len(p.Ports), "max", maxPorts)
	}
	if p.Account != "" {
		if err := checkID(p.Account); err != nil {
			return err
		}
	}
	if _, err := topic.ParseName(string(p.Name) + "/$state"); err != nil {
		return tooLong(p.Name + "/$state")
	}
	for i, port := range p.Ports {
		if err := checkID(port.Slot); err != nil {
			return err
		}
		if err := checkLevels(port.Topic); err != nil {
			return err
		}
		if port.Action != core.Publish && port.Action != core.Subscribe {
			return core.Fail(core.ErrInvalid, "The port {slot} of {topic} neither publishes nor subscribes. Choose one.", "slot", port.Slot, "topic", p.Name)
		}
		if slices.ContainsFunc(p.Ports[:i], func(o core.Port) bool { return o.Slot == port.Slot && o.Action == port.Action }) {
			return core.Fail(core.ErrInvalid, "{topic} has the port {slot} twice. Remove one of them.", "topic", p.Name, "slot", port.Slot)
		}
	}
	return nil
}

// checkRule returns nil if r may be designed, as far as that does not depend on
// what else is.
func checkRule(r core.Rule) error {
	if err := checkID(r.ID); err != nil {
		return err
	}
	if err := checkWords(r.ID, r.Label, r.Text); err != nil {
		return err
	}
	if len(r.Inputs) > maxInputs || len(r.When) > maxTriggers || len(r.Then) > maxActs {
		return core.Fail(core.ErrInvalid, "{rule} is too large. Use at most {inputs} inputs, {triggers} triggers and {acts} actions.", "rule", r.ID, "inputs", maxInputs, "triggers", maxTriggers, "acts", maxActs)
	}
	for i, in := range r.Inputs {
		if !identifier(in.Name) {
			return core.Fail(core.ErrInvalid, "{name} cannot be the name of an input of {rule}. Use letters, digits and _, and begin with a letter.", "name", short(topic.Name(in.Name)), "rule", r.ID)
		}
		if slices.ContainsFunc(r.Inputs[:i], func(o core.Input) bool { return o.Name == in.Name }) {
			return core.Fail(core.ErrInvalid, "{rule} has the input {name} twice. Give one of them another name.", "rule", r.ID, "name", in.Name)
		}
		if err := checkName(in.Topic); err != nil {
			return err
		}
	}
	for _, w := range r.When {
		if err := checkTrigger(r, w); err != nil {
			return err
		}
	}
	texts := []string{r.If}
	for _, a := range r.Then {
		if err := checkName(a.Topic); err != nil {
			return err
		}
		texts = append(texts, a.Value)
	}
	for _, t := range texts {
		if utf8.RuneCountInString(t) > maxExpression || !utf8.ValidString(t) ||
			strings.ContainsFunc(t, func(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) }) {
			return core.Fail(core.ErrInvalid, "An expression of {rule} is longer than {max} characters, or holds some that cannot be shown. Shorten it.", "rule", r.ID, "max", maxExpression)
		}
	}
	for _, d := range []time.Duration{r.For, r.Debounce, r.Cooldown} {
		if d < 0 || d > maxWait {
			return tooSlow(r.ID)
		}
	}
	if r.Kit != "" {
		return checkLevels(r.Kit)
	}
	return nil
}

func tooSlow(id topic.ID) error {
	return core.Fail(core.ErrInvalid, "A time of {topic} is too short or longer than {days} days. Choose another.", "topic", id, "days", int(maxWait/day))
}

func checkTrigger(r core.Rule, w core.Trigger) error {
	switch w.Kind {
	case core.OnChange, core.OnMessage:
		if !slices.ContainsFunc(r.Inputs, func(in core.Input) bool { return in.Name == w.Input }) {
			return core.Fail(core.ErrInvalid, "{rule} waits for {name}, which is none of its inputs. Add it, or choose another.", "rule", r.ID, "name", short(topic.Name(w.Input)))
		}
	case core.OnTime:
		if w.At < 0 || w.At >= day {
			return core.Fail(core.ErrInvalid, "{rule} waits for a time that no day has. Choose one from 00:00 to 23:59.", "rule", r.ID)
		}
		for i, d := range w.Days {
			if d < time.Sunday || d > time.Saturday || slices.Contains(w.Days[:i], d) {
				return core.Fail(core.ErrInvalid, "{rule} has a day that there is not, or one twice. Choose others.", "rule", r.ID)
			}
		}
	case core.OnEvery:
		if w.Every < time.Second || w.Every > maxWait {
			return tooSlow(r.ID)
		}
	default:
		return core.Fail(core.ErrInvalid, "{rule} waits for something that there is not. Choose a change, a message, a time or again and again.", "rule", r.ID)
	}
	return nil
}

// identifier reports whether s can be a name in an expression.
func identifier(s string) bool {
	for i, r := range s {
		if r != '_' && !(r >= 'a' && r <= 'z') && !(r >= 'A' && r <= 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && len(s) <= topic.MaxID
}

// checkAlarm returns nil if a may be designed.
func checkAlarm(a core.Alarm) error {
	if err := checkID(a.ID); err != nil {
		return err
	}
	if err := checkWords(a.ID, a.Label, ""); err != nil {
		return err
	}
	if err := checkName(a.Topic); err != nil {
		return err
	}
	if n := a.Topic + alarmLevel + topic.Name(a.ID); checkName(n) != nil {
		return tooLong(n)
	}
	timed := false
	switch a.Kind {
	case core.AlarmAbove, core.AlarmBelow:
	case core.AlarmEquals:
		if a.Word == "" || !shown(a.Word, maxLabel) {
			return core.Fail(core.ErrInvalid, "The alarm {alarm} needs the value that it waits for, of at most {max} characters.", "alarm", a.ID, "max", maxLabel)
		}
	case core.AlarmSilent, core.AlarmRate, core.AlarmFlood:
		timed = true
	default:
		return core.Fail(core.ErrInvalid, "The alarm {alarm} watches for something that there is not. Choose above, below, equals, silent, rate or flood.", "alarm", a.ID)
	}
	switch {
	case !finite(a.Limit) || !finite(a.Clear) || a.Clear < 0:
		return core.Fail(core.ErrInvalid, "The limit of the alarm {alarm} is no number, or it ends below 0 beside it. Choose others.", "alarm", a.ID)
	case (a.Kind == core.AlarmRate || a.Kind == core.AlarmFlood) && a.Limit < 0:
		return core.Fail(core.ErrInvalid, "The limit of the alarm {alarm} is below 0. Choose 0 or more.", "alarm", a.ID)
	case a.Within < 0 || a.Within > maxWait || timed && a.Within < time.Second, a.For < 0 || a.For > maxWait:
		return tooSlow(a.ID)
	case !shown(a.Word, maxLabel):
		return core.Fail(core.ErrInvalid, "The alarm {alarm} needs the value that it waits for, of at most {max} characters.", "alarm", a.ID, "max", maxLabel)
	}
	return nil
}

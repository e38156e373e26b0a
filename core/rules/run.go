package rules

import (
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/vm"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	lookEvery = time.Second // of what depends on the time
	lateBy    = time.Minute // after which a time of day is over: the PC slept

	obeyWithin = 5 * time.Second // a kit has obeyed a command
)

// run is a rule at work. It never waits and reads no clock: whoever has it tells
// it the time, so that a dry run is the same as a real one. It is not safe for
// use by several goroutines.
type run struct {
	*program
	clock   *clock
	ins     []*input
	env     map[string]any
	machine vm.VM
	// known returns the newest that is known of a topic.
	known func(topic.Name) (core.Message, bool)

	answers []any // of the acts, when it last looked; nil where the condition did not hold
	sent    []core.Message
	cause   core.Message // that makes it look; its At is zero where it is the time
	chain   []topic.ID   // that led to cause

	quietAt time.Time // a debounce ends
	holdAt  time.Time // the condition will have held long enough
	held    bool      // it has, and the rule acted
	restAt  time.Time // the cool-down ends
	missed  bool      // it would have acted meanwhile
	tickAt  time.Time // it looks again because time goes by
	everyAt []time.Time
	seen    time.Time // up to when times of day are over

	looks   uint64
	trouble core.Sentence // why an expression or an act failed, latest
	unfit   core.Sentence // the latest value that does not fit
	misfits uint64
	guard
}

// attempt is what a rule wants to publish.
type attempt struct {
	cause core.Message
	chain []topic.ID
	why   core.Sentence
	sends []core.Message
	acts  []int // which act each is of
}

func newRun(p *program, known func(topic.Name) (core.Message, bool)) *run {
	r := &run{program: p, clock: &clock{}, known: known, sent: make([]core.Message, len(p.acts)), env: map[string]any{}}
	r.env[watch] = r.clock
	for _, s := range p.inputs {
		in := newInput(s, r.clock)
		r.ins = append(r.ins, in)
		r.env[s.name], r.env[state+s.name] = in.value, in
	}
	return r
}

// start begins at now, with what is known of the inputs. A steady rule that knows
// something looks at once.
func (r *run) start(now time.Time) {
	r.clock.now = now
	r.seen = now.Round(0)
	for _, t := range r.rule.When {
		if t.Kind == core.OnEvery {
			r.everyAt = append(r.everyAt, now.Add(t.Every))
		}
	}
	if r.steady && slices.ContainsFunc(r.ins, func(in *input) bool { return in.came }) {
		r.tickAt = now
	}
}

// seed is what is known of an input before the rule begins.
func (r *run) seed(in *input, m core.Message) {
	if v, ok := read(in.design, m.Payload); ok && len(m.Payload) > 0 {
		in.take(v, m.At)
		r.env[in.name] = in.value
	}
}

// setBack hears that somebody set the clock back to now: what it sent is not from
// the future, or nothing that comes were newer.
func (r *run) setBack(now time.Time) {
	r.seen = now.Round(0)
	for i := range r.sent {
		if r.sent[i].At.After(now) || r.sent[i].At.Round(0).After(now.Round(0)) {
			r.sent[i].At = now
		}
	}
}

// due is when the rule must be told the time again; zero is never.
func (r *run) due() time.Time {
	if r.paused.Format != "" {
		return time.Time{}
	}
	at := earlier(earlier(r.quietAt, r.holdAt), r.tickAt)
	for _, t := range r.everyAt {
		at = earlier(at, t)
	}
	if r.missed {
		at = earlier(at, r.restAt)
	}
	if r.kept != nil {
		at = earlier(at, r.tryAt)
	}
	for _, t := range r.rule.When {
		if t.Kind == core.OnTime {
			at = earlier(at, r.next(t))
		}
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// next is the first time after r.seen at which t is. A time that a day does not
// have, because the clocks are put forward, is as long after midnight as ever; one
// that it has twice is there once.
func (r *run) next(t core.Trigger) time.Time {
	y, m, d := r.seen.Date()
	for i := range 9 {
		clock := t.At
		at := time.Date(y, m, d+i, 0, 0, int(clock/time.Second), 0, r.seen.Location())
		if len(t.Days) > 0 && !slices.Contains(t.Days, time.Date(y, m, d+i, 12, 0, 0, 0, r.seen.Location()).Weekday()) {
			continue
		}
		if h, mi, s := at.Clock(); time.Duration(h)*time.Hour+time.Duration(mi)*time.Minute+time.Duration(s)*time.Second != clock {
			at = time.Date(y, m, d+i, 0, 0, 0, 0, r.seen.Location()).Add(clock)
		}
		if at.After(r.seen) {
			return at
		}
	}
	return time.Time{}
}

// take takes a message in that arrived, and returns what the rule wants to do.
func (r *run) take(m core.Message, chain []topic.ID, now time.Time) *attempt {
	r.clock.now = now
	if len(m.Payload) == 0 && m.Retain {
		return nil // the topic was cleared
	}
	triggers, other := false, false
	for _, in := range r.ins {
		if in.topic != m.Topic {
			continue
		}
		v, ok := read(in.design, m.Payload)
		if !ok {
			r.misfits++
			r.unfit = core.Say("{topic} said {value}, which does not fit its design, so the rule waits for one that does. It happened {n} times.",
				"topic", in.topic, "value", short(m.Payload), "n", r.misfits)
			continue
		}
		r.unfit = core.Sentence{}
		changed := in.take(v, m.At)
		r.env[in.name] = in.value
		other = other || changed
		if r.triggered(in, changed) {
			in.made, triggers = true, true
		}
	}
	switch {
	case r.paused.Format != "":
	case triggers:
		r.came(m.Topic, now)
		if r.holdAt.IsZero() {
			r.cause, r.chain = m, chain
		}
		if d := r.rule.Debounce; d > 0 {
			r.quietAt = now.Add(d)
			return nil
		}
		return r.event()
	case other && r.rule.For > 0:
		return r.look(false) // it may hold no longer
	}
	return nil
}

func (r *run) triggered(in *input, changed bool) bool {
	if len(r.rule.When) == 0 {
		return changed
	}
	return slices.ContainsFunc(r.rule.When, func(t core.Trigger) bool {
		return t.Input == in.name && (t.Kind == core.OnMessage || t.Kind == core.OnChange && changed)
	})
}

// wake tells the rule that it is now, at or after it was due.
func (r *run) wake(now time.Time) *attempt {
	r.clock.now = now
	if r.paused.Format != "" {
		return nil
	}
	if a := r.try(now); a != nil {
		return a
	}
	event := false
	if !r.quietAt.IsZero() && !now.Before(r.quietAt) {
		r.quietAt = time.Time{}
		return r.event()
	}
	every := 0
	for _, t := range r.rule.When {
		switch t.Kind {
		case core.OnEvery:
			if at := r.everyAt[every]; !now.Before(at) {
				event = true
				r.everyAt[every] = at.Add(now.Sub(at).Truncate(t.Every) + t.Every)
			}
			every++
		case core.OnTime:
			if at := r.next(t); !at.IsZero() && !now.Before(at) && now.Sub(at) < lateBy {
				event = true
			}
		}
	}
	r.seen = now.Round(0)
	if event {
		r.cause, r.chain = core.Message{}, nil
		return r.event()
	}
	if r.missed && !now.Before(r.restAt) {
		r.missed = false
		return r.look(r.steady)
	}
	if !r.tickAt.IsZero() && !now.Before(r.tickAt) || !r.holdAt.IsZero() && !now.Before(r.holdAt) {
		r.tickAt = time.Time{}
		if r.holdAt.IsZero() {
			r.cause, r.chain = core.Message{}, nil
		}
		return r.look(r.steady)
	}
	return nil
}

// event is a look that something made, not only the time that goes by.
func (r *run) event() *attempt {
	r.looks++
	a := r.look(true)
	for _, in := range r.ins {
		in.made = false
	}
	return a
}

// look evaluates the rule. begin says whether a condition that must hold for some
// time may begin to.
func (r *run) look(begin bool) *attempt {
	r.tick()
	if !r.holds() {
		r.answers, r.holdAt, r.held, r.missed = nil, time.Time{}, false, false
		return nil
	}
	if r.rule.For > 0 {
		switch {
		case r.held:
			return nil
		case r.holdAt.IsZero():
			if begin {
				r.holdAt = r.clock.now.Add(r.rule.For)
			}
			return nil
		case r.clock.now.Before(r.holdAt):
			return nil
		}
	}
	if r.clock.now.Before(r.restAt) {
		if r.rule.For > 0 {
			r.holdAt = r.restAt
		} else {
			r.missed = r.steady
		}
		return nil
	}
	if r.rule.For > 0 {
		r.holdAt, r.held = time.Time{}, true
	}
	return r.act()
}

// tick sees to it that what depends on the time is looked at again.
func (r *run) tick() {
	if r.timed && (r.steady || r.rule.For > 0) {
		r.tickAt = r.clock.now.Add(lookEvery)
	}
}

func (r *run) holds() bool {
	if r.cond == nil {
		return true
	}
	v, err := r.eval(r.cond.code)
	if err == nil {
		if yes, ok := v.(bool); ok {
			r.trouble = core.Sentence{}
			return yes
		}
		err = unlike(v)
	}
	r.failed(r.cond.text, err)
	return false
}

// failed keeps why an expression could not be evaluated. As long as an input never
// came that is no trouble.
func (r *run) failed(text string, err error) {
	if slices.ContainsFunc(r.ins, func(in *input) bool { return !in.came }) {
		return
	}
	r.trouble = core.Say("{expression} could not be worked out: {reason}", "expression", short(text), "reason", short(strings.SplitN(err.Error(), "\n", 2)[0]))
}

// act evaluates what is to be published.
func (r *run) act() *attempt {
	a := &attempt{cause: r.cause, chain: r.chain}
	answers := make([]any, len(r.acts))
	for i, act := range r.acts {
		v, err := r.eval(act.value.code)
		if err != nil {
			r.failed(act.value.text, err)
			continue
		}
		answers[i] = v
		if r.answers != nil && !same(r.answers[i], v) {
			r.kept = nil // what is held back is out of date
		}
		if r.steady && r.rule.For == 0 && r.answers != nil && same(r.answers[i], v) {
			continue
		}
		payload, err := write(act.design, v)
		if err != nil {
			if !slices.ContainsFunc(r.ins, func(in *input) bool { return !in.came }) {
				r.trouble = saying(err)
			}
			continue
		}
		if !act.Always && r.has(i, act, payload) {
			continue
		}
		a.sends = append(a.sends, core.Message{Topic: act.target(), Payload: []byte(payload), QoS: act.design.QoS, Retain: act.design.Retain && !act.design.Writable,
			From: r.rule.Account, Client: client(r.rule.ID), At: r.clock.now})
		a.acts = append(a.acts, i)
	}
	r.answers = answers
	if len(a.sends) == 0 {
		return nil
	}
	a.why = r.tell()
	if r.rule.Cooldown > 0 {
		r.restAt = r.clock.now.Add(r.rule.Cooldown)
	}
	return a
}

// has reports whether the topic of an act has that value already, or will have it:
// a kit needs time to obey.
func (r *run) has(i int, act *action, payload string) bool {
	newest := r.sent[i]
	if act.design.Writable && r.clock.now.Sub(newest.At) < obeyWithin && string(newest.Payload) != payload {
		return false // what it says may be from before it was told otherwise
	}
	for _, n := range []topic.Name{act.design.Name, act.target()} {
		if m, ok := r.known(n); ok && m.At.After(newest.At) {
			newest = m
		}
	}
	if newest.At.IsZero() {
		return false
	}
	if v, ok := read(act.design, newest.Payload); ok {
		if w, ok := read(act.design, []byte(payload)); ok {
			return same(v, w)
		}
	}
	return string(newest.Payload) == payload
}

// tell says which inputs decided, with their values.
func (r *run) tell() core.Sentence {
	var uses []use
	for _, f := range r.formulas() {
		if f.sort == truthful {
			u, _ := r.decided(f.why)
			uses = append(uses, u...)
		} else {
			uses = append(uses, f.why.uses...)
		}
	}
	var parts []string
	for i, in := range r.ins {
		if !slices.ContainsFunc(uses, func(u use) bool { return u.input == i }) {
			continue
		}
		text := in.name + " = " + r.says(in)
		if in.came && slices.Contains(uses, use{i, true}) {
			text += " (" + span(in.age().Round(time.Second)) + ")"
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return core.Say("It is {time}.", "time", r.clock.now.Format("15:04:05"))
	}
	return core.Say("{inputs}", "inputs", strings.Join(parts, ", "))
}

// says is the value of an input in the words of its topic.
func (r *run) says(in *input) string {
	if !in.came {
		return "–"
	}
	if b, ok := in.value.(bool); ok {
		return in.design.Word(b)
	}
	text := short(show(in.value))
	if in.design.Unit != "" && in.design.Kind == core.Number {
		text += " " + in.design.Unit
	}
	return text
}

// formulas are the condition and what is published.
func (p *program) formulas() []*formula {
	var fs []*formula
	if p.cond != nil {
		fs = append(fs, p.cond)
	}
	for _, a := range p.acts {
		fs = append(fs, a.value)
	}
	return fs
}

// reads are the topics of the inputs.
func (p *program) reads() []topic.Name {
	names := make([]topic.Name, len(p.inputs))
	for i, in := range p.inputs {
		names[i] = in.topic
	}
	return names
}

// client is the client identifier that the messages of a rule carry.
func client(id topic.ID) string { return clientPrefix + string(id) }

const clientPrefix = "rule:"

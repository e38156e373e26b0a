package why

import (
	"context"
	"slices"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	maxDepth    = 20               // messages before the one that is asked about
	maxEffects  = 24               // of it, of each kind
	reactWithin = 2 * time.Second  // a kit publishes because of what it got
	obeyWithin  = 5 * time.Second  // a kit tells what became of a command
	lateAck     = time.Second      // a kit acknowledges after it reacted
	actWithin   = 10 * time.Second // between a rule's firing and its message, at most
	nearFirings = 8                // that are looked at to find the one of a message
	maxBack     = 64               // messages of a topic that a kit may have got last
	maxInputs   = 12               // values that a decision names
)

// Why returns the chain of the value that n had at a time: from its first cause to
// who got it, and one step of what it led to. The zero time is now. What the asker
// may not read by may is replaced by a sentence that tells nothing; nil may read
// all. It fails with core.ErrNotFound where nothing is known, and core.ErrDenied.
func (s *Service) Why(ctx context.Context, n topic.Name, at time.Time, may func(topic.Name) bool) (core.Chain, error) {
	if may != nil && !may(n) {
		return core.Chain{}, core.Fail(core.ErrDenied, "You may not read {topic}, so why it has its value is not told.", "topic", n)
	}
	if err := s.Flush(ctx); err != nil {
		return core.Chain{}, err
	}
	q := &question{ctx: ctx, s: s, design: s.cfg.Design(), may: may}
	if q.design == nil {
		q.design = &core.Design{}
	}
	c, err := q.chain(n, at)
	if err != nil {
		return core.Chain{}, err
	}
	return c, nil
}

// Changes returns the values that n got from one time to another, both zero for
// all, the newest first: what one can ask Why about. Their payloads are at most 64
// bytes and fit to be shown, and their N is 0. Who asks has to check the permission.
func (s *Service) Changes(ctx context.Context, n topic.Name, from, to time.Time, limit int) ([]core.Message, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	rows, err := s.cfg.Store.WhyMessages(ctx, Query{Topics: formerly(s.cfg.Design(), n), From: from, To: to, Changed: true, Limit: limit})
	ms := make([]core.Message, len(rows))
	for i, r := range rows {
		ms[i] = core.Message{Topic: n, Payload: []byte(r.Value), From: r.Account, Client: r.Client, At: r.At, Will: r.Will}
	}
	return ms, err
}

// question is one chain that is looked for.
type question struct {
	ctx    context.Context
	s      *Service
	design *core.Design
	may    func(topic.Name) bool
}

// step is a core.Step and the topics that one must be allowed to read to see it.
type step struct {
	core.Step
	needs []topic.Name
}

// messages returns what query selects by the names of now, with those.
func (q *question) messages(query Query) ([]Message, error) {
	query.Topics = q.formerly(query.Topics...)
	rows, err := q.s.cfg.Store.WhyMessages(q.ctx, query)
	for i := range rows {
		rows[i].Topic = presently(q.design, rows[i].Topic)
	}
	return rows, err
}

// formerly returns the names and those that they had.
func (q *question) formerly(names ...topic.Name) (all []topic.Name) {
	for _, n := range names {
		all = append(all, formerly(q.design, n)...)
	}
	return all
}

// firings returns what query selects, with the names of now.
func (q *question) firings(query Firings, limit int) ([]Firing, error) {
	rows, err := q.s.cfg.Store.WhyFirings(q.ctx, query, limit)
	for i := range rows {
		for k := range rows[i].Reads {
			rows[i].Reads[k] = presently(q.design, rows[i].Reads[k])
		}
		for k := range rows[i].Sent {
			rows[i].Sent[k].Topic = presently(q.design, rows[i].Sent[k].Topic)
		}
	}
	return rows, err
}

// first returns the first message that query selects, or nil.
func (q *question) first(query Query) (*Message, error) {
	query.Limit = 1
	rows, err := q.messages(query)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

func (q *question) chain(n topic.Name, at time.Time) (core.Chain, error) {
	effect, err := q.first(Query{Topics: []topic.Name{n}, To: at, Changed: true})
	if err == nil && effect == nil { // the change itself is older than what is kept
		effect, err = q.first(Query{Topics: []topic.Name{n}, To: at})
	}
	if err != nil {
		return core.Chain{}, err
	}
	if effect == nil {
		if !q.s.Traces(n) {
			return core.Chain{}, core.Fail(core.ErrNotFound, "{topic} is not in the design, so nobody noted where its values come from. Add it to the design first.", "topic", n)
		}
		return core.Chain{}, core.Fail(core.ErrNotFound, "No value of {topic} was seen in the last 24 hours.", "topic", n)
	}
	steps, err := q.causes(*effect)
	if err != nil {
		return core.Chain{}, err
	}
	after, err := q.effects(*effect)
	if err != nil {
		return core.Chain{}, err
	}
	before := q.shown(steps)
	for i := 1; i < len(before); i++ {
		before[i].After = max(0, before[i].At.Sub(before[i-1].At))
	}
	rest := q.shown(after)
	for i := range rest {
		rest[i].After = max(0, rest[i].At.Sub(effect.At))
	}
	return core.Chain{Topic: n, Steps: append(before, rest...), Effect: len(before) - 1}, nil
}

// shown returns the steps as the asker may see them. Of several in a row that may
// not be seen, one is left.
func (q *question) shown(steps []step) []core.Step {
	var all []core.Step
	hidden := false
	for _, s := range steps {
		if q.may == nil || !slices.ContainsFunc(s.needs, func(n topic.Name) bool { return !q.may(n) }) {
			all = append(all, s.Step)
			hidden = false
			continue
		}
		if !hidden {
			all = append(all, core.Step{At: s.At, Kind: s.Kind, Likely: s.Likely, Say: core.Say("something that you may not read")})
		}
		hidden = true
	}
	return all
}

// causes returns the steps that led to m, and m as the last.
func (q *question) causes(m Message) ([]step, error) {
	var back []step // the last comes first
	for range maxDepth {
		l, err := q.cause(m)
		if err != nil {
			return nil, err
		}
		back = append(back, q.told(m, l))
		back = append(back, l.between...)
		if l.cause == nil {
			break
		}
		m = *l.cause
	}
	slices.Reverse(back)
	return back, nil
}

// link is what led to a message.
type link struct {
	cause   *Message // nil where it is the first, or the time made a rule act
	between []step   // from the message to its cause, the last first
	likely  bool
	obeys   bool    // the cause is a command
	rule    *Firing // that sent it
	inputs  string  // what the kit had when it decided, as far as it may be read
}

// cause finds what led to m. A cause is always a message that came before it.
func (q *question) cause(m Message) (link, error) {
	if rule, ok := strings.CutPrefix(m.Client, "rule:"); ok {
		return q.firedBy(m, topic.ID(rule))
	}
	p := q.kit(m.Account, m.Client, m.Topic)
	if l, err := q.obeyed(m, p); err != nil || l.cause != nil {
		return l, err
	}
	if p == nil || sensed(q.design, p, m.Topic) || m.Will {
		return link{}, nil
	}
	return q.decided(m, p)
}

// firedBy finds the firing of a rule that sent m.
func (q *question) firedBy(m Message, rule topic.ID) (link, error) {
	near, err := q.firings(Firings{Rule: rule, Near: m.ID}, nearFirings)
	if err != nil {
		return link{}, err
	}
	if r := q.design.Rule(rule); r != nil && r.Account != m.Account {
		return link{}, nil // somebody who calls itself so
	}
	for i := range near {
		f := &near[i]
		if !f.sent(m) || f.Cause >= m.ID || apart(m.At, f.At) > actWithin {
			continue
		}
		at := f.At
		if at.After(m.At) { // it noted that it acted when it had
			at = m.At
		}
		l := link{rule: f, between: []step{q.ruleStep(f, at)}}
		if f.Cause > 0 {
			l.cause, err = q.first(Query{ID: f.Cause})
		}
		return l, err
	}
	return link{}, nil
}

// sent reports whether m is something that f sent.
func (f *Firing) sent(m Message) bool {
	return slices.ContainsFunc(f.Sent, func(s Sent) bool {
		if s.ID != 0 {
			return s.ID == m.ID
		}
		return s.Digest == m.Digest && (s.Topic == m.Topic || s.Topic+"/set" == m.Topic)
	})
}

// obeyed finds the command that m tells the end of.
func (q *question) obeyed(m Message, p *core.Place) (link, error) {
	set := m.Topic + "/set"
	c, err := q.first(Query{Topics: []topic.Name{set}, Before: m.ID})
	if err != nil || c == nil || apart(c.At, m.At) > obeyWithin {
		return link{}, err
	}
	all, err := q.got([]Message{*c}, m)
	if err != nil {
		return link{}, err
	}
	got, seen := all[c.ID]
	owns := p != nil && slices.Contains(reads(q.design, p), set)
	same := sameValue(c.Value, m.Value)
	if !seen && !(owns && same) {
		return link{}, nil
	}
	l := link{cause: c, likely: !same || !seen, obeys: true}
	if seen {
		l.between = []step{q.delivered(*c, got, m.At)}
	}
	return l, nil
}

// decided finds the input that made the kit p publish m: of what it got shortly
// before, a change, and the newest.
func (q *question) decided(m Message, p *core.Place) (link, error) {
	var cause *Message
	var by Delivery
	var inputs []string
	var titles []topic.Name
	for _, n := range reads(q.design, p) {
		if n == m.Topic {
			continue
		}
		rows, err := q.messages(Query{Topics: []topic.Name{n}, Before: m.ID, Limit: maxBack})
		if err != nil {
			return link{}, err
		}
		if len(rows) > 0 && len(inputs) < maxInputs && (q.may == nil || q.may(n)) {
			inputs = append(inputs, q.title(n)+" "+q.value(n, rows[0].Value))
			titles = append(titles, n)
		}
		got, err := q.got(rows, m)
		if err != nil {
			return link{}, err
		}
		for i := range rows {
			r := &rows[i]
			d, ok := got[r.ID]
			if !ok {
				continue
			}
			if cause == nil || r.Changed && !cause.Changed || r.Changed == cause.Changed && r.ID > cause.ID {
				cause, by = r, d
			}
			if r.Changed {
				break
			}
		}
	}
	if cause == nil {
		return link{}, nil
	}
	l := link{cause: cause, likely: true, inputs: strings.Join(inputs, ", ")}
	for _, r := range q.design.Rules {
		if r.Kit == p.Name && slices.ContainsFunc(r.Then, func(a core.Act) bool { return a.Topic == m.Topic || a.Topic+"/set" == m.Topic }) {
			l.between = append(l.between, step{core.Step{At: m.At, Kind: core.StepRule, Who: r.Title(), Rule: r.ID, Likely: true,
				Say: core.Say("{kit} decided by this rule; it had {inputs}", "kit", p.Title(), "inputs", l.inputs)}, titles})
			l.inputs = ""
			break
		}
	}
	l.between = append(l.between, q.delivered(*cause, by, m.At))
	return l, nil
}

// got returns how the publisher of m got rows shortly before it published m, as
// far as it did, by their IDs.
func (q *question) got(rows []Message, m Message) (map[int64]Delivery, error) {
	ids := make([]int64, len(rows))
	within := map[int64]time.Duration{}
	for i, r := range rows {
		ids[i], within[r.ID] = r.ID, reactWithin
		if of, ok := commandOf(r.Topic); ok && of == m.Topic {
			within[r.ID] = obeyWithin
		}
	}
	all, err := q.s.cfg.Store.WhyDeliveries(q.ctx, ids, m.Client, 2*maxFanout)
	got := map[int64]Delivery{}
	for _, d := range all { // the newest of each
		if passed := m.At.Sub(d.At); passed >= -lateAck && passed <= within[d.Message] && d.Message < m.ID {
			got[d.Message] = d
		}
	}
	return got, err
}

// effects returns who got m, what it made rules and kits do, and who was refused
// while it was the value.
func (q *question) effects(m Message) ([]step, error) {
	got, err := q.s.cfg.Store.WhyDeliveries(q.ctx, []int64{m.ID}, "", 2*maxFanout)
	if err != nil {
		return nil, err
	}
	all := q.deliveries(m, got)
	firings, err := q.firings(Firings{Cause: m.ID}, maxEffects)
	if err != nil {
		return nil, err
	}
	for i := range firings {
		acts, err := q.acted(m, &firings[i])
		if err != nil {
			return nil, err
		}
		all = append(all, acts...)
	}
	reacted, err := q.reactions(m, got)
	if err != nil {
		return nil, err
	}
	refused, err := q.refused(m)
	return append(append(all, reacted...), refused...), err
}

// deliveries returns a step for each client that got m.
func (q *question) deliveries(m Message, got []Delivery) (all []step) {
	told := map[string]bool{}
	more := 0
	for _, d := range got {
		switch {
		case told[d.Client]:
		case len(all) == maxEffects:
			more++
		default:
			all = append(all, q.delivered(m, d, d.At))
		}
		told[d.Client] = true
	}
	if more > 0 {
		last := all[len(all)-1]
		last.Who, last.Say = "", core.Say("delivered to {n} more", "n", more)
		all = append(all, last)
	}
	return all
}

// acted returns the steps of a firing whose cause is m.
func (q *question) acted(m Message, f *Firing) ([]step, error) {
	all := []step{q.ruleStep(f, f.At)}
	for _, sent := range f.Sent[:min(len(f.Sent), maxEffects)] {
		row, err := q.sentBy(m, f, sent)
		if err != nil {
			return nil, err
		}
		all = append(all, q.told(row, link{rule: f}))
	}
	return all, nil
}

// sentBy returns the message that f sent, as it was seen; or as the rule told it.
func (q *question) sentBy(m Message, f *Firing, sent Sent) (Message, error) {
	if sent.ID != 0 {
		row, err := q.first(Query{ID: sent.ID})
		if err != nil {
			return Message{}, err
		}
		if row != nil {
			return *row, nil
		}
	}
	rows, err := q.messages(Query{Topics: []topic.Name{sent.Topic, sent.Topic + "/set"}, After: m.ID, Oldest: true, Limit: nearFirings})
	if err != nil {
		return Message{}, err
	}
	for _, r := range rows {
		if r.Digest == sent.Digest && r.Client == "rule:"+string(f.Rule) && apart(r.At, f.At) <= actWithin {
			return r, nil
		}
	}
	return Message{Topic: sent.Topic, At: f.At, Value: sent.Value, Client: "rule:" + string(f.Rule)}, nil
}

// reactions returns what kits published because they got m.
func (q *question) reactions(m Message, got []Delivery) (all []step, err error) {
	var names []topic.Name
	if of, ok := commandOf(m.Topic); ok {
		names = append(names, of)
	}
	for _, p := range q.design.Places {
		if p.Kind != core.KitPlace || !slices.Contains(reads(q.design, p), m.Topic) {
			continue
		}
		for _, port := range p.Ports {
			if out, _ := namesOf(q.design, p, port); out != "" && out != m.Topic && !slices.Contains(names, out) && len(names) < maxEffects {
				names = append(names, out)
			}
		}
	}
	if len(got) == 0 {
		return nil, nil
	}
	for _, n := range names {
		rows, err := q.messages(Query{Topics: []topic.Name{n}, After: m.ID, To: got[len(got)-1].At.Add(obeyWithin), Oldest: true, Limit: nearFirings})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			l, err := q.cause(r)
			if err != nil {
				return nil, err
			}
			if l.rule == nil && l.cause != nil && l.cause.ID == m.ID {
				all = append(all, q.told(r, l))
				break
			}
		}
	}
	return all, nil
}

// refused returns who was refused to publish there while m was the value.
func (q *question) refused(m Message) (all []step, err error) {
	names := q.formerly(m.Topic, m.Topic+"/set")
	to := time.Time{}
	next, err := q.first(Query{Topics: []topic.Name{m.Topic}, After: m.ID, Changed: true, Oldest: true})
	if err != nil {
		return nil, err
	}
	if next != nil {
		to = next.At
	}
	rows, err := q.s.cfg.Store.WhyRefusals(q.ctx, names, m.At, to, 3)
	for _, r := range rows {
		r.Topic = presently(q.design, r.Topic)
		all = append(all, step{core.Step{At: r.At, Kind: core.StepRefused, Topic: r.Topic, Who: q.who(r.Account, r.Client, r.Topic), Say: r.Say}, []topic.Name{r.Topic}})
	}
	return all, err
}

// apart is how far two times are apart, whichever comes first: a clock may have
// been set back between them.
func apart(a, b time.Time) time.Duration {
	d := a.Sub(b)
	return max(d, -d)
}

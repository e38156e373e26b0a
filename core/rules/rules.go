// Package rules runs the rules of the design: when something happened and
// something holds, they publish. A rule is told what is published by Observe, on
// the publisher's goroutine, which only puts it into a queue; Run looks and acts.
//
// run.go is one rule at work, expr.go its expressions, value.go what payloads say,
// check.go what a rule may be, guard.go what stops one that goes round in circles,
// text.go its text, say.go its sentences.
package rules

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	maxQueue   = 2048 // messages that wait to be looked at
	maxFirings = 1000 // that a dry run tells
	maxPast    = 24 * time.Hour
	dryWithin  = 10 * time.Second // that a dry run may take
	tellLost   = 10 * time.Minute // that messages were left out
	lookAgain  = 30 * time.Second // at the latest: the clock of the PC may be set
)

// Config is everything a Service needs.
type Config struct {
	// Publish publishes m as m.From. The broker checks what that account may do.
	Publish func(ctx context.Context, m core.Message) error
	// MayRead reports whether an account may read a topic now; nil is always.
	MayRead func(core.AccountID, topic.Name) bool
	// Topic returns what was designed about a topic.
	Topic func(topic.Name) (core.Topic, bool)
	// Value returns the newest that is known of a topic.
	Value func(topic.Name) (core.Message, bool)
	// Changed returns the latest message by which the value of a topic became
	// another, also from before the program started; nil knows none.
	Changed func(topic.Name) (core.Message, bool)
	// Past returns what was published to some topics, oldest first.
	Past func(ctx context.Context, topics []topic.Name, from, to time.Time) ([]core.Message, error)
	// Title names an account for a person.
	Title func(core.AccountID) string
	// Fired is told of each time that a rule acted. It must not wait.
	Fired func(core.Firing)
	Feed  *core.Feed
	Log   *slog.Logger
	Now   func() time.Time // time.Now where it is nil
}

// Service runs the rules. Its methods may be called from any goroutine.
type Service struct {
	cfg   Config
	wake  chan struct{} // holds at most one token
	index atomic.Pointer[map[topic.Name]*watched]

	// mu comes before queueing. What is called in Config except Publish, MayRead,
	// Past and Fired is called with it held.
	mu    sync.Mutex
	rules []*entry  // guarded by mu, in order of ID
	next  time.Time // guarded by mu; when some rule is due, or before; zero is never
	last  time.Time // guarded by mu; when the rules were told the time

	queueing sync.Mutex
	queue    []arrival            // guarded by queueing; a ring of maxQueue
	first, n int                  // guarded by queueing; what is in the ring
	carried  map[topic.ID]carried // guarded by queueing
}

// watched is a topic that rules read.
type watched struct {
	runs    []*run
	dropped atomic.Uint64 // messages that the queue had no room for
	lost    atomic.Int64  // when the latest was, in seconds since 1970
}

// arrival is a message that waits.
type arrival struct {
	m     core.Message
	chain []topic.ID
}

// carried is what the messages that a rule publishes now carry.
type carried struct {
	from  core.AccountID
	chain []topic.ID
}

// entry is a rule and what became of it.
type entry struct {
	rule    *core.Rule
	run     *run // nil where the program does not run it
	acts    uint64
	last    core.Firing
	problem core.Sentence // why it is not run, or could not publish
}

// Open returns a Service that has no rules yet.
func Open(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{cfg: cfg, wake: make(chan struct{}, 1), queue: make([]arrival, maxQueue), carried: map[topic.ID]carried{}}
	s.index.Store(&map[topic.Name]*watched{})
	return s
}

// Set makes rules, in order of ID, the rules that are run. Those that are as they
// were, with the topics that they use, go on as if nothing had happened; the others
// begin anew, but keep what they know of their topics.
func (s *Service) Set(rules []*core.Rule) {
	s.mu.Lock()
	now := s.cfg.Now()
	old := make(map[topic.ID]*entry, len(s.rules))
	for _, e := range s.rules {
		old[e.rule.ID] = e
	}
	next := make([]*entry, 0, len(rules))
	for _, r := range rules {
		e := old[r.ID]
		if e == nil || !s.unchanged(e, r) {
			e = s.begin(r, e, now)
		}
		next = append(next, e)
	}
	s.rules = next
	reads := map[topic.Name]*watched{}
	before := *s.index.Load()
	s.next = time.Time{}
	for _, e := range next {
		if e.run == nil {
			continue
		}
		for _, in := range e.run.ins {
			w := reads[in.topic]
			if w == nil {
				w = &watched{}
				if b := before[in.topic]; b != nil {
					w.dropped.Store(b.dropped.Load())
					w.lost.Store(b.lost.Load())
				}
				reads[in.topic] = w
			}
			if !slices.Contains(w.runs, e.run) {
				w.runs = append(w.runs, e.run)
			}
		}
		s.next = earlier(s.next, e.run.due())
	}
	s.index.Store(&reads)
	s.mu.Unlock()
	s.awake()
	s.cfg.Feed.Tell(core.RulesChanged)
}

// unchanged reports whether e is r already, and would be made the same again.
func (s *Service) unchanged(e *entry, r *core.Rule) bool {
	if e.rule != r && !reflect.DeepEqual(*e.rule, *r) {
		return false
	}
	if e.run == nil {
		return r.Disabled || r.Kit != "" // else perhaps it can be run now
	}
	for _, in := range e.run.inputs {
		n := in.topic
		if in.design.Name != n {
			n = in.design.Name
		}
		if t, ok := s.cfg.Topic(n); !ok || !alike(t, in.design) {
			return false
		}
	}
	for _, a := range e.run.program.acts {
		if t, ok := s.cfg.Topic(a.design.Name); !ok || !alike(t, a.design) {
			return false
		}
	}
	return true
}

// alike reports whether a and b are the same to a rule.
func alike(a, b core.Topic) bool {
	return a.Kind == b.Kind && a.Min == b.Min && a.Max == b.Max && a.Unit == b.Unit && a.Writable == b.Writable &&
		a.QoS == b.QoS && a.Retain == b.Retain && slices.Equal(a.Options, b.Options)
}

// begin makes what runs r; old is what ran it before, or nil. The caller holds mu.
func (s *Service) begin(r *core.Rule, old *entry, now time.Time) *entry {
	e := &entry{rule: r}
	if old != nil {
		e.acts, e.last = old.acts, old.last
	}
	if r.Disabled || r.Kit != "" {
		return e
	}
	p, bad := compile(*r, s.cfg.Topic)
	if bad != nil {
		e.problem = saying(bad.error)
		return e
	}
	e.run = newRun(p, s.cfg.Value)
	if old != nil && old.run != nil {
		e.run.looks = old.run.looks
	}
	for _, in := range e.run.ins {
		if old != nil && old.run != nil && in.keep(old.run) {
			e.run.env[in.name] = in.value
			continue
		}
		m, ok := s.cfg.Value(in.topic)
		if s.cfg.Changed != nil { // how old the value is
			if c, was := s.cfg.Changed(in.topic); was && (!ok || !c.At.After(m.At)) {
				e.run.seed(in, c)
			}
		}
		if ok {
			e.run.seed(in, m)
		}
	}
	e.run.start(now)
	return e
}

// keep takes over what another run knew of the same topic.
func (in *input) keep(from *run) bool {
	for _, old := range from.ins {
		if old.topic == in.topic && alike(old.design, in.design) {
			in.value, in.before, in.came, in.changed, in.at = old.value, old.before, old.came, old.changed, old.at
			if in.window <= old.window {
				in.past = old.past
			}
			return true
		}
	}
	return false
}

// saying is err as a sentence.
func saying(err error) core.Sentence {
	var p *core.Problem
	if errors.As(err, &p) {
		return p.Sentence
	}
	return core.Say("{reason}", "reason", err.Error())
}

func (s *Service) awake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Observe takes in a message that was published. It does not wait, and a topic that
// no rule reads costs a look into a map.
func (s *Service) Observe(m core.Message) {
	w := (*s.index.Load())[m.Topic]
	if w == nil {
		return
	}
	if len(m.Payload) > maxPayload {
		m.Payload = m.Payload[: maxPayload+1 : maxPayload+1] // does not fit; nobody needs the rest
	}
	s.queueing.Lock()
	a := arrival{m: m}
	if id, ok := strings.CutPrefix(m.Client, clientPrefix); ok {
		if c, ok := s.carried[topic.ID(id)]; ok && c.from == m.From {
			a.chain = c.chain
		}
	}
	if s.n == maxQueue { // the newest values are worth more than the oldest
		if w := (*s.index.Load())[s.queue[s.first].m.Topic]; w != nil {
			w.dropped.Add(1)
			w.lost.Store(s.cfg.Now().Unix())
		}
		s.first, s.n = (s.first+1)%maxQueue, s.n-1
	}
	s.queue[(s.first+s.n)%maxQueue] = a
	s.n++
	s.queueing.Unlock()
	s.awake()
}

// Run looks and acts until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-timer.C:
		}
		for ctx.Err() == nil {
			a, ok := s.pop()
			if !ok {
				break
			}
			s.arrived(ctx, a)
			s.tell(ctx)
		}
		timer.Reset(s.tell(ctx))
	}
}

func (s *Service) pop() (arrival, bool) {
	s.queueing.Lock()
	defer s.queueing.Unlock()
	if s.n == 0 {
		return arrival{}, false
	}
	a := s.queue[s.first]
	s.queue[s.first] = arrival{}
	s.first, s.n = (s.first+1)%maxQueue, s.n-1
	return a, true
}

// job is what a run wants to do.
type job struct {
	run *run
	*attempt
}

// arrived lets every rule that reads its topic look at a message.
func (s *Service) arrived(ctx context.Context, a arrival) {
	s.mu.Lock()
	now := s.cfg.Now()
	if a.m.At.IsZero() {
		a.m.At = now
	}
	var jobs []job
	if w := (*s.index.Load())[a.m.Topic]; w != nil {
		for _, r := range w.runs {
			unfit, paused, began := r.unfit.Format, r.paused.Format, time.Now()
			if t := r.take(a.m, a.chain, now); t != nil {
				jobs = append(jobs, job{r, t})
			}
			r.work(time.Since(began))
			if r.unfit.Format != unfit || r.paused.Format != paused {
				s.cfg.Feed.Tell(core.RulesChanged)
			}
			s.next = earlier(s.next, r.due())
		}
	}
	s.mu.Unlock()
	s.do(ctx, jobs)
}

// tell tells the rules that are due the time, and returns when some will be.
func (s *Service) tell(ctx context.Context) time.Duration {
	for ctx.Err() == nil {
		s.mu.Lock()
		now := s.cfg.Now()
		back := now.Round(0).Before(s.last) // somebody set the clock
		s.last = now.Round(0)
		wait := lookAgain
		if !s.next.IsZero() {
			wait = min(wait, s.next.Sub(now))
		}
		if !back && wait > 0 {
			s.mu.Unlock()
			return wait
		}
		var jobs []job
		s.next = time.Time{}
		for _, e := range s.rules {
			if e.run == nil {
				continue
			}
			if back {
				e.run.setBack(now)
			}
			if due := e.run.due(); !due.IsZero() && !now.Before(due) {
				began := time.Now()
				if t := e.run.wake(now); t != nil {
					jobs = append(jobs, job{e.run, t})
				}
				e.run.work(time.Since(began))
			}
			s.next = earlier(s.next, e.run.due())
		}
		s.mu.Unlock()
		s.do(ctx, jobs)
	}
	return lookAgain
}

// do publishes what rules want to, unless a guard stops them.
func (s *Service) do(ctx context.Context, jobs []job) {
	for _, j := range jobs {
		s.mu.Lock()
		e := s.entry(j.run.rule.ID)
		if e == nil || e.run != j.run || j.run.stop(j.attempt, s.title) {
			s.next = earlier(s.next, j.run.due())
			s.mu.Unlock()
			continue
		}
		s.mu.Unlock()
		s.publish(ctx, e, j)
	}
	if len(jobs) > 0 {
		s.cfg.Feed.Tell(core.RulesChanged)
	}
}

// publish does what a rule wants to, in order, until something is refused.
func (s *Service) publish(ctx context.Context, e *entry, j job) {
	rule := j.run.rule
	chain := append(slices.Clip(j.chain), rule.ID)
	chain = chain[max(0, len(chain)-maxChain):]
	s.queueing.Lock()
	s.carried[rule.ID] = carried{rule.Account, chain}
	s.queueing.Unlock()
	problem := s.unreadable(j.run)
	done := 0
	for ; problem.Format == "" && done < len(j.sends); done++ {
		if err := s.cfg.Publish(ctx, j.sends[done]); err != nil {
			problem = s.refused(rule, j.sends[done].Topic, err)
			break
		}
	}
	f := core.Firing{At: j.sends[0].At, Rule: rule.ID, Cause: j.cause, Chain: j.chain, Why: j.why, Reads: j.run.reads(), Sent: j.sends[:done]}
	s.mu.Lock()
	e.problem = problem
	for i, m := range f.Sent {
		j.run.sent[j.acts[i]] = m
	}
	if done > 0 {
		e.acts++
		e.last = f
	}
	s.mu.Unlock()
	if done > 0 {
		s.cfg.Fired(f)
	}
}

// unreadable tells that somebody may not read any more what their rule reads: what
// it publishes would tell.
func (s *Service) unreadable(r *run) core.Sentence {
	for _, n := range r.reads() {
		if s.cfg.MayRead != nil && !s.cfg.MayRead(r.rule.Account, n) {
			return core.Say("{rule} reads as {who}, who may not read {topic}. Give {who} a grant, or let somebody save the rule who may.",
				"rule", r.rule.Title(), "who", s.cfg.Title(r.rule.Account), "topic", n)
		}
	}
	return core.Sentence{}
}

// refused tells that a rule could not publish.
func (s *Service) refused(r core.Rule, n topic.Name, err error) core.Sentence {
	if errors.Is(err, core.ErrDenied) {
		return core.Say("{rule} publishes as {who}, who may not publish to {topic}. Give {who} a grant, or let somebody save the rule who may.",
			"rule", r.Title(), "who", s.cfg.Title(r.Account), "topic", n)
	}
	s.cfg.Log.Warn("rules: publish", "rule", r.ID, "topic", n, "err", err)
	return saying(err)
}

// entry returns the rule, or nil. The caller holds mu.
func (s *Service) entry(id topic.ID) *entry {
	i, ok := slices.BinarySearchFunc(s.rules, id, func(e *entry, id topic.ID) int { return strings.Compare(string(e.rule.ID), string(id)) })
	if !ok {
		return nil
	}
	return s.rules[i]
}

// title names a rule. The caller holds mu.
func (s *Service) title(id topic.ID) string {
	if e := s.entry(id); e != nil {
		return e.rule.Title()
	}
	return string(id)
}

// States returns what became of each rule, in order of ID.
func (s *Service) States() []core.RuleState {
	s.mu.Lock()
	defer s.mu.Unlock()
	reads, now := *s.index.Load(), s.cfg.Now()
	states := make([]core.RuleState, len(s.rules))
	for i, e := range s.rules {
		st := core.RuleState{ID: e.rule.ID, Acts: e.acts, Last: e.last, Problem: e.problem}
		if r := e.run; r != nil {
			st.Looks, st.Paused = r.looks, r.paused
			if st.Problem.Format == "" {
				st.Problem = r.trouble
			}
			if st.Problem.Format == "" {
				st.Problem = r.unfit
			}
			for _, in := range r.ins {
				w := reads[in.topic]
				if n := w.dropped.Load(); n > 0 && now.Unix()-w.lost.Load() < int64(tellLost/time.Second) && st.Problem.Format == "" {
					st.Problem = core.Say("{topic} is published to faster than rules can look; {n} messages were left out. Publish it only when it changes.", "topic", in.topic, "n", n)
				}
			}
		}
		states[i] = st
	}
	return states
}

// Resume lets a rule go on that was paused. It fails with core.ErrNotFound where
// there is none of that ID.
func (s *Service) Resume(id topic.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(id)
	if e == nil {
		return core.Fail(core.ErrNotFound, "There is no rule {name}.", "name", id)
	}
	if e.run != nil && e.run.paused.Format != "" {
		e.run.guard = guard{}
		s.next = earlier(s.next, e.run.due())
		s.awake()
		s.cfg.Feed.Tell(core.RulesChanged)
	}
	return nil
}

// DryRun returns what r would have done between from and to, with what was
// published then. It publishes nothing. At most the first 1,000 firings are told.
func (s *Service) DryRun(ctx context.Context, r core.Rule, from, to time.Time) ([]core.Firing, error) {
	p, bad := compile(r, s.cfg.Topic)
	if bad != nil {
		return nil, bad.error
	}
	if to.Before(from) || to.Sub(from) > maxPast {
		return nil, core.Fail(core.ErrInvalid, "A dry run is over at most {max}, from the past to the present.", "max", span(maxPast))
	}
	topics := p.reads()
	for _, a := range p.acts {
		topics = append(topics, a.design.Name, a.target())
	}
	slices.Sort(topics)
	topics = slices.Compact(topics)
	within, cancel := context.WithTimeout(ctx, dryWithin)
	defer cancel()
	past, err := s.cfg.Past(within, topics, from.Add(-maxPast), to) // what came before is what it knew
	var firings []core.Firing
	if err == nil {
		firings, err = p.rehearse(within, past, from, to)
	}
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return nil, core.Fail(core.ErrInvalid, "A dry run of {rule} takes too long. Choose a shorter time, or make its expressions shorter.", "rule", r.Title())
	}
	return firings, err
}

// rehearse runs p over messages of the past.
func (p *program) rehearse(ctx context.Context, past []core.Message, from, to time.Time) ([]core.Firing, error) {
	newest := map[topic.Name]core.Message{}
	r := newRun(p, func(n topic.Name) (core.Message, bool) {
		m, ok := newest[n]
		return m, ok
	})
	var firings []core.Firing
	acted := func(a *attempt) {
		if a == nil {
			return
		}
		for i, m := range a.sends {
			r.sent[a.acts[i]], newest[m.Topic] = m, m
		}
		firings = append(firings, core.Firing{At: r.clock.now, Rule: p.rule.ID, Cause: a.cause, Chain: a.chain, Why: a.why, Reads: p.reads(), Sent: a.sends})
	}
	until := func(t time.Time) error {
		for len(firings) < maxFirings {
			due := r.due()
			if due.IsZero() || due.After(t) {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			acted(r.wake(due))
		}
		return nil
	}
	known := 0
	for ; known < len(past) && past[known].At.Before(from); known++ {
		m := past[known]
		newest[m.Topic] = m
		for _, in := range r.ins {
			if in.topic == m.Topic {
				r.seed(in, m)
			}
		}
	}
	r.start(from)
	for _, m := range past[known:] {
		if m.Client == client(p.rule.ID) || m.At.After(to) {
			continue // what it did itself it does anew
		}
		if err := cmp.Or(ctx.Err(), until(m.At)); err != nil {
			return nil, err
		}
		if len(firings) >= maxFirings {
			break
		}
		newest[m.Topic] = m
		acted(r.take(m, nil, m.At))
	}
	return firings, until(to)
}

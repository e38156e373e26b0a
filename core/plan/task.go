package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// UndoWithin is how long a removal can be undone.
const UndoWithin = 10 * time.Minute

// atOnce is how many retained messages are published at a time.
const atOnce = 64

// Client is the MQTT Client Identifier of what moves and removals publish.
const Client = "plan"

// Kind is what a Task does.
type Kind string

// The kinds of task.
const (
	Move   Kind = "move"   // From becomes To
	Remove Kind = "remove" // From goes
	Undo   Kind = "undo"   // From, which went, comes back
)

// Task is what a move or a removal still has to do. Readings and retained
// messages are not in the transaction that changes the registry, so the task is:
// whatever stops the program, it is worked on until it is over. Each of its steps
// may be repeated.
//
// First it hides what hangs on the topics, and is Done. A move then shows it at
// the new name. A removal waits until it is undone, which shows it at the old
// name, or until the readings are forgotten.
type Task struct {
	ID       int64
	Kind     Kind
	From, To topic.Name // each with all topics below it; To only of a Move
	Account  core.AccountID
	At       time.Time
	Done     bool // everything is hidden
	// What a Remove removed: below From, and the rules and alarms that use it.
	Topics   []core.Topic
	Places   []core.Place
	Rules    []core.Rule
	Alarms   []core.Alarm
	Retained []core.Message // that were hidden; Store.ReadRetained has them
}

// hidden is where the readings are meanwhile.
func (t Task) hidden() topic.Name { return topic.Name(fmt.Sprintf("$plan/%d", t.ID)) }

func (t Task) removal() core.Removal {
	return core.Removal{ID: t.ID, Under: t.From, Topics: len(t.Topics), Account: t.Account, At: t.At, Until: t.At.Add(UndoWithin)}
}

func (t Task) undoable() bool { return t.Kind == Remove && time.Now().Before(t.removal().Until) }

// MoveTopics gives every topic, branch, room and kit at or under from the name
// that it has at to. Ports, rules and alarms that use them follow; readings, what
// was said about them, and retained messages come along; and the old name answers
// for AnswerFor. Unless apply, it changes nothing and tells what it would do. A
// name that is designed already is core.ErrConflict, nothing designed at or under
// from core.ErrNotFound.
//
// A name that only arrives, and is a slip of a designed topic's, has nothing to
// move: from then on it answers for that one, which is no edit.
//
// Where something was recorded at a new name, both become one. Of two retained
// messages the newer stays. Should the disk or the broker fail once the plan
// is changed, the move is finished as soon as they work again.
func (s *Service) MoveTopics(ctx context.Context, from, to topic.Name, apply bool) (core.Effect, error) {
	if err := checkName(to); err != nil {
		return core.Effect{}, err
	}
	if core.Within(to, from) {
		return core.Effect{}, core.Fail(core.ErrInvalid, "{from} cannot be moved to {to}, which is a part of it. Choose another place.", "from", from, "to", to)
	}
	if v := s.view.Load(); v.slip(from, to) && s.Known(from) {
		return core.Effect{}, s.accept(ctx, from, to, apply)
	}
	change := func(v *view) (Change, error) {
		d := s.draft(ctx, v)
		d.c.Task = s.begin(ctx, Move, from)
		d.c.Task.To = to
		if err := d.move(from, to); err != nil {
			return Change{}, err
		}
		if err := retainable(d.c.Task); err != nil {
			return Change{}, err
		}
		return d.done(ctx, Move, core.Say("{from} was moved to {to}", "from", from, "to", to))
	}
	return s.do(ctx, from, to, apply, change)
}

// retainable returns nil if what is retained, designed or not, can have the names
// that t gives it.
func retainable(t *Task) error {
	for _, m := range t.Retained {
		if n := t.To + m.Topic[len(t.From):]; checkName(n) != nil {
			return tooLong(n)
		}
	}
	return nil
}

// move puts into d what a move from from to to changes in the design.
func (d *draft) move(from, to topic.Name) error {
	topics, places := under(d.v.Topics, from, topicKey), under(d.v.Places, from, placeKey)
	if len(topics)+len(places) == 0 {
		return nothing(from)
	}
	renamed := func(n topic.Name) topic.Name {
		if core.Within(n, from) {
			return to + n[len(from):]
		}
		return n
	}
	for _, t := range topics {
		d.gone[t.Name] = true
		d.c.Topics.Remove = append(d.c.Topics.Remove, t.Name)
	}
	for _, p := range places {
		d.gone[p.Name] = true
		d.c.Places.Remove = append(d.c.Places.Remove, p.Name)
	}
	unused := func(n topic.Name) error {
		if !d.gone[n] && (d.v.Topic(n) != nil || d.v.Place(n) != nil) {
			return designedAlready(n)
		}
		return nil
	}
	for _, t := range topics {
		t.Name, t.Changed = renamed(t.Name), time.Time{}
		if err := cmp.Or(check(t), unused(t.Name)); err != nil {
			return err
		}
		if err := d.topic(t); err != nil {
			return err
		}
	}
	for _, p := range d.v.Places {
		next := *p
		next.Name, next.Ports, next.Changed = renamed(p.Name), slices.Clone(p.Ports), time.Time{}
		for i := range next.Ports {
			next.Ports[i].Topic = renamed(next.Ports[i].Topic)
		}
		if !uses(*p, from) && next.Name == p.Name {
			continue
		}
		if next.Name != p.Name { // a branch is a first level
			switch deep := strings.Contains(string(next.Name), "/"); {
			case deep && next.Kind == core.BranchPlace:
				next.Kind = core.RoomPlace
			case !deep && next.Kind == core.RoomPlace:
				next.Kind = core.BranchPlace
			}
			if err := unused(next.Name); err != nil {
				return err
			}
		}
		if err := checkPlace(next); err != nil {
			return err
		}
		if err := d.place(next); err != nil {
			return err
		}
	}
	for _, r := range d.v.Rules {
		if !reads(*r, from) {
			continue
		}
		next := ownRule(*r) // it stays whose it is
		next.Kit, next.Changed = renamed(r.Kit), d.next(r.Changed)
		for i := range next.Inputs {
			next.Inputs[i].Topic = renamed(next.Inputs[i].Topic)
		}
		for i := range next.Then {
			next.Then[i].Topic = renamed(next.Then[i].Topic)
		}
		if err := checkRule(next); err != nil {
			return err
		}
		d.c.Rules.Put = append(d.c.Rules.Put, next)
	}
	for _, a := range d.v.Alarms {
		if !core.Within(a.Topic, from) {
			continue
		}
		next := *a
		next.Topic, next.Changed = renamed(a.Topic), d.next(a.Changed)
		if err := checkAlarm(next); err != nil {
			return err
		}
		d.c.Alarms.Put = append(d.c.Alarms.Put, next)
	}
	return nil
}

// uses reports whether a port of p is joined to something at or under n.
func uses(p core.Place, n topic.Name) bool {
	return slices.ContainsFunc(p.Ports, func(port core.Port) bool { return core.Within(port.Topic, n) })
}

// reads reports whether r needs something at or under n.
func reads(r core.Rule, n topic.Name) bool {
	return core.Within(r.Kit, n) || slices.ContainsFunc(r.Inputs, func(i core.Input) bool { return core.Within(i.Topic, n) }) ||
		slices.ContainsFunc(r.Then, func(a core.Act) bool { return core.Within(a.Topic, n) })
}

// RemoveTopics removes every topic, branch, room and kit at or under a name, with
// the rules and alarms that use one of them, clears what is retained there and
// hides the readings. Kits elsewhere keep their ports. Unless apply, it changes
// nothing and tells what it would do. UndoRemove brings everything back until
// UndoWithin has passed; then the readings are forgotten. Nothing designed there
// is core.ErrNotFound.
//
// Who still publishes there makes the topic arrive, not designed (see Arriving
// and Removed).
func (s *Service) RemoveTopics(ctx context.Context, n topic.Name, apply bool) (core.Effect, error) {
	change := func(v *view) (Change, error) {
		d := s.draft(ctx, v)
		t := s.begin(ctx, Remove, n)
		t.Topics, t.Places = under(v.Topics, n, topicKey), under(v.Places, n, placeKey)
		if len(t.Topics)+len(t.Places) == 0 {
			return Change{}, nothing(n)
		}
		d.c.Task = t
		for _, r := range v.Rules {
			if reads(*r, n) {
				t.Rules = append(t.Rules, *r)
				d.c.Rules.Remove = append(d.c.Rules.Remove, r.ID)
			}
		}
		for _, a := range v.Alarms {
			if core.Within(a.Topic, n) {
				t.Alarms = append(t.Alarms, *a)
				d.c.Alarms.Remove = append(d.c.Alarms.Remove, a.ID)
			}
		}
		d.c.Topics.Remove, d.c.Places.Remove = namesOf(t.Topics, topicKey), namesOf(t.Places, placeKey)
		return d.done(ctx, Remove, core.Say("{topic} was removed", "topic", n))
	}
	return s.do(ctx, n, "", apply, change)
}

// begin returns a new task with what is retained now.
func (s *Service) begin(ctx context.Context, k Kind, from topic.Name) *Task {
	t := &Task{Kind: k, From: from, Account: core.Actor(ctx), At: now()}
	if s.cfg.Broker == nil {
		return t
	}
	for _, m := range s.cfg.Broker.Retained(below(from), math.MaxInt) {
		if clearable(*t, m) {
			t.Retained = append(t.Retained, m)
		}
	}
	return t
}

func nothing(n topic.Name) error {
	return core.Fail(core.ErrNotFound, "Nothing is designed at {topic} or below it. Look at the list of topics.", "topic", short(n))
}

// do tells what a change of from does, and makes it if it is to be applied.
func (s *Service) do(ctx context.Context, from, to topic.Name, apply bool, change func(*view) (Change, error)) (e core.Effect, err error) {
	if apply {
		s.working.Lock()
		defer s.working.Unlock()
		// What an earlier task has to do comes first: the names may be the same.
		if err := s.work(ctx); err != nil {
			return e, err
		}
	}
	s.editing.Lock()
	v := s.view.Load()
	_, err = change(v)
	s.editing.Unlock()
	if err != nil {
		return e, err
	}
	if e, err = s.effect(ctx, v, from, to); err != nil || !apply {
		return e, err
	}
	id, err := s.edit(ctx, change)
	if err != nil {
		return e, err
	}
	s.workLater(ctx)
	v = s.view.Load()
	if i, found := v.task(id); found && v.tasks[i].Kind == Remove {
		e.Removal = v.tasks[i].removal()
	}
	return e, nil
}

// effect tells what hangs on the topics at or under from.
func (s *Service) effect(ctx context.Context, v *view, from, to topic.Name) (e core.Effect, err error) {
	e.Topics = namesOf(under(v.Topics, from, topicKey), topicKey)
	e.Places = namesOf(under(v.Places, from, placeKey), placeKey)
	for _, p := range v.Places {
		if !core.Within(p.Name, from) && uses(*p, from) {
			e.Kits = append(e.Kits, p.Name)
		}
	}
	for _, r := range v.Rules {
		if reads(*r, from) {
			e.Rules = append(e.Rules, r.ID)
		}
	}
	for _, a := range v.Alarms {
		if core.Within(a.Topic, from) {
			e.Alarms = append(e.Alarms, a.ID)
		}
	}
	if e.Readings, err = s.cfg.Readings.CountReadings(ctx, from); err != nil {
		return e, fmt.Errorf("plan: %w", err)
	}
	if to != "" {
		if e.Joins, err = s.cfg.Readings.CountReadings(ctx, to); err != nil {
			return e, fmt.Errorf("plan: %w", err)
		}
		if core.Within(from, to) {
			e.Joins -= e.Readings
		}
	}
	e.Retained = len(s.cfg.Broker.Retained(below(from), math.MaxInt))
	for _, g := range s.cfg.Authority.Grants() {
		if writes(g.Pattern, from) {
			e.Grants = append(e.Grants, g)
		}
	}
	for _, c := range s.cfg.Broker.Clients() {
		if slices.ContainsFunc(c.Filters, func(own string) bool {
			f, err := topic.ParseFilter(own)
			if err != nil {
				return false
			}
			real, _ := s.cfg.Authority.Authorize(c.Account, core.Subscribe, f)
			return reaches(real, from)
		}) {
			e.Subscribers = append(e.Subscribers, c)
		}
	}
	return e, nil
}

// Removals returns the removals that can be undone, oldest first.
func (s *Service) Removals() (rs []core.Removal) {
	for _, t := range s.view.Load().tasks {
		if t.undoable() {
			rs = append(rs, t.removal())
		}
	}
	return rs
}

// UndoRemove brings back what a removal took: the design as it was, its
// readings, and what was retained unless something newer is. It fails with
// core.ErrNotFound where it is too late, and with core.ErrConflict where one of
// the names is designed again. Where the removal is the newest edit, that is
// undone; else this is an edit itself.
func (s *Service) UndoRemove(ctx context.Context, id int64) error {
	v := s.view.Load()
	if e, err := v.next(true); err == nil && e.Kind == Remove && e.Task == id {
		if i, found := v.task(id); found && v.tasks[i].undoable() {
			_, err := s.Undo(ctx)
			return err
		}
	}
	s.working.Lock()
	defer s.working.Unlock()
	if err := s.work(ctx); err != nil {
		return err
	}
	_, err := s.edit(ctx, func(v *view) (Change, error) {
		i, found := v.task(id)
		if !found || !v.tasks[i].undoable() {
			return Change{}, tooLate()
		}
		d := s.draft(ctx, v)
		t := v.tasks[i]
		if err := d.restore(t); err != nil {
			return Change{}, err
		}
		t.Kind = Undo
		d.c.Task = &t
		return d.done(ctx, Undo, core.Say("{topic} was brought back", "topic", t.From))
	})
	if err == nil {
		s.workLater(ctx)
	}
	return err
}

func tooLate() error {
	return core.Fail(core.ErrNotFound, "This removal cannot be undone any more: what it took is erased after {n} minutes. Draw the topics again, or import a file of the plan.", "n", int(UndoWithin.Minutes()))
}

// restore puts into d what t took, where it is free.
func (d *draft) restore(t Task) error {
	for _, old := range t.Topics {
		if err := d.vacant(old.Name, false); err != nil {
			return err
		}
	}
	for _, old := range t.Places {
		if err := d.vacant(old.Name, true); err != nil {
			return err
		}
	}
	used := func(id topic.ID) error {
		return core.Fail(core.ErrConflict, "There is a {topic} again. Remove it first, or leave this removed.", "topic", id)
	}
	for _, old := range t.Rules {
		if d.v.Rule(old.ID) != nil {
			return used(old.ID)
		}
	}
	for _, old := range t.Alarms {
		if d.v.Alarm(old.ID) != nil {
			return used(old.ID)
		}
	}
	switch {
	case len(d.v.Topics)+len(t.Topics) > MaxTopics:
		return tooMany()
	case len(d.v.Places)+len(t.Places) > MaxPlaces:
		return tooManyPlaces()
	case len(d.v.Rules)+len(t.Rules) > MaxRules:
		return tooManyRules()
	case len(d.v.Alarms)+len(t.Alarms) > MaxAlarms:
		return tooManyAlarms()
	}
	d.c.Topics.Put, d.c.Places.Put, d.c.Rules.Put, d.c.Alarms.Put = t.Topics, t.Places, t.Rules, t.Alarms
	return nil
}

// vacant returns nil if nothing is designed at n.
func (d *draft) vacant(n topic.Name, place bool) error {
	if d.v.Topic(n) != nil || d.v.Place(n) != nil {
		return designedAlready(n)
	}
	return d.free(n, place)
}

// workLater works, and leaves to Run what cannot be done now.
func (s *Service) workLater(ctx context.Context) {
	if err := s.work(ctx); err != nil {
		s.cfg.Log.Warn("plan: readings and retained messages follow later", "err", err)
	}
}

// work brings tasks to their end, in order, as far as time and errors let it.
// The caller holds working.
func (s *Service) work(ctx context.Context) error {
	for _, t := range s.view.Load().tasks {
		for {
			next, err := s.step(ctx, t)
			if err == nil && next != nil {
				_, err = s.edit(ctx, func(*view) (Change, error) { return *next, nil })
			}
			if err != nil {
				return fmt.Errorf("plan: %w", err)
			}
			if next == nil || next.Task == nil {
				break
			}
			t = *next.Task
		}
	}
	return nil
}

// step does what t asks for now and returns the change that says so; nil where
// there is nothing to do yet.
func (s *Service) step(ctx context.Context, t Task) (*Change, error) {
	over := &Change{End: t.ID}
	switch {
	case t.Kind == Undo:
		return over, s.show(ctx, t, t.From)
	case !t.Done:
		t.Done = true
		return &Change{Task: &t}, s.hide(ctx, t)
	case t.Kind == Move:
		return over, s.show(ctx, t, t.To)
	case !time.Now().Before(t.removal().Until):
		return over, s.cfg.Readings.ForgetUnder(ctx, t.hidden())
	}
	return nil, nil
}

// hide puts away what hangs on the topics of t.
func (s *Service) hide(ctx context.Context, t Task) error {
	err := each(s.cfg.Broker.Retained(below(t.From), math.MaxInt), func(m core.Message) error {
		if !clearable(t, m) {
			return nil
		}
		return s.publish(ctx, core.Message{Topic: m.Topic, QoS: 1})
	})
	if err != nil {
		return err
	}
	return s.cfg.Readings.Move(ctx, t.From, t.hidden())
}

// show brings what hide put away to the name at. A newer retained message stays.
func (s *Service) show(ctx context.Context, t Task, at topic.Name) error {
	if err := s.cfg.Readings.Move(ctx, t.hidden(), at); err != nil {
		return err
	}
	ms, err := s.cfg.Store.ReadRetained(ctx, t.ID)
	if err != nil {
		return err
	}
	return each(ms, func(m core.Message) error {
		m.Topic = at + m.Topic[len(t.From):]
		if there := s.cfg.Broker.Retained(topic.Filter(m.Topic), 1); len(there) > 0 && !there[0].At.Before(m.At) {
			return nil
		}
		err := s.publish(ctx, m)
		var told *core.Problem
		if errors.As(err, &told) { // it will not be taken another time either
			s.cfg.Log.Error("plan: a retained message cannot be brought along", "topic", m.Topic, "err", err)
			return nil
		}
		return err
	})
}

// each calls do for all of ms, several at a time: the broker stores them together.
func each(ms []core.Message, do func(core.Message) error) error {
	var all sync.WaitGroup
	errs := make([]error, atOnce)
	for worker := range errs {
		all.Go(func() {
			for i := worker; i < len(ms) && errs[worker] == nil; i += atOnce {
				errs[worker] = do(ms[i])
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (s *Service) publish(ctx context.Context, m core.Message) error {
	m.From, m.Client, m.Retain = core.Program, Client, true
	return s.cfg.Broker.Publish(ctx, m)
}

// clearable reports whether m was retained when t began, and goes along. The store
// keeps milliseconds. What an alarm says is its own: it tells and clears it itself.
func clearable(t Task, m core.Message) bool {
	return m.At.UnixMilli() <= t.At.UnixMilli() && (m.From != core.Program || !strings.Contains(string(m.Topic), alarmLevel))
}

// below selects n and every topic below it.
func below(n topic.Name) topic.Filter { return topic.Filter(n) + "/#" }

func namesOf[T any](ts []T, key func(*T) topic.Name) []topic.Name {
	ns := make([]topic.Name, len(ts))
	for i := range ts {
		ns[i] = key(&ts[i])
	}
	return ns
}

// writes reports whether the pattern of a grant has the name n in it, after any
// levels that stand for the same: {team}/lab/# has blue/lab.
func writes(pattern string, n topic.Name) bool {
	ps, ns := strings.Split(pattern, "/"), n.Split()
	if len(ps) < len(ns) || ps[len(ns)-1] != ns[len(ns)-1] {
		return false
	}
	for i, l := range ns {
		if p := ps[i]; p != l && p != "+" && !strings.HasPrefix(p, "{") {
			return false
		}
	}
	return true
}

// reaches reports whether f selects n or a topic below it.
func reaches(f topic.Filter, n topic.Name) bool {
	ns := n.Split()
	for i, l := range strings.Split(string(f), "/") {
		switch {
		case l == "#":
			return true
		case l != "+" && l != ns[i]:
			return false
		case i == len(ns)-1:
			return true
		}
	}
	return false
}

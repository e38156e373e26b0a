package plan

import (
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
	Done     bool           // everything is hidden
	Topics   []core.Topic   // that a Remove removed
	Retained []core.Message // that were hidden; Store.ReadRetained has them
}

// hidden is where the readings are meanwhile.
func (t Task) hidden() topic.Name { return topic.Name(fmt.Sprintf("$plan/%d", t.ID)) }

func (t Task) removal() core.Removal {
	return core.Removal{ID: t.ID, Under: t.From, Topics: len(t.Topics), Account: t.Account, At: t.At, Until: t.At.Add(UndoWithin)}
}

// MoveTopics gives every topic at or under from the name that it has at to, and
// takes readings, what was said about them, and retained messages along. Unless
// apply, it changes nothing and tells what it would do. A designed topic at a new
// name is core.ErrConflict, nothing designed at or under from core.ErrNotFound.
//
// Where something was recorded at a new name, both become one. Of two retained
// messages the newer stays. Should the disk or the broker fail once the registry
// is changed, the move is finished as soon as they work again.
func (s *Service) MoveTopics(ctx context.Context, from, to topic.Name, apply bool) (core.Effect, error) {
	if err := checkName(to); err != nil {
		return core.Effect{}, err
	}
	if within(to, from) {
		return core.Effect{}, core.Fail(core.ErrInvalid, "{from} cannot be moved to {to}, which is a part of it. Choose another place.", "from", from, "to", to)
	}
	change := func(v *view) (Change, error) {
		c := Change{Task: s.begin(ctx, Move, from)}
		c.Task.To = to
		topics := v.under(from)
		if len(topics) == 0 {
			return c, nothing(from)
		}
		for _, t := range topics {
			c.Remove = append(c.Remove, t.Name)
			t.Name = to + t.Name[len(from):]
			if err := check(t); err != nil {
				return c, err
			}
			if other := s.folded[fold(t.Name)]; !within(other, from) {
				if err := s.free(t.Name); err != nil {
					return c, err
				}
			}
			t.Changed = now()
			c.Put = append(c.Put, t)
		}
		for _, m := range c.Task.Retained { // designed or not
			if n := to + m.Topic[len(from):]; checkName(n) != nil {
				return c, tooLong(n)
			}
		}
		return c, nil
	}
	return s.do(ctx, from, to, apply, change)
}

// RemoveTopics removes every topic at or under a name, clears what is retained
// there and hides the readings. Unless apply, it changes nothing and tells what
// it would do. UndoRemove brings everything back until UndoWithin has passed;
// then the readings are forgotten. Nothing designed there is core.ErrNotFound.
//
// Who still publishes there makes the topic arrive, not designed (see Arriving).
func (s *Service) RemoveTopics(ctx context.Context, under topic.Name, apply bool) (core.Effect, error) {
	change := func(v *view) (Change, error) {
		t := s.begin(ctx, Remove, under)
		if t.Topics = v.under(under); len(t.Topics) == 0 {
			return Change{}, nothing(under)
		}
		return Change{Remove: namesOf(t.Topics), Task: t}, nil
	}
	return s.do(ctx, under, "", apply, change)
}

// begin returns a new task with what is retained now.
func (s *Service) begin(ctx context.Context, k Kind, from topic.Name) *Task {
	t := &Task{Kind: k, From: from, Account: core.Actor(ctx), At: now()}
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
	e.Topics = namesOf(v.under(from))
	if e.Readings, err = s.cfg.Readings.CountReadings(ctx, from); err != nil {
		return e, fmt.Errorf("plan: %w", err)
	}
	if to != "" {
		if e.Joins, err = s.cfg.Readings.CountReadings(ctx, to); err != nil {
			return e, fmt.Errorf("plan: %w", err)
		}
		if within(from, to) {
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
		if r := t.removal(); t.Kind == Remove && time.Now().Before(r.Until) {
			rs = append(rs, r)
		}
	}
	return rs
}

// UndoRemove brings back what a removal took: the topics as they were, their
// readings, and what was retained unless something newer is. It fails with
// core.ErrNotFound where it is too late, and with core.ErrConflict where one of
// the names is designed again.
func (s *Service) UndoRemove(ctx context.Context, id int64) error {
	s.working.Lock()
	defer s.working.Unlock()
	if err := s.work(ctx); err != nil {
		return err
	}
	_, err := s.edit(ctx, func(v *view) (Change, error) {
		i, found := v.task(id)
		if !found || v.tasks[i].Kind != Remove || !time.Now().Before(v.tasks[i].removal().Until) {
			return Change{}, core.Fail(core.ErrNotFound, "This removal cannot be undone any more.")
		}
		t := v.tasks[i]
		for _, old := range t.Topics {
			if err := s.free(old.Name); err != nil {
				return Change{}, err
			}
		}
		if len(v.topics)+len(t.Topics) > MaxTopics {
			return Change{}, tooMany()
		}
		t.Kind = Undo
		return Change{Put: t.Topics, Task: &t}, nil
	})
	if err == nil {
		s.workLater(ctx)
	}
	return err
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
	m.From, m.Client, m.Retain = core.Program, "plan", true
	return s.cfg.Broker.Publish(ctx, m)
}

// clearable reports whether m was retained when t began. The store keeps
// milliseconds.
func clearable(t Task, m core.Message) bool { return m.At.UnixMilli() <= t.At.UnixMilli() }

// below selects n and every topic below it.
func below(n topic.Name) topic.Filter { return topic.Filter(n) + "/#" }

func namesOf(ts []core.Topic) []topic.Name {
	ns := make([]topic.Name, len(ts))
	for i, t := range ts {
		ns[i] = t.Name
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

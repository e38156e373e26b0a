// Package plan is the registry of designed topics: what each topic name is for,
// whether or not anything was published there yet.
//
// Everything it is asked is answered from memory. What is kept is an immutable
// view that is swapped whole after each change, so a question never waits for a
// change, and never for the disk. task.go brings along what hangs on a topic that
// is moved or removed: readings and retained messages.
package plan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// MaxTopics is how many topics can be designed.
const MaxTopics = 100_000

// tickEvery is how soon a change by another process is seen, and how long after
// its time a removal may be made final.
const tickEvery = time.Second

// Store keeps the plan. Another process may use it too.
type Store interface {
	// PlanRevision returns a number that rises with each change, whoever makes
	// it; it is asked often.
	PlanRevision(ctx context.Context) (int64, error)
	// ReadPlan hands over everything that is kept, as of the revision it returns.
	// The tasks are in order of ID and without their Retained.
	ReadPlan(ctx context.Context, t func(core.Topic)) (tasks []Task, revision int64, err error)
	// WritePlan makes one change in one transaction and returns the ID of its
	// task. Where revision is no longer the present one it changes nothing and
	// returns core.ErrConflict; nothing else does.
	WritePlan(ctx context.Context, revision int64, c Change) (task int64, err error)
	// ReadRetained returns the Retained of a task, in order of topic.
	ReadRetained(ctx context.Context, task int64) ([]core.Message, error)
}

// Change is what is written at once: first Remove goes, then Put comes.
type Change struct {
	Remove []topic.Name
	Put    []core.Topic // each replaces the one with its name
	Task   *Task        // begins, or where it has an ID gets this Kind and Done
	End    int64        // the ID of a task that is over, or 0
}

// Readings is what was recorded of topics. Each name stands for itself and all
// topics below it.
type Readings interface {
	// Move may be repeated. To a name that begins with "$" it hides.
	Move(ctx context.Context, from, to topic.Name) error
	ForgetUnder(ctx context.Context, n topic.Name) error
	CountReadings(ctx context.Context, n topic.Name) (int64, error)
}

// Arrivals is what arrives, designed or not. It answers from memory.
type Arrivals interface {
	Known(n topic.Name) bool
	Topics(since uint64) (rows []core.TopicState, now uint64)
}

// Broker is where retained messages are. It lets core.Program publish.
type Broker interface {
	Publish(ctx context.Context, m core.Message) error
	Retained(f topic.Filter, limit int) []core.Message
	Clients() []core.Client
}

// Authority knows who may do what.
type Authority interface {
	Grants() []core.Grant
	// Authorize returns the real name of what the account calls f, also where
	// it may not do that.
	Authorize(id core.AccountID, a core.Action, f topic.Filter) (real topic.Filter, err error)
}

// Config is everything a Service needs. A Service that only reads and imports
// needs no more than Store, Feed and Log.
type Config struct {
	Store     Store
	Readings  Readings
	Arrivals  Arrivals
	Broker    Broker
	Authority Authority
	Feed      *core.Feed
	Log       *slog.Logger
}

// Service answers every question about the plan, and makes every change. Its
// methods may be called from any goroutine.
type Service struct {
	cfg     Config
	view    atomic.Pointer[view]
	working sync.Mutex            // held while tasks are worked on; taken before editing
	editing sync.Mutex            // held while a change is made or the view is read anew
	folded  map[string]topic.Name // guarded by editing; the topics of the view by fold
}

// view is the plan at one moment. Nobody changes it once it is in use.
type view struct {
	revision int64
	topics   []*core.Topic // in order of name
	tasks    []Task        // in order of ID
}

// Open reads the plan from the store.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	s := &Service{cfg: cfg}
	s.editing.Lock()
	defer s.editing.Unlock()
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Run brings to an end what a move or removal began before the program stopped,
// makes removals final after UndoWithin, and follows the changes that other
// processes make, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	failing := false
	for {
		err := s.follow(ctx)
		if s.working.TryLock() { // who holds it works on the same
			err = errors.Join(err, s.work(ctx))
			s.working.Unlock()
		}
		if err != nil && !failing && ctx.Err() == nil {
			s.cfg.Log.Error("plan", "err", err) // once: a full disk fails every second
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// follow reads everything anew where another process changed something.
func (s *Service) follow(ctx context.Context) error {
	now, err := s.cfg.Store.PlanRevision(ctx)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	s.editing.Lock()
	defer s.editing.Unlock()
	if now == s.view.Load().revision {
		return nil
	}
	return s.load(ctx)
}

// load reads everything and makes it the view. The caller holds editing.
func (s *Service) load(ctx context.Context) (err error) {
	v := &view{}
	v.tasks, v.revision, err = s.cfg.Store.ReadPlan(ctx, func(t core.Topic) { v.topics = append(v.topics, &t) })
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	slices.SortFunc(v.topics, byName)
	s.folded = make(map[string]topic.Name, len(v.topics))
	for _, t := range v.topics {
		s.folded[fold(t.Name)] = t.Name
	}
	s.view.Store(v)
	s.cfg.Feed.Tell(core.PlanChanged)
	return nil
}

// edit makes one change: change checks it against the view. Where another process
// was faster it is called again with a new view. It returns the ID of the task.
func (s *Service) edit(ctx context.Context, change func(v *view) (Change, error)) (int64, error) {
	s.editing.Lock()
	defer s.editing.Unlock()
	ctx = context.WithoutCancel(ctx) // a transaction that was cut off might be there or not
	for {
		v := s.view.Load()
		c, err := change(v)
		if err != nil {
			return 0, err
		}
		id, err := s.cfg.Store.WritePlan(ctx, v.revision, c)
		switch {
		case err == nil:
			s.apply(v, c, id)
			return id, nil
		case !errors.Is(err, core.ErrConflict):
			return 0, fmt.Errorf("plan: %w", err)
		}
		if err := s.load(ctx); err != nil {
			return 0, err
		}
	}
}

// apply makes v with c, which is kept, the view. The caller holds editing.
func (s *Service) apply(v *view, c Change, task int64) {
	gone := make(map[topic.Name]bool, len(c.Remove)+len(c.Put))
	for _, n := range c.Remove {
		gone[n] = true
		delete(s.folded, fold(n))
	}
	put := make([]*core.Topic, len(c.Put))
	for i, t := range c.Put {
		put[i] = &t
		gone[t.Name] = true
		s.folded[fold(t.Name)] = t.Name
	}
	slices.SortFunc(put, byName)
	next := &view{revision: v.revision + 1, topics: make([]*core.Topic, 0, len(v.topics)+len(put)), tasks: slices.Clone(v.tasks)}
	for _, t := range v.topics {
		for len(put) > 0 && put[0].Name < t.Name {
			next.topics, put = append(next.topics, put[0]), put[1:]
		}
		if !gone[t.Name] {
			next.topics = append(next.topics, t)
		}
	}
	next.topics = append(next.topics, put...)
	if t := c.Task; t != nil {
		if i, found := next.task(t.ID); found {
			next.tasks[i].Kind, next.tasks[i].Done = t.Kind, t.Done
		} else {
			began := *t
			began.ID, began.Retained = task, nil
			next.tasks = append(next.tasks, began)
		}
	}
	if i, found := next.task(c.End); found {
		next.tasks = slices.Delete(next.tasks, i, i+1)
	}
	s.view.Store(next)
	s.cfg.Feed.Tell(core.PlanChanged)
}

// Topics returns the designed topics that f selects, in order of name. The
// receiver owns them.
func (s *Service) Topics(f topic.Filter) []core.Topic {
	literal := string(f)
	if i := strings.IndexAny(literal, "+#"); i >= 0 {
		literal = strings.TrimSuffix(literal[:i], "/") // "a/#" selects "a" too
	}
	var ts []core.Topic
	v := s.view.Load()
	for _, t := range v.topics[v.place(topic.Name(literal)):] {
		if !strings.HasPrefix(string(t.Name), literal) {
			break
		}
		if f.Match(t.Name) {
			ts = append(ts, *t)
		}
	}
	return ts
}

// Topic returns what was designed about n.
func (s *Service) Topic(n topic.Name) (core.Topic, bool) {
	if t := s.view.Load().find(n); t != nil {
		return *t, true
	}
	return core.Topic{}, false
}

// Known reports whether n is designed, takes the commands of a designed topic,
// or has been published to as far as memory goes back.
func (s *Service) Known(n topic.Name) bool {
	return s.designed(n) || s.cfg.Arrivals.Known(n) || len(s.cfg.Broker.Retained(topic.Filter(n), 1)) > 0
}

// Arriving returns the topics that arrive but are not designed, those that were
// removed and are published to again among them; newest first.
func (s *Service) Arriving() []core.TopicState {
	rows, _ := s.cfg.Arrivals.Topics(0)
	return slices.DeleteFunc(rows, func(t core.TopicState) bool { return s.designed(t.Last.Topic) })
}

// designed reports whether n is designed or takes the commands of what is.
func (s *Service) designed(n topic.Name) bool {
	v := s.view.Load()
	if v.find(n) != nil {
		return true
	}
	state, ok := strings.CutSuffix(string(n), "/set")
	t := v.find(topic.Name(state))
	return ok && t != nil && t.Writable
}

// CreateTopic designs a topic. Its Changed is now. It fails with core.ErrInvalid,
// and with core.ErrConflict where one of that name, or of a name that looks the
// same, is designed already.
func (s *Service) CreateTopic(ctx context.Context, t core.Topic) error {
	if err := check(t); err != nil {
		return err
	}
	_, err := s.edit(ctx, func(v *view) (Change, error) {
		if err := s.free(t.Name); err != nil {
			return Change{}, err
		}
		if len(v.topics) >= MaxTopics {
			return Change{}, tooMany()
		}
		t.Changed = now()
		return Change{Put: []core.Topic{t}}, nil
	})
	return err
}

// ChangeTopic changes what was designed about t.Name. t is the topic as it was
// read, changed: where somebody else has changed it since, core.ErrConflict. A
// zero t.Changed overwrites what it is. There must be one, or core.ErrNotFound.
func (s *Service) ChangeTopic(ctx context.Context, t core.Topic) error {
	if err := check(t); err != nil {
		return err
	}
	_, err := s.edit(ctx, func(v *view) (Change, error) {
		old := v.find(t.Name)
		if old == nil {
			return Change{}, core.Fail(core.ErrNotFound, "{topic} is not designed. Create it first.", "topic", t.Name)
		}
		if !t.Changed.IsZero() && !t.Changed.Equal(old.Changed) {
			return Change{}, core.Fail(core.ErrConflict, "{name} was changed meanwhile. Look at it again and repeat your change.", "name", t.Name)
		}
		changed := t
		if changed.Changed = now(); !changed.Changed.After(old.Changed) {
			changed.Changed = old.Changed.Add(time.Millisecond)
		}
		return Change{Put: []core.Topic{changed}}, nil
	})
	return err
}

// free returns nil if a topic may be called n. The caller holds editing.
func (s *Service) free(n topic.Name) error {
	switch other := s.folded[fold(n)]; other {
	case "":
		return nil
	case n:
		return core.Fail(core.ErrConflict, "{topic} is designed already. Change it, or choose another name.", "topic", n)
	default:
		return core.Fail(core.ErrConflict, "{topic} would look like {other}, which is designed already: only capitals or the spelling of a letter differ. Choose another name.", "topic", n, "other", other)
	}
}

func tooMany() error {
	return core.Fail(core.ErrInvalid, "There are {n} topics already, which is the most. Remove some first.", "n", MaxTopics)
}

// now is the present time as the store keeps it.
func now() time.Time { return time.UnixMilli(time.Now().UnixMilli()) }

func byName(a, b *core.Topic) int { return strings.Compare(string(a.Name), string(b.Name)) }

// place returns where n is among the topics, or would be.
func (v *view) place(n topic.Name) int {
	i, _ := slices.BinarySearchFunc(v.topics, n, func(t *core.Topic, n topic.Name) int { return strings.Compare(string(t.Name), string(n)) })
	return i
}

// find returns the topic of that name, or nil.
func (v *view) find(n topic.Name) *core.Topic {
	if i := v.place(n); i < len(v.topics) && v.topics[i].Name == n {
		return v.topics[i]
	}
	return nil
}

// under returns the topics at n and below it.
func (v *view) under(n topic.Name) (ts []core.Topic) {
	for _, t := range v.topics[v.place(n):] {
		if !strings.HasPrefix(string(t.Name), string(n)) {
			break
		}
		if within(t.Name, n) {
			ts = append(ts, *t)
		}
	}
	return ts
}

// task returns where the task with that ID is.
func (v *view) task(id int64) (i int, found bool) {
	return slices.BinarySearchFunc(v.tasks, id, func(t Task, id int64) int { return int(t.ID - id) })
}

// within reports whether n is branch or a topic below it.
func within(n, branch topic.Name) bool {
	rest, ok := strings.CutPrefix(string(n), string(branch))
	return ok && (rest == "" || rest[0] == '/')
}

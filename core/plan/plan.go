// Package plan owns the design: the topics, and what they are for whether or not
// anything was published there yet; the branches, rooms and kits that their names
// stand for; the rules and alarms; and the names that were given up.
//
// Everything it is asked is answered from memory. What is kept is an immutable
// view that is swapped whole after each change, so a question never waits for a
// change, and never for the disk. Every change is an edit that can be undone
// (edits.go). task.go brings along what hangs on a topic that is moved or
// removed: readings and retained messages.
package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// How much can be designed.
const (
	MaxTopics = 100_000
	MaxPlaces = 10_000
	MaxRules  = 1000
	MaxAlarms = 1000
)

// tickEvery is how soon a change by another process is seen, and how long after
// its time a removal may be made final.
const tickEvery = time.Second

// Store keeps the plan. Another process may use it too.
type Store interface {
	// PlanRevision returns a number that rises by one with each change, whoever
	// makes it; it is asked often.
	PlanRevision(ctx context.Context) (int64, error)
	// ReadPlan returns everything that is kept, as of one moment.
	ReadPlan(ctx context.Context) (Kept, error)
	// WritePlan makes one change in one transaction, and the revision rises by
	// one. Where revision is no longer the present one it changes nothing and
	// returns core.ErrConflict; nothing else does.
	WritePlan(ctx context.Context, revision int64, c Change) error
	parcels
}

// parcels are what is too much for memory.
type parcels interface {
	// ReadRetained returns the Retained of a task, in order of topic.
	ReadRetained(ctx context.Context, task int64) ([]core.Message, error)
	// ReadImages returns the Images of an edit.
	ReadImages(ctx context.Context, edit int64) ([]byte, error)
}

// Kept is everything that a Store keeps, each in any order.
type Kept struct {
	Revision int64
	Topics   []*core.Topic
	Places   []*core.Place
	Rules    []*core.Rule
	Alarms   []*core.Alarm
	Renamed  []*core.Renamed
	Tasks    []Task // without their Retained
	Edits    []Edit // without their Images
	Removed  map[topic.Name]core.Removal
	// Adopt is set where topics were designed before descriptions belonged to
	// them: those of the history are still to be taken over.
	Adopt bool
}

// Rows is what changes of one sort of thing: Remove goes, and Put comes. None is
// in both.
type Rows[K ~string, T any] struct {
	Remove []K
	Put    []T // each replaces the one with its key
}

// Change is what is written at once. The revision that it makes is the ID of
// what it begins.
type Change struct {
	Topics  Rows[topic.Name, core.Topic]
	Places  Rows[topic.Name, core.Place]
	Rules   Rows[topic.ID, core.Rule]
	Alarms  Rows[topic.ID, core.Alarm]
	Renamed Rows[topic.Name, core.Renamed] // by their Old
	Removed Rows[topic.Name, Tombstone]

	Task *Task // begins, or where it has an ID gets this Kind and Done
	End  int64 // the ID of a task that is over, or 0

	Edit   *Edit   // begins
	Turn   int64   // the ID of an edit that is undone, or where it was, no longer; or 0
	Forget []int64 // IDs of edits that can be neither undone nor redone any more
	// Again is the ID of a removal in whose stead the edits that name it name
	// the task that begins; or 0.
	Again int64

	Adopted bool // Kept.Adopt is over
}

// Tombstone says who removed a topic.
type Tombstone struct {
	Topic topic.Name
	core.Removal
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

// Config is everything a Service needs. A Service that only reads, changes and
// imports needs no more than Store, Feed and Log.
type Config struct {
	Store     Store
	Readings  Readings
	Arrivals  Arrivals
	Broker    Broker
	Authority Authority
	Feed      *core.Feed
	Log       *slog.Logger

	// CheckRule says what is wrong with the expressions of a rule, whose topics
	// are as topics has them. It may be nil, like all that follows.
	CheckRule func(r core.Rule, topics func(topic.Name) (core.Topic, bool)) error
	// AccountID finds the account that a kit signs in with.
	AccountID func(topic.ID) (core.AccountID, bool)
	// Describe tells the history what was said about a designed topic.
	Describe func(context.Context, core.Series, core.Description) error
	// Described is what the history was told.
	Described func(context.Context) (map[core.Series]core.Description, error)
	// Note is told each edit, and each that is undone or redone, for the audit.
	Note func(context.Context, core.Sentence) error
}

// Service answers every question about the plan, and makes every change. Its
// methods may be called from any goroutine.
type Service struct {
	cfg     Config
	view    atomic.Pointer[view]
	working sync.Mutex              // held while tasks are worked on; taken before editing
	editing sync.Mutex              // held while a change is made or the view is read anew
	folded  map[string]topic.Name   // guarded by editing; the topics and places of the view by fold
	latest  time.Time               // guarded by editing; the newest stamp
	untold  map[topic.Name]struct{} // guarded by editing; topics whose description the history has not
	telling sync.Mutex              // held while the history is told
}

// view is the plan at one moment. Nobody changes it once it is in use.
type view struct {
	*core.Design
	tasks   []Task                      // in order of ID
	edits   []Edit                      // in order of ID; those that are undone are the last
	renamed []*core.Renamed             // in order of Old
	aliases map[topic.Name]*alias       // what renamed is, by Old
	removed map[topic.Name]core.Removal // topics that were removed
	adopt   bool
}

// Open reads the plan from the store.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	s := &Service{cfg: cfg, untold: map[topic.Name]struct{}{}}
	s.editing.Lock()
	err := s.load(ctx)
	s.editing.Unlock()
	if err != nil {
		return nil, err
	}
	return s, s.adopt(ctx)
}

// Run brings to an end what a move or removal began before the program stopped,
// makes removals final after UndoWithin, ends names that were given up, tells the
// history what is said about topics, and follows the changes that other processes
// make, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	failing := false
	for {
		err := errors.Join(s.follow(ctx), s.endRenamed(ctx))
		if s.working.TryLock() { // who holds it works on the same
			err = errors.Join(err, s.work(ctx))
			s.working.Unlock()
		}
		err = errors.Join(err, s.tell(ctx, manyTold))
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
	if now == s.view.Load().Revision {
		return nil
	}
	return s.load(ctx)
}

// load reads everything and makes it the view. The caller holds editing.
func (s *Service) load(ctx context.Context) error {
	k, err := s.cfg.Store.ReadPlan(ctx)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	slices.SortFunc(k.Topics, order(topicKey))
	slices.SortFunc(k.Places, order(placeKey))
	slices.SortFunc(k.Rules, order(ruleKey))
	slices.SortFunc(k.Alarms, order(alarmKey))
	slices.SortFunc(k.Renamed, order(renamedKey))
	slices.SortFunc(k.Tasks, func(a, b Task) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(k.Edits, func(a, b Edit) int { return cmp.Compare(a.ID, b.ID) })
	s.folded = make(map[string]topic.Name, len(k.Topics)+len(k.Places))
	old := s.view.Load()
	for _, t := range k.Topics {
		s.folded[fold(t.Name)] = t.Name
		s.said(old, t)
	}
	for _, p := range k.Places {
		s.folded[fold(p.Name)] = p.Name
	}
	v := &view{Design: &core.Design{Revision: k.Revision, Topics: k.Topics, Places: k.Places, Rules: k.Rules, Alarms: k.Alarms},
		tasks: k.Tasks, edits: k.Edits, renamed: k.Renamed, removed: k.Removed, adopt: k.Adopt}
	v.alias(old)
	s.view.Store(v)
	s.cfg.Feed.Tell(core.PlanChanged)
	return nil
}

// edit makes one change: change makes it out of the view, and checks it. Where
// another process was faster it is called again with a new view. A change of
// nothing is none. It returns the ID of what began.
func (s *Service) edit(ctx context.Context, change func(v *view) (Change, error)) (int64, error) {
	id, made, err := s.write(ctx, change)
	if err != nil {
		return 0, err
	}
	if made != nil {
		s.note(ctx, made.Say)
	}
	s.tellSoon(ctx)
	return id, nil
}

func (s *Service) write(ctx context.Context, change func(v *view) (Change, error)) (id int64, made *Edit, err error) {
	s.editing.Lock()
	defer s.editing.Unlock()
	ctx = context.WithoutCancel(ctx) // a transaction that was cut off might be there or not
	for {
		v := s.view.Load()
		c, err := change(v)
		if err != nil || c.nothing() {
			return 0, nil, err
		}
		made = c.Edit
		if err := v.record(&c); err != nil {
			return 0, nil, err
		}
		err = s.cfg.Store.WritePlan(ctx, v.Revision, c)
		switch {
		case err == nil:
			s.apply(v, c)
			return v.Revision + 1, made, nil
		case !errors.Is(err, core.ErrConflict):
			return 0, nil, fmt.Errorf("plan: %w", err)
		}
		if err := s.load(ctx); err != nil {
			return 0, nil, err
		}
	}
}

// nothing reports whether c changes nothing.
func (c *Change) nothing() bool {
	return c.designs() == 0 && len(c.Renamed.Remove)+len(c.Renamed.Put)+len(c.Removed.Remove)+len(c.Removed.Put)+len(c.Forget) == 0 &&
		c.Task == nil && c.End == 0 && c.Turn == 0 && !c.Adopted
}

// designs returns how many things c changes in the design.
func (c *Change) designs() int {
	return len(c.Topics.Remove) + len(c.Topics.Put) + len(c.Places.Remove) + len(c.Places.Put) +
		len(c.Rules.Remove) + len(c.Rules.Put) + len(c.Alarms.Remove) + len(c.Alarms.Put)
}

// apply makes v with c, which is kept, the view. The caller holds editing.
func (s *Service) apply(v *view, c Change) {
	for _, n := range slices.Concat(c.Topics.Remove, c.Places.Remove) {
		delete(s.folded, fold(n))
	}
	for i := range c.Topics.Put {
		t := &c.Topics.Put[i]
		s.folded[fold(t.Name)] = t.Name
		s.said(v, t)
	}
	for _, p := range c.Places.Put {
		s.folded[fold(p.Name)] = p.Name
	}
	next := &view{tasks: slices.Clone(v.tasks), renamed: merge(v.renamed, c.Renamed, renamedKey), removed: v.removed, adopt: v.adopt && !c.Adopted,
		Design: &core.Design{Revision: v.Revision + 1,
			Topics: merge(v.Topics, c.Topics, topicKey),
			Places: merge(v.Places, c.Places, placeKey),
			Rules:  merge(v.Rules, c.Rules, ruleKey),
			Alarms: merge(v.Alarms, c.Alarms, alarmKey)}}
	if t := c.Task; t != nil {
		if i, found := next.task(t.ID); found {
			next.tasks[i].Kind, next.tasks[i].Done = t.Kind, t.Done
		} else {
			began := *t
			began.ID, began.Retained = next.Revision, nil
			next.tasks = append(next.tasks, began)
		}
	}
	if i, found := next.task(c.End); found {
		next.tasks = slices.Delete(next.tasks, i, i+1)
	}
	if len(c.Removed.Remove)+len(c.Removed.Put) > 0 {
		next.removed = maps.Clone(v.removed)
		if next.removed == nil {
			next.removed = map[topic.Name]core.Removal{}
		}
		for _, n := range c.Removed.Remove {
			delete(next.removed, n)
		}
		for _, t := range c.Removed.Put {
			next.removed[t.Topic] = t.Removal
		}
	}
	next.edits = v.turned(c)
	next.alias(v)
	s.view.Store(next)
	s.cfg.Feed.Tell(core.PlanChanged)
}

func topicKey(t *core.Topic) topic.Name     { return t.Name }
func placeKey(p *core.Place) topic.Name     { return p.Name }
func ruleKey(r *core.Rule) topic.ID         { return r.ID }
func alarmKey(a *core.Alarm) topic.ID       { return a.ID }
func renamedKey(r *core.Renamed) topic.Name { return r.Old }

// order compares by key.
func order[K ~string, T any](key func(*T) K) func(a, b *T) int {
	return func(a, b *T) int { return strings.Compare(string(key(a)), string(key(b))) }
}

// find returns the one with that key, or nil. all is in order of key.
func find[K ~string, T any](all []*T, k K, key func(*T) K) *T {
	i, ok := slices.BinarySearchFunc(all, k, func(t *T, k K) int { return strings.Compare(string(key(t)), string(k)) })
	if !ok {
		return nil
	}
	return all[i]
}

// merge returns old, which is in order of key, with rows.
func merge[K ~string, T any](old []*T, rows Rows[K, T], key func(*T) K) []*T {
	if len(rows.Remove)+len(rows.Put) == 0 {
		return old
	}
	gone := make(map[K]bool, len(rows.Remove)+len(rows.Put))
	for _, k := range rows.Remove {
		gone[k] = true
	}
	put := make([]*T, len(rows.Put))
	for i := range rows.Put {
		one := rows.Put[i] // not a part of what somebody else has
		put[i] = &one
		gone[key(&one)] = true
	}
	slices.SortFunc(put, order(key))
	next := make([]*T, 0, len(old)+len(put))
	for _, t := range old {
		for len(put) > 0 && key(put[0]) < key(t) {
			next, put = append(next, put[0]), put[1:]
		}
		if !gone[key(t)] {
			next = append(next, t)
		}
	}
	return append(next, put...)
}

// Design returns everything that is designed now. Nobody changes it.
func (s *Service) Design() *core.Design { return s.view.Load().Design }

// Topics returns the designed topics that f selects, in order of name. The
// receiver owns them.
func (s *Service) Topics(f topic.Filter) []core.Topic {
	literal := string(f)
	if i := strings.IndexAny(literal, "+#"); i >= 0 {
		literal = strings.TrimSuffix(literal[:i], "/") // "a/#" selects "a" too
	}
	var ts []core.Topic
	for _, t := range startingAt(s.view.Load().Topics, topic.Name(literal), topicKey) {
		if !strings.HasPrefix(string(t.Name), literal) {
			break
		}
		if f.Match(t.Name) {
			ts = append(ts, own(*t))
		}
	}
	return ts
}

// own returns t with nothing that somebody else has.
func own(t core.Topic) core.Topic {
	t.Options = slices.Clone(t.Options)
	return t
}

// startingAt returns those of all, which is in order of key, that come at or after k.
func startingAt[K ~string, T any](all []*T, k K, key func(*T) K) []*T {
	i, _ := slices.BinarySearchFunc(all, k, func(t *T, k K) int { return strings.Compare(string(key(t)), string(k)) })
	return all[i:]
}

// Topic returns what was designed about n.
func (s *Service) Topic(n topic.Name) (core.Topic, bool) {
	if t := s.view.Load().Topic(n); t != nil {
		return own(*t), true
	}
	return core.Topic{}, false
}

// Known reports whether n is designed, takes the commands of a designed topic,
// or has been published to as far as memory goes back.
func (s *Service) Known(n topic.Name) bool {
	return s.view.Load().designed(n) || s.cfg.Arrivals.Known(n) || len(s.cfg.Broker.Retained(topic.Filter(n), 1)) > 0
}

// Arriving returns the topics that arrive but are not designed, those that were
// removed and are published to again among them (see Removed); newest first.
func (s *Service) Arriving() []core.TopicState {
	rows, _ := s.cfg.Arrivals.Topics(0)
	v := s.view.Load()
	return slices.DeleteFunc(rows, func(t core.TopicState) bool {
		if a, _ := v.renamedAt(t.Last.Topic); a != nil && t.Last.At.UnixMilli() <= a.Until.Add(-AnswerFor).UnixMilli() {
			return true // it came before, and arrives somewhere else now: but of who may not publish there
		}
		return v.designed(t.Last.Topic)
	})
}

// designed reports whether n is designed or takes the commands of what is.
func (v *view) designed(n topic.Name) bool {
	if v.Topic(n) != nil {
		return true
	}
	state, ok := strings.CutSuffix(string(n), setSuffix)
	t := v.Topic(topic.Name(state))
	return ok && t != nil && t.Writable
}

// under returns those of all that are at or under n; all is in order of name.
func under[T any](all []*T, n topic.Name, key func(*T) topic.Name) (some []T) {
	for _, t := range startingAt(all, n, key) {
		if !strings.HasPrefix(string(key(t)), string(n)) {
			break
		}
		if core.Within(key(t), n) {
			some = append(some, *t)
		}
	}
	return some
}

// task returns where the task with that ID is.
func (v *view) task(id int64) (i int, found bool) {
	return slices.BinarySearchFunc(v.tasks, id, func(t Task, id int64) int { return cmp.Compare(t.ID, id) })
}

// now is the present time as the store keeps it.
func now() time.Time { return time.UnixMilli(time.Now().UnixMilli()) }

// stamp returns the time of a change: later than that of any other change that s
// made, so that what was undone and changed anew is not taken for what it was.
// The caller holds editing.
func (s *Service) stamp() time.Time {
	t := now()
	if !t.After(s.latest) {
		t = s.latest.Add(time.Millisecond)
	}
	s.latest = t
	return t
}

package plan

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// Change makes everything in b at once, as one edit that can be undone; where
// anything is wrong, nothing. It fails with core.ErrInvalid, with core.ErrConflict
// where somebody else was faster or two names would be or look the same, and with
// core.ErrNotFound where something that is to go is not there.
//
// A rule that is new or different belongs to core.Actor(ctx) then: it can do no
// more than they.
func (s *Service) Change(ctx context.Context, b core.Batch) error {
	if b.Say.Format == "" {
		b.Say = core.Say("The plan was changed")
	}
	_, err := s.edit(ctx, func(v *view) (Change, error) {
		return s.change(ctx, v, b)
	})
	return err
}

func (s *Service) change(ctx context.Context, v *view, b core.Batch) (Change, error) {
	d := s.draft(ctx, v)
	var first error
	d.batch(b, func(_ sort, _ int, err error) {
		if first == nil {
			first = err
		}
	})
	if first != nil {
		return Change{}, first
	}
	return d.done(ctx, "", b.Say)
}

// CreateTopic designs a topic. Its Changed is now. It fails with core.ErrInvalid,
// and with core.ErrConflict where one of that name, or of a name that looks the
// same, is designed already.
func (s *Service) CreateTopic(ctx context.Context, t core.Topic) error {
	if err := check(t); err != nil {
		return err
	}
	t.Changed = time.Time{}
	_, err := s.edit(ctx, func(v *view) (Change, error) {
		if v.Topic(t.Name) != nil {
			return Change{}, designedAlready(t.Name)
		}
		return s.change(ctx, v, core.Batch{Topics: []core.Topic{t}, Say: core.Say("{topic} was designed", "topic", t.Name)})
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
		if v.Topic(t.Name) == nil {
			return Change{}, core.Fail(core.ErrNotFound, "{topic} is not designed. Create it first.", "topic", t.Name)
		}
		return s.change(ctx, v, core.Batch{Topics: []core.Topic{t}, Say: core.Say("{topic} was changed", "topic", t.Name)})
	})
	return err
}

// sort is what sort of thing a batch has a fault in.
type sort int

const (
	inTopics sort = iota
	inPlaces
	inRules
	inAlarms
	inRemoved
)

// draft is a change in the making.
type draft struct {
	s      *Service
	v      *view
	at     time.Time
	actor  core.AccountID
	c      Change
	gone   map[topic.Name]bool // names that are free again
	fresh  map[string]fresh    // that are put, by fold
	topics map[topic.Name]int  // where in c.Topics.Put
	places map[topic.Name]int
	ids    map[topic.ID]bool // of rules; of alarms with a "!" before
}

// fresh is a name that is put.
type fresh struct {
	name  topic.Name
	place bool
}

// draft begins a change of v. The caller holds editing.
func (s *Service) draft(ctx context.Context, v *view) *draft {
	return &draft{s: s, v: v, at: s.stamp(), actor: core.Actor(ctx), gone: map[topic.Name]bool{}, fresh: map[string]fresh{},
		topics: map[topic.Name]int{}, places: map[topic.Name]int{}, ids: map[topic.ID]bool{}}
}

// batch puts b into d and tells all that is wrong with it, and where.
func (d *draft) batch(b core.Batch, wrong func(in sort, i int, err error)) {
	remove := func(i int, there bool, name any) {
		if !there {
			wrong(inRemoved, i, core.Fail(core.ErrNotFound, "{name} is not in the plan any more. Look at it again.", "name", name))
		}
	}
	for i, n := range b.RemoveTopics {
		remove(i, d.v.Topic(n) != nil && !d.gone[n], short(n))
		d.gone[n] = true
	}
	d.c.Topics.Remove = b.RemoveTopics
	for i, n := range b.RemovePlaces {
		remove(i, d.v.Place(n) != nil && !d.gone[n], short(n))
		d.gone[n] = true
	}
	d.c.Places.Remove = b.RemovePlaces
	for i, id := range b.RemoveRules {
		remove(i, d.v.Rule(id) != nil && !slices.Contains(b.RemoveRules[:i], id), short(topic.Name(id)))
	}
	d.c.Rules.Remove = b.RemoveRules
	for i, id := range b.RemoveAlarms {
		remove(i, d.v.Alarm(id) != nil && !slices.Contains(b.RemoveAlarms[:i], id), short(topic.Name(id)))
	}
	d.c.Alarms.Remove = b.RemoveAlarms
	tell := func(in sort, i int, err error) {
		if err != nil {
			wrong(in, i, err)
		}
	}
	for i, t := range b.Topics {
		err := check(t)
		if err == nil {
			err = d.topic(t)
		}
		tell(inTopics, i, err)
	}
	for i, p := range b.Places {
		err := checkPlace(p)
		if err == nil {
			err = d.place(p)
		}
		tell(inPlaces, i, err)
	}
	for i, r := range b.Rules {
		err := checkRule(r)
		if err == nil {
			err = d.rule(r)
		}
		tell(inRules, i, err)
	}
	for i, a := range b.Alarms {
		err := checkAlarm(a)
		if err == nil {
			err = d.alarm(a)
		}
		tell(inAlarms, i, err)
	}
	d.settle()
	for _, more := range []struct {
		in   sort
		last int
		err  error
	}{
		{inTopics, len(b.Topics) - 1, room(len(d.v.Topics), d.c.Topics, MaxTopics, func(n topic.Name) bool { return d.v.Topic(n) != nil }, topicKey, tooMany)},
		{inPlaces, len(b.Places) - 1, room(len(d.v.Places), d.c.Places, MaxPlaces, func(n topic.Name) bool { return d.v.Place(n) != nil }, placeKey, tooManyPlaces)},
		{inRules, len(b.Rules) - 1, room(len(d.v.Rules), d.c.Rules, MaxRules, func(id topic.ID) bool { return d.v.Rule(id) != nil }, ruleKey, tooManyRules)},
		{inAlarms, len(b.Alarms) - 1, room(len(d.v.Alarms), d.c.Alarms, MaxAlarms, func(id topic.ID) bool { return d.v.Alarm(id) != nil }, alarmKey, tooManyAlarms)},
	} {
		tell(more.in, more.last, more.err)
	}
	for i := range b.Rules {
		tell(inRules, i, d.checkRule(&b.Rules[i]))
	}
}

// room returns nil if there is room for rows beside the n that are there.
func room[K ~string, T any](n int, rows Rows[K, T], most int, there func(K) bool, key func(*T) K, tooMany func() error) error {
	after := n - len(rows.Remove)
	for i := range rows.Put {
		if !there(key(&rows.Put[i])) {
			after++
		}
	}
	if after > most && after > n {
		return tooMany()
	}
	return nil
}

func tooMany() error {
	return core.Fail(core.ErrInvalid, "There are {n} topics already, which is the most. Remove some first.", "n", MaxTopics)
}

func tooManyPlaces() error {
	return core.Fail(core.ErrInvalid, "There are {n} rooms and kits already, which is the most. Remove some first.", "n", MaxPlaces)
}

func tooManyRules() error {
	return core.Fail(core.ErrInvalid, "There are {n} rules already, which is the most. Remove some first.", "n", MaxRules)
}

func tooManyAlarms() error {
	return core.Fail(core.ErrInvalid, "There are {n} alarms already, which is the most. Remove some first.", "n", MaxAlarms)
}

// since returns nil if what has the time was is still the one that read was read of.
func since[T any](there *T, was func(*T) time.Time, read time.Time, name any) error {
	switch {
	case read.IsZero():
		return nil
	case there == nil:
		return core.Fail(core.ErrConflict, "{name} was removed meanwhile. Look at the plan again and repeat your change.", "name", name)
	case !was(there).Equal(read):
		return core.Fail(core.ErrConflict, "{name} was changed meanwhile. Look at it again and repeat your change.", "name", name)
	}
	return nil
}

// next is when what changed at old changes again.
func (d *draft) next(old time.Time) time.Time {
	if d.at.After(old) {
		return d.at
	}
	return old.Add(time.Millisecond)
}

// free returns nil if a topic, or where place a place, may be called n.
func (d *draft) free(n topic.Name, place bool) error {
	folded := fold(n)
	put, again := d.fresh[folded]
	other, there := d.s.folded[folded]
	there = there && !d.gone[other]
	switch {
	case again && put.name == n && put.place == place:
		return twice(n)
	case again && put.name != n:
		return looksLike(n, put.name)
	case !again && there && other != n:
		return looksLike(n, other)
	case place && (again || there && d.v.Place(n) == nil):
		return core.Fail(core.ErrConflict, "{topic} is a topic, so it can be no branch, room or kit. Choose another name.", "topic", n)
	case !place && (again || there && d.v.Topic(n) == nil):
		return core.Fail(core.ErrConflict, "{topic} is a branch, room or kit, so it can be no topic. Choose another name, or one below it.", "topic", n)
	}
	d.fresh[folded] = fresh{n, place}
	return nil
}

func designedAlready(n topic.Name) error {
	return core.Fail(core.ErrConflict, "{topic} is designed already. Change it, or choose another name.", "topic", n)
}

func looksLike(n, other topic.Name) error {
	return core.Fail(core.ErrConflict, "{topic} would look like {other}, which is designed already: only capitals or the spelling of a letter differ. Choose another name.", "topic", n, "other", other)
}

func twice[K ~string](key K) error {
	return core.Fail(core.ErrInvalid, "{topic} is there twice. Leave one of them away.", "topic", key)
}

// topic puts t, which is checked, into d.
func (d *draft) topic(t core.Topic) error {
	old := d.v.Topic(t.Name)
	if d.gone[t.Name] {
		old = nil
	}
	if err := since(old, func(t *core.Topic) time.Time { return t.Changed }, t.Changed, t.Name); err != nil {
		return err
	}
	if err := d.free(t.Name, false); err != nil {
		return err
	}
	if t.Options = slices.Clone(t.Options); len(t.Options) == 0 {
		t.Options = nil
	}
	if t.Changed = d.at; old != nil {
		if t.Changed = old.Changed; reflect.DeepEqual(t, *old) {
			return nil
		}
		t.Changed = d.next(old.Changed)
	}
	d.topics[t.Name] = len(d.c.Topics.Put)
	d.c.Topics.Put = append(d.c.Topics.Put, t)
	return nil
}

// place puts p, which is checked, into d.
func (d *draft) place(p core.Place) error {
	old := d.v.Place(p.Name)
	if d.gone[p.Name] {
		old = nil
	}
	if err := since(old, func(p *core.Place) time.Time { return p.Changed }, p.Changed, p.Name); err != nil {
		return err
	}
	if err := d.free(p.Name, true); err != nil {
		return err
	}
	if p.Ports = slices.Clone(p.Ports); len(p.Ports) == 0 {
		p.Ports = nil
	}
	if p.Changed = d.at; old != nil {
		if p.Changed = old.Changed; reflect.DeepEqual(p, *old) {
			return nil
		}
		p.Changed = d.next(old.Changed)
	}
	d.places[p.Name] = len(d.c.Places.Put)
	d.c.Places.Put = append(d.c.Places.Put, p)
	return nil
}

// rule puts r, which is checked but for what d knows, into d.
func (d *draft) rule(r core.Rule) error {
	old := d.v.Rule(r.ID)
	if slices.Contains(d.c.Rules.Remove, r.ID) || d.ids[r.ID] {
		return twice(r.ID)
	}
	d.ids[r.ID] = true
	if err := since(old, func(r *core.Rule) time.Time { return r.Changed }, r.Changed, r.ID); err != nil {
		return err
	}
	r = ownRule(r)
	if r.Changed = d.at; old != nil {
		account := r.Account
		if r.Changed, r.Account = old.Changed, old.Account; reflect.DeepEqual(r, *old) {
			return nil
		}
		r.Changed, r.Account = d.next(old.Changed), account
	}
	if d.actor != 0 {
		r.Account = d.actor
	}
	d.c.Rules.Put = append(d.c.Rules.Put, r)
	return nil
}

// ownRule returns r with nothing that somebody else has, and nothing in a trigger
// that its kind does not have.
func ownRule(r core.Rule) core.Rule {
	r.Inputs, r.When, r.Then = cloned(r.Inputs), cloned(r.When), cloned(r.Then)
	for i, w := range r.When {
		switch w.Kind {
		case core.OnTime:
			r.When[i] = core.Trigger{Kind: w.Kind, At: w.At, Days: cloned(w.Days)}
		case core.OnEvery:
			r.When[i] = core.Trigger{Kind: w.Kind, Every: w.Every}
		default:
			r.When[i] = core.Trigger{Kind: w.Kind, Input: w.Input}
		}
	}
	return r
}

// cloned is a copy; nil where there is nothing.
func cloned[T any](ts []T) []T {
	if len(ts) == 0 {
		return nil
	}
	return slices.Clone(ts)
}

// alarm puts a, which is checked, into d.
func (d *draft) alarm(a core.Alarm) error {
	old := d.v.Alarm(a.ID)
	if slices.Contains(d.c.Alarms.Remove, a.ID) || d.ids["!"+a.ID] {
		return twice(a.ID)
	}
	d.ids["!"+a.ID] = true
	if err := since(old, func(a *core.Alarm) time.Time { return a.Changed }, a.Changed, a.ID); err != nil {
		return err
	}
	if a.Changed = d.at; old != nil {
		if a.Changed = old.Changed; a == *old {
			return nil
		}
		a.Changed = d.next(old.Changed)
	}
	d.c.Alarms.Put = append(d.c.Alarms.Put, a)
	return nil
}

// checkRule says what is wrong with r as the plan would be with d.
func (d *draft) checkRule(r *core.Rule) error {
	if checkRule(*r) != nil {
		return nil // told already
	}
	if r.Kit != "" {
		kit := d.v.Place(r.Kit)
		if d.gone[r.Kit] {
			kit = nil
		}
		if i, ok := d.places[r.Kit]; ok {
			kit = &d.c.Places.Put[i]
		}
		if kit == nil || kit.Role != core.ChoiceKit {
			return core.Fail(core.ErrInvalid, "{rule} runs on {kit}, which is no kit that decides. Choose one of that role, or let Homeroom run it.", "rule", r.ID, "kit", r.Kit)
		}
	}
	if d.s.cfg.CheckRule == nil {
		return nil
	}
	return d.s.cfg.CheckRule(ownRule(*r), func(n topic.Name) (core.Topic, bool) {
		if i, ok := d.topics[n]; ok {
			return own(d.c.Topics.Put[i]), true
		}
		if t := d.v.Topic(n); t != nil && !d.gone[n] {
			return own(*t), true
		}
		return core.Topic{}, false
	})
}

// done returns the change that was drafted, as an edit. What goes in it leaves
// tombstones, and a name that was given up ends where something is designed anew.
func (d *draft) done(ctx context.Context, k Kind, say core.Sentence) (Change, error) {
	c := &d.c
	d.settle()
	d.rename()
	if c.nothing() {
		return Change{}, nil
	}
	c.Edit = d.s.begun(ctx, k, say)
	if t := c.Task; t != nil {
		c.Edit.From, c.Edit.To, c.Edit.Task = t.From, t.To, cmp.Or(t.ID, d.v.Revision+1)
	}
	c.bury(d.v, d.actor, k != Move)
	return d.c, nil
}

// settle keeps in each Remove only what does not come back.
func (d *draft) settle() {
	settleRows(&d.c.Topics, topicKey)
	settleRows(&d.c.Places, placeKey)
	settleRows(&d.c.Rules, ruleKey)
	settleRows(&d.c.Alarms, alarmKey)
}

func settleRows[K ~string, T any](rows *Rows[K, T], key func(*T) K) {
	if len(rows.Remove) == 0 || len(rows.Put) == 0 {
		return
	}
	put := make(map[K]bool, len(rows.Put))
	for i := range rows.Put {
		put[key(&rows.Put[i])] = true
	}
	rows.Remove = slices.DeleteFunc(slices.Clone(rows.Remove), func(k K) bool { return put[k] })
}

package plan

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// AnswerFor is how long a name that was given up answers.
const AnswerFor = 24 * time.Hour

const (
	maxRenamed  = 1000
	rememberFor = 30 * 24 * time.Hour // who removed a topic
	maxRemoved  = 10_000
)

// alias is a name that was given up, and counts who still uses it.
type alias struct {
	core.Renamed
	uses *atomic.Int64
}

// alias makes what v has to answer questions about its renamed. Counts go on from
// those of old, which may be nil.
func (v *view) alias(old *view) {
	v.aliases = make(map[topic.Name]*alias, len(v.renamed))
	for _, r := range v.renamed {
		a := &alias{*r, new(atomic.Int64)}
		if old != nil {
			if was := old.aliases[r.Old]; was != nil && was.New == r.New {
				a.uses = was.uses
			}
		}
		v.aliases[r.Old] = a
	}
	v.Design.Renamed = v.answering()
}

// answering returns the names that still answer, oldest first, with their uses now.
func (v *view) answering() (rs []core.Renamed) {
	for _, r := range v.renamed {
		one := *r
		one.Uses = int(v.aliases[r.Old].uses.Load())
		rs = append(rs, one)
	}
	slices.SortStableFunc(rs, func(a, b core.Renamed) int { return a.Until.Compare(b.Until) })
	return rs
}

// Renamed returns the name that n has now, where it was given up for another and
// still answers.
func (s *Service) Renamed(n topic.Name) (to topic.Name, ok bool) {
	v := s.view.Load()
	if len(v.aliases) == 0 { // the broker asks for each message
		return "", false
	}
	a, rest := v.renamedAt(n)
	if a == nil || !time.Now().Before(a.Until) {
		return "", false
	}
	to = a.New + rest
	if _, err := topic.ParseName(string(to)); err != nil {
		return "", false
	}
	return to, true
}

// Used counts that somebody used n, or a name below it, that was given up.
func (s *Service) Used(n topic.Name) {
	if a, _ := s.view.Load().renamedAt(n); a != nil {
		a.uses.Add(1)
	}
}

// renamedAt returns the alias that n is at or under, and what follows it in n.
func (v *view) renamedAt(n topic.Name) (a *alias, rest topic.Name) {
	for i := len(n); i > 0; i = strings.LastIndexByte(string(n[:i]), '/') {
		if a := v.aliases[n[:i]]; a != nil {
			return a, n[i:]
		}
	}
	return nil, ""
}

// endRenamed ends the names that have answered long enough, and shows in Design
// how often the others were used.
func (s *Service) endRenamed(ctx context.Context) error {
	s.count()
	over := func(v *view) (c Change) {
		for _, r := range v.renamed {
			if !time.Now().Before(r.Until) {
				c.Renamed.Remove = append(c.Renamed.Remove, r.Old)
			}
		}
		return c
	}
	if len(over(s.view.Load()).Renamed.Remove) == 0 {
		return nil
	}
	_, err := s.edit(ctx, func(v *view) (Change, error) { return over(v), nil })
	return err
}

// count swaps the view for one that tells how often names were used since. Nothing
// else is different, so nobody is told.
func (s *Service) count() {
	s.editing.Lock()
	defer s.editing.Unlock()
	v := s.view.Load()
	if !slices.ContainsFunc(v.Design.Renamed, func(r core.Renamed) bool { return int(v.aliases[r.Old].uses.Load()) != r.Uses }) {
		return
	}
	next, design := *v, *v.Design
	design.Renamed = v.answering()
	next.Design = &design
	s.view.Store(&next)
}

// slip reports whether nothing is designed at or under n, and meant is a designed topic.
func (v *view) slip(n, meant topic.Name) bool {
	return v.Topic(meant) != nil && len(under(v.Topics, n, topicKey))+len(under(v.Places, n, placeKey)) == 0
}

// accept lets n, which arrives and is not designed, answer for meant.
func (s *Service) accept(ctx context.Context, n, meant topic.Name, apply bool) error {
	if !apply {
		return nil
	}
	_, err := s.edit(ctx, func(v *view) (c Change, err error) {
		switch {
		case !v.slip(n, meant):
			return c, designedAlready(n)
		case len(v.renamed) >= maxRenamed:
			return c, core.Fail(core.ErrConflict, "{n} names that were given up answer already. Wait until some have ended, or change what the kits send.", "n", len(v.renamed))
		}
		c.Renamed.Put = []core.Renamed{{Old: n, New: meant, Until: now().Add(AnswerFor)}}
		return c, nil
	})
	return err
}

// rename puts into d what becomes of names that were given up: a move adds one,
// and those that lead to what moves follow it; where something is designed again,
// they end.
func (d *draft) rename() {
	was := make(map[topic.Name]core.Renamed, len(d.v.renamed))
	for _, r := range d.v.renamed {
		was[r.Old] = *r
	}
	is := maps.Clone(was)
	if t := d.c.Task; t != nil && t.Kind == Move {
		for _, r := range was {
			switch {
			case core.Within(r.New, t.From):
				r.New = t.To + r.New[len(t.From):]
				is[r.Old] = r
			case core.Within(t.From, r.New): // a part of it
				part := core.Renamed{Old: r.Old + t.From[len(r.New):], New: t.To, Until: r.Until}
				if _, there := is[part.Old]; !there && checkName(part.Old) == nil {
					is[part.Old] = part
				}
			}
		}
		is[t.From] = core.Renamed{Old: t.From, New: t.To, Until: now().Add(AnswerFor)}
	}
	if len(is) == 0 {
		return
	}
	end := func(n topic.Name) {
		for i := len(n); i > 0; i = strings.LastIndexByte(string(n[:i]), '/') {
			delete(is, n[:i])
		}
	}
	for i := range d.c.Topics.Put {
		end(d.c.Topics.Put[i].Name)
	}
	for i := range d.c.Places.Put {
		end(d.c.Places.Put[i].Name)
	}
	maps.DeleteFunc(is, func(_ topic.Name, r core.Renamed) bool { return core.Within(r.New, r.Old) })
	oldest := slices.SortedFunc(maps.Values(is), func(a, b core.Renamed) int {
		if c := a.Until.Compare(b.Until); c != 0 {
			return c
		}
		return strings.Compare(string(a.Old), string(b.Old))
	})
	for _, r := range oldest[:max(0, len(oldest)-maxRenamed)] {
		delete(is, r.Old)
	}
	for old := range was {
		if _, stays := is[old]; !stays {
			d.c.Renamed.Remove = append(d.c.Renamed.Remove, old)
		}
	}
	for old, r := range is {
		if r != was[old] {
			d.c.Renamed.Put = append(d.c.Renamed.Put, r)
		}
	}
	slices.Sort(d.c.Renamed.Remove)
	slices.SortFunc(d.c.Renamed.Put, func(a, b core.Renamed) int { return strings.Compare(string(a.Old), string(b.Old)) })
}

// Removed returns who removed n, or the topic whose commands it takes, where it
// was designed once and is no longer.
func (s *Service) Removed(n topic.Name) (core.Removal, bool) {
	v := s.view.Load()
	if len(v.removed) == 0 || v.designed(n) {
		return core.Removal{}, false
	}
	r, ok := v.removed[n]
	if state, is := strings.CutSuffix(string(n), setSuffix); !ok && is {
		r, ok = v.removed[topic.Name(state)]
	}
	if !ok || time.Since(r.At) >= rememberFor {
		return core.Removal{}, false
	}
	return r, true
}

// bury puts tombstones into c for the topics that by removes, and takes away those
// of what is designed again. The oldest go where there are too many.
func (c *Change) bury(v *view, by core.AccountID, removes bool) {
	at, gone := now(), map[topic.Name]bool{}
	for i := range c.Topics.Put {
		n := c.Topics.Put[i].Name
		if _, removed := v.removed[n]; removed {
			c.Removed.Remove, gone[n] = append(c.Removed.Remove, n), true
		}
	}
	if !removes {
		return
	}
	for _, n := range c.Topics.Remove[:min(len(c.Topics.Remove), maxRemoved)] {
		r := core.Removal{Under: n, Topics: 1, Account: by, At: at, Until: at}
		if t := c.Task; t != nil {
			r = t.removal()
			r.ID = v.Revision + 1
		}
		c.Removed.Put = append(c.Removed.Put, Tombstone{n, r})
		gone[n] = true
	}
	var stay []Tombstone
	for n, r := range v.removed {
		if gone[n] {
			continue
		}
		if at.Sub(r.At) >= rememberFor {
			c.Removed.Remove = append(c.Removed.Remove, n)
		} else {
			stay = append(stay, Tombstone{n, r})
		}
	}
	if most := maxRemoved - len(c.Removed.Put); len(stay) > most {
		slices.SortFunc(stay, func(a, b Tombstone) int {
			if c := a.At.Compare(b.At); c != 0 {
				return c
			}
			return strings.Compare(string(a.Topic), string(b.Topic))
		})
		for _, t := range stay[:len(stay)-most] {
			c.Removed.Remove = append(c.Removed.Remove, t.Topic)
		}
	}
}

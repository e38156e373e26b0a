package plan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// The history is told so many descriptions right after an edit, and so many at
// each tick.
const (
	fewTold  = 32
	manyTold = 2000
)

// Describe keeps what a person said about a series: of a designed topic the plan
// does, as an edit; of anything else the history.
func (s *Service) Describe(ctx context.Context, series core.Series, d core.Description) error {
	if t, ok := s.Topic(series.Topic()); ok && series.Leaf() == "" {
		t.Description, t.Changed = d, time.Time{}
		return s.ChangeTopic(ctx, t)
	}
	if s.cfg.Describe == nil {
		return core.Fail(core.ErrNotFound, "{topic} is not designed. Create it first.", "topic", short(series.Topic()))
	}
	return s.cfg.Describe(ctx, series, d)
}

// said notes that the history has to be told about t, where old said something
// else. The caller holds editing.
func (s *Service) said(old *view, t *core.Topic) {
	if s.cfg.Describe == nil {
		return
	}
	var before core.Description
	if old != nil {
		if was := old.Topic(t.Name); was != nil {
			before = was.Description
		}
	}
	if t.Description != before {
		s.untold[t.Name] = struct{}{}
	}
}

// tellSoon tells the history now where it is little, and leaves the rest to Run.
func (s *Service) tellSoon(ctx context.Context) {
	s.editing.Lock()
	n := len(s.untold)
	s.editing.Unlock()
	if n == 0 || n > fewTold {
		return
	}
	if err := s.tell(context.WithoutCancel(ctx), fewTold); err != nil {
		s.cfg.Log.Warn("plan: descriptions follow later", "err", err)
	}
}

// tell tells the history what is said about at most so many topics.
func (s *Service) tell(ctx context.Context, most int) error {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.editing.Lock()
	var names []topic.Name
	for n := range s.untold {
		if len(names) < most {
			names = append(names, n)
			delete(s.untold, n)
		}
	}
	s.editing.Unlock()
	if len(names) == 0 {
		return nil
	}
	err := s.tellAll(ctx, &names)
	if err != nil {
		s.editing.Lock()
		for _, n := range names {
			s.untold[n] = struct{}{}
		}
		s.editing.Unlock()
		return fmt.Errorf("plan: %w", err)
	}
	return nil
}

// tellAll tells the history about names, and takes from them what it was told.
func (s *Service) tellAll(ctx context.Context, names *[]topic.Name) error {
	var known map[core.Series]core.Description
	if s.cfg.Described != nil {
		var err error
		if known, err = s.cfg.Described(ctx); err != nil {
			return err
		}
	}
	for ; len(*names) > 0; *names = (*names)[1:] {
		n := (*names)[0]
		t, ok := s.Topic(n)
		if !ok || known != nil && known[core.Series(n)] == t.Description {
			continue
		}
		err := s.cfg.Describe(ctx, core.Series(n), t.Description)
		var told *core.Problem
		if errors.As(err, &told) && errors.Is(err, core.ErrInvalid) { // it will not be taken another time either
			s.cfg.Log.Error("plan: the history does not take a description", "topic", n, "err", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// adopt takes over what the history was told about topics before the plan had
// descriptions of its own, once.
func (s *Service) adopt(ctx context.Context) error {
	if !s.view.Load().adopt || s.cfg.Described == nil {
		return nil
	}
	known, err := s.cfg.Described(ctx)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	_, err = s.edit(ctx, func(v *view) (Change, error) {
		c := Change{Adopted: v.adopt}
		for _, t := range v.Topics {
			d := known[core.Series(t.Name)]
			if t.Description != (core.Description{}) || d == (core.Description{}) {
				continue
			}
			described := own(*t)
			if described.Description = d; check(described) == nil {
				c.Topics.Put = append(c.Topics.Put, described)
			}
		}
		return c, nil
	})
	return err
}

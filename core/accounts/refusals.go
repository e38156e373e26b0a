package accounts

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// maxPending is how many different refusals wait for the disk at most.
const maxPending = 1000

// refused holds the refusals that are not in the store yet.
type refused struct {
	// moving is held while refusals go to the store, and to read by whoever
	// wants both, so that nothing is counted twice. Taken before mu.
	moving  sync.RWMutex
	mu      sync.Mutex
	pending map[string]core.Refusal // guarded by mu; by sameness
	sources buckets                 // guarded by mu; of new ones from each address
}

// Refuse keeps r for its owner and the teacher. It never waits for the disk.
// A repetition raises the count of the first. Whoever is refused more
// different things than anybody could read gets one refusal that says so.
// Action and Topic are kept where that grant would help the account.
//
// Where At is zero it is now; where Count is zero it is 1.
func (s *Service) Refuse(r core.Refusal) {
	if r.At.IsZero() {
		r.At = time.Now()
	}
	r.Count = max(r.Count, 1)
	r.Name, r.Client, r.Addr = core.Readable(r.Name, 64), core.Readable(r.Client, 64), host(r.Addr)
	if !s.view.Load().lacks(r.Account, r.Action, r.Topic) {
		r.Action, r.Topic = "", ""
	}
	r.Say = tidy(r.Say)
	if s.refused.add(r) {
		s.cfg.Feed.Tell(core.RefusalsChanged)
	}
}

// lacks reports whether a grant to do a to f is what the account lacks.
func (v *view) lacks(id core.AccountID, a core.Action, f topic.Filter) bool {
	m := v.byID[id]
	if m == nil || m.Disabled || m.may(a, f) {
		return false
	}
	if parsed, err := topic.ParseFilter(string(f)); err != nil || parsed != f {
		return false
	}
	switch a {
	case core.Publish:
		return f[0] != '$' && !wild(f)
	case core.Subscribe:
		return true
	}
	return false
}

// add reports whether r is a new one.
func (p *refused) add(r core.Refusal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending == nil {
		p.pending = map[string]core.Refusal{}
	}
	if _, ok := p.pending[sameness(r)]; !ok {
		switch over := p.sources.take(source(r.Addr), time.Now()) > 0; {
		case len(p.pending) >= maxPending-1:
			r = core.Refusal{At: r.At, Count: r.Count,
				Say: core.Say("More was refused than can be listed here. Look at what is connected.")}
		case over:
			r = core.Refusal{At: r.At, Count: r.Count, Addr: r.Addr,
				Say: core.Say("More was refused to {addr} than can be listed here. Look at what runs there.", "addr", r.Addr)}
		}
	}
	k := sameness(r)
	old, ok := p.pending[k]
	p.pending[k] = merge(old, r)
	return !ok
}

// sameness is equal for refusals that are counted, not kept one by one.
func sameness(r core.Refusal) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\x00%s\x00%s\x00%s", r.Account, r.Name, r.Client, r.Say.Format)
	for _, a := range r.Say.Args {
		fmt.Fprintf(&b, "\x00%v", a)
	}
	return b.String()
}

// merge returns r with what old adds to it. old may be zero.
func merge(old, r core.Refusal) core.Refusal {
	r.ID = max(r.ID, old.ID)
	r.Count += old.Count
	if old.At.After(r.At) {
		r.At, r.Addr = old.At, old.Addr
	}
	return r
}

// flush moves what is pending to the store.
func (s *Service) flush(ctx context.Context) error {
	p := &s.refused
	p.moving.Lock()
	defer p.moving.Unlock()
	p.mu.Lock()
	batch := make([]core.Refusal, 0, len(p.pending))
	for _, r := range p.pending {
		batch = append(batch, r)
	}
	clear(p.pending)
	p.sources.forget(time.Now())
	p.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	slices.SortFunc(batch, func(a, b core.Refusal) int { return a.At.Compare(b.At) })
	err := s.cfg.Store.AddRefusals(ctx, batch)
	if err != nil { // a full disk, perhaps: keep them in memory
		p.mu.Lock()
		for _, r := range batch {
			if k := sameness(r); len(p.pending) < maxPending || p.pending[k].Count > 0 {
				p.pending[k] = merge(p.pending[k], r)
			}
		}
		p.mu.Unlock()
		return fmt.Errorf("accounts: keep refusals: %w", err)
	}
	s.cfg.Feed.Tell(core.RefusalsChanged)
	return nil
}

// Refusals returns at most limit of what was refused, newest first. Those that
// are not on the disk yet have no ID.
func (s *Service) Refusals(limit int) []core.Refusal {
	return s.refusals(limit, nil, func(core.Refusal) bool { return true })
}

// RefusalsOf returns at most limit of what was refused to the account, and to
// whoever tried to sign in with its name, newest first. A person in a team
// reads what was refused to the team's kits too.
func (s *Service) RefusalsOf(id core.AccountID, limit int) []core.Refusal {
	v := s.view.Load()
	m := v.byID[id]
	if m == nil {
		return nil
	}
	of := []core.Account{m.Account}
	if m.Team != "" && m.Role != core.Kit {
		for _, k := range v.members {
			if k.Role == core.Kit && k.Team == m.Team && k != m {
				of = append(of, k.Account)
			}
		}
	}
	return s.refusals(limit, of, func(r core.Refusal) bool {
		return slices.ContainsFunc(of, func(a core.Account) bool {
			return r.Account == a.ID || r.Account == 0 && r.Name == string(a.Name)
		})
	})
}

func (s *Service) refusals(limit int, of []core.Account, mine func(core.Refusal) bool) []core.Refusal {
	if limit <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	p := &s.refused
	p.moving.RLock()
	defer p.moving.RUnlock()
	rs, err := s.cfg.Store.Refusals(ctx, of, limit)
	if err != nil {
		s.cfg.Log.Error("accounts: read refusals", "err", err)
	}
	at := make(map[string]int, len(rs))
	for i, r := range rs {
		at[sameness(r)] = i
	}
	p.mu.Lock()
	for k, r := range p.pending {
		if i, ok := at[k]; ok {
			rs[i] = merge(rs[i], r)
		} else if mine(r) {
			rs = append(rs, r)
		}
	}
	p.mu.Unlock()
	slices.SortFunc(rs, func(a, b core.Refusal) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID)) })
	return rs[:min(limit, len(rs))]
}

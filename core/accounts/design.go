package accounts

import (
	"crypto/subtle"
	"slices"
	"sync"

	"homeroom/core"
	"homeroom/core/topic"
)

// SetDesigned replaces what accounts may do because the plan draws them so; the
// grants that people give stay beside it. Each is for one account. They are not
// kept: who draws sets them again at each start. It asks no disk, so it cannot
// fail, and live sessions feel it at once.
func (s *Service) SetDesigned(grants []core.Grant) {
	s.editing.Lock()
	defer s.editing.Unlock()
	if slices.Equal(grants, s.designed) {
		return
	}
	s.designed = slices.Clone(grants)
	old := s.view.Load()
	v := newView()
	v.revision, v.teams, v.grants, v.designed = old.revision, slices.Clone(old.teams), slices.Clone(old.grants), s.designed
	for _, m := range old.members {
		v.members = append(v.members, &member{Account: m.Account, secret: m.secret})
	}
	v.index()
	s.view.Store(v)
	s.cfg.Feed.Tell(core.AccountsChanged)
}

// Named returns the account that signs in with that name.
func (s *Service) Named(name topic.ID) (core.Account, bool) {
	if m := s.view.Load().byName[name]; m != nil {
		return m.Account, true
	}
	return core.Account{}, false
}

// Designed returns a copy of what the plan allows, in the order in which it was set.
func (s *Service) Designed() []core.Grant { return slices.Clone(s.view.Load().designed) }

// lent are secrets that sign in beside the account's own. They are never kept.
type lent struct {
	mu   sync.Mutex
	sums map[core.AccountID]string // guarded by mu
}

// Lend returns a random secret that signs in as the account until the program
// ends or another is lent; the account's own secret stays what it is. With it the
// program itself is a client like any other: a virtual kit. Only a kit's account
// lends, and only as long as it is one.
func (s *Service) Lend(id core.AccountID) (secret string, err error) {
	switch m := s.view.Load().byID[id]; {
	case m == nil:
		return "", notFound()
	case m.Role != core.Kit:
		return "", core.Fail(core.ErrDenied, "{name} is the account of a person, so no virtual kit may sign in with it. Choose another account for the kit.", "name", m.Name)
	}
	secret = randomSecret()
	s.lent.mu.Lock()
	defer s.lent.mu.Unlock()
	if s.lent.sums == nil {
		s.lent.sums = map[core.AccountID]string{}
	}
	s.lent.sums[id] = s.sum(secret)
	return secret, nil
}

// lentTo reports whether the secret with that sum is lent to the account.
func (l *lent) lentTo(id core.AccountID, sum string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	own, ok := l.sums[id]
	return ok && subtle.ConstantTimeCompare([]byte(own), []byte(sum)) == 1
}

package accounts

import (
	"context"
	"crypto/subtle"
	"slices"
	"sync"

	"homeroom/core"
)

// SetDesigned replaces what accounts may do because the plan draws them so; the
// grants that people give stay beside it. Each is for one account. They are not
// kept: who draws sets them again at each start. Live sessions feel it at once.
func (s *Service) SetDesigned(ctx context.Context, grants []core.Grant) error {
	s.editing.Lock()
	defer s.editing.Unlock()
	if slices.Equal(grants, s.designed) {
		return nil
	}
	s.designed = slices.Clone(grants)
	return s.load(ctx)
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
// program itself is a client like any other: a virtual kit.
func (s *Service) Lend(id core.AccountID) (secret string, err error) {
	if s.view.Load().byID[id] == nil {
		return "", notFound()
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

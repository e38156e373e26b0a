// Package accounts knows who may connect and what they may do: people, kits,
// teams, grants, and what was refused (DESIGN.md, section 7).
//
// Everything it is asked is answered from memory. What is kept is read into an
// immutable view that is swapped whole after each change, so a question never
// waits for a change, and never for the disk.
package accounts

import (
	"cmp"
	"context"
	"crypto/rand"
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

// Limits of one installation.
const (
	MaxAccounts = 10_000
	MaxTeams    = 1_000
	MaxGrants   = 100 // of one account, team or role
)

const (
	pollEvery  = 300 * time.Millisecond // how soon a change by another process is seen
	flushEvery = time.Second            // how long a refusal may wait for the disk
)

// Store keeps what this package knows. Another process may use it too.
//
// Every Edit is made against a revision, a number that changes with each
// edit whoever makes it. An edit whose revision is no longer the present
// one is not made and returns core.ErrConflict; nothing else does.
type Store interface {
	peopleStore
	teamStore
	grantStore
	refusalStore
	auditStore
	tokenStore
	// AccountsRevision returns the present revision; it is asked often.
	AccountsRevision(ctx context.Context) (int64, error)
	// ReadAccounts hands over everything that is kept, as of the revision it returns.
	ReadAccounts(ctx context.Context, account func(a core.Account, secret string), team func(core.Team), grant func(core.Grant)) (revision int64, err error)
	// InstallKey returns the 32 random bytes that this installation uses for
	// purpose, made when they are first asked for.
	InstallKey(ctx context.Context, purpose string) ([]byte, error)
}

// Edit goes with each change: the revision that it was made against, and what
// the audit says about it, which is kept in the same transaction.
type Edit struct {
	Revision int64
	Audit    []core.Audit
}

type peopleStore interface {
	AddAccount(ctx context.Context, e Edit, a core.Account, secret string) (core.AccountID, error)
	// ChangeAccount writes label, role, team, disabled, mounted, limits and
	// version; and the secret, unless it is "".
	ChangeAccount(ctx context.Context, e Edit, a core.Account, secret string) error
	// RemoveAccount removes the account, its grants and its families. Its ID is
	// never used again.
	RemoveAccount(ctx context.Context, e Edit, id core.AccountID) error
}

type teamStore interface {
	AddTeam(ctx context.Context, e Edit, t core.Team) error
	ChangeTeam(ctx context.Context, e Edit, t core.Team) error
	// RemoveTeam removes the team and its grants. Its accounts stay, without
	// a team and with a version raised by one.
	RemoveTeam(ctx context.Context, e Edit, name topic.ID) error
}

type grantStore interface {
	AddGrant(ctx context.Context, e Edit, g core.Grant) (id int64, err error)
	RemoveGrant(ctx context.Context, e Edit, id int64) error
}

type refusalStore interface {
	// AddRefusals adds rs in one transaction. Where the same account, name,
	// client and sentence is kept already, it raises that one's count and time.
	// The newest 10,000 are kept.
	AddRefusals(ctx context.Context, rs []core.Refusal) error
	// Refusals returns the newest, first. With of, only those of these
	// accounts and those of nobody who tried one of their names.
	Refusals(ctx context.Context, of []core.Account, limit int) ([]core.Refusal, error)
}

// Config is everything a Service needs.
type Config struct {
	Store Store
	Feed  *core.Feed
	Log   *slog.Logger
	// Open lets everybody do everything but publish to the broker's own "$" topics.
	Open bool
	// Strength is how hard a password is to guess from its hash.
	Strength Strength
	// NewCode is told each claim code after the first, so that it can be
	// printed. It may be nil.
	NewCode func(code string)
}

// Service answers every question about accounts, and makes every change.
// Its methods may be called from any goroutine.
type Service struct {
	cfg      Config
	view     atomic.Pointer[view]
	editing  sync.Mutex // held while a change is made or the view is read anew; taken before all others
	key      []byte     // of the HMAC of random secrets
	nobody   string     // hash that an unknown name is compared with
	verify   func(hash, password string) bool
	slots    chan struct{}
	throttle throttle
	claim    claim
	refused  refused
	tokens   tokens
	codes    codes
	designed []core.Grant // guarded by editing; see SetDesigned
	lent     lent
}

// Open reads everything from the store.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	s := &Service{cfg: cfg, slots: make(chan struct{}, 2), verify: verifyPassword}
	var err error
	if s.key, err = cfg.Store.InstallKey(ctx, "kit secrets"); err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	s.nobody = cfg.Strength.hash(rand.Text())
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	if err := s.openTokens(ctx); err != nil {
		return nil, err
	}
	if !s.Claimed() {
		s.claim.code = randomCode()
	}
	return s, nil
}

// Run keeps what was refused, follows the changes that other processes make,
// and forgets what is too old, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	forget := time.NewTicker(time.Minute)
	defer forget.Stop()
	var failing [3]bool
	report := func(i int, err error) {
		if err != nil && !failing[i] && ctx.Err() == nil {
			s.cfg.Log.Error("accounts", "err", err) // once: a full disk fails every second
		}
		failing[i] = err != nil
	}
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
			defer cancel()
			return s.flush(last)
		case <-poll.C:
			report(0, s.follow(ctx))
		case <-flush.C:
			report(1, s.flush(ctx))
		case <-forget.C:
			s.throttle.forget()
			s.codes.forget()
			report(2, s.forgetTokens(ctx))
		}
	}
}

// follow reads everything anew where another process changed something.
func (s *Service) follow(ctx context.Context) error {
	now, err := s.cfg.Store.AccountsRevision(ctx)
	if err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	s.editing.Lock()
	defer s.editing.Unlock()
	if now == s.view.Load().revision {
		return nil
	}
	return s.load(ctx)
}

// load reads everything and makes it the view. The caller holds editing.
func (s *Service) load(ctx context.Context) error {
	v := newView()
	var err error
	v.revision, err = s.cfg.Store.ReadAccounts(ctx,
		func(a core.Account, secret string) {
			v.members = append(v.members, &member{Account: a, secret: secret})
		},
		func(t core.Team) { v.teams = append(v.teams, t) },
		func(g core.Grant) { v.grants = append(v.grants, g) })
	if err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	v.designed = s.designed
	v.index()
	s.view.Store(v)
	s.cfg.Feed.Tell(core.AccountsChanged)
	return nil
}

// edit makes one change: change checks it against the view and writes it.
// Where another process was faster it is called again with a new view.
func (s *Service) edit(ctx context.Context, change func(v *view) error) error {
	s.editing.Lock()
	defer s.editing.Unlock()
	for {
		err := change(s.view.Load())
		var told *core.Problem
		if errors.As(err, &told) {
			return err
		}
		late := errors.Is(err, core.ErrConflict)
		if err != nil && !late {
			return fmt.Errorf("accounts: %w", err)
		}
		// The change is kept, so it must be seen even where the caller has gone.
		if err := s.load(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		if !late {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("accounts: %w", err)
		}
	}
}

// Claimed reports whether there is a teacher.
func (s *Service) Claimed() bool { return s.view.Load().teachers > 0 }

// Accounts returns a copy of all accounts in order of name.
func (s *Service) Accounts() []core.Account {
	v := s.view.Load()
	all := make([]core.Account, len(v.members))
	for i, m := range v.members {
		all[i] = m.Account
	}
	return all
}

// Account returns the account with that ID.
func (s *Service) Account(id core.AccountID) (core.Account, bool) {
	if id == core.Anyone && s.cfg.Open {
		return anyone, true
	}
	if m := s.view.Load().byID[id]; m != nil {
		return m.Account, true
	}
	return core.Account{}, false
}

// Current reports whether the account exists, is enabled and has that version.
// What was opened under another version must end.
func (s *Service) Current(id core.AccountID, version int64) bool {
	a, ok := s.Account(id)
	return ok && !a.Disabled && a.Version == version
}

// Teams returns a copy of all teams in order of name.
func (s *Service) Teams() []core.Team { return slices.Clone(s.view.Load().teams) }

// Grants returns a copy of all grants in order of ID.
func (s *Service) Grants() []core.Grant { return slices.Clone(s.view.Load().grants) }

// anyone is who connects without an account while everything is open.
var anyone = core.Account{ID: core.Anyone, Name: "anyone", Role: core.Student, Version: 1}

// view is everything at one moment. Nobody changes it once it is in use.
type view struct {
	revision int64
	members  []*member // in order of name
	teams    []core.Team
	grants   []core.Grant
	designed []core.Grant // what the plan draws
	byID     map[core.AccountID]*member
	byName   map[topic.ID]*member
	byTeam   map[topic.ID]core.Team
	teachers int // that exist
	enabled  int // teachers that are enabled
}

func newView() *view {
	return &view{byID: map[core.AccountID]*member{}, byName: map[topic.ID]*member{}, byTeam: map[topic.ID]core.Team{}}
}

// member is an account with what it needs to answer for itself.
type member struct {
	core.Account
	secret             string // encoded hash
	publish, subscribe []topic.Filter
	mount              topic.Filter // "blue/", or "" where its names are the real ones
	branches           []string     // literal first levels of what it may publish and read
}

func (m *member) allowed(a core.Action) []topic.Filter {
	switch a {
	case core.Publish:
		return m.publish
	case core.Subscribe:
		return m.subscribe
	}
	return nil
}

func (v *view) index() {
	slices.SortFunc(v.members, func(a, b *member) int { return strings.Compare(string(a.Name), string(b.Name)) })
	slices.SortFunc(v.teams, func(a, b core.Team) int { return strings.Compare(string(a.Name), string(b.Name)) })
	slices.SortFunc(v.grants, func(a, b core.Grant) int { return cmp.Compare(a.ID, b.ID) })
	for _, t := range v.teams {
		v.byTeam[t.Name] = t
	}
	bySubject := map[core.Subject][]core.Grant{}
	for _, g := range v.grants {
		bySubject[g.Subject] = append(bySubject[g.Subject], g)
	}
	for _, g := range v.designed {
		bySubject[g.Subject] = append(bySubject[g.Subject], g)
	}
	for _, m := range v.members {
		v.byID[m.ID], v.byName[m.Name] = m, m
		if m.Role == core.Teacher {
			v.teachers++
			if !m.Disabled {
				v.enabled++
			}
		}
		m.compile(bySubject[core.Subject{Account: m.ID}])
		m.compile(bySubject[core.Subject{Role: m.Role}])
		if _, ok := v.byTeam[m.Team]; ok {
			m.compile(bySubject[core.Subject{Team: m.Team}])
			if m.Mounted && m.Role != core.Teacher {
				m.mount = topic.Filter(m.Team) + "/"
			}
		}
	}
}

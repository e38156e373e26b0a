package accounts

import (
	"context"
	"crypto/subtle"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"homeroom/core"
	"homeroom/core/topic"
)

// maxLabel is the longest display name, in characters.
const maxLabel = 64

// Add adds an account with a's name, label, role, team, disabled, mounted and
// limits, and returns it. Without a password a kit gets a random secret, which
// is returned and never seen again.
//
// Kits and students are usually mounted, also those who get a team only later;
// teachers are not, whatever is asked for here.
//
// It fails with core.ErrInvalid, and with core.ErrConflict where an account or
// a team has the name.
func (s *Service) Add(ctx context.Context, a core.Account, password string) (added core.Account, secret string, err error) {
	return s.add(ctx, a, password, func(*view) error { return nil })
}

func (s *Service) add(ctx context.Context, a core.Account, password string, check func(*view) error) (added core.Account, secret string, err error) {
	if err := checkAccount(a); err != nil {
		return core.Account{}, "", err
	}
	if err := s.view.Load().free(a.Name); err != nil {
		return core.Account{}, "", err // before the slow hash; asked again below
	}
	var hash string
	if a.Role == core.Kit && password == "" {
		secret = randomSecret()
		hash = s.sum(secret)
	} else if hash, err = s.newPassword(ctx, password); err != nil {
		return core.Account{}, "", err
	}
	a.Version, a.Created = 1, time.Now()
	err = s.edit(ctx, func(v *view) (err error) {
		if err := check(v); err != nil {
			return err
		}
		if err := v.free(a.Name); err != nil {
			return err
		}
		if err := v.checkTeam(a.Team); err != nil {
			return err
		}
		if len(v.members) >= MaxAccounts {
			return full()
		}
		a.ID, err = s.cfg.Store.AddAccount(ctx, v.edit(ctx, sayAdded(a)), a, hash)
		return err
	})
	if err != nil {
		return core.Account{}, "", err
	}
	if now, ok := s.Account(a.ID); ok {
		a = now
	}
	return a, secret, nil
}

// Change gives the account a's label, role, team, disabled, mounted and limits.
// a is the account as it was read, changed: where somebody else has changed it
// since, core.ErrConflict. What the account has open ends, unless only the
// label and the limits are different.
func (s *Service) Change(ctx context.Context, a core.Account) error {
	if err := checkAccount(a); err != nil {
		return err
	}
	return s.edit(ctx, func(v *view) error {
		m := v.byID[a.ID]
		switch {
		case m == nil:
			return notFound()
		case m.Name != a.Name:
			return core.Fail(core.ErrInvalid, "{name} cannot be renamed. Add a new account instead.", "name", m.Name)
		case m.Version != a.Version:
			return core.Fail(core.ErrConflict, "{name} was changed meanwhile. Look at it again and repeat your change.", "name", m.Name)
		}
		if err := v.checkTeam(a.Team); err != nil {
			return err
		}
		if a.Role != core.Teacher || a.Disabled {
			if err := v.notLast(m); err != nil {
				return err
			}
		}
		if m.Role != a.Role || m.Team != a.Team || m.Disabled != a.Disabled || m.Mounted != a.Mounted {
			a.Version++
		}
		return s.cfg.Store.ChangeAccount(ctx, v.edit(ctx, sayChanged(m.Account, a)...), a, "")
	})
}

// SetPassword gives the account a password that a person chose. What it has open ends.
func (s *Service) SetPassword(ctx context.Context, id core.AccountID, password string) error {
	if s.view.Load().byID[id] == nil {
		return notFound()
	}
	hash, err := s.newPassword(ctx, password)
	if err != nil {
		return err
	}
	return s.setHash(ctx, id, hash, func(name topic.ID) core.Sentence {
		return core.Say("{name} has a new password", "name", name)
	})
}

// ResetSecret gives the account a random secret and returns it; it is never
// seen again. What the account has open ends.
func (s *Service) ResetSecret(ctx context.Context, id core.AccountID) (secret string, err error) {
	secret = randomSecret()
	if err = s.SetSecret(ctx, id, secret); err != nil {
		return "", err
	}
	return secret, nil
}

// NewSecret returns a random secret that SetSecret can make a kit's own.
func (s *Service) NewSecret() string { return randomSecret() }

// SetSecret makes a secret of NewSecret that of the kit, so that the board can have
// it before it counts. What the kit has open ends.
func (s *Service) SetSecret(ctx context.Context, id core.AccountID, secret string) error {
	return s.setHash(ctx, id, s.sum(secret), func(name topic.ID) core.Sentence {
		return core.Say("{name} has a new secret", "name", name)
	})
}

func (s *Service) setHash(ctx context.Context, id core.AccountID, hash string, say func(name topic.ID) core.Sentence) error {
	return s.edit(ctx, func(v *view) error {
		m := v.byID[id]
		if m == nil {
			return notFound()
		}
		a := m.Account
		a.Version++
		return s.cfg.Store.ChangeAccount(ctx, v.edit(ctx, say(a.Name)), a, hash)
	})
}

// Remove removes an account and its grants. What it has open ends.
func (s *Service) Remove(ctx context.Context, id core.AccountID) error {
	return s.edit(ctx, func(v *view) error {
		m := v.byID[id]
		if m == nil {
			return notFound()
		}
		if err := v.notLast(m); err != nil {
			return err
		}
		return s.cfg.Store.RemoveAccount(ctx, v.edit(ctx, core.Say("{name} was removed", "name", m.Name)), id)
	})
}

// AddTeam adds a team. It fails with core.ErrConflict where an account or a
// team has the name.
func (s *Service) AddTeam(ctx context.Context, t core.Team) error {
	if err := checkName(t.Name); err != nil {
		return err
	}
	if err := checkLabel(t.Label); err != nil {
		return err
	}
	return s.edit(ctx, func(v *view) error {
		if err := v.free(t.Name); err != nil {
			return err
		}
		if len(v.teams) >= MaxTeams {
			return core.Fail(core.ErrInvalid, "There are {n} teams already, which is the most. Remove some first.", "n", MaxTeams)
		}
		return s.cfg.Store.AddTeam(ctx, v.edit(ctx, core.Say("Team {team} was added", "team", t.Name)), t)
	})
}

// ChangeTeam gives the team t.Name the label t.Label.
func (s *Service) ChangeTeam(ctx context.Context, t core.Team) error {
	if err := checkLabel(t.Label); err != nil {
		return err
	}
	return s.edit(ctx, func(v *view) error {
		old, ok := v.byTeam[t.Name]
		if !ok {
			return noTeam(t.Name)
		}
		var say []core.Sentence
		if old.Label != t.Label {
			say = append(say, sayLabel(t.Name, t.Label))
		}
		return s.cfg.Store.ChangeTeam(ctx, v.edit(ctx, say...), t)
	})
}

// RemoveTeam removes a team and its grants. Its accounts stay, without a team;
// what they have open ends.
func (s *Service) RemoveTeam(ctx context.Context, name topic.ID) error {
	return s.edit(ctx, func(v *view) error {
		if _, ok := v.byTeam[name]; !ok {
			return noTeam(name)
		}
		return s.cfg.Store.RemoveTeam(ctx, v.edit(ctx, core.Say("Team {team} was removed", "team", name)), name)
	})
}

// Claim adds the first teacher. It fails with core.ErrConflict where there is one.
func (s *Service) Claim(ctx context.Context, name, label, password string) (core.Account, error) {
	if s.Claimed() {
		return core.Account{}, claimed()
	}
	a := core.Account{Name: topic.ID(name), Label: label, Role: core.Teacher}
	a, _, err := s.add(ctx, a, password, func(v *view) error {
		if v.teachers > 0 {
			return claimed()
		}
		return nil
	})
	return a, err
}

// claim is the one-time code that a headless start prints.
type claim struct {
	mu     sync.Mutex
	code   string // guarded by mu; "" where there was a teacher at the start
	misses misses // guarded by mu
}

// ClaimCode returns the code with which the first teacher may claim this
// installation, or "" where that is done.
func (s *Service) ClaimCode() string {
	if s.Claimed() {
		return ""
	}
	s.claim.mu.Lock()
	defer s.claim.mu.Unlock()
	return s.claim.code
}

// ClaimWithCode is Claim for somebody who is not at this machine and so has to
// know the code. After five wrong codes there is a new one, which Config.NewCode
// is told, and from then on tries are delayed. It fails with core.ErrDenied.
func (s *Service) ClaimWithCode(ctx context.Context, code, name, label, password string) (core.Account, error) {
	if s.Claimed() {
		return core.Account{}, claimed()
	}
	fresh, err := s.claim.check(code)
	if fresh != "" && s.cfg.NewCode != nil {
		s.cfg.NewCode(fresh)
	}
	if err != nil {
		return core.Account{}, err
	}
	return s.Claim(ctx, name, label, password)
}

// check fails for a wrong code. fresh is the new code, where there is one.
func (c *claim) check(code string) (fresh string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if wait := c.misses.until.Sub(now); wait > 0 {
		return "", core.Fail(core.ErrDenied, "Too many wrong codes. Wait {n} s and use the code that was printed last.", "n", seconds(wait))
	}
	if c.code != "" && subtle.ConstantTimeCompare([]byte(canonical(code)), []byte(c.code)) == 1 {
		return "", nil
	}
	c.misses = c.misses.add(now)
	if c.misses.n%freeMisses != 0 {
		return "", core.Fail(core.ErrDenied, "That is not the code. Read it again where Homeroom was started.")
	}
	c.code = randomCode()
	return c.code, core.Fail(core.ErrDenied, "Too many wrong codes. A new one was printed where Homeroom was started; use that.")
}

func claimed() error {
	return core.Fail(core.ErrConflict, "There is a teacher already. Sign in, or ask the teacher for an account.")
}

// free returns nil where neither an account nor a team has the name.
func (v *view) free(name topic.ID) error {
	if v.byName[name] != nil {
		return core.Fail(core.ErrConflict, "There is an account called {name} already. Choose another name.", "name", name)
	}
	if _, ok := v.byTeam[name]; ok {
		return core.Fail(core.ErrConflict, "There is a team called {name} already. Choose another name.", "name", name)
	}
	return nil
}

// notLast fails for the only teacher who can still sign in.
func (v *view) notLast(m *member) error {
	if m.Role == core.Teacher && !m.Disabled && v.enabled == 1 {
		return core.Fail(core.ErrConflict, "{name} is the last teacher. Make somebody else a teacher first.", "name", m.Name)
	}
	return nil
}

func (v *view) checkTeam(name topic.ID) error {
	if _, ok := v.byTeam[name]; name != "" && !ok {
		return noTeam(name)
	}
	return nil
}

func checkAccount(a core.Account) error {
	if err := checkName(a.Name); err != nil {
		return err
	}
	if err := checkLabel(a.Label); err != nil {
		return err
	}
	if err := checkRole(a.Role); err != nil {
		return err
	}
	return checkLimits(a.Limits)
}

func checkName(name topic.ID) error {
	if _, err := topic.ParseID(string(name)); err != nil {
		return core.Fail(core.ErrInvalid, "A name is made of small letters a to z, digits and hyphens, {n} at most. Any script is fine for the display name.", "n", topic.MaxID)
	}
	return nil
}

func checkLabel(label string) error {
	if !utf8.ValidString(label) || utf8.RuneCountInString(label) > maxLabel || strings.ContainsFunc(label, unicode.IsControl) {
		return core.Fail(core.ErrInvalid, "A display name is one line of at most {n} characters. Shorten it.", "n", maxLabel)
	}
	return nil
}

func checkRole(r core.Role) error {
	if !slices.Contains([]core.Role{core.Teacher, core.Student, core.Kit}, r) {
		return core.Fail(core.ErrInvalid, "A role is teacher, student or kit. Choose one of them.")
	}
	return nil
}

// checkLimits returns a core.ErrInvalid for limits that nobody can have. A zero
// is always right.
func checkLimits(l core.Limits) error {
	without := func(n, least, most int) bool { return n != 0 && (n < least || n > most) }
	switch {
	case without(l.Messages, 1, 1_000_000):
		return core.Fail(core.ErrInvalid, "Messages a second are 1 to {max}. Use such a number, or 0 for the one in Settings.", "max", 1_000_000)
	case without(l.Bytes, 1<<10, 1<<30):
		return core.Fail(core.ErrInvalid, "Bytes a second are {min} to {max}. Use such a number, or 0 for the one in Settings.", "min", 1<<10, "max", 1<<30)
	case without(l.Connections, 1, 10_000):
		return core.Fail(core.ErrInvalid, "Connections at once are 1 to {max}. Use such a number, or 0 for the one in Settings.", "max", 10_000)
	case without(l.Queue, 64<<10, 1<<30):
		return core.Fail(core.ErrInvalid, "A queue holds {min} to {max} bytes. Use such a number, or 0 for the one in Settings.", "min", 64<<10, "max", 1<<30)
	case without(l.Packet, 1<<10, 4<<20):
		return core.Fail(core.ErrInvalid, "A packet has {min} to {max} bytes. Use such a number, or 0 for the one in Settings.", "min", 1<<10, "max", 4<<20)
	}
	return nil
}

func full() error {
	return core.Fail(core.ErrInvalid, "There are {n} accounts already, which is the most. Remove some first.", "n", MaxAccounts)
}

func notFound() error {
	return core.Fail(core.ErrNotFound, "There is no such account any more. Look at the list again.")
}

func noTeam(name topic.ID) error {
	return core.Fail(core.ErrNotFound, "There is no team called {name}. Add it first.", "name", core.Readable(name, topic.MaxID))
}

package accounts

import (
	"context"
	"sync"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	codeLife = 5 * time.Minute
	maxCodes = 10 // good at the same time for one account or team
)

// codes are the one-time codes that are good now. They end with the program.
type codes struct {
	mu  sync.Mutex
	all map[string]oneTime // guarded by mu; by the sum of the code
}

// oneTime is whom a code signs in: an account at one version, or a team's phone.
type oneTime struct {
	account core.AccountID
	version int64
	team    topic.ID
	until   time.Time
}

// MakeCode returns a code of 8 characters that signs one phone in without a
// password, once, until then: as the account, or, where account is 0, as the
// team's own student account, NAME-phone, which is made when it is first used.
// Capitals, spaces and hyphens do not matter when the code is typed. Whoever
// asks has to know that this person may act as that account.
//
// Of more than ten codes for the same account or team, the oldest ends. It
// fails with core.ErrNotFound, core.ErrDenied for a disabled account, and
// core.ErrConflict where something else has the name of the team's account.
func (s *Service) MakeCode(ctx context.Context, account core.AccountID, team topic.ID) (code string, until time.Time, err error) {
	v := s.view.Load()
	c := oneTime{account: account, team: team, until: time.Now().Add(codeLife)}
	m := v.byID[account]
	var say core.Sentence
	switch {
	case account == 0:
		if m, err = v.phone(team); err != nil {
			return "", time.Time{}, err
		}
		say = core.Say("A one-time code was made for team {team}", "team", team)
	case m == nil:
		return "", time.Time{}, notFound()
	default:
		c.team, c.version = "", m.Version
		say = core.Say("A one-time code was made for {name}", "name", m.Name)
	}
	if m != nil && m.Disabled {
		return "", time.Time{}, disabled(m.Name)
	}
	if err := s.Note(ctx, say); err != nil {
		return "", time.Time{}, err
	}
	code = randomCode()
	s.codes.add(s.sum(code), c)
	return code, c.until, nil
}

// EnterWithCode returns the account that a one-time code is for; from then on
// the code is used up. addr is where the try comes from, with or without port;
// wrong codes delay its next tries. It fails with core.ErrDenied, with one
// answer for a code that is wrong, used or too old. Whoever asks also says so
// with Refuse.
func (s *Service) EnterWithCode(ctx context.Context, code, addr string) (core.Account, error) {
	addr = source(addr)
	guess := "\x00code " + addr // no name is like it: what is tried as a name has no control characters
	if wait, _ := s.throttle.allow(0, guess, addr); wait > 0 {
		return core.Account{}, core.Fail(core.ErrDenied, "Too many wrong codes from {addr}. Wait {n} s and try again.", "addr", addr, "n", seconds(wait))
	}
	c, ok := oneTime{}, false
	if len(code) <= 64 {
		c, ok = s.codes.take(s.sum(code))
	}
	if !ok || c.account != 0 && !s.Current(c.account, c.version) {
		s.throttle.miss(0, guess, addr)
		return core.Account{}, core.Fail(core.ErrDenied, "This code is wrong, was used already or is too old. Ask for a new one.")
	}
	if c.account == 0 {
		var err error
		if c.account, err = s.phone(ctx, c.team); err != nil {
			return core.Account{}, err
		}
	}
	a, ok := s.Account(c.account)
	switch {
	case !ok:
		return core.Account{}, notFound()
	case a.Disabled:
		return core.Account{}, disabled(a.Name)
	}
	s.throttle.hit(a.ID, string(a.Name), addr)
	return a, nil
}

// CodeLeft returns how long a one-time code is still good, 0 if it was used.
func (s *Service) CodeLeft(code string) time.Duration {
	s.codes.mu.Lock()
	defer s.codes.mu.Unlock()
	return max(0, time.Until(s.codes.all[s.sum(code)].until))
}

// phone returns a team's own student account, and makes it where there is none.
func (s *Service) phone(ctx context.Context, team topic.ID) (id core.AccountID, err error) {
	if m, err := s.view.Load().phone(team); err != nil {
		return 0, err
	} else if m != nil {
		return m.ID, nil
	}
	err = s.edit(ctx, func(v *view) error {
		m, err := v.phone(team)
		switch {
		case err != nil:
			return err
		case m != nil: // another phone was faster
			id = m.ID
			return nil
		case len(v.members) >= MaxAccounts:
			return full()
		}
		a := core.Account{Name: phoneOf(team), Role: core.Student, Team: team, Mounted: true, Version: 1, Created: time.Now()}
		id, err = s.cfg.Store.AddAccount(ctx, v.edit(ctx, sayAdded(a)), a, s.sum(randomSecret())) // a secret that nobody has
		return err
	})
	return id, err
}

func phoneOf(team topic.ID) topic.ID { return team + "-phone" }

// phone returns a team's own student account, or nil where it could be made.
func (v *view) phone(team topic.ID) (*member, error) {
	if _, ok := v.byTeam[team]; !ok {
		return nil, noTeam(team)
	}
	name := phoneOf(team)
	if len(name) > topic.MaxID {
		return nil, core.Fail(core.ErrInvalid, "The name of team {team} is too long for an account {name}. Make codes for the students of the team instead.", "team", team, "name", name)
	}
	m := v.byName[name]
	if m == nil {
		if _, ok := v.byTeam[name]; ok {
			return nil, v.free(name)
		}
		return nil, nil
	}
	if m.Role != core.Student || m.Team != team {
		return nil, core.Fail(core.ErrConflict, "Phones of team {team} sign in as {name}, but that is no student of the team. Put it into the team as a student, or remove it.", "team", team, "name", name)
	}
	return m, nil
}

func (c *codes) add(sum string, o oneTime) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[string]oneTime{}
	}
	same, oldest := 0, ""
	for k, x := range c.all {
		if x.account == o.account && x.team == o.team {
			if same++; oldest == "" || x.until.Before(c.all[oldest].until) {
				oldest = k
			}
		}
	}
	if same >= maxCodes {
		delete(c.all, oldest)
	}
	c.all[sum] = o
}

// take returns whom a code is for, and uses it up.
func (c *codes) take(sum string) (oneTime, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, ok := c.all[sum]
	delete(c.all, sum)
	return o, ok && time.Now().Before(o.until)
}

func (c *codes) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, o := range c.all {
		if !time.Now().Before(o.until) {
			delete(c.all, k)
		}
	}
}

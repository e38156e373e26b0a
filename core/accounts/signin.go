package accounts

import (
	"context"
	"crypto/subtle"
	"math"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// Authenticate returns the account with that name and secret. client is the
// MQTT Client Identifier it connects with, "" where it is no MQTT client; addr
// is where the try comes from, with or without port.
//
// It fails with core.ErrDenied; an unknown name and a wrong secret get the same
// answer after the same time. Whoever asks also says so with Refuse: only they
// know the client. A client ID that is the name of another account, which could
// take what is kept for that one, is core.ErrConflict. An MQTT client may send an
// access token instead of its secret, and is let in until that ends; the program
// itself uses a secret that it was lent (see Lend).
//
// A random secret cannot be guessed, so the right one is never delayed,
// whatever else goes on. While everything is open, a name that nobody has
// is core.Anyone.
func (s *Service) Authenticate(ctx context.Context, name, secret, client, addr string) (core.Account, error) {
	var m *member
	if id, err := topic.ParseID(name); err == nil {
		m = s.view.Load().byName[id]
	}
	if m == nil && s.cfg.Open {
		return anyone, nil
	}
	if name == "" {
		return core.Account{}, core.Fail(core.ErrDenied, "Sign in with a name and a password. Ask the teacher for them.")
	}
	name, addr = core.Readable(name, 64), source(addr)
	id, right := core.AccountID(0), false
	if m != nil {
		id = m.ID
		sum := s.sum(secret)
		right = subtle.ConstantTimeCompare([]byte(sum), []byte(m.secret)) == 1 || m.Role == core.Kit && s.lent.lentTo(id, sum)
	}
	var until time.Time
	if !right && m != nil && client != "" && strings.Count(secret, ".") == 2 {
		if a, end, err := s.VerifyToken(secret); err == nil && a.ID == id {
			right, until = true, end
		}
	}
	if !right {
		if wait, byAddr := s.throttle.allow(id, name, addr); byAddr {
			return core.Account{}, core.Fail(core.ErrDenied, "Too many wrong passwords from {addr}. Wait {n} s and try again.", "addr", addr, "n", seconds(wait))
		} else if wait > 0 {
			return core.Account{}, tooMany(name, wait)
		}
		release, err := s.slot(ctx)
		if err != nil {
			return core.Account{}, err
		}
		// Of a thousand guesses at once, those that waited here are too late.
		if wait := s.throttle.again(id, name, addr); wait > 0 {
			release()
			return core.Account{}, tooMany(name, wait)
		}
		if m == nil || isSum(m.secret) {
			s.verify(s.nobody, secret) // takes as long as a wrong password, so that nobody learns which names exist
		} else {
			right = s.verify(m.secret, secret)
		}
		release()
	}
	if !right || !s.same(m) {
		s.throttle.miss(id, name, addr)
		return core.Account{}, core.Fail(core.ErrDenied, "{name} could not sign in: the name or the password is wrong. Check both, or ask the teacher for a new password.", "name", name)
	}
	s.throttle.hit(id, name, addr)
	if m.Disabled {
		return core.Account{}, disabled(m.Name)
	}
	if other := s.view.Load().byName[topic.ID(client)]; other != nil && other.ID != m.ID {
		return core.Account{}, core.Fail(core.ErrConflict, "{name} connected with the client ID {other}, which belongs to the account {other}. Give {name} a client ID of its own, such as {name}.",
			"name", m.Name, "other", other.Name)
	}
	a := m.Account
	a.Until = until
	return a, nil
}

// same reports whether m still is what it was: its secret may have changed
// while it was being checked.
func (s *Service) same(m *member) bool {
	now := s.view.Load().byID[m.ID]
	return now != nil && now.Version == m.Version
}

func tooMany(name string, wait time.Duration) error {
	return core.Fail(core.ErrDenied, "Too many wrong passwords for {name}. Wait {n} s and try again.", "name", name, "n", seconds(wait))
}

func disabled(name topic.ID) error {
	return core.Fail(core.ErrDenied, "{name} is disabled. Ask the teacher to enable it.", "name", name)
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

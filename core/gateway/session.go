package gateway

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"homeroom/core"
)

const (
	cookieName  = "homeroom"
	sessionLife = 12 * time.Hour // a school day
	maxSessions = 10_000
)

// sessions are the browsers that have signed in. They end with the program.
type sessions struct {
	mu  sync.Mutex
	all map[string]session // guarded by mu; by token
}

type session struct {
	account core.AccountID
	version int64
	until   time.Time
}

func newSessions() sessions { return sessions{all: map[string]session{}} }

// start begins a session of a and returns its cookie.
func (s *sessions) start(a core.Account) *http.Cookie {
	token := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if len(s.all) >= maxSessions {
		for t, x := range s.all {
			if now.After(x.until) || len(s.all) >= maxSessions {
				delete(s.all, t)
			}
		}
	}
	s.all[token] = session{a.ID, a.Version, now.Add(sessionLife)}
	return &http.Cookie{Name: cookieName, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: int(sessionLife.Seconds())}
}

// account returns whose session the request carries, or zero. A session ends
// with a change of its account: current is asked each time.
func (s *sessions) account(r *http.Request, current func(core.AccountID, int64) bool) core.AccountID {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.all[c.Value]
	if !ok {
		return 0
	}
	if time.Now().After(x.until) || !current(x.account, x.version) {
		delete(s.all, c.Value)
		return 0
	}
	return x.account
}

// end ends the session of a cookie's value and returns the cookie that removes it.
func (s *sessions) end(token string) *http.Cookie {
	s.mu.Lock()
	delete(s.all, token)
	s.mu.Unlock()
	return &http.Cookie{Name: cookieName, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1}
}

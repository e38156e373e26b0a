package broker

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"homeroom/core"
)

// usage is what one account asks of the broker, over all its connections.
type usage struct {
	bounds atomic.Pointer[core.Limits]
	free   bool // nobody's limits: everybody's account while everything is open

	conns, sessions int          // guarded by Broker.mu
	filters         atomic.Int64 // bytes of topic filters

	mu       sync.Mutex
	messages float64   // guarded by mu; that may be published now
	bytes    float64   // guarded by mu; likewise
	at       time.Time // guarded by mu; of both
	told     time.Time // guarded by mu; when a person last read about it
}

// usageOf returns the usage of an account, under its present limits. b.mu is held.
func (b *Broker) usageOf(a core.Account) *usage {
	u := b.usage[a.ID]
	if u == nil {
		u = &usage{free: a.ID == core.Anyone}
		b.usage[a.ID] = u
	}
	u.set(a.Limits.Or(b.limits).Or(core.DefaultLimits()))
	return u
}

// forgetUsage drops what nobody uses. b.mu is held.
func (b *Broker) forgetUsage(id core.AccountID) {
	if u := b.usage[id]; u != nil && u.conns == 0 && u.sessions == 0 {
		delete(b.usage, id)
	}
}

// SetLimits replaces the limits of every account that has none of its own. They
// hold at once, except that nobody is disconnected for being one too many.
func (b *Broker) SetLimits(l core.Limits) {
	b.mu.Lock()
	b.limits = l
	b.mu.Unlock()
	b.renewLimits()
}

// renewLimits gives every account that is in use the limits it has now.
func (b *Broker) renewLimits() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range b.usage {
		if a, ok := b.cfg.Gate.Account(id); ok {
			b.usageOf(a)
		}
	}
}

func (u *usage) set(l core.Limits) {
	if old := u.bounds.Load(); old == nil || *old != l {
		u.bounds.Store(&l)
	}
}

func (u *usage) limits() core.Limits { return *u.bounds.Load() }

// maxFilterBytes is how much all topic filters of an account may take, in bytes:
// 10,000 of usual length are a third of it.
const maxFilterBytes = 4 << 20

// filter counts a subscription, unless there is no room for it.
func (u *usage) filter(sub *subscription) bool {
	n := int64(len(sub.Filter)) + 64
	most := int64(maxFilterBytes)
	if u.free {
		most *= 16
	}
	if u.filters.Add(n) > most {
		u.filters.Add(-n)
		return false
	}
	return true
}

func (u *usage) unfilter(sub *subscription) { u.filters.Add(-int64(len(sub.Filter)) - 64) }

// take counts a message of size bytes and returns how long its sender waits.
// What an account saved in the last second is its to use.
func (u *usage) take(now time.Time, size int) time.Duration {
	if u.free {
		return 0
	}
	l := u.bounds.Load()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at.IsZero() {
		u.messages, u.bytes = float64(l.Messages), float64(l.Bytes)
	} else if d := now.Sub(u.at).Seconds(); d > 0 {
		u.messages = min(u.messages+d*float64(l.Messages), float64(l.Messages))
		u.bytes = min(u.bytes+d*float64(l.Bytes), float64(l.Bytes))
	}
	u.at = now
	u.messages--
	u.bytes -= float64(size)
	owed := max(-u.messages/float64(l.Messages), -u.bytes/float64(l.Bytes))
	if owed <= 0.001 {
		return 0 // not worth a timer
	}
	return time.Duration(owed * float64(time.Second))
}

// tell reports whether a person should read about it: once a minute.
func (u *usage) tell() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	if !u.told.IsZero() && now.Sub(u.told) < time.Minute {
		return false
	}
	u.told = now
	return true
}

// newcomers are the connections that nobody has signed in on, oldest first. Where
// there is no room for a new one, the oldest goes.
type newcomers struct {
	mu    sync.Mutex
	order *list.List              // guarded by mu; of *conn
	where map[*conn]*list.Element // guarded by mu
}

func newNewcomers() *newcomers {
	return &newcomers{order: list.New(), where: map[*conn]*list.Element{}}
}

func (s *newcomers) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.where[c] = s.order.PushBack(c)
}

func (s *newcomers) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.where[c]; e != nil {
		s.order.Remove(e)
		delete(s.where, c)
	}
}

// evict ends the oldest and reports whether there was one.
func (s *newcomers) evict() bool {
	s.mu.Lock()
	oldest := s.order.Front()
	if oldest == nil {
		s.mu.Unlock()
		return false
	}
	c := s.order.Remove(oldest).(*conn)
	delete(s.where, c)
	s.mu.Unlock()
	_ = c.Close()
	return true
}

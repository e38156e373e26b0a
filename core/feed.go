package core

import (
	"context"
	"sync"
)

// Change says that something is different now. It does not say how:
// the listener asks the part that owns the state.
type Change uint32

const (
	ClientsChanged    Change = 1 << iota // who is connected
	AccountsChanged                      // people, kits, teams, grants
	RefusalsChanged                      // somebody was refused something
	MessagesChanged                      // a message arrived
	SettingsChanged                      // settings, or how a series is described
	PacketsChanged                       // a watched packet was seen
	PlanChanged                          // the design
	BoardsChanged                        // virtual kits
	RulesChanged                         // what rules did
	AlarmsChanged                        // which alarms call
	RecordingsChanged                    // recordings and replays
	KitsChanged                          // serial ports, setups, real kits
)

// Feed carries changes from the parts that own state to those that show it.
// It holds one bit set per listener, so telling never blocks, nothing is
// dropped, and a slow listener costs nothing. The zero Feed is ready to use.
type Feed struct {
	mu        sync.Mutex
	listeners map[*Listener]struct{}
}

// Listener gathers changes until its owner looks.
type Listener struct {
	feed    *Feed
	pending Change        // guarded by feed.mu
	wake    chan struct{} // holds at most one token
}

// Listen returns a listener that already has every change pending,
// so the first Next makes its owner read the present state.
func (f *Feed) Listen() *Listener {
	l := &Listener{feed: f, pending: ^Change(0), wake: make(chan struct{}, 1)}
	l.wake <- struct{}{}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listeners == nil {
		f.listeners = map[*Listener]struct{}{}
	}
	f.listeners[l] = struct{}{}
	return l
}

// Tell marks c as changed for every listener.
func (f *Feed) Tell(c Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.listeners {
		l.pending |= c
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// Next waits for changes, or for ctx to end.
func (l *Listener) Next(ctx context.Context) (Change, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-l.wake:
	}
	l.feed.mu.Lock()
	defer l.feed.mu.Unlock()
	c := l.pending
	l.pending = 0
	return c, nil
}

// Close stops listening.
func (l *Listener) Close() {
	l.feed.mu.Lock()
	defer l.feed.mu.Unlock()
	delete(l.feed.listeners, l)
}

// Package sim runs virtual kits: MQTT clients like any other. They connect over
// TCP with an account of their own, publish what their sensors see and obey
// commands, so that the broker and everybody else cannot tell them from real ones.
//
// behaviour.go and choice.go say what a kit does; firmware/kit is the same in C++.
// kit.go keeps one connected, fault.go breaks it on purpose, load.go asks whether
// this PC carries a class.
package sim

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	wifiFor = 20 * time.Second // that core.FaultWiFi takes
	lateBy  = 2 * time.Second  // with core.FaultDelay
	// connecting is how many kits may connect at the same time: a class that
	// comes back after a power cut is not one burst.
	connecting = 16
)

// Config is everything a Service needs.
type Config struct {
	// Address is where the broker listens for MQTT over TCP: "127.0.0.1:1883".
	Address func() string
	// Lend returns a secret that signs in as the account, which it makes where
	// there is none. It is asked again after a refusal.
	Lend func(ctx context.Context, account topic.ID) (secret string, err error)
	// Topic returns what was designed about a topic.
	Topic func(topic.Name) (core.Topic, bool)
	// Refusals returns at most limit of what was refused, newest first. MQTT 3.1.1
	// cannot tell a kit that a publish was refused; with this its board does. It
	// may be nil.
	Refusals func(limit int) []core.Refusal
	Feed     *core.Feed
	Log      *slog.Logger
}

// Service runs the virtual kits of the plan. Its methods may be called from any
// goroutine and wait for nothing.
type Service struct {
	cfg        Config
	wifi, late time.Duration
	turns      chan struct{} // holds a token for each kit that connects
	mu         sync.Mutex
	ctx        context.Context            // guarded by mu; of Run, nil before it
	over       bool                       // guarded by mu; Run has ended
	kits       map[topic.ID]*kit          // guarded by mu; by account
	names      map[topic.Name]*kit        // guarded by mu
	idle       []core.Board               // guarded by mu; those that cannot be
	ending     map[topic.ID]chan struct{} // guarded by mu; the end of the last kit of the account
	group      sync.WaitGroup
}

// Open returns a Service without kits; see Set.
func Open(cfg Config) *Service {
	return &Service{cfg: cfg, wifi: wifiFor, late: lateBy, turns: make(chan struct{}, connecting),
		kits: map[topic.ID]*kit{}, names: map[topic.Name]*kit{}, ending: map[topic.ID]chan struct{}{}}
}

// Run keeps the kits connected until ctx ends; then each says goodbye.
func (s *Service) Run(ctx context.Context) error {
	s.mu.Lock()
	s.ctx = ctx
	for _, k := range s.kits {
		s.start(k)
	}
	s.mu.Unlock()
	if s.cfg.Refusals != nil {
		s.hear(ctx)
	}
	<-ctx.Done()
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.group.Wait()
	return nil
}

// hear shows on the boards what was refused to their kits, until ctx ends.
func (s *Service) hear(ctx context.Context) {
	l := s.cfg.Feed.Listen()
	defer l.Close()
	for {
		c, err := l.Next(ctx)
		if err != nil {
			return
		}
		if c&core.RefusalsChanged == 0 {
			continue
		}
		all := s.all()
		for _, r := range slices.Backward(s.cfg.Refusals(100)) { // oldest first
			for _, k := range all {
				k.wasRefused(r)
			}
		}
		select { // a kit that is refused all the time must not keep a core busy
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// start runs k. s.mu is held, and Run has begun.
func (s *Service) start(k *kit) {
	if s.over {
		return
	}
	before, done := s.ending[k.account], make(chan struct{})
	s.ending[k.account] = done
	ctx, cancel := context.WithCancel(s.ctx)
	k.cancel = cancel
	s.group.Add(1)
	go func() {
		defer s.group.Done()
		defer close(done)
		if before != nil { // its client ID is not free yet
			<-before
		}
		k.run(ctx)
	}()
}

// Set makes the virtual kits of places those that run. What did not change goes
// on; a kit that moved keeps what its sensors see and connects by its new names.
func (s *Service) Set(places []core.Place) {
	changed := false
	s.mu.Lock()
	wanted := map[topic.ID]core.Place{}
	real := map[topic.Name]bool{} // kits that are none of ours
	s.idle = nil
	for _, p := range places {
		if p.Kind != core.KitPlace {
			continue
		}
		if !p.Virtual {
			real[p.Name] = true
			continue
		}
		switch other, taken := wanted[p.Account]; {
		case p.Account == "":
			s.idle = append(s.idle, core.Board{Kit: p, State: "init", Say: core.Say("{kit} has no account yet, so it cannot sign in.", "kit", p.Title())})
		case taken:
			s.idle = append(s.idle, core.Board{Kit: p, State: "init", Say: core.Say("{account} is the account of {kit}, too. Give each kit one of its own.", "account", p.Account, "kit", other.Title())})
		default:
			wanted[p.Account] = p
		}
	}
	for account, k := range s.kits {
		if _, ok := wanted[account]; !ok {
			changed = true
			delete(s.kits, account)
			k.stop(real[k.where()]) // what is not in the plan any more leaves no trace
		}
	}
	clear(s.names)
	for account, p := range wanted {
		k := s.kits[account]
		if k == nil {
			changed = true
			k = newKit(s, p)
			s.kits[account] = k
			if s.ctx != nil {
				s.start(k)
			}
		} else if k.redesign(p) {
			changed = true
		}
		s.names[p.Name] = k
	}
	changed = changed || len(s.idle) > 0
	s.mu.Unlock()
	if changed {
		s.tell()
	}
}

func (s *Service) tell() { s.cfg.Feed.Tell(core.BoardsChanged) }

func (s *Service) all() []*kit {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*kit, 0, len(s.kits))
	for _, k := range s.kits {
		all = append(all, k)
	}
	return all
}

// Boards returns all virtual kits as they are, in order of name.
func (s *Service) Boards() []core.Board {
	s.mu.Lock()
	boards := slices.Clone(s.idle)
	s.mu.Unlock()
	for _, k := range s.all() {
		boards = append(boards, k.snapshot())
	}
	slices.SortFunc(boards, func(a, b core.Board) int { return strings.Compare(string(a.Kit.Name), string(b.Kit.Name)) })
	return boards
}

// Board returns one of them.
func (s *Service) Board(kit topic.Name) (core.Board, bool) {
	if k, err := s.find(kit); err == nil {
		return k.snapshot(), true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.idle {
		if b.Kit.Name == kit {
			return b, true
		}
	}
	return core.Board{}, false
}

func (s *Service) find(kit topic.Name) (*kit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.names[kit]; k != nil {
		return k, nil
	}
	return nil, core.Fail(core.ErrNotFound, "There is no virtual kit {kit}. Switch its twin on in the plan.", "kit", kit)
}

// Press presses or lets go a button.
func (s *Service) Press(kit topic.Name, slot topic.ID, down bool) error {
	k, err := s.find(kit)
	if err != nil {
		return err
	}
	return k.press(slot, down)
}

// Turn makes a sensor see something: a number of its range, a word of its
// options, true or false.
func (s *Service) Turn(kit topic.Name, slot topic.ID, value string) error {
	k, err := s.find(kit)
	if err != nil {
		return err
	}
	return k.turn(slot, value)
}

// Feel makes a kit feel what was published to one of its topics before, so that
// it publishes that again.
func (s *Service) Feel(kit topic.Name, t topic.Name, payload []byte) error {
	k, err := s.find(kit)
	if err != nil {
		return err
	}
	return k.feel(t, payload)
}

// SetAuto lets the numbers of a kit drift by themselves, or holds them. They
// drift from the start on an AnyKit, and stand still on the others: what one does
// with those by hand is to be seen, and to be repeated.
func (s *Service) SetAuto(kit topic.Name, on bool) error {
	k, err := s.find(kit)
	if err != nil {
		return err
	}
	k.setAuto(on)
	return nil
}

// Break switches a fault of a kit on or off.
func (s *Service) Break(kit topic.Name, f core.Fault, on bool) error {
	if !slices.ContainsFunc(Faults(), func(x core.FaultState) bool { return x.Fault == f }) {
		return core.Fail(core.ErrNotFound, "There is no fault {fault}.", "fault", f)
	}
	k, err := s.find(kit)
	if err != nil {
		return err
	}
	borrowed := ""
	if f == core.FaultClientID && on {
		if borrowed = s.otherThan(k); borrowed == "" {
			return core.Fail(core.ErrConflict, "{kit} is the only virtual kit, so there is no client ID that it could take. Add another one first.", "kit", kit)
		}
	}
	k.setFault(f, on, borrowed)
	return nil
}

// otherThan returns the client ID of the kit after k in order of name, or "".
func (s *Service) otherThan(k *kit) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := []string{}
	for account := range s.kits {
		ids = append(ids, clientID(account))
	}
	slices.Sort(ids)
	i, _ := slices.BinarySearch(ids, clientID(k.account))
	if other := ids[(i+1)%len(ids)]; other != clientID(k.account) {
		return other
	}
	return ""
}

func clientID(account topic.ID) string { return fmt.Sprintf("%s-virtual", account) }

package kits

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"homeroom/core"
	"homeroom/core/kits/line"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

// Client is the MQTT Client Identifier of what the program tells kits.
const Client = "kits"

const (
	pollEvery = 500 * time.Millisecond // that the ports are looked at
	// that it is asked why there is none: what that says of this PC changes seldom
	adviseEvery = 5 * time.Second
	saveEvery   = 10 * time.Second // that what kits told is written
	maxSetups   = 64
	maxWorking  = 2 * time.Second  // of what must be finished when the program ends
	endFor      = 10 * time.Second // that work with boards may take to end: a driver may hang
	foundFor    = 5 * time.Second  // that what Config.Broker said is good
)

// Lines is the serial ports of this PC; line.System is one.
type Lines interface {
	List() ([]core.SerialPort, error)
	Open(name string) (line.Port, error)
	Advice(ports []core.SerialPort) []core.Sentence
}

// Images is the firmware that is bundled with the program.
type Images interface {
	// All returns what the bundle has.
	All() []core.KitImage
	// Open returns a file of All by its ID. The caller closes it.
	Open(id string) (io.ReadCloser, error)
	// Stub is esptool-js's esp8266.json, nil where it is not bundled.
	Stub() []byte
}

// Broker is how kits reach this program.
type Broker struct {
	Host string // address in the network
	// Hosts are all addresses of this PC, Host among them.
	Hosts   []string
	Port    uint16
	TLSKey  []byte // SubjectPublicKeyInfo (DER) of its P-256 key; nil is no TLS
	TLSPort uint16
	Page    string // host:port of the web door
	Home    string // mDNS name of this PC; "" where it answers to none
}

// Prepared is what a board has to know to be a kit.
type Prepared struct {
	// Settings are without network and broker, with a secret that is not valid yet.
	Settings wire.Settings
	// Commit makes the secret that of the account.
	Commit func(ctx context.Context) error
}

// Config is everything a Service needs.
type Config struct {
	Lines  Lines
	Store  Store
	Images Images
	// Sketch is the folder firmware/kit, from which BuildImage builds; nil where it
	// is not there.
	Sketch fs.FS
	Folder string // where images are kept that were chosen or built
	Keys   Keys   // nil is Keyring
	Design func() *core.Design
	// Prepare draws the kit where it is missing, and makes its account and a secret.
	Prepare func(ctx context.Context, o core.SetupOrder, c core.KitChip) (Prepared, error)
	// Should is the design part of what a kit of the plan should know now.
	Should func(kit topic.Name) (wire.Settings, bool)
	// Secret makes a secret for the account that is valid after commit.
	Secret func(ctx context.Context, account topic.ID) (secret string, commit func(ctx context.Context) error, err error)
	// Owner returns the account by its name.
	Owner func(account topic.ID) (core.AccountID, bool)
	// Client returns the MQTT session of an account, best one that is connected.
	Client func(account topic.ID) (core.Client, bool)
	// Publish publishes as core.Program. What goes to a kit's $do may hold a secret:
	// nobody but the kit may read it, and nothing may keep it.
	Publish func(ctx context.Context, m core.Message) error
	Dial    func(ctx context.Context) (net.Conn, error) // to the broker, for the cable
	Boards  func() []core.Board                         // the virtual kits
	Broker  func() Broker
	Feed    *core.Feed
	Log     *slog.Logger
}

// Service finds boards, sets them up, keeps cables joined to the broker, and knows
// what real kits there are. Its methods may be called from any goroutine. Those
// without a context wait for nothing.
type Service struct {
	cfg   Config
	ctx   context.Context // of all work with boards; ends with Run
	stop  context.CancelFunc
	work  sync.WaitGroup
	ready chan struct{} // holds a token while nobody calls Config.Prepare

	writing sync.Mutex // held while what was made is written; taken before mu
	keeping sync.Mutex // the same of kits, and of setups that did not end: else what is older could be written last

	cli     atomic.Bool  // there is an arduino-cli on this PC
	watched atomic.Int32 // topics in heard: Observe looks no further where there is none

	mu       sync.Mutex
	desks    map[string]*desk         // guarded by mu; by port
	order    []string                 // guarded by mu; names of desks as the system has them
	advice   []core.Sentence          // guarded by mu
	polled   bool                     // guarded by mu; the ports were looked at
	jobs     map[int64]*job           // guarded by mu
	next     int64                    // guarded by mu; ID of the next setup
	made     []Made                   // guarded by mu; the newest first
	begun    map[string]Begun         // guarded by mu; setups that did not end, by MAC
	ended    []string                 // guarded by mu; MACs that are to go from the store
	kits     map[topic.ID]*kit        // guarded by mu; by account
	names    map[topic.Name]topic.ID  // guarded by mu; account by the name of the kit
	heard    map[topic.Name]time.Time // guarded by mu; of topics that a test waits for, zero until a message came
	networks map[string]sighting      // guarded by mu; that boards saw, by name
	known    []string                 // guarded by mu; networks with a key
	files    []Firmware               // guarded by mu; in Config.Folder
	building core.Sentence            // guarded by mu; Format is "" where nothing is built
	rollout  rollout                  // guarded by mu
	found    Broker                   // guarded by mu; what Config.Broker said
	foundAt  time.Time                // guarded by mu; when
	printed  bool                     // guarded by mu; a console has new lines that nobody was told of
}

// sighting is a network and when a board saw it.
type sighting struct {
	core.Network
	at time.Time
}

// Open reads what is kept of kits.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Keys == nil {
		cfg.Keys = Keyring()
	}
	s := &Service{cfg: cfg, ready: make(chan struct{}, 1), desks: map[string]*desk{}, jobs: map[int64]*job{}, kits: map[topic.ID]*kit{},
		names: map[topic.Name]topic.ID{}, heard: map[topic.Name]time.Time{}, networks: map[string]sighting{}, begun: map[string]Begun{}, next: 1}
	known, err := cfg.Store.Kits(ctx)
	if err != nil {
		return nil, fmt.Errorf("kits: %w", err)
	}
	for _, k := range known {
		s.kits[k.Account] = &kit{Known: k}
	}
	if s.made, err = cfg.Store.MadeKits(ctx, 0, shownMade); err != nil {
		return nil, fmt.Errorf("kits: %w", err)
	}
	if len(s.made) > 0 {
		s.next = s.made[0].ID + 1
	}
	unfinished, err := cfg.Store.BegunKits(ctx)
	if err != nil {
		return nil, fmt.Errorf("kits: %w", err)
	}
	s.restore(unfinished)
	if s.known, err = cfg.Store.Networks(ctx); err != nil {
		return nil, fmt.Errorf("kits: %w", err)
	}
	if s.files, err = cfg.Store.Firmware(ctx); err != nil {
		return nil, fmt.Errorf("kits: %w", err)
	}
	s.lookForCLI()
	s.ready <- struct{}{}
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	return s, nil
}

// Run looks at the ports and gives kits their settings, until ctx ends; then it
// lets all ports go.
func (s *Service) Run(ctx context.Context) error {
	s.compare()
	s.look(time.Now())
	s.work.Go(func() { s.poll(ctx) })
	s.work.Go(func() { s.follow(ctx) })
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	saved := time.Now()
	for {
		select {
		case <-ctx.Done():
			s.end()
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxWorking)
			defer cancel()
			s.save(last)
			return nil
		case now := <-tick.C:
			s.look(now)
			s.catchUp(now)
			if now.Sub(saved) >= saveEvery {
				saved = now
				s.save(ctx)
				s.lookForCLI()
			}
		}
	}
}

// end ends all work with boards, and waits for it. A port whose driver hangs is left
// behind.
func (s *Service) end() {
	s.mu.Lock()
	s.stop() // nothing begins from now on
	s.mu.Unlock()
	over := make(chan struct{})
	go func() {
		s.work.Wait()
		close(over)
	}()
	late := time.NewTimer(endFor)
	defer late.Stop()
	select {
	case <-over:
	case <-late.C:
		s.cfg.Log.Warn("serial ports", "err", "a port does not let go")
	}
}

// follow compares the kits with the design each time that it changes.
func (s *Service) follow(ctx context.Context) {
	l := s.cfg.Feed.Listen()
	defer l.Close()
	for {
		changed, err := l.Next(ctx)
		if err != nil {
			return
		}
		if changed&core.PlanChanged != 0 {
			s.compare()
		}
	}
}

func (s *Service) tell() { s.cfg.Feed.Tell(core.KitsChanged) }

// sorted returns the values of a map in the order of their keys.
func sorted[K ~string | ~int64, V any](m map[K]V) []V {
	all := make([]V, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, m[k])
	}
	return all
}

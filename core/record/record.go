// Package record records what is published for a while and plays it again, so
// that what happened once can be looked at, and shown, as often as one likes.
package record

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"homeroom/core"
	"homeroom/core/topic"
)

// Bounds of what is recorded.
const (
	MaxMessages   = 200_000
	MaxBytes      = 64 << 20 // of topics and payloads
	MaxTime       = 4 * time.Hour
	MaxRunning    = 4
	MaxRecordings = 100
	maxName       = 64       // characters
	maxPending    = 16 << 20 // bytes that wait for the disk; more are lost, and the recording ends
	writeEvery    = time.Second
	perMessage    = 64 // bytes that one takes beside its content
)

// Store keeps recordings.
type Store interface {
	Recordings(ctx context.Context) ([]core.Recording, error)
	// SaveRecording adds the recording, or where it has an ID changes it, and
	// adds messages to it; in one transaction. It returns the ID.
	SaveRecording(ctx context.Context, r core.Recording, ms []core.Message) (int64, error)
	RemoveRecording(ctx context.Context, id int64) error
	// Recorded returns at most limit messages after the first skip ones, in the
	// order in which they were recorded.
	Recorded(ctx context.Context, id int64, skip, limit int) ([]core.Message, error)
}

// Config is everything a Service needs.
type Config struct {
	Store Store
	// Subscribe calls sink with what f selects. sink runs on the publisher's goroutine.
	Subscribe func(f topic.Filter, sink func(core.Message)) (cancel func())
	Retained  func(f topic.Filter, limit int) []core.Message
	// Publish publishes as m.From, who must be allowed to.
	Publish func(ctx context.Context, m core.Message) error
	// Feel lets a virtual kit publish the value itself. It returns false where
	// none publishes that topic.
	Feel func(n topic.Name, value string) bool
	Feed *core.Feed
	Log  *slog.Logger
}

// Service records and plays. Its methods may be called from any goroutine.
type Service struct {
	cfg  Config
	wake chan struct{} // holds at most one token; the player looks again

	writing sync.Mutex // held while something is written; taken before mu

	mu      sync.Mutex
	all     []core.Recording // guarded by mu; in order of ID
	running map[int64]*tape  // guarded by mu
	player  *player          // guarded by mu; nil where nothing is played
}

// tape is a recording that runs. Service.mu guards it.
type tape struct {
	cancel  func()
	pending []core.Message // not written
	bytes   int            // of pending
	full    bool
}

// Open reads what was recorded. What ran when the program stopped has ended then.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	all, err := cfg.Store.Recordings(ctx)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	for i, r := range all {
		if !r.To.IsZero() {
			continue
		}
		r.To = r.From
		if last, err := cfg.Store.Recorded(ctx, r.ID, max(0, r.N-1), 1); err == nil && len(last) == 1 {
			r.To = last[0].At
		}
		if _, err := cfg.Store.SaveRecording(ctx, r, nil); err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
		all[i] = r
	}
	return &Service{cfg: cfg, wake: make(chan struct{}, 1), all: all, running: map[int64]*tape{}}, nil
}

// Run writes what is recorded, and plays, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var work sync.WaitGroup
	work.Go(func() { s.play(ctx) })
	defer work.Wait()
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			var err error
			for _, r := range s.Recordings() {
				if r.To.IsZero() {
					err = s.Stop(last, r.ID)
				}
			}
			return err
		case now := <-tick.C:
			s.write(ctx, now)
		}
	}
}

// Recordings returns all, the newest first.
func (s *Service) Recordings() []core.Recording {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.all)
	slices.Reverse(all)
	return all
}

// at returns the place of a recording in all. The caller holds mu.
func (s *Service) at(id int64) (int, error) {
	i, ok := slices.BinarySearchFunc(s.all, id, func(r core.Recording, id int64) int { return int(r.ID - id) })
	if !ok {
		return 0, core.Fail(core.ErrNotFound, "This recording is gone.")
	}
	return i, nil
}

// Start begins to record what f, a real filter, selects; what is retained there
// is its beginning. Who asks has to check that they may read it.
func (s *Service) Start(ctx context.Context, name string, f topic.Filter) (core.Recording, error) {
	name = strings.TrimSpace(name)
	switch _, err := topic.ParseFilter(string(f)); {
	case err != nil:
		return core.Recording{}, core.Fail(core.ErrInvalid, "{filter} is not a topic filter: + and # stand alone in a level, # only at the end.", "filter", f)
	case name == "" || utf8.RuneCountInString(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return core.Recording{}, core.Fail(core.ErrInvalid, "A recording needs a name of at most {n} characters.", "n", maxName)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	running, n := len(s.running), len(s.all)
	s.mu.Unlock()
	switch {
	case running >= MaxRunning:
		return core.Recording{}, core.Fail(core.ErrConflict, "{n} recordings run already. Stop one first.", "n", running)
	case n >= MaxRecordings:
		return core.Recording{}, core.Fail(core.ErrConflict, "There are {n} recordings already. Remove one first.", "n", n)
	}
	r := core.Recording{Name: name, Filter: f, From: time.UnixMicro(time.Now().UnixMicro())} // as it is kept: no message comes before it
	var first []core.Message
	for _, m := range s.cfg.Retained(f, MaxMessages/2) {
		m.At = r.From
		r.N, r.Bytes = r.N+1, r.Bytes+size(m)
		first = append(first, m)
	}
	if r.Bytes > MaxBytes/2 {
		return core.Recording{}, core.Fail(core.ErrInvalid, "What is retained there is more than a recording holds. Choose fewer topics.")
	}
	var err error
	if r.ID, err = s.cfg.Store.SaveRecording(ctx, r, first); err != nil {
		return core.Recording{}, fmt.Errorf("record: %w", err)
	}
	t := &tape{}
	s.mu.Lock()
	s.all = append(s.all, r)
	s.running[r.ID] = t
	s.mu.Unlock()
	cancel := s.cfg.Subscribe(f, func(m core.Message) { s.take(r.ID, m) })
	s.mu.Lock()
	t.cancel = cancel
	s.mu.Unlock()
	s.cfg.Feed.Tell(core.RecordingsChanged)
	return r, nil
}

func size(m core.Message) int64 { return int64(perMessage + len(m.Topic) + len(m.Payload)) }

// take records m. It runs on the goroutine of whoever publishes.
func (s *Service) take(id int64, m core.Message) {
	if m.Client == Client {
		return // what is played is no news
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.running[id]
	i, err := s.at(id)
	if t == nil || t.full || err != nil {
		return
	}
	r := &s.all[i]
	n := size(m)
	if r.N >= MaxMessages || r.Bytes+n > MaxBytes || t.bytes+int(n) > maxPending {
		t.full, r.Full = true, true
		return
	}
	r.N, r.Bytes = r.N+1, r.Bytes+n
	t.pending, t.bytes = append(t.pending, m), t.bytes+int(n)
}

// write stores what is pending, and ends what is full or has run long enough.
func (s *Service) write(ctx context.Context, now time.Time) {
	s.mu.Lock()
	var ids, over []int64
	for id, t := range s.running {
		i, _ := s.at(id)
		if r := &s.all[i]; t.full { // it says itself if it is full: it may be one that a person ends just now
			over = append(over, id)
		} else if now.Sub(r.From) > MaxTime {
			r.Full = true
			over = append(over, id)
		} else if len(t.pending) > 0 {
			ids = append(ids, id)
		}
	}
	s.mu.Unlock()
	for _, id := range ids {
		if err := s.flush(ctx, id); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("record", "err", err) // kept in memory and tried again, until maxPending
		}
	}
	for _, id := range over {
		if err := s.Stop(ctx, id); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("record", "err", err)
		}
	}
	if len(ids) > 0 {
		s.cfg.Feed.Tell(core.RecordingsChanged)
	}
}

// flush stores what is pending of one recording.
func (s *Service) flush(ctx context.Context, id int64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	i, err := s.at(id)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	r := s.all[i]
	var ms []core.Message
	t := s.running[id]
	if t != nil {
		ms = t.pending[:len(t.pending):len(t.pending)]
	}
	s.mu.Unlock()
	if _, err := s.cfg.Store.SaveRecording(ctx, r, ms); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t != nil {
		t.pending = slices.Clone(t.pending[len(ms):])
		t.bytes = 0
		for _, m := range t.pending {
			t.bytes += int(size(m))
		}
	}
	return nil
}

// Stop ends a recording. One that has ended stays as it is.
func (s *Service) Stop(ctx context.Context, id int64) error {
	s.mu.Lock()
	i, err := s.at(id)
	t := s.running[id]
	if err != nil || t == nil {
		s.mu.Unlock()
		return err
	}
	if s.all[i].To.IsZero() {
		s.all[i].To = time.Now()
	}
	t.full = true // takes no more
	s.mu.Unlock()
	if err := s.flush(ctx, id); err != nil {
		return err
	}
	s.mu.Lock()
	cancel := t.cancel // Start has set it: flush waited for that
	ends := s.running[id] == t
	delete(s.running, id)
	s.mu.Unlock()
	if !ends {
		return nil // somebody else ended it meanwhile
	}
	cancel()
	s.cfg.Feed.Tell(core.RecordingsChanged)
	return nil
}

// Remove removes a recording, also one that runs or is played.
func (s *Service) Remove(ctx context.Context, id int64) error {
	if err := s.Stop(ctx, id); err != nil {
		return err
	}
	s.mu.Lock()
	if s.player != nil && s.player.Recording == id {
		s.player = nil
	}
	s.mu.Unlock()
	s.nudge()
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.cfg.Store.RemoveRecording(ctx, id); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, err := s.at(id); err == nil {
		s.all = slices.Delete(s.all, i, i+1)
	}
	s.cfg.Feed.Tell(core.RecordingsChanged)
	return nil
}

// Recorded returns at most limit messages of a recording from that time after
// its beginning on, for a person who looks at it.
func (s *Service) Recorded(ctx context.Context, id int64, from time.Duration, limit int) ([]core.Message, error) {
	if err := s.flush(ctx, id); err != nil {
		return nil, err
	}
	s.mu.Lock()
	i, err := s.at(id)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	r := s.all[i]
	s.mu.Unlock()
	skip, err := s.place(ctx, r, from)
	if err != nil {
		return nil, err
	}
	return s.cfg.Store.Recorded(ctx, id, skip, min(max(limit, 0), 10_000)) // below 0 would be all to SQLite
}

// place returns how many messages come before that time after the beginning.
func (s *Service) place(ctx context.Context, r core.Recording, from time.Duration) (int, error) {
	low, high := 0, r.N
	for low < high {
		middle := (low + high) / 2
		ms, err := s.cfg.Store.Recorded(ctx, r.ID, middle, 1)
		if err != nil {
			return 0, fmt.Errorf("record: %w", err)
		}
		if len(ms) == 1 && ms[0].At.Sub(r.From) < from {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

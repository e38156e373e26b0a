package record

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// studio is a Service with a broker and a store that are maps.
type studio struct {
	*Service
	t     *testing.T
	mu    sync.Mutex
	kept  map[int64]core.Recording   // guarded by mu
	tapes map[int64][]core.Message   // guarded by mu
	full  bool                       // guarded by mu; the disk
	sinks map[int]func(core.Message) // guarded by mu
	sent  []string                   // guarded by mu; with the time since begin
	felt  []string                   // guarded by mu
	begin time.Time
	deny  error
}

func (s *studio) Recordings(context.Context) (rs []core.Recording, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.kept {
		rs = append(rs, r)
	}
	slices.SortFunc(rs, func(a, b core.Recording) int { return int(a.ID - b.ID) })
	return rs, nil
}

func (s *studio) SaveRecording(_ context.Context, r core.Recording, ms []core.Message) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return 0, errors.New("the disk is full")
	}
	if r.ID == 0 {
		r.ID = int64(len(s.kept) + 1)
	}
	s.kept[r.ID] = r
	s.tapes[r.ID] = append(s.tapes[r.ID], ms...)
	return r.ID, nil
}

func (s *studio) RemoveRecording(_ context.Context, id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, id)
	delete(s.tapes, id)
	return nil
}

func (s *studio) Recorded(_ context.Context, id int64, skip, limit int) ([]core.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.tapes[id]
	skip = min(skip, len(all))
	return slices.Clone(all[skip:min(skip+limit, len(all))]), nil
}

func newStudio(t *testing.T) *studio {
	return &studio{t: t, kept: map[int64]core.Recording{}, tapes: map[int64][]core.Message{}, sinks: map[int]func(core.Message){}}
}

func (s *studio) run() (stop func()) {
	s.t.Helper()
	cfg := Config{Store: s, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler),
		Subscribe: func(f topic.Filter, sink func(core.Message)) func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			id := len(s.sinks)
			s.sinks[id] = func(m core.Message) {
				if f.Match(m.Topic) {
					sink(m)
				}
			}
			return func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				delete(s.sinks, id)
			}
		},
		Retained: func(topic.Filter, int) []core.Message {
			return []core.Message{{Topic: "lab/lamp", Payload: []byte("On"), Retain: true, At: time.Now().Add(-time.Hour)}}
		},
		Publish: func(_ context.Context, m core.Message) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.deny != nil {
				return s.deny
			}
			s.sent = append(s.sent, fmt.Sprintf("%v %s %s by %d", time.Since(s.begin), m.Topic, m.Payload, m.From))
			return nil
		},
		Feel: func(n topic.Name, value string) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.felt = append(s.felt, fmt.Sprintf("%v %s %s", time.Since(s.begin), n, value))
			return true
		}}
	var err error
	if s.Service, err = Open(s.t.Context(), cfg); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	}
}

func (s *studio) publish(n topic.Name, value, client string) {
	s.mu.Lock()
	sinks := slices.Collect(maps.Values(s.sinks))
	s.mu.Unlock()
	for _, sink := range sinks {
		sink(core.Message{Topic: n, Payload: []byte(value), At: time.Now(), Client: client})
	}
}

// lesson records lamp On (retained), 50, 60 and 70, one second apart.
func (s *studio) lesson() core.Recording {
	s.t.Helper()
	r, err := s.Start(s.t.Context(), "The lamp", "lab/#")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, v := range []string{"50", "60", "70"} {
		time.Sleep(time.Second)
		s.publish("lab/brightness", v, "kit-1")
		s.publish("hall/brightness", "1", "kit-2") // not selected
	}
	if err := s.Stop(s.t.Context(), r.ID); err != nil {
		s.t.Fatal(err)
	}
	return s.Service.Recordings()[0]
}

// mark is from when said counts.
func (s *studio) mark() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin = time.Now()
}

func (s *studio) said() (sent, felt []string) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	sent, felt, s.sent, s.felt = s.sent, s.felt, nil, nil
	return sent, felt
}

func (s *studio) mustPlay(r core.Replay) {
	s.t.Helper()
	s.mark()
	if err := s.Play(core.As(s.t.Context(), 7), r); err != nil {
		s.t.Fatal(err)
	}
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPlaysAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		defer s.run()()
		r := s.lesson()
		if r.N != 4 || r.To.Sub(r.From) != 3*time.Second || r.Full {
			t.Fatalf("recorded %+v", r)
		}
		s.mustPlay(core.Replay{Recording: r.ID, Speed: 1, Branch: "sandbox"})
		time.Sleep(10 * time.Second)
		sent, _ := s.said()
		want(t, "1×", sent, "0s sandbox/lab/lamp On by 7", "1s sandbox/lab/brightness 50 by 7", "2s sandbox/lab/brightness 60 by 7", "3s sandbox/lab/brightness 70 by 7")
		if p, ok := s.Playing(); !ok || !p.Done || p.Sent != 4 || p.Total != 4 || p.At != 3*time.Second {
			t.Fatalf("at the end %+v", p)
		}
		s.mustPlay(core.Replay{Recording: r.ID, Speed: 10, Kits: true, From: 1500 * time.Millisecond})
		time.Sleep(time.Second)
		sent, felt := s.said()
		want(t, "10× into kits, sent", sent)
		want(t, "10× into kits", felt, "50ms lab/brightness 60", "150ms lab/brightness 70")
	})
}

func TestPauseSeekHalt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		defer s.run()()
		r := s.lesson()
		s.mustPlay(core.Replay{Recording: r.ID, Speed: 1, Branch: "x"})
		time.Sleep(1500 * time.Millisecond)
		s.Pause(true)
		time.Sleep(time.Minute)
		if p, _ := s.Playing(); !p.Paused || p.At < 1400*time.Millisecond || p.At > 1500*time.Millisecond {
			t.Fatalf("paused at %v", p.At)
		}
		s.said()
		s.mark()
		s.Pause(false)
		time.Sleep(time.Second)
		sent, _ := s.said()
		if len(sent) != 1 || !strings.Contains(sent[0], "brightness 60") {
			t.Fatalf("after the pause %q", sent)
		}
		s.mark()
		s.Seek(0)
		time.Sleep(500 * time.Millisecond)
		sent, _ = s.said()
		want(t, "from the beginning again", sent, "0s x/lab/lamp On by 7")
		s.Halt()
		time.Sleep(time.Minute)
		sent, _ = s.said()
		want(t, "halted", sent)
		s.Seek(2500 * time.Millisecond)
		s.mark()
		time.Sleep(time.Second)
		sent, _ = s.said()
		want(t, "a seek after the end plays on", sent, "500ms x/lab/brightness 70 by 7")
	})
}

func TestRepeatAndRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		defer s.run()()
		r := s.lesson()
		s.mustPlay(core.Replay{Recording: r.ID, Speed: 1, Branch: "x", Repeat: true})
		time.Sleep(7 * time.Second)
		if sent, _ := s.said(); len(sent) < 8 {
			t.Fatalf("two rounds sent %q", sent)
		}
		s.mu.Lock()
		s.deny = core.Fail(core.ErrDenied, "No.")
		s.mu.Unlock()
		time.Sleep(4 * time.Second)
		if p, _ := s.Playing(); !p.Done || p.Say.Format != "No." {
			t.Fatalf("refused: %+v", p)
		}
	})
}

func TestChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		defer s.run()()
		ctx := t.Context()
		r := s.lesson()
		running, err := s.Start(ctx, "runs", "#")
		if err != nil {
			t.Fatal(err)
		}
		for what, tt := range map[string]struct {
			err  error
			kind error
		}{
			"no name":        {second(s.Start(ctx, " ", "#")), core.ErrInvalid},
			"a long name":    {second(s.Start(ctx, strings.Repeat("é", 65), "#")), core.ErrInvalid},
			"a wrong filter": {second(s.Start(ctx, "x", "a/#/b")), core.ErrInvalid},
			"speed 0":        {s.Play(ctx, core.Replay{Recording: r.ID, Branch: "x"}), core.ErrInvalid},
			"speed NaN":      {s.Play(ctx, core.Replay{Recording: r.ID, Branch: "x", Speed: nan()}), core.ErrInvalid},
			"no branch":      {s.Play(ctx, core.Replay{Recording: r.ID, Speed: 1}), core.ErrInvalid},
			"wild branch":    {s.Play(ctx, core.Replay{Recording: r.ID, Speed: 1, Branch: "#"}), core.ErrInvalid},
			"$ branch":       {s.Play(ctx, core.Replay{Recording: r.ID, Speed: 1, Branch: "$SYS"}), core.ErrInvalid},
			"it runs":        {s.Play(ctx, core.Replay{Recording: running.ID, Speed: 1, Branch: "x"}), core.ErrConflict},
			"gone":           {s.Play(ctx, core.Replay{Recording: 99, Speed: 1, Branch: "x"}), core.ErrNotFound},
			"remove gone":    {s.Remove(ctx, 99), core.ErrNotFound},
		} {
			if !errors.Is(tt.err, tt.kind) {
				t.Errorf("%s: %v, want %v", what, tt.err, tt.kind)
			}
		}
		for range MaxRunning - 1 {
			if _, err := s.Start(ctx, "more", "#"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Start(ctx, "one too many", "#"); !errors.Is(err, core.ErrConflict) {
			t.Fatalf("a recording too many: %v", err)
		}
		// What is played is not recorded, and a recording that is played may go.
		s.publish("x", "1", Client)
		s.mustPlay(core.Replay{Recording: r.ID, Speed: 1, Branch: "x"})
		if err := errors.Join(s.Remove(ctx, r.ID), s.Remove(ctx, running.ID)); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Playing(); ok {
			t.Fatal("what was removed is played")
		}
		if got := s.Service.Recordings(); got[0].N != 1 { // what was retained
			t.Fatalf("it recorded %d messages, want only the retained one", got[0].N)
		}
	})
}

// TestStoppedWhileItStarts: a recording that is stopped before its start is
// complete listens to nothing any more; and a limit below 0 is nothing, not all.
func TestStoppedWhileItStarts(t *testing.T) {
	s := newStudio(t)
	defer s.run()()
	subscribe, stopped := s.Service.cfg.Subscribe, make(chan error)
	s.Service.cfg.Subscribe = func(f topic.Filter, sink func(core.Message)) func() {
		go func() { stopped <- s.Stop(t.Context(), 1) }()
		for s.Service.Recordings()[0].To.IsZero() {
			runtime.Gosched()
		}
		return subscribe(f, sink)
	}
	if _, err := s.Start(t.Context(), "short", "#"); err != nil {
		t.Fatal(err)
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	n := len(s.sinks)
	s.mu.Unlock()
	if n != 0 {
		t.Errorf("%d still listen", n)
	}
	if ms, err := s.Service.Recorded(t.Context(), 1, 0, -1); len(ms) != 0 || err != nil {
		t.Errorf("%d messages, %v", len(ms), err)
	}
}

func second(_ core.Recording, err error) error { return err }

func nan() float64 { z := 0.0; return z / z }

// TestBounded: a flood ends a recording, which says so; a disk that is full does
// not take the memory, and a recording that ran when the program died has an end.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		stop := s.run()
		r, err := s.Start(t.Context(), "flood", "#")
		if err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		s.full = true
		s.mu.Unlock()
		big := strings.Repeat("x", 1<<20)
		for range 40 {
			s.publish("a", big, "kit-1")
		}
		time.Sleep(3 * time.Second)
		s.Service.mu.Lock()
		pending := s.running[r.ID].bytes
		s.Service.mu.Unlock()
		if pending > maxPending {
			t.Fatalf("%d bytes wait for the disk", pending)
		}
		s.mu.Lock()
		s.full = false
		s.mu.Unlock()
		time.Sleep(2 * time.Second)
		got := s.Service.Recordings()[0]
		if !got.Full || got.To.IsZero() || got.N != len(s.tapes[r.ID]) {
			t.Fatalf("%+v, %d messages kept", got, len(s.tapes[r.ID]))
		}
		stop()
		s.kept[9] = core.Recording{ID: 9, Name: "died", Filter: "#", From: time.Now(), N: 2}
		s.tapes[9] = []core.Message{{Topic: "a", At: time.Now()}, {Topic: "a", At: time.Now().Add(time.Second)}}
		defer s.run()()
		if got := s.Service.Recordings()[0]; got.To.Sub(got.From) != time.Second {
			t.Fatalf("a recording of a program that died: %+v", got)
		}
		ms, err := s.Service.Recorded(t.Context(), 9, 500*time.Millisecond, 10)
		if err != nil || len(ms) != 1 {
			t.Fatalf("from the middle: %v %v", ms, err)
		}
	})
}

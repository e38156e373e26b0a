package sim

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// alone is a Service in a bubble, whose kits never get a password and so never
// touch the network.
func alone(t *testing.T, places ...core.Place) (s *Service, tries *atomic.Int64) {
	tries = &atomic.Int64{}
	s = Open(Config{Address: func() string { return "" }, Topic: func(topic.Name) (core.Topic, bool) { return core.Topic{}, false },
		Lend: func(context.Context, topic.ID) (string, error) {
			tries.Add(1)
			return "", errors.New("the disk is full")
		}, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler)})
	s.Set(places)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, tries
}

func slot(t *testing.T, s *Service, kit topic.Name, slot topic.ID) core.Part {
	t.Helper()
	synctest.Wait()
	b, _ := s.Board(kit)
	for _, p := range b.Parts {
		if p.Slot == slot {
			return p
		}
	}
	t.Fatal("no", slot)
	return core.Part{}
}

// TestBackoff tries for an hour, less and less often.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, tries := alone(t, board1(kit1))
		time.Sleep(time.Minute)
		if n := tries.Load(); n < 5 || n > 15 {
			t.Errorf("%d tries in the first minute", n)
		}
		tries.Store(0)
		time.Sleep(time.Hour)
		if n := tries.Load(); n < 80 || n > 250 {
			t.Errorf("%d tries in an hour", n)
		}
		if b, _ := s.Board(kit1); b.State != "lost" || b.Say.String() != "kit-1 got no password: the disk is full. It tries again." {
			t.Errorf("%s: %s", b.State, b.Say)
		}
	})
}

// TestClicks presses a button as a mouse does, and bounces nothing away.
func TestClicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := alone(t, board1(kit1))
		for i := range 5 {
			for _, down := range []bool{true, false} {
				if err := s.Press(kit1, "button", down); err != nil {
					t.Fatal(err)
				}
			}
			if i == 2 {
				time.Sleep(time.Second)
				if v := slot(t, s, kit1, "button").Value; v != "true" {
					t.Errorf("after three clicks: %s", v)
				}
			}
		}
		time.Sleep(time.Second)
		if v := slot(t, s, kit1, "button").Value; v != "true" {
			t.Errorf("after five clicks: %s", v)
		}
		p := board1(kit1)
		p.Ports[0].Toggle = false
		s.Set([]core.Place{p})
		_ = s.Press(kit1, "button", true)
		time.Sleep(time.Hour)
		if v := slot(t, s, kit1, "button").Value; v != "true" {
			t.Errorf("held down: %s", v)
		}
		_ = s.Press(kit1, "button", false)
		time.Sleep(100 * time.Millisecond)
		if v := slot(t, s, kit1, "button").Value; v != "false" {
			t.Errorf("let go: %s", v)
		}
	})
}

// TestAuto lets a number drift for an hour: it moves, slowly, and stays in range.
func TestAuto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := board1(kit1)
		s, _ := alone(t, p)
		value := func() float64 {
			v, err := strconv.ParseFloat(slot(t, s, kit1, "brightness").Value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		time.Sleep(time.Hour)
		if v := value(); v != 50 {
			t.Errorf("drifts to %v, unasked", v)
		}
		if err := s.SetAuto(kit1, true); err != nil {
			t.Fatal(err)
		}
		low, high, before := 100.0, 0.0, 50.0
		for range 720 {
			time.Sleep(5 * time.Second)
			v := value()
			if v < 0 || v > 100 || v-before > 3 || before-v > 3 {
				t.Fatalf("from %v to %v", before, v)
			}
			low, high, before = min(low, v), max(high, v), v
		}
		if high-low < 5 || high-low > 60 {
			t.Errorf("between %v and %v", low, high)
		}
		if err := s.Break(kit1, core.FaultStuck, true); err != nil {
			t.Fatal(err)
		}
		stuck := value()
		time.Sleep(time.Hour)
		if value() != stuck {
			t.Error("a stuck sensor drifts")
		}
	})
}

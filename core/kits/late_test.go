package kits_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits"
	"homeroom/core/kits/chip"
	"homeroom/core/kits/line"
)

// lagging is the ports of a PC that has much to do: what comes next is read late.
type lagging struct {
	kits.Lines
	by *atomic.Int64 // ns, once
}

func (l lagging) Open(name string) (line.Port, error) {
	p, err := l.Lines.Open(name)
	if err != nil {
		return nil, err
	}
	return latePort{p, l.by}, nil
}

type latePort struct {
	line.Port
	by *atomic.Int64
}

func (p latePort) Read(b []byte) (int, error) {
	n, err := p.Port.Read(b)
	if n > 0 {
		time.Sleep(time.Duration(p.by.Swap(0)))
	}
	return n, err
}

// TestLate: that a kit has started is not taken to be later than it was where its
// answer is read late: it has joined since, and is tested.
func TestLate(t *testing.T) {
	t.Parallel()
	var by atomic.Int64
	l := newLabWith(t, bundle{"wifi": image("wifi", "1.0.0")}, func(c *kits.Config) { c.Lines = lagging{c.Lines, &by} })
	b, _ := l.board(32, chip.Options{})
	id := l.begin("COM3", b)
	l.rest(id)
	l.ok(l.s.Order(t.Context(), id, core.SetupOrder{Kit: "blue/lab/kit-32", Role: core.ButtonKit, Image: "wifi", Network: network, Key: password}))
	l.ok(l.s.Start(t.Context(), id, core.StepKit))
	l.until("the test", func() bool { s := l.setup(id); return s.Step == core.StepTest && len(s.Tests) == 1 || !s.Running })
	l.ok(l.s.Stop(id))
	if s := l.rest(id); s.Step != core.StepTest || s.Problem.Format != "" {
		t.Fatalf("%s: %q\n%s", s.Step, s.Problem, strings.Join(s.Log, "\n"))
	}
	by.Store(int64(3 * time.Second))
	l.ok(l.s.Start(t.Context(), id, core.StepTest))
	l.until("the test again", func() bool { s := l.setup(id); return s.Doing.Format != "" || !s.Running })
	if s := l.setup(id); !s.Running || s.Doing.Format != "Try the parts of the kit." {
		t.Errorf("%s: %q %q\n%s", s.Step, s.Doing, s.Problem, strings.Join(s.Log, "\n"))
	}
}

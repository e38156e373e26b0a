package kits_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"homeroom/core"
	"homeroom/core/kits"
	"homeroom/core/kits/chip"
)

// TestSecretNotKept: a board that was written, and whose secret could not be stored,
// is told as what it is; going on from the firmware mends it, over the cable or flashed.
func TestSecretNotKept(t *testing.T) {
	t.Parallel()
	full := true // only the setup at work looks at it
	l := newLabWith(t, bundle{"wifi": image("wifi", "1.0.0")}, func(c *kits.Config) {
		prepare := c.Prepare
		c.Prepare = func(ctx context.Context, o core.SetupOrder, k core.KitChip) (kits.Prepared, error) {
			p, err := prepare(ctx, o, k)
			commit := p.Commit
			p.Commit = func(ctx context.Context) error {
				if full {
					return errors.New("database or disk is full")
				}
				return commit(ctx)
			}
			return p, err
		}
	})
	b, _ := l.board(30, chip.Options{})
	id := l.begin("COM3", b)
	l.rest(id)
	l.ok(l.s.Order(t.Context(), id, core.SetupOrder{Kit: "blue/lab/kit-30", Role: core.ChoiceKit, Image: "wifi", Network: network, Key: password}))
	for _, from := range []core.SetupStep{core.StepKit, core.StepFlash} {
		l.ok(l.s.Start(t.Context(), id, from))
		s := l.rest(id)
		if s.Step != core.StepFlash || s.Passed || !strings.Contains(s.Problem.String(), "disk is full") || !strings.Contains(s.Problem.String(), "refuses it") {
			t.Fatalf("%s: %q", s.Step, s.Problem)
		}
		if strings.Contains(strings.Join(s.Log, "\n"), "secret-") {
			t.Error("the secret is in the log")
		}
	}
	full = false
	l.ok(l.s.Start(t.Context(), id, core.StepFlash))
	// A choice has nothing to try: it has joined, and that is the test.
	if s := l.rest(id); s.Step != core.StepCard || !s.Passed || len(s.Tests) != 0 || s.Problem.Format != "" {
		t.Errorf("%s: passed %v, %q, tests %+v\n%s", s.Step, s.Passed, s.Problem, s.Tests, strings.Join(s.Log, "\n"))
	}
}

// TestLeftOut: who leaves out the tests gets the card, and the kit has not passed; who
// orders without a network is asked for one after the flash.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	l := newLab(t, bundle{"wifi": image("wifi", "1.0.0")})
	b, _ := l.board(31, chip.Options{})
	id := l.begin("COM3", b)
	l.rest(id)
	o := core.SetupOrder{Kit: "blue/lab/kit-31", Role: core.ButtonKit, Image: "wifi"}
	l.ok(l.s.Order(t.Context(), id, o))
	l.ok(l.s.Start(t.Context(), id, core.StepKit))
	if s := l.rest(id); s.Step != core.StepNetwork || len(s.Networks) == 0 || s.Problem.Format != "" || s.Firmware == "" {
		t.Fatalf("it rests at %s: %q, %v", s.Step, s.Problem, s.Networks)
	}
	o.Network, o.Key = network, password
	l.ok(l.s.Order(t.Context(), id, o))
	l.ok(l.s.Start(t.Context(), id, core.StepNetwork))
	l.until("the test", func() bool { s := l.setup(id); return s.Step == core.StepTest || !s.Running })
	l.ok(l.s.Stop(id))
	if s := l.rest(id); s.Step != core.StepTest || s.Problem.Format != "" {
		t.Fatalf("stopped it is at %s: %q", s.Step, s.Problem)
	}
	l.ok(l.s.Start(t.Context(), id, core.StepCard))
	if s := l.rest(id); s.Step != core.StepCard || s.Passed || s.Problem.Format != "" {
		t.Errorf("%s: passed %v, %q", s.Step, s.Passed, s.Problem)
	}
}

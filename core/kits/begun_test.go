package kits

import (
	"context"
	"errors"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

// drawer is a store that keeps setups that did not end, and writes kits as slowly as a
// test says.
type drawer struct {
	*shelf
	begun map[string]Begun // guarded by shelf.mu
	slow  func(k Known)    // called before a kit is written; may be nil
}

func (d *drawer) SaveKit(ctx context.Context, k Known) error {
	if d.slow != nil {
		d.slow(k)
	}
	return d.shelf.SaveKit(ctx, k)
}

func (d *drawer) SaveBegun(_ context.Context, b Begun) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun[b.Chip.MAC] = b
	return nil
}

func (d *drawer) RemoveBegun(_ context.Context, mac string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.begun, mac)
	return nil
}

// makes is a fleet of one kit and the setup of a board that becomes it.
func makes(t *testing.T, mac string) (*fleet, *drawer, *run) {
	f := newFleet(t, noImages{}, "b/r/kit-1")
	d := &drawer{shelf: f.store, begun: map[string]Begun{}}
	f.s.cfg.Store = d
	j := &job{Setup: core.Setup{ID: 7, Chip: core.KitChip{MAC: mac}, Order: core.SetupOrder{Kit: "b/r/kit-1"}}, judged: map[topic.ID]bool{}}
	f.s.mu.Lock()
	f.s.jobs[j.ID] = j
	f.s.mu.Unlock()
	return f, d, &run{s: f.s, j: j}
}

var madeOf = wire.Settings{Account: "kit-1", Secret: "s", Name: "b/r/kit-1", Role: core.ButtonKit}

func counts(context.Context) error { return nil }

// TestAnotherBoard: where a kit was made of another board at last, the one of the setup
// that did not end is not asked for any more, and what does not count stays kept.
func TestAnotherBoard(t *testing.T) {
	f, d, first := makes(t, "first")
	if err := first.begin(t.Context(), madeOf); err != nil {
		t.Fatal(err)
	}
	delete(f.s.jobs, first.j.ID)
	f.s.restore([]Begun{f.s.begun["first"]})
	other := Begun{Chip: core.KitChip{MAC: "other"}, Account: "kit-2", At: time.Now()}
	f.s.begun["other"], d.begun["other"] = other, other
	second := &run{s: f.s, j: &job{Setup: core.Setup{ID: 9, Chip: core.KitChip{MAC: "second"}, Order: core.SetupOrder{Kit: "b/r/kit-1"}}, judged: map[topic.ID]bool{}}}
	f.s.jobs[9] = second.j
	if err := second.begin(t.Context(), madeOf); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("disk is full")
	if err := second.commit(t.Context(), func(context.Context) error { return failed }, madeOf, 1); err == nil || len(d.begun) != 3 {
		t.Fatalf("%v, and kept is %+v", err, d.begun)
	}
	if err := second.commit(t.Context(), counts, madeOf, 1); err != nil {
		t.Fatal(err)
	}
	if _, kept := d.begun["other"]; !kept || len(d.begun) != 1 {
		t.Errorf("kept is %+v", d.begun)
	}
	if all := f.s.Setups(); len(all) != 1 || all[0].ID != 9 {
		t.Errorf("setups %+v", all)
	}
}

// TestClosedWhileItCounts: who closes a setup in the moment in which its secret counts
// leaves nothing that did not end.
func TestClosedWhileItCounts(t *testing.T) {
	f, d, r := makes(t, "board")
	if err := r.begin(t.Context(), madeOf); err != nil {
		t.Fatal(err)
	}
	f.s.mu.Lock()
	b, store := f.s.left(r.j)
	f.s.mu.Unlock()
	if err := r.commit(t.Context(), counts, madeOf, 1); err != nil {
		t.Fatal(err)
	}
	if store {
		f.s.keepLeft(b)
	}
	if !store || len(d.begun) != 0 {
		t.Errorf("stored %v; kept is %+v", store, d.begun)
	}
}

// TestSavedLast: what a kit told last is what is kept, also where two write.
func TestSavedLast(t *testing.T) {
	f, d, _ := makes(t, "board")
	writes, on := make(chan struct{}), make(chan struct{})
	d.slow = func(k Known) {
		if k.Version == "1.0.0" {
			close(writes)
			<-on
		}
	}
	version := func(v string) (saved chan struct{}) {
		f.s.mu.Lock()
		k := f.s.kits["kit-1"]
		k.Version, k.changed = v, true
		f.s.mu.Unlock()
		saved = make(chan struct{})
		go func() {
			defer close(saved)
			f.s.save(context.WithoutCancel(t.Context()))
		}()
		return saved
	}
	first := version("1.0.0")
	<-writes
	second := version("2.0.0")
	select {
	case <-second: // it did not wait for the first
	case <-time.After(100 * time.Millisecond):
	}
	close(on)
	<-first
	<-second
	if got := d.kits["kit-1"].Version; got != "2.0.0" {
		t.Errorf("kept is version %s", got)
	}
}

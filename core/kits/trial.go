package kits

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

const (
	testFor    = 120 * time.Second // that a board tests until it is told again
	testAgain  = 60 * time.Second
	blinkEvery = 500 * time.Millisecond
	testMost   = 10 * time.Minute // that a person may take
	heardFor   = 5 * time.Second  // that a message may take from the button to the broker
	sensorMove = 15               // percent that a sensor must move
)

// trial is one test of a kit as it goes on.
type trial struct {
	slot topic.ID
	kind string     // "lamp", "button", "brightness", or "presence"
	tell topic.Name // where a press has to arrive; "" where nobody has to hear it
	any  bool       // a value came
	low  int32
	high int32
	felt time.Time // the button was pressed
}

// trials are the tests for a kit of the plan: what it has on its board. Where that is
// nothing, having joined is all there is to see.
func (s *Service) trials(kit topic.Name) []*trial {
	d := s.cfg.Design()
	p := d.Place(kit)
	var all []*trial
	if p != nil && p.Role != core.ChoiceKit { // that one only decides
		for _, port := range p.Ports {
			t := &trial{slot: port.Slot}
			switch {
			case slices.ContainsFunc(all, func(o *trial) bool { return o.slot == port.Slot }):
				continue
			case port.Action == core.Subscribe && (port.Slot == "light" || port.Slot == "led"):
				t.kind = "lamp"
			case port.Action != core.Publish:
				continue
			case port.Slot == "brightness" || port.Slot == "presence":
				t.kind = string(port.Slot)
			case port.Slot == "button" || strings.HasPrefix(string(port.Slot), "button-"):
				t.kind = "button"
				designed := core.Topic{Name: port.Topic}
				if has := d.Topic(port.Topic); has != nil {
					designed = *has
				}
				t.tell, _ = p.Names(port, designed)
			default:
				continue
			}
			all = append(all, t)
		}
	}
	return all
}

// test is what the person reads of a trial.
func (t *trial) test() core.KitTest {
	k := core.KitTest{Slot: t.slot}
	switch t.kind {
	case "lamp":
		k.Asks, k.Say = true, core.Say("Does the lamp blink?")
	case "button":
		k.Say = core.Say("Press the button.")
		if n, ok := strings.CutPrefix(string(t.slot), "button-"); ok {
			k.Say = core.Say("Press button {n}.", "n", n)
		}
	case "brightness":
		k.Say = core.Say("Cover the light sensor, and uncover it.")
	case "presence":
		k.Say = core.Say("Move before the presence sensor.")
	}
	return k
}

// test tries what the kit has on its board, together with a person.
func (r *run) test(ctx context.Context) error {
	now, asked := r.now(), time.Now()
	t, id, err := r.hello(ctx, startFor)
	if err != nil {
		return notStarted(err)
	}
	// The broker may not have noticed that it was without power. Its answer may have been
	// on its way for a while, and its seconds are whole ones.
	on := asked
	if id.State == wire.StateJoined {
		on = asked.Add(-id.Uptime - time.Second)
	}
	if on.After(now.since) {
		r.edit(func(j *job) { j.since = on })
		now = r.now()
	}
	if now.joined && !r.s.joined(topic.ID(now.written.Account), now.since) { // it started anew, and what it says now is lost
		if err := r.join(ctx); err != nil {
			return err
		}
	}
	all := r.s.trials(now.Order.Kit)
	defer r.listen(all, now.joined)()
	r.edit(func(j *job) {
		j.Tests, j.judged = nil, map[topic.ID]bool{}
		for _, one := range all {
			j.Tests = append(j.Tests, one.test())
		}
		j.Doing = core.Say("Try the parts of the kit.")
	})
	defer func() {
		last, cancel := context.WithTimeout(r.d.ctx, statusFor)
		defer cancel()
		_ = t.Test(last, 0) // it ends by itself, too
	}()
	late := time.NewTimer(testMost)
	defer late.Stop()
	tick := time.NewTicker(blinkEvery)
	defer tick.Stop()
	var told time.Time
	for on := false; ; {
		if at := time.Now(); at.Sub(told) > testAgain {
			if err := t.Test(ctx, testFor); err != nil {
				return err
			}
			told = at
		}
		select {
		case e := <-r.events:
			if e.status == nil {
				r.feel(all, e)
			}
		case <-tick.C:
			on = !on
			if err := r.blink(ctx, t, all, on); err != nil {
				return err
			}
		case <-late.C:
			return core.Fail(core.ErrConflict, "Nobody tried everything within {n} minutes. Test again when somebody is there.", "n", int(testMost.Minutes()))
		case <-ctx.Done():
			return ctx.Err()
		}
		r.arrived(all, now.joined)
		if done, err := r.verdict(); done || err != nil {
			return err
		}
	}
}

// listen watches for what buttons publish. The result ends that.
func (r *run) listen(all []*trial, joined bool) (end func()) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range all {
		if t.tell != "" && joined {
			s.heard[t.tell] = time.Time{}
		}
	}
	s.watched.Store(int32(len(s.heard)))
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, t := range all {
			delete(s.heard, t.tell)
		}
		s.watched.Store(int32(len(s.heard)))
	}
}

// blink switches the lamps that nobody has judged yet.
func (r *run) blink(ctx context.Context, t *talk, all []*trial, on bool) error {
	for _, one := range all {
		if one.kind != "lamp" {
			continue
		}
		r.s.mu.Lock()
		_, judged := r.j.judged[one.slot]
		r.s.mu.Unlock()
		if judged {
			continue
		}
		switch err := t.Lamp(ctx, string(one.slot), on); {
		case errors.Is(err, core.ErrInvalid), errors.Is(err, wire.ErrUnknown):
			return core.Fail(core.ErrInvalid, "The kit has no lamp {slot}. Send it its settings, or flash it again.", "slot", one.slot)
		case err != nil:
			return err
		}
	}
	return nil
}

// feel takes in what a part of the kit says.
func (r *run) feel(all []*trial, e event) {
	i := slices.IndexFunc(all, func(t *trial) bool { return string(t.slot) == e.slot })
	if i < 0 || all[i].kind == "lamp" {
		return
	}
	t := all[i]
	if !t.any {
		t.any, t.low, t.high = true, e.value, e.value
	}
	t.low, t.high = min(t.low, e.value), max(t.high, e.value)
	passed, value := false, strconv.Itoa(int(e.value))
	switch t.kind {
	case "button":
		value = strconv.FormatBool(e.value != 0)
		if e.value != 0 && t.felt.IsZero() {
			t.felt = time.Now()
		}
	case "presence":
		value = strconv.FormatBool(e.value != 0)
		passed = e.value != 0
	case "brightness":
		passed = t.high-t.low >= sensorMove
	}
	r.edit(func(j *job) {
		k := &j.Tests[i]
		k.Value = value
		if passed {
			k.Tried, k.Passed = true, true
		}
	})
}

// arrived ends the tests of buttons that were felt: what they publish has to be at
// the broker, where the kit has joined.
func (r *run) arrived(all []*trial, joined bool) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for i, t := range all {
		k := &r.j.Tests[i]
		if t.kind != "button" || t.felt.IsZero() || k.Tried {
			continue
		}
		if !joined || t.tell == "" || !r.s.heard[t.tell].IsZero() {
			k.Tried, k.Passed = true, true
		} else if time.Since(t.felt) > heardFor {
			k.Tried = true
		}
		if k.Tried {
			r.s.cfg.Feed.Tell(core.KitsChanged)
		}
	}
}

// verdict tells whether everything was tried, and what failed.
func (r *run) verdict() (done bool, err error) {
	now := r.now()
	for _, k := range now.Tests {
		switch {
		case !k.Tried:
			done = true // below
		case k.Passed:
		case k.Asks:
			return true, core.Fail(core.ErrConflict, "The lamp does not blink. Look at its wires and its pin, and test again.")
		default:
			return true, core.Fail(core.ErrConflict, "The kit feels the button, and the broker gets nothing of it. Look at the kit's ports in the plan and at what was refused.")
		}
	}
	return !done, nil
}

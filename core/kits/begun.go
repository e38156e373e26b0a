package kits

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"homeroom/core"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

// restore makes setups that did not end before the program did what can go on.
func (s *Service) restore(all []Begun) {
	for _, b := range all {
		s.begun[b.Chip.MAC] = b
		if b.Left || len(s.jobs) == maxSetups/2 { // there is room for new ones
			continue
		}
		j := &job{Setup: core.Setup{ID: s.next, Port: b.Port, Chip: b.Chip, Order: b.Order, Firmware: b.Firmware, Step: core.StepFlash, Started: b.At}, judged: map[topic.ID]bool{},
			begun: true, restored: true, keyed: b.Keyed}
		j.fail(core.Say("Homeroom ended before this board was set up, so the broker does not take it. Plug it in and flash it again."), b.At)
		s.jobs[j.ID] = j
		s.next++
	}
}

// begin keeps that a board is going to be written, so that a program that is killed
// before the end knows of it the next time.
func (r *run) begin(ctx context.Context, settings wire.Settings) error {
	now := r.now()
	b := Begun{Chip: now.Chip, Account: topic.ID(settings.Account), Order: now.Order, Keyed: settings.Key != "", Port: now.Port, At: time.Now()}
	if now.Order.Image == "" {
		b.Firmware = now.Firmware
	}
	if !utf8.ValidString(b.Order.Network) { // nothing but text is kept; a person is asked then
		b.Order.Network = ""
	}
	r.s.keeping.Lock()
	defer r.s.keeping.Unlock()
	if err := r.s.cfg.Store.SaveBegun(ctx, b); err != nil {
		return err
	}
	r.edit(func(j *job) {
		j.begun, j.restored = true, false
		r.s.begun[b.Chip.MAC] = b
	})
	return nil
}

// recall gets the key of the network of a setup that did not end before the program
// did. Where nobody remembers it the kit looks for networks once it runs, and a person
// is asked.
func (r *run) recall() {
	now := r.now()
	if !now.restored || !now.keyed || now.pmk != "" || now.Order.Network == "" {
		return
	}
	pmk := r.s.cfg.Keys.Get(now.Order.Network)
	r.edit(func(j *job) {
		if j.pmk = pmk; pmk == "" {
			j.Order.Network = ""
		}
	})
}

// same takes over what was ordered of the same board in a setup from which it was
// unplugged. The caller holds mu.
func (s *Service) same(j *job) {
	for _, old := range sorted(s.jobs) {
		if old == j || old.desk != nil || old.cancel != nil || old.Passed || old.Chip.MAC != j.Chip.MAC || old.Order.Kit == "" || j.Order.Kit != "" {
			continue
		}
		j.Order, j.pmk, j.keeps, j.restored, j.keyed, j.begun = old.Order, old.pmk, old.keeps, old.restored, old.keyed, old.begun
		old.closed = true
		delete(s.jobs, old.ID)
	}
}

// counts takes in that what a board has counts now. It is out of the store at the next
// save. The caller holds mu.
func (s *Service) counts(mac string) {
	if _, there := s.begun[mac]; !there {
		return
	}
	delete(s.begun, mac)
	s.ended = append(s.ended, mac)
	for _, j := range sorted(s.jobs) {
		if j.restored && j.Chip.MAC == mac && j.cancel == nil { // it was further than it seemed
			j.closed = true
			delete(s.jobs, j.ID)
			s.release(j)
		}
	}
}

// left keeps that a person closed a setup that did not end. It returns what is to be
// stored. The caller holds mu.
func (s *Service) left(j *job) (b Begun, store bool) {
	b, store = s.begun[j.Chip.MAC]
	if !store || b.Left {
		return b, false
	}
	b.Left = true
	s.begun[b.Chip.MAC] = b
	return b, true
}

// unfinished says that the board of a kit has to be set up again. The caller holds mu.
func (s *Service) unfinished(k *kit) core.Sentence {
	for mac, b := range s.begun {
		if b.Account != k.Account || !b.At.After(k.Since) {
			continue
		}
		for _, j := range s.jobs {
			if j.Chip.MAC == mac && j.cancel != nil {
				return core.Sentence{} // that goes on now
			}
		}
		return core.Say("The setup of {kit} did not end, so the broker does not take its board ({mac}). Plug it in here and set it up again.", "kit", k.place, "mac", mac)
	}
	return core.Sentence{}
}

// forgotten drops what is kept of setups of an account that did not end: their boards
// need not become that kit any more. The caller holds mu.
func (s *Service) forgotten(account topic.ID) {
	for mac, b := range s.begun {
		if b.Account == account {
			s.counts(mac)
		}
	}
}

// saveEnded takes setups out of the store whose boards count. The caller holds keeping.
func (s *Service) saveEnded(ctx context.Context) {
	s.mu.Lock()
	all := s.ended
	s.ended = nil
	s.mu.Unlock()
	for i, mac := range all {
		s.mu.Lock()
		_, again := s.begun[mac]
		s.mu.Unlock()
		if again {
			continue
		}
		if err := s.cfg.Store.RemoveBegun(ctx, mac); err != nil {
			s.cfg.Log.Warn("kits", "err", err)
			s.mu.Lock()
			s.ended = append(s.ended, slices.Clone(all[i:])...)
			s.mu.Unlock()
			return
		}
	}
}

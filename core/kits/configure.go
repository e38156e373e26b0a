package kits

import (
	"context"
	"slices"

	"homeroom/core"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

// Configure gives a kit another network, other pins, or both, without flashing. A
// kit that does not reach the broker by the new network goes back to the old one
// within a minute. Of o only Network, Key, Remember and Pins count; nil Pins stay,
// none are as the role has them.
func (s *Service) Configure(ctx context.Context, name topic.Name, o core.SetupOrder) error {
	p, err := s.real(name)
	if err != nil {
		return err
	}
	if o.Pins != nil {
		if err := s.pin(ctx, p, o.Pins); err != nil {
			return err
		}
	}
	if o.Network == "" {
		return nil
	}
	s.mu.Lock()
	seen, known := s.networks[o.Network], slices.Contains(s.known, o.Network)
	s.mu.Unlock()
	pmk, err := s.key(ctx, o, seen, known)
	if err != nil {
		return err
	}
	// A key that it has goes away where the network is open.
	change := wire.Difference(wire.Settings{Key: "of before"}, wire.Settings{SSID: o.Network, Key: pmk, Transport: wire.WiFi})
	err = s.change(ctx, name, change)
	if err != nil || !o.Remember || pmk == "" {
		return err
	}
	return s.remember(ctx, o.Network, pmk)
}

// pin puts the parts of a kit on other pins.
func (s *Service) pin(ctx context.Context, p core.Place, pinned []core.KitPin) error {
	want, ok := s.should(p.Name, pinned)
	if ok {
		whole := want // what is not about pins is right as it is
		whole.Account, whole.Secret, whole.BrokerHost, whole.BrokerPort, whole.SSID = "a", "s", "b", 1, "n"
		if err := whole.Check(); err != nil {
			return err
		}
	}
	if err := s.send(ctx, p, pinned); err != nil {
		return err
	}
	s.mu.Lock()
	if k := s.kits[p.Account]; k != nil {
		k.Pins, k.changed = slices.Clone(pinned), true
	}
	s.mu.Unlock()
	s.compare()
	return nil
}

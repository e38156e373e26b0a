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
	home := s.found.Home
	s.mu.Unlock()
	pmk, err := s.key(ctx, o, seen, known)
	if err != nil {
		return err
	}
	// A key that it has goes away where the network is open.
	change := wire.Difference(wire.Settings{Key: "of before"}, wire.Settings{SSID: o.Network, Key: pmk, Transport: wire.WiFi, Home: home})
	seq, err := s.changed(ctx, name, change)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if k := s.kits[p.Account]; k != nil {
		k.tried(seq, wire.Settings{Home: home})
	}
	s.mu.Unlock()
	if !o.Remember || pmk == "" {
		return nil
	}
	return s.remember(ctx, o.Network, pmk)
}

// holds says why a kit cannot have what the plan says of it. The network is right as it is.
func holds(want wire.Settings) error {
	want.Account, want.Secret, want.BrokerHost, want.BrokerPort, want.SSID = "a", "s", "b", 1, "n"
	return want.Check()
}

// pin puts the parts of a kit on other pins.
func (s *Service) pin(ctx context.Context, p core.Place, pinned []core.KitPin) error {
	want, ok := s.should(p.Name, pinned)
	if ok {
		if err := holds(want); err != nil {
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

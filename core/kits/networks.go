package kits

import (
	"context"
	"slices"
	"strings"
	"time"

	"homeroom/core"
)

const (
	seenFor  = 10 * time.Minute // that a network is listed after a board saw it
	seenMost = 200              // networks
)

// dim forgets networks that nobody has seen for long, and of too many any. The
// caller holds mu.
func (s *Service) dim(now time.Time) {
	for name, n := range s.networks {
		if now.Sub(n.at) > seenFor || len(s.networks) > seenMost {
			delete(s.networks, name)
		}
	}
}

// Networks returns the networks that are known or that a board saw within the last
// minutes, the strongest first.
func (s *Service) Networks() []core.Network {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dim(time.Now())
	all := make([]core.Network, 0, len(s.networks)+len(s.known))
	for _, n := range s.networks {
		n.Known = slices.Contains(s.known, n.Name)
		all = append(all, n.Network)
	}
	for _, name := range s.known {
		if _, seen := s.networks[name]; !seen {
			all = append(all, core.Network{Name: name, Known: true})
		}
	}
	slices.SortFunc(all, func(a, b core.Network) int {
		if (a.Signal == 0) != (b.Signal == 0) { // who is not seen comes last
			if a.Signal == 0 {
				return 1
			}
			return -1
		}
		if a.Signal != b.Signal {
			return b.Signal - a.Signal
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

// remember keeps the key of a network.
func (s *Service) remember(ctx context.Context, name, pmk string) error {
	if s.cfg.Keys.Set(name, pmk) { // else the next program has a name without a key
		if err := s.cfg.Store.SaveNetwork(ctx, name); err != nil {
			return err
		}
	}
	s.mu.Lock()
	if !slices.Contains(s.known, name) {
		s.known = append(s.known, name)
		slices.Sort(s.known)
	}
	s.mu.Unlock()
	s.tell()
	return nil
}

// ForgetNetwork forgets the key of a network.
func (s *Service) ForgetNetwork(ctx context.Context, name string) error {
	s.mu.Lock()
	known := slices.Contains(s.known, name)
	s.mu.Unlock()
	if !known {
		return core.Fail(core.ErrNotFound, "The key of the network {name} is not remembered.", "name", name)
	}
	s.cfg.Keys.Delete(name)
	if err := s.cfg.Store.RemoveNetwork(ctx, name); err != nil {
		return err
	}
	s.mu.Lock()
	s.known = slices.DeleteFunc(s.known, func(n string) bool { return n == name })
	s.mu.Unlock()
	s.tell()
	return nil
}

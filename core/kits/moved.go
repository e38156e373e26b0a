package kits

import (
	"context"
	"net"
	"slices"
	"strconv"
	"time"

	"homeroom/core"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

// moveAgain is when a kit that could not be told where this PC is now is told again.
const moveAgain = 30 * time.Second

// moving is that a kit was told another address of this PC. Service.mu guards it.
type moving struct {
	to   string    // host:port that it was told, so that it gets each once
	next time.Time // when it may be told again
	seq  uint32    // of the settings with that; a kit that has less went back
	host string    // where it was before
	port uint16
}

// told takes in where the settings of a kit say that this program is. The caller
// holds mu.
func (k *kit) told(w wire.Settings) {
	k.Host, k.Port, k.TLS = w.BrokerHost, w.BrokerPort, len(w.TLSKey) > 0
	if w.Transport == wire.Cable {
		k.Host, k.Port, k.TLS = "", 0, false
	}
}

// returned takes in that a kit went back to where it was, because it did not reach
// this PC at the new address. The caller holds mu.
func (k *kit) returned() {
	if m := k.moving; m.seq != 0 && k.Sequence != 0 && k.Sequence < m.seq {
		k.Host, k.Port, k.moving.seq = m.host, m.port, 0
	}
}

// look finds out where this program is now and then: it asks the system.
func (s *Service) look(now time.Time) {
	s.mu.Lock()
	due := now.Sub(s.foundAt) >= foundFor
	s.mu.Unlock()
	if !due {
		return
	}
	b := s.cfg.Broker()
	s.mu.Lock()
	s.found, s.foundAt = b, now
	s.mu.Unlock()
}

// finds reports whether a kit looks for this program where it is. The caller holds mu.
func (s *Service) finds(k *kit) (host, port bool) {
	want := s.found.Port
	if k.TLS {
		want = s.found.TLSPort
	}
	return k.Host == s.found.Host || slices.Contains(s.found.Hosts, k.Host), k.Port == want
}

// strayed reports whether a kit on Wi-Fi was told another address than this PC has
// now, as far as that is known. The caller holds mu.
func (s *Service) strayed(k *kit) bool {
	if k.Host == "" || k.Link != linkWiFi || k.place == "" || s.found.Host == "" || s.found.Host == nowhere {
		return false
	}
	host, port := s.finds(k)
	return !host || !port
}

// lost says why a kit does not find this program. The caller holds mu.
func (s *Service) lost(k *kit) core.Sentence {
	if !s.strayed(k) {
		return core.Sentence{}
	}
	if host, _ := s.finds(k); !host {
		return core.Say("This PC has another address than {kit} was told. Plug it in here, or give the PC its old address {address}.", "kit", k.place, "address", k.Host)
	}
	return core.Say("Homeroom is at another port than {kit} was told. Plug it in here, or choose the port {port} again in the settings.", "kit", k.place, "port", int(k.Port))
}

// tellMoved tells kits that can be reached, and look for this program elsewhere, where
// it is.
func (s *Service) tellMoved(now time.Time) {
	s.mu.Lock()
	var all []topic.Name
	b := s.found
	for _, k := range s.kits {
		if !s.strayed(k) || k.state != "ready" && k.port == "" || k.TLS && b.TLSPort == 0 || now.Before(k.moving.next) {
			continue
		}
		if to := s.address(k); k.moving.to != to {
			k.moving = moving{to: to, next: now.Add(moveAgain)}
			all = append(all, k.place)
		}
	}
	s.mu.Unlock()
	for _, place := range all {
		s.begin(func() {
			ctx, cancel := context.WithTimeout(s.ctx, 2*answerFor)
			defer cancel()
			s.move(ctx, place, b)
		})
	}
}

// address is where a kit should look for this program. The caller holds mu.
func (s *Service) address(k *kit) string {
	port := s.found.Port
	if k.TLS {
		port = s.found.TLSPort
	}
	return net.JoinHostPort(s.found.Host, strconv.Itoa(int(port)))
}

// move tells a kit where this program is. One that does not reach it there goes back
// within a minute.
func (s *Service) move(ctx context.Context, place topic.Name, b Broker) {
	s.mu.Lock()
	k := s.speaker(place)
	if k == nil {
		s.mu.Unlock()
		return
	}
	port := b.Port
	if k.TLS {
		port = b.TLSPort
	}
	s.mu.Unlock()
	seq, err := s.changed(ctx, place, wire.Difference(wire.Settings{}, wire.Settings{BrokerHost: b.Host, BrokerPort: port, Page: b.Page}))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		k.moving.to = "" // once more, a little later
		return
	}
	k.moving.seq, k.moving.host, k.moving.port = seq, k.Host, k.Port
	k.Host, k.Port, k.changed = b.Host, port, true
}

package kits

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"slices"
	"strconv"
	"time"

	"homeroom/core"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

const (
	moveAgain = 30 * time.Second // a kit that could not be told where this PC is now is told again
	homeWhile = 30 * time.Second // after it came, a kit is told the name of this PC; later it is at work
	homeMost  = 4                // kits that are told that at a time
)

// moving is that a kit was told another address or the name of this PC. Service.mu
// guards it.
type moving struct {
	to   string    // host:port and key that it was told, so that it gets each once
	next time.Time // when it may be told again
	name string    // of this PC that it was told by itself, so that it gets each once
	came time.Time // when it had come that it was told so
	seq  uint32    // of the settings with that; a kit that has less went back
	host string    // where it was before
	port uint16
	home string
	pin  string
}

// pinOf is a TLS key in short: nobody has to keep more to tell whether it is another.
func pinOf(key []byte) string {
	if len(key) == 0 {
		return ""
	}
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// told takes in where the settings of a kit say that this program is. The caller
// holds mu.
func (k *kit) told(w wire.Settings) {
	k.Host, k.Port, k.TLS, k.Pin, k.Home = w.BrokerHost, w.BrokerPort, len(w.TLSKey) > 0, pinOf(w.TLSKey), w.Home
	if w.Transport == wire.Cable {
		k.Host, k.Port, k.TLS, k.Pin, k.Home = "", 0, false, "", ""
	}
}

// returned takes in that a kit went back to where it was, because it did not reach
// this PC at the new address. The caller holds mu.
func (k *kit) returned() {
	if m := k.moving; m.seq != 0 && k.Sequence != 0 && k.Sequence < m.seq {
		k.Host, k.Port, k.Home, k.Pin, k.moving.seq = m.host, m.port, m.home, m.pin, 0
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
	return !host || !port || s.distrusts(k)
}

// distrusts reports whether a kit was told another TLS key than this program has now:
// it takes nobody for its broker. The caller holds mu.
func (s *Service) distrusts(k *kit) bool {
	return k.TLS && k.Pin != "" && len(s.found.TLSKey) > 0 && k.Pin != pinOf(s.found.TLSKey)
}

// lost says why a kit does not find this program. The caller holds mu.
func (s *Service) lost(k *kit) core.Sentence {
	if !s.strayed(k) {
		return core.Sentence{}
	}
	host, port := s.finds(k)
	switch {
	case k.TLS && s.found.TLSPort == 0:
		return core.Say("{kit} speaks TLS, and Homeroom serves without it. Switch TLS on in the settings, at the port {port}, and start Homeroom again.", "kit", k.place, "port", int(k.Port))
	case s.distrusts(k):
		return core.Say("{kit} was told another TLS key than Homeroom has now, so it does not trust this PC. Plug it in here: it is told the new one.", "kit", k.place)
	case !host && port && k.Home != "" && k.Home == s.found.Home:
		return core.Say("This PC has another address than {kit} was told. It looks for this PC by its name {name} and should be back within two minutes. If it does not come, plug it in here, or give the PC its old address {address}.", "kit", k.place, "name", k.Home, "address", k.Host)
	case !host:
		return core.Say("This PC has another address than {kit} was told. Plug it in here, or give the PC its old address {address}.", "kit", k.place, "address", k.Host)
	}
	return core.Say("Homeroom is at another port than {kit} was told. Plug it in here, or choose the port {port} again in the settings.", "kit", k.place, "port", int(k.Port))
}

// tellMoved tells kits that can be reached, and look for this program elsewhere, where
// it is. Kits that do not know its name are told that when they come: to try what is
// new they connect once more, which disturbs nobody then.
func (s *Service) tellMoved(now time.Time) {
	s.mu.Lock()
	var all []topic.Name
	b, homes := s.found, 0
	for _, k := range s.kits {
		if homes < homeMost && s.homeless(k, now) {
			k.moving.name, k.moving.came = b.Home, k.ready
			all = append(all, k.place)
			homes++
			continue
		}
		if !s.strayed(k) || k.state != "ready" && k.port == "" || k.TLS && b.TLSPort == 0 || now.Before(k.moving.next) {
			continue
		}
		if to := s.address(k) + " " + pinOf(b.TLSKey); k.moving.to != to {
			k.moving.to, k.moving.next, k.moving.seq = to, now.Add(moveAgain), 0
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

// homeless reports whether a kit should be told the name of this PC by itself now:
// where it just came, is where it should be, and does not know it. The caller holds mu.
func (s *Service) homeless(k *kit, now time.Time) bool {
	came := now.Sub(k.ready)
	return s.found.Home != "" && k.Home != s.found.Home && k.moving.name != s.found.Home &&
		k.Link == linkWiFi && k.Host != "" && k.place != "" && k.state == "ready" && k.port == "" && k.doing.Format == "" &&
		came >= settleFor && came < homeWhile && !k.moving.came.Equal(k.ready) && !s.strayed(k)
}

// address is where a kit should look for this program. The caller holds mu.
func (s *Service) address(k *kit) string {
	port := s.found.Port
	if k.TLS {
		port = s.found.TLSPort
	}
	return net.JoinHostPort(s.found.Host, strconv.Itoa(int(port)))
}

// move tells a kit where this program is, or its name where it knows the rest. One
// that does not reach it there goes back within a minute.
func (s *Service) move(ctx context.Context, place topic.Name, b Broker) {
	s.mu.Lock()
	k := s.speaker(place)
	if k == nil {
		s.mu.Unlock()
		return
	}
	to := wire.Settings{Home: b.Home}
	if s.strayed(k) {
		to.BrokerHost, to.BrokerPort, to.Page = b.Host, b.Port, b.Page
		if k.TLS {
			to.BrokerPort, to.TLSKey = b.TLSPort, b.TLSKey
		}
	}
	s.mu.Unlock()
	if to.BrokerHost == "" && to.Home == "" {
		return
	}
	seq, err := s.changed(ctx, place, wire.Difference(wire.Settings{}, to))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		k.moving.to, k.moving.name = "", "" // once more: a little later, or when it comes again
		return
	}
	k.tried(seq, to)
}

// tried takes in where a kit was told that this program is, with settings that it goes
// back from where they do not hold. The caller holds mu.
func (k *kit) tried(seq uint32, to wire.Settings) {
	k.moving.seq, k.moving.host, k.moving.port, k.moving.home, k.moving.pin = seq, k.Host, k.Port, k.Home, k.Pin
	if to.BrokerHost != "" {
		k.Host, k.Port = to.BrokerHost, to.BrokerPort
	}
	if to.Home != "" {
		k.Home = to.Home
	}
	if len(to.TLSKey) > 0 {
		k.Pin = pinOf(to.TLSKey)
	}
	k.changed = true
}

package main

import (
	"context"
	"log/slog"
	"net/netip"
	"os"

	"homeroom/core"
	"homeroom/core/mdns"
	"homeroom/core/trust"
)

// openName makes what answers to the name of this installation in the network, unless
// the command line says not to. Nothing is sent before it runs. Without the keys that
// the name comes from, the lesson goes on without it.
func (p *program) openName(ctx context.Context, e env, l listeners, log *slog.Logger) {
	if l.NoMDNS {
		return
	}
	known := p.trust
	if known == nil { // the name stays the same without TLS
		var err error
		if known, err = trust.Open(ctx, trust.Config{Store: p.db, Log: log}); err != nil {
			if p.settings.Settings().Named { // else nobody misses it
				log.Warn("no name in the network", "err", err)
			}
			return
		}
	}
	host, _ := os.Hostname() // "" is a machine without a name
	p.name = mdns.New(mdns.Config{Name: known.Name(), Host: host, Network: e.network, Feed: &p.feed, Log: log,
		Services: func() []mdns.Service {
			if !p.settings.Settings().Named {
				return nil
			}
			return p.offered()
		},
		Trouble: func(said core.Sentence) {
			log.Warn(said.String())
			p.accounts.Refuse(core.Refusal{Say: said})
		}})
}

// offered is what others can use over the network.
func (p *program) offered() (all []mdns.Service) {
	for _, s := range []struct{ kind, bound string }{{"_mqtt._tcp", p.info.MQTT}, {"_secure-mqtt._tcp", p.info.MQTTS}, {"_http._tcp", p.info.Page}} {
		if at, err := netip.ParseAddrPort(s.bound); err == nil { // else there is none
			all = append(all, mdns.Service{Type: s.kind, At: at})
		}
	}
	return all
}

// named returns the name by which others find this PC now, or "".
func (p *program) named() string {
	if p.name == nil {
		return ""
	}
	return p.name.Name()
}

// addresses returns where other machines reach the program.
func (p *program) addresses() core.Addresses {
	a := addresses(p.info)
	a.Name = p.named()
	return a
}

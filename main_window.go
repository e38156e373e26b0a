//go:build !headless

package main

import (
	"context"
	"errors"

	"homeroom/core"
	"homeroom/core/accounts"
	"homeroom/core/broker"
	"homeroom/core/gateway"
	"homeroom/ui"
	screen "homeroom/ui/settings"
)

// show shows the window until it is closed.
func (p *program) show(ctx context.Context) error {
	return ui.Run(ctx, ui.Parts{
		Feed: &p.feed, Info: p.info, Addresses: func() core.Addresses { return addresses(p.info) },
		Broker: windowBroker{p.broker, p.gateway, p.accounts, p.info.Open}, History: p.history, Accounts: p.accounts, Settings: windowSettings{p.settings},
	})
}

// windowBroker is the broker as the window sees it: pages and programs that watch
// over the web are clients too, and who sits at the PC that holds the data
// publishes as its first teacher, or as anyone where all may.
type windowBroker struct {
	*broker.Broker
	web      *gateway.Gateway
	accounts *accounts.Service
	open     bool
}

// Clients returns who is connected, over MQTT and over the web.
func (b windowBroker) Clients() []core.Client {
	return append(b.Broker.Clients(), b.web.Guests()...)
}

// Disconnect ends the connection of a client, whichever way it came.
func (b windowBroker) Disconnect(client string) error {
	err := b.Broker.Disconnect(client)
	if errors.Is(err, core.ErrNotFound) {
		return b.web.EndGuest(client)
	}
	return err
}

// Publish publishes m as the first teacher.
func (b windowBroker) Publish(ctx context.Context, m core.Message) error {
	m.From, m.Client = core.Anyone, "window"
	var first core.Account
	for _, a := range b.accounts.Accounts() {
		if a.Role == core.Teacher && !a.Disabled && (first.ID == 0 || a.ID < first.ID) {
			first = a
		}
	}
	if first.ID != 0 {
		m.From = first.ID
	} else if !b.open {
		return core.Fail(core.ErrDenied, "There is no teacher's account. Add one in Accounts.")
	}
	return b.Broker.Publish(ctx, m)
}

// windowSettings is what the screen Settings shows and sets.
type windowSettings struct{ *settings }

// Secure returns how others reach and recognise this program over TLS.
func (w windowSettings) Secure() screen.Secure {
	s := screen.Secure{Addresses: addresses(w.p.info).MQTTS, Problem: w.p.noTLS}
	if t := w.p.trust; t != nil {
		s.Pin, s.Fingerprint, s.CA, s.PublicKey = t.Pin(), t.Fingerprint(), t.CA(), t.PublicKey()
	}
	return s
}

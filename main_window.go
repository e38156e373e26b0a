//go:build !headless

package main

import (
	"context"
	"errors"
	"slices"

	"homeroom/core"
	"homeroom/core/accounts"
	"homeroom/core/broker"
	"homeroom/ui"
)

// show shows the window until it is closed.
func (p *program) show(ctx context.Context) error {
	return ui.Run(ctx, ui.Parts{
		Feed: &p.feed, Info: p.info, Addresses: func() core.Addresses { return addresses(p.info) },
		Broker: windowBroker{p.broker, p.accounts}, History: p.history, Accounts: p.accounts, Settings: p.settings,
	})
}

// windowBroker is the broker as the window sees it: who sits at the PC that
// holds the data publishes as its first teacher.
type windowBroker struct {
	*broker.Broker
	accounts *accounts.Service
}

// Publish publishes m as the first teacher.
func (b windowBroker) Publish(ctx context.Context, m core.Message) error {
	all := b.accounts.Accounts()
	slices.SortFunc(all, func(a, b core.Account) int { return int(a.ID - b.ID) })
	i := slices.IndexFunc(all, func(a core.Account) bool { return a.Role == core.Teacher && !a.Disabled })
	if i < 0 {
		return errors.New("there is no teacher") // the window shows nothing else until there is one
	}
	m.From, m.Client = all[i].ID, "window"
	return b.Broker.Publish(ctx, m)
}

package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/sim"
	"homeroom/core/topic"
)

// The load test: as busy as a class gets.
const (
	loadRate  = 2           // messages a second of each kit
	loadLabel = "Load test" // of its accounts, which go after it
)

// tryKits lets n virtual kits publish and read for that long, and returns what
// became of it. Their accounts and grants are gone after it; those of a test that
// the program did not survive go with the next one.
func (p *program) tryKits(ctx context.Context, n int, long time.Duration) (sim.LoadReport, error) {
	if !p.loading.TryLock() {
		return sim.LoadReport{}, core.Fail(core.ErrConflict, "A load test runs already. Wait until it has ended.")
	}
	defer p.loading.Unlock()
	ours := func(a core.Account) bool {
		return a.Role == core.Kit && a.Label == loadLabel && strings.HasPrefix(string(a.Name), "load-")
	}
	defer func() {
		ctx := context.WithoutCancel(ctx)
		p.lent.Store(nil)
		p.compile()
		for _, a := range p.accounts.Accounts() {
			if ours(a) {
				_ = p.accounts.Remove(ctx, a.ID) // the next test tries again
			}
		}
	}()
	var grants []core.Grant
	for i := range n {
		a := core.Account{Name: sim.LoadAccount(i), Label: loadLabel, Role: core.Kit}
		id, taken := p.accountID(a.Name)
		if taken {
			old, _ := p.accounts.Account(id)
			if !ours(old) {
				return sim.LoadReport{}, core.Fail(core.ErrConflict, "The load test needs the name {name}, which somebody has. Rename that account.", "name", a.Name)
			}
		} else {
			added, _, err := p.accounts.Add(ctx, a, "")
			if err != nil {
				return sim.LoadReport{}, err
			}
			id = added.ID
		}
		for _, action := range []core.Action{core.Publish, core.Subscribe} {
			grants = append(grants, core.Grant{Subject: core.Subject{Account: id}, Action: action, Pattern: string(sim.LoadTopic(i))})
		}
	}
	p.lent.Store(&grants)
	p.compile()
	lend := func(_ context.Context, name topic.ID) (string, error) {
		id, found := p.accountID(name)
		if !found {
			return "", errors.New("its account is gone")
		}
		return p.accounts.Lend(id)
	}
	return sim.Load{Kits: n, Rate: loadRate, For: long}.Run(ctx, sim.Config{Address: func() string { return reachable(p.broker.Addr()) }, Lend: lend,
		Topic: p.plan.Topic, Feed: &core.Feed{}, Log: p.log})
}

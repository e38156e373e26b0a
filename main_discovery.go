package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"

	"homeroom/core"
	"homeroom/core/plan"
	"homeroom/core/topic"
)

// discoveryClient is the MQTT Client Identifier of what others discover us by.
const discoveryClient = "discovery"

// maxCarried is how many messages may wait to be carried to Homie's names; of
// more, the newest are lost there, and only there.
const maxCarried = 1024

// discovery tells Home Assistant and Homie's controllers what is drawn, where the
// settings say so, and carries values to the names that Homie wants.
type discovery struct {
	p      *program
	log    *slog.Logger
	bridge atomic.Pointer[plan.Bridge] // nil while it is off
	carry  chan core.Message
}

func newDiscovery(p *program, log *slog.Logger) *discovery {
	return &discovery{p: p, log: log, carry: make(chan core.Message, maxCarried)}
}

// observe carries m, soon. It does not wait.
func (d *discovery) observe(m core.Message) {
	b := d.bridge.Load()
	if b == nil {
		return
	}
	if out, ok := b.Carry(m); ok {
		out.Client = discoveryClient
		select {
		case d.carry <- out:
		default:
		}
	}
}

// run publishes until ctx ends.
func (d *discovery) run(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	go func() {
		l := d.p.feed.Listen()
		defer l.Close()
		for {
			what, err := l.Next(ctx)
			if err != nil {
				return
			}
			if what&(core.PlanChanged|core.SettingsChanged) != 0 {
				select {
				case changed <- struct{}{}:
				default:
				}
			}
		}
	}()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			err = d.announce(ctx)
		case m := <-d.carry:
			err = d.p.broker.Publish(ctx, m)
		}
		if err != nil && ctx.Err() == nil {
			d.log.Warn("discovery", "err", err) // the next change tells it again
		}
	}
}

// announce makes what is retained for others what is drawn now.
func (d *discovery) announce(ctx context.Context) error {
	var told []core.Message
	stays := map[topic.Name]bool{} // what values are carried to
	if design := d.p.plan.Design(); d.p.settings.Settings().Discovery {
		told = plan.Discovery(design)
		for _, to := range plan.HomieNames(design) {
			stays[to] = true
		}
		d.bridge.Store(plan.NewBridge(design))
	} else {
		d.bridge.Store(nil)
	}
	known := map[topic.Name][]byte{}
	for _, f := range []topic.Filter{"homeassistant/#", "homie/5/#"} {
		for _, m := range d.p.broker.Retained(f, math.MaxInt) {
			if m.From == core.Program { // else somebody else's
				known[m.Topic] = m.Payload
			}
		}
	}
	var news []core.Message
	for _, m := range told {
		old, there := known[m.Topic]
		delete(known, m.Topic)
		if there && plan.SameDiscovery(old, m.Payload) {
			continue
		}
		m.From, m.Client, m.Retain = core.Program, discoveryClient, true
		news = append(news, m)
	}
	for gone := range known {
		if !stays[gone] {
			news = append(news, core.Message{Topic: gone, Retain: true, From: core.Program, Client: discoveryClient})
		}
	}
	if err := d.publish(ctx, news); err != nil {
		return err
	}
	return d.catchUp(ctx, known)
}

// publish publishes ms, several at a time: the broker stores them together, and a
// large plan has a hundred thousand.
func (d *discovery) publish(ctx context.Context, ms []core.Message) error {
	var all sync.WaitGroup
	errs := make([]error, 64)
	for worker := range errs {
		all.Go(func() {
			for i := worker; i < len(ms) && errs[worker] == nil; i += len(errs) {
				errs[worker] = d.p.broker.Publish(ctx, ms[i])
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// catchUp carries the facts that were retained before anybody carried them.
func (d *discovery) catchUp(ctx context.Context, known map[topic.Name][]byte) error {
	b := d.bridge.Load()
	if b == nil {
		return nil
	}
	var facts []core.Message
	for from := range plan.HomieNames(d.p.plan.Design()) {
		for _, m := range d.p.broker.Retained(topic.Filter(from), 1) {
			out, ok := b.Carry(m)
			if old, there := known[out.Topic]; !ok || there && bytes.Equal(old, out.Payload) {
				continue
			}
			out.Client = discoveryClient
			facts = append(facts, out)
		}
	}
	return d.publish(ctx, facts)
}

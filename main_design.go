package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/alarms"
	"homeroom/core/plan"
	"homeroom/core/record"
	"homeroom/core/rules"
	"homeroom/core/sim"
	"homeroom/core/topic"
	"homeroom/core/why"
)

// openDesign opens the plan and everything that is made from it. What each of
// them asks the others is decided here: they do not know each other.
func (p *program) openDesign(ctx context.Context, log *slog.Logger) (err error) {
	p.plan, err = plan.Open(ctx, plan.Config{Store: p.db, Readings: p.history, Arrivals: p.history, Broker: p.broker, Authority: p.accounts, Feed: &p.feed, Log: log,
		CheckRule: rules.Check, AccountID: p.accountID, Describe: p.history.Describe, Described: p.db.SeriesNames, Note: p.accounts.Note})
	if err != nil {
		return err
	}
	p.why, err = why.Open(ctx, why.Config{Store: p.db, Design: p.plan.Design, Account: p.accounts.Account, Feed: &p.feed, Log: log})
	if err != nil {
		return err
	}
	p.rules = rules.Open(rules.Config{Publish: p.broker.Publish, MayRead: p.mayRead, Topic: p.plan.Topic, Value: p.newest, Changed: p.changed, Past: p.past, Title: p.title, Fired: p.why.Fired, Feed: &p.feed, Log: log})
	p.alarms, err = alarms.Open(ctx, alarms.Config{Store: p.db, Topic: p.plan.Topic, Newest: p.newest, Renamed: p.plan.Renamed, Publish: p.broker.Publish, Feed: &p.feed, Log: log})
	if err != nil {
		return err
	}
	p.sim = sim.Open(sim.Config{Address: func() string { return reachable(p.broker.Addr()) }, Lend: p.lend, Topic: p.plan.Topic, Refusals: p.accounts.Refusals, Feed: &p.feed, Log: log})
	p.recorder, err = record.Open(ctx, record.Config{Store: p.db, Subscribe: p.broker.Subscribe, Retained: p.broker.Retained, Publish: p.broker.Publish, Feel: p.feel, Feed: &p.feed, Log: log})
	if err != nil {
		return err
	}
	p.discovery = newDiscovery(p, log)
	p.hand() // before the first client asks what it may do
	return nil
}

// runDesign adds to g what openDesign opened.
func (p *program) runDesign(g *core.Group) {
	g.Add("plan", p.plan.Run)
	g.Add("why", func(ctx context.Context) error {
		defer p.broker.Deliveries(p.why.Traces, p.why.Delivered)()
		return p.why.Run(ctx)
	})
	g.Add("rules", p.rules.Run)
	g.Add("alarms", p.alarms.Run)
	g.Add("recordings", p.recorder.Run)
	g.Add("virtual kits", p.sim.Run)
	g.Add("discovery", p.discovery.run)
	g.Add("design", p.follow)
}

// follow hands the design to what is made from it, each time it changes.
func (p *program) follow(ctx context.Context) error {
	l := p.feed.Listen()
	defer l.Close()
	for {
		changed, err := l.Next(ctx)
		if err != nil {
			return nil
		}
		if changed&(core.PlanChanged|core.AccountsChanged) == 0 {
			continue
		}
		p.hand()
	}
}

// hand gives the design as it is now to what is made from it.
func (p *program) hand() {
	p.compile()
	d := p.plan.Design()
	p.rules.Set(d.Rules)
	p.alarms.Set(d.Alarms)
	kits := make([]core.Place, 0, len(d.Places))
	for _, k := range d.Places {
		if k.Kind == core.KitPlace {
			kits = append(kits, *k)
		}
	}
	p.sim.Set(kits)
}

// compile makes the drawing what accounts may do. One at a time reads it and sets
// that, so what is older never comes last.
func (p *program) compile() {
	p.granting.Lock()
	defer p.granting.Unlock()
	grants := append(p.plan.Grants(), p.kitGrants()...)
	if load := p.lent.Load(); load != nil {
		grants = append(grants, *load...)
	}
	p.accounts.SetDesigned(grants)
}

func (p *program) accountID(name topic.ID) (core.AccountID, bool) {
	a, found := p.accounts.Named(name)
	return a.ID, found
}

// mayRead reports whether an account may read what n is really called.
func (p *program) mayRead(id core.AccountID, n topic.Name) bool {
	real, err := p.accounts.Authorize(id, core.Subscribe, topic.Filter(n))
	return err == nil && real == topic.Filter(n)
}

// title is the name of an account for a person.
func (p *program) title(id core.AccountID) string {
	a, _ := p.accounts.Account(id)
	return a.Title()
}

// reachable returns the address by which this PC itself reaches what listens on addr.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// newest returns the newest message of a topic that is known.
func (p *program) newest(n topic.Name) (core.Message, bool) {
	if m, ok := p.history.Newest(n); ok {
		return m, true
	}
	if ms := p.broker.Retained(topic.Filter(n), 1); len(ms) == 1 {
		return ms[0], true
	}
	return core.Message{}, false
}

// changed returns the latest change of a topic that is known, also from before the
// program started. What is not kept in full is not known.
func (p *program) changed(n topic.Name) (core.Message, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	ms, err := p.why.Changes(ctx, n, time.Time{}, time.Time{}, 1)
	if err != nil || len(ms) == 0 || strings.HasSuffix(string(ms[0].Payload), "…") {
		return core.Message{}, false
	}
	return ms[0], true
}

// maxPast is how many changes of one topic a dry run looks at.
const maxPast = 20_000

// past returns what was published to topics, oldest first.
func (p *program) past(ctx context.Context, topics []topic.Name, from, to time.Time) (all []core.Message, err error) {
	if err := p.why.Flush(ctx); err != nil {
		return nil, err
	}
	for _, n := range topics {
		ms, err := p.why.Changes(ctx, n, from, to, maxPast)
		if err != nil {
			return nil, err
		}
		all = append(all, ms...)
	}
	slices.SortStableFunc(all, func(a, b core.Message) int { return a.At.Compare(b.At) })
	return all, nil
}

// lend returns a secret for a virtual kit, whose account it makes where there is
// none, in the team whose branch the kit is drawn in.
func (p *program) lend(ctx context.Context, name topic.ID) (string, error) {
	a, err := kitMaker{p.accounts, p.plan, p.compile}.account(ctx, name)
	if err != nil {
		return "", err
	}
	return p.accounts.Lend(a.ID)
}

// feel lets the virtual kits that publish n publish the value.
func (p *program) feel(n topic.Name, value string) bool {
	felt := false
	for _, b := range p.sim.Boards() {
		if p.sim.Feel(b.Kit.Name, n, []byte(value)) == nil {
			felt = true
		}
	}
	return felt
}

// documents is what a document of the plan says about this program.
func (p *program) documents() plan.DocOptions {
	a := addresses(p.info)
	o := plan.DocOptions{Address: a.MQTT[0], Say: lang.Say, Account: p.title, Rule: func(r core.Rule) string { return sentence(p.plan.Design(), r, lang.Say) }}
	if len(a.MQTTS) > 0 {
		o.Secure = a.MQTTS[0]
	}
	return o
}

// writePlan writes a design in a format: json, csv, markdown or asyncapi.
func writePlan(w io.Writer, d *core.Design, f topic.Filter, format string, o plan.DocOptions) error {
	switch format {
	case "json":
		return plan.WriteJSON(w, d)
	case "csv":
		return plan.WriteCSV(w, d)
	case "markdown":
		return plan.Markdown(w, d, f, o)
	case "asyncapi":
		return plan.AsyncAPI(w, d, f, o)
	}
	return core.Fail(core.ErrInvalid, "There is no format {format}. Choose json, csv, markdown or asyncapi.", "format", format)
}

// importPlan applies all of a file, or nothing and returns its faults.
func importPlan(ctx context.Context, s *plan.Service, file []byte) (created, changed int, faults []core.FileFault, err error) {
	created, changed, err = s.Import(ctx, file)
	var told plan.Faults
	if errors.As(err, &told) {
		for _, f := range told {
			faults = append(faults, core.FileFault{Line: f.Line, Path: f.Path, Say: f.Sentence})
		}
		err = nil
	}
	return created, changed, faults, err
}

//go:build !headless

package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/accounts"
	"homeroom/core/alarms"
	"homeroom/core/broker"
	"homeroom/core/gateway"
	"homeroom/core/history"
	"homeroom/core/kits"
	"homeroom/core/plan"
	"homeroom/core/record"
	"homeroom/core/rules"
	"homeroom/core/sim"
	"homeroom/core/topic"
	"homeroom/core/why"
	"homeroom/ui"
	uikits "homeroom/ui/kits"
	uiplan "homeroom/ui/plan"
	uirules "homeroom/ui/rules"
	screen "homeroom/ui/settings"
	"homeroom/ui/setup"
)

// show shows the window until it is closed.
func (p *program) show(ctx context.Context) error {
	return ui.Run(ctx, ui.Parts{
		Feed: &p.feed, Info: p.info, Addresses: p.addresses,
		Broker: windowBroker{p.broker, p.gateway, p}, History: windowHistory{p.history, p.windowPlan()}, Accounts: p.accounts,
		Alarms: windowAlarms{p.alarms, p}, Rehearsal: rehearsal{p}, Recordings: windowRecorder{p.recorder, p}, Settings: windowSettings{p.settings}, Restart: p.restart,
		Plan: uiplan.Parts{Plan: p.windowPlan(), Values: p.history, Clients: windowBroker{p.broker, p.gateway, p}, Rights: rights{p.accounts},
			Boards: boards{p.sim}, Why: reasons{p.why}, Rules: p.rules},
		Kits:  uikits.Parts{Kits: p.kits, Care: kitCare{p.kits, p}, Updates: p.kits, Consoles: p.kits, Plan: p.windowPlan(), Teams: p.accounts.Teams},
		Setup: setup.Parts{Kits: p.kits, Plan: p.plan, Teams: p.accounts, Addresses: p.addresses},
		Rules: uirules.Parts{Plan: p.windowPlan(), Engine: p.rules, Language: ruleLanguage{p.plan}, Library: ruleLibrary{}, Alarms: windowAlarms{p.alarms, p}, Values: p.history},
	})
}

// windowBroker is the broker as the window sees it: pages and programs that watch
// over the web are clients too, and who sits at the PC that holds the data
// publishes as its first teacher, or as anyone where all may.
type windowBroker struct {
	*broker.Broker
	web *gateway.Gateway
	p   *program
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
func (b windowBroker) Publish(ctx context.Context, m core.Message) (err error) {
	if m.From, err = b.p.firstTeacher(); err != nil {
		return err
	}
	m.Client = "window"
	return b.Broker.Publish(ctx, m)
}

// windowPlan is the design as the window sees and changes it: as the first teacher.
type windowPlan struct {
	*plan.Service
	p       *program
	matcher *atomic.Pointer[matcher]
}

// matcher finds slips in names, and is made anew for each design.
type matcher struct {
	*plan.Matcher
	of *core.Design
}

func (p *program) windowPlan() windowPlan {
	return windowPlan{p.plan, p, &atomic.Pointer[matcher]{}}
}

// Change makes one edit. A rule publishes as who wrote it.
func (w windowPlan) Change(ctx context.Context, b core.Batch) error {
	ctx = w.p.teacher(ctx)
	for i := range b.Rules {
		if b.Rules[i].Account == 0 {
			b.Rules[i].Account = core.Actor(ctx)
		}
	}
	return w.Service.Change(ctx, b)
}

// MoveTopics, RemoveTopics, Undo, Redo and UndoRemove are plan.Service's.
func (w windowPlan) MoveTopics(ctx context.Context, from, to topic.Name, apply bool) (core.Effect, error) {
	return w.Service.MoveTopics(w.p.teacher(ctx), from, to, apply)
}

func (w windowPlan) RemoveTopics(ctx context.Context, under topic.Name, apply bool) (core.Effect, error) {
	return w.Service.RemoveTopics(w.p.teacher(ctx), under, apply)
}

func (w windowPlan) Undo(ctx context.Context) (core.Edit, error) {
	return w.Service.Undo(w.p.teacher(ctx))
}
func (w windowPlan) Redo(ctx context.Context) (core.Edit, error) {
	return w.Service.Redo(w.p.teacher(ctx))
}

func (w windowPlan) UndoRemove(ctx context.Context, id int64) error {
	return w.Service.UndoRemove(w.p.teacher(ctx), id)
}

// Problems returns what could be better.
func (w windowPlan) Problems() []core.Fix {
	states, _ := w.p.history.Topics(0)
	states = slices.DeleteFunc(states, func(s core.TopicState) bool { return s.Last.Client == record.Client }) // what is played was meant
	return plan.Problems(w.Design(), states)
}

// Meant returns the designed topic whose name n looks like a slip of.
func (w windowPlan) Meant(n topic.Name) (topic.Name, bool) {
	m, d := w.matcher.Load(), w.Design()
	if m == nil || m.of != d {
		m = &matcher{plan.NewMatcher(d), d}
		w.matcher.Store(m)
	}
	return m.Meant(n)
}

// Adopt designs a topic as it arrives.
func (w windowPlan) Adopt(t core.TopicState) core.Batch { return plan.Adopt(w.Design(), t) }

// Templates returns what can be drawn at once.
func (w windowPlan) Templates() []core.Template { return plan.Templates() }

// FromTemplate returns the template once for each branch.
func (w windowPlan) FromTemplate(key string, branches []topic.Name, onBoard bool) (core.Batch, error) {
	return plan.FromTemplate(key, branches, w.Design(), plan.Options{OnBoard: onBoard, Say: lang.Say})
}

// DrawKit returns the kit with the parts of its role and their topics.
func (w windowPlan) DrawKit(kit core.Place) core.Batch {
	return plan.DrawKit(w.Design(), kit, lang.Say)
}

// PartTopic returns what the topic of a part is usually like.
func (w windowPlan) PartTopic(slot topic.ID) core.Topic { return plan.PartTopic(slot, lang.Say) }

// Select tells what a filter selects, as a person types it.
func (w windowPlan) Select(filter string) (core.Selection, error) {
	return plan.Select(w.Design(), filter, w.Arriving())
}

// Import applies all of a file, or nothing and tells its faults.
func (w windowPlan) Import(ctx context.Context, file []byte) (created, changed int, faults []core.FileFault, err error) {
	return importPlan(w.p.teacher(ctx), w.Service, file)
}

// Export writes the design.
func (w windowPlan) Export(_ context.Context, to io.Writer, format string) error {
	return writePlan(to, w.Design(), "#", format, w.p.documents())
}

// rights is who may do what, for the playground.
type rights struct{ *accounts.Service }

// MayUse returns the titles of those who may do a with all that f selects.
func (r rights) MayUse(f topic.Filter, a core.Action) (titles []string) {
	for _, x := range r.Accounts() {
		if real, err := r.Authorize(x.ID, a, f); err == nil && real == f {
			titles = append(titles, x.Title())
		}
	}
	return titles
}

// boards are the virtual kits as a person at the window uses them.
type boards struct{ *sim.Service }

func (b boards) Press(_ context.Context, kit topic.Name, slot topic.ID, down bool) error {
	return b.Service.Press(kit, slot, down)
}

func (b boards) Turn(_ context.Context, kit topic.Name, slot topic.ID, value string) error {
	return b.Service.Turn(kit, slot, value)
}

func (b boards) Break(_ context.Context, kit topic.Name, f core.Fault, on bool) error {
	return b.Service.Break(kit, f, on)
}

// reasons tells the window why: it may see everything.
type reasons struct{ *why.Service }

func (r reasons) Why(ctx context.Context, n topic.Name, at time.Time) (core.Chain, error) {
	return r.Service.Why(ctx, n, at, nil)
}

// ruleLanguage is how rules are written and read, for what is designed.
type ruleLanguage struct{ plan *plan.Service }

func (l ruleLanguage) Check(r core.Rule) error { return rules.Check(r, l.plan.Topic) }

func (l ruleLanguage) Text(r core.Rule) string { return rules.Text(r) }

func (l ruleLanguage) Parse(text string) (core.Rule, error) { return rules.Parse(text, l.plan.Topic) }

func (l ruleLanguage) Sentence(r core.Rule) (when, holds, then []core.Sentence) {
	return rules.Sentence(r, l.plan.Topic, titles(l.plan.Design()))
}

// ruleLibrary is what is known about rules.
type ruleLibrary struct{}

func (ruleLibrary) Templates() []core.RuleTemplate { return rules.Templates() }

func (ruleLibrary) Loops(all []*core.Rule) [][]topic.ID { return rules.Loops(all) }

// windowRecorder plays as the first teacher.
type windowRecorder struct {
	*record.Service
	p *program
}

func (w windowRecorder) Play(ctx context.Context, r core.Replay) error {
	id, err := w.p.firstTeacher()
	if err != nil {
		return err
	}
	return w.Service.Play(core.As(ctx, id), r)
}

// rehearsalTime is what the card in Home says.
const rehearsalTime = 10 * time.Second

// rehearsal tries whether this PC carries the class.
type rehearsal struct{ *program }

func (r rehearsal) TryKits(ctx context.Context, n int) (core.Sentence, error) {
	report, err := r.tryKits(ctx, n, rehearsalTime)
	return report.Say, err
}

// kitCare looks after kits as who sits at this PC.
type kitCare struct {
	*kits.Service
	p *program
}

// Forget also makes the secret of the kit worthless.
func (c kitCare) Forget(ctx context.Context, kit topic.Name) error {
	return c.p.forgetKit(c.p.teacher(ctx), kit)
}

// windowAlarms are seen by the first teacher.
type windowAlarms struct {
	*alarms.Service
	p *program
}

func (w windowAlarms) Acknowledge(ctx context.Context, id topic.ID) error {
	return w.Service.Acknowledge(w.p.teacher(ctx), id)
}

// windowHistory is the history, where a designed topic is described in the plan.
type windowHistory struct {
	*history.History
	plan windowPlan
}

func (w windowHistory) Describe(ctx context.Context, s core.Series, d core.Description) error {
	return w.plan.Describe(w.plan.p.teacher(ctx), s, d)
}

// windowSettings is what the screen Settings shows and sets.
type windowSettings struct{ *settings }

// Secure returns how others find this program, and recognise it over TLS.
func (w windowSettings) Secure() screen.Secure {
	s := screen.Secure{Addresses: addresses(w.p.info).MQTTS, Problem: w.p.noTLS}
	if w.p.name != nil {
		s.Name = w.p.name.Own()
	}
	if t := w.p.trust; t != nil {
		s.Pin, s.Fingerprint, s.CA, s.PublicKey = t.Pin(), t.Fingerprint(), t.CA(), t.PublicKey()
	}
	return s
}

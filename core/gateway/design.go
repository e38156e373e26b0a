package gateway

import (
	"context"
	"io"
	"slices"
	"strings"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	maxTeamKits   = 64  // virtual kits that students may draw in the branch of their team
	maxOwnRules   = 100 // that one student may have
	maxTeamAlarms = 200 // alarms that students may have in the branch of their team
)

// Drawing is the whole design, and what changes it. Whoever changes it has been
// asked here whether they may.
type Drawing interface {
	Design() *core.Design
	// Arriving returns the topics that arrive but are not designed.
	Arriving() []core.TopicState
	drawingEdits
	drawingQuestions
}

// drawingEdits changes the design. Each is one edit that can be undone.
type drawingEdits interface {
	Change(ctx context.Context, b core.Batch) error
	// Import applies all of a file, or nothing and tells its faults.
	Import(ctx context.Context, file []byte) (created, changed int, faults []core.FileFault, err error)
	drawingHistory
}

type drawingHistory interface {
	Edits() (undo, redo []core.Edit)
	Undo(ctx context.Context) (core.Edit, error)
	Redo(ctx context.Context) (core.Edit, error)
}

// drawingQuestions are answered from a design that holds no more than who asks
// may read, so an answer can tell nothing else.
type drawingQuestions interface {
	Problems(d *core.Design, arriving []core.TopicState) []core.Fix
	Select(d *core.Design, filter string, arriving []core.TopicState) (core.Selection, error)
	Document(w io.Writer, d *core.Design, o DocumentOptions) error
	drawingTemplates
}

type drawingTemplates interface {
	Templates() []core.Template
	FromTemplate(key string, branches []topic.Name, onBoard bool, language string) (core.Batch, error)
}

// DocumentOptions is how a document of the design is written.
type DocumentOptions struct {
	Format   string // json, csv, markdown or asyncapi
	Filter   topic.Filter
	Language string                      // Accept-Language of who asks
	Account  func(core.AccountID) string // the name of an account, "" where the reader may not know it
}

// sovereign reports whether c may see and change all of the design: a teacher, or
// anybody while the program is open.
func (g *Gateway) sovereign(c caller) bool { return c.Role == core.Teacher || g.cfg.Open }

// designs reports whether c may change what is designed at n, a real name. It
// keeps no refusal.
func (g *Gateway) designs(c caller, n topic.Name) bool {
	if g.sovereign(c) {
		return true
	}
	first, _, _ := strings.Cut(string(n), "/")
	if c.Role != core.Student || c.Team == "" || first != string(c.Team) {
		return false
	}
	real, err := g.cfg.Authority.Authorize(c.ID, core.Publish, topic.Filter(n))
	return err == nil && real == topic.Filter(n)
}

// visible returns the design as c may know it. Nobody changes it.
func (g *Gateway) visible(c caller) *core.Design {
	d := g.cfg.Drawing.Design()
	if g.sovereign(c) {
		return d
	}
	out := &core.Design{Revision: d.Revision}
	above := map[topic.Name]bool{} // names that a readable topic begins with
	for _, t := range d.Topics {
		if !g.may(c, t.Name) {
			continue
		}
		out.Topics = append(out.Topics, t)
		for i, b := range []byte(t.Name) {
			if b == '/' {
				above[t.Name[:i]] = true
			}
		}
	}
	accounts := map[topic.ID]core.Account{}
	for _, a := range g.cfg.Accounts.Accounts() {
		accounts[a.Name] = a
	}
	for _, p := range d.Places {
		if !above[p.Name] && !g.may(c, p.Name) {
			continue
		}
		q := *p
		q.Ports = slices.DeleteFunc(slices.Clone(p.Ports), func(x core.Port) bool { return !g.may(c, x.Topic) })
		if a, known := accounts[p.Account]; known && !sees(c, a) {
			q.Account = ""
		}
		out.Places = append(out.Places, &q)
	}
	for _, r := range d.Rules {
		if g.seesRule(c, r) {
			out.Rules = append(out.Rules, r)
		}
	}
	for _, a := range d.Alarms {
		if g.may(c, a.Topic) {
			out.Alarms = append(out.Alarms, a)
		}
	}
	for _, r := range d.Renamed {
		if g.may(c, r.Old) && g.may(c, r.New) {
			out.Renamed = append(out.Renamed, r)
		}
	}
	return out
}

// arriving returns what arrives, is not designed, and c may read.
func (g *Gateway) arriving(c caller) []core.TopicState {
	all := g.cfg.Drawing.Arriving()
	if g.sovereign(c) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(s core.TopicState) bool { return !g.may(c, s.Last.Topic) })
}

// seesRule reports whether c may know r: who may read all that it reads and sets.
// What somebody wrote themselves they may know though they only publish there.
func (g *Gateway) seesRule(c caller, r *core.Rule) bool {
	if g.sovereign(c) {
		return true
	}
	for _, in := range r.Inputs {
		if !g.may(c, in.Topic) {
			return false
		}
	}
	for _, a := range r.Then {
		if !g.may(c, a.Topic) && r.Account != c.ID {
			return false
		}
	}
	return len(r.Inputs)+len(r.Then) > 0 && (r.Kit == "" || g.may(c, r.Kit))
}

// writesRule reports whether c may change or remove r, or let it go on: its own,
// and one that is all within the branch of its team.
func (g *Gateway) writesRule(c caller, r *core.Rule) bool {
	if g.sovereign(c) {
		return true
	}
	if c.Role != core.Student || !g.seesRule(c, r) {
		return false
	}
	if r.Account == c.ID {
		return true
	}
	for _, in := range r.Inputs {
		if !core.Within(in.Topic, topic.Name(c.Team)) {
			return false
		}
	}
	for _, a := range r.Then {
		if !g.designs(c, a.Topic) {
			return false
		}
	}
	return true
}

// rule returns the rule as it is designed, where c may know it.
func (g *Gateway) rule(c caller, id string) (*core.Rule, error) {
	if r := g.cfg.Drawing.Design().Rule(topic.ID(id)); r != nil && g.seesRule(c, r) {
		return r, nil
	}
	return nil, core.Fail(core.ErrNotFound, "There is no rule {rule}. Look at the list of rules.", "rule", cut(id))
}

// alarm returns the alarm as it is designed, where c may know it.
func (g *Gateway) alarm(c caller, id string) (*core.Alarm, error) {
	if a := g.cfg.Drawing.Design().Alarm(topic.ID(id)); a != nil && (g.sovereign(c) || g.may(c, a.Topic)) {
		return a, nil
	}
	return nil, core.Fail(core.ErrNotFound, "There is no alarm {alarm}. Look at the list of alarms.", "alarm", cut(id))
}

// change makes b as c, where c may.
func (g *Gateway) change(ctx context.Context, c caller, b core.Batch) error {
	if err := g.mayChange(c, &b); err != nil {
		return err
	}
	return g.cfg.Drawing.Change(ctx, b)
}

// mayChange fails unless c may make all of b, and puts the real names of topics
// and the author of rules into it. A teacher may everything; a student may what
// is within the branch of its team, and joins no topic to a kit, a rule or an
// alarm that it may not use itself.
func (g *Gateway) mayChange(c caller, b *core.Batch) error {
	for i := range b.Rules {
		b.Rules[i].Account = c.ID
	}
	if g.sovereign(c) {
		return nil
	}
	if c.Role != core.Student || c.Team == "" {
		return core.Fail(core.ErrDenied, "{name} may not change the plan: that is for teachers, and for students within the branch of their team. Ask the teacher.", "name", c.Name)
	}
	d := g.cfg.Drawing.Design()
	for i := range b.Topics {
		if err := g.real(c, &b.Topics[i].Name); err != nil {
			return err
		}
	}
	for _, names := range [][]topic.Name{b.RemoveTopics, b.RemovePlaces} {
		for i := range names {
			if err := g.real(c, &names[i]); err != nil {
				return err
			}
		}
	}
	for i := range b.Places {
		if err := g.mayPlace(c, d, &b.Places[i]); err != nil {
			return err
		}
	}
	for i := range b.Rules {
		if err := g.mayRule(c, d, b, &b.Rules[i]); err != nil {
			return err
		}
	}
	for i := range b.Alarms {
		if err := g.mayAlarm(c, d, &b.Alarms[i]); err != nil {
			return err
		}
	}
	for _, id := range b.RemoveRules {
		if r := d.Rule(id); r == nil || !g.writesRule(c, r) {
			return core.Fail(core.ErrNotFound, "There is no rule {rule}. Look at the list of rules.", "rule", cut(string(id)))
		}
	}
	for _, id := range b.RemoveAlarms {
		if a := d.Alarm(id); a == nil || !g.designs(c, a.Topic) {
			return core.Fail(core.ErrNotFound, "There is no alarm {alarm}. Look at the list of alarms.", "alarm", cut(string(id)))
		}
	}
	return g.mayHold(c, d, b)
}

// real puts into n the real name of what c calls it, where c may design that.
func (g *Gateway) real(c caller, n *topic.Name) (err error) {
	*n, err = g.mayDesign(c, string(*n))
	return err
}

// joined puts into n the real name of what c calls it, where c may do a there.
func (g *Gateway) joined(c caller, n *topic.Name, a core.Action) error {
	if _, err := name(string(*n)); err != nil {
		return err
	}
	real, err := g.authorize(c, a, topic.Filter(*n))
	*n = topic.Name(real)
	return err
}

// mayPlace fails unless the student c may draw p. What it cannot see of a kit
// that is there stays as it is.
func (g *Gateway) mayPlace(c caller, d *core.Design, p *core.Place) error {
	if err := g.real(c, &p.Name); err != nil {
		return err
	}
	old := d.Place(p.Name)
	if old == nil {
		old = &core.Place{}
	}
	if p.Account != "" && p.Account != old.Account {
		a, err := g.named(string(p.Account))
		ours := err == nil && a.Role == core.Kit && a.Team == c.Team
		if !ours && (err == nil || !strings.HasPrefix(string(p.Account), string(c.Team)+"-")) {
			return core.Fail(core.ErrDenied, "{account} is no kit of your team. Choose one that is, or a new name that begins with {team}-.", "account", cut(string(p.Account)), "team", c.Team)
		}
	}
	for i := range p.Ports {
		x := &p.Ports[i]
		if p.Account == old.Account && slices.Contains(old.Ports, *x) {
			continue // as it was
		}
		// Whatever the topic is designed as, now or later: what the kit could do.
		// Place.Names tells which it is.
		if err := g.joined(c, &x.Topic, x.Action); err != nil {
			return err
		}
		own, set := core.Within(x.Topic, p.Name), x.Topic+"/set"
		if own && x.Action == core.Subscribe {
			if err := g.joined(c, &x.Topic, core.Publish); err != nil {
				return err
			}
		}
		if own == (x.Action == core.Subscribe) {
			if err := g.joined(c, &set, x.Action); err != nil {
				return err
			}
		}
	}
	for _, x := range old.Ports {
		if g.may(c, x.Topic) || slices.Contains(p.Ports, x) {
			continue
		}
		if p.Account != old.Account {
			return core.Fail(core.ErrDenied, "The kit {kit} uses topics that you may not read, so its account stays as it is. Ask the teacher.", "kit", p.Name)
		}
		p.Ports = append(p.Ports, x)
	}
	return nil
}

// mayRule fails unless the student c may write r.
func (g *Gateway) mayRule(c caller, d *core.Design, b *core.Batch, r *core.Rule) error {
	if old := d.Rule(r.ID); old != nil && !g.writesRule(c, old) {
		return core.Fail(core.ErrConflict, "The name {name} is taken. Choose another.", "name", r.ID)
	}
	for i := range r.Inputs {
		if err := g.joined(c, &r.Inputs[i].Topic, core.Subscribe); err != nil {
			return err
		}
	}
	for i := range r.Then {
		if err := g.joined(c, &r.Then[i].Topic, core.Publish); err != nil {
			return err
		}
		n := r.Then[i].Topic
		writable := d.Topic(n) != nil && d.Topic(n).Writable
		for _, t := range b.Topics {
			if t.Name == n {
				writable = t.Writable
			}
		}
		if set := n + "/set"; writable {
			if err := g.joined(c, &set, core.Publish); err != nil {
				return err
			}
		}
	}
	if r.Kit == "" {
		return nil
	}
	return g.real(c, &r.Kit)
}

// mayAlarm fails unless the student c may set a.
func (g *Gateway) mayAlarm(c caller, d *core.Design, a *core.Alarm) error {
	if old := d.Alarm(a.ID); old != nil && !g.designs(c, old.Topic) {
		return core.Fail(core.ErrConflict, "The name {name} is taken. Choose another.", "name", a.ID)
	}
	if err := g.joined(c, &a.Topic, core.Subscribe); err != nil {
		return err
	}
	return g.real(c, &a.Topic)
}

// mayHold fails where students would have more than a class needs: each virtual
// kit is a connection, each rule and alarm is looked at with each message.
func (g *Gateway) mayHold(c caller, d *core.Design, b *core.Batch) error {
	branch := topic.Name(c.Team)
	kits, rules, alarms := map[topic.Name]bool{}, map[topic.ID]bool{}, map[topic.ID]bool{}
	for _, p := range d.Places {
		kits[p.Name] = p.Virtual && core.Within(p.Name, branch)
	}
	for _, p := range b.Places {
		kits[p.Name] = p.Virtual
	}
	for _, r := range d.Rules {
		rules[r.ID] = r.Account == c.ID
	}
	for _, r := range b.Rules {
		rules[r.ID] = true
	}
	for _, a := range d.Alarms {
		alarms[a.ID] = core.Within(a.Topic, branch)
	}
	for _, a := range b.Alarms {
		alarms[a.ID] = true
	}
	switch {
	case len(b.Places) > 0 && count(kits) > maxTeamKits:
		return core.Fail(core.ErrDenied, "A team may draw {n} virtual kits at most. Remove some, or ask the teacher.", "n", maxTeamKits)
	case len(b.Rules) > 0 && count(rules) > maxOwnRules:
		return core.Fail(core.ErrDenied, "A student may have {n} rules at most. Remove some, or ask the teacher.", "n", maxOwnRules)
	case len(b.Alarms) > 0 && count(alarms) > maxTeamAlarms:
		return core.Fail(core.ErrDenied, "A team may have {n} alarms at most. Remove some, or ask the teacher.", "n", maxTeamAlarms)
	}
	return nil
}

func count[K comparable](all map[K]bool) (n int) {
	for _, is := range all {
		if is {
			n++
		}
	}
	return n
}

package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"homeroom/core"
	"homeroom/core/topic"
)

// Rules is what became of the rules of the design.
type Rules interface {
	States() []core.RuleState // in order of ID
	// Resume lets a rule go on that was paused.
	Resume(id topic.ID) error
	// DryRun returns what r would have done with what was published then.
	DryRun(ctx context.Context, r core.Rule, from, to time.Time) ([]core.Firing, error)
	ruleLanguage
}

// ruleLanguage writes and reads rules for people.
type ruleLanguage interface {
	Parse(text string, design func(topic.Name) (core.Topic, bool)) (core.Rule, error)
	Text(r core.Rule) string
	// Sentence tells a rule in three parts that read as one sentence.
	Sentence(r core.Rule, design func(topic.Name) (core.Topic, bool), title func(topic.Name) string) (when, holds, then []core.Sentence)
}

// Alarms is which alarms call.
type Alarms interface {
	States() []core.AlarmState // those that call first, then the newest
	Acknowledge(ctx context.Context, id topic.ID) error
}

const maxDryRun = 24 * time.Hour

// asProblem returns what a person is told of err.
func asProblem(err error) (p *core.Problem, ok bool) {
	ok = errors.As(err, &p)
	return p, ok
}

// ruleMessage is a message as it is told: no more of it than a line.
type ruleMessage struct {
	Topic   string    `json:"topic"`
	Payload string    `json:"payload" doc:"At most 128 characters of it."`
	At      time.Time `json:"at"`
}

type firing struct {
	At    time.Time     `json:"at"`
	Why   string        `json:"why" doc:"The inputs that decided, with their values."`
	Cause *ruleMessage  `json:"cause,omitempty" doc:"That made it look; absent where it was the time."`
	Chain []string      `json:"chain,omitempty" doc:"Rules whose acts led to it, oldest first."`
	Sent  []ruleMessage `json:"sent"`
}

type ruleState struct {
	Looks   uint64  `json:"looks" doc:"Times that it looked since the program started."`
	Acts    uint64  `json:"acts"`
	Last    *firing `json:"last,omitempty"`
	Paused  string  `json:"paused,omitempty" doc:"Why it stands still until POST resume."`
	Problem string  `json:"problem,omitempty" doc:"Why it does not work."`
}

// shownRule is a rule with all that there is to say about it.
type shownRule struct {
	DrawnRule
	Source   string    `json:"source" doc:"The rule as text, see docs/rules.md."`
	SaysWhen []string  `json:"says_when" doc:"With the two that follow it reads as one sentence."`
	SaysIf   []string  `json:"says_if"`
	SaysThen []string  `json:"says_then"`
	State    ruleState `json:"state"`
}

// firing returns f as c may know it, which may know the rule.
func (g *Gateway) firing(c caller, f core.Firing) firing {
	told := func(m core.Message) ruleMessage {
		return ruleMessage{string(m.Topic), cut(string(m.Payload)), m.At}
	}
	x := firing{At: f.At, Why: g.cfg.Say(c.language, f.Why), Sent: []ruleMessage{}}
	if !f.Cause.At.IsZero() {
		cause := told(f.Cause)
		x.Cause = &cause
	}
	for _, id := range f.Chain {
		if _, err := g.rule(c, string(id)); err == nil {
			x.Chain = append(x.Chain, string(id))
		}
	}
	for _, m := range f.Sent {
		x.Sent = append(x.Sent, told(m))
	}
	return x
}

// readableTopic returns the designed topic, where c may read it.
func (g *Gateway) readableTopic(c caller) func(n topic.Name) (core.Topic, bool) {
	return func(n topic.Name) (core.Topic, bool) {
		t := g.cfg.Drawing.Design().Topic(n)
		if t == nil || !g.sovereign(c) && !g.may(c, n) {
			return core.Topic{}, false
		}
		return *t, true
	}
}

// shownRules returns rules of the design, which c may know.
func (g *Gateway) shownRules(c caller, rules []*core.Rule) []shownRule {
	states := map[topic.ID]core.RuleState{}
	for _, s := range g.cfg.Rules.States() {
		states[s.ID] = s
	}
	design := g.readableTopic(c)
	title := func(n topic.Name) string {
		if t, ok := design(n); ok && t.Label != "" {
			return t.Label
		}
		return string(n)
	}
	all := make([]shownRule, 0, len(rules))
	for _, r := range rules {
		x := shownRule{DrawnRule: g.drawRule(c, *r), Source: g.cfg.Rules.Text(*r)}
		when, holds, then := g.cfg.Rules.Sentence(*r, design, title)
		for to, from := range map[*[]string][]core.Sentence{&x.SaysWhen: when, &x.SaysIf: holds, &x.SaysThen: then} {
			*to = []string{}
			for _, s := range from {
				*to = append(*to, g.cfg.Say(c.language, s))
			}
		}
		s := states[r.ID]
		x.State = ruleState{Looks: s.Looks, Acts: s.Acts}
		if !s.Last.At.IsZero() {
			last := g.firing(c, s.Last)
			x.State.Last = &last
		}
		if s.Paused.Format != "" {
			x.State.Paused = g.cfg.Say(c.language, g.paused(c, s.Paused))
		}
		if s.Problem.Format != "" {
			x.State.Problem = g.cfg.Say(c.language, s.Problem)
		}
		all = append(all, x)
	}
	return all
}

// paused is why a rule stands still. The circle may name rules that c may not know.
func (g *Gateway) paused(c caller, s core.Sentence) core.Sentence {
	if g.sovereign(c) || len(g.visible(c).Rules) == len(g.cfg.Drawing.Design().Rules) {
		return s
	}
	return core.Say("Rules set each other off without end. Ask the teacher which.")
}

func (a api) rules() {
	g := a.g
	tags := []string{"rules"}
	register(a, members, huma.Operation{OperationID: "list-rules", Method: http.MethodGet, Path: "/rules", Tags: tags, Summary: core.Say("List rules").Format,
		Description: "With what became of them; those whose topics the caller may read."},
		func(_ context.Context, c caller, in *Paging) (*body[list[shownRule]], error) {
			l := part(*in, g.visible(c).Rules, func(r *core.Rule) string { return string(r.ID) })
			return &body[list[shownRule]]{list[shownRule]{g.shownRules(c, l.Items), l.Next}}, nil
		})

	type ruleIn struct {
		ID string `path:"id" maxLength:"64" example:"choice"`
	}
	type putIn struct {
		ID   string `path:"id" maxLength:"64" example:"choice"`
		Body struct {
			DrawnRule
			Source *string `json:"source,omitempty" maxLength:"16384" doc:"The rule as text, instead of everything else; see docs/rules.md."`
		}
	}
	register(a, members, huma.Operation{OperationID: "put-rule", Method: http.MethodPut, Path: "/rules/{id}", Tags: tags, Summary: core.Say("Write a rule").Format,
		Description:  "It publishes as the caller, who has to be allowed to read its inputs and to publish what it sets.",
		MaxBodyBytes: 128 << 10},
		func(ctx context.Context, c caller, in *putIn) (*body[shownRule], error) {
			r, err := in.Body.core()
			if err == nil && in.Body.Source != nil {
				r, err = g.cfg.Rules.Parse(*in.Body.Source, nil)
				r.Changed = value(in.Body.Changed)
			}
			if err != nil {
				return nil, err
			}
			if r.ID == "" {
				r.ID = topic.ID(in.ID)
			}
			if string(r.ID) != in.ID {
				return nil, core.Fail(core.ErrInvalid, "The rule calls itself {id}, but is written to {other}. Use one name.", "id", cut(string(r.ID)), "other", cut(in.ID))
			}
			b := core.Batch{Say: core.Say("Rule {rule} written", "rule", r.Title()), Rules: []core.Rule{r}}
			if err := g.mayChange(c, &b); err != nil {
				return nil, err
			}
			if in.Body.Source != nil { // again, now that its topics may be looked at: a fault has its line
				if _, err := g.cfg.Rules.Parse(*in.Body.Source, g.mounted(c)); err != nil {
					return nil, err
				}
			}
			if err := g.cfg.Drawing.Change(ctx, b); err != nil {
				return nil, err
			}
			now, err := g.rule(c, in.ID)
			if err != nil {
				return nil, err
			}
			return &body[shownRule]{g.shownRules(c, []*core.Rule{now})[0]}, nil
		})

	register(a, members, huma.Operation{OperationID: "remove-rule", Method: http.MethodDelete, Path: "/rules/{id}", Tags: tags, Summary: core.Say("Remove a rule").Format},
		func(ctx context.Context, c caller, in *ruleIn) (*struct{}, error) {
			r, err := g.rule(c, in.ID)
			if err != nil {
				return nil, err
			}
			return nil, g.change(ctx, c, core.Batch{Say: core.Say("Rule {rule} removed", "rule", r.Title()), RemoveRules: []topic.ID{r.ID}})
		})

	register(a, members, huma.Operation{OperationID: "resume-rule", Method: http.MethodPost, Path: "/rules/{id}/resume", Tags: tags, Summary: core.Say("Let a paused rule go on").Format},
		func(_ context.Context, c caller, in *ruleIn) (*struct{}, error) {
			r, err := g.rule(c, in.ID)
			if err != nil {
				return nil, err
			}
			if !g.writesRule(c, r) {
				return nil, core.Fail(core.ErrDenied, "The rule {rule} is somebody else's. Ask whoever wrote it, or the teacher.", "rule", r.Title())
			}
			return nil, g.cfg.Rules.Resume(r.ID)
		})

	type dryIn struct {
		ID   string    `path:"id" maxLength:"64" example:"choice"`
		From time.Time `query:"from" doc:"Without it, an hour before to."`
		To   time.Time `query:"to" doc:"Without it, now."`
	}
	register(a, members, huma.Operation{OperationID: "dry-run-rule", Method: http.MethodPost, Path: "/rules/{id}/dry-run", Tags: tags, Summary: core.Say("Tell what a rule would have done").Format,
		Description: "With what was published then, at most a day. Nothing is published."},
		func(ctx context.Context, c caller, in *dryIn) (*body[list[firing]], error) {
			r, err := g.rule(c, in.ID)
			if err != nil {
				return nil, err
			}
			if in.To.IsZero() {
				in.To = time.Now()
			}
			if in.From.IsZero() {
				in.From = in.To.Add(-time.Hour)
			}
			if !in.From.Before(in.To) || in.To.Sub(in.From) > maxDryRun {
				return nil, core.Fail(core.ErrInvalid, "from has to be before to, by a day at most. Change one of them.")
			}
			if !g.turn(ctx) {
				return nil, ctx.Err()
			}
			defer func() { <-g.lives }()
			fs, err := g.cfg.Rules.DryRun(ctx, *r, in.From, in.To)
			if err != nil {
				return nil, err
			}
			out := list[firing]{Items: []firing{}}
			for _, f := range fs {
				out.Items = append(out.Items, g.firing(c, f))
			}
			return &body[list[firing]]{out}, nil
		})
}

// mounted returns the designed topic that c calls n.
func (g *Gateway) mounted(c caller) func(n topic.Name) (core.Topic, bool) {
	return func(n topic.Name) (core.Topic, bool) {
		if !g.sovereign(c) {
			for _, a := range []core.Action{core.Subscribe, core.Publish} {
				if real, err := g.cfg.Authority.Authorize(c.ID, a, topic.Filter(n)); err == nil {
					t := g.cfg.Drawing.Design().Topic(topic.Name(real))
					return value(t), t != nil
				}
			}
			return core.Topic{}, false
		}
		t := g.cfg.Drawing.Design().Topic(n)
		return value(t), t != nil
	}
}

// alarmState is an alarm that calls, or called and was not acknowledged.
type alarmState struct {
	Say   string     `json:"say"`
	Since time.Time  `json:"since"`
	Ended *time.Time `json:"ended,omitempty" doc:"Absent while it calls."`
	Acked *time.Time `json:"acked,omitempty" doc:"When a person said to have seen it."`
	By    string     `json:"by,omitempty" doc:"Who has."`
	Mine  bool       `json:"mine,omitempty" doc:"The caller may acknowledge it."`
}

type shownAlarm struct {
	DrawnAlarm
	Title string      `json:"title"`
	State *alarmState `json:"state,omitempty" doc:"Absent where it does not call."`
}

// acknowledges reports whether c may say to have seen the alarms of n: a teacher,
// and who may publish there.
func (g *Gateway) acknowledges(c caller, n topic.Name) bool {
	if g.sovereign(c) {
		return true
	}
	real, err := g.cfg.Authority.Authorize(c.ID, core.Publish, topic.Filter(n))
	return c.Role != core.Kit && err == nil && real == topic.Filter(n)
}

func (a api) alarms() {
	g := a.g
	tags := []string{"alarms"}
	shown := func(c caller, all []*core.Alarm) []shownAlarm {
		states := map[topic.ID]core.AlarmState{}
		for _, s := range g.cfg.Alarms.States() {
			states[s.Alarm.ID] = s
		}
		out := make([]shownAlarm, 0, len(all))
		for _, x := range all {
			y := shownAlarm{DrawnAlarm: drawAlarm(*x), Title: x.Title()}
			if s, calls := states[x.ID]; calls && s.Alarm.Topic == x.Topic {
				y.State = &alarmState{g.cfg.Say(c.language, s.Say), s.Since, moment(s.Ended), moment(s.Acked), g.nameOf(c, s.By), s.Acked.IsZero() && g.acknowledges(c, x.Topic)}
			}
			out = append(out, y)
		}
		return out
	}
	type listIn struct {
		Paging
		Calling bool `query:"calling" doc:"Only those that call, or called and were not acknowledged."`
	}
	register(a, members, huma.Operation{OperationID: "list-alarms", Method: http.MethodGet, Path: "/alarms", Tags: tags, Summary: core.Say("List alarms").Format,
		Description: "With their states; those whose topics the caller may read. Each is a retained topic, too: the alarm's topic + /$alarm/ + id."},
		func(_ context.Context, c caller, in *listIn) (*body[list[shownAlarm]], error) {
			var all []*core.Alarm
			if in.Calling {
				for _, s := range g.cfg.Alarms.States() {
					if x, err := g.alarm(c, string(s.Alarm.ID)); err == nil && x.Topic == s.Alarm.Topic {
						all = append(all, x)
					}
				}
				all = byID(all, func(x *core.Alarm) string { return string(x.ID) })
			} else {
				all = g.visible(c).Alarms
			}
			l := part(in.Paging, all, func(x *core.Alarm) string { return string(x.ID) })
			return &body[list[shownAlarm]]{list[shownAlarm]{shown(c, l.Items), l.Next}}, nil
		})

	type alarmIn struct {
		ID string `path:"id" maxLength:"64" example:"too-warm"`
	}
	type putIn struct {
		ID   string `path:"id" maxLength:"64" example:"too-warm"`
		Body DrawnAlarm
	}
	register(a, members, huma.Operation{OperationID: "put-alarm", Method: http.MethodPut, Path: "/alarms/{id}", Tags: tags, Summary: core.Say("Set an alarm").Format,
		Description: "A teacher anywhere, a student within the branch of its team."},
		func(ctx context.Context, c caller, in *putIn) (*body[shownAlarm], error) {
			x := in.Body.core()
			if x.ID == "" {
				x.ID = topic.ID(in.ID)
			}
			if string(x.ID) != in.ID {
				return nil, core.Fail(core.ErrInvalid, "The alarm calls itself {id}, but is written to {other}. Use one name.", "id", cut(string(x.ID)), "other", cut(in.ID))
			}
			if err := g.change(ctx, c, core.Batch{Say: core.Say("Alarm {alarm} set", "alarm", x.Title()), Alarms: []core.Alarm{x}}); err != nil {
				return nil, err
			}
			now, err := g.alarm(c, in.ID)
			if err != nil {
				return nil, err
			}
			return &body[shownAlarm]{shown(c, []*core.Alarm{now})[0]}, nil
		})

	register(a, members, huma.Operation{OperationID: "remove-alarm", Method: http.MethodDelete, Path: "/alarms/{id}", Tags: tags, Summary: core.Say("Remove an alarm").Format},
		func(ctx context.Context, c caller, in *alarmIn) (*struct{}, error) {
			x, err := g.alarm(c, in.ID)
			if err != nil {
				return nil, err
			}
			return nil, g.change(ctx, c, core.Batch{Say: core.Say("Alarm {alarm} removed", "alarm", x.Title()), RemoveAlarms: []topic.ID{x.ID}})
		})

	register(a, members, huma.Operation{OperationID: "acknowledge-alarm", Method: http.MethodPost, Path: "/alarms/{id}/acknowledge", Tags: tags, Summary: core.Say("Say that you have seen an alarm").Format,
		Description: "A teacher, or a person who may publish to its topic."},
		func(ctx context.Context, c caller, in *alarmIn) (*struct{}, error) {
			x, err := g.alarm(c, in.ID)
			if err != nil {
				return nil, err
			}
			if !g.acknowledges(c, x.Topic) {
				return nil, core.Fail(core.ErrDenied, "Whoever says to have seen this alarm has to be allowed to publish to {topic}. Ask a teacher.", "topic", x.Topic)
			}
			if !slices.ContainsFunc(g.cfg.Alarms.States(), func(s core.AlarmState) bool { return s.Alarm.ID == x.ID && s.Alarm.Topic == x.Topic }) {
				return nil, core.Fail(core.ErrNotFound, "This alarm does not call any more.")
			}
			return nil, g.cfg.Alarms.Acknowledge(ctx, x.ID)
		})
}

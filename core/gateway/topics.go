package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"homeroom/core"
	"homeroom/core/topic"
)

// Plan is what was designed about topics. Whoever changes it has been asked
// here whether they may.
type Plan interface {
	Topics(f topic.Filter) []core.Topic // in order of name
	Topic(n topic.Name) (core.Topic, bool)
	// Known reports whether n is designed or has been published to.
	Known(n topic.Name) bool
	// Hints returns what would make a name better.
	Hints(n topic.Name) []core.Sentence
	CreateTopic(ctx context.Context, t core.Topic) error
	ChangeTopic(ctx context.Context, t core.Topic) error
	planTasks
}

// planTasks moves and removes topics with all that hangs on them.
type planTasks interface {
	MoveTopics(ctx context.Context, from, to topic.Name, apply bool) (core.Effect, error)
	RemoveTopics(ctx context.Context, under topic.Name, apply bool) (core.Effect, error)
	Removals() []core.Removal
	UndoRemove(ctx context.Context, id int64) error
}

// Design is what a person says about a topic.
type Design struct {
	Label    *string  `json:"label,omitempty" maxLength:"256" doc:"Display name, in any script." example:"Lamp"`
	Unit     *string  `json:"unit,omitempty" maxLength:"32" example:"%"`
	Text     *string  `json:"text,omitempty" maxLength:"4000" doc:"What it is for."`
	Kind     *string  `json:"kind,omitempty" enum:"number,boolean,text,enumeration,json" doc:"text is anything." example:"number"`
	Min      *float64 `json:"min,omitempty" doc:"Of a number. Both 0 is no range."`
	Max      *float64 `json:"max,omitempty" example:"100"`
	Step     *float64 `json:"step,omitempty" doc:"How far apart the values of a number are; 0 is any." example:"0.5"`
	Options  []string `json:"options,omitempty" maxItems:"64" doc:"The words of an enumeration; of a boolean those for true and false. An empty list takes them away."`
	Writable *bool    `json:"writable,omitempty" doc:"Takes commands at its name + /set."`
	QoS      *byte    `json:"qos,omitempty" minimum:"0" maximum:"2" doc:"That a publisher should use."`
	Retain   *bool    `json:"retain,omitempty" doc:"Its newest value should be retained."`
	KeepDays *int     `json:"keep_days,omitempty" minimum:"-1" doc:"How long readings are kept; 0 is as the settings say, -1 is not at all."`
}

// planned is one topic, designed or not.
type planned struct {
	Topic    string `json:"topic" doc:"Its real name." example:"blue/lab/lamp"`
	Designed bool   `json:"designed" doc:"false: it arrives, but nobody designed it."`
	Design
	Changed *time.Time `json:"changed,omitempty" doc:"When the design was changed last."`
	Hints   []string   `json:"hints,omitempty" doc:"What would make the name better."`
	Count   uint64     `json:"count,omitempty" doc:"Messages since the program started. None: silent."`
	At      *time.Time `json:"at,omitempty" doc:"Of the newest message."`
	Value   string     `json:"value,omitempty" doc:"The newest content where it is text, at most 256 bytes of it."`
	Size    int        `json:"size,omitempty" doc:"Bytes of the newest content."`
}

// branch is one level of the tree.
type branch struct {
	Level    string   `json:"level" example:"lab"`
	Topic    *planned `json:"topic,omitempty" doc:"Where the name ends here."`
	Children []branch `json:"children,omitempty"`
}

// into sets what d says in t.
func (d Design) into(t *core.Topic) {
	set(&t.Label, d.Label)
	set(&t.Unit, d.Unit)
	set(&t.KeepDays, d.KeepDays)
	set(&t.Text, d.Text)
	set(&t.Min, d.Min)
	set(&t.Max, d.Max)
	set(&t.Step, d.Step)
	if d.Options != nil {
		t.Options = d.Options
	}
	set(&t.Writable, d.Writable)
	set(&t.QoS, d.QoS)
	set(&t.Retain, d.Retain)
	if d.Kind != nil {
		t.Kind = kindOf(*d.Kind)
	}
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// describe returns what was designed as JSON has it.
func describe(t core.Topic) planned {
	kind := kindName(t.Kind)
	p := planned{Topic: string(t.Name), Designed: true, Changed: moment(t.Changed),
		Design: Design{Label: &t.Label, Unit: &t.Unit, Text: &t.Text, Kind: &kind, Options: t.Options, Writable: &t.Writable, QoS: &t.QoS, Retain: &t.Retain}}
	if t.Min != 0 || t.Max != 0 {
		p.Min, p.Max = &t.Min, &t.Max
	}
	if t.Step != 0 {
		p.Step = &t.Step
	}
	if t.KeepDays != 0 {
		p.KeepDays = &t.KeepDays
	}
	return p
}

// mayDesign returns the real name of what c calls n, where it may change what
// is designed there: a teacher everywhere, a student where it may publish
// within the branch of its team.
func (g *Gateway) mayDesign(c caller, s string) (topic.Name, error) {
	n, err := name(s)
	if err != nil || c.Role == core.Teacher {
		return n, err
	}
	real, err := g.authorize(c, core.Publish, topic.Filter(n))
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(string(real), "/")
	if !g.cfg.Open && (c.Role != core.Student || first != string(c.Team)) {
		return "", core.Fail(core.ErrDenied, "{name} may not change what is planned at {topic}: that is for teachers, and for students within the branch of their team. Ask the teacher.",
			"name", c.Name, "topic", real)
	}
	return topic.Name(real), nil
}

// mayDesignAll fails unless c may change what is designed at each of ns.
func (g *Gateway) mayDesignAll(c caller, ns []topic.Name) error {
	for _, n := range ns {
		if _, err := g.mayDesign(c, string(n)); err != nil {
			return err
		}
	}
	return nil
}

// under returns the topics at and below n where something was published or is
// retained, whether or not anybody designed them: they go along with n.
func (g *Gateway) under(n topic.Name) (names []topic.Name) {
	f := topic.Filter(n) + "/#" // selects n too
	for _, m := range g.cfg.Broker.Retained(f, maxScanned) {
		names = append(names, m.Topic)
	}
	states, _ := g.cfg.Values.Topics(0)
	for _, s := range states {
		if f.Match(s.Last.Topic) {
			names = append(names, s.Last.Topic)
		}
	}
	return names
}

// topics adds the plan.
func (a api) topics() {
	a.listTopics()
	a.changeTopics()
	a.moveTopics()
	a.snippets()
}

// plan returns the topics that f selects and c may read, in order of name.
func (g *Gateway) plan(ctx context.Context, c caller, f topic.Filter) ([]planned, error) {
	about, err := g.cfg.Readings.Descriptions(ctx)
	if err != nil {
		return nil, err
	}
	var all []planned
	at := map[topic.Name]int{}
	for _, t := range g.cfg.Plan.Topics(f) {
		if g.may(c, t.Name) {
			at[t.Name] = len(all)
			all = append(all, describe(t))
		}
	}
	rows, _ := g.cfg.Values.Topics(0)
	for _, s := range rows {
		n := s.Last.Topic
		if !f.Match(n) || !g.may(c, n) {
			continue
		}
		i, ok := at[n]
		if !ok {
			i = len(all)
			d := about[core.Series(n)]
			p := planned{Topic: string(n), Design: Design{Label: &d.Label, Unit: &d.Unit}}
			if state, ok := strings.CutSuffix(string(n), "/set"); ok {
				t, ok := g.cfg.Plan.Topic(topic.Name(state))
				p.Designed = ok && t.Writable
			}
			all = append(all, p)
		}
		p := &all[i]
		p.Count, p.At, p.Size = s.Count, moment(s.Last.At), s.Size
		if v := s.Last.Payload; utf8.Valid(v) {
			for v = v[:min(len(v), 256)]; !utf8.Valid(v); v = v[:len(v)-1] {
			}
			p.Value = string(v)
		}
	}
	slices.SortFunc(all, func(a, b planned) int { return strings.Compare(a.Topic, b.Topic) })
	return all, nil
}

// one returns what is known about one topic that c may read.
func (g *Gateway) one(ctx context.Context, c caller, s string) (*body[planned], error) {
	n, err := g.readable(c, s)
	if err != nil {
		return nil, err
	}
	all, err := g.plan(ctx, c, topic.Filter(n))
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, core.Fail(core.ErrNotFound, "Nothing is designed at {topic}, and nothing has arrived there. Create it, or publish to it.", "topic", cut(string(n)))
	}
	for _, h := range g.cfg.Plan.Hints(n) {
		all[0].Hints = append(all[0].Hints, g.cfg.Say(c.language, h))
	}
	return &body[planned]{all[0]}, nil
}

func (a api) listTopics() {
	g := a.g
	tags := []string{"topics"}
	type listIn struct {
		Topic string `query:"topic" maxLength:"1024" doc:"A topic filter; one name gives that topic." example:"blue/#"`
		Text  string `query:"text" maxLength:"64" doc:"Only where the name, the display name or the purpose holds it."`
		State string `query:"state" enum:"designed,silent,arriving" doc:"silent: designed, and nothing came yet. arriving: not designed."`
		Tree  bool   `query:"tree" doc:"As a tree, instead of items."`
		Paging
	}
	type listOut struct {
		Items []planned `json:"items"`
		Tree  []branch  `json:"tree,omitempty"`
		Next  string    `json:"next,omitempty" doc:"The cursor of the part that follows; absent at the end."`
	}
	register(a, members, huma.Operation{OperationID: "list-topics", Method: http.MethodGet, Path: "/topics", Tags: tags, Summary: core.Say("List topics").Format,
		Description: "Those that are designed and those that arrive, in order of name; only what the caller may read."},
		func(ctx context.Context, c caller, in *listIn) (*body[listOut], error) {
			f, err := filter(in.Topic)
			if err != nil {
				return nil, err
			}
			if !g.turn(ctx) {
				return nil, ctx.Err()
			}
			defer func() { <-g.lives }()
			all, err := g.plan(ctx, c, f)
			if err != nil {
				return nil, err
			}
			all = slices.DeleteFunc(all, func(p planned) bool {
				switch in.State {
				case "designed":
					if !p.Designed {
						return true
					}
				case "silent":
					if !p.Designed || p.Count > 0 {
						return true
					}
				case "arriving":
					if p.Designed {
						return true
					}
				}
				return !holds(in.Text, p.Topic, *p.Label, value(p.Design.Text))
			})
			l := part(in.Paging, all, func(p planned) string { return p.Topic })
			out := listOut{Items: l.Items, Next: l.Next}
			if in.Tree {
				out.Tree, out.Items = grow(l.Items), []planned{}
			}
			return &body[listOut]{out}, nil
		})

	register(a, members, huma.Operation{OperationID: "get-topic", Method: http.MethodGet, Path: "/topics/{topic}", Tags: tags, Summary: core.Say("Read a topic").Format},
		func(ctx context.Context, c caller, in *InPath) (*body[planned], error) {
			return g.one(ctx, c, in.Topic)
		})
}

// value returns what p points to, or what is zero.
func value[T any](p *T) (v T) {
	set(&v, p)
	return v
}

// grow returns topics, which are in order of name, as a tree.
func grow(ps []planned) []branch {
	root := branch{}
	for i := range ps {
		at := &root
		for l := range strings.SplitSeq(ps[i].Topic, "/") {
			j := slices.IndexFunc(at.Children[max(0, len(at.Children)-1):], func(b branch) bool { return b.Level == l })
			if j < 0 {
				j = slices.IndexFunc(at.Children, func(b branch) bool { return b.Level == l }) // "a" < "a-b" < "a/c"
			} else {
				j = len(at.Children) - 1
			}
			if j < 0 {
				j = len(at.Children)
				at.Children = append(at.Children, branch{Level: l})
			}
			at = &at.Children[j]
		}
		at.Topic = &ps[i]
	}
	return root.Children
}

func (a api) changeTopics() {
	g := a.g
	tags := []string{"topics"}

	type createIn struct {
		Body struct {
			Topic string `json:"topic" maxLength:"1024" example:"blue/lab/lamp"`
			Design
		}
	}
	register(a, members, huma.Operation{OperationID: "create-topic", Method: http.MethodPost, Path: "/topics", Tags: tags, Summary: core.Say("Create a topic").Format,
		Description: "A teacher anywhere, a student within the branch of its team.", DefaultStatus: http.StatusCreated},
		func(ctx context.Context, c caller, in *createIn) (*body[planned], error) {
			n, err := g.mayDesign(c, in.Body.Topic)
			if err != nil {
				return nil, err
			}
			t := core.Topic{Name: n}
			in.Body.into(&t)
			if err := g.cfg.Plan.CreateTopic(ctx, t); err != nil {
				return nil, err
			}
			return g.designed(c, n)
		})

	change := func(ctx context.Context, c caller, s string, d Design) (*body[planned], error) {
		n, err := g.mayDesign(c, s)
		if err != nil {
			return nil, err
		}
		t, ok := g.cfg.Plan.Topic(n)
		if !ok {
			return nil, notDesigned(n)
		}
		d.into(&t)
		if err := g.cfg.Plan.ChangeTopic(ctx, t); err != nil {
			return nil, err
		}
		return g.designed(c, n)
	}
	type changeIn struct {
		InPath
		Body Design
	}
	const does = "Only what is sent changes."
	register(a, members, huma.Operation{OperationID: "change-topic", Method: http.MethodPatch, Path: "/topics/{topic}", Tags: tags, Summary: core.Say("Change a topic").Format, Description: does},
		func(ctx context.Context, c caller, in *changeIn) (*body[planned], error) {
			return change(ctx, c, in.Topic, in.Body)
		})
	type changeQuery struct {
		InQuery
		Body Design
	}
	register(a, members, huma.Operation{OperationID: "change-topic-named", Method: http.MethodPatch, Path: "/topics", Tags: tags, Summary: core.Say("Change a topic").Format, Description: does},
		func(ctx context.Context, c caller, in *changeQuery) (*body[planned], error) {
			return change(ctx, c, in.Topic, in.Body)
		})
}

func notDesigned(n topic.Name) error {
	return core.Fail(core.ErrNotFound, "{topic} is not designed. Create it first.", "topic", n)
}

// designed returns what is designed at n now.
func (g *Gateway) designed(c caller, n topic.Name) (*body[planned], error) {
	t, ok := g.cfg.Plan.Topic(n)
	if !ok {
		return nil, notDesigned(n)
	}
	if !g.may(c, n) { // who only publishes there is not told what others wrote
		return &body[planned]{planned{Topic: string(n), Designed: true}}, nil
	}
	p := describe(t)
	for _, h := range g.cfg.Plan.Hints(n) {
		p.Hints = append(p.Hints, g.cfg.Say(c.language, h))
	}
	return &body[planned]{p}, nil
}

// effect is core.Effect in JSON.
type effect struct {
	Done        bool       `json:"done" doc:"false for a preview."`
	Topics      []string   `json:"topics" doc:"The designed ones, with their names before."`
	Places      []string   `json:"places,omitempty" doc:"Branches, rooms and kits, likewise."`
	Rules       []string   `json:"rules,omitempty" doc:"They use something of it: they follow a move and go with a removal. Only those that the caller may know."`
	Alarms      []string   `json:"alarms,omitempty" doc:"Likewise."`
	Kits        []string   `json:"kits,omitempty" doc:"Kits elsewhere that are joined to it."`
	Readings    int64      `json:"readings" doc:"How many in the history."`
	Joins       int64      `json:"joins,omitempty" doc:"Readings that the new names have already; both become one."`
	Retained    int        `json:"retained" doc:"Retained messages."`
	Grants      []string   `json:"grants,omitempty" doc:"Patterns of grants that name it and stay as they are; for teachers."`
	Subscribers []string   `json:"subscribers,omitempty" doc:"MQTT clients that subscribe to something of it now."`
	Removal     int64      `json:"removal,omitempty" doc:"POST removals/{removal}/undo brings everything back."`
	Until       *time.Time `json:"until,omitempty" doc:"As long as it can be undone."`
}

func (g *Gateway) effect(c caller, e core.Effect, done bool) *body[effect] {
	out := effect{Done: done, Topics: []string{}, Readings: e.Readings, Joins: e.Joins, Retained: e.Retained, Removal: e.Removal.ID, Until: moment(e.Removal.Until)}
	for _, n := range e.Topics {
		out.Topics = append(out.Topics, string(n))
	}
	out.Places = spelled[string](e.Places)
	for _, id := range e.Rules {
		if _, err := g.rule(c, string(id)); err == nil || done && g.sovereign(c) { // what is gone cannot be asked about
			out.Rules = append(out.Rules, string(id))
		}
	}
	for _, id := range e.Alarms {
		if _, err := g.alarm(c, string(id)); err == nil || done && g.sovereign(c) {
			out.Alarms = append(out.Alarms, string(id))
		}
	}
	for _, n := range e.Kits {
		if g.sovereign(c) || g.may(c, n) {
			out.Kits = append(out.Kits, string(n))
		}
	}
	if c.Role == core.Teacher {
		for _, x := range e.Grants {
			out.Grants = append(out.Grants, x.Pattern)
		}
	}
	for _, x := range e.Subscribers {
		if owner, ok := g.cfg.Authority.Account(x.Account); ok && sees(c, owner) {
			out.Subscribers = append(out.Subscribers, x.ID)
		}
	}
	return &body[effect]{out}
}

func (a api) moveTopics() {
	g := a.g
	tags := []string{"topics"}

	type moveIn struct {
		Body struct {
			From    string `json:"from" maxLength:"1024" doc:"It and everything below it." example:"blue/lab"`
			To      string `json:"to" maxLength:"1024" example:"blue/kitchen"`
			Preview bool   `json:"preview,omitempty" doc:"Change nothing and tell what would happen."`
		}
	}
	register(a, members, huma.Operation{OperationID: "move-topics", Method: http.MethodPost, Path: "/topics/move", Tags: tags, Summary: core.Say("Move topics").Format,
		Description: "Readings, what was said about them, and retained messages come along."},
		func(ctx context.Context, c caller, in *moveIn) (*body[effect], error) {
			from, err := g.mayDesign(c, in.Body.From)
			if err != nil {
				return nil, err
			}
			to, err := g.mayDesign(c, in.Body.To)
			if err != nil {
				return nil, err
			}
			e, err := g.cfg.Plan.MoveTopics(ctx, from, to, false)
			if err != nil {
				return nil, err
			}
			names := append(slices.Concat(e.Topics, e.Places), g.under(from)...)
			for _, n := range names {
				names = append(names, to+n[len(from):])
			}
			if err := g.mayDesignAll(c, names); err != nil {
				return nil, err
			}
			if !in.Body.Preview {
				if e, err = g.cfg.Plan.MoveTopics(ctx, from, to, true); err != nil {
					return nil, err
				}
			}
			return g.effect(c, e, !in.Body.Preview), nil
		})

	remove := func(ctx context.Context, c caller, s string, preview bool) (*body[effect], error) {
		n, err := g.mayDesign(c, s)
		if err != nil {
			return nil, err
		}
		e, err := g.cfg.Plan.RemoveTopics(ctx, n, false)
		if err == nil {
			err = g.mayDesignAll(c, append(slices.Concat(e.Topics, e.Places), g.under(n)...))
		}
		if err == nil && !preview {
			e, err = g.cfg.Plan.RemoveTopics(ctx, n, true)
		}
		if err != nil {
			return nil, err
		}
		return g.effect(c, e, !preview), nil
	}
	const does = "With everything below it. Readings are hidden and retained messages cleared; ten minutes long it can be undone."
	type removeIn struct {
		InPath
		Preview bool `query:"preview" doc:"Change nothing and tell what would happen."`
	}
	register(a, members, huma.Operation{OperationID: "remove-topics", Method: http.MethodDelete, Path: "/topics/{topic}", Tags: tags, Summary: core.Say("Remove topics").Format, Description: does},
		func(ctx context.Context, c caller, in *removeIn) (*body[effect], error) {
			return remove(ctx, c, in.Topic, in.Preview)
		})
	type removeQuery struct {
		InQuery
		Preview bool `query:"preview" doc:"Change nothing and tell what would happen."`
	}
	register(a, members, huma.Operation{OperationID: "remove-topics-named", Method: http.MethodDelete, Path: "/topics", Tags: tags, Summary: core.Say("Remove topics").Format, Description: does},
		func(ctx context.Context, c caller, in *removeQuery) (*body[effect], error) {
			return remove(ctx, c, in.Topic, in.Preview)
		})

	type removal struct {
		ID     int64     `json:"id"`
		Topic  string    `json:"topic" doc:"It and everything below it was removed."`
		Topics int       `json:"topics" doc:"How many were designed."`
		By     string    `json:"by,omitempty" doc:"The account."`
		At     time.Time `json:"at"`
		Until  time.Time `json:"until" doc:"As long as it can be undone."`
	}
	mine := func(c caller) (all []core.Removal) {
		for _, r := range g.cfg.Plan.Removals() {
			first, _, _ := strings.Cut(string(r.Under), "/")
			if c.Role == core.Teacher || c.Role == core.Student && (r.Account == c.ID || first == string(c.Team)) {
				if real, err := g.cfg.Authority.Authorize(c.ID, core.Publish, topic.Filter(r.Under)); c.Role == core.Teacher || err == nil && real == topic.Filter(r.Under) {
					all = append(all, r)
				}
			}
		}
		return all
	}
	register(a, members, huma.Operation{OperationID: "list-removals", Method: http.MethodGet, Path: "/removals", Tags: tags, Summary: core.Say("List what can be undone").Format},
		func(_ context.Context, c caller, in *Paging) (*body[list[removal]], error) {
			var all []removal
			for _, r := range mine(c) {
				all = append(all, removal{r.ID, string(r.Under), r.Topics, g.nameOf(c, r.Account), r.At, r.Until})
			}
			return &body[list[removal]]{part(*in, all, func(r removal) string { return sortable(r.ID) })}, nil
		})

	type undoIn struct {
		ID int64 `path:"id" example:"3"`
	}
	register(a, members, huma.Operation{OperationID: "undo-removal", Method: http.MethodPost, Path: "/removals/{id}/undo", Tags: tags, Summary: core.Say("Undo a removal").Format},
		func(ctx context.Context, c caller, in *undoIn) (*struct{}, error) {
			if !slices.ContainsFunc(mine(c), func(r core.Removal) bool { return r.ID == in.ID }) {
				return nil, core.Fail(core.ErrNotFound, "There is no such removal to undo now. Ask for the list of removals.")
			}
			return nil, g.cfg.Plan.UndoRemove(ctx, in.ID)
		})
}

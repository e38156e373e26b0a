package gateway

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// What is designed is written as docs/plan.schema.json has it, with the times at
// which it was changed.

type drawnTopic struct {
	Name string `json:"name" maxLength:"1024" example:"blue/lab/kit-1/light"`
	Design
	Changed *time.Time `json:"changed,omitempty" doc:"As it was read; where somebody else has changed it since, 409. Without it, what is there is replaced."`
}

type drawnPort struct {
	Slot   string `json:"slot" maxLength:"64" example:"light" doc:"The part of the kit: light, led, brightness, button, presence; of the role any, any name."`
	Topic  string `json:"topic" maxLength:"1024" example:"blue/lab/kit-1/light"`
	Action string `json:"action" enum:"publish,subscribe" doc:"publish: the kit is the source of the values."`
	Toggle bool   `json:"toggle,omitempty" doc:"Each press of the button changes the value; else it is true while it is held."`
}

type drawnPlace struct {
	Name    string      `json:"name" maxLength:"1024" example:"blue/lab/kit-1"`
	Kind    string      `json:"kind" enum:"branch,room,kit"`
	Label   string      `json:"label,omitempty" maxLength:"256" doc:"Display name, in any script."`
	Text    string      `json:"text,omitempty" maxLength:"4000" doc:"What it is for."`
	X       float64     `json:"x,omitempty" doc:"Where it is drawn: of a room in its branch, of a kit in its room."`
	Y       float64     `json:"y,omitempty"`
	W       float64     `json:"w,omitempty"`
	H       float64     `json:"h,omitempty"`
	Role    string      `json:"role,omitempty" enum:"light,sensor,button,choice,all,any" doc:"Of a kit, which needs one."`
	Account string      `json:"account,omitempty" maxLength:"64" doc:"That the kit signs in with."`
	Virtual bool        `json:"virtual,omitempty" doc:"The program is the kit."`
	Ports   []drawnPort `json:"ports,omitempty" maxItems:"64" doc:"Only those whose topics the caller may read; of a student, the others stay."`
	Changed *time.Time  `json:"changed,omitempty"`
}

type drawnInput struct {
	Name  string `json:"name" maxLength:"64" example:"brightness"`
	Topic string `json:"topic" maxLength:"1024" example:"blue/lab/kit-1/brightness"`
}

type drawnTrigger struct {
	Kind  string   `json:"kind" enum:"change,message,time,every"`
	Input string   `json:"input,omitempty" maxLength:"64" doc:"Of change and message."`
	At    string   `json:"at,omitempty" maxLength:"18" doc:"Of time: 07:30, on this PC's clock."`
	Days  []string `json:"days,omitempty" maxItems:"7" enum:"sun,mon,tue,wed,thu,fri,sat"`
	Every float64  `json:"every,omitempty" minimum:"0" maximum:"604800" doc:"Seconds."`
}

type drawnAct struct {
	Topic  string `json:"topic" maxLength:"1024" example:"blue/lab/kit-1/light"`
	Value  string `json:"value" maxLength:"2000" example:"brightness < 60" doc:"An expression."`
	Always bool   `json:"always,omitempty" doc:"Also where the topic has that value already."`
}

// DrawnRule is a rule. It is exported for huma, which does not look into other
// embedded structs.
type DrawnRule struct {
	ID       string         `json:"id,omitempty" maxLength:"64" example:"choice"`
	Label    string         `json:"label,omitempty" maxLength:"256" doc:"Display name, in any script."`
	Text     string         `json:"text,omitempty" maxLength:"4000" doc:"What it is for."`
	Disabled bool           `json:"disabled,omitempty"`
	Account  string         `json:"account,omitempty" maxLength:"64" doc:"As whom it publishes: who wrote it. What is sent here is not looked at."`
	Inputs   []drawnInput   `json:"inputs,omitempty" maxItems:"32"`
	When     []drawnTrigger `json:"when,omitempty" maxItems:"16" doc:"None is any change of an input."`
	If       string         `json:"if,omitempty" maxLength:"2000" doc:"An expression over the inputs that has to be true."`
	For      float64        `json:"for,omitempty" minimum:"0" maximum:"604800" doc:"Seconds that it has to be true before it acts."`
	Then     []drawnAct     `json:"then,omitempty" maxItems:"16"`
	Debounce float64        `json:"debounce,omitempty" minimum:"0" maximum:"604800" doc:"Seconds without anything before it looks."`
	Cooldown float64        `json:"cooldown,omitempty" minimum:"0" maximum:"604800" doc:"Seconds of rest after it acted."`
	Kit      string         `json:"kit,omitempty" maxLength:"1024" doc:"The kit of the role choice that decides instead of the program."`
	Changed  *time.Time     `json:"changed,omitempty"`
}

// DrawnAlarm is an alarm.
type DrawnAlarm struct {
	ID       string     `json:"id,omitempty" maxLength:"64" example:"too-warm"`
	Label    string     `json:"label,omitempty" maxLength:"256" doc:"Display name, in any script."`
	Topic    string     `json:"topic" maxLength:"1024" example:"blue/lab/kit-1/temperature"`
	Kind     string     `json:"kind" enum:"above,below,equals,silent,rate,flood"`
	Limit    float64    `json:"limit,omitempty" doc:"Of above, below, rate and flood."`
	Clear    float64    `json:"clear,omitempty" minimum:"0" doc:"How far back from limit a number must be before above or below ends."`
	Word     string     `json:"word,omitempty" maxLength:"256" doc:"Of equals."`
	Within   float64    `json:"within,omitempty" minimum:"0" maximum:"604800" doc:"Seconds, of silent, rate and flood."`
	For      float64    `json:"for,omitempty" minimum:"0" maximum:"604800" doc:"Seconds that it has to hold before it calls."`
	Disabled bool       `json:"disabled,omitempty"`
	Changed  *time.Time `json:"changed,omitempty"`
}

type drawnRenamed struct {
	Old   string    `json:"old"`
	New   string    `json:"new"`
	Until time.Time `json:"until" doc:"As long as the old name answers."`
	Uses  int       `json:"uses" doc:"Since the program started."`
}

type drawn struct {
	Revision int64          `json:"revision" doc:"Rises with each change."`
	Topics   []drawnTopic   `json:"topics"`
	Places   []drawnPlace   `json:"places"`
	Rules    []DrawnRule    `json:"rules"`
	Alarms   []DrawnAlarm   `json:"alarms"`
	Renamed  []drawnRenamed `json:"renamed" doc:"Names that were given up and still answer."`
}

type changesPut struct {
	Topics []drawnTopic `json:"topics,omitempty" maxItems:"100000"`
	Places []drawnPlace `json:"places,omitempty" maxItems:"10000"`
	Rules  []DrawnRule  `json:"rules,omitempty" maxItems:"1000"`
	Alarms []DrawnAlarm `json:"alarms,omitempty" maxItems:"1000"`
}

type changesRemove struct {
	Topics []string `json:"topics,omitempty" maxItems:"100000"`
	Places []string `json:"places,omitempty" maxItems:"10000"`
	Rules  []string `json:"rules,omitempty" maxItems:"1000"`
	Alarms []string `json:"alarms,omitempty" maxItems:"1000"`
}

// changes is core.Batch in JSON.
type changes struct {
	Say    string        `json:"say,omitempty" maxLength:"200" doc:"What is done, for the list of edits." example:"Lamp moved to the hall"`
	Put    changesPut    `json:"put,omitempty" doc:"Each replaces the one with its name."`
	Remove changesRemove `json:"remove,omitempty" doc:"Just goes. DELETE topics takes along what hangs on a topic."`
}

func seconds(s float64) time.Duration { return time.Duration(math.Round(s * float64(time.Second))) }

func (x drawnTopic) core() core.Topic {
	t := core.Topic{Name: topic.Name(x.Name), Changed: value(x.Changed)}
	x.into(&t)
	return t
}

func (x drawnPlace) core() core.Place {
	p := core.Place{Name: topic.Name(x.Name), Kind: core.PlaceKind(x.Kind), Label: x.Label, Text: x.Text, X: x.X, Y: x.Y, W: x.W, H: x.H,
		Role: core.KitRole(x.Role), Account: topic.ID(x.Account), Virtual: x.Virtual, Changed: value(x.Changed)}
	for _, q := range x.Ports {
		p.Ports = append(p.Ports, core.Port{Slot: topic.ID(q.Slot), Topic: topic.Name(q.Topic), Action: core.Action(q.Action), Toggle: q.Toggle})
	}
	return p
}

var days = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (x DrawnRule) core() (core.Rule, error) {
	r := core.Rule{ID: topic.ID(x.ID), Label: x.Label, Text: x.Text, Disabled: x.Disabled, If: x.If, For: seconds(x.For), Debounce: seconds(x.Debounce),
		Cooldown: seconds(x.Cooldown), Kit: topic.Name(x.Kit), Changed: value(x.Changed)}
	for _, in := range x.Inputs {
		r.Inputs = append(r.Inputs, core.Input{Name: in.Name, Topic: topic.Name(in.Topic)})
	}
	for _, w := range x.When {
		t := core.Trigger{Kind: core.TriggerKind(w.Kind), Input: w.Input, Every: seconds(w.Every)}
		if t.Kind == core.OnTime {
			written := w.At
			if len(written) == len("07:30") {
				written += ":00"
			}
			at, err := time.Parse("15:04:05", written)
			if err != nil {
				return r, core.Fail(core.ErrInvalid, "{field} is not a time of day. Write it like {example}.", "field", "at", "example", "07:30")
			}
			t.At = at.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC))
		}
		for _, d := range w.Days {
			t.Days = append(t.Days, time.Weekday(slices.Index(days, d)))
		}
		r.When = append(r.When, t)
	}
	for _, a := range x.Then {
		r.Then = append(r.Then, core.Act{Topic: topic.Name(a.Topic), Value: a.Value, Always: a.Always})
	}
	return r, nil
}

func (x DrawnAlarm) core() core.Alarm {
	return core.Alarm{ID: topic.ID(x.ID), Label: x.Label, Topic: topic.Name(x.Topic), Kind: core.AlarmKind(x.Kind), Limit: x.Limit, Clear: x.Clear, Word: x.Word,
		Within: seconds(x.Within), For: seconds(x.For), Disabled: x.Disabled, Changed: value(x.Changed)}
}

// batch returns what x changes.
func (x changes) batch() (b core.Batch, err error) {
	if x.Say != "" {
		b.Say = core.Say("{what}", "what", cut(x.Say))
	}
	for _, t := range x.Put.Topics {
		b.Topics = append(b.Topics, t.core())
	}
	for _, p := range x.Put.Places {
		b.Places = append(b.Places, p.core())
	}
	for _, r := range x.Put.Rules {
		rule, err := r.core()
		if err != nil {
			return b, err
		}
		b.Rules = append(b.Rules, rule)
	}
	for _, a := range x.Put.Alarms {
		b.Alarms = append(b.Alarms, a.core())
	}
	b.RemoveTopics, b.RemovePlaces = spelled[topic.Name](x.Remove.Topics), spelled[topic.Name](x.Remove.Places)
	b.RemoveRules, b.RemoveAlarms = spelled[topic.ID](x.Remove.Rules), spelled[topic.ID](x.Remove.Alarms)
	return b, nil
}

// spelled returns names as strings of another type.
func spelled[To, From ~string](names []From) (all []To) {
	for _, n := range names {
		all = append(all, To(n))
	}
	return all
}

func drawTopic(t core.Topic) drawnTopic {
	return drawnTopic{string(t.Name), describe(t).Design, moment(t.Changed)}
}

func drawPlace(p core.Place) drawnPlace {
	x := drawnPlace{string(p.Name), string(p.Kind), p.Label, p.Text, p.X, p.Y, p.W, p.H, string(p.Role), string(p.Account), p.Virtual, nil, moment(p.Changed)}
	for _, q := range p.Ports {
		x.Ports = append(x.Ports, drawnPort{string(q.Slot), string(q.Topic), string(q.Action), q.Toggle})
	}
	return x
}

func (g *Gateway) drawRule(c caller, r core.Rule) DrawnRule {
	x := DrawnRule{ID: string(r.ID), Label: r.Label, Text: r.Text, Disabled: r.Disabled, Account: g.nameOf(c, r.Account), If: r.If, For: r.For.Seconds(),
		Debounce: r.Debounce.Seconds(), Cooldown: r.Cooldown.Seconds(), Kit: string(r.Kit), Changed: moment(r.Changed)}
	for _, in := range r.Inputs {
		x.Inputs = append(x.Inputs, drawnInput{in.Name, string(in.Topic)})
	}
	for _, w := range r.When {
		t := drawnTrigger{Kind: string(w.Kind), Input: w.Input, Every: w.Every.Seconds()}
		if w.Kind == core.OnTime {
			t.At = strings.TrimSuffix(time.Time{}.Add(w.At).Format("15:04:05.999999999"), ":00")
		}
		for _, d := range w.Days {
			t.Days = append(t.Days, days[d])
		}
		x.When = append(x.When, t)
	}
	for _, a := range r.Then {
		x.Then = append(x.Then, drawnAct{string(a.Topic), a.Value, a.Always})
	}
	return x
}

func drawAlarm(a core.Alarm) DrawnAlarm {
	return DrawnAlarm{string(a.ID), a.Label, string(a.Topic), string(a.Kind), a.Limit, a.Clear, a.Word, a.Within.Seconds(), a.For.Seconds(), a.Disabled, moment(a.Changed)}
}

// draw returns d, which c may know, in JSON.
func (g *Gateway) draw(c caller, d *core.Design) drawn {
	x := drawn{d.Revision, []drawnTopic{}, []drawnPlace{}, []DrawnRule{}, []DrawnAlarm{}, []drawnRenamed{}}
	for _, t := range d.Topics {
		x.Topics = append(x.Topics, drawTopic(*t))
	}
	for _, p := range d.Places {
		x.Places = append(x.Places, drawPlace(*p))
	}
	for _, r := range d.Rules {
		x.Rules = append(x.Rules, g.drawRule(c, *r))
	}
	for _, a := range d.Alarms {
		x.Alarms = append(x.Alarms, drawAlarm(*a))
	}
	for _, r := range d.Renamed {
		x.Renamed = append(x.Renamed, drawnRenamed{string(r.Old), string(r.New), r.Until, r.Uses})
	}
	return x
}

// drawChanges returns b as POST plan/changes takes it.
func (g *Gateway) drawChanges(c caller, b core.Batch) changes {
	var d core.Design
	for i := range b.Topics {
		d.Topics = append(d.Topics, &b.Topics[i])
	}
	for i := range b.Places {
		d.Places = append(d.Places, &b.Places[i])
	}
	for i := range b.Rules {
		d.Rules = append(d.Rules, &b.Rules[i])
	}
	for i := range b.Alarms {
		d.Alarms = append(d.Alarms, &b.Alarms[i])
	}
	x := g.draw(c, &d)
	return changes{g.cfg.Say(c.language, b.Say), changesPut{x.Topics, x.Places, x.Rules, x.Alarms},
		changesRemove{spelled[string](b.RemoveTopics), spelled[string](b.RemovePlaces), spelled[string](b.RemoveRules), spelled[string](b.RemoveAlarms)}}
}

// where tells the place of a fault in a file.
func where(f core.FileFault) string {
	switch {
	case f.Line == 0:
		return f.Path
	case f.Path == "":
		return fmt.Sprintf("line %d", f.Line)
	}
	return fmt.Sprintf("line %d: %s", f.Line, f.Path)
}

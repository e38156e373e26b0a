package plan

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// What stands in a file: docs/plan.schema.json says the same. Times are seconds.

type writtenTopic struct {
	Name     string   `json:"name"`
	Label    string   `json:"label,omitempty"`
	Unit     string   `json:"unit,omitempty"`
	Text     string   `json:"text,omitempty"`
	Kind     string   `json:"kind,omitempty"`
	Min      float64  `json:"min,omitempty"`
	Max      float64  `json:"max,omitempty"`
	Step     float64  `json:"step,omitempty"`
	Options  []string `json:"options,omitempty"`
	Writable bool     `json:"writable,omitempty"`
	QoS      byte     `json:"qos,omitempty"`
	Retain   bool     `json:"retain,omitempty"`
	KeepDays int      `json:"keep_days,omitempty"`
}

type writtenPlace struct {
	Name    string        `json:"name"`
	Kind    string        `json:"kind"`
	Label   string        `json:"label,omitempty"`
	Text    string        `json:"text,omitempty"`
	X       float64       `json:"x,omitempty"`
	Y       float64       `json:"y,omitempty"`
	W       float64       `json:"w,omitempty"`
	H       float64       `json:"h,omitempty"`
	Role    string        `json:"role,omitempty"`
	Account string        `json:"account,omitempty"`
	Virtual bool          `json:"virtual,omitempty"`
	Ports   []writtenPort `json:"ports,omitempty"`
}

type writtenPort struct {
	Slot   string `json:"slot"`
	Topic  string `json:"topic"`
	Action string `json:"action"`
	Toggle bool   `json:"toggle,omitempty"`
}

type writtenRule struct {
	ID       string           `json:"id"`
	Label    string           `json:"label,omitempty"`
	Text     string           `json:"text,omitempty"`
	Disabled bool             `json:"disabled,omitempty"`
	Inputs   []writtenInput   `json:"inputs,omitempty"`
	When     []writtenTrigger `json:"when,omitempty"`
	If       string           `json:"if,omitempty"`
	For      float64          `json:"for,omitempty"`
	Then     []writtenAct     `json:"then,omitempty"`
	Debounce float64          `json:"debounce,omitempty"`
	Cooldown float64          `json:"cooldown,omitempty"`
	Kit      string           `json:"kit,omitempty"`
}

type writtenInput struct {
	Name  string `json:"name"`
	Topic string `json:"topic"`
}

type writtenTrigger struct {
	Kind  string   `json:"kind"`
	Input string   `json:"input,omitempty"`
	At    string   `json:"at,omitempty"`
	Days  []string `json:"days,omitempty"`
	Every float64  `json:"every,omitempty"`
}

type writtenAct struct {
	Topic  string `json:"topic"`
	Value  string `json:"value"`
	Always bool   `json:"always,omitempty"`
}

type writtenAlarm struct {
	ID       string  `json:"id"`
	Label    string  `json:"label,omitempty"`
	Topic    string  `json:"topic"`
	Kind     string  `json:"kind"`
	Limit    float64 `json:"limit,omitempty"`
	Clear    float64 `json:"clear,omitempty"`
	Word     string  `json:"word,omitempty"`
	Within   float64 `json:"within,omitempty"`
	For      float64 `json:"for,omitempty"`
	Disabled bool    `json:"disabled,omitempty"`
}

var (
	kinds    = []string{core.Text: "text", core.Number: "number", core.Boolean: "boolean", core.Enumeration: "enumeration", core.JSON: "json"}
	columns  = []string{"name", "label", "unit", "text", "kind", "min", "max", "step", "options", "writable", "qos", "retain", "keep_days"}
	weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

const clock = "15:04:05.999999999"

func writeTopic(t core.Topic) writtenTopic {
	return writtenTopic{string(t.Name), t.Label, t.Unit, t.Text, kinds[t.Kind], t.Min, t.Max, t.Step, t.Options, t.Writable, t.QoS, t.Retain, t.KeepDays}
}

func writePlace(p core.Place) writtenPlace {
	w := writtenPlace{Name: string(p.Name), Kind: string(p.Kind), Label: p.Label, Text: p.Text, X: p.X, Y: p.Y, W: p.W, H: p.H,
		Role: string(p.Role), Account: string(p.Account), Virtual: p.Virtual}
	for _, port := range p.Ports {
		w.Ports = append(w.Ports, writtenPort{string(port.Slot), string(port.Topic), string(port.Action), port.Toggle})
	}
	return w
}

func writeRule(r core.Rule) writtenRule {
	w := writtenRule{ID: string(r.ID), Label: r.Label, Text: r.Text, Disabled: r.Disabled, If: r.If,
		For: r.For.Seconds(), Debounce: r.Debounce.Seconds(), Cooldown: r.Cooldown.Seconds(), Kit: string(r.Kit)}
	for _, in := range r.Inputs {
		w.Inputs = append(w.Inputs, writtenInput{in.Name, string(in.Topic)})
	}
	for _, t := range r.When {
		one := writtenTrigger{Kind: string(t.Kind), Input: t.Input, Every: t.Every.Seconds()}
		if t.Kind == core.OnTime {
			one.At = time.Time{}.Add(t.At).Format(clock)
		}
		for _, d := range t.Days {
			one.Days = append(one.Days, weekdays[d])
		}
		w.When = append(w.When, one)
	}
	for _, a := range r.Then {
		w.Then = append(w.Then, writtenAct{string(a.Topic), a.Value, a.Always})
	}
	return w
}

func writeAlarm(a core.Alarm) writtenAlarm {
	return writtenAlarm{string(a.ID), a.Label, string(a.Topic), string(a.Kind), a.Limit, a.Clear, a.Word, a.Within.Seconds(), a.For.Seconds(), a.Disabled}
}

// topic returns what w says, which is not checked yet.
func (w writtenTopic) topic() (core.Topic, error) {
	t := core.Topic{Name: topic.Name(w.Name), Description: core.Description{Label: w.Label, Unit: w.Unit, KeepDays: w.KeepDays}, Text: w.Text,
		Min: w.Min, Max: w.Max, Step: w.Step, Options: w.Options, Writable: w.Writable, QoS: w.QoS, Retain: w.Retain}
	if w.Kind != "" {
		kind := slices.Index(kinds, w.Kind)
		if kind < 0 {
			return t, noKind(t.Name)
		}
		t.Kind = core.Kind(kind)
	}
	return t, check(t)
}

func (w writtenPlace) place() (core.Place, error) {
	p := core.Place{Name: topic.Name(w.Name), Kind: core.PlaceKind(w.Kind), Label: w.Label, Text: w.Text, X: w.X, Y: w.Y, W: w.W, H: w.H,
		Role: core.KitRole(w.Role), Account: topic.ID(w.Account), Virtual: w.Virtual}
	for _, port := range w.Ports {
		p.Ports = append(p.Ports, core.Port{Slot: topic.ID(port.Slot), Topic: topic.Name(port.Topic), Action: core.Action(port.Action), Toggle: port.Toggle})
	}
	return p, checkPlace(p)
}

func (w writtenRule) rule() (core.Rule, error) {
	r := core.Rule{ID: topic.ID(w.ID), Label: w.Label, Text: w.Text, Disabled: w.Disabled, If: w.If,
		For: seconds(w.For), Debounce: seconds(w.Debounce), Cooldown: seconds(w.Cooldown), Kit: topic.Name(w.Kit)}
	for _, in := range w.Inputs {
		r.Inputs = append(r.Inputs, core.Input{Name: in.Name, Topic: topic.Name(in.Topic)})
	}
	for _, t := range w.When {
		one := core.Trigger{Kind: core.TriggerKind(t.Kind), Input: t.Input, Every: seconds(t.Every)}
		if t.At != "" {
			at, err := time.Parse(clock, t.At)
			if err != nil {
				at, err = time.Parse("15:04", t.At)
			}
			if err != nil {
				return r, core.Fail(core.ErrInvalid, "{value} is no time of day. Write it like 07:30.", "value", short(topic.Name(t.At)))
			}
			one.At = at.Sub(at.Truncate(day))
		}
		for _, d := range t.Days {
			one.Days = append(one.Days, time.Weekday(slices.Index(weekdays, strings.ToLower(d)))) // -1 is no day
		}
		r.When = append(r.When, one)
	}
	for _, a := range w.Then {
		r.Then = append(r.Then, core.Act{Topic: topic.Name(a.Topic), Value: a.Value, Always: a.Always})
	}
	return r, checkRule(r)
}

func (w writtenAlarm) alarm() (core.Alarm, error) {
	a := core.Alarm{ID: topic.ID(w.ID), Label: w.Label, Topic: topic.Name(w.Topic), Kind: core.AlarmKind(w.Kind), Limit: w.Limit, Clear: w.Clear,
		Word: w.Word, Within: seconds(w.Within), For: seconds(w.For), Disabled: w.Disabled}
	return a, checkAlarm(a)
}

// seconds is v, or -1 where that is no duration.
func seconds(v float64) time.Duration {
	if v < 0 || v > 2*maxWait.Seconds() {
		return -1
	}
	return time.Duration(math.Round(v * float64(time.Second)))
}

// fieldsOf returns the names that a W has in a file.
func fieldsOf[W any]() string {
	var names []string
	for f := range reflect.TypeFor[W]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

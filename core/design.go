package core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"homeroom/core/topic"
)

// Design is everything that was designed, at one moment: the drawing that
// permissions, virtual kits, rules and documents are made from. Nobody changes
// one that was handed on, or what it points to.
type Design struct {
	Revision int64     // rises with each change
	Topics   []*Topic  // in order of name
	Places   []*Place  // in order of name
	Rules    []*Rule   // in order of ID
	Alarms   []*Alarm  // in order of ID
	Renamed  []Renamed // names that still answer, oldest first
}

// Topic returns what was designed about n, or nil.
func (d *Design) Topic(n topic.Name) *Topic {
	return find(d.Topics, n, func(t *Topic) topic.Name { return t.Name })
}

// Place returns the branch, room or kit at n, or nil.
func (d *Design) Place(n topic.Name) *Place {
	return find(d.Places, n, func(p *Place) topic.Name { return p.Name })
}

// Rule returns the rule, or nil.
func (d *Design) Rule(id topic.ID) *Rule {
	return find(d.Rules, id, func(r *Rule) topic.ID { return r.ID })
}

// Alarm returns the alarm, or nil.
func (d *Design) Alarm(id topic.ID) *Alarm {
	return find(d.Alarms, id, func(a *Alarm) topic.ID { return a.ID })
}

func find[T any, K ~string](all []*T, key K, of func(*T) K) *T {
	i, ok := slices.BinarySearchFunc(all, key, func(t *T, k K) int { return strings.Compare(string(of(t)), string(k)) })
	if !ok {
		return nil
	}
	return all[i]
}

// AccountFor returns a name for the account of a kit that no other kit signs in
// with and that taken does not know: that of its branch and the kit, or of all its
// levels.
func (d *Design) AccountFor(kit topic.Name, taken func(topic.ID) bool) topic.ID {
	levels := kit.Split()
	for i := 1; ; i++ {
		name := levels[0]
		switch {
		case i == 1 && len(levels) > 1:
			name += "-" + levels[len(levels)-1]
		case i > 1:
			name = strings.Join(levels, "-")
		}
		if i > 2 {
			name = fmt.Sprintf("%s-%d", name, i-1)
		}
		id := plainID(name)
		if !taken(id) && !slices.ContainsFunc(d.Places, func(p *Place) bool { return p.Account == id }) {
			return id
		}
	}
}

// plainID returns what of a text can be in an ID.
func plainID(s string) topic.ID {
	s = strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r == '_' || r == ' ' || r == '/':
			return '-'
		}
		return -1
	}, s), "-")
	if s = s[max(0, len(s)-topic.MaxID):]; s == "" {
		return "kit"
	}
	return topic.ID(strings.Trim(s, "-"))
}

// Within reports whether n is at or below branch.
func Within(n, branch topic.Name) bool {
	rest, ok := strings.CutPrefix(string(n), string(branch))
	return ok && (rest == "" || rest[0] == '/')
}

// PlaceKind is what a Place is.
type PlaceKind string

// The kinds of place.
const (
	BranchPlace PlaceKind = "branch" // the first level: a team's, or a house
	RoomPlace   PlaceKind = "room"
	KitPlace    PlaceKind = "kit"
)

// KitRole is what a kit is for: which ports it is made with, and its picture.
type KitRole string

// The roles of a kit; firmware/kit has all of them but AnyKit.
const (
	LightKit  KitRole = "light"  // a lamp that obeys
	SensorKit KitRole = "sensor" // brightness, presence
	ButtonKit KitRole = "button"
	ChoiceKit KitRole = "choice" // decides from brightness, button and presence about a light
	AllKit    KitRole = "all"    // button, LED, brightness, presence on one board
	AnyKit    KitRole = "any"    // whatever its ports say; virtual kits only
)

// KitRoles are all roles, in the order in which they are offered.
var KitRoles = []KitRole{LightKit, SensorKit, ButtonKit, ChoiceKit, AllKit, AnyKit}

// Place is a branch, a room or a kit of the plan: what the levels of topic names
// stand for. What is in it is what its name begins.
type Place struct {
	Name  topic.Name // blue, blue/lab, blue/lab/kit-1
	Kind  PlaceKind
	Label string // display name, in any script; it may be empty
	Text  string // what it is for
	// X, Y, W and H are where it is drawn, in units of the canvas: of a room
	// within its branch, of a kit within its room or branch. W and H are 0 of a
	// kit, and of what nobody has drawn yet.
	X, Y, W, H float64
	// What follows is of a kit.
	Role    KitRole
	Account topic.ID // that it signs in with; "" has none yet
	Virtual bool     // core/sim is the kit
	Ports   []Port   // the topics that it uses, inside its own name or elsewhere
	Changed time.Time
}

// Title is the name a person reads: the label, or the last level.
func (p Place) Title() string {
	if p.Label != "" {
		return p.Label
	}
	return string(p.Name[strings.LastIndexByte(string(p.Name), '/')+1:])
}

// Port joins a kit to a topic.
type Port struct {
	// Slot is the part of the kit: "light", "led", "brightness", "button",
	// "presence"; of an AnyKit any topic.ID. One kit has each slot once an action.
	Slot  topic.ID
	Topic topic.Name
	// Action is Publish where the kit is the source of the values, Subscribe
	// where it obeys or reads them.
	Action Action
	// Toggle makes each press of a button change the value; else it is true
	// while it is held down.
	Toggle bool
}

// Names returns what p publishes and subscribes to for a port whose topic is t;
// "" is nothing. A Writable topic of its own takes commands at /set, and p tells
// what became of them; a Writable topic of another kit is commanded there.
func (p Place) Names(port Port, t Topic) (publish, subscribe topic.Name) {
	own := Within(port.Topic, p.Name)
	set := port.Topic + "/set"
	switch {
	case port.Action == Publish && t.Writable && !own:
		return set, ""
	case port.Action == Publish:
		return port.Topic, ""
	case t.Writable && own:
		return port.Topic, set
	}
	return "", port.Topic
}

// Renamed is a name that was given up for another and still answers: what is
// published to Old goes to New, and whoever did is told so.
type Renamed struct {
	Old, New topic.Name // each with everything below it
	Until    time.Time
	Uses     int // since the program started
}

// Edit is one change of the design that can be undone, or was and can be redone.
type Edit struct {
	ID      int64
	At      time.Time
	Account AccountID // who made it; 0 is the program or its command line
	Say     Sentence  // "kit-1 moved to hall"
}

// Batch is what is changed in the design at once, as one Edit.
type Batch struct {
	Say Sentence // what the person did
	// Each replaces the one with its name. Where Changed is not zero it is that
	// of the one that was read, and somebody else's change since is a conflict.
	Topics []Topic
	Places []Place
	Rules  []Rule
	Alarms []Alarm
	// What goes. Of topics and places that have readings, retained messages or
	// something below them, RemoveTopics is the way; here they just go.
	RemoveTopics []topic.Name
	RemovePlaces []topic.Name
	RemoveRules  []topic.ID
	RemoveAlarms []topic.ID
}

// Fix is something that could be better in the design, and the change that
// makes it so.
type Fix struct {
	Topic topic.Name // or the place; what it is about
	Say   Sentence   // what is wrong
	// Rename and To are the move that mends it; or Batch is, where it has
	// anything; or a person must.
	Rename, To topic.Name
	Batch      Batch
}

// Rule acts when something happened and something holds.
type Rule struct {
	ID       topic.ID
	Label    string // display name, in any script
	Text     string // what it is for
	Disabled bool
	// Account is as whom it publishes: who wrote it. It can do no more than they.
	Account AccountID
	// Inputs are the topics that the expressions read, by the name they have there.
	Inputs []Input
	// When is what makes the rule look; any of them does. None is any change of
	// an input.
	When []Trigger
	// If is an expression over the inputs that must be true; "" always is.
	If string
	// For is how long If has to be true before it acts; 0 is at once.
	For time.Duration
	// Then is what it does, in order.
	Then []Act
	// Debounce waits until nothing happened for that long before it looks.
	Debounce time.Duration
	// Cooldown is how long it rests after it acted.
	Cooldown time.Duration
	// Kit runs it instead of the program: the name of a kit whose role is
	// ChoiceKit, or "".
	Kit     topic.Name
	Changed time.Time
}

// Title is the name a person reads.
func (r Rule) Title() string {
	if r.Label != "" {
		return r.Label
	}
	return string(r.ID)
}

// Input is a topic by the name that it has in the expressions of a rule:
// letters, digits and _, not beginning with a digit.
type Input struct {
	Name  string
	Topic topic.Name
}

// TriggerKind is what a Trigger waits for.
type TriggerKind string

// The kinds of trigger.
const (
	OnChange  TriggerKind = "change"  // another value than before
	OnMessage TriggerKind = "message" // any value, also the same again
	OnTime    TriggerKind = "time"    // a time of day of this PC
	OnEvery   TriggerKind = "every"   // again and again
)

// Trigger is what makes a rule look.
type Trigger struct {
	Kind  TriggerKind
	Input string         // of OnChange and OnMessage
	At    time.Duration  // of OnTime: since midnight
	Days  []time.Weekday // of OnTime; none is every day
	Every time.Duration  // of OnEvery; at least a second
}

// Act is one value that a rule publishes. A Writable topic gets it as a command.
type Act struct {
	Topic  topic.Name
	Value  string // an expression; true and false become the words of the topic
	Always bool   // also where the topic has that value already
}

// RuleTemplate is a rule to start from, for topics that a person chooses.
type RuleTemplate struct {
	ID    topic.ID
	Title Sentence
	Parts []RulePart // what a topic is chosen for, in order
	Rule  Rule       // without topics; Make puts them in
}

// RulePart is what a topic is chosen for.
type RulePart struct {
	Input string // the name that it has in the expressions; of what is set, too
	Title Sentence
	Kinds []Kind // of the values that fit
	Set   bool   // the rule sets it; else it reads it
}

// Make returns the rule with the topics, one for each part, in order.
func (t RuleTemplate) Make(id topic.ID, topics []topic.Name) Rule {
	r := t.Rule
	r.ID, r.Inputs, r.When, r.Then = id, nil, slices.Clone(r.When), slices.Clone(r.Then)
	for i, p := range t.Parts {
		if !p.Set {
			r.Inputs = append(r.Inputs, Input{p.Input, topics[i]})
			continue
		}
		for j := range r.Then {
			r.Then[j].Topic = topics[i]
		}
	}
	return r
}

// RuleState is what became of a rule since the program started.
type RuleState struct {
	ID     topic.ID
	Looks  uint64 // times that it looked
	Acts   uint64 // times that it acted
	Last   Firing // the latest that acted; its At is zero where none did
	Paused Sentence
	// Problem is why it does not work: an expression, a refusal. Format is "" where it does.
	Problem Sentence
}

// Firing is one time that a rule acted, or in a dry run would have.
type Firing struct {
	At    time.Time
	Rule  topic.ID
	Cause Message      // that made it look; its At is zero where it was the time
	Chain []topic.ID   // rules whose acts led to it, oldest first, without itself
	Why   Sentence     // the inputs that decided, with their values
	Reads []topic.Name // all inputs: who may not read one must not be told Why
	Sent  []Message    // what it published
}

// AlarmKind is what an alarm watches for.
type AlarmKind string

// The kinds of alarm.
const (
	AlarmAbove  AlarmKind = "above"  // a number greater than Limit
	AlarmBelow  AlarmKind = "below"  // a number less than Limit
	AlarmEquals AlarmKind = "equals" // the value Word
	AlarmSilent AlarmKind = "silent" // no value for Within
	AlarmRate   AlarmKind = "rate"   // a change of more than Limit, up or down, within Within
	AlarmFlood  AlarmKind = "flood"  // more than Limit messages within Within
)

// Alarm watches a topic and calls for a person.
type Alarm struct {
	ID    topic.ID
	Label string // display name, in any script
	Topic topic.Name
	Kind  AlarmKind
	Limit float64
	// Clear is how far below or above Limit a number must be before the alarm
	// of AlarmAbove or AlarmBelow ends: its hysteresis. Not negative.
	Clear    float64
	Word     string        // of AlarmEquals; true and false are any words for them
	Within   time.Duration // of AlarmSilent, AlarmRate and AlarmFlood
	For      time.Duration // how long it must hold before it calls; 0 is at once
	Disabled bool
	Changed  time.Time
}

// Title is the name a person reads.
func (a Alarm) Title() string {
	if a.Label != "" {
		return a.Label
	}
	return string(a.ID)
}

// AlarmState is an alarm that calls, or called and was not acknowledged.
type AlarmState struct {
	Alarm Alarm
	Say   Sentence  // "Brightness is 92 %, more than 90 %."
	Since time.Time // it calls
	Ended time.Time // zero while it calls
	Acked time.Time // zero until a person has seen it
	By    AccountID // who has
}

// Template is a design that is ready to use, as it is offered.
type Template struct {
	Key   string
	Title Sentence
	Text  Sentence // what one learns with it
	// Decides means that something decides in it, which a rule of the program
	// can do or an ESP_Choice board.
	Decides bool
	// Flat means that it can do without a branch, too.
	Flat bool
	Kits int // that one copy of it has
}

// Selection is what a topic filter selects of the design and of what arrives.
type Selection struct {
	Filter   topic.Filter
	Topics   []topic.Name // that are designed, in order
	Arriving []topic.Name // that are not, in order
	// Took is, for each of Topics, what each wildcard of the filter stood for.
	Took  [][]string
	Near  []Near // what it nearly selects, at most 20
	Notes []Sentence
	Wrong int // where the filter is wrong: a character, from 1; 0 is nowhere
}

// Near is a designed topic that a filter does not select, and why not.
type Near struct {
	Topic topic.Name
	Say   Sentence
}

// FileFault is one thing that is wrong in a file.
type FileFault struct {
	Line int    // from 1; 0 is the whole file
	Path string // where in the file: "topics[3].qos", or the column of a CSV
	Say  Sentence
}

//go:build !headless

package ui

import (
	"context"
	"io"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/kits"
	"homeroom/ui/plan"
	"homeroom/ui/rules"
	"homeroom/ui/setup"
)

// blank is an empty design, and everything that is made from one.
type blank struct{ *parts }

var nothing core.Design

func (blank) Design() *core.Design                     { return &nothing }
func (blank) Change(context.Context, core.Batch) error { return nil }
func (blank) MoveTopics(context.Context, topic.Name, topic.Name, bool) (core.Effect, error) {
	return core.Effect{}, nil
}
func (blank) RemoveTopics(context.Context, topic.Name, bool) (core.Effect, error) {
	return core.Effect{}, nil
}
func (blank) Undo(context.Context) (core.Edit, error)         { return core.Edit{}, nil }
func (blank) Redo(context.Context) (core.Edit, error)         { return core.Edit{}, nil }
func (blank) Edits() (undo, redo []core.Edit)                 { return nil, nil }
func (blank) Arriving() []core.TopicState                     { return nil }
func (blank) Problems() []core.Fix                            { return nil }
func (blank) Meant(topic.Name) (topic.Name, bool)             { return "", false }
func (blank) Adopt(core.TopicState) core.Batch                { return core.Batch{} }
func (blank) Removals() []core.Removal                        { return nil }
func (blank) UndoRemove(context.Context, int64) error         { return nil }
func (blank) Templates() []core.Template                      { return nil }
func (blank) Select(string) (core.Selection, error)           { return core.Selection{}, nil }
func (blank) Export(context.Context, io.Writer, string) error { return nil }
func (blank) FromTemplate(string, []topic.Name, bool) (core.Batch, error) {
	return core.Batch{}, nil
}
func (blank) Import(context.Context, []byte) (created, changed int, faults []core.FileFault, err error) {
	return 0, 0, nil, nil
}
func (blank) MayUse(topic.Filter, core.Action) []string { return nil }
func (blank) Boards() []core.Board                      { return nil }
func (blank) Press(context.Context, topic.Name, topic.ID, bool) error {
	return nil
}
func (blank) Turn(context.Context, topic.Name, topic.ID, string) error { return nil }
func (blank) Break(context.Context, topic.Name, core.Fault, bool) error {
	return nil
}
func (blank) Why(context.Context, topic.Name, time.Time) (core.Chain, error) {
	return core.Chain{}, nil
}
func (blank) States() []core.RuleState { return nil }

func (blank) DrawKit(core.Place) core.Batch                                { return core.Batch{} }
func (blank) PartTopic(topic.ID) core.Topic                                { return core.Topic{} }
func (blank) Kits() []core.RealKit                                         { return nil }
func (blank) Locate(context.Context, topic.Name, int) error                { return nil }
func (blank) Restart(context.Context, topic.Name) error                    { return nil }
func (blank) Send(context.Context, topic.Name) error                       { return nil }
func (blank) Configure(context.Context, topic.Name, core.SetupOrder) error { return nil }
func (blank) Rotate(context.Context, topic.Name) error                     { return nil }
func (blank) Forget(context.Context, topic.Name) error                     { return nil }
func (blank) Update(context.Context, []topic.Name) error                   { return nil }
func (blank) Rollout() core.Rollout                                        { return core.Rollout{} }
func (blank) StopRollout()                                                 {}
func (blank) Console(string) ([]string, bool)                              { return nil, false }
func (blank) Type(context.Context, string, string) error                   { return nil }
func (blank) Ports() core.Ports                                            { return core.Ports{} }

func (b blank) kits() kits.Parts {
	return kits.Parts{Kits: b, Care: b, Updates: b, Consoles: b, Plan: b, Teams: func() []core.Team { return nil }}
}

func (blank) Networks() []core.Network                            { return nil }
func (blank) Setups() []core.Setup                                { return nil }
func (blank) Begin(context.Context, string) (int64, error)        { return 0, nil }
func (blank) Close(int64) error                                   { return nil }
func (blank) Order(context.Context, int64, core.SetupOrder) error { return nil }
func (blank) Stop(int64) error                                    { return nil }
func (blank) Judge(context.Context, int64, topic.ID, bool) error  { return nil }
func (blank) Look(context.Context, int64) error                   { return nil }
func (blank) ForgetNetwork(context.Context, string) error         { return nil }
func (blank) Images() []core.KitImage                             { return nil }
func (blank) AddImage(context.Context, string, io.Reader) (core.KitImage, error) {
	return core.KitImage{}, nil
}
func (blank) BuildImage(context.Context) error           { return nil }
func (blank) Building() (core.Sentence, bool)            { return core.Sentence{}, false }
func (blank) Made() []core.Setup                         { return nil }
func (blank) WriteMade(context.Context, io.Writer) error { return nil }

// boards starts setups; blank's Start is a rule's.
type boards struct{ blank }

func (boards) Start(context.Context, int64, core.SetupStep) error { return nil }

func (b blank) setup() setup.Parts {
	return setup.Parts{Kits: boards{b}, Plan: b, Teams: b.parts, Addresses: func() core.Addresses { return core.Addresses{} }}
}

func (b blank) plan() plan.Parts {
	return plan.Parts{Plan: b, Values: b, Clients: b, Rights: b, Boards: b, Why: b, Rules: b}
}

// noTape is a recorder without recordings.
type noTape struct{}

func (noTape) Recordings() []core.Recording { return nil }
func (noTape) Start(context.Context, string, topic.Filter) (core.Recording, error) {
	return core.Recording{}, nil
}
func (noTape) Stop(context.Context, int64) error   { return nil }
func (noTape) Remove(context.Context, int64) error { return nil }
func (noTape) Recorded(context.Context, int64, time.Duration, int) ([]core.Message, error) {
	return nil, nil
}
func (noTape) Play(context.Context, core.Replay) error { return nil }
func (noTape) Playing() (core.Playing, bool)           { return core.Playing{}, false }
func (noTape) Halt()                                   {}
func (noTape) Pause(bool)                              {}
func (noTape) Seek(time.Duration)                      {}

// noRules is an engine, a language and a library of rules without any.
type noRules struct{}

func (noRules) States() []core.RuleState                     { return nil }
func (noRules) Resume(topic.ID) error                        { return nil }
func (noRules) Check(core.Rule) error                        { return nil }
func (noRules) Text(core.Rule) string                        { return "" }
func (noRules) Parse(string) (core.Rule, error)              { return core.Rule{}, nil }
func (noRules) Templates() []core.RuleTemplate               { return nil }
func (noRules) Loops([]*core.Rule) [][]topic.ID              { return nil }
func (noRules) Sentence(core.Rule) (a, b, c []core.Sentence) { return nil, nil, nil }
func (noRules) DryRun(context.Context, core.Rule, time.Time, time.Time) ([]core.Firing, error) {
	return nil, nil
}

func (b blank) rules() rules.Parts {
	return rules.Parts{Plan: b, Engine: noRules{}, Language: noRules{}, Library: noRules{}, Alarms: b.parts, Values: b.parts}
}

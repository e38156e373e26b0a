// Package rules is the screen of rules and alarms: what happens by itself, as
// sentences that can be edited, as text, and tried out against the past.
package rules

import (
	"context"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// Parts is what the screen shows and does.
type Parts struct {
	Plan     Plan
	Engine   Engine
	Language Language
	Library  Library
	Alarms   Alarms
	Values   Values
}

// Plan is the design, of which rules and alarms are part.
type Plan interface {
	Design() *core.Design
	Change(ctx context.Context, b core.Batch) error
}

// Engine runs the rules.
type Engine interface {
	States() []core.RuleState
	// Resume lets a rule go on that was paused.
	Resume(id topic.ID) error
	// DryRun returns what a rule would have done. It publishes nothing.
	DryRun(ctx context.Context, r core.Rule, from, to time.Time) ([]core.Firing, error)
}

// Language is how rules are written and read.
type Language interface {
	// Check returns nil if the rule can run.
	Check(r core.Rule) error
	Text(r core.Rule) string
	// Parse reads a text and checks it; an error tells the line.
	Parse(text string) (core.Rule, error)
	// Sentence tells a rule in blocks.
	Sentence(r core.Rule) (when, holds, then []core.Sentence)
}

// Library is what is known about rules.
type Library interface {
	Templates() []core.RuleTemplate
	// Loops returns the circles in which rules set each other off.
	Loops(rules []*core.Rule) [][]topic.ID
}

// Alarms call for a person.
type Alarms interface {
	// States returns the alarms that call or were not acknowledged.
	States() []core.AlarmState
	Acknowledge(ctx context.Context, id topic.ID) error
}

// Values is what topics say.
type Values interface {
	// Topics returns those that changed after position since (0: all), and the
	// present position. Live does so of series, with their latest readings.
	Topics(since uint64) (rows []core.TopicState, now uint64)
	Live(since uint64) (rows []core.Live, now uint64)
}

package core

import (
	"time"

	"homeroom/core/topic"
)

// Board is a virtual kit as one sees it.
type Board struct {
	Kit   Place
	State string // Homie's $state: "init", "ready", "disconnected", "lost", or "alert"
	// Say is why it is not ready, or what its faults make one observe.
	Say    Sentence
	Parts  []Part // in the order of the ports
	Faults []FaultState
	Auto   bool     // its numbers drift by themselves
	Log    []string // the latest lines of its serial console, oldest first, at most 50
}

// Part is what a port is on the board: a button, a lamp, a slider.
type Part struct {
	Port
	Kind Kind // Boolean is a button, switch or lamp; Number a slider or a display
	// Min, Max and Unit are of a Number.
	Min, Max float64
	Unit     string
	Options  []string // of an Enumeration
	Value    string   // as it would be published; "" is none yet
	At       time.Time
}

// Fault is something that can be broken on purpose.
type Fault string

// The faults of a virtual kit.
const (
	FaultWiFi     Fault = "wifi"     // off for 20 s; the will is published
	FaultDelay    Fault = "delay"    // everything 2 s late
	FaultLoss     Fault = "loss"     // a third of what it publishes with QoS 0 is lost
	FaultStuck    Fault = "stuck"    // the sensors do not move any more
	FaultSpace    Fault = "space"    // a space after each topic name
	FaultPassword Fault = "password" // a wrong one
	FaultClientID Fault = "clientid" // that of another kit
	FaultClock    Fault = "clock"    // at 1970, told in JSON payloads
)

// FaultState is a fault as a board has it.
type FaultState struct {
	Fault   Fault
	On      bool
	Title   Sentence
	Observe Sentence // what you should observe
}

// Step is one link of the chain that led to a value.
type Step struct {
	At   time.Time
	Kind StepKind
	// Topic and Value are of StepMessage and StepDelivered.
	Topic topic.Name
	Value string
	Who   string   // title of the kit, person or rule
	Rule  topic.ID // of StepRule
	Say   Sentence // the step as a person reads it
	// After is the time since the step before, and of the steps after
	// Chain.Effect the time since that; 0 of the first.
	After time.Duration
	// Likely means that the link to the step before was not seen but concluded:
	// a kit published soon after it got something that it reads.
	Likely bool
}

// StepKind is what a Step is.
type StepKind string

// The kinds of step.
const (
	StepMessage   StepKind = "message"   // somebody published
	StepRule      StepKind = "rule"      // a rule looked and acted
	StepDelivered StepKind = "delivered" // a client got it; with QoS 1 and 2 it said so
	StepRefused   StepKind = "refused"
)

// Chain is why a topic has a value: from the first cause to who got it. Steps
// after Effect all follow from it.
type Chain struct {
	Topic  topic.Name
	Steps  []Step
	Effect int // index of the step that published the value
}

// Delivery is one message that reached a client.
type Delivery struct {
	N      uint64 // of the message, see Message.N
	Topic  topic.Name
	Client string
	// Account is the client's.
	Account AccountID
	At      time.Time
	Acked   bool // the client acknowledged it; else it was written to the network
}

// Recording is messages that were recorded for a replay.
type Recording struct {
	ID     int64
	Name   string
	Filter topic.Filter
	From   time.Time
	To     time.Time // zero while it runs
	N      int       // messages
	Bytes  int64
	Full   bool // it reached its bound and stopped by itself
}

// Replay is how a recording is played again.
type Replay struct {
	Recording int64
	Speed     float64       // 1 is as it was; 0.1 to 100
	From      time.Duration // from its beginning
	// Branch is put before each topic name, so that nothing real is touched;
	// or, where Kits, virtual kits feel and publish what was recorded of their ports.
	Branch topic.Name
	Kits   bool
	Repeat bool
}

// Playing is a replay as it stands.
type Playing struct {
	Replay
	At     time.Duration // since the recording's beginning
	Sent   int
	Total  int
	Paused bool
	Done   bool
	Say    Sentence // what went wrong; Format is "" where nothing did
}

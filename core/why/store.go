package why

import (
	"context"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// Store keeps what happened; storage.DB does. Times are kept to the microsecond.
type Store interface {
	Writer
	Reader
}

// Writer is the part of a Store that one goroutine at a time uses.
type Writer interface {
	// LoadWhy returns what a new start must know.
	LoadWhy(ctx context.Context) (Loaded, error)
	// WriteWhy writes all of the batch, or nothing. A message that is there
	// already stays, and is a change where either says so. A delivery of a
	// message that is not there is left out.
	WriteWhy(ctx context.Context, b Batch) error
	// TrimWhy removes what is older than t.Before or beyond a bound of t, and
	// reports whether there is more to remove: it does a part at a time.
	TrimWhy(ctx context.Context, t Trim) (more bool, err error)
}

// Reader is the part of a Store that answers questions.
type Reader interface {
	// WhyMessages returns the messages that q selects.
	WhyMessages(ctx context.Context, q Query) ([]Message, error)
	// WhyDeliveries returns the first deliveries of messages, to a client or, where
	// that is "", to all.
	WhyDeliveries(ctx context.Context, messages []int64, client string, limit int) ([]Delivery, error)
	// WhyFirings returns at most limit firings that q selects, nearest to q.Near first.
	WhyFirings(ctx context.Context, q Firings, limit int) ([]Firing, error)
	// WhyRefusals returns at most limit refusals about the topics within a time,
	// the oldest first.
	WhyRefusals(ctx context.Context, topics []topic.Name, from, to time.Time, limit int) ([]Refusal, error)
}

// Loaded is what a new start must know of what was stored.
type Loaded struct {
	Last int64 // the largest number that was given to a message
	// Newest is the digest of the newest value of each topic.
	Newest map[topic.Name]uint64
}

// Message is a message as it is kept. IDs rise in the order in which the broker
// took them, also over a restart and where the clock was set back.
type Message struct {
	ID      int64
	Topic   topic.Name
	At      time.Time
	Account core.AccountID
	Client  string // at most maxClient bytes
	Value   string // at most maxValue bytes, fit to be shown
	Digest  uint64 // of the whole payload
	Changed bool   // it is another value than the one before
	Will    bool
}

// Delivery is a client that got a message.
type Delivery struct {
	Message int64 // ID
	Client  string
	Account core.AccountID
	At      time.Time
	Acked   bool
}

// Firing is one time that a rule acted.
type Firing struct {
	Mark  int64 // ID of the newest message that was known then
	At    time.Time
	Rule  topic.ID
	Cause int64         // ID of a message, or 0 where it was the time
	Why   core.Sentence // its Args are strings
	Reads []topic.Name  // the inputs of the rule, which Why may tell
	Sent  []Sent
}

// Sent is one message that a rule published.
type Sent struct {
	ID     int64 `json:",omitzero"` // 0 where it is not known
	Topic  topic.Name
	Digest uint64
	Value  string
}

// Refusal is a publish to a topic that was refused.
type Refusal struct {
	At      time.Time
	Topic   topic.Name
	Account core.AccountID
	Client  string
	Say     core.Sentence // its Args are strings
}

// Batch is what is written at once.
type Batch struct {
	Messages   []Message
	Deliveries []Delivery
	Firings    []Firing
	Refusals   []Refusal
}

// Trim says what goes.
type Trim struct {
	Before time.Time
	// PerTopic is how many messages of one topic are kept, beside those that made
	// a rule act; Messages, Deliveries and Others are how many in all.
	PerTopic, Messages, Deliveries, Others int
	// Names removes names that nothing has any more, which takes longer.
	Names bool
}

// Query selects messages. What is zero selects all.
type Query struct {
	ID            int64
	Topics        []topic.Name
	After, Before int64     // IDs; neither is selected
	From, To      time.Time // both are selected
	Changed       bool
	Oldest        bool // the oldest come first, else the newest
	Limit         int
}

// Firings selects firings: of a rule near a message, or with a cause.
type Firings struct {
	Rule  topic.ID
	Near  int64 // Mark
	Cause int64 // or this, where it is not 0
}

// Package core is the vocabulary of Homeroom: what an account, a message, a
// reading and a refusal are, what kinds of failure there are, and how the parts
// of the program start, stop and tell each other that something changed.
// It does no I/O and imports only core/topic.
package core

import (
	"cmp"
	"time"

	"homeroom/core/topic"
)

// AccountID identifies a person or a kit that may connect. Zero is nobody.
type AccountID int64

// Anyone is the account of everybody while the program serves with --open.
const Anyone AccountID = -1

// Role is what an account is for. Grants can be given to a role.
type Role string

// The roles of an account.
const (
	Teacher Role = "teacher"
	Student Role = "student"
	Kit     Role = "kit"
)

// Account is a person or a kit that may connect.
type Account struct {
	ID   AccountID
	Name topic.ID // what is typed to sign in; unique among accounts and teams
	// Label is the display name, in any script; it may be empty.
	Label    string
	Role     Role
	Team     topic.ID // the team's name, or empty
	Disabled bool
	// Mounted puts what the account calls its topics into its team's branch:
	// what it publishes as state_led is blue/state_led to everybody else, and
	// blue/state_led reaches it as state_led. A name that begins with a branch
	// that the account knows by name (a team's, or the first level of one of its
	// grants) is a real name and stays as it is. It needs a team.
	Mounted bool
	// Limits are its own; a zero is as the settings say.
	Limits Limits
	// Version rises with every change that must end what the account has
	// open: password, secret, role, team, mount, disabled. It starts at 1.
	Version int64
	Created time.Time
	// Until is when the access token ends that it signed in with; what was opened
	// with that must end too. It is zero for a password, and never kept.
	Until time.Time
}

// Title is the name a person reads: the label, or the name where there is none.
func (a Account) Title() string {
	if a.Label != "" {
		return a.Label
	}
	return string(a.Name)
}

// Limits bound what one account may ask of the broker, over all its
// connections. In Settings they hold for every account.
type Limits struct {
	Messages    int // published in a second; more are taken later, none is dropped
	Bytes       int // published in a second, likewise
	Connections int // at once
	Queue       int // bytes that may wait for one session that is away or slow
	Packet      int // bytes of one MQTT packet
}

// Or returns l with what is zero taken from d.
func (l Limits) Or(d Limits) Limits {
	return Limits{cmp.Or(l.Messages, d.Messages), cmp.Or(l.Bytes, d.Bytes), cmp.Or(l.Connections, d.Connections),
		cmp.Or(l.Queue, d.Queue), cmp.Or(l.Packet, d.Packet)}
}

// Team is a group of people and kits. Its name is the branch of its topics.
type Team struct {
	Name  topic.ID
	Label string // display name, in any script; it may be empty
}

// Title is the name a person reads.
func (t Team) Title() string {
	if t.Label != "" {
		return t.Label
	}
	return string(t.Name)
}

// Action is something an account may be allowed to do with topics.
type Action string

// The actions of a grant.
const (
	Publish   Action = "publish"
	Subscribe Action = "subscribe"
)

// Subject is whom a grant is given to: exactly one field is set.
type Subject struct {
	Account AccountID
	Team    topic.ID
	Role    Role
}

// Grant allows its subject one action on every name that its pattern selects.
// Nothing is allowed without a grant.
type Grant struct {
	ID      int64
	Subject Subject
	Action  Action
	// Pattern is a topic filter that may hold {team}, {kit} or {account} as
	// whole levels; they become the account's own team and name. An account
	// without a team has nothing from a pattern with {team}; one that is not
	// a kit has nothing from a pattern with {kit}.
	Pattern string
}

// Client is one MQTT session the broker knows, connected or waiting.
type Client struct {
	ID        string // MQTT Client Identifier
	Account   AccountID
	Addr      string // remote address, "" while not connected
	Protocol  string // MQTT's "3.1", "3.1.1" or "5"; "room" or "stream" over the web
	Connected bool
	Durable   bool      // the session outlives the connection
	Since     time.Time // of the present state
	// Filters are the topic filters it subscribes to, as it wrote them, in no order.
	Filters []string
	Waiting int    // messages that it has not acknowledged or not been sent
	Bytes   int    // that they take
	Dropped uint64 // messages that its queue had no room for, since the program started
}

// Message is one MQTT Application Message that the broker accepted.
// Nobody may change Payload once the message has been handed on.
type Message struct {
	N       uint64 // rises by one a message since the program started; 0 until the broker took it
	Topic   topic.Name
	Payload []byte
	QoS     byte
	Retain  bool
	Will    bool // the broker published it because the connection was lost
	From    AccountID
	To      AccountID // only the sessions of this account get it; 0 is whoever subscribes
	Client  string    // MQTT Client Identifier, or "window" and "page" for our own
	At      time.Time // arrival at this PC, which is the truth about time
}

// Kind is what sort of value a series has.
type Kind uint8

// The kinds of value.
const (
	Text        Kind = iota // words, and payloads that are no value of another kind
	Number                  // a decimal number
	Boolean                 // true or false, kept as 1 and 0
	Enumeration             // of topics: one of some words; its readings are Text
	JSON                    // of topics: a document; its leaves are series of their own
)

// Series names one stream of values over time: a topic name, or a topic name,
// "#" and the path of a leaf in its JSON payload ("blue/lab/kit-1/air#temp.out").
// A topic name cannot contain "#", so the two are never confused.
type Series string

// Topic returns the topic the series comes from.
func (s Series) Topic() topic.Name {
	for i := 0; i < len(s); i++ {
		if s[i] == '#' {
			return topic.Name(s[:i])
		}
	}
	return topic.Name(s)
}

// Leaf returns the path within the JSON payload, or "".
func (s Series) Leaf() string {
	if n := len(s.Topic()); n < len(s) {
		return string(s[n+1:])
	}
	return ""
}

// Reading is one value of a series at one time.
type Reading struct {
	At    time.Time
	Kind  Kind
	Value float64 // of a Number or Boolean
	Text  string  // of a Text
}

// Description is what a person said about a series.
type Description struct {
	Label string // display name, or ""
	Unit  string // "°C", "%", or ""
	// KeepDays is how long readings are kept; 0 is as the settings say, -1 is
	// not at all.
	KeepDays int
}

// Live is the present state of one series.
type Live struct {
	Series Series
	Description
	Newest Reading
	// Spark holds the latest values of a Number or Boolean, oldest first, at
	// most 60 and at most one a second. The receiver owns it.
	Spark []Reading
}

// TopicState is the present state of one topic.
type TopicState struct {
	Last  Message // newest message; its payload may be cut to 64 KiB, see Size
	Size  int     // length of the newest payload in bytes
	Count uint64  // messages since the program started
}

// Span summarises the readings of one stretch of time.
type Span struct {
	First, Last   time.Time // of the readings within
	Min, Max, Sum float64
	N             int     // never 0
	End           float64 // the value at Last
}

// Trace is a series over a stretch of time, ready to draw.
type Trace struct {
	Series Series
	Kind   Kind // of the newest reading in it
	// Spans are in order of time and do not overlap. Where the readings are
	// few, each Span is one reading.
	Spans []Span
	// Texts are the values of a Text series in order, only where they change.
	Texts []Reading
	// Step is the usual time between readings. A hole of more than three
	// steps is a gap and is drawn as one. 0 where it is not known.
	Step time.Duration
}

// Topic is what was designed about one topic name, whether or not anything was
// published there. Its Description is that of its series, too.
type Topic struct {
	Name topic.Name
	Description
	Text string // what it is for, in any script; it may be empty
	Kind Kind   // of the values that are meant; Text is anything
	// Min and Max are the range of a Number. Both 0 is no range.
	Min, Max float64
	// Step is how far apart the values of a Number are; 0 is any.
	Step float64
	// Options are the words of an Enumeration; or of a Boolean the words for
	// true and false, in this order, where they are not these.
	Options []string
	// Writable topics take commands at Name + "/set".
	Writable bool
	QoS      byte // that a publisher should use
	Retain   bool // that the newest value should be retained
	Changed  time.Time
}

// Tokens let a program act as an account for some time.
type Tokens struct {
	Access  string        // a JSON Web Token
	Refresh string        // gets new ones, once
	Expires time.Duration // how long Access is good for
}

// Audit is one change that somebody made.
type Audit struct {
	ID      int64
	At      time.Time
	Account AccountID // who; 0 is the program or its command line
	Name    string    // who, as named at that time
	Say     Sentence  // what was changed
}

// Refusal is one thing that somebody was not allowed to do. Repetitions of
// the same refusal are counted, not kept one by one.
type Refusal struct {
	ID      int64
	At      time.Time // the latest time
	Count   int
	Account AccountID // 0 where nobody was signed in
	Name    string    // the name that was tried, as it was sent, at most 64 bytes
	Client  string    // MQTT Client Identifier, at most 64 bytes
	Addr    string    // remote address without port
	// Action and Topic are the grant that was missing: what was wanted of which
	// real name or filter. Action is "" where a grant would not have helped.
	Action Action
	Topic  topic.Filter
	// Say is the sentence a person reads: who, what, and what can be done.
	Say Sentence
}

// Watch chooses what the packet record listens to. The zero Watch is nothing.
type Watch struct {
	Client string       // only the connections of this MQTT Client Identifier; "" is every client
	Filter topic.Filter // only messages on these topics, and their acknowledgements; "" is every packet
}

// Packet is one MQTT Control Packet that was seen on a client's connection.
// Nobody changes it once it is handed on.
type Packet struct {
	N       uint64 // rises by one a packet, from 1
	At      time.Time
	Client  string
	Account AccountID
	In      bool   // from the client to the broker
	Type    string // "CONNECT", "PUBLISH", … as in the specification
	QoS     byte   // of a PUBLISH, or of the one that this packet answers
	Dup     bool
	Retain  bool
	ID      uint16 // Packet Identifier, 0 where there is none
	Topic   string // of a PUBLISH as it is on the wire, or "#3" for an alias that is not known; the filters of a SUBSCRIBE, joined with spaces
	Payload []byte // of a PUBLISH, at most 256 bytes of it
	Size    int    // of the whole packet in bytes
	// Reason is the MQTT reason code, or the return code of MQTT 3.
	Reason byte
	// State is where the flow of this message stands after the packet: "sent",
	// "received" (PUBREC), "released" (PUBREL), "done", or "" outside a flow.
	State string
}

// Settings is what a person can set for the whole program.
type Settings struct {
	Language  string  // "en", "fr", "ko"; "" follows the system
	Theme     string  // "light", "dark"; "" follows the system
	Scale     float64 // of the window, 0.5 to 3; 0 follows the system
	MQTT      string  // address for MQTT over TCP, ":1883"
	MQTTS     string  // address for MQTT over TLS, ":8883"; "-" is none
	HTTP      string  // address of the page, ":8080"
	KeepDays  int     // readings older than this are removed; 0 keeps all
	KeepBytes int64   // history.db is kept below this size; 0 is no bound
	Limits    Limits  // of every account that has none of its own
	// Discovery tells Home Assistant and Homie what is designed.
	Discovery bool
	// Named lets the program answer to a name of its own in the network, by mDNS.
	Named bool
}

// DefaultSettings returns the settings of a new installation.
func DefaultSettings() Settings {
	return Settings{MQTT: ":1883", MQTTS: ":8883", HTTP: ":8080", KeepDays: 365, KeepBytes: 4 << 30, Limits: DefaultLimits(), Named: true}
}

// DefaultLimits returns limits that a class does not meet: a kit that publishes
// as fast as it can stays below them.
func DefaultLimits() Limits {
	return Limits{Messages: 10_000, Bytes: 16 << 20, Connections: 200, Queue: 16 << 20, Packet: 4 << 20}
}

// Info is what does not change while the program runs.
type Info struct {
	Version string
	Data    string // folder that holds everything
	MQTT    string // bound address, "127.0.0.1:1883"
	MQTTS   string // bound address of MQTT over TLS, or ""
	Page    string // bound address of the page
	Open    bool   // everybody may do everything
}

// Addresses is where other machines reach this program, best first. They are
// read anew each time: a laptop changes networks.
type Addresses struct {
	MQTT  []string // "192.168.1.20:1883"
	MQTTS []string // "192.168.1.20:8883"; none without TLS
	Page  []string // "http://192.168.1.20:8080/"
	Name  string   // "homeroom-1a2b3c.local", which others find too; "" where it is not answered to
}

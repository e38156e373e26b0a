package broker

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// Store keeps what the broker must not forget: retained messages, durable
// sessions and what they are owed.
type Store interface {
	LoadJournal(ctx context.Context) (Saved, error)
	// AppendJournal applies the entries in order, in one durable transaction.
	AppendJournal(ctx context.Context, entries []Entry) error
}

// Saved is everything in the store.
type Saved struct {
	Sessions      []Session
	Subscriptions []Subscription
	Retained      []Stored
	Owed          []Owed // in order of Seq
	Received      []Received
}

// Session is a durable MQTT session.
type Session struct {
	Client   string
	Account  core.AccountID
	Name     string // the account's name, to say whose it is
	Version  int64  // the account's version at CONNECT
	Protocol byte   // 3, 4 or 5
	Expiry   uint32 // seconds after the connection ends; 1<<32-1 is never
	Left     time.Time
}

// Subscription is one topic filter of a durable session, as it was sent.
type Subscription struct {
	Client, Filter    string
	QoS               byte
	NoLocal           bool
	RetainAsPublished bool
	Identifier        int // Subscription Identifier, 0 for none
}

// Stored is a message in the store.
type Stored struct {
	Topic      topic.Name
	Payload    []byte
	QoS        byte
	Retain     bool
	Properties []byte // JSON of what MQTT 5 sends along, or nil
	From       core.AccountID
	Client     string
	At         time.Time
}

// Owed is a message that a durable session has not acknowledged.
type Owed struct {
	Client   string
	Seq      int64  // order of delivery
	Packet   uint16 // packet identifier; 0 while it was not sent
	Released bool   // QoS 2: PUBREC has arrived, PUBREL is owed
	Ids      []int  // Subscription Identifiers
	Message  Stored
}

// Received is an inbound QoS 2 packet identifier that is not released yet.
type Received struct {
	Client string
	Packet uint16
}

// Entry is one change. Exactly one field is set. Drop names the kind removed.
type Entry struct {
	PutSession      *Session
	DropSession     string // with all that belongs to it
	PutSubscription *Subscription
	DropFilter      *Subscription // Client and Filter are set
	PutRetained     *Stored
	DropRetained    topic.Name
	PutOwed         *Owed
	MarkOwed        *Owed // Client, Seq, Packet and Released are set
	DropOwed        *Owed // Client and Seq are set
	PutReceived     *Received
	DropReceived    *Received
}

// cost is about how much memory e takes, in bytes.
func (e *Entry) cost() int {
	n := 256
	for _, m := range []*Stored{e.PutRetained, e.owed()} {
		if m != nil {
			n += len(m.Topic) + len(m.Payload) + len(m.Properties)
		}
	}
	return n
}

func (e *Entry) owed() *Stored {
	if e.PutOwed == nil {
		return nil
	}
	return &e.PutOwed.Message
}

// maxPending is how much may wait for the disk before publishers wait too.
const maxPending = 64 << 20 // bytes

// journal writes entries in batches: whoever needs to know that an entry is
// stored waits for the batch it is in, and nobody else waits.
type journal struct {
	store Store
	log   *slog.Logger
	// tell shows a person why acknowledgements wait; it may be nil.
	tell func(error)

	// group is read-held by each publish between begin and end, so that what
	// belongs together is never split between two transactions.
	group sync.RWMutex

	mu      sync.Mutex
	pending []Entry         // guarded by mu
	bytes   atomic.Int64    // changed under mu; that pending takes
	dropped map[owedKey]int // guarded by mu; index in pending of a PutOwed
	last    atomic.Uint64   // changed under mu; position of the newest entry
	stored  atomic.Uint64   // changed under mu; position up to which everything is stored
	moved   *sync.Cond      // stored, bytes or over changed
	ended   bool            // guarded by mu; nothing more will be added
	over    bool            // guarded by mu; nothing more will be written
	wake    chan struct{}

	seq atomic.Int64 // Owed.Seq last used
}

type owedKey struct {
	client string
	seq    int64
}

func newJournal(store Store, log *slog.Logger, tell func(error)) *journal {
	j := &journal{store: store, log: log, tell: tell, wake: make(chan struct{}, 1), dropped: map[owedKey]int{}}
	j.moved = sync.NewCond(&j.mu)
	return j
}

func (j *journal) begin() { j.group.RLock() }

func (j *journal) end() { j.group.RUnlock() }

// add appends entries and returns the position of the newest, or 0 where
// there is nothing to wait for. A message that is acknowledged before it was
// written needs no writing.
func (j *journal) add(entries ...Entry) (at uint64) {
	if len(entries) == 0 {
		return 0
	}
	j.mu.Lock()
	for _, e := range entries {
		if e.DropOwed != nil {
			k := owedKey{e.DropOwed.Client, e.DropOwed.Seq}
			if i, ok := j.dropped[k]; ok {
				j.bytes.Add(-int64(j.pending[i].cost()))
				j.pending[i] = Entry{}
				delete(j.dropped, k)
				continue
			}
		}
		if e.PutOwed != nil {
			j.dropped[owedKey{e.PutOwed.Client, e.PutOwed.Seq}] = len(j.pending)
		}
		j.bytes.Add(int64(e.cost()))
		j.pending = append(j.pending, e)
		at = j.last.Add(1)
	}
	j.mu.Unlock()
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return at
}

// wait returns when everything up to position at is stored.
func (j *journal) wait(ctx context.Context, at uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stored.Load() >= at {
		return nil
	}
	defer context.AfterFunc(ctx, func() { j.mu.Lock(); j.moved.Broadcast(); j.mu.Unlock() })()
	for j.stored.Load() < at && ctx.Err() == nil && !j.over {
		j.moved.Wait()
	}
	if j.stored.Load() < at {
		return core.Fail(core.ErrConflict, "The message could not be stored. Check that the disk has room.")
	}
	return nil
}

// has reports whether everything up to position at is stored.
func (j *journal) has(at uint64) bool { return j.stored.Load() >= at }

// waitOr is wait until done is closed.
func (j *journal) waitOr(at uint64, done <-chan struct{}) error {
	if j.has(at) {
		return nil
	}
	ctx, cancel := until(done)
	defer cancel()
	return j.wait(ctx, at)
}

// until returns a context that ends when done is closed. cancel must be called.
func until(done <-chan struct{}) (ctx context.Context, cancel context.CancelFunc) {
	ctx, cancel = context.WithCancel(context.Background())
	go func() {
		select {
		case <-done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// position returns the position of the newest entry.
func (j *journal) position() uint64 { return j.last.Load() }

// full reports whether too much waits for the disk.
func (j *journal) full() bool { return j.bytes.Load() > maxPending }

// room waits while too much waits for the disk, and fails when c closes before
// that ends. Whom c gave something is written to before.
func (j *journal) room(c *conn) error {
	if !j.full() {
		return nil
	}
	c.wakes.flush()
	ctx, cancel := until(c.done)
	defer cancel()
	if j.roomOr(ctx) != nil {
		return errClosed
	}
	return nil
}

// roomOr waits while too much waits for the disk, until ctx or the journal ends.
func (j *journal) roomOr(ctx context.Context) error {
	if !j.full() {
		return ctx.Err()
	}
	defer context.AfterFunc(ctx, func() { j.mu.Lock(); j.moved.Broadcast(); j.mu.Unlock() })()
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.full() && !j.over && ctx.Err() == nil {
		j.moved.Wait()
	}
	if j.full() {
		return errClosed
	}
	return nil
}

// run writes until stop, and then what is left.
func (j *journal) run() {
	defer func() {
		j.mu.Lock()
		j.over = true
		j.moved.Broadcast()
		j.mu.Unlock()
	}()
	failed := false
	for range j.wake {
		for {
			err := j.write()
			if err == nil {
				if failed {
					j.log.Info("the broker's journal is written again")
				}
				failed = false
				break
			}
			if !failed {
				j.log.Error("the broker's journal cannot be written; acknowledgements wait", "err", err)
				if j.tell != nil {
					j.tell(err)
				}
			}
			failed = true
			j.mu.Lock()
			ended := j.ended
			j.mu.Unlock()
			if ended {
				return
			}
			time.Sleep(time.Second)
		}
		j.mu.Lock()
		done := j.ended && len(j.pending) == 0
		j.mu.Unlock()
		if done {
			return
		}
	}
}

// write stores what is pending in one transaction. When that fails it stays pending.
func (j *journal) write() error {
	j.group.Lock()
	j.mu.Lock()
	batch, at, bytes := j.pending, j.last.Load(), j.bytes.Swap(0)
	j.pending = nil
	clear(j.dropped)
	j.mu.Unlock()
	j.group.Unlock()

	entries := batch[:0:0]
	for _, e := range batch {
		if e != (Entry{}) {
			entries = append(entries, e)
		}
	}
	var err error
	if len(entries) > 0 {
		err = j.store.AppendJournal(context.Background(), entries)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.pending = append(entries, j.pending...)
		j.bytes.Add(bytes)
		clear(j.dropped) // its indexes are those of another slice now
		return err
	}
	j.stored.Store(at)
	j.moved.Broadcast()
	return nil
}

// stop lets run end after it has written what is pending.
func (j *journal) stop() {
	j.mu.Lock()
	j.ended = true
	j.moved.Broadcast()
	j.mu.Unlock()
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

func (m *message) stored() Stored {
	return Stored{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain, Properties: m.props.marshal(), From: m.From, Client: m.Client, At: m.At}
}

func fromStored(s Stored) *message {
	m := newMessage(core.Message{Topic: s.Topic, Payload: s.Payload, QoS: s.QoS, Retain: s.Retain, From: s.From, Client: s.Client, At: s.At}, nil)
	if len(s.Properties) > 0 {
		if err := json.Unmarshal(s.Properties, &m.props); err != nil {
			m.props = nil // written by another version: the payload counts
		}
	}
	return m
}

// Package why answers "why did the lamp turn on?": it keeps for a day what was
// published to the topics of the design, which rules acted, who got it and who
// was refused, and finds the chain that led to a value.
//
// A rule says itself what made it act. That a kit published because of what it
// had just got, nobody saw: it is concluded from the ports of the kit and the
// times, and the chain says so.
//
// Observe, Fired, Delivered and Refused are called on the goroutines of clients
// and never wait; Run writes about once a second. What a topic of the design is
// flooded with is bounded topic by topic, and any other topic costs one look.
package why

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	writeEvery = time.Second
	trimEvery  = 10 * time.Minute
	trimAfter  = 20_000 // messages and deliveries that were written
	namesEvery = 6      // trims
	stopWithin = 3 * time.Second
	keepFor    = 24 * time.Hour

	maxQueue  = 16_384 // events that wait for the disk
	maxValue  = 64     // bytes
	maxClient = 64     // bytes
	maxArgs   = 32     // of a sentence
	maxArg    = 256    // bytes of one

	// Rows that are kept, about 40 MB.
	maxPerTopic   = 10_000
	maxMessages   = 200_000
	maxDeliveries = 300_000
	maxOthers     = 20_000 // firings, and refusals
)

// Config is everything a Service needs.
type Config struct {
	Store Store
	// Design returns the design as it is now. It must not wait.
	Design func() *core.Design
	// Account returns an account as it is now.
	Account func(core.AccountID) (core.Account, bool)
	Feed    *core.Feed
	Log     *slog.Logger
}

// Service keeps what happened and finds chains in it. All methods may be called
// from any goroutine.
type Service struct {
	cfg    Config
	base   int64 // what was given out before this start
	newest map[topic.Name]uint64
	index  atomic.Pointer[index]
	wake   chan struct{} // holds at most one token

	// writing is held while something is written. It comes before the mutex of
	// a track, and that before mu.
	writing sync.Mutex
	batch   Batch  // guarded by writing; not written yet
	written int    // guarded by writing; rows since the last trim
	failing bool   // guarded by writing
	told    uint64 // guarded by writing; dropped events that the log knows of

	mu         sync.Mutex
	messages   []Message  // guarded by mu, as all below; values are as they came
	deliveries []Delivery // not written
	firings    []Firing
	refusals   []Refusal
	holding    []*track // have something held
	highest    int64    // ID of a message
	dropped    uint64
}

// Open reads what must be known of earlier starts.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	loaded, err := cfg.Store.LoadWhy(ctx)
	if err != nil {
		return nil, fmt.Errorf("why: %w", err)
	}
	s := &Service{cfg: cfg, base: loaded.Last, newest: loaded.Newest, highest: loaded.Last, wake: make(chan struct{}, 1)}
	s.follow()
	return s, nil
}

// follow takes over the design as it is now.
func (s *Service) follow() {
	d := s.cfg.Design()
	if old := s.index.Load(); old == nil || old.design != d {
		s.index.Store(newIndex(d, old, s.newest))
	}
}

// Run writes what came, about once a second, and removes what is older than a
// day or too much. When ctx ends it writes the rest.
func (s *Service) Run(ctx context.Context) error {
	changes := s.cfg.Feed.Listen()
	defer changes.Close()
	var following sync.WaitGroup
	defer following.Wait()
	following.Go(func() {
		for {
			c, err := changes.Next(ctx)
			if err != nil {
				return
			}
			if c&core.PlanChanged != 0 {
				s.follow()
			}
		}
	})
	write := time.NewTicker(writeEvery)
	defer write.Stop()
	trim := time.NewTicker(trimEvery)
	defer trim.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
			defer cancel()
			if err := s.Flush(last); err != nil {
				return fmt.Errorf("why: the last moments were not written: %w", err)
			}
			return nil
		case <-write.C:
			s.write(ctx)
		case <-s.wake:
			s.write(ctx)
		case <-trim.C:
			n++
			s.trim(ctx, n%namesEvery == 0)
		}
	}
}

// write writes what came, and makes room where that was much. What fails is told
// and tried again.
func (s *Service) write(ctx context.Context) {
	if s.Flush(ctx) != nil {
		return
	}
	s.writing.Lock()
	much := s.written >= trimAfter
	s.writing.Unlock()
	if much {
		s.trim(ctx, false)
	}
}

// trim removes what is too old or too much.
func (s *Service) trim(ctx context.Context, names bool) {
	t := Trim{Before: time.Now().Add(-keepFor), PerTopic: maxPerTopic, Messages: maxMessages, Deliveries: maxDeliveries, Others: maxOthers, Names: names}
	for more := true; more && ctx.Err() == nil; {
		s.writing.Lock()
		var err error
		more, err = s.cfg.Store.TrimWhy(ctx, t)
		s.written = 0
		s.writing.Unlock()
		if err != nil {
			if ctx.Err() == nil {
				s.cfg.Log.Error("why: what is old cannot be removed", "err", err)
			}
			return
		}
		t.Names = false
	}
}

// Traces reports whether it matters who got what is published to n. It does not
// wait: the broker asks it once a message (see broker.Deliveries).
func (s *Service) Traces(n topic.Name) bool { return s.index.Load().topics[n] != nil }

// Observe takes in a message that the broker accepted. It does not wait.
func (s *Service) Observe(m core.Message) {
	t := s.index.Load().topics[m.Topic]
	if t == nil || m.N == 0 {
		return
	}
	digest := digestOf(m.Payload)
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := !t.known || digest != t.digest
	t.known, t.digest = true, digest
	switch {
	case changed && !t.changes.take(changeRate, m.At):
		row := s.row(m, digest, true)
		t.held = &row
		s.hold(t)
	case changed, t.repeats.take(repeatRate, m.At):
		if changed {
			t.held = nil
		}
		s.keep(t, s.row(m, digest, changed))
	}
}

// row is m as it is kept, but for its value, which is made fit to be shown later.
func (s *Service) row(m core.Message, digest uint64, changed bool) Message {
	value := m.Payload
	if len(value) > maxValue+1 { // more than fits shows that it was cut
		value = value[:maxValue+1]
	}
	return Message{ID: s.base + int64(m.N), Topic: m.Topic, At: m.At, Account: m.From, Client: core.Readable(m.Client, maxClient), Value: string(value),
		Digest: digest, Changed: changed, Will: m.Will}
}

// keep queues m, and who got it already. t.mu is held.
func (s *Service) keep(t *track, m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.room() {
		return
	}
	s.messages = append(s.messages, m)
	s.highest = max(s.highest, m.ID)
	k := &t.kept[t.next]
	*k = keptMessage{n: uint64(m.ID - s.base)}
	t.next = (t.next + 1) % recent
	for i := range t.waiting {
		if w := &t.waiting[i]; w.N == k.n {
			s.deliver(k, *w)
			*w = core.Delivery{}
		}
	}
}

// deliver queues a delivery of k. s.mu is held, and that of k's track.
func (s *Service) deliver(k *keptMessage, d core.Delivery) {
	if k.deliveries >= maxFanout || !s.room() {
		return
	}
	k.deliveries++
	s.deliveries = append(s.deliveries, s.delivery(d))
}

func (s *Service) delivery(d core.Delivery) Delivery {
	return Delivery{Message: s.base + int64(d.N), Client: core.Readable(d.Client, maxClient), Account: d.Account, At: d.At, Acked: d.Acked}
}

// hold has what t holds looked at by the next write. t.mu is held.
func (s *Service) hold(t *track) {
	if t.holding {
		return
	}
	t.holding = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = append(s.holding, t)
}

// room reports whether one more event may wait, and counts it where not. s.mu is held.
func (s *Service) room() bool {
	n := len(s.messages) + len(s.deliveries) + len(s.firings) + len(s.refusals)
	if n >= maxQueue {
		s.dropped++
		return false
	}
	if n == maxQueue/2 {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// Delivered takes in that a client got a message. It does not wait. It may come
// before Observe has the message, or long after.
func (s *Service) Delivered(d core.Delivery) {
	t := s.index.Load().topics[d.Topic]
	if t == nil || d.N == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	oldest := t.kept[t.next].n // 0 while there were few
	for i := range t.kept {
		if k := &t.kept[i]; k.n == d.N {
			s.mu.Lock()
			s.deliver(k, d)
			s.mu.Unlock()
			return
		}
	}
	if d.N < oldest { // the store knows whether it was kept
		if t.late.take(lateRate, d.At) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.room() {
				s.deliveries = append(s.deliveries, s.delivery(d))
			}
		}
		return
	}
	if len(t.waiting) < maxFanout {
		t.waiting = append(t.waiting, d)
		return
	}
	t.waiting[t.oldest] = d
	t.oldest = (t.oldest + 1) % maxFanout
}

// Fired takes in that a rule acted. It does not wait.
func (s *Service) Fired(f core.Firing) {
	x := s.index.Load()
	t := x.rules[f.Rule]
	if t == nil {
		return
	}
	t.mu.Lock()
	ok := t.changes.take(changeRate, f.At)
	t.mu.Unlock()
	if !ok {
		return
	}
	row := Firing{At: f.At, Rule: f.Rule, Why: plain(f.Why), Reads: f.Reads}
	if f.Cause.N > 0 {
		row.Cause = s.base + int64(f.Cause.N)
		s.force(x, f.Cause)
	}
	for _, m := range f.Sent {
		sent := Sent{Topic: m.Topic, Digest: digestOf(m.Payload), Value: core.Readable(m.Payload, maxValue)}
		if m.N > 0 {
			sent.ID = s.base + int64(m.N)
			s.force(x, m)
		}
		row.Sent = append(row.Sent, sent)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room() {
		row.Mark = max(s.highest, row.Cause)
		s.firings = append(s.firings, row)
	}
}

// force keeps m whatever else came on its topic: a rule acted on it.
func (s *Service) force(x *index, m core.Message) {
	t := x.topics[m.Topic]
	if t == nil {
		t = &track{} // the design has changed meanwhile
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.kept {
		if k.n == m.N {
			return
		}
	}
	row := s.row(m, digestOf(m.Payload), false)
	if t.held != nil && t.held.ID == row.ID {
		t.held, row.Changed = nil, true
	}
	s.keep(t, row)
}

// Refused takes in that somebody was not allowed to publish. It does not wait.
func (s *Service) Refused(r core.Refusal) {
	t := s.index.Load().topics[topic.Name(r.Topic)]
	if t == nil || r.Action != core.Publish {
		return
	}
	t.mu.Lock()
	ok := t.refusals.take(refuseRate, r.At)
	t.mu.Unlock()
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room() {
		s.refusals = append(s.refusals, Refusal{At: r.At, Topic: topic.Name(r.Topic), Account: r.Account, Client: core.Readable(r.Client, maxClient), Say: plain(r.Say)})
	}
}

// Dropped returns how many events were lost since the start because the disk did
// not take them. What a flood on one topic has too much of is not counted.
func (s *Service) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// Flush writes what came before it was called. What cannot be written stays in
// memory, within bounds, and is written by the next Flush.
func (s *Service) Flush(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	for range 2 { // what an earlier Flush could not write, and then what came since
		s.collect()
		if s.batch.empty() {
			return nil
		}
		// A transaction that was cut off might be there or not.
		err := s.cfg.Store.WriteWhy(context.WithoutCancel(ctx), s.batch)
		s.tell(err)
		if err != nil {
			return err
		}
		s.written += len(s.batch.Messages) + len(s.batch.Deliveries)
		s.batch = Batch{}
	}
	return nil
}

func (b *Batch) empty() bool {
	return len(b.Messages)+len(b.Deliveries)+len(b.Firings)+len(b.Refusals) == 0
}

// collect makes the next batch, unless there is one that could not be written.
// s.writing is held.
func (s *Service) collect() {
	if !s.batch.empty() {
		return
	}
	s.mu.Lock()
	holding := s.holding
	s.holding = nil
	s.mu.Unlock()
	for _, t := range holding {
		t.mu.Lock()
		t.holding = false
		if t.held != nil {
			s.keep(t, *t.held)
			t.held = nil
		}
		t.mu.Unlock()
	}
	s.mu.Lock()
	s.batch = Batch{s.messages, s.deliveries, s.firings, s.refusals}
	s.messages, s.deliveries, s.firings, s.refusals = nil, nil, nil, nil
	s.mu.Unlock()
	for i := range s.batch.Messages {
		m := &s.batch.Messages[i]
		m.Value = core.Readable(m.Value, maxValue)
	}
	slices.SortFunc(s.batch.Messages, func(a, b Message) int { return cmp.Compare(a.ID, b.ID) })
}

// tell says once that writing fails and once that it works again, and what was
// lost. s.writing is held.
func (s *Service) tell(err error) {
	dropped := s.Dropped()
	switch {
	case err != nil && !s.failing:
		s.cfg.Log.Error("why: what happened cannot be written and waits in memory", "err", err)
	case err == nil && dropped > s.told:
		s.cfg.Log.Warn("why: more happened than could be written", "lost", dropped-s.told)
		s.told = dropped
	case err == nil && s.failing:
		s.cfg.Log.Info("why: what happens is written again")
	}
	s.failing = err != nil
}

// plain returns s with arguments that can be kept.
func plain(s core.Sentence) core.Sentence {
	p := core.Sentence{Format: s.Format}
	for i, a := range s.Args[:min(len(s.Args), maxArgs)] {
		text := fmt.Sprint(a)
		if i%2 == 1 {
			text = core.Readable(text, maxArg)
		}
		p.Args = append(p.Args, text)
	}
	return p
}

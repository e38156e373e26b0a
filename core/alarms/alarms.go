// Package alarms watches topics as their alarms say, and calls for a person until
// one has seen it.
package alarms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	lookEvery = 250 * time.Millisecond // at what time alone can change
	saveEvery = 2 * time.Second        // a flapping alarm is not written each time
	maxSeen   = 1024                   // samples of a window
)

// Client is the MQTT Client Identifier of what alarms publish.
const Client = "alarms"

// Store keeps which alarms call.
type Store interface {
	Alarms(ctx context.Context) ([]core.AlarmState, error)
	// SaveAlarms replaces what is kept.
	SaveAlarms(ctx context.Context, states []core.AlarmState) error
}

// Config is everything a Service needs.
type Config struct {
	Store Store
	// Topic is what was designed about a name.
	Topic func(topic.Name) (core.Topic, bool)
	// Newest is the newest known message of a topic.
	Newest func(topic.Name) (core.Message, bool)
	// Renamed is the name that a topic has now, where it was given up for another.
	Renamed func(topic.Name) (topic.Name, bool)
	// Publish lets core.Program publish.
	Publish func(ctx context.Context, m core.Message) error
	Feed    *core.Feed
	Log     *slog.Logger
}

// Service is the alarms. Its methods may be called from any goroutine.
type Service struct {
	cfg     Config
	byTopic atomic.Pointer[map[topic.Name][]*watch] // the map is never changed

	mu      sync.Mutex
	watches map[topic.ID]*watch          // guarded by mu
	states  map[topic.ID]core.AlarmState // guarded by mu; of those that call or were not acknowledged
	tell    map[topic.Name]string        // guarded by mu; what is to be published
	dirty   bool                         // guarded by mu; states are not saved
}

// watch is one alarm at work. Service.mu guards it.
type watch struct {
	core.Alarm
	last  time.Time // newest value, or since when there should be one
	holds time.Time // since when what it watches for is so; zero is not
	value float64   // the newest number
	seen  []sample  // of the window
	count int       // messages in seen
}

// sample is one value; of AlarmFlood, messages that came within a small part of the
// window.
type sample struct {
	at time.Time
	v  float64
	n  int
}

// Open reads which alarms called when the program stopped.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	kept, err := cfg.Store.Alarms(ctx)
	if err != nil {
		return nil, fmt.Errorf("alarms: %w", err)
	}
	s := &Service{cfg: cfg, watches: map[topic.ID]*watch{}, states: map[topic.ID]core.AlarmState{}, tell: map[topic.Name]string{}}
	s.byTopic.Store(&map[topic.Name][]*watch{})
	for _, k := range kept {
		s.states[k.Alarm.ID] = k
	}
	return s, nil
}

// Run calls, publishes and keeps until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var saved time.Time
	failing := false
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			return s.save(last)
		case <-look.C:
		}
		now := time.Now()
		s.look(now)
		err := s.publish(ctx)
		if now.Sub(saved).Abs() >= saveEvery {
			saved = now
			err = cmp.Or(err, s.save(ctx))
		}
		if err != nil && !failing && ctx.Err() == nil {
			s.cfg.Log.Error("alarms", "err", err) // once: a full disk fails every time
		}
		failing = err != nil
	}
}

// Set replaces the alarms. What asks the same as before goes on, also where its
// topic was moved; what goes calls no more, and is no topic any more.
func (s *Service) Set(alarms []*core.Alarm) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	next := make(map[topic.ID]*watch, len(alarms))
	byTopic := make(map[topic.Name][]*watch, len(alarms))
	told := make(map[topic.Name]bool, len(alarms))
	var fresh []*watch
	for _, a := range alarms {
		told[Topic(*a)] = true
		if a.Disabled {
			continue
		}
		w := s.watches[a.ID]
		if w == nil || !s.same(w.Alarm, *a) {
			w = &watch{Alarm: *a, last: now}
			fresh = append(fresh, w)
		}
		next[a.ID] = w
		byTopic[a.Topic] = append(byTopic[a.Topic], w)
	}
	before := make([]core.Alarm, 0, len(s.watches)+len(s.states))
	for _, w := range s.watches {
		before = append(before, w.Alarm)
	}
	for id, st := range s.states {
		before = append(before, st.Alarm)
		if w := next[id]; w == nil || !s.same(st.Alarm, w.Alarm) {
			delete(s.states, id) // nobody asks that question any more
			s.changed(st.Alarm, "off")
		}
	}
	for _, a := range alarms {
		if w := next[a.ID]; w != nil {
			s.rename(w, *a)
		}
	}
	for _, a := range before {
		if n := Topic(a); !told[n] {
			_, called := s.tell[n]
			if m, known := s.cfg.Newest(n); called || known && len(m.Payload) > 0 {
				s.tell[n] = ""
			}
		}
	}
	for _, w := range fresh {
		s.begin(w, now)
	}
	s.watches = next
	s.byTopic.Store(&byTopic)
}

// rename makes w the alarm a, which asks the same.
func (s *Service) rename(w *watch, a core.Alarm) {
	moved := w.Topic != a.Topic
	w.Alarm = a
	st, known := s.states[a.ID]
	if !known || st.Alarm == a {
		return
	}
	moved = moved || st.Alarm.Topic != a.Topic
	st.Alarm = a
	s.states[a.ID] = st
	s.dirty = true
	if moved {
		s.said(a, value(st))
	}
	s.cfg.Feed.Tell(core.AlarmsChanged)
}

// value is what an alarm says as a topic.
func value(st core.AlarmState) string {
	switch {
	case !st.Ended.IsZero():
		return "off"
	case !st.Acked.IsZero():
		return "acknowledged"
	}
	return "on"
}

// begin lets a new watch go on where an alarm of before the program stopped was,
// and feel the value that the topic has.
func (s *Service) begin(w *watch, now time.Time) {
	if st, calls := s.states[w.ID]; calls && st.Ended.IsZero() {
		w.holds, w.last = st.Since, st.Since.Add(-w.Within)
	}
	switch w.Kind {
	case core.AlarmAbove, core.AlarmBelow, core.AlarmEquals:
		if m, ok := s.cfg.Newest(w.Topic); ok {
			m.At = now
			s.take(w, m)
		}
	}
}

// same reports whether b asks what a did, of the same topic or of what that is
// called now.
func (s *Service) same(a, b core.Alarm) bool {
	a.Changed, a.Label = b.Changed, b.Label
	if a.Topic != b.Topic {
		if to, ok := s.cfg.Renamed(a.Topic); ok {
			a.Topic = to
		}
	}
	return a == b
}

// Observe looks at m. It waits for nothing and does not allocate for a topic
// without an alarm, so it may be called for every message.
func (s *Service) Observe(m core.Message) {
	ws := (*s.byTopic.Load())[m.Topic]
	if len(ws) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range ws {
		if s.watches[w.ID] == w {
			s.take(w, m)
		}
	}
}

// take lets w feel one value.
func (s *Service) take(w *watch, m core.Message) {
	w.last = m.At
	var holds bool
	switch w.Kind {
	case core.AlarmSilent:
		holds = false
	case core.AlarmFlood:
		w.count++
		if last := len(w.seen) - 1; last >= 0 && m.At.Sub(w.seen[last].at) < w.Within/maxSeen {
			w.seen[last].n++
		} else {
			w.seen = append(w.seen, sample{at: m.At, n: 1})
		}
		holds = w.flood(m.At)
	case core.AlarmEquals:
		t, _ := s.cfg.Topic(m.Topic)
		holds = equals(t, string(m.Payload), w.Word)
	default:
		v, err := strconv.ParseFloat(string(trim(m.Payload)), 64)
		if err != nil || v != v {
			return
		}
		w.value = v
		switch calls := !w.holds.IsZero(); w.Kind {
		case core.AlarmAbove:
			holds = v > w.Limit || calls && v > w.Limit-w.Clear
		case core.AlarmBelow:
			holds = v < w.Limit || calls && v < w.Limit+w.Clear
		case core.AlarmRate:
			w.seen = append(w.seen, sample{at: m.At, v: v})
			holds = w.rate(m.At)
		}
	}
	s.hold(w, holds, m.At)
}

// trim cuts spaces off; a number is never longer than this.
func trim(payload []byte) []byte {
	p := payload[:min(len(payload), 64)]
	for len(p) > 0 && p[0] <= ' ' {
		p = p[1:]
	}
	for len(p) > 0 && p[len(p)-1] <= ' ' {
		p = p[:len(p)-1]
	}
	return p
}

func equals(t core.Topic, value, word string) bool {
	if is, ok := t.Truth(value); ok {
		if meant, ok := t.Truth(word); ok {
			return is == meant
		}
	}
	return value == word
}

// forget drops what has left the window.
func (w *watch) forget(now time.Time) {
	old := 0
	for old < len(w.seen) && now.Sub(w.seen[old].at) > w.Within {
		w.count -= w.seen[old].n
		old++
	}
	w.seen = slices.Delete(w.seen, 0, old)
}

// rate reports whether the newest value is more than Limit away from one in the
// window. Of too many, each second one is forgotten.
func (w *watch) rate(now time.Time) bool {
	w.forget(now)
	if len(w.seen) > maxSeen {
		kept := w.seen[:0]
		for i, x := range w.seen {
			if i%2 == 1 || i == 0 {
				kept = append(kept, x)
			}
		}
		w.seen = kept
	}
	for _, x := range w.seen {
		if d := w.value - x.v; d > w.Limit || -d > w.Limit {
			return true
		}
	}
	return false
}

// flood reports whether there are more than Limit messages in the window.
func (w *watch) flood(now time.Time) bool {
	w.forget(now)
	return float64(w.count) > w.Limit
}

// hold notes whether what w watches for is so.
func (s *Service) hold(w *watch, holds bool, now time.Time) {
	switch {
	case !holds:
		w.holds = time.Time{}
		s.end(w, now)
	case w.holds.IsZero():
		w.holds = now
		fallthrough
	default:
		if now.Sub(w.holds) >= w.For {
			s.call(w, now)
		}
	}
}

// look is what time alone changes.
func (s *Service) look(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watches {
		switch w.Kind {
		case core.AlarmSilent:
			s.hold(w, now.Sub(w.last) >= w.Within, now)
		case core.AlarmFlood:
			s.hold(w, w.flood(now), now)
		case core.AlarmRate:
			s.hold(w, w.rate(now), now)
		default:
			if !w.holds.IsZero() {
				s.hold(w, true, now) // For may be over
			}
		}
	}
}

// call makes w call, unless it does.
func (s *Service) call(w *watch, now time.Time) {
	st, known := s.states[w.ID]
	if known && st.Ended.IsZero() {
		return
	}
	s.states[w.ID] = core.AlarmState{Alarm: w.Alarm, Say: s.say(w), Since: now}
	s.changed(w.Alarm, "on")
}

// end makes w call no more, if it does.
func (s *Service) end(w *watch, now time.Time) {
	st, known := s.states[w.ID]
	if !known || !st.Ended.IsZero() {
		return
	}
	if st.Ended = now; !st.Acked.IsZero() {
		delete(s.states, w.ID)
	} else {
		s.states[w.ID] = st
	}
	s.changed(w.Alarm, "off")
}

func (s *Service) changed(a core.Alarm, value string) {
	s.said(a, value)
	s.cfg.Feed.Tell(core.AlarmsChanged)
}

// said leaves what is to be published to Run: whoever calls holds mu.
func (s *Service) said(a core.Alarm, value string) {
	s.dirty = true
	s.tell[Topic(a)] = value
}

// level is what the names of what alarms say have in them.
const level = "/$alarm/"

// Topic is where an alarm tells its state, retained: "on", "acknowledged" or "off".
func Topic(a core.Alarm) topic.Name { return a.Topic + level + topic.Name(a.ID) }

// Tells reports whether an alarm of d tells its state at n.
func Tells(d *core.Design, n topic.Name) bool {
	i := strings.LastIndex(string(n), level)
	if i < 0 {
		return false
	}
	a := d.Alarm(topic.ID(n[i+len(level):]))
	return a != nil && a.Topic == n[:i]
}

// say is why w calls.
func (s *Service) say(w *watch) core.Sentence {
	t, _ := s.cfg.Topic(w.Topic)
	name := cmp.Or(t.Label, string(w.Topic))
	unit := func(v float64) string {
		text := strconv.FormatFloat(v, 'f', -1, 64)
		if t.Unit != "" {
			text += " " + t.Unit
		}
		return text
	}
	switch w.Kind {
	case core.AlarmAbove:
		return core.Say("{name} is {value}, more than {limit}.", "name", name, "value", unit(w.value), "limit", unit(w.Limit))
	case core.AlarmBelow:
		return core.Say("{name} is {value}, less than {limit}.", "name", name, "value", unit(w.value), "limit", unit(w.Limit))
	case core.AlarmEquals:
		return core.Say("{name} is {value}.", "name", name, "value", w.Word)
	case core.AlarmSilent:
		return core.Say("{name} has said nothing for {time}.", "name", name, "time", lasting(w.Within))
	case core.AlarmRate:
		return core.Say("{name} changed by more than {limit} within {time}.", "name", name, "limit", unit(w.Limit), "time", lasting(w.Within))
	}
	return core.Say("{name} got more than {n} messages within {time}.", "name", name, "n", w.Limit, "time", lasting(w.Within))
}

// lasting writes how long something takes. What is kept is text.
func lasting(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
}

// States returns the alarms that call or were not acknowledged: those that call
// first, then the newest.
func (s *Service) States() []core.AlarmState {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]core.AlarmState, 0, len(s.states))
	for _, st := range s.states {
		all = append(all, st)
	}
	slices.SortFunc(all, func(a, b core.AlarmState) int {
		return cmp.Or(order(a.Ended.IsZero(), b.Ended.IsZero()), b.Since.Compare(a.Since), cmp.Compare(a.Alarm.ID, b.Alarm.ID))
	})
	return all
}

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// Acknowledge notes that a person has seen the alarm. It fails with
// core.ErrNotFound where it does not call.
func (s *Service) Acknowledge(ctx context.Context, id topic.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, known := s.states[id]
	if !known {
		return core.Fail(core.ErrNotFound, "This alarm does not call any more.")
	}
	if !st.Acked.IsZero() {
		return nil
	}
	st.Acked, st.By = time.Now(), core.Actor(ctx)
	if s.states[id] = st; !st.Ended.IsZero() {
		delete(s.states, id)
		s.dirty = true
		s.cfg.Feed.Tell(core.AlarmsChanged)
		return nil
	}
	s.changed(st.Alarm, "acknowledged")
	return nil
}

// publish tells as topics what changed. What cannot be told is tried again.
func (s *Service) publish(ctx context.Context) error {
	s.mu.Lock()
	tell := s.tell
	s.tell = map[topic.Name]string{}
	s.mu.Unlock()
	for n, value := range tell {
		err := s.cfg.Publish(ctx, core.Message{Topic: n, Payload: []byte(value), QoS: 1, Retain: true, From: core.Program, Client: Client})
		if errors.Is(err, core.ErrInvalid) || errors.Is(err, core.ErrDenied) { // it will not be taken another time either
			s.cfg.Log.Error("alarms: a state cannot be published", "topic", n, "err", err)
			continue
		}
		if err == nil {
			continue
		}
		s.mu.Lock()
		for n, value := range tell {
			if _, newer := s.tell[n]; !newer {
				s.tell[n] = value
			}
		}
		s.mu.Unlock()
		return fmt.Errorf("alarms: %w", err)
	}
	return nil
}

// save keeps which alarms call, if that changed.
func (s *Service) save(ctx context.Context) error {
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = false
	s.mu.Unlock()
	if !dirty {
		return nil
	}
	if err := s.cfg.Store.SaveAlarms(ctx, s.States()); err != nil {
		s.mu.Lock()
		s.dirty = true
		s.mu.Unlock()
		return fmt.Errorf("alarms: %w", err)
	}
	return nil
}

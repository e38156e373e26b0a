package kits

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/kits/line"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

const (
	helloFor    = 2 * time.Second        // that a board has to say hello: one that was plugged in just now starts first
	retryAfter  = 3 * time.Second        // that a port that could not be opened rests
	retrySoon   = 300 * time.Millisecond // the same while it is new: a system gives the right to open it late
	newFor      = 5 * time.Second
	consoleFor  = 30 * time.Second // that a port stays open for who looked at its console
	consoleMost = 500              // lines
	lineMost    = 256              // bytes of one
)

// errUnplugged ends what is done with a port.
var errUnplugged = errors.New("unplugged")

// desk is a serial port that is plugged in: who uses it, and what is said with the
// board on it.
type desk struct {
	s      *Service
	name   string
	ctx    context.Context // ends when it is unplugged
	cancel context.CancelCauseFunc
	nudge  chan struct{} // holds a token when tend has to look again
	// turn holds a token while nobody opens, closes or flashes. It is taken before
	// Service.mu. What is said with a talk needs no turn.
	turn chan struct{}
	port line.Port // guarded by turn; nil where it is not open

	// What follows is guarded by Service.mu.
	info    core.SerialPort
	setup   int64              // that has it, or 0
	meeting context.CancelFunc // ends the hello that is under way
	met     bool               // hello was tried since it was plugged in, or a setup let it go
	rest    time.Time          // when it may be opened again
	came    time.Time          // it was plugged in, or came back before anybody saw that it was gone
	talk    *talk              // nil where nothing is said
	id      wire.Identity      // of the firmware that said hello
	has     wire.Settings      // of it, without key and secret
	account topic.ID           // of the kit that is on it, or ""
	lines   []string           // of the console, oldest first
	wanted  time.Time          // somebody looks at the console until then
	events  chan event         // what the board tells the setup; nil where none listens
}

// event is what a board tells.
type event struct {
	status *wire.Status
	slot   string // of an input
	value  int32
	line   string
}

// talk is a conversation that is carried on.
type talk struct {
	*wire.Kit
	cancel context.CancelFunc
	done   chan struct{} // closed when it is over
}

// poll looks at the ports until ctx ends.
func (s *Service) poll(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	said := ""
	var before []core.SerialPort
	var advice []core.Sentence
	var advised time.Time
	for {
		ports, err := s.cfg.Lines.List()
		if err != nil {
			if said != err.Error() {
				said = err.Error()
				s.cfg.Log.Warn("serial ports", "err", err)
			}
		} else {
			said = ""
			now := time.Now()
			// A board may be plugged in and get no port: then only the advice changes.
			if now.Sub(advised) >= adviseEvery || !slices.Equal(names(ports), names(before)) {
				advice, advised = s.cfg.Lines.Advice(ports), now
			}
			before = ports
			s.see(ports, advice, now)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func names(ports []core.SerialPort) (all []string) {
	for _, p := range ports {
		all = append(all, p.Name)
	}
	return all
}

// see takes in which ports there are.
func (s *Service) see(ports []core.SerialPort, advice []core.Sentence, now time.Time) {
	s.mu.Lock()
	changed := !s.polled || !reflect.DeepEqual(advice, s.advice)
	s.advice = advice
	here := map[string]bool{}
	s.order = s.order[:0]
	for _, p := range ports {
		if here[p.Name] {
			continue
		}
		here[p.Name] = true
		s.order = append(s.order, p.Name)
		d := s.desks[p.Name]
		if d != nil {
			p.Since = d.info.Since
			if !reflect.DeepEqual(p, d.info) {
				d.info, changed = p, true
				d.look()
			}
			continue
		}
		if s.polled {
			p.Since = now
		}
		changed = true
		d = s.newDesk(p)
		s.desks[p.Name] = d
		s.work.Go(d.tend)
	}
	for name, d := range s.desks {
		if !here[name] {
			changed = true
			delete(s.desks, name)
			s.leave(d, now)
			d.cancel(errUnplugged)
		}
	}
	s.polled = true
	s.mu.Unlock()
	if changed {
		s.tell()
	}
}

func (s *Service) newDesk(p core.SerialPort) *desk {
	d := &desk{s: s, name: p.Name, info: p, came: time.Now(), nudge: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
	d.ctx, d.cancel = context.WithCancelCause(s.ctx)
	d.turn <- struct{}{}
	return d
}

// leave tells the setup on d that its board was unplugged. The caller holds mu.
func (s *Service) leave(d *desk, now time.Time) {
	j := s.jobs[d.setup]
	if j == nil {
		return
	}
	j.desk = nil
	if j.cancel == nil && j.Ended.IsZero() { // else what runs tells it
		j.fail(unplugged(j.Step), now)
	}
}

// look wakes tend.
func (d *desk) look() {
	select {
	case d.nudge <- struct{}{}:
	default:
	}
}

// lock takes the turn, or fails with the reason why ctx ended.
func (d *desk) lock(ctx context.Context) error {
	select {
	case <-d.turn:
		if ctx.Err() != nil { // its name may be that of another board by now
			d.unlock()
			return context.Cause(ctx)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *desk) unlock() { d.turn <- struct{}{} }

// tend finds out what is on the port, keeps a cable joined to the broker and the
// console open for who looks at it, until the port is unplugged.
func (d *desk) tend() {
	for {
		wait := d.attend()
		timer := time.NewTimer(wait)
		select {
		case <-d.nudge:
			timer.Stop()
		case <-timer.C:
		case <-d.ctx.Done():
			timer.Stop()
			<-d.turn
			d.shut()
			d.unlock()
			return
		}
	}
}

// attend does what is due, and returns when to look again.
func (d *desk) attend() time.Duration {
	if d.lock(d.ctx) != nil {
		return retryAfter
	}
	defer d.unlock()
	s, now := d.s, time.Now()
	s.mu.Lock()
	held, rest, wanted := d.setup != 0, d.rest.Sub(now), d.wanted.Sub(now)
	meet := !d.met && (d.info.Likely || s.usedByKit(d.name))
	blocked := d.info.Problem.Format != ""
	cable := d.cable()
	ended := d.talk == nil || d.talk.over()
	s.mu.Unlock()
	switch {
	case held:
		return consoleFor
	case rest > 0:
		return rest
	case blocked && ended:
		return retryAfter // see wakes it when that changes
	case meet:
		if err := d.meet(); err != nil {
			d.shut()
			return d.pause()
		}
		return 0
	case cable, wanted > 0:
		if ended {
			if _, err := d.speak(); err != nil {
				return d.pause()
			}
			s.tell()
		}
		if cable {
			return retryAfter
		}
		return wanted
	}
	d.shut()
	return consoleFor
}

// usedByKit reports whether a kit was on the port before. The caller holds mu.
func (s *Service) usedByKit(port string) bool {
	for _, k := range s.kits {
		if k.Link == linkCable && k.Address == port {
			return true
		}
	}
	return false
}

// cable tells whether the board reaches the broker over this port. The caller holds mu.
func (d *desk) cable() bool { return d.has.Transport == wire.Cable || d.id.Variant == "wired" }

// pause lets a port rest that could not be opened, and returns how long.
func (d *desk) pause() time.Duration {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	now, rest := time.Now(), retryAfter
	if now.Sub(d.came) < newFor {
		rest = retrySoon
	}
	d.rest = now.Add(rest)
	return rest
}

// meet asks the board on the port what it is. It fails where the port cannot be
// opened; a board that does not answer is none of ours. The caller has the turn.
func (d *desk) meet() error {
	ctx, cancel := context.WithTimeout(d.ctx, helloFor)
	defer cancel()
	d.s.mu.Lock()
	d.meeting = cancel
	d.s.mu.Unlock()
	t, err := d.speak()
	if err != nil {
		return err
	}
	_, err = d.hello(ctx, t)
	failed := err != nil && !errors.Is(err, wire.ErrSilent) && ctx.Err() == nil
	d.s.mu.Lock()
	d.meeting = nil
	if !failed { // else what comes back, maybe under the same name, was not asked yet
		d.met = true
	}
	d.s.mu.Unlock()
	if failed {
		return err
	}
	return nil
}

// hello asks the board who it is, until ctx ends, and takes that in.
func (d *desk) hello(ctx context.Context, t *talk) (wire.Identity, error) {
	id, err := t.Hello(ctx)
	if err != nil {
		return id, err
	}
	has, _, err := t.Read(ctx)
	long := errors.Is(err, core.ErrInvalid) && id.Sequence != 0 // for a frame, or nothing that we know
	if long || id.Sequence == 0 {
		has, err = wire.Settings{}, nil
	}
	if err != nil {
		return id, err
	}
	d.s.mu.Lock()
	if k := d.s.kits[d.s.byMAC(id.MAC)]; long && k != nil && k.Link == linkCable {
		has.Transport = wire.Cable
	}
	d.id, d.has, d.account = id, has, topic.ID(has.Account)
	_, ok := d.s.kits[d.account]
	if _, unfinished := d.s.begun[id.MAC]; !ok || unfinished { // else its settings may be of a kit that has another board
		d.account = d.s.byMAC(id.MAC)
	}
	d.s.plugged(d)
	d.s.mu.Unlock()
	d.s.tell()
	return id, nil
}

// byMAC returns the account of the kit with the MAC, or "". The caller holds mu.
func (s *Service) byMAC(mac string) topic.ID {
	for account, k := range s.kits {
		if k.MAC == mac && mac != "" {
			return account
		}
	}
	return ""
}

// open opens the port where it is not open. The caller has the turn.
func (d *desk) open() (line.Port, error) {
	if d.port == nil {
		p, err := d.s.cfg.Lines.Open(d.name)
		if err != nil {
			return nil, err
		}
		d.port = p
	}
	return d.port, nil
}

// speak returns the conversation with the board, and begins one where none is. The
// caller has the turn.
func (d *desk) speak() (*talk, error) {
	d.s.mu.Lock()
	t := d.talk
	d.s.mu.Unlock()
	if t != nil && !t.over() {
		return t, nil
	}
	if t != nil { // it failed, so the port may be no good either
		d.shut()
	}
	p, err := d.open()
	if err != nil {
		return nil, err
	}
	if err := p.SetBaud(115200); err != nil {
		d.shut()
		return nil, err
	}
	ctx, cancel := context.WithCancel(d.ctx)
	t = &talk{cancel: cancel, done: make(chan struct{})}
	t.Kit = wire.Talk(p, wire.Events{
		Line:   func(text string) { d.hear(event{line: text}) },
		Input:  func(slot string, value int32) { d.hear(event{slot: slot, value: value}) },
		Status: func(st wire.Status) { d.hear(event{status: &st}) },
		Dial:   d.s.cfg.Dial,
		Cable:  func(bool) { d.s.tell() },
	})
	d.s.mu.Lock()
	d.talk = t
	d.s.mu.Unlock()
	go func() {
		defer close(t.done)
		if err := t.Run(ctx); errors.Is(err, line.ErrGone) { // what comes back may be another board
			d.s.mu.Lock()
			d.met, d.came = false, time.Now()
			d.s.mu.Unlock()
		}
		d.look()
	}()
	return t, nil
}

func (t *talk) over() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// hush ends the conversation, so that something else can use the port. The caller
// has the turn.
func (d *desk) hush() {
	d.s.mu.Lock()
	t := d.talk
	d.talk = nil
	d.s.mu.Unlock()
	if t != nil {
		t.cancel()
		<-t.done
	}
}

// shut ends the conversation and closes the port. The caller has the turn.
func (d *desk) shut() {
	d.hush()
	if d.port != nil {
		_ = d.port.Close() // nothing is left that could be lost
		d.port = nil
		d.s.tell()
	}
}

// hear takes in what the board tells. It runs on the goroutine that reads the port.
func (d *desk) hear(e event) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	if e.line != "" {
		d.print(e.line)
		if j := d.s.jobs[d.setup]; j != nil {
			j.note(e.line)
		}
	}
	if e.status != nil && d.account != "" {
		d.id.State, d.id.Signal, d.id.Address = e.status.State, e.status.Signal, e.status.Address
	}
	if d.events != nil && e.line == "" {
		select {
		case d.events <- e:
		default: // the setup asks for the status again by itself
		}
	}
}

// print adds a line to the console. The caller holds mu.
func (d *desk) print(text string) {
	if len(d.lines) == consoleMost {
		d.lines = append(d.lines[:0], d.lines[1:]...)
	}
	d.lines = append(d.lines, core.Readable(text, lineMost))
	d.s.printed = true
}

// Ports returns the serial ports of this PC as they were half a second ago at most.
func (s *Service) Ports() core.Ports {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := core.Ports{Advice: s.advice}
	for _, name := range s.order {
		d := s.desks[name]
		p := d.info
		p.Setup = d.setup
		if k := s.kits[d.account]; k != nil {
			p.Kit = k.place
		}
		all.All = append(all.All, p)
	}
	return all
}

// Console returns the latest lines of the serial console of a port, oldest first, and
// whether it is open. Where no setup has the port, it is opened soon, for who asks
// again and again.
func (s *Service) Console(port string) (lines []string, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.desks[port]
	if d == nil {
		return nil, false
	}
	if d.setup == 0 {
		d.wanted = time.Now().Add(consoleFor)
		if d.talk == nil {
			d.look()
		}
	}
	return append(lines, d.lines...), d.talk != nil && !d.talk.over()
}

// Type writes a line to the serial console of a port that no setup uses.
func (s *Service) Type(ctx context.Context, port, text string) error {
	d, err := s.free(port)
	if err != nil {
		return err
	}
	t, err := d.borrow(ctx)
	if err != nil {
		return err
	}
	if err := t.Type(ctx, text); err != nil {
		return err
	}
	s.mu.Lock()
	if strings.HasPrefix(strings.TrimSpace(text), "join") { // it may hold a key
		text = "join …"
	}
	d.print("> " + text)
	s.mu.Unlock()
	return nil
}

// free returns a port that no setup uses.
func (s *Service) free(port string) (*desk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.desks[port]
	switch {
	case d == nil:
		return nil, core.Fail(core.ErrNotFound, "Nothing is plugged in at {port} any more. Choose another port.", "port", port)
	case d.setup != 0:
		return nil, core.Fail(core.ErrConflict, "A kit is being set up at {port}. Close that first.", "port", port)
	}
	return d, nil
}

// borrow returns a conversation with the board for a while.
func (d *desk) borrow(ctx context.Context) (*talk, error) {
	if err := d.lock(ctx); err != nil {
		return nil, err
	}
	defer d.unlock()
	d.s.mu.Lock()
	d.wanted = time.Now().Add(consoleFor)
	d.s.mu.Unlock()
	t, err := d.speak()
	d.look()
	return t, err
}

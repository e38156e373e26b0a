package kits

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/kits/esp"
	"homeroom/core/kits/line"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

const (
	firstHello = 1700 * time.Millisecond // that a board has to be told from one without our firmware
	startFor   = 15 * time.Second        // that a board may take to start
	handFor    = 2 * time.Minute         // the same where a person has to press RST
	handsFor   = 5 * time.Minute         // that a person may take to bring a board into its boot loader
	joinFor    = 75 * time.Second        // that it may take into the network and to the broker
	cableFor   = 20 * time.Second        // the same over the cable
	commitFor  = 10 * time.Second        // that a secret may take to become valid
	statusFor  = 2 * time.Second         // without news after which a board is asked how far it is
	lookFor    = 250 * time.Millisecond  // between two looks whether the broker has seen a kit
	manyTries  = 3                       // of the same reason until it counts
)

// errWait ends a run that needs a person.
var errWait = errors.New("a person has to do something")

// run is a setup at work. It has the turn of its port.
type run struct {
	s      *Service
	j      *job
	d      *desk // nil only at the card
	events chan event
	sent   bool // the board has the network now: it need not be flashed for that
	seen   int  // times that the board saw its network, and had not got in
}

// launch does f with the board of j. The caller holds mu.
func (s *Service) launch(j *job, f func(context.Context, *run) error) {
	if s.ctx.Err() != nil { // the program ends
		return
	}
	parent := s.ctx
	r := &run{s: s, j: j, d: j.desk, events: make(chan event, 256)}
	if r.d != nil {
		parent, r.d.events = r.d.ctx, r.events
	}
	ctx, cancel := context.WithCancelCause(parent)
	j.cancel, j.Running, j.Ended = cancel, true, time.Time{}
	j.Problem, j.Ask = core.Sentence{}, core.Sentence{}
	s.work.Go(func() {
		err := r.do(ctx, f)
		if ctx.Err() != nil && err != nil {
			err = context.Cause(ctx)
		}
		s.finish(j, err)
		cancel(nil)
	})
}

func (r *run) do(ctx context.Context, f func(context.Context, *run) error) error {
	if r.d == nil {
		return f(ctx, r)
	}
	if err := r.d.lock(ctx); err != nil {
		return err
	}
	defer r.d.unlock()
	err := f(ctx, r)
	if errors.Is(err, line.ErrGone) || context.Cause(ctx) == errUnplugged {
		r.j.chip = nil
		r.d.shut() // it may come back under the same name before anybody looks
	}
	return err
}

// finish takes in how a run ended.
func (s *Service) finish(j *job, err error) {
	now := time.Now()
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	j.cancel, j.Running = nil, false
	j.Doing, j.Ask, j.Done, j.Total, j.Left = core.Sentence{}, core.Sentence{}, 0, 0, 0
	switch {
	case err == nil:
		j.Ended = now
	case errors.Is(err, errWait), errors.Is(err, errStopped), s.ctx.Err() != nil:
	default:
		j.fail(failure(j.Step, err), now)
		j.note(err.Error())
	}
	if d := j.desk; d != nil {
		d.events = nil
		if errors.Is(err, line.ErrGone) { // see gives it back
			j.desk, d.setup = nil, 0
		}
	}
	if j.closed {
		s.release(j)
	}
	m, worth := s.account(j, now)
	s.mu.Unlock()
	if worth {
		s.keepMade(m)
	}
	s.tell()
}

// run does the steps of a setup from that one on. The caller holds mu.
func (s *Service) run(j *job, from core.SetupStep) {
	j.Step = from
	s.launch(j, func(ctx context.Context, r *run) error {
		for _, step := range core.SetupSteps[slices.Index(core.SetupSteps, from):] {
			r.at(step)
			if err := r.step(ctx, step, from); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *run) step(ctx context.Context, step, from core.SetupStep) error {
	switch step {
	case core.StepPort:
		return r.read(ctx)
	case core.StepKit:
		return r.order(ctx, from)
	case core.StepNetwork:
		return r.network(ctx, from)
	case core.StepFlash:
		if r.sent {
			return nil
		}
		return r.flash(ctx)
	case core.StepSettings:
		if r.sent {
			return nil
		}
		return r.settings(ctx)
	case core.StepJoin:
		return r.join(ctx)
	case core.StepTest:
		return r.test(ctx)
	}
	return r.card()
}

// edit changes what is shown of the setup.
func (r *run) edit(f func(j *job)) {
	r.s.mu.Lock()
	f(r.j)
	r.s.mu.Unlock()
	r.s.tell()
}

func (r *run) at(step core.SetupStep) { r.edit(func(j *job) { j.Step = step }) }

func (r *run) say(doing core.Sentence) {
	r.edit(func(j *job) { j.Doing, j.Ask, j.Done, j.Total, j.Left = doing, core.Sentence{}, 0, 0, 0 })
}

func (r *run) note(text string) { r.edit(func(j *job) { j.note(text) }) }

// now returns a copy of the setup.
func (r *run) now() job {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	j := *r.j
	j.Tests = slices.Clone(j.Tests)
	return j
}

// hello asks the board for its firmware, again and again within that time.
func (r *run) hello(ctx context.Context, within time.Duration) (*talk, wire.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		t, err := r.d.speak()
		if err != nil {
			return nil, wire.Identity{}, err
		}
		id, err := r.d.hello(ctx, t)
		switch {
		case err == nil:
			return t, id, nil
		case ctx.Err() == context.DeadlineExceeded:
			return nil, id, wire.ErrSilent
		case !errors.Is(err, wire.ErrSilent), ctx.Err() != nil:
			return nil, id, err
		}
	}
}

// read finds out what the board is.
func (r *run) read(ctx context.Context) error {
	r.say(core.Say("Asking the board what it is."))
	_, id, err := r.hello(ctx, firstHello)
	if err == nil {
		chip := core.KitChip{Name: "ESP8266", ID: id.ChipID, MAC: id.MAC, FlashSize: int64(id.Flash)}
		r.is(chip, firmware(id))
		return nil
	}
	if !errors.Is(err, wire.ErrSilent) {
		return err
	}
	c, err := r.connect(ctx, true)
	if err != nil {
		return err
	}
	r.is(c.Info(), "")
	return fits(core.KitImage{Chip: "ESP8266"}, c.Info()) // no firmware of ours helps a board that is too small
}

// firmware is the name of what runs on a board.
func firmware(id wire.Identity) string {
	by := map[string]string{"wifi": " (Wi-Fi)", "wired": " (USB)", "host": " (PC)"}[id.Variant]
	return "Homeroom " + id.Version + by
}

// is takes in which board it is. Another one than before knows nothing of what was
// written.
func (r *run) is(c core.KitChip, firmware string) {
	r.edit(func(j *job) {
		if c.MAC != j.Chip.MAC {
			j.written, j.given, j.Networks, j.Tests, j.joined = wire.Settings{}, core.SetupOrder{}, nil, nil, false
		}
		j.Chip, j.Firmware = c, firmware
		r.s.same(j)
	})
}

// connect brings the board into its boot loader. Where fresh is not set it has to
// be the board that it was.
func (r *run) connect(ctx context.Context, fresh bool) (*esp.Chip, error) {
	r.d.hush()
	r.j.chip = nil
	p, err := r.d.open()
	if err != nil {
		return nil, err
	}
	now := r.now()
	c, err := esp.Connect(ctx, p, esp.Options{
		Baud: now.Order.Baud,
		Stub: r.s.cfg.Images.Stub(),
		Progress: func(k core.KitProgress) {
			r.edit(func(j *job) { j.Doing, j.Done, j.Total, j.Left = working(k.Step), k.Done, k.Total, k.Left })
		},
		ByHand:   func(ask core.Sentence) { r.edit(func(j *job) { j.Ask = ask }) },
		HandsFor: handsFor,
		Log:      r.note,
	})
	if err != nil {
		return nil, err
	}
	r.edit(func(j *job) { j.Ask = core.Sentence{} })
	r.j.chip = c
	if !fresh {
		if err := same(now.Chip.MAC, c.Info().MAC); err != nil {
			return nil, err
		}
		r.edit(func(j *job) { j.Chip = c.Info() })
	}
	return c, nil
}

// same says that a board is another one.
func same(want, has string) error {
	if want == has || want == "" {
		return nil
	}
	return core.Fail(core.ErrConflict, "This is another board: its MAC is {has}, and that of the setup {want}. Plug the right one in, or read this one.", "has", has, "want", want)
}

// working is what a step with the boot loader is called.
func working(step string) core.Sentence {
	switch step {
	case "reset", "sync":
		return core.Say("Waiting for the boot loader of the board.")
	case "stub":
		return core.Say("Loading the flasher into the board.")
	case "erase":
		return core.Say("Erasing.")
	case "write":
		return core.Say("Writing.")
	case "verify":
		return core.Say("Comparing what was written.")
	case "read":
		return core.Say("Reading back.")
	}
	return core.Say("Starting the board.")
}

// order goes on only with what a person wants.
func (r *run) order(ctx context.Context, from core.SetupStep) error {
	now := r.now()
	if from == core.StepPort || now.Order.Kit == "" {
		return errWait
	}
	if err := r.s.checkKit(now.Order); err != nil { // the plan may have changed
		return err
	}
	if err := r.s.checkImage(now.Setup, now.Order); err != nil {
		return err
	}
	return ctx.Err()
}

// sameBut reports whether two orders are the same but for the network.
func sameBut(a, b core.SetupOrder) bool {
	return a.Kit == b.Kit && a.Image == b.Image && a.Cable == b.Cable && a.TLS == b.TLS && slices.Equal(a.Pins, b.Pins)
}

// network gives a board that has all but the network just that.
func (r *run) network(ctx context.Context, from core.SetupStep) error {
	now := r.now()
	has := now.written.Name != "" && sameBut(now.given, now.Order)
	if now.Order.Cable || !has || from != core.StepNetwork {
		return nil
	}
	if now.Order.Network == "" {
		return r.ask(ctx)
	}
	t, _, err := r.hello(ctx, startFor)
	if err != nil {
		return notStarted(err)
	}
	r.say(core.Say("Giving the board the network {name}.", "name", now.Order.Network))
	next := now.written
	next.SSID, next.Key = now.Order.Network, now.pmk
	r.edit(func(j *job) { j.since, j.joined = time.Now(), false })
	r.reason() // of what was before
	_, err = t.Join(ctx, next.SSID, next.Key)
	switch {
	case errors.Is(err, wire.ErrJoin):
		r.seen = manyTries // it has tried enough
		why := r.reason()
		if st, err := t.Status(ctx); err == nil && st.Reason != wire.ReasonNone { // it tells that it failed, and then why
			why = st.Reason
		}
		if told := r.wrong(ctx, t, wire.Status{State: wire.StateWaits, Reason: why}, manyTries); told != nil {
			return told
		}
		return r.unseen(ctx, t, manyTries)
	case errors.Is(err, wire.ErrSilent), errors.Is(err, wire.ErrUnknown), errors.Is(err, wire.ErrBusy), errors.Is(err, core.ErrInvalid):
		r.note("Improv: " + err.Error())
		if _, _, err = t.Write(ctx, wire.Difference(now.written, next)); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	r.edit(func(j *job) { j.written, j.seq = next, 0 })
	r.sent = true
	return nil
}

// reason is the latest that the board told of why it did not join.
func (r *run) reason() (last wire.Reason) {
	for {
		select {
		case e := <-r.events:
			if e.status != nil && e.status.Reason != wire.ReasonNone {
				last = e.status.Reason
			}
		default:
			return last
		}
	}
}

// ask shows the person the networks that the board sees.
func (r *run) ask(ctx context.Context) error {
	r.at(core.StepNetwork)
	if err := r.scan(ctx); err != nil {
		return err
	}
	return errWait
}

// scan lets the board look for networks.
func (r *run) scan(ctx context.Context) error {
	t, _, err := r.hello(ctx, startFor)
	if err != nil {
		return notStarted(err)
	}
	r.say(core.Say("The board looks for networks."))
	all, err := t.Scan(ctx)
	if errors.Is(err, wire.ErrUnknown) || errors.Is(err, wire.ErrBusy) {
		all, err = t.ImprovScan(ctx)
	}
	if err != nil {
		return err
	}
	at := time.Now()
	r.edit(func(j *job) {
		j.Networks = append([]core.Network{}, all...)
		for _, n := range all {
			r.s.networks[n.Name] = sighting{n, at}
		}
		r.s.dim(at)
	})
	return nil
}

// Look lets a board that runs Homeroom's firmware scan for networks; Setup.Networks
// has them afterwards. It returns at once.
func (s *Service) Look(ctx context.Context, id int64) error {
	s.mu.Lock()
	defer s.tell()
	defer s.mu.Unlock()
	j, err := s.idle(id)
	switch {
	case err != nil:
		return err
	case j.desk == nil:
		return core.Fail(core.ErrConflict, "The board is not plugged in. Plug it in again, at any port.")
	case j.Firmware == "" && j.written.Name == "":
		return core.Fail(core.ErrConflict, "A board can look for networks once Homeroom's firmware runs on it. Flash it first, or type the name of the network.")
	}
	s.launch(j, func(ctx context.Context, r *run) error {
		if err := r.scan(ctx); err != nil {
			return err
		}
		return errWait
	})
	return ctx.Err()
}

// complete adds to what Prepare said how the kit reaches the program.
func (s *Service) complete(p wire.Settings, o core.SetupOrder, pmk string) (wire.Settings, error) {
	b := s.cfg.Broker()
	p.BrokerHost, p.BrokerPort, p.Page, p.Home = b.Host, b.Port, b.Page, b.Home
	p.Transport, p.SSID, p.Key = wire.WiFi, o.Network, pmk
	if o.Cable {
		p.Transport, p.Page, p.Home = wire.Cable, "", "" // no update over the air
	}
	if o.TLS {
		p.BrokerPort, p.TLSKey = b.TLSPort, b.TLSKey
	}
	if len(o.Pins) > 0 {
		p.Pins = pins(o.Pins)
	}
	check := p
	if check.SSID == "" { // it is asked for later
		check.Transport = wire.Cable
	}
	return p, check.Check()
}

func pins(all []core.KitPin) (out []wire.Pin) {
	for _, p := range all {
		out = append(out, wire.Pin{Slot: string(p.Slot), GPIO: uint8(min(max(p.GPIO, 0), 255)), Inverted: p.Inverted, PullUp: p.PullUp})
	}
	return out
}

// prepare makes what the board has to know. The program prepares one board at a
// time: each changes the plan.
func (r *run) prepare(ctx context.Context) (wire.Settings, func(context.Context) error, error) {
	select {
	case <-r.s.ready:
	case <-ctx.Done():
		return wire.Settings{}, nil, ctx.Err()
	}
	defer func() { r.s.ready <- struct{}{} }()
	now := r.now()
	p, err := r.s.cfg.Prepare(ctx, now.Order, now.Chip)
	if err != nil {
		return wire.Settings{}, nil, err
	}
	settings, err := r.s.complete(p.Settings, now.Order, now.pmk)
	return settings, p.Commit, err
}

// flash writes firmware and settings, and makes the account's secret the one that
// the board has.
func (r *run) flash(ctx context.Context) error {
	now := r.now()
	r.recall()
	r.edit(func(j *job) { j.joined, j.written = false, wire.Settings{} })
	if now.Order.Image == "" {
		return r.give(ctx)
	}
	image, known, err := r.s.load(now.Order.Image)
	if err != nil {
		return err
	}
	c, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	if err := fits(image, c.Info()); err != nil {
		return err
	}
	settings, commit, err := r.prepare(ctx)
	if err != nil {
		return err
	}
	slot, err := wire.EncodeSlot(1, settings)
	if err != nil {
		return err
	}
	if err := r.begin(ctx, settings); err != nil {
		return err
	}
	r.edit(func(j *job) { j.Firmware = "" })
	if now.Order.EraseAll {
		if err := c.EraseAll(ctx); err != nil && !errors.Is(err, esp.ErrUnverified) {
			return err
		}
	}
	err = c.Write(ctx, []esp.Region{{At: 0, Data: known}, {At: wire.SlotA, Data: slot}, {At: wire.SlotB, Size: wire.SlotSize}})
	switch {
	case errors.Is(err, esp.ErrUnverified): // the kit itself tells afterwards
		r.note(err.Error())
	case err != nil:
		return err
	default:
		r.say(working("read"))
		back, err := c.Read(ctx, wire.SlotA, int64(len(slot)))
		if err != nil {
			return err
		}
		if !bytes.Equal(back, slot) {
			return core.Fail(core.ErrInvalid, "The flash of the board does not keep its settings. Try again; where it fails again, take another board.")
		}
	}
	return r.commit(ctx, commit, settings, 1)
}

// give writes only settings, to firmware that is there already.
func (r *run) give(ctx context.Context) error {
	t, id, err := r.hello(ctx, startFor)
	if err != nil {
		return notStarted(err)
	}
	if err := same(r.now().Chip.MAC, id.MAC); err != nil {
		return err
	}
	settings, commit, err := r.prepare(ctx)
	if err != nil {
		return err
	}
	if err := r.begin(ctx, settings); err != nil {
		return err
	}
	r.say(core.Say("Giving the board its settings."))
	seq, crc, err := t.Write(ctx, settings.Change())
	if err != nil {
		return err
	}
	if crc != settings.CRC() {
		return core.Fail(core.ErrInvalid, "The board has other settings than it was given. Flash it again.")
	}
	return r.commit(ctx, commit, settings, seq)
}

// commit makes the secret that the board has valid. It does not stop half-way.
func (r *run) commit(ctx context.Context, commit func(context.Context) error, settings wire.Settings, seq uint32) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitFor)
	defer cancel()
	if err := commit(ctx); err != nil {
		return core.Fail(core.ErrConflict, "The board has its settings, and this PC could not keep its secret, so the broker refuses it: {error} Mend that, and go on from the firmware.", "error", failure(core.StepFlash, err))
	}
	at := time.Now()
	r.edit(func(j *job) {
		j.written, j.seq, j.given, j.since = settings, seq, j.Order, at
		j.Tests, j.judged = nil, map[topic.ID]bool{}
		r.s.became(j, at)
		r.s.counts(j.Chip.MAC)
		r.s.forgotten(topic.ID(settings.Account)) // another board was to be this kit
	})
	r.s.save(ctx) // at once: else a program that is killed takes it for unfinished
	return nil
}

// notStarted says that a board does not run our firmware.
func notStarted(err error) error {
	if errors.Is(err, wire.ErrSilent) {
		return core.Fail(core.ErrNotFound, "The board does not start with its firmware. Press RST on it; where that does not help, flash it again.")
	}
	return err
}

// settings starts the board and sees that it has what was written.
func (r *run) settings(ctx context.Context) error {
	r.say(working("run"))
	within := startFor
	chip := r.j.chip
	r.j.chip = nil
	var err error
	switch {
	case chip != nil:
		err = chip.Run(ctx)
	default:
		if _, _, err = r.hello(ctx, firstHello); errors.Is(err, wire.ErrSilent) {
			r.d.hush()
			p, failed := r.d.open()
			if failed != nil {
				return failed
			}
			err = esp.Restart(ctx, p)
		}
	}
	if errors.Is(err, line.ErrNoLines) {
		within, err = handFor, nil
		r.edit(func(j *job) { j.Ask = core.Say("Press RST on the board.") })
	}
	if err != nil {
		return err
	}
	_, id, err := r.hello(ctx, within)
	if err != nil {
		return notStarted(err)
	}
	now := r.now()
	if err := same(now.Chip.MAC, id.MAC); err != nil {
		return err
	}
	if id.WiFi && !id.TLS && len(now.written.TLSKey) > 0 {
		return core.Fail(core.ErrInvalid, "The firmware on this board does not speak TLS. Write another, or set the kit up without TLS.")
	}
	if id.Design != now.written.DesignCRC() || now.seq != 0 && id.Sequence != now.seq {
		return core.Fail(core.ErrInvalid, "The board started with other settings than were written. Flash it again.")
	}
	r.edit(func(j *job) { j.Firmware, j.Ask = firmware(id), core.Sentence{} })
	if !now.Order.Cable && now.Order.Network == "" {
		return r.ask(ctx)
	}
	return nil
}

// join waits until the broker has seen the kit.
func (r *run) join(ctx context.Context) error {
	now := r.now()
	if !now.Order.Cable && now.written.SSID == "" {
		return r.ask(ctx)
	}
	r.say(core.Say("The kit is on its way to the broker."))
	within := joinFor
	if now.Order.Cable {
		within = cableFor
	}
	late := time.NewTimer(within)
	defer late.Stop()
	tick := time.NewTicker(lookFor)
	defer tick.Stop()
	t, _, err := r.hello(ctx, startFor)
	if err != nil {
		return notStarted(err)
	}
	var last wire.Status
	tries := map[wire.Reason]int{}
	heard := time.Time{} // it is asked at once
	for {
		if r.s.joined(topic.ID(now.written.Account), now.since) {
			r.edit(func(j *job) { j.joined = true })
			r.remember(ctx)
			return nil
		}
		var st wire.Status
		select {
		case e := <-r.events:
			if e.status == nil {
				continue
			}
			st = *e.status
		case at := <-tick.C:
			if at.Sub(heard) < statusFor {
				continue
			}
			if st, err = t.Status(ctx); err != nil && !errors.Is(err, wire.ErrSilent) {
				return err
			} else if err != nil { // it starts anew, or is busy
				st = last
			}
		case <-late.C:
			return r.late(ctx, t, last, within)
		case <-ctx.Done():
			return ctx.Err()
		}
		heard = time.Now()
		if st == last {
			continue
		}
		last = st
		if st.State != wire.StateNetwork && st.State != wire.StateBroker { // in these it tries again, and still tells why the last try failed
			tries[st.Reason]++
			if err := r.wrong(ctx, t, st, tries[st.Reason]); err != nil {
				return err
			}
		}
		r.edit(func(j *job) { j.Doing = onItsWay(st, now.written) })
	}
}

// remember keeps the key that the kit has joined with, where that is wanted.
func (r *run) remember(ctx context.Context) {
	now := r.now()
	if !now.keeps || now.written.SSID != now.Order.Network {
		return
	}
	if err := r.s.remember(ctx, now.Order.Network, now.pmk); err != nil {
		r.note(err.Error())
	}
}

// onItsWay is how far a kit is.
func onItsWay(st wire.Status, has wire.Settings) core.Sentence {
	switch st.State {
	case wire.StateNetwork:
		return core.Say("The kit joins the network {name}.", "name", has.SSID)
	case wire.StateBroker:
		return core.Say("The kit connects to the broker.")
	case wire.StateWaits:
		if p := st.Problem(); p.Format != "" {
			return p
		}
	}
	return core.Say("The kit is on its way to the broker.")
}

// wrong says why a kit will not get further by itself, or returns nil. tries is how
// often it told that reason.
func (r *run) wrong(ctx context.Context, t *talk, st wire.Status, tries int) error {
	if st.State == wire.StateJoined {
		return nil
	}
	told := &core.Problem{Sentence: st.Problem(), Kind: core.ErrDenied}
	switch st.Reason {
	case wire.ReasonNoNetwork:
		return r.unseen(ctx, t, tries)
	case wire.ReasonWrongKey:
		_ = r.s.ForgetNetwork(ctx, r.now().Order.Network) // it is asked for again; there may be none
		r.at(core.StepNetwork)
		return told
	case wire.ReasonRefused, wire.ReasonRefusedElse, wire.ReasonTLS:
		return told
	case wire.ReasonNoAddress, wire.ReasonBrokerSilent:
		if tries >= manyTries {
			return told
		}
	}
	return nil
}

// unseen looks whether the kit sees its network, and asks for another where not.
func (r *run) unseen(ctx context.Context, t *talk, tries int) error {
	all, err := t.Scan(ctx)
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, line.ErrGone) {
			return err
		}
		if tries < manyTries {
			return nil
		}
	}
	name := r.now().written.SSID
	if want := r.now().Order.Network; want != "" {
		name = want
	}
	var names []string
	for _, n := range all {
		if n.Name == name && !n.Enterprise && !n.Unfit {
			if r.seen++; r.seen < manyTries {
				return nil // it may have been switched on just now
			}
		}
		if n.Name != name && len(names) < 5 {
			names = append(names, n.Name)
		}
	}
	at := time.Now()
	r.edit(func(j *job) {
		j.Step, j.Networks = core.StepNetwork, append([]core.Network{}, all...)
		for _, n := range all {
			r.s.networks[n.Name] = sighting{n, at}
		}
	})
	i := slices.IndexFunc(all, func(n core.Network) bool { return n.Name == name })
	switch {
	case i >= 0 && (all[i].Enterprise || all[i].Unfit):
		return core.Fail(core.ErrInvalid, "The network {name} asks for what a kit cannot do: a user name, or WPA3. Choose another network, or the cable.", "name", name)
	case i >= 0:
		return core.Fail(core.ErrNotFound, "The kit sees the network {name} and does not get in. Type its Wi-Fi key again, or bring the kit nearer to the access point.", "name", name)
	case len(names) == 0:
		return core.Fail(core.ErrNotFound, "The kit sees no network. Bring it nearer to the access point, or use the cable.")
	}
	return core.Fail(core.ErrNotFound, "The kit sees {networks} and not {name}. That may be a 5 GHz network, which a kit does not see. Choose another.", "networks", strings.Join(names, ", "), "name", name)
}

// late says why a kit did not join in time.
func (r *run) late(ctx context.Context, t *talk, last wire.Status, within time.Duration) error {
	now := r.now()
	if st, err := t.Status(ctx); err == nil {
		last = st
	}
	address := fmt.Sprintf("%s:%d", now.written.BrokerHost, now.written.BrokerPort)
	switch p := last.Problem(); {
	case last.State == wire.StateJoined:
		return core.Fail(core.ErrConflict, "The kit says that it has joined, and this broker has not seen {account}. Another program may answer at {address}: close it, and go on.", "account", now.written.Account, "address", address)
	case p.Format != "":
		return &core.Problem{Sentence: p, Kind: core.ErrDenied}
	case last.State == wire.StateBroker:
		return &core.Problem{Sentence: wire.Status{Reason: wire.ReasonBrokerSilent}.Problem(), Kind: core.ErrDenied}
	}
	return core.Fail(core.ErrNotFound, "The kit did not reach the broker at {address} within {n} seconds. Bring it nearer to the access point, and go on.", "address", address, "n", int(within.Seconds()))
}

// joined reports whether the broker has seen the kit since then: its session is
// connected, and it said that it is ready.
func (s *Service) joined(account topic.ID, since time.Time) bool {
	c, ok := s.cfg.Client(account)
	if !ok || !c.Connected {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kits[account]
	return k != nil && !k.ready.Before(since) && !k.ready.IsZero()
}

// card ends a setup.
func (r *run) card() error {
	all := r.s.trials(r.now().Order.Kit)
	r.edit(func(j *job) {
		j.Passed = j.joined
		for _, t := range all {
			j.Passed = j.Passed && slices.ContainsFunc(j.Tests, func(k core.KitTest) bool { return k.Slot == t.slot && k.Passed })
		}
	})
	return nil
}

package kits

import (
	"context"
	"errors"
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
	logMost  = 200         // lines of a setup
	flashMin = 4 << 20     // bytes of flash that a kit needs: its settings are near the end
	nowhere  = "localhost" // Broker.Host of a PC that is in no network
	// How long in bytes is what is not known when it is looked whether all fits a board.
	accountLong, secretLong, networkLong, pmkLong = 64, 32, 32, 64
)

// job is a setup. Service.mu guards what has no other word.
type job struct {
	core.Setup
	desk   *desk // nil while its board is unplugged
	cancel context.CancelCauseFunc
	pmk    string // of Order.Network; "" is none
	keeps  bool   // the key is to be remembered once the kit has joined with it
	// written is what the board was given, with key and secret; Name is "" where
	// nothing was yet.
	written wire.Settings
	seq     uint32
	given   core.SetupOrder // as it was when that was written
	// since is when the board began with what it has: what it published before is
	// no proof.
	since time.Time
	begun bool // the flash began: it is worth a line in what was made
	// restored means that it was begun by a program that did not end it; keyed that
	// Order.Network asks for a key, which nobody kept then.
	restored, keyed bool
	joined          bool // the broker has seen it with what it has
	closed          bool
	judged          map[topic.ID]bool
	// chip is in its boot loader; only the goroutine that runs the setup uses it.
	chip *esp.Chip
}

// errStopped ends a setup that a person stopped.
var errStopped = errors.New("stopped")

// Begin takes a port for a setup and reads which chip is there, or which firmware
// runs on it. It returns at once; Setup tells how it goes.
func (s *Service) Begin(ctx context.Context, port string) (id int64, err error) {
	s.mu.Lock()
	d := s.desks[port]
	switch {
	case d == nil:
		err = core.Fail(core.ErrNotFound, "Nothing is plugged in at {port} any more. Choose another port.", "port", port)
	case d.setup != 0:
		err = core.Fail(core.ErrConflict, "A kit is being set up at {port} already. Go on with that, or close it.", "port", port)
	case d.info.Problem.Format != "" && d.talk == nil:
		err = &core.Problem{Sentence: d.info.Problem, Kind: core.ErrConflict}
	case len(s.jobs) >= maxSetups:
		err = core.Fail(core.ErrConflict, "{n} boards are being set up already. Close some first.", "n", len(s.jobs))
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	if err != nil {
		s.mu.Unlock()
		return 0, err
	}
	j := &job{Setup: core.Setup{ID: s.next, Port: port, Step: core.StepPort, Started: time.Now()}, judged: map[topic.ID]bool{}}
	s.next++
	s.jobs[j.ID] = j
	s.attach(j, d)
	s.run(j, core.StepPort)
	s.mu.Unlock()
	s.tell()
	return j.ID, nil
}

// attach gives a port to a setup. The caller holds mu.
func (s *Service) attach(j *job, d *desk) {
	j.desk, j.Port, d.setup = d, d.name, j.ID
	if d.meeting != nil {
		d.meeting()
	}
	d.look()
}

// job returns a setup. The caller holds mu.
func (s *Service) job(id int64) (*job, error) {
	if j := s.jobs[id]; j != nil {
		return j, nil
	}
	return nil, core.Fail(core.ErrNotFound, "This setup was closed. Begin again with the port.")
}

// idle returns a setup in which nothing goes on. The caller holds mu.
func (s *Service) idle(id int64) (*job, error) {
	j, err := s.job(id)
	if err == nil && j.cancel != nil {
		err = core.Fail(core.ErrConflict, "The board is at work. Wait, or stop it first.")
	}
	return j, err
}

// Setups returns what is being set up, and what was since it was not closed, in
// order of ID. The caller owns them.
func (s *Service) Setups() []core.Setup {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []core.Setup
	for _, j := range sorted(s.jobs) {
		c := j.Setup
		c.Order.Pins, c.Networks = slices.Clone(c.Order.Pins), slices.Clone(c.Networks)
		c.Tests, c.Log = slices.Clone(c.Tests), slices.Clone(c.Log)
		for i, n := range c.Networks {
			c.Networks[i].Known = slices.Contains(s.known, n.Name)
		}
		all = append(all, c)
	}
	return all
}

// Order says what to make of a board. What cannot be is told in a sentence, and then
// nothing changed. It may be given again until the flash begins, and after it to
// give another network.
func (s *Service) Order(ctx context.Context, id int64, o core.SetupOrder) error {
	s.mu.Lock()
	j, err := s.idle(id)
	var setup core.Setup
	keyed := false
	if err == nil {
		setup, keyed = j.Setup, j.keyed && j.Order.Network == o.Network
	}
	seen := s.networks[o.Network]
	known := slices.Contains(s.known, o.Network)
	if err == nil {
		err = s.alone(id, o.Kit)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if o.Cable { // nobody listens on a cable
		o.Network, o.Key, o.TLS = "", "", false
	}
	pmk, err := s.check(ctx, setup, o, seen, known || keyed)
	if err == nil {
		err = s.room(o, pmk)
	}
	if err != nil {
		return err
	}
	o.Key, o.Pins = "", slices.Clone(o.Pins)
	s.mu.Lock()
	if j, err = s.idle(id); err == nil {
		err = s.alone(id, o.Kit) // somebody else may have been faster
	}
	if err == nil {
		j.Order, j.pmk, j.keeps, j.keyed = o, pmk, o.Remember && pmk != "", false
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.tell()
	return nil
}

// alone fails where another setup makes the same kit. The caller holds mu.
func (s *Service) alone(id int64, kit topic.Name) error {
	for other, j := range s.jobs {
		if other != id && j.Order.Kit == kit && kit != "" && !j.Passed {
			return core.Fail(core.ErrConflict, "The board at {port} is being made {kit} already. Choose another kit.", "port", j.Port, "kit", kit)
		}
	}
	return nil
}

// check returns the key of the network of an order, or why the order cannot be.
func (s *Service) check(ctx context.Context, j core.Setup, o core.SetupOrder, seen sighting, known bool) (pmk string, err error) {
	if err := s.checkKit(o); err != nil {
		return "", err
	}
	if err := s.checkImage(j, o); err != nil {
		return "", err
	}
	switch b := s.cfg.Broker(); {
	case o.TLS && (len(b.TLSKey) == 0 || b.TLSPort == 0):
		return "", core.Fail(core.ErrInvalid, "This program does not speak TLS. Switch it on in the settings, or set the kit up without it.")
	case o.Baud != 0 && (o.Baud < 9600 || o.Baud > 2_000_000):
		return "", core.Fail(core.ErrInvalid, "A board is flashed at 9,600 to 2,000,000 baud. Choose a rate of the list.")
	case !o.Cable && b.Host == nowhere:
		return "", core.Fail(core.ErrConflict, "This PC is in no network, so a kit on Wi-Fi would not find it. Join one first, or choose the cable.")
	case o.Cable || o.Network == "":
		return "", nil
	}
	return s.key(ctx, o, seen, known)
}

// key returns the PMK of the network of an order, "" where that is open; or why a kit
// cannot join it. seen is as a board saw it, and known where its key is remembered.
func (s *Service) key(ctx context.Context, o core.SetupOrder, seen sighting, known bool) (pmk string, err error) {
	switch {
	case seen.Enterprise:
		return "", core.Fail(core.ErrInvalid, "The network {name} asks for a user name (802.1X), which a kit has not. Choose another network, or the cable.", "name", o.Network)
	case seen.Unfit:
		return "", core.Fail(core.ErrInvalid, "The network {name} has a security that a kit does not know. Switch it to WPA2, choose another network, or the cable.", "name", o.Network)
	}
	if err := wire.CheckNetwork(o.Network, o.Key); err != nil {
		return "", err
	}
	if len(o.Key) == 64 {
		return strings.ToLower(o.Key), nil
	}
	if o.Key != "" {
		return wire.PMK(o.Network, o.Key), ctx.Err()
	}
	if seen.Open {
		return "", nil
	}
	if pmk = s.cfg.Keys.Get(o.Network); pmk == "" && (known || seen.Name != "") {
		return "", core.Fail(core.ErrInvalid, "The network {name} asks for a key. Type it.", "name", o.Network)
	}
	return pmk, nil
}

func (s *Service) checkKit(o core.SetupOrder) error {
	if o.Kit == "" {
		return core.Fail(core.ErrInvalid, "Choose which kit of the plan the board becomes.")
	}
	if _, err := topic.ParseName(string(o.Kit)); err != nil {
		return core.Fail(core.ErrInvalid, "{name} is not the name of a kit. Choose a team, a room and a name of a-z, 0-9 and -.", "name", core.Readable(o.Kit, lineMost))
	}
	role := o.Role
	if p := s.cfg.Design().Place(o.Kit); p != nil {
		if p.Kind != core.KitPlace {
			return core.Fail(core.ErrInvalid, "{name} is a room or a branch. Choose a kit in it, or a new name.", "name", p.Title())
		}
		role = p.Role
	}
	if role == core.AnyKit || !slices.Contains(core.KitRoles, role) {
		return core.Fail(core.ErrInvalid, "There is no firmware for a kit that does anything. Choose another role for it in the plan.")
	}
	return nil
}

// room says why what the plan says about a kit does not fit a board. Of a kit that is
// to be drawn that is only known later.
func (s *Service) room(o core.SetupOrder, pmk string) error {
	want, ok := s.should(o.Kit, nil)
	if !ok {
		return nil
	}
	want.Account, want.Secret = strings.Repeat("a", accountLong), strings.Repeat("s", secretLong)
	if p := s.cfg.Design().Place(o.Kit); p != nil && p.Account != "" {
		want.Account = string(p.Account)
	}
	if !o.Cable && o.Network == "" { // it is chosen later
		o.Network, pmk = strings.Repeat("n", networkLong), strings.Repeat("0", pmkLong)
	}
	_, err := s.complete(want, o, pmk)
	return err
}

func (s *Service) checkImage(j core.Setup, o core.SetupOrder) error {
	if o.Image == "" {
		if j.Firmware == "" {
			return core.Fail(core.ErrInvalid, "Homeroom's firmware does not run on this board. Choose a firmware to write.")
		}
		return nil
	}
	i, ok := s.image(o.Image)
	switch {
	case !ok:
		return core.Fail(core.ErrNotFound, "This firmware is gone. Choose another.")
	case i.Missing.Format != "":
		return &core.Problem{Sentence: i.Missing, Kind: core.ErrNotFound}
	case i.Variant == "":
		return core.Fail(core.ErrInvalid, "{name} is not Homeroom's firmware, so it takes no account and no network. Choose another, or write it with: homeroom kit flash", "name", i.Title)
	case i.Variant == "wired" && !o.Cable:
		return core.Fail(core.ErrInvalid, "This firmware knows no Wi-Fi. Choose the cable, or the firmware for Wi-Fi.")
	}
	return fits(i, j.Chip)
}

// fits says why an image cannot be on a chip. What is not known yet is no reason.
func fits(i core.KitImage, c core.KitChip) error {
	switch {
	case c.Name != "" && !strings.HasPrefix(c.Name, i.Chip):
		return core.Fail(core.ErrInvalid, "This firmware is for the {want}, and the board has the {chip}. Choose another firmware or board.", "want", i.Chip, "chip", c.Name)
	case c.FlashSize != 0 && c.FlashSize < max(i.Flash, flashMin):
		return core.Fail(core.ErrInvalid, "This board has {has} MB of flash, and a kit needs {need} MB. Take another board.", "has", c.FlashSize>>20, "need", max(i.Flash, flashMin)>>20)
	}
	return nil
}

// Start goes on from a step until it needs a person, is done or fails; it returns
// at once. A step that was done can be done again.
func (s *Service) Start(ctx context.Context, id int64, from core.SetupStep) error {
	if !slices.Contains(core.SetupSteps, from) {
		return core.Fail(core.ErrInvalid, "There is no step {step}.", "step", core.Readable(from, lineMost))
	}
	s.mu.Lock()
	defer s.tell()
	defer s.mu.Unlock()
	j, err := s.idle(id)
	if err != nil {
		return err
	}
	if j.desk == nil && from != core.StepCard {
		d := s.back(j)
		if d == nil {
			return core.Fail(core.ErrConflict, "The board is not plugged in. Plug it in again, at any port.")
		}
		s.attach(j, d)
	}
	at := slices.Index(core.SetupSteps, from)
	switch {
	case at > slices.Index(core.SetupSteps, core.StepPort) && j.Chip.MAC == "":
		return core.Fail(core.ErrConflict, "It is not known yet which board this is. Begin with the port.")
	case at > slices.Index(core.SetupSteps, core.StepKit) && j.Order.Kit == "":
		return core.Fail(core.ErrConflict, "Choose which kit of the plan the board becomes.")
	case at > slices.Index(core.SetupSteps, core.StepFlash) && j.written.Name == "":
		return core.Fail(core.ErrConflict, "The board has no settings yet. Flash it first.")
	}
	s.run(j, from)
	return ctx.Err()
}

// back returns the port that the board of j is at now, or may be. The caller holds mu.
func (s *Service) back(j *job) *desk {
	var best *desk
	for _, d := range sorted(s.desks) {
		switch {
		case d.setup != 0:
		case d.id.MAC != "" && d.id.MAC == j.Chip.MAC:
			return d
		case d.id.MAC != "" && j.Chip.MAC != "": // another board
		case d.name == j.Port:
			best = d
		case d.info.Likely && (best == nil || best.name != j.Port && d.info.Since.After(best.info.Since)):
			best = d
		}
	}
	return best
}

// Stop ends what goes on with a board, at once. The setup stays and can go on.
func (s *Service) Stop(id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.job(id)
	if err == nil && j.cancel != nil {
		j.cancel(errStopped)
	}
	return err
}

// Judge says what a person saw of a test that asks: false fails it.
func (s *Service) Judge(ctx context.Context, id int64, slot topic.ID, ok bool) error {
	s.mu.Lock()
	defer s.tell()
	defer s.mu.Unlock()
	j, err := s.job(id)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(j.Tests, func(t core.KitTest) bool { return t.Slot == slot && t.Asks })
	if i < 0 || j.Step != core.StepTest || j.cancel == nil {
		return core.Fail(core.ErrConflict, "This is not being tested now. Start the test again.")
	}
	j.judged[slot] = ok
	j.Tests[i].Tried, j.Tests[i].Passed = true, ok
	return ctx.Err()
}

// Close forgets a setup and lets its port go. What was made stays made.
func (s *Service) Close(id int64) error {
	s.mu.Lock()
	j, err := s.job(id)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	j.closed = true
	delete(s.jobs, id)
	if j.cancel != nil {
		j.cancel(errStopped) // what runs lets the port go
	} else {
		s.release(j)
	}
	b, store := s.left(j)
	s.mu.Unlock()
	if store {
		s.keepLeft(b)
	}
	s.tell()
	return nil
}

// release lets the port of a setup go. A board in its boot loader starts again, as
// far as that can be. The caller holds mu, and nothing of j runs.
func (s *Service) release(j *job) {
	d, chip := j.desk, j.chip
	j.desk, j.chip = nil, nil
	if d == nil {
		return
	}
	if chip == nil || s.ctx.Err() != nil {
		s.let(d)
		return
	}
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(d.ctx, retryAfter)
		defer cancel()
		if d.lock(ctx) == nil {
			_ = chip.Run(ctx) // else a person presses RST
			d.unlock()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.let(d)
	})
}

// let gives a port back to tend, which asks what is on it now. The caller holds mu.
func (s *Service) let(d *desk) {
	d.setup, d.events = 0, nil
	d.met = d.talk != nil && !d.talk.over() && d.cable() // a cable just stays
	d.look()
}

// note adds a line to the log. The caller holds mu.
func (j *job) note(text string) {
	if len(j.Log) == logMost {
		j.Log = append(j.Log[:0], j.Log[1:]...)
	}
	j.Log = append(j.Log, core.Readable(text, lineMost))
}

// fail says why it did not work. The caller holds mu.
func (j *job) fail(problem core.Sentence, now time.Time) {
	j.Problem, j.Ended, j.Running = problem, now, false
	j.Doing, j.Ask, j.Done, j.Total, j.Left = core.Sentence{}, core.Sentence{}, 0, 0, 0
}

// unplugged says at which step the board was unplugged.
func unplugged(step core.SetupStep) core.Sentence {
	switch step {
	case core.StepPort:
		return core.Say("The board was unplugged while it was read. Plug it in again and read it again.")
	case core.StepFlash:
		return core.Say("The board was unplugged while it was flashed. Plug it in again and flash it again: it begins anew.")
	case core.StepSettings:
		return core.Say("The board was unplugged while it started with its settings. Plug it in again and go on.")
	case core.StepJoin:
		return core.Say("The board was unplugged before the broker had seen it. Plug it in again and go on.")
	case core.StepTest:
		return core.Say("The board was unplugged during its test. Plug it in again and test it again.")
	}
	return core.Say("The board was unplugged. Plug it in again and go on.")
}

// failure turns what went wrong at a step into a sentence.
func failure(step core.SetupStep, err error) core.Sentence {
	var told *core.Problem
	switch {
	case errors.Is(err, errUnplugged), errors.Is(err, line.ErrGone):
		return unplugged(step)
	case errors.As(err, &told):
		return told.Sentence
	}
	return core.Say("This did not work: {error}. Try it again.", "error", err)
}

package kits

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

const (
	linkWiFi    = "wifi"
	linkCable   = "cable"
	linkVirtual = "virtual"

	settleFor = 2 * time.Second  // that the design rests before kits are told
	answerFor = 10 * time.Second // that a kit may take to answer over MQTT
	maxInfo   = 1024             // bytes of what a kit tells
	maxText   = 64               // bytes of one text of it
	maxLocate = 255              // seconds
)

// kit is a real kit. Service.mu guards it.
type kit struct {
	Known
	place   topic.Name // in the plan; "" where it is not there
	state   string     // Homie's, as it was told; "" since the program started
	ready   time.Time  // it said so the last time
	port    string     // the serial port that it is on, or ""
	want    uint32     // design CRC that it should have; 0 is not known
	differs time.Time
	sent    uint32    // design CRC that it was sent by itself, so that it gets each once
	missed  bool      // it did not hear that, and gets it once more when it is back
	twin    bool      // its virtual twin stands for it
	alone   time.Time // when its twin went, and said so at its name; zero where it is not asked to speak for itself
	moving  moving
	ears    []chan<- string // of who waits for what it tells
	doing   core.Sentence
	done    int // percent, -1 where not known
	problem core.Sentence
	changed bool // since it was stored
}

// info is what a kit tells at $info.
type info struct {
	FW     string `json:"fw"`
	Image  string `json:"image"`
	MAC    string `json:"mac"`
	IP     string `json:"ip"`
	RSSI   int    `json:"rssi"`
	Uptime int64  `json:"uptime"`
	Heap   int    `json:"heap"`
	Design string `json:"design"`
	Seq    uint32 `json:"seq"`
}

// Observe takes in what the broker took. It runs on the goroutine of whoever
// publishes.
func (s *Service) Observe(m core.Message) {
	name := string(m.Topic)
	i := strings.LastIndexByte(name, '/')
	if i < 0 || i+1 == len(name) || name[i+1] != '$' {
		if s.watched.Load() > 0 {
			s.mu.Lock()
			if at, wanted := s.heard[m.Topic]; wanted && at.IsZero() {
				s.heard[m.Topic] = time.Now()
			}
			s.mu.Unlock()
		}
		return
	}
	if m.From == core.Program || len(m.Payload) > maxInfo {
		return
	}
	of := topic.Name(name[:i])
	switch name[i+1:] {
	case core.KitState:
		s.heardState(of, m)
	case core.KitInfo:
		s.heardInfo(of, m)
	case core.KitTold:
		s.heardTold(of, m)
	}
}

// speaker returns the kit that is called n. The caller holds mu.
func (s *Service) speaker(n topic.Name) *kit { return s.kits[s.names[n]] }

// says returns the kit that m is of, below its name; nil where somebody else
// published it, who may have been granted that. The caller holds mu.
func (s *Service) says(n topic.Name, m core.Message) *kit {
	k := s.speaker(n)
	if k == nil {
		return nil
	}
	if owner, ok := s.cfg.Owner(k.Account); !ok || owner != m.From {
		return nil
	}
	return k
}

func (s *Service) heardState(of topic.Name, m core.Message) {
	s.mu.Lock()
	k := s.says(of, m)
	if k == nil {
		s.mu.Unlock()
		return
	}
	now := time.Now()
	k.state = text(m.Payload)
	if k.state == "ready" {
		k.ready = now
		k.back()
	}
	if !m.Will {
		k.Seen, k.changed = now, true
	}
	s.mu.Unlock()
	s.tell()
}

func (s *Service) heardInfo(of topic.Name, m core.Message) {
	var i info
	if json.Unmarshal(m.Payload, &i) != nil {
		return // whoever reads the topic sees what it is
	}
	design, err := strconv.ParseUint(i.Design, 16, 32)
	if err != nil {
		design = 0
	}
	s.mu.Lock()
	k := s.says(of, m)
	if k == nil {
		s.mu.Unlock()
		return
	}
	k.Seen, k.changed = time.Now(), true
	k.Version, k.Image, k.Address = text(i.FW), text(i.Image), text(i.IP)
	if k.MAC == "" { // else it is known by the board itself
		k.MAC = text(i.MAC)
	}
	k.Signal, k.Heap, k.Uptime = min(max(i.RSSI, -127), 0), max(i.Heap, 0), time.Duration(min(max(i.Uptime, 0), 1<<32))*time.Second
	k.Sequence = i.Seq
	k.returned()
	k.Link = linkWiFi
	if i.Image == wiredID || i.IP == "" {
		k.Link, k.Address = linkCable, k.port
	}
	s.designed(k, uint32(design))
	if mac := text(i.MAC); s.begun[mac].Account == k.Account && k.ready.After(s.begun[mac].At) { // its secret counts
		s.counts(mac)
	}
	s.mu.Unlock()
	s.tell()
}

// back lets a kit get what it missed. The caller holds mu.
func (k *kit) back() {
	if k.missed {
		k.missed, k.sent, k.differs = false, 0, time.Time{}
	}
}

// designed takes in which design a kit has. The caller holds mu.
func (s *Service) designed(k *kit, crc uint32) {
	k.Design = crc
	if crc == k.want && crc != 0 && k.place != "" {
		k.Called = k.place
		k.differs = time.Time{}
		if k.doing.Format == sending.Format {
			k.doing, k.done = core.Sentence{}, 0
		}
	}
}

// sending is what a kit does that gets its settings.
var sending = core.Say("It gets its new settings.")

func (s *Service) heardTold(of topic.Name, m core.Message) {
	said := text(m.Payload)
	s.mu.Lock()
	k := s.says(of, m)
	if k == nil {
		s.mu.Unlock()
		return
	}
	k.Seen, k.changed = time.Now(), true
	for _, to := range k.ears {
		select {
		case to <- said:
		default: // it has more than it can read
		}
	}
	s.mu.Unlock()
	s.tell()
}

// text makes what a kit says something that can be shown.
func text[T ~string | ~[]byte](s T) string { return core.Readable(s, maxText) }

// Called returns the kits that have another name in their settings than in the plan,
// and that name, which nobody else has: there a kit that was moved while it was away
// still hears its new one.
func (s *Service) Called() map[topic.ID]topic.Name {
	d := s.cfg.Design()
	all := map[topic.ID]topic.Name{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range d.Places {
		if k := s.kits[p.Account]; p.Kind == core.KitPlace && p.Account != "" && k != nil && k.Called != "" && k.Called != p.Name && d.Place(k.Called) == nil {
			all[p.Account] = k.Called
		}
	}
	return all
}

// plugged takes in which kit is on a port. The caller holds mu.
func (s *Service) plugged(d *desk) {
	for account, k := range s.kits {
		if k.port == d.name && account != d.account {
			k.port = ""
		}
	}
	k := s.kits[d.account]
	if k != nil {
		k.port = d.name
		k.Version, k.Image, k.MAC, k.Heap, k.Uptime, k.Sequence = d.id.Version, d.id.Variant, d.id.MAC, int(d.id.Heap), d.id.Uptime, d.id.Sequence
		k.Seen, k.changed = time.Now(), true
		if d.has.Name != "" {
			k.Called = topic.Name(d.has.Name)
			k.told(d.has)
		}
		k.back()
		k.Link = linkWiFi
		if d.cable() {
			k.Link, k.Address = linkCable, d.name
		}
		s.designed(k, d.id.Design)
	}
	for _, j := range s.jobs { // its board is back
		if j.desk == nil && d.setup == 0 && j.Chip.MAC == d.id.MAC && !j.Passed && j.cancel == nil {
			s.attach(j, d)
		}
	}
}

// became takes in that a board is a kit now. The caller holds mu.
func (s *Service) became(j *job, at time.Time) {
	account := topic.ID(j.written.Account)
	for other, k := range s.kits { // the board was another kit before
		if k.MAC == j.Chip.MAC && other != account {
			k.MAC, k.port, k.changed = "", "", true
		}
	}
	k := s.kits[account]
	if k == nil {
		k = &kit{Known: Known{Account: account}}
		s.kits[account] = k
	}
	k.Called, k.MAC, k.Chip, k.Pins, k.Since = topic.Name(j.written.Name), j.Chip.MAC, j.Chip.Name, j.Order.Pins, at
	k.Link, k.Design, k.Sequence = linkWiFi, j.written.DesignCRC(), j.seq
	if j.Order.Cable {
		k.Link = linkCable
	}
	k.told(j.written)
	k.place, k.want, k.sent, k.differs, k.missed, k.moving = k.Called, k.Design, 0, time.Time{}, false, moving{}
	k.problem, k.changed = core.Sentence{}, true
	if j.desk != nil {
		k.port = j.desk.name
	}
	s.names[k.Called] = account
}

// should returns what a kit of the plan should know now.
func (s *Service) should(place topic.Name, pinned []core.KitPin) (wire.Settings, bool) {
	want, ok := s.cfg.Should(place)
	if ok && want.Pins == nil {
		want.Pins = pins(pinned)
	}
	return want, ok
}

// compare finds out what kits should know by the design as it is now.
func (s *Service) compare() {
	type one struct {
		place topic.Name
		pins  []core.KitPin
		want  uint32
		twin  bool
	}
	all := map[topic.ID]*one{}
	names := map[topic.Name]topic.ID{}
	for _, p := range s.cfg.Design().Places {
		if p.Kind == core.KitPlace && p.Account != "" {
			all[p.Account] = &one{place: p.Name, twin: p.Virtual}
			names[p.Name] = p.Account
		}
	}
	s.mu.Lock()
	for account, k := range s.kits {
		if o := all[account]; o != nil {
			o.pins = k.Pins
		}
		if k.Called != "" && names[k.Called] == "" { // it still answers to its old name
			names[k.Called] = account
		}
	}
	s.mu.Unlock()
	for _, o := range all {
		if want, ok := s.should(o.place, o.pins); ok {
			o.want = want.DesignCRC()
		}
	}
	s.mu.Lock()
	for account, o := range all {
		k := s.kits[account]
		if k == nil {
			k = &kit{Known: Known{Account: account}}
			s.kits[account] = k
		}
		if k.want != o.want {
			k.differs = time.Time{}
		}
		if k.twin && !o.twin {
			k.alone = time.Now()
		}
		k.place, k.want, k.twin = o.place, o.want, o.twin
	}
	for account, k := range s.kits {
		if all[account] == nil {
			k.place, k.want = "", 0
		}
	}
	for n, account := range names {
		s.names[n] = account
	}
	for n := range s.names {
		if names[n] == "" {
			delete(s.names, n)
		}
	}
	s.mu.Unlock()
	s.tell()
}

// catchUp gives new settings to kits that are connected and have other ones than
// the design says, lets those begin anew whose twin has spoken last, and tells of what
// consoles printed.
func (s *Service) catchUp(now time.Time) {
	var send, again []topic.Name
	s.mu.Lock()
	for _, k := range s.kits {
		if !k.alone.IsZero() && now.Sub(k.alone) >= settleFor {
			k.alone = time.Time{}
			again = append(again, k.place)
		}
		switch {
		case k.want == 0 || k.Design == 0 || k.want == k.Design || k.place == "" || k.state != "ready" && k.port == "" || k.sent == k.want:
			continue
		case k.differs.IsZero():
			k.differs = now
		case now.Sub(k.differs) >= settleFor:
			k.sent = k.want
			send = append(send, k.place)
		}
	}
	printed := s.printed
	s.printed = false
	s.mu.Unlock()
	for _, place := range send {
		s.begin(func() {
			ctx, cancel := context.WithTimeout(s.ctx, 2*answerFor)
			defer cancel()
			if err := s.Send(ctx, place); err != nil && s.ctx.Err() == nil {
				s.trouble(place, failure("", err))
				s.mu.Lock()
				if k := s.speaker(place); k != nil {
					k.missed = !errors.Is(err, core.ErrInvalid) // else it heard it, and does not want it
				}
				s.mu.Unlock()
			}
		})
	}
	for _, place := range again {
		s.begin(func() {
			ctx, cancel := context.WithTimeout(s.ctx, answerFor)
			defer cancel()
			if p, err := s.real(place); err == nil && s.connected(p.Account) {
				_ = s.Restart(ctx, place) // else it tells all when it is back
			}
		})
	}
	s.tellMoved(now)
	if printed {
		s.tell()
	}
}

// begin does f in a goroutine that Run waits for, where the program does not end.
func (s *Service) begin(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() == nil {
		s.work.Go(f)
	}
}

// trouble shows what went wrong with a kit.
func (s *Service) trouble(place topic.Name, problem core.Sentence) {
	s.mu.Lock()
	if k := s.speaker(place); k != nil {
		k.problem, k.doing, k.done = problem, core.Sentence{}, 0
	}
	s.mu.Unlock()
	s.tell()
}

// save writes what kits told since the last time.
func (s *Service) save(ctx context.Context) {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	s.saveEnded(ctx)
	s.mu.Lock()
	var all []Known
	for _, k := range s.kits {
		if k.changed {
			k.changed = false
			all = append(all, k.Known)
		}
	}
	s.mu.Unlock()
	for _, k := range all {
		if err := s.cfg.Store.SaveKit(ctx, k); err != nil {
			s.cfg.Log.Warn("kits", "err", err)
			s.mu.Lock()
			if k := s.kits[k.Account]; k != nil {
				k.changed = true
			}
			s.mu.Unlock()
			return
		}
	}
}

// Kits returns all kits of the plan, in order of name.
func (s *Service) Kits() []core.RealKit {
	boards := map[topic.Name]core.Board{}
	for _, b := range s.cfg.Boards() {
		boards[b.Kit.Name] = b
	}
	newest := map[string]core.KitImage{}
	for _, variant := range []string{wifiID} { // the cable brings no update
		if i, ok := s.newest(variant); ok {
			newest[variant] = i
		}
	}
	var all []core.RealKit
	for _, p := range s.cfg.Design().Places {
		if p.Kind != core.KitPlace {
			continue
		}
		r := core.RealKit{Place: *p}
		if p.Virtual {
			r.Link = linkVirtual
			if b, ok := boards[p.Name]; ok {
				r.State, r.Problem = b.State, b.Say
			}
			all = append(all, r)
			continue
		}
		s.mu.Lock()
		k := s.kits[p.Account]
		if k != nil && p.Account != "" {
			r.Link, r.State = k.Link, k.state
			if r.State == "" && !k.Seen.IsZero() {
				r.State = "lost" // nobody heard it since the program started
			}
			r.Signal, r.Uptime, r.Heap, r.Image, r.Version = k.Signal, k.Uptime, k.Heap, k.Image, k.Version
			r.Address, r.MAC, r.Since, r.Seen = k.Address, k.MAC, k.Since, k.Seen
			r.Pins = slices.Clone(k.Pins)
			r.Waiting = k.want != 0 && k.Design != 0 && k.want != k.Design
			r.Doing, r.Done, r.Problem = k.doing, k.done, k.problem
			if r.Problem.Format == "" && r.State != "ready" {
				r.Problem = s.unfinished(k)
			}
			if r.Problem.Format == "" && r.State != "ready" {
				r.Problem = s.lost(k)
			}
			if i, ok := newest[k.Image]; ok && newer(i.Version, k.Version) {
				r.Newer = i.Version
			}
		}
		s.mu.Unlock()
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b core.RealKit) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return all
}

// real returns the account of a real kit of the plan.
func (s *Service) real(name topic.Name) (core.Place, error) {
	p := s.cfg.Design().Place(name)
	switch {
	case p == nil || p.Kind != core.KitPlace:
		return core.Place{}, core.Fail(core.ErrNotFound, "There is no kit {kit} in the plan.", "kit", name)
	case p.Virtual:
		return core.Place{}, core.Fail(core.ErrConflict, "{kit} is virtual: there is no board. Switch its virtual twin off first.", "kit", p.Title())
	case p.Account == "":
		return core.Place{}, core.Fail(core.ErrConflict, "{kit} was never set up. Plug a board in and set it up.", "kit", p.Title())
	}
	return *p, nil
}

// connected reports whether the broker has the kit now.
func (s *Service) connected(account topic.ID) bool {
	c, ok := s.cfg.Client(account)
	return ok && c.Connected
}

// away says that a kit cannot be reached.
func away(p core.Place) error {
	return core.Fail(core.ErrConflict, "{kit} is not connected. Switch it on, or plug it in here, and try again.", "kit", p.Title())
}

// do asks a kit something over MQTT and returns what it told of it: what begins with
// the first word of what was asked. It fails with core.ErrNotFound where nothing came.
func (s *Service) do(ctx context.Context, p core.Place, payload []byte) (string, error) {
	word, _, _ := strings.Cut(string(payload), " ")
	answers := make(chan string, 16)
	if err := s.ask(ctx, p, payload, answers); err != nil {
		return "", err
	}
	defer s.deaf(p.Account, answers)
	late := time.NewTimer(answerFor)
	defer late.Stop()
	for {
		select {
		case said := <-answers:
			if first, rest, _ := strings.Cut(said, " "); first == word {
				return rest, nil
			}
		case <-late.C:
			return "", core.Fail(core.ErrNotFound, "{kit} does not answer. Wait until it is back, and try again.", "kit", p.Title())
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// ask publishes to a kit's $do, where it hears it; answers gets what it tells until deaf.
func (s *Service) ask(ctx context.Context, p core.Place, payload []byte, answers chan<- string) error {
	if !s.connected(p.Account) {
		return away(p)
	}
	s.mu.Lock()
	k := s.kits[p.Account]
	owner, ok := s.cfg.Owner(p.Account)
	if k == nil || !ok {
		s.mu.Unlock()
		return away(p)
	}
	called := k.Called
	if called == "" {
		called = p.Name
	}
	if answers != nil {
		k.ears = append(k.ears, answers)
	}
	s.mu.Unlock()
	err := s.cfg.Publish(ctx, core.Message{Topic: called + "/" + core.KitAsked, Payload: payload, QoS: 1, From: core.Program, Client: Client, To: owner})
	if err != nil && answers != nil {
		s.deaf(p.Account, answers)
	}
	return err
}

func (s *Service) deaf(account topic.ID, answers chan<- string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.kits[account]; k != nil {
		k.ears = slices.DeleteFunc(k.ears, func(c chan<- string) bool { return c == answers })
	}
}

// serial returns a conversation with a kit that is plugged in where no setup has it,
// or nil.
func (s *Service) serial(ctx context.Context, account topic.ID) (*talk, error) {
	s.mu.Lock()
	var at *desk
	for _, d := range s.desks {
		if d.account == account && account != "" && d.setup == 0 {
			at = d
		}
	}
	s.mu.Unlock()
	if at == nil {
		return nil, nil
	}
	t, err := at.borrow(ctx)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// either does something with a kit by its serial port, where it is plugged in, or
// else over MQTT.
func (s *Service) either(ctx context.Context, name topic.Name, near func(*talk) error, far func(core.Place) error) error {
	p, err := s.real(name)
	if err != nil {
		return err
	}
	t, err := s.serial(ctx, p.Account)
	if err == nil && t != nil {
		if err = near(t); err == nil || !errors.Is(err, wire.ErrSilent) {
			return err
		}
	}
	if err != nil && !s.connected(p.Account) {
		return err
	}
	return far(p)
}

// Locate lets a kit blink for that many seconds, at most 255; 0 ends it.
func (s *Service) Locate(ctx context.Context, kit topic.Name, seconds int) error {
	if seconds < 0 || seconds > maxLocate {
		return core.Fail(core.ErrInvalid, "A kit blinks for at most {n} seconds.", "n", maxLocate)
	}
	return s.either(ctx, kit,
		func(t *talk) error { return t.Locate(ctx, time.Duration(seconds)*time.Second) },
		func(p core.Place) error { return s.ask(ctx, p, fmt.Appendf(nil, "locate %d", seconds), nil) })
}

// Restart starts a kit anew.
func (s *Service) Restart(ctx context.Context, kit topic.Name) error {
	return s.either(ctx, kit,
		func(t *talk) error { return t.Restart(ctx) },
		func(p core.Place) error { return s.ask(ctx, p, []byte("restart"), nil) })
}

// Send gives a kit what the plan says about it, now.
func (s *Service) Send(ctx context.Context, name topic.Name) error {
	p, err := s.real(name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	k := s.kits[p.Account]
	var pinned []core.KitPin
	if k != nil {
		pinned = k.Pins
		k.doing, k.done, k.problem = sending, -1, core.Sentence{}
	}
	s.mu.Unlock()
	s.tell()
	err = s.send(ctx, p, pinned)
	s.mu.Lock()
	if k != nil {
		k.doing, k.done = core.Sentence{}, 0
	}
	s.mu.Unlock()
	s.tell()
	return err
}

func (s *Service) send(ctx context.Context, p core.Place, pinned []core.KitPin) error {
	want, ok := s.should(p.Name, pinned)
	if !ok {
		return core.Fail(core.ErrConflict, "There is nothing to tell {kit}: it has no place in the plan, or no account.", "kit", p.Title())
	}
	if err := holds(want); err != nil {
		return err
	}
	if err := s.change(ctx, p.Name, want.DesignChange()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.kits[p.Account]; k != nil {
		k.place, k.want, k.sent, k.missed = p.Name, want.DesignCRC(), want.DesignCRC(), false
		s.designed(k, k.want)
		k.changed = true
		s.names[p.Name] = p.Account
	}
	return nil
}

// change gives a kit a change of its settings, by its serial port or over MQTT.
func (s *Service) change(ctx context.Context, name topic.Name, change []byte) error {
	_, err := s.changed(ctx, name, change)
	return err
}

// changed is change, and returns the sequence of what the kit has now.
func (s *Service) changed(ctx context.Context, name topic.Name, change []byte) (seq uint32, err error) {
	err = s.either(ctx, name, func(t *talk) error {
		seq, _, err = t.Write(ctx, change)
		return err
	}, func(p core.Place) error {
		said, err := s.do(ctx, p, append([]byte("settings "), change...))
		if err != nil {
			return err
		}
		words := strings.Fields(said)
		if len(words) == 0 || words[0] != "ok" {
			return core.Fail(core.ErrInvalid, "{kit} does not take its new settings. Update its firmware, or set it up again.", "kit", p.Title())
		}
		if len(words) > 1 {
			n, _ := strconv.ParseUint(words[1], 10, 32) // 0 is not known
			seq = uint32(n)
		}
		return nil
	})
	return seq, err
}

// Rotate gives a kit and its account a new secret. The old one is good until the
// kit has the new one.
func (s *Service) Rotate(ctx context.Context, name topic.Name) error {
	p, err := s.real(name)
	if err != nil {
		return err
	}
	secret, commit, err := s.cfg.Secret(ctx, p.Account)
	if err != nil {
		return err
	}
	change := wire.Difference(wire.Settings{}, wire.Settings{Secret: secret})
	if err := s.change(ctx, name, change); err != nil {
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitFor) // the kit has it: it must count
	defer cancel()
	return commit(last)
}

// Forget erases both slots of the settings of a kit, so that it holds no key and no
// secret any more. That its secret becomes invalid is the caller's work, also where
// this fails because the kit is away.
func (s *Service) Forget(ctx context.Context, name topic.Name) error {
	p, err := s.real(name)
	if err != nil {
		return err
	}
	err = s.either(ctx, name, func(t *talk) error { return t.Forget(ctx) }, func(p core.Place) error {
		if !s.connected(p.Account) {
			return core.Fail(core.ErrConflict, "{kit} is not connected, so it keeps its settings and the key of the network. Plug it in here to erase them.", "kit", p.Title())
		}
		said, err := s.do(ctx, p, []byte("forget"))
		if err == nil && !strings.HasPrefix(said, "ok") {
			err = core.Fail(core.ErrInvalid, "{kit} could not erase its settings. Plug it in here and try again.", "kit", p.Title())
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := s.cfg.Store.RemoveKit(ctx, p.Account); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.kits, p.Account)
	s.forgotten(p.Account)
	for _, d := range s.desks {
		if d.account == p.Account {
			d.account, d.has = "", wire.Settings{}
			d.met = false
			d.look()
		}
	}
	s.mu.Unlock()
	s.compare()
	return nil
}

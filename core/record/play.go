package record

import (
	"context"
	"errors"
	"fmt"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// Client is the MQTT Client Identifier of what is played.
const Client = "replay"

const (
	portion = 500 // messages read at a time
	maxGap  = 200 * time.Millisecond
)

// player is a replay that is under way. Service.mu guards it.
type player struct {
	core.Playing
	from      core.AccountID // publishes
	recording core.Recording
	next      int            // message that is to be played
	ahead     []core.Message // read already, from next on
	since     time.Time      // when anchor was played
	anchor    time.Duration
	jump      bool // to At: next and ahead are not known
}

// Play plays a recording again; what is played ends. It is published as the
// account of ctx (core.As), which must be allowed to, and is not retained.
func (s *Service) Play(ctx context.Context, r core.Replay) error {
	if !(r.Speed >= 0.1 && r.Speed <= 100) {
		return core.Fail(core.ErrInvalid, "The speed is {speed}. Choose one from 0.1 to 100.", "speed", r.Speed)
	}
	if !r.Kits {
		if _, err := topic.ParseName(string(r.Branch)); err != nil || r.Branch[0] == '$' {
			return core.Fail(core.ErrInvalid, "Choose a branch of its own for the replay, such as sandbox.")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.at(r.Recording)
	if err != nil {
		return err
	}
	if s.all[i].To.IsZero() {
		return core.Fail(core.ErrConflict, "This recording still runs. Stop it first.")
	}
	p := &player{Playing: core.Playing{Replay: r, Total: s.all[i].N}, from: core.Actor(ctx), recording: s.all[i]}
	p.At, p.jump = max(0, r.From), true
	s.player = p
	s.nudge()
	return nil
}

// Playing returns the replay that is under way, or that ended last.
func (s *Service) Playing() (core.Playing, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.player == nil {
		return core.Playing{}, false
	}
	return s.player.Playing, true
}

// Pause halts the replay, or lets it go on.
func (s *Service) Pause(paused bool) { s.steer(func(p *player) { p.Paused = paused }) }

// Seek goes on from that time after the beginning.
func (s *Service) Seek(at time.Duration) {
	s.steer(func(p *player) { p.At, p.jump, p.Done = max(0, at), true, false })
}

// Halt ends the replay.
func (s *Service) Halt() {
	s.steer(func(p *player) { p.Done, p.Repeat = true, false })
}

// steer changes the replay, where there is one.
func (s *Service) steer(change func(*player)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.player; p != nil {
		change(p)
		p.since, p.anchor = time.Now(), p.At
		s.nudge()
	}
}

// nudge lets the player look again.
func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
	s.cfg.Feed.Tell(core.RecordingsChanged)
}

// play plays whatever is to be played until ctx ends.
func (s *Service) play(ctx context.Context) {
	for ctx.Err() == nil {
		wait := s.step(ctx)
		if wait == 0 {
			continue
		}
		if wait < 0 {
			wait = time.Hour // until somebody asks for something
		}
		due := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-due.C:
		}
		due.Stop()
	}
}

// step plays what is due and returns how long nothing is: less than 0 is until
// somebody asks for something.
func (s *Service) step(ctx context.Context) time.Duration {
	s.mu.Lock()
	p := s.player
	if p == nil || p.Done || p.Paused {
		s.mu.Unlock()
		return -1
	}
	jump, at, next, known := p.jump, p.At, p.next, len(p.ahead) > 0
	r := p.recording
	s.mu.Unlock()
	if jump || !known {
		return s.read(ctx, p, r, jump, at, next)
	}

	s.mu.Lock()
	if s.player != p || p.jump || p.Paused || p.Done {
		s.mu.Unlock()
		return 0
	}
	m := p.ahead[0]
	offset := max(0, m.At.Sub(r.From))
	wait := time.Duration(float64(offset-p.anchor)/p.Speed) - time.Since(p.since)
	if wait > 0 {
		p.At = min(offset, p.anchor+time.Duration(float64(time.Since(p.since))*p.Speed)) // a long silence is seen to pass
		s.mu.Unlock()
		s.cfg.Feed.Tell(core.RecordingsChanged)
		return min(wait, maxGap)
	}
	p.ahead, p.next, p.At, p.Sent = p.ahead[1:], p.next+1, offset, p.Sent+1
	s.mu.Unlock()

	err := s.send(ctx, p, m)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(p, err)
	s.cfg.Feed.Tell(core.RecordingsChanged)
	return 0
}

// read gets the next messages of p.
func (s *Service) read(ctx context.Context, p *player, r core.Recording, jump bool, at time.Duration, next int) time.Duration {
	var err error
	if jump {
		next, err = s.place(ctx, r, at)
	}
	var ms []core.Message
	if err == nil {
		ms, err = s.cfg.Store.Recorded(ctx, r.ID, next, portion)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.player != p || p.At != at && p.jump {
		return 0 // another place by now
	}
	switch {
	case err != nil:
		s.fail(p, err)
	case len(ms) > 0:
		if jump {
			p.since, p.anchor = time.Now(), at
		}
		p.next, p.ahead, p.jump = next, ms, false
	case p.Repeat && next > 0:
		p.At, p.jump, p.Sent = p.From, true, 0
		p.since, p.anchor = time.Now(), p.From
		return maxGap // a recording of one moment does not spin
	default:
		p.Done, p.jump, p.At = true, false, r.To.Sub(r.From)
		s.cfg.Feed.Tell(core.RecordingsChanged)
	}
	return 0
}

// fail notes why p cannot go on. The caller holds mu.
func (s *Service) fail(p *player, err error) {
	if err == nil {
		return
	}
	var told *core.Problem
	if errors.As(err, &told) {
		p.Say = told.Sentence
	} else {
		p.Say = core.Say("The replay stopped: {reason}", "reason", err)
	}
	p.Done = true
}

// send plays one message.
func (s *Service) send(ctx context.Context, p *player, m core.Message) error {
	if p.Kits {
		s.cfg.Feel(m.Topic, string(m.Payload)) // false: nobody virtual is there, the value stays away
		return nil
	}
	n, err := topic.ParseName(string(p.Branch + "/" + m.Topic))
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return s.cfg.Publish(ctx, core.Message{Topic: n, Payload: m.Payload, QoS: m.QoS, From: p.from, Client: Client})
}

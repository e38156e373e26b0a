package kits

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	updateFor = 5 * time.Minute // that a kit may take to get an image
	silentFor = 60 * time.Second
	backFor   = 2 * time.Minute // that it may take to be back
)

// rollout is an update of several kits. Service.mu guards it.
type rollout struct {
	core.Rollout
	image core.KitImage
	stop  context.CancelFunc // nil where none runs
}

// Rollout is the update that runs, or the last one.
func (s *Service) Rollout() core.Rollout {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rollout.Rollout
	r.Kits = slices.Clone(r.Kits)
	return r
}

// StopRollout lets no further kit begin. The one at work goes on.
func (s *Service) StopRollout() {
	s.mu.Lock()
	if s.rollout.stop != nil {
		s.rollout.stop()
	}
	s.mu.Unlock()
	s.tell()
}

// Update begins an update over the air, one kit after another: the next only when
// the one before is back with the new version. It stops at the first that fails. Kits
// that are virtual, on the cable, or have the version already are left out. It
// returns at once; Rollout tells how it goes.
func (s *Service) Update(ctx context.Context, kits []topic.Name) error {
	image, ok := s.newest(wifiID)
	if !ok {
		return &core.Problem{Sentence: s.missing(wifiID), Kind: core.ErrNotFound}
	}
	if image.MD5 == "" || image.SHA256 == "" {
		return core.Fail(core.ErrInvalid, "The file of the firmware {name} is damaged. Choose another.", "name", image.Title)
	}
	var all []topic.Name
	for _, name := range kits {
		p, err := s.real(name)
		if err != nil {
			if len(kits) == 1 {
				return err
			}
			continue
		}
		s.mu.Lock()
		k := s.kits[p.Account]
		fits := k != nil && k.Image == wifiID && newer(image.Version, k.Version)
		cable := k != nil && (k.Image == wiredID || k.Link == linkCable)
		s.mu.Unlock()
		if cable && len(kits) == 1 {
			return core.Fail(core.ErrConflict, "{kit} is on the cable, which brings no update. Set it up again to flash it.", "kit", p.Title())
		}
		if fits && !cable && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		return core.Fail(core.ErrConflict, "None of these kits can have something newer than {version} over the air.", "version", image.Version)
	}
	s.mu.Lock()
	defer s.tell()
	defer s.mu.Unlock()
	if s.rollout.Running {
		return core.Fail(core.ErrConflict, "An update runs already. Wait for its end, or stop it.")
	}
	if s.ctx.Err() != nil || ctx.Err() != nil {
		return context.Canceled
	}
	stopped, stop := context.WithCancel(s.ctx)
	s.rollout = rollout{Rollout: core.Rollout{Kits: all, Version: image.Version, Running: true}, image: image, stop: stop}
	s.work.Go(func() {
		defer stop()
		problem := s.roll(stopped, all, image)
		s.mu.Lock()
		s.rollout.Running, s.rollout.Stopped, s.rollout.stop = false, problem, nil
		s.mu.Unlock()
		s.tell()
	})
	return nil
}

// roll updates kits, one after another, until stopped ends. It returns why it did
// not reach the end.
func (s *Service) roll(stopped context.Context, all []topic.Name, image core.KitImage) core.Sentence {
	for i, name := range all {
		if s.ctx.Err() == nil && stopped.Err() != nil {
			return core.Say("Stopped before {kit}. The others keep their version.", "kit", name)
		}
		s.mu.Lock()
		s.rollout.Next = i
		s.mu.Unlock()
		s.tell()
		p, err := s.real(name)
		if err == nil {
			err = s.update(s.ctx, p, image)
		}
		if err != nil {
			problem := failure("", err)
			s.trouble(name, problem)
			return problem
		}
		s.mu.Lock()
		s.rollout.Next = i + 1
		s.mu.Unlock()
	}
	return core.Sentence{}
}

// update gives a kit an image and waits until it is back with it.
func (s *Service) update(ctx context.Context, p core.Place, image core.KitImage) error {
	doing := func(say core.Sentence, percent int) {
		s.mu.Lock()
		if k := s.kits[p.Account]; k != nil {
			k.doing, k.done, k.problem = say, percent, core.Sentence{}
		}
		s.mu.Unlock()
		s.tell()
	}
	defer doing(core.Sentence{}, 0)
	doing(core.Say("It gets version {version}.", "version", image.Version), 0)
	answers := make(chan string, 256)
	began := time.Now()
	err := s.ask(ctx, p, fmt.Appendf(nil, "update %s %d %s %s", UpdatePath(image.SHA256), image.Size, image.MD5, image.Version), answers)
	if err != nil {
		return err
	}
	defer s.deaf(p.Account, answers)
	late := time.NewTimer(updateFor)
	defer late.Stop()
	silent := time.NewTimer(silentFor)
	defer silent.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for got := false; ; {
		select {
		case said := <-answers:
			word, rest, _ := strings.Cut(said, " ")
			if word != "update" {
				continue
			}
			silent.Reset(silentFor)
			what, reason, _ := strings.Cut(rest, " ")
			percent, notNumber := strconv.Atoi(what)
			switch {
			case what == "failed":
				return core.Fail(core.ErrInvalid, "{kit} did not take the update: {reason} It runs its old version.", "kit", p.Title(), "reason", reasonOf(reason))
			case what == "ok":
				got = true
				silent.Stop()
				late.Reset(backFor)
				doing(core.Say("It starts with version {version}.", "version", image.Version), -1)
			case notNumber == nil && percent >= 0 && percent <= 100:
				doing(core.Say("It gets version {version}.", "version", image.Version), percent)
			}
		case <-tick.C:
			if s.runs(p.Account, image.Version, began) {
				s.mu.Lock()
				if k := s.kits[p.Account]; k != nil {
					k.Home, k.moving.name, k.changed = "", "", true // a version that did not know a home has not kept it
				}
				s.mu.Unlock()
				return nil
			}
		case <-silent.C:
			return core.Fail(core.ErrNotFound, "{kit} said nothing about its update for a minute. Look whether it is on, and try again.", "kit", p.Title())
		case <-late.C:
			if got {
				return core.Fail(core.ErrNotFound, "{kit} has the update and did not come back with it. Look at the board; where it does not blink, set it up again.", "kit", p.Title())
			}
			return core.Fail(core.ErrNotFound, "{kit} did not get the update within {n} minutes. Bring it nearer to the access point, and try again.", "kit", p.Title(), "n", int(updateFor.Minutes()))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// runs reports whether a kit came back with a version since then.
func (s *Service) runs(account topic.ID, version string, since time.Time) bool {
	s.mu.Lock()
	k := s.kits[account]
	ok := k != nil && k.Version == version && k.state == "ready" && k.ready.After(since)
	s.mu.Unlock()
	return ok && s.connected(account)
}

// reasonOf says why a kit did not take an update, by its own word.
func reasonOf(word string) core.Sentence {
	first, rest, _ := strings.Cut(word, " ")
	switch first {
	case "connect":
		return core.Say("it does not reach the page of this PC. Let Homeroom through the firewall.")
	case "http":
		return core.Say("the page of this PC answered {status}.", "status", rest)
	case "size", "md5":
		return core.Say("what came was damaged. Try again.")
	case "space":
		return core.Say("its flash has no room for it.")
	case "write":
		return core.Say("its flash could not be written. Try again; where it fails again, take another board.")
	case "here":
		return core.Say("its firmware takes no updates over the air. Plug it in and set it up again.")
	}
	return core.Say("it says {reason}.", "reason", word)
}

package kits

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	shownMade = 500 // setups that are in memory
	readMade  = 500 // that are read at once to be written
)

// account returns what became of j, and whether that is to be kept. The caller
// holds mu.
func (s *Service) account(j *job, now time.Time) (m Made, worth bool) {
	if !j.begun || j.Ended.IsZero() {
		return m, false
	}
	m = Made{ID: j.ID, At: now, Kit: j.Order.Kit, Account: topic.ID(j.written.Account), MAC: j.Chip.MAC, Chip: j.Chip.Name, Image: j.Order.Image,
		Step: j.Step, Passed: j.Passed, Problem: core.Sentence{Format: j.Problem.Format}}
	for _, a := range j.Problem.Args { // as text: nobody can read values of any type back
		m.Problem.Args = append(m.Problem.Args, fmt.Sprint(a))
	}
	if version, ok := strings.CutPrefix(j.Firmware, "Homeroom "); ok {
		m.Version, _, _ = strings.Cut(version, " ")
	}
	levels := m.Kit.Split()
	m.Team = topic.ID(levels[0])
	if len(levels) > 2 {
		m.Room = strings.Join(levels[1:len(levels)-1], "/")
	}
	for i, old := range s.made {
		if old.ID == m.ID {
			s.made[i] = m
			return m, true
		}
	}
	s.made = append([]Made{m}, s.made[:min(len(s.made), shownMade-1)]...)
	return m, true
}

// keepMade stores what became of a setup.
func (s *Service) keepMade(m Made) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), maxWorking)
	defer cancel()
	if err := s.cfg.Store.SaveMade(ctx, m); err != nil {
		s.cfg.Log.Warn("kits", "err", err)
	}
}

// keepLeft stores that a person closed a setup that did not end, unless its board
// counts by now.
func (s *Service) keepLeft(b Begun) {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	s.mu.Lock()
	last, still := s.begun[b.Chip.MAC]
	s.mu.Unlock()
	if !still || !last.At.Equal(b.At) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), maxWorking)
	defer cancel()
	if err := s.cfg.Store.SaveBegun(ctx, b); err != nil {
		s.cfg.Log.Warn("kits", "err", err)
	}
}

// Made returns the setups that were done, failed or not, the newest first, at most
// 500.
func (s *Service) Made() []core.Setup {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]core.Setup, 0, len(s.made))
	for _, m := range s.made {
		c := core.Setup{ID: m.ID, Order: core.SetupOrder{Kit: m.Kit, Image: m.Image}, Chip: core.KitChip{Name: m.Chip, MAC: m.MAC},
			Step: m.Step, Started: m.At, Ended: m.At, Problem: m.Problem, Passed: m.Passed}
		if m.Version != "" {
			c.Firmware = "Homeroom " + m.Version
		}
		all = append(all, c)
	}
	return all
}

// written waits until what is over is in the store.
func (s *Service) written() {
	s.writing.Lock()
	defer s.writing.Unlock()
}

// WriteMade writes what was made as CSV, the newest first: time (RFC 3339), kit,
// account, team, room, MAC, chip, image, version, result. A cell that a spreadsheet
// could take for a formula begins with an apostrophe.
func (s *Service) WriteMade(ctx context.Context, w io.Writer) error {
	s.written()
	out := csv.NewWriter(w)
	_ = out.Write([]string{"time", "kit", "account", "team", "room", "mac", "chip", "image", "version", "result"}) // Flush below says what went wrong
	for before := int64(0); ; {
		some, err := s.cfg.Store.MadeKits(ctx, before, readMade)
		if err != nil {
			return fmt.Errorf("kits: %w", err)
		}
		for _, m := range some {
			result := "ok"
			if !m.Passed {
				result = string(m.Step)
				if m.Problem.Format != "" {
					result += ": " + m.Problem.String()
				}
			}
			row := []string{m.At.Local().Format(time.RFC3339), string(m.Kit), string(m.Account), string(m.Team), m.Room, m.MAC, m.Chip, m.Image, m.Version, result}
			for i := range row {
				row[i] = plain(row[i])
			}
			_ = out.Write(row)
			before = m.ID
		}
		if len(some) < readMade {
			break
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("kits: %w", err)
	}
	return nil
}

// plain makes a spreadsheet take s for a text.
func plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

package plan

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// hanging is what goes with things that are moved or removed, or depends on them.
type hanging struct {
	core.Effect
	places []topic.Name
	rules  []*core.Rule
	alarms []*core.Alarm
}

// add counts what the plan tells of one thing, and what the design says of it.
func (h *hanging) add(d *core.Design, n topic.Name, e core.Effect) {
	h.Topics = append(h.Topics, e.Topics...)
	h.Readings += e.Readings
	h.Joins += e.Joins
	h.Retained += e.Retained
	h.Grants = append(h.Grants, e.Grants...)
	h.Subscribers = append(h.Subscribers, e.Subscribers...)
	for _, p := range d.Places {
		if core.Within(p.Name, n) {
			h.places = append(h.places, p.Name)
		}
	}
	for _, r := range rulesOn(d, n) {
		if !slices.Contains(h.rules, r) {
			h.rules = append(h.rules, r)
		}
	}
	for _, a := range alarmsOn(d, n) {
		if !slices.Contains(h.alarms, a) {
			h.alarms = append(h.alarms, a)
		}
	}
}

// lines says what there is of it, one thing a line.
func (h *hanging) lines(moved bool) []string {
	var ls []string
	some := func(n int, line string, names []string) {
		if n == 0 {
			return
		}
		const most = 4
		list := strings.Join(names[:min(len(names), most)], ", ")
		if len(names) > most {
			list += ", …"
		}
		if list != "" {
			line += ": " + list
		}
		ls = append(ls, line)
	}
	names := func(ns []topic.Name) (s []string) {
		for _, n := range ns {
			s = append(s, string(n))
		}
		return s
	}
	some(len(h.places), lang.L("Places and kits ({n})", "n", len(h.places)), names(h.places))
	some(len(h.Topics), lang.L("Topics ({n})", "n", len(h.Topics)), names(h.Topics))
	some(int(min(h.Readings, 1<<30)), lang.L("Recorded values ({n})", "n", widget.Number(uint64(h.Readings))), nil)
	some(h.Retained, lang.L("Retained messages ({n})", "n", h.Retained), nil)
	if moved && h.Joins > 0 {
		some(1, lang.L("Values at the new name, which they will be mixed with ({n})", "n", widget.Number(uint64(h.Joins))), nil)
	}
	var who []string
	for _, g := range h.Grants {
		who = append(who, g.Pattern)
	}
	some(len(who), lang.L("Permissions that write the name and stay as they are ({n})", "n", len(who)), who)
	who = nil
	for _, c := range h.Subscribers {
		who = append(who, widget.OneLine(c.ID))
	}
	some(len(who), lang.L("Clients that subscribe to it ({n})", "n", len(who)), who)
	who = nil
	for _, r := range h.rules {
		who = append(who, r.Title())
	}
	if moved {
		some(len(who), lang.L("Rules, which follow ({n})", "n", len(who)), who)
	} else {
		some(len(who), lang.L("Rules that use it ({n})", "n", len(who)), who)
	}
	who = nil
	for _, a := range h.alarms {
		who = append(who, a.Title())
	}
	some(len(who), lang.L("Alarms that watch it ({n})", "n", len(who)), who)
	return ls
}

// preview asks, with what goes along.
func (s *Screen) preview(title, text, yes string, danger bool, h *hanging, do func()) {
	rows := []fyne.CanvasObject{widget.Text(text)}
	for _, l := range h.lines(!danger) {
		rows = append(rows, container.NewBorder(nil, nil, container.NewCenter(fw.NewIcon(theme.NavigateNextIcon())), nil, widget.Text(l)))
	}
	body := container.NewVBox(widget.Middle(440, rows...))
	d := dialog.NewCustomConfirm(title, yes, lang.L("Cancel"), widget.Scroll(body), func(ok bool) {
		if ok {
			do()
		} else {
			s.restore()
		}
	}, s.sh.Window())
	if danger {
		d.SetConfirmImportance(fw.DangerImportance)
	}
	room := s.sh.Window().Canvas().Size()
	d.Resize(fyne.NewSize(min(520, room.Width-40), min(body.MinSize().Height+160, room.Height-40)))
	d.Show()
	if c := s.sh.Window().Canvas(); c.Overlays().Top() != nil { // wrapped text knows its height only now
		d.Resize(fyne.NewSize(min(520, room.Width-40), min(body.MinSize().Height+160, room.Height-40)))
	}
}

// restore shows the canvas as the design is, whatever a person dragged there.
func (s *Screen) restore() { s.house.SetScene(s.pic.HouseScene) }

// made counts the edits that some work made, so that they can be taken back.
type made struct {
	plan Plan
	ids  []int64
}

// note remembers the edit that was just made.
func (m *made) note() {
	if undo, _ := m.plan.Edits(); len(undo) > 0 && !slices.Contains(m.ids, undo[0].ID) {
		m.ids = append(m.ids, undo[0].ID)
	}
}

// undo takes all of them back, the newest first, unless something was changed since.
func (m *made) undo(ctx context.Context) error {
	for _, id := range slices.Backward(m.ids) {
		if undo, _ := m.plan.Edits(); len(undo) == 0 || undo[0].ID != id {
			return core.Fail(core.ErrConflict, "Something else was changed since. Undo that first, with the arrow above the plan.")
		}
		if _, err := m.plan.Undo(ctx); err != nil {
			return err
		}
	}
	return nil
}

// remove is part of editor.
func (s *Screen) remove(items ...item) {
	d := s.d
	strange := ""
	items = slices.DeleteFunc(outermost(items), func(i item) bool {
		stray := d.Place(i.name()) == nil && d.Topic(i.name()) == nil && !(&maker{d: d}).begins(i.name())
		if stray {
			strange = string(i.name())
		}
		return stray
	})
	switch {
	case len(items) == 0 && strange != "":
		s.sh.Tell(lang.L("{name} is not designed, so there is nothing to remove.", "name", widget.OneLine(strange)))
		return
	case len(items) == 0:
		return
	}
	s.sh.Do(func(ctx context.Context) (func(), error) {
		var h hanging
		for _, i := range items {
			e, err := s.parts.Plan.RemoveTopics(ctx, i.name(), false)
			if err != nil && !errors.Is(err, core.ErrNotFound) {
				return nil, err
			}
			h.add(d, i.name(), e)
		}
		return func() {
			what := quoted(d, items)
			s.preview(lang.L("Remove {what}?", "what", what), lang.L("This goes with it. For ten minutes it can be undone."), lang.L("Remove"), true, &h, func() { s.removeNow(d, items, what) })
		}, nil
	})
}

// removeNow removes what was asked about.
func (s *Screen) removeNow(d *core.Design, items []item, what string) {
	s.sh.Do(func(ctx context.Context) (func(), error) {
		done := made{plan: s.parts.Plan}
		for _, i := range items {
			_, err := s.parts.Plan.RemoveTopics(ctx, i.name(), true)
			if errors.Is(err, core.ErrNotFound) && d.Place(i.name()) != nil { // a room without a topic
				b := core.Batch{Say: core.Say("{name} removed", "name", i.name())}
				for _, p := range d.Places {
					if core.Within(p.Name, i.name()) {
						b.RemovePlaces = append(b.RemovePlaces, p.Name)
					}
				}
				err = s.parts.Plan.Change(ctx, b)
			}
			if err != nil {
				return nil, err
			}
			done.note()
		}
		return func() {
			s.together(done.ids)
			s.sh.Refresh()
			s.sh.TellUndo(lang.L("Removed {what}", "what", what), done.undo)
		}, nil
	})
}

// quoted names items in a sentence.
func quoted(d *core.Design, items []item) string {
	if len(items) != 1 {
		return lang.L("{n} things", "n", len(items))
	}
	if p := d.Place(items[0].place); items[0].place != "" && p != nil {
		return p.Title()
	}
	return string(items[0].name())
}

// step is one move: a new name, and where it is drawn then.
type step struct {
	from, to topic.Name
	placed   bool
	x, y     float64
}

// move is part of editor.
func (s *Screen) move(from, to topic.Name) {
	if from != to {
		s.moveAll([]step{{from: from, to: to}}, core.Batch{})
	}
}

// moveAll makes the moves and then draws, asking first where something would
// break or become one.
func (s *Screen) moveAll(steps []step, draw core.Batch) {
	d := s.d
	s.sh.Do(func(ctx context.Context) (func(), error) {
		var h hanging
		risky := false
		for _, m := range steps {
			e, err := s.parts.Plan.MoveTopics(ctx, m.from, m.to, false)
			if err != nil && !(errors.Is(err, core.ErrNotFound) && d.Place(m.from) != nil) {
				return s.failed(err), nil
			}
			h.add(d, m.from, e)
			risky = risky || breaks(d, m.from, e)
		}
		now := func() { s.moveNow(d, steps, draw) }
		if !risky {
			return now, nil
		}
		return func() {
			s.preview(lang.L("Move {what}?", "what", moving(d, steps)),
				lang.L("These know it by its old name, {name}, or become one with what is at the new. The old name answers for a while.", "name", steps[0].from),
				lang.L("Move"), false, &h, now)
		}, nil
	})
}

// failed returns what shows the house as it is, and says why it is not otherwise.
func (s *Screen) failed(err error) func() {
	return func() {
		s.restore()
		s.sh.Do(func(context.Context) (func(), error) { return nil, err })
	}
}

// breaks reports whether moving n mixes readings, or leaves behind somebody who
// knows it by its name: a permission, or a client whose kit is not what moves.
func breaks(d *core.Design, n topic.Name, e core.Effect) bool {
	if e.Joins > 0 || len(e.Grants) > 0 {
		return true
	}
	for _, c := range e.Subscribers {
		for _, f := range c.Filters {
			if exact := topic.Name(f); !strings.ContainsAny(f, "+#") && core.Within(exact, n) && !virtualIn(d, n, c.ID) {
				return true
			}
		}
	}
	return false
}

// virtualIn reports whether a client is a virtual kit at or below n, which
// follows its drawing: core/sim calls it by its account.
func virtualIn(d *core.Design, n topic.Name, client string) bool {
	return slices.ContainsFunc(d.Places, func(p *core.Place) bool {
		return p.Virtual && core.Within(p.Name, n) && p.Account != "" && string(p.Account)+"-virtual" == client
	})
}

func moving(d *core.Design, steps []step) string {
	items := make([]item, len(steps))
	for i, m := range steps {
		items[i] = item{place: m.from}
	}
	return quoted(d, items)
}

// moveNow makes the moves.
func (s *Screen) moveNow(d *core.Design, steps []step, draw core.Batch) {
	after := slices.Clone(s.choice) // what is chosen now stays so by its new name
	for i, c := range after {
		for _, m := range steps {
			switch {
			case c.place != "" && core.Within(c.place, m.from):
				after[i].place = rebase(c.place, m.from, m.to)
			case c.topic != "" && core.Within(c.topic, m.from):
				after[i].topic = rebase(c.topic, m.from, m.to)
			}
		}
	}
	s.sh.Do(func(ctx context.Context) (func(), error) {
		done := made{plan: s.parts.Plan}
		err := func() error {
			for _, m := range steps {
				_, err := s.parts.Plan.MoveTopics(ctx, m.from, m.to, true)
				if errors.Is(err, core.ErrNotFound) && d.Place(m.from) != nil { // nothing has a topic there yet
					err = s.parts.Plan.Change(ctx, renamed(d, m.from, m.to))
				}
				if err != nil {
					return err
				}
				done.note()
			}
			for _, m := range steps {
				if p := s.parts.Plan.Design().Place(m.to); p != nil && m.placed && (p.X != m.x || p.Y != m.y) {
					c := *p
					c.X, c.Y = m.x, m.y
					draw.Places = append(draw.Places, c)
				}
			}
			if len(draw.Places) == 0 {
				return nil
			}
			draw.Say = core.Say("{name} placed", "name", cmp.Or(steps[0].to, draw.Places[0].Name))
			if err := s.parts.Plan.Change(ctx, draw); err != nil {
				return err
			}
			done.note()
			return nil
		}()
		if err != nil {
			return s.failed(err), nil
		}
		return func() {
			s.choosing = after
			s.together(done.ids)
			s.sh.Refresh()
			s.sh.TellUndo(told(steps), done.undo)
		}, nil
	})
}

// told says what was moved.
func told(steps []step) string {
	if len(steps) != 1 {
		return lang.L("Moved {n} things", "n", len(steps))
	}
	return lang.L("{from} was moved to {to}", "from", steps[0].from, "to", steps[0].to)
}

// renamed gives a place without topics, and those in it, another name.
func renamed(d *core.Design, from, to topic.Name) core.Batch {
	b := core.Batch{Say: core.Say("{from} renamed to {to}", "from", from, "to", to)}
	for _, p := range d.Places {
		if core.Within(p.Name, from) {
			c := *p
			c.Name = rebase(p.Name, from, to)
			b.RemovePlaces = append(b.RemovePlaces, p.Name)
			b.Places = append(b.Places, c)
		}
	}
	return b
}

package settings

import (
	"context"
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// limit is one field of core.Limits as a person writes it.
type limit struct {
	name     string
	per      int // what the field holds is this many times what is written
	min, max int // as written
	of       func(*core.Limits) *int
	entry    *widget.Entry
}

// limits is the card about what an account may ask of the broker.
type limits struct {
	s       *Screen
	box     *fyne.Container
	all     []*limit
	problem *widget.Note
	save    *fw.Button
	reset   *fw.Button
}

func newLimits(s *Screen) *limits {
	const kb = 1 << 10
	d := core.DefaultLimits()
	l := &limits{s: s, problem: widget.NewNote("", fw.WarningImportance)}
	l.all = []*limit{
		{lang.L("Messages a second"), 1, 1, 1_000_000, func(v *core.Limits) *int { return &v.Messages }, nil},
		{lang.L("KB a second"), kb, 1, 1 << 20, func(v *core.Limits) *int { return &v.Bytes }, nil},
		{lang.L("Connections at once"), 1, 1, 10_000, func(v *core.Limits) *int { return &v.Connections }, nil},
		{lang.L("Largest packet, KB"), kb, 1, d.Packet / kb, func(v *core.Limits) *int { return &v.Packet }, nil},
		{lang.L("Queue of a client, KB"), kb, 64, 1 << 20, func(v *core.Limits) *int { return &v.Queue }, nil},
	}
	fields := widget.Columns(170)
	for _, f := range l.all {
		f.entry = widget.NewEntry()
		f.entry.OnChanged = func(string) { l.check() }
		fields.Add(widget.Field(f.name, f.entry, lang.L("Usually {n}.", "n", f.text(d))))
	}
	l.problem.Hide()
	l.save = fw.NewButtonWithIcon(lang.L("Save limits"), theme.DocumentSaveIcon(), l.saveAll)
	l.save.Importance = fw.HighImportance
	l.reset = fw.NewButtonWithIcon(lang.L("Back to defaults"), theme.ContentUndoIcon(), l.resetAll)
	l.box = container.NewVBox(
		widget.Muted(lang.L("A class does not meet these; a sketch that runs wild does. What is too fast waits, and is not lost. They hold at once.")),
		fields, l.problem, container.NewHBox(l.save, l.reset))
	return l
}

// show puts v into the fields.
func (l *limits) show(v core.Limits) {
	for _, f := range l.all {
		f.entry.SetText(f.text(v))
	}
	l.check()
}

func (f *limit) text(v core.Limits) string { return strconv.Itoa(*f.of(&v) / f.per) }

// read returns what is written, and what is wrong with it or "".
func (l *limits) read() (v core.Limits, problem string) {
	v = l.s.shown.Limits
	for _, f := range l.all {
		if f.entry.Text == f.text(v) {
			continue // and keeps what is no whole number of the unit
		}
		n, err := strconv.Atoi(f.entry.Text)
		if err != nil || n < f.min || n > f.max {
			return v, lang.L("{name}: write a number from {min} to {max}.", "name", f.name, "min", f.min, "max", f.max)
		}
		*f.of(&v) = n * f.per
	}
	if v.Queue < v.Packet {
		return v, lang.L("The queue must have room for the largest packet.")
	}
	return v, ""
}

// check tells what is wrong, and enables what there is to do.
func (l *limits) check() {
	v, problem := l.read()
	l.problem.Text.SetText(problem)
	l.s.reveal(l.problem, problem != "")
	widget.SetEnabled(l.save, problem == "" && v != l.s.shown.Limits)
	widget.SetEnabled(l.reset, l.s.shown.Limits != core.DefaultLimits())
}

func (l *limits) saveAll() {
	v, problem := l.read()
	if problem != "" {
		return
	}
	l.s.save(func(s *core.Settings) { s.Limits = v }, func() {
		l.show(v)
		l.s.shell.Tell(lang.L("Saved. The new limits hold from now on."))
	})
}

// resetAll saves the defaults.
func (l *limits) resetAll() {
	was := l.s.shown.Limits
	l.s.save(func(s *core.Settings) { s.Limits = core.DefaultLimits() }, func() {
		l.show(core.DefaultLimits())
		l.s.shell.TellUndo(lang.L("The limits are as at first"), func(ctx context.Context) error {
			s := l.s.store.Settings()
			s.Limits = was
			return l.s.store.SetSettings(ctx, s)
		})
	})
}

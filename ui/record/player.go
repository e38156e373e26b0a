package record

import (
	"context"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// sandbox is the branch into which a replay goes where nobody types another.
const sandbox = "sandbox"

// buildPlayer returns the right side.
func (s *Screen) buildPlayer() fyne.CanvasObject {
	s.title = widget.Cell("")
	s.title.TextStyle.Bold, s.title.SizeName = true, theme.SizeNameSubHeadingText
	s.about = widget.Cell("")
	s.about.Importance = fw.LowImportance
	s.stop = fw.NewButtonWithIcon(lang.L("Stop recording"), theme.MediaStopIcon(), s.end)
	s.stop.Importance = fw.DangerImportance
	s.remove = fw.NewButtonWithIcon(lang.L("Remove"), theme.DeleteIcon(), s.ask)
	head := container.NewBorder(nil, nil, nil, container.NewHBox(s.stop, s.remove), container.New(layout.NewCustomPaddedVBoxLayout(-8), s.title, s.about))

	s.strip = newStrip(s.seek)
	s.clock = fw.NewLabel("")
	s.clock.TextStyle.Monospace = true
	s.play = fw.NewButtonWithIcon(lang.L("Play"), theme.MediaPlayIcon(), s.toggle)
	s.play.Importance = fw.HighImportance
	s.halt = fw.NewButtonWithIcon("", theme.MediaStopIcon(), func() {
		s.player.Halt()
		s.shell.Refresh()
	})
	s.speed = fw.NewSelect([]string{"½ ×", "1 ×", "2 ×", "10 ×"}, nil)
	s.speed.SetSelectedIndex(1)
	s.branch = widget.NewEntry()
	s.branch.SetText(sandbox)
	s.into = fw.NewSelect([]string{lang.L("into the branch"), lang.L("into virtual kits")}, func(string) {
		widget.SetVisible(s.branch, s.into.SelectedIndex() == 0)
	})
	s.into.SetSelectedIndex(0)
	s.repeat = fw.NewCheck(lang.L("again and again"), nil)
	back := fw.NewButtonWithIcon("", theme.NavigateBackIcon(), func() { s.step(-1) })
	forth := fw.NewButtonWithIcon("", theme.NavigateNextIcon(), func() { s.step(+1) })
	tools := container.NewHBox(s.play, s.halt, back, forth, s.clock)
	target := container.NewHBox(s.speed, widget.Wide(190, s.into), widget.Wide(130, s.branch), s.repeat)
	s.problem = widget.NewNote("", fw.WarningImportance)
	s.problem.Hide()

	s.table = fw.NewList(func() int { return len(s.vs) }, func() fyne.CanvasObject {
		at := widget.Cell("")
		at.Importance, at.TextStyle.Monospace = fw.LowImportance, true
		v := widget.Cell("")
		v.TextStyle.Bold = true
		return widget.Row([]float32{5, 4, 2}, widget.Cell(""), v, at)
	}, s.setValue)
	s.hint = widget.Muted("")
	values := container.NewBorder(s.hint, nil, nil, nil, s.table)
	return widget.NewSurface(theme.ColorNameOverlayBackground, container.NewBorder(
		container.NewVBox(head, s.strip, tools, target, s.problem, fw.NewSeparator()), nil, nil, nil, values))
}

func (s *Screen) setValue(i fw.ListItemID, o fyne.CanvasObject) {
	if i >= len(s.vs) {
		return
	}
	v, cells := s.vs[i], o.(*fyne.Container).Objects
	widget.SetText(cells[0].(*fw.Label), widget.Visible(string(v.name), false))
	said, at := "–", ""
	if v.known {
		said, at = widget.OneLine(v.value), length(v.at)
	}
	widget.SetText(cells[1].(*fw.Label), said)
	widget.SetText(cells[2].(*fw.Label), at)
	name, bold := cells[0].(*fw.Label), fw.MediumImportance
	if !v.known {
		bold = fw.LowImportance
	}
	if name.Importance != bold {
		name.Importance = bold
		name.Refresh()
	}
}

// drawPlayer shows r.
func (s *Screen) drawPlayer(r core.Recording) {
	widget.SetText(s.title, r.Name)
	widget.SetText(s.about, describe(r)+" · "+widget.Bytes(r.Bytes))
	running, mine := r.To.IsZero(), s.playing()
	widget.SetVisible(s.stop, running)
	widget.SetEnabled(s.play, !running && s.film != nil)
	widget.SetEnabled(s.halt, mine)
	text, icon := lang.L("Play"), theme.MediaPlayIcon()
	if mine && !s.now.Paused {
		text, icon = lang.L("Pause"), theme.MediaPauseIcon()
	}
	if s.play.Text != text {
		s.play.Text, s.play.Icon = text, icon
		s.play.Refresh()
	}
	for _, o := range []fyne.Disableable{s.speed, s.into, s.branch, s.repeat} {
		widget.SetEnabled(o, !mine) // of a replay that is under way they stay
	}
	told := ""
	if s.now.Recording == r.ID && s.now.Say.Format != "" {
		told = lang.Say(s.now.Say)
	}
	widget.SetVisible(s.problem, told != "")
	widget.SetText(s.problem.Text, told)
	hint := lang.L("What every topic had at this moment")
	if running {
		hint = lang.L("It is being recorded. Stop it to look through it and to play it again.")
	}
	widget.SetText(s.hint, hint)
	s.strip.set(s.film, s.at)
	if s.film == nil {
		widget.SetText(s.clock, length(time.Since(r.From)))
		if !running {
			widget.SetText(s.clock, "…")
		}
		s.vs = nil
		s.table.Refresh()
		return
	}
	vs, n := s.film.values(s.at)
	s.vs = vs
	widget.SetText(s.clock, length(s.at)+" / "+length(s.film.length)+"   "+lang.L("{n} of {all}", "n", n, "all", len(s.film.frames)))
	s.table.Refresh()
}

// seek looks at another moment, and plays on from there.
func (s *Screen) seek(at time.Duration) {
	s.at = at
	if s.playing() {
		s.player.Seek(at)
	}
	s.draw()
}

// step goes to the next message, or the one before.
func (s *Screen) step(by int) {
	if s.film != nil {
		s.seek(s.film.next(s.at, by))
	}
}

// toggle plays, or halts for a while.
func (s *Screen) toggle() {
	if s.playing() {
		s.player.Pause(!s.now.Paused)
		s.shell.Refresh()
		return
	}
	r := s.replay()
	s.shell.Do(func(ctx context.Context) (func(), error) {
		return s.shell.Refresh, s.player.Play(ctx, r)
	})
}

// end ends the recording.
func (s *Screen) end() {
	id := s.chosen
	s.shell.Do(func(ctx context.Context) (func(), error) {
		return s.shell.Refresh, s.recorder.Stop(ctx, id)
	})
}

// ask asks, and removes the recording.
func (s *Screen) ask() {
	r, ok := s.recording()
	if !ok {
		return
	}
	widget.Confirm(s.shell, lang.L("Remove {name}?", "name", r.Name), lang.L("What was recorded goes for good. The history of its topics stays."), lang.L("Remove"), func() {
		s.shell.Do(func(ctx context.Context) (func(), error) {
			if err := s.recorder.Remove(ctx, r.ID); err != nil {
				return nil, err
			}
			return func() {
				s.choose(0)
				s.list.UnselectAll()
				s.shell.Refresh()
			}, nil
		})
	})
}

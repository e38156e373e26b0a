// Package record is the screen on which what is published is recorded, looked
// through, and played again: into a branch of its own, or into virtual kits.
package record

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// Recorder records.
type Recorder interface {
	Recordings() []core.Recording // newest first
	Start(ctx context.Context, name string, f topic.Filter) (core.Recording, error)
	Stop(ctx context.Context, id int64) error
	Remove(ctx context.Context, id int64) error
}

// Player plays what was recorded.
type Player interface {
	// Recorded returns messages of a recording from that time on.
	Recorded(ctx context.Context, id int64, from time.Duration, limit int) ([]core.Message, error)
	Play(ctx context.Context, r core.Replay) error
	Playing() (core.Playing, bool)
	Halt()
	Steering
}

// Steering changes what is played.
type Steering interface {
	Pause(paused bool)
	Seek(at time.Duration)
}

// most messages are looked through; a recording has no more.
const most = 200_000

// speeds are offered for a replay.
var speeds = []float64{0.5, 1, 2, 10}

// Screen shows recordings. Its fields belong to the UI goroutine.
type Screen struct {
	recorder Recorder
	player   Player
	shell    widget.Shell
	content  fyne.CanvasObject

	all    []core.Recording
	chosen int64 // recording, 0 is none
	film   *film // of chosen, nil until it is read
	asked  int64 // recording whose film is being read
	at     time.Duration
	now    core.Playing // as loaded last
	vs     []value

	name, filter *widget.Entry
	record       *fw.Button
	list         *fw.List
	none, some   fyne.CanvasObject // at the right
	left         *fyne.Container

	title, about, clock *fw.Label
	hint                *fw.Label // above the values
	strip               *strip
	play, halt          *fw.Button
	stop, remove        *fw.Button
	speed, into         *fw.Select
	branch              *widget.Entry
	repeat              *fw.Check
	problem             *widget.Note
	table               *fw.List
}

// New returns the screen.
func New(r Recorder, p Player, shell widget.Shell) *Screen {
	s := &Screen{recorder: r, player: p, shell: shell}
	s.name = widget.NewEntry()
	s.name.SetPlaceHolder(lang.L("The lamp that goes on by itself"))
	s.filter = widget.NewEntry()
	s.filter.SetText("#")
	s.record = fw.NewButtonWithIcon(lang.L("Record"), theme.MediaRecordIcon(), s.start)
	s.record.Importance = fw.HighImportance
	s.name.OnSubmitted = func(string) { s.start() }
	s.filter.OnSubmitted = s.name.OnSubmitted
	form := widget.Card(lang.L("New recording"), container.NewVBox(
		widget.Field(lang.L("Name"), s.name, ""),
		widget.Field(lang.L("Topics"), s.filter, lang.L("A topic filter: + is one level, # all that follow.")),
		s.record))
	s.list = fw.NewList(func() int { return len(s.all) }, s.newRow, s.setRow)
	s.list.OnSelected = func(i fw.ListItemID) {
		if i < len(s.all) {
			s.choose(s.all[i].ID)
		}
	}
	s.left = container.NewStack(s.list)
	side := container.NewBorder(form, nil, nil, nil, widget.Card(lang.L("Recordings"), s.left))
	s.none = widget.NewSurface(theme.ColorNameOverlayBackground, widget.Empty(theme.MediaRecordIcon(), lang.L("Show what happened again"),
		lang.L("Record a few minutes, then go through them step by step, or play them again as often as you like: into a branch of their own, or into virtual kits."), nil))
	s.some = s.buildPlayer()
	body := container.NewHSplit(side, container.NewStack(s.none, s.some))
	body.Offset = 0.3
	s.content = widget.Page(s.Title(), nil, body)
	s.draw()
	return s
}

// Title is the screen's name.
func (s *Screen) Title() string { return lang.L("Recordings") }

// Icon is the screen's picture in the navigation.
func (s *Screen) Icon() fyne.Resource { return theme.MediaRecordIcon() }

// Content is the screen.
func (s *Screen) Content() fyne.CanvasObject { return s.content }

// Stale is what makes the screen out of date.
func (s *Screen) Stale() core.Change { return core.RecordingsChanged }

// Load reads what there is and what is played.
func (s *Screen) Load(context.Context) (show func(), err error) {
	all := s.recorder.Recordings()
	now, _ := s.player.Playing()
	return func() {
		s.all, s.now = all, now
		if s.playing() {
			s.at = now.At
		}
		s.list.Refresh()
		s.draw()
	}, nil
}

// recording returns the chosen one.
func (s *Screen) recording() (core.Recording, bool) {
	i := slices.IndexFunc(s.all, func(r core.Recording) bool { return r.ID == s.chosen })
	if i < 0 {
		return core.Recording{}, false
	}
	return s.all[i], true
}

// playing reports whether the chosen recording is played now.
func (s *Screen) playing() bool {
	return s.chosen != 0 && s.now.Recording == s.chosen && !s.now.Done
}

func (s *Screen) newRow() fyne.CanvasObject {
	name, about := widget.Cell("template"), widget.Cell("template")
	name.TextStyle.Bold = true
	about.Importance, about.SizeName = fw.LowImportance, theme.SizeNameCaptionText
	return container.NewBorder(nil, nil, container.NewCenter(widget.NewDot(theme.ColorNameDisabled)), nil, container.NewVBox(name, about))
}

func (s *Screen) setRow(i fw.ListItemID, o fyne.CanvasObject) {
	if i >= len(s.all) {
		return
	}
	r, row := s.all[i], o.(*fyne.Container)
	lines := row.Objects[0].(*fyne.Container).Objects
	dot := row.Objects[1].(*fyne.Container).Objects[0].(*widget.Dot)
	lines[0].(*fw.Label).SetText(r.Name)
	lines[1].(*fw.Label).SetText(describe(r))
	dot.Set(theme.ColorNameDisabled)
	switch {
	case r.To.IsZero():
		dot.Set(theme.ColorNameError)
	case s.now.Recording == r.ID && !s.now.Done:
		dot.Set(theme.ColorNameSuccess)
	}
}

// describe says when, how long and how much.
func describe(r core.Recording) string {
	parts := []string{r.From.Local().Format("02.01. 15:04:05")}
	if r.To.IsZero() {
		parts = append(parts, lang.L("is recording"))
	} else {
		parts = append(parts, length(r.To.Sub(r.From)))
	}
	parts = append(parts, lang.L("{n} messages", "n", widget.Number(uint64(r.N))), string(r.Filter))
	if r.Full {
		parts = append(parts, lang.L("full"))
	}
	return strings.Join(parts, " · ")
}

// length writes a time within a recording: minutes, seconds and tenths.
func length(d time.Duration) string {
	d = max(0, d)
	return fmt.Sprintf("%02d:%02d.%d", int(d.Minutes()), int(d.Seconds())%60, d.Milliseconds()/100%10)
}

// start records.
func (s *Screen) start() {
	name, text := strings.TrimSpace(s.name.Text), strings.TrimSpace(s.filter.Text)
	if name == "" {
		name = lang.L("Recording of {time}", "time", time.Now().Format("15:04"))
	}
	s.shell.Do(func(ctx context.Context) (func(), error) {
		r, err := s.recorder.Start(ctx, name, topic.Filter(text))
		if err != nil {
			return nil, err
		}
		return func() {
			s.name.SetText("")
			s.choose(r.ID)
			s.shell.Refresh()
		}, nil
	})
}

// choose shows a recording.
func (s *Screen) choose(id int64) {
	if s.chosen != id {
		s.chosen, s.film, s.at, s.vs = id, nil, 0, nil
	}
	s.draw()
}

// read gets the film of the chosen recording, once it has ended.
func (s *Screen) read(r core.Recording) {
	if s.asked == r.ID || s.film != nil || r.To.IsZero() {
		return
	}
	s.asked = r.ID
	s.shell.Do(func(ctx context.Context) (func(), error) {
		var all []core.Message
		for len(all) < most {
			from := time.Duration(0)
			if n := len(all); n > 0 {
				from = all[n-1].At.Sub(r.From)
			}
			ms, err := s.player.Recorded(ctx, r.ID, from, 10_000)
			if err != nil {
				return func() { s.asked = 0 }, err
			}
			fresh := after(all, ms)
			if len(fresh) == 0 {
				break
			}
			all = append(all, fresh...)
		}
		f := newFilm(r, all)
		return func() {
			s.asked = 0
			if s.chosen == r.ID {
				s.film = f
				s.draw()
			}
		}, nil
	})
}

// after returns what of ms, which begins at the time of the last of all, is new.
func after(all, ms []core.Message) []core.Message {
	if len(all) == 0 {
		return ms
	}
	last := all[len(all)-1].At
	known := 0
	for i := len(all) - 1; i >= 0 && all[i].At.Equal(last); i-- {
		known++
	}
	return ms[min(known, len(ms)):]
}

// draw shows what is known.
func (s *Screen) draw() {
	r, ok := s.recording()
	widget.SetVisible(s.none, !ok)
	widget.SetVisible(s.some, ok)
	if !ok {
		return
	}
	s.read(r)
	s.drawPlayer(r)
}

// replay is what the controls ask for.
func (s *Screen) replay() core.Replay {
	r := core.Replay{Recording: s.chosen, Speed: speeds[max(0, s.speed.SelectedIndex())], From: s.at, Repeat: s.repeat.Checked}
	if s.into.SelectedIndex() == 1 {
		r.Kits = true
	} else {
		r.Branch = topic.Name(cmp.Or(strings.TrimSpace(s.branch.Text), sandbox))
	}
	if s.film != nil && r.From >= s.film.length {
		r.From = 0
	}
	return r
}

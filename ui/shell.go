//go:build !headless

package ui

import (
	"cmp"
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/welcome"
	"homeroom/ui/widget"
)

// shown is a change of the shell's own: another screen is visible now, or was
// asked to load again. Nobody else listens for it.
const shown core.Change = 1 << 31

// shell is the window around the screens. It is the only part of the window
// that starts goroutines and that calls fyne.Do.
type shell struct {
	ctx   context.Context
	parts Parts
	win   fyne.Window
	// make makes the screens and their names for Go.
	make func(Parts, *shell) ([]screen, []string)
	// do runs f on the UI goroutine, soon.
	do   func(f func())
	work sync.WaitGroup
	// visible is the screen that watch keeps true; nil before there is a teacher.
	visible atomic.Pointer[screen]

	// What follows belongs to the UI goroutine.
	screens []screen
	names   []string
	current string
	applied *core.Settings // nil before the first
	rail    *rail
	page    *fyne.Container
	frame   *fyne.Container // around page
	alarms  *alarms
	status  *status
	snack   *widget.Snack
	snackID int // rises with each line the snack bar shows
	// What was last told about loads of the screen and of the status line.
	problem, statusProblem, drawProblem string
	// typed is the form of the first start while it is shown; nil after it.
	typed *welcome.Screen
}

var _ widget.Shell = (*shell)(nil)

func newShell(ctx context.Context, p Parts, win fyne.Window) *shell {
	s := &shell{ctx: ctx, parts: p, win: win, make: screensOf, do: fyne.Do, current: "home"}
	s.keys()
	return s
}

// start begins to follow the feed.
func (s *shell) start() { s.work.Go(s.watch) }

// wait waits until no goroutine of the window uses the parts, or for limit.
func (s *shell) wait(limit time.Duration) {
	done := make(chan struct{})
	go func() { s.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
	}
}

// onUI runs f on the UI goroutine and waits for it, or for the window's end.
func (s *shell) onUI(f func()) {
	done := make(chan struct{})
	s.do(func() {
		defer close(done)
		if s.ctx.Err() == nil {
			s.guard(f)
		}
	})
	select {
	case <-done:
	case <-s.ctx.Done():
	}
}

// watch keeps what is visible true: it loads at most once a frame, at least
// once in idle, and never twice at once.
func (s *shell) watch() {
	l := s.parts.Feed.Listen()
	defer l.Close()
	var (
		values   statusLoad
		last     *screen
		loaded   time.Time // last
		statused time.Time
		bench    = newFrames()
	)
	for s.ctx.Err() == nil {
		changed := next(s.ctx, l)
		began := time.Now()
		if changed&core.SettingsChanged != 0 {
			v := s.parts.Settings.Settings()
			s.onUI(func() { s.apply(v) })
		}
		if changed&core.AccountsChanged != 0 && s.claimed() == (s.visible.Load() == nil) {
			s.onUI(s.rebuild)
		}
		// Ages and rates move though nobody tells, so idle makes stale too.
		if sc := s.visible.Load(); sc != nil {
			if sc != last || changed&(shown|(*sc).Stale()) != 0 || began.Sub(loaded) >= idle {
				s.load((*sc).Load, &s.problem)
				bench.add(began.Sub(loaded), time.Since(began))
				last, loaded = sc, began
			}
		}
		if changed&statusStale != 0 || began.Sub(statused) >= idle {
			s.load(func(context.Context) (func(), error) {
				v := values.read(s.parts)
				return func() {
					s.status.show(v)
					if s.alarms != nil {
						s.alarms.show(v.alarms)
					}
				}, nil
			}, &s.statusProblem)
			statused = began
		}
		pause(s.ctx, frame-time.Since(began))
	}
}

// next waits for changes, but not longer than idle.
func next(ctx context.Context, l *core.Listener) core.Change {
	ctx, cancel := context.WithTimeout(ctx, idle)
	defer cancel()
	changed, err := l.Next(ctx)
	if err != nil {
		return 0
	}
	return changed
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// load runs one load here and shows what it found on the UI goroutine. problem
// is what was last told about such loads.
func (s *shell) load(load func(context.Context) (func(), error), problem *string) {
	ctx, cancel := context.WithTimeout(s.ctx, loadTimeout)
	defer cancel()
	var show func()
	var err error
	if crash := s.guard(func() { show, err = load(ctx) }); crash != nil {
		err = crash
	}
	if s.ctx.Err() != nil {
		return
	}
	s.onUI(func() {
		switch {
		case err != nil:
			s.complain(err, problem)
		case show != nil:
			if err := s.guard(show); err != nil {
				s.complain(err, problem)
				return
			}
			*problem = ""
		}
	})
}

// guard runs f. Where f panics, the stack goes into the crash file, and guard
// returns what to tell.
func (s *shell) guard(f func()) (crash error) {
	defer func() {
		if r := recover(); r != nil {
			crash = writeCrash(s.parts.Info.Data, r, debug.Stack())
		}
	}()
	f()
	return nil
}

// broke is widget.Broken: it writes down a panic in the painter and tells it
// when the frame is done.
func (s *shell) broke(value any, stack []byte) {
	crash := writeCrash(s.parts.Info.Data, value, stack)
	s.work.Go(func() { s.onUI(func() { s.complain(crash, &s.drawProblem) }) })
}

// complain tells why a load failed; it says the same thing only once, though
// the load fails every second.
func (s *shell) complain(err error, problem *string) {
	text := lang.Error(err)
	if errors.Is(err, context.DeadlineExceeded) {
		text = lang.L("This takes very long. The PC or its disk is busy.")
	}
	if text != *problem {
		*problem = text
		s.say(text, "", nil, undoFor)
	}
}

// Do is part of widget.Shell.
func (s *shell) Do(work func(context.Context) (func(), error)) {
	s.work.Go(func() {
		var show func()
		var err error
		if crash := s.guard(func() { show, err = work(s.ctx) }); crash != nil {
			err = crash
		}
		if s.ctx.Err() != nil {
			return
		}
		s.onUI(func() {
			if err == nil && show != nil {
				err = s.guard(show)
			}
			if err != nil {
				s.showError(err)
			}
		})
	})
}

// Refresh is part of widget.Shell.
func (s *shell) Refresh() { s.parts.Feed.Tell(shown) }

// Tell is part of widget.Shell.
func (s *shell) Tell(text string) { s.say(text, "", nil, tellFor) }

// TellUndo is part of widget.Shell.
func (s *shell) TellUndo(text string, undo func(context.Context) error) {
	s.say(text, lang.L("Undo"), func() {
		s.snack.Hide()
		s.Do(func(ctx context.Context) (func(), error) { return s.Refresh, undo(ctx) })
	}, undoFor)
}

// say shows a line with a button for a while.
func (s *shell) say(text, action string, do func(), d time.Duration) {
	if s.snack == nil {
		return
	}
	s.snackID++
	id := s.snackID
	s.snack.Say(text, action, do)
	s.work.Go(func() {
		pause(s.ctx, d)
		s.onUI(func() {
			if s.snackID == id {
				s.snack.Hide()
			}
		})
	})
}

// Go is part of widget.Shell.
func (s *shell) Go(path string) {
	name, inner, _ := strings.Cut(path, "/")
	for i, n := range s.names {
		if n == name {
			s.current = name
			if o, ok := s.screens[i].(interface{ Open(path string) }); ok && inner != "" {
				o.Open(inner)
			}
			s.page.Objects = []fyne.CanvasObject{s.screens[i].Content()}
			s.page.Refresh()
			s.rail.choose(slices.Index(s.names, cmp.Or(under[name], name)))
			s.visible.Store(&s.screens[i])
			s.Refresh()
		}
	}
}

// Window is part of widget.Shell.
func (s *shell) Window() fyne.Window { return s.win }

// claimed reports whether the screens may be shown.
func (s *shell) claimed() bool { return s.parts.Info.Open || s.parts.Accounts.Claimed() }

// rebuild makes everything in the window anew, in the present language.
func (s *shell) rebuild() {
	s.snack = widget.NewSnack()
	snack := container.NewBorder(nil, container.New(snackPlace{}, s.snack), nil, nil)
	s.status = newStatus(s.parts.Info.Open)
	if !s.claimed() {
		s.screens, s.names, s.rail = nil, nil, nil
		s.visible.Store(nil)
		w := welcome.New(s.parts.Accounts, s.parts.Settings, s.rebuild, s)
		if s.typed != nil { // in another language
			w.Resume(s.typed)
		}
		s.typed = w
		s.win.SetContent(container.NewStack(w.Content(), snack))
		s.win.Canvas().Focus(w.First())
		return
	}
	s.typed = nil
	s.screens, s.names = s.make(s.parts, s)
	s.page = container.NewStack()
	var lines []screen
	for i, sc := range s.screens {
		if under[s.names[i]] == "" {
			lines = append(lines, sc)
		}
	}
	s.rail = newRail(lines, func(i int) { s.Go(s.names[i]) })
	known := map[topic.ID]time.Time(nil)
	if s.alarms != nil { // in another language
		known = s.alarms.known
	}
	s.alarms = newAlarms(s)
	s.alarms.known = known
	s.alarms.box.Hide()
	s.frame = container.NewBorder(s.alarms.box, nil, nil, nil, s.page)
	s.win.SetContent(container.NewStack(
		container.NewBorder(nil, s.status.bar, s.rail.content, nil, s.frame), snack))
	s.Go(s.current)
}

// keys binds the keyboard.
func (s *shell) keys() {
	c := s.win.Canvas()
	ctrl := func(key fyne.KeyName, do func()) {
		c.AddShortcut(&desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierShortcutDefault}, func(fyne.Shortcut) { do() })
	}
	for i, key := range []fyne.KeyName{fyne.Key1, fyne.Key2, fyne.Key3, fyne.Key4, fyne.Key5, fyne.Key6, fyne.Key7, fyne.Key8, fyne.Key9} {
		ctrl(key, func() {
			if i < len(s.names) && c.Overlays().Top() == nil { // not behind a dialog
				s.Go(s.names[i])
			}
		})
	}
	inside := func(do func(screen)) func(fyne.Shortcut) {
		return func(fyne.Shortcut) {
			if here := s.visible.Load(); here != nil && c.Overlays().Top() == nil {
				do(*here)
			}
		}
	}
	c.AddShortcut(&fyne.ShortcutUndo{}, inside(func(here screen) {
		if edits, ok := here.(interface{ Undo() }); ok {
			edits.Undo()
		}
	}))
	c.AddShortcut(&fyne.ShortcutRedo{}, inside(func(here screen) {
		if edits, ok := here.(interface{ Redo() }); ok {
			edits.Redo()
		}
	}))
	ctrl(fyne.KeyComma, func() {
		if c.Overlays().Top() == nil {
			s.Go("settings")
		}
	})
	ctrl(fyne.KeyQ, s.win.Close)
	ctrl(fyne.KeyPlus, func() { s.zoom(+1) })
	ctrl(fyne.KeyEqual, func() { s.zoom(+1) }) // + without Shift on many keyboards
	ctrl(fyne.KeyMinus, func() { s.zoom(-1) })
	ctrl(fyne.Key0, func() { s.zoom(0) })
	c.AddShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyEqual, Modifier: fyne.KeyModifierShortcutDefault | fyne.KeyModifierShift},
		func(fyne.Shortcut) { s.zoom(+1) })
	c.SetOnTypedKey(func(e *fyne.KeyEvent) {
		switch e.Name {
		case fyne.KeyF5:
			s.Refresh()
		case fyne.KeyF11:
			s.win.SetFullScreen(!s.win.FullScreen())
		case fyne.KeyEscape:
			if here := s.visible.Load(); here != nil {
				if inner, ok := (*here).(interface{ Back() bool }); ok {
					inner.Back()
				}
			}
		default:
			if here := s.visible.Load(); here != nil && c.Overlays().Top() == nil {
				if keys, ok := (*here).(interface{ TypedKey(*fyne.KeyEvent) }); ok {
					keys.TypedKey(e)
				}
			}
		}
	})
}

// snackPlace puts the snack bar over the lower edge, in the middle.
type snackPlace struct{}

func (snackPlace) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		w := min(size.Width-32, 640)
		o.Resize(fyne.NewSize(w, o.MinSize().Height))
		o.Move(fyne.NewPos((size.Width-w)/2, 0))
	}
}

func (snackPlace) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(200, objects[0].MinSize().Height+44)
}

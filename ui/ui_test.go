//go:build !headless

package ui

import (
	"context"
	"errors"
	"image/color"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"
	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/settings"
	"homeroom/ui/widget"
	"homeroom/ui/widget/widgettest"
)

// parts is everything the window asks for, with next to nothing in it.
type parts struct {
	feed    core.Feed
	claimed atomic.Bool

	mu      sync.Mutex
	set     core.Settings     // guarded by mu
	calling []core.AlarmState // guarded by mu
}

func (p *parts) States() []core.AlarmState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calling)
}

func (p *parts) Acknowledge(_ context.Context, id topic.ID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calling = slices.DeleteFunc(p.calling, func(st core.AlarmState) bool { return st.Alarm.ID == id })
	p.feed.Tell(core.AlarmsChanged)
	return nil
}

func (p *parts) Settings() core.Settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.set
}

func (p *parts) SetSettings(_ context.Context, s core.Settings) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set = s
	p.feed.Tell(core.SettingsChanged)
	return nil
}

func (p *parts) Claim(context.Context, string, string, string) (core.Account, error) {
	p.claimed.Store(true)
	p.feed.Tell(core.AccountsChanged)
	return core.Account{ID: 1}, nil
}

func (p *parts) Claimed() bool                                               { return p.claimed.Load() }
func (*parts) Usage() (int64, int64)                                         { return 0, 0 }
func (*parts) Secure() settings.Secure                                       { return settings.Secure{} }
func (*parts) Accounts() []core.Account                                      { return nil }
func (*parts) Teams() []core.Team                                            { return nil }
func (*parts) AddTeam(context.Context, core.Team) error                      { return nil }
func (*parts) ChangeTeam(context.Context, core.Team) error                   { return nil }
func (*parts) RemoveTeam(context.Context, topic.ID) error                    { return nil }
func (*parts) Grants() []core.Grant                                          { return nil }
func (*parts) Grant(_ context.Context, g core.Grant) (core.Grant, error)     { return g, nil }
func (*parts) Revoke(context.Context, int64) error                           { return nil }
func (*parts) Change(context.Context, core.Account) error                    { return nil }
func (*parts) SetPassword(context.Context, core.AccountID, string) error     { return nil }
func (*parts) ResetSecret(context.Context, core.AccountID) (string, error)   { return "", nil }
func (*parts) Remove(context.Context, core.AccountID) error                  { return nil }
func (*parts) Refusals(int) []core.Refusal                                   { return nil }
func (*parts) RefusalsOf(core.AccountID, int) []core.Refusal                 { return nil }
func (*parts) Audit(int) []core.Audit                                        { return nil }
func (*parts) CodeLeft(string) time.Duration                                 { return 0 }
func (*parts) Disconnect(string) error                                       { return nil }
func (*parts) Clients() []core.Client                                        { return nil }
func (*parts) Watch(core.Watch)                                              {}
func (*parts) Watching() core.Watch                                          { return core.Watch{} }
func (*parts) Packets(uint64) ([]core.Packet, uint64)                        { return nil, 0 }
func (*parts) Traffic() (uint64, uint64)                                     { return 0, 0 }
func (*parts) Publish(context.Context, core.Message) error                   { return nil }
func (*parts) Retained(topic.Filter, int) []core.Message                     { return nil }
func (*parts) Live(uint64) ([]core.Live, uint64)                             { return nil, 0 }
func (*parts) Topics(uint64) ([]core.TopicState, uint64)                     { return nil, 0 }
func (*parts) Messages(uint64, int) ([]core.Message, uint64, uint64)         { return nil, 0, 0 }
func (*parts) Describe(context.Context, core.Series, core.Description) error { return nil }
func (*parts) Forget(context.Context, core.Series) error                     { return nil }
func (*parts) Trace(context.Context, core.Series, time.Time, time.Time, int) (core.Trace, error) {
	return core.Trace{}, nil
}

func (*parts) Authorize(_ core.AccountID, _ core.Action, f topic.Filter) (topic.Filter, error) {
	return f, nil
}

func (*parts) MakeCode(context.Context, core.AccountID, topic.ID) (string, time.Time, error) {
	return "12345678", time.Time{}, nil
}

func (*parts) Add(_ context.Context, a core.Account, _ string) (core.Account, string, error) {
	return a, "", nil
}

func (p *parts) of(t testing.TB) Parts {
	return Parts{
		Feed: &p.feed, Info: core.Info{Version: "test", Data: t.TempDir(), MQTT: "127.0.0.1:1883"},
		Addresses: func() core.Addresses { return core.Addresses{MQTT: []string{"192.168.1.20:1883"}} },
		Broker:    p, History: p, Accounts: p, Alarms: p, Rehearsal: nil, Plan: blank{p}.plan(), Kits: blank{p}.kits(), Setup: blank{p}.setup(), Rules: blank{p}.rules(), Recordings: noTape{}, Settings: p,
	}
}

// probe is a screen that counts.
type probe struct {
	name        string
	stale       core.Change
	load, shown atomic.Int64
	inside      atomic.Int32
	overlapped  atomic.Bool
	work        func(ctx context.Context) error // in Load; may be nil
	show        func()                          // may be nil
}

func (p *probe) Title() string              { return p.name }
func (p *probe) Icon() fyne.Resource        { return theme.HomeIcon() }
func (p *probe) Content() fyne.CanvasObject { return fw.NewLabel(p.name) }
func (p *probe) Stale() core.Change         { return p.stale }

func (p *probe) Load(ctx context.Context) (func(), error) {
	if p.inside.Add(1) > 1 {
		p.overlapped.Store(true)
	}
	defer p.inside.Add(-1)
	p.load.Add(1)
	if p.work != nil {
		if err := p.work(ctx); err != nil {
			return nil, err
		}
	}
	return func() {
		p.shown.Add(1)
		if p.show != nil {
			p.show()
		}
	}, nil
}

// window is a shell whose UI goroutine is whoever holds mu: Fyne's test driver
// has none.
type window struct {
	*shell
	mu sync.Mutex
}

// on runs f on the UI goroutine, after all that is due has been done.
func (w *window) on(f func()) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// snackText returns what the snack bar says.
func (w *window) snackText() (text string) {
	w.on(func() { text = w.snack.Text() })
	return text
}

// begin starts a shell over the probes, in a bubble of synctest, and returns
// what ends it. The app was made outside: Fyne starts goroutines of its own.
func begin(t *testing.T, p *parts, app fyne.App, probes ...*probe) (*window, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &window{shell: newShell(ctx, p.of(t), app.NewWindow(""))}
	w.do = func(f func()) {
		w.mu.Lock()
		defer w.mu.Unlock()
		f()
	}
	w.make = func(Parts, *shell) ([]screen, []string) {
		var all []screen
		var names []string
		for _, pr := range probes {
			all, names = append(all, pr), append(names, pr.name)
		}
		return all, names
	}
	w.on(func() { w.apply(p.Settings()) })
	w.start()
	return w, func() {
		cancel()
		w.work.Wait()
	}
}

func TestFloodIsCoalesced(t *testing.T) {
	app := test.NewTempApp(t)
	synctest.Test(t, func(t *testing.T) {
		p := &parts{}
		p.claimed.Store(true)
		busy := &probe{name: "home", stale: core.MessagesChanged}
		_, end := begin(t, p, app, busy)
		defer end()
		for range 20_000 { // 10 s at 2,000 a second
			p.feed.Tell(core.MessagesChanged)
			time.Sleep(500 * time.Microsecond)
		}
		if n := busy.load.Load(); n < 95 || n > 102 {
			t.Errorf("%d loads in 10 s of flood, want 10 a second", n)
		}
		if l, sh := busy.load.Load(), busy.shown.Load(); l-sh > 1 {
			t.Errorf("%d loads but %d shown", l, sh)
		}
	})
}

func TestQuietScreenLoadsOnceASecond(t *testing.T) {
	app := test.NewTempApp(t)
	for name, flood := range map[string]core.Change{"nothing happens": 0, "something else happens": core.MessagesChanged} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &parts{}
				p.claimed.Store(true)
				quiet := &probe{name: "home", stale: core.ClientsChanged}
				_, end := begin(t, p, app, quiet)
				defer end()
				for range 1000 {
					if flood != 0 {
						p.feed.Tell(flood)
					}
					time.Sleep(10 * time.Millisecond)
				}
				if n := quiet.load.Load(); n < 9 || n > 12 {
					t.Errorf("%d loads in 10 s, want one a second", n)
				}
			})
		})
	}
}

func TestSlowLoadNeverOverlaps(t *testing.T) {
	app := test.NewTempApp(t)
	synctest.Test(t, func(t *testing.T) {
		p := &parts{}
		p.claimed.Store(true)
		slow := &probe{name: "home", stale: core.MessagesChanged}
		slow.work = func(ctx context.Context) error {
			<-ctx.Done() // a query that hangs until it is told to end
			return ctx.Err()
		}
		s, end := begin(t, p, app, slow)
		defer end()
		for range 170 {
			p.feed.Tell(core.MessagesChanged)
			time.Sleep(100 * time.Millisecond)
		}
		if slow.overlapped.Load() {
			t.Error("two loads at once")
		}
		if n := slow.load.Load(); n < 3 || n > 5 {
			t.Errorf("%d loads in 17 s, want each ended after %v", n, loadTimeout)
		}
		s.on(func() {
			if !strings.Contains(s.problem, "takes very long") {
				t.Errorf("told %q", s.problem)
			}
		})
	})
}

func TestPanicIsCaughtAndWrittenDown(t *testing.T) {
	app := test.NewTempApp(t)
	for name, broken := range map[string]*probe{
		"in Load": {name: "home", work: func(context.Context) error { panic("boom") }},
		"in show": {name: "home", show: func() { panic("boom") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &parts{}
				p.claimed.Store(true)
				sound := &probe{name: "rooms"}
				s, end := begin(t, p, app, broken, sound)
				defer end()
				time.Sleep(50 * time.Millisecond)
				if told := s.snackText(); !strings.Contains(told, "crash.txt") {
					t.Errorf("told %q", told)
				}
				data, err := os.ReadFile(filepath.Join(s.parts.Info.Data, crashFile))
				if err != nil || !strings.Contains(string(data), "boom") || !strings.Contains(string(data), "ui_test.go") {
					t.Errorf("crash file %q, %v", data, err)
				}
				s.on(func() { s.Go("rooms") })
				time.Sleep(time.Second)
				synctest.Wait()
				if sound.shown.Load() == 0 {
					t.Error("the other screen does not load any more")
				}
			})
		})
	}
}

func TestErrorOfLoadIsToldOnce(t *testing.T) {
	app := test.NewTempApp(t)
	synctest.Test(t, func(t *testing.T) {
		p := &parts{}
		p.claimed.Store(true)
		failing := &probe{name: "home", work: func(context.Context) error { return errors.New("the disk is full") }}
		s, end := begin(t, p, app, failing)
		defer end()
		time.Sleep(50 * time.Millisecond)
		if told := s.snackText(); told != "the disk is full" {
			t.Errorf("told %q", told)
		}
		time.Sleep(undoFor + time.Second) // it failed ten times more
		if told := s.snackText(); told != "" {
			t.Errorf("still told %q", told)
		}
	})
}

func TestUndo(t *testing.T) {
	app := test.NewTempApp(t)
	synctest.Test(t, func(t *testing.T) {
		p := &parts{}
		p.claimed.Store(true)
		s, end := begin(t, p, app, &probe{name: "home"})
		defer end()
		time.Sleep(time.Second)
		undone := 0
		undo := func(context.Context) error { undone++; return nil }

		s.on(func() { s.TellUndo("Removed kit-1", undo) })
		time.Sleep(undoFor - time.Second)
		if told := s.snackText(); told != "Removed kit-1" {
			t.Fatalf("bar says %q after %v", told, undoFor-time.Second)
		}
		s.on(func() { test.Tap(s.snack.Action()) })
		if told := s.snackText(); undone != 1 || told != "" {
			t.Errorf("undone %d times, bar %q", undone, told)
		}

		s.on(func() { s.TellUndo("Removed kit-2", undo) })
		time.Sleep(undoFor / 2)
		s.on(func() { s.Tell("Copied") })
		time.Sleep(tellFor - time.Second)
		s.on(func() {
			if s.snack.Text() != "Copied" || s.snack.Action().Visible() {
				t.Errorf("bar %q", s.snack.Text())
			}
		})
		time.Sleep(2 * time.Second)
		if told := s.snackText(); told != "" {
			t.Errorf("bar %q, want it gone", told)
		}
	})
}

func TestWelcomeUntilClaimed(t *testing.T) {
	app := test.NewTempApp(t)
	synctest.Test(t, func(t *testing.T) {
		p := &parts{}
		home := &probe{name: "home"}
		s, end := begin(t, p, app, home)
		defer end()
		time.Sleep(3 * time.Second)
		if n := home.load.Load(); n != 0 {
			t.Fatalf("home loaded %d times before there was a teacher", n)
		}
		if _, err := p.Claim(t.Context(), "teacher", "", ""); err != nil { // by the command line, say
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s.on(func() {
			if home.shown.Load() == 0 || s.rail == nil {
				t.Error("home is not shown after the claim")
			}
		})
	})
}

func TestLanguageAndThemeChangeLive(t *testing.T) {
	app := test.NewTempApp(t)
	t.Cleanup(func() { lang.Use(lang.English, "") })
	synctest.Test(t, func(t *testing.T) {
		p := &parts{}
		p.claimed.Store(true)
		s, end := begin(t, p, app, &probe{name: "home"}, &probe{name: "settings"})
		defer end()
		var before *rail
		s.on(func() {
			s.Go("settings")
			before = s.rail
		})
		time.Sleep(time.Second)
		if err := p.SetSettings(t.Context(), core.Settings{Language: "ko", Theme: "dark"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s.on(func() {
			if lang.Used() != lang.Korean || s.rail == before {
				t.Errorf("language %q, rebuilt %v", lang.Used(), s.rail != before)
			}
			if s.current != "settings" || !s.rail.items[1].Chosen() {
				t.Error("the screen changed with the language")
			}
			if app.Settings().Theme().(*look).variant != "dark" {
				t.Error("the theme did not change")
			}
		})
	})
}

// TestScreensFit: a window larger than the desktop hides its lower edge.
func TestScreensFit(t *testing.T) {
	test.NewTempApp(t)
	test.ApplyTheme(t, newLook("light"))
	t.Cleanup(func() { lang.Use(lang.English, "") })
	p := &parts{}
	p.claimed.Store(true)
	for _, l := range lang.All() {
		lang.Use(l, "")
		s := newShell(t.Context(), p.of(t), test.NewTempWindow(t, nil))
		s.rebuild()
		for _, name := range s.names {
			s.Go(name)
			if m, most := s.win.Content().MinSize(), startSize(1); m.Width > most.Width || m.Height > most.Height {
				t.Errorf("%s in %s needs %v; the window starts with %v", name, l, m, most)
			}
		}
	}
}

// TestTextsKeepApart: in each language, at the first size of the window and at a
// small one, no text stands on another one or is cut off.
func TestTextsKeepApart(t *testing.T) {
	test.NewTempApp(t)
	test.ApplyTheme(t, newLook("light"))
	t.Cleanup(func() { lang.Use(lang.English, "") })
	p := &parts{}
	p.claimed.Store(true)
	for _, l := range lang.All() {
		lang.Use(l, "")
		s := newShell(t.Context(), p.of(t), test.NewTempWindow(t, nil))
		var mu sync.Mutex // whoever holds it is the UI goroutine
		s.do = func(f func()) {
			mu.Lock()
			defer mu.Unlock()
			f()
		}
		s.do(s.rebuild)
		for i, name := range s.names {
			s.do(func() { s.Go(name) })
			show, err := s.screens[i].Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s.do(show)
			s.work.Wait() // what the screen asked for is there
			for _, size := range []fyne.Size{startSize(1), fyne.NewSize(1024, 700)} {
				s.do(func() {
					s.win.Resize(size)
					for _, fault := range widgettest.Crowded(s.win) {
						t.Errorf("%s in %s, %v wide: %s", name, l, size.Width, fault)
					}
				})
			}
		}
	}
}

func TestNavigation(t *testing.T) {
	app := test.NewTempApp(t)
	test.ApplyTheme(t, newLook("light"))
	p := &parts{}
	p.claimed.Store(true)
	s := newShell(t.Context(), p.of(t), app.NewWindow(""))
	s.make = func(Parts, *shell) ([]screen, []string) {
		return []screen{&probe{name: "home"}, &probe{name: "rooms"}}, []string{"home", "rooms"}
	}
	s.rebuild()
	shows := func(name string) {
		t.Helper()
		if got := s.page.Objects[0].(*fw.Label).Text; got != name || s.current != name {
			t.Errorf("the window shows %s, want %s", got, name)
		}
	}
	shows("home")
	test.Tap(s.rail.items[1])
	shows("rooms")
	s.rail.items[0].TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	shows("home")
	s.Go("rooms")
	shows("rooms")
	s.Go("no such screen")
	shows("rooms")
}

func TestZoomed(t *testing.T) {
	for _, c := range []struct {
		from float64
		by   int
		want float64
	}{{0, +1, 1.1}, {0, -1, 0.9}, {1.1, +1, 1.25}, {3, +1, 3}, {0.75, -1, 0.75}, {1.5, 0, 0}} {
		if got := zoomed(c.from, c.by); got != c.want {
			t.Errorf("zoomed(%v, %d) = %v, want %v", c.from, c.by, got, c.want)
		}
	}
}

// TestContrast holds WCAG 2's 4.5:1 for what is read, in both palettes.
func TestContrast(t *testing.T) {
	pairs := [][2]fyne.ThemeColorName{
		{theme.ColorNameForeground, theme.ColorNameBackground},
		{theme.ColorNameForeground, theme.ColorNameOverlayBackground},
		{theme.ColorNameForeground, theme.ColorNameInputBackground},
		{theme.ColorNameForeground, theme.ColorNameButton},
		{theme.ColorNameForeground, widget.ColorRail},
		{theme.ColorNameForeground, widget.ColorWarningTint},
		{theme.ColorNameForeground, widget.ColorErrorTint},
		{theme.ColorNameForeground, widget.ColorSuccessTint},
		{theme.ColorNameDisabled, theme.ColorNameOverlayBackground},
		{theme.ColorNameDisabled, theme.ColorNameBackground},
		{theme.ColorNamePlaceHolder, theme.ColorNameInputBackground},
		{theme.ColorNamePrimary, theme.ColorNameOverlayBackground},
		{theme.ColorNameForegroundOnPrimary, theme.ColorNamePrimary},
		{theme.ColorNameError, theme.ColorNameOverlayBackground},
		{theme.ColorNameWarning, theme.ColorNameOverlayBackground},
		{theme.ColorNameSuccess, theme.ColorNameOverlayBackground},
		{theme.ColorNameWarning, widget.ColorRail},
	}
	for _, variant := range []string{"light", "dark"} {
		l := newLook(variant)
		for _, p := range pairs {
			if r := contrast(l.Color(p[0], 0), l.Color(p[1], 0)); r < 4.5 {
				t.Errorf("%s: %s on %s is %.1f:1", variant, p[0], p[1], r)
			}
		}
	}
}

func contrast(a, b color.Color) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(c color.Color) float64 {
	linear := func(v uint32) float64 {
		f := float64(v) / 0xFFFF
		if f <= 0.03928 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	r, g, b, _ := c.RGBA()
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

// TestFit takes one font's capital letters into another, as the bundled font is
// taken in, and looks with Fyne's own font reader.
func TestFit(t *testing.T) {
	from, like := theme.DefaultTextMonospaceFont().Content(), theme.DefaultTextFont().Content()
	data, err := fit(from, []span{{'A', 'Z'}, {'é', 'é'}}, like)
	if err != nil {
		t.Fatal(err)
	}
	var buf sfnt.Buffer
	glyph := func(data []byte, r rune) sfnt.GlyphIndex {
		f, err := sfnt.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		g, err := f.GlyphIndex(&buf, r)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	for _, r := range "AMZé" {
		if got, was := glyph(data, r), glyph(from, r); got == 0 || got != was {
			t.Errorf("%q is glyph %d, was %d", r, got, was)
		}
	}
	for _, r := range "az0 가" {
		if glyph(data, r) != 0 {
			t.Errorf("%q is still there", r)
		}
	}
	ascent := func(data []byte) fixed.Int26_6 {
		f, err := sfnt.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		m, err := f.Metrics(&buf, fixed.I(1000), xfont.HintingNone)
		if err != nil {
			t.Fatal(err)
		}
		return m.Ascent
	}
	if got, want := ascent(data), ascent(like); (got - want).Round() != 0 {
		t.Errorf("the ascent is %v, want %v", got, want)
	}
	for name, bad := range map[string][]byte{"nothing": nil, "cut": from[:200], "words": []byte("not a font, however long it is")} {
		if _, err := fit(bad, eastAsian, like); err == nil {
			t.Errorf("%s was taken for a font", name)
		}
	}
}

// TestProbed is the answer of each way in which the probe can end.
func TestProbed(t *testing.T) {
	if os.Getenv("HOMEROOM_TEST_EXIT") != "" {
		code, err := strconv.Atoi(os.Getenv("HOMEROOM_TEST_EXIT"))
		if err != nil {
			t.Fatal(err)
		}
		os.Exit(code)
	}
	end := func(code string) error {
		cmd := exec.Command(os.Args[0], "-test.run=^TestProbed$")
		cmd.Env = append(os.Environ(), "HOMEROOM_TEST_EXIT="+code)
		return cmd.Run()
	}
	ctx := t.Context()
	if err := probed(ctx, end(strconv.Itoa(drawnCode)), ""); err != nil {
		t.Errorf("a drawn window is not usable: %v", err)
	}
	if err := probed(ctx, end("0"), ""); err == nil {
		t.Error("a program that did not draw is usable")
	}
	err := probed(ctx, end("1"), "Fyne error: window creation error\n  Cause: APIUnavailable: GLX\n  At: x.go:1\n")
	if err == nil || !strings.Contains(err.Error(), "APIUnavailable: GLX") || strings.Contains(err.Error(), "x.go") {
		t.Errorf("err = %v, want the cause", err)
	}
	late, cancel := context.WithCancel(ctx)
	cancel()
	if err := probed(late, end("1"), ""); err == nil || !strings.Contains(err.Error(), "did not appear") {
		t.Errorf("err = %v", err)
	}
}

func TestNoDisplay(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says by its environment that there is no display")
	}
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	if err := Usable(); err == nil {
		t.Error("a machine without a display is usable")
	}
}

// TestPanicOfTheWindowIsWrittenDown: a panic on the UI goroutine ends the
// program, and the file says why.
func TestPanicOfTheWindowIsWrittenDown(t *testing.T) {
	if dir := os.Getenv("HOMEROOM_TEST_CRASH"); dir != "" {
		p := (&parts{}).of(t)
		p.Info.Data = dir
		p.Settings = brokenSettings{&parts{}}
		Run(t.Context(), p)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestPanicOfTheWindowIsWrittenDown$")
	cmd.Env = append(os.Environ(), "HOMEROOM_TEST_CRASH="+dir)
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Fatalf("the program goes on:\n%s", out)
	}
	data, err := os.ReadFile(filepath.Join(dir, crashFile))
	if err != nil || !strings.Contains(string(data), "boom on the UI goroutine") || !strings.Contains(string(data), "ui.Run(") {
		t.Errorf("crash file %q, %v", data, err)
	}
}

// brokenSettings panics where Run asks for them.
type brokenSettings struct{ *parts }

func (brokenSettings) Settings() core.Settings { panic("boom on the UI goroutine") }

// TestBrokenPictureIsTold: what panicked in the painter is written down and told.
func TestBrokenPictureIsTold(t *testing.T) {
	app := test.NewTempApp(t)
	synctest.Test(t, func(t *testing.T) {
		p := &parts{}
		p.claimed.Store(true)
		s, end := begin(t, p, app, &probe{name: "home"})
		defer end()
		s.on(func() { s.broke("no pixels", []byte("spark.go:1")) })
		time.Sleep(50 * time.Millisecond)
		if told := s.snackText(); !strings.Contains(told, crashFile) {
			t.Errorf("told %q", told)
		}
		data, err := os.ReadFile(filepath.Join(s.parts.Info.Data, crashFile))
		if err != nil || !strings.Contains(string(data), "no pixels") {
			t.Errorf("crash file %q, %v", data, err)
		}
	})
}

// TestLanguageKeepsWhatWasTyped: at the first start, the language is often
// chosen last.
func TestLanguageKeepsWhatWasTyped(t *testing.T) {
	test.NewTempApp(t)
	t.Cleanup(func() { lang.Use(lang.English, "") })
	p := &parts{}
	s := newShell(t.Context(), p.of(t), test.NewTempWindow(t, nil))
	entries := func() (all []*fw.Entry, check *fw.Check) {
		for _, o := range test.LaidOutObjects(s.win.Content()) {
			switch o := o.(type) {
			case *fw.Entry:
				all = append(all, o)
			case *fw.Check:
				check = o
			}
		}
		return all, check
	}
	s.apply(core.Settings{Language: "en"})
	typed, check := entries()
	for i, e := range typed {
		e.SetText("text-" + strconv.Itoa(i))
	}
	check.SetChecked(true)
	s.apply(core.Settings{Language: "fr"})
	now, check := entries()
	if len(now) != 4 || now[0] == typed[0] || !check.Checked {
		t.Fatalf("%d fields, anew %v, checked %v", len(now), now[0] != typed[0], check.Checked)
	}
	for i, e := range now {
		if want := "text-" + strconv.Itoa(i); e.Text != want {
			t.Errorf("field %d has %q, want %q", i, e.Text, want)
		}
	}
	p.claimed.Store(true)
	if s.rebuild(); s.typed != nil {
		t.Error("the password is still in memory")
	}
}

// TestFirstStartFits: the button that goes on is seen without scrolling.
func TestFirstStartFits(t *testing.T) {
	test.NewTempApp(t)
	t.Cleanup(func() { lang.Use(lang.English, "") })
	p := &parts{}
	for _, l := range lang.All() {
		s := newShell(t.Context(), p.of(t), test.NewTempWindow(t, nil))
		s.apply(core.Settings{Language: string(l), Theme: "light"})
		s.win.Resize(startSize(1))
		var start *fw.Button
		for _, o := range test.LaidOutObjects(s.win.Content()) {
			if b, ok := o.(*fw.Button); ok && b.Text == lang.L("Start") {
				start = b
			}
		}
		if start == nil {
			t.Fatalf("%s: no button", l)
		}
		test.Tap(start) // which adds what is missing yet
		s.win.Resize(startSize(1))
		pos := fyne.CurrentApp().Driver().AbsolutePositionForObject(start)
		if bottom := pos.Y + start.Size().Height; bottom > startSize(1).Height {
			t.Errorf("%s: the button ends at %v, the window at %v", l, bottom, startSize(1).Height)
		}
	}
}

func TestCrashFileIsBounded(t *testing.T) {
	dir := t.TempDir()
	for range 20 {
		if err := writeCrash(dir, "boom", make([]byte, 100<<10)); err == nil {
			t.Fatal("nothing to tell")
		}
	}
	fi, err := os.Stat(filepath.Join(dir, crashFile))
	if err != nil || fi.Size() > maxCrashFile+200<<10 {
		t.Errorf("crash file %v, %v", fi, err)
	}
	end := catchCrashes(dir) // a file that is too long starts anew
	end()
	if _, err := os.Stat(filepath.Join(dir, crashFile)); !os.IsNotExist(err) {
		t.Errorf("an empty crash file stays: %v", err)
	}
}

// inner is a screen that can be opened at a place.
type inner struct {
	probe
	at string
}

func (i *inner) Open(path string) { i.at = path }

func TestGoToAPlace(t *testing.T) {
	test.NewTempApp(t)
	p := &parts{}
	p.claimed.Store(true)
	s := newShell(t.Context(), p.of(t), test.NewTempWindow(t, nil))
	there, plain := &inner{probe: probe{name: "accounts"}}, &probe{name: "home"}
	s.make = func(Parts, *shell) ([]screen, []string) { return []screen{plain, there}, []string{"home", "accounts"} }
	s.rebuild()
	s.Go("accounts/kits/kit-1")
	if s.current != "accounts" || there.at != "kits/kit-1" {
		t.Errorf("at %q, %q", s.current, there.at)
	}
	there.at = ""
	s.Go("accounts")
	if there.at != "" {
		t.Errorf("a name alone opens %q", there.at)
	}
	s.Go("home/anything") // has no Open
	if s.current != "home" {
		t.Errorf("at %q", s.current)
	}
}

// TestOpenIsSaidEverywhere: the status line is on every screen.
func TestOpenIsSaidEverywhere(t *testing.T) {
	test.NewTempApp(t)
	for _, open := range []bool{false, true} {
		said := false
		for _, o := range test.LaidOutObjects(newStatus(open).bar) {
			if l, ok := o.(*fw.Label); ok && l.Text == "OPEN" && l.Importance == fw.DangerImportance {
				said = true
			}
		}
		if said != open {
			t.Errorf("open is %v, said is %v", open, said)
		}
	}
}

// told is a history with one message.
type told struct {
	*parts
	message core.Message
}

func (o told) Topics(uint64) ([]core.TopicState, uint64) {
	return []core.TopicState{{Last: o.message, Size: len(o.message.Payload), Count: 1}}, 1
}

// TestPayloadIsWhole: in the program's own fonts, no byte of a dump stands
// outside, and JSON is indented by whole characters.
func TestPayloadIsWhole(t *testing.T) {
	test.NewTempApp(t)
	test.ApplyTheme(t, newLook("light"))
	digit := fyne.MeasureText("0", theme.TextSize(), fyne.TextStyle{Monospace: true}).Width
	for payload, want := range map[string]struct {
		line  string
		shift float32
	}{
		string(make([]byte, 16)) + "\xff": {"0008  00 00 00 00 00 00 00 00  |........|", 0},
		`{"deep":{"value":1}}`:            {`"value": 1`, 4 * digit},
	} {
		p := &parts{}
		p.claimed.Store(true)
		all := p.of(t)
		all.History = told{p, core.Message{Topic: "a", Payload: []byte(payload), At: time.Now()}}
		s := newShell(t.Context(), all, test.NewTempWindow(t, nil))
		s.rebuild()
		s.win.SetPadded(false)
		s.win.Resize(fyne.NewSize(1280, 800))
		s.Go("messages")
		load := func() {
			show, err := (*s.visible.Load()).Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			show()
		}
		load()
		for _, o := range test.LaidOutObjects(s.win.Content()) {
			if tree, ok := o.(*fw.Tree); ok {
				tree.Select("a/")
			}
		}
		load()
		found := false
		for _, o := range test.LaidOutObjects(s.win.Content()) {
			line, ok := o.(*canvas.Text)
			if !ok || line.Text != want.line {
				continue
			}
			found = true
			if x := line.Position().X; math.Abs(float64(x-want.shift)) > 0.5 {
				t.Errorf("%q is shifted by %v, want %v", line.Text, x, want.shift)
			}
			if width := line.MinSize().Width; width > 0.56*0.7*1093-20 {
				t.Errorf("%q is %v wide", line.Text, width)
			}
		}
		if !found {
			t.Errorf("no line %q", want.line)
		}
	}
}

// keyed is a screen with keys of its own.
type keyed struct {
	probe
	keys []fyne.KeyName
}

func (k *keyed) TypedKey(e *fyne.KeyEvent) { k.keys = append(k.keys, e.Name) }

// TestKeysReachTheScreen that is shown, unless a dialog is over it.
func TestKeysReachTheScreen(t *testing.T) {
	test.NewTempApp(t)
	p := &parts{}
	p.claimed.Store(true)
	s := newShell(t.Context(), p.of(t), test.NewTempWindow(t, nil))
	there, plain := &keyed{probe: probe{name: "xray"}}, &probe{name: "home"}
	s.make = func(Parts, *shell) ([]screen, []string) { return []screen{plain, there}, []string{"home", "xray"} }
	s.rebuild()
	key := func(names ...fyne.KeyName) {
		for _, n := range names {
			s.win.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: n})
		}
	}
	key(fyne.KeySpace)
	s.Go("xray")
	key(fyne.KeySpace, fyne.KeyF5, fyne.KeyLeft)
	s.showError(errors.New("a dialog"))
	key(fyne.KeyRight)
	if len(there.keys) != 2 || there.keys[0] != fyne.KeySpace || there.keys[1] != fyne.KeyLeft {
		t.Errorf("the screen got %v", there.keys)
	}
}

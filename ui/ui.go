//go:build !headless

// Package ui is the desktop window: the shell with its navigation, its theme,
// and the only crossings to the UI goroutine. Screens live in the folders below.
package ui

import (
	"context"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets"
	"homeroom/assets/lang"
	"homeroom/core"
	_ "homeroom/ui/locale" // before Fyne
	"homeroom/ui/widget"
)

// appID names the program's place for Fyne's preferences.
const appID = "org.homeroom.Homeroom"

// Run shows the window until it is closed or ctx ends. It must be called on the
// main goroutine, once. What it was given may be closed when it has returned.
func Run(ctx context.Context, p Parts) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := newApp()
	// Not deferred: the runtime writes a panic down after what is deferred has run.
	closeCrashes := catchCrashes(p.Info.Data)

	s := newShell(ctx, p, a.NewWindow("Homeroom"))
	widget.Broken = s.broke
	s.win.SetMaster()
	s.win.SetPadded(false)
	s.apply(p.Settings.Settings())
	s.win.CenterOnScreen()
	var closed atomic.Bool // Fyne must not be told to quit once more
	s.win.SetOnClosed(func() { closed.Store(true) })
	context.AfterFunc(ctx, func() {
		fyne.Do(func() {
			if !closed.Load() {
				a.Quit()
			}
		})
	})
	s.start()
	s.win.ShowAndRun()
	closed.Store(true)
	cancel()
	s.wait(core.StopTimeout)
	closeCrashes()
	return nil
}

// ShowFailure shows a small window that says why the program does not start,
// until it is closed. Who started it by a double click has no terminal.
func ShowFailure(title, text string) {
	a := newApp()
	lang.Use("", systemLanguage())
	a.Settings().SetTheme(newLook(""))
	w := a.NewWindow("Homeroom")
	head := fw.NewLabelWithStyle(title, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	head.Wrapping = fyne.TextWrapWord
	body := fw.NewLabel(text)
	body.Wrapping = fyne.TextWrapWord
	body.Selectable = true
	ok := fw.NewButton(lang.L("Close"), a.Quit)
	ok.Importance = fw.HighImportance
	w.SetContent(container.NewPadded(container.NewBorder(head,
		container.NewHBox(layout.NewSpacer(), ok), nil, nil, container.NewVScroll(body))))
	w.Resize(fyne.NewSize(520, 240))
	w.CenterOnScreen()
	w.ShowAndRun()
}

func newApp() fyne.App {
	a := app.NewWithID(appID)
	a.SetIcon(fyne.NewStaticResource("homeroom.png", assets.Icon()))
	return a
}

// A screen is one page of the window. It starts no goroutine and never calls
// fyne.Do: the shell decides when it loads and when it shows.
type screen interface {
	Title() string
	Icon() fyne.Resource
	Content() fyne.CanvasObject
	// Stale is what makes the screen out of date.
	Stale() core.Change
	// Load reads the present state without touching a widget, and returns how
	// to show it. It runs off the UI goroutine; show runs on it.
	Load(ctx context.Context) (show func(), err error)
}

// A screen may also have Open(path string), which Go calls with what follows its
// name, Back() bool for Esc, and TypedKey(*fyne.KeyEvent) for keys that nothing
// on it has taken.

const (
	frame       = 100 * time.Millisecond // the shortest time between two loads
	idle        = time.Second            // the longest
	loadTimeout = 5 * time.Second        // of one load
	tellFor     = 4 * time.Second
	undoFor     = 10 * time.Second
)

// Package widget holds what several screens are drawn with: charts, cards and
// the like, and Shell, through which a screen reaches the window.
package widget

import (
	"context"

	"fyne.io/fyne/v2"
)

// Shell is what a screen may ask of the window. Its methods are called on the
// UI goroutine and return at once.
type Shell interface {
	// Do runs work off the UI goroutine. What work returns is then called on
	// the UI goroutine; it may be nil. An error is shown to the person.
	Do(work func(ctx context.Context) (show func(), err error))
	// Refresh makes the visible screen load again soon.
	Refresh()
	// Tell shows one line for a few seconds.
	Tell(text string)
	// TellUndo shows one line for ten seconds with a button that runs undo as Do would.
	TellUndo(text string, undo func(ctx context.Context) error)
	// Go shows the screen with that name: "home", "rooms", "plan", "kits", "setup" and so on.
	// What follows a slash, as in "accounts/kits/kit-1", goes to the screen's Open, where it has one.
	Go(path string)
	// Window is the window, for dialogs and the clipboard.
	Window() fyne.Window
}

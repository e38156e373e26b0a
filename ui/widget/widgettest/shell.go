// Package widgettest is the window's Shell for tests of screens: it does
// everything at once, on the test's goroutine.
package widgettest

import (
	"context"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
)

// Shell is a widget.Shell that waits.
type Shell struct {
	T       testing.TB
	Win     fyne.Window
	Told    []string // lines shown
	Gone    string   // the path last gone to
	Err     error    // the last error shown
	Undo    func(ctx context.Context) error
	Reloads int
}

// New returns a Shell with a window of its own.
func New(t testing.TB) *Shell {
	test.NewTempApp(t)
	return &Shell{T: t, Win: test.NewTempWindow(t, nil)}
}

// Do runs work, then shows.
func (s *Shell) Do(work func(context.Context) (func(), error)) {
	show, err := work(s.T.Context())
	if s.Err = err; err == nil && show != nil {
		show()
	}
}

// Refresh counts.
func (s *Shell) Refresh() { s.Reloads++ }

// Tell keeps the line.
func (s *Shell) Tell(text string) { s.Told = append(s.Told, text) }

// TellUndo keeps the line and the way back.
func (s *Shell) TellUndo(text string, undo func(context.Context) error) {
	s.Tell(text)
	s.Undo = undo
}

// Go keeps the path.
func (s *Shell) Go(path string) { s.Gone = path }

// Window returns the window.
func (s *Shell) Window() fyne.Window { return s.Win }

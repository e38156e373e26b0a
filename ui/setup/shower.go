package setup

import (
	"fyne.io/fyne/v2"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/ui/widget"
)

// shower shows and hides things, writes what is another text than before, and
// knows whether anything has to be placed anew.
type shower struct{ stale bool }

// show shows or hides something where it is not so already.
func (s *shower) show(o fyne.CanvasObject, on bool) {
	s.stale = widget.SetVisible(o, on) || s.stale
}

// say writes what is another text than before.
func (s *shower) say(l *fw.Label, text string) {
	s.stale = widget.SetText(l, text) || s.stale
}

// moved reports whether anything changed since it was asked the last time.
func (s *shower) moved() bool {
	was := s.stale
	s.stale = false
	return was
}

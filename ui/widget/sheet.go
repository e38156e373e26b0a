package widget

import (
	"context"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
)

// Sheet is a dialog that is filled in. It stays open when what it asks for fails,
// and says why. Enter in an entry submits it; Esc closes it, unless a tick or a choice
// has the keyboard, which keeps its keys. Its methods are called on the UI goroutine.
type Sheet struct {
	OnClosed func() // is called once, however it was closed; may be nil

	shell   Shell
	dialog  *dialog.CustomDialog
	ok      *fw.Button
	problem *Note
	rows    fyne.CanvasObject
	scroll  *container.Scroll
	width   float32

	overlay fyne.CanvasObject // of the dialog
	closed  bool
	refused bool // it cannot be submitted as it is filled in
	busy    bool // what it asked for goes on
}

// NewSheet opens a sheet. ok is the word on the button that submits; submit is not
// called while the sheet is not allowed or still busy. The body is at most width
// wide, and as high as it needs where the window has the room; else it scrolls. Of
// the entries in it, the first that shows gets the keyboard.
func NewSheet(shell Shell, title, ok string, width float32, body fyne.CanvasObject, submit func(*Sheet), entries ...*Entry) *Sheet {
	s := &Sheet{shell: shell, width: width, problem: NewNote("", fw.DangerImportance)}
	s.problem.Hide()
	press := func() {
		if !s.ok.Disabled() {
			submit(s)
		}
	}
	s.ok = fw.NewButtonWithIcon(ok, theme.ConfirmIcon(), press)
	s.ok.Importance = fw.HighImportance
	s.rows = Middle(width, body, s.problem)
	s.scroll = container.NewVScroll(container.NewPadded(s.rows))
	s.dialog = dialog.NewCustomWithoutButtons(title, s.scroll, shell.Window())
	s.dialog.SetButtons([]fyne.CanvasObject{fw.NewButton(lang.L("Cancel"), s.Close), s.ok})
	s.Fit()
	c := shell.Window().Canvas()
	s.dialog.Show()
	s.overlay = c.Overlays().Top()
	s.Fit() // wrapped text knows its height only now
	keys := c.OnTypedKey()
	typed := func(k *fyne.KeyEvent) {
		if k.Name == fyne.KeyEscape && !s.closed && c.Overlays().Top() == s.overlay {
			s.Close()
		} else if keys != nil {
			keys(k)
		}
	}
	c.SetOnTypedKey(typed)
	s.dialog.SetOnClosed(func() {
		s.closed = true
		c.SetOnTypedKey(keys)
		if s.OnClosed != nil {
			s.OnClosed()
		}
	})
	for _, e := range entries {
		e.OnSubmitted = func(string) { press() }
	}
	if i := slices.IndexFunc(entries, (*Entry).Visible); i >= 0 {
		c.Focus(entries[i])
	}
	return s
}

// Fit makes the sheet as high as its body needs now.
func (s *Sheet) Fit() {
	const wide, high = 60, 150 // around the rows
	room := s.shell.Window().Canvas().Size()
	s.dialog.Resize(fyne.NewSize(min(s.width+wide, room.Width-40), min(s.rows.MinSize().Height+high, room.Height-40)))
	if s.overlay != nil {
		s.overlay.Refresh() // puts it into the middle again
	}
}

// OK is the button that submits.
func (s *Sheet) OK() *fw.Button { return s.ok }

// Allow says whether the sheet can be submitted as it is filled in.
func (s *Sheet) Allow(yes bool) {
	s.refused = !yes
	s.enable()
}

func (s *Sheet) enable() { SetEnabled(s.ok, !s.refused && !s.busy) }

// Say tells at the end of the sheet what is wrong; "" is nothing.
func (s *Sheet) Say(text string) {
	SetText(s.problem.Text, text)
	s.problem.Hidden = text == ""
	s.Fit()
	if text != "" {
		s.scroll.ScrollToBottom()
	}
}

// Do runs work off the UI goroutine, so it must not read the body. Then it
// closes the sheet, calls then, which may be nil, and lets the screen load again;
// or it says what went wrong.
func (s *Sheet) Do(work func(ctx context.Context) error, then func()) {
	s.busy = true
	s.enable()
	s.Say("")
	s.shell.Do(func(ctx context.Context) (func(), error) {
		err := work(ctx)
		return func() {
			s.busy = false
			s.enable()
			switch {
			case err == nil:
			case s.closed: // nobody would see it there
				s.shell.Tell(lang.Error(err))
				return
			default:
				s.Say(lang.Error(err))
				return
			}
			s.Close()
			if then != nil {
				then()
			}
			s.shell.Refresh()
		}, nil
	})
}

// Close closes the sheet.
func (s *Sheet) Close() {
	if !s.closed {
		s.dialog.Hide()
	}
}

package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	fw "fyne.io/fyne/v2/widget"
)

// Entry is Fyne's entry, which would keep every key to itself while it has the
// keyboard; this one leaves to the window what it has no use for: Esc, the
// function keys and shortcuts. Make it with NewEntry, or embed it and call
// ExtendBaseWidget with what embeds it.
type Entry struct {
	fw.Entry
	self fyne.CanvasObject // the outermost, which the window knows
}

// NewEntry returns an empty entry of one line.
func NewEntry() *Entry {
	e := &Entry{}
	e.Wrapping = fyne.TextWrap(fyne.TextTruncateClip)
	e.ExtendBaseWidget(e)
	return e
}

// NewPasswordEntry returns an empty entry whose text is hidden.
func NewPasswordEntry() *Entry {
	e := NewEntry()
	e.Password = true
	return e
}

// ExtendBaseWidget is part of Fyne's way to embed widgets.
func (e *Entry) ExtendBaseWidget(self fyne.Widget) {
	if e.self == nil {
		e.self = self
	}
	e.Entry.ExtendBaseWidget(self)
}

// TypedKey is part of fyne.Focusable.
func (e *Entry) TypedKey(k *fyne.KeyEvent) {
	switch k.Name {
	case fyne.KeyEscape, fyne.KeyF1, fyne.KeyF2, fyne.KeyF3, fyne.KeyF4, fyne.KeyF5, fyne.KeyF6,
		fyne.KeyF7, fyne.KeyF8, fyne.KeyF9, fyne.KeyF10, fyne.KeyF11, fyne.KeyF12:
		PassKey(e.self, k)
	default:
		e.Entry.TypedKey(k)
	}
}

// TypedShortcut is part of fyne.Shortcutable. Those that a window binds and
// those that an entry uses are never the same, so both may have it.
func (e *Entry) TypedShortcut(s fyne.Shortcut) {
	e.Entry.TypedShortcut(s)
	if _, ok := s.(*desktop.CustomShortcut); !ok {
		return
	}
	if c, ok := fyne.CurrentApp().Driver().CanvasForObject(e.self).(fyne.Shortcutable); ok {
		c.TypedShortcut(s)
	}
}

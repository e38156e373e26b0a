package widget

import (
	"fyne.io/fyne/v2"
	fw "fyne.io/fyne/v2/widget"
)

// Fyne draws what it is told to change, also where that changes nothing. These
// tell it only where it does, and report that.

// SetText writes the text of a label.
func SetText(l *fw.Label, text string) (changed bool) {
	if l.Text == text {
		return false
	}
	l.SetText(text)
	return true
}

// SetVisible shows or hides o.
func SetVisible(o fyne.CanvasObject, there bool) (changed bool) {
	if o.Visible() == there {
		return false
	}
	if there {
		o.Show()
	} else {
		o.Hide()
	}
	return true
}

// SetEnabled lets o be used, or not.
func SetEnabled(o fyne.Disableable, on bool) (changed bool) {
	if o.Disabled() != on {
		return false
	}
	if on {
		o.Enable()
	} else {
		o.Disable()
	}
	return true
}

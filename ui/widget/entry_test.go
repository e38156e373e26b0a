package widget_test

import (
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"homeroom/ui/widget"
)

// TestEntryLeavesKeys: what an entry has no use for reaches the window, and
// what it uses does not. (Shortcuts need a real window: Fyne's test canvas
// takes none.)
func TestEntryLeavesKeys(t *testing.T) {
	test.NewTempApp(t)
	embedding := &struct{ widget.Entry }{}
	embedding.ExtendBaseWidget(embedding)
	for name, e := range map[string]interface {
		fyne.Widget
		fyne.Focusable
	}{"an entry": widget.NewEntry(), "a password": widget.NewPasswordEntry(), "one that is embedded": embedding} {
		w := test.NewTempWindow(t, e)
		var keys []fyne.KeyName
		w.Canvas().SetOnTypedKey(func(k *fyne.KeyEvent) { keys = append(keys, k.Name) })
		w.Canvas().Focus(e)
		for _, k := range []fyne.KeyName{fyne.KeyEscape, fyne.KeyLeft, fyne.KeyF5, fyne.KeyF11} {
			e.TypedKey(&fyne.KeyEvent{Name: k})
		}
		if len(keys) != 3 || keys[0] != fyne.KeyEscape || keys[1] != fyne.KeyF5 || keys[2] != fyne.KeyF11 {
			t.Errorf("%s: the window got %v", name, keys)
		}
	}
}

package widget_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/ui/widget"
	"homeroom/ui/widget/widgettest"
)

// late is a Shell whose work ends when the test says.
type late struct {
	*widgettest.Shell
	work []func(context.Context) (func(), error)
}

func (l *late) Do(work func(context.Context) (func(), error)) { l.work = append(l.work, work) }

func (l *late) end() {
	for _, work := range l.work {
		l.Shell.Do(work)
	}
	l.work = nil
}

// dialogText is what the dialog on top says.
func dialogText(w fyne.Window) string {
	var b strings.Builder
	if top := w.Canvas().Overlays().Top(); top != nil {
		for _, o := range test.LaidOutObjects(top) {
			if l, ok := o.(*fw.Label); ok {
				b.WriteString(l.Text + "\n")
			}
		}
	}
	return b.String()
}

// TestSheet: what fails keeps the sheet open and is said; what works closes it.
func TestSheet(t *testing.T) {
	shell := &late{Shell: widgettest.New(t)}
	shell.Win.Resize(fyne.NewSize(900, 700))
	var fails error
	done, closed := 0, 0
	name := widget.NewEntry()
	sh := widget.NewSheet(shell, "Name", "Give it", 400, widget.Field("Name", name, ""), func(sh *widget.Sheet) {
		sh.Do(func(context.Context) error { return fails }, func() { done++ })
	}, name)
	sh.OnClosed = func() { closed++ }
	if shell.Win.Canvas().Focused() != name {
		t.Error("one cannot type at once")
	}
	sh.Allow(false)
	name.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if len(shell.work) != 0 {
		t.Fatal("what is not allowed can be submitted")
	}
	sh.Allow(true)
	fails = errors.New("Not today.")
	name.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	test.Tap(sh.OK())
	if len(shell.work) != 1 || !sh.OK().Disabled() {
		t.Fatal("it can be submitted twice")
	}
	sh.Allow(true) // as a field does that is filled in meanwhile
	if !sh.OK().Disabled() {
		t.Error("it can be submitted again while it is busy")
	}
	before := shell.Win.Canvas().Overlays().Top()
	shell.end()
	if closed != 0 || shell.Win.Canvas().Overlays().Top() != before || !strings.Contains(dialogText(shell.Win), "Not today.") || sh.OK().Disabled() {
		t.Errorf("after a failure the sheet says\n%s", dialogText(shell.Win))
	}
	fails = nil
	test.Tap(sh.OK())
	if strings.Contains(dialogText(shell.Win), "Not today.") {
		t.Error("it says what was wrong before")
	}
	shell.end()
	if done != 1 || closed != 1 || shell.Reloads != 1 || shell.Win.Canvas().Overlays().Top() != nil {
		t.Errorf("done %d, closed %d, loaded %d times", done, closed, shell.Reloads)
	}
	sh.Close()
	if closed != 1 {
		t.Error("it is closed twice")
	}
}

// TestSheetClosedMeanwhile: what went wrong is told though the sheet is not there any more.
func TestSheetClosedMeanwhile(t *testing.T) {
	shell := &late{Shell: widgettest.New(t)}
	sh := widget.NewSheet(shell, "Name", "Give it", 400, fw.NewLabel("body"), func(sh *widget.Sheet) {
		sh.Do(func(context.Context) error { return errors.New("Not today.") }, nil)
	})
	test.Tap(sh.OK())
	sh.Close()
	shell.end()
	if len(shell.Told) != 1 || shell.Told[0] != "Not today." || shell.Win.Canvas().Overlays().Top() != nil {
		t.Errorf("told %q", shell.Told)
	}
}

// TestSheetEscape: Esc closes the sheet that is on top and nothing else; then the
// keys are the window's again.
func TestSheetEscape(t *testing.T) {
	shell := widgettest.New(t)
	c := shell.Win.Canvas()
	var keys []fyne.KeyName
	c.SetOnTypedKey(func(k *fyne.KeyEvent) { keys = append(keys, k.Name) })
	name := widget.NewEntry()
	closed := 0
	sh := widget.NewSheet(shell, "Name", "Give it", 400, name, func(*widget.Sheet) {}, name)
	sh.OnClosed = func() { closed++ }
	name.TypedKey(&fyne.KeyEvent{Name: fyne.KeyF5})
	widget.Confirm(shell, "Sure?", "", "Yes", func() {})
	c.OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if closed != 0 {
		t.Error("Esc closes a sheet that is under another dialog")
	}
	c.Overlays().Remove(c.Overlays().Top())
	name.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if closed != 1 || c.Overlays().Top() != nil {
		t.Error("Esc leaves the sheet open")
	}
	c.OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if len(keys) != 3 || keys[0] != fyne.KeyF5 || closed != 1 {
		t.Errorf("the window got %v", keys)
	}
}

// TestSheetFits: a sheet is as high as its body, and at most as the window.
func TestSheetFits(t *testing.T) {
	shell := widgettest.New(t)
	shell.Win.Resize(fyne.NewSize(500, 400))
	body := container.NewVBox(fw.NewLabel("one"))
	sh := widget.NewSheet(shell, "Many", "Take them", 800, body, func(*widget.Sheet) {})
	end := func() fyne.Position {
		return fyne.CurrentApp().Driver().AbsolutePositionForObject(sh.OK()).Add(sh.OK().Size())
	}
	low := end().Y
	for range 40 {
		body.Add(fw.NewLabel("more"))
	}
	sh.Fit()
	if e := end(); e.Y <= low || e.Y > 400 || e.X > 500 {
		t.Errorf("the button ends at %v, before at %v", e, low)
	}
}

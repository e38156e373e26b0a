package widget_test

import (
	"image"
	"image/color"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/ui/widget"
	"homeroom/ui/widget/widgettest"
)

func TestColumns(t *testing.T) {
	test.NewTempApp(t)
	box := func(h float32) fyne.CanvasObject {
		r := canvas.NewRectangle(color.Black)
		r.SetMinSize(fyne.NewSize(50, h))
		return r
	}
	a, b, c := box(100), box(20), box(30)
	cols := widget.Columns(200, a, b, c)
	cols.Resize(fyne.NewSize(420, 500))
	if a.Position().X != 0 || b.Position().X <= 200 || c.Position().X != b.Position().X || c.Position().Y <= 20 {
		t.Errorf("wide: a %v, b %v, c %v; want c below b, the shorter column", a.Position(), b.Position(), c.Position())
	}
	if h := cols.MinSize().Height; h < 100 || h > 130 {
		t.Errorf("wide: %v high", h)
	}
	cols.Resize(fyne.NewSize(300, 500))
	if b.Position().X != 0 || b.Position().Y < 100 || a.Size().Width != 300 {
		t.Errorf("narrow: b %v, a %v wide", b.Position(), a.Size().Width)
	}
	a.Hide()
	cols.Refresh()
	if b.Position().Y != 0 {
		t.Errorf("what is hidden takes room: b %v", b.Position())
	}
}

// TestWrappedTextFits: in columns, the height follows the wrapped text.
func TestWrappedTextFits(t *testing.T) {
	test.NewTempApp(t)
	text := widget.Text(strings.Repeat("Type this into the sketch. ", 12))
	below := fw.NewLabel("below")
	cols := widget.Columns(200, text, below)
	cols.Resize(fyne.NewSize(220, 900))
	if below.Position().Y < text.MinSize().Height || text.MinSize().Height < 100 {
		t.Errorf("text needs %v, below stands at %v", text.MinSize().Height, below.Position().Y)
	}
}

func TestQR(t *testing.T) {
	test.NewTempApp(t)
	o := widget.QR("http://192.168.1.20:8080/", 120)
	img, ok := o.(*canvas.Image)
	if !ok || img.MinSize().Width != 120 {
		t.Fatalf("%T, %v", o, o.MinSize())
	}
	if c := img.Image.At(0, 0); !same(c, color.White) {
		t.Errorf("the quiet zone is %v", c)
	}
	if !hasBlack(img.Image) {
		t.Error("the code is empty")
	}
	if _, ok := widget.QR(strings.Repeat("x", 5000), 120).(*fw.Label); !ok {
		t.Error("a text too long for a code is not shown as text")
	}
}

func same(a, b color.Color) bool {
	ar, ag, ab, _ := a.RGBA()
	br, bg, bb, _ := b.RGBA()
	return ar == br && ag == bg && ab == bb
}

func hasBlack(i image.Image) bool {
	for y := range i.Bounds().Dy() {
		for x := range i.Bounds().Dx() {
			if same(i.At(x, y), color.Black) {
				return true
			}
		}
	}
	return false
}

func TestConfirm(t *testing.T) {
	shell := widgettest.New(t)
	shell.Win.SetContent(fw.NewLabel(""))
	shell.Win.Resize(fyne.NewSize(800, 600))
	done := 0
	button := func(text string) *fw.Button {
		for _, o := range test.LaidOutObjects(shell.Win.Canvas().Overlays().Top()) {
			if b, ok := o.(*fw.Button); ok && b.Text == text {
				return b
			}
		}
		t.Fatalf("no button %q", text)
		return nil
	}
	widget.Confirm(shell, "Remove kit-1?", "Its readings stay.", "Remove", func() { done++ })
	test.Tap(button("Cancel"))
	if done != 0 {
		t.Error("Cancel removed it")
	}
	widget.Confirm(shell, "Remove kit-1?", "Its readings stay.", "Remove", func() { done++ })
	test.Tap(button("Remove"))
	if done != 1 {
		t.Errorf("done %d times", done)
	}
	if shell.Win.Canvas().Overlays().Top() != nil {
		t.Error("the question is still there")
	}
}

func TestSnack(t *testing.T) {
	test.NewTempApp(t)
	s := widget.NewSnack()
	if s.Text() != "" {
		t.Error("a new bar is there")
	}
	undone := 0
	s.Say("Removed", "Undo", func() { undone++ })
	test.Tap(s.Action())
	if s.Text() != "Removed" || undone != 1 {
		t.Errorf("bar %q, undone %d times", s.Text(), undone)
	}
	s.Say("Copied", "", nil)
	if s.Action().Visible() {
		t.Error("a bar without a way back has a button for it")
	}
}

func TestNumbers(t *testing.T) {
	t.Cleanup(func() { lang.Use(lang.English, "") })
	lang.Use(lang.English, "")
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := widget.Number(n); got != want {
			t.Errorf("Number(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1024: "1 KB", 5 << 20: "5 MB", 3<<30 + 1<<29: "3.5 GB"} {
		if got := widget.Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
	lang.Use(lang.French, "")
	if got := widget.Number(1234); got != "1\u00a0234" {
		t.Errorf("in French %q", got)
	}
}

func TestRate(t *testing.T) {
	var r widget.Rate
	at := time.Unix(1000, 0)
	for _, c := range []struct {
		after time.Duration
		count uint64
		want  uint64
	}{
		{0, 5000, 0},                         // since when is not known
		{100 * time.Millisecond, 5010, 0},    // too short to tell
		{time.Second, 5100, 100},             // the mean of a second
		{1500 * time.Millisecond, 9000, 100}, // until the next second
		{3 * time.Second, 5300, 100},
		{4 * time.Second, 10, 0}, // the counter began anew
		{3 * time.Second, 20, 0}, // the clock was put back
		{4 * time.Second, 20, 0},
	} {
		if got := r.Of(c.count, at.Add(c.after)); got != c.want {
			t.Errorf("after %v: %d a second, want %d", c.after, got, c.want)
		}
	}
}

func TestCopy(t *testing.T) {
	shell := widgettest.New(t)
	c := widget.NewCopy("192.168.1.20", shell)
	c.SetText("10.0.0.4")
	c.Tapped(nil)
	if got := fyne.CurrentApp().Clipboard().Content(); got != "10.0.0.4" || len(shell.Told) != 1 {
		t.Errorf("copied %q, told %q", got, shell.Told)
	}
}

// TestEmptyActs: the button of an empty place does what it says.
func TestEmptyActs(t *testing.T) {
	shell := widgettest.New(t)
	b := fw.NewButton("Add a kit", func() { shell.Go("accounts") })
	shell.Win.SetContent(widget.Page("Rooms", nil, widget.Card("Lab", widget.Empty(theme.HomeIcon(), "No kits", "Add one.", b))))
	shell.Win.Resize(fyne.NewSize(600, 400))
	test.Tap(b)
	if shell.Gone != "accounts" || b.Size().Width < 20 {
		t.Errorf("went to %q; the button is %v", shell.Gone, b.Size())
	}
}

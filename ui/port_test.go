//go:build !headless

package ui

import (
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
)

// TestPortQuestion: a taken port leaves three ways: another port, the same again, and
// to give up. A port that cannot be had is no way.
func TestPortQuestion(t *testing.T) {
	test.NewTempApp(t)
	test.ApplyTheme(t, newLook("light"))
	t.Cleanup(func() { lang.Use(lang.English, "") })
	for _, l := range lang.All() {
		lang.Use(l, "")
		var tried []string
		ended := 0
		ask := func() (*portQuestion, func(text string)) {
			q := newPortQuestion(Taken{Text: lang.L("Another program uses port {port}. Close it, or choose another port.", "port", "1883"), Label: lang.L("Port for kits (MQTT)"), Free: "1884",
				Hint: lang.L("Kits on Wi-Fi that know port {port} do not find another one: plug each into this PC once.", "port", "1883"),
				Use: func(port string) error {
					if tried = append(tried, port); port == "80" {
						return core.Fail(core.ErrDenied, "This account of the PC may not use port {port}. Choose one above 1023.", "port", port)
					}
					return nil
				}}, func() { ended++ })
			w := test.NewTempWindow(t, q.content)
			w.Resize(fyne.NewSize(560, 360))
			if m := q.content.MinSize(); m.Width > 560 || m.Height > 360 {
				t.Errorf("%s: it needs %v", l, m)
			}
			return q, func(text string) {
				for _, o := range test.LaidOutObjects(w.Content()) {
					if b, ok := o.(*fw.Button); ok && b.Text == text {
						test.Tap(b)
						return
					}
				}
				t.Fatalf("%s: no button %s", l, text)
			}
		}
		q, press := ask()
		q.port.SetText("80")
		press(lang.L("Start with this port"))
		if !q.problem.Visible() || q.again || ended != 0 {
			t.Errorf("%s: port 80: again %v, ended %d, said %q", l, q.again, ended, q.problem.Text.Text)
		}
		if at, size := q.problem.Position(), q.problem.Size(); at.Y <= q.port.Position().Y || size.Height < q.problem.MinSize().Height {
			t.Errorf("%s: what is wrong with port 80 stands at %v, %v large", l, at, size)
		}
		q.port.SetText("1885")
		q.port.OnSubmitted(q.port.Text)
		if !q.again || ended != 1 {
			t.Errorf("%s: port 1885: again %v, ended %d", l, q.again, ended)
		}
		q, press = ask()
		press(lang.L("Try again"))
		if !q.again || ended != 2 || len(tried) != 2 {
			t.Errorf("%s: the same again: %v, ended %d, tried %q", l, q.again, ended, tried)
		}
		q, press = ask()
		press(lang.L("Close"))
		if q.again || ended != 3 {
			t.Errorf("%s: closed: again %v, ended %d", l, q.again, ended)
		}
	}
}

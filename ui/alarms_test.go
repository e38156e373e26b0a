//go:build !headless

package ui

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fyne.io/fyne/v2/test"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/core"
)

// TestAlarmsAreOverEveryScreen: what calls is seen whichever screen is shown until
// a person says so; more than fit are counted.
func TestAlarmsAreOverEveryScreen(t *testing.T) {
	app := test.NewTempApp(t)
	synctest.Test(t, func(t *testing.T) {
		p := &parts{}
		p.claimed.Store(true)
		w, end := begin(t, p, app, &probe{name: "home"}, &probe{name: "rooms"})
		defer end()
		texts := func() (all string) {
			time.Sleep(2 * idle)
			w.on(func() {
				for _, o := range test.LaidOutObjects(w.win.Content()) {
					if l, ok := o.(*fw.Label); ok && l.Visible() {
						all += l.Text + "\n"
					}
				}
			})
			return all
		}
		if got := texts(); strings.Contains(got, "since") {
			t.Fatalf("nothing calls, but\n%s", got)
		}
		since := time.Now()
		p.mu.Lock()
		p.calling = []core.AlarmState{
			{Alarm: core.Alarm{ID: "a", Label: "Too warm"}, Say: core.Say("It is 31 °C."), Since: since},
			{Alarm: core.Alarm{ID: "b"}, Say: core.Say("The door is open."), Since: since, Ended: since.Add(time.Second)},
			{Alarm: core.Alarm{ID: "c"}, Say: core.Say("Third."), Since: since},
			{Alarm: core.Alarm{ID: "d"}, Say: core.Say("Fourth."), Since: since, Acked: since},
		}
		p.mu.Unlock()
		p.feed.Tell(core.AlarmsChanged)
		for _, at := range []string{"home", "rooms"} {
			w.on(func() { w.Go(at) })
			got := texts()
			for _, want := range []string{"Too warm: It is 31 °C. · since ", "b: The door is open. · from ", "1 more alarms call."} {
				if !strings.Contains(got, want) {
					t.Fatalf("over %s there is no %q in\n%s", at, want, got)
				}
			}
			if strings.Contains(got, "Fourth") {
				t.Fatalf("what was acknowledged is shown:\n%s", got)
			}
		}
		for range 3 {
			w.on(func() {
				for _, o := range test.LaidOutObjects(w.win.Content()) {
					if b, ok := o.(*fw.Button); ok && b.Text == "I have seen it" {
						b.OnTapped()
						return
					}
				}
			})
			texts()
		}
		if got := texts(); strings.Contains(got, "since") || strings.Contains(got, "31 °C") {
			t.Fatalf("all were seen, but\n%s", got)
		}
	})
}

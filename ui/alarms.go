//go:build !headless

package ui

import (
	"context"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// Alarms is what the window asks the alarms.
type Alarms interface {
	// States returns the alarms that call or were not acknowledged.
	States() []core.AlarmState
	Acknowledge(ctx context.Context, id topic.ID) error
}

// shownAlarms is how many are shown over a screen; the others are counted.
const shownAlarms = 2

// alarms are over every screen until a person has seen them.
type alarms struct {
	box   *fyne.Container
	shell *shell
	shown []core.AlarmState
	rest  int
	known map[topic.ID]time.Time // since when those call that the system was told of; nil before the first
}

func newAlarms(s *shell) *alarms {
	return &alarms{box: container.New(layout.NewCustomPaddedVBoxLayout(4)), shell: s}
}

// show shows states, and tells the system of those that are new.
func (a *alarms) show(states []core.AlarmState) {
	a.notify(states)
	var open []core.AlarmState
	for _, st := range states {
		if st.Acked.IsZero() {
			open = append(open, st)
		}
	}
	first := open[:min(len(open), shownAlarms)]
	if rest := len(open) - len(first); !a.same(first) || rest != a.rest {
		a.shown, a.rest = first, rest
		a.box.RemoveAll()
		for _, st := range first {
			a.box.Add(a.line(st))
		}
		if rest > 0 {
			a.box.Add(widget.Muted(lang.L("{n} more alarms call.", "n", rest)))
		}
		if len(first) > 0 {
			a.box.Show()
		} else {
			a.box.Hide()
		}
		a.shell.frame.Refresh()
	}
}

func (a *alarms) same(states []core.AlarmState) bool {
	if len(states) != len(a.shown) {
		return false
	}
	for i, st := range states {
		if old := a.shown[i]; st.Alarm.ID != old.Alarm.ID || !st.Since.Equal(old.Since) || !st.Ended.Equal(old.Ended) {
			return false
		}
	}
	return true
}

// line is one alarm.
func (a *alarms) line(st core.AlarmState) fyne.CanvasObject {
	when := lang.L("since {time}", "time", st.Since.Format(time.TimeOnly))
	importance := fw.DangerImportance
	if !st.Ended.IsZero() {
		when = lang.L("from {from} to {to}", "from", st.Since.Format(time.TimeOnly), "to", st.Ended.Format(time.TimeOnly))
		importance = fw.WarningImportance
	}
	text := strings.Join([]string{st.Alarm.Title() + ": " + lang.Say(st.Say), when}, " · ")
	return widget.NewNote(text, importance,
		fw.NewButton(lang.L("Show"), func() { a.shell.Go("plan/" + string(st.Alarm.Topic)) }),
		fw.NewButton(lang.L("I have seen it"), func() {
			a.shell.Do(func(ctx context.Context) (func(), error) {
				return a.shell.Refresh, a.shell.parts.Alarms.Acknowledge(ctx, st.Alarm.ID)
			})
		}))
}

// notify lets the system tell of alarms that did not call before, for who looks
// at another program. Many at once are one notification; what called before the
// window opened is none.
func (a *alarms) notify(states []core.AlarmState) {
	var fresh []core.AlarmState
	known := make(map[topic.ID]time.Time, len(states))
	for _, st := range states {
		known[st.Alarm.ID] = st.Since
		if since, ok := a.known[st.Alarm.ID]; (!ok || !since.Equal(st.Since)) && st.Ended.IsZero() && st.Acked.IsZero() {
			fresh = append(fresh, st)
		}
	}
	first := a.known == nil
	a.known = known
	if first || len(fresh) == 0 {
		return
	}
	text := lang.Say(fresh[0].Say)
	if len(fresh) > 1 {
		text = lang.L("{n} alarms call.", "n", len(fresh))
	}
	fyne.CurrentApp().SendNotification(fyne.NewNotification(fresh[0].Alarm.Title(), text))
}

//go:build !headless

package ui

import (
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/home"
	"homeroom/ui/widget"
)

// statusStale is what makes the status line out of date.
const statusStale = core.ClientsChanged | core.RefusalsChanged | core.AlarmsChanged

// statusValues is what the status line says.
type statusValues struct {
	addr      string
	connected int
	rate      uint64
	refused   int
	alarms    []core.AlarmState // shown over the screen
}

// statusLoad reads the values. Only watch uses it.
type statusLoad struct{ rate widget.Rate }

func (l *statusLoad) read(p Parts) statusValues {
	now := time.Now()
	in, _ := p.Broker.Traffic()
	v := statusValues{
		addr:      p.Info.MQTT,
		connected: home.Connected(p.Broker.Clients()),
		rate:      l.rate.Of(in, now),
		refused:   home.CountToday(p.Accounts.Refusals(home.AskedRefusals), now),
		alarms:    p.Alarms.States(),
	}
	if a := p.Addresses().MQTT; len(a) > 0 {
		v.addr = a[0]
	}
	return v
}

// status is the line at the lower edge of the window.
type status struct {
	bar                            fyne.CanvasObject
	dot                            *widget.Dot
	addr, connected, rate, refused *fw.Label
}

// newStatus returns the line. open says that everybody may do everything, which
// then stands in red on every screen.
func newStatus(open bool) *status {
	small := func() *fw.Label {
		l := fw.NewLabel("")
		l.SizeName = theme.SizeNameCaptionText
		return l
	}
	s := &status{dot: widget.NewDot(theme.ColorNameSuccess), addr: small(), connected: small(), rate: small(), refused: small()}
	row := container.NewHBox(s.dot, s.addr, layout.NewSpacer(), s.connected, s.rate, s.refused)
	if open {
		alarm := small()
		alarm.Importance, alarm.TextStyle = fw.DangerImportance, fyne.TextStyle{Bold: true}
		alarm.SetText(lang.L("OPEN"))
		s.dot.Set(theme.ColorNameError)
		row.Objects = slices.Insert(row.Objects, 1, fyne.CanvasObject(alarm))
	}
	s.bar = container.NewStack(newGround(widget.ColorRail), container.New(layout.NewCustomPaddedLayout(-3, -3, 14, 14), row))
	return s
}

func (s *status) show(v statusValues) {
	widget.SetText(s.addr, lang.L("Broker at {address}", "address", v.addr))
	widget.SetText(s.connected, lang.L("{n} connected", "n", widget.Number(uint64(v.connected))))
	widget.SetText(s.rate, lang.L("{n} messages a second", "n", widget.Number(v.rate)))
	if i := importance(v.refused); s.refused.Importance != i {
		s.refused.Importance = i
		s.refused.Refresh()
	}
	widget.SetText(s.refused, lang.L("{n} refused today", "n", widget.Number(uint64(v.refused))))
}

func importance(refused int) fw.Importance {
	if refused > 0 {
		return fw.WarningImportance
	}
	return fw.MediumImportance
}

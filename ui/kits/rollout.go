package kits

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// rollout is the strip over the kits while an update runs, and after one that stopped.
type rollout struct {
	box  *fyne.Container
	text *fw.Label
	bar  *fw.ProgressBar
	stop *fw.Button
	gone core.Rollout // that the person has put away
	now  core.Rollout
}

func newRollout(s *Screen) *rollout {
	r := &rollout{text: widget.Text(""), bar: fw.NewProgressBar()}
	r.stop = fw.NewButton("", func() {
		if r.now.Running {
			s.parts.Updates.StopRollout()
			s.shell.Refresh()
			return
		}
		r.gone = r.now
		r.box.Hide()
	})
	r.box = container.NewVBox(widget.NewSurface(theme.ColorNameOverlayBackground,
		container.NewBorder(nil, r.bar, nil, container.NewCenter(r.stop), r.text)))
	r.box.Hide()
	return r
}

// set shows how far it is.
func (r *rollout) set(now core.Rollout, d *core.Design) {
	r.now = now
	if len(now.Kits) == 0 || same(now, r.gone) {
		r.box.Hide()
		return
	}
	r.box.Show()
	text, button := "", lang.L("Close")
	switch {
	case now.Running:
		title := string(now.Kits[min(now.Next, len(now.Kits)-1)])
		if p := d.Place(now.Kits[min(now.Next, len(now.Kits)-1)]); p != nil {
			title = p.Title()
		}
		text = lang.L("Firmware {version}: {kit} is updated, {n} of {all}.", "version", now.Version, "kit", title, "n", min(now.Next+1, len(now.Kits)), "all", len(now.Kits))
		button = lang.L("Stop after this one")
	case now.Stopped.Format != "":
		text = lang.L("The update stopped after {n} of {all} kits. {why}", "n", now.Next, "all", len(now.Kits), "why", lang.Say(now.Stopped))
	default:
		text = lang.L("{n} kits have firmware {version} now.", "n", len(now.Kits), "version", now.Version)
	}
	widget.SetText(r.text, text)
	if r.stop.Text != button {
		r.stop.SetText(button)
	}
	r.bar.SetValue(float64(now.Next) / float64(len(now.Kits)))
}

func same(a, b core.Rollout) bool {
	return !a.Running && a.Running == b.Running && a.Version == b.Version && len(a.Kits) == len(b.Kits) && a.Next == b.Next && len(b.Kits) > 0 && a.Kits[0] == b.Kits[0]
}

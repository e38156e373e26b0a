package home

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// Rehearsal tries before class whether this PC carries it.
type Rehearsal interface {
	// TryKits lets n virtual kits publish and read for some seconds, and returns
	// what became of it.
	TryKits(ctx context.Context, n int) (core.Sentence, error)
}

var rehearsalKits = []int{10, 40, 100, 200}

// rehearsal is the card that tries it.
type rehearsal struct {
	box   *fyne.Container
	kits  *fw.Select
	start *fw.Button
	busy  *fw.ProgressBarInfinite
	said  *fw.Label
}

func newRehearsal(r Rehearsal, shell widget.Shell) *rehearsal {
	c := &rehearsal{said: widget.Text(""), busy: fw.NewProgressBarInfinite()}
	var names []string
	for _, n := range rehearsalKits {
		names = append(names, lang.L("{n} virtual kits", "n", n))
	}
	c.kits = fw.NewSelect(names, nil)
	c.kits.SetSelectedIndex(1)
	c.start = fw.NewButtonWithIcon(lang.L("Try it"), theme.MediaPlayIcon(), func() {
		n := rehearsalKits[max(0, c.kits.SelectedIndex())]
		c.start.Disable()
		c.kits.Disable()
		c.said.Hide()
		c.busy.Show()
		c.busy.Start()
		shell.Do(func(ctx context.Context) (func(), error) {
			say, err := r.TryKits(ctx, n)
			return func() {
				c.busy.Stop()
				c.busy.Hide()
				c.start.Enable()
				c.kits.Enable()
				if err != nil {
					c.said.SetText(lang.Error(err))
				} else {
					c.said.SetText(lang.Say(say))
				}
				c.said.Show()
			}, nil
		})
	})
	c.busy.Stop()
	c.busy.Hide()
	c.said.Hide()
	c.box = container.NewVBox(
		widget.Muted(lang.L("Does this PC carry the class? Virtual kits publish and read for ten seconds.")),
		container.NewBorder(nil, nil, nil, c.start, c.kits), c.busy, c.said)
	return c
}

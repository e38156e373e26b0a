package setup

import (
	"context"
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// benchCard is a board on the bench, with a mark that is seen from three metres.
type benchCard struct {
	shower
	b       *bench
	id      int64
	x       core.Setup
	surface *widget.Surface
	name    *fw.Label
	where   *fw.Label
	mark    *canvas.Image
	marked  string
	verdict *canvas.Text
	bar     *fw.ProgressBar
	doing   *fw.Label
	ask     *fw.Label
	tests   *fyne.Container
	tested  string
	again   *fw.Button
	more    *fw.Button
	stop    *fw.Button
	done    *fw.Button
}

func newBenchCard(b *bench, id int64) *benchCard {
	c := &benchCard{b: b, id: id, name: widget.Cell(""), where: widget.Cell(""), verdict: canvas.NewText("", nil), bar: fw.NewProgressBar(),
		doing: widget.Text(""), tests: container.NewVBox(), mark: canvas.NewImageFromResource(nil)}
	c.name.SizeName, c.name.TextStyle.Bold = theme.SizeNameHeadingText, true
	c.where.SizeName, c.where.Importance = theme.SizeNameCaptionText, fw.LowImportance
	c.verdict.TextSize, c.verdict.TextStyle.Bold, c.verdict.Alignment = 30, true, fyne.TextAlignCenter
	c.mark.FillMode = canvas.ImageFillContain
	c.mark.SetMinSize(fyne.NewSquareSize(92))
	c.ask = askLabel()
	c.ask.SizeName = theme.SizeNameSubHeadingText
	kits := b.s.p.Kits
	c.again = fw.NewButtonWithIcon(lang.L("Try again"), theme.ViewRefreshIcon(), func() {
		step := c.x.Step
		if step == core.StepKit { // the order was refused
			delete(b.ordered, id)
			b.goOn(c.x)
			return
		}
		j, ours := b.given[id]
		anew := ours && step == core.StepNetwork && b.ready() == "" // the key may be another one now
		o := j.order(&b.link, b.s.v.images)
		b.ask(func(ctx context.Context) error {
			if anew {
				if err := kits.Order(ctx, id, o); err != nil {
					return err
				}
			}
			return kits.Start(ctx, id, step)
		}, nil)
	})
	c.more = fw.NewButtonWithIcon("", theme.ZoomInIcon(), func() {
		b.s.wizard.resume(id)
		b.s.show(0)
	})
	c.more.Importance = fw.LowImportance
	c.stop = fw.NewButtonWithIcon(lang.L("Cancel"), theme.CancelIcon(), func() {
		b.ask(func(context.Context) error { return kits.Stop(id) }, nil)
	})
	c.done = fw.NewButtonWithIcon(lang.L("Close"), theme.ConfirmIcon(), c.close)
	head := container.New(layout.NewCustomPaddedVBoxLayout(-12), c.name, c.where)
	c.surface = widget.NewSurface(theme.ColorNameOverlayBackground, container.NewVBox(head, c.mark, c.verdict, c.ask,
		c.bar, c.doing, c.tests, container.NewHBox(c.again, c.done, c.stop, layout.NewSpacer(), c.more)))
	return c
}

// close takes the card away. What was not made waits again.
func (c *benchCard) close() {
	b := c.b
	j, ours := b.given[c.id]
	made := c.x.Step == core.StepCard
	b.ask(func(context.Context) error { return b.s.p.Kits.Close(c.id) }, func() {
		if ours && !made && !waits(b.queue, j.kit) {
			b.queue = append([]job{j}, b.queue...)
		}
		delete(b.given, c.id)
	})
}

// set shows the setup as it is now.
func (c *benchCard) set(set core.Setup) {
	c.x = set
	v := &c.b.s.v
	title, where := set.Port, ""
	if kit := c.b.kitOf(set); kit != "" {
		title, where = v.title(kit), set.Port
		if at := v.where(kit); at != "" {
			where = at + " · " + set.Port
		}
	}
	c.say(c.where, where)
	fill, verdict := theme.ColorNameOverlayBackground, ""
	front := theme.ColorNameForeground
	var icon fyne.Resource
	failed := set.Problem.Format != ""
	switch {
	case failed, set.Step == core.StepCard && !set.Passed:
		fill, front, verdict, icon = widget.ColorErrorTint, theme.ColorNameError, lang.L("FAILED"), theme.NewErrorThemedResource(theme.CancelIcon())
	case set.Passed:
		fill, front, verdict, icon = widget.ColorSuccessTint, theme.ColorNameSuccess, lang.L("PASSED"), theme.NewSuccessThemedResource(theme.ConfirmIcon())
	case set.Step == core.StepTest:
		fill, front, verdict = widget.ColorWarningTint, theme.ColorNameWarning, lang.L("Try the parts")
	}
	c.surface.SetFill(fill)
	c.say(c.name, title)
	if ink := theme.Color(front); c.verdict.Text != verdict || c.verdict.Color != ink {
		c.verdict.Text, c.verdict.Color = verdict, ink
		c.verdict.Refresh()
	}
	c.show(c.verdict, verdict != "")
	c.show(c.mark, icon != nil)
	if icon != nil && c.marked != icon.Name() {
		c.marked, c.mark.Resource = icon.Name(), icon
		c.mark.Refresh()
	}
	ask := said(set.Ask)
	c.say(c.ask, ask)
	c.show(c.ask, ask != "")
	share := 0.0
	if set.Total > 0 {
		share = float64(min(set.Done, set.Total)) / float64(set.Total)
	}
	if c.bar.Value != share {
		c.bar.SetValue(share)
	}
	c.show(c.bar, set.Running && set.Total > 0)
	text := stepTitle(set.Step)
	switch {
	case failed:
		text += ": " + said(set.Problem)
	case set.Running && set.Doing.Format != "":
		text += ": " + said(set.Doing)
		if l := left(set.Left); l != "" {
			text += " · " + l
		}
	}
	c.say(c.doing, text)
	c.show(c.doing, !set.Passed && set.Step != core.StepTest)
	c.drawTests(set)
	c.show(c.again, !set.Running && (failed || set.Step == core.StepKit && c.b.ordered[c.id]))
	c.show(c.done, !set.Running)
	c.show(c.stop, set.Running && set.Step != core.StepTest)
}

// drawTests lists the parts to try in a few words each.
func (c *benchCard) drawTests(set core.Setup) {
	c.show(c.tests, set.Step == core.StepTest)
	key := fmt.Sprint(set.Tests, set.Step == core.StepTest)
	if key == c.tested {
		return
	}
	c.tested, c.stale = key, true
	c.tests.RemoveAll()
	if set.Step != core.StepTest {
		return
	}
	for _, t := range set.Tests {
		name := widget.Cell(slotName(t.Slot))
		name.TextStyle.Bold = true
		var right fyne.CanvasObject
		judge := func(ok bool) func() {
			return func() {
				c.b.ask(func(ctx context.Context) error { return c.b.s.p.Kits.Judge(ctx, c.id, t.Slot, ok) }, nil)
			}
		}
		switch {
		case t.Passed:
			right = fw.NewIcon(theme.NewSuccessThemedResource(theme.ConfirmIcon()))
		case t.Tried:
			right = fw.NewIcon(theme.NewErrorThemedResource(theme.CancelIcon()))
		case t.Asks:
			right = container.NewHBox(fw.NewButtonWithIcon("", theme.ConfirmIcon(), judge(true)), fw.NewButtonWithIcon("", theme.CancelIcon(), judge(false)))
		default:
			value := t.Value
			if value == "" {
				value = "…"
			}
			right = fw.NewLabel(value)
		}
		say := widget.Muted(said(t.Say))
		say.SizeName = theme.SizeNameCaptionText
		c.tests.Add(container.New(layout.NewCustomPaddedVBoxLayout(-10), container.NewBorder(nil, nil, fw.NewIcon(theme.NewThemedResource(slotIcon(t.Slot))), right, name), say))
	}
}

package setup

import (
	"context"
	"fmt"
	"image/png"
	"io"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// cardPage shows the label of the kit, and begins with the next board.
type cardPage struct {
	w      *wizard
	shown  string
	paper  *fyne.Container
	result *fyne.Container
	print  *fw.Button
	save   *fw.Button
	test   *fw.Button
	room   *fw.Button
	body   fyne.CanvasObject
}

func newCardPage(w *wizard) *cardPage {
	p := &cardPage{w: w, paper: container.NewStack(), result: container.NewStack()}
	p.print = fw.NewButtonWithIcon(lang.L("Print the label"), printIcon, func() { w.s.sheets.print([]label{w.s.v.labelOf(w.set)}) })
	p.save = fw.NewButtonWithIcon(lang.L("Save as picture"), theme.FileImageIcon(), func() {
		l := w.s.v.labelOf(w.set)
		pic := l.picture()
		_, id := splitLast(string(l.kit))
		widget.Save(w.s.sh, id+".png", func(out io.Writer) error { return png.Encode(out, pic) })
	})
	p.test = fw.NewButtonWithIcon(lang.L("Test again"), theme.ViewRefreshIcon(), func() { w.start(core.StepTest) })
	p.room = fw.NewButtonWithIcon(lang.L("Show its values"), theme.GridIcon(), func() { w.s.sh.Go("rooms") })
	p.body = widget.Scroll(widget.Middle(760, p.result, container.New(layout.NewCustomPaddedLayout(10, 10, 0, 0), container.NewCenter(p.paper)),
		container.NewCenter(container.NewHBox(big(p.print), p.save)), container.NewCenter(container.NewHBox(p.test, p.room))))
	return p
}

// splitLast returns what is before and after the last slash.
func splitLast(name string) (before, after string) {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			return name[:i], name[i+1:]
		}
	}
	return "", name
}

func (p *cardPage) content() fyne.CanvasObject { return p.body }

func (p *cardPage) head() (title, about string) {
	kit := p.w.s.v.labelOf(p.w.set).title
	if p.w.set.Passed {
		return lang.L("{kit} is ready", "kit", kit), lang.L("Stick its label on it. The code opens its page on a phone.")
	}
	return lang.L("{kit} has joined", "kit", kit), ""
}

func (p *cardPage) draw() {
	set := p.w.set
	l := p.w.s.v.labelOf(set)
	key := fmt.Sprint(l, set.Passed, set.Problem)
	if key == p.shown {
		return
	}
	p.shown = key
	p.paper.Objects = []fyne.CanvasObject{l.paper()}
	p.paper.Refresh()
	note := widget.NewNote(lang.L("Passed: the broker has seen it, and every part works."), fw.SuccessImportance)
	switch {
	case set.Problem.Format != "":
		note = widget.NewNote(said(set.Problem), fw.DangerImportance)
	case !set.Passed:
		note = widget.NewNote(lang.L("Not every part was tried, or one does not work. The kit can be used all the same; test it again later."), fw.WarningImportance)
	}
	p.result.Objects = []fyne.CanvasObject{note}
	p.result.Refresh()
}

func (p *cardPage) next() (string, func()) {
	w := p.w
	id := w.id
	return lang.L("Next board"), func() {
		w.ask(func(context.Context) error { return w.s.p.Kits.Close(id) }, w.another)
	}
}

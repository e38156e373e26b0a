package setup

import (
	"fmt"
	"slices"
	"strings"
	"time"

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

// workPage is what goes on with the board by itself: the flash, the settings,
// and until the broker has seen it.
type workPage struct {
	shower
	w       *wizard
	way     *wayPicture
	ask     *fw.Label
	hands   *widget.Sketch
	bar     *fw.ProgressBar
	doing   *fw.Label
	far     *fw.Label // how far it is
	busy    string    // what goes on
	since   time.Time // and since when it is seen
	problem *widget.Note
	others  *fyne.Container // ways on after a failure
	network *fw.Button
	again   *fw.Button
	log     *logFold
	body    fyne.CanvasObject
}

func newWorkPage(w *wizard) *workPage {
	p := &workPage{w: w, way: newWayPicture(), ask: askLabel(), hands: handsPicture(), bar: fw.NewProgressBar(), doing: widget.Text(""), far: fw.NewLabel(""), log: newLogFold(w.s.sh)}
	p.doing.SizeName = theme.SizeNameSubHeadingText
	p.far.Importance = fw.LowImportance
	p.problem = widget.NewNote("", fw.DangerImportance)
	p.problem.Text.SizeName = theme.SizeNameSubHeadingText
	p.network = fw.NewButtonWithIcon(lang.L("Another network"), wifiIcon, func() { w.look(core.StepNetwork) })
	p.again = fw.NewButtonWithIcon(lang.L("Write the firmware again"), theme.ViewRefreshIcon(), func() { w.start(core.StepFlash) })
	p.others = container.NewHBox(p.network, p.again)
	p.body = widget.Scroll(widget.Middle(760, p.ask, p.hands, p.way.sketch, p.problem, p.others,
		container.New(atLeast{0, 34}, p.bar), container.NewBorder(nil, nil, nil, p.far, p.doing), p.log.fold))
	return p
}

func (p *workPage) content() fyne.CanvasObject { return p.body }

// passed reports whether the step that is shown is behind the setup.
func (p *workPage) passed() bool {
	return slices.Index(core.SetupSteps, p.w.set.Step) > slices.Index(core.SetupSteps, p.w.at)
}

func (p *workPage) head() (title, about string) {
	set := p.w.set
	kit := p.w.kitTitle(set.Order.Kit)
	switch {
	case set.Problem.Format != "" && !p.passed():
		return lang.L("{step}: this did not work", "step", stepTitle(p.w.at)), kit
	case p.passed():
		return lang.L("{step}: done", "step", stepTitle(p.w.at)), kit
	case !set.Running && p.w.at == core.StepFlash:
		return lang.L("{step}: stopped", "step", stepTitle(p.w.at)), lang.L("{kit} has no firmware until all of it is written. Go on: it begins anew.", "kit", kit)
	case !set.Running:
		return lang.L("{step}: stopped", "step", stepTitle(p.w.at)), kit
	case p.w.at == core.StepFlash:
		return lang.L("The board gets its firmware"), lang.L("Leave the cable where it is.")
	case p.w.at == core.StepSettings:
		return lang.L("The kit takes over its settings"), lang.L("It starts, and says that it has them.")
	}
	return lang.L("The kit joins"), lang.L("It is done only when the broker has seen it.")
}

func (p *workPage) draw() {
	set := p.w.set
	ask := said(set.Ask)
	p.say(p.ask, ask)
	p.show(p.ask, ask != "")
	p.show(p.hands, ask != "")
	p.show(p.way.sketch, ask == "")
	failed := set.Problem.Format != "" && !p.passed()
	p.way.set(p.w.at, set.Running, failed, p.passed(), p.w.s.now())
	p.say(p.problem.Text, said(set.Problem))
	p.show(p.problem, failed)
	p.show(p.others, (failed || p.passed()) && !p.w.running())
	p.show(p.network, failed && p.w.at == core.StepJoin)
	p.show(p.again, p.passed() || failed && p.w.at != core.StepFlash)
	value := 0.0
	if set.Total > 0 {
		value = float64(min(set.Done, set.Total)) / float64(set.Total)
	}
	counts := set.Running && set.Step == core.StepFlash && set.Total > 1 // a start is no bytes
	p.show(p.bar, counts)
	if p.bar.Value != value {
		p.bar.SetValue(value)
	}
	if now := fmt.Sprint(set.ID, set.Doing); p.busy != now {
		p.busy, p.since = now, p.w.s.now()
	}
	p.say(p.doing, said(set.Doing))
	p.show(p.doing, set.Running && set.Doing.Format != "" && !p.passed())
	if !counts {
		set.Done, set.Total = 0, 0
	}
	p.say(p.far, progress(set, p.since, p.w.s.now()))
	p.show(p.far, set.Running && !p.passed())
	p.log.set(set.Log)
	p.stale = p.log.moved() || p.stale
}

// progress is how far something is: bytes and the time left, or for how long it goes on.
func progress(set core.Setup, since, now time.Time) string {
	var parts []string
	if set.Total > 0 {
		parts = append(parts, lang.L("{done} of {total}", "done", widget.Bytes(set.Done), "total", widget.Bytes(set.Total)))
	}
	if l := left(set.Left); l != "" {
		parts = append(parts, l)
	}
	if d := now.Sub(since); len(parts) == 0 && d >= 2*time.Second {
		parts = append(parts, lang.L("for {n} s", "n", int(d.Seconds())))
	}
	return strings.Join(parts, " · ")
}

func (p *workPage) next() (string, func()) {
	set := p.w.set
	switch {
	case p.passed():
		return lang.L("Next"), func() { p.w.look(set.Step) }
	case set.Running:
		return lang.L("Next"), nil
	case set.Problem.Format != "":
		return lang.L("Try again"), func() { p.w.start(set.Step) }
	}
	return lang.L("Go on"), func() { p.w.start(set.Step) }
}

// logFold is what was said with the board, for who wants to know.
type logFold struct {
	shower
	fold  *widget.Fold
	text  *fw.Label
	lines []string
}

func newLogFold(shell widget.Shell) *logFold {
	l := &logFold{text: fw.NewLabel("")}
	l.text.TextStyle.Monospace, l.text.SizeName, l.text.Wrapping = true, theme.SizeNameCaptionText, fyne.TextWrapBreak
	clip := fw.NewButtonWithIcon(lang.L("Copy"), theme.ContentCopyIcon(), func() {
		fyne.CurrentApp().Clipboard().SetContent(strings.Join(l.lines, "\n"))
		shell.Tell(lang.L("Copied"))
	})
	clip.Importance = fw.LowImportance
	l.fold = widget.NewFold(lang.L("What was said with the board"), container.NewBorder(nil, container.NewHBox(layout.NewSpacer(), clip), nil, nil, l.text))
	l.fold.OnOpen = func(bool) { l.draw() }
	return l
}

// set keeps the lines; they are drawn while somebody looks.
func (l *logFold) set(lines []string) {
	if !slices.Equal(l.lines, lines) {
		l.lines = lines
		l.draw()
	}
	l.show(l.fold, len(lines) > 0)
}

func (l *logFold) draw() {
	if !l.fold.Open {
		return
	}
	seen := make([]string, len(l.lines))
	for i, line := range l.lines {
		seen[i] = widget.Visible(line, false)
	}
	l.say(l.text, strings.Join(seen, "\n"))
}

// wayPicture is the PC and the board with dots between them that go where the
// work goes.
type wayPicture struct {
	sketch *widget.Sketch
	dots   []*canvas.Circle
	done   *canvas.Text
}

// wayDots is how many dots there are.
const wayDots = 7

func newWayPicture() *wayPicture {
	s := widget.NewSketch(560, 150, 300, 1.5)
	p := &wayPicture{sketch: s}
	s.Box(0, 0, 560, 150, 14, mat, mat)
	drawPC(s, 28, 24)
	smallBoard(s, 384, 34)
	for i := range wayDots {
		p.dots = append(p.dots, s.Circle(222+float32(i)*24, 78, 6, faint, nothing))
	}
	p.done = s.Text("", 200, 100, 180, 14, true, silk)
	return p
}

// set lights the dots: one after another while something goes on, all in green
// when it is done and in red when it failed.
func (p *wayPicture) set(step core.SetupStep, running, failed, passed bool, now time.Time) {
	at := int(now.Unix()) % wayDots
	if step == core.StepJoin { // now the kit speaks
		at = wayDots - 1 - at
	}
	for i, d := range p.dots {
		c := faint
		switch {
		case failed:
			c = plus
		case passed:
			c = signals[2]
		case running && i == at:
			c = mark
		}
		if d.FillColor != c {
			d.FillColor = c
			d.Refresh()
		}
	}
	if text := stepTitle(step); p.done.Text != text {
		p.done.Text = text
		p.done.Refresh()
	}
}

package setup

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// tryPage is where each part of the new kit is tried.
type tryPage struct {
	shower
	w       *wizard
	cards   []*tryCard
	grid    *fyne.Container
	problem *widget.Note
	none    fyne.CanvasObject
	body    fyne.CanvasObject
}

func newTryPage(w *wizard) *tryPage {
	p := &tryPage{w: w, grid: widget.Columns(240)}
	p.problem = widget.NewNote("", fw.DangerImportance)
	p.none = widget.NewNote(lang.L("This kit has no parts to try. It has joined, and that is the test."), fw.SuccessImportance)
	p.body = widget.Scroll(container.NewVBox(p.problem, p.none, p.grid))
	return p
}

func (p *tryPage) content() fyne.CanvasObject { return p.body }

func (p *tryPage) head() (title, about string) {
	return lang.L("Does every part work?"), lang.L("Try each one. A part that is seen turns green by itself.")
}

func (p *tryPage) draw() {
	set := p.w.set
	p.say(p.problem.Text, said(set.Problem))
	p.show(p.problem, set.Problem.Format != "" && set.Step == core.StepTest)
	p.show(p.none, len(set.Tests) == 0)
	if !slices.EqualFunc(p.cards, set.Tests, func(c *tryCard, t core.KitTest) bool { return c.slot == t.Slot && c.asks == t.Asks }) {
		p.cards, p.stale = nil, true
		p.grid.RemoveAll()
		for _, t := range set.Tests {
			c := newTryCard(t, func(ok bool) {
				id := p.w.id
				p.w.ask(func(ctx context.Context) error { return p.w.s.p.Kits.Judge(ctx, id, t.Slot, ok) }, nil)
			})
			p.cards = append(p.cards, c)
			p.grid.Add(container.New(atLeast{0, 246}, c.surface))
		}
	}
	for i, c := range p.cards {
		c.set(set.Tests[i])
		p.stale = c.moved() || p.stale
	}
}

func (p *tryPage) next() (string, func()) {
	set := p.w.set
	on := func() { p.w.start(core.StepCard) }
	switch {
	case set.Step == core.StepCard:
		return lang.L("Next"), func() { p.w.look(core.StepCard) }
	case set.Problem.Format != "":
		return lang.L("Try again"), func() { p.w.start(core.StepTest) }
	case !set.Running && len(set.Tests) > 0 && !slices.ContainsFunc(set.Tests, func(t core.KitTest) bool { return t.Tried }):
		return lang.L("Go on"), func() { p.w.start(core.StepTest) } // it was stopped
	case slices.ContainsFunc(set.Tests, func(t core.KitTest) bool { return !t.Tried }):
		return lang.L("Leave out the rest"), on
	case !set.Running && set.Step == core.StepTest:
		return lang.L("Next"), on
	}
	return lang.L("Next"), nil
}

// quiet reports whether its button says what is better not done.
func (p *tryPage) quiet() bool {
	return p.w.set.Step == core.StepTest && p.w.set.Problem.Format == "" && slices.ContainsFunc(p.w.set.Tests, func(t core.KitTest) bool { return !t.Tried })
}

// tryCard is one part to try.
type tryCard struct {
	shower
	slot    topic.ID
	asks    bool
	surface *widget.Surface
	task    *fw.Label
	state   *fw.Label
	value   *canvas.Text
	meter   *meter
	yes, no *fw.Button
	mark    *fw.Icon
}

func newTryCard(t core.KitTest, judge func(ok bool)) *tryCard {
	c := &tryCard{slot: t.Slot, asks: t.Asks, task: widget.Text(""), state: fw.NewLabelWithStyle("", fyne.TextAlignCenter, fyne.TextStyle{Bold: true}), mark: fw.NewIcon(nil)}
	c.task.SizeName, c.task.Alignment = theme.SizeNameSubHeadingText, fyne.TextAlignCenter
	name := fw.NewLabelWithStyle(slotName(t.Slot), fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	name.SizeName = theme.SizeNameSubHeadingText
	icon := canvas.NewImageFromResource(theme.NewThemedResource(slotIcon(t.Slot)))
	icon.FillMode = canvas.ImageFillContain
	icon.SetMinSize(fyne.NewSquareSize(40))
	c.value = canvas.NewText("", theme.Color(theme.ColorNameForeground))
	c.value.TextSize, c.value.Alignment, c.value.TextStyle.Bold = 30, fyne.TextAlignCenter, true
	c.meter = newMeter()
	c.yes = fw.NewButtonWithIcon(lang.L("Yes"), theme.ConfirmIcon(), func() { judge(true) })
	c.no = fw.NewButtonWithIcon(lang.L("No"), theme.CancelIcon(), func() { judge(false) })
	c.yes.Importance, c.no.Importance = fw.SuccessImportance, fw.MediumImportance
	answers := container.NewGridWithColumns(2, container.New(atLeast{100, 46}, c.yes), container.New(atLeast{100, 46}, c.no))
	c.show(answers, t.Asks)
	c.show(c.value, !t.Asks)
	c.surface = widget.NewSurface(theme.ColorNameInputBackground, container.New(layout.NewCustomPaddedLayout(10, 10, 10, 10), container.NewVBox(
		container.NewCenter(container.NewHBox(icon, name)), c.task, c.value, c.meter, answers,
		container.NewCenter(container.NewHBox(container.NewGridWrap(fyne.NewSquareSize(28), c.mark), c.state)))))
	return c
}

// set shows what is known of the part now.
func (c *tryCard) set(t core.KitTest) {
	c.say(c.task, said(t.Say))
	fill, text, importance := theme.ColorNameInputBackground, lang.L("waits for you"), fw.LowImportance
	var mark fyne.Resource = theme.NewDisabledResource(theme.MoreHorizontalIcon())
	switch {
	case t.Passed:
		fill, text, importance, mark = widget.ColorSuccessTint, lang.L("works"), fw.SuccessImportance, theme.NewSuccessThemedResource(theme.ConfirmIcon())
	case t.Tried:
		fill, text, importance, mark = widget.ColorErrorTint, lang.L("does not work"), fw.DangerImportance, theme.NewErrorThemedResource(theme.CancelIcon())
	}
	c.surface.SetFill(fill)
	if c.state.Text != text || c.state.Importance != importance {
		c.state.Importance = importance
		c.state.SetText(text)
	}
	if c.mark.Resource == nil || c.mark.Resource.Name() != mark.Name() {
		c.mark.SetResource(mark)
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(t.Value), 64)
	level := err == nil && c.slot == "brightness"
	c.show(c.meter, level)
	value := t.Value
	if level {
		c.meter.set(float32(v) / 100)
		value = lang.L("{n} %", "n", t.Value)
	}
	if value == "" {
		value = "–"
	}
	if c.value.Text != value || c.value.Color != theme.Color(theme.ColorNameForeground) {
		c.value.Text, c.value.Color = value, theme.Color(theme.ColorNameForeground)
		c.value.Refresh()
	}
}

// meter is a bar that is as long as a value is high.
type meter struct {
	fw.BaseWidget
	share       float32 // 0 to 1
	back, front *canvas.Rectangle
}

func newMeter() *meter {
	m := &meter{back: canvas.NewRectangle(nil), front: canvas.NewRectangle(nil)}
	m.ExtendBaseWidget(m)
	return m
}

func (m *meter) set(share float32) {
	if share = min(max(share, 0), 1); share != m.share {
		m.share = share
		m.Refresh()
	}
}

// CreateRenderer is part of fyne.Widget.
func (m *meter) CreateRenderer() fyne.WidgetRenderer {
	m.paint()
	return fw.NewSimpleRenderer(container.New(meterLayout{m}, m.back, m.front))
}

// Refresh is part of fyne.CanvasObject.
func (m *meter) Refresh() {
	m.paint()
	m.front.Resize(fyne.NewSize(m.Size().Width*m.share, m.Size().Height))
	m.BaseWidget.Refresh()
}

func (m *meter) paint() {
	m.back.FillColor, m.front.FillColor = theme.Color(theme.ColorNameSeparator), theme.Color(theme.ColorNamePrimary)
	m.back.CornerRadius, m.front.CornerRadius = 7, 7
}

type meterLayout struct{ m *meter }

func (meterLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(80, 14) }

func (l meterLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	objects[0].Resize(size)
	objects[1].Resize(fyne.NewSize(size.Width*l.m.share, size.Height))
}

package setup

import (
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/core"
	"homeroom/ui/widget"
)

// stepState is how a step stands.
type stepState int

const (
	stepLater stepState = iota
	stepNow
	stepDone
	stepFailed
)

// stepRail is the eight steps at the left.
type stepRail struct {
	content fyne.CanvasObject
	items   []*stepItem
}

func newStepRail(pick func(core.SetupStep)) *stepRail {
	r := &stepRail{}
	rows := container.New(layout.NewCustomPaddedVBoxLayout(2))
	for i, s := range core.SetupSteps {
		item := newStepItem(i+1, stepTitle(s), func() { pick(s) })
		r.items = append(r.items, item)
		rows.Add(item)
	}
	r.content = widget.Wide(204, container.NewVScroll(rows))
	return r
}

// stepItem is a step: its number or mark, its name, and what was chosen there.
type stepItem struct {
	widget.Item // chosen while its page is shown, disabled where a person cannot go
	state       stepState
	circle      *canvas.Circle
	figure      *canvas.Text
	icon        *fw.Icon
	name        *fw.Label
	text        *fw.Label
}

func newStepItem(n int, name string, pick func()) *stepItem {
	i := &stepItem{circle: canvas.NewCircle(nil), figure: canvas.NewText(strconv.Itoa(n), nil),
		icon: fw.NewIcon(nil), name: widget.Cell(name), text: widget.Cell("")}
	i.figure.Alignment, i.figure.TextStyle.Bold = fyne.TextAlignCenter, true
	i.text.Hidden = true
	i.text.SizeName, i.text.Importance = theme.SizeNameCaptionText, fw.LowImportance
	badge := container.NewGridWrap(fyne.NewSquareSize(30), container.NewStack(i.circle, i.figure, container.NewPadded(i.icon)))
	words := container.NewVBox(layout.NewSpacer(), container.New(layout.NewCustomPaddedVBoxLayout(-14), i.name, i.text), layout.NewSpacer())
	i.OnPress = pick
	i.Body = container.New(atLeast{0, 58}, container.New(layout.NewCustomPaddedLayout(4, 4, 8, 6),
		container.NewBorder(nil, nil, container.NewCenter(badge), nil, words)))
	i.ExtendBaseWidget(i)
	return i
}

// set shows how the step stands; text is what was chosen there, or "".
func (i *stepItem) set(state stepState, shown, can bool, text string) {
	if i.text.Text != text {
		i.text.Hidden = text == ""
		i.text.SetText(text)
		i.Refresh()
	}
	i.Choose(shown)
	i.SetDisabled(!can)
	if i.state != state {
		i.state = state
		i.Refresh()
	}
}

// CreateRenderer is part of fyne.Widget.
func (i *stepItem) CreateRenderer() fyne.WidgetRenderer {
	i.paint()
	return i.Item.CreateRenderer()
}

// Refresh is part of fyne.CanvasObject.
func (i *stepItem) Refresh() {
	i.paint()
	i.Item.Refresh()
}

func (i *stepItem) paint() {
	fill, front := theme.ColorNameSeparator, theme.ColorNameForeground
	var icon fyne.Resource
	switch i.state {
	case stepLater:
		if i.Chosen() { // the row has nearly the colour of the circle
			fill = theme.ColorNameBackground
		}
	case stepNow:
		fill, front = theme.ColorNamePrimary, theme.ColorNameForegroundOnPrimary
	case stepDone:
		fill, icon = theme.ColorNameSuccess, theme.NewColoredResource(theme.ConfirmIcon(), theme.ColorNameForegroundOnSuccess)
	case stepFailed:
		fill, icon = theme.ColorNameError, theme.NewColoredResource(theme.CancelIcon(), theme.ColorNameForegroundOnError)
	}
	i.circle.FillColor = theme.Color(fill)
	i.figure.Color, i.figure.TextSize = theme.Color(front), theme.TextSize()
	i.figure.Hidden, i.icon.Hidden = icon != nil, icon == nil
	if icon != nil {
		i.icon.SetResource(icon)
	}
	i.name.TextStyle.Bold = i.Chosen()
	i.name.Importance = fw.MediumImportance
	if i.state == stepLater && !i.Chosen() {
		i.name.Importance = fw.LowImportance
	}
	i.name.Refresh()
}

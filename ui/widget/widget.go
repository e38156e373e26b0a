package widget

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
)

// CopiedFor is how long a copy button shows that it copied.
const CopiedFor = 2 * time.Second

// Page is a whole screen: its title with actions at the right, and its body in
// what is left. actions may be nil. Put a scroll around the body where it can
// be higher than the window (Scroll).
func Page(title string, actions []fyne.CanvasObject, body fyne.CanvasObject) fyne.CanvasObject {
	heading := fw.NewLabelWithStyle(title, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	heading.SizeName = theme.SizeNameHeadingText
	head := []fyne.CanvasObject{heading, layout.NewSpacer()}
	for _, a := range actions {
		head = append(head, container.NewCenter(a))
	}
	return container.New(pad{10}, container.NewBorder(container.NewHBox(head...), nil, nil, nil, body))
}

// Scroll makes body scroll up and down, with room for the bar at its right.
func Scroll(body fyne.CanvasObject) *container.Scroll {
	return container.NewVScroll(container.New(layout.NewCustomPaddedLayout(0, 8, 0, 14), body))
}

// Card is a rounded surface with a title, which may be "", over its content.
func Card(title string, content fyne.CanvasObject) fyne.CanvasObject {
	return CardWith(title, nil, content)
}

// CardWith is a Card with actions, such as small buttons, at the right of its title.
func CardWith(title string, actions []fyne.CanvasObject, content fyne.CanvasObject) fyne.CanvasObject {
	if title != "" || len(actions) > 0 {
		t := fw.NewLabelWithStyle(title, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
		t.Truncation = fyne.TextTruncateEllipsis
		var right fyne.CanvasObject
		if len(actions) > 0 {
			right = container.NewHBox(actions...)
		}
		content = container.NewBorder(container.NewBorder(nil, nil, nil, right, t), nil, nil, nil, content)
	}
	return NewSurface(theme.ColorNameOverlayBackground, content)
}

// Surface is a rounded rectangle in a colour of the theme with content on it.
type Surface struct {
	fw.BaseWidget
	fill    fyne.ThemeColorName
	content fyne.CanvasObject
	rect    *canvas.Rectangle
}

// NewSurface returns a Surface with that fill.
func NewSurface(fill fyne.ThemeColorName, content fyne.CanvasObject) *Surface {
	s := &Surface{fill: fill, content: content, rect: canvas.NewRectangle(nil)}
	s.ExtendBaseWidget(s)
	return s
}

// SetFill changes the colour.
func (s *Surface) SetFill(fill fyne.ThemeColorName) {
	if s.fill != fill {
		s.fill = fill
		s.Refresh()
	}
}

// CreateRenderer is part of fyne.Widget.
func (s *Surface) CreateRenderer() fyne.WidgetRenderer {
	s.paint()
	return fw.NewSimpleRenderer(container.NewStack(s.rect, container.New(pad{8}, s.content)))
}

// Refresh is part of fyne.CanvasObject.
func (s *Surface) Refresh() {
	s.paint()
	s.BaseWidget.Refresh()
}

func (s *Surface) paint() {
	s.rect.FillColor = theme.Color(s.fill)
	s.rect.CornerRadius = theme.Size(theme.SizeNameCardRadius)
	s.rect.StrokeColor = theme.Color(theme.ColorNameSeparator)
	s.rect.StrokeWidth = 1
}

// Empty fills a place where there is nothing yet: what is missing, what to do
// about it, and a button that does it. hint may be "" and action nil.
func Empty(icon fyne.Resource, text, hint string, action fyne.CanvasObject) fyne.CanvasObject {
	picture := canvas.NewImageFromResource(theme.NewColoredResource(icon, theme.ColorNamePlaceHolder))
	picture.FillMode = canvas.ImageFillContain
	picture.SetMinSize(fyne.NewSquareSize(48))
	t := fw.NewLabelWithStyle(text, fyne.TextAlignCenter, fyne.TextStyle{Bold: true})
	t.Wrapping = fyne.TextWrapWord
	rows := []fyne.CanvasObject{picture, t}
	if hint != "" {
		h := Muted(hint)
		h.Alignment = fyne.TextAlignCenter
		rows = append(rows, h)
	}
	if action != nil {
		rows = append(rows, container.NewCenter(action))
	}
	return container.NewVBox(layout.NewSpacer(), container.New(column{440}, rows...), layout.NewSpacer())
}

// Text is a label that wraps.
func Text(text string) *fw.Label {
	l := fw.NewLabel(text)
	l.Wrapping = fyne.TextWrapWord
	return l
}

// Muted is a wrapping label in the theme's quiet colour.
func Muted(text string) *fw.Label {
	l := Text(text)
	l.Importance = fw.LowImportance
	return l
}

// Cell is a label of one line that ends in … where it does not fit.
func Cell(text string) *fw.Label {
	l := fw.NewLabel(text)
	l.Truncation = fyne.TextTruncateEllipsis
	return l
}

// Note is one sentence on a tinted strip with an icon, for warnings and tips.
type Note struct {
	fw.BaseWidget
	Text    *fw.Label
	surface *Surface
}

// NewNote returns a note; importance is fw.WarningImportance, fw.DangerImportance,
// fw.SuccessImportance or, for a tip, any other.
func NewNote(text string, importance fw.Importance, actions ...fyne.CanvasObject) *Note {
	icon, fill := theme.InfoIcon(), theme.ColorNameHover
	switch importance {
	case fw.WarningImportance:
		icon, fill = theme.NewWarningThemedResource(theme.WarningIcon()), ColorWarningTint
	case fw.DangerImportance:
		icon, fill = theme.NewErrorThemedResource(theme.ErrorIcon()), ColorErrorTint
	case fw.SuccessImportance:
		icon, fill = theme.NewSuccessThemedResource(theme.ConfirmIcon()), ColorSuccessTint
	}
	n := &Note{Text: Text(text)}
	n.Text.TextStyle.Bold = importance == fw.DangerImportance
	var right fyne.CanvasObject
	if len(actions) > 0 {
		right = container.NewCenter(container.NewHBox(actions...))
	}
	n.surface = NewSurface(fill, container.NewBorder(nil, nil, container.NewCenter(fw.NewIcon(icon)), right, n.Text))
	n.ExtendBaseWidget(n)
	return n
}

// CreateRenderer is part of fyne.Widget.
func (n *Note) CreateRenderer() fyne.WidgetRenderer { return fw.NewSimpleRenderer(n.surface) }

// Colours that Homeroom's theme has beyond Fyne's.
const (
	ColorWarningTint fyne.ThemeColorName = "homeroomWarningTint" // behind a warning
	ColorErrorTint   fyne.ThemeColorName = "homeroomErrorTint"   // behind an error
	ColorSuccessTint fyne.ThemeColorName = "homeroomSuccessTint" // behind good news
	ColorRail        fyne.ThemeColorName = "homeroomRail"        // behind the navigation
)

// Dot is a small filled circle that tells a state by its colour. Always say
// the state in words beside it: not everybody sees the colour.
type Dot struct {
	fw.BaseWidget
	color  fyne.ThemeColorName
	circle *canvas.Circle
}

// NewDot returns a dot in a colour of the theme, such as theme.ColorNameSuccess.
func NewDot(color fyne.ThemeColorName) *Dot {
	d := &Dot{color: color, circle: canvas.NewCircle(nil)}
	d.ExtendBaseWidget(d)
	return d
}

// Set changes the colour.
func (d *Dot) Set(color fyne.ThemeColorName) {
	if d.color != color {
		d.color = color
		d.Refresh()
	}
}

// Color returns the colour's name.
func (d *Dot) Color() fyne.ThemeColorName { return d.color }

// CreateRenderer is part of fyne.Widget.
func (d *Dot) CreateRenderer() fyne.WidgetRenderer {
	d.circle.FillColor = theme.Color(d.color)
	return fw.NewSimpleRenderer(container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(10), d.circle)))
}

// Refresh is part of fyne.CanvasObject.
func (d *Dot) Refresh() {
	d.circle.FillColor = theme.Color(d.color)
	d.BaseWidget.Refresh()
}

// Copy is one line of text to type somewhere else, with a button that copies it.
type Copy struct {
	fw.BaseWidget
	text   *fw.Label
	button *fw.Button
	row    *fyne.Container
}

// NewCopy returns the line. shell tells that it was copied.
func NewCopy(text string, shell Shell) *Copy {
	c := &Copy{text: fw.NewLabelWithStyle(text, fyne.TextAlignLeading, fyne.TextStyle{Monospace: true})}
	c.text.Selectable = true
	c.button = fw.NewButtonWithIcon("", theme.ContentCopyIcon(), func() {
		fyne.CurrentApp().Clipboard().SetContent(c.text.Text)
		shell.Tell(lang.L("Copied {text}", "text", c.text.Text))
	})
	c.button.Importance = fw.LowImportance
	c.row = container.NewHBox(c.text, c.button)
	c.ExtendBaseWidget(c)
	return c
}

// SetText changes the line, and the button goes to its end.
func (c *Copy) SetText(text string) {
	if c.text.Text != text {
		c.text.SetText(text)
		c.row.Refresh()
	}
}

// Text returns the line.
func (c *Copy) Text() string { return c.text.Text }

// Tapped copies, as the button does.
func (c *Copy) Tapped(*fyne.PointEvent) { c.button.OnTapped() }

// CreateRenderer is part of fyne.Widget.
func (c *Copy) CreateRenderer() fyne.WidgetRenderer {
	return fw.NewSimpleRenderer(c.row)
}

// Field is an input under its label, with a hint below that may be "".
func Field(label string, input fyne.CanvasObject, hint string) fyne.CanvasObject {
	rows := []fyne.CanvasObject{fw.NewLabelWithStyle(label, fyne.TextAlignLeading, fyne.TextStyle{Bold: true}), input}
	if hint != "" {
		h := Muted(hint)
		h.SizeName = theme.SizeNameCaptionText
		rows = append(rows, h)
	}
	return container.New(layout.NewCustomPaddedVBoxLayout(0), rows...)
}

// Confirm asks before something that cannot be taken back. yes is the word on
// the button that does it.
func Confirm(shell Shell, title, text, yes string, do func()) {
	body := container.New(column{420}, Text(text))
	d := dialog.NewCustomConfirm(title, yes, lang.L("Cancel"), body, func(ok bool) {
		if ok {
			do()
		}
	}, shell.Window())
	d.SetConfirmImportance(fw.DangerImportance)
	d.Show()
}

// Snack is a bar over the lower edge of the window with one line of text and
// at most one button. Who shows it also hides it.
type Snack struct {
	fw.BaseWidget
	text   *fw.Label
	button *fw.Button
	close  *fw.Button
	bar    *Surface
}

// NewSnack returns a hidden bar. OnClose of its × hides it.
func NewSnack() *Snack {
	s := &Snack{text: fw.NewLabel(""), button: fw.NewButton("", nil)}
	s.close = fw.NewButtonWithIcon("", theme.CancelIcon(), s.Hide)
	s.close.Importance = fw.LowImportance
	s.button.Importance = fw.HighImportance
	s.text.Truncation = fyne.TextTruncateEllipsis
	s.bar = NewSurface(theme.ColorNameMenuBackground, container.NewBorder(nil, nil, nil, container.NewHBox(s.button, s.close), s.text))
	s.ExtendBaseWidget(s)
	s.BaseWidget.Hide()
	return s
}

// Say shows text, and a button where action is not "".
func (s *Snack) Say(text, action string, do func()) {
	s.text.SetText(text)
	s.button.SetText(action)
	s.button.OnTapped = do
	s.button.Hidden = action == ""
	s.Show()
	s.Refresh()
}

// Text returns what the bar says, or "" while it is hidden.
func (s *Snack) Text() string {
	if s.Hidden {
		return ""
	}
	return s.text.Text
}

// Action returns the bar's button.
func (s *Snack) Action() *fw.Button { return s.button }

// CreateRenderer is part of fyne.Widget.
func (s *Snack) CreateRenderer() fyne.WidgetRenderer { return fw.NewSimpleRenderer(s.bar) }

// Stat is a card with one number and what it counts.
type Stat struct {
	fw.BaseWidget
	value, name *fw.Label
	icon        *fw.Icon
}

// NewStat returns a Stat that shows "–" until it is set.
func NewStat(icon fyne.Resource, name string) *Stat {
	s := &Stat{value: Cell("–"), name: Cell(name)}
	s.value.TextStyle.Bold = true
	s.value.SizeName = theme.SizeNameSubHeadingText
	s.name.Importance = fw.LowImportance
	s.name.SizeName = theme.SizeNameCaptionText
	s.icon = fw.NewIcon(theme.NewPrimaryThemedResource(icon))
	s.ExtendBaseWidget(s)
	return s
}

// Set changes the number.
func (s *Stat) Set(value string) {
	if s.value.Text != value {
		s.value.SetText(value)
	}
}

// Value returns the number.
func (s *Stat) Value() string { return s.value.Text }

// CreateRenderer is part of fyne.Widget.
func (s *Stat) CreateRenderer() fyne.WidgetRenderer {
	words := container.New(layout.NewCustomPaddedVBoxLayout(-14), s.value, s.name)
	icon := container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(28), s.icon))
	return fw.NewSimpleRenderer(NewSurface(theme.ColorNameOverlayBackground, container.New(layout.NewCustomPaddedLayout(-4, -4, 6, 2),
		container.NewBorder(nil, nil, icon, nil, words))))
}

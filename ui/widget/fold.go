package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"
)

// Fold is a title that shows or hides what is under it.
type Fold struct {
	fw.BaseWidget
	Open    bool
	OnOpen  func(open bool) // may be nil
	button  *fw.Button
	content fyne.CanvasObject
	body    *fyne.Container
}

// NewFold returns a closed Fold.
func NewFold(title string, content fyne.CanvasObject) *Fold {
	f := &Fold{content: content}
	f.button = fw.NewButtonWithIcon(title, theme.MenuExpandIcon(), func() { f.SetOpen(!f.Open) })
	f.button.Alignment, f.button.Importance = fw.ButtonAlignLeading, fw.LowImportance
	content.Hide()
	f.body = container.New(column{100_000}, f.button, content)
	f.ExtendBaseWidget(f)
	return f
}

// SetTitle changes the title.
func (f *Fold) SetTitle(title string) {
	if f.button.Text != title {
		f.button.SetText(title)
	}
}

// SetOpen shows or hides the content.
func (f *Fold) SetOpen(open bool) {
	if f.Open == open {
		return
	}
	f.Open = open
	if f.button.SetIcon(theme.MenuExpandIcon()); open {
		f.button.SetIcon(theme.MenuDropDownIcon())
		f.content.Show()
	} else {
		f.content.Hide()
	}
	f.Refresh()
	f.body.Refresh()
	if f.OnOpen != nil {
		f.OnOpen(open)
	}
}

// CreateRenderer is part of fyne.Widget.
func (f *Fold) CreateRenderer() fyne.WidgetRenderer { return fw.NewSimpleRenderer(f.body) }

//go:build !headless

package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/ui/widget"
)

// AskPort shows a small window that says which port cannot be had, until a person
// chose another one or wants the same tried again, or closed it. It reports whether
// the program is to start again. l is the language of the window, or "" for the
// system's; taken is asked in it. Like Run it can be called once.
func AskPort(l lang.Language, taken func() Taken) bool {
	a := newApp()
	lang.Use(l, systemLanguage())
	a.Settings().SetTheme(newLook(""))
	w := a.NewWindow("Homeroom")
	q := newPortQuestion(taken(), a.Quit)
	w.SetContent(q.content)
	w.Resize(fyne.NewSize(560, 360))
	w.CenterOnScreen()
	w.Canvas().Focus(q.port)
	w.ShowAndRun()
	return q.again
}

// portQuestion asks for a port. Its fields belong to the UI goroutine.
type portQuestion struct {
	taken   Taken
	quit    func()
	again   bool
	content fyne.CanvasObject
	rows    *fyne.Container // in it, what is asked
	port    *widget.Entry
	problem *widget.Note
	use     *fw.Button
}

func newPortQuestion(t Taken, quit func()) *portQuestion {
	q := &portQuestion{taken: t, quit: quit, port: widget.NewEntry(), problem: widget.NewNote("", fw.WarningImportance)}
	q.port.SetText(t.Free)
	q.port.OnSubmitted = func(string) { q.choose() }
	q.problem.Hide()
	q.use = fw.NewButton(lang.L("Start with this port"), q.choose)
	q.use.Importance = fw.HighImportance
	retry := fw.NewButton(lang.L("Try again"), q.end)
	head := widget.Text(lang.L("Homeroom cannot start"))
	head.TextStyle.Bold = true
	why := widget.Text(t.Text)
	why.Selectable = true
	q.rows = container.NewVBox(head, why, widget.Field(t.Label, q.port, t.Hint), q.problem)
	q.content = container.NewPadded(container.NewBorder(nil,
		container.NewHBox(fw.NewButton(lang.L("Close"), quit), layout.NewSpacer(), retry, q.use), nil, nil,
		container.NewVScroll(q.rows)))
	return q
}

// choose keeps the port that was typed and ends, or says what is wrong with it. It
// opens a file and a port of this PC, which takes no time that one sees.
func (q *portQuestion) choose() {
	if err := q.taken.Use(q.port.Text); err != nil {
		q.problem.Text.SetText(lang.Error(err))
		q.problem.Show()
		q.rows.Refresh() // makes room for it
		q.rows.Refresh() // wrapped text knows its height only now
		return
	}
	q.end()
}

func (q *portQuestion) end() {
	q.again = true
	q.quit()
}

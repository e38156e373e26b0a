package plan

import (
	"context"
	"io"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// maxFile is the largest file that Import is given, as core/plan takes it.
const maxFile = 64 << 20

// importFile asks for a file and imports it.
func (s *Screen) importFile() {
	widget.Open(s.sh, []string{".json", ".csv"}, maxFile, s.importData)
}

// importData imports a file: all of it, or nothing and all its faults are shown.
func (s *Screen) importData(name string, data []byte) {
	s.sh.Do(func(ctx context.Context) (func(), error) {
		created, changed, faults, err := s.parts.Plan.Import(ctx, data)
		if len(faults) > 0 {
			return func() { s.showFaults(name, faults) }, nil
		}
		if err != nil {
			return nil, err
		}
		return func() {
			s.fitNext = true
			s.sh.Tell(lang.L("{file} is imported. New: {created}. Changed: {changed}.", "file", name, "created", created, "changed", changed))
			s.sh.Refresh()
		}, nil
	})
}

// faultLines writes faults as a person reads them in a list.
func faultLines(faults []core.FileFault) []string {
	lines := make([]string, len(faults))
	for i, f := range faults {
		var at []string
		if f.Line > 0 {
			at = append(at, lang.L("Line {n}", "n", f.Line))
		}
		if f.Path != "" {
			at = append(at, widget.OneLine(f.Path))
		}
		lines[i] = lang.Say(f.Say)
		if len(at) > 0 {
			lines[i] = strings.Join(at, " · ") + "\n" + lines[i]
		}
	}
	return lines
}

// showFaults lists what is wrong in a file.
func (s *Screen) showFaults(name string, faults []core.FileFault) {
	lines := faultLines(faults)
	list := fw.NewList(func() int { return len(lines) },
		func() fyne.CanvasObject {
			l := fw.NewLabel("\n\n") // room for the place, and a sentence on two lines
			l.Wrapping = fyne.TextWrapWord
			return l
		},
		func(i int, o fyne.CanvasObject) { o.(*fw.Label).SetText(lines[i]) })
	// Which file is wrong is for the person who mends it: all can be copied.
	all := strings.Join(lines, "\n\n")
	d := dialog.NewCustomWithoutButtons(lang.L("Nothing was imported"), container.NewBorder(
		widget.NewNote(lang.L("{file} has faults ({n}). Mend them and import it again.", "file", name, "n", len(faults)), fw.DangerImportance), nil, nil, nil, list), s.sh.Window())
	copied := fw.NewButtonWithIcon(lang.L("Copy the list"), theme.ContentCopyIcon(), func() {
		fyne.CurrentApp().Clipboard().SetContent(all)
		s.sh.Tell(lang.L("Copied the list"))
	})
	closes := fw.NewButton(lang.L("Close"), func() { d.Hide() })
	closes.Importance = fw.HighImportance
	d.SetButtons([]fyne.CanvasObject{copied, closes})
	room := s.sh.Window().Canvas().Size()
	d.Resize(fyne.NewSize(min(720, room.Width-40), min(560, room.Height-40)))
	d.Show()
}

// export saves the plan or a document of it.
func (s *Screen) export(format, name string) {
	widget.Save(s.sh, name, func(w io.Writer) error { return s.parts.Plan.Export(context.Background(), w, format) })
}

package kits

import (
	"context"
	"io"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// terminal is the serial console of a kit in a dialog.
type terminal struct {
	kit   topic.Name
	port  string
	lines []string
	list  *fw.List
	state *fw.Label
	box   dialog.Dialog
}

// showConsole opens the console of the chosen kit.
func (d *detail) showConsole() {
	s, k := d.screen, d.kit
	t := &terminal{kit: k.Name, state: widget.Muted("")}
	t.list = fw.NewList(func() int { return len(t.lines) }, func() fyne.CanvasObject {
		l := widget.Cell("")
		l.TextStyle.Monospace = true
		return l
	}, func(i fw.ListItemID, o fyne.CanvasObject) {
		if i < len(t.lines) {
			widget.SetText(o.(*fw.Label), widget.Visible(t.lines[i], false))
		}
	})
	t.list.HideSeparators = true
	entry := widget.NewEntry()
	entry.SetPlaceHolder(lang.L("help"))
	send := func() {
		text, port := entry.Text, t.port
		if port == "" {
			return
		}
		s.do("", func(ctx context.Context) error { return s.parts.Consoles.Type(ctx, port, text) })
		entry.SetText("")
	}
	entry.OnSubmitted = func(string) { send() }
	save := fw.NewButtonWithIcon(lang.L("Save…"), theme.DocumentSaveIcon(), func() {
		lines := slices.Clone(t.lines)
		widget.Save(s.shell, strings.ReplaceAll(string(k.Name), "/", "-")+".txt", func(w io.Writer) error {
			_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
			return err
		})
	})
	bottom := container.NewBorder(nil, nil, nil, container.NewHBox(fw.NewButtonWithIcon(lang.L("Send"), theme.MailSendIcon(), send), save), entry)
	body := container.NewBorder(t.state, bottom, nil, nil, widget.NewSurface(theme.ColorNameInputBackground, t.list))
	t.box = dialog.NewCustom(lang.L("Serial console of {kit}", "kit", k.Title()), lang.L("Close"), body, s.shell.Window())
	t.box.SetOnClosed(func() { d.open = nil })
	d.open = t
	room := s.shell.Window().Canvas().Size()
	t.box.Resize(fyne.NewSize(min(900, room.Width-40), min(620, room.Height-40)))
	t.box.Show()
	c, ok := d.consoles[k.Name]
	t.set(c, ok)
	s.shell.Window().Canvas().Focus(entry)
}

// set shows the lines as they are now.
func (t *terminal) set(c console, ok bool) {
	text := lang.L("The kit is not plugged in any more.")
	t.port = ""
	if ok {
		t.port = c.port
		text = lang.L("{port}, 115200 baud. Type help and press Enter.", "port", c.port)
		if !c.open {
			text = lang.L("{port} is used by something else now.", "port", c.port)
		}
	}
	widget.SetText(t.state, text)
	if ok && !slices.Equal(t.lines, c.lines) {
		t.lines = c.lines
		t.list.Refresh()
		t.list.ScrollToBottom()
	}
}

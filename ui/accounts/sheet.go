package accounts

import (
	"context"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// sheet is a dialog that is filled in. It stays open when what it asked for
// fails, and says why.
type sheet struct {
	screen  *Screen
	dialog  *dialog.CustomDialog
	ok      *fw.Button
	cancel  *fw.Button
	problem *widget.Note
	submit  func()
	width   float32 // at most
	body    fyne.CanvasObject
}

// open shows a sheet with that body, at most width wide. submit is called when it is
// pressed, on the UI goroutine. Enter in one of the entries presses too; the
// first that shows has the keyboard.
func (s *Screen) open(title, ok string, width float32, body fyne.CanvasObject, submit func(), entries ...*widget.Entry) *sheet {
	sh := &sheet{screen: s, submit: submit, width: width, body: body}
	sh.problem = widget.NewNote("", fw.DangerImportance)
	sh.problem.Hide()
	sh.ok = fw.NewButtonWithIcon(ok, theme.ConfirmIcon(), sh.press)
	sh.ok.Importance = fw.HighImportance
	sh.cancel = fw.NewButton(lang.L("Cancel"), sh.close)
	scroll := container.NewVScroll(container.NewPadded(container.NewVBox(widget.Middle(width, body), sh.problem)))
	sh.dialog = dialog.NewCustomWithoutButtons(title, scroll, s.shell.Window())
	sh.dialog.SetButtons([]fyne.CanvasObject{sh.cancel, sh.ok})
	sh.dialog.SetOnClosed(func() {
		if s.sheet == sh {
			s.sheet = nil
		}
	})
	s.sheet = sh
	sh.fit()
	sh.dialog.Show()
	for _, e := range entries {
		e.OnSubmitted = func(string) { sh.press() }
	}
	if i := slices.IndexFunc(entries, (*widget.Entry).Visible); i >= 0 {
		s.shell.Window().Canvas().Focus(entries[i])
	}
	return sh
}

// fit makes the sheet as high as its body needs, if the window has the room.
func (sh *sheet) fit() {
	c := sh.screen.shell.Window().Canvas()
	room := c.Size()
	sh.dialog.Resize(fyne.NewSize(min(sh.width+60, room.Width-40), min(sh.body.MinSize().Height+150, room.Height-40)))
	if top := c.Overlays().Top(); top != nil {
		top.Refresh() // puts it into the middle again
	}
}

// press submits, unless the sheet cannot be.
func (sh *sheet) press() {
	if !sh.ok.Disabled() {
		sh.submit()
	}
}

func (sh *sheet) close() { sh.dialog.Hide() }

// allow says whether the sheet can be submitted.
func (sh *sheet) allow(yes bool) {
	if yes {
		sh.ok.Enable()
	} else {
		sh.ok.Disable()
	}
}

// run does what the sheet asks for, closes it and calls then; or says in the
// sheet what went wrong.
func (sh *sheet) run(work func(ctx context.Context) error, then func()) {
	sh.ok.Disable()
	sh.problem.Hide()
	sh.screen.shell.Do(func(ctx context.Context) (func(), error) {
		err := work(ctx)
		return func() {
			sh.ok.Enable()
			if err != nil {
				sh.problem.Text.SetText(lang.Error(err))
				sh.problem.Show()
				return
			}
			sh.close()
			if then != nil {
				then()
			}
			sh.screen.shell.Refresh()
		}, nil
	})
}

// idField is an entry for a name, with the rules told live.
type idField struct {
	entry *widget.Entry
	hint  *fw.Label
	box   fyne.CanvasObject
}

func newIDField(label string, data *data, changed func()) *idField {
	f := &idField{entry: widget.NewEntry(), hint: widget.Muted("")}
	f.hint.SizeName = theme.SizeNameCaptionText
	f.box = container.NewVBox(widget.Field(label, f.entry, ""), f.hint)
	f.entry.OnChanged = func(string) {
		f.check(data)
		changed()
	}
	f.check(data)
	return f
}

// check says what is wrong with the name, and returns whether it can be used.
func (f *idField) check(d *data) bool {
	text, importance := explainID(f.entry.Text), fw.DangerImportance
	ok := text == ""
	switch {
	case f.entry.Text == "":
		importance = fw.LowImportance
	case ok && d.taken(f.entry.Text):
		text, ok = lang.L("{name} is taken. Choose another name.", "name", f.entry.Text), false
	case ok:
		text, importance = lang.L("This name is free."), fw.SuccessImportance
	}
	f.hint.Importance = importance
	f.hint.SetText(text)
	return ok
}

// teamSelect lets a person choose a team, or none.
type teamSelect struct {
	input *fw.Select
	names []topic.ID // beside the options
}

// usualTeam is the team that the next kit probably gets: the only one, or that
// of the newest kit that has one.
func (d *data) usualTeam() topic.ID {
	if len(d.teams) == 1 {
		return d.teams[0].Name
	}
	var newest core.Account
	for _, a := range d.accounts {
		if a.Role == core.Kit && a.Team != "" && a.ID > newest.ID {
			newest = a
		}
	}
	return newest.Team
}

func newTeamSelect(d *data, now topic.ID) *teamSelect {
	t := &teamSelect{input: fw.NewSelect([]string{lang.L("No team")}, nil), names: []topic.ID{""}}
	chosen := 0
	for i, team := range d.teams {
		text := team.Title()
		if team.Label != "" {
			text += " (" + string(team.Name) + ")"
		}
		t.names, t.input.Options = append(t.names, team.Name), append(t.input.Options, text)
		if team.Name == now {
			chosen = i + 1
		}
	}
	t.input.SetSelectedIndex(chosen)
	return t
}

func (t *teamSelect) team() topic.ID { return t.names[max(0, t.input.SelectedIndex())] }

// roleChoice lets a person choose whether somebody is a teacher.
func roleChoice(now core.Role) *fw.RadioGroup {
	r := fw.NewRadioGroup([]string{roleName(core.Student), roleName(core.Teacher)}, nil)
	r.Horizontal, r.Required = true, true
	r.SetSelected(roleName(now))
	return r
}

func roleOf(r *fw.RadioGroup) core.Role {
	if r.Selected == roleName(core.Teacher) {
		return core.Teacher
	}
	return core.Student
}

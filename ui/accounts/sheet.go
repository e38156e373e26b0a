package accounts

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// open opens a sheet that Back closes.
func (s *Screen) open(title, ok string, width float32, body fyne.CanvasObject, submit func(*widget.Sheet), entries ...*widget.Entry) *widget.Sheet {
	sh := widget.NewSheet(s.shell, title, ok, width, body, submit, entries...)
	sh.OnClosed = func() {
		if s.sheet == sh {
			s.sheet = nil
		}
	}
	s.sheet = sh
	return sh
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

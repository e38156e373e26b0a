package accounts

import (
	"context"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// teamTab lists the teams.
type teamTab struct {
	screen *Screen
	table  *table

	add, edit, remove *fw.Button
	phone             *fw.Button
	detail, nothing   fyne.CanvasObject
	name, facts       *fw.Label
	members           *fyne.Container
	drawn             string
}

func newTeamTab(s *Screen) *teamTab {
	t := &teamTab{screen: s}
	t.add = fw.NewButtonWithIcon(lang.L("Add team"), theme.ContentAddIcon(), t.addTeam)
	t.add.Importance = fw.HighImportance
	t.name = widget.Text("")
	t.name.SizeName, t.name.TextStyle = theme.SizeNameSubHeadingText, fyne.TextStyle{Bold: true}
	t.facts = widget.Muted("")
	t.edit = fw.NewButtonWithIcon(lang.L("Change"), theme.DocumentCreateIcon(), t.change)
	t.remove = fw.NewButtonWithIcon(lang.L("Remove"), theme.DeleteIcon(), t.removeIt)
	t.phone = fw.NewButtonWithIcon(lang.L("Sign in on a phone"), theme.LoginIcon(), t.showCode)
	t.members = container.New(layout.NewCustomPaddedVBoxLayout(0))
	t.detail = widget.Scroll(container.NewVBox(
		container.New(layout.NewCustomPaddedVBoxLayout(0), t.name, t.facts),
		container.NewGridWithColumns(2, t.edit, t.remove), t.phone,
		heading(lang.L("Members")), t.members))
	t.detail.Hide()
	t.nothing = widget.Empty(theme.FolderIcon(), lang.L("No team chosen"), lang.L("Choose a row to see who is in the team."), nil)
	empty := widget.Empty(theme.FolderIcon(), lang.L("No team yet"), lang.L("A team shares one branch of topics, which nobody else can read or switch."), nil)
	t.table = newTable([]string{lang.L("Name"), lang.L("Display name"), lang.L("People"), lang.L("Kits")}, []float32{3, 4, 2, 2},
		[]fyne.CanvasObject{t.add}, empty, container.NewStack(t.detail, t.nothing), func(string) { t.drawDetail() })
	return t
}

// members returns who is in a team.
func (d *data) members(team topic.ID) (people, kits []core.Account) {
	for _, a := range d.accounts {
		switch {
		case a.Team != team:
		case a.Role == core.Kit:
			kits = append(kits, a)
		default:
			people = append(people, a)
		}
	}
	return people, kits
}

func (t *teamTab) show() {
	var lines []line
	for _, team := range t.screen.data.teams {
		people, kits := t.screen.data.members(team.Name)
		lines = append(lines, line{key: string(team.Name), cells: []string{string(team.Name), team.Label, strconv.Itoa(len(people)), strconv.Itoa(len(kits))}})
	}
	t.table.set(lines)
	t.drawDetail()
}

func (t *teamTab) team() (core.Team, bool) {
	for _, team := range t.screen.data.teams {
		if string(team.Name) == t.table.selected {
			return team, true
		}
	}
	return core.Team{}, false
}

func (t *teamTab) drawDetail() {
	team, ok := t.team()
	either(ok, t.detail, t.nothing)
	if !ok {
		t.drawn = ""
		return
	}
	people, kits := t.screen.data.members(team.Name)
	var rows []string
	for _, a := range append(people, kits...) {
		row := string(a.Name)
		if a.Label != "" {
			row = a.Label + " (" + row + ")"
		}
		rows = append(rows, row+" · "+roleName(a.Role))
	}
	all := team.Title() + "\n" + strings.Join(rows, "\n")
	if all == t.drawn {
		return
	}
	t.drawn = all
	t.name.SetText(team.Title())
	t.facts.SetText(lang.L("{name} · its topics begin with {name}/", "name", team.Name))
	t.members.RemoveAll()
	for _, r := range rows {
		t.members.Add(widget.Text(r))
	}
	if len(rows) == 0 {
		t.members.Add(widget.Muted(lang.L("Nobody yet. Give an account this team under People or Kits.")))
	}
	t.detail.Refresh()
}

func (t *teamTab) addTeam() {
	s := t.screen
	var sh *widget.Sheet
	label := widget.NewEntry()
	label.SetPlaceHolder(lang.L("in any script"))
	var name *idField
	check := func() { sh.Allow(name.check(&s.data)) }
	name = newIDField(lang.L("Name"), &s.data, func() { check() })
	proposed := ""
	label.OnChanged = func(text string) {
		if name.entry.Text == proposed {
			proposed = idFrom(text)
			name.entry.SetText(proposed)
		}
	}
	body := container.NewVBox(widget.Field(lang.L("Display name"), label, ""), name.box,
		widget.Muted(lang.L("The name is the first level of the team's topics.")))
	sh = s.open(lang.L("Add team"), lang.L("Add"), 420, body, func(*widget.Sheet) {
		team := core.Team{Name: topic.ID(name.entry.Text), Label: strings.TrimSpace(label.Text)}
		sh.Do(func(ctx context.Context) error { return s.rights.AddTeam(ctx, team) }, func() {
			t.table.selected = string(team.Name)
			s.shell.Tell(lang.L("{name} was added", "name", team.Title()))
		})
	}, label, name.entry)
	check()
}

func (t *teamTab) change() {
	team, ok := t.team()
	if !ok {
		return
	}
	s := t.screen
	label := widget.NewEntry()
	label.SetText(team.Label)
	s.open(lang.L("Change {name}", "name", team.Name), lang.L("Save"), 420, widget.Field(lang.L("Display name"), label, ""), func(sh *widget.Sheet) {
		team := team
		team.Label = strings.TrimSpace(label.Text)
		sh.Do(func(ctx context.Context) error { return s.rights.ChangeTeam(ctx, team) },
			func() { s.shell.Tell(lang.L("{name} was changed", "name", team.Title())) })
	}, label)
}

// showCode shows a code with which a phone of the team signs in.
func (t *teamTab) showCode() {
	if team, ok := t.team(); ok {
		t.screen.showPhone(lang.L("Sign in on a phone"), lang.L("The phone signs in as {name}, an account that the phones of team {team} share.", "name", team.Name+"-phone", "team", team.Title()), 0, team.Name)
	}
}

func (t *teamTab) removeIt() {
	team, ok := t.team()
	if !ok {
		return
	}
	s := t.screen
	people, kits := s.data.members(team.Name)
	widget.Confirm(s.shell, lang.L("Remove team {team}?", "team", team.Title()),
		lang.L("Its accounts stay, but have no team any more and are signed out: {n}. The team's grants go with it. Messages and readings stay.", "n", len(people)+len(kits)),
		lang.L("Remove"), func() {
			s.do(lang.L("{name} was removed", "name", team.Title()), func(ctx context.Context) error { return s.rights.RemoveTeam(ctx, team.Name) })
		})
}

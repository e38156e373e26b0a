package accounts

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// grantTab lists the grants.
type grantTab struct {
	screen *Screen
	table  *table

	add, revoke     *fw.Button
	detail, nothing fyne.CanvasObject
	words           *fw.Label
	meaning         *fyne.Container
	drawn           string
}

func newGrantTab(s *Screen) *grantTab {
	t := &grantTab{screen: s}
	t.add = fw.NewButtonWithIcon(lang.L("Add grant"), theme.ContentAddIcon(), func() { t.open(core.Grant{Action: core.Subscribe}) })
	t.add.Importance = fw.HighImportance
	t.words = widget.Text("")
	t.words.SizeName, t.words.TextStyle = theme.SizeNameSubHeadingText, fyne.TextStyle{Bold: true}
	t.revoke = fw.NewButtonWithIcon(lang.L("Revoke"), theme.DeleteIcon(), t.revokeIt)
	t.meaning = container.New(layout.NewCustomPaddedVBoxLayout(0))
	t.detail = widget.Scroll(container.NewVBox(t.words, container.NewGridWithColumns(2, t.revoke), heading(lang.L("What it means")), t.meaning))
	t.detail.Hide()
	t.nothing = widget.Empty(theme.LoginIcon(), lang.L("No grant chosen"), lang.L("Choose a row to see for whom it means what."), nil)
	empty := widget.Empty(theme.LoginIcon(), lang.L("No grants"), lang.L("Without grants nobody may publish or subscribe to anything."), nil)
	t.table = newTable([]string{lang.L("Who"), lang.L("May do"), lang.L("Topics")}, []float32{4, 2, 4},
		[]fyne.CanvasObject{t.add}, empty, container.NewStack(t.detail, t.nothing), func(string) { t.drawDetail() })
	return t
}

func (t *grantTab) show() {
	d := &t.screen.data
	var lines []line
	for _, g := range d.grants {
		lines = append(lines, line{key: strconv.FormatInt(g.ID, 10), cells: []string{d.who(g.Subject), action(g.Action), g.Pattern}})
	}
	t.table.set(lines)
	t.drawDetail()
}

func (t *grantTab) grant() (core.Grant, bool) {
	for _, g := range t.screen.data.grants {
		if strconv.FormatInt(g.ID, 10) == t.table.selected {
			return g, true
		}
	}
	return core.Grant{}, false
}

// meanings says for at most that many accounts what a pattern is for them.
func (d *data) meanings(s core.Subject, pattern string, limit int) (rows []string) {
	var with, without []string
	for _, a := range d.accounts {
		if !appliesTo(s, a) {
			continue
		}
		switch f, ok := expand(pattern, a); {
		case ok:
			with = append(with, lang.L("For {name}: {topic}", "name", a.Title(), "topic", f))
		case forKits(pattern) && a.Role != core.Kit:
			without = append(without, lang.L("For {name}: nothing, since {kit} is for kits only", "name", a.Title(), "kit", "{kit}"))
		default:
			without = append(without, lang.L("For {name}: nothing, for lack of a team", "name", a.Title()))
		}
	}
	rows = append(with, without...)
	if more := len(rows) - limit; more > 0 {
		rows = append(rows[:limit], lang.L("… and others: {n}", "n", more))
	}
	return rows
}

func (t *grantTab) drawDetail() {
	g, ok := t.grant()
	either(ok, t.detail, t.nothing)
	if !ok {
		t.drawn = ""
		return
	}
	d := &t.screen.data
	rows := d.meanings(g.Subject, g.Pattern, 12)
	if len(rows) == 0 {
		rows = []string{lang.L("Nobody has it at present.")}
	}
	words := d.words(g)
	if all := words + "\n" + strings.Join(rows, "\n"); all != t.drawn {
		t.drawn = all
		t.words.SetText(words)
		t.meaning.RemoveAll()
		for _, r := range rows {
			t.meaning.Add(widget.Text(r))
		}
		t.detail.Refresh()
	}
}

func (t *grantTab) revokeIt() {
	g, ok := t.grant()
	if !ok {
		return
	}
	s := t.screen
	words := s.data.words(g)
	s.shell.Do(func(ctx context.Context) (func(), error) {
		if err := s.rights.Revoke(ctx, g.ID); err != nil {
			return nil, err
		}
		return func() {
			s.shell.TellUndo(lang.L("Revoked: {grant}", "grant", words), func(ctx context.Context) error {
				_, err := s.rights.Grant(ctx, g)
				return err
			})
			s.shell.Refresh()
		}, nil
	})
}

// grantForm is what is filled in for a grant.
type grantForm struct {
	who                *fw.Select
	publish, subscribe *fw.Check
	pattern            *widget.Entry
	hint               *fw.Label
	preview            *fyne.Container
}

// open shows the sheet for a new grant, filled in with what is in g.
func (t *grantTab) open(g core.Grant) {
	s := t.screen
	d := &s.data
	f := &grantForm{who: fw.NewSelect(nil, nil), pattern: widget.NewEntry(), hint: widget.Muted(""), preview: container.New(layout.NewCustomPaddedVBoxLayout(0))}
	var subjects []core.Subject
	chosen := 0
	offer := func(sub core.Subject, text string) {
		if sub == g.Subject {
			chosen = len(subjects)
		}
		subjects = append(subjects, sub)
		for slices.Contains(f.who.Options, text) { // two of one display name
			text += " "
		}
		f.who.Options = append(f.who.Options, text)
	}
	for _, r := range []core.Role{core.Kit, core.Student, core.Teacher} {
		offer(core.Subject{Role: r}, d.who(core.Subject{Role: r}))
	}
	for _, team := range d.teams {
		offer(core.Subject{Team: team.Name}, d.who(core.Subject{Team: team.Name}))
	}
	for _, a := range d.accounts {
		text := string(a.Name)
		if a.Label != "" {
			text = a.Label + " (" + text + ")"
		}
		offer(core.Subject{Account: a.ID}, text)
	}
	f.pattern.TextStyle.Monospace = true
	f.pattern.SetPlaceHolder("blue/+/temperature")
	f.hint.SizeName = theme.SizeNameCaptionText
	f.publish, f.subscribe = fw.NewCheck(lang.L("publish"), nil), fw.NewCheck(lang.L("subscribe"), nil)
	f.publish.SetChecked(g.Action == core.Publish)
	f.subscribe.SetChecked(g.Action == core.Subscribe)
	f.pattern.SetText(g.Pattern)

	const shown = 3 // accounts in the preview
	var sh *widget.Sheet
	check := func() {
		wrong := explainPattern(f.pattern.Text)
		subject := subjects[max(0, f.who.SelectedIndex())]
		f.hint.Importance = fw.DangerImportance
		text := wrong
		switch {
		case f.pattern.Text == "":
			f.hint.Importance = fw.LowImportance
		case wrong == "" && !f.publish.Checked && !f.subscribe.Checked:
			wrong = lang.L("Choose publish, subscribe or both.")
			text = wrong
		case f.pattern.Text == "#":
			f.hint.Importance = fw.WarningImportance
			text = lang.L("# is every topic of every team.")
		case wrong == "":
			f.hint.Importance = fw.LowImportance
			text = lang.L("{team}, {kit} and {account} become the account's own names.", "team", "{team}", "kit", "{kit}", "account", "{account}")
		}
		f.hint.SetText(text)
		f.preview.RemoveAll()
		if wrong == "" {
			rows := d.meanings(subject, f.pattern.Text, shown)
			if len(rows) == 0 {
				rows = []string{lang.L("Nobody has it at present.")}
			}
			for _, r := range rows {
				f.preview.Add(widget.Text(r))
			}
		}
		f.preview.Refresh()
		sh.Allow(wrong == "")
	}
	f.who.SetSelectedIndex(chosen)
	f.who.OnChanged = func(string) { check() }
	f.pattern.OnChanged = func(string) { check() }
	f.publish.OnChanged, f.subscribe.OnChanged = func(bool) { check() }, func(bool) { check() }
	room := fyne.NewSize(1, (shown+1)*widget.Text("A").MinSize().Height) // those, and how many others
	body := container.NewVBox(widget.Field(lang.L("Who"), f.who, ""),
		widget.Field(lang.L("May do"), container.NewHBox(f.publish, f.subscribe), ""),
		widget.Field(lang.L("Topics"), f.pattern, ""), f.hint,
		container.NewStack(container.NewGridWrap(room), f.preview))
	sh = s.open(lang.L("Add grant"), lang.L("Add"), 460, body, func(*widget.Sheet) {
		subject := subjects[max(0, f.who.SelectedIndex())]
		var grants []core.Grant
		for _, a := range []core.Action{core.Publish, core.Subscribe} {
			if a == core.Publish && f.publish.Checked || a == core.Subscribe && f.subscribe.Checked {
				grants = append(grants, core.Grant{Subject: subject, Action: a, Pattern: f.pattern.Text})
			}
		}
		sh.Do(func(ctx context.Context) error {
			for i, g := range grants {
				made, err := s.rights.Grant(ctx, g)
				if err != nil {
					for _, done := range grants[:i] { // both or none
						_ = s.rights.Revoke(ctx, done.ID)
					}
					return err
				}
				grants[i] = made
			}
			return nil
		}, func() {
			t.table.selected = strconv.FormatInt(grants[0].ID, 10)
			s.shell.Tell(s.data.words(grants[0]))
		})
	}, f.pattern)
	check()
}

package accounts

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

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

// accountTab lists people, or kits.
type accountTab struct {
	screen *Screen
	isKits bool
	table  *table

	add, several                 *fw.Button
	edit, reset, disable, remove *fw.Button
	phone                        *fw.Button // of students

	detail, nothing fyne.CanvasObject
	name, facts     *fw.Label
	may, refused    *fyne.Container
	drawn           string // what detail says, to draw it only when it differs
}

func newAccountTab(s *Screen, kits bool) *accountTab {
	t := &accountTab{screen: s, isKits: kits}
	titles, weights := []string{lang.L("Name"), lang.L("Display name"), lang.L("Role"), lang.L("Team"), lang.L("State")}, []float32{3, 4, 2, 3, 2}
	var actions []fyne.CanvasObject
	var empty fyne.CanvasObject
	if kits {
		titles, weights = []string{lang.L("Name"), lang.L("Display name"), lang.L("Team"), lang.L("State")}, []float32{3, 4, 3, 2}
		t.several = fw.NewButtonWithIcon(lang.L("Add several"), theme.ContentAddIcon(), t.addSeveral)
		t.add = fw.NewButtonWithIcon(lang.L("Add kit"), theme.ContentAddIcon(), t.addKit)
		actions = []fyne.CanvasObject{t.several, t.add}
		empty = widget.Empty(theme.ComputerIcon(), lang.L("No kit yet"), lang.L("Every board gets an account of its own. Add one, and copy its name and secret into the sketch."), nil)
	} else {
		t.add = fw.NewButtonWithIcon(lang.L("Add person"), theme.ContentAddIcon(), t.addPerson)
		actions = []fyne.CanvasObject{t.add}
		empty = widget.Empty(theme.AccountIcon(), lang.L("Nobody yet"), lang.L("Add the people of your class."), nil)
	}
	t.add.Importance = fw.HighImportance

	t.name = widget.Text("")
	t.name.SizeName, t.name.TextStyle = theme.SizeNameSubHeadingText, fyne.TextStyle{Bold: true}
	t.facts = widget.Muted("")
	t.edit = fw.NewButtonWithIcon(lang.L("Change"), theme.DocumentCreateIcon(), t.change)
	reset := lang.L("New password")
	if kits {
		reset = lang.L("New secret")
	}
	t.reset = fw.NewButtonWithIcon(reset, theme.ViewRefreshIcon(), t.resetIt)
	t.disable = fw.NewButtonWithIcon(lang.L("Disable"), theme.MediaPauseIcon(), t.toggle)
	t.remove = fw.NewButtonWithIcon(lang.L("Remove"), theme.DeleteIcon(), t.removeIt)
	t.phone = fw.NewButtonWithIcon(lang.L("Sign in on a phone"), theme.LoginIcon(), t.showCode)
	t.may, t.refused = container.New(layout.NewCustomPaddedVBoxLayout(0)), container.New(layout.NewCustomPaddedVBoxLayout(0))
	t.detail = widget.Scroll(container.NewVBox(
		container.New(layout.NewCustomPaddedVBoxLayout(0), t.name, t.facts),
		container.NewGridWithColumns(2, t.edit, t.reset, t.disable, t.remove), t.phone,
		heading(lang.L("What it may do")), t.may,
		heading(lang.L("Refused lately")), t.refused,
	))
	t.detail.Hide()
	t.nothing = widget.Empty(theme.AccountIcon(), lang.L("Nobody chosen"), lang.L("Choose a row to see what the account may do and what was refused."), nil)
	if kits {
		t.nothing = widget.Empty(theme.ComputerIcon(), lang.L("No kit chosen"), lang.L("Choose a row to see what the kit may do and what was refused."), nil)
	}
	t.table = newTable(titles, weights, actions, empty, container.NewStack(t.detail, t.nothing), func(string) {
		t.drawDetail()
		s.lookAt()
	})
	return t
}

func heading(text string) *fw.Label {
	return fw.NewLabelWithStyle(text, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
}

// show draws the present state.
func (t *accountTab) show() {
	d := &t.screen.data
	var lines []line
	for _, a := range d.accounts {
		if (a.Role == core.Kit) != t.isKits {
			continue
		}
		team, state := "–", lang.L("active")
		if a.Team != "" {
			team = d.teamTitle(a.Team)
		}
		if a.Disabled {
			state = lang.L("disabled")
		}
		l := line{key: strconv.FormatInt(int64(a.ID), 10), cells: []string{string(a.Name), a.Label, roleName(a.Role), team, state}, quiet: a.Disabled}
		if t.isKits {
			l.cells = append(l.cells[:2:2], team, state)
		}
		lines = append(lines, l)
	}
	t.table.set(lines)
	t.drawDetail()
}

// selected returns the account that is selected, or 0.
func (t *accountTab) selected() core.AccountID {
	id, _ := strconv.ParseInt(t.table.selected, 10, 64)
	return core.AccountID(id)
}

// account returns the account that is selected.
func (t *accountTab) account() (core.Account, bool) {
	return t.screen.data.account(t.selected())
}

// drawDetail shows the selected account: what it is, what it may do, and what
// was refused to it.
func (t *accountTab) drawDetail() {
	a, ok := t.account()
	either(ok, t.detail, t.nothing)
	if !ok {
		t.drawn = ""
		return
	}
	d := &t.screen.data
	facts := []string{string(a.Name), roleName(a.Role)}
	if a.Team != "" {
		facts = append(facts, lang.L("team {team}", "team", d.teamTitle(a.Team)))
	} else {
		facts = append(facts, lang.L("no team"))
	}
	if a.Disabled {
		facts = append(facts, lang.L("disabled"))
	}
	may := mayDo(d.grants, a)
	if a.Disabled {
		may = []string{lang.L("Nothing while it is disabled.")}
	}
	if a.Limits != (core.Limits{}) {
		facts = append(facts, lang.L("limits of its own"))
	}
	if a.Mounted && a.Team != "" && a.Role != core.Teacher && !a.Disabled {
		may = append(may, lang.L("What it calls {example} is {real}", "example", example, "real", string(a.Team)+"/"+example))
	}
	var refused []refusedWords
	if d.of == a.ID {
		for _, r := range d.refusals {
			refused = append(refused, wordsOf(r))
		}
	}
	all := a.Title() + "\n" + strings.Join(facts, "\n") + "\n\n" + strings.Join(may, "\n") + "\n\n" + fmt.Sprint(refused)
	if all == t.drawn {
		return
	}
	t.drawn = all
	t.name.SetText(a.Title())
	t.facts.SetText(strings.Join(facts, " · "))
	if a.Disabled {
		t.disable.SetText(lang.L("Enable"))
		t.disable.SetIcon(theme.MediaPlayIcon())
	} else {
		t.disable.SetText(lang.L("Disable"))
		t.disable.SetIcon(theme.MediaPauseIcon())
	}
	t.phone.Hidden = a.Role != core.Student || a.Disabled
	t.may.RemoveAll()
	if len(may) == 0 {
		may = []string{lang.L("Nothing. Give it a team, or add a grant.")}
	}
	for _, m := range may {
		t.may.Add(widget.Text(m))
	}
	t.refused.RemoveAll()
	for _, r := range refused {
		t.refused.Add(t.refusedRow(r))
	}
	if len(refused) == 0 {
		t.refused.Add(widget.Muted(lang.L("Nothing was refused.")))
	}
	t.detail.Refresh()
}

// refusedWords is a refusal as it is read.
type refusedWords struct {
	when, say string
	grant     string     // that was missing, or ""
	allow     core.Grant // what Allow offers; the zero Grant is nothing
}

func wordsOf(r refusal) refusedWords {
	w := refusedWords{when: lang.Ago(time.Since(r.At)), say: lang.Say(r.Say)}
	if r.Count > 1 {
		w.when += " · " + lang.L("{n} times", "n", r.Count)
	}
	if r.Action != "" {
		w.grant = lang.L("Missing grant: {grant}", "grant", string(r.Action)+" "+widget.Visible(string(r.Topic), false))
	}
	if r.missing {
		w.allow = core.Grant{Subject: core.Subject{Account: r.Account}, Action: r.Action, Pattern: string(r.Topic)}
	}
	return w
}

func (t *accountTab) refusedRow(r refusedWords) fyne.CanvasObject {
	small := func(text string) fyne.CanvasObject {
		l := widget.Muted(text)
		l.SizeName = theme.SizeNameCaptionText
		return l
	}
	rows := container.New(layout.NewCustomPaddedVBoxLayout(-12), small(r.when), widget.Text(r.say))
	if r.grant != "" {
		rows.Add(small(r.grant))
	}
	if r.allow == (core.Grant{}) {
		return rows
	}
	allow := fw.NewButtonWithIcon(lang.L("Allow"), theme.ConfirmIcon(), func() { t.screen.grants.open(r.allow) })
	return container.NewBorder(nil, nil, nil, container.NewCenter(allow), rows)
}

// mayDo is what grants allow an account, as sentences.
func mayDo(grants []core.Grant, a core.Account) (words []string) {
	for _, g := range grants {
		f, ok := expand(g.Pattern, a)
		switch {
		case !appliesTo(g.Subject, a):
		case !ok && forKits(g.Pattern) && a.Role != core.Kit:
			words = append(words, lang.L("{pattern} is for kits only", "pattern", g.Pattern))
		case !ok:
			words = append(words, lang.L("{pattern} is nothing without a team", "pattern", g.Pattern))
		case g.Action == core.Publish:
			words = append(words, lang.L("publish to {topic}", "topic", f))
		default:
			words = append(words, lang.L("subscribe to {topic}", "topic", f))
		}
	}
	return words
}

// person is what is filled in for somebody.
type person struct {
	label    *widget.Entry
	name     *idField
	role     *fw.RadioGroup
	team     *teamSelect
	make     *fw.Check
	password *widget.Entry
	hint     *fw.Label
}

func (t *accountTab) addPerson() {
	s := t.screen
	var sh *widget.Sheet
	p := &person{label: widget.NewEntry(), password: widget.NewPasswordEntry(), hint: widget.Muted("")}
	check := func() {
		wrong := ""
		if !p.make.Checked {
			wrong = explainPassword(p.password.Text)
		}
		p.hint.SetText(wrong)
		p.hint.Hidden = wrong == ""
		p.password.Hidden = p.make.Checked
		sh.Allow(p.name.check(&s.data) && wrong == "")
		sh.Fit()
	}
	proposed := ""
	p.label.SetPlaceHolder(lang.L("in any script"))
	p.label.OnChanged = func(text string) {
		if p.name.entry.Text == proposed {
			proposed = idFrom(text)
			p.name.entry.SetText(proposed)
		}
	}
	p.name = newIDField(lang.L("Name to sign in with"), &s.data, func() { check() })
	p.role = roleChoice(core.Student)
	p.team = newTeamSelect(&s.data, "")
	p.make = fw.NewCheck(lang.L("Make a password and show it once"), nil)
	p.make.SetChecked(true)
	p.make.OnChanged = func(bool) { check() }
	p.password.OnChanged = func(string) { check() }
	p.password.SetPlaceHolder(lang.L("Password"))
	p.hint.SizeName = theme.SizeNameCaptionText
	body := container.NewVBox(
		widget.Field(lang.L("Display name"), p.label, ""), p.name.box,
		widget.Field(lang.L("Role"), p.role, ""), widget.Field(lang.L("Team"), p.team.input, ""), p.make, p.password, p.hint)
	sh = s.open(lang.L("Add person"), lang.L("Add"), 420, body, func(*widget.Sheet) {
		a := core.Account{Name: topic.ID(p.name.entry.Text), Label: strings.TrimSpace(p.label.Text), Role: roleOf(p.role), Team: p.team.team()}
		a.Mounted = a.Role != core.Teacher
		password := p.password.Text
		if p.make.Checked {
			password = newPassword()
		}
		made := p.make.Checked
		sh.Do(func(ctx context.Context) (err error) {
			a, _, err = s.people.Add(ctx, a, password)
			return err
		}, func() {
			p.password.SetText("")
			t.table.selected = strconv.FormatInt(int64(a.ID), 10)
			if made {
				s.showCards(lang.L("{name} was added", "name", a.Title()), []credential{s.credential(a, password)}, nil)
			} else {
				s.shell.Tell(lang.L("{name} was added", "name", a.Title()))
			}
		})
	}, p.label, p.name.entry, p.password)
	check()
}

func (t *accountTab) addKit() {
	s := t.screen
	var sh *widget.Sheet
	label := widget.NewEntry()
	label.SetPlaceHolder(lang.L("such as “Lamp by the window”"))
	var name *idField
	check := func() { sh.Allow(name.check(&s.data)) }
	name = newIDField(lang.L("Name"), &s.data, func() {
		if sh != nil {
			check()
		}
	})
	name.entry.SetText(s.data.free("kit", 1)[0])
	team := newTeamSelect(&s.data, s.data.usualTeam())
	body := container.NewVBox(name.box, widget.Field(lang.L("Display name"), label, ""), kitTeam(team))
	sh = s.open(lang.L("Add kit"), lang.L("Add"), 420, body, func(*widget.Sheet) {
		a := core.Account{Name: topic.ID(name.entry.Text), Label: strings.TrimSpace(label.Text), Role: core.Kit, Team: team.team(), Mounted: true}
		var secret string
		sh.Do(func(ctx context.Context) (err error) {
			a, secret, err = s.people.Add(ctx, a, "")
			return err
		}, func() {
			t.table.selected = strconv.FormatInt(int64(a.ID), 10)
			s.showCards(lang.L("{name} was added", "name", a.Title()), []credential{s.credential(a, secret)}, nil)
		})
	}, name.entry, label)
	check()
}

// kitTeam is the field for a kit's team.
func kitTeam(t *teamSelect) fyne.CanvasObject {
	return container.NewVBox(widget.Field(lang.L("Team"), t.input, ""),
		widget.Muted(lang.L("A kit publishes and subscribes in its team's branch. Without a team it may do nothing until you add a grant.")))
}

// maxAtOnce is how many kits can be added at once.
const maxAtOnce = 60

func (t *accountTab) addSeveral() {
	s := t.screen
	var sh *widget.Sheet
	count, prefix, hint := widget.NewEntry(), widget.NewEntry(), widget.Muted("")
	hint.SizeName = theme.SizeNameCaptionText
	count.SetText("10")
	prefix.SetText("kit")
	team := newTeamSelect(&s.data, s.data.usualTeam())
	var names []string
	check := func() {
		names = nil
		n, err := strconv.Atoi(strings.TrimSpace(count.Text))
		text, importance := explainID(prefix.Text), fw.DangerImportance
		switch {
		case err != nil || n < 1 || n > maxAtOnce:
			text = lang.L("How many? Write a number from 1 to {n}.", "n", maxAtOnce)
		case text == "" && len(prefix.Text) > topic.MaxID-6:
			text = lang.L("A name has at most {n} characters.", "n", topic.MaxID)
		case text == "":
			names = s.data.free(prefix.Text, n)
			text, importance = strings.Join(names, ", "), fw.LowImportance
			if n > 4 {
				text = strings.Join(names[:3], ", ") + " … " + names[n-1]
			}
			text = lang.L("Adds {names}", "names", text)
		}
		hint.Importance = importance
		hint.SetText(text)
		sh.Allow(names != nil)
	}
	count.OnChanged, prefix.OnChanged = func(string) { check() }, func(string) { check() }
	body := container.NewVBox(widget.Field(lang.L("How many"), count, ""), widget.Field(lang.L("Names begin with"), prefix, ""), hint, kitTeam(team))
	sh = s.open(lang.L("Add several kits"), lang.L("Add"), 420, body, func(*widget.Sheet) {
		team, names := team.team(), names
		var cards []credential
		var failed error
		sh.Do(func(ctx context.Context) error {
			for _, name := range names {
				a, secret, err := s.people.Add(ctx, core.Account{Name: topic.ID(name), Role: core.Kit, Team: team, Mounted: true}, "")
				if err != nil {
					failed = err
					break
				}
				cards = append(cards, s.credential(a, secret))
			}
			if len(cards) == 0 {
				return failed
			}
			return nil // those that were added have secrets to be shown
		}, func() {
			s.showCards(lang.L("Kits added: {n}", "n", len(cards)), cards, failed)
		})
	}, count, prefix)
	check()
}

func (t *accountTab) change() {
	a, ok := t.account()
	if !ok {
		return
	}
	s := t.screen
	label := widget.NewEntry()
	label.SetText(a.Label)
	team := newTeamSelect(&s.data, a.Team)
	role := roleChoice(a.Role)
	mount, meaning := fw.NewCheck(lang.L("Topics inside the team"), nil), widget.Muted("")
	mount.SetChecked(a.Mounted)
	meaning.SizeName = theme.SizeNameCaptionText
	filled := func() core.Account { // what the sheet says
		a := a
		a.Label, a.Team, a.Mounted = strings.TrimSpace(label.Text), team.team(), mount.Checked
		if !t.isKits {
			a.Role = roleOf(role)
		}
		return a
	}
	var sh *widget.Sheet
	var bounds *limitFields
	check := func() {
		meaning.SetText(explainMount(filled()))
		_, ok := bounds.check()
		sh.Allow(ok)
		sh.Fit()
	}
	bounds = newLimitFields(a.Limits, s.data.limits, func() { sh.Fit() }, func() { check() })
	role.OnChanged, team.input.OnChanged, mount.OnChanged = func(string) { check() }, func(string) { check() }, func(bool) { check() }
	ends := widget.Muted(lang.L("Another role or team, or this switch, signs the account out; it can sign in again at once."))
	ends.SizeName = theme.SizeNameCaptionText
	meaning.SetText(explainMount(a)) // takes its room from the start
	body := container.NewVBox(widget.Field(lang.L("Display name"), label, ""))
	if !t.isKits {
		body.Add(widget.Field(lang.L("Role"), role, ""))
	}
	body.Add(widget.Field(lang.L("Team"), team.input, ""))
	body.Add(container.New(layout.NewCustomPaddedVBoxLayout(-8), mount, meaning, ends))
	body.Add(bounds.content)
	sh = s.open(lang.L("Change {name}", "name", a.Name), lang.L("Save"), 420, body, func(*widget.Sheet) {
		a := filled()
		a.Limits, _ = bounds.check()
		sh.Do(func(ctx context.Context) error { return s.people.Change(ctx, a) },
			func() { s.shell.Tell(lang.L("{name} was changed", "name", a.Title())) })
	}, append([]*widget.Entry{label}, bounds.entries...)...)
	check()
}

// example is the topic of the first lesson.
const example = "state_led"

// explainMount says what the switch of a mount means for the account.
func explainMount(a core.Account) string {
	real := string(a.Team) + "/" + example
	switch {
	case a.Role == core.Teacher:
		return lang.L("Not for teachers: they use every topic by its full name.")
	case a.Team == "":
		return lang.L("Without a team there is nothing to be inside of.")
	case a.Mounted:
		return lang.L("Its {example} is {real} for everybody else. A full name such as {real} stays as it is.", "example", example, "real", real)
	}
	return lang.L("Its {example} is {example} for everybody. It has to write {real} for a topic of its team.", "example", example, "real", real)
}

// showCode shows a code with which a student's phone signs in.
func (t *accountTab) showCode() {
	if a, ok := t.account(); ok {
		t.screen.showPhone(lang.L("Sign in on a phone"), lang.L("The phone signs in as {name}.", "name", a.Title()), a.ID, "")
	}
}

func (t *accountTab) toggle() {
	a, ok := t.account()
	if !ok {
		return
	}
	a.Disabled = !a.Disabled
	done := lang.L("{name} may sign in again", "name", a.Title())
	if a.Disabled {
		done = lang.L("{name} was signed out and may not sign in", "name", a.Title())
	}
	t.screen.do(done, func(ctx context.Context) error { return t.screen.people.Change(ctx, a) })
}

func (t *accountTab) removeIt() {
	a, ok := t.account()
	if !ok {
		return
	}
	s := t.screen
	widget.Confirm(s.shell, lang.L("Remove {name}?", "name", a.Title()),
		lang.L("{name} is signed out at once and its own grants go with it. Its messages and readings stay. This cannot be undone; to keep it for later, disable it.", "name", a.Title()),
		lang.L("Remove"), func() {
			s.do(lang.L("{name} was removed", "name", a.Title()), func(ctx context.Context) error { return s.people.Remove(ctx, a.ID) })
		})
}

// resetIt gives a kit a new secret, or a person a new password.
func (t *accountTab) resetIt() {
	a, ok := t.account()
	if !ok {
		return
	}
	if !t.isKits {
		t.resetPassword(a)
		return
	}
	s := t.screen
	widget.Confirm(s.shell, lang.L("New secret for {name}?", "name", a.Title()),
		lang.L("{name} is signed out and the old secret stops working. Put the new one into its sketch.", "name", a.Title()),
		lang.L("New secret"), func() {
			s.shell.Do(func(ctx context.Context) (func(), error) {
				secret, err := s.people.ResetSecret(ctx, a.ID)
				if err != nil {
					return nil, err
				}
				return func() {
					s.showCards(lang.L("New secret for {name}", "name", a.Title()), []credential{s.credential(a, secret)}, nil)
					s.shell.Refresh()
				}, nil
			})
		})
}

func (t *accountTab) resetPassword(a core.Account) {
	s := t.screen
	var sh *widget.Sheet
	password, hint := widget.NewPasswordEntry(), widget.Muted("")
	hint.SizeName = theme.SizeNameCaptionText
	password.SetPlaceHolder(lang.L("Password"))
	own := fw.NewCheck(lang.L("Make a password and show it once"), nil)
	own.SetChecked(true)
	check := func() {
		wrong := ""
		if !own.Checked {
			wrong = explainPassword(password.Text)
		}
		hint.SetText(wrong)
		hint.Hidden, password.Hidden = wrong == "", own.Checked
		sh.Allow(wrong == "")
		sh.Fit()
	}
	password.Hidden = true // until the sheet is there to be checked
	own.OnChanged, password.OnChanged = func(bool) { check() }, func(string) { check() }
	body := container.NewVBox(widget.Text(lang.L("{name} is signed out everywhere and signs in with the new password.", "name", a.Title())), own, password, hint)
	sh = s.open(lang.L("New password for {name}", "name", a.Title()), lang.L("Set password"), 420, body, func(*widget.Sheet) {
		secret, made := password.Text, own.Checked
		if made {
			secret = newPassword()
		}
		sh.Do(func(ctx context.Context) error { return s.people.SetPassword(ctx, a.ID, secret) }, func() {
			password.SetText("")
			if made {
				s.showCards(lang.L("New password for {name}", "name", a.Title()), []credential{s.credential(a, secret)}, nil)
			} else {
				s.shell.Tell(lang.L("{name} has a new password", "name", a.Title()))
			}
		})
	}, password)
	check()
}

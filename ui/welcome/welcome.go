// Package welcome is what the window shows at the first start: it asks for the
// teacher's name and password.
package welcome

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets"
	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// Accounts is where the first teacher comes from.
type Accounts interface {
	// Claim makes the first teacher; it fails with core.ErrConflict if there is one.
	Claim(ctx context.Context, name, label, password string) (core.Account, error)
	AddTeam(ctx context.Context, t core.Team) error
}

// Languages is where the window's language is kept.
type Languages interface {
	Settings() core.Settings
	SetSettings(ctx context.Context, s core.Settings) error
}

// minPassword is the shortest password that accounts take, in characters.
const minPassword = 8

// Screen asks for the teacher account.
type Screen struct {
	accounts  Accounts
	languages Languages
	shell     widget.Shell
	done      func()

	content                       fyne.CanvasObject
	name, label, password, repeat *fw.Entry
	teams                         *fw.Check
	bars                          *bars
	hint                          *fw.Label
	problem                       *widget.Note
	claim                         *fw.Button
	tried                         bool
}

// New returns the screen. done is called on the UI goroutine when there is a teacher.
func New(a Accounts, l Languages, done func(), shell widget.Shell) *Screen {
	s := &Screen{accounts: a, languages: l, done: done, shell: shell}
	s.name = fw.NewEntry()
	s.name.SetText("teacher")
	s.label = fw.NewEntry()
	s.label.SetPlaceHolder(lang.L("for example Ms. Martin"))
	s.password, s.repeat = fw.NewPasswordEntry(), fw.NewPasswordEntry()
	s.bars = newBars()
	s.hint = widget.Muted("")
	s.hint.SizeName = theme.SizeNameCaptionText
	s.teams = fw.NewCheck(lang.L("Make two example teams, blue and red"), nil)
	s.problem = widget.NewNote("", fw.WarningImportance)
	s.problem.Hide()
	s.claim = fw.NewButtonWithIcon(lang.L("Start"), theme.NavigateNextIcon(), s.submit)
	s.claim.Importance = fw.HighImportance
	for _, e := range []*fw.Entry{s.name, s.label, s.password, s.repeat} {
		e.OnChanged = func(string) { s.check() }
		e.OnSubmitted = func(string) { s.submit() }
	}
	s.check()

	head := fw.NewLabelWithStyle(lang.L("Welcome to Homeroom"), fyne.TextAlignCenter, fyne.TextStyle{Bold: true})
	head.SizeName = theme.SizeNameHeadingText
	about := widget.Text(lang.L("Homeroom connects the kits of your class, shows what they send, and keeps it on this PC."))
	about.Alignment = fyne.TextAlignCenter
	icon := fw.NewIcon(fyne.NewStaticResource("homeroom.svg", assets.IconSVG()))
	form := container.NewVBox(
		widget.Muted(lang.L("First, make the teacher's account. It may see and switch everything.")),
		widget.Field(lang.L("Name to sign in with"), s.name, lang.L("Small letters a to z, digits and hyphens.")),
		widget.Field(lang.L("Name that others see"), s.label, ""),
		container.NewGridWithColumns(2,
			widget.Field(lang.L("Password"), s.password, ""),
			widget.Field(lang.L("The same again"), s.repeat, "")),
		container.New(layout.NewCustomPaddedVBoxLayout(0), s.bars, s.hint),
		s.teams,
		s.problem,
		container.NewBorder(nil, nil, nil, s.claim),
	)
	s.content = container.NewBorder(
		container.NewBorder(nil, nil, nil, container.NewPadded(s.languageChoice())), nil, nil, nil,
		container.NewVScroll(widget.Middle(560,
			container.NewCenter(container.NewHBox(container.NewGridWrap(fyne.NewSquareSize(48), icon), head)), about, widget.Card("", form))))
	return s
}

// Resume takes over what was typed and chosen in was, such as before the
// language changed.
func (s *Screen) Resume(was *Screen) {
	s.tried = was.tried
	s.name.SetText(was.name.Text)
	s.label.SetText(was.label.Text)
	s.password.SetText(was.password.Text)
	s.repeat.SetText(was.repeat.Text)
	s.teams.SetChecked(was.teams.Checked)
	s.check()
}

// Content is what the screen shows.
func (s *Screen) Content() fyne.CanvasObject { return s.content }

// First is the field to type into first.
func (s *Screen) First() fyne.Focusable { return s.password }

func (s *Screen) languageChoice() fyne.CanvasObject {
	row := container.NewHBox()
	for _, l := range lang.All() {
		b := fw.NewButton(l.Name(), func() { s.speak(l) })
		if b.Importance = fw.LowImportance; l == lang.Used() {
			b.Importance = fw.MediumImportance
		}
		row.Add(b)
	}
	return row
}

// speak keeps the language; the shell then builds the window anew.
func (s *Screen) speak(l lang.Language) {
	s.shell.Do(func(ctx context.Context) (func(), error) {
		v := s.languages.Settings()
		v.Language = string(l)
		if err := s.languages.SetSettings(ctx, v); err != nil {
			return nil, err
		}
		return s.shell.Refresh, nil
	})
}

// wrong says what is wrong with what was typed, or "".
func (s *Screen) wrong() string {
	switch _, err := topic.ParseID(s.name.Text); {
	case err != nil && s.name.Text == "":
		return lang.L("Type a name to sign in with.")
	case err != nil:
		return lang.L("The name may have small letters a to z, digits and hyphens only. Any other name fits in the field below it.")
	case utf8.RuneCountInString(s.password.Text) < minPassword:
		return lang.L("The password needs {n} characters or more.", "n", minPassword)
	case s.password.Text != s.repeat.Text:
		return lang.L("The two passwords differ. Type the same one twice.")
	}
	return ""
}

func (s *Screen) check() {
	score := strength(s.password.Text)
	s.bars.set(score)
	s.hint.SetText([]string{
		lang.L("8 characters or more. Three or four words in a row are strong and easy to remember."),
		lang.L("Weak. Make it longer."),
		lang.L("Good."),
		lang.L("Strong."),
	}[score])
	if s.tried {
		s.complain(s.wrong())
	}
}

func (s *Screen) complain(text string) {
	s.problem.Text.SetText(text)
	if text == "" {
		s.problem.Hide()
	} else {
		s.problem.Show()
	}
}

func (s *Screen) submit() {
	s.tried = true
	if text := s.wrong(); text != "" {
		s.complain(text)
		return
	}
	name, label, password, teams := s.name.Text, strings.TrimSpace(s.label.Text), s.password.Text, s.teams.Checked
	examples := []core.Team{{Name: "blue", Label: lang.L("Blue")}, {Name: "red", Label: lang.L("Red")}}
	s.claim.Disable()
	s.shell.Do(func(ctx context.Context) (func(), error) {
		if _, err := s.accounts.Claim(ctx, name, label, password); err != nil {
			return func() { s.claim.Enable(); s.complain(lang.Error(err)) }, nil
		}
		if teams {
			for _, t := range examples {
				if err := s.accounts.AddTeam(ctx, t); err != nil && !errors.Is(err, core.ErrConflict) {
					return nil, err
				}
			}
		}
		return s.done, nil
	})
}

// strength is 0 for a password that is too short, then 1 weak, 2 good, 3 strong:
// by its length, and a little by how many kinds of characters it mixes.
func strength(password string) int {
	n := utf8.RuneCountInString(password)
	if n < minPassword {
		return 0
	}
	kinds, different := map[string]bool{}, map[rune]bool{}
	for _, r := range password {
		different[r] = true
		switch {
		case unicode.IsDigit(r):
			kinds["digit"] = true
		case unicode.IsUpper(r):
			kinds["upper"] = true
		case unicode.IsLetter(r):
			kinds["letter"] = true
		default:
			kinds["other"] = true
		}
	}
	switch points := n + 2*len(kinds); {
	case len(different) < 5 || points < 14:
		return 1
	case points < 19:
		return 2
	}
	return 3
}

// bars are three short lines, of which as many are filled as the password is strong.
type bars struct {
	fw.BaseWidget
	score int
	lines [3]*canvas.Rectangle
}

func newBars() *bars {
	b := &bars{}
	for i := range b.lines {
		b.lines[i] = canvas.NewRectangle(nil)
		b.lines[i].CornerRadius = 2
		b.lines[i].SetMinSize(fyne.NewSize(40, 5))
	}
	b.ExtendBaseWidget(b)
	return b
}

func (b *bars) set(score int) {
	if b.score != score {
		b.score = score
		b.Refresh()
	}
}

// CreateRenderer is part of fyne.Widget.
func (b *bars) CreateRenderer() fyne.WidgetRenderer {
	b.paint()
	return fw.NewSimpleRenderer(container.NewGridWithColumns(3, b.lines[0], b.lines[1], b.lines[2]))
}

// Refresh is part of fyne.CanvasObject.
func (b *bars) Refresh() {
	b.paint()
	b.BaseWidget.Refresh()
}

func (b *bars) paint() {
	fill := []fyne.ThemeColorName{"", theme.ColorNameError, theme.ColorNameWarning, theme.ColorNameSuccess}[b.score]
	for i, l := range b.lines {
		if i < b.score {
			l.FillColor = theme.Color(fill)
		} else {
			l.FillColor = theme.Color(theme.ColorNameSeparator)
		}
	}
}

package welcome

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2/test"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/core"
	"homeroom/ui/widget/widgettest"
)

type accounts struct {
	name, label, password string
	teams                 []core.Team
	fail                  error
	set                   core.Settings
}

func (a *accounts) Claim(_ context.Context, name, label, password string) (core.Account, error) {
	if a.fail != nil {
		return core.Account{}, a.fail
	}
	a.name, a.label, a.password = name, label, password
	return core.Account{ID: 1}, nil
}

func (a *accounts) AddTeam(_ context.Context, t core.Team) error {
	a.teams = append(a.teams, t)
	return nil
}

func (a *accounts) Settings() core.Settings { return a.set }
func (a *accounts) SetSettings(_ context.Context, s core.Settings) error {
	a.set = s
	return nil
}

func open(t *testing.T) (*Screen, *accounts, *bool, *widgettest.Shell) {
	t.Helper()
	shell := widgettest.New(t)
	a, done := &accounts{}, new(bool)
	s := New(a, a, func() { *done = true }, shell)
	shell.Win.SetContent(s.Content())
	return s, a, done, shell
}

func TestClaim(t *testing.T) {
	s, a, done, _ := open(t)
	s.label.SetText(" 김 선생님 ")
	s.password.SetText("correct horse battery")
	s.repeat.SetText("correct horse battery")
	s.teams.SetChecked(true)
	test.Tap(s.claim)
	if a.name != "teacher" || a.label != "김 선생님" || a.password != "correct horse battery" || !*done {
		t.Errorf("claimed %+v, done is %v", a, *done)
	}
	var names []string
	for _, team := range a.teams {
		names = append(names, string(team.Name))
	}
	if !slices.Equal(names, []string{"blue", "red"}) {
		t.Errorf("teams %q", names)
	}
}

func TestNoTeamsUnlessAsked(t *testing.T) {
	s, a, done, _ := open(t)
	s.password.SetText("correct horse battery")
	s.repeat.SetText("correct horse battery")
	s.repeat.OnSubmitted("") // Enter
	if !*done || len(a.teams) != 0 {
		t.Errorf("done is %v, teams %v", *done, a.teams)
	}
}

func TestWrongInput(t *testing.T) {
	for name, c := range map[string]struct{ name, password, repeat, want string }{
		"no name":         {"", "12345678", "12345678", "Type a name"},
		"name with space": {"Ms Martin", "12345678", "12345678", "small letters"},
		"Hangul name":     {"민준", "12345678", "12345678", "small letters"},
		"wildcard":        {"+", "12345678", "12345678", "small letters"},
		"short password":  {"teacher", "1234567", "1234567", "8 characters"},
		"seven Hangul":    {"teacher", "가나다라마바사", "가나다라마바사", "8 characters"},
		"typo":            {"teacher", "12345678", "12345679", "differ"},
	} {
		t.Run(name, func(t *testing.T) {
			s, a, done, _ := open(t)
			s.name.SetText(c.name)
			s.password.SetText(c.password)
			s.repeat.SetText(c.repeat)
			if s.problem.Visible() {
				t.Error("complains before the button was pressed")
			}
			test.Tap(s.claim)
			if *done || a.name != "" {
				t.Fatal("claimed")
			}
			if !s.problem.Visible() || !strings.Contains(s.problem.Text.Text, c.want) {
				t.Errorf("told %q, want %q", s.problem.Text.Text, c.want)
			}
		})
	}
}

func TestRefusedClaimIsTold(t *testing.T) {
	s, a, done, _ := open(t)
	a.fail = core.Fail(core.ErrConflict, "There is a teacher already. Sign in as that one.")
	s.password.SetText("correct horse battery")
	s.repeat.SetText("correct horse battery")
	test.Tap(s.claim)
	if *done || s.problem.Text.Text != "There is a teacher already. Sign in as that one." || s.claim.Disabled() {
		t.Errorf("done is %v, told %q, button disabled is %v", *done, s.problem.Text.Text, s.claim.Disabled())
	}
	a.fail = errors.New("x")
	s.password.SetText("correct horse battery 2") // typing again takes the complaint back
	s.repeat.SetText("correct horse battery 2")
	if s.problem.Visible() {
		t.Errorf("still told %q", s.problem.Text.Text)
	}
}

func TestLanguage(t *testing.T) {
	s, a, _, shell := open(t)
	var korean *fw.Button
	for _, o := range test.LaidOutObjects(s.Content()) {
		if b, ok := o.(*fw.Button); ok && b.Text == "한국어" {
			korean = b
		}
	}
	if korean == nil {
		t.Fatal("no button for Korean")
	}
	test.Tap(korean)
	if a.set.Language != "ko" || shell.Reloads == 0 {
		t.Errorf("language %q, reloads %d", a.set.Language, shell.Reloads)
	}
}

func TestStrength(t *testing.T) {
	for password, want := range map[string]int{
		"": 0, "1234567": 0, "가나다라마바사": 0,
		"12345678": 1, "aaaaaaaaaaaaaaaaaaaaaaa": 1, "password": 1,
		"Sunny-day7": 2, "sunnyday morning": 3,
		"correct horse battery staple": 3, "우리반은열심히공부합니다": 2,
	} {
		if got := strength(password); got != want {
			t.Errorf("strength(%q) = %d, want %d", password, got, want)
		}
	}
}

package accounts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"

	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
	"homeroom/ui/widget/widgettest"
)

// register keeps accounts, teams and grants in memory.
type register struct {
	accounts  []core.Account
	teams     []core.Team
	grants    []core.Grant
	refusals  map[core.AccountID][]core.Refusal
	passwords map[core.AccountID]string
	granted   map[topic.Filter]bool // what everybody may do
	audit     []core.Audit
	codes     map[string]time.Time // until when each is good
	codeOf    string               // whom the newest is for
	pages     []string             // addresses of the page
	last      int64
	fail      error // of whatever is asked for next
	after     int   // how often it works before
}

func (r *register) problem() error {
	if r.fail == nil || r.after > 0 {
		r.after--
		return nil
	}
	err := r.fail
	r.fail = nil
	return err
}

func (r *register) Accounts() []core.Account { return slices.Clone(r.accounts) }

func (r *register) Add(_ context.Context, a core.Account, password string) (core.Account, string, error) {
	if err := r.problem(); err != nil {
		return core.Account{}, "", err
	}
	r.last++
	a.ID, a.Version = core.AccountID(r.last), 1
	r.accounts = append(r.accounts, a)
	secret := ""
	if a.Role == core.Kit && password == "" {
		secret = fmt.Sprintf("secret-of-%s", a.Name)
		password = secret
	}
	r.passwords[a.ID] = password
	return a, secret, nil
}

func (r *register) find(id core.AccountID) int {
	return slices.IndexFunc(r.accounts, func(a core.Account) bool { return a.ID == id })
}

func (r *register) Change(_ context.Context, a core.Account) error {
	if err := r.problem(); err != nil {
		return err
	}
	r.accounts[r.find(a.ID)] = a
	return nil
}

func (r *register) SetPassword(_ context.Context, id core.AccountID, password string) error {
	if err := r.problem(); err != nil {
		return err
	}
	r.passwords[id] = password
	return nil
}

func (r *register) ResetSecret(_ context.Context, id core.AccountID) (string, error) {
	if err := r.problem(); err != nil {
		return "", err
	}
	r.passwords[id] = "another-secret"
	return "another-secret", nil
}

func (r *register) Remove(_ context.Context, id core.AccountID) error {
	if err := r.problem(); err != nil {
		return err
	}
	i := r.find(id)
	r.accounts = slices.Delete(r.accounts, i, i+1)
	return nil
}

func (r *register) Authorize(_ core.AccountID, _ core.Action, f topic.Filter) (topic.Filter, error) {
	if r.granted[f] {
		return f, nil
	}
	return f, core.Fail(core.ErrDenied, "no")
}

func (r *register) Teams() []core.Team { return slices.Clone(r.teams) }

func (r *register) AddTeam(_ context.Context, t core.Team) error {
	if err := r.problem(); err != nil {
		return err
	}
	r.teams = append(r.teams, t)
	return nil
}

func (r *register) ChangeTeam(_ context.Context, t core.Team) error {
	i := slices.IndexFunc(r.teams, func(o core.Team) bool { return o.Name == t.Name })
	r.teams[i] = t
	return r.problem()
}

func (r *register) RemoveTeam(_ context.Context, name topic.ID) error {
	if err := r.problem(); err != nil {
		return err
	}
	r.teams = slices.DeleteFunc(r.teams, func(t core.Team) bool { return t.Name == name })
	return nil
}

func (r *register) Grants() []core.Grant { return slices.Clone(r.grants) }

func (r *register) Grant(_ context.Context, g core.Grant) (core.Grant, error) {
	if err := r.problem(); err != nil {
		return core.Grant{}, err
	}
	r.last++
	g.ID = r.last
	r.grants = append(r.grants, g)
	return g, nil
}

func (r *register) Revoke(_ context.Context, id int64) error {
	if err := r.problem(); err != nil {
		return err
	}
	r.grants = slices.DeleteFunc(r.grants, func(g core.Grant) bool { return g.ID == id })
	return nil
}

func (r *register) RefusalsOf(id core.AccountID, limit int) []core.Refusal {
	return r.refusals[id][:min(limit, len(r.refusals[id]))]
}

func (r *register) Audit(limit int) []core.Audit { return r.audit[:min(limit, len(r.audit))] }

func (r *register) MakeCode(_ context.Context, account core.AccountID, team topic.ID) (string, time.Time, error) {
	if err := r.problem(); err != nil {
		return "", time.Time{}, err
	}
	code, until := fmt.Sprintf("code%04d", len(r.codes)), time.Now().Add(5*time.Minute)
	r.codes[code], r.codeOf = until, fmt.Sprintf("%d %s", account, team)
	return code, until, nil
}

func (r *register) CodeLeft(code string) time.Duration { return max(0, time.Until(r.codes[code])) }

// class is a register with a teacher, two students, two teams and three kits.
func class(t *testing.T) *register {
	r := &register{passwords: map[core.AccountID]string{}, refusals: map[core.AccountID][]core.Refusal{}, codes: map[string]time.Time{}}
	r.teams = []core.Team{{Name: "red"}, {Name: "blue", Label: "파랑"}}
	for _, a := range []core.Account{
		{Name: "prof", Label: "Mme Lefèvre", Role: core.Teacher},
		{Name: "ana", Label: "Ana", Role: core.Student, Team: "blue"},
		{Name: "minjun", Label: "김민준", Role: core.Student},
		{Name: "kit-10", Role: core.Kit, Team: "red"},
		{Name: "kit-2", Role: core.Kit, Team: "blue", Label: "Lampe"},
		{Name: "kit-1", Role: core.Kit},
	} {
		if _, _, err := r.Add(t.Context(), a, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range []core.Grant{
		{Subject: core.Subject{Team: "blue"}, Action: core.Subscribe, Pattern: "weather/+"},
		{Subject: core.Subject{Role: core.Kit}, Action: core.Publish, Pattern: "{team}/#"},
		{Subject: core.Subject{Account: 2}, Action: core.Publish, Pattern: "red/{account}/x"},
	} {
		if _, err := r.Grant(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func open(t *testing.T, r *register) (*Screen, *widgettest.Shell) {
	t.Helper()
	shell := widgettest.New(t)
	s := New(r, r, r, func() core.Addresses {
		return core.Addresses{MQTT: []string{"192.168.1.20:1884", "10.0.0.1:1884"}, Page: r.pages}
	}, core.DefaultLimits, shell)
	shell.Win.SetContent(s.Content())
	shell.Win.Resize(fyne.NewSize(1180, 760))
	reload(t, s)
	return s, shell
}

func reload(t *testing.T, s *Screen) {
	t.Helper()
	show, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	show()
}

// names returns the first column of what a table shows.
func names(t *table) string {
	var all []string
	for _, l := range t.shown {
		all = append(all, l.cells[0])
	}
	return strings.Join(all, " ")
}

// walk calls f with every object that is shown in or below o.
func walk(o fyne.CanvasObject, f func(fyne.CanvasObject)) {
	if o == nil || !o.Visible() {
		return
	}
	f(o)
	switch o := o.(type) {
	case *fyne.Container:
		for _, c := range o.Objects {
			walk(c, f)
		}
	case fyne.Widget:
		for _, c := range test.WidgetRenderer(o).Objects() {
			walk(c, f)
		}
	}
}

// inDialog returns the objects of one type in the dialog that is open, in order.
func inDialog[T fyne.CanvasObject](t *testing.T, shell *widgettest.Shell) (found []T) {
	t.Helper()
	top := shell.Win.Canvas().Overlays().Top()
	if top == nil {
		t.Fatal("no dialog is open")
	}
	walk(top, func(o fyne.CanvasObject) {
		if w, ok := o.(T); ok {
			found = append(found, w)
		}
	})
	return found
}

// says returns all labels of the dialog that is open.
func says(t *testing.T, shell *widgettest.Shell) string {
	var all []string
	for _, l := range inDialog[*fw.Label](t, shell) {
		all = append(all, l.Text)
	}
	return strings.Join(all, "\n")
}

// press taps the button with that text in the dialog that is open.
func press(t *testing.T, shell *widgettest.Shell, text string) {
	t.Helper()
	for _, b := range inDialog[*fw.Button](t, shell) {
		if b.Text == text {
			test.Tap(b)
			return
		}
	}
	t.Fatalf("no button %q", text)
}

func closed(t *testing.T, shell *widgettest.Shell) {
	t.Helper()
	if shell.Win.Canvas().Overlays().Top() != nil {
		t.Error("a dialog is still open")
	}
}

func TestTabs(t *testing.T) {
	s, _ := open(t, class(t))
	for i, want := range []string{"People  3", "Kits  3", "Teams  2", "Grants  3"} {
		if got := s.tabs.Items[i].Text; got != want {
			t.Errorf("tab %d = %q, want %q", i, got, want)
		}
	}
	for want, table := range map[string]*table{"ana minjun prof": s.persons.table, "kit-1 kit-2 kit-10": s.kits.table, "blue red": s.teams.table} {
		if got := names(table); got != want {
			t.Errorf("rows = %q, want %q", got, want)
		}
	}
	var words []string
	for _, l := range s.grants.table.shown {
		words = append(words, strings.Join(l.cells, " "))
	}
	if got, want := strings.Join(words, "; "), "Every kit publish {team}/#; Team 파랑 subscribe weather/+; Ana publish red/{account}/x"; got != want {
		t.Errorf("grants = %q, want %q", got, want)
	}
}

func TestSearch(t *testing.T) {
	s, _ := open(t, class(t))
	for search, want := range map[string]string{"": "ana minjun prof", "민준": "minjun", "STUD": "ana minjun", "lefèvre": "prof", "학생": "", "student 파랑": "ana"} {
		s.persons.table.search.SetText(search)
		if got := names(s.persons.table); got != want {
			t.Errorf("search %q finds %q, want %q", search, got, want)
		}
	}
	s.persons.table.search.SetText("zzz")
	if s.persons.table.found.Text != "Found: 0 of 3" || !s.persons.table.found.Visible() {
		t.Errorf("it says %q", s.persons.table.found.Text)
	}
}

func TestDetailOfAnAccount(t *testing.T) {
	r := class(t)
	r.refusals[5] = []core.Refusal{{At: time.Now(), Count: 12, Say: core.Say("{name} may not publish to x.", "name", "kit-2")}}
	s, shell := open(t, r)
	s.tabs.SelectIndex(1)
	s.kits.table.choose("5")
	if shell.Reloads == 0 {
		t.Error("the refusals are not asked for")
	}
	reload(t, s)
	for _, want := range []string{"Lampe", "kit-2", "team 파랑", "publish to blue/#", "subscribe to weather/+", "12 times", "kit-2 may not publish to x."} {
		if !strings.Contains(s.kits.drawn, want) {
			t.Errorf("detail lacks %q:\n%s", want, s.kits.drawn)
		}
	}
	s.kits.table.choose("6")
	if !strings.Contains(s.kits.drawn, "{team}/# is nothing without a team") || strings.Contains(s.kits.drawn, "may not publish to x") {
		t.Errorf("detail of a kit without a team:\n%s", s.kits.drawn)
	}
	// Rows that come and go leave the selection where it is.
	if _, _, err := r.Add(t.Context(), core.Account{Name: "a-kit", Role: core.Kit}, ""); err != nil {
		t.Fatal(err)
	}
	reload(t, s)
	if a, ok := s.kits.account(); !ok || a.Name != "kit-1" {
		t.Errorf("selected = %v", a.Name)
	}
}

func TestAddPerson(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	test.Tap(s.persons.add)
	entries := inDialog[*widget.Entry](t, shell)
	label, name := entries[0], entries[1]
	if !s.sheet.OK().Disabled() {
		t.Error("somebody without a name can be added")
	}
	test.Type(label, "Élodie D'Arc")
	if name.Text != "elodie-d-arc" || s.sheet.OK().Disabled() {
		t.Errorf("proposed name = %q", name.Text)
	}
	for text, hint := range map[string]string{"ana": "taken", "blue": "taken", "Ana": "small", "a b": "spaces", "한": "“한”"} {
		name.SetText(text)
		if all := says(t, shell); !strings.Contains(all, hint) || !s.sheet.OK().Disabled() {
			t.Errorf("name %q: %s", text, all)
		}
	}
	name.SetText("elodie")
	inDialog[*fw.Select](t, shell)[0].SetSelectedIndex(1)
	r.fail = core.Fail(core.ErrInvalid, "Not today.")
	press(t, shell, "Add")
	if s.sheet == nil || !strings.Contains(says(t, shell), "Not today.") {
		t.Fatal("a failure closes the sheet, or is not said")
	}
	press(t, shell, "Add")
	a := r.accounts[len(r.accounts)-1]
	if a.Name != "elodie" || a.Label != "Élodie D'Arc" || a.Role != core.Student || a.Team != "blue" {
		t.Errorf("added %+v", a)
	}
	password := r.passwords[a.ID]
	if len(password) != 14 || s.cards == nil {
		t.Fatalf("password = %q", password)
	}
	test.Tap(s.cards.copy)
	if got := fyne.CurrentApp().Clipboard().Content(); !strings.Contains(got, password) || !strings.Contains(got, "192.168.1.20:1884") {
		t.Errorf("copied %q", got)
	}
	press(t, shell, "Done")
	closed(t, shell)
	if s.cards != nil || s.sheet != nil {
		t.Error("the secret outlives its dialog")
	}
}

func TestAddPersonWithOwnPassword(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	test.Tap(s.persons.add)
	inDialog[*widget.Entry](t, shell)[1].SetText("zoe")
	test.Tap(inDialog[*fw.Check](t, shell)[0])
	password := inDialog[*widget.Entry](t, shell)[2]
	test.Type(password, "short")
	if !s.sheet.OK().Disabled() || !strings.Contains(says(t, shell), "8 characters") {
		t.Error("a short password is taken")
	}
	password.SetText("long enough")
	inDialog[*fw.RadioGroup](t, shell)[0].SetSelected("teacher")
	press(t, shell, "Add")
	closed(t, shell)
	a := r.accounts[len(r.accounts)-1]
	if a.Role != core.Teacher || r.passwords[a.ID] != "long enough" || password.Text != "" {
		t.Errorf("added %+v with %q; the entry keeps %q", a, r.passwords[a.ID], password.Text)
	}
}

func TestAddKit(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	test.Tap(s.kits.add)
	if got := inDialog[*widget.Entry](t, shell)[0].Text; got != "kit-3" {
		t.Errorf("proposed %q", got)
	}
	inDialog[*fw.Select](t, shell)[0].SetSelectedIndex(2)
	press(t, shell, "Add")
	test.Tap(s.cards.copy)
	want := `const char* mqtt_host = "192.168.1.20";
const int   mqtt_port = 1884;
const char* mqtt_user = "kit-3";
const char* mqtt_password = "secret-of-kit-3";
const char* mqtt_topic = "red/lab/kit-3/temperature";
`
	if got := fyne.CurrentApp().Clipboard().Content(); got != want {
		t.Errorf("copied\n%s", got)
	}
	press(t, shell, "Done")
	reload(t, s)
	if a, ok := s.kits.account(); !ok || a.Name != "kit-3" {
		t.Error("the new kit is not selected")
	}
}

func TestAddSeveralKits(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	test.Tap(s.kits.several)
	entries := inDialog[*widget.Entry](t, shell)
	for _, bad := range []string{"", "0", "-1", "61", "x"} {
		entries[0].SetText(bad)
		if !s.sheet.OK().Disabled() {
			t.Errorf("%q kits can be added", bad)
		}
	}
	entries[0].SetText("5")
	if !strings.Contains(says(t, shell), "Adds kit-3, kit-4, kit-5 … kit-7") {
		t.Errorf("it says %s", says(t, shell))
	}
	entries[1].SetText("Lamp")
	if !s.sheet.OK().Disabled() {
		t.Error("a bad prefix is taken")
	}
	entries[1].SetText("kit")
	r.fail, r.after = core.Fail(core.ErrInvalid, "The disk is full."), 3
	press(t, shell, "Add")
	if len(r.accounts) != 9 || !strings.Contains(says(t, shell), "Kits added: 3") || !strings.Contains(says(t, shell), "The disk is full.") {
		t.Errorf("%d accounts; it says\n%s", len(r.accounts), says(t, shell))
	}

	var file bytes.Buffer
	var name string
	s.save = func(n string, write writer) {
		name = n
		file.Reset()
		if err := write(&file); err != nil {
			t.Error(err)
		}
	}
	test.Tap(s.cards.text)
	if got := file.String(); name != "credentials.txt" || strings.Count(got, "Secret: secret-of-kit-") != 3 {
		t.Errorf("%s:\n%s", name, got)
	}
	test.Tap(s.cards.picture)
	i, err := png.Decode(&file)
	if err != nil || name != "credentials.png" {
		t.Fatalf("%s: %v", name, err)
	}
	if b := i.Bounds(); b.Dx() < 2*2*cardWidth || b.Dy() < 2*2*cardHeight {
		t.Errorf("three cards on a picture of %v", b)
	}
	for _, at := range []int{0, 24} { // outside, and the round corner of a card
		if r, g, b, _ := i.At(at, at).RGBA(); r+g+b != 3*0xffff {
			t.Errorf("the picture is not white at %d", at)
		}
	}
	press(t, shell, "Done")
	closed(t, shell)
}

func TestSaveAsksWhere(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("USERPROFILE", dir)
	s, shell := open(t, class(t))
	s.save("kit-1.txt", func(w io.Writer) error {
		_, err := io.WriteString(w, "Lampe 조명")
		return err
	})
	entries := inDialog[*fw.Entry](t, shell)
	if len(entries) == 0 || entries[len(entries)-1].Text != "kit-1.txt" {
		t.Fatal("it does not ask where to")
	}
	press(t, shell, "Save")
	if got, err := os.ReadFile(filepath.Join(dir, "kit-1.txt")); string(got) != "Lampe 조명" || err != nil {
		t.Errorf("saved %q, %v", got, err)
	}
	if !slices.Contains(shell.Told, "Saved as kit-1.txt") {
		t.Errorf("told %q", shell.Told)
	}
}

func TestCardLooks(t *testing.T) {
	test.NewTempApp(t)
	c := credential{Title: "Lampe à côté de la fenêtre du laboratoire", Name: "kit-1", Secret: "k7mf2pqx9trd4hws8vny3bcj6e", Kit: true, Team: "Bleus", Branch: "blue", Host: "192.168.1.20", Port: "1883"}
	test.AssertObjectRendersToImage(t, "card.png", c.paper())
	var code map[string]string
	if err := json.Unmarshal([]byte(c.code()), &code); err != nil {
		t.Fatal(err)
	}
	if code["mqtt"] != "192.168.1.20:1883" || code["user"] != "kit-1" || code["password"] != c.Secret || code["branch"] != "blue" || len(code) != 4 {
		t.Errorf("code = %v", code)
	}
	if got := (credential{Host: "fe80::1", Port: "1883"}).address(); got != "[fe80::1]:1883" {
		t.Errorf("address = %q", got)
	}
}

func TestChange(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	s.persons.table.choose("3")
	test.Tap(s.persons.edit)
	inDialog[*widget.Entry](t, shell)[0].SetText("  Min-jun ")
	inDialog[*fw.RadioGroup](t, shell)[0].SetSelected("teacher")
	inDialog[*fw.Select](t, shell)[0].SetSelectedIndex(2)
	press(t, shell, "Save")
	closed(t, shell)
	if a := r.accounts[2]; a.Label != "Min-jun" || a.Role != core.Teacher || a.Team != "red" || a.Name != "minjun" {
		t.Errorf("changed to %+v", a)
	}
}

func TestCancelChangesNothing(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	before := fmt.Sprint(r.accounts, r.teams, r.grants)
	s.persons.table.choose("3")
	s.teams.table.choose("blue")
	for _, b := range []*fw.Button{s.persons.add, s.persons.edit, s.persons.reset, s.persons.remove, s.kits.add, s.kits.several, s.teams.add, s.teams.edit, s.teams.remove, s.grants.add} {
		test.Tap(b)
		press(t, shell, "Cancel")
		closed(t, shell)
	}
	if after := fmt.Sprint(r.accounts, r.teams, r.grants); after != before {
		t.Errorf("before %s\nafter %s", before, after)
	}
}

func TestDisableAndEnable(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	s.kits.table.choose("5")
	test.Tap(s.kits.disable)
	reload(t, s)
	if !r.accounts[4].Disabled || s.kits.disable.Text != "Enable" || s.kits.table.shown[1].cells[3] != "disabled" || !strings.Contains(s.kits.drawn, "Nothing while it is disabled") {
		t.Errorf("after disabling: %+v, %q", r.accounts[4], s.kits.disable.Text)
	}
	test.Tap(s.kits.disable)
	reload(t, s)
	if r.accounts[4].Disabled || s.kits.disable.Text != "Disable" {
		t.Error("it cannot be enabled")
	}
	r.fail = core.Fail(core.ErrConflict, "She is the last teacher.")
	s.persons.table.choose("1")
	test.Tap(s.persons.disable)
	if shell.Err == nil || r.accounts[0].Disabled {
		t.Error("a refusal is not shown")
	}
}

func TestResets(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	s.kits.table.choose("5")
	test.Tap(s.kits.reset)
	if r.passwords[5] != "secret-of-kit-2" {
		t.Error("it is reset without asking")
	}
	press(t, shell, "New secret")
	if r.passwords[5] != "another-secret" || s.cards == nil {
		t.Fatal("no new secret, or it is not shown")
	}
	press(t, shell, "Done")

	s.persons.table.choose("2")
	test.Tap(s.persons.reset)
	press(t, shell, "Set password")
	if len(r.passwords[2]) != 14 || s.cards == nil {
		t.Errorf("password = %q", r.passwords[2])
	}
	press(t, shell, "Done")
	test.Tap(s.persons.reset)
	test.Tap(inDialog[*fw.Check](t, shell)[0])
	if !s.sheet.OK().Disabled() {
		t.Error("no password is taken")
	}
	inDialog[*widget.Entry](t, shell)[0].SetText("한글 비밀번호도 된다")
	press(t, shell, "Set password")
	closed(t, shell)
	if r.passwords[2] != "한글 비밀번호도 된다" {
		t.Errorf("password = %q", r.passwords[2])
	}
}

func TestRemove(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	s.kits.table.choose("5")
	test.Tap(s.kits.remove)
	if !strings.Contains(says(t, shell), "cannot be undone") || len(r.accounts) != 6 {
		t.Error("it does not say what follows")
	}
	press(t, shell, "Remove")
	reload(t, s)
	if names(s.kits.table) != "kit-1 kit-10" || s.kits.detail.Visible() || !s.kits.nothing.Visible() {
		t.Errorf("kits = %s", names(s.kits.table))
	}
}

func TestTeams(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	s.teams.table.choose("blue")
	for _, want := range []string{"파랑", "Ana (ana) · student", "Lampe (kit-2) · kit"} {
		if !strings.Contains(s.teams.drawn, want) {
			t.Errorf("detail lacks %q:\n%s", want, s.teams.drawn)
		}
	}
	test.Tap(s.teams.edit)
	inDialog[*widget.Entry](t, shell)[0].SetText("Bleus")
	press(t, shell, "Save")
	if r.teams[1].Label != "Bleus" {
		t.Errorf("label = %q", r.teams[1].Label)
	}
	test.Tap(s.teams.remove)
	if !strings.Contains(says(t, shell), "signed out: 2") {
		t.Errorf("it says %s", says(t, shell))
	}
	press(t, shell, "Remove")
	test.Tap(s.teams.add)
	entries := inDialog[*widget.Entry](t, shell)
	test.Type(entries[0], "Équipe verte")
	if entries[1].Text != "equipe-verte" {
		t.Errorf("proposed %q", entries[1].Text)
	}
	press(t, shell, "Add")
	closed(t, shell)
	reload(t, s)
	if names(s.teams.table) != "equipe-verte red" || r.teams[1].Label != "Équipe verte" {
		t.Errorf("teams = %+v", r.teams)
	}
}

func TestAddGrant(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	test.Tap(s.grants.add)
	who, pattern, checks := inDialog[*fw.Select](t, shell)[0], inDialog[*widget.Entry](t, shell)[0], inDialog[*fw.Check](t, shell)
	if !s.sheet.OK().Disabled() {
		t.Error("a grant without a pattern can be added")
	}
	for text, say := range map[string]string{"a/#/b": "last level", "x+": "whole levels", "{teams}/x": "“{teams}”", "a{kit}": "“a{kit}”", "a\x00": "too long"} {
		pattern.SetText(text)
		if all := says(t, shell); !strings.Contains(all, say) || !s.sheet.OK().Disabled() {
			t.Errorf("%q: %s", text, all)
		}
	}
	pattern.SetText("{team}/{kit}/#")
	if all := says(t, shell); !strings.Contains(all, "For Lampe: blue/kit-2/#") || !strings.Contains(all, "For kit-1: nothing, for lack of a team") {
		t.Errorf("preview: %s", all)
	}
	pattern.SetText("#")
	if !strings.Contains(says(t, shell), "every topic of every team") {
		t.Error("# is not warned of")
	}
	who.SetSelected("Every student")
	pattern.SetText("{kit}/x")
	if all := says(t, shell); !strings.Contains(all, "For Ana: nothing, since {kit} is for kits only") {
		t.Errorf("preview: %s", all)
	}
	who.SetSelected("Team 파랑")
	pattern.SetText("shared/{account}")
	if all := says(t, shell); !strings.Contains(all, "For Ana: shared/ana") {
		t.Errorf("preview: %s", all)
	}
	test.Tap(checks[1])
	if !s.sheet.OK().Disabled() {
		t.Error("a grant to do nothing can be added")
	}
	test.Tap(checks[0])
	test.Tap(checks[1])
	r.fail, r.after = errors.New("This grant exists already."), 1
	press(t, shell, "Add")
	if len(r.grants) != 3 || s.sheet == nil {
		t.Errorf("half of two grants stays: %+v", r.grants)
	}
	press(t, shell, "Add")
	closed(t, shell)
	want := []core.Grant{{ID: 11, Subject: core.Subject{Team: "blue"}, Action: core.Publish, Pattern: "shared/{account}"}, {ID: 12, Subject: core.Subject{Team: "blue"}, Action: core.Subscribe, Pattern: "shared/{account}"}}
	if got := r.grants[3:]; !slices.Equal(got, want) {
		t.Errorf("granted %+v", got)
	}
}

func TestRevokeAndUndo(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	s.grants.table.choose("8")
	if !strings.Contains(s.grants.drawn, "For Lampe: blue/#") {
		t.Errorf("detail:\n%s", s.grants.drawn)
	}
	test.Tap(s.grants.revoke)
	if len(r.grants) != 2 || shell.Told[0] != "Revoked: Every kit may publish to {team}/#" {
		t.Errorf("grants %+v, told %q", r.grants, shell.Told)
	}
	if err := shell.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g := r.grants[2]; g.Subject.Role != core.Kit || g.Pattern != "{team}/#" || g.Action != core.Publish {
		t.Errorf("undo grants %+v", g)
	}
}

func TestExpand(t *testing.T) {
	kit := core.Account{Name: "kit-1", Role: core.Kit, Team: "blue"}
	for _, c := range []struct {
		pattern string
		account core.Account
		want    topic.Filter
	}{
		{"{team}/{kit}/{account}/+/#", kit, "blue/kit-1/kit-1/+/#"},
		{"{team}/#", core.Account{Name: "ana", Role: core.Student}, ""},
		{"{kit}/#", core.Account{Name: "ana", Role: core.Student, Team: "blue"}, ""},
		{"a/{account}", core.Account{Name: "ana"}, "a/ana"},
		{"#/x", kit, ""},
	} {
		if f, ok := expand(c.pattern, c.account); f != c.want && ok || ok != (c.want != "") {
			t.Errorf("%s for %s = %q, %v", c.pattern, c.account.Name, f, ok)
		}
	}
}

func TestIDFrom(t *testing.T) {
	for label, want := range map[string]string{
		"Élodie Dupont": "elodie-dupont", "김민준": "", "  Zoë & Ana!  ": "zoe-ana", "Œuvre": "oeuvre", "A--b": "a-b", strings.Repeat("long ", 40): "long-long-long-long-long-long-long-long-long-long-long-long-long",
	} {
		got := idFrom(label)
		if want == strings.TrimSuffix(strings.Repeat("long-", 13), "-") {
			want = strings.Trim(strings.Repeat("long-", 13)[:topic.MaxID], "-")
		}
		if got != want {
			t.Errorf("%q = %q, want %q", label, got, want)
		}
		if _, err := topic.ParseID(got); got != "" && err != nil {
			t.Errorf("%q proposes %q, which is no ID", label, got)
		}
	}
}

func TestPasswordsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		p := newPassword()
		if seen[p] || explainPassword(p) != "" || strings.ContainsAny(p, "lo01") {
			t.Fatalf("password %q", p)
		}
		seen[p] = true
	}
}

func TestManyAccounts(t *testing.T) {
	r := class(t)
	for i := range 2000 {
		if _, _, err := r.Add(t.Context(), core.Account{Name: topic.ID(fmt.Sprintf("s-%d", i)), Role: core.Student}, "x"); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := open(t, r)
	if len(s.persons.table.shown) != 2003 {
		t.Errorf("%d people", len(s.persons.table.shown))
	}
	s.persons.table.search.SetText("s-1999")
	if names(s.persons.table) != "s-1999" {
		t.Errorf("found %s", names(s.persons.table))
	}
}

// TestSheetKeys: each sheet begins where one types; Enter adds, Esc closes.
func TestSheetKeys(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	c := shell.Win.Canvas()
	c.SetOnTypedKey(func(k *fyne.KeyEvent) { s.Back() }) // as the window does for Esc
	s.persons.table.choose("3")
	s.teams.table.choose("blue")
	for name, b := range map[string]*fw.Button{"add person": s.persons.add, "change": s.persons.edit, "add kit": s.kits.add,
		"add several": s.kits.several, "add team": s.teams.add, "change team": s.teams.edit, "add grant": s.grants.add} {
		test.Tap(b)
		entries := inDialog[*widget.Entry](t, shell)
		if c.Focused() != entries[0] {
			t.Errorf("%s: the first field has no focus", name)
		}
		for i, e := range entries {
			if e.OnSubmitted == nil {
				t.Errorf("%s: Enter in field %d does nothing", name, i)
			}
		}
		entries[0].TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
		closed(t, shell)
	}
	test.Tap(s.kits.add)
	inDialog[*widget.Entry](t, shell)[1].TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if a := r.accounts[len(r.accounts)-1]; a.Name != "kit-3" || a.Team != "blue" {
		t.Errorf("Enter added %+v, want kit-3 in the team of the newest kit that has one", a)
	}
	if s.Back() || s.cards == nil {
		t.Error("Esc closes what is shown only once")
	}
}

// TestPhone shows codes for a student and a team, until they are used or too old.
func TestPhone(t *testing.T) {
	r := class(t)
	r.pages = []string{"http://192.168.1.20:8080/", "http://10.0.0.1:8080/"}
	s, shell := open(t, r)
	for id, want := range map[string]bool{"2": true, "1": false} { // Ana, and the teacher
		s.persons.table.choose(id)
		if s.persons.phone.Visible() != want {
			t.Errorf("account %s: the button shows %v", id, !want)
		}
	}
	s.persons.table.choose("2")
	test.Tap(s.persons.phone)
	if r.codeOf != "2 " || s.phone.address() != "http://192.168.1.20:8080/#code=code0000" {
		t.Errorf("a code for %q at %q", r.codeOf, s.phone.address())
	}
	for _, want := range []string{"code 0000", "http://192.168.1.20:8080/", "For one phone, good for ", "signs in as Ana"} {
		if !strings.Contains(says(t, shell), want) {
			t.Errorf("it lacks %q:\n%s", want, says(t, shell))
		}
	}
	if n := len(inDialog[*canvas.Image](t, shell)); n == 0 {
		t.Error("no QR code")
	}
	r.codes["code0000"] = time.Now().Add(64 * time.Second)
	reload(t, s)
	if !regexp.MustCompile(`good for (1:0[0-4]|0:)`).MatchString(says(t, shell)) { // the clock goes on
		t.Errorf("later:\n%s", says(t, shell))
	}
	delete(r.codes, "code0000") // used
	reload(t, s)
	if text := says(t, shell); !strings.Contains(text, "A phone signed in with this code") || strings.Contains(text, "code 0000") {
		t.Errorf("used:\n%s", text)
	}
	r.codes["another"] = time.Time{}
	press(t, shell, "Another code")
	if !strings.Contains(says(t, shell), "code 0001") {
		t.Errorf("the next:\n%s", says(t, shell))
	}
	s.phone.until = time.Now()
	r.codes["code0001"] = time.Now()
	reload(t, s)
	if !strings.Contains(says(t, shell), "too old") {
		t.Errorf("after five minutes:\n%s", says(t, shell))
	}
	press(t, shell, "Done")
	closed(t, shell)
	reload(t, s) // nothing is left to be drawn
	if s.phone != nil || s.Back() {
		t.Error("the code is remembered")
	}

	r.pages = nil
	reload(t, s)
	s.teams.table.choose("blue")
	test.Tap(s.teams.phone)
	if text := says(t, shell); r.codeOf != "0 blue" || !strings.Contains(text, "blue-phone") || !strings.Contains(text, "파랑") || !strings.Contains(text, "no network") {
		t.Errorf("a code for %q:\n%s", r.codeOf, text)
	}
	if !s.Back() {
		t.Error("Escape does not close it")
	}
	closed(t, shell)
	r.fail = core.Fail(core.ErrConflict, "no")
	test.Tap(s.teams.phone)
	if shell.Err == nil || s.phone != nil {
		t.Errorf("err = %v", shell.Err)
	}
	closed(t, shell)
}

func TestChanges(t *testing.T) {
	r := class(t)
	at := time.Date(2026, 3, 2, 9, 41, 5, 0, time.Local)
	r.audit = []core.Audit{
		{ID: 9, At: at, Account: 1, Name: "prof", Say: core.Say("{name} was disabled", "name", "ana")},
		{ID: 8, At: at.Add(-time.Hour), Account: 77, Name: "gone", Say: core.Say("{name} was enabled", "name", "ana")},
		{ID: 7, At: at.Add(-24 * time.Hour), Say: core.Say("Team {team} was added", "team", "blue")},
	}
	s, shell := open(t, r)
	if len(s.changes.table.lines) != 0 {
		t.Error("it is read though nobody looks")
	}
	before := shell.Reloads
	s.Open("changes")
	if shell.Reloads == before {
		t.Error("it is not asked for")
	}
	reload(t, s)
	var words []string
	for _, l := range s.changes.table.shown {
		words = append(words, strings.Join(l.cells, " | "))
	}
	if got, want := strings.Join(words, "\n"), "2026-03-02 09:41:05 | Mme Lefèvre (prof) | ana was disabled\n2026-03-02 08:41:05 | gone | ana was enabled\n2026-03-01 09:41:05 | this PC | Team blue was added"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	s.changes.table.choose("8")
	if !s.changes.detail.Visible() || s.changes.what.Text != "ana was enabled" || s.changes.who.Text != "gone · 2026-03-02 08:41:05" {
		t.Errorf("detail %q, %q", s.changes.what.Text, s.changes.who.Text)
	}
	s.changes.table.search.SetText("disabled ana")
	if len(s.changes.table.shown) != 1 {
		t.Errorf("found %v", s.changes.table.shown)
	}
	s.Open("people") // what was read stays, and is not read again
	r.audit = nil
	reload(t, s)
	if len(s.changes.table.lines) != 3 || s.tabs.Items[4].Text != "Changes" {
		t.Errorf("%d rows in %q", len(s.changes.table.lines), s.tabs.Items[4].Text)
	}
}

func TestOpen(t *testing.T) {
	s, _ := open(t, class(t))
	s.kits.table.search.SetText("nothing like it")
	s.Open("kits/kit-2")
	if a, ok := s.kits.account(); s.tabs.SelectedIndex() != 1 || !ok || a.Name != "kit-2" || len(s.kits.table.shown) != 3 {
		t.Errorf("tab %d, kit %q, %d rows", s.tabs.SelectedIndex(), a.Name, len(s.kits.table.shown))
	}
	s.Open("teams")
	if s.tabs.SelectedIndex() != 2 {
		t.Errorf("tab %d, want teams", s.tabs.SelectedIndex())
	}
	s.Open("elsewhere/kit-2")
	if s.tabs.SelectedIndex() != 2 {
		t.Error("a path that is none leads somewhere")
	}
}

func TestUsualTeam(t *testing.T) {
	d := data{teams: []core.Team{{Name: "red"}}}
	if got := d.usualTeam(); got != "red" {
		t.Errorf("of one team: %q", got)
	}
	d.teams = append(d.teams, core.Team{Name: "blue"})
	if got := d.usualTeam(); got != "" {
		t.Errorf("of two and no kit: %q", got)
	}
	d.accounts = []core.Account{{ID: 7, Role: core.Kit, Team: "blue"}, {ID: 3, Role: core.Kit, Team: "red"}, {ID: 8, Role: core.Kit}, {ID: 9, Role: core.Student, Team: "red"}}
	if got := d.usualTeam(); got != "blue" {
		t.Errorf("of the newest kit with one: %q", got)
	}
}

func TestStudentsCardHasThePage(t *testing.T) {
	test.NewTempApp(t)
	s := &Screen{data: data{addresses: core.Addresses{MQTT: []string{"192.168.1.20:1884"}, Page: []string{"http://192.168.1.20:8080/"}}}}
	card := func(role core.Role) string {
		c := s.credential(core.Account{Name: "ana", Role: role, Team: "blue"}, "x")
		if n := len(c.facts()); n > 6 {
			t.Errorf("%s: %d rows do not fit", role, n)
		}
		return c.text()
	}
	if text := card(core.Student); !strings.Contains(text, "http://192.168.1.20:8080/") {
		t.Errorf("a student's card:\n%s", text)
	}
	if text := card(core.Kit); strings.Contains(text, "http:") {
		t.Errorf("a kit's card:\n%s", text)
	}
}

// sheetOf opens the sheet that changes an account, and returns it.
func sheetOf(t *testing.T, s *Screen, tab *accountTab, id core.AccountID) *widget.Sheet {
	t.Helper()
	tab.table.choose(fmt.Sprint(id))
	test.Tap(tab.edit)
	if s.sheet == nil {
		t.Fatal("no sheet")
	}
	return s.sheet
}

func TestMountSwitch(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	meaning := func(want string) {
		t.Helper()
		if got := says(t, shell); !strings.Contains(got, want) {
			t.Errorf("the sheet says\n%s\nwithout %q", got, want)
		}
	}
	mount := func() *fw.Check { return inDialog[*fw.Check](t, shell)[0] }
	team := func() *fw.Select { return inDialog[*fw.Select](t, shell)[0] }

	sheetOf(t, s, s.kits, 5) // kit-2 of blue
	meaning("Its state_led is state_led for everybody. It has to write blue/state_led")
	if mount().Text != "Topics inside the team" || mount().Checked {
		t.Fatalf("the switch %q is %v", mount().Text, mount().Checked)
	}
	test.Tap(mount())
	meaning("Its state_led is blue/state_led for everybody else.")
	team().SetSelected("red")
	meaning("Its state_led is red/state_led for everybody else.")
	team().SetSelected("No team")
	meaning("Without a team there is nothing to be inside of.")
	team().SetSelected("파랑 (blue)")
	press(t, shell, "Save")
	closed(t, shell)
	if a := r.accounts[r.find(5)]; !a.Mounted || a.Team != "blue" || a.Label != "Lampe" || a.Role != core.Kit {
		t.Errorf("kept %+v", a)
	}
	reload(t, s)
	if !strings.Contains(s.kits.drawn, "What it calls state_led is blue/state_led") {
		t.Errorf("the card says\n%s", s.kits.drawn)
	}

	s.tabs.SelectIndex(0)
	sheetOf(t, s, s.persons, 2) // ana of blue
	test.Tap(mount())
	inDialog[*fw.RadioGroup](t, shell)[0].SetSelected("teacher")
	meaning("Not for teachers")
	press(t, shell, "Cancel")
	if r.accounts[r.find(2)].Mounted {
		t.Error("cancelled, and yet changed")
	}
	s.persons.table.choose("1") // prof
	if strings.Contains(s.persons.drawn, "state_led") {
		t.Errorf("a teacher's card says\n%s", s.persons.drawn)
	}
}

// TestNewAccountsAreMounted: kits and students, not teachers.
func TestNewAccountsAreMounted(t *testing.T) {
	r := class(t)
	s, shell := open(t, r)
	for _, teacher := range []bool{false, true} {
		test.Tap(s.persons.add)
		inDialog[*widget.Entry](t, shell)[1].SetText(fmt.Sprint("new-", teacher))
		if teacher {
			inDialog[*fw.RadioGroup](t, shell)[0].SetSelected("teacher")
		}
		press(t, shell, "Add")
		s.cards.dialog.Hide()
	}
	test.Tap(s.kits.add)
	press(t, shell, "Add")
	s.cards.dialog.Hide()
	test.Tap(s.kits.several)
	press(t, shell, "Add")
	for _, a := range r.accounts[6:] {
		if a.Mounted == (a.Role == core.Teacher) {
			t.Errorf("%s, %s: mounted is %v", a.Name, a.Role, a.Mounted)
		}
	}
	if n := len(r.accounts); n != 6+2+1+10 {
		t.Errorf("%d accounts", n)
	}
}

func TestLimitsOfAnAccount(t *testing.T) {
	r := class(t)
	r.accounts[r.find(5)].Limits = core.Limits{Packet: 1500}
	s, shell := open(t, r)
	s.kits.table.choose("5")
	if !strings.Contains(s.kits.drawn, "limits of its own") {
		t.Errorf("the card says\n%s", s.kits.drawn)
	}
	sh := sheetOf(t, s, s.kits, 5)
	if n := len(inDialog[*widget.Entry](t, shell)); n != 1 {
		t.Errorf("%d entries before anybody asks for limits", n)
	}
	end := func() float32 { return fyne.CurrentApp().Driver().AbsolutePositionForObject(sh.OK()).Y }
	before := end()
	press(t, shell, "Limits, some of its own")
	if room := shell.Win.Canvas().Size().Height; end() <= before || end()+sh.OK().Size().Height > room {
		t.Errorf("the sheet's end was at %v and is at %v of %v", before, end(), room)
	}
	fields := inDialog[*widget.Entry](t, shell)[1:]
	for i, want := range []string{"10,000, from Settings", "16 MB, from Settings", "200, from Settings", "16 MB, from Settings", "4 MB, from Settings"} {
		if fields[i].PlaceHolder != want || (fields[i].Text != "") != (i == 4) {
			t.Errorf("field %d: %q, hint %q, want %q", i, fields[i].Text, fields[i].PlaceHolder, want)
		}
	}
	if fields[4].Text != "1500 bytes" {
		t.Errorf("its own: %q", fields[4].Text)
	}
	for i, c := range []struct {
		field int
		text  string
		wrong string // what the sheet says, "" where it is right
	}{
		{0, "x", "Write 1 to 1,000,000, or nothing"},
		{0, "0", "Write 1 to 1,000,000"},
		{0, "1000001", "Write 1 to 1,000,000"},
		{0, "2.5", "Write 1 to 1,000,000"},
		{0, "1,000", ""},
		{1, "1", "Write 1 KB to 1 GB"},
		{1, "2 GB", "Write 1 KB to 1 GB"},
		{1, "1.5mb", ""},
		{2, "10001", "Write 1 to 10,000"},
		{2, "3", ""},
		{3, "63 KB", "Write 64 KB to 1 GB"},
		{3, "1 parsec", "Write 64 KB to 1 GB"},
		{3, " 64ko ", ""},
		{4, "5 MB", "Write 1 KB to 4 MB"},
		{4, "", ""},
	} {
		fields[c.field].SetText(c.text)
		if got := says(t, shell); strings.Contains(got, "Write ") != (c.wrong != "") || !strings.Contains(got, c.wrong) || sh.OK().Disabled() != (c.wrong != "") {
			t.Errorf("%d: %q can be saved: %v; the sheet says\n%s", i, c.text, !sh.OK().Disabled(), got)
		}
	}
	press(t, shell, "Save")
	closed(t, shell)
	if got, want := r.accounts[r.find(5)].Limits, (core.Limits{Messages: 1000, Bytes: 3 << 19, Connections: 3, Queue: 64 << 10}); got != want {
		t.Errorf("kept %+v, want %+v", got, want)
	}
}

// FuzzLimit: what is read is within bounds, and is written as it is read.
func FuzzLimit(f *testing.F) {
	for _, text := range []string{"", "1", "1,000", "1.5 MB", "64ko", "0x10", "inf", "nan", "-1", "1e3", "1 000", "9999999999999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range limits {
			n, ok := l.parse(text)
			if !ok || n == 0 {
				continue
			}
			if n < l.least || n > l.most {
				t.Fatalf("%q is %d", text, n)
			}
			if again, ok := l.parse(l.text(n)); !ok || again != n {
				t.Fatalf("%d is written %q, which is %d", n, l.text(n), again)
			}
		}
	})
}

// TestAllow: a refusal leads to the sheet with the grant that was missing.
func TestAllow(t *testing.T) {
	r := class(t)
	r.refusals[5] = []core.Refusal{
		{Account: 5, At: time.Now(), Count: 1, Action: core.Publish, Topic: "red/lamp/set", Say: core.Say("one")},
		{Account: 99, At: time.Now(), Count: 1, Action: core.Publish, Topic: "x", Say: core.Say("of one who has gone")},
		{Account: 5, At: time.Now(), Count: 1, Say: core.Say("no grant helps")},
	}
	s, shell := open(t, r)
	s.tabs.SelectIndex(1)
	s.kits.table.choose("5")
	reload(t, s)
	allow := func() (found []*fw.Button) {
		walk(s.kits.refused, func(o fyne.CanvasObject) {
			if b, ok := o.(*fw.Button); ok {
				found = append(found, b)
			}
		})
		return found
	}
	if !strings.Contains(s.kits.drawn, "Missing grant: publish red/lamp/set") || len(allow()) != 1 {
		t.Fatalf("%d buttons, the card says\n%s", len(allow()), s.kits.drawn)
	}
	drawn := s.kits.refused.Objects[0]
	reload(t, s)
	if s.kits.refused.Objects[0] != drawn {
		t.Error("drawn anew though nothing changed")
	}
	filled := func() {
		t.Helper()
		checks := inDialog[*fw.Check](t, shell)
		if who := inDialog[*fw.Select](t, shell)[0].Selected; who != "Lampe (kit-2)" || !checks[0].Checked || checks[1].Checked || inDialog[*widget.Entry](t, shell)[0].Text != "red/lamp/set" {
			t.Errorf("the sheet is for %q, publish %v, subscribe %v, %q", who, checks[0].Checked, checks[1].Checked, inDialog[*widget.Entry](t, shell)[0].Text)
		}
		if !strings.Contains(says(t, shell), "For Lampe: red/lamp/set") {
			t.Errorf("the sheet does not say what it means:\n%s", says(t, shell))
		}
	}
	test.Tap(allow()[0])
	filled()
	press(t, shell, "Cancel")

	fresh := New(r, r, r, func() core.Addresses { return core.Addresses{} }, core.DefaultLimits, shell) // from another screen, never loaded
	for _, odd := range []string{"allow", "allow/", "allow/5/publish", "allow/x/publish/a"} {
		fresh.Open(odd)
		closed(t, shell)
	}
	fresh.Open("allow/5/publish/red/lamp/set")
	filled()
	press(t, shell, "Add")
	if g := r.grants[len(r.grants)-1]; g.Subject.Account != 5 || g.Action != core.Publish || g.Pattern != "red/lamp/set" {
		t.Errorf("granted %+v", g)
	}
	r.granted = map[topic.Filter]bool{"red/lamp/set": true}
	reload(t, s)
	if len(allow()) != 0 {
		t.Error("what is allowed by now is still offered")
	}
}

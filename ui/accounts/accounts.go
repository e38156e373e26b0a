// Package accounts is the screen on which a teacher keeps people, kits, teams,
// and what each may do.
package accounts

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// People keeps the accounts of people and kits.
type People interface {
	Accounts() []core.Account
	// Add adds an account. A kit with password "" gets a random secret, which is returned once.
	Add(ctx context.Context, a core.Account, password string) (added core.Account, secret string, err error)
	// Change changes label, role, team, disabled, mounted and limits.
	Change(ctx context.Context, a core.Account) error
	SetPassword(ctx context.Context, id core.AccountID, password string) error
	ResetSecret(ctx context.Context, id core.AccountID) (secret string, err error)
	Remove(ctx context.Context, id core.AccountID) error
}

// Rights keeps teams and grants, and what was refused.
type Rights interface {
	Teams() []core.Team
	AddTeam(ctx context.Context, t core.Team) error
	ChangeTeam(ctx context.Context, t core.Team) error
	RemoveTeam(ctx context.Context, name topic.ID) error
	Grants() []core.Grant
	Grant(ctx context.Context, g core.Grant) (core.Grant, error)
	Revoke(ctx context.Context, id int64) error
	RefusalsOf(id core.AccountID, limit int) []core.Refusal
	// Authorize returns nil if the account may do a to f.
	Authorize(id core.AccountID, a core.Action, f topic.Filter) (real topic.Filter, err error)
	// Audit returns who changed what, newest first.
	Audit(limit int) []core.Audit
}

// refusalsShown is how many refusals the detail of an account shows.
const refusalsShown = 10

// Screen shows the accounts. Its fields belong to the UI goroutine.
type Screen struct {
	people    People
	rights    Rights
	phones    Phones
	addresses func() core.Addresses
	limits    func() core.Limits
	shell     widget.Shell
	save      func(name string, write writer)

	content fyne.CanvasObject
	tabs    *container.AppTabs
	persons *accountTab
	kits    *accountTab
	teams   *teamTab
	grants  *grantTab
	changes *changeTab
	sheet   *widget.Sheet // the dialog that is filled in, or nil
	cards   *cardSheet    // the credentials that are shown, or nil
	phone   *phoneSheet   // the one-time code that is shown, or nil

	data     data
	look     atomic.Int64 // the account whose refusals are read, or 0
	auditing atomic.Bool  // the audit is read
}

// data is what the screen shows.
type data struct {
	accounts  []core.Account // by name
	teams     []core.Team    // by name
	grants    []core.Grant
	addresses core.Addresses
	limits    core.Limits // of accounts that have none of their own
	refusals  []refusal   // of the account of, newest first
	of        core.AccountID
	audit     []core.Audit // newest first, as last read
}

// refusal is one that the detail of an account shows.
type refusal struct {
	core.Refusal
	missing bool // the grant that was missing is missing still
}

// New returns the screen. addresses says how other machines reach this one,
// limits what holds for accounts that have none of their own.
func New(p People, r Rights, phones Phones, addresses func() core.Addresses, limits func() core.Limits, shell widget.Shell) *Screen {
	s := &Screen{people: p, rights: r, phones: phones, addresses: addresses, limits: limits, shell: shell}
	s.save = func(name string, write writer) { widget.Save(shell, name, write) }
	s.persons = newAccountTab(s, false)
	s.kits = newAccountTab(s, true)
	s.teams = newTeamTab(s)
	s.grants = newGrantTab(s)
	s.changes = newChangeTab(s)
	s.tabs = container.NewAppTabs(
		container.NewTabItemWithIcon("", theme.AccountIcon(), s.persons.table.content),
		container.NewTabItemWithIcon("", theme.ComputerIcon(), s.kits.table.content),
		container.NewTabItemWithIcon("", theme.FolderIcon(), s.teams.table.content),
		container.NewTabItemWithIcon("", theme.LoginIcon(), s.grants.table.content),
		container.NewTabItemWithIcon("", theme.HistoryIcon(), s.changes.table.content),
	)
	s.tabs.OnSelected = func(*container.TabItem) { s.lookAt() }
	s.nameTabs()
	s.content = widget.Page(lang.L("Accounts"), nil, s.tabs)
	return s
}

// Title is the screen's name.
func (s *Screen) Title() string { return lang.L("Accounts") }

// Icon is the screen's picture in the navigation.
func (s *Screen) Icon() fyne.Resource { return theme.AccountIcon() }

// Content is the screen.
func (s *Screen) Content() fyne.CanvasObject { return s.content }

// Open shows what path says: "people", "kits", "teams", "grants" or "changes", and where
// the name of an account or a team follows, as in "kits/kit-1", that one.
// "allow/7/publish/blue/lamp" is the sheet that gives account 7 that grant.
func (s *Screen) Open(path string) {
	part, name, _ := strings.Cut(path, "/")
	if part == "allow" {
		s.allow(name)
		return
	}
	i := slices.Index([]string{"people", "kits", "teams", "grants", "changes"}, part)
	if i < 0 {
		return
	}
	s.tabs.SelectIndex(i)
	switch {
	case name == "":
	case part == "teams":
		s.teams.table.choose(name)
	default:
		for _, a := range s.people.Accounts() {
			tab := s.persons
			if part == "kits" {
				tab = s.kits
			}
			if string(a.Name) == name && (a.Role == core.Kit) == tab.isKits {
				tab.table.search.SetText("")
				tab.table.choose(strconv.FormatInt(int64(a.ID), 10))
			}
		}
	}
}

// Back closes the dialog that is filled in, or the one-time code. It reports
// whether there was one.
func (s *Screen) Back() bool {
	switch {
	case s.sheet != nil:
		s.sheet.Close()
	case s.phone != nil:
		s.phone.dialog.Hide()
	default:
		return false
	}
	return true
}

// Stale is what makes the screen out of date.
func (s *Screen) Stale() core.Change { return core.AccountsChanged | core.RefusalsChanged }

// allow opens the sheet for the grant that what says: account, action, topic.
func (s *Screen) allow(what string) {
	parts := strings.SplitN(what, "/", 3)
	if len(parts) < 3 {
		return
	}
	id, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return
	}
	d := s.read() // the screen may never have been loaded
	d.of, d.refusals, d.audit = s.data.of, s.data.refusals, s.data.audit
	s.show(d)
	s.tabs.SelectIndex(3)
	s.grants.open(core.Grant{Subject: core.Subject{Account: core.AccountID(id)}, Action: core.Action(parts[1]), Pattern: parts[2]})
}

// read reads what is in memory, in the order in which it is shown.
func (s *Screen) read() data {
	d := data{accounts: s.people.Accounts(), teams: s.rights.Teams(), grants: s.rights.Grants(), addresses: s.addresses(), limits: s.limits()}
	slices.SortFunc(d.accounts, func(a, b core.Account) int { return widget.Natural(string(a.Name), string(b.Name)) })
	slices.SortFunc(d.teams, func(a, b core.Team) int { return widget.Natural(string(a.Name), string(b.Name)) })
	slices.SortFunc(d.grants, func(a, b core.Grant) int {
		return cmp.Or(cmp.Compare(subjectOrder(a.Subject), subjectOrder(b.Subject)), cmp.Compare(a.Subject.Role, b.Subject.Role),
			widget.Natural(string(a.Subject.Team), string(b.Subject.Team)), cmp.Compare(a.Subject.Account, b.Subject.Account),
			widget.Natural(a.Pattern, b.Pattern), cmp.Compare(a.Action, b.Action))
	})
	return d
}

// Load reads the present state, and returns how to show it.
func (s *Screen) Load(context.Context) (show func(), err error) {
	d := s.read()
	if d.of = core.AccountID(s.look.Load()); d.of != 0 {
		for _, r := range s.rights.RefusalsOf(d.of, refusalsShown) {
			missing := false
			if _, there := d.account(r.Account); there && r.Action != "" {
				_, err := s.rights.Authorize(r.Account, r.Action, r.Topic)
				missing = err != nil
			}
			d.refusals = append(d.refusals, refusal{r, missing})
		}
	}
	audit := s.auditing.Load()
	if audit {
		d.audit = s.rights.Audit(auditShown)
	}
	return func() {
		if !audit {
			d.audit = s.data.audit
		}
		s.show(d)
	}, nil
}

func (s *Screen) show(d data) {
	s.data = d
	s.nameTabs()
	s.persons.show()
	s.kits.show()
	s.teams.show()
	s.grants.show()
	s.changes.show()
	if s.phone != nil {
		s.phone.tick()
	}
}

// subjectOrder sorts grants to roles before those to teams and to accounts.
func subjectOrder(s core.Subject) int {
	switch {
	case s.Role != "":
		return 0
	case s.Team != "":
		return 1
	}
	return 2
}

// nameTabs says on each tab how much is in it.
func (s *Screen) nameTabs() {
	kits := 0
	for _, a := range s.data.accounts {
		if a.Role == core.Kit {
			kits++
		}
	}
	s.tabs.Items[4].Text = lang.L("Changes")
	for i, t := range []struct {
		name string
		n    int
	}{{lang.L("People"), len(s.data.accounts) - kits}, {lang.L("Kits"), kits}, {lang.L("Teams"), len(s.data.teams)}, {lang.L("Grants"), len(s.data.grants)}} {
		if text := fmt.Sprintf("%s  %d", t.name, t.n); s.tabs.Items[i].Text != text {
			s.tabs.Items[i].Text = text
			s.tabs.Refresh()
		}
	}
}

// lookAt makes the next Load read what is shown: the refusals of an account, or
// the audit.
func (s *Screen) lookAt() {
	var id core.AccountID
	switch s.tabs.SelectedIndex() {
	case 0:
		id = s.persons.selected()
	case 1:
		id = s.kits.selected()
	}
	audit := s.tabs.SelectedIndex() == 4
	other := s.auditing.Swap(audit) != audit
	if core.AccountID(s.look.Swap(int64(id))) != id || other {
		s.shell.Refresh()
	}
}

// do runs what a person asked for, tells that it is done, and reads anew.
func (s *Screen) do(done string, work func(ctx context.Context) error) {
	s.shell.Do(func(ctx context.Context) (func(), error) {
		if err := work(ctx); err != nil {
			return nil, err
		}
		return func() {
			s.shell.Tell(done)
			s.shell.Refresh()
		}, nil
	})
}

func (d *data) account(id core.AccountID) (core.Account, bool) {
	for _, a := range d.accounts {
		if a.ID == id {
			return a, true
		}
	}
	return core.Account{}, false
}

// teamTitle is a team's display name, or its name.
func (d *data) teamTitle(name topic.ID) string {
	for _, t := range d.teams {
		if t.Name == name {
			return t.Title()
		}
	}
	return string(name)
}

// taken reports whether an account or a team has the name.
func (d *data) taken(name string) bool {
	return slices.ContainsFunc(d.accounts, func(a core.Account) bool { return string(a.Name) == name }) ||
		slices.ContainsFunc(d.teams, func(t core.Team) bool { return string(t.Name) == name })
}

// free returns the next n names prefix-1, prefix-2 … that nobody has.
func (d *data) free(prefix string, n int) []string {
	var names []string
	for i := 1; len(names) < n; i++ {
		if name := fmt.Sprintf("%s-%d", prefix, i); !d.taken(name) {
			names = append(names, name)
		}
	}
	return names
}

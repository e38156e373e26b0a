package accounts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// memory is a Store in memory. Several services may share one, as several
// processes share core.db.
type memory struct {
	mu       sync.Mutex
	revision int64
	last     int64
	people   map[core.AccountID]core.Account
	secrets  map[core.AccountID]string
	teams    map[topic.ID]core.Team
	grants   map[int64]core.Grant
	refusals map[string]core.Refusal
	families map[int64]Family
	audit    []core.Audit  // oldest first
	broken   error         // returned by whatever writes
	hold     chan struct{} // where not nil, writing refusals takes from it twice
}

func newMemory() *memory {
	s := &memory{revision: 1, people: map[core.AccountID]core.Account{}, secrets: map[core.AccountID]string{},
		teams: map[topic.ID]core.Team{}, grants: map[int64]core.Grant{}, refusals: map[string]core.Refusal{}, families: map[int64]Family{}}
	for _, g := range []core.Grant{ // as the migration does
		{Subject: core.Subject{Role: core.Teacher}, Action: core.Publish, Pattern: "#"},
		{Subject: core.Subject{Role: core.Teacher}, Action: core.Subscribe, Pattern: "#"},
		{Subject: core.Subject{Role: core.Teacher}, Action: core.Subscribe, Pattern: "$SYS/#"},
		{Subject: core.Subject{Role: core.Student}, Action: core.Publish, Pattern: "{team}/#"},
		{Subject: core.Subject{Role: core.Student}, Action: core.Subscribe, Pattern: "{team}/#"},
		{Subject: core.Subject{Role: core.Kit}, Action: core.Publish, Pattern: "{team}/#"},
		{Subject: core.Subject{Role: core.Kit}, Action: core.Subscribe, Pattern: "{team}/#"},
	} {
		s.last++
		g.ID = s.last
		s.grants[g.ID] = g
	}
	return s
}

func (s *memory) change(e Edit, do func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	if e.Revision != s.revision {
		return core.ErrConflict
	}
	s.audit = append(s.audit, e.Audit...)
	s.revision++
	s.last++
	do()
	return nil
}

func (s *memory) AccountsRevision(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revision, nil
}

func (s *memory) ReadAccounts(_ context.Context, account func(core.Account, string), team func(core.Team), grant func(core.Grant)) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, a := range s.people {
		account(a, s.secrets[id])
	}
	for _, t := range s.teams {
		team(t)
	}
	for _, g := range s.grants {
		grant(g)
	}
	return s.revision, nil
}

func (s *memory) InstallKey(context.Context, string) ([]byte, error) {
	return []byte("0123456789abcdef0123456789abcdef"), nil
}

func (s *memory) AddAccount(_ context.Context, e Edit, a core.Account, secret string) (core.AccountID, error) {
	err := s.change(e, func() {
		a.ID = core.AccountID(s.last)
		s.people[a.ID], s.secrets[a.ID] = a, secret
	})
	return a.ID, err
}

func (s *memory) ChangeAccount(_ context.Context, e Edit, a core.Account, secret string) error {
	return s.change(e, func() {
		s.people[a.ID], s.secrets[a.ID] = a, cmp.Or(secret, s.secrets[a.ID])
	})
}

func (s *memory) RemoveAccount(_ context.Context, e Edit, id core.AccountID) error {
	return s.change(e, func() {
		delete(s.people, id)
		maps.DeleteFunc(s.families, func(_ int64, f Family) bool { return f.Account == id })
		maps.DeleteFunc(s.grants, func(_ int64, g core.Grant) bool { return g.Subject.Account == id })
	})
}

func (s *memory) AddTeam(_ context.Context, e Edit, t core.Team) error {
	return s.change(e, func() { s.teams[t.Name] = t })
}

func (s *memory) ChangeTeam(_ context.Context, e Edit, t core.Team) error {
	return s.change(e, func() { s.teams[t.Name] = t })
}

func (s *memory) RemoveTeam(_ context.Context, e Edit, name topic.ID) error {
	return s.change(e, func() {
		delete(s.teams, name)
		maps.DeleteFunc(s.grants, func(_ int64, g core.Grant) bool { return g.Subject.Team == name })
		for id, a := range s.people {
			if a.Team == name {
				a.Team, a.Version = "", a.Version+1
				s.people[id] = a
			}
		}
	})
}

func (s *memory) AddGrant(_ context.Context, e Edit, g core.Grant) (int64, error) {
	err := s.change(e, func() {
		g.ID = s.last
		s.grants[g.ID] = g
	})
	return g.ID, err
}

func (s *memory) RemoveGrant(_ context.Context, e Edit, id int64) error {
	return s.change(e, func() { delete(s.grants, id) })
}

func (s *memory) AddRefusals(_ context.Context, rs []core.Refusal) error {
	s.mu.Lock()
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		<-hold // it has come here
		<-hold // and may go on
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	for _, r := range rs {
		s.last++
		r.ID = s.last
		s.refusals[sameness(r)] = merge(s.refusals[sameness(r)], r)
	}
	return nil
}

func (s *memory) Refusals(_ context.Context, of []core.Account, limit int) ([]core.Refusal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rs := slices.SortedFunc(maps.Values(s.refusals), func(a, b core.Refusal) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID))
	})
	rs = slices.DeleteFunc(rs, func(r core.Refusal) bool {
		return of != nil && !slices.ContainsFunc(of, func(a core.Account) bool {
			return r.Account == a.ID || r.Account == 0 && r.Name == string(a.Name)
		})
	})
	return rs[:min(limit, len(rs))], nil
}

// write runs do as one transaction.
func (s *memory) write(do func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		do()
	}
	return s.broken
}

func (s *memory) AddAudit(_ context.Context, a core.Audit) error {
	return s.write(func() { s.audit = append(s.audit, a) })
}

func (s *memory) Audit(_ context.Context, limit int) ([]core.Audit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.audit)
	slices.Reverse(all)
	return all[:min(limit, len(all))], nil
}

func (s *memory) Families(_ context.Context, family func(Family)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.families {
		family(f)
	}
	return nil
}

func (s *memory) PutFamily(_ context.Context, f Family) error {
	return s.write(func() { s.families[f.ID] = f })
}

func (s *memory) EndFamily(_ context.Context, id int64, a core.Audit) error {
	return s.write(func() {
		delete(s.families, id)
		s.audit = append(s.audit, a)
	})
}

func (s *memory) ForgetFamilies(_ context.Context, now time.Time) error {
	return s.write(func() {
		maps.DeleteFunc(s.families, func(_ int64, f Family) bool {
			return !now.Before(f.Until) || s.people[f.Account].Version != f.Version
		})
	})
}

func open(t testing.TB, store *memory, change ...func(*Config)) *Service {
	t.Helper()
	cfg := Config{Store: store, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler), Strength: ForTests}
	for _, c := range change {
		c(&cfg)
	}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// class is a service with a teacher, the teams blue and red, a student and a
// kit in blue, a kit in red and a student in no team.
type class struct {
	*Service
	store                           *memory
	teacher, zoe, kit1, kit2, stray core.AccountID
	kit1Secret                      string
}

const password = "correct horse"

func newClass(t testing.TB, change ...func(*Config)) *class {
	t.Helper()
	c := &class{store: newMemory()}
	c.Service = open(t, c.store, change...)
	a, err := c.Claim(t.Context(), "mrs-kim", "김 선생님", password)
	if err != nil {
		t.Fatal(err)
	}
	c.teacher = a.ID
	for _, team := range []core.Team{{Name: "blue", Label: "Les Bleus"}, {Name: "red"}} {
		if err := c.AddTeam(t.Context(), team); err != nil {
			t.Fatal(err)
		}
	}
	c.zoe, _ = c.add1(t, core.Account{Name: "zoe", Role: core.Student, Team: "blue"}, password)
	c.kit1, c.kit1Secret = c.add1(t, core.Account{Name: "kit-1", Role: core.Kit, Team: "blue"}, "")
	c.kit2, _ = c.add1(t, core.Account{Name: "kit-2", Role: core.Kit, Team: "red"}, "")
	c.stray, _ = c.add1(t, core.Account{Name: "stray", Role: core.Student}, password)
	return c
}

func (c *class) add1(t testing.TB, a core.Account, password string) (core.AccountID, string) {
	t.Helper()
	a, secret, err := c.Add(t.Context(), a, password)
	if err != nil {
		t.Fatal(err)
	}
	return a.ID, secret
}

func (c *class) get(t testing.TB, id core.AccountID) core.Account {
	t.Helper()
	a, ok := c.Account(id)
	if !ok {
		t.Fatalf("account %d is gone", id)
	}
	return a
}

// told fails the test unless err is a sentence of that kind.
func told(t testing.TB, what string, err, kind error) {
	t.Helper()
	var p *core.Problem
	if !errors.Is(err, kind) || !errors.As(err, &p) {
		t.Errorf("%s: err = %v, want a sentence of kind %q", what, err, kind)
		return
	}
	for _, place := range places.FindAllStringSubmatch(p.Format, -1) {
		if !slices.Contains(p.Args, any(place[1])) {
			t.Errorf("%s: nothing fills %s in %q", what, place[0], p.Format)
		}
	}
}

var places = regexp.MustCompile(`\{(\w+)\}`)

func TestAddIsChecked(t *testing.T) {
	c := newClass(t)
	for name, tt := range map[string]struct {
		a        core.Account
		password string
		kind     error
	}{
		"wildcard name":    {core.Account{Name: "+", Role: core.Kit}, "", core.ErrInvalid},
		"level in name":    {core.Account{Name: "a/b", Role: core.Kit}, "", core.ErrInvalid},
		"Hangul name":      {core.Account{Name: "지우", Role: core.Kit}, "", core.ErrInvalid},
		"no name":          {core.Account{Role: core.Kit}, "", core.ErrInvalid},
		"role":             {core.Account{Name: "x", Role: "admin"}, password, core.ErrInvalid},
		"two-line label":   {core.Account{Name: "x", Label: "a\nb", Role: core.Kit}, "", core.ErrInvalid},
		"long label":       {core.Account{Name: "x", Label: strings.Repeat("é", 65), Role: core.Kit}, "", core.ErrInvalid},
		"broken label":     {core.Account{Name: "x", Label: "\xff", Role: core.Kit}, "", core.ErrInvalid},
		"no such team":     {core.Account{Name: "x", Role: core.Kit, Team: "green"}, "", core.ErrNotFound},
		"taken":            {core.Account{Name: "zoe", Role: core.Kit}, "", core.ErrConflict},
		"taken by a team":  {core.Account{Name: "blue", Role: core.Kit}, "", core.ErrConflict},
		"no password":      {core.Account{Name: "x", Role: core.Student}, "", core.ErrInvalid},
		"7 letters":        {core.Account{Name: "x", Role: core.Student}, "éééé123", core.ErrInvalid},
		"257 bytes":        {core.Account{Name: "x", Role: core.Student}, strings.Repeat("a", 257), core.ErrInvalid},
		"invalid password": {core.Account{Name: "x", Role: core.Student}, "aaaaaaaa\xff", core.ErrInvalid},
	} {
		_, _, err := c.Add(t.Context(), tt.a, tt.password)
		told(t, name, err, tt.kind)
	}
	for _, ok := range []string{"비밀번호여덟자", "12345678", strings.Repeat("a", 256)} {
		if len([]rune(ok)) < 8 {
			ok += "!"
		}
		if _, _, err := c.Add(t.Context(), core.Account{Name: topic.ID(fmt.Sprint("n", len(ok))), Label: "엄마", Role: core.Student}, ok); err != nil {
			t.Errorf("password of %d bytes: %v", len(ok), err)
		}
	}
	told(t, "team named like an account", c.AddTeam(t.Context(), core.Team{Name: "zoe"}), core.ErrConflict)
	told(t, "team twice", c.AddTeam(t.Context(), core.Team{Name: "blue"}), core.ErrConflict)
	told(t, "team +", c.AddTeam(t.Context(), core.Team{Name: "+"}), core.ErrInvalid)
	told(t, "change no team", c.ChangeTeam(t.Context(), core.Team{Name: "green"}), core.ErrNotFound)
	told(t, "remove no team", c.RemoveTeam(t.Context(), "green"), core.ErrNotFound)
	told(t, "remove nobody", c.Remove(t.Context(), 999), core.ErrNotFound)
	told(t, "password of nobody", c.SetPassword(t.Context(), 999, password), core.ErrNotFound)
	_, err := c.ResetSecret(t.Context(), 999)
	told(t, "secret of nobody", err, core.ErrNotFound)
}

func TestVersionRisesWhenSessionsMustEnd(t *testing.T) {
	c := newClass(t)
	for name, tt := range map[string]struct {
		do   func() error
		rise int64
	}{
		"label":    {func() error { a := c.get(t, c.zoe); a.Label = "Zoé"; return c.Change(t.Context(), a) }, 0},
		"team":     {func() error { a := c.get(t, c.zoe); a.Team = "red"; return c.Change(t.Context(), a) }, 1},
		"role":     {func() error { a := c.get(t, c.zoe); a.Role = core.Teacher; return c.Change(t.Context(), a) }, 1},
		"disabled": {func() error { a := c.get(t, c.zoe); a.Disabled = true; return c.Change(t.Context(), a) }, 1},
		"mounted":  {func() error { a := c.get(t, c.zoe); a.Mounted = true; return c.Change(t.Context(), a) }, 1},
		"limits":   {func() error { a := c.get(t, c.zoe); a.Limits.Messages = 5; return c.Change(t.Context(), a) }, 0},
		"password": {func() error { return c.SetPassword(t.Context(), c.zoe, "another one") }, 1},
		"secret":   {func() error { _, err := c.ResetSecret(t.Context(), c.zoe); return err }, 1},
		"grant": {func() error {
			_, err := c.Grant(t.Context(), core.Grant{Subject: core.Subject{Account: c.zoe}, Action: core.Publish, Pattern: "x"})
			return err
		}, 0},
	} {
		old := c.get(t, c.zoe).Version
		if err := tt.do(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a := c.get(t, c.zoe)
		if got := a.Version - old; got != tt.rise {
			t.Errorf("%s raised the version by %d, want %d", name, got, tt.rise)
		}
		if c.Current(c.zoe, old) != (tt.rise == 0 && !a.Disabled) {
			t.Errorf("%s: what was open under version %d: current = %v", name, old, c.Current(c.zoe, old))
		}
		a.Team, a.Role, a.Disabled, a.Mounted = "blue", core.Student, false, false
		if err := c.Change(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if c.Current(0, 0) || c.Current(999, 0) || c.Current(core.Anyone, 1) {
		t.Error("nobody is current")
	}
}

// TestLimits: what is kept is what was asked for, the broker is told, and
// nothing that is open ends.
func TestLimits(t *testing.T) {
	c := newClass(t)
	l := c.cfg.Feed.Listen()
	if _, err := l.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	set := func(limits core.Limits) error {
		a := c.get(t, c.kit1)
		a.Limits = limits
		return c.Change(t.Context(), a)
	}
	for _, ok := range []core.Limits{
		{},
		{Messages: 1, Bytes: 1 << 10, Connections: 1, Queue: 64 << 10, Packet: 1 << 10},
		{Messages: 1_000_000, Bytes: 1 << 30, Connections: 10_000, Queue: 1 << 30, Packet: 4 << 20},
		{Queue: 1 << 20},
	} {
		if err := set(ok); err != nil {
			t.Errorf("%+v: %v", ok, err)
		}
		if a := c.get(t, c.kit1); a.Limits != ok || a.Version != 1 {
			t.Errorf("kit-1 is %+v, want %+v", a, ok)
		}
		if now, err := l.Next(t.Context()); err != nil || now != core.AccountsChanged {
			t.Errorf("told %b, %v", now, err)
		}
	}
	for says, wrong := range map[string][]core.Limits{
		"Messages":    {{Messages: -1}, {Messages: 1_000_001}},
		"Bytes":       {{Bytes: 1<<10 - 1}, {Bytes: 1<<30 + 1}, {Bytes: -1 << 20}},
		"Connections": {{Connections: -1}, {Connections: 10_001}},
		"A queue":     {{Queue: 64<<10 - 1}, {Queue: 1<<30 + 1}},
		"A packet":    {{Packet: 1<<10 - 1}, {Packet: 4<<20 + 1}},
	} {
		for _, limits := range wrong {
			err := set(limits)
			told(t, fmt.Sprintf("%+v", limits), err, core.ErrInvalid)
			if err == nil || !strings.HasPrefix(err.Error(), says) {
				t.Errorf("%+v: %v", limits, err)
			}
			_, _, err = c.Add(t.Context(), core.Account{Name: "x", Role: core.Kit, Limits: limits}, "")
			told(t, fmt.Sprintf("a new account with %+v", limits), err, core.ErrInvalid)
		}
	}
	if a := c.get(t, c.kit1); a.Limits != (core.Limits{Queue: 1 << 20}) {
		t.Errorf("a change that was refused left %+v", a.Limits)
	}
}

func TestRemoveTeam(t *testing.T) {
	c := newClass(t)
	if _, err := c.Grant(t.Context(), core.Grant{Subject: core.Subject{Team: "blue"}, Action: core.Publish, Pattern: "weather/#"}); err != nil {
		t.Fatal(err)
	}
	before, grants := c.get(t, c.zoe), len(c.Grants())
	if err := c.RemoveTeam(t.Context(), "blue"); err != nil {
		t.Fatal(err)
	}
	after := c.get(t, c.zoe)
	if after.Team != "" || after.Version != before.Version+1 {
		t.Errorf("zoe is %+v", after)
	}
	if len(c.Grants()) != grants-1 || len(c.Teams()) != 1 {
		t.Errorf("left: %v, %v", c.Grants(), c.Teams())
	}
	if _, err := c.Authorize(c.zoe, core.Publish, "blue/x"); err == nil {
		t.Error("zoe still publishes to blue")
	}
}

func TestLastTeacherStays(t *testing.T) {
	c := newClass(t)
	second, _ := c.add1(t, core.Account{Name: "mr-lee", Role: core.Teacher}, password)
	a := c.get(t, second)
	a.Disabled = true
	if err := c.Change(t.Context(), a); err != nil { // one that is enabled is left
		t.Fatal(err)
	}
	told(t, "remove", c.Remove(t.Context(), c.teacher), core.ErrConflict)
	for name, change := range map[string]func(*core.Account){
		"disable": func(a *core.Account) { a.Disabled = true },
		"demote":  func(a *core.Account) { a.Role = core.Student },
	} {
		a := c.get(t, c.teacher)
		change(&a)
		told(t, name, c.Change(t.Context(), a), core.ErrConflict)
	}
	if err := c.Remove(t.Context(), second); err != nil {
		t.Errorf("remove a disabled teacher: %v", err)
	}
	if !c.Claimed() || !c.Current(c.teacher, 1) {
		t.Error("no teacher is left")
	}
}

func TestStaleChangeIsRefused(t *testing.T) {
	c := newClass(t)
	seen := c.get(t, c.zoe)
	now := seen
	now.Disabled = true
	if err := c.Change(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	seen.Label = "Zoé" // a window that has not looked since
	told(t, "stale", c.Change(t.Context(), seen), core.ErrConflict)
	if !c.get(t, c.zoe).Disabled {
		t.Error("a new label enabled zoe again")
	}
	seen = c.get(t, c.zoe)
	seen.Name = "zoey"
	told(t, "rename", c.Change(t.Context(), seen), core.ErrInvalid)
}

// TestTwoProcesses lets two services share a store without telling each other.
func TestTwoProcesses(t *testing.T) {
	store := newMemory()
	a, b := open(t, store), open(t, store)
	if _, err := a.Claim(t.Context(), "mrs-kim", "", password); err != nil {
		t.Fatal(err)
	}
	_, err := b.Claim(t.Context(), "mallory", "", password) // b has not seen the claim
	told(t, "claim after another process", err, core.ErrConflict)
	if len(a.Accounts()) != 1 || !b.Claimed() || b.ClaimCode() != "" {
		t.Errorf("accounts = %v", a.Accounts())
	}

	if _, _, err := a.Add(t.Context(), core.Account{Name: "kit-1", Role: core.Kit}, ""); err != nil {
		t.Fatal(err)
	}
	told(t, "team with the name", b.AddTeam(t.Context(), core.Team{Name: "kit-1"}), core.ErrConflict)

	second, _, err := a.Add(t.Context(), core.Account{Name: "mr-lee", Role: core.Teacher}, password)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	second.Disabled = true
	if err := a.Change(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	told(t, "remove the other teacher", b.Remove(t.Context(), b.Accounts()[slices.IndexFunc(b.Accounts(), func(a core.Account) bool { return a.Name == "mrs-kim" })].ID), core.ErrConflict)
}

func TestRunSeesOtherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		a, b := open(t, store), open(t, store)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		l := a.cfg.Feed.Listen()
		l.Next(ctx)
		if _, err := b.Claim(ctx, "mrs-kim", "", password); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		if c, _ := l.Next(ctx); c != core.AccountsChanged || !a.Claimed() {
			t.Errorf("after 500 ms: change %b, claimed %v", c, a.Claimed())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestBrokenStore(t *testing.T) {
	c := newClass(t)
	c.store.broken = errors.New("disk full")
	if err := c.Remove(t.Context(), c.zoe); !errors.Is(err, c.store.broken) {
		t.Errorf("err = %v", err)
	}
	if _, ok := c.Account(c.zoe); !ok {
		t.Error("memory is ahead of the disk")
	}
}

func TestClaimWithCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var printed string
		s := open(t, newMemory(), func(c *Config) { c.NewCode = func(code string) { printed = code } })
		first := s.ClaimCode()
		if len(first) != 8 {
			t.Fatalf("code %q", first)
		}
		claim := func(code string) error {
			_, err := s.ClaimWithCode(t.Context(), code, "mrs-kim", "", password)
			return err
		}
		for range 5 {
			told(t, "wrong code", claim("00000000"), core.ErrDenied)
		}
		if printed == "" || printed == first || s.ClaimCode() != printed {
			t.Fatalf("after five wrong codes: printed %q", printed)
		}
		told(t, "at once", claim(printed), core.ErrDenied)
		time.Sleep(time.Second)
		told(t, "the old one", claim(first), core.ErrDenied)
		time.Sleep(2 * time.Second)
		_, err := s.ClaimWithCode(t.Context(), printed, "mrs-kim", "", "short")
		told(t, "short password", err, core.ErrInvalid)
		if err := claim(strings.ToUpper(printed[:4]) + "-" + printed[4:]); err != nil {
			t.Fatal(err)
		}
		if s.ClaimCode() != "" || !s.Claimed() {
			t.Error("not claimed")
		}
		told(t, "twice", claim(printed), core.ErrConflict)
	})
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	c := newClass(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				name := topic.ID(fmt.Sprintf("k-%d-%d", i, j))
				a, secret, err := c.Add(t.Context(), core.Account{Name: name, Role: core.Kit, Team: "blue"}, "")
				if err != nil {
					t.Error(err)
				}
				if _, err := c.Authenticate(t.Context(), string(name), secret, "", "10.0.0.1:4000"); err != nil {
					t.Error(err)
				}
				c.Authorize(a.ID, core.Subscribe, "#")
				c.Refuse(core.Refusal{Account: a.ID, Say: core.Say("no")})
				c.Refusals(10)
				c.Accounts()
				if j%2 == 0 {
					if err := c.Remove(t.Context(), a.ID); err != nil {
						t.Error(err)
					}
				}
				c.flush(t.Context())
			}
		})
	}
	wg.Wait()
	if got := len(c.Accounts()); got != 5+80 {
		t.Errorf("%d accounts", got)
	}
}

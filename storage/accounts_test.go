package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"homeroom/core"
	"homeroom/core/accounts"
	"homeroom/core/topic"
)

var _ accounts.Store = (*DB)(nil)

func service(t testing.TB, db *DB) *accounts.Service {
	t.Helper()
	s, err := accounts.Open(t.Context(), accounts.Config{Store: db, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler), Strength: accounts.ForTests})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAccountsSurviveRestart makes a class, opens it again and compares.
func TestAccountsSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	s := service(t, db)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	teacher, err := s.Claim(t.Context(), "mrs-kim", "김 선생님", "비밀번호 여덟 자")
	must(err)
	must(s.AddTeam(t.Context(), core.Team{Name: "blue", Label: "Les Bleus"}))
	must(s.AddTeam(t.Context(), core.Team{Name: "red"}))
	must(s.ChangeTeam(t.Context(), core.Team{Name: "red", Label: "Rouges"}))
	kit, secret, err := s.Add(t.Context(), core.Account{Name: "kit-1", Role: core.Kit, Team: "blue", Mounted: true, Limits: core.Limits{Queue: 1 << 20}}, "")
	must(err)
	zoe, _, err := s.Add(t.Context(), core.Account{Name: "zoe", Label: "Zoé", Role: core.Student, Team: "red"}, "correct horse")
	must(err)
	zoe.Disabled, zoe.Label, zoe.Mounted = true, "Zoë", true
	zoe.Limits = core.Limits{Messages: 5, Bytes: 6 << 10, Connections: 7, Queue: 64 << 10, Packet: 9 << 10}
	must(s.Change(t.Context(), zoe))
	must(s.SetPassword(t.Context(), teacher.ID, "another horse"))
	for _, subject := range []core.Subject{{Account: kit.ID}, {Team: "red"}, {Team: "blue"}, {Role: core.Kit}} {
		_, err := s.Grant(t.Context(), core.Grant{Subject: subject, Action: core.Publish, Pattern: "{team}/+/" + fmt.Sprint(len(s.Grants()))})
		must(err)
	}
	must(s.Revoke(t.Context(), s.Grants()[7].ID))
	must(s.RemoveTeam(t.Context(), "red"))
	gone, _, err := s.Add(t.Context(), core.Account{Name: "gone", Role: core.Kit}, "")
	must(err)
	_, err = s.Grant(t.Context(), core.Grant{Subject: core.Subject{Account: gone.ID}, Action: core.Subscribe, Pattern: "x"})
	must(err)
	must(s.Remove(t.Context(), gone.ID))
	must(db.Close())

	again := service(t, open(t, dir))
	for what, pair := range map[string][2]any{
		"accounts": {s.Accounts(), again.Accounts()},
		"teams":    {s.Teams(), again.Teams()},
		"grants":   {s.Grants(), again.Grants()},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s were\n%v and are\n%v", what, pair[0], pair[1])
		}
	}
	if a, _ := again.Account(zoe.ID); a.Team != "" || !a.Disabled || !a.Mounted || a.Limits != zoe.Limits || a.Label != "Zoë" || a.Version != 3 || time.Since(a.Created) > time.Minute {
		t.Errorf("zoe is %+v", a)
	}
	if a, _ := again.Account(kit.ID); !a.Mounted || a.Limits != (core.Limits{Queue: 1 << 20}) {
		t.Errorf("kit-1 is %+v", a)
	}
	if n := len(again.Grants()); n != 7+2 {
		t.Errorf("%d grants: %v", n, again.Grants())
	}
	if again.ClaimCode() != "" {
		t.Error("a claim code for a claimed class")
	}
	for name, secret := range map[string]string{"mrs-kim": "another horse", "kit-1": secret} {
		if _, err := again.Authenticate(t.Context(), name, secret, "", "10.0.0.1"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := again.Authorize(kit.ID, core.Publish, "blue/lamp"); err != nil {
		t.Error(err)
	}
	next, _, err := again.Add(t.Context(), core.Account{Name: "next", Role: core.Kit}, "")
	if err != nil || next.ID <= gone.ID {
		t.Errorf("the ID of a removed account is used again: %+v, %v", next, err)
	}
}

// TestOldAccountsAreMounted takes core.db as it was before there were mounts.
func TestOldAccountsAreMounted(t *testing.T) {
	dir := t.TempDir()
	old, err := sql.Open("sqlite", dsn(filepath.Join(dir, "core.db"), url.Values{}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, old, migrationsOf("core"), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`INSERT INTO team VALUES ('blue', '')`,
		`INSERT INTO account (name, label, role, team, disabled, version, secret, created) VALUES
			('prof', '', 'teacher', 'blue', 0, 4, 'x', 1), ('kit-1', '', 'kit', 'blue', 0, 5, 'x', 1), ('zoe', '', 'student', NULL, 1, 6, 'x', 1)`,
		`INSERT INTO refusal (at, count, account, name, client, addr, format, args) VALUES (1, 2, 3, 'kit-1', 'c', 'a', 'no', '[]')`,
	} {
		if _, err := old.ExecContext(t.Context(), line); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}

	db := open(t, dir)
	s := service(t, db)
	for _, a := range s.Accounts() {
		want := map[topic.ID]int64{"prof": 4, "kit-1": 5, "zoe": 6}[a.Name]
		if a.Mounted != (a.Role != core.Teacher) || a.Limits != (core.Limits{}) || a.Version != want {
			t.Errorf("%+v", a)
		}
		if real, _ := s.Authorize(a.ID, core.Publish, "state_led"); a.Name == "kit-1" && real != "blue/state_led" || a.Name != "kit-1" && real != "state_led" {
			t.Errorf("state_led of %s is %s", a.Name, real)
		}
	}
	if rs, err := db.Refusals(t.Context(), nil, 10); err != nil || len(rs) != 1 || rs[0].Count != 2 || rs[0].Action != "" || rs[0].Topic != "" {
		t.Errorf("%+v, %v", rs, err)
	}
}

func TestDefaultGrants(t *testing.T) {
	s := service(t, open(t, t.TempDir()))
	var got []string
	for _, g := range s.Grants() {
		got = append(got, fmt.Sprint(g.Subject.Role, " ", g.Action, " ", g.Pattern))
	}
	want := "teacher publish #, teacher subscribe #, teacher subscribe $SYS/#, student publish {team}/#, " +
		"student subscribe {team}/#, kit publish {team}/#, kit subscribe {team}/#"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s", got)
	}
}

// TestAccountsOfAnotherProcess: `homeroom account …` while the program runs.
func TestAccountsOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	here, there := service(t, open(t, dir)), service(t, open(t, dir))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- here.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()

	if _, err := there.Claim(ctx, "mrs-kim", "", "correct horse"); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Claim(ctx, "mallory", "", "correct horse"); !errors.Is(err, core.ErrConflict) {
		t.Errorf("second claim: %v", err)
	}
	kit, secret, err := there.Add(ctx, core.Account{Name: "kit-1", Role: core.Kit}, "")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !here.Current(kit.ID, 1); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never saw the kit")
		}
	}
	if _, err := here.Authenticate(ctx, "kit-1", secret, "", ""); err != nil {
		t.Error(err)
	}
	if err := here.AddTeam(ctx, core.Team{Name: "kit-1"}); !errors.Is(err, core.ErrConflict) {
		t.Errorf("a team called like a kit: %v", err)
	}
}

// TestAccountsAreConstrained goes past the service: the database itself
// refuses what must never be.
func TestAccountsAreConstrained(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	revision := func() int64 {
		n, err := db.AccountsRevision(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	kit := core.Account{Name: "kit-1", Role: core.Kit, Version: 1}
	if _, err := db.AddAccount(ctx, accounts.Edit{Revision: revision()}, kit, "x"); err != nil {
		t.Fatal(err)
	}
	if err := db.AddTeam(ctx, accounts.Edit{Revision: revision()}, core.Team{Name: "blue"}); err != nil {
		t.Fatal(err)
	}
	before := revision()
	said := []core.Audit{{At: time.Now(), Say: core.Say("no")}}
	for name, change := range map[string]func(e accounts.Edit) error{
		"account twice": func(e accounts.Edit) error { _, err := db.AddAccount(ctx, e, kit, "x"); return err },
		"account like a team": func(e accounts.Edit) error {
			_, err := db.AddAccount(ctx, e, core.Account{Name: "blue", Role: core.Kit}, "x")
			return err
		},
		"team like an account": func(e accounts.Edit) error { return db.AddTeam(ctx, e, core.Team{Name: "kit-1"}) },
		"unknown team": func(e accounts.Edit) error {
			_, err := db.AddAccount(ctx, e, core.Account{Name: "x", Role: core.Kit, Team: "green"}, "x")
			return err
		},
		"unknown role": func(e accounts.Edit) error {
			_, err := db.AddAccount(ctx, e, core.Account{Name: "x", Role: "admin"}, "x")
			return err
		},
		"grant for nobody": func(e accounts.Edit) error {
			_, err := db.AddGrant(ctx, e, core.Grant{Action: core.Publish, Pattern: "#"})
			return err
		},
		"grant for two": func(e accounts.Edit) error {
			_, err := db.AddGrant(ctx, e, core.Grant{Subject: core.Subject{Role: core.Kit, Team: "blue"}, Action: core.Publish, Pattern: "#"})
			return err
		},
	} {
		if err := change(accounts.Edit{Revision: before, Audit: said}); err == nil || errors.Is(err, core.ErrConflict) {
			t.Errorf("%s: err = %v", name, err)
		}
		if err := change(accounts.Edit{Revision: before - 1, Audit: said}); !errors.Is(err, core.ErrConflict) {
			t.Errorf("%s with an old revision: %v", name, err)
		}
	}
	if all, err := db.Audit(ctx, 1); revision() != before || len(all) != 0 || err != nil {
		t.Errorf("a change that failed left something: %v, %v", all, err)
	}
}

func TestInstallKey(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	key := func(db *DB, purpose string) string {
		t.Helper()
		k, err := db.InstallKey(t.Context(), purpose)
		if err != nil || len(k) != 32 {
			t.Fatalf("key %x, %v", k, err)
		}
		return string(k)
	}
	if key(db, "a") != key(open(t, dir), "a") || key(db, "a") == key(db, "b") || key(db, "a") == key(open(t, t.TempDir()), "a") {
		t.Error("a key is not kept, or not its own")
	}
}

func TestRefusals(t *testing.T) {
	db := open(t, t.TempDir())
	start := time.UnixMilli(1_700_000_000_000)
	refusal := func(i int, account core.AccountID, name string) core.Refusal {
		return core.Refusal{At: start.Add(time.Duration(i) * time.Second), Count: 1, Account: account, Name: name, Client: "c", Addr: fmt.Sprint(i),
			Say: core.Say("no {topic}", "topic", `a "b" é {x}`)}
	}
	add := func(rs ...core.Refusal) {
		t.Helper()
		if err := db.AddRefusals(t.Context(), rs); err != nil {
			t.Fatal(err)
		}
	}
	read := func(of []core.Account, limit int) []core.Refusal {
		t.Helper()
		rs, err := db.Refusals(t.Context(), of, limit)
		if err != nil {
			t.Fatal(err)
		}
		return rs
	}
	add(refusal(1, 1, "zoe"), refusal(2, 0, "zoe"), refusal(3, 2, "kit-1"))
	again := refusal(4, 1, "zoe")
	again.Action, again.Topic = core.Subscribe, "blue/é/#"
	add(again, refusal(5, 0, "x"))
	want := refusal(4, 1, "zoe")
	want.ID, want.Count = 1, 2
	want.Action, want.Topic = core.Subscribe, "blue/é/#"
	if rs := read(nil, 100); len(rs) != 4 || !reflect.DeepEqual(rs[1], want) {
		t.Errorf("got %+v\nwant %+v second", rs, want)
	}
	if rs := read([]core.Account{{ID: 1, Name: "zoe"}}, 100); len(rs) != 2 || rs[0].Account != 1 || rs[1].Account != 0 {
		t.Errorf("of zoe: %+v", rs)
	}
	if rs := read([]core.Account{}, 100); len(rs) != 0 {
		t.Errorf("of nobody: %+v", rs)
	}
	var many []core.Refusal
	for i := range keepRefusals {
		many = append(many, refusal(10+i, 3, fmt.Sprint(i)))
	}
	add(many...)
	rs := read(nil, 2*keepRefusals)
	if len(rs) != keepRefusals || rs[0].Name != fmt.Sprint(keepRefusals-1) || rs[len(rs)-1].Name != "0" {
		t.Errorf("%d kept, from %q to %q", len(rs), rs[0].Name, rs[len(rs)-1].Name)
	}
}

// BenchmarkReadAccounts reads a school of 2,000 accounts.
func BenchmarkReadAccounts(b *testing.B) {
	db := open(b, b.TempDir())
	for i := range 2000 {
		n, err := db.AccountsRevision(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := db.AddAccount(b.Context(), accounts.Edit{Revision: n}, core.Account{Name: topic.ID(fmt.Sprint("a-", i)), Role: core.Kit, Version: 1}, "x"); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		service(b, db)
	}
}

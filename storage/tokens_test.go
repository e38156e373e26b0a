package storage

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/accounts"
)

// TestTokensSurviveRestart signs programs in, opens the data again, and goes on.
func TestTokensSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	s := service(t, db)
	add := func(name string) core.Account {
		t.Helper()
		a, _, err := s.Add(t.Context(), core.Account{Name: "x", Label: name, Role: core.Kit}, "")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	zoe := add("zoe")
	issue := func() core.Tokens {
		t.Helper()
		made, err := s.IssueTokens(t.Context(), zoe, "10.0.0.5:1")
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	old, other, gone := issue(), issue(), issue()
	now, _, err := s.RefreshTokens(t.Context(), old.Refresh, "10.0.0.6:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RevokeTokens(t.Context(), gone.Refresh); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	db = open(t, dir)
	s = service(t, db)
	for what, access := range map[string]string{"before the refresh": old.Access, "after it": now.Access, "the other": other.Access} {
		if a, _, err := s.VerifyToken(access); err != nil || a.ID != zoe.ID {
			t.Errorf("%s: %v, %v", what, a, err)
		}
	}
	if _, _, err := s.VerifyToken(gone.Access); !errors.Is(err, core.ErrDenied) {
		t.Errorf("signed out before the restart: %v", err)
	}
	if _, _, err := s.RefreshTokens(t.Context(), old.Refresh, "10.0.0.66:1"); !errors.Is(err, core.ErrDenied) {
		t.Errorf("used before the restart: %v", err)
	}
	if _, _, err := s.VerifyToken(now.Access); !errors.Is(err, core.ErrDenied) {
		t.Errorf("of a family that ended: %v", err)
	}
	all := s.Audit(10)
	if len(all) != 3 || all[0].Account != zoe.ID || all[0].Name != "x" || all[0].Say.String() != "A sign-in of x ended: a refresh token was used twice, at 10.0.0.6 and at 10.0.0.66" || time.Since(all[0].At) > time.Minute {
		t.Errorf("audit %+v", all)
	}
	if fs := families(t, db); len(fs) != 1 || fs[0].Account != zoe.ID || fs[0].Addr != "10.0.0.5" || len(fs[0].Refresh) != 32 {
		t.Errorf("families %+v", fs)
	}
	if err := s.Remove(t.Context(), zoe.ID); err != nil {
		t.Fatal(err)
	}
	if fs := families(t, db); len(fs) != 0 {
		t.Errorf("families of nobody: %+v", fs)
	}
	if all := s.Audit(1); all[0].Say.String() != "x was removed" {
		t.Errorf("audit %+v", all)
	}
}

func families(t *testing.T, db *DB) (all []accounts.Family) {
	t.Helper()
	if err := db.Families(t.Context(), func(f accounts.Family) { all = append(all, f) }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestForgetFamilies(t *testing.T) {
	db := open(t, t.TempDir())
	s := service(t, db)
	a, _, err := s.Add(t.Context(), core.Account{Name: "zoe", Role: core.Kit}, "")
	if err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(1_700_000_000_000)
	put := func(id, version int64, until time.Time) accounts.Family {
		t.Helper()
		f := accounts.Family{ID: id, Account: a.ID, Version: version, Addr: "10.0.0.5", Refresh: []byte("sum"), Until: until}
		if err := db.PutFamily(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	put(1, 1, now)
	keep := put(1<<53-1, 1, now.Add(time.Millisecond))
	put(3, 2, now.Add(time.Hour))
	if err := db.PutFamily(t.Context(), accounts.Family{ID: 4, Account: 999}); err == nil {
		t.Error("a family of nobody")
	}
	if err := db.ForgetFamilies(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if fs := families(t, db); len(fs) != 1 || !reflect.DeepEqual(fs[0], keep) {
		t.Errorf("kept %+v, want %+v", fs, keep)
	}
}

func TestAudit(t *testing.T) {
	db := open(t, t.TempDir())
	s := service(t, db)
	teacher, err := s.Claim(t.Context(), "mrs-kim", "", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	pupil, _, err := s.Add(t.Context(), core.Account{Name: "zoe", Role: core.Student}, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1_700_000_000_000)
	add := func(by core.AccountID, n int) {
		t.Helper()
		revision, err := db.AccountsRevision(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e := accounts.Edit{Revision: revision}
		for i := range n {
			e.Audit = append(e.Audit, core.Audit{At: at.Add(time.Duration(i) * time.Second), Account: by, Name: "é", Say: core.Say("{n} of {what}", "n", i, "what", `a "b" {x}`)})
		}
		if err := db.ChangeTeam(t.Context(), e, core.Team{Name: "none"}); err != nil {
			t.Fatal(err)
		}
	}
	count := func() map[core.AccountID]int {
		t.Helper()
		all, err := db.Audit(t.Context(), 2*keepAudit)
		if err != nil {
			t.Fatal(err)
		}
		n := map[core.AccountID]int{}
		for _, a := range all {
			n[a.Account]++
		}
		return n
	}
	add(teacher.ID, 1500)
	add(pupil.ID, keepAudit+1)
	if got, want := count(), (map[core.AccountID]int{0: 2, teacher.ID: 1500, pupil.ID: keepAuditOfEach}); !reflect.DeepEqual(got, want) {
		t.Errorf("after a pupil's flood %v, want %v", got, want)
	}
	all, err := db.Audit(t.Context(), 1)
	want := core.Audit{ID: all[0].ID, At: at.Add(keepAudit * time.Second), Account: pupil.ID, Name: "é", Say: core.Say("{n} of {what}", "n", fmt.Sprint(keepAudit), "what", `a "b" {x}`)}
	if err != nil || len(all) != 1 || !reflect.DeepEqual(all[0], want) {
		t.Errorf("got %+v, %v\nwant %+v", all, err, want)
	}
	add(0, keepAudit-100)
	if got, want := count(), (map[core.AccountID]int{0: keepAudit - 100, pupil.ID: 100}); !reflect.DeepEqual(got, want) {
		t.Errorf("in the end %v, want %v", got, want)
	}
	if err := db.AddAudit(t.Context(), core.Audit{At: at, Say: core.Say("x")}); err != nil {
		t.Fatal(err)
	}
	if got := count(); got[0] != keepAudit-99 || got[pupil.ID] != 99 {
		t.Errorf("one more: %v", got)
	}
}

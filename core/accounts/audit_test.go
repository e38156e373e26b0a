package accounts

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"homeroom/core"
)

// TestAudit makes every change as the teacher, and reads what was said.
func TestAudit(t *testing.T) {
	c := newClass(t)
	ctx := core.As(t.Context(), c.teacher)
	change := func(do func(*core.Account)) func() error {
		return func() error {
			a := c.get(t, c.zoe)
			do(&a)
			return c.Change(ctx, a)
		}
	}
	var grants []int64
	grant := func(to core.Subject) func() error {
		return func() error {
			g, err := c.Grant(ctx, core.Grant{Subject: to, Action: core.Publish, Pattern: "x/#"})
			grants = append(grants, g.ID)
			return err
		}
	}
	revoke := func() error {
		id := grants[0]
		grants = grants[1:]
		return c.Revoke(ctx, id)
	}
	for _, tt := range []struct {
		do   func() error
		says []string // newest first
	}{
		{func() error {
			_, _, err := c.Add(ctx, core.Account{Name: "mr-lee", Role: core.Teacher}, password)
			return err
		}, []string{"mr-lee was added as a teacher"}},
		{func() error {
			_, _, err := c.Add(ctx, core.Account{Name: "tom", Role: core.Student}, password)
			return err
		}, []string{"tom was added as a student"}},
		{func() error { _, _, err := c.Add(ctx, core.Account{Name: "kit-9", Role: core.Kit}, ""); return err }, []string{"kit-9 was added as a kit"}},
		{change(func(a *core.Account) { a.Label = "Zoé" }), []string{"zoe has the display name Zoé"}},
		{change(func(a *core.Account) { a.Label = "" }), []string{"zoe has no display name any more"}},
		{change(func(a *core.Account) { a.Team = "red" }), []string{"zoe was put into team red"}},
		{change(func(a *core.Account) { a.Team = "" }), []string{"zoe was taken out of team red"}},
		{change(func(a *core.Account) { a.Role = core.Teacher }), []string{"zoe became a teacher"}},
		{change(func(a *core.Account) { a.Role = core.Kit }), []string{"zoe became a kit"}},
		{change(func(a *core.Account) { a.Role = core.Student }), []string{"zoe became a student"}},
		{change(func(a *core.Account) { a.Mounted = true }), []string{"The topics of zoe are inside its team"}},
		{change(func(a *core.Account) { a.Mounted = false }), []string{"The topics of zoe are not inside its team any more"}},
		{change(func(a *core.Account) { a.Limits.Queue = 1 << 20 }), []string{"zoe has other limits"}},
		{change(func(a *core.Account) { a.Disabled, a.Team = true, "blue" }), []string{"zoe was disabled", "zoe was put into team blue"}},
		{change(func(a *core.Account) { a.Disabled = false }), []string{"zoe was enabled"}},
		{change(func(*core.Account) {}), nil},
		{func() error { return c.SetPassword(ctx, c.zoe, "another horse") }, []string{"zoe has a new password"}},
		{func() error { _, err := c.ResetSecret(ctx, c.kit1); return err }, []string{"kit-1 has a new secret"}},
		{func() error { return c.Remove(ctx, c.kit2) }, []string{"kit-2 was removed"}},
		{func() error { return c.AddTeam(ctx, core.Team{Name: "green"}) }, []string{"Team green was added"}},
		{func() error { return c.ChangeTeam(ctx, core.Team{Name: "green", Label: "Les Verts"}) }, []string{"green has the display name Les Verts"}},
		{func() error { return c.ChangeTeam(ctx, core.Team{Name: "green", Label: "Les Verts"}) }, nil},
		{func() error { return c.RemoveTeam(ctx, "green") }, []string{"Team green was removed"}},
		{grant(core.Subject{Account: c.zoe}), []string{"Grant for zoe: publish x/#"}},
		{revoke, []string{"Grant revoked from zoe: publish x/#"}},
		{grant(core.Subject{Team: "blue"}), []string{"Grant for team blue: publish x/#"}},
		{revoke, []string{"Grant revoked from team blue: publish x/#"}},
		{grant(core.Subject{Role: core.Teacher}), []string{"Grant for every teacher: publish x/#"}},
		{revoke, []string{"Grant revoked from every teacher: publish x/#"}},
		{grant(core.Subject{Role: core.Student}), []string{"Grant for every student: publish x/#"}},
		{revoke, []string{"Grant revoked from every student: publish x/#"}},
		{grant(core.Subject{Role: core.Kit}), []string{"Grant for every kit: publish x/#"}},
		{revoke, []string{"Grant revoked from every kit: publish x/#"}},
		{func() error { _, _, err := c.MakeCode(ctx, c.zoe, ""); return err }, []string{"A one-time code was made for zoe"}},
		{func() error { _, _, err := c.MakeCode(ctx, 0, "blue"); return err }, []string{"A one-time code was made for team blue"}},
		{func() error { return c.Note(ctx, core.Say("{n} topics were moved", "n", 3)) }, []string{"3 topics were moved"}},
	} {
		before := len(c.store.audit)
		if err := tt.do(); err != nil {
			t.Fatalf("%v: %v", tt.says, err)
		}
		var says []string
		for _, a := range c.Audit(len(c.store.audit) - before) {
			says = append(says, a.Say.String())
			if a.Account != c.teacher || a.Name != "mrs-kim" || a.At.IsZero() {
				t.Errorf("%q was done by %d %q at %v", a.Say, a.Account, a.Name, a.At)
			}
		}
		if !slices.Equal(says, tt.says) {
			t.Errorf("the audit says %q, want %q", says, tt.says)
		}
	}
}

func TestAuditOfTheProgram(t *testing.T) {
	c := newClass(t)
	all := c.Audit(100)
	if len(all) != 7 || all[6].Say.String() != "mrs-kim was added as a teacher" || all[6].Account != 0 || all[6].Name != "" {
		t.Errorf("%+v", all)
	}
	if got := c.Audit(0); got != nil {
		t.Errorf("none of them: %v", got)
	}
	if err := c.Note(core.As(t.Context(), core.Anyone), core.Say("x")); err != nil || c.Audit(1)[0].Name != "anyone" {
		t.Errorf("%v, %+v", err, c.Audit(1))
	}
}

// TestAuditSaysOnlyWhatIsSo: a change that failed is not told, and what is told
// has one line whatever somebody put into it.
func TestAuditSaysOnlyWhatIsSo(t *testing.T) {
	c := newClass(t)
	before := len(c.Audit(100))
	told(t, "twice", c.AddTeam(t.Context(), core.Team{Name: "blue"}), core.ErrConflict)
	c.store.broken = errors.New("disk full")
	if err := c.Remove(t.Context(), c.zoe); err == nil {
		t.Error("removed")
	}
	if err := c.Note(t.Context(), core.Say("x")); !errors.Is(err, c.store.broken) {
		t.Error(err)
	}
	c.store.broken = nil
	if n := len(c.Audit(100)); n != before {
		t.Errorf("%d more", n-before)
	}
	if err := c.Note(t.Context(), core.Say("{x} was moved", "x", "a\n12:00 zoe became a teacher\u202e"+strings.Repeat("x", 1000))); err != nil {
		t.Fatal(err)
	}
	if say := c.Audit(1)[0].Say.String(); strings.ContainsAny(say, "\n\u202e") || len(say) > 300 {
		t.Errorf("%q", say)
	}
}

// TestAuditOfTwoProcesses: a change that was made anew because another process
// was faster is told once.
func TestAuditOfTwoProcesses(t *testing.T) {
	store := newMemory()
	a, b := open(t, store), open(t, store)
	if err := a.AddTeam(t.Context(), core.Team{Name: "blue"}); err != nil {
		t.Fatal(err)
	}
	if err := b.AddTeam(t.Context(), core.Team{Name: "red"}); err != nil {
		t.Fatal(err)
	}
	if all := b.Audit(10); len(all) != 2 || all[0].Say.String() != "Team red was added" {
		t.Errorf("%+v", all)
	}
}

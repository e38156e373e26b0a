package accounts

import (
	"errors"
	"testing"

	"homeroom/core"
)

// TestDesigned: what the plan draws is allowed, beside what people granted, until
// it is drawn otherwise; and it is nobody else's.
func TestDesigned(t *testing.T) {
	c := newClass(t)
	may := func(id core.AccountID) bool {
		real, err := c.Authorize(id, core.Publish, "hall/light")
		return err == nil && real == "hall/light"
	}
	if may(c.kit1) {
		t.Fatal("kit-1 may publish to hall/light before anybody drew it")
	}
	granted := len(c.Grants())
	drawn := []core.Grant{{Subject: core.Subject{Account: c.kit1}, Action: core.Publish, Pattern: "hall/light"}}
	c.SetDesigned(drawn)
	if !may(c.kit1) || may(c.kit2) {
		t.Fatalf("drawn for kit-1: kit-1 may %v, kit-2 may %v; want only kit-1", may(c.kit1), may(c.kit2))
	}
	c.add1(t, core.Account{Name: "kit-9", Role: core.Kit}, "") // whatever makes the view anew keeps the drawing
	if !may(c.kit1) || len(c.Grants()) != granted || len(c.Designed()) != 1 {
		t.Fatalf("after another change: may %v, %d grants (were %d), %d designed", may(c.kit1), len(c.Grants()), granted, len(c.Designed()))
	}
	c.SetDesigned(nil)
	if may(c.kit1) {
		t.Fatal("kit-1 may still publish to hall/light")
	}
}

// TestLend: a lent secret signs in as that account only, the account's own still
// does, the next one ends it, and it is no way around a disabled account.
func TestLend(t *testing.T) {
	c := newClass(t)
	ctx := t.Context()
	a, own, err := c.Service.Add(ctx, core.Account{Name: "kit-8", Role: core.Kit}, "")
	if err != nil {
		t.Fatal(err)
	}
	in := func(name, secret string) error {
		_, err := c.Authenticate(ctx, name, secret, "", "127.0.0.1")
		return err
	}
	first, err := c.Lend(a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(in("kit-8", first), in("kit-8", own)); err != nil {
		t.Fatal(err)
	}
	if err := in("kit-1", first); !errors.Is(err, core.ErrDenied) {
		t.Fatalf("kit-1 with the secret lent to kit-8: %v, want a refusal", err)
	}
	second, err := c.Lend(a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := in("kit-8", first); !errors.Is(err, core.ErrDenied) {
		t.Fatalf("a secret that was lent before: %v, want a refusal", err)
	}
	a.Disabled = true
	if err := c.Change(ctx, a); err != nil {
		t.Fatal(err)
	}
	if err := in("kit-8", second); !errors.Is(err, core.ErrDenied) {
		t.Fatalf("a disabled account with a lent secret: %v, want a refusal", err)
	}
	a, _ = c.Account(a.ID)
	a.Disabled, a.Role, a.Team = false, core.Student, "blue"
	if err := c.Change(ctx, a); err != nil {
		t.Fatal(err)
	}
	if err := in("kit-8", second); !errors.Is(err, core.ErrDenied) {
		t.Fatalf("a secret that was lent to a kit, which is a person's account now: %v, want a refusal", err)
	}
	if _, err := c.Lend(a.ID); !errors.Is(err, core.ErrDenied) {
		t.Fatalf("lent the account of a person: %v, want a refusal", err)
	}
	if _, err := c.Lend(999); !errors.Is(err, core.ErrNotFound) {
		t.Fatalf("lent to nobody: %v", err)
	}
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"homeroom/core"
	"homeroom/core/accounts"
	"homeroom/core/history"
	"homeroom/core/topic"
	"homeroom/storage"
)

type accountCmd struct {
	Add     accountAdd     `cmd:"" help:"Add an account. A kit without --password-stdin gets a secret, which is printed once."`
	Change  accountChange  `cmd:"" help:"Change where an account's topics are and what it may ask of the broker."`
	List    accountList    `cmd:"" help:"List accounts."`
	Disable accountDisable `cmd:"" help:"Disable an account; what it has open ends within a second."`
	Enable  accountEnable  `cmd:"" help:"Enable an account again."`
	Passwd  accountPasswd  `cmd:"" help:"Set a password. A kit without --password-stdin gets a new secret, which is printed once."`
	Remove  accountRemove  `cmd:"" help:"Remove an account."`
}

// withAccounts runs fn on the accounts in the data folder, beside a program
// that may be running there.
func withAccounts(ctx context.Context, e env, fn func(*accounts.Service) error) error {
	db, err := storage.Open(ctx, e.data)
	if err != nil {
		return err
	}
	s, err := accounts.Open(ctx, accounts.Config{Store: db, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler), Strength: accounts.Strong})
	if err == nil {
		err = fn(s)
	}
	return errors.Join(err, db.Close())
}

// named finds an account.
func named(s *accounts.Service, name string) (core.Account, error) {
	for _, a := range s.Accounts() {
		if string(a.Name) == name {
			return a, nil
		}
	}
	return core.Account{}, core.Fail(core.ErrNotFound, "There is no account {name}. \"homeroom account list\" shows all.", "name", name)
}

// password reads one line.
func password(e env) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(e.in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", core.Fail(errUsage, "There is no password on standard input. Write it there, followed by a new line.")
	}
	return line, nil
}

type accountAdd struct {
	Name          string `arg:"" help:"Name to sign in with: a-z, 0-9 and -."`
	Role          string `required:"" enum:"teacher,student,kit" help:"teacher, student or kit."`
	Team          string `help:"Team; it is made where it does not exist."`
	Label         string `help:"Display name, in any script."`
	Mount         bool   `negatable:"" default:"true" help:"Put its topics into the branch of its team. A teacher's never are."`
	PasswordStdin bool   `help:"Read the password from standard input."`
}

// Run adds the account.
func (c *accountAdd) Run(ctx context.Context, e env) error {
	var secret string
	if c.PasswordStdin {
		var err error
		if secret, err = password(e); err != nil {
			return err
		}
	} else if core.Role(c.Role) != core.Kit {
		return core.Fail(errUsage, "A {role} needs a password: add --password-stdin and write it to standard input.", "role", c.Role)
	}
	return withAccounts(ctx, e, func(s *accounts.Service) error {
		team := topic.ID(c.Team)
		if c.Team != "" && !hasTeam(s, team) {
			if err := s.AddTeam(ctx, core.Team{Name: team}); err != nil {
				return err
			}
			fmt.Fprintf(e.err, "team %s added\n", team)
		}
		role := core.Role(c.Role)
		a, made, err := s.Add(ctx, core.Account{Name: topic.ID(c.Name), Label: c.Label, Role: role, Team: team, Mounted: c.Mount && role != core.Teacher}, secret)
		if err == nil && made != "" && !c.PasswordStdin {
			fmt.Fprintf(e.out, "%s %s\n", a.Name, made)
		}
		return err
	})
}

func hasTeam(s *accounts.Service, name topic.ID) bool {
	for _, t := range s.Teams() {
		if t.Name == name {
			return true
		}
	}
	return false
}

type accountChange struct {
	Name        string `arg:"" help:"Account."`
	Mount       *bool  `negatable:"" help:"Put its topics into the branch of its team, or do not; what it has open ends."`
	Messages    *int   `help:"Messages a second; 0 is as in Settings, here and below." placeholder:"N"`
	Bytes       *int   `help:"Bytes a second." placeholder:"N"`
	Connections *int   `help:"Connections at once." placeholder:"N"`
	Queue       *int   `help:"Bytes that may wait for one client." placeholder:"N"`
	Packet      *int   `help:"Bytes of one packet." placeholder:"N"`
}

// Run changes the account.
func (c *accountChange) Run(ctx context.Context, e env) error {
	if *c == (accountChange{Name: c.Name}) {
		return core.Fail(errUsage, "There is nothing to change. \"homeroom account change --help\" shows what can be.")
	}
	return withAccounts(ctx, e, func(s *accounts.Service) error {
		a, err := named(s, c.Name)
		if err != nil {
			return err
		}
		if c.Mount != nil {
			a.Mounted = *c.Mount
		}
		for to, n := range map[*int]*int{&a.Limits.Messages: c.Messages, &a.Limits.Bytes: c.Bytes, &a.Limits.Connections: c.Connections,
			&a.Limits.Queue: c.Queue, &a.Limits.Packet: c.Packet} {
			if n != nil {
				*to = *n
			}
		}
		return s.Change(ctx, a)
	})
}

type accountList struct{}

// Run prints a table.
func (accountList) Run(ctx context.Context, e env) error {
	return withAccounts(ctx, e, func(s *accounts.Service) error {
		w := tabwriter.NewWriter(e.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tROLE\tTEAM\tSTATE\tTOPICS\tLIMITS\tDISPLAY NAME")
		for _, a := range s.Accounts() {
			state := "enabled"
			if a.Disabled {
				state = "disabled"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.Name, a.Role, a.Team, state, inside(a), limits(a.Limits), a.Label)
		}
		return w.Flush()
	})
}

// inside is the branch that an account's topics are put into.
func inside(a core.Account) string {
	if !a.Mounted || a.Team == "" || a.Role == core.Teacher {
		return "/"
	}
	return string(a.Team) + "/"
}

// limits is what an account has of its own, as "account change" takes it.
func limits(l core.Limits) string {
	var own []string
	for _, f := range []struct {
		name string
		n    int
	}{{"messages", l.Messages}, {"bytes", l.Bytes}, {"connections", l.Connections}, {"queue", l.Queue}, {"packet", l.Packet}} {
		if f.n != 0 {
			own = append(own, fmt.Sprintf("%s=%d", f.name, f.n))
		}
	}
	if own == nil {
		return "-"
	}
	return strings.Join(own, " ")
}

type accountDisable struct {
	Name string `arg:"" help:"Account."`
}

// Run disables the account.
func (c *accountDisable) Run(ctx context.Context, e env) error {
	return setDisabled(ctx, e, c.Name, true)
}

type accountEnable struct {
	Name string `arg:"" help:"Account."`
}

// Run enables the account.
func (c *accountEnable) Run(ctx context.Context, e env) error {
	return setDisabled(ctx, e, c.Name, false)
}

func setDisabled(ctx context.Context, e env, name string, disabled bool) error {
	return withAccounts(ctx, e, func(s *accounts.Service) error {
		a, err := named(s, name)
		if err != nil {
			return err
		}
		a.Disabled = disabled
		return s.Change(ctx, a)
	})
}

type accountPasswd struct {
	Name          string `arg:"" help:"Account."`
	PasswordStdin bool   `help:"Read the password from standard input."`
}

// Run sets the password, or makes a kit's new secret.
func (c *accountPasswd) Run(ctx context.Context, e env) error {
	return withAccounts(ctx, e, func(s *accounts.Service) error {
		a, err := named(s, c.Name)
		if err != nil {
			return err
		}
		if a.Role == core.Kit && !c.PasswordStdin {
			secret, err := s.ResetSecret(ctx, a.ID)
			if err == nil {
				fmt.Fprintf(e.out, "%s %s\n", a.Name, secret)
			}
			return err
		}
		if !c.PasswordStdin {
			return core.Fail(errUsage, "A {role} needs a password: add --password-stdin and write it to standard input.", "role", a.Role)
		}
		secret, err := password(e)
		if err != nil {
			return err
		}
		return s.SetPassword(ctx, a.ID, secret)
	})
}

type accountRemove struct {
	Name string `arg:"" help:"Account."`
}

// Run removes the account.
func (c *accountRemove) Run(ctx context.Context, e env) error {
	return withAccounts(ctx, e, func(s *accounts.Service) error {
		a, err := named(s, c.Name)
		if err != nil {
			return err
		}
		return s.Remove(ctx, a.ID)
	})
}

type historyCmd struct {
	Export historyExport `cmd:"" help:"Write readings to standard output; also while Homeroom runs."`
}

type historyExport struct {
	From   string `help:"First moment: 2026-03-01, or 2026-03-01T08:00 or with seconds and zone. Everything by default."`
	To     string `help:"Moment to stop before, written alike."`
	Filter string `help:"Topic filter; + and # as in MQTT." default:"#"`
	Format string `help:"csv." enum:"csv" default:"csv"`
	BOM    bool   `name:"bom" help:"Begin with a byte order mark, which some spreadsheets need for accents."`
}

// Run exports.
func (c *historyExport) Run(ctx context.Context, e env) error {
	from, err := moment(c.From)
	if err != nil {
		return err
	}
	to, err := moment(c.To)
	if err != nil {
		return err
	}
	filter, err := topic.ParseFilter(c.Filter)
	if err != nil {
		return core.Fail(errUsage, "{filter} is not a topic filter: + and # stand alone in a level, # only at the end.", "filter", c.Filter)
	}
	db, err := storage.Open(ctx, e.data)
	if err != nil {
		return err
	}
	h, err := history.Open(ctx, history.Config{Store: db, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		err = h.Export(ctx, e.out, history.ExportOptions{Filter: filter, From: from, To: to, BOM: c.BOM})
	}
	return errors.Join(err, db.Close())
}

// moment reads a time in the local zone; "" is the zero time.
func moment(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, core.Fail(errUsage, "{moment} is not a moment. Write it like 2026-03-01 or 2026-03-01T08:00.", "moment", s)
}

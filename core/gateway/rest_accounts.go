package gateway

import (
	"context"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"homeroom/core"
	"homeroom/core/topic"
)

// Accounts keeps people, kits, teams and grants.
type Accounts interface {
	People
	Teams
	Grants
}

// People keeps accounts.
type People interface {
	Accounts() []core.Account // in order of name
	Add(ctx context.Context, a core.Account, password string) (added core.Account, secret string, err error)
	Change(ctx context.Context, a core.Account) error
	Remove(ctx context.Context, id core.AccountID) error
	SetPassword(ctx context.Context, id core.AccountID, password string) error
	ResetSecret(ctx context.Context, id core.AccountID) (secret string, err error)
}

// Teams keeps teams.
type Teams interface {
	Teams() []core.Team // in order of name
	AddTeam(ctx context.Context, t core.Team) error
	ChangeTeam(ctx context.Context, t core.Team) error
	RemoveTeam(ctx context.Context, name topic.ID) error
}

// Grants keeps grants.
type Grants interface {
	Grants() []core.Grant // in order of ID
	Grant(ctx context.Context, g core.Grant) (core.Grant, error)
	Revoke(ctx context.Context, id int64) error
}

// Records tells what was refused and what was changed, newest first.
type Records interface {
	Refusals(limit int) []core.Refusal
	RefusalsOf(id core.AccountID, limit int) []core.Refusal
	Audit(limit int) []core.Audit
}

// account is one as its reader may see it: what follows Team is the teacher's.
type account struct {
	Name     string     `json:"name" example:"ana"`
	Label    string     `json:"label,omitempty" doc:"Display name, in any script." example:"Ana Müller"`
	Role     string     `json:"role" enum:"teacher,student,kit"`
	Team     string     `json:"team,omitempty" example:"blue"`
	Disabled bool       `json:"disabled,omitempty"`
	Mounted  bool       `json:"mounted,omitempty" doc:"Its topics are in the branch of its team."`
	Limits   *limits    `json:"limits,omitempty"`
	Version  int64      `json:"version,omitempty" doc:"Rises with each change that ends what the account has open."`
	Created  *time.Time `json:"created,omitempty"`
	Secret   string     `json:"secret,omitempty" doc:"Of a new kit. It is never shown again."`
}

// limits are core.Limits in JSON.
type limits struct {
	Messages    int `json:"messages,omitempty" minimum:"0" doc:"Published in a second. 0 is as in the settings, here and below."`
	Bytes       int `json:"bytes,omitempty" minimum:"0" doc:"Published in a second."`
	Connections int `json:"connections,omitempty" minimum:"0" doc:"At once."`
	Queue       int `json:"queue,omitempty" minimum:"0" doc:"Bytes that may wait for one client."`
	Packet      int `json:"packet,omitempty" minimum:"0" doc:"Bytes of one MQTT packet."`
}

// ByName names one in the path.
type ByName struct {
	Name string `path:"name" maxLength:"64" example:"ana"`
}

type passwordIn struct {
	ByName
	Body *struct {
		Password string `json:"password,omitempty" maxLength:"1024" doc:"Without one, a random secret is made and returned."`
	}
}

// show returns x as c may see it.
func show(c caller, x core.Account) account {
	a := account{Name: string(x.Name), Label: x.Label, Role: string(x.Role), Team: string(x.Team)}
	if c.Role == core.Teacher {
		l := limits(x.Limits)
		a.Disabled, a.Mounted, a.Limits, a.Version, a.Created = x.Disabled, x.Mounted, &l, x.Version, moment(x.Created)
	}
	return a
}

// sees reports whether c may know that x exists: itself and its team.
func sees(c caller, x core.Account) bool {
	return c.Role == core.Teacher || x.ID == c.ID || c.Team != "" && x.Team == c.Team
}

// named returns the account of that name.
func (g *Gateway) named(name string) (core.Account, error) {
	for _, x := range g.cfg.Accounts.Accounts() {
		if string(x.Name) == name {
			return x, nil
		}
	}
	return core.Account{}, noAccount(name)
}

func noAccount(name string) error {
	return core.Fail(core.ErrNotFound, "There is no account called {name}. Look at the list of accounts.", "name", cut(name))
}

// nameOf returns the name of an account for c, "" where c may not know it.
func (g *Gateway) nameOf(c caller, id core.AccountID) string {
	if x, ok := g.cfg.Authority.Account(id); ok && sees(c, x) {
		return string(x.Name)
	}
	return ""
}

// accounts adds accounts, teams, grants, and what was refused and changed.
func (a api) accounts() {
	a.people()
	a.teams()
	a.grants()
	a.records()
}

func (a api) people() {
	g := a.g
	tags := []string{"accounts"}

	type listIn struct {
		Paging
		Role string `query:"role" enum:"teacher,student,kit"`
		Team string `query:"team" maxLength:"64"`
		Text string `query:"text" maxLength:"64" doc:"Only where name or label holds it."`
	}
	register(a, members, huma.Operation{OperationID: "list-accounts", Method: http.MethodGet, Path: "/accounts", Tags: tags, Summary: core.Say("List accounts").Format,
		Description: "A teacher sees all, anybody else itself and its team."},
		func(_ context.Context, c caller, in *listIn) (*body[list[account]], error) {
			var all []account
			for _, x := range g.cfg.Accounts.Accounts() {
				if sees(c, x) && (in.Role == "" || in.Role == string(x.Role)) && (in.Team == "" || in.Team == string(x.Team)) &&
					holds(in.Text, string(x.Name), x.Label) {
					all = append(all, show(c, x))
				}
			}
			return &body[list[account]]{part(in.Paging, all, func(x account) string { return x.Name })}, nil
		})

	register(a, members, huma.Operation{OperationID: "get-account", Method: http.MethodGet, Path: "/accounts/{name}", Tags: tags, Summary: core.Say("Read an account").Format},
		func(_ context.Context, c caller, in *ByName) (*body[account], error) {
			x, err := g.named(in.Name)
			if err == nil && !sees(c, x) {
				err = noAccount(in.Name)
			}
			if err != nil {
				return nil, err
			}
			return &body[account]{show(c, x)}, nil
		})

	type addIn struct {
		Body struct {
			Name     string  `json:"name" maxLength:"64" doc:"a to z, 0 to 9 and -" example:"kit-7"`
			Label    string  `json:"label,omitempty" maxLength:"256"`
			Role     string  `json:"role" enum:"teacher,student,kit" example:"kit"`
			Team     string  `json:"team,omitempty" maxLength:"64" example:"blue"`
			Password string  `json:"password,omitempty" maxLength:"1024" doc:"A kit without one gets a random secret, which the answer holds."`
			Disabled bool    `json:"disabled,omitempty"`
			Mounted  *bool   `json:"mounted,omitempty" doc:"Without it, students and kits are mounted."`
			Limits   *limits `json:"limits,omitempty"`
		}
	}
	register(a, teachers, huma.Operation{OperationID: "add-account", Method: http.MethodPost, Path: "/accounts", Tags: tags, Summary: core.Say("Add an account").Format, DefaultStatus: http.StatusCreated},
		func(ctx context.Context, c caller, in *addIn) (*body[account], error) {
			x := core.Account{Name: topic.ID(in.Body.Name), Label: in.Body.Label, Role: core.Role(in.Body.Role), Team: topic.ID(in.Body.Team), Disabled: in.Body.Disabled}
			x.Mounted = x.Role != core.Teacher
			if in.Body.Mounted != nil {
				x.Mounted = *in.Body.Mounted
			}
			if in.Body.Limits != nil {
				x.Limits = core.Limits(*in.Body.Limits)
			}
			x, secret, err := g.cfg.Accounts.Add(ctx, x, in.Body.Password)
			if err != nil {
				return nil, err
			}
			out := show(c, x)
			out.Secret = secret
			return &body[account]{out}, nil
		})

	type changeIn struct {
		ByName
		Body struct {
			Label    *string `json:"label,omitempty" maxLength:"256"`
			Role     *string `json:"role,omitempty" enum:"teacher,student,kit"`
			Team     *string `json:"team,omitempty" maxLength:"64" doc:"\"\" is none."`
			Disabled *bool   `json:"disabled,omitempty"`
			Mounted  *bool   `json:"mounted,omitempty"`
			Limits   *limits `json:"limits,omitempty"`
			Version  int64   `json:"version,omitempty" doc:"As it was read. Where the account has another one now, nothing is changed."`
		}
	}
	register(a, teachers, huma.Operation{OperationID: "change-account", Method: http.MethodPatch, Path: "/accounts/{name}", Tags: tags, Summary: core.Say("Change an account").Format,
		Description: "Only what is sent changes. What the account has open ends, unless only label and limits change."},
		func(ctx context.Context, c caller, in *changeIn) (*body[account], error) {
			x, err := g.named(in.Name)
			if err != nil {
				return nil, err
			}
			if in.Body.Version != 0 {
				x.Version = in.Body.Version
			}
			if in.Body.Label != nil {
				x.Label = *in.Body.Label
			}
			if in.Body.Role != nil {
				x.Role = core.Role(*in.Body.Role)
			}
			if in.Body.Team != nil {
				x.Team = topic.ID(*in.Body.Team)
			}
			if in.Body.Disabled != nil {
				x.Disabled = *in.Body.Disabled
			}
			if in.Body.Mounted != nil {
				x.Mounted = *in.Body.Mounted
			}
			if in.Body.Limits != nil {
				x.Limits = core.Limits(*in.Body.Limits)
			}
			if err := g.cfg.Accounts.Change(ctx, x); err != nil {
				return nil, err
			}
			if now, ok := g.cfg.Authority.Account(x.ID); ok {
				x = now
			}
			return &body[account]{show(c, x)}, nil
		})

	type secretOut struct {
		Secret string `json:"secret,omitempty" doc:"It is never shown again."`
	}
	register(a, teachers, huma.Operation{OperationID: "set-password", Method: http.MethodPut, Path: "/accounts/{name}/password", Tags: tags, Summary: core.Say("Set a password").Format,
		Description: "What the account has open ends."},
		func(ctx context.Context, _ caller, in *passwordIn) (*body[secretOut], error) {
			x, err := g.named(in.Name)
			if err != nil {
				return nil, err
			}
			if in.Body != nil && in.Body.Password != "" {
				return &body[secretOut]{}, g.cfg.Accounts.SetPassword(ctx, x.ID, in.Body.Password)
			}
			secret, err := g.cfg.Accounts.ResetSecret(ctx, x.ID)
			return &body[secretOut]{secretOut{secret}}, err
		})

	register(a, teachers, huma.Operation{OperationID: "remove-account", Method: http.MethodDelete, Path: "/accounts/{name}", Tags: tags, Summary: core.Say("Remove an account").Format,
		Description: "With its grants. What it has open ends."},
		func(ctx context.Context, _ caller, in *ByName) (*struct{}, error) {
			x, err := g.named(in.Name)
			if err == nil {
				err = g.cfg.Accounts.Remove(ctx, x.ID)
			}
			return nil, err
		})
}

func (a api) teams() {
	g := a.g
	tags := []string{"teams"}

	type team struct {
		Name  string `json:"name" maxLength:"64" doc:"The branch of its topics: a to z, 0 to 9 and -" example:"blue"`
		Label string `json:"label,omitempty" maxLength:"256" example:"파란 팀"`
	}
	register(a, members, huma.Operation{OperationID: "list-teams", Method: http.MethodGet, Path: "/teams", Tags: tags, Summary: core.Say("List teams").Format,
		Description: "A teacher sees all, anybody else its own."},
		func(_ context.Context, c caller, in *Paging) (*body[list[team]], error) {
			var all []team
			for _, x := range g.cfg.Accounts.Teams() {
				if c.Role == core.Teacher || x.Name == c.Team {
					all = append(all, team{string(x.Name), x.Label})
				}
			}
			return &body[list[team]]{part(*in, all, func(x team) string { return x.Name })}, nil
		})

	register(a, teachers, huma.Operation{OperationID: "add-team", Method: http.MethodPost, Path: "/teams", Tags: tags, Summary: core.Say("Add a team").Format, DefaultStatus: http.StatusCreated},
		func(ctx context.Context, _ caller, in *body[team]) (*body[team], error) {
			return in, g.cfg.Accounts.AddTeam(ctx, core.Team{Name: topic.ID(in.Body.Name), Label: in.Body.Label})
		})

	type relabel struct {
		ByName
		Body struct {
			Label string `json:"label" maxLength:"256"`
		}
	}
	register(a, teachers, huma.Operation{OperationID: "change-team", Method: http.MethodPatch, Path: "/teams/{name}", Tags: tags, Summary: core.Say("Change a team").Format},
		func(ctx context.Context, _ caller, in *relabel) (*body[team], error) {
			return &body[team]{team{in.Name, in.Body.Label}}, g.cfg.Accounts.ChangeTeam(ctx, core.Team{Name: topic.ID(in.Name), Label: in.Body.Label})
		})

	register(a, teachers, huma.Operation{OperationID: "remove-team", Method: http.MethodDelete, Path: "/teams/{name}", Tags: tags, Summary: core.Say("Remove a team").Format,
		Description: "With its grants. Its accounts stay, without a team."},
		func(ctx context.Context, _ caller, in *ByName) (*struct{}, error) {
			return nil, g.cfg.Accounts.RemoveTeam(ctx, topic.ID(in.Name))
		})
}

func (a api) grants() {
	g := a.g
	tags := []string{"grants"}

	type NewGrant struct {
		Account string `json:"account,omitempty" maxLength:"64" doc:"Who has it: an account, a team or a role."`
		Team    string `json:"team,omitempty" maxLength:"64" example:"blue"`
		Role    string `json:"role,omitempty" enum:"teacher,student,kit"`
		Action  string `json:"action" enum:"publish,subscribe"`
		Pattern string `json:"pattern" maxLength:"1024" doc:"A topic filter. {team}, {kit} and {account} stand for the account's own." example:"blue/#"`
	}
	type grant struct {
		ID int64 `json:"id" example:"7"`
		NewGrant
	}
	shown := func(c caller, x core.Grant) grant {
		return grant{x.ID, NewGrant{g.nameOf(c, x.Subject.Account), string(x.Subject.Team), string(x.Subject.Role), string(x.Action), x.Pattern}}
	}
	register(a, members, huma.Operation{OperationID: "list-grants", Method: http.MethodGet, Path: "/grants", Tags: tags, Summary: core.Say("List grants").Format,
		Description: "A teacher sees all, anybody else those it has."},
		func(_ context.Context, c caller, in *Paging) (*body[list[grant]], error) {
			var all []grant
			for _, x := range g.cfg.Accounts.Grants() {
				s := x.Subject
				if c.Role == core.Teacher || s.Account != 0 && s.Account == c.ID || s.Team != "" && s.Team == c.Team || s.Role != "" && s.Role == c.Role {
					all = append(all, shown(c, x))
				}
			}
			return &body[list[grant]]{part(*in, all, func(x grant) string { return sortable(x.ID) })}, nil
		})

	register(a, teachers, huma.Operation{OperationID: "add-grant", Method: http.MethodPost, Path: "/grants", Tags: tags, Summary: core.Say("Add a grant").Format, DefaultStatus: http.StatusCreated},
		func(ctx context.Context, c caller, in *body[NewGrant]) (*body[grant], error) {
			x := core.Grant{Subject: core.Subject{Team: topic.ID(in.Body.Team), Role: core.Role(in.Body.Role)}, Action: core.Action(in.Body.Action), Pattern: in.Body.Pattern}
			if in.Body.Account != "" {
				who, err := g.named(in.Body.Account)
				if err != nil {
					return nil, err
				}
				x.Subject.Account = who.ID
			}
			x, err := g.cfg.Accounts.Grant(ctx, x)
			if err != nil {
				return nil, err
			}
			return &body[grant]{shown(c, x)}, nil
		})

	type revokeIn struct {
		ID int64 `path:"id" example:"7"`
	}
	register(a, teachers, huma.Operation{OperationID: "revoke-grant", Method: http.MethodDelete, Path: "/grants/{id}", Tags: tags, Summary: core.Say("Revoke a grant").Format,
		Description: "What was open because of it narrows within a second."},
		func(ctx context.Context, _ caller, in *revokeIn) (*struct{}, error) {
			return nil, g.cfg.Accounts.Revoke(ctx, in.ID)
		})
}

// maxRecords is how far back refusals and the audit are paged.
const maxRecords = 1000

func (a api) records() {
	g := a.g
	tags := []string{"records"}

	type refusal struct {
		At     time.Time `json:"at" doc:"The latest time."`
		Count  int       `json:"count" doc:"How often."`
		Say    string    `json:"say" doc:"Who, what, and what can be done, in the reader's language."`
		Name   string    `json:"name,omitempty" doc:"Who, as it was sent."`
		Client string    `json:"client,omitempty" doc:"MQTT Client Identifier."`
		Addr   string    `json:"addr,omitempty" doc:"Where it came from; for teachers."`
		Action string    `json:"action,omitempty" doc:"The grant that was missing."`
		Topic  string    `json:"topic,omitempty"`
		key    string
	}
	register(a, members, huma.Operation{OperationID: "list-refusals", Method: http.MethodGet, Path: "/refusals", Tags: tags, Summary: core.Say("List what was refused").Format,
		Description: "Newest first. A teacher sees all, anybody else its own, and its team's kits'."},
		func(_ context.Context, c caller, in *Paging) (*body[list[refusal]], error) {
			rs := g.cfg.Records.RefusalsOf
			if c.Role == core.Teacher {
				rs = func(_ core.AccountID, n int) []core.Refusal { return g.cfg.Records.Refusals(n) }
			}
			var all []refusal
			for _, x := range rs(c.ID, maxRecords) {
				r := refusal{x.At, x.Count, g.cfg.Say(c.language, x.Say), x.Name, x.Client, "", string(x.Action), string(x.Topic), newestFirst(x.At, x.ID)}
				if c.Role == core.Teacher {
					r.Addr = x.Addr
				}
				all = append(all, r)
			}
			return &body[list[refusal]]{part(*in, all, func(x refusal) string { return x.key })}, nil
		})

	type audit struct {
		ID   int64     `json:"id"`
		At   time.Time `json:"at"`
		Name string    `json:"name,omitempty" doc:"Who; nobody where it was the program or its command line."`
		Say  string    `json:"say" doc:"What was changed, in the reader's language."`
	}
	register(a, teachers, huma.Operation{OperationID: "list-audit", Method: http.MethodGet, Path: "/audit", Tags: tags, Summary: core.Say("List who changed what").Format,
		Description: "Newest first."},
		func(_ context.Context, c caller, in *Paging) (*body[list[audit]], error) {
			var all []audit
			for _, x := range g.cfg.Records.Audit(maxRecords) {
				all = append(all, audit{x.ID, x.At, x.Name, g.cfg.Say(c.language, x.Say)})
			}
			return &body[list[audit]]{part(*in, all, func(x audit) string { return newestFirst(x.At, x.ID) })}, nil
		})
}

// newestFirst returns a key that rises from new to old.
func newestFirst(at time.Time, id int64) string {
	return sortable(math.MaxInt64-at.UnixNano()) + "-" + sortable(math.MaxInt64-id)
}

// holds reports whether one of ss holds text, whatever the case.
func holds(text string, ss ...string) bool {
	text = strings.ToLower(text)
	for _, s := range ss {
		if strings.Contains(strings.ToLower(s), text) {
			return true
		}
	}
	return false
}

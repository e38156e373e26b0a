package accounts

import (
	"context"
	"fmt"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

type auditStore interface {
	// AddAudit adds a. The newest 10,000 are kept, and of those by one account
	// that is no teacher the newest 1,000: nobody can write so much that what
	// others did is forgotten.
	AddAudit(ctx context.Context, a core.Audit) error
	// Audit returns the newest, first.
	Audit(ctx context.Context, limit int) ([]core.Audit, error)
}

// Note adds a change that another part made to the audit, as done by
// core.Actor(ctx). It is on the disk when Note returns.
func (s *Service) Note(ctx context.Context, say core.Sentence) error {
	if err := s.cfg.Store.AddAudit(ctx, s.view.Load().audit(core.Actor(ctx), say)); err != nil {
		return fmt.Errorf("accounts: note: %w", err)
	}
	return nil
}

// Audit returns at most limit of the changes that were made, newest first.
func (s *Service) Audit(limit int) []core.Audit {
	if limit <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	all, err := s.cfg.Store.Audit(ctx, limit)
	if err != nil {
		s.cfg.Log.Error("accounts: read audit", "err", err)
	}
	return all
}

// edit returns what goes with a change of v that core.Actor(ctx) makes.
func (v *view) edit(ctx context.Context, say ...core.Sentence) Edit {
	e := Edit{Revision: v.revision}
	for _, s := range say {
		e.Audit = append(e.Audit, v.audit(core.Actor(ctx), s))
	}
	return e
}

// audit is what is kept when by did what say says.
func (v *view) audit(by core.AccountID, say core.Sentence) core.Audit {
	a := core.Audit{At: time.Now(), Account: by, Say: tidy(say)}
	if m := v.byID[by]; m != nil {
		a.Name = string(m.Name)
	} else if by == core.Anyone {
		a.Name = string(anyone.Name)
	}
	return a
}

// tidy returns say with arguments that are fit to be kept and read.
func tidy(say core.Sentence) core.Sentence {
	args := make([]any, len(say.Args))
	for i, a := range say.Args {
		args[i] = core.Readable(fmt.Sprint(a), 256)
	}
	say.Args = args
	return say
}

func sayAdded(a core.Account) core.Sentence {
	switch a.Role {
	case core.Teacher:
		return core.Say("{name} was added as a teacher", "name", a.Name)
	case core.Kit:
		return core.Say("{name} was added as a kit", "name", a.Name)
	}
	return core.Say("{name} was added as a student", "name", a.Name)
}

// sayChanged says each thing that is different.
func sayChanged(old, a core.Account) (say []core.Sentence) {
	add := func(differs bool, s core.Sentence) {
		if differs {
			say = append(say, s)
		}
	}
	add(old.Label != a.Label, sayLabel(a.Name, a.Label))
	if old.Role != a.Role {
		add(a.Role == core.Teacher, core.Say("{name} became a teacher", "name", a.Name))
		add(a.Role == core.Student, core.Say("{name} became a student", "name", a.Name))
		add(a.Role == core.Kit, core.Say("{name} became a kit", "name", a.Name))
	}
	if old.Team != a.Team {
		add(a.Team != "", core.Say("{name} was put into team {team}", "name", a.Name, "team", a.Team))
		add(a.Team == "", core.Say("{name} was taken out of team {team}", "name", a.Name, "team", old.Team))
	}
	if old.Disabled != a.Disabled {
		add(a.Disabled, core.Say("{name} was disabled", "name", a.Name))
		add(!a.Disabled, core.Say("{name} was enabled", "name", a.Name))
	}
	if old.Mounted != a.Mounted {
		add(a.Mounted, core.Say("The topics of {name} are inside its team", "name", a.Name))
		add(!a.Mounted, core.Say("The topics of {name} are not inside its team any more", "name", a.Name))
	}
	add(old.Limits != a.Limits, core.Say("{name} has other limits", "name", a.Name))
	return say
}

// sayLabel is for an account or a team.
func sayLabel(name topic.ID, label string) core.Sentence {
	if label == "" {
		return core.Say("{name} has no display name any more", "name", name)
	}
	return core.Say("{name} has the display name {label}", "name", name, "label", label)
}

func (v *view) sayGrant(g core.Grant, given bool) core.Sentence {
	words := string(g.Action) + " " + g.Pattern
	var name topic.ID
	if m := v.byID[g.Subject.Account]; m != nil {
		name = m.Name
	}
	switch to := g.Subject; {
	case to.Account != 0 && given:
		return core.Say("Grant for {name}: {grant}", "name", name, "grant", words)
	case to.Account != 0:
		return core.Say("Grant revoked from {name}: {grant}", "name", name, "grant", words)
	case to.Team != "" && given:
		return core.Say("Grant for team {team}: {grant}", "team", to.Team, "grant", words)
	case to.Team != "":
		return core.Say("Grant revoked from team {team}: {grant}", "team", to.Team, "grant", words)
	case to.Role == core.Teacher && given:
		return core.Say("Grant for every teacher: {grant}", "grant", words)
	case to.Role == core.Teacher:
		return core.Say("Grant revoked from every teacher: {grant}", "grant", words)
	case to.Role == core.Student && given:
		return core.Say("Grant for every student: {grant}", "grant", words)
	case to.Role == core.Student:
		return core.Say("Grant revoked from every student: {grant}", "grant", words)
	case given:
		return core.Say("Grant for every kit: {grant}", "grant", words)
	}
	return core.Say("Grant revoked from every kit: {grant}", "grant", words)
}

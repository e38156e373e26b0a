package accounts

import (
	"context"
	"slices"
	"strings"

	"homeroom/core"
	"homeroom/core/topic"
)

// Authorize returns the real name of what the account calls f, and nil if it
// may do a to everything the real name selects. For core.Publish, f is the name
// published to. It asks memory only and does not allocate when the answer is
// yes and f is real: the broker asks for each message.
//
// What a mounted account calls its topics is in its team's branch
// (core.Account.Mounted), unless f begins with a branch that it knows by name
// or with "$". So an answer about a topic that everybody else calls f is yes
// only where real is f. The real name of a real name is that name.
//
// A no is a core.Problem of core.ErrDenied that says who, what, why, and what
// to do; or of core.ErrInvalid where the real name is longer than a topic may
// be. The real name comes with it.
func (s *Service) Authorize(id core.AccountID, a core.Action, f topic.Filter) (real topic.Filter, err error) {
	v := s.view.Load()
	m := v.byID[id]
	real = v.real(m, f)
	switch {
	case !s.mayAny(m, id, a, real) && (m == nil || !m.may(a, real)):
		return real, v.denial(m, id, a, real, f)
	case real != f && tooLong(real):
		return real, core.Fail(core.ErrInvalid, "{topic} is too long: in team {team} it becomes {team}/{topic}. Use at most {max} bytes and {levels} levels in all.",
			"topic", core.Readable(f, 128), "team", m.Team, "max", topic.MaxLen, "levels", topic.MaxLevels)
	}
	return real, nil
}

// real returns the real name of what m calls f.
func (v *view) real(m *member, f topic.Filter) topic.Filter {
	if m == nil || m.mount == "" || f == "" || f[0] == '$' {
		return f
	}
	branch, _, _ := strings.Cut(string(f), "/")
	if _, ok := v.byTeam[topic.ID(branch)]; ok || slices.Contains(m.branches, branch) {
		return f
	}
	return m.mount + f
}

func tooLong(f topic.Filter) bool {
	return len(f) > topic.MaxLen || strings.Count(string(f), "/") >= topic.MaxLevels
}

// mayAny reports whether f is allowed to everybody.
func (s *Service) mayAny(m *member, id core.AccountID, a core.Action, f topic.Filter) bool {
	return s.cfg.Open && (id == core.Anyone || m != nil && !m.Disabled) && f != "" &&
		(a == core.Subscribe || a == core.Publish && f[0] != '$' && !wild(f))
}

func (m *member) may(a core.Action, f topic.Filter) bool {
	if m.Disabled || f == "" || a == core.Publish && wild(f) {
		return false
	}
	for _, g := range m.allowed(a) {
		if g.Covers(f) {
			return true
		}
	}
	return false
}

func wild(f topic.Filter) bool {
	return strings.IndexByte(string(f), '+') >= 0 || strings.IndexByte(string(f), '#') >= 0
}

// compile adds what grants allow the member.
func (m *member) compile(grants []core.Grant) {
	for _, g := range grants {
		f, ok := fill(g.Pattern, m.Account)
		if !ok {
			continue
		}
		switch g.Action {
		case core.Publish:
			m.publish = append(m.publish, f)
		case core.Subscribe:
			m.subscribe = append(m.subscribe, f)
		}
		if branch, _, _ := strings.Cut(string(f), "/"); branch != "+" && branch != "#" && !slices.Contains(m.branches, branch) {
			m.branches = append(m.branches, branch)
		}
	}
}

// fill puts the account's own team and name into pattern. It returns false
// where the account has nothing from it.
func fill(pattern string, a core.Account) (topic.Filter, bool) {
	if strings.HasPrefix(pattern, "$share/") {
		return "", false // ParseFilter would take the prefix for a shared subscription's
	}
	levels := strings.Split(pattern, "/")
	for i, l := range levels {
		switch {
		case l == "{team}" && a.Team != "":
			levels[i] = string(a.Team)
		case l == "{kit}" && a.Role == core.Kit, l == "{account}":
			levels[i] = string(a.Name)
		case strings.ContainsAny(l, "{}"):
			return "", false
		}
	}
	f, err := topic.ParseFilter(strings.Join(levels, "/"))
	return f, err == nil
}

// longest fills every place with as much as there can be.
var longest = core.Account{
	Name: topic.ID(strings.Repeat("a", topic.MaxID)), Team: topic.ID(strings.Repeat("t", topic.MaxID)), Role: core.Kit,
}

// Grant adds g and returns it with its ID. Live sessions feel it at once.
func (s *Service) Grant(ctx context.Context, g core.Grant) (core.Grant, error) {
	if g.Action != core.Publish && g.Action != core.Subscribe {
		return core.Grant{}, core.Fail(core.ErrInvalid, "A grant is to publish or to subscribe. Choose one of them.")
	}
	for l := range strings.SplitSeq(g.Pattern, "/") {
		if strings.ContainsAny(l, "{}") && l != "{team}" && l != "{kit}" && l != "{account}" {
			return core.Grant{}, core.Fail(core.ErrInvalid, "{level} is not a place that can be filled in. Use {team}, {kit} or {account} as a whole level.",
				"level", core.Readable(l, 64), "team", "{team}", "kit", "{kit}", "account", "{account}")
		}
	}
	if _, ok := fill(g.Pattern, longest); !ok {
		return core.Grant{}, core.Fail(core.ErrInvalid, "{pattern} is not a topic filter. Write levels with / between them; + is one level, # all that follow.",
			"pattern", core.Readable(g.Pattern, 128))
	}
	err := s.edit(ctx, func(v *view) (err error) {
		if err := v.checkSubject(g.Subject); err != nil {
			return err
		}
		n := 0
		for _, old := range v.grants {
			if old.Subject != g.Subject {
				continue
			}
			if n++; old.Action == g.Action && old.Pattern == g.Pattern {
				return core.Fail(core.ErrConflict, "This grant exists already.")
			}
		}
		if n >= MaxGrants {
			return core.Fail(core.ErrInvalid, "There are {n} grants already, which is the most. Revoke some, or use one with a wildcard.", "n", n)
		}
		g.ID, err = s.cfg.Store.AddGrant(ctx, v.edit(ctx, v.sayGrant(g, true)), g)
		return err
	})
	if err != nil {
		return core.Grant{}, err
	}
	return g, nil
}

func (v *view) checkSubject(s core.Subject) error {
	switch {
	case s.Account != 0 && s.Team == "" && s.Role == "":
		if v.byID[s.Account] == nil {
			return notFound()
		}
	case s.Account == 0 && s.Team != "" && s.Role == "":
		if _, ok := v.byTeam[s.Team]; !ok {
			return noTeam(s.Team)
		}
	case s.Account == 0 && s.Team == "" && s.Role != "":
		return checkRole(s.Role)
	default:
		return core.Fail(core.ErrInvalid, "A grant is for one account, one team or one role. Choose one of them.")
	}
	return nil
}

// Revoke removes a grant. Live sessions feel it at once.
func (s *Service) Revoke(ctx context.Context, id int64) error {
	return s.edit(ctx, func(v *view) error {
		for _, g := range v.grants {
			if g.ID == id {
				return s.cfg.Store.RemoveGrant(ctx, v.edit(ctx, v.sayGrant(g, false)), id)
			}
		}
		return core.Fail(core.ErrNotFound, "This grant is gone already.")
	})
}

// denial says why m, which has id, may not do a to f, which it calls own.
func (v *view) denial(m *member, id core.AccountID, a core.Action, f, own topic.Filter) error {
	pub := a == core.Publish
	if m == nil && id == core.Anyone {
		m = &member{Account: anyone}
	}
	switch {
	case m == nil && id == 0:
		return core.Fail(core.ErrDenied, "Nobody is signed in. Sign in with a name and a password.")
	case m == nil:
		return core.Fail(core.ErrDenied, "This account was removed. Ask the teacher for a new one.")
	case m.Disabled:
		return disabled(m.Name)
	case pub && wild(f):
		return core.Fail(core.ErrDenied, "{name} may not publish to {topic}: + and # are only for subscribing. Publish to one topic.", "name", m.Name, "topic", f)
	case pub && strings.HasPrefix(string(f), "$"):
		return core.Fail(core.ErrDenied, "{name} may not publish to {topic}: topics that begin with $ are the broker's own. Publish to another topic.", "name", m.Name, "topic", f)
	case strings.HasPrefix(string(f), "$"):
		return core.Fail(core.ErrDenied, "{name} may not subscribe to {topic}: topics that begin with $ are for teachers. Ask the teacher for a grant.", "name", m.Name, "topic", f)
	}

	grants := m.allowed(a)
	branch, _, _ := strings.Cut(string(f), "/")
	other, foreign := v.byTeam[topic.ID(branch)]
	foreign = foreign && other.Name != m.Team
	mounted := f != own
	switch {
	case len(grants) == 0 && m.Team == "" && pub:
		return core.Fail(core.ErrDenied, "{name} may not publish to {topic}: {name} is in no team yet. Ask the teacher for a team.", "name", m.Name, "topic", f)
	case len(grants) == 0 && m.Team == "":
		return core.Fail(core.ErrDenied, "{name} may not subscribe to {topic}: {name} is in no team yet. Ask the teacher for a team.", "name", m.Name, "topic", f)
	case len(grants) == 0 && mounted && pub:
		return core.Fail(core.ErrDenied, "{name} may not publish to {own}: in team {team} that is {topic}, and {name} has no grant to publish. Ask the teacher for one.", "name", m.Name, "own", own, "team", m.Team, "topic", f)
	case len(grants) == 0 && mounted:
		return core.Fail(core.ErrDenied, "{name} may not subscribe to {own}: in team {team} that is {topic}, and {name} has no grant to subscribe. Ask the teacher for one.", "name", m.Name, "own", own, "team", m.Team, "topic", f)
	case len(grants) == 0 && pub:
		return core.Fail(core.ErrDenied, "{name} may not publish to {topic}: {name} has no grant to publish. Ask the teacher for one.", "name", m.Name, "topic", f)
	case len(grants) == 0:
		return core.Fail(core.ErrDenied, "{name} may not subscribe to {topic}: {name} has no grant to subscribe. Ask the teacher for one.", "name", m.Name, "topic", f)
	}
	if !pub {
		for _, g := range grants {
			less := both(f, g)
			switch {
			case less != "" && mounted:
				return core.Fail(core.ErrDenied, "{name} may not subscribe to {own}: in team {team} that is {topic}, which is more than {name} may read. Subscribe to {narrower} instead.", "name", m.Name, "own", own, "team", m.Team, "topic", f, "narrower", less)
			case less != "":
				return core.Fail(core.ErrDenied, "{name} may not subscribe to {topic}: that is more than {name} may read. Subscribe to {narrower} instead.", "name", m.Name, "topic", f, "narrower", less)
			}
		}
	}
	allowed := list(grants, pub)
	switch {
	case foreign && pub:
		return core.Fail(core.ErrDenied, "{name} may not publish to {topic}: {branch} is the branch of team {other}. Publish to {allowed} instead, or ask the teacher for a grant.", "name", m.Name, "topic", f, "branch", branch, "other", other.Title(), "allowed", allowed)
	case foreign:
		return core.Fail(core.ErrDenied, "{name} may not subscribe to {topic}: {branch} is the branch of team {other}. Subscribe to {allowed} instead, or ask the teacher for a grant.", "name", m.Name, "topic", f, "branch", branch, "other", other.Title(), "allowed", allowed)
	case mounted && pub:
		return core.Fail(core.ErrDenied, "{name} may not publish to {own}: in team {team} that is {topic}, and {name} may use {allowed} only. Ask the teacher for a grant, or publish there.", "name", m.Name, "own", own, "team", m.Team, "topic", f, "allowed", allowed)
	case mounted:
		return core.Fail(core.ErrDenied, "{name} may not subscribe to {own}: in team {team} that is {topic}, and {name} may use {allowed} only. Ask the teacher for a grant, or subscribe there.", "name", m.Name, "own", own, "team", m.Team, "topic", f, "allowed", allowed)
	case m.Team != "" && pub:
		return core.Fail(core.ErrDenied, "{name} may not publish to {topic}: team {team} may use {allowed} only. Ask the teacher for a grant, or publish there.", "name", m.Name, "topic", f, "team", m.Team, "allowed", allowed)
	case m.Team != "":
		return core.Fail(core.ErrDenied, "{name} may not subscribe to {topic}: team {team} may use {allowed} only. Ask the teacher for a grant, or subscribe there.", "name", m.Name, "topic", f, "team", m.Team, "allowed", allowed)
	case pub:
		return core.Fail(core.ErrDenied, "{name} may not publish to {topic}: {name} may use {allowed} only. Ask the teacher for a grant, or publish there.", "name", m.Name, "topic", f, "allowed", allowed)
	}
	return core.Fail(core.ErrDenied, "{name} may not subscribe to {topic}: {name} may use {allowed} only. Ask the teacher for a grant, or subscribe there.", "name", m.Name, "topic", f, "allowed", allowed)
}

// list names the first few of fs. Nobody publishes to a "#", so it becomes an
// ellipsis where names are meant.
func list(fs []topic.Filter, names bool) string {
	var b strings.Builder
	for i, f := range fs {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == 3 {
			b.WriteString("…")
			break
		}
		s := core.Readable(f, 128)
		if rest, ok := strings.CutSuffix(s, "#"); ok && names {
			s = rest + "…"
		}
		b.WriteString(s)
	}
	return b.String()
}

// both returns a filter for the names that f and g both select, or "" where
// there are none.
func both(f, g topic.Filter) topic.Filter {
	if strings.HasPrefix(string(f), "$") != strings.HasPrefix(string(g), "$") {
		return "" // a wildcard never crosses (MQTT 5.0, section 4.7.2)
	}
	fs, gs := strings.Split(string(f), "/"), strings.Split(string(g), "/")
	var out []string
	for i := 0; ; i++ {
		switch {
		case i == len(fs) && i == len(gs):
			return topic.Filter(strings.Join(out, "/"))
		case i == len(fs) && gs[i] == "#" || i == len(gs) && fs[i] == "#":
			return topic.Filter(strings.Join(out, "/")) // "a/#" selects "a" too
		case i == len(fs) || i == len(gs):
			return ""
		case fs[i] == "#":
			return topic.Filter(strings.Join(append(out, gs[i:]...), "/"))
		case gs[i] == "#":
			return topic.Filter(strings.Join(append(out, fs[i:]...), "/"))
		case fs[i] == gs[i] || gs[i] == "+":
			out = append(out, fs[i])
		case fs[i] == "+":
			out = append(out, gs[i])
		default:
			return ""
		}
	}
}

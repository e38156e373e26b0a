package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// school is everything a Gateway asks: teacher (1), ana and bo (2, 3) of team
// blue, kit-1 (4) of blue, and cleo (5) and kit-2 (6) of red, whose passwords
// are "right". What an account of a team calls x is x in its branch.
type school struct {
	mu       sync.Mutex
	open     bool
	claimed  bool
	accounts []core.Account
	teams    []core.Team
	grants   []core.Grant
	rows     []core.Live
	states   []core.TopicState
	ring     []core.Message
	kept     []core.Message
	clients  []core.Client
	plan     []core.Topic
	about    map[core.Series]core.Description
	trace    core.Trace
	refused  []core.Refusal
	sent     []core.Message
	watch    core.Watch
	hashed   int
	failing  error
}

func newSchool() *school {
	s := &school{claimed: true, teams: []core.Team{{Name: "blue", Label: "Blue"}, {Name: "red"}}, about: map[core.Series]core.Description{},
		grants: []core.Grant{{ID: 1, Subject: core.Subject{Role: core.Student}, Action: core.Publish, Pattern: "{team}/#"},
			{ID: 2, Subject: core.Subject{Team: "red"}, Action: core.Publish, Pattern: "secret/#"}}}
	for i, a := range []core.Account{{Name: "teacher", Role: core.Teacher}, {Name: "ana", Label: "<b>Ana</b>", Role: core.Student, Team: "blue"}, {Name: "bo", Role: core.Student, Team: "blue"},
		{Name: "kit-1", Role: core.Kit, Team: "blue"}, {Name: "cleo", Role: core.Student, Team: "red"}, {Name: "kit-2", Role: core.Kit, Team: "red"}} {
		a.ID, a.Version = core.AccountID(i+1), 1
		s.accounts = append(s.accounts, a)
	}
	return s
}

// find is called with mu held.
func (s *school) find(ok func(core.Account) bool) *core.Account {
	if i := slices.IndexFunc(s.accounts, ok); i >= 0 {
		return &s.accounts[i]
	}
	return nil
}

func (s *school) byName(n topic.ID) *core.Account {
	return s.find(func(a core.Account) bool { return a.Name == n })
}

func (s *school) byID(id core.AccountID) *core.Account {
	return s.find(func(a core.Account) bool { return a.ID == id })
}

func (s *school) Authenticate(_ context.Context, name, secret, _, _ string) (core.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hashed++
	switch a := s.byName(topic.ID(name)); {
	case secret == "guess":
		return core.Account{}, core.Fail(core.ErrDenied, "Too many wrong passwords for {name}. Wait {n} s and try again.", "name", name, "n", 7)
	case a != nil && secret == "right":
		return *a, nil
	}
	return core.Account{}, core.Fail(core.ErrDenied, "{name} could not sign in", "name", name)
}

func (s *school) Account(id core.AccountID) (core.Account, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.byID(id); a != nil {
		return *a, true
	}
	return core.Account{ID: core.Anyone, Name: "anyone", Role: core.Student, Version: 1}, s.open && id == core.Anyone
}

func (s *school) Authorize(id core.AccountID, a core.Action, f topic.Filter) (topic.Filter, error) {
	who, _ := s.Account(id)
	if s.open && id == core.Anyone || who.Role == core.Teacher {
		return f, nil
	}
	first, _, _ := strings.Cut(string(f), "/")
	if who.Team != "" && first != "blue" && first != "red" && f[0] != '$' {
		f = topic.Filter(who.Team) + "/" + f
	}
	if who.Team != "" && topic.Filter(who.Team+"/#").Covers(f) && (a == core.Subscribe || !strings.ContainsAny(string(f), "+#")) {
		return f, nil
	}
	return f, core.Fail(core.ErrDenied, "{name} may not {action} {topic}", "name", who.Name, "action", a, "topic", f)
}

func (s *school) Current(id core.AccountID, version int64) bool {
	a, ok := s.Account(id)
	return ok && a.Version == version
}

func (s *school) Claimed() bool { return s.claimed }

func (s *school) ClaimWithCode(_ context.Context, code, name, _, _ string) (core.Account, error) {
	if s.claimed {
		return core.Account{}, core.ErrConflict
	}
	if code != "12345678" {
		return core.Account{}, core.Fail(core.ErrDenied, "Wrong code.")
	}
	s.claimed = true
	return core.Account{ID: 1, Name: topic.ID(name), Version: 1}, nil
}

func (s *school) IssueTokens(_ context.Context, a core.Account, _ string) (core.Tokens, error) {
	return core.Tokens{Access: fmt.Sprintf("access-%d-%d", a.ID, a.Version), Refresh: fmt.Sprintf("refresh-%d", a.ID), Expires: 10 * time.Minute}, nil
}

func (s *school) VerifyToken(access string) (core.Account, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if access == fmt.Sprintf("access-%d-%d", a.ID, a.Version) {
			return a, time.Now().Add(time.Minute), nil
		}
	}
	return core.Account{}, time.Time{}, core.Fail(core.ErrDenied, "This sign-in is over. Sign in again.")
}

func (s *school) RefreshTokens(ctx context.Context, refresh, addr string) (core.Tokens, core.Account, error) {
	if refresh != "refresh-2" {
		return core.Tokens{}, core.Account{}, core.Fail(core.ErrDenied, "This sign-in is over. Sign in again.")
	}
	a, _ := s.Account(2)
	t, err := s.IssueTokens(ctx, a, addr)
	return t, a, err
}

func (s *school) RevokeTokens(context.Context, string) error { return s.failing }

func (s *school) MakeCode(_ context.Context, id core.AccountID, team topic.ID) (string, time.Time, error) {
	return fmt.Sprintf("code-%d-%s", id, team), time.Now().Add(time.Minute), nil
}

func (s *school) EnterWithCode(_ context.Context, code, _ string) (core.Account, error) {
	if code != "code-2-" {
		return core.Account{}, core.Fail(core.ErrDenied, "This code is wrong.")
	}
	a, _ := s.Account(2)
	return a, nil
}

func (s *school) Accounts() []core.Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(slices.Values(s.accounts), func(a, b core.Account) int { return cmp.Compare(a.Name, b.Name) })
}

func (s *school) Add(_ context.Context, a core.Account, password string) (core.Account, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName(a.Name) != nil {
		return core.Account{}, "", core.Fail(core.ErrConflict, "There is an account called {name} already.", "name", a.Name)
	}
	a.ID, a.Version = core.AccountID(len(s.accounts)+1), 1
	s.accounts = append(s.accounts, a)
	if password == "" {
		return a, "a random secret", nil
	}
	return a, "", nil
}

func (s *school) Change(_ context.Context, a core.Account) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.byID(a.ID)
	if a.Version != old.Version {
		return core.Fail(core.ErrConflict, "changed meanwhile")
	}
	a.Version++
	*old = a
	return nil
}

func (s *school) Remove(_ context.Context, id core.AccountID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts = slices.DeleteFunc(s.accounts, func(a core.Account) bool { return a.ID == id })
	return nil
}

func (s *school) SetPassword(_ context.Context, id core.AccountID, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID(id).Version++
	return nil
}

func (s *school) ResetSecret(ctx context.Context, id core.AccountID) (string, error) {
	return "another secret", s.SetPassword(ctx, id, "")
}

func (s *school) Teams() []core.Team { return s.teams }

func (s *school) AddTeam(_ context.Context, t core.Team) error {
	s.teams = append(s.teams, t)
	return nil
}

func (s *school) ChangeTeam(context.Context, core.Team) error { return nil }

func (s *school) RemoveTeam(context.Context, topic.ID) error { return nil }

func (s *school) Grants() []core.Grant { return s.grants }

func (s *school) Grant(_ context.Context, g core.Grant) (core.Grant, error) {
	g.ID = 9
	s.grants = append(s.grants, g)
	return g, nil
}

func (s *school) Revoke(_ context.Context, id int64) error {
	s.grants = slices.DeleteFunc(s.grants, func(g core.Grant) bool { return g.ID == id })
	return nil
}

func (s *school) Refusals(limit int) []core.Refusal {
	var all []core.Refusal
	for i := range min(limit, 250) {
		all = append(all, core.Refusal{ID: int64(1000 - i), At: time.UnixMilli(int64(1e12) - int64(i/3)), Count: 1, Addr: "10.0.0.9", Say: core.Say("refused {n}", "n", i)})
	}
	return all
}

func (s *school) RefusalsOf(id core.AccountID, _ int) []core.Refusal {
	return []core.Refusal{{At: time.UnixMilli(0), Count: 2, Account: id, Addr: "10.0.0.9", Say: core.Say("{name} may not", "name", "<b>ana</b>")}}
}

func (s *school) Audit(int) []core.Audit {
	return []core.Audit{{ID: 3, At: time.UnixMilli(5), Name: "teacher", Say: core.Say("{name} was added", "name", "x")}}
}

func (s *school) Topics(f topic.Filter) (ts []core.Topic) {
	for _, t := range s.plan {
		if f.Match(t.Name) {
			ts = append(ts, t)
		}
	}
	return ts
}

func (s *school) Topic(n topic.Name) (core.Topic, bool) {
	i := slices.IndexFunc(s.plan, func(t core.Topic) bool { return t.Name == n })
	if i < 0 {
		return core.Topic{}, false
	}
	return s.plan[i], true
}

func (s *school) Known(n topic.Name) bool { _, ok := s.Topic(n); return ok }

func (s *school) Hints(topic.Name) []core.Sentence { return []core.Sentence{core.Say("a hint")} }

func (s *school) CreateTopic(_ context.Context, t core.Topic) error {
	if s.Known(t.Name) {
		return core.Fail(core.ErrConflict, "{topic} is designed already.", "topic", t.Name)
	}
	s.plan = append(s.plan, t)
	slices.SortFunc(s.plan, func(a, b core.Topic) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

func (s *school) ChangeTopic(_ context.Context, t core.Topic) error {
	s.plan[slices.IndexFunc(s.plan, func(x core.Topic) bool { return x.Name == t.Name })] = t
	return nil
}

func (s *school) under(n topic.Name) (ns []topic.Name) {
	for _, t := range s.Topics(topic.Filter(n) + "/#") {
		ns = append(ns, t.Name)
	}
	return ns
}

func (s *school) MoveTopics(_ context.Context, from, to topic.Name, apply bool) (core.Effect, error) {
	e := core.Effect{Topics: s.under(from), Readings: 5, Grants: s.grants, Subscribers: s.clients}
	for i := range s.plan {
		if apply && slices.Contains(e.Topics, s.plan[i].Name) {
			s.plan[i].Name = to + s.plan[i].Name[len(from):]
		}
	}
	return e, nil
}

func (s *school) RemoveTopics(_ context.Context, n topic.Name, apply bool) (core.Effect, error) {
	e := core.Effect{Topics: s.under(n)}
	if apply {
		s.plan = slices.DeleteFunc(s.plan, func(t core.Topic) bool { return slices.Contains(e.Topics, t.Name) })
		e.Removal = s.Removals()[0]
	}
	return e, nil
}

func (s *school) Removals() []core.Removal {
	return []core.Removal{{ID: 1, Under: "blue/lab", Account: 1}, {ID: 2, Under: "red/lab", Account: 5}}
}

func (s *school) UndoRemove(context.Context, int64) error { return nil }

func (s *school) Publish(_ context.Context, m core.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, m)
	return s.failing
}

func (s *school) Retained(f topic.Filter, limit int) (ms []core.Message) {
	for _, m := range s.kept {
		if f.Match(m.Topic) && len(ms) < limit {
			ms = append(ms, m)
		}
	}
	return ms
}

func (s *school) Clients() []core.Client { return s.clients }

func (s *school) Disconnect(client string) error {
	if client != "kit-1" {
		return core.ErrNotFound
	}
	return nil
}

func (s *school) Watch(w core.Watch) { s.watch = w }

func (s *school) Watching() core.Watch { return s.watch }

func (s *school) Packets(after uint64) (ps []core.Packet, missed uint64) {
	for n := after + 1; n <= 3; n++ {
		ps = append(ps, core.Packet{N: n, Type: "PUBLISH", Client: "kit-1", Account: 4, Payload: []byte("\xff")})
	}
	return ps, 0
}

func (s *school) Refuse(r core.Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, r)
}

// values and past are the parts of a school whose methods would clash with others.
type (
	values struct{ *school }
	past   struct{ *school }
)

func (v values) Live(since uint64) ([]core.Live, uint64) {
	if since >= 9 {
		return nil, 9
	}
	return v.rows, 9
}

func (v values) Topics(uint64) ([]core.TopicState, uint64) { return v.states, 9 }

func (v values) Messages(after uint64, limit int) (ms []core.Message, next, lost uint64) {
	ms = v.ring[min(int(after), len(v.ring)):]
	ms = ms[:min(limit, len(ms))]
	return ms, after + uint64(len(ms)), 0
}

func (p past) Trace(context.Context, core.Series, time.Time, time.Time, int) (core.Trace, error) {
	return p.trace, p.failing
}

func (p past) Descriptions(context.Context) (map[core.Series]core.Description, error) {
	return p.about, nil
}

func (p past) ExportCSV(_ context.Context, w io.Writer, f topic.Filter, _, _ time.Time) error {
	if p.failing != nil {
		_, _ = io.WriteString(w, "half")
		return p.failing
	}
	_, err := fmt.Fprintf(w, "time,topic\n0,%s\n", f)
	return err
}

var errDisk = errors.New("the disk is full")

// emptyLab is a program in which nothing is designed; design_test.go has a real one.
type emptyLab struct{}

func (emptyLab) Design() *core.Design                                    { return &core.Design{} }
func (emptyLab) Arriving() []core.TopicState                             { return nil }
func (emptyLab) Change(context.Context, core.Batch) error                { return nil }
func (emptyLab) Edits() (undo, redo []core.Edit)                         { return nil, nil }
func (emptyLab) Undo(context.Context) (core.Edit, error)                 { return core.Edit{}, errNothing }
func (emptyLab) Redo(context.Context) (core.Edit, error)                 { return core.Edit{}, errNothing }
func (emptyLab) Problems(*core.Design, []core.TopicState) []core.Fix     { return nil }
func (emptyLab) Document(io.Writer, *core.Design, DocumentOptions) error { return nil }
func (emptyLab) Templates() []core.Template                              { return nil }
func (emptyLab) Boards() []core.Board                                    { return nil }
func (emptyLab) Press(topic.Name, topic.ID, bool) error                  { return errNothing }
func (emptyLab) Turn(topic.Name, topic.ID, string) error                 { return errNothing }
func (emptyLab) Break(topic.Name, core.Fault, bool) error                { return errNothing }
func (emptyLab) Recordings() []core.Recording                            { return nil }
func (emptyLab) Stop(context.Context, int64) error                       { return errNothing }
func (emptyLab) Remove(context.Context, int64) error                     { return errNothing }
func (emptyLab) Play(context.Context, core.Replay) error                 { return errNothing }
func (emptyLab) Playing() (core.Playing, bool)                           { return core.Playing{}, false }
func (emptyLab) Pause(bool)                                              {}
func (emptyLab) Seek(time.Duration)                                      {}
func (emptyLab) Halt()                                                   {}
func (emptyLab) Import(context.Context, []byte) (int, int, []core.FileFault, error) {
	return 0, 0, nil, errNothing
}
func (emptyLab) Select(*core.Design, string, []core.TopicState) (core.Selection, error) {
	return core.Selection{}, errNothing
}
func (emptyLab) FromTemplate(string, []topic.Name, bool, string) (core.Batch, error) {
	return core.Batch{}, errNothing
}
func (emptyLab) Recorded(context.Context, int64, time.Duration, int) ([]core.Message, error) {
	return nil, errNothing
}
func (emptyLab) Start(context.Context, string, topic.Filter) (core.Recording, error) {
	return core.Recording{}, errNothing
}

// noRules and noAlarms are the parts of an emptyLab whose methods clash.
type (
	noRules  struct{}
	noAlarms struct{}
)

func (noRules) States() []core.RuleState { return nil }
func (noRules) Resume(topic.ID) error    { return errNothing }
func (noRules) DryRun(context.Context, core.Rule, time.Time, time.Time) ([]core.Firing, error) {
	return nil, errNothing
}
func (noRules) Parse(string, func(topic.Name) (core.Topic, bool)) (core.Rule, error) {
	return core.Rule{}, errNothing
}
func (noRules) Text(core.Rule) string { return "" }
func (noRules) Sentence(core.Rule, func(topic.Name) (core.Topic, bool), func(topic.Name) string) (when, holds, then []core.Sentence) {
	return nil, nil, nil
}

func (noAlarms) States() []core.AlarmState                   { return nil }
func (noAlarms) Acknowledge(context.Context, topic.ID) error { return errNothing }

func nobodyKnows(context.Context, topic.Name, time.Time, func(topic.Name) bool) (core.Chain, error) {
	return core.Chain{}, errNothing
}

var errNothing = core.Fail(core.ErrNotFound, "There is nothing.")

package rooms

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// entry is one series as the screen knows it. Only the UI goroutine has it.
type entry struct {
	core.Live
	place
	words string // what a search looks in
	meant string // the unit that the property's name means
	calls bool   // an alarm of its topic does
	// truth is the topic where it was designed to be true or false.
	truth *core.Topic
}

// title is the name a person reads.
func (e *entry) title() string { return cmp.Or(e.Label, e.property) }

// isSwitch reports whether a number is one that kits often send for off and
// on: it was 0 and 1, and nothing else.
func (e *entry) isSwitch() bool {
	if e.Newest.Kind != core.Number || e.Unit != "" || e.meant != "" {
		return false
	}
	var seen [2]bool
	for _, r := range e.Spark {
		if r.Value != 0 && r.Value != 1 {
			return false
		}
		seen[int(r.Value)] = true
	}
	return seen[0] && seen[1]
}

// on reports whether the entry is on. It is not ok where it is neither on nor off.
// A word says so where the design has it; without a design only "on" and "off" do.
func (e *entry) on() (on, ok bool) {
	switch n := e.Newest; {
	case n.Kind == core.Boolean:
		return n.Value != 0, true
	case n.Kind == core.Number && (e.truth != nil || e.isSwitch()):
		return n.Value != 0, n.Value == 0 || n.Value == 1
	case n.Kind == core.Text && e.truth != nil:
		return e.truth.Truth(n.Text)
	case n.Kind == core.Text:
		word := strings.ToLower(strings.TrimSpace(n.Text))
		return word == "on", word == "on" || word == "off"
	}
	return false, false
}

// kind is what the entry is shown as.
func (e *entry) kind() core.Kind {
	if _, ok := e.on(); ok {
		return core.Boolean
	}
	return e.Newest.Kind
}

// draws returns t as the entry is shown. A state that began before the first
// reading in t and still holds is there, too.
func (e *entry) draws(t core.Trace) core.Trace {
	if t.Kind == core.Number && e.kind() == core.Boolean &&
		!slices.ContainsFunc(t.Spans, func(s core.Span) bool { return s.Min < 0 || s.Max > 1 }) {
		t.Kind = core.Boolean
	}
	if len(t.Spans) == 0 && len(t.Texts) == 0 && e.kind() != core.Number && !e.Newest.At.IsZero() {
		n := e.Newest
		if t.Kind = e.kind(); n.Kind == core.Text {
			t.Kind, t.Texts = core.Text, []core.Reading{n}
		} else {
			t.Spans = []core.Span{{First: n.At, Last: n.At, Min: n.Value, Max: n.Value, Sum: n.Value, N: 1, End: n.Value}}
		}
	}
	return t
}

// value says the newest value without its unit.
func (e *entry) value() string {
	switch e.kind() {
	case core.Number:
		return widget.FormatNumber(e.Newest.Value)
	case core.Boolean:
		on, _ := e.on()
		if e.truth != nil && len(e.truth.Options) == 2 {
			return widget.OneLine(e.truth.Word(on))
		}
		return widget.Word(on)
	}
	return widget.OneLine(e.Newest.Text)
}

// stale reports whether the newest value is so old that it says little: a
// number that came regularly and no longer does.
func (e *entry) stale(now time.Time) bool {
	limit := 10 * time.Minute
	if n := len(e.Spark); e.kind() == core.Number && n > 1 {
		usual := e.Spark[n-1].At.Sub(e.Spark[0].At) / time.Duration(n-1)
		limit = min(max(5*usual, 20*time.Second), 24*time.Hour)
	}
	return now.Sub(e.Newest.At) > limit
}

// section is one room of the overview.
type section struct {
	title, team string
	entries     []*entry
}

// choice is what the person wants to see.
type choice struct {
	search string
	team   string // a branch, anyTeam or noTeam
	all    bool   // commands and $-topics too
}

// Branches that are no team's; no branch is called so.
const (
	anyTeam = ""
	noTeam  = "#"
)

// model holds every series. Only the UI goroutine has it.
type model struct {
	entries map[core.Series]*entry
	teams   []core.Team
	titles  map[string]string // of the teams, by branch
	grown   bool              // sections would be different now
	design  *core.Design      // as the entries know it; nil before the first
	alarmed bool              // some entry calls
}

// merge takes rows and teams as they are now, and returns the entries that changed.
func (m *model) merge(rows []core.Live, teams []core.Team) []*entry {
	if !slices.Equal(teams, m.teams) || m.titles == nil {
		m.teams, m.titles, m.grown = teams, map[string]string{}, true
		for _, t := range teams {
			m.titles[string(t.Name)] = t.Title()
		}
	}
	changed := make([]*entry, 0, len(rows))
	for _, row := range rows {
		e := m.entries[row.Series]
		if row.Newest.At.IsZero() { // it was forgotten
			m.grown = m.grown || e != nil
			delete(m.entries, row.Series)
			continue
		}
		if e == nil {
			e = &entry{Live: row, place: placeOf(row.Series)}
			e.meant = meant(e.property)
			e.truth = m.truth(e.Series)
			m.entries[row.Series] = e
			m.grown = true
		}
		if e.words == "" || e.Description != row.Description {
			e.words = strings.ToLower(string(row.Series) + " " + row.Label + " " + row.Unit)
			m.grown = m.grown || e.Label != row.Label
		}
		e.Live = row
		changed = append(changed, e)
	}
	return changed
}

// drawn takes in the design, and returns the entries that changed.
func (m *model) drawn(d *core.Design) (changed []*entry) {
	if d == m.design {
		return nil
	}
	m.design = d
	for _, e := range m.entries {
		if t := m.truth(e.Series); t != nil || e.truth != nil {
			e.truth = t
			changed = append(changed, e)
		}
	}
	return changed
}

// truth returns the topic of a series that was designed to be true or false, or nil.
func (m *model) truth(s core.Series) *core.Topic {
	if m.design == nil || s.Leaf() != "" {
		return nil
	}
	if t := m.design.Topic(s.Topic()); t != nil && t.Kind == core.Boolean {
		return t
	}
	return nil
}

// alarm notes of which topics an alarm calls, and returns the entries that changed.
func (m *model) alarm(calling map[topic.Name]bool) (changed []*entry) {
	if len(calling) == 0 && !m.alarmed {
		return nil
	}
	m.alarmed = len(calling) > 0
	for _, e := range m.entries {
		if now := calling[e.Series.Topic()]; now != e.calls {
			e.calls = now
			changed = append(changed, e)
		}
	}
	return changed
}

// team returns the title of the entry's team, or its branch where it is no team's.
func (m *model) team(e *entry) string { return cmp.Or(m.titles[e.branch], e.branch) }

// matches reports whether the person wants to see e.
func (m *model) matches(e *entry, c choice, words []string) bool {
	if e.hidden && !c.all {
		return false
	}
	switch _, owned := m.titles[e.branch]; {
	case c.team == noTeam && owned, c.team != noTeam && c.team != anyTeam && e.branch != c.team:
		return false
	}
	for _, w := range words {
		if !strings.Contains(e.words, w) && !strings.Contains(strings.ToLower(m.team(e)), w) {
			return false
		}
	}
	return true
}

// sections returns what c selects, room by room: first the teams in their
// order, then other branches, last what has no room at all.
func (m *model) sections(c choice) []section {
	m.grown = false
	words := strings.Fields(strings.ToLower(c.search))
	var es []*entry
	for _, e := range m.entries {
		if m.matches(e, c, words) {
			es = append(es, e)
		}
	}
	order := map[string]int{}
	for i, t := range m.teams {
		order[string(t.Name)] = i - len(m.teams)
	}
	rank := func(e *entry) int {
		if e.branch == "" {
			return 1
		}
		return order[e.branch]
	}
	slices.SortFunc(es, func(a, b *entry) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			widget.Natural(a.branch, b.branch),
			widget.Natural(a.room, b.room),
			widget.Natural(a.kit, b.kit),
			widget.Natural(a.property, b.property),
			cmp.Compare(a.Series, b.Series),
		)
	})
	var out []section
	for i, e := range es {
		if i == 0 || e.branch != es[i-1].branch || e.room != es[i-1].room {
			s := section{title: e.room, team: m.team(e)}
			if e.room == "" {
				s.title, s.team = s.team, ""
			}
			if e.branch == "" {
				s.title = lang.L("Topics without a room")
			}
			out = append(out, s)
		}
		last := &out[len(out)-1]
		last.entries = append(last.entries, e)
	}
	return out
}

// alike returns the series that are the same property as of, in other teams
// first the same room and kit, in order. of is not among them.
func (m *model) alike(of *entry) []*entry {
	var same, like []*entry
	for _, e := range m.entries {
		switch {
		case e.branch == of.branch || e.property != of.property:
		case e.room == of.room && e.kit == of.kit:
			same = append(same, e)
		default:
			like = append(like, e)
		}
	}
	if len(same) == 0 {
		same = like
	}
	slices.SortFunc(same, func(a, b *entry) int { return widget.Natural(string(a.Series), string(b.Series)) })
	return same
}

// long names e among any others.
func (m *model) long(e *entry) string { return m.among(e, nil) }

// among names e among others: its title, and of kit, room and team those that
// not all of them share. No others means that nothing is shared.
func (m *model) among(e *entry, others []*entry) string {
	name := e.title()
	for _, part := range []func(*entry) string{
		m.team,
		func(e *entry) string { return e.room },
		func(e *entry) string { return e.kit },
	} {
		differs := func(o *entry) bool { return part(o) != part(e) }
		if p := part(e); p != "" && (others == nil || slices.ContainsFunc(others, differs)) {
			name += " · " + p
		}
	}
	return name
}

// branch returns the branch of a team's title among the choices, by its place
// in the list that teamChoices returns.
func (m *model) branch(i int) string {
	switch {
	case i <= 0:
		return anyTeam
	case i <= len(m.teams):
		return string(m.teams[i-1].Name)
	}
	return noTeam
}

// teamChoices returns what the filter by team offers.
func (m *model) teamChoices() []string {
	names := []string{lang.L("All teams")}
	taken := map[string]topic.ID{}
	for _, t := range m.teams {
		title := t.Title()
		if _, ok := taken[title]; ok {
			title += " (" + string(t.Name) + ")"
		}
		taken[title] = t.Name
		names = append(names, title)
	}
	return append(names, lang.L("Topics of no team"))
}

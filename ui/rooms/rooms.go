// Package rooms is the screen that shows every value by its room, and over
// time: cards with the newest value, and a chart of those that are opened.
package rooms

import (
	"context"
	"slices"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// History is what the screen reads and describes.
type History interface {
	// Live returns the series that changed after position since (0: all), and
	// the present position.
	Live(since uint64) ([]core.Live, uint64)
	Trace(ctx context.Context, s core.Series, from, to time.Time, points int) (core.Trace, error)
	Describe(ctx context.Context, s core.Series, d core.Description) error
	Forget(ctx context.Context, s core.Series) error
}

// Teams says whose branch is whose.
type Teams interface{ Teams() []core.Team }

// Plan says which topics are true or false, and in what words.
type Plan interface{ Design() *core.Design }

// Alarms says which topics somebody should look at.
type Alarms interface{ States() []core.AlarmState }

// How often things may be done.
const (
	regroupEvery = 500 * time.Millisecond // sorting all series anew
	retraceEvery = 250 * time.Millisecond // reading the traces of an open chart while it follows
)

// Screen shows the rooms.
type Screen struct {
	history History
	teams   Teams
	plan    Plan
	alarms  Alarms
	shell   widget.Shell
	now     func() time.Time

	since uint64 // used by Load only
	look  lookup // used by Load only

	mu      sync.Mutex
	arrived map[core.Series]core.Live // guarded by mu; loaded and not yet shown
	wanted  request                   // guarded by mu; what the chart asks for

	// Below: the UI goroutine only.
	model    model
	choice   choice
	soon     core.Series // is opened once it is known
	grouped  time.Time   // when sections were made
	aged     time.Time   // when ages were shown
	grid     *grid
	detail   *detail
	overview fyne.CanvasObject
	empty    *fyne.Container
	team     *fw.Select
	search   *widget.Entry
	content  *fyne.Container
}

// New returns the screen.
func New(h History, t Teams, p Plan, a Alarms, shell widget.Shell) *Screen {
	s := &Screen{
		history: h, teams: t, plan: p, alarms: a, shell: shell, now: time.Now,
		arrived: map[core.Series]core.Live{},
		model:   model{entries: map[core.Series]*entry{}},
	}
	s.look.traces = map[core.Series]core.Trace{}
	s.grid = newGrid(s.open)
	s.detail = newDetail(s)

	s.search = widget.NewEntry()
	s.search.SetPlaceHolder(lang.L("Search"))
	s.search.ActionItem = fw.NewIcon(theme.SearchIcon())
	s.search.OnChanged = func(text string) {
		s.choice.search = text
		s.regroup()
	}
	s.team = fw.NewSelect(s.model.teamChoices(), func(string) {
		if branch := s.model.branch(s.team.SelectedIndex()); branch != s.choice.team {
			s.choice.team = branch
			s.regroup()
		}
	})
	s.team.SetSelectedIndex(0)
	all := fw.NewCheck(lang.L("Show commands and presence"), func(on bool) {
		s.choice.all = on
		s.regroup()
	})
	s.empty = container.NewStack()
	wide := func(o fyne.CanvasObject, width float32) fyne.CanvasObject {
		return container.NewCenter(container.NewGridWrap(fyne.NewSize(width, o.MinSize().Height), o))
	}
	actions := []fyne.CanvasObject{all, wide(s.team, 170), wide(s.search, 240)}
	s.overview = widget.Page(s.Title(), actions, container.NewStack(s.grid.scroll, s.empty))
	s.content = container.NewStack(s.overview, s.detail.page)
	s.detail.page.Hide()
	s.regroup()
	s.grouped = time.Time{}
	return s
}

// Title names the screen.
func (s *Screen) Title() string { return lang.L("Rooms") }

// Icon is the screen's picture.
func (s *Screen) Icon() fyne.Resource { return theme.GridIcon() }

// Content is what the window shows.
func (s *Screen) Content() fyne.CanvasObject { return s.content }

// Stale is what makes the screen out of date.
func (s *Screen) Stale() core.Change {
	return core.MessagesChanged | core.SettingsChanged | core.AccountsChanged | core.AlarmsChanged | core.PlanChanged
}

// Load reads what changed since the last time, and the traces that an open
// chart needs and does not have.
func (s *Screen) Load(ctx context.Context) (show func(), err error) {
	rows, now := s.history.Live(s.since)
	s.since = now
	teams, design := s.teams.Teams(), s.plan.Design()
	calling := map[topic.Name]bool{}
	for _, st := range s.alarms.States() {
		if st.Ended.IsZero() {
			calling[st.Alarm.Topic] = true
		}
	}
	s.mu.Lock()
	for _, r := range rows {
		s.arrived[r.Series] = r // shown even where an earlier Load failed
	}
	want := s.wanted
	s.mu.Unlock()
	found, err := s.look.read(ctx, s.history, want, rows, s.now())
	if err != nil {
		return nil, err
	}
	return func() {
		s.show(teams, design, calling)
		s.detail.show(found)
	}, nil
}

// show merges what arrived and touches what is in view.
func (s *Screen) show(teams []core.Team, design *core.Design, calling map[topic.Name]bool) {
	s.mu.Lock()
	rows := make([]core.Live, 0, len(s.arrived))
	for _, r := range s.arrived {
		rows = append(rows, r)
	}
	clear(s.arrived)
	s.mu.Unlock()

	before := s.model.teams
	changed := slices.Concat(s.model.drawn(design), s.model.merge(rows, teams), s.model.alarm(calling))
	if !slices.Equal(before, s.model.teams) {
		s.offerTeams()
	}
	if s.soon != "" {
		s.open(s.soon)
	}
	now := s.now()
	if s.model.grown && apart(now, s.grouped, regroupEvery) {
		s.regroup()
		return
	}
	if s.detail.page.Visible() {
		return
	}
	if apart(now, s.aged, time.Second) {
		s.aged = now
		s.grid.age(now)
		return
	}
	s.grid.update(changed, now)
}

// apart reports whether two times are at least d apart. A clock that was set
// back does not make it wait.
func apart(a, b time.Time, d time.Duration) bool { return a.Sub(b).Abs() >= d }

// offerTeams keeps the chosen team while the list of teams changes.
func (s *Screen) offerTeams() {
	at := 0
	s.team.Options = s.model.teamChoices()
	for i := range s.team.Options {
		if s.model.branch(i) == s.choice.team {
			at = i
		}
	}
	s.choice.team = s.model.branch(at)
	s.team.SetSelectedIndex(at)
	s.team.Refresh()
}

// regroup shows the sections that the person's choice selects.
func (s *Screen) regroup() {
	s.grouped = s.now()
	sections := s.model.sections(s.choice)
	s.grid.set(sections, s.grouped)
	s.empty.RemoveAll()
	switch {
	case len(sections) > 0:
	case len(s.model.entries) == 0:
		s.empty.Add(widget.Empty(theme.GridIcon(), lang.L("No values yet"),
			lang.L("Each topic that something is published to appears here as a card, in the room that its name says."),
			fw.NewButton(lang.L("How to connect a kit"), func() { s.shell.Go("home") })))
	default:
		s.empty.Add(widget.Empty(theme.SearchIcon(), lang.L("Nothing matches"), "",
			fw.NewButton(lang.L("Show everything"), func() {
				s.choice = choice{all: s.choice.all}
				s.team.SetSelectedIndex(0)
				s.search.SetText("")
				s.regroup()
			})))
	}
}

// describe shows what a person said of a series before history tells it.
func (s *Screen) describe(series core.Series, said core.Description) {
	if e := s.model.entries[series]; e != nil {
		live := e.Live
		live.Description = said
		s.model.merge([]core.Live{live}, s.model.teams)
		s.regroup()
	}
	if len(s.detail.series) > 0 {
		s.detail.header()
		s.detail.draw(s.detail.chart.View())
	}
}

// Open shows the chart of the series that path names.
func (s *Screen) Open(path string) { s.open(core.Series(path)) }

// open shows the chart of a series, as soon as it is known.
func (s *Screen) open(series core.Series) {
	if s.soon = ""; s.model.entries[series] == nil {
		s.soon = series
		return
	}
	s.detail.open(series)
	s.overview.Hide()
	s.detail.page.Show()
	s.detail.focus()
	s.shell.Refresh()
}

// Back shows the overview again, and reports whether a chart was open.
func (s *Screen) Back() bool {
	if !s.detail.page.Visible() {
		return false
	}
	s.detail.close()
	s.detail.page.Hide()
	s.overview.Show()
	s.grid.place()
	s.shell.Refresh()
	return true
}

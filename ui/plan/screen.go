// Package plan is the screen on which the house is drawn: a tree and a canvas
// with one choice, an inspector, and live traffic painted on all of it.
package plan

import (
	"context"
	"slices"
	"strings"
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

// How often things may be done.
const (
	lookEvery = time.Second            // for what arrives, problems and refusals, while only values change
	lookAtAll = 500 * time.Millisecond // redrawing the house because something else arrives
	someEdits = 30                     // that the menus of undo and redo list
)

// Screen shows the plan.
type Screen struct {
	parts Parts
	sh    widget.Shell
	now   func() time.Time

	// Used by Load only.
	since    uint64
	looked   time.Time
	lastSeen facts

	// Below: the UI goroutine only.
	d        *core.Design
	values   map[topic.Name]core.TopicState
	facts    facts
	arriving []core.TopicState
	teams    []core.Team
	world    world
	pic      drawing
	choice   []item
	clip     clip
	fitNext  bool        // the next picture is shown whole
	pending  string      // what Open is to show when it is there
	naming   item        // whose name is to be typed when it is there
	choosing []item      // what is chosen when it is there
	wired    *core.Batch // takes the chosen wire away; nil where none is chosen
	redrawn  time.Time
	gestures [][]int64           // edits that were made with one, see together
	reds     map[topic.Name]bool // topics that are red now

	house      *widget.House
	tree       *tree
	inspector  *inspector
	problems   *problems
	playground *playground
	side       *sidebar
	tools      *toolbar
	palette    *palette
	status     *fw.Label
	legend     fyne.CanvasObject // beside it, while there is no hint
	foot       *fyne.Container   // of both
	hint       string
	invite     *invite
	work       fyne.CanvasObject
	content    *fyne.Container
}

// facts is what Load finds beside the values.
type facts struct {
	design   *core.Design
	arriving []core.TopicState
	meant    map[topic.Name]topic.Name
	clients  []core.Client
	accounts []core.Account
	teams    []core.Team
	refusals []core.Refusal
	boards   []core.Board
	rules    []core.RuleState
	undo     []core.Edit
	redo     []core.Edit
	fixes    []core.Fix
}

var _ editor = (*Screen)(nil)

// New returns the screen.
func New(p Parts, shell widget.Shell) *Screen {
	s := &Screen{parts: p, sh: shell, now: time.Now, d: &core.Design{}, values: map[topic.Name]core.TopicState{}, reds: map[topic.Name]bool{}, fitNext: true}
	s.house = widget.NewHouse()
	s.bind()
	s.tree = newTree(s)
	s.inspector = newInspector(s, p)
	s.tree.rename = s.inspector.focusName
	s.problems = newProblems(beside{s}, p.Plan)
	s.playground = newPlayground(beside{s}, p.Plan, p.Rights)
	s.side = newSidebar(s.inspector.content())
	s.tools = newToolbar(s)
	s.palette = newPalette(s.begin, func(below fyne.CanvasObject) { s.tools.menu(below, s.tools.templateItems()) }, s.say)
	s.status = widget.Cell("")
	s.status.SizeName = theme.SizeNameCaptionText
	s.status.Importance = fw.LowImportance
	s.invite = newInvite(p.Plan.Templates(), s.useTemplate, s.drawOwn, s.adoptAll, s.importFile)
	s.house.SetEmpty(lang.L("Take a room or a kit from above and put it here."))

	s.legend = newLegend()
	s.foot = container.NewBorder(nil, nil, nil, s.legend, s.status)
	middle := container.NewBorder(s.palette.content(), s.foot, nil, nil,
		widget.NewSurface(theme.ColorNameInputBackground, s.house))
	right := container.NewHSplit(middle, s.side.box)
	left := container.NewHSplit(widget.NewSurface(theme.ColorNameOverlayBackground, s.tree.content()), right)
	s.work = container.New(&shares{tree: left, inspector: right}, left)
	s.content = container.NewStack(widget.Page(s.Title(), s.tools.actions(), container.NewStack(s.work, s.invite.box)))
	s.invite.box.Hide()
	return s
}

// Title names the screen.
func (s *Screen) Title() string { return lang.L("Plan") }

// Icon is the screen's picture.
func (s *Screen) Icon() fyne.Resource { return roomIcon }

// Content is what the window shows.
func (s *Screen) Content() fyne.CanvasObject { return s.content }

// Undo takes back the newest edit, and Redo makes it again; the keys for it are
// the window's where neither the house nor a field has the keyboard.
func (s *Screen) Undo() { s.undo() }

// Redo is the other way.
func (s *Screen) Redo() { s.redo() }

// Stale is what makes the screen out of date.
func (s *Screen) Stale() core.Change {
	return core.PlanChanged | core.MessagesChanged | core.RefusalsChanged | core.ClientsChanged | core.BoardsChanged | core.RulesChanged | core.AccountsChanged
}

// Load reads the values that changed, and now and then everything else.
func (s *Screen) Load(context.Context) (show func(), err error) {
	rows, now := s.parts.Values.Topics(s.since)
	s.since = now
	f := s.lastSeen
	design := s.parts.Plan.Design()
	if at := s.now(); design != f.design || at.Sub(s.looked).Abs() >= lookEvery {
		s.looked = at
		f.arriving = s.parts.Plan.Arriving()
		if design != f.design || !sameTopics(f.arriving, s.lastSeen.arriving) {
			f.fixes = slices.DeleteFunc(slices.Clone(s.parts.Plan.Problems()), ofAttribute)
		}
		f.meant = map[topic.Name]topic.Name{}
		for _, a := range f.arriving[:min(len(f.arriving), strayTiles)] {
			if n, ok := s.parts.Plan.Meant(a.Last.Topic); ok {
				f.meant[a.Last.Topic] = n
			}
		}
		f.refusals = s.parts.Rights.Refusals(50)
		f.teams, f.accounts = s.parts.Rights.Teams(), s.parts.Rights.Accounts()
		f.undo, f.redo = s.parts.Plan.Edits()
		f.clients = s.parts.Clients.Clients()
		f.boards = s.parts.Boards.Boards()
		f.rules = s.parts.Rules.States()
	}
	f.design = design
	s.lastSeen = f
	return func() { s.show(f, rows) }, nil
}

// show merges what was found and touches what changed.
func (s *Screen) show(f facts, rows []core.TopicState) {
	at := s.now()
	for _, r := range rows {
		s.values[r.Last.Topic] = r
	}
	redesigned := f.design != s.d
	others := !slices.EqualFunc(f.arriving, s.arriving, func(a, b core.TopicState) bool { return a.Last.Topic == b.Last.Topic })
	if others { // the newest first: only who they are counts
		others = !sameTopics(f.arriving, s.arriving)
	}
	s.d, s.facts, s.teams = f.design, f, f.teams
	switch {
	case redesigned, s.awaits(), others && at.Sub(s.redrawn).Abs() >= lookAtAll:
		s.arriving = f.arriving
		s.redraw(at)
	default:
		s.paint(rows, at)
	}
	s.house.Commit(at)
	s.tools.show()
	s.sayStatus()
	s.tree.age(at, rows)
	s.inspector.age(at, rows)
	s.problems.see(f.fixes)
	s.playground.age(at, rows)
}

func sameTopics(a, b []core.TopicState) bool {
	if len(a) != len(b) {
		return false
	}
	names := make(map[topic.Name]bool, len(a))
	for _, t := range a {
		names[t.Last.Topic] = true
	}
	return !slices.ContainsFunc(b, func(t core.TopicState) bool { return !names[t.Last.Topic] })
}

// gather makes the world of the picture from what was found.
func (s *Screen) gather(at time.Time) world {
	w := world{design: s.d, arriving: s.arriving, meant: s.facts.meant, live: s.values,
		online: map[topic.ID]bool{}, boards: map[topic.Name]core.Board{}, refused: map[topic.ID]core.Refusal{}, rules: map[topic.ID]core.RuleState{}}
	names := make(map[core.AccountID]topic.ID, len(s.facts.accounts))
	for _, a := range s.facts.accounts {
		names[a.ID] = a.Name
		w.online[a.Name] = false
	}
	for _, c := range s.facts.clients {
		if n, ok := names[c.Account]; ok && c.Connected {
			w.online[n] = true
		}
	}
	for _, b := range s.facts.boards {
		w.boards[b.Kit.Name] = b
	}
	for _, r := range s.facts.refusals {
		if at.Sub(r.At).Abs() < redFor {
			w.red = append(w.red, r)
			if n := names[r.Account]; n != "" {
				w.refused[n] = r
			}
		}
	}
	for _, r := range s.facts.rules {
		w.rules[r.ID] = r
	}
	return w
}

// redraw draws the house anew.
func (s *Screen) redraw(at time.Time) {
	s.redrawn = at
	s.world = s.gather(at)
	s.pic = scene(s.world)
	s.house.SetScene(s.pic.HouseScene)
	s.reds = s.redTopics()
	s.choice = slices.DeleteFunc(s.choice, func(i item) bool { return !s.there(i) })
	s.followUp()
	s.house.Choose(s.ids(s.choice)...)
	empty := len(s.d.Places) == 0 && len(s.d.Topics) == 0
	s.invite.show(s.strays())
	if widget.SetVisible(s.invite.box, empty); empty {
		s.work.Hide()
	} else {
		s.work.Show()
	}
	if s.fitNext && !empty {
		s.fitNext = false
		s.house.Fit()
	}
	s.showParts()
}

// awaits reports whether what somebody waits for is there: the design may have
// been seen before it was known what to look for.
func (s *Screen) awaits() bool {
	return s.naming != (item{}) && s.there(s.naming) || len(s.choosing) > 0 && s.there(s.choosing[0])
}

// followUp chooses what somebody waits for: what was just made, or what Open named.
func (s *Screen) followUp() {
	if s.naming != (item{}) && s.there(s.naming) {
		s.choice, s.naming = []item{s.naming}, item{}
		s.house.Reveal(placeID(s.choice[0].place))
		s.inspector.show()
		s.inspector.focusName()
	}
	if len(s.choosing) > 0 && s.there(s.choosing[0]) {
		s.choice, s.choosing = s.choosing, nil
		s.house.Reveal(s.ids(s.choice)[0])
	}
	if s.pending != "" {
		path := s.pending
		s.pending = ""
		s.Open(path)
	}
}

// showParts tells the parts beside the canvas that the design or the choice is another.
func (s *Screen) showParts() {
	s.tree.show()
	s.inspector.show()
	s.problems.show()
	s.playground.show()
}

// there reports whether i is drawn.
func (s *Screen) there(i item) bool {
	if i.place != "" {
		return s.d.Place(i.place) != nil
	}
	if s.d.Topic(i.topic) != nil {
		return true
	}
	return slices.ContainsFunc(s.facts.arriving, func(t core.TopicState) bool { return t.Last.Topic == i.topic })
}

// strays is how many topics arrive without being designed, but for attributes.
func (s *Screen) strays() int {
	n := 0
	for _, a := range s.facts.arriving {
		if !hidden(a.Last.Topic) {
			n++
		}
	}
	return n
}

// redTopics are the topics of the picture that are red.
func (s *Screen) redTopics() map[topic.Name]bool {
	reds := map[topic.Name]bool{}
	if len(s.world.red) == 0 {
		return reds
	}
	for n := range s.pic.ports {
		for _, r := range s.world.red {
			if r.Topic.Match(n) || r.Topic.Match(n+"/set") {
				reds[n] = true
			}
		}
	}
	return reds
}

// paint shows values that changed, and what became red or no longer is.
func (s *Screen) paint(rows []core.TopicState, at time.Time) {
	s.world = s.gather(at)
	changed := make(map[topic.Name]bool, len(rows))
	for _, r := range rows {
		n := r.Last.Topic
		changed[n] = true
		if state, ok := strings.CutSuffix(string(n), "/set"); ok {
			changed[topic.Name(state)] = true
		}
	}
	reds := s.redTopics()
	for n := range reds {
		changed[n] = true
	}
	for n := range s.reds {
		changed[n] = true
	}
	s.reds = reds
	for n := range changed {
		for _, p := range s.pic.ports[n] {
			text, paint, when := s.world.value(n, p.design)
			s.house.SetPort(p.id, text, paint, when)
		}
		for _, l := range s.pic.links[n] {
			paint, when := s.world.pulse(n, l.command)
			s.house.SetLink(l.id, paint, when)
		}
	}
	for id, links := range s.pic.rules {
		paint, when := ruled(s.world.rules[id])
		for _, l := range links {
			s.house.SetLink(l, paint, when)
		}
	}
	for _, k := range s.pic.kits {
		online, known, note := s.world.kit(k)
		s.house.SetTile(placeID(k.Name), online, known, note)
	}
}

// ids are the IDs that items have in the picture.
func (s *Screen) ids(items []item) []string {
	var ids []string
	for _, i := range items {
		if i.place != "" {
			ids = append(ids, placeID(i.place))
			continue
		}
		for _, p := range s.pic.ports[i.topic] {
			ids = append(ids, p.id)
		}
		if _, ok := s.pic.loose[i.topic]; ok {
			ids = append(ids, looseID(i.topic))
		}
	}
	return ids
}

// design is part of editor.
func (s *Screen) design() *core.Design { return s.d }

// live is part of editor.
func (s *Screen) live(n topic.Name) (core.TopicState, bool) {
	t, ok := s.values[n]
	return t, ok
}

// chosen is part of editor.
func (s *Screen) chosen() []item { return s.choice }

// choose is part of editor.
func (s *Screen) choose(items ...item) {
	if s.take(items) {
		s.chose()
	}
}

// take makes items the choice, and reports whether they were not before.
func (s *Screen) take(items []item) bool {
	if slices.Equal(items, s.choice) {
		return false
	}
	s.choice = slices.Clone(items)
	ids := s.ids(items)
	s.house.Choose(ids...)
	if len(ids) > 0 {
		s.house.Reveal(ids[0])
	}
	return true
}

// beside is the editor for what stands in the place of the inspector: it stays
// there when it chooses something.
type beside struct{ *Screen }

func (b beside) choose(items ...item) {
	if b.take(items) {
		b.told()
	}
}

// chose tells everybody but the canvas of a choice, and shows what was chosen.
func (s *Screen) chose() {
	s.told()
	s.side.show(s.inspector.content(), "")
}

// told tells everybody but the canvas of a choice.
func (s *Screen) told() {
	s.wired = nil
	s.say("")
	s.tree.show()
	s.inspector.show()
	s.tools.show()
}

// shell is part of editor.
func (s *Screen) shell() widget.Shell { return s.sh }

// change is part of editor.
func (s *Screen) change(b core.Batch) {
	s.sh.Do(func(ctx context.Context) (func(), error) {
		err := s.parts.Plan.Change(ctx, b)
		// What was shown at once is shown as it is, too, where it failed.
		return s.sh.Refresh, err
	})
}

// Open chooses and shows the place or topic with that name.
func (s *Screen) Open(path string) {
	n := topic.Name(path)
	i := item{topic: n}
	if s.d.Place(n) != nil {
		i = item{place: n}
	}
	if !s.there(i) {
		if s.redrawn.IsZero() {
			s.pending = path // before the first load
		}
		return
	}
	s.choose(i)
	if ids := s.ids(s.choice); len(ids) > 0 {
		s.house.Reveal(ids[0])
	}
}

// Back closes what is beside the canvas, or lets go of the choice, and reports
// whether there was any.
func (s *Screen) Back() bool {
	if s.side.title != "" {
		s.side.show(s.inspector.content(), "")
		return true
	}
	had := len(s.choice) > 0
	s.choose()
	return had
}

// TypedKey is called by the window while nothing else has the keyboard.
func (s *Screen) TypedKey(k *fyne.KeyEvent) {
	if s.invite.box.Visible() {
		return
	}
	s.focus()
	s.house.TypedKey(k)
}

// focus gives the canvas the keyboard.
func (s *Screen) focus() { s.sh.Window().Canvas().Focus(s.house) }

// say shows what the pointer is on; "" shows the counts again.
func (s *Screen) say(text string) {
	s.hint = text
	s.sayStatus()
}

// sayStatus shows what is in the house, in numbers.
func (s *Screen) sayStatus() {
	text := s.hint
	if text == "" {
		at, alive := s.now(), 0
		for _, t := range s.d.Topics {
			if l, ok := s.values[t.Name]; ok && at.Sub(l.Last.At) < time.Minute {
				alive++
			}
		}
		text = lang.L("topics: {n} · alive: {alive} · not designed: {stray}", "n", len(s.d.Topics), "alive", alive, "stray", s.strays())
	}
	if s.status.Text != text {
		s.status.SetText(text)
	}
	if s.legend.Visible() != (s.hint == "") {
		widget.SetVisible(s.legend, s.hint == "")
		s.foot.Refresh()
	}
}

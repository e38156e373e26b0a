// Package messages is the screen on which every message can be watched: the
// tree of topics, the stream of messages, one message in full, and publishing.
package messages

import (
	"context"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// Broker is what the screen publishes with. Whoever gives it fills in who publishes.
type Broker interface {
	Publish(ctx context.Context, m core.Message) error
	Retained(f topic.Filter, limit int) []core.Message
}

// History is what the screen reads.
type History interface {
	Topics(since uint64) (rows []core.TopicState, now uint64)
	Messages(after uint64, limit int) (ms []core.Message, next uint64, lost uint64)
}

// Screen shows messages. Its fields belong to the UI goroutine, but for model.
type Screen struct {
	broker  Broker
	history History
	shell   widget.Shell
	model   *model

	content fyne.CanvasObject
	title   *fw.Label

	tree        *fw.Tree
	rows        map[string]*treeRow // by UID; those the tree drew last
	search      *widget.Entry
	filter      *widget.Entry
	filterError *fw.Label
	system      *fw.Check
	treeEmpty   fyne.CanvasObject
	opened      bool // the first topics were unfolded
	glowing     *fyne.Animation

	list        *fw.List
	listEmpty   fyne.CanvasObject
	listOld     fyne.CanvasObject // instead, where there were messages
	view        []entry           // what the list shows, oldest first
	came        uint64            // messages in scope so far
	pausedAt    uint64            // came when it was paused
	paused      bool
	frozen      []entry // the view when it was paused
	scopeLabel  *fw.Label
	everything  *fw.Button
	arrived     *fw.Label
	pause       *fw.Button
	clearStream *fw.Button

	inspector *inspector
	publisher *publisher
}

// New returns the screen.
func New(b Broker, h History, shell widget.Shell) *Screen {
	s := &Screen{broker: b, history: h, shell: shell, model: newModel(), rows: map[string]*treeRow{}}
	s.publisher = newPublisher(b, shell)
	s.inspector = newInspector(b, shell, s.publisher.fill)

	bottom := container.NewHSplit(widget.NewSurface(theme.ColorNameOverlayBackground, s.inspector.content), s.publisher.content)
	bottom.Offset = 0.56
	right := container.NewVSplit(s.buildStream(), bottom)
	right.Offset = 0.5
	body := container.NewHSplit(s.buildTree(), right)
	body.Offset = 0.3
	s.title = fw.NewLabel(lang.L("topics: {topics} · messages: {messages}", "topics", 0, "messages", 0))
	s.title.Importance = fw.LowImportance
	s.content = widget.Page(lang.L("Messages"), []fyne.CanvasObject{s.title}, body)
	return s
}

// Title is the screen's name.
func (s *Screen) Title() string { return lang.L("Messages") }

// Icon is the screen's picture in the navigation.
func (s *Screen) Icon() fyne.Resource { return theme.MailComposeIcon() }

// Content is the screen.
func (s *Screen) Content() fyne.CanvasObject { return s.content }

// Stale is what makes the screen out of date.
func (s *Screen) Stale() core.Change { return core.MessagesChanged }

// Load takes in what changed since the last Load, and returns how to show it.
func (s *Screen) Load(context.Context) (show func(), err error) {
	s.model.load(s.history, s.broker)
	look := s.inspector.load()
	return func() {
		look()
		s.show()
	}, nil
}

// show draws what changed: rows that can be seen, and nothing else.
func (s *Screen) show() {
	stream, came, grown := s.model.snapshot()
	s.came = came
	if grown {
		s.openFirst()
		s.tree.Refresh()
	} else {
		s.drawRows()
	}
	s.animate()
	if s.paused {
		s.tellArrived()
	} else {
		s.setView(stream)
	}
	s.inspectTopic()

	topics, shown, messages := s.model.totals()
	s.title.SetText(lang.L("topics: {topics} · messages: {messages}", "topics", topics, "messages", messages))
	widget.SetVisible(s.treeEmpty, shown == 0)
	gone := s.model.gone()
	widget.SetVisible(s.listEmpty, len(s.view) == 0 && !gone)
	widget.SetVisible(s.listOld, len(s.view) == 0 && gone)
}

// buildTree returns the left side.
func (s *Screen) buildTree() fyne.CanvasObject {
	s.search = widget.NewEntry()
	s.search.SetPlaceHolder(lang.L("Search in topics"))
	s.search.SetIcon(theme.SearchIcon())
	s.search.OnChanged = func(text string) {
		s.rescope(func(c *scope) { c.search = strings.ToLower(strings.TrimSpace(text)) })
	}
	s.filter = widget.NewEntry()
	s.filter.SetPlaceHolder(lang.L("Filter: {example}", "example", "+/+/lamp"))
	s.filterError = widget.Muted("")
	s.filterError.Importance = fw.DangerImportance
	s.filterError.Hide()
	s.filter.OnChanged = s.setFilter
	s.system = fw.NewCheck("$SYS", func(on bool) { s.rescope(func(c *scope) { c.system = on }) })

	s.tree = fw.NewTree(s.model.children, s.model.branch,
		func(bool) fyne.CanvasObject { return newTreeRow() },
		func(id string, _ bool, o fyne.CanvasObject) { s.drawRow(id, o.(*treeRow)) })
	s.tree.HideSeparators = true
	s.tree.OnSelected = s.selectNode
	s.tree.OnUnselected = func(string) { s.follow(root) }
	s.treeEmpty = widget.Empty(theme.StorageIcon(), lang.L("No topics here"),
		lang.L("A topic appears with its first message. If there should be some, clear the search and the filter above."), nil)

	boxes := container.New(layout.NewCustomPaddedVBoxLayout(4), s.search,
		container.NewBorder(nil, nil, nil, s.system, s.filter), s.filterError)
	return widget.NewSurface(theme.ColorNameOverlayBackground,
		container.NewBorder(boxes, nil, nil, nil, container.NewStack(s.tree, s.treeEmpty)))
}

// buildStream returns the upper right side.
func (s *Screen) buildStream() fyne.CanvasObject {
	s.list = fw.NewList(
		func() int { return len(s.view) },
		func() fyne.CanvasObject { return newStreamRow() },
		func(i fw.ListItemID, o fyne.CanvasObject) {
			if i < len(s.view) {
				e := s.view[len(s.view)-1-i]
				o.(*streamRow).show(e, e.missed == 0 && s.inspector.seq == e.seq)
			}
		})
	s.list.HideSeparators = true
	s.list.OnSelected = s.selectEntry
	s.listEmpty = widget.Empty(theme.MailComposeIcon(), lang.L("No messages here"),
		lang.L("They appear as they arrive. Publish one below, or let a kit connect and publish."), nil)

	s.listOld = widget.Empty(theme.HistoryIcon(), lang.L("No newer messages here"),
		lang.L("The last one is older than what is kept here. Choose its topic in the tree to see it."), nil)
	s.listOld.Hide()

	s.scopeLabel = widget.Cell(lang.L("Newest messages"))
	s.scopeLabel.TextStyle.Bold = true
	s.everything = fw.NewButtonWithIcon(lang.L("Show all"), theme.CancelIcon(), func() { s.tree.UnselectAll() })
	s.everything.Importance = fw.LowImportance
	s.everything.Hide()
	s.arrived = fw.NewLabel("")
	s.arrived.Importance = fw.WarningImportance
	s.arrived.Hide()
	s.pause = fw.NewButtonWithIcon(lang.L("Pause"), theme.MediaPauseIcon(), s.togglePause)
	s.clearStream = fw.NewButtonWithIcon(lang.L("Clear"), theme.ContentClearIcon(), s.clear)
	top := container.NewBorder(nil, nil, nil, container.NewHBox(s.arrived, s.everything, s.pause, s.clearStream), s.scopeLabel)
	return widget.NewSurface(theme.ColorNameOverlayBackground,
		container.NewBorder(container.New(layout.NewCustomPaddedVBoxLayout(0), top, newStreamHead()), nil, nil, nil,
			container.NewStack(s.list, s.listEmpty, s.listOld)))
}

// rescope changes what is seen, at once in the tree and soon in the stream.
func (s *Screen) rescope(change func(*scope)) {
	if s.model.rescope(change) {
		s.openMatches()
		s.tree.Refresh()
	}
	all := s.view // narrower at once; what is missing comes with the next Load
	if s.paused {
		all = s.frozen
	}
	now := s.model.present()
	s.setView(slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return e.missed == 0 && !now.message(e.Topic) }))
	_, shown, _ := s.model.totals()
	widget.SetVisible(s.treeEmpty, shown == 0)
	s.shell.Refresh()
}

func (s *Screen) setFilter(text string) {
	var f topic.Filter
	problem := ""
	if text = strings.TrimSpace(text); text != "" {
		var err error
		if f, err = topic.ParseFilter(text); err != nil {
			problem = explainFilter(text)
		}
	}
	s.filterError.SetText(problem)
	widget.SetVisible(s.filterError, problem != "")
	if problem == "" {
		s.rescope(func(c *scope) { c.filter = f })
	}
}

// openFirst unfolds the first topics that are seen, as far as they fit.
func (s *Screen) openFirst() {
	if s.opened {
		return
	}
	s.opened = s.unfold(40)
}

// openMatches unfolds what a search found, where it is little.
func (s *Screen) openMatches() {
	if s.search.Text != "" || s.filter.Text != "" {
		s.unfold(200)
	}
}

// unfold opens branches level by level while at most that many rows show. It
// reports whether there were any rows.
func (s *Screen) unfold(rows int) bool {
	level := s.model.children(root)
	total := len(level)
	for len(level) > 0 {
		var next, open []string
		for _, id := range level {
			if kids := s.model.children(id); len(kids) > 0 {
				open = append(open, id)
				next = append(next, kids...)
			}
		}
		if total += len(next); total > rows {
			break
		}
		for _, id := range open {
			if !s.tree.IsBranchOpen(id) {
				s.tree.OpenBranch(id)
			}
		}
		level = next
	}
	return total > 0
}

// drawRow shows a node in a row of the tree and remembers which row has it.
func (s *Screen) drawRow(id string, r *treeRow) {
	if r.uid != id && s.rows[r.uid] == r {
		delete(s.rows, r.uid)
	}
	r.uid = id
	s.rows[id] = r
	s.model.look(id, func(n *node) { r.show(n, time.Now()) })
}

func (s *Screen) drawRows() {
	for id, r := range s.rows {
		s.model.look(id, func(n *node) { r.show(n, time.Now()) })
	}
}

// animate lets the marks of what changed fade, and stops when all have.
func (s *Screen) animate() {
	if s.glowing != nil || !s.anyWarm() {
		return
	}
	s.glowing = fyne.NewAnimation(glow, func(float32) {
		now := time.Now()
		for id, r := range s.rows {
			s.model.look(id, func(n *node) { r.tint(heat(n.fresh, now)) })
		}
		if s.glowing != nil && !s.anyWarm() {
			s.glowing.Stop()
			s.glowing = nil
		}
	})
	s.glowing.RepeatCount = fyne.AnimationRepeatForever
	s.glowing.Start()
}

func (s *Screen) anyWarm() (warm bool) {
	now := time.Now()
	for id := range s.rows {
		s.model.look(id, func(n *node) { warm = warm || heat(n.fresh, now) > 0 })
	}
	return warm
}

// selectNode shows a topic in full, and only it and what is below it in the stream.
func (s *Screen) selectNode(id string) {
	if s.model.branch(id) && !s.tree.IsBranchOpen(id) {
		s.tree.OpenBranch(id)
	}
	s.inspector.clear()
	s.inspector.uid = id
	s.inspectTopic()
	s.follow(id)
	s.list.Refresh()
}

// follow makes the stream show what is at or below a node.
func (s *Screen) follow(id string) {
	s.scopeLabel.SetText(lang.L("Newest messages"))
	if id != root {
		s.scopeLabel.SetText(lang.L("Newest messages of {topic}", "topic", brief([]byte(strings.TrimSuffix(id, "/")))))
	}
	widget.SetVisible(s.everything, id != root)
	s.rescope(func(c *scope) { c.under = id })
}

// selectEntry shows a message of the stream in full.
func (s *Screen) selectEntry(i fw.ListItemID) {
	s.list.UnselectAll() // the row draws the mark itself: it moves with its message
	if i >= len(s.view) {
		return
	}
	e := s.view[len(s.view)-1-i]
	if e.missed > 0 {
		return
	}
	s.inspector.message(e)
	s.list.Refresh()
	s.shell.Refresh()
}

// inspectTopic keeps the inspector true to the topic selected in the tree.
func (s *Screen) inspectTopic() {
	if s.inspector.uid == root {
		return
	}
	var state core.TopicState
	var below int
	var count uint64
	here := false
	s.model.look(s.inspector.uid, func(n *node) { state, here, below, count = n.state, n.here, n.topics, n.count })
	if here {
		s.inspector.topic(state)
	} else {
		s.inspector.branch(strings.TrimSuffix(s.inspector.uid, "/"), below, count)
	}
}

func (s *Screen) togglePause() {
	s.paused = !s.paused
	if s.paused {
		s.frozen, s.pausedAt = s.view, s.came
		s.pause.SetText(lang.L("Continue"))
		s.pause.SetIcon(theme.MediaPlayIcon())
		s.pause.Importance = fw.HighImportance
		s.tellArrived()
	} else {
		s.frozen = nil
		s.pause.SetText(lang.L("Pause"))
		s.pause.SetIcon(theme.MediaPauseIcon())
		s.pause.Importance = fw.MediumImportance
		s.setView(s.model.entries())
	}
	widget.SetVisible(s.arrived, s.paused)
	s.pause.Refresh()
}

func (s *Screen) tellArrived() {
	s.arrived.SetText(lang.L("arrived meanwhile: {n}", "n", s.came-s.pausedAt))
}

func (s *Screen) clear() {
	s.model.clear()
	if s.paused {
		s.togglePause()
	}
	s.setView(nil)
	s.listEmpty.Show()
}

// setView shows other entries. Who has scrolled down keeps looking at the same ones.
func (s *Screen) setView(view []entry) {
	if slices.EqualFunc(view, s.view, func(a, b entry) bool { return a.seq == b.seq && a.missed == b.missed }) {
		return
	}
	offset := s.list.GetScrollOffset()
	added := 0
	if len(s.view) > 0 && offset > 0 {
		newest := s.view[len(s.view)-1].seq
		for i := len(view) - 1; i >= 0 && view[i].seq > newest; i-- {
			added++
		}
	}
	s.view = slices.Clip(view)
	s.list.Refresh()
	if added > 0 {
		height := newStreamRow().MinSize().Height + theme.Padding()
		s.list.ScrollToOffset(offset + float32(added)*height)
	}
}

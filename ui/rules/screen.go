package rules

import (
	"context"
	"net/url"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// Screen shows rules and alarms.
type Screen struct {
	p   Parts
	sh  widget.Shell
	now func() time.Time

	// Used by Load only.
	since, sinceLive uint64

	// Below: the UI goroutine only.
	d       *core.Design // nil before the first Load
	states  map[topic.ID]core.RuleState
	calling map[topic.ID]core.AlarmState
	values  map[topic.Name]core.TopicState
	sparks  map[topic.Name][]core.Reading
	pending string // what Open is to show when the design is there

	list    *list
	rule    *ruleSheet
	alarm   *alarmSheet
	invite  fyne.CanvasObject
	content fyne.CanvasObject
}

// New returns the screen.
func New(p Parts, shell widget.Shell) *Screen {
	s := &Screen{p: p, sh: shell, now: time.Now, states: map[topic.ID]core.RuleState{}, calling: map[topic.ID]core.AlarmState{},
		values: map[topic.Name]core.TopicState{}, sparks: map[topic.Name][]core.Reading{}}
	s.list = newList(s)
	s.rule = newRuleSheet(s)
	s.alarm = newAlarmSheet(s)
	s.invite = s.newInvite()
	body := container.NewHSplit(s.list.content, container.NewStack(s.invite, s.rule.content, s.alarm.content))
	body.Offset = 0.27
	s.content = widget.Page(lang.L("Rules and alarms"), nil, body)
	s.draw()
	return s
}

// Title names the screen.
func (s *Screen) Title() string { return lang.L("Rules") }

// Icon is the screen's picture.
func (s *Screen) Icon() fyne.Resource { return theme.ListIcon() }

// Content is what the window shows.
func (s *Screen) Content() fyne.CanvasObject { return s.content }

// Stale is what makes the screen out of date.
func (s *Screen) Stale() core.Change {
	return core.PlanChanged | core.RulesChanged | core.AlarmsChanged | core.MessagesChanged
}

// Load reads what there is and what changed.
func (s *Screen) Load(context.Context) (show func(), err error) {
	d, states, calling := s.p.Plan.Design(), s.p.Engine.States(), s.p.Alarms.States()
	rows, now := s.p.Values.Topics(s.since)
	s.since = now
	live, now := s.p.Values.Live(s.sinceLive)
	s.sinceLive = now
	return func() {
		for _, r := range rows {
			s.values[r.Last.Topic] = r
		}
		for _, l := range live {
			if l.Series.Leaf() == "" {
				s.sparks[l.Series.Topic()] = l.Spark
			}
		}
		clear(s.states)
		for _, st := range states {
			s.states[st.ID] = st
		}
		clear(s.calling)
		for _, st := range calling {
			s.calling[st.Alarm.ID] = st
		}
		s.d = d
		s.followUp()
		s.draw()
	}, nil
}

// followUp shows what Open asked for.
func (s *Screen) followUp() {
	if path := s.pending; path != "" && s.d != nil {
		s.pending = ""
		s.Open(path)
	}
}

// Open shows the rule with that ID, "new/FROM/TO" a new rule between two topics,
// and "alarm/TOPIC" the alarms of a topic, or a new one. Topics are path-escaped.
func (s *Screen) Open(path string) {
	if s.d == nil {
		s.pending = path
		return
	}
	kind, rest, more := strings.Cut(path, "/")
	switch {
	case more && kind == "new":
		from, to, _ := strings.Cut(rest, "/")
		s.leave(func() { s.openBetween(unescape(from), unescape(to)) })
	case more && kind == "alarm":
		n := unescape(rest)
		for _, a := range s.d.Alarms {
			if a.Topic == n {
				s.list.section(true)
				s.chooseAlarm(a.ID)
				return
			}
		}
		s.list.section(true)
		s.leave(func() { s.alarm.begin(s.newAlarm(n)) })
	case s.d.Rule(topic.ID(path)) != nil:
		s.list.section(false)
		s.chooseRule(topic.ID(path))
	default:
		s.sh.Tell(lang.L("The rule {rule} is gone.", "rule", path))
	}
}

func unescape(s string) topic.Name {
	if text, err := url.PathUnescape(s); err == nil {
		return topic.Name(text)
	}
	return topic.Name(s)
}

// openBetween begins a rule that sets one topic from another. A command topic
// stands for what it commands.
func (s *Screen) openBetween(from, to topic.Name) {
	s.list.section(false)
	a, b := s.topicOf(from), s.topicOf(to)
	if a == nil || b == nil {
		n := from
		if a != nil {
			n = to
		}
		s.sh.Tell(lang.L("{topic} is not designed. Adopt it on the screen Plan first.", "topic", n))
		return
	}
	r := between(*a, *b)
	r.ID = s.ruleID(level(b.Name) + "-" + level(a.Name))
	r.Label = lang.L("{from} sets {to}", "from", s.title(a.Name), "to", s.title(b.Name))
	s.rule.begin(r)
}

// topicOf returns what was designed about n, or about what it commands.
func (s *Screen) topicOf(n topic.Name) *core.Topic {
	if s.d == nil {
		return nil
	}
	if t := s.d.Topic(n); t != nil {
		return t
	}
	if state, ok := strings.CutSuffix(string(n), "/set"); ok {
		return s.d.Topic(topic.Name(state))
	}
	return nil
}

// title is what a topic is called.
func (s *Screen) title(n topic.Name) string {
	if t := s.topicOf(n); t != nil && t.Label != "" {
		return t.Label
	}
	return level(n)
}

func (s *Screen) ruleID(words string) topic.ID {
	return newID(words, "rule", func(id topic.ID) bool { return s.d.Rule(id) != nil })
}

func (s *Screen) alarmID(words string) topic.ID {
	return newID(words, "alarm", func(id topic.ID) bool { return s.d.Alarm(id) != nil })
}

// sheet is what is at the right.
type sheet interface {
	open() bool
	dirty() bool
	save(then func())
	close()
}

// shown returns the sheet that is open, or nil.
func (s *Screen) shown() sheet {
	for _, sh := range []sheet{s.rule, s.alarm} {
		if sh.open() {
			return sh
		}
	}
	return nil
}

// leave closes what is open and goes on; where something was not saved it asks.
func (s *Screen) leave(then func()) {
	sh := s.shown()
	goOn := func() {
		if sh != nil {
			sh.close()
		}
		then()
		s.draw()
	}
	if sh == nil || !sh.dirty() {
		goOn()
		return
	}
	var box *dialog.CustomDialog
	button := func(text string, importance fw.Importance, do func()) fyne.CanvasObject {
		b := fw.NewButton(text, func() {
			box.Hide()
			do()
		})
		b.Importance = importance
		return b
	}
	box = dialog.NewCustomWithoutButtons(lang.L("Save what you changed?"),
		widget.Middle(420, widget.Text(lang.L("What you changed here is not saved yet."))), s.sh.Window())
	box.SetButtons([]fyne.CanvasObject{
		button(lang.L("Keep editing"), fw.MediumImportance, s.list.follow),
		button(lang.L("Discard"), fw.DangerImportance, goOn),
		button(lang.L("Save"), fw.HighImportance, func() { sh.save(goOn) }),
	})
	box.Show()
}

// chooseRule shows a rule.
func (s *Screen) chooseRule(id topic.ID) {
	if s.rule.open() && s.rule.id == id {
		return
	}
	s.leave(func() {
		if r := s.d.Rule(id); r != nil {
			s.rule.show(*r)
		}
	})
}

// chooseAlarm shows an alarm.
func (s *Screen) chooseAlarm(id topic.ID) {
	if s.alarm.open() && s.alarm.id == id {
		return
	}
	s.leave(func() {
		if a := s.d.Alarm(id); a != nil {
			s.alarm.show(*a)
		}
	})
}

// change makes one edit, then goes on with the design as it is after it.
func (s *Screen) change(b core.Batch, then func()) {
	s.sh.Do(func(ctx context.Context) (func(), error) {
		if err := s.p.Plan.Change(ctx, b); err != nil {
			return nil, err
		}
		d := s.p.Plan.Design()
		return func() {
			s.d = d
			then()
			s.draw()
			s.sh.Refresh()
		}, nil
	})
}

// draw shows what is known.
func (s *Screen) draw() {
	sh := s.shown()
	widget.SetVisible(s.invite, sh == nil)
	if s.d != nil {
		s.rule.draw()
		s.alarm.draw()
	}
	widget.SetVisible(s.rule.content, s.rule.open())
	widget.SetVisible(s.alarm.content, s.alarm.open())
	s.list.draw()
}

// newInvite is what is shown while nothing is chosen: templates.
func (s *Screen) newInvite() fyne.CanvasObject {
	heading := fw.NewLabelWithStyle(lang.L("When something happens, do something"), fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	heading.SizeName = theme.SizeNameSubHeadingText
	cards := make([]fyne.CanvasObject, 0, 8)
	for _, t := range s.p.Library.Templates() {
		cards = append(cards, templateButton(t, func() { s.fromTemplate(t) }))
	}
	cards = append(cards, plainButton(lang.L("An empty rule"), theme.DocumentCreateIcon(), s.emptyRule))
	about := widget.Muted(lang.L("A rule looks when something changes, asks whether something holds, and publishes. Start from one of these, or choose a rule at the left."))
	alarm := plainButton(lang.L("New alarm"), theme.NewWarningThemedResource(theme.WarningIcon()), s.beginAlarm)
	box := container.NewVBox(heading, about, widget.Columns(480, cards...),
		widget.Muted(lang.L("An alarm watches one topic and calls for a person: too much, too little, or silent for too long.")), widget.Columns(480, alarm))
	return widget.NewSurface(theme.ColorNameOverlayBackground, widget.Scroll(box))
}

func templateButton(t core.RuleTemplate, do func()) fyne.CanvasObject {
	icon := theme.MediaPlayIcon()
	if len(t.Rule.When) > 0 {
		icon = theme.HistoryIcon()
	}
	return plainButton(lang.Say(t.Title), icon, do)
}

func plainButton(text string, icon fyne.Resource, do func()) *fw.Button {
	b := fw.NewButtonWithIcon(text, icon, do)
	b.Alignment = fw.ButtonAlignLeading
	return b
}

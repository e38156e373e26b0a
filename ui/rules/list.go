package rules

import (
	"slices"
	"strings"

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

// many rows are more than one sees at once, so that searching is of use.
const many = 8

// list is the rules or the alarms, at the left.
type list struct {
	s              *Screen
	content        fyne.CanvasObject
	rules, alarms  *fw.Button
	search         *widget.Entry
	table          *fw.List
	none           *fw.Label
	newRule, newAl *fw.Button
	isAlarms       bool
	rows           []row
	quiet          bool // the program chooses a row
	marked         int  // row, -1 is none
}

// row is a rule or an alarm.
type row struct {
	id         topic.ID
	title      string
	note       string
	on, alarm  bool
	bad, fired bool // the note tells of trouble; it did something lately
}

func newList(s *Screen) *list {
	l := &list{s: s, marked: -1}
	l.rules = fw.NewButton(lang.L("Rules"), func() { l.section(false) })
	l.alarms = fw.NewButton(lang.L("Alarms"), func() { l.section(true) })
	l.search = widget.NewEntry()
	l.search.SetPlaceHolder(lang.L("Search"))
	l.search.OnChanged = func(string) { l.draw() }
	l.table = fw.NewList(func() int { return len(l.rows) }, l.newRow, l.setRow)
	l.table.HideSeparators = true
	l.table.OnSelected = l.pick
	l.none = widget.Muted("")
	l.newRule = fw.NewButtonWithIcon(lang.L("New rule"), theme.ContentAddIcon(), s.beginRule)
	l.newAl = fw.NewButtonWithIcon(lang.L("New alarm"), theme.ContentAddIcon(), s.beginAlarm)
	l.newRule.Importance, l.newAl.Importance = fw.HighImportance, fw.HighImportance
	top := container.New(layout.NewCustomPaddedVBoxLayout(6), container.NewGridWithColumns(2, l.rules, l.alarms), l.search)
	l.content = widget.NewSurface(theme.ColorNameOverlayBackground,
		container.NewBorder(top, container.NewStack(l.newRule, l.newAl), nil, nil, container.NewStack(l.table, container.NewVBox(l.none))))
	return l
}

// section shows the alarms, or the rules.
func (l *list) section(alarms bool) {
	if l.isAlarms != alarms {
		l.isAlarms = alarms
		l.search.Text = ""
		l.search.Refresh()
	}
	l.draw()
}

// draw shows the rows there are now.
func (l *list) draw() {
	d := l.s.d
	if d == nil {
		d = &core.Design{}
	}
	l.rules.SetText(lang.L("Rules") + " " + sayNumber(float64(len(d.Rules))))
	l.alarms.SetText(lang.L("Alarms") + " " + sayNumber(float64(len(d.Alarms))))
	for b, on := range map[*fw.Button]bool{l.rules: !l.isAlarms, l.alarms: l.isAlarms} {
		want := fw.MediumImportance
		if on {
			want = fw.HighImportance
		}
		if b.Importance != want {
			b.Importance = want
			b.Refresh()
		}
	}
	widget.SetVisible(l.newRule, !l.isAlarms)
	widget.SetVisible(l.newAl, l.isAlarms)
	var rows []row
	if l.isAlarms {
		for _, a := range d.Alarms {
			rows = append(rows, l.s.alarmRow(a))
		}
	} else {
		for _, r := range d.Rules {
			rows = append(rows, l.s.ruleRow(r))
		}
	}
	widget.SetVisible(l.search, len(rows) > many || l.search.Text != "")
	all := len(rows)
	typed := strings.ToLower(strings.TrimSpace(l.search.Text))
	rows = slices.DeleteFunc(rows, func(r row) bool {
		return typed != "" && !strings.Contains(strings.ToLower(r.title+" "+string(r.id)+" "+r.note), typed)
	})
	slices.SortStableFunc(rows, func(a, b row) int { return widget.Natural(a.title, b.title) })
	switch {
	case all == 0 && l.isAlarms:
		widget.SetText(l.none, lang.L("No alarm yet. An alarm calls for a person."))
	case all == 0:
		widget.SetText(l.none, lang.L("No rule yet. Start from a template."))
	case len(rows) == 0:
		widget.SetText(l.none, lang.L("Nothing is called like that."))
	default:
		widget.SetText(l.none, "")
	}
	if !slices.Equal(rows, l.rows) {
		l.rows = rows
		l.table.Refresh()
	}
	l.follow()
}

// follow marks what is shown at the right.
func (l *list) follow() {
	l.quiet = true
	defer func() { l.quiet = false }()
	at := slices.IndexFunc(l.rows, func(r row) bool {
		return r.alarm && l.s.alarm.open() && l.s.alarm.id == r.id || !r.alarm && l.s.rule.open() && l.s.rule.id == r.id
	})
	switch {
	case at == l.marked:
	case at < 0:
		l.table.UnselectAll()
	default:
		l.table.Select(at)
	}
	l.marked = at
}

func (l *list) pick(i fw.ListItemID) {
	if l.quiet || i >= len(l.rows) {
		return
	}
	l.marked = i // what is shown is marked again where a person stays
	if r := l.rows[i]; r.alarm {
		l.s.chooseAlarm(r.id)
	} else {
		l.s.chooseRule(r.id)
	}
}

func (l *list) newRow() fyne.CanvasObject {
	title, note := widget.Cell("template"), widget.Cell("template")
	title.TextStyle.Bold = true
	note.SizeName = theme.SizeNameCaptionText
	return container.NewBorder(nil, nil, fw.NewCheck("", nil), container.NewCenter(widget.NewDot(theme.ColorNameDisabled)),
		container.New(layout.NewCustomPaddedVBoxLayout(-12), title, note))
}

func (l *list) setRow(i fw.ListItemID, o fyne.CanvasObject) {
	if i >= len(l.rows) {
		return
	}
	r, box := l.rows[i], o.(*fyne.Container)
	lines := box.Objects[0].(*fyne.Container).Objects
	check := box.Objects[1].(*fw.Check)
	dot := box.Objects[2].(*fyne.Container).Objects[0].(*widget.Dot)
	widget.SetText(lines[0].(*fw.Label), r.title)
	note := lines[1].(*fw.Label)
	importance := fw.LowImportance
	if r.bad {
		importance = fw.DangerImportance
	}
	if note.Importance != importance {
		note.Importance = importance
		note.Refresh()
	}
	widget.SetText(note, r.note)
	check.OnChanged = nil
	if check.Checked != r.on {
		check.SetChecked(r.on)
	}
	check.OnChanged = func(on bool) {
		if on != r.on {
			l.s.turn(r, on)
		}
	}
	switch {
	case r.bad:
		dot.Set(theme.ColorNameError)
	case !r.on:
		dot.Set(theme.ColorNameSeparator)
	case r.fired:
		dot.Set(theme.ColorNameSuccess)
	default:
		dot.Set(theme.ColorNameDisabled)
	}
}

// turn switches a rule or an alarm on or off at once.
func (s *Screen) turn(r row, on bool) {
	say := core.Say("{rule} was switched off.", "rule", r.title)
	if on {
		say = core.Say("{rule} was switched on.", "rule", r.title)
	}
	b := core.Batch{Say: say}
	if r.alarm {
		a := s.d.Alarm(r.id)
		if a == nil {
			return
		}
		changed := *a
		changed.Disabled = !on
		b.Alarms = []core.Alarm{changed}
	} else {
		old := s.d.Rule(r.id)
		if old == nil {
			return
		}
		changed := copyRule(*old)
		changed.Disabled = !on
		b.Rules = []core.Rule{changed}
	}
	s.change(b, func() {})
}

// ruleRow is a rule in the list.
func (s *Screen) ruleRow(r *core.Rule) row {
	st := s.states[r.ID]
	w := row{id: r.ID, title: r.Title(), on: !r.Disabled, fired: st.Acts > 0}
	switch {
	case r.Disabled:
		w.note = lang.L("off")
	case r.Kit != "":
		w.note = lang.L("runs on {kit}", "kit", s.kitTitle(r.Kit))
	case st.Paused.Format != "":
		w.bad, w.note = true, lang.L("paused")+": "+lang.Say(st.Paused)
	case st.Problem.Format != "":
		w.bad, w.note = true, lang.Say(st.Problem)
	case st.Acts == 0:
		w.note = lang.L("has not acted yet")
	default:
		w.note = lang.L("acted {ago} · {n}×", "ago", lang.Ago(s.now().Sub(st.Last.At)), "n", widget.Number(st.Acts))
	}
	return w
}

// kitTitle is what a kit is called.
func (s *Screen) kitTitle(n topic.Name) string {
	if p := s.d.Place(n); p != nil {
		return p.Title()
	}
	return level(n)
}

// alarmRow is an alarm in the list.
func (s *Screen) alarmRow(a *core.Alarm) row {
	w := row{id: a.ID, alarm: true, title: a.Title(), on: !a.Disabled}
	st, calling := s.calling[a.ID]
	switch {
	case a.Disabled:
		w.note = lang.L("off")
	case calling && st.Ended.IsZero() && st.Acked.IsZero():
		w.bad, w.note = true, lang.L("calls since {time}", "time", clock(st.Since))
	case calling && st.Ended.IsZero():
		w.bad, w.note = true, lang.L("calls since {time}, seen", "time", clock(st.Since))
	case calling:
		w.fired, w.note = true, lang.L("called from {from} to {to}", "from", clock(st.Since), "to", clock(st.Ended))
	default:
		w.note = string(a.Topic)
	}
	return w
}

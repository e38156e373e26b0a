package rules

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

// alarmKinds are what an alarm can watch for, as they are offered.
var alarmKinds = []core.AlarmKind{core.AlarmAbove, core.AlarmBelow, core.AlarmEquals, core.AlarmSilent, core.AlarmRate, core.AlarmFlood}

func alarmNames() []string {
	return []string{lang.L("a number is too high"), lang.L("a number is too low"), lang.L("a value comes"), lang.L("it says nothing"),
		lang.L("a number changes too fast"), lang.L("too many messages come")}
}

// alarmSheet is the chosen alarm, as a person edits it.
type alarmSheet struct {
	frame
	base, a core.Alarm
	theirs  *core.Alarm

	another  *fw.Button
	sentence *fw.Label
	call     *widget.Surface // around it, red while the alarm calls
	form     *fyne.Container
	value    *fw.Label
	curve    *curve
}

func newAlarmSheet(s *Screen) *alarmSheet {
	e := &alarmSheet{}
	e.init(s, e)
	e.another = fw.NewButtonWithIcon(lang.L("Another on this topic"), theme.ContentAddIcon(), func() {
		n := e.a.Topic
		e.s.leave(func() { e.begin(e.s.newAlarm(n)) })
	})
	e.sentence = widget.Text("")
	e.sentence.SizeName = theme.SizeNameSubHeadingText
	e.form = container.New(stack{8})
	e.value = widget.Text("")
	e.value.TextStyle.Bold = true
	e.curve = newCurve()
	now := panel(lang.L("Now"), container.New(stack{4}, e.value, e.curve,
		widget.Muted(lang.L("An alarm is shown over every screen, on the phone page and in the system's notifications, and told as a topic of its own, until a person has seen it."))))
	e.call = widget.NewSurface(widget.ColorWarningTint, e.sentence)
	e.fill(nil, []fyne.CanvasObject{e.another}, []fyne.CanvasObject{e.call, e.form}, []fyne.CanvasObject{now})
	return e
}

func (e *alarmSheet) setLabel(label string) {
	if label != e.a.Label {
		e.a.Label = label
		e.draw()
	}
}

func (e *alarmSheet) setActive(on bool) {
	e.a.Disabled = !on
	e.draw()
}

func (e *alarmSheet) takeBack() {
	if a := e.s.d.Alarm(e.id); a != nil {
		e.show(*a)
	}
}

func (e *alarmSheet) dirty() bool {
	a, b := e.a, e.base
	a.Changed, b.Changed = time.Time{}, time.Time{}
	return e.opened && (e.id == "" || a != b || len(e.invalid) > 0)
}

func (e *alarmSheet) begin(a core.Alarm) {
	e.start(core.Alarm{}, a, "")
	e.s.draw()
}

func (e *alarmSheet) show(a core.Alarm) { e.start(a, a, a.ID) }

func (e *alarmSheet) start(base, a core.Alarm, id topic.ID) {
	e.opened, e.id, e.base, e.a, e.theirs, e.gone = true, id, base, a, nil, false
	e.write()
	e.scroll.ScrollToTop()
}

// write shows what is edited in all fields.
func (e *alarmSheet) write() {
	clear(e.invalid)
	e.frame.write(e.a.Label, e.a.ID, e.a.Disabled)
	e.build()
	e.draw()
}

// newAlarm is an alarm on a topic to start from.
func (s *Screen) newAlarm(n topic.Name) core.Alarm {
	a := core.Alarm{Topic: n, Kind: core.AlarmSilent, Within: time.Minute}
	if t := s.topicOf(n); t != nil {
		switch t.Kind {
		case core.Number:
			a.Kind, a.Limit = core.AlarmAbove, t.Min+(t.Max-t.Min)*0.8
			a.Clear = (t.Max - t.Min) * 0.05
			a.Within = 0
		case core.Boolean, core.Enumeration:
			a.Kind, a.Word = core.AlarmEquals, "true"
			if t.Kind == core.Enumeration && len(t.Options) > 0 {
				a.Word = t.Options[0]
			}
			a.Within = 0
		}
	}
	a.ID = s.alarmID(level(n) + "-" + string(a.Kind))
	return a
}

// beginAlarm asks for the topic of a new alarm.
func (s *Screen) beginAlarm() {
	if s.d == nil {
		return
	}
	s.pick(lang.L("Which topic does the alarm watch?"), nil, func(n topic.Name) {
		s.leave(func() {
			s.list.section(true)
			s.alarm.begin(s.newAlarm(n))
		})
	})
}

// numbered reports whether the values of a kind of alarm are numbers.
func numbered(k core.AlarmKind) bool {
	return k == core.AlarmAbove || k == core.AlarmBelow || k == core.AlarmRate
}

// build makes the fields that the kind of alarm has.
func (e *alarmSheet) build() {
	t := core.Topic{}
	if found := e.s.topicOf(e.a.Topic); found != nil {
		t = *found
	}
	row := func(label string, o fyne.CanvasObject, hint string) fyne.CanvasObject {
		return widget.Field(label, o, hint)
	}
	to := e.s.topicButton(lang.L("Which topic does the alarm watch?"), func() topic.Name { return e.a.Topic }, nil, func(n topic.Name) {
		e.a.Topic = n
		e.rebuild()
	})
	kind := selection(alarmNames(), slices.Index(alarmKinds, e.a.Kind), func(k int) {
		e.setKind(alarmKinds[k])
		e.rebuild()
	})
	rows := []fyne.CanvasObject{row(lang.L("Topic"), to, ""), row(lang.L("It calls when"), kind, "")}
	unit := func(o fyne.CanvasObject) fyne.CanvasObject {
		if t.Unit == "" {
			return o
		}
		return container.NewBorder(nil, nil, nil, fw.NewLabel(t.Unit), o)
	}
	within := func() fyne.CanvasObject {
		return row(lang.L("Within"), e.spanField("within", e.a.Within, true, func(d time.Duration) { e.a.Within = d }), lang.L("such as 30 s, 5 min or 1 h"))
	}
	switch e.a.Kind {
	case core.AlarmAbove, core.AlarmBelow:
		hint := ""
		if t.Min < t.Max {
			hint = lang.L("The topic goes from {min} to {max}.", "min", widget.FormatNumber(t.Min), "max", widget.FormatNumber(t.Max))
		}
		rows = append(rows, container.NewGridWithColumns(2,
			row(lang.L("Limit"), unit(e.numberField("limit", e.a.Limit, false, func(v float64) { e.a.Limit = v })), hint),
			row(lang.L("It ends so far from it"), unit(e.numberField("clear", e.a.Clear, true, func(v float64) { e.a.Clear = v })), lang.L("So that it does not call again and again at the limit."))))
	case core.AlarmEquals:
		rows = append(rows, row(lang.L("Value"), e.wordField(t), ""))
	case core.AlarmSilent:
		rows = append(rows, within())
	case core.AlarmRate:
		rows = append(rows, container.NewGridWithColumns(2, row(lang.L("By more than"), unit(e.numberField("limit", e.a.Limit, true, func(v float64) { e.a.Limit = v })), ""), within()))
	case core.AlarmFlood:
		rows = append(rows, container.NewGridWithColumns(2, row(lang.L("More messages than"), e.numberField("limit", e.a.Limit, true, func(v float64) { e.a.Limit = v }), ""), within()))
	}
	rows = append(rows, row(lang.L("It must hold for"), e.spanField("for", e.a.For, false, func(d time.Duration) { e.a.For = d }), lang.L("Empty calls at once.")))
	e.form.Objects = rows
	e.form.Refresh()
}

// rebuild makes the fields anew after something else is watched.
func (e *alarmSheet) rebuild() {
	clear(e.invalid)
	if e.id == "" {
		e.a.ID = e.s.alarmID(level(e.a.Topic) + "-" + string(e.a.Kind))
		e.label.SetPlaceHolder(string(e.a.ID))
	}
	e.build()
	e.draw()
	e.relayout()
}

// setKind makes the alarm one of another kind, with what that needs.
func (e *alarmSheet) setKind(k core.AlarmKind) {
	e.a.Kind = k
	if k != core.AlarmAbove && k != core.AlarmBelow {
		e.a.Clear = 0
	}
	if !numbered(k) {
		e.a.Limit = 0
	}
	e.a.Word = ""
	switch k {
	case core.AlarmEquals:
		if e.a.Word = "true"; e.s.kindOf(e.a.Topic) != core.Boolean {
			e.a.Word = ""
			if t := e.s.topicOf(e.a.Topic); t != nil && len(t.Options) > 0 {
				e.a.Word = t.Options[0]
			}
		}
	case core.AlarmFlood:
		e.a.Limit = 100
	case core.AlarmRate:
		e.a.Limit = max(0, e.a.Limit)
	}
	if e.a.Within = 0; k == core.AlarmSilent || k == core.AlarmRate || k == core.AlarmFlood {
		e.a.Within = time.Minute
	}
}

func (e *alarmSheet) spanField(key string, d time.Duration, needed bool, take func(time.Duration)) fyne.CanvasObject {
	return entry(saySpan(d), "", func(text string) {
		d, ok := readSpan(text)
		if !ok || needed && d < time.Second {
			e.invalid[key] = lang.L("“{text}” is no time of at most a day. Write it like 30 s, 5 min or 1 h.", "text", text)
		} else {
			delete(e.invalid, key)
			take(d)
		}
		e.draw()
	})
}

func (e *alarmSheet) numberField(key string, v float64, positive bool, take func(float64)) fyne.CanvasObject {
	return entry(sayNumber(v), "", func(text string) {
		switch v, ok := number(text); {
		case !ok:
			e.invalid[key] = lang.L("“{text}” is no number.", "text", text)
		case positive && v < 0:
			e.invalid[key] = lang.L("{text} is below 0. Type 0 or more.", "text", text)
		default:
			delete(e.invalid, key)
			take(v)
		}
		e.draw()
	})
}

func (e *alarmSheet) wordField(t core.Topic) fyne.CanvasObject {
	switch {
	case t.Kind == core.Boolean:
		at := 0
		if is, ok := t.Truth(e.a.Word); ok && !is {
			at = 1
		}
		return selection([]string{t.Word(true), t.Word(false)}, at, func(k int) {
			e.a.Word = []string{"true", "false"}[k]
			e.draw()
		})
	case t.Kind == core.Enumeration && len(t.Options) > 0:
		return selection(t.Options, slices.Index(t.Options, e.a.Word), func(k int) {
			e.a.Word = t.Options[k]
			e.draw()
		})
	}
	return entry(e.a.Word, lang.L("The value it waits for"), func(text string) {
		e.a.Word = strings.TrimSpace(text)
		e.draw()
	})
}

// problem says why the alarm cannot be saved, or "".
func (e *alarmSheet) problem() string {
	for _, key := range []string{"limit", "clear", "within", "for"} {
		if text := e.invalid[key]; text != "" {
			return text
		}
	}
	t := e.s.topicOf(e.a.Topic)
	switch {
	case t == nil:
		return lang.L("{topic} is not designed. Adopt it on the screen Plan first.", "topic", e.a.Topic)
	case e.a.Kind == core.AlarmEquals && e.a.Word == "":
		return lang.L("Type the value that the alarm waits for.")
	}
	return ""
}

// tip says what looks wrong though it can be saved, or "".
func (e *alarmSheet) tip() string {
	t := e.s.topicOf(e.a.Topic)
	switch {
	case t == nil:
	case numbered(e.a.Kind) && t.Kind != core.Number && t.Kind != core.Text:
		return lang.L("{topic} has no numbers, so this alarm will not call.", "topic", t.Name)
	case t.Min < t.Max && (e.a.Kind == core.AlarmAbove && e.a.Limit >= t.Max || e.a.Kind == core.AlarmBelow && e.a.Limit <= t.Min):
		return lang.L("The topic goes from {min} to {max}, so it will not pass this limit.", "min", widget.FormatNumber(t.Min), "max", widget.FormatNumber(t.Max))
	}
	return ""
}

// words says in one sentence when the alarm calls.
func (e *alarmSheet) words() string {
	t := core.Topic{}
	if found := e.s.topicOf(e.a.Topic); found != nil {
		t = *found
	}
	name := e.s.title(e.a.Topic)
	limit := strings.TrimSpace(widget.FormatNumber(e.a.Limit) + " " + t.Unit)
	text := ""
	switch e.a.Kind {
	case core.AlarmAbove:
		text = lang.L("It calls when {topic} is more than {limit}.", "topic", name, "limit", limit)
	case core.AlarmBelow:
		text = lang.L("It calls when {topic} is less than {limit}.", "topic", name, "limit", limit)
	case core.AlarmEquals:
		text = lang.L("It calls when {topic} is {value}.", "topic", name, "value", e.s.words(e.a.Topic, e.a.Word))
	case core.AlarmSilent:
		text = lang.L("It calls when {topic} has said nothing for {time}.", "topic", name, "time", saySpan(e.a.Within))
	case core.AlarmRate:
		text = lang.L("It calls when {topic} changes by more than {limit} within {time}.", "topic", name, "limit", limit, "time", saySpan(e.a.Within))
	default:
		text = lang.L("It calls when {topic} gets more than {n} messages within {time}.", "topic", name, "n", widget.FormatNumber(e.a.Limit), "time", saySpan(e.a.Within))
	}
	if e.a.For > 0 {
		text += " " + lang.L("That must hold for {time}.", "time", saySpan(e.a.For))
	}
	if e.a.Clear > 0 {
		end := e.a.Limit - e.a.Clear
		if e.a.Kind == core.AlarmBelow {
			end = e.a.Limit + e.a.Clear
		}
		text += " " + lang.L("It ends at {limit}.", "limit", strings.TrimSpace(widget.FormatNumber(end)+" "+t.Unit))
	}
	return text
}

// draw shows what becomes of the alarm, and what others did to it.
func (e *alarmSheet) draw() {
	if !e.opened || e.s.d == nil {
		return
	}
	if e.follow() {
		return
	}
	e.drawNotes()
	if text := e.words(); text != e.sentence.Text {
		e.sentence.SetText(text)
		e.relayout()
	}
	widget.SetEnabled(e.saveButton, e.dirty() && e.problem() == "" && e.theirs == nil)
	widget.SetEnabled(e.revert, e.dirty() && e.id != "")
	widget.SetEnabled(e.another, e.id != "")
	fill := widget.ColorWarningTint
	if st, ok := e.s.calling[e.id]; ok && st.Ended.IsZero() {
		fill = widget.ColorErrorTint
	}
	e.call.SetFill(fill)
	text := lang.L("It has said nothing yet.")
	if v, ok := e.s.value(e.a.Topic); ok {
		text = v + " · " + lang.Ago(e.s.now().Sub(e.s.values[e.a.Topic].Last.At))
	}
	widget.SetText(e.value, text)
	rs := e.s.sparks[e.a.Topic]
	limited := e.a.Kind == core.AlarmAbove || e.a.Kind == core.AlarmBelow
	numbers := e.s.kindOf(e.a.Topic) == core.Number
	widget.SetVisible(e.curve, numbers && (len(rs) > 0 || limited))
	if !slices.Equal(rs, e.curve.readings) || e.a.Limit != e.curve.limit || limited != e.curve.limited {
		e.curve.set(rs, e.a.Limit, limited)
	}
}

// follow takes over what somebody else changed, or keeps it to be told.
func (e *alarmSheet) follow() bool {
	if e.id == "" {
		return false
	}
	now := e.s.d.Alarm(e.id)
	e.gone, e.theirs = now == nil, nil
	switch {
	case now == nil && !e.dirty():
		e.close()
		return true
	case now == nil || now.Changed.Equal(e.base.Changed):
		return false
	case !e.dirty():
		e.show(*now)
		return true
	}
	old := e.base
	old.Disabled, old.Changed = now.Disabled, now.Changed
	if old == *now { // only switched on or off
		if e.a.Disabled == e.base.Disabled {
			e.a.Disabled = now.Disabled
			e.active.Checked = !now.Disabled
			e.active.Refresh()
		}
		e.base = *now
		return false
	}
	e.theirs = now
	return false
}

func (e *alarmSheet) drawNotes() {
	var all []note
	if e.gone {
		all = append(all, note{text: lang.L("Somebody deleted this alarm meanwhile. Save makes it again."), importance: fw.WarningImportance})
	} else if e.theirs != nil {
		theirs := *e.theirs
		all = append(all, conflict(lang.L("Somebody changed this alarm meanwhile. Take theirs, or keep yours and save it over theirs."),
			func() { e.show(theirs) }, func() {
				e.base = theirs
				e.draw()
			})...)
	}
	if st, ok := e.s.calling[e.id]; ok && e.id != "" {
		text := lang.Say(st.Say) + " " + lang.L("since {time}", "time", clock(st.Since))
		importance := fw.DangerImportance
		if !st.Ended.IsZero() {
			text = lang.Say(st.Say) + " " + lang.L("from {from} to {to}", "from", clock(st.Since), "to", clock(st.Ended))
			importance = fw.WarningImportance
		}
		n := note{text: text, importance: importance}
		if st.Acked.IsZero() {
			n.action, n.do = lang.L("I have seen it"), func() { e.acknowledge(st.Alarm.ID) }
		}
		all = append(all, n)
	}
	if text := e.problem(); text != "" {
		all = append(all, note{text: text, importance: fw.DangerImportance})
	} else if text := e.tip(); text != "" {
		all = append(all, note{text: text, importance: fw.WarningImportance})
	}
	e.tell(all)
}

func (e *alarmSheet) acknowledge(id topic.ID) {
	e.s.sh.Do(func(ctx context.Context) (func(), error) {
		return e.s.sh.Refresh, e.s.p.Alarms.Acknowledge(ctx, id)
	})
}

// save makes one edit of what was changed.
func (e *alarmSheet) save(then func()) {
	if text := e.problem(); text != "" {
		e.s.sh.Tell(text)
		return
	}
	if e.theirs != nil {
		e.s.sh.Tell(lang.L("Somebody changed this alarm meanwhile. Take theirs, or keep yours and save it over theirs."))
		return
	}
	a := e.a
	a.Changed = e.base.Changed
	b := core.Batch{Say: core.Say("The alarm {alarm} was changed.", "alarm", a.Title())}
	if e.s.d.Alarm(e.id) == nil {
		b.Say = core.Say("The alarm {alarm} was made.", "alarm", a.Title())
		a.Changed = time.Time{}
		if e.id == "" {
			a.ID = e.s.alarmID(string(a.ID)) // somebody else may have taken it
		}
	}
	b.Alarms = []core.Alarm{a}
	e.commit(b, func(d *core.Design) {
		if now := d.Alarm(a.ID); now != nil {
			e.show(*now)
		}
	}, then)
}

func (e *alarmSheet) remove() {
	title := e.base.Title()
	e.discard(title, lang.L("Delete the alarm {alarm}?", "alarm", title), lang.L("It calls no more. Undo is on the screen Plan."),
		core.Batch{Say: core.Say("The alarm {alarm} was deleted.", "alarm", title), RemoveAlarms: []topic.ID{e.id}})
}

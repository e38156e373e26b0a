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

// ruleSheet is the chosen rule, as a person edits it.
type ruleSheet struct {
	frame
	base core.Rule // as it was designed when it was read; of a new one nothing
	r    core.Rule // as it is edited
	seen *core.Design

	theirs  *core.Rule // somebody else's, while ours is not saved
	wrong   error      // why it cannot run
	circles []string   // that it would be in
	changed bool       // it is not as it is designed

	asText bool
	typed  string // the text as it was shown

	mode, copied            *fw.Button
	when, holds, then, more *block
	blocks, textBox         *fyne.Container
	text                    *textEntry
	textWrong               *widget.Note
	goThere                 *fw.Button
	live                    *livePanel
	dry                     *dryPanel
}

func newRuleSheet(s *Screen) *ruleSheet {
	e := &ruleSheet{}
	e.init(s, e)
	e.label.SetPlaceHolder(lang.L("What the rule is called"))
	e.mode = fw.NewButton("", e.switchMode)
	e.copied = fw.NewButtonWithIcon(lang.L("Duplicate"), theme.ContentCopyIcon(), e.duplicate)
	opened := func(b **block, build func()) func(bool) {
		return func(open bool) {
			if open {
				for _, other := range []*block{e.when, e.holds, e.then, e.more} {
					if other != *b {
						other.setOpen(false)
					}
				}
				build()
			}
			e.relayout()
		}
	}
	e.when = newBlock(lang.L("Trigger"), theme.ColorNamePrimary, opened(&e.when, func() { e.buildWhen() }))
	e.holds = newBlock(lang.L("Condition"), theme.ColorNameWarning, opened(&e.holds, func() { e.buildHolds() }))
	e.then = newBlock(lang.L("Action"), theme.ColorNameSuccess, opened(&e.then, func() { e.buildThen() }))
	e.more = newBlock(lang.L("About this rule"), theme.ColorNamePlaceHolder, opened(&e.more, func() { e.buildMore() }))
	e.blocks = container.New(stack{8}, e.when, e.holds, e.then, e.more)
	e.buildText()
	e.live = newLivePanel(s)
	e.dry = newDryPanel(e)
	e.fill([]fyne.CanvasObject{e.mode}, []fyne.CanvasObject{e.copied},
		[]fyne.CanvasObject{e.blocks, e.textBox}, []fyne.CanvasObject{e.live.content, e.dry.content})
	return e
}

func (e *ruleSheet) setLabel(label string) {
	if label != e.r.Label {
		e.r.Label = label
		e.edited()
	}
}

func (e *ruleSheet) setActive(on bool) {
	if e.r.Disabled == on {
		e.r.Disabled = !on
		e.edited()
	}
}

func (e *ruleSheet) dirty() bool {
	return e.opened && (e.changed || len(e.invalid) > 0 || e.asText && e.text.Text != e.typed)
}

// begin shows a new rule, which is not saved yet.
func (e *ruleSheet) begin(r core.Rule) {
	e.start(core.Rule{}, r, "")
	if len(r.Inputs) == 0 && len(r.Then) == 0 {
		e.when.setOpen(true)
	}
	e.s.draw()
}

// show shows a rule as it is designed.
func (e *ruleSheet) show(r core.Rule) { e.start(r, copyRule(r), r.ID) }

func (e *ruleSheet) start(base, r core.Rule, id topic.ID) {
	e.opened, e.id, e.base, e.r = true, id, base, r
	e.theirs, e.gone, e.asText = nil, false, false
	clear(e.invalid)
	for _, b := range []*block{e.when, e.holds, e.then, e.more} {
		b.setOpen(false)
	}
	e.dry.clear()
	e.write()
	e.edited()
	e.scroll.ScrollToTop()
}

// write shows what is edited in the fields that are always there.
func (e *ruleSheet) write() {
	e.frame.write(e.r.Label, e.r.ID, e.r.Disabled)
	e.showMode()
}

// edited is called after each change of e.r.
func (e *ruleSheet) edited() {
	if !e.opened {
		return
	}
	e.changed = e.id == "" || e.s.p.Language.Text(e.r) != e.s.p.Language.Text(e.base)
	e.check()
	when, holds, then := e.s.p.Language.Sentence(e.r)
	if len(e.r.Inputs) == 0 && len(e.r.When) == 0 {
		e.when.say([]string{lang.L("When …")}, true)
	} else {
		e.when.say(said(when), false)
	}
	if len(holds) == 0 {
		e.holds.say([]string{lang.L("always")}, true)
	} else {
		e.holds.say(said(holds), false)
	}
	if len(e.r.Then) == 0 {
		e.then.say([]string{lang.L("do …")}, true)
	} else {
		e.then.say(said(then), false)
	}
	e.more.say([]string{e.whereText()}, true)
	e.dry.stale()
	e.draw()
	e.relayout()
}

// check finds what is wrong with the rule in the design as it is.
func (e *ruleSheet) check() {
	e.seen = e.s.d
	e.wrong = e.s.p.Language.Check(e.r)
	e.circles = e.loops()
}

func said(all []core.Sentence) []string {
	lines := make([]string, len(all))
	for i, s := range all {
		lines[i] = lang.Say(s)
	}
	return lines
}

// whereText says what the rule is for and where it runs.
func (e *ruleSheet) whereText() string {
	text := lang.L("runs in this program")
	if e.r.Kit != "" {
		text = lang.L("runs on {kit}", "kit", e.s.kitTitle(e.r.Kit))
	}
	if about := strings.Join(strings.Fields(e.r.Text), " "); about != "" {
		text = about + " · " + text
	}
	return text
}

// draw shows what becomes of the rule, and what others did to it.
func (e *ruleSheet) draw() {
	if !e.opened || e.s.d == nil {
		return
	}
	if e.follow() {
		return // it was drawn anew
	}
	if e.seen != e.s.d {
		e.check()
	}
	e.drawNotes()
	widget.SetEnabled(e.saveButton, e.dirty() && e.wrong == nil && len(e.invalid) == 0 && e.textFits())
	widget.SetEnabled(e.revert, e.dirty() && e.id != "")
	widget.SetEnabled(e.copied, e.id != "")
	widget.SetEnabled(e.dry.hour, e.wrong == nil)
	widget.SetEnabled(e.dry.day, e.wrong == nil)
	e.live.draw(e.r)
}

// follow takes over what somebody else changed, or keeps it to be told. It
// reports whether the rule is another now.
func (e *ruleSheet) follow() bool {
	if e.id == "" {
		return false
	}
	now := e.s.d.Rule(e.id)
	e.gone, e.theirs = now == nil, nil
	switch {
	case now == nil && !e.dirty():
		e.close()
		return true
	case now == nil || now.Changed.Equal(e.base.Changed):
		return false
	case !e.dirty():
		text := e.asText
		if e.show(*now); text {
			e.switchMode()
		}
		return true
	}
	old := e.base
	old.Disabled = now.Disabled
	if e.s.p.Language.Text(old) == e.s.p.Language.Text(*now) { // only switched on or off
		if e.r.Disabled == e.base.Disabled {
			e.r.Disabled = now.Disabled
		}
		e.base = *now
		e.write()
		e.edited()
		return true
	}
	e.theirs = now
	return false
}

func (e *ruleSheet) drawNotes() {
	var all []note
	st := e.s.states[e.id]
	switch {
	case e.gone:
		all = append(all, note{text: lang.L("Somebody deleted this rule meanwhile. Save makes it again."), importance: fw.WarningImportance})
	case e.theirs != nil:
		theirs := e.theirs
		all = append(all, conflict(lang.L("Somebody changed this rule meanwhile. Take theirs, or keep yours and save it over theirs."),
			func() { e.show(*theirs) }, func() { e.keepMine(*theirs) })...)
	}
	if e.id != "" && !e.base.Disabled && e.base.Kit == "" {
		if st.Paused.Format != "" {
			all = append(all, note{lang.Say(st.Paused), fw.DangerImportance, lang.L("Run again"), e.resume})
		} else if st.Problem.Format != "" {
			all = append(all, note{text: lang.Say(st.Problem), importance: fw.DangerImportance})
		}
	}
	for _, text := range e.circles {
		all = append(all, note{text: text, importance: fw.WarningImportance})
	}
	for _, key := range slices.Sorted(func(yield func(string) bool) {
		for k := range e.invalid {
			if !yield(k) {
				return
			}
		}
	}) {
		all = append(all, note{text: e.invalid[key], importance: fw.DangerImportance})
	}
	if e.wrong != nil && !e.asText {
		importance := fw.WarningImportance
		text := lang.Error(e.wrong)
		if e.id == "" && (len(e.r.Inputs) == 0 || len(e.r.Then) == 0) {
			importance = fw.MediumImportance
		}
		all = append(all, note{text: text, importance: importance})
	}
	e.tell(all)
}

// loops tells the circles that the rule would be in.
func (e *ruleSheet) loops() (told []string) {
	if e.r.Disabled {
		return nil
	}
	mine := e.r
	rules := []*core.Rule{&mine}
	for _, r := range e.s.d.Rules {
		if r.ID != mine.ID && r.ID != e.id {
			rules = append(rules, r)
		}
	}
	title := func(id topic.ID) string {
		if i := slices.IndexFunc(rules, func(r *core.Rule) bool { return r.ID == id }); i >= 0 {
			return rules[i].Title()
		}
		return string(id)
	}
	for _, loop := range e.s.p.Library.Loops(rules) {
		if !slices.Contains(loop, mine.ID) {
			continue
		}
		var names []string
		for _, id := range append(slices.Clone(loop), loop[0]) {
			names = append(names, title(id))
		}
		told = append(told, lang.L("These rules can set each other off: {loop}. Where they never agree, they are paused.", "loop", strings.Join(names, " → ")))
	}
	return told
}

func (e *ruleSheet) keepMine(theirs core.Rule) {
	e.base = theirs
	e.r.Changed = theirs.Changed
	e.edited()
}

func (e *ruleSheet) resume() {
	id := e.id
	e.s.sh.Do(func(context.Context) (func(), error) {
		return e.s.sh.Refresh, e.s.p.Engine.Resume(id)
	})
}

// takeBack shows the rule as it is designed.
func (e *ruleSheet) takeBack() {
	if r := e.s.d.Rule(e.id); r != nil {
		e.show(*r)
	}
}

// save makes one edit of what was changed.
func (e *ruleSheet) save(then func()) {
	if e.wrong != nil || len(e.invalid) > 0 || !e.textFits() {
		e.s.sh.Tell(lang.L("The rule cannot be saved yet. What is missing is told above it."))
		return
	}
	r := copyRule(e.r)
	r.Account = 0 // whoever saves it
	r.Changed = e.base.Changed
	b := core.Batch{Say: core.Say("The rule {rule} was changed.", "rule", r.Title()), Rules: []core.Rule{r}}
	old := e.s.d.Rule(e.id)
	switch {
	case old == nil:
		b.Say = core.Say("The rule {rule} was made.", "rule", r.Title())
		b.Rules[0].Changed = time.Time{}
	case r.ID != e.id:
		b.Rules[0].Changed = time.Time{}
		b.RemoveRules = []topic.ID{e.id}
	}
	if r.ID != e.id && e.s.d.Rule(r.ID) != nil {
		e.s.sh.Tell(lang.L("There is a rule {rule} already. Choose another name.", "rule", r.ID))
		return
	}
	if e.theirs != nil {
		e.s.sh.Tell(lang.L("Somebody changed this rule meanwhile. Take theirs, or keep yours and save it over theirs."))
		return
	}
	e.commit(b, func(d *core.Design) {
		now := d.Rule(r.ID)
		if now == nil {
			return
		}
		text, opened := e.asText, e.openBlock()
		e.show(*now)
		if opened != nil {
			opened.setOpen(true)
		}
		if text {
			e.switchMode()
		}
	}, then)
}

func (e *ruleSheet) openBlock() *block {
	for _, b := range []*block{e.when, e.holds, e.then, e.more} {
		if b.open() {
			return b
		}
	}
	return nil
}

// duplicate begins a rule that is like this one.
func (e *ruleSheet) duplicate() {
	e.s.leave(func() {
		r := copyRule(e.r)
		r.ID = e.s.ruleID(string(r.ID))
		r.Label = lang.L("{name} (copy)", "name", r.Title())
		r.Disabled, r.Changed, r.Account = true, time.Time{}, 0 // two that do the same are of no use
		e.begin(r)
	})
}

func (e *ruleSheet) remove() {
	title := e.base.Title()
	e.discard(title, lang.L("Delete the rule {rule}?", "rule", title), lang.L("It acts no more. Undo is on the screen Plan."),
		core.Batch{Say: core.Say("The rule {rule} was deleted.", "rule", title), RemoveRules: []topic.ID{e.id}})
}

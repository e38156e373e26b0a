package rules

import (
	"context"
	"fmt"
	"image/png"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	corerules "homeroom/core/rules"
	"homeroom/core/topic"
	"homeroom/ui/widget"
	"homeroom/ui/widget/widgettest"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// house is a design with rules in memory, and everything else that the screen
// asks for. How rules are read and written is the real thing.
type house struct {
	d       *core.Design
	batches []core.Batch
	err     error // of the next change
	states  []core.RuleState
	resumed topic.ID
	firings []core.Firing
	tried   []core.Rule
	over    time.Duration
	calling []core.AlarmState
	acked   topic.ID
	rows    []core.TopicState
	live    []core.Live
}

func (h *house) Design() *core.Design { return h.d }

func (h *house) Change(_ context.Context, b core.Batch) error {
	if err := h.err; err != nil {
		h.err = nil
		return err
	}
	h.batches = append(h.batches, b)
	d := *h.d
	d.Revision++
	d.Rules, d.Alarms = slices.Clone(d.Rules), slices.Clone(d.Alarms)
	d.Rules = slices.DeleteFunc(d.Rules, func(r *core.Rule) bool { return slices.Contains(b.RemoveRules, r.ID) })
	d.Alarms = slices.DeleteFunc(d.Alarms, func(a *core.Alarm) bool { return slices.Contains(b.RemoveAlarms, a.ID) })
	for _, r := range b.Rules {
		if old := d.Rule(r.ID); old != nil && !r.Changed.IsZero() && !r.Changed.Equal(old.Changed) {
			return core.Fail(core.ErrConflict, "Somebody changed it meanwhile.")
		}
		d.Rules = slices.DeleteFunc(d.Rules, func(o *core.Rule) bool { return o.ID == r.ID })
		r.Changed = noon.Add(time.Duration(d.Revision) * time.Second)
		d.Rules = append(d.Rules, &r)
	}
	for _, a := range b.Alarms {
		d.Alarms = slices.DeleteFunc(d.Alarms, func(o *core.Alarm) bool { return o.ID == a.ID })
		a.Changed = noon.Add(time.Duration(d.Revision) * time.Second)
		d.Alarms = append(d.Alarms, &a)
	}
	slices.SortFunc(d.Rules, func(a, b *core.Rule) int { return strings.Compare(string(a.ID), string(b.ID)) })
	slices.SortFunc(d.Alarms, func(a, b *core.Alarm) int { return strings.Compare(string(a.ID), string(b.ID)) })
	h.d = &d
	return nil
}

func (h *house) States() []core.RuleState { return h.states }
func (h *house) Resume(id topic.ID) error { h.resumed = id; return nil }

func (h *house) DryRun(_ context.Context, r core.Rule, from, to time.Time) ([]core.Firing, error) {
	h.tried, h.over = append(h.tried, r), to.Sub(from)
	return h.firings, corerules.Check(r, h.topic)
}

func (h *house) Topics(uint64) ([]core.TopicState, uint64) { return h.rows, 1 }
func (h *house) Live(uint64) ([]core.Live, uint64)         { return h.live, 1 }

func (h *house) topic(n topic.Name) (core.Topic, bool) {
	if t := h.d.Topic(n); t != nil {
		return *t, true
	}
	return core.Topic{}, false
}

func (h *house) Check(r core.Rule) error              { return corerules.Check(r, h.topic) }
func (h *house) Text(r core.Rule) string              { return corerules.Text(r) }
func (h *house) Parse(text string) (core.Rule, error) { return corerules.Parse(text, h.topic) }
func (h *house) Templates() []core.RuleTemplate       { return corerules.Templates() }
func (h *house) Loops(all []*core.Rule) [][]topic.ID  { return corerules.Loops(all) }
func (h *house) Sentence(r core.Rule) (when, holds, then []core.Sentence) {
	return corerules.Sentence(r, h.topic, func(n topic.Name) string {
		if t := h.d.Topic(n); t != nil && t.Label != "" {
			return t.Label
		}
		return string(n)
	})
}

// bells are the alarms of a house.
type bells struct{ *house }

func (b bells) States() []core.AlarmState { return b.calling }
func (b bells) Acknowledge(_ context.Context, id topic.ID) error {
	b.acked = id
	return nil
}

// fourBoards is the house of PRODUCT.md with one rule, and more topics.
func fourBoards() *house {
	h := &house{d: &core.Design{}}
	add := func(t core.Topic) { h.d.Topics = append(h.d.Topics, &t) }
	label := func(s string) core.Description { return core.Description{Label: s} }
	add(core.Topic{Name: "home/brightness", Description: core.Description{Label: "Brightness", Unit: "%"}, Kind: core.Number, Max: 100, Step: 1})
	add(core.Topic{Name: "home/button", Description: label("Button"), Kind: core.Boolean})
	add(core.Topic{Name: "home/heating", Kind: core.Number, Min: 5, Max: 30})
	add(core.Topic{Name: "home/light", Description: label("Light"), Kind: core.Boolean, Options: []string{"On", "Off"}, Writable: true})
	add(core.Topic{Name: "home/mode", Kind: core.Enumeration, Options: []string{"day", "night"}})
	add(core.Topic{Name: "home/presence", Description: label("Presence"), Kind: core.Boolean})
	add(core.Topic{Name: "home/say", Kind: core.Text})
	h.d.Places = []*core.Place{{Name: "home/choice", Kind: core.KitPlace, Role: core.ChoiceKit, Label: "ESP_Choice"}}
	h.d.Rules = []*core.Rule{{ID: "dark", Label: "Dark", Account: 7, Changed: noon,
		Inputs: []core.Input{{Name: "brightness", Topic: "home/brightness"}}, If: "brightness < 30", Then: []core.Act{{Topic: "home/light", Value: "true"}}}}
	h.d.Alarms = []*core.Alarm{{ID: "hot", Label: "Too bright", Topic: "home/brightness", Kind: core.AlarmAbove, Limit: 90, Clear: 5, Changed: noon}}
	h.rows = []core.TopicState{{Last: core.Message{Topic: "home/brightness", Payload: []byte("20"), At: noon}}, {Last: core.Message{Topic: "home/light", Payload: []byte("On"), At: noon}}}
	return h
}

func (h *house) parts() Parts {
	return Parts{Plan: h, Engine: h, Language: h, Library: h, Alarms: bells{h}, Values: h}
}

func visit(t *testing.T, h *house) (*Screen, *widgettest.Shell) {
	t.Helper()
	shell := widgettest.New(t)
	s := New(h.parts(), shell)
	s.now = func() time.Time { return noon.Add(3 * time.Second) }
	shell.Win.SetContent(s.Content())
	shell.Win.Resize(fyne.NewSize(1080, 740))
	load(t, s)
	return s, shell
}

func load(t *testing.T, s *Screen) {
	t.Helper()
	show, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	show()
}

// all returns every object of that kind under o that is visible.
func all[T fyne.CanvasObject](o fyne.CanvasObject) []T {
	var found []T
	var walk func(o fyne.CanvasObject)
	walk = func(o fyne.CanvasObject) {
		if !o.Visible() {
			return
		}
		if x, ok := o.(T); ok {
			found = append(found, x)
		}
		switch o := o.(type) {
		case *fyne.Container:
			for _, c := range o.Objects {
				walk(c)
			}
		case fyne.Widget:
			for _, c := range test.WidgetRenderer(o).Objects() {
				walk(c)
			}
		}
	}
	walk(o)
	return found
}

// press presses the button with that text in the window or over it.
func press(t *testing.T, s *widgettest.Shell, text string) {
	t.Helper()
	roots := append([]fyne.CanvasObject{s.Win.Content()}, s.Win.Canvas().Overlays().List()...)
	slices.Reverse(roots)
	for _, root := range roots {
		for _, b := range all[*fw.Button](root) {
			if b.Text == text {
				if b.Disabled() {
					t.Fatalf("the button %q is disabled", text)
				}
				test.Tap(b)
				return
			}
		}
	}
	t.Fatalf("there is no button %q", text)
}

// notes are what is told above the blocks.
func notes(o fyne.CanvasObject) string {
	var texts []string
	for _, n := range all[*widget.Note](o) {
		texts = append(texts, n.Text.Text)
	}
	return strings.Join(texts, "\n")
}

func TestReadsAsASentence(t *testing.T) {
	h := fourBoards()
	h.states = []core.RuleState{{ID: "dark", Acts: 2, Last: core.Firing{At: noon, Why: core.Say("{inputs}", "inputs", "brightness = 20 %"),
		Sent: []core.Message{{Topic: "home/light/set", Payload: []byte("On")}}}}}
	s, _ := visit(t, h)
	if s.rule.open() || !s.invite.Visible() {
		t.Fatal("nothing is chosen, and the invitation is not shown")
	}
	s.list.table.Select(0)
	if !s.rule.open() || s.invite.Visible() || s.rule.dirty() {
		t.Fatalf("chosen: open %v, dirty %v", s.rule.open(), s.rule.dirty())
	}
	text := func(b *block) string {
		var lines []string
		for _, o := range b.lines.Objects {
			lines = append(lines, o.(*fw.Label).Text)
		}
		return strings.Join(lines, "; ")
	}
	got := []string{text(s.rule.when), text(s.rule.holds), text(s.rule.then), text(s.rule.more)}
	if want := []string{"When Brightness changes", "if Brightness is less than 30 %", "set Light to On", "runs in this program"}; !slices.Equal(got, want) {
		t.Errorf("it reads %q, want %q", got, want)
	}
	if s.rule.live.values[0].Text != "20 % · 3 s ago" || s.rule.live.values[1].Text != "On · 3 s ago" {
		t.Errorf("the values are %q and %q", s.rule.live.values[0].Text, s.rule.live.values[1].Text)
	}
	if got := s.rule.live.state.Text; got != "The condition holds now." {
		t.Errorf("the condition: %q", got)
	}
	if got := s.rule.live.why.Text; got != "Because brightness = 20 %" {
		t.Errorf("why: %q", got)
	}
	if got := s.list.rows[0].note; got != "acted 3 s ago · 2×" {
		t.Errorf("the list says %q", got)
	}
}

// TestFormsWriteRules: what the forms make is the rule that its text says, for
// every kind of trigger and action.
func TestFormsWriteRules(t *testing.T) {
	h := fourBoards()
	s, shell := visit(t, h)
	e := s.rule
	s.emptyRule()
	e.label.SetText("Mine")
	e.read("home/brightness")
	e.read("home/button")
	for i, k := range triggerKinds {
		e.r.When = append(e.r.When, core.Trigger{Kind: core.OnChange, Input: "brightness"})
		e.setTrigger(i, k)
	}
	e.rebuild()
	kinds := all[*fw.Select](e.when.body)
	entries := all[*widget.Entry](e.when.body)
	find := func(text string) *widget.Entry {
		t.Helper()
		i := slices.IndexFunc(entries, func(x *widget.Entry) bool { return x.Text == text })
		if i < 0 {
			t.Fatalf("no field says %q", text)
		}
		return entries[i]
	}
	kinds[1].SetSelected("button") // of the change
	find("07:30").SetText("22:15")
	find("1 min").SetText("10 min")
	for _, c := range all[*fw.Check](e.when.body) {
		if c.Text == "Sat" || c.Text == "Mon" {
			test.Tap(c)
		}
	}
	entries[len(entries)-1].SetText("2 s") // quiet

	e.holds.setOpen(true)
	e.setConds(append(e.conds(), e.newCond("brightness"), e.newCond("button"), cond{text: "hour() > 5 || button"}))
	e.rebuild()
	entries = all[*widget.Entry](e.holds.body)
	find("50").SetText("30")
	entries[len(entries)-1].SetText("1 min") // for at least
	selects := all[*fw.Select](e.holds.body)
	selects[1].SetSelected("is at most")
	all[*fw.Select](e.holds.body)[4].SetSelected("false")

	e.then.setOpen(true)
	for _, n := range []topic.Name{"home/light", "home/heating", "home/mode", "home/say"} {
		e.r.Then = append(e.r.Then, core.Act{Topic: n, Value: plainValue(*h.d.Topic(n))})
	}
	e.rebuild()
	all[*fw.Slider](e.then.body)[0].SetValue(21)
	selects = all[*fw.Select](e.then.body)
	selects[1].SetSelected("Off")
	selects[4].SetSelected("night")
	all[*fw.Check](e.then.body)[3].SetChecked(true)
	entries = all[*widget.Entry](e.then.body)
	find("…").SetText("Good \"night\"")
	entries[len(entries)-1].SetText("1 h")

	want := `rule rule "Mine"
read brightness from home/brightness
read button from home/button
when button changes
when brightness comes
at 22:15 on mon sat
every 10m0s
quiet 2s
if brightness <= 30 && !button && (hour() > 5 || button)
for 1m0s
set home/light to false
set home/heating to 21
set home/mode to "night"
send home/say to "Good \"night\""
rest 1h0m0s
`
	if got, sense := h.Text(e.r), strings.NewReplacer("10m0s", "10m", "1m0s", "1m", "1h0m0s", "1h"); sense.Replace(got) != sense.Replace(want) {
		t.Fatalf("the forms wrote\n%s\nwant\n%s", got, want)
	}
	if e.wrong != nil || e.saveButton.Disabled() {
		t.Fatalf("it cannot be saved: %v", e.wrong)
	}
	test.Tap(e.saveButton)
	if len(h.batches) != 1 || len(h.batches[0].Rules) != 1 || h.batches[0].Say.String() != "The rule Mine was made." || shell.Err != nil {
		t.Fatalf("saved as %+v, %v", h.batches, shell.Err)
	}
	if e.dirty() || e.id != "rule" || len(s.list.rows) != 2 {
		t.Errorf("after saving: dirty %v, id %q, %d rows", e.dirty(), e.id, len(s.list.rows))
	}

	// Into text and back is the same rule.
	before := copyRule(e.r)
	e.switchMode()
	e.switchMode()
	if !reflect.DeepEqual(e.r, before) || e.dirty() {
		t.Errorf("through text: dirty %v\n%+v\n%+v", e.dirty(), e.r, before)
	}
}

// TestValuesOfActions: each way to write a value is read as that way again.
func TestValuesOfActions(t *testing.T) {
	s, _ := visit(t, fourBoards())
	s.chooseRule("dark")
	for _, c := range []struct {
		to    topic.Name
		value string
		want  actValue
	}{
		{"home/light", "true", actLiteral}, {"home/light", "brightness > 3", actFree}, {"home/light", `"On"`, actFree}, {"home/heating", "21", actLiteral}, {"home/heating", "-1.5", actLiteral},
		{"home/heating", "true", actFree}, {"home/heating", "brightness", actInput}, {"home/mode", `"day"`, actLiteral}, {"home/say", `"x" + "y"`, actFree}, {"home/say", "nobody", actFree},
	} {
		if got := s.rule.valueOf(core.Act{Topic: c.to, Value: c.value}); got != c.want {
			t.Errorf("%s to %s is %v, want %v", c.to, c.value, got, c.want)
		}
	}
}

func TestRenameAndRemoveInput(t *testing.T) {
	s, _ := visit(t, fourBoards())
	s.chooseRule("dark")
	e := s.rule
	e.r.When = []core.Trigger{{Kind: core.OnChange, Input: "brightness"}}
	e.rename(0, "lux")
	e.edited()
	if e.r.If != "lux < 30" || e.r.When[0].Input != "lux" || e.wrong != nil {
		t.Fatalf("renamed: %q, %+v, %v", e.r.If, e.r.When, e.wrong)
	}
	e.read("home/button")
	e.when.setOpen(true)
	name := all[*widget.Entry](e.when.body)[0]
	for _, bad := range []string{"button", "age", "2x", "", "l-x"} {
		name.SetText(bad)
		if e.r.Inputs[0].Name != "lux" || len(e.invalid) != 1 || !e.saveButton.Disabled() {
			t.Errorf("an input is called %q: %+v, %v", bad, e.r.Inputs, e.invalid)
		}
	}
	name.SetText("dim")
	if e.r.If != "dim < 30" || len(e.invalid) != 0 {
		t.Errorf("renamed by typing: %q, %v", e.r.If, e.invalid)
	}
	e.unread(0)
	if len(e.r.When) != 0 || e.wrong == nil || !e.saveButton.Disabled() {
		t.Errorf("an input that is used was taken away: %+v, %v", e.r, e.wrong)
	}
	if name := inputName(core.Rule{}, "home/거실"); name != "input" {
		t.Errorf("a Korean level is the input %q", name)
	}
	r := core.Rule{Inputs: []core.Input{{Name: "kit_1"}}}
	for n, want := range map[topic.Name]string{"a/kit-1": "kit_12", "a/rate": "rate2", "a/2nd": "x2nd", "": "input"} {
		if got := inputName(r, n); got != want {
			t.Errorf("%s is the input %q, want %q", n, got, want)
		}
	}
}

func TestText(t *testing.T) {
	h := fourBoards()
	s, shell := visit(t, h)
	s.chooseRule("dark")
	e := s.rule
	test.Tap(e.mode)
	if !e.textBox.Visible() || e.blocks.Visible() {
		t.Fatal("the text is not shown")
	}
	good := e.text.Text
	e.text.SetText(strings.Replace(good, "brightness < 30", "brightness < < 30", 1))
	if !e.textWrong.Visible() || !strings.Contains(e.textWrong.Text.Text, "Line 3") || e.goThere.Text != "Line 3" {
		t.Fatalf("a slip is told as %q, button %q", e.textWrong.Text.Text, e.goThere.Text)
	}
	test.Tap(e.goThere)
	if e.text.CursorRow != 2 {
		t.Errorf("the cursor is in row %d", e.text.CursorRow)
	}
	test.Tap(e.mode)
	if !e.asText || len(shell.Told) == 0 || !e.saveButton.Disabled() {
		t.Fatal("a text that cannot be read was left, or can be saved")
	}
	e.text.SetText(strings.Replace(good, "rule dark \"Dark\"", "rule dusk \"Dusk\"\nfor 2m", 1))
	if e.textWrong.Visible() || e.r.For != 2*time.Minute || e.r.ID != "dusk" {
		t.Fatalf("read: %+v, %q", e.r, e.textWrong.Text.Text)
	}
	test.Tap(e.saveButton)
	if b := h.batches[0]; b.Rules[0].ID != "dusk" || !slices.Equal(b.RemoveRules, []topic.ID{"dark"}) {
		t.Fatalf("renamed as %+v", b)
	}
	if !e.asText || e.dirty() || e.id != "dusk" {
		t.Errorf("after saving: text %v, dirty %v, id %s", e.asText, e.dirty(), e.id)
	}
}

func TestSomebodyElse(t *testing.T) {
	h := fourBoards()
	s, shell := visit(t, h)
	s.chooseRule("dark")
	e := s.rule
	other := copyRule(*h.d.Rules[0])
	other.Label = "Dusk"
	if err := h.Change(t.Context(), core.Batch{Rules: []core.Rule{other}}); err != nil {
		t.Fatal(err)
	}
	load(t, s)
	if e.r.Label != "Dusk" || e.label.Text != "Dusk" || e.dirty() {
		t.Fatalf("without own edits theirs is not taken: %q", e.label.Text)
	}

	// Switched off by somebody else while one edits: both hold.
	e.r.If = "brightness < 20"
	e.edited()
	other = copyRule(*h.d.Rules[0])
	other.Disabled = true
	if err := h.Change(t.Context(), core.Batch{Rules: []core.Rule{other}}); err != nil {
		t.Fatal(err)
	}
	load(t, s)
	if e.theirs != nil || !e.r.Disabled || e.r.If != "brightness < 20" || e.active.Checked {
		t.Fatalf("switched off meanwhile: %+v, theirs %v", e.r, e.theirs)
	}

	// Something else: told, not overwritten.
	other = copyRule(*h.d.Rules[0])
	other.If = "brightness < 50"
	if err := h.Change(t.Context(), core.Batch{Rules: []core.Rule{other}}); err != nil {
		t.Fatal(err)
	}
	load(t, s)
	if !strings.Contains(notes(e.notes), "Somebody changed this rule meanwhile") {
		t.Fatalf("told: %q", notes(e.notes))
	}
	n := len(h.batches)
	e.save(func() {})
	if len(h.batches) != n || len(shell.Told) == 0 {
		t.Fatal("theirs was overwritten")
	}
	press(t, shell, "Keep mine")
	e.save(func() {})
	if h.d.Rules[0].If != "brightness < 20" || e.dirty() {
		t.Fatalf("kept mine: %q, dirty %v, %v", h.d.Rules[0].If, e.dirty(), shell.Told)
	}

	// Somebody is faster than Save.
	e.r.If = "brightness < 10"
	e.edited()
	h.err = core.Fail(core.ErrConflict, "Somebody changed it meanwhile.")
	e.save(func() {})
	if !e.dirty() || e.r.If != "brightness < 10" || shell.Told[len(shell.Told)-1] != "Somebody changed it meanwhile." {
		t.Errorf("a conflict: dirty %v, told %q", e.dirty(), shell.Told)
	}

	// Deleted meanwhile: Save makes it again.
	if err := h.Change(t.Context(), core.Batch{RemoveRules: []topic.ID{"dark"}}); err != nil {
		t.Fatal(err)
	}
	load(t, s)
	if !strings.Contains(notes(e.notes), "Somebody deleted this rule") {
		t.Fatalf("told: %q", notes(e.notes))
	}
	e.save(func() {})
	if h.d.Rule("dark") == nil {
		t.Error("it was not made again")
	}
}

func TestUnsavedIsAskedAbout(t *testing.T) {
	h := fourBoards()
	second := copyRule(*h.d.Rules[0])
	second.ID, second.Label = "other", "Other"
	h.d.Rules = append(h.d.Rules, &second)
	s, shell := visit(t, h)
	s.chooseRule("dark")
	s.rule.label.SetText("Edited")
	s.list.table.Select(1)
	if s.rule.id != "dark" {
		t.Fatal("what was typed is lost")
	}
	press(t, shell, "Keep editing")
	if s.rule.id != "dark" || s.rule.label.Text != "Edited" || s.list.marked != 0 {
		t.Fatalf("kept: %s, %q, row %d", s.rule.id, s.rule.label.Text, s.list.marked)
	}
	s.chooseRule("other")
	press(t, shell, "Save")
	if s.rule.id != "other" || h.d.Rule("dark").Label != "Edited" {
		t.Fatalf("saved: %s, %q", s.rule.id, h.d.Rule("dark").Label)
	}
	s.rule.label.SetText("Again")
	s.chooseAlarm("hot")
	press(t, shell, "Discard")
	if !s.alarm.open() || s.rule.open() || h.d.Rule("other").Label != "Other" {
		t.Errorf("discarded: alarm %v, rule %v", s.alarm.open(), s.rule.open())
	}
}

func TestPausedAndTurnedOff(t *testing.T) {
	h := fourBoards()
	h.states = []core.RuleState{{ID: "dark", Paused: core.Say("Going round in circles: {loop}. Each makes the next one act. Change one of these rules so that it leaves alone what the other sets, then let {rule} go on.", "loop", "A → B → A", "rule", "Dark")}}
	s, shell := visit(t, h)
	if r := s.list.rows[0]; !r.bad || !strings.Contains(r.note, "A → B → A") {
		t.Errorf("the list says %+v", r)
	}
	s.chooseRule("dark")
	if !strings.Contains(notes(s.rule.notes), "A → B → A") {
		t.Errorf("told: %q", notes(s.rule.notes))
	}
	press(t, shell, "Run again")
	if h.resumed != "dark" {
		t.Error("it does not run again")
	}
	s.turn(s.list.rows[0], false)
	if !h.d.Rules[0].Disabled || h.batches[0].Say.String() != "Dark was switched off." || s.list.rows[0].on || h.d.Rules[0].Account != 7 {
		t.Errorf("turned off: %+v", h.batches)
	}
	if s.rule.dirty() || s.rule.active.Checked {
		t.Error("the sheet does not follow the switch")
	}
	if strings.Contains(notes(s.rule.notes), "circles") {
		t.Error("one that is off is still told to be paused")
	}
}

func TestLoopIsToldBeforeSaving(t *testing.T) {
	h := fourBoards()
	h.d.Rules = append(h.d.Rules, &core.Rule{ID: "round", Label: "Round", Changed: noon,
		Inputs: []core.Input{{Name: "light", Topic: "home/light"}}, Then: []core.Act{{Topic: "home/brightness", Value: "light ? 0 : 100"}}})
	s, _ := visit(t, h)
	s.chooseRule("dark")
	if got := notes(s.rule.notes); !strings.Contains(got, "Dark → Round → Dark") {
		t.Errorf("told: %q", got)
	}
}

func TestDryRun(t *testing.T) {
	h := fourBoards()
	h.firings = []core.Firing{{At: noon.Add(-time.Minute), Rule: "dark", Cause: core.Message{Topic: "home/brightness", Payload: []byte("12"), At: noon.Add(-time.Minute)},
		Why: core.Say("{inputs}", "inputs", "brightness = 12 %"), Sent: []core.Message{{Topic: "home/light/set", Payload: []byte("On")}}}}
	s, _ := visit(t, h)
	s.chooseRule("dark")
	e := s.rule
	e.r.If = "brightness < 20" // not saved
	e.edited()
	test.Tap(e.dry.hour)
	if h.over != time.Hour || h.tried[0].If != "brightness < 20" || e.dry.result.Text != "It would have acted 1 times. Nothing was published." {
		t.Fatalf("tried %+v over %v: %q", h.tried, h.over, e.dry.result.Text)
	}
	row := e.dry.list.CreateItem()
	e.dry.list.UpdateItem(0, row)
	var texts []string
	for _, l := range all[*fw.Label](row) {
		texts = append(texts, l.Text)
	}
	if got := strings.Join(texts, "|"); !strings.Contains(got, "Light = On") || !strings.Contains(got, "Brightness = 12 % · brightness = 12 %") {
		t.Errorf("the row says %q", got)
	}
	if n := 0; true {
		for _, c := range e.dry.ticks.count {
			n += c
		}
		if n != 1 || e.dry.ticks.count[ticksN-1] != 0 && e.dry.ticks.count[ticksN-2] != 0 {
			t.Errorf("%d ticks", n)
		}
	}
	e.label.SetText("Another name")
	if e.dry.done || e.dry.box.Visible() {
		t.Error("the result stays though the rule is another")
	}
	h.firings = nil
	test.Tap(e.dry.day)
	if h.over != 24*time.Hour || e.dry.result.Text != "It would not have acted. Nothing was published." {
		t.Errorf("over %v: %q", h.over, e.dry.result.Text)
	}
	if len(h.batches) != 0 {
		t.Error("a dry run changed the design")
	}
}

func TestOpen(t *testing.T) {
	esc := func(n string) string { return url.PathEscape(n) }
	for _, c := range []struct {
		path string
		want func(s *Screen, shell *widgettest.Shell) string
	}{
		{"dark", func(s *Screen, _ *widgettest.Shell) string { return fmt.Sprint(s.rule.id == "dark") }},
		{"new/" + esc("home/brightness") + "/" + esc("home/light"), func(s *Screen, _ *widgettest.Shell) string {
			return fmt.Sprint(s.rule.dirty() && s.rule.wrong == nil && s.rule.r.Then[0].Topic == "home/light" && s.rule.r.Inputs[0].Topic == "home/brightness")
		}},
		{"new/" + esc("home/button") + "/" + esc("home/light/set"), func(s *Screen, _ *widgettest.Shell) string {
			return fmt.Sprint(s.rule.wrong == nil && s.rule.r.Then[0] == core.Act{Topic: "home/light", Value: "button"})
		}},
		{"new/" + esc("home/nothing") + "/" + esc("home/light"), func(s *Screen, shell *widgettest.Shell) string {
			return fmt.Sprint(!s.rule.open() && strings.Contains(shell.Told[0], "home/nothing"))
		}},
		{"alarm/" + esc("home/brightness"), func(s *Screen, _ *widgettest.Shell) string { return fmt.Sprint(s.alarm.id == "hot" && s.list.isAlarms) }},
		{"alarm/" + esc("home/light"), func(s *Screen, _ *widgettest.Shell) string {
			return fmt.Sprint(s.alarm.dirty() && s.alarm.a.Topic == "home/light" && s.alarm.a.Kind == core.AlarmEquals && !s.alarm.saveButton.Disabled())
		}},
		{"gone", func(s *Screen, shell *widgettest.Shell) string {
			return fmt.Sprint(s.shown() == nil && len(shell.Told) == 1)
		}},
	} {
		shell := widgettest.New(t)
		s := New(fourBoards().parts(), shell)
		s.Open(c.path) // before anything was loaded
		load(t, s)
		if c.want(s, shell) != "true" {
			t.Errorf("%s: rule %+v, alarm %+v, told %q", c.path, s.rule.r, s.alarm.a, shell.Told)
		}
	}
}

// TestBetweenAnyTwo: what a wire between any two topics begins can be saved.
func TestBetweenAnyTwo(t *testing.T) {
	h := fourBoards()
	h.d.Topics = append(h.d.Topics, &core.Topic{Name: "home/z", Kind: core.JSON})
	s, _ := visit(t, h)
	for _, a := range h.d.Topics {
		for _, b := range h.d.Topics {
			if a == b {
				continue
			}
			s.openBetween(a.Name, b.Name)
			if s.rule.wrong != nil {
				t.Errorf("%s to %s: %s: %v", a.Name, b.Name, h.Text(s.rule.r), s.rule.wrong)
			}
		}
	}
}

func TestTemplates(t *testing.T) {
	h := fourBoards()
	s, shell := visit(t, h)
	i := slices.IndexFunc(h.Templates(), func(t core.RuleTemplate) bool { return t.ID == "choice" })
	f := s.fromTemplate(h.Templates()[i])
	if want := []topic.Name{"home/brightness", "home/button", "home/presence", "home/light"}; !slices.Equal(f.topics, want) {
		t.Fatalf("it offers %v, want %v", f.topics, want)
	}
	press(t, shell, "Make the rule")
	if s.rule.wrong != nil || !s.rule.dirty() || s.rule.id != "" {
		t.Fatalf("made: %+v, %v", s.rule.r, s.rule.wrong)
	}
	s.rule.more.setOpen(true)
	where := all[*fw.Select](s.rule.more.body)[0]
	where.SetSelectedIndex(1)
	s.rule.save(func() {})
	if r := h.d.Rule("choice"); r == nil || r.Kit != "home/choice" || s.list.rows[0].note != "runs on ESP_Choice" {
		t.Fatalf("on the board: %+v, rows %+v", r, s.list.rows)
	}
	s.rule.duplicate()
	if s.rule.r.ID != "choice-2" || !s.rule.r.Disabled || s.rule.id != "" {
		t.Errorf("the copy is %+v", s.rule.r)
	}
	// A part for which nothing fits keeps the button off.
	h.d.Topics = nil
	load(t, s)
	if f := s.fromTemplate(h.Templates()[0]); !f.sheet.OK().Disabled() {
		t.Error("a rule of no topics can be made")
	}
}

func TestDelete(t *testing.T) {
	h := fourBoards()
	s, shell := visit(t, h)
	s.chooseRule("dark")
	test.Tap(s.rule.del)
	press(t, shell, "Delete")
	if len(h.d.Rules) != 0 || s.rule.open() || !strings.Contains(shell.Told[0], "Undo is on the screen Plan") {
		t.Errorf("deleted: %d rules, open %v, told %q", len(h.d.Rules), s.rule.open(), shell.Told)
	}
	s.chooseAlarm("hot")
	test.Tap(s.alarm.del)
	press(t, shell, "Delete")
	if len(h.d.Alarms) != 0 || s.alarm.open() || !s.invite.Visible() {
		t.Errorf("deleted: %d alarms, open %v", len(h.d.Alarms), s.alarm.open())
	}
}

func TestAlarms(t *testing.T) {
	h := fourBoards()
	h.calling = []core.AlarmState{{Alarm: *h.d.Alarms[0], Say: core.Say("{name} is {value}, more than {limit}.", "name", "Brightness", "value", "95 %", "limit", "90 %"), Since: noon}}
	h.live = []core.Live{{Series: "home/brightness", Spark: []core.Reading{{At: noon, Value: 80}, {At: noon.Add(time.Second), Value: 95}}}}
	s, shell := visit(t, h)
	s.list.section(true)
	if !s.list.rows[0].bad {
		t.Errorf("one that calls is %+v in the list", s.list.rows[0])
	}
	s.chooseAlarm("hot")
	e := s.alarm
	if !strings.Contains(notes(e.notes), "Brightness is 95 %, more than 90 %.") || len(e.curve.readings) != 2 || !e.curve.limited {
		t.Errorf("told %q, %d readings", notes(e.notes), len(e.curve.readings))
	}
	press(t, shell, "I have seen it")
	if h.acked != "hot" {
		t.Error("it is not acknowledged")
	}
	if want := "It calls when Brightness is more than 90 %. It ends at 85 %."; e.sentence.Text != want {
		t.Errorf("it reads %q, want %q", e.sentence.Text, want)
	}
	field := func(i int) *widget.Entry { return all[*widget.Entry](e.form)[i] }
	for i, c := range []struct{ text, told string }{{"x", "no number"}, {"-3", ""}, {"150", "will not pass"}, {"80", ""}} {
		field(0).SetText(c.text)
		if got := notes(e.notes); c.told != "" && !strings.Contains(got, c.told) {
			t.Errorf("%d: limit %s is told %q", i, c.text, got)
		}
		if bad := c.text == "x"; e.saveButton.Disabled() != bad {
			t.Errorf("limit %s: can be saved %v", c.text, !e.saveButton.Disabled())
		}
	}
	field(1).SetText("-1")
	if !e.saveButton.Disabled() {
		t.Error("a hysteresis below 0 can be saved")
	}
	field(1).SetText("2")
	field(2).SetText("forever")
	if !e.saveButton.Disabled() {
		t.Error("it must hold forever, and that can be saved")
	}
	field(2).SetText("10 s")
	test.Tap(e.saveButton)
	a := h.d.Alarm("hot")
	if a.Limit != 80 || a.Clear != 2 || a.For != 10*time.Second || e.dirty() || len(h.batches) != 1 {
		t.Fatalf("saved as %+v, dirty %v", a, e.dirty())
	}

	// Each kind has what it needs, and nothing of another kind.
	for i, k := range alarmKinds {
		all[*fw.Select](e.form)[0].SetSelectedIndex(i)
		timed := k == core.AlarmSilent || k == core.AlarmRate || k == core.AlarmFlood
		if e.a.Kind != k || (e.a.Within > 0) != timed || k != core.AlarmEquals && e.a.Word != "" || k == core.AlarmEquals != (e.problem() != "") {
			t.Errorf("%s is %+v, problem %q", k, e.a, e.problem())
		}
	}
	e.a.Topic = "home/say"
	e.setKind(core.AlarmAbove)
	e.rebuild()
	e.a.Topic = "home/button"
	e.rebuild()
	if !strings.Contains(notes(e.notes), "no numbers") {
		t.Errorf("told %q", notes(e.notes))
	}
}

// TestPictures draws the screen in each language and theme; HOMEROOM_PICTURES is
// a folder in which to look at them.
func TestPictures(t *testing.T) {
	t.Cleanup(func() { lang.Use(lang.English, "") })
	for _, l := range lang.All() {
		lang.Use(l, "")
		h := fourBoards()
		s, shell := visit(t, h)
		for _, c := range []struct {
			name string
			show func()
		}{
			{"invite", func() {}},
			{"when", func() { s.chooseRule("dark"); s.rule.when.setOpen(true) }},
			{"holds", func() { s.rule.holds.setOpen(true) }},
			{"then", func() { s.rule.then.setOpen(true) }},
			{"text", func() { s.rule.switchMode() }},
			{"alarm", func() { s.list.section(true); s.chooseAlarm("hot") }},
		} {
			c.show()
			if m := s.Content().MinSize(); m.Width > 1060 || m.Height > 700 {
				t.Errorf("%s %s needs %v", l, c.name, m)
			}
			dir := os.Getenv("HOMEROOM_PICTURES")
			if dir == "" {
				continue
			}
			f, err := os.Create(fmt.Sprintf("%s/%s-%s.png", dir, l, c.name))
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(f, shell.Win.Canvas().Capture()); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
}

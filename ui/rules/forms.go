package rules

import (
	"math"
	"slices"
	"strconv"
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

// The forms below are built anew when something comes or goes; what is typed only
// changes the rule.

// small is a button without words.
func small(icon fyne.Resource, do func()) *fw.Button {
	b := fw.NewButtonWithIcon("", icon, do)
	b.Importance = fw.LowImportance
	return b
}

// adding is a button that adds something.
func adding(text string, do func()) *fw.Button {
	b := fw.NewButtonWithIcon(text, theme.ContentAddIcon(), do)
	b.Alignment = fw.ButtonAlignLeading
	b.Importance = fw.LowImportance
	return b
}

// heading is a title within a form.
func heading(text string) fyne.CanvasObject {
	return fw.NewLabelWithStyle(text, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
}

// selection is a choice of some words; get is -1 where none is chosen.
func selection(words []string, at int, take func(int)) *fw.Select {
	s := fw.NewSelect(words, nil)
	if at >= 0 && at < len(words) {
		s.SetSelectedIndex(at)
	}
	s.OnChanged = func(string) { take(s.SelectedIndex()) }
	return s
}

// entry is a field of one line.
func entry(text, hint string, take func(string)) *widget.Entry {
	e := widget.NewEntry()
	e.SetPlaceHolder(hint)
	e.Text = text
	e.OnChanged = take
	return e
}

// spanEntry is a field for how long something is.
func (e *ruleSheet) spanEntry(key string, d time.Duration, needed bool, take func(time.Duration)) *widget.Entry {
	return entry(saySpan(d), lang.L("such as 30 s, 5 min or 1 h"), func(text string) {
		d, ok := readSpan(text)
		if !ok || needed && d == 0 {
			e.invalid[key] = lang.L("“{text}” is no time of at most a day. Write it like 30 s, 5 min or 1 h.", "text", text)
			e.draw()
			return
		}
		delete(e.invalid, key)
		take(d)
		e.edited()
	})
}

// labelled is a field behind its name, on one line.
func labelled(label string, o fyne.CanvasObject) fyne.CanvasObject {
	return container.NewBorder(nil, nil, fw.NewLabel(label), nil, o)
}

// kindOf is the kind of the values of a topic.
func (s *Screen) kindOf(n topic.Name) core.Kind {
	if t := s.topicOf(n); t != nil {
		return t.Kind
	}
	return core.Text
}

// rebuild shows the open form anew after something came or went.
func (e *ruleSheet) rebuild() {
	clear(e.invalid)
	switch e.openBlock() {
	case e.when:
		e.buildWhen()
	case e.holds:
		e.buildHolds()
	case e.then:
		e.buildThen()
	case e.more:
		e.buildMore()
	}
	e.edited()
}

// addInput asks for a topic to read, and goes on with its name.
func (e *ruleSheet) addInput(then func(name string)) {
	e.s.pick(lang.L("Which topic does the rule read?"), nil, func(n topic.Name) { then(e.read(n)) })
}

// read makes a topic an input and returns its name.
func (e *ruleSheet) read(n topic.Name) string {
	if i := slices.IndexFunc(e.r.Inputs, func(in core.Input) bool { return in.Topic == n }); i >= 0 {
		return e.r.Inputs[i].Name
	}
	name := inputName(e.r, n)
	e.r.Inputs = append(e.r.Inputs, core.Input{Name: name, Topic: n})
	return name
}

// nameProblem says why an input cannot be called that, or "".
func (e *ruleSheet) nameProblem(i int, to string) string {
	switch {
	case to == "" || strings.Trim(to, "_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || to[0] >= '0' && to[0] <= '9' || len(to) > 32:
		return lang.L("“{text}” cannot be the name of an input. Use letters, digits and _, beginning with a letter.", "text", to)
	case slices.Contains(taken, to):
		return lang.L("“{text}” means something else in expressions. Choose another name.", "text", to)
	}
	for j, in := range e.r.Inputs {
		if j != i && in.Name == to {
			return lang.L("{name} is taken. Choose another name.", "name", to)
		}
	}
	return ""
}

// rename gives an input another name, everywhere.
func (e *ruleSheet) rename(i int, to string) {
	from := e.r.Inputs[i].Name
	e.r.Inputs[i].Name = to
	e.r.If = renamed(e.r.If, from, to)
	for j := range e.r.Then {
		e.r.Then[j].Value = renamed(e.r.Then[j].Value, from, to)
	}
	for j := range e.r.When {
		if e.r.When[j].Input == from {
			e.r.When[j].Input = to
		}
	}
}

// unread takes an input away, with the triggers that wait for it.
func (e *ruleSheet) unread(i int) {
	name := e.r.Inputs[i].Name
	e.r.Inputs = slices.Delete(e.r.Inputs, i, i+1)
	e.r.When = slices.DeleteFunc(e.r.When, func(t core.Trigger) bool {
		return t.Input == name && (t.Kind == core.OnChange || t.Kind == core.OnMessage)
	})
	e.rebuild()
}

// inputRows are the topics that the rule reads.
func (e *ruleSheet) inputRows() []fyne.CanvasObject {
	rows := []fyne.CanvasObject{heading(lang.L("What it reads"))}
	for i, in := range e.r.Inputs {
		name := entry(in.Name, lang.L("Name"), nil)
		name.OnChanged = func(text string) {
			key := "read" + strconv.Itoa(i)
			text = strings.TrimSpace(text)
			if problem := e.nameProblem(i, text); problem != "" { // the rule keeps the name that it had
				e.invalid[key] = problem
				e.draw()
				return
			}
			delete(e.invalid, key)
			e.rename(i, text)
			e.edited()
		}
		b := e.s.topicButton(lang.L("Which topic does the rule read?"), func() topic.Name {
			if i < len(e.r.Inputs) {
				return e.r.Inputs[i].Topic
			}
			return ""
		}, nil, func(n topic.Name) {
			e.r.Inputs[i].Topic = n
			e.rebuild()
		})
		rows = append(rows, container.NewBorder(nil, nil, nil, small(theme.ContentRemoveIcon(), func() { e.unread(i) }),
			widget.Row([]float32{2, 3}, name, b)))
	}
	return append(rows, adding(lang.L("Read another topic"), func() {
		e.addInput(func(string) { e.rebuild() })
	}))
}

func (e *ruleSheet) inputNames() []string {
	names := make([]string, len(e.r.Inputs))
	for i, in := range e.r.Inputs {
		names[i] = in.Name
	}
	return names
}

// triggerKinds are the kinds of trigger as they are offered.
var triggerKinds = []core.TriggerKind{core.OnChange, core.OnMessage, core.OnTime, core.OnEvery}

func triggerNames() []string {
	return []string{lang.L("when it changes"), lang.L("at each message"), lang.L("at a time of day"), lang.L("again and again")}
}

// buildWhen is the form of what makes the rule look.
func (e *ruleSheet) buildWhen() {
	rows := e.inputRows()
	rows = append(rows, heading(lang.L("What makes it look")))
	if len(e.r.When) == 0 {
		rows = append(rows, widget.Muted(lang.L("Any change of what it reads. It acts when its answer becomes another.")))
	}
	for i := range e.r.When {
		rows = append(rows, e.triggerRow(i))
	}
	rows = append(rows, adding(lang.L("Add a trigger"), func() {
		t := core.Trigger{Kind: core.OnTime, At: 7*time.Hour + 30*time.Minute}
		if len(e.r.Inputs) > 0 {
			t = core.Trigger{Kind: core.OnChange, Input: e.r.Inputs[0].Name}
		}
		e.r.When = append(e.r.When, t)
		e.rebuild()
	}))
	rows = append(rows, labelled(lang.L("Wait until it was quiet for"), e.spanEntry("quiet", e.r.Debounce, false, func(d time.Duration) { e.r.Debounce = d })))
	e.when.fill(rows...)
}

func (e *ruleSheet) triggerRow(i int) fyne.CanvasObject {
	t := &e.r.When[i]
	kind := selection(triggerNames(), slices.Index(triggerKinds, t.Kind), func(k int) {
		e.setTrigger(i, triggerKinds[k])
		e.rebuild()
	})
	var detail fyne.CanvasObject
	switch t.Kind {
	case core.OnTime:
		at := entry(sayClock(t.At), "07:30", func(text string) {
			key := "at" + strconv.Itoa(i)
			if d, ok := readClock(text); ok {
				delete(e.invalid, key)
				e.r.When[i].At = d
				e.edited()
				return
			}
			e.invalid[key] = lang.L("“{text}” is no time of day. Write it like 07:30.", "text", text)
			e.draw()
		})
		detail = container.New(stack{4}, at, e.dayButtons(i))
	case core.OnEvery:
		detail = e.spanEntry("every"+strconv.Itoa(i), t.Every, true, func(d time.Duration) { e.r.When[i].Every = d })
	default:
		detail = selection(e.inputNames(), slices.Index(e.inputNames(), t.Input), func(k int) {
			e.r.When[i].Input = e.r.Inputs[k].Name
			e.edited()
		})
	}
	gone := small(theme.ContentRemoveIcon(), func() {
		e.r.When = slices.Delete(e.r.When, i, i+1)
		e.rebuild()
	})
	return container.NewBorder(nil, nil, nil, container.NewVBox(gone), widget.Row([]float32{2, 3}, container.NewVBox(kind), detail))
}

// setTrigger makes a trigger one of another kind, with what that needs.
func (e *ruleSheet) setTrigger(i int, k core.TriggerKind) {
	t := core.Trigger{Kind: k}
	switch k {
	case core.OnTime:
		t.At = 7*time.Hour + 30*time.Minute
	case core.OnEvery:
		t.Every = time.Minute
	default:
		if t.Input = e.r.When[i].Input; t.Input == "" && len(e.r.Inputs) > 0 {
			t.Input = e.r.Inputs[0].Name
		}
	}
	e.r.When[i] = t
}

// weekdays are the days as they are offered, Monday first.
var weekdays = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday}

func dayNames() []string {
	return []string{lang.L("Mon"), lang.L("Tue"), lang.L("Wed"), lang.L("Thu"), lang.L("Fri"), lang.L("Sat"), lang.L("Sun")}
}

// dayButtons choose days; none is every day.
func (e *ruleSheet) dayButtons(i int) fyne.CanvasObject {
	box := container.NewGridWithColumns(4)
	for n, d := range weekdays {
		c := fw.NewCheck(dayNames()[n], nil)
		c.Checked = slices.Contains(e.r.When[i].Days, d)
		c.OnChanged = func(on bool) {
			t := &e.r.When[i]
			t.Days = slices.DeleteFunc(slices.Clone(t.Days), func(x time.Weekday) bool { return x == d })
			if on {
				t.Days = append(t.Days, d)
			}
			slices.SortFunc(t.Days, func(a, b time.Weekday) int { return slices.Index(weekdays, a) - slices.Index(weekdays, b) })
			e.edited()
		}
		box.Add(c)
	}
	return box
}

// opName says a comparison.
func opName(op string) string {
	switch op {
	case opIs:
		return lang.L("is")
	case opIsNot:
		return lang.L("is not")
	case opLess:
		return lang.L("is less than")
	case opMost:
		return lang.L("is at most")
	case opMore:
		return lang.L("is more than")
	case opLeast:
		return lang.L("is at least")
	case opStill:
		return lang.L("has not changed for")
	case opRecent:
		return lang.L("changed within")
	case opSilent:
		return lang.L("said nothing for")
	case opHeard:
		return lang.L("said something within")
	case opNever:
		return lang.L("never said anything")
	}
	return lang.L("said something before")
}

// conds are the parts of the condition.
func (e *ruleSheet) conds() []cond {
	if e.r.If == "" {
		return nil
	}
	var all []cond
	for _, p := range parts(e.r.If) {
		all = append(all, readCond(p, isInput(e.r)))
	}
	return all
}

func (e *ruleSheet) setConds(all []cond) {
	texts := make([]string, len(all))
	for i, c := range all {
		texts[i] = c.write()
	}
	e.r.If = join(texts)
	if e.r.If == "" {
		e.r.For = 0 // nothing can hold for some time
	}
}

// buildHolds is the form of the condition.
func (e *ruleSheet) buildHolds() {
	all := e.conds()
	var rows []fyne.CanvasObject
	if len(all) == 0 {
		rows = append(rows, widget.Muted(lang.L("Without a condition the rule always acts.")))
	}
	for i := range all {
		if i > 0 {
			rows = append(rows, heading(lang.L("and")))
		}
		rows = append(rows, e.condRow(all, i))
	}
	compare := adding(lang.L("Compare a topic"), func() {
		e.addInput(func(name string) {
			e.setConds(append(e.conds(), e.newCond(name)))
			e.rebuild()
		})
	})
	free := adding(lang.L("Add an expression"), func() {
		e.setConds(append(e.conds(), cond{text: "true"}))
		e.rebuild()
	})
	rows = append(rows, widget.Columns(170, compare, free))
	if len(all) > 0 {
		rows = append(rows, labelled(lang.L("for at least"), e.spanEntry("for", e.r.For, false, func(d time.Duration) { e.r.For = d })))
	}
	e.holds.fill(rows...)
}

// newCond is a comparison of an input to start from.
func (e *ruleSheet) newCond(input string) cond {
	t := e.s.topicOf(inputTopic(e.r, input))
	if t == nil {
		t = &core.Topic{}
	}
	c := cond{input: input, op: ops(t.Kind)[0], value: plainValue(*t)}
	if t.Kind == core.Number {
		c.value = sayNumber((t.Min + t.Max) / 2)
	}
	if c.span() {
		c.value = time.Minute.String()
	}
	return c
}

func (e *ruleSheet) condRow(all []cond, i int) fyne.CanvasObject {
	set := func(c cond) {
		all[i] = c
		e.setConds(all)
	}
	c := all[i]
	gone := small(theme.ContentRemoveIcon(), func() {
		e.setConds(slices.Delete(all, i, i+1))
		e.rebuild()
	})
	if c.op == opFree {
		x := entry(c.text, lang.L("An expression such as {example}", "example", "brightness < 30 || !button"), func(text string) {
			set(cond{text: strings.Join(strings.Fields(text), " ")})
			e.edited()
		})
		x.TextStyle.Monospace = true
		return container.NewBorder(nil, nil, nil, gone, x)
	}
	kind := e.s.kindOf(inputTopic(e.r, c.input))
	offered := ops(kind)
	if !slices.Contains(offered, c.op) {
		offered = append([]string{c.op}, offered...)
	}
	names := make([]string, len(offered))
	for n, op := range offered {
		names[n] = opName(op)
	}
	input := selection(e.inputNames(), slices.Index(e.inputNames(), c.input), func(k int) {
		set(e.newCond(e.r.Inputs[k].Name))
		e.rebuild()
	})
	op := selection(names, slices.Index(offered, c.op), func(k int) {
		next := cond{input: c.input, op: offered[k], value: all[i].value}
		if next.span() != c.span() || c.op == opNever || c.op == opEver {
			next.value = e.newCond(c.input).value
			if next.span() {
				next.value = time.Minute.String()
			}
		}
		set(next)
		e.rebuild()
	})
	return container.NewBorder(nil, nil, nil, container.NewVBox(gone), widget.Row([]float32{3, 4, 3}, container.NewVBox(input), container.NewVBox(op), e.condValue(c, i, func(v string) {
		next := all[i]
		next.value = v
		set(next)
		e.edited()
	})))
}

// condValue is the field of what is compared with.
func (e *ruleSheet) condValue(c cond, i int, take func(string)) fyne.CanvasObject {
	if c.op == opNever || c.op == opEver {
		return layout.NewSpacer()
	}
	key := "if" + strconv.Itoa(i)
	if c.span() {
		d, _ := time.ParseDuration(c.value)
		return e.spanEntry(key, d, true, func(d time.Duration) { take(d.String()) })
	}
	t := e.s.topicOf(inputTopic(e.r, c.input))
	if t == nil {
		t = &core.Topic{}
	}
	return e.literalField(*t, c.value, key, take)
}

// literalField is the field of a value of a topic that is written out.
func (e *ruleSheet) literalField(t core.Topic, value, key string, take func(string)) fyne.CanvasObject {
	switch t.Kind {
	case core.Boolean:
		return selection([]string{t.Word(true), t.Word(false)}, map[string]int{"true": 0, "false": 1}[value], func(k int) {
			take(strconv.FormatBool(k == 0))
		})
	case core.Number:
		return e.numberField(t, value, key, take)
	}
	word, err := strconv.Unquote(value)
	if err != nil {
		word = value
	}
	if t.Kind == core.Enumeration && len(t.Options) > 0 {
		return selection(t.Options, slices.Index(t.Options, word), func(k int) { take(strconv.Quote(t.Options[k])) })
	}
	return entry(word, lang.L("Text"), func(text string) { take(strconv.Quote(text)) })
}

// numberField is a number with its unit, and a slider where there is a range.
func (e *ruleSheet) numberField(t core.Topic, value, key string, take func(string)) fyne.CanvasObject {
	var slider *fw.Slider
	typed := entry(value, "", nil)
	typed.OnChanged = func(text string) {
		v, ok := number(text)
		if !ok {
			e.invalid[key] = lang.L("“{text}” is no number.", "text", text)
			e.draw()
			return
		}
		delete(e.invalid, key)
		if slider != nil && slider.Value != v {
			slider.Value = v
			slider.Refresh()
		}
		take(sayNumber(v))
	}
	var box fyne.CanvasObject = typed
	if t.Unit != "" {
		box = container.NewBorder(nil, nil, nil, fw.NewLabel(t.Unit), typed)
	}
	if t.Min >= t.Max {
		return box
	}
	slider = fw.NewSlider(t.Min, t.Max)
	slider.Step = t.Step
	if slider.Step <= 0 {
		slider.Step = (t.Max - t.Min) / 100
	}
	slider.Value, _ = number(value)
	slider.OnChanged = func(v float64) {
		if text := sayNumber(math.Round(v*1e6) / 1e6); text != typed.Text {
			typed.SetText(text)
		}
	}
	return container.New(stack{0}, box, slider)
}

// buildThen is the form of what the rule does.
func (e *ruleSheet) buildThen() {
	var rows []fyne.CanvasObject
	for i := range e.r.Then {
		rows = append(rows, e.actRow(i))
	}
	rows = append(rows, adding(lang.L("Set a topic"), func() {
		e.s.pick(lang.L("Which topic does the rule set?"), nil, func(n topic.Name) {
			e.r.Then = append(e.r.Then, core.Act{Topic: n, Value: plainValue(*e.s.topicOf(n))})
			e.rebuild()
		})
	}), labelled(lang.L("Then rest for"), e.spanEntry("rest", e.r.Cooldown, false, func(d time.Duration) { e.r.Cooldown = d })))
	e.then.fill(rows...)
}

// actValue is what an action can publish.
type actValue int

const (
	actLiteral actValue = iota // a value that is written out
	actInput                   // what an input is
	actFree                    // an expression
)

// valueOf tells what an action publishes.
func (e *ruleSheet) valueOf(a core.Act) actValue {
	ts := words(a.Value)
	if len(ts) == 1 && ts[0].kind == 'n' && isInput(e.r)(ts[0].text) {
		return actInput
	}
	v, ok := literal(ts)
	if !ok {
		return actFree
	}
	quoted := strings.HasPrefix(v, `"`)
	switch e.s.kindOf(a.Topic) {
	case core.Boolean:
		ok = v == "true" || v == "false"
	case core.Number:
		ok = !quoted && v != "true" && v != "false"
	case core.JSON:
		ok = false
	default:
		ok = quoted
	}
	if !ok {
		return actFree
	}
	return actLiteral
}

func (e *ruleSheet) actRow(i int) fyne.CanvasObject {
	a := e.r.Then[i]
	to := e.s.topicButton(lang.L("Which topic does the rule set?"), func() topic.Name { return e.r.Then[i].Topic }, nil, func(n topic.Name) {
		if e.s.kindOf(n) != e.s.kindOf(a.Topic) {
			e.r.Then[i].Value = plainValue(*e.s.topicOf(n))
		}
		e.r.Then[i].Topic = n
		e.rebuild()
	})
	var modes []actValue
	var names []string
	offer := func(m actValue, name string) { modes, names = append(modes, m), append(names, name) }
	kind := e.s.kindOf(a.Topic)
	if kind != core.JSON {
		offer(actLiteral, lang.L("this value"))
	}
	if len(e.r.Inputs) > 0 {
		offer(actInput, lang.L("what another is"))
	}
	offer(actFree, lang.L("an expression"))
	mode := e.valueOf(a)
	how := selection(names, slices.Index(modes, mode), func(k int) {
		switch modes[k] {
		case actLiteral:
			e.r.Then[i].Value = plainValue(core.Topic{Kind: kind})
			if t := e.s.topicOf(a.Topic); t != nil {
				e.r.Then[i].Value = plainValue(*t)
			}
		case actInput:
			e.r.Then[i].Value = e.r.Inputs[0].Name
			for _, in := range e.r.Inputs {
				if e.s.kindOf(in.Topic) == kind {
					e.r.Then[i].Value = in.Name
					break
				}
			}
		case actFree:
			e.r.Then[i].Value = "(" + e.r.Then[i].Value + ")" // to be gone on with
		}
		e.rebuild()
	})
	set := func(v string) {
		e.r.Then[i].Value = v
		e.edited()
	}
	var value fyne.CanvasObject
	switch mode {
	case actLiteral:
		v, _ := literal(words(a.Value))
		t := core.Topic{Kind: kind}
		if found := e.s.topicOf(a.Topic); found != nil {
			t = *found
		}
		value = e.literalField(t, v, "set"+strconv.Itoa(i), set)
	case actInput:
		value = selection(e.inputNames(), slices.Index(e.inputNames(), strings.TrimSpace(a.Value)), func(k int) { set(e.r.Inputs[k].Name) })
	case actFree:
		x := entry(a.Value, "", func(text string) { set(strings.Join(strings.Fields(text), " ")) })
		x.TextStyle.Monospace = true
		x.MultiLine, x.Wrapping = true, fyne.TextWrapWord
		x.SetMinRowsVisible(2)
		value = x
	}
	always := fw.NewCheck(lang.L("also where it has that value already"), nil)
	always.Checked = a.Always
	always.OnChanged = func(on bool) {
		e.r.Then[i].Always = on
		e.edited()
	}
	gone := small(theme.ContentRemoveIcon(), func() {
		e.r.Then = slices.Delete(e.r.Then, i, i+1)
		e.rebuild()
	})
	up := small(theme.MoveUpIcon(), func() {
		e.r.Then[i-1], e.r.Then[i] = e.r.Then[i], e.r.Then[i-1]
		e.rebuild()
	})
	widget.SetEnabled(up, i > 0)
	choose := labelled(lang.L("to"), how)
	row := widget.Row([]float32{2, 3}, container.NewVBox(choose), value)
	if mode == actFree { // it needs the whole width
		row = container.New(stack{4}, choose, value)
	}
	return container.NewBorder(nil, nil, nil, container.NewVBox(gone, up), container.New(stack{4}, labelled(lang.L("set"), to), row, always))
}

// buildMore is the form of what a rule is for and where it runs.
func (e *ruleSheet) buildMore() {
	about := entry(e.r.Text, lang.L("What it is for"), nil)
	about.MultiLine, about.Wrapping = true, fyne.TextWrapWord
	about.SetMinRowsVisible(2)
	about.OnChanged = func(text string) {
		e.r.Text = strings.TrimSpace(text)
		e.edited()
	}
	kits := []topic.Name{""}
	names := []string{lang.L("this program")}
	for _, p := range e.s.d.Places {
		if p.Kind == core.KitPlace && p.Role == core.ChoiceKit || p.Name == e.r.Kit {
			kits = append(kits, p.Name)
			names = append(names, p.Title()+" ("+string(p.Name)+")")
		}
	}
	where := selection(names, slices.Index(kits, e.r.Kit), func(k int) {
		e.r.Kit = kits[k]
		e.edited()
	})
	e.more.fill(about, labelled(lang.L("Runs on"), where),
		widget.Muted(lang.L("A board can only run the rule of the template “Choice”, with the same topics.")),
		widget.Muted(lang.L("It is called {id} in texts and files. Change that in the text.", "id", e.r.ID)))
}

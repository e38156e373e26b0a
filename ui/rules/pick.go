package rules

import (
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// picker asks for one of the designed topics.
type picker struct {
	search *widget.Entry
	list   *fw.List
	all    []*core.Topic
	rows   []*core.Topic
	take   func(topic.Name)
}

// pick asks for a topic that fits; kinds says which values are wanted first.
func (s *Screen) pick(title string, fit func(core.Topic) bool, take func(topic.Name)) *picker {
	p := &picker{}
	for _, t := range s.d.Topics {
		if fit == nil || fit(*t) {
			p.all = append(p.all, t)
		}
	}
	p.search = widget.NewEntry()
	p.search.SetPlaceHolder(lang.L("Search"))
	p.list = fw.NewList(func() int { return len(p.rows) }, func() fyne.CanvasObject {
		name, about := widget.Cell(""), widget.Cell("")
		about.Importance, about.SizeName = fw.LowImportance, theme.SizeNameCaptionText
		return container.New(layout.NewCustomPaddedVBoxLayout(-12), name, about)
	}, func(i fw.ListItemID, o fyne.CanvasObject) {
		if i >= len(p.rows) {
			return
		}
		t, lines := p.rows[i], o.(*fyne.Container).Objects
		widget.SetText(lines[0].(*fw.Label), string(t.Name))
		about := kindName(t.Kind)
		if t.Label != "" {
			about = t.Label + " · " + about
		}
		if t.Unit != "" {
			about += " · " + t.Unit
		}
		if v, ok := s.value(t.Name); ok {
			about += " · " + v
		}
		widget.SetText(lines[1].(*fw.Label), about)
	})
	none := widget.Muted(lang.L("No designed topic fits. Draw it on the screen Plan first."))
	box := dialog.NewCustom(title, lang.L("Cancel"), container.NewBorder(p.search, nil, nil, nil, container.NewStack(p.list, container.NewVBox(none))), s.sh.Window())
	p.take = func(n topic.Name) {
		box.Hide()
		take(n)
	}
	find := func(typed string) {
		typed = strings.ToLower(strings.TrimSpace(typed))
		p.rows = nil
		for _, t := range p.all {
			if strings.Contains(strings.ToLower(string(t.Name)+" "+t.Label+" "+t.Unit), typed) {
				p.rows = append(p.rows, t)
			}
		}
		widget.SetVisible(none, len(p.rows) == 0)
		p.list.Refresh()
	}
	p.search.OnChanged = find
	p.search.OnSubmitted = func(string) {
		if len(p.rows) > 0 {
			p.take(p.rows[0].Name)
		}
	}
	p.list.OnSelected = func(i fw.ListItemID) {
		if i < len(p.rows) {
			p.take(p.rows[i].Name)
		}
	}
	find("")
	room := s.sh.Window().Canvas().Size()
	box.Resize(fyne.NewSize(min(520, room.Width-40), min(560, room.Height-60)))
	box.Show()
	s.sh.Window().Canvas().Focus(p.search)
	return p
}

// topicButton shows a topic and asks for another.
func (s *Screen) topicButton(title string, get func() topic.Name, fit func(core.Topic) bool, set func(topic.Name)) *fw.Button {
	var b *fw.Button
	show := func() {
		text := lang.L("Choose a topic")
		if n := get(); n != "" {
			text = tail(n)
		}
		b.SetText(text)
	}
	b = fw.NewButtonWithIcon("", theme.SearchIcon(), func() {
		s.pick(title, fit, func(n topic.Name) {
			set(n)
			show()
		})
	})
	b.Alignment = fw.ButtonAlignLeading
	show()
	return b
}

// tail is the end of a name, as much of it as a button has room for.
func tail(n topic.Name) string {
	const most = 36
	if r := []rune(widget.Visible(string(n), false)); len(r) > most {
		return "…" + string(r[len(r)-most:])
	}
	return widget.Visible(string(n), false)
}

// kindName names a kind of value.
func kindName(k core.Kind) string {
	switch k {
	case core.Number:
		return lang.L("Number")
	case core.Boolean:
		return lang.L("True or false")
	case core.Enumeration:
		return lang.L("One of some words")
	case core.JSON:
		return lang.L("JSON")
	}
	return lang.L("Text")
}

// value is what a topic says now, in its words.
func (s *Screen) value(n topic.Name) (string, bool) {
	st, ok := s.values[n]
	if !ok || len(st.Last.Payload) == 0 {
		return "", false
	}
	return s.words(n, string(st.Last.Payload)), true
}

// words is a payload as a person reads it.
func (s *Screen) words(n topic.Name, payload string) string {
	const most = 60
	t := s.topicOf(n)
	if t != nil && t.Kind == core.Boolean {
		if is, ok := t.Truth(payload); ok {
			return t.Word(is)
		}
	}
	text := widget.OneLine(payload)
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	if t != nil && t.Unit != "" && t.Kind == core.Number {
		text += " " + t.Unit
	}
	return text
}

// beginRule asks what to start a rule from.
func (s *Screen) beginRule() {
	var box *dialog.CustomDialog
	rows := container.NewVBox()
	add := func(b fyne.CanvasObject) { rows.Add(b) }
	for _, t := range s.p.Library.Templates() {
		add(templateButton(t, func() {
			box.Hide()
			s.fromTemplate(t)
		}))
	}
	add(plainButton(lang.L("An empty rule"), theme.DocumentCreateIcon(), func() {
		box.Hide()
		s.emptyRule()
	}))
	box = dialog.NewCustom(lang.L("New rule"), lang.L("Cancel"), widget.Middle(460, rows), s.sh.Window())
	box.Resize(fyne.NewSize(500, 0))
	box.Show()
}

// emptyRule begins a rule of nothing.
func (s *Screen) emptyRule() {
	if s.d == nil {
		return
	}
	s.leave(func() {
		s.list.section(false)
		s.rule.begin(core.Rule{ID: s.ruleID(""), Label: lang.L("New rule")})
	})
}

// fromTemplate asks for the topics of a template and begins the rule.
func (s *Screen) fromTemplate(t core.RuleTemplate) *filling {
	if s.d == nil {
		return nil
	}
	f := &filling{topics: make([]topic.Name, len(t.Parts))}
	check := func() { f.sheet.Allow(!slices.Contains(f.topics, "")) }
	rows := container.NewVBox(widget.Muted(lang.L("Choose a topic for each part.")))
	for i, p := range t.Parts {
		f.topics[i] = guess(s.d, p, f.topics)
		hint := lang.L("The rule reads it.")
		if p.Set {
			hint = lang.L("The rule sets it.")
		}
		b := s.topicButton(lang.Say(p.Title), func() topic.Name { return f.topics[i] }, func(t core.Topic) bool { return fits(t, p) }, func(n topic.Name) {
			f.topics[i] = n
			check()
		})
		rows.Add(widget.Field(lang.Say(p.Title), b, hint))
	}
	f.sheet = widget.NewSheet(s.sh, lang.Say(t.Title), lang.L("Make the rule"), 460, rows, func(sh *widget.Sheet) {
		sh.Close()
		s.leave(func() {
			s.list.section(false)
			r := t.Make(s.ruleID(string(t.ID)), f.topics)
			r.Label = lang.Say(t.Title)
			s.rule.begin(r)
		})
	})
	check()
	return f
}

// filling is a template whose topics are being chosen.
type filling struct {
	topics []topic.Name
	sheet  *widget.Sheet
}

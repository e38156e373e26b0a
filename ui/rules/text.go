package rules

import (
	"errors"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// textEntry is where a rule is written as text. Tab leaves it.
type textEntry struct{ widget.Entry }

func newTextEntry() *textEntry {
	e := &textEntry{}
	e.MultiLine, e.Wrapping = true, fyne.TextWrapWord
	e.TextStyle.Monospace = true
	e.ExtendBaseWidget(e)
	return e
}

// AcceptsTab is part of fyne.Tabbable.
func (e *textEntry) AcceptsTab() bool { return false }

func (e *ruleSheet) buildText() {
	e.text = newTextEntry()
	e.text.SetMinRowsVisible(15)
	e.text.OnChanged = func(string) { e.readText() }
	e.goThere = fw.NewButton("", nil)
	e.textWrong = widget.NewNote("", fw.DangerImportance, e.goThere)
	e.textWrong.Hide()
	e.goThere.Hide()
	hint := widget.Muted(lang.L("One thing a line: rule, read, when, at, every, quiet, if, for, set, send, rest. Lines that begin with # are not kept."))
	hint.SizeName = theme.SizeNameCaptionText
	e.textBox = container.New(stack{6}, e.text, e.textWrong, hint)
	e.textBox.Hide()
}

// switchMode goes from blocks to text, or back.
func (e *ruleSheet) switchMode() {
	if e.asText {
		if !e.textFits() {
			e.s.sh.Tell(lang.L("The text cannot be read yet. What is wrong is told below it."))
			return
		}
		e.asText = false
		e.showMode()
		if b := e.openBlock(); b != nil {
			e.rebuild()
		}
		e.edited()
		return
	}
	for _, b := range []*block{e.when, e.holds, e.then, e.more} {
		b.setOpen(false)
	}
	clear(e.invalid)
	e.asText = true
	e.typed = e.s.p.Language.Text(e.r)
	e.text.SetText(e.typed)
	e.readText()
	e.showMode()
	e.draw()
	e.relayout()
	e.s.sh.Window().Canvas().Focus(e.text)
}

// showMode shows blocks or text.
func (e *ruleSheet) showMode() {
	widget.SetVisible(e.blocks, !e.asText)
	widget.SetVisible(e.textBox, e.asText)
	word, icon := lang.L("As text"), theme.FileTextIcon()
	if e.asText {
		word, icon = lang.L("As blocks"), theme.ListIcon()
	}
	if e.mode.Text != word {
		e.mode.SetText(word)
		e.mode.SetIcon(icon)
	}
	widget.SetEnabled(e.label, !e.asText) // it is in the text
	widget.SetEnabled(e.active, !e.asText)
	e.relayout()
}

// textFits reports whether the text, where there is one, is the rule.
func (e *ruleSheet) textFits() bool {
	return !e.asText || e.text.Text == e.typed || !e.textWrong.Visible()
}

// readText takes the rule from the text, where it can be read.
func (e *ruleSheet) readText() {
	if !e.asText {
		return
	}
	r, err := e.s.p.Language.Parse(e.text.Text)
	if err == nil {
		r.Account, r.Changed = e.r.Account, e.r.Changed
		e.r = r
		if e.label.Text != r.Label {
			e.label.Text = r.Label
			e.label.Refresh()
		}
		if e.active.Checked == r.Disabled {
			e.active.Checked = !r.Disabled
			e.active.Refresh()
		}
		widget.SetVisible(e.textWrong, false)
		e.edited()
		return
	}
	widget.SetText(e.textWrong.Text, lang.Error(err))
	line := lineOf(err)
	widget.SetVisible(e.goThere, line > 0)
	e.goThere.SetText(lang.L("Line {n}", "n", line))
	e.goThere.OnTapped = func() {
		e.text.CursorRow, e.text.CursorColumn = line-1, 0
		e.text.Refresh()
		e.s.sh.Window().Canvas().Focus(e.text)
	}
	widget.SetVisible(e.textWrong, true)
	e.draw()
	e.relayout()
}

// lineOf returns the line that an error tells, or 0.
func lineOf(err error) int {
	var p *core.Problem
	if !errors.As(err, &p) {
		return 0
	}
	for i := 0; i+1 < len(p.Args); i += 2 {
		if n, ok := p.Args[i+1].(int); ok && p.Args[i] == "line" {
			return n
		}
	}
	return 0
}

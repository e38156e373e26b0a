package plan

import (
	"context"
	"slices"

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

// someProblems is how many of each group are listed at once.
const someProblems = 60

// problems lists what could be better in the design, with what makes it so.
type problems struct {
	e editor
	p Plan

	page   *fyne.Container
	count  *fw.Label
	all    *fw.Button
	groups *fyne.Container
	design *core.Design // that the list is of
	found  []core.Fix
}

func newProblems(e editor, p Plan) *problems {
	q := &problems{e: e, p: p, count: widget.Text(""), groups: container.New(layout.NewCustomPaddedVBoxLayout(6))}
	q.count.TextStyle.Bold = true
	q.all = fw.NewButtonWithIcon(lang.L("Fix all that can be"), theme.ConfirmIcon(), q.fixAll)
	q.all.Importance = fw.HighImportance
	q.page = container.NewBorder(container.NewVBox(q.count, q.all), nil, nil, nil, widget.Scroll(q.groups))
	return q
}

func (q *problems) content() fyne.CanvasObject { return q.page }

// show looks for problems anew where the design is another.
func (q *problems) show() {
	d := q.e.design()
	if d == q.design {
		return
	}
	q.design = d
	q.e.shell().Do(func(context.Context) (func(), error) {
		found := slices.DeleteFunc(slices.Clone(q.p.Problems()), ofAttribute)
		return func() {
			if q.design == d {
				q.found = found
				q.draw()
			}
		}, nil
	})
}

// see takes what was found since, where that is something else.
func (q *problems) see(found []core.Fix) {
	if !slices.EqualFunc(found, q.found, sameFix) {
		q.found = found
		q.draw()
	}
}

// sameFix reports whether two are the same to a person.
func sameFix(a, b core.Fix) bool {
	return a.Topic == b.Topic && a.Rename == b.Rename && a.To == b.To && lang.Say(a.Say) == lang.Say(b.Say) && fixable(a) == fixable(b)
}

// ofAttribute reports whether f is about an attribute of a device, such as $state,
// which nobody designs.
func ofAttribute(f core.Fix) bool { return f.Topic != "" && hidden(f.Topic) }

// fixable reports whether the program can mend f.
func fixable(f core.Fix) bool { return f.Rename != "" || filled(f.Batch) }

func filled(b core.Batch) bool {
	return len(b.Topics)+len(b.Places)+len(b.Rules)+len(b.Alarms)+len(b.RemoveTopics)+len(b.RemovePlaces)+len(b.RemoveRules)+len(b.RemoveAlarms) > 0
}

// fix mends f.
func fix(e editor, f core.Fix) {
	if f.Rename != "" {
		e.move(f.Rename, f.To)
	} else if filled(f.Batch) {
		e.change(f.Batch)
	}
}

// draw lists what was found: first what the program can mend, then what a person must.
func (q *problems) draw() {
	var can, must []core.Fix
	for _, f := range q.found {
		if fixable(f) {
			can = append(can, f)
		} else {
			must = append(must, f)
		}
	}
	q.groups.RemoveAll()
	q.count.SetText(lang.L("problems: {n}", "n", len(q.found)))
	widget.SetVisible(q.all, len(can) > 1)
	for _, g := range []struct {
		title string
		fixes []core.Fix
	}{
		{lang.L("Can be fixed with one click: {n}", "n", len(can)), can},
		{lang.L("A person must decide: {n}", "n", len(must)), must},
	} {
		if len(g.fixes) == 0 {
			continue
		}
		title := fw.NewLabelWithStyle(g.title, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
		title.Importance, title.Wrapping = fw.HighImportance, fyne.TextWrapWord
		q.groups.Add(title)
		for _, f := range g.fixes[:min(len(g.fixes), someProblems)] {
			q.groups.Add(q.row(f))
		}
		if more := len(g.fixes) - someProblems; more > 0 {
			q.groups.Add(widget.Muted(lang.L("{n} more are not listed yet. Fix some of these first.", "n", more)))
		}
	}
	if len(q.found) == 0 {
		q.groups.Add(widget.NewNote(lang.L("Nothing to improve: every name is easy to type, and everything fits together."), fw.SuccessImportance))
	}
	q.groups.Refresh()
}

func (q *problems) row(f core.Fix) fyne.CanvasObject {
	buttons := container.NewHBox(layout.NewSpacer())
	if f.Topic != "" {
		show := fw.NewButtonWithIcon(lang.L("Show"), theme.SearchIcon(), func() { q.e.choose(q.about(f.Topic)) })
		show.Importance = fw.LowImportance
		buttons.Add(show)
	}
	if fixable(f) {
		buttons.Add(fw.NewButtonWithIcon(lang.L("Fix"), theme.ConfirmIcon(), func() { fix(q.e, f) }))
	}
	return widget.NewSurface(theme.ColorNameOverlayBackground, container.New(layout.NewCustomPaddedVBoxLayout(-2), widget.Text(lang.Say(f.Say)), buttons))
}

// about is the item with that name.
func (q *problems) about(n topic.Name) item {
	if q.e.design().Place(n) != nil {
		return item{place: n}
	}
	return item{topic: n}
}

// fixAll mends what the program can: all changes as one, then the moves. What
// concerns the same things as another fix is found again, and fixed the next time.
func (q *problems) fixAll() {
	all := core.Batch{Say: core.Say("Everything that could be fixed was.")}
	touched := map[string]bool{}
	var moves []core.Fix
	for _, f := range q.found {
		if f.Rename != "" {
			inside := slices.ContainsFunc(moves, func(m core.Fix) bool { return core.Within(f.Rename, m.Rename) || core.Within(m.Rename, f.Rename) })
			if !inside {
				moves = append(moves, f)
			}
			continue
		}
		names := touches(f.Batch)
		if len(names) == 0 || slices.ContainsFunc(names, func(n string) bool { return touched[n] }) {
			continue
		}
		for _, n := range names {
			touched[n] = true
		}
		all.Topics = append(all.Topics, f.Batch.Topics...)
		all.Places = append(all.Places, f.Batch.Places...)
		all.Rules = append(all.Rules, f.Batch.Rules...)
		all.Alarms = append(all.Alarms, f.Batch.Alarms...)
		all.RemoveTopics = append(all.RemoveTopics, f.Batch.RemoveTopics...)
		all.RemovePlaces = append(all.RemovePlaces, f.Batch.RemovePlaces...)
		all.RemoveRules = append(all.RemoveRules, f.Batch.RemoveRules...)
		all.RemoveAlarms = append(all.RemoveAlarms, f.Batch.RemoveAlarms...)
	}
	if filled(all) {
		q.e.change(all)
	}
	for _, f := range moves {
		q.e.move(f.Rename, f.To)
	}
}

// touches are what a batch changes, by kind and name.
func touches(b core.Batch) (names []string) {
	for _, t := range b.Topics {
		names = append(names, "t"+string(t.Name))
	}
	for _, n := range b.RemoveTopics {
		names = append(names, "t"+string(n))
	}
	for _, p := range b.Places {
		names = append(names, "p"+string(p.Name))
	}
	for _, n := range b.RemovePlaces {
		names = append(names, "p"+string(n))
	}
	for _, r := range b.Rules {
		names = append(names, "r"+string(r.ID))
	}
	for _, id := range b.RemoveRules {
		names = append(names, "r"+string(id))
	}
	for _, a := range b.Alarms {
		names = append(names, "a"+string(a.ID))
	}
	for _, id := range b.RemoveAlarms {
		names = append(names, "a"+string(id))
	}
	return names
}

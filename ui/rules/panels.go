package rules

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

// livePanel shows what the inputs say now and what the rule did last.
type livePanel struct {
	s       *Screen
	content fyne.CanvasObject
	rows    *fyne.Container
	shown   []topic.Name
	values  []*fw.Label
	state   *fw.Label
	last    *fw.Label
	why     *fw.Label
}

func newLivePanel(s *Screen) *livePanel {
	p := &livePanel{s: s, rows: container.New(stack{-6}), state: widget.Text(""), last: widget.Text(""), why: widget.Muted("")}
	p.state.TextStyle.Bold = true
	p.content = panel(lang.L("Now"), container.New(stack{-4}, p.rows, p.state, p.last, p.why))
	return p
}

// panel is a titled box within the sheet.
func panel(title string, content fyne.CanvasObject) fyne.CanvasObject {
	head := fw.NewLabelWithStyle(title, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	return widget.NewSurface(theme.ColorNameBackground, container.New(stack{0}, head, content))
}

func (p *livePanel) draw(r core.Rule) {
	var names []topic.Name
	for _, in := range r.Inputs {
		names = append(names, in.Topic)
	}
	for _, a := range r.Then {
		if a.Topic != "" && !slices.Contains(names, a.Topic) {
			names = append(names, a.Topic)
		}
	}
	if !slices.Equal(names, p.shown) {
		p.shown, p.values = names, nil
		p.rows.RemoveAll()
		for i, n := range names {
			name := widget.Cell(p.s.title(n))
			if i < len(r.Inputs) {
				name.SetText(r.Inputs[i].Name)
			}
			full := widget.Cell(string(n))
			full.Importance, full.SizeName = fw.LowImportance, theme.SizeNameCaptionText
			v := fw.NewLabelWithStyle("", fyne.TextAlignTrailing, fyne.TextStyle{Bold: true})
			v.Truncation = fyne.TextTruncateEllipsis
			p.values = append(p.values, v)
			p.rows.Add(container.NewGridWithColumns(2, container.New(layout.NewCustomPaddedVBoxLayout(-14), name, full), v))
		}
		p.rows.Refresh()
	}
	for i, n := range names {
		text := "–"
		if v, ok := p.s.value(n); ok {
			text = v + " · " + lang.Ago(p.s.now().Sub(p.s.values[n].Last.At))
		}
		widget.SetText(p.values[i], text)
	}
	is, known := p.s.holds(r)
	switch {
	case !known:
		widget.SetText(p.state, "")
	case is:
		widget.SetText(p.state, lang.L("The condition holds now."))
	default:
		widget.SetText(p.state, lang.L("The condition does not hold now."))
	}
	widget.SetVisible(p.state, known)
	st := p.s.states[r.ID]
	switch {
	case r.Kit != "":
		widget.SetText(p.last, lang.L("The board decides; what it did is on its topics."))
	case st.Acts == 0:
		widget.SetText(p.last, lang.L("It has not acted since the program started."))
	default:
		widget.SetText(p.last, lang.L("It acted {n} times, the last at {time}: {sent}", "n", widget.Number(st.Acts), "time", clock(st.Last.At), "sent", p.s.sent(st.Last)))
	}
	text := ""
	if st.Acts > 0 {
		text = lang.L("Because {why}", "why", lang.Say(st.Last.Why))
	}
	widget.SetText(p.why, text)
	widget.SetVisible(p.why, text != "")
}

// holds reports whether the condition of r holds now; known is false where that
// cannot be told from the values.
func (s *Screen) holds(r core.Rule) (is, known bool) {
	if r.If == "" {
		return false, false
	}
	is, known = true, true
	for _, part := range parts(r.If) {
		c := readCond(part, isInput(r))
		n := inputTopic(r, c.input)
		t := s.topicOf(n)
		if t == nil {
			return false, false
		}
		v := s.values[n].Last
		yes, ok := c.holds(*t, string(v.Payload), v.At, s.now())
		is, known = is && yes, known && ok
	}
	return is && known, known
}

func isInput(r core.Rule) func(string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(r.Inputs, func(in core.Input) bool { return in.Name == name })
	}
}

func inputTopic(r core.Rule, name string) topic.Name {
	for _, in := range r.Inputs {
		if in.Name == name {
			return in.Topic
		}
	}
	return ""
}

// sent says what a firing published.
func (s *Screen) sent(f core.Firing) string {
	var all []string
	for _, m := range f.Sent {
		n := topic.Name(strings.TrimSuffix(string(m.Topic), "/set"))
		all = append(all, s.title(n)+" = "+s.words(n, string(m.Payload)))
	}
	return strings.Join(all, ", ")
}

// clock writes a time of today, or with its day.
func clock(t time.Time) string {
	t = t.Local()
	if now := time.Now(); t.YearDay() != now.YearDay() || t.Year() != now.Year() {
		return t.Format("02.01. 15:04:05")
	}
	return t.Format("15:04:05")
}

// dryPanel tries a rule out against the past.
type dryPanel struct {
	e         *ruleSheet
	content   fyne.CanvasObject
	hour, day *fw.Button
	result    *fw.Label
	ticks     *ticks
	ends      *fyne.Container
	from, to  *fw.Label
	list      *fw.List
	box       *fyne.Container
	firings   []core.Firing
	asked     int // rises with each run, so that an old answer is not shown
	done      bool
}

const mostFirings = 1000 // that a dry run tells

func newDryPanel(e *ruleSheet) *dryPanel {
	p := &dryPanel{e: e, result: widget.Text(""), ticks: newTicks(), from: fw.NewLabel(""), to: fw.NewLabel("")}
	p.hour = fw.NewButtonWithIcon(lang.L("The last hour"), theme.MediaPlayIcon(), func() { p.run(time.Hour) })
	p.day = fw.NewButtonWithIcon(lang.L("The last 24 hours"), theme.MediaPlayIcon(), func() { p.run(24 * time.Hour) })
	for _, l := range []*fw.Label{p.from, p.to} {
		l.SizeName, l.Importance = theme.SizeNameCaptionText, fw.LowImportance
	}
	p.ends = container.NewBorder(nil, nil, p.from, p.to)
	p.list = fw.NewList(func() int { return len(p.firings) }, func() fyne.CanvasObject {
		at, why := widget.Cell(""), widget.Cell("")
		at.TextStyle.Bold = true
		why.SizeName, why.Importance = theme.SizeNameCaptionText, fw.LowImportance
		return container.New(layout.NewCustomPaddedVBoxLayout(-12), at, why)
	}, func(i fw.ListItemID, o fyne.CanvasObject) {
		if i >= len(p.firings) {
			return
		}
		f, lines := p.firings[i], o.(*fyne.Container).Objects
		widget.SetText(lines[0].(*fw.Label), clock(f.At)+"  "+p.e.s.sent(f))
		why := lang.Say(f.Why)
		if !f.Cause.At.IsZero() {
			why = p.e.s.title(f.Cause.Topic) + " = " + p.e.s.words(f.Cause.Topic, string(f.Cause.Payload)) + " · " + why
		}
		widget.SetText(lines[1].(*fw.Label), why)
	})
	p.box = container.New(tall{230}, p.list)
	p.content = panel(lang.L("Dry run"), container.New(stack{4},
		widget.Muted(lang.L("What this rule would have done with what was published. Nothing is published now.")),
		widget.Columns(210, p.hour, p.day), p.result, p.ticks, p.ends, p.box))
	p.clear()
	return p
}

// clear shows no result.
func (p *dryPanel) clear() {
	p.asked++
	p.done, p.firings = false, nil
	p.result.Importance = fw.MediumImportance
	p.result.SetText("")
	for _, o := range []fyne.CanvasObject{p.result, p.ticks, p.ends, p.box} {
		widget.SetVisible(o, false)
	}
}

// stale takes away a result that is about the rule as it was.
func (p *dryPanel) stale() {
	if p.done {
		p.clear()
	}
}

func (p *dryPanel) run(over time.Duration) {
	p.clear()
	n, r := p.asked, copyRule(p.e.r)
	to := p.e.s.now()
	from := to.Add(-over)
	p.result.SetText(lang.L("Looking …"))
	widget.SetVisible(p.result, true)
	p.e.relayout()
	p.e.s.sh.Do(func(ctx context.Context) (func(), error) {
		firings, err := p.e.s.p.Engine.DryRun(ctx, r, from, to)
		return func() {
			if p.asked == n {
				p.show(firings, err, from, to)
			}
		}, nil
	})
}

func (p *dryPanel) show(firings []core.Firing, err error, from, to time.Time) {
	p.done, p.firings = true, firings
	switch {
	case err != nil:
		p.firings = nil
		p.result.Importance = fw.DangerImportance
		p.result.SetText(lang.Error(err))
	case len(firings) >= mostFirings:
		p.result.SetText(lang.L("It would have acted {n} times or more. Nothing was published.", "n", widget.Number(uint64(len(firings)))))
	case len(firings) == 0:
		p.result.SetText(lang.L("It would not have acted. Nothing was published."))
	default:
		p.result.SetText(lang.L("It would have acted {n} times. Nothing was published.", "n", len(firings)))
	}
	p.ticks.set(p.firings, from, to)
	p.from.SetText(clock(from))
	p.to.SetText(clock(to))
	widget.SetVisible(p.ticks, err == nil)
	widget.SetVisible(p.ends, err == nil)
	widget.SetVisible(p.box, len(p.firings) > 0)
	p.list.Refresh()
	p.list.ScrollToTop()
	p.e.relayout()
}

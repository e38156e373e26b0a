package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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

// someMisses is how many names that were nearly selected are told.
const someMisses = 6

// playground shows what a topic filter selects while it is typed, and who may use it.
type playground struct {
	e editor
	p Plan
	r Rights

	page     *fyne.Container
	entry    *widget.Entry
	examples *fyne.Container
	where    *fw.Label // the filter, with a mark under what is wrong
	problem  *fw.Label
	means    *fw.Label
	count    *fw.Label
	choose   *fw.Button
	list     *fw.List
	misses   *fw.Label
	may      *fw.Label

	design *core.Design
	asked  time.Time // when what arrives was last looked at
	turn   int
	filter topic.Filter
	found  []match
}

// match is a name that the filter selects.
type match struct {
	name   topic.Name
	stray  bool
	filter topic.Filter
}

func newPlayground(e editor, p Plan, r Rights) *playground {
	g := &playground{e: e, p: p, r: r, where: fw.NewLabel(""), problem: widget.Text(""), means: widget.Text(""), count: widget.Text(""), misses: widget.Muted(""), may: widget.Muted("")}
	g.entry = widget.NewEntry()
	g.entry.SetPlaceHolder("blue/+/kit-1/#")
	g.entry.OnChanged = func(string) { g.look() }
	g.problem.Importance, g.where.Importance = fw.DangerImportance, fw.DangerImportance
	g.where.TextStyle.Monospace, g.where.Truncation = true, fyne.TextTruncateClip
	g.count.TextStyle.Bold = true
	g.misses.SizeName, g.may.SizeName = theme.SizeNameCaptionText, theme.SizeNameCaptionText
	g.examples = container.New(layout.NewRowWrapLayout())
	g.choose = fw.NewButton(lang.L("Choose them"), func() {
		items := make([]item, 0, len(g.found))
		for _, m := range g.found {
			items = append(items, item{topic: m.name})
		}
		g.e.choose(items...)
	})
	g.list = fw.NewList(func() int { return len(g.found) },
		func() fyne.CanvasObject { return newMatchRow() },
		func(at fw.ListItemID, o fyne.CanvasObject) {
			if at < len(g.found) {
				o.(*matchRow).show(g.found[at])
			}
		})
	g.list.HideSeparators = true
	g.list.OnSelected = func(at fw.ListItemID) {
		g.list.UnselectAll()
		if at < len(g.found) {
			g.e.choose(item{topic: g.found[at].name})
		}
	}
	top := container.New(layout.NewCustomPaddedVBoxLayout(2),
		widget.Field(lang.L("Topic filter"), g.entry, lang.L("What a program would subscribe to.")),
		g.examples, container.New(layout.NewCustomPaddedVBoxLayout(-10), g.where, g.problem), g.means,
		container.NewBorder(nil, nil, nil, container.NewCenter(g.choose), g.count))
	below := container.New(layout.NewCustomPaddedVBoxLayout(0), widget.NewFold(lang.L("Nearly"), g.misses), widget.NewFold(lang.L("Who may subscribe to it"), g.may))
	g.page = container.NewBorder(top, below, nil, nil, g.list)
	g.design = e.design()
	g.offer()
	return g
}

func (g *playground) content() fyne.CanvasObject { return g.page }

// show looks again where the design is another.
func (g *playground) show() {
	if d := g.e.design(); d != g.design {
		g.design = d
		g.offer()
		g.look()
	}
}

// age looks again, as something may arrive that the filter selects.
func (g *playground) age(now time.Time, changed []core.TopicState) {
	if now.Sub(g.asked).Abs() < time.Second || g.filter == "" {
		return
	}
	for _, s := range changed {
		if g.filter.Match(s.Last.Topic) && !slices.ContainsFunc(g.found, func(m match) bool { return m.name == s.Last.Topic }) {
			g.asked = now
			g.look()
			return
		}
	}
}

// offer puts examples from this design under the entry.
func (g *playground) offer() {
	g.examples.RemoveAll()
	for _, f := range exampleFilters(g.design) {
		b := fw.NewButton(string(f), func() { g.entry.SetText(string(f)) })
		g.examples.Add(b)
	}
	g.examples.Refresh()
}

// exampleFilters are filters that select something of d, each with another use of the wildcards.
func exampleFilters(d *core.Design) (fs []topic.Filter) {
	add := func(s string) {
		if f, err := topic.ParseFilter(s); err == nil && !slices.Contains(fs, f) {
			fs = append(fs, f)
		}
	}
	add("#")
	deep := slices.ContainsFunc(d.Topics, func(t *core.Topic) bool { return len(t.Name.Split()) > 2 })
	for _, t := range d.Topics {
		l := t.Name.Split()
		if len(l) < 2 || deep && len(l) < 3 {
			continue
		}
		add(l[0] + "/#")
		wild := slices.Clone(l)
		for i := 1; i < len(wild)-1; i++ {
			wild[i] = "+"
		}
		add(strings.Join(wild, "/"))
		wild[0] = "+"
		add(strings.Join(wild, "/"))
		add(l[0] + "/+/+/$state")
		break
	}
	return fs
}

// look shows what the filter selects now.
func (g *playground) look() {
	g.turn++
	turn, text := g.turn, g.entry.Text
	at, wrong := filterProblem(text)
	widget.SetVisible(g.problem, wrong != "" && text != "")
	widget.SetVisible(g.where, g.problem.Visible())
	if wrong != "" {
		g.filter, g.found = "", nil
		shown := []rune(widget.Visible(text, false))
		from := max(0, at-16) // so that the mark is in view
		g.where.SetText(string(shown[min(from, len(shown)):]) + "\n" + strings.Repeat(" ", at-from) + "^")
		g.problem.SetText(wrong)
		g.means.SetText("")
		g.drawFound(nil)
		g.may.SetText("")
		if text == "" {
			g.means.SetText(lang.L("+ stands for exactly one level, # for everything from there on. Type a filter, or click an example."))
		}
		return
	}
	g.e.shell().Do(func(context.Context) (func(), error) {
		s, err := g.p.Select(text)
		may, not := mayRead(g.r, s.Filter)
		return func() {
			if g.turn != turn {
				return
			}
			if err != nil {
				g.filter, g.found = "", nil
				g.where.Hide()
				g.problem.SetText(lang.Error(err))
				g.problem.Show()
				g.means.SetText("")
				g.drawFound(nil)
				g.may.SetText("")
				return
			}
			g.filter, g.found = s.Filter, nil
			for _, n := range s.Topics {
				g.found = append(g.found, match{n, false, s.Filter})
			}
			for _, n := range s.Arriving {
				g.found = append(g.found, match{n, true, s.Filter})
			}
			g.means.SetText(explainFilter(s.Filter))
			g.drawFound(nearMisses(s.Filter, g.design, g.found))
			g.may.SetText(sayMay(may, not, s.Filter))
		}, nil
	})
}

func (g *playground) drawFound(misses []string) {
	g.list.Refresh()
	g.choose.Hidden = len(g.found) < 2
	g.choose.Refresh()
	g.count.SetText(lang.L("selected: {n}", "n", len(g.found)))
	if g.filter == "" {
		g.count.SetText("")
	}
	if len(misses) == 0 {
		misses = []string{lang.L("No name is nearly selected.")}
	}
	g.misses.SetText(strings.Join(misses, "\n"))
}

// filterProblem finds what keeps text from being a filter. at counts characters.
func filterProblem(text string) (at int, wrong string) {
	rest, offset := text, 0
	if strings.HasPrefix(text, "$share/") {
		group, filter, ok := strings.Cut(text[len("$share/"):], "/")
		if !ok || group == "" || strings.ContainsAny(group, "+#") {
			return len("$share/"), lang.L("Behind $share comes the name of a group, then the filter: $share/class/blue/#")
		}
		rest, offset = filter, utf8.RuneCountInString(text)-utf8.RuneCountInString(filter)
	}
	if rest == "" {
		return offset, lang.L("A filter is missing here.")
	}
	at = offset
	levels := strings.Split(rest, "/")
	for i, l := range levels {
		for n, r := range []rune(l) {
			alone := utf8.RuneCountInString(l) == 1
			switch {
			case r == '#' && !alone, r == '+' && !alone:
				return at + n, lang.L("{sign} stands for a whole level, so nothing else may be in its level. Write {better}.", "sign", string(r), "better", apart(l))
			case r == '#' && i < len(levels)-1:
				return at + n, lang.L("# takes everything that follows, so nothing may come after it. For one level, write +.")
			}
		}
		at += utf8.RuneCountInString(l) + 1
	}
	if _, err := topic.ParseFilter(text); err != nil {
		return 0, lang.L("This is too long, or holds what cannot be sent. Shorten it.")
	}
	return 0, ""
}

// apart is a level with wildcards in it as a person probably meant it.
func apart(level string) string {
	plain := strings.Trim(strings.NewReplacer("+", "/+/", "#", "/#").Replace(level), "/")
	for strings.Contains(plain, "//") {
		plain = strings.ReplaceAll(plain, "//", "/")
	}
	return plain
}

// explainFilter says in a sentence what f selects.
func explainFilter(f topic.Filter) string {
	levels := strings.Split(string(f), "/")
	var parts []string
	for _, l := range levels {
		switch l {
		case "+":
			parts = append(parts, lang.L("any one level"))
		case "#":
			parts = append(parts, lang.L("whatever follows, also nothing"))
		case "":
			parts = append(parts, lang.L("a level without a name"))
		default:
			parts = append(parts, "“"+widget.Visible(l, false)+"”")
		}
	}
	line := strings.Join(parts, " / ")
	text := lang.L("Selects names of exactly {n} levels: {levels}.", "n", len(levels), "levels", line)
	switch {
	case f == "#":
		return lang.L("Selects everything, except names that begin with $.")
	case levels[len(levels)-1] == "#":
		text = lang.L("Selects names that begin so: {levels}.", "levels", line)
	case !strings.Contains(string(f), "+"):
		return lang.L("Selects exactly this one name: there is no wildcard in it.")
	}
	if levels[0] == "+" {
		text += " " + lang.L("Names that begin with $ are not among them.")
	}
	return text
}

// nearMisses says of names that are nearly selected why they are not.
func nearMisses(f topic.Filter, d *core.Design, found []match) (why []string) {
	for _, t := range d.Topics {
		if len(why) >= someMisses {
			break
		}
		if f.Match(t.Name) {
			continue
		}
		if text := nearly(strings.Split(string(f), "/"), t.Name.Split()); text != "" {
			why = append(why, widget.Visible(string(t.Name), false)+": "+text)
		}
	}
	return why
}

// nearly says why a filter does not select a name, where only one thing is between
// them; else "".
func nearly(filter, name []string) string {
	open := filter[len(filter)-1] == "#"
	if open {
		filter = filter[:len(filter)-1]
	}
	differs, at := 0, 0
	for i := range min(len(filter), len(name)) {
		if filter[i] != "+" && filter[i] != name[i] {
			differs++
			at = i
		}
	}
	switch more := len(name) - len(filter); {
	case differs == 0 && more > 0 && !open:
		return lang.L("it has {n} levels more. End the filter with /# to take them too.", "n", more)
	case differs == 0 && more == -1:
		return lang.L("it has a level less, and each level of the filter needs one.")
	case differs == 1 && (more == 0 || open && more > 0):
		return lang.L("“{a}” is not “{b}”.", "a", widget.Visible(name[at], false), "b", widget.Visible(filter[at], false))
	}
	return ""
}

// mayRead are the titles of those who may subscribe to f, and of those who may not.
func mayRead(r Rights, f topic.Filter) (may, not []string) {
	if f == "" {
		return nil, nil
	}
	may = r.MayUse(f, core.Subscribe)
	for _, a := range r.Accounts() {
		if !a.Disabled && !slices.Contains(may, a.Title()) {
			not = append(not, a.Title())
		}
	}
	return may, not
}

func sayMay(may, not []string, f topic.Filter) string {
	text := lang.L("They may: {names}", "names", some(may))
	if len(not) > 0 {
		text += "\n" + lang.L("They may not: {names}. Their grants do not cover all that {filter} could select, also what is not there yet.", "names", some(not), "filter", f)
	}
	return text
}

// matchRow shows a name with what each wildcard took of it.
type matchRow struct {
	fw.BaseWidget
	text *fw.RichText
	took *fw.Label
	box  *fyne.Container
	is   match
}

func newMatchRow() *matchRow {
	r := &matchRow{text: fw.NewRichText(), took: widget.Cell("")}
	r.text.Truncation = fyne.TextTruncateEllipsis
	r.text.Segments = []fw.RichTextSegment{&fw.TextSegment{Text: " "}}
	r.took.SizeName, r.took.Importance = theme.SizeNameCaptionText, fw.LowImportance
	r.box = container.New(layout.NewCustomPaddedVBoxLayout(-16), r.text, r.took)
	r.ExtendBaseWidget(r)
	return r
}

// CreateRenderer is part of fyne.Widget.
func (r *matchRow) CreateRenderer() fyne.WidgetRenderer { return fw.NewSimpleRenderer(r.box) }

func (r *matchRow) show(m match) {
	if r.is == m {
		return
	}
	r.is = m
	r.text.Segments = nil
	add := func(text string, color fyne.ThemeColorName, bold bool) {
		style := fw.RichTextStyle{ColorName: color, Inline: true, SizeName: theme.SizeNameText, TextStyle: fyne.TextStyle{Bold: bold}}
		r.text.Segments = append(r.text.Segments, &fw.TextSegment{Text: text, Style: style})
	}
	plain := theme.ColorNameForeground
	if m.stray {
		plain = theme.ColorNameWarning
	}
	filter := strings.Split(string(m.filter), "/")
	for i, l := range m.name.Split() {
		if i > 0 {
			add("/", theme.ColorNamePlaceHolder, false)
		}
		l = widget.Visible(l, false)
		switch {
		case i >= len(filter) || filter[i] == "#":
			add(l, theme.ColorNameSuccess, true)
		case filter[i] == "+":
			add(l, theme.ColorNamePrimary, true)
		default:
			add(l, plain, false)
		}
	}
	took := taken(m.filter, m.name)
	if m.stray {
		took = strings.TrimPrefix(took+" · "+lang.L("arrives, not designed"), " · ")
	}
	r.took.SetText(took)
	r.text.Refresh()
}

// taken says which levels of a name each wildcard took.
func taken(f topic.Filter, n topic.Name) string {
	var parts []string
	name := n.Split()
	for i, l := range strings.Split(string(f), "/") {
		switch {
		case l == "+" && i < len(name):
			parts = append(parts, fmt.Sprintf("+ = %s", widget.Visible(name[i], false)))
		case l == "#" && i < len(name):
			parts = append(parts, fmt.Sprintf("# = %s", widget.Visible(strings.Join(name[i:], "/"), false)))
		case l == "#":
			parts = append(parts, "# = "+lang.L("nothing"))
		}
	}
	return strings.Join(parts, " · ")
}

package plan

import (
	"context"
	"fmt"
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

// The longest texts, in characters.
const (
	maxLabel = 60
	maxUnit  = 12
	maxProse = 1000
)

// inspector shows what is chosen, and changes it field by field.
type inspector struct {
	e   editor
	p   Parts
	now time.Time

	page   *fyne.Container
	scroll *container.Scroll
	seen   string // what the form is of, see key
	form   *form
	name   *typed                       // of the one chosen thing, or nil
	alive  []func(map[string]bool)      // draw values anew; gets the topics that changed
	large  map[topic.Name]*widget.Board // over the window, see showBoards
	turn   int                          // rises with each form; what was asked for an older one is not shown
}

func newInspector(e editor, p Parts) *inspector {
	i := &inspector{e: e, p: p, page: container.NewStack()}
	i.show()
	return i
}

func (i *inspector) content() fyne.CanvasObject { return i.page }

// show draws the design and the choice as they are now.
func (i *inspector) show() {
	if key := i.key(); key != i.seen || i.form == nil {
		i.seen = key
		i.build()
	}
	i.form.show()
	i.draw(nil)
}

// age shows values as they are now.
func (i *inspector) age(now time.Time, changed []core.TopicState) {
	i.now = now
	names := make(map[string]bool, len(changed))
	for _, s := range changed {
		names[string(s.Last.Topic)] = true
	}
	i.draw(names)
	i.drawBoards()
}

func (i *inspector) draw(changed map[string]bool) {
	for _, f := range i.alive {
		f(changed)
	}
}

// focusName puts the keyboard into the name of the one chosen thing.
func (i *inspector) focusName() {
	if i.name == nil {
		return
	}
	// Not the canvas that the driver knows it on: it was made just now.
	i.e.shell().Window().Canvas().Focus(i.name.entry)
	i.name.entry.TypedShortcut(&fyne.ShortcutSelectAll{})
}

// key tells forms apart: where it stays the same, only what fields say changes.
func (i *inspector) key() string {
	d, items := i.e.design(), i.e.chosen()
	if len(items) != 1 {
		return fmt.Sprint(items)
	}
	n := items[0].name()
	if items[0].topic != "" {
		t := d.Topic(n)
		return fmt.Sprint("topic ", n, t != nil)
	}
	if p := d.Place(n); p != nil {
		return fmt.Sprint(p.Kind, " ", n, " ", p.Virtual)
	}
	return "level " + string(n)
}

// build makes the form of what is chosen.
func (i *inspector) build() {
	i.form, i.name, i.alive = &form{}, nil, nil
	i.turn++
	d, items := i.e.design(), i.e.chosen()
	switch {
	case len(items) == 0:
		i.nothing()
	case len(items) > 1:
		i.several(items)
	case items[0].topic != "" && d.Topic(items[0].topic) != nil:
		i.ofTopic(items[0].topic)
	case items[0].topic != "":
		i.ofStray(items[0].topic)
	case d.Place(items[0].place) == nil:
		i.ofLevel(items[0].place)
	case d.Place(items[0].place).Kind == core.KitPlace:
		i.ofKit(items[0].place)
	default:
		i.ofArea(items[0].place)
	}
	i.scroll = widget.Scroll(i.form.box())
	i.page.Objects = []fyne.CanvasObject{i.scroll}
	i.page.Refresh()
}

// ask does what may take long and shows it, unless something else is chosen by then.
func (i *inspector) ask(work func() func()) {
	turn := i.turn
	i.e.shell().Do(func(context.Context) (func(), error) {
		show := work()
		return func() {
			if i.turn == turn {
				show()
			}
		}, nil
	})
}

// head is the picture, title and name of what is chosen.
func (i *inspector) head(icon func() fyne.Resource, title func() string, under string) {
	picture := fw.NewIcon(nil)
	name := widget.Text("")
	name.TextStyle.Bold, name.SizeName, name.Wrapping = true, theme.SizeNameSubHeadingText, fyne.TextWrapBreak
	path := widget.Muted(widget.Visible(under, false))
	path.Wrapping, path.Selectable, path.SizeName = fyne.TextWrapBreak, true, theme.SizeNameCaptionText
	i.form.add(container.NewBorder(nil, nil, container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(28), picture)), nil,
		container.New(layout.NewCustomPaddedVBoxLayout(-12), name, path)))
	i.form.refresh = append(i.form.refresh, func() {
		setIcon(picture, theme.NewPrimaryThemedResource(icon()))
		if text := widget.Visible(title(), false); name.Text != text {
			name.SetText(text)
		}
	})
}

// section is a title between fields.
func (i *inspector) section(title string) {
	l := fw.NewLabelWithStyle(title, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	l.Importance, l.Wrapping = fw.HighImportance, fyne.TextWrapWord
	i.form.add(container.New(layout.NewCustomPaddedVBoxLayout(-4), fw.NewSeparator(), l))
}

// act is a button over the whole width, so that long words fit.
func act(label string, icon fyne.Resource, do func()) *fw.Button {
	b := fw.NewButtonWithIcon(label, icon, do)
	b.Alignment = fw.ButtonAlignLeading
	return b
}

// link is a line that leads somewhere; what does not fit of it is cut.
func link(label string, icon fyne.Resource, do func()) fyne.CanvasObject {
	h := fw.NewHyperlink(widget.Visible(label, false), nil)
	h.Truncation, h.OnTapped = fyne.TextTruncateEllipsis, do
	return container.NewBorder(nil, nil, fw.NewIcon(icon), nil, h)
}

// caption is a small muted text.
func caption(text string) *fw.Label {
	l := widget.Muted(text)
	l.SizeName = theme.SizeNameCaptionText
	return l
}

// line is a muted text that says what text returns at the time.
func (i *inspector) line(text func() string) *fw.Label {
	l := widget.Muted("")
	i.form.add(l)
	i.form.refresh = append(i.form.refresh, func() {
		t := text()
		widget.SetVisible(l, t != "")
		if l.Text != t {
			l.SetText(t)
		}
	})
	return l
}

// nothing says what there is and how to begin.
func (i *inspector) nothing() {
	i.head(func() fyne.Resource { return theme.HomeIcon() }, func() string { return lang.L("The design") }, lang.L("Nothing chosen"))
	i.line(func() string {
		d := i.e.design()
		count := map[core.PlaceKind]int{}
		virtual := 0
		for _, p := range d.Places {
			count[p.Kind]++
			if p.Virtual {
				virtual++
			}
		}
		return strings.Join([]string{
			lang.L("branches: {n}", "n", count[core.BranchPlace]),
			lang.L("rooms: {n}", "n", count[core.RoomPlace]),
			lang.L("kits: {n}, virtual: {virtual}", "n", count[core.KitPlace], "virtual", virtual),
			lang.L("topics: {n}", "n", len(d.Topics)),
			lang.L("rules: {n}, alarms: {alarms}", "n", len(d.Rules), "alarms", len(d.Alarms)),
			lang.L("teams: {n}", "n", len(i.p.Rights.Teams())),
		}, "\n")
	})
	i.section(lang.L("How to begin"))
	for n, text := range []string{
		lang.L("Take a kit from the palette and put it into a room."),
		lang.L("Choose it and change what it is called and what it does here."),
		lang.L("Pull a line from one port to another: a rule joins them."),
		lang.L("Press the button of a virtual kit and see what happens."),
	} {
		number := fw.NewLabelWithStyle(fmt.Sprint(n+1), fyne.TextAlignCenter, fyne.TextStyle{Bold: true})
		number.Importance = fw.HighImportance
		i.form.add(container.NewBorder(nil, nil, container.NewVBox(number), nil, widget.Text(text)))
	}
}

// several is what can be done with all that is chosen.
func (i *inspector) several(items []item) {
	i.head(func() fyne.Resource { return theme.ContentCopyIcon() }, func() string { return lang.L("{n} chosen", "n", len(items)) }, "")
	var names []string
	for _, it := range items[:min(len(items), 12)] {
		names = append(names, widget.Visible(string(it.name()), false))
	}
	if len(items) > 12 {
		names = append(names, "…")
	}
	list := widget.Muted(strings.Join(names, "\n"))
	list.SizeName, list.Wrapping = theme.SizeNameCaptionText, fyne.TextWrapBreak
	i.form.add(list)
	var move *fw.Button
	move = act(lang.L("Move to…"), theme.MailForwardIcon(), func() { i.moveMenu(items, move) })
	i.form.add(move)
	if kits := i.virtual(items); len(kits) > 0 {
		i.form.add(act(lang.L("Boards side by side"), theme.GridIcon(), func() { i.showBoards(kits) }))
	}
	if places := i.drawn(items); len(places) > 1 {
		i.section(lang.L("Align"))
		grid := container.NewGridWithColumns(2)
		for _, a := range []struct {
			title string
			how   alignment
		}{
			{lang.L("Left edges"), alignLeft}, {lang.L("Upper edges"), alignTop},
			{lang.L("Same gaps across"), spreadX}, {lang.L("Same gaps down"), spreadY},
		} {
			grid.Add(fw.NewButton(a.title, func() { i.align(items, a.how) }))
		}
		i.form.add(grid)
	}
	if topics := i.topics(items); len(topics) > 1 {
		i.section(lang.L("All {n} topics", "n", len(topics)))
		i.form.choice(lang.L("QoS"), "", qosWords(), func() int {
			return same(i.topics(items), func(t *core.Topic) int { return int(t.QoS) })
		}, func(at int) {
			i.editTopics(items, core.Say("The QoS of {n} topics was changed.", "n", len(topics)), func(t *core.Topic) { t.QoS = byte(at) })
		})
		i.form.choice(lang.L("Newest value"), "", []string{lang.L("not retained"), lang.L("retained")}, func() int {
			return same(i.topics(items), func(t *core.Topic) int { return bit(t.Retain) })
		}, func(at int) {
			i.editTopics(items, core.Say("Whether {n} topics are retained was changed.", "n", len(topics)), func(t *core.Topic) { t.Retain = at == 1 })
		})
		i.form.choice(lang.L("Keep readings"), "", keepWords(keepDays), func() int {
			return same(i.topics(items), func(t *core.Topic) int { return slices.Index(keepDays, t.KeepDays) })
		}, func(at int) {
			i.editTopics(items, core.Say("How long {n} topics are kept was changed.", "n", len(topics)), func(t *core.Topic) { t.KeepDays = keepDays[at] })
		})
	}
	i.section(lang.L("Delete"))
	i.form.add(act(lang.L("Delete all of it"), theme.DeleteIcon(), func() { i.e.remove(items...) }))
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// same returns what of gives for all topics, or -1 where it is not the same.
func same(ts []*core.Topic, of func(*core.Topic) int) int {
	if len(ts) == 0 {
		return -1
	}
	first := of(ts[0])
	for _, t := range ts {
		if of(t) != first {
			return -1
		}
	}
	return first
}

// topics are the designed topics among items.
func (i *inspector) topics(items []item) (ts []*core.Topic) {
	for _, it := range items {
		if t := i.e.design().Topic(it.topic); it.topic != "" && t != nil {
			ts = append(ts, t)
		}
	}
	return ts
}

// drawn are the places among items that stand in the same place, so that they
// can be aligned.
func (i *inspector) drawn(items []item) (ps []*core.Place) {
	for _, it := range items {
		p := i.e.design().Place(it.place)
		if p == nil || it.place == "" {
			continue
		}
		if len(ps) > 0 && (parent(ps[0].Name) != parent(p.Name) || ps[0].Kind != p.Kind) {
			return nil
		}
		ps = append(ps, p)
	}
	return ps
}

func (i *inspector) editTopics(items []item, say core.Sentence, edit func(*core.Topic)) {
	b := core.Batch{Say: say}
	for _, t := range i.topics(items) {
		changed := *t
		edit(&changed)
		b.Topics = append(b.Topics, changed)
	}
	i.e.change(b)
}

// alignment is how places are put in order.
type alignment int

const (
	alignLeft alignment = iota
	alignTop
	spreadX
	spreadY
)

func (i *inspector) align(items []item, how alignment) {
	ps := i.drawn(items)
	if len(ps) < 2 {
		return
	}
	of := func(p *core.Place) *float64 {
		if how == alignLeft || how == spreadX {
			return &p.X
		}
		return &p.Y
	}
	b := core.Batch{Say: core.Say("{n} places were aligned.", "n", len(ps))}
	for _, p := range ps {
		b.Places = append(b.Places, *p)
	}
	slices.SortStableFunc(b.Places, func(x, y core.Place) int {
		switch a, b := *of(&x), *of(&y); {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	})
	first, last := *of(&b.Places[0]), *of(&b.Places[len(b.Places)-1])
	for n := range b.Places {
		at := first
		if how == spreadX || how == spreadY {
			at += (last - first) * float64(n) / float64(len(b.Places)-1)
		}
		*of(&b.Places[n]) = at
	}
	i.e.change(b)
}

// moveMenu lists where all items can go.
func (i *inspector) moveMenu(items []item, under fyne.CanvasObject) {
	d := i.e.design()
	l := newLevels(d, nil, "", false)
	outer := outermost(items)
	var menu []*fyne.MenuItem
	for _, p := range d.Places {
		to := l.nodes[uid(p.Name)]
		fits := !slices.ContainsFunc(outer, func(it item) bool {
			_, no := l.drop(it.name(), to)
			return no != "" && no != thereYet
		})
		if !fits || len(menu) >= 60 {
			continue
		}
		m := fyne.NewMenuItemWithIcon(string(p.Name), placeIcon(p), func() {
			for _, it := range outer {
				if name, no := l.drop(it.name(), to); no == "" {
					i.e.move(it.name(), name)
				}
			}
		})
		menu = append(menu, m)
	}
	if len(menu) == 0 {
		i.e.shell().Tell(lang.L("There is no place that takes all of it. Choose things of one kind."))
		return
	}
	fw.ShowPopUpMenuAtRelativePosition(fyne.NewMenu("", menu...), i.e.shell().Window().Canvas(), fyne.NewPos(0, under.Size().Height), under)
}

// place returns the place that is shown, or nil where it is gone.
func (i *inspector) place(n topic.Name) *core.Place { return i.e.design().Place(n) }

// editPlace changes one thing of a place.
func (i *inspector) editPlace(n topic.Name, say core.Sentence, edit func(*core.Place)) {
	p := i.place(n)
	if p == nil {
		return
	}
	changed := *p
	changed.Ports = slices.Clone(p.Ports)
	edit(&changed)
	i.e.change(core.Batch{Say: say, Places: []core.Place{changed}})
}

// of returns what f says of the place, or "" where it is gone.
func (i *inspector) of(n topic.Name, f func(*core.Place) string) func() string {
	return func() string {
		if p := i.place(n); p != nil {
			return f(p)
		}
		return ""
	}
}

// labels are the fields that every place has.
func (i *inspector) labels(n topic.Name) {
	i.form.text(lang.L("Display name"), lang.L("In any script. The topics keep their names."),
		i.of(n, func(p *core.Place) string { return p.Label }), func(text string) string {
			line, wrong := readLine(text, maxLabel)
			if wrong == "" {
				i.editPlace(n, core.Say("The display name of {name} was changed.", "name", n), func(p *core.Place) { p.Label = line })
			}
			return wrong
		})
	i.name = i.form.text(lang.L("Name in topics"), lang.L("Everything in it moves along, with its history."),
		func() string { return last(n) }, func(text string) string { return i.renamePlace(n, text) })
	i.form.prose(lang.L("What it is for"), "", i.of(n, func(p *core.Place) string { return p.Text }), func(text string) string {
		text, wrong := readProse(text)
		if wrong == "" {
			i.editPlace(n, core.Say("The description of {name} was changed.", "name", n), func(p *core.Place) { p.Text = text })
		}
		return wrong
	})
}

func (i *inspector) renamePlace(n topic.Name, text string) (wrong string) {
	level := strings.TrimSpace(text)
	if strings.Contains(level, "/") {
		return lang.L("This is one level, so it has no /. To move it, drag it to another place.")
	}
	to := join(parent(n), level)
	if wrong = i.nameProblem(to); wrong != "" || to == n {
		return wrong
	}
	i.name.write(last(n)) // until it is done, or where somebody decides against it
	i.e.move(n, to)
	return ""
}

// nameProblem says why something new cannot be called n, or "".
func (i *inspector) nameProblem(n topic.Name) string {
	d := i.e.design()
	_, err := topic.ParseName(string(n))
	switch {
	case string(n) == "" || strings.HasSuffix(string(n), "/") || strings.HasPrefix(string(n), "/") || strings.Contains(string(n), "//"):
		return lang.L("Each level needs a name. Use a to z, 0 to 9 and -.")
	case strings.ContainsAny(string(n), "+#"):
		return lang.L("+ and # select topics and name none. Take them out.")
	case hidden(n):
		return lang.L("Names with $ are for the broker and for presence. Take the $ out.")
	case err != nil:
		return lang.L("This name is too long or holds what cannot be sent. Shorten it.")
	case d.Topic(n) != nil || d.Place(n) != nil:
		return lang.L("{name} is taken. Choose another name.", "name", n)
	}
	return ""
}

// readProse reads a description.
func readProse(text string) (prose, problem string) {
	text = strings.TrimSpace(text)
	if len([]rune(text)) > maxProse {
		return "", lang.L("This is longer than {n} characters. Shorten it.", "n", maxProse)
	}
	return text, ""
}

// ofArea is the form of a branch or room.
func (i *inspector) ofArea(n topic.Name) {
	kind := i.place(n).Kind
	i.head(func() fyne.Resource {
		if kind == core.RoomPlace {
			return roomIcon
		}
		return theme.HomeIcon()
	}, i.of(n, func(p *core.Place) string { return p.Title() }), string(n))
	i.line(func() string {
		count := map[core.PlaceKind]int{}
		topics := 0
		for _, p := range i.e.design().Places {
			if p.Name != n && core.Within(p.Name, n) {
				count[p.Kind]++
			}
		}
		for _, t := range i.e.design().Topics {
			if core.Within(t.Name, n) {
				topics++
			}
		}
		if kind == core.BranchPlace {
			return lang.L("rooms: {rooms} · kits: {kits} · topics: {topics}", "rooms", count[core.RoomPlace], "kits", count[core.KitPlace], "topics", topics)
		}
		return lang.L("kits: {kits} · topics: {topics}", "kits", count[core.KitPlace], "topics", topics)
	})
	if kind == core.BranchPlace {
		i.ofTeam(n)
	}
	i.labels(n)
	i.form.numbers(lang.L("Size on the canvas"), lang.L("Empty fits what is in it."), lang.L("Width"), lang.L("Height"), func() (string, string) {
		if p := i.place(n); p != nil && p.W > 0 {
			return sayNumber(p.W), sayNumber(p.H)
		}
		return "", ""
	}, func(a, b string) string {
		w, okW := readNumber(a)
		h, okH := readNumber(b)
		if a == "" && b == "" {
			w, h, okW, okH = 0, 0, true, true
		} else if !okW || !okH || w < 40 || h < 40 || w > 10_000 || h > 10_000 {
			return lang.L("Type two numbers from {min} to {max}.", "min", 40, "max", 10_000)
		}
		i.editPlace(n, core.Say("{name} was resized.", "name", n), func(p *core.Place) { p.W, p.H = w, h })
		return ""
	})
	i.deletion(item{place: n})
}

// ofTeam says whose branch it is.
func (i *inspector) ofTeam(n topic.Name) {
	for _, t := range i.p.Rights.Teams() {
		if string(t.Name) == string(n) {
			i.form.add(widget.NewNote(lang.L("This is the branch of {team}. Its people and kits may use everything in it.", "team", t.Title()), fw.SuccessImportance))
			return
		}
	}
	i.form.add(widget.NewNote(lang.L("No team is called {name}, so only grants of their own let people in.", "name", n), fw.MediumImportance))
	i.form.add(act(lang.L("Teams"), theme.AccountIcon(), func() { i.e.shell().Go("accounts/teams") }))
}

// ofLevel is the form of a level that is neither place nor topic.
func (i *inspector) ofLevel(n topic.Name) {
	i.head(func() fyne.Resource { return theme.FolderIcon() }, func() string { return last(n) }, string(n))
	i.form.add(widget.Text(lang.L("Topics begin with this name, and nobody has drawn it as a place yet.")))
	levels := n.Split()
	draw := func(label string, kind core.PlaceKind, role core.KitRole, icon fyne.Resource) {
		i.form.add(act(label, icon, func() {
			i.e.change(core.Batch{Say: core.Say("{name} was drawn.", "name", n), Places: []core.Place{{Name: n, Kind: kind, Role: role}}})
		}))
	}
	if len(levels) == 1 {
		draw(lang.L("Draw it as a branch"), core.BranchPlace, "", theme.HomeIcon())
	} else {
		draw(lang.L("Draw it as a room"), core.RoomPlace, "", roomIcon)
		draw(lang.L("Draw it as a kit"), core.KitPlace, core.AnyKit, widget.RoleIcon(core.AnyKit))
	}
	i.name = i.form.text(lang.L("Name in topics"), lang.L("Everything in it moves along, with its history."),
		func() string { return last(n) }, func(text string) string { return i.renamePlace(n, text) })
	i.deletion(item{place: n})
}

// deletion is the button at the end of each form.
func (i *inspector) deletion(it item) {
	i.form.add(fw.NewSeparator())
	b := act(lang.L("Delete"), theme.DeleteIcon(), func() { i.e.remove(it) })
	b.Importance = fw.LowImportance
	i.form.add(b)
}

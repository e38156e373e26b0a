package plan

import (
	"image/color"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// fewNodes is how many levels a design may have to begin with all of them open.
const fewNodes = 80

// tree is the hierarchy as a list of rows that open and close. Only what is in
// view is drawn.
type tree struct {
	e      editor
	rename func() // puts the keyboard into the name of what is chosen; may be nil
	now    time.Time

	page   *fyne.Container
	search *widget.Entry
	hidden *fw.Check
	empty  *fw.Label
	scroll *container.Scroll
	body   *treeBody

	strays map[topic.Name]bool
	state  map[string]bool // whether a person opened or closed a node, by uid
	all    *levels
	rows   []*levelNode
	chosen map[string]bool // by uid
	own    []item          // the choice as the tree made or showed it
	design *core.Design    // that all was made from
	anchor string          // where a choice of several begins
	cursor string          // the row that has the keyboard
}

func newTree(e editor) *tree {
	t := &tree{e: e, strays: map[topic.Name]bool{}, state: map[string]bool{}, chosen: map[string]bool{}}
	t.search = widget.NewEntry()
	t.search.SetPlaceHolder(lang.L("Search"))
	t.search.ActionItem = fw.NewIcon(theme.SearchIcon())
	t.search.OnChanged = func(string) { t.rebuild() }
	t.search.OnSubmitted = func(string) { t.focus() }
	t.hidden = fw.NewCheck(lang.L("Presence and $ topics"), func(bool) { t.rebuild() })
	t.empty = widget.Muted("")
	t.body = newTreeBody(t)
	t.scroll = container.NewVScroll(t.body)
	t.scroll.OnScrolled = func(fyne.Position) { t.body.Refresh() }
	t.page = container.NewBorder(container.New(layout.NewCustomPaddedVBoxLayout(0), t.search, t.hidden), nil, nil, nil, container.NewStack(t.scroll, t.empty))
	t.show()
	return t
}

func (t *tree) content() fyne.CanvasObject { return t.page }

// show draws the design and the choice as they are now.
func (t *tree) show() {
	if d := t.e.design(); d != t.design {
		t.rebuild()
	}
	items := t.e.chosen()
	if !slices.Equal(items, t.own) {
		t.own = slices.Clone(items)
		t.mark()
		if len(items) > 0 {
			t.reveal(items[len(items)-1].name())
		}
	}
	t.body.Refresh()
}

// age takes in what arrived.
func (t *tree) age(now time.Time, changed []core.TopicState) {
	t.now = now
	grown := false
	for _, s := range changed {
		n := s.Last.Topic
		if t.strays[n] || t.design == nil || isDesigned(t.design, n) || len(t.strays) >= maxStrays {
			continue
		}
		t.strays[n] = true
		grown = grown || t.hidden.Checked || !hidden(n)
	}
	if grown {
		t.rebuild()
		return
	}
	t.body.draw()
}

// rebuild makes the rows anew.
func (t *tree) rebuild() {
	t.design = t.e.design()
	t.all = newLevels(t.design, t.strays, t.search.Text, t.hidden.Checked)
	t.flatten()
	t.mark()
	switch {
	case len(t.rows) > 0:
		t.empty.SetText("")
	case t.search.Text != "":
		t.empty.SetText(lang.L("Nothing matches"))
	default:
		t.empty.SetText(lang.L("Nothing is designed yet. Begin with a template, or drag a kit from the palette onto the canvas."))
	}
}

// flatten lists what is open.
func (t *tree) flatten() {
	t.rows = t.all.rows(t.open)
	t.scroll.Refresh()
	t.body.Refresh()
}

// open reports whether what is below n is shown. A search opens everything.
func (t *tree) open(n *levelNode) bool {
	if strings.TrimSpace(t.search.Text) != "" {
		return true
	}
	if open, said := t.state[n.uid]; said {
		return open
	}
	return len(t.all.nodes) <= fewNodes || n.place == nil || n.place.Kind != core.KitPlace
}

// toggle opens or closes a node.
func (t *tree) toggle(n *levelNode, open bool) {
	if len(n.kids) > 0 && t.open(n) != open {
		t.state[n.uid] = open
		t.flatten()
	}
}

// mark finds what is chosen among the rows.
func (t *tree) mark() {
	clear(t.chosen)
	for _, i := range t.own {
		t.chosen[uid(i.name())] = true
	}
}

// reveal opens what is above a name and scrolls to it.
func (t *tree) reveal(name topic.Name) {
	n := t.all.nodes[uid(name)]
	if n == nil {
		return
	}
	t.cursor, t.anchor = n.uid, n.uid
	closed := false
	for p := n.parent; p != nil && p != t.all.root; p = p.parent {
		if !t.open(p) {
			t.state[p.uid], closed = true, true
		}
	}
	if closed {
		t.flatten()
	}
	t.inView(t.at(n.uid))
}

// inView scrolls as little as it takes to see a row.
func (t *tree) inView(at int) {
	if at < 0 {
		return
	}
	y, h := float32(at)*t.body.height(), t.scroll.Size().Height
	switch off := t.scroll.Offset.Y; {
	case h <= 0:
	case y < off:
		t.scroll.ScrollToOffset(fyne.NewPos(0, y))
	case y+t.body.height() > off+h:
		t.scroll.ScrollToOffset(fyne.NewPos(0, y+t.body.height()-h))
	}
}

// at returns the place of a node among the rows, or -1.
func (t *tree) at(id string) int {
	return slices.IndexFunc(t.rows, func(n *levelNode) bool { return n.uid == id })
}

// pick chooses rows.
func (t *tree) pick(ns ...*levelNode) {
	items := make([]item, len(ns))
	for i, n := range ns {
		items[i] = n.item()
	}
	t.own = items
	t.mark()
	t.body.Refresh()
	t.e.choose(items...)
}

// pickAt chooses the row at, as the keys that are held say: Ctrl adds it or takes
// it away, Shift chooses all up to it.
func (t *tree) pickAt(at int, held fyne.KeyModifier) {
	n := t.rows[at]
	t.cursor = n.uid
	switch {
	case held&fyne.KeyModifierShift != 0 && t.at(t.anchor) >= 0:
		from := t.at(t.anchor)
		t.pick(t.rows[min(from, at) : max(from, at)+1]...)
		return
	case held&(fyne.KeyModifierControl|fyne.KeyModifierSuper) != 0:
		var ns []*levelNode
		for _, i := range t.own {
			if o := t.all.nodes[uid(i.name())]; o != nil && o != n {
				ns = append(ns, o)
			}
		}
		if !t.chosen[n.uid] {
			ns = append(ns, n)
		}
		t.anchor = n.uid
		t.pick(ns...)
		return
	}
	t.anchor = n.uid
	t.pick(n)
}

func (t *tree) focus() {
	if c := fyne.CurrentApp().Driver().CanvasForObject(t.body); c != nil {
		c.Focus(t.body)
	}
}

// key does what a key means in the tree, and reports whether it means something.
func (t *tree) key(k fyne.KeyName, held fyne.KeyModifier) bool {
	if k == fyne.KeyEscape {
		return t.body.cancel()
	}
	if k == fyne.KeyDelete {
		if items := t.e.chosen(); len(items) > 0 {
			t.e.remove(items...)
		}
		return true
	}
	if k == fyne.KeyF2 {
		if t.rename == nil || len(t.own) != 1 {
			return false
		}
		t.rename()
		return true
	}
	if len(t.rows) == 0 {
		return false
	}
	at := t.at(t.cursor)
	to := at
	page := max(1, int(t.scroll.Size().Height/t.body.height())-1)
	switch k {
	case fyne.KeyUp:
		to--
	case fyne.KeyDown:
		to++
	case fyne.KeyPageUp:
		to -= page
	case fyne.KeyPageDown:
		to += page
	case fyne.KeyHome:
		to = 0
	case fyne.KeyEnd:
		to = len(t.rows) - 1
	case fyne.KeyLeft, fyne.KeyRight, fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace:
		if at < 0 {
			to = 0
			break
		}
		return t.sideways(at, k, held)
	default:
		return false
	}
	to = min(max(to, 0), len(t.rows)-1)
	if held&fyne.KeyModifierControl != 0 { // only the cursor moves
		t.cursor = t.rows[to].uid
		t.body.Refresh()
	} else {
		t.pickAt(to, held)
	}
	t.inView(to)
	return true
}

// sideways opens, closes or chooses the row at the cursor.
func (t *tree) sideways(at int, k fyne.KeyName, held fyne.KeyModifier) bool {
	n := t.rows[at]
	switch k {
	case fyne.KeyLeft:
		if len(n.kids) > 0 && t.open(n) {
			t.toggle(n, false)
		} else if n.parent != t.all.root {
			t.pickAt(t.at(n.parent.uid), 0)
			t.inView(t.at(n.parent.uid))
		}
	case fyne.KeyRight:
		if len(n.kids) > 0 && t.open(n) {
			t.pickAt(at+1, 0)
			t.inView(at + 1)
		} else {
			t.toggle(n, true)
		}
	case fyne.KeySpace:
		t.pickAt(at, held|fyne.KeyModifierControl)
	default:
		t.pickAt(at, held)
	}
	return true
}

// menu offers what can be done with the choice.
func (t *tree) menu(at fyne.Position) {
	items := []*fyne.MenuItem{}
	if len(t.own) == 1 && t.rename != nil {
		items = append(items, fyne.NewMenuItemWithIcon(lang.L("Rename"), theme.DocumentCreateIcon(), t.rename))
	}
	if len(t.own) == 1 {
		n := t.own[0].name()
		items = append(items, fyne.NewMenuItemWithIcon(lang.L("Copy topic"), theme.ContentCopyIcon(), func() {
			fyne.CurrentApp().Clipboard().SetContent(string(n))
			t.e.shell().Tell(lang.L("Copied {text}", "text", n))
		}))
	}
	all := func(open bool) func() {
		return func() {
			for id, n := range t.all.nodes {
				if len(n.kids) > 0 {
					t.state[id] = open
				}
			}
			t.flatten()
		}
	}
	items = append(items,
		fyne.NewMenuItem(lang.L("Open all"), all(true)),
		fyne.NewMenuItem(lang.L("Close all"), all(false)))
	if len(t.own) > 0 {
		items = append(items, fyne.NewMenuItemSeparator(),
			fyne.NewMenuItemWithIcon(lang.L("Delete"), theme.DeleteIcon(), func() { t.e.remove(t.e.chosen()...) }))
	}
	fw.ShowPopUpMenuAtPosition(fyne.NewMenu("", items...), t.e.shell().Window().Canvas(), at)
}

// why says a reason to a person.
func (r reason) why() string {
	switch r {
	case intoItself:
		return lang.L("It cannot go into itself.")
	case thereYet:
		return lang.L("It is there already.")
	case nameTaken:
		return lang.L("There is something of that name already.")
	case branchStays:
		return lang.L("A branch stays at the top.")
	case roomWants:
		return lang.L("A room goes into a branch.")
	case kitWants:
		return lang.L("A kit goes into a room or a branch.")
	}
	return lang.L("Drop it on a branch, a room or a kit.")
}

// treeLook is all that can be seen of a row, to draw it only when it differs.
type treeLook struct {
	uid, title, sub, value  string
	depth, open             int // open: 0 has nothing below, 1 closed, 2 open
	faded, glow             int // 0 is fresh; of the value
	chosen, cursor, over    bool
	warn, silent, bold, hot bool
	width                   float32
	icon                    fyne.Resource
	dot                     fyne.ThemeColorName // of a kit that told its presence
}

// look returns how a row looks now.
func (t *tree) look(n *levelNode, width float32) treeLook {
	l := treeLook{uid: n.uid, depth: n.depth, title: n.level, chosen: t.chosen[n.uid], cursor: t.body.focused && t.cursor == n.uid, width: width}
	if n.level == "" {
		l.title = lang.L("(empty)")
	}
	if len(n.kids) > 0 {
		l.open = 1
		if t.open(n) {
			l.open = 2
		}
	}
	label := ""
	switch {
	case n.place != nil:
		label, l.icon, l.bold = n.place.Label, placeIcon(n.place), n.place.Kind != core.KitPlace
	case n.topic != nil:
		label, l.icon = n.topic.Label, kindIcon(n.topic.Kind)
	case n.stray:
		l.icon, l.warn = theme.QuestionIcon(), true
	default:
		l.icon = theme.FolderIcon()
	}
	if label != "" && label != n.level {
		l.title, l.sub = label, l.title
	}
	l.title, l.sub = widget.Visible(l.title, false), widget.Visible(l.sub, false)
	name := n.name()
	if n.place != nil && n.place.Kind == core.KitPlace {
		if s, ok := t.e.live(name + "/$state"); ok {
			state := string(s.Last.Payload)
			l.dot = widget.StateColor(state)
			if state != "ready" { // what is as it should be needs no word
				l.value = widget.StateWord(state)
			}
			l.hot = state == "lost" || state == "alert"
		}
		if n.topic == nil {
			return l
		}
	}
	if n.topic == nil && !n.stray {
		return l
	}
	s, ok := t.e.live(name)
	if !ok {
		l.silent = true
		return l
	}
	age := t.now.Sub(s.Last.At)
	l.value, l.faded, l.glow = saidValue(n.topic, s.Last.Payload), fading(age), glowing(age)
	return l
}

// glow is how long a row stays tinted after its value changed, and fadeAfter how
// long until a value has its faintest colour.
const (
	glow      = 1600 * time.Millisecond
	fadeAfter = 2 * time.Minute
)

// fading is how faint a value of that age is, 0 to 4.
func fading(age time.Duration) int { return int(4 * min(max(age, 0), fadeAfter) / fadeAfter) }

// glowing is how strongly a row is tinted, 8 to 0.
func glowing(age time.Duration) int {
	if age < 0 || age >= glow {
		return 0
	}
	return int(8 * (glow - age) / glow)
}

// saidValue is a payload as a person reads it: with its unit, in its words.
// t is nil of what is not designed.
func saidValue(t *core.Topic, payload []byte) string {
	const enough = 240
	cut := payload[:min(len(payload), enough)]
	text := widget.OneLine(strings.ToValidUTF8(string(cut), "\uFFFD"))
	if t != nil && t.Unit != "" && len(payload) > 0 && t.Kind == core.Number {
		return text + " " + t.Unit
	}
	return text
}

// heldKeys are what a person holds down.
func heldKeys() fyne.KeyModifier {
	if d, ok := fyne.CurrentApp().Driver().(desktop.Driver); ok {
		return d.CurrentKeyModifiers()
	}
	return 0
}

// faded returns c with the alpha of something that old.
func faded(c color.Color, by int) color.NRGBA {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	n.A = uint8(255 - 35*by)
	return n
}

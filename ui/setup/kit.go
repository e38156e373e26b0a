package setup

import (
	"fmt"
	"slices"
	"strings"

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

// maxListed is how many kits are listed; the search finds the others.
const maxListed = 60

// kitPage is where a person says which kit the board becomes.
type kitPage struct {
	shower
	w     *wizard
	shown string
	wants bool // a kit of the plan, though each has its board

	planned, fresh *tile
	// Of the plan.
	search *widget.Entry
	all    *fw.Check
	list   *fyne.Container
	tiles  map[topic.Name]*tile
	choice fyne.CanvasObject
	// A new one.
	branch, room *fw.Select
	branches     []topic.Name // beside the options
	rooms        []topic.Name
	roles        map[core.KitRole]*tile
	role         *fw.Label
	id, label    *widget.Entry
	hint         *fw.Label
	form         fyne.CanvasObject
	// Beside both.
	name    *fw.Label
	wiring  *widget.Sketch
	table   *fyne.Container
	pins    *fyne.Container
	others  *widget.Fold // other pins
	warning *widget.Note
	wired   string // the pins that are drawn
	parts   string // whose pins are offered
	body    fyne.CanvasObject
}

func newKitPage(w *wizard) *kitPage {
	p := &kitPage{w: w, list: container.New(layout.NewCustomPaddedVBoxLayout(3)), tiles: map[topic.Name]*tile{}, roles: map[core.KitRole]*tile{}}
	p.planned = newTile(theme.ListIcon(), lang.L("From the plan"), "", func() { w.d.fresh, p.wants = false, true; w.draw() })
	p.fresh = newTile(theme.ContentAddIcon(), lang.L("New kit"), "", func() { p.begin(); w.draw() })

	p.search = widget.NewEntry()
	p.search.SetPlaceHolder(lang.L("Search"))
	p.search.ActionItem = fw.NewIcon(theme.SearchIcon())
	p.search.OnChanged = func(string) { w.draw() }
	p.search.OnSubmitted = func(string) { w.goNext() }
	p.all = fw.NewCheck(lang.L("Also those that have a board"), func(bool) { w.draw() })
	p.choice = container.NewBorder(container.NewVBox(p.search, p.all), nil, nil, nil,
		container.NewVScroll(container.New(layout.NewCustomPaddedLayout(0, 0, 0, 14), p.list)))

	p.branch = fw.NewSelect(nil, func(string) { p.inBranch() })
	p.room = fw.NewSelect(nil, func(string) { p.inRoom() })
	row := container.NewGridWithColumns(3)
	for _, r := range core.KitRoles {
		if r == core.AnyKit { // has no firmware
			continue
		}
		t := newPictureTile(widget.RoleIcon(r), widget.RoleTitle(r), func() {
			w.d.role, w.d.pins = r, nil
			w.draw()
		})
		p.roles[r] = t
		row.Add(t)
	}
	p.role = widget.Muted("")
	p.role.SizeName = theme.SizeNameCaptionText
	p.id, p.label = widget.NewEntry(), widget.NewEntry()
	p.id.OnChanged = func(text string) { w.d.id = text; w.draw() }
	p.label.OnChanged = func(text string) { w.d.label = text; w.draw() }
	p.label.SetPlaceHolder(lang.L("Window desk"))
	for _, e := range []*widget.Entry{p.id, p.label} {
		e.OnSubmitted = func(string) { w.goNext() }
	}
	p.hint = widget.Muted("")
	p.hint.SizeName = theme.SizeNameCaptionText
	p.form = container.NewVScroll(container.New(layout.NewCustomPaddedLayout(0, 0, 0, 14), container.NewVBox(
		container.NewGridWithColumns(2, widget.Field(lang.L("Team"), p.branch, ""), widget.Field(lang.L("Room"), p.room, "")),
		container.New(layout.NewCustomPaddedVBoxLayout(2), fw.NewLabelWithStyle(lang.L("What it does"), fyne.TextAlignLeading, fyne.TextStyle{Bold: true}), row, p.role),
		container.New(layout.NewCustomPaddedVBoxLayout(0), container.NewGridWithColumns(2,
			widget.Field(lang.L("Name in topics"), p.id, ""), widget.Field(lang.L("Name that people read"), p.label, "")), p.hint))))

	p.name = fw.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	p.name.Truncation = fyne.TextTruncateEllipsis
	p.wiring = wiringPicture()
	p.table, p.pins = container.NewVBox(), container.NewVBox()
	p.warning = widget.NewNote("", fw.WarningImportance)
	p.others = widget.NewFold(lang.L("Other pins"), p.pins)
	right := widget.Scroll(widget.Middle(720, p.name, p.wiring, p.warning, p.table, p.others))
	left := container.NewBorder(container.New(layout.NewCustomPaddedLayout(0, 8, 0, 0), container.NewGridWithColumns(2, p.planned, p.fresh)), nil, nil, nil,
		container.NewStack(p.choice, p.form))
	p.body = widget.Row([]float32{10, 11}, left, container.New(layout.NewCustomPaddedLayout(0, 0, 14, 0), right))
	return p
}

func (p *kitPage) content() fyne.CanvasObject { return p.body }

func (p *kitPage) head() (title, about string) {
	return lang.L("Which kit is it?"), lang.L("The picture shows what goes where. Wire it now or later.")
}

// first is where the keyboard goes.
func (p *kitPage) first() fyne.Focusable {
	if p.w.d.fresh {
		return p.id
	}
	return nil
}

// prepare fills in what a person would choose anyway.
func (p *kitPage) prepare() {
	d, v := &p.w.d, &p.w.s.v
	if d.in == "" || !slices.Contains(v.branches(), topic.Name(branchOf(d.in))) {
		d.in = ""
		if all := v.branches(); len(all) > 0 {
			d.in = all[0]
			if rooms := v.rooms(all[0]); len(rooms) > 0 {
				d.in = rooms[0]
			}
		}
	}
}

// begin begins with a new kit.
func (p *kitPage) begin() {
	p.w.d.fresh = true
	p.prepare()
	if p.w.d.id == "" {
		p.number()
	}
}

// number proposes the next free name.
func (p *kitPage) number() {
	d := &p.w.d
	id := d.id
	if id == "" {
		id = "kit-1"
	}
	d.id = freeID(id, func(id topic.ID) bool { return p.w.s.v.taken(d.in, id) })
}

// inBranch and inRoom take what was selected.
func (p *kitPage) inBranch() {
	d, i := &p.w.d, p.branch.SelectedIndex()
	if i < 0 || i >= len(p.branches) || topic.Name(branchOf(d.in)) == p.branches[i] {
		return
	}
	d.in = p.branches[i]
	if rooms := p.w.s.v.rooms(d.in); len(rooms) > 0 {
		d.in = rooms[0]
	}
	p.number()
	p.w.draw()
}

func (p *kitPage) inRoom() {
	d, i := &p.w.d, p.room.SelectedIndex()
	if i < 0 || i >= len(p.rooms) || d.in == p.rooms[i] {
		return
	}
	d.in = p.rooms[i]
	p.number()
	p.w.draw()
}

func (p *kitPage) draw() {
	w := p.w
	d, v := &w.d, &w.s.v
	kits := v.candidates()
	boards := v.boards()
	lacks := slices.ContainsFunc(kits, func(k *core.Place) bool { return !boards[k.Name] })
	if !lacks && !d.fresh && (len(kits) == 0 || d.kit == "" && !p.wants) {
		p.begin()
	}
	if d.fresh {
		p.prepare()
	} else if v.design.Place(d.kit) == nil {
		d.kit = ""
		if len(kits) == 1 && !boards[kits[0].Name] {
			d.kit, d.pins = kits[0].Name, nil
		}
	}
	p.planned.SetDisabled(len(kits) == 0)
	p.planned.choose(!d.fresh)
	p.fresh.choose(d.fresh)
	p.show(p.choice, !d.fresh)
	p.show(p.form, d.fresh)
	if d.fresh {
		p.drawForm()
	} else {
		p.drawList(kits)
	}
	p.drawWiring()
}

// drawList lists the kits of the plan by their rooms.
func (p *kitPage) drawList(kits []*core.Place) {
	w := p.w
	boards := w.s.v.boards()
	words := strings.Fields(strings.ToLower(p.search.Text))
	var listed []*core.Place
	var b strings.Builder
	more := 0
	for _, k := range kits {
		text := strings.ToLower(string(k.Name) + " " + k.Title() + " " + w.s.v.where(k.Name))
		if slices.ContainsFunc(words, func(x string) bool { return !strings.Contains(text, x) }) || boards[k.Name] && !p.all.Checked && k.Name != w.d.kit {
			continue
		}
		if len(listed) == maxListed {
			more++
			continue
		}
		listed = append(listed, k)
		fmt.Fprint(&b, k.Name, k.Label, k.Virtual, k.Role, boards[k.Name], w.s.v.where(k.Name), "\n")
	}
	if key := b.String() + fmt.Sprint(more); key != p.shown {
		p.shown, p.stale = key, true
		p.list.RemoveAll()
		clear(p.tiles)
		slices.SortStableFunc(listed, func(a, b *core.Place) int { return strings.Compare(string(parent(a.Name)), string(parent(b.Name))) })
		where := ""
		for _, k := range listed {
			if here := w.s.v.where(k.Name); here != where {
				where = here
				l := fw.NewLabelWithStyle(here, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
				l.SizeName, l.Importance, l.Truncation = theme.SizeNameCaptionText, fw.LowImportance, fyne.TextTruncateEllipsis
				p.list.Add(l)
			}
			text := widget.RoleTitle(k.Role)
			switch {
			case boards[k.Name]:
				text += " · " + lang.L("has a board, which this one replaces")
			case k.Virtual:
				text += " · " + lang.L("the board takes over from the virtual kit")
			}
			t := newTile(widget.RoleIcon(k.Role), k.Title(), text, func() {
				w.d.kit, w.d.pins = k.Name, nil
				w.draw()
			})
			p.tiles[k.Name] = t
			p.list.Add(t)
		}
		if more > 0 {
			p.list.Add(widget.Muted(lang.L("{n} more. Type a part of the name to find them.", "n", more)))
		}
		if len(listed) == 0 {
			p.list.Add(widget.Muted(lang.L("Every kit of the plan has its board, or none matches. Make a new kit.")))
		}
	}
	for n, t := range p.tiles {
		t.choose(n == w.d.kit)
	}
}

// drawForm shows what is chosen of a new kit.
func (p *kitPage) drawForm() {
	d, v := &p.w.d, &p.w.s.v
	p.branches, p.rooms = v.branches(), nil
	branch := topic.Name(branchOf(d.in))
	p.rooms = v.rooms(branch)
	var names []string
	for _, n := range p.branches {
		names = append(names, choiceName(v.title(n), n))
	}
	setSelect(p.branch, names, slices.Index(p.branches, branch))
	names = nil
	for _, n := range p.rooms {
		names = append(names, choiceName(v.title(n), n))
	}
	if branch != "" {
		p.rooms = append(p.rooms, branch)
		names = append(names, lang.L("no room"))
	}
	setSelect(p.room, names, slices.Index(p.rooms, d.in))
	for r, t := range p.roles {
		t.choose(r == d.role)
	}
	p.say(p.role, widget.RoleText(d.role))
	setEntry(p.id, d.id)
	setEntry(p.label, d.label)
	text, importance := p.explain()
	p.hint.Importance = importance
	if p.hint.Text != text {
		p.stale = true
		p.hint.SetText(text)
	}
}

// choiceName is a branch or a room in a list; two of one title are told by their names.
func choiceName(title string, n topic.Name) string {
	if id := string(n[len(parent(n)):]); title != strings.Trim(id, "/") {
		return title + " (" + strings.Trim(id, "/") + ")"
	}
	return title
}

// explain says what is wrong with the name of a new kit, or how its topics begin.
func (p *kitPage) explain() (string, fw.Importance) {
	d := &p.w.d
	switch text := explainID(d.id); {
	case d.in == "":
		return lang.L("There is no team yet. Add one in Accounts, or draw a branch in the plan."), fw.DangerImportance
	case text != "":
		return text, fw.DangerImportance
	case p.taken():
		return lang.L("{name} is taken. Choose another name.", "name", d.id), fw.DangerImportance
	}
	return lang.L("Its topics begin with {name}/", "name", d.name()), fw.LowImportance
}

// taken reports whether the name of a new kit is that of something else.
func (p *kitPage) taken() bool {
	d := &p.w.d
	return d.name() != p.w.set.Order.Kit && p.w.s.v.taken(d.in, topic.ID(d.id))
}

// setSelect offers names and selects one without telling.
func setSelect(s *fw.Select, names []string, at int) {
	selected := ""
	if at >= 0 && at < len(names) {
		selected = names[at]
	}
	if slices.Equal(s.Options, names) && s.Selected == selected {
		return
	}
	s.Options, s.Selected = names, selected
	s.Refresh()
}

// setEntry writes what is another text than before.
func setEntry(e *widget.Entry, text string) {
	if e.Text != text {
		e.SetText(text)
	}
}

// drawWiring draws the pins of the kit.
func (p *kitPage) drawWiring() {
	d, v := &p.w.d, &p.w.s.v
	var place *core.Place
	if !d.fresh {
		place = v.design.Place(d.kit)
	}
	p.show(p.wiring, d.fresh || place != nil)
	p.show(p.table, d.fresh || place != nil)
	p.show(p.others, len(slotsOf(place, d.role)) > 0 && (d.fresh || place != nil))
	if !d.fresh && place == nil {
		p.say(p.name, "")
		p.show(p.warning, false)
		p.pins.RemoveAll()
		p.wired, p.parts = "", ""
		return
	}
	slots := slotsOf(place, d.role)
	pins := d.pins
	if pins == nil {
		pins = usualPins(slots)
	}
	p.say(p.name, p.w.kitTitle(d.name()))
	if d.name() == "" {
		p.say(p.name, widget.RoleTitle(d.role))
	}
	problem := pinProblem(pins)
	p.say(p.warning.Text, problem)
	p.show(p.warning, problem != "")
	if key := fmt.Sprint(slots, d.pins == nil); key != p.parts {
		p.parts = key
		if d.pins == nil { // else a person chooses them just now
			p.drawPins(pins)
		}
	}
	key := fmt.Sprint(pins)
	if p.wired == key {
		return
	}
	p.wired, p.stale = key, true
	drawWiring(p.wiring, pins)
	p.wiring.Refresh()
	p.table.RemoveAll()
	for _, pin := range pins {
		name := fw.NewLabelWithStyle(widget.PinName(pin.GPIO), fyne.TextAlignLeading, fyne.TextStyle{Bold: true, Monospace: true})
		text := widget.Muted(slotName(pin.Slot) + ": " + partText(pin))
		text.SizeName = theme.SizeNameCaptionText
		p.table.Add(container.NewBorder(nil, nil, container.NewGridWrap(fyne.NewSize(44, name.MinSize().Height), name), nil, text))
	}
	if len(pins) == 0 {
		p.table.Add(widget.Muted(lang.L("This board decides for the others: it needs no parts, only power.")))
	}
}

// drawPins offers other pins.
func (p *kitPage) drawPins(pins []core.KitPin) {
	p.pins.RemoveAll()
	change := func(at int, edit func(*core.KitPin)) {
		d := &p.w.d
		all := slices.Clone(d.pins)
		if all == nil {
			all = slices.Clone(pins)
		}
		edit(&all[at])
		d.pins = all
		p.w.draw()
	}
	for i, pin := range pins {
		var names []string
		for _, gpio := range widget.Pins {
			if (gpio == core.PinA0) == (pin.Slot == "brightness") {
				names = append(names, widget.PinName(gpio))
			}
		}
		choice := fw.NewSelect(names, nil)
		choice.Selected = widget.PinName(pin.GPIO)
		choice.OnChanged = func(name string) {
			for _, gpio := range widget.Pins {
				if widget.PinName(gpio) == name {
					change(i, func(k *core.KitPin) { k.GPIO = gpio })
				}
			}
		}
		inverted := fw.NewCheck(lang.L("on while low"), nil)
		inverted.Checked = pin.Inverted
		inverted.OnChanged = func(on bool) { change(i, func(k *core.KitPin) { k.Inverted, k.PullUp = on, on && isButton(k.Slot) }) }
		row := []fyne.CanvasObject{choice}
		if pin.Slot != "brightness" {
			row = append(row, inverted)
		}
		p.pins.Add(container.NewBorder(nil, nil, container.NewGridWrap(fyne.NewSize(110, 36), widget.Cell(slotName(pin.Slot))), nil, container.NewHBox(row...)))
	}
	if len(pins) > 0 {
		p.pins.Add(container.NewHBox(fw.NewButton(lang.L("As usual"), func() {
			p.w.d.pins = nil
			p.w.draw()
		})))
	}
}

func (p *kitPage) next() (string, func()) {
	d := &p.w.d
	n := d.name()
	if n == "" || d.fresh && p.taken() {
		return lang.L("Next"), nil
	}
	if doubled(d.pins) {
		return lang.L("Next"), nil
	}
	return lang.L("Next"), func() { p.w.look(core.StepNetwork) }
}

// lacks is what has to be done before it goes on, or "".
func (p *kitPage) lacks() string {
	if d := &p.w.d; !d.fresh && d.kit == "" {
		return lang.L("Choose a kit.")
	}
	return ""
}

// doubled reports whether two parts are on one pin.
func doubled(pins []core.KitPin) bool {
	for i, p := range pins {
		if slices.ContainsFunc(pins[:i], func(q core.KitPin) bool { return q.GPIO == p.GPIO }) {
			return true
		}
	}
	return false
}

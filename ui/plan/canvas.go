package plan

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// clip is what was copied: items, and the design as it was then.
type clip struct {
	from  *core.Design
	items []item
}

// bind makes the canvas do what a person does there.
func (s *Screen) bind() {
	h := s.house
	h.OnChosen = func(ids []string) {
		var items []item
		for _, id := range ids {
			if i, ok := itemOf(id); ok && !slices.Contains(items, i) {
				items = append(items, i)
			}
		}
		s.choice = items
		s.chose()
	}
	h.OnMoved = s.moved
	h.OnResized = func(id string, x, y, w, height float32) {
		i, _ := itemOf(id)
		if p := s.d.Place(i.place); p != nil {
			c := *p
			c.X, c.Y, c.W, c.H = float64(x), float64(y), float64(w), float64(height)
			b := core.Batch{Say: core.Say("{name} resized", "name", p.Title()), Places: []core.Place{c}}
			s.pin(&b, i.place) // what is in it stays where it is
			s.pin(&b, parent(i.place))
			s.change(b)
		}
	}
	h.OnConnected = s.connect
	h.OnOpened = func(id string) {
		i, ok := itemOf(id)
		if !ok {
			return
		}
		if p := s.d.Place(i.place); p != nil && p.Kind != core.KitPlace {
			h.FitTo(id)
			return
		}
		s.inspector.focusName()
	}
	h.OnMenu = s.menu
	h.OnKey = s.key
	h.OnDropped = s.dropped
	h.OnLink = s.wire
}

// moved does what was dragged: within an area it is drawn elsewhere, to another
// area it gets another name, too.
func (s *Screen) moved(ms []widget.HouseMove) {
	var steps []step
	var draw core.Batch
	m := newMaker(s.d, s.facts.accounts)
	wrong := ""
	for _, mv := range ms {
		i, ok := itemOf(mv.ID)
		if !ok {
			continue
		}
		into, _ := itemOf(mv.In)
		at := into.place
		p := s.d.Place(i.place)
		if i.topic != "" {
			if at != "" && at != s.areaNow(mv.ID) {
				steps = append(steps, step{from: i.topic, to: m.name(at, last(i.topic))})
			}
			continue
		}
		if p == nil {
			continue
		}
		target := s.d.Place(at)
		switch {
		case p.Kind == core.BranchPlace && at != "":
			wrong = lang.L("A branch stands alone. Put rooms and kits into it.")
			continue
		case p.Kind == core.RoomPlace && (target == nil || target.Kind != core.BranchPlace):
			wrong = lang.L("A room is in a branch. Drop it there.")
			continue
		case p.Kind == core.KitPlace && target == nil:
			wrong = lang.L("A kit is in a room or a branch. Drop it there.")
			continue
		}
		if at == parent(p.Name) || p.Kind == core.BranchPlace {
			c := *p
			c.X, c.Y = float64(mv.X), float64(mv.Y)
			if a := s.area(mv.ID); a != nil && c.W == 0 {
				c.W, c.H = float64(a.W), float64(a.H)
			}
			draw.Places = append(draw.Places, c)
			continue
		}
		steps = append(steps, step{p.Name, m.name(at, last(p.Name)), true, float64(mv.X), float64(mv.Y)})
	}
	for _, p := range slices.Clone(draw.Places) {
		s.pin(&draw, parent(p.Name))
	}
	if wrong != "" {
		s.sh.Tell(wrong)
	}
	switch {
	case len(steps) > 0:
		s.moveAll(steps, draw)
	case len(draw.Places) > 0:
		draw.Say = core.Say("{name} placed", "name", draw.Places[0].Title())
		if n := len(ms); n > 1 {
			draw.Say = core.Say("{n} things placed", "n", n)
		}
		s.sh.Do(func(ctx context.Context) (func(), error) {
			if err := s.parts.Plan.Change(ctx, draw); err != nil {
				return s.failed(err), nil
			}
			return s.sh.Refresh, nil
		})
	default:
		s.restore()
	}
}

// pin writes down where the things in a place are drawn that nobody placed, so
// that they stay there when another of them moves.
func (s *Screen) pin(b *core.Batch, in topic.Name) {
	for _, p := range s.d.Places {
		if parent(p.Name) != in || p.X != 0 || p.Y != 0 || p.W != 0 || slices.ContainsFunc(b.Places, func(c core.Place) bool { return c.Name == p.Name }) {
			continue
		}
		c := *p
		id := placeID(p.Name)
		if a := s.area(id); a != nil {
			c.X, c.Y, c.W, c.H = float64(a.X), float64(a.Y), float64(a.W), float64(a.H)
		} else if t := s.tile(id); t != nil {
			c.X, c.Y = float64(t.X), float64(t.Y)
		}
		b.Places = append(b.Places, c)
	}
}

func (s *Screen) area(id string) *widget.HouseArea {
	for i := range s.pic.Areas {
		if s.pic.Areas[i].ID == id {
			return &s.pic.Areas[i]
		}
	}
	return nil
}

func (s *Screen) tile(id string) *widget.HouseTile {
	for i := range s.pic.Tiles {
		if s.pic.Tiles[i].ID == id {
			return &s.pic.Tiles[i]
		}
	}
	return nil
}

// areaNow returns the place in which a tile is drawn.
func (s *Screen) areaNow(id string) topic.Name {
	if t := s.tile(id); t != nil {
		i, _ := itemOf(t.In)
		return i.place
	}
	return ""
}

// begin takes something from the palette.
func (s *Screen) begin(what, title string, icon fyne.Resource) {
	text := lang.L("Click where {name} goes. Esc lets go of it.", "name", title)
	if what == dropRoom {
		text += " " + lang.L("Outside of a branch it becomes a branch of its own.")
	}
	s.say(text)
	s.focus()
	s.house.StartDrop(what, title, icon)
}

// dropped puts what was taken from the palette into the house.
func (s *Screen) dropped(what, in string, x, y float32) {
	s.say("")
	into, _ := itemOf(in)
	y = max(y, widget.HouseHead)
	if role, ok := strings.CutPrefix(what, dropKit); ok {
		s.addKit(core.KitRole(role), into.place, float64(x), float64(y))
		return
	}
	s.addRoom(into.place, float64(x), float64(y))
}

// addKit adds a kit to a room or branch; where there is none, to a new one.
func (s *Screen) addKit(role core.KitRole, in topic.Name, x, y float64) {
	m := newMaker(s.d, s.facts.accounts)
	var house core.Batch
	if in == "" {
		var branch item
		house, branch = m.room("")
		house.Places[0].X, house.Places[0].Y = max(x-edge, 0), max(y-widget.HouseHead-edge, 0)
		in, x, y = branch.place, edge, widget.HouseHead+edge/2
	}
	kit := m.kit(role, in, x, y)
	b := s.parts.Plan.DrawKit(kit)
	b.Places = append(house.Places, b.Places...)
	s.pin(&b, in)
	s.make(b, item{place: kit.Name})
}

// addRoom adds a room to a branch, or a branch to the ground.
func (s *Screen) addRoom(in topic.Name, x, y float64) {
	if p := s.d.Place(in); p != nil && p.Kind != core.BranchPlace { // beside the room that it was dropped on
		in, x, y = topic.Name(in.Split()[0]), 0, 0
	}
	b, i := newMaker(s.d, s.facts.accounts).room(in)
	p := &b.Places[0]
	p.W, p.H = 320, 240
	if in == "" {
		p.W, p.H = 480, 320
	}
	p.X, p.Y = s.free(in, x, y, p.W, p.H)
	s.pin(&b, in)
	s.make(b, i)
}

// free returns where in a branch, or on the ground, something of that size covers
// nothing: where it was dropped, or else beside what is there, or below it all.
func (s *Screen) free(in topic.Name, x, y, w, h float64) (atX, atY float64) {
	id, left, top := "", 0.0, 0.0
	if in != "" {
		id, left, top = placeID(in), edge, widget.HouseHead+edge/2
	}
	var taken []rect
	for _, a := range s.pic.Areas {
		if a.In == id {
			taken = append(taken, rect{a.X, a.Y, a.W, a.H})
		}
	}
	for _, t := range s.pic.Tiles {
		if tw, th := t.Size(); t.In == id {
			taken = append(taken, rect{t.X, t.Y, tw, th + noted})
		}
	}
	fits := func(x, y float64) bool {
		return !slices.ContainsFunc(taken, func(r rect) bool { return r.meets(rect{float32(x), float32(y), float32(w), float32(h)}) })
	}
	if (x != 0 || y != 0) && fits(x, y) {
		return x, y
	}
	below := top
	if len(taken) > 0 {
		left = float64(taken[0].x)
	}
	for _, r := range taken {
		left = min(left, float64(r.x))
		below = max(below, float64(r.y+r.h)+gap)
	}
	if a := s.area(id); a != nil {
		for _, r := range taken {
			x, y := float64(r.x+r.w)+gap, float64(r.y)
			if x+w+edge <= float64(a.W) && y+h+edge <= float64(a.H) && fits(x, y) {
				return x, y
			}
		}
	}
	return left, below
}

// make changes the design, and then lets the person type the name of what is new.
func (s *Screen) make(b core.Batch, i item) {
	s.sh.Do(func(ctx context.Context) (func(), error) {
		if err := s.parts.Plan.Change(ctx, b); err != nil {
			return nil, err
		}
		return func() {
			s.naming = i
			s.sh.Refresh()
		}, nil
	})
}

// place returns the place that what is new goes to: the one that is chosen, or
// that the chosen thing is in.
func (s *Screen) place() *core.Place {
	for _, i := range s.choice {
		for at := i.name(); at != ""; at = parent(at) {
			if p := s.d.Place(at); p != nil && p.Kind != core.KitPlace {
				return p
			}
		}
	}
	for _, p := range s.d.Places {
		if p.Kind == core.BranchPlace {
			return p
		}
	}
	return nil
}

// drawOwn begins with an own branch.
func (s *Screen) drawOwn() {
	b, i := newMaker(s.d, s.facts.accounts).room("")
	b.Places[0].W, b.Places[0].H = 640, 400
	s.fitNext = true
	s.make(b, i)
}

// connect asks how two ports are joined, and joins them.
func (s *Screen) connect(from, to string) {
	ea, ok := endAt(from)
	eb, there := endAt(to)
	if !ok || !there || ea.topic == eb.topic {
		return
	}
	batch, joint, can := direct(s.d, ea, eb)
	a, b := s.titleOf(ea.topic), s.titleOf(eb.topic)
	var box *dialog.CustomDialog
	choice := func(title, text string, icon fyne.Resource, do func()) fyne.CanvasObject {
		button := fw.NewButtonWithIcon(title, icon, func() {
			box.Hide()
			do()
		})
		button.Alignment = fw.ButtonAlignLeading
		return container.NewVBox(button, widget.Muted(text))
	}
	rows := container.NewVBox()
	if can {
		text := lang.L("{name} reads {topic} from now on.", "name", batch.Places[0].Title(), "topic", joint)
		if batch.Places[0].Name == ea.kit {
			text = lang.L("{name} publishes to {topic} from now on.", "name", batch.Places[0].Title(), "topic", joint)
		}
		if ta, tb := s.d.Topic(ea.topic), s.d.Topic(eb.topic); ta != nil && tb != nil && ta.Kind != tb.Kind {
			text += " " + lang.L("The values are of different kinds ({a}, {b}): a rule may be what you want.", "a", kindName(ta.Kind), "b", kindName(tb.Kind))
		}
		rows.Add(choice(lang.L("Directly"), text, theme.MailForwardIcon(), func() { s.change(batch) }))
	}
	rows.Add(choice(lang.L("With a rule"), lang.L("When {from} changes, a rule decides what {to} becomes.", "from", a, "to", b), theme.SettingsIcon(), func() {
		s.sh.Go("rules/new/" + url.PathEscape(string(ea.topic)) + "/" + url.PathEscape(string(eb.topic)))
	}))
	box = dialog.NewCustom(lang.L("Connect {from} with {to}", "from", a, "to", b), lang.L("Cancel"), container.NewVBox(widget.Middle(420, rows)), s.sh.Window())
	room := s.sh.Window().Canvas().Size()
	box.Resize(fyne.NewSize(min(480, room.Width-40), 0))
	box.Show()
}

// titleOf is what a topic is called in a sentence.
func (s *Screen) titleOf(n topic.Name) string {
	if t := s.d.Topic(n); t != nil && t.Label != "" {
		return t.Label
	}
	return last(n)
}

// wire shows what a wire stands for. Delete takes it away then.
func (s *Screen) wire(id string) {
	if rest, ok := strings.CutPrefix(id, "r"); ok {
		rule, _, _ := strings.Cut(rest, cut)
		s.sh.Go("rules/" + rule)
		return
	}
	for _, l := range s.pic.Links {
		if l.ID != id {
			continue
		}
		from, _ := endAt(l.From)
		to, _ := endAt(l.To)
		s.choose(item{topic: to.topic})
		for _, e := range []end{to, from} {
			if b, ok := unplug(s.d, e); ok {
				s.wired = &b
				s.say(lang.L("Delete takes the wire away: {what}.", "what", lang.Say(b.Say)))
				return
			}
		}
	}
}

// menu offers what can be done with a thing, or with the ground.
func (s *Screen) menu(id string, at fyne.Position) {
	i, ok := itemOf(id)
	if ok && !slices.Contains(s.choice, i) {
		s.choose(i)
	}
	items := s.menuItems(i, ok)
	if e, port := endAt(id); port {
		if b, can := unplug(s.d, e); can {
			m := fyne.NewMenuItem(lang.L("Disconnect"), func() { s.change(b) })
			m.Icon = theme.ContentCutIcon()
			items = append([]*fyne.MenuItem{m, fyne.NewMenuItemSeparator()}, items...)
		}
	}
	m := fyne.NewMenu("", items...)
	fw.ShowPopUpMenuAtPosition(m, s.sh.Window().Canvas(), at)
}

func (s *Screen) menuItems(i item, any bool) []*fyne.MenuItem {
	entry := func(text string, icon fyne.Resource, do func()) *fyne.MenuItem {
		m := fyne.NewMenuItem(text, do)
		m.Icon = icon
		return m
	}
	var ms []*fyne.MenuItem
	p := s.d.Place(i.place)
	if any && i.topic != "" && s.d.Topic(i.topic) == nil {
		ms = append(ms, s.strayMenu(i.topic)...)
	}
	if any {
		ms = append(ms, entry(lang.L("Rename…"), theme.DocumentCreateIcon(), s.inspector.focusName),
			entry(lang.L("Duplicate"), theme.ContentAddIcon(), s.duplicate),
			entry(lang.L("Copy"), theme.ContentCopyIcon(), s.copy))
	}
	if s.clip.from != nil && (!any || p != nil) {
		ms = append(ms, entry(lang.L("Paste"), theme.ContentPasteIcon(), s.paste))
	}
	if !any || p != nil && p.Kind != core.KitPlace {
		if any && p.Kind == core.BranchPlace {
			ms = append(ms, entry(lang.L("Add a room"), roomIcon, func() { s.addRoom(p.Name, 0, 0) }))
		}
		if !any {
			ms = append(ms, entry(lang.L("Add a branch"), theme.HomeIcon(), func() { s.addRoom("", 0, 0) }))
		}
		if any {
			kits := entry(lang.L("Add a kit"), widget.RoleIcon(core.AllKit), nil)
			kits.ChildMenu = fyne.NewMenu("", s.kitItems(p.Name)...)
			ms = append(ms, kits)
		}
	}
	if !any {
		return append(ms, fyne.NewMenuItemSeparator(), entry(lang.L("Show all"), theme.ViewFullScreenIcon(), s.house.Fit))
	}
	if p == nil && s.d.Topic(i.topic) == nil {
		return ms
	}
	gone := entry(lang.L("Remove…"), theme.DeleteIcon(), func() { s.remove(s.choice...) })
	return append(ms, fyne.NewMenuItemSeparator(), gone)
}

// kitItems offers every role of kit, for a room or branch.
func (s *Screen) kitItems(in topic.Name) []*fyne.MenuItem {
	var ms []*fyne.MenuItem
	for _, r := range core.KitRoles {
		m := fyne.NewMenuItem(widget.RoleTitle(r), func() { s.addKit(r, in, 0, 0) })
		m.Icon = widget.RoleIcon(r)
		ms = append(ms, m)
	}
	return ms
}

// strayMenu offers what can be done with a topic that is not designed.
func (s *Screen) strayMenu(n topic.Name) []*fyne.MenuItem {
	adopt := fyne.NewMenuItem(lang.L("Adopt {name}", "name", last(n)), func() {
		if t, ok := s.values[n]; ok {
			s.change(s.parts.Plan.Adopt(t))
		}
	})
	adopt.Icon = theme.DownloadIcon()
	ms := []*fyne.MenuItem{adopt}
	for _, f := range s.facts.fixes {
		if f.Topic != n || !fixable(f) {
			continue
		}
		text := lang.L("Fix")
		if f.To != "" {
			text = lang.L("Fix: it is {name}", "name", last(f.To))
		}
		m := fyne.NewMenuItem(text, func() {
			if f.To != "" {
				s.move(f.Rename, f.To)
			} else {
				s.change(f.Batch)
			}
		})
		m.Icon = theme.ConfirmIcon()
		ms = append(ms, m)
	}
	return append(ms, fyne.NewMenuItemSeparator())
}

// key is what the canvas has no use for.
func (s *Screen) key(name fyne.KeyName, mod fyne.KeyModifier) bool {
	ctrl := mod&fyne.KeyModifierShortcutDefault != 0
	shift := mod&fyne.KeyModifierShift != 0
	switch {
	case ctrl && name == fyne.KeyZ && shift, ctrl && name == fyne.KeyY:
		s.redo()
	case ctrl && name == fyne.KeyZ:
		s.undo()
	case ctrl && name == fyne.KeyC:
		s.copy()
	case ctrl && name == fyne.KeyX:
		s.copy()
		s.remove(s.choice...)
	case ctrl && name == fyne.KeyV:
		s.paste()
	case ctrl && name == fyne.KeyD:
		s.duplicate()
	case ctrl:
		return false
	case (name == fyne.KeyDelete || name == fyne.KeyBackspace) && s.wired != nil:
		s.change(*s.wired)
		s.wired = nil
		s.say("")
	case name == fyne.KeyDelete, name == fyne.KeyBackspace:
		s.remove(s.choice...)
	case name == fyne.KeyF2:
		if len(s.choice) == 1 {
			s.inspector.focusName()
		}
	default:
		return false
	}
	return true
}

// copy remembers what is chosen.
func (s *Screen) copy() {
	if len(s.choice) > 0 {
		s.clip = clip{s.d, slices.Clone(s.choice)}
		s.sh.Tell(lang.L("Copied {what}", "what", quoted(s.d, s.choice)))
	}
}

// paste puts copies of what was copied into the place that is chosen, or beside it.
func (s *Screen) paste() {
	if s.clip.from == nil {
		return
	}
	var into *core.Place
	if len(s.choice) == 1 && !slices.Contains(s.clip.items, s.choice[0]) {
		into = s.d.Place(s.choice[0].place)
	}
	s.insert(s.clip.from, s.clip.items, into)
}

// duplicate copies what is chosen beside itself.
func (s *Screen) duplicate() { s.insert(s.d, s.choice, nil) }

func (s *Screen) insert(from *core.Design, items []item, into *core.Place) {
	b, made := newMaker(s.d, s.facts.accounts).copies(from, items, into)
	if !filled(b) {
		return
	}
	s.sh.Do(func(ctx context.Context) (func(), error) {
		if err := s.parts.Plan.Change(ctx, b); err != nil {
			return nil, err
		}
		return func() {
			s.choosing = made
			s.sh.Refresh()
		}, nil
	})
}

// together remembers that a person did with one gesture what several edits are.
func (s *Screen) together(ids []int64) {
	const most = 100
	if len(ids) > 1 {
		s.gestures = append(s.gestures[max(0, len(s.gestures)-most):], ids)
	}
}

// gestureOf returns the edits that go with one.
func gestureOf(gestures [][]int64, id int64) []int64 {
	for _, g := range gestures {
		if slices.Contains(g, id) {
			return g
		}
	}
	return nil
}

// undo takes the newest edit back, and those that were one gesture with it.
func (s *Screen) undo() {
	gestures := slices.Clone(s.gestures)
	s.sh.Do(func(ctx context.Context) (func(), error) {
		e, err := s.parts.Plan.Undo(ctx)
		for g := gestureOf(gestures, e.ID); err == nil; {
			next, _ := s.parts.Plan.Edits()
			if len(next) == 0 || !slices.Contains(g, next[0].ID) {
				break
			}
			e, err = s.parts.Plan.Undo(ctx)
		}
		return s.turned(lang.L("Undone: {what}", "what", lang.Say(e.Say))), err
	})
}

// redo makes it again.
func (s *Screen) redo() {
	gestures := slices.Clone(s.gestures)
	s.sh.Do(func(ctx context.Context) (func(), error) {
		e, err := s.parts.Plan.Redo(ctx)
		say := e.Say
		for g := gestureOf(gestures, e.ID); err == nil; {
			_, next := s.parts.Plan.Edits()
			if len(next) == 0 || !slices.Contains(g, next[0].ID) {
				break
			}
			_, err = s.parts.Plan.Redo(ctx)
		}
		return s.turned(lang.L("Done again: {what}", "what", lang.Say(say))), err
	})
}

func (s *Screen) turned(text string) func() {
	return func() {
		s.sh.Tell(text)
		s.sh.Refresh()
	}
}

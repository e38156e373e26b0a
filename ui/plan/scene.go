package plan

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

const (
	redFor     = 10 * time.Second // how long something that was refused is red
	strayTiles = 200              // topics that are drawn though they are not designed
	maxOfRules = 500              // wires through rules
)

// world is everything that the picture of the house is made from.
type world struct {
	design   *core.Design
	arriving []core.TopicState              // not designed, newest first
	meant    map[topic.Name]topic.Name      // of arriving: what the name looks like a slip of
	live     map[topic.Name]core.TopicState // newest message of each topic
	online   map[topic.ID]bool              // by account; connected or not
	boards   map[topic.Name]core.Board      // by kit
	refused  map[topic.ID]core.Refusal      // by account, of the last redFor
	red      []core.Refusal                 // of the last redFor
	rules    map[topic.ID]core.RuleState    // what became of them
}

// drawing is the picture, and where in it a topic, a kit or a rule is.
type drawing struct {
	widget.HouseScene
	ports map[topic.Name][]portAt
	links map[topic.Name][]linkAt
	kits  []*core.Place
	rules map[topic.ID][]string // wires
	loose map[topic.Name]bool   // topics with a tile of their own
}

type portAt struct {
	id     string
	stray  bool
	design *core.Topic // nil of what is not designed
}

// linkAt is a wire that lights when something is published to a topic, or to
// where its commands go.
type linkAt struct {
	id      string
	command bool
}

// IDs of what is drawn. A name holds no control characters that a person could
// have typed, and what a hostile client sends is cut off at the first.
const cut = "\x00"

func placeID(n topic.Name) string { return "p" + string(n) }
func looseID(n topic.Name) string { return "t" + string(n) }
func portID(kit topic.Name, s topic.ID, a core.Action, n topic.Name) string {
	return "o" + strings.Join([]string{string(kit), string(s), string(a), string(n)}, cut)
}

// itemOf returns what is behind an ID of the picture.
func itemOf(id string) (item, bool) {
	if id == "" {
		return item{}, false
	}
	switch id[0] {
	case 'p':
		return item{place: topic.Name(id[1:])}, true
	case 't':
		return item{topic: topic.Name(id[1:])}, true
	case 'o':
		e, ok := endAt(id)
		return item{topic: e.topic}, ok
	}
	return item{}, false
}

// endAt returns the end at a port of the picture.
func endAt(id string) (end, bool) {
	if id == "" || id[0] != 'o' {
		return end{}, false
	}
	f := strings.SplitN(id[1:], cut, 4)
	if len(f) != 4 {
		return end{}, false
	}
	return end{kit: topic.Name(f[0]), slot: topic.ID(f[1]), action: core.Action(f[2]), topic: topic.Name(f[3])}, true
}

// scene draws the house. What nobody has placed finds its own place, the same
// each time.
func scene(w world) drawing {
	d := drawing{ports: map[topic.Name][]portAt{}, links: map[topic.Name][]linkAt{}, rules: map[topic.ID][]string{}, loose: map[topic.Name]bool{}}
	tiles := map[topic.Name]*widget.HouseTile{}
	inside := map[topic.Name][]widget.HouseTile{} // by area; "" is the ground
	var order []topic.Name                        // of the kits
	shown := map[topic.Name]bool{}                // topics that a kit has a port for

	for _, p := range w.design.Places {
		if p.Kind != core.KitPlace {
			continue
		}
		d.kits = append(d.kits, p)
		t := &widget.HouseTile{ID: placeID(p.Name), In: areaOf(w.design, parent(p.Name)), Title: p.Title(), Sub: widget.RoleTitle(p.Role),
			Icon: widget.RoleIcon(p.Role), X: float32(p.X), Y: float32(p.Y), Virtual: p.Virtual}
		t.Online, t.Known, t.Note = w.kit(p)
		for _, port := range p.Ports {
			own := w.design.Topic(port.Topic)
			hp := w.port(portID(p.Name, port.Slot, port.Action, port.Topic), port.Topic, own)
			if own == nil || own.Label == "" {
				hp.Title = string(port.Slot)
			}
			hp.Out = port.Action == core.Publish
			hp.In = port.Action == core.Subscribe
			if hp.In && own != nil && own.Writable && core.Within(port.Topic, p.Name) {
				hp.Out = true // it tells what became of the command
			}
			t.Ports = append(t.Ports, hp)
			shown[port.Topic] = true
			d.ports[port.Topic] = append(d.ports[port.Topic], portAt{hp.ID, false, own})
		}
		tiles[p.Name] = t
		order = append(order, p.Name)
	}
	for _, t := range w.design.Topics {
		if !shown[t.Name] {
			d.stand(w, tiles, inside, t.Name, t)
		}
	}
	strays := 0
	for _, a := range w.arriving {
		n := a.Last.Topic
		if hidden(n) || strays == strayTiles {
			continue
		}
		strays++
		d.stand(w, tiles, inside, n, nil)
	}
	for _, n := range order {
		t := tiles[n]
		at := topic.Name(strings.TrimPrefix(t.In, "p"))
		inside[at] = append(inside[at], *t)
	}
	d.wires(w)
	d.arrange(w.design, inside)
	return d
}

// hidden reports whether n is an attribute of a device, such as $state, which is
// nobody's to design.
func hidden(n topic.Name) bool { return n == "" || n[0] == '$' || strings.Contains(string(n), "/$") }

// stand draws a topic that no kit has a port for: at the kit that its name
// begins with, or as a tile of its own in its room. A nil t is not designed.
func (d *drawing) stand(w world, tiles map[topic.Name]*widget.HouseTile, inside map[topic.Name][]widget.HouseTile, n topic.Name, t *core.Topic) {
	kit, room := around(w.design, n)
	hp := w.port(portID(kit, "", core.Publish, n), n, t)
	hp.Out = true
	if t != nil && t.Writable {
		hp.In = true
	}
	d.ports[n] = append(d.ports[n], portAt{hp.ID, t == nil, t})
	note := ""
	if m := w.meant[n]; t == nil && m != "" {
		note = lang.L("{name} – did you mean {other}?", "name", last(n), "other", last(m))
	}
	if k := tiles[kit]; k != nil {
		if t == nil || t.Label == "" {
			hp.Title = widget.OneLine(string(n[len(kit)+1:]))
		}
		k.Ports = append(k.Ports, hp)
		if k.Note == "" {
			k.Note = note
		}
		return
	}
	if note != "" { // its own title says the name
		note = lang.L("did you mean {other}?", "other", last(w.meant[n]))
	}
	hp.ID = portID("", "", core.Publish, n)
	d.ports[n][len(d.ports[n])-1].id = hp.ID
	d.loose[n] = true
	sub, title := string(n), hp.Title
	if room != "" && n != room {
		sub = string(n[len(room)+1:])
	}
	if t == nil && title == sub {
		sub = lang.L("not designed")
	} else if title == sub {
		sub = lang.L("topic")
	}
	icon := fyne.Resource(theme.QuestionIcon())
	hp.Title = lang.L("value")
	if t != nil {
		icon, hp.Title = kindIcon(t.Kind), kindName(t.Kind)
	}
	inside[room] = append(inside[room], widget.HouseTile{ID: looseID(n), In: areaOf(w.design, room), Title: title, Sub: widget.OneLine(sub),
		Icon: icon, Note: note, Ports: []widget.HousePort{hp}})
}

// kindName is what values of a kind are called.
func kindName(k core.Kind) string {
	switch k {
	case core.Number:
		return lang.L("number")
	case core.Boolean:
		return lang.L("yes or no")
	case core.Enumeration:
		return lang.L("choice of words")
	case core.JSON:
		return "JSON"
	}
	return lang.L("text")
}

// around returns the kit, and the room or else branch, that a topic is in.
func around(d *core.Design, n topic.Name) (kit, room topic.Name) {
	for at := n; at != ""; at = parent(at) {
		p := d.Place(at)
		switch {
		case p == nil:
		case p.Kind == core.KitPlace && kit == "" && at != n:
			kit = at
		case p.Kind != core.KitPlace:
			return kit, at
		}
	}
	return kit, ""
}

// areaOf returns the ID of the area that what is below n is drawn in.
func areaOf(d *core.Design, n topic.Name) string {
	for at := n; at != ""; at = parent(at) {
		if p := d.Place(at); p != nil && p.Kind != core.KitPlace {
			return placeID(at)
		}
	}
	return ""
}

// port draws what a topic has for a value. t is nil where it is not designed.
func (w world) port(id string, n topic.Name, t *core.Topic) widget.HousePort {
	p := widget.HousePort{ID: id, Title: widget.OneLine(last(n)), Hue: hue(last(n))}
	if t != nil && t.Label != "" {
		p.Title = t.Label
	}
	p.Value, p.Paint, p.At = w.value(n, t)
	return p
}

// value returns what a topic shows.
func (w world) value(n topic.Name, t *core.Topic) (text string, paint widget.Paint, at time.Time) {
	if s, ok := w.live[n]; ok && len(s.Last.Payload) > 0 {
		text, paint, at = words(s, t), widget.PaintAlive, s.Last.At
	}
	if t == nil {
		paint = widget.PaintStray
	}
	for _, r := range w.red {
		if r.Topic.Match(n) || r.Topic.Match(n+"/set") {
			paint = widget.PaintRefused
			if r.At.After(at) {
				at = r.At
			}
		}
	}
	return text, paint, at
}

// words is the newest value of a topic as a person reads it, short.
func words(s core.TopicState, t *core.Topic) string {
	const most = 40
	v := string(s.Last.Payload[:min(len(s.Last.Payload), 4*most)])
	v = widget.OneLine(v)
	if rs := []rune(v); len(rs) > most {
		v = string(rs[:most-1]) + "…"
	}
	if t != nil && t.Unit != "" {
		v += " " + t.Unit
	}
	return v
}

// kit returns the presence of a kit, and what is wrong with it.
func (w world) kit(p *core.Place) (online, known bool, note string) {
	if b, ok := w.boards[p.Name]; ok && p.Virtual {
		online, known = b.State == "ready", true
		if !online || slices.ContainsFunc(b.Faults, func(f core.FaultState) bool { return f.On }) {
			note = sentence(b.Say)
		}
	} else if p.Account != "" {
		online, known = w.online[p.Account]
	}
	if r, ok := w.refused[p.Account]; ok && p.Account != "" && !(p.Virtual && online && !ofKit(p, topic.Name(r.Topic))) {
		note = sentence(r.Say)
	}
	if m, ok := w.slip(p); ok && note == "" {
		note = m
	}
	return online, known, note
}

// ofKit reports whether a topic is the kit's as it is drawn. A virtual kit that was
// moved says good-bye where it was, and nobody has to mend that.
func ofKit(p *core.Place, n topic.Name) bool {
	return core.Within(n, p.Name) || slices.ContainsFunc(p.Ports, func(o core.Port) bool { return core.Within(n, o.Topic) })
}

// slip returns what to say of a kit that publishes to a name that looks wrong.
func (w world) slip(p *core.Place) (string, bool) {
	for n, m := range w.meant {
		if core.Within(n, p.Name) && n != p.Name {
			return lang.L("{name} – did you mean {other}?", "name", last(n), "other", last(m)), true
		}
	}
	return "", false
}

func sentence(s core.Sentence) string {
	if s.Format == "" {
		return ""
	}
	return lang.Say(s)
}

// hue is the colour of a property: that of its quantity in every room. The two
// that look like warnings are nobody's.
func hue(name string) int {
	calm := [...]int{0, 2, 4, 5, 6, 7}
	switch name {
	case "light", "led", "lamp":
		return 0
	case "presence", "motion", "door":
		return 2
	case "button":
		return 4
	case "brightness":
		return 5
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return calm[h.Sum32()%uint32(len(calm))]
}

// branchHues returns the colours of branches, from 1: its own for one that is called
// by a colour, and for the others those that are left, in order.
func branchHues(d *core.Design) map[topic.Name]int {
	hues, used := map[topic.Name]int{}, map[int]bool{}
	for _, p := range d.Places {
		if p.Kind != core.BranchPlace {
			continue
		}
		h := 0
		switch p.Name {
		case "blue", "bleu":
			h = 1
		case "orange":
			h = 2
		case "green", "vert":
			h = 3
		case "red", "rouge":
			h = 4
		case "purple", "violet":
			h = 5
		case "yellow", "jaune":
			h = 6
		case "pink", "rose":
			h = 7
		}
		hues[p.Name], used[h] = h, true
	}
	next := 1
	for _, p := range d.Places {
		if h, branch := hues[p.Name]; branch && h == 0 {
			for next <= widget.Colors && used[next] {
				next++
			}
			hues[p.Name] = next
			next++
		}
	}
	return hues
}

// wires joins the ports of kits that share a topic, and those that a rule joins.
func (d *drawing) wires(w world) {
	type joint struct {
		port core.Port
		kit  *core.Place
		id   string
	}
	of := map[topic.Name][]joint{}
	for _, p := range d.kits {
		for _, port := range p.Ports {
			of[port.Topic] = append(of[port.Topic], joint{port, p, portID(p.Name, port.Slot, port.Action, port.Topic)})
		}
	}
	link := func(l widget.HouseLink, n topic.Name, command bool) {
		l.Paint, l.At = w.pulse(n, command)
		d.Links = append(d.Links, l)
		d.links[n] = append(d.links[n], linkAt{l.ID, command})
	}
	names := make([]topic.Name, 0, len(of))
	for n := range of {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		t := w.design.Topic(n)
		title := string(n)
		if t != nil && t.Label != "" {
			title = t.Label
		}
		for _, from := range of[n] {
			for _, to := range of[n] {
				if from.kit == to.kit || to.port.Action != core.Subscribe {
					continue
				}
				writable := t != nil && t.Writable
				fromOwn, toOwn := core.Within(n, from.kit.Name), core.Within(n, to.kit.Name)
				command := false
				switch {
				case from.port.Action == core.Publish && writable && toOwn:
					command = true
				case from.port.Action == core.Publish && writable && !fromOwn && ownedBy(d.kits, n):
					continue // what it wishes goes to the owner alone
				case from.port.Action == core.Publish:
				case writable && fromOwn: // the lamp tells its state
				default:
					continue
				}
				link(widget.HouseLink{ID: "l" + from.id + cut + to.id, From: from.id, To: to.id, Title: title}, n, command)
			}
		}
	}
	ids := func(n topic.Name, source bool) string {
		best := ""
		for _, j := range of[n] {
			own := core.Within(n, j.kit.Name)
			right := j.port.Action == core.Publish
			if !source {
				right = !right
			}
			if right && (best == "" || own) || own && best == "" {
				best = j.id
			}
		}
		if best == "" && len(d.ports[n]) > 0 {
			best = d.ports[n][0].id
		}
		return best
	}
	drawn := 0
	for _, r := range w.design.Rules {
		if r.Kit != "" {
			continue // the board's own wires show it
		}
		done := map[string]bool{}
		for _, in := range r.Inputs {
			for _, act := range r.Then {
				from, to := ids(in.Topic, true), ids(act.Topic, false)
				id := "r" + string(r.ID) + cut + from + cut + to
				if from == "" || to == "" || from == to || done[id] || drawn == maxOfRules {
					continue
				}
				done[id] = true
				drawn++
				l := widget.HouseLink{ID: id, From: from, To: to, Title: r.Title(), Rule: true}
				l.Paint, l.At = ruled(w.rules[r.ID])
				d.Links = append(d.Links, l)
				d.rules[r.ID] = append(d.rules[r.ID], id)
			}
		}
	}
}

// ownedBy reports whether a kit has n within its name and obeys it.
func ownedBy(kits []*core.Place, n topic.Name) bool {
	for _, k := range kits {
		if core.Within(n, k.Name) && slices.ContainsFunc(k.Ports, func(p core.Port) bool { return p.Topic == n && p.Action == core.Subscribe }) {
			return true
		}
	}
	return false
}

// pulse returns how alive a wire is.
func (w world) pulse(n topic.Name, command bool) (widget.Paint, time.Time) {
	s, ok := w.live[n]
	if command {
		if c, there := w.live[n+"/set"]; there {
			s, ok = c, true
		}
	}
	if !ok {
		return widget.PaintSilent, time.Time{}
	}
	return widget.PaintAlive, s.Last.At
}

// ruled returns how alive the wires of a rule are.
func ruled(s core.RuleState) (widget.Paint, time.Time) {
	if s.Last.At.IsZero() {
		return widget.PaintSilent, time.Time{}
	}
	return widget.PaintAlive, s.Last.At
}

// Measures of the places that are found for what nobody placed.
const (
	edge  = 24 // between an area and what is in it
	gap   = 24
	noted = 24 // a tile may get a note at any time
)

func snap(v float32) float32 {
	return float32(math.Ceil(float64(v)/widget.HouseGrid)) * widget.HouseGrid
}

type rect struct{ x, y, w, h float32 }

func (r rect) meets(o rect) bool {
	return r.x < o.x+o.w && o.x < r.x+r.w && r.y < o.y+o.h && o.y < r.y+r.h
}

// arrange gives everything its place, and areas their size.
func (d *drawing) arrange(design *core.Design, inside map[topic.Name][]widget.HouseTile) {
	rooms := map[topic.Name][]*widget.HouseArea{} // by branch; "" is the ground
	hues := branchHues(design)
	for _, p := range design.Places {
		if p.Kind == core.KitPlace {
			continue
		}
		a := &widget.HouseArea{ID: placeID(p.Name), Title: p.Title(), In: areaOf(design, parent(p.Name)),
			X: float32(p.X), Y: float32(p.Y), W: float32(p.W), H: float32(p.H), Hue: hues[p.Name]}
		if p.Label != "" {
			a.Sub = last(p.Name)
		}
		in := topic.Name(strings.TrimPrefix(a.In, "p"))
		rooms[in] = append(rooms[in], a)
	}
	d.fill("", 0, 0, rooms, inside)
}

// fill arranges what is in an area, or on the ground, and returns how much room
// it takes. width is what was drawn for it; 0 is free.
func (d *drawing) fill(n topic.Name, width, top float32, rooms map[topic.Name][]*widget.HouseArea, inside map[topic.Name][]widget.HouseTile) (w, h float32) {
	var taken []rect
	areas, tiles := rooms[n], inside[n]
	var later []*widget.HouseArea
	var there []int // of d.Areas
	total := float32(0)
	for _, a := range areas {
		drawn := a.W > 0 && a.H > 0
		at := len(d.Areas)
		d.Areas = append(d.Areas, *a)
		w, h := d.fill(topic.Name(a.ID[1:]), a.W, widget.HouseHead, rooms, inside)
		a.W, a.H = max(a.W, w), max(a.H, h)
		d.Areas[at] = *a
		if drawn {
			there = append(there, at)
		} else {
			later = append(later, a)
			total += (a.W + gap) * (a.H + gap)
		}
	}
	// What grew beyond its place moves what is below it down.
	slices.SortStableFunc(there, func(a, b int) int {
		return cmp.Or(cmp.Compare(d.Areas[a].Y, d.Areas[b].Y), cmp.Compare(d.Areas[a].X, d.Areas[b].X))
	})
	for _, at := range there {
		a := &d.Areas[at]
		for i := 0; i < len(taken); i++ {
			if r := taken[i]; r.meets(rect{a.X, a.Y, a.W, a.H}) {
				a.Y, i = snap(r.y+r.h+gap/2), -1
			}
		}
		taken = append(taken, rect{a.X, a.Y, a.W, a.H})
	}
	// Rooms that nobody has drawn stand in rows below those that somebody has.
	left, y := float32(edge), top+edge/2
	if n == "" {
		left, y = 0, 0
	}
	for _, r := range taken {
		y = max(y, r.y+r.h+gap)
	}
	most := max(width-2*edge, snap(float32(math.Sqrt(float64(total)*1.9))))
	x, row := left, float32(0)
	for _, a := range later {
		if x > left && x+a.W > left+most {
			x, y, row = left, y+row+gap, 0
		}
		a.X, a.Y = snap(x), snap(y)
		taken = append(taken, rect{a.X, a.Y, a.W, a.H})
		x, row = x+a.W+gap, max(row, a.H)
		for i := range d.Areas {
			if d.Areas[i].ID == a.ID {
				d.Areas[i] = *a
			}
		}
	}
	// Tiles stand in columns, each below what is there.
	var free []int
	for i := range tiles {
		t := &tiles[i]
		tw, th := t.Size()
		if t.X != 0 || t.Y != 0 {
			taken = append(taken, rect{t.X, t.Y, tw, th + noted})
		} else {
			free = append(free, i)
		}
	}
	if len(free) > 0 {
		tw, _ := tiles[free[0]].Size()
		extent := float32(0)
		for _, r := range taken {
			extent = max(extent, r.x+r.w-left)
		}
		columns := int((max(width-2*edge, extent) + gap) / (tw + gap))
		if width == 0 {
			columns = max(columns, min(len(free), 1+int(math.Sqrt(float64(len(free))*0.9))))
		}
		columns = max(columns, 1)
		ends := make([]float32, columns)
		for c := range ends {
			cx := left + float32(c)*(tw+gap)
			ends[c] = top + edge/2
			if n == "" {
				ends[c] = 0
			}
			for _, r := range taken {
				if r.x < cx+tw+gap/2 && cx < r.x+r.w+gap/2 {
					ends[c] = max(ends[c], r.y+r.h+gap)
				}
			}
		}
		for _, i := range free {
			t := &tiles[i]
			_, th := t.Size()
			if t.Note == "" {
				th += noted
			}
			best := 0
			for c := range ends {
				if ends[c] < ends[best] {
					best = c
				}
			}
			t.X, t.Y = snap(left+float32(best)*(tw+gap)), snap(ends[best])
			ends[best] = t.Y + th + gap/2
			taken = append(taken, rect{t.X, t.Y, tw, th})
		}
	}
	d.Tiles = append(d.Tiles, tiles...)
	w, h = 312, 200
	for _, r := range taken {
		w, h = max(w, r.x+r.w+edge), max(h, r.y+r.h+edge)
	}
	return snap(w), snap(h)
}

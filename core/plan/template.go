package plan

import (
	"fmt"
	"math"
	"slices"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// maxCopies is how many branches one template is drawn for at once.
const maxCopies = 64

// pattern is a template and who draws a copy.
type pattern struct {
	core.Template
	draw func(*oneCopy)
}

var patterns = []pattern{
	{core.Template{Key: "state_led", Flat: true, Kits: 2, Title: core.Say("Button and LED"),
		Text: core.Say("Two boards and one topic: the button of one lights the LED of the other.")}, drawStateLED},
	{core.Template{Key: "four-boards", Decides: true, Flat: true, Kits: 4, Title: core.Say("Four-board home"),
		Text: core.Say("Light, sensor, button and choice: a lamp that decides from brightness, button and presence.")}, drawFourBoards},
	{core.Template{Key: "monitoring", Kits: 14, Title: core.Say("Smart-home monitoring"),
		Text: core.Say("Five rooms with climate, doors, windows, presence and power, lamps and heating, rules and alarms.")}, drawMonitoring},
	{core.Template{Key: "empty-home", Title: core.Say("Empty home"),
		Text: core.Say("A branch with three rooms, to furnish yourself.")}, drawEmptyHome},
}

// Options is how a template is drawn.
type Options struct {
	// OnBoard lets a board of the choice role decide, as in the report of the lab;
	// else a rule of the program does and there is no such board.
	OnBoard bool
	// Say translates display names, which are written down in one language; nil is English.
	Say func(core.Sentence) string
}

// Templates returns every template, in the order in which they are offered.
func Templates() []core.Template {
	all := make([]core.Template, len(patterns))
	for i, p := range patterns {
		all[i] = p.Template
	}
	return all
}

// FromTemplate returns everything that the template is, once for each branch, as
// one change of d; the branch "" is flat topics. A branch that is drawn already
// gets the rooms beside its own. It fails with core.ErrConflict where a name is
// taken, and with core.ErrInvalid where a branch is no ID.
func FromTemplate(key string, branches []topic.Name, d *core.Design, o Options) (core.Batch, error) {
	i := slices.IndexFunc(patterns, func(p pattern) bool { return p.Key == key })
	if i < 0 {
		return core.Batch{}, core.Fail(core.ErrNotFound, "There is no template {template}. Choose another.", "template", short(topic.Name(key)))
	}
	if len(branches) == 0 || len(branches) > maxCopies {
		return core.Batch{}, core.Fail(core.ErrInvalid, "Choose 1 to {max} branches.", "max", maxCopies)
	}
	if o.Say == nil {
		o.Say = core.Sentence.String
	}
	template := patterns[i]
	batch := core.Batch{Say: core.Say("{template} drawn for {branches}", "template", o.Say(template.Title), "branches", listed(branches))}
	if len(branches) == 1 && branches[0] == "" {
		batch.Say = core.Say("{template} drawn", "template", o.Say(template.Title))
	}
	copies := make([]*oneCopy, 0, len(branches))
	for n, branch := range branches {
		if branch == "" && !template.Flat {
			return core.Batch{}, core.Fail(core.ErrInvalid, "{template} needs a branch. Choose a team, or name a house.", "template", o.Say(template.Title))
		}
		if _, err := topic.ParseID(string(branch)); err != nil && branch != "" {
			return core.Batch{}, core.Fail(core.ErrInvalid, "{branch} cannot be a branch. Use a-z, 0-9 and -, at most {max} characters.", "branch", short(branch), "max", topic.MaxID)
		}
		if slices.Contains(branches[:n], branch) {
			return core.Batch{}, core.Fail(core.ErrInvalid, "{branch} is in the list twice. Write each branch once.", "branch", branch)
		}
		b := &oneCopy{Batch: &batch, options: o, place: core.Place{Name: branch, Kind: core.BranchPlace}, flat: branch == ""}
		template.draw(b)
		copies = append(copies, b)
	}
	layOut(d, copies)
	for _, b := range copies {
		if !b.flat {
			batch.Places = append(batch.Places, b.place)
		}
		for _, r := range b.rooms {
			batch.Places = append(batch.Places, r.place)
			for _, kit := range r.kits {
				kit.Account = b.id(string(last(kit.Name)))
				if len(b.rooms) > 1 { // one of that name may be in every room
					kit.Account = b.id(fmt.Sprintf("%s-%s", last(r.place.Name), last(kit.Name)))
				}
				batch.Places = append(batch.Places, kit)
			}
		}
	}
	return batch, free(d, batch)
}

// listed writes the first few of ns.
func listed(ns []topic.Name) string {
	const some = 6
	s := ""
	for i, n := range ns {
		if i == some {
			return s + ", …"
		}
		if i > 0 {
			s += ", "
		}
		s += string(n)
	}
	return s
}

// free returns nil if nothing of the batch is in d but the branches that grow.
func free(d *core.Design, b core.Batch) error {
	taken := func(n any) error {
		return core.Fail(core.ErrConflict, "{name} is there already. Choose another branch, or remove it first.", "name", n)
	}
	names := make(map[string]bool, len(d.Topics)+len(d.Places))
	for _, t := range d.Topics {
		names[fold(t.Name)] = true
	}
	accounts := map[topic.ID]bool{}
	for _, p := range d.Places {
		names[fold(p.Name)] = true
		accounts[p.Account] = true
	}
	for _, t := range b.Topics {
		if names[fold(t.Name)] {
			return taken(t.Name)
		}
	}
	for _, p := range b.Places {
		if p.Account != "" {
			if _, err := topic.ParseID(string(p.Account)); err != nil {
				return core.Fail(core.ErrInvalid, "The account {account} would have too long a name. Choose a shorter branch.", "account", p.Account)
			}
			if accounts[p.Account] {
				return taken(p.Account)
			}
		}
		if (p.Kind != core.BranchPlace || d.Place(p.Name) == nil) && names[fold(p.Name)] {
			return taken(p.Name)
		}
	}
	for _, r := range b.Rules {
		if d.Rule(r.ID) != nil {
			return taken(r.ID)
		}
	}
	for _, a := range b.Alarms {
		if d.Alarm(a.ID) != nil {
			return taken(a.ID)
		}
	}
	return nil
}

// oneCopy is one copy of a template while it is drawn: a branch that has rooms that
// have kits. Topics, rules and alarms go into the batch at once.
type oneCopy struct {
	*core.Batch
	options Options
	place   core.Place // the branch
	flat    bool       // there is none, and one room
	rooms   []*copyRoom
}

type copyRoom struct {
	place core.Place
	kits  []core.Place
}

// at is the name n in the branch.
func (b *oneCopy) at(n topic.Name) topic.Name {
	if b.flat {
		return n
	}
	return b.place.Name + "/" + n
}

func (b *oneCopy) id(id string) topic.ID {
	if b.flat {
		return topic.ID(id)
	}
	return topic.ID(b.place.Name) + "-" + topic.ID(id)
}

// room is a room; of flat topics it is the branch.
func (b *oneCopy) room(id topic.Name, label core.Sentence) *copyRoom {
	r := &copyRoom{place: core.Place{Name: b.at(id), Kind: core.RoomPlace, Label: b.options.Say(label)}}
	if b.flat {
		r.place.Kind = core.BranchPlace
	}
	b.rooms = append(b.rooms, r)
	return r
}

func (b *oneCopy) kit(r *copyRoom, id topic.Name, label string, role core.KitRole, ports ...core.Port) topic.Name {
	n := r.place.Name + "/" + id
	r.kits = append(r.kits, core.Place{Name: n, Kind: core.KitPlace, Label: label, Role: role, Virtual: true, Ports: ports})
	return n
}

// topic designs t at name in the branch.
func (b *oneCopy) topic(name topic.Name, label, text core.Sentence, t core.Topic) topic.Name {
	t.Name, t.Label, t.Text = b.at(name), b.options.Say(label), b.options.Say(text)
	b.Topics = append(b.Topics, t)
	return t.Name
}

func (b *oneCopy) rule(id string, label, text core.Sentence, r core.Rule) {
	r.ID, r.Label, r.Text = b.id(id), b.options.Say(label), b.options.Say(text)
	b.Rules = append(b.Rules, r)
}

func (b *oneCopy) alarm(id string, label core.Sentence, a core.Alarm) {
	a.ID, a.Label = b.id(id), b.options.Say(label)
	b.Alarms = append(b.Alarms, a)
}

// flood calls where a sketch publishes in each loop instead of on a change.
func (b *oneCopy) flood(id string, n topic.Name) {
	b.alarm(id, core.Say("Too many messages"), core.Alarm{Topic: n, Kind: core.AlarmFlood, Limit: 100, Within: 10 * time.Second})
}

func drawStateLED(b *oneCopy) {
	led := b.topic("state_led", core.Say("LED"), core.Say("1 while the button is pressed, 0 while it is not; published only on a change."),
		core.Topic{Kind: core.Boolean, Options: []string{"1", "0"}})
	lab := b.room("lab", core.Say("Lab"))
	b.kit(lab, "board-1", b.options.Say(core.Say("Board with the button")), core.AllKit, core.Port{Slot: "button", Topic: led, Action: core.Publish})
	b.kit(lab, "board-2", b.options.Say(core.Say("Board with the LED")), core.AllKit, core.Port{Slot: "led", Topic: led, Action: core.Subscribe})
	b.flood("state-led-flood", led)
}

// choice is what ESP_Choice decides: the button wins; while nobody ever pressed it
// darkness decides; once it turned the light off, darkness decides again after ten
// minutes, if somebody is there.
const choice = `button || (never(button) || age(button) >= duration("10m") && presence) && brightness < 60`

func drawFourBoards(b *oneCopy) {
	brightness := b.topic("brightness", core.Say("Brightness"), core.Say("How light it is, as a percentage of what the sensor can tell."),
		core.Topic{Kind: core.Number, Description: core.Description{Unit: "%"}, Max: 100, Step: 1, Retain: true})
	button := b.topic("button", core.Say("Button"), core.Say("Each press says the other of the two."),
		core.Topic{Kind: core.Boolean, Options: []string{"turn on", "turn off"}, QoS: 1})
	presence := b.topic("presence", core.Say("Presence"), core.Say("Whether the sensor sees somebody."),
		core.Topic{Kind: core.Boolean, QoS: 1, Retain: true})
	light := b.topic("light", core.Say("Lamp"), core.Say("What the lamp is told to be."),
		core.Topic{Kind: core.Boolean, Options: []string{"On", "Off"}, QoS: 1, Retain: true})
	home := b.room("home", core.Say("Smart home"))
	b.kit(home, "esp-sensor", "ESP_Sensor", core.SensorKit,
		core.Port{Slot: "brightness", Topic: brightness, Action: core.Publish},
		core.Port{Slot: "presence", Topic: presence, Action: core.Publish})
	b.kit(home, "esp-button", "ESP_Button", core.ButtonKit, core.Port{Slot: "button", Topic: button, Action: core.Publish, Toggle: true})
	rule := core.Rule{
		Inputs: []core.Input{{Name: "brightness", Topic: brightness}, {Name: "button", Topic: button}, {Name: "presence", Topic: presence}},
		Then:   []core.Act{{Topic: light, Value: choice}},
	}
	if b.options.OnBoard {
		rule.Kit = b.kit(home, "esp-choice", "ESP_Choice", core.ChoiceKit,
			core.Port{Slot: "brightness", Topic: brightness, Action: core.Subscribe},
			core.Port{Slot: "button", Topic: button, Action: core.Subscribe},
			core.Port{Slot: "presence", Topic: presence, Action: core.Subscribe},
			core.Port{Slot: "light", Topic: light, Action: core.Publish})
	}
	b.kit(home, "esp-light", "ESP_Light", core.LightKit, core.Port{Slot: "light", Topic: light, Action: core.Subscribe})
	b.rule("choice", core.Say("Choice"), core.Say("The button wins. Dark turns the lamp on until somebody turns it off; after ten minutes it may be lit again for who is there."), rule)
	b.flood("brightness-flood", brightness)
}

// parts of the monitoring template: each designs the topic of a kit and returns its port.
func (b *oneCopy) reading(kit topic.Name, property topic.ID, label, text core.Sentence, unit string, least, most, step float64) core.Port {
	return core.Port{Slot: property, Action: core.Publish, Topic: b.topic(kit+"/"+topic.Name(property), label, text,
		core.Topic{Kind: core.Number, Description: core.Description{Unit: unit}, Min: least, Max: most, Step: step, Retain: true})}
}

func (b *oneCopy) contact(kit topic.Name, property topic.ID, label, text core.Sentence, words ...string) core.Port {
	return core.Port{Slot: property, Action: core.Publish, Topic: b.topic(kit+"/"+topic.Name(property), label, text,
		core.Topic{Kind: core.Boolean, Options: words, QoS: 1, Retain: true})}
}

func (b *oneCopy) actor(kit topic.Name, property topic.ID, label, text core.Sentence, t core.Topic) core.Port {
	t.Writable, t.QoS, t.Retain = true, 1, true
	return core.Port{Slot: property, Action: core.Subscribe, Topic: b.topic(kit+"/"+topic.Name(property), label, text, t)}
}

func (b *oneCopy) climate(r *copyRoom, id topic.Name, light bool) (temperature, humidity topic.Name) {
	kit := id + "/climate"
	ports := []core.Port{
		b.reading(kit, "temperature", core.Say("Temperature"), core.Say("Of the air in the room."), "°C", -10, 50, 0.1),
		b.reading(kit, "humidity", core.Say("Humidity"), core.Say("Relative, of the air in the room."), "%", 0, 100, 1),
	}
	if light {
		ports = append(ports, b.reading(kit, "light", core.Say("Light level"), core.Say("How light it is in the room."), "lx", 0, 2000, 1))
	}
	b.kit(r, "climate", b.options.Say(core.Say("Climate")), core.AnyKit, ports...)
	return ports[0].Topic, ports[1].Topic
}

func (b *oneCopy) lamp(r *copyRoom, id topic.Name) topic.Name {
	port := b.actor(id+"/lamp", "light", core.Say("Lamp"), core.Say("Whether the lamp is lit."), core.Topic{Kind: core.Boolean, Options: []string{"On", "Off"}})
	b.kit(r, "lamp", b.options.Say(core.Say("Lamp")), core.LightKit, port)
	return port.Topic
}

func (b *oneCopy) window(r *copyRoom, id topic.Name) topic.Name {
	port := b.contact(id+"/contact", "window", core.Say("Window"), core.Say("Whether the window is open."), "open", "closed")
	b.kit(r, "contact", b.options.Say(core.Say("Window contact")), core.AnyKit, port)
	return port.Topic
}

func (b *oneCopy) power(r *copyRoom, id topic.Name) topic.Name {
	port := b.reading(id+"/meter", "power", core.Say("Power"), core.Say("What is drawn from the mains now."), "W", 0, 5000, 1)
	b.kit(r, "meter", b.options.Say(core.Say("Power meter")), core.AnyKit, port)
	return port.Topic
}

func drawMonitoring(b *oneCopy) {
	living := b.room("living", core.Say("Living room"))
	kitchen := b.room("kitchen", core.Say("Kitchen"))
	bedroom := b.room("bedroom", core.Say("Bedroom"))
	bath := b.room("bath", core.Say("Bathroom"))
	hall := b.room("hall", core.Say("Hall"))

	warm, _ := b.climate(living, "living", true)
	b.lamp(living, "living")
	window := b.window(living, "living")
	wanted := b.actor("living/heating", "setpoint", core.Say("Wanted temperature"), core.Say("What the heating keeps the room at."),
		core.Topic{Kind: core.Number, Description: core.Description{Unit: "°C"}, Min: 5, Max: 30, Step: 0.5})
	b.kit(living, "heating", b.options.Say(core.Say("Heating")), core.AnyKit, wanted)

	b.climate(kitchen, "kitchen", false)
	drawn := b.power(kitchen, "kitchen")

	b.climate(bedroom, "bedroom", true)
	b.window(bedroom, "bedroom")
	b.lamp(bedroom, "bedroom")

	_, damp := b.climate(bath, "bath", false)

	seen := b.contact("hall/motion", "presence", core.Say("Presence"), core.Say("Whether the sensor sees somebody."))
	b.kit(hall, "motion", b.options.Say(core.Say("Motion")), core.SensorKit, seen,
		b.reading("hall/motion", "brightness", core.Say("Brightness"), core.Say("How light it is, as a percentage of what the sensor can tell."), "%", 0, 100, 1))
	door := b.contact("hall/entrance", "door", core.Say("Front door"), core.Say("Whether the door is open."), "open", "closed")
	b.kit(hall, "entrance", b.options.Say(core.Say("Front door")), core.AnyKit, door)
	lit := b.lamp(hall, "hall")
	siren := b.actor("hall/siren", "sound", core.Say("Siren"), core.Say("Whether the siren sounds."), core.Topic{Kind: core.Boolean, Options: []string{"On", "Off"}})
	b.kit(hall, "siren", b.options.Say(core.Say("Siren")), core.AnyKit, siren)

	one := func(name string, n topic.Name) []core.Input { return []core.Input{{Name: name, Topic: n}} }
	b.rule("hall-on", core.Say("Light for who comes in"), core.Say("Somebody in the hall turns the lamp on."),
		core.Rule{Inputs: one("presence", seen.Topic), If: "presence", Then: []core.Act{{Topic: lit, Value: "true"}}})
	b.rule("hall-off", core.Say("Dark when nobody is there"), core.Say("The lamp in the hall goes out after two minutes without anybody."),
		core.Rule{Inputs: one("presence", seen.Topic), If: "!presence", For: 2 * time.Minute, Then: []core.Act{{Topic: lit, Value: "false"}}})
	b.rule("door-open", core.Say("Door left open"), core.Say("The siren sounds when the front door is open for two minutes."),
		core.Rule{Inputs: one("door", door.Topic), If: "door", For: 2 * time.Minute, Then: []core.Act{{Topic: siren.Topic, Value: "true"}}})
	b.rule("door-closed", core.Say("Door closed again"), core.Say("Closing the front door ends the siren."),
		core.Rule{Inputs: one("door", door.Topic), If: "!door", Then: []core.Act{{Topic: siren.Topic, Value: "false"}}})
	b.rule("window-open", core.Say("No heating out of the window"), core.Say("An open window turns the heating down to 12 °C."),
		core.Rule{Inputs: one("window", window), If: "window", For: time.Minute, Then: []core.Act{{Topic: wanted.Topic, Value: "12"}}})

	b.alarm("living-silent", core.Say("Thermometer is silent"), core.Alarm{Topic: warm, Kind: core.AlarmSilent, Within: time.Minute})
	b.alarm("living-hot", core.Say("Too warm"), core.Alarm{Topic: warm, Kind: core.AlarmAbove, Limit: 30, Clear: 2})
	b.alarm("bath-damp", core.Say("Too damp"), core.Alarm{Topic: damp, Kind: core.AlarmAbove, Limit: 80, Clear: 10, For: 5 * time.Minute})
	b.alarm("kitchen-power", core.Say("Much power"), core.Alarm{Topic: drawn, Kind: core.AlarmAbove, Limit: 3500, Clear: 200, For: 10 * time.Second})
	b.alarm("door-alarm", core.Say("Front door is open"), core.Alarm{Topic: door.Topic, Kind: core.AlarmEquals, Word: "open", For: 2 * time.Minute})
}

func drawEmptyHome(b *oneCopy) {
	b.room("living", core.Say("Living room"))
	b.room("kitchen", core.Say("Kitchen"))
	b.room("bedroom", core.Say("Bedroom"))
}

// Sizes of a drawing, in units of the canvas.
const (
	tileWidth  = 216.0
	tileHead   = 64.0 // of a kit: picture and name
	portHeight = 24.0
	roomHead   = 56.0
	roomGap    = 32.0 // between kits, and to the walls
	wireGap    = 96.0 // between kits that wires join
	roomWidth  = 320.0
	roomHeight = 240.0
	houseHead  = 64.0
	houseGap   = 32.0 // between rooms, and to the border of the branch
	townGap    = 64.0 // between branches
)

// box is an area of the canvas.
type box struct{ x, y, w, h float64 }

func (a box) overlaps(b box) bool {
	return a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h
}

func (a box) around(b box) box {
	if a == (box{}) {
		return b
	}
	x, y := min(a.x, b.x), min(a.y, b.y)
	return box{x, y, max(a.x+a.w, b.x+b.w) - x, max(a.y+a.h, b.y+b.h) - y}
}

// area is where p is drawn; what nobody has drawn yet takes what is usual.
func area(p core.Place) box {
	b := box{p.X, p.Y, p.W, p.H}
	switch {
	case p.Kind == core.KitPlace:
		b.w, b.h = tileWidth, tileHead+portHeight*float64(len(p.Ports))
	case b.w <= 0 || b.h <= 0:
		b.w, b.h = roomWidth, roomHeight
	}
	return b
}

// furnish puts the kits of a room where values flow from left to right: those that
// publish, those that decide, those that obey. Where all do the same, they are put
// in rows. It makes the room as large as they need.
func (r *copyRoom) furnish() {
	var flow [3][]int
	for i, k := range r.kits {
		side := sideOf(k)
		flow[side] = append(flow[side], i)
	}
	right, bottom := 0.0, roomHead
	columns := 0
	for _, kits := range flow {
		if len(kits) == 0 {
			continue
		}
		x, y := roomGap+float64(columns)*(tileWidth+wireGap), roomHead
		for _, i := range kits {
			r.kits[i].X, r.kits[i].Y = x, y
			y += area(r.kits[i]).h + roomGap
		}
		right, bottom = x+tileWidth, max(bottom, y)
		columns++
	}
	if columns < 2 {
		right, bottom = r.rows()
	}
	r.place.W, r.place.H = max(roomWidth, right+roomGap), max(roomHeight, bottom)
}

// sideOf tells whether a kit only publishes, 0, only reads, 2, or both.
func sideOf(k core.Place) int {
	var out, in bool
	for _, p := range k.Ports {
		out, in = out || p.Action == core.Publish, in || p.Action == core.Subscribe
	}
	switch {
	case !in:
		return 0
	case !out:
		return 2
	}
	return 1
}

// rows puts the kits of a room in rows, and returns where they end.
func (r *copyRoom) rows() (right, bottom float64) {
	columns := min(len(r.kits), 2)
	if len(r.kits) > 4 {
		columns = 3
	}
	bottom = roomHead
	for i := 0; i < len(r.kits); i += columns {
		row := r.kits[i:min(i+columns, len(r.kits))]
		tall := 0.0
		for j := range row {
			row[j].X, row[j].Y = roomGap+float64(j)*(tileWidth+roomGap), bottom
			right, tall = max(right, row[j].X+tileWidth), max(tall, area(row[j]).h)
		}
		bottom += tall + roomGap
	}
	return right, bottom
}

// build puts the rooms of a branch in rows of the same width from y on, and
// returns where they end.
func (b *oneCopy) build(y, width float64) (right, bottom float64) {
	columns := len(b.rooms)
	if columns > 3 {
		columns = int(math.Ceil(math.Sqrt(float64(len(b.rooms)))))
	}
	for r := range slices.Chunk(b.rooms, columns) {
		w := houseGap * float64(len(r)-1)
		for _, room := range r {
			room.furnish()
			w += room.place.W
		}
		width = max(width, w)
	}
	bottom = y
	for row := range slices.Chunk(b.rooms, columns) {
		w, h := houseGap*float64(len(row)-1), 0.0
		for _, room := range row {
			w, h = w+room.place.W, max(h, room.place.H)
		}
		x := houseGap
		for _, room := range row {
			room.place.X, room.place.Y, room.place.H = x, bottom, h
			room.place.W += math.Floor((width - w) / float64(len(row))) // the rows end together, as walls do
			x += room.place.W + houseGap
		}
		bottom += h + houseGap
	}
	return houseGap + width + houseGap, bottom
}

// layOut gives every oneCopy its place on the canvas, over nothing that d draws.
func layOut(d *core.Design, copies []*oneCopy) {
	var there []box
	town := box{}
	growing := map[topic.Name]bool{}
	for _, b := range copies {
		growing[b.place.Name] = !b.flat && d.Place(b.place.Name) != nil
	}
	for _, p := range d.Places {
		if p.Kind == core.BranchPlace && !growing[p.Name] {
			there, town = append(there, area(*p)), town.around(area(*p))
		}
	}
	var homeless []*oneCopy
	for _, b := range copies {
		if b.flat {
			room := b.rooms[0]
			room.furnish()
			b.place.W, b.place.H = room.place.W, room.place.H
			homeless = append(homeless, b)
			continue
		}
		old := d.Place(b.place.Name)
		y, width := houseHead, 0.0
		if old != nil {
			b.place = *old
			for _, p := range d.Places {
				if parent, ok := above(p.Name); ok && parent == old.Name {
					y = max(y, area(*p).y+area(*p).h+houseGap)
				}
			}
			width = area(*old).w - 2*houseGap
		}
		w, h := b.build(y, max(width, 0))
		b.place.W, b.place.H = w, h
		if old == nil || slices.ContainsFunc(there, area(b.place).overlaps) {
			homeless = append(homeless, b)
			continue
		}
		there, town = append(there, area(b.place)), town.around(area(b.place))
	}
	if len(homeless) == 0 {
		return
	}
	x0, y0 := 0.0, 0.0
	switch {
	case len(there) == 0:
	case town.w > town.h*1.6: // as a screen is
		x0, y0 = town.x, town.y+town.h+townGap
	default:
		x0, y0 = town.x+town.w+townGap, town.y
	}
	columns := int(math.Ceil(math.Sqrt(float64(len(homeless)))))
	widths := make([]float64, columns)
	for i, b := range homeless {
		widths[i%columns] = max(widths[i%columns], b.place.W)
	}
	y := y0
	for row := range slices.Chunk(homeless, columns) {
		x, tall := x0, 0.0
		for i, b := range row {
			b.place.X, b.place.Y = x, y
			if b.flat {
				b.rooms[0].place.X, b.rooms[0].place.Y = x, y
			}
			x, tall = x+widths[i]+townGap, max(tall, b.place.H)
		}
		y += tall + townGap
	}
}

// above returns the name that n is directly in, if there is one.
func above(n topic.Name) (topic.Name, bool) {
	for i := len(n) - 1; i >= 0; i-- {
		if n[i] == '/' {
			return n[:i], true
		}
	}
	return "", false
}

// last is the last level of n.
func last(n topic.Name) topic.Name {
	if parent, ok := above(n); ok {
		return n[len(parent)+1:]
	}
	return n
}

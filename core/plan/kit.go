package plan

import (
	"cmp"
	"strings"

	"homeroom/core"
	"homeroom/core/topic"
)

// slot is a part that kits of a role have.
type slot struct {
	id     topic.ID
	action core.Action
}

// PartTopic returns what the topic of a part is usually like, without a name; say
// translates its display name.
func PartTopic(part topic.ID, say func(core.Sentence) string) core.Topic {
	t := core.Topic{Kind: core.Boolean, QoS: 1, Retain: true}
	switch part {
	case "light":
		t.Label, t.Writable = say(core.Say("Lamp")), true
	case "led":
		t.Label, t.Writable = "LED", true
	case "brightness":
		t.Label, t.Unit, t.Kind, t.Max, t.Step = say(core.Say("Brightness")), "%", core.Number, 100, 1
	case "presence":
		t.Label = say(core.Say("Presence"))
	case "button":
		t.Label = say(core.Say("Button"))
	default:
		t.Kind = core.Text
	}
	return t
}

// slots returns the parts that a kit of the role is made with.
func slots(r core.KitRole) []slot {
	switch r {
	case core.LightKit:
		return []slot{{"light", core.Subscribe}}
	case core.SensorKit:
		return []slot{{"brightness", core.Publish}, {"presence", core.Publish}}
	case core.ButtonKit:
		return []slot{{"button", core.Publish}}
	case core.ChoiceKit: // reads what the others publish
		return []slot{{"brightness", core.Subscribe}, {"button", core.Subscribe}, {"presence", core.Subscribe}, {"light", core.Publish}}
	case core.AllKit:
		return []slot{{"button", core.Publish}, {"led", core.Subscribe}, {"brightness", core.Publish}, {"presence", core.Publish}}
	}
	return nil
}

// DrawKit returns a change that draws kit with the parts of its role and their
// topics. What it would share with the kits around it, such as the brightness that
// a choice board reads, it shares. Nothing is checked; say translates display names.
func DrawKit(d *core.Design, kit core.Place, say func(core.Sentence) string) core.Batch {
	place, _ := above(kit.Name)
	kit.Kind = core.KitPlace
	b := core.Batch{Say: core.Say("{name} added", "name", kit.Name)}
	for _, s := range slots(kit.Role) {
		port := core.Port{Slot: s.id, Action: s.action, Topic: kit.Name + "/" + topic.Name(s.id)}
		near, found := topic.Name(""), false
		if kit.Role == core.ChoiceKit {
			near, found = nearest(d, place, s)
		}
		if found {
			port.Topic = near
		} else {
			t := PartTopic(s.id, say)
			t.Name = port.Topic
			if s.action == core.Publish { // nobody commands what a kit is the source of
				t.Writable = false
			}
			b.Topics = append(b.Topics, t)
		}
		kit.Ports = append(kit.Ports, port)
	}
	b.Places = []core.Place{kit}
	return b
}

// nearest returns the topic of the first kit in the room, or else in the branch,
// whose port is the other end of s.
func nearest(d *core.Design, place topic.Name, s slot) (topic.Name, bool) {
	branch, _, _ := strings.Cut(string(place), "/")
	for _, around := range []topic.Name{place, topic.Name(branch)} {
		for _, p := range d.Places {
			if p.Kind != core.KitPlace || around != "" && !core.Within(p.Name, around) {
				continue
			}
			for _, port := range p.Ports {
				lit := s.id == "light" && port.Slot == "led"
				if port.Action != s.action && (port.Slot == s.id || lit) && d.Topic(port.Topic) != nil {
					return port.Topic, true
				}
			}
		}
	}
	return "", false
}

// Furnish returns a change that draws what is missing for a kit at name: its
// branch, its room, and the kit itself with the account. What is there already
// stays as it is. It fails with core.ErrInvalid where the name is not that of a kit
// in a room or branch, and with core.ErrConflict where something else has it.
func Furnish(d *core.Design, kit core.Place, say func(core.Sentence) string) (core.Batch, error) {
	levels := kit.Name.Split()
	if len(levels) < 2 || len(levels) > 3 {
		return core.Batch{}, core.Fail(core.ErrInvalid, "{name} is not in a room. Choose a team and a room for the kit.", "name", cmp.Or(short(kit.Name), "?"))
	}
	for _, l := range levels {
		if _, err := topic.ParseID(l); err != nil {
			return core.Batch{}, core.Fail(core.ErrInvalid, "{name} cannot be a name. Use a-z, 0-9 and -, at most {max} characters.", "name", short(topic.Name(l)), "max", topic.MaxID)
		}
	}
	b := DrawKit(d, kit, say)
	var around []core.Place
	for i, kind := range []core.PlaceKind{core.BranchPlace, core.RoomPlace}[:len(levels)-1] {
		n := topic.Name(strings.Join(levels[:i+1], "/"))
		switch p := d.Place(n); {
		case p == nil:
			around = append(around, core.Place{Name: n, Kind: kind})
		case p.Kind == core.KitPlace:
			return core.Batch{}, core.Fail(core.ErrConflict, "{name} is a kit. Choose a room.", "name", n)
		}
	}
	if d.Place(kit.Name) != nil {
		return core.Batch{}, core.Fail(core.ErrConflict, "{name} is there already. Choose another name.", "name", kit.Name)
	}
	b.Places = append(around, b.Places...)
	return b, nil
}

package plan

import (
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// end is a port that a wire can begin or end at: of a kit, or of a topic that is
// no kit's.
type end struct {
	kit    topic.Name // "" is a topic that is no kit's
	slot   topic.ID   // "" where the kit has no port for the topic
	topic  topic.Name
	action core.Action
}

// endOf returns the end at a topic: with slot that of the kit's port.
func endOf(d *core.Design, kit topic.Name, s topic.ID, n topic.Name) end {
	e := end{kit: kit, slot: s, topic: n, action: core.Publish}
	if p := d.Place(kit); p != nil {
		for _, port := range p.Ports {
			if port.Slot == s && port.Topic == n {
				e.action = port.Action
			}
		}
	}
	return e
}

// direct returns the change that joins two ends by one topic without a rule, and
// the topic: the kit that reads now reads what the other publishes, or the kit
// that publishes now commands what the other obeys. ok is false where that makes
// no sense.
func direct(d *core.Design, a, b end) (batch core.Batch, n topic.Name, ok bool) {
	if a.action == core.Subscribe && (b.action == core.Publish || b.kit == "") {
		a, b = b, a
	}
	switch {
	case a.topic == b.topic:
		return core.Batch{}, "", false
	case a.kit != "" && a.slot != "" && (b.kit == "" || b.action == core.Subscribe && owns(d, b)):
		batch, ok = plug(d, a, b.topic)
		return batch, b.topic, ok
	case b.kit != "" && b.slot != "" && b.action == core.Subscribe:
		batch, ok = plug(d, b, a.topic)
		return batch, a.topic, ok
	}
	return core.Batch{}, "", false
}

// owns reports whether the topic of e is the kit's own and takes commands.
func owns(d *core.Design, e end) bool {
	t := d.Topic(e.topic)
	return t != nil && t.Writable && core.Within(e.topic, e.kit)
}

// plug gives the port at e another topic. The topic that it had goes too, if it
// was the kit's own and nobody else's.
func plug(d *core.Design, e end, n topic.Name) (core.Batch, bool) {
	p := d.Place(e.kit)
	if p == nil {
		return core.Batch{}, false
	}
	c := *p
	c.Ports = append([]core.Port(nil), p.Ports...)
	found := false
	for i := range c.Ports {
		if c.Ports[i].Slot == e.slot && c.Ports[i].Topic == e.topic && c.Ports[i].Action == e.action {
			c.Ports[i].Topic, found = n, true
		}
	}
	batch := core.Batch{Say: core.Say("{name} connected with {topic}", "name", p.Title(), "topic", n), Places: []core.Place{c}}
	if core.Within(e.topic, e.kit) && d.Topic(e.topic) != nil && !wanted(d, e.topic, e.kit) {
		batch.RemoveTopics = []topic.Name{e.topic}
	}
	return batch, found
}

// unplug returns the change that takes a wire away: the kit at e has a topic of
// its own again.
func unplug(d *core.Design, e end) (core.Batch, bool) {
	p := d.Place(e.kit)
	if p == nil || core.Within(e.topic, e.kit) {
		return core.Batch{}, false
	}
	own := e.kit + "/" + topic.Name(e.slot)
	batch, ok := plug(d, e, own)
	if old := d.Topic(e.topic); ok && old != nil && d.Topic(own) == nil {
		t := *old
		t.Name, t.Changed = own, time.Time{}
		batch.Topics = []core.Topic{t}
	}
	batch.Say = core.Say("{name} disconnected from {topic}", "name", p.Title(), "topic", e.topic)
	return batch, ok
}

// wanted reports whether anything but a kit's one port has to do with a topic.
func wanted(d *core.Design, n, kit topic.Name) bool {
	ports := 0
	for _, p := range d.Places {
		for _, port := range p.Ports {
			if port.Topic == n {
				if p.Name != kit {
					return true
				}
				ports++
			}
		}
	}
	return ports > 1 || len(rulesOn(d, n)) > 0 || len(alarmsOn(d, n)) > 0
}

// rulesOn returns the rules that read or command something at or below n, or
// that a kit there runs.
func rulesOn(d *core.Design, n topic.Name) []*core.Rule {
	var rs []*core.Rule
	for _, r := range d.Rules {
		on := r.Kit != "" && core.Within(r.Kit, n)
		for _, i := range r.Inputs {
			on = on || core.Within(i.Topic, n)
		}
		for _, a := range r.Then {
			on = on || core.Within(a.Topic, n)
		}
		if on {
			rs = append(rs, r)
		}
	}
	return rs
}

// alarmsOn returns the alarms that watch something at or below n.
func alarmsOn(d *core.Design, n topic.Name) []*core.Alarm {
	var as []*core.Alarm
	for _, a := range d.Alarms {
		if core.Within(a.Topic, n) {
			as = append(as, a)
		}
	}
	return as
}

package sim

import "homeroom/core/topic"

const (
	darkBelow = 60             // percent of brightness
	offFor    = 10 * 60 * 1000 // ms after which somebody who is there gets light again
)

// choice decides about a light. It is the rule
//
//	button || (never(button) || age(button) >= duration("10m") && presence) && brightness < 60
//
// on a board of its own, where age is the time since the value became another.
type choice struct {
	hold       uint32
	any        bool // something was heard
	seen       bool // brightness was
	brightness float64
	presence   bool
	pressed    bool // the button was heard
	button     bool
	since      uint32 // of button; while long is not set
	long       bool   // that is hold ago, also when the clock wrapped since
}

// heard takes a value of an input; changed says that it is another than before.
func (c *choice) heard(slot topic.ID, p *port, changed bool, now uint32) {
	c.any = true
	switch slot {
	case "brightness":
		c.seen, c.brightness = true, p.num
	case "presence":
		c.presence = p.on
	case "button":
		if changed {
			c.since, c.long = now, false
		}
		c.pressed, c.button = true, p.on
	}
}

// decide returns the answer, once there is something to decide from.
func (c *choice) decide(now uint32) (on, ok bool) {
	if c.pressed && now-c.since >= c.hold {
		c.long = true
	}
	dark := c.seen && c.brightness < darkBelow
	return c.button || (!c.pressed || c.long && c.presence) && dark, c.any
}

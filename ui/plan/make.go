package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// shift is how far a copy is drawn from what it is a copy of.
const shift = 24

// maker makes what is new in a design: names that are free, kits with their
// topics, copies. It changes nothing; what it makes becomes a Batch.
type maker struct {
	d    *core.Design
	used map[string]bool // names that are made, and IDs of accounts
}

func newMaker(d *core.Design, accounts []core.Account) *maker {
	m := &maker{d, map[string]bool{}}
	for _, a := range accounts {
		m.used[account(a.Name)] = true
	}
	for _, p := range d.Places {
		m.used[account(p.Account)] = true
	}
	return m
}

// account is the key in used of an account's name.
func account(id topic.ID) string { return "account " + string(id) }

// last returns the last level of n.
func last(n topic.Name) string { return string(n[strings.LastIndexByte(string(n), '/')+1:]) }

// parent returns n without its last level; "" of a flat name.
func parent(n topic.Name) topic.Name {
	return n[:max(0, strings.LastIndexByte(string(n), '/'))]
}

// titleAt is what the place with that name is called.
func titleAt(d *core.Design, n topic.Name) string {
	if p := d.Place(n); p != nil {
		return p.Title()
	}
	return last(n)
}

// join puts a level below a place; below "" is flat.
func join(place topic.Name, level string) topic.Name {
	if place == "" {
		return topic.Name(level)
	}
	return place + "/" + topic.Name(level)
}

// rebase returns the name that n, which is at or below from, has at to.
func rebase(n, from, to topic.Name) topic.Name { return to + n[len(from):] }

// name returns a free name below a place, such as base or base-2, and takes it.
func (m *maker) name(place topic.Name, base string) topic.Name {
	stem := base
	if at := strings.LastIndexByte(base, '-'); at > 0 {
		if _, err := strconv.Atoi(base[at+1:]); err == nil {
			stem = base[:at]
		}
	}
	level := base
	for i := 2; ; i++ {
		n := join(place, level)
		if !m.used[string(n)] && m.d.Place(n) == nil && m.d.Topic(n) == nil && !m.begins(n) {
			m.used[string(n)] = true
			return n
		}
		level = fmt.Sprintf("%s-%d", stem, i)
	}
}

// account returns a free name for the account of a kit, and takes it.
func (m *maker) account(kit topic.Name) topic.ID {
	id := m.d.AccountFor(kit, func(id topic.ID) bool { return m.used[account(id)] })
	m.used[account(id)] = true
	return id
}

// begins reports whether something is designed below n.
func (m *maker) begins(n topic.Name) bool {
	at, _ := slices.BinarySearchFunc(m.d.Topics, n+"/", func(t *core.Topic, n topic.Name) int { return strings.Compare(string(t.Name), string(n)) })
	return at < len(m.d.Topics) && core.Within(m.d.Topics[at].Name, n)
}

// room returns a new room in a branch; in "" a new branch.
func (m *maker) room(branch topic.Name) (core.Batch, item) {
	p := core.Place{Name: m.name(branch, "room-1"), Kind: core.RoomPlace}
	if branch == "" {
		p = core.Place{Name: m.name("", "house-1"), Kind: core.BranchPlace}
	}
	return core.Batch{Say: core.Say("{name} drawn", "name", p.Name), Places: []core.Place{p}}, item{place: p.Name}
}

// kit returns a place for a new virtual kit in a room or branch.
func (m *maker) kit(role core.KitRole, place topic.Name, x, y float64) core.Place {
	n := m.name(place, "kit-1")
	return core.Place{Name: n, Role: role, Account: m.account(n), Virtual: true, X: x, Y: y}
}

// outermost returns what is chosen without what is within something else that is.
func outermost(items []item) []item {
	var out []item
	for _, i := range items {
		inside := slices.ContainsFunc(items, func(j item) bool {
			return j != i && core.Within(i.name(), j.name()) && (j.name() != i.name() || j.place != "")
		})
		if !inside && !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	return out
}

// copies returns copies of items of the design from, with everything in them,
// and what to choose then. They go to where they are from, or, where into is
// given, there as far as it takes them: a kit does not take a room.
func (m *maker) copies(from *core.Design, items []item, into *core.Place) (core.Batch, []item) {
	var b core.Batch
	var made []item
	to := map[topic.Name]topic.Name{} // of the items, by the name that each is a copy of
	for _, i := range outermost(items) {
		n := i.name()
		kind := core.PlaceKind("")
		if p := from.Place(i.place); i.place != "" && p != nil {
			kind = p.Kind
		}
		at := m.target(parent(n), kind, into)
		to[n] = m.name(at, last(n))
		made = append(made, item{place: i.place, topic: i.topic})
		if i.place != "" {
			made[len(made)-1].place = to[n]
		} else {
			made[len(made)-1].topic = to[n]
		}
	}
	for _, p := range from.Places {
		n, ok := copied(to, p.Name)
		if !ok {
			continue
		}
		c := *p
		c.Name = n
		c.Changed = time.Time{}
		if c.Kind == core.KitPlace {
			c.Account, c.Virtual = m.account(n), true // the board on the table is one
		}
		if slices.Contains(made, item{place: n}) && parent(n) == parent(p.Name) && (c.X != 0 || c.Y != 0) {
			c.X, c.Y = c.X+shift, c.Y+shift
		}
		c.Ports = slices.Clone(c.Ports)
		for k := range c.Ports {
			if t, ok := copied(to, c.Ports[k].Topic); ok {
				c.Ports[k].Topic = t
			}
		}
		b.Places = append(b.Places, c)
	}
	for _, t := range from.Topics {
		if n, ok := copied(to, t.Name); ok {
			c := *t
			c.Name = n
			c.Changed = time.Time{}
			b.Topics = append(b.Topics, c)
		}
	}
	m.rules(from, to, &b)
	b.Say = core.Say("{n} things copied", "n", len(made))
	if len(made) == 1 {
		b.Say = core.Say("{name} copied", "name", outermost(items)[0].name())
	}
	return b, made
}

// rules copies the rules and alarms that are about what is copied and nothing else.
func (m *maker) rules(from *core.Design, to map[topic.Name]topic.Name, b *core.Batch) {
	for _, r := range from.Rules {
		c, all := *r, len(r.Inputs)+len(r.Then) > 0
		c.Inputs, c.Then = slices.Clone(r.Inputs), slices.Clone(r.Then)
		for i := range c.Inputs {
			n, ok := copied(to, c.Inputs[i].Topic)
			c.Inputs[i].Topic, all = n, all && ok
		}
		for i := range c.Then {
			n, ok := copied(to, c.Then[i].Topic)
			c.Then[i].Topic, all = n, all && ok
		}
		if c.Kit != "" {
			n, ok := copied(to, c.Kit)
			c.Kit, all = n, all && ok
		}
		if all {
			c.ID, c.Changed = m.id(c.ID, func(id topic.ID) bool { return m.d.Rule(id) != nil }), time.Time{}
			b.Rules = append(b.Rules, c)
		}
	}
	for _, a := range from.Alarms {
		if n, ok := copied(to, a.Topic); ok {
			c := *a
			c.Topic, c.Changed = n, time.Time{}
			c.ID = m.id(c.ID, func(id topic.ID) bool { return m.d.Alarm(id) != nil })
			b.Alarms = append(b.Alarms, c)
		}
	}
}

// id returns a free ID like base.
func (m *maker) id(base topic.ID, taken func(topic.ID) bool) topic.ID {
	for i := 2; ; i++ {
		id := topic.ID(fmt.Sprintf("%s-%d", base, i))
		if len(id) > topic.MaxID {
			base = base[:topic.MaxID-8]
			continue
		}
		if key := "id " + string(id); !taken(id) && !m.used[key] {
			m.used[key] = true
			return id
		}
	}
}

// copied returns the name that n has in the copy, if it is in it.
func copied(to map[topic.Name]topic.Name, n topic.Name) (topic.Name, bool) {
	for at := n; ; {
		if c, ok := to[at]; ok {
			return rebase(n, at, c), true
		}
		up := parent(at)
		if up == "" {
			return "", false
		}
		at = up
	}
}

// target returns where a copy of something of the kind goes; "" is a topic.
func (m *maker) target(was topic.Name, kind core.PlaceKind, into *core.Place) topic.Name {
	switch {
	case into == nil || kind == core.BranchPlace:
	case kind == core.RoomPlace:
		branch, _, _ := strings.Cut(string(into.Name), "/")
		return topic.Name(branch)
	case kind == core.KitPlace && into.Kind == core.KitPlace:
		return parent(into.Name)
	default:
		return into.Name
	}
	return was
}

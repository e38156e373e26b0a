package xray

import (
	"slices"
	"strconv"
	"sync"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// Bounds of what the screen shows and keeps.
const (
	maxRows    = 500
	maxParties = 200 // clients that are told apart
	maxLines   = 6   // lifelines
)

// party is a client that takes part.
type party struct {
	client    string
	publishes bool
}

// model is what the screen knows. Load fills it away from the UI goroutine.
type model struct {
	mu      sync.Mutex
	read    uint64        // guarded by mu; number of the newest packet read
	packets []core.Packet // guarded by mu; the newest, oldest first; replaced, never changed in place
	total   uint64        // guarded by mu; packets of this watch so far
	parties []party       // guarded by mu; in order of their first packets; replaced, never changed in place
	watch   core.Watch    // guarded by mu; what is recorded; zero is nothing
	of      core.Watch    // guarded by mu; what packets belong to
}

// state is the model at one moment.
type state struct {
	packets   []core.Packet
	total     uint64
	parties   []party
	watch, of core.Watch
}

func (m *model) snapshot() state {
	m.mu.Lock()
	defer m.mu.Unlock()
	return state{m.packets, m.total, m.parties, m.watch, m.of}
}

// watchFor starts or, for the zero Watch, stops recording.
func (m *model) watchFor(b Broker, w core.Watch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b.Watch(w)
	if m.watch = w; w != (core.Watch{}) {
		m.of = w
		m.forget()
	}
}

// clear forgets what was seen up to now.
func (m *model) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget()
}

// forget is clear with m.mu held.
func (m *model) forget() { m.packets, m.parties, m.total = nil, nil, 0 }

// load takes in what came since the last time.
func (m *model) load(b Broker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watch = b.Watching(); m.watch != (core.Watch{}) {
		m.of = m.watch
	}
	ps, missed := b.Packets(m.read)
	if len(ps) == 0 {
		return
	}
	m.read = ps[len(ps)-1].N
	m.total += missed + uint64(len(ps))
	old := m.packets
	if len(ps) > maxRows {
		ps, old = ps[len(ps)-maxRows:], nil
	}
	old = old[max(0, len(old)+len(ps)-maxRows):]
	m.packets = slices.Concat(old, ps)
	m.parties = slices.Clone(m.parties)
	for _, p := range ps {
		i := slices.IndexFunc(m.parties, func(x party) bool { return x.client == p.Client })
		if i < 0 && len(m.parties) < maxParties {
			i = len(m.parties)
			m.parties = append(m.parties, party{client: p.Client})
		}
		if i >= 0 && p.In && p.Type == "PUBLISH" {
			m.parties[i].publishes = true
		}
	}
}

// picture returns what the diagram shows of s.
func picture(s state) (lines []widget.Lifeline, rows []widget.Arrow) {
	left, right, others := places(s)
	at := map[string]int{}
	for i, c := range left {
		at[c] = i
		lines = append(lines, widget.Lifeline{Title: brief(c)})
	}
	broker := len(lines)
	lines = append(lines, widget.Lifeline{Title: lang.L("Broker"), Hub: true})
	for _, c := range right {
		at[c] = len(lines)
		lines = append(lines, widget.Lifeline{Title: brief(c)})
	}
	if others > 0 {
		lines = append(lines, widget.Lifeline{Title: lang.L("and {n} more", "n", others)})
	}
	flows := flowsOf(s.packets)
	for i, p := range s.packets {
		place, known := at[p.Client]
		if !known {
			place = len(lines) - 1
		}
		a := arrow(p)
		if a.Flow = flows[i]; !known {
			a.Text = brief(p.Client) + "  " + a.Text
		}
		if a.From, a.To = broker, place; p.In {
			a.From, a.To = place, broker
		}
		rows = append(rows, a)
	}
	return lines, rows
}

// places returns who stands left of the broker, who right of it, and how many
// have no lifeline of their own. Publishers are left.
func places(s state) (left, right []string, others int) {
	if s.of.Client != "" {
		return []string{s.of.Client}, nil, 0
	}
	for _, p := range s.parties {
		if p.publishes {
			left = append(left, p.client)
		} else {
			right = append(right, p.client)
		}
	}
	const room = maxLines - 1 // beside the broker
	if others = max(0, len(left)+len(right)-room); others > 0 {
		others++ // one lifeline is for them
		left = left[:min(len(left), max(2, room-1-len(right)))]
		right = right[:min(len(right), room-1-len(left))]
	}
	slices.SortFunc(left, widget.Natural)
	slices.SortFunc(right, widget.Natural)
	return left, right, others
}

// exchange is a packet identifier in use.
type exchange struct {
	client string
	in     bool // the client sends the PUBLISH
	id     uint16
}

// flowsOf returns for each packet the number of the QoS 1 or 2 flow to which it
// belongs, or 0.
func flowsOf(ps []core.Packet) []int {
	flows, open, last := make([]int, len(ps)), map[exchange]int{}, 0
	for i, p := range ps {
		key := exchange{p.Client, p.In, p.ID}
		switch p.Type {
		case "PUBLISH":
			if p.QoS == 0 {
				continue
			}
			if !p.Dup {
				delete(open, key)
			}
		case "PUBREL":
		case "PUBACK", "PUBREC", "PUBCOMP":
			key.in = !key.in
		default:
			continue
		}
		if open[key] == 0 {
			last++
			open[key] = last
		}
		flows[i] = open[key]
		if p.State == "done" {
			delete(open, key)
		}
	}
	return flows
}

// arrow returns how p is drawn, but for its lifelines and its flow.
func arrow(p core.Packet) widget.Arrow {
	a := widget.Arrow{Key: p.N, At: p.At, Title: title(p), Text: about(p), Tail: size(p.Size), Again: p.Dup, Ends: p.State == "done", Bad: refused(p)}
	switch {
	case p.Type == "PUBLISH" && p.QoS == 0:
		a.Form = widget.ArrowThin
	case p.State == "":
		a.Form = widget.ArrowDashed
	case p.QoS == 1:
		a.Form = widget.ArrowPair
	default:
		a.Form = widget.ArrowFour
	}
	a.State = outcome(p)
	return a
}

// title is the packet's name, as it stands over its arrow.
func title(p core.Packet) string {
	s := p.Type
	if p.ID > 0 {
		s += " #" + strconv.Itoa(int(p.ID))
	}
	if p.Dup {
		s += " · DUP"
	}
	if p.Type == "PUBLISH" {
		s += " · " + lang.L("QoS {n}", "n", p.QoS)
	}
	if p.Retain {
		s += " · " + lang.L("retained")
	}
	return s
}

// about is the packet's topic or its filters.
func about(p core.Packet) string {
	if n, ok := alias(p); ok {
		return lang.L("topic alias {n}", "n", n)
	}
	return brief(p.Topic)
}

// alias returns the topic alias that the packet has in place of a topic that is
// not known.
func alias(p core.Packet) (n string, ok bool) {
	if p.Type != "PUBLISH" || len(p.Topic) < 2 || p.Topic[0] != '#' {
		return "", false
	}
	return p.Topic[1:], true
}

// brief is text from outside on one line.
func brief(text string) string {
	if text == "" {
		return ""
	}
	return widget.OneLine(text)
}

func size(n int) string {
	if n < 1000 {
		return lang.L("{n} B", "n", n)
	}
	return widget.Bytes(int64(n))
}

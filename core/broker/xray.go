package broker

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// Bounds of the packet record and of what is remembered to fill it.
const (
	maxSeen        = 2_000   // packets
	maxSeenBytes   = 2 << 20 // about what they take
	perSeen        = 256     // bytes of one beside its texts
	maxExchanges   = 4_096   // packet identifiers that are followed
	maxSeenAliases = 1_024   // topic aliases that are remembered
	seenPayload    = 256     // bytes of a payload
	seenFilters    = 256     // of a SUBSCRIBE
)

// xray records the packets of a client, or those that concern a topic, as they
// are on the wire. While nothing is watched it costs one atomic load a packet.
type xray struct {
	feed  *core.Feed
	watch atomic.Pointer[core.Watch] // nil while nothing is watched

	mu        sync.Mutex
	packets   []core.Packet       // guarded by mu; oldest first, N without gaps
	bytes     int                 // guarded by mu; that packets take
	n, floor  uint64              // guarded by mu; N of the newest, and N before the first of this watch
	exchanges map[exchange]byte   // guarded by mu; type of the packet that began what is followed
	aliases   map[aliasKey]string // guarded by mu
}

// seen says on whose connection a packet was seen.
type seen struct {
	client  string // MQTT Client Identifier; "" before it is known
	account core.AccountID
	version byte   // of the protocol: 3, 4 or 5
	branch  string // that it is mounted in, or ""
}

// exchange is a packet identifier in use: by one side of a client's session.
type exchange struct {
	client string
	in     bool // the client began it
	id     uint16
}

type aliasKey struct {
	client string
	in     bool
	alias  uint16
}

func newXray(feed *core.Feed) *xray { return &xray{feed: feed} }

// on reports whether anything is watched.
func (x *xray) on() bool { return x.watch.Load() != nil }

// Watch records what w chooses from now on, and forgets what was recorded. The
// zero Watch stops recording and forgets nothing.
func (x *xray) Watch(w core.Watch) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.exchanges, x.aliases = map[exchange]byte{}, map[aliasKey]string{}
	if w == (core.Watch{}) {
		x.watch.Store(nil)
	} else {
		x.packets, x.bytes, x.floor = nil, 0, x.n
		x.watch.Store(&w)
	}
	x.feed.Tell(core.PacketsChanged)
}

// Watching returns what is recorded at present.
func (x *xray) Watching() core.Watch {
	if w := x.watch.Load(); w != nil {
		return *w
	}
	return core.Watch{}
}

// Packets returns the packets after number after that are still kept, oldest
// first, and how many of this watch are not. The caller owns the slice.
func (x *xray) Packets(after uint64) (ps []core.Packet, missed uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	after = min(max(after, x.floor), x.n)
	first := x.n - uint64(len(x.packets)) // N before the oldest that is kept
	if after < first {
		after, missed = first, first-after
	}
	return slices.Clone(x.packets[after-first:]), missed
}

// see records frame, one whole packet that c sent (in) or gets, if it is
// watched. It neither keeps nor changes frame. frame may be malformed.
func (x *xray) see(c seen, in bool, frame []byte) {
	w := x.watch.Load()
	if w == nil || w.Client != "" && c.client != "" && c.client != w.Client {
		return
	}
	p, ok := readPacket(frame, c.version)
	if !ok {
		return
	}
	if c.client == "" && p.kind == packets.Connect {
		c.client = clip(p.client, maxClientID)
	}
	if w.Client != "" && c.client != w.Client {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.watch.Load() != w {
		return
	}
	text := x.topic(c.client, in, &p)
	if text == core.KitAsked || strings.HasSuffix(text, "/"+core.KitAsked) { // may hold a secret
		word, _, _ := bytes.Cut(p.payload, []byte(" "))
		p.payload = word
	}
	if !x.follow(w.Filter, c, in, &p, text) {
		return
	}
	x.n++
	x.packets = append(x.packets, core.Packet{
		N: x.n, At: time.Now(), Client: c.client, Account: c.account, In: in, Type: packetNames[p.kind],
		QoS: p.qos, Dup: p.dup, Retain: p.retain, ID: p.id, Topic: text, Payload: slices.Clone(p.payload[:min(len(p.payload), seenPayload)]),
		Size: len(frame), Reason: p.reason, State: p.state(),
	})
	x.bytes += seenCost(&x.packets[len(x.packets)-1])
	for len(x.packets) > maxSeen || x.bytes > maxSeenBytes {
		x.bytes -= seenCost(&x.packets[0])
		x.packets[0] = core.Packet{}
		x.packets = x.packets[1:]
	}
	x.feed.Tell(core.PacketsChanged)
}

func seenCost(p *core.Packet) int { return perSeen + len(p.Client) + len(p.Topic) + len(p.Payload) }

// topic returns what p is about as text: the topic of a PUBLISH, also where a
// topic alias stands for it (MQTT 5.0, section 3.3.2.3.4); "#3" for an alias
// that was agreed on before the watch, which no topic name can be; or the
// filters of a SUBSCRIBE or UNSUBSCRIBE. x.mu is held.
func (x *xray) topic(client string, in bool, p *packet) string {
	switch p.kind {
	case packets.Connect: // aliases end with the connection
		for k := range x.aliases {
			if k.client == client {
				delete(x.aliases, k)
			}
		}
	case packets.Subscribe, packets.Unsubscribe:
		return clip(strings.Join(p.filters, " "), topic.MaxLen)
	case packets.Publish:
		key := aliasKey{client, in, p.alias}
		switch {
		case p.alias == 0:
		case p.topic == "":
			if t, ok := x.aliases[key]; ok {
				return t
			}
			return "#" + strconv.Itoa(int(p.alias))
		case len(p.topic) <= topic.MaxLen:
			makeRoom(x.aliases, maxSeenAliases)
			x.aliases[key] = strings.Clone(p.topic)
		}
		return clip(p.topic, topic.MaxLen)
	}
	return ""
}

// follow reports whether p concerns the filter, which "" always does, and
// remembers which packets will answer it. x.mu is held.
func (x *xray) follow(f topic.Filter, c seen, in bool, p *packet, text string) bool {
	if f == "" {
		return true
	}
	asks := exchange{c.client, in, p.id}
	answers := exchange{c.client, !in, p.id}
	concerns := false
	switch p.kind {
	case packets.Publish:
		concerns = f.Match(topic.Name(text)) || c.branch != "" && f.Match(topic.Name(c.branch+"/"+text))
		if p.qos == 0 {
			return concerns
		}
	case packets.Subscribe, packets.Unsubscribe:
		concerns = slices.ContainsFunc(p.filters, func(s string) bool {
			g, err := topic.ParseFilter(s)
			return err == nil && (overlap(f, g) || c.branch != "" && overlap(f, topic.Filter(c.branch)+"/"+g))
		})
	case packets.Pubrel:
		return x.exchanges[asks] == packets.Publish
	case packets.Puback, packets.Pubrec, packets.Pubcomp:
		concerns = x.exchanges[answers] == packets.Publish
		if p.state() == "done" {
			delete(x.exchanges, answers)
		}
		return concerns
	case packets.Suback, packets.Unsuback:
		begun := x.exchanges[answers]
		if concerns = begun == packets.Subscribe || begun == packets.Unsubscribe; concerns {
			delete(x.exchanges, answers)
		}
		return concerns
	default:
		return false
	}
	if delete(x.exchanges, asks); concerns { // the identifier is used anew
		makeRoom(x.exchanges, maxExchanges)
		x.exchanges[asks] = p.kind
	}
	return concerns
}

// makeRoom removes any one entry of m where there are most of them.
func makeRoom[K comparable, V any](m map[K]V, most int) {
	for k := range m {
		if len(m) < most {
			return
		}
		delete(m, k)
	}
}

// overlap reports whether some topic name is selected by both f and g.
func overlap(f, g topic.Filter) bool {
	wild := func(s topic.Filter) bool { return s[0] == '+' || s[0] == '#' }
	if f == "" || g == "" || f[0] == '$' && wild(g) || g[0] == '$' && wild(f) {
		return false // section 4.7.2
	}
	a, b := strings.Split(string(f), "/"), strings.Split(string(g), "/")
	for i := 0; ; i++ {
		switch {
		case i < len(a) && a[i] == "#" || i < len(b) && b[i] == "#":
			return true
		case i == len(a) || i == len(b):
			return len(a) == len(b)
		case a[i] != b[i] && a[i] != "+" && b[i] != "+":
			return false
		}
	}
}

// packetNames are the packet types as in the specification (MQTT 5.0, section 2.1.2).
var packetNames = [16]string{
	packets.Connect: "CONNECT", packets.Connack: "CONNACK", packets.Publish: "PUBLISH", packets.Puback: "PUBACK",
	packets.Pubrec: "PUBREC", packets.Pubrel: "PUBREL", packets.Pubcomp: "PUBCOMP", packets.Subscribe: "SUBSCRIBE",
	packets.Suback: "SUBACK", packets.Unsubscribe: "UNSUBSCRIBE", packets.Unsuback: "UNSUBACK", packets.Pingreq: "PINGREQ",
	packets.Pingresp: "PINGRESP", packets.Disconnect: "DISCONNECT", packets.Auth: "AUTH",
}

// packet is what is shown of one packet. Its payload is part of the frame.
type packet struct {
	kind        byte
	dup, retain bool
	qos         byte
	id, alias   uint16
	client      string   // of a CONNECT
	topic       string   // of a PUBLISH
	filters     []string // of a SUBSCRIBE or UNSUBSCRIBE
	payload     []byte   // of a PUBLISH
	reason      byte
}

// state is where the flow of a message stands after p (MQTT 5.0, section 4.3).
func (p *packet) state() string {
	switch refused := p.reason >= packets.ErrUnspecifiedError.Code; {
	case p.kind == packets.Publish && p.qos > 0:
		return "sent"
	case p.kind == packets.Pubrec && !refused:
		return "received"
	case p.kind == packets.Pubrel && !refused:
		return "released"
	case p.kind == packets.Puback, p.kind == packets.Pubrec, p.kind == packets.Pubrel, p.kind == packets.Pubcomp:
		return "done"
	}
	return ""
}

// readPacket reads what is shown of frame; of a malformed one, what comes
// before the fault. It is not ok where there is no packet at all.
func readPacket(frame []byte, version byte) (p packet, ok bool) {
	r := reader{rest: frame}
	first := r.byte()
	p.kind = first >> 4
	length := r.varint()
	if packetNames[p.kind] == "" || len(frame) < 2 {
		return p, false
	}
	r.rest = r.rest[:min(length, len(r.rest))]
	five := version == 5
	switch p.kind {
	case packets.Connect: // user name, password and will are not looked at
		r.binary()
		five = r.byte() == 5
		r.byte()
		r.uint16()
		if five {
			passProperties(&r)
		}
		p.client = string(r.binary())
	case packets.Connack:
		r.byte()
		p.reason = r.byte()
	case packets.Publish:
		p.dup, p.qos, p.retain = first&8 != 0, first>>1&3, first&1 != 0
		p.topic = string(r.binary())
		if p.qos > 0 {
			p.id = r.uint16()
		}
		if five {
			p.alias = passProperties(&r)
		}
		p.payload = r.rest
	case packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp:
		p.qos = 1
		if p.kind != packets.Puback {
			p.qos = 2
		}
		p.id = r.uint16()
		if five {
			p.reason = r.byte()
		}
	case packets.Subscribe, packets.Unsubscribe:
		p.id = r.uint16()
		if five {
			passProperties(&r)
		}
		for len(r.rest) > 0 && len(p.filters) < seenFilters {
			p.filters = append(p.filters, string(r.binary()))
			if p.kind == packets.Subscribe {
				r.byte()
			}
		}
	case packets.Suback, packets.Unsuback:
		p.id = r.uint16()
		if five {
			passProperties(&r)
		}
		for _, b := range r.rest { // a refusal, where there is one
			p.reason = max(p.reason, b)
		}
	case packets.Disconnect, packets.Auth:
		if five {
			p.reason = r.byte()
		}
	}
	return p, true
}

// passProperties passes over the properties and returns the Topic Alias among them,
// or 0 (MQTT 5.0, section 2.2.2.2).
func passProperties(r *reader) (alias uint16) {
	ps := reader{rest: r.take(r.varint())}
	for len(ps.rest) > 0 {
		switch ps.byte() {
		case 0x23:
			alias = ps.uint16()
		case 0x13, 0x21, 0x22:
			ps.uint16()
		case 0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A:
			ps.byte()
		case 0x02, 0x11, 0x18, 0x27:
			ps.take(4)
		case 0x0B:
			ps.varint()
		case 0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F:
			ps.binary()
		case 0x26:
			ps.binary()
			ps.binary()
		default:
			return alias // no property of MQTT 5
		}
	}
	return alias
}

// clip returns a copy of at most n bytes of s, not ending within a character.
func clip(s string, n int) string {
	if len(s) > n {
		for n > 0 && s[n]&0xc0 == 0x80 {
			n--
		}
		s = s[:n]
	}
	return strings.Clone(s)
}

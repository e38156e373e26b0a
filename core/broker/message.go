package broker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// properties are what MQTT 5 sends along with a message from publisher to
// subscriber (MQTT 5.0, section 3.3.2.3).
type properties struct {
	UTF8        bool        `json:",omitzero"` // Payload Format Indicator
	ContentType string      `json:",omitzero"`
	Response    string      `json:",omitzero"` // Response Topic, its real name
	Correlation []byte      `json:",omitzero"`
	User        [][2]string `json:",omitzero"`
	// Expires is when the message is no longer worth delivering; zero is never.
	Expires time.Time `json:",omitzero"`
}

// newProperties returns the properties of a publish or of a will, or nil where
// there are none.
func newProperties(from packets.Properties, now time.Time) *properties {
	p := &properties{UTF8: from.PayloadFormatFlag && from.PayloadFormat == 1, ContentType: strings.Clone(from.ContentType),
		Response: strings.Clone(from.ResponseTopic), Correlation: bytes.Clone(from.CorrelationData)}
	for _, u := range from.User {
		p.User = append(p.User, [2]string{strings.Clone(u.Key), strings.Clone(u.Val)})
	}
	if from.MessageExpiryInterval > 0 {
		p.Expires = now.Add(time.Duration(from.MessageExpiryInterval) * time.Second)
	}
	if !p.UTF8 && p.ContentType == "" && p.Response == "" && p.Correlation == nil && p.User == nil && p.Expires.IsZero() {
		return nil
	}
	return p
}

func (p *properties) packet(now time.Time) packets.Properties {
	out := packets.Properties{ContentType: p.ContentType, ResponseTopic: p.Response, CorrelationData: p.Correlation}
	if p.UTF8 {
		out.PayloadFormat, out.PayloadFormatFlag = 1, true
	}
	for _, u := range p.User {
		out.User = append(out.User, packets.UserProperty{Key: u[0], Val: u[1]})
	}
	if !p.Expires.IsZero() {
		out.MessageExpiryInterval = uint32(max(1, p.Expires.Sub(now).Seconds()))
	}
	return out
}

// size is about how much memory p takes, in bytes. p may be nil.
func (p *properties) size() int {
	if p == nil {
		return 0
	}
	n := 128 + len(p.ContentType) + len(p.Response) + len(p.Correlation)
	for _, u := range p.User {
		n += 32 + len(u[0]) + len(u[1])
	}
	return n
}

// marshal returns p for the journal; nothing where p is nil.
func (p *properties) marshal() []byte {
	if p == nil {
		return nil
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil // strings, bytes and a time: cannot fail
	}
	return data
}

// message is one accepted message on its way to sessions.
type message struct {
	core.Message
	props *properties // nil where there are none
	turn  uint64      // among the retained ones; guarded by retainer.mu until it is in there
	// traced says that its deliveries are told. It is set before the first one.
	traced bool

	mu     sync.Mutex
	frames []frame // guarded by mu; PUBLISH packets, encoded once
}

// frame is a PUBLISH packet for everybody who gets the same bytes.
type frame struct {
	form
	data []byte
}

// form is what PUBLISH packets of one message differ in.
type form struct {
	five    bool // of MQTT 5
	qos     byte
	retain  bool
	mounted bool // the topic without its branch
}

func newMessage(m core.Message, p *properties) *message { return &message{Message: m, props: p} }

// perMessage is about how much memory a message takes beside its content, in bytes.
const perMessage = 256

// cost is about how much memory m takes where it waits, in bytes.
func (m *message) cost() int { return perMessage + len(m.Payload) + len(m.Topic) + m.props.size() }

// settle lets go of what is not needed of a message that stays for long.
func (m *message) settle() {
	m.mu.Lock()
	m.frames = nil
	m.mu.Unlock()
}

func (m *message) expired(now time.Time) bool {
	return m.props != nil && !m.props.Expires.IsZero() && !now.Before(m.props.Expires)
}

// came keeps the packet that m came in for everybody who gets the same bytes.
// Its payload and m's are the same memory.
func (m *message) came(data []byte, five bool) {
	data[0] = packets.Publish<<4 | m.QoS<<1
	m.frames = []frame{{form{five: five, qos: m.QoS}, data}}
}

// frame returns the PUBLISH packet of a form; where its QoS is not 0 its packet
// identifier is to be patched. The caller must not change it.
func (m *message) frame(f form, identifiers []int) []byte {
	// What a new subscriber gets of a retained message is needed once.
	shared := len(identifiers) == 0 && !f.retain && (!f.five || m.props == nil || m.props.Expires.IsZero())
	if !shared {
		return m.encode(f, identifiers)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.frames {
		if m.frames[i].form == f {
			return m.frames[i].data
		}
	}
	data := m.encode(f, nil)
	m.frames = append(m.frames, frame{f, data})
	return data
}

// encode makes a PUBLISH packet (MQTT 5.0, section 3.3).
func (m *message) encode(f form, identifiers []int) []byte {
	name := string(m.Topic)
	if f.mounted {
		name = unmounted(name)
	}
	var props []byte
	if f.five {
		props = []byte{0}
		if m.props != nil || len(identifiers) > 0 {
			props = m.encodeProperties(f.mounted, identifiers)
		}
	}
	n := 2 + len(name) + len(props) + len(m.Payload)
	if f.qos > 0 {
		n += 2
	}
	b := make([]byte, 0, 1+lengthSize(n)+n)
	first := packets.Publish<<4 | f.qos<<1
	if f.retain {
		first |= 1
	}
	b = appendLength(append(b, first), n)
	b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
	b = append(b, name...)
	if f.qos > 0 {
		b = append(b, 0, 1)
	}
	b = append(b, props...)
	return append(b, m.Payload...)
}

func (m *message) encodeProperties(mounted bool, identifiers []int) []byte {
	p := packets.Properties{}
	if m.props != nil {
		p = m.props.packet(time.Now())
	}
	p.SubscriptionIdentifier = identifiers
	branch, _, _ := strings.Cut(string(m.Topic), "/")
	if mounted && strings.HasPrefix(p.ResponseTopic, branch+"/") {
		p.ResponseTopic = unmounted(p.ResponseTopic)
	}
	var b bytes.Buffer
	p.Encode(packets.Publish, packets.Mods{AllowResponseInfo: true}, &b, 0)
	return b.Bytes()
}

// unmounted returns a real name as a mounted account calls it: without its branch.
func unmounted(name string) string {
	if _, inside, ok := strings.Cut(name, "/"); ok && inside != "" {
		return inside
	}
	return name
}

// patch sets the packet identifier and the DUP flag of an encoded PUBLISH of QoS 1 or 2.
func patch(frame []byte, id uint16, dup bool) {
	if dup {
		frame[0] |= 0x08
	}
	i := head(frame)
	i += 2 + int(binary.BigEndian.Uint16(frame[i:]))
	binary.BigEndian.PutUint16(frame[i:], id)
}

// mounted reports whether real is what a mount made of name.
func mounted(name, real topic.Filter) bool { return len(real) > len(name) }

package broker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
)

// properties are what MQTT 5 sends along with a message from publisher to
// subscriber (MQTT 5.0, section 3.3.2.3).
type properties struct {
	UTF8        bool        `json:",omitzero"` // Payload Format Indicator
	ContentType string      `json:",omitzero"`
	Response    string      `json:",omitzero"` // Response Topic
	Correlation []byte      `json:",omitzero"`
	User        [][2]string `json:",omitzero"`
	// Expires is when the message is no longer worth delivering; zero is never.
	Expires time.Time `json:",omitzero"`
}

// from takes the properties of a publish or of a will.
func (p *properties) from(from packets.Properties, now time.Time) {
	p.UTF8 = from.PayloadFormatFlag && from.PayloadFormat == 1
	p.ContentType, p.Response, p.Correlation = from.ContentType, from.ResponseTopic, from.CorrelationData
	for _, u := range from.User {
		p.User = append(p.User, [2]string{u.Key, u.Val})
	}
	if from.MessageExpiryInterval > 0 {
		p.Expires = now.Add(time.Duration(from.MessageExpiryInterval) * time.Second)
	}
}

func (p *properties) packet(now time.Time, identifiers []int) packets.Properties {
	out := packets.Properties{ContentType: p.ContentType, ResponseTopic: p.Response, CorrelationData: p.Correlation, SubscriptionIdentifier: identifiers}
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

// size is about how much memory p takes, in bytes.
func (p *properties) size() int {
	n := len(p.ContentType) + len(p.Response) + len(p.Correlation)
	for _, u := range p.User {
		n += 32 + len(u[0]) + len(u[1])
	}
	return n
}

// plain reports whether there is nothing to send along.
func (p *properties) plain() bool {
	return !p.UTF8 && p.ContentType == "" && p.Response == "" && p.Correlation == nil && p.User == nil && p.Expires.IsZero()
}

// marshal returns p for the journal; nothing for plain properties.
func (p *properties) marshal() []byte {
	if p.plain() {
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
	props properties

	mu     sync.Mutex
	frames [12][]byte // guarded by mu; encoded PUBLISH by version, QoS and retain
}

func newMessage(m core.Message, p properties) *message { return &message{Message: m, props: p} }

// perMessage is about how much memory a message takes beside its content, in bytes.
const perMessage = 768

// cost is about how much memory m takes where it waits, in bytes.
func (m *message) cost() int { return perMessage + len(m.Payload) + len(m.Topic) + m.props.size() }

// settle lets go of the encoded frames of a message that stays for long.
func (m *message) settle() {
	m.mu.Lock()
	clear(m.frames[:])
	m.mu.Unlock()
}

func (m *message) expired(now time.Time) bool {
	return !m.props.Expires.IsZero() && !now.Before(m.props.Expires)
}

// frame returns the PUBLISH packet for a version, QoS and retain flag, with a
// packet identifier of 1 to be patched. It is encoded once for all who get the
// same bytes. The caller must not change it.
func (m *message) frame(version, qos byte, retain bool, identifiers []int) []byte {
	shared := len(identifiers) == 0 && (version < 5 || m.props.Expires.IsZero())
	i := int(qos)
	if retain {
		i += 3
	}
	if version == 5 {
		i += 6
	}
	if shared {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.frames[i] != nil {
			return m.frames[i]
		}
	}
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos, Retain: retain},
		TopicName:   string(m.Topic), Payload: m.Payload, PacketID: 1, ProtocolVersion: version,
	}
	if version == 5 {
		pk.Mods.AllowResponseInfo = true
		pk.Properties = m.props.packet(time.Now(), identifiers)
	}
	var buf bytes.Buffer
	buf.Grow(len(m.Payload) + len(m.Topic) + 16)
	if err := pk.PublishEncode(&buf); err != nil {
		return nil // only a missing packet identifier fails
	}
	if shared {
		m.frames[i] = buf.Bytes()
	}
	return buf.Bytes()
}

// patch sets the packet identifier and the DUP flag of an encoded PUBLISH of QoS 1 or 2.
func patch(frame []byte, id uint16, dup bool) {
	if dup {
		frame[0] |= 0x08
	}
	i := 1
	for frame[i]&0x80 != 0 {
		i++
	}
	i++
	i += 2 + int(binary.BigEndian.Uint16(frame[i:]))
	binary.BigEndian.PutUint16(frame[i:], id)
}

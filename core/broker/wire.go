package broker

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"github.com/mochi-mqtt/server/v2/packets"
)

// reader takes the fields of one packet from its bytes (MQTT 5.0, section 1.5).
// The first field that is not there or not allowed leaves its reason in code;
// what is read after it is zero. What it returns shares the packet's memory.
type reader struct {
	rest []byte
	code packets.Code // zero while everything was right
}

func (r *reader) fail(code packets.Code) {
	if r.code.Code == 0 {
		r.code, r.rest = code, nil
	}
}

func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.fail(packets.ErrMalformedPacket)
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// binary reads Binary Data.
func (r *reader) binary() []byte { return r.take(int(r.uint16())) }

// text reads a UTF-8 Encoded String.
func (r *reader) text() []byte {
	b := r.binary()
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		r.fail(packets.ErrMalformedInvalidUTF8)
		return nil
	}
	return b
}

// id reads a Packet Identifier, which is not zero (section 2.2.1).
func (r *reader) id() uint16 {
	id := r.uint16()
	if id == 0 {
		r.fail(packets.ErrProtocolViolationNoPacketID)
	}
	return id
}

// varint reads a Variable Byte Integer.
func (r *reader) varint() (n int) {
	for shift := 0; shift < 28; shift += 7 {
		b := r.byte()
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	r.fail(packets.ErrMalformedVariableByteInteger)
	return 0
}

// properties reads the properties of a packet of the kind (section 2.2.2).
func (r *reader) properties(kind byte) (p packets.Properties) {
	whole := r.rest
	n := r.varint()
	listed := r.take(n)
	if len(listed) == 0 {
		return p
	}
	if code := checkProperties(listed); code.Code != 0 {
		r.fail(code)
		return p
	}
	if _, err := p.Decode(kind, bytes.NewBuffer(whole[:len(whole)-len(r.rest)])); err != nil {
		code, ok := err.(packets.Code)
		if !ok {
			code = packets.ErrMalformedProperties
		}
		r.fail(code)
	}
	return p
}

// end fails where bytes are left.
func (r *reader) end() {
	if len(r.rest) > 0 {
		r.fail(packets.ErrMalformedPacket)
	}
}

// A width is how many bytes the value of a property takes; the last ones say
// for themselves.
const (
	variable = -1 // Variable Byte Integer
	prefixed = -2 // string or binary
	pair     = -3 // two strings
)

// widths are those of the properties a client may send, by identifier.
var widths = [43]int{
	packets.PropPayloadFormat: 1, packets.PropMessageExpiryInterval: 4, packets.PropContentType: prefixed, packets.PropResponseTopic: prefixed,
	packets.PropCorrelationData: prefixed, packets.PropSubscriptionIdentifier: variable, packets.PropSessionExpiryInterval: 4,
	packets.PropAuthenticationMethod: prefixed, packets.PropAuthenticationData: prefixed, packets.PropRequestProblemInfo: 1,
	packets.PropWillDelayInterval: 4, packets.PropRequestResponseInfo: 1, packets.PropReasonString: prefixed, packets.PropReceiveMaximum: 2,
	packets.PropTopicAliasMaximum: 2, packets.PropTopicAlias: 2, packets.PropUser: pair, packets.PropMaximumPacketSize: 4,
}

// checkProperties finds what mochi's decoder lets pass (v2.7.9): a property
// that is there twice, and values that are not allowed.
func checkProperties(listed []byte) packets.Code {
	var seen uint64
	r := reader{rest: listed}
	for len(r.rest) > 0 {
		id := r.byte()
		if int(id) >= len(widths) || widths[id] == 0 {
			return packets.ErrMalformedBadProperty
		}
		if id != packets.PropUser && seen&(1<<id) != 0 {
			return packets.ErrProtocolViolation
		}
		seen |= 1 << id
		switch w := widths[id]; w {
		case variable:
			if r.varint() == 0 { // a Subscription Identifier (section 3.8.2.1.2)
				r.fail(packets.ErrProtocolViolation)
			}
		case pair:
			r.text()
			r.text()
		case prefixed:
			v := r.binary()
			if id == packets.PropResponseTopic && (len(v) == 0 || bytes.ContainsAny(v, "+#")) { // section 3.3.2.3.5
				r.fail(packets.ErrProtocolViolationInvalidTopic)
			}
		default:
			v := r.take(w)
			zero := !slices.ContainsFunc(v, func(b byte) bool { return b != 0 })
			switch id {
			case packets.PropPayloadFormat, packets.PropRequestProblemInfo, packets.PropRequestResponseInfo:
				if v != nil && v[0] > 1 {
					r.fail(packets.ErrProtocolViolation)
				}
			case packets.PropReceiveMaximum, packets.PropMaximumPacketSize:
				if zero {
					r.fail(packets.ErrProtocolViolation)
				}
			case packets.PropTopicAlias:
				if zero {
					r.fail(packets.ErrTopicAliasInvalid)
				}
			}
		}
	}
	return r.code
}

// head returns the length of the fixed header of a packet.
func head(frame []byte) int {
	i := 1
	for i < len(frame) && frame[i] >= 0x80 {
		i++
	}
	return i + 1
}

// appendLength appends a Variable Byte Integer.
func appendLength(b []byte, n int) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

func lengthSize(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	}
	return 4
}

// encode returns an answer of ours as bytes. A reason in words is left out
// where the client wants none or it would be too much for it (sections 3.1.2.11.4
// and 3.1.2.11.7).
func encode(c *conn, pk packets.Packet) []byte {
	pk.ProtocolVersion = c.version
	if c.quiet {
		pk.Properties.ReasonString = ""
	}
	for {
		var b bytes.Buffer
		switch pk.FixedHeader.Type {
		case packets.Connack:
			_ = pk.ConnackEncode(&b)
		case packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp:
			_ = pk.PubackEncode(&b)
		case packets.Suback:
			_ = pk.SubackEncode(&b)
		case packets.Unsuback:
			_ = pk.UnsubackEncode(&b)
		case packets.Disconnect:
			_ = pk.DisconnectEncode(&b)
		}
		if pk.Properties.ReasonString == "" || b.Len() <= c.maxPacket {
			return b.Bytes()
		}
		pk.Properties.ReasonString = ""
	}
}

// acknowledgement returns a PUBACK, PUBREC, PUBREL or PUBCOMP without a reason.
func acknowledgement(kind byte, id uint16) []byte {
	flags := byte(0)
	if kind == packets.Pubrel {
		flags = 2
	}
	return []byte{kind<<4 | flags, 2, byte(id >> 8), byte(id)}
}

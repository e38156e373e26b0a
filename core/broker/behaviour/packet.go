package behaviour

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// kind is an MQTT Control Packet type (MQTT 5.0, section 2.1.2).
type kind byte

const (
	connect kind = iota + 1
	connack
	publish
	puback
	pubrec
	pubrel
	pubcomp
	subscribe
	suback
	unsubscribe
	unsuback
	pingreq
	pingresp
	disconnect
	auth
)

func (k kind) String() string {
	if int(k) >= len(kinds) {
		return fmt.Sprintf("type %d", byte(k))
	}
	return kinds[k]
}

var kinds = [...]string{"type 0", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"}

// Bits of the first byte of a PUBLISH.
const (
	retain byte = 1
	q1     byte = 2
	q2     byte = 4
	dup    byte = 8
)

// Bits of Subscription Options; the lowest two are the QoS.
const (
	noLocal       byte = 0x04
	asPublished   byte = 0x08
	retainIfNew   byte = 0x10
	retainNever   byte = 0x20
	retainInvalid byte = 0x30
)

// Property identifiers (MQTT 5.0, section 2.2.2.2).
const (
	payloadFormat          = 0x01
	messageExpiry          = 0x02
	contentType            = 0x03
	responseTopic          = 0x08
	correlationData        = 0x09
	subscriptionIdentifier = 0x0b
	sessionExpiry          = 0x11
	assignedClient         = 0x12
	serverKeepAlive        = 0x13
	authMethod             = 0x15
	authData               = 0x16
	problemInformation     = 0x17
	willDelay              = 0x18
	responseRequested      = 0x19
	responseInformation    = 0x1a
	serverReference        = 0x1c
	reasonString           = 0x1f
	receiveMaximum         = 0x21
	topicAliasMaximum      = 0x22
	topicAlias             = 0x23
	maximumQoS             = 0x24
	retainAvailable        = 0x25
	userProperty           = 0x26
	maximumPacket          = 0x27
	wildcardAvailable      = 0x28
	identifierAvailable    = 0x29
	sharedAvailable        = 0x2a
)

// form is how the value of a property is written.
type form byte

const (
	flag   form = iota // a byte, 0 or 1
	two                // two bytes
	four               // four bytes
	varint             // Variable Byte Integer
	text               // UTF-8 string
	data               // binary
	pair               // two UTF-8 strings
)

var acks = []kind{connack, puback, pubrec, pubrel, pubcomp, suback, unsuback, disconnect, auth}

// properties says how each property is written and in which packets a server may send it.
var properties = map[byte]struct {
	form form
	from []kind
}{
	payloadFormat: {flag, []kind{publish}}, messageExpiry: {four, []kind{publish}}, contentType: {text, []kind{publish}},
	responseTopic: {text, []kind{publish}}, correlationData: {data, []kind{publish}}, subscriptionIdentifier: {varint, []kind{publish}},
	sessionExpiry: {four, []kind{connack}}, assignedClient: {text, []kind{connack}}, serverKeepAlive: {two, []kind{connack}},
	authMethod: {text, []kind{connack, auth}}, authData: {data, []kind{connack, auth}}, problemInformation: {flag, nil},
	willDelay: {four, nil}, responseRequested: {flag, nil}, responseInformation: {text, []kind{connack}},
	serverReference: {text, []kind{connack, disconnect}}, reasonString: {text, acks},
	receiveMaximum: {two, []kind{connack}}, topicAliasMaximum: {two, []kind{connack}}, topicAlias: {two, []kind{publish}},
	maximumQoS: {flag, []kind{connack}}, retainAvailable: {flag, []kind{connack}}, userProperty: {pair, append([]kind{publish}, acks...)},
	maximumPacket: {four, []kind{connack}}, wildcardAvailable: {flag, []kind{connack}}, identifierAvailable: {flag, []kind{connack}},
	sharedAvailable: {flag, []kind{connack}},
}

// reasons are the codes that a server may send in each packet of MQTT 5 (section 2.4).
var reasons = map[kind]string{
	connack:    "\x00\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8c\x90\x95\x97\x99\x9a\x9b\x9c\x9d\x9f",
	puback:     "\x00\x10\x80\x83\x87\x90\x91\x97\x99",
	pubrec:     "\x00\x10\x80\x83\x87\x90\x91\x97\x99",
	pubrel:     "\x00\x92",
	pubcomp:    "\x00\x92",
	suback:     "\x00\x01\x02\x80\x83\x87\x8f\x91\x97\x9e\xa1\xa2",
	unsuback:   "\x00\x11\x80\x83\x87\x8f\x91",
	disconnect: "\x00\x80\x81\x82\x83\x87\x89\x8b\x8c\x8d\x8e\x8f\x90\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f\xa0\xa1\xa2",
	auth:       "\x00\x18",
}

// props are encoded properties without their length.
type props []byte

// with encodes properties: identifier, value, identifier, value … Values are
// int, string, []byte or [2]string, as the property wants.
func with(pairs ...any) (p props) {
	for i := 0; i < len(pairs); i += 2 {
		id := byte(pairs[i].(int))
		p = append(p, id)
		switch value := pairs[i+1].(type) {
		case string:
			p = append(p, encode(5, value)...)
		case []byte:
			p = append(p, encode(5, len(value), value)...)
		case [2]string:
			p = append(p, encode(5, value[0], value[1])...)
		case int:
			switch properties[id].form {
			case flag:
				p = append(p, byte(value))
			case two:
				p = binary.BigEndian.AppendUint16(p, uint16(value))
			case four:
				p = binary.BigEndian.AppendUint32(p, uint32(value))
			case varint:
				p = appendVarint(p, value)
			}
		}
	}
	return p
}

// encode joins parts as MQTT writes them: byte, int in two bytes, string with its
// length, []byte as it is, and props, which only MQTT 5 has.
func encode(version byte, parts ...any) (b []byte) {
	for _, part := range parts {
		switch part := part.(type) {
		case byte:
			b = append(b, part)
		case int:
			b = binary.BigEndian.AppendUint16(b, uint16(part))
		case string:
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(part))), part...)
		case []byte:
			b = append(b, part...)
		case props:
			if version == 5 {
				b = append(appendVarint(b, len(part)), part...)
			}
		default:
			panic(fmt.Sprintf("no encoding of %T", part))
		}
	}
	return b
}

func appendVarint(b []byte, n int) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// packet is what a server has sent.
type packet struct {
	kind    kind
	flags   byte
	id      int // Packet Identifier
	topic   string
	payload []byte
	present bool           // Session Present
	codes   []byte         // reason codes, or return codes
	props   map[byte][]any // int, string, []byte or [2]string, in order
}

func (p packet) qos() byte { return p.flags >> 1 & 3 }

// code returns the only reason code; 0 where it was left out.
func (p packet) code() byte {
	if len(p.codes) == 0 {
		return 0
	}
	return p.codes[0]
}

// number returns a property, or otherwise where it is not there.
func (p packet) number(id byte, otherwise int) int {
	if all := p.props[id]; len(all) > 0 {
		return all[0].(int)
	}
	return otherwise
}

// maxRead bounds the packets that are read, in bytes.
const maxRead = 8 << 20

// readPacket reads the next packet. The bytes are the first and what follows the
// Remaining Length.
func readPacket(r *bufio.Reader) (first byte, body []byte, err error) {
	if first, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	length := 0
	for shift := 0; ; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, nil, noEOF(err)
		}
		length |= int(b&0x7f) << shift
		if b < 0x80 {
			break
		}
		if shift == 21 {
			return 0, nil, errors.New("a Remaining Length of more than four bytes")
		}
	}
	if length > maxRead {
		return 0, nil, fmt.Errorf("a packet of %d bytes", length)
	}
	var buf bytes.Buffer // grows with what comes, not with what was announced
	if _, err := io.CopyN(&buf, r, int64(length)); err != nil {
		return 0, nil, noEOF(err)
	}
	return first, buf.Bytes(), nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parse reads a packet from a server and refuses whatever the protocol version
// does not allow a server to send.
func parse(version, first byte, body []byte) (packet, error) {
	p := packet{kind: kind(first >> 4), flags: first & 15}
	d := &decoder{rest: body, version: version}
	wantFlags := byte(0)
	switch p.kind {
	case connack:
		flags := d.byte()
		p.present = flags&1 == 1
		d.must(flags <= 1, "reserved acknowledge flags")
		p.codes = []byte{d.byte()}
		d.must(version == 5 || p.codes[0] <= 5, "a return code")
		p.props = d.properties(p.kind)
	case publish:
		wantFlags = p.flags
		d.must(p.qos() < 3 && (p.qos() > 0 || p.flags&dup == 0), "flags of PUBLISH")
		p.topic = d.text()
		d.must(!strings.ContainsAny(p.topic, "+#"), "wildcards in a Topic Name")
		if p.qos() > 0 {
			p.id = d.identifier()
		}
		p.props = d.properties(p.kind)
		d.must(p.topic != "" || p.props[topicAlias] != nil, "a Topic Name")
		p.payload, d.rest = d.rest, nil
	case puback, pubrec, pubrel, pubcomp:
		if p.kind == pubrel {
			wantFlags = 2
		}
		p.id = d.identifier()
		d.optional(&p)
	case suback, unsuback:
		p.id = d.identifier()
		p.props = d.properties(p.kind)
		if p.kind == suback || version == 5 {
			d.must(len(d.rest) > 0, "no reason codes")
			p.codes, d.rest = d.rest, nil
		}
		d.must(version == 5 || !slices.ContainsFunc(p.codes, func(c byte) bool { return c > 2 && c != 0x80 }), "a return code")
	case pingresp:
	case disconnect, auth:
		d.must(version == 5, "only MQTT 5 servers send this")
		d.optional(&p)
	default:
		d.must(false, "only clients send this")
	}
	d.must(p.flags == wantFlags, "flags of the fixed header")
	d.must(len(d.rest) == 0, "bytes after the end")
	for _, c := range p.codes {
		d.must(version < 5 || strings.IndexByte(reasons[p.kind], c) >= 0, "a reason code that this packet does not have")
	}
	if d.wrong != "" {
		return p, fmt.Errorf("malformed %v % x: %s", p.kind, body[:min(len(body), 64)], d.wrong)
	}
	return p, nil
}

// decoder takes a body apart. After the first thing wrong it returns zeros.
type decoder struct {
	rest    []byte
	version byte
	wrong   string
}

func (d *decoder) must(ok bool, what string) {
	if !ok && d.wrong == "" {
		d.wrong, d.rest = what, nil
	}
}

func (d *decoder) take(n int) []byte {
	if d.must(n <= len(d.rest), "it is cut off"); d.wrong != "" {
		return make([]byte, min(n, 4))
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte    { return d.take(1)[0] }
func (d *decoder) two() int      { return int(binary.BigEndian.Uint16(d.take(2))) }
func (d *decoder) data() []byte  { return d.take(d.two()) }
func (d *decoder) four() (n int) { return int(binary.BigEndian.Uint32(d.take(4))) }

func (d *decoder) varint() (n int) {
	for shift := 0; shift < 28; shift += 7 {
		b := d.byte()
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			d.must(b > 0 || shift == 0, "a number in more bytes than it needs")
			return n
		}
	}
	d.must(false, "a number of more than four bytes")
	return 0
}

func (d *decoder) text() string {
	b := d.data()
	if d.must(utf8.Valid(b) && !bytes.ContainsRune(b, 0), "invalid UTF-8"); d.wrong != "" {
		return ""
	}
	return string(b)
}

func (d *decoder) identifier() int {
	id := d.two()
	d.must(id != 0, "Packet Identifier 0")
	return id
}

// optional reads a reason code and properties, which may be left out from the end.
func (d *decoder) optional(p *packet) {
	if d.version < 5 || len(d.rest) == 0 {
		return
	}
	p.codes = []byte{d.byte()}
	if len(d.rest) > 0 {
		p.props = d.properties(p.kind)
	}
}

func (d *decoder) properties(in kind) map[byte][]any {
	if d.version < 5 {
		return nil
	}
	d2 := &decoder{rest: d.take(d.varint()), version: 5}
	all := map[byte][]any{}
	for d.wrong == "" && len(d2.rest) > 0 {
		id := d2.byte()
		what, known := properties[id]
		if d2.must(known && slices.Contains(what.from, in), fmt.Sprintf("property 0x%02x", id)); d2.wrong != "" {
			break
		}
		var value any
		switch what.form {
		case flag:
			b := d2.byte()
			d2.must(b <= 1, "a flag above 1")
			value = int(b)
		case two:
			value = d2.two()
		case four:
			value = d2.four()
		case varint:
			value = d2.varint()
		case text:
			value = d2.text()
		case data:
			value = d2.data()
		case pair:
			value = [2]string{d2.text(), d2.text()}
		}
		zero := id == receiveMaximum || id == topicAlias || id == maximumPacket || id == subscriptionIdentifier
		d2.must(!zero || value != 0, fmt.Sprintf("property 0x%02x is 0", id))
		d2.must(all[id] == nil || id == userProperty || id == subscriptionIdentifier, fmt.Sprintf("property 0x%02x twice", id))
		all[id] = append(all[id], value)
	}
	d.must(d2.wrong == "", d2.wrong)
	return all
}

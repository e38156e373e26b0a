// Package wire is what is said with a running kit: its settings, the frames and
// Improv Wi-Fi packets on its serial port, a conversation with it, and the cable
// that carries its connection to the broker. firmware/PROTOCOL.md is the contract.
package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"

	"homeroom/core"
	"homeroom/core/topic"
)

// Limits of the settings.
const (
	MaxSettings = 2048 // bytes of all TLVs
	MaxPorts    = 8
	MaxPins     = 8
	MaxTopic    = 120 // bytes of a topic name
	MaxSlot     = 16  // bytes of the name of a part
	MaxWord     = 24  // bytes of a word for true or false
	MaxTLSKey   = 120 // bytes of a public key
	MaxHome     = 63  // bytes of a home
)

// Transport is how a kit reaches the broker.
type Transport byte

// The transports. Settings that say none mean Wi-Fi.
const (
	NoTransport Transport = iota
	WiFi
	Cable
)

// Settings are what a kit keeps in its flash. A zero field is not there.
type Settings struct {
	// What follows is of the network.
	SSID       string // 1 to 32 bytes
	Key        string // 8 to 63 bytes, or the PMK as 64 hex digits; "" is an open network
	BrokerHost string // name or address, 1 to 63 bytes
	BrokerPort uint16
	Account    string // 1 to 64 bytes
	Secret     string // 1 to 64 bytes
	TLSKey     []byte // SubjectPublicKeyInfo (DER) of the broker's P-256 key; nil is no TLS
	Page       string // host:port of the web door, for updates, 1 to 72 bytes
	Transport  Transport
	Home       string // mDNS name of the program's PC, 7 to MaxHome bytes, ends in ".local"; "" is none
	// What follows is of the design.
	Name  string       // topic name of the kit
	Role  core.KitRole // any but core.AnyKit
	Hold  *uint32      // ms after which a choice lights its lamp again; nil is the firmware's own
	Ports []Port       // at most MaxPorts
	Pins  []Pin        // at most MaxPins; nil is as the role has them
	Label string       // display name, 1 to 63 bytes
}

// Port joins a part of the kit to a topic, as core.Port and core.Topic have it.
type Port struct {
	Slot     string
	Topic    string
	Publish  bool // the kit is the source; else it obeys or reads
	Toggle   bool // each press of the button changes the value
	Writable bool // the topic takes commands at /set
	Retain   bool
	Min, Max int32  // of brightness
	Yes, No  string // the words for true and false
}

// Pin is the pin that a part is on.
type Pin struct {
	Slot     string
	GPIO     uint8 // 0 to 5, 12 to 16, or core.PinA0: the flash is on the others
	Inverted bool
	PullUp   bool
}

// Tags of the settings.
const (
	tagSSID = 0x10 + iota
	tagKey
	tagBrokerHost
	tagBrokerPort
	tagAccount
	tagSecret
	tagTLSKey
	tagPage
	tagTransport
	tagHome
)

const (
	tagName = 0x20 + iota // the first of the design
	tagRole
	tagHold
	tagPort
	tagPin
	tagLabel
)

// addedPort is the flag of a port in a change: those that are there stay.
const addedPort = 16

// order is all tags in ascending order.
var order = []byte{
	tagSSID, tagKey, tagBrokerHost, tagBrokerPort, tagAccount, tagSecret, tagTLSKey, tagPage, tagTransport, tagHome,
	tagName, tagRole, tagHold, tagPort, tagPin, tagLabel,
}

// roles are the roles in the order of their numbers.
var roles = []core.KitRole{core.LightKit, core.SensorKit, core.ButtonKit, core.ChoiceKit, core.AllKit}

// String tells what the settings are about, without key and secret.
func (s Settings) String() string {
	by := "Wi-Fi " + fmt.Sprintf("%q", s.SSID)
	if s.Transport == Cable {
		by = "cable"
	}
	return fmt.Sprintf("%q, %s of %d ports, by %s to %s:%d as %q", s.Name, s.Role, len(s.Ports), by, s.BrokerHost, s.BrokerPort, s.Account)
}

// GoString is String, so that no way of printing shows key and secret.
func (s Settings) GoString() string { return s.String() }

// Check says, in words for a person, why a kit could not work with s.
func (s Settings) Check() error {
	for _, part := range s.Ports {
		if len(part.Topic) > MaxTopic {
			return core.Fail(core.ErrInvalid, "The topic {topic} is too long for a kit: at most {n} bytes. Shorten it in the plan.", "topic", part.Topic, "n", MaxTopic)
		}
		if len(part.Yes) > MaxWord || len(part.No) > MaxWord {
			return core.Fail(core.ErrInvalid, "The words of the topic {topic} are too long for a kit: at most {n} bytes each. Shorten them in the plan.", "topic", part.Topic, "n", MaxWord)
		}
		if len(part.Slot) > MaxSlot {
			return core.Fail(core.ErrInvalid, "The part {slot} has too long a name for a kit: at most {n} bytes. Rename it in the plan.", "slot", part.Slot, "n", MaxSlot)
		}
	}
	switch {
	case s.Name == "" || s.BrokerHost == "" || s.BrokerPort == 0 || s.Account == "" || s.Secret == "":
		return core.Fail(core.ErrInvalid, "The settings of the kit lack its name, its account or the broker. Set the kit up again.")
	case len(s.Name) > MaxTopic:
		return core.Fail(core.ErrInvalid, "The topic {topic} is too long for a kit: at most {n} bytes. Shorten it in the plan.", "topic", s.Name, "n", MaxTopic)
	case !slices.Contains(roles, s.Role):
		return core.Fail(core.ErrInvalid, "There is no firmware for a kit that does anything. Choose another role for it in the plan.")
	case len(s.Ports) > MaxPorts:
		return core.Fail(core.ErrInvalid, "This kit has {n} ports, and a board has room for {max}. Take some away in the plan.", "n", len(s.Ports), "max", MaxPorts)
	case s.Transport != Cable && s.SSID == "":
		return core.Fail(core.ErrInvalid, "Choose the Wi-Fi network that the kit joins, or the cable.")
	}
	if s.Transport != Cable {
		if err := CheckNetwork(s.SSID, s.Key); err != nil {
			return err
		}
	}
	for _, name := range append([]string{s.Name}, topics(s.Ports)...) {
		if _, err := topic.ParseName(name); err != nil {
			return core.Fail(core.ErrInvalid, "{topic} is not a topic name. Write levels with / between them, without + and #.", "topic", name)
		}
	}
	for i, p := range s.Pins {
		other := slices.IndexFunc(s.Pins[:i], func(q Pin) bool { return q.GPIO == p.GPIO })
		switch {
		case p.GPIO > core.PinA0:
			return core.Fail(core.ErrInvalid, "A board has no pin GPIO {n}. Choose another.", "n", p.GPIO)
		case p.GPIO >= 6 && p.GPIO <= 11:
			return core.Fail(core.ErrInvalid, "GPIO {n} belongs to the flash memory of the board. Choose another pin for {slot}.", "n", p.GPIO, "slot", p.Slot)
		case p.GPIO == 1 || p.GPIO == 3:
			return core.Fail(core.ErrInvalid, "GPIO {n} belongs to the serial port of the board. Choose another pin for {slot}.", "n", p.GPIO, "slot", p.Slot)
		case other >= 0:
			return core.Fail(core.ErrInvalid, "{slot} and {other} are both on one pin. Choose another for one of them.", "slot", s.Pins[other].Slot, "other", p.Slot)
		}
	}
	_, err := s.Encode()
	return err
}

func topics(ports []Port) []string {
	var all []string
	for _, p := range ports {
		all = append(all, p.Topic)
	}
	return all
}

// Encode returns the TLVs of s, in ascending order of tags. It fails with
// core.ErrInvalid where a value does not fit.
func (s Settings) Encode() ([]byte, error) {
	tlvs := s.encode(order, false)
	if len(tlvs) > MaxSettings {
		return nil, core.Fail(core.ErrInvalid, "These settings are too long for a kit: {n} bytes, and there is room for {max}. Shorten topics or words in the plan.", "n", len(tlvs), "max", MaxSettings)
	}
	// What can be read again fits; nothing else does.
	again, err := Decode(tlvs)
	if err != nil || !bytes.Equal(again.encode(order, false), tlvs) || !fits(s) {
		return nil, core.Fail(core.ErrInvalid, "A name, word or number in these settings does not fit a kit. Look at the names, topics and pins of the kit in the plan.")
	}
	return tlvs, nil
}

// fits reports whether what has a length of its own inside a TLV, or no number,
// could be written as it is.
func fits(s Settings) bool {
	for _, v := range s.values(order) {
		if len(v.value) > math.MaxUint8 {
			return false
		}
	}
	for _, p := range s.Ports {
		if len(p.Slot) > MaxSlot || len(p.Topic) > MaxTopic || len(p.Yes) > MaxWord || len(p.No) > MaxWord {
			return false
		}
	}
	return s.Role == "" || slices.Contains(roles, s.Role)
}

// tlv is a tag and its value.
type tlv struct {
	tag   byte
	value []byte
}

// values returns what s has of the tags, in their order.
func (s Settings) values(tags []byte) []tlv {
	var all []tlv
	text := func(tag byte, v string) {
		if v != "" {
			all = append(all, tlv{tag, []byte(v)})
		}
	}
	for _, tag := range tags {
		switch tag {
		case tagSSID:
			text(tag, s.SSID)
		case tagKey:
			text(tag, s.Key)
		case tagBrokerHost:
			text(tag, s.BrokerHost)
		case tagBrokerPort:
			if s.BrokerPort != 0 {
				all = append(all, tlv{tag, binary.LittleEndian.AppendUint16(nil, s.BrokerPort)})
			}
		case tagAccount:
			text(tag, s.Account)
		case tagSecret:
			text(tag, s.Secret)
		case tagTLSKey:
			text(tag, string(s.TLSKey))
		case tagPage:
			text(tag, s.Page)
		case tagTransport:
			if s.Transport != NoTransport {
				all = append(all, tlv{tag, []byte{byte(s.Transport - WiFi)}})
			}
		case tagHome:
			text(tag, s.Home)
		case tagName:
			text(tag, s.Name)
		case tagRole:
			if i := slices.Index(roles, s.Role); i >= 0 {
				all = append(all, tlv{tag, []byte{byte(i)}})
			}
		case tagHold:
			if s.Hold != nil {
				all = append(all, tlv{tag, binary.LittleEndian.AppendUint32(nil, *s.Hold)})
			}
		case tagPort:
			for _, p := range s.Ports {
				all = append(all, tlv{tag, p.encode()})
			}
		case tagPin:
			for _, p := range s.Pins {
				all = append(all, tlv{tag, p.encode()})
			}
		case tagLabel:
			text(tag, s.Label)
		}
	}
	return all
}

// encode returns the TLVs of the tags that s has; where gone is set, also an
// empty one of each that it has not.
func (s Settings) encode(tags []byte, gone bool) []byte {
	var out []byte
	for _, tag := range tags {
		values := s.values([]byte{tag})
		if gone && len(values) == 0 {
			values = []tlv{{tag: tag}}
		}
		for _, v := range values {
			out = append(append(out, v.tag, byte(len(v.value))), v.value...)
		}
	}
	return out
}

func flags(bits ...bool) byte {
	var out byte
	for i, b := range bits {
		if b {
			out |= 1 << i
		}
	}
	return out
}

func (p Port) encode() []byte {
	out := []byte{flags(p.Publish, p.Toggle, p.Writable, p.Retain)}
	out = binary.LittleEndian.AppendUint32(out, uint32(p.Min))
	out = binary.LittleEndian.AppendUint32(out, uint32(p.Max))
	for _, s := range []string{p.Slot, p.Topic, p.Yes, p.No} {
		out = append(append(out, byte(len(s))), s...)
	}
	return out
}

func (p Pin) encode() []byte { return append([]byte{p.GPIO, flags(p.Inverted, p.PullUp)}, p.Slot...) }

// Decode reads TLVs. It fails with core.ErrInvalid where they are not settings.
func Decode(tlvs []byte) (Settings, error) {
	var s Settings
	if len(tlvs) > MaxSettings || !s.take(tlvs, false) {
		return Settings{}, unreadable()
	}
	return s, nil
}

func unreadable() error {
	return core.Fail(core.ErrInvalid, "These are not settings of a kit. Set the kit up again.")
}

// split calls f with each TLV, until it says no. It says no to what is cut off.
func split(tlvs []byte, f func(tag byte, value []byte) bool) bool {
	for len(tlvs) > 0 {
		if len(tlvs) < 2 || len(tlvs) < 2+int(tlvs[1]) {
			return false
		}
		n := 2 + int(tlvs[1])
		if !f(tlvs[0], tlvs[2:n]) {
			return false
		}
		tlvs = tlvs[n:]
	}
	return true
}

// take puts TLVs into s. An empty value takes a tag away, where they are a change.
func (s *Settings) take(tlvs []byte, change bool) bool {
	var seen [256]int
	var emptied [256]bool
	adds := false // the ports
	return split(tlvs, func(tag byte, v []byte) bool {
		if !slices.Contains(order, tag) {
			return true
		}
		seen[tag]++
		most := 1
		switch tag {
		case tagPort:
			most = MaxPorts
		case tagPin:
			most = MaxPins
		}
		if seen[tag] > most || emptied[tag] {
			return false
		}
		if tag == tagPort && len(v) > 0 {
			added := v[0]&addedPort != 0
			if added && !change || seen[tag] > 1 && added != adds {
				return false
			}
			adds = added
		}
		if change && seen[tag] == 1 && !(tag == tagPort && adds) {
			s.clear(tag)
		}
		if len(v) == 0 {
			emptied[tag] = true
			return change && seen[tag] == 1
		}
		return s.set(tag, v)
	})
}

// clear takes a tag away.
func (s *Settings) clear(tag byte) {
	switch tag {
	case tagSSID:
		s.SSID = ""
	case tagKey:
		s.Key = ""
	case tagBrokerHost:
		s.BrokerHost = ""
	case tagBrokerPort:
		s.BrokerPort = 0
	case tagAccount:
		s.Account = ""
	case tagSecret:
		s.Secret = ""
	case tagTLSKey:
		s.TLSKey = nil
	case tagPage:
		s.Page = ""
	case tagTransport:
		s.Transport = NoTransport
	case tagHome:
		s.Home = ""
	case tagName:
		s.Name = ""
	case tagRole:
		s.Role = ""
	case tagHold:
		s.Hold = nil
	case tagPort:
		s.Ports = nil
	case tagPin:
		s.Pins = nil
	case tagLabel:
		s.Label = ""
	}
}

// set reads the value of a tag, which is not empty.
func (s *Settings) set(tag byte, v []byte) bool {
	text := func(to *string, most int) bool {
		*to = string(v)
		return plain(v, most)
	}
	switch tag {
	case tagSSID:
		return text(&s.SSID, 32)
	case tagKey:
		return text(&s.Key, 64) && validKey(s.Key)
	case tagBrokerHost:
		return text(&s.BrokerHost, 63)
	case tagBrokerPort:
		if len(v) != 2 {
			return false
		}
		s.BrokerPort = binary.LittleEndian.Uint16(v)
		return s.BrokerPort != 0
	case tagAccount:
		return text(&s.Account, 64)
	case tagSecret:
		return text(&s.Secret, 64)
	case tagTLSKey:
		s.TLSKey = bytes.Clone(v)
		return len(v) <= MaxTLSKey
	case tagPage:
		return text(&s.Page, 72)
	case tagTransport:
		s.Transport = WiFi + Transport(v[0])
		return len(v) == 1 && v[0] <= 1
	case tagHome:
		return text(&s.Home, MaxHome) && validHome(s.Home)
	case tagName:
		return text(&s.Name, MaxTopic)
	case tagRole:
		if len(v) != 1 || int(v[0]) >= len(roles) {
			return false
		}
		s.Role = roles[v[0]]
	case tagHold:
		if len(v) != 4 {
			return false
		}
		s.Hold = new(binary.LittleEndian.Uint32(v))
	case tagPort:
		p, ok := decodePort(v)
		s.Ports = append(s.Ports, p)
		return ok && len(s.Ports) <= MaxPorts
	case tagPin:
		p, ok := decodePin(v)
		s.Pins = append(s.Pins, p)
		return ok
	case tagLabel:
		return text(&s.Label, 63)
	}
	return true
}

// plain reports whether a kit can keep a text: it ends its texts with 00.
func plain(v []byte, most int) bool { return len(v) <= most && bytes.IndexByte(v, 0) < 0 }

// validKey reports whether a kit can keep it: a passphrase or a PMK.
func validKey(key string) bool {
	if len(key) == 64 {
		_, err := hex.DecodeString(key)
		return err == nil
	}
	return len(key) >= 8 && len(key) < 64
}

// validHome reports whether a kit asks for it by mDNS: something before ".local".
func validHome(name string) bool {
	return len(name) > len(".local") && strings.HasSuffix(name, ".local")
}

func decodePort(v []byte) (p Port, ok bool) {
	if len(v) < 9 || v[0] > 15|addedPort {
		return p, false
	}
	p = Port{
		Publish: v[0]&1 != 0, Toggle: v[0]&2 != 0, Writable: v[0]&4 != 0, Retain: v[0]&8 != 0,
		Min: int32(binary.LittleEndian.Uint32(v[1:])), Max: int32(binary.LittleEndian.Uint32(v[5:])),
	}
	v = v[9:]
	for _, f := range []struct {
		to   *string
		most int
	}{{&p.Slot, MaxSlot}, {&p.Topic, MaxTopic}, {&p.Yes, MaxWord}, {&p.No, MaxWord}} {
		if len(v) == 0 || v[0] == 0 || len(v) < 1+int(v[0]) || !plain(v[1:1+int(v[0])], f.most) {
			return p, false
		}
		*f.to, v = string(v[1:1+int(v[0])]), v[1+int(v[0]):]
	}
	return p, len(v) == 0
}

func decodePin(v []byte) (p Pin, ok bool) {
	if len(v) < 3 || !plain(v[2:], MaxSlot) || v[0] > core.PinA0 || v[0] >= 6 && v[0] <= 11 || v[1] > 3 {
		return p, false
	}
	return Pin{Slot: string(v[2:]), GPIO: v[0], Inverted: v[1]&1 != 0, PullUp: v[1]&2 != 0}, true
}

// Change returns the change that makes any settings s.
func (s Settings) Change() []byte { return s.encode(order, true) }

// DesignChange returns the change that makes what the design decides of any settings
// as it is in s. The network stays.
func (s Settings) DesignChange() []byte {
	return s.encode(order[slices.Index(order, tagName):], true)
}

// Difference returns the change that makes from to; it is empty where they are
// the same. What a kit told has neither key nor secret, so these are in it
// wherever to has them; an open network takes the key of another away.
func Difference(from, to Settings) []byte {
	var tags []byte
	for _, tag := range order {
		one := []byte{tag}
		if !bytes.Equal(from.encode(one, true), to.encode(one, true)) || tag == tagKey && from.SSID != to.SSID {
			tags = append(tags, tag)
		}
	}
	return to.encode(tags, true)
}

// Apply returns s after a change. The whole change holds, or it fails with
// core.ErrInvalid.
func (s Settings) Apply(change []byte) (Settings, error) {
	to := s
	// append must not write where s has its ports.
	to.Ports, to.Pins = slices.Clone(s.Ports), slices.Clone(s.Pins)
	if len(change) > MaxSettings || !to.take(change, true) || len(to.encode(order, false)) > MaxSettings {
		return s, unreadable()
	}
	return to, nil
}

// DesignCRC is the CRC32 of the part that the design decides, by which program and
// kit tell whether they agree; 0 where there is none.
func (s Settings) DesignCRC() uint32 {
	return crc32.ChecksumIEEE(s.encode(order[slices.Index(order, tagName):], false))
}

// CRC is the CRC32 of all TLVs, as Kit.Write tells it of what the kit has kept.
func (s Settings) CRC() uint32 { return crc32.ChecksumIEEE(s.encode(order, false)) }

// Ready reports whether a kit that has s tries to join; else it waits for the rest.
func (s Settings) Ready() bool {
	return s.Name != "" && s.Account != "" && s.Secret != "" && s.BrokerHost != "" && s.BrokerPort != 0 && (s.Transport == Cable || s.SSID != "")
}

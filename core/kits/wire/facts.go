package wire

import (
	"encoding/binary"
	"net"
	"slices"
	"time"

	"homeroom/core"
)

// Identity is what a kit says about itself. A zero field was not told.
type Identity struct {
	Firmware string // "homeroom-kit"
	Variant  string // "wifi", "wired" or "host"
	Version  string
	ChipID   uint32
	MAC      string // "5c:cf:7f:01:02:03"
	Flash    uint32 // bytes
	Heap     uint32 // bytes that are free
	Uptime   time.Duration
	Protocol uint8  // version of firmware/PROTOCOL.md, 1
	Sequence uint32 // of its settings; 0 is none
	Design   uint32 // Settings.DesignCRC of what it has
	State    State
	Address  string // on the network
	Signal   int    // dBm
	// What it can beside the cable.
	WiFi, TLS, Updates bool
}

// decodeIdentity reads the facts of hello.
func decodeIdentity(data []byte) (id Identity, ok bool) {
	ok = split(data, func(tag byte, v []byte) bool {
		number := func(to *uint32) bool {
			if len(v) != 4 {
				return false
			}
			*to = binary.LittleEndian.Uint32(v)
			return true
		}
		switch tag {
		case 0x01:
			id.Firmware = readable(v)
		case 0x02:
			id.Variant = readable(v)
		case 0x03:
			id.Version = readable(v)
		case 0x04:
			return number(&id.ChipID)
		case 0x05:
			id.MAC = net.HardwareAddr(v).String()
			return len(v) == 6
		case 0x06:
			return number(&id.Flash)
		case 0x07:
			return number(&id.Heap)
		case 0x08:
			var n uint32
			ok := number(&n)
			id.Uptime = time.Duration(n) * time.Second
			return ok
		case 0x09, 0x0c, 0x0e, 0x0f:
			if len(v) != 1 {
				return false
			}
			switch tag {
			case 0x09:
				id.Protocol = v[0]
			case 0x0c:
				id.State = State(v[0])
			case 0x0f:
				id.WiFi, id.TLS, id.Updates = v[0]&1 != 0, v[0]&2 != 0, v[0]&4 != 0
			default:
				id.Signal = int(int8(v[0]))
			}
		case 0x0a:
			return number(&id.Sequence)
		case 0x0b:
			return number(&id.Design)
		case 0x0d:
			id.Address = readable(v)
		}
		return true
	})
	return id, ok
}

// State is how far a kit is on its way to the broker.
type State byte

// The states.
const (
	StateNoSettings State = iota
	StateNetwork          // it joins the Wi-Fi network
	StateBroker           // it joins the broker
	StateJoined
	StateWaits // before it tries again
)

// Reason is why a kit is not there yet.
type Reason byte

// The reasons.
const (
	ReasonNone Reason = iota
	ReasonNoNetwork
	ReasonWrongKey
	ReasonNoAddress
	ReasonBrokerSilent
	ReasonRefused // name or secret
	ReasonRefusedElse
	ReasonLost
	ReasonTLS
	ReasonNoProgram
)

// Status is what a kit tells about its way to the broker.
type Status struct {
	State   State
	Reason  Reason
	Signal  int    // dBm
	Address string // on the network, or ""
}

// Problem says why the kit is not joined, and what to do. Format is "" where
// nothing went wrong yet.
func (s Status) Problem() core.Sentence {
	if s.State == StateJoined {
		return core.Sentence{}
	}
	switch s.Reason {
	case ReasonNoNetwork:
		return core.Say("The kit does not see its Wi-Fi network. Bring it nearer, or choose another; it must be one at 2.4 GHz.")
	case ReasonWrongKey:
		return core.Say("The network does not take the Wi-Fi key. Type it again.")
	case ReasonNoAddress:
		return core.Say("The network gives the kit no address. It may be full, or ask for a sign-in page, which a kit cannot do.")
	case ReasonBrokerSilent:
		return core.Say("The kit is in the network but does not reach this PC. The firewall may keep it out, or the network keeps its devices apart.")
	case ReasonRefused:
		return core.Say("The broker refuses the account of the kit. Set the kit up again, so that it gets a new secret.")
	case ReasonRefusedElse:
		return core.Say("The broker refuses something that the kit does. Look at what was refused, and at its grants.")
	case ReasonLost:
		return core.Say("The kit lost its connection and tries again.")
	case ReasonTLS:
		return core.Say("The kit knows another key of this PC, so TLS does not work. Write its settings again.")
	case ReasonNoProgram:
		return core.Say("The kit is on the cable, and no program answers it. Open its port here.")
	}
	return core.Sentence{}
}

func decodeStatus(data []byte) (s Status, ok bool) {
	if len(data) < 4 || len(data) != 4+int(data[3]) {
		return s, false
	}
	return Status{State(data[0]), Reason(data[1]), int(int8(data[2])), readable(data[4:])}, true
}

func decodeInput(data []byte) (slot string, value int32, ok bool) {
	if len(data) < 1 || len(data) != 5+int(data[0]) {
		return "", 0, false
	}
	return readable(data[1 : len(data)-4]), int32(binary.LittleEndian.Uint32(data[len(data)-4:])), true
}

// Securities of a network.
const (
	securityOpen       = 0
	securityWEP        = 1
	securityEnterprise = 5
	securityWPA3       = 6 // alone
)

func decodeNetworks(data []byte) (all []core.Network, ok bool) {
	for len(data) > 0 {
		if len(data) < 4 || data[3] > 32 || len(data) < 4+int(data[3]) {
			return nil, false
		}
		n := 4 + int(data[3])
		all = append(all, core.Network{
			Name: string(data[4:n]), Signal: int(int8(data[0])), Channel: int(data[2]),
			Open: data[1] == securityOpen, Enterprise: data[1] == securityEnterprise,
			Unfit: data[1] == securityWEP || data[1] == securityWPA3,
		})
		data = data[n:]
	}
	return all, true
}

// strongest returns the networks that have a name, strongest first, each name once.
func strongest(all []core.Network) []core.Network {
	slices.SortStableFunc(all, func(a, b core.Network) int { return b.Signal - a.Signal })
	var out []core.Network
	for _, n := range all {
		if n.Name != "" && !slices.ContainsFunc(out, func(o core.Network) bool { return o.Name == n.Name }) {
			out = append(out, n)
		}
	}
	return out
}

// readable is a text that a kit said.
func readable[T ~string | ~[]byte](text T) string { return core.Readable(text, maxLine) }

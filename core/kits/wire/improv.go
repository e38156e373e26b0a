package wire

import "strconv"

// improvHead begins an Improv packet: the magic and version 1 (improv-wifi.com/serial).
const improvHead = "IMPROV\x01"

// Types of Improv packets.
const (
	improvState  = 1 // current state
	improvError  = 2
	improvRPC    = 3 // to the kit
	improvResult = 4 // of an RPC
)

// Commands of Improv.
const (
	improvJoin  = 1
	improvWhich = 2 // request the current state
	improvInfo  = 3
	improvScan  = 4
)

// ImprovState is how far a kit is on its way into a Wi-Fi network.
type ImprovState byte

// The states of Improv.
const (
	ImprovStopped      ImprovState = 0 // no Wi-Fi
	ImprovReady        ImprovState = 2 // it takes a network and a key
	ImprovProvisioning ImprovState = 3 // it tries them
	ImprovProvisioned  ImprovState = 4 // it has joined
)

// improvPacket is a packet of Improv. Its data is at most 255 bytes.
type improvPacket struct {
	kind byte
	data []byte
}

// encode returns the packet as it is sent, with a line end after it.
func (p improvPacket) encode() []byte {
	out := append([]byte(improvHead), p.kind, byte(len(p.data)))
	out = append(out, p.data...)
	return append(out, improvSum(out), '\n')
}

func improvSum(data []byte) byte {
	var sum byte
	for _, c := range data {
		sum += c
	}
	return sum
}

// improvCall returns the packet of a command. Each of words gets its length before it.
func improvCall(command byte, words ...string) improvPacket {
	data := []byte{command, 0}
	for _, w := range words {
		data = append(append(data, byte(len(w))), w...)
	}
	data[1] = byte(len(data) - 2)
	return improvPacket{improvRPC, data}
}

// improvWords reads the result of a command. ok is false where it makes no sense.
func improvWords(data []byte) (command byte, words []string, ok bool) {
	if len(data) < 2 || int(data[1]) != len(data)-2 {
		return 0, nil, false
	}
	command, data = data[0], data[2:]
	for len(data) > 0 {
		n := 1 + int(data[0])
		if n > len(data) {
			return 0, nil, false
		}
		words, data = append(words, string(data[1:n])), data[n:]
	}
	return command, words, true
}

// Device is what a kit says of itself by Improv.
type Device struct {
	Firmware string // "homeroom-kit"
	Version  string
	Chip     string // "ESP8266"
	Name     string
}

// device reads what a device tells of itself; ok is false where it is not that.
func device(words []string) (d Device, ok bool) {
	if len(words) < 4 {
		return d, false
	}
	return Device{readable(words[0]), readable(words[1]), readable(words[2]), readable(words[3])}, true
}

// signal reads a level in dBm; 0 is none.
func signal(word string) int {
	n, err := strconv.ParseInt(word, 10, 8)
	if err != nil || n > 0 {
		return 0
	}
	return int(n)
}

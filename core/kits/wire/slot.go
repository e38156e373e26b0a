package wire

import (
	"encoding/binary"
	"hash/crc32"
)

// Where the settings are in a flash of 4 MiB.
const (
	SlotA    = 0x3FA000
	SlotB    = 0x3FB000
	SlotSize = 0x1000
)

const (
	slotMagic   = "HRS1"
	slotVersion = 1
	slotHead    = 12 // bytes before the TLVs
)

// EncodeSlot returns what is written at the beginning of an erased slot. seq is
// from 1. It fails as Settings.Encode does.
func EncodeSlot(seq uint32, s Settings) ([]byte, error) {
	tlvs, err := s.Encode()
	if err != nil {
		return nil, err
	}
	out := append([]byte(slotMagic), slotVersion, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(tlvs)))
	out = binary.LittleEndian.AppendUint32(out, seq)
	out = append(out, tlvs...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	for len(out)%4 != 0 {
		out = append(out, 0xff)
	}
	return out, nil
}

// DecodeSlot reads a slot from its beginning. ok is false where it is not valid.
func DecodeSlot(slot []byte) (seq uint32, s Settings, ok bool) {
	if len(slot) < slotHead+4 || string(slot[:4]) != slotMagic || slot[4] != slotVersion || slot[5] != 0 {
		return 0, s, false
	}
	n := int(binary.LittleEndian.Uint16(slot[6:]))
	end := slotHead + n
	if n > MaxSettings || len(slot) < end+4 || crc32.ChecksumIEEE(slot[:end]) != binary.LittleEndian.Uint32(slot[end:]) {
		return 0, s, false
	}
	s, err := Decode(slot[slotHead:end])
	seq = binary.LittleEndian.Uint32(slot[8:])
	return seq, s, err == nil && seq > 0
}

// Newest returns the settings that count of the two slots and their sequence; ok
// is false where neither is valid.
func Newest(a, b []byte) (s Settings, seq uint32, ok bool) {
	seqA, inA, okA := DecodeSlot(a)
	seqB, inB, okB := DecodeSlot(b)
	if okB && (!okA || seqB > seqA) {
		return inB, seqB, true
	}
	return inA, seqA, okA
}

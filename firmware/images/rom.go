package images

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A Segment is a part of memory that the boot ROM fills before it jumps to the entry.
type Segment struct {
	Address uint32
	Data    []byte
}

// Memory that the boot ROM may fill: IRAM and DRAM. What is above
// DRAM's end is its own.
const (
	iramStart = 0x40100000
	iramEnd   = 0x40110000
	dramStart = 0x3FFE8000
	dramEnd   = 0x3FFFC000
)

const (
	magic        = 0xE9
	dio          = 2    // flash mode
	flash4M40MHz = 0x40 // 4 MiB, 40 MHz
	seed         = 0xEF // of the checksum
	mostSegments = 16
)

// Encode makes the image that the boot ROM loads from flash address 0, for a flash of 4 MiB in
// DIO mode at 40 MHz: esptool's documentation calls it "Firmware Image
// Format". Data is filled with zeros to whole words. It fails where a segment is not in RAM.
func Encode(entry uint32, segments []Segment) ([]byte, error) {
	if len(segments) == 0 || len(segments) > mostSegments {
		return nil, fmt.Errorf("image: %d segments", len(segments))
	}
	b := []byte{magic, byte(len(segments)), dio, flash4M40MHz}
	b = binary.LittleEndian.AppendUint32(b, entry)
	sum := byte(seed)
	for _, s := range segments {
		words := append([]byte(nil), s.Data...)
		for len(words)%4 != 0 {
			words = append(words, 0)
		}
		if !inRAM(s.Address, len(words)) {
			return nil, fmt.Errorf("image: %d bytes at %08x are not in RAM", len(words), s.Address)
		}
		b = binary.LittleEndian.AppendUint32(b, s.Address)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(words)))
		b = append(b, words...)
		for _, c := range words {
			sum ^= c
		}
	}
	for len(b)%16 != 15 {
		b = append(b, 0)
	}
	return append(b, sum), nil
}

// Decode reads such an image. It fails where the boot ROM would not start it.
func Decode(image []byte) (entry uint32, segments []Segment, err error) {
	if len(image) < 8 || image[0] != magic {
		return 0, nil, errors.New("image: it does not begin with E9")
	}
	if image[1] == 0 || image[1] > mostSegments {
		return 0, nil, fmt.Errorf("image: %d segments", image[1])
	}
	entry = binary.LittleEndian.Uint32(image[4:])
	sum, rest, entered := byte(seed), image[8:], false
	for range image[1] {
		if len(rest) < 8 {
			return 0, nil, errors.New("image: it ends in a segment")
		}
		s := Segment{Address: binary.LittleEndian.Uint32(rest)}
		n := binary.LittleEndian.Uint32(rest[4:])
		rest = rest[8:]
		if uint64(n) > uint64(len(rest)) {
			return 0, nil, errors.New("image: it ends in a segment")
		}
		s.Data, rest = rest[:n], rest[n:]
		if n%4 != 0 || !inRAM(s.Address, len(s.Data)) {
			return 0, nil, fmt.Errorf("image: %d bytes at %08x are not in RAM", n, s.Address)
		}
		for _, c := range s.Data {
			sum ^= c
		}
		entered = entered || entry >= s.Address && entry-s.Address < n
		segments = append(segments, s)
	}
	// The checksum is the last byte of the sixteen that the segments end in.
	at := len(image) - len(rest)
	at += 15 - at%16
	if at >= len(image) {
		return 0, nil, errors.New("image: it ends before its checksum")
	}
	if image[at] != sum {
		return 0, nil, fmt.Errorf("image: its checksum is %02x, not %02x", sum, image[at])
	}
	if !entered {
		return 0, nil, fmt.Errorf("image: nothing is at its entry, %08x", entry)
	}
	return entry, segments, nil
}

func inRAM(address uint32, n int) bool {
	from, to := uint64(address), uint64(address)+uint64(n)
	return from%4 == 0 && (from >= iramStart && to <= iramEnd || from >= dramStart && to <= dramEnd)
}

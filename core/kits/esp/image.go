package esp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"

	"homeroom/core"
)

const (
	imageMagic = 0xE9
	// largestImage is the largest flash of an ESP8266 board.
	largestImage = 16 << 20
	// appAt is where the image of the program lies behind Arduino's own boot loader.
	appAt = 0x1000
)

// ImageInfo is what the file of a firmware says about itself.
type ImageInfo struct {
	// Variant and Version are what Homeroom's firmware says of itself:
	// "wifi" and "1.0.0". They are "" for other firmware.
	Variant, Version string
	Flash            int64  // bytes of flash that its header asks for; NodeMCU's is smaller than itself and mends that when it starts
	Mode             string // how the flash is read: "qio", "qout", "dio", "dout"
	Entry            uint32 // where it starts
	Segments         int    // parts that the ROM copies to RAM
}

// firmwareText is what Homeroom's firmware has somewhere in it.
var firmwareText = regexp.MustCompile(`@HOMEROOM-FIRMWARE@([a-z]{1,16})@([0-9A-Za-z.+-]{1,32})@`)

// flashSizes are what the upper half of the header's fourth byte means, in KiB.
var flashSizes = map[byte]int64{0: 512, 1: 256, 2: 1024, 3: 2048, 4: 4096, 5: 2048, 6: 4096, 7: 4096, 8: 8192, 9: 16384}

// headerFlash returns the bytes of flash that an image's header asks for, 0 where it
// says something unknown.
func headerFlash(image []byte) int64 { return flashSizes[image[3]>>4] << 10 }

// families are the chips that the longer header of the ESP32's family names.
var families = map[uint16]string{
	0: "ESP32", 2: "ESP32-S2", 5: "ESP32-C3", 9: "ESP32-S3", 12: "ESP32-C2", 13: "ESP32-C6",
	16: "ESP32-H2", 18: "ESP32-P4", 20: "ESP32-C61", 23: "ESP32-C5",
}

// CheckImage looks at the file of a firmware that is to be written at 0: header,
// segments, checksum. It fails with core.ErrInvalid and a sentence that tells what
// the file is instead: an ELF, HEX or UF2 file, for an ESP32, cut off, damaged, too large.
func CheckImage(image []byte) (ImageInfo, error) {
	var info ImageInfo
	switch {
	case len(image) == 0:
		return info, core.Fail(core.ErrInvalid, "The file is empty. Build or download the firmware again.")
	case len(image) > largestImage:
		return info, core.Fail(core.ErrInvalid, "The file has {size} MiB, more than any ESP8266 holds. Choose the .bin file of the firmware.", "size", len(image)>>20)
	case image[0] != imageMagic:
		return info, notAnImage(image)
	case len(image) < 16:
		return info, cutOff()
	}
	if chip := otherChip(image); chip != "" {
		return info, core.Fail(core.ErrInvalid, "This firmware is for an {chip}. Kits need one for an ESP8266.", "chip", chip)
	}
	end, err := checkSegments(image, 0)
	if err != nil {
		return info, err
	}
	if end <= appAt && len(image) >= appAt+16 && image[appAt] == imageMagic && plausible(image[appAt:]) {
		if _, err := checkSegments(image, appAt); err != nil {
			return info, err
		}
	}
	info.Flash = headerFlash(image)
	if info.Flash == 0 {
		return info, damaged()
	}
	if image[2] > 3 {
		return info, damaged()
	}
	info.Mode = [...]string{"qio", "qout", "dio", "dout"}[image[2]]
	info.Entry = binary.LittleEndian.Uint32(image[4:])
	info.Segments = int(image[1])
	if m := firmwareText.FindSubmatch(image); m != nil {
		info.Variant, info.Version = string(m[1]), string(m[2])
	}
	return info, nil
}

// checkSegments goes through the segments of the image at a place and compares their
// checksum. It returns where the image ends.
func checkSegments(image []byte, at int) (end int, err error) {
	n := int(image[at+1])
	if n == 0 || n > 16 {
		return 0, damaged()
	}
	sum, pos := byte(0xEF), at+8
	for range n {
		if pos+8 > len(image) {
			return 0, cutOff()
		}
		load := binary.LittleEndian.Uint32(image[pos:])
		size := binary.LittleEndian.Uint32(image[pos+4:])
		if !loadable(load, size) {
			return 0, damaged()
		}
		pos += 8
		if int64(size) > int64(len(image)-pos) {
			return 0, cutOff()
		}
		for _, c := range image[pos : pos+int(size)] {
			sum ^= c
		}
		pos += int(size)
	}
	pos = at + (pos-at)/16*16 + 15 // it is the last byte of a line of sixteen
	if pos >= len(image) {
		return 0, cutOff()
	}
	if image[pos] != sum {
		return 0, damaged()
	}
	return pos + 1, nil
}

// loadable tells whether a segment may be at an address of an ESP8266.
func loadable(at, size uint32) bool {
	for _, m := range [][2]uint32{
		{0x3FFE8000, 0x40000000}, // data
		{0x40100000, 0x40110000}, // code, with the cache
		{0x40200000, 0x40300000}, // flash as memory
	} {
		if at >= m[0] && at < m[1] && size <= m[1]-at {
			return true
		}
	}
	return false
}

// plausible tells whether what follows is meant as an image, and not code that begins
// with the same byte.
func plausible(b []byte) bool {
	return b[1] >= 1 && b[1] <= 16 && b[2] <= 3 && loadable(binary.LittleEndian.Uint32(b[8:]), 0)
}

// otherChip returns the chip that an image with the longer header of the ESP32's
// family is for, or "".
func otherChip(image []byte) string {
	if len(image) < 32 || loadable(binary.LittleEndian.Uint32(image[8:]), 0) {
		return ""
	}
	chip, ok := families[binary.LittleEndian.Uint16(image[12:])]
	if at := binary.LittleEndian.Uint32(image[24:]); !ok || image[23] > 1 || at < 0x3C000000 || at >= 0x60000000 {
		return ""
	}
	return chip
}

// notAnImage says what a file is that is no image.
func notAnImage(b []byte) error {
	switch {
	case bytes.HasPrefix(b, []byte("\x7fELF")):
		return core.Fail(core.ErrInvalid, "This is an ELF file, from which the firmware is made. Choose the .bin file beside it.")
	case b[0] == ':':
		return core.Fail(core.ErrInvalid, "This is a HEX file, for other boards such as Arduino Uno. Choose a .bin file for an ESP8266.")
	case bytes.HasPrefix(b, []byte("UF2\n")):
		return core.Fail(core.ErrInvalid, "This is a UF2 file, for boards that show up as a disk. Choose a .bin file for an ESP8266.")
	case bytes.HasPrefix(b, []byte("\x1f\x8b")), bytes.HasPrefix(b, []byte("PK")):
		return core.Fail(core.ErrInvalid, "The file is packed. Unpack it and choose the .bin file in it.")
	case b[0] == 0xEA:
		return core.Fail(core.ErrInvalid, "This is only the second part of a firmware. Choose the .bin file that is written at 0.")
	}
	return core.Fail(core.ErrInvalid, "This is no firmware for an ESP8266. Choose a .bin file that begins with its header (E9).")
}

func cutOff() error {
	return core.Fail(core.ErrInvalid, "The file is cut off: a part of the firmware is missing. Build or download it again.")
}

func damaged() error {
	return core.Fail(core.ErrInvalid, "The file is damaged: header or checksum are wrong. Build or download it again.")
}

// hexOf writes a number as people write places of a flash.
func hexOf(n int64) string { return fmt.Sprintf("%X", n) }

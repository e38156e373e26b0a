package line

import (
	"strings"

	"homeroom/core"
)

// kind is what is known of a USB chip.
type kind struct {
	title  string
	likely bool // ESP8266 boards have it
}

// kinds are USB chips by vendor and product, as the Linux kernel and the makers list them.
var kinds = map[uint32]kind{
	0x1A867523: {"CH340", true},
	0x1A867522: {"CH340K", true},
	0x1A865523: {"CH341", true},
	0x1A8655D3: {"CH343", true},
	0x1A8655D4: {"CH9102", true},
	0x10C4EA60: {"CP2102", true}, // and CP2104 and CP2102N; the product's name tells
	0x10C4EA70: {"CP2105", true},
	0x04036001: {"FT232", true},
	0x04036014: {"FT232H", true},
	0x04036015: {"FT231X", true},
	0x067B2303: {"PL2303", true},
	0x067B23A3: {"PL2303GC", true},
	0x067B23C3: {"PL2303GT", true},
	0x067B23D3: {"PL2303GL", true},
	0x0D280204: {"micro:bit", false},
	0x04835740: {"STM32", false},
	0x16C00483: {"Teensy", false},
}

// boards are makers whose boards speak USB themselves, so they are no ESP8266.
var boards = map[uint16]string{
	0x303A: "ESP32 with USB",
	0x2341: "Arduino",
	0x2A03: "Arduino",
	0x239A: "Adafruit",
	0x2E8A: "Raspberry Pi Pico",
}

// identify names the port of a USB chip. product is what the device calls itself.
func identify(vid, pid uint16, product string) (title string, likely bool) {
	product = plain(product)
	if k, ok := kinds[uint32(vid)<<16|uint32(pid)]; ok {
		if own, _, _ := strings.Cut(product, " "); strings.HasPrefix(own, "CP21") && len(own) < 12 {
			return own, k.likely
		}
		return k.title, k.likely
	}
	if b, ok := boards[vid]; ok {
		return b, false
	}
	return product, false
}

// foreign tells whether a port is of a board that is no ESP8266.
func foreign(vid, pid uint16) bool {
	k, known := kinds[uint32(vid)<<16|uint32(pid)]
	return boards[vid] != "" || known && !k.likely
}

// plain returns what a device calls itself as it can be shown.
func plain(s string) string { return core.Readable(strings.Trim(s, "\x00 "), 64) }

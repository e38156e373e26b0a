// Package esp talks to the boot loader of an ESP8266: it resets the chip into it,
// finds out which chip, MAC and flash there are, and writes, verifies, erases and
// reads the flash. Espressif's "Serial Protocol" document is what it follows
// (esptool, docs/en/advanced-topics/serial-protocol.rst).
//
// There are two programs that answer: the one in the chip's ROM, and the stub that
// is loaded into its RAM, which is faster and knows compression, MD5 and reading.
package esp

import (
	"time"

	"homeroom/core"
)

// Baud rates that a flash goes at. It begins with the first, goes to a faster one once
// the stub runs and answers at it, and to a slower one whenever something was lost.
const (
	baudFirst = 115200
	// BaudSafe is the rate that all USB chips of such boards manage.
	BaudSafe = 460800
)

// Options of a connection.
type Options struct {
	// Baud is the fastest rate; 0 is BaudSafe.
	Baud int
	// FlashSize is how many bytes the flash has, where it does not tell itself. 0 is
	// what the header of an image says that is written at 0.
	FlashSize int64
	// AnyHeader lets an image be written whose header asks for more flash than there is.
	AnyHeader bool
	// Stub is esptool-js's esp8266.json. Without it the ROM writes: slower, and
	// nothing can be verified or read back.
	Stub []byte
	// Progress is told how far a step is, at most ten times a second. It must
	// return at once. It may be nil.
	Progress func(core.KitProgress)
	// ByHand is told what a person has to do with the board's buttons, and a sentence
	// without Format once that is done. Where it is nil, nobody is asked, and
	// Connect fails.
	ByHand func(core.Sentence)
	// HandsFor is how long a person may take for that; 0 is as long as they like.
	HandsFor time.Duration
	// Log is told what is said with the board, a line each. It may be nil.
	Log func(string)
}

// Package line is the serial ports of this PC: which there are, why one cannot be
// used, and how it is talked to. It fences go.bug.st/serial, which does that on
// Windows, macOS and Linux without cgo.
package line

import (
	"errors"
	"io"
	"time"
)

// Port is an open serial port. One goroutine reads and one may write at the same
// time; Close ends a Read that waits. core/kits/chip is one, too.
type Port interface {
	// Read returns 0 bytes and no error when nothing came within the read timeout.
	// It fails with ErrGone once the port was unplugged.
	io.ReadWriteCloser
	// SetReadTimeout sets how long Read waits; it is a second at first.
	SetReadTimeout(d time.Duration) error
	// SetBaud sets the rate; 8N1 always. It is 115200 at first.
	SetBaud(baud int) error
	// SetDTR and SetRTS set a modem line; on is low on the wire. They fail with
	// ErrNoLines where the port has none, as a PTY.
	SetDTR(on bool) error
	SetRTS(on bool) error
	// Discard forgets what has come in and was not read.
	Discard() error
}

var (
	// ErrGone means that the port was unplugged.
	ErrGone = errors.New("the port is gone")
	// ErrNoLines means that the port has no modem lines.
	ErrNoLines = errors.New("the port has no modem lines")
)

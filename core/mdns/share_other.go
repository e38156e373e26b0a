//go:build unix && !linux

package mdns

import (
	"errors"
	"syscall"
)

// share lets other programs of this PC, such as mDNSResponder of macOS, have the port
// too. There both options are needed.
func share(_, _ string, c syscall.RawConn) (err error) {
	ctl := c.Control(func(fd uintptr) {
		err = errors.Join(
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEPORT, 1))
	})
	if ctl != nil {
		return ctl
	}
	return err
}

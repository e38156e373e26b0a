package mdns

import "syscall"

// share lets other programs of this PC, such as the DNS client of Windows, have the
// port too.
func share(_, _ string, c syscall.RawConn) (err error) {
	ctl := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(syscall.Handle(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	})
	if ctl != nil {
		return ctl
	}
	return err
}

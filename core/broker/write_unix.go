//go:build unix

package broker

import (
	"net"
	"syscall"
)

// tryWrite writes as much of p as the network takes without waiting, and returns
// how much that was. A failure is found by the next write that waits.
func tryWrite(c net.Conn, p []byte) (n int) {
	tcp, ok := c.(*net.TCPConn)
	if !ok || len(p) == 0 {
		return 0
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Write(func(fd uintptr) bool {
		n, err = syscall.Write(int(fd), p)
		return true // never wait
	})
	if err != nil {
		return 0
	}
	return n
}

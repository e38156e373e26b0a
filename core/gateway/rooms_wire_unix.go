//go:build unix

package gateway

import (
	"net"
	"syscall"
)

// tryWriter writes without waiting.
type tryWriter struct{ raw syscall.RawConn }

func newTryWriter(c net.Conn) (t tryWriter) {
	if tcp, ok := c.(*net.TCPConn); ok {
		t.raw, _ = tcp.SyscallConn()
	}
	return t
}

// write writes as much of p as the network takes without waiting, and returns how
// much that was. A failure is found by the next write that waits.
func (t tryWriter) write(p []byte) (n int) {
	if t.raw == nil {
		return 0
	}
	_ = t.raw.Write(func(fd uintptr) bool {
		n, _ = syscall.Write(int(fd), p)
		return true // never wait
	})
	return max(0, n)
}

package gateway

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	writeWithin = 20 * time.Second // for one write to be taken
	inKernel    = 256 << 10        // bytes that the system keeps for one reader; by itself it would keep megabytes
	idleRate    = 20               // frames that carry nothing, from one client in a second
	idleBurst   = 200
)

// errFlood ends a connection that sends pings and empty frames without end: each
// costs time and none is a message that something else could count.
var errFlood = errors.New("too many empty frames")

// wire is the network under a websocket. Whole frames are written to it, by
// websocket itself or by push, and never in one another.
type wire struct {
	net.Conn
	early  []byte // of the reading goroutine; what came before Conn was ours
	frames frames // likewise
	idle   bucket // likewise

	try tryWriter // under mu

	mu      sync.Mutex
	waiting net.Buffers // guarded by mu; frames in order, the first perhaps in part
	size    int         // guarded by mu; bytes in waiting and of what flush writes
	busy    bool        // guarded by mu; somebody writes
	closed  bool        // guarded by mu
	free    sync.Cond   // of mu: not busy, or closed
}

func newWire(c net.Conn) *wire {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(inKernel)
	}
	w := &wire{Conn: c, try: newTryWriter(c)}
	w.free.L = &w.mu
	return w
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := copy(p, w.early), error(nil)
	if w.early = w.early[n:]; n == 0 {
		n, err = w.Conn.Read(p)
	}
	for idle := w.frames.idle(p[:n]); idle > 0; idle-- {
		if w.idle.take(time.Now(), idleRate, idleBurst) > 0 {
			return 0, errFlood
		}
	}
	return n, err
}

// push writes a frame, as far as the network takes it without waiting, and leaves
// the rest to flush. It does not wait, does not change frame, and reports whether
// what waits is within bounds; a frame beyond them is not written.
func (w *wire) push(frame []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return true
	}
	if !w.busy {
		if frame = frame[w.try.write(frame):]; len(frame) == 0 {
			return true
		}
	}
	if w.size > 0 && w.size+len(frame) > maxWaiting {
		return false
	}
	w.waiting = append(w.waiting, frame)
	w.size += len(frame)
	if !w.busy {
		w.busy = true
		go w.flush()
	}
	return true
}

// flush writes what waits, and ends when nothing is left.
func (w *wire) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.waiting) > 0 && !w.closed {
		out := w.waiting
		w.waiting = nil
		w.mu.Unlock()
		n, err := w.write(out)
		w.mu.Lock()
		w.size -= n
		w.failed(err)
	}
	w.busy = false
	w.free.Broadcast()
}

// write gives a write its time, also one that websocket makes by itself.
func (w *wire) write(out net.Buffers) (int, error) {
	_ = w.SetWriteDeadline(time.Now().Add(writeWithin))
	n, err := out.WriteTo(w.Conn)
	return int(n), err
}

// Write writes one or more whole frames after those that wait.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	for w.busy && !w.closed {
		w.free.Wait()
	}
	if w.closed {
		w.mu.Unlock()
		return 0, net.ErrClosed
	}
	w.busy = true
	w.mu.Unlock()
	n, err := w.write(net.Buffers{p})
	w.mu.Lock()
	w.failed(err)
	w.mu.Unlock()
	w.flush() // what was pushed meanwhile
	return n, err
}

// failed closes after an error: a frame may be written in part. w.mu is held.
func (w *wire) failed(err error) {
	if err != nil {
		w.closed, w.waiting = true, nil
		_ = w.Conn.Close()
	}
}

// Close closes the network at once.
func (w *wire) Close() error {
	w.mu.Lock()
	w.closed, w.waiting = true, nil
	w.free.Broadcast()
	w.mu.Unlock()
	return w.Conn.Close()
}

// textFrame returns text as one frame (RFC 6455, section 5.2).
func textFrame(text []byte) []byte {
	f := make([]byte, 0, len(text)+10)
	switch n := len(text); {
	case n < 126:
		f = append(f, 0x81, byte(n))
	case n < 1<<16:
		f = binary.BigEndian.AppendUint16(append(f, 0x81, 126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, 0x81, 127), uint64(n))
	}
	return append(f, text...)
}

// frames follows the frames of a client's websocket (RFC 6455, section 5.2).
type frames struct {
	head [14]byte
	have int    // bytes in head
	rest uint64 // bytes of the payload that are to come
}

// idle returns how many frames in p are no part of a message, or an empty one.
func (f *frames) idle(p []byte) (n int) {
	for len(p) > 0 {
		if f.rest > 0 {
			skip := min(f.rest, uint64(len(p)))
			f.rest -= skip
			p = p[skip:]
			continue
		}
		f.head[f.have] = p[0]
		f.have++
		p = p[1:]
		if f.have < 2 {
			continue
		}
		length, size := uint64(f.head[1]&0x7f), 2
		switch length {
		case 126:
			size = 4
			length = uint64(binary.BigEndian.Uint16(f.head[2:]))
		case 127:
			size = 10
			length = binary.BigEndian.Uint64(f.head[2:])
		}
		if f.head[1]&0x80 != 0 {
			size += 4
		}
		if f.have < size {
			continue
		}
		f.have, f.rest = 0, length
		if f.head[0]&0x08 != 0 || length == 0 {
			n++
		}
	}
	return n
}

// bucket counts what may be done now.
type bucket struct {
	have float64
	at   time.Time
}

// take takes one and returns how long to wait for it. rate come in a second, and
// burst are kept.
func (b *bucket) take(now time.Time, rate, burst float64) time.Duration {
	if b.at.IsZero() {
		b.have = burst
	} else {
		b.have = min(burst, b.have+now.Sub(b.at).Seconds()*rate)
	}
	b.at = now
	if b.have--; b.have >= 0 {
		return 0
	}
	return time.Duration(-b.have / rate * float64(time.Second))
}

// upgrade makes r a websocket. What it refuses is answered.
func upgrade(w http.ResponseWriter, r *http.Request, subprotocol string) (*websocket.Conn, *wire, error) {
	h := &hijacker{ResponseWriter: w}
	ws, err := websocket.Accept(h, r, &websocket.AcceptOptions{
		Subprotocols:       []string{subprotocol},
		InsecureSkipVerify: true, // fromHere has looked at the Origin
	})
	return ws, h.wire, err
}

// hijacker puts a wire under the websocket, and small buffers: thousands are open
// and few are busy.
type hijacker struct {
	http.ResponseWriter
	wire *wire
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, b, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, err := b.Reader.Peek(b.Reader.Buffered())
	if err != nil {
		return nil, nil, err
	}
	h.wire = newWire(conn)
	h.wire.early = slices.Clone(early)
	return h.wire, bufio.NewReadWriter(bufio.NewReaderSize(h.wire, 1<<10), bufio.NewWriterSize(h.wire, 1<<10)), nil
}

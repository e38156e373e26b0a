package broker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
)

const (
	connectWithin = 10 * time.Second // for the whole CONNECT packet
	maxConnect    = 132 << 10        // bytes of a CONNECT packet: a will of 64 KiB and the rest
	maxAck        = 64 << 10         // bytes of an acknowledgement
	maxOut        = 1 << 20          // bytes that may wait to be written to one client
	writeWithin   = 20 * time.Second // for one write to make progress
	lingerFor     = time.Second      // for the last packets after Close
)

// conn is a client's connection as the engine sees it. It takes the
// acknowledgements of our deliveries out of what the engine reads, bounds
// packets before anybody allocates them, and never lets its writer wait.
type conn struct {
	net.Conn
	b *Broker

	// Of the reading goroutine, which is the engine's:
	r      *bufio.Reader
	pass   int // bytes of the present packet that the engine has not read
	begun  bool
	due    []retainedFor // of the SUBSCRIBE being answered
	vacant int           // filters that the session may still have, at that SUBSCRIBE

	// Set by the door at CONNECT, on the reading goroutine, and read-only after:
	clientID  string
	name      string // as the client sent it
	account   core.Account
	version   byte
	keepalive time.Duration
	maxPacket int // that the client accepts
	session   *session
	present   bool
	opened    time.Time
	suffix    string // makes the engine's name for this connection unique

	mu       sync.Mutex
	out      []byte    // guarded by mu; waiting to be written
	held     []segment // guarded by mu; waiting for the journal first
	waiting  int       // guarded by mu; bytes in out, in held and in the write under way
	answers  int       // guarded by mu; bytes of the engine that are in waiting
	holding  bool      // guarded by mu; release runs
	gated    bool      // guarded by mu; a message is in held
	after    uint64    // guarded by mu; journal position that the next acknowledgement waits for
	flushing bool      // guarded by mu
	blocked  bool      // guarded by mu; a delivery found no room
	closed   bool      // guarded by mu
	will     *will     // guarded by mu
	room     *sync.Cond
	done     chan struct{} // closed by Close
}

// segment is bytes that may be written once the journal has stored a position.
type segment struct {
	buf   []byte
	after uint64
}

// delayed is a will that is sent unless its client comes back in time.
type delayed struct {
	timer *time.Timer
	c     *conn
	w     *will
}

// will is what is published when the connection ends without a DISCONNECT.
type will struct {
	m       *message
	delay   time.Duration
	expires time.Duration // of the message, from its sending; 0 is never
}

var errClosed = errors.New("connection closed")

func newConn(b *Broker, raw net.Conn) *conn {
	c := &conn{Conn: raw, b: b, r: bufio.NewReaderSize(raw, 2048), opened: time.Now(), done: make(chan struct{})}
	c.room = sync.NewCond(&c.mu)
	_ = raw.SetReadDeadline(c.opened.Add(connectWithin))
	return c
}

func (c *conn) host() string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return c.RemoteAddr().String()
	}
	return host
}

// Read gives the engine the next bytes of a packet that concerns it.
func (c *conn) Read(p []byte) (int, error) {
	for c.pass == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n, err := c.r.Read(p[:min(len(p), c.pass)])
	c.pass -= n
	return n, err
}

// next looks at the header of the next packet (MQTT 5.0, section 2.1).
func (c *conn) next() error {
	kind, header, length, err := peekHeader(c.r)
	if err != nil {
		return err
	}
	if !c.begun {
		c.begun = true
		if kind != packets.Connect || length > maxConnect {
			return packets.ErrProtocolViolationRequireFirstConnect
		}
	}
	if header+length > MaxPacket {
		c.b.refuse(c, core.Say("{name} sent a packet of {size} bytes and was disconnected. Send at most {max} MB at once.", "name", c.title(), "size", header+length, "max", MaxPacket>>20))
		c.disconnect(packets.ErrPacketTooLarge)
		return packets.ErrPacketTooLarge
	}
	switch kind {
	case packets.Puback, packets.Pubrec, packets.Pubcomp:
	default:
		c.pass = header + length
		return nil
	}
	if length < 2 || length > maxAck {
		c.disconnect(packets.ErrMalformedPacket)
		return packets.ErrMalformedPacket
	}
	body := make([]byte, header+length)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return err
	}
	body = body[header:]
	reason := byte(0)
	if c.version == 5 && len(body) > 2 {
		reason = body[2]
	}
	if c.session != nil {
		c.session.acknowledged(c, kind, binary.BigEndian.Uint16(body), reason)
	}
	if c.keepalive > 0 { // the engine did not see this sign of life
		_ = c.SetReadDeadline(time.Now().Add(c.keepalive * 3 / 2))
	}
	return nil
}

// peekHeader returns the packet type, the length of the fixed header and the
// Remaining Length, and consumes nothing.
func peekHeader(r *bufio.Reader) (kind byte, header, length int, err error) {
	for header = 2; header <= 5; header++ {
		b, err := r.Peek(header)
		if err != nil {
			return 0, 0, 0, err
		}
		last := b[header-1]
		length |= int(last&0x7f) << (7 * (header - 2))
		if last < 0x80 {
			return b[0] >> 4, header, length, nil
		}
	}
	return 0, 0, 0, packets.ErrMalformedVariableByteInteger
}

// SetDeadline bounds reading only: writes have their own deadline.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// Write takes a packet from the engine. An acknowledgement waits for the
// journal; nothing makes the engine wait.
func (c *conn) Write(p []byte) (int, error) {
	kind := p[0] >> 4
	if kind == packets.Disconnect && c.version < 5 {
		return len(p), nil // only clients send it before MQTT 5
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, errClosed
	}
	if c.answers > maxOut {
		return 0, fmt.Errorf("%w: it does not read", errClosed)
	}
	after := uint64(0)
	switch kind {
	case packets.Puback, packets.Pubrec, packets.Pubcomp, packets.Suback, packets.Unsuback:
		after = c.after
	}
	c.answers += len(p)
	c.append(p, after)
	return len(p), nil
}

// answer writes a packet of ours once the journal has stored a position.
func (c *conn) answer(p []byte, after uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.append(p, after)
	}
}

// hold makes the acknowledgements that follow wait for a journal position.
func (c *conn) hold(at uint64) {
	c.mu.Lock()
	c.after = max(c.after, at)
	c.mu.Unlock()
}

// deliver queues a PUBLISH frame, patched for this client, and reports whether
// there was room. The frame itself is not changed.
func (c *conn) deliver(frame []byte, id uint16, dup bool, after uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.waiting > 0 && c.waiting+len(frame) > maxOut {
		c.blocked = true
		return false
	}
	if c.gated && len(c.held) > 0 { // messages stay in order
		after = max(after, c.held[len(c.held)-1].after)
	}
	buf := c.append(frame, after)
	c.gated = after > 0 && len(c.held) > 0
	if id != 0 {
		patch(buf, id, dup)
	}
	return true
}

// append adds p to what is written and returns the copy. c.mu is held. What need
// not wait for the journal passes what does, so that a full disk does not make a
// client believe that nobody is there.
func (c *conn) append(p []byte, after uint64) []byte {
	c.waiting += len(p)
	if after > 0 && (len(c.held) > 0 || !c.b.journal.has(after)) {
		n := len(c.held)
		if n == 0 || after > c.held[n-1].after {
			c.held = append(c.held, segment{after: after})
			n++
		}
		s := &c.held[n-1]
		s.buf = append(s.buf, p...)
		if !c.holding {
			c.holding = true
			go c.release()
		}
		return s.buf[len(s.buf)-len(p):]
	}
	c.out = append(c.out, p...)
	if !c.flushing {
		c.flushing = true
		go c.flush()
	}
	return c.out[len(c.out)-len(p):]
}

// release moves what waits for the journal to what is written, in order, and
// ends when nothing is left.
func (c *conn) release() {
	for {
		c.mu.Lock()
		if len(c.held) == 0 {
			c.holding = false
			c.finish()
			c.mu.Unlock()
			return
		}
		after := c.held[0].after
		c.mu.Unlock()
		err := c.b.journal.waitOr(after, c.done)
		c.mu.Lock()
		if err != nil {
			for _, s := range c.held {
				c.waiting -= len(s.buf)
			}
			c.held = nil
		} else {
			c.out = append(c.out, c.held[0].buf...)
			c.held = c.held[1:]
			if !c.flushing {
				c.flushing = true
				go c.flush()
			}
		}
		c.mu.Unlock()
	}
}

// finish closes a connection that was told to close, when nothing is left to
// write. c.mu is held.
func (c *conn) finish() {
	if c.closed && !c.flushing && !c.holding {
		_ = c.Conn.Close()
	}
}

// flush writes what waits, as much at once as there is, and ends when nothing
// is left: an idle connection costs no goroutine here.
func (c *conn) flush() {
	for {
		c.mu.Lock()
		if len(c.out) == 0 {
			c.out = nil
			c.flushing = false
			c.finish()
			c.mu.Unlock()
			return
		}
		buf := c.out
		c.out = nil
		c.mu.Unlock()

		err := c.write(buf)
		c.mu.Lock()
		c.answers = max(0, c.answers-len(buf))
		blocked := c.blocked && c.waiting <= maxOut/2
		if blocked {
			c.blocked = false
		}
		c.room.Broadcast()
		slow := errors.Is(err, os.ErrDeadlineExceeded) && !c.closed
		if err != nil {
			c.out, c.closed, c.flushing = nil, true, false
			_ = c.Conn.Close()
			c.mu.Unlock()
			if slow && c.session != nil {
				c.b.refuse(c, core.Say("{name} did not read for {n} s and was disconnected. It will get the rest when it connects again.", "name", c.title(), "n", int(writeWithin.Seconds())))
			}
			return
		}
		c.mu.Unlock()
		if blocked && c.session != nil {
			c.session.pump()
		}
	}
}

// write writes buf in pieces, each of which has writeWithin to be taken.
func (c *conn) write(buf []byte) error {
	const piece = 64 << 10
	for part := range slices.Chunk(buf, piece) {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(writeWithin))
		if _, err := c.Conn.Write(part); err != nil {
			return err
		}
		c.mu.Lock()
		c.waiting -= len(part)
		c.mu.Unlock()
	}
	return nil
}

// waitRoom waits until a delivery finds room, and reports whether c is open.
func (c *conn) waitRoom() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed && c.waiting > maxOut/2 {
		c.room.Wait()
	}
	return !c.closed
}

// disconnect tells a client of MQTT 5 why, and closes.
func (c *conn) disconnect(code packets.Code) {
	if c.version == 5 {
		c.mu.Lock()
		if !c.closed {
			c.append([]byte{packets.Disconnect << 4, 2, code.Code, 0}, 0)
		}
		c.mu.Unlock()
	}
	_ = c.Close()
}

// Close ends reading at once, and the connection when what waits is written or
// lingerFor is over. It may be called more than once.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	c.room.Broadcast()
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
	if !c.flushing && !c.holding {
		close(c.done)
		return c.Conn.Close()
	}
	time.AfterFunc(lingerFor, func() {
		close(c.done)
		_ = c.Conn.Close()
	})
	return nil
}

// takeWill returns the will, once.
func (c *conn) takeWill() *will {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.will
	c.will = nil
	return w
}

// title is how sentences name this client.
func (c *conn) title() string {
	switch {
	case c.account.Name != "":
		return c.account.Title()
	case c.name != "":
		return short(c.name)
	}
	return c.host()
}

package broker

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
)

const (
	connectWithin = 10 * time.Second // for the whole CONNECT packet
	maxConnect    = 60 << 10         // bytes of a CONNECT packet, its will included
	maxAck        = 64 << 10         // bytes of an acknowledgement
	maxOut        = 512 << 10        // bytes that may wait to be written to one client
	writeWithin   = 20 * time.Second // for one write to make progress
	lingerFor     = time.Second      // for the last packets after Close
	minBuffer     = 1 << 10          // bytes of a reading buffer
	maxBuffer     = 16 << 10
	soon          = 32 << 10               // bytes that are written without waiting for more
	inline        = 16                     // clients that are written to without a goroutine of their own
	busy          = 200 * time.Microsecond // between writes: it is worth gathering
	together      = 64                     // packets that are taken before what they caused is written
)

// tlsRecord is how many bytes are written to a client of TLS 1.2 at once. An ESP8266 with
// a receive buffer of 512 bytes, the smallest that BearSSL has, takes at most 808 in a
// record. It asks for short ones (RFC 6066, section 4), which crypto/tls does not know.
// The handshake may be longer: BearSSL reads it in pieces until it encrypts.
const tlsRecord = 512

// conn is a client's connection: packets in, in one goroutine that nothing makes
// wait but the client itself, and bytes out, which never make anybody wait.
type conn struct {
	net.Conn
	b *Broker

	// Of the reading goroutine:
	buf       []byte
	at        int       // in buf, of what is not read
	small     int       // reads that would have fitted in a quarter of buf
	taken     int       // packets since wakes were flushed
	wakes     wakes     // clients that were given something
	refreshed time.Time // when the keep-alive deadline was set
	after     uint64    // journal position that the next acknowledgement waits for
	last      string    // topic of the previous PUBLISH
	aliases   map[uint16]string
	expires   *time.Timer // ends what an access token opened

	// Set at CONNECT, on the reading goroutine, and read-only after:
	clientID  string
	name      string // as the client sent it
	account   core.Account
	usage     *usage
	version   byte
	quiet     bool // it wants no reasons in words
	keepalive time.Duration
	maxPacket int // that the client accepts
	session   *session
	opened    time.Time

	mu       sync.Mutex
	greeted  bool      // guarded by mu; it is signed in
	out      []byte    // guarded by mu; waiting to be written
	held     []segment // guarded by mu; waiting for the journal first
	waiting  int       // guarded by mu; bytes in out, in held and in the write under way
	answers  int       // guarded by mu; bytes of answers that are in waiting
	acks     int       // guarded by mu; PUBACKs in held
	holding  bool      // guarded by mu; release runs
	gated    bool      // guarded by mu; a message is in held
	flushing bool      // guarded by mu; flush runs, or somebody's wakes will start it
	wrote    time.Time // of whoever is to flush; when that was done at once
	blocked  bool      // guarded by mu; a delivery found no room
	closed   bool      // guarded by mu
	will     *will     // guarded by mu
	room     *sync.Cond
	over     bool          // guarded by mu; done is closed
	took     atomic.Int64  // when the network last took something, in Unix nanoseconds
	done     chan struct{} // closed when nothing will be written any more
}

// segment is bytes that may be written once the journal has stored a position.
type segment struct {
	buf   []byte
	acks  int
	after uint64
}

// wakes are the connections that were given something and are not written to
// yet: what one client sends at once reaches another at once.
type wakes struct{ conns []*conn }

// flush lets everybody be written to. It must be called before its owner waits.
// Who was not written to just now is written to at once, as far as that does not
// wait: a goroutine would come later. Who is gets more at once through one.
func (w *wakes) flush() {
	if len(w.conns) == 0 {
		return
	}
	now := time.Now()
	for i, c := range w.conns {
		if i < inline && now.Sub(c.wrote) > busy {
			c.wrote = now
			c.flushNow()
		} else {
			go c.flush()
		}
		w.conns[i] = nil
	}
	w.conns = w.conns[:0]
}

var errClosed = errors.New("connection closed")

func newConn(b *Broker, raw net.Conn) *conn {
	c := &conn{Conn: raw, b: b, opened: time.Now(), maxPacket: MaxPacket * 2, done: make(chan struct{})}
	c.room = sync.NewCond(&c.mu)
	c.took.Store(c.opened.UnixNano())
	_ = raw.SetDeadline(c.opened.Add(connectWithin)) // for writing too: TLS writes first
	return c
}

func (c *conn) host() string { return hostOf(c.RemoteAddr().String()) }

func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// next returns the next packet, whole. A PUBLISH is the caller's to keep, any
// other is valid until the next call.
func (c *conn) next() ([]byte, error) {
	size, length := 0, 0
	for n := 2; ; n++ {
		if n > 5 {
			return nil, packets.ErrMalformedVariableByteInteger
		}
		if err := c.fill(n); err != nil {
			return nil, err
		}
		b := c.buf[c.at+n-1]
		length |= int(b&0x7f) << (7 * (n - 2))
		if b < 0x80 {
			size = n + length
			break
		}
	}
	kind := c.buf[c.at] >> 4
	if err := c.bound(kind, size); err != nil {
		return nil, err
	}
	if size > maxBuffer {
		return c.large(size)
	}
	if err := c.fill(size); err != nil {
		return nil, err
	}
	f := c.buf[c.at : c.at+size]
	c.at += size
	if kind == packets.Publish {
		f = slices.Clone(f)
	}
	return f, nil
}

// bound refuses a packet by its size, before there is memory for it.
func (c *conn) bound(kind byte, size int) error {
	switch {
	case c.session == nil && (kind != packets.Connect || size > maxConnect):
		return packets.ErrProtocolViolationRequireFirstConnect
	case kind >= packets.Puback && kind <= packets.Pubcomp && size > maxAck:
		return packets.ErrMalformedPacket
	case size > MaxPacket || c.session != nil && size > c.usage.limits().Packet:
		c.b.refuse(c, refused{}, c.tooLarge(size))
		return errTold{packets.ErrPacketTooLarge}
	}
	return nil
}

func (c *conn) tooLarge(size int) core.Sentence {
	most := MaxPacket
	if c.session != nil {
		most = min(most, c.usage.limits().Packet)
	}
	if most < 1<<20 {
		return core.Say("{name} sent a packet of {size} bytes and was disconnected. Send at most {max} KB at once.", "name", c.title(), "size", size, "max", most>>10)
	}
	return core.Say("{name} sent a packet of {size} bytes and was disconnected. Send at most {max} MB at once.", "name", c.title(), "size", size, "max", most>>20)
}

// fill reads until n bytes are there, n being at most maxBuffer.
func (c *conn) fill(n int) error {
	if len(c.buf)-c.at >= n {
		return nil
	}
	c.wakes.flush()
	c.taken = 0
	rest := c.buf[c.at:]
	switch want := cap(c.buf); {
	case want < n:
		c.resize(max(n, 2*want, minBuffer), rest)
	case c.small > 64 && want > minBuffer && n <= want/4:
		c.resize(max(minBuffer, want/4), rest)
	case c.at > 0:
		c.buf = c.buf[:copy(c.buf, rest)]
	}
	c.at = 0
	for len(c.buf) < n {
		got, err := c.read(c.buf[len(c.buf):cap(c.buf)])
		if err != nil {
			return err
		}
		c.buf = c.buf[:len(c.buf)+got]
		if len(c.buf) == cap(c.buf) && cap(c.buf) < maxBuffer { // there is more than was expected
			c.resize(2*cap(c.buf), c.buf)
		}
		if c.small++; len(c.buf) > cap(c.buf)/4 {
			c.small = 0
		}
	}
	return nil
}

// resize gives buf another capacity. It holds rest after that.
func (c *conn) resize(n int, rest []byte) {
	c.buf = append(make([]byte, 0, min(n, maxBuffer)), rest...)
	c.small = 0
}

// large reads a packet that does not fit in the buffer. Its memory grows with
// what has come, not with what was announced.
func (c *conn) large(size int) ([]byte, error) {
	c.wakes.flush()
	f := append(make([]byte, 0, min(size, 4*maxBuffer)), c.buf[c.at:]...)
	c.at, c.buf = 0, c.buf[:0]
	for len(f) < size {
		if len(f) == cap(f) {
			f = slices.Grow(f, min(size-len(f), len(f)))
		}
		n, err := c.read(f[len(f):min(cap(f), size)])
		if err != nil {
			return nil, err
		}
		f = f[:len(f)+n]
	}
	return f, nil
}

// read reads what there is. A client that is signed in has one and a half times
// its Keep Alive for it (MQTT 5.0, section 3.1.2.10).
func (c *conn) read(p []byte) (int, error) {
	if c.session != nil && c.keepalive > 0 {
		if now := time.Now(); now.Sub(c.refreshed) > min(time.Second, c.keepalive/8) {
			c.refreshed = now
			_ = c.SetReadDeadline(now.Add(c.keepalive + c.keepalive/2))
		}
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		err = nil // it comes again
	}
	return n, err
}

// signedIn ends the time for the CONNECT packet.
func (c *conn) signedIn() {
	c.mu.Lock()
	c.greeted = true
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		_ = c.SetReadDeadline(time.Time{})
	}
	c.b.newcomers.forget(c)
}

// write queues an answer of ours. It is written once the journal has stored
// position after.
func (c *conn) write(p []byte, after uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	if c.answers > maxOut {
		return errClosed // it does not read
	}
	c.answers += len(p)
	c.append(p, after, &c.wakes)
	if c.b.xray.on() {
		c.b.xray.see(c.seen(), false, p)
	}
	return nil
}

// acknowledge queues an acknowledgement of a PUBLISH of QoS 1, when that is stored.
func (c *conn) acknowledge(p []byte) error {
	err := c.write(p, c.after)
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.held); n > 0 && err == nil && c.after > 0 {
		c.held[n-1].acks++
		c.acks++
	}
	return err
}

// unacknowledged returns how many acknowledgements wait for the journal.
func (c *conn) unacknowledged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.acks
}

// deliver queues a PUBLISH frame, patched for this client, and reports whether
// there was room. The frame itself is not changed.
func (c *conn) deliver(frame []byte, id uint16, dup bool, after uint64, w *wakes) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.waiting > 0 && c.waiting+len(frame) > maxOut {
		c.blocked = true
		return false
	}
	if c.gated && len(c.held) > 0 { // messages stay in order
		after = max(after, c.held[len(c.held)-1].after)
	}
	buf := c.append(frame, after, w)
	c.gated = after > 0 && len(c.held) > 0
	if id != 0 {
		patch(buf, id, dup)
	}
	if c.b.xray.on() {
		c.b.xray.see(c.seen(), false, buf)
	}
	return true
}

// append adds p to what is written and returns the copy. c.mu is held. What need
// not wait for the journal passes what does, so that a full disk does not make a
// client believe that nobody is there. w, where there is one, writes later.
func (c *conn) append(p []byte, after uint64, w *wakes) []byte {
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
	if c.out == nil {
		c.out = (*buffers.Get().(*[]byte))[:0]
	}
	c.out = append(c.out, p...)
	c.wake(w)
	return c.out[len(c.out)-len(p):]
}

// wake has what waits written: now, or with the rest of w. c.mu is held.
func (c *conn) wake(w *wakes) {
	if c.flushing {
		return
	}
	c.flushing = true
	if w == nil || len(c.out) > soon {
		go c.flush()
		return
	}
	w.conns = append(w.conns, c)
}

// buffers are for writing; an idle connection has none.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// keptBuffer is the largest buffer that is used again, in bytes.
const keptBuffer = 128 << 10

// release moves what waits for the journal to what is written, in order, and
// ends when nothing is left.
func (c *conn) release() {
	for {
		c.mu.Lock()
		if len(c.held) == 0 {
			c.holding, c.gated = false, false
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
			c.held, c.acks = nil, 0
		} else {
			c.out = append(c.out, c.held[0].buf...)
			c.acks -= c.held[0].acks
			c.held = c.held[1:]
			c.wake(nil)
		}
		c.mu.Unlock()
	}
}

// finish closes a connection that was told to close, when nothing is left to
// write. c.mu is held.
func (c *conn) finish() {
	if c.closed && !c.flushing && !c.holding {
		c.hangUp()
	}
}

// hangUp closes the network. c.mu is held. TLS says goodbye first, which may take
// seconds, and nobody waits for it.
func (c *conn) hangUp() {
	if !c.over {
		c.over = true
		close(c.done)
	}
	if _, ok := c.Conn.(*tls.Conn); ok {
		go c.Conn.Close()
		return
	}
	_ = c.Conn.Close()
}

// flushNow writes what waits as far as the network takes it without waiting, and
// leaves the rest to flush.
func (c *conn) flushNow() {
	c.mu.Lock()
	buf := c.out
	c.out = nil
	c.mu.Unlock()
	n := tryWrite(c.Conn, buf)
	if n > 0 {
		c.took.Store(time.Now().UnixNano())
	}
	c.mu.Lock()
	c.waiting -= n
	if n < len(buf) {
		c.out = append(buf[n:], c.out...)
	}
	blocked := c.written(n)
	if len(c.out) > 0 {
		go c.flush()
	} else {
		c.flushing = false
		c.finish()
	}
	c.mu.Unlock()
	if n == len(buf) && cap(buf) <= keptBuffer {
		buffers.Put(&buf)
	}
	if blocked && c.session != nil {
		c.session.pump()
	}
}

// idle is how long the network has taken nothing of what waits.
func (c *conn) idle() time.Duration {
	return time.Duration(time.Now().UnixNano() - c.took.Load())
}

// written tells whoever waits for room that n bytes are gone, and reports whether
// the session has more. c.mu is held.
func (c *conn) written(n int) (blocked bool) {
	c.answers = max(0, c.answers-n)
	c.room.Broadcast()
	if blocked = c.blocked && c.waiting <= maxOut/2; blocked {
		c.blocked = false
	}
	return blocked
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

		err := c.send(buf)
		c.mu.Lock()
		blocked := c.written(len(buf))
		slow := errors.Is(err, os.ErrDeadlineExceeded) && !c.closed
		if err != nil {
			c.out, c.closed, c.flushing = nil, true, false
			c.hangUp()
			c.mu.Unlock()
			if slow && c.session != nil {
				c.b.refuse(c, refused{}, core.Say("{name} did not read for {n} s and was disconnected. It will get the rest when it connects again.", "name", c.title(), "n", int(writeWithin.Seconds())))
			}
			return
		}
		c.mu.Unlock()
		if cap(buf) <= keptBuffer {
			buffers.Put(&buf)
		}
		if blocked && c.session != nil {
			c.session.pump()
		}
	}
}

// pieceOf is how many bytes are written to a client at once. Nobody whose TLS is newer
// than 1.2 has as little memory as an ESP8266.
func pieceOf(c net.Conn) int {
	if t, ok := c.(*tls.Conn); ok && t.ConnectionState().Version <= tls.VersionTLS12 {
		return tlsRecord
	}
	return 64 << 10
}

// send writes buf in pieces. Within writeWithin some of a piece must be taken.
func (c *conn) send(buf []byte) error {
	piece := pieceOf(c.Conn)
	_, secure := c.Conn.(*tls.Conn)
	for len(buf) > 0 {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(writeWithin))
		n, err := c.Conn.Write(buf[:min(piece, len(buf))])
		buf = buf[n:]
		if n > 0 {
			c.took.Store(time.Now().UnixNano())
		}
		c.mu.Lock()
		c.waiting -= n
		c.mu.Unlock()
		if err != nil && (n == 0 || secure || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
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
	c.mu.Lock()
	if c.greeted && c.version == 5 && !c.closed {
		p := []byte{packets.Disconnect << 4, 2, code.Code, 0}
		if c.b.xray.on() {
			c.b.xray.see(c.seen(), false, p)
		}
		c.append(p, 0, nil)
	}
	c.mu.Unlock()
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
		c.hangUp()
		return nil
	}
	time.AfterFunc(lingerFor, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.hangUp()
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

func (c *conn) seen() seen {
	s := seen{client: c.clientID, account: c.account.ID, version: c.version}
	if c.account.Mounted {
		s.branch = string(c.account.Team)
	}
	return s
}

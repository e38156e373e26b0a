package chip

import (
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"homeroom/core/kits/line"
)

// onWire is how long bytes take at a rate: eight bits each, a start and a stop bit.
func onWire(n int, rate float64) time.Duration {
	return time.Duration(float64(n) * 10 / rate * float64(time.Second))
}

// busy is until when something takes time: a line, or the flash.
type busy struct {
	free time.Time     // when it is free
	late time.Duration // that the wait for that was too long, as timers are
}

// takes begins something that takes d, and returns when it ends. Where it was waited
// too long for what was before, that counts.
func (b *busy) takes(d time.Duration) time.Time {
	b.free = later(b.free, time.Now().Add(-b.late)).Add(d)
	return b.free
}

// waited is to be called once it was waited until it is free.
func (b *busy) waited() { b.late = max(0, time.Since(b.free)) }

// hears returns what a UART at the rate to makes of bytes that were sent at the rate
// from, with the line idle before and after them. It looks for the start bit and then
// samples in the middle of each of its own bits.
func hears(p []byte, from, to float64) []byte {
	if r := from / to; r > 0.97 && r < 1.03 {
		return p
	}
	high := func(t float64) bool { // t in bits of the sender
		i := int(math.Floor(t))
		switch bit := i % 10; {
		case i >= len(p)*10 || bit == 9:
			return true
		case bit == 0:
			return false
		default:
			return p[i/10]>>(bit-1)&1 == 1
		}
	}
	step := from / to // a bit of the receiver, in bits of the sender
	var out []byte
	for t := 0.0; t < float64(len(p)*10); {
		if high(t) {
			t = math.Floor(t) + 1
			continue
		}
		var b byte
		for bit := range 8 {
			if high(t + (1.5+float64(bit))*step) {
				b |= 1 << bit
			}
		}
		out = append(out, b)
		for t += 9.5 * step; !high(t); { // no stop bit: on to where the line is idle
			t = math.Floor(t) + 1
		}
	}
	return out
}

// queue holds bytes on their way, at most max.
type queue struct {
	mu         sync.Mutex
	buf        []byte // guarded by mu
	max        int
	more, room chan struct{}
}

func (q *queue) init(limit int) {
	q.max, q.more, q.room = limit, make(chan struct{}, 1), make(chan struct{}, 1)
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// offer adds what there is room for and returns how much that was.
func (q *queue) offer(p []byte) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(p), q.max-len(q.buf))
	if n > 0 {
		q.buf = append(q.buf, p[:n]...)
		poke(q.more)
	}
	return n
}

// write waits for room; false means that one of the channels was closed before.
func (q *queue) write(p []byte, stop, over <-chan struct{}) bool {
	for {
		if p = p[q.offer(p):]; len(p) == 0 {
			return true
		}
		select {
		case <-q.room:
		case <-stop:
			return false
		case <-over:
			return false
		}
	}
}

// take is read without waiting.
func (q *queue) take(p []byte) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := copy(p, q.buf)
	if q.buf = q.buf[n:]; len(q.buf) == 0 {
		q.buf = nil
	} else {
		poke(q.more)
	}
	if n > 0 {
		poke(q.room)
	}
	return n
}

// read waits for bytes; false means that stop or over came first.
func (q *queue) read(p []byte, stop <-chan struct{}, over <-chan time.Time) (int, bool) {
	for {
		select {
		case <-stop:
			return 0, false
		default:
		}
		if n := q.take(p); n > 0 {
			return n, true
		}
		select {
		case <-q.more:
		case <-stop:
			return 0, false
		case <-over:
			return 0, false
		}
	}
}

func (q *queue) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.buf = nil
	poke(q.room)
}

// end is the PC's end of the cable.
type end struct {
	c    *Chip
	in   queue
	rate func() int // asked instead of baud; nil but on a PTY
	gone chan struct{}

	writing sync.Mutex // one Write at a time

	mu      sync.Mutex
	err     error         // why it is gone; guarded by mu
	baud    int           // guarded by mu
	timeout time.Duration // guarded by mu
	line    busy          // to the chip; guarded by writing
}

var _ line.Port = (*end)(nil)

func newEnd(c *Chip, baud int, rate func() int) *end {
	if baud == 0 {
		baud = userBaud
	}
	e := &end{c: c, rate: rate, gone: make(chan struct{}), baud: baud, timeout: time.Second}
	e.in.init(pcBuffer)
	return e
}

// drop lets everything fail from now on.
func (e *end) drop(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
		close(e.gone)
	}
}

func (e *end) failed() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

func (e *end) Read(p []byte) (int, error) {
	e.mu.Lock()
	d := e.timeout
	e.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	n, ok := e.in.read(p, e.gone, t.C)
	if !ok {
		return 0, e.failed()
	}
	return n, nil
}

func (e *end) Write(p []byte) (int, error) {
	e.writing.Lock()
	defer e.writing.Unlock()
	done := 0
	for len(p) > 0 {
		if err := e.failed(); err != nil {
			return done, err
		}
		q := p[:min(piece, len(p))]
		e.mu.Lock()
		rate := float64(e.baud)
		e.mu.Unlock()
		if e.c.opts.Paced {
			if !wait(time.Until(e.line.takes(onWire(len(q), rate))), e.gone) {
				return done, e.failed()
			}
			e.line.waited()
		}
		e.c.arrive(e, q, rate)
		p, done = p[len(q):], done+len(q)
	}
	return done, e.failed()
}

func (e *end) SetReadTimeout(d time.Duration) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.timeout = d
	return e.err
}

func (e *end) SetBaud(baud int) error {
	if baud <= 0 {
		return fmt.Errorf("no port runs at %d baud", baud)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.baud = baud
	return e.err
}

func (e *end) SetDTR(on bool) error { return e.setLines(&on, nil) }

func (e *end) SetRTS(on bool) error { return e.setLines(nil, &on) }

func (e *end) setLines(dtr, rts *bool) error {
	if err := e.failed(); err != nil {
		return err
	}
	if e.c.opts.NoLines {
		return line.ErrNoLines
	}
	e.c.mu.Lock()
	defer e.c.mu.Unlock()
	if e.c.end != e {
		return line.ErrGone
	}
	d, r := e.c.dtr, e.c.rts
	if dtr != nil {
		d = *dtr
	}
	if rts != nil {
		r = *rts
	}
	e.c.lines(d, r)
	return nil
}

func (e *end) Discard() error {
	e.in.clear()
	return e.failed()
}

// Close lets both modem lines go.
func (e *end) Close() error {
	e.drop(io.ErrClosedPipe)
	e.c.mu.Lock()
	defer e.c.mu.Unlock()
	if e.c.end == e {
		e.c.end = nil
		e.c.lines(false, false)
	}
	return nil
}

// deliver gives the PC what the chip sent.
func (e *end) deliver(p []byte, rate float64) {
	e.mu.Lock()
	baud := e.baud
	e.mu.Unlock()
	if e.rate != nil {
		baud = e.rate()
	}
	if baud > 0 {
		e.in.offer(hears(p, rate, float64(baud)))
	}
}

// arrive gives the chip what the PC sent. In reset it hears nothing.
func (c *Chip) arrive(e *end, p []byte, rate float64) {
	c.mu.Lock()
	l, own := c.life, c.rate
	pull := -1
	for _, f := range c.faults {
		if f.Kind == Pull && c.bytes+len(p) > f.After {
			pull = max(0, f.After-c.bytes)
			c.spend(f)
			break
		}
	}
	c.bytes += len(p)
	c.heard = rate
	c.mu.Unlock()
	if own == 0 {
		own = rate // it measures the bits of SYNC
	}
	if pull >= 0 {
		p = p[:pull]
	}
	if l != nil {
		l.rx.write(hears(p, rate, own), l.done, e.gone)
	}
	if pull >= 0 {
		c.Unplug()
	}
}

package wire

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"homeroom/core/kits/line"
)

const (
	cableMost   = 128                     // bytes of a data frame
	cableAgain  = 300 * time.Millisecond  // after which a frame is sent again
	cableMore   = 5                       // times that it is sent again
	cableDial   = 1500 * time.Millisecond // within which the broker must be there: the kit waits no longer
	cableQueue  = 64                      // data frames from the kit that the broker has not taken
	cableLinger = 2 * time.Second         // that the broker has to take the rest, after the kit has closed
)

// cable carries the kit's connection to the broker. Only the goroutine that reads
// the port makes and ends links; the goroutines of a link only tell and ask.
type cable struct {
	kit  *Kit
	ctx  context.Context // of the links
	work sync.WaitGroup

	mu   sync.Mutex
	link *link // the one that counts, or nil; guarded by mu
}

// link is one connection of the kit, from its open to the end.
type link struct {
	cable *cable
	ctx   context.Context // ends with the link
	end   context.CancelFunc
	open  byte        // seq of the frame that opened it
	in    chan []byte // from the kit, to the broker
	acks  chan frame  // answers of the kit to data and close

	// What follows is only for the goroutine that reads the port.
	last    byte // seq of the kit's last data
	carried bool // there was any

	conn net.Conn // nil until it was dialled; guarded by cable.mu
}

// stop ends the link. Where the port is still there the kit is told.
func (c *cable) stop(err error) {
	c.mu.Lock()
	if l := c.link; l != nil {
		opened := l.conn != nil
		c.cut(l)
		switch {
		case errors.Is(err, line.ErrGone):
		case opened:
			c.kit.try(frame{kind: cableClose}.encode())
		default:
			c.answer(frame{kind: cableOpen, seq: l.open}, statusNotNow)
		}
	}
	c.mu.Unlock()
	c.work.Wait()
}

// cut ends l at once, if it is the one that counts: the broker sees the
// connection break and publishes the will. Whoever calls holds c.mu.
func (c *cable) cut(l *link) {
	if l == nil || c.link != l {
		return
	}
	c.link = nil
	l.end()
	if l.conn != nil {
		_ = l.conn.Close() // now, not when l's goroutines come to it
		c.tell(false)
	}
}

// tell says whether the kit is connected. Whoever calls holds c.mu, so that it is
// said in order.
func (c *cable) tell(open bool) {
	if c.kit.on.Cable != nil {
		c.kit.on.Cable(open)
	}
}

// answer answers a frame of the kit.
func (c *cable) answer(f frame, status byte) {
	c.kit.try(frame{f.kind | answered, f.seq, []byte{status}}.encode())
}

// heard takes a frame of the cable.
func (c *cable) heard(f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.link
	switch f.kind {
	case cableOpen:
		if l != nil && l.open == f.seq && !l.carried { // again, the answer was lost or is not there yet
			if l.conn != nil {
				c.answer(f, statusDone)
			}
			return
		}
		c.cut(l) // the kit started anew
		if c.kit.on.Dial == nil {
			c.answer(f, statusNotNow)
			return
		}
		l = &link{cable: c, open: f.seq, in: make(chan []byte, cableQueue), acks: make(chan frame, 4)}
		l.ctx, l.end = context.WithCancel(c.ctx)
		c.link = l
		c.work.Go(l.run)
	case cableData:
		switch {
		case l == nil || l.conn == nil:
			c.answer(f, statusNotNow)
		case l.carried && f.seq == l.last:
			c.answer(f, statusDone)
		case f.seq != l.next(): // something is missing, and what follows makes no sense without it
			c.answer(f, statusNotNow)
			c.cut(l)
		default:
			select {
			case l.in <- f.data:
				l.last, l.carried = f.seq, true
				c.answer(f, statusDone)
			default: // the broker is slow; the kit asks again
			}
		}
	case cableClose:
		c.answer(f, statusDone)
		if l == nil {
			return
		}
		c.link = nil
		if l.conn == nil {
			l.end()
			return
		}
		close(l.in) // what is in it goes to the broker first, a DISCONNECT too
		time.AfterFunc(cableLinger, l.end)
		c.tell(false)
	default: // an answer
		if l != nil {
			select {
			case l.acks <- f:
			default:
			}
		}
	}
}

// next is the seq that the kit's next data has.
func (l *link) next() byte {
	if !l.carried {
		return 0
	}
	return l.last + 1
}

// run dials, and carries bytes both ways until the link is over.
func (l *link) run() {
	c := l.cable
	ctx, cancel := context.WithTimeout(l.ctx, cableDial)
	conn, err := c.kit.on.Dial(ctx)
	cancel()
	opened := frame{kind: cableOpen, seq: l.open}
	c.mu.Lock()
	if err != nil || c.link != l {
		if err == nil {
			_ = conn.Close() // nobody waits for it any longer
		} else if c.link == l {
			c.link = nil
			c.answer(opened, statusNotNow)
		}
		c.mu.Unlock()
		l.end()
		return
	}
	l.conn = conn
	c.answer(opened, statusDone)
	c.tell(true)
	c.mu.Unlock()

	context.AfterFunc(l.ctx, func() { _ = conn.Close() }) // ends what waits for it
	c.work.Go(func() { l.carryIn(conn) })
	l.carryOut(conn)
}

// carryIn takes what the kit sent to the broker. When the kit has closed, the
// link is over after the last byte.
func (l *link) carryIn(conn net.Conn) {
	for {
		select {
		case data, more := <-l.in:
			if !more {
				l.end()
				return
			}
			if _, err := conn.Write(data); err != nil {
				// The broker has closed; what it said before that is still read.
				_ = conn.SetReadDeadline(time.Now().Add(cableLinger))
				return
			}
		case <-l.ctx.Done():
			return
		}
	}
}

// carryOut takes what the broker sends to the kit, and tells it when the broker
// has closed.
func (l *link) carryOut(conn net.Conn) {
	buf := make([]byte, cableMost)
	for seq := byte(0); ; seq++ {
		n, err := conn.Read(buf)
		if n > 0 && !l.deliver(frame{cableData, seq, buf[:n]}) {
			l.send(frame{cableClose, seq, nil}.encode())
			break
		}
		if err != nil {
			if n > 0 {
				seq++
			}
			l.deliver(frame{cableClose, seq, nil})
			break
		}
	}
	l.cable.mu.Lock()
	defer l.cable.mu.Unlock()
	l.cable.cut(l)
}

// deliver sends a frame until the kit has answered. It is false where the kit has
// no connection any longer, does not answer, or the link is over.
func (l *link) deliver(f frame) bool {
	packet := f.encode()
	for range 1 + cableMore {
		if !l.send(packet) {
			return false
		}
		timer := time.NewTimer(cableAgain)
		for waiting := true; waiting; {
			select {
			case a := <-l.acks:
				if a.kind == f.kind|answered && a.seq == f.seq {
					timer.Stop()
					return len(a.data) == 1 && a.data[0] == statusDone
				}
			case <-timer.C:
				waiting = false
			case <-l.ctx.Done():
				timer.Stop()
				return false
			}
		}
	}
	return false
}

// send queues a frame, as long as the link is the one that counts: what belongs to
// an older one must not reach the kit's next connection.
func (l *link) send(packet []byte) bool {
	c := l.cable
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link != l {
		return false
	}
	c.kit.try(packet)
	return true
}

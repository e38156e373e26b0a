// Package chip is an ESP8266 on a board with a USB bridge, emulated as far as a PC
// can see it: the modem lines that reset it, the boot ROM's serial loader, the stub
// loader that esptool puts into RAM, and the flash with its rules. It is written
// after Espressif's documents of esptool (serial protocol, boot mode, firmware image
// format) and not after core/kits/esp, so that each checks the other.
//
// No instruction is executed. Code that was loaded into RAM completely and that is
// started inside of what was loaded turns on the commands of the stub, whatever it
// is. An image in flash is checked as the boot ROM does it; what then runs is
// Options.Start, which is not that image.
package chip

import (
	"io"
	"slices"
	"sync"
	"time"

	"homeroom/core/kits/line"
)

// Options are what a chip is made of. The zero value is a NodeMCU with 4 MiB of
// empty flash.
type Options struct {
	Flash []byte // what is in the flash at first, from 0; the rest is FF
	Size  int    // of the flash in bytes, a power of two from 256 KiB to 16 MiB; 0 is 4 MiB
	MAC   [6]byte
	// FlashID is what the flash answers to RDID: manufacturer in the low byte, then
	// type and capacity. 0 is a Winbond of that size.
	FlashID uint32
	Magic   uint32 // what stands at 40001000; 0 is the ESP8266's
	Crystal int    // MHz; 0 is 26
	NoLines bool   // the port has no modem lines, as a PTY
	ByHand  bool   // the modem lines are there, but reset and GPIO0 are not wired to them
	// Paced lets bytes and flash take the time they take, see PageTime. Otherwise
	// all is done at once.
	Paced bool
	// Start runs what is in the flash, whenever the boot ROM finds a valid image. The
	// serial line is at 115200; reading it fails once the chip is reset. nil: the image
	// runs and says nothing.
	Start func(flash *NOR, serial io.ReadWriter) (Running, error)
}

// Running is a program that was started by Options.Start.
type Running interface {
	// Stop ends it as a reset does. It returns when flash and serial line are no
	// longer touched.
	Stop()
	// Done is closed when it ended by itself: the chip then starts it anew.
	Done() <-chan struct{}
}

const (
	romMagic  = 0xFFF0C101
	userBaud  = 115200
	bootDelay = 20 * time.Millisecond // from reset let go until GPIO0 is looked at: RST has a capacitor
	rxBuffer  = 64 << 10              // bytes that wait for the chip
	pcBuffer  = 4 << 20               // bytes that wait for the PC; more are lost
	piece     = 64                    // bytes that are on the wire at once where it is paced
)

// Chip is a board. Its methods may be called from any goroutine.
type Chip struct {
	opts  Options
	flash *NOR
	bench sync.Mutex // held by Unplug and Close, one at a time

	mu       sync.Mutex
	plugged  bool          // guarded by mu
	closed   bool          // guarded by mu
	end      *end          // the PC's end, nil where nobody has it open; guarded by mu
	dtr, rts bool          // guarded by mu
	hand     bool          // FLASH is held by hand; guarded by mu
	due      time.Time     // when the chip leaves reset; zero where it has; guarded by mu
	held     bool          // RST is low; guarded by mu
	wake     *time.Timer   // for due; guarded by mu
	life     *life         // since the last reset, nil in reset; guarded by mu
	last     chan struct{} // closed when the life before has ended; guarded by mu
	rate     float64       // of the UART, 0 until it has found out; guarded by mu
	heard    float64       // rate of the byte that came last; guarded by mu
	tx       busy          // the line to the PC; guarded by mu
	faults   []*Fault      // guarded by mu
	bytes    int           // from the PC since the last Break of that kind; guarded by mu
	counts   map[byte]int  // commands that came; guarded by mu
}

// life is the chip between two resets.
type life struct {
	rx    queue
	done  chan struct{} // closed by the reset that ends it
	ended chan struct{} // closed when its goroutine is over
	power bool          // it ended because power failed; guarded by Chip.mu, fixed once done is closed
}

// New returns a board that is plugged in and starts what is in its flash. Close it.
func New(o Options) *Chip {
	if o.Size == 0 {
		o.Size = 4 << 20
	}
	if o.MAC == ([6]byte{}) {
		o.MAC = [6]byte{0x5C, 0xCF, 0x7F, 0x01, 0x02, 0x03}
	}
	if o.Magic == 0 {
		o.Magic = romMagic
	}
	if o.Crystal == 0 {
		o.Crystal = 26
	}
	c := &Chip{opts: o, flash: newNOR(o.Size, o.Flash), counts: map[byte]int{}}
	if c.opts.FlashID == 0 {
		c.opts.FlashID = 0x40EF
		for n := o.Size; n > 1; n >>= 1 {
			c.opts.FlashID += 1 << 16
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plugged = true
	c.boot(causePower)
	return c
}

// Flash is what is soldered beside the chip.
func (c *Chip) Flash() *NOR { return c.flash }

// Count returns how often a command came since the chip was made, also when a fault hit it.
func (c *Chip) Count(command byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[command]
}

// Port opens the PC's end of the cable, with both modem lines on as systems do, and
// at 115200. Who had it open before loses it. On a board that is not plugged in
// everything fails with line.ErrGone.
func (c *Chip) Port() line.Port { return c.open(0, nil) }

// open is Port with a rate of its own: rate, where it is not nil, is asked at each
// piece that goes to the PC.
func (c *Chip) open(baud int, rate func() int) *end {
	e := newEnd(c, baud, rate)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end != nil {
		c.end.drop(io.ErrClosedPipe)
	}
	if !c.plugged || c.closed {
		e.drop(line.ErrGone)
		return e
	}
	c.end = e
	c.lines(true, true)
	return e
}

// PressReset presses RST for a moment, and FLASH meanwhile where holdFlash is.
func (c *Chip) PressReset(holdFlash bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.plugged || c.closed {
		return
	}
	c.hand = holdFlash
	c.boot(causeReset)
	c.hand = false
}

// Unplug pulls the cable: power fails at once, also amid an erase, and the PC's end is gone.
func (c *Chip) Unplug() {
	c.bench.Lock()
	defer c.bench.Unlock()
	c.mu.Lock()
	c.pull()
	last := c.last
	c.mu.Unlock()
	if last != nil {
		<-last
	}
}

// Replug plugs it in again: it has power and starts what is in its flash. The PC has to open its end anew.
func (c *Chip) Replug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.plugged || c.closed {
		return
	}
	c.plugged = true
	c.boot(causePower)
}

// Close ends the emulation.
func (c *Chip) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.Unplug()
	return nil
}

// pull is Unplug without waiting. c.mu is held.
func (c *Chip) pull() {
	c.plugged = false
	c.halt(true)
	c.due, c.held, c.dtr, c.rts = time.Time{}, false, false, false
	if c.end != nil {
		c.end.drop(line.ErrGone)
		c.end = nil
	}
}

// halt ends the life that is. c.mu is held.
func (c *Chip) halt(power bool) {
	if c.wake != nil {
		c.wake.Stop()
	}
	if c.life == nil {
		return
	}
	c.life.power = power
	close(c.life.done)
	c.life = nil
}

// lines sets the modem lines and does what the two transistors of a NodeMCU do with
// them: reset is low while RTS is on and DTR is not, GPIO0 while DTR is on and RTS
// is not; both on is as none. c.mu is held.
func (c *Chip) lines(dtr, rts bool) {
	c.settle(time.Now()) // with GPIO0 as it was until now
	c.dtr, c.rts = dtr, rts
	if c.opts.ByHand || c.opts.NoLines || !c.plugged {
		return
	}
	low := rts && !dtr
	switch {
	case low && !c.held:
		c.held, c.due = true, time.Time{}
		c.halt(false)
	case !low && c.held:
		c.held = false
		c.due = time.Now().Add(bootDelay)
		c.wake = time.AfterFunc(bootDelay, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.settle(time.Now())
		})
	}
}

// settle lets the chip out of reset when that is due. c.mu is held.
func (c *Chip) settle(now time.Time) {
	if c.due.IsZero() || now.Before(c.due) || !c.plugged || c.held {
		return
	}
	c.boot(causeReset)
}

// Causes of a reset, as the boot ROM prints them.
const (
	causePower    = 1
	causeReset    = 2
	causeSoftware = 2 // esptool's documents know no number of its own
)

// boot starts a life. c.mu is held.
func (c *Chip) boot(cause int) {
	c.halt(false)
	c.due = time.Time{}
	download := c.hand || c.dtr && !c.rts && !c.opts.ByHand && !c.opts.NoLines
	c.start(cause, download)
}

// start is boot where it is known what the pins say. c.mu is held.
func (c *Chip) start(cause int, download bool) {
	c.halt(false)
	c.rate = c.bootRate()
	l := &life{done: make(chan struct{}), ended: make(chan struct{})}
	l.rx.init(rxBuffer)
	before := c.last
	c.life, c.last = l, l.ended
	go func() {
		defer close(l.ended)
		if before != nil {
			<-before
		}
		c.live(l, cause, download)
	}()
}

// bootRate is the rate of the boot ROM's messages: it takes the crystal for one of 40 MHz.
func (c *Chip) bootRate() float64 { return 115200 * float64(c.opts.Crystal) / 40 }

// live is what the chip does from reset to reset.
func (c *Chip) live(l *life, cause int, download bool) {
	if f := c.hit(Noise, 0); f != nil {
		c.send(l, noise(max(f.Size, 64)))
	}
	if download {
		c.setRate(l, 0) // who has read the line below can SYNC
		c.say(l, cause, "1,6")
		c.load(l)
		return
	}
	c.say(l, cause, "3,6")
	c.run(l)
}

// again ends the life from within, and starts the next one: a reset by software, or
// a jump to what is in flash where jump is.
func (c *Chip) again(l *life, jump bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life != l {
		return
	}
	if jump {
		c.start(causeSoftware, false)
		return
	}
	c.boot(causeSoftware)
}

// hang does nothing until the next reset.
func (c *Chip) hang(l *life) {
	var b [256]byte
	for {
		if _, ok := l.rx.read(b[:], l.done, nil); !ok {
			return
		}
	}
}

// fail cuts the power from within, as a fault.
func (c *Chip) fail(l *life) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life == l {
		c.pull()
	}
}

// setRate sets the rate of the UART; 0 finds it out from the next SYNC.
func (c *Chip) setRate(l *life, rate float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life == l {
		c.rate = rate
	}
}

// pause waits where the chip is paced; false means that the life ended meanwhile.
func (c *Chip) pause(l *life, d time.Duration) bool {
	if !c.opts.Paced {
		select {
		case <-l.done:
			return false
		default:
			return true
		}
	}
	return wait(d, l.done)
}

// wait is time.Sleep that ends early when stop is closed, and is false then.
func wait(d time.Duration, stop <-chan struct{}) bool {
	if d <= 0 {
		select {
		case <-stop:
			return false
		default:
			return true
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	}
}

// send puts bytes on the line to the PC; false means that the life ended meanwhile.
func (c *Chip) send(l *life, p []byte) bool { return c.sendAt(l, p, 0) }

// sendAt is send at a rate; 0 is that of the UART.
func (c *Chip) sendAt(l *life, p []byte, rate float64) bool {
	for q := range slices.Chunk(p, piece) {
		c.mu.Lock()
		if c.life != l {
			c.mu.Unlock()
			return false
		}
		rate := rate
		if rate == 0 {
			rate = c.rate
		}
		if rate == 0 {
			rate = c.bootRate()
		}
		if c.opts.Paced {
			free := c.tx.takes(onWire(len(q), rate))
			c.mu.Unlock()
			if !wait(time.Until(free), l.done) {
				return false
			}
			c.mu.Lock()
			c.tx.waited()
		}
		e := c.end
		c.mu.Unlock()
		if e != nil {
			e.deliver(q, rate)
		}
	}
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

package chip

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Kind is a way to break.
type Kind string

// The ways to break. A command means Fault.Command, or any where that is 0.
const (
	Silent      Kind = "silent"       // a command is neither done nor answered
	Dead        Kind = "dead"         // nothing more until the next reset, from a command on
	Refuse      Kind = "refuse"       // a command is answered with an error, Code, and not done
	Slow        Kind = "slow"         // an answer comes Delay late
	Twice       Kind = "twice"        // an answer comes twice
	FlipRequest Kind = "flip-request" // bit At of what follows a request's header is another; in a request without data, of its command
	FlipAnswer  Kind = "flip-answer"  // bit At of an answer is another; SLIP counts
	LoseRequest Kind = "lose-request" // byte At of a request does not come
	LoseAnswer  Kind = "lose-answer"  // byte At of an answer does not come; SLIP counts
	Stuck       Kind = "stuck"        // bit Bit of the flash at At is always High
	Worn        Kind = "worn"         // the sector at At does not erase completely
	CutErase    Kind = "cut-erase"    // power fails amid an erase
	CutWrite    Kind = "cut-write"    // power fails amid a page
	NoStub      Kind = "no-stub"      // the stub never says OHAI
	WrongBaud   Kind = "wrong-baud"   // after CHANGE_BAUDRATE the rate is 15 % off
	Pull        Kind = "pull"         // the cable is pulled after After bytes of the PC
	Noise       Kind = "noise"        // Size bytes of garbage when it starts
)

// Kinds are all ways to break.
var Kinds = []Kind{Silent, Dead, Refuse, Slow, Twice, FlipRequest, FlipAnswer, LoseRequest, LoseAnswer, Stuck, Worn, CutErase, CutWrite, NoStub, WrongBaud, Pull, Noise}

// Fault is something that is broken. It shows at what it fits, after the first After
// times, and then Times times; 0 is ever after. Stuck and Worn are so from the start.
type Fault struct {
	Kind    Kind
	Command byte // 0 is any
	After   int
	Times   int
	Code    byte // of Refuse; 0 is 07 of the ROM, C1 of the stub: a wrong checksum
	At      int64
	Bit     int
	High    bool
	Size    int
	Delay   time.Duration
}

// String is what ParseFault reads.
func (f Fault) String() string {
	s := string(f.Kind)
	for _, o := range []struct {
		name  string
		value int64
		hex   bool
	}{
		{"command", int64(f.Command), true}, {"after", int64(f.After), false}, {"times", int64(f.Times), false}, {"code", int64(f.Code), true},
		{"at", f.At, true}, {"bit", int64(f.Bit), false}, {"size", int64(f.Size), false},
	} {
		switch {
		case o.value == 0:
		case o.hex:
			s += fmt.Sprintf(" %s=%x", o.name, o.value)
		default:
			s += fmt.Sprintf(" %s=%d", o.name, o.value)
		}
	}
	if f.High {
		s += " high=1"
	}
	if f.Delay != 0 {
		s += " delay=" + f.Delay.String()
	}
	return s
}

// ParseFault reads a kind and what is known of it: "refuse command=11 code=c1 after=3
// times=1". command, code and at are in hex.
func ParseFault(s string) (Fault, error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return Fault{}, fmt.Errorf("a fault begins with one of %v", Kinds)
	}
	f := Fault{Kind: Kind(words[0])}
	known := false
	for _, k := range Kinds {
		known = known || k == f.Kind
	}
	if !known {
		return Fault{}, fmt.Errorf("%q is none of %v", words[0], Kinds)
	}
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		var err error
		number := func(base, bits int) int64 {
			var n uint64
			n, err = strconv.ParseUint(value, base, bits)
			return int64(n)
		}
		switch name {
		case "command":
			f.Command = byte(number(16, 8))
		case "code":
			f.Code = byte(number(16, 8))
		case "at":
			f.At = number(16, 31)
		case "after":
			f.After = int(number(10, 31))
		case "times":
			f.Times = int(number(10, 31))
		case "bit":
			f.Bit = int(number(10, 3))
		case "size":
			f.Size = int(number(10, 16))
		case "high":
			f.High = number(10, 1) == 1
		case "delay":
			f.Delay, err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("no fault has %q", name)
		}
		if err != nil {
			return Fault{}, fmt.Errorf("%q: %w", w, err)
		}
	}
	return f, nil
}

// Break breaks something, from now on and on top of what is broken.
func (c *Chip) Break(f Fault) {
	switch f.Kind {
	case Stuck:
		c.flash.Stick(f.At, f.Bit, f.High)
		return
	case Worn:
		c.flash.Wear(f.At)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.Kind == Pull {
		c.bytes = 0
	}
	c.faults = append(c.faults, &f)
}

// Mend mends everything that Break broke. What is in the flash stays.
func (c *Chip) Mend() {
	c.flash.mend()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = nil
}

// hit is the first fault of a kind that shows at a command now, or nil; command is 0
// for what has none.
func (c *Chip) hit(k Kind, command byte) *Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		if f.Kind != k || command != 0 && f.Command != 0 && f.Command != command {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		c.spend(f)
		one := *f
		return &one
	}
	return nil
}

// spend counts that a fault showed, and ends it with the last time. c.mu is held.
func (c *Chip) spend(f *Fault) {
	if f.Times--; f.Times != 0 && f.Kind != Pull {
		f.Times = max(f.Times, -1) // 0 at first: ever after
		return
	}
	f.Kind = "" // shows no more
}

// RandomFaults are one to three faults, as a board, its cable or its flash may have
// them while it is flashed. The same r gives the same.
func RandomFaults(r *rand.Rand) []Fault {
	commands := []byte{0, 0, cmdSync, cmdReadReg, cmdMemData, cmdMemEnd, cmdFlashBegin, cmdFlashData, cmdDeflBegin, cmdDeflData, cmdDeflData, cmdDeflEnd, cmdMD5, cmdBaud}
	codes := []byte{0, 0x05, 0x06, 0x07, 0x08, errLen, errChecksum, errSPI, errNotFlash, errInflate, errUnknown}
	faults := make([]Fault, 1+r.IntN(3))
	for i := range faults {
		f := Fault{Kind: Kinds[r.IntN(len(Kinds))], Command: commands[r.IntN(len(commands))], After: r.IntN(12), Times: r.IntN(4)}
		switch f.Kind {
		case Refuse:
			f.Code = codes[r.IntN(len(codes))]
		case Slow:
			f.Delay = time.Duration(1+r.IntN(400)) * time.Millisecond
		case FlipRequest:
			f.At = int64(r.IntN(8 << 10))
		case FlipAnswer:
			f.At = int64(r.IntN(8 * 24))
		case LoseRequest:
			f.At = int64(r.IntN(4 << 10))
		case LoseAnswer:
			f.At = int64(r.IntN(16))
		case Stuck:
			f.At, f.Bit, f.High = int64(r.IntN(64<<10)), r.IntN(8), r.IntN(2) == 1
		case Worn:
			f.At = int64(r.IntN(64 << 10))
		case CutErase, NoStub, WrongBaud, Noise:
			f.After %= 4
			f.Size = 1 + r.IntN(512)
		case CutWrite:
			f.After *= 20
		case Pull:
			f.After = r.IntN(64 << 10)
		}
		faults[i] = f
	}
	return faults
}

// noise is n bytes of garbage, always the same.
func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

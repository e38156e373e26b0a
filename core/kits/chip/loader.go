package chip

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"
)

// Commands of the serial protocol.
const (
	cmdFlashBegin = 0x02
	cmdFlashData  = 0x03
	cmdFlashEnd   = 0x04
	cmdMemBegin   = 0x05
	cmdMemEnd     = 0x06
	cmdMemData    = 0x07
	cmdSync       = 0x08
	cmdWriteReg   = 0x09
	cmdReadReg    = 0x0A

	// Of the stub only.
	cmdSPIParams   = 0x0B
	cmdSPIAttach   = 0x0D
	cmdBaud        = 0x0F
	cmdDeflBegin   = 0x10
	cmdDeflData    = 0x11
	cmdDeflEnd     = 0x12
	cmdMD5         = 0x13
	cmdEraseFlash  = 0xD0
	cmdEraseRegion = 0xD1
	cmdReadFlash   = 0xD2
	cmdRun         = 0xD3
)

// Errors of the ROM, after a status of 1.
const (
	romInvalid  = 0x05
	romFailed   = 0x06
	romChecksum = 0x07
	romWrite    = 0x08
)

// syncData is what SYNC carries.
var syncData = append([]byte{0x07, 0x07, 0x12, 0x20}, bytes.Repeat([]byte{0x55}, 32)...)

// romSync is the value that the ROM answers SYNC with; the stub answers 0.
const romSync = 0x20120707

const (
	romFrame  = 8 << 10               // the largest packet the ROM takes, header included
	stubBlock = 16 << 10              // the largest data the stub takes in one packet
	stubFrame = stubBlock + 64        // and the largest packet
	dramStart = 0x3FFE8000            // RAM that MEM_DATA may write
	dramEnd   = 0x40000000            //
	iramStart = 0x40100000            //
	iramEnd   = 0x40110000            // with the part that is the cache of a program that runs
	baudDelay = 11 * time.Millisecond // that the stub takes to change its rate, after its answer
)

// request is a command.
type request struct {
	op   byte
	sum  uint32
	data []byte
	size int // of the data, as the header says
}

// word is the i-th word of the data, 0 after its end.
func (r *request) word(i int) uint32 {
	if 4*i+4 > len(r.data) {
		return 0
	}
	return binary.LittleEndian.Uint32(r.data[4*i:])
}

// loader is the boot loader of one life, ROM or stub.
type loader struct {
	c    *Chip
	l    *life
	in   slip
	raw  []byte // read and not yet looked at
	buf  [512]byte
	stub bool
	mem  memory
	spi  spi

	// A download into RAM that goes on.
	memAt, memLeft uint32
	memOn          bool

	flash download
	works busy    // the flash, where it is paced
	rate  float64 // of answers; 0 is that of the UART
}

// load answers commands until the life ends.
func (c *Chip) load(l *life) {
	b := &loader{c: c, l: l, in: slip{max: romFrame}}
	defer b.flash.stop()
	for {
		p, ok := b.packet()
		if !ok || !b.handle(p) {
			return
		}
	}
}

// packet waits for the next one; false means that the life ended.
func (b *loader) packet() ([]byte, bool) {
	for {
		for i, x := range b.raw {
			if p := b.in.put(x); p != nil {
				b.raw = b.raw[i+1:]
				return p, true
			}
		}
		n, ok := b.l.rx.read(b.buf[:], b.l.done, nil)
		if !ok {
			return nil, false
		}
		b.raw = b.buf[:n]
	}
}

// handle does one command; false ends the loader.
func (b *loader) handle(p []byte) bool {
	c := b.c
	if len(p) < 8 || p[0] != 0 {
		return true
	}
	if f := c.hit(LoseRequest, p[1]); f != nil && int(f.At) < len(p) {
		p = append(p[:f.At:f.At], p[f.At+1:]...)
		if len(p) < 8 {
			return true
		}
	}
	if f := c.hit(FlipRequest, p[1]); f != nil {
		p = bytes.Clone(p)
		if data := p[8:]; len(data) > 0 {
			data[int(f.At/8)%len(data)] ^= 1 << (f.At % 8)
		} else {
			p[1] ^= 1 << (f.At % 8)
		}
	}
	r := &request{op: p[1], size: int(binary.LittleEndian.Uint16(p[2:])), sum: binary.LittleEndian.Uint32(p[4:]), data: p[8:]}

	c.mu.Lock()
	locked := c.rate != 0
	c.mu.Unlock()
	if !locked {
		if r.op != cmdSync || !bytes.Equal(r.data, syncData) {
			return true // the rate is not known before the bits of SYNC
		}
		b.lock()
	}

	c.mu.Lock()
	c.counts[r.op]++
	c.mu.Unlock()
	if c.hit(Dead, r.op) != nil {
		c.hang(b.l)
		return false
	}
	if c.hit(Silent, r.op) != nil {
		return true
	}
	if f := c.hit(Refuse, r.op); f != nil {
		code := f.Code
		switch {
		case code == 0 && b.stub:
			code = errChecksum
		case code == 0:
			code = romChecksum
		}
		return b.refuse(r, code)
	}
	if b.stub {
		return b.stubCommand(r)
	}
	return b.romCommand(r)
}

// lock takes over the rate of the SYNC that came.
func (b *loader) lock() {
	c := b.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life != b.l {
		return
	}
	b.mem.clkdiv = uint32(math.Round(c.clock() / c.heard))
	c.rate = c.clock() / float64(b.mem.clkdiv)
}

// clock is what the UART divides, in Hz.
func (c *Chip) clock() float64 { return float64(c.opts.Crystal) * 2e6 }

// answer sends what a command is answered with; false means that the life ended.
func (b *loader) answer(r *request, value uint32, data []byte, status, code byte) bool {
	p := []byte{1, r.op}
	p = binary.LittleEndian.AppendUint16(p, uint16(len(data)+2))
	p = binary.LittleEndian.AppendUint32(p, value)
	p = append(append(p, data...), status, code)
	return b.put(r.op, packet(p))
}

func (b *loader) ok(r *request) bool { return b.answer(r, 0, nil, 0, 0) }

// refuse answers with an error: the ROM says 1 and then which, the stub which and then 0.
func (b *loader) refuse(r *request, code byte) bool {
	if b.stub {
		return b.answer(r, 0, nil, code, 0)
	}
	return b.answer(r, 0, nil, 1, code)
}

// put sends bytes that answer a command, with the faults that they have.
func (b *loader) put(op byte, p []byte) bool {
	c := b.c
	if f := c.hit(Slow, op); f != nil && !wait(f.Delay, b.l.done) {
		return false
	}
	if f := c.hit(FlipAnswer, op); f != nil {
		p[int(f.At/8)%len(p)] ^= 1 << (f.At % 8)
	}
	if f := c.hit(LoseAnswer, op); f != nil && int(f.At) < len(p) {
		p = append(p[:f.At], p[f.At+1:]...)
	}
	if c.hit(Twice, op) != nil {
		p = append(p, p...)
	}
	return c.sendAt(b.l, p, b.rate)
}

// xor is the checksum of data.
func xor(data []byte) byte {
	sum := byte(0xEF)
	for _, b := range data {
		sum ^= b
	}
	return sum
}

// romCommand does a command of the ROM.
func (b *loader) romCommand(r *request) bool {
	if r.size != len(r.data) {
		return b.refuse(r, romInvalid)
	}
	want := map[byte]int{cmdFlashBegin: 16, cmdFlashEnd: 4, cmdMemBegin: 16, cmdMemEnd: 8, cmdSync: 36, cmdReadReg: 4}
	if n, ok := want[r.op]; ok && len(r.data) != n {
		return b.refuse(r, romInvalid)
	}
	switch r.op {
	case cmdSync:
		return b.sync(r, romSync)
	case cmdReadReg:
		return b.answer(r, b.read(r.word(0)), nil, 0, 0)
	case cmdWriteReg:
		if !b.writeRegs(r) {
			return b.refuse(r, romInvalid)
		}
		return b.ok(r)
	case cmdMemBegin, cmdMemData, cmdMemEnd:
		return b.memCommand(r)
	case cmdFlashBegin:
		b.spi.on = true
		b.flash.begin(r.word(3), r.word(1)*r.word(2), false)
		b.romErase(r.word(3), r.word(0))
		return b.ok(r)
	case cmdFlashData:
		if code := b.checkData(r); code != 0 {
			return b.refuse(r, code)
		}
		if !b.flash.on {
			return b.refuse(r, romFailed)
		}
		data := r.data[16:]
		at := b.flash.next
		if !b.program(at, data) {
			return true // the life is over
		}
		b.flash.next += uint32(len(data))
		back := make([]byte, len(data))
		b.readFlash(at, back)
		if xor(back) != xor(data) {
			return b.refuse(r, romWrite)
		}
		return b.ok(r)
	case cmdFlashEnd:
		if !b.flash.on {
			return b.refuse(r, romFailed)
		}
		b.flash.on = false
		if !b.ok(r) {
			return false
		}
		b.c.again(b.l, r.word(0) != 0)
		return false
	}
	return b.refuse(r, romInvalid)
}

// checkData is what is wrong with a command that carries data, as the ROM says it, or 0.
func (b *loader) checkData(r *request) byte {
	if len(r.data) < 16 || int(r.word(0)) != len(r.data)-16 {
		return romInvalid
	}
	if uint32(xor(r.data[16:])) != r.sum {
		return romChecksum
	}
	return 0
}

// sync answers SYNC eight times.
func (b *loader) sync(r *request, value uint32) bool {
	for range 8 {
		if !b.answer(r, value, nil, 0, 0) {
			return false
		}
	}
	return true
}

// romErase erases what the ROM makes of a size: it counts the sectors up to the next
// block of 64 KiB twice. It answers only after that.
func (b *loader) romErase(at, size uint32) bool {
	sectors := (size + sectorSize - 1) / sectorSize
	first := at / sectorSize
	head := 16 - first%16
	sectors += min(sectors, head)
	return b.eraseSectors(first, sectors)
}

// eraseSectors erases by blocks of 64 KiB where whole ones are meant; false means that
// the life ended.
func (b *loader) eraseSectors(first, count uint32) bool {
	count = min(count, uint32(b.c.flash.Size()/sectorSize))
	for count > 0 {
		n, d := uint32(1), SectorTime
		if first%16 == 0 && count >= 16 {
			n, d = 16, BlockTime
		}
		if !b.erase(first*sectorSize, n*sectorSize, d) {
			return false
		}
		first, count = first+n, count-n
	}
	return true
}

// lasts waits for something that the flash does by itself, and returns how much of it
// became of it: power may fail. k is the fault that cuts it in the middle.
func (b *loader) lasts(k Kind, d time.Duration) float64 {
	if b.c.hit(k, 0) != nil {
		b.c.fail(b.l)
		return 0.5
	}
	began := time.Now()
	left := d
	if b.c.opts.Paced {
		left = time.Until(b.works.takes(d))
	}
	if b.c.pause(b.l, left) {
		b.works.waited()
		return 1
	}
	if !b.l.power {
		return 1 // a reset of the chip is none of the flash
	}
	if !b.c.opts.Paced {
		return 0
	}
	return min(1, float64(time.Since(began))/float64(d))
}

// alive is false when the life ended.
func (b *loader) alive() bool {
	select {
	case <-b.l.done:
		return false
	default:
		return true
	}
}

// wrap is an address as the flash takes it: it ignores the bits that it has no cells for.
func (b *loader) wrap(at uint32) int { return int(at) & (b.c.flash.Size() - 1) }

func (b *loader) erase(at, size uint32, d time.Duration) bool {
	done := b.lasts(CutErase, d)
	if a := b.wrap(at); done > 0 && a+int(size) <= b.c.flash.Size() {
		b.c.flash.erase(a, int(size), done)
	}
	return b.alive()
}

// program writes by pages; false means that the life ended.
func (b *loader) program(at uint32, data []byte) bool {
	for len(data) > 0 {
		n := min(len(data), pageSize-int(at)%pageSize)
		done := b.lasts(CutWrite, PageTime)
		if done > 0 {
			b.c.flash.program(b.wrap(at), data[:n], done)
		}
		if !b.alive() {
			return false
		}
		at, data = at+uint32(n), data[n:]
	}
	return true
}

// readFlash fills p; past the end the flash begins anew.
func (b *loader) readFlash(at uint32, p []byte) {
	for len(p) > 0 {
		a := b.wrap(at)
		n := min(len(p), b.c.flash.Size()-a)
		b.c.flash.ReadAt(p[:n], int64(a)) // within bounds
		at, p = at+uint32(n), p[n:]
	}
}

// memCommand does what loads and starts code in RAM.
func (b *loader) memCommand(r *request) bool {
	invalid, failed, sum := byte(romInvalid), byte(romFailed), byte(romChecksum)
	if b.stub {
		invalid, failed, sum = errLen, errNotFlash, errChecksum
	}
	switch r.op {
	case cmdMemBegin:
		at, size := r.word(3), r.word(0)
		if !b.mem.holds(at, size) {
			return b.refuse(r, failed)
		}
		b.memAt, b.memLeft, b.memOn = at, size, true
		b.mem.loading(at, size)
		return b.ok(r)
	case cmdMemData:
		switch code := b.checkData(r); {
		case code == romInvalid:
			return b.refuse(r, invalid)
		case code != 0:
			return b.refuse(r, sum)
		case !b.memOn:
			return b.refuse(r, failed)
		}
		data := r.data[16:]
		if uint32(len(data)) > b.memLeft {
			return b.refuse(r, failed)
		}
		b.mem.store(b.memAt, data)
		b.memAt, b.memLeft = b.memAt+uint32(len(data)), b.memLeft-uint32(len(data))
		return b.ok(r)
	}
	b.memOn = false
	stay, entry := r.word(0) != 0, r.word(1)
	if !b.ok(r) {
		return false
	}
	if stay {
		return true
	}
	if !b.mem.runs(entry) || b.c.hit(NoStub, 0) != nil {
		b.c.hang(b.l)
		return false
	}
	return b.startStub()
}

package chip

import (
	"compress/zlib"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"time"
)

// Errors of the stub.
const (
	errLen       = 0xC0
	errChecksum  = 0xC1
	errBlock     = 0xC2
	errSPI       = 0xC4
	errNotFlash  = 0xC6
	errInflate   = 0xC7
	errTooLittle = 0xC8
	errTooMuch   = 0xC9
	errUnknown   = 0xFF
)

// startStub greets and goes on with the stub's commands.
func (b *loader) startStub() bool {
	b.stub, b.spi.on = true, true
	b.in = slip{max: stubFrame}
	return b.c.send(b.l, packet([]byte("OHAI")))
}

// stubLen is how long the data of a command is; a second length where it has one.
var stubLen = map[byte][2]int{
	cmdFlashBegin: {16, 20}, cmdFlashEnd: {4}, cmdMemBegin: {16}, cmdMemEnd: {8}, cmdSync: {36}, cmdReadReg: {4},
	cmdSPIParams: {24}, cmdSPIAttach: {4, 8}, cmdBaud: {8}, cmdDeflBegin: {16, 20}, cmdDeflEnd: {4}, cmdMD5: {16},
	cmdEraseFlash: {0}, cmdEraseRegion: {8}, cmdReadFlash: {16},
}

// stubCommand does a command of the stub.
func (b *loader) stubCommand(r *request) bool {
	if r.size != len(r.data) || len(r.data) > stubBlock+16 {
		return b.refuse(r, errLen)
	}
	if n, ok := stubLen[r.op]; ok && len(r.data) != n[0] && (n[1] == 0 || len(r.data) != n[1]) {
		return b.refuse(r, errLen)
	}
	switch r.op {
	case cmdSync:
		return b.sync(r, 0)
	case cmdReadReg:
		return b.answer(r, b.read(r.word(0)), nil, 0, 0)
	case cmdWriteReg:
		if !b.writeRegs(r) {
			return b.refuse(r, errLen)
		}
		return b.ok(r)
	case cmdSPIAttach, cmdSPIParams:
		return b.ok(r)
	case cmdMemBegin, cmdMemData, cmdMemEnd:
		return b.memCommand(r)
	case cmdBaud:
		return b.changeBaud(r)
	case cmdFlashBegin, cmdDeflBegin:
		if r.word(2) > stubBlock {
			return b.refuse(r, errBlock)
		}
		b.flash.begin(r.word(3), r.word(0), r.op == cmdDeflBegin)
		return b.ok(r)
	case cmdFlashData, cmdDeflData:
		return b.flashData(r)
	case cmdFlashEnd, cmdDeflEnd:
		switch {
		case !b.flash.on:
			return b.refuse(r, errNotFlash)
		case b.flash.left > 0:
			return b.refuse(r, errTooLittle)
		}
		b.flash.on = false
		if b.flash.err != 0 {
			return b.refuse(r, b.flash.err)
		}
		if !b.ok(r) {
			return false
		}
		if r.word(0) == 0 {
			b.c.again(b.l, false)
			return false
		}
		return true
	case cmdMD5:
		sum := md5.New()
		var buf [sectorSize]byte
		at, left := r.word(0), r.word(1)
		if uint64(at)+uint64(left) > 16<<20 {
			return b.refuse(r, errSPI)
		}
		if !b.c.pause(b.l, time.Duration(left)*ReadTime) {
			return false
		}
		for left > 0 {
			n := min(left, sectorSize)
			b.readFlash(at, buf[:n])
			sum.Write(buf[:n])
			at, left = at+n, left-n
		}
		return b.answer(r, 0, sum.Sum(nil), 0, 0)
	case cmdEraseFlash:
		if !b.erase(0, uint32(b.c.flash.Size()), ChipTime) {
			return false
		}
		return b.ok(r)
	case cmdEraseRegion:
		at, size := r.word(0), r.word(1)
		if at%sectorSize != 0 || size%sectorSize != 0 {
			return b.refuse(r, errLen)
		}
		if !b.eraseSectors(at/sectorSize, size/sectorSize) {
			return false
		}
		return b.ok(r)
	case cmdReadFlash:
		return b.readOut(r)
	case cmdRun:
		b.c.again(b.l, true)
		return false
	}
	return b.refuse(r, errUnknown)
}

// changeBaud answers at the old rate and then changes: the stub divides what it found
// in the clock divider by what the PC says, so a wrong old rate makes a wrong new one.
func (b *loader) changeBaud(r *request) bool {
	rate, old := r.word(0), r.word(1)
	if rate == 0 {
		return b.refuse(r, errLen)
	}
	div := max(1, uint32(uint64(b.mem.clkdiv)*uint64(old)/uint64(rate)))
	next := b.c.clock() / float64(div)
	if b.c.hit(WrongBaud, r.op) != nil {
		next *= 0.85
	}
	b.mem.clkdiv = div
	if b.c.opts.Paced {
		if !b.ok(r) || !b.c.pause(b.l, baudDelay) {
			return false
		}
		b.c.setRate(b.l, next)
		return true
	}
	b.c.mu.Lock()
	b.rate = b.c.rate
	b.c.mu.Unlock()
	b.c.setRate(b.l, next)
	defer func() { b.rate = 0 }()
	return b.ok(r)
}

// flashData acknowledges data and only then writes it: what fails is told with the
// next block, or at the end.
func (b *loader) flashData(r *request) bool {
	d := &b.flash
	if !d.on {
		return b.refuse(r, errNotFlash)
	}
	if len(r.data) < 16 || int(r.word(0)) != len(r.data)-16 {
		return b.refuse(r, errLen)
	}
	data := r.data[16:]
	if uint32(xor(data)) != r.sum {
		return b.refuse(r, errChecksum)
	}
	if d.err != 0 {
		return b.refuse(r, d.err)
	}
	if !b.ok(r) {
		return false
	}
	if r.op == cmdFlashData {
		return b.writeFlash(data)
	}
	return b.inflate(data)
}

// download is a download into flash that goes on.
type download struct {
	on    bool
	next  uint32 // where the next byte goes
	left  uint32 // bytes that are still to come; what comes after them is dropped
	erase uint32 // the sector that is erased next
	count uint32 // and how many are
	err   byte
	inf   *inflater
	out   []byte // decompressed and not written yet
}

// begin starts one. What an earlier one left decompressed stays: the stub has only
// one buffer and never empties it, so a download that was given up spoils the next.
func (d *download) begin(at, size uint32, deflated bool) {
	d.stop()
	d.on, d.next, d.left, d.err = true, at, size, 0
	d.erase, d.count = at/sectorSize, uint32((uint64(at%sectorSize)+uint64(size)+sectorSize-1)/sectorSize)
	if deflated {
		d.inf = newInflater()
	}
}

// stop ends the decompressor. What it has not given out yet counts as decompressed.
func (d *download) stop() {
	if d.inf == nil {
		return
	}
	d.inf.out = d.inf.out[:0]
	d.inf.stop()
	d.out = append(d.out, d.inf.out...)
	d.out = d.out[:min(len(d.out), window-1)]
	d.inf = nil
}

// writeFlash erases as far as it has to and writes; false means that the life ended.
func (b *loader) writeFlash(p []byte) bool {
	d := &b.flash
	p = p[:min(uint32(len(p)), d.left)]
	if len(p) == 0 {
		return true
	}
	last := (d.next + uint32(len(p))) / sectorSize
	for d.count > 0 && d.erase <= last {
		n, t := uint32(1), SectorTime
		if d.count >= 16 && d.erase%16 == 0 {
			n, t = 16, BlockTime
		}
		if !b.erase(d.erase*sectorSize, n*sectorSize, t) {
			return false
		}
		d.erase, d.count = d.erase+n, d.count-n
	}
	if uint64(d.next)+uint64(len(p)) > 16<<20 {
		d.err = errSPI
	} else if !b.program(d.next, p) {
		return false
	}
	d.next, d.left = d.next+uint32(len(p)), d.left-uint32(len(p))
	return true
}

// window is how much is decompressed before it is written.
const window = 32 << 10

// inflate decompresses a block and writes what becomes of it; false means that the life ended.
func (b *loader) inflate(p []byte) bool {
	d := &b.flash
	if d.inf == nil {
		d.err = errInflate // it began as one that is not compressed
		return true
	}
	if d.left == 0 {
		if len(p) > 4 { // more than the checksum at the end
			d.err = errTooMuch
		}
		return true
	}
	d.inf.in = p
	for d.left > 0 {
		piece, state := d.inf.next(window - len(d.out))
		d.out = append(d.out, piece...)
		if state == inflateBad {
			d.err = errInflate
			return true
		}
		if len(d.out) == window || state == inflateDone {
			out := d.out
			d.out = nil
			if !b.writeFlash(out) {
				return false
			}
		}
		if state == inflateDone {
			if d.left > 0 {
				d.err = errTooLittle
			}
			return true
		}
		if state == inflateHungry {
			return true
		}
	}
	return true
}

// What an inflater comes to.
type inflateState int

const (
	inflateMore   inflateState = iota // there is more where that came from
	inflateHungry                     // it needs input
	inflateDone
	inflateBad
)

// inflater decompresses what comes in pieces.
type inflater struct {
	in   []byte // not yet used; whoever calls next may set it when it is hungry
	room int
	out  []byte
	pull func() (inflateState, bool)
	stop func()
}

func newInflater() *inflater {
	f := &inflater{}
	f.pull, f.stop = iter.Pull(f.steps)
	return f
}

// next returns at most room bytes, valid until the next call, and how it stands.
func (f *inflater) next(room int) ([]byte, inflateState) {
	f.room, f.out = room, f.out[:0]
	state, ok := f.pull()
	if !ok {
		return nil, inflateDone
	}
	return f.out, state
}

var errGivenUp = errors.New("the download was given up")

// steps yields whenever next has to return.
func (f *inflater) steps(yield func(inflateState) bool) {
	src := hungry{f: f, yield: yield}
	z, err := zlib.NewReader(&src)
	for err == nil {
		if len(f.out) >= f.room {
			if !yield(inflateMore) {
				return
			}
			continue
		}
		buf := make([]byte, f.room-len(f.out))
		var n int
		n, err = z.Read(buf)
		f.out = append(f.out, buf[:n]...)
	}
	switch {
	case errors.Is(err, errGivenUp):
	case errors.Is(err, io.EOF), errors.Is(err, zlib.ErrChecksum): // the stub does not look at the checksum
		yield(inflateDone)
	default:
		yield(inflateBad)
	}
}

// hungry is the input of an inflater: where there is none it lets next return.
type hungry struct {
	f     *inflater
	yield func(inflateState) bool
}

func (h *hungry) ReadByte() (byte, error) {
	for len(h.f.in) == 0 {
		if !h.yield(inflateHungry) {
			return 0, errGivenUp
		}
	}
	b := h.f.in[0]
	h.f.in = h.f.in[1:]
	return b, nil
}

func (h *hungry) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := h.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	n := 1 + copy(p[1:], h.f.in)
	h.f.in = h.f.in[n-1:]
	return n, nil
}

// readOut sends flash in packets, with at most so many under way that were not
// acknowledged, and then the MD5 of all.
func (b *loader) readOut(r *request) bool {
	at, size, block, flight := r.word(0), r.word(1), r.word(2), r.word(3)
	if block == 0 || block > sectorSize || flight == 0 || uint64(at)+uint64(size) > 16<<20 {
		return b.refuse(r, errLen)
	}
	if !b.ok(r) {
		return false
	}
	sum := md5.New()
	buf := make([]byte, block)
	var sent, acked uint32
	var packets, acks uint32
	for acked < size && acked <= sent {
		for sent < size && packets-acks < flight {
			p := buf[:min(block, size-sent)]
			b.readFlash(at+sent, p)
			sum.Write(p)
			if !b.c.pause(b.l, time.Duration(len(p))*ReadTime) || !b.put(cmdReadFlash, packet(p)) {
				return false
			}
			sent, packets = sent+uint32(len(p)), packets+1
		}
		ack, ok := b.packet()
		if !ok {
			return false
		}
		if len(ack) != 4 {
			break
		}
		acked, acks = binary.LittleEndian.Uint32(ack), acks+1
	}
	return b.put(cmdReadFlash, packet(sum.Sum(nil)))
}

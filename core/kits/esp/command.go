package esp

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"homeroom/core"
	"homeroom/core/kits/line"
)

// Commands of the boot loader. Those from opEraseFlash on only the stub knows, and
// opSPIParams to opMD5 the ROM of an ESP8266 does not.
const (
	opFlashBegin = 0x02
	opFlashData  = 0x03
	opFlashEnd   = 0x04
	opMemBegin   = 0x05
	opMemEnd     = 0x06
	opMemData    = 0x07
	opSync       = 0x08
	opWriteReg   = 0x09
	opReadReg    = 0x0A
	opSPIParams  = 0x0B
	opSPIAttach  = 0x0D
	opBaud       = 0x0F
	opDeflBegin  = 0x10
	opDeflData   = 0x11
	opMD5        = 0x13
	opEraseFlash = 0xD0
	opErase      = 0xD1
	opRead       = 0xD2
	opRun        = 0xD3
)

// Codes with which a block was refused because its checksum was wrong on arrival,
// so that it can be sent again as it is.
const (
	romBadChecksum  = 0x07
	stubBadChecksum = 0xC1
)

// romInvalid is how a ROM refuses a command that it does not know. It says so several
// times, and not always with the number of the command.
const romInvalid = 0x05

// errSilent means that the chip did not answer in time.
var errSilent = errors.New("no answer")

// refusal is an answer of the chip that something failed.
type refusal struct {
	op   byte
	code byte
}

func (r *refusal) Error() string { return fmt.Sprintf("command %02X failed with %02X", r.op, r.code) }

// response is an answer of the chip.
type response struct {
	op    byte
	value uint32
	body  []byte // without the status
}

// parseResponse reads an answer. It fails with a *refusal where the chip says that
// the command failed, and reports false for what is not an answer at all. The length
// in it is not looked at: early stubs leave it 0, and so does esptool. Two bytes of
// status follow what the command returns, and on other chips than the ESP8266 two more.
func parseResponse(p []byte) (r response, err error, ok bool) {
	if len(p) < 10 || p[0] != 1 {
		return response{}, nil, false
	}
	data, n := p[8:], 0
	if p[1] == opMD5 {
		for _, size := range []int{md5.Size, 2 * md5.Size} { // in hex, as other chips' ROMs do
			if len(data) >= size+2 {
				n = size
			}
		}
	}
	r = response{op: p[1], value: binary.LittleEndian.Uint32(p[4:]), body: data[:n]}
	switch status := data[n:]; status[0] {
	case 0:
		return r, nil, true
	case 1: // as the ROM says it
		return r, &refusal{r.op, status[1]}, true
	default: // as the stub says it
		return r, &refusal{r.op, status[0]}, true
	}
}

// words are the parameters of a command.
func words(w ...uint32) []byte {
	b := make([]byte, 0, 4*len(w))
	for _, v := range w {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// checksum is what data are sent with: 0xEF, and all bytes combined by exclusive or.
func checksum(data []byte) uint32 {
	sum := byte(0xEF)
	for _, c := range data {
		sum ^= c
	}
	return uint32(sum)
}

// loader is the line to a boot loader.
type loader struct {
	port line.Port
	o    Options
	baud int    // of the line now
	step string // what is done now, as in core.KitProgress

	slip slipReader
	in   []byte // came in and is not looked at yet
	buf  [1024]byte
	out  []byte // the packet that is sent

	told time.Time // progress, the last time
}

// log tells what goes on, for who wants to know.
func (l *loader) log(format string, args ...any) {
	if l.o.Log != nil {
		l.o.Log(fmt.Sprintf(format, args...))
	}
}

// begin says which step begins.
func (l *loader) begin(step string) {
	l.step, l.told = step, time.Time{}
	l.progress(0, 0, 0)
}

// progress tells how far the step is, at most ten times a second and always at its end.
func (l *loader) progress(done, total int64, left time.Duration) {
	if l.o.Progress == nil || done < total && time.Since(l.told) < 100*time.Millisecond {
		return
	}
	l.told = time.Now()
	l.o.Progress(core.KitProgress{Step: l.step, Done: done, Total: total, Left: left})
}

// slice is how long a wait goes on without a look whether it was cancelled.
const slice = 25 * time.Millisecond

// packet waits for a packet, and fails with errSilent where none came until then.
func (l *loader) packet(ctx context.Context, until time.Time) ([]byte, error) {
	for {
		for len(l.in) > 0 {
			var p []byte
			if p, l.in = l.slip.next(l.in); p != nil {
				return p, nil
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !time.Now().Before(until) {
			return nil, errSilent
		}
		n, err := l.port.Read(l.buf[:])
		if err != nil {
			return nil, err
		}
		l.in = l.buf[:n]
	}
}

// forget drops what has come in.
func (l *loader) forget() error {
	l.in, l.slip = nil, slipReader{packet: l.slip.packet[:0]}
	return l.port.Discard()
}

// quiet waits until nothing has come in for a while, half a second at most.
func (l *loader) quiet(ctx context.Context) error {
	for start, n := time.Now(), 1; n > 0 && time.Since(start) < 500*time.Millisecond; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if n, err = l.port.Read(l.buf[:]); err != nil {
			return err
		}
	}
	return l.forget()
}

// send writes a command. sent, where it is not nil, hears how much of it has left.
func (l *loader) send(ctx context.Context, op byte, data []byte, sum uint32, sent func(part float64)) error {
	p := make([]byte, 8, 8+len(data))
	p[1] = op
	binary.LittleEndian.PutUint16(p[2:], uint16(len(data)))
	binary.LittleEndian.PutUint32(p[4:], sum)
	return l.write(ctx, append(p, data...), sent)
}

// write writes a packet, in pieces of about 40 ms so that it can be cancelled. There
// is no gap between the pieces: the system holds some of them back.
func (l *loader) write(ctx context.Context, packet []byte, sent func(part float64)) error {
	l.out = appendSLIP(l.out[:0], packet)
	piece := max(256, l.baud/10/25)
	for at := 0; at < len(l.out); {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := l.port.Write(l.out[at:min(at+piece, len(l.out))])
		if err != nil {
			return err
		}
		at += n
		if sent != nil {
			sent(float64(at) / float64(len(l.out)))
		}
	}
	return nil
}

// answer waits for the answer to a command.
func (l *loader) answer(ctx context.Context, op byte, wait time.Duration) (response, error) {
	until := time.Now().Add(wait)
	for {
		p, err := l.packet(ctx, until)
		if err != nil {
			return response{}, err
		}
		r, err, ok := parseResponse(p)
		if ok && r.op == op {
			return r, err
		}
		var no *refusal
		if ok && errors.As(err, &no) && no.code == romInvalid {
			if err := l.quiet(ctx); err != nil {
				return response{}, err
			}
			return response{}, &refusal{op, romInvalid}
		}
	}
}

// command sends a command once and waits for its answer.
func (l *loader) command(ctx context.Context, op byte, data []byte, sum uint32, wait time.Duration) (response, error) {
	if err := l.forget(); err != nil {
		return response{}, err
	}
	if err := l.send(ctx, op, data, sum, nil); err != nil {
		return response{}, err
	}
	return l.answer(ctx, op, wait+l.takes(len(data)))
}

// takes is how long n bytes are on the line, every one of them escaped.
func (l *loader) takes(n int) time.Duration {
	return time.Duration(2*n+32) * 10 * time.Second / time.Duration(l.baud)
}

// ask sends a command that can be repeated until it is answered well, four times at
// most, with a fresh synchronisation between.
func (l *loader) ask(ctx context.Context, op byte, data []byte, wait time.Duration) (response, error) {
	for try := 1; ; try++ {
		r, err := l.command(ctx, op, data, 0, wait)
		if err == nil || try == 4 || fatal(err) {
			return r, err
		}
		l.log("command %02X: %v; try %d follows", op, err, try+1)
		if serr := l.sync(ctx, 5); serr != nil {
			if fatal(serr) {
				return response{}, serr
			}
			return response{}, err
		}
	}
}

// fatal tells whether a failure is no use repeating: cancelled, or no port any more.
func fatal(err error) bool {
	var no *refusal
	var other *differs
	return !errors.Is(err, errSilent) && !errors.Is(err, line.ErrStuck) && !errors.As(err, &no) && !errors.As(err, &other)
}

// syncData let the ROM measure the rate of the line.
var syncData = func() []byte {
	b := []byte{0x07, 0x07, 0x12, 0x20}
	for range 32 {
		b = append(b, 0x55)
	}
	return b
}()

// sync gets into step with the boot loader, whatever was said before. It fails with
// errSilent where it did not answer that many times.
func (l *loader) sync(ctx context.Context, tries int) error {
	_, err := l.syncValue(ctx, tries)
	return err
}

// syncValue is sync, and returns the value of the answer: the stub's is 0.
func (l *loader) syncValue(ctx context.Context, tries int) (uint32, error) {
	// An end finishes a packet that the chip may still wait for. Its answer is dropped.
	if _, err := l.port.Write([]byte{slipEnd}); err != nil {
		return 0, err
	}
	if err := l.quiet(ctx); err != nil {
		return 0, err
	}
	for range tries {
		r, err := l.command(ctx, opSync, syncData, 0, 100*time.Millisecond)
		if err == nil {
			return r.value, l.quiet(ctx) // the ROM answers eight times
		}
		if fatal(err) {
			return 0, err
		}
	}
	return 0, errSilent
}

// readReg reads a word of memory, and again until it was the same twice: nothing
// else protects it from a disturbed line.
func (l *loader) readReg(ctx context.Context, at uint32) (uint32, error) {
	return l.twice(func() (uint32, error) {
		r, err := l.ask(ctx, opReadReg, words(at), time.Second)
		return r.value, err
	})
}

// twice calls read until it gave the same value two times in a row, six times at most.
func (l *loader) twice(read func() (uint32, error)) (uint32, error) {
	last, err := read()
	if err != nil {
		return 0, err
	}
	for range 5 {
		v, err := read()
		if err != nil {
			return 0, err
		}
		if v == last {
			return v, nil
		}
		last = v
	}
	return 0, errSilent
}

func (l *loader) writeReg(ctx context.Context, at, value uint32) error {
	_, err := l.ask(ctx, opWriteReg, words(at, value, 0xFFFFFFFF, 0), time.Second)
	return err
}

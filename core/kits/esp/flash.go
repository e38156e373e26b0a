package esp

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"homeroom/core"
)

const (
	sector    = 0x1000
	stubBlock = 0x4000 // of compressed data; the stub has room for two
	romBlock  = 0x400
	// window is how much the stub decompresses before it writes it.
	window = 32 << 10
)

// How long the flash may take, as esptool allows, for a MiB; and for anything.
const (
	eraseTime = 30 * time.Second
	writeTime = 40 * time.Second
	sumTime   = 8 * time.Second
	chipTime  = 120 * time.Second // to erase all of it
	leastTime = 3 * time.Second
)

// allow returns how long n bytes may take at a time for a MiB.
func allow(perMiB time.Duration, n int64) time.Duration {
	return leastTime + time.Duration(float64(perMiB)*float64(n)/(1<<20))
}

// Region is a part of the flash. It begins at a sector of 4 KiB. The rest of its
// last sector is erased.
type Region struct {
	At   int64
	Data []byte // nil: erase Size bytes
	Size int64  // of a region without Data, a multiple of 4 KiB
}

// span is a Region as it is written: its data are words.
type span struct {
	at   int64
	data []byte
	size int64
}

// ErrUnverified is what Write and EraseAll fail with once all was written but the
// ROM could not say what is on the flash now. The board may well be right.
var ErrUnverified = errors.New("written, but not verified")

// differs means that the flash does not hold what was written to it.
type differs struct{ at, size int64 }

func (d *differs) Error() string {
	return fmt.Sprintf("%d bytes at %06X differ from what was written", d.size, d.at)
}

// Write writes the regions and erases those without Data. It returns nil only once
// the MD5 of each is right; then all of them are on the flash. After a failure what
// is on the flash is not known, and Write can be repeated after a Connect. What does
// not fit fails with core.ErrInvalid before anything is changed.
func (c *Chip) Write(ctx context.Context, regions []Region) error {
	c.step = "write"
	spans, err := c.plan(regions)
	if err == nil {
		err = c.writeAll(ctx, spans)
	}
	if err == nil && c.info.FlashSize == 0 {
		err = c.unfold(ctx, spans)
	}
	var other *differs
	if errors.As(err, &other) && c.mute() {
		err = core.Fail(core.ErrInvalid, "The flash of this board does not answer. Take off what is wired to its pins SD0 to SD3, CMD and CLK, and try again.")
	}
	return c.fail(ctx, err)
}

// plan checks what is to be written and returns it in order of place.
func (c *Chip) plan(regions []Region) ([]span, error) {
	has := cmp.Or(c.info.FlashSize, c.o.FlashSize)
	for _, r := range regions {
		if has == 0 && r.At == 0 && len(r.Data) >= 8 && r.Data[0] == imageMagic {
			has = headerFlash(r.Data)
		}
	}
	if has == 0 {
		return nil, core.Fail(core.ErrInvalid, "The flash of this board ({id}) is not known, so nobody can say what fits. Use another board.", "id", fmt.Sprintf("%06X", c.info.FlashID))
	}
	var spans []span
	for _, r := range regions {
		s := span{r.At, pad(r.Data, 4), r.Size}
		if r.Data != nil {
			s.size = int64(len(s.data))
		}
		switch {
		case r.At < 0 || r.At%sector != 0 || r.Data == nil && r.Size%sector != 0 || s.size <= 0:
			return nil, core.Fail(core.ErrInvalid, "What is written to the flash begins at a multiple of 4096 bytes (1000 hex), and is more than nothing.")
		case r.At > has || s.size > has-r.At:
			return nil, core.Fail(core.ErrInvalid, "That needs {need} KiB of flash, and this board has {has} KiB. Use a board with more.", "need", (r.At+s.size+1023)>>10, "has", has>>10)
		}
		if r.At == 0 && len(s.data) >= 8 && s.data[0] == imageMagic && !c.o.AnyHeader {
			if wants := headerFlash(s.data); wants > has {
				return nil, core.Fail(core.ErrInvalid, "This firmware is made for {need} KiB of flash, and this board has {has} KiB. Use another board, or firmware that is made for it.", "need", wants>>10, "has", has>>10)
			}
		}
		spans = append(spans, s)
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.at - b.at) })
	for i := 1; i < len(spans); i++ {
		if spans[i-1].at+(spans[i-1].size+sector-1)/sector*sector > spans[i].at {
			return nil, core.Fail(core.ErrInvalid, "Two parts of what is to be written overlap at {at}.", "at", fmt.Sprintf("%X", spans[i].at))
		}
	}
	return spans, nil
}

// unfold fails where a flash that did not tell its size is smaller than what was
// written: such a one begins anew at its end, so its beginning is also found there.
func (c *Chip) unfold(ctx context.Context, spans []span) error {
	if len(spans) == 0 || spans[0].data == nil {
		return nil
	}
	s, last := spans[0], spans[len(spans)-1]
	n := min(s.size, sector)
	if len(bytes.Trim(s.data[:n], "\xFF")) == 0 {
		return nil // as all of it that is erased
	}
	want := span{s.at, s.data[:n], n}.sum()
	for size := int64(256 << 10); size < last.at+last.size; size *= 2 {
		if slices.ContainsFunc(spans, func(o span) bool { return o.at < s.at+size+n && s.at+size < o.at+o.size }) {
			continue // what is there was verified, and is something else
		}
		r, err := c.command(ctx, opMD5, words(uint32(s.at+size), uint32(n), 0, 0), 0, leastTime)
		if err != nil && fatal(err) {
			return err
		}
		if is := string(bytes.ToLower(r.body)); err == nil && (is == want || hex.EncodeToString(r.body) == want) {
			return core.Fail(core.ErrInvalid, "That needs {need} KiB of flash, and this board has {has} KiB. Use a board with more.", "need", (last.at+last.size+1023)>>10, "has", size>>10)
		}
	}
	return nil
}

func (c *Chip) writeAll(ctx context.Context, spans []span) error {
	if i := slices.IndexFunc(spans, func(s span) bool { return s.data != nil }); i >= 0 && c.stub {
		c.ahead = compress(spans[i].data)
		if err := c.faster(ctx); err != nil {
			return err
		}
	}
	for round := 1; ; round++ {
		if err := c.putAll(ctx, spans); err != nil {
			return err
		}
		if !c.stub {
			return ErrUnverified
		}
		wrong, err := c.verify(ctx, spans)
		if err != nil || len(wrong) == 0 {
			return err
		}
		if round == 3 {
			return &differs{wrong[0].at, wrong[0].size}
		}
		c.log("%d parts differ from what was written; round %d follows", len(wrong), round+1)
		if err := c.recover(ctx); err != nil {
			return err
		}
		spans = wrong
	}
}

// putAll writes and erases, without a look whether it is there afterwards.
func (c *Chip) putAll(ctx context.Context, spans []span) error {
	for _, s := range spans {
		if s.data != nil {
			continue
		}
		c.begin("erase")
		if err := c.erase(ctx, s); err != nil {
			return err
		}
		c.progress(s.size, s.size, 0)
	}
	total, done := int64(0), int64(0)
	for _, s := range spans {
		total += int64(len(s.data))
	}
	if total == 0 {
		return nil
	}
	c.begin("write")
	m := meter{c: c, total: total}
	for _, s := range spans {
		if s.data == nil {
			continue
		}
		m.base = done
		if err := c.put(ctx, s, &m); err != nil {
			return err
		}
		done += s.size
	}
	c.progress(total, total, 0)
	return nil
}

// meter tells how far writing is, and how long the rest takes at the rate of the last
// time that the rate of the line was another.
type meter struct {
	c           *Chip
	base, total int64
	baud        int
	from        int64 // done when the rate of the line changed
	since       time.Time
}

// at tells that so many bytes of what is written now are there. It stays below the
// total: only what was verified is done.
func (m *meter) at(n int64) {
	if m == nil {
		return
	}
	done := min(m.base+n, m.total-1)
	if m.baud != m.c.baud {
		m.baud, m.from, m.since = m.c.baud, done, time.Now()
	}
	left := time.Duration(0)
	if took := time.Since(m.since); done > m.from && took > 300*time.Millisecond {
		left = time.Duration(float64(took) / float64(done-m.from) * float64(m.total-done)).Round(100 * time.Millisecond)
	}
	m.c.progress(done, m.total, left)
}

// put writes a span, and goes on behind what is certainly there after a failure: five
// times at most without getting any further, thirty times in all.
func (c *Chip) put(ctx context.Context, s span, m *meter) error {
	at, stalled := int64(0), 0
	for try := 1; ; try++ {
		there, err := c.stream(ctx, s, at, m)
		if err == nil || fatal(err) {
			return err
		}
		if stalled++; there > at {
			at, stalled = there, 0
		}
		if stalled == 5 || try == 30 {
			return err
		}
		c.log("writing: %v; it goes on at %06X", err, s.at+at)
		if err := c.recover(ctx); err != nil {
			return err
		}
	}
}

// recover gets into step again and goes to the next lower rate.
func (c *Chip) recover(ctx context.Context) error {
	c.top = slower(c.baud)
	if err := c.regain(ctx); err != nil {
		return err
	}
	for c.stub && c.baud > c.top {
		err := c.change(ctx, c.top)
		if err == nil || fatal(err) {
			return err
		}
		c.top = slower(c.top)
		if err := c.regain(ctx); err != nil {
			return err
		}
	}
	return c.faster(ctx)
}

// stream writes a span from a place on. After a failure it returns how much of the
// span is certainly on the flash, whole sectors.
func (c *Chip) stream(ctx context.Context, s span, from int64, m *meter) (there int64, err error) {
	if err := c.flush(ctx, s.at+from); err != nil {
		return from, err
	}
	if !c.stub || c.plain {
		return c.streamPlain(ctx, s, from, m)
	}
	data := s.data[from:]
	packed, marks := c.ahead.of(data)
	blocks := len(marks) - 1
	c.log("write %d bytes at %06X, %d compressed, at %d baud", len(data), s.at+from, len(packed), c.baud)
	c.unfinished = true
	size := int64(len(data))
	for try := 1; ; try++ {
		_, err := c.command(ctx, opDeflBegin, words(uint32(size), uint32(blocks), stubBlock, uint32(s.at+from)), 0, allow(eraseTime, size))
		if err == nil {
			break
		}
		var no *refusal
		if !errors.As(err, &no) {
			return from, err
		}
		if try == 2 {
			c.log("compressed: %v; it goes on without", err)
			c.plain, c.unfinished = true, false
			return c.streamPlain(ctx, s, from, m)
		}
	}
	for i := range blocks {
		b := packed[i*stubBlock : min((i+1)*stubBlock, len(packed))]
		// It is acknowledged once the block before is written.
		wait := allow(writeTime, min(size, marks[i]+window)-marks[max(i-1, 0)])
		err := c.block(ctx, opDeflData, i, b, wait, func(part float64) {
			sent := float64(i*stubBlock) + part*float64(len(b))
			m.at(from + int64(float64(size)*sent/float64(len(packed))))
		})
		if err != nil {
			// The last one that was acknowledged may not be written, and of those
			// before what was decompressed and not yet a full window.
			return from + max(marks[max(i-1, 0)]-window, 0)/sector*sector, err
		}
	}
	// The next answer comes once the last block is written.
	if _, err := c.command(ctx, opReadReg, words(regMagic), 0, allow(writeTime, min(size, size-marks[max(blocks-2, 0)]+window))); err != nil {
		return from + max(marks[max(blocks-2, 0)]-window, 0)/sector*sector, err
	}
	c.unfinished = false
	return s.size, nil
}

// flush lets the stub write what a stream that was not finished left in its memory,
// as it would come before the next one otherwise. It goes where the next one writes.
func (c *Chip) flush(ctx context.Context, at int64) error {
	if !c.unfinished {
		return nil
	}
	blank := bytes.Repeat([]byte{0xFF}, 4)
	packed := deflate(blank)
	_, err := c.ask(ctx, opDeflBegin, words(uint32(len(blank)), 1, stubBlock, uint32(at)), leastTime)
	var no *refusal
	if errors.As(err, &no) {
		c.log("compressed: %v; it goes on without", err)
		c.plain, c.unfinished = true, false
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.block(ctx, opDeflData, 0, packed, leastTime, nil); err != nil {
		return err
	}
	if _, err := c.command(ctx, opReadReg, words(regMagic), 0, leastTime); err != nil {
		return err
	}
	c.unfinished = false
	return nil
}

// streamPlain is stream without compression, as the ROM knows it, and a stub that
// knows no other.
func (c *Chip) streamPlain(ctx context.Context, s span, from int64, m *meter) (there int64, err error) {
	at, block, behind := s.at+from, romBlock, 0
	if c.stub { // it acknowledges a block before it writes it
		block, behind = sector, 1
	}
	data := pad(s.data[from:], block)
	blocks := len(data) / block
	c.log("write %d bytes at %06X without compression", len(data), at)
	erase := uint32(len(data))
	if !c.stub {
		erase = eraseSize(at, int64(len(data)))
	}
	if _, err := c.ask(ctx, opFlashBegin, words(erase, uint32(blocks), uint32(block), uint32(at)), allow(eraseTime, int64(len(data)))); err != nil {
		return from, err
	}
	sure := func(i int) int64 { return from + int64(max(i-behind, 0)*block)/sector*sector }
	for i := range blocks {
		if err := c.block(ctx, opFlashData, i, data[i*block:(i+1)*block], leastTime, func(part float64) {
			m.at(from + int64((float64(i)+part)*float64(block)))
		}); err != nil {
			return sure(i), err
		}
	}
	if c.stub { // the next answer comes once the last block is written
		if _, err := c.command(ctx, opReadReg, words(regMagic), 0, leastTime); err != nil {
			return sure(blocks), err
		}
	}
	return s.size, nil
}

// eraseSize returns the size that the ROM has to be told so that it erases size bytes
// from at: it counts the sectors up to the next block of 64 KiB twice.
func eraseSize(at, size int64) uint32 {
	const block = 16 // sectors
	sectors := (size + sector - 1) / sector
	first := min(block-at/sector%block, sectors)
	if sectors < 2*first {
		return uint32((sectors + 1) / 2 * sector)
	}
	return uint32((sectors - first) * sector)
}

// erase erases a span.
func (c *Chip) erase(ctx context.Context, s span) error {
	for try := 1; ; try++ {
		var err error
		if c.stub {
			_, err = c.ask(ctx, opErase, words(uint32(s.at), uint32(s.size)), allow(eraseTime, s.size))
		} else {
			_, err = c.ask(ctx, opFlashBegin, words(eraseSize(s.at, s.size), 0, romBlock, uint32(s.at)), allow(eraseTime, s.size))
		}
		if err == nil || fatal(err) || try == 3 {
			return err
		}
		c.log("erasing: %v", err)
		if err := c.recover(ctx); err != nil {
			return err
		}
	}
}

// EraseAll erases the whole flash and verifies that it is empty.
func (c *Chip) EraseAll(ctx context.Context) error {
	c.begin("erase")
	return c.fail(ctx, c.eraseAll(ctx))
}

func (c *Chip) eraseAll(ctx context.Context) error {
	size := cmp.Or(c.info.FlashSize, c.o.FlashSize)
	spans, err := c.plan([]Region{{At: 0, Size: max(size, sector)}})
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		if c.stub {
			_, err = c.command(ctx, opEraseFlash, nil, 0, chipTime)
			var no *refusal
			if errors.As(err, &no) {
				err = c.erase(ctx, spans[0])
			}
		} else {
			err = c.erase(ctx, spans[0])
		}
		if err != nil && !fatal(err) && try < 3 {
			c.log("erasing: %v", err)
			err = c.recover(ctx)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		if !c.stub {
			return ErrUnverified
		}
		wrong, err := c.verify(ctx, parts(size))
		if err != nil || len(wrong) == 0 {
			return err
		}
		if try == 3 {
			return &differs{wrong[0].at, wrong[0].size}
		}
	}
}

// parts are empty spans of at most 256 KiB, so that it shows how far their check is.
func parts(size int64) []span {
	var s []span
	for at := int64(0); at < size; at += 256 << 10 {
		s = append(s, span{at, nil, min(256<<10, size-at)})
	}
	return s
}

// verify compares the MD5 of spans and returns those that differ.
func (c *Chip) verify(ctx context.Context, spans []span) (wrong []span, err error) {
	c.begin("verify")
	total, done := int64(0), int64(0)
	for _, s := range spans {
		total += s.size
	}
	for _, s := range spans {
		want := s.sum()
		is := ""
		for range 2 { // the answer may have been disturbed on its way
			if is, err = c.sum(ctx, s.at, s.size); err != nil {
				return nil, err
			}
			if is == want {
				break
			}
		}
		// Not the sum itself: it would tell whether a guess at a secret in there is right.
		c.log("MD5 of %d bytes at %06X is right: %v", s.size, s.at, is == want)
		if is != want {
			wrong = append(wrong, s)
		}
		if done += s.size; len(wrong) == 0 {
			c.progress(done, total, 0)
		}
	}
	return wrong, nil
}

// sum returns the MD5 that the flash has to have.
func (s span) sum() string {
	if s.data != nil {
		h := md5.Sum(s.data)
		return hex.EncodeToString(h[:])
	}
	h, ff := md5.New(), bytes.Repeat([]byte{0xFF}, sector)
	for n := int64(0); n < s.size; n += sector {
		h.Write(ff)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Sum returns the MD5 of n bytes of the flash from at, in hex. Only the stub can.
func (c *Chip) Sum(ctx context.Context, at, n int64) (string, error) {
	c.begin("verify")
	if err := c.readable(at, n); err != nil {
		return "", c.fail(ctx, err)
	}
	sum, err := c.sum(ctx, at, n)
	return sum, c.fail(ctx, err)
}

func (c *Chip) sum(ctx context.Context, at, n int64) (string, error) {
	for try := 1; ; try++ {
		r, err := c.ask(ctx, opMD5, words(uint32(at), uint32(n), 0, 0), allow(sumTime, n))
		var no *refusal
		switch {
		case err == nil && len(r.body) == md5.Size:
			return hex.EncodeToString(r.body), nil
		case err == nil && len(r.body) == 2*md5.Size:
			return string(bytes.ToLower(r.body)), nil
		case err == nil:
			err = errSilent
		case errors.As(err, &no): // it cannot, or it will not: what is there is read
			var b []byte
			if b, err = c.read(ctx, at, n); err == nil {
				sum := md5.Sum(b)
				return hex.EncodeToString(sum[:]), nil
			}
		}
		if fatal(err) || try == 3 {
			return "", err
		}
		if err := c.recover(ctx); err != nil {
			return "", err
		}
	}
}

// readable checks a place that is to be read, which only the stub does.
func (c *Chip) readable(at, n int64) error {
	switch {
	case !c.stub:
		return core.Fail(core.ErrInvalid, "The flash cannot be read without the program that helps to flash. Install a Homeroom that has it.")
	case at < 0 || n <= 0 || c.info.FlashSize > 0 && (at > c.info.FlashSize || n > c.info.FlashSize-at) || at > math.MaxUint32 || n > math.MaxInt32:
		return core.Fail(core.ErrInvalid, "There are no {n} bytes from {at} on this flash.", "n", n, "at", fmt.Sprintf("%X", at))
	}
	return nil
}

// Read returns n bytes of the flash from at, and only what is certainly there: the
// chip sends their MD5 after them. Only the stub can.
func (c *Chip) Read(ctx context.Context, at, n int64) ([]byte, error) {
	c.begin("read")
	if err := c.readable(at, n); err != nil {
		return nil, c.fail(ctx, err)
	}
	for try := 1; ; try++ {
		b, err := c.read(ctx, at, n)
		if err == nil {
			return b, nil
		}
		if !fatal(err) && try < 4 {
			c.log("reading: %v; try %d follows", err, try+1)
			err = c.recover(ctx)
		}
		if err != nil {
			return nil, c.fail(ctx, err)
		}
	}
}

func (c *Chip) read(ctx context.Context, at, n int64) ([]byte, error) {
	const flight = 16 // packets that may be under way
	if _, err := c.command(ctx, opRead, words(uint32(at), uint32(n), sector, flight), 0, leastTime); err != nil {
		return nil, err
	}
	wait := leastTime + c.takes(sector)
	b := make([]byte, 0, n)
	for int64(len(b)) < n {
		p, err := c.packet(ctx, time.Now().Add(wait))
		if err != nil {
			return nil, err
		}
		if int64(len(p)) != min(sector, n-int64(len(b))) {
			return nil, errSilent // a part of it was lost
		}
		b = append(b, p...)
		if err := c.write(ctx, binary.LittleEndian.AppendUint32(nil, uint32(len(b))), nil); err != nil {
			return nil, err
		}
		if c.step == "read" {
			c.progress(int64(len(b)), n, 0)
		}
	}
	p, err := c.packet(ctx, time.Now().Add(wait))
	if err != nil {
		return nil, err
	}
	if sum := md5.Sum(b); !bytes.Equal(p, sum[:]) {
		return nil, &differs{at, n}
	}
	return b, nil
}

// ahead is data that are compressed while something else is on the line. nil is none.
type ahead struct {
	data   []byte
	packed []byte  // once done is closed
	marks  []int64 // as well
	done   chan struct{}
}

func compress(data []byte) *ahead {
	a := &ahead{data: data, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.packed = deflate(data)
		a.marks = inflated(a.packed, stubBlock)
	}()
	return a
}

// of returns data compressed, and what comes out of the blocks of it.
func (a *ahead) of(data []byte) (packed []byte, marks []int64) {
	if a == nil || len(a.data) != len(data) || &a.data[0] != &data[0] {
		a = compress(data)
	}
	<-a.done
	return a.packed, a.marks
}

// deflate compresses data as the stub takes them.
func deflate(data []byte) []byte {
	var b bytes.Buffer
	z, err := zlib.NewWriterLevel(&b, zlib.BestCompression)
	if err == nil {
		_, err = z.Write(data)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// inflated returns how many bytes at least come out of the first 0, 1, 2 … blocks of
// compressed data, up to all of them.
func inflated(packed []byte, block int) []int64 {
	marks := make([]int64, (len(packed)+block-1)/block+1)
	in := bytes.NewReader(packed)
	z, err := zlib.NewReader(in)
	if err != nil {
		return marks
	}
	buf := make([]byte, 512)
	out := int64(0)
	for err == nil {
		var n int
		n, err = io.ReadFull(z, buf)
		if used := len(packed) - in.Len(); err == nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			out += int64(n)
			for k := (used + block - 1) / block; k < len(marks); k++ {
				marks[k] = out
			}
		}
	}
	return marks
}

package chip

import (
	"bytes"
	"compress/zlib"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core/kits/line"
)

// pc is who speaks with the chip: the packets are built here by hand, from the
// documents, with nothing of the emulator.
type pc struct {
	t *testing.T
	line.Port
	in       []byte
	patience time.Duration // for an answer; 0 is a second
}

func plug(t *testing.T, o Options) (*Chip, *pc) {
	t.Helper()
	c := New(o)
	t.Cleanup(func() { c.Close() })
	return c, &pc{t: t, Port: c.Port()}
}

func (p *pc) try(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// reset is esptool's classic sequence.
func (p *pc) reset() {
	p.t.Helper()
	p.try(p.SetDTR(false))
	p.try(p.SetRTS(true))
	time.Sleep(100 * time.Millisecond)
	p.try(p.SetDTR(true))
	p.try(p.SetRTS(false))
	time.Sleep(50 * time.Millisecond)
	p.try(p.SetDTR(false))
	p.try(p.Discard())
	p.in = nil
}

// hex writes bytes as they are.
func (p *pc) hex(s string) {
	p.t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	p.try(err)
	if _, err := p.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// raw reads n bytes, or what comes within d.
func (p *pc) raw(n int, d time.Duration) []byte {
	p.t.Helper()
	over := time.Now().Add(d)
	p.try(p.SetReadTimeout(20 * time.Millisecond))
	for len(p.in) < n && time.Now().Before(over) {
		var b [4096]byte
		k, err := p.Read(b[:])
		p.try(err)
		p.in = append(p.in, b[:k]...)
	}
	n = min(n, len(p.in))
	out := p.in[:n]
	p.in = p.in[n:]
	return out
}

func (p *pc) want(s string) {
	p.t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	p.try(err)
	if got := p.raw(len(b), time.Second); !bytes.Equal(got, b) {
		p.t.Fatalf("the chip answered\n%x, want\n%x", got, b)
	}
}

// silent fails when anything comes.
func (p *pc) silent() {
	p.t.Helper()
	if got := p.raw(1, 60*time.Millisecond); len(got) > 0 {
		p.t.Fatalf("the chip said %x, want nothing", append(got, p.in...))
	}
}

func le(words ...uint32) []byte {
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

func (p *pc) frame(payload []byte) {
	p.t.Helper()
	b := bytes.ReplaceAll(payload, []byte{0xDB}, []byte{0xDB, 0xDD})
	b = bytes.ReplaceAll(b, []byte{0xC0}, []byte{0xDB, 0xDC})
	if _, err := p.Write(slices.Concat([]byte{0xC0}, b, []byte{0xC0})); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pc) command(op byte, sum byte, data []byte) {
	p.t.Helper()
	p.frame(slices.Concat([]byte{0, op, byte(len(data)), byte(len(data) >> 8), sum, 0, 0, 0}, data))
}

// next is the next packet, nil where none comes.
func (p *pc) next() []byte {
	p.t.Helper()
	for {
		if b := p.raw(1, max(time.Second, p.patience)); len(b) == 0 {
			return nil
		} else if b[0] == 0xC0 {
			break
		}
	}
	var out []byte
	for {
		b := p.raw(1, time.Second)
		if len(b) == 0 {
			return nil
		}
		if b[0] == 0xC0 {
			if len(out) == 0 {
				continue
			}
			out = bytes.ReplaceAll(out, []byte{0xDB, 0xDC}, []byte{0xC0})
			return bytes.ReplaceAll(out, []byte{0xDB, 0xDD}, []byte{0xDB})
		}
		out = append(out, b[0])
	}
}

// ask sends a command and returns value, data and status of its answer.
func (p *pc) ask(op byte, data []byte) (value uint32, body []byte, status [2]byte) {
	p.t.Helper()
	var sum byte
	if op == cmdFlashData || op == cmdMemData || op == cmdDeflData {
		sum = 0xEF
		for _, b := range data[16:] {
			sum ^= b
		}
	}
	p.command(op, sum, data)
	a := p.next()
	if len(a) < 10 || a[0] != 1 || a[1] != op || int(binary.LittleEndian.Uint16(a[2:])) != len(a)-8 {
		p.t.Fatalf("command %02x was answered by %x", op, a)
	}
	return binary.LittleEndian.Uint32(a[4:]), a[8 : len(a)-2], [2]byte(a[len(a)-2:])
}

// do is ask for what has to be done.
func (p *pc) do(op byte, data []byte) []byte {
	p.t.Helper()
	_, body, status := p.ask(op, data)
	if status != [2]byte{} {
		p.t.Fatalf("command %02x failed with %x", op, status)
	}
	return body
}

func (p *pc) fails(op byte, data []byte, want [2]byte) {
	p.t.Helper()
	if _, _, status := p.ask(op, data); status != want {
		p.t.Fatalf("command %02x ended with %x, want %x", op, status, want)
	}
}

func block(seq uint32, data []byte) []byte {
	return append(le(uint32(len(data)), seq, 0, 0), data...)
}

const syncHex = "c0 00 08 24 00 00 00 00 00 07 07 12 20 5555555555555555 5555555555555555 5555555555555555 5555555555555555 c0"

func (p *pc) sync() {
	p.t.Helper()
	p.hex(syncHex)
	for range 8 {
		if a := p.next(); len(a) != 10 || a[1] != 8 {
			p.t.Fatalf("SYNC was answered by %x", a)
		}
	}
}

// stub loads something that looks like code, and starts it.
func (p *pc) stub() {
	p.t.Helper()
	p.loadCode()
	p.do(cmdMemEnd, le(0, 0x4010E004))
	p.want("c0 4f 48 41 49 c0")
}

func (p *pc) loadCode() {
	p.t.Helper()
	code := make([]byte, 300)
	for i := range code {
		code[i] = byte(i)
	}
	p.do(cmdMemBegin, le(300, 2, 200, 0x4010E000))
	p.do(cmdMemData, block(0, code[:200]))
	p.do(cmdMemData, block(1, code[200:]))
}

// toStub resets and starts the stub.
func (p *pc) toStub() {
	p.t.Helper()
	p.reset()
	p.sync()
	p.stub()
}

func deflate(t testing.TB, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	if _, err := z.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func someBytes(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.IntN(40)) * byte(r.IntN(40))
	}
	return p
}

// write flashes data compressed, in blocks of size.
func (p *pc) write(at uint32, data []byte, size int) {
	p.t.Helper()
	z := deflate(p.t, data)
	blocks := (len(z) + size - 1) / size
	p.do(cmdDeflBegin, le(uint32(len(data)), uint32(blocks), uint32(size), at))
	seq := uint32(0)
	for b := range slices.Chunk(z, size) {
		p.do(cmdDeflData, block(seq, b))
		seq++
	}
	p.do(cmdDeflEnd, le(1))
}

func (p *pc) md5(at, size uint32) []byte {
	p.t.Helper()
	return p.do(cmdMD5, le(at, size, 0, 0))
}

// image is an image that the boot ROM takes: two areas of RAM.
func image() []byte {
	a, b := someBytes(1388, 1), someBytes(40, 2)
	p := slices.Concat([]byte{0xE9, 2, 2, 0x40}, le(0x4010F000, 0x4010F000, uint32(len(a))), a, le(0x3FFF20B8, uint32(len(b))), b)
	sum := byte(0xEF)
	for _, x := range slices.Concat(a, b) {
		sum ^= x
	}
	for len(p)%16 != 15 {
		p = append(p, 0)
	}
	return append(p, sum)
}

func TestSyncAndRegisters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := plug(t, Options{})
		p.reset()
		p.hex(syncHex)
		p.want(strings.Repeat("c0 01 08 0200 07071220 0000 c0", 8))
		p.silent()
		p.hex("c0 00 0a 0400 00000000 00100040 c0") // the chip's magic
		p.want("c0 01 0a 0200 01c1f0ff 0000 c0")
		p.hex("c0 00 0a 0400 00000000 5000f03f c0")
		p.want("c0 01 0a 0200 00000003 0000 c0")
		p.hex("c0 00 0a 0400 00000000 5400f03f c0")
		p.want("c0 01 0a 0200 02010000 0000 c0")
		p.hex("c0 00 0a 0400 00000000 5c00f03f c0")
		p.want("c0 01 0a 0200 7fcf5c00 0000 c0")
		p.hex("c0 00 0a 0400 00000000 14000060 c0") // 52 MHz / 115200
		p.want("c0 01 0a 0200 c3010000 0000 c0")
		if n := c.Count(cmdReadReg); n != 5 {
			t.Fatalf("%d times READ_REG were counted, want 5", n)
		}
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := plug(t, Options{})
		p.reset()
		p.sync()
		for name, x := range map[string]struct{ send, want string }{
			"unknown command":       {"c0 00 77 0000 00000000 c0", "c0 01 77 0200 00000000 0105 c0"},
			"a command of the stub": {"c0 00 13 1000 00000000 00000000 00000000 00000000 00000000 c0", "c0 01 13 0200 00000000 0105 c0"},
			"wrong length":          {"c0 00 0a 0300 00000000 001000 c0", "c0 01 0a 0200 00000000 0105 c0"},
			"header lies":           {"c0 00 0a 0500 00000000 00100040 c0", "c0 01 0a 0200 00000000 0105 c0"},
			"wrong checksum":        {"c0 00 07 1400 33000000 04000000 00000000 00000000 00000000 01020304 c0", "c0 01 07 0200 00000000 0107 c0"},
			"data without a begin":  {"c0 00 07 1400 eb000000 04000000 00000000 00000000 00000000 01020304 c0", "c0 01 07 0200 00000000 0106 c0"},
			"flash without a begin": {"c0 00 03 1400 eb000000 04000000 00000000 00000000 00000000 01020304 c0", "c0 01 03 0200 00000000 0106 c0"},
		} {
			p.hex(x.send)
			if b, _ := hex.DecodeString(strings.ReplaceAll(x.want, " ", "")); !bytes.Equal(p.raw(len(b), time.Second), b) {
				t.Errorf("%s was not answered by %s", name, x.want)
			}
		}
		p.hex("c0 01 0a 0400 00000000 00100040 c0  c0 00 c0  c0 00 0a 04 db 01 c0") // an answer, a stump, a bad escape
		p.silent()
	})
}

func TestFlashID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := plug(t, Options{Size: 1 << 20})
		p.reset()
		p.sync()
		id := func() uint32 {
			p.do(cmdWriteReg, le(0x60000220, 23<<8, 0xFFFFFFFF, 0)) // USR1: 24 bits come back
			p.do(cmdWriteReg, le(0x6000021C, 1<<31|1<<28, 0xFFFFFFFF, 0))
			p.do(cmdWriteReg, le(0x60000224, 7<<28|0x9F, 0xFFFFFFFF, 0))
			p.do(cmdWriteReg, le(0x60000240, 0, 0xFFFFFFFF, 0))
			p.do(cmdWriteReg, le(0x60000200, 1<<18, 0xFFFFFFFF, 0))
			if busy, _, _ := p.ask(cmdReadReg, le(0x60000200)); busy != 0 {
				t.Fatalf("the SPI command register is %x after a transfer, want 0", busy)
			}
			v, _, _ := p.ask(cmdReadReg, le(0x60000240))
			return v
		}
		if v := id(); v != 0 {
			t.Fatalf("the flash says %06x before the ROM has attached it, want 0", v)
		}
		p.do(cmdFlashBegin, le(0, 0, 0x400, 0))
		if v := id(); v != 0x1440EF {
			t.Fatalf("the flash says %06x, want 1440ef", v)
		}
	})
}

func TestOldMAC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, x := range []struct {
			mac  [6]byte
			want uint32
		}{{[6]byte{0x18, 0xFE, 0x34, 1, 2, 3}, 0x0102}, {[6]byte{0xAC, 0xD0, 0x74, 1, 2, 3}, 0x10102}} {
			_, p := plug(t, Options{MAC: x.mac})
			p.reset()
			p.sync()
			if v, _, _ := p.ask(cmdReadReg, le(regMAC1)); v != x.want {
				t.Errorf("%x has MAC1 %x, want %x", x.mac, v, x.want)
			}
			if v, _, _ := p.ask(cmdReadReg, le(regMAC3)); v != 0 {
				t.Errorf("%x has MAC3 %x, want 0", x.mac, v)
			}
		}
	})
}

// The truth table of the two transistors: what each way through the lines ends in.
func TestLines(t *testing.T) {
	const up = "boot mode:(3,6)"
	const down = "boot mode:(1,6)"
	for name, x := range map[string]struct {
		steps string // D and R set a line, d and r let it go, . waits
		hand  bool
		want  string // what the ROM says then, "" nothing
	}{
		"classic":           {"dR.DrW.d", false, down},
		"tight":             {"drDRd.DrW.d", false, down},
		"run":               {"dR.r.", false, up},
		"both are none":     {"rd.DR.", false, ""},
		"GPIO0 alone":       {"r.D.d.", false, ""},
		"held in reset":     {"dR.", false, ""},
		"not wired":         {"dR.DrW.d", true, ""},
		"GPIO0 is too late": {"dR.r..Dd", false, up},
		"from both at once": {"DR.d.r.", false, up},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := New(Options{ByHand: x.hand})
				defer c.Close()
				p := &pc{t: t, Port: c.Port()}
				p.try(p.SetBaud(74880))
				synctest.Wait()
				p.try(p.Discard())
				for _, s := range x.steps {
					switch s {
					case 'D', 'd':
						p.try(p.SetDTR(s == 'D'))
					case 'R', 'r':
						p.try(p.SetRTS(s == 'R'))
					default:
						time.Sleep(50 * time.Millisecond)
						synctest.Wait()
					}
				}
				got := string(p.raw(1000, 40*time.Millisecond))
				if x.want == "" && got != "" || !strings.Contains(got, x.want) {
					t.Errorf("after %s the ROM says %q, want %q", x.steps, got, x.want)
				}
			})
		})
	}
}

func TestNoLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := plug(t, Options{NoLines: true})
		if err := p.SetDTR(true); !errors.Is(err, line.ErrNoLines) {
			t.Fatalf("SetDTR on a port without lines gave %v, want ErrNoLines", err)
		}
		c.PressReset(true)
		p.raw(1000, 50*time.Millisecond)
		p.try(p.Discard())
		p.sync()
		c.PressReset(false)
		p.try(p.SetBaud(74880))
		p.hex(syncHex)
		if got := string(p.raw(1000, 100*time.Millisecond)); strings.Contains(got, "\xc0\x01\x08") {
			t.Fatalf("after RST alone the boot loader still answers: %q", got)
		}
	})
}

func TestBootMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := plug(t, Options{})
		p.try(p.SetBaud(74880))
		p.reset()
		boot := func() string {
			t.Helper()
			p.try(p.Discard())
			c.PressReset(false)
			return string(p.raw(1000, 100*time.Millisecond))
		}
		if got, want := boot(), "\r\n ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n\r\nets_main.c \r\n"; got != want {
			t.Errorf("an empty flash boots with %q, want %q", got, want)
		}
		c.Flash().Load(image())
		got := boot()
		for _, want := range []string{"load 0x4010f000, len 1388, room 16 \r\ntail 12\r\n", "ho 0 tail 12 room 4\r\nload 0x3fff20b8, len 40, room 12 \r\ntail 12\r\n", "csum 0x"} {
			if !strings.Contains(got, want) {
				t.Errorf("an image boots with %q, want %q in it", got, want)
			}
		}
		if strings.Contains(got, "csum err") {
			t.Errorf("an image boots with %q, want no error", got)
		}
		broken := image()
		broken[100] ^= 4
		c.Flash().Load(broken)
		if got := boot(); !strings.Contains(got, "csum err\r\n") {
			t.Errorf("a broken image boots with %q, want csum err", got)
		}
		p.try(p.SetBaud(115200))
		if got := boot(); got == "" || strings.Contains(got, "ets") {
			t.Errorf("at 115200 the messages are %q, want garbage", got)
		}
	})
}

func TestAutobaud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, baud := range []int{9600, 74880, 115200, 230400} {
			_, p := plug(t, Options{})
			p.reset()
			p.try(p.SetBaud(baud))
			p.sync()
			p.do(cmdReadReg, le(regMagic))
			p.try(p.SetBaud(baud * 2))
			p.command(cmdReadReg, 0, le(regMagic))
			if b := p.next(); b != nil && b[0] == 1 {
				t.Errorf("at %d baud instead of %d the chip answers %x", baud*2, baud, b)
			}
		}
	})
}

func TestHears(t *testing.T) {
	p := someBytes(200, 3)
	if got := hears(p, 115200, 116071); !bytes.Equal(got, p) {
		t.Error("a rate that is 0.8 % off changes bytes")
	}
	if got := hears(p, 115200, 118000); !bytes.Equal(got, p) {
		t.Error("a rate that is 2.4 % off changes bytes")
	}
	if got := hears([]byte{0x55}, 115200, 57600); bytes.Equal(got, []byte{0x55}) {
		t.Error("half the rate changes nothing")
	}
	for _, x := range [][2]float64{{115200, 74880}, {74880, 115200}, {115200, 460800}, {460800, 115200}, {300, 4e6}} {
		if got := hears(p, x[0], x[1]); bytes.Equal(got, p) || len(got) > 5*len(p) || len(got) == 0 {
			t.Errorf("from %v to %v baud, %d bytes become %d: %x", x[0], x[1], len(p), len(got), got)
		}
	}
}

func TestROMFlash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := plug(t, Options{Flash: bytes.Repeat([]byte{0}, 4<<20)})
		p.reset()
		p.sync()
		data := someBytes(6<<10, 4)
		// 6 KiB are two sectors; the ROM doubles what is within the first block.
		p.do(cmdFlashBegin, le(4096, 6, 1024, 0x10000))
		for i := range 6 {
			p.do(cmdFlashData, block(uint32(i), data[i*1024:(i+1)*1024]))
		}
		got := c.Flash().Bytes()
		if !bytes.Equal(got[0x10000:0x10000+len(data)], data) {
			t.Error("the flash does not hold what was written")
		}
		if got[0x11FFF] != 0xFF || got[0x12000] != 0 || got[0xFFFF] != 0 {
			t.Error("not exactly two sectors were erased")
		}
		for _, x := range []struct{ at, size, want uint32 }{{0, 16, 32}, {0, 20, 36}, {3, 20, 33}, {15, 1, 2}, {15, 3, 4}, {8, 4, 8}} {
			before := 0
			for s := range int64(100) {
				before += c.Flash().Erased(s * 4096)
			}
			p.do(cmdFlashBegin, le(x.size*4096, 1, 1024, x.at*4096))
			after := 0
			for s := range int64(100) {
				after += c.Flash().Erased(s * 4096)
			}
			if uint32(after-before) != x.want {
				t.Errorf("%d sectors from %d: %d were erased, want %d", x.size, x.at, after-before, x.want)
			}
		}
		c.Flash().Load(image())
		p.do(cmdFlashEnd, le(0))
		p.try(p.SetBaud(74880))
		c.PressReset(false)
		if got := p.raw(2000, 100*time.Millisecond); !bytes.Contains(got, []byte("boot mode:(3,6)")) {
			t.Errorf("after FLASH_END the ROM says %q, want that it runs", got)
		}
	})
}

func TestROMReadsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := plug(t, Options{})
		c.Break(Fault{Kind: Stuck, At: 5, Bit: 3, High: false})
		p.reset()
		p.sync()
		p.do(cmdFlashBegin, le(4096, 1, 16, 0))
		p.fails(cmdFlashData, block(0, bytes.Repeat([]byte{0xFF}, 16)), [2]byte{1, romWrite})
	})
}

func TestStub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := plug(t, Options{Flash: bytes.Repeat([]byte{0x33}, 4<<20)})
		p.toStub()
		p.hex(syncHex)
		p.want(strings.Repeat("c0 01 08 0200 00000000 0000 c0", 8))
		data := someBytes(200_001, 5)
		p.write(0x1000, data, 0x4000)
		sum := md5.Sum(data)
		if got := p.md5(0x1000, uint32(len(data))); !bytes.Equal(got, sum[:]) {
			t.Fatalf("the stub's MD5 is %x, want %x", got, sum)
		}
		got := c.Flash().Bytes()
		if !bytes.Equal(got[0x1000:0x1000+len(data)], data) {
			t.Error("the flash does not hold what was written")
		}
		if last := 0x1000 + (len(data)+4095)/4096*4096; got[last-1] != 0xFF || got[last] != 0x33 || got[0xFFF] != 0x33 {
			t.Error("not exactly the sectors of the data were erased")
		}
		raw := someBytes(5000, 6)
		p.do(cmdFlashBegin, append(le(5000, 2, 4096, 0x200000), 0, 0, 0, 0))
		p.do(cmdFlashData, block(0, raw[:4096]))
		p.do(cmdFlashData, block(1, append(slices.Clone(raw[4096:]), bytes.Repeat([]byte{0xFF}, 4096-904)...)))
		p.do(cmdFlashEnd, le(1))
		sum = md5.Sum(raw)
		if got := p.md5(0x200000, 5000); !bytes.Equal(got, sum[:]) {
			t.Errorf("the MD5 of raw data is %x, want %x", got, sum)
		}
		p.do(cmdEraseRegion, le(0x201000, 0x1000))
		if got := c.Flash().Bytes(); got[0x200FFF] == 0xFF && got[0x201000] != 0xFF {
			t.Error("ERASE_REGION did not erase its sector alone")
		}
		p.fails(cmdEraseRegion, le(0x201001, 0x1000), [2]byte{errLen})
		p.do(cmdEraseFlash, nil)
		if got := c.Flash().Bytes(); !bytes.Equal(got, bytes.Repeat([]byte{0xFF}, len(got))) {
			t.Error("ERASE_FLASH left something")
		}
		p.fails(0x77, nil, [2]byte{errUnknown})
	})
}

func TestStubRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := plug(t, Options{})
		p.toStub()
		p.fails(cmdDeflData, block(0, []byte{1}), [2]byte{errNotFlash})
		p.fails(cmdFlashEnd, le(1), [2]byte{errNotFlash})
		p.fails(cmdDeflBegin, le(100, 1, 0x8000, 0), [2]byte{errBlock})
		p.fails(cmdMD5, le(0), [2]byte{errLen})
		z := deflate(t, someBytes(5000, 7))
		p.do(cmdDeflBegin, le(5000, 1, 0x4000, 0))
		p.command(cmdDeflData, 0x12, block(0, z))
		if a := p.next(); len(a) != 10 || a[8] != errChecksum {
			t.Errorf("a wrong checksum was answered by %x, want c1", a)
		}
		p.do(cmdDeflData, block(0, z)) // nothing of the wrong one was taken
		p.do(cmdDeflEnd, le(1))

		p.do(cmdDeflBegin, le(5000, 1, 0x4000, 0))
		p.do(cmdDeflData, block(0, z[:100]))
		p.fails(cmdDeflEnd, le(1), [2]byte{errTooLittle})
		p.do(cmdDeflBegin, le(5000, 1, 0x4000, 0))
		p.do(cmdDeflData, block(0, []byte("no zlib"))) // acknowledged before it is looked at
		p.fails(cmdDeflData, block(1, z), [2]byte{errInflate})
	})
}

// The stub has one buffer for what it decompressed, and a download that was given up leaves its rest there.
func TestGivenUpSpoilsTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := plug(t, Options{})
		p.toStub()
		data := someBytes(12000, 8)
		z := deflate(t, data)
		p.do(cmdDeflBegin, le(uint32(len(data)), 2, uint32(len(z)/2), 0))
		p.do(cmdDeflData, block(0, z[:len(z)/2]))
		p.do(cmdDeflBegin, le(uint32(len(data)), 1, 0x4000, 0))
		p.do(cmdDeflData, block(0, z))
		sum := md5.Sum(data)
		if bytes.Equal(p.md5(0, uint32(len(data))), sum[:]) {
			t.Error("a download after one that was given up is whole, want it spoilt")
		}
		p.toStub()
		p.write(0, data, 0x4000)
		if got := p.md5(0, uint32(len(data))); !bytes.Equal(got, sum[:]) {
			t.Errorf("after a reset the MD5 is %x, want %x", got, sum)
		}
	})
}

func TestReadFlash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := someBytes(10_000, 9)
		_, p := plug(t, Options{Flash: data})
		p.toStub()
		p.do(cmdReadFlash, le(100, 9000, 1024, 3))
		var got []byte
		for range 3 {
			b := p.next()
			got = append(got, b...)
		}
		p.silent() // three are under way
		for n := 3; n < 9; n++ {
			p.frame(le(uint32((n - 2) * 1024)))
			got = append(got, p.next()...)
		}
		for _, n := range []uint32{7 * 1024, 8 * 1024, 9000} {
			p.frame(le(n))
		}
		sum := md5.Sum(data[100:9100])
		if b := p.next(); !bytes.Equal(b, sum[:]) {
			t.Errorf("the MD5 at the end is %x, want %x", b, sum)
		}
		if !bytes.Equal(got, data[100:9100]) {
			t.Error("what was read is not what is in the flash")
		}
		p.do(cmdReadReg, le(regMagic))
		p.fails(cmdReadFlash, le(0, 10, 8192, 1), [2]byte{errLen})
	})
}

func TestChangeBaud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := plug(t, Options{})
		p.toStub()
		p.do(cmdBaud, le(460800, 115200))
		p.try(p.SetBaud(460800))
		p.do(cmdReadReg, le(regMagic))
		p.do(cmdBaud, le(921600, 460800))
		p.try(p.SetBaud(921600))
		p.do(cmdReadReg, le(regMagic))
		p.do(cmdBaud, le(115200, 115200)) // a lie about the old rate
		p.try(p.SetBaud(115200))
		p.command(cmdReadReg, 0, le(regMagic))
		if a := p.next(); len(a) > 1 && a[0] == 1 && a[1] == cmdReadReg {
			t.Error("the chip answers after a wrong old rate, want garbage")
		}
	})
}

func TestNotCode(t *testing.T) {
	for name, load := range map[string]func(p *pc){
		"nothing loaded": func(p *pc) { p.do(cmdMemEnd, le(0, 0x40100000)) },
		"entry outside":  func(p *pc) { p.loadCode(); p.do(cmdMemEnd, le(0, 0x40100000)) },
		"a part":         func(p *pc) { p.do(cmdMemBegin, le(300, 2, 200, 0x40100000)); p.do(cmdMemEnd, le(0, 0x40100000)) },
		"all the same": func(p *pc) {
			p.do(cmdMemBegin, le(100, 1, 100, 0x40100000))
			p.do(cmdMemData, block(0, make([]byte, 100)))
			p.do(cmdMemEnd, le(0, 0x40100000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, p := plug(t, Options{})
				p.reset()
				p.sync()
				load(p)
				p.silent()
				p.command(cmdReadReg, 0, le(regMagic))
				p.silent()
				p.reset()
				p.sync()
			})
		})
	}
	_, p := plug(t, Options{})
	p.reset()
	p.sync()
	p.fails(cmdMemBegin, le(100, 1, 100, 0x10), [2]byte{1, romFailed})
	p.fails(cmdMemBegin, le(0xFFFFFFFF, 1, 100, 0x40100000), [2]byte{1, romFailed})
	p.loadCode()
	p.do(cmdMemEnd, le(1, 0)) // stay
	p.do(cmdReadReg, le(regMagic))
	if v, _, _ := p.ask(cmdReadReg, le(0x4010E004)); v != 0x07060504 {
		t.Errorf("RAM holds %x, want 07060504", v)
	}
}

func TestNOR(t *testing.T) {
	n := newNOR(1<<20, nil)
	if _, err := n.WriteAt([]byte{0x0F}, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := n.WriteAt([]byte{0xF5}, 100); err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if n.ReadAt(b[:], 100); b[0] != 0x05 {
		t.Errorf("0F and then F5 is %02x, want 05: bits only fall", b[0])
	}
	if err := n.Erase(200); err != nil {
		t.Fatal(err)
	}
	if n.ReadAt(b[:], 100); b[0] != 0xFF || n.Erased(0) != 1 || n.Erased(4096) != 0 {
		t.Errorf("an erased sector holds %02x, was erased %d times and its neighbour %d", b[0], n.Erased(0), n.Erased(4096))
	}
	for _, at := range []int64{-1, 1 << 20, 1<<20 - 1} {
		if _, err := n.ReadAt(make([]byte, 2), at); !errors.Is(err, ErrBounds) {
			t.Errorf("reading at %x gave %v, want ErrBounds", at, err)
		}
		if _, err := n.WriteAt(make([]byte, 2), at); !errors.Is(err, ErrBounds) {
			t.Errorf("writing at %x gave %v, want ErrBounds", at, err)
		}
	}
	n.Stick(300, 2, false)
	n.Stick(301, 2, true)
	n.WriteAt([]byte{0xFF, 0}, 300)
	if got := n.Bytes(); got[300] != 0xFB || got[301] != 0x04 {
		t.Errorf("stuck bits hold %02x %02x, want fb 04", got[300], got[301])
	}
	n.Wear(8192)
	n.Erase(8192)
	if got := n.Bytes()[8192:12288]; bytes.Equal(got, bytes.Repeat([]byte{0xFF}, 4096)) {
		t.Error("a worn sector is erased completely")
	}
}

// A paced chip takes exactly what line and flash take.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Paced: true})
		defer c.Close()
		p := &pc{t: t, Port: c.Port()}
		p.toStub()
		p.patience = time.Minute
		took := func(f func()) time.Duration {
			began := time.Now()
			f()
			return time.Since(began)
		}
		near := func(what string, got, want time.Duration) {
			t.Helper()
			if got < want-time.Microsecond || got > want+25*time.Millisecond { // the reader of this test looks every 20 ms
				t.Errorf("%s took %v, want %v", what, got, want)
			}
		}
		if got, want := took(func() { p.Write(make([]byte, 1152)) }), 100*time.Millisecond; got.Round(time.Microsecond) != want {
			t.Errorf("1152 bytes at 115200 took %v, want %v", got, want)
		}
		near("an answer", took(func() { p.do(cmdReadReg, le(regMagic)) }), onWire(14, 115200)+onWire(12, 115200))
		near("a sector", took(func() { p.do(cmdEraseRegion, le(0x1000, 0x1000)) }), SectorTime)
		near("a block and a sector", took(func() { p.do(cmdEraseRegion, le(0x10000, 0x11000)) }), BlockTime+SectorTime)
		near("all", took(func() { p.do(cmdEraseFlash, nil) }), ChipTime)
		near("an MD5", took(func() { p.md5(0, 1<<20) }), 1<<20*ReadTime)

		// A block is acknowledged at once, and the next command waits until it is written.
		data := someBytes(4096, 10)
		p.do(cmdFlashBegin, le(4096, 1, 4096, 0))
		near("an acknowledgement", took(func() { p.do(cmdFlashData, block(0, data)) }), onWire(4096+26+8+2, 115200))
		near("the write behind it", took(func() { p.do(cmdReadReg, le(regMagic)) }), SectorTime+16*PageTime)
	})
}

// The new rate holds 11 ms after the answer, not before.
func TestPacedBaud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Paced: true})
		defer c.Close()
		p := &pc{t: t, Port: c.Port()}
		p.toStub()
		p.do(cmdBaud, le(460800, 115200))
		p.try(p.SetBaud(460800))
		time.Sleep(50 * time.Millisecond)
		p.try(p.Discard())
		p.do(cmdReadReg, le(regMagic))
		p.do(cmdBaud, le(115200, 460800))
		p.try(p.SetBaud(115200))
		p.command(cmdReadReg, 0, le(regMagic)) // too early: its first half comes at the old rate
		if a := p.next(); len(a) > 1 && a[1] == cmdReadReg {
			t.Error("the chip understood a command right after it answered CHANGE_BAUDRATE")
		}
	})
}

// Power that fails amid an erase leaves neither the old nor FF.
func TestPowerCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Paced: true, Flash: make([]byte, 8192)})
		defer c.Close()
		p := &pc{t: t, Port: c.Port()}
		p.toStub()
		p.command(cmdEraseRegion, 0, le(0, 0x1000))
		time.Sleep(SectorTime / 2)
		c.Unplug()
		got := c.Flash().Bytes()
		if got[0] != 0xFF || bytes.Equal(got[:4096], bytes.Repeat([]byte{0xFF}, 4096)) || got[4096] != 0 {
			t.Error("half an erase is all or nothing")
		}
		if _, err := p.Read(make([]byte, 1)); !errors.Is(err, line.ErrGone) {
			t.Errorf("reading from an unplugged board gave %v, want ErrGone", err)
		}
		if _, err := p.Write([]byte{0}); !errors.Is(err, line.ErrGone) {
			t.Errorf("writing to an unplugged board gave %v, want ErrGone", err)
		}
		if err := c.Port().SetDTR(true); !errors.Is(err, line.ErrGone) {
			t.Errorf("the port of an unplugged board gave %v, want ErrGone", err)
		}
		c.Replug()
		p = &pc{t: t, Port: c.Port()}
		p.toStub()
		p.command(cmdEraseRegion, 0, le(0, 0x1000))
		time.Sleep(SectorTime / 2)
		p.reset() // the flash goes on without the chip
		if got := c.Flash().Bytes(); !bytes.Equal(got[:4096], bytes.Repeat([]byte{0xFF}, 4096)) {
			t.Error("a reset stopped an erase")
		}
	})
}

func TestWrap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := plug(t, Options{Size: 1 << 20})
		p.toStub()
		p.do(cmdFlashBegin, le(4, 1, 4, 1<<20))
		p.do(cmdFlashData, block(0, []byte{1, 2, 3, 4}))
		p.do(cmdFlashEnd, le(1))
		if got := c.Flash().Bytes()[:4]; !bytes.Equal(got, []byte{1, 2, 3, 4}) {
			t.Errorf("what is written past the end is not at the start, which holds %x", got)
		}
	})
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{ByHand: true})
		defer c.Close()
		p := c.Port()
		synctest.Wait()
		p.Discard()
		began := time.Now()
		if n, err := p.Read(make([]byte, 1)); n != 0 || err != nil || time.Since(began) != time.Second {
			t.Errorf("a read of nothing gave %d bytes, %v after %v; want none and no error after 1s", n, err, time.Since(began))
		}
		if err := p.SetReadTimeout(time.Hour); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { _, err := p.Read(make([]byte, 1)); done <- err }()
		synctest.Wait()
		p.Close()
		if err := <-done; err == nil {
			t.Error("Close did not end a read that waits")
		}
	})
}

// echo is a program that says what it hears.
type echo struct {
	done, over chan struct{}
}

func (e *echo) Stop()                 { <-e.over }
func (e *echo) Done() <-chan struct{} { return e.done }

func startEcho(flash *NOR, serial io.ReadWriter) (Running, error) {
	e := &echo{make(chan struct{}), make(chan struct{})}
	go func() {
		defer close(e.over)
		io.WriteString(serial, "ready\n")
		var b [1]byte
		for {
			if _, err := serial.Read(b[:]); err != nil {
				return
			}
			if b[0] == 'q' {
				close(e.done)
				return
			}
			flash.WriteAt(b[:], 0x200000)
			serial.Write(b[:])
		}
	}()
	return e, nil
}

func TestStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := plug(t, Options{Start: startEcho})
		p.toStub()
		p.write(0, image(), 0x4000)
		p.command(cmdDeflBegin, 0, le(0, 0, 0, 0))
		p.next()
		p.command(cmdDeflEnd, 0, le(0)) // restart
		p.next()
		until := func(want string) {
			t.Helper()
			if got := string(p.raw(4000, 300*time.Millisecond)); !strings.Contains(got, want) {
				t.Fatalf("the serial line says %q, want %q", got, want)
			}
		}
		until("ready\n")
		p.Write([]byte("a"))
		until("a")
		if got := c.Flash().Bytes()[0x200000]; got != 'a' {
			t.Errorf("the program wrote %02x, want 61", got)
		}
		p.Write([]byte("q"))
		until("ready\n")
		c.Unplug()
		c.Replug()
		p.Port = c.Port()
		until("ready\n")
		p.toStub()
	})
}

func TestRunUserCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := plug(t, Options{Start: startEcho, Flash: image()})
		p.toStub()
		p.command(cmdRun, 0, nil)
		if got := string(p.raw(4000, 300*time.Millisecond)); !strings.Contains(got, "ready\n") {
			t.Fatalf("after RUN_USER_CODE the line says %q, want ready", got)
		}
	})
}

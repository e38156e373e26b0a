package chip

import (
	"bytes"
	"crypto/md5"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core/kits/line"
)

// broken is a board in the stub that is broken then.
func broken(t *testing.T, f Fault) (*Chip, *pc) {
	t.Helper()
	c, p := plug(t, Options{})
	p.toStub()
	c.Break(f)
	return c, p
}

// answers is whether a command is answered rightly.
func (p *pc) answers() bool {
	p.t.Helper()
	p.command(cmdReadReg, 0, le(regMagic))
	a := p.next()
	return len(a) == 10 && bytes.Equal(a, []byte{1, cmdReadReg, 2, 0, 0x01, 0xC1, 0xF0, 0xFF, 0, 0})
}

// Every fault shows, at its time and not before.
func TestFaults(t *testing.T) {
	for name, x := range map[string]struct {
		fault Fault
		want  []bool // whether each of some READ_REG is answered rightly
	}{
		"silent once":          {Fault{Kind: Silent, Times: 1}, []bool{false, true}},
		"silent ever after":    {Fault{Kind: Silent}, []bool{false, false, false}},
		"silent, the third":    {Fault{Kind: Silent, After: 2, Times: 1}, []bool{true, true, false, true}},
		"silent at another":    {Fault{Kind: Silent, Command: cmdMD5}, []bool{true}},
		"dead":                 {Fault{Kind: Dead, After: 1, Times: 1}, []bool{true, false, false}},
		"refused twice":        {Fault{Kind: Refuse, Times: 2}, []bool{false, false, true}},
		"flipped answer":       {Fault{Kind: FlipAnswer, At: 45, Times: 1}, []bool{false, true}},
		"flipped end":          {Fault{Kind: FlipAnswer, At: 3, Times: 1}, []bool{false, true}},
		"lost from an answer":  {Fault{Kind: LoseAnswer, At: 6, Times: 1}, []bool{false, true}},
		"flipped request":      {Fault{Kind: FlipRequest, Command: cmdReadReg, At: 13, Times: 1}, []bool{false, true}},
		"lost from a request":  {Fault{Kind: LoseRequest, At: 9, Times: 1}, []bool{false, true}},
		"pulled":               {Fault{Kind: Pull, After: 20}, []bool{true, false}},
		"a power cut, another": {Fault{Kind: CutErase}, []bool{true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := broken(t, x.fault)
				defer c.Close()
				for i, want := range x.want {
					got := false
					if x.fault.Kind == Pull && !want {
						if _, err := p.Write(make([]byte, 100)); !errors.Is(err, line.ErrGone) {
							t.Errorf("writing on gave %v, want ErrGone", err)
						}
					} else {
						got = p.answers()
					}
					if got != want {
						t.Errorf("READ_REG %d was answered rightly: %v, want %v", i+1, got, want)
					}
				}
				c.Mend()
				c.Replug()
				p.Port = c.Port()
				p.toStub()
				if !p.answers() {
					t.Error("a board that is mended does not answer")
				}
			})
		})
	}
}

func TestRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, code := range []byte{errLen, errChecksum, errBlock, errSPI, errNotFlash, errInflate, errTooLittle, errTooMuch, errUnknown} {
			c, p := broken(t, Fault{Kind: Refuse, Command: cmdReadReg, Code: code, Times: 1})
			p.fails(cmdReadReg, le(regMagic), [2]byte{code})
			p.do(cmdReadReg, le(regMagic))
			c.Break(Fault{Kind: Refuse, Times: 1})
			p.fails(cmdReadReg, le(regMagic), [2]byte{errChecksum})
		}
		c, p := plug(t, Options{})
		p.reset()
		p.sync()
		for _, code := range []byte{5, 6, 7, 8, 9, 10, 11} {
			c.Break(Fault{Kind: Refuse, Command: cmdReadReg, Code: code, Times: 1})
			p.fails(cmdReadReg, le(regMagic), [2]byte{1, code})
		}
		c.Break(Fault{Kind: Refuse, Times: 1})
		p.fails(cmdReadReg, le(regMagic), [2]byte{1, romChecksum})
	})
}

func TestSlowAndTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := broken(t, Fault{Kind: Slow, Delay: 700 * time.Millisecond, Times: 1})
		defer c.Close()
		began := time.Now()
		if !p.answers() || time.Since(began) < 700*time.Millisecond {
			t.Errorf("a slow answer came after %v, want 700ms", time.Since(began))
		}
		c.Break(Fault{Kind: Twice, Times: 1})
		if !p.answers() {
			t.Error("the first of two answers is wrong")
		}
		if a := p.next(); len(a) != 10 {
			t.Errorf("the second of two answers is %x", a)
		}
	})
}

func TestFlashFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := someBytes(20_000, 12)
		sum := md5.Sum(data)
		whole := func(p *pc) bool {
			p.write(0x10000, data, 0x4000)
			return bytes.Equal(p.md5(0x10000, uint32(len(data))), sum[:])
		}
		bit := Fault{Kind: Stuck, At: 0x10100, Bit: 4, High: data[0x100]&0x10 == 0}
		if _, p := broken(t, bit); whole(p) {
			t.Error("with a stuck bit the MD5 is right")
		}
		if _, p := broken(t, Fault{Kind: Worn, At: 0x10000}); whole(p) {
			t.Error("on a worn sector the MD5 is right")
		}
		c, p := broken(t, Fault{Kind: Worn, At: 0x50000})
		if !whole(p) {
			t.Error("with a worn sector elsewhere the MD5 is wrong")
		}
		c.Break(bit)
		c.Mend()
		if !whole(p) {
			t.Error("after mending the MD5 is wrong")
		}
		for _, k := range []Kind{CutErase, CutWrite} {
			c, p := broken(t, Fault{Kind: k, After: 1, Times: 1})
			z := deflate(t, data[:12_000])
			p.do(cmdDeflBegin, le(12_000, 1, 0x4000, 0x10000))
			p.command(cmdDeflData, xor(z), block(0, z))
			var err error
			for range 100 {
				if _, err = p.Read(make([]byte, 100)); err != nil {
					break
				}
			}
			if !errors.Is(err, line.ErrGone) {
				t.Errorf("%s: reading gave %v, want ErrGone", k, err)
			}
			c.Unplug() // waits for the flash
			got := c.Flash().Bytes()[0x10000:]
			if bytes.Equal(got[:12_000], data[:12_000]) {
				t.Errorf("%s: all was written", k)
			}
			if k == CutWrite && !bytes.Equal(got[:256], data[:256]) {
				t.Errorf("%s: the first page was not written", k)
			}
			c.Replug()
			p.Port = c.Port()
			p.toStub()
			if !whole(p) {
				t.Errorf("%s: the next try fails", k)
			}
		}
	})
}

func TestStubFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := plug(t, Options{})
		c.Break(Fault{Kind: NoStub, Times: 1})
		p.reset()
		p.sync()
		p.loadCode()
		p.do(cmdMemEnd, le(0, 0x4010E004))
		p.silent()
		p.toStub()

		c.Break(Fault{Kind: WrongBaud, Times: 1})
		p.do(cmdBaud, le(460800, 115200))
		p.try(p.SetBaud(460800))
		if p.answers() {
			t.Error("at a wrong rate the chip answers rightly")
		}
		p.try(p.SetBaud(115200))
		p.toStub()
	})
}

func TestNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := plug(t, Options{})
		p.try(p.SetBaud(74880))
		p.raw(1000, 30*time.Millisecond)
		c.Break(Fault{Kind: Noise, Size: 100, Times: 1})
		c.PressReset(true)
		got := p.raw(100, time.Second)
		if !bytes.Equal(got, noise(100)) {
			t.Errorf("after reset the chip says %x, want its noise", got)
		}
		p.try(p.SetBaud(115200))
		p.raw(1000, 30*time.Millisecond)
		p.sync()
	})
}

func TestParseFault(t *testing.T) {
	for _, k := range Kinds {
		f := Fault{Kind: k, Command: 0x11, After: 3, Times: 2, Code: 0xC1, At: 0x1234, Bit: 5, High: true, Size: 99, Delay: time.Second}
		if got, err := ParseFault(f.String()); err != nil || got != f {
			t.Errorf("%q is read as %+v, %v", f.String(), got, err)
		}
	}
	for _, s := range []string{"", "kaputt", "silent command", "silent command=111", "silent at=-1", "slow delay=x", "silent colour=red", "stuck bit=8"} {
		if f, err := ParseFault(s); err == nil {
			t.Errorf("%q is read as %+v, want an error", s, f)
		}
	}
}

func TestRandomFaults(t *testing.T) {
	seen := map[Kind]bool{}
	for seed := range uint64(300) {
		a := RandomFaults(rand.New(rand.NewPCG(seed, 1)))
		b := RandomFaults(rand.New(rand.NewPCG(seed, 1)))
		if !reflect.DeepEqual(a, b) || len(a) == 0 {
			t.Fatalf("seed %d gives %v and then %v", seed, a, b)
		}
		for _, f := range a {
			seen[f.Kind] = true
		}
	}
	for _, k := range Kinds {
		if !seen[k] {
			t.Errorf("300 series never have %q", k)
		}
	}
}

// FuzzChip gives the loader anything: it never panics, never hangs, and a reset helps.
func FuzzChip(f *testing.F) {
	f.Add([]byte("\xc0\x00\x08\x24\x00\x00\x00\x00\x00\x07\x07\x12\x20"+strings.Repeat("U", 32)+"\xc0"), false)
	for _, cmd := range []byte{2, 3, 4, 5, 6, 7, 9, 10, 0x0B, 0x0D, 0x0F, 0x10, 0x11, 0x12, 0x13, 0xD0, 0xD1, 0xD2, 0xD3} {
		for _, n := range []int{0, 4, 8, 16, 20, 24, 40} {
			body := bytes.Repeat([]byte{0x10, 0, 0, 0}, n/4)
			f.Add(slices.Concat([]byte{0xC0, 0, cmd, byte(n), 0, 0xEF, 0, 0, 0}, body, []byte{0xC0}), n%8 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, rom bool) {
		if len(in) > 32<<10 {
			return
		}
		c := New(Options{Size: 1 << 18, NoLines: true})
		defer c.Close()
		p := &pc{t: t, Port: c.Port()}
		p.press(c)
		p.sync()
		if !rom {
			p.stub()
		}
		if _, err := p.Write(in); err != nil {
			t.Fatal(err)
		}
		p.press(c)
		p.sync()
		if !p.answers() {
			t.Error("after a reset the chip does not answer")
		}
	})
}

// press resets by hand and reads until the boot messages are over.
func (p *pc) press(c *Chip) {
	p.t.Helper()
	p.try(p.SetBaud(74880))
	c.PressReset(true)
	var all []byte
	for !bytes.HasSuffix(all, []byte("boot mode:(1,6)\r\n\r\n")) {
		b := p.raw(1, time.Second)
		if len(b) == 0 {
			p.t.Fatalf("the ROM says %q, want boot mode (1,6)", all)
		}
		all = append(all, b...)
	}
	p.try(p.SetBaud(115200))
	p.try(p.Discard())
	p.in = nil
}

package chip

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// terminal opens a PTY as a program opens a serial port.
func terminal(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	setRate(t, f, 115200)
	return f
}

// setRate makes it raw, at a rate.
func setRate(t *testing.T, f *os.File, baud uint32) {
	t.Helper()
	var s termios2
	if err := ioctl(f, tcgets2, unsafe.Pointer(&s)); err != nil {
		t.Fatal(err)
	}
	s.iflag, s.oflag, s.lflag = 0, 0, 0
	s.cflag = syscall.CS8 | syscall.CREAD | syscall.CLOCAL | 0x1000 // BOTHER
	s.ispeed, s.ospeed = baud, baud
	if err := ioctl(f, 0x402C542B, unsafe.Pointer(&s)); err != nil { // TCSETS2
		t.Fatal(err)
	}
}

// file is a terminal as a line.Port of the tests.
type file struct {
	*os.File
	t *testing.T
}

func (f file) Read(p []byte) (int, error) {
	f.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	n, err := f.File.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return n, err
}
func (f file) SetReadTimeout(time.Duration) error { return nil }
func (f file) SetBaud(baud int) error             { setRate(f.t, f.File, uint32(baud)); return nil }
func (f file) SetDTR(bool) error                  { return nil }
func (f file) SetRTS(bool) error                  { return nil }
func (f file) Discard() error                     { return nil }

func TestPTY(t *testing.T) {
	c := New(Options{NoLines: true})
	defer c.Close()
	name, err := c.PTY(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.PressReset(true) // nobody listens
	time.Sleep(20 * time.Millisecond)
	tty := terminal(t, name)
	p := &pc{t: t, Port: file{tty, t}}
	time.Sleep(3 * ptyPause)
	p.silent()
	p.sync()
	p.stub()
	p.do(cmdBaud, le(460800, 115200))
	p.try(p.SetBaud(460800))
	data := someBytes(100_000, 11)
	p.write(0, data, 0x4000)
	if got := c.Flash().Bytes()[:len(data)]; !bytes.Equal(got, data) {
		t.Error("the flash does not hold what was written over the terminal")
	}
	p.try(p.SetBaud(230400))
	p.command(cmdReadReg, 0, le(regMagic))
	if a := p.next(); len(a) > 1 && a[0] == 1 && a[1] == cmdReadReg {
		t.Error("the chip understands 230400 at 460800")
	}

	tty.Close() // another program takes it
	c.PressReset(true)
	p = &pc{t: t, Port: file{terminal(t, name), t}}
	time.Sleep(3 * ptyPause)
	p.raw(1000, 30*time.Millisecond)
	p.sync()

	c.Unplug()
	var gone error
	for range 100 {
		if _, gone = p.Read(make([]byte, 100)); gone != nil {
			break
		}
	}
	if gone == nil {
		t.Error("reading from an unplugged terminal does not fail")
	}
	if _, err := c.PTY(t.Context()); err == nil {
		t.Error("a board that is not plugged in got a terminal")
	}
	c.Replug()
	name, err = c.PTY(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.PressReset(true)
	p = &pc{t: t, Port: file{terminal(t, name), t}}
	time.Sleep(3 * ptyPause)
	p.raw(1000, 30*time.Millisecond)
	p.sync()
}

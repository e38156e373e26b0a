package chip

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// termios2 is the kernel's struct of that name, with rates in numbers.
type termios2 struct {
	iflag, oflag, cflag, lflag uint32
	line                       uint8
	cc                         [19]uint8
	ispeed, ospeed             uint32
}

const (
	tcgets2    = 0x802C542A // TCGETS2
	tiocgptn   = 0x80045430 // TIOCGPTN: the number of the slave
	tiocsptlck = 0x40045431 // TIOCSPTLCK: unlocks it
)

func ioctl(f *os.File, request uintptr, to unsafe.Pointer) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno syscall.Errno
	if err := raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(to))
	}); err != nil {
		return err
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// ptyPause is how often the cable is looked at while nobody has the port open.
const ptyPause = 5 * time.Millisecond

// PTY opens the PC's end as a terminal that programs open like a serial port, and
// returns its name. The rate is what the program has set it to; there are no modem
// lines, so PressReset is needed. While nobody has it open, what the chip says is
// lost. It ends with ctx or when the board is unplugged: the program then reads the end
// of a file or EIO, as of a USB bridge that is gone. Call it again after Replug.
func (c *Chip) PTY(ctx context.Context) (name string, err error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	var n, unlock uint32
	err = ioctl(master, tiocsptlck, unsafe.Pointer(&unlock))
	if err == nil {
		err = ioctl(master, tiocgptn, unsafe.Pointer(&n))
	}
	name = fmt.Sprintf("/dev/pts/%d", n)
	if err == nil {
		// Once it was open and closed, the master can tell whether anybody has it open.
		var slave *os.File
		if slave, err = os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0); err == nil {
			err = slave.Close()
		}
	}
	if err != nil {
		master.Close()
		return "", err
	}
	p := &pty{master: master}
	p.end = c.open(0, p.rate)
	if err := p.end.failed(); err != nil {
		master.Close()
		return "", err
	}
	if err := p.end.SetReadTimeout(time.Hour); err != nil {
		master.Close()
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { p.end.Close() })
	go func() {
		<-p.end.gone
		stop()
		master.Close()
		p.end.Close()
	}()
	go p.toChip()
	go p.toPC()
	return name, nil
}

// pty carries bytes between a PC's end and the master of a terminal.
type pty struct {
	master *os.File
	end    *end
	open   atomic.Bool // by a program
}

// settings returns what the program has set; false where it has not made it raw yet.
func (p *pty) settings() (baud int, ok bool) {
	var t termios2
	if err := ioctl(p.master, tcgets2, unsafe.Pointer(&t)); err != nil {
		return 0, false
	}
	return int(t.ospeed), t.lflag&(syscall.ECHO|syscall.ICANON) == 0
}

// rate is the rate of what goes to the program, 0 where nothing can.
func (p *pty) rate() int {
	if !p.open.Load() {
		return 0
	}
	baud, ok := p.settings()
	if !ok {
		return 0
	}
	return baud
}

// read waits for what the program writes. It fails with EIO while nobody has it open.
func (p *pty) read(b []byte) (n int, err error) {
	raw, err := p.master.SyscallConn()
	if err != nil {
		return 0, err
	}
	over := raw.Read(func(fd uintptr) bool {
		n, err = syscall.Read(int(fd), b)
		p.open.Store(err != syscall.EIO)
		return err != syscall.EAGAIN && err != syscall.EINTR
	})
	if over != nil {
		return 0, over
	}
	return max(n, 0), err
}

// toChip carries what the program writes.
func (p *pty) toChip() {
	var b [1024]byte
	for {
		n, err := p.read(b[:])
		if n > 0 {
			if baud, _ := p.settings(); baud > 0 && p.end.SetBaud(baud) == nil {
				if _, err := p.end.Write(b[:n]); err != nil {
					return
				}
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, syscall.EIO):
			if !wait(ptyPause, p.end.gone) {
				return
			}
		default:
			return
		}
	}
}

// toPC carries what the chip says.
func (p *pty) toPC() {
	var b [1024]byte
	for {
		n, err := p.end.Read(b[:])
		if err != nil {
			return
		}
		if n == 0 {
			continue
		}
		if _, err := p.master.Write(b[:n]); err != nil && !errors.Is(err, syscall.EIO) {
			return
		}
	}
}

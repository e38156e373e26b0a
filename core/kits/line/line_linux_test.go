package line

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"go.bug.st/serial"

	"homeroom/core"
)

// pc is a file system for System to look at.
type pc struct {
	t    *testing.T
	root string
}

func newPC(t *testing.T) pc { return pc{t, t.TempDir()} }

func (p pc) system() System { return System{root: p.root} }

func (p pc) file(path, text string) {
	p.t.Helper()
	path = p.root + path
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o660); err != nil {
		p.t.Fatal(err)
	}
}

func (p pc) link(path, to string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.root+path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Symlink(to, p.root+path); err != nil {
		p.t.Fatal(err)
	}
}

// usb plugs a device with a serial port in, as usb-serial drivers show it (deep) or
// as those of the class CDC.
func (p pc) usb(socket, tty, vid, pid, product string, deep bool) {
	device := "/sys/devices/pci0/usb1/" + socket
	p.file(device+"/idVendor", vid+"\n")
	p.file(device+"/idProduct", pid+"\n")
	if product != "" {
		p.file(device+"/product", product+"\n")
	}
	port := device + "/" + socket + ":1.0"
	if deep {
		port += "/" + tty
	}
	p.file(port+"/tty/"+tty+"/dev", "188:0\n")
	p.link("/sys/class/tty/"+tty+"/device", p.root+port)
	p.link("/sys/bus/usb/devices/"+socket, p.root+device)
	p.file("/dev/"+tty, "")
}

func TestList(t *testing.T) {
	p := newPC(t)
	p.usb("1-2", "ttyUSB10", "1a86", "7523", "USB Serial", true)
	p.usb("1-3", "ttyUSB2", "10c4", "ea60", "CP2104 USB to UART Bridge Controller", true)
	p.usb("1-4", "ttyACM0", "303a", "1001", "USB JTAG/serial debug unit", false)
	p.usb("1-5", "ttyACM1", "zzzz", "", "", false)
	for name, kind := range map[string]string{"ttyS0": "4\n", "ttyS1": "0\n"} { // one is there, one is not
		p.file("/sys/devices/platform/serial8250/"+name+"/type", kind)
		p.link("/sys/class/tty/"+name+"/device", p.root+"/sys/devices/platform/serial8250")
		p.file("/sys/class/tty/"+name+"/type", kind)
	}
	p.file("/sys/class/tty/tty1/dev", "4:1\n") // a console
	p.link("/sys/class/tty/ttyUSB7/device", p.root+"/sys/devices/gone")
	ports, err := p.system().List()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range ports {
		got = append(got, fmt.Sprintf("%s %s %04X:%04X %v %s", s.Name, s.Title, s.VID, s.PID, s.Likely, s.Problem))
	}
	want := []string{
		"/dev/ttyACM0 ESP32 with USB 303A:1001 false ",
		"/dev/ttyACM1 ttyACM1 0000:0000 false ",
		"/dev/ttyS0 ttyS0 0000:0000 false ",
		"/dev/ttyUSB2 CP2104 10C4:EA60 true ",
		"/dev/ttyUSB10 CH340 1A86:7523 true ",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the ports are\n%s\nand should be\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if ports, err := (System{root: t.TempDir()}).List(); err != nil || ports != nil {
		t.Errorf("a PC without sysfs has no ports; it has %v, %v", ports, err)
	}
}

// TestListAgain: what a port is is read once while it is there, and anew when another
// board has its name.
func TestListAgain(t *testing.T) {
	p := newPC(t)
	p.usb("1-2", "ttyUSB0", "1a86", "7523", "", true)
	title := func() string {
		t.Helper()
		ports, err := p.system().List()
		if err != nil || len(ports) != 1 {
			t.Fatal(ports, err)
		}
		return ports[0].Title
	}
	if got := title(); got != "CH340" {
		t.Fatalf("it is a CH340, and a %q", got)
	}
	p.file("/sys/devices/pci0/usb1/1-2/idVendor", "10c4\n")
	p.file("/sys/devices/pci0/usb1/1-2/idProduct", "ea60\n")
	if got := title(); got != "CH340" {
		t.Errorf("the port stayed where it was, and was read again: %q", got)
	}
	class := p.root + "/sys/class/tty"
	if err := os.Rename(class+"/ttyUSB0", class+"/tty9"); err != nil { // it keeps its inode, as the kernel gives none twice
		t.Fatal(err)
	}
	p.link("/sys/class/tty/ttyUSB0/device", p.root+"/sys/devices/pci0/usb1/1-2/1-2:1.0/ttyUSB0")
	if got := title(); got != "CP2102" {
		t.Errorf("another board has the name of the port, and is taken for a %q", got)
	}
	if err := os.RemoveAll(class + "/ttyUSB0"); err != nil {
		t.Fatal(err)
	}
	if ports, err := p.system().List(); len(ports) > 0 || err != nil {
		t.Errorf("unplugged it is %+v, %v", ports, err)
	}
}

// process lets a program run that has a file open.
func (p pc) process(pid int, comm, args, open string) {
	dir := fmt.Sprintf("/proc/%d", pid)
	p.file(dir+"/comm", comm+"\n")
	p.file(dir+"/cmdline", strings.ReplaceAll(args, " ", "\x00"))
	p.link(dir+"/fd/0", "/dev/null")
	p.link(dir+"/fd/7", open)
}

func TestWhoHoldsAPort(t *testing.T) {
	for _, tc := range []struct{ comm, args, says string }{
		{"screen", "SCREEN /dev/ttyUSB0 115200", "screen has /dev/ttyUSB0 open"},
		{"serial-monitor", "/home/a/.arduino15/packages/builtin/tools/serial-monitor/0.15.0/serial-monitor", "Arduino IDE has"},
		{"java", "java -cp /opt/arduino/lib processing.app.Base", "Arduino IDE has"},
		{"python3", "python3 -m esptool --port /dev/ttyUSB0 read-mac", "esptool has"},
		{"ModemManager", "/usr/sbin/ModemManager", "ModemManager looks"},
		{"brltty", "/bin/brltty", "apt remove brltty"},
		{"", "", "process 4711 has"},
		{"\x1b[31mevil", "", "[31mevil has"},
	} {
		p := newPC(t)
		p.usb("1-2", "ttyUSB0", "1a86", "7523", "", true)
		p.process(1, "init", "/sbin/init", "/dev/ttyUSB1")
		p.process(4711, tc.comm, tc.args, "/dev/ttyUSB0")
		p.process(os.Getpid(), "homeroom", "homeroom", "/dev/ttyUSB0")
		ports, err := p.system().List()
		if err != nil || len(ports) != 1 {
			t.Fatal(ports, err)
		}
		if got := ports[0].Problem.String(); !strings.Contains(got, tc.says) {
			t.Errorf("%s holds the port; it should say %q, and it says %q", tc.comm, tc.says, got)
		}
	}
	p := newPC(t)
	p.usb("1-2", "ttyUSB0", "1a86", "7523", "", true)
	p.process(os.Getpid(), "homeroom", "homeroom", "/dev/ttyUSB0")
	if ports, err := p.system().List(); err != nil || len(ports) != 1 || ports[0].Problem.Format != "" {
		t.Errorf("what this program has open is no problem: %+v, %v", ports, err)
	}
	if got := p.system().busy("/dev/ttyUSB0").String(); !strings.Contains(got, "Another program") {
		t.Errorf("somebody who cannot be seen has it: %q", got)
	}
	p.process(99, "ModemManager", "", "/dev/null")
	if got := p.system().busy("/dev/ttyUSB0").String(); !strings.Contains(got, "ModemManager") {
		t.Errorf("it is most likely ModemManager: %q", got)
	}
}

func TestDenied(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip("nobody knows who runs this:", err)
	}
	const port = "/dev/ttyUSB0"
	gid := os.Getgid()
	for name, tc := range map[string]struct {
		group string
		mode  fs.FileMode
		says  string
	}{
		"not in the group":      {fmt.Sprintf("root:x:999:\ndialout:x:%d:anna,ben\n", gid), 0o660, "sudo usermod -aG dialout " + me.Username},
		"since this session":    {fmt.Sprintf("uucp:x:%d:anna,%s\n", gid, me.Username), 0o660, "in the group uucp now"},
		"root's":                {fmt.Sprintf("root:x:%d:\n", gid), 0o660, "You may not use"},
		"the group may not":     {fmt.Sprintf("dialout:x:%d:\n", gid), 0o600, "You may not use"},
		"a group without name":  {"", 0o660, "You may not use"},
		"a group file of noise": {"\x00\x01:::::\n" + strings.Repeat(":", 500), 0o660, "You may not use"},
	} {
		p := newPC(t)
		p.file(port, "")
		p.file("/etc/group", tc.group)
		if err := os.Chmod(p.root+port, tc.mode); err != nil {
			t.Fatal(err)
		}
		if got := p.system().denied(port).String(); !strings.Contains(got, tc.says) {
			t.Errorf("%s: it should say %q, and it says %q", name, tc.says, got)
		}
	}
}

func TestAdvice(t *testing.T) {
	first := func(p pc) string { return p.system().Advice(nil)[0].String() }
	p := newPC(t)
	if got := first(p); !strings.Contains(got, "cable that carries data") {
		t.Errorf("without a port it is the cable first: %q", got)
	}
	p.file("/sys/bus/usb/devices/1-2/idVendor", "1a86\n")
	p.file("/sys/bus/usb/devices/1-2/idProduct", "7523\n")
	if got := first(p); !strings.Contains(got, "CH340") || !strings.Contains(got, "no driver") {
		t.Errorf("a CH340 without a port has no driver: %q", got)
	}
	p.file("/usr/lib/udev/rules.d/90-brltty-device.rules", "")
	if got := first(p); !strings.Contains(got, "brltty took it") {
		t.Errorf("brltty takes a CH340: %q", got)
	}
	for path, tc := range map[string]struct{ text, says string }{
		"/proc/sys/kernel/osrelease":       {"5.15.153.1-microsoft-standard-WSL2\n", "usbipd"},
		"/sys/class/dmi/id/product_name":   {"VirtualBox\n", "virtual machine"},
		"/sys/class/dmi/id/sys_vendor":     {"QEMU\n", "virtual machine"},
		"/sys/class/dmi/id/product_serial": {"VirtualBox\n", "cable that carries data"},
	} {
		p := newPC(t)
		p.file(path, tc.text)
		if got := first(p); !strings.Contains(got, tc.says) {
			t.Errorf("%s says %q; the advice should have %q, and is %q", path, tc.text, tc.says, got)
		}
	}
}

// pty opens a pair of real terminals: what a program on the other end of a cable would
// hold, and the name of this end.
func pty(t *testing.T) (far *os.File, name string) {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("there are no PTYs here:", err)
	}
	t.Cleanup(func() { far.Close() })
	raw, err := far.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n uint32
	var unlock int32
	var fail [2]syscall.Errno
	if err := raw.Control(func(fd uintptr) {
		_, _, fail[0] = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCSPTLCK, uintptr(unsafe.Pointer(&unlock)))
		_, _, fail[1] = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCGPTN, uintptr(unsafe.Pointer(&n)))
	}); err != nil || fail[0] != 0 || fail[1] != 0 {
		t.Fatal(err, fail)
	}
	return far, fmt.Sprintf("/dev/pts/%d", n)
}

// opened opens a port that ends with the test.
func opened(t *testing.T, name string) Port {
	t.Helper()
	p, err := System{}.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestPTY(t *testing.T) {
	far, name := pty(t)
	link := filepath.Join(t.TempDir(), "usb-1a86_USB_Serial-if00")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	p := opened(t, link)
	sent := []byte("all bytes: \x00\x03\x04\x0A\x0D\x11\x13\x1A\x7F\xC0\xDB\xFF")
	if n, err := p.Write(sent); n != len(sent) || err != nil {
		t.Fatal(n, err)
	}
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%q arrived as %q: %v", sent, got, err)
	}
	if _, err := far.Write(sent); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(p, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%q came back as %q: %v", sent, got, err)
	}
	for _, f := range []func(bool) error{p.SetDTR, p.SetRTS} {
		if err := f(true); !errors.Is(err, ErrNoLines) {
			t.Errorf("a PTY has no modem lines; it says %v", err)
		}
	}
	for _, baud := range []int{9600, 74880, 460800, 921600, 115200} {
		if err := p.SetBaud(baud); err != nil {
			t.Errorf("%d baud: %v", baud, err)
		}
	}
	if err := p.SetBaud(0); !errors.Is(err, core.ErrInvalid) {
		t.Errorf("0 baud: %v", err)
	}
	if err := p.SetReadTimeout(10 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(got); n != 0 || err != nil {
		t.Errorf("when nothing comes, Read returns 0 and no error; it returns %d, %v", n, err)
	}
	if _, err := far.Write([]byte("old")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(got[:1]); err != nil {
		t.Fatal(err)
	}
	if err := p.Discard(); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(got); n != 0 || err != nil {
		t.Errorf("after Discard nothing is left; there is %q, %v", got[:n], err)
	}
}

// TestOpenTwice: a port is one program's, and one part's of it, by whatever name.
func TestOpenTwice(t *testing.T) {
	_, name := pty(t)
	link := filepath.Join(t.TempDir(), "port")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	p := opened(t, name)
	if _, err := (System{}).Open(link); !errors.Is(err, core.ErrConflict) {
		t.Errorf("opened under another name a second time: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	opened(t, link)
}

// TestOpenHangs: a driver that hangs holds its own port, and no other.
func TestOpenHangs(t *testing.T) {
	_, slow := pty(t)
	_, quick := pty(t)
	asked, free := make(chan struct{}), make(chan struct{})
	hangs := System{driver: func(path string, m *serial.Mode) (serial.Port, bool, error) {
		close(asked)
		<-free
		return open(path, m)
	}}
	type answer struct {
		Port
		error
	}
	late := make(chan answer)
	go func() {
		p, err := hangs.Open(slow)
		late <- answer{p, err}
	}()
	<-asked
	p := opened(t, quick) // a lock would hold this for ever
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := (System{}).Open(slow); !errors.Is(err, core.ErrConflict) {
		t.Errorf("a port that is being opened is opened again: %v", err)
	}
	close(free)
	a := <-late
	if a.error != nil {
		t.Fatal(a.error)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	fails := System{driver: func(string, *serial.Mode) (serial.Port, bool, error) { return nil, false, syscall.EIO }}
	if _, err := fails.Open(slow); !errors.Is(err, core.ErrInvalid) {
		t.Errorf("a driver that fails: %v", err)
	}
	opened(t, slow) // what was not opened is free
}

func TestOpenRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]error{
		"/dev/ttyUSB99": core.ErrNotFound, "": core.ErrNotFound, file: core.ErrInvalid, dir: core.ErrInvalid, fifo: core.ErrInvalid, "/dev/null": core.ErrInvalid,
	} {
		p, err := System{}.Open(name)
		var told *core.Problem
		if !errors.Is(err, kind) || !errors.As(err, &told) {
			t.Errorf("%q is opened as a port: %v, %v", name, p, err)
		}
	}
}

// TestUnplugged: Read and Write say that the port is gone, also to who waits already.
func TestUnplugged(t *testing.T) {
	far, name := pty(t)
	p := opened(t, name)
	if err := p.SetReadTimeout(time.Minute); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		_, err := p.Read(make([]byte, 1))
		failed <- err
	}()
	far.Close()
	if err := <-failed; !errors.Is(err, ErrGone) {
		t.Errorf("who waits is told %v", err)
	}
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, ErrGone) {
		t.Errorf("Read says %v", err)
	}
	if _, err := p.Write([]byte("x")); !errors.Is(err, ErrGone) {
		t.Errorf("Write says %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := (System{}).Open(name); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a port that was unplugged is opened: %v", err)
	}
}

func TestCloseEndsRead(t *testing.T) {
	_, name := pty(t)
	p := opened(t, name)
	if err := p.SetReadTimeout(time.Minute); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		_, err := p.Read(make([]byte, 1))
		failed <- err
	}()
	time.Sleep(10 * time.Millisecond) // most likely it waits now; either way it must end
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a Read of a port that was closed here says %v", err)
	}
	if _, err := p.Write([]byte("x")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a Write to it says %v", err)
	}
}

// TestStuck: who does not read does not hold a Write for ever.
func TestStuck(t *testing.T) {
	_, name := pty(t)
	p := opened(t, name)
	if err := p.SetBaud(921600); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Write(make([]byte, 32<<10)); !errors.Is(err, ErrStuck) {
		t.Errorf("nobody reads, and %d bytes were written: %v", n, err)
	}
}

// TestCloseFreesWrite: Close does not wait for who does not read.
func TestCloseFreesWrite(t *testing.T) {
	_, name := pty(t)
	p := opened(t, name)
	failed := make(chan error)
	go func() {
		_, err := p.Write(make([]byte, 64<<10))
		failed <- err
	}()
	time.Sleep(10 * time.Millisecond)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a Write of a port that was closed meanwhile says %v", err)
	}
}

package line

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"homeroom/core"
)

// ttyFor is how long what was read of a tty is good, unless another is there by that name.
const ttyFor = 30 * time.Second

// tty is what sysfs says of a port, which does not change while it is there.
type tty struct {
	inode uint64 // of its entry in the class; another board has another one
	real  bool   // something is plugged in
	port  core.SerialPort
}

// ttys is what list read: it is asked twice a second.
var ttys struct {
	mu   sync.Mutex
	root string         // guarded by mu
	at   time.Time      // guarded by mu; that all was read
	by   map[string]tty // guarded by mu; by name
}

// list reads sysfs: nothing has to be opened for it, and a port that goes away
// meanwhile is just not there. Who holds a port is only looked for where one is on USB
// that this program has not open: that means going through all processes.
func (s System) list() ([]core.SerialPort, error) {
	ports, err := s.plugged()
	if err != nil || len(ports) == 0 {
		return nil, err
	}
	var held map[string]string
	if slices.ContainsFunc(ports, func(p core.SerialPort) bool { return p.VID != 0 && !taken.has(p.Name) }) {
		held = s.holders()
	}
	for i := range ports {
		p := &ports[i]
		if by := held[p.Name]; by != "" && p.VID != 0 {
			p.Problem = holds(by, p.Name)
		}
		if err := syscall.Access(s.root+p.Name, 4|2); err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.Problem = s.denied(p.Name)
		}
	}
	return ports, nil
}

// plugged returns the ports that something is plugged into.
func (s System) plugged() (ports []core.SerialPort, err error) {
	dir, err := os.Open(s.root + "/sys/class/tty")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a container without sysfs has no ports
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	ttys.mu.Lock()
	defer ttys.mu.Unlock()
	if ttys.root != s.root || time.Since(ttys.at) > ttyFor {
		ttys.root, ttys.at, ttys.by = s.root, time.Now(), nil
	}
	now := map[string]tty{}
	for _, name := range names {
		if text, digits := number(name); text == "tty" && digits != "" {
			continue // a console; there are some sixty
		}
		info, err := os.Lstat(dir.Name() + "/" + name)
		if err != nil {
			continue
		}
		st, _ := info.Sys().(*syscall.Stat_t)
		t := ttys.by[name]
		if st == nil || t.inode != st.Ino {
			t.port, t.real = readTTY(dir.Name(), name)
			if st != nil {
				t.inode = st.Ino
			}
		}
		now[name] = t
		if t.real {
			ports = append(ports, t.port)
		}
	}
	ttys.by = now
	return ports, nil
}

// readTTY reads what a port is; real is false where nothing is plugged in.
func readTTY(class, name string) (p core.SerialPort, real bool) {
	at := filepath.Join(class, name)
	if strings.HasPrefix(name, "ttyS") && firstLine(at+"/type") == "0" {
		return p, false // a number that the kernel keeps free for a UART that is not there
	}
	device, err := filepath.EvalSymlinks(at + "/device")
	if err != nil {
		return p, false // a PTY, or what the kernel has for itself
	}
	p = core.SerialPort{Name: "/dev/" + name, Title: name}
	if usb := usbOf(device); usb != "" {
		p.VID, p.PID = id(usb, "idVendor"), id(usb, "idProduct")
		var title string
		if title, p.Likely = identify(p.VID, p.PID, firstLine(filepath.Join(usb, "product"))); title != "" {
			p.Title = title
		}
	}
	return p, true
}

// usbOf returns the directory of the USB device that a tty's device belongs to, or "".
func usbOf(device string) string {
	for range 4 {
		if _, err := os.Stat(filepath.Join(device, "idVendor")); err == nil {
			return device
		}
		device = filepath.Dir(device)
	}
	return ""
}

// id reads a USB ID of sysfs: four hex digits. It is 0 where there is none.
func id(dir, name string) uint16 {
	n, err := strconv.ParseUint(firstLine(filepath.Join(dir, name)), 16, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// firstLine returns the first line of a small file of the kernel, or "".
func firstLine(path string) string {
	b, err := head(path, 4096) // an attribute has at most a page
	if err != nil {
		return ""
	}
	l, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSpace(l)
}

// head returns what a file begins with, at most that many bytes.
func head(path string, most int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, most)
	n, err := f.Read(b)
	if n > 0 {
		return b[:n], nil
	}
	return nil, err
}

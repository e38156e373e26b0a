package line

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"homeroom/core"
)

// list reads sysfs: nothing has to be opened for it, and a port that goes away
// meanwhile is just not there.
func (s System) list() ([]core.SerialPort, error) {
	class := s.root + "/sys/class/tty"
	entries, err := os.ReadDir(class)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a container without sysfs has no ports
	}
	if err != nil {
		return nil, err
	}
	var ports []core.SerialPort
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "ttyS") && firstLine(filepath.Join(class, e.Name(), "type")) == "0" {
			continue // a number that the kernel keeps free for a UART that is not there; there are many, and this is asked twice a second
		}
		device, err := filepath.EvalSymlinks(filepath.Join(class, e.Name(), "device"))
		if err != nil {
			continue // a console or a PTY: nothing is plugged in
		}
		p := core.SerialPort{Name: "/dev/" + e.Name(), Title: e.Name()}
		if usb := usbOf(device); usb != "" {
			p.VID, p.PID = id(usb, "idVendor"), id(usb, "idProduct")
			var title string
			if title, p.Likely = identify(p.VID, p.PID, firstLine(filepath.Join(usb, "product"))); title != "" {
				p.Title = title
			}
		}
		ports = append(ports, p)
	}
	if len(ports) == 0 {
		return nil, nil
	}
	held := s.holders()
	for i := range ports {
		p := &ports[i]
		if by := held[p.Name]; by != "" {
			p.Problem = holds(by, p.Name)
		}
		if err := syscall.Access(s.root+p.Name, 4|2); err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.Problem = s.denied(p.Name)
		}
	}
	return ports, nil
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

package line

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"homeroom/core"
)

// lastHolders is what holders found: List is asked twice a second, and going
// through all open files of a busy desktop takes some ten milliseconds.
var lastHolders struct {
	mu sync.Mutex
	at time.Time         // guarded by mu
	by map[string]string // guarded by mu
}

// holders returns which program has which port open, where it can be seen: those of
// this person, and all for root. It is three seconds old at most.
func (s System) holders() map[string]string {
	if s.root != "" {
		return s.scan()
	}
	lastHolders.mu.Lock()
	defer lastHolders.mu.Unlock()
	if time.Since(lastHolders.at) > 3*time.Second {
		lastHolders.by, lastHolders.at = s.scan(), time.Now()
	}
	return lastHolders.by
}

// scan looks into /proc for open files that are serial ports.
func (s System) scan() map[string]string {
	by := map[string]string{}
	self := strconv.Itoa(os.Getpid())
	for pid := range s.processes() {
		if pid == self {
			continue
		}
		dir := filepath.Join(s.root, "/proc", pid)
		fds, err := os.ReadDir(filepath.Join(dir, "fd"))
		if err != nil {
			continue
		}
		for _, fd := range fds {
			to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
			if err == nil && strings.HasPrefix(to, "/dev/tty") && to != "/dev/tty" && by[to] == "" {
				by[to] = s.program(pid)
			}
		}
	}
	return by
}

// processes yields the numbers of all processes.
func (s System) processes() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		dir, err := os.Open(s.root + "/proc")
		if err != nil {
			return
		}
		defer dir.Close()
		var names []string
		for err == nil {
			names, err = dir.Readdirnames(256)
			for _, n := range names {
				if n[0] >= '1' && n[0] <= '9' && !yield(n) {
					return
				}
			}
		}
	}
}

// program returns the name under which a person knows a process.
func (s System) program(pid string) string {
	comm := plain(firstLine(filepath.Join(s.root, "/proc", pid, "comm")))
	args, _ := head(filepath.Join(s.root, "/proc", pid, "cmdline"), 1<<16)
	for _, known := range []struct{ in, name string }{
		{"arduino", "Arduino IDE"}, {"processing.app", "Arduino IDE"}, {"serial-monitor", "Arduino IDE"},
		{"platformio", "PlatformIO"}, {"esptool", "esptool"}, {"miniterm", "miniterm"}, {"thonny", "Thonny"},
		{"homeroom", "Homeroom"},
	} {
		if bytes.Contains(bytes.ToLower(args), []byte(known.in)) {
			return known.name
		}
	}
	if comm == "" {
		return "process " + pid
	}
	return comm
}

// running tells whether a program runs, by the name that the kernel knows (15 characters).
func (s System) running(comm string) bool {
	for pid := range s.processes() {
		if firstLine(filepath.Join(s.root, "/proc", pid, "comm")) == comm {
			return true
		}
	}
	return false
}

// holds says that a program has a port open.
func holds(program, port string) core.Sentence {
	switch strings.ToLower(program) {
	case "modemmanager":
		return core.Say("ModemManager looks whether {port} is a modem. Wait half a minute. If it does not let go, type in a terminal: sudo systemctl disable --now ModemManager", "port", port)
	case "brltty":
		return core.Say("brltty took {port} for a Braille display. Where nobody needs it, type in a terminal: sudo apt remove brltty – then plug the board in again.", "port", port)
	}
	return core.Say("{program} has {port} open. Close it there; then it can be used here.", "program", program, "port", port)
}

// busy says who may have a port open that could not be taken.
func (s System) busy(port string) core.Sentence {
	if by := s.scan()[port]; by != "" {
		return holds(by, port)
	}
	if s.running("ModemManager") { // runs as root, so its files cannot be seen
		return holds("ModemManager", port)
	}
	return somebody(port)
}

// seen is the advice that this PC itself gives: a board that is plugged in without
// getting a port, or a Linux that sees no USB.
func (s System) seen() []core.Sentence {
	var all []core.Sentence
	dirs, _ := filepath.Glob(s.root + "/sys/bus/usb/devices/*")
	for _, dir := range dirs {
		vid, pid := id(dir, "idVendor"), id(dir, "idProduct")
		title, likely := identify(vid, pid, "")
		if !likely {
			continue
		}
		if s.running("brltty") || s.installed("brltty") {
			all = append(all, core.Say("A {chip} is plugged in, but brltty took it for a Braille display. Where nobody needs it, type in a terminal: sudo apt remove brltty – then plug the board in again.", "chip", title))
		} else {
			all = append(all, core.Say("A {chip} is plugged in, but this Linux has no driver for it. Type in a terminal: sudo apt install linux-modules-extra-$(uname -r) – then plug the board in again.", "chip", title))
		}
		break
	}
	if strings.Contains(strings.ToLower(firstLine(s.root+"/proc/sys/kernel/osrelease")), "microsoft") {
		all = append(all, core.Say("This Linux runs inside Windows (WSL) and sees no USB. Use Homeroom for Windows, or hand the board over with usbipd."))
	}
	machine := strings.ToLower(firstLine(s.root+"/sys/class/dmi/id/sys_vendor") + " " + firstLine(s.root+"/sys/class/dmi/id/product_name"))
	for _, vm := range []string{"virtualbox", "vmware", "qemu", "kvm", "virtual machine", "parallels"} {
		if strings.Contains(machine, vm) {
			all = append(all, core.Say("This PC is a virtual machine. Give the board to it in its USB menu, where it is only seen by the PC around it."))
			break
		}
	}
	return all
}

// installed tells whether udev has rules of a program.
func (s System) installed(program string) bool {
	for _, dir := range []string{"/usr/lib/udev/rules.d", "/lib/udev/rules.d"} {
		found := false
		_ = fs.WalkDir(os.DirFS(s.root+dir), ".", func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.Contains(path, program) {
				found = true
				return fs.SkipAll
			}
			return nil
		})
		if found {
			return true
		}
	}
	return false
}

// drivers is nothing: Linux has them.
func drivers() []core.Sentence { return nil }

// holder says who has a port open, as far as it can be seen, and nothing where nobody has.
func (s System) holder(port string) core.Sentence {
	if by := s.scan()[port]; by != "" {
		return holds(by, port)
	}
	return core.Sentence{}
}

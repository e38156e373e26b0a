package line

import (
	"cmp"
	"slices"

	"go.bug.st/serial"

	"homeroom/core"
)

// System is the serial ports of this PC. Its zero value is ready.
type System struct {
	root string // of the file system, for proc, sys, dev and etc; "" is the real one
	// driver opens a port and tells whether it has modem lines; nil is the system's.
	driver func(path string, m *serial.Mode) (serial.Port, bool, error)
}

// List returns the ports in order of name, without those that have no hardware
// behind them. It opens none.
func (s System) List() ([]core.SerialPort, error) {
	ports, err := s.list()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(ports, func(a, b core.SerialPort) int { return compareNames(a.Name, b.Name) })
	return ports, nil
}

// Advice returns why no port is there that a kit may be on, and what to do, most
// likely first; nothing where one is.
func (s System) Advice(ports []core.SerialPort) []core.Sentence {
	for _, p := range ports {
		if p.Likely || p.VID != 0 && !foreign(p.VID, p.PID) {
			return nil
		}
	}
	return append(s.seen(),
		append([]core.Sentence{
			core.Say("Use a USB cable that carries data. Many only charge: take one with which a phone shows its pictures on this PC."),
			core.Say("Try another USB socket, one of the PC itself and not of a hub, and push the plug in all the way."),
		}, drivers()...)...)
}

// compareNames sorts COM10 and ttyUSB10 behind COM9 and ttyUSB9.
func compareNames(a, b string) int {
	ta, na := number(a)
	tb, nb := number(b)
	return cmp.Or(cmp.Compare(ta, tb), cmp.Compare(len(na), len(nb)), cmp.Compare(na, nb))
}

// number cuts the digits that s ends in off.
func number(s string) (text, digits string) {
	i := len(s)
	for i > 0 && s[i-1] >= '0' && s[i-1] <= '9' {
		i--
	}
	return s[:i], s[i:]
}

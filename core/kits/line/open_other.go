//go:build !unix

package line

import "go.bug.st/serial"

func (s System) resolve(name string) (string, error) { return name, nil }

// open opens a port with both modem lines off, so that a board is not reset.
func open(path string, m *serial.Mode) (serial.Port, bool, error) {
	m.InitialStatusBits = &serial.ModemOutputBits{}
	p, err := serial.Open(path, m)
	return p, true, err
}

func gone(error) bool { return false }

func busy(error) bool { return false }

//go:build unix

package line

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"go.bug.st/serial"
)

// resolve returns the real name of a port, so that a link to it is the same port.
func (s System) resolve(name string) (string, error) {
	if name == "" {
		return "", fs.ErrNotExist
	}
	path, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode()&fs.ModeCharDevice == 0 {
		return "", syscall.ENOTTY
	}
	return path, nil
}

// open opens a port and tells whether it has modem lines. The system puts both lines
// on when it opens, which neither resets nor holds a board of the usual circuit. Both
// are let go in one step then, where they exist, so that there is no reset between.
func open(path string, m *serial.Mode) (serial.Port, bool, error) {
	// While this holds the port, a try that fails does not look like hanging up.
	hold, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, false, err
	}
	defer hold.Close()
	m.InitialStatusBits = &serial.ModemOutputBits{}
	p, err := serial.Open(path, m)
	if err == nil {
		return p, true, nil
	}
	var told *serial.PortError
	if !errors.As(err, &told) || told.Code() != serial.InvalidSerialPort {
		return nil, false, err
	}
	m.InitialStatusBits = nil // a PTY has no lines
	p, err = serial.Open(path, m)
	return p, false, err
}

// gone tells whether err means that there is no device behind a name.
func gone(err error) bool { return errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENODEV) }

// busy tells whether err means that a port is open elsewhere.
func busy(err error) bool { return errors.Is(err, syscall.EBUSY) }

//go:build !linux && !windows && !(darwin && cgo)

package line

import (
	"path/filepath"

	"homeroom/core"
)

// list looks for files of ports: what they are, only the system's frameworks know.
func (s System) list() ([]core.SerialPort, error) {
	var ports []core.SerialPort
	for _, pattern := range []string{"/dev/cu.*", "/dev/cuaU*", "/dev/ttyU*"} {
		names, err := filepath.Glob(s.root + pattern)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			if !hidden(n) {
				ports = append(ports, core.SerialPort{Name: n, Title: filepath.Base(n)})
			}
		}
	}
	return ports, nil
}

//go:build windows || (darwin && cgo)

package line

import (
	"strconv"
	"strings"

	"go.bug.st/serial/enumerator"

	"homeroom/core"
)

// list asks the system for its ports and their USB IDs.
func (s System) list() ([]core.SerialPort, error) {
	found, err := enumerator.GetDetailedPortsList()
	if err != nil {
		return nil, err
	}
	var ports []core.SerialPort
	for _, f := range found {
		if f.Name == "" || strings.HasPrefix(f.Name, "/dev/tty.") || !f.IsUSB && hidden(f.Name) {
			continue
		}
		p := core.SerialPort{Name: f.Name, Title: f.Name}
		if f.IsUSB {
			p.VID, p.PID = id(f.VID), id(f.PID)
			var title string
			if title, p.Likely = identify(p.VID, p.PID, f.Product); title != "" {
				p.Title = title
			}
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// id reads a USB ID: four hex digits. It is 0 where there is none.
func id(s string) uint16 {
	n, err := strconv.ParseUint(s, 16, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

//go:build windows || (darwin && cgo)

package line

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.bug.st/serial"
	"go.bug.st/serial/enumerator"

	"homeroom/core"
)

// wholeEvery is how often the system is asked for all about its ports. That walks
// through all its devices; their names are cheap, and new ones are asked about at once.
const wholeEvery = 5 * time.Second

// last is what list found.
var last struct {
	mu    sync.Mutex
	at    time.Time         // guarded by mu
	names []string          // guarded by mu; as the system gave them
	ports []core.SerialPort // guarded by mu
}

// list asks the system for its ports and their USB IDs.
func (s System) list() ([]core.SerialPort, error) {
	names, unsure := serial.GetPortsList()
	last.mu.Lock()
	defer last.mu.Unlock()
	if unsure == nil && !last.at.IsZero() && time.Since(last.at) < wholeEvery && slices.Equal(names, last.names) {
		return slices.Clone(last.ports), nil
	}
	ports, err := whole()
	if err != nil {
		return nil, err
	}
	last.at, last.names, last.ports = time.Now(), names, ports
	return slices.Clone(ports), nil
}

// whole asks for all about the ports.
func whole() ([]core.SerialPort, error) {
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

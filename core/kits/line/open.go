package line

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.bug.st/serial"

	"homeroom/core"
)

// ErrStuck means that a port takes no bytes any more: what hangs on it stopped reading.
var ErrStuck = errors.New("the port takes no bytes")

// taken are the ports that this program has open or opens just now. The lock of the
// system does not keep root out, nor a second open of the same program.
var taken = holding{names: map[string]bool{}}

// holding is a set of ports by their real names.
type holding struct {
	mu    sync.Mutex
	names map[string]bool // guarded by mu
}

// take reports whether nobody had the port before.
func (h *holding) take(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	had := h.names[name]
	h.names[name] = true
	return !had
}

func (h *holding) give(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.names, name)
}

func (h *holding) has(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.names[name]
}

// Open takes a port for this program alone. name is one of List's, or the path of
// any other, as a PTY or a link in /dev/serial/by-id. It does not reset the board
// where the system leaves a choice. The caller closes the port. It fails with
// core.ErrNotFound, ErrDenied, ErrConflict where a program has it, or ErrInvalid.
// A driver may hold it for as long as it likes; other ports do not wait for that.
func (s System) Open(name string) (Port, error) {
	path, err := s.resolve(name)
	if err != nil {
		return nil, s.refused(err, name)
	}
	if !taken.take(path) {
		return nil, core.Fail(core.ErrConflict, "Homeroom uses {port} already. Close its console or its setup first.", "port", name)
	}
	p, err := s.openFree(path)
	if err != nil {
		taken.give(path)
		return nil, err
	}
	return p, nil
}

// openFree opens a port that nothing else in this program has.
func (s System) openFree(path string) (*port, error) {
	if by := s.holder(path); by.Format != "" {
		return nil, &core.Problem{Sentence: by, Kind: core.ErrConflict}
	}
	do := s.driver
	if do == nil {
		do = open
	}
	sp, lines, err := do(path, &serial.Mode{BaudRate: 115200, DataBits: 8})
	if err != nil {
		return nil, s.refused(err, path)
	}
	p := &port{serial: sp, name: path, lines: lines}
	p.baud.Store(115200)
	if err := p.SetReadTimeout(time.Second); err != nil {
		_ = sp.Close()
		return nil, s.refused(err, path)
	}
	return p, nil
}

// refused says why a port could not be opened.
func (s System) refused(err error, port string) error {
	var told serial.PortError
	var ptr *serial.PortError
	if errors.As(err, &ptr) {
		told = *ptr
	}
	is := func(c serial.PortErrorCode) bool { return (ptr != nil) && told.Code() == c }
	switch {
	case errors.Is(err, fs.ErrNotExist), is(serial.PortNotFound), gone(err):
		return core.Fail(core.ErrNotFound, "There is no port {port}. Plug the board in, and look which port appears.", "port", port)
	case errors.Is(err, fs.ErrPermission), is(serial.PermissionDenied):
		return &core.Problem{Sentence: s.denied(port), Kind: core.ErrDenied}
	case is(serial.PortBusy), busy(err):
		return &core.Problem{Sentence: s.busy(port), Kind: core.ErrConflict}
	default:
		return core.Fail(core.ErrInvalid, "{port} is not a serial port that can be used: {reason}. Choose another port.", "port", port, "reason", err)
	}
}

// somebody says that a port is open elsewhere.
func somebody(port string) core.Sentence {
	return core.Say("Another program has {port} open. Close the serial monitor of the Arduino IDE, and terminals such as PuTTY or screen.", "port", port)
}

// port is a Port of go.bug.st/serial.
type port struct {
	serial  serial.Port
	name    string // as in taken
	lines   bool   // it has modem lines
	dtr     bool   // as it was set the last time; of who sets the lines
	closed  atomic.Bool
	baud    atomic.Int64
	writing sync.Mutex      // held while Write writes
	stuck   <-chan struct{} // closed when the write ends that did not; nil where all did; guarded by writing
}

func (p *port) Read(b []byte) (int, error) {
	n, err := p.serial.Read(b)
	if err != nil {
		return n, p.fault(err)
	}
	return n, nil
}

// fault turns what a system says of a port that was there before into what it means.
func (p *port) fault(err error) error {
	if p.closed.Load() {
		return fs.ErrClosed
	}
	return fmt.Errorf("%w (%v)", ErrGone, err)
}

// Write fails with ErrStuck when bytes do not leave: twice the time that they take
// on the line, and two seconds.
func (p *port) Write(b []byte) (int, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	if p.closed.Load() {
		return 0, fs.ErrClosed
	}
	if p.stuck != nil { // two at a time would mix what they write
		select {
		case <-p.stuck:
			p.stuck = nil
		default:
			return 0, ErrStuck
		}
	}
	var n int
	var err error
	done := make(chan struct{})
	own := bytes.Clone(b) // who gave b may use it again, also when this is stuck
	go func() {
		defer close(done)
		n, err = p.serial.Write(own)
	}()
	line := time.Duration(len(b)) * 10 * time.Second / time.Duration(p.baud.Load())
	stuck := time.NewTimer(2*line + 2*time.Second)
	defer stuck.Stop()
	select {
	case <-done:
		if err != nil || p.closed.Load() { // closed meanwhile: it was dropped
			return n, p.fault(err)
		}
		return n, nil
	case <-stuck.C:
	}
	for range 50 {
		p.loosen()
		select {
		case <-done:
			return 0, ErrStuck
		case <-time.After(10 * time.Millisecond):
		}
	}
	p.stuck = done
	return 0, ErrStuck
}

// loosen lets a write that waits go on, by dropping what waits in the system. Linux
// wakes it only when the settings are set anew.
func (p *port) loosen() {
	_ = p.serial.ResetOutputBuffer()
	_ = p.serial.SetMode(&serial.Mode{BaudRate: int(p.baud.Load()), DataBits: 8})
}

func (p *port) SetReadTimeout(d time.Duration) error { return p.serial.SetReadTimeout(max(d, 0)) }

func (p *port) SetBaud(baud int) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	if baud <= 0 {
		return core.Fail(core.ErrInvalid, "A baud rate is a number above 0, such as 115200.")
	}
	err := p.serial.SetMode(&serial.Mode{BaudRate: baud, DataBits: 8})
	var told *serial.PortError
	switch {
	case errors.As(err, &told) && told.Code() == serial.InvalidSpeed:
		return core.Fail(core.ErrInvalid, "{port} cannot do {baud} baud. Choose another rate, such as 115200.", "port", p.name, "baud", baud)
	case err != nil:
		return p.fault(err)
	}
	p.baud.Store(int64(baud))
	return nil
}

func (p *port) SetDTR(on bool) error {
	if !p.lines {
		return ErrNoLines
	}
	p.dtr = on
	if err := p.serial.SetDTR(on); err != nil {
		return p.fault(err)
	}
	return nil
}

func (p *port) SetRTS(on bool) error {
	if !p.lines {
		return ErrNoLines
	}
	if err := p.serial.SetRTS(on); err != nil {
		return p.fault(err)
	}
	if runtime.GOOS == "windows" { // some drivers tell the chip of RTS only along with DTR
		return p.SetDTR(p.dtr)
	}
	return nil
}

func (p *port) Discard() error {
	if err := p.serial.ResetInputBuffer(); err != nil {
		return p.fault(err)
	}
	return nil
}

func (p *port) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	for range 50 { // a write that is under way ends first: its file must not become another's
		if p.writing.TryLock() {
			defer p.writing.Unlock()
			break
		}
		p.loosen()
		time.Sleep(10 * time.Millisecond)
	}
	err := p.serial.Close()
	taken.give(p.name)
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

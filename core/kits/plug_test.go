package kits

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/kits/line"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

// socket is a PC with one USB socket.
type socket struct {
	mu    sync.Mutex
	there bool      // guarded by mu
	from  time.Time // when the system gives the right to open it; guarded by mu
	kit   *wired
}

func (s *socket) plug(open time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.there, s.from = true, open
}

func (s *socket) List() ([]core.SerialPort, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.there {
		return nil, nil
	}
	return []core.SerialPort{{Name: "COM3", Title: "CH340", Likely: true}}, nil
}

func (s *socket) Open(string) (line.Port, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.from) {
		return nil, core.ErrDenied
	}
	return s.kit, nil
}

func (*socket) Advice([]core.SerialPort) []core.Sentence { return nil }

// wired is a kit on the cable that answers at once: what passes is the program's time.
type wired struct {
	has     wire.Settings
	out     chan []byte
	timeout time.Duration
	closed  chan struct{}
	once    sync.Once
}

func (w *wired) frame(kind, seq byte, data []byte) {
	f := binary.LittleEndian.AppendUint16([]byte{0x1e, 0x48, kind, seq}, uint16(len(data)))
	f = append(f, data...)
	w.out <- binary.LittleEndian.AppendUint32(f, crc32.ChecksumIEEE(f[2:]))
}

// Write takes whole frames: the program writes them so.
func (w *wired) Write(b []byte) (int, error) {
	if len(b) < 10 || b[0] != 0x1e || b[1] != 0x48 {
		return len(b), nil
	}
	switch kind, seq := b[2], b[3]; kind {
	case 0x01: // hello
		facts := []byte{0, 0x01, 12}
		facts = append(facts, "homeroom-kit\x02\x05wired\x05\x06\x5c\xcf\x7f\x01\x02\x03\x0a\x04\x01\x00\x00\x00"...)
		w.frame(kind|0x80, seq, facts)
		w.frame(0x10, 0, nil) // there is a program: it opens its connection
	case 0x02: // read settings
		open := w.has
		open.Secret = ""
		tlvs, err := open.Encode()
		if err != nil {
			return 0, err
		}
		w.frame(kind|0x80, seq, append([]byte{0, 1, 0, 0, 0}, tlvs...))
	case 0x90: // connected
		w.frame(0x11, 0, []byte("CONNECT"))
	}
	return len(b), nil
}

func (w *wired) Read(b []byte) (int, error) {
	select {
	case f := <-w.out:
		return copy(b, f), nil
	case <-time.After(w.timeout):
		return 0, nil
	case <-w.closed:
		return 0, io.ErrClosedPipe
	}
}

func (w *wired) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

func (w *wired) SetReadTimeout(d time.Duration) error { w.timeout = d; return nil }
func (w *wired) SetBaud(int) error                    { return nil }
func (w *wired) SetDTR(bool) error                    { return line.ErrNoLines }
func (w *wired) SetRTS(bool) error                    { return line.ErrNoLines }
func (w *wired) Discard() error                       { return nil }

// TestPlugged: what the program adds until a kit on the cable is on the broker is at
// most the time between two looks at the ports, and between two tries to open a port
// that the system gives late. The rest of the two seconds is the board's.
func TestPlugged(t *testing.T) {
	for _, c := range []struct {
		late, most time.Duration
	}{
		{0, pollEvery},
		{600 * time.Millisecond, 600*time.Millisecond + retrySoon},
	} {
		for after := time.Duration(0); after < pollEvery; after += 70 * time.Millisecond {
			synctest.Test(t, func(t *testing.T) {
				const name = topic.Name("blue/lab/kit-1")
				f := newFleet(t, noImages{}, name)
				kit := &wired{has: wire.Settings{BrokerHost: "h", BrokerPort: 1883, Account: "kit-1", Secret: "s", Transport: wire.Cable, Name: string(name), Role: core.ButtonKit},
					out: make(chan []byte, 16), closed: make(chan struct{})}
				pc := &socket{kit: kit}
				heard := make(chan string, 1)
				f.s.cfg.Lines = pc
				f.s.cfg.Dial = func(context.Context) (net.Conn, error) {
					near, far := net.Pipe()
					go func() {
						b := make([]byte, 64)
						n, _ := far.Read(b)
						heard <- string(b[:n])
					}()
					return near, nil
				}
				f.run(t)
				time.Sleep(10*time.Second + after)
				plugged := time.Now()
				pc.plug(plugged.Add(c.late))
				if got := <-heard; got != "CONNECT" {
					t.Errorf("the broker hears %q", got)
				}
				if took := time.Since(plugged); took > c.most {
					t.Errorf("plugged in %v after a look, and open after %v: the broker hears of it after %v, and should after %v at most", after, c.late, took, c.most)
				}
				synctest.Wait()
				if p := f.s.Ports().All; len(p) != 1 || p[0].Kit != name {
					t.Errorf("the ports are %+v", p)
				}
			})
		}
	}
}

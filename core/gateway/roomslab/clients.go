//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

const name = "lab/fan"

// mark begins a payload; the time in nanoseconds and a full stop follow.
var mark = []byte("sent-")

// reader counts the messages that come to one client and times some of them. It
// is as cheap as can be, so that the server is what is measured.
type reader struct {
	conn  net.Conn
	in    *bufio.Reader
	mqtt  bool
	stuck bool

	mu     sync.Mutex
	n      int                 // guarded by mu; since begin
	timed  map[int64][]float64 // guarded by mu; milliseconds, by the second they were sent in
	passed int                 // guarded by mu; messages since one was timed
}

func (r *reader) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n, r.timed = 0, map[int64][]float64{}
}

func (r *reader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

func (r *reader) latencies() map[int64][]float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.timed
}

// run reads until the connection ends.
func (r *reader) run() {
	for {
		var p []byte
		var err error
		if r.mqtt {
			p, err = packet(r.in)
		} else {
			p, err = frame(r.in)
		}
		if err != nil {
			return
		}
		if !r.mqtt && bytes.Contains(p, []byte("{}")) && (len(p) == 2 || bytes.HasPrefix(p, []byte("{}\n")) || bytes.HasSuffix(p, []byte("\n{}"))) {
			if r.send("{}") != nil { // the answer to a ping
				return
			}
		}
		now := time.Now().UnixNano()
		r.mu.Lock()
		for rest := p; ; {
			i := bytes.Index(rest, mark)
			if i < 0 {
				break
			}
			rest = rest[i+len(mark):]
			r.n++
			if r.passed++; r.passed%10 == 0 {
				digits, _, _ := bytes.Cut(rest[:min(len(rest), 32)], []byte("."))
				if at, err := strconv.ParseInt(string(digits), 10, 64); err == nil && r.timed != nil {
					r.timed[at/1e9] = append(r.timed[at/1e9], float64(now-at)/1e6)
				}
			}
		}
		r.mu.Unlock()
	}
}

// send writes a text frame, masked with nothing.
func (r *reader) send(text string) error {
	b := []byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}
	if len(text) > 125 {
		b = append(binary.BigEndian.AppendUint16([]byte{0x81, 0xfe}, uint16(len(text))), 0, 0, 0, 0)
	}
	_, err := r.conn.Write(append(b, text...))
	return err
}

// frame returns the payload of the next frame, valid until the next call.
func frame(in *bufio.Reader) ([]byte, error) {
	h, err := in.Peek(2)
	if err != nil {
		return nil, err
	}
	n, size := int(h[1]&0x7f), 2
	if h[0]&0x0f == 8 {
		return nil, io.EOF
	}
	switch n {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	if h, err = in.Peek(size); err != nil {
		return nil, err
	}
	switch size {
	case 4:
		n = int(binary.BigEndian.Uint16(h[2:]))
	case 10:
		n = int(binary.BigEndian.Uint64(h[2:]))
	}
	return body(in, size, n)
}

// packet returns the next MQTT packet without its head, valid until the next call.
func packet(in *bufio.Reader) ([]byte, error) {
	n := 0
	for i := 1; i < 5; i++ {
		h, err := in.Peek(i + 1)
		if err != nil {
			return nil, err
		}
		n |= int(h[i]&0x7f) << (7 * (i - 1))
		if h[i] < 0x80 {
			return body(in, i+1, n)
		}
	}
	return nil, errors.New("no MQTT")
}

func body(in *bufio.Reader, head, n int) ([]byte, error) {
	if head+n > in.Size() {
		b := make([]byte, head+n)
		_, err := io.ReadFull(in, b)
		return b[head:], err
	}
	b, err := in.Peek(head + n)
	if err != nil {
		return nil, err
	}
	_, err = in.Discard(head + n)
	return b[head:], err
}

// upgrade opens a websocket.
func upgrade(addr, path string) (*reader, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		return nil, err
	}
	r := &reader{conn: conn, in: bufio.NewReaderSize(conn, 8<<10)}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, addr); err != nil {
		return nil, err
	}
	for first := true; ; first = false {
		line, err := r.in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if first && !strings.Contains(line, " 101 ") {
			return nil, errors.New(strings.TrimSpace(line))
		}
		if line == "\r\n" {
			return r, nil
		}
	}
}

// socket is one that listens.
func (s *server) socket() (*reader, error) {
	r, err := upgrade(s.http, "/ws")
	if err != nil || s.mqtt == "" {
		return r, err
	}
	for _, cmd := range []string{`{"id":1,"connect":{}}`, `{"id":2,"subscribe":{"channel":"` + name + `"}}`} {
		if err := r.send(cmd); err != nil {
			return nil, err
		}
		answer, err := frame(r.in)
		if err != nil {
			return nil, err
		}
		if bytes.Contains(answer, []byte(`"error"`)) {
			return nil, fmt.Errorf("%s", answer)
		}
	}
	return r, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// connect opens MQTT 3.1.1.
func (s *server) connect(id string) (*reader, error) {
	conn, err := net.DialTimeout("tcp", s.mqtt, time.Minute)
	if err != nil {
		return nil, err
	}
	r := &reader{conn: conn, in: bufio.NewReaderSize(conn, 8<<10), mqtt: true}
	v := appendString(append(appendString(nil, "MQTT"), 4, 2, 0, 0), id)
	if _, err := conn.Write(append([]byte{0x10, byte(len(v))}, v...)); err != nil {
		return nil, err
	}
	answer, err := packet(r.in)
	if err == nil && (len(answer) < 2 || answer[1] != 0) {
		err = fmt.Errorf("CONNECT was answered by % x", answer)
	}
	return r, err
}

// subscriber is an MQTT client that listens.
func (s *server) subscriber(i int) (*reader, error) {
	r, err := s.connect("sub-" + strconv.Itoa(i))
	if err != nil {
		return nil, err
	}
	v := append(appendString([]byte{0, 1}, name), 0)
	if _, err := r.conn.Write(append([]byte{0x82, byte(len(v))}, v...)); err != nil {
		return nil, err
	}
	_, err = packet(r.in) // SUBACK
	return r, err
}

// publisher says things: by MQTT, or to the hub by websocket.
type publisher struct {
	r    *reader
	mqtt bool
}

func (s *server) publisher() (*publisher, error) {
	if s.mqtt == "" {
		r, err := upgrade(s.http, "/publish")
		return &publisher{r: r}, err
	}
	r, err := s.connect("publisher")
	return &publisher{r, true}, err
}

func (p *publisher) close() { p.r.conn.Close() }

// publish publishes size bytes that say when.
func (p *publisher) publish(size int) error {
	payload := fmt.Sprintf("%s%d.", mark, time.Now().UnixNano())
	payload += strings.Repeat("x", max(0, size-len(payload)))
	if !p.mqtt {
		return p.r.send(payload)
	}
	v := append(appendString(nil, name), payload...)
	b := []byte{0x30}
	for n := len(v); ; n >>= 7 {
		if n < 0x80 {
			b = append(b, byte(n))
			break
		}
		b = append(b, byte(n)|0x80)
	}
	_, err := p.r.conn.Write(append(b, v...))
	return err
}

//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// client speaks MQTT 3.1.1, as cheaply as it can be done, so that the broker
// is what is measured.
type client struct {
	net.Conn
	in   *bufio.Reader
	acks []byte // owed; touched only by the goroutine that reads
}

// dial connects without sending anything. buffer is the size of the read buffer in bytes.
func dial(addr string, buffer int) (*client, error) {
	c, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		return nil, err
	}
	return &client{Conn: c, in: bufio.NewReaderSize(c, buffer)}, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendLength(b []byte, n int) []byte {
	for n > 127 {
		b = append(b, byte(n)|128)
		n >>= 7
	}
	return append(b, byte(n))
}

// connect sends CONNECT, with a user name where there is one, and waits for the answer.
func (c *client) connect(id, user, password string, clean bool) error {
	var flags byte
	if clean {
		flags |= 0x02
	}
	if user != "" {
		flags |= 0xC0
	}
	v := append(appendString(nil, "MQTT"), 4, flags)
	v = appendString(binary.BigEndian.AppendUint16(v, 600), id) // keep alive, seconds
	if user != "" {
		v = appendString(appendString(v, user), password)
	}
	if _, err := c.Write(append(appendLength([]byte{0x10}, len(v)), v...)); err != nil {
		return err
	}
	h, b, err := c.read()
	if err != nil {
		return err
	}
	if h>>4 != 2 || len(b) < 2 || b[1] != 0 {
		return fmt.Errorf("CONNECT was answered by % x % x", h, b)
	}
	return nil
}

func subscribePacket(id uint16, qos byte, filters ...string) []byte {
	v := binary.BigEndian.AppendUint16(nil, id)
	for _, f := range filters {
		v = append(appendString(v, f), qos)
	}
	return append(appendLength([]byte{0x82}, len(v)), v...)
}

// subscribe waits for the SUBACK. Messages that arrive before it are dropped.
func (c *client) subscribe(id uint16, qos byte, filters ...string) error {
	if _, err := c.Write(subscribePacket(id, qos, filters...)); err != nil {
		return err
	}
	for {
		h, b, err := c.read()
		if err != nil {
			return err
		}
		if h>>4 != 9 {
			continue
		}
		for _, code := range b[2:] {
			if code > 2 {
				return fmt.Errorf("SUBSCRIBE was answered by % x", b[2:])
			}
		}
		return nil
	}
}

// read returns the next packet's first byte and body; the body is valid until the next read.
func (c *client) read() (byte, []byte, error) {
	h, err := c.in.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	n, shift := 0, 0
	for {
		d, err := c.in.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		n |= int(d&127) << shift
		shift += 7
		if d < 128 {
			break
		}
	}
	if n > c.in.Size() {
		b := make([]byte, n)
		_, err = io.ReadFull(c.in, b)
		return h, b, err
	}
	b, err := c.in.Peek(n)
	if err != nil {
		return 0, nil, err
	}
	_, err = c.in.Discard(n)
	return h, b, err
}

// appendPublish appends a PUBLISH whose payload is seq and then filling, size bytes in all (at least 8).
func appendPublish(b []byte, topic string, qos byte, retain bool, id uint16, seq uint64, size int) []byte {
	b = appendPublishHeader(b, topic, qos, retain, id, size)
	b = binary.BigEndian.AppendUint64(b, seq)
	for range size - 8 {
		b = append(b, 'x')
	}
	return b
}

// appendPublishHeader appends all of a PUBLISH but its payload of size bytes.
func appendPublishHeader(b []byte, topic string, qos byte, retain bool, id uint16, size int) []byte {
	h := byte(0x30) | qos<<1
	if retain {
		h |= 1
	}
	n := 2 + len(topic) + size
	if qos > 0 {
		n += 2
	}
	b = appendString(appendLength(append(b, h), n), topic)
	if qos > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	return b
}

// message is a received PUBLISH; its slices are valid until the next read.
type message struct {
	qos     byte
	id      uint16
	topic   []byte
	payload []byte
}

func parsePublish(h byte, b []byte) message {
	m := message{qos: h >> 1 & 3}
	n := binary.BigEndian.Uint16(b)
	m.topic, b = b[2:2+n], b[2+n:]
	if m.qos > 0 {
		m.id, b = binary.BigEndian.Uint16(b), b[2:]
	}
	m.payload = b
	return m
}

func (m message) seq() uint64 { return binary.BigEndian.Uint64(m.payload) }

// consume reads until the connection ends, acknowledges as a well-behaved
// subscriber, calls f for every message, and dry whenever everything received
// so far was handled, so that acknowledgements and credit go out together.
func (c *client) consume(f func(message), dry func()) {
	for {
		h, b, err := c.read()
		if err != nil {
			return
		}
		switch h >> 4 {
		case 3: // PUBLISH
			m := parsePublish(h, b)
			f(m)
			switch m.qos {
			case 1:
				c.acks = append(c.acks, 0x40, 2, byte(m.id>>8), byte(m.id))
			case 2:
				c.acks = append(c.acks, 0x50, 2, byte(m.id>>8), byte(m.id))
			}
		case 6: // PUBREL
			c.acks = append(c.acks, 0x70, 2, b[0], b[1])
		}
		if c.in.Buffered() == 0 {
			if !c.flush() {
				return
			}
			if dry != nil {
				dry()
			}
		}
	}
}

// acknowledged reads until the connection ends and calls done with the number
// of publishes of QoS 1 and 2 that are complete since the last call.
func (c *client) acknowledged(done func(int)) {
	n := 0
	for {
		h, b, err := c.read()
		if err != nil {
			return
		}
		switch h >> 4 {
		case 4, 7: // PUBACK, PUBCOMP
			n++
		case 5: // PUBREC
			c.acks = append(c.acks, 0x62, 2, b[0], b[1])
		}
		if c.in.Buffered() == 0 {
			if !c.flush() {
				return
			}
			if n > 0 {
				done(n)
				n = 0
			}
		}
	}
}

func (c *client) flush() bool {
	if len(c.acks) > 0 {
		if _, err := c.Write(c.acks); err != nil {
			return false
		}
		c.acks = c.acks[:0]
	}
	return true
}

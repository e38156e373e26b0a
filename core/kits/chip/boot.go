package chip

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// restartPause is how long the chip waits before it starts a program anew that ended.
const restartPause = 100 * time.Millisecond

// say is the first line of the boot ROM.
func (c *Chip) say(l *life, cause int, mode string) {
	c.send(l, fmt.Appendf(nil, "\r\n ets Jan  8 2013,rst cause:%d, boot mode:(%s)\r\n\r\n", cause, mode))
}

// run loads the image from flash as the boot ROM does, and starts what runs then.
func (c *Chip) run(l *life) {
	log, ok := loadImage(c.flash)
	if !c.send(l, log) {
		return
	}
	if !ok {
		c.hang(l)
		return
	}
	c.setRate(l, userBaud)
	if c.opts.Start == nil {
		c.hang(l)
		return
	}
	p, err := c.opts.Start(c.flash, &uart{c, l})
	if err != nil {
		c.send(l, fmt.Appendf(nil, "%v\r\n", err))
		c.hang(l)
		return
	}
	defer p.Stop()
	select {
	case <-l.done:
		return
	case <-p.Done():
	}
	p.Stop()
	if wait(restartPause, l.done) {
		c.again(l, false)
	}
}

// loadImage is what the boot ROM says about the image at 0 of the flash, and whether
// it runs: magic, areas of RAM, and the checksum at the end.
func loadImage(n *NOR) (log []byte, ok bool) {
	var head [8]byte
	n.ReadAt(head[:], 0) // a flash is larger
	if head[0] != 0xE9 || head[1] == 0 || head[1] > 16 {
		return []byte("ets_main.c \r\n"), false
	}
	sum, at, room := byte(0xEF), int64(8), 16
	for i := range int(head[1]) {
		if i > 0 && room < 8 {
			log = fmt.Appendf(log, "ho 0 tail %d room %d\r\n", 16-room, room)
			room += 16
		}
		if i > 0 {
			room -= 8
		}
		var seg [8]byte
		_, err := n.ReadAt(seg[:], at)
		to, size := binary.LittleEndian.Uint32(seg[:]), binary.LittleEndian.Uint32(seg[4:])
		if err != nil || !(&memory{}).holds(to, size) {
			return append(log, "csum err\r\nets_main.c \r\n"...), false
		}
		data := make([]byte, size)
		if _, err := n.ReadAt(data, at+8); err != nil {
			return append(log, "csum err\r\nets_main.c \r\n"...), false
		}
		for _, b := range data {
			sum ^= b
		}
		at += 8 + int64(size)
		tail := ((int(size)-room)%16 + 16) % 16
		log = fmt.Appendf(log, "load 0x%08x, len %d, room %d \r\ntail %d\r\nchksum 0x%02x\r\n", to, size, room, tail, sum)
		room = 16 - tail
	}
	var end [1]byte
	if _, err := n.ReadAt(end[:], at|15); err != nil {
		return append(log, "csum err\r\nets_main.c \r\n"...), false
	}
	log = fmt.Appendf(log, "csum 0x%02x\r\n", end[0])
	if end[0] != sum {
		return append(log, "csum err\r\nets_main.c \r\n"...), false
	}
	return append(log, "\r\n"...), true
}

// uart is the serial line of a program that runs.
type uart struct {
	c *Chip
	l *life
}

func (u *uart) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, ok := u.l.rx.read(p, u.l.done, nil)
	if !ok {
		return 0, io.EOF
	}
	return n, nil
}

func (u *uart) Write(p []byte) (int, error) {
	if !u.c.send(u.l, p) {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

package esp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"homeroom/core"
)

// ramBlock is how much of the stub is sent at once.
const ramBlock = 0x1800

// stub is a program for the chip's RAM, as esptool-js keeps it.
type stub struct {
	Entry     uint32 `json:"entry"`
	Text      []byte `json:"text"`
	TextStart uint32 `json:"text_start"`
	Data      []byte `json:"data"`
	DataStart uint32 `json:"data_start"`
}

// parseStub reads a stub. Its parts must lie in the RAM of an ESP8266.
func parseStub(b []byte) (stub, error) {
	var s stub
	if err := json.Unmarshal(b, &s); err != nil {
		return s, badStub()
	}
	within := func(at uint32, n int, from, to uint32) bool {
		return at >= from && n <= int(to-from) && at+uint32(n) <= to
	}
	if len(s.Text) == 0 || !within(s.TextStart, len(s.Text), 0x40100000, 0x40110000) ||
		len(s.Data) > 0 && !within(s.DataStart, len(s.Data), 0x3FFE8000, 0x40000000) ||
		s.Entry < s.TextStart || s.Entry >= s.TextStart+uint32(len(s.Text)) {
		return s, badStub()
	}
	return s, nil
}

func badStub() error {
	return core.Fail(core.ErrInvalid, "The program that helps to flash (esp8266.json) is damaged. Install Homeroom again.")
}

// errNotStarted means that the stub was loaded and did not greet.
var errNotStarted = errors.New("the stub did not start")

// start loads the stub and runs it.
func (c *Chip) start(ctx context.Context) error {
	s, err := parseStub(c.o.Stub)
	if err != nil {
		return err
	}
	c.begin("stub")
	total := int64(len(s.Text) + len(s.Data))
	for try := 1; ; try++ {
		if err = c.load(ctx, s, total); err == nil {
			c.stub = true
			c.log("the stub runs")
			c.progress(total, total, 0)
			return nil
		}
		if try == 3 || fatal(err) && !errors.Is(err, errNotStarted) {
			return err
		}
		c.log("stub: %v; try %d follows", err, try+1)
		if serr := c.sync(ctx, 5); serr != nil && !errors.Is(serr, errSilent) {
			return serr
		} else if serr != nil {
			// It hangs in what it was given. Only a reset helps.
			if !c.lines {
				return err
			}
			if _, eerr := c.enter(ctx); eerr != nil {
				return eerr
			}
			c.begin("stub")
		}
	}
}

// load sends the stub and waits until it greets.
func (c *Chip) load(ctx context.Context, s stub, total int64) error {
	done := int64(0)
	for _, part := range []struct {
		at   uint32
		data []byte
	}{{s.TextStart, s.Text}, {s.DataStart, s.Data}} {
		if len(part.data) == 0 {
			continue
		}
		data := pad(part.data, 4)
		blocks := (len(data) + ramBlock - 1) / ramBlock
		if _, err := c.command(ctx, opMemBegin, words(uint32(len(data)), uint32(blocks), ramBlock, part.at), 0, 3*time.Second); err != nil {
			return err
		}
		for i := range blocks {
			block := data[i*ramBlock : min((i+1)*ramBlock, len(data))]
			if err := c.block(ctx, opMemData, i, block, 3*time.Second, func(p float64) {
				c.progress(min(done+int64(p*float64(len(block))), total-1), total, 0)
			}); err != nil {
				return err
			}
			done += int64(len(block))
		}
	}
	if err := c.forget(); err != nil {
		return err
	}
	if err := c.send(ctx, opMemEnd, words(0, s.Entry), 0, nil); err != nil {
		return err
	}
	// The ROM may be gone before its answer to that has left.
	for until := time.Now().Add(3 * time.Second); ; {
		p, err := c.packet(ctx, until)
		if errors.Is(err, errSilent) {
			return errNotStarted
		}
		if err != nil {
			return err
		}
		if bytes.Equal(p, []byte("OHAI")) {
			return nil
		}
		if r, err, ok := parseResponse(p); ok && err != nil && r.op == opMemEnd {
			return err
		}
	}
}

// block sends a block of data, and again, three times at most, while the chip says
// that it arrived damaged: then it has not been used.
func (c *Chip) block(ctx context.Context, op byte, seq int, data []byte, wait time.Duration, sent func(part float64)) error {
	body := append(words(uint32(len(data)), uint32(seq), 0, 0), data...)
	for try := 1; ; try++ {
		if err := c.forget(); err != nil {
			return err
		}
		if err := c.send(ctx, op, body, checksum(data), sent); err != nil {
			return err
		}
		_, err := c.answer(ctx, op, wait+c.takes(len(body)))
		var no *refusal
		if err == nil || !errors.As(err, &no) || no.code != c.badChecksum() || try == 3 {
			return err
		}
		c.log("block %d arrived damaged; it is sent again", seq)
	}
}

func (c *Chip) badChecksum() byte {
	if c.stub {
		return stubBadChecksum
	}
	return romBadChecksum
}

// pad returns data with as many FF behind it that its length is a multiple of n. It
// does not change data.
func pad(data []byte, n int) []byte {
	short := (n - len(data)%n) % n
	if short == 0 {
		return data
	}
	return append(data[:len(data):len(data)], bytes.Repeat([]byte{0xFF}, short)...)
}

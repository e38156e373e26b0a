//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strings"
	"time"
)

// flood publishes numbers of QoS 0 at a fixed rate to many topics, for a
// fixed time, to a broker that already runs on this machine.
type flood struct {
	addr         string
	user, prefix string
	rate, topics int
	length       time.Duration
}

// run floods; the password is the first line of r.
func (f flood) run(r io.Reader) error {
	if a, err := netip.ParseAddrPort(f.addr); err != nil || !a.Addr().IsLoopback() {
		return fmt.Errorf("%s is not an address of this machine's loopback", f.addr)
	}
	if f.rate < 1 || f.topics < 1 {
		return errors.New("-rate and -topics are at least 1")
	}
	var password string
	if f.user != "" {
		line, err := bufio.NewReader(r).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		password = strings.TrimRight(line, "\r\n")
	}
	c, err := dial(f.addr, 512)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.connect("flood", f.user, password, true); err != nil {
		return err
	}
	begin := time.Now()
	total := int(float64(f.rate) * f.length.Seconds())
	var buf []byte
	for sent := 0; sent < total; {
		// what is due by now, in one write
		due := min(total, int(time.Since(begin).Seconds()*float64(f.rate)))
		buf = buf[:0]
		for ; sent < due; sent++ {
			n := sent % f.topics
			topic := fmt.Sprintf("%s/room-%d/kit-%d/value", f.prefix, n/100, n%100)
			value := fmt.Sprintf("%.2f", 50+50*math.Sin(float64(sent/f.topics)/10+float64(n)))
			buf = append(appendPublishHeader(buf, topic, 0, false, 0, len(value)), value...)
		}
		if _, err := c.Write(buf); err != nil {
			return fmt.Errorf("after %d messages: %w", sent, err)
		}
		time.Sleep(tick)
	}
	fmt.Printf("%d messages in %.1f s\n", total, time.Since(begin).Seconds())
	return nil
}

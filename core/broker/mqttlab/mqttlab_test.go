//go:build linux

package main

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"testing"
	"time"
)

// piped returns a client that reads in.
func piped(in []byte) *client {
	return &client{Conn: &net.TCPConn{}, in: bufio.NewReaderSize(bytes.NewReader(in), 512)}
}

func TestPublishIsReadBack(t *testing.T) {
	for _, size := range []int{8, 100, 127, 128, 20_000} {
		for qos := range byte(3) {
			h, b, err := piped(appendPublish(nil, "a/b", qos, true, 60001, 42, size)).read()
			if err != nil {
				t.Fatal(err)
			}
			m := parsePublish(h, b)
			if h&1 == 0 || m.qos != qos || string(m.topic) != "a/b" || m.seq() != 42 || len(m.payload) != size || qos > 0 && m.id != 60001 {
				t.Errorf("size %d QoS %d: header %x, %+v", size, qos, h, m)
			}
		}
	}
}

func TestSequence(t *testing.T) {
	s := newSequence(100)
	for _, n := range []uint64{0, 1, 3, 2, 3, 1 << 40} {
		s.hit(n)
	}
	if s.got != 4 || s.twice != 1 || s.disorder != 1 {
		t.Errorf("got %d, twice %d, out of order %d", s.got, s.twice, s.disorder)
	}
}

func TestDelays(t *testing.T) {
	d := newDelays()
	for second := range 3 {
		for range 100 {
			d.bySecond[time.Duration(second)*time.Second] = append(d.bySecond[time.Duration(second)*time.Second], time.Duration(second+1)*time.Millisecond)
		}
	}
	d.bySecond[0][7] = time.Second
	if ps := d.percentiles(0.5, 0.99); ps[0] != 2000 || ps[1] != 3000 {
		t.Errorf("%v, want the median of the seconds: 2000 and 3000 µs", ps)
	}
	d.arrived(d.stamp(time.Now()))
	if ps := d.percentiles(0.99); !(ps[0] >= 0) {
		t.Errorf("%v of one message", ps)
	}
}

func TestTableTakesRatiosOfTheSameRound(t *testing.T) {
	brokers := []broker{{name: "A"}, {name: "B"}}
	runs := []run{
		{"q0", "A", 0, figures{"CPU s per million": 10}, ""}, {"q0", "B", 0, figures{"CPU s per million": 5}, ""},
		{"q0", "A", 1, figures{"CPU s per million": 100}, ""}, {"q0", "B", 1, figures{"CPU s per million": 50, "lost": 3}, ""},
		{"q1", "B", 0, nil, "the broker died"},
	}
	var out strings.Builder
	table(&out, runs, brokers)
	for _, want := range []string{
		"| q0 | CPU s per million | 55 | 27.5 | 0.50 | ≤ 0.15 × | **no** |",
		"| q0 | lost | 0 | 3 | – | 0 | **no** |", // the worst round
		"| q0 | out of order | 0 | 0 | – | 0 | yes |",
		"| q1 | **B: the broker died** |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestFloodStaysOnThisMachine(t *testing.T) {
	for _, addr := range []string{"192.0.2.1:1883", "example.org:1883", "[2001:db8::1]:1883", ""} {
		if err := (flood{addr: addr, rate: 1, topics: 1}).run(strings.NewReader("")); err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

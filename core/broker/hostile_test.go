package broker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// run opens a broker and runs it until stop is called or the test ends.
func run(t testing.TB, cfg Config) (b *Broker, stop func()) {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.Sink == nil {
		cfg.Sink = func(core.Message) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Feed == nil {
		cfg.Feed = &core.Feed{}
	}
	b, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return b, stop
}

// forgetful is a gate that counts refusals instead of keeping them.
type forgetful struct {
	gate
	count atomic.Int64
}

func (g *forgetful) Refuse(core.Refusal) { g.count.Add(1) }

// used returns the bytes of heap and stacks in use.
func used() int {
	runtime.GC()
	runtime.GC() // the first one only makes pools ready to be freed
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// valid are packets that the codec's authors know, of every type and version,
// some of them wrong already; and a few that this broker would accept.
func valid() (all [][]byte) {
	for _, cases := range packets.TPacketData {
		for _, c := range cases {
			if len(c.RawBytes) > 1 && len(c.RawBytes) < 4096 {
				all = append(all, c.RawBytes)
			}
		}
	}
	slices.SortFunc(all, bytes.Compare) // the map has no order, and a seed should
	for _, version := range []byte{3, 4, 5} {
		all = append(all, hello(version, "h1", false), hello(version, "h2", true))
	}
	return append(all,
		[]byte{0x30, 5, 0, 1, 'a', 'x', 'y'}, []byte{0x31, 5, 0, 1, 'r', 'x', 'y'}, // PUBLISH
		[]byte{0x32, 7, 0, 1, 'a', 0, 9, 'x', 'y'}, []byte{0x35, 7, 0, 1, 'b', 0, 9, 'x', 'y'},
		[]byte{0x30, 18, 0, 1, 'a', 13, 0x01, 1, 0x02, 0, 0, 0, 9, 0x23, 0, 1, 0x03, 0, 0, 'x'}, // format, expiry, alias, content type
		[]byte{0x82, 6, 0, 1, 0, 1, '#', 1}, []byte{0x82, 9, 0, 1, 2, 0x0b, 5, 0, 1, '+', 0x2e}, // SUBSCRIBE
		[]byte{0xa2, 5, 0, 1, 0, 1, '#'}, []byte{0x62, 2, 0, 9}, []byte{0xc0, 0}, []byte{0xe0, 0})
}

// hello is a CONNECT that is let in.
func hello(version byte, id string, durable bool) []byte {
	text := func(b []byte, s string) []byte { return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...) }
	name := "MQTT"
	if version == 3 {
		name = "MQIsdp"
	}
	flags := byte(0xc2)
	if durable {
		flags = 0xc0
	}
	b := append(text(nil, name), version, flags, 0, 60)
	if version == 5 {
		if b = append(b, 0); durable {
			b[len(b)-1] = 5
			b = append(b, 0x11, 0, 0, 1, 0) // Session Expiry Interval
		}
	}
	b = text(text(text(b, id), id), "right")
	return append(binary.AppendUvarint([]byte{0x10}, uint64(len(b))), b...)
}

// spoil makes a packet that is probably wrong.
func spoil(rnd *rand.Rand, seeds [][]byte) []byte {
	if rnd.IntN(10) == 0 {
		junk := make([]byte, 1+rnd.IntN(100))
		for i := range junk {
			junk[i] = byte(rnd.Uint32())
		}
		return junk
	}
	p := slices.Clone(seeds[rnd.IntN(len(seeds))])
	_, n := binary.Uvarint(p[1:])
	n = max(n, 1)
	head, body := p[0], p[min(1+n, len(p)):]
	at := func() int { return rnd.IntN(len(body) + 1) }
	put := func(b ...byte) { body = slices.Insert(body, at(), b...) }
	for range 1 + rnd.IntN(3) {
		switch rnd.IntN(10) {
		case 0: // flags
			head ^= byte(1 + rnd.IntN(15))
		case 1: // another type
			head = head&15 | byte(rnd.IntN(16))<<4
		case 2: // truncated, and its length says so
			body = body[:at()]
		case 3: // longer
			for range 1 + rnd.IntN(20) {
				body = append(body, byte(rnd.Uint32()))
			}
		case 4: // a length or a packet identifier inside
			if i := at(); i+2 <= len(body) {
				binary.BigEndian.PutUint16(body[i:], []uint16{0, 1, 0xffff, 0x7fff, uint16(len(body))}[rnd.IntN(5)])
			}
		case 5: // not UTF-8, or UTF-8 that MQTT forbids
			put([][]byte{{0}, {0xff}, {0xc0, 0x80}, {0xed, 0xa0, 0x80}, {0xf4, 0x90, 0x80, 0x80}, {0xef, 0xbf, 0xbf}}[rnd.IntN(6)]...)
		case 6: // a property, known or not, cut off or not
			put(append([]byte{byte(rnd.IntN(0x30)), byte(rnd.Uint32()), byte(rnd.Uint32())}, make([]byte, rnd.IntN(6))...)...)
		case 7: // a variable byte integer that does not end
			put(bytes.Repeat([]byte{0x80 | byte(rnd.Uint32())}, 1+rnd.IntN(5))...)
		default: // bits
			if len(body) > 0 {
				body[rnd.IntN(len(body))] ^= 1 << rnd.IntN(8)
			}
		}
	}
	length := binary.AppendUvarint(nil, uint64(len(body)))
	switch rnd.IntN(12) {
	case 0:
		length = [][]byte{{0}, {1}, {0x7f}, {0xff, 0x7f}, {0xff, 0xff, 0xff, 0x7f}, {0x80, 0x80, 0x80, 0x80, 1}, {0x80, 0}, {0xff, 0xff, 0xff, 0xff}}[rnd.IntN(8)]
	case 1:
		return append(append([]byte{head}, length...), body[:at()]...) // cut off by the end of the connection
	}
	return append(append([]byte{head}, length...), body...)
}

// framed reports whether p is one packet by its length.
func framed(p []byte) bool {
	if len(p) < 2 {
		return false
	}
	n, size := binary.Uvarint(p[1:])
	return size > 0 && size <= 4 && n == uint64(len(p)-1-size)
}

// attacker sends spoiled packets until none are left. Each is known to have been
// read: it is followed by a PINGREQ that is answered, or the connection ends.
type attacker struct {
	t     *testing.T
	addr  string
	rnd   *rand.Rand
	seeds [][]byte
	left  *atomic.Int64

	c    net.Conn
	in   *bufio.Reader
	last []byte
}

func (a *attacker) run() {
	for a.left.Add(-1) >= 0 && !a.t.Failed() {
		if a.c == nil && !a.dial() {
			return
		}
		p := spoil(a.rnd, a.seeds)
		a.last = p
		if a.rnd.IntN(4) == 0 || !framed(p) {
			a.hang(p)
			continue
		}
		if _, err := a.c.Write(append(slices.Clone(p), 0xc0, 0)); err != nil || !a.answered() {
			a.close()
		}
	}
	a.close()
}

// dial connects, and in three cases of four says who it is.
func (a *attacker) dial() bool {
	for try := 0; ; try++ {
		c, err := net.Dial("tcp", a.addr)
		if err == nil {
			a.c, a.in = c, bufio.NewReader(c)
			break
		}
		if try == 1000 { // the system is out of ports for a moment, not for ten seconds
			a.t.Error(err)
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = a.c.SetDeadline(time.Now().Add(time.Minute))
	if a.rnd.IntN(4) == 0 {
		return true
	}
	first := hello(byte(3+a.rnd.IntN(3)), fmt.Sprintf("h%d", a.rnd.IntN(200)), a.rnd.IntN(4) == 0)
	_, _ = a.c.Write(first) // another attacker may take the client ID over at once
	return true
}

// hang sends p and the end of the stream, and waits for the other end of it.
func (a *attacker) hang(p []byte) {
	_, _ = a.c.Write(p)
	_ = a.c.(*net.TCPConn).CloseWrite()
	_, err := io.Copy(io.Discard, a.in)
	a.check(err)
	a.close()
}

// answered reads until a PINGRESP, and reports false at the end of the connection.
func (a *attacker) answered() bool {
	for {
		head, err := a.in.ReadByte()
		if err == nil {
			var n uint64
			if n, err = binary.ReadUvarint(a.in); err == nil {
				_, err = a.in.Discard(int(n))
			}
		}
		if err != nil {
			a.check(err)
			return false
		}
		if head == packets.Pingresp<<4 {
			return true
		}
	}
}

// check wants an end, not silence.
func (a *attacker) check(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		a.t.Errorf("neither an answer nor an end for a minute after % x", a.last)
	}
}

func (a *attacker) close() {
	if a.c != nil {
		_ = a.c.Close()
		a.c = nil
	}
}

// TestHostile sends HOSTILE malformed packets, structured and random, over many
// connections at once, while two clients go on talking. Every so often
// everything is taken away from the attackers: then memory and goroutines must
// be where they were.
func TestHostile(t *testing.T) {
	total, seed := 10_000, uint64(1)
	if s := os.Getenv("HOSTILE"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		total, seed = n, rand.Uint64()
	}
	const epoch, attackers, slack = 100_000, 32, 2 << 20
	g, store, feed := &forgetful{gate: gate{deny: map[topic.Filter]bool{}}}, newMemory(), &core.Feed{}
	var quiet atomic.Int64 // messages of the two that talk
	var wrong bytes.Buffer
	b, stop := run(t, Config{Gate: g, Store: store, Feed: feed, Limits: core.Limits{Messages: 1 << 30, Bytes: 1 << 30, Connections: 1 << 20}, Log: slog.New(slog.NewTextHandler(&wrong, &slog.HandlerOptions{Level: slog.LevelError}))})
	seeds := valid()
	began := time.Now()
	attack := func(n int, round uint64) {
		var left atomic.Int64
		left.Store(int64(n))
		var wg sync.WaitGroup
		for i := range attackers {
			a := attacker{t: t, addr: b.Addr(), rnd: rand.New(rand.NewPCG(seed, round<<8|uint64(i))), seeds: seeds, left: &left}
			wg.Go(a.run)
		}
		stop := make(chan struct{})
		var talk sync.WaitGroup
		talk.Go(func() { quiet.Add(int64(talking(t, b.Addr(), stop))) })
		wg.Wait()
		close(stop)
		talk.Wait()
	}
	base := func() (memory, goroutines int) {
		t.Helper()
		g.mu.Lock()
		g.version++ // ends every session
		g.mu.Unlock()
		feed.Tell(core.AccountsChanged)
		eventually(t, func() (string, bool) {
			cs := b.Clients()
			return fmt.Sprintf("%d sessions are left", len(cs)), len(cs) == 0
		})
		for _, m := range b.Retained("#", 1<<30) {
			if err := b.Publish(t.Context(), core.Message{Topic: m.Topic, Retain: true, From: 1}); err != nil {
				t.Fatal(err)
			}
		}
		return used(), runtime.NumGoroutine()
	}
	attack(min(total, 2000), 0) // what is made once
	memory, goroutines := base()
	for done := 0; done < total && !t.Failed(); {
		n := min(epoch, total-done)
		attack(n, uint64(done)+1)
		done += n
		var m, r int
		eventually(t, func() (string, bool) {
			m, r = base()
			return fmt.Sprintf("after %d packets %d goroutines and %d KiB, before %d and %d", done, r, m>>10, goroutines, memory>>10), r <= goroutines && m <= memory+slack
		})
		if done == total || done%1_000_000 == 0 {
			t.Logf("%d malformed packets in %.0f s: %d refusals, %d goroutines (before: %d), %d KiB (before: %d), %d messages between others", done, time.Since(began).Seconds(), g.count.Load(), r, goroutines, m>>10, memory>>10, quiet.Load())
		}
	}
	if stop(); wrong.Len() > 0 {
		t.Errorf("the broker says that it is at fault: %.2000s", wrong.String())
	}
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
}

// talking sends messages from one client to another, one after the other, until
// stop, and returns how many there were.
func talking(t *testing.T, addr string, stop <-chan struct{}) (n int) {
	dial := func(id string) (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Error(err)
			return nil, nil
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Minute))
		_, _ = c.Write(hello(4, id, false))
		return c, bufio.NewReader(c)
	}
	next := func(in *bufio.Reader) (byte, []byte) {
		head, err := in.ReadByte()
		var size uint64
		if err == nil {
			size, err = binary.ReadUvarint(in)
		}
		body := make([]byte, size)
		if err == nil {
			_, err = io.ReadFull(in, body)
		}
		if err != nil {
			t.Errorf("between others, after %d messages: %v", n, err)
			return 0, nil
		}
		return head, body
	}
	sub, fromSub := dial("quiet-sub")
	pub, fromPub := dial("quiet-pub")
	if sub == nil || pub == nil {
		return 0
	}
	defer sub.Close()
	defer pub.Close()
	_, _ = sub.Write([]byte{0x82, 10, 0, 1, 0, 5, 'q', 'u', 'i', 'e', 't', 1})
	next(fromSub) // CONNACK
	if head, _ := next(fromSub); head != 0x90 {
		t.Errorf("SUBSCRIBE was answered by %x", head)
		return 0
	}
	next(fromPub)
	for {
		select {
		case <-stop:
			return n
		default:
		}
		_, _ = pub.Write([]byte{0x32, 10, 0, 5, 'q', 'u', 'i', 'e', 't', 0, 1, byte(n)})
		head, body := next(fromSub)
		if head>>4 != packets.Publish || body[len(body)-1] != byte(n) {
			t.Errorf("message %d came as %x % x", n, head, body)
			return n
		}
		_, _ = sub.Write([]byte{0x40, 2, body[7], body[8]})
		if head, _ := next(fromPub); head != 0x40 {
			t.Errorf("message %d was answered by %x", n, head)
			return n
		}
		n++
	}
}

// narrow lets only topics of one byte be used, so that a fuzzed broker stays small.
type narrow struct{ forgetful }

func (g *narrow) Authorize(id core.AccountID, a core.Action, f topic.Filter) (topic.Filter, error) {
	if len(f) > 1 {
		return f, core.ErrDenied
	}
	return g.forgetful.Authorize(id, a, f)
}

// FuzzConnection is what a client says after CONNECT, or, for version 0, at once.
func FuzzConnection(f *testing.F) {
	for _, p := range valid() {
		f.Add(byte(0), p)
		f.Add(byte(4), p)
		f.Add(byte(5), p)
	}
	b, _ := run(f, Config{Gate: &narrow{forgetful{gate: gate{deny: map[topic.Filter]bool{}}}}, Store: newMemory()})
	f.Fuzz(func(t *testing.T, version byte, data []byte) {
		c, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Skip(err) // out of ports for a moment
		}
		defer c.Close()
		if version %= 6; version >= 3 {
			data = append(hello(version, "fuzz", false), data...)
		}
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		_, _ = c.Write(data)
		_ = c.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("neither an answer nor an end for a minute")
		}
	})
}

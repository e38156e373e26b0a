//go:build linux

package broker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// files skips the test unless this process may open n files. Go has raised the
// soft limit already.
func files(t *testing.T, n uint64) {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	if l.Cur < n {
		t.Skipf("needs %d open files, and the system allows %d: raise it with ulimit -Hn, as root", n, l.Cur)
	}
}

// silent opens n sockets from one address that say nothing, until the test ends.
func silent(t *testing.T, addr, from string, n int) []net.Conn {
	t.Helper()
	dialer := net.Dialer{Timeout: 20 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	all := make([]net.Conn, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				c, err := dialer.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				all[i] = c
			}
		})
	}
	t.Cleanup(func() {
		for _, c := range all {
			if c != nil {
				c.Close()
			}
		}
	})
	if wg.Wait(); t.Failed() {
		t.FailNow()
	}
	return all
}

// open counts the connections that the other side has not ended.
func open(all []net.Conn) (n int) {
	for _, c := range all {
		_ = c.SetReadDeadline(time.Unix(1, 0))
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond)) // a deadline in the past does not look at the socket
			if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
				n++
			}
		}
	}
	return n
}

// TestCrowd has 5,000 sockets that connect and say nothing. Who does say
// something is answered, and each of them costs little.
func TestCrowd(t *testing.T) {
	const n = 5000
	files(t, 2*n+500)
	r := start(t, newMemory())
	connect(t, dial(t, r), "first", 4) // what is made once
	before := used()
	all := silent(t, r.Addr(), "127.0.0.1", n)
	ends := used() // includes this side of the connections
	good := dial(t, r)
	connect(t, good, "good", 5) // it was accepted after all of them
	after := used()
	if left := open(all[:100]); left < 100 {
		t.Skipf("this machine is too slow: %d of the first 100 sockets met their deadline already", 100-left)
	}
	each := (after - before) / n
	t.Logf("%d bytes a silent connection and its other end (of which this side, and what was accepted at once: %d)", each, (ends-before)/n)
	if each > 64<<10 {
		t.Errorf("%d bytes a silent connection, want at most %d", each, 64<<10)
	}
	var got box
	r.ok(r.dial(r.options("sub"), &got).Subscribe("a", 1, nil))
	r.ok(r.dial(r.options("pub"), nil).Publish("a", 1, false, "x"))
	r.wants(&got, "a=x q1")
}

// TestOneAddressDoesNotFillTheHouse has more sockets from one address than the
// broker takes in all. A client with another address is answered, and a client
// that is in stays in.
func TestOneAddressDoesNotFillTheHouse(t *testing.T) {
	const n = maxConns + 500
	files(t, n+500)
	if addr := os.Getenv(filler); addr != "" {
		silent(t, addr, "127.0.0.2", n)
		fmt.Println("full")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	r := start(t, newMemory())
	in := dial(t, r)
	connect(t, in, "in", 4)
	other := self(t, filler+"="+r.Addr()) // this process has no files left for the other side
	other.until("full")
	c := dial(t, r)
	_ = c.SetDeadline(time.Now().Add(connectWithin / 2)) // while they are there
	_, _ = c.Write(hello(4, "good", false))
	ack := make([]byte, 4)
	if _, err := io.ReadFull(c, ack); err != nil || ack[0] != 0x20 || ack[3] != 0 {
		t.Errorf("CONNECT beside %d silent sockets of another address: % x, %v", n, ack, err)
	}
	if _, err := in.Write([]byte{packets.Pingreq << 4, 0}); err != nil {
		t.Fatal(err)
	}
	if pong := read(t, in, 4); pong[0]>>4 != packets.Pingresp {
		t.Errorf("a ping was answered by % x", pong)
	}
	other.end()
}

// TestTenthStuck has 100 readers, of which 10 stop reading. In the time of the
// bubble the others get everything, the ten cost at most 1 MiB each, and then
// they are disconnected with the reason.
func TestTenthStuck(t *testing.T) {
	for qos := range byte(2) {
		t.Run(fmt.Sprintf("QoS %d", qos), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const readers, sticking, warm, messages, size = 100, 10, 20, 200, 16 << 10
				g := &gate{deny: map[topic.Filter]bool{}}
				b := bubble(t, g)
				ctx := t.Context()
				go b.journal.run()
				defer b.journal.stop()
				count := make([]atomic.Int64, readers)
				for i := range readers {
					c := piped(t, b)
					connect(t, c, fmt.Sprintf("r%02d", i), 4)
					send(t, c, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1, ProtocolVersion: 4, Filters: packets.Subscriptions{{Filter: "k", Qos: qos}}})
					read(t, c, 4)
					_ = c.SetReadDeadline(time.Time{})
					go func() {
						in := bufio.NewReader(c)
						body := make([]byte, size+16)
						for i >= sticking || count[i].Load() < warm {
							head, err := in.ReadByte()
							if err != nil {
								return
							}
							n, err := binary.ReadUvarint(in)
							if err != nil {
								return
							}
							if _, err := io.ReadFull(in, body[:n]); err != nil || head>>4 != packets.Publish {
								return
							}
							count[i].Add(1)
							if qos > 0 {
								if _, err := c.Write([]byte{0x40, 2, body[3], body[4]}); err != nil {
									return
								}
							}
						}
					}()
				}
				publish := func(n int) {
					for range n {
						if err := b.Publish(ctx, core.Message{Topic: "k", Payload: make([]byte, size), QoS: qos, From: 'p'}); err != nil {
							t.Fatal(err)
						}
						time.Sleep(2 * stalled / messages) // in the time of the bubble: in the end it is called stuck
					}
					synctest.Wait()
				}
				publish(warm)
				before := used()
				publish(messages) // 3 MB, three times what may wait to be written
				each := (used() - before) / sticking
				t.Logf("%d KiB a stuck client", each>>10)
				if each > 1<<20+64<<10 { // a write may be under way
					t.Errorf("%d bytes a stuck client, want at most 1 MiB", each)
				}
				for i := sticking; i < readers; i++ {
					if n := count[i].Load(); n != warm+messages {
						t.Errorf("reader %d got %d of %d", i, n, warm+messages)
					}
				}
				time.Sleep(3 * writeWithin)
				synctest.Wait()
				told := 0
				for _, s := range g.sentences() {
					if strings.Contains(s, "did not read") {
						told++
					}
				}
				connected := 0
				for _, c := range b.Clients() {
					if c.Connected {
						connected++
					}
				}
				if told != sticking || connected != readers-sticking {
					t.Errorf("%d are connected, %d were told that they did not read", connected, told)
				}
			})
		})
	}
}

// TestReopen opens the broker again and again on the same port with the same
// store while clients are connected.
func TestReopen(t *testing.T) {
	store := newMemory()
	addr := "127.0.0.1:0"
	base := 0
	for i := range 20 {
		b, stop := run(t, Config{Addr: addr, Gate: &gate{deny: map[topic.Filter]bool{}}, Store: store})
		r := &rig{Broker: b, t: t}
		addr = b.Addr()
		var got box
		sub := r.dial(r.options("sub").SetCleanSession(false), &got)
		if i > 0 {
			r.wants(&got, fmt.Sprintf("a=%d q1", i-1))
		}
		r.ok(sub.Subscribe("a", 1, nil))
		r.taken("sub")
		sub.Disconnect(100)
		r.away("sub")
		var there []net.Conn
		for k := range 6 {
			c := dial(t, r)
			connect(t, c, fmt.Sprint("kit", k), byte(4+k%2))
			there = append(there, c)
		}
		r.ok(r.dial(r.options("pub"), nil).Publish("a", 1, false, fmt.Sprint(i))) // for the next time
		stop()
		for k, c := range there { // MQTT 5 says why; before, the connection just ends
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			last, err := io.ReadAll(c)
			if want := []byte{packets.Disconnect << 4, 2, packets.ErrServerShuttingDown.Code, 0}; err != nil || k%2 == 0 && len(last) > 0 || k%2 == 1 && !bytes.Equal(last, want) {
				t.Errorf("time %d, client %d was told % x, %v", i, k, last, err)
			}
			c.Close()
		}
		if i == 0 {
			base = runtime.NumGoroutine()
		}
	}
	eventually(t, func() (string, bool) {
		n := runtime.NumGoroutine()
		return fmt.Sprintf("%d goroutines, after the first time there were %d", n, base), n <= base
	})
}

// In the environment these make this test binary another process of a test: one
// that fills a broker at an address, one that is a broker which may open few files.
const (
	filler   = "HOMEROOM_TEST_FILLER"
	fewFiles = "HOMEROOM_TEST_FEW_FILES"
)

// process is this test binary again, running only the test that started it.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.Closer
	lines *bufio.Scanner
}

func self(t *testing.T, env string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")}
	p.cmd.Env = append(os.Environ(), env)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in, p.lines = in, bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// until returns what follows prefix in the first line that begins with it.
func (p *process) until(prefix string) string {
	p.t.Helper()
	said := []string{}
	for p.lines.Scan() {
		if rest, ok := strings.CutPrefix(p.lines.Text(), prefix); ok {
			return rest
		}
		said = append(said, p.lines.Text())
	}
	p.t.Fatalf("the other process said only %q", said)
	return ""
}

// end lets the process end, and wants it to have passed.
func (p *process) end() {
	p.t.Helper()
	p.in.Close()
	p.until("--- PASS")
	for p.lines.Scan() {
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Error(err)
	}
}

// TestOutOfFiles has a broker that cannot accept for lack of file descriptors.
// When there are some again, it does.
func TestOutOfFiles(t *testing.T) {
	if os.Getenv(fewFiles) != "" {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 40, Max: 40}); err != nil {
			t.Fatal(err)
		}
		b, _ := run(t, Config{Gate: &gate{deny: map[topic.Filter]bool{}}, Store: newMemory()})
		fmt.Println("address", b.Addr())
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	p := self(t, fewFiles+"=1")
	addr := p.until("address ")
	all := silent(t, addr, "127.0.0.1", 100)
	for _, id := range []string{"good", "again"} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if len(all) > 0 && answers(t, c) {
			t.Error("an answer to nothing")
		}
		for _, x := range all {
			x.Close()
		}
		all = nil
		connect(t, c, id, 5)
	}
	p.end()
}

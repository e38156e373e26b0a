package firmware

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// canDo is what the host says that it can.
func canDo() string {
	if len(libraries()) > 0 {
		return "\x07"
	}
	return "\x05"
}

// pair is a P-256 key, with what a kit is told of it.
type pair struct {
	key  *ecdsa.PrivateKey
	spki string
}

func newPair(t *testing.T) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pair{key, string(spki)}
}

// serve returns how to serve TLS with it. The certificate says so many addresses.
func (p pair) serve(t *testing.T, addresses int) *tls.Config {
	t.Helper()
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	for i := range addresses {
		leaf.IPAddresses = append(leaf.IPAddresses, net.IPv4(10, 0, 0, byte(i)))
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, p.key.Public(), p.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: p.key}}}
}

// door is where a kit connects to. Each connection is met by what met returns; it is
// closed at the end of the test, or by whom it is met.
func door(t *testing.T, met func(c net.Conn)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			go met(c)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// through carries a connection to a broker without TLS. It is the same to the kit as
// one broker that speaks TLS, which writes at most piece bytes at once.
func through(t *testing.T, b *broker, cfg *tls.Config, piece int) func(net.Conn) {
	return func(raw net.Conn) {
		c := tls.Server(raw, cfg)
		defer c.Close()
		to, err := net.Dial("tcp", b.addr())
		if err != nil {
			t.Error(err)
			return
		}
		defer to.Close()
		go func() {
			defer to.Close()
			_, _ = io.Copy(to, c)
		}()
		// Not larger than that: crypto/tls makes a record of each write.
		_, _ = io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{to}, make([]byte, piece))
	}
}

// TestTLS runs the kit against brokers that speak TLS well, wrongly and not at all: on its
// own way to the network of this PC, and with that of the board, hal_esp8266.cpp.
func TestTLS(t *testing.T) {
	t.Parallel()
	if len(libraries()) == 0 {
		missing(t, "BearSSL (libbearssl-dev)")
	}
	for kind, sources := range map[string][]string{
		"host":  {"host/host.cpp", "host/hal_host.cpp", "host/digest.cpp", "host/mdns.cpp"},
		"board": {"host/arduino/kit.cpp", "host/arduino/pc.cpp", "host/hal_host.cpp", "host/digest.cpp", "host/mdns.cpp", "kit/src/hal_esp8266.cpp", "kit/src/mark.cpp"},
	} {
		program := buildProgram(t, sources...)
		for name, test := range map[string]func(*testing.T, string){
			"joins": tlsJoins, "refuses": tlsRefuses, "stalls": tlsStalls, "ends": tlsEnds, "home": tlsHome,
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				test(t, program)
			})
		}
	}
}

// tlsKit starts a kit that looks for a broker at port that has the key.
func tlsKit(t *testing.T, program string, port int, spki string, args ...string) *host {
	t.Helper()
	h := start(t, program, flashWith(t, append(settings(port, "secret"), tlv(0x16, spki)...)), args...)
	h.do(classNetwork)
	return h
}

// fails waits until the kit, which is in the network, waits for a reason.
func (h *host) fails(what string, reason byte) {
	h.t.Helper()
	h.event(what, func(f message) bool {
		if f.kind != statusEvent || f.data[0] != 4 || f.data[1] <= 1 { // before, it sees no network
			return false
		}
		if f.data[1] != reason {
			h.t.Errorf("%s: the reason is %d, not %d", what, f.data[1], reason)
		}
		return true
	})
}

// tlsJoins: all that a kit does goes over TLS too, also with the smallest buffer, where
// the broker writes as little at once; its certificate may be longer than any.
func tlsJoins(t *testing.T, program string) {
	for _, c := range []struct {
		receive, piece int
		joins          bool
	}{{1024, 1024, true}, {512, 512, true}, {512, 1024, false}} {
		if c.receive != 1024 && strings.Contains(t.Name(), "board") {
			continue // it says itself how much it takes
		}
		b := newBroker(t)
		p := newPair(t)
		h := tlsKit(t, program, door(t, through(t, b, p.serve(t, 250), c.piece)), p.spki, "--receive", fmt.Sprint(c.receive))
		eyes := b.teacher()
		eyes.sees("$state ready")
		h.do("press")
		eyes.sees("button true")
		eyes.says("light/set", "on")
		h.told("gpio 5 1")
		eyes.sees("light On")
		// What it has no room for it lets pass; where a record is longer than its buffer, the
		// connection is lost.
		eyes.says("light/set", strings.Repeat("x", 20_000))
		if !c.joins {
			eyes.sees("$state lost")
			continue
		}
		eyes.says("light/set", "off")
		h.told("gpio 5 0")
		h.must(restart)
		eyes.sees("$state disconnected")
		eyes.sees("$state ready")
	}
}

// tlsRefuses: who has another key, or makes no sense, is not told the secret.
func tlsRefuses(t *testing.T, program string) {
	right, wrong := newPair(t), newPair(t)
	heard := func(cfg *tls.Config) func(net.Conn) {
		return func(raw net.Conn) {
			defer raw.Close()
			c := tls.Server(raw, cfg)
			if got, _ := io.ReadAll(c); len(got) > 0 {
				t.Errorf("it was told %q", got)
			}
		}
	}
	say := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = io.WriteString(c, text)
		}
	}
	noise := make([]byte, 4096)
	_, _ = rand.Read(noise)
	noise[0] = 0 // no type of a record
	old := right.serve(t, 1)
	old.MinVersion = tls.VersionTLS13
	const tlsReason, silent = 8, 4
	for _, c := range []struct {
		what   string
		reason byte
		met    func(net.Conn)
	}{
		{"another key", tlsReason, heard(wrong.serve(t, 1))},
		{"only a newer TLS", tlsReason, heard(old)},
		{"noise", tlsReason, say(string(noise))},
		{"a web page", tlsReason, say("HTTP/1.1 400 Bad Request\r\n\r\n")},
		{"a record that is too long", tlsReason, say("\x16\x03\x03\xff\xff" + string(noise))},
		{"a handshake message without end", tlsReason, say(strings.Repeat("\x16\x03\x03\x00\x10\x02\xff\xff\xff"+strings.Repeat("x", 12), 40))},
		{"an alert", tlsReason, say("\x15\x03\x03\x00\x02\x02\x28")},
		{"a broker without TLS", silent, func(c net.Conn) { _ = c.Close() }},
		{"one that goes within a record", silent, func(c net.Conn) {
			_, _ = io.WriteString(c, "\x16\x03\x03\x00\x50\x02\x00\x00\x4c\x03\x03")
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			h := tlsKit(t, program, door(t, c.met), right.spki)
			h.fails(c.what, c.reason)
		})
	}
}

// tlsStalls: who takes the connection and is silent costs 15 s; a press is not lost.
func tlsStalls(t *testing.T, program string) {
	p := newPair(t)
	var came atomic.Int32
	h := tlsKit(t, program, door(t, func(c net.Conn) { came.Add(1) }), p.spki)
	h.event("that it connects", func(f message) bool { return f.kind == statusEvent && f.data[0] == 2 })
	h.do("press")
	h.fails("a broker that stalls", 4)
	if came.Load() != 1 {
		t.Errorf("it came %d times", came.Load())
	}
	h.must(askStatus)
}

// tlsEnds: a connection that was good ends as soon as a record is not what was sealed.
func tlsEnds(t *testing.T, program string) {
	p := newPair(t)
	for what, break_ := range map[string]func(raw net.Conn, c *tls.Conn){
		"closed":          func(raw net.Conn, _ *tls.Conn) { _ = raw.Close() },
		"a goodbye":       func(_ net.Conn, c *tls.Conn) { _ = c.Close() },
		"within a record": func(raw net.Conn, _ *tls.Conn) { _, _ = raw.Write([]byte{23, 3, 3, 0, 99, 1, 2, 3}); _ = raw.Close() },
		"a wrong seal": func(raw net.Conn, _ *tls.Conn) {
			_, _ = raw.Write(append([]byte{23, 3, 3, 0, 50}, make([]byte, 50)...))
		},
		"a record too long":   func(_ net.Conn, c *tls.Conn) { _, _ = c.Write(make([]byte, 5000)) },
		"plain text":          func(raw net.Conn, _ *tls.Conn) { _, _ = io.WriteString(raw, "\xd0\x00\xd0\x00\xd0\x00\xd0\x00") },
		"another negotiation": func(raw net.Conn, _ *tls.Conn) { _, _ = raw.Write([]byte{22, 3, 3, 0, 4, 0, 0, 0, 0}) },
	} {
		t.Run(what, func(t *testing.T) {
			b := newBroker(t)
			var first atomic.Bool
			ready := make(chan func(), 1)
			carry := through(t, b, p.serve(t, 1), 512)
			port := door(t, func(raw net.Conn) {
				if !first.CompareAndSwap(false, true) {
					carry(raw)
					return
				}
				c := tls.Server(raw, p.serve(t, 1))
				ready <- func() { break_(raw, c) }
				to, err := net.Dial("tcp", b.addr())
				if err != nil {
					t.Error(err)
					return
				}
				defer to.Close()
				go func() { _, _ = io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{to}, make([]byte, 512)) }()
				_, _ = io.Copy(to, c)
			})
			h := tlsKit(t, program, port, p.spki)
			h.state(3)
			(<-ready)()
			h.fails(what, 7)
			h.state(3) // it comes again
		})
	}
}

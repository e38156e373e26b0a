package firmware

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// kitHome is the mDNS name of the PC in these tests. oldAddress is where it was once:
// the broker is at 127.0.0.1, on the same port.
const (
	kitHome      = "pc.local"
	oldAddress   = "127.0.0.2"
	otherAddress = "127.0.0.3"
)

// responder answers one-shot questions of mDNS, not in a group: a PC that tests has none.
type responder struct {
	conn, wrong *net.UDPConn // wrong is a port that nobody asked

	mu    sync.Mutex
	home  net.IP // nil is silence. guarded by mu
	asked int    // guarded by mu
}

func newResponder(t *testing.T) *responder {
	t.Helper()
	r := &responder{}
	for _, c := range []**net.UDPConn{&r.conn, &r.wrong} {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		*c = conn
	}
	var done sync.WaitGroup
	done.Go(func() { r.run(t) })
	t.Cleanup(func() {
		_ = r.conn.Close()
		_ = r.wrong.Close()
		done.Wait()
	})
	return r
}

func (r *responder) addr() string { return r.conn.LocalAddr().String() }

// at sets where the home is; "" is nowhere.
func (r *responder) at(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.home = net.ParseIP(address).To4()
}

func (r *responder) questions() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// question is the only one that a kit asks, after its id: no flags, one question, for
// the name, type A and class IN.
const question = "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02pc\x05local\x00\x00\x01\x00\x01"

// reply is an answer with a record of the name, type and class as bytes.
func reply(asked []byte, name, kind string, data []byte) []byte {
	out := slices.Concat(asked, []byte(name), []byte(kind), []byte{0, 0, 0, 10, 0, byte(len(data))}, data)
	out[2], out[7] = 0x84, 1
	return out
}

func (r *responder) run(t *testing.T) {
	packet := make([]byte, 1500)
	for {
		n, from, err := r.conn.ReadFromUDP(packet)
		if err != nil {
			return
		}
		asked := bytes.Clone(packet[:n])
		if n < 2 || string(asked[2:]) != question {
			t.Errorf("the kit asks %x", asked)
			continue
		}
		r.mu.Lock()
		r.asked++
		home := r.home
		r.mu.Unlock()
		if home == nil {
			continue
		}
		const here, address = "\xc0\x0c", "\x00\x01\x00\x01"
		trap := net.IPv4(127, 0, 0, 9).To4()
		right := reply(asked, here, address, trap)
		edited := func(at int, b ...byte) []byte { return slices.Replace(bytes.Clone(right), at, at+len(b), b...) }
		// None of these tells where it is.
		for _, lie := range [][]byte{
			{}, asked, right[:3], right[:12], right[:len(right)-1], right[:len(right)-5],
			edited(0, ^asked[0]),       // another id
			edited(2, 0x04),            // no answer
			edited(2, 0x8c),            // of something else
			edited(3, 3),               // there is no such name
			edited(5, 0), edited(5, 2), // without the question
			edited(13, 'q'), edited(13, 'P'), // to another
			edited(len(asked), 0xc0, byte(len(asked))), // a pointer to itself
			edited(len(asked), 0xff, 0xff),             // and beyond the end
			edited(len(asked), 0x80, 0x0c),
			edited(len(right)-5, 200), // data beyond the end
			reply(asked, "\x02qc\x05local\x00", address, trap),
			reply(asked, "\x02pc\x05local", address, trap),
			reply(asked, "\xc0\x0f", address, trap), // local
			reply(asked, here, "\x00\x1c\x00\x01", append(make([]byte, 12), trap...)),
			reply(asked, here, "\x00\x01\x00\x03", trap),
			reply(asked, here, address, trap[:3]),
			reply(asked, here, address, []byte{0, 0, 0, 0}),
			reply(asked, here, address, []byte{224, 0, 0, 251}),
		} {
			_, _ = r.conn.WriteToUDP(lie, from)
		}
		_, _ = r.wrong.WriteToUDP(right, from)
		_, _ = r.conn.WriteToUDP(reply(asked, here, address, home), from)
	}
}

// strangers are brokers that are not ours: they refuse every login, and write down
// whom it came to.
type strangers struct {
	mu     sync.Mutex
	logins []string // guarded by mu
}

func (s *strangers) open(t *testing.T, address string, port int) {
	t.Helper()
	l, err := net.Listen("tcp4", fmt.Sprintf("%s:%d", address, port))
	if err != nil {
		t.Skip("this PC has no second address: ", err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			head := make([]byte, 2)
			if _, err := io.ReadFull(c, head); err == nil && head[0] == 0x10 {
				_, _ = io.ReadFull(c, make([]byte, head[1]))
				s.mu.Lock()
				s.logins = append(s.logins, address)
				s.mu.Unlock()
				_, _ = c.Write([]byte{0x20, 2, 0, 5})
			}
			_ = c.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		done.Wait()
	})
}

func (s *strangers) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.logins)
}

// homeless are settings with the address that the PC once had, and its home.
func homeless(port int, more ...[]byte) []byte {
	return slices.Concat(tlv(0x10, "Class"), tlv(0x11, "12345678"), tlv(0x12, oldAddress), tlv(0x13, u16(port)), tlv(0x14, "kit"), tlv(0x15, "secret"),
		slices.Concat(more...), tlv(0x19, kitHome), design())
}

func waits(reason byte) func(message) bool {
	return func(f message) bool { return f.kind == statusEvent && f.data[0] == 4 && f.data[1] == reason }
}

// hostHome is a PC whose address has changed over night.
func hostHome(t *testing.T, program string) {
	b := newBroker(t)
	eyes := b.teacher()
	mdns := newResponder(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, r.Host, http.StatusTeapot) }))
	t.Cleanup(page.Close)
	_, pagePort, _ := strings.Cut(strings.TrimPrefix(page.URL, "http://"), ":")
	h := start(t, program, flashWith(t, homeless(b.port, tlv(0x17, oldAddress+":"+pagePort))), "--mdns", mdns.addr())
	h.do(classNetwork)
	// Nobody is there, and nobody knows the home.
	h.event("that nobody is there", waits(4))
	if mdns.questions() == 0 {
		t.Error("nobody was asked for the home")
	}
	mdns.at("127.0.0.1")
	h.printed("Joined the broker at home")
	eyes.sees("$info ")
	h.write([]byte("info\n"))
	h.printed("Home pc.local, where the broker is")

	// Updates are there too, but not those of another machine.
	update := "update /none 100 0123456789abcdef0123456789abcdef 1.0.1"
	eyes.says("$do", update)
	if got, _ := eyes.sees("$told update failed"); got != "$told update failed http 418" {
		t.Errorf("the page at home: %q", got)
	}

	// Somebody is at the old address now. The kit does not go there while it knows better.
	var others strangers
	others.open(t, oldAddress, b.port)
	eyes.says("$do", "settings "+string(tlv(0x25, "Kit 4")))
	eyes.sees("$told settings ok")
	h.printed("Joined the broker at home")
	eyes.sees("$info ")
	if got := others.heard(); len(got) > 0 {
		t.Errorf("logins to %q", got)
	}
	// After power-on it does, once, and then goes home.
	eyes.says("$do", "restart")
	h.told("restart")
	h.event("that it was refused", waits(5))
	h.printed("Joined the broker at home")
	if got := others.heard(); len(got) != 1 {
		t.Errorf("logins to %q", got)
	}
	eyes.sees("$info ")

	// The program tells the new address: the home is not needed anymore.
	h.must(writeSettings, slices.Concat(tlv(0x12, "127.0.0.1"), tlv(0x17, otherAddress+":"+pagePort))...)
	eyes.sees("$info ")
	h.write([]byte("info\n"))
	h.await("info", func() bool {
		return slices.Contains(h.lines, "Home pc.local") && slices.Contains(h.lines, "On the broker")
	})
	if got := others.heard(); len(got) != 1 {
		t.Errorf("logins to %q", got)
	}
	// And its address changes again, with a page that was never on its machine.
	h.must(writeSettings, tlv(0x12, oldAddress)...)
	h.printed("Joined the broker at home")
	eyes.sees("$info ")
	eyes.says("$do", update)
	if got, _ := eyes.sees("$told update failed"); got != "$told update failed connect" {
		t.Errorf("the page elsewhere: %q", got)
	}
}

// hostStrangers has brokers that are not ours at both places: each attempt shows the
// login to one of them, and the next to the other.
func hostStrangers(t *testing.T, program string) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // so that nobody else has it
	port := l.Addr().(*net.TCPAddr).Port
	var others strangers
	others.open(t, oldAddress, port)
	others.open(t, otherAddress, port)
	mdns := newResponder(t)
	mdns.at(otherAddress)
	h := start(t, program, flashWith(t, homeless(port)), "--mdns", mdns.addr())
	h.do(classNetwork)
	const attempts = 4
	for range attempts {
		h.event("that it was refused", waits(5))
	}
	got := others.heard()
	for i, who := range got {
		if want := []string{oldAddress, otherAddress}[i%2]; who != want {
			t.Errorf("login %d went to %s: %q", i, who, got)
		}
	}
	if len(got) != attempts && len(got) != attempts+1 { // the next may have begun
		t.Errorf("%d logins in %d attempts", len(got), attempts)
	}
}

// tlsHome has somebody with another key at the PC's old address: a kit does not show it
// the login, says so where it does not find its home, and goes there once it does.
func tlsHome(t *testing.T, program string) {
	b := newBroker(t)
	right, wrong := newPair(t), newPair(t)
	port := door(t, through(t, b, right.serve(t, 1), 1024))
	l, err := net.Listen("tcp4", fmt.Sprintf("%s:%d", oldAddress, port))
	if err != nil {
		t.Skip("this PC has no second address: ", err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			if got, _ := io.ReadAll(tls.Server(raw, wrong.serve(t, 1))); len(got) > 0 {
				t.Errorf("it was told %q", got)
			}
			_ = raw.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		done.Wait()
	})
	mdns := newResponder(t)
	h := start(t, program, flashWith(t, homeless(port, tlv(0x16, right.spki))), "--mdns", mdns.addr())
	h.do(classNetwork)
	h.fails("another key", 8)
	mdns.at("127.0.0.1")
	h.printed("Joined the broker at home")
}

// hostHomeOnCable has no use for its home.
func hostHomeOnCable(t *testing.T, program string) {
	mdns := newResponder(t)
	mdns.at("127.0.0.1")
	h := start(t, program, flashWith(t, homeless(1, tlv(0x18, "\x01"))), "--mdns", mdns.addr(), "--variant", "wifi")
	h.do(classNetwork)
	for range 3 {
		var opened message
		h.event("open", func(f message) bool {
			opened = f
			return f.kind == cableOpen
		})
		h.write(frame(cableOpen+0x80, opened.seq, []byte{3}))
		h.event("that there is no program", waits(9))
	}
	h.write([]byte("info\n"))
	h.printed("Over the cable")
	if n := mdns.questions(); n > 0 {
		t.Errorf("%d questions for the home", n)
	}
}

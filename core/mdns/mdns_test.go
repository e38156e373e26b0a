package mdns

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"homeroom/core"
)

const (
	ourName = "homeroom-1a2b3c.local."
	soon    = 20 * time.Second // that nobody waits for but a test that fails
)

// lab is a network of one cable: packets to one go over the loopback, packets to all
// are kept.
type lab struct {
	mu         sync.Mutex
	interfaces []Interface
	refused    error             // what Listen says
	deaf       map[string]error  // what Join says, by interface
	speaks     map[uint16]uint16 // port that the responder sees, by the real one
	real       map[netip.AddrPort]netip.AddrPort
	index      int // that packets come in on
	direct     bool
	conn       *labConn
	said       chan said
	joined     []string
}

// said is a packet to all.
type said struct {
	at string // interface
	dnsmessage.Message
}

func newLab(nets ...string) *lab {
	l := &lab{speaks: map[uint16]uint16{}, real: map[netip.AddrPort]netip.AddrPort{}, deaf: map[string]error{}, said: make(chan said, 100)}
	l.plug(Interface{Index: 7, Name: "lab0", Nets: prefixes(nets...)})
	return l
}

func prefixes(all ...string) (nets []netip.Prefix) {
	for _, n := range all {
		nets = append(nets, netip.MustParsePrefix(n))
	}
	return nets
}

func (l *lab) plug(all ...Interface) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interfaces = all
}

func (l *lab) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = err
}

func (l *lab) Interfaces() ([]Interface, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.interfaces), nil
}

func (l *lab) Listen(context.Context) (Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused != nil {
		return nil, l.refused
	}
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	l.conn = &labConn{lab: l, u: u}
	return l.conn, nil
}

func (l *lab) addr() netip.AddrPort {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn.u.LocalAddr().(*net.UDPAddr).AddrPort()
}

type labConn struct {
	lab *lab
	u   *net.UDPConn
}

func (c *labConn) Join(i Interface) error {
	c.lab.mu.Lock()
	defer c.lab.mu.Unlock()
	c.lab.joined = append(c.lab.joined, "+"+i.Name)
	return c.lab.deaf[i.Name]
}

func (c *labConn) Leave(i Interface) {
	c.lab.mu.Lock()
	defer c.lab.mu.Unlock()
	c.lab.joined = append(c.lab.joined, "-"+i.Name)
}

func (c *labConn) Read(b []byte) (Packet, error) {
	n, from, err := c.u.ReadFromUDPAddrPort(b)
	c.lab.mu.Lock()
	defer c.lab.mu.Unlock()
	shown := from
	if as := c.lab.speaks[from.Port()]; as != 0 {
		shown = netip.AddrPortFrom(from.Addr(), as)
		c.lab.real[shown] = from
	}
	return Packet{Bytes: n, Index: c.lab.index, From: shown, Direct: c.lab.direct}, err
}

func (c *labConn) Send(b []byte, i Interface, to netip.AddrPort) error {
	if to == group {
		s := said{at: i.Name}
		if err := s.Unpack(b); err != nil {
			return err
		}
		c.lab.said <- s
		return nil
	}
	c.lab.mu.Lock()
	if real, ok := c.lab.real[to]; ok {
		to = real
	}
	c.lab.mu.Unlock()
	_, err := c.u.WriteToUDPAddrPort(b, to)
	return err
}

func (c *labConn) Close() error { return c.u.Close() }

// begin runs a responder in the lab. What it complains of goes to troubles.
func (l *lab) begin(t *testing.T, services func() []Service) (r *Responder, feed *core.Feed, troubles chan core.Sentence, end func()) {
	t.Helper()
	feed, troubles = &core.Feed{}, make(chan core.Sentence, 10)
	r = New(Config{Name: strings.TrimSuffix(ourName, "."), Host: "lab-3", Services: services, Network: l, Feed: feed,
		Trouble: func(s core.Sentence) { troubles <- s }, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	end = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	t.Cleanup(end)
	return r, feed, troubles, end
}

// announced waits for the next packet to all.
func (l *lab) announced(t *testing.T) said {
	t.Helper()
	select {
	case s := <-l.said:
		return s
	case <-time.After(soon):
		t.Fatal("nothing was announced")
		return said{}
	}
}

// all is what a PC with everything offers.
func all() []Service {
	return []Service{
		{"_mqtt._tcp", netip.MustParseAddrPort("[::]:1883")},
		{"_secure-mqtt._tcp", netip.MustParseAddrPort("0.0.0.0:8883")},
		{"_http._tcp", netip.MustParseAddrPort("127.0.0.1:8080")},
	}
}

// client asks over the loopback, as somebody who does not know mDNS or, with a port
// that the responder sees, as one who does.
func (l *lab) client(t *testing.T, as uint16) *net.UDPConn {
	t.Helper()
	u, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(l.addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	if as != 0 {
		l.mu.Lock()
		l.speaks[u.LocalAddr().(*net.UDPAddr).AddrPort().Port()] = as
		l.mu.Unlock()
	}
	return u
}

func question(name string, kind dnsmessage.Type) dnsmessage.Question {
	return dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}
}

func packed(t testing.TB, m dnsmessage.Message) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func send(t *testing.T, u *net.UDPConn, b []byte) {
	t.Helper()
	if _, err := u.Write(b); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, u *net.UDPConn) (m dnsmessage.Message) {
	t.Helper()
	b := make([]byte, maxPacket)
	if err := u.SetReadDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	n, err := u.Read(b)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	if err := m.Unpack(b[:n]); err != nil {
		t.Fatal(err)
	}
	return m
}

// show is records as lines.
func show(rs []dnsmessage.Resource) (lines []string) {
	for _, r := range rs {
		line := r.Header.Name.String() + " "
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			line += "A " + netip.AddrFrom4(b.A).String()
		case *dnsmessage.PTRResource:
			line += "PTR " + b.PTR.String()
		case *dnsmessage.SRVResource:
			line += "SRV " + b.Target.String() + " " + netip.AddrPortFrom(netip.IPv4Unspecified(), b.Port).String()
		case *dnsmessage.TXTResource:
			line += "TXT " + strings.Join(b.TXT, "|")
		case *dnsmessage.UnknownResource:
			line += "NSEC"
		}
		if r.Header.TTL == 0 {
			line += " gone"
		}
		lines = append(lines, line)
	}
	return lines
}

// TestLegacy: who asks from a port of its own gets an answer of its own, with the ID
// and the question, that it keeps for a short time (RFC 6762, section 6.7). So do
// kits.
func TestLegacy(t *testing.T) {
	l := newLab("127.0.0.1/8")
	l.begin(t, all)
	l.announced(t)
	u := l.client(t, 0)
	mixed := "HomeRoom-1A2B3C.local."
	send(t, u, packed(t, dnsmessage.Message{Header: dnsmessage.Header{ID: 4711}, Questions: []dnsmessage.Question{question(mixed, dnsmessage.TypeA)}}))
	m := receive(t, u)
	if m.ID != 4711 || !m.Response || !m.Authoritative || len(m.Questions) != 1 || m.Questions[0] != question(mixed, dnsmessage.TypeA) {
		t.Errorf("answered %+v", m)
	}
	if got := show(m.Answers); !slices.Equal(got, []string{ourName + " A 127.0.0.1"}) || m.Answers[0].Header.TTL != ttlLegacy || m.Answers[0].Header.Class != dnsmessage.ClassINET {
		t.Errorf("answers %v: %+v", got, m.Answers[0].Header)
	}
	for _, r := range m.Additionals {
		if r.Header.TTL > ttlLegacy || r.Header.Class != dnsmessage.ClassINET {
			t.Errorf("additional %+v", r.Header)
		}
	}
}

// TestAnswers: what is asked by those who speak mDNS, and what goes to all.
func TestAnswers(t *testing.T) {
	const instance = "Homeroom (lab-3)"
	l := newLab("127.0.0.1/8", "192.168.1.20/24")
	r, _, _, _ := l.begin(t, all)
	l.announced(t)
	if r.Name() != "homeroom-1a2b3c.local" {
		t.Errorf("the name is %q", r.Name())
	}
	a1, a2, nsec := ourName+" A 127.0.0.1", ourName+" A 192.168.1.20", ourName+" NSEC"
	srv := instance + "._mqtt._tcp.local. SRV " + ourName + " 0.0.0.0:1883"
	txt := instance + "._mqtt._tcp.local. TXT "
	ptr := "_mqtt._tcp.local. PTR " + instance + "._mqtt._tcp.local."
	for _, c := range []struct {
		what          string
		ask           dnsmessage.Question
		known         []dnsmessage.Resource
		answers, more []string
	}{
		{"the name", question(ourName, dnsmessage.TypeA), nil, []string{a1, a2}, []string{nsec}},
		{"an address of IPv6", question(ourName, dnsmessage.TypeAAAA), nil, []string{nsec}, nil},
		{"anything", question(ourName, dnsmessage.TypeALL), nil, []string{a1, a2, nsec}, nil},
		{"brokers", question("_mqtt._tcp.local.", dnsmessage.TypePTR), nil, []string{ptr}, []string{srv, txt, a1, a2, nsec}},
		{"where the broker is", question(instance+"._mqtt._tcp.local.", dnsmessage.TypeSRV), nil, []string{srv}, []string{a1, a2, nsec}},
		{"its text", question(instance+"._mqtt._tcp.local.", dnsmessage.TypeTXT), nil, []string{txt}, nil},
		{"types", question(enumeration, dnsmessage.TypePTR), nil,
			[]string{enumeration + " PTR _mqtt._tcp.local.", enumeration + " PTR _secure-mqtt._tcp.local.", enumeration + " PTR _http._tcp.local."}, nil},
		{"brokers, knowing another", question("_mqtt._tcp.local.", dnsmessage.TypePTR), []dnsmessage.Resource{
			{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("_mqtt._tcp.local."), Class: dnsmessage.ClassINET, TTL: ttlService}, Body: &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("Mosquitto._mqtt._tcp.local.")}},
			{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("printer.local."), Class: dnsmessage.ClassINET, TTL: ttlHost}, Body: &dnsmessage.AResource{A: [4]byte{192, 168, 1, 9}}},
		}, []string{ptr}, []string{srv, txt, a1, a2, nsec}},
		{"brokers, having ours for long", question("_mqtt._tcp.local.", dnsmessage.TypePTR), []dnsmessage.Resource{
			{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("_mqtt._tcp.local."), Class: dnsmessage.ClassINET, TTL: ttlService / 3}, Body: &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(instance + "._mqtt._tcp.local.")}},
		}, []string{ptr}, []string{srv, txt, a1, a2, nsec}},
	} {
		u := l.client(t, port)
		c.ask.Class |= toMeAlone
		send(t, u, packed(t, dnsmessage.Message{Header: dnsmessage.Header{ID: 5}, Questions: []dnsmessage.Question{question("other.local.", dnsmessage.TypeA), c.ask}, Answers: c.known}))
		m := receive(t, u)
		if got := show(m.Answers); !slices.Equal(got, c.answers) {
			t.Errorf("%s: answers %q; want %q", c.what, got, c.answers)
		}
		if got := show(m.Additionals); !slices.Equal(got, c.more) {
			t.Errorf("%s: beside them %q; want %q", c.what, got, c.more)
		}
		if m.ID != 0 || len(m.Questions) != 0 {
			t.Errorf("%s: answered with ID %d and %d questions, as to somebody who does not know mDNS", c.what, m.ID, len(m.Questions))
		}
		for _, r := range append(m.Answers, m.Additionals...) {
			if shared := r.Header.Type == dnsmessage.TypePTR; shared == (r.Header.Class&onlyOurs != 0) {
				t.Errorf("%s: class %x of %s", c.what, uint16(r.Header.Class), show([]dnsmessage.Resource{r}))
			}
		}
	}
}

// TestToAll: a question to all is answered to all, and the same again not within a
// second; an answer that everybody has is not sent.
func TestToAll(t *testing.T) {
	l := newLab("127.0.0.1/8")
	r, _, _, _ := l.begin(t, all)
	first := l.announced(t)
	if got := show(first.Answers); len(got) != 2+4*3 || got[0] != ourName+" A 127.0.0.1" {
		t.Errorf("announced %q", got)
	}
	l.announced(t) // once more
	u := l.client(t, port)
	ask := packed(t, dnsmessage.Message{Questions: []dnsmessage.Question{question(ourName, dnsmessage.TypeA)}})
	send(t, u, ask)
	if got := l.announced(t); !slices.Equal(show(got.Answers), []string{ourName + " A 127.0.0.1"}) || got.at != "lab0" {
		t.Errorf("to all at %s: %q", got.at, show(got.Answers))
	}
	send(t, u, ask)
	send(t, u, packed(t, dnsmessage.Message{Questions: []dnsmessage.Question{question("_mqtt._tcp.local.", dnsmessage.TypePTR)}, Answers: []dnsmessage.Resource{
		{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("_mqtt._tcp.local."), Class: dnsmessage.ClassINET, TTL: ttlService}, Body: &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("Homeroom (lab-3)._mqtt._tcp.local.")}},
	}}))
	send(t, u, packed(t, dnsmessage.Message{Questions: []dnsmessage.Question{question("_http._tcp.local.", dnsmessage.TypePTR)}}))
	if got := l.announced(t); !slices.Equal(show(got.Answers), []string{"_http._tcp.local. PTR Homeroom (lab-3)._http._tcp.local."}) {
		t.Errorf("then to all: %q; want the page alone", show(got.Answers))
	}
	if r.Name() == "" {
		t.Error("it has no name")
	}
}

// TestStrangers: who is in another network, came in elsewhere, or says nonsense is
// not answered; who asks after them is.
func TestStrangers(t *testing.T) {
	l := newLab("127.0.0.1/8")
	l.begin(t, all)
	l.announced(t)
	ask := dnsmessage.Message{Header: dnsmessage.Header{ID: 1}, Questions: []dnsmessage.Question{question(ourName, dnsmessage.TypeA)}}
	good := packed(t, ask)
	many, opcode, response, chaos := ask, ask, ask, ask
	for range maxQuestions {
		many.Questions = append(many.Questions, ask.Questions[0])
	}
	opcode.OpCode = 5
	response.Response = true
	chaos.Questions = []dnsmessage.Question{{Name: ask.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassCHAOS}}
	u := l.client(t, 0)
	for _, bad := range [][]byte{{}, {0}, good[:11], good[:20], good[:len(good)-1], append([]byte("\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"), make([]byte, 8000)...),
		[]byte("\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"), packed(t, many), packed(t, opcode), packed(t, response), packed(t, chaos)} {
		send(t, u, bad)
	}
	ask.ID = 2
	send(t, u, packed(t, ask))
	if m := receive(t, u); m.ID != 2 {
		t.Errorf("answered %d, which is nothing that can be answered", m.ID)
	}

	l.mu.Lock()
	l.index = 3 // another interface than the one that we are at
	l.mu.Unlock()
	ask.ID = 3
	send(t, u, packed(t, ask))
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	r := &Responder{links: []*link{{Interface: Interface{Index: 7, Nets: prefixes("192.168.1.20/24", "10.0.0.5/8")}, host: host{addrs: []netip.Addr{netip.MustParseAddr("192.168.1.20")}}}}, conn: conn}
	for from, want := range map[string]string{"192.168.1.9:5353": "192.168.1.20", "192.168.2.9:5353": "invalid IP", "10.0.0.9:5353": "invalid IP", "8.8.8.8:53": "invalid IP", "192.168.1.9:0": "invalid IP", "192.168.1.255:5353": "invalid IP", "192.168.1.254:5353": "192.168.1.20"} {
		if _, here := r.asked(Packet{Index: 7, From: netip.MustParseAddrPort(from)}); here.String() != want {
			t.Errorf("%s is asked at %s; want %s", from, here, want)
		}
	}
}

// TestCostly: a packet that asks and knows the same again and again costs little more
// than another one.
func TestCostly(t *testing.T) {
	h := host{name: ourName, instance: "Homeroom (lab-3)", services: all(), addrs: []netip.Addr{netip.MustParseAddr("192.168.1.20")}}
	rs, err := h.records(netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	ask := dnsmessage.Message{Questions: []dnsmessage.Question{question(enumeration, dnsmessage.TypePTR)}}
	cost := func() float64 {
		b, r, l := packed(t, ask), New(Config{Name: strings.TrimSuffix(ourName, ".")}), &link{host: h, sent: map[string]time.Time{}}
		p := Packet{Bytes: len(b), From: netip.MustParseAddrPort("192.168.1.9:40000")}
		return testing.AllocsPerRun(10, func() { _, _, _ = r.answer(l, h.addrs[0], b, p, time.Now()) })
	}
	once := cost()
	for len(ask.Questions) < maxQuestions {
		ask.Questions = append(ask.Questions, ask.Questions[0])
	}
	other := rs[0].Resource
	for _, r := range rs {
		if r.is(enumeration) {
			ask.Answers, other = append(ask.Answers, r.Resource), r.Resource
		}
	}
	other.Body = &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("_other._tcp.local.")}
	for len(ask.Answers) < maxKnown {
		ask.Answers = slices.Insert(ask.Answers, 0, other)
	}
	if much := cost(); much > 50*once { // it has 95 things in it
		t.Errorf("it takes %.0f pieces of memory, an honest question %.0f", much, once)
	}
}

// TestWhere: each network is told the address that this PC has there, and only what
// is offered there.
func TestWhere(t *testing.T) {
	l := newLab("127.0.0.1/8")
	l.plug(Interface{Index: 1, Name: "wifi", Nets: prefixes("192.168.1.20/24")}, Interface{Index: 2, Name: "cable", Nets: prefixes("10.1.2.3/16")},
		Interface{Index: 3, Name: "vm", Nets: prefixes("172.17.0.1/16")})
	l.begin(t, func() []Service {
		return []Service{{"_mqtt._tcp", netip.MustParseAddrPort("192.168.1.20:1883")}, {"_http._tcp", netip.MustParseAddrPort("10.1.2.3:80")},
			{"_secure-mqtt._tcp", netip.MustParseAddrPort("127.0.0.1:8883")}}
	})
	for range 2 {
		s := l.announced(t)
		want := map[string]string{"wifi": ourName + " A 192.168.1.20", "cable": ourName + " A 10.1.2.3"}[s.at]
		kind := map[string]string{"wifi": "_mqtt", "cable": "_http"}[s.at]
		got := show(s.Answers)
		if want == "" || got[0] != want || len(got) != 2+4 || !strings.Contains(got[2], kind) {
			t.Errorf("at %s: %q", s.at, got)
		}
	}
}

// TestMoves: another address, another port, an interface that comes and goes, and the
// switch are told at once; what is over is taken back.
func TestMoves(t *testing.T) {
	l := newLab("192.168.1.20/24")
	var mu sync.Mutex
	services := all()[:1]
	r, feed, _, end := l.begin(t, func() []Service {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(services)
	})
	change := func(to ...Service) {
		mu.Lock()
		services = to
		mu.Unlock()
		feed.Tell(core.SettingsChanged)
	}
	// until waits for a packet to all with the line.
	until := func(line string) {
		t.Helper()
		var seen []string
		for end := time.Now().Add(soon); time.Now().Before(end); {
			s := l.announced(t)
			for _, got := range show(s.Answers) {
				if s.at+": "+got == line {
					return
				}
			}
			seen = append(seen, show(s.Answers)...)
		}
		t.Fatalf("never announced %q, but %q", line, seen)
	}
	until("lab0: " + ourName + " A 192.168.1.20")
	l.plug(Interface{Index: 7, Name: "lab0", Nets: prefixes("192.168.1.77/24")})
	feed.Tell(core.SettingsChanged)
	until("lab0: " + ourName + " A 192.168.1.20 gone")
	until("lab0: " + ourName + " A 192.168.1.77")
	change(Service{"_mqtt._tcp", netip.MustParseAddrPort("0.0.0.0:1884")})
	until("lab0: Homeroom (lab-3)._mqtt._tcp.local. SRV " + ourName + " 0.0.0.0:1883 gone")
	until("lab0: Homeroom (lab-3)._mqtt._tcp.local. SRV " + ourName + " 0.0.0.0:1884")
	l.plug(Interface{Index: 7, Name: "lab0", Nets: prefixes("192.168.1.77/24")}, Interface{Index: 8, Name: "lab1", Nets: prefixes("10.0.0.1/8")})
	feed.Tell(core.SettingsChanged)
	until("lab1: " + ourName + " A 10.0.0.1")
	change()
	until("lab1: " + ourName + " A 10.0.0.1 gone")
	if r.Name() != "" {
		t.Errorf("switched off, it has the name %q", r.Name())
	}
	change(all()...)
	until("lab0: " + ourName + " A 192.168.1.77")
	end()
	until("lab0: _secure-mqtt._tcp.local. PTR Homeroom (lab-3)._secure-mqtt._tcp.local. gone")
}

// TestTrouble: a port that somebody keeps is told once and tried again, an interface
// without multicast too, and another PC with the same name.
func TestTrouble(t *testing.T) {
	l := newLab("127.0.0.1/8")
	l.refused = errors.New("address already in use")
	l.deaf["vm"] = errors.New("no such device")
	l.plug(l.interfaces[0], Interface{Index: 9, Name: "vm", Nets: prefixes("172.17.0.1/16")})
	r, feed, troubles, _ := l.begin(t, all)
	told := func(want string) {
		t.Helper()
		select {
		case s := <-troubles:
			if !strings.Contains(s.String(), want) {
				t.Errorf("told %q; want %q", s, want)
			}
		case <-time.After(soon):
			t.Errorf("never told %q", want)
		}
	}
	told("another program keeps port 5353")
	for range 3 {
		feed.Tell(core.SettingsChanged)
	}
	if r.Name() != "" {
		t.Errorf("it has the name %q that nobody hears", r.Name())
	}
	l.refuse(nil)
	feed.Tell(core.SettingsChanged)
	told("at vm: no such device")
	l.announced(t)
	if r.Name() == "" {
		t.Error("it has no name where it can be heard")
	}
	u := l.client(t, port)
	for _, claim := range [][4]byte{{127, 0, 0, 1}, {192, 168, 1, 66}, {192, 168, 1, 67}} {
		send(t, u, packed(t, dnsmessage.Message{Header: dnsmessage.Header{Response: true}, Answers: []dnsmessage.Resource{
			{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(ourName), Class: dnsmessage.ClassINET | onlyOurs, TTL: ttlHost}, Body: &dnsmessage.AResource{A: claim}}}}))
	}
	told("The PC at 192.168.1.66 answers to the name homeroom-1a2b3c.local too")
	feed.Tell(core.SettingsChanged)
	send(t, u, packed(t, dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(ourName), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET | toMeAlone}}}))
	receive(t, u)
	select {
	case s := <-troubles:
		t.Errorf("told again: %s", s)
	default:
	}
}

// TestAgain: a port that cannot be read any more is taken anew.
func TestAgain(t *testing.T) {
	l := newLab("127.0.0.1/8")
	r, _, _, _ := l.begin(t, all)
	l.announced(t)
	l.mu.Lock()
	old := l.conn
	l.mu.Unlock()
	if err := old.u.SetReadDeadline(time.Unix(1, 0)); err != nil { // every read fails from now on
		t.Fatal(err)
	}
	for end := time.Now().Add(soon); ; time.Sleep(10 * time.Millisecond) {
		l.mu.Lock()
		again := l.conn != old
		l.mu.Unlock()
		if again {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the port was not taken anew")
		}
	}
	u := l.client(t, 0)
	send(t, u, packed(t, dnsmessage.Message{Header: dnsmessage.Header{ID: 9}, Questions: []dnsmessage.Question{question(ourName, dnsmessage.TypeA)}}))
	if m := receive(t, u); m.ID != 9 || r.Name() == "" {
		t.Errorf("answered %+v", m)
	}
}

// TestBudget: one who asks much is not answered more than others are, and all
// together are left waiting.
func TestBudget(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	b := newBudget(now)
	one, other := netip.MustParseAddr("192.168.1.9"), netip.MustParseAddr("192.168.1.10")
	for range fromOne {
		if b.take(one, now) != 0 {
			t.Fatal("not answered, though it asks no more than it may")
		}
	}
	if b.take(one, now) >= 0 {
		t.Error("one who asks too much is answered")
	}
	if b.take(other, now) != 0 {
		t.Error("another is not answered for that")
	}
	for range fromAll {
		one = one.Next()
		b.take(one, now)
	}
	if wait := b.take(other, now.Add(300*time.Millisecond)); wait != 700*time.Millisecond {
		t.Errorf("too many ask, and are read again in %v", wait)
	}
	if b.take(other, now.Add(time.Second)) != 0 || len(b.each) != 1 {
		t.Errorf("a second later nobody is answered; %d are remembered", len(b.each))
	}
	if b.take(other, now.Add(-time.Hour)) != 0 {
		t.Error("after the clock was put back nobody is answered")
	}
}

func TestInstance(t *testing.T) {
	for host, want := range map[string]string{"lab-3": "Homeroom (lab-3)", "Annas.MacBook.local": "Homeroom (Annas)", "": "Homeroom", " \n": "Homeroom", "a\x00b": "Homeroom (a\uFFFDb)", "실습실": "Homeroom (실습실)"} {
		if got := instance(host); got != want {
			t.Errorf("%q is shown as %q; want %q", host, got, want)
		}
	}
	long := instance(strings.Repeat("실", 40))
	h := host{name: ourName, instance: long, services: all(), addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}
	rs, err := h.records(netip.Addr{})
	if err != nil || len(long) > 63 {
		t.Fatalf("%d bytes, %v", len(long), err)
	}
	if b, err := announcement(rs, false); err != nil || len(b) > 1400 {
		t.Errorf("%d bytes are announced, %v; they do not fit a packet", len(b), err)
	}
}

// FuzzAnswer: whatever comes in, an answer is one that can be read, is small, and
// says of us only what is so.
func FuzzAnswer(f *testing.F) {
	h := host{name: ourName, instance: "Homeroom (lab-3)", services: all(), addrs: []netip.Addr{netip.MustParseAddr("192.168.1.20")}}
	rs, err := h.records(netip.Addr{})
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range rs {
		for _, kind := range []dnsmessage.Type{r.Header.Type, dnsmessage.TypeALL, dnsmessage.TypeAAAA} {
			q := question(r.Header.Name.String(), kind)
			f.Add(packed(f, dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{q}}), uint16(port))
			f.Add(packed(f, dnsmessage.Message{Questions: []dnsmessage.Question{q}, Answers: []dnsmessage.Resource{r.Resource}}), uint16(40000))
		}
	}
	b, err := announcement(rs, false)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, uint16(port))
	r := New(Config{Name: strings.TrimSuffix(ourName, "."), Trouble: func(core.Sentence) {}})
	here := h.addrs[0]
	f.Fuzz(func(t *testing.T, packet []byte, from uint16) {
		l := &link{host: h, sent: map[string]time.Time{}}
		p := Packet{Bytes: len(packet), From: netip.AddrPortFrom(netip.MustParseAddr("192.168.1.9"), from)}
		b, alone, err := r.answer(l, here, packet, p, time.Unix(1_800_000_000, 0))
		if err != nil {
			t.Fatal(err)
		}
		if len(b) == 0 {
			return
		}
		if len(b) > 4096 || from != port && !alone {
			t.Errorf("%d bytes, alone %v", len(b), alone)
		}
		var m dnsmessage.Message
		if err := m.Unpack(b); err != nil {
			t.Fatal(err)
		}
		if len(m.Answers) == 0 || !m.Response {
			t.Errorf("answered %+v", m)
		}
		for _, got := range append(m.Answers, m.Additionals...) {
			if !slices.ContainsFunc(rs, func(r record) bool {
				return r.is(got.Header.Name.String()) && r.Body.GoString() == got.Body.GoString()
			}) {
				t.Errorf("said %s", show([]dnsmessage.Resource{got}))
			}
		}
	})
}

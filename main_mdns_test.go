package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits"
	"homeroom/core/kits/chip"
	"homeroom/core/mdns"
	"homeroom/core/topic"
)

// street is the network of one PC: its address, and where names are asked for.
type street struct {
	mu   sync.Mutex
	addr netip.Addr // guarded by mu; of the PC
	at   int        // guarded by mu; UDP port; 0 before somebody listened
}

func (s *street) move(to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = netip.MustParseAddr(to)
}

func (s *street) Interfaces() ([]mdns.Interface, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []mdns.Interface{{Index: 1, Name: "street", Nets: []netip.Prefix{netip.PrefixFrom(s.addr, 8)}}}, nil
}

func (s *street) Listen(context.Context) (mdns.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.at})
	if err != nil {
		return nil, err
	}
	s.at = u.LocalAddr().(*net.UDPAddr).Port
	return house{u}, nil
}

// house is the port of mDNS. What is said to all nobody hears.
type house struct{ u *net.UDPConn }

func (house) Join(mdns.Interface) error { return nil }
func (house) Leave(mdns.Interface)      {}
func (h house) Close() error            { return h.u.Close() }

func (h house) Read(b []byte) (mdns.Packet, error) {
	n, from, err := h.u.ReadFromUDPAddrPort(b)
	return mdns.Packet{Bytes: n, Index: 1, From: from}, err
}

func (h house) Send(b []byte, _ mdns.Interface, to netip.AddrPort) error {
	if to.Addr().IsMulticast() {
		return nil
	}
	_, err := h.u.WriteToUDPAddrPort(b, to)
	return err
}

// lives runs a program with the data of d. end ends it.
func (s *street) lives(t *testing.T, d *desk, l listeners) (p *program, end func()) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(d.data, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	p, err = open(ctx, env{out: io.Discard, err: io.MultiWriter(os.Stderr, log), data: d.data, lines: d, network: s}, l)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }()
	var once sync.Once
	end = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			_ = log.Close()
		})
	}
	t.Cleanup(end)
	return p, end
}

// patiently is eventually for what a kit does by itself, which waits longer and longer.
func patiently(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("never:", what)
}

// TestComesHome: a kit that was set up by a program without a name is told the name once
// it comes, and finds the program by it after the PC got another address, which it is
// told then.
func TestComesHome(t *testing.T) {
	t.Parallel()
	const kit, was, is = topic.Name("blue/lab/walker"), "127.0.0.2", "127.0.0.3"
	for _, addr := range []string{was, is} {
		l, err := net.Listen("tcp", addr+":0")
		if err != nil {
			t.Skipf("this PC has no address %s: %v", addr, err)
		}
		_ = l.Close()
	}
	s := &street{}
	s.move(was)
	taken, err := s.Listen(t.Context()) // from now on it has a port
	must(t, err)
	must(t, taken.Close())
	d := &desk{t: t, board: map[string]*chip.Chip{}, hands: map[string]*chip.Host{}, data: t.TempDir(), args: []string{"--mdns", fmt.Sprint("127.0.0.1:", s.at)}}
	empty := &desk{t: t, data: d.data}
	on := func(addr string, port uint16, quiet bool) listeners {
		return listeners{MQTT: net.JoinHostPort(addr, fmt.Sprint(port)), MQTTS: "-", HTTP: net.JoinHostPort(addr, "0"), NoMDNS: quiet}
	}

	p, end := s.lives(t, d, on(was, 0, true))
	enrol(t, p.accounts)
	image, err := p.kits.AddImage(t.Context(), "kit.bin", strings.NewReader(string(standIn("wifi", "1.0.0"))))
	must(t, err)
	p.make(t, d, "COM3", core.SetupOrder{Kit: kit, Role: core.ButtonKit, Image: image.ID, Network: "Lab", Key: "correct horse"})
	p.says(t, kit+"/$state", "ready")
	_, port := splitAddress(p.info.MQTT)
	if a := p.addresses(); a.Name != "" || p.brokerForKits().Home != "" {
		t.Errorf("with --no-mdns it has the name %q", a.Name)
	}
	end()
	// kept waits until it is kept that the kit was told.
	kept := func(what string, told func(k kits.Known) bool) {
		t.Helper()
		patiently(t, what, func() bool {
			all, err := p.db.Kits(t.Context())
			return err == nil && len(all) == 1 && told(all[0])
		})
	}

	p, end = s.lives(t, empty, on(was, port, false))
	name := p.name.Own()
	kept("the kit is told the name", func(k kits.Known) bool { return k.Home == name && k.Host == was })
	if a := p.addresses(); a.Name != name {
		t.Errorf("others find it by %q", a.Name)
	}
	end()

	s.move(is)
	p, end = s.lives(t, empty, on(is, port, false))
	patiently(t, "the kit is back", func() bool { return p.real(kit).State == "ready" })
	kept("it is told the address", func(k kits.Known) bool { return k.Host == is })
	patiently(t, "it joins there", func() bool { k := p.real(kit); return k.State == "ready" && k.Problem.Format == "" })
	board := d.board["COM3"]
	d.unplug("COM3") // what it keeps is on its flash then
	if has := onBoard(board); has.BrokerHost != is || has.BrokerPort != port || has.Home != name || has.Page != p.info.Page {
		t.Errorf("it was told %s, port %d, the page %s and the name %q", has.BrokerHost, has.BrokerPort, has.Page, has.Home)
	}
	if p.name.Own() != name {
		t.Errorf("the PC is called %s now, was %s", p.name.Own(), name)
	}
	end()
}

// TestNameSwitch: the setting takes effect at once.
func TestNameSwitch(t *testing.T) {
	t.Parallel()
	s := &street{}
	s.move("127.0.0.1")
	d := &desk{t: t, data: t.TempDir()}
	p, _ := s.lives(t, d, listeners{MQTT: "127.0.0.1:0", MQTTS: "127.0.0.1:0", HTTP: "127.0.0.1:0"})
	eventually(t, "it has a name", func() bool { return p.named() != "" })
	if p.named() != p.trust.Name() || p.brokerForKits().Home != p.named() {
		t.Errorf("it is called %s, and is certified as %s", p.named(), p.trust.Name())
	}
	for _, on := range []bool{false, true} {
		now := p.settings.Settings()
		now.Named = on
		must(t, p.settings.SetSettings(t.Context(), now))
		eventually(t, fmt.Sprint("it answers: ", on), func() bool { return (p.named() != "") == on })
	}
	kinds := map[string]string{"_mqtt._tcp": p.info.MQTT, "_secure-mqtt._tcp": p.info.MQTTS, "_http._tcp": p.info.Page}
	for _, o := range p.offered() {
		if kinds[o.Type] != o.At.String() {
			t.Errorf("%s is at %s; want %s", o.Type, o.At, kinds[o.Type])
		}
		delete(kinds, o.Type)
	}
	if len(kinds) > 0 {
		t.Errorf("not offered: %v", kinds)
	}
}

package kits

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/kits/line"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

// TestOthersSayNothing: who may publish below a kit's name, and is not the kit, makes
// nobody believe anything about it.
func TestOthersSayNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, wifiImage{}, "b/r/kit-1")
		f.run(t)
		forged := func(what, payload string) {
			f.s.Observe(core.Message{Topic: topic.Name("b/r/kit-1/" + what), Payload: []byte(payload), From: 8})
		}
		forge := func() {
			forged("$told", "update ok 1.2.0")
			forged("$state", "ready")
			forged("$info", `{"fw":"1.2.0","image":"wifi","ip":"6.6.6.6","mac":"66:66:66:66:66:66","design":"1"}`)
			forged("$info", strings.Repeat("[", maxInfo))
		}
		f.mu.Lock()
		f.react = func(core.Message) { forge() }
		f.mu.Unlock()
		forge()
		if k := f.s.Kits()[0]; k.State == "ready" || k.Address != "" || k.MAC != "" || k.Version != "1.0.0" || k.Waiting {
			t.Errorf("it is believed: %+v", k)
		}
		if f.s.joined("kit-1", time.Time{}) {
			t.Error("it joined")
		}
		if err := f.s.Update(t.Context(), []topic.Name{"b/r/kit-1"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if r := f.s.Rollout(); r.Stopped.Format == "" || r.Next != 0 {
			t.Errorf("the update is believed: %+v", r)
		}
		if err := f.s.Rotate(t.Context(), "b/r/kit-1"); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("a secret was taken: %v", err)
		}
	})
}

// TestAnotherMAC: what a kit tells over the network does not make it another board.
func TestAnotherMAC(t *testing.T) {
	f := newFleet(t, noImages{}, "b/r/kit-1")
	f.s.kits["kit-1"].MAC = "5c:cf:7f:01:02:03"
	f.tell("b/r/kit-1/$info", `{"fw":"1.0.0","image":"wifi","ip":"1.2.3.4","mac":"66:66:66:66:66:66"}`)
	if k := f.s.Kits()[0]; k.MAC != "5c:cf:7f:01:02:03" || k.Address != "1.2.3.4" {
		t.Errorf("%+v", k)
	}
}

// TestMissed: a kit that was not there when the plan changed gets that when it is
// back; one that does not want it is not asked for ever.
func TestMissed(t *testing.T) {
	for _, c := range []struct {
		what, answer string
		asked        int
	}{{"silent", "", 2}, {"unwilling", "settings bad", 1}} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const kit = topic.Name("b/r/kit-1")
				f := newFleet(t, noImages{}, kit)
				f.run(t)
				f.tell(kit+"/$state", "ready")
				f.mu.Lock()
				f.want[kit] = wire.Settings{Name: string(kit), Role: core.ButtonKit, Label: "new"}
				f.react = func(core.Message) {
					if c.answer != "" {
						f.tell(kit+"/$told", c.answer)
					}
				}
				f.mu.Unlock()
				f.s.compare()
				time.Sleep(time.Minute)
				if got := f.asked(); len(got) != 1 {
					t.Fatalf("it was asked %q", got)
				}
				f.tell(kit+"/$state", "lost")
				time.Sleep(time.Hour)
				f.tell(kit+"/$state", "ready")
				time.Sleep(time.Minute)
				if got := f.asked(); len(got) != c.asked {
					t.Errorf("back, it was asked %q", got)
				}
			})
		})
	}
}

// TestCalled: a kit that was moved while it was away is known by its old name, unless
// that is somebody else's now.
func TestCalled(t *testing.T) {
	f := newFleet(t, noImages{}, "b/r/kit-1", "b/r/kit-2")
	f.s.kits["kit-1"].Called, f.s.kits["kit-2"].Called = "b/old/kit-1", "b/r/kit-1"
	if got := f.s.Called(); len(got) != 1 || got["kit-1"] != "b/old/kit-1" {
		t.Errorf("%v", got)
	}
}

// TestMoved: a kit that was told another address than this PC has now is told the new
// one where that can be, once; else a person is told.
func TestMoved(t *testing.T) {
	const kit, was, is, home = topic.Name("b/r/kit-1"), "192.168.1.20", "192.168.1.77", "homeroom-1a2b3c.local"
	at := func(hosts ...string) Broker {
		return Broker{Host: hosts[0], Hosts: append(hosts, "localhost"), Port: 1883, TLSPort: 8883, Page: hosts[0] + ":8080"}
	}
	other := at(was)
	other.Port = 1884
	named := func(b Broker) Broker {
		b.Home = home
		return b
	}
	noTLS := at(is)
	noTLS.TLSPort = 0
	for _, c := range []struct {
		what  string
		now   Broker
		tls   bool
		link  string
		state string
		asked int
		says  string
	}{
		{"the same", at(was), false, linkWiFi, "", 0, ""},
		{"the second of two", at(is, was), false, linkWiFi, "ready", 0, ""},
		{"another, and it is away", at(is), false, linkWiFi, "", 0, "give the PC its old address 192.168.1.20."},
		{"another, and it is there", at(is), false, linkWiFi, "ready", 1, ""},
		{"another port", other, false, linkWiFi, "", 0, "choose the port 1883 again"},
		{"over TLS", at(is), true, linkWiFi, "ready", 1, ""},
		{"TLS that is switched off", noTLS, true, linkWiFi, "ready", 0, ""},
		{"no network", at("localhost"), false, linkWiFi, "", 0, ""},
		{"another, and it looks for the name", named(at(is)), false, linkWiFi, "", 0, "should be back within two minutes. If it does not come, plug it in here, or give the PC its old address 192.168.1.20."},
		{"another, and it came by the name", named(at(is)), false, linkWiFi, "ready", 1, ""},
		{"another port, which the name does not tell", named(other), false, linkWiFi, "", 0, "choose the port 1883 again"},
		{"the same, named", named(at(was)), false, linkWiFi, "ready", 0, ""},
		{"on the cable", at(is), false, linkCable, "", 0, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, noImages{}, kit)
				f.s.cfg.Broker = func() Broker { return c.now }
				k := f.s.kits["kit-1"]
				k.told(wire.Settings{BrokerHost: was, BrokerPort: 1883, Home: c.now.Home})
				if c.tls {
					k.told(wire.Settings{BrokerHost: was, BrokerPort: 8883, TLSKey: []byte{1}})
				}
				k.Link = c.link
				f.mu.Lock()
				f.react = func(core.Message) { f.tell(kit+"/$told", "settings ok 5 00000000") }
				f.mu.Unlock()
				f.run(t)
				if c.state != "" {
					f.tell(kit+"/$state", c.state)
				}
				time.Sleep(2 * time.Minute)
				f.mu.Lock()
				sent := f.sent
				f.mu.Unlock()
				if len(sent) != c.asked {
					t.Fatalf("it was asked %q", f.asked())
				}
				if c.asked > 0 {
					change, _ := bytes.CutPrefix(sent[0].Payload, []byte("settings "))
					got, err := wire.Settings{Name: string(kit)}.Apply(change)
					want := wire.Settings{Name: string(kit), BrokerHost: is, BrokerPort: 1883, Page: is + ":8080", Home: c.now.Home}
					if c.tls {
						want.BrokerPort = 8883
					}
					if err != nil || got.CRC() != want.CRC() {
						t.Errorf("%v: it was told %v", err, got)
					}
					if sent[0].To != 7 {
						t.Error("everybody hears it")
					}
				}
				if say := f.s.Kits()[0].Problem; !strings.Contains(say.String(), c.says) || (say.Format != "") != (c.says != "") {
					t.Errorf("it says %q", say)
				}
			})
		})
	}
}

// TestMovedBack: a kit that does not reach this PC at its new address goes back, which
// is told, and it is not sent there again.
func TestMovedBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const kit = topic.Name("b/r/kit-1")
		f := newFleet(t, noImages{}, kit)
		f.s.cfg.Broker = func() Broker { return Broker{Host: "10.0.0.9", Hosts: []string{"10.0.0.9"}, Port: 1883} }
		f.s.kits["kit-1"].told(wire.Settings{BrokerHost: "10.0.0.2", BrokerPort: 1883})
		f.mu.Lock()
		f.react = func(core.Message) {
			f.tell(kit+"/$told", "settings ok 5 00000000")
			time.Sleep(time.Minute)
			f.tell(kit+"/$state", "ready")
			f.tell(kit+"/$info", `{"fw":"1.0.0","image":"wifi","ip":"10.0.0.31","seq":4}`)
		}
		f.mu.Unlock()
		f.run(t)
		f.tell(kit+"/$state", "ready")
		time.Sleep(10 * time.Minute)
		if got := f.asked(); len(got) != 1 {
			t.Errorf("it was asked %q", got)
		}
		f.tell(kit+"/$state", "lost")
		if k := f.s.Kits()[0]; !strings.Contains(k.Problem.String(), "10.0.0.2") {
			t.Errorf("it says %q", k.Problem)
		}
		time.Sleep(20 * time.Second)
		f.store.mu.Lock()
		defer f.store.mu.Unlock()
		if k := f.store.kits["kit-1"]; k.Host != "10.0.0.2" || k.Port != 1883 {
			t.Errorf("%+v is kept", k)
		}
	})
}

// TestHome: a kit that does not know the name of this PC is told it when it comes, once,
// and not at its work, on the bench or on the cable; one that goes back is not asked
// again, and one with new firmware is.
func TestHome(t *testing.T) {
	const place, home = topic.Name("b/r/kit-1"), "homeroom-1a2b3c.local"
	for _, c := range []struct {
		what   string
		change func(k *kit)
		home   string // of this PC
		answer string
		before time.Duration // it comes
		comes  int
		asked  int
		has    string
	}{
		{"it comes", nil, home, "settings ok 5 00000000", 0, 3, 1, home},
		{"it comes, and is deaf", nil, home, "", 0, 3, 3, ""},
		{"it does not want it", nil, home, "settings bad", 0, 1, 1, ""},
		{"it has it", func(k *kit) { k.Home = home }, home, "settings ok 5 00000000", 0, 2, 0, home},
		{"it has another", func(k *kit) { k.Home = "homeroom-000000.local" }, home, "settings ok 5 00000000", 0, 2, 1, home},
		{"this PC has none", func(k *kit) { k.Home = home }, "", "settings ok 5 00000000", 0, 2, 0, home},
		{"the PC got it while it worked", nil, home, "settings ok 5 00000000", time.Hour, 1, 0, ""},
		{"on the cable", func(k *kit) { k.Link = linkCable }, home, "settings ok 5 00000000", 0, 2, 0, ""},
		{"on the bench", func(k *kit) { k.port = "COM3" }, home, "settings ok 5 00000000", 0, 2, 0, ""},
		{"in its update", func(k *kit) { k.doing = core.Say("It gets version {version}.") }, home, "settings ok 5 00000000", 0, 2, 0, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, noImages{}, place)
				began := time.Now()
				f.s.cfg.Broker = func() Broker {
					b := Broker{Host: "10.0.0.2", Hosts: []string{"10.0.0.2"}, Port: 1883}
					if time.Since(began) >= c.before {
						b.Home = c.home
					}
					return b
				}
				k := f.s.kits["kit-1"]
				k.told(wire.Settings{BrokerHost: "10.0.0.2", BrokerPort: 1883})
				if c.change != nil {
					c.change(k)
				}
				f.mu.Lock()
				f.react = func(core.Message) {
					if c.answer != "" {
						f.tell(place+"/$told", c.answer)
					}
				}
				f.mu.Unlock()
				f.run(t)
				for range c.comes {
					f.tell(place+"/$state", "ready")
					time.Sleep(2*time.Minute + c.before)
					f.tell(place+"/$state", "lost")
				}
				f.mu.Lock()
				sent := f.sent
				f.mu.Unlock()
				if len(sent) != c.asked {
					t.Fatalf("it was asked %q", f.asked())
				}
				if c.asked > 0 {
					change, _ := bytes.CutPrefix(sent[0].Payload, []byte("settings "))
					got, err := wire.Settings{Name: string(place), BrokerHost: "10.0.0.2"}.Apply(change)
					if want := (wire.Settings{Name: string(place), BrokerHost: "10.0.0.2", Home: home}); err != nil || got.CRC() != want.CRC() {
						t.Errorf("%v: it was told %v", err, got)
					}
				}
				f.s.mu.Lock()
				defer f.s.mu.Unlock()
				if k.Home != c.has {
					t.Errorf("it looks for %q; want %q", k.Home, c.has)
				}
			})
		})
	}
}

// TestSetupHome: what is set up for the Wi-Fi knows the name of this PC; on the cable
// there is no use for it.
func TestSetupHome(t *testing.T) {
	const home = "homeroom-1a2b3c.local"
	f := newFleet(t, noImages{}, "b/r/kit-1")
	f.s.cfg.Broker = func() Broker { return Broker{Host: "10.0.0.2", Port: 1883, Page: "10.0.0.2:8080", Home: home} }
	p := wire.Settings{Name: "b/r/kit-1", Role: core.ButtonKit, Account: "kit-1", Secret: "secret"}
	for _, c := range []struct {
		order core.SetupOrder
		want  string
	}{{core.SetupOrder{Network: "class"}, home}, {core.SetupOrder{Cable: true}, ""}} {
		if got, err := f.s.complete(p, c.order, ""); err != nil || got.Home != c.want {
			t.Errorf("%+v: it looks for %q, %v; want %q", c.order, got.Home, err, c.want)
		}
	}
}

// TestKeyringLate: a keyring that waits for a person holds nobody up for long, and is
// asked again once it answered.
func TestKeyringLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keyrings{memory: map[string]string{}}
		began := time.Now()
		_, err := k.ask(func() (string, error) { time.Sleep(time.Minute); return "", nil })
		if !errors.Is(err, errSlow) || time.Since(began) > keyringWait {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if _, err := k.ask(func() (string, error) { t.Error("it is asked meanwhile"); return "", nil }); !errors.Is(err, errSlow) {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if s, err := k.ask(func() (string, error) { return "key", nil }); s != "key" || err != nil {
			t.Errorf("unlocked: %q, %v", s, err)
		}
	})
}

// TestKeyless: a network whose key is remembered and cannot be had is no open one, and
// a name is not kept without its key.
func TestKeyless(t *testing.T) {
	f := newFleet(t, noImages{}, "b/r/kit-1") // its keyring is broken, and its store knows no networks
	if err := f.s.remember(t.Context(), "class", testPMK); err != nil {
		t.Error(err)
	}
	f.s.cfg.Keys = &keyrings{memory: map[string]string{}, broken: true} // the next program
	if err := f.s.Configure(t.Context(), "b/r/kit-1", core.SetupOrder{Network: "class"}); !errors.Is(err, core.ErrInvalid) || !strings.Contains(err.Error(), "asks for a key") {
		t.Errorf("without its key: %v", err)
	}
	f.s.networks["5G"] = sighting{core.Network{Name: "5G", Unfit: true}, time.Now()}
	if err := f.s.Configure(t.Context(), "b/r/kit-1", core.SetupOrder{Network: "5G", Key: "12345678"}); !errors.Is(err, core.ErrInvalid) {
		t.Errorf("a network that it cannot join: %v", err)
	}
	if got := f.asked(); got != nil {
		t.Errorf("it was asked %q", got)
	}
}

// TestLongDesign: what a kit cannot take over the network is told before anything of
// it is sent.
func TestLongDesign(t *testing.T) {
	f := newFleet(t, noImages{}, "b/r/kit-1")
	w := wire.Settings{Name: "b/r/kit-1", Role: core.AllKit}
	for i := range wire.MaxPorts {
		w.Ports = append(w.Ports, wire.Port{Slot: fmt.Sprint("part-", i), Topic: strings.Repeat("t", wire.MaxTopic), Yes: strings.Repeat("y", wire.MaxWord), No: strings.Repeat("n", wire.MaxWord)})
	}
	f.want["b/r/kit-1"] = w
	f.react = func(m core.Message) {
		if len(m.Payload) > wire.MaxSettings {
			t.Errorf("it is sent %d bytes", len(m.Payload))
		}
		f.tell("b/r/kit-1/$told", "settings ok 4")
	}
	if err := f.s.Send(t.Context(), "b/r/kit-1"); err != nil {
		t.Errorf("the longest design that a board has room for: %v", err)
	}
	before := len(f.asked())
	w.Ports = append(w.Ports, w.Ports[0])
	f.want["b/r/kit-1"] = w
	if err := f.s.Send(t.Context(), "b/r/kit-1"); !errors.Is(err, core.ErrInvalid) || !strings.Contains(err.Error(), "room for 8") {
		t.Errorf("it says %v", err)
	}
	if got := f.asked(); len(got) != before || before != 1 {
		t.Errorf("it was asked %q", got)
	}
}

// TestOneKitTwice: of two people who make the same kit of two boards at once, one is
// told of the other.
func TestOneKitTwice(t *testing.T) {
	f := newFleet(t, noImages{})
	const most = 8
	for id := range int64(most) {
		f.s.jobs[id] = &job{Setup: core.Setup{ID: id, Port: fmt.Sprint("COM", id), Firmware: "Homeroom 1.0.0"}}
	}
	var all sync.WaitGroup
	errs := make([]error, most)
	for id := range most {
		all.Go(func() {
			errs[id] = f.s.Order(t.Context(), int64(id), core.SetupOrder{Kit: "b/r/kit-1", Role: core.ButtonKit, Network: "class", Key: "correct horse"})
		})
	}
	all.Wait()
	took := 0
	for _, err := range errs {
		if err == nil {
			took++
		} else if !errors.Is(err, core.ErrConflict) {
			t.Error(err)
		}
	}
	if took != 1 {
		t.Errorf("%d boards become one kit", took)
	}
}

// bench is a PC whose ports a test plugs in and pulls out.
type bench struct {
	mu    sync.Mutex
	ports map[string]*noise // guarded by mu
	fails int               // guarded by mu; opens that still fail
	opens []time.Time       // guarded by mu
	hang  chan struct{}     // an open waits until it is closed
}

func (b *bench) List() (all []core.SerialPort, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := range b.ports {
		all = append(all, core.SerialPort{Name: name, Title: "CH340", Likely: !strings.HasPrefix(name, "tty")})
	}
	return all, nil
}

func (b *bench) Open(name string) (line.Port, error) {
	if b.hang != nil {
		<-b.hang
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opens = append(b.opens, time.Now())
	p := b.ports[name]
	switch {
	case b.fails > 0:
		b.fails--
		return nil, core.Fail(core.ErrDenied, "Not yet.")
	case p == nil:
		return nil, core.Fail(core.ErrNotFound, "No port.")
	}
	return p, nil
}

func (*bench) Advice([]core.SerialPort) []core.Sentence { return nil }

// noise is a port of something that is no kit: it says the same again and again.
type noise struct {
	says  []byte // nothing where it is empty
	every time.Duration
	gone  chan struct{} // closed when it is unplugged
	lines int           // changes of DTR and RTS
	wrote int
	mu    sync.Mutex
}

func (n *noise) Read(p []byte) (int, error) {
	select {
	case <-n.gone:
		return 0, line.ErrGone
	case <-time.After(n.every):
		return copy(p, n.says), nil
	}
}

func (n *noise) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wrote += len(p)
	return len(p), nil
}

func (n *noise) Close() error                       { return nil }
func (n *noise) SetReadTimeout(time.Duration) error { return nil }
func (n *noise) SetBaud(int) error                  { return nil }
func (n *noise) Discard() error                     { return nil }
func (n *noise) SetDTR(on bool) error               { return n.SetRTS(on) }
func (n *noise) SetRTS(bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines++
	return nil
}

// TestManyPorts: twenty devices that are no kits are each asked once, briefly, and not
// reset; those that no kit is on are not opened at all.
func TestManyPorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{ports: map[string]*noise{}}
		for i := range 20 {
			b.ports[fmt.Sprint("COM", i)] = &noise{every: 200 * time.Millisecond, gone: make(chan struct{})}
			b.ports[fmt.Sprint("ttyS", i)] = &noise{every: 200 * time.Millisecond, gone: make(chan struct{})}
		}
		f := newFleet(t, noImages{})
		f.s.cfg.Lines = b
		f.run(t)
		time.Sleep(time.Hour)
		if n := len(f.s.Ports().All); n != 40 {
			t.Errorf("%d ports", n)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.opens) != 20 || b.opens[19].Sub(b.opens[0]) > time.Second {
			t.Errorf("%d were opened, at %v", len(b.opens), b.opens)
		}
		for name, p := range b.ports {
			if p.lines > 0 || p.wrote > 64 || strings.HasPrefix(name, "tty") && p.wrote > 0 {
				t.Errorf("%s got %d bytes and %d resets", name, p.wrote, p.lines)
			}
		}
	})
}

// TestRightComesLate: a board that the system lets us open only a moment after it was
// plugged in is met within two seconds; one that never opens is let be.
func TestRightComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{ports: map[string]*noise{}, fails: 1 << 30}
		f := newFleet(t, noImages{})
		f.s.cfg.Lines = b
		f.run(t)
		time.Sleep(time.Minute)
		b.mu.Lock()
		b.ports["COM1"] = &noise{every: 200 * time.Millisecond, gone: make(chan struct{})}
		b.mu.Unlock()
		plugged := time.Now()
		time.Sleep(2 * time.Second)
		b.mu.Lock()
		if n := len(b.opens); n < 4 {
			t.Errorf("it was tried %d times in two seconds", n)
		}
		b.opens = nil
		b.mu.Unlock()
		time.Sleep(time.Minute)
		b.mu.Lock()
		defer b.mu.Unlock()
		if n := len(b.opens); n > 35 {
			t.Errorf("it was tried %d times in the minute after %s", n, plugged)
		}
	})
}

// TestFlood: a port that floods garbage fills no memory, and a setup on it ends in a
// sentence.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{ports: map[string]*noise{}}
		b.ports["COM1"] = &noise{says: []byte("\x1eH\x01\x01\xff\xffgarbage\n\x1eIMPROV\x01\nok\n"), every: 2 * time.Millisecond, gone: make(chan struct{})}
		f := newFleet(t, noImages{})
		f.s.cfg.Lines = b
		f.run(t)
		time.Sleep(time.Second)
		for range 40 {
			lines, _ := f.s.Console("COM1")
			if len(lines) > consoleMost {
				t.Fatalf("%d lines", len(lines))
			}
			time.Sleep(100 * time.Millisecond)
		}
		if lines, open := f.s.Console("COM1"); len(lines) < 100 || !open {
			t.Errorf("the console has %d lines, open %v", len(lines), open)
		}
		id, err := f.s.Begin(t.Context(), "COM1")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		all := f.s.Setups()
		if len(all) != 1 || all[0].Running || all[0].Problem.Format == "" || len(all[0].Log) > logMost {
			t.Errorf("%+v", all)
		}
		if err := f.s.Close(id); err != nil {
			t.Error(err)
		}
	})
}

// TestDriverHangs: a driver that does not come back from opening a port keeps neither
// a person from stopping nor the program from ending.
func TestDriverHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{ports: map[string]*noise{"COM1": {gone: make(chan struct{})}}, hang: make(chan struct{})}
		f := newFleet(t, noImages{})
		f.s.cfg.Lines = b
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.s.Run(ctx) }()
		time.Sleep(time.Second)
		id, err := f.s.Begin(t.Context(), "COM1")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := f.s.Stop(id); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if s := f.s.Setups()[0]; s.Running {
			t.Errorf("it does not stop: %+v", s)
		}
		began := time.Now()
		cancel()
		if err := <-done; err != nil || time.Since(began) > endFor {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		close(b.hang) // it comes back at last
		synctest.Wait()
	})
}

// TestMonkey: whatever is done with setups and ports, by many at once, the service
// ends, and nothing of it is left.
func TestMonkey(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			b := &bench{ports: map[string]*noise{}}
			f := newFleet(t, wifiImage{}, "b/r/kit-1", "b/r/kit-2")
			f.s.cfg.Lines = b
			f.store.made = []Made{}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- f.s.Run(ctx) }()
			var monkeys sync.WaitGroup
			for m := range uint64(6) {
				monkeys.Go(func() {
					r := rand.New(rand.NewPCG(seed, m))
					for range 120 {
						time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
						f.climb(t, r, b)
					}
				})
			}
			time.Sleep(30 * time.Second)
			if seed == 2 { // the program ends while they are at it
				cancel()
			}
			monkeys.Wait()
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			f.s.mu.Lock()
			defer f.s.mu.Unlock()
			for _, j := range f.s.jobs {
				if j.cancel != nil || j.Running {
					t.Errorf("setup %d still runs", j.ID)
				}
			}
			if len(f.s.jobs) > maxSetups || len(f.s.made) > shownMade || len(f.s.heard) > 0 {
				t.Errorf("%d setups, %d made, %d heard", len(f.s.jobs), len(f.s.made), len(f.s.heard))
			}
		})
	}
}

// climb does one thing, and does not care how that ends.
func (f *fleet) climb(t *testing.T, r *rand.Rand, b *bench) {
	ctx, s := t.Context(), f.s
	port, id := fmt.Sprint("COM", r.IntN(4)), int64(1+r.IntN(30))
	kit := topic.Name(fmt.Sprint("b/r/kit-", 1+r.IntN(3)))
	switch r.IntN(14) {
	case 0, 1:
		b.mu.Lock()
		if p := b.ports[port]; p != nil {
			close(p.gone)
			delete(b.ports, port)
		} else {
			b.ports[port] = &noise{says: []byte("ets Jan  8 2013,rst cause:2\n"), every: 50 * time.Millisecond, gone: make(chan struct{})}
		}
		b.mu.Unlock()
	case 2, 3, 4:
		_, _ = s.Begin(ctx, port)
	case 5:
		_ = s.Order(ctx, id, core.SetupOrder{Kit: kit, Role: core.ButtonKit, Image: "wifi", Cable: true})
	case 6, 7:
		_ = s.Start(ctx, id, core.SetupSteps[r.IntN(len(core.SetupSteps))])
	case 8:
		_ = s.Stop(id)
	case 9:
		_ = s.Close(id)
	case 10:
		_, _ = s.Console(port)
		_ = s.Type(ctx, port, "help")
	case 11:
		_ = s.Locate(ctx, kit, 1)
		s.compare()
	case 12:
		f.tell(kit+"/$state", []string{"ready", "lost"}[r.IntN(2)])
		_ = s.Update(ctx, []topic.Name{kit})
	default:
		_, _, _, _ = s.Setups(), s.Ports(), s.Kits(), s.Networks()
		_ = s.Look(ctx, id)
		s.StopRollout()
	}
}

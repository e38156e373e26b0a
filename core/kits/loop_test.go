package kits_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits/chip"
	"homeroom/core/topic"
)

// TestLoop: a board from its bag becomes a kit that has joined and passed its test,
// and the store knows it afterwards.
func TestLoop(t *testing.T) {
	t.Parallel()
	l := newLab(t, bundle{"wifi": image("wifi", "1.0.0"), "wired": image("wired", "1.0.0")})
	b, h := l.board(1, chip.Options{})
	id := l.begin("/dev/ttyUSB0", b)
	s := l.rest(id)
	if s.Step != core.StepKit || s.Chip.MAC != "5c:cf:7f:01:02:01" || s.Chip.FlashSize != 4<<20 || s.Firmware != "" || s.Problem.Format != "" {
		t.Fatalf("the board was read as %+v", s)
	}
	const kit = topic.Name("blue/lab/kit-1")
	l.ok(l.s.Order(t.Context(), id, core.SetupOrder{Kit: kit, Role: core.AllKit, Image: "wifi", Network: network, Key: password, Remember: true}))
	l.ok(l.s.Start(t.Context(), id, core.StepKit))
	l.until("the test", func() bool { s := l.setup(id); return s.Step == core.StepTest && len(s.Tests) == 4 || !s.Running })
	if s := l.setup(id); !s.Running {
		t.Fatalf("it stopped: %s %s\n%s", s.Step, s.Problem, strings.Join(s.Log, "\n"))
	}
	if got := l.last(kit + "/$state"); got != "ready" {
		t.Errorf("joined, and $state is %q", got)
	}
	l.ok(h.Press("button"))
	l.until("the button", func() bool { return l.setup(id).Tests[0].Tried })
	l.ok(h.Release("button"))
	l.ok(h.Analog(100))
	l.until("it to be dark", func() bool { return l.setup(id).Tests[2].Value != "" })
	l.ok(h.Analog(900))
	l.ok(h.Presence(true))
	l.until("the sensors", func() bool { s := l.setup(id); return s.Tests[2].Passed && s.Tests[3].Passed })
	l.until("the lamp to blink", func() bool { on, known := h.Output(5); return known && on })
	l.ok(l.s.Judge(t.Context(), id, "led", true))
	s = l.rest(id)
	if !s.Passed || s.Step != core.StepCard || s.Ended.IsZero() || s.Firmware != "Homeroom 1.0.0 (Wi-Fi)" {
		t.Fatalf("at the end %+v", s)
	}

	var kits []core.RealKit
	l.until("what the kit tells", func() bool {
		kits = l.s.Kits()
		return len(kits) == 1 && kits[0].Version == "1.0.0" && kits[0].Heap > 0
	})
	if k := kits[0]; k.Link != "wifi" || k.State != "ready" || k.MAC != s.Chip.MAC || k.Waiting || k.Since.IsZero() || k.Newer != "" {
		t.Errorf("the kit is %+v", k)
	}
	if n := l.s.Networks(); len(n) != 1 || !n[0].Known || l.keys.Get(network) == password {
		t.Errorf("networks %+v, keyring %q", n, l.keys.Get(network))
	}
	made := l.s.Made()
	if len(made) != 1 || !made[0].Passed || made[0].Order.Kit != kit {
		t.Errorf("made %+v", made)
	}
	var out bytes.Buffer
	l.ok(l.s.WriteMade(t.Context(), &out))
	if want := ",blue/lab/kit-1,blue-lab-kit-1,blue,lab,5c:cf:7f:01:02:01,ESP8266EX,wifi,1.0.0,ok\n"; !strings.Contains(out.String(), want) {
		t.Errorf("wrote %q, want %q", out.String(), want)
	}
	for _, line := range s.Log {
		if strings.Contains(line, password) || strings.Contains(line, l.keys.Get(network)) || strings.Contains(line, "secret-") {
			t.Errorf("the log tells %q", line)
		}
	}
	l.ok(l.s.Close(id))
	l.stop()
}

// TestCable: a kit on the cable is on the broker soon after it was plugged in, with
// its own account, and its will is published when it is pulled out. It comes back on
// another port.
func TestCable(t *testing.T) {
	t.Parallel()
	l := newLab(t, bundle{"wired": image("wired", "1.0.0")})
	b, h := l.board(2, chip.Options{})
	id := l.begin("/dev/ttyUSB0", b)
	l.rest(id)
	const kit = topic.Name("blue/lab/kit-2")
	l.ok(l.s.Order(t.Context(), id, core.SetupOrder{Kit: kit, Role: core.ButtonKit, Image: "wired", Cable: true}))
	l.ok(l.s.Start(t.Context(), id, core.StepKit))
	l.until("the test", func() bool { s := l.setup(id); return s.Step == core.StepTest && len(s.Tests) == 1 || !s.Running })
	l.ok(h.Press("button"))
	if s := l.rest(id); !s.Passed {
		t.Fatalf("%s: %s\n%s", s.Step, s.Problem, strings.Join(s.Log, "\n"))
	}
	opened := l.pc.opened("/dev/ttyUSB0")
	l.ok(l.s.Close(id))
	time.Sleep(time.Second)
	if got := l.last(kit + "/$state"); got != "ready" || l.pc.opened("/dev/ttyUSB0") != opened {
		t.Errorf("after the setup was closed $state is %q, and the port was opened %d times more", got, l.pc.opened("/dev/ttyUSB0")-opened)
	}
	l.pc.unplug("/dev/ttyUSB0")
	l.until("the will", func() bool { return l.last(kit+"/$state") == "lost" })
	b.Replug()
	l.pc.plug("/dev/ttyUSB1", b)
	l.until("the kit to be back", func() bool { return l.last(kit+"/$state") == "ready" })
	var ports core.Ports
	l.until("its port", func() bool { ports = l.s.Ports(); return len(ports.All) == 1 && ports.All[0].Kit == kit })
	if ports.All[0].Since.IsZero() {
		t.Error("the port is not new")
	}
	if k := l.s.Kits(); len(k) != 1 || k[0].Link != "cable" || k[0].Address != "/dev/ttyUSB1" {
		t.Errorf("the kit is %+v", k)
	}
	l.ok(l.s.Locate(t.Context(), kit, 1))
	lines, open := l.s.Console("/dev/ttyUSB1")
	if !open {
		t.Errorf("the console is closed: %q", lines)
	}
	l.ok(l.s.Type(t.Context(), "/dev/ttyUSB1", "info"))
	l.until("what it says to info", func() bool {
		lines, _ := l.s.Console("/dev/ttyUSB1")
		return strings.Contains(strings.Join(lines, "\n"), "1.0.0")
	})
}

// TestNetworkLater: a board whose network is not known shows which it sees, and gets
// one without being flashed again; a wrong key and a network that is not there are
// told as such.
func TestNetworkLater(t *testing.T) {
	t.Parallel()
	l := newLab(t, bundle{"wifi": image("wifi", "1.0.0")})
	b, h := l.board(3, chip.Options{})
	l.ok(h.Network("uni", "", 1, 5, -40))
	id := l.begin("/dev/ttyUSB0", b)
	l.rest(id)
	o := core.SetupOrder{Kit: "blue/lab/kit-3", Role: core.ButtonKit, Image: "wifi"}
	l.ok(l.s.Order(t.Context(), id, o))
	l.ok(l.s.Start(t.Context(), id, core.StepKit))
	s := l.rest(id)
	if s.Step != core.StepNetwork || len(s.Networks) != 2 || s.Problem.Format != "" || s.Networks[0].Name != "uni" || !s.Networks[0].Enterprise {
		t.Fatalf("it asks with %+v", s)
	}
	flashed := b.Count(0x02) + b.Count(0x10)

	o.Network = "uni"
	if err := l.s.Order(t.Context(), id, o); !errors.Is(err, core.ErrInvalid) || !strings.Contains(err.Error(), "802.1X") {
		t.Errorf("a network with user names: %v", err)
	}
	o.Network, o.Key = "nowhere", password
	l.ok(l.s.Order(t.Context(), id, o))
	l.ok(l.s.Start(t.Context(), id, core.StepNetwork))
	if s = l.rest(id); s.Step != core.StepNetwork || !strings.Contains(s.Problem.String(), "The kit sees uni, class and not nowhere") {
		t.Fatalf("a network that is not there: %s %q\n%s", s.Step, s.Problem, strings.Join(s.Log, "\n"))
	}
	o.Network, o.Key = network, "wrong key"
	l.ok(l.s.Order(t.Context(), id, o))
	l.ok(l.s.Start(t.Context(), id, core.StepNetwork))
	if s = l.rest(id); s.Step != core.StepNetwork || !strings.Contains(s.Problem.String(), "Wi-Fi key") {
		t.Fatalf("a wrong key: %s %q\n%s", s.Step, s.Problem, strings.Join(s.Log, "\n"))
	}
	o.Key = password
	l.ok(l.s.Order(t.Context(), id, o))
	l.ok(l.s.Start(t.Context(), id, core.StepNetwork))
	l.until("the test", func() bool { s := l.setup(id); return s.Step == core.StepTest || !s.Running })
	if s = l.setup(id); !s.Running {
		t.Fatalf("%s: %s\n%s", s.Step, s.Problem, strings.Join(s.Log, "\n"))
	}
	if n := b.Count(0x02) + b.Count(0x10); n != flashed {
		t.Errorf("it was flashed again")
	}
	l.ok(l.s.Stop(id))
	if s = l.rest(id); s.Problem.Format != "" || s.Step != core.StepTest {
		t.Errorf("stopped: %+v", s)
	}
}

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"homeroom/core"
	"homeroom/core/kits/chip"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
	"homeroom/core/trust"
)

// bearSSL are the arguments with which g++ builds firmware/host with the TLS of the
// board; none where the library is not there.
var bearSSL = sync.OnceValue(func() []string {
	find := exec.Command("g++", "-E", "-xc++", "-")
	find.Stdin = strings.NewReader("#include <bearssl.h>\n")
	if find.Run() != nil {
		return nil
	}
	return []string{"-DKIT_TLS", "-lbearssl"}
})

// boardProgram is the firmware of the board itself, on a stand-in of its Arduino core.
var boardProgram = sync.OnceValues(func() (string, error) {
	return buildKit("firmware/host/arduino/kit.cpp", "firmware/host/arduino/pc.cpp", "firmware/kit/src/hal_esp8266.cpp", "firmware/kit/src/mark.cpp")
})

// needBearSSL skips a test where a kit cannot speak TLS on this PC.
func needBearSSL(t *testing.T) {
	t.Helper()
	if len(bearSSL()) > 0 {
		return
	}
	const why = "BearSSL is missing (libbearssl-dev): make deps installs it"
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// TestSecureKits: what kits on Wi-Fi do, they do over TLS: a press lights the LED of
// another, the plan's changes reach them, also long ones, and new firmware. The one with
// the button runs hal_esp8266.cpp.
func TestSecureKits(t *testing.T) {
	t.Parallel()
	needBearSSL(t)
	p, d := workshop(t)
	ctx := t.Context()
	old, err := p.kits.AddImage(ctx, "old.bin", bytes.NewReader(standIn("wifi", "1.0.0")))
	must(t, err)
	var button, led core.Place
	for _, k := range p.plan.Design().Places {
		switch {
		case k.Kind == core.KitPlace && k.Ports[0].Slot == "button":
			button = *k
		case k.Kind == core.KitPlace && k.Ports[0].Slot == "led":
			led = *k
		}
	}
	d.build = boardProgram
	presses := p.make(t, d, "COM3", core.SetupOrder{Kit: button.Name, Image: old.ID, Network: "Lab", Key: "correct horse", TLS: true})
	d.build = nil
	d.args = []string{"--receive", "512"} // the least that BearSSL has, as in many sketches
	lights := p.make(t, d, "COM4", core.SetupOrder{Kit: led.Name, Image: old.ID, Network: "Lab", Key: "correct horse", TLS: true})
	for _, k := range []core.Place{button, led} {
		p.says(t, k.Name+"/$state", "ready")
	}
	must(t, presses.Press("button"))
	eventually(t, "the LED is lit", func() bool { on, known := lights.Output(5); return known && on })
	must(t, presses.Release("button"))
	eventually(t, "the LED is off", func() bool { on, known := lights.Output(5); return known && !on })

	// What is longer than what it takes at once is cut on its way, and passes.
	before := p.session(t, led.Name)
	for _, size := range []int{500, 1000, 1024, 1100, 5000, 60_000} {
		must(t, p.broker.Publish(ctx, core.Message{Topic: led.Ports[0].Topic, Payload: bytes.Repeat([]byte("x"), size), QoS: 1, From: core.Program, Client: "window"}))
	}
	must(t, presses.Press("button"))
	eventually(t, "the LED is lit again", func() bool { on, known := lights.Output(5); return known && on })
	if now := p.session(t, led.Name); now != before {
		t.Errorf("long messages ended its connection: it is there since %v, was since %v", now, before)
	}

	teacher, _ := p.accountID("teacher")
	as := core.As(ctx, teacher)
	must(t, p.plan.Change(as, core.Batch{Say: core.Say("hall"), Places: []core.Place{{Name: "blue/hall", Kind: core.RoomPlace}}}))
	const moved = "blue/hall/lamp"
	_, err = p.plan.MoveTopics(as, led.Name, moved, true)
	must(t, err)
	eventually(t, "it has taken its new place over", func() bool { k := p.real(moved); return k.State == "ready" && !k.Waiting && k.Doing.Format == "" })
	was := p.session(t, moved)
	must(t, p.kits.Rotate(ctx, moved))
	eventually(t, "it is back with its new secret", func() bool { now := p.session(t, moved); return now.After(was) })

	newer, err := p.kits.AddImage(ctx, "new.bin", bytes.NewReader(standIn("wifi", "1.1.0")))
	must(t, err)
	eventually(t, "the newer firmware is offered", func() bool { return p.real(moved).Newer == newer.Version })
	must(t, p.kits.Update(ctx, []topic.Name{moved}))
	eventually(t, "the update ends", func() bool { return !p.kits.Rollout().Running })
	if r := p.kits.Rollout(); r.Stopped.Format != "" || r.Next != 1 {
		t.Fatalf("the update stopped: %s", r.Stopped)
	}
	if k := p.real(moved); k.Version != "1.1.0" {
		t.Errorf("after the update it runs %q", k.Version)
	}
	board := d.board["COM4"]
	d.unplug("COM4")
	_, port := splitAddress(p.info.MQTTS)
	if has := onBoard(board); has.BrokerPort != port || !bytes.Equal(has.TLSKey, p.brokerForKits().TLSKey) {
		t.Errorf("at the end it looks for %s:%d with the key %x", has.BrokerHost, has.BrokerPort, has.TLSKey)
	}
}

// onBoard is what a board that is unplugged has to know.
func onBoard(board *chip.Chip) (newest wire.Settings) {
	last := uint32(0)
	for _, at := range []int{wire.SlotA, wire.SlotB} {
		if seq, s, ok := wire.DecodeSlot(board.Flash().Bytes()[at : at+wire.SlotSize]); ok && seq > last {
			last, newest = seq, s
		}
	}
	return newest
}

// TestAnotherKey: a kit that was told another TLS key than the program has is told the
// right one as soon as it is plugged in, and joins.
func TestAnotherKey(t *testing.T) {
	t.Parallel()
	needBearSSL(t)
	p, d := workshop(t)
	image, err := p.kits.AddImage(t.Context(), "kit.bin", bytes.NewReader(standIn("wifi", "1.0.0")))
	must(t, err)
	const kit = "blue/lab/pinned"
	p.make(t, d, "COM3", core.SetupOrder{Kit: kit, Role: core.ButtonKit, Image: image.ID, Network: "Lab", Key: "correct horse", TLS: true})
	eventually(t, "it is there", func() bool { return p.real(kit).State == "ready" })
	if k := p.real(kit); k.Problem.Format != "" {
		t.Errorf("told right, it says: %s", k.Problem)
	}
	right := p.brokerForKits().TLSKey
	board := p.told(t, d, "COM3", kit, func(s *wire.Settings) { s.TLSKey = anotherKey(t) }) // as if another program had set it up
	eventually(t, "it is back", func() bool { return p.real(kit).State == "ready" })
	if k := p.real(kit); k.Problem.Format != "" {
		t.Errorf("back, it says: %s", k.Problem)
	}
	d.unplug("COM3")
	if has := onBoard(board); !bytes.Equal(has.TLSKey, right) {
		t.Errorf("it has the key %x, and the program %x", has.TLSKey, right)
	}
}

// anotherKey is a TLS key that no program has.
func anotherKey(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	must(t, err)
	return der
}

// keptIdentity is where trust.Open finds nothing yet.
type keptIdentity struct{}

func (keptIdentity) Identity(_ context.Context, fresh func() ([]byte, error)) ([]byte, error) {
	return fresh()
}

// TestWrongKeyInSetup: where somebody else answers at the port of TLS, the setup says so
// and does not wait; without TLS the same board joins.
func TestWrongKeyInSetup(t *testing.T) {
	t.Parallel()
	needBearSSL(t)
	p, d := workshopWith(t, func(p *program) { // what kits are told is not what the broker serves with
		other, err := trust.Open(t.Context(), trust.Config{Store: keptIdentity{}, Log: slog.New(slog.DiscardHandler)})
		must(t, err)
		p.trust = other
	})
	ctx := t.Context()
	image, err := p.kits.AddImage(ctx, "kit.bin", bytes.NewReader(standIn("wifi", "1.0.0")))
	must(t, err)
	hands := d.plug("COM3", 3)
	must(t, hands.Network("Lab", "correct horse", 6, 3, -52))
	eventually(t, "the port is seen", func() bool { return len(p.kits.Ports().All) == 1 })
	id, err := p.kits.Begin(ctx, "COM3")
	must(t, err)
	p.waits(t, id, core.StepKit)
	order := core.SetupOrder{Kit: "blue/lab/deceived", Role: core.ButtonKit, Image: image.ID, Network: "Lab", Key: "correct horse", TLS: true}
	must(t, p.kits.Order(ctx, id, order))
	must(t, p.kits.Start(ctx, id, core.StepKit))
	eventually(t, "the setup stops", func() bool { return p.setup(id).Problem.Format != "" })
	if s := p.setup(id); s.Step != core.StepJoin || !strings.Contains(s.Problem.String(), "another key") {
		t.Errorf("at %s it says: %s", s.Step, s.Problem)
	}
	order.TLS = false
	must(t, p.kits.Order(ctx, id, order))
	must(t, p.kits.Start(ctx, id, core.StepFlash))
	eventually(t, "the setup tests", func() bool {
		s := p.setup(id)
		if s.Problem.Format != "" && s.Running {
			t.Fatalf("at %s: %s\n%q", s.Step, s.Problem, s.Log)
		}
		return s.Step == core.StepTest
	})
}

// TestKitProvision: the command line makes a kit of a board beside the program that
// runs, and makes it anew with TLS.
func TestKitProvision(t *testing.T) {
	t.Parallel()
	needBearSSL(t)
	p, d := workshop(t)
	host := d.plug("COM3", 0x21)
	must(t, host.Network("Lab", "correct horse", 6, 3, -50))
	d.mu.Lock()
	board := d.board["COM3"]
	delete(d.board, "COM3") // only the command line has it
	d.mu.Unlock()
	board.Flash().Load(append(standIn("wifi", "1.0.0"), bytes.Repeat([]byte{0xFF}, 4<<20-len(standIn("wifi", "1.0.0")))...))
	port, err := board.PTY(t.Context())
	if err != nil {
		t.Skip("there are no PTYs here:", err)
	}
	board.PressReset(false)
	for _, c := range []struct {
		what, key string
		args      []string
		code      int
		says      string
	}{
		{"a wrong key", "wrong horse", []string{"--broker", p.info.MQTT}, 1, "key"},
		{"without TLS", "correct horse", []string{"--broker", p.info.MQTT}, 0, ""},
		{"with TLS", "correct horse", []string{"--broker", p.info.MQTTS, "--tls"}, 0, ""},
	} {
		var out, errs bytes.Buffer
		args := append([]string{"--data", d.data, "kit", "provision", "--port", port, "--kit", "blue/lab/written", "--role", "button", "--network", "Lab"}, c.args...)
		code := run(t.Context(), args, env{in: strings.NewReader(c.key + "\n"), out: &out, err: &errs})
		if code != c.code || !strings.Contains(errs.String(), c.says) {
			t.Fatalf("%s: exit code %d\n%s%s", c.what, code, &out, &errs)
		}
	}
	p.says(t, "blue/lab/written/$state", "ready")
}

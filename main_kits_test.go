package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits/chip"
	"homeroom/core/kits/line"
	"homeroom/core/plan"
	"homeroom/core/topic"
)

// hostProgram is firmware/host, built once for all tests of this package.
var hostProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "homeroom-host")
	if err != nil {
		return "", err
	}
	sources := []string{"firmware/host/host.cpp", "firmware/host/hal_host.cpp", "firmware/host/digest.cpp"}
	core, err := filepath.Glob("firmware/kit/src/core/*.cpp")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "host")
	out, err := exec.Command("g++", append([]string{"-std=c++17", "-Os", "-o", program}, append(sources, core...)...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return program, nil
})

// desk is emulated boards that are plugged into this PC.
type desk struct {
	t     *testing.T
	mu    sync.Mutex
	board map[string]*chip.Chip // guarded by mu; by port
	hands map[string]*chip.Host // guarded by mu; at the parts of each
}

func (d *desk) List() ([]core.SerialPort, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []core.SerialPort
	for name := range d.board {
		all = append(all, core.SerialPort{Name: name, Title: "CH340", VID: 0x1a86, PID: 0x7523, Likely: true})
	}
	slices.SortFunc(all, func(a, b core.SerialPort) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return all, nil
}

func (d *desk) Open(name string) (line.Port, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b := d.board[name]; b != nil {
		return b.Port(), nil
	}
	return nil, core.Fail(core.ErrNotFound, "no port")
}

func (*desk) Advice([]core.SerialPort) []core.Sentence { return nil }

// plug plugs a new board in and returns the hands at its parts.
func (d *desk) plug(port string, mac byte) *chip.Host {
	d.t.Helper()
	program, err := hostProgram()
	if err != nil {
		if os.Getenv("CI") == "" {
			d.t.Skipf("the kit cannot be built for this PC: %v", err)
		}
		d.t.Fatal(err)
	}
	address := [6]byte{0x5c, 0xcf, 0x7f, 0xaa, 0x00, mac}
	host := chip.NewHost(program, "--mac", fmt.Sprintf("5c:cf:7f:aa:00:%02x", mac))
	board := chip.New(chip.Options{MAC: address, Start: host.Start})
	d.t.Cleanup(func() { _ = board.Close() })
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board[port], d.hands[port] = board, host
	return host
}

// unplug pulls the cable of a board.
func (d *desk) unplug(port string) {
	d.mu.Lock()
	b := d.board[port]
	delete(d.board, port)
	d.mu.Unlock()
	b.Unplug()
}

// standIn is an image as the boot ROM wants it, that says it is Homeroom's. The
// emulated chip runs firmware/host for it: nothing here executes lx106 code.
func standIn(variant, version string) []byte {
	code := make([]byte, 8192)
	copy(code[64:], "@HOMEROOM-FIRMWARE@"+variant+"@"+version+"@")
	image := []byte{0xE9, 1, 2, 0x40}
	image = binary.LittleEndian.AppendUint32(image, 0x40100000)
	image = binary.LittleEndian.AppendUint32(image, 0x40100000)
	image = binary.LittleEndian.AppendUint32(image, uint32(len(code)))
	image = append(image, code...)
	sum := byte(0xEF)
	for _, b := range code {
		sum ^= b
	}
	for len(image)%16 != 15 {
		image = append(image, 0)
	}
	return append(image, sum)
}

// workshop is a program with a desk, a teacher, and the button and LED of the lab drawn for team blue.
func workshop(t *testing.T) (*program, *desk) {
	t.Helper()
	d := &desk{t: t, board: map[string]*chip.Chip{}, hands: map[string]*chip.Host{}}
	ctx, cancel := context.WithCancel(context.Background())
	p, err := open(ctx, env{out: io.Discard, err: os.Stderr, data: filepath.Join(t.TempDir(), "랩 é"), lines: d}, listeners{MQTT: "127.0.0.1:0", MQTTS: "127.0.0.1:0", HTTP: "127.0.0.1:0"})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	enrol(t, p.accounts)
	b, err := plan.FromTemplate("state_led", []topic.Name{"blue"}, p.plan.Design(), plan.Options{})
	must(t, err)
	teacher, _ := p.accountID("teacher")
	must(t, p.plan.Change(core.As(t.Context(), teacher), b))
	return p, d
}

// setup returns a setup as it stands.
func (p *program) setup(id int64) core.Setup {
	for _, s := range p.kits.Setups() {
		if s.ID == id {
			return s
		}
	}
	return core.Setup{}
}

// waits until a setup rests at a step.
func (p *program) waits(t *testing.T, id int64, step core.SetupStep) core.Setup {
	t.Helper()
	eventually(t, "the setup rests at "+string(step), func() bool {
		s := p.setup(id)
		if s.Problem.Format != "" {
			t.Fatalf("at %s: %s\n%q", s.Step, s.Problem, s.Log)
		}
		return s.Step == step && !s.Running
	})
	return p.setup(id)
}

// TestBoardToChart is the loop closed: a blank board is flashed in the setup, starts
// from what is on its flash, finds its network, joins the broker with an account of its
// own, and is tested; its button lights the LED of a second board, and that stands in
// the history. The boards are emulated and run firmware/host.
func TestBoardToChart(t *testing.T) {
	p, d := workshop(t)
	ctx := t.Context()
	image, err := p.kits.AddImage(ctx, "kit.bin", bytes.NewReader(standIn("wifi", "1.0.0")))
	must(t, err)
	var button, led core.Place
	for _, k := range p.plan.Design().Places {
		if k.Kind != core.KitPlace {
			continue
		}
		switch k.Ports[0].Slot {
		case "button":
			button = *k
		case "led":
			led = *k
		}
	}
	if button.Name == "" || led.Name == "" {
		t.Fatalf("the template has %+v", p.plan.Design().Places)
	}
	for i, kit := range []core.Place{button, led} {
		port := fmt.Sprintf("COM%d", i+3)
		hands := d.plug(port, byte(i+1))
		must(t, hands.Network("Lab 2.4", "correct horse", 6, 3, -52))
		must(t, hands.Network("Neighbour", "something else", 11, 3, -80))
		eventually(t, "the port is seen", func() bool {
			return slices.ContainsFunc(p.kits.Ports().All, func(s core.SerialPort) bool { return s.Name == port })
		})
		id, err := p.kits.Begin(ctx, port)
		must(t, err)
		s := p.waits(t, id, core.StepKit)
		if s.Chip.MAC != fmt.Sprintf("5c:cf:7f:aa:00:%02x", i+1) || s.Chip.FlashSize != 4<<20 {
			t.Errorf("the board is %+v", s.Chip)
		}
		// The network is not known before the kit has looked around: Improv gives it.
		order := core.SetupOrder{Kit: kit.Name, Image: image.ID}
		must(t, p.kits.Order(ctx, id, order))
		must(t, p.kits.Start(ctx, id, core.StepFlash))
		s = p.waits(t, id, core.StepNetwork)
		if len(s.Networks) != 2 || s.Networks[0].Name != "Lab 2.4" {
			t.Errorf("the board sees %+v", s.Networks)
		}
		order.Network, order.Key, order.Remember = "Lab 2.4", "correct horse", true
		if i == 1 {
			order.Key = "" // it is remembered
		}
		must(t, p.kits.Order(ctx, id, order))
		must(t, p.kits.Start(ctx, id, core.StepNetwork))
		eventually(t, "the setup tests", func() bool {
			s := p.setup(id)
			if s.Problem.Format != "" {
				t.Fatalf("at %s: %s\n%q", s.Step, s.Problem, s.Log)
			}
			return s.Step == core.StepTest && len(s.Tests) > 0
		})
		if kit.Name == button.Name {
			must(t, hands.Press("button"))
			eventually(t, "the press is felt", func() bool { return p.setup(id).Tests[0].Value == "1" || p.setup(id).Tests[0].Passed })
			must(t, hands.Release("button"))
		} else {
			must(t, p.kits.Judge(ctx, id, p.setup(id).Tests[0].Slot, true))
		}
		s = p.waits(t, id, core.StepCard)
		if !s.Passed {
			t.Errorf("%s did not pass: %+v", kit.Name, s.Tests)
		}
		if strings := fmt.Sprint(s.Log, s); bytes.Contains([]byte(strings), []byte("correct horse")) {
			t.Error("the key of the network is in the setup's log")
		}
		must(t, p.kits.Close(id))
		p.says(t, kit.Name+"/$state", "ready")
		if kit.Name == led.Name {
			must(t, d.hands["COM3"].Press("button"))
			eventually(t, "the LED is lit", func() bool { on, known := hands.Output(5); return known && on })
			must(t, d.hands["COM3"].Release("button"))
			eventually(t, "the LED is off", func() bool { on, known := hands.Output(5); return known && !on })
		}
	}
	series := core.Series(button.Ports[0].Topic)
	eventually(t, "the chart moves", func() bool {
		trace, err := p.history.Trace(ctx, series, time.Now().Add(-time.Hour), time.Now(), 100)
		return err == nil && len(trace.Spans) >= 2
	})
}

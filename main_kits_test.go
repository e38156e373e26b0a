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
	"strings"
	"sync"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits/chip"
	"homeroom/core/kits/line"
	"homeroom/core/kits/wire"
	"homeroom/core/plan"
	"homeroom/core/topic"
)

// hostProgram is firmware/host, built once for all tests of this package.
var hostProgram = sync.OnceValues(func() (string, error) { return buildKit("firmware/host/host.cpp") })

// buildKit builds the kit for this PC, from these sources and what it always has.
func buildKit(sources ...string) (string, error) {
	dir, err := os.MkdirTemp("", "homeroom-host")
	if err != nil {
		return "", err
	}
	sources = append(sources, "firmware/host/hal_host.cpp", "firmware/host/digest.cpp", "firmware/host/mdns.cpp")
	core, err := filepath.Glob("firmware/kit/src/core/*.cpp")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "host")
	out, err := exec.Command("g++", slices.Concat([]string{"-std=gnu++17", "-Os", "-Ifirmware/host/arduino", "-o", program}, sources, core, bearSSL())...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return program, nil
}

// desk is emulated boards that are plugged into this PC.
type desk struct {
	t     *testing.T
	mu    sync.Mutex
	board map[string]*chip.Chip  // guarded by mu; by port
	hands map[string]*chip.Host  // guarded by mu; at the parts of each
	build func() (string, error) // the program of the next boards; nil is hostProgram
	args  []string               // more arguments of it
	data  string                 // folder of the program's data and of what it logs
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
	build := hostProgram
	if d.build != nil {
		build = d.build
	}
	program, err := build()
	if err != nil {
		if os.Getenv("CI") == "" {
			d.t.Skipf("the kit cannot be built for this PC: %v", err)
		}
		d.t.Fatal(err)
	}
	address := [6]byte{0x5c, 0xcf, 0x7f, 0xaa, 0x00, mac}
	host := chip.NewHost(program, append([]string{"--mac", fmt.Sprintf("5c:cf:7f:aa:00:%02x", mac)}, d.args...)...)
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
	return workshopWith(t, func(*program) {})
}

// workshopWith is a workshop whose program was changed before it ran.
func workshopWith(t *testing.T, change func(*program)) (*program, *desk) {
	t.Helper()
	d := &desk{t: t, board: map[string]*chip.Chip{}, hands: map[string]*chip.Host{}, data: filepath.Join(t.TempDir(), "랩 é")}
	must(t, os.Mkdir(d.data, 0o700))
	log, err := os.Create(filepath.Join(d.data, "log"))
	must(t, err)
	t.Cleanup(func() { _ = log.Close() })
	ctx, cancel := context.WithCancel(context.Background())
	p, err := open(ctx, env{out: io.Discard, err: io.MultiWriter(os.Stderr, log), data: d.data, lines: d}, listeners{MQTT: "127.0.0.1:0", MQTTS: "127.0.0.1:0", HTTP: "127.0.0.1:0"})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	change(p)
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
	t.Parallel()
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
		if strings.Contains(fmt.Sprint(s.Log, s), "correct horse") {
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

// make sets a kit up from a blank board, with the network given beforehand, and
// leaves its port. The tests are left out.
func (p *program) make(t *testing.T, d *desk, port string, o core.SetupOrder) *chip.Host {
	t.Helper()
	hands := d.plug(port, byte(port[len(port)-1]))
	must(t, hands.Network("Lab", "correct horse", 6, 3, -52))
	eventually(t, port+" is seen", func() bool {
		return slices.ContainsFunc(p.kits.Ports().All, func(s core.SerialPort) bool { return s.Name == port })
	})
	id, err := p.kits.Begin(t.Context(), port)
	must(t, err)
	p.waits(t, id, core.StepKit)
	must(t, p.kits.Order(t.Context(), id, o))
	must(t, p.kits.Start(t.Context(), id, core.StepKit))
	eventually(t, "the setup tests", func() bool {
		s := p.setup(id)
		if s.Problem.Format != "" {
			t.Fatalf("at %s: %s\n%q", s.Step, s.Problem, s.Log)
		}
		return s.Step == core.StepTest
	})
	must(t, p.kits.Stop(id))
	eventually(t, "the setup has stopped", func() bool { return !p.setup(id).Running })
	must(t, p.kits.Close(id))
	return hands
}

// real returns a kit as the screen Kits has it.
func (p *program) real(n topic.Name) core.RealKit {
	for _, k := range p.kits.Kits() {
		if k.Name == n {
			return k
		}
	}
	return core.RealKit{}
}

// TestCableKit: a kit on the cable is on the broker with its own account by itself,
// its will is published when it is unplugged, and it comes back.
func TestCableKit(t *testing.T) {
	t.Parallel()
	p, d := workshop(t)
	const kit = "blue/lab/wired"
	hands := p.make(t, d, "COM5", core.SetupOrder{Kit: kit, Role: core.AllKit, Label: "À câble", Image: "wired", Cable: true})
	p.says(t, kit+"/$state", "ready")
	must(t, hands.Press("button"))
	p.says(t, kit+"/button", "true")
	must(t, hands.Release("button"))
	p.says(t, kit+"/button", "false")
	board := d.board["COM5"]
	d.unplug("COM5")
	p.says(t, kit+"/$state", "lost")
	if k := p.real(kit); k.Link != "cable" || k.State != "lost" {
		t.Errorf("unplugged it is %+v", k)
	}
	board.Replug()
	d.mu.Lock()
	d.board["COM6"] = board // in another socket
	d.mu.Unlock()
	p.says(t, kit+"/$state", "ready")
	account := p.real(kit).Account
	if c, ok := p.kitClient(account); !ok || c.Protocol != "3.1.1" {
		t.Errorf("its client is %+v, %v", c, ok)
	}
	must(t, p.broker.Publish(t.Context(), core.Message{Topic: kit + "/led/set", Payload: []byte("true"), QoS: 1, From: core.Program, Client: "window"}))
	eventually(t, "the LED obeys", func() bool { on, known := hands.Output(5); return known && on })
	p.says(t, kit+"/led", "true")
}

// TestKitFollows: what is changed about a kit reaches the board over the air: its
// place, its secret, new firmware; and forgetting leaves nothing on it.
func TestKitFollows(t *testing.T) {
	t.Parallel()
	p, d := workshop(t)
	ctx := t.Context()
	old, err := p.kits.AddImage(ctx, "old.bin", bytes.NewReader(standIn("wifi", "1.0.0")))
	must(t, err)
	const kit = "blue/lab/lamp"
	p.make(t, d, "COM7", core.SetupOrder{Kit: kit, Role: core.LightKit, Image: old.ID, Network: "Lab", Key: "correct horse"})
	eventually(t, "it tells how it is", func() bool {
		k := p.real(kit)
		return k.State == "ready" && k.Version == "1.0.0" && k.Heap > 0 && k.MAC != "" && k.Link == "wifi"
	})

	teacher, _ := p.accountID("teacher")
	as := core.As(ctx, teacher)
	must(t, p.plan.Change(as, core.Batch{Say: core.Say("hall"), Places: []core.Place{{Name: "blue/hall", Kind: core.RoomPlace}}}))
	const moved = "blue/hall/lamp"
	_, err = p.plan.MoveTopics(as, kit, moved, true)
	must(t, err)
	eventually(t, "it has taken its new place over", func() bool { k := p.real(moved); return k.State == "ready" && !k.Waiting && k.Doing.Format == "" })
	must(t, p.broker.Publish(ctx, core.Message{Topic: moved + "/light/set", Payload: []byte("true"), QoS: 1, From: core.Program, Client: "window"}))
	p.says(t, moved+"/light", "true")

	before := p.session(t, moved)
	must(t, p.kits.Rotate(ctx, moved))
	eventually(t, "it is back with its new secret", func() bool { now := p.session(t, moved); return !now.IsZero() && now.After(before) })

	newer, err := p.kits.AddImage(ctx, "new.bin", bytes.NewReader(standIn("wifi", "1.1.0")))
	must(t, err)
	eventually(t, "the newer firmware is offered", func() bool { return p.real(moved).Newer == newer.Version })
	must(t, p.kits.Update(ctx, []topic.Name{moved}))
	eventually(t, "the update ends", func() bool { return !p.kits.Rollout().Running })
	if r := p.kits.Rollout(); r.Stopped.Format != "" || r.Next != 1 {
		t.Fatalf("the update stopped: %s", r.Stopped)
	}
	if k := p.real(moved); k.Version != "1.1.0" || k.Newer != "" {
		t.Errorf("after the update it runs %q, newer %q", k.Version, k.Newer)
	}

	must(t, p.forgetKit(ctx, moved))
	eventually(t, "it is gone", func() bool { _, there := p.kitClient("blue-lamp"); return !there })
	board := d.board["COM7"]
	d.unplug("COM7") // the flash comes back from the program that ran on it
	flash := board.Flash().Bytes()
	for _, at := range []int{0x3FA000, 0x3FB000} {
		if bytes.Count(flash[at:at+4096], []byte{0xFF}) != 4096 {
			t.Errorf("the slot at %x is not empty", at)
		}
	}
}

// session returns since when a kit is connected; zero where it is not.
func (p *program) session(t *testing.T, n topic.Name) time.Time {
	t.Helper()
	k := p.plan.Design().Place(n)
	if k == nil {
		t.Fatalf("no kit %s", n)
	}
	c, ok := p.kitClient(k.Account)
	if !ok {
		return time.Time{}
	}
	return c.Since
}

// TestWayBack: a kit that was moved, and whose old name answers for nobody any more,
// still hears its new one, after the program started anew; no other account does.
func TestWayBack(t *testing.T) {
	t.Parallel()
	p, d := workshop(t)
	ctx := t.Context()
	image, err := p.kits.AddImage(ctx, "kit.bin", bytes.NewReader(standIn("wifi", "1.0.0")))
	must(t, err)
	const was, is = "hall/lab/lamp", "hall/attic/lamp" // of no team, whose kits may read all of its branch
	hands := p.make(t, d, "COM8", core.SetupOrder{Kit: was, Role: core.LightKit, Image: image.ID, Network: "Lab", Key: "correct horse"})
	eventually(t, "it tells how it is", func() bool { return p.real(was).State == "ready" && p.real(was).Version != "" })
	before := *p.plan.Design().Place(was)
	moved, lamp := before, *p.plan.Design().Topic(before.Ports[0].Topic)
	moved.Name, moved.Changed, lamp.Changed = is, time.Time{}, time.Time{}
	lamp.Name = is + "/light"
	moved.Ports = []core.Port{{Slot: "light", Topic: lamp.Name, Action: core.Subscribe}}
	teacher, _ := p.accountID("teacher")
	board := d.board["COM8"]
	d.unplug("COM8") // it is away while all that happens, and has its power from elsewhere later
	eventually(t, "it is away", func() bool { _, there := p.kitClient(before.Account); return !there })
	must(t, p.plan.Change(core.As(ctx, teacher), core.Batch{Say: core.Say("moved"), Places: []core.Place{{Name: "hall/attic", Kind: core.RoomPlace}, moved}, Topics: []core.Topic{lamp},
		RemovePlaces: []topic.Name{was}, RemoveTopics: []topic.Name{before.Ports[0].Topic}}))
	if to, answers := p.plan.Renamed(was); answers {
		t.Fatalf("%s still answers for %s", was, to)
	}
	student, _ := p.accountID("kit-1")
	kit, _ := p.accountID(before.Account)
	eventually(t, "the kit may listen at its old name", func() bool { return p.mayRead(kit, was+"/"+core.KitAsked) })
	for _, who := range []core.AccountID{student, kit} {
		if _, err := (gate{p.accounts, p}).Authorize(who, core.Publish, was+"/"+core.KitAsked); err == nil {
			t.Errorf("%s asks a kit", p.title(who))
		}
	}
	board.Replug()
	eventually(t, "it has heard its new name", func() bool { k := p.real(is); return k.State == "ready" && !k.Waiting && k.Doing.Format == "" })
	p.says(t, is+"/$state", "ready")
	must(t, p.broker.Publish(ctx, core.Message{Topic: is + "/light/set", Payload: []byte("true"), QoS: 1, From: core.Program, Client: "window"}))
	eventually(t, "the lamp obeys", func() bool { on, known := hands.Output(5); return known && on })
}

// TestSecretsStay: what a kit keeps to itself is in no file of the program, and in
// nothing that it shows: the key of the network, and the secrets that the kit had.
func TestSecretsStay(t *testing.T) {
	t.Parallel()
	p, d := workshop(t)
	ctx := t.Context()
	p.broker.Watch(core.Watch{Filter: "#"})
	image, err := p.kits.AddImage(ctx, "kit.bin", bytes.NewReader(standIn("wifi", "1.0.0")))
	must(t, err)
	const kit, key = "blue/lab/shy", "correct horse"
	p.make(t, d, "COM9", core.SetupOrder{Kit: kit, Role: core.ButtonKit, Image: image.ID, Network: "Lab", Key: key, Remember: true})
	eventually(t, "it is there", func() bool { return p.real(kit).State == "ready" })
	before := p.session(t, kit)
	must(t, p.kits.Rotate(ctx, kit)) // by the serial port
	eventually(t, "it is back with its new secret", func() bool { now := p.session(t, kit); return now.After(before) })
	board := d.board["COM9"]
	d.unplug("COM9")
	hidden := []string{key, wire.PMK("Lab", key)}
	for _, at := range []int{wire.SlotA, wire.SlotB} {
		if _, s, ok := wire.DecodeSlot(board.Flash().Bytes()[at : at+wire.SlotSize]); ok {
			hidden = append(hidden, s.Secret)
		}
	}
	if len(hidden) != 4 {
		t.Fatalf("the board has %d secrets, want the old one and the new one", len(hidden)-2)
	}
	packets, _ := p.broker.Packets(0)
	lines, _ := p.kits.Console("COM9")
	shown := fmt.Sprintf("%+v %+v %+v %+v %+v %+v %+v", p.kits.Setups(), p.kits.Made(), p.kits.Kits(), p.kits.Ports(), p.kits.Networks(), lines, p.accounts.Accounts())
	for _, packet := range packets {
		shown += packet.Topic + string(packet.Payload)
	}
	for _, h := range hidden {
		if strings.Contains(shown, h) {
			t.Errorf("%.3s… is shown", h)
		}
	}
	files := 0
	must(t, filepath.WalkDir(d.data, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		all, err := os.ReadFile(path)
		for _, h := range hidden {
			if bytes.Contains(all, []byte(h)) {
				t.Errorf("%.3s… is in %s", h, filepath.Base(path))
			}
		}
		return err
	}))
	if files < 3 {
		t.Errorf("only %d files were read", files)
	}
}

// told takes the board of a kit from a port, changes what it was told, and plugs it in
// again.
func (p *program) told(t *testing.T, d *desk, port string, kit topic.Name, change func(*wire.Settings)) *chip.Chip {
	t.Helper()
	board := d.board[port]
	d.unplug(port)
	p.says(t, kit+"/$state", "lost")
	flash := board.Flash().Bytes()
	for _, at := range []int{wire.SlotA, wire.SlotB} {
		if seq, s, ok := wire.DecodeSlot(flash[at : at+wire.SlotSize]); ok {
			change(&s)
			slot, err := wire.EncodeSlot(seq, s)
			must(t, err)
			copy(flash[at:], slot)
		}
	}
	board.Flash().Load(flash)
	board.Replug()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board[port] = board
	return board
}

// TestNewAddress: a kit that was told another address of this PC is told the right one
// as soon as it is plugged in, and joins; before that a person reads what to do.
func TestNewAddress(t *testing.T) {
	t.Parallel()
	p, d := workshop(t)
	ctx := t.Context()
	image, err := p.kits.AddImage(ctx, "kit.bin", bytes.NewReader(standIn("wifi", "1.0.0")))
	must(t, err)
	const kit = "blue/lab/nomad"
	p.make(t, d, "COM4", core.SetupOrder{Kit: kit, Role: core.ButtonKit, Image: image.ID, Network: "Lab", Key: "correct horse"})
	eventually(t, "it is there", func() bool { return p.real(kit).State == "ready" })
	if k := p.real(kit); k.Problem.Format != "" {
		t.Errorf("told right, it says: %s", k.Problem)
	}
	p.told(t, d, "COM4", kit, func(s *wire.Settings) { s.BrokerHost = "127.0.0.9" }) // as if the PC had had another address
	eventually(t, "it is back", func() bool { return p.real(kit).State == "ready" })
	if k := p.real(kit); k.Problem.Format != "" {
		t.Errorf("back, it says: %s", k.Problem)
	}
}

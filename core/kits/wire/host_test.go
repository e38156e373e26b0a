package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits/line"
)

// host is the firmware on this PC, as a program: its serial port is memory here,
// its buttons and lamps are on a control of lines.
type host struct {
	*Kit
	t       *testing.T
	flash   string
	port    *pipe
	control *os.File
	end     func() error // ends the conversation and the program

	lines, lamps, inputs chan string
	status               chan Status
	cable                chan bool
}

// pipe is the serial port of a program.
type pipe struct {
	*memory // what the program says
	stdin   io.WriteCloser
}

func (p *pipe) Write(b []byte) (int, error) {
	n, err := p.stdin.Write(b)
	if err != nil {
		err = line.ErrGone
	}
	return n, err
}

// hardware says something to the board.
func (h *host) hardware(format string, args ...any) {
	h.t.Helper()
	if _, err := fmt.Fprintf(h.control, format+"\n", args...); err != nil {
		h.t.Fatal(err)
	}
}

// start starts the firmware on a flash and talks with it.
func start(t *testing.T, program, flash string, on Events, args ...string) *host {
	t.Helper()
	toBoard, control, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	told, fromBoard, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"--flash", flash, "--control", "fd:3,4"}, args...)...)
	cmd.ExtraFiles = []*os.File{toBoard, fromBoard}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = toBoard.Close(), fromBoard.Close()
	said, _ := memoryPorts()
	port := &pipe{said, stdin}
	h := &host{
		t: t, flash: flash, port: port, control: control,
		lines: make(chan string, 1000), lamps: make(chan string, 1000), inputs: make(chan string, 1000), status: make(chan Status, 1000), cable: make(chan bool, 1000),
	}
	on.Line = func(text string) { h.lines <- text }
	on.Input = func(slot string, value int32) { h.inputs <- fmt.Sprint(slot, " ", value) }
	on.Status = func(s Status) { h.status <- s }
	on.Cable = func(open bool) { h.cable <- open }
	var work sync.WaitGroup
	work.Go(func() {
		defer close(port.gone)
		for {
			buf := make([]byte, 4096)
			n, err := stdout.Read(buf)
			if n > 0 {
				port.in <- buf[:n]
			}
			if err != nil {
				return
			}
		}
	})
	work.Go(func() {
		for s := bufio.NewScanner(told); s.Scan(); {
			h.lamps <- s.Text()
		}
	})
	h.Kit = Talk(port, on)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	h.end = sync.OnceValue(func() error {
		_ = stdin.Close()
		work.Wait()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the firmware: %v", err)
		}
		err := <-ended
		cancel()
		_, _ = control.Close(), told.Close()
		return err
	})
	t.Cleanup(func() { _ = h.end() })
	return h
}

// wait returns the first of what comes that is wanted.
func wait[T any](t *testing.T, what string, from chan T, want func(T) bool) T {
	t.Helper()
	late := time.After(20 * time.Second)
	var all []T
	for {
		select {
		case x := <-from:
			if all = append(all, x); want(x) {
				return x
			}
		case <-late:
			t.Fatalf("%s does not come, but %+v", what, all)
		}
	}
}

func waitFor(t *testing.T, from chan string, want string) {
	t.Helper()
	wait(t, want, from, func(s string) bool { return s == want })
}

// slots reads what is in the flash.
func (h *host) slots() (Settings, uint32, bool) {
	h.t.Helper()
	all, err := os.ReadFile(h.flash)
	if err != nil {
		h.t.Fatal(err)
	}
	return Newest(all[SlotA:SlotA+SlotSize], all[SlotB:SlotB+SlotSize])
}

// written makes a flash as the flasher does.
func written(t *testing.T, s Settings) string {
	t.Helper()
	slot, err := EncodeSlot(1, s)
	if err != nil {
		t.Fatal(err)
	}
	all := bytes.Repeat([]byte{0xff}, 4<<20)
	copy(all[SlotA:], slot)
	file := filepath.Join(t.TempDir(), "flash")
	if err := os.WriteFile(file, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// offline is settings of a kit that has not all that it needs to join.
func offline() Settings {
	s := example()
	s.Account, s.TLSKey, s.SSID, s.Key = "", nil, "", ""
	return s
}

// TestHost talks with the firmware's own code, as it runs on a board.
func TestHost(t *testing.T) {
	core, err := filepath.Glob(firmware + "/kit/src/core/*.cpp")
	if err != nil {
		t.Fatal(err)
	}
	sources := []string{"host/host.cpp", "host/hal_host.cpp", "host/digest.cpp", "host/mdns.cpp"}
	for _, file := range core {
		sources = append(sources, strings.TrimPrefix(file, firmware))
	}
	program := build(t, "host", sources...)
	for name, f := range map[string]func(*testing.T, string){
		"settings": hostSettings, "long": hostLong, "flashed": hostFlashed, "networks": hostNetworks, "test": hostTest, "console": hostConsole, "cable": hostCable, "cable refused": hostRefused,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, program)
		})
	}
}

func hostSettings(t *testing.T, program string) {
	ctx := t.Context()
	h := start(t, program, filepath.Join(t.TempDir(), "flash"), Events{}, "--mac", "5c:cf:7f:0a:0b:0c", "--variant", "wifi")
	id, err := h.Hello(ctx)
	if err != nil || id.Firmware != "homeroom-kit" || id.Variant != "wifi" || id.Version == "" || id.MAC != "5c:cf:7f:0a:0b:0c" || id.ChipID != 0x0a0b0c || id.Flash != 4<<20 ||
		id.Heap == 0 || id.Protocol != 1 || id.Sequence != 0 || id.Design != 0 || id.State != StateNoSettings || id.Address != "" || !id.WiFi || !id.Updates {
		t.Errorf("%v: %+v", err, id)
	}
	if s, seq, err := h.Read(ctx); err != nil || seq != 0 || !reflect.DeepEqual(s, Settings{}) {
		t.Errorf("%v: %d %v", err, seq, s)
	}
	var last Settings
	want := uint32(0)
	for _, s := range []Settings{offline(), {Label: "only this"}, func() Settings { s := offline(); s.Ports, s.Hold, s.Label = s.Ports[1:], nil, "칼국수"; return s }()} {
		want++
		seq, crc, err := h.Write(ctx, Difference(last, s))
		if err != nil || seq != want || crc != s.CRC() {
			t.Errorf("%v: %d %08x, want %d %08x", err, seq, crc, want, s.CRC())
		}
		open := s
		open.Key, open.Secret = "", ""
		if got, seq, err := h.Read(ctx); err != nil || seq != want || !reflect.DeepEqual(got, open) {
			t.Errorf("%v: %d %#v", err, seq, got)
		}
		if id, err := h.Hello(ctx); err != nil || id.Design != s.DesignCRC() || id.Sequence != want {
			t.Errorf("%v: %+v, want %08x", err, id, s.DesignCRC())
		}
		if got, seq, ok := h.slots(); !ok || seq != want || !reflect.DeepEqual(got, s) {
			t.Errorf("in the flash: %d %v %#v", seq, ok, got)
		}
		last = s
	}
	for _, change := range [][]byte{{tagRole, 1, 9}, {tagLabel}, {tagKey, 3, 'a', 'b', 'c'}} {
		if _, _, err := h.Write(ctx, change); !errors.Is(err, core.ErrInvalid) {
			t.Errorf("%x: %v", change, err)
		}
	}
	if _, seq, ok := h.slots(); !ok || seq != want {
		t.Error("a change that makes no sense is written")
	}
	if seq, _, err := h.Write(ctx, last.Change()); err != nil || seq < want {
		t.Error("the same again:", seq, err)
	}
	// It starts anew with what it has.
	if err := h.Restart(ctx); err != nil {
		t.Error(err)
	}
	waitFor(t, h.lamps, "restart")
	if id, err := h.Hello(ctx); err != nil || id.Design != last.DesignCRC() {
		t.Errorf("%v: %+v", err, id)
	}
	if err := h.Forget(ctx); err != nil {
		t.Error(err)
	}
	if id, err := h.Hello(ctx); err != nil || id.Sequence != 0 || id.Design != 0 || id.State != StateNoSettings {
		t.Errorf("%v: %+v", err, id)
	}
	if _, _, ok := h.slots(); ok {
		t.Error("settings that were forgotten are there")
	}
	if err := h.tell(ctx, 0x3f); !errors.Is(err, ErrUnknown) {
		t.Error("a request from the future:", err)
	}
	if err := h.end(); !errors.Is(err, line.ErrGone) {
		t.Error(err)
	}
}

// hostLong: eight ports with long topics fit no frame, in either direction, and the
// kit has them all the same.
func hostLong(t *testing.T, program string) {
	s := offline()
	s.Ports = nil
	for i := range MaxPorts {
		s.Ports = append(s.Ports, Port{Slot: fmt.Sprint("part-", i), Topic: fmt.Sprint(i, strings.Repeat("t", MaxTopic-1)), Yes: "true", No: "false"})
	}
	h := start(t, program, filepath.Join(t.TempDir(), "flash"), Events{})
	if _, crc, err := h.Write(t.Context(), s.Change()); err != nil || crc != s.CRC() {
		t.Errorf("%v: %08x, want %08x", err, crc, s.CRC())
	}
	open := s
	open.Key, open.Secret = "", ""
	if got, _, err := h.Read(t.Context()); err != nil || !reflect.DeepEqual(got, open) {
		t.Errorf("%v: %#v", err, got)
	}
	if _, err := h.ask(t.Context(), askRead, []byte{0xff, 0xff}); !errors.Is(err, core.ErrInvalid) {
		t.Error("from beyond the end:", err)
	}
}

func hostFlashed(t *testing.T, program string) {
	s := offline()
	h := start(t, program, written(t, s), Events{})
	if id, err := h.Hello(t.Context()); err != nil || id.Sequence != 1 || id.Design != s.DesignCRC() {
		t.Errorf("%v: %+v", err, id)
	}
	if status, err := h.Kit.Status(t.Context()); err != nil || status.State != StateNoSettings {
		t.Errorf("%v: %+v", err, status)
	}
}

func hostNetworks(t *testing.T, program string) {
	ctx := t.Context()
	s := offline()
	h := start(t, program, written(t, s), Events{}, "--variant", "wifi")
	h.hardware(`network "School" "password" 6 3 -60`)
	h.hardware(`network "Café" "" 1 0 -40`)
	h.hardware(`network "eduroam" "x" 11 5 -70`)
	want := []core.Network{
		{Name: "Café", Signal: -40, Channel: 1, Open: true}, {Name: "School", Signal: -60, Channel: 6}, {Name: "eduroam", Signal: -70, Channel: 11, Enterprise: true},
	}
	if got, err := h.Scan(ctx); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: %+v", err, got)
	}
	for i := range want {
		want[i].Channel, want[i].Enterprise = 0, false
	}
	if got, err := h.ImprovScan(ctx); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: %+v", err, got)
	}
	id, err := h.Hello(ctx)
	if err != nil {
		t.Error(err)
	}
	if d, err := h.DeviceInfo(ctx); err != nil || d != (Device{"homeroom-kit", id.Version, "ESP8266", s.Label}) {
		t.Errorf("%v: %+v", err, d)
	}
	if state, err := h.ImprovState(ctx); err != nil || state != ImprovReady {
		t.Error(state, err)
	}
	if _, err := h.Join(ctx, "School", "wrong password"); !errors.Is(err, ErrJoin) {
		t.Error(err)
	}
	if _, err := h.Join(ctx, "Nowhere", ""); !errors.Is(err, ErrJoin) {
		t.Error(err)
	}
	for _, key := range []string{"password", PMK("School", "password")} {
		if page, err := h.Join(ctx, "School", key); err != nil || page != "http://"+s.Page {
			t.Errorf("%q %v", page, err)
		}
		if state, err := h.ImprovState(ctx); err != nil || state != ImprovProvisioned {
			t.Error(state, err)
		}
		if got, _, ok := h.slots(); !ok || got.SSID != "School" || got.Key != key || got.Name != s.Name {
			t.Errorf("it has kept %v", got)
		}
	}
	if id, err := h.Hello(ctx); err != nil || id.Address == "" || id.Signal != -60 {
		t.Errorf("%v: %+v", err, id)
	}
}

func hostTest(t *testing.T, program string) {
	ctx := t.Context()
	h := start(t, program, written(t, offline()), Events{})
	if err := h.Lamp(ctx, "led", true); !errors.Is(err, ErrBusy) {
		t.Error("a lamp of a kit that does not test:", err)
	}
	if err := h.Test(ctx, time.Minute); err != nil {
		t.Error(err)
	}
	h.hardware("press button")
	waitFor(t, h.inputs, "button 1")
	h.hardware("release button")
	waitFor(t, h.inputs, "button 0")
	h.hardware("analog 1023")
	waitFor(t, h.inputs, "brightness 100")
	for _, on := range []bool{true, false} {
		if err := h.Lamp(ctx, "led", on); err != nil {
			t.Error(err)
		}
		waitFor(t, h.lamps, map[bool]string{true: "gpio 5 1", false: "gpio 5 0"}[on])
	}
	if err := h.Lamp(ctx, "nothing", true); !errors.Is(err, core.ErrInvalid) {
		t.Error(err)
	}
	if err := h.Test(ctx, 0); err != nil {
		t.Error(err)
	}
	if err := h.Lamp(ctx, "led", true); !errors.Is(err, ErrBusy) {
		t.Error("after the test:", err)
	}
	if err := h.Locate(ctx, time.Minute); err != nil {
		t.Error(err)
	}
	waitFor(t, h.lamps, "gpio 2 0")
	waitFor(t, h.lamps, "gpio 2 1")
	if err := h.Locate(ctx, 0); err != nil {
		t.Error(err)
	}
}

func hostConsole(t *testing.T, program string) {
	h := start(t, program, written(t, offline()), Events{})
	for _, text := range []string{"nonsense", "help"} {
		if err := h.Type(t.Context(), text); err != nil {
			t.Error(err)
		}
	}
	wait(t, "an answer", h.lines, func(s string) bool { return strings.HasPrefix(s, "No such command") })
	wait(t, "help", h.lines, func(s string) bool { return strings.Contains(s, "networks") })
	// Noise and half a frame before a request do no harm.
	if _, err := h.port.Write([]byte("\x1eH\x03\x07\x00\x02IMPROV\x01\xff")); err != nil {
		t.Error(err)
	}
	if _, err := h.Hello(t.Context()); err != nil {
		t.Error(err)
	}
}

// onCable are settings of a kit on the cable.
func onCable() Settings {
	s := example()
	s.SSID, s.Key, s.TLSKey, s.Transport = "", "", nil, Cable
	return s
}

// broker is as much of one as a kit needs to be happy (MQTT 3.1.1): it grants and
// acknowledges everything. It says what it got.
type broker struct {
	net.Listener
	got   chan string // "connect CLIENT ACCOUNT SECRET", "publish TOPIC PAYLOAD", "gone"
	conns chan net.Conn
	code  byte // of CONNACK
}

func listen(t *testing.T) *broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{Listener: l, got: make(chan string, 1000), conns: make(chan net.Conn, 10)}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.conns <- conn
			go b.serve(conn)
		}
	}()
	return b
}

func (b *broker) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", b.Addr().String())
}

func (b *broker) serve(conn net.Conn) {
	defer func() { b.got <- "gone" }()
	defer conn.Close() //nolint:errcheck // the test is over
	in := bufio.NewReader(conn)
	for {
		head, err := in.ReadByte()
		if err != nil {
			return
		}
		length, err := binary.ReadUvarint(in)
		if err != nil || length > 4096 {
			return
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		text := func() string {
			n := 2 + int(binary.BigEndian.Uint16(body))
			s := string(body[2:n])
			body = body[n:]
			return s
		}
		var answer []byte
		switch head >> 4 {
		case 1:
			body = body[10:]
			client, will, lost, account, secret := text(), text(), text(), text(), text()
			b.got <- fmt.Sprintf("connect %s %s %s %s %s", client, will, lost, account, secret)
			answer = []byte{0x20, 2, 0, b.code}
		case 3:
			topic := text()
			if head>>1&3 > 0 {
				answer = []byte{0x40, 2, body[0], body[1]}
				body = body[2:]
			}
			b.got <- fmt.Sprintf("publish %s %s", topic, body)
		case 8:
			answer = []byte{0x90, 3, body[0], body[1], 1}
			body = body[2:]
			b.got <- "subscribe " + text()
		case 12:
			answer = []byte{0xd0, 0}
		case 14:
			b.got <- "disconnect"
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// publish returns a packet with QoS 0.
func publish(topic, payload string) []byte {
	out := binary.AppendUvarint([]byte{0x30}, uint64(2+len(topic)+len(payload)))
	out = binary.BigEndian.AppendUint16(out, uint16(len(topic)))
	return append(append(out, topic...), payload...)
}

func hostCable(t *testing.T, program string) {
	ctx := t.Context()
	b := listen(t)
	s := onCable()
	s.Ports = slices.Clone(s.Ports)
	h := start(t, program, written(t, s), Events{Dial: b.dial}, "--variant", "wired")
	connects := func() net.Conn {
		t.Helper()
		waitFor(t, b.got, "connect homeroom-5ccf7f010203 "+s.Name+"/$state lost "+s.Account+" "+s.Secret)
		waitFor(t, b.got, "publish "+s.Name+"/$state ready")
		if !<-h.cable {
			t.Error("nobody is told")
		}
		return <-b.conns
	}
	conn := connects()
	wait(t, "joined", h.status, func(s Status) bool { return s.State == StateJoined })
	// A button over the cable, and a lamp, while requests go on.
	h.hardware("press button")
	wait(t, "a press", b.got, func(s string) bool { return strings.HasPrefix(s, "publish blue/lab/kit-1/button ") })
	for i, word := range []string{"Allumé", "Éteint", "Allumé"} {
		if _, err := conn.Write(publish("blue/lab/kit-1/led/set", word)); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Hello(ctx); err != nil {
			t.Error(err)
		}
		waitFor(t, h.lamps, fmt.Sprintf("gpio 5 %d", (i+1)%2))
		waitFor(t, b.got, "publish blue/lab/kit-1/led "+word)
	}
	// Much at once comes in order; a payload that fills frames.
	for i := range 40 {
		word := []string{"Allumé", "Éteint"}[i%2]
		if _, err := conn.Write(append(publish("blue/lab/kit-1/nothing", strings.Repeat("x", 300)), publish("blue/lab/kit-1/led/set", word)...)); err != nil {
			t.Fatal(err)
		}
		waitFor(t, b.got, "publish blue/lab/kit-1/led "+word)
	}
	// The broker goes: the kit is told, and comes again.
	_ = conn.Close()
	waitFor(t, b.got, "gone")
	if <-h.cable {
		t.Error("the connection that ended is open")
	}
	_ = connects()
	// It starts anew, on a new connection.
	if err := h.Restart(ctx); err != nil {
		t.Error(err)
	}
	waitFor(t, b.got, "publish "+s.Name+"/$state disconnected")
	waitFor(t, b.got, "disconnect")
	waitFor(t, b.got, "gone")
	if <-h.cable {
		t.Error("the connection that ended is open")
	}
	_ = connects()
	// Unplugged: the broker sees the connection break, without a goodbye.
	if err := h.end(); !errors.Is(err, line.ErrGone) {
		t.Error(err)
	}
	if last := wait(t, "the end", b.got, func(s string) bool { return s == "gone" || s == "disconnect" }); last != "gone" {
		t.Error("it says goodbye")
	}
}

func hostRefused(t *testing.T, program string) {
	b := listen(t)
	b.code = 5
	h := start(t, program, written(t, onCable()), Events{Dial: b.dial}, "--variant", "wired")
	failed := func(s Status) bool { return s.State == StateWaits && s.Reason != ReasonNone }
	if status := wait(t, "a refusal", h.status, failed); status.Reason != ReasonRefused {
		t.Errorf("%+v", status)
	}
	none := start(t, program, written(t, onCable()), Events{}, "--variant", "wired")
	if status := wait(t, "no program", none.status, failed); status.Reason != ReasonNoProgram {
		t.Errorf("%+v", status)
	}
	if _, err := none.Join(t.Context(), "School", "password"); !errors.Is(err, ErrJoin) {
		t.Error("Wi-Fi of a kit that has none:", err)
	}
	if _, err := none.Scan(t.Context()); !errors.Is(err, ErrBusy) {
		t.Error("networks of a kit without Wi-Fi:", err)
	}
}

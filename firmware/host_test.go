package firmware

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// patience is how long a test waits for what has to come; none of them needs it.
const patience = 30 * time.Second

// TestHost runs the firmware on this PC and talks to it as program, person and broker do.
func TestHost(t *testing.T) {
	program := buildProgram(t, "host/host.cpp", "host/hal_host.cpp", "host/digest.cpp", "host/mdns.cpp")
	for name, test := range map[string]func(t *testing.T, program string){
		"frames": hostFrames, "test": hostTests, "scan": hostScans, "improv": hostImproves, "console": hostConsole, "power cut": hostPowerCut,
		"broker": hostBroker, "broker away": hostAway, "denied": hostDenied, "orders": hostOrders, "update": hostUpdates,
		"cable": hostCable, "no program": hostNoProgram, "fallback": hostFallsBack, "image": hostImage, "options": hostOptions,
		"home": hostHome, "strangers": hostStrangers, "home on the cable": hostHomeOnCable,
		"repeats": hostRepeats,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, program)
		})
	}
}

// hostRepeats: a change that the program sends again, because the answer was late, is
// made once, also where it adds a port.
func hostRepeats(t *testing.T, program string) {
	h := start(t, program, blank(t))
	h.must(writeSettings, part(1, "button", kitName+"/button", "true", "false")...)
	added := part(1|16, "button-2", kitName+"/button-2", "true", "false")
	once := frame(writeSettings, 200, added)
	h.write(slices.Concat(once, once, once))
	var answers []message
	h.await("three answers", func() bool {
		for _, f := range h.frames {
			if f.kind == writeSettings+0x80 && f.seq == 200 {
				answers = append(answers, f)
			}
		}
		h.frames = nil
		return len(answers) == 3
	})
	for _, f := range answers {
		if f.data[0] != 0 || !bytes.Equal(f.data, answers[0].data) {
			t.Errorf("the answers are %x", answers)
		}
	}
	// Who asks for it anew gets it.
	if body := h.must(writeSettings, added...); bytes.Equal(body, answers[0].data[1:]) {
		t.Errorf("another request changes nothing: %x", body)
	}
}

// Requests and events of PROTOCOL.md.
const (
	hello, readSettings, writeSettings, forget, locate, test, lamp, scan, restart, askStatus = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10

	cableOpen, cableData, cableClose = 0x10, 0x11, 0x12
	inputEvent, statusEvent          = 0x41, 0x42
)

type message struct {
	kind, seq byte
	data      []byte
}

// host is the firmware, running.
type host struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *os.File // the control

	mu      sync.Mutex
	changed *sync.Cond
	ended   bool
	lines   []string  // of the console. guarded by mu
	frames  []message // guarded by mu
	improv  [][]byte  // guarded by mu
	control []string  // guarded by mu
	seq     byte
}

func start(t *testing.T, program, flash string, args ...string) *host {
	t.Helper()
	controlIn, toControl, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromControl, controlOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, out: toControl, cmd: exec.Command(program, append([]string{"--flash", flash, "--control", "fd:3,4", "--seed", "7"}, args...)...)}
	h.changed = sync.NewCond(&h.mu)
	h.cmd.ExtraFiles = []*os.File{controlIn, controlOut}
	var errs bytes.Buffer
	h.cmd.Stderr = &errs
	h.in, _ = h.cmd.StdinPipe()
	out, _ := h.cmd.StdoutPipe()
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = controlIn.Close()
	_ = controlOut.Close()
	var reading sync.WaitGroup
	reading.Go(func() { h.split(out) })
	reading.Go(func() {
		for s := bufio.NewScanner(fromControl); s.Scan(); {
			h.add(func() { h.control = append(h.control, s.Text()) })
		}
	})
	t.Cleanup(func() {
		_ = h.in.Close()
		_ = toControl.Close()
		reading.Wait()
		_ = fromControl.Close()
		_ = h.cmd.Wait()
		if strings.Contains(errs.String(), "Sanitizer") || strings.Contains(errs.String(), "runtime error") {
			t.Errorf("%s", errs.String())
		}
		if t.Failed() {
			t.Logf("console: %q\ncontrol: %q", h.lines, h.control)
		}
	})
	return h
}

func (h *host) add(do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	do()
	h.changed.Broadcast()
}

// await waits until found, which runs with mu held.
func (h *host) await(what string, found func() bool) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	late := false
	timer := time.AfterFunc(patience, func() { h.add(func() { late = true }) })
	defer timer.Stop()
	for !found() {
		if late || h.ended {
			h.t.Fatalf("no %s; console %q, control %q", what, h.lines, h.control)
		}
		h.changed.Wait()
	}
}

// split sorts what the kit writes on its serial port.
func (h *host) split(from io.Reader) {
	defer h.add(func() { h.ended = true })
	r := bufio.NewReader(from)
	var line []byte
	for {
		c, err := r.ReadByte()
		if err != nil {
			return
		}
		if c == 0x1e {
			head := make([]byte, 6)
			head[0] = c
			if _, err := io.ReadFull(r, head[1:]); err != nil {
				return
			}
			body := make([]byte, int(binary.LittleEndian.Uint16(head[4:]))+4)
			if _, err := io.ReadFull(r, body); err != nil {
				return
			}
			data := body[:len(body)-4]
			if head[1] != 0x48 || crc32.ChecksumIEEE(append(slices.Clone(head[2:]), data...)) != binary.LittleEndian.Uint32(body[len(data):]) {
				h.t.Errorf("a damaged frame: %x %x", head, body)
			}
			h.add(func() { h.frames = append(h.frames, message{head[2], head[3], data}) })
			continue
		}
		line = append(line, c)
		if string(line) == "IMPROV" {
			head := make([]byte, 3)
			if _, err := io.ReadFull(r, head); err != nil {
				return
			}
			rest := make([]byte, int(head[2])+2)
			if _, err := io.ReadFull(r, rest); err != nil {
				return
			}
			h.add(func() { h.improv = append(h.improv, append([]byte{head[1]}, rest[:head[2]]...)) })
			line = nil
		} else if c == '\n' {
			text := strings.TrimSuffix(string(line), "\n")
			h.add(func() { h.lines = append(h.lines, text) })
			line = nil
		}
	}
}

func frame(kind, seq byte, data []byte) []byte {
	f := binary.LittleEndian.AppendUint16([]byte{0x1e, 0x48, kind, seq}, uint16(len(data)))
	f = append(f, data...)
	return binary.LittleEndian.AppendUint32(f, crc32.ChecksumIEEE(f[2:]))
}

func (h *host) write(data []byte) {
	h.t.Helper()
	if _, err := h.in.Write(data); err != nil {
		h.t.Fatal(err)
	}
}

// ask sends a request and returns the status and the rest of its answer.
func (h *host) ask(kind byte, data ...byte) (status byte, body []byte) {
	h.t.Helper()
	h.seq++
	seq := h.seq
	h.write(frame(kind, seq, data))
	h.await(fmt.Sprintf("answer to %d", kind), func() bool {
		for i, f := range h.frames {
			if f.kind == kind+0x80 && f.seq == seq {
				status, body = f.data[0], f.data[1:]
				h.frames = slices.Delete(h.frames, i, i+1)
				return true
			}
		}
		return false
	})
	return status, body
}

func (h *host) must(kind byte, data ...byte) []byte {
	h.t.Helper()
	status, body := h.ask(kind, data...)
	if status != 0 {
		h.t.Fatalf("request %d has status %d", kind, status)
	}
	return body
}

// event waits for a frame of the kit and takes everything before it.
func (h *host) event(what string, match func(message) bool) {
	h.t.Helper()
	h.await(what, func() bool {
		i := slices.IndexFunc(h.frames, match)
		h.frames = slices.Delete(h.frames, 0, i+1)
		return i >= 0
	})
}

// printed waits for a console line with text, and takes everything before it.
func (h *host) printed(text string) {
	h.t.Helper()
	h.await("line "+text, func() bool {
		i := slices.IndexFunc(h.lines, func(l string) bool { return strings.Contains(l, text) })
		h.lines = slices.Delete(h.lines, 0, i+1)
		return i >= 0
	})
}

// told waits for a line of the control, and takes everything before it.
func (h *host) told(line string) {
	h.t.Helper()
	h.await("control "+line, func() bool {
		i := slices.Index(h.control, line)
		h.control = slices.Delete(h.control, 0, i+1)
		return i >= 0
	})
}

func (h *host) do(format string, args ...any) {
	h.t.Helper()
	if _, err := fmt.Fprintf(h.out, format+"\n", args...); err != nil {
		h.t.Fatal(err)
	}
}

// state waits until the kit is in it, whatever it told before.
func (h *host) state(want byte) {
	h.t.Helper()
	h.add(func() { h.frames = nil })
	h.must(askStatus)
	h.event(fmt.Sprintf("state %d", want), func(f message) bool { return f.kind == statusEvent && f.data[0] == want })
}

func (h *host) facts() map[byte][]byte {
	h.t.Helper()
	return tags(h.t, h.must(hello))
}

func (h *host) kill() {
	_ = h.cmd.Process.Signal(syscall.SIGKILL)
	_, _ = h.cmd.Process.Wait()
}

func tags(t *testing.T, tlvs []byte) map[byte][]byte {
	t.Helper()
	all := map[byte][]byte{}
	for len(tlvs) > 0 {
		if len(tlvs) < 2 || len(tlvs) < 2+int(tlvs[1]) {
			t.Fatalf("TLVs end early: %x", tlvs)
		}
		all[tlvs[0]] = tlvs[2 : 2+tlvs[1]]
		tlvs = tlvs[2+tlvs[1]:]
	}
	return all
}

func tlv(tag byte, value string) []byte { return append([]byte{tag, byte(len(value))}, value...) }

func part(flags byte, slot, topic, yes, no string) []byte {
	v := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32([]byte{flags}, 0), 100)
	for _, s := range []string{slot, topic, yes, no} {
		v = append(append(v, byte(len(s))), s...)
	}
	return tlv(0x23, string(v))
}

func u16(v int) string { return string(binary.LittleEndian.AppendUint16(nil, uint16(v))) }

const kitName = "blue/lab/kit"

// The design of a kit with a lamp, a button that toggles, brightness and presence.
func design() []byte {
	return slices.Concat(tlv(0x20, kitName), tlv(0x21, "\x04"),
		part(4|8, "light", kitName+"/light", "On", "Off"), part(1|2|8, "button", kitName+"/button", "true", "false"),
		part(1|8, "brightness", kitName+"/brightness", "true", "false"), part(1|8, "presence", kitName+"/presence", "yes", "no"),
		tlv(0x25, "Kit 3"))
}

// settings is all that a kit needs for a broker on this PC.
func settings(port int, secret string) []byte {
	return slices.Concat(tlv(0x10, "Class"), tlv(0x11, "12345678"), tlv(0x12, "127.0.0.1"), tlv(0x13, u16(port)), tlv(0x14, "kit"), tlv(0x15, secret), design())
}

const classNetwork = `network "Class" "12345678" 6 3 -61`

// flashWith is a flash with settings in its first slot, as the flasher leaves it.
func flashWith(t *testing.T, tlvs []byte) string {
	t.Helper()
	flash := bytes.Repeat([]byte{0xff}, 4<<20)
	slot := append([]byte("HRS1\x01\x00"), u16(len(tlvs))...)
	slot = append(binary.LittleEndian.AppendUint32(slot, 1), tlvs...)
	slot = binary.LittleEndian.AppendUint32(slot, crc32.ChecksumIEEE(slot))
	copy(flash[0x3fa000:], slot)
	path := filepath.Join(t.TempDir(), "flash")
	if err := os.WriteFile(path, flash, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func blank(t *testing.T) string { return filepath.Join(t.TempDir(), "flash") }

func hostFrames(t *testing.T, program string) {
	h := start(t, program, blank(t), "--mac", "5c:cf:7f:0a:0b:0c")
	facts := h.facts()
	for tag, want := range map[byte]string{1: "homeroom-kit", 2: "host", 4: "\x0c\x0b\x0a\x00", 5: "\x5c\xcf\x7f\x0a\x0b\x0c", 6: "\x00\x00\x40\x00", 9: "\x01",
		10: "\x00\x00\x00\x00", 11: "\x00\x00\x00\x00", 12: "\x00", 13: "", 14: "\x00", 15: canDo()} {
		if string(facts[tag]) != want {
			t.Errorf("fact %d is %q, not %q", tag, facts[tag], want)
		}
	}
	if status, _ := h.ask(0x3f); status != 1 {
		t.Errorf("an unknown request has status %d", status)
	}
	// The whole, then a change: half of it makes no sense, so nothing of it counts.
	all := settings(1, "hidden")
	body := h.must(writeSettings, all...)
	if want := append([]byte{1, 0, 0, 0}, binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(all))...); !bytes.Equal(body, want) {
		t.Errorf("settings: %x, not %x", body, want)
	}
	if status, _ := h.ask(writeSettings, append(tlv(0x25, "Other"), tlv(0x21, "\x09")...)...); status != 2 {
		t.Errorf("a role that is none has status %d", status)
	}
	body = h.must(readSettings)
	got := tags(t, body[4:])
	if binary.LittleEndian.Uint32(body) != 1 || string(got[0x25]) != "Kit 3" || string(got[0x10]) != "Class" {
		t.Errorf("read %x", body)
	}
	if got[0x11] != nil || got[0x15] != nil || bytes.Contains(body, []byte("12345678")) || bytes.Contains(body, []byte("hidden")) {
		t.Errorf("the kit tells its keys: %q", body)
	}
	if body = h.must(writeSettings, tlv(0x25, "Kit 4")...); body[0] != 2 {
		t.Errorf("the second settings have sequence %d", body[0])
	}
	if body = h.must(writeSettings, tlv(0x25, "Kit 4")...); body[0] != 2 {
		t.Errorf("what changes nothing makes sequence %d", body[0])
	}
	if want := crc32.ChecksumIEEE(bytes.Replace(design(), []byte("Kit 3"), []byte("Kit 4"), 1)); binary.LittleEndian.Uint32(h.facts()[11]) != want {
		t.Errorf("design %x, not %x", h.facts()[11], want)
	}
	h.must(locate, 1)
	h.told("gpio 2 0")
	h.told("gpio 2 1")
	h.must(locate, 0)

	h.must(restart)
	h.told("restart")
	if seq := h.facts()[10]; seq[0] != 2 {
		t.Errorf("after a restart the sequence is %d", seq)
	}
	h.must(forget)
	if facts = h.facts(); facts[10][0] != 0 || facts[12][0] != 0 {
		t.Errorf("after forgetting: sequence %d, state %d", facts[10], facts[12])
	}
	// Noise, half a frame and one with a wrong CRC are nobody's; what follows them is heard.
	wrong := frame(hello, 99, nil)
	wrong[len(wrong)-1] ^= 1
	h.write(slices.Concat([]byte("\x00\xff\x1e\x48\x01"), wrong, []byte("\x1e\x48\x03\x01\xff\xff")))
	h.facts()
}

func hostTests(t *testing.T, program string) {
	h := start(t, program, flashWith(t, append(settings(1, "s"), tlv(0x24, "\x0c\x03button")...)))
	h.facts()
	if status, _ := h.ask(lamp, append([]byte{1}, "light"...)...); status != 3 {
		t.Errorf("a lamp that is not tested has status %d", status)
	}
	h.must(test, 20)
	input := func(slot string, value uint32) {
		t.Helper()
		want := string(binary.LittleEndian.AppendUint32(append([]byte{byte(len(slot))}, slot...), value))
		h.event(fmt.Sprintf("%s %d", slot, value), func(f message) bool { return f.kind == inputEvent && string(f.data) == want })
	}
	input("button", 0)
	h.do("press")
	input("button", 1)
	h.do("release")
	input("button", 0)
	h.do("gpio 12 0") // where the settings put it
	input("button", 1)
	h.do("presence on")
	input("presence", 1)
	h.do("analog 1023")
	input("brightness", 100)
	h.do("analog 0")
	input("brightness", 0)
	h.must(lamp, append([]byte{1}, "light"...)...)
	h.told("gpio 5 1")
	if status, _ := h.ask(lamp, append([]byte{1}, "moon"...)...); status != 2 {
		t.Errorf("a lamp that is not there has status %d", status)
	}
	h.must(test, 0)
	h.told("gpio 5 0") // as it was
}

func hostScans(t *testing.T, program string) {
	h := start(t, program, blank(t))
	for i := range 25 {
		h.do(`network "N %d" "12345678" %d 3 %d`, i, 1+i%11, -40-i)
	}
	h.do(`network "N 24" "12345678" 3 0 -30`)
	h.do("analog 1") // the order of the control is kept
	var body []byte
	for len(body) == 0 {
		body = h.must(scan)
	}
	var names []string
	for len(body) > 4 {
		names = append(names, fmt.Sprintf("%d %d %d %s", int8(body[0]), body[1], body[2], body[4:4+body[3]]))
		body = body[4+body[3]:]
	}
	if len(names) != 20 || names[0] != "-30 0 3 N 24" || names[1] != "-40 3 1 N 0" || names[19] != "-58 3 8 N 18" {
		t.Errorf("networks %q", names)
	}
	wired := start(t, program, blank(t), "--variant", "wired")
	if status, _ := wired.ask(scan); status != 3 {
		t.Errorf("a kit without Wi-Fi scans with status %d", status)
	}
}

// packet is a packet of Improv.
func packet(data ...byte) []byte {
	p := append([]byte("IMPROV\x01\x03"), byte(len(data)))
	p = append(p, data...)
	var sum byte
	for _, b := range p {
		sum += b
	}
	return append(p, sum, '\n')
}

func hostImproves(t *testing.T, program string) {
	h := start(t, program, flashWith(t, append(tlv(0x17, "192.168.1.2:8080"), design()...)))
	h.do(classNetwork)
	improv := func(want string) {
		t.Helper()
		h.await(fmt.Sprintf("Improv %q", want), func() bool {
			i := slices.IndexFunc(h.improv, func(p []byte) bool { return string(p) == want })
			h.improv = slices.Delete(h.improv, 0, i+1)
			return i >= 0
		})
	}
	join := func(key string) {
		h.write(packet(slices.Concat([]byte{1, byte(7 + len(key)), 5}, []byte("Class"), []byte{byte(len(key))}, []byte(key))...))
	}
	h.write(packet(2, 0))
	improv("\x01\x02") // ready
	h.write(packet(3, 0))
	improv("\x04\x03\x21\x0chomeroom-kit\x051.0.0\x07ESP8266\x05Kit 3")
	join("87654321")
	improv("\x01\x03") // it tries
	improv("\x02\x03") // and cannot
	improv("\x01\x02")
	if seq := h.facts()[10]; seq[0] != 1 {
		t.Errorf("the wrong key is kept: sequence %d", seq)
	}
	// The PMK of the same network, as the program keeps it (PBKDF2 of 12345678 and Class).
	join(hex.EncodeToString(pmk("12345678", "Class")))
	improv("\x01\x03")
	improv("\x01\x04")
	improv("\x04\x01\x18\x17http://192.168.1.2:8080")
	h.write(packet(4, 0))
	improv("\x04\x04\x0e\x05Class\x03-61\x03YES")
	improv("\x04\x04\x00")
	h.write([]byte("IMPROV\x01\x03\x01\x02\x00\n"))
	improv("\x02\x01")
	if got := tags(t, h.must(readSettings)[4:]); string(got[0x10]) != "Class" || string(got[0x20]) != kitName {
		t.Errorf("settings %q", got)
	}
}

func hostConsole(t *testing.T, program string) {
	h := start(t, program, blank(t))
	h.do(classNetwork)
	h.printed("Homeroom kit 1.0.0 (host), 5c:cf:7f:01:02:03")
	h.write([]byte("help\r\n"))
	h.printed(`join "NAME" "KEY"`)
	h.write([]byte("fly\n"))
	h.printed("No such command.")
	h.write([]byte("networks\n"))
	h.printed("Class, -61 dBm, channel 6")
	h.write([]byte("join \"Class\" \"12345678\"\n"))
	h.printed("Joining Class")
	h.write([]byte("info\n"))
	h.printed("Network Class")
	h.write([]byte("locate 2\n"))
	h.printed("Blinking for 2 s")
	h.write([]byte("restart\n"))
	h.told("restart")
	h.printed("Homeroom kit")
}

func hostPowerCut(t *testing.T, program string) {
	change := tlv(0x25, "After")
	for _, cut := range []int{0, 1, 2000, 4095, 4096, 4097, 4100, 4108, 4150, 4200, 4300, 4400} {
		flash := flashWith(t, settings(1, "s"))
		h := start(t, program, flash, "--cut", fmt.Sprint(cut))
		h.write(frame(writeSettings, 1, change))
		h.await("end", func() bool {
			return h.ended || slices.ContainsFunc(h.frames, func(f message) bool { return f.kind == writeSettings+0x80 })
		})
		h.kill()
		again := start(t, program, flash)
		body := again.must(readSettings)
		label := string(tags(t, body[4:])[0x25])
		if !(body[0] == 1 && label == "Kit 3") && !(body[0] == 2 && label == "After") {
			t.Errorf("after a cut at byte %d: sequence %d, label %q", cut, body[0], label)
		}
		if cut == 0 && body[0] != 1 || again.must(writeSettings, tlv(0x25, "Later")...)[0] != body[0]+1 {
			t.Errorf("after a cut at byte %d the next settings cannot be written", cut)
		}
	}
}

// broker is a Mosquitto that a kit has an account on.
type broker struct {
	t    *testing.T
	dir  string
	port int
	run  *exec.Cmd
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	for _, name := range []string{"mosquitto", "mosquitto_passwd"} {
		if _, err := exec.LookPath(name); err != nil && (name != "mosquitto" || !exists("/usr/sbin/mosquitto")) {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is missing: make deps installs it", name)
			}
			t.Skipf("%s is missing: make deps installs it", name)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{t: t, dir: t.TempDir(), port: l.Addr().(*net.TCPAddr).Port}
	_ = l.Close()
	conf := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous false\npassword_file %s/passwords\nacl_file %[2]s/acl\nuser root\nlog_dest none\n", b.port, b.dir)
	for name, text := range map[string]string{"passwords": "", "conf": conf, "acl": "user teacher\ntopic readwrite #\nuser kit\ntopic readwrite " + kitName + "/#\n"} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, user := range []string{"kit", "teacher"} {
		if out, err := exec.Command("mosquitto_passwd", "-b", filepath.Join(b.dir, "passwords"), user, "secret").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	b.start()
	return b
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (b *broker) start() {
	b.t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto" // where Debian has it; not every PATH has that
	}
	run := exec.Command(program, "-c", filepath.Join(b.dir, "conf"))
	b.run = run
	if err := run.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = run.Process.Kill(); _ = run.Wait() })
	for range 1000 {
		if c, err := net.Dial("tcp", b.addr()); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatal("mosquitto does not start")
}

func (b *broker) stop() {
	_ = b.run.Process.Kill()
	_ = b.run.Wait()
}

func (b *broker) addr() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

// teacher sees everything on a broker.
type teacher struct {
	t       *testing.T
	client  paho.Client
	mu      sync.Mutex
	changed *sync.Cond
	got     []string // guarded by mu
}

func (b *broker) teacher() *teacher {
	b.t.Helper()
	c := &teacher{t: b.t}
	c.changed = sync.NewCond(&c.mu)
	c.client = paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + b.addr()).SetUsername("teacher").SetPassword("secret").SetClientID(fmt.Sprint("t", time.Now().UnixNano())).SetOrderMatters(true).SetAutoReconnect(false))
	if token := c.client.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		b.t.Fatalf("the teacher is not on the broker: %v", token.Error())
	}
	b.t.Cleanup(func() { c.client.Disconnect(0) })
	take := func(_ paho.Client, m paho.Message) {
		c.mu.Lock()
		defer c.mu.Unlock()
		text := strings.TrimPrefix(m.Topic(), kitName+"/") + " " + string(m.Payload())
		if m.Retained() {
			text += " retained"
		}
		c.got = append(c.got, text)
		c.changed.Broadcast()
	}
	if token := c.client.Subscribe("#", 1, take); !token.WaitTimeout(patience) || token.Error() != nil {
		b.t.Fatalf("%v", token.Error())
	}
	return c
}

// sees waits for a message and takes everything before it, which it returns.
func (c *teacher) sees(start string) (last string, before []string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	late := false
	timer := time.AfterFunc(patience, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		late = true
		c.changed.Broadcast()
	})
	defer timer.Stop()
	for {
		if i := slices.IndexFunc(c.got, func(m string) bool { return strings.HasPrefix(m, start) }); i >= 0 {
			last, before = c.got[i], slices.Clone(c.got[:i])
			c.got = c.got[i+1:]
			return last, before
		}
		if late {
			c.t.Fatalf("no %q; there was %q", start, c.got)
		}
		c.changed.Wait()
	}
}

func (c *teacher) says(last, payload string) {
	c.t.Helper()
	if token := c.client.Publish(kitName+"/"+last, 1, false, payload); !token.WaitTimeout(patience) || token.Error() != nil {
		c.t.Fatalf("%v", token.Error())
	}
}

func hostBroker(t *testing.T, program string) {
	b := newBroker(t)
	eyes := b.teacher()
	flash := flashWith(t, settings(b.port, "secret"))
	h := start(t, program, flash)
	h.do("analog 300")
	h.do(classNetwork)
	eyes.sees("$state ready")
	info, before := eyes.sees("$info ")
	var told struct {
		FW, Image, MAC, IP, Design     string
		RSSI, Uptime, Heap, Seq, Flash int
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(info, "$info ")), &told); err != nil {
		t.Errorf("%s: %v", info, err)
	}
	if told.FW != "1.0.0" || told.MAC != "5c:cf:7f:01:02:03" || told.IP != "127.0.0.1" || told.RSSI != -61 || told.Seq != 1 || told.Flash != 4<<20 ||
		told.Design != fmt.Sprintf("%08x", crc32.ChecksumIEEE(design())) {
		t.Errorf("$info %+v", told)
	}
	for _, want := range []string{"light Off", "presence no", "brightness 29"} {
		if !slices.Contains(before, want) {
			t.Errorf("the snapshot lacks %q: %q", want, before)
		}
	}
	h.state(3)

	// A press is told once, at the change; a bounce and a rest are not.
	h.do("press\nrelease\npress") // at once
	eyes.sees("button true")
	h.do("release")
	h.do("presence on")
	if _, before := eyes.sees("presence yes"); slices.ContainsFunc(before, func(m string) bool { return strings.HasPrefix(m, "button") }) {
		t.Errorf("one press, and then %q", before)
	}
	eyes.says("light/set", "on")
	h.told("gpio 5 1")
	h.printed("Received a message with topic 'blue/lab/kit/light/set', length 2 bytes: on")
	eyes.sees("light On")

	// What does not fit is told, and the kit goes on.
	eyes.says("light/set", strings.Repeat("x", 5000))
	h.printed("Too large: a message with topic 'blue/lab/kit/light/set', length 5000 bytes")
	eyes.says("$do", "settings "+strings.Repeat("x", 5000))
	eyes.sees("$told settings bad")
	eyes.says("light/set", "off")
	h.told("gpio 5 0")

	h.kill()
	eyes.sees("$state lost")
	late := b.teacher()
	late.sees("$state lost retained")

	again := start(t, program, flash)
	again.do(classNetwork)
	eyes.sees("$state ready")
}

// hostAway is a broker that goes and comes back: the button works all the while, and
// what it did is told.
func hostAway(t *testing.T, program string) {
	b := newBroker(t)
	flash := flashWith(t, settings(b.port, "secret"))
	h := start(t, program, flash)
	h.do(classNetwork)
	h.state(3)
	b.stop()
	h.event("that it lost the broker", func(f message) bool { return f.kind == statusEvent && f.data[0] == 4 && f.data[1] == 7 })
	h.event("that the broker is away", func(f message) bool { return f.kind == statusEvent && f.data[0] == 4 && f.data[1] == 4 })
	h.must(test, 255)
	for range 3 { // on, off, on
		h.do("press")
		h.event("press", func(f message) bool { return f.kind == inputEvent && string(f.data) == "\x06button\x01\x00\x00\x00" })
		h.do("release")
		h.event("release", func(f message) bool { return f.kind == inputEvent && string(f.data) == "\x06button\x00\x00\x00\x00" })
	}
	b.start()
	eyes := b.teacher()
	if _, before := eyes.sees("button true"); slices.ContainsFunc(before, func(m string) bool { return strings.HasPrefix(m, "button") }) {
		t.Errorf("also old states: %q", before)
	}
	// And a network that goes and comes back.
	h.do("network-off")
	h.event("that it lost the network", func(f message) bool { return f.kind == statusEvent && f.data[0] == 4 && f.data[1] == 1 })
	h.do(classNetwork)
	h.state(3)
}

func hostDenied(t *testing.T, program string) {
	b := newBroker(t)
	h := start(t, program, flashWith(t, settings(b.port, "wrong")))
	h.do(`network "Class" "other key" 6 3 -61`)
	h.event("wrong key", func(f message) bool { return f.kind == statusEvent && f.data[0] == 4 && f.data[1] == 2 })
	h.do(classNetwork)
	h.event("wrong secret", func(f message) bool { return f.kind == statusEvent && f.data[0] == 4 && f.data[1] == 5 })
	h.must(writeSettings, tlv(0x15, "secret")...)
	h.state(3)
	// A key that is none.
	h.must(writeSettings, tlv(0x16, "\x30\x59")...)
	h.event("TLS", func(f message) bool { return f.kind == statusEvent && f.data[0] == 4 && f.data[1] == 8 })
}

func hostOrders(t *testing.T, program string) {
	b := newBroker(t)
	eyes := b.teacher()
	h := start(t, program, flashWith(t, settings(b.port, "secret")))
	h.do(classNetwork)
	eyes.sees("$info ")
	eyes.says("$do", "info")
	eyes.sees("$info ")
	eyes.says("$do", "locate 1")
	eyes.sees("$told locate ok")
	h.told("gpio 2 0")
	h.told("gpio 2 1")
	eyes.says("$do", "settings "+string(tlv(0x21, "\x09")))
	eyes.sees("$told settings bad")

	// Another label: it says goodbye, not lost, and comes back with it.
	eyes.says("$do", "settings "+string(tlv(0x25, "Kit 4")))
	want := fmt.Sprintf("$told settings ok 2 %08x", crc32.ChecksumIEEE(bytes.Replace(design(), []byte("Kit 3"), []byte("Kit 4"), 1)))
	if got, _ := eyes.sees("$told settings ok"); got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if _, before := eyes.sees("$state ready"); slices.Contains(before, "$state lost") {
		t.Errorf("a change of settings was a loss: %q", before)
	}
	eyes.sees("$info ")

	eyes.says("$do", "restart")
	eyes.sees("$state disconnected")
	h.told("restart")
	eyes.sees("$state ready")
	if seq := h.facts()[10]; seq[0] != 2 {
		t.Errorf("sequence %d after the restart", seq)
	}

	eyes.says("$do", "forget")
	eyes.sees("$told forget ok")
	h.state(0)
	if facts := h.facts(); facts[10][0] != 0 || len(tags(t, h.must(readSettings)[4:])) != 0 {
		t.Errorf("after forgetting the sequence is %d", facts[10])
	}
}

func hostUpdates(t *testing.T, program string) {
	b := newBroker(t)
	eyes := b.teacher()
	image := bytes.Repeat([]byte("an image "), 3000)
	image = append(image, "@HOMEROOM-FIRMWARE@wifi@1.0.1@ and more"...)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/image":
			_, _ = w.Write(image)
		case "/half":
			w.Header().Set("Content-Length", fmt.Sprint(len(image)))
			_, _ = w.Write(image[:1000])
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(page.Close)
	flash := flashWith(t, slices.Concat(settings(b.port, "secret")[:0], tlv(0x10, "Class"), tlv(0x11, "12345678"), tlv(0x12, "127.0.0.1"), tlv(0x13, u16(b.port)),
		tlv(0x14, "kit"), tlv(0x15, "secret"), tlv(0x17, strings.TrimPrefix(page.URL, "http://")), design()))
	h := start(t, program, flash)
	h.do(classNetwork)
	eyes.sees("$info ")
	sum := md5.Sum(image)
	right, size := hex.EncodeToString(sum[:]), len(image)
	for _, c := range []struct {
		path   string
		size   int
		md5    string
		reason string
	}{
		{"/image", size, strings.Repeat("0", 32), "md5"},
		{"/image", size - 1, right, "size"},
		{"/half", size, right, "size"},
		{"/none", size, right, "http 404"},
		{"/image", 3 << 20, right, "space"},
		{"/image", 0, right, "size"},
		{"/image", size, "abc", "md5"},
	} {
		eyes.says("$do", fmt.Sprintf("update %s %d %s 1.0.1", c.path, c.size, c.md5))
		if got, _ := eyes.sees("$told update failed"); got != "$told update failed "+c.reason {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if v := string(h.facts()[3]); v != "1.0.0" {
		t.Errorf("after updates that failed it is %s", v)
	}
	eyes.says("$do", fmt.Sprintf("update /image %d %s 1.0.1", size, right))
	eyes.sees("$told update start 1.0.1")
	eyes.sees("$told update ok 1.0.1")
	h.told("update " + right)
	h.told("restart")
	if info, _ := eyes.sees("$info "); !strings.Contains(info, `"fw":"1.0.1","image":"wifi"`) {
		t.Errorf("after the update: %s", info)
	}
	h.must(writeSettings, tlv(0x17, "127.0.0.1:1")...)
	eyes.sees("$info ")
	eyes.says("$do", fmt.Sprintf("update /image %d %s 1.0.2", size, right))
	eyes.sees("$told update failed connect")
}

// dice are thrown by both directions of a bridge.
type dice struct {
	mu   sync.Mutex
	from *rand.Rand // guarded by mu
}

func (d *dice) roll(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.from.IntN(n)
}

// bridge is the program on the cable: it carries bytes between the kit and a broker,
// over a line that loses and damages frames.
func bridge(t *testing.T, h *host, addr string) {
	bad := &dice{from: rand.New(rand.NewPCG(1, 2))}
	var conn net.Conn
	var replies chan byte
	said := false // the last frame that came was answered
	var last byte
	send := func(kind, seq byte, data []byte) {
		f := frame(kind, seq, data)
		switch bad.roll(8) {
		case 0:
			return
		case 1:
			f[bad.roll(len(f))] ^= 1 << bad.roll(8)
		}
		_, _ = h.in.Write(f)
	}
	for {
		h.mu.Lock()
		for len(h.frames) == 0 && !h.ended {
			h.changed.Wait()
		}
		if h.ended {
			h.mu.Unlock()
			if conn != nil {
				_ = conn.Close()
			}
			return
		}
		f := h.frames[0]
		h.frames = h.frames[1:]
		h.mu.Unlock()
		switch {
		case bad.roll(8) == 0: // lost
		case f.kind == cableOpen:
			if conn != nil {
				_ = conn.Close()
			}
			c, err := net.Dial("tcp", addr)
			if err != nil {
				send(cableOpen+0x80, f.seq, []byte{3})
				continue
			}
			conn, said = c, false
			replies = make(chan byte, 1)
			go carry(c, replies, send)
			send(cableOpen+0x80, f.seq, []byte{0})
		case f.kind == cableData && conn == nil:
			send(cableData+0x80, f.seq, []byte{3})
		case f.kind == cableData:
			if !said || last != f.seq {
				_, _ = conn.Write(f.data)
			}
			said, last = true, f.seq
			send(cableData+0x80, f.seq, []byte{0})
		case f.kind == cableData+0x80 && replies != nil:
			select {
			case replies <- f.seq:
			default:
			}
		case f.kind == cableClose:
			if conn != nil {
				_ = conn.Close()
				conn = nil
			}
			send(cableClose+0x80, f.seq, []byte{0})
		}
	}
}

// carry brings what the broker says to the kit, a block at a time.
func carry(from net.Conn, replies <-chan byte, send func(kind, seq byte, data []byte)) {
	block := make([]byte, 128)
	for seq := byte(0); ; seq++ {
		n, err := from.Read(block)
		if err != nil {
			return
		}
		for tries, done := 0, false; !done; tries++ {
			if tries == 6 {
				_ = from.Close()
				return
			}
			send(cableData, seq, block[:n])
			wait := time.After(300 * time.Millisecond)
		waiting:
			for {
				select {
				case r := <-replies:
					if done = r == seq; done {
						break waiting
					}
				case <-wait:
					break waiting
				}
			}
		}
	}
}

func hostCable(t *testing.T, program string) {
	b := newBroker(t)
	eyes := b.teacher()
	all := slices.Concat(tlv(0x12, "x"), tlv(0x13, u16(b.port)), tlv(0x14, "kit"), tlv(0x15, "secret"), tlv(0x18, "\x01"), design())
	h := start(t, program, flashWith(t, all), "--variant", "wired")
	var bridging sync.WaitGroup
	bridging.Go(func() { bridge(t, h, b.addr()) })
	t.Cleanup(func() {
		_ = h.in.Close()
		bridging.Wait()
	})
	if info, _ := eyes.sees("$info "); strings.Contains(info, `"ip"`) || !strings.Contains(info, `"image":"wired"`) {
		t.Errorf("over the cable: %s", info)
	}
	for range 5 {
		h.do("presence on")
		eyes.sees("presence yes")
		h.do("presence off")
		eyes.sees("presence no")
	}
	for range 5 {
		eyes.says("light/set", "on")
		eyes.sees("light On")
		eyes.says("light/set", "off")
		eyes.sees("light Off")
	}
	eyes.says("$do", "settings "+string(tlv(0x25, strings.Repeat("a long label ", 4))))
	eyes.sees("$told settings ok 2 ")
	eyes.sees("$state ready")
}

func hostNoProgram(t *testing.T, program string) {
	all := slices.Concat(tlv(0x12, "x"), tlv(0x13, u16(1)), tlv(0x14, "kit"), tlv(0x15, "secret"), tlv(0x18, "\x01"), design())
	h := start(t, program, flashWith(t, all), "--variant", "wired")
	var opened message
	open := func(f message) bool {
		opened = f
		return f.kind == cableOpen
	}
	h.event("open", open)
	h.write(frame(cableOpen+0x80, opened.seq, []byte{3}))
	h.event("that there is no program", func(f message) bool { return f.kind == statusEvent && f.data[0] == 4 && f.data[1] == 9 })
	// Now there is one, which answers every open.
	connect := func(f message) bool { return f.kind == cableData && f.data[0] == 0x10 }
	for connected := false; !connected; {
		h.event("open again or CONNECT", func(f message) bool {
			connected = connect(f)
			return connected || open(f)
		})
		h.write(frame(cableOpen+0x80, opened.seq, []byte{0}))
	}
	// Nobody answers: it comes again with the same number, then it is over.
	for range 5 {
		h.event("CONNECT again", func(f message) bool { return connect(f) && f.seq == 0 })
	}
	h.event("that the connection is over", func(f message) bool { return f.kind == statusEvent && f.data[0] == 4 && f.data[1] == 7 })
	// What nobody opened is refused; what was closed too.
	if status, _ := h.ask(cableData, 1, 2, 3); status != 3 {
		t.Errorf("data without a connection has status %d", status)
	}
	if status, _ := h.ask(cableClose); status != 0 {
		t.Errorf("close has status %d", status)
	}
}

// hostFallsBack gives a kit settings with which it does not find the broker.
func hostFallsBack(t *testing.T, program string) {
	b := newBroker(t)
	eyes := b.teacher()
	flash := flashWith(t, settings(b.port, "secret"))
	h := start(t, program, flash, "--trial", "1000")
	h.do(classNetwork)
	eyes.sees("$info ")
	eyes.says("$do", "settings "+string(tlv(0x13, u16(1))))
	eyes.sees("$state disconnected")
	eyes.sees("$told settings ok 2")
	h.printed("Back to the older settings")
	if info, _ := eyes.sees("$info "); !strings.Contains(info, `"seq":1,`) {
		t.Errorf("after falling back: %s", info)
	}
	// Also after a power cut in the middle of the trial.
	eyes.says("$do", "settings "+string(tlv(0x10, "Nowhere")))
	eyes.sees("$state disconnected")
	eyes.sees("$told settings ok 2")
	h.kill()
	h = start(t, program, flash, "--trial", "1000")
	h.do(classNetwork)
	h.printed("Back to the older settings")
	if info, _ := eyes.sees("$info "); !strings.Contains(info, `"seq":1,`) {
		t.Errorf("after a power cut and falling back: %s", info)
	}
	// A change in a trial does not cost the way back.
	h.must(writeSettings, tlv(0x10, "Nowhere")...)
	h.must(writeSettings, tlv(0x10, "Elsewhere")...)
	h.printed("Back to the older settings")
	h.state(3)
	// The design may change as it likes: there is nothing to fall back from.
	h.must(writeSettings, tlv(0x25, "Kit 9")...)
	h.state(3)
	if seq := h.facts()[10]; seq[0] != 2 {
		t.Errorf("sequence %d", seq)
	}
}

// hostImage starts what the flash says.
func hostImage(t *testing.T, program string) {
	path := flashWith(t, design())
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("\xe9 code @HOMEROOM-FIRMWARE@wired@3.2.1@"), 4096); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	facts := start(t, program, path).facts()
	if string(facts[2]) != "wired" || string(facts[3]) != "3.2.1" || facts[15][0] != 0 {
		t.Errorf("%s %s can %d", facts[2], facts[3], facts[15])
	}
}

func hostOptions(t *testing.T, program string) {
	small := filepath.Join(t.TempDir(), "small")
	if err := os.WriteFile(small, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{}, {"--flash"}, {"--flash", small}, {"--fly", "x"}, {"--flash", blank(t), "--mac", "5c:cf"}, {"--flash", blank(t), "--variant", "moon"}, {"--flash", blank(t), "--mdns", "nowhere:5353"}, {"--flash", blank(t), "--mdns", "127.0.0.1"}} {
		out, err := exec.Command(program, args...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.HasPrefix(string(out), "host: ") {
			t.Errorf("%q: %v, %s", args, err, out)
		}
	}
}

// pmk is what the program keeps of a Wi-Fi key.
func pmk(key, ssid string) []byte {
	pmk, err := pbkdf2.Key(sha1.New, key, []byte(ssid), 4096, 32)
	if err != nil {
		panic(err)
	}
	return pmk
}

// TestMonkey plays with the firmware at random. MONKEY is for how many ticks.
func TestMonkey(t *testing.T) {
	t.Parallel()
	program := buildProgram(t, "host/monkey.cpp")
	ticks := number(t, "MONKEY", "40000")
	for seed := range 4 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			out, err := run(program, fmt.Sprint(seed), ticks)
			if err != nil || strings.HasPrefix(out, "0 ") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestSketch checks what only the Arduino core can build, against declarations in
// the shape of the core's.
func TestSketch(t *testing.T) {
	t.Parallel()
	gxx := compiler(t, "g++")
	sources := append(core(t), "kit/src/hal_esp8266.cpp", "kit/kit.ino")
	args := append(slices.Clone(flags), "-Ihost/arduino", "-include", "ESP8266WiFi.h", "-fsyntax-only", "-x", "c++")
	if out, err := exec.Command(gxx, append(args, sources...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// The board runs, on a core that does what the real one does.
	program := buildProgram(t, "host/board.cpp", "host/arduino/core.cpp", "host/digest.cpp", "kit/src/hal_esp8266.cpp", "kit/src/mark.cpp")
	if out, err := run(program); err != nil || !strings.HasSuffix(out, " checks, 0 failed\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if b, err := os.ReadFile(program); err != nil || !bytes.Contains(b, []byte("@HOMEROOM-FIRMWARE@wifi@1.0.0@")) {
		t.Errorf("the image would not tell what it is: %v", err)
	}
}

// TestSketchOnChip compiles the sketch for the chip as the core does. What it calls in
// an interrupt must be in RAM: the flash may be busy then.
func TestSketchOnChip(t *testing.T) {
	t.Parallel()
	gcc := compiler(t, "xtensa-lx106-elf-gcc")
	folder := t.TempDir()
	out, err := exec.Command("../.ci/firmware", "sketch", folder).CombinedOutput()
	if err != nil {
		lacksLibrary(t, string(out))
		t.Fatalf("%v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.su"))
	if err != nil || len(files) != len(core(t))+3 {
		t.Fatalf("%v: %d objects, and %d parts", err, len(files), len(core(t)))
	}
	for _, file := range files {
		littleStack(t, file)
	}
	out, err = exec.Command(strings.TrimSuffix(gcc, "gcc")+"objdump", "-r", filepath.Join(folder, "hal_esp8266.cpp.o")).Output()
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	for section := range strings.SplitSeq(string(out), "RELOCATION RECORDS FOR ") {
		for line := range strings.Lines(section) {
			f := strings.Fields(line)
			if strings.HasPrefix(section, "[.iram.") && len(f) == 3 && f[1] == "R_XTENSA_32" && !strings.HasPrefix(f[2], ".bss") {
				called[f[2]] = true
			}
		}
	}
	// The core has these two in RAM.
	if want := map[string]bool{"millis": true, "digitalRead": true}; !maps.Equal(called, want) {
		t.Errorf("an interrupt calls %v", called)
	}
}

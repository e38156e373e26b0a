package firmware

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"homeroom/firmware/images"
)

// Here runs what the bare chip runs, on its instruction set, in QEMU. Nothing of
// it has been tried on hardware.

// portable has .ci/firmware compile the kit's portable parts for QEMU, once.
var portable = sync.OnceValues(func() (folder string, err error) {
	folder = filepath.Join(shop.folder, "lx106")
	out, err := exec.Command("../.ci/firmware", "core", folder).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return folder, err
})

// linked has .ci/firmware link something for the lx106, from folder, where the
// project is.
func linked(t *testing.T, folder, what string, sources ...string) (program string) {
	t.Helper()
	compiler(t, "xtensa-lx106-elf-gcc")
	program = filepath.Join(t.TempDir(), what+".elf")
	shared := ""
	if what == "qemu" || what == "test" {
		var err error
		if shared, err = portable(); err != nil {
			lacksLibrary(t, err.Error())
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(folder, ".ci", "firmware"), append([]string{what, program}, sources...)...)
	cmd.Env = append(os.Environ(), "KIT_CORE="+shared)
	if out, err := cmd.CombinedOutput(); err != nil {
		lacksLibrary(t, string(out))
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// lacksLibrary skips the test where .ci/firmware says that picolibc is missing.
func lacksLibrary(t *testing.T, said string) {
	t.Helper()
	if strings.Contains(said, "no picolibc") {
		missing(t, "picolibc for the chip")
	}
}

// qemu starts a program in a folder. It cannot go on for longer than a minute.
func qemu(t *testing.T, program, folder string, args ...string) *exec.Cmd {
	t.Helper()
	path := compiler(t, "qemu-system-xtensa")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // t.Context ends before the kit is told to
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, path, "-M", "sim", "-cpu", "lx106", "-semihosting", "-display", "none", "-monitor", "none", "-serial", "none",
		"-append", strings.Join(args, " "), "-kernel", program)
	cmd.Dir = folder
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// output runs a test program. Its input stays open: a kit whose cable is pulled ends.
func output(t *testing.T, program, folder string, args ...string) (string, error) {
	t.Helper()
	cmd := qemu(t, program, folder, args...)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestLX106 runs the tests of the host on the chip's instruction set.
func TestLX106(t *testing.T) {
	t.Run("units", func(t *testing.T) {
		t.Parallel()
		out, err := output(t, linked(t, "..", "test", "firmware/host/unit.cpp"), ".")
		if err != nil || !strings.Contains(out, " checks, 0 failed") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	for name, pattern := range map[string]string{"replay": "*.txt", "vectors": "*.vectors"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob("testdata/" + pattern)
			if err != nil || len(files) < 3 {
				t.Fatal("no testdata", err)
			}
			program := linked(t, "..", "test", "firmware/host/"+name+".cpp")
			out, err := output(t, program, ".", files...)
			if err != nil || !strings.Contains(out, " 0 failed") {
				t.Errorf("%v\n%s", err, out)
			}
			// And it sees where one is wrong.
			text, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			text = append(bytes.TrimSpace(text), "00\n"...)
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "wrong"), text, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := output(t, program, folder, "wrong"); err == nil || !strings.Contains(out, "1 failed") {
				t.Errorf("wrong %s pass: %v %s", name, err, out)
			}
		})
	}
}

// TestLX106Board checks the wired kit's registers, flash, clock, interrupts and
// faults against what stands in for the chip, and its division against Go's.
func TestLX106Board(t *testing.T) {
	t.Parallel()
	out, err := output(t, linked(t, "..", "board"), t.TempDir())
	if err != nil || !strings.HasSuffix(out, "\n0 failed\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := fmt.Sprintf("divisions %d\n", divisions()); !strings.Contains(out, want) {
		t.Errorf("no %q in\n%s", want, out)
	}
}

// divisions does what wired/qemu/board.cpp does.
func divisions() uint32 {
	state, crc := uint32(1), uint32(0)
	next := func() uint32 {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		return state
	}
	for i := range 20000 {
		a, b := uint64(next())<<32, uint64(next())<<32
		a |= uint64(next())
		b |= uint64(next())
		a >>= next() % 64
		b >>= next() % 64
		if i%100 == 0 {
			a = 1 << 63
		}
		signed := b &^ (1 << 63)
		if uint32(b) == 0 {
			b |= 1
		}
		if signed&0x7fffffff == 0 {
			signed |= 3
		}
		u, v, s, t := uint32(a), uint32(b), int64(a), int64(signed)
		p, q := int32(a), int32(signed&0x7fffffff)
		var got []byte
		for _, n := range []uint64{a / b, a % b, a * b, uint64(u / v), uint64(u % v), uint64(u) * uint64(v), uint64(s / t), uint64(s % t), uint64(p / q), uint64(p % q), uint64(-s / t)} {
			got = binary.LittleEndian.AppendUint64(got, n)
		}
		crc = crc32.Update(crc, crc32.IEEETable, got)
	}
	return crc
}

// wired is the wired kit in QEMU, as the harness of the host has a kit.
type wired struct {
	*host
	folder string
}

func startWired(t *testing.T, program, flash string) *wired {
	t.Helper()
	w := &wired{&host{t: t}, t.TempDir()}
	w.changed = sync.NewCond(&w.mu)
	w.world(false, false, 438, flash)
	w.cmd = qemu(t, program, w.folder)
	in, err := w.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	pins, err := w.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.in = in
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { w.split(out) })
	reading.Go(func() {
		for s := bufio.NewScanner(pins); s.Scan(); {
			w.add(func() { w.control = append(w.control, s.Text()) })
		}
	})
	t.Cleanup(func() {
		_ = w.in.Close()
		reading.Wait()
		if err := w.cmd.Wait(); err != nil {
			t.Errorf("the kit did not end when its cable was pulled: %v", err)
		}
		if t.Failed() {
			t.Logf("console: %q\npins: %q", w.lines, w.control)
		}
	})
	return w
}

// world sets what the kit's pins see: its button on GPIO 4, presence on 14, what
// the converter gives; and whether its flash can be written.
func (w *wired) world(pressed, present bool, light int, flash string) {
	w.t.Helper()
	levels := []byte("11111111111111111")
	if pressed {
		levels[4] = '0'
	}
	if !present {
		levels[14] = '0'
	}
	path := filepath.Join(w.folder, "pins")
	if err := os.WriteFile(path+".new", fmt.Appendf(nil, "%s\n%d\n%s\n", levels, light, flash), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		w.t.Fatal(err)
	}
}

func cable(port int) []byte {
	return slices.Concat(tlv(0x12, "x"), tlv(0x13, u16(port)), tlv(0x14, "kit"), tlv(0x15, "secret"), tlv(0x18, "\x01"), design())
}

// TestLX106Kit talks to the whole wired kit: first as somebody who sets it up, then
// over a bad cable with a broker.
func TestLX106Kit(t *testing.T) {
	t.Parallel()
	program := linked(t, "..", "qemu")
	t.Run("frames", func(t *testing.T) { t.Parallel(); wiredFrames(t, program) })
	t.Run("cable", func(t *testing.T) { t.Parallel(); wiredCable(t, program) })
}

func wiredFrames(t *testing.T, program string) {
	w := startWired(t, program, "broken")
	w.printed("Homeroom kit")
	facts := w.facts()
	for tag, want := range map[byte]string{1: "homeroom-kit", 2: "wired", 4: "\x03\x02\x01\x00", 5: "\x5c\xcf\x7f\x01\x02\x03", 6: "\x00\x00\x40\x00", 9: "\x01",
		10: "\x00\x00\x00\x00", 12: "\x00", 15: "\x00"} {
		if string(facts[tag]) != want {
			t.Errorf("fact %d is %q, not %q", tag, facts[tag], want)
		}
	}
	// The largest frame there is, and many bytes that mean nothing, come faster than a tick.
	// A PC that has much to do may pause in the middle of the frame, which is dropped then.
	for again, answered := 0, false; !answered; again++ {
		if again == 10 {
			t.Fatal("no answer to the largest frame")
		}
		w.write(bytes.Repeat([]byte("nothing that means anything\r"), 30))
		w.write(append([]byte{'\n'}, frame(0x3f, 0, bytes.Repeat([]byte{0x1e, 0x48}, 512))...))
		w.facts() // what is asked after it is answered after it
		w.await("frames", func() bool {
			answered = slices.ContainsFunc(w.frames, func(f message) bool { return f.kind == 0xbf && f.data[0] == 1 })
			return true
		})
	}

	if status, _ := w.ask(writeSettings, cable(1)...); status != 4 {
		t.Errorf("on a broken flash settings have status %d", status)
	}
	w.world(false, false, 438, "ok")
	status, body := w.ask(writeSettings, cable(1)...)
	for begun := time.Now(); status == 4 && time.Since(begun) < patience; { // until it has seen that
		status, body = w.ask(writeSettings, cable(1)...)
	}
	if status != 0 || body[0] != 1 {
		t.Errorf("the first settings have status %d, sequence %d", status, body)
	}
	if status, _ := w.ask(scan); status == 0 {
		t.Error("a kit without a radio finds networks")
	}
	w.must(restart)
	w.printed("Homeroom kit")
	if facts = w.facts(); facts[10][0] != 1 {
		t.Errorf("after a restart the sequence is %d", facts[10])
	}

	// Its inputs and lamp.
	w.must(test, 60)
	w.world(true, false, 438, "ok")
	w.event("the button", func(f message) bool { return f.kind == inputEvent && string(f.data) == "\x06button\x01\x00\x00\x00" })
	w.world(false, false, 438, "ok")
	w.event("the button again", func(f message) bool { return f.kind == inputEvent && string(f.data) == "\x06button\x00\x00\x00\x00" })
	w.world(false, true, 438, "ok")
	w.event("presence", func(f message) bool { return f.kind == inputEvent && string(f.data) == "\x08presence\x01\x00\x00\x00" })
	w.world(false, true, 474, "ok")
	w.event("brightness", func(f message) bool {
		return f.kind == inputEvent && strings.HasPrefix(string(f.data), "\x0abrightness") && f.data[11] > 90
	})
	w.must(lamp, append([]byte{1}, "light"...)...)
	w.told("5 1")
	w.must(lamp, append([]byte{0}, "light"...)...)
	w.told("5 0")
	w.must(test, 0)
	w.must(forget)
	if facts = w.facts(); facts[10][0] != 0 {
		t.Errorf("after forgetting the sequence is %d", facts[10])
	}
	w.write([]byte("info\n"))
	w.printed("wired")
}

func wiredCable(t *testing.T, program string) {
	b := newBroker(t)
	eyes := b.teacher()
	w := startWired(t, program, "ok")
	w.must(writeSettings, cable(b.port)...)
	var bridging sync.WaitGroup
	bridging.Go(func() { bridge(t, w.host, b.addr()) })
	t.Cleanup(func() {
		_ = w.in.Close()
		bridging.Wait()
	})
	info := struct {
		Image string
		Heap  int
	}{}
	said, _ := eyes.sees("$info ")
	if err := json.Unmarshal([]byte(strings.TrimPrefix(said, "$info ")), &info); err != nil || info.Image != "wired" {
		t.Errorf("%v: %s", err, said)
	}
	for _, want := range []string{"true", "false", "true"} { // each press is the other
		w.world(true, false, 438, "ok")
		eyes.sees("button " + want)
		w.world(false, false, 438, "ok")
		time.Sleep(100 * time.Millisecond) // until the contact has rested
	}
	w.world(false, true, 438, "ok")
	eyes.sees("presence yes")
	w.world(false, true, 472, "ok")
	eyes.sees("brightness 9")
	for range 3 {
		eyes.says("light/set", "on")
		eyes.sees("light On")
		w.told("5 1")
		eyes.says("light/set", "off")
		eyes.sees("light Off")
		w.told("5 0")
	}
	eyes.says("$do", "update /image 1000 0123456789abcdef0123456789abcdef 1.0.1")
	eyes.sees("$told update failed here")
	eyes.says("$do", "settings "+string(tlv(0x25, strings.Repeat("a long label ", 4))))
	eyes.sees("$told settings ok 2 ")
	eyes.sees("$state ready")
	eyes.says("$do", "restart")
	eyes.sees("$state disconnected")
	eyes.sees("$state ready")
	eyes.says("$do", "info")
	said, _ = eyes.sees("$info ")
	if err := json.Unmarshal([]byte(strings.TrimPrefix(said, "$info ")), &info); err != nil || info.Heap < 32<<10 {
		t.Errorf("%v: the stack leaves less than 32 KiB: %s", err, said)
	}
	t.Logf("the stack leaves %d bytes", info.Heap)
}

// TestWiredImage makes the wired kit's image again, in another folder, and wants
// the bytes that are bundled.
func TestWiredImage(t *testing.T) {
	t.Parallel()
	compiler(t, "xtensa-lx106-elf-gcc")
	m, err := images.Bundled()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(m.Builds, func(b images.Build) bool { return b.Variant == "wired" })
	if i < 0 || m.Version == "" || m.Builds[i].Version != m.Version {
		t.Fatalf("no wired kit in %+v", m)
	}
	elsewhere := t.TempDir()
	for _, folder := range []string{".ci", "firmware/wired", "firmware/kit"} {
		if folder == ".ci" {
			text, err := os.ReadFile("../.ci/firmware")
			if err == nil {
				err = os.MkdirAll(filepath.Join(elsewhere, folder), 0o700)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(elsewhere, folder, "firmware"), text, 0o700)
			}
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.CopyFS(filepath.Join(elsewhere, folder), os.DirFS("../"+folder)); err != nil {
			t.Fatal(err)
		}
	}
	tools, err := exec.Command("../.ci/firmware", "toolchain").Output()
	if err != nil {
		t.Fatal(err)
	}
	program, made := linked(t, elsewhere, "elf"), t.TempDir()
	if out, err := exec.Command("go", "run", "-buildvcs=false", "images/make.go", "-folder", made, "-elf", program).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := os.ReadFile(filepath.Join(made, "wired.bin"))
	if err != nil {
		t.Fatal(err)
	}
	entry, segments, err := images.Decode(got)
	if err != nil || len(segments) != 2 {
		t.Fatalf("%v: %d segments", err, len(segments))
	}
	t.Logf("%d bytes, entry %08x", len(got), entry)
	if strings.TrimSpace(string(tools)) != m.Builds[i].Toolchain {
		t.Skipf("the bundled image was built with %s, and here is %s", m.Builds[i].Toolchain, tools)
	}
	want, err := images.Open(m.Builds[i].Parts[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the bundled wired.bin is not what the sources make: run make firmware")
	}
}

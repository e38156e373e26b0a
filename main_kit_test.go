package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits/chip"
)

// anImage returns an image for an ESP8266 of n bytes, a multiple of 16, whose header
// asks for a size of flash.
func anImage(n int, flash byte) []byte {
	b := []byte{0xE9, 1, 2, flash << 4, 4, 0, 0x10, 0x40, 0, 0, 0x20, 0x40}
	b = binary.LittleEndian.AppendUint32(b, uint32(n-32))
	r, sum := rand.New(rand.NewPCG(1, uint64(n))), byte(0xEF)
	for range n - 32 {
		c := byte(r.Uint32())
		b, sum = append(b, c), sum^c
	}
	return append(append(b, make([]byte, n-1-len(b))...), sum)
}

// held is a board on a terminal that waits to be flashed; a script has only its name.
type held struct {
	*chip.Chip
	port string
}

func hold(t *testing.T, o chip.Options, faults ...chip.Fault) held {
	t.Helper()
	o.NoLines = true
	b := chip.New(o)
	t.Cleanup(func() { b.Close() })
	port, err := b.PTY(t.Context())
	if err != nil {
		t.Skip("there are no PTYs here:", err)
	}
	for _, f := range faults {
		b.Break(f)
	}
	b.PressReset(true)
	return held{b, port}
}

// script runs the program as scripts do, and returns the last line that it printed and
// the steps that were told before. Each line is an object, and only the last one has a
// result, which is what the exit code says.
func script(t *testing.T, ctx context.Context, args ...string) (last map[string]any, steps []string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(ctx, append(append([]string{"--data", t.TempDir(), "kit"}, args...), "--json"), env{in: strings.NewReader(""), out: &out, err: &errs})
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for i, l := range lines {
		last = nil
		if err := json.Unmarshal([]byte(l), &last); err != nil {
			t.Fatalf("%v: line %d is no object: %q; %s", args, i, l, errs.String())
		}
		step, _ := last["step"].(string)
		if _, ends := last["result"]; ends != (i == len(lines)-1) {
			t.Fatalf("%v: only the last line has a result: %s", args, out.String())
		} else if !ends {
			if step == "" {
				t.Fatalf("%v: a line without a step: %s", args, l)
			}
			if steps = append(steps, step); len(steps) > 1 && steps[len(steps)-2] == step {
				steps = steps[:len(steps)-1]
			}
			done, told := last["done"].(float64)
			total, _ := last["total"].(float64)
			if told && done > total {
				t.Errorf("%v: more is done than there is: %s", args, l)
			}
		}
	}
	if (last["result"] == "ok") != (code == 0) || code != 0 && (last["result"] != "error" || last["error"] == "") {
		t.Fatalf("%v: exit code %d, and %v", args, code, last)
	}
	return last, steps, code
}

// file writes a file for one test and returns its name.
func file(t *testing.T, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "firmware.bin")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestKitFlash flashes a board on a terminal by the command line, in all ways that a
// script may.
func TestKitFlash(t *testing.T) {
	t.Parallel()
	image, odd := anImage(40_000, 4), bytes.Repeat([]byte{0xC0, 0xDB, 0x00, 0xFF, 0xDC}, 819)
	for _, tc := range []struct {
		name   string
		data   []byte
		at     int
		args   []string
		chip   chip.Options
		faults []chip.Fault
		code   int
		says   string // the failure
	}{
		{name: "firmware", data: image},
		{name: "over something else", data: image, chip: chip.Options{Flash: bytes.Repeat([]byte{0x5A}, 1<<20)}},
		{name: "all erased before", data: image, args: []string{"--erase"}, chip: chip.Options{Flash: bytes.Repeat([]byte{0x5A}, 1<<20)}},
		{name: "one byte", data: []byte{0x55}, at: 0x1000, args: []string{"--offset", "0x1000"}},
		{name: "4095 bytes of what is escaped", data: odd, at: 8192, args: []string{"--offset", "8192"}},
		{name: "up to the end", data: odd, at: 0x3FF000, args: []string{"--offset=0x3ff000"}},
		{name: "past the end", data: append(odd, 1, 2), at: 0x3FF000, args: []string{"--offset=0x3ff000"}, code: 1, says: "4097"},
		{name: "at 115200", data: image, args: []string{"--baud", "115200"}},
		{name: "at 74880", data: image, args: []string{"--baud", "74880"}},
		{name: "at 921600", data: image, args: []string{"--baud", "921600"}},
		{name: "at a rate of the moon", data: image, args: []string{"--baud", "5000000"}, code: 2, says: "5000000"},
		{name: "at less than nothing", data: image, args: []string{"--baud=-1"}, code: 2, says: "-1"},
		{name: "at a rate that is none", data: image, args: []string{"--baud=fast"}, code: 2, says: "fast"},
		{name: "beside a sector", data: image, args: []string{"--offset", "1000"}, code: 2, says: "4096"},
		{name: "no firmware", data: odd, code: 1, says: "--force"},
		{name: "no firmware, and forced", data: odd, args: []string{"--force"}},
		{name: "damaged", data: slices.Concat(image[:5000], []byte{image[5000] ^ 1}, image[5001:]), code: 1, says: "--force"},
		{name: "for more flash", data: image, chip: chip.Options{Size: 512 << 10}, code: 1, says: "--force"},
		{name: "for more flash, and forced", data: image, args: []string{"--force"}, chip: chip.Options{Size: 512 << 10}},
		{name: "an unknown flash", data: image, chip: chip.Options{FlashID: 0xFFFFFF}},
		{name: "an unknown flash, and no header", data: odd, at: 4096, args: []string{"--offset=4096"}, chip: chip.Options{FlashID: 0xFFFFFF}, code: 1, says: "--flash-size"},
		{name: "an unknown flash that is told", data: odd, at: 4096, args: []string{"--offset=4096", "--flash-size=2MB"}, chip: chip.Options{FlashID: 0xFFFFFF}},
		{name: "a size that there is not", data: image, args: []string{"--flash-size=3MB"}, code: 2, says: "3MB"},
		{name: "an ESP32", data: image, chip: chip.Options{Magic: 0x00F01D83}, code: 1, says: "ESP32"},
		{name: "a stuck bit", data: image, faults: []chip.Fault{{Kind: chip.Stuck, At: 0x2345, Bit: 1}, {Kind: chip.Stuck, At: 0x2346, Bit: 1, High: true}, {Kind: chip.Stuck, At: 0x2347, Bit: 1}, {Kind: chip.Stuck, At: 0x2348, Bit: 1}, {Kind: chip.Stuck, At: 0x2349, Bit: 1}}, code: 1, says: "broken"},
		{name: "a disturbed line", data: image, faults: []chip.Fault{{Kind: chip.FlipRequest, Command: 0x11, After: 1, Times: 1, At: 999}, {Kind: chip.FlipAnswer, Command: 0x13, Times: 1, At: 90}}},
		{name: "no compression", data: image, faults: []chip.Fault{{Kind: chip.Refuse, Command: 0x10, Code: 0xFF}}},
		{name: "the ROM alone", data: image, faults: []chip.Fault{{Kind: chip.Refuse, Command: 0x05, Code: 0x05}}, code: 1, says: "nobody can say"},
		{name: "a board that is unplugged", data: image, faults: []chip.Fault{{Kind: chip.Pull, After: 30_000}}, code: 1, says: "unplugged"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if len((bundledImages{}).Stub()) == 0 && tc.code == 0 {
				t.Skip("the stub is not there; make deps fetches it")
			}
			b := hold(t, tc.chip, tc.faults...)
			last, steps, code := script(t, t.Context(), append([]string{"flash", "--port", b.port, "--image", file(t, tc.data)}, tc.args...)...)
			told, _ := last["error"].(string)
			if code != tc.code || !strings.Contains(told, tc.says) {
				t.Fatalf("exit code %d, not %d: %v", code, tc.code, last)
			}
			if code != 0 {
				return
			}
			flash := b.Flash().Bytes()
			if !bytes.Equal(flash[tc.at:tc.at+len(tc.data)], tc.data) {
				t.Fatal("it says ok, and the flash holds something else")
			}
			if last["verified"] != true || last["bytes"] != float64(len(tc.data)) || !slices.Contains(steps, "write") || !slices.Contains(steps, "verify") {
				t.Errorf("%v after %v", last, steps)
			}
			if rest := bytes.Trim(flash[len(tc.data):], "\xFF"); slices.Contains(tc.args, "--erase") && len(rest) != 0 {
				t.Error("not all was erased")
			}
			if b.Count(0xD3) != 1 {
				t.Error("the firmware was not started")
			}
		})
	}
}

// TestKitArguments: who reads lines gets a last one also where the arguments make no sense.
func TestKitArguments(t *testing.T) {
	good := file(t, anImage(4096, 4))
	for _, tc := range []struct {
		args string
		code int
	}{
		{"flash", 2},
		{"flash --port P", 2},
		{"flash --image F", 2},
		{"flash --port P --image F --quickly", 2},
		{"flash --port P --image /none/such", 1},
		{"flash --port P --image " + filepath.Dir(good), 1},
		{"flash --port /none/such --image " + good, 1},
		{"flash --port /dev/null --image " + good, 1},
		{"info", 2}, {"info --port /none/such", 1},
		{"reset --port /none/such", 1}, {"monitor --port /none/such", 1}, {"forget --port /none/such", 1},
		{"fly", 2},
	} {
		if last, _, code := script(t, t.Context(), strings.Fields(tc.args)...); code != tc.code {
			t.Errorf("%s: exit code %d: %v", tc.args, code, last)
		}
	}
}

// TestKitFlashStops: an interrupt ends it at once, with a last line, and the next try
// works.
func TestKitFlashStops(t *testing.T) {
	t.Parallel()
	image := anImage(200_000, 4)
	name := file(t, image)
	for _, command := range []byte{0x08, 0x07, 0x11, 0x13} { // SYNC, MEM_DATA, DEFL_DATA, MD5
		b := hold(t, chip.Options{}, chip.Fault{Kind: chip.Slow, Command: command, Delay: 90 * time.Second})
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			for b.Count(command) == 0 && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			stop()
		}()
		last, _, _ := script(t, ctx, "flash", "--port", b.port, "--image", name)
		stop()
		if told, _ := last["error"].(string); !strings.Contains(told, "stopped") {
			t.Errorf("stopped at command %02X it says %v", command, last)
		}
		b.Mend()
		b.PressReset(true)
		last, _, code := script(t, t.Context(), "flash", "--port", b.port, "--image", name)
		if len((bundledImages{}).Stub()) > 0 && (code != 0 || !bytes.Equal(b.Flash().Bytes()[:len(image)], image)) {
			t.Errorf("stopped at command %02X, the next try fails: %v", command, last)
		}
	}
}

// TestKitBoard: which chip it is, and the way back into the firmware from the boot
// loader, over a terminal.
func TestKitBoard(t *testing.T) {
	t.Parallel()
	b := hold(t, chip.Options{MAC: [6]byte{0x5C, 0xCF, 0x7F, 1, 2, 3}})
	last, _, _ := script(t, t.Context(), "info", "--port", b.port)
	if last["mac"] != "5c:cf:7f:01:02:03" || last["flash"] != float64(4<<20) || last["flashID"] != "ef4016" {
		t.Errorf("the board is %v", last)
	}
	b.PressReset(true)
	runs := b.Count(0xD3)
	if last, _, code := script(t, t.Context(), "reset", "--port", b.port); code != 0 || b.Count(0xD3)+b.Count(0x04) == runs {
		t.Errorf("the boot loader starts the firmware: %v", last)
	}
}

// firstly is what a program prints; it tells once something is there.
type firstly struct {
	bytes.Buffer
	once sync.Once
	came chan struct{}
}

func (f *firstly) Write(b []byte) (int, error) {
	defer f.once.Do(func() { close(f.came) })
	return f.Buffer.Write(b)
}

// TestKitMonitor: noise of a board stays on its line, and unplugging ends it.
func TestKitMonitor(t *testing.T) {
	t.Parallel()
	b := hold(t, chip.Options{}, chip.Fault{Kind: chip.Noise, Size: 3000})
	out := &firstly{came: make(chan struct{})}
	go func() {
		for {
			b.PressReset(false) // until the program listens
			select {
			case <-time.After(50 * time.Millisecond):
				continue
			case <-out.came:
			case <-t.Context().Done():
			}
			b.Unplug()
			return
		}
	}()
	var errs bytes.Buffer
	code := run(t.Context(), []string{"kit", "monitor", "--port", b.port, "--baud", "74880"}, env{in: strings.NewReader(""), out: out, err: &errs})
	if code != 1 || !strings.Contains(errs.String(), "unplugged") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	if i := bytes.IndexFunc(out.Bytes(), func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7F }); i >= 0 || out.Len() == 0 {
		t.Errorf("at %d of %d bytes there is one that a terminal obeys", i, out.Len())
	}
}

// sketch is a program that is no kit: it asks, and waits for the answer within its line.
type sketch struct{ stopped chan struct{} }

func (s sketch) Stop()                 { <-s.stopped }
func (s sketch) Done() <-chan struct{} { return nil }

func startSketch(_ *chip.NOR, serial io.ReadWriter) (chip.Running, error) {
	s := sketch{make(chan struct{})}
	go func() {
		defer close(s.stopped)
		lines := bufio.NewScanner(serial)
		for {
			if _, err := io.WriteString(serial, "Gr\xc3\xb6\xc3\x9fe? \x1b[2J"); err != nil || !lines.Scan() {
				return
			}
			if _, err := io.WriteString(serial, lines.Text()+" it is\n.."); err != nil {
				return
			}
		}
	}()
	return s, nil
}

// terminal is what a person sees, and waits for.
type terminal struct {
	mu  sync.Mutex
	all []byte // guarded by mu
}

func (s *terminal) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, b...)
	return len(b), nil
}

func (s *terminal) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.all)
}

func (s *terminal) shows(t *testing.T, text string) {
	t.Helper()
	eventually(t, "it shows "+text, func() bool { return strings.Contains(s.String(), text) })
}

// TestKitMonitorTalks: a question without an end of line is seen, the answer goes to
// the board, and with --wait a board that was unplugged is shown again when it is back.
func TestKitMonitorTalks(t *testing.T) {
	t.Parallel()
	plug := func(link string) *chip.Chip {
		b := chip.New(chip.Options{NoLines: true, Flash: standIn("other", "1.0.0"), Start: startSketch})
		t.Cleanup(func() { b.Close() })
		port, err := b.PTY(t.Context())
		if err != nil {
			t.Skip("there are no PTYs here:", err)
		}
		must(t, os.Symlink(port, link))
		return b
	}
	link := filepath.Join(t.TempDir(), "포트 é")
	ctx, stop := context.WithCancel(t.Context())
	in, keys := io.Pipe()
	out, errs := &terminal{}, &terminal{}
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"kit", "monitor", "--port", link, "--wait"}, env{in: in, out: out, err: errs})
	}()
	errs.shows(t, "There is no port")
	board := plug(link)
	errs.shows(t, "is there.")
	board.PressReset(false) // what is said while nobody listens is lost
	out.shows(t, "Größe? .[2J")
	_, err := io.WriteString(keys, strings.Repeat("long", 3000)+"\n\x01\n42\r\n")
	must(t, err)
	out.shows(t, "42 it is\n..Größe? .[2J")
	if got := strings.Count(errs.String(), "at most 255 bytes"); got != 2 {
		t.Errorf("what cannot be sent is told %d times: %s", got, errs)
	}
	must(t, os.Remove(link))
	board.Unplug()
	errs.shows(t, "unplugged")
	before := strings.Count(out.String(), "Größe")
	board = plug(link)
	eventually(t, "the port is there again", func() bool { return strings.Count(errs.String(), "is there.") == 2 })
	board.PressReset(false)
	eventually(t, "it is shown again", func() bool { return strings.Count(out.String(), "Größe") > before })
	if !strings.Contains(out.String(), ".[2J\n") || strings.ContainsRune(out.String(), 0x1b) {
		t.Errorf("a line that was cut off has no end, or a board rules the terminal: %q", out)
	}
	stop()
	if c := <-code; c != 0 {
		t.Errorf("interrupted it ends with %d: %s", c, errs)
	}
}

// TestKitMonitorTime: it ends by itself where that is wanted, each line is an object,
// and rates and times that make no sense are refused.
func TestKitMonitorTime(t *testing.T) {
	t.Parallel()
	b := hold(t, chip.Options{})
	last, _, code := script(t, t.Context(), "monitor", "--port", b.port, "--for", "100ms")
	if code != 0 || last["result"] != "ok" {
		t.Errorf("%d %v", code, last)
	}
	for _, bad := range [][]string{{"--baud", "0"}, {"--baud", "-9600"}, {"--baud", "99999999"}, {"--baud", "fast"}, {"--for", "-1s"}, {"--for", "soon"}} {
		if last, _, code := script(t, t.Context(), append([]string{"monitor", "--port", b.port}, bad...)...); code != 2 {
			t.Errorf("%v: %d %v", bad, code, last)
		}
	}
}

// TestReport: each line is an object, with its keys in order.
func TestReport(t *testing.T) {
	var out bytes.Buffer
	r := &report{e: env{out: &out, err: &out}, json: true}
	r.progress(core.KitProgress{Step: "write", Done: 1, Total: 2, Left: time.Second})
	r.note(core.Say("It was stopped. Nothing on the board has changed."))
	r.ask(core.Sentence{})
	if err := r.end(errUsage, nil); err != errUsage {
		t.Error(err)
	}
	want := `{"done":1,"left":1,"step":"write","total":2}
{"note":"It was stopped. Nothing on the board has changed.","step":"note"}
{"error":"bad arguments","result":"error"}
`
	if out.String() != want {
		t.Errorf("it prints\n%s", out.String())
	}
}

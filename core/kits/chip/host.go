package chip

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Host lets firmware/host, the kit's program on a PC, run on a chip: its Start is an
// Options.Start. The flash goes to the program as a file whenever the chip starts,
// and comes back when the program ends; in between NOR is as it was. What is said of
// buttons, light and networks holds over resets. It cannot run on Windows.
type Host struct {
	program string
	args    []string

	mu      sync.Mutex
	world   map[string]string // what is said to each program that starts, by what it is about; guarded by mu
	control io.Writer         // of the program that runs, or nil; guarded by mu
	outputs map[int]bool      // of the program that runs; guarded by mu
	lines   []string          // the last that a program told; guarded by mu
}

// hostLines is how many lines a Host remembers.
const hostLines = 200

// NewHost returns a Host. args are further ones, as "--mac", "5c:cf:7f:01:02:03".
func NewHost(program string, args ...string) *Host {
	return &Host{program: program, args: args, world: map[string]string{}}
}

// Press holds a button, wherever its pin is. slot is as in the kit's settings.
func (h *Host) Press(slot string) error { return h.say("button "+slot, "press "+slot) }

// Release lets a button go.
func (h *Host) Release(slot string) error { return h.say("button "+slot, "release "+slot) }

// Analog sets A0, 0 to 1023.
func (h *Host) Analog(value int) error { return h.say("analog", fmt.Sprintf("analog %d", value)) }

// Presence sets the presence sensor.
func (h *Host) Presence(on bool) error {
	word := "off"
	if on {
		word = "on"
	}
	return h.say("presence", "presence "+word)
}

// GPIO sets the level of an input.
func (h *Host) GPIO(pin int, high bool) error {
	level := 0
	if high {
		level = 1
	}
	return h.say(fmt.Sprintf("gpio %d", pin), fmt.Sprintf("gpio %d %d", pin, level))
}

// Network puts a Wi-Fi network in reach, or changes it. security is as in
// firmware/PROTOCOL.md, signal in dBm. Joining it needs the key; "" is open.
func (h *Host) Network(name, key string, channel, security, signal int) error {
	return h.say("network "+name, fmt.Sprintf("network %s %s %d %d %d", quote(name), quote(key), channel, security, signal))
}

// Deaf makes the first tries to join a network after each start hear none, as those of
// a radio that has just begun to listen.
func (h *Host) Deaf(tries int) error { return h.say("deaf", fmt.Sprintf("deaf %d", tries)) }

// NoNetworks takes all networks away.
func (h *Host) NoNetworks() error {
	h.mu.Lock()
	maps.DeleteFunc(h.world, func(what, _ string) bool { return strings.HasPrefix(what, "network ") })
	h.mu.Unlock()
	return h.say("", "network-off")
}

// Output is the level of an output pin, and whether the program has set it since it started.
func (h *Host) Output(pin int) (high, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	high, known = h.outputs[pin]
	return high, known
}

// Lines returns the last lines that the programs told, of their outputs and of what went wrong.
func (h *Host) Lines() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines)
}

// quote is a word as firmware/host reads it.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ").Replace(s) + `"`
}

// say tells the program that runs, and remembers it for the next ones where about is not "".
func (h *Host) say(about, what string) error {
	if strings.ContainsAny(what, "\r\n") {
		return fmt.Errorf("%q is more than a line", what)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if about != "" {
		h.world[about] = what
	}
	if h.control == nil {
		return nil
	}
	_, err := io.WriteString(h.control, what+"\n")
	return err
}

// first is what a program that starts has to know, at most what a pipe holds. The
// caller holds mu.
func (h *Host) first() string {
	var world strings.Builder
	for _, about := range slices.Sorted(maps.Keys(h.world)) {
		world.WriteString(h.world[about] + "\n")
	}
	return world.String()
}

// heard takes a line of the program.
func (h *Host) heard(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lines = append(h.lines, s); len(h.lines) > hostLines {
		h.lines = slices.Clone(h.lines[len(h.lines)-hostLines:])
	}
	if f := strings.Fields(s); len(f) == 3 && f[0] == "gpio" {
		if pin, err := strconv.Atoi(f[1]); err == nil && pin >= 0 && pin < 32 {
			h.outputs[pin] = f[2] == "1"
		}
	}
}

// Start runs the program on a copy of the flash.
func (h *Host) Start(flash *NOR, serial io.ReadWriter) (Running, error) {
	dir, err := os.MkdirTemp("", "chip")
	if err != nil {
		return nil, err
	}
	r := &hosted{h: h, flash: flash, file: filepath.Join(dir, "flash"), done: make(chan struct{})}
	fail := func(err error) (Running, error) {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := os.WriteFile(r.file, flash.Bytes(), 0o600); err != nil {
		return fail(err)
	}
	toRead, toWrite, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	fromRead, fromWrite, err := os.Pipe()
	if err != nil {
		toRead.Close()
		toWrite.Close()
		return fail(err)
	}
	r.cmd = exec.Command(h.program, append([]string{"--flash", r.file, "--control", "fd:3,4"}, h.args...)...)
	r.cmd.ExtraFiles = []*os.File{toRead, fromWrite}
	r.cmd.WaitDelay = time.Second
	r.cmd.Stdout = serial
	r.cmd.Stderr = &told{h: h}
	in, err := r.cmd.StdinPipe()
	h.mu.Lock()
	if err == nil {
		_, err = io.WriteString(toWrite, h.first()) // before it starts: it may look for its network at once
	}
	if err == nil {
		err = r.cmd.Start()
	}
	if err == nil {
		h.control, h.outputs = toWrite, map[int]bool{}
	}
	h.mu.Unlock()
	toRead.Close()
	fromWrite.Close()
	if err != nil {
		toWrite.Close()
		fromRead.Close()
		return fail(err)
	}

	go func() { // ends with the life of the chip
		defer in.Close()
		io.Copy(in, struct{ io.Reader }{serial})
	}()
	var heard sync.WaitGroup
	heard.Go(func() {
		defer fromRead.Close()
		s := bufio.NewScanner(fromRead)
		for s.Scan() {
			h.heard(s.Text())
		}
	})
	go func() {
		defer close(r.done)
		err := r.cmd.Wait()
		h.mu.Lock()
		if h.control == toWrite {
			h.control = nil
		}
		h.mu.Unlock()
		toWrite.Close()
		heard.Wait()
		if err != nil && !r.killed() {
			h.heard("the program ended: " + err.Error())
		}
		if b, err := os.ReadFile(r.file); err != nil {
			h.heard("the flash is lost: " + err.Error())
		} else {
			flash.Load(b)
		}
		os.RemoveAll(dir)
	}()
	return r, nil
}

// hosted is a program that runs.
type hosted struct {
	h     *Host
	flash *NOR
	file  string
	cmd   *exec.Cmd
	done  chan struct{}

	mu   sync.Mutex
	shot bool // Stop has killed it; guarded by mu
}

func (r *hosted) Done() <-chan struct{} { return r.done }

// Stop kills the program: neither a reset nor a power cut asks.
func (r *hosted) Stop() {
	r.mu.Lock()
	r.shot = true
	r.mu.Unlock()
	r.cmd.Process.Kill()
	<-r.done
}

func (r *hosted) killed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shot
}

// told takes what the program writes to its standard error, line by line.
type told struct {
	h    *Host
	rest string
}

func (t *told) Write(p []byte) (int, error) {
	t.rest += string(p)
	for {
		s, rest, ok := strings.Cut(t.rest, "\n")
		if !ok {
			t.rest = t.rest[max(0, len(t.rest)-1000):]
			return len(p), nil
		}
		t.h.heard(s)
		t.rest = rest
	}
}

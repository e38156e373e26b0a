package chip

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// buildHost compiles firmware/host.
func buildHost(t *testing.T) string {
	t.Helper()
	gxx, err := exec.LookPath("g++")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("g++ is missing: make deps installs it")
		}
		t.Skip("g++ is missing: make deps installs it")
	}
	const firmware = "../../../firmware/"
	program := filepath.Join(t.TempDir(), "host")
	args := []string{"-std=c++17", "-o", program}
	for _, name := range []string{"host", "hal_host", "digest", "mdns"} {
		args = append(args, firmware+"host/"+name+".cpp")
	}
	core, err := filepath.Glob(firmware + "kit/src/core/*.cpp")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(gxx, append(args, core...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// request sends a frame of firmware/PROTOCOL.md until it is answered, and returns the answer's data.
func (p *pc) request(kind byte, data ...byte) []byte {
	p.t.Helper()
	b := append([]byte{kind, 7, byte(len(data)), byte(len(data) >> 8)}, data...)
	sum := crc32.ChecksumIEEE(b)
	frame := binary.LittleEndian.AppendUint32(append([]byte{0x1E, 0x48}, b...), sum)
	var all []byte
	for range 20 {
		if _, err := p.Write(frame); err != nil {
			p.t.Fatal(err)
		}
		all = append(all, p.raw(4000, 250*time.Millisecond)...)
		i := bytes.Index(all, []byte{0x1E, 0x48, kind + 0x80, 7})
		if i < 0 || len(all) < i+6 {
			continue
		}
		if n := int(binary.LittleEndian.Uint16(all[i+4:])); len(all) >= i+6+n {
			return all[i+6 : i+6+n]
		}
	}
	p.t.Fatalf("request %02x was not answered in %x", kind, all)
	return nil
}

func tlv(tag byte, value string) []byte { return append([]byte{tag, byte(len(value))}, value...) }

// The kit's own program on the flash of a chip: what it keeps outlives a reset and a pulled cable.
func TestHost(t *testing.T) {
	h := NewHost(buildHost(t), "--mac", "5c:cf:7f:0a:0b:0c")
	c, p := plug(t, Options{Start: h.Start, Flash: image()})
	facts := p.request(0x01)
	if facts[0] != 0 || !bytes.Contains(facts, []byte{0x05, 6, 0x5C, 0xCF, 0x7F, 0x0A, 0x0B, 0x0C}) {
		t.Fatalf("hello was answered by %x, want status 0 and the MAC", facts)
	}
	label := tlv(0x25, "Porch")
	part := func(flags byte, slot, high, low string) []byte {
		b := binary.LittleEndian.AppendUint32([]byte{flags, 0, 0, 0, 0}, 1)
		for _, s := range []string{slot, "blue/lab/kit/" + slot, high, low} {
			b = append(append(b, byte(len(s))), s...)
		}
		return tlv(0x23, string(b))
	}
	design := slices.Concat(tlv(0x20, "blue/lab/kit"), tlv(0x21, "\x04"), part(4|8, "light", "On", "Off"), part(1|2|8, "button", "true", "false"), label)
	if got := p.request(0x03, design...); got[0] != 0 {
		t.Fatalf("the settings were answered by %x", got)
	}
	kept := func(when string) {
		t.Helper()
		if got := p.request(0x02); !bytes.Contains(got, label) {
			t.Errorf("%s the settings are %x, want the label", when, got)
		}
	}
	kept("at first")
	c.PressReset(false)
	kept("after a reset")
	c.Unplug()
	if got := c.Flash().Bytes()[0x3FA000:0x3FC000]; !bytes.Contains(got, label) {
		t.Error("the flash of an unplugged board does not hold the settings")
	}
	c.Replug()
	p = &pc{t: t, Port: c.Port()}
	kept("after the cable was pulled")

	// What is said of the world reaches the program, and the next one.
	if err := h.Network("Lab", `a "key" \ here`, 6, 3, -50); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"at once", "after a reset"} {
		if got := p.request(0x08); !bytes.Contains(got, []byte("Lab")) {
			t.Errorf("%s a scan finds %x, want the network", when, got)
		}
		c.PressReset(false)
	}
	if got := p.request(0x06, 60); got[0] != 0 {
		t.Fatalf("test was answered by %x", got)
	}
	if err := h.Press("button"); err != nil {
		t.Fatal(err)
	}
	if got := p.raw(60, 2*time.Second); !bytes.Contains(got, []byte("\x06button\x01\x00\x00\x00")) {
		t.Errorf("pressing the button tells %x, want an input event", got)
	}
	if got := p.request(0x07, append([]byte{1}, "light"...)...); got[0] != 0 {
		t.Errorf("lamp was answered by %x", got)
	}
	on := false
	for over := time.Now().Add(5 * time.Second); !on && time.Now().Before(over); time.Sleep(10 * time.Millisecond) {
		on, _ = h.Output(5)
	}
	if !on {
		t.Errorf("the light is not on; the program told %q", h.Lines())
	}
	if err := h.Press("a\nquit"); err == nil {
		t.Error("a button of two lines was pressed")
	}
	if err := h.NoNetworks(); err != nil {
		t.Fatal(err)
	}
	p.patience = 10 * time.Second // until a program of a busy PC is gone
	p.reset()                     // to the boot loader
	p.sync()
}

func TestHostThatCannot(t *testing.T) {
	h := NewHost("/no/such/program")
	_, p := plug(t, Options{Start: h.Start, Flash: image()})
	if got := string(p.raw(4000, 300*time.Millisecond)); !strings.Contains(got, "no such file") {
		t.Errorf("a chip without its program says %q, want why", got)
	}
}

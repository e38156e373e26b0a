package esp

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits/chip"
	"homeroom/core/kits/line"
)

// TestPTY flashes over a real terminal of the system: no modem lines, and what comes
// and goes passes the kernel. Then it is unplugged amid a flash, and the try after
// that works.
func TestPTY(t *testing.T) {
	b := board(t, chip.Options{Size: 1 << 20})
	plug := func() line.Port {
		t.Helper()
		name, err := b.PTY(t.Context())
		if err != nil {
			t.Skip("there are no PTYs here:", err)
		}
		p, err := line.System{}.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		b.PressReset(true)
		return p
	}
	flag := Options{Stub: ownStub}
	c, err := Connect(t.Context(), plug(), flag)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(t.Context(), order()); err != nil {
		t.Fatal(err)
	}
	if !complete(b, order()) {
		t.Error("the flash holds something else")
	}
	if got, err := c.Read(t.Context(), 0, 20_000); err != nil || !bytes.Equal(got, order()[0].Data[:20_000]) {
		t.Errorf("it reads something else: %v", err)
	}
	if err := c.Run(t.Context()); err != nil {
		t.Error(err)
	}
	b.PressReset(true)

	flag.Progress = func(p core.KitProgress) {
		if p.Step == "write" && p.Done > 30_000 {
			b.Unplug()
		}
	}
	b.Break(chip.Fault{Kind: chip.Slow, Command: opDeflData, Delay: 150 * time.Millisecond}) // so that it is told more than once
	c, err = Connect(t.Context(), c.port, flag)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Write(t.Context(), order())
	problem(t, err, "write")
	if !errors.Is(err, line.ErrGone) {
		t.Errorf("it was unplugged, and it says %v", err)
	}
	b.Mend()
	b.Replug()
	flag.Progress = nil
	if c, err = Connect(t.Context(), plug(), flag); err != nil {
		t.Fatal(err)
	}
	if err := c.Write(t.Context(), order()); err != nil || !complete(b, order()) {
		t.Errorf("plugged in again it fails: %v", err)
	}
}

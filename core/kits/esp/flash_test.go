package esp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits/chip"
	"homeroom/core/kits/line"
)

// firmware is n bytes that compress about as well as firmware does.
func firmware(n int) []byte {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	b := make([]byte, 0, n+64)
	for len(b) < n {
		if len(b) > 256 && r.IntN(5) < 2 {
			at := r.IntN(len(b) - 64)
			b = append(b, b[at:at+8+r.IntN(24)]...)
			continue
		}
		for range 6 {
			b = append(b, byte(r.IntN(256)))
		}
	}
	b = b[:n]
	b[0] = 0 // it does not claim to be an image
	return b
}

// flashHolds checks what is on the flash.
func flashHolds(t *testing.T, b *chip.Chip, at int64, want []byte) {
	t.Helper()
	got := b.Flash().Bytes()[at : at+int64(len(want))]
	if !bytes.Equal(got, want) {
		i := 0
		for got[i] == want[i] {
			i++
		}
		t.Errorf("at %06X the flash holds %02X instead of %02X", at+int64(i), got[i], want[i])
	}
}

// order is what a setup writes: firmware, one slot of settings, and the other empty.
func order() []Region {
	return []Region{{Data: firmware(60_000)}, {At: 0xFA000, Data: bytes.Repeat([]byte("settings"), 40)}, {At: 0xFB000, Size: 0x1000}}
}

// complete tells whether the flash holds an order.
func complete(b *chip.Chip, o []Region) bool {
	flash := b.Flash().Bytes()
	for _, r := range o {
		want := r.Data
		if want == nil {
			want = bytes.Repeat([]byte{0xFF}, int(r.Size))
		}
		if !bytes.Equal(flash[r.At:r.At+int64(len(want))], want) {
			return false
		}
	}
	return true
}

func TestWrite(t *testing.T) {
	within(t, func(t *testing.T) {
		b := board(t, chip.Options{Size: 1 << 20, Flash: bytes.Repeat([]byte{0x00}, 1<<20)})
		var steps []string
		var last core.KitProgress
		c := session(t, b, Options{Stub: ownStub, Progress: func(p core.KitProgress) {
			if len(steps) == 0 || steps[len(steps)-1] != p.Step {
				steps = append(steps, p.Step)
			}
			if p.Done > p.Total || p.Left < 0 {
				t.Errorf("a progress that cannot be: %+v", p)
			}
			last = p
		}})
		o := order()
		if err := c.Write(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		for _, r := range o {
			if r.Data != nil {
				flashHolds(t, b, r.At, r.Data)
			}
		}
		if !complete(b, o) {
			t.Error("the second slot is not empty")
		}
		if got := fmt.Sprint(steps); got != "[reset stub erase write verify]" {
			t.Errorf("the steps are told as %v", got)
		}
		if last.Step != "verify" || last.Done != last.Total || last.Done == 0 {
			t.Errorf("at its end all is verified; it was told %+v", last)
		}
		sum, err := c.Sum(t.Context(), 0xFB000, 0x1000)
		if err != nil || sum != (span{size: 0x1000}).sum() {
			t.Errorf("the MD5 of an empty sector is %s: %v", sum, err)
		}
		got, err := c.Read(t.Context(), 0, 60_000)
		if err != nil || !bytes.Equal(got, o[0].Data) {
			t.Errorf("it reads %d bytes that are not what was written: %v", len(got), err)
		}
		if err := c.EraseAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		flashHolds(t, b, 0, bytes.Repeat([]byte{0xFF}, 1<<20))
	})
}

// TestROM: without the stub all is written, and nobody claims that it is right.
func TestROM(t *testing.T) {
	within(t, func(t *testing.T) {
		b := board(t, chip.Options{Size: 1 << 20, Flash: bytes.Repeat([]byte{0x00}, 1<<20)})
		c := session(t, b, Options{})
		o := order()
		err := c.Write(t.Context(), o)
		problem(t, err, "write")
		if !errors.Is(err, ErrUnverified) {
			t.Fatalf("the ROM cannot verify, and it says %v", err)
		}
		if !complete(b, o) {
			t.Error("the ROM wrote something else")
		}
		for _, f := range []func() error{
			func() error { _, err := c.Read(t.Context(), 0, 16); return err },
			func() error { _, err := c.Sum(t.Context(), 0, 16); return err },
		} {
			if err := f(); !errors.Is(err, core.ErrInvalid) {
				t.Errorf("the ROM cannot read, and it says %v", err)
			}
		}
		if err := c.EraseAll(t.Context()); !errors.Is(err, ErrUnverified) {
			t.Errorf("the ROM cannot verify an erase either: %v", err)
		}
		flashHolds(t, b, 0, bytes.Repeat([]byte{0xFF}, 1<<20))
		if err := c.Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestEraseSize(t *testing.T) {
	for at := int64(0); at < 40; at++ {
		for n := int64(1); n < 50; n++ {
			told := int64(eraseSize(at*sector, n*sector-5)) / sector
			// As the ROM does it: up to the next block of 64 KiB, and then all that it was told.
			first := min(16-at%16, told)
			if got := first + told; got < n || got > n+1 {
				t.Fatalf("%d sectors from %d on: told %d, the ROM erases %d", n, at, told, got)
			}
		}
	}
}

func TestPlan(t *testing.T) {
	image := make([]byte, 64)
	image[0], image[3] = imageMagic, 0x40 // asks for 4 MiB
	for name, o := range map[string][]Region{
		"not at a sector":      {{At: 100, Data: []byte("x")}},
		"nothing":              {{At: 0, Data: []byte{}}},
		"nothing to erase":     {{At: 0}},
		"half a sector erased": {{At: 0, Size: 100}},
		"before the flash":     {{At: -4096, Data: []byte("x")}},
		"behind the flash":     {{At: 1 << 20, Data: []byte("x")}},
		"too long":             {{At: 0xFF000, Data: make([]byte, 5000)}},
		"overlap":              {{At: 0, Data: make([]byte, 4097)}, {At: 4096, Data: []byte("x")}},
		"for a larger flash":   {{At: 0, Data: image}},
		"far away":             {{At: 1 << 62, Size: 1 << 62}},
	} {
		within(t, func(t *testing.T) {
			b := board(t, chip.Options{Size: 1 << 20})
			err := session(t, b, Options{Stub: ownStub}).Write(t.Context(), o)
			problem(t, err, "write")
			if !errors.Is(err, core.ErrInvalid) || b.Count(opDeflBegin)+b.Count(opErase) != 0 {
				t.Errorf("%s: it is refused before anything is changed; it says %v", name, err)
			}
		})
	}
}

// TestFaults breaks one thing after another. Each time the flash holds what was
// written or a step is named, and once the fault is gone the next try works.
func TestFaults(t *testing.T) {
	commands := []byte{opSync, opReadReg, opWriteReg, opMemBegin, opMemData, opMemEnd, opBaud, opDeflBegin, opDeflData, opMD5, opErase}
	var faults []chip.Fault
	for _, kind := range []chip.Kind{chip.Silent, chip.Dead, chip.Refuse, chip.Twice, chip.FlipRequest, chip.FlipAnswer, chip.LoseRequest, chip.LoseAnswer} {
		for _, op := range commands {
			faults = append(faults, chip.Fault{Kind: kind, Command: op, Times: 1, At: 5, Code: 0xC4})
			if kind == chip.Silent || kind == chip.Refuse || kind == chip.FlipAnswer { // ever after
				faults = append(faults, chip.Fault{Kind: kind, Command: op, At: 5, Code: 0xC4})
			}
		}
	}
	faults = append(faults,
		chip.Fault{Kind: chip.Refuse, Command: opDeflData, Code: stubBadChecksum, Times: 2, After: 1},
		chip.Fault{Kind: chip.Stuck, At: 0x1234, Bit: 3, High: true}, chip.Fault{Kind: chip.Stuck, At: 0xFA001, Bit: 0},
		chip.Fault{Kind: chip.Worn, At: 0xFB000}, chip.Fault{Kind: chip.Worn, At: 0x2000},
		chip.Fault{Kind: chip.CutErase, Times: 1}, chip.Fault{Kind: chip.CutWrite, Times: 1, After: 100},
		chip.Fault{Kind: chip.WrongBaud, Times: 1}, chip.Fault{Kind: chip.WrongBaud}, chip.Fault{Kind: chip.Noise, Size: 500},
		chip.Fault{Kind: chip.Slow, Command: opDeflData, Delay: 2 * time.Second},
	)
	for n := 0; n < 56<<10; n += 4001 {
		faults = append(faults, chip.Fault{Kind: chip.Pull, After: n})
	}
	for _, f := range faults {
		t.Run(f.String(), func(t *testing.T) {
			within(t, func(t *testing.T) { flashBroken(t, []chip.Fault{f}, Options{Stub: ownStub}) })
		})
	}
}

// flashBroken flashes a board with faults, and again once they are gone. It reports
// whether the first try worked.
func flashBroken(t *testing.T, faults []chip.Fault, flag Options) bool {
	t.Helper()
	b := board(t, chip.Options{Size: 1 << 20, Flash: bytes.Repeat([]byte{0x5A}, 1<<20)})
	for _, f := range faults {
		b.Break(f)
	}
	o := order()
	try := func(ctx context.Context) error {
		p := b.Port()
		defer p.Close()
		c, err := Connect(ctx, p, flag)
		if err != nil {
			return err
		}
		if err := c.Write(ctx, o); err != nil {
			return err
		}
		return c.Run(ctx)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Hour)
	defer stop()
	err := try(ctx)
	switch {
	case ctx.Err() != nil:
		t.Errorf("%v: it does not give up within an hour", faults)
	case err == nil && !complete(b, o):
		t.Fatalf("%v: it says that all is well, and the flash holds something else", faults)
	case err != nil:
		problem(t, err)
		for _, f := range faults {
			if f.Kind == chip.Pull && len(faults) == 1 && !errors.Is(err, line.ErrGone) {
				t.Errorf("it was unplugged, and it says %v", err)
			}
		}
	}
	b.Mend()
	b.Replug()
	if err := try(t.Context()); err != nil {
		t.Fatalf("%v: once that is gone the next try fails: %v", faults, err)
	}
	if !complete(b, o) {
		t.Errorf("%v: the next try left something else", faults)
	}
	return err == nil
}

// TestRandomFaults flashes a hundred boards, each with one to three faults.
func TestRandomFaults(t *testing.T) {
	worked := 0
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			within(t, func(t *testing.T) {
				if flashBroken(t, chip.RandomFaults(rand.New(rand.NewPCG(seed, 6))), Options{Stub: ownStub}) {
					worked++
				}
			})
		})
	}
	if worked < 20 {
		t.Errorf("only %d of 100 flashes came through; most of such faults can be overcome", worked)
	}
	t.Logf("%d of 100 came through", worked)
}

// TestCancel stops at many moments: it fails at once, and the next try works.
func TestCancel(t *testing.T) {
	for seed := range uint64(20) {
		within(t, func(t *testing.T) {
			b := board(t, chip.Options{Paced: true, Size: 1 << 20})
			r := rand.New(rand.NewPCG(seed, 1))
			after := time.Duration(r.IntN(2000)) * time.Millisecond
			ctx, stop := context.WithTimeout(t.Context(), after)
			defer stop()
			p := b.Port()
			c, err := Connect(ctx, p, Options{Stub: ownStub})
			if err == nil {
				err = c.Write(ctx, order())
			}
			if err == nil {
				t.Fatalf("after %v the flash cannot be done", after)
			}
			if took := time.Since(deadline(ctx)); took > 200*time.Millisecond { // of the bubble's time
				t.Errorf("it stopped %v late", took)
			}
			problem(t, err)
			if c, err = Connect(t.Context(), p, Options{Stub: ownStub}); err != nil {
				t.Fatal(err)
			}
			if err := c.Write(t.Context(), order()); err != nil || !complete(b, order()) {
				t.Errorf("after it was stopped at %v the next try fails: %v", after, err)
			}
		})
	}
}

func deadline(ctx context.Context) time.Time {
	d, _ := ctx.Deadline()
	return d
}

// TestReadDisturbed: what Read returns is what is there.
func TestReadDisturbed(t *testing.T) {
	for _, f := range []chip.Fault{
		{Kind: chip.FlipAnswer, Command: opRead, After: 3, Times: 1, At: 40}, {Kind: chip.LoseAnswer, Command: opRead, After: 3, Times: 1, At: 40},
		{Kind: chip.Silent, Command: opRead, Times: 1}, {Kind: chip.FlipAnswer, Command: opRead, At: 40},
	} {
		within(t, func(t *testing.T) {
			want := firmware(50_000)
			b := board(t, chip.Options{Flash: want})
			c := session(t, b, Options{Stub: ownStub})
			b.Break(f)
			got, err := c.Read(t.Context(), 0, 50_000)
			if err == nil && !bytes.Equal(got, want) {
				t.Errorf("%v: it reads something else", f)
			}
			if err != nil && f.Times == 1 {
				t.Errorf("%v: it happened once, and it gives up: %v", f, err)
			}
			if err != nil {
				problem(t, err, "read")
			}
		})
	}
}

func TestInflated(t *testing.T) {
	data := firmware(200_000)
	packed := deflate(data)
	marks := inflated(packed, stubBlock)
	if marks[0] != 0 || marks[len(marks)-1] != 200_000 || len(marks) != (len(packed)+stubBlock-1)/stubBlock+1 {
		t.Fatalf("%d bytes come out of %d blocks: %v", len(data), len(marks)-1, marks)
	}
	for i := 1; i < len(marks); i++ {
		if marks[i] < marks[i-1] || marks[i]-marks[i-1] > 5*stubBlock {
			t.Errorf("block %d gives %d to %d", i, marks[i-1], marks[i])
		}
	}
}

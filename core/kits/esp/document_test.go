package esp

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits/chip"
)

// TestOtherLoaders: boot loaders that know less than Espressif's do what they can, and
// nothing is called verified that was not.
func TestOtherLoaders(t *testing.T) {
	unknown := byte(0xFF) // as the stub says that it does not know a command
	for _, tc := range []struct {
		name   string
		faults []chip.Fault
		want   error
	}{
		{"no compression", []chip.Fault{{Kind: chip.Refuse, Command: opDeflBegin, Code: unknown}}, nil},
		{"no compression, and a block is lost", []chip.Fault{
			{Kind: chip.Refuse, Command: opDeflBegin, Code: unknown}, {Kind: chip.Silent, Command: opFlashData, After: 5, Times: 1}}, nil},
		{"no compression, and a block is damaged", []chip.Fault{
			{Kind: chip.Refuse, Command: opDeflBegin, Code: unknown}, {Kind: chip.FlipRequest, Command: opFlashData, After: 5, Times: 1, At: 900}}, nil},
		{"no MD5", []chip.Fault{{Kind: chip.Refuse, Command: opMD5, Code: unknown}}, nil},
		{"no other rate", []chip.Fault{{Kind: chip.Refuse, Command: opBaud, Code: unknown}}, nil},
		{"no erase of all", []chip.Fault{{Kind: chip.Refuse, Command: opEraseFlash, Code: unknown}}, nil},
		{"no flash that can be attached", []chip.Fault{{Kind: chip.Refuse, Command: opSPIAttach, Code: unknown}, {Kind: chip.Refuse, Command: opSPIParams, Code: unknown}}, nil},
		{"none that answers that", []chip.Fault{{Kind: chip.Silent, Command: opSPIAttach}, {Kind: chip.Silent, Command: opSPIParams}}, nil},
		{"no program for the RAM", []chip.Fault{{Kind: chip.Refuse, Command: opMemBegin, Code: romInvalid}}, ErrUnverified},
		{"no way to start the firmware", []chip.Fault{{Kind: chip.Refuse, Command: opRun, Code: unknown}}, nil},
		{"slow", []chip.Fault{{Kind: chip.Slow, Delay: 50 * time.Millisecond}}, nil},
		{"very slow at some, as esptool allows", []chip.Fault{{Kind: chip.Slow, Command: opDeflBegin, Delay: 2500 * time.Millisecond}, {Kind: chip.Slow, Command: opDeflData, Delay: 2 * time.Second}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				b := board(t, chip.Options{Size: 1 << 20, NoLines: true, Flash: bytes.Repeat([]byte{0}, 1<<20)})
				b.PressReset(true)
				for _, f := range tc.faults {
					b.Break(f)
				}
				session(t, b, Options{Stub: ownStub})      // which leaves the stub alone
				c := session(t, b, Options{Stub: ownStub}) // and this one finds it
				if err := c.EraseAll(t.Context()); !errors.Is(err, tc.want) {
					t.Fatal("erasing:", err)
				}
				if err := c.Write(t.Context(), order()); !errors.Is(err, tc.want) || tc.want != nil && err == nil {
					t.Fatalf("it says %v", err)
				}
				if !complete(b, order()) {
					t.Error("the flash holds something else")
				}
				if err := c.Run(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestReadBackDisturbed: without MD5 what is there is read, and what is wrong there is found.
func TestReadBackDisturbed(t *testing.T) {
	within(t, func(t *testing.T) {
		b := board(t, chip.Options{Size: 1 << 20})
		b.Break(chip.Fault{Kind: chip.Refuse, Command: opMD5, Code: 0xFF})
		b.Break(chip.Fault{Kind: chip.Stuck, At: 0x1234, Bit: 3, High: true})
		b.Break(chip.Fault{Kind: chip.Stuck, At: 0x1235, Bit: 3})
		err := session(t, b, Options{Stub: ownStub}).Write(t.Context(), order())
		problem(t, err, "verify")
		var other *differs
		if !errors.As(err, &other) {
			t.Errorf("the flash is broken, and it says %v", err)
		}
	})
}

// TestHandsFor: nobody presses anything, and it ends by itself.
func TestHandsFor(t *testing.T) {
	within(t, func(t *testing.T) {
		b := board(t, chip.Options{NoLines: true})
		_, err := Connect(t.Context(), b.Port(), Options{HandsFor: 30 * time.Second, ByHand: func(core.Sentence) {}})
		problem(t, err, "sync")
	})
}

// TestStrayRefusals: a ROM refuses a command that it does not know several times, with
// a number of its own. Whatever follows is not taken for refused.
func TestStrayRefusals(t *testing.T) {
	within(t, func(t *testing.T) {
		c := &loader{port: &script{answers: [][]byte{
			bytes.Repeat(appendSLIP(nil, []byte{1, 0, 2, 0, 0, 0, 0, 0, 1, 5}), 8),
			appendSLIP(nil, []byte{1, opReadReg, 0, 0, 1, 0xC1, 0xF0, 0xFF, 0, 0}),
		}}, baud: baudFirst}
		var no *refusal
		if _, err := c.command(t.Context(), opMD5, words(0, 16, 0, 0), 0, time.Second); !errors.As(err, &no) || no.op != opMD5 || no.code != romInvalid {
			t.Errorf("it is refused: %v", err)
		}
		if r, err := c.command(t.Context(), opReadReg, words(regMagic), 0, time.Second); err != nil || r.value != magicESP8266 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// script is a port on which each command is answered with the next of answers.
type script struct {
	answers [][]byte
	in      []byte
}

func (s *script) Read(b []byte) (int, error) {
	if len(s.in) == 0 {
		time.Sleep(slice)
		return 0, nil
	}
	n := copy(b[:min(len(b), 15)], s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *script) Write(b []byte) (int, error) {
	if len(s.answers) > 0 {
		s.in, s.answers = append(s.in, s.answers[0]...), s.answers[1:]
	}
	return len(b), nil
}

func (s *script) Close() error                       { return nil }
func (s *script) SetReadTimeout(time.Duration) error { return nil }
func (s *script) SetBaud(int) error                  { return nil }
func (s *script) SetDTR(bool) error                  { return nil }
func (s *script) SetRTS(bool) error                  { return nil }
func (s *script) Discard() error                     { s.in = nil; return nil }

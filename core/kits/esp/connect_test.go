package esp

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/kits/chip"
	"homeroom/core/kits/line"
)

// realStub is esptool-js's stub. The emulated chip does not run it, so a test that
// needs it only looks whether it can be loaded.
func realStub(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../firmware/images/stub/esp8266.json")
	if err != nil {
		t.Skip("the stub is not there; make deps fetches it:", err)
	}
	return b
}

// ownStub has the form of a stub and does nothing: the emulated chip starts its own
// commands with whatever is loaded and is not blank.
var ownStub = func() []byte {
	text := make([]byte, 8000)
	for i := range text {
		text[i] = byte(i * 7)
	}
	b, err := json.Marshal(stub{Entry: 0x4010D004, Text: text, TextStart: 0x4010D000, Data: []byte{1, 2, 3, 4, 5}, DataStart: 0x3FFFAE6C})
	if err != nil {
		panic(err)
	}
	return b
}()

// session connects within a bubble of its own time, and fails the test where it cannot.
func session(t *testing.T, b *chip.Chip, o Options) *Chip {
	t.Helper()
	c, err := Connect(t.Context(), b.Port(), o)
	if err != nil {
		t.Fatal("the board is fine, and Connect fails:", err)
	}
	return c
}

// board returns an emulated board that ends with the test.
func board(t *testing.T, o chip.Options) *chip.Chip {
	b := chip.New(o)
	t.Cleanup(func() { b.Close() })
	return b
}

// within runs a test in a bubble of its own time. Its context ends before the bubble.
func within(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func TestConnect(t *testing.T) {
	mac := [6]byte{0x5C, 0xCF, 0x7F, 0xAB, 0xCD, 0xEF}
	for _, tc := range []struct {
		name string
		o    chip.Options
		flag Options
		want core.KitChip
		stub bool
	}{
		{"with the stub", chip.Options{MAC: mac}, Options{Stub: ownStub}, core.KitChip{Name: "ESP8266EX", ID: 0x00ABCDEF, MAC: "5c:cf:7f:ab:cd:ef", FlashID: 0xEF4016, FlashSize: 4 << 20}, true},
		{"by the ROM", chip.Options{MAC: mac}, Options{}, core.KitChip{Name: "ESP8266EX", ID: 0x00ABCDEF, MAC: "5c:cf:7f:ab:cd:ef", FlashID: 0xEF4016, FlashSize: 4 << 20}, false},
		{"a small flash", chip.Options{MAC: mac, Size: 1 << 20, FlashID: 0x1440C8}, Options{Stub: ownStub}, core.KitChip{Name: "ESP8266EX", ID: 0x00ABCDEF, MAC: "5c:cf:7f:ab:cd:ef", FlashID: 0xC84014, FlashSize: 1 << 20}, true},
		{"without modem lines", chip.Options{MAC: mac, NoLines: true}, Options{Stub: ownStub}, core.KitChip{Name: "ESP8266EX", ID: 0x00ABCDEF, MAC: "5c:cf:7f:ab:cd:ef", FlashID: 0xEF4016, FlashSize: 4 << 20}, true},
		{"a crystal of 40 MHz", chip.Options{MAC: mac, Crystal: 40}, Options{Stub: ownStub}, core.KitChip{Name: "ESP8266EX", ID: 0x00ABCDEF, MAC: "5c:cf:7f:ab:cd:ef", FlashID: 0xEF4016, FlashSize: 4 << 20}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				b := board(t, tc.o)
				if tc.o.NoLines {
					b.PressReset(true)
				}
				c := session(t, b, tc.flag)
				got := c.Info()
				got.ID &= 0xFFFFFF // the byte above it depends on who made the chip
				if got != tc.want {
					t.Errorf("the chip is %+v; it says %+v", tc.want, got)
				}
				if c.Verifies() != tc.stub {
					t.Errorf("Verifies is %v", c.Verifies())
				}
			})
		})
	}
}

// TestByHand: a board whose lines are not wired asks a person, and goes on as soon as
// the buttons were pressed.
func TestByHand(t *testing.T) {
	for _, o := range []chip.Options{{ByHand: true}, {NoLines: true}} {
		within(t, func(t *testing.T) {
			b := board(t, o)
			var mu sync.Mutex
			var asked []string
			flag := Options{Stub: ownStub, ByHand: func(s core.Sentence) {
				mu.Lock()
				asked = append(asked, s.Format)
				mu.Unlock()
				if s.Format != "" {
					time.AfterFunc(7*time.Second, func() { b.PressReset(true) })
				}
			}}
			c := session(t, b, flag)
			if len(asked) != 2 || asked[0] == "" || asked[1] != "" {
				t.Errorf("a person is asked once, and told once that it is done; they were told %q", asked)
			}
			image := firmware(40_000)
			if err := c.Write(t.Context(), []Region{{Data: image}}); err != nil {
				t.Fatal(err)
			}
			if err := c.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n := b.Count(opRun); n != 1 {
				t.Errorf("without lines the stub starts the firmware; it was asked %d times", n)
			}
		})
	}
}

// TestByHandStops: who does not press anything can still stop, at once.
func TestByHandStops(t *testing.T) {
	within(t, func(t *testing.T) {
		b := board(t, chip.Options{ByHand: true})
		ctx, stop := context.WithCancel(t.Context())
		asked := make(chan struct{}, 2)
		time.AfterFunc(time.Minute, stop)
		_, err := Connect(ctx, b.Port(), Options{ByHand: func(core.Sentence) { asked <- struct{}{} }})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped by the person, it fails with %v", err)
		}
		if len(asked) != 2 {
			t.Errorf("the question stays on the screen after it was stopped")
		}
	})
}

func TestSilentPort(t *testing.T) {
	within(t, func(t *testing.T) {
		b := board(t, chip.Options{ByHand: true})
		_, err := Connect(t.Context(), b.Port(), Options{})
		problem(t, err, "sync")
		if !strings.Contains(err.Error(), "FLASH") {
			t.Errorf("it should say which buttons to press: %v", err)
		}
	})
}

// problem checks that a failure names its step and says what to do.
func problem(t *testing.T, err error, steps ...string) {
	t.Helper()
	var e *Error
	var told *core.Problem
	if !errors.As(err, &e) || !errors.As(err, &told) || len(told.Format) < 20 {
		t.Fatalf("a failure needs a step and a sentence; it is %#v: %v", err, err)
	}
	for _, s := range steps {
		if e.Step == s {
			return
		}
	}
	if len(steps) > 0 {
		t.Errorf("it failed in one of %v, and says %q: %v", steps, e.Step, err)
	}
}

func TestOtherChips(t *testing.T) {
	for magic, name := range map[uint32]string{0x00F01D83: "ESP32", 0x000007C6: "ESP32-S2", 0x1B31506F: "ESP32-C3", 0x12345678: "12345678"} {
		within(t, func(t *testing.T) {
			b := board(t, chip.Options{Magic: magic})
			_, err := Connect(t.Context(), b.Port(), Options{Stub: ownStub})
			problem(t, err)
			if !errors.Is(err, core.ErrInvalid) || !strings.Contains(err.Error(), name) {
				t.Errorf("a board with %s is refused by its name; it says %v", name, err)
			}
			if b.Count(opMemBegin) != 0 {
				t.Error("a program for another chip was loaded into it")
			}
		})
	}
}

// TestFlashID: where nobody knows how large a flash is, nothing is written. What the
// header of an image says is enough, or what the caller says, until it turns out that
// the flash begins anew before.
func TestFlashID(t *testing.T) {
	for _, tc := range []struct {
		id   uint32 // maker lowest
		size int64
	}{{0x1640EF, 4 << 20}, {0x15301C, 2 << 20}, {0x3325C2, 512 << 10}, {0x2040C8, 64 << 20}, {0xFF40EF, 0}} {
		if got := flashSize(tc.id&0xFF<<16 | tc.id>>8&0xFF<<8 | tc.id>>16&0xFF); got != tc.size {
			t.Errorf("the flash %06X has %d bytes, not %d", tc.id, tc.size, got)
		}
	}
	for _, id := range []uint32{0xFFFFFF, 0xFF40EF} {
		within(t, func(t *testing.T) {
			b := board(t, chip.Options{FlashID: id, Size: 1 << 20})
			image := anImage(4, firmware(20_000))
			c := session(t, b, Options{Stub: ownStub})
			if err := c.Write(t.Context(), []Region{{Data: image}}); err != nil || c.Info().FlashSize != 0 {
				t.Fatalf("the image says what flash it is for: %v", err)
			}
			flashHolds(t, b, 0, image)
			err := c.Write(t.Context(), []Region{{Data: image}, {At: 0x3FA000, Data: []byte("settings")}})
			if problem(t, err, "write", "verify"); !errors.Is(err, core.ErrInvalid) || !strings.Contains(err.Error(), "1024") {
				t.Errorf("the settings are behind the end of the flash, and lie in the firmware: %v", err)
			}
		})
	}
	within(t, func(t *testing.T) {
		b := board(t, chip.Options{FlashID: 0xFFFFFF})
		c := session(t, b, Options{Stub: ownStub, FlashSize: 4 << 20})
		if err := c.Write(t.Context(), []Region{{At: 0x3FA000, Data: []byte("settings")}}); err != nil {
			t.Error(err)
		}
		if err := c.EraseAll(t.Context()); err != nil {
			t.Error(err)
		}
		b.Break(chip.Fault{Kind: chip.Stuck, At: 0x3FA000, High: false})
		err := c.Write(t.Context(), []Region{{At: 0x3FA000, Data: []byte("settings")}})
		if !errors.Is(err, core.ErrInvalid) || !strings.Contains(err.Error(), "SD0") {
			t.Errorf("a flash that neither tells what it is nor takes what is written: %v", err)
		}
	})
	within(t, func(t *testing.T) {
		b := board(t, chip.Options{FlashID: 0xFF40EF})
		err := session(t, b, Options{Stub: ownStub}).Write(t.Context(), []Region{{Data: []byte("x")}})
		problem(t, err, "write")
		if !errors.Is(err, core.ErrInvalid) || b.Count(opDeflBegin) != 0 {
			t.Errorf("nobody knows what fits on such a flash: %v", err)
		}
	})
}

func TestMAC(t *testing.T) {
	for _, tc := range []struct {
		otp  [4]uint32
		want string
	}{
		{[4]uint32{0xEF000000, 0x0000ABCD, 0, 0x005CCF7F}, "5c:cf:7f:ab:cd:ef"},
		{[4]uint32{0xEF000000, 0x0000ABCD, 0, 0}, "18:fe:34:ab:cd:ef"},
		{[4]uint32{0xEF000000, 0x0001ABCD, 0, 0}, "ac:d0:74:ab:cd:ef"},
	} {
		if got := macOf(tc.otp); got != tc.want {
			t.Errorf("%08X is the MAC %s, not %s", tc.otp, tc.want, got)
		}
	}
}

func TestRestart(t *testing.T) {
	within(t, func(t *testing.T) {
		b := board(t, chip.Options{})
		p := b.Port()
		if err := Restart(t.Context(), p); err != nil {
			t.Error(err)
		}
		if err := Restart(t.Context(), board(t, chip.Options{NoLines: true}).Port()); !errors.Is(err, line.ErrNoLines) {
			t.Errorf("without lines nothing restarts it, and that is said; it says %v", err)
		}
	})
}

// TestLeftover: a stub that a session before left behind, at its rate and amid a
// download, does not disturb the next session on a port without lines.
func TestLeftover(t *testing.T) {
	within(t, func(t *testing.T) {
		b := board(t, chip.Options{NoLines: true})
		b.PressReset(true)
		p := b.Port()
		c, err := Connect(t.Context(), p, Options{Stub: ownStub})
		if err != nil {
			t.Fatal(err)
		}
		image := firmware(200_000)
		ctx, stop := context.WithCancel(t.Context())
		c.o.Progress = func(p core.KitProgress) {
			if p.Step == "write" && p.Done > 100_000 {
				stop()
			}
		}
		c.told = time.Time{}
		if err := c.Write(ctx, []Region{{Data: image}}); !errors.Is(err, context.Canceled) {
			t.Fatal("stopped, and it says", err)
		}
		again, err := Connect(t.Context(), p, Options{Stub: ownStub})
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Write(t.Context(), []Region{{Data: image}}); err != nil {
			t.Fatal(err)
		}
		flashHolds(t, b, 0, image)
	})
}

func TestStub(t *testing.T) {
	t.Run("esptool-js", func(t *testing.T) {
		s, err := parseStub(realStub(t))
		if err != nil || len(s.Text) < 4096 {
			t.Fatalf("the stub that make deps fetches is not taken: %d bytes, %v", len(s.Text), err)
		}
		within(t, func(t *testing.T) {
			if !session(t, board(t, chip.Options{}), Options{Stub: realStub(t)}).Verifies() {
				t.Error("it does not run")
			}
		})
	})
	for name, bad := range map[string]string{
		"no JSON":            `hello`,
		"empty":              `{}`,
		"outside of RAM":     `{"entry":4096,"text":"AAAA","text_start":4096}`,
		"beyond the end":     `{"entry":1074855932,"text":"AAAAAAAAAAAAAAAA","text_start":1074855932}`,
		"entry outside":      `{"entry":1074843700,"text":"qBAAQAH//0ZPCQAA","text_start":1074843648}`,
		"data below RAM":     `{"entry":1074843652,"text":"qBAAQAH//0ZPCQAA","text_start":1074843648,"data":"AAAA","data_start":1}`,
		"text is not base64": `{"entry":1074843652,"text":"*","text_start":1074843648}`,
	} {
		if _, err := parseStub([]byte(bad)); !errors.Is(err, core.ErrInvalid) {
			t.Errorf("%s is taken for a stub: %v", name, err)
		}
	}
}

// TestStubDoesNotStart: what cannot be verified is not written in silence instead.
func TestStubDoesNotStart(t *testing.T) {
	within(t, func(t *testing.T) {
		b := board(t, chip.Options{})
		b.Break(chip.Fault{Kind: chip.NoStub})
		_, err := Connect(t.Context(), b.Port(), Options{Stub: ownStub})
		problem(t, err, "stub", "sync")
		b.Mend()
		session(t, b, Options{Stub: ownStub})
	})
	within(t, func(t *testing.T) {
		b := board(t, chip.Options{})
		b.Break(chip.Fault{Kind: chip.NoStub, Times: 1})
		if !session(t, b, Options{Stub: ownStub}).Verifies() {
			t.Error("the second try starts it")
		}
	})
}

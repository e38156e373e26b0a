package esp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"homeroom/core"
)

// anImage returns an image as the ROM of an ESP8266 starts it, with a segment of code.
func anImage(size byte, code []byte) []byte {
	b := []byte{imageMagic, 1, 2, size << 4}
	b = binary.LittleEndian.AppendUint32(b, 0x40100004)
	b = binary.LittleEndian.AppendUint32(b, 0x40100000)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(code)))
	b = append(b, code...)
	for len(b)%16 != 15 {
		b = append(b, 0)
	}
	return append(b, byte(checksum(code)))
}

// arduino returns an image in the form of Arduino's: a small boot loader, and the
// program a sector behind it.
func arduino() []byte {
	b := anImage(4, bytes.Repeat([]byte("boot"), 100))
	for len(b) < appAt {
		b = append(b, 0xAA)
	}
	return append(b, anImage(4, []byte(strings.Repeat("code", 500)+"@HOMEROOM-FIRMWARE@wifi@1.2.3-rc.1@"))...)
}

func TestCheckImage(t *testing.T) {
	info, err := CheckImage(arduino())
	if want := (ImageInfo{Variant: "wifi", Version: "1.2.3-rc.1", Flash: 4 << 20, Mode: "dio", Entry: 0x40100004, Segments: 1}); err != nil || info != want {
		t.Errorf("an image of Arduino is %+v, %v", info, err)
	}
	info, err = CheckImage(anImage(0, []byte("blinks")))
	if err != nil || info.Variant != "" || info.Flash != 512<<10 {
		t.Errorf("an image that is not Homeroom's is %+v, %v", info, err)
	}
	info, err = CheckImage(append(anImage(1, []byte("x")), make([]byte, 300<<10)...))
	if err != nil || info.Flash != 256<<10 {
		t.Errorf("firmware may be larger than its header says, as NodeMCU's; it is %+v, %v", info, err)
	}
	esp32 := make([]byte, 64)
	copy(esp32, []byte{imageMagic, 1, 2, 0x20, 0, 0x10, 8, 0x40, 0xEE})
	esp32[12] = 5
	binary.LittleEndian.PutUint32(esp32[24:], 0x3FC80000)
	changed := func(at int, b byte) []byte {
		image := arduino()
		image[at] = b
		return image
	}
	for name, tc := range map[string]struct {
		file []byte
		says string
	}{
		"empty":                  {nil, "empty"},
		"too large":              {make([]byte, 17<<20), "17 MiB"},
		"ELF":                    {[]byte("\x7fELF\x01\x01\x01"), "ELF"},
		"HEX":                    {[]byte(":10000000"), "HEX"},
		"UF2":                    {[]byte("UF2\n....."), "UF2"},
		"packed":                 {[]byte("\x1f\x8b\x08"), "packed"},
		"ZIP":                    {[]byte("PK\x03\x04"), "packed"},
		"second part":            {[]byte("\xEA\x04\x00\x00"), "second part"},
		"text":                   {[]byte("<!DOCTYPE html>"), "no firmware"},
		"ESP32-C3":               {esp32, "ESP32-C3"},
		"a few bytes":            {[]byte{imageMagic, 1}, "cut off"},
		"half":                   {arduino()[:300], "cut off"},
		"half of the program":    {arduino()[:appAt+100], "cut off"},
		"without its last byte":  {anImage(4, []byte("x"))[:31], "cut off"},
		"a flipped bit":          {changed(50, 'x'), "damaged"},
		"a flipped bit later":    {changed(appAt+50, 'x'), "damaged"},
		"no segments":            {changed(1, 0), "damaged"},
		"too many segments":      {changed(1, 17), "damaged"},
		"another address":        {changed(11, 0x50), "damaged"},
		"an unknown mode":        {changed(2, 9), "damaged"},
		"an unknown flash":       {changed(3, 0xF0), "damaged"},
		"a segment past the end": {append([]byte{imageMagic, 1, 2, 0x40, 0, 0, 0, 0, 0, 0, 0x10, 0x40, 0xF0, 0xFF, 0, 0}, make([]byte, 16)...), "cut off"},
	} {
		_, err := CheckImage(tc.file)
		if !errors.Is(err, core.ErrInvalid) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: it should say %q, and it says %v", name, tc.says, err)
		}
	}
}

// TestWiredImage: what is built from this repository passes its own check.
func TestWiredImage(t *testing.T) {
	b, err := os.ReadFile("../../../firmware/images/wired.bin")
	if err != nil {
		t.Skip("the wired image is not built; make firmware does it:", err)
	}
	info, err := CheckImage(b)
	if err != nil || info.Variant != "wired" || info.Version == "" {
		t.Errorf("the wired image is %+v, %v", info, err)
	}
}

func FuzzCheckImage(f *testing.F) {
	f.Add(arduino())
	f.Add(anImage(0, []byte("blinks")))
	f.Add([]byte("\x7fELF"))
	f.Add([]byte{imageMagic, 1, 2, 0x40, 0, 0, 0, 0, 0, 0, 0x20, 0x40, 0xFF, 0xFF, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := CheckImage(b)
		if err != nil {
			if !errors.Is(err, core.ErrInvalid) {
				t.Fatalf("%v is no failure of a file", err)
			}
			return
		}
		if info.Flash < 256<<10 || info.Segments < 1 || info.Segments > 16 || info.Mode == "" || len(info.Version) > 32 {
			t.Fatalf("%x is taken for %+v", b, info)
		}
	})
}

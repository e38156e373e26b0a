package images

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestBundled opens everything that the manifest says is there.
func TestBundled(t *testing.T) {
	m, err := Bundled()
	if err != nil {
		t.Fatal(err)
	}
	if m.Name == "" || m.Version == "" {
		t.Errorf("it has no name or version: %+v", m)
	}
	var variants []string
	for _, b := range m.Builds {
		variants = append(variants, b.Variant)
		if b.ChipFamily != "ESP8266" || b.FlashSize != 4<<20 || b.Version == "" {
			t.Errorf("%+v", b)
		}
		for _, p := range b.Parts {
			image, err := Open(p.Path)
			if p.Size == 0 {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s was not built: %v", p.Path, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%v", err)
				continue
			}
			if mark, ok := FindMark(image); !ok || mark != (Mark{b.Variant, b.Version}) {
				t.Errorf("%s: mark %+v %v", p.Path, mark, ok)
			}
			if b.Variant != "wired" {
				continue
			}
			entry, segments, err := Decode(image)
			if err != nil || image[2] != dio || image[3] != flash4M40MHz {
				t.Fatalf("the wired kit would not start: %v, header %x", err, image[:8])
			}
			// Constants in DRAM, vectors and code in IRAM.
			if len(segments) != 2 || segments[0].Address != dramStart || segments[1].Address != iramStart || len(segments[1].Data) > 48<<10 || entry < iramStart {
				t.Errorf("entry %08x, %d segments, at %08x", entry, len(segments), segments[0].Address)
			}
		}
	}
	if !slices.Contains(variants, "wired") || !slices.Contains(variants, "wifi") {
		t.Errorf("there are only %q", variants)
	}
	if _, err := Open("../images.go"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not in the manifest opens: %v", err)
	}
}

func TestOpenDamaged(t *testing.T) {
	m, err := Bundled()
	if err != nil {
		t.Fatal(err)
	}
	image, err := Open("wired.bin")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(b []byte) []byte{
		"whole":   func(b []byte) []byte { return b },
		"flipped": func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"shorter": func(b []byte) []byte { return b[:len(b)-1] },
		"longer":  func(b []byte) []byte { return append(b, 0) },
		"empty":   func([]byte) []byte { return nil },
	} {
		folder := fstest.MapFS{"wired.bin": {Data: change(bytes.Clone(image))}}
		if _, err := open(folder, m, "wired.bin"); (err == nil) != (name == "whole") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := open(fstest.MapFS{}, m, "wired.bin"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

func TestReadManifest(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	good := `{"builds":[{"chipFamily":"ESP8266","parts":[{"path":"a.bin","offset":0,"size":1,"sha256":"` + hash + `","md5":"` + hash[:32] + `"}]}]}`
	if _, err := ReadManifest([]byte(good)); err != nil {
		t.Fatal(err)
	}
	part := `{"path":"a.bin","offset":0}`
	for _, bad := range []string{
		"", "[]", `{"builds":1}`,
		strings.Replace(good, "a.bin", "../a.bin", 1),
		strings.Replace(good, "a.bin", "/etc/passwd", 1),
		strings.Replace(good, "a.bin", "stub/esp8266.json", 1),
		strings.Replace(good, "a.bin", "", 1),
		strings.Replace(good, `"size":1`, `"size":-1`, 1),
		strings.Replace(good, `"size":1`, `"size":99999999`, 1),
		strings.Replace(good, hash+`","md5`, hash[:40]+`","md5`, 1),
		strings.Replace(good, hash[:32]+`"}`, "x"+hash[:31]+`"}`, 1),
		strings.Replace(good, "ESP8266", "", 1),
		`{"builds":[{"chipFamily":"ESP8266","parts":[]}]}`,
		`{"builds":[{"chipFamily":"ESP8266","parts":[` + strings.Repeat(part+",", 8) + part + `]}]}`,
		`{"builds":[` + strings.Repeat(`{"chipFamily":"ESP8266","parts":[`+part+`]},`, 16) + `{"chipFamily":"ESP8266","parts":[` + part + `]}]}`,
		good + strings.Repeat(" ", mostManifest),
	} {
		if m, err := ReadManifest([]byte(bad)); err == nil {
			t.Errorf("%.200s is read as %+v", bad, m)
		}
	}
}

// TestDecode wants each lie in an image to be seen.
func TestDecode(t *testing.T) {
	segments := []Segment{{0x40100000, []byte("four and a half.." + "bytes")}, {0x3FFE8000, []byte{1, 2, 3, 4}}}
	image, err := Encode(0x40100004, segments)
	if err != nil {
		t.Fatal(err)
	}
	if len(image)%16 != 0 {
		t.Errorf("%d bytes", len(image))
	}
	entry, got, err := Decode(image)
	if err != nil || entry != 0x40100004 || len(got) != 2 || got[1].Address != 0x3FFE8000 || !bytes.HasPrefix(got[0].Data, segments[0].Data) || len(got[0].Data)%4 != 0 {
		t.Errorf("%v: %08x %+v", err, entry, got)
	}
	if _, _, err := Decode(append(bytes.Clone(image), 0xff, 0xff)); err != nil { // as it is read from flash
		t.Errorf("with more after it: %v", err)
	}
	for i := range image {
		if i >= 2 && i < 8 || i == 40 || i == 41 || i >= 8+8+24+8+4 && i < len(image)-1 {
			continue // how the flash is read, the entry (see below), other places in RAM, and what fills it up
		}
		bad := bytes.Clone(image)
		bad[i] ^= 0x10
		if _, _, err := Decode(bad); err == nil {
			t.Errorf("byte %d may be anything", i)
		}
	}
	for n := range image {
		if _, _, err := Decode(image[:n]); err == nil {
			t.Errorf("%d bytes are enough", n)
		}
	}
	for _, entry := range []uint32{0, 0x400ffffc, 0x40100018, 0x3ffe8004} {
		wrong, err := Encode(entry, segments)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Decode(wrong); err == nil {
			t.Errorf("it is entered at %08x, where nothing is", entry)
		}
	}
	for _, s := range [][]Segment{
		nil,
		make([]Segment, 17),
		{{0x40100002, make([]byte, 4)}},
		{{0x4010fffc, make([]byte, 5)}},
		{{0x3ffe7ffc, make([]byte, 8)}},
		{{0x3fffbffc, make([]byte, 8)}}, // the boot ROM's
		{{0xfffffffc, make([]byte, 8)}},
	} {
		if _, err := Encode(0x40100000, s); err == nil {
			t.Errorf("%+v becomes an image", s)
		}
	}
}

func TestFindMark(t *testing.T) {
	for text, want := range map[string]Mark{
		"xx@HOMEROOM-FIRMWARE@wired@1.0.0@yy":                            {"wired", "1.0.0"},
		"@HOMEROOM-FIRMWARE@\x00@HOMEROOM-FIRMWARE@wifi@2.0.0-rc1@":      {"wifi", "2.0.0-rc1"},
		"@HOMEROOM-FIRMWARE@wired@1.0.0":                                 {},
		"@HOMEROOM-FIRMWARE@@1.0.0@":                                     {},
		"@HOMEROOM-FIRMWARE@wired@@":                                     {},
		"@HOMEROOM-FIRMWARE@WIRED@1@":                                    {},
		"@HOMEROOM-FIRMWARE@wired@1.0.0" + strings.Repeat("0", 40) + "@": {},
		"@HOMEROOM-FIRMWARE@":                                            {},
		"":                                                               {},
		strings.Repeat("@HOMEROOM-FIRMWARE@", 3) + "@HOMEROOM-FIRMWARE@host@1.0@": {"host", "1.0"},
	} {
		if got, ok := FindMark([]byte(text)); got != want || ok != (want != Mark{}) {
			t.Errorf("%q: %+v %v", text, got, ok)
		}
	}
}

// TestStub: a build with the stub has its licence too.
func TestStub(t *testing.T) {
	stub, ok := Stub()
	if !ok {
		if StubLicence() != "" {
			t.Error("a licence without a stub")
		}
		t.Skip("this build has no stub: make deps fetches it")
	}
	if !json.Valid(stub) || !strings.Contains(StubLicence(), "Apache") {
		t.Errorf("%.100q, licence %.100q", stub, StubLicence())
	}
}

func FuzzDecode(f *testing.F) {
	image, err := Encode(0x40100000, []Segment{{0x40100000, []byte("code")}, {0x3FFE8000, []byte("data")}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(image)
	wired, err := Open("wired.bin")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wired)
	f.Fuzz(func(t *testing.T, b []byte) {
		entry, segments, err := Decode(b)
		if err != nil {
			return
		}
		// What the boot ROM would take can be made again.
		again, err := Encode(entry, segments)
		if err != nil {
			t.Fatal(err)
		}
		entry2, segments2, err := Decode(again)
		if err != nil || entry2 != entry || !slices.EqualFunc(segments, segments2, func(a, b Segment) bool { return a.Address == b.Address && bytes.Equal(a.Data, b.Data) }) {
			t.Errorf("%v", err)
		}
	})
}

func FuzzReadManifest(f *testing.F) {
	text, err := files.ReadFile("manifest.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ReadManifest(text)
		if err != nil {
			return
		}
		for _, b := range m.Builds {
			for _, p := range b.Parts {
				if _, err := open(fstest.MapFS{}, m, p.Path); err == nil {
					t.Errorf("%q is there", p.Path)
				}
			}
		}
	})
}

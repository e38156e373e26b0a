package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"

	"homeroom/core"
)

// example has something of everything.
func example() Settings {
	return Settings{
		SSID: "Klasse 7b", Key: "geheim-geheim", BrokerHost: "192.168.1.10", BrokerPort: 1883, Account: "kit-1", Secret: "s3cr3t",
		TLSKey: []byte{0x30, 0x59, 0}, Page: "192.168.1.10:8080", Transport: WiFi, Home: "homeroom-pc.local",
		Name: "blue/lab/kit-1", Role: core.AllKit, Hold: new(uint32(600000)),
		Ports: []Port{
			{Slot: "button", Topic: "blue/lab/kit-1/button", Publish: true, Toggle: true, Retain: true, Max: 100, Yes: "On", No: "Off"},
			{Slot: "brightness", Topic: "blue/lab/kit-1/brightness", Publish: true, Min: -40, Max: 1023, Yes: "true", No: "false"},
			{Slot: "led", Topic: "blue/lab/kit-1/led", Writable: true, Max: 100, Yes: "Allumé", No: "Éteint"},
		},
		Pins:  []Pin{{Slot: "button", GPIO: 4, Inverted: true, PullUp: true}, {Slot: "brightness", GPIO: core.PinA0}},
		Label: "책상 위 등",
	}
}

func mustEncode(t testing.TB, s Settings) []byte {
	t.Helper()
	out, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSettingsBytes(t *testing.T) {
	s := Settings{
		SSID: "ab", BrokerPort: 1883, Transport: Cable, Name: "k", Role: core.SensorKit, Hold: new(uint32(1)),
		Ports: []Port{{Slot: "led", Topic: "t", Writable: true, Retain: true, Min: -1, Max: 258, Yes: "On", No: "Off"}},
		Pins:  []Pin{{Slot: "led", GPIO: 17, PullUp: true}},
	}
	want := "1002" + "6162" + "1302" + "5b07" + "1801" + "01" + "2001" + "6b" + "2101" + "01" + "2204" + "01000000" +
		"2316" + "0c" + "ffffffff" + "02010000" + "036c6564" + "0174" + "024f6e" + "034f6666" +
		"2405" + "1102" + "6c6564"
	if got := hex.EncodeToString(mustEncode(t, s)); got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
	design, _ := hex.DecodeString(want[strings.Index(want, "20016b"):])
	if got := s.DesignCRC(); got != crc32.ChecksumIEEE(design) {
		t.Errorf("design CRC %08x", got)
	}
	if got := (Settings{SSID: "x"}).DesignCRC(); got != 0 {
		t.Errorf("design CRC of none is %08x", got)
	}
}

func TestSettingsRoundTrip(t *testing.T) {
	for _, s := range []Settings{{}, example(), {Role: core.LightKit, Hold: new(uint32(0)), Transport: WiFi}} {
		got, err := Decode(mustEncode(t, s))
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%v\n%#v\nis not %#v", err, got, s)
		}
	}
}

func TestSettingsDecode(t *testing.T) {
	port := "00" + "00000000" + "64000000" + "0162" + "0174" + "0179" + "016e" // slot b, topic t, words y and n
	for _, c := range []struct {
		tlvs string
		ok   bool
	}{
		{"", true},
		{"7f03aabbcc100161", true},                        // an unknown tag
		{"2001611001" + "62", true},                       // in another order
		{"10", false}, {"1002", false}, {"100261", false}, // cut off
		{"1000", false},         // empty, and not a change
		{"100161100161", false}, // twice
		{"7f007f00", true},      // unknown twice
		{"10" + "20" + strings.Repeat("61", 32), true},
		{"10" + "21" + strings.Repeat("61", 33), false},
		{"11" + "07" + strings.Repeat("61", 7), false},
		{"11" + "08" + strings.Repeat("61", 8), true},
		{"11" + "3f" + strings.Repeat("7a", 63), true},
		{"11" + "40" + strings.Repeat("61", 64), true},
		{"11" + "40" + strings.Repeat("46", 64), true},
		{"11" + "40" + strings.Repeat("7a", 64), false}, // no hex digits
		{"11" + "41" + strings.Repeat("61", 65), false},
		{"13015b", false}, {"13025b07", true}, {"13035b0700", false},
		{"13020000", false}, // port 0
		{"16" + "78" + strings.Repeat("00", 120), true},
		{"16" + "79" + strings.Repeat("00", 121), false},
		{"180100", true}, {"180101", true}, {"180102", false}, {"18020000", false},
		{"1907" + "612e6c6f63616c", true}, // a.local
		{"193f" + strings.Repeat("61", 57) + "2e6c6f63616c", true}, {"1940" + strings.Repeat("61", 58) + "2e6c6f63616c", false},
		{"1906" + "2e6c6f63616c", false}, {"1906" + "612e6c616e68", false}, {"1908" + "612e6c6f63616c2e", false},
		{"1907" + "002e6c6f63616c", false}, {"1900", false}, {"1907612e6c6f63616c1907612e6c6f63616c", false},
		{"210104", true}, {"210105", false}, {"21020000", false},
		{"220401000000", true}, {"2203010000", false},
		{"2001" + "00", false}, // a text with 00
		{"2311" + port, true},
		{"2310" + port[:32], false}, {"2312" + port + "00", false},
		{"2311" + "0f" + port[2:], true}, {"2311" + "10" + port[2:], false},
		{strings.Repeat("2311"+port, 8), true}, {strings.Repeat("2311"+port, 9), false},
		{"2403" + "0400" + "62", true}, {"2402" + "0400", false}, {"2403" + "1200" + "62", false}, {"2403" + "0600" + "62", false},
		{"2403" + "0404" + "62", false},
		{"2412" + "0403" + strings.Repeat("62", 16), true}, {"2413" + "0403" + strings.Repeat("62", 17), false},
		{strings.Repeat("2403"+"0400"+"62", 8), true}, {strings.Repeat("2403"+"0400"+"62", 9), false},
		{"25" + "3f" + strings.Repeat("61", 63), true}, {"25" + "40" + strings.Repeat("61", 64), false},
		{strings.Repeat("7ffe"+strings.Repeat("61", 254), 8), true},
		{strings.Repeat("7ffe"+strings.Repeat("61", 254), 8) + "7f00", false}, // 2,050 bytes
	} {
		tlvs, err := hex.DecodeString(c.tlvs)
		if err != nil {
			t.Fatal(err, c.tlvs)
		}
		if _, err := Decode(tlvs); (err == nil) != c.ok {
			t.Errorf("%.80s: %v", c.tlvs, err)
		}
	}
}

func TestSettingsThatDoNotFit(t *testing.T) {
	long := strings.Repeat("x", 400)
	for i, s := range []Settings{
		{SSID: long}, {Key: "short"}, {Key: long}, {BrokerHost: long}, {Account: long}, {Secret: long}, {TLSKey: []byte(long)}, {Page: long},
		{Transport: 3}, {Home: ".local"}, {Home: "pc.lan"}, {Home: "p\x00.local"}, {Home: long + ".local"}, {Name: long}, {Name: "a\x00b"}, {Role: core.AnyKit}, {Role: "what"}, {Label: long},
		{Ports: make([]Port, 9)}, {Ports: []Port{{}}}, {Ports: []Port{{Slot: long, Topic: "t", Yes: "y", No: "n"}}},
		// A length that wraps around to something that fits.
		{Ports: []Port{{Slot: strings.Repeat("s", 257), Topic: "t", Yes: "y", No: "n"}}},
		{Label: strings.Repeat("l", 257)},
		{Pins: []Pin{{GPIO: 18, Slot: "s"}}}, {Pins: []Pin{{GPIO: 4}}}, {Pins: make([]Pin, 9)},
	} {
		if out, err := s.Encode(); !errors.Is(err, core.ErrInvalid) || out != nil {
			t.Errorf("%d is encoded: %x, %v", i, out, err)
		}
	}
	wide := Port{Slot: strings.Repeat("s", 16), Topic: strings.Repeat("t", 120), Yes: strings.Repeat("y", 24), No: strings.Repeat("n", 24)}
	s := Settings{Ports: []Port{wide, wide, wide, wide, wide, wide, wide, wide}}
	mustEncode(t, s)
	s.Name, s.Account, s.Secret, s.TLSKey = wide.Topic, long[:64], long[:64], []byte(long[:120])
	s.BrokerHost, s.Page, s.Label = long[:63], long[:72], long[:63]
	if _, err := s.Encode(); err == nil || !strings.Contains(err.Error(), "2048") {
		t.Error("more than a slot has room for:", err)
	}
}

func TestChange(t *testing.T) {
	s := example()
	for _, from := range []Settings{{}, s, {Label: "old", Ports: s.Ports[:1], Pins: s.Pins[1:], Hold: new(uint32(1)), Key: "whatever else"}} {
		for _, to := range []Settings{{}, s, {SSID: "open", Name: "k"}} {
			if got, err := from.Apply(to.Change()); err != nil || !reflect.DeepEqual(got, to) {
				t.Errorf("whole: %v\n%#v", err, got)
			}
			change := Difference(from, to)
			if got, err := from.Apply(change); err != nil || !reflect.DeepEqual(got, to) {
				t.Errorf("difference: %v\n%#v", err, got)
			}
		}
	}
	if got := Difference(s, s); len(got) != 0 {
		t.Errorf("no difference is %x", got)
	}
	moved := s
	moved.Label, moved.Hold = "x", nil
	if got := hex.EncodeToString(Difference(s, moved)); got != "2200"+"250178" {
		t.Errorf("label and hold are %s", got)
	}
	told := s
	told.Key, told.Secret = "", ""
	if got, _ := (Settings{Key: "another key"}).Apply(Difference(told, s)); got.Key != s.Key || got.Secret != s.Secret {
		t.Error("what a kit does not tell is not told to it")
	}
	told.SSID = "another"
	open := s
	open.Key = ""
	if got, _ := s.Apply(Difference(told, open)); got.Key != "" {
		t.Error("an open network keeps the key of another")
	}
}

func TestApply(t *testing.T) {
	s := example()
	before := fmt.Sprintf("%x", mustEncode(t, s))
	for _, c := range []struct {
		change string
		want   func(*Settings)
	}{
		{"", func(*Settings) {}},
		{"2500", func(s *Settings) { s.Label = "" }},
		{"7f00" + "250162", func(s *Settings) { s.Label = "b" }},
		{"1900", func(s *Settings) { s.Home = "" }},
		{"1907" + "612e6c6f63616c", func(s *Settings) { s.Home = "a.local" }},
		{"250162" + "1906" + "612e6c616e", nil}, {"250162" + "1905" + "612e6c616e", nil},
		{"2300", func(s *Settings) { s.Ports = nil }},
		{"2400", func(s *Settings) { s.Pins = nil }},
		{"24030500" + "62", func(s *Settings) { s.Pins = []Pin{{Slot: "b", GPIO: 5}} }},
		{"24030500" + "62" + "24030400" + "63", func(s *Settings) { s.Pins = []Pin{{Slot: "b", GPIO: 5}, {Slot: "c", GPIO: 4}} }},
		{"2400" + "24030500" + "62", nil}, {"24030500" + "62" + "2400", nil}, {"24002400", nil},
		{"25002500", nil}, {"2500250162", nil}, {"250162" + "2500", nil},
		{"250162" + "210105", nil}, // all of it or nothing
		{"25", nil},
	} {
		change, _ := hex.DecodeString(c.change)
		got, err := s.Apply(change)
		want := s
		if c.want != nil {
			c.want(&want)
		}
		if (err == nil) != (c.want != nil) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n%#v", c.change, err, got)
		}
		if now := fmt.Sprintf("%x", mustEncode(t, s)); now != before {
			t.Fatalf("%s changes what was", c.change)
		}
	}
	part := Port{Slot: "led", Topic: strings.Repeat("t", 120), Yes: strings.Repeat("y", 24), No: strings.Repeat("n", 24)}
	full := Settings{Ports: []Port{part, part, part, part, part, part, part, part}}
	more := Settings{Name: strings.Repeat("n", 120), Account: strings.Repeat("a", 64), Secret: strings.Repeat("s", 64), TLSKey: make([]byte, 120), Label: strings.Repeat("l", 63)}
	if _, err := full.Apply(Difference(Settings{}, more)); err != nil {
		t.Error(err)
	}
	more.Page, more.BrokerHost = strings.Repeat("p", 72), strings.Repeat("h", 63)
	if _, err := full.Apply(Difference(Settings{}, more)); err == nil {
		t.Error("settings grow out of a slot")
	}
}

func TestCheck(t *testing.T) {
	if err := example().Check(); err != nil {
		t.Error(err)
	}
	for say, change := range map[string]func(*Settings){
		"lack its name":        func(s *Settings) { s.Name = "" },
		"account or the":       func(s *Settings) { s.Secret = "" },
		"Choose the Wi-Fi":     func(s *Settings) { s.SSID = "" },
		"8 to 63":              func(s *Settings) { s.Key = "short" },
		"of 64 characters":     func(s *Settings) { s.Key = strings.Repeat("z", 64) },
		"at most 32 bytes":     func(s *Settings) { s.SSID = strings.Repeat("가", 11) },
		"another role":         func(s *Settings) { s.Role = core.AnyKit },
		"has 9 ports":          func(s *Settings) { s.Ports = make([]Port, 9) },
		"at most 120 bytes":    func(s *Settings) { s.Ports[0].Topic = strings.Repeat("t", 121) },
		"at most 24 bytes":     func(s *Settings) { s.Ports[0].No = strings.Repeat("n", 25) },
		"too long a name":      func(s *Settings) { s.Ports[0].Slot = strings.Repeat("s", 17) },
		"not a topic name":     func(s *Settings) { s.Ports[0].Topic = "a/+/b" },
		"flash memory":         func(s *Settings) { s.Pins[0].GPIO = 9 },
		"serial port":          func(s *Settings) { s.Pins[0].GPIO = 3 },
		"no pin GPIO 18":       func(s *Settings) { s.Pins[0].GPIO = 18 },
		"both on one pin":      func(s *Settings) { s.Pins[0].GPIO = core.PinA0 },
		"does not fit a kit":   func(s *Settings) { s.Label = strings.Repeat("l", 64) },
		"There is no firmware": func(s *Settings) { s.Role = "" },
	} {
		s := example()
		change(&s)
		if err := s.Check(); !errors.Is(err, core.ErrInvalid) || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", say, err)
		}
	}
	cable := example()
	cable.SSID, cable.Key, cable.Transport = "", "", Cable
	if err := cable.Check(); err != nil || !cable.Ready() {
		t.Error(err)
	}
	if cable.Transport = WiFi; cable.Ready() {
		t.Error("Wi-Fi without a network is ready")
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	s := example()
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, x := range []any{s, &s, []Settings{s}, struct{ S Settings }{s}} {
			if text := fmt.Sprintf(format, x); strings.Contains(text, s.Key) || strings.Contains(text, s.Secret) {
				t.Errorf("%s shows it: %s", format, text)
			}
		}
	}
	s.Key, s.Secret = "pass\x00word", "geheim-"+strings.Repeat("x", 100)
	if _, err := s.Encode(); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Error("an error tells it:", err)
	}
}

// TestPMK has the vectors of IEEE 802.11-2020, J.4.2.
func TestPMK(t *testing.T) {
	for _, c := range [][3]string{
		{"IEEE", "password", "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"},
		{"ThisIsASSID", "ThisIsAPassword", "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"},
		{strings.Repeat("Z", 32), strings.Repeat("a", 32), "becb93866bb8c3832cb777c2f559807c8c59afcb6eae734885001300a981cc62"},
	} {
		got := PMK(c[0], c[1])
		if got != c[2] || CheckNetwork(c[0], got) != nil {
			t.Errorf("%s: %s", c[0], got)
		}
	}
}

// TestPowerCut cuts a write of new settings at each byte, over a slot that was
// erased or not, and in the middle of the byte.
func TestPowerCut(t *testing.T) {
	old, now := example(), example()
	now.Label = "new"
	a, err := EncodeSlot(7, old)
	if err != nil {
		t.Fatal(err)
	}
	older, _ := EncodeSlot(6, Settings{Name: "older", Label: strings.Repeat("x", 63)})
	slot, _ := EncodeSlot(8, now)
	end := slotHead + len(mustEncode(t, now)) + 4
	erased := bytes.Repeat([]byte{0xff}, SlotSize)
	for _, under := range [][]byte{erased, append(bytes.Clone(older), erased[len(older):]...), bytes.Repeat([]byte{0}, SlotSize)} {
		for n := range len(slot) + 1 {
			for _, half := range []byte{0xff, 0xf0, 0x55} {
				b := bytes.Clone(under)
				copy(b, slot[:n])
				if n < len(slot) {
					b[n] &= slot[n] | half // some of its bits are not yet written
				}
				want, seq := old, uint32(7)
				if bytes.HasPrefix(b, slot[:end]) {
					want, seq = now, 8
				}
				for _, in := range [][2][]byte{{a, b}, {b, a}} {
					if got, s, ok := Newest(in[0], in[1]); !ok || s != seq || !reflect.DeepEqual(got, want) {
						t.Fatalf("cut at %d: %d, %v", n, s, got)
					}
				}
			}
		}
	}
}

func TestSlot(t *testing.T) {
	s := example()
	slot, err := EncodeSlot(3, s)
	if err != nil || len(slot)%4 != 0 || string(slot[:6]) != "HRS1\x01\x00" {
		t.Fatalf("%x %v", slot, err)
	}
	seq, got, ok := DecodeSlot(append(bytes.Clone(slot), 1, 2, 3))
	if !ok || seq != 3 || !reflect.DeepEqual(got, s) {
		t.Error(seq, got, ok)
	}
	for i := range slotHead + len(mustEncode(t, s)) + 4 {
		bad := bytes.Clone(slot)
		bad[i] ^= 0x10
		if _, _, ok := DecodeSlot(bad); ok {
			t.Errorf("byte %d can be anything", i)
		}
	}
	if _, _, ok := Newest(bytes.Repeat([]byte{0xff}, SlotSize), nil); ok {
		t.Error("an erased slot is valid")
	}
	if _, err := EncodeSlot(1, Settings{Key: "short"}); err == nil {
		t.Error("a slot has what does not fit")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(mustEncode(f, example()))
	f.Add(example().Change())
	f.Fuzz(func(t *testing.T, tlvs []byte) {
		s, err := Decode(tlvs)
		if err != nil {
			return
		}
		again, err := Decode(mustEncode(t, s))
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%v: %#v", err, again)
		}
		_ = s.Check()
		if got, err := example().Apply(s.Change()); err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%v: %#v", err, got)
		}
	})
}

func FuzzApply(f *testing.F) {
	f.Add(example().Change())
	f.Add([]byte{tagPort, 0, tagLabel, 1, 'x'})
	f.Fuzz(func(t *testing.T, change []byte) {
		s, err := example().Apply(change)
		if err != nil {
			if !reflect.DeepEqual(s, example()) {
				t.Error("half a change holds")
			}
			return
		}
		mustEncode(t, s)
		if got, err := example().Apply(Difference(example(), s)); err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%v: %#v", err, got)
		}
		parts, _, err := cut(change)
		if err != nil {
			return
		}
		got := example()
		for _, p := range parts {
			if got, err = got.Apply(p); err != nil || len(p) > MaxData {
				t.Fatalf("part of %d bytes: %v", len(p), err)
			}
		}
		if !reflect.DeepEqual(got, s) {
			t.Errorf("in parts: %#v", got)
		}
	})
}

func FuzzDecodeSlot(f *testing.F) {
	slot, _ := EncodeSlot(9, example())
	f.Add(slot, slot)
	f.Add(slot[:20], []byte(nil))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s, seq, ok := Newest(a, b)
		if !ok {
			return
		}
		slot, err := EncodeSlot(seq, s)
		if err != nil {
			t.Fatal(err)
		}
		if n, got, ok := DecodeSlot(slot); !ok || n != seq || !reflect.DeepEqual(got, s) {
			t.Errorf("%d: %#v", n, got)
		}
	})
}

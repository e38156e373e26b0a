package esp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// packets returns all packets in what came in, in pieces of n bytes.
func packets(in []byte, n int) [][]byte {
	var r slipReader
	var all [][]byte
	for len(in) > 0 {
		piece := in[:min(n, len(in))]
		in = in[len(piece):]
		for len(piece) > 0 {
			var p []byte
			if p, piece = r.next(piece); p != nil {
				all = append(all, bytes.Clone(p))
			}
		}
	}
	return all
}

func TestSLIP(t *testing.T) {
	long := bytes.Repeat([]byte{1}, largestPacket+1)
	for _, tc := range []struct {
		name string
		in   []byte
		want [][]byte
	}{
		{"a packet", []byte{0xC0, 1, 2, 0xC0}, [][]byte{{1, 2}}},
		{"escaped", []byte{0xC0, 0xDB, 0xDC, 0xDB, 0xDD, 0xC0}, [][]byte{{0xC0, 0xDB}}},
		{"noise before it", []byte{0x41, 0xFF, 0xC0, 1, 0xC0}, [][]byte{{0x41, 0xFF}, {1}}},
		{"noise with an end in it", []byte{0xC0, 0x41, 0xC0, 1, 0xC0}, [][]byte{{0x41}, {1}}},
		{"a lost end", []byte{0xC0, 1, 2, 0xC0, 3, 0xC0}, [][]byte{{1, 2}, {3}}},
		{"an escape that there is not", []byte{0xC0, 1, 0xDB, 7, 2, 0xC0, 3, 0xC0}, [][]byte{{3}}},
		{"an escaped end", []byte{0xC0, 1, 0xDB, 0xC0, 3, 0xC0}, [][]byte{{3}}},
		{"far too long", append(append([]byte{0xC0}, long...), 0xC0, 3, 0xC0), [][]byte{{3}}},
		{"empty", []byte{0xC0, 0xC0, 0xC0}, nil},
	} {
		for _, n := range []int{1, 3, 1 << 20} {
			got := packets(tc.in, n)
			if len(got) != len(tc.want) {
				t.Errorf("%s, by %d: %x instead of %x", tc.name, n, got, tc.want)
				continue
			}
			for i := range got {
				if !bytes.Equal(got[i], tc.want[i]) {
					t.Errorf("%s, by %d: %x instead of %x", tc.name, n, got, tc.want)
				}
			}
		}
	}
}

func FuzzSLIP(f *testing.F) {
	f.Add([]byte{0xC0, 1, 0xDB, 0xDC, 0xC0}, []byte{0xC0, 0xDB, 5}, 3)
	f.Add([]byte("ets Jan  8 2013,rst cause:2"), []byte("OHAI"), 1)
	f.Fuzz(func(t *testing.T, noise, packet []byte, n int) {
		if n < 1 || len(packet) == 0 || len(packet) > largestPacket {
			return
		}
		for _, p := range packets(noise, n) {
			if len(p) == 0 || len(p) > largestPacket {
				t.Fatalf("a packet of %d bytes came out of noise", len(p))
			}
		}
		// Whatever came before: what follows a whole packet is found.
		in := appendSLIP(append(bytes.Clone(noise), slipEnd), packet)
		got := packets(in, n)
		if len(got) == 0 || !bytes.Equal(got[len(got)-1], packet) {
			t.Fatalf("%x is lost behind %x", packet, noise)
		}
	})
}

func TestParseResponse(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []byte
		ok   bool
		code byte
		body string
	}{
		{"done", []byte{1, 8, 2, 0, 7, 0, 0, 0, 0, 0}, true, 0, ""},
		{"with two bytes more, as an ESP32", []byte{1, 8, 4, 0, 7, 0, 0, 0, 0, 0, 0, 0}, true, 0, ""},
		{"refused by an ESP32", []byte{1, 8, 4, 0, 7, 0, 0, 0, 1, 5, 0, 0}, true, 5, ""},
		{"refused by the stub", []byte{1, 8, 2, 0, 7, 0, 0, 0, 0xC1, 0}, true, 0xC1, ""},
		{"MD5", append([]byte{1, opMD5, 18, 0, 7, 0, 0, 0}, "0123456789abcdef\x00\x00"...), true, 0, "0123456789abcdef"},
		{"MD5 in hex", append([]byte{1, opMD5, 34, 0, 7, 0, 0, 0}, "0123456789abcdef0123456789abcdef\x00\x00"...), true, 0, "0123456789abcdef0123456789abcdef"},
		{"no MD5", []byte{1, opMD5, 2, 0, 7, 0, 0, 0, 0xFF, 0}, true, 0xFF, ""},
		{"refused", []byte{1, 8, 2, 0, 7, 0, 0, 0, 1, 0xC1}, true, 0xC1, ""},
		{"a request", []byte{0, 8, 2, 0, 7, 0, 0, 0, 0, 0}, false, 0, ""},
		{"too short", []byte{1, 8, 2, 0, 7, 0, 0, 0, 0}, false, 0, ""},
		{"a length of 0, as of early stubs", []byte{1, 8, 0, 0, 7, 0, 0, 0, 0, 0}, true, 0, ""},
		{"no status", []byte{1, 8, 0, 0, 7, 0, 0, 0}, false, 0, ""},
	} {
		r, err, ok := parseResponse(tc.in)
		var no *refusal
		if ok != tc.ok || ok && (string(r.body) != tc.body || r.op != tc.in[1] || r.value != 7) || errors.As(err, &no) != (tc.code != 0) || no != nil && no.code != tc.code {
			t.Errorf("%s: %+v, %v, %v", tc.name, r, err, ok)
		}
	}
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte{1, 8, 2, 0, 7, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 0x13, 18, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err, ok := parseResponse(in)
		if !ok {
			if err != nil {
				t.Fatal("what is no answer cannot fail")
			}
			return
		}
		n := len(r.body)
		if n != 0 && r.op != opMD5 || n%16 != 0 || n+10 > len(in) || r.value != binary.LittleEndian.Uint32(in[4:]) || (err == nil) != (in[8+n] == 0) {
			t.Fatalf("%x is %+v, %v", in, r, err)
		}
	})
}

func FuzzStub(f *testing.F) {
	f.Add(ownStub)
	f.Add([]byte(`{"entry":4294967295,"text":"AAAA","text_start":4294967292,"data_start":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseStub(b)
		if err != nil {
			return
		}
		if s.Entry < 0x40100000 || s.Entry >= 0x40110000 || len(s.Text) > 0x10000 || len(s.Data) > 0x18000 {
			t.Fatalf("a stub outside of the chip's RAM is taken: %08X, %d and %d bytes", s.Entry, len(s.Text), len(s.Data))
		}
	})
}

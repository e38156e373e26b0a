package wire

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// heard is what a stream finds, as text.
type heard struct {
	stream
	all   []string
	shown []byte
}

func newHeard() *heard {
	h := &heard{}
	h.most = 64
	h.line = func(text []byte) { h.all = append(h.all, fmt.Sprintf("line %q", text)) }
	h.typed = func(text []byte) { h.shown = append(h.shown, text...) }
	h.stream.frame = func(f frame) { h.all = append(h.all, fmt.Sprintf("frame %02x %02x %x", f.kind, f.seq, f.data)) }
	h.stream.improv = func(p improvPacket) { h.all = append(h.all, fmt.Sprintf("improv %02x %x", p.kind, p.data)) }
	return h
}

func TestStream(t *testing.T) {
	hello := string(frame{0x01, 7, nil}.encode())
	event := string(frame{0x42, 0, []byte("ab\nIMPROV\x01\x1eH")}.encode())
	state := string(improvPacket{improvState, []byte{2}}.encode())
	const (
		isHello = "frame 01 07 "
		isEvent = "frame 42 00 61620a494d50524f56011e48"
		isState = "improv 01 02"
	)
	wrong := strings.Replace(string(frame{0x42, 0, []byte("ab\ncd")}.encode()), "ab", "aB", 1)
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"a line\nanother\r\n\n\r\nhalf", []string{`line "a line"`, `line "another"`}},
		{"a\rb\x01\x7f\tc\n", []string{`line "a.b..\tc"`}},
		{strings.Repeat("x", 100) + "\n", []string{`line "` + strings.Repeat("x", 64) + `"`}},
		{hello, []string{isHello}},
		{"te" + hello + "xt\n" + event, []string{isHello, `line "text"`, isEvent}},
		{"te" + state + "xt\n", []string{isState, `line "text"`}},
		{state + state + "\n", []string{isState, isState}},
		{state + "\r\nx\n", []string{isState, `line "x"`}},
		{"IMPROVE\nIMPROV\nI\x1e\x1e" + hello + "M\n", []string{`line "IMPROVE"`, `line "IMPROV"`, isHello, `line "I..M"`}},
		{"\x1e" + hello, []string{isHello}},
		{"\x1eH" + hello + strings.Repeat("\n", 1034), []string{isHello}},  // a mark that lies about a length
		{"\x1eH\x00\x00\xff\xff" + hello, []string{isHello}},               // too long
		{hello[:len(hello)-1] + hello + state, []string{isHello, isState}}, // half a frame
		{wrong[:8] + hello + hello + hello, []string{isHello, isHello, isHello}},
		{wrong + hello, []string{`line "B...aB"`, isHello}},
		{strings.Replace(state, "\x02", "\x03", 1) + state, []string{`line "...\xe2"`, isState}},
	} {
		one := newHeard()
		one.feed([]byte(c.in))
		if !slices.Equal(one.all, c.want) {
			t.Errorf("%q:\n%q, want\n%q", c.in, one.all, c.want)
		}
		for n := range c.in { // in pieces it is the same
			two := newHeard()
			two.feed([]byte(c.in[:n]))
			two.feed([]byte(c.in[n:]))
			if !slices.Equal(one.all, two.all) {
				t.Errorf("%q at %d:\n%q, want\n%q", c.in, n, two.all, one.all)
			}
		}
	}
}

func TestStreamIdle(t *testing.T) {
	hello := string(frame{0x01, 7, nil}.encode())
	h := newHeard()
	h.feed([]byte("a\x1eH\x01\x02\x00\x03")) // half a frame, and nothing more
	h.idle()
	h.feed([]byte("IMPROV\x01\x04\xff" + hello)) // half a packet that swallows a frame
	h.idle()
	h.feed([]byte("b\n"))
	if want := []string{"frame 01 07 ", "line \"a....b\""}; len(h.all) != 2 || h.all[0] != want[0] {
		t.Errorf("%q, want %q", h.all, want)
	}
}

// FuzzStream finds a frame after anything that came before, and holds back little.
func FuzzStream(f *testing.F) {
	f.Add([]byte("text\n\x1eH\x01"), uint8(3))
	f.Add(improvCall(improvJoin, "a", "b").encode(), uint8(9))
	f.Fuzz(func(t *testing.T, noise []byte, cut uint8) {
		h := newHeard()
		for part := range slices.Chunk(noise, int(cut)+1) {
			h.feed(part)
			if len(h.in) > frameHead+MaxData+4 || len(h.text) > h.most {
				t.Fatalf("it holds back %d", len(h.in))
			}
		}
		all := len(h.all)
		whole := newHeard()
		whole.feed(noise)
		if !slices.Equal(whole.all, h.all) || !bytes.Equal(whole.shown, h.shown) {
			t.Fatalf("in pieces of %d:\n%q, want\n%q", cut+1, h.all, whole.all)
		}
		if shown, tail := typed(h.shown); !utf8.ValidString(shown) || len(tail) >= utf8.UTFMax || strings.ContainsFunc(shown, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }) {
			t.Fatalf("a terminal is shown %q and %q is kept", shown, tail)
		}
		h.idle()
		h.feed(frame{0x42, 1, []byte{1, 2, 3}}.encode())
		h.idle()
		if !slices.Contains(h.all[all:], "frame 42 01 010203") {
			t.Errorf("the frame is lost: %q", h.all)
		}
		for _, line := range h.all {
			if strings.HasPrefix(line, "line") && strings.ContainsFunc(line, func(r rune) bool { return r < ' ' }) {
				t.Errorf("%q has control characters", line)
			}
		}
	})
}

// TestStreamNoise hides frames and packets in noise; none that is whole gets lost
// after a rest, and none is made up.
func TestStreamNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 7))
	for i := range 200 {
		h := newHeard()
		var want []string
		for range 20 {
			noise := make([]byte, random.IntN(60))
			for j := range noise {
				noise[j] = []byte("IMPROV\x01\x04\x1eH\x00\x01\xff\nab")[random.IntN(16)]
			}
			h.feed(noise)
			h.idle()
			h.feed([]byte("\n"))
			f := frame{byte(1 + random.IntN(9)), byte(random.Uint32()), bytes.Repeat([]byte{'x'}, random.IntN(MaxData+1))}
			h.feed(f.encode())
			want = append(want, fmt.Sprintf("frame %02x %02x %x", f.kind, f.seq, f.data))
		}
		got := slices.DeleteFunc(h.all, func(s string) bool { return !strings.HasPrefix(s, "frame") })
		if !slices.Equal(got, want) {
			t.Fatalf("%d: %d frames, want %d", i, len(got), len(want))
		}
	}
}

func TestImprovWords(t *testing.T) {
	p := improvCall(improvJoin, "MyWirelessAP", "mysecurepassword")
	if got, want := string(p.data), "\x01\x1e\x0cMyWirelessAP\x10mysecurepassword"; got != want { // the example of improv-wifi.com/serial
		t.Errorf("%q", got)
	}
	for data, ok := range map[string]bool{"": false, "\x01": false, "\x01\x00": true, "\x01\x01": false, "\x04\x03\x02ab": true, "\x04\x03\x03ab": false, "\x04\x01\x00": true} {
		if _, _, got := improvWords([]byte(data)); got != ok {
			t.Errorf("%q: %v", data, got)
		}
	}
}

// FuzzFacts gives what reads a kit's answers what it does not expect.
func FuzzFacts(f *testing.F) {
	f.Add([]byte("\x01\x03abc\x05\x06abcdef"))
	f.Add([]byte("\xc5\x03\x06\x02ab"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if id, ok := decodeIdentity(data); ok && strings.ContainsAny(id.Firmware+id.Variant+id.Version+id.Address, "\n\r\x1b\x00") {
			t.Errorf("%+v", id)
		}
		if s, ok := decodeStatus(data); ok && strings.ContainsAny(s.Address, "\n\r\x1b\x00") {
			t.Errorf("%+v", s)
		}
		decodeInput(data)
		if all, ok := decodeNetworks(data); ok {
			for i, n := range strongest(all) {
				if n.Name == "" || len(n.Name) > 32 || i > len(data)/4 {
					t.Errorf("%+v", n)
				}
			}
		}
		if _, words, ok := improvWords(data); ok {
			device(words)
		}
		_, _ = answer(data)
	})
}

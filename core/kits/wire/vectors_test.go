package wire

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const firmware = "../../../firmware"

// unhex reads the bytes of a vector; - is none.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	if s == "-" {
		return nil
	}
	out, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func enhex(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return hex.EncodeToString(b)
}

// vector says what comes out of a case of settings.vectors, frames.vectors or
// improv.vectors that is one line.
func vector(t testing.TB, w []string) string {
	switch w[0] {
	case "tlvs":
		s, err := Decode(unhex(t, w[2]))
		if err != nil {
			return "invalid"
		}
		open := s
		open.Key, open.Secret = "", ""
		return fmt.Sprintf("%s %s %08x %08x", enhex(mustEncode(t, s)), enhex(mustEncode(t, open)), s.CRC(), s.DesignCRC())
	case "change":
		old, err := Decode(unhex(t, w[2]))
		if err != nil {
			t.Fatal(w[1], err)
		}
		s, err := old.Apply(unhex(t, w[3]))
		if err != nil {
			return "invalid"
		}
		return enhex(mustEncode(t, s))
	case "slot":
		slot := unhex(t, w[2])
		seq, s, ok := DecodeSlot(slot)
		if !ok {
			return "invalid"
		}
		out := fmt.Sprintf("%d %s", seq, enhex(mustEncode(t, s)))
		if again, err := EncodeSlot(seq, s); err == nil && bytes.Equal(again, slot) {
			out += " exact"
		}
		return out
	case "newest":
		a, b := unhex(t, w[2]), unhex(t, w[3])
		s, seq, ok := Newest(a, b)
		for i, slot := range [][]byte{a, b} {
			n, in, valid := DecodeSlot(slot)
			if ok && valid && n == seq && bytes.Equal(mustEncode(t, in), mustEncode(t, s)) {
				return []string{"a", "b"}[i]
			}
		}
		return "none"
	case "encode":
		return enhex(frame{unhex(t, w[1])[0], unhex(t, w[2])[0], unhex(t, w[3])}.encode())
	case "packet":
		return enhex(improvPacket{unhex(t, w[1])[0], unhex(t, w[2])}.encode())
	case "result":
		words := []string{}
		for _, text := range w[2:] {
			words = append(words, string(unhex(t, text)))
		}
		p := improvCall(unhex(t, w[1])[0], words...)
		p.kind = improvResult
		if command, again, ok := improvWords(p.data); !ok || command != p.data[0] || !slices.Equal(again, words) && len(words) > 0 {
			t.Errorf("%q is read as %q", words, again)
		}
		return enhex(p.encode())
	}
	t.Fatalf("what is %s?", w[0])
	return ""
}

// improvVector is the command that the kit reads as w, or nil.
func improvVector(t testing.TB, w []string) *improvPacket {
	switch w[0] {
	case "wifi":
		return new(improvCall(improvJoin, string(unhex(t, w[1])), string(unhex(t, w[2]))))
	case "state":
		return new(improvCall(improvWhich))
	case "info":
		return new(improvCall(improvInfo))
	case "scan":
		return new(improvCall(improvScan))
	}
	return nil
}

// found is what a stream finds, as in frames.vectors.
func found() *heard {
	h := newHeard()
	h.most = 256 // the firmware's; what is beyond is dropped
	h.line = func(text []byte) { h.all = append(h.all, "> line "+enhex(text)) }
	h.stream.frame = func(f frame) {
		h.all = append(h.all, fmt.Sprintf("> frame %02x %02x %s", f.kind, f.seq, enhex(f.data)))
	}
	h.stream.improv = func(p improvPacket) { h.all = append(h.all, fmt.Sprintf("> improv %02x %s", p.kind, enhex(p.data))) }
	return h
}

// TestVectors reads the same files as firmware/host/vectors.cpp.
func TestVectors(t *testing.T) {
	for _, name := range []string{"settings", "frames", "improv"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(firmware, "testdata", name+".vectors"))
			if err != nil {
				t.Fatal(err)
			}
			cases := 0
			var open string
			var in, want []string
			end := func() {
				if open == "" {
					return
				}
				cases++
				for _, size := range []int{1, 2, 3, 7, 64, 4096} {
					h := found()
					for _, step := range in {
						if step == "quiet" {
							h.idle()
							continue
						}
						for piece := range slices.Chunk(unhex(t, step), size) {
							h.feed(piece)
						}
					}
					if !slices.Equal(h.all, want) {
						t.Errorf("%s in pieces of %d:\n%s\nwant\n%s", open, size, strings.Join(h.all, "\n"), strings.Join(want, "\n"))
						break
					}
				}
			}
			for i, line := range strings.Split(string(text), "\n") {
				w := strings.Fields(line)
				switch {
				case len(w) == 0 || w[0][0] == '#', line == "> damaged":
				case w[0] == "case":
					end()
					open, in, want = w[1], nil, nil
				case w[0] == "in":
					in = append(in, w[1])
				case w[0] == "quiet":
					in = append(in, "quiet")
				case w[0] == ">":
					want = append(want, line)
				case w[0] == "rpc": // only the kit reads them; the program writes what is right
					cases++
					if got := improvVector(t, w[4:]); got != nil && enhex(got.data) != w[2] {
						t.Errorf("line %d: %s is %x", i+1, line, got.data)
					}
				default:
					what, out, _ := strings.Cut(line, " = ")
					if got := vector(t, strings.Fields(what)); got != out {
						t.Errorf("line %d: %.60s\nis   %s\nwant %s", i+1, line, got, out)
					}
					cases++
				}
			}
			end()
			if cases < 20 {
				t.Errorf("only %d cases", cases)
			}
		})
	}
}

// TestVectorsByChance has Go and the firmware's own code read what chance wants.
func TestVectorsByChance(t *testing.T) {
	program := build(t, "vectors", "host/vectors.cpp", "kit/src/core/settings.cpp", "kit/src/core/frame.cpp", "kit/src/core/improv.cpp", "kit/src/core/crc32.cpp", "kit/src/core/roles.cpp")
	random := rand.New(rand.NewPCG(3, 4))
	var out strings.Builder
	line := func(what ...string) {
		all := strings.Join(what, " ")
		fmt.Fprintf(&out, "%s = %s\n", all, vector(t, strings.Fields(all)))
	}
	valid := 0
	for range 3000 {
		tlvs := chanceTLVs(random, false)
		if s, err := Decode(tlvs); err == nil {
			valid++
			slot, _ := EncodeSlot(1+random.Uint32N(5), s)
			other, _ := EncodeSlot(1+random.Uint32N(5), example())
			line("slot", "chance", enhex(slot))
			line("slot", "chance", enhex(damaged(random, slot)))
			line("newest", "chance", enhex(slot), enhex(other))
			line("newest", "chance", enhex(damaged(random, other)), enhex(slot))
			line("change", "chance", enhex(tlvs), enhex(chanceTLVs(random, true)))
			line("change", "chance", enhex(tlvs), enhex(Difference(s, example())))
		}
		line("tlvs", "chance", enhex(tlvs))
	}
	if valid < 300 {
		t.Errorf("only %d of 3000 are settings", valid)
	}
	for i := range 500 {
		fmt.Fprintf(&out, "case %d\n", i)
		h := found()
		for range 1 + random.IntN(20) {
			var in []byte
			switch random.IntN(6) {
			case 0, 1:
				in = damaged(random, frame{byte(random.Uint32()), byte(random.Uint32()), make([]byte, random.IntN(40))}.encode())
			case 2:
				in = frame{1, 2, make([]byte, random.IntN(MaxData+1))}.encode()
			case 3:
				in = improvPacket{byte(random.IntN(6)), make([]byte, random.IntN(9))}.encode()
			case 4:
				fmt.Fprintln(&out, "quiet")
				h.idle()
				continue
			default:
				in = make([]byte, 1+random.IntN(60))
				for j := range in {
					in[j] = []byte("IMPROV\x01\x04\x1eH\x00\r\xff\nab")[random.IntN(16)]
				}
			}
			fmt.Fprintln(&out, "in", enhex(in))
			h.feed(in)
		}
		for _, line := range h.all {
			fmt.Fprintln(&out, line)
		}
	}
	file := filepath.Join(t.TempDir(), "chance.vectors")
	if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	told, err := exec.Command(program, file).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%.3000s", err, told)
	}
}

// damaged changes a bit, or takes the end away, of every third.
func damaged(random *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	switch random.IntN(6) {
	case 0:
		b[random.IntN(len(b))] ^= 1 << random.IntN(8)
	case 1:
		b = b[:random.IntN(len(b))]
	}
	return b
}

// chanceTLVs returns TLVs that are nearly, and often, settings or a change of them.
func chanceTLVs(random *rand.Rand, change bool) []byte {
	var out []byte
	few := func(n int) int { return random.IntN(n) * random.IntN(2) * random.IntN(2) }
	for _, tag := range order {
		if random.IntN(20) == 0 {
			tag = byte(random.Uint32())
		}
		for range random.IntN(3) {
			v := bytes.Repeat([]byte{'a' + byte(random.IntN(6))}, 8+random.IntN(17))
			switch tag {
			case tagBrokerPort:
				v = []byte{byte(random.IntN(2)), byte(random.IntN(4))}
			case tagKey:
				v = bytes.Repeat(v[:1], 6+random.IntN(60))
			case tagTransport:
				v = []byte{byte(random.IntN(2) + few(2))}
			case tagHome:
				v = append(v, ".local"...)
			case tagRole:
				v = []byte{byte(random.IntN(5) + few(2))}
			case tagHold:
				v = v[:4]
			case tagPort:
				p := Port{Slot: string(v[:1+random.IntN(8)]), Topic: string(v), Yes: string(v[:2]), No: string(v[:3]), Min: int32(random.Uint32()), Retain: random.IntN(2) == 0}
				v = p.encode()
			case tagPin:
				v = []byte{byte(random.IntN(6) + few(14)), byte(random.IntN(4) + few(2)), v[0]}
			}
			switch few(12) {
			case 1:
				v[random.IntN(len(v))] = 0
			case 2:
				v = append(v, v...)
			case 3:
				v = v[:random.IntN(len(v))]
			}
			if change && random.IntN(3) == 0 {
				v = nil
			}
			out = append(append(out, tag, byte(len(v))), v...)
			if tag != tagPort && tag != tagPin && random.IntN(30) > 0 {
				break
			}
		}
	}
	if few(5) == 1 {
		out = out[:random.IntN(len(out)+1)]
	}
	return out
}

// build compiles a program of the firmware. The package firmware has it watched by
// sanitizers, which take most of a minute to build.
func build(t *testing.T, name string, sources ...string) string {
	t.Helper()
	gxx, err := exec.LookPath("g++")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("g++ is missing: make deps installs it")
		}
		t.Skip("g++ is missing: make deps installs it")
	}
	program := filepath.Join(t.TempDir(), name)
	args := []string{"-std=c++17", "-O0", "-fno-exceptions", "-fno-rtti", "-o", program}
	for _, s := range sources {
		args = append(args, filepath.Join(firmware, s))
	}
	if out, err := exec.Command(gxx, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%.3000s", err, out)
	}
	return program
}

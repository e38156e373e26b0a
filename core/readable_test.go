package core

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestReadable(t *testing.T) {
	for _, c := range []struct {
		name, text string
		most       int
		want       string
	}{
		{"nothing", "", 10, ""},
		{"as it is", "blue/lab/kit-1", 14, "blue/lab/kit-1"},
		{"as it is, in any script", "온도 °C été", 64, "온도 °C été"},
		{"what stood for something before", "a\ufffd", 4, "a\ufffd"},
		{"lines", "one\ntwo\r\nthree\tfour\u2028five\r\rsix", 64, "one two three four five  six"},
		{"control characters", "a\x00\x1b[31m\x7f\u0090b", 64, "a��[31m��b"},
		{"turned", "\u202egnp.exe\u2066x", 64, "�gnp.exe�x"},
		{"not seen", "a\u200b\u200d\ufeff\u3164\u00ad\U000e0041b", 64, "a������b"},
		{"private and never characters", "\ue000\ufffe", 64, "��"},
		{"no UTF-8", "a\xff\xc3(\xed\x95b", 64, "a��(��b"},
		{"cut", "0123456789", 9, "012345…"},
		{"cut between characters", "한한한한", 10, "한한…"},
		{"cut within a character", "éééééé", 6, "é…"},
		{"an accent stays", "abe\u0301\u0301fghij", 8, "ab…"},
		{"a syllable of letters stays", "ab\u1112\u1161\u11abcde", 12, "ab…"},
		{"nothing but marks", "e" + strings.Repeat("\u0301", 50), 12, "e" + strings.Repeat("\u0301", 4) + "…"},
		{"longer by what stands for it", "\xff\xff\xff\xff", 8, "�…"},
		{"shorter by what stands for it", "a\u2028\u2028\u2028\u2028", 13, "a    "},
		{"the end is cut as a whole", "\U0001f600\U0001f600", 7, "\U0001f600…"},
		{"no room", "abcdef", 2, ""},
		{"room for the ellipsis", "abcdef", 3, "…"},
		{"no room at all", "a", 0, ""},
		{"less than none", "a", -1, ""},
	} {
		if got := Readable(c.text, c.most); got != c.want {
			t.Errorf("%s: Readable(%q, %d) = %q, want %q", c.name, c.text, c.most, got, c.want)
		}
		if got := Readable([]byte(c.text), c.most); got != c.want {
			t.Errorf("%s: as bytes it is %q, want %q", c.name, got, c.want)
		}
	}
}

// What is fine costs no memory, and what is long is not read to its end.
func TestReadableIsCheap(t *testing.T) {
	for _, s := range []string{"blue/lab/kit-1/light", "파랑/과학실/키트-1/밝기"} {
		if n := testing.AllocsPerRun(100, func() { Readable(s, 64) }); n != 0 {
			t.Errorf("%s costs %v allocations, want none", s, n)
		}
	}
	long := []byte(strings.Repeat("\u202e", 1<<20))
	if n := testing.AllocsPerRun(10, func() { Readable(long, 64) }); n > 4 {
		t.Errorf("a long text costs %v allocations, want a few of 64 bytes", n)
	}
}

func FuzzReadable(f *testing.F) {
	f.Add("a\x00\xff\u202eé\r\n", 4)
	f.Add("e\u0301\u0301한\u1112\u1161\u11ab👩‍👩‍👧\U000e0041", 9)
	f.Fuzz(func(t *testing.T, s string, most int) {
		most &= 0xff
		got := Readable(s, most)
		if len(got) > most || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\n\r\t\x1b\u200b\u200d\u202e\u2066\ufeff\u2028") {
			t.Fatalf("Readable(%q, %d) = %q", s, most, got)
		}
		if again := Readable(got, most); again != got {
			t.Fatalf("Readable(%q, %d) = %q, and of that %q", s, most, got, again)
		}
		if bytes := Readable([]byte(s), most); bytes != got {
			t.Fatalf("Readable(%q, %d) = %q, and of the bytes %q", s, most, got, bytes)
		}
	})
}

func BenchmarkReadable(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"fine", "blue/lab/kit-1/light"},
		{"fine Hangul", "파랑/과학실/키트-1/밝기"},
		{"turned", "blue/lab/\u202ekit-1/light"},
		{"long", strings.Repeat("blue/lab/kit-1/", 1000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Readable(c.text, 64)
			}
		})
	}
}

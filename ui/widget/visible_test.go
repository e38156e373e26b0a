package widget

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "(empty)",
		" \n\t ":                  "(empty)",
		"on":                      "on",
		"two\n lines":             "two lines",
		"\x00\x1b[0m":             "‹NUL›‹ESC›[0m",
		"\x7f":                    "‹DEL›",
		"\xff":                    "‹0xFF›",
		"a\u202eb":                "a‹U+202E›b",
		"안녕 21 °C":                "안녕 21 °C",
		strings.Repeat("가", 2000): strings.Repeat("가", 341),
	} {
		if got := OneLine(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

func FuzzOneLine(f *testing.F) {
	f.Add("\x00\xff\u202e\n가")
	f.Fuzz(func(t *testing.T, text string) {
		s := OneLine(text)
		if s == "" || !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\n\r\x1b\u2028\u202e") {
			t.Errorf("%q is shown as %q", text, s)
		}
	})
}

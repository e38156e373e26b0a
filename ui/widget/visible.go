package widget

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"homeroom/assets/lang"
)

// controls are the names of the characters below the space.
var controls = strings.Fields("NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US")

// Visible returns text as a person can see it: control characters by name as
// ‹ESC›, marks that turn or hide text by number as ‹U+202E›, and bytes that are
// not UTF-8 as ‹0xFF›. Line ends and tabs stay where lines is true.
func Visible(text string, lines bool) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, "‹0x%02X›", text[0])
		case lines && r == '\n':
			b.WriteByte('\n')
		case lines && r == '\t':
			b.WriteString("    ")
		case r < ' ':
			b.WriteString("‹" + controls[r] + "›")
		case r == 0x7f:
			b.WriteString("‹DEL›")
		case r > 0x7f && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp):
			fmt.Fprintf(&b, "‹U+%04X›", r)
		default:
			b.WriteRune(r)
		}
		text = text[n:]
	}
	return b.String()
}

// OneLine is the value of a text on one line, as much of it as any line can
// show: visible, with single spaces, and in words where there is nothing.
func OneLine(text string) string {
	const enough = 1024
	if len(text) > enough {
		end := enough
		for end > enough-utf8.UTFMax && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	if text = strings.Join(strings.Fields(text), " "); text == "" {
		return lang.L("(empty)")
	}
	return Visible(text, false)
}

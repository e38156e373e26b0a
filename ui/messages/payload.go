package messages

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"homeroom/assets/lang"
)

// shownBytes is how much of a payload is shown. All of it is copied.
const shownBytes = 32 << 10

// maxJSON is the largest payload that is read as JSON.
const maxJSON = 512 << 10

// controls are the names of the characters below the space.
var controls = strings.Fields("NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US")

// visible returns text as a person can see it: control characters by name as
// ‹ESC›, marks that turn or hide text by number as ‹U+202E›, and bytes that are
// not UTF-8 as ‹0xFF›. Line ends and tabs stay where lines is true.
func visible(text []byte, lines bool) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
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
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp):
			fmt.Fprintf(&b, "‹U+%04X›", r)
		default:
			b.WriteRune(r)
		}
		text = text[n:]
	}
	return b.String()
}

// cut returns at most n bytes of payload, not ending within a character.
func cut(payload []byte, n int) []byte {
	if len(payload) <= n {
		return payload
	}
	for end := n; end > n-utf8.UTFMax; end-- {
		if utf8.RuneStart(payload[end]) {
			return payload[:end]
		}
	}
	return payload[:n]
}

// brief is the start of a payload on one line.
func brief(payload []byte) string {
	const enough = 240
	if len(payload) <= enough {
		return visible(payload, false)
	}
	return visible(cut(payload, enough), false) + "…"
}

// isText reports whether payload can be written in an entry as it is.
func isText(payload []byte) bool {
	return utf8.Valid(payload) && bytes.IndexByte(payload, 0) < 0
}

// indented returns payload as indented JSON. It is not ok where it is none, or
// is only a number, a word or the like, or is too large.
func indented(payload []byte) (text []byte, ok bool) {
	trimmed := bytes.TrimSpace(payload)
	if len(payload) > maxJSON || len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' {
		return nil, false
	}
	var b bytes.Buffer
	if json.Indent(&b, trimmed, "", "  ") != nil {
		return nil, false
	}
	return b.Bytes(), true
}

// dump returns payload as offset, bytes in hexadecimal, and characters.
func dump(payload []byte) string { return strings.TrimSuffix(hex.Dump(payload), "\n") }

// size is a number of bytes as people say it.
func size(n int) string {
	switch {
	case n < 1000:
		return lang.L("{n} B", "n", n)
	case n < 1_000_000:
		return lang.L("{n} KB", "n", fmt.Sprintf("%.1f", float64(n)/1000))
	}
	return lang.L("{n} MB", "n", fmt.Sprintf("%.1f", float64(n)/1_000_000))
}

// clock is a time of day to the millisecond.
func clock(t time.Time) string { return t.Local().Format("15:04:05.000") }

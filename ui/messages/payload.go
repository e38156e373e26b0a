package messages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"homeroom/assets/lang"
	"homeroom/ui/widget"
)

// shownBytes is how much of a payload is shown. All of it is copied.
const shownBytes = 32 << 10

// maxJSON is the largest payload that is read as JSON.
const maxJSON = 512 << 10

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
		return widget.Visible(string(payload), false)
	}
	return widget.Visible(string(cut(payload, enough)), false) + "…"
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

// dump returns payload as rows of that many bytes: offset, bytes in
// hexadecimal with a gap after each eight, and characters.
func dump(payload []byte, perRow int) string {
	var b strings.Builder
	digits := 4
	if len(payload) > 1<<16 {
		digits = 8
	}
	for at := 0; at < len(payload); at += perRow {
		if at > 0 {
			b.WriteByte('\n')
		}
		row := payload[at:min(at+perRow, len(payload))]
		fmt.Fprintf(&b, "%0*x ", digits, at)
		for i := range perRow {
			if i%8 == 0 {
				b.WriteByte(' ')
			}
			if i < len(row) {
				fmt.Fprintf(&b, "%02x ", row[i])
			} else {
				b.WriteString("   ")
			}
		}
		b.WriteString(" |")
		for _, c := range row {
			if c < ' ' || c > '~' {
				c = '.'
			}
			b.WriteByte(c)
		}
		b.WriteByte('|')
	}
	return b.String()
}

// perRow returns how many bytes dump shows in a row of that many characters.
func perRow(room float32) int {
	for _, n := range []int{16, 8} {
		if float32(len(dump(make([]byte, n), n))) <= room {
			return n
		}
	}
	return 4
}

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

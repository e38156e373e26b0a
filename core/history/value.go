package history

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"homeroom/core"
)

const (
	maxText   = 1 << 10  // bytes of a text that are kept
	maxHex    = 32       // bytes of a payload that is no text that are kept
	maxNumber = 32       // bytes of a number
	maxJSON   = 64 << 10 // bytes of a payload that is taken apart
	maxLeaves = 64
	maxDepth  = 8
	maxPath   = 256 // bytes of a leaf's path
)

// value is what a payload, or a leaf of it, says.
type value struct {
	kind core.Kind
	v    float64
	text string
}

// leaf is one value in a JSON payload.
type leaf struct {
	path string
	value
}

// valueOf reads a payload that is one value: a number or a boolean that stands
// alone, else a text. NaN and infinity are texts: they cannot be drawn.
func valueOf(payload []byte) value {
	b := bytes.TrimSpace(payload)
	if v, ok := number(b); ok {
		return value{kind: core.Number, v: v}
	}
	if len(b) == 4 && bytes.EqualFold(b, []byte("true")) {
		return value{kind: core.Boolean, v: 1}
	}
	if len(b) == 5 && bytes.EqualFold(b, []byte("false")) {
		return value{kind: core.Boolean}
	}
	return value{kind: core.Text, text: textOf(payload)}
}

// number reads a decimal number. It does not allocate.
func number(b []byte) (float64, bool) {
	if len(b) == 0 || len(b) > maxNumber {
		return 0, false
	}
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(string(b), 64)
	return v, err == nil
}

// textOf is what is kept of a text: at most 1 KiB of whole characters, and a
// few bytes in hex of what is no text.
func textOf(payload []byte) string {
	if cut := payload; len(cut) > maxText {
		cut = cut[:maxText]
		for len(cut) > maxText-utf8.UTFMax && !utf8.RuneStart(payload[len(cut)]) {
			cut = cut[:len(cut)-1]
		}
		if utf8.Valid(cut) {
			return string(cut)
		}
	} else if utf8.Valid(payload) {
		return string(payload)
	}
	if len(payload) > maxHex {
		return "0x" + hex.EncodeToString(payload[:maxHex]) + "…"
	}
	return "0x" + hex.EncodeToString(payload)
}

// leavesOf takes a JSON object or array apart. It returns nothing where the
// payload is something else, is larger than 64 KiB or holds no value; then it
// is a text. Leaves past the 64th and below the 8th level are left out.
func leavesOf(payload []byte) []leaf {
	b := bytes.TrimSpace(payload)
	if len(payload) > maxJSON || len(b) < 2 || b[0] != '{' && b[0] != '[' || !json.Valid(b) {
		return nil
	}
	w := walker{rest: b}
	w.walk("", 0)
	return w.leaves
}

// walker reads JSON that is known to be valid, which makes it ten times as
// fast as one that checks each token.
type walker struct {
	rest   []byte
	leaves []leaf
}

// walk reads one value, whose path it is given.
func (w *walker) walk(path string, depth int) {
	w.skip(" \t\r\n")
	switch w.rest[0] {
	case '{':
		for w.next('}') {
			key := w.text()
			w.skip(" \t\r\n:")
			w.walk(below(path, key, depth), depth+1)
		}
	case '[':
		for i := 0; w.next(']'); i++ {
			w.walk(below(path, strconv.Itoa(i), depth), depth+1)
		}
	case '"':
		w.add(path, depth, valueOf([]byte(w.text())))
	default:
		n := bytes.IndexAny(w.rest, ",]} \t\r\n")
		if n < 0 {
			n = len(w.rest)
		}
		word := w.rest[:n]
		w.rest = w.rest[n:]
		if word[0] != 'n' { // null is no value
			w.add(path, depth, valueOf(word))
		}
	}
}

// next goes to the next member of the object or array that end closes, or
// past its end.
func (w *walker) next(end byte) bool {
	w.skip(" \t\r\n")
	if w.rest[0] != end {
		w.rest = w.rest[1:] // the bracket, or the comma
		w.skip(" \t\r\n")
		if w.rest[0] != end {
			return true
		}
	}
	w.rest = w.rest[1:]
	return false
}

// text reads a string.
func (w *walker) text() string {
	end, simple := 1, true
	for ; w.rest[end] != '"'; end++ {
		if w.rest[end] == '\\' {
			end++
			simple = false
		}
	}
	quoted := w.rest[:end+1]
	w.rest = w.rest[end+1:]
	if inside := quoted[1:end]; simple && utf8.Valid(inside) {
		return string(inside)
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // it is valid
	return s
}

func (w *walker) skip(blanks string) { w.rest = bytes.TrimLeft(w.rest, blanks) }

func below(path, key string, depth int) string {
	if depth > 0 {
		key = path + "." + key
	}
	if len(key) > maxPath {
		key = key[:maxPath+1] // too long stays too long, and grows no further
	}
	return key
}

func (w *walker) add(path string, depth int, v value) {
	if depth <= maxDepth && len(path) <= maxPath && len(w.leaves) < maxLeaves && strings.IndexByte(path, 0) < 0 {
		w.leaves = append(w.leaves, leaf{path, v})
	}
}

package core

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// more ends what was cut.
const more = "…"

// Readable returns text that came from outside as a person can read it: one line
// of valid UTF-8, at most that many bytes long. Line ends and tabs become spaces.
// A character that nobody sees, or that would turn or hide what stands around it,
// becomes U+FFFD, and so does each byte that is no UTF-8. What is too long ends in
// an ellipsis, and not within a character or what is drawn into it. A string that
// is fine already comes back as it is, without a copy.
func Readable[T ~string | ~[]byte](text T, most int) string {
	most = max(0, most)
	long := len(text) > most
	s := string(text[:min(len(text), most)])
	switch {
	case !long && fine(s):
		return s
	case most < len(more):
		return "" // no room to say that there is more
	case long:
		s = whole(s)
	}
	var b strings.Builder
	b.Grow(min(most, len(s)+len(more)))
	room := most - len(more)
	characters, runes := 0, 0 // the most of each that leave room for more
	for i := 0; ; {
		r, n := utf8.DecodeRuneInString(s[i:])
		if b.Len() <= room {
			runes = b.Len()
			if !joins(r) {
				characters = runes
			}
		}
		if n == 0 {
			break
		}
		crlf := r == '\n' && i > 0 && s[i-1] == '\r'
		i += n
		if crlf {
			continue // the line has ended
		}
		r = shown(r)
		if b.Len()+utf8.RuneLen(r) > most {
			long = true
			break
		}
		b.WriteRune(r)
	}
	switch {
	case !long:
		return b.String()
	case characters == 0:
		characters = runes // marks upon marks have no end
	}
	return b.String()[:characters] + more
}

// fine reports whether each character of s is shown as it is.
func fine(s string) bool {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if n == 1 || shown(r) != r {
			return false
		}
		i += n
	}
	return true
}

// whole returns s without the part of a character at its end.
func whole(s string) string {
	for i := len(s) - 1; i >= 0 && i > len(s)-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			if !utf8.FullRuneInString(s[i:]) {
				return s[:i]
			}
			break
		}
	}
	return s
}

// shown is what stands for r in a line.
func shown(r rune) rune {
	switch {
	case r >= ' ' && r < 0x7f:
		return r
	case r >= '\t' && r <= '\r', r == '\u0085', r == '\u2028', r == '\u2029':
		return ' '
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point):
		return utf8.RuneError
	}
	return r
}

// joins reports whether r is drawn into the character before it: an accent, the
// colour of a hand, or the end of a Hangul syllable that is written in letters.
func joins(r rune) bool {
	return unicode.Is(unicode.M, r) || r >= 0x1f3fb && r <= 0x1f3ff || r >= 0x1160 && r <= 0x11ff || r >= 0xd7b0 && r <= 0xd7fb
}

// Package locale keeps Fyne from complaining about the system's language. Fyne
// looks at the environment while its packages are initialised, long before main,
// and writes to the terminal where that names no language, as C.UTF-8 does. So this
// package must be initialised earlier: Go takes the first package by its path that
// has all it imports, and this one needs only what Fyne needs much of.
package locale

import (
	"os"
	"strings"
)

func init() {
	if l := language(os.Getenv); l != "" {
		_ = os.Setenv("LANGUAGE", l) // which counts before the others; at worst Fyne complains
	}
}

// language returns what LANGUAGE has to be so that Fyne finds only languages there,
// or "" where it does already. (The variables are those of gettext, "Locale
// Environment Variables" and "The LANGUAGE variable". LC_CTYPE, which says how keys
// become letters, stays as it is.)
func language(get func(string) string) string {
	locale := ""
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale = get(name); locale != "" {
			break
		}
	}
	if locale == "C" || locale == "POSIX" {
		return "" // neither Fyne nor gettext looks further
	}
	if l := get("LANGUAGE"); l != "" {
		locale = l
	}
	if locale == "" {
		return ""
	}
	var known []string
	for l := range strings.SplitSeq(locale, ":") {
		l, _, _ = strings.Cut(l, "@") // sr_RS@latin
		if isLanguage(l) {
			known = append(known, l)
		}
	}
	switch all := strings.Join(known, ":"); all {
	case locale:
		return ""
	case "":
		return "en"
	default:
		return all
	}
}

// isLanguage reports whether s is written like fr, fr_FR or fr_FR.UTF-8.
func isLanguage(s string) bool {
	s, _, _ = strings.Cut(s, ".")
	l, land, regional := strings.Cut(strings.ReplaceAll(s, "-", "_"), "_")
	return only(l, 2, 3, 'a', 'z') && (!regional || only(land, 2, 2, 'a', 'z') || only(land, 3, 3, '0', '9') || only(land, 4, 4, 'a', 'z'))
}

// only reports whether s is that many characters from first to last, large or small.
func only(s string, least, most int, first, last rune) bool {
	return len(s) >= least && len(s) <= most && !strings.ContainsFunc(strings.ToLower(s), func(r rune) bool { return r < first || r > last })
}

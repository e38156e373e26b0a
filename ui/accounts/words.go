package accounts

import (
	"crypto/rand"
	"slices"
	"strings"
	"unicode/utf8"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// roleName is a role as a person reads it.
func roleName(r core.Role) string {
	switch r {
	case core.Teacher:
		return lang.L("teacher")
	case core.Student:
		return lang.L("student")
	case core.Kit:
		return lang.L("kit")
	}
	return string(r)
}

// who is the subject of a grant as the beginning of a sentence.
func (d *data) who(s core.Subject) string {
	switch {
	case s.Team != "":
		return lang.L("Team {team}", "team", d.teamTitle(s.Team))
	case s.Role == core.Teacher:
		return lang.L("Every teacher")
	case s.Role == core.Student:
		return lang.L("Every student")
	case s.Role == core.Kit:
		return lang.L("Every kit")
	}
	if a, ok := d.account(s.Account); ok {
		return a.Title()
	}
	return lang.L("A removed account")
}

// words is a grant as a sentence.
func (d *data) words(g core.Grant) string {
	if g.Action == core.Publish {
		return lang.L("{who} may publish to {pattern}", "who", d.who(g.Subject), "pattern", g.Pattern)
	}
	return lang.L("{who} may subscribe to {pattern}", "who", d.who(g.Subject), "pattern", g.Pattern)
}

// action is what a grant allows, as a word.
func action(a core.Action) string {
	if a == core.Publish {
		return lang.L("publish")
	}
	return lang.L("subscribe")
}

// appliesTo reports whether a grant to s is one to a.
func appliesTo(s core.Subject, a core.Account) bool {
	switch {
	case s.Account != 0:
		return s.Account == a.ID
	case s.Team != "":
		return s.Team == a.Team
	}
	return s.Role != "" && s.Role == a.Role
}

// expand returns the filter that a grant's pattern is for an account. It is not
// ok where the account has nothing from it.
func expand(pattern string, a core.Account) (f topic.Filter, ok bool) {
	levels := strings.Split(pattern, "/")
	for i, l := range levels {
		switch {
		case l == "{team}" && a.Team != "":
			levels[i] = string(a.Team)
		case l == "{kit}" && a.Role == core.Kit, l == "{account}":
			levels[i] = string(a.Name)
		case l == "{team}", l == "{kit}":
			return "", false
		}
	}
	f, err := topic.ParseFilter(strings.Join(levels, "/"))
	return f, err == nil
}

// forKits reports whether a pattern is one that only kits have something from.
func forKits(pattern string) bool { return slices.Contains(strings.Split(pattern, "/"), "{kit}") }

// explainPattern says what is wrong with the pattern of a grant, or "".
func explainPattern(p string) string {
	if p == "" {
		return lang.L("Write a topic or a filter, such as blue/# or {team}/+/temperature.", "team", "{team}")
	}
	levels := strings.Split(p, "/")
	for i, l := range levels {
		switch {
		case strings.ContainsAny(l, "{}") && l != "{team}" && l != "{kit}" && l != "{account}":
			return lang.L("“{level}” cannot be filled in: use {team}, {kit} or {account} as a whole level.",
				"level", l, "team", "{team}", "kit", "{kit}", "account", "{account}")
		case l == "#" && i < len(levels)-1:
			return lang.L("# means everything below, so it must be the last level.")
		case l != "#" && strings.Contains(l, "#"), l != "+" && strings.Contains(l, "+"):
			return lang.L("+ and # stand for whole levels: write {right}", "right", "blue/+/lamp, blue/#")
		}
	}
	if strings.HasPrefix(p, "$share/") {
		return lang.L("Leave out $share/…: a grant for the topics is enough.")
	}
	if _, err := topic.ParseFilter(p); err != nil {
		return lang.L("The pattern is too long, has too many levels or has a character that topics cannot have.")
	}
	return ""
}

// explainID says what is wrong with the name of an account or a team, or "".
func explainID(name string) string {
	return widget.WhyNoID(name, lang.L("Small letters a to z, digits and hyphens, such as kit-1 or ana. It cannot be changed later."))
}

var plainLetters = strings.NewReplacer("à", "a", "â", "a", "ä", "ae", "á", "a", "ã", "a", "å", "a", "ç", "c", "é", "e", "è", "e", "ê", "e", "ë", "e",
	"í", "i", "ì", "i", "î", "i", "ï", "i", "ñ", "n", "ó", "o", "ò", "o", "ô", "o", "ö", "oe", "õ", "o", "ú", "u", "ù", "u", "û", "u", "ü", "ue",
	"ý", "y", "ÿ", "y", "œ", "oe", "æ", "ae", "ß", "ss")

// idFrom proposes a name for a display name; "" where it has no letters for one.
func idFrom(label string) string {
	var b strings.Builder
	for _, r := range plainLetters.Replace(strings.ToLower(label)) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	id := b.String()
	return strings.Trim(id[:min(len(id), topic.MaxID)], "-")
}

// explainPassword says what is wrong with a password, or "".
func explainPassword(p string) string {
	if utf8.RuneCountInString(p) < minPassword {
		return lang.L("A password needs {n} characters or more. Add a word.", "n", minPassword)
	}
	return ""
}

// minPassword is the fewest characters of a password, as core/accounts has it.
const minPassword = 8

// newPassword returns 60 random bits in characters that are not mistaken for
// one another when they are copied by hand.
func newPassword() string {
	const letters = "abcdefghijkmnpqrstuvwxyz23456789" // 32, so that each has the same chance
	var raw [12]byte
	_, _ = rand.Read(raw[:]) // never fails
	var b strings.Builder
	for i, r := range raw {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(letters[r%32])
	}
	return b.String()
}

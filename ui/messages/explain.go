package messages

import (
	"strings"
	"unicode/utf8"

	"homeroom/assets/lang"
	"homeroom/core/topic"
)

// explainName says what is wrong with a topic to publish to, or "".
func explainName(s string) string {
	if _, err := topic.ParseName(s); err == nil {
		return ""
	}
	for _, sign := range []string{"+", "#"} {
		if strings.Contains(s, sign) {
			return lang.L("A message goes to one topic: it cannot contain {sign}.", "sign", sign)
		}
	}
	return explainEither(s)
}

// warnName says what looks like a mistake in a topic that is allowed, or "".
func warnName(s string) string {
	switch {
	case strings.HasPrefix(s, "$"):
		return lang.L("Topics that begin with $ belong to the broker.")
	case strings.TrimSpace(s) != s:
		return lang.L("The topic begins or ends with a space. Is that meant?")
	case strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") || strings.Contains(s, "//"):
		return lang.L("The topic has an empty level. Is one slash too many?")
	}
	return ""
}

// explainFilter says what is wrong with a topic filter, or "".
func explainFilter(s string) string {
	if _, err := topic.ParseFilter(s); err == nil {
		return ""
	}
	if rest, ok := strings.CutPrefix(s, "$share/"); ok {
		group, filter, ok := strings.Cut(rest, "/")
		if !ok || group == "" || strings.ContainsAny(group, "+#") {
			return lang.L("A shared subscription is written $share/group/filter.")
		}
		s = filter
	}
	levels := strings.Split(s, "/")
	for i, l := range levels {
		switch {
		case l == "#" && i < len(levels)-1:
			return lang.L("# means everything below, so it must be the last level.")
		case l != "#" && strings.Contains(l, "#"):
			return lang.L("# must stand alone between slashes: write {right}", "right", strings.Join(append(levels[:i:i], strings.ReplaceAll(l, "#", ""), "#"), "/"))
		case l != "+" && strings.Contains(l, "+"):
			return lang.L("+ stands for one whole level, not for a part of “{level}”.", "level", l)
		}
	}
	return explainEither(s)
}

// explainEither says what is wrong with the characters or the length of s.
func explainEither(s string) string {
	switch {
	case s == "":
		return lang.L("Write a topic, such as blue/lab/lamp/set.")
	case strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s):
		return lang.L("A topic cannot contain this character.")
	case len(s) > topic.MaxLen:
		return lang.L("A topic can have at most {n} bytes; this one has {have}.", "n", topic.MaxLen, "have", len(s))
	}
	return lang.L("A topic can have at most {n} levels.", "n", topic.MaxLevels)
}

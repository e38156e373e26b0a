// Package topic knows the MQTT rules for topic names and topic filters
// (MQTT 5.0, section 4.7) and Homeroom's rules for IDs. It depends on nothing.
//
// A Name, a Filter and an ID are different types and are made only by parsing,
// so that an account called "+" can never become a grant for everything.
package topic

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// MaxLen is the longest name or filter that Homeroom accepts, in bytes.
// MQTT allows 65,535; nobody reads a topic of that length.
const MaxLen = 1024

// MaxLevels is the largest number of levels that Homeroom accepts.
const MaxLevels = 32

// MaxID is the longest ID, in bytes.
const MaxID = 64

// ErrInvalid reports a name, filter or ID that MQTT or Homeroom does not allow.
var ErrInvalid = errors.New("invalid topic")

// Name is where a message is published. It has no wildcards.
type Name string

// Filter selects names. A level may be "+", and the last level may be "#".
type Filter string

// ID is one topic level that names an account, a team, a kit or a property:
// lower-case letters, digits and hyphens (Homie 5, "topic IDs").
type ID string

// ParseID checks s and returns it as an ID.
func ParseID(s string) (ID, error) {
	if s == "" || len(s) > MaxID {
		return "", ErrInvalid
	}
	for i := range len(s) {
		if c := s[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return "", ErrInvalid
		}
	}
	return ID(s), nil
}

// ParseName checks s and returns it as a Name.
func ParseName(s string) (Name, error) {
	if !valid(s) || strings.ContainsAny(s, "+#") {
		return "", ErrInvalid
	}
	return Name(s), nil
}

// ParseFilter checks s and returns it as a Filter. A shared subscription
// ("$share/group/filter", MQTT 5.0 section 4.8.2) loses its prefix, so that
// permission checks see only what would be read.
func ParseFilter(s string) (Filter, error) {
	if rest, ok := strings.CutPrefix(s, "$share/"); ok {
		group, filter, ok := strings.Cut(rest, "/")
		if !ok || group == "" || strings.ContainsAny(group, "+#") {
			return "", ErrInvalid
		}
		s = filter
	}
	if !valid(s) {
		return "", ErrInvalid
	}
	for rest, more := s, true; more; {
		var l string
		l, rest, more = strings.Cut(rest, "/")
		if strings.Contains(l, "#") && (l != "#" || more) {
			return "", ErrInvalid
		}
		if strings.Contains(l, "+") && l != "+" {
			return "", ErrInvalid
		}
	}
	return Filter(s), nil
}

// Match reports whether f selects n.
func (f Filter) Match(n Name) bool { return f.Covers(Filter(n)) }

// Covers reports whether f selects every name that g selects. It does not
// allocate: the broker asks it for each message.
func (f Filter) Covers(g Filter) bool {
	fs, gs := string(f), string(g)
	if strings.HasPrefix(gs, "$") && (strings.HasPrefix(fs, "+") || strings.HasPrefix(fs, "#")) {
		return false // a leading wildcard never reaches $SYS and friends (section 4.7.2)
	}
	if strings.HasPrefix(fs, "$") && (strings.HasPrefix(gs, "+") || strings.HasPrefix(gs, "#")) {
		return false
	}
	fMore, gMore := true, true
	for fMore {
		var l, m string
		l, fs, fMore = strings.Cut(fs, "/")
		if l == "#" {
			return true
		}
		if !gMore {
			return false
		}
		m, gs, gMore = strings.Cut(gs, "/")
		if m == "#" || l != "+" && l != m {
			return false
		}
	}
	return !gMore
}

// Split returns the levels of n.
func (n Name) Split() []string { return strings.Split(string(n), "/") }

func valid(s string) bool {
	return s != "" && len(s) <= MaxLen && strings.Count(s, "/") < MaxLevels &&
		utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

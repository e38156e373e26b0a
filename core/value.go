package core

import "strings"

// words are what kits send for true and false, beside what a topic says itself.
var words = map[string]bool{
	"true": true, "on": true, "1": true, "yes": true, "open": true, "turn on": true,
	"false": false, "off": false, "0": false, "no": false, "closed": false, "turn off": false,
}

// Truth returns what a value of a Boolean topic says. Its own words come first,
// then those that kits use; capitals and spaces around do not matter. ok is false
// where it says neither.
func (t Topic) Truth(value string) (is, ok bool) {
	value = strings.ToLower(strings.TrimSpace(value))
	if len(t.Options) == 2 {
		for i, o := range t.Options {
			if value == strings.ToLower(o) {
				return i == 0, true
			}
		}
	}
	is, ok = words[value]
	return is, ok
}

// Word returns what a Boolean topic calls true or false.
func (t Topic) Word(is bool) string {
	switch {
	case len(t.Options) == 2 && is:
		return t.Options[0]
	case len(t.Options) == 2:
		return t.Options[1]
	case is:
		return "true"
	}
	return "false"
}

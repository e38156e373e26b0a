package widget

import (
	"homeroom/assets/lang"
	"homeroom/core/topic"
)

// WhyNoID says what is wrong with a name that is to be a topic.ID, "" where nothing
// is. An empty one is told with example.
func WhyNoID(name, example string) string {
	if _, err := topic.ParseID(name); err == nil {
		return ""
	}
	if name == "" {
		return example
	}
	if len(name) > topic.MaxID {
		return lang.L("A name has at most {n} characters.", "n", topic.MaxID)
	}
	for _, r := range name {
		switch {
		case r == ' ':
			return lang.L("A name has no spaces: use a hyphen.")
		case r >= 'A' && r <= 'Z':
			return lang.L("A name has small letters only.")
		case r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z'):
			return lang.L("A name cannot have “{sign}”. Only a to z, 0 to 9 and hyphens; the display name can have anything.", "sign", string(r))
		}
	}
	return ""
}

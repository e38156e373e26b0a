package locale

import "testing"

func TestLanguage(t *testing.T) {
	for _, c := range []struct{ all, messages, lang, language, want string }{
		{"", "", "", "", ""},
		{"", "", "C", "", ""},
		{"", "", "POSIX", "", ""},
		{"C", "", "fr_FR.UTF-8", "ko", ""}, // they look no further
		{"", "", "C.UTF-8", "", "en"},
		{"C.utf8", "fr_FR", "ko_KR", "", "en"},
		{"", "POSIX.UTF-8", "", "", "en"},
		{"", "", "C.UTF-8", "fr:en", ""},
		{"", "", "", "C", "en"},
		{"", "", "", "ko_KR:C:", "ko_KR"},
		{"", "", "fr_FR.UTF-8", "", ""},
		{"", "", "ko_KR.eucKR", "", ""},
		{"", "", "es_419", "", ""},
		{"", "", "zh-Hans", "", ""},
		{"", "", "de_DE@euro", "", "de_DE"},
		{"", "", "sr_RS.UTF-8@latin", "", "sr_RS.UTF-8"},
		{"", "", "@", "", "en"},
		{"", "", "en_US.UTF-8", "français", "en"},
	} {
		env := map[string]string{"LC_ALL": c.all, "LC_MESSAGES": c.messages, "LANG": c.lang, "LANGUAGE": c.language}
		if got := language(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("%+v: LANGUAGE becomes %q", c, got)
		}
	}
}

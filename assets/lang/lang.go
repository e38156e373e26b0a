// Package lang says things in the language of the person who reads them. The
// English sentence in the code is the key; fr.json and ko.json hold the others.
// TestTranslations in main_test.go keeps them complete.
//
// Fyne's own lang package follows the system and cannot be switched while the
// program runs, and the phone page needs another language than the window;
// so this one is ours, and small.
package lang

import (
	"embed"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"homeroom/core"
)

//go:embed *.json
var files embed.FS

// Language is a language Homeroom speaks: "en", "fr" or "ko".
type Language string

// The languages, in the order in which Settings offers them.
const (
	English Language = "en"
	French  Language = "fr"
	Korean  Language = "ko"
)

// All returns the languages.
func All() []Language { return []Language{English, French, Korean} }

// Name returns the language's name in itself.
func (l Language) Name() string {
	return map[Language]string{English: "English", French: "Français", Korean: "한국어"}[l]
}

var tables = sync.OnceValue(func() map[Language]map[string]string {
	all := map[Language]map[string]string{}
	for _, l := range []Language{French, Korean} {
		data, err := files.ReadFile(string(l) + ".json")
		if err != nil {
			panic(err) // embedded: cannot be missing
		}
		t := map[string]string{}
		if err := json.Unmarshal(data, &t); err != nil {
			panic(string(l) + ".json: " + err.Error())
		}
		all[l] = t
	}
	return all
})

// Table returns the translations of l by English key; nil for English. The
// caller must not change it.
func Table(l Language) map[string]string { return tables()[l] }

// Say returns s in l, or in English where there is no translation. Sentences
// that fill its places are in l, too.
func (l Language) Say(s core.Sentence) string {
	s.Args = l.args(s.Args)
	if t := tables()[l][s.Format]; t != "" {
		return s.As(t)
	}
	return s.String()
}

// args returns args with the sentences among them said in l.
func (l Language) args(args []any) []any {
	if !slices.ContainsFunc(args, isSentence) {
		return args
	}
	said := slices.Clone(args)
	for i, a := range said {
		if s, ok := a.(core.Sentence); ok {
			said[i] = l.Say(s)
		}
	}
	return said
}

func isSentence(a any) bool { _, ok := a.(core.Sentence); return ok }

// L returns the sentence with that English format in l. args are pairs, as in core.Say.
func (l Language) L(format string, args ...any) string {
	return l.Say(core.Sentence{Format: format, Args: args})
}

// Error returns err as l says it. An error nobody wrote for people is shown as it is.
func (l Language) Error(err error) string {
	var p *core.Problem
	if errors.As(err, &p) {
		return l.Say(p.Sentence)
	}
	return err.Error()
}

// Ago returns how long ago something was, in at most two short words.
func (l Language) Ago(d time.Duration) string {
	switch {
	case d < 2*time.Second:
		return l.L("now")
	case d < 2*time.Minute:
		return l.L("{n} s ago", "n", int(d.Seconds()))
	case d < 2*time.Hour:
		return l.L("{n} min ago", "n", int(d.Minutes()))
	case d < 48*time.Hour:
		return l.L("{n} h ago", "n", int(d.Hours()))
	}
	return l.L("{n} days ago", "n", int(d.Hours()/24))
}

// Closest returns the language that fits a list of language tags best, such as
// an Accept-Language header or the value of LANG.
func Closest(tags string) Language {
	for _, tag := range strings.FieldsFunc(strings.ToLower(tags), func(r rune) bool { return r == ',' || r == ':' || r == ' ' }) {
		for _, l := range All() {
			if strings.HasPrefix(tag, string(l)) {
				return l
			}
		}
	}
	return English
}

// window is the language of the window and of printed lines.
var window atomic.Value // Language

// Use sets the language that L, Say, Error and Ago speak. "" follows system,
// the tags of the system's language; where that is "" too, the environment.
func Use(l Language, system string) {
	if l == "" {
		if system == "" {
			for _, v := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
				if system = os.Getenv(v); system != "" {
					break
				}
			}
		}
		l = Closest(system)
	}
	window.Store(l)
}

// Used returns the language last set by Use, or English.
func Used() Language {
	if l, ok := window.Load().(Language); ok {
		return l
	}
	return English
}

// L returns the sentence with that English format in the window's language.
func L(format string, args ...any) string { return Used().L(format, args...) }

// Say returns s in the window's language.
func Say(s core.Sentence) string { return Used().Say(s) }

// Error returns err in the window's language.
func Error(err error) string { return Used().Error(err) }

// Ago returns how long ago something was, in the window's language.
func Ago(d time.Duration) string { return Used().Ago(d) }

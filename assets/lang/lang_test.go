package lang_test

import (
	"testing"

	"homeroom/assets/lang"
	"homeroom/core"
)

// TestSentenceInSentence: what fills a place may be a sentence, and is in the
// language too; who said it keeps theirs.
func TestSentenceInSentence(t *testing.T) {
	inner := core.Say("{name} is no number.", "name", core.Say("Cancel"))
	s := core.Say("Line {line}: {problem}", "line", 3, "problem", core.Say("Cancel"))
	for l, want := range map[lang.Language]string{lang.English: "Line 3: Cancel", lang.French: "Ligne 3 : Annuler", lang.Korean: "3번째 줄: 취소"} {
		if got := l.Say(s); got != want {
			t.Errorf("%s: %q, want %q", l, got, want)
		}
	}
	if got := lang.French.L("Line {line}: {problem}", "line", 1, "problem", inner); got != "Ligne 1 : Annuler is no number." {
		t.Errorf("a sentence in a sentence in a sentence: %q", got)
	}
	if _, ok := s.Args[3].(core.Sentence); !ok {
		t.Error("saying a sentence changed it")
	}
}

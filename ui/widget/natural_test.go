package widget

import (
	"slices"
	"testing"
)

func TestNatural(t *testing.T) {
	want := []string{"", "2", "10", "kit", "kit-", "kit-1", "kit-02", "kit-2", "kit-2a", "kit-10", "kit-10-b", "kit-99999999999999999999998", "kit-99999999999999999999999", "온도-2", "온도-10"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, Natural)
	if !slices.Equal(got, want) {
		t.Errorf("sorted %q, want %q", got, want)
	}
	for _, a := range want {
		for _, b := range want {
			if Natural(a, b) != -Natural(b, a) {
				t.Errorf("%q and %q: %d and %d", a, b, Natural(a, b), Natural(b, a))
			}
		}
	}
}

package topic

import (
	"strings"
	"testing"
)

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		f, g string
		want bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/b/c", false}, // the ACL hole in the engine's own ledger
		{"+", "a/b/c", false},
		{"a/#", "a", true},
		{"a/#", "a/b/c", true},
		{"a/+", "a", false},
		{"a/+", "a/#", false},
		{"a/#", "a/+", true},
		{"a/+/c", "a/b/c", true},
		{"#", "$SYS/x", false},
		{"+/x", "$SYS/x", false},
		{"$SYS/#", "$SYS/x", true},
		{"#", "#", true},
		{"a/+", "a/+", true},
		{"a/b", "a/+", false},
	} {
		if got := Filter(c.f).Covers(Filter(c.g)); got != c.want {
			t.Errorf("%q covers %q = %v, want %v", c.f, c.g, got, c.want)
		}
	}
}

func TestParseID(t *testing.T) {
	for s, ok := range map[string]bool{"ana": true, "kit-1": true, "": false, "+": false, "#": false, "a/b": false, "Ana": false, "$sys": false} {
		if _, err := ParseID(s); (err == nil) != ok {
			t.Errorf("ParseID(%q) err = %v", s, err)
		}
	}
}

func TestParseFilterShared(t *testing.T) {
	if f, err := ParseFilter("$share/g/ana/#"); err != nil || f != "ana/#" {
		t.Fatalf("got %q, %v", f, err)
	}
}

func FuzzCovers(f *testing.F) {
	f.Add("a/#", "a/+", "a/b")
	f.Add("+/b", "a/b", "a/b")
	f.Fuzz(func(t *testing.T, a, b, n string) {
		fa, err1 := ParseFilter(a)
		fb, err2 := ParseFilter(b)
		name, err3 := ParseName(n)
		if err1 != nil || err2 != nil || err3 != nil {
			return
		}
		if fa.Covers(fb) && fb.Match(name) && !fa.Match(name) {
			t.Fatalf("%q covers %q, which matches %q, but %[1]q does not", fa, fb, name)
		}
	})
}

func TestParse(t *testing.T) {
	long := strings.Repeat("x", MaxLen)
	for s, want := range map[string]struct{ name, filter bool }{
		"a/b":                           {true, true},
		"/":                             {true, true},
		"거실/température":                {true, true},
		long:                            {true, true},
		"":                              {},
		long + "x":                      {},
		"a\x00b":                        {},
		"a\xffb":                        {},
		strings.Repeat("a/", MaxLevels): {},
		"a/+":                           {false, true},
		"a/#":                           {false, true},
		"a/#/b":                         {},
		"a+":                            {},
		"a#":                            {},
		"$share/g/a/#":                  {false, true},
		"$share/g":                      {true, false},
		"$share//a":                     {true, false},
		"$share/+/a":                    {},
		"$SYS/broker/uptime":            {true, true},
	} {
		_, nameErr := ParseName(s)
		_, filterErr := ParseFilter(s)
		if (nameErr == nil) != want.name || (filterErr == nil) != want.filter {
			t.Errorf("%.20q: name %v, filter %v", s, nameErr, filterErr)
		}
	}
}

func TestCoversDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Filter("a/+/c/#").Covers("a/b/c/d/e") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

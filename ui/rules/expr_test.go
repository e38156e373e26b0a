package rules

import (
	"strings"
	"testing"
	"time"

	"homeroom/core"
)

// TestConditions: a simple comparison becomes a form and the same comparison again.
func TestConditions(t *testing.T) {
	isInput := func(n string) bool { return n == "x" || n == "y" }
	for text, want := range map[string]cond{
		"x":                             {input: "x", op: opIs, value: "true"},
		"!x":                            {input: "x", op: opIs, value: "false"},
		"not x":                         {input: "x", op: opIs, value: "false"},
		"x < 30":                        {input: "x", op: opLess, value: "30"},
		"x>=-2.5":                       {input: "x", op: opLeast, value: "-2.5"},
		`x == "a && b"`:                 {input: "x", op: opIs, value: `"a && b"`},
		`x != "a"`:                      {input: "x", op: opIsNot, value: `"a"`},
		`age(x) >= duration("1m30s")`:   {input: "x", op: opStill, value: "1m30s"},
		`since(y) < duration("1h")`:     {input: "y", op: opHeard, value: "1h0m0s"},
		"never(x)":                      {input: "x", op: opNever},
		"!never(y)":                     {input: "y", op: opEver},
		"z < 3":                         {text: "z < 3"},
		"x < y":                         {text: "x < y"},
		"x + 1 > 2":                     {text: "x + 1 > 2"},
		"x == 'single'":                 {text: "x == 'single'"},
		`age(x) >= duration("nothing")`: {text: `age(x) >= duration("nothing")`},
		"":                              {text: ""},
	} {
		got := readCond(text, isInput)
		if got != want {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
		if again := readCond(got.write(), isInput); again != got {
			t.Errorf("%q is written %q, which is %+v", text, got.write(), again)
		}
	}
}

func TestParts(t *testing.T) {
	for text, want := range map[string]string{
		"a && b":                         "a|b",
		"a and b && c":                   "a|b|c",
		"a || b && c":                    "a || b && c",
		"(a || b) && c":                  "(a || b)|c",
		`x == "p && q" && [1, 2][0] > y`: `x == "p && q"|[1, 2][0] > y`,
		"a ? b : c":                      "a ? b : c",
		"android && borders":             "android|borders",
		"a ?? b && c":                    "a ?? b|c",
		"a && ":                          "a|",
	} {
		if got := strings.Join(parts(text), "|"); got != want {
			t.Errorf("%q has the parts %q, want %q", text, got, want)
		}
	}
	if got := join([]string{"a || b", "", "c"}); got != "(a || b) && c" {
		t.Errorf("joined: %q", got)
	}
	if got := join([]string{" a || b "}); got != "a || b" {
		t.Errorf("one part joined: %q", got)
	}
}

func TestRenamed(t *testing.T) {
	if got, want := renamed(`x > 1 && "x" != a.x && xx && age(x) > 2`, "x", "warm"), `warm > 1 && "x" != a.x && xx && age(warm) > 2`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestHoldsNow: what can be told of a comparison from the newest value, and what not.
func TestHoldsNow(t *testing.T) {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	lamp, light := core.Topic{Kind: core.Boolean, Options: []string{"On", "Off"}}, core.Topic{Kind: core.Number}
	for _, c := range []struct {
		text      string
		topic     core.Topic
		payload   string
		at        time.Time
		is, known bool
	}{
		{"x", lamp, "On", now, true, true},
		{"!x", lamp, "On", now, false, true},
		{"x", lamp, "perhaps", now, false, false},
		{"x", lamp, "", time.Time{}, false, false},
		{"x < 30", light, "29,5", now, true, true},
		{"x < 30", light, "30", now, false, true},
		{"x >= 30", light, "NaN", now, false, false},
		{`x == "a"`, core.Topic{}, "a", now, true, true},
		{"never(x)", lamp, "", time.Time{}, true, true},
		{`since(x) >= duration("1m")`, light, "1", now.Add(-2 * time.Minute), true, true},
		{`age(x) >= duration("1m")`, light, "1", now, false, false},
		{"x + 1 > 2", light, "9", now, false, false},
	} {
		is, known := readCond(c.text, func(n string) bool { return n == "x" }).holds(c.topic, c.payload, c.at, now)
		if is && known != (c.is && c.known) || known != c.known || known && is != c.is {
			t.Errorf("%s with %q: %v, known %v", c.text, c.payload, is, known)
		}
	}
}

func TestSpansAndClocks(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "30 s": 30 * time.Second, "5min": 5 * time.Minute, "1 h 30 min": 90 * time.Minute, "90": 90 * time.Second,
		"2분": 2 * time.Minute, "0,5 s": 500 * time.Millisecond, "24h": 24 * time.Hour} {
		d, ok := readSpan(text)
		if !ok || d != want {
			t.Errorf("%q is %v, %v; want %v", text, d, ok, want)
		}
		if again, ok := readSpan(saySpan(d)); !ok || again != d {
			t.Errorf("%v is said %q, which is %v", d, saySpan(d), again)
		}
	}
	for _, text := range []string{"-1 s", "25 h", "soon", "1 d", "NaN"} {
		if d, ok := readSpan(text); ok {
			t.Errorf("%q is %v", text, d)
		}
	}
	if d, ok := readClock("7:30"); !ok || sayClock(d) != "07:30" {
		t.Errorf("7:30 is %v, %v", d, ok)
	}
	if _, ok := readClock("24:00"); ok {
		t.Error("24:00 is a time of day")
	}
}

// FuzzExpression: whatever is written is cut into pieces that are all of it, and
// reading a condition as a form and writing it is stable.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{"x < 3 && !y", `age(x) >= duration("2m") || x`, `"unclosed`, "a.b ?? [1]", "x\xff == 'é'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all := ""
		for _, tok := range tokens(s) {
			if tok.text == "" {
				t.Fatalf("%q has an empty piece", s)
			}
			all += tok.text
		}
		if all != s {
			t.Fatalf("%q was cut into %q", s, all)
		}
		is := func(n string) bool { return n == "x" || n == "y" }
		for _, p := range parts(s) {
			c := readCond(p, is)
			if c.op != opFree {
				if again := readCond(c.write(), is); again != c {
					t.Fatalf("%q is %+v, and written %q %+v", p, c, c.write(), again)
				}
			}
		}
	})
}

package rules

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

func TestText(t *testing.T) {
	r := core.Rule{
		ID: "all-of-it", Label: "Tout \"ça\" 불", Text: "Two\nlines", Disabled: true, Kit: "home/choice",
		Inputs: []core.Input{{Name: "a", Topic: "my room/\"big\" lamp"}, {Name: "b_2", Topic: "brightness"}},
		When: []core.Trigger{{Kind: core.OnChange, Input: "a"}, {Kind: core.OnMessage, Input: "b_2"}, {Kind: core.OnTime, At: 7*time.Hour + 30*time.Minute + 5*time.Second},
			{Kind: core.OnTime, At: 23 * time.Hour, Days: []time.Weekday{6, 0}}, {Kind: core.OnEvery, Every: 90 * time.Second}},
		If: `a && text(b_2) == "to # 5"`, For: 2 * time.Hour, Debounce: 1500 * time.Millisecond, Cooldown: time.Minute,
		Then: []core.Act{{Topic: "light", Value: "b_2 > 5"}, {Topic: "불", Value: "true", Always: true}},
	}
	want := `rule all-of-it "Tout \"ça\" 불"
about "Two\nlines"
off
on home/choice
read a from "my room/\"big\" lamp"
read b_2 from brightness
when a changes
when b_2 comes
at 07:30:05
at 23:00 on sat sun
every 1m30s
quiet 1.5s
if a && text(b_2) == "to # 5"
for 2h
set light to b_2 > 5
send 불 to true
rest 1m
`
	if got := Text(r); got != want {
		t.Errorf("the text is\n%s\nwant\n%s", got, want)
	}
	got, err := Parse("# a remark\r\n\r\n  "+strings.ReplaceAll(want, "\n", "  \r\n\t"), nil)
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("read again it is\n%+v, %v; want\n%+v", got, err, r)
	}
}

func TestParseErrors(t *testing.T) {
	l := newLab(t, append(home(), core.Topic{Name: "mode", Kind: core.Enumeration, Options: []string{"eco", "full"}}, core.Topic{Name: "level", Kind: core.Number, Max: 10},
		core.Topic{Name: "air", Kind: core.JSON}, core.Topic{Name: "lamp", Kind: core.Boolean, Writable: true})...)
	const head = "rule r\nread b from brightness\nread p from presence\nread air from air\n"
	for _, c := range []struct{ text, want string }{
		{"", "Line 1: The text begins with rule"},
		{"# nothing", "Line 1: The text begins with rule"},
		{"set light to true", "Line 1: The text begins with rule"},
		{"rule Käse", "Line 1: Käse cannot be the name of a rule"},
		{"rule a b", "Line 1: b must begin and end with a quotation mark"},
		{"rule a\nrule b", "Line 2: A rule has one line that begins with rule"},
		{"rule a\nrun light", "Line 2: No line begins with run"},
		{"rule a\nread x", "Line 2: read x cannot be read. Write it like: read button from home/button"},
		{"rule a\nread x from a/#", "Line 2: read x from a/# cannot be read"},
		{"rule a\nread x from brightnes\nset light to x", "Line 2: brightnes is not designed"},
		{"rule a\nread age from brightness\nset light to true", "Line 2: age means something else"},
		{"rule a\nread 1x from brightness\nset light to true", "Line 2: 1x cannot be the name of an input"},
		{"rule a\nread x from brightness\nread x from button\nset light to true", "Line 3: Two inputs are called x"},
		{"rule a\nat 7:30", "Line 2: at 7:30 cannot be read"},
		{"rule a\nat 24:00", "Line 2: at 24:00 cannot be read"},
		{"rule a\nat 07:30 on monday", "Line 2: at 07:30 on monday cannot be read"},
		{"rule a\nat 07:30 on mon mon\nset light to true", "Line 2: A day of the week is wrong, or there twice"},
		{"rule a\nevery 10ms\nset light to true", "Line 2: Again every 10ms is too often"},
		{"rule a\nevery soon\nset light to true", "Line 2: soon is no time"},
		{"rule a\nset light to true", "Line 1: Nothing makes a look"},
		{"rule a\nevery 5s", "Line 1: a does nothing"},
		{"rule a\nevery 5s\nset light", "Line 3: set light cannot be read"},
		{head + "when q changes\nset light to p", "Line 5: q makes the rule look, but it is no input"},
		{head + "for 5s\nset light to p", "Line 5: r waits until something holds for 5s, but has no condition"},
		{head + "quiet 90h\nset light to p", "Line 5: 90h is too long"},
		{head + "if b\nset light to p", "Line 5: b is neither true nor false"},
		{head + "if b > c\nset light to p", "Line 5: b > c: there is no input c at character 5. There are: b, p, air"},
		{head + "if b >\nset light to p", "Line 5: b > cannot be read at character"},
		{head + "if b > p\nset light to p", "Line 5: b > p: what is at character 5 must be a number"},
		{head + "if p == \"On\"\nset light to p", "Line 5: p == \"On\": what is at character 6 must be true or false"},
		{head + "if b && p\nset light to p", "Line 5: b && p: what is at character 1 must be true or false"},
		{head + "if age(b) > 5\nset light to p", "Line 5: age(b) > 5: what is at character 10 must be a time such as"},
		{head + "if age(5) > duration(\"1m\")\nset light to p", "needs the name of an input, as in age(x)"},
		{head + "if avg(b) > 5\nset light to p", "needs the name of an input and a time"},
		{head + "if avg(p, duration(\"5m\")) > 5\nset light to p", "what is at character 5 must be a number"},
		{head + "if avg(b, duration(\"500h\")) > 5\nset light to p", "looks back too far"},
		{head + "if age(b) > duration(\"soon\")\nset light to p", "soon at character 19 is no time"},
		{head + "if age > 5\nset light to p", "age at character 1 is a function"},
		{head + "if fire(b)\nset light to p", "there is no function fire at character"},
		{head + "if abs(1, 2) > 1\nset light to p", "needs 1 values"},
		{head + "if b.x > 1\nset light to p", "only a JSON value has parts"},
		{head + "if b == nil\nset light to p", "must be a number"},
		{head + "set light to b", "Line 5: light is true or false, and b is neither"},
		{head + "set level to p", "Line 5: level is a number, and p is none"},
		{head + "set level to 11", "Line 5: level is not set to 11: it goes from 0 to 10"},
		{head + "set mode to \"fast\"", "Line 5: mode is not set to fast"},
		{head + "set mode to 1", "mode is one of some words, and 1 is none of them: eco, full"},
		{head + "set presence to b > 1", "Line 5: The rule reads presence and sets it too"},
		{head + "read l from lamp/set\nset lamp to l", "Line 6: The rule reads lamp and sets it too"},
		{head + "set lamp/set to p", "Line 5: lamp/set takes the commands of lamp. Set lamp itself"},
		{head + "set nowhere to p", "Line 5: nowhere is not designed"},
		{head + "set light to p\nset light to " + strings.Repeat("(", 1001), "Line 6: An expression has 1001 characters"},
	} {
		_, err := Parse(c.text, l.topic)
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, core.ErrInvalid) {
			t.Errorf("%q\nfails with  %v\nwant %q", c.text, err, c.want)
		}
	}
}

// TestExpressions wants each expression that is allowed to be worked out as it reads.
func TestExpressions(t *testing.T) {
	l := newLab(t, append(home(), core.Topic{Name: "air", Kind: core.JSON}, core.Topic{Name: "word"})...)
	var all []*source
	for _, in := range []core.Input{{Name: "b", Topic: "brightness"}, {Name: "p", Topic: "presence"}, {Name: "q", Topic: "button"}, {Name: "air", Topic: "air"}, {Name: "w", Topic: "word"}} {
		s, err := newSource(nil, in, l.topic)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	at := time.Date(2026, 11, 23, 7, 45, 30, 0, time.UTC)
	for text, want := range map[string]any{
		"b": 42.5, "b + 1": 43.5, "b % 10": 2.5, "b / 0 > 1000": true, "-b": -42.5, "2 ** 3": 8.0, "b == 42.5": true, "b != 42.5": false, "b in [1, 42.5]": true,
		"p && not q": true, "p ? 1 : 2": 1, `w + "!"`: "hall!", `w contains "al"`: true, `w in ["hall", "lab"]`: true, `upper(w)`: "HALL", "len(w)": 4,
		"air.temp.out": 7.0, "air.temp?.in ?? 20": 20, "air.list[1]": "x", `air["temp"].out > 5`: true, "air.none == nil": true,
		"never(q)": true, "never(b)": false, "changed(b)": false, `age(q) > duration("1000h")`: true, `age(b) == duration("5m")`: true, "seconds(age(b))": 300.0,
		"old(b)": 40.0, "now()": "07:45:30", `now() >= "07:30" && now() < "08:00"`: true, "hour() * 60 + minute()": 465, `weekday() == "mon"`: true,
		"abs(-3)": 3.0, "round(b)": 43.0, "min(b, 3)": 3.0, "max(1, 2, b)": 42.5, `number("12")`: 12.0, "number(p)": 1.0, "text(b)": "42.5",
		"b | abs()": 42.5, `(p or q) and b >= 42`: true, "!(b < 42)": true,
	} {
		f, err := parse(text, all)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		r := newRun(&program{inputs: all}, nil)
		r.clock.now = at
		for n, v := range map[topic.Name]string{"brightness": "40", "presence": "1", "air": `{"temp":{"out":7},"list":[1,"x"]}`, "word": "hall"} {
			r.take(core.Message{Topic: n, Payload: []byte(v), At: at.Add(-time.Hour)}, nil, at)
		}
		r.take(core.Message{Topic: "brightness", Payload: []byte("42.5"), At: at.Add(-5 * time.Minute)}, nil, at)
		for _, in := range r.ins {
			in.made = false
		}
		if v, err := r.eval(f.code); err != nil || v != want {
			t.Errorf("%s is %v (%T), %v; want %v (%T)", text, v, v, err, want, want)
		}
	}
}

// TestHostile wants what a person writes to ruin the rule of its author, nothing else.
func TestHostile(t *testing.T) {
	l := newLab(t, append(home(), core.Topic{Name: "air", Kind: core.JSON}, core.Topic{Name: "word"})...)
	inputs := []core.Input{{Name: "b", Topic: "brightness"}, {Name: "air", Topic: "air"}, {Name: "w", Topic: "word"}}
	refused := []string{
		`"a" * 1000000000`, `repeat("a", 1000000000)`, `1..1000000000`, `len(1..1e9)`, `map(1..1000000, # * 2)`, `all(air, # > 1)`, `reduce([1,2], #acc + #)`, `filter([1], true)`,
		`let x = w + w; x + x`, `$env`, `$env["b"]`, `w matches "(a+)+$"`, `{"a": 1}`, `[1,2,3]`, `b; b`, `w[1:2]`, `fromJSON(w)`, `date("2026-01-01")`, `now().Year()`,
		`b.String()`, `get(air, "x")`, `if b > 1 { 1 } else { 2 }`, `b"raw"`, `#`, `%clock`, `"unclosed`, strings.Repeat("(", 900), strings.Repeat("-", 900) + "1", strings.Repeat("[", 900),
		strings.Repeat("b+", 400) + "b", "b > 1 // \n", "b\x00", "\xff", "", " ", strings.Repeat("air.x?.", 140) + "y.z()", "duration(w)", `avg(b, age(b))`, `age(air.x)`, "sum([1])", `print("x")`,
		"true ? [] : [1]", "air in b", "b ?? 5", "nil + nil", "!nil", "-w", "old()", "9999999999999999999999",
	}
	for _, e := range refused {
		r := core.Rule{ID: "r", Inputs: inputs, Then: []core.Act{{Topic: "light", Value: "true"}}}
		r.If = e
		if strings.TrimSpace(e) == "" {
			r.If, r.Then[0].Value = "", e
		}
		if err := Check(r, l.topic); !errors.Is(err, core.ErrInvalid) {
			t.Errorf("%.40q: %v; want it refused", e, err)
		}
	}
	// What is allowed and grows as fast as it can: texts that are joined.
	var before, after runtime.MemStats
	r := core.Rule{ID: "r", Inputs: inputs, Then: []core.Act{{Topic: "light", Value: "len(" + strings.Repeat("w+", 140) + "w) > 5"}}}
	p, bad := compile(r, l.topic)
	if bad != nil {
		t.Fatal(bad)
	}
	run := newRun(p, l.value)
	runtime.ReadMemStats(&before)
	if a := run.take(core.Message{Topic: "word", Payload: []byte(strings.Repeat("x", maxText))}, nil, time.Now()); a == nil {
		t.Error("it did not act")
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
		t.Errorf("it took %d bytes", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, tm := range Templates() {
		f.Add(Text(tm.Make("r", []topic.Name{"brightness", "button", "presence", "light"}[:len(tm.Parts)])))
	}
	f.Add("rule a \"b\"\nabout \"c\\n\"\noff\non x/y\nread x from \"a b\"\nwhen x comes\nat 07:30 on mon sun\nevery 1h0m1s\nquiet 1ms\nif x\nfor 1us\nsend a to b to c\nrest 5m")
	l := newLab(f, home()...)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text, nil)
		if err != nil {
			if !errors.Is(err, core.ErrInvalid) {
				t.Fatalf("%q: %v is not told to a person", text, err)
			}
			return
		}
		again, err := Parse(Text(r), nil)
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%q is %+v, and written\n%q\nread again %+v, %v", text, r, Text(r), again, err)
		}
		_ = Check(r, l.topic)
		Sentence(r, l.topic, func(n topic.Name) string { return string(n) })
	})
}

// FuzzExpression wants any expression to be refused, or to be worked out within bounds.
func FuzzExpression(f *testing.F) {
	for _, e := range []string{"b > 1", `w + w == "x"`, "air.x[0]?.y ?? 1", `min(b, duration("5m")) in [1,2]`, "old(air).x", "b | abs()", "p ? 1/0 : 5 % 0", "!(p && never(b))", "weekday() in [\"mon\"]"} {
		f.Add(e, "5", `{"x":[{"y":1}]}`)
	}
	l := newLab(f, append(home(), core.Topic{Name: "air", Kind: core.JSON}, core.Topic{Name: "word"}, core.Topic{Name: "out"})...)
	f.Fuzz(func(t *testing.T, e, v, doc string) {
		r := core.Rule{ID: "r", Inputs: []core.Input{{Name: "b", Topic: "brightness"}, {Name: "p", Topic: "presence"}, {Name: "air", Topic: "air"}, {Name: "w", Topic: "word"}},
			Then: []core.Act{{Topic: "out", Value: e}}}
		p, bad := compile(r, l.topic)
		if bad != nil {
			if !errors.Is(bad.error, core.ErrInvalid) {
				t.Fatalf("%q: %v", e, bad.error)
			}
			return
		}
		run := newRun(p, l.value)
		now := time.Now()
		for _, n := range []topic.Name{"brightness", "presence", "air", "word"} {
			payload := v
			if n == "air" {
				payload = doc
			}
			if a := run.take(core.Message{Topic: n, Payload: []byte(payload), At: now}, nil, now); a != nil && len(a.sends[0].Payload) > maxText {
				t.Fatalf("%q published %d bytes", e, len(a.sends[0].Payload))
			}
		}
	})
}

package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"homeroom/core"
)

func (v value) String() string {
	switch v.kind {
	case core.Number:
		return fmt.Sprintf("number %v", v.v)
	case core.Boolean:
		return fmt.Sprintf("boolean %v", v.v)
	}
	return "text " + v.text
}

func TestValueOf(t *testing.T) {
	for payload, want := range map[string]string{
		"21.5": "number 21.5", "-3": "number -3", "1e3": "number 1000", "+7": "number 7", " 21.5\r\n": "number 21.5",
		"\t0 ": "number 0", ".5": "number 0.5", "007": "number 7", "1E-2": "number 0.01",
		"9007199254740993": "number 9.007199254740992e+15", "1e308": "number 1e+308", "1e-400": "number 0",
		"21.5 °C": "text 21.5 °C", "1e999": "text 1e999", "NaN": "text NaN", "nan": "text nan", "Inf": "text Inf", "-inf": "text -inf",
		"infinity": "text infinity", "0x10": "text 0x10", "1_000": "text 1_000", "1,5": "text 1,5", "1 2": "text 1 2", "-": "text -",
		"--1": "text --1", "1e": "text 1e", ".": "text .", "": "text ", "  ": "text   ",
		"true": "boolean 1", "FALSE": "boolean 0", " True\n": "boolean 1", "truth": "text truth", "on": "text on",
		"안녕": "text 안녕", "\xff\xfe": "text 0xfffe", "null": "text null", `"21"`: `text "21"`,
		strings.Repeat("1", 33): "text " + strings.Repeat("1", 33),
		"a\x00b":                "text a\x00b",
	} {
		if got := valueOf([]byte(payload)).String(); got != want {
			t.Errorf("%q is %s, want %s", payload, got, want)
		}
	}
}

func TestLongTexts(t *testing.T) {
	long := strings.Repeat("한", 1000)
	if got := textOf([]byte(long)); len(got) > maxText || len(got) < maxText-2 || !strings.HasPrefix(long, got) {
		t.Errorf("%d bytes are kept: %q", len(got), got)
	}
	if got := textOf(bytes.Repeat([]byte{0x80}, 5000)); got != "0x"+strings.Repeat("80", 32)+"…" {
		t.Errorf("got %q", got)
	}
	if got := textOf(bytes.Repeat([]byte("a"), maxText)); len(got) != maxText {
		t.Errorf("%d bytes are kept", len(got))
	}
	if got := textOf(append(bytes.Repeat([]byte("a"), maxText), 0xff)); len(got) != maxText {
		t.Errorf("bytes after those that are kept make it %q", got)
	}
}

func TestLeavesOf(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 8) + "1" + strings.Repeat("}", 8)
	deeper := `{"x":2,"a":` + deep + "}"
	for payload, want := range map[string]string{
		`{"temp":{"out":21.5,"in":20},"ok":true}`: "temp.out=number 21.5 temp.in=number 20 ok=boolean 1",
		` [1, "two" ,[false,null,"3"],{} ] `:      "0=number 1 1=text two 2.0=boolean 0 2.2=number 3",
		`{"a":1,"a":2}`:                           "a=number 1 a=number 2",
		`{"\ub098":"\n\"","é":"ü"}`:               "나=text \n\" é=text ü",
		`{"big":1e999,"small":-0.0}`:              "big=text 1e999 small=number -0",
		`{}`:                                      "", `[]`: "", `21`: "", `"x"`: "", `{"a":1`: "", `{"a":1}}`: "", `{a:1}`: "", ``: "", `{`: "", `[1,]`: "",
		deep:   "a.a.a.a.a.a.a.a=number 1",
		deeper: "x=number 2",
		`{"` + strings.Repeat("k", 300) + `":1,"l":2}`: "l=number 2",
		`{"":1,"x\u0000":2}`:                           "=number 1",
		`{"bad":"` + "\xff" + `"}`:                     "bad=text \ufffd",
	} {
		var got []string
		for _, l := range leavesOf([]byte(payload)) {
			got = append(got, l.path+"="+l.value.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q is %v, want %s", payload, got, want)
		}
	}
	many := "[" + strings.Repeat("1,", 99) + "1]"
	if n := len(leavesOf([]byte(many))); n != maxLeaves {
		t.Errorf("%d leaves, want %d", n, maxLeaves)
	}
	if large := `{"a":1,"b":"` + strings.Repeat("x", maxJSON) + `"}`; leavesOf([]byte(large)) != nil {
		t.Error("a payload above 64 KiB was taken apart")
	}
}

// FuzzValues takes any payload, and compares the leaves of JSON with what
// encoding/json finds.
func FuzzValues(f *testing.F) {
	for _, s := range []string{"21.5", "true", `{"a":[1,{"b":"\ud800"}],"c":null}`, "[[[]]]", "\xff", `{"":{"":""}}`, ` [ 1 , 2 ] `, `{"a" : -1E+2 }`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if v := valueOf(payload); v.kind != core.Text && (math.IsNaN(v.v) || math.IsInf(v.v, 0)) || !utf8.ValidString(v.text) || len(v.text) > maxText {
			t.Errorf("%q is %v", payload, v)
		}
		got := leavesOf(payload)
		if len(got) > maxLeaves {
			t.Errorf("%d leaves", len(got))
		}
		var want []leaf
		if b := bytes.TrimSpace(payload); len(payload) <= maxJSON && json.Valid(b) {
			d := json.NewDecoder(bytes.NewReader(b))
			d.UseNumber()
			want = tokens(t, d, nil, "", 0)
		}
		want = want[:min(len(want), maxLeaves)]
		if !slices.EqualFunc(got, want, func(a, b leaf) bool { return a.path == b.path && a.value.String() == b.value.String() }) {
			t.Errorf("%q: got %v, want %v", payload, got, want)
		}
	})
}

// tokens is what the walker does, by encoding/json.
func tokens(t *testing.T, d *json.Decoder, ls []leaf, path string, depth int) []leaf {
	token, err := d.Token()
	if err == io.EOF {
		return ls
	} else if err != nil {
		t.Fatal(err)
	}
	add := func(v value) []leaf {
		if depth == 0 || depth > maxDepth || len(path) > maxPath || strings.Contains(path, "\x00") {
			return ls
		}
		return append(ls, leaf{path, v})
	}
	switch token := token.(type) {
	case json.Delim:
		for i := 0; d.More(); i++ {
			key := fmt.Sprint(i)
			if token == '{' {
				k, err := d.Token()
				if err != nil {
					t.Fatal(err)
				}
				key = k.(string)
			}
			ls = tokens(t, d, ls, below(path, key, depth), depth+1)
		}
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		return ls
	case bool:
		return add(valueOf(fmt.Append(nil, token)))
	case json.Number:
		return add(valueOf([]byte(token)))
	case string:
		return add(valueOf([]byte(token)))
	}
	return ls
}

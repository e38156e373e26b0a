package plan

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"homeroom/core"
	"homeroom/core/topic"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is otherwise now; if that is meant, run this test with -update and read the difference:\n%s", path, got)
	}
}

func TestMarkdown(t *testing.T) {
	for _, c := range []struct {
		file string
		d    *core.Design
		f    topic.Filter
		o    DocOptions
	}{
		{"four-boards.md", drawTemplate(t, "four-boards", &core.Design{}, Options{OnBoard: true}, "blue"), "#",
			DocOptions{Title: "Lesson 4", Address: "192.168.1.20:1883", Secure: "192.168.1.20:8883"}},
		{"monitoring-hall.md", drawTemplate(t, "monitoring", &core.Design{}, Options{}, "blue"), "+/hall/#",
			DocOptions{Rule: func(r core.Rule) string { return "«" + string(r.ID) + "»" }}},
		{"flat.md", with(of("x", "y!", "green/z"), core.Batch{Topics: []core.Topic{{Name: "mode", Kind: core.Enumeration, Options: []string{"day", "night"}}, {Name: "air", Kind: core.JSON}}}), "#", DocOptions{}},
		{"empty.md", &core.Design{}, "#", DocOptions{}},
	} {
		var b bytes.Buffer
		if err := Markdown(&b, c.d, c.f, c.o); err != nil {
			t.Fatal(err)
		}
		golden(t, c.file, b.Bytes())
	}
}

// hostile is a design whose words are an attack.
func hostile() *core.Design {
	bad := []string{
		"<script>alert(1)</script>", "a|b", "`code` and ``more``", "[link](http://evil.example)", "![x](http://evil.example/x.png)", "# head", "- item", "1. one",
		"http://evil.example", "www.evil.example", "me@evil.example", "line\nbreak | cell", "&lt;b&gt;", "\\", "\x1b[31m", "\u202ertl", "{{ states('x') }}", "\xff\xfe", "*bold* _it_ ~~no~~", "a\tb", "$x$", "--", "=",
	}
	var b core.Batch
	for i, s := range bad {
		n := topic.Name("blue/" + s)
		b.Topics = append(b.Topics, core.Topic{Name: n, Description: core.Description{Label: s, Unit: s}, Text: s, Kind: core.Enumeration, Options: []string{s, "x"}, Writable: i%2 == 0})
		b.Places = append(b.Places, core.Place{Name: "blue/" + n + "k", Kind: core.KitPlace, Label: s, Text: s, Account: topic.ID(s), Ports: []core.Port{{Slot: topic.ID(s), Topic: n, Action: core.Publish}}})
		b.Rules = append(b.Rules, core.Rule{ID: topic.ID(s), Label: s, Text: s, If: s, Then: []core.Act{{Topic: n, Value: s}}})
		b.Alarms = append(b.Alarms, core.Alarm{ID: topic.ID(s), Label: s, Topic: n, Kind: core.AlarmEquals, Word: s})
	}
	return with(&core.Design{}, b)
}

// markup is what a renderer would take for more than text, once code is cut out.
var markup = regexp.MustCompile("`|\\*|_|\\]|~~|<[^b]|<b[^r]|&[^lga#]|://|www\\.\\S|@|\\x1b|\\x{202e}")

func TestMarkdownIsText(t *testing.T) {
	var b bytes.Buffer
	if err := Markdown(&b, hostile(), "#", DocOptions{Title: "<h1>", Address: "`x`"}); err != nil {
		t.Fatal(err)
	}
	escaped := regexp.MustCompile(`\\.`)
	code, expression := regexp.MustCompile("`[^`|<>&\\\\\n]+`"), regexp.MustCompile("`[^`\n]+`")
	columns := 0
	for line := range strings.Lines(b.String()) {
		bare := line
		if !strings.HasPrefix(line, "|") {
			bare = expression.ReplaceAllString(strings.ReplaceAll(line, "\\`", ""), "")
		}
		bare = code.ReplaceAllString(escaped.ReplaceAllString(bare, ""), "")
		bare = strings.ReplaceAll(bare, "**", "")
		if m := markup.FindString(bare); m != "" {
			t.Errorf("%q in %s", m, line)
		}
		if strings.HasPrefix(line, "|") {
			n := strings.Count(strings.ReplaceAll(line, "\\|", ""), "|")
			if columns == 0 {
				columns = n
			}
			if n != columns {
				t.Errorf("%d columns, not %d: %s", n, columns, line)
			}
		} else if !strings.HasPrefix(strings.TrimLeft(line, " "), "- **") && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "  ") && line != "\n" && !strings.HasPrefix(line, "Broker") {
			t.Errorf("a line of its own: %q", line)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("<b>")
	f.Add("a`|\n")
	f.Add("x://y.z")
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{text(s), code(s)} {
			bare := got
			if len(bare) > 2 && bare[0] == '`' && !strings.ContainsAny(bare[1:len(bare)-1], "`|<>&\\") {
				bare = ""
			}
			bare = regexp.MustCompile(`\\.`).ReplaceAllString(bare, "")
			if m := markup.FindString(bare); m != "" && m != "**" {
				t.Fatalf("%q is written %q: %q", s, got, m)
			}
			if strings.ContainsAny(got, "\n\r") {
				t.Fatalf("%q is written %q", s, got)
			}
		}
	})
}

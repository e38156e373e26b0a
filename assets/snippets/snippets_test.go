package snippets

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"homeroom/core"
	"homeroom/core/topic"
)

var place = Place{Host: "192.168.1.20", MQTT: "1883", Page: "8080", Account: "ana"}

// TestRealValues wants in the code what a reader would otherwise have to look up.
func TestRealValues(t *testing.T) {
	for kind, want := range map[string][]string{
		"arduino":     {`HOST = "192.168.1.20"`, "PORT = 1883", `KIT = "kit-1"`, `TOPIC = "blue/lab/kit-1/lamp"`, `COMMAND = "blue/lab/kit-1/lamp/set"`, "YOUR-SECRET", "its card"},
		"micropython": {`"192.168.1.20", 1883`, `KIT, SECRET = "kit-1"`, `"blue/lab/kit-1/lamp"`, `"blue/lab/kit-1/lamp/set"`},
		"python":      {`"hostname": "192.168.1.20", "port": 1883`, `ACCOUNT, PASSWORD = "ana"`, `"blue/lab/kit-1/lamp/set"`, "sign in with"},
		"rooms":       {"192.168.1.20:8080", `"ana"`, `"blue/lab/kit-1/lamp"`, `"blue/lab/kit-1/lamp/set"`},
		"mqttjs":      {`"ws://192.168.1.20:8080/mqtt"`, `"ana"`, `"blue/lab/kit-1/lamp"`},
		"curl":        {"http://192.168.1.20:8080", `"name":"ana"`, "blue%2Flab%2Fkit-1%2Flamp%2Fset"},
	} {
		code, err := Write(kind, core.Topic{Name: "blue/lab/kit-1/lamp", Kind: core.Boolean, Writable: true}, place)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for _, w := range append(want, "") {
			if !strings.Contains(code, w) {
				t.Errorf("%s lacks %q:\n%s", kind, w, code)
			}
		}
	}
	if _, err := Write("cobol", core.Topic{Name: "x"}, place); !errors.Is(err, core.ErrInvalid) {
		t.Errorf("cobol: %v", err)
	}
	if _, err := Write("../snippets", core.Topic{Name: "x"}, place); !errors.Is(err, core.ErrInvalid) {
		t.Errorf("a path: %v", err)
	}
}

// hostile are names and values that want to become code.
var hostile = []string{
	`a"b`, `a'b`, `a\`, `a\\"`, "a\nb", "a\r\nb", "a\x00b", "a\x1b[2Jb", "a`b", "a$(b)", "a${b}", "a;b", `"); evil(); ("`, `'; evil; '`,
	"*/ evil /*", "// evil", "# evil", "</script><script>", "한글/온도", "émoji 🙂", "a\u202eb", "a\u2028b", "??/", `\u0022`, "\xff\xfe", "%s{{.Host}}", "a b", "ana@lab",
	"evil\"\nimport os\nos.system('evil')", strings.Repeat("x", 1024),
}

// TestHostileValues puts each hostile value everywhere, and asks the languages
// themselves what they read.
func TestHostileValues(t *testing.T) {
	for _, h := range hostile {
		p := Place{Host: h, MQTT: h, Page: h, Account: h, Say: func(s core.Sentence) string { return s.String() + h }}
		for _, kind := range Kinds() {
			for _, writable := range []bool{false, true} {
				code, err := Write(kind, core.Topic{Name: topic.Name(h), Writable: writable}, p)
				tame, err2 := Write(kind, core.Topic{Name: "tame", Writable: writable}, Place{Host: "tame", MQTT: "tame", Page: "tame", Account: "tame"})
				if err != nil || err2 != nil {
					t.Fatal(err, err2)
				}
				if strings.Count(code, "\n") != strings.Count(tame, "\n") {
					t.Errorf("%s, %q: another number of lines:\n%s", kind, h, code)
				}
				if i := strings.IndexFunc(code, func(r rune) bool { return r < ' ' && r != '\n' || r == '\u202e' || r == '\u2028' || r == 0x7f }); i >= 0 {
					t.Errorf("%s, %q: a control character stays", kind, h)
				}
			}
		}
		clean := strings.ToValidUTF8(h, "\ufffd")
		var back string
		if err := json.Unmarshal([]byte(jsLiteral(h)), &back); err != nil || back != clean {
			t.Errorf("JSON reads %s as %q, %v; want %q", jsLiteral(h), back, err, clean)
		}
	}
}

// run starts a tool, or skips what needs it.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the code is the same everywhere, and the tools are not")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: make deps installs it", name)
		}
		t.Skipf("%s is missing: make deps installs it", name)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// printable are the hostile values that a language can be asked about: what
// reads them prints them with a line each.
func printable() []string {
	return slices.DeleteFunc(slices.Clone(hostile), func(h string) bool { return strings.ToValidUTF8(h, "") != h })
}

// TestLiterals has each language print its literals.
func TestLiterals(t *testing.T) {
	want, err := json.Marshal(printable())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name, tool, file, before, after string
		args                            []string
		literal                         func(string) string
	}{
		{"python", "python3", "x.py", "import json\nprint(json.dumps([", "], ensure_ascii=True))\n", nil, pyLiteral},
		{"javascript", "node", "x.mjs", "console.log(JSON.stringify([", "]));\n", nil, jsLiteral},
	} {
		t.Run(x.name, func(t *testing.T) {
			text := x.before
			for i, h := range printable() {
				if i > 0 {
					text += ", "
				}
				text += x.literal(h)
			}
			dir := t.TempDir()
			out := run(t, dir, x.tool, write(t, dir, x.file, text+x.after))
			var got []string
			if err := json.Unmarshal([]byte(out), &got); err != nil || !slices.Equal(got, printable()) {
				t.Errorf("it reads %q, %v; want %s", out, err, want)
			}
		})
	}
	t.Run("c++", func(t *testing.T) {
		text := "#include <cstdio>\n#include <cstring>\nint main() {\n"
		for _, h := range printable() {
			// puts each byte as a number: what the terminal makes of it is not asked
			text += "  { const char s[] = " + cLiteral(h) + "; for (unsigned i = 0; i + 1 < sizeof s; i++) printf(\"%02x\", (unsigned char)s[i]); puts(\"\"); }\n"
		}
		dir := t.TempDir()
		for _, std := range []string{"-std=c++11", "-std=gnu++17"} { // c++11 has trigraphs
			run(t, dir, "g++", "-w", std, "-o", "x", write(t, dir, "x.cpp", text+"}\n"))
			for i, line := range strings.Split(strings.TrimSuffix(run(t, dir, filepath.Join(dir, "x")), "\n"), "\n") {
				if want := hexOf(printable()[i]); line != want {
					t.Errorf("%s: it reads %s as %s, want %s", std, cLiteral(printable()[i]), line, want)
				}
			}
		}
	})
	t.Run("sh", func(t *testing.T) {
		for _, h := range printable() {
			shown := strings.Map(func(r rune) rune {
				if strings.ContainsRune("\n\r\x00\x1b\u202e\u2028", r) {
					return -1
				}
				return r
			}, h)
			if out := run(t, t.TempDir(), "sh", "-c", "printf %s "+shLiteral(h)); out != shown {
				t.Errorf("sh reads %s as %q", shLiteral(h), out)
			}
		}
	})
}

func hexOf(s string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

// every calls fn with the code of a kind for every sort of topic, hostile ones
// among them.
func every(t *testing.T, kind string, fn func(name, code string)) {
	t.Helper()
	for _, c := range []struct {
		name string
		core.Topic
	}{
		{"number", core.Topic{Kind: core.Number}}, {"boolean", core.Topic{Kind: core.Boolean}}, {"text", core.Topic{}},
		{"switch", core.Topic{Kind: core.Boolean, Writable: true}}, {"words", core.Topic{Writable: true}}, {"dial", core.Topic{Kind: core.Number, Writable: true}},
	} {
		for i, n := range []string{"blue/lab/kit-1/it", `blue/la"b\/ki't/한글` + "\n$(evil)"} {
			c.Name = topic.Name(n)
			code, err := Write(kind, c.Topic, place)
			if err != nil {
				t.Fatal(err)
			}
			fn(c.name+string(rune('0'+i)), code)
		}
	}
}

func TestArduinoCompiles(t *testing.T) {
	dir := t.TempDir()
	stub, err := os.ReadFile("testdata/arduino.h")
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "ESP8266WiFi.h", string(stub))
	write(t, dir, "PubSubClient.h", "")
	all := []string{}
	every(t, "arduino", func(name, code string) { all = append(all, write(t, dir, name+".cpp", code)) })
	run(t, dir, "g++", append([]string{"-std=gnu++17", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-fsyntax-only", "-I", dir}, all...)...)
}

func TestPythonCompiles(t *testing.T) {
	dir := t.TempDir()
	all := []string{"-m", "py_compile"}
	for _, kind := range []string{"python", "micropython"} {
		every(t, kind, func(name, code string) { all = append(all, write(t, dir, kind+name+".py", code)) })
	}
	run(t, dir, "python3", all...)
}

func TestJavaScriptParses(t *testing.T) {
	dir := t.TempDir()
	for _, kind := range []string{"rooms", "mqttjs"} {
		every(t, kind, func(name, code string) { run(t, dir, "node", "--check", write(t, dir, kind+name+".mjs", code)) })
	}
}

func TestShellParses(t *testing.T) {
	dir := t.TempDir()
	every(t, "curl", func(name, code string) { run(t, dir, "sh", "-n", write(t, dir, name+".sh", code)) })
}

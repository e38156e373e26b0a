package firmware

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// flags are what all of the firmware is compiled with.
var flags = []string{"-std=c++17", "-Os", "-g", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-fno-exceptions", "-fno-rtti"}

// TestParts runs the parts of the kit on this PC, each for itself.
func TestParts(t *testing.T) {
	b := build{dir: t.TempDir(), gxx: compiler(t, "g++")}
	t.Run("units", func(t *testing.T) { units(t, b.program(t, "unit")) })
	t.Run("vectors", func(t *testing.T) { sameVectors(t, b.program(t, "vectors")) })
	t.Run("fuzz", func(t *testing.T) { fuzz(t, b.program(t, "fuzz")) })
}

// units runs host/unit.cpp.
func units(t *testing.T, program string) {
	out, err := run(program)
	if err != nil || !strings.Contains(out, " 0 failed") || !strings.Contains(out, "size Mqtt ") {
		t.Errorf("%v\n%s", err, out)
	}
}

// sameVectors has the kit read what core/kits/wire reads too, and wants to be told
// of any that is wrong.
func sameVectors(t *testing.T, program string) {
	files := vectors(t)
	out, err := run(program, files...)
	if err != nil || !strings.Contains(out, " 0 failed") {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines, spoilt, want := strings.Split(string(text), "\n"), []string{}, 0
			seen := false // this case is spoilt already
			for _, line := range lines {
				if strings.HasPrefix(line, "case ") {
					seen = false
				}
				first, result, ok := strings.Cut(line, " = ")
				switch {
				case ok && line[0] != '#':
					line = first + " = x" + result
					want++
				case strings.HasPrefix(line, "> ") && !seen:
					line += "00"
					seen = true
					want++
				}
				spoilt = append(spoilt, line)
			}
			wrong := filepath.Join(t.TempDir(), "wrong.vectors")
			if err := os.WriteFile(wrong, []byte(strings.Join(spoilt, "\n")), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := run(program, wrong)
			if err == nil || !strings.Contains(out, fmt.Sprintf(" %d failed", want)) {
				t.Errorf("of %d wrong vectors it tells %v\n%.1000s", want, err, out)
			}
		})
	}
}

// fuzz gives every parser of the kit what nobody meant for it. FUZZ is how many
// inputs, FUZZSEED which.
func fuzz(t *testing.T, program string) {
	count, seed := "200000", "1"
	if testing.Short() {
		count = "20000"
	}
	for name, to := range map[string]*string{"FUZZ": &count, "FUZZSEED": &seed} {
		if v := os.Getenv(name); v != "" {
			if _, err := strconv.ParseUint(v, 10, 64); err != nil {
				t.Fatal(name, err)
			}
			*to = v
		}
	}
	out, err := run(program, append([]string{count, seed}, vectors(t)...)...)
	if err != nil || !strings.Contains(out, count+" inputs") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestChip compiles what is portable for the chip: without Arduino, heap and floating point.
func TestChip(t *testing.T) {
	gxx := compiler(t, "xtensa-lx106-elf-g++")
	object := filepath.Join(t.TempDir(), "part.o")
	for _, file := range append(core(t), "host/unit.cpp") {
		args := append(slices.Clone(flags), "--specs="+picolibc(t, gxx), "-c", "-o", object, file)
		if out, err := exec.Command(gxx, args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
			continue
		}
		out, err := exec.Command(strings.TrimSuffix(gxx, "g++")+"nm", "-u", object).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for name := range strings.FieldsSeq(string(out)) {
			if slices.Contains([]string{"malloc", "calloc", "realloc", "free", "_Znwj", "_Znaj", "_ZdlPv", "_ZdlPvj", "__adddf3", "__muldf3", "__divdf3", "__addsf3", "__mulsf3", "__divsf3"}, name) {
				t.Errorf("%s needs %s", file, name)
			}
		}
	}
}

func picolibc(t *testing.T, gxx string) string {
	t.Helper()
	machine, err := exec.Command(gxx, "-dumpmachine").Output()
	if err != nil {
		t.Fatal(err)
	}
	specs := "/usr/lib/" + strings.TrimSpace(string(machine)) + "/picolibc.specs"
	if _, err := os.Stat(specs); err != nil {
		missing(t, "picolibc for the chip")
	}
	return specs
}

func vectors(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.vectors")
	if err != nil || len(files) < 3 {
		t.Fatal("no vectors", err)
	}
	return files
}

// core are the portable parts of the kit.
func core(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("kit/src/core/*.cpp")
	if err != nil || len(files) < 7 {
		t.Fatal("no firmware", err)
	}
	return files
}

// compiler finds one, or skips the test where it may be missing.
func compiler(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name)
	}
	return path
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what + " is missing: make deps installs it")
	}
	t.Skip(what + " is missing: make deps installs it")
}

// build compiles each source once.
type build struct {
	dir, gxx string
	objects  []string // of the portable parts
}

// program builds host/NAME.cpp with all the warnings and watches.
func (b *build) program(t *testing.T, name string) string {
	t.Helper()
	if b.objects == nil {
		for _, file := range core(t) {
			b.objects = append(b.objects, b.object(t, file))
		}
	}
	program := filepath.Join(b.dir, name)
	b.compile(t, append([]string{"-o", program, b.object(t, "host/"+name+".cpp")}, b.objects...)...)
	return program
}

func (b *build) object(t *testing.T, file string) string {
	t.Helper()
	object := filepath.Join(b.dir, filepath.Base(file)+".o")
	b.compile(t, "-c", "-o", object, file)
	return object
}

func (b *build) compile(t *testing.T, args ...string) {
	t.Helper()
	args = append(append(slices.Clone(flags), "-fsanitize=address,undefined", "-fno-sanitize-recover=all"), args...)
	if out, err := exec.Command(b.gxx, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// run returns what a program writes.
func run(program string, args ...string) (string, error) {
	out, err := exec.Command(program, args...).CombinedOutput()
	return string(out), err
}

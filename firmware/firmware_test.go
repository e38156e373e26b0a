package firmware

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// flags are what all of the firmware is compiled with.
var flags = []string{"-std=gnu++17", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-fno-exceptions", "-fno-rtti"}

// watched is how it is compiled to run on this PC: with all the watches, and with TLS
// where BearSSL is there.
var watched = slices.Concat(flags, []string{"-O1", "-g1", "-Ihost/arduino", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"}, hasTLS())

// hasTLS tells the host to speak TLS, where the library of the board's is installed.
func hasTLS() []string {
	find := exec.Command("g++", "-E", "-xc++", "-")
	find.Stdin = strings.NewReader("#include <bearssl.h>\n")
	if find.Run() != nil {
		return nil
	}
	return []string{"-DKIT_TLS"}
}

// TestParts runs the parts of the kit on this PC, each for itself.
func TestParts(t *testing.T) {
	t.Parallel()
	t.Run("units", func(t *testing.T) { t.Parallel(); units(t, buildProgram(t, "host/unit.cpp")) })
	t.Run("vectors", func(t *testing.T) { t.Parallel(); sameVectors(t, buildProgram(t, "host/vectors.cpp")) })
	t.Run("fuzz", func(t *testing.T) { t.Parallel(); fuzz(t, buildProgram(t, "host/fuzz.cpp", "host/mdns.cpp")) })
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

// number is one of the environment, or what it is without.
func number(t *testing.T, name, otherwise string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	if _, err := strconv.ParseUint(v, 10, 64); err != nil {
		t.Fatal(name, err)
	}
	return v
}

// fuzz gives every parser of the kit what nobody meant for it. FUZZ is how many
// inputs, FUZZSEED which.
func fuzz(t *testing.T, program string) {
	count, seed := number(t, "FUZZ", "50000"), number(t, "FUZZSEED", "1")
	out, err := run(program, append([]string{count, seed}, vectors(t)...)...)
	if err != nil || !strings.Contains(out, count+" inputs") {
		t.Errorf("%v\n%s", err, out)
	}
}

// mostStack is the bytes of stack that a function of the kit may take: the Arduino
// core gives all of them and lwIP 4 KiB together.
const mostStack = 512

// TestChip compiles what is portable for the chip: without Arduino, heap and floating
// point, and with little stack.
func TestChip(t *testing.T) {
	t.Parallel()
	gxx := compiler(t, "xtensa-lx106-elf-g++")
	folder := t.TempDir()
	object := filepath.Join(folder, "part.o")
	for _, file := range append(core(t), "host/unit.cpp") {
		args := append(slices.Clone(flags), "--specs="+picolibc(t, gxx), "-Os", "-fstack-usage", "-c", "-o", object, file)
		if out, err := exec.Command(gxx, args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
			continue
		}
		if !strings.HasPrefix(file, "host/") {
			littleStack(t, filepath.Join(folder, "part.su"))
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

// littleStack reads what the compiler says of the stack that functions take.
func littleStack(t *testing.T, file string) {
	t.Helper()
	usage, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(usage)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 3 {
			t.Fatalf("%q", line)
		}
		if n, err := strconv.Atoi(f[1]); err != nil || n > mostStack || f[2] != "static" {
			t.Errorf("%s takes %s bytes of stack, %s", f[0], f[1], f[2])
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

// workshop is where the programs of this PC are built, each source once for all tests.
type workshop struct {
	folder string
	turns  chan struct{} // as many as compilers run at once

	mu      sync.Mutex
	objects map[string]func() (string, error) // guarded by mu
}

var shop = workshop{turns: make(chan struct{}, runtime.NumCPU()), objects: map[string]func() (string, error){}}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "firmware")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(folder) }()
		shop.folder = folder
		return m.Run()
	}())
}

// object compiles a source, the first time, with all the warnings and watches.
func (w *workshop) object(gxx, file string) func() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.objects[file] == nil {
		w.objects[file] = sync.OnceValues(func() (string, error) {
			w.turns <- struct{}{}
			defer func() { <-w.turns }()
			object := filepath.Join(w.folder, strings.ReplaceAll(file, "/", "_")+".o")
			out, err := exec.Command(gxx, slices.Concat(watched, []string{"-c", "-o", object, file})...).CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w\n%s", err, out)
			}
			return object, err
		})
	}
	return w.objects[file]
}

// buildProgram builds sources and the portable parts of the kit.
func buildProgram(t *testing.T, sources ...string) string {
	t.Helper()
	gxx := compiler(t, "g++")
	sources = append(slices.Clone(sources), core(t)...)
	objects, errs := make([]string, len(sources)), make([]error, len(sources))
	var work sync.WaitGroup
	for i, file := range sources {
		work.Go(func() { objects[i], errs[i] = shop.object(gxx, file)() })
	}
	work.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command(gxx, slices.Concat(watched, []string{"-o", program}, objects, libraries())...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// libraries are what programs of this PC are linked with.
func libraries() []string {
	if slices.Contains(watched, "-DKIT_TLS") {
		return []string{"-lbearssl"}
	}
	return nil
}

// run returns what a program writes.
func run(program string, args ...string) (string, error) {
	out, err := exec.Command(program, args...).CombinedOutput()
	return string(out), err
}

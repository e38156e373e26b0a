//go:build ignore

// Writes licences.txt: the licence of each module inside the program. Run
// `go generate ./assets` after the modules changed.
package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

func main() {
	list := exec.Command("go", "list", "-deps", "-tags", "migrated_fynedo",
		"-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", "homeroom")
	list.Stderr = os.Stderr
	rows, err := list.Output()
	if err != nil {
		log.Fatal(err)
	}
	texts := map[string][]string{} // licence text → modules under it
	lines := strings.Split(strings.TrimSpace(string(rows)), "\n")
	slices.Sort(lines)
	for _, line := range slices.Compact(lines) {
		if line == "" {
			continue
		}
		module, dir, _ := strings.Cut(line, "\t")
		text := licence(dir)
		if text == "" {
			log.Fatalf("%s has no licence file", module)
		}
		texts[text] = append(texts[text], module)
	}
	for file, what := range map[string]string{ // beside modules; make deps brings the first
		"../firmware/images/stub/LICENSE":    "esptool-js 0.7.0 (flasher stub)",
		"../firmware/wired/COPYING.picolibc": "picolibc (firmware of the kit on the cable)",
	} {
		data, err := os.ReadFile(file)
		if err != nil {
			log.Fatal(err)
		}
		text := strings.TrimSpace(string(data))
		texts[text] = append(texts[text], what)
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		log.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(goroot)), "LICENSE"))
	if err != nil {
		log.Fatal(err)
	}
	text := strings.TrimSpace(string(data))
	texts[text] = append(texts[text], "The Go standard library")
	var out bytes.Buffer
	for _, text := range slices.SortedFunc(keys(texts), func(a, b string) int { return cmp.Compare(texts[a][0], texts[b][0]) }) {
		fmt.Fprintf(&out, "%s\n\n%s\n\n%s\n\n", strings.Join(texts[text], "\n"), text, strings.Repeat("-", 60))
	}
	if err := os.WriteFile("licences.txt", out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}

func keys(m map[string][]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

var names = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|notice)([._-].*)?$`)

// licence returns the texts of a module: its own, and those of what it holds,
// such as fonts.
func licence(dir string) string {
	var parts []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (e.Name() == "testdata" || e.Name() == "_test" || strings.HasPrefix(e.Name(), ".")):
			return filepath.SkipDir
		case e.IsDir() || !names.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go"):
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := strings.TrimSpace(strings.ReplaceAll(string(data), "\r\n", "\n"))
		if !utf8.ValidString(text) || slices.Contains(parts, text) {
			return nil
		}
		parts = append(parts, text)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	return strings.Join(parts, "\n\n")
}

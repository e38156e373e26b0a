//go:build ignore

// Count reads what `go test -json` prints, shows it as go test would (and the
// output of tests only where they fail), and counts the tests: those without
// failed test. It writes the counts to the file that is its argument and exits
// with 1 if anything failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is one line of go test -json; see `go doc test2json`.
type event struct {
	Action, Package, ImportPath, Test, Output string
}

type test struct{ pkg, name string }

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go test -json … | go run .ci/count.go FILE")
		os.Exit(2)
	}
	c := counter{outcome: map[test]string{}, output: map[test]*strings.Builder{}, parent: map[test]bool{}}
	if err := c.read(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "count:", err)
		os.Exit(1)
	}
	n := map[string]int{}
	for t, outcome := range c.outcome {
		// a test fails with its subtests, so it counts itself only where they all passed
		if !c.parent[t] || outcome == "fail" && !c.below(t) {
			n[outcome]++
		}
	}
	line := fmt.Sprintf("%d passed, %d failed, %d skipped\n", n["pass"], n["fail"], n["skip"])
	fmt.Print("go test: ", line)
	if err := os.WriteFile(os.Args[1], []byte(line), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "count:", err)
		os.Exit(1)
	}
	if n["fail"] > 0 || n["pass"] == 0 {
		os.Exit(1)
	}
}

type counter struct {
	outcome map[test]string // pass, fail or skip; a test without a name is its package
	output  map[test]*strings.Builder
	parent  map[test]bool // has subtests
}

func (c *counter) read(r io.Reader, w io.Writer) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) != nil {
			w.Write(line) // not from a test
		} else {
			c.take(e, w)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (c *counter) take(e event, w io.Writer) {
	t := test{e.Package, e.Test}
	if i := strings.LastIndexByte(e.Test, '/'); i > 0 {
		c.parent[test{e.Package, e.Test[:i]}] = true
	}
	switch e.Action {
	case "build-output":
		fmt.Fprint(w, e.Output)
	case "output":
		if e.Test == "" && (strings.HasPrefix(e.Output, "ok ") || strings.HasPrefix(e.Output, "FAIL\t")) {
			fmt.Fprint(w, e.Output)
			return
		}
		if c.output[t] == nil {
			c.output[t] = &strings.Builder{}
		}
		c.output[t].WriteString(e.Output)
	case "pass", "skip", "fail":
		if e.Test != "" {
			c.outcome[t] = e.Action
		}
		if e.Action == "fail" {
			if c.output[t] != nil {
				fmt.Fprint(w, c.output[t])
			}
			if e.Test == "" && !c.below(t) {
				c.outcome[t] = "fail"
			}
		}
		delete(c.output, t)
	}
}

// below reports whether a subtest of t failed, or a test of the package t.
func (c *counter) below(t test) bool {
	for other, outcome := range c.outcome {
		if outcome == "fail" && other != t && other.pkg == t.pkg && (t.name == "" || strings.HasPrefix(other.name, t.name+"/")) {
			return true
		}
	}
	return false
}

package main

import (
	"strings"
	"testing"
)

// TestAccountChange: mounts and limits by hand, as the list shows them.
func TestAccountChange(t *testing.T) {
	data := t.TempDir()
	row := func(name string) string {
		t.Helper()
		for line := range strings.Lines(tool(t, data, "", "account", "list")) {
			if f := strings.Fields(line); f[0] == name {
				return strings.Join(f[1:], " ")
			}
		}
		return ""
	}
	tool(t, data, "", "account", "add", "kit-1", "--role", "kit", "--team", "blue")
	tool(t, data, "", "account", "add", "kit-2", "--role", "kit", "--team", "blue", "--no-mount")
	tool(t, data, "a good password\n", "account", "add", "prof", "--role", "teacher", "--team", "blue", "--password-stdin")
	for name, want := range map[string]string{
		"kit-1": "kit blue enabled blue/ -",
		"kit-2": "kit blue enabled / -",
		"prof":  "teacher blue enabled / -",
	} {
		if got := row(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct {
		args string
		code int
		want string // of kit-1, afterwards
	}{
		{"--no-mount", 0, "kit blue enabled / -"},
		{"--messages 50 --queue 65536", 0, "kit blue enabled / messages=50 queue=65536"},
		{"--mount --messages 0 --bytes 2048 --connections 3 --packet 4096", 0, "kit blue enabled blue/ bytes=2048 connections=3 queue=65536 packet=4096"},
		{"--packet 5", 1, "kit blue enabled blue/ bytes=2048 connections=3 queue=65536 packet=4096"},
		{"", 2, "kit blue enabled blue/ bytes=2048 connections=3 queue=65536 packet=4096"},
		{"--messages many", 2, "kit blue enabled blue/ bytes=2048 connections=3 queue=65536 packet=4096"},
	} {
		_, errs, code := try(data, "", append([]string{"account", "change", "kit-1"}, strings.Fields(c.args)...)...)
		if got := row("kit-1"); code != c.code || (code == 0) != (errs == "") || got != c.want {
			t.Errorf("%s: exit %d, said %q; kit-1 is %q, want %q", c.args, code, errs, got, c.want)
		}
	}
}

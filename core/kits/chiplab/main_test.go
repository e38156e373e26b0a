package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestLab plays a person at the program: boards appear, go, and come back under the same name.
func TestLab(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("terminals of this kind need Linux")
	}
	dir := t.TempDir()
	link, saved := filepath.Join(dir, "board"), filepath.Join(dir, "saved")
	firmware := filepath.Join(dir, "firmware")
	if err := os.WriteFile(firmware, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, keys := io.Pipe()
	screen, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(t.Context(), []string{"-n", "2", "-link", link, "-hold", "-flash", firmware, "-fault", "slow delay=1ms"}, in, out)
		out.Close()
	}()
	lines := bufio.NewScanner(screen)
	want := func(s string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != s && !strings.HasSuffix(s, "…") || !strings.HasPrefix(lines.Text(), strings.TrimSuffix(s, "…")) {
			t.Fatalf("the program says %q, want %q", lines.Text(), s)
		}
	}
	say := func(s string) {
		t.Helper()
		if _, err := io.WriteString(keys, s+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	want("chip 1 on " + link + "1")
	want("chip 2 on " + link + "2")
	port, err := os.OpenFile(link+"2", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	say("unplug 2")
	want("ok")
	io.Copy(io.Discard, port) // ends
	if _, err := port.Write([]byte("x")); err == nil {
		t.Error("the port of a board that is gone still takes bytes")
	}
	port.Close()
	if _, err := os.Lstat(link + "2"); err == nil {
		t.Error("the link to a board that is gone is still there")
	}
	say("replug 2")
	want("chip 2 on " + link + "2")
	want("ok")
	if to, err := os.Readlink(link + "2"); err != nil || !strings.HasPrefix(to, "/dev/pts/") {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	say("save 1 " + saved)
	want("ok")
	if b, err := os.ReadFile(saved); err != nil || len(b) != 4<<20 || string(b[:6]) != "hello\xff" {
		t.Errorf("the flash was saved as %d bytes, %v", len(b), err)
	}
	for _, s := range []string{"reset all", "flash 1", "fault 1 dead command=8", "mend all"} {
		say(s)
		want("ok")
	}
	for _, s := range []string{"press 1 button", "unplug", "unplug 3", "fault 1 nonsense", "replug 1"} {
		say(s)
		if s == "replug 1" {
			want("chip 1 on…")
			want("ok")
			continue
		}
		want("error …")
	}
	say("quit")
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(link + "1"); err == nil {
		t.Error("the program left a link behind")
	}
}

func TestEnds(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("terminals of this kind need Linux")
	}
	if err := run(context.Background(), []string{"-for", "10ms"}, strings.NewReader(""), io.Discard); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{{"-n", "0"}, {"-flash", "/no/such/file"}, {"-fault", "nonsense"}} {
		if err := run(context.Background(), append(args, "-for", time.Minute.String()), strings.NewReader(""), io.Discard); err == nil {
			t.Errorf("%q started", args)
		}
	}
}

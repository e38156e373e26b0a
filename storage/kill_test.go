package storage

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"homeroom/core"
)

// childFolder names the folder of the tests that run this program again.
const childFolder = "HOMEROOM_TEST_FOLDER"

func child(t *testing.T, test, folder string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+test+"$", "-test.count=1")
	c.Env = append(os.Environ(), childFolder+"="+folder)
	return c
}

// TestKill kills a program that writes, again and again, and looks at what it
// left: sound files with everything the program had said was written.
func TestKill(t *testing.T) {
	if folder := os.Getenv(childFolder); folder != "" {
		writeUntilKilled(t, folder)
		return
	}
	folder := t.TempDir()
	rnd := rand.New(rand.NewPCG(7, uint64(time.Now().UnixNano())))
	for round := range 4 {
		c := child(t, "TestKill", folder)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		written := 0
		lines := bufio.NewScanner(out)
		for stop := 5 + rnd.IntN(40); stop > 0 && lines.Scan(); stop-- {
			if _, err := fmt.Sscanf(lines.Text(), "written %d", &written); err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
		}
		time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it said before it died counts
			if _, err := fmt.Sscanf(lines.Text(), "written %d", &written); err != nil {
				break // half a line
			}
		}
		_ = c.Wait() // killed
		checkKilled(t, folder, round, written)
	}
}

// writeUntilKilled adds readings, the n-th of which is n, and says how many are written.
func writeUntilKilled(t *testing.T, folder string) {
	db, err := Open(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	h := openHistory(t, db)
	n := 0
	if rows, _ := h.Live(0); len(rows) > 0 {
		n = int(rows[0].Newest.Value) + 1
	}
	for {
		for range 1 + n%777 {
			record(h, "a", morning.Add(time.Duration(n)*time.Second), fmt.Sprint(n))
			n++
		}
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := core.DefaultSettings()
		s.KeepDays = n
		if err := db.SaveSettings(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("written %d\n", n)
	}
}

func checkKilled(t *testing.T, folder string, round, written int) {
	t.Helper()
	db, err := Open(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, f := range []*file{db.core, db.history} {
		var answer string
		if err := f.read.QueryRow("PRAGMA integrity_check").Scan(&answer); err != nil || answer != "ok" {
			t.Fatalf("round %d: %s: %s, %v", round, f.path, answer, err)
		}
	}
	if s, err := db.Settings(t.Context()); err != nil || s.KeepDays < written {
		t.Errorf("round %d: %d were written, the settings know of %d, %v", round, written, s.KeepDays, err)
	}
	tr := trace(t, openHistory(t, db), "a", morning, morning.Add(time.Duration(written)*time.Second), 1)
	if written > 0 && (len(tr.Spans) != 1 || tr.Spans[0].N != written || tr.Spans[0].Sum != float64(written)*float64(written-1)/2) {
		t.Errorf("round %d: %d were written, there are %+v", round, written, tr.Spans)
	}
	// The roll-ups hold each closed chunk once.
	var closed, rolled int
	if err := db.history.read.QueryRow(`SELECT (SELECT coalesce(sum(n), 0) FROM chunk WHERE rolled < 3), (SELECT coalesce(sum(n), 0) FROM rollup WHERE level = 2)`).Scan(&closed, &rolled); err != nil || closed != rolled {
		t.Errorf("round %d: closed chunks hold %d readings, roll-ups %d, %v", round, closed, rolled, err)
	}
}

// TestFullDiskWhileRecording has a disk that takes no more, and then does again.
func TestFullDiskWhileRecording(t *testing.T) {
	db := open(t, t.TempDir())
	h := openHistory(t, db)
	n := 0
	add := func(count int) {
		for range count {
			record(h, "a", morning.Add(time.Duration(n)*time.Second), fmt.Sprint(float64(n)*1.23456789))
			record(h, "t", morning.Add(time.Duration(n)*time.Second), strings.Repeat("x", 100))
			n++
		}
	}
	add(1000)
	flush(t, h)
	if _, err := db.history.write.Exec("PRAGMA max_page_count = 1"); err != nil { // SQLite takes the present size
		t.Fatal(err)
	}
	for range 3 {
		add(5000)
		if err := h.Flush(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "is full. Free some space and try again.") {
			t.Fatalf("err = %v", err)
		}
	}
	if tr := trace(t, h, "a", morning, morning.Add(time.Duration(n)*time.Second), 1); tr.Spans[0].N != n {
		t.Errorf("while the disk is full there are %d readings of %d", tr.Spans[0].N, n)
	}
	if _, err := db.history.write.Exec("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	flush(t, h)
	tr := trace(t, openHistory(t, db), "a", morning, morning.Add(time.Duration(n)*time.Second), 1)
	if tr.Spans[0].N != n || h.Dropped() != 0 {
		t.Errorf("%d readings of %d, %d dropped", tr.Spans[0].N, n, h.Dropped())
	}
	var texts int
	if err := db.history.read.QueryRow("SELECT count(*) FROM text").Scan(&texts); err != nil || texts != n {
		t.Errorf("%d texts of %d, %v", texts, n, err)
	}
}

// output runs a child to its end and returns what it says first.
func output(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, all)
	}
	first, _, _ := strings.Cut(string(all), "\n")
	return first
}

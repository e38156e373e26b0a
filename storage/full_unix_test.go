//go:build !windows

package storage

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// TestNoRoomToOpen opens a folder in a process whose files may not grow, as on
// a disk that is full from the start.
func TestNoRoomToOpen(t *testing.T) {
	if folder := os.Getenv(childFolder); folder != "" {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 6000, Max: 6000}); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), folder)
		fmt.Println(err)
		return
	}
	folder := t.TempDir()
	got := output(t, child(t, "TestNoRoomToOpen", folder))
	if !strings.HasPrefix(got, "The disk that holds "+folder+" ") {
		t.Errorf("it says %q", got)
	}
	if _, err := open(t, folder).Settings(t.Context()); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

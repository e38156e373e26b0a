//go:build !headless

package ui

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"homeroom/core"
)

// crashFile is where a fault of the program is written down, in the data folder.
const crashFile = "crash.txt"

// maxCrashFile bounds it: a fault that repeats would fill the disk.
const maxCrashFile = 1 << 20

var errCrash = errors.New("a fault in the program")

// catchCrashes lets the runtime write into the crash file what kills the whole
// program, which otherwise nobody sees: a window has no terminal. The returned
// function ends that, and removes a file that stayed empty.
func catchCrashes(dir string) func() {
	path := filepath.Join(dir, crashFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return func() {} // the data folder is full or gone; others say so
	}
	if fi, err := f.Stat(); err == nil && fi.Size() > maxCrashFile {
		err = f.Truncate(0)
		if err != nil {
			f.Close()
			return func() {}
		}
	}
	if err := debug.SetCrashOutput(f, debug.CrashOptions{}); err != nil {
		f.Close()
		return func() {}
	}
	return func() {
		debug.SetCrashOutput(nil, debug.CrashOptions{})
		fi, err := f.Stat()
		f.Close()
		if err == nil && fi.Size() == 0 {
			os.Remove(path)
		}
	}
}

// writeCrash writes a panic that was caught into the crash file and returns
// what to tell about it.
func writeCrash(dir string, value any, stack []byte) error {
	path := filepath.Join(dir, crashFile)
	text := fmt.Sprintf("%s\npanic: %v\n%s\n", time.Now().Format(time.RFC3339), value, stack)
	if err := appendBounded(path, text); err != nil {
		return core.Fail(errCrash, "Something broke in this screen, and it could not be written down: {reason}", "reason", err)
	}
	return core.Fail(errCrash, "Something broke in this screen. The rest goes on. Please send the file {file} to who maintains Homeroom.", "file", path)
}

func appendBounded(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if fi, err := f.Stat(); err == nil && fi.Size() > maxCrashFile {
		return f.Close() // enough is written down already
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

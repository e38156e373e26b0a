package main

import (
	"os"
	"syscall"
)

// init gives a program without a console, which a double click needs, the
// console of the shell that started it, so that its commands can be read.
func init() {
	const parent = ^uintptr(0) // ATTACH_PARENT_PROCESS
	if ok, _, _ := syscall.NewLazyDLL("kernel32.dll").NewProc("AttachConsole").Call(parent); ok == 0 {
		return
	}
	for _, std := range []struct {
		handle int
		file   **os.File
	}{{syscall.STD_OUTPUT_HANDLE, &os.Stdout}, {syscall.STD_ERROR_HANDLE, &os.Stderr}} {
		if h, err := syscall.GetStdHandle(std.handle); err == nil && h != 0 && h != syscall.InvalidHandle {
			continue // redirected
		}
		if f, err := os.OpenFile("CONOUT$", os.O_WRONLY, 0); err == nil {
			*std.file = f
		}
	}
}

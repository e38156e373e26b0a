package kits

import "syscall"

// hidden starts a program without a window of its own.
func hidden() *syscall.SysProcAttr { return &syscall.SysProcAttr{HideWindow: true} }

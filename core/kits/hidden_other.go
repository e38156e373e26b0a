//go:build !windows

package kits

import "syscall"

// hidden is nothing: only Windows gives a program a window.
func hidden() *syscall.SysProcAttr { return nil }

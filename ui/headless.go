//go:build headless

// Package ui is the desktop window. This build has none.
package ui

import (
	"context"
	"errors"

	"homeroom/assets/lang"
	"homeroom/core"
)

// Parts is what the window would show.
type Parts struct{}

var errNoWindow = core.Fail(errors.ErrUnsupported, "this build of Homeroom has no window")

// Run reports that this build has no window.
func Run(context.Context, Parts) error { return errNoWindow }

// Usable reports that this build has no window.
func Usable() error { return errNoWindow }

// ProbeIfAsked does nothing: nobody asks a build without a window.
func ProbeIfAsked() {}

// ShowFailure shows nothing: a build without a window has a terminal.
func ShowFailure(title, text string) {}

// AskPort asks nobody: a build without a window has a terminal.
func AskPort(lang.Language, func() Taken) bool { return false }

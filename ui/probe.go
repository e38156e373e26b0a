//go:build !headless

package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"

	"homeroom/core"
)

// probeKey in the environment asks the program only to try a window.
const probeKey = "HOMEROOM_PROBE_WINDOW"

const probeTimeout = 20 * time.Second

// drawnCode is how the probe says that its window was drawn. It differs from
// every code that a toolkit gives up with.
const drawnCode = 77

// errNoWindow is the kind of what Usable answers.
var errNoWindow = errors.New("no window")

// Usable tries in a process of its own whether a window with OpenGL can be
// opened and drawn, and says why not. It takes about a second, and at most twenty.
// (Over Remote Desktop, in a virtual machine or with an old driver, a window
// may hang or end the whole process.)
func Usable() error {
	if runtime.GOOS == "linux" && os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return core.Fail(errNoWindow, "this PC has no display")
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("try a window: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), probeKey+"=1")
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	return probed(ctx, cmd.Run(), said.String())
}

// probed turns the end of the probe into the answer.
func probed(ctx context.Context, err error, said string) error {
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return core.Fail(errNoWindow, "a window did not appear within {n} s", "n", int(probeTimeout.Seconds()))
	case errors.As(err, &exit) && exit.ExitCode() == drawnCode:
		return nil
	case err != nil && !errors.As(err, &exit):
		return fmt.Errorf("try a window: %w", err)
	}
	// Fyne says why in its last line with a cause.
	if i := strings.LastIndex(said, "Cause:"); i >= 0 {
		cause, _, _ := strings.Cut(said[i+len("Cause:"):], "\n")
		return core.Fail(errNoWindow, "a window cannot be drawn: {reason}", "reason", strings.TrimSpace(cause))
	}
	return core.Fail(errNoWindow, "a window cannot be drawn")
}

// ProbeIfAsked opens a small window and ends the process when it was drawn, if
// this process is the one that Usable started. Otherwise it does nothing. Call
// it before anything else.
func ProbeIfAsked() {
	if os.Getenv(probeKey) == "" {
		return
	}
	time.AfterFunc(probeTimeout+time.Second, func() { os.Exit(1) }) // nobody else may end us
	a := newApp()
	var w fyne.Window
	if d, ok := a.Driver().(desktop.Driver); ok {
		w = d.CreateSplashWindow()
	} else {
		w = a.NewWindow("Homeroom")
	}
	drawn := false
	picture := canvas.NewRaster(func(width, height int) image.Image {
		if !drawn {
			drawn = true
			// The picture is handed to OpenGL after this returns; the event
			// loop runs what follows when the frame is on the screen.
			fyne.Do(func() { os.Exit(drawnCode) })
		}
		return image.NewNRGBA(image.Rect(0, 0, max(1, width), max(1, height)))
	})
	picture.SetMinSize(fyne.NewSize(64, 64))
	w.SetContent(picture)
	w.ShowAndRun()
	os.Exit(1)
}

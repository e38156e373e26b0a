package widget

import (
	"cmp"
	"context"
	"errors"
	"io"
	"path"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/storage"

	"homeroom/assets/lang"
	"homeroom/core"
)

// Save asks where to save a file, for which it suggests a name, and lets write
// write there, off the UI goroutine. Files that end otherwise are not shown.
func Save(shell Shell, name string, write func(io.Writer) error) {
	d := dialog.NewFileSave(func(f fyne.URIWriteCloser, err error) {
		if f == nil && err == nil {
			return // nowhere
		}
		shell.Do(func(context.Context) (func(), error) {
			if err != nil {
				return nil, err
			}
			werr := write(f)
			if err := cmp.Or(werr, f.Close()); err != nil {
				return nil, core.Fail(err, "{file} could not be written: {why}. Choose another place.", "file", f.URI().Name(), "why", err)
			}
			return func() { shell.Tell(lang.L("Saved as {file}", "file", f.URI().Name())) }, nil
		})
	}, shell.Window())
	d.SetFileName(name)
	d.SetFilter(storage.NewExtensionFileFilter([]string{path.Ext(name)}))
	d.Show()
	fitFiles(d, shell.Window())
}

// FileName returns text as a part of a file's name, without what that may not hold.
func FileName(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, text)
	if rs := []rune(text); len(rs) > 60 {
		text = string(rs[:60])
	}
	return strings.Trim(text, " .")
}

// Open asks for a file with one of the extensions (".json"), reads it off the UI
// goroutine, and hands it to got on it. A file of more than limit bytes is told.
func Open(shell Shell, extensions []string, limit int64, got func(name string, data []byte)) {
	d := dialog.NewFileOpen(func(f fyne.URIReadCloser, err error) {
		if f == nil && err == nil {
			return // none
		}
		shell.Do(func(context.Context) (func(), error) {
			if err != nil {
				return nil, err
			}
			name := f.URI().Name()
			data, err := io.ReadAll(io.LimitReader(f, limit+1))
			if err := errors.Join(err, f.Close()); err != nil {
				return nil, core.Fail(err, "{file} could not be read: {why}.", "file", name, "why", err)
			}
			if int64(len(data)) > limit {
				return nil, core.Fail(core.ErrInvalid, "{file} is larger than {limit}. Choose another file.", "file", name, "limit", Bytes(limit))
			}
			return func() { got(name, data) }, nil
		})
	}, shell.Window())
	d.SetFilter(storage.NewExtensionFileFilter(extensions))
	d.Show()
	fitFiles(d, shell.Window())
}

// fitFiles gives a file dialog that shows the room that the window has; before
// it shows it has no size.
func fitFiles(d *dialog.FileDialog, w fyne.Window) {
	room := w.Canvas().Size()
	d.Resize(fyne.NewSize(min(820, room.Width-40), min(600, room.Height-40)))
}

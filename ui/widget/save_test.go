package widget_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/ui/widget"
	"homeroom/ui/widget/widgettest"
)

// TestSave saves where the person says, under the name that is suggested.
func TestSave(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("USERPROFILE", dir)
	t.Chdir(dir)
	shell := widgettest.New(t)
	shell.Win.Resize(fyne.NewSize(900, 700))
	save := func(write func(io.Writer) error) {
		t.Helper()
		widget.Save(shell, "notes.txt", write)
		for _, o := range test.LaidOutObjects(shell.Win.Canvas().Overlays().Top()) {
			if b, ok := o.(*fw.Button); ok && b.Text == "Save" {
				test.Tap(b)
				return
			}
		}
		t.Fatal("nothing saves")
	}
	save(func(w io.Writer) error {
		_, err := io.WriteString(w, "Geneva")
		return err
	})
	if data, err := os.ReadFile(filepath.Join(dir, "notes.txt")); err != nil || string(data) != "Geneva" || shell.Told[0] != "Saved as notes.txt" {
		t.Errorf("%q, %v, told %q", data, err, shell.Told)
	}
	if err := os.Remove(filepath.Join(dir, "notes.txt")); err != nil {
		t.Fatal(err)
	}
	save(func(io.Writer) error { return errors.New("no ink") })
	if shell.Err == nil || !strings.Contains(shell.Err.Error(), "no ink") || len(shell.Told) != 1 {
		t.Errorf("what fails is told as %v, %q", shell.Err, shell.Told)
	}
}

// FuzzFileName: what is made of a text can be a part of a file's name everywhere.
func FuzzFileName(f *testing.F) {
	f.Add("X-ray of a/# 1200")
	f.Add(strings.Repeat("가", 100) + " .")
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		name := widget.FileName(text)
		if strings.ContainsAny(name, "/\\:*?\"<>|\x00\n") || len([]rune(name)) > 60 || name != widget.FileName(name) || strings.HasSuffix(name, ".") {
			t.Errorf("%q makes %q", text, name)
		}
	})
}

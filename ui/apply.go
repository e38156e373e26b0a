//go:build !headless

package ui

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"sync"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/dialog"
	fynelang "fyne.io/fyne/v2/lang"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/settings"
	"homeroom/ui/widget"
)

// apply makes the window as the settings say, at once.
func (s *shell) apply(v core.Settings) {
	was := s.applied
	s.applied = &v
	if was == nil || was.Theme != v.Theme || was.Scale != v.Scale {
		c := s.win.Canvas()
		size, scale := c.Size(), c.Scale()
		setScale(v.Scale)
		fyne.CurrentApp().Settings().SetTheme(newLook(v.Theme)) // this makes Fyne read the scale again
		switch {
		case was == nil:
			s.win.Resize(startSize(v.Scale))
		case c.Scale() != scale && !s.win.FullScreen(): // Fyne would make the window larger than the desktop
			k := scale / c.Scale()
			s.win.Resize(fyne.NewSize(size.Width*k, size.Height*k))
		}
	}
	if was == nil || was.Language != v.Language {
		lang.Use(lang.Language(v.Language), systemLanguage())
		useWords()
		s.rebuild()
	}
}

// startSize is the window's first size: what fits a desktop of 1366 by 768
// pixels, whatever the scale that a person chose.
func startSize(scale float64) fyne.Size {
	if scale == 0 {
		scale = 1
	}
	return fyne.NewSize(float32(1220/scale), float32(690/scale))
}

// setScale sets what Fyne multiplies all sizes with; 0 follows the system.
func setScale(scale float64) {
	const key = "FYNE_SCALE"
	if scale == 0 {
		os.Unsetenv(key)
		return
	}
	os.Setenv(key, strconv.FormatFloat(scale, 'f', 2, 64))
}

// zoom makes everything one step larger or smaller, or for 0 as the system has it.
func (s *shell) zoom(by int) {
	s.Do(func(ctx context.Context) (func(), error) {
		v := s.parts.Settings.Settings()
		v.Scale = zoomed(v.Scale, by)
		if err := s.parts.Settings.SetSettings(ctx, v); err != nil {
			return nil, err
		}
		return func() {
			s.apply(v)
			s.Refresh()
		}, nil
	})
}

// zoomed returns the scale that many steps from scale.
func zoomed(scale float64, by int) float64 {
	if by == 0 {
		return 0
	}
	if scale == 0 {
		scale = 1
	}
	steps := slices.Sorted(slices.Values(settings.Scales[1:]))
	i, _ := slices.BinarySearch(steps, scale)
	return steps[max(0, min(len(steps)-1, i+by))]
}

// systemLanguage returns the tag of the system's language.
func systemLanguage() string { return systemLocale().String() }

// systemLocale asks once.
var systemLocale = sync.OnceValue(fynelang.SystemLocale)

// useWords gives Fyne's own buttons and menus the window's language. Fyne asks
// for the system's language whatever we do, so the words go in under its name.
func useWords() {
	words := map[string]string{
		"Advanced":          lang.L("Advanced"),
		"Cancel":            lang.L("Cancel"),
		"Confirm":           lang.L("Confirm"),
		"Copy":              lang.L("Copy"),
		"Create Folder":     lang.L("Create folder"),
		"Cut":               lang.L("Cut"),
		"Enter filename":    lang.L("Type a file name"),
		"Error":             lang.L("That did not work"),
		"Favourites":        lang.L("Favourites"),
		"File":              lang.L("File"),
		"Folder":            lang.L("Folder"),
		"New Folder":        lang.L("New folder"),
		"No":                lang.L("No"),
		"OK":                lang.L("OK"),
		"Open":              lang.L("Open"),
		"Paste":             lang.L("Paste"),
		"Quit":              lang.L("Quit"),
		"Redo":              lang.L("Redo"),
		"Save":              lang.L("Save"),
		"Select all":        lang.L("Select all"),
		"Show Hidden Files": lang.L("Show hidden files"),
		"Undo":              lang.L("Undo"),
		"Yes":               lang.L("Yes"),
		"file.name":         lang.L("Name"),
		"file.parent":       lang.L("Parent folder"),
		"monday":            lang.L("Monday"),
		"tuesday":           lang.L("Tuesday"),
		"wednesday":         lang.L("Wednesday"),
		"thursday":          lang.L("Thursday"),
		"friday":            lang.L("Friday"),
		"saturday":          lang.L("Saturday"),
		"sunday":            lang.L("Sunday"),
		"monday.short":      lang.L("Mon"),
		"tuesday.short":     lang.L("Tue"),
		"wednesday.short":   lang.L("Wed"),
		"thursday.short":    lang.L("Thu"),
		"friday.short":      lang.L("Fri"),
		"saturday.short":    lang.L("Sat"),
		"sunday.short":      lang.L("Sun"),
	}
	data, err := json.Marshal(words)
	if err != nil {
		panic(err) // strings only
	}
	if err := fynelang.AddTranslationsForLocale(data, systemLocale()); err != nil {
		fyne.LogError("words of Fyne", err)
	}
}

// showError tells what a person asked for and did not get.
func (s *shell) showError(err error) {
	d := dialog.NewCustom(lang.L("That did not work"), lang.L("Close"),
		widget.Wide(420, widget.Middle(420, widget.Text(lang.Error(err)))), s.win)
	d.Show()
}

package accounts

import (
	"math"
	"strconv"
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// limit is one field of core.Limits with its bounds, as core/accounts has them.
type limit struct {
	of          func(*core.Limits) *int
	least, most int
	bytes       bool
	name        func() string // in the language of the window
}

var limits = []limit{
	{func(l *core.Limits) *int { return &l.Messages }, 1, 1_000_000, false, func() string { return lang.L("Messages a second") }},
	{func(l *core.Limits) *int { return &l.Bytes }, 1 << 10, 1 << 30, true, func() string { return lang.L("Data a second") }},
	{func(l *core.Limits) *int { return &l.Connections }, 1, 10_000, false, func() string { return lang.L("Connections at once") }},
	{func(l *core.Limits) *int { return &l.Queue }, 64 << 10, 1 << 30, true, func() string { return lang.L("Queue of a client") }},
	{func(l *core.Limits) *int { return &l.Packet }, 1 << 10, 4 << 20, true, func() string { return lang.L("Largest packet") }},
}

// text is n as a person writes it, exactly.
func (l limit) text(n int) string {
	switch {
	case !l.bytes:
		return widget.Number(uint64(n))
	case n >= 1<<10 && n%(1<<10) != 0:
		return lang.L("{n} bytes", "n", n)
	case n >= 1<<20 && n%(1<<20) != 0:
		return lang.L("{n} KB", "n", n>>10)
	}
	return widget.Bytes(int64(n))
}

// parse reads what a person wrote; "" is 0. It is not ok for what is no number
// or out of bounds.
func (l limit) parse(text string) (n int, ok bool) {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, text)
	if text == "" {
		return 0, true
	}
	unit := 1.0
	if l.bytes {
		number := strings.TrimRightFunc(text, unicode.IsLetter)
		switch strings.TrimPrefix(text, number) {
		case "", "b", "o", "byte", "bytes", "octet", "octets", "바이트":
		case "k", "kb", "ko", "kib":
			unit = 1 << 10
		case "m", "mb", "mo", "mib":
			unit = 1 << 20
		case "g", "gb", "go", "gib":
			unit = 1 << 30
		default:
			return 0, false
		}
		text = strings.Replace(number, ",", ".", 1) // 1,5 MB
	} else {
		text = strings.ReplaceAll(text, ",", "") // 10,000
	}
	value, err := strconv.ParseFloat(text, 64)
	value *= unit
	if err != nil || value != math.Trunc(value) || value < float64(l.least) || value > float64(l.most) {
		return 0, false
	}
	return int(value), true
}

// limitFields are where the limits of one account are written. A field that is
// empty follows the settings.
type limitFields struct {
	content fyne.CanvasObject
	title   *fw.Button // shows and hides rows
	rows    *fyne.Container
	entries []*widget.Entry // beside limits
	hints   []*fw.Label
}

// newLimitFields returns fields that hold own, hidden until a person asks for
// them. opened is called then, changed when something is written.
func newLimitFields(own, settings core.Limits, opened, changed func()) *limitFields {
	f := &limitFields{rows: container.NewVBox(widget.Muted(lang.L("What the account may ask of the broker, over all its connections. An empty field is as in Settings.")))}
	for _, l := range limits {
		e, hint := widget.NewEntry(), widget.Muted("")
		hint.SizeName, hint.Importance = theme.SizeNameCaptionText, fw.DangerImportance
		hint.Hide()
		e.SetPlaceHolder(lang.L("{value}, from Settings", "value", l.text(*l.of(&settings))))
		if n := *l.of(&own); n != 0 {
			e.SetText(l.text(n))
		}
		e.OnChanged = func(string) { changed() }
		f.entries, f.hints = append(f.entries, e), append(f.hints, hint)
		f.rows.Add(container.NewGridWithColumns(2, widget.Cell(l.name()), e))
		f.rows.Add(hint)
	}
	f.rows.Hide()
	title := lang.L("Limits")
	if own != (core.Limits{}) {
		title = lang.L("Limits, some of its own")
	}
	f.title = fw.NewButtonWithIcon(title, theme.MenuExpandIcon(), func() {
		if f.rows.Hidden {
			f.rows.Show()
			f.title.SetIcon(theme.MenuDropDownIcon())
		} else {
			f.rows.Hide()
			f.title.SetIcon(theme.MenuExpandIcon())
		}
		opened()
	})
	f.title.Alignment, f.title.Importance = fw.ButtonAlignLeading, fw.LowImportance
	f.content = container.NewVBox(f.title, f.rows)
	return f
}

// check says what is wrong with the fields, and returns what they say and
// whether it can be used.
func (f *limitFields) check() (own core.Limits, ok bool) {
	ok = true
	for i, l := range limits {
		n, right := l.parse(f.entries[i].Text)
		text := ""
		if !right {
			text = lang.L("Write {least} to {most}, or nothing for what Settings say.", "least", l.text(l.least), "most", l.text(l.most))
		}
		*l.of(&own), ok = n, ok && right
		if f.hints[i].Text != text {
			f.hints[i].SetText(text)
		}
		f.hints[i].Hidden = right
	}
	return own, ok
}

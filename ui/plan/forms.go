package plan

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/ui/widget"
)

// form is fields that show something of the design, and change it when a person
// leaves them. It knows nothing of what it shows.
type form struct {
	rows    []fyne.CanvasObject
	refresh []func()
}

// show writes what is designed now into every field that nobody types into.
func (f *form) show() {
	for _, r := range f.refresh {
		r()
	}
}

// box returns the fields below each other.
func (f *form) box() *fyne.Container {
	return container.New(layout.NewCustomPaddedVBoxLayout(6), f.rows...)
}

func (f *form) add(o fyne.CanvasObject) { f.rows = append(f.rows, o) }

// when shows o only while is says so.
func (f *form) when(o fyne.CanvasObject, is func() bool) {
	f.refresh = append(f.refresh, func() { widget.SetVisible(o, is()) })
}

// typed is a field of text. apply is called with what was typed once a person
// leaves the field or presses Enter; what it returns is wrong with it, or "".
type typed struct {
	entry   *fieldEntry
	problem *fw.Label
	box     fyne.CanvasObject
	get     func() string
	apply   func(text string) (problem string)
	base    string // what was designed when it was shown
	dirty   bool   // a person typed, and it is not applied
	writing bool   // the program writes
}

// text adds a field of one line.
func (f *form) text(label, hint string, get func() string, apply func(string) string) *typed {
	return f.typed(label, hint, newFieldEntry(), get, apply)
}

// picked adds a field of one line that offers words to choose from.
func (f *form) picked(label string, words []string, get func() string, apply func(string) string) *typed {
	e := newFieldEntry()
	e.offer(words)
	return f.typed(label, "", e, get, apply)
}

// prose adds a field of several lines.
func (f *form) prose(label, hint string, get func() string, apply func(string) string) *typed {
	e := newFieldEntry()
	e.MultiLine, e.Wrapping = true, fyne.TextWrapWord
	e.SetMinRowsVisible(2)
	return f.typed(label, hint, e, get, apply)
}

func (f *form) typed(label, hint string, e *fieldEntry, get func() string, apply func(string) string) *typed {
	t := newTyped(e, get, apply)
	t.box = container.New(layout.NewCustomPaddedVBoxLayout(-4), widget.Field(label, e, hint), t.problem)
	f.add(t.box)
	f.refresh = append(f.refresh, t.show)
	return t
}

func newTyped(e *fieldEntry, get func() string, apply func(string) string) *typed {
	t := &typed{entry: e, problem: widget.Text(""), get: get, apply: apply}
	t.problem.SizeName = theme.SizeNameCaptionText
	t.problem.Hide()
	e.OnChanged = func(text string) {
		if !t.writing {
			t.dirty = text != t.base
		}
	}
	e.OnSubmitted = func(string) { t.commit() }
	e.left = t.commit
	e.escaped = t.revert
	t.show()
	return t
}

// show writes what is designed now, or tells that it is another while somebody types.
func (t *typed) show() {
	now := t.get()
	switch {
	case now == t.base && !t.dirty && t.entry.Text == now:
	case t.dirty && now == t.entry.Text: // somebody else had the same thought
		t.base, t.dirty = now, false
		t.tell("", fw.MediumImportance)
	case t.dirty && now != t.base:
		t.base = now
		t.tell(lang.L("Somebody changed this to “{value}” meanwhile. Enter keeps yours, Esc takes theirs.", "value", now), fw.WarningImportance)
	case t.dirty:
	default:
		t.base = now
		t.write(now)
	}
}

func (t *typed) write(text string) {
	if t.entry.Text == text {
		return
	}
	t.writing = true
	t.entry.SetText(text)
	t.writing = false
}

// commit applies what was typed.
func (t *typed) commit() {
	if !t.dirty {
		return
	}
	if problem := t.apply(t.entry.Text); problem != "" {
		t.tell(problem, fw.DangerImportance)
		return
	}
	t.base, t.dirty = t.entry.Text, false
	t.tell("", fw.MediumImportance)
}

// revert takes what is designed.
func (t *typed) revert() bool {
	if !t.dirty {
		return false
	}
	t.dirty, t.base = false, t.get()
	t.write(t.base)
	t.tell("", fw.MediumImportance)
	return true
}

func (t *typed) tell(text string, importance fw.Importance) {
	t.problem.Importance = importance
	t.problem.SetText(text)
	widget.SetVisible(t.problem, text != "")
}

// fieldEntry is an entry that says when it is left, and can offer words.
type fieldEntry struct {
	widget.Entry
	left    func()
	escaped func() bool
}

func newFieldEntry() *fieldEntry {
	e := &fieldEntry{}
	e.Wrapping = fyne.TextWrap(fyne.TextTruncateClip)
	e.ExtendBaseWidget(e)
	return e
}

// offer puts a button into the entry that lists words to choose from. It has to
// be called before anything else.
func (e *fieldEntry) offer(words []string) {
	var b *fw.Button
	b = fw.NewButtonWithIcon("", theme.MenuDropDownIcon(), func() {
		c := fyne.CurrentApp().Driver().CanvasForObject(e)
		if c == nil {
			return
		}
		items := make([]*fyne.MenuItem, len(words))
		for i, w := range words {
			items[i] = fyne.NewMenuItem(w, func() {
				e.SetText(w)
				e.left()
			})
		}
		fw.ShowPopUpMenuAtRelativePosition(fyne.NewMenu("", items...), c, fyne.NewPos(0, b.Size().Height), b)
	})
	b.Importance = fw.LowImportance
	e.ActionItem = b
}

// FocusLost is part of fyne.Focusable.
func (e *fieldEntry) FocusLost() {
	e.Entry.FocusLost()
	if e.left != nil {
		e.left()
	}
}

// AcceptsTab is part of fyne.Tabbable: Tab goes on also from several lines.
func (e *fieldEntry) AcceptsTab() bool { return false }

// TypedKey is part of fyne.Focusable.
func (e *fieldEntry) TypedKey(k *fyne.KeyEvent) {
	if k.Name == fyne.KeyEscape && e.escaped != nil && e.escaped() {
		return
	}
	e.Entry.TypedKey(k)
}

// choice adds a field of one of some words. get and apply count them from 0;
// get is -1 where none is chosen.
func (f *form) choice(label, hint string, words []string, get func() int, apply func(int)) *fw.Select {
	s := fw.NewSelect(words, nil)
	shown := false
	s.OnChanged = func(string) {
		if !shown && s.SelectedIndex() != get() {
			apply(s.SelectedIndex())
		}
	}
	f.add(widget.Field(label, s, hint))
	f.refresh = append(f.refresh, func() {
		shown = true
		if at := get(); at < 0 {
			s.ClearSelected()
		} else if at != s.SelectedIndex() {
			s.SetSelectedIndex(at)
		}
		shown = false
	})
	f.refresh[len(f.refresh)-1]()
	return s
}

// check adds a yes or no.
func (f *form) check(label, hint string, get func() bool, apply func(bool)) *fw.Check {
	c := fw.NewCheck(label, nil)
	c.OnChanged = func(on bool) {
		if on != get() {
			apply(on)
		}
	}
	rows := []fyne.CanvasObject{c}
	if hint != "" {
		h := widget.Muted(hint)
		h.SizeName = theme.SizeNameCaptionText
		rows = append(rows, h)
	}
	f.add(container.New(layout.NewCustomPaddedVBoxLayout(-8), rows...))
	f.refresh = append(f.refresh, func() {
		if is := get(); c.Checked != is {
			c.Checked = is
			c.Refresh()
		}
	})
	f.refresh[len(f.refresh)-1]()
	return c
}

// numbers adds two fields side by side that are applied together: both, or both empty.
func (f *form) numbers(label, hint, from, to string, get func() (a, b string), apply func(a, b string) string) (first, second *typed) {
	read := func(text *typed, i int) func() string {
		return func() string {
			a, b := get()
			return []string{a, b}[i]
		}
	}
	e1, e2 := newFieldEntry(), newFieldEntry()
	e1.SetPlaceHolder(from)
	e2.SetPlaceHolder(to)
	problem := widget.Text("")
	problem.SizeName = theme.SizeNameCaptionText
	problem.Hide()
	both := func(string) string {
		// The other field may be where the person goes next.
		if a, b := strings.TrimSpace(e1.Text), strings.TrimSpace(e2.Text); (a == "") != (b == "") {
			return lang.L("Fill in both, or neither.")
		}
		wrong := apply(e1.Text, e2.Text)
		if wrong == "" {
			for _, t := range []*typed{first, second} {
				t.base, t.dirty = t.entry.Text, false
			}
		}
		return wrong
	}
	first = newTyped(e1, read(first, 0), both)
	second = newTyped(e2, read(second, 1), both)
	first.problem, second.problem = problem, problem
	f.add(container.New(layout.NewCustomPaddedVBoxLayout(-4), widget.Field(label, container.NewGridWithColumns(2, e1, e2), hint), problem))
	f.refresh = append(f.refresh, first.show, second.show)
	return first, second
}

// readNumber reads a decimal number as a person types it, with a comma or a point.
func readNumber(text string) (float64, bool) {
	text = strings.ReplaceAll(strings.TrimSpace(text), "\u2212", "-")
	if strings.Count(text, ",") == 1 && !strings.Contains(text, ".") {
		text = strings.Replace(text, ",", ".", 1)
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) && !strings.ContainsAny(text, "xXpP_")
}

// sayNumber writes a number as it would be typed.
func sayNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// readLine reads one line of at most that many characters. problem says what to
// do where it is none.
func readLine(text string, most int) (line, problem string) {
	line = strings.Join(strings.Fields(text), " ")
	switch {
	case !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl):
		return "", lang.L("This holds characters that cannot be shown. Remove them.")
	case utf8.RuneCountInString(line) > most:
		return "", lang.L("This is longer than {n} characters. Shorten it.", "n", most)
	}
	return line, ""
}

// readWords reads words with commas between them.
func readWords(text string) []string {
	var words []string
	for w := range strings.SplitSeq(text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			words = append(words, w)
		}
	}
	return words
}

// twice returns the first word that is there twice, or "".
func twice(words []string) string {
	for i, w := range words {
		if slices.ContainsFunc(words[:i], func(v string) bool { return strings.EqualFold(v, w) }) {
			return w
		}
	}
	return ""
}

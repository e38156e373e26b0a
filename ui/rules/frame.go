package rules

import (
	"context"
	"errors"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// frame is what the sheets of a rule and of an alarm have in common: its name
// and what can be done with it, and notes over what is edited.
type frame struct {
	s       *Screen
	content fyne.CanvasObject

	opened  bool
	id      topic.ID          // as it is designed; of what is new "" until it is saved
	gone    bool              // somebody deleted it meanwhile
	invalid map[string]string // fields that cannot be read, and what to do

	label                   *widget.Entry
	active                  *fw.Check
	saveButton, revert, del *fw.Button
	notes                   *fyne.Container
	noteKey                 string
	body                    *fyne.Container
	scroll                  *container.Scroll
}

// framed is what is in a frame.
type framed interface {
	sheet
	setLabel(text string)
	setActive(on bool)
	takeBack() // shows it as it is designed
	remove()
}

// init makes what is in the frame of e, but for what fill adds.
func (f *frame) init(s *Screen, e framed) {
	f.s, f.invalid = s, map[string]string{}
	save := func() { e.save(func() {}) }
	f.label = widget.NewEntry()
	f.label.TextStyle.Bold = true
	f.label.OnChanged = func(text string) { e.setLabel(strings.Join(strings.Fields(text), " ")) }
	f.label.OnSubmitted = func(string) {
		if !f.saveButton.Disabled() {
			save()
		}
	}
	f.active = fw.NewCheck(lang.L("Active"), e.setActive)
	f.saveButton = fw.NewButtonWithIcon(lang.L("Save"), theme.DocumentSaveIcon(), save)
	f.saveButton.Importance = fw.HighImportance
	f.revert = fw.NewButtonWithIcon("", theme.ContentUndoIcon(), e.takeBack)
	f.del = fw.NewButtonWithIcon(lang.L("Delete"), theme.DeleteIcon(), e.remove)
	f.notes = container.New(stack{6})
	f.notes.Hide()
}

// fill lays it out: tools beside those that each has, forms at the left and panels
// at the right.
func (f *frame) fill(before, after, forms, panels []fyne.CanvasObject) {
	tools := container.NewHBox(f.active)
	for _, o := range [][]fyne.CanvasObject{before, {layout.NewSpacer()}, after, {f.del, f.revert, f.saveButton}} {
		tools.Objects = append(tools.Objects, o...)
	}
	left := container.New(stack{8}, append([]fyne.CanvasObject{f.notes}, forms...)...)
	f.body = container.New(&sides{}, left, container.New(stack{8}, panels...))
	f.scroll = widget.Scroll(f.body)
	f.content = widget.NewSurface(theme.ColorNameOverlayBackground,
		container.NewBorder(container.New(layout.NewCustomPaddedVBoxLayout(6), f.label, tools), nil, nil, nil, f.scroll))
}

// relayout gives everything the height that it needs now.
func (f *frame) relayout() {
	f.body.Refresh()
	f.scroll.Refresh()
}

func (f *frame) open() bool { return f.opened }

func (f *frame) close() { f.opened, f.id = false, "" }

// write shows what it is called and whether it acts.
func (f *frame) write(label string, id topic.ID, disabled bool) {
	if f.label.Text != label {
		f.label.SetText(label)
	}
	f.label.SetPlaceHolder(string(id))
	if f.active.Checked == disabled {
		f.active.Checked = !disabled
		f.active.Refresh()
	}
}

// note is something that is told above what is edited.
type note struct {
	text       string
	importance fw.Importance
	action     string
	do         func()
}

// conflict tells that somebody else changed it meanwhile, and lets choose.
func conflict(text string, take, keep func()) []note {
	return []note{
		{text, fw.WarningImportance, lang.L("Take theirs"), take},
		{lang.L("Yours is not saved yet."), fw.MediumImportance, lang.L("Keep mine"), keep},
	}
}

// tell shows the notes, where they are others than before.
func (f *frame) tell(all []note) {
	var b strings.Builder
	for _, n := range all {
		b.WriteString(n.text + "\x00" + n.action + "\x00")
	}
	if b.String() == f.noteKey {
		return
	}
	f.noteKey = b.String()
	f.notes.RemoveAll()
	for _, n := range all {
		var actions []fyne.CanvasObject
		if n.action != "" {
			actions = append(actions, fw.NewButton(n.action, n.do))
		}
		f.notes.Add(widget.NewNote(n.text, n.importance, actions...))
	}
	widget.SetVisible(f.notes, len(all) > 0)
	f.relayout()
}

// commit makes one edit, shows what is designed then, and goes on. Where somebody
// was faster, draw tells.
func (f *frame) commit(b core.Batch, show func(*core.Design), then func()) {
	s := f.s
	s.sh.Do(func(ctx context.Context) (func(), error) {
		err := s.p.Plan.Change(ctx, b)
		if err != nil && !errors.Is(err, core.ErrConflict) {
			return nil, err
		}
		d := s.p.Plan.Design()
		return func() {
			s.d = d
			if err != nil {
				s.draw()
				s.sh.Tell(lang.Error(err))
				return
			}
			show(d)
			s.sh.Tell(lang.L("Saved. Undo is on the screen Plan."))
			then()
			s.draw()
			s.sh.Refresh()
		}, nil
	})
}

// discard closes what is new, and asks before b removes what is designed.
func (f *frame) discard(title, question, text string, b core.Batch) {
	if f.id == "" {
		f.close()
		f.s.draw()
		return
	}
	widget.Confirm(f.s.sh, question, text, lang.L("Delete"), func() {
		f.s.change(b, func() {
			f.close()
			f.s.sh.Tell(lang.L("{name} was deleted. Undo is on the screen Plan.", "name", title))
		})
	})
}

package plan

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// tool is a button that says below the canvas what it does.
type tool struct {
	fw.Button
	hint string
	say  func(string)
}

func (s *Screen) tool(text, hint string, icon fyne.Resource, do func()) *tool {
	t := &tool{hint: hint, say: s.say}
	t.Text, t.Icon, t.OnTapped = text, icon, do
	t.ExtendBaseWidget(t)
	return t
}

// MouseIn is part of desktop.Hoverable.
func (t *tool) MouseIn(e *desktop.MouseEvent) {
	t.Button.MouseIn(e)
	t.say(t.hint)
}

// MouseOut is part of desktop.Hoverable.
func (t *tool) MouseOut() {
	t.Button.MouseOut()
	t.say("")
}

// FocusGained is part of fyne.Focusable.
func (t *tool) FocusGained() {
	t.Button.FocusGained()
	t.say(t.hint)
}

// FocusLost is part of fyne.Focusable.
func (t *tool) FocusLost() {
	t.Button.FocusLost()
	t.say("")
}

// toolbar is what can be done with the plan as a whole.
type toolbar struct {
	s                                     *Screen
	undo, redo, add, problems, wild, file *tool
	fit, in, out                          *tool
}

func newToolbar(s *Screen) *toolbar {
	b := &toolbar{s: s}
	keep := func(do func()) func() { // the keys stay those of the canvas
		return func() {
			s.focus()
			do()
		}
	}
	b.undo = s.tool("", "", theme.ContentUndoIcon(), keep(s.undo))
	b.redo = s.tool("", "", theme.ContentRedoIcon(), keep(s.redo))
	b.add = s.tool(lang.L("Add"), lang.L("Add a branch, a room, a kit or a whole template"), theme.ContentAddIcon(), func() { b.menu(b.add, b.addItems()) })
	b.add.Importance = fw.HighImportance
	b.problems = s.tool("", lang.L("What could be better, and what mends it"), theme.WarningIcon(), func() { s.side.toggle(s.problems.content(), lang.L("Problems"), s.inspector.content()) })
	b.wild = s.tool(lang.L("Wildcards"), lang.L("Try a topic filter: what it selects, and who may use it"), theme.SearchIcon(), func() {
		s.side.toggle(s.playground.content(), lang.L("Wildcards"), s.inspector.content())
		if s.side.title != "" {
			s.sh.Window().Canvas().Focus(s.playground.entry)
		}
	})
	b.file = s.tool(lang.L("File"), lang.L("Import and export the plan, and make documents of it"), theme.DocumentIcon(), func() { b.menu(b.file, b.fileItems()) })
	b.out = s.tool("", lang.L("Smaller"), theme.ZoomOutIcon(), keep(func() { s.house.Zoom(1 / 1.25) }))
	b.in = s.tool("", lang.L("Larger"), theme.ZoomInIcon(), keep(func() { s.house.Zoom(1.25) }))
	b.fit = s.tool("", lang.L("Show all"), theme.ZoomFitIcon(), keep(s.house.Fit))
	b.show()
	return b
}

func (b *toolbar) actions() []fyne.CanvasObject {
	tight := layout.NewCustomPaddedHBoxLayout(2)
	return []fyne.CanvasObject{
		container.New(tight, b.undo, b.redo), b.add, b.problems, b.wild, b.file, container.New(tight, b.out, b.in, b.fit),
	}
}

// show says what can be undone and how many problems there are.
func (b *toolbar) show() {
	f := &b.s.facts
	turn := func(t *tool, edits []core.Edit, one, none string) {
		if len(edits) == 0 {
			t.hint = none
			t.Disable()
			return
		}
		t.hint = one + " " + lang.Say(edits[0].Say)
		t.Enable()
	}
	turn(b.undo, f.undo, lang.L("Undo:"), lang.L("There is nothing to undo"))
	turn(b.redo, f.redo, lang.L("Redo:"), lang.L("There is nothing to redo"))
	text, importance := lang.L("Problems"), fw.MediumImportance
	if len(f.fixes) > 0 {
		text, importance = lang.L("Problems ({n})", "n", len(f.fixes)), fw.WarningImportance
	}
	if b.problems.Text != text || b.problems.Importance != importance {
		b.problems.Importance = importance
		b.problems.SetText(text)
	}
}

func (b *toolbar) menu(below fyne.CanvasObject, items []*fyne.MenuItem) {
	fw.ShowPopUpMenuAtRelativePosition(fyne.NewMenu("", items...), b.s.sh.Window().Canvas(), fyne.NewPos(0, below.Size().Height), below)
}

func (b *toolbar) addItems() []*fyne.MenuItem {
	s := b.s
	entry := func(text string, icon fyne.Resource, do func()) *fyne.MenuItem {
		m := fyne.NewMenuItem(text, do)
		m.Icon = icon
		return m
	}
	items := []*fyne.MenuItem{entry(lang.L("Branch"), theme.HomeIcon(), func() { s.addRoom("", 0, 0) })}
	at := s.place()
	if at != nil {
		branch := at.Name
		if at.Kind != core.BranchPlace {
			branch = parent(at.Name)
		}
		items = append(items, entry(lang.L("Room in {place}", "place", titleAt(s.d, branch)), roomIcon, func() { s.addRoom(branch, 0, 0) }))
		kits := entry(lang.L("Kit in {place}", "place", at.Title()), widget.RoleIcon(core.AllKit), nil)
		kits.ChildMenu = fyne.NewMenu("", s.kitItems(at.Name)...)
		items = append(items, kits)
	}
	templates := entry(lang.L("From a template"), theme.GridIcon(), nil)
	templates.ChildMenu = fyne.NewMenu("", b.templateItems()...)
	items = append(items, fyne.NewMenuItemSeparator(), templates)
	if n := s.strays(); n > 0 {
		items = append(items, entry(lang.L("Adopt what arrives ({n})", "n", n), theme.DownloadIcon(), s.adoptAll))
	}
	return items
}

func (b *toolbar) templateItems() []*fyne.MenuItem {
	var items []*fyne.MenuItem
	for _, t := range b.s.parts.Plan.Templates() {
		m := fyne.NewMenuItem(lang.Say(t.Title)+"…", func() { b.s.useTemplate(t) })
		m.Icon = templateIcon(t)
		items = append(items, m)
	}
	return items
}

func (b *toolbar) fileItems() []*fyne.MenuItem {
	s := b.s
	save := func(text, format, name string, icon fyne.Resource) *fyne.MenuItem {
		m := fyne.NewMenuItem(text, func() { s.export(format, name) })
		m.Icon = icon
		return m
	}
	open := fyne.NewMenuItem(lang.L("Import a file…"), s.importFile)
	open.Icon = theme.FolderOpenIcon()
	return []*fyne.MenuItem{
		open, fyne.NewMenuItemSeparator(),
		save(lang.L("Export everything as JSON…"), "json", "homeroom-plan.json", theme.DocumentSaveIcon()),
		save(lang.L("Export the topics as CSV…"), "csv", "homeroom-plan.csv", theme.DocumentSaveIcon()),
		fyne.NewMenuItemSeparator(),
		save(lang.L("Topic document (Markdown)…"), "markdown", "homeroom-topics.md", theme.FileTextIcon()),
		save(lang.L("Topic document (AsyncAPI 3)…"), "asyncapi", "homeroom-asyncapi.json", theme.FileTextIcon()),
	}
}

// sidebar is the column at the right: the inspector, or something else in its
// place with a title and a way back.
type sidebar struct {
	box   *fyne.Container
	title string // "" is the inspector
}

func newSidebar(inspector fyne.CanvasObject) *sidebar {
	b := &sidebar{box: container.NewStack()}
	b.box.Add(widget.NewSurface(theme.ColorNameOverlayBackground, inspector))
	return b
}

// toggle shows content, or the inspector where content is shown.
func (b *sidebar) toggle(content fyne.CanvasObject, title string, inspector fyne.CanvasObject) {
	if b.title == title {
		b.show(inspector, "")
		return
	}
	b.title = title
	back := fw.NewButtonWithIcon("", theme.CancelIcon(), func() { b.show(inspector, "") })
	back.Importance = fw.LowImportance
	name := fw.NewLabelWithStyle(title, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	b.put(container.NewBorder(container.NewBorder(nil, nil, nil, back, name), nil, nil, nil, content))
}

// show shows content, the inspector, where something else is shown.
func (b *sidebar) show(content fyne.CanvasObject, title string) {
	if b.title != title {
		b.title = title
		b.put(content)
	}
}

func (b *sidebar) put(content fyne.CanvasObject) {
	b.box.Objects = []fyne.CanvasObject{widget.NewSurface(theme.ColorNameOverlayBackground, content)}
	b.box.Refresh()
}

// newLegend says what the colours of the canvas mean.
func newLegend() fyne.CanvasObject {
	row := container.New(layout.NewCustomPaddedHBoxLayout(2))
	for _, l := range []struct {
		color fyne.ThemeColorName
		text  string
	}{
		{theme.ColorNameDisabled, lang.L("silent")}, {theme.ColorNamePrimary, lang.L("alive")},
		{theme.ColorNameWarning, lang.L("not designed")}, {theme.ColorNameError, lang.L("refused")},
	} {
		row.Add(container.New(layout.NewCustomPaddedHBoxLayout(-4), widget.NewDot(l.color), newCaption(l.text)))
	}
	return row
}

// newCaption is a small quiet label without the space around it.
func newCaption(text string) fyne.CanvasObject {
	l := fw.NewLabel(text)
	l.Importance = fw.LowImportance
	l.SizeName = theme.SizeNameCaptionText
	return l
}

// shares gives tree and inspector the width that they need, and the canvas
// between them the rest. Where a person pulls them otherwise, that holds until
// the window is resized.
type shares struct {
	tree, inspector *container.Split // the second is the right side of the first
	width           float32
}

// Layout is part of fyne.Layout.
func (l *shares) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	if size.Width != l.width && size.Width > 0 {
		l.width = size.Width
		tree, inspector := min(max(0.19*size.Width, 215), 300), min(max(0.25*size.Width, 306), 380)
		l.tree.SetOffset(float64(tree / size.Width))
		l.inspector.SetOffset(float64(1 - inspector/(size.Width-tree)))
	}
	for _, o := range objects {
		o.Resize(size)
	}
}

// MinSize is part of fyne.Layout.
func (l *shares) MinSize(objects []fyne.CanvasObject) fyne.Size { return objects[0].MinSize() }

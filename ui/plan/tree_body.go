package plan

import (
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/core/topic"
	"homeroom/ui/widget"
)

var (
	rowText    = &widget.Ruler{}
	rowBold    = &widget.Ruler{Style: fyne.TextStyle{Bold: true}}
	rowCaption = &widget.Ruler{Name: theme.SizeNameCaptionText}
)

// treeBody draws the rows of a tree that are in view, and is what a person
// touches. It is as high as all rows.
type treeBody struct {
	fw.BaseWidget
	t       *tree
	pool    []*treeRow
	focused bool
	hover   int // row, or -1

	pressed int       // row that the mouse went down on, or -1
	late    bool      // it is chosen when the mouse goes up
	at      time.Time // when it went down, to know a double click
	drag    []item    // what is dragged
	over    *levelNode
	tip     *canvas.Rectangle
	tipText *canvas.Text
}

func newTreeBody(t *tree) *treeBody {
	b := &treeBody{t: t, hover: -1, pressed: -1, tip: canvas.NewRectangle(nil), tipText: canvas.NewText("", nil)}
	b.tip.Hide()
	b.tipText.Hide()
	b.ExtendBaseWidget(b)
	return b
}

// height is that of a row.
func (b *treeBody) height() float32 { return rowText.Size()*1.35 + 9 }

// MinSize is part of fyne.CanvasObject.
func (b *treeBody) MinSize() fyne.Size {
	return fyne.NewSize(140, b.height()*float32(len(b.t.rows)))
}

// inView returns which rows are seen.
func (b *treeBody) inView() (from, to int) {
	y, h, all := b.t.scroll.Offset.Y, b.t.scroll.Size().Height, len(b.t.rows)
	from = min(max(int(y/b.height()), 0), all)
	return from, max(from, min(int((y+h)/b.height())+1, all))
}

// draw touches the rows in view that look different than before.
func (b *treeBody) draw() {
	from, to := b.inView()
	width := b.Size().Width
	for len(b.pool) < to-from {
		b.pool = append(b.pool, newTreeRow())
	}
	for i, r := range b.pool {
		if from+i >= to {
			r.hide()
			continue
		}
		n := b.t.rows[from+i]
		l := b.t.look(n, width)
		l.over = b.over == n
		r.show(l, b.height(), float32(from+i)*b.height(), b.hover == from+i)
	}
}

// row returns the row at a height, or -1.
func (b *treeBody) row(y float32) int {
	if i := int(y / b.height()); y >= 0 && i < len(b.t.rows) {
		return i
	}
	return -1
}

// CreateRenderer is part of fyne.Widget.
func (b *treeBody) CreateRenderer() fyne.WidgetRenderer { return &treeRenderer{b} }

type treeRenderer struct{ b *treeBody }

func (r *treeRenderer) Destroy()           {}
func (r *treeRenderer) MinSize() fyne.Size { return r.b.MinSize() }
func (r *treeRenderer) Layout(fyne.Size)   { r.b.draw() }

func (r *treeRenderer) Refresh() {
	r.b.draw()
	canvas.Refresh(r.b)
}

func (r *treeRenderer) Objects() []fyne.CanvasObject {
	all := make([]fyne.CanvasObject, 0, 6*len(r.b.pool)+2)
	for _, row := range r.b.pool {
		if row.shown {
			all = append(all, row.objects()...)
		}
	}
	return append(all, r.b.tip, r.b.tipText)
}

// MouseDown is part of desktop.Mouseable. What is chosen already stays so until
// the mouse goes up, so that all of it can be dragged.
func (b *treeBody) MouseDown(e *desktop.MouseEvent) {
	b.t.focus()
	at := b.row(e.Position.Y)
	again := at >= 0 && at == b.pressed && time.Since(b.at) < fyne.CurrentApp().Driver().DoubleTapDelay()
	b.pressed, b.late, b.at = at, false, time.Now()
	if at < 0 {
		if e.Button == desktop.MouseButtonPrimary && e.Modifier == 0 {
			b.t.pick()
		}
		return
	}
	n := b.t.rows[at]
	if e.Button == desktop.MouseButtonSecondary {
		if !b.t.chosen[n.uid] {
			b.t.pickAt(at, 0)
		}
		b.t.menu(e.AbsolutePosition)
		return
	}
	if len(n.kids) > 0 && e.Position.X >= indent(n.depth) && e.Position.X < indent(n.depth)+18 {
		b.t.toggle(n, !b.t.open(n))
		b.pressed = -1
		return
	}
	if again && e.Modifier == 0 && len(n.kids) > 0 {
		b.t.toggle(n, !b.t.open(n))
		return
	}
	if b.late = b.t.chosen[n.uid] && e.Modifier == 0; !b.late {
		b.t.pickAt(at, e.Modifier)
	}
}

// MouseUp is part of desktop.Mouseable.
func (b *treeBody) MouseUp(e *desktop.MouseEvent) {
	if b.late && b.drag == nil && b.pressed >= 0 && b.pressed < len(b.t.rows) && len(b.t.own) > 1 {
		b.t.pickAt(b.pressed, 0)
	}
	b.late = false
}

// MouseIn is part of desktop.Hoverable.
func (b *treeBody) MouseIn(e *desktop.MouseEvent) { b.MouseMoved(e) }

// MouseMoved is part of desktop.Hoverable.
func (b *treeBody) MouseMoved(e *desktop.MouseEvent) {
	if at := b.row(e.Position.Y); at != b.hover {
		b.hover = at
		b.draw()
	}
}

// MouseOut is part of desktop.Hoverable.
func (b *treeBody) MouseOut() {
	b.hover = -1
	b.draw()
}

// Dragged is part of fyne.Draggable.
func (b *treeBody) Dragged(e *fyne.DragEvent) {
	if b.drag == nil {
		if b.pressed < 0 || b.pressed >= len(b.t.rows) {
			return
		}
		if n := b.t.rows[b.pressed]; n.stray {
			return // what is not designed cannot be moved
		}
		for _, i := range outermost(b.t.own) {
			if n := b.t.all.nodes[uid(i.name())]; n != nil && !n.stray {
				b.drag = append(b.drag, i)
			}
		}
	}
	if len(b.drag) == 0 {
		return
	}
	to := b.t.all.root
	if at := b.row(e.Position.Y); at >= 0 {
		to = b.t.rows[at]
	}
	text := ""
	b.over = to
	for _, i := range b.drag {
		name, no := b.t.all.drop(i.name(), to)
		if no != "" {
			b.over, text = nil, no.why()
			break
		}
		text = string(name)
	}
	b.showTip(text, e.Position)
	switch y, h := e.Position.Y-b.t.scroll.Offset.Y, b.t.scroll.Size().Height; { // near an edge it scrolls
	case y < b.height():
		b.t.scroll.ScrollToOffset(fyne.NewPos(0, max(0, b.t.scroll.Offset.Y-b.height()/2)))
	case y > h-b.height():
		b.t.scroll.ScrollToOffset(fyne.NewPos(0, max(0, min(b.MinSize().Height-h, b.t.scroll.Offset.Y+b.height()/2))))
	}
	b.Refresh()
}

// DragEnd is part of fyne.Draggable.
func (b *treeBody) DragEnd() {
	drag, over := b.drag, b.over
	b.cancel()
	if over == nil {
		return
	}
	type step struct{ from, to topic.Name }
	var steps []step
	for _, i := range drag {
		if name, no := b.t.all.drop(i.name(), over); no == "" {
			steps = append(steps, step{i.name(), name})
		}
	}
	for _, s := range steps {
		b.t.e.move(s.from, s.to)
	}
}

// cancel lets go of what is dragged, and reports whether something was.
func (b *treeBody) cancel() bool {
	was := b.drag != nil
	b.drag, b.over = nil, nil
	b.tip.Hide()
	b.tipText.Hide()
	b.Refresh()
	return was
}

// showTip says beside the mouse what would happen.
func (b *treeBody) showTip(text string, at fyne.Position) {
	text, _ = rowText.Fit(text, max(60, b.Size().Width-24))
	b.tipText.Text, b.tipText.TextSize = text, rowText.Size()
	b.tipText.Color, b.tip.FillColor = theme.Color(theme.ColorNameForegroundOnPrimary), theme.Color(theme.ColorNamePrimary)
	if b.over == nil {
		b.tipText.Color, b.tip.FillColor = theme.Color(theme.ColorNameForeground), theme.Color(theme.ColorNameDisabledButton)
	}
	b.tip.CornerRadius = 6
	size := b.tipText.MinSize().AddWidthHeight(14, 6)
	pos := fyne.NewPos(max(2, min(at.X+14, b.Size().Width-size.Width-2)), at.Y+12)
	b.tip.Move(pos)
	b.tip.Resize(size)
	b.tipText.Move(pos.AddXY(7, 3))
	b.tipText.Resize(b.tipText.MinSize())
	b.tip.Show()
	b.tipText.Show()
}

// FocusGained is part of fyne.Focusable.
func (b *treeBody) FocusGained() {
	b.focused = true
	b.Refresh()
}

// FocusLost is part of fyne.Focusable.
func (b *treeBody) FocusLost() {
	b.focused = false
	b.Refresh()
}

// TypedRune is part of fyne.Focusable: what is typed is searched for.
func (b *treeBody) TypedRune(r rune) {
	if r <= ' ' {
		return
	}
	if c := fyne.CurrentApp().Driver().CanvasForObject(b); c != nil {
		c.Focus(b.t.search)
		b.t.search.TypedRune(r)
	}
}

// TypedKey is part of fyne.Focusable. What the tree has no use for is the window's.
func (b *treeBody) TypedKey(k *fyne.KeyEvent) {
	if !b.t.key(k.Name, heldKeys()) {
		widget.PassKey(b, k)
	}
}

func indent(depth int) float32 { return 2 + 15*float32(depth) }

// treeRow is one row as it is drawn.
type treeRow struct {
	ground            *canvas.Rectangle
	arrow, icon       *fw.Icon
	title, sub, value *canvas.Text
	dot               *canvas.Circle
	look              treeLook
	shown, hovered    bool
	y                 float32
}

func newTreeRow() *treeRow {
	r := &treeRow{ground: canvas.NewRectangle(color.Transparent), arrow: fw.NewIcon(nil), icon: fw.NewIcon(nil),
		title: canvas.NewText("", nil), sub: canvas.NewText("", nil), value: canvas.NewText("", nil), dot: canvas.NewCircle(color.Transparent)}
	r.ground.CornerRadius = 5
	r.value.Alignment = fyne.TextAlignTrailing
	return r
}

func (r *treeRow) objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.ground, r.arrow, r.icon, r.title, r.sub, r.value, r.dot}
}

func (r *treeRow) hide() {
	r.shown = false
	r.look = treeLook{}
}

// show draws a row at y, where it looks different than before.
func (r *treeRow) show(l treeLook, h, y float32, hovered bool) {
	same := l == r.look && r.shown && r.hovered == hovered && r.value.TextSize == rowText.Size()
	if same && r.y == y {
		return
	}
	r.look, r.shown, r.hovered, r.y = l, true, hovered, y
	r.paint()
	r.place(h)
	for _, o := range r.objects() {
		o.Refresh()
	}
}

// paint gives the row its colours and pictures.
func (r *treeRow) paint() {
	l := r.look
	primary := color.NRGBAModel.Convert(theme.Color(theme.ColorNamePrimary)).(color.NRGBA)
	r.ground.FillColor, r.ground.StrokeWidth = color.Transparent, 0
	switch {
	case l.chosen:
		r.ground.FillColor = theme.Color(theme.ColorNameSelection)
	case r.hovered:
		r.ground.FillColor = theme.Color(theme.ColorNameHover)
	case l.glow > 0:
		r.ground.FillColor = color.NRGBA{primary.R, primary.G, primary.B, uint8(6 * l.glow)}
	}
	if l.over || l.cursor {
		r.ground.StrokeColor, r.ground.StrokeWidth = theme.Color(theme.ColorNameFocus), 1.5
	}
	if l.over {
		r.ground.FillColor, r.ground.StrokeColor = theme.Color(theme.ColorNameSelection), primary
	}
	var arrow fyne.Resource
	switch l.open {
	case 1:
		arrow = theme.MenuExpandIcon()
	case 2:
		arrow = theme.MenuDropDownIcon()
	}
	setIcon(r.arrow, arrow)
	r.title.Color, r.sub.Color, r.value.Color = theme.Color(theme.ColorNameForeground), theme.Color(theme.ColorNamePlaceHolder), faded(primary, l.faded)
	icon := l.icon
	switch {
	case l.warn:
		r.title.Color, icon = theme.Color(theme.ColorNameWarning), theme.NewWarningThemedResource(l.icon)
		r.value.Color = faded(r.title.Color, l.faded)
	case l.silent:
		r.title.Color, icon = theme.Color(theme.ColorNamePlaceHolder), theme.NewColoredResource(l.icon, theme.ColorNamePlaceHolder)
	}
	r.dot.FillColor = color.Transparent
	if l.dot != "" {
		r.dot.FillColor = theme.Color(l.dot)
	}
	if l.hot {
		r.value.Color = theme.Color(theme.ColorNameError)
	}
	setIcon(r.icon, icon)
}

func setIcon(i *fw.Icon, to fyne.Resource) {
	if i.Resource == nil && to == nil || i.Resource != nil && to != nil && i.Resource.Name() == to.Name() {
		return
	}
	i.SetResource(to)
}

// place lays out the row, h high.
func (r *treeRow) place(h float32) {
	l := r.look
	right := l.width - 14 // clear of the scroll bar
	r.ground.Move(fyne.NewPos(0, r.y))
	r.ground.Resize(fyne.NewSize(l.width-2, h))
	x := indent(l.depth)
	r.arrow.Move(fyne.NewPos(x, r.y+(h-18)/2))
	r.arrow.Resize(fyne.NewSquareSize(18))
	x += 18
	r.icon.Move(fyne.NewPos(x, r.y+(h-16)/2))
	r.icon.Resize(fyne.NewSquareSize(16))
	x += 21
	ruler := rowText
	if l.bold {
		ruler = rowBold
	}
	if l.dot != "" {
		const across = 9
		r.dot.Resize(fyne.NewSquareSize(across))
		r.dot.Move(fyne.NewPos(right-across, r.y+(h-across)/2))
		right -= across + 6
	}
	room := max(0, (right-x)*0.5)
	if _, name := ruler.Fit(l.title, right-x); l.dot != "" { // the name comes first: the dot tells the state, too
		if room = right - x - name - 8; room < 44 {
			l.value = ""
		}
	}
	var used float32
	r.value.Text, used = rowText.Fit(l.value, room)
	end := right
	if l.value != "" {
		end -= used + 8
	} else if l.dot != "" {
		end -= 2
	}
	var wide float32
	r.title.Text, wide = ruler.Fit(l.title, max(20, end-x))
	r.title.TextStyle = ruler.Style
	r.sub.Text = ""
	if room := end - x - wide - 6; l.sub != "" && room > 48 {
		r.sub.Text, _ = rowCaption.Fit(l.sub, room)
	}
	top := r.y + (h-rowText.Size()*1.35)/2
	put := func(t *canvas.Text, ruler *widget.Ruler, x, w float32) {
		t.TextSize = ruler.Size()
		t.Move(fyne.NewPos(x, top+rowText.Base()-ruler.Base()))
		t.Resize(fyne.NewSize(w, t.MinSize().Height))
	}
	put(r.title, ruler, x, wide)
	put(r.sub, rowCaption, x+wide+6, max(0, end-x-wide-6))
	put(r.value, rowText, right-used, used)
}

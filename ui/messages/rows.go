package messages

import (
	"bytes"
	"image/color"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/ui/widget"
)

// glow is how long a topic that changed stays marked.
const glow = 1600 * time.Millisecond

// pin marks what the broker keeps.
var pin = theme.NewThemedResource(fyne.NewStaticResource("pin.svg", []byte(
	`<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24"><path d="M16 9V4h1V2H7v2h1v5c0 1.66-1.34 3-3 3v2h5.97v7l1 1 1-1v-7H19v-2c-1.66 0-3-1.34-3-3z"/></svg>`)))

var (
	plain = &widget.Ruler{}
	mono  = &widget.Ruler{Style: fyne.TextStyle{Monospace: true}}
)

// text is a canvas.Text that is refreshed only when it changes.
type text struct {
	*canvas.Text
	ruler *widget.Ruler
	name  fyne.ThemeColorName
	full  string
}

func newText(r *widget.Ruler, name fyne.ThemeColorName) *text {
	return &text{Text: canvas.NewText("", nil), ruler: r, name: name}
}

// place puts the text into a row of that height, between x and x+width, on the
// line on which plain text stands. It returns the width it takes.
func (t *text) place(x, width, height float32) float32 {
	s, w := t.ruler.Fit(t.full, width)
	t.Text.TextSize, t.Text.Color = theme.TextSize(), theme.Color(t.name)
	t.Text.TextStyle, t.Text.Text = t.ruler.Style, s
	own := t.Text.MinSize().Height
	t.Text.Move(fyne.NewPos(x, (height-plain.Size()*1.35)/2+plain.Base()-t.ruler.Base()))
	t.Text.Resize(fyne.NewSize(width, own))
	return w
}

// row is what tree rows and stream rows share: a tinted ground, texts, and a pin.
type row struct {
	fw.BaseWidget
	ground *canvas.Rectangle
	pin    *fw.Icon
	texts  []*text
	layout func(fyne.Size)
}

func (r *row) init(self fyne.Widget, layout func(fyne.Size), texts ...*text) {
	r.ground, r.pin = canvas.NewRectangle(color.Transparent), fw.NewIcon(pin)
	r.ground.CornerRadius = 4
	r.pin.Hide()
	r.texts, r.layout = texts, layout
	r.ExtendBaseWidget(self)
}

// CreateRenderer is part of fyne.Widget.
func (r *row) CreateRenderer() fyne.WidgetRenderer { return &rowRenderer{r} }

// tint colours the ground with the theme's primary colour; strength is 0 to 8.
func (r *row) tint(strength int) {
	c := color.NRGBAModel.Convert(theme.Color(theme.ColorNamePrimary)).(color.NRGBA)
	if c.A = uint8(strength * 9); r.ground.FillColor != c {
		r.ground.FillColor = c
		r.ground.Refresh()
	}
}

type rowRenderer struct{ row *row }

func (r *rowRenderer) Layout(size fyne.Size) {
	r.row.ground.Resize(size)
	r.row.layout(size)
}

func (r *rowRenderer) MinSize() fyne.Size {
	return fyne.NewSize(80, fyne.MeasureText("Ag", theme.TextSize(), fyne.TextStyle{Monospace: true}).Height+4)
}

func (r *rowRenderer) Refresh() {
	r.row.layout(r.row.Size())
	for _, o := range r.Objects() {
		o.Refresh()
	}
}

func (r *rowRenderer) Objects() []fyne.CanvasObject {
	all := []fyne.CanvasObject{r.row.ground, r.row.pin}
	for _, t := range r.row.texts {
		all = append(all, t.Text)
	}
	return all
}

func (r *rowRenderer) Destroy() {}

// treeRow shows one node of the topic tree.
type treeRow struct {
	row
	level, value, count *text
	uid                 string
	drawn               treeLook
}

// treeLook is all that can be seen of a node, to draw it only when it differs.
type treeLook struct {
	level, value, count string
	retained, topic     bool
	width               float32
}

func newTreeRow() *treeRow {
	r := &treeRow{level: newText(plain, theme.ColorNameForeground), value: newText(mono, theme.ColorNamePrimary), count: newText(plain, theme.ColorNamePlaceHolder)}
	r.init(r, r.arrange, r.level, r.value, r.count)
	return r
}

func (r *treeRow) arrange(size fyne.Size) {
	const gap = 8
	h := size.Height
	_, countWidth := plain.Fit(r.count.full, size.Width)
	countAt := size.Width - countWidth - 14 // clear of the scroll bar
	x := 4 + r.level.place(4, max(20, countAt-gap), h) + gap
	if !r.pin.Hidden {
		r.pin.Move(fyne.NewPos(x-2, (h-14)/2))
		r.pin.Resize(fyne.NewSquareSize(14))
		x += 16
	}
	r.value.place(x, max(0, countAt-gap-x), h)
	r.count.place(countAt, countWidth, h)
}

// show draws the node, where it looks different than before.
func (r *treeRow) show(n *node, now time.Time) {
	l := treeLook{topic: n.here, retained: n.retained, width: r.Size().Width}
	if l.level = brief([]byte(n.level)); n.level == "" {
		l.level = lang.L("(empty)")
	}
	if n.here {
		l.value = brief(n.state.Last.Payload)
		if len(n.state.Last.Payload) == 0 {
			l.value = lang.L("(empty)")
		}
	}
	if !n.here {
		l.value = lang.L("topics: {n}", "n", n.topics)
	}
	if n.count > 0 {
		l.count = strconv.FormatUint(n.count, 10)
	}
	r.tint(heat(n.fresh, now))
	if l == r.drawn {
		return
	}
	r.drawn = l
	r.level.full, r.value.full, r.count.full = l.level, l.value, l.count
	r.value.name, r.value.ruler = theme.ColorNamePrimary, mono
	if !n.here || len(n.state.Last.Payload) == 0 {
		r.value.name, r.value.ruler = theme.ColorNamePlaceHolder, plain
	}
	r.pin.Hidden = !l.retained
	r.Refresh()
}

// heat is how strongly something that changed at that time is marked, 0 to 8.
func heat(changed, now time.Time) int {
	age := now.Sub(changed)
	if age < 0 || age >= glow {
		return 0
	}
	return int(8 * (glow - age) / glow)
}

// streamRow shows one message of the stream.
type streamRow struct {
	row
	time, topic, payload, qos, client *text
	drawn                             uint64 // seq of what it shows
	selected                          bool
	head                              bool // the names of the columns
}

func newStreamRow() *streamRow {
	r := &streamRow{
		time: newText(mono, theme.ColorNamePlaceHolder), topic: newText(plain, theme.ColorNameForeground),
		payload: newText(mono, theme.ColorNamePrimary), qos: newText(plain, theme.ColorNamePlaceHolder), client: newText(plain, theme.ColorNamePlaceHolder),
	}
	r.init(r, r.arrange, r.time, r.topic, r.payload, r.qos, r.client)
	return r
}

// newStreamHead returns the row with the names of the columns.
func newStreamHead() *streamRow {
	r := newStreamRow()
	r.head = true
	r.time.full, r.topic.full, r.payload.full, r.qos.full, r.client.full =
		lang.L("Time"), lang.L("Topic"), lang.L("Payload"), lang.L("QoS"), lang.L("Client")
	r.time.ruler, r.payload.ruler = plain, plain
	for _, t := range r.texts {
		t.name = theme.ColorNamePlaceHolder
	}
	return r
}

func (r *streamRow) arrange(size fyne.Size) {
	const gap = 10
	h, left, right := size.Height, float32(6), size.Width-6
	left += max(r.time.place(left, 12*mono.Width('0')+2, h), 12*mono.Width('0')) + gap
	if client := min(130, size.Width/7); size.Width > 520 {
		r.client.place(right-client, client, h)
		right -= client + gap
		r.client.Show()
	} else {
		r.client.Hide()
	}
	r.qos.place(right-34, 34, h)
	r.pin.Move(fyne.NewPos(right-20, (h-14)/2))
	r.pin.Resize(fyne.NewSquareSize(14))
	right -= 34 + gap
	topic := (right - left) * 0.5
	r.topic.place(left, topic, h)
	r.payload.place(left+topic+gap, max(0, right-left-topic-gap), h)
}

// show draws the entry, where it is another than before.
func (r *streamRow) show(e entry, selected bool) {
	if r.drawn == e.seq<<1|bit(e.missed > 0) && r.selected == selected && r.time.full != "" {
		return
	}
	r.drawn, r.selected = e.seq<<1|bit(e.missed > 0), selected
	if r.tint(0); selected {
		r.tint(5)
	}
	if e.missed > 0 {
		r.time.full, r.payload.full, r.qos.full, r.client.full = "···", "", "", ""
		r.topic.full, r.topic.name = lang.L("{n} messages went by unseen; the counts in the tree have them", "n", e.missed), theme.ColorNameWarning
		r.pin.Hide()
		r.Refresh()
		return
	}
	r.time.full, r.topic.full, r.topic.name = clock(e.At), brief([]byte(e.Topic)), theme.ColorNameForeground
	r.payload.full, r.qos.full, r.client.full = brief(e.Payload), strconv.Itoa(int(e.QoS)), clientName(e.Client)
	r.pin.Hidden = !e.Retain
	r.Refresh()
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// clientName is the MQTT client as a person reads it.
func clientName(id string) string {
	switch id {
	case "window":
		return lang.L("this window")
	case "page":
		return lang.L("the phone page")
	}
	return brief([]byte(id))
}

// lines shows long text in a monospaced font, wrapped, and draws only what is
// to be seen of it.
type lines struct {
	fw.BaseWidget
	list  *fw.List
	text  string
	bytes []byte // shown as a dump instead of text where it is not nil
	width float32
	lines []string
}

func newLines() *lines {
	l := &lines{}
	l.list = fw.NewList(
		func() int { return len(l.lines) },
		func() fyne.CanvasObject {
			t := canvas.NewText("Ag", theme.Color(theme.ColorNameForeground))
			t.TextStyle = mono.Style
			return container.NewWithoutLayout(t)
		},
		func(i fw.ListItemID, o fyne.CanvasObject) {
			if i >= len(l.lines) {
				return
			}
			// Spaces in front would get another font, and so another width.
			text := strings.TrimLeft(l.lines[i], " ")
			t := o.(*fyne.Container).Objects[0].(*canvas.Text)
			t.Move(fyne.NewPos(float32(len(l.lines[i])-len(text))*mono.Width(' '), 0))
			if c, s := theme.Color(theme.ColorNameForeground), theme.TextSize(); t.Text != text || t.Color != c || t.TextSize != s {
				t.Text, t.Color, t.TextSize = text, c, s
				t.Resize(t.MinSize())
				t.Refresh()
			}
		})
	l.list.HideSeparators = true
	l.list.OnSelected = l.list.Unselect
	l.ExtendBaseWidget(l)
	return l
}

// SetText replaces the text; where the beginning is looked at stays.
func (l *lines) SetText(s string) {
	if s == l.text && l.bytes == nil {
		return
	}
	l.text, l.bytes = s, nil
	l.wrap()
}

// SetBytes shows a dump of p in place of text.
func (l *lines) SetBytes(p []byte) {
	if l.bytes == nil || !bytes.Equal(p, l.bytes) {
		l.bytes = p
		l.wrap()
	}
}

// Resize is part of fyne.CanvasObject.
func (l *lines) Resize(size fyne.Size) {
	l.BaseWidget.Resize(size)
	if size.Width != l.width {
		l.width = size.Width
		l.wrap()
	}
}

func (l *lines) wrap() {
	room := max(80, l.width-24)
	if l.bytes != nil {
		l.text = dump(l.bytes, perRow(room/mono.Width('0')))
	}
	l.lines = wrap(l.text, mono, room)
	l.list.Refresh()
}

// wrap breaks s at its line ends and where a line is wider than width.
func wrap(s string, r *widget.Ruler, width float32) (lines []string) {
	if s == "" {
		return nil
	}
	for line := range strings.SplitSeq(s, "\n") {
		var sum float32
		from := 0
		for i, c := range line {
			w := r.Width(c)
			if sum += w; sum > width && i > from {
				lines = append(lines, line[from:i])
				from, sum = i, w
			}
		}
		lines = append(lines, line[from:])
	}
	return lines
}

// CreateRenderer is part of fyne.Widget.
func (l *lines) CreateRenderer() fyne.WidgetRenderer { return fw.NewSimpleRenderer(l.list) }

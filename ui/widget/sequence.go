package widget

import (
	"image"
	"image/color"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/software"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
)

// Sequence is a sequence diagram: who takes part stands at the top, time goes
// down, and each row is an arrow from one to another. It scrolls, and only the
// rows in view cost anything. Its methods run on the UI goroutine.
type Sequence struct {
	fw.BaseWidget
	OnSelected func(key uint64) // a person chose a row; may be nil
	OnFollow   func(on bool)    // a person scrolled to the newest row, or away from it; may be nil
	lines      []Lifeline       // from left to right
	rows       []Arrow          // the newest last
	brackets   []bracket        // in order of their first rows
	selected   uint64           // key of a row, or 0
	follow     bool             // the newest row stays in view
	moving     bool             // the program scrolls, not a person
	scroll     *container.Scroll
	body       *sequenceBody
}

// Lifeline is one who takes part.
type Lifeline struct {
	Title string
	Hub   bool // drawn as the one in the middle of it all
}

// ArrowForm is how an arrow is drawn.
type ArrowForm uint8

// The forms of arrows.
const (
	ArrowDashed ArrowForm = iota // beside the messages
	ArrowThin                    // a message without an answer
	ArrowPair                    // a message with one answer
	ArrowFour                    // a message of four steps
)

// Arrow is one row.
type Arrow struct {
	Key      uint64 // rises from row to row, from 1
	From, To int    // lifelines
	At       time.Time
	Title    string // over the arrow
	State    string // in front of Text, in the arrow's colour
	Text     string // under the arrow; its middle is left out where it is too long
	Tail     string // behind Text
	Form     ArrowForm
	Bad      bool // in the warning colour
	Again    bool // with two heads: it was sent before
	// Flow is not 0 where the row belongs to a flow of several: its rows are
	// bracketed at the lifeline that is no hub. Ends says that it is the last.
	Flow int
	Ends bool
}

// bracket holds the rows of one flow together.
type bracket struct {
	first, last int // rows
	steps       []int
	line        int // lifeline
	lane        int // 0 is nearest to the lifeline
	form        ArrowForm
	bad, done   bool
}

// Measures of the picture, in units.
const (
	seqHead    = 44 // height of the lifelines' names
	seqRow     = 50
	seqArrow   = 28  // from a row's top to its arrow
	seqTimes   = 92  // width of the column of times
	seqEdge    = 90  // the widest margin beside the outer lifelines
	seqLane    = 7   // between two brackets
	seqLanes   = 5   // brackets side by side
	seqWords   = 300 // how wide the words of a short arrow may be
	seqGap     = 8   // between words
	seqTitle   = 14  // text sizes
	seqText    = 13
	seqHeading = 18
	seqFoot    = 12 // below the last row
	seqPage    = 14 // around a picture in a file
)

// NewSequence returns an empty picture that follows the newest row.
func NewSequence() *Sequence {
	s := &Sequence{follow: true}
	s.body = &sequenceBody{s: s}
	s.body.ExtendBaseWidget(s.body)
	s.scroll = container.NewVScroll(s.body)
	s.scroll.OnScrolled = func(fyne.Position) { s.scrolled() }
	s.ExtendBaseWidget(s)
	return s
}

// Set shows other lifelines and rows, which the caller must not change any more.
// Whoever looks at older rows keeps looking at them.
func (s *Sequence) Set(lines []Lifeline, rows []Arrow) {
	top, within := uint64(0), float32(0) // what is at the upper edge
	if i := int(s.scroll.Offset.Y / seqRow); i < len(s.rows) && !s.follow {
		top, within = s.rows[i].Key, s.scroll.Offset.Y-float32(i)*seqRow
	}
	s.lines, s.rows, s.brackets = lines, rows, bracketed(lines, rows)
	s.move(func() {
		s.scroll.Refresh()
		if s.follow {
			s.scroll.ScrollToBottom()
		} else if top > 0 {
			i, ok := s.find(top)
			if !ok {
				within = 0
			}
			s.scroll.ScrollToOffset(fyne.NewPos(0, float32(i)*seqRow+within))
		}
	})
	s.Refresh()
}

// Select marks the row with that key and shows it; 0 marks none.
func (s *Sequence) Select(key uint64) {
	s.selected = key
	if i, ok := s.find(key); ok {
		y, h := float32(i)*seqRow, s.scroll.Size().Height
		if y < s.scroll.Offset.Y+seqRow || y+2*seqRow > s.scroll.Offset.Y+h {
			s.move(func() { s.scroll.ScrollToOffset(fyne.NewPos(0, max(0, min(y-h/2, s.most())))) })
		}
	}
	s.Refresh()
}

// Follow keeps the newest row in view, or lets the picture stand.
func (s *Sequence) Follow(on bool) {
	s.follow = on
	if on {
		s.move(s.scroll.ScrollToBottom)
		s.Refresh()
	}
}

// find returns the place of the row with that key, or where it would be.
func (s *Sequence) find(key uint64) (int, bool) {
	return slices.BinarySearchFunc(s.rows, key, func(a Arrow, key uint64) int {
		switch {
		case a.Key < key:
			return -1
		case a.Key > key:
			return 1
		}
		return 0
	})
}

// most is the largest offset.
func (s *Sequence) most() float32 {
	return max(0, s.body.MinSize().Height-s.scroll.Size().Height)
}

// move scrolls, which then is not a person's doing.
func (s *Sequence) move(scroll func()) {
	s.moving = true
	scroll()
	s.moving = false
}

func (s *Sequence) scrolled() {
	if !s.moving {
		if end := s.scroll.Offset.Y >= s.most()-seqRow/2; end != s.follow {
			s.follow = end
			if s.OnFollow != nil {
				s.OnFollow(end)
			}
		}
	}
	s.body.Refresh()
}

// Refresh is part of fyne.CanvasObject.
func (s *Sequence) Refresh() {
	s.BaseWidget.Refresh()
	s.body.Refresh()
}

// inView returns which rows are seen.
func (s *Sequence) inView() (from, to int) {
	y := s.scroll.Offset.Y
	from = min(max(int(y/seqRow), 0), len(s.rows))
	to = min(int((y+s.scroll.Size().Height)/seqRow)+1, len(s.rows))
	return from, max(from, to)
}

// x returns where a lifeline is.
func (s *Sequence) x(line int) float32 {
	left, right := float32(seqTimes), s.Size().Width-12
	n := float32(max(len(s.lines), 2))
	edge := min(seqEdge, (right-left)/(2*n))
	if len(s.lines) == 1 {
		return (left + right) / 2
	}
	return left + edge + (right-left-2*edge)*float32(line)/(n-1)
}

// width is how wide the name of a lifeline may be.
func (s *Sequence) width() float32 {
	if len(s.lines) < 2 {
		return 2 * seqEdge
	}
	return min(s.x(1)-s.x(0)-10, 2*seqEdge-8)
}

// bracketed finds the flows of the rows and gives each a lane in which no other is.
func bracketed(lines []Lifeline, rows []Arrow) []bracket {
	at := map[int]int{} // bracket by flow
	var all []bracket
	for i, r := range rows {
		if r.Flow == 0 {
			continue
		}
		n, ok := at[r.Flow]
		if !ok {
			n = len(all)
			at[r.Flow] = n
			line := r.From
			if r.From < len(lines) && lines[r.From].Hub {
				line = r.To
			}
			all = append(all, bracket{first: i, line: line, form: r.Form})
		}
		b := &all[n]
		b.last, b.steps = i, append(b.steps, i)
		b.bad, b.done = b.bad || r.Bad, b.done || r.Ends
	}
	ends := map[[2]int]int{} // last row by lifeline and lane
	for i := range all {
		b := &all[i]
		for b.lane < seqLanes-1 {
			if end, ok := ends[[2]int{b.line, b.lane}]; !ok || end < b.first {
				break
			}
			b.lane++
		}
		last := b.last
		if !b.done {
			last++ // room for its open end
		}
		ends[[2]int{b.line, b.lane}] = last
	}
	return all
}

// pen is what the picture is drawn with: on the screen, or into a file.
type pen interface {
	line(x0, y0, x1, y1, width float32, ink color.NRGBA)
	dot(x, y, radius float32, ink color.NRGBA)
	// head draws the head of an arrow with its tip at x, y; along is 1 to the
	// right and -1 to the left.
	head(x, y, along, size float32, ink color.NRGBA)
	box(x, y, w, h float32, ink color.NRGBA)
	text(s string, x, y, size float32, bold bool, ink color.NRGBA, align fyne.TextAlign)
}

// ink is the colour of a form of arrows.
func (f ArrowForm) ink(bad bool) color.NRGBA {
	fore := themeColor(theme.ColorNameForeground)
	switch {
	case bad:
		return themeColor(theme.ColorNameWarning)
	case f == ArrowPair:
		return LineColor(0)
	case f == ArrowFour:
		return blend(LineColor(2), fore, 0.3)
	case f == ArrowThin:
		return blend(fore, themeColor(theme.ColorNamePlaceHolder), 0.4)
	}
	return themeColor(theme.ColorNamePlaceHolder)
}

// strokes draws what is neither text nor name of the rows from..to; y is where
// the row 0 begins, and the picture is height high.
func (s *Sequence) strokes(p pen, from, to int, y, height float32) {
	rowY := func(i int) float32 { return y + float32(i)*seqRow }
	if i, ok := s.find(s.selected); ok && i >= from && i < to {
		p.box(0, rowY(i), s.Size().Width, seqRow, themeColor(theme.ColorNameSelection))
	}
	rail := blend(themeColor(theme.ColorNameSeparator), themeColor(theme.ColorNameForeground), 0.25)
	for i := range s.lines {
		p.line(s.x(i), 0, s.x(i), height, 1.5, rail)
	}
	for _, b := range s.brackets {
		if b.last+1 < from || b.first >= to {
			continue
		}
		s.drawBracket(p, b, rowY, from, to)
	}
	for i := from; i < to; i++ { // no line crosses words
		ground := themeColor(theme.ColorNameOverlayBackground)
		if s.rows[i].Key == s.selected {
			mark := themeColor(theme.ColorNameSelection)
			ground = blend(ground, color.NRGBA{mark.R, mark.G, mark.B, 255}, float64(mark.A)/255)
		}
		for _, l := range s.label(s.rows[i]) {
			if l.width > 0 {
				p.box(l.x-2, rowY(i)+l.y+2, l.width+4, l.size+3, ground)
			}
		}
	}
	for i := from; i < to; i++ {
		s.drawArrow(p, s.rows[i], rowY(i)+seqArrow)
	}
}

func (s *Sequence) drawArrow(p pen, a Arrow, y float32) {
	ink := a.Form.ink(a.Bad)
	x0, x1 := s.x(a.From), s.x(a.To)
	along := float32(1)
	if x1 < x0 {
		along = -1
	}
	width, size := float32(2.4), float32(11)
	switch a.Form {
	case ArrowThin, ArrowDashed:
		width, size = 1.3, 9
	}
	x0, x1 = x0+along*3, x1-along*2
	end := x1 - along*size*0.8
	if a.Form == ArrowDashed {
		for x := x0; (end-x)*along > 0; x += along * 9 {
			stop := x + along*5
			if (stop-end)*along > 0 {
				stop = end
			}
			p.line(x, y, stop, y, width, ink)
		}
	} else {
		p.line(x0, y, end, y, width, ink)
	}
	p.head(x1, y, along, size, ink)
	if a.Again {
		p.head(x1-along*size*0.9, y, along, size, ink)
	}
	p.dot(x0, y, width, ink)
}

// drawBracket draws one flow beside its lifeline, away from the hub.
func (s *Sequence) drawBracket(p pen, b bracket, rowY func(int) float32, from, to int) {
	ink := b.form.ink(b.bad)
	away := float32(-1)
	for i, l := range s.lines {
		if l.Hub && i < b.line {
			away = 1
		}
	}
	x := s.x(b.line) + away*(9+seqLane*float32(b.lane))
	width := float32(1.6)
	if b.form == ArrowFour {
		width = 3
	}
	// Far beyond what is seen nothing needs a stroke.
	first, last := max(b.first, from-1), min(b.last, to)
	y0, y1 := rowY(first)+seqArrow, rowY(last)+seqArrow
	p.line(x, y0, x, y1, width, ink)
	if !b.done { // it is not over
		for i := range 3 {
			p.dot(x, y1+9+float32(i)*6, 1.4, ink)
		}
	}
	for _, i := range b.steps {
		if i < first || i > last {
			continue
		}
		y := rowY(i) + seqArrow
		if b.form == ArrowFour {
			p.dot(x, y, 4, ink)
		}
		if b.form == ArrowFour || i == b.first || i == b.last && b.done {
			p.line(x, y, s.x(b.line), y, 1.6, ink)
		}
	}
}

// words writes the texts of the rows from..to; y is where the row 0 begins.
func (s *Sequence) words(p pen, from, to int, y float32) {
	fore, muted := themeColor(theme.ColorNameForeground), themeColor(theme.ColorNamePlaceHolder)
	for i := from; i < to; i++ {
		a := s.rows[i]
		top := y + float32(i)*seqRow
		p.text(a.At.Local().Format("15:04:05.000"), 8, top+seqArrow-9, seqText, false, muted, fyne.TextAlignLeading)
		if i > 0 {
			if gap := between(a.At.Sub(s.rows[i-1].At)); gap != "" {
				p.text(gap, 8, top-4, seqText, true, fore, fyne.TextAlignLeading)
			}
		}
		for _, l := range s.label(a) {
			x := l.x
			for _, w := range l.words {
				p.text(w.text, x, top+l.y, l.size, w.bold, w.ink, fyne.TextAlignLeading)
				x += w.width + seqGap
			}
		}
	}
}

// labelLine is one line of words at an arrow; y counts from the row's top.
type labelLine struct {
	x, y, width, size float32
	words             []word
}

type word struct {
	text  string
	width float32
	bold  bool
	ink   color.NRGBA
}

// label returns the words over and under an arrow.
func (s *Sequence) label(a Arrow) [2]labelLine {
	fore, ink := themeColor(theme.ColorNameForeground), a.Form.ink(a.Bad)
	titleInk := fore
	if a.Bad {
		titleInk = ink
	}
	// Beside an arrow its row is empty, so the words of a short one may be wider.
	left, right := float32(seqTimes), s.Size().Width-12
	middle := (s.x(a.From) + s.x(a.To)) / 2
	span := max(s.x(a.From)-s.x(a.To), s.x(a.To)-s.x(a.From)) - 24
	room := max(span, min(seqWords, right-left))
	line := func(y, size float32, words ...word) labelLine {
		l := labelLine{y: y, size: size, words: words, width: -seqGap}
		for _, w := range words {
			l.width += w.width + seqGap
		}
		l.x = max(left, min(middle-l.width/2, right-l.width))
		return l
	}
	bold := fyne.TextStyle{Bold: true}
	title := newWord(Cut(a.Title, room, seqTitle, bold), seqTitle, true, titleInk)

	var below []word
	add := func(text string, bold bool, ink color.NRGBA) {
		if text != "" {
			below = append(below, newWord(text, seqText, bold, ink))
			room -= below[len(below)-1].width + seqGap
		}
	}
	add(Cut(a.State, room, seqText, bold), true, ink)
	tail := a.Tail
	if textWidth(tail, seqText) > room {
		tail = ""
	}
	rest := textWidth(tail, seqText) + seqGap
	add(cutMiddle(a.Text, room-rest), false, fore)
	add(tail, false, themeColor(theme.ColorNamePlaceHolder))
	return [2]labelLine{line(6, seqTitle, title), line(seqArrow+2, seqText, below...)}
}

func newWord(text string, size float32, bold bool, ink color.NRGBA) word {
	return word{text, fyne.MeasureText(text, size, fyne.TextStyle{Bold: bold}).Width, bold, ink}
}

// cutMiddle returns text, or as much of its beginning and its end as fits
// width with "…" between; "" where that is next to nothing.
func cutMiddle(text string, width float32) string {
	if text == "" || textWidth(text, seqText) <= width {
		return text
	}
	rs := []rune(text)
	for n := min(len(rs)-1, int(width/3)); n >= 4; n-- {
		if s := string(rs[:n/2]) + "…" + string(rs[len(rs)-(n-n/2):]); textWidth(s, seqText) <= width {
			return s
		}
	}
	return ""
}

// between says how much later a row is than the one before; "" is at once.
func between(d time.Duration) string {
	switch {
	case d <= time.Millisecond:
		return ""
	case d < time.Second:
		return lang.L("+{n} ms", "n", d.Milliseconds())
	case d < time.Minute:
		return lang.L("+{n} s", "n", tenths(d.Milliseconds(), 1000))
	}
	return lang.L("+{n} min", "n", int(d.Minutes()))
}

// names writes the lifelines' names, from y on.
func (s *Sequence) names(p pen, y float32) {
	for i, l := range s.lines {
		fill, ink := themeColor(theme.ColorNameButton), themeColor(theme.ColorNameForeground)
		if l.Hub {
			fill, ink = themeColor(theme.ColorNamePrimary), themeColor(theme.ColorNameForegroundOnPrimary)
		}
		title := Cut(l.Title, s.width()-16, seqTitle, fyne.TextStyle{Bold: true})
		w := min(s.width(), max(fyne.MeasureText(title, seqTitle, fyne.TextStyle{Bold: true}).Width+24, 80))
		p.box(s.x(i)-w/2, y+4, w, seqHead-12, fill)
		p.text(title, s.x(i), y+11, seqTitle, true, ink, fyne.TextAlignCenter)
	}
}

// CreateRenderer is part of fyne.Widget.
func (s *Sequence) CreateRenderer() fyne.WidgetRenderer {
	r := &sequenceRenderer{s: s}
	r.Refresh()
	return r
}

// sequenceRenderer draws the names, which do not scroll, over the scroll.
type sequenceRenderer struct {
	s    *Sequence
	pool textPool
}

func (r *sequenceRenderer) Layout(size fyne.Size) {
	r.s.move(func() {
		r.s.scroll.Move(fyne.NewPos(0, seqHead))
		r.s.scroll.Resize(fyne.NewSize(size.Width, max(0, size.Height-seqHead)))
		if r.s.follow {
			r.s.scroll.ScrollToBottom()
		}
	})
	r.Refresh()
	r.s.body.Refresh()
}

func (r *sequenceRenderer) MinSize() fyne.Size { return fyne.NewSize(320, seqHead+2*seqRow) }

func (r *sequenceRenderer) Refresh() {
	r.pool.begin()
	r.s.names(&r.pool, 0)
	r.pool.end()
}

func (r *sequenceRenderer) Objects() []fyne.CanvasObject {
	return append([]fyne.CanvasObject{r.s.scroll}, r.pool.objects()...)
}

func (r *sequenceRenderer) Destroy() {}

// sequenceBody is what scrolls: as high as all rows, with objects only for
// those in view.
type sequenceBody struct {
	fw.BaseWidget
	s *Sequence
}

var _ fyne.Tappable = (*sequenceBody)(nil)

// Tapped is part of fyne.Tappable.
func (b *sequenceBody) Tapped(e *fyne.PointEvent) {
	if i := int(e.Position.Y / seqRow); i < len(b.s.rows) && b.s.OnSelected != nil {
		b.s.OnSelected(b.s.rows[i].Key)
	}
}

// MinSize is part of fyne.CanvasObject.
func (b *sequenceBody) MinSize() fyne.Size {
	return fyne.NewSize(0, float32(len(b.s.rows))*seqRow+seqFoot)
}

// CreateRenderer is part of fyne.Widget.
func (b *sequenceBody) CreateRenderer() fyne.WidgetRenderer {
	r := &bodyRenderer{s: b.s}
	r.raster = canvas.NewRaster(func(w, h int) image.Image { return r.pix.safely(w, h, r.paint) })
	r.raster.ScaleMode = canvas.ImageScalePixels
	r.Refresh()
	return r
}

// bodyRenderer moves one raster and a few texts to what is in view.
type bodyRenderer struct {
	s      *Sequence
	raster *canvas.Raster
	pix    pixels
	stale  bool
	pool   textPool
}

func (r *bodyRenderer) Layout(fyne.Size)   { r.Refresh() }
func (r *bodyRenderer) MinSize() fyne.Size { return r.s.body.MinSize() }
func (r *bodyRenderer) Destroy()           {}

func (r *bodyRenderer) Objects() []fyne.CanvasObject {
	return append([]fyne.CanvasObject{r.raster}, r.pool.objects()...)
}

func (r *bodyRenderer) Refresh() {
	s := r.s
	r.stale = true
	r.raster.Move(fyne.NewPos(0, s.scroll.Offset.Y))
	r.raster.Resize(s.scroll.Size())
	r.raster.Refresh()
	r.pool.begin()
	from, to := s.inView()
	s.words(&r.pool, from, to, 0)
	r.pool.end()
}

// paint draws the arrows in view at w by h pixels.
func (r *bodyRenderer) paint(w, h int) image.Image {
	p := &r.pix
	if !r.stale && p.img != nil && p.img.Rect.Dx() == w && p.img.Rect.Dy() == h {
		return p.img
	}
	r.stale = false
	p.clear(w, h)
	s := r.s
	from, to := s.inView()
	s.strokes(&pixelPen{p, density(w, s.scroll.Size().Width)}, from, to, -s.scroll.Offset.Y, s.scroll.Size().Height)
	return p.img
}

// pixelPen draws strokes into pixels. Texts are not its business.
type pixelPen struct {
	p     *pixels
	scale float32
}

func (d *pixelPen) line(x0, y0, x1, y1, width float32, ink color.NRGBA) {
	k := d.scale
	d.p.line(x0*k, y0*k, x1*k, y1*k, width*k)
	d.p.ink(ink)
}

func (d *pixelPen) dot(x, y, radius float32, ink color.NRGBA) {
	d.p.dot(x*d.scale, y*d.scale, radius*d.scale)
	d.p.ink(ink)
}

func (d *pixelPen) head(x, y, along, size float32, ink color.NRGBA) {
	k := d.scale
	for i := float32(0); i < size*k; i += 0.5 {
		half := i * 0.5
		d.p.line(x*k-along*i, y*k-half, x*k-along*i, y*k+half, 1.6)
	}
	d.p.ink(ink)
}

func (d *pixelPen) box(x, y, w, h float32, ink color.NRGBA) {
	k := d.scale
	d.p.fill(image.Rect(floor(x*k), floor(y*k), floor((x+w)*k), floor((y+h)*k)), ink)
}

func (d *pixelPen) text(string, float32, float32, float32, bool, color.NRGBA, fyne.TextAlign) {}

// textPool shows texts, and boxes under them, with objects that are used again.
// Strokes are not its business.
type textPool struct {
	texts       []*canvas.Text
	boxes       []*canvas.Rectangle
	used, boxed int
}

func (p *textPool) begin() { p.used, p.boxed = 0, 0 }

// end hides what was not used again.
func (p *textPool) end() {
	for _, t := range p.texts[p.used:] {
		t.Hide()
	}
	for _, b := range p.boxes[p.boxed:] {
		b.Hide()
	}
}

func (p *textPool) objects() []fyne.CanvasObject {
	var all []fyne.CanvasObject
	for _, b := range p.boxes {
		all = append(all, b)
	}
	for _, t := range p.texts {
		all = append(all, t)
	}
	return all
}

func (p *textPool) line(float32, float32, float32, float32, float32, color.NRGBA) {}
func (p *textPool) dot(float32, float32, float32, color.NRGBA)                    {}
func (p *textPool) head(float32, float32, float32, float32, color.NRGBA)          {}

func (p *textPool) box(x, y, w, h float32, ink color.NRGBA) {
	if p.boxed == len(p.boxes) {
		b := canvas.NewRectangle(nil)
		b.CornerRadius = 8
		p.boxes = append(p.boxes, b)
	}
	b := p.boxes[p.boxed]
	p.boxed++
	b.Show()
	b.Move(fyne.NewPos(x, y))
	b.Resize(fyne.NewSize(w, h))
	if b.FillColor != color.Color(ink) {
		b.FillColor = ink
		b.Refresh()
	}
}

func (p *textPool) text(text string, x, y, size float32, bold bool, ink color.NRGBA, align fyne.TextAlign) {
	if p.used == len(p.texts) {
		p.texts = append(p.texts, canvas.NewText("", nil))
	}
	t := p.texts[p.used]
	p.used++
	t.Show()
	if t.Text != text || t.Color != color.Color(ink) || t.TextSize != size || t.TextStyle.Bold != bold {
		t.Text, t.Color, t.TextSize, t.TextStyle.Bold = text, ink, size, bold
		t.Resize(t.MinSize())
		t.Refresh()
	}
	switch w := t.MinSize().Width; align {
	case fyne.TextAlignTrailing:
		x -= w
	case fyne.TextAlignCenter:
		x -= w / 2
	}
	t.Move(fyne.NewPos(x, y))
}

// Picture draws the rows in view anew as an image, twice as fine, under a title
// and a line below it.
func (s *Sequence) Picture(title, note string) image.Image {
	heading := canvas.NewText(title, themeColor(theme.ColorNameForeground))
	heading.TextSize, heading.TextStyle.Bold = seqHeading, true
	below := canvas.NewText(note, themeColor(theme.ColorNamePlaceHolder))
	below.TextSize = seqText
	page := s.page()
	size := page.Size() // the canvas makes it small at first
	cv := software.NewCanvas()
	cv.SetPadded(false)
	cv.SetScale(2)
	cv.SetContent(container.NewStack(
		canvas.NewRectangle(themeColor(theme.ColorNameOverlayBackground)),
		container.New(pad{seqPage}, container.NewBorder(container.NewVBox(heading, below), nil, nil, nil, page))))
	words := heading.MinSize().Height + below.MinSize().Height + 2*theme.Padding()
	cv.Resize(size.AddWidthHeight(2*seqPage, 2*seqPage+words))
	return cv.Capture()
}

// page returns a picture of only the rows that are in view now, as large as it must be.
func (s *Sequence) page() *Sequence {
	y := s.scroll.Offset.Y
	from := min(max(int(y/seqRow+0.5), 0), len(s.rows)) // what is seen for the most part
	to := max(from, min(int((y+s.scroll.Size().Height)/seqRow+0.5), len(s.rows)))
	p := NewSequence()
	p.follow, p.selected = false, s.selected
	p.lines, p.rows, p.brackets = s.lines, s.rows[from:to], slices.Clone(s.brackets)
	for i := range p.brackets {
		b := &p.brackets[i]
		b.first, b.last, b.steps = b.first-from, b.last-from, slices.Clone(b.steps)
		for j := range b.steps {
			b.steps[j] -= from
		}
	}
	p.Resize(fyne.NewSize(s.Size().Width, seqHead+float32(to-from)*seqRow+seqFoot))
	return p
}

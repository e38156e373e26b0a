package widget

import (
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"io"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"

	"homeroom/assets/lang"
)

// handshakes is a QoS 2 message that goes on with QoS 1, one of QoS 0, and a
// refused one.
func handshakes() ([]Lifeline, []Arrow) {
	at := func(ms int) time.Time { return time.Date(2026, 3, 14, 12, 0, 0, ms*1e6, time.Local) }
	rows := []Arrow{
		{From: 1, To: 2, At: at(0), Title: "CONNACK", State: "Accepted"},
		{From: 0, To: 1, At: at(12), Title: "PUBLISH #7 · QoS 2", State: "sent", Text: "blue/lab/kit-1/temperature", Tail: "33 B", Form: ArrowFour, Flow: 1},
		{From: 1, To: 0, At: at(14), Title: "PUBREC #7", State: "received", Tail: "4 B", Form: ArrowFour, Flow: 1},
		{From: 1, To: 2, At: at(14), Title: "PUBLISH #1 · QoS 1", State: "sent", Text: "blue/lab/kit-1/temperature", Tail: "33 B", Form: ArrowPair, Flow: 2},
		{From: 0, To: 1, At: at(45), Title: "PUBREL #7", State: "released", Tail: "4 B", Form: ArrowFour, Flow: 1},
		{From: 1, To: 0, At: at(46), Title: "PUBCOMP #7", State: "done", Tail: "4 B", Form: ArrowFour, Flow: 1, Ends: true},
		{From: 1, To: 2, At: at(4200), Title: "PUBLISH #1 · DUP · QoS 1", State: "sent", Text: "blue/lab/kit-1/temperature", Tail: "33 B", Form: ArrowPair, Again: true, Flow: 2},
		{From: 2, To: 1, At: at(4201), Title: "PUBACK #1", State: "done", Tail: "4 B", Form: ArrowPair, Flow: 2, Ends: true},
		{From: 0, To: 1, At: at(4300), Title: "PUBLISH · QoS 0", Text: "salle/température", Tail: "12 B", Form: ArrowThin},
		{From: 0, To: 1, At: at(4400), Title: "PUBLISH #8 · QoS 1", State: "sent", Text: "red/lamp", Tail: "12 B", Form: ArrowPair, Flow: 3},
		{From: 1, To: 0, At: at(4401), Title: "PUBACK #8", State: "Not authorized", Tail: "5 B", Form: ArrowPair, Bad: true, Flow: 3, Ends: true},
		{From: 0, To: 1, At: at(4401), Title: "PUBLISH #9 · QoS 2", State: "sent", Text: "blue/a", Tail: "12 B", Form: ArrowFour, Flow: 4},
	}
	for i := range rows {
		rows[i].Key = uint64(i + 1)
	}
	return []Lifeline{{Title: "kit-1"}, {Title: "Broker", Hub: true}, {Title: "dashboard"}}, rows
}

// sequence returns a picture of the rows, laid out at that size.
func sequence(t testing.TB, lines []Lifeline, rows []Arrow, size fyne.Size) *Sequence {
	s := NewSequence()
	w := test.NewTempWindow(t, s)
	w.SetPadded(false)
	w.Resize(size)
	s.Set(lines, rows)
	return s
}

func TestSequencePictures(t *testing.T) {
	for name, c := range map[string]struct {
		variant fyne.ThemeVariant
		size    fyne.Size
		file    bool
	}{
		"light":  {theme.VariantLight, fyne.NewSize(760, 660), false},
		"dark":   {theme.VariantDark, fyne.NewSize(760, 660), false},
		"narrow": {theme.VariantLight, fyne.NewSize(420, 300), false},
		"file":   {theme.VariantLight, fyne.NewSize(620, 400), true},
	} {
		t.Run(name, func(t *testing.T) {
			variant(t, c.variant)
			lines, rows := handshakes()
			s := sequence(t, lines, rows, c.size)
			s.Select(5)
			var img image.Image
			if c.file {
				img = s.Picture("X-ray: blue/#", "14 Mar 2026, 12:00:00")
			} else {
				img = picture(container.NewStack(canvas.NewRectangle(themeColor(theme.ColorNameOverlayBackground)), s), c.size, 1)
			}
			test.AssertImageMatches(t, "sequence-"+name+".png", img)
		})
	}
}

// many are n rows of QoS 1, with keys from first.
func many(n int, first uint64) []Arrow {
	rows := make([]Arrow, n)
	for i := range rows {
		key := first + uint64(i)
		rows[i] = Arrow{Key: key, From: i % 2, To: 1 - i%2, At: noon.Add(time.Duration(key) * time.Millisecond), Title: fmt.Sprint("PUBLISH #", key),
			Form: ArrowPair, Flow: int(key+1) / 2, Ends: i%2 == 1}
	}
	return rows
}

// TestSequenceDrawsOnlyWhatIsSeen: 500 rows cost no more objects than a screen of them.
func TestSequenceDrawsOnlyWhatIsSeen(t *testing.T) {
	variant(t, theme.VariantLight)
	lines, _ := handshakes()
	s := sequence(t, lines[:2], many(500, 1), fyne.NewSize(600, 520))
	for _, y := range []float32{0, 1e3, 7777, 1e9} {
		s.scroll.ScrollToOffset(fyne.NewPos(0, min(y, s.most())))
		if n := len(test.WidgetRenderer(s.body).Objects()); n > 60 {
			t.Errorf("%d objects at %v", n, y)
		}
	}
	if from, to := s.inView(); to != 500 || to-from > 12 {
		t.Errorf("in view: %d to %d", from, to)
	}
}

func TestSequenceFollows(t *testing.T) {
	variant(t, theme.VariantLight)
	lines, _ := handshakes()
	s := sequence(t, lines[:2], many(100, 1), fyne.NewSize(600, 520))
	var told []bool
	s.OnFollow = func(on bool) { told = append(told, on) }
	end := func() bool { _, to := s.inView(); return to == len(s.rows) }
	if !end() {
		t.Error("it begins at the top")
	}
	s.Set(lines[:2], many(200, 1))
	if !end() || len(told) != 0 {
		t.Errorf("it does not follow, or told %v", told)
	}

	s.scroll.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.NewDelta(0, 4000)}) // a person
	if len(told) != 1 || told[0] || end() {
		t.Fatalf("scrolled up: told %v", told)
	}
	from, _ := s.inView()
	key, within := s.rows[from].Key, s.scroll.Offset.Y-float32(from)*seqRow
	s.Set(lines[:2], many(200, 51)) // fifty came, fifty went
	if from, _ := s.inView(); s.rows[from].Key != key || s.scroll.Offset.Y-float32(from)*seqRow != within {
		t.Errorf("looks at %d, looked at %d", s.rows[from].Key, key)
	}
	s.Set(lines[:2], many(100, 2000)) // all that was seen is gone
	if from, _ := s.inView(); from != 0 {
		t.Errorf("at row %d", from)
	}
	s.scroll.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.NewDelta(0, -40000)})
	if len(told) != 2 || !told[1] {
		t.Errorf("scrolled down: told %v", told)
	}

	s.Follow(false)
	s.Select(2003)
	if from, to := s.inView(); from > 3 || to <= 3 {
		t.Errorf("the chosen row is not in %d to %d", from, to)
	}
	s.Select(1) // is not there
	s.Follow(true)
	if !end() || len(told) != 2 {
		t.Errorf("told %v", told)
	}
	var chosen uint64
	s.OnSelected = func(key uint64) { chosen = key }
	s.body.Tapped(&fyne.PointEvent{Position: fyne.NewPos(5, 10*seqRow+1)})
	if chosen != 2010 {
		t.Errorf("tapped %d", chosen)
	}
	s.body.Tapped(&fyne.PointEvent{Position: fyne.NewPos(5, 1e6)})
	s.Set(nil, nil)
	s.Set(lines[:1], nil)
	picture(s, fyne.NewSize(600, 520), 1)
}

// TestBrackets: two that overlap are never in one lane.
func TestBrackets(t *testing.T) {
	lines := []Lifeline{{Title: "a"}, {Hub: true}, {Title: "b"}}
	rows := []Arrow{
		{From: 0, To: 1, Flow: 1}, {From: 0, To: 1, Flow: 2}, {From: 1, To: 2, Flow: 3}, {From: 1, To: 0, Flow: 1, Ends: true},
		{From: 0, To: 1, Flow: 4}, {From: 1, To: 0, Flow: 2, Ends: true, Bad: true}, {From: 0, To: 1},
	}
	got := ""
	for _, b := range bracketed(lines, rows) {
		got += fmt.Sprintf("%d-%d line %d lane %d done %v bad %v; ", b.first, b.last, b.line, b.lane, b.done, b.bad)
	}
	want := "0-3 line 0 lane 0 done true bad false; 1-5 line 0 lane 1 done true bad true; 2-2 line 2 lane 0 done false bad false; 4-4 line 0 lane 0 done false bad false; "
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBetween(t *testing.T) {
	t.Cleanup(func() { lang.Use(lang.English, "") })
	for d, want := range map[time.Duration]string{
		-time.Second: "", time.Millisecond: "", 12*time.Millisecond + 900*time.Microsecond: "+12 ms", 3240 * time.Millisecond: "+3.2 s", 125 * time.Second: "+2 min",
	} {
		if got := between(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	if lang.Use(lang.French, ""); between(3240*time.Millisecond) != "+3,2 s" {
		t.Errorf("in French %q", between(3240*time.Millisecond))
	}
}

// TestSequenceSVG: whatever clients and topics are called, the file is XML.
func TestSequenceSVG(t *testing.T) {
	variant(t, theme.VariantLight)
	lines, rows := handshakes()
	const hostile = `</text><script>"&'` + "\x00\x1b\xff 거실 é"
	lines[0].Title, rows[1].Text, rows[1].Title, rows[2].State, rows[3].Tail = hostile, hostile, hostile, hostile, hostile
	s := sequence(t, lines, rows, fyne.NewSize(1400, 700))
	data := s.SVG(hostile, "14 March")
	texts, arrows := "", 0
	for d := xml.NewDecoder(strings.NewReader(string(data))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "script" {
				t.Fatal("a title became an element")
			}
			if token.Name.Local == "path" {
				arrows++
			}
		case xml.CharData:
			texts += string(token)
		}
	}
	if arrows != len(rows)+1 || !strings.Contains(texts, "거실 é") || !strings.Contains(texts, "14 March") || !strings.Contains(texts, "PUBCOMP #7") { // DUP has two heads
		t.Errorf("%d heads; texts %q", arrows, texts)
	}
}

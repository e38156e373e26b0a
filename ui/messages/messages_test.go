package messages

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget/widgettest"
)

// open returns the screen in a window, with h loaded.
func open(t *testing.T, h *house) (*Screen, *widgettest.Shell) {
	t.Helper()
	shell := widgettest.New(t)
	s := New(h, h, shell)
	shell.Win.SetContent(s.Content())
	shell.Win.Resize(fyne.NewSize(1100, 720))
	reload(t, s)
	return s, shell
}

func reload(t *testing.T, s *Screen) {
	t.Helper()
	show, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	show()
}

// rowsOf returns what the stream shows, newest first.
func rowsOf(s *Screen) (rows []string) {
	for i := range s.view {
		e := s.view[len(s.view)-1-i]
		rows = append(rows, string(e.Topic)+"="+string(e.Payload))
	}
	return rows
}

func TestEmptyScreenSaysSo(t *testing.T) {
	h := newHouse()
	s, _ := open(t, h)
	if !s.treeEmpty.Visible() || !s.listEmpty.Visible() || !s.inspector.empty.Visible() {
		t.Error("an empty screen does not say what to do")
	}
	h.say("a", "1")
	reload(t, s)
	if s.treeEmpty.Visible() || s.listEmpty.Visible() {
		t.Error("it still says that there is nothing")
	}
	s.search.SetText("nowhere")
	reload(t, s)
	if !s.treeEmpty.Visible() {
		t.Error("a search without a result shows nothing at all")
	}
}

func TestTreeRows(t *testing.T) {
	h := newHouse()
	h.put(core.Message{Topic: "blue/led", Payload: []byte("on\n"), Retain: true})
	h.say("blue/led/x", "1")
	h.say("blue/led/y", "2")
	h.say("/a", "")
	s, _ := open(t, h)
	row := s.rows["blue/led/"]
	if row == nil {
		t.Fatalf("no row for blue/led: the first topics are not unfolded")
	}
	if row.level.full != "led" || row.value.full != "on‹LF›" || row.count.full != "3" || row.pin.Hidden {
		t.Errorf("row = %+v", row.drawn)
	}
	if r := s.rows["blue/"]; r.value.full != "topics: 3" || r.count.full != "3" || !r.pin.Hidden {
		t.Errorf("branch = %+v", r.drawn)
	}
	if r := s.rows["/"]; r.level.full != "(empty)" {
		t.Errorf("empty level = %+v", r.drawn)
	}
	if r := s.rows["/a/"]; r.value.full != "(empty)" {
		t.Errorf("empty payload = %+v", r.drawn)
	}
	h.say("blue/led", "off")
	reload(t, s)
	if row = s.rows["blue/led/"]; row.value.full != "off" || row.count.full != "4" {
		t.Errorf("after a change: %+v", row.drawn)
	}
}

func TestHeatFades(t *testing.T) {
	now := time.Now()
	last := 9
	for age := time.Duration(0); age <= 2*glow; age += 100 * time.Millisecond {
		n := heat(now.Add(-age), now)
		if n > last || age == 0 && n != 8 || age >= glow && n != 0 {
			t.Errorf("after %v: %d", age, n)
		}
		last = n
	}
	if heat(now.Add(time.Hour), now) != 0 || heat(time.Time{}, now) != 0 {
		t.Error("the future or never is marked as new")
	}
}

func TestStreamFollowsTreeAndFilter(t *testing.T) {
	h := newHouse()
	for i := range 4 {
		h.say(fmt.Sprintf("blue/kit-%d/led", i%2), fmt.Sprint(i))
	}
	s, _ := open(t, h)
	if got := strings.Join(rowsOf(s), " "); got != "blue/kit-1/led=3 blue/kit-0/led=2 blue/kit-1/led=1 blue/kit-0/led=0" {
		t.Errorf("stream = %s", got)
	}
	s.tree.Select("blue/kit-1/")
	reload(t, s)
	if got := strings.Join(rowsOf(s), " "); got != "blue/kit-1/led=3 blue/kit-1/led=1" || !s.everything.Visible() {
		t.Errorf("of kit-1: %s", got)
	}
	test.Tap(s.everything)
	reload(t, s)
	if len(s.view) != 4 || s.everything.Visible() {
		t.Errorf("all: %v", rowsOf(s))
	}
	test.Type(s.filter, "+/kit-0/#")
	reload(t, s)
	if got := strings.Join(rowsOf(s), " "); got != "blue/kit-0/led=2 blue/kit-0/led=0" {
		t.Errorf("filtered: %s", got)
	}
	s.filter.SetText("blue/#/led")
	reload(t, s)
	if !s.filterError.Visible() || !strings.Contains(s.filterError.Text, "last level") || len(s.view) != 2 {
		t.Errorf("a bad filter says %q and shows %v", s.filterError.Text, rowsOf(s))
	}
	s.filter.SetText("")
	reload(t, s)
	if s.filterError.Visible() || len(s.view) != 4 {
		t.Error("without a filter not everything is back")
	}
	s.search.SetText("KIT-1")
	reload(t, s)
	if len(s.view) != 2 || s.rows["blue/kit-1/led/"] == nil {
		t.Errorf("searched: %v", rowsOf(s))
	}
}

func TestSYSIsHiddenUnlessAsked(t *testing.T) {
	h := newHouse()
	h.say("$SYS/up", "1")
	s, _ := open(t, h)
	if len(s.view) != 0 || !s.treeEmpty.Visible() {
		t.Error("$SYS shows")
	}
	test.Tap(s.system)
	reload(t, s)
	if len(s.view) != 1 || s.treeEmpty.Visible() {
		t.Error("$SYS does not show when asked for")
	}
}

func TestPauseAndClear(t *testing.T) {
	h := newHouse()
	h.say("a", "1")
	s, _ := open(t, h)
	test.Tap(s.pause)
	for range 3 {
		h.say("b/c", "2")
	}
	reload(t, s)
	if got := rowsOf(s); len(got) != 1 || got[0] != "a=1" {
		t.Errorf("paused, it shows %v", got)
	}
	if s.arrived.Text != "arrived meanwhile: 3" || !s.arrived.Visible() {
		t.Errorf("it says %q", s.arrived.Text)
	}
	s.search.SetText("b/")
	reload(t, s)
	if len(s.view) != 0 {
		t.Errorf("searched while paused: %v", rowsOf(s))
	}
	s.search.SetText("")
	test.Tap(s.pause)
	reload(t, s)
	if len(s.view) != 4 || s.arrived.Visible() {
		t.Errorf("continued: %v", rowsOf(s))
	}
	test.Tap(s.clearStream)
	reload(t, s)
	if len(s.view) != 0 || !s.listEmpty.Visible() {
		t.Errorf("cleared: %v", rowsOf(s))
	}
	h.say("a", "9")
	reload(t, s)
	if got := rowsOf(s); len(got) != 1 || got[0] != "a=9" {
		t.Errorf("after clearing: %v", got)
	}
}

func TestScrolledStreamStays(t *testing.T) {
	h := newHouse()
	for i := range 200 {
		h.say("a", fmt.Sprint(i))
	}
	s, _ := open(t, h)
	s.list.ScrollToOffset(1000)
	for i := range 5 {
		h.say("a", fmt.Sprint(200+i))
	}
	before := s.list.GetScrollOffset()
	reload(t, s)
	height := newStreamRow().MinSize().Height + s.list.Theme().Size("padding")
	if got := s.list.GetScrollOffset(); got != before+5*height {
		t.Errorf("scrolled from %v to %v, want 5 rows of %v", before, got, height)
	}
}

func TestInspectorForms(t *testing.T) {
	h := newHouse()
	h.put(core.Message{Topic: "a/json", Payload: []byte(`{"t":21.5}`), QoS: 1, Retain: true, Client: "kit-7", At: time.Date(2026, 3, 1, 9, 5, 4, 7e6, time.Local)})
	h.say("a/text", "줄 1\n\x1b[0m")
	h.say("a/bin", "\x00\xff")
	h.say("a/none", "")
	s, _ := open(t, h)
	i := s.inspector
	for _, c := range []struct {
		topic, body string
		now         form
	}{
		{"a/json", "{\n  \"t\": 21.5\n}", asJSON},
		{"a/text", "줄 1\n‹ESC›[0m", asText},
		{"a/bin", "0000  00 ff                    |..|", asHex},
		{"a/none", "(empty)", asText},
	} {
		s.tree.Select(uid(topic.Name(c.topic)))
		reload(t, s)
		if i.body.text != c.body || i.now != c.now {
			t.Errorf("%s shows as %s\n%q, want\n%q", c.topic, i.now, i.body.text, c.body)
		}
	}
	if !i.forms[asJSON].Disabled() {
		t.Error("JSON can be chosen for an empty payload")
	}
	s.tree.Select("a/json/")
	reload(t, s)
	if i.facts.Text != "09:05:04.007 · 10 B · QoS 1 · retained · from kit-7" {
		t.Errorf("facts = %q", i.facts.Text)
	}
	test.Tap(i.forms[asHex])
	if !strings.HasPrefix(i.body.text, "0000  7b 22 74") {
		t.Errorf("hex = %q", i.body.text)
	}
	test.Tap(i.forms[asText])
	if i.body.text != `{"t":21.5}` {
		t.Errorf("text = %q", i.body.text)
	}
	clipboard := fyne.CurrentApp().Clipboard()
	if test.Tap(i.copyPayload); clipboard.Content() != `{"t":21.5}` {
		t.Errorf("copied %q", clipboard.Content())
	}
	if test.Tap(i.copyTopic); clipboard.Content() != "a/json" {
		t.Errorf("copied %q", clipboard.Content())
	}
	// The topic lives: a new message shows at once.
	h.say("a/json", "new")
	reload(t, s)
	if i.body.text != "new" {
		t.Errorf("after a new message: %q", i.body.text)
	}
	// A message of the stream stays what it is.
	test.Tap(s.everything)
	reload(t, s)
	s.list.Select(2)
	h.say("a/bin", "later")
	reload(t, s)
	if i.body.text != "‹NUL›‹0xFF›" || i.name.Text != "a/bin" {
		t.Errorf("the third of the stream is %s: %q", i.name.Text, i.body.text)
	}
	s.tree.Select("a/")
	reload(t, s)
	if i.name.Text != "a" || i.copyPayload.Visible() || i.facts.Text != "topics: 4 · messages: 6" {
		t.Errorf("a branch: %q, %q", i.name.Text, i.facts.Text)
	}
}

func TestLargePayload(t *testing.T) {
	h := newHouse()
	big := strings.Repeat("한글 text ", 80_000) // 1 MB
	h.say("big", big)
	s, _ := open(t, h)
	s.list.Select(0)
	i := s.inspector
	if len(i.body.text) > shownBytes || !i.note.Visible() || !strings.HasPrefix(big, i.body.text) {
		t.Errorf("%d bytes shown, note %q", len(i.body.text), i.note.Text)
	}
	if test.Tap(i.copyPayload); fyne.CurrentApp().Clipboard().Content() != big {
		t.Error("not all of it was copied")
	}
	test.Tap(i.use)
	if s.publisher.payload.Text != "" {
		t.Error("a payload of 1 MB was put into the entry")
	}
}

func TestClearRetainedAndUndo(t *testing.T) {
	h := newHouse()
	h.put(core.Message{Topic: "lamp", Payload: []byte("on"), QoS: 1, Retain: true})
	h.say("lamp", "off")
	s, shell := open(t, h)
	s.tree.Select("lamp/")
	reload(t, s)
	i := s.inspector
	if !i.keptLine.Visible() || !strings.HasSuffix(i.kept.Text, "on") {
		t.Fatalf("retained: %q", i.kept.Text)
	}
	test.Tap(i.clearRetained)
	reload(t, s)
	if len(h.kept) != 0 || i.keptLine.Visible() {
		t.Error("it was not cleared")
	}
	if m := h.sent[0]; !m.Retain || len(m.Payload) != 0 || m.QoS != 1 {
		t.Errorf("sent %+v", m)
	}
	if err := shell.Undo(context.Background()); err != nil {
		t.Fatal(err)
	}
	reload(t, s)
	reload(t, s)
	if m := h.kept["lamp"]; string(m.Payload) != "on" || m.QoS != 1 || !i.keptLine.Visible() {
		t.Errorf("after undo the broker keeps %+v", m)
	}
	h.deny = core.Fail(core.ErrDenied, "no")
	test.Tap(i.clearRetained)
	if shell.Err == nil || len(h.kept) != 1 || !i.keptLine.Visible() {
		t.Error("a refusal was not shown")
	}
}

func TestPublish(t *testing.T) {
	h := newHouse()
	s, shell := open(t, h)
	p := s.publisher
	if !p.publish.Disabled() {
		t.Error("it can be published without a topic")
	}
	test.Type(p.topic, "blue/+")
	if !p.publish.Disabled() || !strings.Contains(p.hint.Text, "+") {
		t.Errorf("blue/+: %q", p.hint.Text)
	}
	p.send()
	if len(h.sent) != 0 {
		t.Fatal("a filter was published to")
	}
	p.topic.SetText("blue//x")
	if p.publish.Disabled() || !strings.Contains(p.hint.Text, "empty level") {
		t.Errorf("blue//x: %q", p.hint.Text)
	}
	p.topic.SetText("blue/불/set")
	test.Type(p.payload, "on\n둘")
	p.qos.SetSelected("2")
	test.Tap(p.retain)
	test.Tap(p.publish)
	if m := h.sent[0]; m.Topic != "blue/불/set" || string(m.Payload) != "on\n둘" || m.QoS != 2 || !m.Retain || m.Client != "window" {
		t.Errorf("sent %+v", m)
	}
	if !strings.HasPrefix(p.result.Text, "Delivered") {
		t.Errorf("result = %q", p.result.Text)
	}
	p.payload.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyReturn, Modifier: fyne.KeyModifierShortcutDefault})
	if len(h.sent) != 2 || len(p.past) != 1 {
		t.Errorf("Ctrl+Enter: sent %d, remembered %d", len(h.sent), len(p.past))
	}
	h.deny = core.Fail(core.ErrDenied, "{who} may not publish to {topic}: …", "who", "ana", "topic", "red/x")
	p.topic.SetText("red/x")
	test.Tap(p.publish)
	if p.result.Text != "Refused: ana may not publish to red/x: …" || shell.Err != nil {
		t.Errorf("result = %q", p.result.Text)
	}
}

func TestPublishAgain(t *testing.T) {
	h := newHouse()
	s, shell := open(t, h)
	p := s.publisher
	for i := range remembered + 5 {
		p.topic.SetText(fmt.Sprintf("t/%d", i))
		p.payload.SetText("x")
		p.send()
	}
	menu := p.pastMenu()
	if len(menu.Items) != remembered || !strings.HasPrefix(menu.Items[0].Label, "t/24 ") {
		t.Fatalf("%d remembered, first %q", len(menu.Items), menu.Items[0].Label)
	}
	menu.Items[3].Action()
	if p.topic.Text != "t/21" {
		t.Errorf("filled with %q", p.topic.Text)
	}
	test.Tap(p.recent)
	if shell.Win.Canvas().Overlays().Top() == nil {
		t.Error("the menu does not open")
	}
}

func TestUseThisMessage(t *testing.T) {
	h := newHouse()
	h.put(core.Message{Topic: "a", Payload: []byte("안녕\n2"), QoS: 1, Retain: true})
	h.say("bin", "\xff")
	s, shell := open(t, h)
	s.list.Select(1)
	test.Tap(s.inspector.use)
	if m, ok := s.publisher.message(); !ok || m.Topic != "a" || string(m.Payload) != "안녕\n2" || m.QoS != 1 || !m.Retain {
		t.Errorf("filled with %+v", m)
	}
	s.list.Select(0)
	test.Tap(s.inspector.use)
	if s.publisher.topic.Text != "a" || len(shell.Told) == 0 {
		t.Error("bytes that are no text were put into the entry")
	}
}

// TestShowUnderFlood draws the screen many times while it is flooded: what is
// held stays bounded, and only rows that can be seen exist.
func TestShowUnderFlood(t *testing.T) {
	h := newHouse()
	s, _ := open(t, h)
	for frame := range 200 {
		for i := range 500 {
			h.say(fmt.Sprintf("flood/%d/value", (frame*500+i)%2000), fmt.Sprint(i))
		}
		reload(t, s)
		if frame == 20 {
			s.tree.OpenAllBranches()
		}
	}
	if len(s.view) != maxStream || len(s.rows) > 300 {
		t.Errorf("%d messages, %d rows for what is to be seen", len(s.view), len(s.rows))
	}
	if s.title.Text != "topics: 2000 · messages: 100000" {
		t.Errorf("title = %q", s.title.Text)
	}
}

func TestRowsLook(t *testing.T) {
	test.NewTempApp(t)
	at := time.Date(2026, 3, 1, 9, 5, 4, 7e6, time.Local)
	r := newStreamRow()
	r.Resize(fyne.NewSize(640, r.MinSize().Height))
	r.show(entry{seq: 1, Message: core.Message{Topic: "blue/lab/kit-1/temperature/of/a/very/long/topic/name", Payload: []byte("21.5\n\x00"), QoS: 2, Retain: true, Client: "kit-1", At: at}}, true)
	test.AssertObjectRendersToImage(t, "stream.png", r)
	n := newTreeRow()
	n.Resize(fyne.NewSize(320, n.MinSize().Height))
	n.show(&node{level: "temperature", here: true, retained: true, topics: 1, count: 12345, state: core.TopicState{Last: core.Message{Payload: []byte("21.5 and much more than fits")}}, fresh: at}, at)
	test.AssertObjectRendersToImage(t, "tree.png", n)
}

// TestOldMessages: a topic whose messages the stream has no more is not one
// that has never spoken.
func TestOldMessages(t *testing.T) {
	h := newHouse()
	h.put(core.Message{Topic: "old", Payload: []byte("1"), Retain: true})
	h.size = 1
	h.say("other", "pushes it out")
	s, _ := open(t, h)
	s.tree.Select("old/")
	reload(t, s)
	if !s.listOld.Visible() || s.listEmpty.Visible() {
		t.Error("it says that messages appear as they arrive, of a topic that has one")
	}
	h.say("old", "2")
	reload(t, s)
	if s.listOld.Visible() || s.listEmpty.Visible() {
		t.Error("it says that there is nothing newer, and there is")
	}
	test.Tap(s.clearStream)
	reload(t, s)
	if s.listOld.Visible() || !s.listEmpty.Visible() {
		t.Error("what was cleared away counts as old")
	}
}

// TestChoosingMovesNothing: what a choice shows may not widen what stands
// beside the tree.
func TestChoosingMovesNothing(t *testing.T) {
	h := newHouse()
	h.say("a/b", `{"t":1}`)
	s, _ := open(t, h)
	before := s.content.MinSize().Width
	s.tree.Select("a/b/")
	reload(t, s)
	if after := s.content.MinSize().Width; after > max(before, 640) {
		t.Errorf("the screen needs %v, and %v with a topic chosen", before, after)
	}
}

func TestDumpFits(t *testing.T) {
	for room, want := range map[float32]int{80: 16, 78: 16, 60: 8, 50: 8, 41: 8, 40: 4, 10: 4} {
		if got := perRow(room); got != want {
			t.Errorf("in %v characters: %d bytes a row, want %d", room, got, want)
		}
	}
	if got, want := dump([]byte("Homeroom?\x00"), 8), "0000  48 6f 6d 65 72 6f 6f 6d  |Homeroom|\n0008  3f 00                    |?.|"; got != want {
		t.Errorf("dump\n%s\nwant\n%s", got, want)
	}
}

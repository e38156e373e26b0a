package xray

import (
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget/widgettest"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// house is a Broker in memory.
type house struct {
	clients []core.Client
	watch   core.Watch
	packets []core.Packet
	n       uint64
	lost    uint64 // packets that are no longer kept
}

func (h *house) Clients() []core.Client { return slices.Clone(h.clients) }
func (h *house) Watching() core.Watch   { return h.watch }

func (h *house) Watch(w core.Watch) {
	if h.watch = w; w != (core.Watch{}) {
		h.packets = nil
	}
}

func (h *house) Packets(after uint64) (ps []core.Packet, missed uint64) {
	for _, p := range h.packets {
		if p.N > after {
			ps = append(ps, p)
		}
	}
	missed, h.lost = h.lost, 0
	return ps, missed
}

// pass lets packets pass, each 5 ms after the one before.
func (h *house) pass(ps ...core.Packet) {
	for _, p := range ps {
		h.n++
		p.N, p.At = h.n, noon.Add(time.Duration(5*h.n)*time.Millisecond)
		if p.Size == 0 {
			p.Size = 20
		}
		h.packets = append(h.packets, p)
	}
}

// exactlyOnce are the packets of a QoS 2 message that client publishes.
func exactlyOnce(client string, id uint16, topic string) []core.Packet {
	return []core.Packet{
		{Client: client, In: true, Type: "PUBLISH", QoS: 2, ID: id, Topic: topic, Payload: []byte("21.5"), State: "sent"},
		{Client: client, Type: "PUBREC", QoS: 2, ID: id, State: "received"},
		{Client: client, In: true, Type: "PUBREL", QoS: 2, ID: id, State: "released"},
		{Client: client, Type: "PUBCOMP", QoS: 2, ID: id, State: "done"},
	}
}

// visit opens the screen in a window.
func visit(t testing.TB, h *house) (*Screen, *widgettest.Shell) {
	shell := widgettest.New(t)
	s := New(h, shell)
	shell.Win.SetContent(s.Content())
	shell.Win.Resize(fyne.NewSize(1100, 760))
	load(t, s)
	return s, shell
}

func load(t testing.TB, s *Screen) {
	t.Helper()
	show, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	show()
}

func press(s *Screen, keys ...fyne.KeyName) {
	for _, k := range keys {
		s.TypedKey(&fyne.KeyEvent{Name: k})
	}
}

func TestEmptyScreenSaysWhatToDo(t *testing.T) {
	h := &house{}
	s, shell := visit(t, h)
	is := func(what string, want ...fyne.CanvasObject) {
		t.Helper()
		for _, o := range []fyne.CanvasObject{s.emptyStart, s.emptyAlone, s.emptyWait, s.diagram} {
			if o.Visible() != slices.Contains(want, o) {
				t.Errorf("%s: the wrong hint", what)
			}
		}
	}
	is("nobody", s.emptyAlone)
	h.clients = []core.Client{{ID: "kit-1", Connected: true, Protocol: "3.1.1"}}
	load(t, s)
	is("not started", s.emptyStart)
	if !s.detail.empty.Visible() || !s.pause.Disabled() || !s.save.Disabled() {
		t.Error("there is something to do with nothing")
	}
	s.chooser.list.Select(0)
	test.Tap(s.chooser.begin)
	load(t, s)
	is("waits", s.emptyWait)
	h.pass(core.Packet{Client: "kit-1", In: true, Type: "PINGREQ"})
	load(t, s)
	is("a packet", s.diagram)
	_ = shell
}

func TestChoose(t *testing.T) {
	h := &house{clients: []core.Client{
		{ID: "kit-10", Connected: true, Protocol: "5", Filters: []string{"blue/#"}}, {ID: "aaa"},
		{ID: "kit-2", Connected: true, Protocol: "3.1.1", Filters: []string{"$share/g/blue/#", "+/lamp"}},
	}}
	s, _ := visit(t, h)
	c := s.chooser
	rows := func() (got []string) {
		for _, r := range c.rows {
			got = append(got, r.text+" "+r.note)
		}
		return got
	}
	if got := strings.Join(rows(), ", "); got != "kit-2 MQTT 3.1.1, kit-10 MQTT 5, aaa not connected" {
		t.Errorf("clients: %s", got)
	}
	if !c.begin.Disabled() {
		t.Error("nothing is chosen, but it can start")
	}
	c.search.SetText("KIT-1")
	if got := strings.Join(rows(), ", "); got != "kit-10 MQTT 5, KIT-1 not connected" {
		t.Errorf("search: %s", got)
	}
	c.list.Select(1)
	c.begin.OnTapped()
	if h.watch != (core.Watch{Client: "KIT-1"}) {
		t.Errorf("watches %+v", h.watch)
	}
	load(t, s)
	if !c.begin.Disabled() || c.end.Disabled() || s.title.Text != "Recording KIT-1" {
		t.Errorf("start %v, stop %v, %q", !c.begin.Disabled(), !c.end.Disabled(), s.title.Text)
	}

	c.byTopic.OnTapped()
	if got := strings.Join(rows(), ", "); got != "+/lamp subscribers: 1, blue/# subscribers: 2" {
		t.Errorf("topics: %s", got)
	}
	c.search.SetText("a/#/b")
	if !c.problem.Visible() || !c.begin.Disabled() {
		t.Error("a wrong filter can be watched")
	}
	c.search.SetText("blue/")
	c.list.Select(0)
	if c.search.Text != "blue/#" || c.problem.Visible() {
		t.Errorf("took %q", c.search.Text)
	}
	c.search.OnSubmitted("")
	if h.watch != (core.Watch{Filter: "blue/#"}) {
		t.Errorf("watches %+v", h.watch)
	}
	c.byClient.OnTapped()
	if c.search.Text != "KIT-1" {
		t.Errorf("what was typed is gone: %q", c.search.Text)
	}
	load(t, s)
	c.end.OnTapped()
	if h.watch != (core.Watch{}) || !c.end.Disabled() || s.title.Text != "Stopped: blue/#" {
		t.Errorf("stopped: %+v, %q", h.watch, s.title.Text)
	}
}

// TestAnotherScreenTakesOver: in another language the window makes its screens anew; what is recorded goes on.
func TestAnotherScreenTakesOver(t *testing.T) {
	h := &house{watch: core.Watch{Client: "kit"}}
	h.pass(exactlyOnce("kit", 7, "a")...)
	s, _ := visit(t, h)
	if s.title.Text != "Recording kit" || len(s.shown.packets) != 4 || s.chooser.end.Disabled() {
		t.Errorf("%q, %d packets", s.title.Text, len(s.shown.packets))
	}
}

// drawn describes the arrows of a state: from>to title [flow] state.
func drawn(s state) (got []string) {
	lines, rows := picture(s)
	for _, r := range rows {
		text := fmt.Sprintf("%s>%s %s", lines[r.From].Title, lines[r.To].Title, r.Title)
		if r.Flow > 0 {
			text += fmt.Sprintf(" [%d]", r.Flow)
		}
		if r.State != "" {
			text += " " + r.State
		}
		got = append(got, text)
	}
	return got
}

func TestFlows(t *testing.T) {
	h := &house{watch: core.Watch{Filter: "a"}}
	h.pass(exactlyOnce("pub", 7, "a")[:2]...)
	h.pass(
		core.Packet{Client: "sub", Type: "PUBLISH", QoS: 1, ID: 7, Topic: "a", State: "sent"},
		core.Packet{Client: "sub", Type: "PUBLISH", QoS: 1, ID: 7, Topic: "a", Dup: true, Retain: true, State: "sent"},
		core.Packet{Client: "sub", In: true, Type: "PUBACK", QoS: 1, ID: 7, State: "done"},
	)
	h.pass(exactlyOnce("pub", 7, "a")[2:]...)
	h.pass(
		core.Packet{Client: "pub", In: true, Type: "PUBLISH", QoS: 1, ID: 7, Topic: "a", State: "sent"},
		core.Packet{Client: "pub", Type: "PUBACK", QoS: 1, ID: 7, Reason: 0x87, State: "done"},
		core.Packet{Client: "pub", In: true, Type: "PUBLISH", Topic: "#3"},
		core.Packet{Client: "sub", Type: "SUBACK", ID: 2, Reason: 1},
		core.Packet{Client: "sub", In: true, Type: "PUBACK", QoS: 1, ID: 9, State: "done"},
		core.Packet{Client: "pub", Type: "CONNACK", Reason: 4},
	)
	s, _ := visit(t, h)
	want := []string{
		"pub>Broker PUBLISH #7 · QoS 2 [1] sent",
		"Broker>pub PUBREC #7 [1] received",
		"Broker>sub PUBLISH #7 · QoS 1 [2] sent",
		"Broker>sub PUBLISH #7 · DUP · QoS 1 · retained [2] sent",
		"sub>Broker PUBACK #7 [2] done",
		"pub>Broker PUBREL #7 [1] released",
		"Broker>pub PUBCOMP #7 [1] done",
		"pub>Broker PUBLISH #7 · QoS 1 [3] sent",
		"Broker>pub PUBACK #7 [3] Not authorized",
		"pub>Broker PUBLISH · QoS 0",
		"Broker>sub SUBACK #2 granted QoS 1",
		"sub>Broker PUBACK #9 [4] done", // its PUBLISH was not seen
		"Broker>pub CONNACK Bad user name or password",
	}
	if got := drawn(s.shown); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	_, rows := picture(s.shown)
	if !rows[8].Bad || rows[7].Bad || !rows[12].Bad || !rows[3].Again || rows[9].Text != "topic alias 3" {
		t.Errorf("%+v", rows)
	}
}

func TestLifelines(t *testing.T) {
	of := func(publishers, subscribers int) string {
		s := state{of: core.Watch{Filter: "a"}}
		for i := range publishers {
			s.parties = append(s.parties, party{fmt.Sprint("p", i+1), true})
		}
		for i := range subscribers {
			s.parties = append(s.parties, party{fmt.Sprint("s", i+1), false})
		}
		s.packets = []core.Packet{{Client: "p9", In: true, Type: "PUBLISH", Topic: "a"}}
		lines, rows := picture(s)
		var names []string
		for _, l := range lines {
			names = append(names, l.Title)
		}
		if len(lines) > maxLines || rows[0].From >= len(lines) || rows[0].To >= len(lines) {
			t.Errorf("%d lifelines, %+v", len(lines), rows[0])
		}
		return strings.Join(names, " ")
	}
	for _, c := range []struct {
		publishers, subscribers int
		want                    string
	}{
		{1, 1, "p1 Broker s1"},
		{3, 2, "p1 p2 p3 Broker s1 s2"},
		{1, 20, "p1 Broker s1 s2 s3 and 17 more"},
		{20, 1, "p1 p2 p3 Broker s1 and 17 more"},
		{20, 20, "p1 p2 Broker s1 s2 and 36 more"},
		{20, 0, "p1 p2 p3 p4 Broker and 16 more"},
	} {
		if got := of(c.publishers, c.subscribers); got != c.want {
			t.Errorf("%d and %d: %s, want %s", c.publishers, c.subscribers, got, c.want)
		}
	}
}

func TestPauseStepFollow(t *testing.T) {
	h := &house{watch: core.Watch{Client: "kit"}}
	h.pass(exactlyOnce("kit", 7, "blue/temperature")...)
	s, _ := visit(t, h)
	if s.pause.Disabled() || !s.live.Disabled() || s.count.Text != "packets: 4" {
		t.Errorf("live: %q", s.count.Text)
	}
	press(s, fyne.KeySpace)
	h.pass(exactlyOnce("kit", 8, "blue/temperature")...)
	load(t, s)
	if len(s.shown.packets) != 4 || s.count.Text != "arrived meanwhile: 4" || s.pause.Text != "Continue" || s.live.Disabled() {
		t.Errorf("paused: %d, %q, %q", len(s.shown.packets), s.count.Text, s.pause.Text)
	}
	press(s, fyne.KeySpace)
	if len(s.shown.packets) != 8 || s.count.Text != "packets: 8" || s.pause.Text != "Pause" {
		t.Errorf("goes on: %d, %q", len(s.shown.packets), s.count.Text)
	}

	press(s, fyne.KeyLeft)
	if s.selected != 8 || s.frozen == nil || !s.detail.page.Visible() || s.detail.title.Text != "PUBCOMP #8" {
		t.Errorf("stepped to %d, %q", s.selected, s.detail.title.Text)
	}
	press(s, fyne.KeyUp, fyne.KeyUp)
	if s.selected != 6 || !strings.HasPrefix(s.detail.next.Text, "PUBREL #8 from kit") {
		t.Errorf("at %d, next is %q", s.selected, s.detail.next.Text)
	}
	press(s, fyne.KeyHome)
	if s.selected != 1 || s.detail.payload.Text != "21.5" || s.detail.topic.Text != "blue/temperature" {
		t.Errorf("at %d: %q %q", s.selected, s.detail.payload.Text, s.detail.topic.Text)
	}
	press(s, fyne.KeyLeft)
	if s.selected != 1 {
		t.Errorf("before the first: %d", s.selected)
	}
	press(s, fyne.KeyRight)
	if s.selected != 2 {
		t.Errorf("at %d", s.selected)
	}
	if !s.Back() || s.selected != 0 || s.detail.page.Visible() || s.Back() {
		t.Error("Esc does not let go of the packet")
	}
	if press(s, fyne.KeyHome); s.selected != 1 {
		t.Errorf("the first is %d", s.selected)
	}
	press(s, fyne.KeyEnd)
	if s.frozen != nil || !s.follow || !s.live.Disabled() {
		t.Error("it does not follow again")
	}
	h.pass(exactlyOnce("kit", 9, "x")...)
	load(t, s)
	if len(s.shown.packets) != 12 {
		t.Errorf("%d packets", len(s.shown.packets))
	}

	test.Tap(s.clearAll)
	load(t, s)
	if len(s.shown.packets) != 0 || !s.emptyWait.Visible() {
		t.Errorf("cleared: %d", len(s.shown.packets))
	}
	h.pass(core.Packet{Client: "kit", In: true, Type: "PINGREQ"})
	load(t, s)
	if len(s.shown.packets) != 1 || s.count.Text != "packets: 1" {
		t.Errorf("after: %d, %q", len(s.shown.packets), s.count.Text)
	}
	press(s, "F2", fyne.KeyEscape) // nothing to do with
}

func TestOnlyTheNewestAreKept(t *testing.T) {
	h := &house{watch: core.Watch{Client: "kit"}}
	s, _ := visit(t, h)
	for range 20 {
		for range 100 {
			h.pass(core.Packet{Client: "kit", In: true, Type: "PUBLISH", Topic: "a"})
		}
		h.lost = 10
		load(t, s)
		h.packets = nil
	}
	if n := len(s.shown.packets); n != maxRows || s.shown.packets[n-1].N != 2000 || s.count.Text != "the newest 500 of 2,200 packets" {
		t.Errorf("%d packets, %q", n, s.count.Text)
	}
	old := s.shown.packets
	h.pass(core.Packet{Client: "kit", In: true, Type: "PINGREQ"})
	s.choose(old[0].N)
	load(t, s)
	if s.shown.packets[len(s.shown.packets)-1].Type != "PINGREQ" || old[len(old)-1].Type != "PUBLISH" {
		t.Error("packets that are shown were changed")
	}
	s.step(+1) // the chosen one is gone
}

// TestEveryPacketIsExplained in each language, whatever its fields.
func TestEveryPacketIsExplained(t *testing.T) {
	t.Cleanup(func() { lang.Use(lang.English, "") })
	for _, l := range lang.All() {
		lang.Use(l, "")
		for _, kind := range []string{"CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK",
			"UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"} {
			for i := range 512 {
				p := core.Packet{Client: "kit", Type: kind, QoS: byte(i % 4), In: i < 256, Reason: byte(i), ID: 7, Dup: true, Retain: true, Topic: "a"}
				means, next := explain(p)
				all := strings.Join(append(remarks(p), means, next, outcome(p), reason(p)), " ")
				if means == "" || next == "" || strings.ContainsAny(all, "{}") {
					t.Fatalf("%s: %+v: %q", l, p, all)
				}
			}
		}
	}
}

func TestPayloadShown(t *testing.T) {
	test.NewTempApp(t)
	for in, want := range map[string]string{
		"": "(empty)", "21.5\x00": "21.5‹NUL›", "\xff\x01": "ff 01", "거실": "거실",
		strings.Repeat("x", 256):           strings.Repeat("x", 256) + "…",
		strings.Repeat("x", 255) + "\xea":  strings.Repeat("x", 255) + "…", // cut within a character
		strings.Repeat("\xff", 256)[:0x02]: "ff ff",
	} {
		if got := payload(core.Packet{Payload: []byte(in)}); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestSavePicture(t *testing.T) {
	h := &house{watch: core.Watch{Filter: "거실/#"}}
	h.pass(exactlyOnce("kit", 7, "거실/<온도> & \x01")...)
	s, shell := visit(t, h)
	save := func(write func(io.Writer) error) string {
		t.Helper()
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	svg := save(s.svg())
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	_, note := s.caption()
	for _, want := range []string{">X-ray of 거실/#<", "거실/&lt;온도&gt; &amp; ‹SOH›", ">" + note + "<", ">PUBREL #7<", ">Broker<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the SVG lacks %s", want)
		}
	}
	img, err := png.Decode(strings.NewReader(save(s.png())))
	if err != nil || img.Bounds().Dx() < 1000 || img.Bounds().Dy() < 400 {
		t.Errorf("PNG: %v, %v", img.Bounds(), err)
	}
	s.saveMenu()
	if shell.Win.Canvas().Overlays().Top() == nil {
		t.Error("no menu")
	}
	s.saveAs(".svg", s.svg())
	want := "X-ray of 거실-# " + strings.ReplaceAll(note, ":", "") + ".svg"
	if !slices.ContainsFunc(test.LaidOutObjects(shell.Win.Canvas().Overlays().Top()), func(o fyne.CanvasObject) bool {
		e, ok := o.(*fw.Entry)
		return ok && e.Text == want
	}) {
		t.Errorf("%s is not suggested", want)
	}
}

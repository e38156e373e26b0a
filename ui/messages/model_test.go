package messages

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// house is a broker and a history in memory: a ring of messages and the newest
// of each topic.
type house struct {
	mu    sync.Mutex
	ring  []core.Message
	first uint64 // position before ring[0]
	size  int    // of the ring
	state map[topic.Name]core.TopicState
	at    map[topic.Name]uint64
	kept  map[topic.Name]core.Message
	asked int // how often everything retained was asked for
	deny  error
	sent  []core.Message
}

func newHouse() *house {
	return &house{size: 10_000, state: map[topic.Name]core.TopicState{}, at: map[topic.Name]uint64{}, kept: map[topic.Name]core.Message{}}
}

func (h *house) put(m core.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.At.IsZero() {
		m.At = time.Now()
	}
	h.ring = append(h.ring, m)
	if over := len(h.ring) - h.size; over > 0 {
		h.ring, h.first = h.ring[over:], h.first+uint64(over)
	}
	h.state[m.Topic] = core.TopicState{Last: m, Size: len(m.Payload), Count: h.state[m.Topic].Count + 1}
	h.at[m.Topic] = h.first + uint64(len(h.ring))
	if m.Retain {
		if delete(h.kept, m.Topic); len(m.Payload) > 0 {
			h.kept[m.Topic] = m
		}
	}
}

func (h *house) say(topicName, payload string) {
	h.put(core.Message{Topic: topic.Name(topicName), Payload: []byte(payload), Client: "kit-1"})
}

func (h *house) Topics(since uint64) (rows []core.TopicState, now uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n, at := range h.at {
		if at > since {
			rows = append(rows, h.state[n])
		}
	}
	return rows, h.first + uint64(len(h.ring))
}

func (h *house) Messages(after uint64, limit int) (ms []core.Message, next, lost uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if after < h.first {
		after, lost = h.first, h.first-after
	}
	ms = h.ring[after-h.first:]
	ms = slices.Clone(ms[:min(len(ms), limit)])
	return ms, after + uint64(len(ms)), lost
}

func (h *house) Publish(_ context.Context, m core.Message) error {
	if h.deny != nil {
		return h.deny
	}
	h.sent = append(h.sent, m)
	h.put(m)
	return nil
}

func (h *house) Retained(f topic.Filter, limit int) (ms []core.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f == "#" {
		h.asked++
	}
	for n, m := range h.kept {
		if f.Match(n) && len(ms) < limit {
			ms = append(ms, m)
		}
	}
	return ms
}

// outline is the tree as text: levels indented, topics with their value.
func outline(m *model) string {
	var b strings.Builder
	var walk func(id string, depth int)
	walk = func(id string, depth int) {
		for _, k := range m.children(id) {
			n := m.tree.nodes[k]
			fmt.Fprintf(&b, "%s%q", strings.Repeat(" ", depth), n.level)
			if n.here {
				fmt.Fprintf(&b, "=%s", n.state.Last.Payload)
			}
			if n.retained {
				b.WriteString("*")
			}
			if m.branch(k) {
				fmt.Fprintf(&b, " %d/%d", n.topics, n.count)
			}
			b.WriteString("\n")
			if m.branch(k) {
				walk(k, depth+1)
			}
		}
	}
	walk(root, 0)
	return b.String()
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTree(t *testing.T) {
	h, m := newHouse(), newModel()
	h.put(core.Message{Topic: "blue/kit-10/led", Payload: []byte("on"), Retain: true})
	for _, s := range []string{"blue/kit-2/led", "blue/kit-2", "a", "a/", "/a", "/a//b", "학교/온도", "$SYS/uptime", "a"} {
		h.say(s, "1")
	}
	m.load(h, h)
	want := `"" 2/2
 "a"=1 2/2
  "" 1/1
   "b"=1
"a"=1 2/3
 ""=1
"blue" 3/3
 "kit-2"=1 2/2
  "led"=1
 "kit-10" 1/1
  "led"=on*
"학교" 1/1
 "온도"=1
`
	same(t, outline(m), want)

	m.rescope(func(s *scope) { s.system = true })
	if got := outline(m); !strings.HasPrefix(got, "\"\" 2/2\n") || !strings.Contains(got, "\"$SYS\" 1/1\n \"uptime\"=1\n") {
		t.Errorf("with $SYS:\n%s", got)
	}
	m.rescope(func(s *scope) { s.system, s.search = false, "온" })
	same(t, outline(m), "\"학교\" 1/1\n \"온도\"=1\n")
	m.rescope(func(s *scope) { s.search = "kit-2/l" })
	same(t, outline(m), "\"blue\" 3/3\n \"kit-2\"=1 2/2\n  \"led\"=1\n")
	m.rescope(func(s *scope) { s.search, s.filter = "", "blue/+" })
	same(t, outline(m), "\"blue\" 3/3\n \"kit-2\"=1\n")
	m.rescope(func(s *scope) { s.filter = "$SYS/#" })
	same(t, outline(m), "\"$SYS\" 1/1\n \"uptime\"=1\n")

	// What arrives while a filter is set is shown only where it matches.
	m.rescope(func(s *scope) { s.filter = "+/new" })
	h.say("x/new", "2")
	h.say("x/old", "3")
	m.load(h, h)
	same(t, outline(m), "\"x\" 2/2\n \"new\"=2\n")
	m.rescope(func(s *scope) { s.filter = "" })
	if got := outline(m); !strings.HasPrefix(got, want[:20]) || !strings.Contains(got, "\"old\"=3") {
		t.Errorf("without a filter:\n%s", got)
	}
}

func TestTreeForgetsTheQuiet(t *testing.T) {
	tr := newTree(func(topic.Name) bool { return true })
	began := time.Unix(1_700_000_000, 0)
	for i := range 2*maxTopics + 7 {
		tr.put(core.TopicState{Last: core.Message{Topic: topic.Name(fmt.Sprintf("a/%d/b", i)), At: began.Add(time.Duration(i) * time.Second)}, Count: 2})
		tr.put(core.TopicState{Last: core.Message{Topic: "busy", At: began.Add(time.Duration(i) * time.Second)}, Count: uint64(i)})
	}
	r := tr.nodes[root]
	if r.topics > maxTopics || r.topics < maxTopics*8/10 {
		t.Errorf("topics = %d, want nearly %d", r.topics, maxTopics)
	}
	if n := len(tr.nodes); n > 2*r.topics+3 {
		t.Errorf("%d nodes for %d topics: empty ones stay", n, r.topics)
	}
	if tr.nodes["busy/"] == nil || tr.nodes[uid(topic.Name(fmt.Sprintf("a/%d/b", 2*maxTopics+6)))] == nil || tr.nodes["a/0/"] != nil {
		t.Error("the wrong topics were forgotten")
	}
	if want := uint64(2*(r.topics-1)) + uint64(2*maxTopics+6); r.count != want {
		t.Errorf("messages = %d, want %d", r.count, want)
	}
	if r.hits != r.topics || len(tr.children("a/")) != r.topics-1 {
		t.Errorf("hits = %d, children = %d, topics = %d", r.hits, len(tr.children("a/")), r.topics)
	}
}

// TestFlood sends more messages than anybody can read through the model.
func TestFlood(t *testing.T) {
	h, m := newHouse(), newModel()
	h.say("start", "1")
	m.load(h, h)
	const messages = 100_000
	for i := range messages {
		h.put(core.Message{Topic: topic.Name(fmt.Sprintf("flood/%d", i%2000)), Payload: bytes.Repeat([]byte("x"), 100)})
		if i%500 == 0 {
			m.load(h, h)
		}
	}
	m.load(h, h)
	stream, came, _ := m.snapshot()
	if len(stream) != maxStream || came != messages+1 {
		t.Errorf("stream = %d, came = %d", len(stream), came)
	}
	topics, shown, count := m.totals()
	if topics != 2001 || shown != 2001 || count != messages+1 {
		t.Errorf("topics = %d, shown = %d, messages = %d", topics, shown, count)
	}
	for i, e := range stream {
		if e.missed > 0 || i > 0 && e.seq != stream[i-1].seq+1 {
			t.Fatalf("entry %d: %+v after %d", i, e.seq, stream[i-1].seq)
		}
	}
	if h.asked != 1 {
		t.Errorf("asked %d times for everything retained", h.asked)
	}
}

func TestStreamSaysWhatWentBy(t *testing.T) {
	h, m := newHouse(), newModel()
	h.size = 100
	h.say("a", "first")
	m.load(h, h)
	for i := range 250 {
		h.say("a", fmt.Sprint(i))
	}
	m.load(h, h)
	stream, came, _ := m.snapshot()
	if len(stream) != 102 || came != 101 {
		t.Fatalf("stream = %d, came = %d", len(stream), came)
	}
	if e := stream[1]; e.missed != 150 {
		t.Errorf("missed = %d, want 150", e.missed)
	}
	if got := string(stream[2].Payload); got != "150" {
		t.Errorf("after the hole comes %q", got)
	}
	// Looking again with another filter is no hole.
	m.rescope(func(s *scope) { s.filter = "a" })
	m.load(h, h)
	if stream, _, _ := m.snapshot(); len(stream) != 100 || stream[0].missed != 0 {
		t.Errorf("with a filter: %d, missed %d", len(stream), stream[0].missed)
	}
}

func TestStreamIsBoundedInBytes(t *testing.T) {
	h, m := newHouse(), newModel()
	for range 40 {
		h.put(core.Message{Topic: "big", Payload: make([]byte, 1<<20)})
		m.load(h, h)
	}
	if stream, _, _ := m.snapshot(); len(stream) != maxBytes>>20 {
		t.Errorf("%d messages of 1 MiB", len(stream))
	}
	h.put(core.Message{Topic: "big", Payload: make([]byte, 2*maxBytes)})
	m.load(h, h)
	if stream, _, _ := m.snapshot(); len(stream) != 1 {
		t.Errorf("%d messages beside a very large one", len(stream))
	}
}

func TestScopeReadsTheStreamAnew(t *testing.T) {
	h, m := newHouse(), newModel()
	for i := range 30 {
		h.say(fmt.Sprintf("blue/kit-%d", i%3), fmt.Sprint(i))
	}
	h.say("blues", "x")
	m.load(h, h)
	m.rescope(func(s *scope) { s.under = "blue/kit-1/" })
	m.load(h, h)
	stream, came, _ := m.snapshot()
	if len(stream) != 10 || string(stream[9].Payload) != "28" {
		t.Errorf("kit-1 has %d messages", len(stream))
	}
	if came != 31 {
		t.Errorf("looking again counts as %d messages", came)
	}
	m.rescope(func(s *scope) { s.under = "blue/" })
	m.load(h, h)
	if stream, _, _ := m.snapshot(); len(stream) != 30 {
		t.Errorf("blue has %d messages", len(stream))
	}
	m.clear()
	m.rescope(func(s *scope) { s.under = root })
	h.say("after", "1")
	m.load(h, h)
	if stream, _, _ := m.snapshot(); len(stream) != 1 || stream[0].Topic != "after" {
		t.Errorf("after clearing: %d messages", len(stream))
	}
}

func TestRetainedMarks(t *testing.T) {
	h, m := newHouse(), newModel()
	h.kept["old"] = core.Message{Topic: "old", Payload: []byte("before the restart"), Retain: true}
	m.load(h, h)
	same(t, outline(m), "\"old\"=before the restart*\n")
	h.put(core.Message{Topic: "old", Retain: true})
	h.say("old", "plain")
	h.put(core.Message{Topic: "new", Payload: []byte("1"), Retain: true})
	h.say("new", "2") // hides the mark of the one before in Topics
	m.load(h, h)
	same(t, outline(m), "\"new\"=2*\n\"old\"=plain\n")
}

func TestVisible(t *testing.T) {
	for _, c := range []struct {
		in, line, text string
	}{
		{"21.5", "21.5", "21.5"},
		{"스물하나 é", "스물하나 é", "스물하나 é"},
		{"a\nb\tc\x00\x1b[31m\x7f", "a‹LF›b‹TAB›c‹NUL›‹ESC›[31m‹DEL›", "a\nb    c‹NUL›‹ESC›[31m‹DEL›"},
		{"\xff\xfeok", "‹0xFF›‹0xFE›ok", "‹0xFF›‹0xFE›ok"},
		{"a\u202eb\u200b", "a‹U+202E›b‹U+200B›", "a‹U+202E›b‹U+200B›"},
		{"<b>no</b>", "<b>no</b>", "<b>no</b>"},
	} {
		if got := widget.Visible(c.in, false); got != c.line {
			t.Errorf("%q on a line = %q, want %q", c.in, got, c.line)
		}
		if got := widget.Visible(c.in, true); got != c.text {
			t.Errorf("%q = %q, want %q", c.in, got, c.text)
		}
	}
	if got := brief([]byte(strings.Repeat("é", 1<<20))); len(got) > 260 || !strings.HasSuffix(got, "é…") {
		t.Errorf("brief of 2 MB has %d bytes and ends %q", len(got), got[len(got)-8:])
	}
}

func FuzzVisible(f *testing.F) {
	f.Add([]byte("a\x00\xff\u202e"), 2)
	f.Fuzz(func(t *testing.T, p []byte, n int) {
		if s := widget.Visible(string(p), false); strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x202e }) {
			t.Errorf("%q shows as %q", p, s)
		}
		if n = max(4, min(n, 1000)); len(cut(p, n)) > n || !bytes.HasPrefix(p, cut(p, n)) {
			t.Errorf("cut(%q, %d) = %q", p, n, cut(p, n))
		}
		if b, ok := indented(p); ok && !bytes.ContainsAny(b, "{[") {
			t.Errorf("%q is JSON: %q", p, b)
		}
	})
}

func TestIndented(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1,"ㅎ":[true]}`: "{\n  \"a\": 1,\n  \"ㅎ\": [\n    true\n  ]\n}",
		`21.5`:               "", `"x"`: "", `{"a":`: "", ``: "", `  `: "",
	} {
		if got, ok := indented([]byte(in)); string(got) != want || ok != (want != "") {
			t.Errorf("%s = %q, %v", in, got, ok)
		}
	}
	if _, ok := indented(append(bytes.Repeat([]byte(" "), maxJSON), '{', '}')); ok {
		t.Error("a payload over the bound was read as JSON")
	}
}

func TestExplain(t *testing.T) {
	for name, says := range map[string]string{
		"a/b": "", "": "Write a topic", "a/+": "+", "a/#": "#", strings.Repeat("x", topic.MaxLen+1): "1025",
		strings.Repeat("/", topic.MaxLevels): "levels", "a\x00b": "character",
	} {
		if got := explainName(name); (says == "") != (got == "") || !strings.Contains(got, says) {
			t.Errorf("%.20q: %q, want %q", name, got, says)
		}
	}
	for filter, says := range map[string]string{
		"blue/+/x/#": "", "$share/g/a": "", "a/#/b": "last level", "a#": "write a/#", "blue/kit+/led": "“kit+”", "$share/g": "$share/group/filter",
		"blue/x#/c": "last", "": "Write a topic",
	} {
		if filter == "blue/x#/c" {
			says = "write blue/x/#"
		}
		if got := explainFilter(filter); (says == "") != (got == "") || !strings.Contains(got, says) {
			t.Errorf("%q: %q, want %q", filter, got, says)
		}
	}
	for name, says := range map[string]string{"a/b": "", "/a": "empty level", "a//b": "empty level", "a ": "space", "$SYS/x": "broker"} {
		if got := warnName(name); (says == "") != (got == "") || !strings.Contains(got, says) {
			t.Errorf("%q: %q, want %q", name, got, says)
		}
	}
}

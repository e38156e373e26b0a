package rooms

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"

	"homeroom/core"
	"homeroom/ui/widget"
	"homeroom/ui/widget/widgettest"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// house is a History and Teams in memory.
type house struct {
	rows      map[core.Series]core.Live
	at        map[core.Series]uint64
	seq       uint64
	teams     []core.Team
	asked     []string // traces
	err       error
	described core.Description
	forgotten core.Series
	calling   []core.AlarmState
	design    *core.Design
}

func newHouse() *house {
	h := &house{design: &core.Design{}, rows: map[core.Series]core.Live{}, at: map[core.Series]uint64{},
		teams: []core.Team{{Name: "blue", Label: "Team Blue"}, {Name: "green", Label: "초록 팀"}}}
	for _, s := range []core.Series{
		"blue/lab/kit-1/temperature", "blue/lab/kit-2/temperature", "blue/lab/kit-10/temperature", "blue/lab/kit-1/lamp/set", "blue/lab/kit-1/$state",
		"green/lab/kit-1/temperature", "green/hall/kit-7/humidity", "blue/state_led", "state_led", "elsewhere/room/kit/x",
	} {
		h.number(s, 20, noon)
	}
	return h
}

func (h *house) put(s core.Series, r core.Reading) {
	row := h.rows[s]
	row.Series, row.Newest = s, r
	row.Spark = append(slices.Clone(row.Spark), r)
	h.rows[s] = row
	h.seq++
	h.at[s] = h.seq
}

func (h *house) number(s core.Series, v float64, at time.Time) {
	h.put(s, core.Reading{At: at, Kind: core.Number, Value: v})
}

func (h *house) Live(since uint64) ([]core.Live, uint64) {
	var rows []core.Live
	for s, r := range h.rows {
		if h.at[s] > since {
			rows = append(rows, r)
		}
	}
	return rows, h.seq
}

func (h *house) Trace(_ context.Context, s core.Series, from, to time.Time, _ int) (core.Trace, error) {
	if h.err != nil {
		return core.Trace{}, h.err
	}
	h.asked = append(h.asked, string(s))
	t := core.Trace{Series: s, Kind: h.rows[s].Newest.Kind, Step: time.Second}
	for _, r := range h.rows[s].Spark {
		if !r.At.Before(from) && r.At.Before(to) {
			t.Spans = append(t.Spans, core.Span{First: r.At, Last: r.At, Min: r.Value, Max: r.Value, Sum: r.Value, N: 1, End: r.Value})
		}
	}
	return t, nil
}

func (h *house) Describe(_ context.Context, s core.Series, d core.Description) error {
	h.described = d
	return h.err
}

func (h *house) Forget(_ context.Context, s core.Series) error {
	h.forgotten = s
	return h.err
}

func (h *house) States() []core.AlarmState { return h.calling }

func (h *house) Design() *core.Design { return h.design }

func (h *house) Teams() []core.Team { return slices.Clone(h.teams) }

// visit opens the screen on h in a window.
func visit(t testing.TB, h *house) (*Screen, *widgettest.Shell) {
	shell := widgettest.New(t)
	s := New(h, h, h, h, shell)
	s.now = func() time.Time { return noon }
	shell.Win.SetContent(s.Content())
	shell.Win.Resize(fyne.NewSize(1100, 900))
	load(t, s)
	return s, shell
}

// load does what the shell does.
func load(t testing.TB, s *Screen) {
	t.Helper()
	show, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	show()
}

// later moves the screen's clock.
func later(s *Screen, d time.Duration) {
	now := s.now().Add(d)
	s.now = func() time.Time { return now }
}

// outline writes the sections that are shown.
func outline(s *Screen) string {
	var b strings.Builder
	for _, sec := range s.grid.sections {
		fmt.Fprintf(&b, "[%s|%s]", sec.title, sec.team)
		for _, e := range sec.entries {
			fmt.Fprintf(&b, " %s", e.Series)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// shown returns the card of a series that is in view.
func shown(t testing.TB, s *Screen, series core.Series) *card {
	t.Helper()
	c := s.grid.cards[s.model.entries[series]]
	if c == nil {
		t.Fatalf("no card of %s is in view", series)
	}
	return c
}

func TestRoomsOfTheHouse(t *testing.T) {
	s, _ := visit(t, newHouse())
	want := `[Team Blue|] blue/state_led
[lab|Team Blue] blue/lab/kit-1/temperature blue/lab/kit-2/temperature blue/lab/kit-10/temperature
[hall|초록 팀] green/hall/kit-7/humidity
[lab|초록 팀] green/lab/kit-1/temperature
[room|elsewhere] elsewhere/room/kit/x
[Topics without a room|] state_led
`
	if got := outline(s); got != want {
		t.Errorf("shown:\n%swant:\n%s", got, want)
	}
}

func TestSearchAndFilter(t *testing.T) {
	s, _ := visit(t, newHouse())
	for _, c := range []struct {
		search string
		team   int
		all    bool
		want   int
	}{
		{"", 0, false, 8},
		{"TEMP lab", 0, false, 4},
		{"초록", 0, false, 2},
		{"kit-10", 0, false, 1},
		{"no such thing", 0, false, 0},
		{"", 1, false, 4},
		{"", 2, false, 2},
		{"", 3, false, 2},
		{"", 0, true, 10},
		{"$state", 1, true, 1},
	} {
		s.choice.all = c.all
		s.team.SetSelectedIndex(c.team)
		s.search.SetText(c.search)
		s.regroup()
		n := 0
		for _, sec := range s.grid.sections {
			n += len(sec.entries)
		}
		if n != c.want {
			t.Errorf("%+v: %d shown:\n%s", c, n, outline(s))
		}
		if empty := len(s.empty.Objects) > 0; empty != (c.want == 0) {
			t.Errorf("%+v: says it is empty: %v", c, empty)
		}
	}
}

func TestTeamsThatChangeKeepTheChoice(t *testing.T) {
	h := newHouse()
	s, _ := visit(t, h)
	s.team.SetSelectedIndex(2)
	h.teams = []core.Team{{Name: "amber"}, {Name: "blue"}, {Name: "green", Label: "Vert"}}
	later(s, time.Second)
	load(t, s)
	if s.team.Selected != "Vert" || s.choice.team != "green" {
		t.Errorf("chosen %q, %q", s.team.Selected, s.choice.team)
	}
	h.teams = h.teams[:2]
	later(s, time.Second)
	load(t, s)
	if s.team.SelectedIndex() != 0 || s.choice.team != anyTeam {
		t.Errorf("chosen %q, %q after the team left", s.team.Selected, s.choice.team)
	}
}

func TestCardShowsAndUpdates(t *testing.T) {
	h := newHouse()
	h.number("blue/lab/kit-1/temperature", 21.456, noon.Add(-3*time.Second))
	s, _ := visit(t, h)
	c := shown(t, s, "blue/lab/kit-1/temperature")
	if got := []string{c.name.Text, c.kit.Text, c.value.Text, c.unit.Text, c.age.Text, c.path.Text}; !slices.Equal(got,
		[]string{"temperature", "kit-1", "21.46", "°C", "3 s ago", "blue/lab/kit-1/temperature"}) {
		t.Errorf("card = %q", got)
	}
	h.number("blue/lab/kit-1/temperature", 22, noon)
	load(t, s)
	if c.value.Text != "22" || c.age.Text != "now" {
		t.Errorf("after an update: %q, %q", c.value.Text, c.age.Text)
	}
	ink := c.value.Color
	later(s, time.Hour)
	load(t, s)
	if c.age.Text != "60 min ago" || c.value.Color == ink {
		t.Errorf("an hour later: %q, faded %v", c.age.Text, c.value.Color != ink)
	}

	h.put("blue/state_led", core.Reading{At: s.now(), Kind: core.Boolean, Value: 1})
	h.put("state_led", core.Reading{At: s.now(), Kind: core.Text, Text: "two\nlines"})
	load(t, s)
	if c := shown(t, s, "blue/state_led"); c.value.Text != "On" || c.dot.Hidden {
		t.Errorf("boolean: %q, dot hidden %v", c.value.Text, c.dot.Hidden)
	}
	s.search.SetText("state_led")
	if c := shown(t, s, "state_led"); c.value.Text != "two lines" || !c.dot.Hidden {
		t.Errorf("text: %q, dot hidden %v", c.value.Text, c.dot.Hidden)
	}
}

func TestZeroAndOneAreASwitch(t *testing.T) {
	h := newHouse()
	delete(h.rows, "blue/state_led")
	for i := range 4 {
		h.number("blue/state_led", float64(i%2), noon.Add(time.Duration(i-3)*time.Second))
		h.number("blue/lab/kit-2/temperature", float64(i%2), noon.Add(time.Duration(i-3)*time.Second))
	}
	s, _ := visit(t, h)
	if c := shown(t, s, "blue/state_led"); c.value.Text != "On" {
		t.Errorf("state_led = %q", c.value.Text)
	}
	if c := shown(t, s, "blue/lab/kit-2/temperature"); c.value.Text != "1" || c.unit.Text != "°C" {
		t.Errorf("a temperature = %q %q", c.value.Text, c.unit.Text)
	}
	if tr := s.model.entries["blue/state_led"].draws(core.Trace{Kind: core.Number, Spans: []core.Span{{Max: 1, N: 2, Sum: 1}}}); tr.Kind != core.Boolean {
		t.Error("state_led is drawn as a line")
	}
	if tr := s.model.entries["blue/state_led"].draws(core.Trace{Kind: core.Number, Spans: []core.Span{{Max: 7, N: 2, Sum: 7}}}); tr.Kind != core.Number {
		t.Error("what was once 7 is drawn as a state")
	}
}

// TestWordsAreALamp: a topic whose words for on and off are in the design, or are
// "on" and "off", is shown as the lamp that it is.
func TestWordsAreALamp(t *testing.T) {
	h := newHouse()
	say := func(s core.Series, word string) { h.put(s, core.Reading{At: noon, Kind: core.Text, Text: word}) }
	say("blue/lab/kit-1/door", "Auf")
	say("blue/lab/kit-1/lamp", "OFF")
	say("blue/lab/kit-1/note", "Auf")
	say("blue/lab/kit-1/valve", "open")
	say("blue/lab/kit-1/report#door", "Auf")
	h.number("blue/lab/kit-1/relay", 1, noon)
	h.put("blue/lab/kit-1/led", core.Reading{At: noon, Kind: core.Boolean, Value: 1})
	h.design = &core.Design{Topics: []*core.Topic{
		{Name: "blue/lab/kit-1/door", Kind: core.Boolean, Options: []string{"Auf", "Zu"}},
		{Name: "blue/lab/kit-1/led", Kind: core.Boolean, Options: []string{"bright", "dark"}},
		{Name: "blue/lab/kit-1/relay", Kind: core.Boolean},
		{Name: "blue/lab/kit-1/report", Kind: core.JSON},
		{Name: "blue/lab/kit-1/valve", Kind: core.Boolean},
	}}
	s, _ := visit(t, h)
	s.search.SetText("kit-1")
	look := func(when string, want map[core.Series]string) {
		t.Helper()
		for series, says := range want {
			c, on := shown(t, s, series), theme.Color(theme.ColorNameSuccess)
			lamp := map[bool]string{true: "lit ", false: "dark "}[c.dot.FillColor == on]
			if c.dot.Hidden {
				lamp = ""
			}
			if got := lamp + c.value.Text; got != says {
				t.Errorf("%s: %s is %q, want %q", when, series, got, says)
			}
		}
	}
	look("words", map[core.Series]string{"blue/lab/kit-1/door": "lit Auf", "blue/lab/kit-1/lamp": "dark Off", "blue/lab/kit-1/note": "Auf", "blue/lab/kit-1/valve": "lit On",
		"blue/lab/kit-1/report#door": "Auf", "blue/lab/kit-1/relay": "lit On", "blue/lab/kit-1/led": "lit bright"})
	say("blue/lab/kit-1/door", " zu\n")
	say("blue/lab/kit-1/lamp", "On")
	say("blue/lab/kit-1/valve", "stuck")
	h.number("blue/lab/kit-1/relay", 7, noon)
	later(s, time.Second)
	load(t, s)
	look("other words", map[core.Series]string{"blue/lab/kit-1/door": "dark Zu", "blue/lab/kit-1/lamp": "lit On", "blue/lab/kit-1/valve": "stuck", "blue/lab/kit-1/relay": "7"})
	s.open("blue/lab/kit-1/door")
	if got := s.detail.value.Text; got != "Zu" {
		t.Errorf("the chart's head says %q", got)
	}
	s.Back()
	h.design = &core.Design{Topics: []*core.Topic{{Name: "blue/lab/kit-1/door", Kind: core.Text}, {Name: "blue/lab/kit-1/note", Kind: core.Boolean, Options: []string{"Zu", "Auf"}}}}
	later(s, time.Second)
	load(t, s)
	look("another design", map[core.Series]string{"blue/lab/kit-1/door": "zu", "blue/lab/kit-1/note": "dark Auf", "blue/lab/kit-1/led": "lit On"})
}

func TestOnlyCardsInViewExist(t *testing.T) {
	h := newHouse()
	for i := range 2000 {
		h.number(core.Series(fmt.Sprintf("flood/room-%d/kit/value-%d", i%50, i)), float64(i), noon)
	}
	s, _ := visit(t, h)
	if n := len(s.grid.cards); n == 0 || n > 50 {
		t.Errorf("%d cards for 2,010 values", n)
	}
	before := len(s.grid.cards)
	for y := float32(0); y < s.grid.height; y += 500 {
		s.grid.scroll.ScrollToOffset(fyne.NewPos(0, y))
	}
	s.grid.place()
	if n := len(s.grid.cards) + len(s.grid.spare); n > 2*before+20 {
		t.Errorf("%d cards after scrolling through", n)
	}
	last := s.grid.sections[len(s.grid.sections)-1].entries
	if s.grid.cards[last[len(last)-1]] == nil {
		t.Error("the last value is not in view at the end")
	}
	for _, c := range s.grid.cards {
		if c.name.Text != c.e.title() {
			t.Errorf("a card says %q for %s", c.name.Text, c.e.Series)
		}
	}
}

func TestOpenFollowAndBack(t *testing.T) {
	h := newHouse()
	s, shell := visit(t, h)
	shown(t, s, "blue/lab/kit-1/temperature").Tapped(nil)
	if !s.detail.page.Visible() || s.overview.Visible() || shell.Reloads == 0 {
		t.Fatal("the chart is not open")
	}
	load(t, s)
	if want := []string{"blue/lab/kit-1/temperature"}; !slices.Equal(h.asked, want) {
		t.Fatalf("asked for %q, want %q", h.asked, want)
	}
	if s.detail.title.Text != "temperature" || s.detail.value.Text != "20 °C" {
		t.Errorf("header: %q %q", s.detail.title.Text, s.detail.value.Text)
	}
	load(t, s)
	h.number("green/lab/kit-1/temperature", 3, noon)
	load(t, s)
	if len(h.asked) != 1 {
		t.Errorf("asked again for nothing: %q", h.asked)
	}
	// It changes ten times a second; it is asked for four times.
	for i := range 20 {
		later(s, 100*time.Millisecond)
		h.number("blue/lab/kit-1/temperature", float64(i), s.now())
		load(t, s)
	}
	if n := len(h.asked) - 1; n < 5 || n > 8 {
		t.Errorf("asked %d times in two seconds", n)
	}
	if v := s.detail.chart.View(); !v.Follow || !v.To.Equal(s.now()) {
		t.Errorf("does not follow: %+v at %v", v, s.now())
	}
	later(s, time.Second)
	load(t, s) // the last change, held back so far
	n := len(h.asked)
	later(s, time.Second)
	load(t, s)
	if len(h.asked) != n {
		t.Error("asked though nothing changed")
	}
	// Far in the past nothing new matters.
	s.detail.chart.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
	for range 10 {
		s.detail.chart.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
	}
	load(t, s)
	n = len(h.asked)
	later(s, time.Second)
	h.number("blue/lab/kit-1/temperature", 5, s.now())
	load(t, s)
	if len(h.asked) != n {
		t.Error("asked for the past again because of the present")
	}
	s.detail.chart.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if s.detail.page.Visible() || !s.overview.Visible() || s.Back() {
		t.Error("Esc did not go back")
	}
	n = len(h.asked)
	h.number("blue/lab/kit-1/temperature", 6, s.now())
	load(t, s)
	if len(h.asked) != n {
		t.Error("asked for a chart that is closed")
	}
}

func TestRangesAndLive(t *testing.T) {
	s, _ := visit(t, newHouse())
	s.Open("blue/lab/kit-1/temperature")
	for i, want := range ranges {
		test.Tap(s.detail.ranges[i])
		if v := s.detail.chart.View(); v.Length() != want || !v.Follow {
			t.Errorf("range %d: %v, follow %v", i, v.Length(), v.Follow)
		}
	}
	s.detail.chart.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
	if s.detail.chart.View().Follow {
		t.Error("follows in the past")
	}
	test.Tap(s.detail.live)
	if v := s.detail.chart.View(); !v.Follow || v.Length() != ranges[len(ranges)-1] {
		t.Errorf("live: %+v", v)
	}
}

func TestFailedTraceLosesNothing(t *testing.T) {
	h := newHouse()
	s, _ := visit(t, h)
	s.Open("blue/lab/kit-1/temperature")
	h.err = errors.New("the disk is gone")
	h.number("blue/lab/kit-2/temperature", 99, noon)
	if _, err := s.Load(t.Context()); err == nil {
		t.Fatal("the failure is not told")
	}
	h.err = nil
	load(t, s)
	if v := s.model.entries["blue/lab/kit-2/temperature"].Newest.Value; v != 99 {
		t.Errorf("a row read by the failed load is lost: %v", v)
	}
	if len(h.asked) != 1 {
		t.Errorf("the trace was not asked for again: %q", h.asked)
	}
}

func TestCompare(t *testing.T) {
	h := newHouse()
	s, _ := visit(t, h)
	s.Open("blue/lab/kit-1/temperature")
	p := newPicker(s.detail)
	if got := p.all[1].Series; got != "green/lab/kit-1/temperature" {
		t.Errorf("first offered: %s", got)
	}
	test.Tap(p.teams)
	p.find("hall")
	if len(p.found) != 1 {
		t.Fatalf("found %d", len(p.found))
	}
	p.toggle(p.found[0].Series)
	p.apply()
	load(t, s)
	want := []core.Series{"blue/lab/kit-1/temperature", "green/lab/kit-1/temperature", "green/hall/kit-7/humidity"}
	if !slices.Equal(s.detail.series, want) {
		t.Errorf("compares %q", s.detail.series)
	}
	colors := map[int]bool{}
	for _, c := range s.detail.colors {
		colors[c] = true
	}
	if len(colors) != 3 {
		t.Errorf("colours: %v", s.detail.colors)
	}
	blue, green := s.model.entries[want[0]], s.model.entries[want[1]]
	if got := s.model.among(blue, []*entry{blue, green}); got != "temperature · Team Blue" {
		t.Errorf("named %q", got)
	}
	s.detail.remove(want[0])
	s.detail.add("blue/lab/kit-2/temperature")
	if s.detail.colors["blue/lab/kit-2/temperature"] != 0 || s.detail.colors[want[1]] != 1 {
		t.Errorf("colours moved: %v", s.detail.colors)
	}
	for i := range 20 {
		p.toggle(core.Series(fmt.Sprint("x", i)))
	}
	if len(p.chosen) != widget.Colors {
		t.Errorf("%d chosen", len(p.chosen))
	}
}

func TestForgottenLeaves(t *testing.T) {
	h := newHouse()
	s, _ := visit(t, h)
	h.rows["state_led"] = core.Live{Series: "state_led"}
	h.seq++
	h.at["state_led"] = h.seq
	later(s, time.Second)
	load(t, s)
	if strings.Contains(outline(s), "without a room") {
		t.Error("a forgotten series has its card still")
	}
}

func TestDescribedAtOnce(t *testing.T) {
	h := newHouse()
	s, _ := visit(t, h)
	s.Open("blue/lab/kit-1/temperature")
	s.describe("blue/lab/kit-1/temperature", core.Description{Label: "Bench", Unit: "K"})
	if s.detail.title.Text != "Bench" || s.detail.value.Text != "20 K" {
		t.Errorf("header: %q %q", s.detail.title.Text, s.detail.value.Text)
	}
	s.Back()
	if c := shown(t, s, "blue/lab/kit-1/temperature"); c.name.Text != "Bench" || c.unit.Text != "K" {
		t.Errorf("card: %q %q", c.name.Text, c.unit.Text)
	}
}

func TestPictureOfTheChart(t *testing.T) {
	s, _ := visit(t, newHouse())
	s.Open("blue/lab/kit-1/temperature")
	load(t, s)
	img := s.detail.chart.Picture("temperature")
	if b := img.Bounds(); b.Dx() < 900 || b.Dy() < 600 {
		t.Errorf("picture is %v", b)
	}
	first, same := img.At(0, 0), true
	eachPixel(img, func(x, y int) { same = same && img.At(x, y) == first })
	if same {
		t.Error("the picture is empty")
	}
}

func eachPixel(img image.Image, f func(x, y int)) {
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 7 {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			f(x, y)
		}
	}
}

func TestKeyboardOpensCard(t *testing.T) {
	s, shell := visit(t, newHouse())
	c := shown(t, s, "green/hall/kit-7/humidity")
	shell.Win.Canvas().Focus(c)
	if !c.Focused() {
		t.Fatal("the card has no focus")
	}
	c.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if len(s.detail.series) != 1 || s.detail.series[0] != "green/hall/kit-7/humidity" {
		t.Errorf("open: %q", s.detail.series)
	}
	c.MouseIn(&desktop.MouseEvent{})
	c.MouseOut()
	if c.Hovered() {
		t.Error("still lit")
	}
}

// TestTextsAreVisible: a card is never blank, and never shows boxes.
func TestTextsAreVisible(t *testing.T) {
	h := newHouse()
	for text, want := range map[string]string{"": "(empty)", "\x00\x01": "‹NUL›‹SOH›", "a\nb": "a b"} {
		h.put("blue/lab/kit-1/mode", core.Reading{At: noon, Kind: core.Text, Text: text})
		s, _ := visit(t, h)
		if got := shown(t, s, "blue/lab/kit-1/mode").value.Text; got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

// TestLongRoomNameEnds: it would run out of the window.
func TestLongRoomNameEnds(t *testing.T) {
	test.NewTempApp(t)
	long := strings.Repeat("a-very-long-room-", 30)
	for _, s := range []section{{title: long, team: "Team Blue"}, {title: long, team: long}, {title: "lab", team: long}, {title: "lab", team: "Team Blue"}} {
		head := newHeader()
		head.show(&s, 600)
		if end := head.team.Position().X + head.team.MinSize().Width; end > 600 || head.title.MinSize().Width+4 > head.team.Position().X {
			t.Errorf("%.20q and %.20q: the title is %v wide, the team from %v to %v", s.title, s.team, head.title.MinSize().Width, head.team.Position().X, end)
		}
		if len(s.title) < 10 && head.title.Text != s.title {
			t.Errorf("%q became %q", s.title, head.title.Text)
		}
	}
}

func TestPlaceOf(t *testing.T) {
	for s, want := range map[core.Series]place{
		"blue/lab/kit-1/temperature":     {branch: "blue", room: "lab", kit: "kit-1", property: "temperature"},
		"blue/lab/kit-1/air/temperature": {branch: "blue", room: "lab", kit: "kit-1", property: "air/temperature"},
		"blue/lab/temperature":           {branch: "blue", room: "lab", property: "temperature"},
		"blue/state_led":                 {branch: "blue", property: "state_led"},
		"state_led":                      {property: "state_led"},
		"blue/lab/kit-1/air#temp.out":    {branch: "blue", room: "lab", kit: "kit-1", property: "air · temp.out"},
		"blue/lab/kit-1/lamp/set":        {branch: "blue", room: "lab", kit: "kit-1", property: "lamp/set", hidden: true},
		"blue/lab/kit-1/$state":          {branch: "blue", room: "lab", kit: "kit-1", property: "$state", hidden: true},
		"$SYS/broker/uptime":             {branch: "$SYS", room: "broker", property: "uptime", hidden: true},
		"set":                            {property: "set", hidden: true},
		"/a":                             {property: "a"},
		"가/나/다/온도":                       {branch: "가", room: "나", kit: "다", property: "온도"},
		"":                               {},
	} {
		if got := placeOf(s); got != want {
			t.Errorf("%q = %+v, want %+v", s, got, want)
		}
	}
}

func TestMeant(t *testing.T) {
	for property, want := range map[string]string{
		"temperature": "°C", "air/temperature": "°C", "air · temp": "°C", "outside_temp": "°C", "Humidity": "%", "battery-voltage": "V",
		"light": "", "state_led": "", "pressure": "hPa", "온도": "°C", "x": "", "": "", "air · out.humidity": "%",
	} {
		if got := meant(property); got != want {
			t.Errorf("%q = %q, want %q", property, got, want)
		}
	}
}

// FuzzPlace reads whatever a topic may be.
func FuzzPlace(f *testing.F) {
	f.Add("blue/lab/kit-1/temperature")
	f.Add("//#//")
	f.Add("$/set#.")
	f.Fuzz(func(t *testing.T, s string) {
		p := placeOf(core.Series(s))
		meant(p.property)
	})
}

// BenchmarkFlood is one update of the overview after all of 2,000 series changed.
func BenchmarkFlood(b *testing.B) {
	h := newHouse()
	name := func(i int) core.Series { return core.Series(fmt.Sprintf("flood/room-%d/kit/value-%d", i%50, i)) }
	for i := range 2000 {
		h.number(name(i), float64(i), noon)
	}
	s, _ := visit(b, h)
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		for i := range 2000 {
			r := h.rows[name(i)]
			r.Newest = core.Reading{At: noon, Kind: core.Number, Value: float64(n + i)}
			h.rows[r.Series] = r
			h.seq++
			h.at[r.Series] = h.seq
		}
		b.StartTimer()
		load(b, s)
	}
}

// TestAlarmIsSeen: the card of a topic whose alarm calls is tinted, until it ends.
func TestAlarmIsSeen(t *testing.T) {
	h := newHouse()
	s, _ := visit(t, h)
	tinted := func() (all []core.Series) {
		for _, e := range s.model.entries {
			if e.calls {
				all = append(all, e.Series)
			}
		}
		return all
	}
	hot := core.AlarmState{Alarm: core.Alarm{ID: "hot", Topic: "blue/lab/kit-1/temperature"}, Since: noon}
	h.calling = []core.AlarmState{hot}
	load(t, s)
	if got := tinted(); len(got) != 1 || got[0] != "blue/lab/kit-1/temperature" {
		t.Fatalf("tinted %q", got)
	}
	line := theme.Color(theme.ColorNameError)
	seen := 0
	for _, o := range test.LaidOutObjects(s.Content()) {
		if r, ok := o.(*canvas.Rectangle); ok && r.StrokeColor == line && r.Visible() {
			seen++
		}
	}
	if seen != 1 {
		t.Errorf("%d cards are framed in red, want 1", seen)
	}
	h.calling[0].Ended = noon
	load(t, s)
	if got := tinted(); len(got) != 0 {
		t.Fatalf("after its end %q", got)
	}
}

// TestOpensFromElsewhere: another screen names a topic; its chart opens, also
// where Rooms has not loaded yet or nothing has arrived there yet.
func TestOpensFromElsewhere(t *testing.T) {
	h := newHouse()
	s, _ := visit(t, h)
	s.Open("blue/attic/kit-9/temperature")
	load(t, s)
	if s.detail.page.Visible() {
		t.Fatal("a chart of nothing opened")
	}
	h.number("blue/attic/kit-9/temperature", 20, noon)
	load(t, s)
	if !s.detail.page.Visible() || s.soon != "" {
		t.Fatal("the chart did not open when the value came")
	}
}

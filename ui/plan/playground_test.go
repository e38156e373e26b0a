package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/core"
	"homeroom/core/topic"
)

func play(t testing.TB, d *desk) *playground {
	g := newPlayground(d, d, d)
	d.parts = append(d.parts, g)
	d.put(g.content(), fyne.NewSize(340, 800))
	return g
}

func TestPlaygroundSelects(t *testing.T) {
	d := newDesk(t, lab(t))
	d.may = []string{"Ms Kim", "kit-1"}
	g := play(t, d)
	g.entry.SetText("blue/lab/+/brightness")
	if len(g.found) != 1 || g.found[0].name != kit1+"/brightness" {
		t.Errorf("found %v", g.found)
	}
	if !strings.Contains(g.may.Text, "Ms Kim, kit-1") || !strings.Contains(g.may.Text, "초록 1") {
		t.Errorf("who may: %s", g.may.Text)
	}
	g.entry.SetText("blue/lab/kit-1/#")
	if len(g.found) != 3 || !g.choose.Visible() {
		t.Errorf("found %v", g.found)
	}
	test.Tap(g.choose)
	if len(d.items) != 3 {
		t.Errorf("chosen %v", d.items)
	}
	g.list.OnSelected(1)
	if fmt.Sprint(d.items) != "[{ blue/lab/kit-1/button}]" {
		t.Errorf("chosen %v", d.items)
	}
	g.entry.SetText("blue/lab/kit-1/bri+")
	if len(g.found) != 0 || g.where.Text != "/lab/kit-1/bri+\n"+strings.Repeat(" ", 14)+"^" && !strings.HasSuffix(g.where.Text, "bri+\n"+strings.Repeat(" ", 16)+"^") || g.problem.Text == "" {
		t.Errorf("told:\n%s\n%s", g.where.Text, g.problem.Text)
	}
	g.entry.SetText("")
	if g.problem.Visible() || g.means.Text == "" {
		t.Error("an empty filter is told as a mistake")
	}
	for _, o := range g.examples.Objects { // every example selects something, but the one for presence
		b := o.(*fw.Button)
		if test.Tap(b); len(g.found) == 0 && !strings.Contains(b.Text, "$") {
			t.Errorf("%s selects nothing", b.Text)
		}
	}
	if len(g.examples.Objects) < 4 {
		t.Errorf("%d examples", len(g.examples.Objects))
	}
	g.entry.SetText("flat/#")
	d.change(core.Batch{Topics: []core.Topic{{Name: "flat/a"}}})
	if len(g.found) != 1 {
		t.Error("a design that changed is not looked at again")
	}
}

func TestFilterProblems(t *testing.T) {
	newShell(t, test.Theme())
	for _, c := range []struct {
		text string
		at   int // -1 is that it is right
	}{
		{"#", -1}, {"+", -1}, {"a/+/b/#", -1}, {"/", -1}, {"$SYS/#", -1}, {"$share/g/a/#", -1},
		{"", 0}, {"a#", 1}, {"a/b+", 3}, {"a/+b/c", 2}, {"#/a", 0}, {"a/#/b", 2}, {"한국/온도#", 5}, {"$share/g", 7}, {"$share//a", 7}, {"$share/g/a#", 10},
		{strings.Repeat("x", topic.MaxLen+1), 0},
	} {
		at, wrong := filterProblem(c.text)
		if right := wrong == ""; right != (c.at < 0) || !right && at != c.at {
			t.Errorf("%.20q: at %d: %s; want %d", c.text, at, wrong, c.at)
		}
		if _, err := topic.ParseFilter(c.text); (err == nil) != (wrong == "") {
			t.Errorf("%.20q: told %q, but the parser says %v", c.text, wrong, err)
		}
	}
}

// FuzzFilterProblem: whatever the parser refuses is told, and nothing else.
func FuzzFilterProblem(f *testing.F) {
	for _, s := range []string{"a/+/#", "a#", "$share/x/+", "+/+b", "#/", "\xff", "가/나+"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, wrong := filterProblem(s)
		_, err := topic.ParseFilter(s)
		if (err == nil) != (wrong == "") {
			t.Errorf("%q: told %q, but the parser says %v", s, wrong, err)
		}
		if at < 0 || at > len([]rune(s)) {
			t.Errorf("%q: at %d", s, at)
		}
	})
}

func TestNearly(t *testing.T) {
	newShell(t, test.Theme())
	for _, c := range []struct{ filter, name, want string }{
		{"blue/+", "blue/lab/kit", "it has 1 levels more"},
		{"blue/+/+/x", "green/lab/x", ""},
		{"blue/+/kit", "blue/lab", "it has a level less"},
		{"blue/Lab/#", "blue/lab/kit-1/x", "“lab” is not “Lab”."},
		{"blue/+/#", "green/lab/x", "“green” is not “blue”."},
		{"blue/a/b", "green/c/b", ""},
	} {
		got := nearly(strings.Split(c.filter, "/"), strings.Split(c.name, "/"))
		if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s, %s: %q, want %q", c.filter, c.name, got, c.want)
		}
	}
	if got := taken("blue/+/kit-1/#", "blue/lab/kit-1/a/b"); got != "+ = lab · # = a/b" {
		t.Errorf("took %q", got)
	}
	if got := taken("blue/#", "blue"); got != "# = nothing" {
		t.Errorf("took %q", got)
	}
}

func TestPlaygroundPictures(t *testing.T) {
	for name, c := range map[string]struct {
		v      fyne.ThemeVariant
		filter string
	}{
		"playground-light": {theme.VariantLight, "blue/+/kit-1/#"},
		"playground-dark":  {theme.VariantDark, "blue/lab/k+"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, lab(t))
			variant(c.v)
			d.may = []string{"Ms Kim", "kit-1"}
			g := play(t, d)
			g.entry.SetText(c.filter)
			test.AssertImageMatches(t, name+".png", picture(g.content(), fyne.NewSize(320, 640)))
		})
	}
}

func TestProblems(t *testing.T) {
	d := newDesk(t, lab(t))
	change := func(n topic.Name) core.Batch { return core.Batch{Topics: []core.Topic{{Name: n, QoS: 1}}} }
	d.fixes = []core.Fix{
		{Topic: kit1 + "/light", Say: core.Say("{name} is odd.", "name", "light"), Batch: change(kit1 + "/light")},
		{Topic: kit1 + "/light", Say: core.Say("{name} is odd, too.", "name", "light"), Batch: change(kit1 + "/light")},
		{Topic: kit1 + "/button", Say: core.Say("{name} is odd.", "name", "button"), Batch: change(kit1 + "/button")},
		{Topic: "blue/Hall", Say: core.Say("{name} has capitals.", "name", "Hall"), Rename: "blue/hall", To: "blue/corridor"},
		{Topic: "blue/hall/x", Say: core.Say("within"), Rename: "blue/hall/x", To: "blue/hall/y"},
		{Topic: "blue/lab", Say: core.Say("{name} is hard to read.", "name", "blue/lab")},
	}
	q := newProblems(d, d)
	q.show()
	d.put(q.content(), fyne.NewSize(340, 900))
	if text := saidIn(q.content()); !strings.Contains(text, "problems: 6") || !strings.Contains(text, "Can be fixed with one click: 5") || !strings.Contains(text, "A person must decide: 1") {
		t.Errorf("told:\n%s", text)
	}
	push(t, q.groups, "Show")
	if fmt.Sprint(d.items) != fmt.Sprintf("[{ %s}]", kit1+"/light") {
		t.Errorf("chosen %v", d.items)
	}
	push(t, q.groups, "Fix")
	if len(d.batches) != 1 {
		t.Fatalf("%d edits", len(d.batches))
	}
	d.batches = nil
	test.Tap(q.all)
	if len(d.batches) != 1 || len(d.batches[0].Topics) != 2 || fmt.Sprint(d.moves) != "[blue/hall > blue/corridor]" {
		t.Errorf("edits %+v, moves %v", d.batches, d.moves)
	}
	d.fixes = nil
	q.show()
	if text := saidIn(q.content()); !strings.Contains(text, "Nothing to improve") {
		t.Errorf("told:\n%s", text)
	}
}

func TestProblemsPicture(t *testing.T) {
	d := newDesk(t, lab(t))
	variant(theme.VariantLight)
	d.fixes = []core.Fix{
		{Topic: "blue/Hall", Say: core.Say("{topic} is easier to type without capitals, spaces and signs: {better}", "topic", "blue/Hall", "better", "blue/hall"), Rename: "blue/Hall", To: "blue/hall"},
		{Topic: kit1 + "/light", Say: core.Say("{name} is odd.", "name", "light"), Batch: core.Batch{Topics: []core.Topic{{}}}},
		{Topic: "blue/lab", Say: core.Say("{name} is hard to read.", "name", "blue/lab")},
	}
	q := newProblems(d, d)
	q.show()
	test.AssertImageMatches(t, "problems.png", picture(q.content(), fyne.NewSize(320, 460)))
}

func TestWhy(t *testing.T) {
	d := newDesk(t, lab(t))
	n := kit1 + "/light"
	for i, v := range []string{"On", "On", "Off", "On"} {
		d.ms = append(d.ms, core.Message{Topic: n, Payload: []byte(v), At: noon.Add(time.Duration(i) * time.Second)}, core.Message{Topic: "other", Payload: []byte(v)})
	}
	d.chain = core.Chain{Topic: n, Steps: []core.Step{
		{At: noon, Kind: core.StepMessage, Topic: kit1 + "/button", Value: "turn on", Who: "kit-1", Say: core.Say("{who} pressed the button.", "who", "kit-1")},
		{At: noon.Add(14 * time.Millisecond), Kind: core.StepDelivered, Topic: n, Who: "kit-2", Say: core.Say("Delivered to {who}.", "who", "kit-2"), After: 14 * time.Millisecond, Likely: true},
	}}
	w := newWhyPanel(d, d, n)
	d.put(w.page, fyne.NewSize(800, 500))
	w.load(d)
	if len(w.changes) != 3 || string(w.changes[0].Payload) != "On" || string(w.changes[1].Payload) != "Off" {
		t.Errorf("changes: %v", w.changes)
	}
	test.Tap(w.clip)
	if text := fyne.CurrentApp().Clipboard().Content(); !strings.Contains(text, "kit-1 pressed the button.") || !strings.Contains(text, "(+14 ms)  Delivered to kit-2. (probably)") {
		t.Errorf("copied:\n%s", text)
	}
	d.chain = core.Chain{}
	w.list.Select(1)
	if !w.clip.Disabled() || w.note.Text == "" {
		t.Error("an empty chain says nothing")
	}
	w = newWhyPanel(d, failing{}, n)
	w.tell(time.Time{})
	if w.note.Text != "no disk" {
		t.Errorf("a failure says %q", w.note.Text)
	}
}

func TestWhyPicture(t *testing.T) {
	d := newDesk(t, lab(t))
	variant(theme.VariantLight)
	n := kit1 + "/light"
	d.ms = []core.Message{{Topic: n, Payload: []byte("Off"), At: day(0)}, {Topic: n, Payload: []byte("On"), At: day(9)}}
	d.chain = core.Chain{Topic: n, Effect: 2, Steps: []core.Step{
		{At: day(0), Kind: core.StepMessage, Topic: kit1 + "/button", Value: "turn on", Who: "kit-1", Say: core.Say("{who} pressed the button.", "who", "kit-1")},
		{At: day(4), Kind: core.StepRule, Rule: "dark", Who: "Dark", Say: core.Say("The button wins."), After: 4 * time.Millisecond},
		{At: day(9), Kind: core.StepMessage, Topic: n, Value: "On", Who: "Dark", Say: core.Say("light is On."), After: 5 * time.Millisecond},
		{At: day(14), Kind: core.StepDelivered, Topic: n, Who: "kit-2", Say: core.Say("Delivered to {who}.", "who", "kit-2"), After: 5 * time.Millisecond},
	}}
	w := newWhyPanel(d, d, n)
	d.put(w.page, fyne.NewSize(760, 420))
	w.load(d)
	test.AssertImageMatches(t, "why.png", picture(w.page, fyne.NewSize(760, 420)))
}

// day is noon and some milliseconds, on this PC's clock.
func day(ms int) time.Time { return time.Date(2026, 3, 14, 12, 0, 0, ms*1e6, time.Local) }

var errDisk = errors.New("no disk")

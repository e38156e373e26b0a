package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
	"homeroom/ui/widget/widgettest"
)

const kit1 = topic.Name("blue/lab/kit-1")

// TestInspectorFields: each field takes what is right as one edit, and tells what is wrong.
func TestInspectorFields(t *testing.T) {
	bright, mode, button := item{topic: kit1 + "/brightness"}, item{topic: "blue/lab/kit-2/mode"}, item{topic: kit1 + "/button"}
	lab1, kit := item{place: "blue/lab"}, item{place: kit1}
	topicIs := func(f func(core.Topic) any) func(core.Batch) any {
		return func(b core.Batch) any { return f(b.Topics[0]) }
	}
	placeIs := func(f func(core.Place) any) func(core.Batch) any {
		return func(b core.Batch) any { return f(b.Places[0]) }
	}
	for _, c := range []struct {
		of          item
		label, text string
		get         func(core.Batch) any // nil: it is wrong
		want        any
	}{
		{bright, "Display name", "  밝기   1 ", topicIs(func(t core.Topic) any { return t.Label }), "밝기 1"},
		{bright, "Display name", strings.Repeat("x", 61), nil, nil},
		{bright, "What it is for", "one\ntwo", topicIs(func(t core.Topic) any { return t.Text }), "one\ntwo"},
		{bright, "What it is for", strings.Repeat("x", 1001), nil, nil},
		{bright, "Unit", "lx", topicIs(func(t core.Topic) any { return t.Unit }), "lx"},
		{bright, "Unit", "thirteen signs", nil, nil},
		{bright, "Step", "0,5", topicIs(func(t core.Topic) any { return t.Step }), 0.5},
		{bright, "Step", "", topicIs(func(t core.Topic) any { return t.Step }), 0.0},
		{bright, "Step", "-1", nil, nil},
		{bright, "Step", "101", nil, nil},
		{bright, "Step", "0x10", nil, nil},
		{mode, "Words", "auto, manual,eco", topicIs(func(t core.Topic) any { return fmt.Sprint(t.Options) }), "[auto manual eco]"},
		{mode, "Words", "auto, Auto", nil, nil},
		{mode, "Words", " , ", nil, nil},
		{button, "Words for on and off", "an, aus", topicIs(func(t core.Topic) any { return fmt.Sprint(t.Options) }), "[an aus]"},
		{button, "Words for on and off", "", topicIs(func(t core.Topic) any { return len(t.Options) }), 0},
		{button, "Words for on and off", "an", nil, nil},
		{lab1, "Display name", "Labor", placeIs(func(p core.Place) any { return p.Label }), "Labor"},
		{lab1, "What it is for", "Here", placeIs(func(p core.Place) any { return p.Text }), "Here"},
		{kit, "Display name", "Door", placeIs(func(p core.Place) any { return fmt.Sprint(p.Label, len(p.Ports)) }), "Door3"},
	} {
		d := newDesk(t, lab(t))
		i := inspect(t, d, c.of)
		fill(t, i, c.label, c.text)
		wrong := saidIn(i.page)
		if c.get == nil {
			if len(d.batches) > 0 {
				t.Errorf("%v: %s took %q: %+v", c.of, c.label, c.text, d.batches[0])
			}
			clean := newDesk(t, lab(t))
			if before := saidIn(inspect(t, clean, c.of).page); wrong == before {
				t.Errorf("%v: %s does not tell what is wrong with %q", c.of, c.label, c.text)
			}
			continue
		}
		if len(d.batches) != 1 || d.batches[0].Say.Format == "" {
			t.Errorf("%v: %s with %q: %d edits\n%s", c.of, c.label, c.text, len(d.batches), wrong)
			continue
		}
		if got := c.get(d.batches[0]); got != c.want {
			t.Errorf("%v: %s became %v, want %v", c.of, c.label, got, c.want)
		}
		fill(t, i, c.label, field(t, i, c.label).entry.Text) // left again without a change
		if len(d.batches) != 1 {
			t.Errorf("%v: leaving %s unchanged is an edit", c.of, c.label)
		}
	}
}

func TestInspectorRange(t *testing.T) {
	d := newDesk(t, lab(t))
	i := inspect(t, d, item{topic: kit1 + "/brightness"})
	from := find(t, i.page, func(e *fieldEntry) bool { return e.PlaceHolder == "From" })
	to := find(t, i.page, func(e *fieldEntry) bool { return e.PlaceHolder == "To" })
	type_ := func(e *fieldEntry, text string) {
		e.SetText(text)
		e.FocusLost()
	}
	for _, c := range []struct {
		from, to string
		want     string // "" is that nothing is applied
	}{
		{"-10", "50", "-10 50"}, {"5", "5", ""}, {"9", "1", ""}, {"", "3", ""}, {"a", "3", ""}, {"0", "NaN", ""}, {"", "", "0 0"},
	} {
		d.batches = nil
		type_(from, c.from)
		type_(to, c.to)
		got := ""
		if n := len(d.batches); n > 0 {
			got = fmt.Sprint(d.batches[n-1].Topics[0].Min, " ", d.batches[n-1].Topics[0].Max)
		}
		if c.want == "" && got != "" && (got == fmt.Sprint(c.from, " ", c.to)) || c.want != "" && got != c.want {
			t.Errorf("from %q to %q: applied %q, want %q", c.from, c.to, got, c.want)
		}
	}
}

// TestInspectorChoices: each choice is one edit.
func TestInspectorChoices(t *testing.T) {
	for _, c := range []struct {
		of   item
		word string
		want func(core.Batch) bool
	}{
		{item{topic: kit1 + "/brightness"}, kindName(core.JSON), func(b core.Batch) bool { t := b.Topics[0]; return t.Kind == core.JSON && t.Unit == "" && t.Max == 0 }},
		{item{topic: kit1 + "/brightness"}, kindName(core.Enumeration), func(b core.Batch) bool { return len(b.Topics[0].Options) > 0 }},
		{item{topic: kit1 + "/button"}, "2: exactly once", func(b core.Batch) bool { return b.Topics[0].QoS == 2 }},
		{item{topic: kit1 + "/button"}, "reports, and takes commands", func(b core.Batch) bool { return b.Topics[0].Writable }},
		{item{topic: kit1 + "/button"}, "Nothing", func(b core.Batch) bool { return b.Topics[0].KeepDays == -1 }},
		{item{place: kit1}, widget.RoleText(core.LightKit), func(b core.Batch) bool { return b.Places[0].Role == core.LightKit }},
		{item{place: kit1}, "Window (kit-2)", func(b core.Batch) bool { return b.Places[0].Account == "kit-2" }},
	} {
		d := newDesk(t, lab(t))
		i := inspect(t, d, c.of)
		options(t, i.page, c.word).SetSelected(c.word)
		if len(d.batches) != 1 || !c.want(d.batches[0]) {
			t.Errorf("%s: %+v", c.word, d.batches)
		}
	}
	d := newDesk(t, lab(t))
	i := inspect(t, d, item{topic: kit1 + "/button"})
	find(t, i.page, func(c *fw.Check) bool { return c.Text == "Newest value is retained" }).SetChecked(true)
	if len(d.batches) != 1 || !d.batches[0].Topics[0].Retain {
		t.Errorf("retained: %+v", d.batches)
	}
}

func TestInspectorRenames(t *testing.T) {
	for _, c := range []struct {
		of          item
		label, text string
		want        string // "" is refused
	}{
		{item{topic: kit1 + "/button"}, "Topic", "blue/hall/button", "blue/lab/kit-1/button > blue/hall/button"},
		{item{topic: kit1 + "/button"}, "Topic", "blue/lab/kit-1/light", ""},
		{item{topic: kit1 + "/button"}, "Topic", "blue/+", ""},
		{item{topic: kit1 + "/button"}, "Topic", "/a", ""},
		{item{topic: kit1 + "/button"}, "Topic", "$SYS/a", ""},
		{item{topic: kit1 + "/button"}, "Topic", "", ""},
		{item{place: "blue/lab"}, "Name in topics", "work", "blue/lab > blue/work"},
		{item{place: "blue/lab"}, "Name in topics", "hall", ""},
		{item{place: "blue/lab"}, "Name in topics", "a/b", ""},
	} {
		d := newDesk(t, lab(t))
		i := inspect(t, d, c.of)
		fill(t, i, c.label, c.text)
		if got := strings.Join(d.moves, ""); got != c.want {
			t.Errorf("%s %q: moved %q, want %q", c.label, c.text, got, c.want)
		}
	}
	d := newDesk(t, lab(t))
	i := inspect(t, d, item{topic: kit1 + "/button"})
	if i.focusName(); d.sh.Win.Canvas().Focused() != i.name.entry {
		t.Error("the name has not the keyboard")
	}
}

// TestInspectorKeepsWhatIsTyped: somebody else's change does not overwrite a field.
func TestInspectorKeepsWhatIsTyped(t *testing.T) {
	d := newDesk(t, lab(t))
	n := kit1 + "/brightness"
	i := inspect(t, d, item{topic: n})
	e := field(t, i, "Unit").entry
	e.FocusGained()
	e.SetText("lu")
	theirs := *d.d.Topic(n)
	theirs.Unit, theirs.Label = "lx", "Helligkeit"
	if err := d.Change(t.Context(), core.Batch{Topics: []core.Topic{theirs}}); err != nil {
		t.Fatal(err)
	}
	i.show()
	if e.Text != "lu" || !strings.Contains(saidIn(i.page), "“lx”") {
		t.Errorf("the field says %q; told:\n%s", e.Text, saidIn(i.page))
	}
	if l := field(t, i, "Display name").entry.Text; l != "Helligkeit" {
		t.Errorf("a field nobody types into says %q", l)
	}
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if e.Text != "lx" || strings.Contains(saidIn(i.page), "“lx”") {
		t.Errorf("Esc leaves %q", e.Text)
	}
	e.SetText("lm")
	e.OnSubmitted(e.Text)
	if u := d.d.Topic(n).Unit; u != "lm" || d.d.Topic(n).Label != "Helligkeit" {
		t.Errorf("Enter made it %q", u)
	}
}

func TestInspectorPorts(t *testing.T) {
	d := newDesk(t, lab(t))
	i := inspect(t, d, item{place: kit1})
	folds := i.page
	find(t, folds, func(f *widget.Fold) bool { return strings.Contains(saidIn(f), "Button: button") }).SetOpen(true)
	i.show()
	entry := find(t, folds, func(e *fieldEntry) bool { return e.Text == string(kit1+"/button") })
	entry.SetText("nowhere/x")
	entry.FocusLost()
	if len(d.batches) > 0 {
		t.Error("a part got a topic that is not designed")
	}
	entry.SetText("state_led")
	entry.FocusLost()
	if p := d.d.Place(kit1).Ports; len(d.batches) != 1 || p[0].Topic != "state_led" || !p[0].Toggle || len(p) != 3 {
		t.Fatalf("ports: %+v", p)
	}
	find(t, folds, func(c *fw.Check) bool { return c.Text == "Each press switches it" }).SetChecked(false)
	if d.d.Place(kit1).Ports[0].Toggle {
		t.Error("it still switches")
	}
	push(t, folds, "Remove this part")
	if p := d.d.Place(kit1).Ports; len(p) != 2 || p[0].Slot != "light" {
		t.Errorf("ports: %+v", p)
	}
	i.addPort(kit1, core.Port{Slot: "presence", Action: core.Publish})
	if p := d.d.Place(kit1).Ports; len(p) != 3 || p[2].Slot != "presence" || d.d.Topic(kit1+"/presence") == nil {
		t.Errorf("ports: %+v", p)
	}
	push(t, folds, "Swap with the real kit")
	if d.d.Place(kit1).Virtual {
		t.Error("it is still virtual")
	}
	push(t, i.page, "Swap with its virtual twin")
	if !d.d.Place(kit1).Virtual {
		t.Error("it is not virtual again")
	}
}

func TestInspectorOfStrays(t *testing.T) {
	n, meant := kit1+"/brightnes", kit1+"/brightness"
	arrive := func(d *desk, n topic.Name, from core.AccountID) {
		s := message(n, "79")
		s.Last.From = from
		d.values = append(d.values, s)
	}
	t.Run("a virtual kit's port is mended", func(t *testing.T) {
		d := newDesk(t, lab(t))
		d.meant[n] = meant
		p := *d.d.Place(kit1)
		p.Ports = slices.Clone(p.Ports)
		p.Ports[2].Topic = n
		_ = d.Change(t.Context(), core.Batch{Places: []core.Place{p}})
		arrive(d, n, 2)
		i := inspect(t, d, item{topic: n})
		if text := saidIn(i.page); !strings.Contains(text, "“brightnes” – did you mean “brightness”?") {
			t.Errorf("told:\n%s", text)
		}
		push(t, i.page, "Fix the kit")
		if got := d.d.Place(kit1).Ports[2].Topic; got != meant {
			t.Errorf("the port is %s", got)
		}
	})
	t.Run("a fault is ended", func(t *testing.T) {
		d := newDesk(t, lab(t))
		d.meant[meant+" "] = meant
		arrive(d, meant+" ", 2)
		i := inspect(t, d, item{topic: meant + " "})
		push(t, i.page, "Fix the kit")
		if fmt.Sprint(d.deeds) != "[break blue/lab/kit-1 space false]" {
			t.Errorf("did %v", d.deeds)
		}
	})
	t.Run("a real kit is told what to send", func(t *testing.T) {
		d := newDesk(t, lab(t))
		d.meant[n] = meant
		arrive(d, n, 3)
		i := inspect(t, d, item{topic: n})
		text := saidIn(i.page)
		if !strings.Contains(text, "kit-2 must publish to this name instead:\n") || !strings.Contains(text, string(meant)) {
			t.Errorf("told:\n%s", text)
		}
		push(t, i.page, "Accept this name, too")
		if fmt.Sprint(d.moves) != fmt.Sprintf("[%s > %s]", n, meant) {
			t.Errorf("moved %v", d.moves)
		}
	})
	t.Run("adopted", func(t *testing.T) {
		d := newDesk(t, lab(t))
		i := inspect(t, d, item{topic: n})
		d.parts = append(d.parts, i)
		push(t, i.page, "Adopt it as it arrives")
		if d.d.Topic(n) == nil || !strings.Contains(i.seen, "true") {
			t.Error("it is not designed")
		}
	})
	t.Run("removed lately", func(t *testing.T) {
		d := newDesk(t, lab(t))
		d.removal = []core.Removal{{ID: 7, Under: kit1, Account: 1, At: noon}, {ID: 8, Under: "elsewhere"}}
		i := inspect(t, d, item{topic: n})
		if text := saidIn(i.page); !strings.Contains(text, "Ms Kim removed blue/lab/kit-1") || strings.Contains(text, "elsewhere") {
			t.Errorf("told:\n%s", text)
		}
		push(t, i.page, "Restore")
		if fmt.Sprint(d.back) != "[7]" {
			t.Errorf("restored %v", d.back)
		}
	})
}

func TestInspectorOfSeveral(t *testing.T) {
	d := newDesk(t, lab(t))
	kits := []item{{place: kit1}, {place: "blue/lab/kit-2"}}
	i := inspect(t, d, kits...)
	push(t, i.page, "Left edges")
	if a, b := d.d.Place(kit1), d.d.Place("blue/lab/kit-2"); a.X != b.X || a.Y == b.Y {
		t.Errorf("at %v %v and %v %v", a.X, a.Y, b.X, b.Y)
	}
	push(t, i.page, "Delete all of it")
	if len(d.gone) != 2 {
		t.Errorf("removed %v", d.gone)
	}
	d = newDesk(t, lab(t))
	i = inspect(t, d, item{topic: kit1 + "/button"}, item{topic: kit1 + "/light"}, item{topic: "gone"})
	options(t, i.page, "2: exactly once").SetSelected("2: exactly once")
	if len(d.batches) != 1 || len(d.batches[0].Topics) != 2 || d.d.Topic(kit1+"/light").QoS != 2 || !d.d.Topic(kit1+"/light").Retain {
		t.Errorf("%+v", d.batches)
	}
}

// TestBoardsSideBySide: several virtual kits are shown at once, and live.
func TestBoardsSideBySide(t *testing.T) {
	d := newDesk(t, lab(t))
	twin := *d.d.Place("blue/lab/kit-2")
	twin.Virtual = true
	_ = d.Change(t.Context(), core.Batch{Places: []core.Place{twin}})
	for _, n := range []topic.Name{kit1, twin.Name, "elsewhere"} {
		d.boards = append(d.boards, core.Board{Kit: core.Place{Name: n, Virtual: true}, State: "init", Parts: []core.Part{
			{Port: core.Port{Slot: "button", Topic: n + "/button", Action: core.Publish}, Kind: core.Boolean}}})
	}
	i := inspect(t, d, item{place: kit1}, item{place: twin.Name}, item{topic: kit1 + "/light"})
	push(t, i.page, "Boards side by side")
	if len(i.large) != 2 {
		t.Fatalf("%d boards", len(i.large))
	}
	d.boards[1].State = "ready"
	i.age(noon, nil)
	top := d.sh.Win.Canvas().Overlays().Top()
	if text := saidIn(top.(fyne.Widget)); !strings.Contains(text, "Ready") || !strings.Contains(text, "Starting") {
		t.Errorf("the boards say:\n%s", text)
	}
	hold := find(t, top, func(h *widget.Hold) bool { return true })
	hold.KeyDown(&fyne.KeyEvent{Name: fyne.KeySpace})
	hold.KeyUp(&fyne.KeyEvent{Name: fyne.KeySpace})
	if want := "[press blue/lab/kit-1 button true press blue/lab/kit-1 button false]"; fmt.Sprint(d.deeds) != want {
		t.Errorf("did %v", d.deeds)
	}
	push(t, top, "Close")
	if i.large != nil {
		t.Error("closed boards are still drawn")
	}
}

// TestDeedsKeepTheirOrder: what is done while something is being done waits, and
// of a slider that is moved only the last place counts.
func TestDeedsKeepTheirOrder(t *testing.T) {
	late := &lateShell{Shell: newShell(t, test.Theme())}
	q := &deeds{shell: late}
	var did []string
	for _, s := range []string{"down", "up"} {
		q.do("", func(context.Context) error { did = append(did, s); return nil })
	}
	for n := range 3 {
		q.do("slider", func(context.Context) error { did = append(did, fmt.Sprint(n)); return errDisk })
	}
	for len(late.waiting) > 0 {
		w := late.waiting[0]
		late.waiting = late.waiting[1:]
		if show, _ := w(t.Context()); show != nil {
			show()
		}
	}
	if fmt.Sprint(did) != "[down up 2]" || len(late.Told) != 1 {
		t.Errorf("did %v, told %v", did, late.Told)
	}
}

// lateShell does nothing until it is told to.
type lateShell struct {
	*widgettest.Shell
	waiting []func(context.Context) (func(), error)
}

func (s *lateShell) Do(work func(context.Context) (func(), error)) {
	s.waiting = append(s.waiting, work)
}

// TestInspectorFollowsTheChoice: each choice has its own form, and what is gone does no harm.
func TestInspectorFollowsTheChoice(t *testing.T) {
	d := newDesk(t, lab(t))
	i := inspect(t, d)
	for _, c := range []struct {
		items []item
		want  string
	}{
		{nil, "How to begin"},
		{[]item{{place: "blue"}}, "This is the branch of Team Blue."},
		{[]item{{place: "blue/lab"}}, "Size on the canvas"},
		{[]item{{place: kit1}}, "Swap with the real kit"},
		{[]item{{topic: kit1 + "/light"}}, "Window desk obeys it and tells its state (Lamp)"},
		{[]item{{topic: kit1 + "/light"}}, "The rule Dark sets it"},
		{[]item{{topic: kit1 + "/brightness"}}, "more than 90 %"},
		{[]item{{topic: kit1 + "/brightness"}}, "80 %"},
		{[]item{{place: "elsewhere"}}, "[Draw it as a branch]"},
		{[]item{{place: "blue/x"}}, "[Draw it as a kit]"},
		{[]item{{place: "blue"}, {place: "blue/lab"}}, "2 chosen"},
	} {
		d.choose(c.items...)
		i.age(noon, nil)
		if text := saidIn(i.page); !strings.Contains(text, c.want) {
			t.Errorf("%v lacks %q:\n%s", c.items, c.want, text)
		}
	}
	for _, it := range []item{{}, {place: kit1}, {topic: kit1 + "/light"}, {place: "blue"}} {
		d.choose(it)
		d.d = &core.Design{} // somebody removed all of it
		i.form.show()
		i.age(noon, nil)
		d.house = lab(t)
	}
	d.choose(item{topic: kit1 + "/brightness"})
	push(t, i.page, "Add an alarm")
	if d.sh.Gone != "rules/alarm/blue%2Flab%2Fkit-1%2Fbrightness" {
		t.Errorf("went to %s", d.sh.Gone)
	}
}

func TestInspectorPictures(t *testing.T) {
	lampOn := core.Board{Kit: core.Place{Name: kit1, Label: "Window desk", Role: core.AllKit, Virtual: true}, State: "ready", Parts: []core.Part{
		{Port: core.Port{Slot: "button", Topic: kit1 + "/button", Action: core.Publish, Toggle: true}, Kind: core.Boolean, Options: []string{"turn on", "turn off"}, Value: "turn on"},
		{Port: core.Port{Slot: "light", Topic: kit1 + "/light", Action: core.Subscribe}, Kind: core.Boolean, Value: "true"},
		{Port: core.Port{Slot: "brightness", Topic: kit1 + "/brightness", Action: core.Publish}, Kind: core.Number, Max: 100, Unit: "%", Value: "80"},
	}}
	for _, c := range []struct {
		name   string
		l      lang.Language
		v      fyne.ThemeVariant
		items  []item
		height float32
	}{
		{"nothing", lang.English, theme.VariantLight, nil, 520},
		{"kit", lang.English, theme.VariantLight, []item{{place: kit1}}, 1400},
		{"topic", lang.English, theme.VariantLight, []item{{topic: kit1 + "/brightness"}}, 1500},
		{"topic-ko", lang.Korean, theme.VariantLight, []item{{topic: "blue/lab/kit-2/mode"}}, 1400},
		{"stray", lang.English, theme.VariantLight, []item{{topic: kit1 + "/brightnes"}}, 720},
		{"branch", lang.English, theme.VariantDark, []item{{place: "blue"}}, 720},
		{"kit-fr", lang.French, theme.VariantDark, []item{{place: "blue/lab/kit-2"}}, 900},
		{"topic-fr", lang.French, theme.VariantDark, []item{{topic: kit1 + "/light"}}, 1500},
		{"several", lang.English, theme.VariantDark, []item{{place: kit1}, {place: "blue/lab/kit-2"}, {topic: kit1 + "/light"}, {topic: kit1 + "/button"}}, 700},
	} {
		t.Run(c.name, func(t *testing.T) {
			lang.Use(c.l, "")
			t.Cleanup(func() { lang.Use(lang.English, "") })
			d := newDeskIn(t, lab(t), fixed{theme.DefaultTheme(), c.v})
			d.boards = []core.Board{lampOn}
			d.may = []string{"Ms Kim", "Team Blue"}
			d.meant[kit1+"/brightnes"] = kit1 + "/brightness"
			d.removal = []core.Removal{{ID: 1, Under: kit1 + "/brightnes", Account: 1, At: time.Date(2026, 3, 14, 11, 58, 0, 0, time.Local)}}
			d.fixes = []core.Fix{{Topic: kit1 + "/brightness", Say: core.Say("{name} has no step.", "name", "brightness"), Rename: "a", To: "b"}}
			i := inspect(t, d, c.items...)
			i.age(noon, nil)
			test.AssertImageMatches(t, "inspector-"+c.name+".png", picture(i.content(), fyne.NewSize(320, c.height)))
		})
	}
}

package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"

	"homeroom/core"
	"homeroom/core/topic"
)

// plant opens the tree in a window.
func plant(t testing.TB, d *desk) *tree {
	tr := newTree(d)
	d.parts = append(d.parts, tr)
	d.put(tr.content(), fyne.NewSize(300, 600))
	tr.age(noon, d.values)
	return tr
}

// rowsOf writes the rows, each with its depth.
func rowsOf(t *tree) string {
	var b strings.Builder
	for _, n := range t.rows {
		fmt.Fprintf(&b, "%s%s\n", strings.Repeat("  ", n.depth), n.level)
	}
	return b.String()
}

func TestTreeShowsTheHierarchy(t *testing.T) {
	d := newDesk(t, lab(t))
	tr := plant(t, d)
	want := `blue
  hall
  lab
    kit-1
      brightnes
      brightness
      button
      light
    kit-2
      air
      mode
state_led
`
	if got := rowsOf(tr); got != want {
		t.Errorf("rows:\n%swant:\n%s", got, want)
	}
	l := tr.look(tr.all.nodes["blue/lab/kit-1/brightnes/"], 300)
	if !l.warn || l.value != "79" {
		t.Errorf("what is not designed looks %+v", l)
	}
	if l := tr.look(tr.all.nodes["blue/lab/kit-1/button/"], 300); !l.silent {
		t.Errorf("what is silent looks %+v", l)
	}
	if l := tr.look(tr.all.nodes["blue/lab/kit-1/brightness/"], 300); l.title != "Brightness" || l.sub != "brightness" || l.value != "80 %" {
		t.Errorf("what has a display name looks %+v", l)
	}
	if l := tr.look(tr.all.nodes["blue/lab/kit-2/"], 300); !l.hot {
		t.Errorf("a kit that is lost looks %+v", l)
	}
	tr.hidden.SetChecked(true)
	if !strings.Contains(rowsOf(tr), "$state") {
		t.Error("presence is hidden although it was asked for")
	}
	tr.hidden.SetChecked(false)

	tr.search.SetText("조명")
	if got := rowsOf(tr); got != "blue\n  lab\n    kit-1\n      light\n" {
		t.Errorf("search shows\n%s", got)
	}
	tr.search.SetText("no such thing")
	if tr.empty.Text == "" || len(tr.rows) > 0 {
		t.Error("an empty search says nothing")
	}
}

// TestTreeKeepsWhatIsOpen: other designs and searches do not close or open anything.
func TestTreeKeepsWhatIsOpen(t *testing.T) {
	d := newDesk(t, lab(t))
	tr := plant(t, d)
	tr.toggle(tr.all.nodes["blue/lab/kit-1/"], false)
	before := rowsOf(tr)
	d.change(core.Batch{Topics: []core.Topic{{Name: "blue/lab/kit-1/new"}}})
	tr.search.SetText("button")
	tr.search.SetText("")
	if got := rowsOf(tr); got != before {
		t.Errorf("rows:\n%swant:\n%s", got, before)
	}
	d.choose(item{topic: "blue/lab/kit-1/new"}) // as on the canvas
	if at := tr.at("blue/lab/kit-1/new/"); at < 0 || !tr.chosen["blue/lab/kit-1/new/"] {
		t.Error("what is chosen on the canvas is not shown")
	}
}

func click(tr *tree, level string, held fyne.KeyModifier) {
	e := at(tr, level)
	e.Modifier = held
	tr.body.MouseDown(e)
	tr.body.MouseUp(e)
}

// at is a mouse event on the row of a level.
func at(tr *tree, level string) *desktop.MouseEvent {
	row := slices.IndexFunc(tr.rows, func(n *levelNode) bool { return n.level == level })
	return &desktop.MouseEvent{Button: desktop.MouseButtonPrimary,
		PointEvent: fyne.PointEvent{Position: fyne.NewPos(150, (float32(row)+0.5)*tr.body.height())}}
}

func TestTreeChooses(t *testing.T) {
	d := newDesk(t, lab(t))
	tr := plant(t, d)
	for _, c := range []struct {
		level string
		held  fyne.KeyModifier
		want  string
	}{
		{"kit-1", 0, "[{blue/lab/kit-1 }]"},
		{"light", fyne.KeyModifierControl, "[{blue/lab/kit-1 } { blue/lab/kit-1/light}]"},
		{"kit-1", fyne.KeyModifierControl, "[{ blue/lab/kit-1/light}]"},
		{"brightnes", 0, "[{ blue/lab/kit-1/brightnes}]"},
		{"button", fyne.KeyModifierShift, "[{ blue/lab/kit-1/brightnes} { blue/lab/kit-1/brightness} { blue/lab/kit-1/button}]"},
		{"button", 0, "[{ blue/lab/kit-1/button}]"}, // one of several: on release
	} {
		if click(tr, c.level, c.held); fmt.Sprint(d.items) != c.want {
			t.Errorf("%s with %v: %v, want %s", c.level, c.held, d.items, c.want)
		}
	}
	keys := func(names ...fyne.KeyName) {
		for _, k := range names {
			tr.body.TypedKey(&fyne.KeyEvent{Name: k})
		}
	}
	for _, c := range []struct {
		keys []fyne.KeyName
		want string
	}{
		{[]fyne.KeyName{fyne.KeyHome}, "[{blue }]"},
		{[]fyne.KeyName{fyne.KeyDown, fyne.KeyDown}, "[{blue/lab }]"},
		{[]fyne.KeyName{fyne.KeyRight}, "[{blue/lab/kit-1 }]"},
		{[]fyne.KeyName{fyne.KeyLeft, fyne.KeyDown}, "[{blue/lab/kit-2 }]"}, // closed, so the next is the other
		{[]fyne.KeyName{fyne.KeyEnd, fyne.KeyReturn}, "[{ state_led}]"},
		{[]fyne.KeyName{fyne.KeyPageUp, fyne.KeyUp}, "[{blue }]"},
	} {
		if keys(c.keys...); fmt.Sprint(d.items) != c.want {
			t.Errorf("%v: %v, want %s", c.keys, d.items, c.want)
		}
	}
	keys(fyne.KeyDelete)
	if fmt.Sprint(d.gone) != "[{blue }]" {
		t.Errorf("Delete removed %v", d.gone)
	}
	renamed := 0
	tr.rename = func() { renamed++ }
	if keys(fyne.KeyF2); renamed != 1 {
		t.Error("F2 does not rename")
	}
}

func TestTreeDrags(t *testing.T) {
	for _, c := range []struct{ from, to, moved string }{
		{"kit-1", "hall", "[blue/lab/kit-1 > blue/hall/kit-1]"},
		{"mode", "kit-1", "[blue/lab/kit-2/mode > blue/lab/kit-1/mode]"},
		{"kit-1", "kit-2", "[]"}, // a kit goes into no kit
		{"kit-1", "lab", "[]"},   // it is there
		{"blue", "lab", "[]"},    // not into itself
		{"hall", "lab", "[]"},    // a room goes into no room
		{"mode", "light", "[]"},  // a topic takes nothing
		{"brightnes", "hall", "[]"},
		{"state_led", "hall", "[state_led > blue/hall/state_led]"},
	} {
		d := newDesk(t, lab(t))
		tr := plant(t, d)
		e := at(tr, c.from)
		tr.body.MouseDown(e)
		over := at(tr, c.to).PointEvent
		tr.body.Dragged(&fyne.DragEvent{PointEvent: over})
		if lit := tr.body.over != nil; lit != (c.moved != "[]") {
			t.Errorf("%s over %s: highlighted %v", c.from, c.to, lit)
		}
		tr.body.DragEnd()
		if fmt.Sprint(d.moves) != c.moved {
			t.Errorf("%s on %s: moved %v, want %s", c.from, c.to, d.moves, c.moved)
		}
		if tr.body.tip.Visible() || tr.body.over != nil {
			t.Error("the drop is still marked")
		}
	}
	d := newDesk(t, lab(t))
	tr := plant(t, d)
	tr.body.MouseDown(at(tr, "kit-1"))
	tr.body.Dragged(&fyne.DragEvent{PointEvent: at(tr, "hall").PointEvent})
	tr.body.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if tr.body.DragEnd(); len(d.moves) > 0 {
		t.Error("what was cancelled was moved")
	}
}

// TestTreeDrawsOnlyWhatIsSeen: a thousand topics cost no more objects than a window of them.
func TestTreeDrawsOnlyWhatIsSeen(t *testing.T) {
	h := newHouse()
	h.d = large(1000)
	tr := plant(t, newDesk(t, h))
	for _, y := range []float32{0, 500, 1e6} {
		tr.scroll.ScrollToOffset(fyne.NewPos(0, min(y, tr.body.MinSize().Height-tr.scroll.Size().Height)))
		if n := len(test.WidgetRenderer(tr.body).Objects()); n > 300 || n < 60 {
			t.Errorf("%d objects at %v", n, y)
		}
	}
}

// TestTreeBoundsWhatArrives: a flood of names does not grow the tree for ever.
func TestTreeBoundsWhatArrives(t *testing.T) {
	d := newDesk(t, lab(t))
	tr := plant(t, d)
	var flood []core.TopicState
	for i := range maxStrays + 500 {
		flood = append(flood, message(topic.Name(fmt.Sprint("flood/", i)), "x"))
	}
	tr.age(noon, flood)
	if len(tr.strays) > maxStrays {
		t.Errorf("%d names that arrive are held", len(tr.strays))
	}
	tr.age(noon, []core.TopicState{message("a//b", "\xff\x00"), message("/", "x"), message("\u202ex", "")})
	picture(tr.content(), fyne.NewSize(260, 400))
}

func TestTreePictures(t *testing.T) {
	for name, v := range map[string]fyne.ThemeVariant{"tree-light": theme.VariantLight, "tree-dark": theme.VariantDark} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, lab(t))
			variant(v)
			tr := plant(t, d)
			d.choose(item{place: "blue/lab/kit-1"})
			tr.body.MouseDown(at(tr, "kit-2"))
			tr.body.Dragged(&fyne.DragEvent{PointEvent: at(tr, "hall").PointEvent})
			test.AssertImageMatches(t, name+".png", picture(tr.content(), fyne.NewSize(300, 460)))
		})
	}
}

// BenchmarkTree is a frame of a tree of 1,000 topics of which 500 have other
// values: as it ages, as it is scrolled, and as it is made anew.
func BenchmarkTree(b *testing.B) {
	h := newHouse()
	h.d = large(1000)
	d := newDesk(b, h)
	var changed []core.TopicState
	for i, t := range h.d.Topics {
		if i%2 == 0 {
			changed = append(changed, message(t.Name, fmt.Sprint(i)))
		}
	}
	live := map[topic.Name]core.TopicState{}
	for _, s := range changed {
		live[s.Last.Topic] = s
	}
	tr := plant(b, d)
	tr.e = quick{d, live}
	b.Run("values", func(b *testing.B) {
		for i := range b.N {
			tr.age(noon.Add(time.Duration(i)*100*time.Millisecond), changed)
		}
	})
	b.Run("scroll", func(b *testing.B) {
		most := tr.body.MinSize().Height - tr.scroll.Size().Height
		for i := range b.N {
			tr.scroll.ScrollToOffset(fyne.NewPos(0, float32(i*37%int(most))))
		}
	})
	b.Run("design", func(b *testing.B) {
		for range b.N {
			tr.rebuild()
		}
	})
	b.Run("search", func(b *testing.B) {
		for i := range b.N {
			tr.search.SetText(fmt.Sprint("value-", i%5))
		}
	})
}

// quick looks values up in a map, as the screen does.
type quick struct {
	*desk
	values map[topic.Name]core.TopicState
}

func (q quick) live(n topic.Name) (core.TopicState, bool) {
	s, ok := q.values[n]
	return s, ok
}

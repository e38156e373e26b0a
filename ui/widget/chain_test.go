package widget

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"

	"homeroom/assets/lang"
	"homeroom/core"
)

// whyLamp is why a lamp is on: a press, a rule, and what came of it.
func whyLamp() core.Chain {
	at := func(ms int) time.Time { return time.Date(2026, 3, 14, 10, 4, 12, ms*1e6, time.Local) }
	steps := []core.Step{
		{At: at(306), Kind: core.StepMessage, Say: core.Say("something that you may not read")},
		{At: at(310), Kind: core.StepMessage, Topic: "blue/lab/button", Value: "turn on", Who: "kit-2", Say: core.Say("button pressed by {who}: {topic} = {value}", "who", "kit-2", "topic", "button", "value", "turn on"), After: 4 * time.Millisecond},
		{At: at(319), Kind: core.StepDelivered, Topic: "blue/lab/button", Value: "turn on", Who: "ESP_Choice", Say: core.Say("delivered to {who}", "who", "ESP_Choice"), After: 9 * time.Millisecond},
		{At: at(331), Kind: core.StepRule, Rule: "choice", Who: "Choice", Likely: true, After: 12 * time.Millisecond,
			Say: core.Say("{kit} decided by this rule; it had {inputs}", "kit", "ESP_Choice", "inputs", "brightness 80 %, button turn on, presence nobody, and a door that has been open since this morning")},
		{At: at(331), Kind: core.StepMessage, Topic: "blue/lab/light", Value: "On", Who: "ESP_Choice", Say: core.Say("{who} set {topic} = {value}", "who", "ESP_Choice", "topic", "light", "value", "On"), Likely: true},
	}
	for i, who := range []string{"kit-1", "kit-6", "dashboard of team blue with a long name", "Ms. Kim (mqttx_7a)", "kit-9"} {
		steps = append(steps, core.Step{At: at(340 + 5*i), Kind: core.StepDelivered, Topic: "blue/lab/light", Value: "On", Who: who, Say: core.Say("delivered to {who}", "who", who), After: time.Duration(9+5*i) * time.Millisecond})
	}
	steps = append(steps,
		core.Step{At: at(400), Kind: core.StepRule, Rule: "count", Who: "Count", Say: core.Say("acted"), After: 69 * time.Millisecond},
		core.Step{At: at(412), Kind: core.StepMessage, Topic: "blue/lab/lit", Value: "7", Who: "Count", Say: core.Say("{topic} = {value}", "topic", "lit", "value", 7), After: 81 * time.Millisecond},
		core.Step{At: at(2500), Kind: core.StepRefused, Topic: "blue/lab/light", Who: "kit-4", Say: core.Say("{name} may not publish to {topic}.", "name", "kit-4", "topic", "blue/lab/light"), After: 2169 * time.Millisecond})
	return core.Chain{Topic: "blue/lab/light", Steps: steps, Effect: 4}
}

// chain returns a picture of c, laid out at that size.
func chain(t testing.TB, c core.Chain, size fyne.Size) *Chain {
	w := NewChain()
	win := test.NewTempWindow(t, w)
	win.SetPadded(false)
	win.Resize(size)
	w.Set(c)
	return w
}

func TestChainPictures(t *testing.T) {
	for name, c := range map[string]struct {
		variant fyne.ThemeVariant
		lang    lang.Language
		size    fyne.Size
	}{
		"light":  {theme.VariantLight, lang.English, fyne.NewSize(860, 800)},
		"dark":   {theme.VariantDark, lang.French, fyne.NewSize(860, 800)},
		"wide":   {theme.VariantDark, lang.English, fyne.NewSize(1900, 900)},
		"narrow": {theme.VariantLight, lang.English, fyne.NewSize(420, 900)},
	} {
		t.Run(name, func(t *testing.T) {
			variant(t, c.variant)
			t.Cleanup(func() { lang.Use(lang.English, "") })
			lang.Use(c.lang, "")
			w := chain(t, whyLamp(), c.size)
			img := picture(container.NewStack(canvas.NewRectangle(themeColor(theme.ColorNameBackground)), w), c.size, 1)
			keep(t, "chain-"+name, img)
			test.AssertImageMatches(t, "chain-"+name+".png", img)
		})
	}
}

// keep writes a picture where a person looks at it, if PICTURES says where.
func keep(t *testing.T, name string, img image.Image) {
	dir := os.Getenv("PICTURES")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, name+".png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

// TestChainCards: no card lies on another, all are within the picture, and each
// can be tapped, by the keyboard too.
func TestChainCards(t *testing.T) {
	variant(t, theme.VariantLight)
	for _, width := range []float32{330, 420, 700, 1280, 1920} {
		w := chain(t, whyLamp(), fyne.NewSize(width, 500))
		var tapped []core.Step
		w.OnTapped = func(s core.Step) { tapped = append(tapped, s) }
		for i, m := range w.body.marks {
			if m.x < w.body.left+chainLeft || m.x+m.w > width || m.y+m.h > w.body.height || m.h < 30 {
				t.Errorf("at %v: card %d is at %v,%v, %v by %v of %v", width, i, m.x, m.y, m.w, m.h, w.body.height)
			}
			for j, o := range w.body.marks[:i] {
				if m.x < o.x+o.w && o.x < m.x+m.w && m.y < o.y+o.h && o.y < m.y+m.h {
					t.Errorf("at %v: card %d lies on %d", width, i, j)
				}
			}
			m.card.FocusGained()
			if top := w.scroll.Offset.Y; m.y < top || m.y+m.h > top+500 {
				t.Errorf("at %v: card %d has the focus and is not seen", width, i)
			}
			m.card.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
			m.card.FocusLost()
			test.Tap(m.card)
			if len(tapped) != 2*i+2 || tapped[2*i].Say.Format != m.step.Say.Format || !tapped[2*i+1].At.Equal(m.step.At) {
				t.Fatalf("tapped %d times", len(tapped))
			}
		}
		if w.OnTapped = nil; len(w.body.marks) > 0 {
			test.Tap(w.body.marks[0].card)
		}
	}
}

// TestChainIsRead: what a screen reader is told has everything that is drawn.
func TestChainIsRead(t *testing.T) {
	variant(t, theme.VariantLight)
	w := chain(t, whyLamp(), fyne.NewSize(700, 500))
	for i, want := range map[int]string{
		0: "10:04:12.306, something that you may not read",
		3: "10:04:12.331, +12 ms, Choice, probably, ESP_Choice decided by this rule; it had brightness 80 %",
		5: "10:04:12.340, +9 ms, kit-1, delivered to kit-1",
	} {
		if got := w.body.marks[i].card.AccessibilityLabel(); !strings.HasPrefix(got, want) {
			t.Errorf("%d: %q, want %q", i, got, want)
		}
	}
}

// TestChainExtremes: nothing, everything, and what somebody evil sent.
func TestChainExtremes(t *testing.T) {
	variant(t, theme.VariantDark)
	w := chain(t, core.Chain{}, fyne.NewSize(600, 400))
	if w.body.MinSize().Height > 40 || len(w.body.marks) != 0 {
		t.Errorf("nothing is %v high", w.body.MinSize().Height)
	}
	evil := strings.Repeat("<b>\u202e x", 50_000)
	var steps []core.Step
	for i := range 60 {
		kind := []core.StepKind{core.StepMessage, core.StepRule, core.StepDelivered, core.StepRefused, "new"}[i%5]
		steps = append(steps, core.Step{Kind: kind, Who: evil, Value: evil, Topic: "a", Say: core.Say("{x}", "x", evil), Likely: i%2 == 0, After: -time.Second})
	}
	for _, effect := range []int{0, 40, 59} {
		w.Set(core.Chain{Steps: steps, Effect: effect})
		picture(w, fyne.NewSize(600, 400), 1)
		w.Resize(fyne.NewSize(0, 0))
	}
	w.Set(core.Chain{Steps: steps[:1]})
	if w.body.height > 200 {
		t.Errorf("one step is %v high", w.body.height)
	}
}

func TestWrapped(t *testing.T) {
	variant(t, theme.VariantLight)
	for _, c := range []struct {
		text  string
		width float32
		most  int
	}{{"", 100, 3}, {"one", 1000, 3}, {"a few words that go on and on", 90, 9}, {"가나다라마바사아자차카타파하 가나다", 60, 9}, {strings.Repeat("x", 300), 50, 3}, {"ab cd", 1, 9}, {"  two\n lines ", 300, 2}} {
		lines := wrapped(c.text, c.width, 14, c.most)
		all := strings.Join(lines, "")
		want := strings.Join(strings.Fields(c.text), "")
		if got := strings.ReplaceAll(all, " ", ""); len(lines) > c.most || got != want && !strings.HasSuffix(all, "…") {
			t.Errorf("%q: %q", c.text, lines)
		}
		for _, l := range lines {
			if len([]rune(l)) > 1 && textWidth(l, 14) > c.width {
				t.Errorf("%q is wider than %v", l, c.width)
			}
		}
	}
	if got := fmt.Sprint(wrapped("a few words", 1000, 14, 2)); got != "[a few words]" {
		t.Error(got)
	}
}

package plan

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/software"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
	"homeroom/ui/widget/widgettest"
)

// desk is an editor without a canvas, on a house in memory. It does everything at once.
type desk struct {
	*house
	sh      *widgettest.Shell
	items   []item
	batches []core.Batch
	moves   []string
	gone    []item
	deeds   []string
	removal []core.Removal
	back    []int64
	ms      []core.Message
	chain   core.Chain
	may     []string
	parts   []interface{ show() } // told of every change
}

func newDesk(t testing.TB, h *house) *desk {
	return newDeskIn(t, h, test.Theme())
}

func newDeskIn(t testing.TB, h *house, l fyne.Theme) *desk {
	return &desk{house: h, sh: newShell(t, l)}
}

// newShell returns a Shell like widgettest.New, but all tests share an app: a new
// one reads all fonts again, and so does another theme.
func newShell(t testing.TB, l fyne.Theme) *widgettest.Shell {
	if shared == nil {
		shared = test.NewApp()
	}
	if fyne.CurrentApp() != shared {
		fyne.SetCurrentApp(shared)
	}
	use(l)
	return &widgettest.Shell{T: t, Win: test.NewTempWindow(t, nil)}
}

var shared fyne.App

// use makes l the theme.
func use(l fyne.Theme) {
	if s := fyne.CurrentApp().Settings(); s.Theme() != l {
		s.SetTheme(l)
	}
}

func (d *desk) design() *core.Design { return d.d }
func (d *desk) chosen() []item       { return d.items }
func (d *desk) shell() widget.Shell  { return d.sh }

func (d *desk) live(n topic.Name) (core.TopicState, bool) {
	for i := len(d.values) - 1; i >= 0; i-- {
		if d.values[i].Last.Topic == n {
			return d.values[i], true
		}
	}
	return core.TopicState{}, false
}

func (d *desk) choose(items ...item) {
	d.items = slices.Clone(items)
	d.tell()
}

func (d *desk) tell() {
	for _, p := range d.parts {
		p.show()
	}
}

func (d *desk) change(b core.Batch) {
	d.batches = append(d.batches, b)
	d.sh.Do(func(ctx context.Context) (func(), error) { return nil, d.Change(ctx, b) })
	d.tell()
}

func (d *desk) move(from, to topic.Name) {
	d.moves = append(d.moves, fmt.Sprint(from, " > ", to))
	d.sh.Do(func(ctx context.Context) (func(), error) {
		_, err := d.MoveTopics(ctx, from, to, true)
		return nil, err
	})
	d.tell()
}

func (d *desk) remove(items ...item) { d.gone = append(d.gone, items...) }

func (d *desk) Removals() []core.Removal { return d.removal }
func (d *desk) UndoRemove(_ context.Context, id int64) error {
	d.back = append(d.back, id)
	return nil
}
func (d *desk) Messages(uint64, int) ([]core.Message, uint64, uint64) { return d.ms, 0, 0 }
func (d *desk) Why(context.Context, topic.Name, time.Time) (core.Chain, error) {
	return d.chain, nil
}
func (d *desk) MayUse(topic.Filter, core.Action) []string { return d.may }
func (d *desk) Press(_ context.Context, k topic.Name, s topic.ID, down bool) error {
	d.deeds = append(d.deeds, fmt.Sprint("press ", k, " ", s, " ", down))
	return nil
}
func (d *desk) Turn(_ context.Context, k topic.Name, s topic.ID, v string) error {
	d.deeds = append(d.deeds, fmt.Sprint("turn ", k, " ", s, " ", v))
	return nil
}
func (d *desk) Break(_ context.Context, k topic.Name, f core.Fault, on bool) error {
	d.deeds = append(d.deeds, fmt.Sprint("break ", k, " ", f, " ", on))
	return nil
}

// all is the desk as everything that a part asks for.
func (d *desk) all() Parts { return Parts{d, d, d, d, d, d, d} }

// put shows a part in the window.
func (d *desk) put(o fyne.CanvasObject, size fyne.Size) {
	d.sh.Win.SetPadded(false)
	d.sh.Win.SetContent(o)
	d.sh.Win.Resize(size)
}

// inspect opens the inspector on items.
func inspect(t testing.TB, d *desk, items ...item) *inspector {
	d.items = items
	i := newInspector(d, d.all())
	d.parts = append(d.parts, i)
	d.put(i.content(), fyne.NewSize(340, 2400))
	i.age(noon, nil)
	return i
}

// field returns the entry under a label.
func field(t testing.TB, i *inspector, label string) *typed {
	t.Helper()
	if e := below(i.form.rows, label); e != nil {
		return &typed{entry: e}
	}
	t.Fatalf("no field is called %q", label)
	return nil
}

// below returns the entry that follows the label.
func below(rows []fyne.CanvasObject, label string) (found *fieldEntry) {
	seen := false
	var walk func(o fyne.CanvasObject)
	walk = func(o fyne.CanvasObject) {
		switch o := o.(type) {
		case *fw.Label:
			seen = seen || o.Text == label
		case *fieldEntry:
			if seen && found == nil {
				found = o
			}
		case *fyne.Container:
			for _, k := range o.Objects {
				walk(k)
			}
		case *widget.Fold:
			for _, k := range test.WidgetRenderer(o).Objects() {
				walk(k)
			}
		}
	}
	for _, r := range rows {
		walk(r)
	}
	return found
}

// fill types into the field under a label and leaves it.
func fill(t testing.TB, i *inspector, label, text string) {
	t.Helper()
	e := field(t, i, label).entry
	e.FocusGained()
	e.SetText(text)
	e.FocusLost()
}

// said returns all that labels in view say.
func saidIn(o fyne.CanvasObject) string {
	var all []string
	var walk func(o fyne.CanvasObject)
	walk = func(o fyne.CanvasObject) {
		if !o.Visible() {
			return
		}
		switch o := o.(type) {
		case *fw.Label:
			all = append(all, o.Text)
		case *fw.Button:
			all = append(all, "["+o.Text+"]")
		case *fw.Hyperlink:
			all = append(all, o.Text)
		case *fyne.Container:
			for _, k := range o.Objects {
				walk(k)
			}
		case fyne.Widget:
			for _, k := range test.WidgetRenderer(o).Objects() {
				walk(k)
			}
		}
	}
	walk(o)
	return strings.Join(all, "\n")
}

// find returns the first object in o that fits.
func find[T fyne.CanvasObject](t testing.TB, o fyne.CanvasObject, fits func(T) bool) T {
	t.Helper()
	var found T
	ok := false
	var walk func(o fyne.CanvasObject)
	walk = func(o fyne.CanvasObject) {
		if ok {
			return
		}
		if x, is := o.(T); is && fits(x) {
			found, ok = x, true
			return
		}
		switch o := o.(type) {
		case *fyne.Container:
			for _, k := range o.Objects {
				walk(k)
			}
		case fyne.Widget:
			for _, k := range test.WidgetRenderer(o).Objects() {
				walk(k)
			}
		}
	}
	walk(o)
	if !ok {
		t.Fatalf("no such %T in\n%s", found, saidIn(o))
	}
	return found
}

// push presses the button that says text.
func push(t testing.TB, o fyne.CanvasObject, text string) {
	t.Helper()
	test.Tap(find(t, o, func(b *fw.Button) bool { return b.Visible() && b.Text == text }))
}

// options returns the choice that has that word.
func options(t testing.TB, o fyne.CanvasObject, word string) *fw.Select {
	t.Helper()
	return find(t, o, func(s *fw.Select) bool { return slices.Contains(s.Options, word) })
}

// fixed is the standard theme, light or dark.
type fixed struct {
	fyne.Theme
	v fyne.ThemeVariant
}

func (f fixed) Color(n fyne.ThemeColorName, _ fyne.ThemeVariant) color.Color {
	switch {
	case (n == theme.ColorNamePlaceHolder || n == theme.ColorNameDisabled) && f.v == theme.VariantLight:
		return color.NRGBA{0x5b, 0x66, 0x7b, 255} // as in Homeroom's theme: Fyne's can hardly be read
	case n == theme.ColorNamePlaceHolder, n == theme.ColorNameDisabled:
		return color.NRGBA{0x9b, 0xa6, 0xbb, 255}
	case n == widget.ColorWarningTint && f.v == theme.VariantLight:
		return color.NRGBA{0xff, 0xf3, 0xdc, 255}
	case n == widget.ColorSuccessTint && f.v == theme.VariantLight:
		return color.NRGBA{0xe3, 0xf5, 0xe9, 255}
	}
	return f.Theme.Color(n, f.v)
}

// variant makes the pictures of the test light or dark.
func variant(v fyne.ThemeVariant) {
	use(fixed{theme.DefaultTheme(), v})
}

// picture draws o on the colour of the background.
func picture(o fyne.CanvasObject, size fyne.Size) image.Image {
	cv := software.NewCanvas()
	cv.SetPadded(false)
	cv.SetContent(container.NewStack(canvas.NewRectangle(theme.Color(theme.ColorNameBackground)), o))
	cv.Resize(size)
	return cv.Capture()
}

// lab is a house with one room, two kits and topics of every kind.
func lab(t testing.TB) *house {
	h := newHouse()
	h.accounts = []core.Account{
		{ID: 1, Name: "teacher", Label: "Ms Kim", Role: core.Teacher},
		{ID: 2, Name: "kit-1", Role: core.Kit, Team: "blue"}, {ID: 3, Name: "kit-2", Label: "Window", Role: core.Kit, Team: "blue"},
		{ID: 4, Name: "green-1", Label: "초록 1", Role: core.Student, Team: "green"},
	}
	k1, k2 := topic.Name("blue/lab/kit-1"), topic.Name("blue/lab/kit-2")
	b := core.Batch{
		Places: []core.Place{
			{Name: "blue", Kind: core.BranchPlace, Label: "Team Blue"},
			{Name: "blue/lab", Kind: core.RoomPlace, Label: "Lab", W: 320, H: 240},
			{Name: "blue/hall", Kind: core.RoomPlace},
			{Name: k1, Kind: core.KitPlace, Label: "Window desk", Role: core.AllKit, Account: "kit-1", Virtual: true, X: 10, Y: 20, Ports: []core.Port{
				{Slot: "button", Topic: k1 + "/button", Action: core.Publish, Toggle: true}, {Slot: "light", Topic: k1 + "/light", Action: core.Subscribe},
				{Slot: "brightness", Topic: k1 + "/brightness", Action: core.Publish}}},
			{Name: k2, Kind: core.KitPlace, Role: core.AnyKit, Account: "kit-2", X: 90, Y: 70, Ports: []core.Port{{Slot: "mode", Topic: k2 + "/mode", Action: core.Publish}}},
		},
		Topics: []core.Topic{
			{Name: k1 + "/brightness", Description: core.Description{Label: "Brightness", Unit: "%"}, Text: "How bright it is at the window.", Kind: core.Number, Max: 100, Step: 1, QoS: 1, Retain: true},
			{Name: k1 + "/button", Kind: core.Boolean, Options: []string{"turn on", "turn off"}},
			{Name: k1 + "/light", Description: core.Description{Label: "조명"}, Kind: core.Boolean, Options: []string{"On", "Off"}, Writable: true, QoS: 1, Retain: true},
			{Name: k2 + "/mode", Kind: core.Enumeration, Options: []string{"auto", "manual"}},
			{Name: k2 + "/air", Kind: core.JSON},
			{Name: "state_led", Kind: core.Text},
		},
		Rules:  []core.Rule{{ID: "dark", Label: "Dark", Inputs: []core.Input{{Name: "b", Topic: k1 + "/brightness"}}, Then: []core.Act{{Topic: k1 + "/light", Value: "b < 20"}}}},
		Alarms: []core.Alarm{{ID: "bright", Topic: k1 + "/brightness", Kind: core.AlarmAbove, Limit: 90}},
	}
	if err := h.Change(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	h.say(k1+"/brightness", "80", noon.Add(-3*time.Second))
	h.say(k1+"/light", "On", noon.Add(-40*time.Second))
	h.say(k1+"/brightnes", "79", noon)
	h.say(k1+"/$state", "ready", noon.Add(-time.Minute))
	h.say(k2+"/$state", "lost", noon.Add(-time.Hour))
	return h
}

// failing knows nothing.
type failing struct{}

func (failing) Why(context.Context, topic.Name, time.Time) (core.Chain, error) {
	return core.Chain{}, errDisk
}

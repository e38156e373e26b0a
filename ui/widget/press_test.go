package widget_test

import (
	"image/color"
	"slices"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/ui/widget"
)

// place is an item as screens make them.
type place struct {
	widget.Item
	drawn int
}

func (p *place) Refresh() {
	p.drawn++
	p.Item.Refresh()
}

func newPlace(name string, press func()) *place {
	p := &place{}
	p.OnPress, p.Body = press, fw.NewLabel(name)
	p.ExtendBaseWidget(p)
	return p
}

// ground is what is behind the body of an item.
func (p *place) ground() *canvas.Rectangle {
	for _, o := range test.LaidOutObjects(p) {
		if r, ok := o.(*canvas.Rectangle); ok {
			return r
		}
	}
	return nil
}

// TestItem: mouse and keyboard press what can be pressed; what it has no use for
// is the window's.
func TestItem(t *testing.T) {
	test.NewTempApp(t)
	pressed := 0
	p := newPlace("Kits", func() { pressed++ })
	w := test.NewTempWindow(t, p)
	var keys []fyne.KeyName
	w.Canvas().SetOnTypedKey(func(k *fyne.KeyEvent) { keys = append(keys, k.Name) })
	test.Tap(p)
	w.Canvas().Focus(p)
	for _, k := range []fyne.KeyName{fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter, fyne.KeyEscape, fyne.KeyF5, fyne.KeyDown} {
		p.TypedKey(&fyne.KeyEvent{Name: k})
	}
	if pressed != 4 || !slices.Equal(keys, []fyne.KeyName{fyne.KeyEscape, fyne.KeyF5, fyne.KeyDown}) {
		t.Errorf("pressed %d times of 4; the window got %v", pressed, keys)
	}
	p.SetDisabled(true)
	test.Tap(p)
	p.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	if pressed != 4 || len(keys) != 3 || p.Cursor() != desktop.DefaultCursor {
		t.Error("one that is disabled can be pressed")
	}
	if p.SetDisabled(false); p.Cursor() != desktop.PointerCursor {
		t.Error("the mouse does not tell that it can be pressed")
	}
	p.OnPress = nil
	test.Tap(p)
}

// TestItemLooks: an item shows where the mouse is, where the keyboard, and which is chosen.
func TestItemLooks(t *testing.T) {
	test.NewTempApp(t)
	p := newPlace("Kits", func() {})
	var lit []bool
	p.OnLight = func(on bool) { lit = append(lit, on) }
	w := test.NewTempWindow(t, p)
	looks := func(step string, fill color.Color, ring float32) {
		t.Helper()
		if g := p.ground(); g.FillColor != fill || g.StrokeWidth != ring {
			t.Errorf("%s: fill %v, ring %v; want %v, %v", step, g.FillColor, g.StrokeWidth, fill, ring)
		}
	}
	looks("at first", nil, 0)
	p.MouseIn(&desktop.MouseEvent{})
	looks("under the mouse", theme.Color(theme.ColorNameHover), 0)
	drawn := p.drawn
	if p.MouseIn(&desktop.MouseEvent{}); p.drawn != drawn {
		t.Error("it is drawn again though nothing changed")
	}
	w.Canvas().Focus(p)
	p.MouseOut()
	looks("with the keyboard", nil, 2)
	p.Choose(true)
	looks("chosen", theme.Color(theme.ColorNameSelection), 2)
	w.Canvas().Unfocus()
	p.Choose(false)
	p.SetDisabled(true)
	p.MouseIn(&desktop.MouseEvent{})
	looks("disabled under the mouse", nil, 0)
	if !slices.Equal(lit, []bool{true, true, true, false, true}) {
		t.Errorf("lit %v", lit)
	}
}

package widget

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
)

// fourBoards is the house of the class: four kits in two rooms of a team, and
// another team beside it.
func fourBoards() HouseScene {
	at := func(ago time.Duration) time.Time { return noon.Add(-ago) }
	return HouseScene{
		Areas: []HouseArea{
			{ID: "blue", Title: "Team Blue", Sub: "blue", X: 0, Y: 0, W: 832, H: 480},
			{ID: "blue/living", In: "blue", Title: "Living room", Sub: "living", X: 24, Y: 56, W: 488, H: 400},
			{ID: "blue/hall", In: "blue", Title: "Entrée", Sub: "hall", X: 544, Y: 56, W: 264, H: 400},
			{ID: "red", Title: "Team Red", Sub: "red", X: 864, Y: 0, W: 312, H: 480},
			{ID: "red/lab", In: "red", Title: "Lab", X: 24, Y: 56, W: 264, H: 240},
		},
		Tiles: []HouseTile{
			{ID: "blue/living/sensor", In: "blue/living", Title: "Sensor", Sub: "ESP_Sensor", Icon: theme.VisibilityIcon(), X: 16, Y: 48, Online: true, Known: true, Ports: []HousePort{
				{ID: "p1", Title: "brightness", Value: "80.5 %", Out: true, Hue: 1, Paint: PaintAlive, At: at(200 * time.Millisecond)},
				{ID: "p2", Title: "presence", Value: "true", Out: true, Hue: 2, Paint: PaintAlive, At: at(40 * time.Second)},
				{ID: "p3", Title: "brightnes", Value: "80", Out: true, Hue: 3, Paint: PaintStray, At: at(2 * time.Second)},
			}},
			{ID: "blue/living/button", In: "blue/living", Title: "Button", Sub: "ESP_Button", Icon: theme.RadioButtonCheckedIcon(), X: 16, Y: 224, Online: false, Known: true, Virtual: false, Note: "silent for 2 minutes", Ports: []HousePort{
				{ID: "p4", Title: "button", Value: "turn on", Out: true, Hue: 4, Paint: PaintAlive, At: at(15 * time.Minute)},
			}},
			{ID: "blue/living/choice", In: "blue/living", Title: "ESP_Choice with a very long name that does not fit", Sub: "decides", Icon: theme.SettingsIcon(), X: 256, Y: 128, Online: true, Known: true, Virtual: true, Ports: []HousePort{
				{ID: "p5", Title: "brightness", Value: "80.5 %", In: true, Hue: 1, Paint: PaintAlive, At: at(200 * time.Millisecond)},
				{ID: "p6", Title: "button", Value: "turn on", In: true, Hue: 4, Paint: PaintAlive, At: at(15 * time.Minute)},
				{ID: "p7", Title: "light", Value: "On", Out: true, Hue: 0, Paint: PaintAlive, At: at(500 * time.Millisecond)},
			}},
			{ID: "blue/hall/lamp", In: "blue/hall", Title: "Plafonnier", Sub: "ESP_Light", Icon: theme.HomeIcon(), X: 24, Y: 64, Online: true, Known: true, Ports: []HousePort{
				{ID: "p8", Title: "light", Value: "On", In: true, Hue: 0, Paint: PaintAlive, At: at(500 * time.Millisecond)},
				{ID: "p9", Title: "door", Value: "open", In: true, Out: true, Hue: 5, Paint: PaintRefused, At: at(time.Second)},
				{ID: "p10", Title: "power", Out: true, Hue: 6},
			}},
			{ID: "red/lab/kit-1", In: "red/lab", Title: "kit-1", Sub: "all on one board", Icon: theme.ComputerIcon(), X: 24, Y: 56, Virtual: true, Ports: []HousePort{
				{ID: "p11", Title: "state_led", Value: "1", In: true, Out: true, Hue: 0, Paint: PaintAlive, At: at(5 * time.Second)},
				{ID: "p12", Title: "humidity", Out: true, Hue: 2},
			}},
		},
		Links: []HouseLink{
			{ID: "l1", From: "p1", To: "p5", Title: "blue/living/sensor/brightness", Paint: PaintAlive, At: at(200 * time.Millisecond)},
			{ID: "l2", From: "p4", To: "p6", Title: "blue/living/button/button", Paint: PaintAlive, At: at(15 * time.Minute)},
			{ID: "l3", From: "p7", To: "p8", Title: "light", Paint: PaintAlive, Rule: true, At: at(500 * time.Millisecond)},
			{ID: "l4", From: "p10", To: "p11", Title: "power"},
			{ID: "l5", From: "p2", To: "p9", Title: "door", Paint: PaintRefused, At: at(time.Second)},
		},
	}
}

// house returns a house of s, laid out at that size.
func house(t testing.TB, s HouseScene, size fyne.Size) *House {
	h := NewHouse()
	h.Commit(noon)
	h.SetScene(s)
	w := test.NewTempWindow(t, h)
	w.SetPadded(false)
	w.Resize(size)
	return h
}

func TestHousePictures(t *testing.T) {
	for name, c := range map[string]struct {
		variant fyne.ThemeVariant
		size    fyne.Size
		scale   float32
		set     func(h *House)
	}{
		"light": {theme.VariantLight, fyne.NewSize(1200, 560), 1, nil},
		"dark":  {theme.VariantDark, fyne.NewSize(1200, 560), 1, func(h *House) { h.Choose("blue/living/choice", "p7") }},
		"fine": {theme.VariantLight, fyne.NewSize(380, 260), 2, func(h *House) {
			h.FitTo("blue/hall/lamp")
			h.FocusGained()
		}},
		"far": {theme.VariantDark, fyne.NewSize(900, 500), 1, func(h *House) { h.SetScene(class(8)) }},
		"middle": {theme.VariantLight, fyne.NewSize(700, 520), 1, func(h *House) {
			h.SetScene(class(1))
			h.FitTo("team-1")
		}},
		"drag": {theme.VariantLight, fyne.NewSize(1200, 560), 1, func(h *House) {
			h.press = &housePress{at: h.onto(120, 300), hit: h.hit(h.onto(120, 300))}
			h.Choose("blue/living/button")
			h.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: h.onto(120, 300)}})
			h.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: h.onto(630, 362)}})
		}},
		"wire": {theme.VariantDark, fyne.NewSize(1200, 560), 1, func(h *House) {
			h.Choose("p2")
			h.startJoin()
		}},
		"empty": {theme.VariantLight, fyne.NewSize(640, 360), 1, func(h *House) {
			h.SetScene(HouseScene{})
			h.SetEmpty("Nothing is drawn yet\nTake a kit from the palette, or begin with a template: four boards, or a whole home.")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			variant(t, c.variant)
			h := house(t, fourBoards(), c.size)
			if c.set != nil {
				c.set(h)
			}
			test.AssertImageMatches(t, "house-"+name+".png", picture(h, c.size, c.scale))
		})
	}
}

// hands does to a house what the window's driver does, and notes what it tells.
type hands struct {
	*House
	t   *testing.T
	got []string
}

func handsOn(t *testing.T, s HouseScene, size fyne.Size) *hands {
	h := &hands{House: house(t, s, size), t: t}
	note := func(format string, args ...any) { h.got = append(h.got, fmt.Sprintf(format, args...)) }
	h.OnChosen = func(ids []string) { note("chosen %v", ids) }
	h.OnMoved = func(ms []HouseMove) { note("moved %v", ms) }
	h.OnResized = func(id string, x, y, w, hh float32) { note("resized %s %v %v %v %v", id, x, y, w, hh) }
	h.OnConnected = func(from, to string) { note("connected %s %s", from, to) }
	h.OnOpened = func(id string) { note("opened %s", id) }
	h.OnMenu = func(id string, _ fyne.Position) { note("menu %s", id) }
	h.OnKey = func(name fyne.KeyName, mod fyne.KeyModifier) bool { note("key %s %d", name, mod); return true }
	h.OnDropped = func(what, in string, x, y float32) { note("dropped %s %s %v %v", what, in, x, y) }
	h.OnLink = func(id string) { note("link %s", id) }
	h.look(1, 0, 0)
	return h
}

// look sets the view: at this zoom, with (x, y) of the ground at the upper left.
func (h *hands) look(zoom, x, y float32) {
	h.zoom, h.ox, h.oy, h.viewed = zoom, -x*zoom, -y*zoom, true
}

// wants fails where something else was told since the last time.
func (h *hands) wants(want ...string) {
	h.t.Helper()
	if !slices.Equal(h.got, want) {
		h.t.Errorf("told %q, want %q", h.got, want)
	}
	h.got = nil
}

func (h *hands) down(x, y float32, button desktop.MouseButton, mod fyne.KeyModifier) {
	h.MouseMoved(mouse(x, y))
	e := mouse(x, y)
	e.Button, e.Modifier = button, mod
	h.MouseDown(e)
}

func (h *hands) up(x, y float32, button desktop.MouseButton) {
	e := mouse(x, y)
	e.Button = button
	h.MouseUp(e)
	if h.drag != nil {
		h.DragEnd()
	}
}

func (h *hands) click(x, y float32, mod fyne.KeyModifier) {
	h.down(x, y, desktop.MouseButtonPrimary, mod)
	h.up(x, y, desktop.MouseButtonPrimary)
}

// pull holds a button down from one place to the next ones.
func (h *hands) pull(mod fyne.KeyModifier, button desktop.MouseButton, way ...float32) {
	h.down(way[0], way[1], button, mod)
	for i := 2; i < len(way); i += 2 {
		h.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(way[i], way[i+1])}, Dragged: fyne.NewDelta(way[i]-way[i-2], way[i+1]-way[i-1])})
	}
}

func (h *hands) dragged(way ...float32) {
	h.pull(0, desktop.MouseButtonPrimary, way...)
	h.up(way[len(way)-2], way[len(way)-1], desktop.MouseButtonPrimary)
}

func (h *hands) press(names ...fyne.KeyName) {
	for _, n := range names {
		h.TypedKey(&fyne.KeyEvent{Name: n})
	}
}

// plain is two branches: one with two rooms of a kit each, and one with a kit of its own.
func plain() HouseScene {
	port := func(id string, in, out bool) HousePort {
		return HousePort{ID: id, Title: id, Value: "1", In: in, Out: out, Paint: PaintAlive, At: noon}
	}
	return HouseScene{
		Areas: []HouseArea{
			{ID: "B", Title: "B", X: 0, Y: 0, W: 640, H: 400},
			{ID: "C", Title: "C", X: 680, Y: 0, W: 320, H: 400},
			{ID: "B1", In: "B", Title: "B1", X: 16, Y: 48, W: 296, H: 320},
			{ID: "B2", In: "B", Title: "B2", X: 328, Y: 48, W: 296, H: 320},
		},
		Tiles: []HouseTile{ // a is at 32..248, 96..208; b at 352..568, 96..184; c at 696..912, 64..152
			{ID: "a", In: "B1", Title: "a", X: 16, Y: 48, Ports: []HousePort{port("a1", false, true), port("a2", true, false)}},
			{ID: "b", In: "B2", Title: "b", X: 24, Y: 48, Ports: []HousePort{port("b1", true, true)}},
			{ID: "c", In: "C", Title: "c", X: 16, Y: 64, Ports: []HousePort{port("c1", true, false)}},
		},
		Links: []HouseLink{{ID: "l", From: "a1", To: "b1", Title: "l"}},
	}
}

func TestHouseHits(t *testing.T) {
	variant(t, theme.VariantLight)
	h := handsOn(t, plain(), fyne.NewSize(1040, 480))
	for _, c := range []struct {
		x, y float32
		kind hitKind
		id   string
	}{
		{20, 440, hitGround, ""}, {300, 200, hitArea, "B1"}, {320, 200, hitArea, "B"}, {100, 20, hitTitle, "B"}, {100, 70, hitTitle, "B1"},
		{640, 200, hitEdge, "B"}, {16, 200, hitEdge, "B1"}, {1000, 400, hitEdge, "C"},
		{100, 110, hitTile, "a"}, {100, 164, hitPort, "a1"}, {248, 164, hitSocket, "a1"}, {32, 188, hitSocket, "a2"}, {240, 188, hitPort, "a2"},
		{352, 164, hitSocket, "b1"}, {568, 164, hitSocket, "b1"}, {300, 164, hitWire, ""}, {700, 150, hitTile, "c"},
	} {
		if got := h.hit(fyne.NewPos(c.x, c.y)); got.kind != c.kind || got.id() != c.id {
			t.Errorf("at %v, %v is %d %q, want %d %q", c.x, c.y, got.kind, got.id(), c.kind, c.id)
		}
	}
	if in, x, y := h.At(fyne.NewPos(100, 100)); in != "B1" || x != 84 || y != 52 {
		t.Errorf("at 100, 100: %s %v %v", in, x, y)
	}
	h.look(0.2, 0, 0)
	if got := h.hit(fyne.NewPos(20, 33)); got.kind != hitTile || got.id() != "a" {
		t.Errorf("from far: %+v", got)
	}
}

func TestHouseChoosing(t *testing.T) {
	variant(t, theme.VariantLight)
	h := handsOn(t, plain(), fyne.NewSize(1040, 480))
	h.click(100, 110, 0)
	h.click(100, 164, 0)
	h.wants("chosen [a]", "chosen [a1]")
	h.click(400, 110, fyne.KeyModifierShift)
	h.click(700, 110, fyne.KeyModifierShortcutDefault)
	h.click(700, 110, fyne.KeyModifierShortcutDefault)
	h.wants("chosen [a1 b]", "chosen [a1 b c]", "chosen [a1 b]")
	h.click(400, 110, 0) // one of several, alone
	h.click(400, 110, 0)
	h.click(300, 300, 0)
	h.click(300, 164, 0)
	h.click(20, 440, 0)
	h.wants("chosen [b]", "chosen [B1]", "link l", "chosen []")
	h.TypedShortcut(&fyne.ShortcutSelectAll{})
	h.press(fyne.KeyEscape, fyne.KeyEscape)
	h.wants("chosen [a b c]", "chosen []", "key Escape 0")
	h.down(100, 110, desktop.MouseButtonSecondary, 0)
	h.up(100, 110, desktop.MouseButtonSecondary)
	h.TappedSecondary(&fyne.PointEvent{Position: fyne.NewPos(100, 110)})
	h.TappedSecondary(&fyne.PointEvent{Position: fyne.NewPos(20, 440)})
	h.TappedSecondary(&fyne.PointEvent{Position: fyne.NewPos(300, 164)})
	h.DoubleTapped(&fyne.PointEvent{Position: fyne.NewPos(400, 110)})
	h.wants("chosen [a]", "menu a", "menu ", "menu l", "opened b")
	h.Choose("b", "nobody", "b", "l", "c1", "B2")
	if got := h.Chosen(); !slices.Equal(got, []string{"b", "c1", "B2"}) {
		t.Errorf("chosen: %v", got)
	}
	h.wants()
}

func TestHouseMarquee(t *testing.T) {
	variant(t, theme.VariantLight)
	h := handsOn(t, plain(), fyne.NewSize(1040, 480))
	h.pull(fyne.KeyModifierShift, desktop.MouseButtonPrimary, 20, 440, 400, 170)
	h.up(400, 170, desktop.MouseButtonPrimary)
	h.wants("chosen [a b]")
	if h.ox != 0 || h.oy != 0 {
		t.Errorf("the view moved to %v, %v", h.ox, h.oy)
	}
	h.pull(fyne.KeyModifierShift, desktop.MouseButtonPrimary, 990, 440, 720, 100)
	h.press(fyne.KeyEscape)
	h.up(720, 100, desktop.MouseButtonPrimary)
	h.wants()
	if got := h.Chosen(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("after Escape: %v", got)
	}
	h.SetMarquee(true)
	h.dragged(990, 440, 720, 100)
	h.wants("chosen [c]")
	h.dragged(8, 230, 314, 470) // across a room, which is not wholly in it
	h.wants("chosen []")
	h.SetMarquee(false)
	h.look(1, 0, 0)
	h.dragged(990, 440, 960, 430)
	h.wants()
	if h.ox != -30 || h.oy != -10 {
		t.Errorf("dragging the ground moved the view to %v, %v", h.ox, h.oy)
	}
}

func TestHouseMoves(t *testing.T) {
	variant(t, theme.VariantLight)
	for _, c := range []struct {
		name string
		do   func(h *hands)
		want []string
	}{
		{"within its room, on the grid", func(h *hands) { h.dragged(100, 110, 111, 201) }, []string{"chosen [a]", "moved [{a B1 24 136}]"}},
		{"into another room", func(h *hands) { h.dragged(100, 110, 415, 300) }, []string{"chosen [a]", "moved [{a B2 16 200}]"}},
		{"into a branch", func(h *hands) { h.dragged(100, 110, 800, 320) }, []string{"chosen [a]", "moved [{a C 56 280}]"}},
		{"onto the ground", func(h *hands) { h.dragged(100, 110, 900, 440) }, []string{"chosen [a]", "moved [{a  832 424}]"}},
		{"against a wall", func(h *hands) { h.dragged(100, 110, 60, 60) }, []string{"chosen [a]", "moved [{a B1 8 40}]"}},
		{"nowhere", func(h *hands) { h.dragged(100, 110, 101, 111) }, []string{"chosen [a]"}},
		{"several", func(h *hands) {
			h.Choose("a", "b")
			h.dragged(100, 110, 116, 142)
		}, []string{"moved [{a B1 32 80} {b B2 40 80}]"}},
		{"several into another room", func(h *hands) {
			h.Choose("a", "b")
			h.dragged(420, 110, 820, 340)
		}, []string{"moved [{b C 328 280} {a C 8 280}]"}},
		{"a room in its branch", func(h *hands) { h.dragged(100, 70, 108, 90) }, []string{"chosen [B1]", "moved [{B1 B 24 72}]"}},
		{"a room into another branch", func(h *hands) { h.dragged(100, 70, 790, 100) }, []string{"chosen [B1]", "moved [{B1 C 24 80}]"}},
		{"a branch with all in it", func(h *hands) { h.dragged(100, 20, 100, 60) }, []string{"chosen [B]", "moved [{B  0 40}]"}},
		{"a branch is not dropped into another", func(h *hands) { h.dragged(720, 20, 416, 140) }, []string{"chosen [C]", "moved [{C  376 120}]"}},
		{"a room and a kit in it", func(h *hands) {
			h.Choose("a", "B1")
			h.dragged(100, 110, 116, 110)
		}, []string{"moved [{B1 B 32 48}]"}},
		{"Escape", func(h *hands) {
			h.pull(0, desktop.MouseButtonPrimary, 100, 110, 415, 300)
			h.press(fyne.KeyEscape)
			h.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(500, 300)}})
			h.up(500, 300, desktop.MouseButtonPrimary)
		}, []string{"chosen [a]"}},
		{"larger", func(h *hands) { h.dragged(312, 300, 325, 300) }, []string{"chosen [B1]", "resized B1 16 48 312 320"}},
		{"smaller than what is in it", func(h *hands) { h.dragged(312, 368, 40, 60) }, []string{"chosen [B1]", "resized B1 16 48 240 168"}},
		{"at the upper left", func(h *hands) { h.dragged(16, 48, 24, 64) }, []string{"chosen [B1]", "resized B1 24 64 288 304"}},
		{"Escape of a resize", func(h *hands) {
			h.pull(0, desktop.MouseButtonPrimary, 312, 300, 400, 300)
			h.press(fyne.KeyEscape)
			h.up(400, 300, desktop.MouseButtonPrimary)
		}, []string{"chosen [B1]"}},
		{"by the middle button", func(h *hands) {
			h.pull(0, desktop.MouseButtonTertiary, 100, 110, 130, 120)
			h.up(130, 120, desktop.MouseButtonTertiary)
			if h.ox != 30 || h.oy != 10 {
				h.t.Errorf("the view is at %v, %v", h.ox, h.oy)
			}
		}, nil},
		{"with the space bar", func(h *hands) {
			h.KeyDown(&fyne.KeyEvent{Name: fyne.KeySpace})
			h.dragged(100, 110, 130, 120)
			if h.ox != 30 || h.oy != 10 {
				h.t.Errorf("the view is at %v, %v", h.ox, h.oy)
			}
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := handsOn(t, plain(), fyne.NewSize(1040, 480))
			before := h.scene.boundsOf("a")
			c.do(h)
			h.wants(c.want...)
			if strings.HasPrefix(c.name, "Escape") && h.scene.boundsOf("a") != before {
				t.Errorf("a is at %v", h.scene.boundsOf("a"))
			}
			h.drawn.paint(1040, 480)
		})
	}
}

// TestHouseMovesWhileValuesArrive: the owner gives the scene again in the middle of a drag.
func TestHouseMovesWhileValuesArrive(t *testing.T) {
	variant(t, theme.VariantLight)
	h := handsOn(t, plain(), fyne.NewSize(1040, 480))
	h.pull(0, desktop.MouseButtonPrimary, 100, 110, 415, 300)
	h.SetPort("a1", "2", PaintAlive, noon.Add(time.Second))
	h.Commit(noon.Add(time.Second))
	h.SetScene(plain())
	if b := h.scene.boundsOf("a"); b.x0 != 344 || b.y0 != 248 {
		t.Errorf("in the hand it is at %v", b)
	}
	if got := h.scene.ports["a1"].Value; got != "2" {
		t.Errorf("the value is %q", got)
	}
	h.up(415, 300, desktop.MouseButtonPrimary)
	h.wants("chosen [a]", "moved [{a B2 16 200}]")

	h.SetScene(plain()) // the owner did not want it
	if b := h.scene.boundsOf("a"); b.x0 != 32 || b.y0 != 96 {
		t.Errorf("put back it is at %v", b)
	}
	h.pull(0, desktop.MouseButtonPrimary, 100, 110, 415, 300)
	s := plain()
	s.Tiles = s.Tiles[1:]
	s.Links = nil
	h.SetScene(s)
	h.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(500, 300)}})
	h.up(500, 300, desktop.MouseButtonPrimary)
	h.wants()
	if len(h.Chosen()) > 0 {
		t.Errorf("chosen: %v", h.Chosen())
	}
}

func TestHouseAlignsWithNeighbours(t *testing.T) {
	variant(t, theme.VariantLight)
	s := plain()
	s.Tiles[1].X = 21 // off the grid
	s.Tiles = append(s.Tiles, HouseTile{ID: "d", In: "B2", Title: "d", X: 40, Y: 208})
	h := handsOn(t, s, fyne.NewSize(1040, 480))
	h.pull(0, desktop.MouseButtonPrimary, 400, 270, 385, 270)
	if len(h.drag.lines) == 0 {
		t.Error("no line is drawn")
	}
	h.up(385, 270, desktop.MouseButtonPrimary)
	h.wants("chosen [d]", "moved [{d B2 21 208}]")
}

func TestHouseConnects(t *testing.T) {
	variant(t, theme.VariantLight)
	h := handsOn(t, plain(), fyne.NewSize(1040, 480))
	h.dragged(248, 164, 400, 140, 696, 172) // a1 → c1
	h.wants()
	h.dragged(248, 164, 400, 140, 700, 132)
	h.wants("connected a1 c1")
	h.dragged(696, 132, 568, 164) // c1 ← b1, drawn from where it goes in
	h.wants("connected b1 c1")
	h.dragged(248, 164, 100, 188) // its own other port
	h.wants("connected a1 a2")
	h.dragged(32, 188, 700, 132) // both read
	h.dragged(248, 164, 248, 164+300)
	h.wants()
	h.pull(0, desktop.MouseButtonPrimary, 248, 164, 400, 140, 700, 132)
	h.drawn.paint(1040, 480)
	h.press(fyne.KeyEscape)
	h.up(700, 132, desktop.MouseButtonPrimary)
	h.wants()

	h.Choose("a")
	h.press(fyne.KeyC, fyne.KeyTab)
	h.drawn.paint(1040, 480)
	h.press(fyne.KeyTab, fyne.KeyReturn)
	h.wants("chosen [a1]", "connected a1 c1")
	h.Choose("c")
	h.press(fyne.KeyC, fyne.KeyEnter)
	h.wants("chosen [c1]", "connected a1 c1")
	h.press(fyne.KeyC, fyne.KeyEscape, fyne.KeyReturn)
	h.wants("opened c1")
}

func TestHouseKeyboard(t *testing.T) {
	variant(t, theme.VariantLight)
	h := handsOn(t, plain(), fyne.NewSize(1040, 480))
	h.press(fyne.KeyTab, fyne.KeyTab)
	h.wants("chosen [a]", "chosen [b]")
	shift := &fyne.KeyEvent{Name: desktop.KeyShiftLeft}
	h.KeyDown(shift)
	h.press(fyne.KeyTab)
	if h.AcceptsTab() {
		t.Error("Shift+Tab does not leave at the first kit")
	}
	h.press(fyne.KeyRight)
	h.KeyUp(shift)
	h.press(fyne.KeyDown)
	h.wants("chosen [a]", "moved [{a B1 56 48}]", "moved [{a B1 56 56}]")
	h.press(fyne.KeyPageDown, fyne.KeyDown, fyne.KeyDown, fyne.KeyPageUp, fyne.KeyPageUp, fyne.KeyPageUp)
	h.wants("chosen [a1]", "chosen [a2]", "chosen [a]", "chosen [B1]", "chosen [B]")
	h.press(fyne.KeyPageDown)
	h.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyRight, Modifier: fyne.KeyModifierAlt})
	h.press(fyne.KeyDown)
	h.wants("chosen [B1]", "resized B1 16 48 304 320", "moved [{B1 B 16 56}]")
	h.press(fyne.KeyReturn, desktop.KeyMenu, fyne.KeyDelete, fyne.KeyF2)
	h.TypedShortcut(&fyne.ShortcutUndo{})
	h.TypedShortcut(&fyne.ShortcutCopy{})
	h.wants("opened B1", "menu B1", "key Delete 0", "key F2 0", "key Z 2", "key C 2")
	h.Choose("c")
	if h.AcceptsTab() {
		t.Error("Tab does not leave at the last kit")
	}
	h.Choose()
	h.look(1, 0, 0)
	h.press(fyne.KeyLeft)
	if h.ox != 64 {
		t.Errorf("with nothing chosen an arrow moved the view to %v", h.ox)
	}
	h.press(fyne.KeyF)
	fit := h.Zoomed()
	h.TypedRune('+')
	if h.Zoomed() <= fit {
		t.Error("+ does not zoom")
	}
	h.TypedRune('0')
	if h.Zoomed() != fit {
		t.Error("0 does not show all")
	}
	// A shortcut that its owner has no use for is the window's.
	h.OnKey = func(fyne.KeyName, fyne.KeyModifier) bool { return false }
	heard := false
	save := &desktop.CustomShortcut{KeyName: fyne.KeyS, Modifier: fyne.KeyModifierShortcutDefault}
	fyne.CurrentApp().Driver().AllWindows()[0].Canvas().AddShortcut(save, func(fyne.Shortcut) { heard = true })
	if cv := fyne.CurrentApp().Driver().CanvasForObject(h); cv == fyne.CurrentApp().Driver().AllWindows()[0].Canvas() {
		if h.TypedShortcut(save); !heard {
			t.Error("the window did not get the shortcut")
		}
	}
}

func TestHouseDrops(t *testing.T) {
	variant(t, theme.VariantLight)
	h := handsOn(t, plain(), fyne.NewSize(1040, 480))
	h.StartDrop("lamp", "Lamp", theme.HomeIcon())
	h.MouseMoved(mouse(420, 270))
	h.drawn.paint(1040, 480)
	h.click(420, 270, 0)
	h.click(420, 270, 0)
	h.wants("dropped lamp B2 56 192", "chosen [B2]")
	h.StartDrop("lamp", "Lamp", nil)
	h.press(fyne.KeyEscape)
	h.click(420, 270, 0)
	h.wants()
	h.MouseOut()
	h.StartDrop("lamp", "Lamp", nil)
	h.press(fyne.KeyDown, fyne.KeyReturn)
	h.wants("dropped lamp B2 72 176")
	h.StartDrop("lamp", "Lamp", nil) // dragged out of the palette: only the end is heard
	h.MouseMoved(mouse(30, 440))
	h.up(30, 440, desktop.MouseButtonPrimary)
	h.wants("dropped lamp  -8 416")
}

func TestHouseView(t *testing.T) {
	variant(t, theme.VariantLight)
	h := handsOn(t, plain(), fyne.NewSize(1040, 480))
	for _, dy := range []float32{25, -50, 10, 400, -4000} {
		at := fyne.NewPos(321, 123)
		x0, y0 := h.ground(at)
		h.Scrolled(&fyne.ScrollEvent{PointEvent: fyne.PointEvent{Position: at}, Scrolled: fyne.NewDelta(0, dy)})
		if x, y := h.ground(at); abs(x-x0) > 0.01 || abs(y-y0) > 0.01 {
			t.Errorf("zoomed to %v, %v, %v is under the pointer and not %v, %v", h.zoom, x, y, x0, y0)
		}
	}
	h.Zoom(100)
	if h.Zoomed() != zoomMax {
		t.Errorf("zoom %v", h.Zoomed())
	}
	h.Zoom(0.0001)
	if h.Zoomed() != zoomMin {
		t.Errorf("zoom %v", h.Zoomed())
	}
	h.look(1, 0, 0)
	h.KeyDown(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
	h.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.NewDelta(5, 30)})
	h.KeyUp(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
	h.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.NewDelta(20, 3)})
	if h.ox != 25 || h.oy != 33 || h.zoom != 1 {
		t.Errorf("the view is at %v, %v, %v", h.ox, h.oy, h.zoom)
	}
	h.look(1, 0, 0)
	if h.Reveal("b"); h.ox != 0 {
		t.Errorf("to see what is seen the view moved to %v", h.ox)
	}
	h.look(1, 600, 0)
	h.Reveal("a1")
	if b := h.scene.boundsOf("a1"); !(h.seen().holds(b.x0, b.y0) && h.seen().holds(b.x1, b.y1)) {
		t.Errorf("%v is not in %v", b, h.seen())
	}
	h.FitTo("b")
	if b, v := h.scene.boundsOf("b"), h.seen(); abs((b.x0+b.x1)-(v.x0+v.x1)) > 0.1 || abs((b.y0+b.y1)-(v.y0+v.y1)) > 0.1 {
		t.Errorf("%v is not in the middle of %v", b, v)
	}
	before := h.seen()
	h.Choose("a", "c")
	s := plain()
	s.Tiles[1].Title = "another"
	s.Tiles = slices.Insert(s.Tiles, 0, HouseTile{ID: "new", In: "B1"})
	h.SetScene(s)
	if !slices.Equal(h.Chosen(), []string{"a", "c"}) || h.seen() != before {
		t.Errorf("a new scene changed what is chosen to %v, or the view", h.Chosen())
	}
	h.wants()
	// Until a person does something all is shown; then nothing moves by itself.
	h.Fit()
	before = h.seen()
	s.Areas[1].W = 900
	h.SetScene(s)
	if h.seen() == before {
		t.Error("the house grew, and not all is shown")
	}
	before = h.seen()
	h.dragged(h.onto(720, 20).X, h.onto(720, 20).Y, h.onto(720, 20).X+40, h.onto(720, 20).Y)
	if h.seen() != before {
		t.Error("the view moved under the hand")
	}
	h.got = nil
	// What is dragged at the edge moves the view.
	h.look(1, 0, 0)
	h.pull(0, desktop.MouseButtonPrimary, 100, 110, 300, 475)
	h.creep()
	if h.oy >= 0 {
		t.Error("the view did not move")
	}
	h.up(300, 475, desktop.MouseButtonPrimary)
	if h.edge != nil {
		t.Error("the view still moves")
	}
}

// TestHouseDrawsWhatIsSeen: how much is drawn follows from the view and the zoom.
func TestHouseDrawsWhatIsSeen(t *testing.T) {
	variant(t, theme.VariantLight)
	h := handsOn(t, class(8), screen)
	counts := func() houseCounts {
		h.drawn.stale = true
		h.drawn.paint(1280, 800)
		return h.drawn.counts
	}
	h.Fit()
	if c := counts(); c != (houseCounts{areas: 48, tiles: 200, ports: 1000, links: 199, texts: 8}) || h.zoom >= zoomBlocks {
		t.Errorf("from far, at %v: %+v", h.zoom, c)
	}
	h.look(0.35, 0, 0)
	if c := counts(); c.tiles < 40 || c.tiles > 130 || c.texts < c.tiles || c.texts > 2*c.tiles {
		t.Errorf("in the middle: %+v", c)
	}
	h.look(1, 0, 0)
	if c := counts(); c.tiles < 8 || c.tiles > 24 || c.texts < 2*c.ports {
		t.Errorf("near: %+v", c)
	}
	h.look(1, -5000, -5000)
	if c := counts(); c != (houseCounts{}) {
		t.Errorf("beside it: %+v", c)
	}
}

func TestHouseCommitDrawsOnlyWhatChanged(t *testing.T) {
	variant(t, theme.VariantLight)
	h := handsOn(t, fourBoards(), screen)
	draw := func() bool {
		old := h.drawn.stale
		h.drawn.paint(1280, 800)
		return old
	}
	h.Commit(noon.Add(time.Hour))
	draw()
	now := noon.Add(time.Hour)
	step := func(want bool, what string, after time.Duration) {
		t.Helper()
		now = now.Add(after)
		h.Commit(now)
		if draw() != want {
			t.Errorf("%s: drawn is %v", what, !want)
		}
	}
	step(false, "nothing happened", time.Second)
	h.SetPort("p1", "80.5 %", PaintAlive, now)
	step(true, "a value arrived", 0)
	h.SetPort("p1", "80.5 %", PaintAlive, now)
	step(false, "the same", 100*time.Millisecond)
	step(true, "it is older", 2*time.Second)
	step(false, "no older to see", 10*time.Millisecond)
	h.SetLink("l1", PaintAlive, now)
	step(true, "a message is on its way", 0)
	step(true, "it goes on", 100*time.Millisecond)
	step(true, "it arrived", time.Second)
	h.SetTile("blue/hall/lamp", false, true, "gone")
	step(true, "a kit went", 0)
	h.SetTile("blue/hall/lamp", false, true, "gone")
	h.SetTile("nobody", false, true, "gone")
	h.SetPort("nobody", "1", PaintAlive, now)
	h.SetLink("nobody", PaintAlive, now)
	h.SetScene(fourBoards())
	draw()
	step(false, "nothing new", 0)
	h.look(1, 5000, 0)
	draw()
	h.SetPort("p1", "81 %", PaintAlive, now)
	step(false, "out of view", 0)
}

// TestHouseIsBounded: ten thousand ports, and what nobody should send.
func TestHouseIsBounded(t *testing.T) {
	variant(t, theme.VariantLight)
	s := class(80)
	h := handsOn(t, s, screen)
	if n := len(h.scene.ports); n != 10000 {
		t.Fatalf("%d ports", n)
	}
	for _, zoom := range []float32{0.02, 0.2, 0.6, 3} {
		h.look(zoom, 100, 100)
		h.drawn.stale = true
		h.drawn.paint(1280, 800)
	}
	h.TypedShortcut(&fyne.ShortcutSelectAll{})
	h.dragged(60, 330, 80, 350)
	if n := len(h.letters.stamps) + len(h.letters.prints); n > maxStamps+maxPrints {
		t.Errorf("%d characters are kept", n)
	}
}

func TestHouseTakesAnything(t *testing.T) {
	variant(t, theme.VariantDark)
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	texts := []string{
		strings.Repeat("a very long name ", 5000), "مرحبا بالعالم", "שלום", "one\ntwo\r\nthree\tfour", "👩‍👩‍👧 🏠 emoji", "\u202eturned", "e\u0301\u0301\u0301", "\xff\xfe\x00",
		"<b>html</b>", "한국어 이름", strings.Repeat("👍", 400), "", " ", "ﷺ", strings.Repeat("\u0e49", 300),
	}
	s := HouseScene{}
	for i, text := range texts {
		s.Areas = append(s.Areas, HouseArea{ID: fmt.Sprint("area", i), Title: text, Sub: text, X: float32(i) * 300, W: 260, H: 300})
		s.Tiles = append(s.Tiles, HouseTile{ID: fmt.Sprint("tile", i), In: fmt.Sprint("area", i), Title: text, Sub: text, Note: text, Virtual: true, Known: true, X: 10, Y: 40,
			Ports: []HousePort{{ID: fmt.Sprint("port", i), Title: text, Value: text, In: true, Out: true, Hue: -i * 1000, Paint: Paint(i), At: noon}}})
		s.Links = append(s.Links, HouseLink{ID: fmt.Sprint("link", i), From: "port0", To: fmt.Sprint("port", i), Title: text, Paint: Paint(i), Rule: true})
	}
	s.Areas = append(s.Areas,
		HouseArea{ID: "x", In: "y", X: nan, Y: inf, W: -inf, H: nan}, HouseArea{ID: "y", In: "x", X: -inf, W: inf, H: inf}, HouseArea{ID: "z", In: "z"},
		HouseArea{ID: "x", Title: "again"}, HouseArea{}, HouseArea{ID: "tile-as-area", In: "tile0"})
	s.Tiles = append(s.Tiles, HouseTile{ID: "lost", In: "nowhere", X: 1e30, Y: nan}, HouseTile{ID: "x"}, HouseTile{ID: "tile0"}, HouseTile{},
		HouseTile{ID: "twice", Ports: []HousePort{{ID: "port0"}, {ID: "port0"}, {}}})
	s.Links = append(s.Links, HouseLink{ID: "to nobody", From: "port0", To: "nobody"}, HouseLink{From: "port0", To: "port1"}, HouseLink{ID: "self", From: "port0", To: "port0"})
	h := handsOn(t, s, fyne.NewSize(900, 500))
	for _, zoom := range []float32{0.02, 0.3, 1, 3} {
		for x := float32(0); x < 4500; x += 900 / zoom {
			h.look(zoom, x, 0)
			h.drawn.stale = true
			h.drawn.paint(900, 500)
			for _, at := range []fyne.Position{{}, {X: 100, Y: 100}, {X: inf, Y: nan}} {
				h.hit(at)
			}
		}
	}
	if len(h.scene.links) != len(texts)-1 {
		t.Errorf("%d wires", len(h.scene.links))
	}
	for _, p := range h.scene.places {
		if b := p.bounds(); !(abs(b.x0) <= 4e6 && abs(b.y1) <= 4e6) {
			t.Errorf("%s is at %v", p.id, b)
		}
	}
	h.Fit()
	h.drawn.stale = true
	h.drawn.paint(1, 1)
	h.SetScene(HouseScene{})
	h.SetEmpty(texts[0])
	h.drawn.paint(900, 500)
	if h.chooseAll(); len(h.Chosen()) != 0 {
		t.Errorf("chosen: %v", h.Chosen())
	}
	h.press(fyne.KeyTab, fyne.KeyC, fyne.KeyReturn, fyne.KeyPageDown, fyne.KeyPageUp, fyne.KeyUp, desktop.KeyMenu)
}

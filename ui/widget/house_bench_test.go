package widget

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// class is a house of that many branches, each of five rooms of five kits of
// five ports, with a wire from each kit to the next.
func class(branches int) HouseScene {
	var s HouseScene
	before := ""
	for b := range branches {
		branch := fmt.Sprintf("team-%d", b+1)
		s.Areas = append(s.Areas, HouseArea{ID: branch, Title: fmt.Sprintf("Team %d", b+1), Sub: branch, X: float32(b%4) * 1568, Y: float32(b/4) * 1400, W: 1536, H: 1368})
		for r := range 5 {
			room := fmt.Sprintf("%s/room-%d", branch, r+1)
			s.Areas = append(s.Areas, HouseArea{ID: room, In: branch, Title: []string{"Living room", "Kitchen", "Hall", "Workshop", "Garden"}[r], Sub: fmt.Sprintf("room-%d", r+1),
				X: 24 + float32(r%2)*752, Y: 56 + float32(r/2)*432, W: 728, H: 416})
			for k := range 5 {
				kit := fmt.Sprintf("%s/kit-%d", room, k+1)
				t := HouseTile{ID: kit, In: room, Title: fmt.Sprintf("kit-%d", k+1), Sub: "all on one board", Icon: theme.ComputerIcon(),
					X: 16 + float32(k%3)*240, Y: 48 + float32(k/3)*192, Virtual: k == 4, Known: true, Online: k != 3}
				for i, name := range []string{"button", "led", "brightness", "presence", "temperature"} {
					t.Ports = append(t.Ports, HousePort{ID: kit + "/" + name, Title: name, Value: fmt.Sprint(i * 17), Out: i != 1, In: i == 1, Hue: i, Paint: PaintAlive, At: noon})
				}
				s.Tiles = append(s.Tiles, t)
				if before != "" {
					s.Links = append(s.Links, HouseLink{ID: "to " + kit, From: before + "/button", To: kit + "/led", Title: before + "/button", Paint: PaintAlive, At: noon.Add(-time.Hour)})
				}
				before = kit
			}
		}
	}
	return s
}

var screen = fyne.NewSize(1280, 800)

// BenchmarkHousePan is one frame of a thousand ports without the window's part.
func BenchmarkHousePan(b *testing.B) {
	variant(b, theme.VariantLight)
	for _, zoom := range []float32{0, 0.3, 0.5, 1, 2} {
		b.Run(fmt.Sprintf("zoom %v", zoom), func(b *testing.B) {
			h := house(b, class(8), screen)
			if zoom > 0 {
				h.Zoom(zoom / h.Zoomed())
			}
			h.drawn.paint(1280, 800)
			b.ReportAllocs()
			for i := range b.N {
				h.pan(float32(i%2*6-3), 0)
				h.drawn.paint(1280, 800)
			}
		})
	}
}

// BenchmarkHouseChange is what 500 new values cost before they are drawn.
func BenchmarkHouseChange(b *testing.B) {
	variant(b, theme.VariantLight)
	s := class(8)
	h := house(b, s, screen)
	var ids []string
	for _, t := range s.Tiles {
		for _, q := range t.Ports {
			ids = append(ids, q.ID)
		}
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	b.ReportAllocs()
	for i := range b.N {
		at := noon.Add(time.Duration(i) * 100 * time.Millisecond)
		for j, id := range ids[:500] {
			h.SetPort(id, fmt.Sprint(i+j), PaintAlive, at)
		}
		h.Commit(at)
	}
}

// BenchmarkHouseScene is the same scene given again.
func BenchmarkHouseScene(b *testing.B) {
	variant(b, theme.VariantLight)
	s := class(8)
	h := house(b, s, screen)
	b.ReportAllocs()
	for range b.N {
		h.SetScene(s)
	}
}

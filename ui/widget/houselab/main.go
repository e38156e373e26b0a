//go:build linux

// Houselab measures the house canvas in a real window: how long a frame
// takes while the view moves and while values change, beside the same house
// drawn the way one does it first, with an object for each thing.
//
//	houselab [-for 8s] [-wait 0s]
//
// docs/benchmarks.md explains what it prints; .ci/bench runs it under Xvfb.
package main

import (
	"flag"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"

	"homeroom/ui/widget"
)

var size = fyne.NewSize(1280, 800)

// board is one of the two that are compared. All runs on the UI goroutine.
type board interface {
	fyne.CanvasObject
	Fit()
	Zoom(k float32)
	Zoomed() float32
	Scrolled(*fyne.ScrollEvent) // pans by DX
	SetPort(id, value string, p widget.Paint, at time.Time)
	Commit(now time.Time)
}

func main() {
	length := flag.Duration("for", 8*time.Second, "how long each is measured")
	wait := flag.Duration("wait", 0, "how long to wait at the end of each, for somebody to look")
	flag.Parse()
	a := app.New()
	w := a.NewWindow("houselab")
	w.SetPadded(false)
	w.Resize(size)
	a.Lifecycle().SetOnStarted(func() {
		go func() {
			measureAll(w, *length, *wait)
			fyne.Do(a.Quit)
		}()
	})
	w.ShowAndRun()
}

func measureAll(w fyne.Window, length, wait time.Duration) {
	scene := class()
	lab := &lab{length: length}
	for _, t := range scene.Tiles {
		for _, p := range t.Ports {
			lab.ports = append(lab.ports, p.ID)
		}
	}
	fmt.Printf("%d branches, %d rooms, %d kits, %d ports, %d wires in %.0f × %.0f\n\n", 8, 40, len(scene.Tiles), len(lab.ports), len(scene.Links), size.Width, size.Height)
	fmt.Println("| what | drawn by | frame p50 ms | p99 ms | CPU ms a frame | CPU % | frames |")
	fmt.Println("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
	ways := []struct {
		name string
		new  func() board
	}{
		{"House", func() board {
			h := widget.NewHouse()
			h.SetScene(scene)
			return h
		}},
		{"an object a thing", func() board { return newPlain(scene) }},
	}
	results := make([]map[string]result, len(ways))
	for i, way := range ways {
		results[i] = map[string]result{}
		var b board
		fyne.DoAndWait(func() {
			b = way.new()
			lab.probe = canvas.NewRaster(lab.painted)
			lab.probe.SetMinSize(fyne.NewSize(1, 1))
			w.SetContent(container.NewStack(b, container.NewVBox(container.NewHBox(lab.probe))))
		})
		time.Sleep(2 * time.Second) // until the window has its size
		for _, view := range views {
			fyne.DoAndWait(func() {
				b.Fit()
				if view.zoom > 0 {
					b.Zoom(view.zoom / b.Zoomed())
				}
			})
			for _, job := range []struct {
				name string
				run  func(board) result
			}{{"pan", lab.pan}, {"500 values, 10 times a second", lab.change}} {
				r := job.run(b)
				name := job.name + ", " + view.name
				results[i][name] = r
				fmt.Printf("| %s | %s | %.1f | %.1f | %.1f | %.0f | %s |\n", name, way.name, r.p50, r.p99, r.cpu, r.load, r.frames)
				time.Sleep(wait)
			}
		}
	}
	fmt.Println("\nRatio, House to an object a thing:")
	for _, view := range views {
		for _, job := range []string{"pan", "500 values, 10 times a second"} {
			name := job + ", " + view.name
			h, p := results[0][name], results[1][name]
			fmt.Printf("%s: p50 %.2f, CPU a frame %.2f\n", name, h.p50/p.p50, h.cpu/p.cpu)
		}
	}
}

var views = []struct {
	name string
	zoom float32 // 0 is everything
}{{"all in view", 0}, {"zoom 0.5", 0.5}, {"zoom 1", 1}}

// lab measures one board after the other.
type lab struct {
	length time.Duration
	ports  []string
	probe  *canvas.Raster
	frame  atomic.Int64 // paintings of the window
}

type result struct {
	p50, p99, cpu, load float64
	frames              string
}

// painted is called in each painting of the window, after the board.
func (l *lab) painted(int, int) image.Image {
	l.frame.Add(1)
	return image.NewUniform(color.Transparent)
}

// draw does something, and returns once the window shows it.
func (l *lab) draw(do func()) {
	var before int64
	fyne.DoAndWait(func() {
		do()
		before = l.frame.Load()
		l.probe.Refresh()
	})
	for l.frame.Load() == before {
		time.Sleep(200 * time.Microsecond)
	}
	fyne.DoAndWait(func() {}) // after the painting, which runs there too
}

// pan moves the view as fast as it is drawn.
func (l *lab) pan(b board) result {
	var all []time.Duration
	for range 5 {
		l.draw(func() { b.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.NewDelta(4, 0)}) })
	}
	cpu, start := cpuTime(), time.Now()
	last := start
	for i := 0; time.Since(start) < l.length; i++ {
		dx := float32(4)
		if i/60%2 == 1 {
			dx = -4
		}
		l.draw(func() { b.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.NewDelta(dx, 0)}) })
		now := time.Now()
		all, last = append(all, now.Sub(last)), now
	}
	return summary(all, cpuTime()-cpu, time.Since(start), fmt.Sprint(len(all)))
}

// change gives half of all ports a new value ten times a second. A frame is from
// the values until they are shown.
func (l *lab) change(b board) result {
	const every = 100 * time.Millisecond
	random := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	cpu, start := cpuTime(), time.Now()
	due := start
	late := 0
	for i := 0; time.Since(start) < l.length; i++ {
		random.Shuffle(len(l.ports), func(i, j int) { l.ports[i], l.ports[j] = l.ports[j], l.ports[i] })
		began := time.Now()
		l.draw(func() {
			for _, id := range l.ports[:500] {
				b.SetPort(id, fmt.Sprintf("%.1f °C", random.Float64()*40), widget.PaintAlive, began)
			}
			b.Commit(began)
		})
		all = append(all, time.Since(began))
		if due = due.Add(every); time.Now().After(due) {
			late++
			due = time.Now()
		}
		time.Sleep(time.Until(due))
	}
	return summary(all, cpuTime()-cpu, time.Since(start), fmt.Sprintf("%d, %d late", len(all), late))
}

func summary(all []time.Duration, cpu, took time.Duration, frames string) result {
	slices.Sort(all)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return result{ms(all[len(all)/2]), ms(all[len(all)*99/100]), ms(cpu) / float64(len(all)), float64(cpu) / float64(took) * 100, frames}
}

// class is eight branches of five rooms of five kits of five ports.
func class() widget.HouseScene {
	var s widget.HouseScene
	before := ""
	for b := range 8 {
		branch := fmt.Sprintf("team-%d", b+1)
		s.Areas = append(s.Areas, widget.HouseArea{ID: branch, Title: fmt.Sprintf("Team %d", b+1), Sub: branch, X: float32(b%4) * 1568, Y: float32(b/4) * 1440, W: 1536, H: 1408})
		for r := range 5 {
			room := fmt.Sprintf("%s/room-%d", branch, r+1)
			s.Areas = append(s.Areas, widget.HouseArea{ID: room, In: branch, Title: []string{"Living room", "Kitchen", "Hall", "Workshop", "Garden"}[r],
				X: 24 + float32(r%2)*752, Y: 56 + float32(r/2)*448, W: 728, H: 432})
			for k := range 5 {
				kit := fmt.Sprintf("%s/kit-%d", room, k+1)
				t := widget.HouseTile{ID: kit, In: room, Title: fmt.Sprintf("kit-%d", k+1), Sub: "all on one board",
					X: 16 + float32(k%3)*240, Y: 48 + float32(k/3)*192, Virtual: k == 4, Known: true, Online: k != 3}
				for i, name := range []string{"button", "led", "brightness", "presence", "temperature"} {
					t.Ports = append(t.Ports, widget.HousePort{ID: kit + "/" + name, Title: name, Value: "0", Out: i != 1, In: i == 1, Hue: i, Paint: widget.PaintAlive, At: time.Now()})
				}
				s.Tiles = append(s.Tiles, t)
				if before != "" && k > 0 {
					s.Links = append(s.Links, widget.HouseLink{ID: "to " + kit, From: before + "/button", To: kit + "/led", Title: before + "/button", Paint: widget.PaintAlive, At: time.Now()})
				}
				before = kit
			}
		}
	}
	return s
}

// cpuTime returns what the process has used.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // it knows itself
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

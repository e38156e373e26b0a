package kits

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/core"
)

// signal draws how well a kit hears its network: four bars, as a phone does.
type signal struct {
	fw.BaseWidget
	bars [4]*canvas.Rectangle
	n    int // bars that are full
}

func newSignal() *signal {
	s := &signal{}
	for i := range s.bars {
		s.bars[i] = canvas.NewRectangle(nil)
		s.bars[i].CornerRadius = 1
	}
	s.ExtendBaseWidget(s)
	s.Hide()
	return s
}

// set shows the signal of a kit that is on the Wi-Fi now.
func (s *signal) set(k core.RealKit) {
	n := 0
	if k.Link == "wifi" && k.Signal != 0 && here(k) {
		n = 1
		for _, least := range []int{-80, -70, -60} { // dBm
			if k.Signal >= least {
				n++
			}
		}
	}
	if n != s.n {
		s.n = n
		s.Refresh()
	}
	s.BaseWidget.Hidden = n == 0
}

// CreateRenderer is part of fyne.Widget.
func (s *signal) CreateRenderer() fyne.WidgetRenderer {
	r := &signalRenderer{s}
	r.Refresh()
	return r
}

type signalRenderer struct{ s *signal }

func (r *signalRenderer) Destroy() {}

func (r *signalRenderer) MinSize() fyne.Size { return fyne.NewSize(22, 18) }

func (r *signalRenderer) Objects() []fyne.CanvasObject {
	objects := make([]fyne.CanvasObject, len(r.s.bars))
	for i, b := range r.s.bars {
		objects[i] = b
	}
	return objects
}

func (r *signalRenderer) Layout(size fyne.Size) {
	for i, b := range r.s.bars {
		h := size.Height * float32(i+1) / float32(len(r.s.bars))
		b.Move(fyne.NewPos(float32(i)*5+1, size.Height-h))
		b.Resize(fyne.NewSize(4, h))
	}
}

func (r *signalRenderer) Refresh() {
	for i, b := range r.s.bars {
		b.FillColor = theme.Color(theme.ColorNameDisabled)
		if i < r.s.n {
			b.FillColor = theme.Color(theme.ColorNameForeground)
		}
		b.Refresh()
	}
}

package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
)

// Columns places objects in as many columns of equal width as fit, each column
// at least min wide; the next object goes into the shortest column. Put it in a Scroll.
func Columns(min float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(&columns{min: min}, objects...)
}

// Middle keeps content at most max wide, in the middle.
func Middle(max float32, objects ...fyne.CanvasObject) fyne.CanvasObject {
	return container.New(column{max}, objects...)
}

// pad leaves the same space on all four sides.
type pad struct{ by float32 }

func (p pad) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Move(fyne.NewPos(p.by, p.by))
		o.Resize(size.SubtractWidthHeight(2*p.by, 2*p.by))
	}
}

func (p pad) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var m fyne.Size
	for _, o := range objects {
		m = m.Max(o.MinSize())
	}
	return m.AddWidthHeight(2*p.by, 2*p.by)
}

// column stacks its objects in a column at most max wide, in the middle.
type column struct{ max float32 }

func (c column) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	w := min(size.Width, c.max)
	y := float32(0)
	for _, o := range objects {
		if !o.Visible() {
			continue
		}
		h := fit(o, w)
		o.Move(fyne.NewPos((size.Width-w)/2, y))
		y += h + theme.Padding()
	}
}

func (c column) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var m fyne.Size
	for _, o := range objects {
		if !o.Visible() {
			continue
		}
		s := o.MinSize()
		if m.Height > 0 {
			m.Height += theme.Padding()
		}
		m = fyne.NewSize(max(m.Width, s.Width, min(c.max, 160)), m.Height+s.Height)
	}
	return m
}

type columns struct {
	min    float32
	height float32 // as last laid out; 0 before
}

func (c *columns) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	gap := 2 * theme.Padding()
	n := max(1, int((size.Width+gap)/(c.min+gap)))
	w := (size.Width - gap*float32(n-1)) / float32(n)
	ends := make([]float32, n)
	for _, o := range objects {
		if !o.Visible() {
			continue
		}
		at := 0
		for i := range ends {
			if ends[i] < ends[at] {
				at = i
			}
		}
		h := fit(o, w)
		o.Move(fyne.NewPos(float32(at)*(w+gap), ends[at]))
		ends[at] += h + gap
	}
	c.height = 0
	for _, e := range ends {
		c.height = max(c.height, e)
	}
}

func (c *columns) MinSize(objects []fyne.CanvasObject) fyne.Size {
	m := fyne.NewSize(c.min, c.height)
	for _, o := range objects {
		if o.Visible() {
			m.Width = max(m.Width, o.MinSize().Width)
			if c.height == 0 {
				m.Height += o.MinSize().Height
			}
		}
	}
	return m
}

// fit makes o that wide and as high as it needs to be then, which for wrapped
// text is known only afterwards. It returns the height.
func fit(o fyne.CanvasObject, width float32) float32 {
	o.Resize(fyne.NewSize(width, o.MinSize().Height))
	h := o.MinSize().Height
	o.Resize(fyne.NewSize(width, h))
	return h
}

// Row places objects side by side in shares of the width, such as 3, 2, 1.
func Row(shares []float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(row(shares), objects...)
}

type row []float32

func (r row) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	var sum, x float32
	for _, s := range r {
		sum += s
	}
	for i, o := range objects {
		w := size.Width * r[i] / sum
		o.Move(fyne.NewPos(x, 0))
		o.Resize(fyne.NewSize(w, size.Height))
		x += w
	}
}

func (r row) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var m fyne.Size
	for _, o := range objects {
		s := o.MinSize()
		m = fyne.NewSize(m.Width+s.Width, max(m.Height, s.Height))
	}
	return m
}

// Wide makes content at least width wide.
func Wide(width float32, content fyne.CanvasObject) fyne.CanvasObject {
	return container.New(wide{width}, content)
}

type wide struct{ width float32 }

func (wide) Layout(objects []fyne.CanvasObject, size fyne.Size) { pad{}.Layout(objects, size) }

func (w wide) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return pad{}.MinSize(objects).Max(fyne.NewSize(w.width, 0))
}

package widget

import (
	"hash/fnv"
	"image/color"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"homeroom/assets/lang"
	"homeroom/core"
)

// Space in a bar of states: above it for its title, and below it.
const (
	laneTitle = 18
	laneGap   = 4
)

// State is a stretch of time in which a series had one value.
type State struct {
	From, To time.Time
	Word     string
	Share    float64 // of a Boolean: how much of the time it was true
	// Silent is true where a series that speaks regularly did not: the value
	// is only the last one known.
	Silent bool
}

// States returns the states of a Boolean or Text trace, in order, until end.
func States(t core.Trace, end time.Time) []State {
	var states []State
	add := func(at time.Time, word string, share float64) {
		if n := len(states); n > 0 {
			if last := &states[n-1]; last.Word == word && last.Share == share {
				return
			} else if !at.After(last.From) {
				states = states[:n-1]
			} else {
				last.To = at
			}
		}
		states = append(states, State{From: at, To: end, Word: word, Share: share})
	}
	if t.Kind == core.Text {
		for _, r := range t.Texts {
			add(r.At, OneLine(r.Text), 1)
		}
	} else {
		for _, s := range t.Spans {
			if s.Min != s.Max && s.N > 0 {
				add(s.First, "", s.Sum/float64(s.N))
				add(s.Last, Word(s.End != 0), truth(s.End))
			} else {
				add(s.First, Word(s.End != 0), truth(s.End))
			}
		}
	}
	states = slices.DeleteFunc(states, func(s State) bool { return !s.To.After(s.From) })
	if !repeats(t) {
		return states
	}
	for i, s := range t.Spans { // the holes
		next := end
		if i+1 < len(t.Spans) {
			next = t.Spans[i+1].First
		}
		if gap(t, next.Sub(s.Last)) {
			states = silence(states, s.Last.Add(t.Step), next)
		}
	}
	return states
}

// repeats reports whether a trace says its state again though it is the same.
// One that speaks only when something changes is not silent in between: its
// state holds.
func repeats(t core.Trace) bool {
	again := 0
	for i, s := range t.Spans {
		if s.N > 1 && s.Min == s.Max || i > 0 && s.Min == s.Max && s.Min == t.Spans[i-1].End {
			again++
		}
	}
	return 2*again > len(t.Spans)
}

// silence marks from..to in states as not heard.
func silence(states []State, from, to time.Time) []State {
	var out []State
	for _, s := range states {
		if !s.From.Before(to) || !s.To.After(from) {
			out = append(out, s)
			continue
		}
		before, within, after := s, s, s
		before.To, within.From, within.To, after.From = from, later(s.From, from), earlier(s.To, to), to
		within.Silent = true
		if before.To.After(before.From) {
			out = append(out, before)
		}
		out = append(out, within)
		if after.To.After(after.From) {
			out = append(out, after)
		}
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func truth(v float64) float64 {
	if v != 0 {
		return 1
	}
	return 0
}

// Word says a truth value.
func Word(on bool) string {
	if on {
		return lang.L("On")
	}
	return lang.L("Off")
}

// stateColors gives each state of a line its colour.
func stateColors(l Line, states []State) func(State) color.NRGBA {
	off := blend(themeColor(theme.ColorNameBackground), themeColor(theme.ColorNameForeground), 0.22)
	if l.Kind != core.Text {
		on := LineColor(l.Color)
		return func(s State) color.NRGBA { return blend(off, on, s.Share) }
	}
	// A word has the same colour each time, and another than its neighbours
	// as long as there are enough.
	var words []string
	for _, s := range states {
		words = append(words, s.Word)
	}
	slices.Sort(words)
	words = slices.Compact(words)
	colors, taken := map[string]int{}, map[int]bool{}
	for _, w := range words {
		h := fnv.New32a()
		h.Write([]byte(w))
		i := int(h.Sum32() % Colors)
		for n := 0; n < Colors && taken[i]; n++ {
			i = (i + 1) % Colors
		}
		taken[i] = true
		colors[w] = i
	}
	return func(s State) color.NRGBA { return LineColor(colors[s.Word]) }
}

// lanes writes the titles of the bars of states with the newest state, and the
// words inside them.
func (r *chartRenderer) lanes() {
	ink := themeColor(theme.ColorNameForeground)
	left := float32(r.area.Min.X)
	lane := 0
	for _, l := range r.c.lines {
		if l.Kind == core.Number {
			continue
		}
		top := float32(r.area.Min.Y + r.lanesAt + lane*r.lane)
		lane++
		states := r.states(l)
		newest := "" // as the legend of numbers has it
		if n := len(states); n > 0 {
			newest = cut(states[n-1].Word, float32(r.area.Dx())/2)
		}
		r.text(newest, float32(r.area.Max.X), top, ink, fyne.TextAlignTrailing)
		r.text(cut(l.Title, float32(r.area.Dx())-textWidth(newest, chartText)-10), left, top, ink, fyne.TextAlignLeading)
		ink := stateColors(l, states)
		middle := top + laneTitle + float32(r.lane-laneTitle-laneGap)/2 - 8
		for _, s := range states {
			x0, x1 := max(r.x(s.From), 0), min(r.x(s.To), float32(r.area.Dx()))
			if s.Word == "" || s.Silent || x1-x0 < 14 {
				continue
			}
			word := s.Word
			if textWidth(word, chartText) > x1-x0-8 {
				if word = cut(word, x1-x0-8); len([]rune(word)) < 4 {
					continue
				}
			}
			r.text(word, left+(x0+x1)/2, middle, readable(ink(s)), fyne.TextAlignCenter)
		}
	}
}

// states returns the states of l that reach into the view.
func (r *chartRenderer) states(l Line) []State {
	v := r.c.view
	return slices.DeleteFunc(States(l.Trace, earlier(v.To, r.c.Now())), func(s State) bool {
		return !s.To.After(v.From) || !s.From.Before(v.To)
	})
}

// shade gathers the states that fall on one column of pixels.
type shade struct{ r, g, b, sum, silent float32 }

// drawLane paints one bar of states of that height, its top at y, in pixels.
func (r *chartRenderer) drawLane(l Line, y, height float32) {
	p := &r.pix
	w := p.clip.Dx()
	if len(r.cols) != w {
		r.cols = make([]shade, w)
	}
	clear(r.cols)
	states := r.states(l)
	ink := stateColors(l, states)
	for _, s := range states {
		x0, x1 := across(r.c.view, s.From, float32(w)), across(r.c.view, s.To, float32(w))
		x1 = max(x1, x0+1) // a short press is still seen
		c := ink(s)
		for x := max(floor(x0), 0); x < w && float32(x) < x1; x++ {
			part := min(x1, float32(x+1)) - max(x0, float32(x))
			col := &r.cols[x]
			col.r += part * float32(c.R)
			col.g += part * float32(c.G)
			col.b += part * float32(c.B)
			col.sum += part
			if s.Silent {
				col.silent += part
			}
		}
	}
	for x, s := range r.cols {
		if s.sum <= 0 {
			continue
		}
		c := color.NRGBA{uint8(s.r / s.sum), uint8(s.g / s.sum), uint8(s.b / s.sum), uint8(min(s.sum, 1) * 255)}
		if s.silent > s.sum/2 {
			c.A /= 2
			p.column(x, y+height*0.4, y+height*0.6, c)
		} else {
			p.column(x, y, y+height, c)
		}
	}
}

package record

import (
	"slices"
	"sort"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

const (
	maxValue = 64 // bytes of a value that are shown
	bars     = 240
)

// film is a recording as one looks through it. It is filled off the UI goroutine
// and not changed after that.
type film struct {
	id     int64
	length time.Duration
	frames []frame
	names  []topic.Name // in order
	most   int          // frames of the fullest bar
	count  [bars]int    // frames by time
}

// frame is one message.
type frame struct {
	at    time.Duration // since the beginning
	name  int           // in names
	value string
}

// newFilm cuts the messages of r to what is looked at.
func newFilm(r core.Recording, ms []core.Message) *film {
	f := &film{id: r.ID, length: max(r.To.Sub(r.From), time.Millisecond)}
	if r.To.IsZero() {
		f.length = max(time.Since(r.From), time.Millisecond)
	}
	index := map[topic.Name]int{}
	for _, m := range ms {
		if _, known := index[m.Topic]; !known {
			index[m.Topic] = 0
			f.names = append(f.names, m.Topic)
		}
	}
	slices.SortFunc(f.names, func(a, b topic.Name) int { return widget.Natural(string(a), string(b)) })
	for i, n := range f.names {
		index[n] = i
	}
	for _, m := range ms {
		at := min(max(0, m.At.Sub(r.From)), f.length)
		f.frames = append(f.frames, frame{at, index[m.Topic], core.Readable(m.Payload, maxValue)})
		bar := min(bars-1, int(int64(at)*bars/int64(f.length)))
		f.count[bar]++
		f.most = max(f.most, f.count[bar])
	}
	return f
}

// value is what a topic had at one moment of a film.
type value struct {
	name  topic.Name
	value string
	at    time.Duration // when it came
	known bool
}

// values returns what every topic had at that time, in order of name, and how
// many messages had come.
func (f *film) values(at time.Duration) (vs []value, n int) {
	vs = make([]value, len(f.names))
	for i, name := range f.names {
		vs[i].name = name
	}
	n = sort.Search(len(f.frames), func(i int) bool { return f.frames[i].at > at })
	missing := len(vs)
	for i := n - 1; i >= 0 && missing > 0; i-- {
		if x := f.frames[i]; !vs[x.name].known {
			vs[x.name] = value{f.names[x.name], x.value, x.at, true}
			missing--
		}
	}
	return vs, n
}

// next returns when the first message after that time came, or before it the last.
func (f *film) next(at time.Duration, by int) time.Duration {
	i := sort.Search(len(f.frames), func(i int) bool { return f.frames[i].at > at })
	if by < 0 {
		i = sort.Search(len(f.frames), func(i int) bool { return f.frames[i].at >= at }) - 1
	}
	if len(f.frames) == 0 {
		return at
	}
	return f.frames[min(max(0, i), len(f.frames)-1)].at
}

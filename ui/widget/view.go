package widget

import "time"

// The shortest and the longest stretch of time that a chart shows.
const (
	minView = time.Second
	maxView = 400 * 24 * time.Hour
)

// View is the stretch of time that a chart shows. Its From and To carry the
// time zone of the axis.
type View struct {
	From, To time.Time
	Follow   bool // To stays at the present
}

// Latest returns the view of the last d before now, which follows.
func Latest(d time.Duration, now time.Time) View {
	d = min(max(d, minView), maxView)
	return View{now.Add(-d), now, true}
}

// Length returns how much time the view shows.
func (v View) Length() time.Duration { return v.To.Sub(v.From) }

// Pan returns v moved by d. A view that reaches the present follows it, and
// none goes beyond.
func (v View) Pan(d time.Duration, now time.Time) View {
	if d == 0 {
		return v
	}
	return View{v.From.Add(d), v.To.Add(d), false}.until(now)
}

// Zoom returns v with its length multiplied by factor; at stays where it is.
// A view that reaches the present follows it.
func (v View) Zoom(at time.Time, factor float64, now time.Time) View {
	length := v.Length()
	if length <= 0 || !(factor > 0) {
		return v
	}
	want := time.Duration(min(max(float64(length)*factor, float64(minView)), float64(maxView)))
	share := min(max(float64(at.Sub(v.From))/float64(length), 0), 1)
	from := at.Add(-time.Duration(share * float64(want)))
	return View{from, from.Add(want), false}.until(now)
}

// At returns v as it is at now: a view that follows has moved.
func (v View) At(now time.Time) View {
	if v.Follow {
		return Latest(v.Length(), now)
	}
	return v
}

func (v View) until(now time.Time) View {
	if v.To.Before(now) {
		return v
	}
	return Latest(v.Length(), now.In(v.To.Location()))
}

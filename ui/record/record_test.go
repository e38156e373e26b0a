package record

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget/widgettest"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// studio is a Recorder and Player in memory.
type studio struct {
	all     []core.Recording
	tape    []core.Message
	playing core.Playing
	said    []string // what was asked for
}

func (s *studio) Recordings() []core.Recording { return slices.Clone(s.all) }

func (s *studio) Start(_ context.Context, name string, f topic.Filter) (core.Recording, error) {
	if _, err := topic.ParseFilter(string(f)); err != nil {
		return core.Recording{}, core.Fail(core.ErrInvalid, "no filter")
	}
	r := core.Recording{ID: int64(len(s.all) + 1), Name: name, Filter: f, From: noon}
	s.all = slices.Insert(s.all, 0, r)
	return r, nil
}

func (s *studio) Stop(_ context.Context, id int64) error {
	for i := range s.all {
		if s.all[i].ID == id {
			s.all[i].To = noon.Add(10 * time.Second)
			s.all[i].N = len(s.tape)
		}
	}
	return nil
}

func (s *studio) Remove(_ context.Context, id int64) error {
	s.all = slices.DeleteFunc(s.all, func(r core.Recording) bool { return r.ID == id })
	return nil
}

func (s *studio) Recorded(_ context.Context, _ int64, from time.Duration, limit int) ([]core.Message, error) {
	i := slices.IndexFunc(s.tape, func(m core.Message) bool { return m.At.Sub(noon) >= from })
	if i < 0 {
		return nil, nil
	}
	return s.tape[i:min(len(s.tape), i+min(limit, 7))], nil // in small parts
}

func (s *studio) Play(_ context.Context, r core.Replay) error {
	s.said = append(s.said, fmt.Sprintf("play %d from %v ×%v into %q kits %v", r.Recording, r.From, r.Speed, r.Branch, r.Kits))
	s.playing = core.Playing{Replay: r, At: r.From}
	return nil
}

func (s *studio) Playing() (core.Playing, bool) { return s.playing, s.playing.Recording != 0 }
func (s *studio) Halt()                         { s.playing.Done = true }
func (s *studio) Pause(on bool)                 { s.playing.Paused = on }
func (s *studio) Seek(at time.Duration)         { s.said = append(s.said, fmt.Sprint("seek ", at)) }

// visit opens the screen with one recording of 20 messages in 10 s, on two topics.
func visit(t *testing.T) (*Screen, *studio, *widgettest.Shell) {
	st := &studio{}
	for i := range 20 {
		n := topic.Name("lab/brightness")
		if i%5 == 4 {
			n = "lab/lamp"
		}
		// Two at a time have the same moment.
		st.tape = append(st.tape, core.Message{Topic: n, Payload: []byte(fmt.Sprint(i)), At: noon.Add(time.Duration(i/2) * time.Second)})
	}
	shell := widgettest.New(t)
	s := New(st, st, shell)
	shell.Win.SetContent(s.Content())
	shell.Win.Resize(fyne.NewSize(1100, 700))
	load(t, s)
	return s, st, shell
}

func load(t *testing.T, s *Screen) {
	t.Helper()
	show, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	show()
}

// table writes the values that are shown.
func table(s *Screen) string {
	var b strings.Builder
	for _, v := range s.vs {
		fmt.Fprintf(&b, "%s=%s ", v.name, v.value)
	}
	return strings.TrimSpace(b.String())
}

func TestRecordLookAndPlay(t *testing.T) {
	s, st, shell := visit(t)
	if !s.none.Visible() || s.some.Visible() {
		t.Fatal("without a recording the invitation is not shown")
	}
	test.Type(s.name, "Lamp")
	s.filter.SetText("a/#/b")
	test.Tap(s.record)
	if shell.Err == nil || len(st.all) != 0 {
		t.Fatalf("a wrong filter: %v, %d recordings", shell.Err, len(st.all))
	}
	s.filter.SetText("lab/#")
	test.Tap(s.record)
	load(t, s)
	if len(st.all) != 1 || st.all[0].Name != "Lamp" || !s.stop.Visible() || !s.play.Disabled() || s.name.Text != "" {
		t.Fatalf("recording: %+v, stop %v, play disabled %v", st.all, s.stop.Visible(), s.play.Disabled())
	}
	test.Tap(s.stop)
	load(t, s)
	if s.stop.Visible() || s.play.Disabled() || len(s.film.frames) != 20 {
		t.Fatalf("stopped: stop %v, play disabled %v, film %+v", s.stop.Visible(), s.play.Disabled(), s.film)
	}
	for i, f := range s.film.frames {
		if f.value != fmt.Sprint(i) {
			t.Fatalf("message %d is %q: one was lost or read twice", i, f.value)
		}
	}

	// The strip is ten seconds: a press in its middle is the fifth.
	w := s.strip.Size().Width
	s.strip.MouseDown(&desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(w/2, 10)}})
	if got := table(s); s.at.Round(time.Second) != 5*time.Second || got != "lab/brightness=11 lab/lamp=9" && got != "lab/brightness=10 lab/lamp=9" {
		t.Fatalf("in the middle, %v: %s", s.at, got)
	}
	s.strip.TypedKey(&fyne.KeyEvent{Name: fyne.KeyHome})
	if got := table(s); s.at != 0 || got != "lab/brightness=1 lab/lamp=" {
		t.Fatalf("at the beginning, %v: %s", s.at, got)
	}
	s.strip.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	if s.at != time.Second {
		t.Fatalf("the next message is at %v, want 1s", s.at)
	}
	s.strip.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
	s.strip.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
	if s.at != 0 {
		t.Fatalf("before the first is %v", s.at)
	}

	s.seek(3 * time.Second)
	s.speed.SetSelectedIndex(3)
	test.Tap(s.play)
	load(t, s)
	if s.play.Text != "Pause" || !s.branch.Disabled() {
		t.Fatalf("while it plays the button says %q, branch disabled %v", s.play.Text, s.branch.Disabled())
	}
	test.Tap(s.play)
	load(t, s)
	if !st.playing.Paused || s.play.Text != "Play" {
		t.Fatalf("paused %v, button %q", st.playing.Paused, s.play.Text)
	}
	s.seek(time.Second)
	st.playing.Say = core.Say("No.")
	test.Tap(s.halt)
	load(t, s)
	if !s.problem.Visible() || s.problem.Text.Text != "No." {
		t.Error("why the replay ended is not told")
	}
	s.into.SetSelectedIndex(1)
	if s.branch.Visible() {
		t.Error("the branch is asked for though it plays into kits")
	}
	s.seek(10 * time.Second) // the end: play begins anew
	test.Tap(s.play)
	want := []string{`play 1 from 3s ×10 into "sandbox" kits false`, "seek 1s", `play 1 from 0s ×10 into "" kits true`}
	if !slices.Equal(st.said, want) {
		t.Fatalf("asked for %q, want %q", st.said, want)
	}
}

func TestRemoved(t *testing.T) {
	s, st, _ := visit(t)
	test.Tap(s.record)
	test.Tap(s.stop)
	load(t, s)
	if len(st.all) != 1 || !strings.HasPrefix(st.all[0].Name, "Recording of ") {
		t.Fatalf("without a name: %+v", st.all)
	}
	st.all = nil // by somebody else
	load(t, s)
	if s.some.Visible() || !s.none.Visible() {
		t.Error("what is gone is still shown")
	}
	test.Tap(s.remove) // nothing is chosen: nothing happens
}

// TestFilmIsBounded: a payload that is no text and a long one are cut, and a
// recording of one moment has a length.
func TestFilmIsBounded(t *testing.T) {
	long := strings.Repeat("é", 1000)
	f := newFilm(core.Recording{From: noon, To: noon}, []core.Message{
		{Topic: "a", Payload: []byte(long), At: noon}, {Topic: "b", Payload: []byte{0xff, 0}, At: noon.Add(time.Hour)}, {Topic: "c", At: noon.Add(-time.Hour)}})
	vs, n := f.values(f.length)
	if n != 3 || len(vs[0].value) > maxValue+len("…") || strings.ContainsRune(vs[0].value, '\uFFFD') || f.most != 3 && f.most != 2 {
		t.Fatalf("%d values, %q, fullest bar %d", n, vs[0].value, f.most)
	}
}

package setup

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2/test"

	"homeroom/core"
)

// TestBench makes four boards at once: each becomes the next kit of the queue.
func TestBench(t *testing.T) {
	l := newLab()
	s, shell := visit(t, l)
	b := s.bench
	s.Open("bench")
	if !b.start.Disabled() || !b.empty.Visible() {
		t.Error("an empty bench can start")
	}
	for _, k := range s.v.candidates() {
		if k.Role == core.AllKit {
			b.queue = append(b.queue, job{kit: k.Name, role: k.Role})
		}
	}
	b.queue = append(b.queue, job{kit: "red/lab/kit-9", fresh: true, role: core.LightKit})
	l.plug("COM1", time.Time{}) // was there before
	load(t, s)
	if !b.start.Disabled() || !strings.Contains(b.hint.Text, "network") {
		t.Errorf("without a network: %q", b.hint.Text)
	}
	test.Tap(b.network)
	test.Tap(b.form.tiles["school-lab"])
	b.formDialog.Hide()
	s.now = func() time.Time { return noon }
	test.Tap(b.start)
	load(t, s)
	if len(l.calls) != 0 {
		t.Fatalf("a board that was there before began: %q", l.calls)
	}
	for i := range 4 {
		l.plug(fmt.Sprint("COM", i+2), noon.Add(time.Second))
	}
	load(t, s)
	load(t, s)
	if len(l.setups) != 4 || len(b.queue) != 3 {
		t.Fatalf("%d boards began, %d kits wait", len(l.setups), len(b.queue))
	}
	for id := int64(1); id <= 4; id++ {
		l.read(id)
	}
	load(t, s)
	load(t, s)
	for i, want := range []string{"blue/lab/kit-1", "blue/lab/kit-2", "blue/lab/kit-3", "red/lab/kit-1"} {
		if o := l.setups[i].Order; string(o.Kit) != want || o.Network != "school-lab" || o.Image != "wifi" {
			t.Errorf("board %d becomes %+v, want %s", i+1, o, want)
		}
	}
	if n := len(slices.DeleteFunc(slices.Clone(l.calls), func(c string) bool { return !strings.HasPrefix(c, "order") })); n != 4 {
		t.Errorf("%d orders were given: %q", n, l.calls)
	}

	l.testing(1)
	l.pass(1)
	f := l.at(2, core.StepFlash, core.Sentence{})
	f.Running, f.Problem = false, core.Say("It was unplugged.")
	l.testing(3)
	load(t, s)
	for id, want := range map[int64]string{1: "PASSED", 2: "FAILED", 3: "Try the parts", 4: ""} {
		if got := b.cards[id].verdict.Text; got != want {
			t.Errorf("board %d shows %q, want %q", id, got, want)
		}
	}
	if b.counts[0].number.Text != "1" || b.counts[1].number.Text != "1" || b.counts[2].number.Text != "3" {
		t.Errorf("counts %s, %s and %s", b.counts[0].number.Text, b.counts[1].number.Text, b.counts[2].number.Text)
	}
	test.Tap(b.cards[2].again)
	if l.calls[len(l.calls)-1] != "start 2 flash" {
		t.Errorf("Try again asked for %q", l.calls[len(l.calls)-1])
	}
	f.Running, f.Problem = false, core.Say("Again.")
	load(t, s)
	test.Tap(b.cards[2].done)
	load(t, s)
	if len(b.queue) != 4 || b.queue[0].kit != "blue/lab/kit-2" || b.cards[2] != nil {
		t.Errorf("what failed does not wait again: %v", b.queue)
	}
	// The same port takes another board only when it was plugged in anew.
	if len(l.setups) != 3 {
		t.Errorf("%d boards are at work", len(l.setups))
	}
	for i := range l.ports.All {
		if l.ports.All[i].Name == "COM3" {
			l.ports.All[i].Since = noon.Add(time.Minute)
		}
	}
	load(t, s)
	if len(l.setups) != 4 || len(b.queue) != 3 {
		t.Errorf("%d boards are at work, %d kits wait", len(l.setups), len(b.queue))
	}

	test.Tap(b.cards[3].more)
	if s.wizard.id != 3 || !s.pages[0].Visible() {
		t.Error("a closer look is not the wizard")
	}
	if s.Back(); s.wizard.id != 3 {
		t.Error("Back left the setup")
	}
	if shell.Err != nil {
		t.Error(shell.Err)
	}
}

// TestRefusedOrderOnTheBench is told, and can be tried again.
func TestRefusedOrderOnTheBench(t *testing.T) {
	l := newLab()
	s, _ := visit(t, l)
	b := s.bench
	s.Open("bench")
	b.link.network = "school-lab"
	b.queue = []job{{kit: "blue/lab/kit-1", role: core.AllKit}}
	b.arm()
	l.plug("COM3", noon.Add(time.Second))
	load(t, s)
	l.read(1)
	l.refuse = core.Fail(core.ErrConflict, "Somebody has it.")
	load(t, s)
	if !b.problem.Visible() || b.problem.Text.Text != "Somebody has it." || !b.cards[1].again.Visible() {
		t.Fatalf("told %q", b.problem.Text.Text)
	}
	load(t, s)
	test.Tap(b.cards[1].again)
	if f, _ := l.find(1); f.Order.Kit != "blue/lab/kit-1" || !f.Running {
		t.Errorf("tried again: %+v", f)
	}
}

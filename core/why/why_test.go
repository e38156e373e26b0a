package why_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/core/why"
	"homeroom/storage"
)

var _ why.Store = (*storage.DB)(nil)

// fourBoards is the smart home of four boards: a sensor, a button, one that
// decides, and a lamp that obeys. Its accounts are 1 to 4, and 9 is a teacher.
func fourBoards() *core.Design {
	port := func(slot topic.ID, n topic.Name, a core.Action) core.Port {
		return core.Port{Slot: slot, Topic: n, Action: a}
	}
	return &core.Design{
		Topics: []*core.Topic{
			{Name: "blue/hall/lamp/led", Kind: core.Boolean, Writable: true},
			{Name: "blue/lab/brightness", Kind: core.Number, Max: 100, Description: core.Description{Unit: "%"}},
			{Name: "blue/lab/button", Kind: core.Enumeration, Options: []string{"turn on", "turn off"}},
			{Name: "blue/lab/light", Kind: core.Enumeration, Options: []string{"On", "Off"}},
			{Name: "secret/level", Kind: core.Number},
		},
		Places: []*core.Place{
			{Name: "blue", Kind: core.BranchPlace},
			{Name: "blue/hall/lamp", Kind: core.KitPlace, Role: core.LightKit, Account: "kit-5", Ports: []core.Port{port("led", "blue/hall/lamp/led", core.Subscribe)}},
			{Name: "blue/lab", Kind: core.RoomPlace},
			{Name: "blue/lab/button-kit", Kind: core.KitPlace, Role: core.ButtonKit, Account: "kit-2", Label: "kit-2", Ports: []core.Port{port("button", "blue/lab/button", core.Publish)}},
			{Name: "blue/lab/choice", Kind: core.KitPlace, Role: core.ChoiceKit, Account: "kit-3", Label: "ESP_Choice", Ports: []core.Port{
				port("brightness", "blue/lab/brightness", core.Subscribe), port("button", "blue/lab/button", core.Subscribe), port("light", "blue/lab/light", core.Publish)}},
			{Name: "blue/lab/lamp", Kind: core.KitPlace, Role: core.LightKit, Account: "kit-1", Label: "kit-1", Ports: []core.Port{port("light", "blue/lab/light", core.Subscribe)}},
			{Name: "blue/lab/sensor", Kind: core.KitPlace, Role: core.SensorKit, Account: "kit-4", Label: "kit-4", Ports: []core.Port{port("brightness", "blue/lab/brightness", core.Publish)}},
		},
		Rules: []*core.Rule{
			{ID: "choice", Label: "Choice", Account: 9, Inputs: []core.Input{{Name: "brightness", Topic: "blue/lab/brightness"}, {Name: "button", Topic: "blue/lab/button"}},
				Then: []core.Act{{Topic: "blue/lab/light"}}},
			{ID: "led", Account: 9, Inputs: []core.Input{{Name: "secret", Topic: "secret/level"}}, Then: []core.Act{{Topic: "blue/hall/lamp/led"}}},
		},
	}
}

func account(id core.AccountID) (core.Account, bool) {
	switch {
	case id >= 1 && id <= 5:
		return core.Account{ID: id, Name: topic.ID(fmt.Sprint("kit-", id)), Role: core.Kit}, true
	case id == 9:
		return core.Account{ID: id, Name: "teacher", Label: "Ms. Kim", Role: core.Teacher}, true
	}
	return core.Account{}, false
}

// lab is a broker on paper: what it takes gets numbers, and goes where the test says.
type lab struct {
	*why.Service
	t      testing.TB
	store  why.Store
	feed   core.Feed
	design atomic.Pointer[core.Design]
	n      uint64
	logged strings.Builder
}

// newDir returns a folder with databases that were never used: a copy, because
// making them takes much longer than any test.
func newDir(t testing.TB) string {
	t.Helper()
	files, err := newFiles()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var newFiles = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "homeroom-why")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	db, err := storage.Open(context.Background(), dir)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if err == nil && !e.IsDir() {
			files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name()))
		}
	}
	return files, err
})

func openDB(t testing.TB, dir string) *storage.DB {
	t.Helper()
	db, err := storage.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func newLab(t testing.TB, store why.Store) *lab {
	t.Helper()
	l := &lab{t: t, store: store}
	l.design.Store(fourBoards())
	var err error
	l.Service, err = why.Open(t.Context(), why.Config{Store: store, Design: l.design.Load, Account: account, Feed: &l.feed, Log: slog.New(slog.NewTextHandler(&l.logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// bubble runs f with a lab over a real store, in the time of a bubble that begins
// at a round second.
func bubble(t *testing.T, f func(t *testing.T, l *lab)) {
	dir := newDir(t)
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t, dir)
		defer db.Close()
		f(t, newLab(t, db))
	})
}

func (l *lab) message(from core.AccountID, client string, n topic.Name, value string) core.Message {
	l.n++
	return core.Message{N: l.n, Topic: n, Payload: []byte(value), From: from, Client: client, At: time.Now()}
}

func (l *lab) publish(from core.AccountID, client string, n topic.Name, value string) core.Message {
	m := l.message(from, client, n, value)
	l.Observe(m)
	return m
}

// kit publishes as kit-<from>.
func (l *lab) kit(from core.AccountID, n topic.Name, value string) core.Message {
	return l.publish(from, fmt.Sprint("kit-", from), n, value)
}

func (l *lab) reach(m core.Message, to core.AccountID, acked bool) {
	l.Delivered(core.Delivery{N: m.N, Topic: m.Topic, Client: fmt.Sprint("kit-", to), Account: to, At: time.Now(), Acked: acked})
}

func (l *lab) why(n topic.Name) core.Chain {
	l.t.Helper()
	c, err := l.Why(l.t.Context(), n, time.Time{}, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// lines is a chain as a test wants to see it: a step a line, > before what is
// only likely, and = before the effect.
func lines(c core.Chain) string {
	var b strings.Builder
	for i, s := range c.Steps {
		mark := " "
		if s.Likely {
			mark = ">"
		}
		if i == c.Effect {
			mark += "="
		}
		fmt.Fprintf(&b, "%-2s %s: %s +%v\n", mark, s.Kind, s.Say, s.After)
	}
	return b.String()
}

func (l *lab) wants(c core.Chain, want string) {
	l.t.Helper()
	want = strings.TrimPrefix(strings.ReplaceAll(want, "\n\t\t", "\n"), "\n")
	if got := lines(c); strings.TrimSpace(got) != strings.TrimSpace(want) {
		l.t.Errorf("got\n%swant\n%s", got, want)
	}
}

func ms(n int) { time.Sleep(time.Duration(n) * time.Millisecond) }

// fire publishes what a rule sends, and tells why.
func (l *lab) fire(rule topic.ID, cause core.Message, n topic.Name, value string, reason core.Sentence) core.Message {
	sent := l.publish(9, "rule:"+string(rule), n, value)
	told := sent
	told.N = 0 // the engine is not told the number
	f := core.Firing{At: time.Now(), Rule: rule, Cause: cause, Why: reason, Sent: []core.Message{told}}
	if r := l.design.Load().Rule(rule); r != nil {
		for _, in := range r.Inputs {
			f.Reads = append(f.Reads, in.Topic)
		}
	}
	l.Fired(f)
	return sent
}

var brightnessWins = core.Say("{a} above {b}, {c} wins", "a", "brightness 80 %", "b", 60, "c", "button")

func TestRuleChain(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.kit(4, "blue/lab/brightness", "80")
		l.kit(1, "blue/lab/light", "Off")
		ms(1310)
		pressed := l.kit(2, "blue/lab/button", "turn on")
		ms(3)
		lamp := l.fire("choice", pressed, "blue/lab/light", "On", brightnessWins)
		ms(14)
		l.reach(lamp, 1, true)
		c := l.why("blue/lab/light")
		l.wants(c, `
		   message: button pressed by kit-2: button = turn on +0s
		   rule: brightness 80 % above 60, button wins +3ms
		 = message: light = On +0s
		   delivered: delivered to kit-1 +14ms
		`)
		if s := c.Steps[1]; s.Rule != "choice" || s.Who != "Choice" {
			t.Errorf("%+v", s)
		}
		if s := c.Steps[2]; s.Topic != "blue/lab/light" || s.Value != "On" || s.Who != "Choice" || !s.At.Equal(lamp.At.Truncate(time.Microsecond)) {
			t.Errorf("%+v", s)
		}
		text := why.Text(c, nil)
		at := pressed.At.Local()
		want := at.Format("2006-01-02 15:04:05.000") + " button pressed by kit-2: button = turn on → " + at.Add(3*time.Millisecond).Format("15:04:05.000") +
			" rule Choice: brightness 80 % above 60, button wins after 3 ms → " + at.Add(3*time.Millisecond).Format("15:04:05.000") + " light = On after 0 ms → " +
			at.Add(17*time.Millisecond).Format("15:04:05.000") + " delivered to kit-1 after 14 ms"
		if text != want {
			t.Errorf("text\n%s\nwant\n%s", text, want)
		}

		// What it led to, asked from the other end.
		l.wants(l.why("blue/lab/button"), `
		 = message: button pressed by kit-2: button = turn on +0s
		   rule: brightness 80 % above 60, button wins +3ms
		   message: light = On +3ms
		`)

		// Before, somebody else had turned it off.
		before, err := l.Why(t.Context(), "blue/lab/light", pressed.At.Add(-time.Millisecond), nil)
		if err != nil {
			t.Fatal(err)
		}
		l.wants(before, ` = message: kit-1 published light = Off +0s`)
		changes, err := l.Changes(t.Context(), "blue/lab/light", time.Time{}, time.Time{}, 10)
		if err != nil || len(changes) != 2 || string(changes[0].Payload) != "On" || changes[0].Client != "rule:choice" || string(changes[1].Payload) != "Off" {
			t.Errorf("changes %+v, %v", changes, err)
		}
		for _, m := range changes {
			if c, err := l.Why(t.Context(), "blue/lab/light", m.At, nil); err != nil || c.Steps[c.Effect].Value != string(m.Payload) {
				t.Errorf("asked at %v: %v %v", m.At, lines(c), err)
			}
		}
		if changes, err := l.Changes(t.Context(), "blue/lab/light", pressed.At, time.Time{}, 1); err != nil || len(changes) != 1 {
			t.Errorf("changes since: %+v, %v", changes, err)
		}
	})
}

// TestRulesOneAfterAnother: a rule's act is the cause of the next; and rules that
// go on for ever are told up to a bound.
func TestRulesOneAfterAnother(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		m := l.kit(2, "blue/lab/button", "0")
		for i := range 60 {
			ms(300)
			n, rule := topic.Name("blue/lab/light"), topic.ID("choice")
			if i%2 == 1 {
				n, rule = "blue/hall/lamp/led/set", "led"
			}
			m = l.fire(rule, m, n, fmt.Sprint(i), core.Say("again"))
		}
		c := l.why(m.Topic)
		if len(c.Steps) != 2*20 || c.Effect != len(c.Steps)-1 {
			t.Fatalf("%d steps, the effect is %d", len(c.Steps), c.Effect)
		}
		for i, s := range c.Steps[1:] {
			if s.At.Before(c.Steps[i].At) || (s.Kind == core.StepRule) == (c.Steps[i].Kind == core.StepRule) {
				t.Errorf("step %d: %+v after %+v", i+1, s, c.Steps[i])
			}
		}
	})
}

// TestTimeMadeItAct: a rule without a message that made it act is the first cause.
func TestTimeMadeItAct(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.fire("choice", core.Message{}, "blue/lab/light", "Off", core.Say("it was {time}", "time", "18:00"))
		l.wants(l.why("blue/lab/light"), `
		   rule: it was 18:00 +0s
		 = message: light = Off +0s
		`)
	})
}

// TestSomebodyElseIsNoRule: a client that calls itself as a rule does has not its story.
func TestSomebodyElseIsNoRule(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		pressed := l.kit(2, "blue/lab/button", "turn on")
		l.fire("choice", pressed, "blue/lab/light", "On", brightnessWins)
		ms(500)
		l.publish(4, "rule:choice", "blue/lab/light", "Off")
		ms(10)
		l.publish(4, "rule:choice", "blue/lab/light", "On")
		if c := l.why("blue/lab/light"); len(c.Steps) != 1 {
			t.Errorf("got\n%s", lines(c))
		}
	})
}

// TestChoiceBoard: nobody sees why a kit publishes; it is concluded from what it got.
func TestChoiceBoard(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		dark := l.kit(4, "blue/lab/brightness", "80")
		ms(2)
		l.reach(dark, 3, false)
		ms(5000)
		pressed := l.kit(2, "blue/lab/button", "turn on")
		ms(4)
		l.reach(pressed, 3, false)
		l.reach(pressed, 1, true)
		ms(6)
		lamp := l.kit(3, "blue/lab/light", "On")
		ms(14)
		l.reach(lamp, 1, true)
		want := `
		   message: button pressed by kit-2: button = turn on +0s
		   delivered: sent to ESP_Choice +4ms
		>= message: ESP_Choice set light = On; it had brightness 80 %, button turn on +6ms
		   delivered: delivered to kit-1 +14ms
		`
		l.wants(l.why("blue/lab/light"), want)
		l.wants(l.why("blue/lab/button"), `
		 = message: button pressed by kit-2: button = turn on +0s
		   delivered: sent to ESP_Choice +4ms
		   delivered: delivered to kit-1 +4ms
		>  message: ESP_Choice set light = On; it had brightness 80 %, button turn on +10ms
		`)
		if c := l.why("blue/lab/brightness"); len(c.Steps) != 2 {
			t.Errorf("what came long before is no cause:\n%s", lines(c))
		}

		// The same decision as a rule that the board runs.
		d := *l.design.Load()
		rule := *d.Rules[0]
		rule.Kit = "blue/lab/choice"
		d.Rules = []*core.Rule{&rule, d.Rules[1]}
		l.design.Store(&d)
		l.wants(l.why("blue/lab/light"), `
		   message: button pressed by kit-2: button = turn on +0s
		   delivered: sent to ESP_Choice +4ms
		>  rule: ESP_Choice decided by this rule; it had brightness 80 %, button turn on +6ms
		>= message: ESP_Choice set light = On +0s
		   delivered: delivered to kit-1 +14ms
		`)
	})
}

// TestOrderOfRecords: what is told of a delivery comes before its message, or after
// what it led to.
func TestOrderOfRecords(t *testing.T) {
	const want = `
		   message: button pressed by kit-2: button = turn on +0s
		   delivered: %s to ESP_Choice +%v
		>= message: ESP_Choice set light = On; it had button turn on +%v
		`
	for name, f := range map[string]func(l *lab) string{
		"delivered before it was observed": func(l *lab) string {
			pressed := l.message(2, "kit-2", "blue/lab/button", "turn on")
			ms(1)
			l.reach(pressed, 3, false)
			l.Observe(pressed)
			ms(2)
			l.kit(3, "blue/lab/light", "On")
			return fmt.Sprintf(want, "sent", "1ms", "2ms")
		},
		"the reaction before the cause": func(l *lab) string {
			pressed := l.message(2, "kit-2", "blue/lab/button", "turn on")
			l.reach(pressed, 3, false)
			ms(2)
			l.kit(3, "blue/lab/light", "On")
			l.Observe(pressed)
			return fmt.Sprintf(want, "sent", "0s", "2ms")
		},
		"acknowledged after the reaction": func(l *lab) string {
			pressed := l.kit(2, "blue/lab/button", "turn on")
			ms(7)
			l.kit(3, "blue/lab/light", "On")
			ms(30)
			l.reach(pressed, 3, true)
			return fmt.Sprintf(want, "delivered", "7ms", "0s")
		},
		"written meanwhile": func(l *lab) string {
			pressed := l.kit(2, "blue/lab/button", "turn on")
			_ = l.Flush(l.t.Context())
			ms(5)
			l.reach(pressed, 3, true)
			_ = l.Flush(l.t.Context())
			ms(2)
			l.kit(3, "blue/lab/light", "On")
			return fmt.Sprintf(want, "delivered", "5ms", "2ms")
		},
		"twenty presses later": func(l *lab) string {
			pressed := l.kit(2, "blue/lab/button", "turn on")
			for range 2 * 20 {
				ms(50)
				l.kit(4, "blue/lab/brightness", fmt.Sprint(l.n))
				l.kit(2, "blue/lab/button", "turn on") // again, which nobody got
			}
			l.reach(pressed, 3, true)
			l.kit(3, "blue/lab/light", "On")
			return ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, l *lab) {
				if want := f(l); want != "" {
					l.wants(l.why("blue/lab/light"), want)
				} else if c := l.why("blue/lab/light"); len(c.Steps) != 3 || c.Steps[0].Value != "turn on" {
					t.Errorf("got\n%s", lines(c))
				}
			})
		})
	}
}

func TestFirstCauses(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		for _, c := range []struct {
			m    core.Message
			want string
		}{
			{l.message(4, "kit-4", "blue/lab/brightness", "12"), "kit-4 published brightness = 12 %"},
			{l.message(2, "kit-2", "blue/lab/button", "turn off"), "button released by kit-2: button = turn off"},
			{l.message(core.Anyone, "window", "blue/lab/light", "a"), "somebody at this PC published light = a"},
			{l.message(core.Anyone, "window", "blue/hall/lamp/led/set", "true"), "somebody at this PC asked for led = true"},
			{l.message(9, "page", "blue/hall/lamp/led/set", "false"), "Ms. Kim asked for led = false"},
			{l.message(9, "mqttx_1", "blue/lab/light", "b"), "Ms. Kim (mqttx_1) published light = b"},
			{l.message(77, "gone", "blue/lab/light", "c"), "gone published light = c"},
			{l.message(9, "replay-1", "blue/lab/light", "d"), "a replay published light = d"},
			{l.message(9, "page", "blue/lab/light", ""), "Ms. Kim cleared light"},
			{l.message(core.Anyone, "kit-1", "blue/lab/lamp/$state", "ready"), "kit-1 published $state = ready"},
			{core.Message{N: 999, Topic: "blue/lab/lamp/$state", Payload: []byte("lost"), Will: true, From: 1, Client: "kit-1", At: time.Now()}, "kit-1 was lost: $state = lost"},
		} {
			ms(10)
			c.m.At = time.Now()
			l.Observe(c.m)
			chain := l.why(c.m.Topic)
			if len(chain.Steps) != 1 || chain.Effect != 0 || chain.Steps[0].Say.String() != c.want {
				t.Errorf("got\n%swant %s", lines(chain), c.want)
			}
		}
	})
}

func TestCommands(t *testing.T) {
	const led topic.Name = "blue/hall/lamp/led"
	for name, c := range map[string]struct {
		f    func(l *lab)
		want string
	}{
		"obeyed": {func(l *lab) {
			m := l.publish(9, "page", led+"/set", "true")
			ms(3)
			l.reach(m, 5, true)
			ms(700)
			l.kit(5, led, "True ")
		}, `
		   message: Ms. Kim asked for led = true +0s
		   delivered: delivered to kit-5 +3ms
		 = message: lamp told led = True  +700ms
		`},
		"another value": {func(l *lab) {
			m := l.publish(9, "page", led+"/set", "true")
			l.reach(m, 5, true)
			ms(100)
			l.kit(5, led, "fault")
		}, `
		   message: Ms. Kim asked for led = true +0s
		   delivered: delivered to lamp +0s
		>= message: lamp told led = fault +100ms
		`},
		"nobody saw that it got it": {func(l *lab) {
			l.publish(9, "page", led+"/set", "1")
			ms(100)
			l.kit(5, led, "true")
		}, `
		   message: Ms. Kim asked for led = 1 +0s
		>= message: lamp told led = true +100ms
		`},
		"nobody saw it, and another value": {func(l *lab) {
			l.publish(9, "page", led+"/set", "true")
			ms(100)
			l.kit(5, led, "7")
		}, ` = message: lamp published led = 7 +0s`},
		"too late": {func(l *lab) {
			m := l.publish(9, "page", led+"/set", "true")
			l.reach(m, 5, true)
			ms(5001)
			l.kit(5, led, "true")
		}, ` = message: lamp published led = true +0s`},
		"somebody else's": {func(l *lab) {
			m := l.publish(9, "page", led+"/set", "true")
			l.reach(m, 5, true)
			l.kit(4, led, "true")
		}, ` = message: kit-4 published led = true +0s`},
		"by a rule": {func(l *lab) {
			dark := l.publish(9, "page", "secret/level", "3")
			m := l.fire("led", dark, led+"/set", "true", core.Say("dark"))
			ms(2)
			l.reach(m, 5, true)
			ms(9)
			l.kit(5, led, "true")
		}, `
		   message: Ms. Kim published level = 3 +0s
		   rule: dark +0s
		   message: asked for led = true +0s
		   delivered: delivered to lamp +2ms
		 = message: lamp told led = true +9ms
		`},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, l *lab) {
				c.f(l)
				l.wants(l.why(led), strings.ReplaceAll(c.want, "delivered to kit-5", "delivered to lamp"))
			})
		})
	}
}

// TestMayNotRead: a chain leads through topics of others, and tells nothing of them.
func TestMayNotRead(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		dark := l.publish(9, "spy-client", "secret/level", "3141")
		m := l.fire("led", dark, "blue/hall/lamp/led/set", "true", core.Say("level is {v}", "v", 3141))
		l.reach(m, 5, true)
		ms(9)
		l.kit(5, "blue/hall/lamp/led", "true")
		blue := func(n topic.Name) bool { return strings.HasPrefix(string(n), "blue/") }
		c, err := l.Why(t.Context(), "blue/hall/lamp/led", time.Time{}, blue)
		if err != nil {
			t.Fatal(err)
		}
		l.wants(c, `
		   message: something that you may not read +0s
		   message: asked for led = true +0s
		   delivered: delivered to lamp +0s
		 = message: lamp told led = true +9ms
		`)
		for _, word := range []string{"3141", "level", "Kim", "spy", "secret"} {
			if all := fmt.Sprintf("%+v %s", c, why.Text(c, nil)); strings.Contains(all, word) {
				t.Errorf("%q is told: %s", word, all)
			}
		}
		if _, err := l.Why(t.Context(), "secret/level", time.Time{}, blue); !errors.Is(err, core.ErrDenied) {
			t.Errorf("asked for another's: %v", err)
		}
		// What it led to is hidden, too.
		c, err = l.Why(t.Context(), "secret/level", time.Time{}, func(n topic.Name) bool { return n == "secret/level" })
		if err != nil {
			t.Fatal(err)
		}
		l.wants(c, `
		 = message: Ms. Kim (spy-client) published level = 3141 +0s
		   rule: level is 3141 +0s
		   message: something that you may not read +0s
		`)
		// The inputs of a decision are told as far as they may be read.
		x := l.kit(4, "blue/lab/brightness", "80")
		l.reach(x, 3, true)
		y := l.kit(2, "blue/lab/button", "turn on")
		l.reach(y, 3, true)
		l.kit(3, "blue/lab/light", "On")
		c, err = l.Why(t.Context(), "blue/lab/light", time.Time{}, func(n topic.Name) bool { return n != "blue/lab/brightness" })
		if all := fmt.Sprintf("%+v", c); err != nil || strings.Contains(all, "80") || !strings.Contains(all, "turn on") {
			t.Errorf("%s %v", all, err)
		}
	})
}

func TestRefusals(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.kit(1, "blue/lab/light", "Off")
		ms(10)
		for range 100 {
			l.Refused(core.Refusal{At: time.Now(), Account: 4, Client: "kit-4", Action: core.Publish, Topic: "blue/lab/light", Say: core.Say("{name} may not publish to {topic}", "name", "kit-4", "topic", "blue/lab/light")})
			l.Refused(core.Refusal{At: time.Now(), Account: 4, Client: "kit-4", Action: core.Subscribe, Topic: "blue/lab/light"})
			l.Refused(core.Refusal{At: time.Now(), Account: 4, Client: "kit-4", Action: core.Publish, Topic: "other"})
		}
		l.wants(l.why("blue/lab/light"), `
		 = message: kit-1 published light = Off +0s
		   refused: kit-4 may not publish to blue/lab/light +10ms
		   refused: kit-4 may not publish to blue/lab/light +10ms
		   refused: kit-4 may not publish to blue/lab/light +10ms
		`)
	})
}

// TestNothingKnown says why there is no answer.
func TestNothingKnown(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.publish(9, "x", "other", "1")
		for n, want := range map[topic.Name]string{"other": "not in the design", "blue/lab/light": "in the last 24 hours"} {
			if c, err := l.Why(t.Context(), n, time.Time{}, nil); !errors.Is(err, core.ErrNotFound) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, %v", n, c, err)
			}
		}
		l.kit(1, "blue/lab/light", "Off")
		if _, err := l.Why(t.Context(), "blue/lab/light", time.Now().Add(-time.Second), nil); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("before there was anything: %v", err)
		}
	})
}

// TestRestart: numbers begin anew with the program, and what was known is known.
func TestRestart(t *testing.T) {
	dir := newDir(t)
	synctest.Test(t, func(t *testing.T) {
		var want string
		for turn := range 3 {
			db := openDB(t, dir)
			l := newLab(t, db)
			if turn > 0 {
				l.wants(l.why("blue/lab/light"), want)
				l.kit(1, "blue/lab/light", "On") // the kit says again what it said
				l.wants(l.why("blue/lab/light"), want)
				if changes, err := l.Changes(t.Context(), "blue/lab/light", time.Time{}, time.Time{}, 99); err != nil || len(changes) != 2*turn-1 {
					t.Errorf("changes %v, %v", changes, err)
				}
				ms(10)
				l.fire("choice", core.Message{}, "blue/lab/light", "Off", core.Say("later"))
			}
			ms(10)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- l.Run(ctx) }()
			pressed := l.kit(2, "blue/lab/button", fmt.Sprint("turn on ", turn))
			lamp := l.fire("choice", pressed, "blue/lab/light", "On", brightnessWins)
			l.reach(lamp, 1, true)
			want = lines(l.why("blue/lab/light"))
			if turn > 0 {
				if c := l.why("blue/lab/light"); c.Steps[0].Value != fmt.Sprint("turn on ", turn) {
					t.Errorf("after restart %d\n%s", turn, want)
				}
			}
			if turn == 0 {
				ms(1500)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			ms(60_000)
		}
	})
}

// TestClockSetBack: the order is that of the broker, whatever the clock says.
func TestClockSetBack(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		shift := func(m core.Message, d time.Duration) core.Message {
			m.At = m.At.Round(0).Add(d) // without the monotonic clock
			return m
		}
		l.Observe(l.message(1, "kit-1", "blue/lab/light", "Off"))
		ms(100)
		dark := shift(l.message(4, "kit-4", "blue/lab/brightness", "9"), 0)
		l.Observe(dark)
		ms(100)
		const back = -time.Hour
		pressed := shift(l.message(2, "kit-2", "blue/lab/button", "turn on"), back)
		l.Observe(pressed)
		l.Delivered(core.Delivery{N: pressed.N, Topic: pressed.Topic, Client: "kit-3", Account: 3, At: pressed.At})
		l.Observe(shift(l.message(3, "kit-3", "blue/lab/light", "On"), back))
		c := l.why("blue/lab/light")
		l.wants(c, `
		   message: button pressed by kit-2: button = turn on +0s
		   delivered: sent to ESP_Choice +0s
		>= message: ESP_Choice set light = On; it had brightness 9 %, button turn on +0s
		`)
		changes, err := l.Changes(t.Context(), "blue/lab/light", time.Time{}, time.Time{}, 9)
		if err != nil || len(changes) != 2 || string(changes[0].Payload) != "On" {
			t.Errorf("newest first: %+v %v", changes, err)
		}
		// A rule that acted across the step: no time is negative.
		m := shift(l.message(9, "rule:choice", "blue/lab/light", "Off"), back-time.Second)
		l.Observe(m)
		l.Fired(core.Firing{At: m.At, Rule: "choice", Cause: dark, Why: core.Say("dark"), Sent: []core.Message{{Topic: m.Topic, Payload: m.Payload}}})
		c = l.why("blue/lab/light")
		if len(c.Steps) != 3 || c.Steps[0].Value != "9 %" {
			t.Fatalf("got\n%s", lines(c))
		}
		for _, s := range c.Steps {
			if s.After < 0 {
				t.Errorf("got\n%s", lines(c))
			}
		}
	})
}

// TestFlood: one topic is published to as fast as can be. The others are told in
// full, and of it what came last.
func TestFlood(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		var flooded core.Message
		for i := range 20_000 {
			flooded = l.kit(4, "blue/lab/brightness", fmt.Sprint(i))
			for to := range core.AccountID(3) {
				l.reach(flooded, to+1, false)
			}
			l.publish(9, "x", "undesigned/topic", fmt.Sprint(i))
			if i%2000 == 1999 {
				pressed := l.kit(2, "blue/lab/button", fmt.Sprint(i))
				l.reach(pressed, 3, false)
				l.fire("choice", flooded, "blue/lab/light", fmt.Sprint(i), core.Say("bright"))
				ms(1000)
				if err := l.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if l.Dropped() > 0 {
			t.Errorf("%d events were dropped", l.Dropped())
		}
		c := l.why("blue/lab/brightness")
		if s := c.Steps[c.Effect]; s.Value != "19999 %" || len(c.Steps) < 4 || c.Steps[1].Kind != core.StepDelivered {
			t.Errorf("the newest is not known:\n%s", lines(c))
		}
		count := func(n topic.Name) int {
			rows, err := l.store.WhyMessages(t.Context(), why.Query{Topics: []topic.Name{n}, Limit: 100_000})
			if err != nil {
				t.Fatal(err)
			}
			return len(rows)
		}
		if n := count("blue/lab/brightness"); n < 100 || n > 250 {
			t.Errorf("%d messages of the flood are kept", n)
		}
		if n, m := count("blue/lab/button"), count("undesigned/topic"); n != 10 || m != 0 {
			t.Errorf("%d presses and %d others are kept, want 10 and 0", n, m)
		}
		changes, err := l.Changes(t.Context(), "blue/lab/light", time.Time{}, time.Time{}, 99)
		if err != nil || len(changes) != 10 {
			t.Fatalf("%d changes of the lamp, %v", len(changes), err)
		}
		for _, m := range changes { // what made a rule act is kept whatever came
			c, err := l.Why(t.Context(), "blue/lab/light", m.At, nil)
			if err != nil || len(c.Steps) < 3 || c.Steps[0].Value != string(m.Payload)+" %" {
				t.Errorf("%v\n%s", err, lines(c))
			}
		}

		// Repeats are kept sparsely, and are no changes.
		for range 10_000 {
			l.kit(1, "blue/lab/lamp/$state", "ready")
		}
		if n := count("blue/lab/lamp/$state"); n != 0 {
			t.Errorf("%d before they were written", n)
		}
		_ = l.Flush(t.Context())
		if n := count("blue/lab/lamp/$state"); n < 2 || n > 25 {
			t.Errorf("%d repeats are kept", n)
		}
		if changes, _ := l.Changes(t.Context(), "blue/lab/lamp/$state", time.Time{}, time.Time{}, 99); len(changes) != 1 {
			t.Errorf("%d changes", len(changes))
		}
	})
}

// stuck is a store whose disk fails.
type stuck struct {
	why.Store
	fails atomic.Bool
}

func (s *stuck) WriteWhy(ctx context.Context, b why.Batch) error {
	if s.fails.Load() {
		return errors.New("disk on fire")
	}
	return s.Store.WriteWhy(ctx, b)
}

// TestDiskFails: nobody waits for it, memory is bounded, and what fits is written later.
func TestDiskFails(t *testing.T) {
	dir := newDir(t)
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t, dir)
		defer db.Close()
		s := &stuck{Store: db}
		l := newLab(t, s)
		d := fourBoards()
		for i := range 400 {
			d.Topics = append(d.Topics, &core.Topic{Name: topic.Name(fmt.Sprintf("z/%03d", i))})
		}
		l.design.Store(d)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		synctest.Wait() // it follows the design
		s.fails.Store(true)
		l.kit(2, "blue/lab/button", "turn on")
		ms(1500)
		if _, err := l.Why(t.Context(), "blue/lab/button", time.Time{}, nil); err == nil {
			t.Error("answered without the disk")
		}
		for i := range 40_000 {
			l.publish(9, "x", d.Topics[len(d.Topics)-1-i%400].Name, fmt.Sprint(i))
		}
		if n := l.Dropped(); n < 20_000 || n > 40_000 {
			t.Errorf("%d dropped", n)
		}
		s.fails.Store(false)
		ms(2500)
		if c := l.why("blue/lab/button"); len(c.Steps) != 1 {
			t.Errorf("got\n%s", lines(c))
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if log := l.logged.String(); strings.Count(log, "cannot be written") != 1 || strings.Count(log, "more happened than could be written") != 1 {
			t.Errorf("logged\n%s", log)
		}
	})
}

// TestDesignChanges: what is designed while the program runs is followed from then
// on, and a renamed topic keeps its past.
func TestDesignChanges(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		if l.Traces("green/x") || !l.Traces("blue/lab/light") || !l.Traces("blue/hall/lamp/led/set") || l.Traces("blue/lab/light/set") {
			t.Error("what is traced is not what is designed")
		}
		pressed := l.kit(2, "blue/lab/button", "turn on")
		l.reach(pressed, 3, false)
		ms(5)
		l.kit(3, "blue/lab/light", "On")
		d := fourBoards()
		d.Topics = append(d.Topics, &core.Topic{Name: "green/x"}, &core.Topic{Name: "hall/light"})
		d.Renamed = []core.Renamed{{Old: "blue/lab/light", New: "blue/den/light"}, {Old: "blue/den", New: "hall"}}
		slices.SortFunc(d.Topics, func(a, b *core.Topic) int { return strings.Compare(string(a.Name), string(b.Name)) })
		l.design.Store(d)
		l.feed.Tell(core.PlanChanged)
		synctest.Wait()
		if !l.Traces("green/x") {
			t.Error("a new topic is not followed")
		}
		c := l.why("hall/light")
		if len(c.Steps) != 3 || c.Topic != "hall/light" || c.Steps[0].Value != "turn on" {
			t.Errorf("after the renaming\n%s", lines(c))
		}
		cancel()
		<-done
	})
}

// TestEditedMeanwhile: a rule that was edited just now may have acted as it was
// before, and what it read then counts.
func TestEditedMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		dark := l.publish(9, "spy-client", "secret/level", "3141")
		sent := l.publish(9, "rule:led", "blue/hall/lamp/led/set", "true")
		f := core.Firing{At: time.Now(), Rule: "led", Cause: dark, Why: core.Say("level is 3141"), Reads: []topic.Name{"secret/level"}, Sent: []core.Message{sent}}
		d := fourBoards()
		d.Rules[1] = &core.Rule{ID: "led", Account: 9, Inputs: []core.Input{{Name: "x", Topic: "blue/lab/button"}}}
		l.design.Store(d)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		l.feed.Tell(core.PlanChanged)
		synctest.Wait()
		l.Fired(f)
		c, err := l.Why(t.Context(), "blue/hall/lamp/led/set", time.Time{}, func(n topic.Name) bool { return strings.HasPrefix(string(n), "blue/") })
		if all := lines(c); err != nil || strings.Contains(all, "3141") || !strings.Contains(all, "something that you may not read") {
			t.Errorf("told\n%s%v", all, err)
		}
		cancel()
		<-done
	})
}

// TestRenamed wants a chain from before a room was renamed to read as if it had
// always been called so, also by those who may read the new names alone.
func TestRenamed(t *testing.T) {
	for what, fire := range map[string]bool{"rule": true, "board": false} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, l *lab) {
				pressed := l.kit(2, "blue/lab/button", "turn on")
				l.reach(pressed, 3, false)
				ms(5)
				var lit core.Message
				if fire {
					lit = l.fire("choice", pressed, "blue/lab/light", "On", core.Say("button = on"))
				} else {
					lit = l.kit(3, "blue/lab/light", "On")
				}
				l.reach(lit, 1, false)
				l.Refused(core.Refusal{At: time.Now(), Account: 4, Client: "kit-4", Action: core.Publish, Topic: "blue/lab/light", Say: core.Say("kit-4 may not")})
				asked := l.kit(9, "blue/hall/lamp/led/set", "true")
				l.reach(asked, 5, true)
				l.kit(5, "blue/hall/lamp/led", "true")
				want := []string{lines(l.why("blue/lab/light")), lines(l.why("blue/lab/button")), lines(l.why("blue/hall/lamp/led"))}

				// A copy, as the plan makes one.
				text, err := json.Marshal(fourBoards())
				if err != nil {
					t.Fatal(err)
				}
				d := &core.Design{}
				if err := json.Unmarshal(bytes.ReplaceAll(text, []byte(`"blue/`), []byte(`"red/`)), d); err != nil {
					t.Fatal(err)
				}
				d.Renamed = []core.Renamed{{Old: "blue", New: "red"}}
				slices.SortFunc(d.Topics, func(a, b *core.Topic) int { return strings.Compare(string(a.Name), string(b.Name)) })
				l.design.Store(d)
				red := func(n topic.Name) bool { return strings.HasPrefix(string(n), "red/") }
				for i, n := range []topic.Name{"red/lab/light", "red/lab/button", "red/hall/lamp/led"} {
					c, err := l.Why(t.Context(), n, time.Time{}, red)
					if err != nil {
						t.Fatal(err)
					}
					if got := lines(c); got != want[i] {
						t.Errorf("%s is now\n%swas\n%s", n, got, want[i])
					}
					if s := c.Steps[c.Effect]; s.Topic != n {
						t.Errorf("%s is called %s in its chain", n, s.Topic)
					}
				}
			})
		})
	}
}

// TestDayIsOver: what is older than a day goes, by itself.
func TestDayIsOver(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		pressed := l.kit(2, "blue/lab/button", "turn on")
		lamp := l.fire("choice", pressed, "blue/lab/light", "On", brightnessWins)
		l.reach(lamp, 1, true)
		time.Sleep(23 * time.Hour)
		l.kit(4, "blue/lab/brightness", "1")
		if c := l.why("blue/lab/light"); len(c.Steps) != 4 {
			t.Errorf("after 23 hours\n%s", lines(c))
		}
		time.Sleep(75 * time.Minute)
		if c, err := l.Why(t.Context(), "blue/lab/light", time.Time{}, nil); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("after a day: %v\n%s", err, lines(c))
		}
		if c := l.why("blue/lab/brightness"); len(c.Steps) != 1 {
			t.Errorf("after an hour\n%s", lines(c))
		}
		cancel()
		<-done
	})
}

// TestHostileValues: what is shown is one line of valid text, and short.
func TestHostileValues(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		for i, v := range []string{"", "a\nb\tc", "\x00\x1b[31m\xff", strings.Repeat("한", 100), strings.Repeat("x", 1<<20), "\u202egnp.exe", "{who} {topic}", strings.Repeat("é", 32) + "\xc3"} {
			ms(10)
			l.publish(9, "{value}\n\u202e"+strings.Repeat("c", 200), "blue/lab/light", v+fmt.Sprint("", i)[:min(1, len(v))])
			c := l.why("blue/lab/light")
			s := c.Steps[0]
			text := why.Text(c, nil)
			if !utf8.ValidString(text) || strings.ContainsAny(text, "\n\t\x00\x1b\u202e") || len(s.Value) > 64 || len(text) > 400 {
				t.Errorf("%q is shown as %q", v, text)
			}
			if strings.Contains(v, "{who}") && !strings.Contains(text, "{who} {topic}") {
				t.Errorf("places in a value are filled: %q", text)
			}
		}
	})
}

package kits_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits"
	"homeroom/core/kits/chip"
	"homeroom/core/kits/line"
	"homeroom/core/topic"
)

// makeKit makes a button kit of a board, up to its test, and closes the setup.
func (l *lab) makeKit(port string, b *chip.Chip, kit topic.Name) {
	l.t.Helper()
	id := l.begin(port, b)
	l.rest(id)
	l.ok(l.s.Order(l.t.Context(), id, core.SetupOrder{Kit: kit, Role: core.ButtonKit, Image: "wifi", Network: network, Key: password}))
	l.ok(l.s.Start(l.t.Context(), id, core.StepKit))
	l.until("the test", func() bool { s := l.setup(id); return s.Step == core.StepTest || !s.Running })
	if s := l.setup(id); !s.Running {
		l.t.Fatalf("%s: %s\n%s", s.Step, s.Problem, strings.Join(s.Log, "\n"))
	}
	l.ok(l.s.Close(id))
}

// kit is a kit of the plan as it stands.
func (l *lab) kit(n topic.Name) core.RealKit {
	for _, k := range l.s.Kits() {
		if k.Name == n {
			return k
		}
	}
	return core.RealKit{}
}

// TestUnplugged: wherever the board is pulled out, the setup says at which step, and
// goes on when it is back, on another port.
func TestUnplugged(t *testing.T) {
	t.Parallel()
	for _, step := range []core.SetupStep{core.StepKit, core.StepFlash, core.StepJoin, core.StepTest} {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			l := newLab(t, bundle{"wifi": image("wifi", "1.0.0")})
			b, h := l.board(4, chip.Options{})
			l.ok(h.NoNetworks())
			answer := func() {}
			if step == core.StepJoin { // it is on its way until somebody looks
				l.ok(h.Network(network, password, 1, 3, -50))
				answer = l.silence()
			}
			id := l.begin("COM3", b)
			l.rest(id)
			l.ok(l.s.Order(t.Context(), id, core.SetupOrder{Kit: "blue/lab/kit-4", Role: core.ButtonKit, Image: "wifi", Network: network, Key: password}))
			if step == core.StepTest {
				l.ok(h.Network(network, password, 1, 3, -50))
			}
			if step == core.StepFlash {
				b.Break(chip.Fault{Kind: chip.Slow, Command: 0x11, Delay: 300 * time.Millisecond})
			}
			from := core.StepPort
			if step != core.StepKit {
				from = core.StepKit
				l.ok(l.s.Start(t.Context(), id, core.StepKit))
				l.until(string(step), func() bool {
					s := l.setup(id)
					return s.Step == step && (step != core.StepFlash || b.Count(0x10) > 1) || !s.Running
				})
			}
			if s := l.setup(id); s.Step != step {
				t.Fatalf("it is at %s: %s\n%s", s.Step, s.Problem, strings.Join(s.Log, "\n"))
			}
			l.pc.unplug("COM3")
			l.until("it to be told", func() bool { s := l.setup(id); return !s.Running && s.Problem.Format != "" })
			if s := l.setup(id); s.Step != step || !strings.Contains(s.Problem.String(), "unplugged") || s.Ended.IsZero() {
				t.Errorf("it says %s: %q", s.Step, s.Problem)
			}
			l.until("the port to go", func() bool { return len(l.s.Ports().All) == 0 })
			if err := l.s.Start(t.Context(), id, from); !errors.Is(err, core.ErrConflict) {
				t.Errorf("without a board it starts: %v", err)
			}
			b.Mend()
			b.Replug()
			answer()
			l.ok(h.Network(network, password, 1, 3, -50))
			l.pc.plug("COM4", b)
			l.until("the board to be back", func() bool { return len(l.s.Ports().All) == 1 })
			from = step
			if step == core.StepKit {
				from = core.StepKit
			}
			l.until("it to start", func() bool { return l.s.Start(t.Context(), id, from) == nil })
			l.until("the test", func() bool { s := l.setup(id); return s.Step == core.StepTest && len(s.Tests) == 1 || !s.Running })
			if s := l.setup(id); !s.Running || s.Port != "COM4" {
				t.Fatalf("at %s it stopped at %s: %s\n%s", s.Port, s.Step, s.Problem, strings.Join(s.Log, "\n"))
			}
			l.ok(h.Press("button"))
			if s := l.rest(id); !s.Passed {
				t.Errorf("%s: %s", s.Step, s.Problem)
			}
		})
	}
}

// TestFaults: what breaks while a board is flashed is told, and is no success.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what  string
		fault chip.Fault
	}{
		{"a bit that sticks", chip.Fault{Kind: chip.Stuck, At: 0x3FA010, Bit: 3, High: true}},
		{"a chip that dies", chip.Fault{Kind: chip.Dead, Command: 0x11}},
		{"every block refused", chip.Fault{Kind: chip.Refuse, Command: 0x11}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, bundle{"wifi": image("wifi", "1.0.0")})
			b, _ := l.board(5, chip.Options{})
			id := l.begin("COM3", b)
			l.rest(id)
			l.ok(l.s.Order(t.Context(), id, core.SetupOrder{Kit: "blue/lab/kit-5", Role: core.ButtonKit, Image: "wifi", Network: network, Key: password}))
			b.Break(c.fault)
			l.ok(l.s.Start(t.Context(), id, core.StepKit))
			s := l.rest(id)
			if s.Step != core.StepFlash || s.Problem.Format == "" || s.Passed {
				t.Fatalf("%s, %q", s.Step, s.Problem)
			}
			l.mu.Lock()
			valid := len(l.secrets)
			l.mu.Unlock()
			if valid != 0 {
				t.Error("the secret became valid")
			}
			if m := l.s.Made(); len(m) != 1 || m[0].Passed || m[0].Step != core.StepFlash {
				t.Errorf("made %+v", m)
			}
			b.Mend()
			l.ok(l.s.Start(t.Context(), id, core.StepFlash))
			l.until("the test", func() bool { s := l.setup(id); return s.Step == core.StepTest || !s.Running })
			if s := l.setup(id); !s.Running {
				t.Errorf("once it is mended: %s %s", s.Step, s.Problem)
			}
		})
	}
}

// TestBoards: boards that cannot be kits are told as such before anything is written.
func TestBoards(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		o    chip.Options
		says string
	}{
		{"another chip", chip.Options{Magic: 0x00F01D83}, "ESP32"},
		{"too little flash", chip.Options{Size: 1 << 20}, "1 MB of flash"},
	} {
		t.Run(c.what, func(t *testing.T) {
			l := newLab(t, bundle{"wifi": image("wifi", "1.0.0")})
			b, _ := l.board(6, c.o)
			id := l.begin("COM3", b)
			s := l.rest(id)
			said := s.Problem.String()
			if s.Problem.Format == "" {
				said = fmt.Sprint(l.s.Order(t.Context(), id, core.SetupOrder{Kit: "blue/lab/kit-6", Role: core.ButtonKit, Image: "wifi"}))
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("it says %q, want %q in it", said, c.says)
			}
		})
	}
}

// TestByHand: a board whose reset is not wired asks for hands.
func TestByHand(t *testing.T) {
	t.Parallel()
	l := newLab(t, bundle{"wifi": image("wifi", "1.0.0")})
	b, _ := l.board(7, chip.Options{ByHand: true})
	id := l.begin("COM3", b)
	l.until("it to ask", func() bool { return strings.Contains(l.setup(id).Ask.String(), "FLASH") })
	b.PressReset(true)
	if s := l.rest(id); s.Step != core.StepKit || s.Ask.Format != "" || s.Chip.MAC == "" {
		t.Errorf("%+v", s)
	}
}

// TestDeaf: a board that hears its network only at the third try joins. What failed
// before is still told while it tries again, and counts once.
func TestDeaf(t *testing.T) {
	t.Parallel()
	l := newLab(t, bundle{"wifi": image("wifi", "1.0.0")})
	b, h := l.board(10, chip.Options{})
	l.ok(h.Deaf(2))
	l.makeKit("COM3", b, "blue/lab/kit-10")
}

// TestOrders: what cannot be is told in a sentence, and nothing changes.
func TestOrders(t *testing.T) {
	t.Parallel()
	l := newLab(t, bundle{"wifi": image("wifi", "1.0.0"), "wired": image("wired", "1.0.0")})
	l.draw("blue/lab/any", core.AnyKit, nil)
	b, _ := l.board(8, chip.Options{})
	id := l.begin("COM3", b)
	l.rest(id)
	other := chip.New(chip.Options{})
	defer other.Close()
	second := l.begin("COM4", other)
	l.rest(second)
	good := core.SetupOrder{Kit: "blue/lab/kit-8", Role: core.ButtonKit, Image: "wifi", Network: network, Key: password}
	l.ok(l.s.Order(t.Context(), second, core.SetupOrder{Kit: "blue/lab/taken", Role: core.ButtonKit, Image: "wired", Cable: true}))
	file, err := l.s.AddImage(t.Context(), "../own sketch\x00.bin", strings.NewReader(string(image("", ""))))
	if err != nil || file.Variant != "" || file.Title.String() != "own sketch�.bin" {
		t.Fatalf("a file of one's own: %+v, %v", file, err)
	}
	for _, c := range []struct {
		what   string
		change func(*core.SetupOrder)
		kind   error
		says   string
	}{
		{"no kit", func(o *core.SetupOrder) { o.Kit = "" }, core.ErrInvalid, "Choose which kit"},
		{"a wildcard", func(o *core.SetupOrder) { o.Kit = "blue/+" }, core.ErrInvalid, "not the name of a kit"},
		{"a kit that does anything", func(o *core.SetupOrder) { o.Kit = "blue/lab/any" }, core.ErrInvalid, "another role"},
		{"no role", func(o *core.SetupOrder) { o.Role = "" }, core.ErrInvalid, "another role"},
		{"a kit of another setup", func(o *core.SetupOrder) { o.Kit = "blue/lab/taken" }, core.ErrConflict, "COM4"},
		{"no firmware", func(o *core.SetupOrder) { o.Image = "" }, core.ErrInvalid, "Choose a firmware"},
		{"firmware that is gone", func(o *core.SetupOrder) { o.Image = "nothing" }, core.ErrNotFound, "gone"},
		{"firmware of one's own", func(o *core.SetupOrder) { o.Image = file.ID }, core.ErrInvalid, "not Homeroom's"},
		{"the cable's firmware without cable", func(o *core.SetupOrder) { o.Image = "wired" }, core.ErrInvalid, "no Wi-Fi"},
		{"TLS that is not there", func(o *core.SetupOrder) { o.TLS = true }, core.ErrInvalid, "TLS"},
		{"a long network", func(o *core.SetupOrder) { o.Network = strings.Repeat("x", 33) }, core.ErrInvalid, "32"},
		{"a short key", func(o *core.SetupOrder) { o.Key = "1234567" }, core.ErrInvalid, "8 to 63"},
		{"a slow rate", func(o *core.SetupOrder) { o.Baud = 300 }, core.ErrInvalid, "baud"},
	} {
		o := good
		c.change(&o)
		if err := l.s.Order(t.Context(), id, o); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.what, err, c.says)
		}
	}
	if s := l.setup(id); s.Order.Kit != "" {
		t.Errorf("a wrong order changed it: %+v", s.Order)
	}
	if err := l.s.Start(t.Context(), id, core.StepFlash); !errors.Is(err, core.ErrConflict) {
		t.Errorf("without an order it starts: %v", err)
	}
	l.ok(l.s.Order(t.Context(), id, good))
	if s := l.setup(id); s.Order.Key != "" {
		t.Error("the key is kept")
	}
	if err := l.s.Start(t.Context(), id, core.StepJoin); !errors.Is(err, core.ErrConflict) {
		t.Errorf("without settings it joins: %v", err)
	}
	l.mu.Lock()
	l.refuse = core.Fail(core.ErrDenied, "The plan is closed.")
	l.mu.Unlock()
	l.ok(l.s.Start(t.Context(), id, core.StepKit))
	if s := l.rest(id); s.Problem.String() != "The plan is closed." || s.Step != core.StepFlash {
		t.Errorf("%s: %q", s.Step, s.Problem)
	}
	if _, err := l.s.Begin(t.Context(), "COM3"); !errors.Is(err, core.ErrConflict) {
		t.Errorf("a second setup at the port: %v", err)
	}
	if _, err := l.s.Begin(t.Context(), "COM9"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a port that is not there: %v", err)
	}
	if err := l.s.Type(t.Context(), "COM3", "help"); !errors.Is(err, core.ErrConflict) {
		t.Errorf("the console of a setup: %v", err)
	}
	if err := l.s.Look(t.Context(), id); !errors.Is(err, core.ErrConflict) {
		t.Errorf("a board without our firmware looks: %v", err)
	}
	if err := l.s.Close(99); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a setup that is not there: %v", err)
	}
}

// TestFollows: a kit that was moved and whose ports changed gets that by itself, once,
// where it listens; it can be told to blink, to take a new secret and to forget.
func TestFollows(t *testing.T) {
	t.Parallel()
	l := newLab(t, bundle{"wifi": image("wifi", "1.0.0")})
	b, h := l.board(9, chip.Options{})
	const was, is = topic.Name("blue/lab/kit-9"), topic.Name("blue/hall/kit-9")
	l.makeKit("COM3", b, was)
	l.until("what it tells", func() bool { return l.kit(was).Version != "" })
	var asked []string
	l.mu.Lock()
	l.onDo = func(m core.Message) {
		word, _, _ := strings.Cut(string(m.Payload), " ")
		l.mu.Lock()
		defer l.mu.Unlock()
		asked = append(asked, string(m.Topic)+" "+word)
	}
	l.mu.Unlock()
	l.pc.unplug("COM3") // from now on only by Wi-Fi: power comes from elsewhere
	b.Replug()
	l.until("it to be back", func() bool {
		return l.last(was+"/$state") == "ready" && l.kit(was).State == "ready" && l.connected("blue-lab-kit-9")
	})

	l.draw(is, core.ButtonKit, func(p *core.Place) { p.Account = "blue-lab-kit-9" })
	if k := l.kit(is); !k.Waiting && k.Doing.Format == "" {
		l.until("it to wait", func() bool { return l.kit(is).Waiting })
	}
	l.until("it to follow", func() bool { return l.last(is+"/$state") == "ready" && !l.kit(is).Waiting })
	l.ok(h.Press("button"))
	l.until("its button there", func() bool { return l.last(is+"/button") == "true" })
	l.mu.Lock()
	if want := []string{string(was) + "/$do settings"}; !slices.Equal(asked, want) {
		t.Errorf("it was asked %q, want %q", asked, want)
	}
	l.mu.Unlock()

	l.ok(l.s.Locate(t.Context(), is, 2))
	l.until("it to say so", func() bool { return l.last(is+"/$told") == "locate ok" })
	l.mu.Lock()
	before := l.secrets["blue-lab-kit-9"]
	l.mu.Unlock()
	l.ok(l.s.Rotate(t.Context(), is))
	l.mu.Lock()
	if l.secrets["blue-lab-kit-9"] == before {
		t.Error("it has the old secret")
	}
	n := len(l.said[is+"/$state"])
	l.mu.Unlock()
	l.until("it with its new secret", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.said[is+"/$state"]) > n && l.said[is+"/$state"][len(l.said[is+"/$state"])-1] == "ready"
	})
	l.until("it to be connected", func() bool { return l.connected("blue-lab-kit-9") })

	for what, err := range map[string]error{
		"no kit":        l.s.Send(t.Context(), "blue/none"),
		"a long blink":  l.s.Locate(t.Context(), is, 256),
		"nothing newer": l.s.Update(t.Context(), []topic.Name{is}),
	} {
		if err == nil {
			t.Errorf("%s: it was done", what)
		}
	}
	_ = b.Close()
	l.until("it to be away", func() bool { return !l.connected("blue-lab-kit-9") })
	if err := l.s.Forget(t.Context(), is); !errors.Is(err, core.ErrConflict) || !strings.Contains(err.Error(), "keeps its settings") {
		t.Errorf("a kit that is away forgets: %v", err)
	}
	if err := l.s.Restart(t.Context(), is); !errors.Is(err, core.ErrConflict) {
		t.Errorf("a kit that is away restarts: %v", err)
	}
}

func (l *lab) connected(account topic.ID) bool {
	c, ok := l.client(account)
	return ok && c.Connected
}

// TestRollout: kits get a new version one after another, over HTTP, and it stops at
// the first that fails.
func TestRollout(t *testing.T) {
	t.Parallel()
	l := newLab(t, bundle{"wifi": image("wifi", "1.0.0")})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sha, ok := strings.CutSuffix(filepath.Base(r.URL.Path), ".bin")
		file, size, err := l.s.OpenImage(sha)
		if err != nil || !ok || r.URL.Path != kits.UpdatePath(sha) {
			http.NotFound(w, r)
			return
		}
		defer file.Close()
		w.Header().Set("Content-Length", fmt.Sprint(size))
		_, _ = io.Copy(w, file)
	}))
	defer web.Close()
	l.mu.Lock()
	l.found.Page = web.Listener.Addr().String()
	l.mu.Unlock()
	var all []topic.Name
	for i := range 2 {
		b, _ := l.board(byte(16+i), chip.Options{})
		kit := topic.Name(fmt.Sprintf("blue/lab/kit-%d", 10+i))
		l.makeKit(fmt.Sprintf("COM%d", i), b, kit)
		l.until("what it tells", func() bool { return l.kit(kit).Version == "1.0.0" })
		all = append(all, kit)
	}
	if _, err := l.s.AddImage(t.Context(), "kit.bin", strings.NewReader(string(image("wifi", "1.1.0")))); err != nil {
		t.Fatal(err)
	}
	if k := l.kit(all[0]); k.Newer != "1.1.0" {
		t.Errorf("newer is %q", k.Newer)
	}
	l.ok(l.s.Update(t.Context(), all))
	if err := l.s.Update(t.Context(), all); !errors.Is(err, core.ErrConflict) {
		t.Errorf("a second update: %v", err)
	}
	l.until("the end", func() bool { return !l.s.Rollout().Running })
	if r := l.s.Rollout(); r.Next != 2 || r.Stopped.Format != "" || r.Version != "1.1.0" {
		t.Fatalf("%+v", r)
	}
	for _, n := range all {
		if k := l.kit(n); k.Version != "1.1.0" || k.Newer != "" || k.Doing.Format != "" {
			t.Errorf("%+v", k)
		}
	}

	if _, err := l.s.AddImage(t.Context(), "kit.bin", strings.NewReader(string(image("wifi", "1.2.0")))); err != nil {
		t.Fatal(err)
	}
	web.Close()
	l.ok(l.s.Update(t.Context(), all))
	l.until("the end", func() bool { return !l.s.Rollout().Running })
	if r := l.s.Rollout(); r.Next != 0 || !strings.Contains(r.Stopped.String(), "did not take the update") || !strings.Contains(fmt.Sprint(r.Stopped.Args), "firewall") {
		t.Errorf("%+v", r)
	}
	if k := l.kit(all[0]); k.Problem.Format == "" || k.Version != "1.1.0" {
		t.Errorf("%+v", k)
	}
}

// TestSettingsOnly: a board that runs our firmware becomes another kit without being
// flashed.
func TestSettingsOnly(t *testing.T) {
	t.Parallel()
	l := newLab(t, bundle{"wifi": image("wifi", "1.0.0")})
	b, h := l.board(20, chip.Options{})
	l.makeKit("COM3", b, "blue/lab/one")
	l.until("the port to be known", func() bool { p := l.s.Ports().All; return len(p) == 1 && p[0].Kit == "blue/lab/one" && p[0].Setup == 0 })
	flashed := b.Count(0x10)
	id, err := l.s.Begin(t.Context(), "COM3")
	l.ok(err)
	if s := l.rest(id); s.Firmware != "Homeroom 1.0.0 (Wi-Fi)" || s.Problem.Format != "" {
		t.Fatalf("%+v", s)
	}
	l.ok(l.s.Look(t.Context(), id))
	if s := l.rest(id); len(s.Networks) != 1 || s.Networks[0].Name != network {
		t.Errorf("it sees %+v, %s", s.Networks, s.Problem)
	}
	l.ok(l.s.Order(t.Context(), id, core.SetupOrder{Kit: "blue/lab/two", Role: core.ButtonKit, Network: network, Key: password}))
	l.ok(l.s.Start(t.Context(), id, core.StepKit))
	l.until("the test", func() bool { s := l.setup(id); return s.Step == core.StepTest && len(s.Tests) > 0 || !s.Running })
	l.ok(h.Press("button"))
	if s := l.rest(id); !s.Passed {
		t.Fatalf("%s: %s\n%s", s.Step, s.Problem, strings.Join(s.Log, "\n"))
	}
	if b.Count(0x10) != flashed {
		t.Error("it was flashed")
	}
	l.ok(l.s.Close(id))
	l.until("the port to be known", func() bool { p := l.s.Ports().All; return p[0].Kit == "blue/lab/two" && p[0].Setup == 0 })
	if k := l.kit("blue/lab/one"); k.MAC != "" {
		t.Errorf("the board is the old kit, too: %+v", k)
	}
	l.ok(l.s.Forget(t.Context(), "blue/lab/two"))
	if k := l.kit("blue/lab/two"); k.MAC != "" || k.Link != "" {
		t.Errorf("it is known still: %+v", k)
	}
}

// TestLamp: what a person saw of a lamp counts.
func TestLamp(t *testing.T) {
	t.Parallel()
	l := newLab(t, bundle{"wired": image("wired", "1.0.0")})
	b, h := l.board(21, chip.Options{})
	id := l.begin("COM3", b)
	l.rest(id)
	l.ok(l.s.Order(t.Context(), id, core.SetupOrder{Kit: "blue/lab/lamp", Role: core.LightKit, Image: "wired", Cable: true}))
	l.ok(l.s.Start(t.Context(), id, core.StepKit))
	l.until("the test", func() bool { s := l.setup(id); return s.Step == core.StepTest && len(s.Tests) == 1 || !s.Running })
	if err := l.s.Judge(t.Context(), id, "button", true); !errors.Is(err, core.ErrConflict) {
		t.Errorf("a part that it has not: %v", err)
	}
	l.until("the lamp to blink", func() bool { on, known := h.Output(5); return known && on })
	l.ok(l.s.Judge(t.Context(), id, "light", false))
	if s := l.rest(id); s.Passed || s.Step != core.StepTest || !strings.Contains(s.Problem.String(), "does not blink") {
		t.Errorf("%s: %q", s.Step, s.Problem)
	}
	l.ok(l.s.Start(t.Context(), id, core.StepTest))
	l.until("the test", func() bool { s := l.setup(id); return len(s.Tests) == 1 && !s.Tests[0].Tried })
	l.ok(l.s.Judge(t.Context(), id, "light", true))
	if s := l.rest(id); !s.Passed {
		t.Errorf("%s: %q", s.Step, s.Problem)
	}
}

// noStub is a program that was built without the stub.
type noStub struct{ bundle }

func (noStub) Stub() []byte { return nil }

// TestWithoutStub: the ROM writes too, and what it cannot verify the kit tells itself.
func TestWithoutStub(t *testing.T) {
	t.Parallel()
	l := newLabWith(t, bundle{}, func(cfg *kits.Config) { cfg.Images = noStub{bundle{"wired": image("wired", "1.0.0")}} })
	b, h := l.board(22, chip.Options{})
	id := l.begin("COM3", b)
	l.rest(id)
	l.ok(l.s.Order(t.Context(), id, core.SetupOrder{Kit: "blue/lab/rom", Role: core.ButtonKit, Image: "wired", Cable: true, EraseAll: true}))
	l.ok(l.s.Start(t.Context(), id, core.StepKit))
	l.until("the test", func() bool { s := l.setup(id); return s.Step == core.StepTest && len(s.Tests) == 1 || !s.Running })
	l.ok(h.Press("button"))
	if s := l.rest(id); !s.Passed {
		t.Errorf("%s: %q\n%s", s.Step, s.Problem, strings.Join(s.Log, "\n"))
	}
}

// TestPorts: a port that is no kit's is left alone, and one that is held says by whom.
func TestPorts(t *testing.T) {
	t.Parallel()
	l := newLab(t, bundle{})
	l.until("advice", func() bool { return len(l.s.Ports().Advice) == 1 })
	b := chip.New(chip.Options{})
	defer b.Close()
	l.pc.plug("modem0", b)
	l.pc.mu.Lock()
	l.pc.held["COM3"] = true
	l.pc.mu.Unlock()
	l.pc.plug("COM3", b)
	l.until("both ports", func() bool { return len(l.s.Ports().All) == 2 })
	time.Sleep(700 * time.Millisecond)
	if l.pc.opened("modem0") != 0 || l.pc.opened("COM3") != 0 {
		t.Error("a port that is no kit's, or is held, was opened")
	}
	if _, err := l.s.Begin(t.Context(), "COM3"); !errors.Is(err, core.ErrConflict) || err.Error() != "Held." {
		t.Errorf("begin at a port that is held: %v", err)
	}
	l.until("the console to open", func() bool { _, open := l.s.Console("modem0"); return open })
}

// TestImages: without firmware it is told what to do; what is chosen or built is kept
// over a restart.
func TestImages(t *testing.T) {
	t.Parallel()
	l := newLab(t, bundle{})
	missing := func(id string) string {
		for _, i := range l.s.Images() {
			if i.ID == id {
				return i.Missing.String()
			}
		}
		return "gone"
	}
	if got := missing("wifi"); !strings.Contains(got, "no arduino-cli") {
		t.Errorf("without arduino-cli: %q", got)
	}
	if got := missing("wired"); !strings.Contains(got, "cable") {
		t.Errorf("without the cable's firmware: %q", got)
	}
	if err := l.s.BuildImage(t.Context()); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("built without a sketch: %v", err)
	}
	for what, data := range map[string]string{"nothing": "", "text": "hello", "an ELF": "\x7fELF", "cut off": string(image("wifi", "1.0.0")[:9000])} {
		if i, err := l.s.AddImage(t.Context(), "x", strings.NewReader(data)); !errors.Is(err, core.ErrInvalid) {
			t.Errorf("%s is taken: %+v, %v", what, i, err)
		}
	}
	i, err := l.s.AddImage(t.Context(), "=kit.bin", strings.NewReader(string(image("wifi", "2.0.0"))))
	if err != nil || i.Variant != "wifi" || i.Version != "2.0.0" || missing("wifi") != "" {
		t.Fatalf("%+v, %v", i, err)
	}
	if again, err := l.s.AddImage(t.Context(), "other", strings.NewReader(string(image("wifi", "2.0.0")))); err != nil || again.ID != i.ID {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	f, n, err := l.s.OpenImage(i.SHA256)
	if err != nil || n != i.Size {
		t.Fatal(err)
	}
	f.Close()
	l.stop()

	db := l.db
	if kept, err := db.Firmware(context.Background()); err == nil {
		t.Errorf("the store is open: %v", kept)
	}
	entries, err := os.ReadDir(filepath.Join(l.fold, "firmware"))
	if err != nil || len(entries) != 1 || entries[0].Name() != i.SHA256+".bin" {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}

// arduinoCLI is a program in the place of arduino-cli that does what its documents say,
// in a folder of its own: with internet there, it fetches what a profile names and keeps
// that in profiles; core is there where a person has installed the core; old knows no
// profiles; wrong is what the compiler says. A sketch with a default profile is always
// built with one.
const arduinoCLI = `#!/bin/sh
cd "$(dirname "$0")" || exit 9
echo "$*" >>ran
[ "$1" = compile ] || exit 9
shift
profile= fqbn= out= sketch=
while [ $# -gt 0 ]; do
  case $1 in
    --profile) [ -e old ] && { echo 'Error: unknown flag: --profile' >&2; exit 1; }
      profile=$2; shift ;;
    --fqbn) fqbn=$2; shift ;;
    --output-dir) out=$2; shift ;;
    -*) echo "Error: unknown flag: $1" >&2; exit 1 ;;
    *) sketch=$1 ;;
  esac
  shift
done
[ "$ARDUINO_LOCALE" = en ] || { echo 'Plateforme absente' >&2; exit 1; }
[ -f "$sketch/$(basename "$sketch").ino" ] && [ -f "$sketch/src/core/app.h" ] || { echo "Can't open sketch" >&2; exit 1; }
yaml=$sketch/sketch.yaml
if [ -z "$profile" ] && [ -f "$yaml" ] && [ ! -e old ]; then profile=$(sed -n 's/^default_profile: //p' "$yaml"); fi
none="Error during build: Platform 'esp8266:esp8266' not found: platform not installed"
if [ -n "$profile" ]; then
  grep -q "^  $profile:" "$yaml" || { echo "Error initializing instance: Profile '$profile' not found" >&2; exit 1; }
  if [ ! -e profiles ] && [ -e internet ]; then
    printf 'Downloading platform esp8266:esp8266@3.1.2...\r 1 MiB / 2 MiB\r 2 MiB / 2 MiB\n'
    : >profiles
  fi
  if [ ! -e profiles ]; then
    echo 'Error initializing instance: loading required platform esp8266:esp8266@3.1.2: Error downloading https://downloads.arduino.cc/packages/package_index.json: no such host' >&2
    echo "$none" >&2
    exit 1
  fi
elif [ ! -e core ]; then
  printf '%s\nTry running ` + "'arduino-cli core install esp8266:esp8266'" + `\n' "$none" >&2
  exit 1
elif [ "$fqbn" != esp8266:esp8266:nodemcuv2:eesz=4M2M ]; then
  echo "Error during build: Invalid FQBN: $fqbn" >&2
  exit 1
fi
if [ -e wrong ]; then cat wrong >&2; fi
printf 'Used platform   Version Path\nesp8266:esp8266 3.1.2   /home/a\n'
if [ -e wrong ]; then echo 'Error during build: exit status 1' >&2; exit 1; fi
if [ -e kit.bin ]; then mkdir -p "$out" && cp kit.bin "$out/$(basename "$sketch").ino.bin"; fi
`

// TestBuild: the sketch is built with an arduino-cli, whatever this PC has for it, and
// what it could not do is told.
func TestBuild(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("LC_ALL", "fr_FR.UTF-8")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const image3 = "kit.bin"
	for _, c := range []struct {
		what string
		has  []string
		says string // "" where it works
		runs int    // of arduino-cli
	}{
		{"the first build", []string{"internet", image3}, "", 1},
		{"a build without internet", []string{"profiles", image3}, "", 1},
		{"a core that was installed", []string{"core", image3}, "", 2},
		{"an old arduino-cli", []string{"old", "core", image3}, "", 2},
		{"nothing", nil, "could not fetch what ESP8266 boards need: platform esp8266:esp8266@3.1.2: Error downloading https://downloads.arduino.cc/packages/package_index.json: no such host. Connect this PC to the internet", 2},
		{"an old one without a core", []string{"old", "internet"}, "core install esp8266:esp8266 --additional-urls", 2},
		{"a fault", []string{"internet", "wrong"}, "could not build the firmware: kit.ino:3: error: no such thing", 1},
		{"no file", []string{"internet"}, "built no kit.ino.bin", 1},
	} {
		for _, name := range []string{"internet", "profiles", "core", "old", "wrong", "ran", image3} {
			if err := os.RemoveAll(filepath.Join(bin, name)); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range c.has {
			switch name {
			case image3:
				write(name, string(image("wifi", "3.0.0")))
			case "wrong":
				write(name, "In file included from kit.ino:1:\nkit.ino:3: error: no such thing\nkit.ino:4: error: nor that\n")
			default:
				write(name, "")
			}
		}
		write("arduino-cli", arduinoCLI)
		l := newLabWith(t, bundle{}, func(cfg *kits.Config) { cfg.Sketch = os.DirFS("../../firmware/kit") })
		err := l.s.BuildImage(t.Context())
		if c.says == "" {
			l.ok(err)
			if all := l.s.Images(); all[0].ID != "wifi" || all[0].Version != "3.0.0" || all[0].Missing.Format != "" {
				t.Errorf("%s: %+v", c.what, all)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.what, err, c.says)
		}
		ran, err := os.ReadFile(filepath.Join(bin, "ran"))
		if n := strings.Count(string(ran), "compile "); err != nil || n != c.runs {
			t.Errorf("%s: it ran %d times, not %d: %v\n%s", c.what, n, c.runs, err, ran)
		}
		if say, runs := l.s.Building(); runs {
			t.Errorf("%s: it builds still: %s", c.what, say)
		}
		l.stop()
	}
}

var _ kits.Lines = line.System{}

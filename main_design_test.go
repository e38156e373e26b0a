package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/plan"
	"homeroom/core/topic"
)

// here runs a program on a folder, with serial ports that the system does not list, in
// this process, until stop.
func here(t *testing.T, data string, serial ...string) (p *program, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p, err := open(ctx, env{out: io.Discard, err: io.Discard, data: data}, listeners{MQTT: "127.0.0.1:0", MQTTS: "-", HTTP: "127.0.0.1:0", Serial: serial})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }()
	return p, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// lab is a program on a folder of its own, running until the test ends, with a
// teacher, the teams blue and red, and the four boards for both, all virtual.
func lab(t *testing.T, onBoard bool) *program {
	t.Helper()
	p, stop := here(t, filepath.Join(t.TempDir(), "랩 é"))
	t.Cleanup(stop)
	ctx := t.Context()
	enrol(t, p.accounts)
	b, err := plan.FromTemplate("four-boards", []topic.Name{"blue", "red"}, p.plan.Design(), plan.Options{OnBoard: onBoard})
	if err == nil {
		teacher, _ := p.accountID("teacher")
		for i := range b.Rules {
			b.Rules[i].Account = teacher
		}
		err = p.plan.Change(core.As(ctx, teacher), b)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range p.plan.Design().Places {
		if k.Kind == core.KitPlace {
			eventually(t, string(k.Name)+" is ready", func() bool { b, ok := p.sim.Board(k.Name); return ok && b.State == "ready" })
		}
	}
	return p
}

// says waits until the newest value of a topic is that.
func (p *program) says(t *testing.T, n topic.Name, value string) {
	t.Helper()
	eventually(t, string(n)+" is "+value, func() bool { m, ok := p.newest(n); return ok && string(m.Payload) == value })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// press presses and lets go.
func (p *program) press(t *testing.T, kit topic.Name) {
	t.Helper()
	before, _ := p.sim.Board(kit)
	must(t, p.sim.Press(kit, "button", true))
	eventually(t, "the press is felt", func() bool { b, _ := p.sim.Board(kit); return b.Parts[0].Value != before.Parts[0].Value })
	must(t, p.sim.Press(kit, "button", false))
}

// TestScenario is PRODUCT.md's, twice: the board decides, and a rule does. Both
// give the same answers, each team's lamp is its own, and why it is on is told.
func TestScenario(t *testing.T) {
	for name, onBoard := range map[string]bool{"the board decides": true, "a rule decides": false} {
		t.Run(name, func(t *testing.T) {
			p := lab(t, onBoard)
			turn := func(slot topic.ID, value string) {
				t.Helper()
				must(t, p.sim.Turn("blue/home/esp-sensor", slot, value))
			}
			turn("brightness", "20")
			p.says(t, "blue/light", "On") // dark
			p.says(t, "red/light", "On")  // its own sensor begins at 50
			turn("brightness", "80")
			p.says(t, "blue/light", "Off") // bright
			p.says(t, "red/light", "On")   // nobody touched it
			p.press(t, "blue/home/esp-button")
			p.says(t, "blue/light", "On") // the button wins
			eventually(t, "the LED is lit", func() bool {
				b, _ := p.sim.Board("blue/home/esp-light")
				return len(b.Parts) > 0 && b.Parts[0].Value == "On"
			})
			eventually(t, "why is told", func() bool {
				c, err := p.why.Why(t.Context(), "blue/light", time.Time{}, nil)
				if err != nil || len(c.Steps) < 3 || c.Steps[0].Topic != "blue/button" || c.Steps[0].Kind != core.StepMessage {
					return false
				}
				decided, delivered := false, false
				for i, s := range c.Steps {
					decided = decided || s.Kind == core.StepRule
					delivered = delivered || i > c.Effect && s.Kind == core.StepDelivered && strings.Contains(s.Who, "ESP_Light")
				}
				return c.Steps[c.Effect].Value == "On" && delivered && (decided || onBoard)
			})
			p.press(t, "blue/home/esp-button")
			p.says(t, "blue/button", "turn off")
			p.says(t, "blue/light", "Off") // turned off by hand, bright
			turn("brightness", "10")
			p.says(t, "blue/brightness", "10")
			turn("presence", "true")
			p.says(t, "blue/presence", "true")
			p.says(t, "blue/light", "Off") // turned off just now: stays, though dark and somebody there
		})
	}
}

// TestMovedKitGoesOn: a virtual kit that is moved to another room comes back under
// its new names with what it may do there, and undo brings all of it back.
func TestMovedKitGoesOn(t *testing.T) {
	p := lab(t, true)
	ctx := t.Context()
	must(t, p.plan.Change(ctx, core.Batch{Say: core.Say("x"), Places: []core.Place{{Name: "blue/hall", Kind: core.RoomPlace, W: 320, H: 240}}}))
	before := p.plan.Design()
	if _, err := p.plan.MoveTopics(ctx, "blue/home/esp-sensor", "blue/hall/esp-sensor", true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is ready in the hall", func() bool { b, ok := p.sim.Board("blue/hall/esp-sensor"); return ok && b.State == "ready" })
	p.says(t, "blue/hall/esp-sensor/$state", "ready")
	must(t, p.sim.Turn("blue/hall/esp-sensor", "brightness", "90"))
	p.says(t, "blue/brightness", "90")
	if _, err := p.plan.Undo(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is back", func() bool { b, ok := p.sim.Board("blue/home/esp-sensor"); return ok && b.State == "ready" })
	after := p.plan.Design()
	if a, b := after.Place("blue/home/esp-sensor"), before.Place("blue/home/esp-sensor"); a == nil || a.Ports[0] != b.Ports[0] || len(after.Places) != len(before.Places) {
		t.Errorf("after undo %+v, want %+v", a, b)
	}
	for range 2 { // the room, then the template
		if _, err := p.plan.Undo(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if d := p.plan.Design(); len(d.Places)+len(d.Topics)+len(d.Rules)+len(d.Alarms) != 0 {
		t.Errorf("after undo of everything there are %d places, %d topics", len(d.Places), len(d.Topics))
	}
	eventually(t, "no kit is left", func() bool { return len(p.sim.Boards()) == 0 })
}

// TestOldNameAnswers: who publishes to a name that was given up reaches the new
// one, is told so, and gains nothing that the account may not do.
func TestOldNameAnswers(t *testing.T) {
	p := lab(t, true)
	ctx := t.Context()
	kit1, _ := p.accountID("kit-1") // of blue
	kit3, _ := p.accountID("kit-3") // of red
	must(t, p.plan.CreateTopic(ctx, core.Topic{Name: "blue/lab/kit-1/temp", Kind: core.Number}))
	if _, err := p.plan.MoveTopics(ctx, "blue/lab/kit-1/temp", "blue/lab/kit-1/temperature", true); err != nil {
		t.Fatal(err)
	}
	must(t, p.broker.Publish(ctx, core.Message{Topic: "blue/lab/kit-1/temp", Payload: []byte("21"), From: kit1, Client: "kit-1"}))
	p.says(t, "blue/lab/kit-1/temperature", "21")
	if _, ok := p.newest("blue/lab/kit-1/temp"); ok {
		t.Error("the old name got the value, too")
	}
	if err := p.broker.Publish(ctx, core.Message{Topic: "blue/lab/kit-1/temp", Payload: []byte("99"), From: kit3, Client: "kit-3"}); !errors.Is(err, core.ErrDenied) {
		t.Errorf("red's kit published to blue's old name: %v", err)
	}
	told := false
	for _, r := range p.accounts.Refusals(50) {
		told = told || strings.Contains(r.Say.String(), "is called blue/lab/kit-1/temperature now")
	}
	if !told {
		t.Error("nobody was told that the old name is used")
	}
}

// TestSlipIsAccepted: a name with a slip arrives without being designed, the right
// one is found, and once it is accepted its values go there.
func TestSlipIsAccepted(t *testing.T) {
	p := lab(t, true)
	ctx := t.Context()
	kit1, _ := p.accountID("kit-1")
	send := func(value string) {
		t.Helper()
		must(t, p.broker.Publish(ctx, core.Message{Topic: "blue/brightnes", Payload: []byte(value), From: kit1, Client: "kit-1"}))
	}
	arrives := func() bool {
		return slices.ContainsFunc(p.plan.Arriving(), func(s core.TopicState) bool { return s.Last.Topic == "blue/brightnes" })
	}
	send("11")
	if meant, ok := plan.Meant(p.plan.Design(), "blue/brightnes"); !ok || meant != "blue/brightness" || !arrives() {
		t.Fatalf("meant %q %v, arrives %v", meant, ok, arrives())
	}
	if _, err := p.plan.MoveTopics(ctx, "blue/nothing", "blue/brightness", true); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("what never arrived was accepted: %v", err)
	}
	if _, err := p.plan.MoveTopics(ctx, "blue/brightnes", "blue/brightness", true); err != nil {
		t.Fatal(err)
	}
	send("12")
	p.says(t, "blue/brightness", "12")
	if arrives() {
		t.Errorf("it still counts as not designed: %+v", p.plan.Arriving())
	}
}

// TestDiscovery: what is drawn is announced where the settings say so, follows the
// drawing, takes commands as those who sent them, and goes again as a whole.
func TestDiscovery(t *testing.T) {
	p := lab(t, true)
	ctx := t.Context()
	announced := func(f topic.Filter) int { return len(p.broker.Retained(f, 1000)) }
	if n := announced("homeassistant/#") + announced("homie/#"); n != 0 {
		t.Fatalf("%d messages before anybody wanted them", n)
	}
	set := func(on bool) {
		s := p.settings.Settings()
		s.Discovery = on
		must(t, p.settings.SetSettings(ctx, s))
	}
	set(true)
	eventually(t, "the boards are announced", func() bool { return announced("homeassistant/#") >= 8 && announced("homie/5/+/$description") >= 2 })
	for _, m := range p.broker.Retained("homeassistant/#", 1000) {
		if !json.Valid(m.Payload) {
			t.Errorf("%s is no JSON: %s", m.Topic, m.Payload)
		}
	}
	carried := make(chan core.Message, 16)
	defer p.broker.Subscribe(topic.Filter(plan.HomieNames(p.plan.Design())["blue/brightness"]), func(m core.Message) { carried <- m })()
	must(t, p.sim.Turn("blue/home/esp-sensor", "brightness", "33"))
	for m := range carried { // the value of before may come first
		if string(m.Payload) == "33" {
			break
		}
	}
	n := announced("homeassistant/#")
	if _, err := p.plan.RemoveTopics(ctx, "red", true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "red's are gone", func() bool { return announced("homeassistant/#") < n })
	set(false)
	eventually(t, "all are gone", func() bool { return announced("homeassistant/#")+announced("homie/#") == 0 })
}

// TestLoadBeforeClass: forty virtual kits publish and read, and nothing of them is
// left after it: no account, grant or topic.
func TestLoadBeforeClass(t *testing.T) {
	p := lab(t, true)
	accounts, designed := len(p.accounts.Accounts()), len(p.accounts.Designed())
	r, err := p.tryKits(t.Context(), 40, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if r.Connected != 40 || r.Refused != 0 || r.Lost != 0 || r.Published < 100 || r.Say.Format == "" {
		t.Errorf("%+v: %s", r, r.Say)
	}
	if len(p.accounts.Accounts()) != accounts || len(p.accounts.Designed()) != designed {
		t.Errorf("%d accounts and %d grants are left, were %d and %d", len(p.accounts.Accounts()), len(p.accounts.Designed()), accounts, designed)
	}
	if slices.ContainsFunc(p.plan.Arriving(), func(s core.TopicState) bool { return strings.HasPrefix(string(s.Last.Topic), "load/") }) {
		t.Error("the topics of the test are left")
	}
	if _, _, err := p.accounts.Add(t.Context(), core.Account{Name: "load-2", Role: core.Kit, Label: "Lolas Board"}, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := p.tryKits(t.Context(), 2, time.Second); !errors.Is(err, core.ErrConflict) {
		t.Errorf("with somebody's account in the way: %v", err)
	}
	if _, found := p.accountID("load-2"); !found {
		t.Error("somebody's account was removed")
	}
}

// TestClientIDsOfTheProgram: a client that calls itself what the program publishes
// under is not let in: it would be missing in recordings, or pass for a rule.
func TestClientIDsOfTheProgram(t *testing.T) {
	p := lab(t, true)
	kit1, _ := p.accountID("kit-1")
	secret, err := p.accounts.Lend(kit1)
	must(t, err)
	for client, want := range map[string]error{"kit-1": nil, "my-replay": nil, "replay": core.ErrConflict, "alarms": core.ErrConflict, "rule:choice": core.ErrConflict,
		"window": core.ErrConflict, "page": core.ErrConflict, "plan": core.ErrConflict, "discovery": core.ErrConflict} {
		if _, err := (gate{p.accounts, p}).Authenticate(t.Context(), "kit-1", secret, client, "127.0.0.1"); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("client ID %s: %v, want %v", client, err, want)
		}
	}
}

// TestAlarmTopics: where an alarm tells its state nobody else publishes, and what is
// no alarm any more is no topic any more.
func TestAlarmTopics(t *testing.T) {
	p := lab(t, true)
	ctx := t.Context()
	teacher, _ := p.accountID("teacher")
	must(t, p.plan.Change(ctx, core.Batch{Alarms: []core.Alarm{{ID: "dazzling", Topic: "blue/brightness", Kind: core.AlarmAbove, Limit: 90}}}))
	const state = "blue/brightness/$alarm/dazzling"
	must(t, p.sim.Turn("blue/home/esp-sensor", "brightness", "95"))
	p.says(t, state, "on")
	if err := p.broker.Publish(ctx, core.Message{Topic: state, Payload: []byte("off"), Retain: true, From: teacher, Client: "x"}); !errors.Is(err, core.ErrDenied) {
		t.Errorf("somebody told for the alarm: %v", err)
	}
	must(t, p.broker.Publish(ctx, core.Message{Topic: "sandbox/" + state, Payload: []byte("off"), From: teacher, Client: "x"})) // a replay
	if _, err := p.plan.MoveTopics(ctx, "blue/brightness", "blue/daylight", true); err != nil {
		t.Fatal(err)
	}
	p.says(t, "blue/daylight/$alarm/dazzling", "on")
	eventually(t, "the old name is empty", func() bool { return len(p.broker.Retained(state, 1)) == 0 })
	must(t, p.plan.Change(ctx, core.Batch{RemoveAlarms: []topic.ID{"dazzling"}}))
	eventually(t, "nothing is left", func() bool { return len(p.broker.Retained("+/+/$alarm/+", 10)) == 0 })
}

// TestAllowedFromTheFirstMessage: what is drawn is allowed before anything runs, so
// that a kit that is faster than the program is not refused.
func TestAllowedFromTheFirstMessage(t *testing.T) {
	data := filepath.Join(t.TempDir(), "lab")
	class(t, data)
	start := func() *program {
		t.Helper()
		p, err := open(t.Context(), env{out: io.Discard, err: io.Discard, data: data}, listeners{MQTT: "127.0.0.1:0", MQTTS: "-", HTTP: "127.0.0.1:0"})
		must(t, err)
		return p
	}
	p := start()
	must(t, p.plan.Change(t.Context(), core.Batch{Topics: []core.Topic{{Name: "red/lamp"}},
		Places: []core.Place{{Name: "blue", Kind: core.BranchPlace}, {Name: "blue/x", Kind: core.KitPlace, Role: core.LightKit, Account: "kit-1",
			Ports: []core.Port{{Slot: "light", Topic: "red/lamp", Action: core.Subscribe}}}}}))
	must(t, p.close())
	p = start()
	defer func() { must(t, p.close()) }()
	kit1, _ := p.accountID("kit-1")
	if real, err := p.accounts.Authorize(kit1, core.Subscribe, "red/lamp"); err != nil || real != "red/lamp" {
		t.Errorf("%s, %v", real, err)
	}
}

// TestOldNameOfAnotherTeam: a mounted kit whose old name leads where it knows no
// branch is not sent to a name of that spelling in its own.
func TestOldNameOfAnotherTeam(t *testing.T) {
	p := lab(t, true)
	ctx := t.Context()
	kit, _, err := p.accounts.Add(ctx, core.Account{Name: "mounted", Role: core.Kit, Team: "blue", Mounted: true}, "")
	must(t, err)
	must(t, p.plan.CreateTopic(ctx, core.Topic{Name: "blue/porch"}))
	if _, err := p.plan.MoveTopics(ctx, "blue/porch", "attic/porch", true); err != nil {
		t.Fatal(err)
	}
	must(t, p.broker.Publish(ctx, core.Message{Topic: "porch", Payload: []byte("1"), From: kit.ID, Client: "mounted"}))
	p.says(t, "blue/porch", "1")
	if _, ok := p.newest("blue/attic/porch"); ok {
		t.Error("it was published to blue/attic/porch, which nobody meant")
	}
}

// TestImportedRulesAct: a rule that the command line imports beside the running
// program publishes as the first teacher, and so it acts.
func TestImportedRulesAct(t *testing.T) {
	p := lab(t, true)
	file := `{"version":2,"topics":[{"name":"blue/in"},{"name":"blue/out"}],"rules":[{"id":"copy","inputs":[{"name":"seen","topic":"blue/in"}],"then":[{"topic":"blue/out","value":"seen"}]}]}`
	e := env{in: strings.NewReader(file), out: io.Discard, err: t.Output(), data: p.info.Data}
	must(t, (&planImport{File: "-"}).Run(t.Context(), e))
	teacher, _ := p.accountID("teacher")
	eventually(t, "the rule is seen", func() bool { return p.plan.Design().Rule("copy") != nil })
	if r := p.plan.Design().Rule("copy"); r.Account != teacher {
		t.Errorf("the rule belongs to %d", r.Account)
	}
	n := 0
	eventually(t, "the rule acts", func() bool {
		n++
		must(t, p.broker.Publish(t.Context(), core.Message{Topic: "blue/in", Payload: fmt.Append(nil, n), From: teacher, Client: "x"}))
		m, ok := p.newest("blue/out")
		return ok && len(m.Payload) > 0
	})
}

// TestWillOfAMovedKit: a kit that is cut off after it was moved is lost where it is
// drawn now.
func TestWillOfAMovedKit(t *testing.T) {
	p := lab(t, true)
	ctx := t.Context()
	kit1, _ := p.accountID("kit-1")
	secret, err := p.accounts.Lend(kit1)
	must(t, err)
	must(t, p.plan.Change(ctx, core.Batch{Places: []core.Place{{Name: "blue/den", Kind: core.RoomPlace}, {Name: "blue/den/kit-1", Kind: core.KitPlace, Role: core.AnyKit, Account: "kit-1"}}}))
	c, err := net.Dial("tcp", p.broker.Addr())
	must(t, err)
	defer c.Close()
	b := []byte{0, 4, 'M', 'Q', 'T', 'T', 4, 0xe6, 0, 60} // clean, with a retained will, a name and a password
	for _, text := range []string{"kit-1", "blue/den/kit-1/$state", "lost", "kit-1", secret} {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(text))), text...)
	}
	_, err = c.Write(append(binary.AppendUvarint([]byte{0x10}, uint64(len(b))), b...))
	must(t, err)
	answer := make([]byte, 4)
	if _, err := io.ReadFull(c, answer); err != nil || answer[3] != 0 {
		t.Fatalf("CONNECT was answered by % x, %v", answer, err)
	}
	if _, err := p.plan.MoveTopics(ctx, "blue/den/kit-1", "blue/hall/kit-1", true); err != nil {
		t.Fatal(err)
	}
	c.Close()
	p.says(t, "blue/hall/kit-1/$state", "lost")
}

// TestRecordedFromTheBeginning: what was retained is the beginning of a recording,
// in the real store, and a replay carries all of it into the sandbox.
func TestRecordedFromTheBeginning(t *testing.T) {
	p := lab(t, true)
	ctx := t.Context()
	r, err := p.recorder.Start(ctx, "The lamp", "blue/#")
	must(t, err)
	must(t, p.sim.Turn("blue/home/esp-sensor", "brightness", "81"))
	p.says(t, "blue/light", "Off")
	must(t, p.recorder.Stop(ctx, r.ID))
	r = p.recorder.Recordings()[0]
	ms, err := p.recorder.Recorded(ctx, r.ID, 0, 1000)
	if err != nil || len(ms) != r.N || !ms[0].Retain || ms[len(ms)-1].Retain && len(ms) < 3 {
		t.Fatalf("%d messages of %d, %v", len(ms), r.N, err)
	}
	teacher, _ := p.accountID("teacher")
	must(t, p.recorder.Play(core.As(ctx, teacher), core.Replay{Recording: r.ID, Speed: 100, Branch: "sandbox"}))
	p.says(t, "sandbox/blue/light", "Off")
	eventually(t, "all of it was played", func() bool { now, _ := p.recorder.Playing(); return now.Done && now.Sent == r.N })
}

package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"homeroom/core"
	"homeroom/core/broker"
	"homeroom/core/topic"
)

// house is a broker with a gate of its own: each account has the secret that was
// lent last, and may do what is not denied.
type house struct {
	t    testing.TB
	b    *broker.Broker
	sim  *Service
	feed core.Feed
	disk disk

	mu      sync.Mutex
	secrets map[topic.ID]string
	ids     map[topic.ID]core.AccountID
	lends   int
	deny    map[string]bool // action and filter
	refused []core.Refusal
	topics  map[topic.Name]core.Topic
}

func (h *house) Authenticate(_ context.Context, name, secret, _, _ string) (core.Account, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := topic.ID(name)
	if name != "watch" && (h.secrets[id] == "" || h.secrets[id] != secret) {
		return core.Account{}, core.Fail(core.ErrDenied, "{name} could not sign in", "name", name)
	}
	return core.Account{ID: h.id(id), Name: id, Version: 1}, nil
}

func (h *house) id(name topic.ID) core.AccountID {
	if h.ids[name] == 0 {
		h.ids[name] = core.AccountID(len(h.ids) + 1)
	}
	return h.ids[name]
}

func (h *house) Account(core.AccountID) (core.Account, bool) { return core.Account{Version: 1}, true }

func (h *house) Authorize(_ core.AccountID, a core.Action, f topic.Filter) (topic.Filter, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.deny[string(a)+" "+string(f)] {
		return f, core.Fail(core.ErrDenied, "you may not {action} {filter}", "action", a, "filter", f)
	}
	return f, nil
}

func (h *house) Refuse(r core.Refusal) {
	h.mu.Lock()
	h.refused = append([]core.Refusal{r}, h.refused...)
	h.mu.Unlock()
	h.feed.Tell(core.RefusalsChanged)
}

func (h *house) refusals(limit int) []core.Refusal {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.refused[:min(limit, len(h.refused))])
}

func (h *house) lend(_ context.Context, name topic.ID) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if name == "nobody" {
		return "", core.Fail(core.ErrNotFound, "There is no nobody.")
	}
	h.lends++
	if h.secrets[name] == "" {
		h.secrets[name] = "secret-of-" + string(name)
	}
	return h.secrets[name], nil
}

func (h *house) designed(n topic.Name) (core.Topic, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, ok := h.topics[n]
	return t, ok
}

// disk keeps nothing, and can be held.
type disk struct{ held sync.Mutex }

func (*disk) LoadJournal(context.Context) (broker.Saved, error) { return broker.Saved{}, nil }

func (d *disk) AppendJournal(context.Context, []broker.Entry) error {
	d.held.Lock()
	defer d.held.Unlock()
	return nil
}

// open starts a broker, and a Service whose faults are short.
func open(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, secrets: map[topic.ID]string{}, ids: map[topic.ID]core.AccountID{}, deny: map[string]bool{}, topics: map[topic.Name]core.Topic{}}
	var err error
	h.b, err = broker.Open(t.Context(), broker.Config{Addr: "127.0.0.1:0", Limits: core.DefaultLimits(), Gate: h, Store: &h.disk, Sink: func(core.Message) {}, Feed: &h.feed, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h.sim = Open(Config{Address: h.b.Addr, Lend: h.lend, Topic: h.designed, Refusals: h.refusals, Feed: &h.feed, Log: slog.New(slog.DiscardHandler)})
	h.sim.wifi, h.sim.late = 400*time.Millisecond, 300*time.Millisecond
	h.run(h.b.Run)
	return h
}

// start runs the Service until the test ends, or the result is called.
func (h *house) start() (stop func()) { return h.run(h.sim.Run) }

func (h *house) run(f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
	})
	h.t.Cleanup(stop)
	return stop
}

// watcher reads everything, as anybody's client would.
type watcher struct {
	t   testing.TB
	c   mqtt.Client
	mu  sync.Mutex
	got []string
}

func (h *house) watch(filter string) *watcher {
	h.t.Helper()
	w := &watcher{t: h.t}
	o := mqtt.NewClientOptions().AddBroker("tcp://" + h.b.Addr()).SetClientID(fmt.Sprint("watch-", time.Now().UnixNano())).SetUsername("watch").SetAutoReconnect(false)
	w.c = mqtt.NewClient(o)
	for _, t := range []func() mqtt.Token{w.c.Connect, func() mqtt.Token {
		return w.c.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.got = append(w.got, fmt.Sprintf("%s=%s", m.Topic(), m.Payload()))
		})
	}} {
		if k := t(); !k.WaitTimeout(10*time.Second) || k.Error() != nil {
			h.t.Fatal("no watcher:", k.Error())
		}
	}
	h.t.Cleanup(func() { w.c.Disconnect(0) })
	return w
}

func (w *watcher) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got)
}

// wants waits for a message and forgets everything up to it.
func (w *watcher) wants(lines ...string) {
	w.t.Helper()
	for _, line := range lines {
		eventually(w.t, func() string {
			w.mu.Lock()
			defer w.mu.Unlock()
			i := slices.Index(w.got, line)
			if i < 0 {
				return fmt.Sprintf("want %q, got %q", line, w.got)
			}
			w.got = w.got[i+1:]
			return ""
		})
	}
}

func (w *watcher) send(name, payload string) {
	w.t.Helper()
	if k := w.c.Publish(name, 1, false, payload); !k.WaitTimeout(10*time.Second) || k.Error() != nil {
		w.t.Fatal(k.Error())
	}
}

func eventually(t testing.TB, wrong func() string) {
	t.Helper()
	last := ""
	for range 1000 {
		if last = wrong(); last == "" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("never: ", last)
}

// state waits until the board of a kit is in a state.
func (h *house) state(kit topic.Name, state string) core.Board {
	h.t.Helper()
	var b core.Board
	eventually(h.t, func() string {
		b, _ = h.sim.Board(kit)
		if b.State == state {
			return ""
		}
		return fmt.Sprintf("%s is %s (%s), log %q", kit, b.State, b.Say, b.Log)
	})
	return b
}

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) value(kit topic.Name, slot topic.ID) string {
	b, _ := h.sim.Board(kit)
	for _, p := range b.Parts {
		if p.Slot == slot {
			return p.Value
		}
	}
	return "no " + string(slot)
}

// board1 has everything on one board; the account has the name of the kit.
func board1(name topic.Name) core.Place {
	at := func(slot topic.ID, a core.Action) core.Port {
		return core.Port{Slot: slot, Topic: name + "/" + topic.Name(slot), Action: a, Toggle: slot == "button"}
	}
	return core.Place{Name: name, Kind: core.KitPlace, Role: core.AllKit, Account: topic.ID(name[strings.LastIndexByte(string(name), '/')+1:]), Virtual: true,
		Ports: []core.Port{at("button", core.Publish), at("led", core.Subscribe), at("brightness", core.Publish), at("presence", core.Publish)}}
}

func (h *house) design(t core.Topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.topics[t.Name] = t
}

const kit1 = topic.Name("blue/lab/kit-1")

// TestKit is what a person does with a board, and what the others see.
func TestKit(t *testing.T) {
	h := open(t)
	h.design(core.Topic{Name: kit1 + "/led", Kind: core.Boolean, Options: []string{"On", "Off"}, Writable: true})
	h.design(core.Topic{Name: kit1 + "/button", Kind: core.Boolean, Retain: true})
	w := h.watch("blue/#")
	stop := h.start()
	p := board1(kit1)
	h.sim.Set([]core.Place{p, {Name: "blue", Kind: core.BranchPlace}, {Name: "blue/lab/real", Kind: core.KitPlace, Account: "real"}})
	h.state(kit1, "ready")
	w.wants("blue/lab/kit-1/$state=ready", "blue/lab/kit-1/led=Off", "blue/lab/kit-1/brightness=50", "blue/lab/kit-1/presence=false")
	clients := h.b.Clients()
	if !slices.ContainsFunc(clients, func(c core.Client) bool { return c.ID == "kit-1-virtual" && c.Account == h.ids["kit-1"] }) {
		t.Errorf("clients: %+v", clients)
	}
	w.send("blue/lab/kit-1/led/set", " on ")
	w.wants("blue/lab/kit-1/led=On")
	eventually(t, func() string { return unless(h.value(kit1, "led"), "On") })
	w.send("blue/lab/kit-1/led/set", "<b>banana</b>")
	w.send("blue/lab/kit-1/led/set", strings.Repeat("x", 100_000))
	h.ok(h.sim.Press(kit1, "button", true)) // a click
	h.ok(h.sim.Press(kit1, "button", false))
	w.wants("blue/lab/kit-1/button=true")
	h.ok(h.sim.Press(kit1, "button", true))
	w.wants("blue/lab/kit-1/button=false")
	h.ok(h.sim.Press(kit1, "button", false))
	h.ok(h.sim.Turn(kit1, "brightness", "80"))
	w.wants("blue/lab/kit-1/brightness=80")
	h.ok(h.sim.Turn(kit1, "presence", "true"))
	w.wants("blue/lab/kit-1/presence=true")
	h.ok(h.sim.Feel(kit1, kit1+"/brightness", []byte("79"))) // also what is noise
	w.wants("blue/lab/kit-1/brightness=79")
	h.ok(h.sim.Feel(kit1, kit1+"/brightness", []byte("79"))) // and once more
	w.wants("blue/lab/kit-1/brightness=79")
	h.ok(h.sim.Feel(kit1, kit1+"/button", []byte("true")))
	w.wants("blue/lab/kit-1/button=true")

	for what, err := range map[string]error{
		"press what is no button": h.sim.Press(kit1, "led", true),
		"turn a lamp":             h.sim.Turn(kit1, "led", "On"),
		"too bright":              h.sim.Turn(kit1, "brightness", "101"),
		"no number":               h.sim.Turn(kit1, "brightness", "NaN"),
		"a word":                  h.sim.Turn(kit1, "presence", "maybe"),
		"no such slot":            h.sim.Turn(kit1, "x", "1"),
		"no such kit":             h.sim.Turn("blue/x", "brightness", "1"),
		"a real kit":              h.sim.Press("blue/lab/real", "button", true),
		"no such fault":           h.sim.Break(kit1, "fire", true),
		"alone":                   h.sim.Break(kit1, core.FaultClientID, true),
		"feel a command":          h.sim.Feel(kit1, kit1+"/led", []byte("On")),
		"feel nonsense":           h.sim.Feel(kit1, kit1+"/brightness", []byte("dark")),
		"drift of none":           h.sim.SetAuto("x", true),
	} {
		if err == nil {
			t.Error(what, "is allowed")
		}
	}
	b, ok := h.sim.Board(kit1)
	if all := h.sim.Boards(); !ok || len(all) != 1 || len(all[0].Parts) != 4 {
		t.Fatalf("boards: %+v", all)
	}
	if x := b.Parts[2]; x.Kind != core.Number || x.Max != 100 || x.Unit != "%" || x.Value != "79" || x.At.IsZero() {
		t.Errorf("the slider: %+v", x)
	}
	log := strings.Join(b.Log, "\n")
	for _, line := range []string{"Received a message with topic 'blue/lab/kit-1/led/set', length 4 bytes:  on ", "Ignored: <b>banana</b>", "100000 bytes"} {
		if !strings.Contains(log, line) {
			t.Errorf("the console lacks %q:\n%s", line, log)
		}
	}
	stop()
	w.wants("blue/lab/kit-1/$state=disconnected")
	after := h.watch("blue/#") // only what is retained
	after.wants("blue/lab/kit-1/$state=disconnected")
	if h.state(kit1, "disconnected").Say.Format == "" {
		t.Error("no reason")
	}
}

func unless(got, want string) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("got %q, want %q", got, want)
}

// TestSet moves, swaps and removes kits while they are connected.
func TestSet(t *testing.T) {
	h := open(t)
	w := h.watch("#")
	h.start()
	p, q := board1(kit1), board1("blue/lab/kit-2")
	h.sim.Set([]core.Place{p, q})
	w.wants("blue/lab/kit-1/brightness=50")
	h.state(q.Name, "ready")
	h.ok(h.sim.Turn(kit1, "brightness", "80"))
	w.wants("blue/lab/kit-1/brightness=80")

	// Drawn elsewhere and named otherwise: the same connection.
	p.X, p.Label = 3, "창가"
	h.sim.Set([]core.Place{p, q})
	if b, _ := h.sim.Board(kit1); b.Kit.Label != "창가" || b.State != "ready" {
		t.Errorf("%+v", b.Kit)
	}
	// In another room: the same slider, other names, and no $state where it was.
	before := len(w.all())
	moved := board1("blue/hall/kit-1")
	h.sim.Set([]core.Place{moved, q})
	w.wants("blue/hall/kit-1/$state=ready", "blue/hall/kit-1/brightness=80")
	if got := w.all()[:max(0, len(w.all())-before)]; slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "blue/lab/kit-1/$state") }) {
		t.Errorf("a trace in the old room: %q", got)
	}
	if _, ok := h.sim.Board(kit1); ok {
		t.Error("still in the old room")
	}
	// Another design of a topic: a new range, a new word.
	h.design(core.Topic{Name: "blue/hall/kit-1/presence", Kind: core.Boolean, Options: []string{"somebody", "nobody"}})
	h.sim.Set([]core.Place{moved, q})
	w.wants("blue/hall/kit-1/presence=nobody")

	// The real one takes its place: a goodbye.
	real := q
	real.Virtual = false
	h.sim.Set([]core.Place{moved, real})
	w.wants("blue/lab/kit-2/$state=disconnected")
	eventually(t, func() string {
		for _, c := range h.b.Clients() {
			if c.ID == "kit-2-virtual" {
				return "kit-2 is connected"
			}
		}
		return ""
	})
	// And back.
	h.sim.Set([]core.Place{moved, q})
	w.wants("blue/lab/kit-2/$state=ready")

	// Removed and undone at once.
	h.sim.Set([]core.Place{q})
	h.sim.Set([]core.Place{moved, q})
	w.wants("blue/hall/kit-1/$state=ready")
	// Removed for good: nothing is said any more.
	h.sim.Set(nil)
	eventually(t, func() string {
		if n := len(h.b.Clients()); n != 1 {
			return fmt.Sprint(n, " clients")
		}
		return ""
	})
	for _, line := range w.all() {
		if strings.Contains(line, "disconnected") || strings.Contains(line, "lost") {
			t.Error("after its removal:", line)
		}
	}
	// What cannot be says why.
	nobody, none, twin := board1("blue/nobody"), board1("blue/none"), board1("blue/lab/kit-2")
	none.Account, twin.Name = "", "blue/twin"
	h.sim.Set([]core.Place{nobody, none, q, twin})
	if b := h.state("blue/nobody", "lost"); b.Say.String() != "There is no nobody." {
		t.Errorf("says %q", b.Say)
	}
	for _, n := range []topic.Name{"blue/none", "blue/twin"} {
		if b, ok := h.sim.Board(n); !ok || b.State != "init" || b.Say.Format == "" {
			t.Errorf("%s: %+v", n, b)
		}
	}
	h.state(q.Name, "ready")
}

// TestNewSecret signs in again when another secret was lent, and when the broker
// was away.
func TestNewSecret(t *testing.T) {
	h := open(t)
	w := h.watch("blue/#")
	h.start()
	h.sim.Set([]core.Place{board1(kit1)})
	w.wants("blue/lab/kit-1/$state=ready")
	h.mu.Lock()
	h.secrets["kit-1"] = "another"
	h.mu.Unlock()
	h.cut("kit-1")
	w.wants("blue/lab/kit-1/$state=lost", "blue/lab/kit-1/$state=ready")
	if h.lends < 2 {
		t.Error("lent once")
	}
}

// cut breaks a kit's connection, as a switch that loses its power.
func (h *house) cut(account topic.ID) {
	h.sim.mu.Lock()
	k := h.sim.kits[account]
	h.sim.mu.Unlock()
	k.cut()
}

// TestRefused shows on the board what its account may not do; MQTT 3.1.1 has no
// other way to tell it.
func TestRefused(t *testing.T) {
	h := open(t)
	w := h.watch("blue/#")
	h.deny["subscribe blue/lab/kit-1/led"] = true
	h.deny["publish blue/lab/kit-2/presence"] = true
	h.start()
	q := board1("blue/lab/kit-2")
	h.sim.Set([]core.Place{board1(kit1), q})
	w.wants("blue/lab/kit-1/$state=ready", "blue/lab/kit-1/$state=alert")
	if b := h.state(kit1, "alert"); !strings.Contains(b.Say.String(), "blue/lab/kit-1/led") {
		t.Errorf("says %q", b.Say)
	}
	if b := h.state(q.Name, "alert"); !strings.Contains(b.Say.String(), "you may not publish blue/lab/kit-2/presence") {
		t.Errorf("says %q", b.Say)
	}
}

// TestAnyKit has the parts that its ports say.
func TestAnyKit(t *testing.T) {
	h := open(t)
	n := topic.Name("blue/weather")
	p := core.Place{Name: n, Kind: core.KitPlace, Role: core.AnyKit, Account: "weather", Virtual: true}
	add := func(slot topic.ID, a core.Action, d core.Topic) {
		d.Name = n + "/" + topic.Name(slot)
		h.design(d)
		p.Ports = append(p.Ports, core.Port{Slot: slot, Topic: d.Name, Action: a})
	}
	add("temp", core.Publish, core.Topic{Kind: core.Number, Min: -10, Max: 40, Step: 0.5, Description: core.Description{Unit: "°C"}})
	add("mode", core.Publish, core.Topic{Kind: core.Enumeration, Options: []string{"eco", "comfort"}})
	add("door", core.Publish, core.Topic{Kind: core.Boolean, Options: []string{"open", "closed"}})
	add("note", core.Publish, core.Topic{})
	add("raw", core.Publish, core.Topic{Kind: core.JSON})
	add("target", core.Subscribe, core.Topic{Kind: core.Number, Min: 5, Max: 30, Writable: true})
	add("fan", core.Subscribe, core.Topic{Kind: core.Enumeration, Options: []string{"low", "high"}, Writable: true})
	w := h.watch("blue/#")
	h.start()
	h.sim.Set([]core.Place{p})
	w.wants("blue/weather/$state=ready")
	if b := h.state(n, "ready"); !b.Auto {
		t.Error("its numbers stand still")
	}
	h.ok(h.sim.SetAuto(n, false))
	h.ok(h.sim.Turn(n, "temp", "21.3"))
	w.wants("blue/weather/temp=21.5")
	h.ok(h.sim.Turn(n, "mode", "Comfort"))
	w.wants("blue/weather/mode=comfort")
	h.ok(h.sim.Turn(n, "door", "open"))
	w.wants("blue/weather/door=open")
	h.ok(h.sim.Press(n, "door", false))
	w.wants("blue/weather/door=closed")
	h.ok(h.sim.Press(n, "door", true))
	w.wants("blue/weather/door=open")
	if h.sim.Press(n, "mode", true) == nil || h.sim.Press(n, "target", true) == nil {
		t.Error("a word is pressed")
	}
	h.ok(h.sim.Turn(n, "note", "비 온다"))
	w.wants("blue/weather/note=비 온다")
	h.ok(h.sim.Turn(n, "raw", `{"x":1}`))
	w.wants(`blue/weather/raw={"x":1}`)
	w.send("blue/weather/target/set", "99")
	w.send("blue/weather/target/set", "21.50")
	w.wants("blue/weather/target=21.5")
	w.send("blue/weather/fan/set", "storm")
	w.send("blue/weather/fan/set", "HIGH")
	w.wants("blue/weather/fan=high")
	for slot, value := range map[topic.ID]string{"temp": "50", "mode": "turbo", "door": "ajar", "note": strings.Repeat("x", 2000), "raw": "{", "fan": "low"} {
		if err := h.sim.Turn(n, slot, value); err == nil {
			t.Errorf("%s takes %.10s", slot, value)
		}
	}
	// With a clock of 1970 every reading is a document, and what obeys is not.
	h.ok(h.sim.Break(n, core.FaultClock, true))
	eventually(t, func() string {
		got := strings.Join(w.all(), "\n")
		for _, part := range []string{`temp={"value":21.5,"at":"1970-01-01T00:00:`, `door={"value":true,"at":"1970`, `mode={"value":"comfort","at":"1970`, `raw={"value":{"x":1},"at":"1970`} {
			if !strings.Contains(got, part) {
				return got
			}
		}
		return ""
	})
	h.ok(h.sim.Break(n, core.FaultClock, false))
	w.wants("blue/weather/temp=21.5")
}

// TestFaults breaks a kit in each way, and looks at the wire.
func TestFaults(t *testing.T) {
	h := open(t)
	for _, slot := range []topic.Name{"/button", "/led"} {
		h.design(core.Topic{Name: kit1 + slot, Kind: core.Boolean, Writable: slot == "/led"})
	}
	w := h.watch("blue/lab/kit-1/#")
	h.start()
	h.sim.Set([]core.Place{board1(kit1), board1("blue/lab/kit-2")})
	h.state("blue/lab/kit-2", "ready")
	w.wants("blue/lab/kit-1/presence=false")
	breaks := func(f core.Fault, on bool) {
		t.Helper()
		h.ok(h.sim.Break(kit1, f, on))
		b, _ := h.sim.Board(kit1)
		i := slices.IndexFunc(b.Faults, func(x core.FaultState) bool { return x.Fault == f })
		if x := b.Faults[i]; x.On != on || x.Title.Format == "" || on && b.Say.String() != x.Observe.String() {
			t.Errorf("%s: %+v, says %q", f, x, b.Say)
		}
	}

	breaks(core.FaultWiFi, true)
	w.wants("blue/lab/kit-1/$state=lost")
	h.ok(h.sim.Turn(kit1, "brightness", "20")) // nobody hears it
	w.wants("blue/lab/kit-1/$state=ready", "blue/lab/kit-1/brightness=20")
	eventually(t, func() string {
		if b, _ := h.sim.Board(kit1); b.Faults[0].On {
			return "the Wi-Fi fault is on"
		}
		return ""
	})

	w.wants("blue/lab/kit-1/presence=false")
	breaks(core.FaultDelay, true)
	h.ok(h.sim.Turn(kit1, "presence", "true"))
	w.send("blue/lab/kit-1/led/set", "on")
	time.Sleep(h.sim.late / 3)
	if got := w.all(); len(got) != 1 { // only the command
		t.Errorf("too early: %q", got)
	}
	w.wants("blue/lab/kit-1/presence=true", "blue/lab/kit-1/led=true")
	breaks(core.FaultDelay, false)

	h.ok(h.sim.Turn(kit1, "brightness", "30"))
	w.wants("blue/lab/kit-1/brightness=30")
	breaks(core.FaultStuck, true)
	h.ok(h.sim.Turn(kit1, "brightness", "90"))
	h.ok(h.sim.Turn(kit1, "presence", "false"))
	h.ok(h.sim.Press(kit1, "button", true)) // a button is no sensor
	w.wants("blue/lab/kit-1/button=true")
	h.ok(h.sim.Press(kit1, "button", false))
	if v := h.value(kit1, "brightness"); v != "30" {
		t.Errorf("stuck at 30, but %s", v)
	}
	if slices.Contains(w.all(), "blue/lab/kit-1/brightness=90") {
		t.Error("the stuck sensor moves")
	}
	breaks(core.FaultStuck, false)
	w.wants("blue/lab/kit-1/brightness=90")

	h.mu.Lock()
	h.deny["publish blue/lab/kit-1/presence "] = true
	h.mu.Unlock()
	breaks(core.FaultSpace, true)
	w.wants("blue/lab/kit-1/$state=ready", "blue/lab/kit-1/brightness =90")
	w.send("blue/lab/kit-1/led/set", "on") // does not reach it
	w.send("blue/lab/kit-1/led/set ", "on")
	w.wants("blue/lab/kit-1/led =true")
	h.state(kit1, "alert") // what it publishes to presence is refused
	breaks(core.FaultSpace, false)
	w.wants("blue/lab/kit-1/$state=ready", "blue/lab/kit-1/brightness=90")

	breaks(core.FaultPassword, true)
	w.wants("blue/lab/kit-1/$state=lost")
	eventually(t, func() string {
		for _, r := range h.refusals(100) {
			if strings.Contains(r.Say.String(), "kit-1 could not sign in") {
				return ""
			}
		}
		return "nobody was refused"
	})
	h.state(kit1, "lost")
	breaks(core.FaultPassword, false)
	w.wants("blue/lab/kit-1/$state=ready")

	breaks(core.FaultClientID, true)
	w.wants("blue/lab/kit-1/$state=lost")
	eventually(t, func() string {
		for _, r := range h.refusals(100) {
			if strings.Contains(r.Say.String(), "Client ID kit-2-virtual belongs to kit-2") {
				return ""
			}
		}
		return "nobody was refused"
	})
	if b := h.state("blue/lab/kit-2", "ready"); b.Say.Format != "" {
		t.Errorf("the other one says %q", b.Say)
	}
	breaks(core.FaultClientID, false)
	w.wants("blue/lab/kit-1/$state=ready")

	breaks(core.FaultClock, true)
	eventually(t, func() string {
		for _, line := range w.all() {
			if strings.HasPrefix(line, `blue/lab/kit-1/brightness={"value":90,"at":"1970-01-01T00:`) {
				return ""
			}
		}
		return fmt.Sprint(w.all())
	})
	breaks(core.FaultClock, false)
	w.wants("blue/lab/kit-1/brightness=90")
	h.state(kit1, "ready")
}

// TestLoss sends readings of which exactly a third is lost, and commands of which
// none is.
func TestLoss(t *testing.T) {
	h := open(t)
	h.design(core.Topic{Name: kit1 + "/led", Kind: core.Boolean, Writable: true})
	w := h.watch("blue/#")
	h.start()
	h.sim.Set([]core.Place{board1(kit1)})
	w.wants("blue/lab/kit-1/presence=false")
	h.ok(h.sim.Break(kit1, core.FaultLoss, true))
	const n = 30
	for i := range n {
		h.ok(h.sim.Feel(kit1, kit1+"/presence", []byte(fmt.Sprint(i%2 == 0))))
		w.send("blue/lab/kit-1/led/set", "on")
		eventually(t, func() string { // each has gone, or is lost
			k := h.sim.all()[0]
			k.mu.Lock()
			defer k.mu.Unlock()
			return unless(fmt.Sprint(k.readings, len(k.out)), fmt.Sprint(i+1, 0))
		})
	}
	count := func(line string) (n int) {
		for _, got := range w.all() {
			if strings.HasPrefix(got, line) {
				n++
			}
		}
		return n
	}
	eventually(t, func() string {
		return unless(fmt.Sprint(count("blue/lab/kit-1/presence"), count("blue/lab/kit-1/led=")), fmt.Sprint(n*2/3, n))
	})
}

// TestClass has as many kits as there can be in a school, and ends in time.
func TestClass(t *testing.T) {
	h := open(t)
	var places []core.Place
	for i := range 200 {
		places = append(places, board1(topic.Name(fmt.Sprintf("school/room-%d/kit-%d", i%10, i))))
	}
	h.sim.Set(places)
	stop := h.start()
	ready := func() (n int) {
		for _, b := range h.sim.Boards() {
			if b.State == "ready" {
				n++
			}
		}
		return n
	}
	eventually(t, func() string { return unless(fmt.Sprint(ready()), "200") })
	if !slices.IsSortedFunc(h.sim.Boards(), func(a, b core.Board) int { return strings.Compare(string(a.Kit.Name), string(b.Kit.Name)) }) {
		t.Error("not in order")
	}
	stop()
	w := h.watch("school/+/+/$state")
	eventually(t, func() string {
		states := map[string]int{}
		for _, line := range w.all() {
			states[line[strings.IndexByte(line, '=')+1:]]++
		}
		if maps.Equal(states, map[string]int{"disconnected": 200}) {
			return ""
		}
		return fmt.Sprint(states)
	})
}

// TestBrokerAway keeps trying, and never holds up who asks.
func TestBrokerAway(t *testing.T) {
	h := open(t)
	var addr atomic.Value
	addr.Store("127.0.0.1:1")
	h.sim.cfg.Address = func() string { return addr.Load().(string) }
	h.start()
	h.sim.Set([]core.Place{board1(kit1)})
	if b := h.state(kit1, "lost"); !strings.Contains(b.Say.String(), "does not answer") {
		t.Errorf("says %q", b.Say)
	}
	h.ok(h.sim.Press(kit1, "button", true))
	eventually(t, func() string { return unless(h.value(kit1, "button"), "true") })
	addr.Store("no address%%")
	eventually(t, func() string {
		b, _ := h.sim.Board(kit1)
		if strings.Contains(b.Say.String(), "is no address") {
			return ""
		}
		return b.Say.String()
	})
	addr.Store(h.b.Addr())
	h.state(kit1, "ready")
}

// TestHeldDisk has a broker that acknowledges nothing: boards answer and stop all
// the same, and what was not acknowledged is told again.
func TestHeldDisk(t *testing.T) {
	h := open(t)
	h.design(core.Topic{Name: kit1 + "/presence", Kind: core.Boolean, Retain: true})
	h.sim.Set([]core.Place{board1(kit1)})
	stop := h.start()
	w := h.watch("blue/#")
	h.state(kit1, "ready")
	w.wants("blue/lab/kit-1/presence=false")
	h.disk.held.Lock()
	for i := range 100 {
		h.ok(h.sim.Turn(kit1, "presence", fmt.Sprint(i%2 == 0)))
	}
	h.ok(h.sim.Turn(kit1, "presence", "true"))
	eventually(t, func() string { return unless(h.value(kit1, "presence"), "true") })
	h.cut("kit-1")
	h.disk.held.Unlock()
	w.wants("blue/lab/kit-1/$state=lost", "blue/lab/kit-1/$state=ready", "blue/lab/kit-1/presence=true")
	h.disk.held.Lock()
	h.ok(h.sim.Turn(kit1, "presence", "false"))
	stop()
	h.disk.held.Unlock()
}

func TestLoad(t *testing.T) {
	h := open(t)
	r, err := Load{Kits: 10, Rate: 10, For: 500 * time.Millisecond}.Run(t.Context(), h.sim.cfg)
	if err != nil || r.Connected != 10 || r.Refused != 0 || r.Published < 10 || r.Lost != 0 || r.Received != r.Published || r.P50 <= 0 || r.P99 < r.P50 || r.Say.Format == "" {
		t.Errorf("%+v, %v", r, err)
	}
	h.deny["subscribe load/load-3/beat"] = true
	r, err = Load{Kits: 4, Rate: 5, For: 100 * time.Millisecond}.Run(t.Context(), h.sim.cfg)
	if err != nil || r.Connected != 3 || r.Refused != 1 || !strings.Contains(r.Say.String(), "load-3") {
		t.Errorf("%+v, %v", r, err)
	}
	for _, l := range []Load{{}, {Kits: 501, Rate: 1, For: 1}, {Kits: 1, Rate: 101, For: 1}, {Kits: 1, Rate: 1}, {Kits: 1, Rate: 1, For: time.Hour}} {
		if _, err := l.Run(t.Context(), h.sim.cfg); !errors.Is(err, core.ErrInvalid) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Load{Kits: 4, Rate: 5, For: time.Minute}).Run(ctx, h.sim.cfg); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

package kits_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/broker"
	"homeroom/core/kits"
	"homeroom/core/kits/chip"
	"homeroom/core/kits/line"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
	"homeroom/firmware/images"
	"homeroom/storage"
)

const (
	firmware = "../../firmware"
	network  = "class"
	password = "chalk and cheese"
	patience = 60 * time.Second
	waiting  = 8 // tests at once: boards mostly wait
)

// program is firmware/host, built once.
var program struct {
	sync.Once
	path string
	err  error
}

func TestMain(m *testing.M) {
	flag.Parse()
	if n, _ := strconv.Atoi(flag.Lookup("test.parallel").Value.String()); n < waiting {
		_ = flag.Set("test.parallel", strconv.Itoa(waiting)) // a number is one
	}
	code := m.Run()
	if program.path != "" {
		os.RemoveAll(filepath.Dir(program.path))
	}
	os.Exit(code)
}

// hostProgram compiles the kit's program for this PC.
func hostProgram(t testing.TB) string {
	t.Helper()
	gxx, err := exec.LookPath("g++")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("g++ is missing: make deps installs it")
		}
		t.Skip("g++ is missing: make deps installs it")
	}
	program.Do(func() {
		var dir string
		if dir, program.err = os.MkdirTemp("", "homeroom-host-"); program.err != nil {
			return
		}
		program.path = filepath.Join(dir, "host")
		sources, _ := filepath.Glob(firmware + "/kit/src/core/*.cpp")
		for _, f := range []string{"host.cpp", "hal_host.cpp", "digest.cpp", "mdns.cpp"} {
			sources = append(sources, firmware+"/host/"+f)
		}
		out, err := exec.Command(gxx, append([]string{"-std=c++17", "-O0", "-fno-exceptions", "-fno-rtti", "-o", program.path}, sources...)...).CombinedOutput()
		if err != nil {
			program.err = fmt.Errorf("%w\n%.3000s", err, out)
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return program.path
}

// image is firmware that the boot ROM starts; what runs is the host program.
func image(variant, version string) []byte {
	data := bytes.Repeat([]byte("kit "), 5000)
	copy(data[64:], "@HOMEROOM-FIRMWARE@"+variant+"@"+version+"@")
	b, err := images.Encode(0x40100000, []images.Segment{{Address: 0x40100000, Data: data}})
	if err != nil {
		panic(err)
	}
	return b
}

// bundle is firmware that comes with the program.
type bundle map[string][]byte

func (b bundle) All() (all []core.KitImage) {
	for _, id := range slices.Sorted(maps.Keys(b)) {
		all = append(all, core.KitImage{ID: id, Variant: id, Version: "1.0.0", Chip: "ESP8266", Size: int64(len(b[id])), Flash: 4 << 20})
	}
	return all
}

func (b bundle) Open(id string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(b[id])), nil
}

func (b bundle) Stub() []byte {
	stub, _ := images.Stub()
	return stub
}

// cables is a PC whose serial ports are emulated boards.
type cables struct {
	mu    sync.Mutex
	chips map[string]*chip.Chip // guarded by mu
	opens map[string]int        // guarded by mu
	held  map[string]bool       // guarded by mu; by another program
}

func (c *cables) List() ([]core.SerialPort, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []core.SerialPort
	for _, name := range slices.Sorted(maps.Keys(c.chips)) {
		p := core.SerialPort{Name: name, Title: "CH340", Likely: !strings.HasPrefix(name, "modem")}
		if c.held[name] {
			p.Problem = core.Say("Held.")
		}
		all = append(all, p)
	}
	return all, nil
}

func (c *cables) Open(name string) (line.Port, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.chips[name]
	if b == nil {
		return nil, core.ErrNotFound
	}
	c.opens[name]++
	return b.Port(), nil
}

func (c *cables) Advice(ports []core.SerialPort) []core.Sentence {
	if len(ports) == 0 {
		return []core.Sentence{core.Say("Plug something in.")}
	}
	return nil
}

func (c *cables) plug(name string, b *chip.Chip) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.chips[name] = b
}

func (c *cables) unplug(name string) {
	c.mu.Lock()
	b := c.chips[name]
	delete(c.chips, name)
	c.mu.Unlock()
	b.Unplug()
}

func (c *cables) opened(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opens[name]
}

// keys is a keyring in memory.
type keys struct {
	mu  sync.Mutex
	all map[string]string
}

func (k *keys) Get(n string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.all[n]
}

func (k *keys) Set(n, pmk string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all[n] = pmk
	return true
}

func (k *keys) Delete(n string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, n)
}

// lab is the program around the service: plan, accounts, a real broker, a store.
type lab struct {
	t    testing.TB
	s    *kits.Service
	b    *broker.Broker
	db   *storage.DB
	pc   *cables
	keys *keys
	feed *core.Feed
	fold string
	stop func()

	mu       sync.Mutex
	found    kits.Broker              // guarded by mu
	design   *core.Design             // guarded by mu
	accounts map[string]*core.Account // guarded by mu
	secrets  map[string]string        // guarded by mu; by account
	said     map[topic.Name][]string  // guarded by mu; what the broker took
	refuse   error                    // guarded by mu; of Prepare
	onDo     func(m core.Message)     // guarded by mu; called with what goes to $do
}

func (l *lab) Authenticate(_ context.Context, name, secret, _, _ string) (core.Account, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[name]
	if a == nil || l.secrets[name] == "" || l.secrets[name] != secret {
		return core.Account{}, core.ErrDenied
	}
	return *a, nil
}

func (l *lab) Account(id core.AccountID) (core.Account, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.accounts {
		if a.ID == id {
			return *a, true
		}
	}
	return core.Account{ID: id, Version: 1}, id == core.Program
}

func (l *lab) Authorize(_ core.AccountID, _ core.Action, f topic.Filter) (topic.Filter, error) {
	return f, nil
}

func (l *lab) Refuse(core.Refusal) {}

// place is a kit with the parts of its role.
func place(n topic.Name, role core.KitRole) (core.Place, []core.Topic) {
	p := core.Place{Name: n, Kind: core.KitPlace, Role: role}
	var all []core.Topic
	add := func(slot topic.ID, a core.Action, kind core.Kind) {
		p.Ports = append(p.Ports, core.Port{Slot: slot, Topic: n + "/" + topic.Name(slot), Action: a})
		all = append(all, core.Topic{Name: n + "/" + topic.Name(slot), Kind: kind, Max: 100, QoS: 1, Retain: true, Writable: a == core.Subscribe})
	}
	switch role {
	case core.AllKit:
		add("button", core.Publish, core.Boolean)
		add("led", core.Subscribe, core.Boolean)
		add("brightness", core.Publish, core.Number)
		add("presence", core.Publish, core.Boolean)
	case core.ButtonKit:
		add("button", core.Publish, core.Boolean)
	case core.LightKit:
		add("light", core.Subscribe, core.Boolean)
	}
	return p, all
}

// draw puts kits into the plan, in the place of others with their names.
func (l *lab) draw(n topic.Name, role core.KitRole, change func(*core.Place)) {
	p, topics := place(n, role)
	if change != nil {
		change(&p)
	}
	l.mu.Lock()
	d := &core.Design{Revision: l.design.Revision + 1, Renamed: l.design.Renamed}
	d.Places = append(slices.DeleteFunc(slices.Clone(l.design.Places), func(o *core.Place) bool { return o.Name == n || p.Account != "" && o.Account == p.Account }), &p)
	d.Topics = slices.DeleteFunc(slices.Clone(l.design.Topics), func(o *core.Topic) bool { return core.Within(o.Name, n) })
	for i := range topics {
		d.Topics = append(d.Topics, &topics[i])
	}
	slices.SortFunc(d.Places, func(a, b *core.Place) int { return strings.Compare(string(a.Name), string(b.Name)) })
	slices.SortFunc(d.Topics, func(a, b *core.Topic) int { return strings.Compare(string(a.Name), string(b.Name)) })
	l.design = d
	l.mu.Unlock()
	l.feed.Tell(core.PlanChanged)
}

func (l *lab) plan() *core.Design {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.design
}

// should is the design part of a kit's settings.
func (l *lab) should(n topic.Name) (wire.Settings, bool) {
	d := l.plan()
	p := d.Place(n)
	if p == nil || p.Account == "" {
		return wire.Settings{}, false
	}
	w := wire.Settings{Name: string(n), Role: p.Role, Label: p.Label}
	for _, port := range p.Ports {
		t := d.Topic(port.Topic)
		w.Ports = append(w.Ports, wire.Port{Slot: string(port.Slot), Topic: string(port.Topic), Publish: port.Action == core.Publish, Toggle: port.Toggle,
			Writable: t.Writable, Retain: t.Retain, Max: 100, Yes: "true", No: "false"})
	}
	return w, true
}

// prepare draws the kit and makes its account.
func (l *lab) prepare(_ context.Context, o core.SetupOrder, _ core.KitChip) (kits.Prepared, error) {
	l.mu.Lock()
	refuse := l.refuse
	l.mu.Unlock()
	if refuse != nil {
		return kits.Prepared{}, refuse
	}
	account := strings.ReplaceAll(string(o.Kit), "/", "-")
	if p := l.plan().Place(o.Kit); p == nil || p.Account == "" {
		role := o.Role
		if p != nil {
			role = p.Role
		}
		l.draw(o.Kit, role, func(p *core.Place) { p.Account = topic.ID(account) })
	}
	w, _ := l.should(o.Kit)
	secret, commit, _ := l.secret(context.Background(), topic.ID(account))
	w.Account, w.Secret = account, secret
	return kits.Prepared{Settings: w, Commit: commit}, nil
}

func (l *lab) secret(_ context.Context, account topic.ID) (string, func(context.Context) error, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	secret := fmt.Sprintf("secret-%s-%d", account, len(l.secrets)*100+time.Now().Nanosecond())
	return secret, func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		a := l.accounts[string(account)]
		if a == nil {
			a = &core.Account{ID: core.AccountID(len(l.accounts) + 1), Name: account, Role: core.Kit}
			l.accounts[string(account)] = a
		}
		a.Version++
		l.secrets[string(account)] = secret
		return nil
	}, nil
}

func (l *lab) where() kits.Broker {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.found
}

func (l *lab) owner(account topic.ID) (core.AccountID, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[string(account)]
	if a == nil {
		return 0, false
	}
	return a.ID, true
}

func (l *lab) client(account topic.ID) (best core.Client, ok bool) {
	l.mu.Lock()
	a := l.accounts[string(account)]
	l.mu.Unlock()
	if a == nil {
		return best, false
	}
	for _, c := range l.b.Clients() {
		if c.Account == a.ID && (!ok || c.Connected) {
			best, ok = c, true
		}
	}
	return best, ok
}

// took is the broker's sink.
func (l *lab) took(m core.Message) {
	l.s.Observe(m)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said[m.Topic] = append(l.said[m.Topic], string(m.Payload))
	if l.onDo != nil && strings.HasSuffix(string(m.Topic), "/$do") {
		go l.onDo(m)
	}
}

// last is the newest that the broker took on a topic, or "".
func (l *lab) last(n topic.Name) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if all := l.said[n]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

func newLab(t testing.TB, bundled bundle) *lab { return newLabWith(t, bundled, func(*kits.Config) {}) }

func newLabWith(t testing.TB, bundled bundle, change func(*kits.Config)) *lab {
	t.Helper()
	l := &lab{t: t, pc: &cables{chips: map[string]*chip.Chip{}, opens: map[string]int{}, held: map[string]bool{}}, keys: &keys{all: map[string]string{}}, feed: &core.Feed{},
		fold: t.TempDir(), design: &core.Design{}, accounts: map[string]*core.Account{}, secrets: map[string]string{}, said: map[topic.Name][]string{}}
	var err error
	if l.db, err = storage.Open(t.Context(), filepath.Join(l.fold, "data")); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(logger{t}, nil))
	l.b, err = broker.Open(t.Context(), broker.Config{Addr: "127.0.0.1:0", Gate: l, Store: l.db, Sink: l.took, Feed: l.feed, Log: log, Limits: core.DefaultLimits()})
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.b.Addr())
	n, _ := strconv.Atoi(port)
	l.found = kits.Broker{Host: "127.0.0.1", Port: uint16(n), Page: "127.0.0.1:9"}
	cfg := kits.Config{
		Lines: l.pc, Store: l.db, Images: bundled, Folder: filepath.Join(l.fold, "firmware"), Keys: l.keys, Design: l.plan,
		Prepare: l.prepare, Should: l.should, Secret: l.secret, Owner: l.owner, Client: l.client, Publish: l.b.Publish,
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", l.b.Addr())
		},
		Boards: func() []core.Board { return nil }, Broker: l.where, Feed: l.feed, Log: log,
	}
	change(&cfg)
	l.s, err = kits.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var group core.Group
	group.Add("broker", l.b.Run)
	group.Add("kits", l.s.Run)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- group.Run(ctx) }()
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := l.db.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(l.stop)
	return l
}

// logger is where warnings go.
type logger struct{ t testing.TB }

func (l logger) Write(p []byte) (int, error) {
	l.t.Logf("%s", p)
	return len(p), nil
}

// silence has kits find somebody who takes their connections and says nothing, until
// answer is called: from then on that is the broker.
func (l *lab) silence() (answer func()) {
	l.t.Helper()
	at, err := net.Listen("tcp", "127.0.0.1:0")
	l.ok(err)
	ctx, end := context.WithCancel(context.Background())
	l.t.Cleanup(func() { end(); _ = at.Close() })
	l.mu.Lock()
	l.found.Port = uint16(at.Addr().(*net.TCPAddr).Port)
	l.mu.Unlock()
	var answers atomic.Bool
	go func() {
		for {
			c, err := at.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { _ = c.Close() })
			if !answers.Load() {
				continue
			}
			to, err := net.Dial("tcp", l.b.Addr())
			if err != nil {
				_ = c.Close()
				continue
			}
			go func() { _, _ = io.Copy(to, c); _ = to.Close() }()
			go func() { _, _ = io.Copy(c, to); _ = c.Close() }()
		}
	}()
	return func() { answers.Store(true) }
}

// board is an emulated board with the kit's program, and the network of the class.
func (l *lab) board(mac byte, o chip.Options) (*chip.Chip, *chip.Host) {
	l.t.Helper()
	h := chip.NewHost(hostProgram(l.t), "--mac", fmt.Sprintf("5c:cf:7f:01:02:%02x", mac), "--trial", "5000")
	o.MAC, o.Start = [6]byte{0x5c, 0xcf, 0x7f, 1, 2, mac}, h.Start
	b := chip.New(o)
	l.t.Cleanup(func() { _ = b.Close() })
	if err := h.Network(network, wire.PMK(network, password), 6, 3, -50); err != nil {
		l.t.Fatal(err)
	}
	return b, h
}

// until waits for ok, which what says.
func (l *lab) until(what string, ok func() bool) {
	l.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("waited for %s in vain\n%+v\nkits %+v", what, l.s.Setups(), l.s.Kits())
		}
	}
}

// setup is a setup as it stands.
func (l *lab) setup(id int64) core.Setup {
	for _, s := range l.s.Setups() {
		if s.ID == id {
			return s
		}
	}
	return core.Setup{}
}

// rest waits until nothing goes on any more and returns how the setup stands.
func (l *lab) rest(id int64) core.Setup {
	l.t.Helper()
	l.until(fmt.Sprintf("setup %d to rest", id), func() bool { return !l.setup(id).Running })
	return l.setup(id)
}

func (l *lab) ok(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// begin plugs a board in and begins with it.
func (l *lab) begin(port string, b *chip.Chip) int64 {
	l.t.Helper()
	l.pc.plug(port, b)
	l.until("port "+port, func() bool {
		return slices.ContainsFunc(l.s.Ports().All, func(p core.SerialPort) bool { return p.Name == port })
	})
	id, err := l.s.Begin(l.t.Context(), port)
	l.ok(err)
	return id
}

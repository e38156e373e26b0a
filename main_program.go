package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"homeroom/assets/lang"
	"homeroom/assets/page"
	"homeroom/core"
	"homeroom/core/accounts"
	"homeroom/core/alarms"
	"homeroom/core/broker"
	"homeroom/core/gateway"
	"homeroom/core/history"
	"homeroom/core/kits"
	"homeroom/core/mdns"
	"homeroom/core/plan"
	"homeroom/core/record"
	"homeroom/core/rules"
	"homeroom/core/sim"
	"homeroom/core/topic"
	"homeroom/core/trust"
	"homeroom/core/why"
	"homeroom/storage"
)

// program is Homeroom put together. Tests open one and look inside.
type program struct {
	feed     core.Feed
	info     core.Info
	lock     *flock.Flock
	db       *storage.DB
	settings *settings
	accounts *accounts.Service
	history  *history.History
	trust    *trust.Authority // nil without TLS
	noTLS    error            // why there is none though there should be
	broker   *broker.Broker
	kits     *kits.Service
	gateway  *gateway.Gateway
	restart  func()          // ends the window and starts the program again; nil without one
	name     *mdns.Responder // nil until all addresses are bound, and where there is none
	design                   // the plan and what is made from it
}

// design is the plan, and the parts that it is compiled for.
type design struct {
	plan      *plan.Service
	why       *why.Service
	rules     *rules.Service
	alarms    *alarms.Service
	sim       *sim.Service
	recorder  *record.Service
	discovery *discovery
	granting  sync.Mutex                   // held while the drawing becomes grants
	loading   sync.Mutex                   // held while a load test runs
	lent      atomic.Pointer[[]core.Grant] // to the kits of the load test that runs
	log       *slog.Logger
}

// open builds every part. Nothing runs yet, but the folder is ours and every
// address is bound. What fails is a sentence, and nothing is left open. Claim
// codes after the first are printed as they are made.
func open(ctx context.Context, e env, l listeners) (_ *program, err error) {
	log := slog.New(slog.NewTextHandler(e.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	p := &program{info: core.Info{Version: version, Data: e.data, Open: l.Open}}
	p.log = log
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.lock, err = lockFolder(e.data); err != nil {
		return nil, err
	}
	if p.db, err = storage.Open(ctx, e.data); err != nil {
		return nil, err
	}
	if p.settings, err = loadSettings(ctx, p); err != nil {
		return nil, err
	}
	s := p.settings.Settings()
	p.accounts, err = accounts.Open(ctx, accounts.Config{Store: p.db, Feed: &p.feed, Log: log, Open: l.Open, Strength: accounts.Strong,
		NewCode: func(code string) { fmt.Fprintf(e.out, "claim code: %s\n", code) }})
	if err != nil {
		return nil, err
	}
	if p.history, err = history.Open(ctx, history.Config{Store: p.db, Feed: &p.feed, Log: log}); err != nil {
		return nil, err
	}
	p.history.SetKeep(s.KeepDays, s.KeepBytes)
	cfg := broker.Config{Addr: cmp.Or(l.MQTT, s.MQTT), Limits: s.Limits, Gate: gate{p.accounts, p}, Store: p.db, Sink: p.record, Feed: &p.feed, Log: log, Version: version}
	if err = p.openBroker(ctx, cfg, l); err != nil {
		return nil, err
	}
	if err = p.openDesign(ctx, log); err != nil {
		return nil, err
	}
	if err = p.openKits(ctx, e, l, log); err != nil {
		return nil, err
	}
	p.gateway, err = gateway.Open(gateway.Config{Addr: cmp.Or(l.HTTP, s.HTTP), Version: version, Page: page.Files,
		Authority: p.accounts, Tokens: p.accounts, Codes: p.accounts, Claims: p.accounts, Accounts: p.accounts, Records: p.accounts,
		Plan: p.plan, Values: p.history, Readings: readings{p.history, p.db}, Broker: p.broker, XRay: p.broker, Settings: p.settings.Settings,
		Bus: p.broker, Feed: &p.feed, Known: p.plan.Known, Snippets: p.snippet,
		Drawing: webPlan{p.plan, p}, Rules: webRules{p.rules}, Alarms: p.alarms, Boards: p.sim, Kits: p.kits, Recorder: p.recorder, Why: p.why.Why,
		Words:  func(l string) map[string]string { return lang.Table(lang.Closest(l)) },
		Say:    func(l string, s core.Sentence) string { return lang.Closest(l).Say(s) },
		Refuse: p.accounts.Refuse, Open: l.Open, Log: log})
	if err != nil {
		return nil, unboundOr(err, l.HTTP, s, true)
	}
	p.info.MQTT, p.info.MQTTS, p.info.Page = p.broker.Addr(), p.broker.TLSAddr(), p.gateway.Addr()
	p.openName(ctx, e, l, log)
	return p, nil
}

// run runs the parts until ctx ends. They stop in reverse: pages, kits, then
// history writes what is left.
func (p *program) run(ctx context.Context) error {
	var g core.Group
	g.Add("accounts", p.accounts.Run)
	g.Add("history", p.history.Run)
	if p.trust != nil {
		g.Add("trust", p.trust.Run)
	}
	g.Add("broker", p.broker.Run)
	p.runDesign(&g)
	g.Add("kits", p.kits.Run)
	g.Add("gateway", p.gateway.Run)
	if p.name != nil {
		g.Add("name", p.name.Run)
	}
	err := g.Run(ctx)
	return errors.Join(err, p.close())
}

// readings is the history for the web door.
type readings struct {
	*history.History
	db *storage.DB
}

// Descriptions returns what was said about every series.
func (r readings) Descriptions(ctx context.Context) (map[core.Series]core.Description, error) {
	return r.db.SeriesNames(ctx)
}

// ExportCSV writes the readings of the topics that f selects.
func (r readings) ExportCSV(ctx context.Context, w io.Writer, f topic.Filter, from, to time.Time) error {
	return r.Export(ctx, w, history.ExportOptions{Filter: f, From: from, To: to})
}

// gate is the accounts for the broker, where the program itself may publish too,
// and names that were given up still answer.
type gate struct {
	*accounts.Service
	p *program
}

// Authenticate lets nobody in under a client ID by which the program knows what it
// published itself: messages of such a client would pass for those of a rule, or be
// missing in a recording.
func (g gate) Authenticate(ctx context.Context, name, secret, client, addr string) (core.Account, error) {
	a, err := g.Service.Authenticate(ctx, name, secret, client, addr)
	if err == nil && (slices.Contains(ownClients, client) || strings.HasPrefix(client, "rule:")) {
		return core.Account{}, core.Fail(core.ErrConflict, "{name} connected with the client ID {client}, which Homeroom uses itself. Give it another.", "name", a.Name, "client", client)
	}
	return a, err
}

// ownClients are the MQTT Client Identifiers of what the program publishes; rules
// have one each.
var ownClients = []string{"window", "page", plan.Client, record.Client, alarms.Client, discoveryClient, kits.Client}

// Authorize lets core.Program publish what it is called; nobody signs in as that.
func (g gate) Authorize(id core.AccountID, a core.Action, f topic.Filter) (topic.Filter, error) {
	if id == core.Program && a == core.Publish {
		return f, nil
	}
	if a == core.Publish && strings.HasSuffix(string(f), "/"+core.KitAsked) {
		return f, core.Fail(core.ErrDenied, "{topic} is where Homeroom asks the kit to do something, so nobody else publishes there. Use the screen Kits.", "topic", f)
	}
	real, err := g.Service.Authorize(id, a, f)
	if a != core.Publish || g.p.plan == nil {
		return real, err
	}
	if to, renamed := g.p.plan.Renamed(topic.Name(real)); renamed {
		real, err = g.renamed(id, real, topic.Filter(to), err)
	}
	if err == nil && alarms.Tells(g.p.plan.Design(), topic.Name(real)) {
		err = core.Fail(core.ErrDenied, "{topic} is where an alarm of Homeroom tells its state, so nobody else publishes there. Choose another topic.", "topic", real)
	}
	return real, err
}

// Refuse keeps a refusal, also as a reason why something did not happen.
func (g gate) Refuse(r core.Refusal) {
	g.Service.Refuse(r)
	if g.p.why != nil {
		g.p.why.Refused(r)
	}
}

// renamed lets the account publish to what old is called now, where it may; and
// says so to the people whose sketch it is. A yes to what a mount makes of the new
// name is no yes to it.
func (g gate) renamed(id core.AccountID, old, to topic.Filter, err error) (topic.Filter, error) {
	real, may := g.Service.Authorize(id, core.Publish, to)
	if may != nil || real != to {
		return old, err
	}
	g.p.plan.Used(topic.Name(old))
	if strings.HasSuffix(string(old), "/"+core.KitState) {
		return real, nil // a kit says goodbye where it was; its values tell whether its program is old
	}
	a, _ := g.Service.Account(id)
	g.Service.Refuse(core.Refusal{At: time.Now(), Count: 1, Account: id, Name: string(a.Name),
		Say: core.Say("{name} publishes to {old}, which is called {new} now and still answers. Change its program.", "name", a.Name, "old", old, "new", to)})
	return real, nil
}

// record takes in what was published. What the program publishes is no news, but
// that an alarm calls is: it puts a retained message where its topic is now, and
// tells others what was drawn.
func (p *program) record(m core.Message) {
	if m.From == core.Program && m.Client != alarms.Client {
		return
	}
	if p.kits != nil {
		p.kits.Observe(m)
	}
	if n := string(m.Topic); strings.HasSuffix(n, "/"+core.KitInfo) || strings.HasSuffix(n, "/"+core.KitTold) {
		return // how a kit is stands in Kits, and is no reading
	}
	if p.lent.Load() != nil && strings.HasPrefix(string(m.Topic), "load/") {
		return // of a load test: nobody wants to read that again
	}
	p.history.Record(m)
	p.why.Observe(m)
	p.rules.Observe(m)
	p.alarms.Observe(m)
	p.discovery.observe(m)
}

// close lets go of what open took. Parts that ran have closed already.
func (p *program) close() error {
	var errs []error
	if p.gateway != nil {
		errs = append(errs, p.gateway.Close())
	}
	if p.broker != nil {
		errs = append(errs, p.broker.Close())
	}
	if p.db != nil {
		errs = append(errs, p.db.Close())
	}
	if p.lock != nil {
		errs = append(errs, p.lock.Close())
	}
	return errors.Join(errs...)
}

// lockFolder makes the folder ours: two programs on the same data would each
// believe to be the only one.
func lockFolder(data string) (*flock.Flock, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, core.Fail(err, "Homeroom cannot write in {folder}. Choose another folder, or allow writing there.", "folder", data)
	}
	l := flock.New(filepath.Join(data, "homeroom.lock"))
	ok, err := l.TryLock()
	if err != nil {
		return nil, core.Fail(err, "Homeroom cannot write in {folder}. Choose another folder, or allow writing there.", "folder", data)
	}
	if !ok {
		return nil, core.Fail(core.ErrConflict, "Homeroom runs already with the data in {folder}. Use its window, or choose another folder with --data.", "folder", data)
	}
	return l, nil
}

// besideName is the folder that makes the program portable: where it stands
// beside the program, it is used.
const besideName = "homeroom-data"

// dataFolder returns the folder to use when nobody names one.
func dataFolder() string {
	if exe, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(exe), besideName)
		if i, err := os.Stat(beside); err == nil && i.IsDir() {
			return beside
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return besideName
	}
	switch runtime.GOOS {
	case "windows", "darwin":
		if dir, err := os.UserConfigDir(); err == nil {
			return filepath.Join(dir, "Homeroom")
		}
	default:
		if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
			return filepath.Join(dir, "homeroom")
		}
	}
	return filepath.Join(home, ".local", "share", "homeroom")
}

// settings keeps the settings in memory and in the store.
type settings struct {
	p   *program
	mu  sync.Mutex
	now core.Settings // guarded by mu
}

func loadSettings(ctx context.Context, p *program) (*settings, error) {
	now, err := p.db.Settings(ctx)
	if err != nil {
		return nil, err
	}
	lang.Use(lang.Language(now.Language), "")
	return &settings{p: p, now: now}, nil
}

// Settings returns the settings in force.
func (s *settings) Settings() core.Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// SetSettings keeps and applies settings.
func (s *settings) SetSettings(ctx context.Context, now core.Settings) error {
	if err := s.p.db.SaveSettings(ctx, now); err != nil {
		return err
	}
	if err := s.p.accounts.Note(ctx, core.Say("The settings were changed.")); err != nil {
		return err
	}
	s.mu.Lock()
	s.now = now
	s.mu.Unlock()
	s.p.history.SetKeep(now.KeepDays, now.KeepBytes)
	s.p.broker.SetLimits(now.Limits)
	s.p.feed.Tell(core.SettingsChanged)
	return nil
}

// Usage returns the bytes on disk of everything but readings, and of readings.
func (s *settings) Usage() (coreBytes, historyBytes int64) {
	size := func(name string) (n int64) {
		for _, file := range []string{name, name + "-wal"} {
			if i, err := os.Stat(filepath.Join(s.p.info.Data, file)); err == nil {
				n += i.Size()
			}
		}
		return n
	}
	return size("core.db"), size("history.db")
}

// openBrowser shows an address in the person's browser, if there is one.
func openBrowser(address string) {
	var cmd *exec.Cmd
	switch runtime.GOOS {
	case "windows":
		cmd = exec.Command("rundll32", "url.dll,FileProtocolHandler", address)
	case "darwin":
		cmd = exec.Command("open", address)
	default:
		if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
			return
		}
		cmd = exec.Command("xdg-open", address)
	}
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }()
	}
}

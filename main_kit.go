package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"text/tabwriter"
	"time"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/accounts"
	"homeroom/core/kits"
	"homeroom/core/kits/esp"
	"homeroom/core/kits/line"
	"homeroom/core/kits/wire"
	"homeroom/core/plan"
	"homeroom/core/rules"
	"homeroom/core/topic"
	"homeroom/core/trust"
	"homeroom/storage"
)

// kitCmd is the wizard's steps, one by one, for scripts.
type kitCmd struct {
	Ports     kitPorts     `cmd:"" help:"List the serial ports that a kit may be on."`
	Info      kitInfo      `cmd:"" help:"Tell which chip, or which kit, is on a port."`
	Flash     kitFlash     `cmd:"" help:"Write firmware to a board, and verify it."`
	Provision kitProvision `cmd:"" help:"Give a kit its place in the plan, its account and its network; also while Homeroom runs."`
	Monitor   kitMonitor   `cmd:"" help:"Show what a kit says, and send it what is typed."`
	Reset     kitReset     `cmd:"" help:"Start the firmware of a board anew."`
	Forget    kitForget    `cmd:"" help:"Erase the settings of a kit: network, account and secret."`
}

// onPort are the flags of what works with one board.
type onPort struct {
	Port string `required:"" placeholder:"P" help:"Serial port: COM3, /dev/ttyUSB0, or any path."`
	JSON bool   `name:"json" help:"Print one JSON object a line; the last one has \"result\"."`
}

// report prints how a command with a board goes.
type report struct {
	e    env
	json bool
	mu   sync.Mutex
	last string // step that was told; guarded by mu
	told int    // tenths of it; guarded by mu
}

func (c onPort) report(e env) *report { return &report{e: e, json: c.JSON} }

// object prints a line for machines.
func (r *report) object(v map[string]any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	line, err := json.Marshal(v)
	if err != nil {
		panic(err) // made from strings and numbers
	}
	fmt.Fprintf(r.e.out, "%s\n", line)
}

// progress tells how far a step is: machines each time, people each tenth.
func (r *report) progress(p core.KitProgress) {
	if r.json {
		v := map[string]any{"step": p.Step, "done": p.Done, "total": p.Total}
		if p.Left > 0 {
			v["left"] = p.Left.Round(100 * time.Millisecond).Seconds()
		}
		r.object(v)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	tenth := 0
	if p.Total > 0 {
		tenth = int(p.Done * 10 / p.Total)
	}
	if p.Step == r.last && tenth == r.told {
		return
	}
	r.last, r.told = p.Step, tenth
	if p.Total > 0 {
		fmt.Fprintf(r.e.err, "%s %d %%\n", p.Step, p.Done*100/p.Total)
	} else {
		fmt.Fprintln(r.e.err, p.Step)
	}
}

// ask tells what a person has to do with their hands.
func (r *report) ask(say core.Sentence) {
	switch {
	case say.Format == "":
	case r.json:
		r.object(map[string]any{"step": "hands", "ask": lang.Say(say)})
	default:
		fmt.Fprintln(r.e.err, lang.Say(say))
	}
}

// note tells something that a person should know and need not act on.
func (r *report) note(say core.Sentence) {
	if r.json {
		r.object(map[string]any{"step": "note", "note": lang.Say(say)})
		return
	}
	fmt.Fprintln(r.e.err, lang.Say(say))
}

// misused prints the last line for machines where the arguments of a command with a
// board make no sense, so that who reads its output never waits for one.
func misused(args []string, e env, err error) {
	if at := slices.Index(args, "kit"); at >= 0 && slices.Contains(args[at:], "--json") {
		r := &report{e: e, json: true}
		_ = r.end(err, nil) // told already
	}
}

// end prints the last line, and returns err for the exit code.
func (r *report) end(err error, facts map[string]any) error {
	if !r.json {
		return err
	}
	v := map[string]any{"result": "ok"}
	if err != nil {
		v["result"], v["error"] = "error", lang.Error(err)
		var at *esp.Error
		if errors.As(err, &at) {
			v["step"] = at.Step
		}
	}
	for k, fact := range facts {
		v[k] = fact
	}
	r.object(v)
	return err
}

// handsFor is how long a person may take for the buttons of a board: long enough to
// find them, and short enough that a script ends.
const handsFor = 30 * time.Second

// board connects to the boot loader of the board on the port.
func (c onPort) board(ctx context.Context, r *report, o esp.Options, work func(*esp.Chip) error) error {
	p, err := line.System{}.Open(c.Port)
	if err != nil {
		return err
	}
	o.Stub, o.Progress, o.HandsFor = bundledImages{}.Stub(), r.progress, handsFor
	chip, err := esp.Connect(ctx, p, o)
	if err == nil {
		err = work(chip)
	}
	return errors.Join(err, p.Close())
}

// kit talks to the firmware that runs on the port.
func (c onPort) kit(ctx context.Context, on wire.Events, work func(context.Context, *wire.Kit) error) error {
	p, err := line.System{}.Open(c.Port)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	k := wire.Talk(p, on)
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	err = work(ctx, k)
	cancel()
	if ran := <-done; err == nil && !errors.Is(ran, context.Canceled) {
		err = ran
	}
	return errors.Join(err, p.Close())
}

type kitPorts struct {
	JSON bool `name:"json" help:"Print one JSON object a line; the last one has \"result\"."`
}

// Run lists the ports, and what to do where there is none.
func (c *kitPorts) Run(e env) error {
	r := &report{e: e, json: c.JSON}
	all, err := line.System{}.List()
	if err != nil {
		return r.end(err, nil)
	}
	if c.JSON {
		for _, p := range all {
			v := map[string]any{"port": p.Name, "title": p.Title, "likely": p.Likely}
			if p.VID != 0 {
				v["vid"], v["pid"] = fmt.Sprintf("%04x", p.VID), fmt.Sprintf("%04x", p.PID)
			}
			if p.Problem.Format != "" {
				v["problem"] = lang.Say(p.Problem)
			}
			r.object(v)
		}
	} else {
		w := tabwriter.NewWriter(e.out, 0, 4, 2, ' ', 0)
		for _, p := range all {
			problem := ""
			if p.Problem.Format != "" {
				problem = lang.Say(p.Problem)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", p.Name, p.Title, problem)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		for _, say := range (line.System{}).Advice(all) {
			fmt.Fprintln(e.err, lang.Say(say))
		}
	}
	return r.end(nil, map[string]any{"ports": len(all)})
}

// helloWithin is how long a kit may take to say what it is.
const helloWithin = 3 * time.Second

type kitInfo struct{ onPort }

// Run asks the firmware first, because that does not disturb it, then the chip.
func (c *kitInfo) Run(ctx context.Context, e env) error {
	r := c.report(e)
	var id wire.Identity
	err := c.kit(ctx, wire.Events{}, func(ctx context.Context, k *wire.Kit) (err error) {
		ctx, cancel := context.WithTimeout(ctx, helloWithin)
		defer cancel()
		id, err = k.Hello(ctx)
		return err
	})
	facts := map[string]any{}
	if err == nil {
		facts["firmware"], facts["variant"], facts["version"], facts["mac"], facts["flash"], facts["settings"] = id.Firmware, id.Variant, id.Version, id.MAC, id.Flash, id.Sequence > 0
	} else if ctx.Err() == nil && (errors.Is(err, wire.ErrSilent) || errors.Is(err, context.DeadlineExceeded)) {
		err = c.board(ctx, r, esp.Options{ByHand: r.ask}, func(chip *esp.Chip) error {
			i := chip.Info()
			facts["chip"], facts["id"], facts["mac"], facts["flash"], facts["flashID"] = i.Name, fmt.Sprintf("%08x", i.ID), i.MAC, i.FlashSize, fmt.Sprintf("%06x", i.FlashID)
			return chip.Run(ctx)
		})
	}
	if err == nil && !c.JSON {
		w := tabwriter.NewWriter(e.out, 0, 4, 2, ' ', 0)
		for _, name := range []string{"chip", "id", "firmware", "variant", "version", "mac", "flash", "flashID", "settings"} {
			if v, ok := facts[name]; ok {
				fmt.Fprintf(w, "%s\t%v\n", name, v)
			}
		}
		return w.Flush()
	}
	return r.end(err, facts)
}

type kitFlash struct {
	onPort
	Image  string `required:"" placeholder:"F" help:"File to write; or wired or wifi for the firmware that is built in."`
	Offset string `default:"0" help:"Where on the flash it begins; 0x1000 is fine, too."`
	Baud   int    `placeholder:"N" help:"Fastest rate. It begins at 115200 and steps down on errors."`
	Size   string `name:"flash-size" default:"auto" enum:"auto,256KB,512KB,1MB,2MB,4MB,8MB,16MB" help:"Of a flash that does not tell its size; auto is what the file says."`
	Erase  bool   `help:"Erase the whole flash first, settings as well."`
	Force  bool   `help:"Write the file whatever it is."`
}

// flashSizes are the sizes that Size may be, in bytes.
var flashSizes = map[string]int64{"256KB": 256 << 10, "512KB": 512 << 10, "1MB": 1 << 20, "2MB": 2 << 20, "4MB": 4 << 20, "8MB": 8 << 20, "16MB": 16 << 20}

// Rates that a flash can be written at: below, answers would be waited for too short.
const (
	slowestBaud = 9600
	fastestBaud = 4_000_000
)

// sector is what the flash is erased by.
const sector = 4096

// Run writes the image, and calls it done only once it was verified.
func (c *kitFlash) Run(ctx context.Context, e env) error {
	r := c.report(e)
	at, err := strconv.ParseInt(c.Offset, 0, 64)
	if err != nil || at < 0 || at%sector != 0 {
		return r.end(core.Fail(errUsage, "The offset {offset} is not a multiple of {n}. Most firmware begins at 0.", "offset", c.Offset, "n", sector), nil)
	}
	if c.Baud != 0 && (c.Baud < slowestBaud || c.Baud > fastestBaud) {
		return r.end(core.Fail(errUsage, "{baud} baud is no rate to flash at. Choose one from {from} to {to}; 460800 works with most boards.", "baud", c.Baud, "from", slowestBaud, "to", fastestBaud), nil)
	}
	image, err := readImage(c.Image)
	if err != nil {
		return r.end(err, nil)
	}
	o := esp.Options{Baud: c.Baud, FlashSize: flashSizes[c.Size], AnyHeader: c.Force, ByHand: r.ask}
	wants := int64(0) // of flash
	if at == 0 {
		i, err := esp.CheckImage(image)
		if err != nil && !c.Force {
			return r.end(forced(err), nil)
		}
		wants = i.Flash
	}
	if o.FlashSize == 0 {
		o.FlashSize = wants
	}
	facts := map[string]any{"bytes": len(image), "offset": at}
	began := time.Now()
	err = c.board(ctx, r, o, func(chip *esp.Chip) error {
		i := chip.Info()
		facts["chip"], facts["mac"], facts["flash"] = i.Name, i.MAC, i.FlashSize
		switch {
		case i.FlashSize == 0 && o.FlashSize == 0:
			return core.Fail(core.ErrInvalid, "The flash of this board ({id}) does not tell how large it is, and neither does the file. Say it with --flash-size.", "id", fmt.Sprintf("%06X", i.FlashID))
		case i.FlashSize == 0:
			r.note(core.Say("The flash of this board ({id}) does not tell how large it is. It is taken for {size} KiB, as the file or --flash-size says.", "id", fmt.Sprintf("%06X", i.FlashID), "size", o.FlashSize>>10))
		}
		if c.Erase {
			if err := chip.EraseAll(ctx); err != nil {
				return err
			}
		}
		err := chip.Write(ctx, []esp.Region{{At: at, Data: image}})
		if i.FlashSize > 0 && i.FlashSize < wants && errors.Is(err, core.ErrInvalid) && int64(len(image)) <= i.FlashSize {
			return forced(err)
		}
		if errors.Is(err, esp.ErrUnverified) && ctx.Err() == nil {
			// what the ROM could write is started all the same, and told for what it is
			return errors.Join(err, chip.Run(ctx))
		}
		if err != nil {
			return err
		}
		facts["verified"] = true
		return chip.Run(ctx)
	})
	facts["seconds"] = time.Since(began).Round(100 * time.Millisecond).Seconds()
	if err == nil && !c.JSON {
		fmt.Fprintln(e.out, lang.L("{n} bytes were written to {mac} and verified.", "n", len(image), "mac", facts["mac"]))
	}
	return r.end(err, facts)
}

// forced says of a refusal how to write the file all the same.
func forced(err error) error {
	return &core.Problem{Sentence: core.Say("{problem} With --force it is written all the same.", "problem", lang.Error(err)), Kind: err}
}

// maxImage is more than any ESP8266 has flash for.
const maxImage = 16 << 20

// readImage returns a file, or firmware that is built in.
func readImage(name string) ([]byte, error) {
	if name == "wired" || name == "wifi" {
		if _, err := os.Stat(name); err != nil {
			f, err := bundledImages{}.Open(name)
			if err != nil {
				return nil, err
			}
			return io.ReadAll(f)
		}
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, core.Fail(core.ErrNotFound, "There is no file {file}. Look at its name.", "file", name)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxImage || info.Size() == 0:
		return nil, core.Fail(core.ErrInvalid, "{file} is not the file of a firmware. Choose a .bin file.", "file", name)
	}
	return os.ReadFile(name)
}

type kitProvision struct {
	onPort
	Kit     string `required:"" placeholder:"NAME" help:"Its place in the plan: blue/lab/kit-1. It is drawn where it is missing."`
	Role    string `default:"all" enum:"light,sensor,button,choice,all" help:"Of a kit that is to be drawn."`
	Label   string `help:"Display name of a kit that is to be drawn."`
	Network string `placeholder:"SSID" help:"Wi-Fi network. Its key is read from standard input."`
	OpenNet bool   `name:"open-network" help:"The network has no key."`
	Cable   bool   `help:"The kit uses no Wi-Fi: this PC joins it to the broker."`
	Broker  string `placeholder:"HOST:PORT" help:"Where the kit finds the broker; by default where this PC is reached."`
	TLS     bool   `name:"tls" help:"The kit speaks TLS and pins the key of this program. Its firmware must be able to."`
	NoWait  bool   `help:"Do not wait until the kit has joined the broker."`
}

// joinWithin is how long a kit may take to be on the broker.
const joinWithin = 90 * time.Second

// Run draws the kit, makes its account, writes its settings, and waits until it is joined.
func (c *kitProvision) Run(ctx context.Context, e env) error {
	r := c.report(e)
	if (c.Network == "") != c.Cable {
		return r.end(core.Fail(errUsage, "Choose --network, or --cable."), nil)
	}
	if c.TLS && c.Cable {
		return r.end(core.Fail(errUsage, "Choose --tls, or --cable."), nil)
	}
	var key string
	if c.Network != "" {
		if !c.OpenNet {
			var err error
			if key, err = password(e); err != nil {
				return r.end(err, nil)
			}
		}
		if err := wire.CheckNetwork(c.Network, key); err != nil {
			return r.end(err, nil)
		}
	}
	account, err := c.provision(ctx, e, r, key)
	if err == nil && !c.JSON {
		fmt.Fprintln(e.out, lang.L("{kit} has its settings and signs in as {account}.", "kit", c.Kit, "account", account))
	}
	return r.end(err, map[string]any{"kit": c.Kit, "account": account})
}

func (c *kitProvision) provision(ctx context.Context, e env, r *report, key string) (account topic.ID, err error) {
	b, err := c.broker(ctx, e)
	if err != nil {
		return "", err
	}
	status := make(chan wire.Status, 16)
	on := wire.Events{
		Status: func(s wire.Status) {
			select {
			case status <- s:
			default: // the newest of sixteen is soon there
			}
		},
		Dial: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))))
		},
	}
	err = c.kit(ctx, on, func(ctx context.Context, k *wire.Kit) error {
		r.progress(core.KitProgress{Step: "hello"})
		hello, cancel := context.WithTimeout(ctx, helloWithin)
		id, err := k.Hello(hello)
		cancel()
		switch {
		case err != nil:
			return err
		case c.TLS && !id.TLS:
			return core.Fail(core.ErrInvalid, "The firmware on this board does not speak TLS. Write another, or set the kit up without TLS.")
		}
		return withKitMaker(ctx, e, func(m kitMaker) error {
			made, err := m.prepare(ctx, core.SetupOrder{Kit: topic.Name(c.Kit), Role: core.KitRole(c.Role), Label: c.Label, Network: c.Network, Cable: c.Cable})
			if err != nil {
				return err
			}
			s := made.Settings
			account, s.BrokerHost, s.BrokerPort, s.Page = topic.ID(s.Account), b.Host, b.Port, b.Page
			if c.TLS {
				s.TLSKey = b.TLSKey
			}
			s.SSID, s.Transport = c.Network, wire.WiFi
			if c.Cable {
				s.Transport = wire.Cable
			} else if key != "" {
				s.Key = wire.PMK(c.Network, key)
			}
			if err := s.Check(); err != nil {
				return err
			}
			r.progress(core.KitProgress{Step: "settings"})
			for len(status) > 0 {
				<-status // of what it had before
			}
			if _, _, err := k.Write(ctx, s.Change()); err != nil {
				return err
			}
			// The kit has the secret; should the account not get it, the old one is good,
			// and the kit is provisioned anew.
			if err := made.Commit(ctx); err != nil {
				return err
			}
			if c.NoWait {
				return nil
			}
			r.progress(core.KitProgress{Step: "join"})
			return joined(ctx, k, status)
		})
	})
	return account, err
}

// joined waits until the kit says that it is on the broker.
func joined(ctx context.Context, k *wire.Kit, status <-chan wire.Status) error {
	ctx, cancel := context.WithTimeout(ctx, joinWithin)
	defer cancel()
	last, tries := wire.Status{}, false      // with what it was given now
	again := time.NewTicker(2 * time.Second) // an event may get lost
	defer again.Stop()
	for {
		select {
		case last = <-status:
		case <-again.C:
			if s, err := k.Status(ctx); err == nil {
				last = s
			}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				if why := last.Problem(); why.Format != "" {
					return &core.Problem{Sentence: why, Kind: core.ErrConflict}
				}
				return core.Fail(core.ErrConflict, "The kit has its settings, but has not joined the broker. Look at what it says: homeroom kit monitor.")
			}
			return ctx.Err()
		}
		switch last.State {
		case wire.StateJoined:
			return nil
		case wire.StateNetwork, wire.StateBroker:
			tries = true
		case wire.StateWaits:
			if why := last.Problem(); tries && hopeless(last.Reason) {
				return &core.Problem{Sentence: why, Kind: core.ErrDenied}
			}
		}
	}
}

// hopeless reports whether a kit that did not join for that reason needs somebody. One
// that is refused does not: its new secret may not have come to the broker yet.
func hopeless(r wire.Reason) bool { return r == wire.ReasonWrongKey || r == wire.ReasonTLS }

// broker returns where the kit finds the broker, and its web door; and the key that
// the broker must have, where the kit is to speak TLS.
func (c *kitProvision) broker(ctx context.Context, e env) (b kits.Broker, err error) {
	host, text, err := net.SplitHostPort(c.Broker)
	n, numErr := strconv.ParseUint(text, 10, 16)
	if c.Broker != "" && (err != nil || numErr != nil || host == "" || n == 0) {
		return b, core.Fail(errUsage, "{address} is not where a broker is. Write it as host:port.", "address", c.Broker)
	}
	db, err := storage.Open(ctx, e.data)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := db.Settings(ctx)
	if err != nil {
		return b, err
	}
	at := core.Info{MQTT: s.MQTT, Page: s.HTTP}
	var known *trust.Authority
	if c.TLS {
		if at.MQTTS = s.MQTTS; s.MQTTS == "-" {
			return b, core.Fail(core.ErrConflict, "This program has no TLS. Switch it on in the settings, or set the kit up without TLS.")
		}
		if known, err = trust.Open(ctx, trust.Config{Store: db, Log: slog.New(slog.DiscardHandler)}); err != nil {
			return b, err
		}
	}
	b = brokerAt(at, known)
	if c.TLS {
		b.Port = b.TLSPort
	}
	if c.Cable {
		b.Host, b.Port = splitAddress(reachable(s.MQTT))
		b.Page = "" // no update over the air
	}
	if c.Broker != "" {
		b.Host, b.Port = host, uint16(n)
	}
	return b, nil
}

// withKitMaker runs fn with what makes kits in the data folder, beside a program
// that may be running there.
func withKitMaker(ctx context.Context, e env, fn func(kitMaker) error) error {
	db, err := storage.Open(ctx, e.data)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	a, err := accounts.Open(ctx, accounts.Config{Store: db, Feed: &core.Feed{}, Log: log, Strength: accounts.Strong})
	if err != nil {
		return errors.Join(err, db.Close())
	}
	s, err := plan.Open(ctx, plan.Config{Store: db, Feed: &core.Feed{}, Log: log, CheckRule: rules.Check})
	if err == nil {
		err = fn(kitMaker{a, s, func() {}})
	}
	return errors.Join(err, db.Close())
}

type kitReset struct{ onPort }

// Run starts the firmware anew: by the modem lines, or by asking it, or the boot
// loader where that answers instead.
func (c *kitReset) Run(ctx context.Context, e env) error {
	r := c.report(e)
	p, err := line.System{}.Open(c.Port)
	if err != nil {
		return r.end(err, nil)
	}
	err = esp.Restart(ctx, p)
	err = errors.Join(err, p.Close())
	if errors.Is(err, line.ErrNoLines) {
		err = c.kit(ctx, wire.Events{}, func(ctx context.Context, k *wire.Kit) error { return k.Restart(ctx) })
		if errors.Is(err, wire.ErrSilent) && ctx.Err() == nil && c.board(ctx, r, esp.Options{}, func(chip *esp.Chip) error { return chip.Run(ctx) }) == nil {
			err = nil
		}
	}
	return r.end(err, nil)
}

type kitForget struct{ onPort }

// Run erases both slots of settings.
func (c *kitForget) Run(ctx context.Context, e env) error {
	return c.report(e).end(c.kit(ctx, wire.Events{}, func(ctx context.Context, k *wire.Kit) error { return k.Forget(ctx) }), nil)
}

package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/accounts"
	"homeroom/core/kits"
	"homeroom/core/kits/line"
	"homeroom/core/kits/wire"
	"homeroom/core/plan"
	"homeroom/core/topic"
	"homeroom/core/trust"
	"homeroom/firmware"
	"homeroom/firmware/images"
)

// kitMaker makes what a board needs to be a kit: its place in the plan, its account
// and its settings.
type kitMaker struct {
	accounts *accounts.Service
	plan     *plan.Service
	compile  func() // what the plan says becomes what accounts may do
}

// prepare draws the kit and its account where they are missing, and returns its
// settings without a network. The secret in them counts once it is committed; until
// then the board that the kit was, or the virtual kit, goes on.
func (m kitMaker) prepare(ctx context.Context, o core.SetupOrder) (kits.Prepared, error) {
	d := m.plan.Design()
	if d.Place(o.Kit) == nil {
		taken := func(id topic.ID) bool { _, taken := m.accounts.Named(id); return taken }
		kit := core.Place{Name: o.Kit, Role: o.Role, Label: o.Label, Account: d.AccountFor(o.Kit, taken)}
		b, err := plan.Furnish(d, kit, lang.Say)
		if err == nil {
			err = m.plan.Change(ctx, b)
		}
		if err != nil {
			return kits.Prepared{}, err
		}
	}
	kit := *m.plan.Design().Place(o.Kit)
	if kit.Kind != core.KitPlace {
		return kits.Prepared{}, core.Fail(core.ErrInvalid, "{name} is no kit. Choose a kit, or a new name.", "name", kit.Name)
	}
	if kit.Account == "" {
		kit.Account = m.plan.Design().AccountFor(kit.Name, func(id topic.ID) bool { _, taken := m.accounts.Named(id); return taken })
		if err := m.change(ctx, kit); err != nil {
			return kits.Prepared{}, err
		}
	}
	a, err := m.account(ctx, kit.Account)
	if err != nil {
		return kits.Prepared{}, err
	}
	if a.Role != core.Kit {
		return kits.Prepared{}, core.Fail(core.ErrConflict, "{name} is the account of a person. Give the kit another account in the plan.", "name", a.Name)
	}
	s := settingsOf(m.plan.Design(), kit)
	s.Account, s.Secret = string(a.Name), m.accounts.NewSecret()
	return kits.Prepared{Settings: s, Commit: func(ctx context.Context) error {
		if err := m.accounts.SetSecret(ctx, a.ID, s.Secret); err != nil {
			return err
		}
		now := m.plan.Design().Place(kit.Name)
		if now == nil || !now.Virtual {
			return nil
		}
		real := *now
		real.Virtual = false
		return m.change(ctx, real)
	}}, nil
}

// change replaces a kit in the plan.
func (m kitMaker) change(ctx context.Context, kit core.Place) error {
	return m.plan.Change(ctx, core.Batch{Say: core.Say("{name} became a real kit", "name", kit.Name), Places: []core.Place{kit}})
}

// account returns the account of a kit, which is made where there is none, in the
// team whose branch the kit is drawn in.
func (m kitMaker) account(ctx context.Context, name topic.ID) (core.Account, error) {
	if a, found := m.accounts.Named(name); found {
		return a, nil
	}
	a := core.Account{Name: name, Role: core.Kit, Mounted: true}
	for _, k := range m.plan.Design().Places {
		if k.Account != name {
			continue
		}
		a.Label = k.Label
		branch := topic.ID(k.Name.Split()[0])
		if slices.ContainsFunc(m.accounts.Teams(), func(t core.Team) bool { return t.Name == branch }) {
			a.Team = branch
		}
	}
	added, _, err := m.accounts.Add(ctx, a, "")
	if err == nil {
		m.compile() // it may publish from its first message on
	}
	return added, err
}

// settingsOf returns what a kit has to know of the plan.
func settingsOf(d *core.Design, kit core.Place) wire.Settings {
	s := wire.Settings{Name: string(kit.Name), Role: kit.Role, Label: clipLabel(kit.Label)}
	for _, port := range kit.Ports {
		t := d.Topic(port.Topic)
		if t == nil {
			continue
		}
		p := wire.Port{Slot: string(port.Slot), Topic: string(port.Topic), Publish: port.Action == core.Publish, Toggle: port.Toggle,
			Writable: t.Writable, Retain: t.Retain, Max: 100, Yes: "true", No: "false"}
		if t.Kind == core.Number && t.Max > t.Min {
			p.Min, p.Max = int32(max(t.Min, -1e9)), int32(min(t.Max, 1e9))
		}
		if len(t.Options) == 2 && t.Kind == core.Boolean {
			p.Yes, p.No = t.Options[0], t.Options[1]
		}
		s.Ports = append(s.Ports, p)
	}
	return s
}

// clipLabel shortens a display name to what a kit has room for.
func clipLabel(s string) string {
	const most = 63
	for len(s) > most {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// bundledImages is the firmware that is built into the program.
type bundledImages struct{}

// All returns one image of each variant that was built in.
func (bundledImages) All() (all []core.KitImage) {
	for _, variant := range []string{"wifi", "wired"} {
		b, p := bundled(variant)
		if p.Size > 0 {
			all = append(all, core.KitImage{ID: variant, Variant: variant, Version: b.Version, Chip: b.ChipFamily,
				Size: int64(p.Size), Flash: int64(b.FlashSize), SHA256: p.SHA256, MD5: p.MD5})
		}
	}
	return all
}

// bundled returns the build of a variant, one that is there before one that is not.
func bundled(variant string) (found images.Build, part images.Part) {
	m, err := images.Bundled()
	if err != nil {
		return found, part // made by make firmware, and checked by the tests there
	}
	for _, b := range m.Builds {
		if b.Variant == variant && len(b.Parts) == 1 && (found.Variant == "" || part.Size == 0 && b.Parts[0].Size > 0) {
			found, part = b, b.Parts[0]
		}
	}
	return found, part
}

// Open returns an image of All.
func (bundledImages) Open(id string) (io.ReadCloser, error) {
	_, p := bundled(id)
	image, err := images.Open(p.Path)
	if err != nil {
		return nil, core.Fail(core.ErrNotFound, "This Homeroom has no {image} firmware built in. Choose a file.", "image", id)
	}
	return io.NopCloser(bytes.NewReader(image)), nil
}

// Stub returns Espressif's flasher stub.
func (bundledImages) Stub() []byte {
	stub, _ := images.Stub()
	return stub
}

// openKits opens what is about real kits.
func (p *program) openKits(ctx context.Context, e env, l listeners, log *slog.Logger) (err error) {
	lines := e.lines
	if lines == nil {
		lines = serialPorts{l.Serial}
	}
	p.kits, err = kits.Open(ctx, kits.Config{Lines: lines, Store: p.db, Images: bundledImages{}, Sketch: firmware.Sketch, Folder: filepath.Join(e.data, "firmware"),
		Design: p.plan.Design, Prepare: p.prepareKit, Should: p.should, Secret: p.newSecret, Owner: p.accountID, Client: p.kitClient, Publish: p.broker.Publish, Dial: p.dialBroker, Boards: p.sim.Boards,
		Broker: p.brokerForKits, Feed: &p.feed, Log: log})
	if err == nil {
		p.compile() // a kit that was away for long may speak at its old name
	}
	return err
}

// kitGrants is what kits may that have not heard their new name yet: say how they are
// below the old one, and be told there.
func (p *program) kitGrants() (all []core.Grant) {
	if p.kits == nil {
		return nil // before it is open
	}
	for account, called := range p.kits.Called() {
		id, found := p.accountID(account)
		if !found {
			continue
		}
		allow := func(a core.Action, last topic.Name) {
			all = append(all, core.Grant{Subject: core.Subject{Account: id}, Action: a, Pattern: string(called + "/" + last)})
		}
		for _, own := range []topic.Name{core.KitState, core.KitInfo, core.KitTold} {
			allow(core.Publish, own)
		}
		allow(core.Subscribe, core.KitAsked)
	}
	return all
}

// prepareKit makes a kit as who sits at this PC: its first teacher.
func (p *program) prepareKit(ctx context.Context, o core.SetupOrder, _ core.KitChip) (kits.Prepared, error) {
	return kitMaker{p.accounts, p.plan, p.compile}.prepare(p.teacher(ctx), o)
}

// firstTeacher returns as whom the window and the setup of kits act: who sits at the
// PC that holds the data is its first teacher, or anyone where all may do everything.
func (p *program) firstTeacher() (core.AccountID, error) {
	first := firstTeacher(p.accounts)
	switch {
	case first != 0:
		return first, nil
	case p.info.Open:
		return core.Anyone, nil
	}
	return 0, core.Fail(core.ErrDenied, "There is no teacher's account. Add one in Accounts.")
}

// teacher returns a ctx in which the first teacher makes changes.
func (p *program) teacher(ctx context.Context) context.Context {
	id, err := p.firstTeacher()
	if err != nil {
		return ctx
	}
	return core.As(ctx, id)
}

// serialPorts are those of this PC, and some more that it does not list.
type serialPorts struct{ more []string }

// List returns the ports, with those of more that are there now.
func (s serialPorts) List() ([]core.SerialPort, error) {
	all, err := line.System{}.List()
	for _, name := range s.more {
		if _, gone := os.Stat(name); gone != nil || slices.ContainsFunc(all, func(p core.SerialPort) bool { return p.Name == name }) {
			continue
		}
		all = append(all, core.SerialPort{Name: name, Title: filepath.Base(name), Likely: true})
	}
	slices.SortFunc(all, func(a, b core.SerialPort) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

func (serialPorts) Open(name string) (line.Port, error) { return line.System{}.Open(name) }

func (serialPorts) Advice(ports []core.SerialPort) []core.Sentence {
	return line.System{}.Advice(ports)
}

// should returns what a kit should know of the plan now.
func (p *program) should(name topic.Name) (wire.Settings, bool) {
	d := p.plan.Design()
	k := d.Place(name)
	if k == nil || k.Kind != core.KitPlace {
		return wire.Settings{}, false
	}
	return settingsOf(d, *k), true
}

// newSecret returns a secret for a kit that counts once it is committed.
func (p *program) newSecret(_ context.Context, account topic.ID) (secret string, commit func(context.Context) error, err error) {
	a, found := p.accounts.Named(account)
	if !found || a.Role != core.Kit {
		return "", nil, core.Fail(core.ErrNotFound, "There is no account {name} of a kit. Set the kit up anew.", "name", account)
	}
	secret = p.accounts.NewSecret()
	return secret, func(ctx context.Context) error { return p.accounts.SetSecret(ctx, a.ID, secret) }, nil
}

// kitClient returns the connected MQTT session of a kit.
func (p *program) kitClient(account topic.ID) (core.Client, bool) {
	a, found := p.accounts.Named(account)
	if !found {
		return core.Client{}, false
	}
	for _, c := range p.broker.Clients() {
		if c.Account == a.ID && c.Connected {
			return c, true
		}
	}
	return core.Client{}, false
}

// dialBroker connects a kit on the cable to the broker.
func (p *program) dialBroker(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", reachable(p.broker.Addr()))
}

// brokerForKits is where kits find the program from the network.
func (p *program) brokerForKits() kits.Broker {
	b := brokerAt(p.info, p.trust)
	b.Home = p.named()
	return b
}

// brokerAt is where kits find a program that listens there. known may be nil: then
// there is no TLS.
func brokerAt(at core.Info, known *trust.Authority) (b kits.Broker) {
	a := addresses(at)
	b.Host, b.Port = splitAddress(a.MQTT[0])
	for _, hostport := range a.MQTT {
		host, _ := splitAddress(hostport)
		b.Hosts = append(b.Hosts, host)
	}
	_, page := splitAddress(at.Page)
	b.Page = net.JoinHostPort(b.Host, strconv.Itoa(int(page)))
	if known != nil && len(a.MQTTS) > 0 {
		if key, _ := pem.Decode(known.PublicKey()); key != nil {
			_, b.TLSPort = splitAddress(a.MQTTS[0])
			b.TLSKey = key.Bytes
		}
	}
	return b
}

// splitAddress takes apart what the program made itself.
func splitAddress(hostport string) (host string, port uint16) {
	host, text, _ := net.SplitHostPort(hostport)
	n, _ := strconv.ParseUint(text, 10, 16)
	return host, uint16(n)
}

// forgetKit erases what a kit knows, and makes its secret worthless.
func (p *program) forgetKit(ctx context.Context, name topic.Name) error {
	erased := p.kits.Forget(ctx, name)
	k := p.plan.Design().Place(name)
	if k == nil || k.Virtual {
		return erased
	}
	a, found := p.accounts.Named(k.Account)
	if !found {
		return erased
	}
	_, err := p.accounts.ResetSecret(ctx, a.ID) // also where the board is gone: nobody signs in with what it holds
	return errors.Join(err, erased)
}

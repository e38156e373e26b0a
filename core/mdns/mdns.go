// Package mdns answers to a name of this installation in the local network, and says
// there what services it has (RFC 6762 and RFC 6763, for IPv4): who knows the name
// finds the PC after its address changed.
//
// It is an own responder over golang.org/x/net. That of github.com/pion/mdns v2.2.2
// takes a question with known answers for an answer and stays silent, announces and
// retracts nothing, answers a packet of many questions with as many packets, to any
// address, and a panic in its goroutines would end the program.
package mdns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"homeroom/core"
)

const (
	lookEvery  = 3 * time.Second // that interfaces and services are looked at
	againAfter = time.Second     // the second announcement (RFC 6762, section 8.3)
	quiet      = time.Second     // that a record is not sent to all again (section 6)
	maxPacket  = 9000            // bytes (section 17)
	maxLinks   = 64              // interfaces
	maxMine    = 256             // addresses that this PC had
)

// What is read in a second; the rest is left to who asks again.
const (
	fromAll = 400 // packets
	fromOne = 20
)

// Service is something that this PC offers.
type Service struct {
	Type string         // "_mqtt._tcp"
	At   netip.AddrPort // where it listens; the unspecified address is every address of the PC
}

// Config is everything a Responder needs.
type Config struct {
	Name string // "homeroom-1a2b3c.local"
	Host string // name of this PC for people
	// Services returns what is offered now; none: the name is not answered to.
	Services func() []Service
	Network  Network // nil is System
	Feed     *core.Feed
	// Trouble is told what is wrong, once each time that it begins. It must not call the
	// Responder.
	Trouble func(core.Sentence)
	Log     *slog.Logger
}

// Responder answers to a name. Its methods may be called from any goroutine.
type Responder struct {
	cfg      Config
	instance string
	broken   chan struct{} // holds a token after a Conn could not be read

	mu     sync.Mutex
	conn   Conn                // guarded by mu; nil while nothing is listened to
	links  []*link             // guarded by mu; that are listened at
	mine   map[netip.Addr]bool // guarded by mu; addresses that this PC has or had
	told   map[string]bool     // guarded by mu; trouble that lasts
	twin   bool                // guarded by mu; another PC has the name too
	repeat time.Time           // guarded by mu; when the second announcement is due, zero: not
}

// link is an interface with what is said there.
type link struct {
	Interface
	host host
	sent map[string]time.Time // when a record went to all
}

// New returns a responder. It answers while it runs.
func New(cfg Config) *Responder {
	if cfg.Network == nil {
		cfg.Network = System{}
	}
	return &Responder{cfg: cfg, instance: instance(cfg.Host), broken: make(chan struct{}, 1), mine: map[netip.Addr]bool{}, told: map[string]bool{}}
}

// instance is how lists show this PC: one label of DNS, at most 63 bytes.
func instance(host string) string {
	host, _, _ = strings.Cut(host, ".")
	host = strings.TrimSpace(core.Readable(host, 63-len("Homeroom ()")))
	if host == "" {
		return "Homeroom"
	}
	return "Homeroom (" + host + ")"
}

// Name returns the name that is answered to now, or "".
func (r *Responder) Name() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.links) == 0 {
		return ""
	}
	return r.cfg.Name
}

// Own returns the name, also while it is not answered to.
func (r *Responder) Own() string { return r.cfg.Name }

// Run answers until ctx ends; then it says goodbye.
func (r *Responder) Run(ctx context.Context) error {
	var readers sync.WaitGroup
	changed := make(chan struct{}, 1)
	readers.Go(func() {
		l := r.cfg.Feed.Listen()
		defer l.Close()
		for {
			what, err := l.Next(ctx)
			if err != nil {
				return
			}
			if what&core.SettingsChanged != 0 {
				select {
				case changed <- struct{}{}:
				default:
				}
			}
		}
	})
	defer readers.Wait()
	defer r.close()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.broken:
			r.close()
		case <-again.C:
			r.announceAgain(time.Now())
		case <-tick.C:
		case <-changed:
		}
		if c := r.look(ctx); c != nil {
			readers.Go(func() { r.read(ctx, c) })
		}
		r.mu.Lock()
		if !r.repeat.IsZero() {
			again.Reset(time.Until(r.repeat))
		}
		r.mu.Unlock()
	}
}

// want returns where the program offers what now.
func (r *Responder) want() ([]*link, error) {
	services := r.cfg.Services()
	if len(services) == 0 {
		return nil, nil
	}
	interfaces, err := r.cfg.Network.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []*link
	for _, i := range interfaces[:min(len(interfaces), maxLinks)] {
		h := host{name: r.cfg.Name + ".", instance: r.instance}
		for _, n := range i.Nets {
			offered := false
			for _, s := range services {
				if s.At.Addr().IsUnspecified() || s.At.Addr().Unmap() == n.Addr() {
					offered = true
					if !slices.Contains(h.services, s) {
						h.services = append(h.services, s)
					}
				}
			}
			if offered {
				h.addrs = append(h.addrs, n.Addr())
			}
		}
		if len(h.addrs) > 0 {
			all = append(all, &link{Interface: i, host: h, sent: map[string]time.Time{}})
		}
	}
	return all, nil
}

// look makes what is listened at what it should be, and tells others what is new. It
// returns a Conn that is to be read from now on.
func (r *Responder) look(ctx context.Context) (read Conn) {
	want, err := r.want()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.cfg.Log.Warn("mDNS", "err", err)
		return nil // goes on with what there was
	}
	if len(want) == 0 {
		r.leave()
		return nil
	}
	if r.conn == nil {
		c, err := r.cfg.Network.Listen(ctx)
		if err != nil {
			r.trouble("listen", core.Say("Homeroom does not answer to the name {name}: another program keeps port 5353 for itself ({reason}). Kits and people need the address of this PC. Homeroom tries again by itself.", "name", r.cfg.Name, "reason", err))
			return nil
		}
		r.over("listen")
		r.conn, read = c, c
	}
	var joined []*link
	for _, l := range want {
		old := r.at(l.Interface)
		if old == nil || !slices.Equal(old.Nets, l.Nets) {
			if old != nil {
				r.conn.Leave(old.Interface) // some systems know a group by the address
			}
			if err := r.conn.Join(l.Interface); err != nil {
				r.trouble("join "+l.Interface.Name, core.Say("Homeroom does not answer to the name {name} at {interface}: {reason}. Kits and people there need the address of this PC.", "name", r.cfg.Name, "interface", l.Interface.Name, "reason", err))
				continue
			}
			r.over("join " + l.Interface.Name)
		}
		joined = append(joined, l)
	}
	for _, old := range r.links {
		if !slices.ContainsFunc(want, func(l *link) bool { return l.same(old.Interface) }) {
			r.say(old, old.all(), true)
			r.conn.Leave(old.Interface)
		}
	}
	for i, l := range joined {
		old := r.at(l.Interface)
		if old != nil && slices.Equal(old.Nets, l.Nets) && old.host.equal(l.host) {
			joined[i] = old
			continue
		}
		if old != nil {
			r.say(old, without(old.all(), l.all()), true)
		}
		r.say(l, l.all(), false)
		r.repeat = time.Now().Add(againAfter)
	}
	r.links = joined
	if len(r.mine) > maxMine {
		clear(r.mine)
	}
	for _, l := range joined {
		for _, n := range l.Nets {
			r.mine[n.Addr()] = true
		}
	}
	if len(joined) == 0 {
		r.leave()
		return nil
	}
	return read
}

func (l *link) same(i Interface) bool { return l.Index == i.Index && l.Interface.Name == i.Name }

// at returns the link at i, or nil. The caller holds mu.
func (r *Responder) at(i Interface) *link {
	n := slices.IndexFunc(r.links, func(l *link) bool { return l.same(i) })
	if n < 0 {
		return nil
	}
	return r.links[n]
}

func (h host) equal(o host) bool {
	return h.name == o.name && h.instance == o.instance && slices.Equal(h.services, o.services) && slices.Equal(h.addrs, o.addrs)
}

// all is what is said at the link.
func (l *link) all() []record {
	all, _ := l.host.records(netip.Addr{}) // Config has names that fit
	return all
}

// without returns the records of old that are not in now.
func without(old, now []record) (gone []record) {
	for _, o := range old {
		if !slices.ContainsFunc(now, func(n record) bool { return o.key() == n.key() }) {
			gone = append(gone, o)
		}
	}
	return gone
}

func (r record) key() string {
	return fmt.Sprint(strings.ToLower(r.Header.Name.String()), r.Header.Type, r.Body.GoString())
}

// say announces records at a link, or that they are gone. The caller holds mu.
func (r *Responder) say(l *link, all []record, goodbye bool) {
	if len(all) == 0 {
		return
	}
	b, err := announcement(all, goodbye)
	if err == nil {
		err = r.conn.Send(b, l.Interface, group)
	}
	if err != nil {
		r.cfg.Log.Debug("mDNS", "interface", l.Interface.Name, "err", err) // who asks is answered all the same
	}
}

// announceAgain announces a second time, in case that the first was lost.
func (r *Responder) announceAgain(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.repeat.IsZero() || now.Before(r.repeat) {
		return
	}
	r.repeat = time.Time{}
	for _, l := range r.links {
		r.say(l, l.all(), false)
	}
}

// close says goodbye and lets the port go.
func (r *Responder) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leave()
}

// leave says goodbye and lets the port go. The caller holds mu.
func (r *Responder) leave() {
	if r.conn == nil {
		return
	}
	for _, l := range r.links {
		r.say(l, l.all(), true)
	}
	_ = r.conn.Close()
	r.conn, r.links, r.repeat = nil, nil, time.Time{}
}

// trouble tells what is wrong, unless that was told already. The caller holds mu.
func (r *Responder) trouble(what string, said core.Sentence) {
	if r.told[what] {
		return
	}
	r.told[what] = true
	r.cfg.Trouble(said)
}

// over takes in that there is no such trouble any more. The caller holds mu.
func (r *Responder) over(what string) { delete(r.told, what) }

// read answers what comes in until c is closed.
func (r *Responder) read(ctx context.Context, c Conn) {
	buf := make([]byte, maxPacket)
	budget := newBudget(time.Now())
	failed := 0
	for {
		p, err := c.Read(buf)
		if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
			return
		}
		wait := time.Duration(0)
		switch {
		case err == nil:
			failed = 0
			if wait = budget.take(p.From.Addr(), time.Now()); wait == 0 {
				r.handle(c, buf[:p.Bytes], p, time.Now())
			}
		case failed == 10: // a packet that was refused is one failure, a port that is gone fails always
			select {
			case r.broken <- struct{}{}:
			default:
			}
			return
		default:
			failed++
			wait = 100 * time.Millisecond
		}
		if wait <= 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// handle answers a packet. What it does wrong is its end, not that of the program.
func (r *Responder) handle(c Conn, packet []byte, p Packet, now time.Time) {
	defer func() {
		if bad := recover(); bad != nil {
			r.cfg.Log.Error("mDNS", "from", p.From, "panic", bad)
		}
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	if c != r.conn {
		return
	}
	l, here := r.asked(p)
	if l == nil {
		return
	}
	b, alone, err := r.answer(l, here, packet, p, now)
	if err != nil {
		r.cfg.Log.Debug("mDNS", "from", p.From, "err", err)
	}
	if len(b) == 0 {
		return
	}
	to := group
	if alone {
		to = p.From
	}
	if err := c.Send(b, l.Interface, to); err != nil {
		r.cfg.Log.Debug("mDNS", "to", to, "err", err)
	}
}

// asked returns the link that p came in on, and the address of this PC in the network
// of who sent it. Who is not in one of its networks is not answered: the packet came
// through a router, or its sender is made up (RFC 6762, section 11). The caller holds mu.
func (r *Responder) asked(p Packet) (*link, netip.Addr) {
	if p.From.Port() == 0 {
		return nil, netip.Addr{}
	}
	for _, l := range r.links {
		if p.Index != 0 && p.Index != l.Index {
			continue
		}
		for _, n := range l.Nets {
			if n.Contains(p.From.Addr()) && !everybody(n, p.From.Addr()) && slices.Contains(l.host.addrs, n.Addr()) {
				return l, n.Addr()
			}
		}
	}
	return nil, netip.Addr{}
}

// everybody reports whether a, of the network n, is the address of all in it. Nobody
// asks from there, and an answer would go to all.
func everybody(n netip.Prefix, a netip.Addr) bool {
	return n.Bits() < 31 && !n.Contains(a.Next()) // a /31 has two PCs (RFC 3021)
}

// answer makes the answer to a packet, if it is a question for us: for who sent it
// alone, or for all. The caller holds mu.
func (r *Responder) answer(l *link, here netip.Addr, packet []byte, p Packet, now time.Time) (b []byte, alone bool, err error) {
	for _, a := range claimed(packet, l.host.name) {
		if !r.mine[a] && !r.twin {
			r.twin = true
			r.cfg.Trouble(core.Say("The PC at {address} answers to the name {name} too: its Homeroom is a copy of this one, and kits may go to the wrong PC. Give one of them its own folder with --data.", "address", a, "name", r.cfg.Name))
		}
	}
	all, err := l.host.records(here)
	if err != nil {
		return nil, false, err
	}
	q, ok := ask(packet, all)
	if !ok {
		return nil, false, nil
	}
	legacy := p.From.Port() != port
	alone = legacy || p.Direct || q.alone
	found := q.answers(all)
	if !alone {
		found = slices.DeleteFunc(found, func(i int) bool { return now.Sub(l.sent[all[i].key()]) < quiet })
		for _, i := range found {
			l.sent[all[i].key()] = now
		}
	}
	if len(found) == 0 {
		return nil, false, nil
	}
	b, err = reply(q, all, found, legacy)
	return b, alone, err
}

// budget bounds what is done for others.
type budget struct {
	second time.Time // when this one began
	total  int
	each   map[netip.Addr]int
}

func newBudget(now time.Time) *budget { return &budget{second: now, each: map[netip.Addr]int{}} }

// take returns 0 where a packet of from may be answered, how long nobody is where too
// many packets came, and less than 0 where it is from that one too many came.
func (b *budget) take(from netip.Addr, now time.Time) time.Duration {
	if since := now.Sub(b.second); since < 0 || since >= time.Second {
		b.second, b.total = now, 0
		clear(b.each)
	}
	b.total++
	b.each[from]++
	if b.total > fromAll {
		return cmp.Or(b.second.Add(time.Second).Sub(now), time.Millisecond)
	}
	if b.each[from] > fromOne {
		return -1
	}
	return 0
}

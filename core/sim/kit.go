package sim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	answerWithin = 10 * time.Second // the broker; a slow disk may make it wait
	dialWithin   = 5 * time.Second
	byeWithin    = time.Second
	longestWait  = 30 * time.Second // between two tries to connect
	writeWithin  = 3 * time.Second
	maxLetters   = 1000                            // that wait in one direction; the oldest make room
	maxPayload   = 4096                            // bytes of a message that the kit has room for
	maxLog       = 50                              // lines of the console
	tap          = 2 * debounce * time.Millisecond // between two moves of a button
	driftEvery   = 5 * time.Second
	driftDay     = 10 * time.Minute // a day of the numbers that drift
)

// kit is a virtual kit. Its goroutine connects, sends and reconnects; everybody
// else changes what is guarded by mu and wakes it.
type kit struct {
	s       *Service
	account topic.ID
	cancel  context.CancelFunc // guarded by s.mu
	wake    chan struct{}      // holds at most one token: there is something to do
	again   chan struct{}      // holds at most one token: connect anew, now
	boot    time.Time
	secret  string // of its goroutine

	mu       sync.Mutex
	place    core.Place  // guarded by mu, as all below
	b        *behaviour  // whose board the kit is; its methods are called with mu held
	seen     []string    // the value of each port as it was shown last
	at       []time.Time // and since when
	state    string
	why      core.Sentence
	log      []string
	out, in  []letter  // oldest first
	conn     *wire     // nil while there is none
	since    time.Time // connected
	heard    time.Time // the newest refusal that the board shows or showed
	goodbye  bool      // it says so when it stops
	hurry    bool      // the next try to connect does not wait
	faults   map[core.Fault]bool
	borrowed string              // client ID of core.FaultClientID
	offUntil time.Time           // of core.FaultWiFi
	held     map[*port]string    // what a stuck sensor will see then
	readings int                 // sent since core.FaultLoss began
	loses    int                 // the one of three that is lost
	presses  []pressing          // of buttons, that come too soon after one another; in order of time
	pressed  map[*port]time.Time // the latest
	auto     bool
	driftAt  time.Time
	still    map[*port]time.Time // until when it does not drift
	noise    map[*port]float64
}

// letter is a message that waits: to be sent, or to be looked at.
type letter struct {
	topic   string
	payload string
	retain  bool
	qos     byte
	reading bool // of a sensor
	at      time.Time
}

// pressing is the contact of a button closing or opening.
type pressing struct {
	p    *port
	down bool
	at   time.Time
}

func newKit(s *Service, p core.Place) *kit {
	k := &kit{s: s, account: p.Account, wake: make(chan struct{}, 1), again: make(chan struct{}, 1), boot: time.Now(), place: p, state: "init",
		why: core.Say("It connects to the broker."), goodbye: true, faults: map[core.Fault]bool{}, held: map[*port]string{}, pressed: map[*port]time.Time{},
		still: map[*port]time.Time{}, noise: map[*port]float64{}, auto: p.Role == core.AnyKit}
	k.b = newBehaviour(k, p, s.cfg.Topic)
	for _, x := range k.b.ports {
		x.begin()
	}
	k.note()
	return k
}

// begin gives what a virtual kit sees a value: a sensor the middle of its range.
func (p *port) begin() {
	switch {
	case p.job == sensor:
		p.set((p.min + p.max) / 2)
	case p.job != switched:
	case p.kind == core.Boolean:
		p.known = true
	case p.kind == core.Enumeration && len(p.options) > 0:
		p.known, p.text = true, p.options[0]
	}
}

func (k *kit) now() uint32 { return uint32(time.Since(k.boot).Milliseconds()) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// note remembers since when each port has its value, and tells where one changed.
// mu is held, or nobody else knows k yet.
func (k *kit) note() {
	if len(k.seen) != len(k.b.ports) {
		k.seen, k.at = make([]string, len(k.b.ports)), make([]time.Time, len(k.b.ports))
	}
	changed := false
	for i, p := range k.b.ports {
		if v := p.payload(); v != k.seen[i] {
			k.seen[i], k.at[i], changed = v, time.Now(), true
		}
	}
	if changed {
		k.s.tell()
	}
}

// become sets what the board shows of its connection. mu is held.
func (k *kit) become(state string, why core.Sentence) {
	k.state, k.why = state, why
	k.s.tell()
}

// where is the name of the kit.
func (k *kit) where() topic.Name {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.place.Name
}

func (k *kit) snapshot() core.Board {
	k.mu.Lock()
	defer k.mu.Unlock()
	b := core.Board{Kit: k.place, State: k.state, Say: k.why, Faults: faultStates(k.faults), Auto: k.auto, Log: slices.Clone(k.log)}
	if say, ok := observe(k.faults); ok {
		b.Say = say
	}
	for i, p := range k.b.ports {
		x := core.Part{Port: p.Port, Kind: p.kind, Value: k.seen[i], At: k.at[i]}
		switch {
		case p.kind == core.Number:
			x.Min, x.Max, x.Unit = p.min, p.max, p.unit
			if x.Unit == "" && p.coarse && p.min == 0 && p.max == 100 {
				x.Unit = "%"
			}
		case p.kind == core.Boolean:
			x.Options = []string{p.yes, p.no}
		case p.kind == core.Enumeration:
			x.Options = slices.Clone(p.options)
		}
		b.Parts = append(b.Parts, x)
	}
	return b
}

// redesign gives the kit another place and reports whether that can be seen. It
// connects anew only where its names, or what its ports are, changed.
func (k *kit) redesign(p core.Place) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	old, now := k.b, newBehaviour(k, p, k.s.cfg.Topic)
	if k.place.Role == p.Role && old.alike(now) {
		shown := k.place.Title() != p.Title() || k.place.Text != p.Text
		k.place = p
		return shown
	}
	for _, x := range now.ports {
		x.begin()
		for _, was := range old.ports {
			if was.Slot == x.Slot && was.Action == x.Action && was.kind == x.kind && was.known && x.accept(was.payload()) {
				x.down, x.raw, x.rawAt = was.down, was.raw, was.rawAt
			}
		}
	}
	if now.choice != nil && old.choice != nil {
		now.choice = old.choice
	}
	if p.Role != k.place.Role {
		k.auto = p.Role == core.AnyKit
	}
	k.place, k.b = p, now
	k.out, k.in, k.seen, k.presses = nil, nil, nil, nil
	clear(k.held)
	clear(k.pressed)
	clear(k.still)
	clear(k.noise)
	k.note()
	poke(k.again)
	return true
}

// alike reports whether b and other are the same but for their values.
func (b *behaviour) alike(other *behaviour) bool {
	return b.name == other.name && slices.EqualFunc(b.ports, other.ports, func(p, q *port) bool {
		return p.Port == q.Port && p.job == q.job && p.kind == q.kind && p.publish == q.publish && p.subscribe == q.subscribe && p.retain == q.retain &&
			p.qos == q.qos && p.unit == q.unit && p.yes == q.yes && p.no == q.no && slices.Equal(p.options, q.options) &&
			p.min == q.min && p.max == q.max && p.step == q.step
	})
}

// stop ends the kit; with goodbye it says that it is disconnected. s.mu is held.
func (k *kit) stop(goodbye bool) {
	k.mu.Lock()
	k.goodbye = goodbye
	k.mu.Unlock()
	if k.cancel != nil {
		k.cancel()
	}
}

// publish puts a message of the behaviour into the outbox. mu is held.
func (k *kit) publish(name topic.Name, payload string, retain bool) {
	l := letter{topic: string(name), payload: payload, retain: retain, qos: 1, at: k.arrival()}
	if i := slices.IndexFunc(k.b.ports, func(p *port) bool { return p.publish == name }); i >= 0 {
		p := k.b.ports[i]
		l.qos, l.reading = p.qos, p.measured()
		if l.reading && k.faults[core.FaultClock] {
			l.payload = dated(p, payload, time.Unix(0, 0).Add(time.Since(k.boot)))
		}
		if k.faults[core.FaultSpace] {
			l.topic += " "
		}
	}
	k.out = post(k.out, l)
	poke(k.wake)
}

func (k *kit) light(topic.ID, bool) {} // note sees it

func (k *kit) print(line string) {
	if len(k.log) == maxLog {
		k.log = slices.Delete(k.log, 0, 1)
	}
	k.log = append(k.log, strings.ToValidUTF8(line, "?"))
	k.s.tell()
}

func post(box []letter, l letter) []letter {
	if len(box) == maxLetters {
		box = slices.Delete(box, 0, 1)
	}
	return append(box, l)
}

// arrival is when a message that is on its way now is there. mu is held.
func (k *kit) arrival() time.Time {
	if k.faults[core.FaultDelay] {
		return time.Now().Add(k.s.late)
	}
	return time.Now()
}

// received takes a message from the network.
func (k *kit) received(_ mqtt.Client, m mqtt.Message) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := m.Topic()
	if n := len(m.Payload()); n > maxPayload {
		k.print(fmt.Sprintf("Ignored: a message with topic '%s' has %d bytes, and there is room for %d", name, n, maxPayload))
		return
	}
	if k.faults[core.FaultSpace] {
		name = strings.TrimSuffix(name, " ")
	}
	k.in = post(k.in, letter{topic: name, payload: string(m.Payload()), at: k.arrival()})
	poke(k.wake)
}

// next does what is due and returns the message to send now, or how long there
// is nothing to do.
func (k *kit) next() (l letter, ok bool, wait time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	wait = time.Hour
	until := func(t time.Time) { wait = min(wait, max(t.Sub(now), 0)) }
	k.presses = slices.DeleteFunc(k.presses, func(x pressing) bool {
		if x.at.After(now) {
			until(x.at)
			return false
		}
		then := uint32(x.at.Sub(k.boot).Milliseconds())
		k.b.tick(then) // what came before it counts, however late we are
		k.b.contact(x.p, x.down, then)
		return true
	})
	for len(k.in) > 0 && !k.in[0].at.After(now) {
		k.b.received(topic.Name(k.in[0].topic), []byte(k.in[0].payload), k.now())
		k.in = slices.Delete(k.in, 0, 1)
	}
	if len(k.in) > 0 {
		until(k.in[0].at)
	}
	if k.auto {
		if !k.driftAt.After(now) {
			k.drift(now)
			k.driftAt = now.Add(driftEvery)
		}
		until(k.driftAt)
	}
	k.b.tick(k.now())
	k.note()
	if ms, ok := k.b.due(k.now()); ok {
		until(now.Add(time.Duration(ms+1) * time.Millisecond))
	}
	if len(k.out) == 0 {
		return l, false, wait
	}
	if l = k.out[0]; l.at.After(now) {
		until(l.at)
		return l, false, wait
	}
	return l, true, 0
}

// drift moves the numbers a little: a slow curve, and noise. mu is held.
func (k *kit) drift(now time.Time) {
	if k.faults[core.FaultStuck] {
		return
	}
	for i, p := range k.b.ports {
		if p.job != sensor || now.Before(k.still[p]) {
			continue
		}
		width := p.max - p.min
		curve := func(t time.Time) float64 {
			return math.Sin(2*math.Pi*float64(t.UnixMilli()%driftDay.Milliseconds())/float64(driftDay.Milliseconds()) + float64(i))
		}
		noise := (rand.Float64() - 0.5) * width / 200
		v := p.num + width/10*(curve(now)-curve(now.Add(-driftEvery))) + noise - k.noise[p]
		k.noise[p] = noise
		if p.step == 0 {
			v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'f', max(0, 3-int(math.Ceil(math.Log10(width)))), 64), 64)
		}
		p.set(v)
	}
}

// run keeps the kit connected until ctx ends.
func (k *kit) run(ctx context.Context) {
	for tries := 0; ; {
		began := time.Now()
		err := k.session(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := k.over(err)
		if k.lived(began) {
			tries = 0
		}
		if wait < 0 {
			wait = min(time.Second<<min(tries, 10), longestWait)
			wait = wait/2 + rand.N(wait)
			tries++
		}
		if !k.pause(ctx, wait) {
			return
		}
	}
}

// lived reports whether the session that began then was connected for a while.
func (k *kit) lived(began time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.since.After(began) && time.Since(k.since) > dialWithin
}

// refusal is a CONNECT that the broker answered with a no.
type refusal struct{ code byte }

func (r refusal) Error() string { return fmt.Sprintf("refused with code %d", r.code) }

// errAgain ends a session that is to begin anew.
var errAgain = errors.New("connect again")

// over notes that a session ended, and returns how long to wait for the next, or
// -1 where nobody said.
func (k *kit) over(err error) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.b.online
	k.b.disconnected()
	for _, l := range k.out { // they are told again, if they still hold
		for _, p := range k.b.ports {
			if string(p.publish) == strings.TrimSuffix(l.topic, " ") {
				p.told = false
			}
		}
	}
	k.conn, k.out = nil, nil
	hurry := k.hurry
	k.hurry = false
	var said *core.Problem
	var no refusal
	switch off := time.Until(k.offUntil); {
	case k.faults[core.FaultWiFi] && off > 0:
		k.print("The Wi-Fi is gone")
		k.become("lost", core.Say("Its Wi-Fi is off."))
		return off
	case errors.Is(err, errAgain):
		k.become("init", core.Say("It connects to the broker."))
		return 0
	case errors.As(err, &no) && no.code == packets.ErrRefusedIDRejected:
		k.become("lost", core.Say("The broker refuses the client ID {client}. Somebody else has it.", "client", k.clientID()))
	case errors.As(err, &no):
		k.become("lost", core.Say("The broker refuses {account}: the password is wrong, or the account is disabled, or may not publish its {topic}.", "account", k.account, "topic", k.place.Name+"/$state"))
	case errors.As(err, &said):
		k.become("lost", said.Sentence)
	case was:
		k.become("lost", core.Say("The connection broke: {reason}. It tries again.", "reason", err))
	default:
		k.become("lost", core.Say("The broker does not answer: {reason}. It tries again.", "reason", err))
	}
	if err != nil {
		k.print("Not connected: " + err.Error())
	}
	if hurry {
		return 0
	}
	return -1
}

// pause waits, while buttons and sensors go on, until the time is over or
// somebody wants the kit to connect anew; it reports whether ctx goes on.
func (k *kit) pause(ctx context.Context, d time.Duration) bool {
	end := time.Now().Add(d)
	for {
		_, _, wait := k.next()
		left := time.Until(end)
		if left <= 0 {
			break
		}
		t := time.NewTimer(min(left, max(wait, time.Millisecond)))
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-t.C:
		case <-k.again:
			end = k.back()
		}
		t.Stop()
		if ctx.Err() != nil {
			return false
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.faults[core.FaultWiFi] && !time.Now().Before(k.offUntil) {
		delete(k.faults, core.FaultWiFi)
		k.s.tell()
	}
	return true
}

// back is when it may connect again, at the soonest: now, or when its Wi-Fi is back.
func (k *kit) back() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.offUntil
}

// clientID is the MQTT Client Identifier that it has now. mu is held.
func (k *kit) clientID() string {
	if k.faults[core.FaultClientID] {
		return k.borrowed
	}
	return clientID(k.account)
}

// session connects, and sends and receives until that ends.
func (k *kit) session(ctx context.Context) error {
	select {
	case <-k.again: // what it asked for is read now
	default:
	}
	k.mu.Lock()
	id, state := k.clientID(), string(k.b.name)+"/$state"
	wrong := k.faults[core.FaultPassword]
	filters := map[string]byte{}
	for _, p := range k.b.ports {
		if name := string(p.subscribe); name != "" {
			if k.faults[core.FaultSpace] {
				name += " "
			}
			filters[name] = p.qos
		}
	}
	k.mu.Unlock()
	lost := make(chan error, 1)
	o := mqtt.NewClientOptions().AddBroker("tcp://"+k.s.cfg.Address()).SetClientID(id).SetUsername(string(k.account)).
		SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetOrderMatters(true).
		SetKeepAlive(30*time.Second).SetPingTimeout(answerWithin).SetConnectTimeout(dialWithin).SetWriteTimeout(writeWithin).
		SetWill(state, "lost", 1, true).SetDefaultPublishHandler(k.received).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { lost <- err }).
		SetCustomOpenConnectionFn(func(u *url.URL, _ mqtt.ClientOptions) (net.Conn, error) { return k.dial(ctx, u.Host) })
	if len(o.Servers) != 1 {
		return fmt.Errorf("%q is no address", k.s.cfg.Address())
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case k.s.turns <- struct{}{}:
	}
	c, err := k.connect(ctx, o, wrong, filters)
	<-k.s.turns
	if err != nil {
		return err
	}
	defer c.Disconnect(uint(byeWithin.Milliseconds()))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		l, ok, wait := k.next()
		if ok {
			err := k.send(ctx, c, l, lost)
			if ctx.Err() != nil {
				k.bye(c)
			}
			if err != nil {
				return err
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			k.bye(c)
			return ctx.Err()
		case err := <-lost:
			return err
		case <-k.again:
			return errAgain
		case <-k.wake:
		case <-timer.C:
		}
	}
}

// dial opens the connection and keeps it, so that a fault can cut it.
func (k *kit) dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: dialWithin}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: c}
	k.mu.Lock()
	k.conn = w
	k.mu.Unlock()
	return w, nil
}

// wire is a connection that can be cut. paho takes one that is closed on this
// side for its own doing and says nothing.
type wire struct {
	net.Conn
	gone atomic.Bool
}

func (w *wire) cut() {
	w.gone.Store(true)
	_ = w.Close()
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err != nil && w.gone.Load() {
		err = errCut
	}
	return n, err
}

var errCut = errors.New("the connection was cut")

// connect signs in, subscribes, and tells the behaviour that it is there.
func (k *kit) connect(ctx context.Context, o *mqtt.ClientOptions, wrong bool, filters map[string]byte) (mqtt.Client, error) {
	if k.secret == "" {
		lend, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		secret, err := k.s.cfg.Lend(lend, k.account)
		if said := (*core.Problem)(nil); err != nil && !errors.As(err, &said) {
			err = core.Fail(err, "{account} got no password: {reason}. It tries again.", "account", k.account, "reason", err)
		}
		if err != nil {
			return nil, err
		}
		k.secret = secret
	}
	o.SetPassword(k.secret)
	if wrong {
		o.SetPassword("wrong-" + strconv.FormatUint(rand.Uint64(), 36))
	}
	c := mqtt.NewClient(o)
	t := c.Connect()
	stop := context.AfterFunc(ctx, k.cut) // it need not wait for answers then
	defer stop()
	t.Wait()
	if err := t.Error(); err != nil {
		code := t.(*mqtt.ConnectToken).ReturnCode()
		if code == 0 || code > packets.ErrRefusedNotAuthorised {
			return nil, err
		}
		if !wrong {
			k.secret = "" // perhaps another was lent since
		}
		return nil, refusal{code}
	}
	var no []string
	if len(filters) > 0 {
		t := c.SubscribeMultiple(filters, nil)
		if !t.WaitTimeout(answerWithin) {
			c.Disconnect(0)
			return nil, context.DeadlineExceeded
		}
		if t.Error() != nil {
			c.Disconnect(0)
			return nil, t.Error()
		}
		for filter, code := range t.(*mqtt.SubscribeToken).Result() {
			if code >= 0x80 {
				no = append(no, filter)
			}
		}
	}
	slices.Sort(no)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.since = time.Now()
	k.print("Connected to " + o.Servers[0].Host)
	k.become("ready", core.Sentence{})
	k.b.connected(k.now())
	if len(no) > 0 {
		k.b.refused()
		k.print("Not allowed to subscribe to " + strings.Join(no, ", "))
		k.become("alert", core.Say("{kit} may not read {topic}. Give its account a grant, or draw the connection in the plan.", "kit", k.place.Title(), "topic", strings.Join(no, ", ")))
	}
	return c, nil
}

// send publishes l and waits until the broker has it.
func (k *kit) send(ctx context.Context, c mqtt.Client, l letter, lost <-chan error) error {
	qos, drop := l.qos, false
	k.mu.Lock()
	if l.reading && k.faults[core.FaultLoss] {
		if k.readings%3 == 0 {
			k.loses = rand.IntN(3)
		}
		qos, drop = 0, k.readings%3 == k.loses
		k.readings++
	}
	k.mu.Unlock()
	if !drop {
		t := c.Publish(l.topic, qos, l.retain, l.payload)
		late := time.NewTimer(answerWithin)
		defer late.Stop()
		select {
		case <-t.Done():
			if t.Error() != nil {
				return t.Error()
			}
		case err := <-lost:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return errors.New("no answer to what it published")
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.out) > 0 && k.out[0] == l { // a new design empties the outbox
		k.out = slices.Delete(k.out, 0, 1)
	}
	return nil
}

// bye says goodbye, where that is wanted.
func (k *kit) bye(c mqtt.Client) {
	k.mu.Lock()
	k.out = nil
	if k.goodbye {
		k.b.stopping()
	}
	k.become("disconnected", core.Say("It is stopped."))
	out := k.out
	k.mu.Unlock()
	for _, l := range out {
		c.Publish(l.topic, l.qos, l.retain, l.payload).WaitTimeout(byeWithin)
	}
}

// cut ends the connection without a goodbye, as a kit does that loses its power.
func (k *kit) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn != nil {
		k.conn.cut()
	}
}

// wasRefused shows what the broker refused to this connection of the kit.
func (k *kit) wasRefused(r core.Refusal) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.b.online || r.Client != k.clientID() || r.Name != string(k.account) || r.At.Before(k.since) || !r.At.After(k.heard) {
		return
	}
	k.heard = r.At
	k.print("Refused: " + r.Say.String())
	k.b.refused()
	k.become("alert", r.Say)
}

// part returns the port of a slot that a person can change by hand. mu is held.
func (k *kit) part(slot topic.ID, jobs ...job) (*port, error) {
	for _, p := range k.b.ports {
		if p.Slot == slot && slices.Contains(jobs, p.job) {
			return p, nil
		}
	}
	return nil, core.Fail(core.ErrNotFound, "{kit} has no {slot} that can be changed by hand.", "kit", k.place.Title(), "slot", slot)
}

func (k *kit) press(slot topic.ID, down bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, err := k.part(slot, button, switched)
	if err != nil {
		return err
	}
	if p.kind != core.Boolean {
		return core.Fail(core.ErrInvalid, "{slot} is no button. Give it a value instead.", "slot", slot)
	}
	if p.job == switched { // a door does not bounce
		switch {
		case down && !(p.Toggle && p.on):
			k.see(p, p.yes)
		case down || !p.Toggle:
			k.see(p, p.no)
		}
		return nil
	}
	at := time.Now()
	if soon := k.pressed[p].Add(tap); soon.After(at) { // a click is quicker than a finger
		at = soon
	}
	if len(k.presses) < maxLetters {
		k.pressed[p] = at
		k.presses = append(k.presses, pressing{p, down, at})
	}
	poke(k.wake)
	return nil
}

func (k *kit) turn(slot topic.ID, value string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, err := k.part(slot, sensor, switched)
	if err != nil {
		return err
	}
	if err := p.check(value); err != nil {
		return err
	}
	k.see(p, value)
	return nil
}

// see makes value, which is one of its own, what p sees; one that is stuck sees
// it later. mu is held.
func (k *kit) see(p *port, value string) {
	if k.faults[core.FaultStuck] && p.measured() {
		k.held[p] = value
		return
	}
	p.accept(value)
	k.note()
	poke(k.wake)
}

// check says what value must be, where it is not.
func (p *port) check(value string) error {
	switch trial := *p; {
	case trial.accept(value):
		return nil
	case p.kind == core.Number:
		return core.Fail(core.ErrInvalid, "{slot} is a number from {min} to {max}.", "slot", p.Slot, "min", p.min, "max", p.max)
	case p.kind == core.Boolean:
		return core.Fail(core.ErrInvalid, "{slot} is one of {words}.", "slot", p.Slot, "words", p.yes+", "+p.no)
	case p.kind == core.Enumeration:
		return core.Fail(core.ErrInvalid, "{slot} is one of {words}.", "slot", p.Slot, "words", strings.Join(p.options, ", "))
	}
	return core.Fail(core.ErrInvalid, "{slot} takes at most {max} bytes.", "slot", p.Slot, "max", maxValue)
}

// feel makes the port that publishes to t have the value, and tell it whatever it
// told before. It does not drift for a while.
func (k *kit) feel(t topic.Name, payload []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.b.ports, func(p *port) bool { return p.publish == t && (p.measured() || p.job == button) })
	if i < 0 {
		return core.Fail(core.ErrNotFound, "{kit} has no sensor and no button that publishes to {topic}.", "kit", k.place.Title(), "topic", t)
	}
	p := k.b.ports[i]
	if err := p.check(string(payload)); err != nil {
		return err
	}
	k.still[p] = time.Now().Add(time.Minute)
	if p.job == button || !k.faults[core.FaultStuck] {
		p.told = false
	}
	k.see(p, string(payload))
	return nil
}

func (k *kit) setAuto(on bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.auto != on {
		k.auto = on
		k.s.tell()
		poke(k.wake)
	}
}

// setFault begins or ends a fault.
func (k *kit) setFault(f core.Fault, on bool, borrowed string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.faults[f] == on && f != core.FaultWiFi {
		return
	}
	if on {
		k.faults[f] = true
	} else {
		delete(k.faults, f)
	}
	switch f {
	case core.FaultWiFi:
		k.offUntil = time.Time{}
		if on {
			k.offUntil = time.Now().Add(k.s.wifi)
		}
	case core.FaultClientID:
		k.borrowed = borrowed
	case core.FaultLoss:
		k.readings = 0
	case core.FaultStuck:
		for p, value := range k.held {
			p.accept(value)
		}
		clear(k.held)
	case core.FaultClock:
		for _, p := range k.b.ports {
			if p.measured() {
				p.told = false
			}
		}
	}
	if restarts(f) {
		if k.conn != nil {
			k.hurry = true
			k.conn.cut()
		} else {
			poke(k.again)
		}
	}
	k.note()
	k.s.tell()
	poke(k.wake)
}

package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/coder/websocket"

	"homeroom/core"
	"homeroom/core/broker"
	"homeroom/core/topic"
)

// hall is a gateway and a real broker that anybody may use as its lists say.
type hall struct {
	t      *testing.T
	g      *Gateway
	broker *broker.Broker
	feed   core.Feed
	url    string // "http://127.0.0.1:1234"

	mu       sync.Mutex
	accounts map[core.AccountID]core.Account
	grants   map[core.AccountID][]topic.Filter // to publish and to subscribe
	readers  map[core.AccountID][]topic.Filter // to subscribe only
	until    map[string]time.Time              // of tokens; a day where there is none
	known    map[topic.Name]bool
	begun    map[topic.Filter]int // subscriptions at the broker
	ended    map[topic.Filter]int
	refused  []core.Refusal
	asked    []string // what was asked of us, in order
}

// The accounts of a hall; a token is "token-" and the name.
const (
	ada  core.AccountID = iota + 1 // a teacher
	ana                            // of team blue
	cleo                           // of team red
	mona                           // of team blue, mounted
	rosa                           // of team red, mounted
)

func newHall(t *testing.T, change ...func(*Config)) *hall {
	t.Helper()
	h := &hall{t: t, until: map[string]time.Time{}, known: map[topic.Name]bool{}, begun: map[topic.Filter]int{}, ended: map[topic.Filter]int{}, readers: map[core.AccountID][]topic.Filter{},
		accounts: map[core.AccountID]core.Account{
			ada: {ID: ada, Name: "ada", Role: core.Teacher, Version: 1}, ana: {ID: ana, Name: "ana", Label: "Ana <b>", Role: core.Student, Team: "blue", Version: 1},
			cleo: {ID: cleo, Name: "cleo", Role: core.Student, Team: "red", Version: 1}, mona: {ID: mona, Name: "mona", Role: core.Student, Team: "blue", Mounted: true, Version: 1},
			rosa: {ID: rosa, Name: "rosa", Role: core.Student, Team: "red", Mounted: true, Version: 1}},
		grants: map[core.AccountID][]topic.Filter{ada: {"#", "$SYS/#"}, ana: {"blue/#"}, cleo: {"red/#"}, mona: {"blue/#"}, rosa: {"red/#"}}}
	log := slog.New(slog.DiscardHandler)
	var err error
	h.broker, err = broker.Open(t.Context(), broker.Config{Addr: "127.0.0.1:0", Limits: core.DefaultLimits(), Gate: h, Store: nowhere{}, Sink: func(core.Message) {}, Feed: &h.feed, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Addr: "127.0.0.1:0", Authority: h, Tokens: h, Broker: h.broker, Bus: h, Feed: &h.feed, Known: h.Known, Refuse: h.Refuse, Log: log,
		Page: fstest.MapFS{"index.html": {Data: []byte("page")}}, Say: func(_ string, s core.Sentence) string { return s.String() }}
	for _, c := range change {
		c(&cfg)
	}
	if h.g, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + h.g.Addr()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.broker.Run(ctx) })
	gatewayCtx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = h.g.Run(gatewayCtx) }()
	t.Cleanup(func() { stop(); <-done; cancel(); wg.Wait() })
	return h
}

// nowhere is a Store that keeps nothing.
type nowhere struct{}

func (nowhere) LoadJournal(context.Context) (broker.Saved, error)   { return broker.Saved{}, nil }
func (nowhere) AppendJournal(context.Context, []broker.Entry) error { return nil }

func (h *hall) say(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, fmt.Sprintf(format, args...))
}

func (h *hall) Authenticate(_ context.Context, name, secret, _, _ string) (core.Account, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.accounts {
		if string(a.Name) == name && secret == "right" && !a.Disabled {
			return a, nil
		}
	}
	return core.Account{}, core.Fail(core.ErrDenied, "{name} could not sign in", "name", name)
}

func (h *hall) Account(id core.AccountID) (core.Account, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, ok := h.accounts[id]
	if id == core.Anyone {
		return core.Account{ID: id, Name: "anyone", Version: 1}, true
	}
	return a, ok
}

func (h *hall) Current(id core.AccountID, version int64) bool {
	a, ok := h.Account(id)
	return ok && !a.Disabled && a.Version == version
}

func (h *hall) Authorize(id core.AccountID, a core.Action, f topic.Filter) (topic.Filter, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	who := h.accounts[id]
	if first, _, _ := strings.Cut(string(f), "/"); who.Mounted && first != "blue" && first != "red" && f[0] != '$' {
		f = topic.Filter(who.Team) + "/" + f
	}
	h.asked = append(h.asked, fmt.Sprintf("may %s %s", a, f))
	may := h.grants[id]
	if a == core.Subscribe {
		may = slices.Concat(may, h.readers[id])
	}
	if id == core.Anyone || !who.Disabled && slices.ContainsFunc(may, func(g topic.Filter) bool { return g.Covers(f) }) && (a == core.Subscribe || f[0] != '$') {
		return f, nil
	}
	return f, core.Fail(core.ErrDenied, "{name} may not {action} {topic}. Ask the teacher.", "name", who.Name, "action", a, "topic", f)
}

func (h *hall) Refuse(r core.Refusal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused = append(h.refused, r)
}

func (h *hall) IssueTokens(context.Context, core.Account, string) (core.Tokens, error) {
	return core.Tokens{}, core.ErrInvalid
}

func (h *hall) RefreshTokens(context.Context, string, string) (core.Tokens, core.Account, error) {
	return core.Tokens{}, core.Account{}, core.ErrInvalid
}

func (h *hall) RevokeTokens(context.Context, string) error { return nil }

// VerifyToken knows "token-ana" and "token-ana-2" as tokens of ana.
func (h *hall) VerifyToken(access string) (core.Account, time.Time, error) {
	h.say("token")
	h.mu.Lock()
	defer h.mu.Unlock()
	until, ok := h.until[access]
	if !ok {
		until = time.Now().Add(24 * time.Hour)
	}
	for _, a := range h.accounts {
		if strings.HasPrefix(access, "token-"+string(a.Name)) && time.Now().Before(until) && !a.Disabled {
			return a, until, nil
		}
	}
	return core.Account{}, time.Time{}, core.Fail(core.ErrDenied, "This sign-in is over. Sign in again.")
}

func (h *hall) Known(n topic.Name) bool {
	h.say("known %s", n)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known[n] || len(h.broker.Retained(topic.Filter(n), 1)) > 0
}

// Subscribe counts the subscriptions at the broker.
func (h *hall) Subscribe(f topic.Filter, sink func(core.Message)) func() {
	h.say("subscribe %s", f)
	h.mu.Lock()
	h.begun[f]++
	h.mu.Unlock()
	cancel := h.broker.Subscribe(f, sink)
	return func() {
		h.mu.Lock()
		h.ended[f]++
		h.mu.Unlock()
		cancel()
	}
}

func (h *hall) Serve(c net.Conn) { h.broker.Serve(c) }

// count returns how many subscriptions of f began and ended.
func (h *hall) count(f topic.Filter) (begun, ended int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.begun[f], h.ended[f]
}

// change changes an account as a teacher would.
func (h *hall) change(id core.AccountID, change func(*core.Account)) {
	h.mu.Lock()
	a := h.accounts[id]
	change(&a)
	a.Version++
	h.accounts[id] = a
	h.mu.Unlock()
	h.feed.Tell(core.AccountsChanged)
}

func (h *hall) grant(id core.AccountID, fs ...topic.Filter) {
	h.mu.Lock()
	h.grants[id] = fs
	h.mu.Unlock()
	h.feed.Tell(core.AccountsChanged)
}

func (h *hall) publish(n topic.Name, payload string, retain bool) {
	h.t.Helper()
	if err := h.broker.Publish(h.t.Context(), core.Message{Topic: n, Payload: []byte(payload), Retain: retain, From: ada}); err != nil {
		h.t.Fatal(err)
	}
}

// page is a client of /ws that speaks JSON, as the SDK does.
type page struct {
	t      *testing.T
	ws     *websocket.Conn
	n      int
	pushes []push
}

type push struct {
	Channel string
	Pub     *struct {
		Data live
	}
	Unsubscribe *struct {
		Code   int
		Reason string
	}
}

type reply struct {
	ID    int
	Error *struct {
		Code      int
		Message   string
		Temporary bool
	}
	Push    *push
	Connect *struct {
		Client  string
		Expires bool
		TTL     int
	}
	Subscribe *struct{ Data kept }
	RPC       *struct{ Data map[string]any }
	Presence  *struct {
		Presence map[string]struct {
			User     string
			ConnInfo map[string]string `json:"conn_info"`
		}
	}
	PresenceStats *struct {
		Clients int `json:"num_clients"`
	} `json:"presence_stats"`
	Refresh *struct{ TTL int }
}

func (h *hall) try(headers ...string) (*websocket.Conn, *http.Response, error) {
	o := &websocket.DialOptions{HTTPHeader: http.Header{}}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			o.Host = headers[i+1]
		} else {
			o.HTTPHeader.Set(headers[i], headers[i+1])
		}
	}
	return websocket.Dial(h.t.Context(), h.url+"/ws", o)
}

func (h *hall) dial(headers ...string) *page {
	h.t.Helper()
	ws, _, err := h.try(headers...)
	if err != nil {
		h.t.Fatal(err)
	}
	ws.SetReadLimit(-1)
	h.t.Cleanup(func() { ws.CloseNow() })
	return &page{t: h.t, ws: ws}
}

// enter dials and says who is there.
func (h *hall) enter(name string) *page {
	h.t.Helper()
	p := h.dial()
	if r := p.do(map[string]any{"connect": map[string]any{"token": "token-" + name}}); r.Error != nil {
		h.t.Fatalf("%s: %+v", name, r.Error)
	}
	return p
}

func (p *page) send(cmd map[string]any) int {
	p.t.Helper()
	p.n++
	cmd["id"] = p.n
	data, err := json.Marshal(cmd)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.ws.Write(p.t.Context(), websocket.MessageText, data); err != nil {
		p.t.Fatal(err)
	}
	return p.n
}

// read returns the next replies; pushes among them are kept.
func (p *page) read() (rs []reply, err error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	_, data, err := p.ws.Read(ctx)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	for d.More() {
		var r reply
		if err := d.Decode(&r); err != nil {
			p.t.Fatalf("%s: %v", data, err)
		}
		if r.Push != nil {
			p.pushes = append(p.pushes, *r.Push)
			continue
		}
		rs = append(rs, r)
	}
	return rs, nil
}

// do sends a command and returns the reply.
func (p *page) do(cmd map[string]any) reply {
	p.t.Helper()
	id := p.send(cmd)
	for {
		rs, err := p.read()
		if err != nil {
			p.t.Fatalf("%v: %v", cmd, err)
		}
		for _, r := range rs {
			if r.ID == id {
				return r
			}
		}
	}
}

func (p *page) subscribe(channel string) reply {
	p.t.Helper()
	return p.do(map[string]any{"subscribe": map[string]any{"channel": channel}})
}

// join subscribes and must be let in.
func (p *page) join(channel string) kept {
	p.t.Helper()
	r := p.subscribe(channel)
	if r.Error != nil || r.Subscribe == nil {
		p.t.Fatalf("%s: %+v", channel, r.Error)
	}
	return r.Subscribe.Data
}

func (p *page) leave(channel string) {
	p.t.Helper()
	if r := p.do(map[string]any{"unsubscribe": map[string]any{"channel": channel}}); r.Error != nil {
		p.t.Fatal(r.Error)
	}
}

func (p *page) rpc(method string, data any) reply {
	p.t.Helper()
	return p.do(map[string]any{"rpc": map[string]any{"method": method, "data": data}})
}

// next returns the next push.
func (p *page) next() push {
	p.t.Helper()
	for len(p.pushes) == 0 {
		if _, err := p.read(); err != nil {
			p.t.Fatal(err)
		}
	}
	x := p.pushes[0]
	p.pushes = p.pushes[1:]
	return x
}

// hears fails unless the next push is this message.
func (p *page) hears(channel, topic, payload string) {
	p.t.Helper()
	x := p.next()
	if x.Pub == nil || x.Channel != channel || x.Pub.Data.Topic != topic || text(x.Pub.Data) != payload {
		p.t.Fatalf("got %+v, want %s on %s in %s", x, payload, topic, channel)
	}
}

func text(l live) string {
	b, err := l.bytes()
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// closed reads until the server has closed and returns its code.
func (p *page) closed() int {
	p.t.Helper()
	for {
		if _, err := p.read(); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				p.t.Fatal("never closed")
			}
			return int(websocket.CloseStatus(err))
		}
	}
}

func wantError(t *testing.T, r reply, code int, words string) {
	t.Helper()
	if r.Error == nil || r.Error.Code != code || !strings.Contains(r.Error.Message, words) {
		t.Errorf("got %+v, want %d with %q", r.Error, code, words)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("never:", what)
}

// TestRoomLife: the first who comes in starts the subscription at the broker, the
// last who leaves ends it, and a filter counts once however it is written.
func TestRoomLife(t *testing.T) {
	h := newHall(t)
	a, b := h.enter("ana"), h.enter("ada")
	a.join("blue/+")
	b.join("blue%2F%2B")
	if begun, ended := h.count("blue/+"); begun != 1 || ended != 0 {
		t.Fatalf("%d began, %d ended", begun, ended)
	}
	h.publish("blue/lamp", "on", false)
	a.hears("blue/+", "blue/lamp", "on")
	b.hears("blue%2F%2B", "blue/lamp", "on")
	a.leave("blue/+")
	h.publish("blue/lamp", "off", false)
	b.hears("blue%2F%2B", "blue/lamp", "off")
	if begun, ended := h.count("blue/+"); begun != 1 || ended != 0 {
		t.Fatalf("with one inside: %d began, %d ended", begun, ended)
	}
	b.ws.CloseNow() // not a word of goodbye
	eventually(t, "the subscription ends", func() bool { begun, ended := h.count("blue/+"); return begun == 1 && ended == 1 })
	h.g.rooms.mu.Lock()
	left := len(h.g.rooms.open)
	h.g.rooms.mu.Unlock()
	if left != 0 {
		t.Errorf("%d rooms are open", left)
	}
	if len(a.pushes) > 0 {
		t.Errorf("who left hears %+v", a.pushes)
	}
	a.join("blue/+")
	h.publish("blue/lamp", "again", false)
	a.hears("blue/+", "blue/lamp", "again")
	if begun, ended := h.count("blue/+"); begun != 2 || ended != 1 {
		t.Errorf("%d began, %d ended", begun, ended)
	}
}

// TestRoomChurn: whatever order people come and go in, a room is open exactly
// while somebody is in it.
func TestRoomChurn(t *testing.T) {
	h := newHall(t)
	var wg sync.WaitGroup
	for range 8 {
		p := h.enter("ana")
		wg.Go(func() {
			for range 20 {
				p.join("blue/#")
				p.leave("blue/#")
			}
		})
	}
	wg.Wait()
	begun, ended := h.count("blue/#")
	if begun == 0 || begun != ended {
		t.Errorf("%d began, %d ended", begun, ended)
	}
	p := h.enter("ana")
	p.join("blue/#")
	h.publish("blue/x", "1", false)
	p.hears("blue/#", "blue/x", "1")
}

// TestSubscribeSequence is the order that the design asks for.
func TestSubscribeSequence(t *testing.T) {
	h := newHall(t)
	h.publish("blue/lamp", "on", true)
	p := h.enter("ana")
	p.subscribe("blue/lamp")
	h.mu.Lock()
	var order []string
	for _, x := range h.asked {
		if len(order) == 0 || order[len(order)-1] != x {
			order = append(order, x)
		}
	}
	h.mu.Unlock()
	at := func(x string) int { return slices.Index(order, x) }
	if !(at("token") >= 0 && at("token") < at("known blue/lamp") && at("known blue/lamp") < at("subscribe blue/lamp")) {
		t.Errorf("asked %q", order)
	}
	if i := slices.Index(order[at("known blue/lamp"):], "may subscribe blue/lamp"); i < 0 || at("known blue/lamp")+i > at("subscribe blue/lamp") {
		t.Errorf("the permission is not between topic and subscription: %q", order)
	}
}

func TestUnknownTopicIsRefused(t *testing.T) {
	h := newHall(t)
	p := h.enter("ana")
	wantError(t, p.subscribe("blue/nothing"), 102, "Create it")
	h.mu.Lock()
	h.known["blue/nothing"] = true
	h.mu.Unlock()
	p.join("blue/nothing")
	p.join("blue/nothing/#") // a filter needs only the permission
	// Whether another team has a topic is not told.
	wantError(t, p.subscribe("red/nothing"), 103, "may not")
}

func TestRetainedIsInTheAnswer(t *testing.T) {
	h := newHall(t)
	h.publish("blue/lamp", "on", true)
	h.publish("blue/raw", "\xff\x00", true)
	p := h.enter("ana")
	k := p.join("blue/lamp")
	if k.Topic != "blue/lamp" || len(k.Retained) != 1 || text(k.Retained[0]) != "on" || !k.Retained[0].Retain || k.Retained[0].At.IsZero() {
		t.Errorf("%+v", k)
	}
	k = p.join("blue/#")
	if len(k.Retained) != 2 || k.Retained[1].Base64 == nil || text(k.Retained[1]) != "\xff\x00" || k.More {
		t.Errorf("%+v", k)
	}
	for i := range maxKept {
		h.publish(topic.Name(fmt.Sprintf("blue/many/%03d", i)), "x", true)
	}
	p.leave("blue/#")
	if k = p.join("blue/#"); len(k.Retained) != maxKept || !k.More {
		t.Errorf("%d retained, more %v", len(k.Retained), k.More)
	}
}

// TestRetainedIsNeverStale: while a value changes all the time, whoever joins
// ends up with the last one.
func TestRetainedIsNeverStale(t *testing.T) {
	h := newHall(t)
	h.publish("blue/n", "0", true)
	const last = 300
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; i <= last; i++ {
			_ = h.broker.Publish(context.Background(), core.Message{Topic: "blue/n", Payload: fmt.Append(nil, i), Retain: true, From: ada})
		}
	}()
	var wg sync.WaitGroup
	for range 20 {
		p := h.enter("ana")
		wg.Go(func() {
			now := text(p.join("blue/n").Retained[0])
			for now != fmt.Sprint(last) {
				now = text(p.next().Pub.Data)
			}
			<-done
		})
	}
	wg.Wait()
}

func TestPublishFromSocket(t *testing.T) {
	h := newHall(t)
	watcher, p := h.enter("ada"), h.enter("ana")
	watcher.join("blue/#")
	on, raw := "on", "/wA="
	r := p.rpc("publish", map[string]any{"topic": "blue/lamp/set", "payload": on, "qos": 1, "retain": true})
	if r.Error != nil || r.RPC.Data["topic"] != "blue/lamp/set" {
		t.Errorf("%+v", r)
	}
	if got := h.broker.Retained("blue/lamp/set", 1); len(got) != 1 || string(got[0].Payload) != on || got[0].From != ana || got[0].QoS != 1 {
		t.Errorf("the broker has %+v", got) // before the answer, so at once
	}
	watcher.hears("blue/#", "blue/lamp/set", "on")
	if r := p.rpc("publish", map[string]any{"topic": "blue/raw", "base64": raw}); r.Error != nil {
		t.Errorf("%+v", r.Error)
	}
	watcher.hears("blue/#", "blue/raw", "\xff\x00")
	for data, want := range map[any]string{"on": "on", 21.5: "21.5", true: "true"} {
		if r := p.do(map[string]any{"publish": map[string]any{"channel": "blue/plain", "data": data}}); r.Error != nil {
			t.Errorf("%+v", r.Error)
		}
		watcher.hears("blue/#", "blue/plain", want)
	}
	for what, data := range map[string]any{
		"wildcard": map[string]any{"topic": "blue/#", "payload": on}, "QoS 3": map[string]any{"topic": "blue/x", "payload": on, "qos": 3},
		"unknown field": map[string]any{"topic": "blue/x", "payload": on, "from": 1}, "no payload": map[string]any{"topic": "blue/x"},
		"not base64": map[string]any{"topic": "blue/x", "base64": "%"}, "no topic": map[string]any{"payload": on}, "text": "blue/x",
	} {
		if r := p.rpc("publish", data); r.Error == nil || r.Error.Code != 107 || !strings.HasSuffix(r.Error.Message, ".") {
			t.Errorf("%s: %+v", what, r.Error)
		}
	}
	wantError(t, p.rpc("delete", nil), 102, "publish")
}

// TestSocketPublishWithoutGrant: what may be watched may not be published to.
func TestSocketPublishWithoutGrant(t *testing.T) {
	h := newHall(t)
	h.readers[ana] = []topic.Filter{"red/lamp"}
	h.known["red/lamp"] = true
	p := h.enter("ana")
	p.join("red/lamp")
	wantError(t, p.rpc("publish", map[string]any{"topic": "red/lamp", "payload": "on"}), 103, "may not publish red/lamp")
	wantError(t, p.do(map[string]any{"publish": map[string]any{"channel": "red/lamp", "data": "on"}}), 103, "may not publish red/lamp")
	wantError(t, p.do(map[string]any{"publish": map[string]any{"channel": "$SYS/x", "data": "on"}}), 103, "may not")
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.refused) != 3 || h.refused[0].Account != ana || h.refused[0].Action != core.Publish || h.refused[0].Topic != "red/lamp" || h.refused[0].Addr != "127.0.0.1" {
		t.Errorf("refused %+v", h.refused)
	}
}

// TestShortNames: two teams call different topics by the same name, hear it by that
// name, and never each other's.
func TestShortNames(t *testing.T) {
	h := newHall(t)
	h.publish("blue/state_led", "1", true)
	h.publish("red/state_led", "0", true)
	m, r, a := h.enter("mona"), h.enter("rosa"), h.enter("ana")
	if k := m.join("state_led"); k.Topic != "blue/state_led" || text(k.Retained[0]) != "1" {
		t.Errorf("%+v", k)
	}
	if k := r.join("state_led"); k.Topic != "red/state_led" || text(k.Retained[0]) != "0" {
		t.Errorf("%+v", k)
	}
	a.join("blue/state_led")
	if begun, _ := h.count("blue/state_led"); begun != 1 {
		t.Errorf("%d subscriptions", begun)
	}
	wantError(t, m.subscribe("blue/state_led"), 105, "") // it is there already, by its short name
	if x := m.do(map[string]any{"publish": map[string]any{"channel": "state_led", "data": "on"}}); x.Error != nil {
		t.Error(x.Error)
	}
	m.hears("state_led", "blue/state_led", "on")
	a.hears("blue/state_led", "blue/state_led", "on")
	h.publish("red/state_led", "last", false)
	r.hears("state_led", "red/state_led", "last")
	if p := m.do(map[string]any{"presence": map[string]any{"channel": "state_led"}}); p.Error != nil || len(p.Presence.Presence) != 2 {
		t.Errorf("watchers %+v %+v", p.Presence, p.Error)
	}
	h.grant(mona)
	if x := m.next(); x.Channel != "state_led" || x.Unsubscribe == nil {
		t.Errorf("%+v", x)
	}
}

func TestChannelsAreEncoded(t *testing.T) {
	h := newHall(t)
	p := h.enter("ada")
	for channel, want := range map[string]topic.Filter{
		"blue/#": "blue/#", "blue/%23": "blue/#", "a%20b": "a b", "a b": "a b", "%24SYS/%2B": "$SYS/+", "$SYS/#": "$SYS/#", "100%25": "100%",
		"교실/조명": "교실/조명", "%EA%B5%90%EC%8B%A4/%2B": "교실/+", "a+b%2Fc": "",
	} {
		h.mu.Lock()
		h.known[topic.Name(want)] = true
		h.mu.Unlock()
		r := p.subscribe(channel)
		switch {
		case want == "":
			wantError(t, r, 107, "not a topic filter")
		case r.Error != nil && r.Error.Code != 105, r.Error == nil && r.Subscribe.Data.Topic != want:
			t.Errorf("%s: %+v %+v", channel, r.Subscribe, r.Error)
		}
	}
	for _, channel := range []string{"100%", "%zz", "a%00b", "%ff", strings.Repeat("a/", 40), strings.Repeat("a", 2000), "a#", "#/a", "$share/g/blue/x", "%24share/g/#"} {
		if r := p.subscribe(channel); r.Error == nil || r.Error.Code != 107 {
			t.Errorf("%.40s: %+v", channel, r.Error)
		}
	}
}

func TestWhoWatches(t *testing.T) {
	h := newHall(t)
	a, b := h.enter("ana"), h.enter("ada")
	a.join("blue/#")
	b.join("blue/#")
	r := b.do(map[string]any{"presence": map[string]any{"channel": "blue/#"}})
	var names []string
	for _, x := range r.Presence.Presence {
		names = append(names, x.User+":"+x.ConnInfo["label"])
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"ada:ada", "ana:Ana <b>"}) {
		t.Errorf("watchers %q", names)
	}
	if r := b.do(map[string]any{"presence_stats": map[string]any{"channel": "blue/#"}}); r.Error != nil || r.PresenceStats.Clients != 2 {
		t.Errorf("%+v %+v", r.PresenceStats, r.Error)
	}
	c := h.enter("cleo")
	wantError(t, c.do(map[string]any{"presence": map[string]any{"channel": "blue/#"}}), 103, "may not")
	wantError(t, c.do(map[string]any{"presence_stats": map[string]any{"channel": "blue/#"}}), 103, "may not")
	var guests []core.Client
	eventually(t, "two are in their rooms", func() bool {
		guests = h.g.Guests()
		n := 0
		for _, x := range guests {
			n += len(x.Filters)
		}
		return n == 2
	})
	if len(guests) != 3 || guests[0].Protocol != "room" || guests[0].Addr != "127.0.0.1" {
		t.Errorf("%+v", guests)
	}
	for _, x := range guests {
		if x.Account == ana {
			if err := h.g.EndGuest(x.ID); err != nil || !slices.Equal(x.Filters, []string{"blue/#"}) {
				t.Errorf("%v %v", x.Filters, err)
			}
		}
	}
	if code := a.closed(); code != 3503 {
		t.Errorf("closed with %d", code)
	}
	if err := h.g.EndGuest("nobody"); !errors.Is(err, core.ErrNotFound) {
		t.Error(err)
	}
}

func TestLargePayloadIsToldNotSent(t *testing.T) {
	h := newHall(t)
	p := h.enter("ana")
	p.join("blue/#")
	h.publish("blue/large", strings.Repeat("x", maxShown+1), true)
	if x := p.next(); x.Pub.Data.Omitted != maxShown+1 || text(x.Pub.Data) != "" {
		t.Errorf("omitted %d", x.Pub.Data.Omitted)
	}
}

// TestOpenRooms: while everything is open nobody needs a token.
func TestOpenRooms(t *testing.T) {
	h := newHall(t, func(c *Config) { c.Open = true })
	p := h.dial()
	if r := p.do(map[string]any{"connect": map[string]any{}}); r.Error != nil {
		t.Fatal(r.Error)
	}
	p.join("#")
	h.publish("x", "1", false)
	p.hears("#", "x", "1")
}

package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	maxGuests     = 10_000           // sockets and streams at once
	maxNewcomers  = 64               // sockets of one address on which nobody has signed in
	maxOfAccount  = 200              // sockets of one account, and streams
	maxRooms      = 128              // of one socket
	maxFrame      = 256 << 10        // bytes of a message from a socket
	maxWaiting    = 1 << 20          // bytes that wait for one socket; whoever is further behind is closed
	maxKept       = 100              // retained messages in the answer to a subscription
	maxKeptBytes  = 256 << 10        // that their payloads take
	maxWatchers   = 200              // that are named in the answer to a question who watches
	signInWithin  = 10 * time.Second // on a new socket
	refreshBefore = 30 * time.Second // an access token ends, its program is asked for another
	pingEvery     = 25 * time.Second
	pongWithin    = 10 * time.Second
	lookEvery     = 500 * time.Millisecond // for tokens and sessions that have ended
	commandRate   = 500                    // commands of one socket in a second; more are taken later
	joinRate      = 10                     // of them, to join a room, once maxRooms have been joined twice
)

// Why a socket is closed: the page knows the codes. After those from 4500 on, a
// client should not come again by itself.
var (
	endedChanged = centrifuge.Disconnect{Code: 4500, Reason: "account changed"}
	endedExpired = centrifuge.DisconnectExpired // it may come again with another token
	unsubRevoked = uint32(2100)                 // of the unsubscription when a grant is gone
)

// visitor is who is at the other end of a socket or a stream that stays open.
type visitor struct {
	caller
	until   time.Time     // when the access token ends; zero without one
	session *http.Request // carries the session cookie; nil without one
}

// visitor returns who asks for a socket or a stream. A session cookie counts only
// for a page of our own: a socket is not bound by the same-origin policy, and a
// cookie goes along to every port of this machine.
func (g *Gateway) visitor(r *http.Request) (v visitor, err error) {
	if !ownOrigin(r) {
		r = r.Clone(r.Context())
		r.Header.Del("Cookie")
	}
	if v.caller, err = g.caller(r); err != nil {
		return v, err
	}
	if v.browser {
		v.session = &http.Request{Header: http.Header{"Cookie": r.Header["Cookie"]}}
	}
	if v.token != "" {
		_, v.until, err = g.cfg.Tokens.VerifyToken(v.token)
	}
	return v, err
}

// errExpired is the kind of failure of a visitor who needs another token.
var errExpired = errors.New("token expired")

// stays returns why v may not stay, or nil.
func (g *Gateway) stays(v *visitor, now time.Time) error {
	switch {
	case v.ID == core.Anyone || v.ID == 0:
		return nil
	case !v.until.IsZero() && !now.Before(v.until):
		return errExpired
	case v.session != nil && g.sessions.account(v.session, g.cfg.Authority.Current) != v.ID,
		!g.cfg.Authority.Current(v.ID, v.Version):
		return errNobody
	}
	return nil
}

// stands returns errExpired where the token that v signed in with was ended
// before its time: by a sign-out, or because somebody used it twice.
func (g *Gateway) stands(v *visitor) error {
	if v.token == "" {
		return nil
	}
	if _, _, err := g.cfg.Tokens.VerifyToken(v.token); err != nil {
		return errExpired
	}
	return nil
}

// ownOrigin reports whether r comes from a page of ours, or from no page.
func ownOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	u, err := url.Parse(origin)
	return origin == "" || err == nil && strings.EqualFold(u.Host, r.Host)
}

// fromHere refuses what a page from outside opens. A page of the local network
// may: a student's own, which then needs a token or a password.
func (g *Gateway) fromHere(w http.ResponseWriter, r *http.Request) bool {
	if ownOrigin(r) {
		return true
	}
	u, err := url.Parse(r.Header.Get("Origin"))
	if err == nil && localHost(u.Hostname()) {
		return true
	}
	g.fail(w, r, core.Fail(core.ErrDenied, "This page comes from outside, so it may not use Homeroom. Open it from a web server in this network, such as the one in your editor."))
	return false
}

// localHost reports whether host can only be in this network. An address that is
// reached from outside cannot, though a Host header may have it.
func localHost(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
	}
	return host != "" && ourHost(host)
}

// rooms are the channels of /ws: one for each topic or filter that somebody
// watches. A channel's name is the real topic filter. It is a centrifuge.Broker,
// and that is the room's life: the first who comes in starts the subscription at
// our broker, the last who leaves ends it.
type rooms struct {
	g    *Gateway
	node *centrifuge.Node

	mu        sync.Mutex
	open      map[topic.Filter]*room // guarded by mu
	guests    map[guest]struct{}     // guarded by mu
	newcomers map[string]int         // guarded by mu; sockets without an account, by address
}

// guest is a socket or a stream.
type guest interface {
	// recheck ends what its visitor may no longer have; grants asks for each topic.
	recheck(now time.Time, grants bool)
	// client describes it.
	client() core.Client
	// end closes it, as a teacher wants.
	end()
}

// sockets adds what stays open: rooms, MQTT over websocket, and the stream.
func (g *Gateway) sockets(mux *http.ServeMux) {
	if g.cfg.Bus == nil {
		return
	}
	rs := &rooms{g: g, open: map[topic.Filter]*room{}, guests: map[guest]struct{}{}, newcomers: map[string]int{}}
	var err error
	rs.node, err = centrifuge.New(centrifuge.Config{
		Name: "homeroom", LogLevel: centrifuge.LogLevelError, LogHandler: rs.log,
		ClientStaleCloseDelay: signInWithin, ClientExpiredCloseDelay: refreshBefore, ClientQueueMaxSize: maxWaiting,
		ClientChannelLimit: maxRooms, ChannelMaxLength: topic.MaxLen, UserConnectionLimit: maxOfAccount,
	})
	if err == nil {
		rs.node.SetBroker(rs)
		rs.node.OnConnecting(rs.connecting)
		rs.node.OnConnect(rs.connected)
		rs.node.OnCommandRead(rs.command)
		err = rs.node.Run()
	}
	if err != nil {
		g.cfg.Log.Error("no rooms", "err", err)
		return
	}
	g.rooms = rs
	mux.HandleFunc("GET /ws", rs.serve)
	mux.HandleFunc("GET /mqtt", g.mqtt)
	mux.HandleFunc("GET /sse", g.stream)
}

func (rs *rooms) log(e centrifuge.LogEntry) {
	rs.g.cfg.Log.Error("rooms: "+e.Message, "fields", e.Fields, "err", e.Error)
}

// keepSockets ends what accounts may no longer have until ctx ends, then
// everything.
func (g *Gateway) keepSockets(ctx context.Context) {
	rs := g.rooms
	if rs == nil {
		return
	}
	changed := make(chan struct{}, 1)
	go func() {
		l := g.cfg.Feed.Listen()
		defer l.Close()
		for {
			c, err := l.Next(ctx)
			if err != nil {
				return
			}
			if c&core.AccountsChanged != 0 {
				select {
				case changed <- struct{}{}:
				default:
				}
			}
		}
	}()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			_ = rs.node.Shutdown(soon)
			for _, x := range rs.everybody() { // those that nobody has signed in on
				x.end()
			}
			return
		case <-changed:
			rs.recheck(true)
		case <-tick.C:
			rs.recheck(false)
		}
	}
}

func (rs *rooms) recheck(grants bool) {
	now := time.Now()
	for _, x := range rs.everybody() {
		x.recheck(now, grants)
	}
}

func (rs *rooms) everybody() []guest {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	all := make([]guest, 0, len(rs.guests))
	for x := range rs.guests {
		all = append(all, x)
	}
	return all
}

// Guests returns the sockets and streams that are open, as if they were MQTT
// clients, in order of ID.
func (g *Gateway) Guests() []core.Client {
	if g.rooms == nil {
		return nil
	}
	all := []core.Client{}
	for _, x := range g.rooms.everybody() {
		if c := x.client(); c.Account != 0 {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(x, y core.Client) int { return strings.Compare(x.ID, y.ID) })
	return all
}

// EndGuest closes the socket or stream with that ID, or fails with core.ErrNotFound.
func (g *Gateway) EndGuest(id string) error {
	if g.rooms != nil {
		for _, x := range g.rooms.everybody() {
			if x.client().ID == id {
				x.end()
				return nil
			}
		}
	}
	return core.Fail(core.ErrNotFound, "{client} is not connected any more.", "client", cut(id))
}

var errCrowded = core.Fail(core.ErrDenied, "Too many pages and programs are connected. Close some, wait {n} s and try again.", "n", 10)

// enter lets x in, if there is room. Nobody has signed in on newcomers from addr.
func (rs *rooms) enter(x guest, newcomer string) error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if len(rs.guests) >= maxGuests || newcomer != "" && rs.newcomers[newcomer] >= maxNewcomers {
		return errCrowded
	}
	if newcomer != "" {
		rs.newcomers[newcomer]++
	}
	rs.guests[x] = struct{}{}
	return nil
}

func (rs *rooms) leave(x guest) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.guests, x)
}

// settled says that somebody signed in on a socket from addr, or that it is closed.
func (rs *rooms) settled(addr string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.newcomers[addr]--; rs.newcomers[addr] <= 0 {
		delete(rs.newcomers, addr)
	}
}

// connecting answers the first command on a socket, which says who is there: by
// an access token, by the page's cookie, or, while everything is open, by nothing.
func (rs *rooms) connecting(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
	s, ok := e.Transport.(*socket)
	if !ok {
		return centrifuge.ConnectReply{}, centrifuge.DisconnectBadRequest
	}
	v := s.who()
	if e.Token != "" {
		a, until, err := rs.g.cfg.Tokens.VerifyToken(e.Token)
		if err != nil {
			rs.g.refuse(v.caller, "", "", err)
			return centrifuge.ConnectReply{}, rs.g.answer(v.caller, errors.Join(errExpired, err))
		}
		v.Account, v.browser, v.session, v.until, v.token = a, false, nil, until, e.Token
	}
	if v.ID == 0 {
		return centrifuge.ConnectReply{}, rs.g.answer(v.caller, errSignIn)
	}
	s.signedIn(v)
	info, _ := json.Marshal(map[string]string{"label": v.Title()})
	return centrifuge.ConnectReply{
		Credentials:       &centrifuge.Credentials{UserID: string(v.Name), Info: info, ExpireAt: asked(v.until)},
		ClientSideRefresh: !v.until.IsZero(),
		ReplyWithoutQueue: true,
	}, nil
}

// asked returns when a program is asked for another token, in Unix seconds; 0 is never.
func asked(until time.Time) int64 {
	if until.IsZero() {
		return 0
	}
	return max(until.Add(-refreshBefore).Unix(), time.Now().Unix()+1)
}

// connected is called once a socket's visitor is known.
func (rs *rooms) connected(c *centrifuge.Client) {
	s, ok := c.Transport().(*socket)
	if !ok {
		return
	}
	c.OnRefresh(func(e centrifuge.RefreshEvent, done centrifuge.RefreshCallback) {
		until, err := rs.refresh(s, e.Token)
		if err != nil {
			done(centrifuge.RefreshReply{}, rs.g.answer(s.who().caller, err))
			return
		}
		done(centrifuge.RefreshReply{ExpireAt: asked(until)}, nil)
	})
	c.OnSubscribe(func(e centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
		rs.join(s, c, topic.Filter(e.Channel), done)
	})
	c.OnUnsubscribe(func(e centrifuge.UnsubscribeEvent) { rs.exit(s, e.Channel) })
	c.OnPublish(func(e centrifuge.PublishEvent, done centrifuge.PublishCallback) {
		_, err := rs.publish(c.Context(), s.who(), publication{Topic: e.Channel, Content: plain(e.Data), QoS: 1})
		if err != nil {
			done(centrifuge.PublishReply{}, rs.g.answer(s.who().caller, err))
			return
		}
		done(centrifuge.PublishReply{Result: &centrifuge.PublishResult{}}, nil)
	})
	c.OnRPC(func(e centrifuge.RPCEvent, done centrifuge.RPCCallback) {
		data, err := rs.call(c.Context(), s.who(), e.Method, e.Data)
		if err != nil {
			done(centrifuge.RPCReply{}, rs.g.answer(s.who().caller, err))
			return
		}
		done(centrifuge.RPCReply{Data: data}, nil)
	})
	c.OnPresence(func(e centrifuge.PresenceEvent, done centrifuge.PresenceCallback) {
		p, err := rs.watchers(s.who(), e.Channel)
		if err != nil {
			done(centrifuge.PresenceReply{}, rs.g.answer(s.who().caller, err))
			return
		}
		done(centrifuge.PresenceReply{Result: &p}, nil)
	})
	c.OnPresenceStats(func(e centrifuge.PresenceStatsEvent, done centrifuge.PresenceStatsCallback) {
		if _, err := rs.g.authorize(s.who().caller, core.Subscribe, topic.Filter(e.Channel)); err != nil {
			done(centrifuge.PresenceStatsReply{}, rs.g.answer(s.who().caller, err))
			return
		}
		done(centrifuge.PresenceStatsReply{}, nil)
	})
	s.recheck(time.Now(), true) // the account may have changed meanwhile
}

// refresh takes another token of the same account, and returns when that ends.
func (rs *rooms) refresh(s *socket, token string) (time.Time, error) {
	a, until, err := rs.g.cfg.Tokens.VerifyToken(token)
	v := s.who()
	if err != nil {
		rs.g.refuse(v.caller, "", "", err)
		return time.Time{}, errors.Join(errExpired, err)
	}
	if a.ID != v.ID {
		return time.Time{}, core.Fail(core.ErrDenied, "This token is of another account. Connect anew to use it.")
	}
	v.Account, v.until, v.token = a, until, token
	s.set(v)
	return until, nil
}

// command looks at each command before it is carried out. What a client calls a
// channel becomes the real name, which its socket turns back in what it hears.
func (rs *rooms) command(c *centrifuge.Client, e centrifuge.CommandReadEvent) error {
	s, ok := c.Transport().(*socket)
	if !ok {
		return centrifuge.DisconnectBadRequest
	}
	if wait := s.commands.take(time.Now(), commandRate, 2*commandRate); wait > 0 {
		time.Sleep(wait)
	}
	for channel, action := range channels(e) {
		real, err := rs.g.channel(s.who().caller, action, *channel)
		if err == nil && e.Command.Subscribe != nil {
			err = rs.mayJoin(s, c, real, *channel)
		}
		if err != nil {
			return rs.g.answer(s.who().caller, err)
		}
		*channel = string(real)
	}
	return nil
}

// channels yields the place of the channel in a command, and what it is wanted for.
func channels(e centrifuge.CommandReadEvent) func(yield func(*string, core.Action) bool) {
	return func(yield func(*string, core.Action) bool) {
		switch c := e.Command; {
		case c.Subscribe != nil:
			yield(&c.Subscribe.Channel, core.Subscribe)
		case c.Unsubscribe != nil:
			yield(&c.Unsubscribe.Channel, core.Subscribe)
		case c.Publish != nil:
			yield(&c.Publish.Channel, core.Publish)
		case c.Presence != nil:
			yield(&c.Presence.Channel, core.Subscribe)
		case c.PresenceStats != nil:
			yield(&c.PresenceStats.Channel, core.Subscribe)
		}
	}
}

// channel returns the real filter that c calls channel. A channel is written as
// the topic is, or percent-encoded in whole or in part (RFC 3986, section 2.1), so
// that % itself is always %25.
func (g *Gateway) channel(c caller, a core.Action, channel string) (topic.Filter, error) {
	s, err := url.PathUnescape(channel)
	if err != nil {
		return "", core.Fail(core.ErrInvalid, "{channel} is not a channel: after % come two hexadecimal digits. Write % itself as %25.", "channel", cut(channel))
	}
	if s == "" {
		return "", core.Fail(core.ErrInvalid, "A channel needs a name. Use the topic.")
	}
	f, err := filter(s)
	if err != nil {
		return "", err
	}
	real, _ := g.cfg.Authority.Authorize(c.ID, a, f) // only the name: what it is for is checked there
	return real, nil
}

// mayJoin reports whether a socket may join the room of f, which it calls own: the
// topic is looked up, then the permission is checked. A no is said here, for one
// that centrifuge says leaves a job behind.
func (rs *rooms) mayJoin(s *socket, c *centrifuge.Client, f topic.Filter, own string) error {
	if wait := s.joins.take(time.Now(), joinRate, 2*maxRooms); wait > 0 {
		time.Sleep(wait)
	}
	if err := rs.g.watchable(s.who().caller, f); err != nil {
		return err
	}
	if !c.IsSubscribed(string(f)) {
		s.call(string(f), own)
	}
	return nil
}

// join lets a socket into the room of f: the broker's subscription is there, the
// socket joins, and the answer holds what is retained.
func (rs *rooms) join(s *socket, c *centrifuge.Client, f topic.Filter, done centrifuge.SubscribeCallback) {
	r := rs.hold(f)
	defer rs.release(r)
	r.enter(s, s.own(r.channel))
	data, err := json.Marshal(rs.g.kept(f))
	if err != nil {
		r.exit(s)
		done(centrifuge.SubscribeReply{}, rs.g.answer(s.who().caller, err))
		return
	}
	done(centrifuge.SubscribeReply{Options: centrifuge.SubscribeOptions{EmitPresence: true, Data: data}}, nil)
	r.welcome(s)
	if !c.IsSubscribed(r.channel) { // it has left meanwhile
		r.exit(s)
	}
	s.recheck(time.Now(), true) // the grant may have gone meanwhile
}

// watchable returns nil if c may watch f, a real filter, and there is such a
// topic. Who may not is told so whether or not there is: names are no secret to
// those who may read them only.
func (g *Gateway) watchable(c caller, f topic.Filter) error {
	known := strings.ContainsAny(string(f), "+#") || g.cfg.Known(topic.Name(f))
	real, err := g.authorize(c, core.Subscribe, f)
	switch {
	case err != nil:
		return err
	case real != f:
		return core.ErrDenied
	case !known:
		return core.Fail(core.ErrNotFound, "There is no topic {topic} yet. Create it, publish to it, or watch a filter with + or #.", "topic", cut(string(f)))
	}
	return nil
}

// watchers returns who is in a room.
func (rs *rooms) watchers(v visitor, channel string) (centrifuge.PresenceResult, error) {
	if real, err := rs.g.authorize(v.caller, core.Subscribe, topic.Filter(channel)); err != nil || string(real) != channel {
		return centrifuge.PresenceResult{}, errors.Join(core.ErrDenied, err)
	}
	p, err := rs.node.Presence(channel)
	if err != nil {
		return p, err
	}
	for id := range p.Presence { // a copy
		if len(p.Presence) <= maxWatchers {
			break
		}
		delete(p.Presence, id)
	}
	return p, nil
}

// publication is what a socket asks to be published.
type publication struct {
	Topic string `json:"topic"`
	Content
	QoS    byte `json:"qos"`
	Retain bool `json:"retain"`
}

// plain returns the payload of what a client publishes into a channel: the text
// of a JSON string, and any other JSON as it is.
func plain(data []byte) (p Content) {
	var s string
	if json.Unmarshal(data, &s) != nil {
		s = string(data)
	}
	p.Payload = &s
	return p
}

// publish publishes for v and returns the real name, when the broker has stored
// the message for everybody who is owed it.
func (rs *rooms) publish(ctx context.Context, v visitor, p publication) (topic.Filter, error) {
	n, err := name(p.Topic)
	if err != nil {
		return "", err
	}
	content, err := p.bytes()
	if err != nil {
		return "", err
	}
	if p.QoS > 2 {
		return "", core.Fail(core.ErrInvalid, "{field} is too large. It has to be {n} or less.", "field", "qos", "n", 2)
	}
	real, err := rs.g.authorize(v.caller, core.Publish, topic.Filter(n))
	if err != nil {
		return "", err
	}
	err = rs.g.cfg.Broker.Publish(ctx, core.Message{Topic: topic.Name(real), Payload: content, QoS: p.QoS, Retain: p.Retain, From: v.ID, Client: "page"})
	if err != nil {
		rs.g.refuse(v.caller, core.Publish, real, err)
	}
	return real, err
}

// call answers a remote procedure call: "publish" with a topic, as over REST.
func (rs *rooms) call(ctx context.Context, v visitor, method string, data []byte) ([]byte, error) {
	if method != "publish" {
		return nil, core.Fail(core.ErrNotFound, "There is no procedure {method} here. Use {known}.", "method", cut(method), "known", "publish")
	}
	var p publication
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return nil, core.Fail(core.ErrInvalid, "The request could not be read as JSON. Correct it and send it again.")
	}
	real, err := rs.publish(ctx, v, p)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"topic": real, "qos": p.QoS, "retain": p.Retain})
}

// answer puts err into what a client of centrifuge understands, in the words of
// its reader.
func (g *Gateway) answer(c caller, err error) error {
	out := &centrifuge.Error{Code: centrifuge.ErrorInternal.Code, Temporary: true}
	for kind, code := range map[error]uint32{
		errNobody: centrifuge.ErrorUnauthorized.Code, core.ErrNotFound: centrifuge.ErrorUnknownChannel.Code, core.ErrDenied: centrifuge.ErrorPermissionDenied.Code,
		core.ErrInvalid: centrifuge.ErrorBadRequest.Code, core.ErrConflict: 409,
	} {
		if errors.Is(err, kind) {
			out.Code, out.Temporary = code, false
		}
	}
	if errors.Is(err, errExpired) {
		out.Code = centrifuge.ErrorTokenExpired.Code // it asks its program for another
	}
	say := core.Say("Something went wrong here, not with you. Try again; if it stays so, restart Homeroom.")
	var p *core.Problem
	if errors.As(err, &p) {
		say = p.Sentence
	} else if out.Code == centrifuge.ErrorInternal.Code {
		g.cfg.Log.Error("socket command failed", "err", err)
	}
	out.Message = g.cfg.Say(c.language, say)
	return out
}

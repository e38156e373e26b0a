package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/coder/websocket"

	"homeroom/core"
	"homeroom/core/topic"
)

// socket is one page or program at /ws. It is a centrifuge.Transport.
type socket struct {
	rs       *rooms
	ws       *websocket.Conn
	wire     *wire
	since    time.Time
	commands bucket // of the reading goroutine
	joins    bucket // likewise

	mu       sync.Mutex
	guest    *centrifuge.Client // guarded by mu
	visitor  visitor            // guarded by mu
	newcomer bool               // guarded by mu; nobody has signed in
	called   map[string]string  // guarded by mu; what the client calls a channel whose name is another
}

// serve makes a request a socket.
func (rs *rooms) serve(w http.ResponseWriter, r *http.Request) {
	if !rs.g.fromHere(w, r) {
		return
	}
	v, err := rs.g.visitor(r)
	if err != nil {
		rs.g.fail(w, r, err)
		return
	}
	s := &socket{rs: rs, visitor: v, newcomer: true, since: time.Now()}
	if err := rs.enter(s, v.addr); err != nil {
		rs.g.fail(w, r, err)
		return
	}
	if s.ws, s.wire, err = upgrade(w, r, "centrifuge-json"); err != nil {
		s.over()
		return
	}
	s.ws.SetReadLimit(maxFrame)
	go s.run() // so that the request can be forgotten
}

// run reads what comes until the socket is closed.
func (s *socket) run() {
	defer s.over()
	defer s.ws.CloseNow()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c, end, err := centrifuge.NewClient(ctx, s.rs.node, s)
	if err != nil {
		return
	}
	defer func() { _ = end() }()
	s.mu.Lock()
	s.guest = c
	s.mu.Unlock()
	for {
		kind, r, err := s.ws.Reader(ctx)
		if errors.Is(err, errFlood) {
			_ = s.Close(centrifuge.DisconnectTooManyRequests)
		}
		if err != nil {
			return
		}
		if kind != websocket.MessageText {
			_ = s.ws.Close(websocket.StatusUnsupportedData, "send text")
			return
		}
		if !centrifuge.HandleReadFrame(c, r) {
			break
		}
	}
	// What was said last is on its way, and the client is to close.
	_ = s.wire.SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		if _, _, err := s.ws.Read(ctx); err != nil {
			return
		}
	}
}

// over forgets the socket.
func (s *socket) over() {
	s.settle()
	s.rs.leave(s)
}

// settle ends being a newcomer.
func (s *socket) settle() {
	s.mu.Lock()
	was := s.newcomer
	s.newcomer = false
	addr := s.visitor.addr
	s.mu.Unlock()
	if was {
		s.rs.settled(addr)
	}
}

// who returns whose socket it is.
func (s *socket) who() visitor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.visitor
}

func (s *socket) set(v visitor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visitor = v
}

// signedIn says whose socket it is.
func (s *socket) signedIn(v visitor) {
	s.set(v)
	s.settle()
}

// call keeps what the client calls a channel.
func (s *socket) call(channel, own string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if channel == own {
		delete(s.called, channel)
		return
	}
	if s.called == nil {
		s.called = map[string]string{}
	}
	s.called[channel] = own
}

// recheck is part of guest.
func (s *socket) recheck(now time.Time, grants bool) {
	s.mu.Lock()
	c, v, newcomer := s.guest, s.visitor, s.newcomer
	s.mu.Unlock()
	if c == nil || newcomer {
		return
	}
	err := s.rs.g.stays(&v, now)
	if err == nil && grants {
		err = s.rs.g.stands(&v)
	}
	switch {
	case errors.Is(err, errExpired):
		c.Disconnect(endedExpired)
		return
	case err != nil:
		c.Disconnect(endedChanged)
		return
	}
	if !grants {
		return
	}
	for _, channel := range c.Channels() {
		f := topic.Filter(channel)
		real, err := s.rs.g.cfg.Authority.Authorize(v.ID, core.Subscribe, f)
		if err == nil && real == f {
			continue
		}
		reason := core.Say("A grant was taken away.")
		var p *core.Problem
		if errors.As(err, &p) {
			reason = p.Sentence
		}
		c.Unsubscribe(channel, centrifuge.Unsubscribe{Code: unsubRevoked, Reason: s.rs.g.cfg.Say(v.language, reason)})
	}
}

// client is part of guest.
func (s *socket) client() core.Client {
	s.mu.Lock()
	c, v := s.guest, s.visitor
	s.mu.Unlock()
	out := core.Client{Account: v.ID, Addr: v.addr, Protocol: "room", Connected: true, Since: s.since}
	if c != nil {
		out.ID, out.Filters = c.ID(), c.Channels()
	}
	return out
}

// end is part of guest.
func (s *socket) end() {
	s.mu.Lock()
	c := s.guest
	s.mu.Unlock()
	if c != nil {
		c.Disconnect(centrifuge.DisconnectForceNoReconnect)
	}
}

// Name is part of centrifuge.Transport, as are those that follow.
func (s *socket) Name() string { return "websocket" }

// AcceptProtocol is for figures that nobody reads.
func (s *socket) AcceptProtocol() string { return "" }

// Protocol is JSON: no other is spoken here.
func (s *socket) Protocol() centrifuge.ProtocolType { return centrifuge.ProtocolTypeJSON }

// ProtocolVersion is the one there is.
func (s *socket) ProtocolVersion() centrifuge.ProtocolVersion { return centrifuge.ProtocolVersion2 }

// Unidirectional is no.
func (s *socket) Unidirectional() bool { return false }

// Emulation is no.
func (s *socket) Emulation() bool { return false }

// DisabledPushFlags leaves out the push about a disconnection: the close frame has it.
func (s *socket) DisabledPushFlags() uint64 { return centrifuge.PushFlagDisconnect }

// PingPongConfig is how a dead client is found.
func (s *socket) PingPongConfig() centrifuge.PingPongConfig {
	return centrifuge.PingPongConfig{PingInterval: pingEvery, PongTimeout: pongWithin}
}

// Write sends one message, which is no publication: rooms write those.
func (s *socket) Write(m []byte) error {
	_, err := s.wire.Write(textFrame(s.rename(m)))
	return err
}

// WriteMany sends messages in one frame, a line each.
func (s *socket) WriteMany(ms ...[]byte) error {
	var b bytes.Buffer
	for i, m := range ms {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.Write(s.rename(m))
	}
	_, err := s.wire.Write(textFrame(b.Bytes()))
	return err
}

// pushed is how a message about a channel begins.
const pushed = `{"push":{"channel":`

// own returns what the client calls a channel.
func (s *socket) own(channel string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own, ok := s.called[channel]; ok {
		return own
	}
	return channel
}

// rename returns m with what the client calls the channel in place of its name.
func (s *socket) rename(m []byte) []byte {
	if !bytes.HasPrefix(m, []byte(pushed)) {
		return m
	}
	d := json.NewDecoder(bytes.NewReader(m[len(pushed):]))
	t, err := d.Token()
	channel, ok := t.(string)
	if err != nil || !ok {
		return m
	}
	own, err := json.Marshal(s.own(channel))
	if err != nil {
		return m
	}
	return slices.Concat([]byte(pushed), own, m[len(pushed)+int(d.InputOffset()):])
}

// slow closes a socket that is too far behind, and says so. What it was given
// before that goes out first.
func (s *socket) slow() {
	s.mu.Lock()
	c := s.guest
	s.mu.Unlock()
	c.Disconnect(centrifuge.DisconnectSlow)
}

// Close ends the socket and says why.
func (s *socket) Close(d centrifuge.Disconnect) error {
	if d.Code == centrifuge.DisconnectConnectionClosed.Code {
		return s.ws.CloseNow()
	}
	return s.ws.Close(websocket.StatusCode(d.Code), d.Reason)
}

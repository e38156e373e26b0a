package gateway

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	beatEvery  = 15 * time.Second // so that proxies and clients see that it lives
	maxPending = 1 << 20          // bytes that wait for one stream
)

// stream is one reader of /sse, which only listens (WHATWG HTML, section 9.2).
type stream struct {
	g       *Gateway
	id      string
	visitor visitor
	filter  topic.Filter
	since   time.Time
	stop    func()

	mu      sync.Mutex
	pending []core.Message // guarded by mu
	bytes   int            // guarded by mu; of payloads in pending
	why     core.Sentence  // guarded by mu; of the end
	wake    chan struct{}  // holds at most one token
}

// stream answers with the messages of a topic or filter as they come. What is
// retained is told first, so there is nothing that Last-Event-ID could add.
func (g *Gateway) stream(w http.ResponseWriter, r *http.Request) {
	if !g.fromHere(w, r) {
		return
	}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	s, err := g.newStream(r, stop)
	if err == nil {
		err = g.rooms.enter(s, "")
	}
	if err != nil {
		g.fail(w, r, err)
		return
	}
	defer g.rooms.leave(s)
	defer g.cfg.Bus.Subscribe(s.filter, s.hear)()
	s.recheck(time.Now(), true) // the grant may have gone meanwhile
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := func(text string) bool {
		_ = c.SetWriteDeadline(time.Now().Add(writeWithin))
		_, err := w.Write([]byte(text))
		return err == nil && c.Flush() == nil
	}
	ok := out(":\n\n")
	for _, m := range g.kept(s.filter).Retained {
		ok = ok && out(s.event(m))
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for ok {
		select {
		case <-ctx.Done():
			if say := s.ended(); say.Format != "" {
				why, _ := json.Marshal(map[string]string{"detail": g.cfg.Say(s.visitor.language, say)})
				out("event: end\ndata: " + string(why) + "\n\n")
			}
			return
		case <-beat.C:
			ok = out(":\n\n")
		case <-s.wake:
			var b strings.Builder
			for _, m := range s.take() {
				b.WriteString(s.event(shown(m)))
			}
			ok = out(b.String())
		}
	}
}

// newStream checks who asks for what.
func (g *Gateway) newStream(r *http.Request, stop func()) (*stream, error) {
	v, err := g.visitor(r)
	if err != nil {
		return nil, err
	}
	if v.ID == 0 {
		return nil, errSignIn
	}
	asked := r.URL.Query().Get("topic")
	if asked == "" {
		return nil, core.Fail(core.ErrInvalid, "{field} is missing. Add it.", "field", "topic")
	}
	f, err := filter(asked)
	if err != nil {
		return nil, err
	}
	f, _ = g.cfg.Authority.Authorize(v.ID, core.Subscribe, f) // its name; watchable asks
	if err := g.watchable(v.caller, f); err != nil {
		return nil, err
	}
	n := 0
	for _, x := range g.rooms.everybody() {
		if other, ok := x.(*stream); ok && other.visitor.ID == v.ID {
			n++
		}
	}
	if n >= maxOfAccount && v.ID != core.Anyone {
		return nil, errCrowded
	}
	return &stream{g: g, id: "sse-" + strings.ToLower(rand.Text()[:16]), visitor: v, filter: f, since: time.Now(), stop: stop, wake: make(chan struct{}, 1)}, nil
}

func (s *stream) event(m live) string {
	data, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	return "data: " + string(data) + "\n\n"
}

// hear takes a message on the publisher's goroutine.
func (s *stream) hear(m core.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes > maxPending {
		s.endLocked(core.Say("This stream was read too slowly and has ended. Open it again, or ask for fewer topics."))
		return
	}
	s.pending = append(s.pending, m)
	s.bytes += min(len(m.Payload), maxShown) + len(m.Topic) + 100
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *stream) take() []core.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	ms := s.pending
	s.pending, s.bytes = nil, 0
	return ms
}

// endLocked ends the stream and tells why. s.mu is held.
func (s *stream) endLocked(why core.Sentence) {
	if s.why.Format == "" {
		s.why = why
		s.stop()
	}
}

func (s *stream) ended() core.Sentence {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// recheck is part of guest.
func (s *stream) recheck(now time.Time, grants bool) {
	err := s.g.stays(&s.visitor, now)
	if err == nil && grants {
		err = s.g.stands(&s.visitor)
	}
	if err == nil && grants {
		var real topic.Filter
		if real, err = s.g.cfg.Authority.Authorize(s.visitor.ID, core.Subscribe, s.filter); err == nil && real != s.filter {
			err = core.ErrDenied
		}
	}
	if err == nil {
		return
	}
	why := core.Say("Sign in again to go on.")
	var p *core.Problem
	if errors.As(err, &p) {
		why = p.Sentence
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(why)
}

// client is part of guest.
func (s *stream) client() core.Client {
	return core.Client{ID: s.id, Account: s.visitor.ID, Addr: s.visitor.addr, Protocol: "stream", Connected: true, Since: s.since, Filters: []string{string(s.filter)}}
}

// end is part of guest.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(core.Say("A teacher has ended this connection."))
}

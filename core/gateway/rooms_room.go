package gateway

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	maxBehind = 8 << 20   // bytes of messages that a room has not handed on yet
	maxShown  = 256 << 10 // bytes of a payload that is handed on
	maxJoint  = 32 << 10  // bytes after which a frame takes no further message
)

// room is where the messages that a filter selects come in. Whoever publishes
// only puts them down here: handing a message to a thousand sockets takes a while.
// Centrifuge knows who is in the room; the room writes to them itself, each frame
// made once and without a goroutine a socket.
type room struct {
	rs      *rooms
	filter  topic.Filter
	channel string
	cancel  func()
	holds   int  // guarded by rs.mu; one while sockets are in, and one for each that is coming in
	joined  bool // guarded by rs.mu; sockets are in

	mu    sync.Mutex
	queue []core.Message // guarded by mu; in order
	bytes int            // guarded by mu; of what is in queue
	full  bool           // guarded by mu; some did not fit
	busy  bool           // guarded by mu; handOn runs

	last time.Time // of handOn

	inside  sync.Mutex
	members map[*socket]*member // guarded by inside
}

// member is a socket in a room.
type member struct {
	as     string // what it calls the channel
	coming bool   // it has no answer to its subscription yet
	held   [][]byte
	size   int // bytes in held
}

// hold returns the room of f, for as long as it is not released.
func (rs *rooms) hold(f topic.Filter) *room {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.open[f]
	if r == nil {
		r = &room{rs: rs, filter: f, channel: string(f), members: map[*socket]*member{}}
		rs.open[f] = r
		r.cancel = rs.g.cfg.Bus.Subscribe(f, r.hear)
	}
	r.holds++
	return r
}

func (rs *rooms) release(r *room) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.releaseLocked(r)
}

// releaseLocked is release with rs.mu held.
func (rs *rooms) releaseLocked(r *room) {
	if r.holds--; r.holds == 0 {
		delete(rs.open, r.filter)
		r.cancel()
	}
}

// hear puts a message down. It runs on the publisher's goroutine.
func (r *room) hear(m core.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bytes > maxBehind {
		r.full = true
		return
	}
	r.queue = append(r.queue, m)
	r.bytes += len(m.Payload) + len(m.Topic) + 100
	if !r.busy {
		r.busy = true
		go r.handOn()
	}
}

// enter adds a member, which hears nothing until it is welcome. What it is then
// told was retained may be older than what it hears, never newer than the last.
func (r *room) enter(s *socket, as string) {
	r.inside.Lock()
	defer r.inside.Unlock()
	r.members[s] = &member{as: as, coming: true}
}

// welcome tells a member what came since it entered.
func (r *room) welcome(s *socket) {
	r.inside.Lock()
	defer r.inside.Unlock()
	m := r.members[s]
	if m == nil {
		return
	}
	for _, f := range m.held {
		if !s.wire.push(f) {
			s.slow()
			break
		}
	}
	m.coming, m.held = false, nil
}

func (r *room) exit(s *socket) {
	r.inside.Lock()
	defer r.inside.Unlock()
	delete(r.members, s)
}

// pause is the time from frame to frame: what comes meanwhile goes together, for
// each frame to each socket costs some microseconds. A message into a quiet room
// does not wait.
func (r *room) pause() time.Duration {
	r.inside.Lock()
	defer r.inside.Unlock()
	return min(40*time.Millisecond, max(5*time.Millisecond, time.Duration(len(r.members))*40*time.Microsecond))
}

// handOn hands on what waits, in order, and ends when nothing is left: a quiet
// room costs no goroutine. Where the room cannot keep up, nobody in it is let to
// believe to have everything.
func (r *room) handOn() {
	for {
		time.Sleep(r.pause() - time.Since(r.last))
		r.last = time.Now()
		r.mu.Lock()
		messages, full := r.queue, r.full
		r.queue, r.bytes, r.full = nil, 0, false
		if len(messages) == 0 {
			r.busy = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		var together [][]byte
		size := 0
		for _, m := range messages {
			data, err := json.Marshal(shown(m))
			if err != nil {
				continue // there is nothing in it that could fail
			}
			together = append(together, data)
			if size += len(data); size > maxJoint {
				r.tell(together)
				together, size = nil, 0
			}
		}
		r.tell(together)
		if full {
			r.inside.Lock()
			for s := range r.members {
				s.slow()
			}
			r.inside.Unlock()
		}
	}
}

// tell writes messages to everybody.
func (r *room) tell(ms [][]byte) {
	if len(ms) == 0 {
		return
	}
	r.inside.Lock()
	defer r.inside.Unlock()
	frames := map[string][]byte{} // by what the channel is called
	for s, m := range r.members {
		f := frames[m.as]
		if f == nil {
			f = pushes(m.as, ms)
			frames[m.as] = f
		}
		switch {
		case !m.coming:
			if !s.wire.push(f) {
				s.slow()
			}
		case m.size > maxWaiting:
			s.slow()
		default:
			m.held = append(m.held, f)
			m.size += len(f)
		}
	}
}

// pushes returns a frame with ms as centrifuge writes publications.
func pushes(channel string, ms [][]byte) []byte {
	name, err := json.Marshal(channel)
	if err != nil {
		return nil
	}
	var b bytes.Buffer
	for i, m := range ms {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(pushed)
		b.Write(name)
		b.WriteString(`,"pub":{"data":`)
		b.Write(m)
		b.WriteString(`}}}`)
	}
	return textFrame(b.Bytes())
}

// live is a message as sockets and streams get it.
type live struct {
	message
	// Omitted is the size in bytes of a payload that is too large for here.
	Omitted int `json:"omitted,omitempty"`
}

func shown(m core.Message) live {
	l := live{message: message{Topic: string(m.Topic), QoS: m.QoS, Retain: m.Retain, At: m.At}}
	if len(m.Payload) > maxShown {
		l.Omitted, m.Payload = len(m.Payload), nil
	}
	l.Content = newContent(m.Payload)
	return l
}

// kept is the answer to a subscription: its real name and what is retained there.
type kept struct {
	Topic    topic.Filter `json:"topic"`
	Retained []live       `json:"retained"`
	More     bool         `json:"more,omitempty"` // there is more than fits in here
}

func (g *Gateway) kept(f topic.Filter) kept {
	k := kept{Topic: f, Retained: []live{}}
	size := 0
	for _, m := range g.cfg.Broker.Retained(f, maxKept+1) {
		if size += min(len(m.Payload), maxShown); len(k.Retained) == maxKept || size > maxKeptBytes && len(k.Retained) > 0 {
			k.More = true
			break
		}
		l := shown(m)
		l.Retain = true
		k.Retained = append(k.Retained, l)
	}
	return k
}

// RegisterBrokerEventHandler is part of centrifuge.Broker.
func (rs *rooms) RegisterBrokerEventHandler(centrifuge.BrokerEventHandler) error { return nil }

// Subscribe is part of centrifuge.Broker: somebody is in the channel. It may say so
// more than once.
func (rs *rooms) Subscribe(channel string) error {
	r := rs.hold(topic.Filter(channel))
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r.joined {
		r.holds--
	}
	r.joined = true
	return nil
}

// Unsubscribe is part of centrifuge.Broker: nobody is in the channel any more. It
// says so a second late, when vacate has done the work.
func (rs *rooms) Unsubscribe(channel string) error {
	rs.vacate(channel)
	return nil
}

// exit takes a socket out of a room, and ends the room if nobody is left.
func (rs *rooms) exit(s *socket, channel string) {
	rs.mu.Lock()
	r := rs.open[topic.Filter(channel)]
	rs.mu.Unlock()
	if r != nil {
		r.exit(s)
	}
	rs.vacate(channel)
}

// vacate ends a room if nobody is in it.
func (rs *rooms) vacate(channel string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.open[topic.Filter(channel)]
	if r != nil && r.joined && rs.node.Hub().NumSubscribers(channel) == 0 {
		r.joined = false
		rs.releaseLocked(r)
	}
}

// Publish is part of centrifuge.Broker. Sockets publish at our broker instead.
func (rs *rooms) Publish(string, []byte, centrifuge.PublishOptions) (centrifuge.StreamPosition, bool, error) {
	return centrifuge.StreamPosition{}, false, centrifuge.ErrorNotAvailable
}

// PublishJoin is part of centrifuge.Broker. Who watches is asked for.
func (rs *rooms) PublishJoin(string, *centrifuge.ClientInfo) error { return nil }

// PublishLeave is part of centrifuge.Broker.
func (rs *rooms) PublishLeave(string, *centrifuge.ClientInfo) error { return nil }

// History is part of centrifuge.Broker. REST has it.
func (rs *rooms) History(string, centrifuge.HistoryOptions) ([]*centrifuge.Publication, centrifuge.StreamPosition, error) {
	return nil, centrifuge.StreamPosition{}, centrifuge.ErrorNotAvailable
}

// RemoveHistory is part of centrifuge.Broker.
func (rs *rooms) RemoveHistory(string) error { return centrifuge.ErrorNotAvailable }

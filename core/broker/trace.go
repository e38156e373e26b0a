package broker

import (
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// trace is somebody who asks which messages reached whom.
type trace struct {
	wants func(topic.Name) bool
	sink  func(core.Delivery)
}

// Deliveries calls sink with every message that reached a client, until cancel
// has been called; a call that is under way then may still end after it. wants
// is asked once a message, before it is delivered.
//
// A message of QoS 0 has reached a client when it is in the buffer of its
// connection, which is written at once or as soon as the network takes it; one
// of QoS 1 or 2 when the client has acknowledged it for good (PUBACK, PUBCOMP).
// A client of MQTT 5 that answers with a failure did not get it. What a session
// was owed since before the program started has no number and is not told, nor
// is what the program itself reads.
//
// sink and wants run on the goroutines of clients while their sessions are
// locked: they must not wait, nor ask the broker anything. sink may be told of a
// message before Config.Sink is. There is one who asks: a second call takes the
// place of the first.
func (b *Broker) Deliveries(wants func(topic.Name) bool, sink func(core.Delivery)) (cancel func()) {
	t := &trace{wants, sink}
	b.trace.Store(t)
	return func() { b.trace.CompareAndSwap(t, nil) }
}

// traces reports whether the deliveries of what is published to n are told.
func (b *Broker) traces(n topic.Name) bool {
	t := b.trace.Load()
	return t != nil && t.wants(n)
}

// reached tells that the client has m. s.mu is held.
func (s *session) reached(m *message, acked bool) {
	if !m.traced {
		return
	}
	if t := s.b.trace.Load(); t != nil {
		t.sink(core.Delivery{N: m.N, Topic: m.Topic, Client: s.id, Account: s.account, At: time.Now(), Acked: acked})
	}
}

package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

// maxClientID is the longest MQTT Client Identifier that is accepted, in bytes.
const maxClientID = 256

// maxFilters is the largest number of topic filters of one session.
const maxFilters = 10_000

// door is where the engine meets the broker: it asks who may come in, and
// hands over every publish before it is acknowledged.
type door struct {
	mqtt.HookBase
	b       *Broker
	counter atomic.Uint64
}

// newEngine returns mochi with everything switched off that is ours: it keeps
// no sessions (each connection has a name of its own), no retained messages,
// delivers nothing and forgets nothing by itself.
func newEngine(b *Broker) (*mqtt.Server, error) {
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumMessageExpiryInterval = 0 // 24 h would delete retained messages overnight
	caps.MaximumClientWritesPending = 1   // a queue of 64 KiB a client that is never used
	caps.MaximumPacketSize = MaxPacket
	caps.ReceiveMaximum = window
	caps.TopicAliasMaximum = 64
	caps.Compatibilities.NoInheritedPropertiesOnAck = true
	// The engine would log whole packets, passwords with them.
	engine := mqtt.New(&mqtt.Options{Capabilities: caps, Logger: slog.New(slog.DiscardHandler), SysTopicResendInterval: 1 << 30})
	return engine, engine.AddHook(&door{b: b}, nil)
}

func (d *door) ID() string { return "door" }

func (d *door) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnSessionEstablished, mqtt.OnACLCheck, mqtt.OnPacketRead,
		mqtt.OnPublish, mqtt.OnSubscribed, mqtt.OnUnsubscribed, mqtt.OnPacketProcessed, mqtt.OnPacketEncode:
		return true
	}
	return false
}

// OnConnect decides about a connection. What it refuses, it answers.
func (d *door) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	c := cl.Net.Conn.(*conn)
	c.clientID, c.name, c.version = cl.ID, string(pk.Connect.Username), pk.ProtocolVersion
	c.keepalive = time.Duration(pk.Connect.Keepalive) * time.Second
	c.maxPacket = MaxPacket * 2
	if n := pk.Properties.MaximumPacketSize; n > 0 {
		c.maxPacket = int(n)
	}
	code, err := d.connect(c, pk)
	if err != nil {
		d.b.refuse(c, sentence(err))
		if c.version < 5 && (code == packets.ErrNotAuthorized || code == packets.ErrTopicNameInvalid) {
			code = packets.Err3NotAuthorized // the engine translates only some codes (v2.7.9)
		}
		return errors.Join(err, d.b.engine.SendConnack(cl, code, false, nil))
	}
	// From here on the engine must not remember anything by itself.
	c.suffix = fmt.Sprintf("#%d", d.counter.Add(1))
	cl.ID = c.clientID + c.suffix
	cl.Properties.Will = mqtt.Will{}
	cl.Properties.Clean = true
	cl.Properties.Props.SessionExpiryInterval = 0
	if c.version < 5 { // it was never told our Receive Maximum
		cl.State.Inflight.ResetReceiveQuota(math.MaxUint16)
	}
	return nil
}

// connect checks who is there and what the CONNECT asks for.
func (d *door) connect(c *conn, pk packets.Packet) (packets.Code, error) {
	if len(c.clientID) > maxClientID {
		return packets.ErrClientIdentifierNotValid, core.Fail(core.ErrInvalid, "The client ID of {name} is {n} bytes long. Use at most {max}.", "name", c.title(), "n", len(c.clientID), "max", maxClientID)
	}
	account, err := d.b.cfg.Gate.Authenticate(context.Background(), c.name, string(pk.Connect.Password), c.clientID, c.host())
	if err != nil {
		return packets.ErrBadUsernameOrPassword, err
	}
	c.account = account
	var w *will
	if pk.Connect.WillFlag {
		name, err := topic.ParseName(pk.Connect.WillTopic)
		if err != nil || strings.HasPrefix(pk.Connect.WillTopic, "$") {
			return packets.ErrTopicNameInvalid, core.Fail(core.ErrInvalid, "The will of {name} has the topic {topic}, which is not allowed: no + or #, no $ in front, at most {max} bytes.", "name", c.title(), "topic", short(pk.Connect.WillTopic), "max", topic.MaxLen)
		}
		if err := d.b.may(account.ID, core.Publish, topic.Filter(name)); err != nil {
			return packets.ErrNotAuthorized, err
		}
		now := time.Now()
		m := newMessage(core.Message{Topic: name, Payload: pk.Connect.WillPayload, QoS: pk.Connect.WillQos, Retain: pk.Connect.WillRetain, From: account.ID, Client: c.clientID, At: now}, properties{})
		m.props.from(pk.Connect.WillProperties, now)
		w = &will{m: m, delay: time.Duration(pk.Connect.WillProperties.WillDelayInterval) * time.Second,
			expires: time.Duration(pk.Connect.WillProperties.MessageExpiryInterval) * time.Second}
	}
	expiry := uint32(0)
	switch {
	case c.version == 5:
		expiry = pk.Properties.SessionExpiryInterval
	case !pk.Connect.Clean:
		expiry = never
	}
	if _, err := d.b.open(c, pk.Connect.Clean, expiry, pk.Properties.ReceiveMaximum); err != nil {
		return packets.ErrClientIdentifierNotValid, err
	}
	c.mu.Lock()
	c.will = w
	c.mu.Unlock()
	return packets.CodeSuccess, nil
}

// OnConnectAuthenticate lets in whom OnConnect let through.
func (d *door) OnConnectAuthenticate(cl *mqtt.Client, _ packets.Packet) bool {
	return cl.Net.Conn.(*conn).session != nil
}

// OnSessionEstablished runs when the CONNACK is written.
func (d *door) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	c := cl.Net.Conn.(*conn)
	c.session.attach(c)
	if !d.b.current(c.account.ID, c.account.Version) { // it changed while it was let in
		c.session.recheck()
	}
	d.b.cfg.Feed.Tell(core.ClientsChanged)
}

// OnPacketEncode corrects what the engine cannot know.
func (d *door) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	switch pk.FixedHeader.Type {
	case packets.Connack:
		c := cl.Net.Conn.(*conn)
		pk.SessionPresent = pk.ReasonCode == 0 && c.present
		if c.version < 5 {
			pk.ReasonCode = beforeFive(pk.ReasonCode)
		}
	case packets.Puback:
		if pk.ReasonCode < packets.ErrUnspecifiedError.Code {
			pk.ReasonCode = 0 // the engine puts the QoS here (v2.7.9)
		}
	}
	return pk
}

// beforeFive returns the CONNACK return code of MQTT 3 (3.1.1, section 3.2.2.3)
// for what the engine answers before our hooks are asked (v2.7.9).
func beforeFive(code byte) byte {
	switch {
	case code < packets.ErrUnspecifiedError.Code:
		return code
	case code == packets.ErrUnspecifiedError.Code: // an empty client ID that wants a session
		return packets.Err3ClientIdentifierNotValid.Code
	case code == packets.ErrProtocolViolation.Code, code == packets.ErrUnsupportedProtocolVersion.Code:
		return packets.Err3UnsupportedProtocolVersion.Code
	}
	return packets.Err3NotAuthorized.Code
}

// OnPacketRead sees each packet before the engine acts on it.
func (d *door) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	c := cl.Net.Conn.(*conn)
	switch pk.FixedHeader.Type {
	case packets.Publish:
		if strings.ContainsAny(pk.TopicName, "+#") { // the engine would neither answer nor close
			d.b.refuse(c, core.Say("{name} published to {topic} and was disconnected. A topic to publish to has no + or #.", "name", c.title(), "topic", short(pk.TopicName)))
			c.disconnect(packets.ErrTopicNameInvalid)
			return pk, packets.ErrTopicNameInvalid
		}
		if len(pk.TopicName) >= 4 && strings.EqualFold(pk.TopicName[:4], "$SYS") {
			pk.TopicName = "$" // the engine would not answer; OnPublish does
		}
	case packets.Subscribe:
		c.vacant = maxFilters - c.session.filters()
	case packets.Pubrel: // stored as released before the PUBCOMP
		c.hold(c.session.release(pk.PacketID))
	case packets.Disconnect:
		if pk.Properties.SessionExpiryIntervalFlag && c.session != nil {
			if pk.Properties.SessionExpiryInterval > 0 && c.session.expiryNow() == 0 {
				return pk, packets.ErrProtocolViolationZeroNonZeroExpiry
			}
			c.session.mu.Lock()
			c.session.setExpiry(pk.Properties.SessionExpiryInterval)
			c.session.mu.Unlock()
			pk.Properties.SessionExpiryIntervalFlag = false
		}
	}
	return pk, nil
}

// OnPublish is the door itself. It stores and delivers, then lets the engine
// acknowledge; the acknowledgement waits in conn until the journal has stored.
func (d *door) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	c := cl.Net.Conn.(*conn)
	s := c.session
	var first []Entry
	if pk.FixedHeader.Qos == 2 && s.seen(pk.PacketID) {
		c.hold(d.b.journal.position()) // perhaps it is not stored yet
		return pk, packets.CodeSuccessIgnore
	}
	if err := d.allowed(c, pk.TopicName); err != nil {
		d.b.refuse(c, sentence(err))
		return pk, d.discard(cl, pk, err)
	}
	if pk.FixedHeader.Qos == 2 {
		first = s.receive(pk.PacketID)
	}
	now := time.Now()
	m := newMessage(core.Message{Topic: topic.Name(pk.TopicName), Payload: pk.Payload, QoS: pk.FixedHeader.Qos, Retain: pk.FixedHeader.Retain, From: c.account.ID, Client: c.clientID, At: now}, properties{})
	if pk.ProtocolVersion == 5 {
		m.props.from(pk.Properties, now)
	}
	c.hold(d.b.accepted(m, first))
	return pk, packets.CodeSuccessIgnore
}

func (d *door) allowed(c *conn, name string) error {
	if strings.HasPrefix(name, "$") {
		return core.Fail(core.ErrDenied, "Topics that begin with $ belong to the broker. Publish to another topic.")
	}
	n, err := topic.ParseName(name)
	if err != nil {
		return core.Fail(core.ErrInvalid, "{name} published to a topic that is not allowed: {topic}. Use at most {max} bytes and {levels} levels of valid text.", "name", c.title(), "topic", short(name), "max", topic.MaxLen, "levels", topic.MaxLevels)
	}
	return d.b.may(c.account.ID, core.Publish, topic.Filter(n))
}

// discard answers a publish that was refused. Before MQTT 5 there is no way to
// say no: it is acknowledged and dropped (MQTT 3.1.1, section 3.3.5), and the
// person reads it in the window.
func (d *door) discard(cl *mqtt.Client, pk packets.Packet, err error) error {
	if pk.ProtocolVersion < 5 || pk.FixedHeader.Qos == 0 {
		return packets.CodeSuccessIgnore
	}
	code := packets.ErrNotAuthorized
	if errors.Is(err, core.ErrInvalid) {
		code = packets.ErrTopicNameInvalid
	}
	kind := packets.Puback
	if pk.FixedHeader.Qos == 2 {
		kind = packets.Pubrec
	}
	_ = cl.WritePacket(packets.Packet{FixedHeader: packets.FixedHeader{Type: kind}, PacketID: pk.PacketID, ReasonCode: code.Code,
		Properties: packets.Properties{ReasonString: sentence(err).String()}})
	return packets.ErrRejectPacket
}

// OnACLCheck decides about each filter of a SUBSCRIBE. Publishes are decided
// in OnPublish, where topic aliases are resolved.
func (d *door) OnACLCheck(cl *mqtt.Client, filter string, write bool) bool {
	if write {
		return true
	}
	c := cl.Net.Conn.(*conn)
	f, err := topic.ParseFilter(filter)
	if err != nil {
		d.b.refuse(c, core.Say("{name} subscribed to {filter}, which is not a filter: + and # stand alone in a level, # only at the end.", "name", c.title(), "filter", short(filter)))
		return false
	}
	if err := d.b.may(c.account.ID, core.Subscribe, f); err != nil {
		d.b.refuse(c, sentence(err))
		return false
	}
	if c.vacant--; c.vacant < 0 {
		d.b.refuse(c, core.Say("{name} has {n} subscriptions already. Use a wildcard instead of one filter a topic.", "name", c.title(), "n", maxFilters))
		return false
	}
	return true
}

// OnSubscribed adds what the engine has granted; the SUBACK waits for the journal.
func (d *door) OnSubscribed(cl *mqtt.Client, pk packets.Packet, codes []byte) {
	c := cl.Net.Conn.(*conn)
	for i, f := range pk.Filters {
		sub, err := newSubscription(Subscription{Client: c.clientID, Filter: f.Filter, QoS: f.Qos, NoLocal: f.NoLocal, RetainAsPublished: f.RetainAsPublished, Identifier: f.Identifier})
		if codes[i] > 2 || err != nil {
			continue
		}
		at, existed := c.session.subscribe(sub)
		c.hold(at)
		since := time.Now()
		if err := d.b.may(c.account.ID, core.Subscribe, sub.filter); err != nil { // revoked meanwhile
			c.hold(c.session.unsubscribe(f.Filter))
			codes[i] = packets.ErrNotAuthorized.Code
			if c.version < 5 {
				codes[i] = packets.ErrUnspecifiedError.Code
			}
			continue
		}
		if f.RetainHandling == 2 || f.RetainHandling == 1 && existed || sub.group != "" {
			continue // MQTT 5.0, sections 3.8.3.1 and 4.8.2
		}
		c.due = append(c.due, retainedFor{c, sub, since}) // sent when the SUBACK is written
	}
}

// retainedFor says that a new subscription is owed what was retained before it.
type retainedFor struct {
	c     *conn
	sub   *subscription
	since time.Time
}

// OnUnsubscribed removes subscriptions; the UNSUBACK waits for the journal.
func (d *door) OnUnsubscribed(cl *mqtt.Client, pk packets.Packet) {
	c, ok := cl.Net.Conn.(*conn)
	if !ok || c.session == nil || cl.Closed() { // the engine cleans up its own index
		return
	}
	for _, f := range pk.Filters {
		c.hold(c.session.unsubscribe(f.Filter))
	}
}

// OnPacketProcessed runs after the engine has answered a packet.
func (d *door) OnPacketProcessed(cl *mqtt.Client, pk packets.Packet, err error) {
	c := cl.Net.Conn.(*conn)
	if err != nil || c.session == nil {
		return
	}
	if pk.FixedHeader.Type == packets.Subscribe {
		c.session.owe(c.due)
		c.due = nil
	}
}

func (s *session) filters() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.subs)
}

// seen reports whether an inbound QoS 2 message was taken before.
func (s *session) seen(packet uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.received[packet]
	return ok
}

// receive remembers an inbound QoS 2 message until it is released, and returns
// what the journal must store together with it.
func (s *session) receive(packet uint16) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received[packet] = struct{}{}
	if s.expiry == 0 {
		return nil
	}
	return []Entry{{PutReceived: &Received{s.id, packet}}}
}

// release forgets an inbound QoS 2 message and returns the journal position
// that stores it, or 0.
func (s *session) release(packet uint16) (at uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.received[packet]; !ok {
		return 0
	}
	delete(s.received, packet)
	if s.expiry == 0 {
		return 0
	}
	return s.b.journal.add(Entry{DropReceived: &Received{s.id, packet}})
}

// sentence returns what a person reads of err.
func sentence(err error) core.Sentence {
	var p *core.Problem
	if errors.As(err, &p) {
		return p.Sentence
	}
	return core.Say("{reason}", "reason", err)
}

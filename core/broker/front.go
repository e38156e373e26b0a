package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mochi-mqtt/server/v2/packets"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	maxClientID = 256    // bytes of an MQTT Client Identifier
	maxFilters  = 10_000 // topic filters of one session
	maxAliases  = 64     // Topic Aliases of one connection
)

// What a CONNACK says before MQTT 5 (MQTT 3.1.1, section 3.2.2.3).
var beforeFive = map[byte]byte{
	packets.ErrUnsupportedProtocolVersion.Code: packets.Err3UnsupportedProtocolVersion.Code,
	packets.ErrClientIdentifierNotValid.Code:   packets.Err3ClientIdentifierNotValid.Code,
	packets.ErrServerUnavailable.Code:          packets.Err3ServerUnavailable.Code,
	packets.ErrServerBusy.Code:                 packets.Err3ServerUnavailable.Code,
	packets.ErrQuotaExceeded.Code:              packets.Err3ServerUnavailable.Code,
}

// errDone ends a connection that has said goodbye.
var errDone = errors.New("disconnected")

// run speaks MQTT with a client until either side ends it, and reports whether
// the client said goodbye, so that its will is not published.
func (c *conn) run() (clean bool) {
	defer func() {
		c.wakes.flush()
		if c.expires != nil {
			c.expires.Stop()
		}
	}()
	f, err := c.next()
	if err == nil {
		err = c.connect(f)
	}
	for err == nil {
		if f, err = c.next(); err != nil {
			break
		}
		if c.b.xray.on() {
			c.b.xray.see(c.seen(), true, f)
		}
		err = c.packet(f)
		if c.taken++; c.taken >= together {
			c.taken = 0
			c.wakes.flush()
		}
	}
	var code packets.Code
	switch told := (errTold{}); {
	case errors.Is(err, errDone):
		return true
	case errors.As(err, &told) && errors.As(err, &code):
		c.disconnect(code)
	case errors.As(err, &code):
		c.malformed(code)
	case errors.Is(err, os.ErrDeadlineExceeded) && c.session != nil:
		c.disconnect(packets.ErrKeepAliveTimeout)
	}
	return false
}

// malformed ends a connection that broke the protocol, and tells why.
func (c *conn) malformed(code packets.Code) {
	if c.session != nil {
		c.b.refuse(c, refused{}, core.Say("{name} broke the MQTT protocol and was disconnected: {reason}. Look for a fault in its MQTT library, or try another one.", "name", c.title(), "reason", code.Reason))
	}
	c.disconnect(code)
}

// packet acts on a packet of a client that is signed in. What it returns ends
// the connection: a reason code is told first.
func (c *conn) packet(f []byte) error {
	flags, r := f[0]&0x0f, reader{rest: f[head(f):]}
	kind := f[0] >> 4
	switch want := byte(0); kind {
	case packets.Publish:
		return c.publish(f, &r)
	case packets.Pubrel, packets.Subscribe, packets.Unsubscribe:
		want = 2
		if c.version == 3 {
			flags &^= 8 // DUP, when it comes again (MQTT 3.1, section 2.1)
		}
		fallthrough
	default:
		if flags != want { // section 2.1.3
			return packets.ErrMalformedFlags
		}
	}
	switch kind {
	case packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp:
		return c.acknowledged(kind, &r)
	case packets.Subscribe:
		return c.subscribe(&r)
	case packets.Unsubscribe:
		return c.unsubscribe(&r)
	case packets.Pingreq:
		if r.end(); r.code.Code != 0 {
			return r.code
		}
		return c.write([]byte{packets.Pingresp << 4, 0}, 0)
	case packets.Disconnect:
		return c.goodbye(&r)
	case packets.Connect:
		return packets.ErrProtocolViolationSecondConnect // section 3.1
	}
	return packets.ErrProtocolViolation // AUTH among them: no method was agreed on (section 4.12)
}

// connect answers the CONNECT packet.
func (c *conn) connect(f []byte) error {
	pk, code := decodeConnect(f)
	c.clientID, c.name, c.version = pk.Connect.ClientIdentifier, string(pk.Connect.Username), pk.ProtocolVersion
	c.quiet = pk.Properties.RequestProblemInfoFlag && pk.Properties.RequestProblemInfo == 0
	if n := pk.Properties.MaximumPacketSize; n > 0 {
		c.maxPacket = int(min(n, MaxPacket*2))
	}
	switch {
	case code.Code == packets.ErrUnsupportedProtocolVersion.Code, code.Code != 0 && c.version == 5:
		c.refuseConnect(code, nil)
		return io.EOF
	case code.Code != 0: // before MQTT 5 there is no answer to it (MQTT 3.1.1, section 4.8)
		return io.EOF
	case c.version < 5 && c.clientID == "" && (c.version == 3 || !pk.Connect.Clean): // MQTT 3.1.1, section 3.1.3.1
		c.refuseConnect(packets.ErrClientIdentifierNotValid, core.Fail(core.ErrInvalid, "{name} connected without a client ID. Give it one in its sketch, or let it start with a clean session.", "name", c.title()))
		return io.EOF
	}
	assigned := ""
	if c.clientID == "" {
		assigned = "auto-" + strings.ToLower(rand.Text()[:16])
		c.clientID = assigned
	}
	if c.b.xray.on() {
		c.b.xray.see(c.seen(), true, f)
	}
	present, code, err := c.admit(pk)
	if err != nil {
		c.refuseConnect(code, err)
		return io.EOF
	}
	c.keepalive = time.Duration(pk.Connect.Keepalive) * time.Second
	c.signedIn()
	ack := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}, SessionPresent: present,
		Properties: packets.Properties{AssignedClientID: assigned, ReceiveMaximum: window, TopicAliasMaximum: maxAliases,
			MaximumPacketSize: uint32(min(MaxPacket, c.usage.limits().Packet))}}
	if err := c.write(encode(c, ack), 0); err != nil {
		return err
	}
	c.session.attach(c, &c.wakes)
	c.session.recheck() // accounts may have changed while it was let in
	if end := c.account.Until; !end.IsZero() {
		c.expires = time.AfterFunc(time.Until(end), func() { c.disconnect(packets.ErrNotAuthorized) })
	}
	c.b.cfg.Feed.Tell(core.ClientsChanged)
	return nil
}

// refuseConnect answers a CONNECT with a no. err, where there is one, is told to
// people too.
func (c *conn) refuseConnect(code packets.Code, err error) {
	ack := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}, ReasonCode: code.Code}
	if err != nil {
		ack.Properties.ReasonString = sentence(err).String()
		if told := (errTold{}); !errors.As(err, &told) {
			c.b.refuse(c, refused{}, sentence(err))
		}
	}
	if c.version < 5 {
		v3, ok := beforeFive[code.Code]
		if !ok {
			v3 = packets.Err3NotAuthorized.Code
		}
		ack.ReasonCode = v3
	}
	_ = c.write(encode(c, ack), 0)
}

// decodeConnect reads a CONNECT packet (MQTT 5.0, section 3.1). Its version is
// known where the code says that anything else is wrong.
func decodeConnect(f []byte) (pk packets.Packet, code packets.Code) {
	r := &reader{rest: f[head(f):]}
	if f[0]&0x0f != 0 {
		return pk, packets.ErrMalformedFlags
	}
	name, level := string(r.text()), r.byte()
	switch {
	case r.code.Code != 0:
		return pk, r.code
	case name == "MQIsdp" && level == 3, name == "MQTT" && (level == 4 || level == 5):
		pk.ProtocolVersion = level
	case name == "MQIsdp" || name == "MQTT":
		return pk, packets.ErrUnsupportedProtocolVersion
	default:
		return pk, packets.ErrProtocolViolationProtocolName
	}
	flags := r.byte()
	to := &pk.Connect
	to.Clean, to.WillFlag, to.WillQos, to.WillRetain = flags&2 != 0, flags&4 != 0, flags>>3&3, flags&0x20 != 0
	to.PasswordFlag, to.UsernameFlag = flags&0x40 != 0, flags&0x80 != 0
	switch {
	case flags&1 != 0, to.WillQos == 3, !to.WillFlag && flags&0x38 != 0:
		return pk, packets.ErrMalformedFlags
	case pk.ProtocolVersion < 5 && to.PasswordFlag && !to.UsernameFlag: // MQTT 3.1.1, section 3.1.2.9
		return pk, packets.ErrMalformedFlags
	}
	to.Keepalive = r.uint16()
	if pk.ProtocolVersion == 5 {
		pk.Properties = r.properties(packets.Connect)
	}
	to.ClientIdentifier = string(r.text())
	if to.WillFlag {
		if pk.ProtocolVersion == 5 {
			to.WillProperties = r.properties(packets.WillProperties)
		}
		to.WillTopic, to.WillPayload = string(r.text()), append([]byte{}, r.binary()...)
	}
	if to.UsernameFlag {
		to.Username = append([]byte{}, r.text()...)
	}
	if to.PasswordFlag {
		to.Password = append([]byte{}, r.binary()...)
	}
	r.end()
	switch p := pk.Properties; {
	case r.code.Code != 0:
		return pk, r.code
	case p.AuthenticationMethod != "":
		return pk, packets.ErrBadAuthenticationMethod
	case p.AuthenticationData != nil: // without a method (section 3.1.2.11.10)
		return pk, packets.ErrProtocolViolation
	}
	return pk, code
}

// admit checks who is there and what the CONNECT asks for, and opens its session.
func (c *conn) admit(pk packets.Packet) (present bool, code packets.Code, err error) {
	if len(c.clientID) > maxClientID {
		return false, packets.ErrClientIdentifierNotValid, core.Fail(core.ErrInvalid, "The client ID of {name} is {n} bytes long. Use at most {max}.", "name", c.title(), "n", len(c.clientID), "max", maxClientID)
	}
	ctx, cancel := context.WithDeadline(context.Background(), c.opened.Add(connectWithin))
	defer cancel()
	c.account, err = c.b.cfg.Gate.Authenticate(ctx, c.name, string(pk.Connect.Password), c.clientID, c.host())
	switch {
	case errors.Is(err, core.ErrConflict):
		return false, packets.ErrClientIdentifierNotValid, err
	case err != nil:
		return false, packets.ErrBadUsernameOrPassword, err
	}
	var w *will
	if pk.Connect.WillFlag {
		if w, code, err = c.newWill(pk.Connect); err != nil {
			return false, code, err
		}
	}
	expiry := uint32(0)
	switch {
	case c.version == 5:
		expiry = pk.Properties.SessionExpiryInterval
	case !pk.Connect.Clean:
		expiry = never
	}
	return c.b.open(c, w, pk.Connect.Clean, expiry, pk.Properties.ReceiveMaximum)
}

func (c *conn) newWill(from packets.ConnectParams) (*will, packets.Code, error) {
	name, err := topic.ParseName(from.WillTopic)
	if err != nil || from.WillTopic[0] == '$' {
		return nil, packets.ErrTopicNameInvalid, core.Fail(core.ErrInvalid, "The will of {name} has the topic {topic}, which is not allowed: no + or #, no $ in front, at most {max} bytes.", "name", c.title(), "topic", short(from.WillTopic), "max", topic.MaxLen)
	}
	real, err := c.b.cfg.Gate.Authorize(c.account.ID, core.Publish, topic.Filter(name))
	if err != nil {
		c.b.refuse(c, refused{core.Publish, real}, sentence(err))
		return nil, packets.ErrNotAuthorized, errTold{err}
	}
	now := time.Now()
	m := newMessage(core.Message{Topic: topic.Name(real), Payload: from.WillPayload, QoS: from.WillQos, Retain: from.WillRetain, From: c.account.ID, Client: c.clientID, At: now}, newProperties(from.WillProperties, now))
	c.mountResponse(m)
	return &will{m: m, delay: time.Duration(from.WillProperties.WillDelayInterval) * time.Second,
		expires: time.Duration(from.WillProperties.MessageExpiryInterval) * time.Second}, packets.CodeSuccess, nil
}

// mountResponse gives the Response Topic of m its real name.
func (c *conn) mountResponse(m *message) {
	if m.props == nil || m.props.Response == "" || !c.account.Mounted {
		return
	}
	if f, err := topic.ParseName(m.props.Response); err == nil {
		real, _ := c.b.cfg.Gate.Authorize(c.account.ID, core.Publish, topic.Filter(f)) // who answers needs the permission
		m.props.Response = string(real)
	}
}

// publish takes an Application Message (section 3.3). It is stored and delivered
// here; the acknowledgement waits in conn until the journal has stored it.
func (c *conn) publish(f []byte, r *reader) error {
	size := len(f)
	qos, dup, retain := f[0]>>1&3, f[0]&8 != 0, f[0]&1 != 0
	if qos == 3 || dup && qos == 0 {
		return packets.ErrMalformedFlags
	}
	raw, id := r.text(), uint16(0)
	if qos > 0 {
		id = r.id()
	}
	var props *properties
	var alias uint16
	plain := c.version < 5
	now := time.Now()
	if c.version == 5 {
		if plain = len(r.rest) > 0 && r.rest[0] == 0; plain {
			r.take(1)
		} else {
			p := r.properties(packets.Publish)
			if alias = p.TopicAlias; len(p.SubscriptionIdentifier) > 0 { // section 3.3.4
				r.fail(packets.ErrProtocolViolationSurplusSubID)
			}
			props = newProperties(p, now)
		}
	}
	if r.code.Code != 0 {
		return r.code
	}
	name, err := c.resolve(raw, alias)
	if err != nil {
		return err
	}
	if wait := c.usage.take(now, size); wait > 0 {
		c.slow(wait)
	}
	if err := c.b.journal.room(c); err != nil {
		return err
	}
	if qos > 0 && c.version == 5 && c.session.unreleased()+c.unacknowledged() >= window && !(qos == 2 && c.session.seen(id)) {
		return packets.ErrReceiveMaximum // section 3.3.4
	}
	if qos == 2 && c.session.seen(id) {
		c.after = c.b.journal.position() // perhaps it is not stored yet
		return c.write(acknowledgement(packets.Pubrec, id), c.after)
	}
	real, code, err := c.mayPublish(name, r.rest, props)
	if err != nil {
		c.b.refuse(c, refused{core.Publish, real}, sentence(err))
		return c.reject(qos, id, code, err)
	}
	m := newMessage(core.Message{Topic: topic.Name(real), Payload: r.rest, QoS: qos, Retain: retain, From: c.account.ID, Client: c.clientID, At: now}, props)
	if props != nil {
		c.mountResponse(m)
	}
	if retain && !c.b.router.mayRetain(m) {
		err := tooMuchRetained()
		c.b.refuse(c, refused{}, sentence(err))
		return c.reject(qos, id, packets.ErrQuotaExceeded, err)
	}
	if plain && alias == 0 && len(real) == len(raw) && head(f) == 1+lengthSize(len(f)-head(f)) {
		m.came(f, c.version == 5)
	}
	var first func() (uint64, bool)
	if qos == 2 {
		first = func() (uint64, bool) { return c.session.receive(c, id) }
	}
	at, ok := c.b.acceptedOnce(m, first, &c.wakes)
	if !ok {
		return errClosed
	}
	c.after = max(c.after, at)
	switch qos {
	case 1:
		return c.acknowledge(acknowledgement(packets.Puback, id))
	case 2:
		return c.write(acknowledgement(packets.Pubrec, id), c.after)
	}
	return nil
}

// resolve returns the topic name of a PUBLISH (sections 3.3.2.1 and 3.3.2.3.4).
func (c *conn) resolve(raw []byte, alias uint16) (string, error) {
	name := c.last
	if string(raw) != name {
		name = string(raw)
	}
	switch {
	case alias > maxAliases:
		return "", packets.ErrTopicAliasInvalid
	case name == "" && alias == 0:
		return "", packets.ErrProtocolViolationNoTopic
	case name == "":
		known, ok := c.aliases[alias]
		if !ok {
			return "", packets.ErrProtocolViolation
		}
		return known, nil
	case len(name) > topic.MaxLen: // the refusal follows; nothing remembers it
		return name, nil
	case strings.ContainsAny(name, "+#"):
		c.b.refuse(c, refused{}, core.Say("{name} published to {topic} and was disconnected. A topic to publish to has no + or #.", "name", c.title(), "topic", short(name)))
		return "", errTold{packets.ErrTopicNameInvalid}
	}
	if alias > 0 {
		if c.aliases == nil {
			c.aliases = map[uint16]string{}
		}
		c.aliases[alias] = name
	}
	c.last = name
	return name, nil
}

// slow makes a client wait that publishes more than its account may.
func (c *conn) slow(wait time.Duration) {
	c.wakes.flush()
	l := c.usage.limits()
	if c.usage.tell() {
		c.b.refuse(c, refused{}, core.Say("{name} publishes more than {n} messages or {size} KB in a second, so it is slowed down. Let it wait between messages.", "name", c.title(), "n", l.Messages, "size", l.Bytes>>10))
	}
	select {
	case <-time.After(wait):
	case <-c.done:
	}
}

// mayPublish returns the real name of a topic, and the reason why nothing may be
// published there.
func (c *conn) mayPublish(name string, payload []byte, props *properties) (real topic.Filter, _ packets.Code, _ error) {
	if name[0] == '$' {
		return topic.Filter(name), packets.ErrTopicNameInvalid, core.Fail(core.ErrDenied, "Topics that begin with $ belong to the broker. Publish to another topic.")
	}
	n, err := topic.ParseName(name)
	if err != nil {
		return "", packets.ErrTopicNameInvalid, core.Fail(core.ErrInvalid, "{name} published to a topic that is not allowed: {topic}. Use at most {max} bytes and {levels} levels of valid text.", "name", c.title(), "topic", short(name), "max", topic.MaxLen, "levels", topic.MaxLevels)
	}
	if real, err = c.b.cfg.Gate.Authorize(c.account.ID, core.Publish, topic.Filter(n)); err != nil {
		return real, packets.ErrNotAuthorized, err
	}
	if props != nil && props.UTF8 && !utf8.Valid(payload) {
		return real, packets.ErrPayloadFormatInvalid, core.Fail(core.ErrInvalid, "{name} said that its payload is text, but it is not valid UTF-8. Mend its sketch, or leave the payload format away.", "name", c.title())
	}
	return real, packets.CodeSuccess, nil
}

// reject answers a publish that was refused. Before MQTT 5 there is no way to
// say no: it is acknowledged and dropped (MQTT 3.1.1, section 3.3.5), and the
// person reads it in the window.
func (c *conn) reject(qos byte, id uint16, code packets.Code, err error) error {
	kind := packets.Puback
	if qos == 2 {
		kind = packets.Pubrec
	}
	switch {
	case qos == 0:
		return nil
	case c.version < 5:
		return c.write(acknowledgement(kind, id), c.after)
	}
	return c.write(encode(c, packets.Packet{FixedHeader: packets.FixedHeader{Type: kind}, PacketID: id, ReasonCode: code.Code,
		Properties: packets.Properties{ReasonString: sentence(err).String()}}), c.after)
}

// acknowledged takes a PUBACK, PUBREC or PUBCOMP for one of our deliveries, or a
// PUBREL for one of the client's.
func (c *conn) acknowledged(kind byte, r *reader) error {
	id, reason := r.id(), byte(0)
	if c.version == 5 && len(r.rest) > 0 {
		if reason = r.byte(); len(r.rest) > 0 {
			r.properties(kind)
		}
	}
	if r.end(); r.code.Code != 0 {
		return r.code
	}
	if kind != packets.Pubrel {
		return c.session.acknowledged(c, kind, id, reason)
	}
	at, known := c.session.release(c, id) // stored as released before the PUBCOMP
	if !known {
		at = c.b.journal.position() // by an earlier connection, perhaps
	}
	c.after = max(c.after, at)
	p := acknowledgement(packets.Pubcomp, id)
	if !known && c.version == 5 { // section 3.7.2.1
		p = []byte{packets.Pubcomp << 4, 3, byte(id >> 8), byte(id), packets.ErrPacketIdentifierNotFound.Code}
	}
	return c.write(p, c.after)
}

// subscribe answers a SUBSCRIBE (section 3.8).
func (c *conn) subscribe(r *reader) error {
	id := r.id()
	var props packets.Properties
	if c.version == 5 {
		props = r.properties(packets.Subscribe)
	}
	var wanted []packets.Subscription
	for r.code.Code == 0 && (len(r.rest) > 0 || wanted == nil) { // at least one
		if len(wanted) > 2*maxFilters {
			return packets.ErrQuotaExceeded
		}
		w := packets.Subscription{Filter: string(r.text())}
		o := r.byte()
		w.Qos, w.NoLocal, w.RetainAsPublished, w.RetainHandling = o&3, o&4 != 0, o&8 != 0, o>>4&3
		if w.Qos == 3 || o>>6 != 0 || c.version < 5 && o > 2 || w.RetainHandling == 3 {
			r.fail(packets.ErrMalformedPacket)
		}
		if w.NoLocal && strings.HasPrefix(w.Filter, "$share/") { // section 3.8.3.1
			r.fail(packets.ErrProtocolViolationInvalidSharedNoLocal)
		}
		if len(props.SubscriptionIdentifier) > 0 {
			w.Identifier = props.SubscriptionIdentifier[0]
		}
		wanted = append(wanted, w)
	}
	if r.code.Code != 0 {
		return r.code
	}
	if err := c.b.journal.room(c); err != nil {
		return err
	}
	ack := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Suback}, PacketID: id, ReasonCodes: make([]byte, len(wanted))}
	var due []retainedFor
	for i, w := range wanted {
		owed, code, err := c.subscribeTo(w)
		if err != nil {
			ack.Properties.ReasonString = sentence(err).String()
			if ack.ReasonCodes[i] = code.Code; c.version < 5 {
				ack.ReasonCodes[i] = packets.ErrUnspecifiedError.Code // MQTT 3.1.1, section 3.9.3
			}
			continue
		}
		ack.ReasonCodes[i] = w.Qos
		if owed != nil {
			due = append(due, *owed)
		}
	}
	err := c.write(encode(c, ack), c.after)
	c.session.owe(due)
	return err
}

// subscribeTo adds one subscription and returns what it is owed of the retained
// messages, if anything.
func (c *conn) subscribeTo(w packets.Subscription) (*retainedFor, packets.Code, error) {
	f, err := topic.ParseFilter(w.Filter)
	if err != nil {
		err = core.Fail(core.ErrInvalid, "{name} subscribed to {filter}, which is not a filter: + and # stand alone in a level, # only at the end.", "name", c.title(), "filter", short(w.Filter))
		c.b.refuse(c, refused{}, sentence(err))
		return nil, packets.ErrTopicFilterInvalid, err
	}
	real, err := c.b.cfg.Gate.Authorize(c.account.ID, core.Subscribe, f)
	if err != nil {
		c.b.refuse(c, refused{core.Subscribe, real}, sentence(err))
		return nil, packets.ErrNotAuthorized, err
	}
	sub := newSubscription(Subscription{Client: c.clientID, Filter: w.Filter, QoS: w.Qos, NoLocal: w.NoLocal, RetainAsPublished: w.RetainAsPublished, Identifier: w.Identifier}, f, real)
	at, existed, full := c.session.subscribe(sub)
	if full {
		err := core.Fail(core.ErrConflict, "{name} has {n} subscriptions already. Use a wildcard instead of one filter a topic.", "name", c.title(), "n", maxFilters)
		c.b.refuse(c, refused{}, sentence(err))
		return nil, packets.ErrQuotaExceeded, err
	}
	c.after = max(c.after, at)
	since := c.b.router.turn()
	if err := c.b.may(c.account.ID, core.Subscribe, real); err != nil { // revoked meanwhile
		at, _ := c.session.unsubscribe(w.Filter)
		c.after = max(c.after, at)
		return nil, packets.ErrNotAuthorized, err
	}
	if w.RetainHandling == 2 || w.RetainHandling == 1 && existed || sub.group != "" {
		return nil, packets.CodeSuccess, nil // sections 3.8.3.1 and 4.8.2
	}
	return &retainedFor{sub: sub, since: since}, packets.CodeSuccess, nil
}

// retainedFor says that a new subscription is owed what was retained before it.
type retainedFor struct {
	sub   *subscription
	since uint64     // turn of the retained messages at that time
	found bool       // they are in rest
	rest  []*message // still to be delivered
}

// unsubscribe answers an UNSUBSCRIBE (section 3.10).
func (c *conn) unsubscribe(r *reader) error {
	id := r.id()
	if c.version == 5 {
		r.properties(packets.Unsubscribe)
	}
	var filters []string
	for r.code.Code == 0 && (len(r.rest) > 0 || filters == nil) {
		filters = append(filters, string(r.text()))
	}
	if r.code.Code != 0 {
		return r.code
	}
	ack := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Unsuback}, PacketID: id, ReasonCodes: make([]byte, len(filters))}
	for i, f := range filters {
		at, existed := c.session.unsubscribe(f)
		c.after = max(c.after, at)
		if _, err := topic.ParseFilter(f); err != nil {
			ack.ReasonCodes[i] = packets.ErrTopicFilterInvalid.Code
		} else if !existed {
			ack.ReasonCodes[i] = packets.CodeNoSubscriptionExisted.Code
		}
	}
	return c.write(encode(c, ack), c.after)
}

// goodbye takes a DISCONNECT (section 3.14).
func (c *conn) goodbye(r *reader) error {
	reason := byte(0)
	if c.version == 5 && len(r.rest) > 0 {
		reason = r.byte()
		if len(r.rest) > 0 {
			p := r.properties(packets.Disconnect)
			if p.SessionExpiryIntervalFlag && r.code.Code == 0 {
				if p.SessionExpiryInterval > 0 && c.session.expiryNow() == 0 { // section 3.14.2.2.2
					return packets.ErrProtocolViolationZeroNonZeroExpiry
				}
				c.session.keepFor(c, p.SessionExpiryInterval)
			}
		}
	}
	if r.end(); r.code.Code != 0 {
		return r.code
	}
	if reason != 0 { // it wants its will to be published
		return io.EOF
	}
	return errDone
}

// errTold is a failure that people have read already.
type errTold struct{ error }

func (e errTold) Unwrap() error { return e.error }

// refused is the grant that was missing; it is zero where none would have helped.
type refused struct {
	action core.Action
	topic  topic.Filter // real
}

// sentence returns what a person reads of err.
func sentence(err error) core.Sentence {
	var p *core.Problem
	if errors.As(err, &p) {
		return p.Sentence
	}
	return core.Say("{reason}", "reason", err)
}

// serve speaks MQTT on raw until either side ends it. Whatever the bytes of a
// client make go wrong ends its connection and nothing else.
func (b *Broker) serve(raw net.Conn) {
	c := newConn(b, raw)
	b.mu.Lock()
	b.conns[c] = struct{}{}
	b.mu.Unlock()
	b.newcomers.add(c)
	if b.stopping.Load() {
		_ = c.Close()
	}
	clean := false
	func() {
		defer func() {
			if r := recover(); r != nil {
				b.cfg.Log.Error("a client's packet made the broker stumble; the connection is closed", "client", short(c.clientID), "err", fmt.Sprint(r))
			}
		}()
		clean = c.run()
	}()
	b.newcomers.forget(c)
	_ = c.Close()
	b.mu.Lock()
	delete(b.conns, c)
	b.mu.Unlock()
	if c.session != nil {
		c.session.left(c, clean)
	}
}

package behaviour

import (
	"slices"
	"strings"
	"time"
)

const malformedPacket, protocolError = 0x81, 0x82

// refuse is a check of a CONNECT that is refused with one of codes; 0 allows silence.
func refuse(statement, versions, say string, h hello, codes ...byte) check {
	return check{statement, versions, say, "", func(x *exam) { x.greet(h).rejected(codes...) }}
}

// badCodes are the answers to a CONNECT that is not as it should be. Before MQTT 5 there are none.
var badCodes = []byte{0, malformedPacket, protocolError}

var connecting = []check{
	{"3.1.0-1", "5", "a first packet that is no CONNECT is not answered", "", func(x *exam) {
		for _, b := range []string{"\xc0\x00", "\x30\x05\x00\x01a\x00x", "\x82\x07\x00\x01\x00\x00\x01a\x00", "\xe0\x00", "\xf0\x00", "\x20\x03\x00\x00\x00", "\x00\x00"} {
			c := x.dial(5)
			c.write([]byte(b))
			c.closed()
		}
	}},
	{"3.1.0-2", "345", "a second CONNECT ends the connection", "", func(x *exam) {
		c := x.open(hello{})
		c.send(byte(connect)<<4, hello{v: x.v, id: c.id}.parts(x)...)
		c.refused(protocolError)
	}},
	{"3.1.2-1", "45", "another protocol name is refused", "", func(x *exam) {
		for _, name := range []string{"MQTX", "mqtt", "MQT", "MQTTT", ""} {
			c := x.dial(x.v)
			c.send(byte(connect)<<4, name, x.v, byte(2), 60, props{}, x.name())
			c.rejected(0, 0x01, malformedPacket, protocolError, 0x84)
		}
	}},
	{"3.1.2-2", "4", "a protocol level that does not exist is answered with return code 1", "", func(x *exam) {
		for _, level := range []byte{0, 1, 2, 6, 127, 255} {
			c := x.dial(4)
			c.send(byte(connect)<<4, "MQTT", level, byte(2), 60, x.name())
			c.rejected(1)
		}
	}},
	{"3.1.2-2", "3", "the name of 3.1 with a level of another version is refused", "", func(x *exam) {
		c := x.dial(3)
		c.send(byte(connect)<<4, "MQIsdp", byte(5), byte(2), 60, x.name())
		c.rejected(0, 1)
	}},
	refuse("3.1.2-3", "45", "the reserved connect flag is refused", hello{twist: 0x01}, badCodes...),
	refuse("3.1.2-9", "45", "a will that is announced and missing is refused", hello{twist: 0x04, anonymous: true}, badCodes...),
	refuse("3.1.2-11", "45", "will QoS without a will is refused", hello{twist: 0x08}, badCodes...),
	refuse("3.1.2-12", "345", "will QoS 3 is refused", hello{will: &will{topic: "~/w", payload: "lost"}, twist: 0x18}, badCodes...),
	refuse("3.1.2-13", "45", "will retain without a will is refused", hello{twist: 0x20}, badCodes...),
	refuse("3.1.2-16", "5", "a user name without its flag is refused", hello{anonymous: true, extra: []any{"kit"}}, 0, malformedPacket, protocolError, 0x86, 0x87),
	refuse("3.1.2-17", "45", "a user name flag without a user name is refused", hello{anonymous: true, twist: 0x80}, badCodes...),
	refuse("3.1.2-19", "45", "a password flag without a password is refused", hello{anonymous: true, twist: 0xc0, extra: []any{"kit"}}, badCodes...),
	refuse("3.1.2-22", "4", "a password without a user name is refused", hello{anonymous: true, twist: 0x40, extra: []any{"right"}}, 0, 4, 5),
	{"3.1.2.9", "5", "a password without a user name is no error of the protocol", "", func(x *exam) {
		c := x.greet(hello{anonymous: true, twist: 0x40, extra: []any{"right"}})
		code := c.next(connack).code()
		x.must(strings.IndexByte("\x00\x86\x87", code) >= 0, "CONNACK 0x%02x", code)
	}},
	{"3.1.4-2", "345", "a wrong password is refused", Accounts, func(x *exam) {
		x.greet(hello{password: "wrong"}).rejected(map[bool][]byte{true: {0x86, 0x87}, false: {4, 5}}[x.v == 5]...)
	}},
	{"3.1.4-2", "345", "who does not say who it is is refused", Accounts, func(x *exam) {
		x.greet(hello{anonymous: true}).rejected(map[bool][]byte{true: {0x86, 0x87}, false: {4, 5}}[x.v == 5]...)
	}},
	{"3.1.4-6", "345", "nothing behind a refused CONNECT is done", Accounts, func(x *exam) {
		c := x.dial(x.v)
		h := hello{v: x.v, id: x.name(), password: "wrong"}
		c.write(slices.Concat(c.frame(byte(connect)<<4, h.parts(x)...), c.frame(byte(publish)<<4|retain, "~/a", props{}, []byte("x"))))
		c.rejected(4, 5, 0x86, 0x87)
		s := x.open(hello{})
		s.sub("~/#", 0)
		s.gets()
	}},
	{"3.2.0-1", "345", "CONNACK comes first, and what was sent behind CONNECT is answered in order", "", func(x *exam) {
		c := x.dial(x.v)
		c.write(slices.Concat(c.frame(byte(connect)<<4, hello{v: x.v, id: x.name()}.parts(x)...), c.frame(byte(subscribe)<<4|2, 7, props{}, "~/a", byte(1)), []byte{byte(pingreq) << 4, 0}))
		c.next(connack)
		x.must(c.next(suback).id == 7, "SUBACK of another")
		c.next(pingresp)
	}},
	{"4.2-1", "345", "packets come in any pieces", "", func(x *exam) {
		c := x.dial(x.v)
		all := slices.Concat(c.frame(byte(connect)<<4, hello{v: x.v, id: x.name()}.parts(x)...), c.frame(byte(subscribe)<<4|2, 7, props{}, "~/a", byte(1)), []byte{byte(pingreq) << 4, 0})
		for piece := range slices.Chunk(all, 3) {
			c.write(piece)
			time.Sleep(time.Millisecond)
		}
		c.next(connack)
		c.next(suback)
		c.next(pingresp)
	}},
	{"3.1.3-6", "5", "who has no client identifier is given one of its own", "", func(x *exam) {
		a, b := x.open(hello{id: "none"}), x.open(hello{id: "none"})
		x.must(a.id != "" && b.id != "" && a.id != b.id, "assigned %q and %q", a.id, b.id)
		a.ping()
		x.open(hello{id: "none", resume: true})
	}},
	{"3.1.3-7", "5", "an assigned client identifier can be used again", "", func(x *exam) {
		c := x.open(hello{id: "none", durable: true})
		x.must(c.ack.props[assignedClient] != nil, "no identifier is assigned")
		c.bye()
		x.must(c.again(hello{resume: true}).ack.present, "the session is gone")
	}},
	{"3.1.3-6", "4", "an empty client identifier is taken with a clean session, or rejected with code 2", "", func(x *exam) {
		code := x.greet(hello{id: "none"}).next(connack).code()
		x.must(code == 0 || code == 2, "CONNACK %d", code)
	}},
	refuse("3.1.3-8", "4", "an empty client identifier without a clean session is rejected with code 2", hello{id: "none", resume: true}, 2),
	refuse("3.1", "3", "an empty client identifier is rejected with code 2", hello{id: "none"}, 2),
	{"3.1.3-5", "345", "23 letters and digits are a client identifier", "", func(x *exam) {
		x.open(hello{id: (x.name() + "ABCDEFGHIJKLMNOPQRSTUVWXYZ")[:23]}).ping()
	}},
	{"3.2.2-3", "45", "Session Present is told only where there is a session", "", func(x *exam) {
		c := x.open(hello{durable: true})
		x.must(!c.ack.present, "there was none before")
		c.vanish()
		c = c.again(hello{durable: true})
		x.must(c.ack.present, "there is one")
		c.vanish()
		x.must(!c.again(hello{}).ack.present, "a clean start has none")
	}},
	refuse("3.1.2.11.3", "5", "Receive Maximum 0 is refused", hello{props: with(receiveMaximum, 0)}, badCodes...),
	refuse("3.1.2.11.4", "5", "Maximum Packet Size 0 is refused", hello{props: with(maximumPacket, 0)}, badCodes...),
	refuse("3.1.2.11.6", "5", "Request Response Information 2 is refused", hello{props: with(responseRequested, 2)}, badCodes...),
	refuse("3.1.2.11.7", "5", "Request Problem Information 2 is refused", hello{props: with(problemInformation, 2)}, badCodes...),
	refuse("3.1.2.11.2", "5", "Session Expiry Interval twice is refused", hello{props: with(sessionExpiry, 1, sessionExpiry, 1)}, badCodes...),
	refuse("3.1.2.11.3", "5", "Receive Maximum twice is refused", hello{props: with(receiveMaximum, 5, receiveMaximum, 5)}, badCodes...),
	refuse("3.1.2.11.10", "5", "authentication data without a method is refused", hello{props: with(authData, []byte("x"))}, badCodes...),
	refuse("4.12.0-1", "5", "an authentication method that is not known is refused", hello{props: with(authMethod, "dance")}, 0, 0x8c, 0x87),
	refuse("2.2.2.2", "5", "a property that is not of CONNECT is refused", hello{props: with(topicAlias, 1)}, badCodes...),
	refuse("2.2.2.2", "5", "a property of CONNECT that does not exist is refused", hello{props: props{0x7f, 0}}, badCodes...),
	refuse("2.2.2.2", "5", "a property of CONNECT that is cut off is refused", hello{props: props{sessionExpiry, 0, 0}}, badCodes...),
	refuse("3.1.3.2", "5", "a property that is not of a will is refused", hello{will: &will{topic: "~/w", payload: "lost", props: with(receiveMaximum, 1)}}, badCodes...),
	refuse("3.1.3.2.2", "5", "Will Delay Interval twice is refused", hello{will: &will{topic: "~/w", payload: "lost", props: with(willDelay, 1, willDelay, 1)}}, badCodes...),
	refuse("1.5.4-1", "345", "a client identifier that is not UTF-8 is refused", hello{id: "a\xff"}, 0, 2, malformedPacket, 0x85),
	refuse("1.5.4-2", "345", "a client identifier with U+0000 is refused", hello{id: "a\x00b"}, 0, 2, malformedPacket, 0x85),
	refuse("3.1.3-12", "45", "a user name that is not UTF-8 is refused", hello{anonymous: true, twist: 0xc0, extra: []any{"a\xff", "right"}}, 0, 4, 5, malformedPacket, 0x86),
	refuse("3.1.3-11", "45", "a will topic that is not UTF-8 is refused", hello{will: &will{topic: "~/\xff", payload: "lost"}}, 0, malformedPacket, 0x90),
	refuse("3.1.3-11", "45", "a will topic with a wildcard is refused", hello{will: &will{topic: "~/+", payload: "lost"}}, 0, 5, malformedPacket, protocolError, 0x90),
	refuse("4.7.3-1", "45", "an empty will topic is refused", hello{will: &will{topic: "", payload: "lost"}}, 0, 5, malformedPacket, protocolError, 0x90),
	{"3.2.2.2", "5", "a will to a topic that is denied is refused", Denial, func(x *exam) {
		x.greet(hello{will: &will{topic: x.Denied, payload: "lost"}}).rejected(0x87)
	}},
	{"3.1.2-28", "5", "no response information unless it is asked for", "", func(x *exam) {
		x.must(x.open(hello{}).ack.props[responseInformation] == nil, "there is some")
	}},
	{"3.1.3-10", "5", "user properties may be repeated", "", func(x *exam) {
		x.open(hello{props: with(userProperty, [2]string{"a", "1"}, userProperty, [2]string{"a", "1"}, userProperty, [2]string{"", ""})}).ping()
	}},
	{"3.1.2-22", "345", "silence of more than one and a half keep alives ends the connection", "", func(x *exam) {
		c := x.open(hello{alive: 1, will: &will{topic: "~/w", payload: "lost"}})
		s := x.open(hello{})
		s.sub("~/w", 0)
		s.patience *= 4
		s.delivered("w=lost")
		if p, err := c.receive(); err == nil {
			x.must(p.kind == disconnect && p.code() == 0x8d, "%v 0x%02x", p.kind, p.codes)
			c.closed()
		}
	}},
	{"3.1.2-22", "345", "any packet is a sign of life", "", func(x *exam) {
		c := x.open(hello{alive: 1})
		c.sub("~/a", 1)
		for range 5 {
			x.pub("~/a", "", q1)
		}
		for range 5 { // one acknowledgement is all that it sends
			p := c.delivered("a= q1")
			time.Sleep(500 * time.Millisecond)
			c.took(p)
		}
		c.ping()
	}},
	{"3.1.2.10", "345", "keep alive 0 never ends", "", func(x *exam) {
		c := x.open(hello{})
		time.Sleep(2 * time.Second)
		c.ping()
	}},
	{"3.1.2-21", "5", "a Server Keep Alive is told only where it is not the client's", "", func(x *exam) {
		for _, n := range []int{1, 60, 600} {
			got := x.open(hello{alive: n}).ack.number(serverKeepAlive, n)
			x.must(got > 0 && got <= n, "keep alive %d became %d", n, got)
		}
	}},
	{"3.2.2-11", "5", "QoS above the Maximum QoS that was told is refused, and no other", "", func(x *exam) {
		c := x.open(hello{})
		most := byte(c.ack.number(maximumQoS, 2))
		if c.put(1, "~/a", "x", most<<1); most < 2 {
			c.put(2, "~/a", "x", (most+1)<<1)
			c.refused(0x9b)
			return
		}
		x.must(c.next(pubrec).code() < 0x80, "QoS 2 is refused")
	}},
	{"3.12.4-1", "345", "a ping is answered", "", func(x *exam) {
		c := x.open(hello{})
		for range 3 {
			c.ping()
		}
	}},
	{"3.1.4-3", "345", "a client identifier that comes again ends the connection that has it", "", func(x *exam) {
		c := x.open(hello{})
		d := c.again(hello{})
		c.refused(0x8e)
		d.ping()
	}},
	{"3.1.4-3", "45", "a session that is taken over goes on", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/a", 1)
		d := c.again(hello{durable: true})
		x.must(d.ack.present, "the session is gone")
		c.refused(0x8e)
		x.pub("~/a", "x", q1)
		d.gets("a=x q1")
	}},
	{"3.14.1-1", "45", "DISCONNECT with reserved flags is an error, so the will is sent", "", func(x *exam) {
		c := x.open(hello{will: &will{topic: "~/w", payload: "lost"}})
		s := x.open(hello{})
		s.sub("~/w", 0)
		c.write([]byte{byte(disconnect)<<4 | 1, 0})
		c.refused(malformedPacket)
		s.gets("w=lost")
	}},
	{"3.14.4-3", "345", "the engine closes after DISCONNECT", "", func(x *exam) { x.open(hello{}).bye() }},
	{"3.15", "5", "AUTH without a method in CONNECT is refused", "", func(x *exam) {
		for _, body := range [][]byte{{}, {0x19}, slices.Concat([]byte{0x18, 8}, with(authMethod, "dance"))} {
			c := x.open(hello{})
			c.send(byte(auth)<<4, body)
			c.refused(malformedPacket, protocolError)
		}
	}},
}

package behaviour

import (
	"fmt"
	"slices"
	"strings"
)

// bad is what ends a connection: bytes that are no packet, or one not allowed here.
func bad(statement, versions, say string, packets ...string) check {
	return check{statement, versions, say, "", func(x *exam) {
		for _, b := range packets {
			c := x.open(hello{})
			c.write([]byte(b))
			c.refused(malformedPacket, protocolError)
		}
	}}
}

// cut is a check of a packet whose body ends early, at each length but those
// that make a packet too.
func cut(statement, versions string, first byte, parts []any, fine ...int) check {
	return check{statement, versions, fmt.Sprintf("%v that is cut off is refused", kind(first>>4)), "", func(x *exam) {
		body := encode(x.v, parts...)
		for n := range body {
			if slices.Contains(fine, n) {
				continue
			}
			c := x.open(hello{})
			c.send(first, body[:n])
			c.refused(malformedPacket, protocolError)
		}
	}}
}

var reason = with(reasonString, "x")

var malformed = []check{
	bad("2.1.2", "345", "packet type 0 is refused", "\x00\x00", "\x0f\x02ab"),
	bad("2.1.2", "34", "packet type 15 is refused before MQTT 5", "\xf0\x00"),
	bad("2.1.2", "45", "packets that only servers send are refused", "\x20\x02\x00\x00", "\x20\x03\x00\x00\x00", "\x90\x04\x00\x01\x00\x00", "\xb0\x04\x00\x01\x00\x00", "\xd0\x00"),
	bad("2.1.3-1", "45", "reserved flags of acknowledgements are refused", "\x41\x02\x00\x01", "\x52\x02\x00\x01", "\x78\x02\x00\x01"),
	bad("2.1.3-1", "45", "reserved flags of PINGREQ are refused", "\xc1\x00", "\xc8\x00"),
	bad("2.1.3-1", "5", "reserved flags of AUTH are refused", "\xf1\x02\x18\x00"),
	bad("3.6.1-1", "45", "PUBREL with other flags is refused", "\x60\x02\x00\x01", "\x63\x02\x00\x01", "\x6a\x02\x00\x01"),
	bad("3.8.1-1", "5", "SUBSCRIBE with other flags is refused", "\x80\x07\x00\x01\x00\x00\x01a\x00", "\x8a\x07\x00\x01\x00\x00\x01a\x00"),
	bad("3.8.1-1", "4", "SUBSCRIBE with other flags is refused", "\x80\x06\x00\x01\x00\x01a\x00", "\x8a\x06\x00\x01\x00\x01a\x00"),
	bad("3.10.1-1", "5", "UNSUBSCRIBE with other flags is refused", "\xa0\x06\x00\x01\x00\x00\x01a"),
	bad("3.10.1-1", "4", "UNSUBSCRIBE with other flags is refused", "\xa0\x05\x00\x01\x00\x01a"),
	{"2.1", "3", "SUBSCRIBE, UNSUBSCRIBE and PUBREL that come again may have DUP", "", func(x *exam) {
		c := x.open(hello{})
		c.send(byte(subscribe)<<4|2|dup, 1, "~/a", byte(1))
		c.next(suback)
		c.send(byte(unsubscribe)<<4|2|dup, 2, "~/a")
		c.next(unsuback)
		c.put(3, "~/a", "x", q2)
		c.next(pubrec)
		c.send(byte(pubrel)<<4|2|dup, 3)
		c.next(pubcomp)
	}},
	{"2.1.3-1", "45", "CONNECT with reserved flags is refused", "", func(x *exam) {
		c := x.dial(x.v)
		c.send(byte(connect)<<4|1, hello{v: x.v, id: x.name()}.parts(x)...)
		c.rejected(badCodes...)
	}},
	bad("1.5.5-1", "345", "a Remaining Length of five bytes is refused", "\x30\x80\x80\x80\x80\x01", "\x30\xff\xff\xff\xff\xff"),
	bad("2.1.4", "45", "PINGREQ with a body is refused", "\xc0\x01\x00"),
	bad("2.1.4", "4", "acknowledgements with more than an identifier are refused", "\x40\x03\x00\x01\x00", "\x50\x03\x00\x01\x00", "\x62\x03\x00\x01\x00", "\x70\x03\x00\x01\x00"),
	bad("2.1.4", "4", "DISCONNECT with a body is refused", "\xe0\x01\x00"),
	bad("2.1.4", "5", "bytes after the end of a packet are refused", "\x40\x05\x00\x01\x00\x00\x00", "\x62\x05\x00\x01\x00\x00\x00", "\xe0\x03\x00\x00\x00"),
	{"1.5.5-1", "5", "a Property Length of five bytes is refused", "", func(x *exam) {
		for first, parts := range map[byte][]any{
			byte(publish) << 4: {"~/a", []byte{0x80, 0x80, 0x80, 0x80, 0x00}}, byte(subscribe)<<4 | 2: {1, []byte{0x80, 0x80, 0x80, 0x80, 0x00}, "~/a", byte(0)},
		} {
			c := x.open(hello{})
			c.send(first, parts...)
			c.refused(malformedPacket)
		}
	}},
	wrong("1.5.5-1", "5", "a Subscription Identifier of five bytes is refused", byte(subscribe)<<4|2, []any{1, props{subscriptionIdentifier, 0x80, 0x80, 0x80, 0x80, 0x01}, "~/a", byte(0)}, malformedPacket, protocolError),
	wrongProperty("2.2.2.2", "a property that does not exist is refused", props{0x7f, 0}, malformedPacket, protocolError),
	wrongProperty("2.2.2.2", "a property that is not of PUBLISH is refused", with(sessionExpiry, 1), malformedPacket, protocolError),
	wrongProperty("2.2.2.2", "a property that is cut off is refused", props{messageExpiry, 0, 0}, malformedPacket, protocolError),
	wrongProperty("2.2.2.2", "a property with a text that is cut off is refused", props{contentType, 0, 9, 'x'}, malformedPacket, protocolError),
	wrongProperty("3.3.2.3.2", "payload format twice is refused", with(payloadFormat, 1, payloadFormat, 1), protocolError, malformedPacket),
	wrongProperty("3.3.2.3.3", "Message Expiry Interval twice is refused", with(messageExpiry, 1, messageExpiry, 1), protocolError, malformedPacket),
	wrongProperty("3.3.2.3.4", "Topic Alias twice is refused", with(topicAlias, 1, topicAlias, 1), protocolError, malformedPacket),
	wrongProperty("3.3.2.3.5", "Response Topic twice is refused", with(responseTopic, "a", responseTopic, "a"), protocolError, malformedPacket),
	wrongProperty("3.3.2.3.6", "Correlation Data twice is refused", with(correlationData, []byte("a"), correlationData, []byte("a")), protocolError, malformedPacket),
	wrongProperty("3.3.2.3.9", "Content Type twice is refused", with(contentType, "a", contentType, "a"), protocolError, malformedPacket),
	wrong("2.2.2-1", "5", "a Property Length beyond the packet is refused", byte(publish)<<4, []any{"~/a", []byte{9}, with(payloadFormat, 1)[:2]}, malformedPacket),
	{"2.2.2.2", "5", "a property that is not of the packet is refused", "", func(x *exam) {
		p := with(receiveMaximum, 1)
		for first, parts := range map[byte][]any{
			byte(subscribe)<<4 | 2: {1, p, "~/a", byte(0)}, byte(unsubscribe)<<4 | 2: {1, p, "~/a"}, byte(puback) << 4: {1, byte(0), p}, byte(pubrec) << 4: {1, byte(0), p},
			byte(pubrel)<<4 | 2: {1, byte(0), p}, byte(pubcomp) << 4: {1, byte(0), p}, byte(disconnect) << 4: {byte(0), p},
		} {
			c := x.open(hello{})
			c.send(first, parts...)
			c.refused(malformedPacket, protocolError)
		}
	}},
	{"1.5.4-1", "345", "a Topic Name that is not UTF-8 is refused", "", func(x *exam) { notText(x, byte(publish)<<4, nil, props{}) }},
	{"1.5.4-1", "345", "a filter that is not UTF-8 is refused", "", func(x *exam) {
		notText(x, byte(subscribe)<<4|2, []any{1, props{}}, byte(0))
		notText(x, byte(unsubscribe)<<4|2, []any{1, props{}})
	}},
	{"1.5.7-1", "5", "a property that is not UTF-8 is refused", "", func(x *exam) {
		for _, text := range notUTF8 {
			for _, p := range []props{with(userProperty, [2]string{text, "x"}), with(userProperty, [2]string{"x", text}), with(contentType, text), with(responseTopic, text)} {
				c := x.open(hello{})
				c.put(0, "~/a", "x", 0, p)
				c.refused(malformedPacket, protocolError, 0x90)
			}
		}
	}},
	cut("2.1.4", "345", byte(publish)<<4|q1, []any{"abc", 1, with(contentType, "x")}),
	cut("2.1.4", "5", byte(puback)<<4, []any{1, byte(0), reason}, 2, 3),
	cut("2.1.4", "5", byte(pubrec)<<4, []any{1, byte(0), reason}, 2, 3),
	cut("2.1.4", "5", byte(pubrel)<<4|2, []any{1, byte(0), reason}, 2, 3),
	cut("2.1.4", "5", byte(pubcomp)<<4, []any{1, byte(0), reason}, 2, 3),
	cut("2.1.4", "34", byte(puback)<<4, []any{1}),
	cut("2.1.4", "34", byte(pubrec)<<4, []any{1}),
	cut("2.1.4", "34", byte(pubrel)<<4|2, []any{1}),
	cut("2.1.4", "34", byte(pubcomp)<<4, []any{1}),
	cut("2.1.4", "45", byte(subscribe)<<4|2, []any{1, with(subscriptionIdentifier, 5), "ab", byte(0)}),
	cut("2.1.4", "45", byte(unsubscribe)<<4|2, []any{1, with(userProperty, [2]string{"a", "b"}), "ab"}),
	cut("2.1.4", "5", byte(disconnect)<<4, []any{byte(0), with(sessionExpiry, 0)}, 0, 1),
	cut("2.1.4", "5", byte(auth)<<4, []any{byte(0x18), with(authMethod, "x")}),
	{"2.1.4", "345", "CONNECT that is cut off is refused", "", func(x *exam) {
		h := hello{v: x.v, id: "x", will: &will{topic: "w"}, props: with(receiveMaximum, 1)}
		body := encode(x.v, h.parts(x)...)
		for n := range body {
			c := x.dial(x.v)
			c.send(byte(connect)<<4, body[:n])
			c.rejected(0, 1, 2, 4, 5, malformedPacket, protocolError, 0x84)
		}
	}},
	{"4.13.1-1", "345", "a client that goes in the middle of a packet harms nobody", "", func(x *exam) {
		s := x.open(hello{})
		s.sub("~/a", 0)
		all := s.frame(byte(publish)<<4|q1, "~/a", 1, props{}, []byte("cut"))
		for n := range all {
			c := x.open(hello{})
			c.write(all[:n])
			_ = c.conn.Close()
		}
		x.pub("~/a", "x", 0)
		s.gets("a=x")
	}},
}

// notUTF8 are a byte that never occurs, U+0000 in one byte and in two, a
// surrogate, a character that is cut off, and one above U+10FFFF.
var notUTF8 = []string{"a\xff", "a\x00b", "\xc0\x80", "\xed\xa0\x80", "a\xe2\x82", "\xf4\x90\x80\x80"}

func notText(x *exam, first byte, before []any, after ...any) {
	for _, text := range notUTF8 {
		c := x.open(hello{})
		c.send(first, slices.Concat(before, []any{text}, after)...)
		c.refused(malformedPacket, 0x8f, 0x90)
	}
}

// restarting are the checks that stop the engine under all others.
var restarting = []check{
	{"3.14.2.1", "345", "a server that stops says so in MQTT 5, and only closes before", Restarts, func(x *exam) {
		c := x.open(hello{})
		x.restart()
		if x.v < 5 {
			c.closed()
			return
		}
		c.refused(0x8b)
	}},
	{"4.4.0-1", "345", "sessions outlive the server: what waits, what was sent, what was half received", Restarts, func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/#", 2)
		for i := range 3 {
			x.pub("~/a", fmt.Sprint(i), q2)
		}
		x.pub("~/a", "3", q1)
		c.took(c.delivered("a=0 q2")) // of which the PUBREL is owed
		c.delivered("a=1 q2")         // which is owed itself
		c.await(pubrel)
		away := x.open(hello{durable: true})
		away.sub("~/#", 1)
		away.vanish()
		p := x.open(hello{durable: true})
		p.put(9, "~/b", "half", q2)
		p.next(pubrec)
		x.restart()
		p = p.again(hello{durable: true})
		x.must(p.ack.present || x.v == 3, "the session is gone")
		p.put(9, "~/b", "half", q2|dup)
		p.next(pubrec)
		p.send(byte(pubrel)<<4|2, 9)
		p.next(pubcomp)
		c = c.again(hello{durable: true})
		c.send(byte(pubcomp)<<4, c.next(pubrel).id)
		got := strings.ReplaceAll(strings.Join(x.words(c.drain(4)), ", "), " dup", "") // the rest may have been sent or not
		x.must(got == "a=1 q2, a=2 q2, a=3 q1, b=half q2", "got %s", got)
		away.again(hello{durable: true}).gets("b=half q1")
		x.pub("~/c", "x", q1)
		c.gets("c=x q1")
	}},
	{"3.1.2-7", "345", "retained messages outlive the server", Restarts, func(x *exam) {
		x.pub("~/a", "x", retain|q1, with(contentType, "text/plain", userProperty, [2]string{"a", "b"}))
		x.pub("~/b", "y", retain|q1)
		x.pub("~/b", "", retain|q1)
		x.restart()
		c := x.open(hello{})
		c.sub("~/+", 1)
		p := c.gets("a=x q1 retain")[0]
		x.must(x.v < 5 || fmt.Sprint(p.props[contentType], p.props[userProperty]) == "[text/plain] [[a b]]", "properties %v", p.props)
	}},
}

// restart stops the engine and starts it again.
func (x *exam) restart() {
	x.Addr = x.Restart()
	x.helper, x.watcher = nil, nil
}

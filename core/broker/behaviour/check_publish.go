package behaviour

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// wrong is a check of a packet that ends a connection with one of codes.
func wrong(statement, versions, say string, first byte, parts []any, codes ...byte) check {
	return check{statement, versions, say, "", func(x *exam) {
		c := x.open(hello{})
		c.send(first, parts...)
		c.refused(codes...)
	}}
}

// wrongProperty is wrong with a PUBLISH of QoS 0 that has those properties.
func wrongProperty(statement, say string, p props, codes ...byte) check {
	return wrong(statement, "5", say, byte(publish)<<4, []any{"~/a", p, []byte("x")}, codes...)
}

var publishing = []check{
	{"3.8.4-8", "345", "a message arrives with the lower QoS of publish and subscription", "", func(x *exam) {
		for q := range byte(3) {
			c := x.open(hello{})
			x.must(c.sub("~/a", q) == q, "another QoS is granted")
			for p := range byte(3) {
				x.pub("~/a", "x", p<<1)
				c.gets("a=x" + [...]string{"", " q1", " q2"}[min(p, q)])
			}
		}
	}},
	{"3.3.1-3", "345", "DUP of the publisher is not passed on", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 2)
		x.pub("~/a", "1", q1|dup)
		x.pub("~/a", "2", q2|dup)
		c.gets("a=1 q1", "a=2 q2")
	}},
	wrong("3.3.1-2", "5", "DUP with QoS 0 is refused", byte(publish)<<4|dup, []any{"~/a", props{}}, malformedPacket, protocolError),
	wrong("3.3.1-4", "345", "QoS 3 is refused", byte(publish)<<4|q1|q2, []any{"~/a", 1, props{}}, malformedPacket),
	wrong("2.2.1-3", "345", "PUBLISH with Packet Identifier 0 is refused", byte(publish)<<4|q1, []any{"~/a", 0, props{}}, malformedPacket, protocolError),
	wrong("3.3.2-2", "345", "a Topic Name with + is refused", byte(publish)<<4|q1, []any{"~/+", 1, props{}}, malformedPacket, protocolError, 0x90),
	wrong("3.3.2-2", "345", "a Topic Name with # is refused", byte(publish)<<4, []any{"~/#", props{}}, malformedPacket, protocolError, 0x90),
	wrong("4.7.3-1", "345", "an empty Topic Name is refused", byte(publish)<<4, []any{"", props{}}, malformedPacket, protocolError, 0x90),
	{"4.3.2-5", "345", "a Packet Identifier is free after PUBACK", "", func(x *exam) {
		s, c := x.open(hello{}), x.open(hello{})
		s.sub("~/a", 1)
		for i := range 3 {
			c.put(5, "~/a", fmt.Sprint(i), q1)
			x.must(c.next(puback).id == 5, "PUBACK of another")
		}
		s.gets("a=0 q1", "a=1 q1", "a=2 q1")
	}},
	{"4.3.3-10", "345", "a QoS 2 message that comes again before PUBREL is delivered once", "", func(x *exam) {
		s, c := x.open(hello{}), x.open(hello{})
		s.sub("~/a", 2)
		for i := range 3 {
			c.put(5, "~/a", "x", q2|min(dup, byte(i)<<3))
			x.must(c.next(pubrec).id == 5, "PUBREC of another")
		}
		c.send(byte(pubrel)<<4|2, 5)
		x.must(c.next(pubcomp).id == 5, "PUBCOMP of another")
		s.gets("a=x q2")
	}},
	{"4.3.3-12", "345", "a Packet Identifier is free after PUBCOMP", "", func(x *exam) {
		s, c := x.open(hello{}), x.open(hello{})
		s.sub("~/a", 2)
		for i := range 3 {
			c.put(5, "~/a", fmt.Sprint(i), q2)
			c.next(pubrec)
			c.send(byte(pubrel)<<4|2, 5)
			c.next(pubcomp)
		}
		s.gets("a=0 q2", "a=1 q2", "a=2 q2")
	}},
	{"4.3.3-11", "345", "PUBREL of nothing is answered", "", func(x *exam) {
		c := x.open(hello{})
		c.send(byte(pubrel)<<4|2, 77)
		p := c.next(pubcomp)
		x.must(p.id == 77, "PUBCOMP of %d", p.id)
		x.must(x.v < 5 || p.code() == 0x92, "PUBCOMP 0x%02x", p.code())
	}},
	{"3.6.2.1", "5", "PUBREC of nothing is answered with 0x92", "", func(x *exam) {
		c := x.open(hello{})
		c.send(byte(pubrec)<<4, 77)
		p := c.next(pubrel)
		x.must(p.id == 77 && p.code() == 0x92, "PUBREL of %d with 0x%02x", p.id, p.code())
	}},
	{"4.3.2", "345", "acknowledgements of nothing are no error", "", func(x *exam) {
		c := x.open(hello{})
		c.send(byte(puback)<<4, 77)
		c.send(byte(pubcomp)<<4, 77)
		c.ping()
	}},
	{"4.3.3-4", "345", "each PUBREC is answered with PUBREL", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 2)
		x.pub("~/a", "x", q2)
		p := c.delivered("a=x q2")
		for range 2 { // the first PUBREL was lost
			c.took(p)
			r := c.next(pubrel)
			x.must(r.id == p.id && r.code() == 0, "PUBREL of %d with 0x%02x", r.id, r.code())
		}
		c.send(byte(pubcomp)<<4, p.id)
		c.gets()
	}},
	{"4.3.3-4", "5", "PUBREC with an error ends the exchange", "", func(x *exam) {
		c := x.open(hello{durable: true, props: with(receiveMaximum, 1)})
		c.sub("~/a", 2)
		x.pub("~/a", "1", q2)
		x.pub("~/a", "2", q2)
		c.send(byte(pubrec)<<4, c.delivered("a=1 q2").id, byte(0x83))
		c.took(c.delivered("a=2 q2"))
		c.next(pubrel)
		c.vanish()
		c = c.again(hello{durable: true})
		c.next(pubrel)
		c.ping()
	}},
	{"2.2.1", "345", "each direction has its own Packet Identifiers", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/a", 2)
		for q := byte(1); q <= 2; q++ {
			x.pub("~/a", "in", q<<1)
			id := c.delivered(fmt.Sprintf("a=in q%d", q)).id
			c.put(id, "~/b", "out", q1)
			x.must(c.next(puback).code() < 0x80, "PUBACK with an error")
			c.put(id, "~/b", "out", q2)
			x.must(c.next(pubrec).code() < 0x80, "PUBREC with an error")
			c.send(byte(pubrel)<<4|2, id)
			c.next(pubcomp)
			c.send(byte(subscribe)<<4|2, id, props{}, "~/c", byte(0))
			x.must(c.next(suback).code() == 0, "SUBACK with an error")
			c.send(byte(unsubscribe)<<4|2, id, props{}, "~/c")
			c.next(unsuback)
		}
		c.vanish()
		c.again(hello{durable: true}).gets("a=in q1 dup", "a=in q2 dup") // nothing was taken for their acknowledgement
	}},
	{"2.2.1-4", "345", "identifiers of deliveries are not 0 and not used twice", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 1)
		used := map[int]bool{}
		for i := range 10 {
			x.pub("~/a", fmt.Sprint(i), q1)
			id := c.delivered(fmt.Sprintf("a=%d q1", i)).id
			x.must(!used[id], "identifier %d is in use", id)
			used[id] = true
		}
	}},
	{"4.6.0-6", "345", "messages of one topic arrive in order", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/#", 2)
		p := x.open(hello{})
		for q := range byte(3) {
			var want []string
			for i := range 12 {
				p.put(i+1, "~/a", fmt.Sprint(i), q<<1)
				want = append(want, fmt.Sprintf("a=%d%s", i, [...]string{"", " q1", " q2"}[q]))
			}
			for i := range 12 {
				if q == 1 {
					x.must(p.next(puback).id == i+1, "PUBACK out of order")
				}
				if q == 2 {
					x.must(p.next(pubrec).id == i+1, "PUBREC out of order")
					p.send(byte(pubrel)<<4|2, i+1)
				}
			}
			for i := range 12 {
				if q == 2 {
					x.must(p.next(pubcomp).id == i+1, "PUBCOMP out of order")
				}
			}
			p.ping()
			c.gets(want...)
		}
	}},
	{"3.3.3", "345", "a payload may be empty, binary and long", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 2)
		for i, payload := range []string{"", "\x00\xff\x80", strings.Repeat("0123456789", 6000)} {
			x.pub("~/a", payload, byte(i)<<1)
			got := c.drain(1)
			x.must(len(got) == 1 && string(got[0].payload) == payload, "got %d messages", len(got))
		}
	}},
	{"4.9.0-2", "5", "no more than Receive Maximum are sent unacknowledged, of QoS 1", "", func(x *exam) { window(x, 1) }},
	{"4.9.0-2", "5", "no more than Receive Maximum are sent unacknowledged, of QoS 2", "", func(x *exam) { window(x, 2) }},
	{"4.9.0-1", "45", "without Receive Maximum many are sent unacknowledged", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 1)
		for i := range 15 {
			x.pub("~/a", fmt.Sprint(i), q1)
			c.delivered(fmt.Sprintf("a=%d q1", i))
		}
	}},
	{"4.9.0-3", "5", "all else is answered while nothing more may be sent", "", func(x *exam) {
		c := x.open(hello{props: with(receiveMaximum, 1)})
		c.sub("~/a", 1)
		x.pub("~/a", "1", q1)
		x.pub("~/a", "2", q1)
		p := c.delivered("a=1 q1")
		c.ping()
		c.send(byte(subscribe)<<4|2, 9, props{}, "~/b", byte(1))
		c.next(suback)
		c.put(10, "~/c", "x", q2)
		c.next(pubrec)
		c.send(byte(pubrel)<<4|2, 10)
		c.next(pubcomp)
		c.took(p)
		c.delivered("a=2 q1")
	}},
	{"3.3.4-7", "5", "more than the server's Receive Maximum end the connection", Limits, func(x *exam) {
		c := x.open(hello{})
		n := c.ack.number(receiveMaximum, 65535)
		x.must(n <= 5000, "the server takes %d", n)
		for i := range n + 1 {
			c.put(i+1, "~/a", "", q2)
		}
		for range n {
			if p, err := c.take(); err != nil || p.kind != pubrec {
				c.early = append(c.early, p)
				break
			}
		}
		c.refused(0x93)
	}},
	{"4.9", "5", "the server's Receive Maximum is not used up by what is acknowledged", "", func(x *exam) {
		c := x.open(hello{})
		n := min(c.ack.number(receiveMaximum, 65535), 2000)
		for i := range n + 5 {
			c.put(i%n+1, "~/a", "", q1)
			c.next(puback)
		}
		c.put(1, "~/a", "", q2)
		c.next(pubrec)
	}},
	{"3.3.2-10", "5", "a topic alias stands for the topic that it was set to last", Aliases, func(x *exam) {
		c, s := aliases(x)
		highest := c.ack.number(topicAliasMaximum, 0)
		s.sub("~/+", 0)
		for _, alias := range []int{1, highest} {
			c.put(0, "~/a", "1", 0, with(topicAlias, alias))
			c.put(0, "", "2", 0, with(topicAlias, alias))
			c.pub("", "3", q1, with(topicAlias, alias))
			c.put(0, "~/b", "4", 0, with(topicAlias, alias))
			c.put(0, "", "5", 0, with(topicAlias, alias))
			c.ping()
			s.gets("a=1", "a=2", "a=3", "b=4", "b=5")
		}
	}},
	{"3.3.2-7", "5", "a topic alias ends with the connection", Aliases, func(x *exam) {
		c, _ := aliases(x)
		c.pub("~/a", "1", q1, with(topicAlias, 1))
		d := c.again(hello{durable: true})
		c.refused(0x8e)
		d.put(0, "", "2", 0, with(topicAlias, 1))
		d.refused(protocolError, 0x94)
	}},
	{"3.3.2.3.4", "5", "a topic alias that was not set is refused", Aliases, func(x *exam) {
		c, _ := aliases(x)
		c.put(0, "", "x", 0, with(topicAlias, 1))
		c.refused(protocolError, 0x94)
	}},
	wrongProperty("3.3.2-8", "topic alias 0 is refused", with(topicAlias, 0), 0x94),
	{"3.3.2-9", "5", "a topic alias above the server's maximum is refused", "", func(x *exam) {
		c := x.open(hello{})
		highest := c.ack.number(topicAliasMaximum, 0)
		if highest < 65535 {
			c.put(0, "~/a", "x", 0, with(topicAlias, highest+1))
			c.refused(0x94)
		}
	}},
	{"3.1.2-26", "5", "the server uses topic aliases only as far as the client takes them", "", func(x *exam) {
		for _, most := range []int{0, 2} {
			c := x.open(hello{props: with(topicAliasMaximum, most)})
			c.sub("~/+", 0)
			names := map[int]string{}
			for i := range 8 {
				name := fmt.Sprintf("~/%d", i%4)
				x.pub(name, "x", 0)
				p := c.next(publish)
				if alias := p.number(topicAlias, 0); alias > 0 {
					x.must(alias <= most, "alias %d of %d", alias, most)
					if p.topic == "" {
						p.topic = names[alias]
					}
					names[alias] = p.topic
				}
				x.must(p.topic == x.full(name), "topic %q", p.topic)
			}
		}
	}},
	{"3.3.2-6", "5", "the time that a message waited is taken off its expiry", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/a", 1)
		c.vanish()
		x.pub("~/a", "x", q1, with(messageExpiry, 60))
		time.Sleep(2 * time.Second)
		n := c.again(hello{durable: true}).gets("a=x q1")[0].number(messageExpiry, -1)
		x.must(n >= 40 && n <= 59, "expires in %d s", n)
	}},
	{"3.3.2-6", "5", "a message that did not wait keeps its expiry", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 0)
		x.pub("~/a", "x", 0, with(messageExpiry, 60))
		n := c.gets("a=x")[0].number(messageExpiry, -1)
		x.must(n >= 50 && n <= 60, "expires in %d s", n)
	}},
	{"3.3.2-5", "5", "a message that expired while it waited is not delivered", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/a", 2)
		c.vanish()
		x.pub("~/a", "1", q1, with(messageExpiry, 1))
		x.pub("~/a", "2", q2, with(messageExpiry, 1))
		x.pub("~/a", "3", q1, with(messageExpiry, 60))
		x.pub("~/a", "4", q1)
		time.Sleep(2500 * time.Millisecond)
		c.again(hello{durable: true}).gets("a=3 q1", "a=4 q1")
	}},
	{"4.3.3-7", "5", "a message does not expire once it was sent", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/a", 2)
		x.pub("~/a", "x", q2, with(messageExpiry, 1))
		c.delivered("a=x q2")
		c.vanish()
		time.Sleep(2500 * time.Millisecond)
		c.again(hello{durable: true}).gets("a=x q2 dup")
	}},
	{"3.3.2-17", "5", "properties of a message are passed on as they are, and in order", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 2)
		for q := range byte(3) {
			x.pub("~/a", "x", q<<1, with(userProperty, [2]string{"b", "1"}, contentType, "text/plain", responseTopic, "~/answer", payloadFormat, 1,
				correlationData, []byte{0, 255}, userProperty, [2]string{"a", "2"}))
			carries(x, c.drain(1)[0])
		}
	}},
	{"3.3.2-17", "5", "properties do not reach a client of 3.1.1, and it needs none", "", func(x *exam) {
		old, c := x.open(hello{v: 4}), x.open(hello{})
		old.sub("~/a", 1)
		c.sub("~/b", 1)
		x.pub("~/a", "x", q1, with(contentType, "text/plain", messageExpiry, 60))
		old.gets("a=x q1")
		old.pub("~/b", "y", q1)
		p := c.gets("b=y q1")[0]
		x.must(len(p.props) == 0, "properties %v", p.props)
	}},
	{"3.3.2.3.2", "5", "a payload that is not the UTF-8 it says is refused as such, or passed on", "", func(x *exam) {
		c := x.open(hello{})
		c.put(1, "~/a", "\xff", q1, with(payloadFormat, 1))
		p, err := c.take()
		x.must(err == nil && (p.kind == puback && (p.code() < 0x80 || p.code() == 0x99) || p.kind == disconnect && p.code() == 0x99), "%v 0x%02x", p.kind, p.codes)
	}},
	wrongProperty("3.3.2.3.2", "payload format 2 is refused", props{payloadFormat, 2}, malformedPacket, protocolError),
	wrongProperty("3.3.2-14", "a response topic with a wildcard is refused", with(responseTopic, "a/+"), protocolError, malformedPacket, 0x90),
	wrongProperty("3.3.4-6", "a Subscription Identifier from a client is refused", with(subscriptionIdentifier, 1), malformedPacket, protocolError),
	{"3.1.2-24", "5", "a message that is larger than the client takes is not sent, and all else goes on", "", func(x *exam) {
		c := x.open(hello{props: with(maximumPacket, 100, receiveMaximum, 1)})
		c.sub("~/a", 1)
		for _, payload := range []string{"1", strings.Repeat("x", 100), "2", strings.Repeat("x", 5000), "3"} {
			x.pub("~/a", payload, q1)
		}
		x.pub("~/a", strings.Repeat("x", 100), 0)
		c.gets("a=1 q1", "a=2 q1", "a=3 q1")
	}},
	{"3.1.2-25", "5", "a message that is too large for one client reaches the others", "", func(x *exam) {
		c, s := x.open(hello{props: with(maximumPacket, 64)}), x.open(hello{})
		c.sub("~/a", 0)
		s.sub("~/a", 0)
		x.pub("~/a", strings.Repeat("x", 40), 0, with(contentType, "a long content type"))
		x.must(len(s.drain(1)) == 1, "it does not arrive")
		c.gets()
	}},
	{"3.2.2-15", "5", "a packet above the server's Maximum Packet Size ends the connection", Limits, func(x *exam) {
		c := x.open(hello{})
		n := c.ack.number(maximumPacket, 0)
		x.must(n > 0, "the server tells no limit")
		c.write(slices.Concat(appendVarint([]byte{byte(publish) << 4}, n), encode(5, x.full("~/a"), props{})))
		c.refused(0x95)
	}},
	{"3.2.2-15", "5", "a packet of the server's Maximum Packet Size is taken", "", func(x *exam) {
		c := x.open(hello{})
		n := min(c.ack.number(maximumPacket, 1<<20), 4<<20)
		s := x.open(hello{})
		s.sub("~/a", 0)
		rest := n
		for head := len(encode(5, x.full("~/a"), props{})); len(appendVarint([]byte{0}, head+rest))+head+rest > n; {
			rest--
		}
		c.pub("~/a", strings.Repeat("x", rest), 0)
		x.must(len(s.drain(1)[0].payload) == rest, "it arrives cut")
	}},
	{"3.2.2-15", "5", "0x95 names a CONNECT that is too large too", Limits, func(x *exam) {
		n := x.open(hello{}).ack.number(maximumPacket, 0)
		x.must(n > 0, "the server tells no limit")
		c := x.dial(5)
		c.write(slices.Concat(appendVarint([]byte{byte(connect) << 4}, n+1), encode(5, "MQTT", byte(5), byte(2), 60)))
		c.rejected(0, 0x95)
	}},
	{"4.7.2", "345", "clients cannot talk in $SYS", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("$SYS/~/a", 1)
		for q := range byte(3) {
			x.pub("$SYS/~/a", "x", q<<1)
		}
		c.gets()
	}},
	{"4.7.2", "5", "clients cannot talk in other topics that begin with $", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("$~/a", 1)
		x.pub("$~/a", "x", q1)
		c.gets()
	}},
	{"4.7.2-1", "345", "wildcards at the first level do not reach $SYS", Sys, func(x *exam) {
		c := x.open(hello{})
		c.sub("$SYS/#", 0)
		p := c.next(publish)
		x.must(strings.HasPrefix(p.topic, "$SYS/"), "topic %q", p.topic)
		w := x.open(hello{})
		w.wide = true
		for _, filter := range []string{"#", "+/broker/#", "+/#", "+/broker/version"} {
			w.sub(filter, 0)
		}
		w.gets()
	}},
	{"3.4.2.1", "5", "a publish that is denied is told so", Denial, func(x *exam) {
		c := x.open(hello{})
		c.put(1, x.Denied, "x", q1)
		p := c.next(puback)
		x.must(p.id == 1 && p.code() == 0x87, "PUBACK of %d with 0x%02x", p.id, p.code())
		c.put(2, x.Denied, "x", q2)
		p = c.next(pubrec)
		x.must(p.id == 2 && p.code() == 0x87, "PUBREC of %d with 0x%02x", p.id, p.code())
		c.put(0, x.Denied, "x", 0)
		c.ping()
		x.must(c.pub("~/a", "x", q2) < 0x80, "nothing is allowed any more")
	}},
	{"3.3.5-2", "34", "a publish that is denied is acknowledged, or ends the connection", Denial, func(x *exam) {
		for _, k := range []kind{puback, pubrec} {
			c := x.open(hello{})
			c.put(1, x.Denied, "x", map[kind]byte{puback: q1, pubrec: q2}[k])
			if p, err := c.take(); err == nil {
				x.must(p.kind == k && p.id == 1, "%v of %d", p.kind, p.id)
				c.ping()
			}
		}
	}},
	{"3.1.2-29", "5", "no reasons in words for who does not want them", Denial, func(x *exam) {
		c := x.open(hello{props: with(problemInformation, 0)})
		c.put(1, x.Denied, "x", q1)
		c.put(2, x.Denied, "x", q2)
		c.send(byte(subscribe)<<4|2, 3, props{}, x.Denied, byte(1))
		c.send(byte(unsubscribe)<<4|2, 4, props{}, "~/none")
		for _, k := range []kind{puback, pubrec, suback, unsuback} {
			if p := c.next(k); p.props[reasonString] != nil || p.props[userProperty] != nil {
				x.fail("%v says %v", k, p.props)
			}
		}
	}},
}

// aliases returns a client that may use topic aliases, and a subscriber.
func aliases(x *exam) (c, s *client) {
	c = x.open(hello{durable: true})
	x.must(c.ack.number(topicAliasMaximum, 0) > 0, "the server tells no Topic Alias Maximum")
	return c, x.open(hello{})
}

// window publishes more than Receive Maximum allows to be sent.
func window(x *exam, q byte) {
	for _, n := range []int{1, 2} {
		c := x.open(hello{props: with(receiveMaximum, n)})
		c.sub("~/a", q)
		for i := range n + 2 {
			x.pub("~/a", fmt.Sprint(i), q<<1)
		}
		var sent []packet
		for i := range n {
			sent = append(sent, c.delivered(fmt.Sprintf("a=%d q%d", i, q)))
		}
		c.ping() // no more comes
		for i := range 2 {
			c.took(sent[i])
			if q == 2 {
				c.next(pubrel)
				c.ping()
				c.send(byte(pubcomp)<<4, sent[i].id)
			}
			sent = append(sent, c.delivered(fmt.Sprintf("a=%d q%d", n+i, q)))
			c.ping()
		}
	}
}

package behaviour

import (
	"fmt"
	"time"
)

// kept is a session of that many seconds, resumed where there is one.
func kept(seconds int) hello {
	return hello{resume: true, props: with(sessionExpiry, seconds)}
}

var sessions = []check{
	{"3.1.2-4", "345", "a clean start forgets the session", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/a", 1)
		c.vanish()
		x.pub("~/a", "queued", q1)
		c = c.again(hello{})
		x.pub("~/a", "x", q1)
		c.gets()
		c.bye()
		x.must(!c.again(hello{resume: true}).ack.present || x.v == 3, "it came back")
	}},
	{"3.1.2-5", "345", "what is published while a client is away waits for it in order, without DUP", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/#", 2)
		c.vanish()
		var want []string
		for i := range 12 {
			q := i%2 + 1
			x.pub("~/a", fmt.Sprint(i), byte(q)<<1)
			want = append(want, fmt.Sprintf("a=%d q%d", i, q))
		}
		c.again(hello{durable: true}).gets(want...)
	}},
	{"3.1.2-6", "345", "without a session one is begun", "", func(x *exam) {
		c := x.open(hello{resume: true})
		x.must(!c.ack.present, "there was none")
		c.sub("~/a", 0)
		x.pub("~/a", "x", 0)
		c.gets("a=x")
	}},
	{"3.1.2.11.2", "5", "without Session Expiry Interval the session ends with the connection", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 1)
		c.bye()
		x.must(!c.again(hello{resume: true}).ack.present, "it is still there")
		c = x.open(kept(0))
		c.bye()
		x.must(!c.again(hello{resume: true}).ack.present, "0 seconds are none")
	}},
	{"3.1.2-23", "5", "a session stays for its Session Expiry Interval", "", func(x *exam) {
		for _, seconds := range []int{60, 0xffffffff} {
			c := x.open(kept(seconds))
			c.sub("~/a", 1)
			c.bye()
			x.pub("~/a", "x", q1)
			c = c.again(kept(seconds))
			x.must(c.ack.present, "it is gone")
			c.gets("a=x q1")
		}
	}},
	{"4.1.0-2", "5", "a session is forgotten when its Session Expiry Interval has passed", "", func(x *exam) {
		c := x.open(kept(1))
		c.sub("~/a", 1)
		c.bye()
		time.Sleep(2500 * time.Millisecond)
		x.must(!c.again(kept(60)).ack.present, "it is still there")
	}},
	{"3.1.2-23", "5", "a clean start may begin a session that stays", "", func(x *exam) {
		c := x.open(hello{props: with(sessionExpiry, 60)})
		c.bye()
		x.must(c.again(hello{resume: true}).ack.present, "it is gone")
	}},
	{"3.14.2.2.2", "5", "DISCONNECT may end the session at once", "", func(x *exam) {
		c := x.open(kept(60))
		c.bye(byte(0), with(sessionExpiry, 0))
		x.must(!c.again(hello{resume: true}).ack.present, "it is still there")
	}},
	{"3.14.2.2.2", "5", "DISCONNECT may let the session stay for longer", "", func(x *exam) {
		c := x.open(kept(1))
		c.bye(byte(0), with(sessionExpiry, 60))
		time.Sleep(2500 * time.Millisecond)
		x.must(c.again(hello{resume: true}).ack.present, "it is gone")
	}},
	{"3.14.2.2.2", "5", "DISCONNECT may not make a session stay that was to end", "", func(x *exam) {
		c := x.open(hello{})
		c.send(byte(disconnect)<<4, byte(0), with(sessionExpiry, 60))
		c.refused(protocolError)
		x.must(!c.again(hello{resume: true}).ack.present, "it stayed")
	}},
	{"3.1.2.4", "34", "a client that comes back is known until it comes with a clean session", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/a", 1)
		c.vanish()
		c.again(hello{}).bye()
		c = c.again(hello{resume: true})
		x.pub("~/a", "x", q1)
		c.gets()
	}},
	{"4.4.0-1", "345", "what was not acknowledged is sent again after a reconnect: same identifiers, same order, DUP", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/#", 2)
		var ids [4]int
		for i := range ids {
			x.pub("~/a", fmt.Sprint(i), byte(i%2+1)<<1)
			ids[i] = c.delivered(fmt.Sprintf("a=%d q%d", i, i%2+1)).id
		}
		c.ping() // and only after a reconnect
		c.vanish()
		x.pub("~/a", "new", q1)
		c = c.again(hello{durable: true})
		for i, id := range ids {
			p := c.delivered(fmt.Sprintf("a=%d q%d dup", i, i%2+1))
			x.must(p.id == id, "identifier %d became %d", id, p.id)
			c.took(p)
			if p.qos() == 2 {
				x.must(c.await(pubrel).id == id, "PUBREL of another")
				c.send(byte(pubcomp)<<4, id)
			}
		}
		c.delivered("a=new q1")
	}},
	{"4.3.3-5", "345", "a PUBREL that was not answered is sent again after a reconnect, and the message is not", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/a", 2)
		x.pub("~/a", "x", q2)
		p := c.delivered("a=x q2")
		c.took(p)
		c.next(pubrel)
		c.vanish()
		c = c.again(hello{durable: true})
		x.must(c.next(pubrel).id == p.id, "PUBREL of another")
		c.send(byte(pubcomp)<<4, p.id)
		c.gets()
	}},
	{"4.4.0-1", "345", "what was acknowledged is not sent again", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/a", 2)
		x.pub("~/a", "1", q1)
		x.pub("~/a", "2", q2)
		c.gets("a=1 q1", "a=2 q2")
		c.vanish()
		c.again(hello{durable: true}).gets()
	}},
	{"4.3.3-10", "345", "a QoS 2 message that is sent again after a reconnect is delivered once", "", func(x *exam) {
		s := x.open(hello{})
		s.sub("~/a", 2)
		c := x.open(hello{durable: true})
		c.put(9, "~/a", "x", q2)
		c.next(pubrec)
		c.vanish()
		c = c.again(hello{durable: true})
		c.put(9, "~/a", "x", q2|dup)
		x.must(c.next(pubrec).id == 9, "PUBREC of another")
		c.send(byte(pubrel)<<4|2, 9)
		c.next(pubcomp)
		s.gets("a=x q2")
	}},
	{"4.3.3-11", "345", "a PUBREL that is sent again after a reconnect is answered", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.put(9, "~/a", "x", q2)
		c.next(pubrec)
		c.vanish()
		c = c.again(hello{durable: true})
		for range 2 { // the second: the first PUBCOMP was lost
			c.send(byte(pubrel)<<4|2, 9)
			x.must(c.next(pubcomp).id == 9, "PUBCOMP of another")
		}
	}},
	{"4.1", "5", "options and identifiers of subscriptions are part of the session", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/a", 1|noLocal|asPublished, with(subscriptionIdentifier, 7))
		c.vanish()
		c = c.again(hello{durable: true})
		c.pub("~/a", "own", q1)
		x.pub("~/a", "x", q1|retain)
		p := c.gets("a=x q1 retain")[0]
		x.must(p.number(subscriptionIdentifier, 0) == 7, "identifiers %v", p.props[subscriptionIdentifier])
		x.pub("~/a", "", retain)
	}},
	{"3.10.4-4", "45", "a subscription of a resumed session can be given up", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/a", 1)
		c.vanish()
		c = c.again(hello{durable: true})
		x.must(c.unsub("~/a") == 0, "UNSUBACK says that it did not exist")
		x.pub("~/a", "x", q1)
		c.gets()
	}},
	{"4.1.0-1", "45", "what a session is owed outlives a take-over", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/a", 1)
		x.pub("~/a", "1", q1)
		c.delivered("a=1 q1")
		d := c.again(hello{durable: true})
		x.pub("~/a", "2", q1)
		d.gets("a=1 q1 dup", "a=2 q1")
	}},
	{"4.9.0-1", "5", "Receive Maximum is that of the present connection", "", func(x *exam) {
		c := x.open(hello{durable: true})
		c.sub("~/a", 1)
		for i := range 3 {
			x.pub("~/a", fmt.Sprint(i), q1)
			c.delivered(fmt.Sprintf("a=%d q1", i))
		}
		c.vanish()
		c = c.again(hello{durable: true, props: with(receiveMaximum, 1)})
		for i := range 3 {
			p := c.delivered(fmt.Sprintf("a=%d q1 dup", i))
			c.ping()
			c.took(p)
		}
		c.gets()
	}},
}

// dies is a client with that will, and one that waits for it.
func dies(x *exam, h hello) (c, s *client) {
	s = x.open(hello{})
	s.sub("~/w", 2)
	return x.open(h), s
}

var wills = []check{
	{"3.1.2-8", "345", "a will is sent when the connection breaks, with its QoS", "", func(x *exam) {
		for q := range byte(3) {
			c, s := dies(x, hello{will: &will{topic: "~/w", payload: "lost", flags: q << 1}})
			_ = c.conn.Close()
			s.gets("w=lost" + [...]string{"", " q1", " q2"}[q])
		}
	}},
	{"3.1.2-8", "345", "a will may be empty", "", func(x *exam) {
		c, s := dies(x, hello{will: &will{topic: "~/w"}})
		_ = c.conn.Close()
		s.gets("w=")
	}},
	{"3.1.2-14", "345", "a will is not retained unless it says so", Retained, func(x *exam) {
		c, s := dies(x, hello{will: &will{topic: "~/w", payload: "lost"}})
		_ = c.conn.Close()
		s.gets("w=lost")
		late := x.open(hello{})
		late.sub("~/w", 0)
		late.gets()
	}},
	{"3.1.2-15", "345", "a retained will is retained", Retained, func(x *exam) {
		c, s := dies(x, hello{will: &will{topic: "~/w", payload: "lost", flags: retain}})
		_ = c.conn.Close()
		s.gets("w=lost")
		late := x.open(hello{})
		late.sub("~/w", 0)
		late.gets("w=lost retain")
	}},
	{"3.1.2-15", "345", "an empty retained will clears", Retained, func(x *exam) {
		x.pub("~/w", "kept", retain)
		c, s := dies(x, hello{will: &will{topic: "~/w", flags: retain}})
		s.gets("w=kept retain")
		_ = c.conn.Close()
		s.gets("w=")
		late := x.open(hello{})
		late.sub("~/w", 0)
		late.gets()
	}},
	{"3.14.4-3", "345", "DISCONNECT takes the will back", "", func(x *exam) {
		c, s := dies(x, hello{will: &will{topic: "~/w", payload: "lost"}})
		c.bye()
		s.gets()
	}},
	{"3.14.2.1", "5", "DISCONNECT 0x04 asks for the will", "", func(x *exam) {
		c, s := dies(x, hello{will: &will{topic: "~/w", payload: "lost"}})
		c.bye(byte(4))
		s.gets("w=lost")
	}},
	{"3.1.2-8", "345", "a will is sent when the engine closes for an error", "", func(x *exam) {
		c, s := dies(x, hello{will: &will{topic: "~/w", payload: "lost"}})
		c.write([]byte{0x00, 0x00})
		s.gets("w=lost")
	}},
	{"3.1.2-10", "345", "a will is sent once", "", func(x *exam) {
		c, s := dies(x, hello{will: &will{topic: "~/w", payload: "lost"}})
		_ = c.conn.Close()
		s.gets("w=lost")
		c = c.again(hello{})
		_ = c.conn.Close()
		c.again(hello{}).bye()
		s.gets()
	}},
	{"3.1.4-3", "345", "a take-over sends the will of the old connection", "", func(x *exam) {
		c, s := dies(x, hello{will: &will{topic: "~/w", payload: "lost"}})
		c.again(hello{})
		s.gets("w=lost")
	}},
	{"3.1.3-9", "5", "a will waits for its Will Delay Interval", "", func(x *exam) {
		h := kept(60)
		h.will = &will{topic: "~/w", payload: "lost", props: with(willDelay, 2)}
		c, s := dies(x, h)
		_ = c.conn.Close()
		s.gets()
		s.delivered("w=lost")
	}},
	{"3.1.3-9", "5", "a client that comes back in time has no will sent", "", func(x *exam) {
		h := kept(60)
		h.will = &will{topic: "~/w", payload: "lost", props: with(willDelay, 2)}
		c, s := dies(x, h)
		_ = c.conn.Close()
		s.gets()
		c = c.again(kept(60))
		x.must(c.ack.present, "the session is gone")
		time.Sleep(3 * time.Second)
		s.gets()
	}},
	{"3.1.3-9", "5", "a take-over that goes on with the session has no delayed will sent", "", func(x *exam) {
		h := kept(60)
		h.will = &will{topic: "~/w", payload: "lost", props: with(willDelay, 1)}
		c, s := dies(x, h)
		c.again(kept(60))
		time.Sleep(2 * time.Second)
		s.gets()
	}},
	{"3.1.3.2.2", "5", "a delayed will is sent when the session ends before", "", func(x *exam) {
		h := kept(1)
		h.will = &will{topic: "~/w", payload: "lost", props: with(willDelay, 600)}
		c, s := dies(x, h)
		_ = c.conn.Close()
		s.patience *= 4
		s.delivered("w=lost")
	}},
	{"3.1.3.2.2", "5", "a delayed will is sent when a clean start ends the session", "", func(x *exam) {
		h := kept(60)
		h.will = &will{topic: "~/w", payload: "lost", props: with(willDelay, 600)}
		c, s := dies(x, h)
		_ = c.conn.Close()
		c.again(hello{})
		s.delivered("w=lost")
	}},
	{"3.1.3.2", "5", "a will carries its properties", "", func(x *exam) {
		c, s := dies(x, hello{will: &will{topic: "~/w", payload: "lost", props: with(willDelay, 0, payloadFormat, 1, messageExpiry, 60, contentType, "text/plain",
			responseTopic, "~/answer", correlationData, []byte{0, 255}, userProperty, [2]string{"b", "1"}, userProperty, [2]string{"a", "2"})}})
		_ = c.conn.Close()
		p := s.gets("w=lost")[0]
		carries(x, p)
		if n := p.number(messageExpiry, 0); n < 50 || n > 60 {
			x.fail("expires in %d s", n)
		}
	}},
	{"3.1.3.2.4", "5", "a will expires, counted from when it is sent", Retained, func(x *exam) {
		h := kept(60)
		h.will = &will{topic: "~/w", payload: "lost", flags: retain, props: with(willDelay, 2, messageExpiry, 3)}
		c, s := dies(x, h)
		_ = c.conn.Close()
		n := s.delivered("w=lost").number(messageExpiry, 0)
		x.must(n == 2 || n == 3, "expires in %d s", n)
		time.Sleep(4500 * time.Millisecond)
		late := x.open(hello{})
		late.sub("~/w", 0)
		late.gets()
	}},
}

// carries checks the properties that messages of these checks have.
func carries(x *exam, p packet) {
	x.must(p.number(payloadFormat, 0) == 1, "payload format %v", p.props[payloadFormat])
	for id, want := range map[byte]any{contentType: "text/plain", responseTopic: x.full("~/answer"), correlationData: []byte{0, 255}} {
		x.must(fmt.Sprint(p.props[id]) == fmt.Sprint([]any{want}), "property 0x%02x is %v", id, p.props[id])
	}
	got, want := fmt.Sprint(p.props[userProperty]), "[[b 1] [a 2]]"
	x.must(got == want, "user properties %s, want %s", got, want)
}

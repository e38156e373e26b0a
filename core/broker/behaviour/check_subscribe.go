package behaviour

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

var retaining = []check{
	{"3.3.1-5", "345", "the newest retained message is what a new subscriber gets", Retained, func(x *exam) {
		for q := range byte(3) {
			x.pub("~/a", fmt.Sprint("old", q), retain|q<<1)
			x.pub("~/a", fmt.Sprint("new", q), retain|q<<1)
			c := x.open(hello{})
			c.sub("~/a", 2)
			c.gets(fmt.Sprint("a=new", q) + [...]string{"", " q1", " q2"}[q] + " retain")
		}
	}},
	{"3.3.1-5", "345", "a retained message arrives with the lower QoS", Retained, func(x *exam) {
		x.pub("~/a", "x", retain|q2)
		for q := range byte(3) {
			c := x.open(hello{})
			c.sub("~/a", q)
			c.gets("a=x" + [...]string{"", " q1", " q2"}[q] + " retain")
		}
	}},
	{"3.3.1-6", "345", "an empty retained message clears, and is delivered like any other", Retained, func(x *exam) {
		x.pub("~/a", "x", retain)
		c := x.open(hello{})
		c.sub("~/a", 1)
		c.gets("a=x retain")
		x.pub("~/a", "", retain|q1)
		c.gets("a= q1")
		c = x.open(hello{})
		c.sub("~/a", 0)
		x.pub("~/b", "y", retain)
		c.sub("~/b", 0)
		c.gets("b=y retain")
	}},
	{"3.3.1-8", "345", "what is not retained leaves the retained message alone", Retained, func(x *exam) {
		x.pub("~/a", "kept", retain)
		x.pub("~/a", "x", 0)
		x.pub("~/a", "", q1)
		c := x.open(hello{})
		c.sub("~/a", 0)
		c.gets("a=kept retain")
	}},
	{"3.3.1-12", "345", "an established subscription gets it without RETAIN", Retained, func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 1)
		x.pub("~/a", "x", retain|q1)
		c.gets("a=x q1")
	}},
	{"3.3.1-13", "5", "Retain As Published keeps RETAIN as it was", Retained, func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 1|asPublished)
		x.pub("~/a", "1", retain|q1)
		x.pub("~/a", "2", q1)
		c.gets("a=1 q1 retain", "a=2 q1")
	}},
	{"3.3.1-9", "345", "subscribing again brings the retained message again", Retained, func(x *exam) {
		x.pub("~/a", "x", retain)
		c := x.open(hello{})
		for range 2 {
			c.sub("~/a", 0)
			c.gets("a=x retain")
		}
	}},
	{"3.3.1-10", "5", "Retain Handling 1 brings retained messages to new subscriptions only", Retained, func(x *exam) {
		x.pub("~/a", "x", retain)
		x.pub("~/b", "y", retain)
		c := x.open(hello{})
		c.sub("~/a", 0|retainIfNew)
		c.gets("a=x retain")
		c.sub("~/a", 0|retainIfNew)
		c.sub("~/b", 0) // comes after what must not come
		c.gets("b=y retain")
		c.unsub("~/a")
		c.sub("~/a", 0|retainIfNew)
		c.gets("a=x retain")
	}},
	{"3.3.1-11", "5", "Retain Handling 2 brings no retained messages", Retained, func(x *exam) {
		x.pub("~/a", "x", retain)
		x.pub("~/b", "y", retain)
		c := x.open(hello{})
		c.sub("~/a", 0|retainNever)
		c.sub("~/b", 0)
		c.gets("b=y retain")
	}},
	{"4.7.1-1", "345", "wildcards bring the retained messages that they match, parent included", Retained, func(x *exam) {
		for _, name := range []string{"~/r", "~/r/1", "~/r/1/2", "~/s", "~//1"} {
			x.pub(name, "x", retain)
		}
		for filter, want := range map[string]string{"~/r/#": "r r/1 r/1/2", "~/r/1/#": "r/1 r/1/2", "~/+": "r s", "~/+/1": "r/1 /1", "~/#": "r r/1 r/1/2 s /1", "+/r/+": "r/1", "#": "r r/1 r/1/2 s /1"} {
			c := x.open(hello{})
			c.wide = true
			c.sub(filter, 0)
			var all []string
			for name := range strings.FieldsSeq(want) {
				all = append(all, name+"=x retain")
			}
			c.getsSome(all...)
		}
	}},
	{"3.1.2-7", "345", "retained messages do not end with the session of who sent them", Retained, func(x *exam) {
		c := x.open(hello{})
		c.pub("~/a", "x", retain|q1)
		c.bye()
		c = c.again(hello{})
		c.sub("~/a", 0)
		c.gets("a=x retain")
	}},
	{"3.3.2-17", "5", "a retained message keeps its properties", Retained, func(x *exam) {
		x.pub("~/a", "x", retain|q1, with(payloadFormat, 1, contentType, "text/plain", responseTopic, "~/answer", correlationData, []byte{0, 255}, userProperty, [2]string{"b", "1"}, userProperty, [2]string{"a", "2"}))
		c := x.open(hello{})
		c.sub("~/a", 1)
		carries(x, c.gets("a=x q1 retain")[0])
	}},
	{"3.3.2-5", "5", "a retained message that expired is not delivered", Retained, func(x *exam) {
		x.pub("~/a", "x", retain, with(messageExpiry, 1))
		x.pub("~/b", "y", retain, with(messageExpiry, 60))
		time.Sleep(2500 * time.Millisecond)
		c := x.open(hello{})
		c.sub("~/+", 0)
		p := c.gets("b=y retain")[0]
		if n := p.number(messageExpiry, -1); n < 40 || n > 58 {
			x.fail("expires in %d s", n)
		}
	}},
}

var subscribing = []check{
	{"3.8.4-2", "345", "SUBACK and UNSUBACK name the packet that they answer", "", func(x *exam) {
		c := x.open(hello{})
		for _, id := range []int{1, 256, 65535} {
			c.send(byte(subscribe)<<4|2, id, props{}, "~/a", byte(0))
			x.must(c.next(suback).id == id, "SUBACK of another")
			c.send(byte(unsubscribe)<<4|2, id, props{}, "~/a")
			x.must(c.next(unsuback).id == id, "UNSUBACK of another")
		}
	}},
	{"3.9.3-1", "345", "SUBACK has a code for each filter, in order", "", func(x *exam) {
		c := x.open(hello{})
		c.send(byte(subscribe)<<4|2, 1, props{}, "~/a", byte(2), "~/b", byte(0), "~/c", byte(1), "~/a", byte(0))
		got := c.next(suback).codes
		x.must(slices.Equal(got, []byte{2, 0, 1, 0}), "codes % x", got)
	}},
	{"3.8.4-7", "45", "a filter that is denied is told so, and the others are granted", Denial, func(x *exam) {
		c := x.open(hello{})
		c.send(byte(subscribe)<<4|2, 1, props{}, "~/a", byte(1), x.Denied, byte(1), "~/b", byte(2))
		got := c.next(suback).codes
		x.must(slices.Equal(got, []byte{1, map[byte]byte{4: 0x80, 5: 0x87}[x.v], 2}), "codes % x", got)
	}},
	{"3.8.4-5", "345", "many filters in one packet are as many subscriptions", "", func(x *exam) {
		c := x.open(hello{})
		parts := []any{1, props{}}
		for i := range 300 {
			parts = append(parts, fmt.Sprintf("~/%d", i), byte(i%3))
		}
		c.send(byte(subscribe)<<4|2, parts...)
		x.must(len(c.next(suback).codes) == 300, "codes are missing")
		for _, i := range []int{0, 150, 299} {
			x.pub(fmt.Sprintf("~/%d", i), "x", 0)
		}
		c.gets("0=x", "150=x", "299=x")
	}},
	wrong("3.8.3-2", "45", "SUBSCRIBE without a filter is refused", byte(subscribe)<<4|2, []any{1, props{}}, malformedPacket, protocolError),
	wrong("3.10.3-2", "45", "UNSUBSCRIBE without a filter is refused", byte(unsubscribe)<<4|2, []any{1, props{}}, malformedPacket, protocolError),
	wrong("2.2.1-3", "345", "SUBSCRIBE with Packet Identifier 0 is refused", byte(subscribe)<<4|2, []any{0, props{}, "~/a", byte(0)}, malformedPacket, protocolError),
	wrong("2.2.1-3", "345", "UNSUBSCRIBE with Packet Identifier 0 is refused", byte(unsubscribe)<<4|2, []any{0, props{}, "~/a"}, malformedPacket, protocolError),
	wrong("3.8.3-5", "45", "reserved bits of Subscription Options are refused", byte(subscribe)<<4|2, []any{1, props{}, "~/a", byte(0x40)}, malformedPacket, protocolError),
	wrong("3.8.3-4", "4", "options that only MQTT 5 has are refused", byte(subscribe)<<4|2, []any{1, "~/a", noLocal}, malformedPacket),
	wrong("3.8.3.1", "345", "a subscription of QoS 3 is refused", byte(subscribe)<<4|2, []any{1, props{}, "~/a", byte(3)}, malformedPacket, protocolError),
	wrong("3.8.3.1", "5", "Retain Handling 3 is refused", byte(subscribe)<<4|2, []any{1, props{}, "~/a", retainInvalid}, malformedPacket, protocolError),
	wrong("3.8.2.1.2", "5", "Subscription Identifier 0 is refused", byte(subscribe)<<4|2, []any{1, with(subscriptionIdentifier, 0), "~/a", byte(0)}, protocolError, malformedPacket),
	wrong("3.8.2.1.2", "5", "two Subscription Identifiers are refused", byte(subscribe)<<4|2, []any{1, with(subscriptionIdentifier, 1, subscriptionIdentifier, 2), "~/a", byte(0)}, protocolError, malformedPacket),
	{"3.8.4-3", "345", "a filter that comes again replaces its subscription", "", func(x *exam) {
		c := x.open(hello{})
		for _, q := range []byte{0, 2, 1} {
			c.sub("~/a", q)
			x.pub("~/a", "x", q2)
			c.gets("a=x" + [...]string{"", " q1", " q2"}[q])
		}
	}},
	{"3.8.3-3", "5", "No Local keeps away what the client itself published", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 1|noLocal)
		c.sub("~/b", 1)
		c.pub("~/a", "own", q1)
		c.pub("~/b", "own", q1)
		x.pub("~/a", "x", q1)
		c.gets("b=own q1", "a=x q1")
	}},
	{"3.3.4-2", "345", "where subscriptions overlap the highest QoS counts", "", func(x *exam) {
		for i := range 3 { // whichever of the filters has it
			c := x.open(hello{})
			for j, filter := range []string{"~/#", "~/+", "~/a"} {
				c.sub(filter, byte(i+j)%3)
			}
			x.pub("~/a", "x", q2)
			got := c.drain(1)
			x.must(slices.Contains(x.words(got), "a=x q2") && len(got) <= 3, "got %q", x.words(got))
		}
	}},
	{"3.3.4-3", "5", "a delivery names the Subscription Identifiers of all that match", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/#", 1, with(subscriptionIdentifier, 1))
		c.sub("~/+", 1, with(subscriptionIdentifier, 268435455))
		c.sub("~/b", 1, with(subscriptionIdentifier, 3))
		c.sub("+/~/a", 1, with(subscriptionIdentifier, 4))
		c.sub("~/a", 1)
		x.pub("~/a", "x", q1)
		var ids []int
		for _, p := range c.drain(1) {
			for _, id := range p.props[subscriptionIdentifier] {
				ids = append(ids, id.(int))
			}
		}
		slices.Sort(ids)
		x.must(slices.Equal(ids, []int{1, 268435455}), "identifiers %v", ids)
	}},
	{"3.3.4-3", "5", "a subscription that is replaced has the new identifier, or none", "", func(x *exam) {
		c := x.open(hello{})
		for _, want := range []int{5, 6, 0} {
			p := props{}
			if want > 0 {
				p = with(subscriptionIdentifier, want)
			}
			c.sub("~/a", 0, p)
			x.pub("~/a", "x", 0)
			got := c.gets("a=x")[0].number(subscriptionIdentifier, 0)
			x.must(got == want, "identifier %d instead of %d", got, want)
		}
	}},
	{"3.3.4-3", "5", "retained messages name the Subscription Identifier", Retained, func(x *exam) {
		x.pub("~/a", "x", retain)
		c := x.open(hello{})
		c.sub("~/+", 0, with(subscriptionIdentifier, 9))
		got := c.gets("a=x retain")[0].number(subscriptionIdentifier, 0)
		x.must(got == 9, "identifier %d", got)
	}},
	{"3.10.4-2", "345", "nothing more arrives after UNSUBACK", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 1)
		c.sub("~/b", 1)
		c.unsub("~/a")
		x.pub("~/a", "x", q1)
		x.pub("~/b", "x", q1)
		c.gets("b=x q1")
	}},
	{"3.10.4-1", "345", "only the very same filter is given up", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 0)
		for _, other := range []string{"~/+", "~/#", "~/A", "~/a/", "/~/a"} {
			c.unsub(other)
		}
		x.pub("~/a", "x", 0)
		c.gets("a=x")
	}},
	{"3.10.4-5", "345", "giving up what one does not have is answered", "", func(x *exam) {
		code := x.open(hello{}).unsub("~/a")
		x.must(x.v < 5 || code == 0x11, "UNSUBACK 0x%02x", code)
	}},
	{"3.11.3-1", "5", "UNSUBACK has a code for each filter, in order", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 0)
		c.sub("~/c", 0)
		c.send(byte(unsubscribe)<<4|2, 9, props{}, "~/a", "~/b", "~/c", "~/a")
		got := c.next(unsuback).codes
		x.must(slices.Equal(got, []byte{0, 0x11, 0, 0x11}), "codes % x", got)
	}},
	{"3.10.4-3", "345", "what was sent before UNSUBSCRIBE is completed", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/a", 2)
		x.pub("~/a", "x", q2)
		p := c.delivered("a=x q2")
		c.unsub("~/a")
		c.took(p)
		c.next(pubrel)
		c.send(byte(pubcomp)<<4, p.id)
		c.ping()
	}},
	{"4.7.1", "345", "filters match what they should", "", func(x *exam) {
		names := []string{"~/a", "~/a/b", "~/a/b/c", "~/a//c", "~/A", "~/a ", "~/é/b", "~//", "/~/a"}
		c := x.open(hello{})
		for filter, want := range map[string]string{
			"~/a": "0", "~/a/#": "0 1 2 3", "~/a/b/#": "1 2", "~/+": "0 4 5", "~/+/b": "1 6", "~/a/+": "1", "~/a/+/c": "2 3", "~/a/+/#": "1 2 3",
			"+/a": "0", "+/a/b": "1", "/+/+": "8", "/#": "8", "+/+/a": "8", "~/+/+": "1 6 7", "~//+": "7", "~/#": "0 1 2 3 4 5 6 7", "#": "0 1 2 3 4 5 6 7 8", "~/a/b/c/#": "2", "~/é/+": "6",
		} {
			c.wide = true
			c.sub(filter, 0)
			for i, name := range names {
				x.pub(name, fmt.Sprint(i), 0)
			}
			var got []string
			for _, p := range c.drain(0) {
				got = append(got, string(p.payload))
			}
			x.must(strings.Join(got, " ") == want, "%s gets %v, want %s", filter, got, want)
			c.unsub(filter)
		}
	}},
	{"4.7.1-2", "45", "wildcards where they cannot be are refused", "", func(x *exam) {
		for _, filter := range []string{"~/a#", "#/~/a", "~/#/a", "~/a+", "+a/~/b", "~/+a/b", "~/##", "~/++"} {
			refusesFilter(x, filter, 0)
		}
	}},
	{"4.7.3-1", "345", "an empty filter is refused", "", func(x *exam) { refusesFilter(x, "", 0) }},
	{"1.5.4-3", "345", "U+FEFF is a character like any other", "", func(x *exam) {
		c := x.open(hello{})
		c.sub("~/\ufeffa", 0)
		x.pub("~/a", "1", 0)
		x.pub("~/\ufeffa", "2", 0)
		c.gets("\ufeffa=2")
	}},
}

// refusesFilter subscribes to what is no filter: a code of its own or the end of the connection.
func refusesFilter(x *exam, filter string, options byte) {
	c := x.open(hello{})
	c.send(byte(subscribe)<<4|2, 1, props{}, filter, options)
	p, err := c.take()
	if err != nil {
		x.must(x.v < 5 || x.lacks(Reasons), "%q: closed without a reason", filter)
		return
	}
	want := map[kind]string{suback: "\x80\x8f", disconnect: "\x81\x82\x8f"}[p.kind]
	x.must(strings.IndexByte(want, p.code()) >= 0, "%q: %v 0x%02x", filter, p.kind, p.codes)
}

var sharing = []check{
	{"4.8.2", "5", "each message goes to one member of each share, and to who does not share", Shared, func(x *exam) {
		members := share(x, "$share/g/~/+", 3)
		other, plain := share(x, "$share/h/~/+", 1)[0], share(x, "~/+", 1)[0]
		var want []string
		for i := range 12 {
			x.pub("~/a", fmt.Sprint(i), q1)
			want = append(want, fmt.Sprintf("a=%d q1", i))
		}
		other.gets(want...)
		plain.gets(want...)
		shared(x, members, want)
	}},
	{"4.8.2", "5", "a member that leaves gets nothing more, and the others all", Shared, func(x *exam) {
		members := share(x, "$share/g/~/a", 3)
		members[0].unsub("$share/g/~/a")
		members[1].bye()
		var want []string
		for i := range 6 {
			x.pub("~/a", fmt.Sprint(i), q1)
			want = append(want, fmt.Sprintf("a=%d q1", i))
		}
		members[2].gets(want...)
		members[0].gets()
	}},
	{"4.8.2", "5", "a share without members is no more", Shared, func(x *exam) {
		c := share(x, "$share/g/~/a", 1)[0]
		x.must(c.unsub("$share/g/~/a") == 0, "UNSUBACK says that it did not exist")
		x.pub("~/a", "x", q1)
		c.gets()
		x.must(c.unsub("$share/g/~/a") == 0x11, "UNSUBACK says that it existed")
	}},
	{"4.8.2-3", "5", "each member has its own QoS", Shared, func(x *exam) {
		members := share(x, "$share/g/~/a", 2)
		members[0].sub("$share/g/~/a", 0)
		for range 8 {
			x.pub("~/a", "x", q2)
		}
		n := 0
		for i, c := range members {
			for _, p := range c.drain(0) {
				n++
				x.must(p.qos() == byte(i), "QoS %d", p.qos())
			}
		}
		x.must(n == 8, "%d messages", n)
	}},
	{"4.8.2-6", "5", "a message that a member refuses goes to no other", Shared, func(x *exam) {
		members := share(x, "$share/g/~/a", 1)
		x.pub("~/a", "x", q1)
		p := members[0].delivered("a=x q1")
		other := share(x, "$share/g/~/a", 1)[0]
		members[0].send(byte(puback)<<4, p.id, byte(0x83))
		members[0].bye()
		other.gets()
	}},
	{"3.8.4", "5", "retained messages do not come to shared subscriptions", Shared, func(x *exam) {
		x.pub("~/a", "x", retain)
		x.pub("~/b", "y", retain)
		c := share(x, "$share/g/~/a", 1)[0]
		c.sub("~/b", 0)
		c.gets("b=y retain")
	}},
	{"4.8.2", "5", "a member that is away does not hold messages up", Present, func(x *exam) {
		away := x.open(hello{durable: true})
		away.sub("$share/g/~/a", 1)
		here := share(x, "$share/g/~/a", 1)[0]
		away.vanish()
		var want []string
		for i := range 6 {
			x.pub("~/a", fmt.Sprint(i), q1)
			want = append(want, fmt.Sprintf("a=%d q1", i))
		}
		here.gets(want...)
	}},
	{"3.3.4-3", "5", "a shared subscription has its identifier", Shared, func(x *exam) {
		c := x.open(hello{})
		c.sub("$share/g/~/a", 0, with(subscriptionIdentifier, 9))
		x.pub("~/a", "x", 0)
		got := c.gets("a=x")[0].number(subscriptionIdentifier, 0)
		x.must(got == 9, "identifier %d", got)
	}},
	{"3.8.3-4", "5", "No Local on a shared subscription is refused", Shared, func(x *exam) {
		c := x.open(hello{})
		c.send(byte(subscribe)<<4|2, 1, props{}, "$share/g/~/a", noLocal)
		c.refused(protocolError)
	}},
	{"4.8.2-1", "5", "a share without a name is refused", Shared, func(x *exam) { refusesFilter(x, "$share//~/a", 0) }},
	{"4.8.2-2", "5", "a share name with a wildcard, or without a filter, is refused", Shared, func(x *exam) {
		for _, filter := range []string{"$share/g+/~/a", "$share/#/~/a", "$share/+/~/a", "$share/g", "$share/g/"} {
			refusesFilter(x, filter, 0)
		}
	}},
}

// share returns n clients with that subscription of QoS 1.
func share(x *exam, filter string, n int) (members []*client) {
	for range n {
		c := x.open(hello{})
		x.must(c.sub(filter, 1) == 1, "it is not granted")
		members = append(members, c)
	}
	return members
}

// shared wants that members have got these messages between them, each in order.
func shared(x *exam, members []*client, want []string) {
	var all []string
	for _, c := range members {
		got := x.words(c.drain(0))
		x.must(slices.IsSortedFunc(got, func(a, b string) int { return slices.Index(want, a) - slices.Index(want, b) }), "out of order: %q", got)
		all = append(all, got...)
	}
	x.must(len(all) == len(want), "got %q, want %q", all, want)
	for _, w := range want {
		x.must(slices.Contains(all, w), "%q is missing in %q", w, all)
	}
}

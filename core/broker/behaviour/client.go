package behaviour

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

// client is one connection to the engine.
type client struct {
	x        *exam
	conn     net.Conn
	r        *bufio.Reader
	v        byte
	id       string
	ack      packet // the CONNACK
	last     int    // Packet Identifier last used
	early    []packet
	wide     bool // it hears of other checks too: what is not of this one is left out
	patience time.Duration
}

// hello is a CONNECT. The zero value is a clean one with an identifier of its own.
type hello struct {
	v         byte // else as the exam
	id        string
	resume    bool // Clean Start 0
	durable   bool // and with a session that stays; then it has a will that tells when it is gone
	alive     int  // Keep Alive in seconds
	props     props
	will      *will
	anonymous bool   // neither user name nor password
	password  string // else as the login
	twist     byte   // flips bits of the Connect Flags
	extra     []any  // after the payload
}

type will struct {
	topic, payload string
	flags          byte // as of a PUBLISH
	props          props
}

// parts returns what follows the fixed header.
func (h hello) parts(x *exam) []any {
	name, flags, body := "MQTT", byte(0), []any{h.id}
	if h.v == 3 {
		name = "MQIsdp"
	}
	if !h.resume && !h.durable {
		flags |= 0x02
	}
	all := h.props
	if h.durable {
		if h.v == 5 {
			all = append(with(sessionExpiry, 300), all...)
		}
		if h.will == nil {
			h.will = &will{topic: "gone/~/" + h.id, payload: "gone"}
		}
	}
	if w := h.will; w != nil {
		flags |= 0x04 | w.flags&(q1|q2)<<2 | w.flags&retain<<5
		body = append(body, w.props, w.topic, len(w.payload), []byte(w.payload))
	}
	if x.Login != nil && !h.anonymous {
		user, password := x.Login(h.id)
		if h.password != "" {
			password = h.password
		}
		flags |= 0xc0
		body = append(body, user, password)
	}
	return slices.Concat([]any{name, h.v, flags ^ h.twist, h.alive, all}, body, h.extra)
}

// dial opens a connection and sends nothing.
func (x *exam) dial(v byte) *client {
	conn, err := net.DialTimeout("tcp", x.Addr, x.patience)
	if err != nil {
		x.fail("%v", err)
	}
	c := &client{x: x, conn: conn, r: bufio.NewReader(conn), v: v, patience: x.patience}
	x.clients = append(x.clients, c)
	return c
}

func (x *exam) name() string { return fmt.Sprintf("%sn%d", x.prefix, len(x.clients)) }

// greet sends a CONNECT.
func (x *exam) greet(h hello) *client {
	if h.v == 0 {
		h.v = x.v
	}
	if h.id == "" {
		h.id = x.name()
	} else if h.id == "none" {
		h.id = ""
	}
	c := x.dial(h.v)
	c.id = h.id
	c.send(byte(connect)<<4, h.parts(x)...)
	return c
}

// open connects and is let in.
func (x *exam) open(h hello) *client {
	c := x.greet(h)
	c.ack = c.next(connack)
	x.must(c.ack.code() == 0, "CONNACK 0x%02x", c.ack.code())
	if assigned := c.ack.props[assignedClient]; assigned != nil {
		c.id = assigned[0].(string)
	}
	return c
}

// again connects c's client anew.
func (c *client) again(h hello) *client {
	h.id, h.v = c.id, c.v
	return c.x.open(h)
}

// pub has another client publish.
func (x *exam) pub(topic, payload string, flags byte, ps ...props) byte {
	if x.helper == nil {
		x.helper = x.open(hello{})
	}
	return x.helper.pub(topic, payload, flags, ps...)
}

// write sends bytes as they are. That the engine has closed shows when reading.
func (c *client) write(b []byte) {
	c.x.note(fmt.Sprintf("%s > % x", c.id, b[:min(len(b), 48)]))
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.patience))
	_, _ = c.conn.Write(b)
}

// frame encodes a packet; "~/" becomes the prefix of this check.
func (c *client) frame(first byte, parts ...any) []byte {
	parts = slices.Clone(parts)
	for i, part := range parts {
		switch part := part.(type) {
		case string:
			parts[i] = c.x.full(part)
		case props: // only one of them can be a topic
			parts[i] = c.x.fullProps(part)
		}
	}
	body := encode(c.v, parts...)
	return append(appendVarint([]byte{first}, len(body)), body...)
}

// fullProps puts the prefix into a Response Topic, the only property that is a topic.
func (x *exam) fullProps(p props) props {
	short := encode(5, "~/answer")
	if i := strings.Index(string(p), string(short)); i >= 0 {
		return slices.Concat(p[:i], encode(5, x.full("~/answer")), p[i+len(short):])
	}
	return p
}

func (c *client) send(first byte, parts ...any) { c.write(c.frame(first, parts...)) }

// receive returns the next packet from the network.
func (c *client) receive() (packet, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(c.patience))
	first, body, err := readPacket(c.r)
	if err != nil {
		return packet{}, err
	}
	c.x.note(fmt.Sprintf("%s < %02x … % x", c.id, first, body[:min(len(body), 48)]))
	p, err := parse(c.v, first, body)
	if err != nil {
		c.x.fail("%v", err)
	}
	return p, nil
}

func (c *client) take() (packet, error) {
	if len(c.early) > 0 {
		p := c.early[0]
		c.early = c.early[1:]
		return p, nil
	}
	return c.receive()
}

// next returns the next packet, which has to be of a kind.
func (c *client) next(k kind) packet {
	p, err := c.take()
	c.x.must(err == nil, "waiting for %v: %v", k, err)
	c.x.must(p.kind == k, "%v 0x%02x instead of %v", p.kind, p.codes, k)
	return p
}

// await returns the next packet of a kind; deliveries before it are kept for later.
func (c *client) await(k kind) packet {
	for {
		p, err := c.receive()
		c.x.must(err == nil, "waiting for %v: %v", k, err)
		if p.kind == k {
			return p
		}
		c.x.must(p.kind == publish || p.kind == pubrel, "%v 0x%02x instead of %v", p.kind, p.codes, k)
		c.early = append(c.early, p)
	}
}

// ping asks whether the engine is there, and that nothing comes before its answer.
func (c *client) ping() {
	c.send(byte(pingreq) << 4)
	c.next(pingresp)
}

// put sends a PUBLISH and waits for nothing.
func (c *client) put(id int, topic, payload string, flags byte, ps ...props) {
	parts := []any{topic}
	if flags&(q1|q2) != 0 {
		parts = append(parts, id)
	}
	c.send(byte(publish)<<4|flags, append(parts, slices.Concat(append(ps, props{})...), []byte(payload))...)
}

// pub publishes, completes the exchange and returns the reason code. When it
// returns, the engine has taken the message.
func (c *client) pub(topic, payload string, flags byte, ps ...props) byte {
	c.last++
	c.put(c.last, topic, payload, flags, ps...)
	switch flags & (q1 | q2) {
	case q1:
		return c.acked(puback, c.last)
	case q2:
		if code := c.acked(pubrec, c.last); code >= 0x80 {
			return code
		}
		c.send(byte(pubrel)<<4|2, c.last)
		return c.acked(pubcomp, c.last)
	}
	c.send(byte(pingreq) << 4)
	c.await(pingresp)
	return 0
}

func (c *client) acked(k kind, id int) byte {
	p := c.await(k)
	c.x.must(p.id == id, "%v of %d instead of %d", k, p.id, id)
	return p.code()
}

// sub subscribes to one filter and returns the reason code.
func (c *client) sub(filter string, options byte, ps ...props) byte {
	c.last++
	c.send(byte(subscribe)<<4|2, c.last, props(slices.Concat(append(ps, props{})...)), filter, options)
	p := c.await(suback)
	c.x.must(p.id == c.last && len(p.codes) == 1, "SUBACK of %d with % x", p.id, p.codes)
	return p.codes[0]
}

// unsub unsubscribes from one filter and returns the reason code.
func (c *client) unsub(filter string) byte {
	c.last++
	c.send(byte(unsubscribe)<<4|2, c.last, props{}, filter)
	return c.acked(unsuback, c.last)
}

// took acknowledges a delivery: with PUBACK or PUBREC.
func (c *client) took(p packet) {
	switch p.qos() {
	case 1:
		c.send(byte(puback)<<4, p.id)
	case 2:
		c.send(byte(pubrec)<<4, p.id)
	}
}

// drain takes and acknowledges what c is sent until a message of its own comes
// back and there are at least n. It returns them without those.
func (c *client) drain(n int) (got []packet) {
	c.x.marks++
	mark := fmt.Sprintf("mark/%s/%d", c.x.prefix, c.x.marks)
	c.sub(mark, 0)
	c.put(0, mark, "", 0)
	open := 0 // of QoS 2
	for marked := false; !marked || len(got) < n || open > 0; {
		p, err := c.take()
		c.x.must(err == nil, "after %q: %v", c.x.words(got), err)
		switch {
		case p.kind == publish && strings.HasPrefix(p.topic, "mark/"):
			marked = marked || p.topic == mark
		case p.kind == publish && c.wide && !strings.Contains(p.topic, c.x.prefix) && !strings.HasPrefix(p.topic, "$"):
		case p.kind == publish:
			if p.qos() == 2 {
				open++
			}
			c.took(p)
			got = append(got, p)
		case p.kind == pubrel:
			c.send(byte(pubcomp)<<4, p.id)
			open--
		default:
			c.x.fail("%v 0x%02x while waiting for messages", p.kind, p.codes)
		}
	}
	return got
}

// gets is drain and wants just these messages: "topic=payload q1 retain dup".
func (c *client) gets(want ...string) []packet {
	got := c.drain(len(want))
	c.x.must(slices.Equal(c.x.words(got), want), "got %q, want %q", c.x.words(got), want)
	return got
}

// getsSome is gets in any order.
func (c *client) getsSome(want ...string) {
	got := c.x.words(c.drain(len(want)))
	slices.Sort(got)
	slices.Sort(want)
	c.x.must(slices.Equal(got, want), "got %q, want %q", got, want)
}

func (x *exam) words(ps []packet) (all []string) {
	for _, p := range ps {
		all = append(all, x.word(p))
	}
	return all
}

func (x *exam) word(p packet) string {
	s := strings.TrimPrefix(p.topic, x.prefix+"/") + "=" + string(p.payload[:min(len(p.payload), 40)])
	if p.qos() > 0 {
		s += fmt.Sprintf(" q%d", p.qos())
	}
	if p.flags&retain != 0 {
		s += " retain"
	}
	if p.flags&dup != 0 {
		s += " dup"
	}
	return s
}

// delivered returns the next packet, which has to be this message.
func (c *client) delivered(want string) packet {
	p := c.next(publish)
	c.x.must(c.x.word(p) == want, "got %q, want %q", c.x.word(p), want)
	return p
}

// closed waits until the engine closes without another word.
func (c *client) closed() {
	p, err := c.take()
	c.x.must(err != nil, "%v 0x%02x instead of the end", p.kind, p.codes)
	c.x.must(!errors.Is(err, os.ErrDeadlineExceeded), "the connection stays open")
}

// refused waits until the engine ends the connection for an error. In MQTT 5 it
// says why, with one of the codes.
func (c *client) refused(codes ...byte) { c.ends(disconnect, codes) }

// rejected waits until the engine refuses a CONNECT: with one of the codes, or
// without a word where 0 is one of them.
func (c *client) rejected(codes ...byte) { c.ends(connack, codes) }

func (c *client) ends(k kind, codes []byte) {
	silent := slices.Contains(codes, 0) || c.x.lacks(Reasons) || k == disconnect && c.v < 5
	p, err := c.take()
	if err != nil {
		c.x.must(!errors.Is(err, os.ErrDeadlineExceeded), "the connection stays open")
		c.x.must(silent, "it is closed without a reason, want %v 0x%02x", k, codes)
		return
	}
	c.x.must(p.kind == k, "%v 0x%02x instead of %v", p.kind, p.codes, k)
	c.x.must(p.code() != 0 && slices.Contains(codes, p.code()), "%v 0x%02x, want one of 0x%02x", k, p.code(), codes)
	c.x.must(!p.present, "Session Present in a refusal")
	c.closed()
}

// bye disconnects and waits until the engine has seen it.
func (c *client) bye(parts ...any) {
	c.send(byte(disconnect)<<4, parts...)
	c.early = nil
	c.closed()
	_ = c.conn.Close()
}

// vanish cuts the connection of a durable client and waits until the engine has
// noticed, which its will tells.
func (c *client) vanish() {
	x := c.x
	if x.watcher == nil {
		x.watcher = x.open(hello{})
		x.watcher.sub("gone/~/#", 0)
	}
	_ = c.conn.Close()
	p := x.watcher.next(publish)
	x.must(p.topic == x.full("gone/~/"+c.id), "%s while %s goes", p.topic, c.id)
}

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"homeroom/core"
)

// durable is a client of MQTT 3.1.1 that keeps its half of the session over
// connections, as the specification asks (3.1.1, section 4.1), so that what it
// sees twice is the broker's doing.
type durable struct {
	t        *testing.T
	id       string
	password string
	c        net.Conn
	in       *bufio.Reader
}

// connect opens the connection and reports whether the session was there.
func (d *durable) connect(s *served, clean bool) (present bool) {
	d.t.Helper()
	var err error
	if d.c, err = net.Dial("tcp", "127.0.0.1:"+s.mqtt); err != nil {
		d.t.Fatal(err)
	}
	d.in = bufio.NewReader(d.c)
	_ = d.c.SetDeadline(time.Now().Add(time.Minute))
	flags := byte(0xc0)
	if clean {
		flags |= 2
	}
	b := []byte{0, 4, 'M', 'Q', 'T', 'T', 4, flags, 0, 60}
	for _, text := range []string{d.id, d.id, d.password} {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(text))), text...)
	}
	d.write(append(binary.AppendUvarint([]byte{0x10}, uint64(len(b))), b...))
	head, body, err := d.packet()
	if err != nil || head != 0x20 || body[1] != 0 {
		d.t.Fatalf("%s is locked out: %x % x, %v", d.id, head, body, err)
	}
	return body[0] == 1
}

// write sends b; that the connection ended is seen by who reads.
func (d *durable) write(b []byte) { _, _ = d.c.Write(b) }

func (d *durable) packet() (head byte, body []byte, err error) {
	if head, err = d.in.ReadByte(); err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(d.in)
	if err != nil {
		return 0, nil, err
	}
	body = make([]byte, n)
	_, err = io.ReadFull(d.in, body)
	return head, body, err
}

// flight is a publish that is not complete.
type flight struct {
	id       uint16
	qos      byte
	n        int
	received bool // PUBREC came: only PUBREL may be sent again
}

func (f flight) packet(dup byte) []byte {
	if f.received {
		return []byte{0x62, 2, byte(f.id >> 8), byte(f.id)}
	}
	name := fmt.Sprintf("blue/seq/%d", f.qos)
	b := append(binary.BigEndian.AppendUint16(nil, uint16(len(name))), name...)
	b = strconv.AppendInt(binary.BigEndian.AppendUint16(b, f.id), int64(f.n), 10)
	return append(binary.AppendUvarint([]byte{0x31 | dup | f.qos<<1}, uint64(len(b))), b...) // retained
}

// publisher numbers its messages, of each QoS from 0, and publishes them alternately.
type publisher struct {
	durable
	flying       []flight // in order
	last         uint16   // packet identifier
	next         [3]int   // by QoS
	acknowledged [3]int   // by QoS: PUBACK, PUBREC
}

// publish resends what is not complete, and goes on with new messages until the
// connection ends, or until none are flying if more is false. It calls enough
// once, when that many were acknowledged.
func (p *publisher) publish(more bool, quota int, enough func()) {
	const window = 64
	for _, f := range p.flying {
		p.write(f.packet(0x08))
	}
	for quota = quota + p.acknowledged[1] + p.acknowledged[2]; more || len(p.flying) > 0; {
		var out []byte
		for more && len(p.flying) < window {
			p.last = max(1, p.last+1)
			f := flight{id: p.last, qos: 1 + byte(p.last&1)}
			f.n = p.next[f.qos]
			p.next[f.qos]++
			p.flying = append(p.flying, f)
			out = append(out, f.packet(0)...)
		}
		if out != nil {
			p.write(out)
		}
		head, body, err := p.packet()
		if err != nil {
			return
		}
		i := slices.IndexFunc(p.flying, func(f flight) bool { return f.id == binary.BigEndian.Uint16(body) })
		if i < 0 {
			p.t.Fatalf("%x % x acknowledges nothing that was sent", head, body)
		}
		f := &p.flying[i]
		switch {
		case head == 0x50 && f.qos == 2:
			if !f.received {
				p.acknowledged[2]++
			}
			f.received = true
			p.write(f.packet(0))
		case head == 0x40 && f.qos == 1, head == 0x70 && f.received:
			if f.qos == 1 {
				p.acknowledged[1]++
			}
			p.flying = slices.Delete(p.flying, i, i+1)
		default:
			p.t.Fatalf("%x % x acknowledges a publish of QoS %d", head, body, f.qos)
		}
		if enough != nil && p.acknowledged[1]+p.acknowledged[2] >= quota {
			enough()
			enough = nil
		}
	}
}

// subscriber remembers which numbers came.
type subscriber struct {
	durable
	got  [3]map[int]int // by QoS: how often a number was taken
	top  [3]int         // by QoS: the highest number, -1 before
	open map[uint16]int // QoS 2: received and not released
	said int
}

// wrong fails the test, and says why at most five times.
func (s *subscriber) wrong(format string, args ...any) {
	s.t.Helper()
	if s.t.Fail(); s.said < 5 {
		s.t.Logf(format, args...)
	}
	s.said++
}

// receive takes messages until the connection ends or done is true.
func (s *subscriber) receive(done func() bool) error {
	for {
		head, body, err := s.packet()
		if err != nil {
			return err
		}
		switch head >> 4 {
		case 3:
			qos := head >> 1 & 3
			n := 2 + int(binary.BigEndian.Uint16(body))
			topic, id, number := string(body[2:n]), binary.BigEndian.Uint16(body[n:]), string(body[n+2:])
			v, err := strconv.Atoi(number)
			if err != nil || topic != fmt.Sprintf("blue/seq/%d", qos) {
				s.wrong("%s=%s came at QoS %d", topic, number, qos)
			}
			if qos == 2 {
				s.write([]byte{0x50, 2, byte(id >> 8), byte(id)})
				if was, ok := s.open[id]; ok {
					if was != v {
						s.wrong("%s: %d came with the identifier of %d", topic, v, was)
					}
					continue
				}
				s.open[id] = v
			} else {
				s.write([]byte{0x40, 2, byte(id >> 8), byte(id)})
			}
			if s.got[qos][v]++; s.got[qos][v] == 1 {
				if v < s.top[qos] {
					s.wrong("%s: %d came first after %d", topic, v, s.top[qos])
				}
				s.top[qos] = v
			}
		case 6:
			delete(s.open, binary.BigEndian.Uint16(body))
			s.write([]byte{0x70, 2, body[0], body[1]})
		}
		if done() {
			return nil
		}
	}
}

// TestKillAtAnyMoment kills the program KILLS times with SIGKILL while a kit
// publishes, and half of the times while another receives, until ACKED messages
// of QoS 1 and 2 were acknowledged. What was acknowledged is there afterwards,
// in order, of QoS 2 once, and everybody gets in.
func TestKillAtAnyMoment(t *testing.T) {
	number := func(name string, n int) int {
		if s := os.Getenv(name); s != "" {
			var err error
			if n, err = strconv.Atoi(s); err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	kills := number("KILLS", 5)
	acked := number("ACKED", 500*kills)
	data := t.TempDir()
	secret := class(t, data)
	p := publisher{durable: durable{t: t, id: "kit-1", password: secret["kit-1"]}}
	s := subscriber{durable: durable{t: t, id: "kit-2", password: secret["kit-2"]}, got: [3]map[int]int{1: {}, 2: {}}, top: [3]int{-1, -1, -1}, open: map[uint16]int{}}
	home := serve(t, data)
	p.connect(home, false)
	s.connect(home, false)
	s.write([]byte{0x82, 15, 0, 1, 0, 10, 'b', 'l', 'u', 'e', '/', 's', 'e', 'q', '/', '+', 2})
	if head, body, err := s.packet(); err != nil || head != 0x90 || body[2] != 2 {
		t.Fatalf("SUBSCRIBE was answered by %x % x, %v", head, body, err)
	}
	p.c.Close()
	s.c.Close()
	all := func() int { return p.acknowledged[1] + p.acknowledged[2] }
	for kill := range kills {
		if !p.connect(home, false) {
			t.Error("the publisher's session is gone")
		}
		receiving := make(chan error, 1)
		here := kill%2 == 0
		if here {
			if !s.connect(home, false) {
				t.Error("the subscriber's session is gone")
			}
			go func() { receiving <- s.receive(func() bool { return false }) }()
		}
		left := max(0, (acked-all())/(kills-kill)) // on average
		quota := left/2 + rand.IntN(left+1)
		if kill == kills-1 {
			quota = left
		}
		killed := make(chan struct{})
		p.publish(true, quota, func() {
			go func() {
				defer close(killed)
				time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond)
				home.end(syscall.SIGKILL)
			}()
		})
		select {
		case <-killed:
		case <-time.After(time.Minute):
			t.Fatalf("the broker ended the connection after %d acknowledgements", all())
		}
		if here {
			if err := <-receiving; errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("nothing came for a minute")
			}
			s.c.Close()
		}
		p.c.Close()
		home = serve(t, data)
	}
	p.connect(home, false)
	p.publish(false, 0, nil) // what is flying comes to its end
	if len(p.flying) > 0 {
		t.Errorf("%d publishes were never acknowledged", len(p.flying))
	}
	s.connect(home, false)
	if err := s.receive(func() bool {
		return len(s.got[1]) == p.next[1] && len(s.got[2]) == p.next[2] && len(s.open) == 0
	}); err != nil {
		t.Error(err)
	}
	again, lost, twice := 0, [3]int{}, 0
	for qos := 1; qos <= 2; qos++ {
		for n := range p.next[qos] {
			switch times := s.got[qos][n]; {
			case times == 0:
				lost[qos]++
			case times > 1 && qos == 2:
				twice++
			default:
				again += times - 1
			}
		}
	}
	if lost[1]+lost[2]+twice+s.said > 0 {
		t.Errorf("%d of QoS 1 and %d of QoS 2 were lost, %d of QoS 2 came twice, %d times something else was wrong", lost[1], lost[2], twice, s.said)
	}
	teacher := durable{t: t, id: "teacher", password: secret["teacher"]}
	teacher.connect(home, true)
	teacher.write([]byte{0x82, 15, 0, 1, 0, 10, 'b', 'l', 'u', 'e', '/', 's', 'e', 'q', '/', '+', 0})
	for range 3 { // SUBACK and two messages
		head, body, err := teacher.packet()
		if err != nil {
			t.Fatal(err)
		}
		if qos := body[min(11, len(body)-1)] - '0'; head == 0x31 && string(body[12:]) != strconv.Itoa(p.next[qos]-1) {
			t.Errorf("retained of QoS %d is %s, want %d", qos, body[12:], p.next[qos]-1)
		}
	}
	if all() < acked {
		t.Errorf("only %d publishes were acknowledged, want %d", all(), acked)
	}
	t.Logf("%d kills: %d publishes of QoS 1 and %d of QoS 2 acknowledged, %d delivered once more (QoS 1)", kills, p.acknowledged[1], p.acknowledged[2], again)
}

// TestEditsKilled kills the program KILLS times with SIGKILL while a topic with
// readings, a retained message, a kit and a rule is moved, removed and brought back
// again and again. Afterwards all of it is somewhere, once, and whole.
func TestEditsKilled(t *testing.T) {
	kills := 2
	if s := os.Getenv("KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	data := t.TempDir()
	class(t, data)
	ctx := t.Context()
	p, stop := here(t, data)
	teacher, _ := p.accountID("teacher")
	must(t, p.plan.Change(core.As(ctx, teacher), core.Batch{
		Topics: []core.Topic{{Name: "blue/lab/air", Kind: core.Number}, {Name: "blue/lamp", Kind: core.Boolean}},
		Places: []core.Place{{Name: "blue", Kind: core.BranchPlace}, {Name: "blue/lab", Kind: core.RoomPlace},
			{Name: "blue/lab/kit-1", Kind: core.KitPlace, Role: core.AnyKit, Account: "kit-1", Ports: []core.Port{{Slot: "air", Topic: "blue/lab/air", Action: core.Publish}}}},
		Rules: []core.Rule{{ID: "hot", Inputs: []core.Input{{Name: "air", Topic: "blue/lab/air"}}, Then: []core.Act{{Topic: "blue/lamp", Value: "air > 30"}}}}}))
	for _, v := range []string{"20", "21", "21.5"} {
		must(t, p.broker.Publish(ctx, core.Message{Topic: "blue/lab/air", Payload: []byte(v), QoS: 1, Retain: true, From: teacher}))
	}
	whole := func() string {
		d := p.plan.Design()
		kit, rule := d.Place("blue/lab/kit-1"), d.Rule("hot")
		readings, err := p.history.CountReadings(ctx, "blue/lab/air")
		retained := p.broker.Retained("blue/#", 9)
		switch {
		case err != nil:
			return err.Error()
		case len(d.Topics) != 2 || len(d.Places) != 3 || len(d.Rules) != 1:
			return fmt.Sprintf("%d topics, %d places, %d rules", len(d.Topics), len(d.Places), len(d.Rules))
		case kit == nil || len(kit.Ports) != 1 || kit.Ports[0].Topic != "blue/lab/air" || rule == nil || rule.Inputs[0].Topic != "blue/lab/air" || rule.Account != teacher:
			return fmt.Sprintf("kit %+v, rule %+v", kit, rule)
		case readings != 3:
			return fmt.Sprintf("%d readings", readings)
		}
		retained = slices.DeleteFunc(retained, func(m core.Message) bool { return m.Topic == "blue/lamp" }) // the rule's
		if len(retained) != 1 || retained[0].Topic != "blue/lab/air" || string(retained[0].Payload) != "21.5" {
			return fmt.Sprintf("retained %+v", retained)
		}
		return ""
	}
	edits := 0
	for range kills {
		stop()
		s := serve(t, data)
		w := s.signIn("teacher", "a good password")
		ends := time.AfterFunc(time.Duration(50+rand.IntN(1000))*time.Millisecond, func() { s.end(syscall.SIGKILL) })
		for alive := true; alive; {
			for _, do := range []struct {
				method, path string
				body         any
			}{
				{"POST", "/topics/move", object{"from": "blue/lab", "to": "blue/den"}}, {"POST", "/plan/undo", nil},
				{"DELETE", "/topics?topic=blue/lab", nil}, {"POST", "/plan/undo", nil}, {"POST", "/plan/redo", nil}, {"POST", "/plan/undo", nil},
			} {
				code, answer := w.try(do.method, do.path, do.body)
				if alive = code != 0; !alive {
					break
				}
				if edits++; code >= 300 {
					t.Fatalf("%s %s: %d %s", do.method, do.path, code, answer)
				}
			}
		}
		ends.Stop()
		s.end(syscall.SIGKILL) // it has ended
		p, stop = here(t, data)
		// What was under way is finished, whichever way; then all is as it was.
		if rs := p.plan.Removals(); p.plan.Design().Topic("blue/lab/air") == nil && p.plan.Design().Topic("blue/den/air") == nil && len(rs) > 0 {
			must(t, p.plan.UndoRemove(ctx, rs[len(rs)-1].ID))
		}
		if p.plan.Design().Topic("blue/den/air") != nil {
			_, err := p.plan.MoveTopics(ctx, "blue/den", "blue/lab", true)
			must(t, err)
		}
		wrong := ""
		for range 100 { // ends as soon as it is whole
			if wrong = whole(); wrong == "" {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if wrong != "" {
			t.Fatalf("after %d edits: %s", edits, wrong)
		}
	}
	stop()
	t.Logf("%d kills in %d edits", kills, edits)
}

// try is rest of a program that may be killed: 0 is no answer.
func (w *web) try(method, path string, body any) (code int, answer string) {
	data := []byte(nil)
	if body != nil {
		data, _ = json.Marshal(body)
	}
	r, err := http.NewRequest(method, "http://127.0.0.1:"+w.s.http+"/api/v1"+path, bytes.NewReader(data))
	if err != nil {
		w.s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+w.access)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(said)
}

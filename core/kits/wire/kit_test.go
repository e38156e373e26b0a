package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/kits/line"
)

// memory is one end of a serial port that is only in memory.
type memory struct {
	in, out chan []byte
	rest    []byte
	timeout time.Duration
	gone    chan struct{} // closed when it is unplugged
}

func memoryPorts() (program, board *memory) {
	a, b, gone := make(chan []byte, 1000), make(chan []byte, 1000), make(chan struct{})
	return &memory{in: a, out: b, timeout: time.Second, gone: gone}, &memory{in: b, out: a, timeout: time.Second, gone: gone}
}

func (m *memory) Read(p []byte) (int, error) {
	if len(m.rest) == 0 {
		select {
		case <-m.gone:
			return 0, fmt.Errorf("read: %w", line.ErrGone)
		default:
		}
		select {
		case m.rest = <-m.in:
		case <-m.gone:
			return 0, fmt.Errorf("read: %w", line.ErrGone)
		case <-time.After(m.timeout):
			return 0, nil
		}
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

func (m *memory) Write(p []byte) (int, error) {
	select {
	case <-m.gone:
		return 0, line.ErrGone
	case m.out <- bytes.Clone(p):
		return len(p), nil
	}
}

func (m *memory) Close() error                         { return nil }
func (m *memory) SetReadTimeout(d time.Duration) error { m.timeout = d; return nil }
func (m *memory) SetBaud(int) error                    { return nil }
func (m *memory) SetDTR(bool) error                    { return line.ErrNoLines }
func (m *memory) SetRTS(bool) error                    { return line.ErrNoLines }
func (m *memory) Discard() error                       { return nil }

// board plays the kit at the other end. It does with a frame, packet or line what
// the test says.
type board struct {
	*memory

	mu     sync.Mutex
	frame  func(frame)        // guarded by mu
	improv func(improvPacket) // guarded by mu
	sent   []string           // what the program sent, as text; guarded by mu
}

// onFrame and onImprov say what it does from now on.
func (b *board) onFrame(f func(frame)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frame = f
}

func (b *board) onImprov(f func(improvPacket)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.improv = f
}

func (b *board) send(packets ...[]byte) {
	for _, p := range packets {
		_, _ = b.Write(p)
	}
}

// answers answers a request with a status and data.
func (b *board) answers(f frame, data ...byte) {
	b.send(frame{f.kind | answered, f.seq, data}.encode())
}

func (b *board) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, fmt.Sprintf(format, args...))
}

// got returns what the program has sent since the last time.
func (b *board) got() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() { b.sent = nil }()
	return b.sent
}

// talk runs a conversation with a board in a bubble of time.
func talk(t *testing.T, on Events, f func(t *testing.T, k *Kit, b *board, stop func() error)) {
	synctest.Test(t, func(t *testing.T) {
		program, far := memoryPorts()
		b := &board{memory: far}
		s := &stream{most: 300}
		s.line = func(text []byte) {
			b.note("line %s", text)
		}
		s.frame = func(f frame) {
			f.data = bytes.Clone(f.data)
			b.note("%02x %d %x", f.kind, f.seq, f.data)
			b.mu.Lock()
			does := b.frame
			b.mu.Unlock()
			if does != nil {
				does(f)
			}
		}
		s.improv = func(p improvPacket) {
			p.data = bytes.Clone(p.data)
			b.note("improv %x", p.data)
			b.mu.Lock()
			does := b.improv
			b.mu.Unlock()
			if does != nil {
				does(p)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		done := make(chan struct{})
		work.Go(func() {
			buf := make([]byte, 4096)
			for {
				n, err := far.Read(buf)
				s.feed(buf[:n])
				if err != nil {
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
		k := Talk(program, on)
		var err error
		ended := make(chan struct{})
		go func() {
			err = k.Run(ctx)
			close(ended)
		}()
		stop := func() error {
			cancel()
			<-ended
			return err
		}
		f(t, k, b, stop)
		_ = stop()
		synctest.Wait()
		close(done)
		work.Wait()
	})
}

// facts is an answer to hello.
func facts() []byte {
	var out []byte
	add := func(tag byte, v string) { out = append(append(out, tag, byte(len(v))), v...) }
	add(0x01, "homeroom-kit")
	add(0x02, "host")
	add(0x03, "1.0.0")
	add(0x04, "\x03\x02\x01\x00")
	add(0x05, "\x5c\xcf\x7f\x01\x02\x03")
	add(0x06, "\x00\x00\x40\x00")
	add(0x07, "\x10\x27\x00\x00")
	add(0x08, "\x3c\x00\x00\x00")
	add(0x09, "\x01")
	add(0x0a, "\x05\x00\x00\x00")
	add(0x0b, "\x78\x56\x34\x12")
	add(0x0c, "\x03")
	add(0x0d, "192.168.1.31")
	add(0x0e, "\xc3")
	add(0x0f, "\x05")
	add(0x7f, "from a later version")
	return out
}

func TestHello(t *testing.T) {
	talk(t, Events{}, func(t *testing.T, k *Kit, b *board, _ func() error) {
		b.onFrame(func(f frame) {
			b.send([]byte("ets Jan  8 2013,rst cause:2\xff\x00\x1eH\n"))
			b.answers(f, append([]byte{0}, facts()...)...)
			b.answers(f, 3) // and once more, which nobody hears
		})
		id, err := k.Hello(t.Context())
		want := Identity{
			"homeroom-kit", "host", "1.0.0", 0x10203, "5c:cf:7f:01:02:03", 4 << 20, 10000, time.Minute, 1, 5, 0x12345678, StateJoined, "192.168.1.31", -61, true, false, true,
		}
		if err != nil || id != want {
			t.Errorf("%v: %+v", err, id)
		}
		b.onFrame(func(f frame) { b.answers(f, 0, 0x04, 3, 1, 2, 3) })
		if _, err := k.Hello(t.Context()); !errors.Is(err, ErrUnknown) {
			t.Error("an ID of three bytes:", err)
		}
	})
}

func TestRequests(t *testing.T) {
	talk(t, Events{}, func(t *testing.T, k *Kit, b *board, _ func() error) {
		ctx := t.Context()
		reply := []byte{0}
		b.onFrame(func(f frame) { b.answers(f, reply...) })
		s := example()
		told := s
		told.Key, told.Secret = "", ""
		for _, c := range []struct {
			reply []byte
			ask   func() (any, error)
			sent  string // without its seq
			want  any
		}{
			{append([]byte{0, 9, 0, 0, 0}, mustEncode(t, told)...), func() (any, error) { s, _, err := k.Read(ctx); return s, err }, "02 ", told},
			{[]byte{0, 9, 0, 0, 0}, func() (any, error) { _, n, err := k.Read(ctx); return n, err }, "02 ", uint32(9)},
			{[]byte{0, 9, 0, 0, 0, 1, 2, 3, 4}, func() (any, error) { n, crc, err := k.Write(ctx, []byte{tagLabel, 0}); return []uint32{n, crc}, err }, "03 2500", []uint32{9, 0x04030201}},
			{nil, func() (any, error) { return nil, k.Forget(ctx) }, "04 ", nil},
			{nil, func() (any, error) { return nil, k.Locate(ctx, 10*time.Second) }, "05 0a", nil},
			{nil, func() (any, error) { return nil, k.Locate(ctx, 0) }, "05 00", nil},
			{nil, func() (any, error) { return nil, k.Locate(ctx, time.Hour) }, "05 ff", nil},
			{nil, func() (any, error) { return nil, k.Test(ctx, 1500*time.Millisecond) }, "06 02", nil},
			{nil, func() (any, error) { return nil, k.Lamp(ctx, "led", true) }, "07 016c6564", nil},
			{nil, func() (any, error) { return nil, k.Lamp(ctx, "led", false) }, "07 006c6564", nil},
			{nil, func() (any, error) { return nil, k.Restart(ctx) }, "09 ", nil},
			{append([]byte{0, 4, 2, 0xc4, 2}, "ab"...), func() (any, error) { return k.Status(ctx) }, "0a ", Status{StateWaits, ReasonWrongKey, -60, "ab"}},
		} {
			reply = c.reply
			if reply == nil {
				reply = []byte{0}
			}
			got, err := c.ask()
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: %v %v", c.sent, got, err)
			}
			var kind, seq, data string
			sent := b.got()
			_, _ = fmt.Sscan(sent[0], &kind, &seq, &data)
			if len(sent) != 1 || kind+" "+data != c.sent {
				t.Errorf("it sent %q, want %q", sent, c.sent)
			}
		}
		for status, want := range map[byte]error{1: ErrUnknown, 2: core.ErrInvalid, 3: ErrBusy, 4: ErrFlash, 5: ErrUnknown} {
			reply = []byte{status}
			if err := k.Forget(ctx); !errors.Is(err, want) {
				t.Errorf("status %d: %v", status, err)
			}
		}
		for _, nonsense := range [][]byte{{}, {0}, {0, 1, 2}, {0, 1, 2, 3, 4, 0x10}} {
			reply = nonsense
			if _, _, err := k.Read(ctx); err == nil {
				t.Errorf("%x is settings", nonsense)
			}
			if _, _, err := k.Write(ctx, nil); err == nil {
				t.Errorf("%x is what was written", nonsense)
			}
			if _, err := k.Status(ctx); err == nil {
				t.Errorf("%x is a status", nonsense)
			}
		}
		b.onFrame(func(f frame) {
			b.answers(f, 0)
			b.send(frame{tellStatus, 0, []byte{4, 3, 0, 0}}.encode())
		})
		if s, err := k.Status(ctx); err != nil || s != (Status{State: StateWaits, Reason: ReasonNoAddress}) {
			t.Errorf("%v %+v", err, s)
		}
	})
}

// TestAsksAgain counts what a kit hears that does not answer, and when.
func TestAsksAgain(t *testing.T) {
	talk(t, Events{}, func(t *testing.T, k *Kit, b *board, _ func() error) {
		ctx := t.Context()
		start := time.Now()
		err := k.Locate(ctx, time.Second)
		if took := time.Since(start); !errors.Is(err, ErrSilent) || took != 3*askAgain+askPatient {
			t.Errorf("%v after %v", err, took)
		}
		if sent := b.got(); !slices.Equal(sent, []string{"05 1 01", "05 1 01", "05 1 01", "05 1 01"}) {
			t.Errorf("%q", sent)
		}
		start = time.Now()
		if _, err := k.Hello(ctx); !errors.Is(err, ErrSilent) || time.Since(start) != 4*askAgain {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		start = time.Now()
		if _, err = k.Scan(ctx); !errors.Is(err, ErrSilent) || time.Since(start) != 4*scanAgain {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		b.got()
		// The answer to an older request is none to this one, and the last of four is heard.
		n := 0
		b.onFrame(func(f frame) {
			b.send(frame{f.kind | answered, f.seq - 1, []byte{4}}.encode(), frame{askForget | answered, f.seq, []byte{4}}.encode())
			if n++; n == 4 {
				b.answers(f, 0)
			}
		})
		if err := k.Restart(ctx); err != nil || len(b.got()) != 4 {
			t.Error(err)
		}
		// Whoever asks can give up at once.
		b.onFrame(nil)
		ctx, cancel := context.WithTimeout(ctx, 700*time.Millisecond)
		defer cancel()
		start = time.Now()
		if err := k.Forget(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 700*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestOneAfterAnother has many ask at once: the kit gets one request at a time.
func TestOneAfterAnother(t *testing.T) {
	talk(t, Events{}, func(t *testing.T, k *Kit, b *board, _ func() error) {
		under := 0
		b.onFrame(func(f frame) {
			if under++; under != 1 {
				t.Error("two requests at once")
			}
			time.Sleep(100 * time.Millisecond)
			under--
			b.answers(f, 0)
		})
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := k.Locate(t.Context(), time.Second); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := len(b.got()); n != 10 {
			t.Errorf("%d requests", n)
		}
	})
}

// TestRestartsInTheMiddle has the kit start anew when it was asked: half an answer,
// the noise of the boot loader, and nothing for a second.
func TestRestartsInTheMiddle(t *testing.T) {
	talk(t, Events{}, func(t *testing.T, k *Kit, b *board, _ func() error) {
		asked := 0
		b.onFrame(func(f frame) {
			switch asked++; asked {
			case 1:
				whole := frame{f.kind | answered, f.seq, append([]byte{0}, facts()...)}.encode()
				b.send(whole[:40], bytes.Repeat([]byte("\x8c\x92rl\xff\x1e"), 40))
			case 4:
				b.send([]byte("\nhomeroom-kit 1.0.0\n"))
				b.answers(f, append([]byte{0}, facts()...)...)
			}
		})
		if id, err := k.Hello(t.Context()); err != nil || id.Version != "1.0.0" {
			t.Errorf("%v %+v", err, id)
		}
	})
}

func TestUnplugged(t *testing.T) {
	talk(t, Events{}, func(t *testing.T, k *Kit, b *board, stop func() error) {
		b.onFrame(func(frame) { close(b.gone) })
		if _, err := k.Hello(t.Context()); !errors.Is(err, line.ErrGone) || !strings.Contains(err.Error(), "unplugged") {
			t.Error(err)
		}
		if err := stop(); !errors.Is(err, line.ErrGone) {
			t.Error(err)
		}
		for _, err := range []error{k.Forget(t.Context()), k.Type(t.Context(), "help")} {
			if !errors.Is(err, line.ErrGone) {
				t.Error("afterwards:", err)
			}
		}
		if _, err := k.ImprovState(t.Context()); !errors.Is(err, line.ErrGone) {
			t.Error("afterwards:", err)
		}
	})
}

func TestRunEnds(t *testing.T) {
	talk(t, Events{}, func(t *testing.T, k *Kit, b *board, stop func() error) {
		go func() {
			time.Sleep(time.Second)
			_ = stop()
		}()
		if _, err := k.Scan(t.Context()); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// broken is a port that fails in one way.
type broken struct {
	*memory
	write, timeout error
}

func (b *broken) Write(p []byte) (int, error) {
	if b.write != nil {
		return 0, b.write
	}
	return b.memory.Write(p)
}

func (b *broken) SetReadTimeout(d time.Duration) error {
	_ = b.memory.SetReadTimeout(d)
	return b.timeout
}

func TestPortFails(t *testing.T) {
	odd := errors.New("odd")
	for _, b := range []*broken{{write: line.ErrGone}, {write: odd}, {timeout: odd}} {
		synctest.Test(t, func(t *testing.T) {
			b.memory, _ = memoryPorts()
			want := errors.Join(b.write, b.timeout)
			k := Talk(b, Events{})
			ended := make(chan error)
			go func() { ended <- k.Run(t.Context()) }()
			if err := k.Forget(t.Context()); err == nil || !errors.Is(want, line.ErrGone) && !errors.Is(err, odd) {
				t.Error(err)
			}
			if err := <-ended; errors.Is(want, odd) && !errors.Is(err, odd) || errors.Is(want, line.ErrGone) && !errors.Is(err, line.ErrGone) {
				t.Error(err)
			}
		})
	}
}

func TestEvents(t *testing.T) {
	var heard []string
	on := Events{
		Line:   func(text string) { heard = append(heard, text) },
		Input:  func(slot string, value int32) { heard = append(heard, fmt.Sprint(slot, value)) },
		Status: func(s Status) { heard = append(heard, fmt.Sprintf("%+v", s)) },
		Improv: func(s ImprovState) { heard = append(heard, fmt.Sprint("improv ", s)) },
	}
	talk(t, on, func(t *testing.T, _ *Kit, b *board, stop func() error) {
		b.send(
			frame{tellInput, 0, []byte("\x06button\x01\x00\x00\x00")}.encode(),
			frame{tellInput, 0, []byte("\x07button\x01\x00\x00\x00")}.encode(), // cut off
			[]byte("Received a message with topic 'test', length 8 bytes: test pub\n\xffx\xc3\xa9\x1b[2J\n"),
			frame{tellStatus, 0, []byte{1, 0, 0xc4, 0}}.encode(),
			frame{tellStatus, 0, []byte{1, 0}}.encode(), // cut off
			improvPacket{improvState, []byte{3}}.encode(),
			frame{0x55, 0, nil}.encode(), // from a later version
			bytes.Repeat([]byte("long "), 1000), []byte("\n"),
		)
		time.Sleep(time.Second)
		_ = stop()
		want := []string{
			"button1", "Received a message with topic 'test', length 8 bytes: test pub", "�xé.[2J",
			"{State:1 Reason:0 Signal:-60 Address:}", "improv 3", strings.Repeat("long ", 1000)[:maxLine],
		}
		if !slices.Equal(heard, want) {
			t.Errorf("%q", heard)
		}
	})
}

// TestText: the console as it comes, whatever is between, and nothing is left out.
func TestText(t *testing.T) {
	var heard []string
	talk(t, Events{Text: func(text string) { heard = append(heard, text) }}, func(t *testing.T, _ *Kit, b *board, stop func() error) {
		for _, part := range []string{
			"name? ", "\r\n\n", "Gr\xc3", "\xb6\xc3" + string(frame{tellStatus, 0, []byte{1, 0, 0xc4, 0}}.encode()) + "\x9fe\t\xff\x1b[2J",
			"WI", "FI IM", "PRO\x1e", strings.Repeat("long ", 1000) + "\n", string(improvPacket{improvState, []byte{3}}.encode()),
			"50 %\r", "I", "nit\n",
		} {
			b.send([]byte(part))
			time.Sleep(time.Second)
		}
		_ = stop()
		want := []string{"name? ", "\n\n", "Gr", "öße\t\ufffd.[2J", "W", "I", "FI ", "IM", "PRO", ".", strings.Repeat("long ", 1000) + "\n", "50 %", "I", "nit\n"}
		if strings.Join(heard, "") != strings.Join(want, "") {
			t.Errorf("%q", heard)
		}
	})
}

func TestType(t *testing.T) {
	talk(t, Events{}, func(t *testing.T, k *Kit, b *board, _ func() error) {
		if err := k.Type(t.Context(), `join "Klasse 7b" "geheim"`); err != nil {
			t.Error(err)
		}
		for _, bad := range []string{"two\nlines", "\x1eH", "\x7f", strings.Repeat("x", 256)} {
			if err := k.Type(t.Context(), bad); !errors.Is(err, core.ErrInvalid) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		synctest.Wait()
		if got := b.got(); !slices.Equal(got, []string{`line join "Klasse 7b" "geheim"`}) {
			t.Errorf("%q", got)
		}
	})
}

func TestScan(t *testing.T) {
	network := func(signal int8, security, channel byte, name string) string {
		return string([]byte{byte(signal), security, channel, byte(len(name))}) + name
	}
	data := network(-70, 3, 1, "School") + network(-40, 0, 6, "Café") + network(-80, 5, 11, "eduroam") + network(-60, 3, 11, "School") +
		network(-50, 6, 2, "new") + network(-90, 1, 3, "old") + network(-30, 3, 1, "")
	talk(t, Events{}, func(t *testing.T, k *Kit, b *board, _ func() error) {
		b.onFrame(func(f frame) {
			time.Sleep(4 * time.Second) // it takes long, and is not asked again
			b.answers(f, append([]byte{0}, data...)...)
		})
		got, err := k.Scan(t.Context())
		want := []core.Network{
			{Name: "Café", Signal: -40, Channel: 6, Open: true}, {Name: "new", Signal: -50, Channel: 2, Unfit: true},
			{Name: "School", Signal: -60, Channel: 11}, {Name: "eduroam", Signal: -80, Channel: 11, Enterprise: true},
			{Name: "old", Signal: -90, Channel: 3, Unfit: true},
		}
		if err != nil || !reflect.DeepEqual(got, want) || len(b.got()) != 1 {
			t.Errorf("%v %+v", err, got)
		}
		data = network(-70, 3, 1, "School")[:6]
		if _, err := k.Scan(t.Context()); err == nil {
			t.Error("half a network is one")
		}
	})
}

// TestLongChange writes one that no frame has room for.
func TestLongChange(t *testing.T) {
	part := Port{Slot: "led", Topic: strings.Repeat("t", 120), Yes: "On", No: "Off"}
	s := example()
	s.Ports = []Port{part, part, part, part, part, part}
	s.Name, s.Secret, s.TLSKey = strings.Repeat("n", 120), strings.Repeat("s", 64), make([]byte, 120)
	talk(t, Events{}, func(t *testing.T, k *Kit, b *board, _ func() error) {
		var kept Settings
		seq := byte(0)
		old := false
		b.onFrame(func(f frame) {
			if f.kind == askRead {
				open := kept
				open.Key, open.Secret = "", ""
				tlvs := open.encode(order, false)
				head := []byte{0, seq, 0, 0, 0}
				switch {
				case !old:
					head = binary.LittleEndian.AppendUint16(head, uint16(len(tlvs)))
					b.answers(f, append(head, tlvs[:min(len(tlvs), MaxData-7)]...)...)
				case len(tlvs) > MaxData-5:
					b.answers(f, statusInvalid)
				default:
					b.answers(f, append(head, tlvs...)...)
				}
				return
			}
			changed, err := kept.Apply(f.data)
			if old && bytes.Contains(f.data, []byte{addedPort, 0, 0, 0, 0}) {
				b.answers(f, statusInvalid)
				return
			}
			if kept = changed; err != nil {
				t.Error(err)
			}
			seq++
			crc := kept.CRC()
			b.answers(f, 0, seq, 0, 0, 0, byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24))
		})
		n, crc, err := k.Write(t.Context(), s.Change())
		if err != nil || n != 2 || crc != s.CRC() || !reflect.DeepEqual(kept, s) {
			t.Errorf("%v %d %x: %#v", err, n, crc, kept)
		}
		s.Ports = append(s.Ports, part, part) // more than a frame by themselves
		n, crc, err = k.Write(t.Context(), s.Change())
		if err != nil || n != 4 || crc != s.CRC() || !reflect.DeepEqual(kept, s) {
			t.Errorf("%v %d %x: %#v", err, n, crc, kept)
		}
		// Firmware that knows no added ports, with settings that fit a frame and not,
		// keeps what it has.
		old = true
		for _, has := range []Settings{{}, example(), s} {
			kept = has
			if _, _, err := k.Write(t.Context(), s.Change()); !errors.Is(err, core.ErrInvalid) || !reflect.DeepEqual(kept, has) {
				t.Errorf("old firmware: %v; it has %#v", err, kept)
			}
		}
	})
}

// TestLongRead: settings that fit no frame are read in parts, anew where they change
// meanwhile; firmware that knows no parts says that they are too long.
func TestLongRead(t *testing.T) {
	part := Port{Slot: "led", Topic: strings.Repeat("t", 120), Yes: "On", No: "Off"}
	s := example()
	s.Key, s.Secret = "", ""
	s.Ports = []Port{part, part, part, part, part, part, part, part}
	tlvs, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		parts   bool
		changes int // that happen before a second part is read
		short   bool
		fails   error
	}{
		"in parts":        {parts: true},
		"changed once":    {parts: true, changes: 1},
		"always changing": {parts: true, changes: 99, fails: ErrBusy},
		"never ends":      {parts: true, short: true, fails: ErrUnknown},
		"old firmware":    {fails: core.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			talk(t, Events{}, func(t *testing.T, k *Kit, b *board, _ func() error) {
				seq, changes := uint32(7), tc.changes
				b.onFrame(func(f frame) {
					if len(f.data) == 0 || !tc.parts {
						b.answers(f, statusInvalid)
						return
					}
					from := int(binary.LittleEndian.Uint16(f.data))
					if from > 0 && changes > 0 {
						changes--
						seq++
					}
					out := binary.LittleEndian.AppendUint32([]byte{statusDone}, seq)
					out = binary.LittleEndian.AppendUint16(out, uint16(len(tlvs)))
					if !tc.short || from == 0 {
						out = append(out, tlvs[from:min(from+1000, len(tlvs))]...)
					}
					b.answers(f, out...)
				})
				got, n, err := k.Read(t.Context())
				switch {
				case tc.fails != nil:
					if !errors.Is(err, tc.fails) {
						t.Errorf("%v", err)
					}
				case err != nil || n != seq || !reflect.DeepEqual(got, s):
					t.Errorf("%v %d: %#v", err, n, got)
				}
			})
		})
	}
}

func TestJoin(t *testing.T) {
	result := func(command byte, words ...string) []byte {
		p := improvCall(command, words...)
		p.kind = improvResult
		return p.encode()
	}
	state := func(s ImprovState) []byte { return improvPacket{improvState, []byte{byte(s)}}.encode() }
	fails := func(e byte) []byte { return improvPacket{improvError, []byte{e}}.encode() }
	talk(t, Events{}, func(t *testing.T, k *Kit, b *board, _ func() error) {
		ctx := t.Context()
		asked := 0
		b.onImprov(func(improvPacket) {
			if asked++; asked == 1 {
				return // it did not hear it
			}
			b.send(fails(0), state(ImprovProvisioning))
			time.Sleep(20 * time.Second)
			b.send([]byte("joined\n"), state(ImprovProvisioned), result(improvScan), result(improvJoin, "http://192.168.1.31"))
		})
		page, err := k.Join(ctx, "School", "password")
		if err != nil || page != "http://192.168.1.31" || !slices.Equal(b.got(), []string{"improv 01100653" + "63686f6f6c0870617373776f7264", "improv 01100653" + "63686f6f6c0870617373776f7264"}) {
			t.Error(page, err)
		}
		b.onImprov(func(improvPacket) { b.send(fails(0), state(ImprovProvisioning), fails(3), state(ImprovReady)) })
		if _, err := k.Join(ctx, "School", "password"); !errors.Is(err, ErrJoin) {
			t.Error(err)
		}
		b.onImprov(func(improvPacket) { b.send(result(improvJoin)) })
		if page, err := k.Join(ctx, "Open", ""); err != nil || page != "" {
			t.Error(page, err)
		}
		b.onImprov(func(improvPacket) { b.send(fails(0)) }) // and then nothing
		start := time.Now()
		if _, err := k.Join(ctx, "School", "password"); !errors.Is(err, ErrSilent) || time.Since(start) != joinWithin {
			t.Error(err, time.Since(start))
		}
		b.got()
		b.onImprov(nil)
		if _, err := k.ImprovState(ctx); !errors.Is(err, ErrSilent) || len(b.got()) != 4 {
			t.Error(err)
		}
		if _, err := k.Join(ctx, "School", "short"); !errors.Is(err, core.ErrInvalid) || len(b.got()) > 0 {
			t.Error(err)
		}
		for e, want := range map[byte]error{1: core.ErrInvalid, 2: ErrUnknown, 255: ErrUnknown} {
			b.onImprov(func(improvPacket) { b.send(fails(0), fails(e)) })
			if _, err := k.DeviceInfo(ctx); !errors.Is(err, want) {
				t.Errorf("error %d: %v", e, err)
			}
		}
		b.onImprov(func(p improvPacket) {
			switch p.data[0] {
			case improvWhich:
				b.send(state(ImprovProvisioned), result(improvWhich, "http://x"))
			case improvInfo:
				b.send(fails(0), result(improvInfo, "homeroom-kit", "1.0.0", "ESP8266", "Lamp\x1b"))
			case improvScan:
				b.send(fails(0), result(improvScan, "School", "-60", "YES"), result(improvScan, "Café", "-50", "NO"), result(improvScan, "School", "-50", "YES"), result(improvScan))
			}
		})
		if s, err := k.ImprovState(ctx); err != nil || s != ImprovProvisioned {
			t.Error(s, err)
		}
		if d, err := k.DeviceInfo(ctx); err != nil || d != (Device{"homeroom-kit", "1.0.0", "ESP8266", "Lamp�"}) {
			t.Error(d, err)
		}
		want := []core.Network{{Name: "Café", Signal: -50, Open: true}, {Name: "School", Signal: -50}}
		if all, err := k.ImprovScan(ctx); err != nil || !reflect.DeepEqual(all, want) {
			t.Error(all, err)
		}
		b.onImprov(func(improvPacket) {
			for range 1000 {
				b.send(result(improvScan, "x", "-1", "NO"))
			}
		})
		if _, err := k.ImprovScan(ctx); err == nil {
			t.Error("networks without end")
		}
	})
}

// TestProblems has words for each reason.
func TestProblems(t *testing.T) {
	for r := ReasonNoNetwork; r <= ReasonNoProgram; r++ {
		if (Status{State: StateWaits, Reason: r}).Problem().Format == "" {
			t.Errorf("reason %d has none", r)
		}
	}
	for _, s := range []Status{{State: StateJoined, Reason: ReasonLost}, {State: StateBroker}, {Reason: 200}} {
		if p := s.Problem(); p.Format != "" {
			t.Errorf("%+v: %s", s, p)
		}
	}
}

package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"homeroom/core"
	"homeroom/core/kits/line"
)

// Times of the protocol.
const (
	askAgain   = 500 * time.Millisecond // after which a request is sent again
	scanAgain  = 10 * time.Second       // the same of one that looks for networks
	askMore    = 3                      // times that it is sent again
	askPatient = 9 * time.Second        // that an answer may take at the end: a kit that looks for its broker is deaf so long
	joinWithin = 60 * time.Second       // that a kit may take to join a network
	readFor    = 200 * time.Millisecond // that a Read waits; half a packet is none after it
)

// Requests of the program; an answer has answered added to it.
const (
	askHello = 1 + iota
	askRead
	askWrite
	askForget
	askLocate
	askTest
	askLamp
	askScan
	askRestart
	askStatus
)

// Frames of the cable, and events.
const (
	cableOpen  = 0x10
	cableData  = 0x11
	cableClose = 0x12
	tellInput  = 0x41
	tellStatus = 0x42
	answered   = 0x80
)

// Statuses of an answer.
const (
	statusDone    = 0
	statusUnknown = 1
	statusInvalid = 2
	statusNotNow  = 3
	statusFlash   = 4
)

var (
	// ErrSilent means that the kit did not answer.
	ErrSilent = errors.New("the kit does not answer")
	// ErrUnknown means that the kit's firmware does not know a request.
	ErrUnknown = errors.New("the kit does not know that")
	// ErrBusy means that the kit cannot do it now.
	ErrBusy = errors.New("the kit cannot do that now")
	// ErrFlash means that the kit could not write its flash.
	ErrFlash = errors.New("the kit cannot write its flash")
	// ErrJoin means that the kit could not join the Wi-Fi network.
	ErrJoin = errors.New("the kit cannot join the network")
)

// Events are what a kit tells without having been asked. They are called by the
// goroutine of Run, one after another: they must not wait, nor ask the kit
// anything. Any may be nil.
type Events struct {
	// Line is called with each line of the console: printable UTF-8, not empty. Of a
	// long one it has the beginning, 1,024 bytes as they came.
	Line func(text string)
	// Text is called with the console as it comes, so that a prompt is seen that waits in
	// its line: printable UTF-8 and tabs, with \n where a line ends, and nothing is left out.
	Text func(text string)
	// Input is called at each change of a part while the kit tests: 0 or 1, or the
	// brightness in percent.
	Input func(slot string, value int32)
	// Status is called when the kit's state changes.
	Status func(Status)
	// Improv is called when the kit tells how far its way into the network is.
	Improv func(ImprovState)
	// Dial connects to the broker for a kit on the cable. Where it is nil or fails,
	// the kit is told that there is no program now. It is called in a goroutine of
	// its own, with a context that ends when the kit does not wait any longer.
	Dial func(ctx context.Context) (net.Conn, error)
	// Cable is called when the kit's connection to the broker was made, and when it
	// is over; by any goroutine.
	Cable func(open bool)
}

// Kit is a conversation with a kit on a serial port.
type Kit struct {
	port  line.Port
	on    Events
	out   chan []byte   // whole packets for the writer
	ended chan struct{} // Run is over, and err says why
	err   error         // set before ended is closed
	turn  chan struct{} // whoever asks holds it
	seq   byte          // of the last request; guarded by turn
	cable cable

	mu      sync.Mutex
	waiting *question // guarded by mu

	status chan Status // the latest that it told
}

// question is a request that is under way.
type question struct {
	kind, seq byte              // of a request by frame; kind 0 is one by Improv
	answer    chan frame        // has room for one
	improv    chan improvPacket // has room for many
}

// Talk returns the conversation with the kit on p, which is open at 115200 baud.
// Run carries it on. The port stays the caller's, who closes it after Run.
func Talk(p line.Port, on Events) *Kit {
	k := &Kit{port: p, on: on, out: make(chan []byte, 32), ended: make(chan struct{}), turn: make(chan struct{}, 1), status: make(chan Status, 1)}
	k.cable.kit = k
	return k
}

// Run reads from the port, until ctx ends or the port fails, and then closes the
// kit's connection to the broker. It may be called once. Nobody else reads the
// port until it returns. It fails with line.ErrGone when the port was unplugged,
// and with ctx's error when that has ended.
func (k *Kit) Run(ctx context.Context) error {
	k.err = k.run(ctx)
	close(k.ended)
	return k.err
}

func (k *Kit) run(ctx context.Context) error {
	if err := k.port.SetReadTimeout(readFor); err != nil {
		return gone(err)
	}
	ctx, broken := context.WithCancelCause(ctx)
	defer broken(nil)
	writing, rest := context.WithCancel(context.WithoutCancel(ctx))
	defer rest()
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		if err := k.write(writing); err != nil {
			broken(err)
		}
	}()
	k.cable.ctx = context.WithoutCancel(ctx) // stop ends it, and can still tell the kit
	err := k.read(ctx)
	k.cable.stop(err)
	rest()
	select {
	case <-wrote:
	case <-time.After(time.Second): // a Write that hangs ends when the caller closes the port
	}
	return err
}

// read tells apart what comes, until ctx ends or the port fails.
func (k *Kit) read(ctx context.Context) error {
	s := &stream{line: k.heardLine, frame: k.heardFrame, improv: k.heardImprov, most: maxLine}
	if k.on.Text != nil {
		var tail []byte // half a character, whose other half comes later
		s.typed = func(text []byte) {
			var shown string
			shown, tail = typed(append(tail, text...))
			k.on.Text(shown)
		}
	}
	buf := make([]byte, 4096)
	for ctx.Err() == nil {
		n, err := k.port.Read(buf)
		if n > 0 {
			s.feed(buf[:n])
		}
		switch {
		case err != nil:
			return gone(err)
		case n == 0:
			s.idle()
		}
	}
	return context.Cause(ctx)
}

// write sends packets, one after another, until ctx has ended and none is left, or
// the port fails.
func (k *Kit) write(ctx context.Context) error {
	for {
		select {
		case packet := <-k.out:
			if _, err := k.port.Write(packet); err != nil {
				return gone(err)
			}
		case <-ctx.Done():
			select {
			case packet := <-k.out:
				if _, err := k.port.Write(packet); err != nil {
					return gone(err)
				}
			default:
				return nil
			}
		}
	}
}

// gone says that the port is no longer there.
func gone(err error) error {
	if errors.Is(err, line.ErrGone) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		return core.Fail(line.ErrGone, "The kit was unplugged. Plug it in again.")
	}
	return fmt.Errorf("serial port: %w", err)
}

// send queues a packet; it fails when ctx or Run ends first.
func (k *Kit) send(ctx context.Context, packet []byte) error {
	select {
	case <-k.ended:
		return k.err
	default:
	}
	select {
	case k.out <- packet:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-k.ended:
		return k.err
	}
}

// try queues a packet where there is room; else it is lost, as on any line.
func (k *Kit) try(packet []byte) {
	select {
	case k.out <- packet:
	default:
	}
}

func (k *Kit) heardLine(text []byte) {
	if k.on.Line != nil {
		k.on.Line(readable(text))
	}
}

// typed returns text as a terminal can show it, and what of it is no whole character yet.
func typed(text []byte) (shown string, tail []byte) {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if end := text[len(text)-n:]; utf8.RuneStart(end[0]) {
			if !utf8.FullRune(end) {
				tail, text = slices.Clone(end), text[:len(text)-n]
			}
			break
		}
	}
	var out strings.Builder
	for len(text) > 0 {
		at := bytes.IndexAny(text, "\n\t")
		if at < 0 {
			at = len(text)
		}
		// Each byte may become a character that says it is none.
		out.WriteString(core.Readable(text[:at], utf8.UTFMax*at))
		if at < len(text) {
			out.WriteByte(text[at])
			at++
		}
		text = text[at:]
	}
	return out.String(), tail
}

func (k *Kit) heardFrame(f frame) {
	f.data = slices.Clone(f.data)
	switch {
	case f.kind == cableOpen || f.kind == cableData || f.kind == cableClose,
		f.kind == cableData|answered || f.kind == cableClose|answered:
		k.cable.heard(f)
	case f.kind == tellInput:
		if slot, value, ok := decodeInput(f.data); ok && k.on.Input != nil {
			k.on.Input(slot, value)
		}
	case f.kind == tellStatus:
		s, ok := decodeStatus(f.data)
		if !ok {
			return
		}
		select {
		case <-k.status:
		default:
		}
		k.status <- s
		if k.on.Status != nil {
			k.on.Status(s)
		}
	case f.kind >= answered:
		k.mu.Lock()
		defer k.mu.Unlock()
		if q := k.waiting; q != nil && q.kind != 0 && q.kind|answered == f.kind && q.seq == f.seq {
			select {
			case q.answer <- f:
			default: // the second of two answers
			}
		}
	}
}

func (k *Kit) heardImprov(p improvPacket) {
	p.data = slices.Clone(p.data)
	if p.kind == improvState && len(p.data) == 1 && k.on.Improv != nil {
		k.on.Improv(ImprovState(p.data[0]))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if q := k.waiting; q != nil && q.kind == 0 {
		select {
		case q.improv <- p:
		default: // more than anybody asked for
		}
	}
}

// begin waits for its turn and says what is asked. done must be called.
func (k *Kit) begin(ctx context.Context, kind byte) (q *question, done func(), err error) {
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-k.ended:
		return nil, nil, k.err
	}
	k.seq++
	q = &question{kind: kind, seq: k.seq, answer: make(chan frame, 1), improv: make(chan improvPacket, 64)}
	k.mu.Lock()
	k.waiting = q
	k.mu.Unlock()
	return q, func() {
		k.mu.Lock()
		k.waiting = nil
		k.mu.Unlock()
		<-k.turn
	}, nil
}

// ask sends a request and returns the answer after its status.
func (k *Kit) ask(ctx context.Context, kind byte, data []byte) ([]byte, error) {
	q, done, err := k.begin(ctx, kind)
	if err != nil {
		return nil, err
	}
	defer done()
	wait := askAgain
	if kind == askScan {
		wait = scanAgain
	}
	packet := frame{kind, q.seq, data}.encode()
	for n := range 1 + askMore {
		if err := k.send(ctx, packet); err != nil {
			return nil, err
		}
		if n == askMore && kind != askHello {
			wait = max(wait, askPatient)
		}
		timer := time.NewTimer(wait)
		select {
		case f := <-q.answer:
			timer.Stop()
			return answer(f.data)
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-k.ended:
			timer.Stop()
			return nil, k.err
		}
	}
	return nil, silent()
}

func silent() error {
	return core.Fail(ErrSilent, "The kit does not answer. Press RST on the board, or unplug it and plug it in again.")
}

func nonsense() error {
	return core.Fail(ErrUnknown, "The kit answered something that makes no sense. Update its firmware.")
}

// answer reads the status of an answer.
func answer(data []byte) ([]byte, error) {
	if len(data) == 0 {
		return nil, nonsense()
	}
	switch data[0] {
	case statusDone:
		return data[1:], nil
	case statusUnknown:
		return nil, core.Fail(ErrUnknown, "The firmware of this kit does not know that. Update it.")
	case statusInvalid:
		return nil, core.Fail(core.ErrInvalid, "The kit does not understand what it was sent. Update its firmware.")
	case statusNotNow:
		return nil, core.Fail(ErrBusy, "The kit cannot do that now. Wait a moment and try again.")
	case statusFlash:
		return nil, core.Fail(ErrFlash, "The kit could not write to its flash memory. Try again; where it fails again, take another board.")
	}
	return nil, nonsense()
}

// Hello asks what is on the port. It fails with ErrSilent after two seconds, where
// there is no kit, or one that opens a connection just then; the other requests
// have more patience.
func (k *Kit) Hello(ctx context.Context) (Identity, error) {
	data, err := k.ask(ctx, askHello, nil)
	if err != nil {
		return Identity{}, err
	}
	id, ok := decodeIdentity(data)
	if !ok {
		return Identity{}, nonsense()
	}
	return id, nil
}

// Read returns the kit's settings, without key and secret, and their sequence; it
// is 0 where the kit has none. It fails with core.ErrInvalid where they are too
// long for one frame, and the kit's firmware knows no parts of them.
func (k *Kit) Read(ctx context.Context) (Settings, uint32, error) {
	data, err := k.ask(ctx, askRead, nil)
	if errors.Is(err, core.ErrInvalid) {
		return k.readParts(ctx)
	}
	if err != nil {
		return Settings{}, 0, err
	}
	if len(data) < 4 {
		return Settings{}, 0, nonsense()
	}
	s, err := Decode(data[4:])
	return s, binary.LittleEndian.Uint32(data), err
}

// partHead is how many bytes are before a part of the settings: sequence, and bytes of all.
const partHead = 6

// readTries is how often settings are read from their beginning that change meanwhile.
const readTries = 3

// readParts is Read of what is more than a frame.
func (k *Kit) readParts(ctx context.Context) (Settings, uint32, error) {
	var tlvs []byte
	var last uint32
	for tries := 0; tries < readTries; {
		data, err := k.ask(ctx, askRead, binary.LittleEndian.AppendUint16(nil, uint16(len(tlvs))))
		if err != nil {
			return Settings{}, 0, err
		}
		if len(data) < partHead {
			return Settings{}, 0, nonsense()
		}
		seq, all, part := binary.LittleEndian.Uint32(data), int(binary.LittleEndian.Uint16(data[4:])), data[partHead:]
		if len(tlvs) > 0 && seq != last { // they are others now
			tlvs = nil
			tries++
			continue
		}
		last, tlvs = seq, append(tlvs, part...)
		switch {
		case len(tlvs) == all:
			s, err := Decode(tlvs)
			return s, seq, err
		case len(part) == 0, len(tlvs) > all, all > MaxSettings:
			return Settings{}, 0, nonsense()
		}
	}
	return Settings{}, 0, core.Fail(ErrBusy, "The kit cannot do that now. Wait a moment and try again.")
}

// Write has the kit change its settings. It returns the sequence of what the kit
// now has, and the CRC32 of its TLVs: Settings.CRC of the same. A change that is
// too long for one frame is written in several, each whole in itself.
func (k *Kit) Write(ctx context.Context, change []byte) (seq, crc uint32, err error) {
	parts, adds, err := cut(change)
	if err == nil && adds {
		err = k.takesAdded(ctx)
	}
	if err != nil {
		return 0, 0, err
	}
	for _, part := range parts {
		data, err := k.ask(ctx, askWrite, part)
		if err != nil {
			return 0, 0, err
		}
		if len(data) != 8 {
			return 0, 0, nonsense()
		}
		seq, crc = binary.LittleEndian.Uint32(data), binary.LittleEndian.Uint32(data[4:])
	}
	return seq, crc, nil
}

// takesAdded fails where the kit's firmware does not know ports that are added: it would
// keep the first of a change in several, and refuse the rest. It has come with reading
// settings in parts, which older firmware takes for reading all.
func (k *Kit) takesAdded(ctx context.Context) error {
	data, err := k.ask(ctx, askRead, []byte{0, 0})
	switch {
	case err != nil && !errors.Is(err, core.ErrInvalid):
		return err
	case err == nil && len(data) >= partHead && len(data)-partHead == min(int(binary.LittleEndian.Uint16(data[4:])), MaxData-1-partHead):
		return nil
	}
	return core.Fail(core.ErrInvalid, "The firmware of this kit is too old for topics that are so long. Shorten them in the plan, or flash the kit again.")
}

// cut makes changes of at most MaxData bytes of one, each whole in itself. Ports that
// are not in the first change that has some are added to those; adds tells whether some are.
func cut(change []byte) (parts [][]byte, adds bool, err error) {
	parts = [][]byte{nil}
	var pins []byte // all in the same
	last := func() *[]byte { return &parts[len(parts)-1] }
	room := func(n int) (fresh bool) {
		if fresh = len(*last())+n > MaxData; fresh {
			parts = append(parts, nil)
		}
		return fresh
	}
	began := false // the ports
	flush := func() {
		room(len(pins))
		*last() = append(*last(), pins...)
		pins = nil
	}
	if !split(change, func(tag byte, v []byte) bool {
		one := append([]byte{tag, byte(len(v))}, v...)
		switch {
		case tag == tagPin:
			pins = append(pins, one...)
			return true
		case len(pins) > 0:
			flush()
		}
		fresh := room(len(one))
		if tag == tagPort {
			if adds = adds || fresh && began; adds && len(v) > 0 {
				one[2] |= addedPort
			}
			began = true
		}
		*last() = append(*last(), one...)
		return true
	}) {
		return nil, false, unreadable()
	}
	flush()
	return parts, adds, nil
}

// Forget erases both slots of the kit's settings.
func (k *Kit) Forget(ctx context.Context) error { return k.tell(ctx, askForget) }

// Locate has the kit blink for that long, at most 255 s; 0 ends it.
func (k *Kit) Locate(ctx context.Context, d time.Duration) error {
	return k.tell(ctx, askLocate, seconds(d))
}

// Test has the kit tell its inputs and obey Lamp for that long, at most 255 s; 0 ends it.
func (k *Kit) Test(ctx context.Context, d time.Duration) error {
	return k.tell(ctx, askTest, seconds(d))
}

// Lamp switches a lamp of a kit that tests.
func (k *Kit) Lamp(ctx context.Context, slot string, on bool) error {
	return k.tell(ctx, askLamp, append([]byte{flags(on)}, slot...)...)
}

// Restart has the kit start anew.
func (k *Kit) Restart(ctx context.Context) error { return k.tell(ctx, askRestart) }

// tell asks for what has no answer but its status.
func (k *Kit) tell(ctx context.Context, kind byte, data ...byte) error {
	_, err := k.ask(ctx, kind, data)
	return err
}

// seconds rounds up.
func seconds(d time.Duration) byte {
	return byte(min(max((d+time.Second-1)/time.Second, 0), 255))
}

// Status asks for the kit's state. Where the answer does not have it, it is the
// event that follows.
func (k *Kit) Status(ctx context.Context) (Status, error) {
	select {
	case <-k.status: // an older one
	default:
	}
	data, err := k.ask(ctx, askStatus, nil)
	if err != nil {
		return Status{}, err
	}
	if len(data) > 0 {
		s, ok := decodeStatus(data)
		if !ok {
			return Status{}, nonsense()
		}
		return s, nil
	}
	select {
	case s := <-k.status:
		return s, nil
	case <-time.After(askAgain):
		return Status{}, silent()
	case <-ctx.Done():
		return Status{}, ctx.Err()
	case <-k.ended:
		return Status{}, k.err
	}
}

// Scan has the kit look for networks; strongest first, each name once.
func (k *Kit) Scan(ctx context.Context) ([]core.Network, error) {
	data, err := k.ask(ctx, askScan, nil)
	if err != nil {
		return nil, err
	}
	all, ok := decodeNetworks(data)
	if !ok {
		return nil, nonsense()
	}
	return strongest(all), nil
}

// Type sends a line to the console, as if a person had typed it.
func (k *Kit) Type(ctx context.Context, text string) error {
	if len(text) > 255 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return core.Fail(core.ErrInvalid, "A line to a kit has at most 255 bytes and no control characters.")
	}
	return k.send(ctx, append([]byte(text), '\n'))
}

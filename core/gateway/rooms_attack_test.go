package gateway

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"homeroom/core"
	"homeroom/core/topic"
)

// refusedDial reports the status of a handshake that must be refused.
func refusedDial(t *testing.T, h *hall, headers ...string) int {
	t.Helper()
	ws, resp, err := h.try(headers...)
	if err == nil {
		ws.CloseNow()
		t.Errorf("%v: let in", headers)
	}
	if resp == nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

func TestSocketBeforeAuth(t *testing.T) {
	h := newHall(t)
	h.known["blue/lamp"] = true
	for _, cmd := range []map[string]any{
		{"subscribe": map[string]any{"channel": "blue/lamp"}}, {"publish": map[string]any{"channel": "blue/lamp", "data": "on"}},
		{"rpc": map[string]any{"method": "publish", "data": map[string]any{"topic": "blue/lamp", "payload": "on"}}}, {"presence": map[string]any{"channel": "blue/lamp"}},
	} {
		p := h.dial()
		p.send(cmd)
		if code := p.closed(); code != 3501 {
			t.Errorf("%v: closed with %d", cmd, code)
		}
	}
	p := h.dial()
	wantError(t, p.do(map[string]any{"connect": map[string]any{}}), 101, "Sign in")
	p = h.dial()
	wantError(t, p.do(map[string]any{"connect": map[string]any{"token": "token-nobody"}}), 109, "Sign in again")
	if got := h.broker.Retained("#", 1); len(got) != 0 || len(h.begun) != 0 {
		t.Errorf("published %v, subscribed %v", got, h.begun)
	}
	eventually(t, "nobody is left", func() bool { return len(h.g.rooms.everybody()) <= 2 }) // the two that were told
	eventually(t, "newcomers are forgotten", func() bool {
		h.g.rooms.mu.Lock()
		defer h.g.rooms.mu.Unlock()
		return h.g.rooms.newcomers["127.0.0.1"] <= 2
	})
}

func TestSocketForeignOrigin(t *testing.T) {
	h := newHall(t)
	for _, origin := range []string{"http://evil.example", "https://evil.example:8080", "null", "http://203.0.113.9", "http://127.0.0.1.evil.example", "http://", "file://", "://", "http://evil.local.example"} {
		if code := refusedDial(t, h, "Origin", origin); code != http.StatusForbidden {
			t.Errorf("%s: %d", origin, code)
		}
	}
	for _, origin := range []string{h.url, "http://localhost:5500", "http://192.168.1.7:5500", "http://pc.local", "http://[::1]:3000"} {
		p := h.dial("Origin", origin)
		if r := p.do(map[string]any{"connect": map[string]any{"token": "token-ana"}}); r.Error != nil {
			t.Errorf("%s: %+v", origin, r.Error)
		}
	}
	// A cookie counts only for our own page: it goes along to every port of this host.
	cookie := h.g.sessions.start(h.accounts[ana]).String()
	p := h.dial("Origin", h.url, "Cookie", cookie)
	if r := p.do(map[string]any{"connect": map[string]any{}}); r.Error != nil {
		t.Errorf("our own page: %+v", r.Error)
	}
	p = h.dial("Origin", "http://127.0.0.1:5500", "Cookie", cookie)
	wantError(t, p.do(map[string]any{"connect": map[string]any{}}), 101, "Sign in")
}

func TestSocketRebindingHost(t *testing.T) {
	h := newHall(t)
	if code := refusedDial(t, h, "Host", "evil.example"); code != http.StatusMisdirectedRequest {
		t.Errorf("%d", code)
	}
	if code := refusedDial(t, h, "Host", "evil.example", "Origin", "http://evil.example"); code != http.StatusMisdirectedRequest {
		t.Errorf("%d", code)
	}
}

func TestSocketTokenInAddress(t *testing.T) {
	h := newHall(t)
	h.url += "/ws?token=token-ana&x="
	p := h.dial()
	wantError(t, p.do(map[string]any{"connect": map[string]any{}}), 101, "Sign in")
}

func TestSocketOversizeFrame(t *testing.T) {
	h := newHall(t)
	p := h.enter("ana")
	if err := p.ws.Write(t.Context(), websocket.MessageText, []byte(`{"id":9,"rpc":{"data":"`+strings.Repeat("x", maxFrame)+`"}}`)); err != nil {
		t.Fatal(err)
	}
	if code := p.closed(); code != 1009 {
		t.Errorf("closed with %d", code)
	}
	for what, frame := range map[string][]byte{"unmasked": {0x81, 2, '{', '}'}, "reserved bit": {0xc1, 0x80, 0, 0, 0, 0}, "long ping": append([]byte{0x89, 0xfe, 0, 200, 0, 0, 0, 0}, make([]byte, 200)...),
		"negative length": {0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}} {
		conn := h.raw("/ws", "")
		if _, err := conn.Write(frame); err != nil {
			t.Fatal(err)
		}
		ended(t, what, conn)
	}
	p = h.dial()
	if err := p.ws.Write(t.Context(), websocket.MessageBinary, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if code := p.closed(); code != int(websocket.StatusUnsupportedData) {
		t.Errorf("binary: closed with %d", code)
	}
	p = h.enter("ana")
	if err := p.ws.Write(t.Context(), websocket.MessageText, []byte(`{"id":1,"subscribe":`+strings.Repeat("[", 10_000))); err != nil {
		t.Fatal(err)
	}
	if code := p.closed(); code != 3501 {
		t.Errorf("no JSON: closed with %d", code)
	}
}

// raw upgrades by hand and returns the network under the websocket.
func (h *hall) raw(path, subprotocol string) net.Conn {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.g.Addr())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	ask := "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	if subprotocol != "" {
		ask += "Sec-WebSocket-Protocol: " + subprotocol + "\r\n"
	}
	if _, err := io.WriteString(conn, ask+"\r\n"); err != nil {
		h.t.Fatal(err)
	}
	head := make([]byte, 0, 1024)
	for b := make([]byte, 1); !strings.HasSuffix(string(head), "\r\n\r\n"); head = append(head, b...) {
		if _, err := io.ReadFull(conn, b); err != nil {
			h.t.Fatal(err)
		}
	}
	if !strings.HasPrefix(string(head), "HTTP/1.1 101") {
		h.t.Fatalf("%s", head)
	}
	return conn
}

// ended fails unless the other side closes.
func ended(t *testing.T, what string, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("%s: never closed", what)
	}
}

// TestSocketPingFlood: frames that carry nothing end the connection, before and
// after signing in, and on MQTT as well.
func TestSocketPingFlood(t *testing.T) {
	h := newHall(t)
	for what, frame := range map[string]string{"ping": "\x89\x80\x01\x02\x03\x04", "pong": "\x8a\x80\x01\x02\x03\x04", "empty": "\x01\x80\x01\x02\x03\x04\x00\x80\x01\x02\x03\x04"} {
		for _, path := range []string{"/ws", "/mqtt"} {
			conn := h.raw(path, "mqtt")
			go io.Copy(io.Discard, io.LimitReader(conn, 1<<30)) //nolint:errcheck // the pongs
			many := []byte(strings.Repeat(frame, 1000))
			closed := false
			for range 100_000 {
				if _, err := conn.Write(many); err != nil {
					closed = true
					break
				}
			}
			if !closed {
				t.Errorf("%s on %s: a hundred million frames were taken", what, path)
			}
		}
	}
	p := h.enter("ana")
	for range 1000 {
		if p.ws.Write(t.Context(), websocket.MessageText, []byte("{}")) != nil { // an answer to no ping
			break
		}
	}
	if code := p.closed(); code != 3501 {
		t.Errorf("pongs of the protocol: closed with %d", code)
	}
	p = h.enter("ana") // some pings are fine
	for range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		go p.ws.Read(ctx) //nolint:errcheck // takes the pong
		if err := p.ws.Ping(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		p = h.enter("ana")
	}
}

func TestFrames(t *testing.T) {
	var f frames
	large := binary.BigEndian.AppendUint16([]byte{0x82, 0xfe}, 300)
	large = append(large, make([]byte, 4+300)...)
	all := append([]byte{0x89, 0x80, 1, 2, 3, 4, 0x81, 0x82, 1, 2, 3, 4, 0x8a, 0x80}, large...)
	all = append(all, 0x81, 0x80, 0, 0, 0, 0, 0x8a, 0x81, 0, 0, 0, 0, 9)
	if n := f.idle(all); n != 3 {
		t.Errorf("at once: %d", n)
	}
	n := 0
	for i := range all {
		n += f.idle(all[i : i+1])
	}
	if n != 3 {
		t.Errorf("byte by byte: %d", n)
	}
}

// FuzzFrames: however the bytes are cut, the frames are the same.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0x89, 0x80, 1, 2, 3, 4, 0x81, 0xfe, 0, 1, 9, 9, 9, 9, 'x'}, 3)
	f.Add([]byte{0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1}, 1)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		at = min(max(at, 0), len(b))
		var x, y frames
		whole := x.idle(b)
		if cut := y.idle(b[:at]) + y.idle(b[at:]); cut != whole || x.rest != y.rest || x.have != y.have {
			t.Errorf("%d whole, %d cut", whole, cut)
		}
		if whole > len(b)/2 {
			t.Errorf("%d frames in %d bytes", whole, len(b))
		}
	})
}

// TestSocketSlowReader: who does not read is closed with 3008, and the others get
// everything in order.
func TestSocketSlowReader(t *testing.T) {
	h := newHall(t)
	slow, good := h.enter("ana"), h.enter("ana")
	slow.join("blue/#")
	good.join("blue/#")
	big := strings.Repeat("x", 200<<10)
	n := 0
	for ; h.g.rooms.node.Hub().NumSubscribers("blue/#") == 2 && n < 1000; n++ {
		h.publish("blue/n", big, false)
		good.hears("blue/#", "blue/n", big)
	}
	if n == 1000 {
		t.Fatal("200 MB wait for somebody who does not read")
	}
	if code := slow.closed(); code != 3008 {
		t.Errorf("closed with %d", code)
	}
	h.publish("blue/n", "after", false)
	good.hears("blue/#", "blue/n", "after")
}

// TestCrowdedRoom: a room that cannot hand on as fast as messages come lets nobody
// believe to have them all.
func TestCrowdedRoom(t *testing.T) {
	h := newHall(t)
	p := h.enter("ana")
	p.join("blue/#")
	r := h.g.rooms.hold("blue/#")
	defer h.g.rooms.release(r)
	r.mu.Lock()
	r.busy = true // its goroutine does not come to run
	r.mu.Unlock()
	for range 50 {
		h.publish("blue/n", strings.Repeat("x", 250<<10), false)
	}
	r.mu.Lock()
	waiting := r.bytes
	r.mu.Unlock()
	if waiting > maxBehind+300<<10 {
		t.Errorf("%d bytes wait", waiting)
	}
	go r.handOn()
	if code := p.closed(); code != 3008 {
		t.Errorf("closed with %d", code)
	}
}

func TestSocketRoomOfAnotherTeam(t *testing.T) {
	h := newHall(t)
	h.publish("red/lamp", "secret", true)
	p := h.enter("ana")
	wantError(t, p.subscribe("red/lamp"), 103, "may not subscribe red/lamp")
	if len(h.begun) != 0 {
		t.Errorf("subscribed %v", h.begun)
	}
	p.join("blue/#")
	h.publish("red/lamp", "secret", false)
	h.publish("blue/lamp", "on", false)
	p.hears("blue/#", "blue/lamp", "on")
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.refused) != 1 || h.refused[0].Topic != "red/lamp" || h.refused[0].Client != "page" {
		t.Errorf("refused %+v", h.refused)
	}
}

func TestSocketWildcardEscape(t *testing.T) {
	h := newHall(t)
	h.publish("red/lamp", "secret", true)
	p, m := h.enter("ana"), h.enter("mona")
	for _, channel := range []string{"#", "+/#", "+/lamp", "+", "red/#", "%23", "%2B/lamp", "$SYS/#", "$SYS/broker/version", "%24SYS/%23"} {
		wantError(t, p.subscribe(channel), 103, "may not")
	}
	for _, channel := range []string{"$share/g/#", "$share/g/red/lamp", "%24share/x/%23", "$share/g/blue/lamp"} {
		wantError(t, p.subscribe(channel), 107, "")
	}
	for _, channel := range []string{"red/#", "$SYS/#", "red/lamp"} { // a mount does not lead out of its branch
		wantError(t, m.subscribe(channel), 103, "may not")
	}
	for _, channel := range []string{"#", "+/lamp"} { // what a mounted account calls everything is its branch
		if k := m.join(channel); k.Topic != "blue/"+topic.Filter(channel) || len(k.Retained) != 0 {
			t.Errorf("%s is %s with %v", channel, k.Topic, k.Retained)
		}
	}
}

func TestSocketTokenExpires(t *testing.T) {
	h := newHall(t)
	h.mu.Lock()
	h.until["token-ana-short"] = time.Now().Add(3 * time.Second)
	h.until["token-ana-late"] = time.Now().Add(-time.Second)
	h.mu.Unlock()
	p := h.dial()
	wantError(t, p.do(map[string]any{"connect": map[string]any{"token": "token-ana-late"}}), 109, "Sign in again")
	stale, fresh, wrong := h.enter("ana-short"), h.enter("ana-short"), h.enter("ana-short")
	stale.join("blue/#")
	fresh.join("blue/#")
	wantError(t, wrong.do(map[string]any{"refresh": map[string]any{"token": "token-cleo"}}), 103, "another account")
	wantError(t, wrong.do(map[string]any{"refresh": map[string]any{"token": "token-nobody"}}), 109, "Sign in again")
	if r := fresh.do(map[string]any{"refresh": map[string]any{"token": "token-ana-2"}}); r.Error != nil || r.Refresh.TTL < 3600 {
		t.Fatalf("%+v %+v", r.Refresh, r.Error)
	}
	if code := stale.closed(); code != 3005 {
		t.Errorf("closed with %d", code)
	}
	if code := wrong.closed(); code != 3005 {
		t.Errorf("closed with %d", code)
	}
	if time.Now().Before(h.until["token-ana-short"]) {
		t.Error("closed before its time")
	}
	h.publish("blue/lamp", "on", false)
	fresh.hears("blue/#", "blue/lamp", "on")
}

// TestSocketGrantRevoked: a grant that goes takes the room along, and only that.
func TestSocketGrantRevoked(t *testing.T) {
	h := newHall(t)
	h.grant(ana, "blue/#", "red/#")
	p := h.enter("ana")
	p.join("blue/#")
	p.join("red/#")
	h.grant(ana, "blue/#")
	x := p.next()
	if x.Channel != "red/#" || x.Unsubscribe == nil || x.Unsubscribe.Code != 2100 || !strings.Contains(x.Unsubscribe.Reason, "may not subscribe red/#") {
		t.Errorf("%+v", x)
	}
	eventually(t, "the subscription ends", func() bool { _, ended := h.count("red/#"); return ended == 1 })
	h.publish("red/lamp", "secret", false)
	h.publish("blue/lamp", "on", false)
	p.hears("blue/#", "blue/lamp", "on")
	wantError(t, p.subscribe("red/#"), 103, "may not")
}

func TestSocketAccountDisabled(t *testing.T) {
	for what, change := range map[string]func(*core.Account){
		"disabled": func(a *core.Account) { a.Disabled = true }, "role": func(a *core.Account) { a.Role = core.Kit }, "password": func(*core.Account) {},
	} {
		h := newHall(t)
		p, other := h.enter("ana"), h.enter("cleo")
		page := h.dial("Cookie", h.g.sessions.start(h.accounts[ana]).String())
		if r := page.do(map[string]any{"connect": map[string]any{}}); r.Error != nil {
			t.Fatal(r.Error)
		}
		p.join("blue/#")
		h.change(ana, change)
		if code := p.closed(); code != 4500 {
			t.Errorf("%s: closed with %d", what, code)
		}
		if code := page.closed(); code != 4500 {
			t.Errorf("%s: page closed with %d", what, code)
		}
		other.join("red/#")
	}
}

// TestSocketSignedOut: the page's socket ends with its session.
func TestSocketSignedOut(t *testing.T) {
	h := newHall(t)
	cookie := h.g.sessions.start(h.accounts[ana])
	p := h.dial("Cookie", cookie.String())
	if r := p.do(map[string]any{"connect": map[string]any{}}); r.Error != nil {
		t.Fatal(r.Error)
	}
	p.join("blue/#")
	h.g.sessions.end(cookie.Value)
	if code := p.closed(); code != 4500 {
		t.Errorf("closed with %d", code)
	}
}

// TestSocketLimits: rooms of a socket, sockets of an account, newcomers of an address.
func TestSocketLimits(t *testing.T) {
	h := newHall(t)
	p := h.enter("ada")
	for i := range maxRooms {
		p.join(strings.Repeat("+/", i%8) + "x" + strings.Repeat("/y", i/8) + "/#")
	}
	wantError(t, p.subscribe("z/#"), 106, "")
	for range maxOfAccount {
		h.enter("ana")
	}
	p = h.dial()
	p.send(map[string]any{"connect": map[string]any{"token": "token-ana"}})
	if code := p.closed(); code != 3504 {
		t.Errorf("closed with %d", code)
	}
	for range maxNewcomers {
		h.dial()
	}
	if code := refusedDial(t, h); code != http.StatusTooManyRequests {
		t.Errorf("%d", code)
	}
}

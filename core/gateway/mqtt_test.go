package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	paho "github.com/eclipse/paho.mqtt.golang"

	"homeroom/core"
)

// overWebsocket connects MQTT 3.1.1 over websocket.
func (h *hall) overWebsocket(user, password string, change ...func(*paho.ClientOptions)) (paho.Client, error) {
	o := paho.NewClientOptions().AddBroker(strings.Replace(h.url, "http", "ws", 1) + "/mqtt").SetClientID(user).SetUsername(user).SetPassword(password).SetAutoReconnect(false).SetConnectTimeout(10 * time.Second)
	for _, c := range change {
		c(o)
	}
	c := paho.NewClient(o)
	t := c.Connect()
	t.Wait()
	return c, t.Error()
}

func TestMQTTOverWebsocket(t *testing.T) {
	h := newHall(t)
	got := make(chan paho.Message, 10)
	c, err := h.overWebsocket("ana", "right")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect(100)
	if s := c.Subscribe("blue/#", 2, func(_ paho.Client, m paho.Message) { got <- m }); s.Wait() && s.Error() != nil {
		t.Fatal(s.Error())
	}
	p := h.enter("ada")
	p.join("blue/#")
	large := strings.Repeat("x", 100<<10)
	for qos, payload := range []string{"on", "", large} {
		if s := c.Publish("blue/lamp", byte(qos), false, payload); s.Wait() && s.Error() != nil {
			t.Error(s.Error())
		}
		if m := <-got; string(m.Payload()) != payload || int(m.Qos()) != qos {
			t.Errorf("got %d bytes, QoS %d", len(m.Payload()), m.Qos())
		}
		p.hears("blue/#", "blue/lamp", payload)
	}
	all := h.broker.Clients()
	if len(all) != 1 || all[0].ID != "ana" || !strings.HasPrefix(all[0].Addr, "127.0.0.1") || all[0].Protocol != "3.1.1" {
		t.Errorf("%+v", all)
	}
	if s := c.Subscribe("red/#", 0, nil); s.Wait() && s.(*paho.SubscribeToken).Result()["red/#"] != 0x80 {
		t.Errorf("another team's topics: %v", s.(*paho.SubscribeToken).Result())
	}
}

func TestMQTTWithoutSubprotocol(t *testing.T) {
	h := newHall(t)
	for _, protocol := range []string{"", "mqttv3.1", "centrifuge-json", "notmqtt, xmqtt"} {
		_, resp, err := websocket.Dial(t.Context(), h.url+"/mqtt", &websocket.DialOptions{Subprotocols: strings.Split(protocol, ", ")})
		if err == nil || resp == nil || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %v", protocol, err)
		}
	}
	ws, _, err := websocket.Dial(t.Context(), h.url+"/mqtt", &websocket.DialOptions{Subprotocols: []string{"mqttv3.1", "mqtt"}})
	if err != nil || ws.Subprotocol() != "mqtt" {
		t.Errorf("%v", err)
	}
	resp, err := http.Get(h.url + "/mqtt")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(b), "MQTT client") {
		t.Errorf("a browser: %d %s", resp.StatusCode, b)
	}
}

func TestMQTTForeignOrigin(t *testing.T) {
	h := newHall(t)
	for host, want := range map[string]int{"": http.StatusForbidden, "evil.example": http.StatusMisdirectedRequest} {
		_, resp, err := websocket.Dial(t.Context(), h.url+"/mqtt", &websocket.DialOptions{Subprotocols: []string{"mqtt"}, Host: host, HTTPHeader: http.Header{"Origin": {"http://evil.example"}}})
		if err == nil || resp == nil || resp.StatusCode != want {
			t.Errorf("host %q: %v", host, err)
		}
	}
	if n := len(h.broker.Clients()); n != 0 {
		t.Errorf("%d clients", n)
	}
}

func TestMQTTWrongPassword(t *testing.T) {
	h := newHall(t)
	if _, err := h.overWebsocket("ana", "wrong"); err == nil || !strings.Contains(err.Error(), "bad user name or password") && !strings.Contains(err.Error(), "not Authorized") {
		t.Errorf("%v", err)
	}
	// A cookie is not looked at.
	cookie := h.g.sessions.start(h.accounts[ana]).String()
	if _, err := h.overWebsocket("", "", func(o *paho.ClientOptions) { o.SetClientID("x").SetHTTPHeaders(http.Header{"Cookie": {cookie}}) }); err == nil {
		t.Error("a cookie opened MQTT")
	}
}

// mqttBytes opens MQTT over websocket and sends bytes as they are.
func (h *hall) mqttBytes(packets ...string) *websocket.Conn {
	h.t.Helper()
	ws, _, err := websocket.Dial(h.t.Context(), h.url+"/mqtt", &websocket.DialOptions{Subprotocols: []string{"mqtt"}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { ws.CloseNow() })
	for _, p := range packets {
		if err := ws.Write(h.t.Context(), websocket.MessageBinary, []byte(p)); err != nil {
			h.t.Fatal(err)
		}
	}
	return ws
}

// read returns what the broker says, until it closes, and the close code.
func untilClosed(t *testing.T, ws *websocket.Conn) (said string, code websocket.StatusCode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		_, data, err := ws.Read(ctx)
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				t.Error("never closed")
			}
			return said, websocket.CloseStatus(err)
		}
		said += string(data)
	}
}

// connect is a CONNECT packet of MQTT 5 from ana with a Keep Alive of 1 s.
const connect = "\x10\x1c\x00\x04MQTT\x05\xc2\x00\x01\x00\x00\x03ana\x00\x03ana\x00\x05right"

// TestMQTTKeepAlive: deadlines that are extended in time do no harm, and one that
// passes is told before the connection is closed.
func TestMQTTKeepAlive(t *testing.T) {
	h := newHall(t)
	ws := h.mqttBytes(connect[:5], connect[5:]) // in two messages: frames are no packets
	for range 5 {
		time.Sleep(500 * time.Millisecond)
		if err := ws.Write(t.Context(), websocket.MessageBinary, []byte("\xc0\x00")); err != nil {
			t.Fatal(err)
		}
	}
	said, code := untilClosed(t, ws)
	if !strings.HasPrefix(said, "\x20") || strings.Count(said, "\xd0\x00") != 5 || !strings.HasSuffix(said, "\xe0\x02\x8d\x00") || code != websocket.StatusNormalClosure {
		t.Errorf("said % x, closed with %d", said, code)
	}
}

func TestMQTTOutsideBytes(t *testing.T) {
	h := newHall(t)
	if said, _ := untilClosed(t, h.mqttBytes("GET / HTTP/1.1\r\n\r\n")); said != "" {
		t.Errorf("said % x", said)
	}
	ws := h.mqttBytes()
	if err := ws.Write(t.Context(), websocket.MessageText, []byte(connect)); err != nil {
		t.Fatal(err)
	}
	if said, code := untilClosed(t, ws); said != "" || code != websocket.StatusUnsupportedData {
		t.Errorf("text: said % x, closed with %d", said, code)
	}
	// 256 MB are announced in a CONNECT: there is no memory for that.
	if said, _ := untilClosed(t, h.mqttBytes("\x10\xff\xff\xff\x7f\x00\x04MQTT")); said != "" {
		t.Errorf("large: said % x", said)
	}
}

// TestMQTTEndsWithAccount: the broker's own check ends it.
func TestMQTTEndsWithAccount(t *testing.T) {
	h := newHall(t)
	ws := h.mqttBytes(strings.Replace(connect, "\xc2\x00\x01", "\xc2\x00\x00", 1))
	eventually(t, "ana is connected", func() bool { return len(h.broker.Clients()) == 1 })
	h.change(ana, func(a *core.Account) { a.Disabled = true })
	if said, code := untilClosed(t, ws); !strings.HasPrefix(said, "\x20") || !strings.Contains(said, "\xe0\x02") || code != websocket.StatusNormalClosure {
		t.Errorf("said % x, closed with %d", said, code)
	}
}

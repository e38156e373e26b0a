package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"homeroom/core"
)

// mqtt takes MQTT over websocket (MQTT 5.0, section 6). Who is there is said by
// the CONNECT packet and checked by the broker, as on every connection; a cookie
// or a header of the request is not looked at.
func (g *Gateway) mqtt(w http.ResponseWriter, r *http.Request) {
	if !g.fromHere(w, r) {
		return
	}
	if !speaks(r, "mqtt") {
		g.fail(w, r, core.Fail(core.ErrInvalid, "This address speaks MQTT over websocket. Connect with an MQTT client, and the subprotocol {name}.", "name", "mqtt"))
		return
	}
	ws, wire, err := upgrade(w, r, "mqtt")
	if err != nil {
		return
	}
	ws.SetReadLimit(-1) // the broker bounds packets, before there is memory for them
	go g.cfg.Bus.Serve(&mqttConn{wire: wire, ws: ws})
}

// speaks reports whether the request asks for a subprotocol.
func speaks(r *http.Request, subprotocol string) bool {
	for _, h := range r.Header.Values("Sec-Websocket-Protocol") {
		for p := range strings.SplitSeq(h, ",") {
			if strings.EqualFold(strings.TrimSpace(p), subprotocol) {
				return true
			}
		}
	}
	return false
}

// mqttConn is a websocket as a stream of bytes. websocket.NetConn is not used: a
// deadline that passes there closes the connection and not the one read, so that
// the packet which tells the client why would not go out.
type mqttConn struct {
	*wire
	ws  *websocket.Conn
	now io.Reader // the rest of the message that is being read
}

func (c *mqttConn) Read(p []byte) (int, error) {
	for {
		if c.now == nil {
			kind, r, err := c.ws.Reader(context.Background())
			if errors.Is(err, errFlood) {
				_ = c.ws.Close(websocket.StatusPolicyViolation, "too many empty frames")
			}
			if err != nil {
				return 0, err
			}
			if kind != websocket.MessageBinary { // MQTT 5.0, section 6
				_ = c.ws.Close(websocket.StatusUnsupportedData, "send binary")
				return 0, net.ErrClosed
			}
			c.now = r
		}
		n, err := c.now.Read(p)
		if err == io.EOF {
			c.now, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (c *mqttConn) Write(p []byte) (int, error) {
	if err := c.ws.Write(context.Background(), websocket.MessageBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetDeadline is for reading: wire gives each write its time, also those that
// answer a ping.
func (c *mqttConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing, as SetDeadline says.
func (c *mqttConn) SetWriteDeadline(time.Time) error { return nil }

// Close ends reading at once and does not wait: what is being written has its
// time to go out, and so has the close frame.
func (c *mqttConn) Close() error {
	_ = c.SetReadDeadline(time.Unix(1, 0))
	go func() { _ = c.ws.Close(websocket.StatusNormalClosure, "") }()
	return nil
}

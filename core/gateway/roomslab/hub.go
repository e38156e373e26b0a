//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// hub is what people write first: a channel and two goroutines a socket.
type hub struct {
	mu      sync.Mutex
	clients map[chan []byte]struct{} // guarded by mu
}

// serveHub serves /ws for who listens and /publish for who says something.
func serveHub() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h := &hub{clients: map[chan []byte]struct{}{}}
	up := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024}
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		send := make(chan []byte, 256)
		h.mu.Lock()
		h.clients[send] = struct{}{}
		h.mu.Unlock()
		go func() {
			defer c.Close()
			for m := range send {
				_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
				if c.WriteMessage(websocket.TextMessage, m) != nil {
					return
				}
			}
		}()
		go func() {
			defer c.Close()
			for {
				if _, _, err := c.ReadMessage(); err != nil {
					h.forget(send)
					return
				}
			}
		}()
	})
	mux.HandleFunc("/publish", func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			for {
				_, m, err := c.ReadMessage()
				if err != nil {
					return
				}
				h.say(m)
			}
		}()
	})
	fmt.Printf("http listening on %s\nready\n", l.Addr())
	return http.Serve(l, mux) //nolint:gosec // only this machine's lab
}

func (h *hub) say(payload []byte) {
	m, err := json.Marshal(map[string]any{"topic": "lab/fan", "payload": string(payload), "qos": 0, "at": time.Now()})
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		select {
		case c <- m:
		default:
			delete(h.clients, c)
			close(c)
		}
	}
}

func (h *hub) forget(c chan []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.clients[c]; ok {
		delete(h.clients, c)
		close(c)
	}
}

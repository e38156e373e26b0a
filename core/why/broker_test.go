package why_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"homeroom/core"
	"homeroom/core/broker"
	"homeroom/core/topic"
	"homeroom/core/why"
)

// door lets the kits of fourBoards in, and everybody do everything.
type door struct{}

func (door) Authenticate(_ context.Context, name, _, _, _ string) (core.Account, error) {
	for id := range core.AccountID(10) {
		if a, ok := account(id); ok && string(a.Name) == name {
			a.Version = 1
			return a, nil
		}
	}
	return core.Account{}, core.ErrDenied
}

func (door) Account(id core.AccountID) (core.Account, bool) {
	a, ok := account(id)
	a.Version = 1
	return a, ok
}

func (door) Authorize(_ core.AccountID, _ core.Action, f topic.Filter) (topic.Filter, error) {
	return f, nil
}

func (door) Refuse(core.Refusal) {}

// TestWithBroker has four boards that are real MQTT clients: the board that
// decides, and then a rule that does the same.
func TestWithBroker(t *testing.T) {
	db := openDB(t, newDir(t))
	defer db.Close()
	var feed core.Feed
	log := slog.New(slog.DiscardHandler)
	s, err := why.Open(t.Context(), why.Config{Store: db, Design: fourBoards, Account: account, Feed: &feed, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.Open(t.Context(), broker.Config{Addr: "127.0.0.1:0", Gate: door{}, Store: db, Sink: s.Observe, Feed: &feed, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Deliveries(s.Traces, s.Delivered)()
	group, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	for _, part := range []func(context.Context) error{b.Run, s.Run} {
		go func() { done <- part(group) }()
	}
	defer func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}()

	ok := func(token paho.Token) {
		t.Helper()
		if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			t.Fatal("no answer: ", token.Error())
		}
	}
	board := func(id string, reads map[topic.Name]func(c paho.Client, value string)) paho.Client {
		c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + b.Addr()).SetClientID(id).SetUsername(id).SetPassword("x").SetAutoReconnect(false))
		ok(c.Connect())
		t.Cleanup(func() { c.Disconnect(0) })
		for n, f := range reads {
			ok(c.Subscribe(string(n), 1, func(c paho.Client, m paho.Message) { f(c, string(m.Payload())) }))
		}
		return c
	}
	lit := make(chan string, 9)
	board("kit-1", map[topic.Name]func(paho.Client, string){"blue/lab/light": func(_ paho.Client, v string) { lit <- v }})
	bright := ""
	decides := true
	board("kit-3", map[topic.Name]func(paho.Client, string){
		"blue/lab/brightness": func(_ paho.Client, v string) { bright = v },
		"blue/lab/button": func(c paho.Client, v string) { // the button wins
			if decides && bright != "" {
				c.Publish("blue/lab/light", 1, true, map[string]string{"turn on": "On", "turn off": "Off"}[v])
			}
		},
	})
	sensor, button := board("kit-4", nil), board("kit-2", nil)
	lamp := func(want string) {
		t.Helper()
		select {
		case v := <-lit:
			if v != want {
				t.Fatalf("the lamp got %q, want %q", v, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the lamp got nothing")
		}
	}
	// told waits until the chain of the lamp reads so: acknowledgements take their time.
	told := func(want ...string) {
		t.Helper()
		var got []string
		for range 500 {
			c, err := s.Why(t.Context(), "blue/lab/light", time.Time{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			got = nil
			for _, step := range c.Steps {
				if step.After > 10*time.Second {
					t.Fatalf("%+v", step)
				}
				got = append(got, step.Say.String())
			}
			if strings.Join(got, "\n") == strings.Join(want, "\n") {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	ok(sensor.Publish("blue/lab/brightness", 1, true, "80"))
	ok(button.Publish("blue/lab/button", 1, false, "turn on"))
	lamp("On")
	told("button pressed by kit-2: button = turn on", "delivered to ESP_Choice", "ESP_Choice set light = On; it had brightness 80 %, button turn on", "delivered to kit-1")

	// The same as a rule, which publishes as its author and is told no numbers.
	decides = false
	fired := make(chan struct{}, 9)
	defer b.Subscribe("blue/lab/button", func(m core.Message) {
		go func() {
			sent := core.Message{Topic: "blue/lab/light", Payload: []byte("Off"), QoS: 1, From: 9, Client: "rule:choice", Retain: true}
			if err := b.Publish(context.Background(), sent); err != nil {
				t.Error(err)
			}
			s.Fired(core.Firing{At: time.Now(), Rule: "choice", Cause: m, Why: core.Say("button is {v}", "v", "turn off"), Sent: []core.Message{sent}})
			fired <- struct{}{}
		}()
	})()
	ok(button.Publish("blue/lab/button", 0, false, "turn off"))
	lamp("Off")
	<-fired
	told("button released by kit-2: button = turn off", "button is turn off", "light = Off", "delivered to kit-1")

	// A dashboard that comes later gets the retained value, which is told, too.
	board("teacher", map[topic.Name]func(paho.Client, string){"blue/lab/light": func(paho.Client, string) {}})
	told("button released by kit-2: button = turn off", "button is turn off", "light = Off", "delivered to kit-1", "delivered to Ms. Kim")
	if s.Dropped() != 0 {
		t.Errorf("%d dropped", s.Dropped())
	}
}

// BenchmarkObserve is what one message costs the goroutine of its publisher.
func BenchmarkObserve(b *testing.B) {
	for name, c := range map[string]struct {
		topic  topic.Name
		change bool
	}{"undesigned": {"other", true}, "repeat": {"blue/lab/light", false}, "flood": {"blue/lab/light", true}} {
		b.Run(name, func(b *testing.B) {
			db := openDB(b, newDir(b))
			defer db.Close()
			l := newLab(b, db)
			now := time.Now()
			payloads := [2][]byte{[]byte("On"), []byte("Off")}
			b.ReportAllocs()
			n := uint64(0)
			for b.Loop() {
				n++
				p := payloads[0]
				if c.change {
					p = payloads[n%2]
				}
				l.Observe(core.Message{N: n, Topic: c.topic, Payload: p, From: 1, Client: "kit-1", At: now})
			}
		})
	}
	b.Run("kept", func(b *testing.B) { // each on a topic of its own, as from a whole school
		db := openDB(b, newDir(b))
		defer db.Close()
		l := newLab(b, db)
		d := fourBoards()
		d.Topics = nil
		const topics = 10_000
		for i := range topics {
			d.Topics = append(d.Topics, &core.Topic{Name: topic.Name(fmt.Sprintf("z/%05d", i))})
		}
		l.design.Store(d)
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		for !l.Traces("z/00001") {
			time.Sleep(time.Millisecond)
		}
		payload := []byte{0, 0, 0}
		b.ReportAllocs()
		n := uint64(0)
		began := time.Now()
		for b.Loop() {
			n++
			payload[0], payload[1], payload[2] = byte('0'+n/topics%10), byte('0'+n/topics/10%10), 'x'
			l.Observe(core.Message{N: n, Topic: d.Topics[n%topics].Name, Payload: payload, From: 1, Client: "kit-1", At: began.Add(time.Duration(n) * time.Millisecond)})
		}
		b.StopTimer()
		cancel()
		<-done
		b.ReportMetric(float64(l.Dropped())/float64(n), "dropped/op")
	})
}

// BenchmarkDelivered is what one more reader of a topic costs that is flooded.
func BenchmarkDelivered(b *testing.B) {
	db := openDB(b, newDir(b))
	defer db.Close()
	l := newLab(b, db)
	now := time.Now()
	clients := make([]string, 100)
	for i := range clients {
		clients[i] = fmt.Sprint("kit-", i)
	}
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		n++
		m := core.Message{N: n/100 + 1, Topic: "blue/lab/light", Payload: []byte("On"), From: 1, Client: "kit-1", At: now}
		if n%100 == 0 {
			l.Observe(m)
		}
		l.Delivered(core.Delivery{N: m.N, Topic: m.Topic, Client: clients[n%100], Account: 1, At: now})
	}
}

// BenchmarkWrite is a second's worth of messages that go to the disk.
func BenchmarkWrite(b *testing.B) {
	db := openDB(b, newDir(b))
	defer db.Close()
	id := int64(0)
	for b.Loop() {
		var batch why.Batch
		for i := range 5000 {
			id++
			batch.Messages = append(batch.Messages, why.Message{ID: id, Topic: topic.Name(fmt.Sprintf("blue/lab/kit-%d/brightness", i%500)), At: time.Now(), Client: "kit-1", Value: "80", Changed: true})
			batch.Deliveries = append(batch.Deliveries, why.Delivery{Message: id, Client: "kit-3", At: time.Now()})
		}
		if err := db.WriteWhy(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(id)*2/b.Elapsed().Seconds(), "rows/s")
}

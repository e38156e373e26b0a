package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"homeroom/core"
	"homeroom/core/topic"
)

// The most that a load test may ask for.
const (
	MaxLoadKits = 500
	MaxLoadRate = 20 // messages a second of each kit
	MaxLoadFor  = time.Minute
)

// Load is a test before class: Kits kits publish Rate messages a second each for
// For, and read what they publish.
type Load struct {
	Kits int
	Rate int
	For  time.Duration
}

// LoadReport is what became of it.
type LoadReport struct {
	Load
	Connected int
	Refused   int // kits that could not connect, or not read their topic
	Published int // acknowledged by the broker
	Received  int
	Lost      int           // acknowledged, but not received
	P50, P99  time.Duration // from publish to receipt
	Took      time.Duration // of the publishing
	// Say is the verdict, or why kits were refused.
	Say core.Sentence
}

// Run carries out the test, and ends by itself or with ctx. The kits are the
// accounts load-1, load-2 and so on, which cfg.Lend makes; each publishes to and
// reads load/load-1/beat with its number, nothing of it retained. It waits for
// the last answers and may take some seconds more than For.
func (l Load) Run(ctx context.Context, cfg Config) (LoadReport, error) {
	if l.Kits < 1 || l.Kits > MaxLoadKits || l.Rate < 1 || l.Rate > MaxLoadRate || l.For <= 0 || l.For > MaxLoadFor {
		return LoadReport{}, core.Fail(core.ErrInvalid, "A load test has 1 to {kits} kits, 1 to {rate} messages a second of each, and takes at most {n} s.",
			"kits", MaxLoadKits, "rate", MaxLoadRate, "n", int(MaxLoadFor.Seconds()))
	}
	t := &loadTest{Load: l, cfg: cfg, turns: make(chan struct{}, connecting), back: map[int]int{}}
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	for i := range l.Kits {
		ready.Add(1)
		done.Go(func() {
			c, err := t.connect(ctx, i)
			if err != nil {
				t.refuse(err)
				ready.Done()
				return
			}
			defer c.Disconnect(250)
			ready.Done()
			select {
			case <-begin:
				t.publish(ctx, c, i)
			case <-ctx.Done():
			}
		})
	}
	ready.Wait()
	close(begin)
	done.Wait()
	if err := ctx.Err(); err != nil {
		return LoadReport{}, err
	}
	return t.report(), nil
}

type loadTest struct {
	Load
	cfg   Config
	turns chan struct{}

	mu                  sync.Mutex
	connected, refused  int           // guarded by mu, as all below
	published, received int           // published is what was acknowledged
	back                map[int]int   // received, by kit
	took                time.Duration // the longest publishing of a kit
	delays              []time.Duration
	why                 error
}

func (t *loadTest) refuse(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused++
	if t.why == nil {
		t.why = err
	}
}

// LoadAccount is the account of the kit i of a load test, from 0.
func LoadAccount(i int) topic.ID { return topic.ID(fmt.Sprintf("load-%d", i+1)) }

// LoadTopic is what it publishes to and reads.
func LoadTopic(i int) topic.Name { return topic.Name("load/" + LoadAccount(i) + "/beat") }

func beat(i int) string { return string(LoadTopic(i)) }

func (t *loadTest) connect(ctx context.Context, i int) (mqtt.Client, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case t.turns <- struct{}{}:
	}
	defer func() { <-t.turns }()
	lend, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	secret, err := t.cfg.Lend(lend, LoadAccount(i))
	if err != nil {
		return nil, err
	}
	o := mqtt.NewClientOptions().AddBroker("tcp://" + t.cfg.Address()).SetClientID(clientID(LoadAccount(i))).SetUsername(string(LoadAccount(i))).SetPassword(secret).
		SetProtocolVersion(4).SetAutoReconnect(false).SetConnectTimeout(dialWithin).SetWriteTimeout(writeWithin)
	c := mqtt.NewClient(o)
	k := c.Connect()
	k.Wait()
	if k.Error() != nil {
		return nil, k.Error()
	}
	k = c.Subscribe(beat(i), 1, func(_ mqtt.Client, m mqtt.Message) { t.receive(i, m.Payload()) })
	if !k.WaitTimeout(answerWithin) {
		err = context.DeadlineExceeded
	} else if err = k.Error(); err == nil && k.(*mqtt.SubscribeToken).Result()[beat(i)] >= 0x80 {
		err = core.Fail(core.ErrDenied, "{account} may not read {topic}.", "account", LoadAccount(i), "topic", beat(i))
	}
	if err != nil {
		c.Disconnect(0)
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.connected++
	return c, nil
}

func (t *loadTest) receive(i int, payload []byte) {
	now := time.Now()
	stamp, _, _ := strings.Cut(string(payload), " ")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return // somebody else's
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.received++
	t.back[i]++
	t.delays = append(t.delays, now.Sub(time.Unix(0, at)))
}

// publish sends one message after the other at the rate, and waits for the last
// of them to come back.
func (t *loadTest) publish(ctx context.Context, c mqtt.Client, i int) {
	start := time.Now()
	tick := time.NewTicker(time.Second / time.Duration(t.Rate))
	defer tick.Stop()
	end := time.NewTimer(t.For)
	defer end.Stop()
	var waiting []mqtt.Token // for their acknowledgements
	acked := 0
	for n, more := 1, true; more; n++ {
		waiting = slices.DeleteFunc(waiting, func(k mqtt.Token) bool {
			done := k.WaitTimeout(0)
			if done && k.Error() == nil {
				acked++
			}
			return done
		})
		waiting = append(waiting, c.Publish(beat(i), 1, false, fmt.Sprintf("%d %d", time.Now().UnixNano(), n)))
		select {
		case <-tick.C:
		case <-end.C:
			more = false
		case <-ctx.Done():
			return
		}
	}
	took := time.Since(start)
	late := time.After(answerWithin)
	for _, k := range waiting {
		select {
		case <-k.Done():
			if k.Error() == nil {
				acked++
			}
		case <-late:
			late = closed // the rest have no more time
		case <-ctx.Done():
			return
		}
	}
	t.mu.Lock()
	t.published += acked
	t.took = max(t.took, took)
	t.mu.Unlock()
	for range 40 { // what is acknowledged is on its way back
		t.mu.Lock()
		all := t.back[i] >= acked
		t.mu.Unlock()
		if all || ctx.Err() != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

var closed = func() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}()

func (t *loadTest) report() LoadReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := LoadReport{Load: t.Load, Connected: t.connected, Refused: t.refused, Published: t.published, Received: t.received, Lost: max(0, t.published-t.received), Took: t.took}
	slices.Sort(t.delays)
	if n := len(t.delays); n > 0 {
		r.P50, r.P99 = t.delays[n/2], t.delays[n*99/100]
	}
	var said *core.Problem
	switch {
	case errors.As(t.why, &said):
		r.Say = said.Sentence
	case t.why != nil:
		r.Say = core.Say("{n} kits could not connect: {reason}.", "n", t.refused, "reason", t.why)
	case r.Lost > 0:
		r.Say = core.Say("{n} messages did not come back. This PC is too slow for that many kits, or its disk is.", "n", r.Lost)
	case r.P99 > time.Second:
		r.Say = core.Say("All messages came back, but some took {n} ms. Expect lamps that lag.", "n", r.P99.Milliseconds())
	default:
		r.Say = core.Say("All messages came back, the slowest of a hundred within {n} ms. This PC carries the class.", "n", r.P99.Milliseconds())
	}
	return r
}

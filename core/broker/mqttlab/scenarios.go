//go:build linux

package main

import (
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// scenario is one kind of load. Its run panics with an error where the load
// cannot be put on; measure reports it.
type scenario struct {
	name string
	show []figure // of the table, in its order
	run  func(*server) figures
}

// figure is a line of the table.
type figure struct {
	name string
	goal goal
}

// goal is what Homeroom wants of a figure; the zero goal wants nothing.
type goal struct {
	kind  byte
	value float64
}

const (
	times = iota + 1 // at most value times the first broker's
	most             // at most value
	least            // at least value
	never            // 0 in every round
)

func (g goal) String() string {
	switch g.kind {
	case times:
		return fmt.Sprintf("≤ %.2g ×", g.value)
	case most:
		return fmt.Sprintf("≤ %g", g.value)
	case least:
		return fmt.Sprintf("≥ %.0f", g.value)
	case never:
		return "0"
	}
	return ""
}

// met reports whether the goal is reached.
func (g goal) met(value, ratio float64) bool {
	switch g.kind {
	case times:
		return ratio <= g.value
	case most:
		return value <= g.value
	case least:
		return value >= g.value
	case never:
		return value == 0
	}
	return true
}

var nothing = goal{never, 0}

// throughput wants at most cpu times the CPU seconds of the first broker.
func throughput(cpu float64) []figure {
	return []figure{{"CPU s per million", goal{times, cpu}}, {"deliveries/s", goal{}}, {"lost", nothing}, {"out of order", nothing}}
}

func storms(seconds float64) []figure {
	return []figure{{"seconds", goal{times, seconds}}, {"CPU ms each", goal{}}, {"KiB each", goal{most, 24}}, {"idle CPU %", goal{}}, {"refused", nothing}}
}

func retaining(n float64) []figure {
	return []figure{{"publish s", goal{times, 4 / 7.1}}, {"bytes each", goal{most, 1000}}, {"idle CPU %", goal{most, 0.5}},
		{"received QoS 0", goal{least, n}}, {"received QoS 1", goal{least, n}}}
}

var (
	returning = []figure{{"delivered", goal{}}, {"lost", nothing}, {"twice", nothing}, {"out of order", nothing}}
	sticking  = []figure{{"longest wait s", goal{most, 0.1}}, {"sent", goal{}}, {"healthy got", goal{}}, {"take over s", goal{}}}
	latencies = []figure{{"p50 µs at 1000/s", goal{}}, {"p99 µs at 1000/s", goal{times, 1}},
		{"p50 µs at 5000/s", goal{}}, {"p99 µs at 5000/s", goal{times, 1}}, {"lost", nothing}}
	tenth = []figure{{"p99 µs before", goal{}}, {"p99 µs after", goal{}}, {"after ÷ before", goal{most, 2}},
		{"MiB a stuck client", goal{most, 1}}, {"healthy lost", nothing}}
)

// The goals of CPU and of seconds are a ratio: what Homeroom wants to what
// Mosquitto 2.0.11 took where both were measured for the design.
var scenarios = []scenario{
	{"q0", throughput(4 / 27.5), through(0, 1, 400_000, 1000, 0)},
	{"q1", throughput(12 / 39.), through(1, 1, 150_000, 500, 64)},
	{"q2", throughput(22 / 81.), through(2, 1, 80_000, 500, 64)},
	{"fan100", throughput(2 / 12.), through(0, 100, 6000, 50, 0)},
	{"fan100q1", throughput(6 / 17.), through(1, 100, 2000, 20, 20)},
	{"fanin500", throughput(10 / 21.), fanIn(500, 200_000)},
	{"wild4", append(throughput(24 / 72.)[:3:3], figure{"subscribe s", goal{}}), wild(100_000)},
	{"storm1k", storms(1.3 / 0.75), storm(1000)},
	{"storm5k", storms(1.3 / 0.75), storm(5000)},
	{"ret8k", retaining(8000), retained(8000)},
	{"ret100k", retaining(100_000), retained(100_000)},
	{"offline1_800", returning, offline(800)},
	{"offline1_20k", returning, offline(20_000)},
	{"lat0", latencies, latency(0, 1)},
	{"lat1", latencies, latency(1, 1)},
	{"lat50q0", latencies, latency(0, 50)},
	{"lat50q1", latencies, latency(1, 50)},
	{"stuck1", sticking, stuck(15 * time.Second)},
	{"stuck10", tenth, stuckTenth(0)},
	{"stuck10q1", tenth, stuckTenth(1)},
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

const (
	payload   = 64               // bytes of a message
	patience  = 10 * time.Second // without progress for so long, a publisher gives up
	quiet     = 5 * time.Second  // without a delivery for so long, nothing more is expected
	batch     = 64               // messages written at once
	tick      = 2 * time.Millisecond
	readAhead = 64 << 10 // bytes of a read buffer where few clients read much
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func open(s *server, id string, buffer int) *client {
	c, err := dial(s.addr, buffer)
	must(err)
	must(c.connect(id, "", "", true))
	return c
}

// ownCPU returns the seconds that this generator has used.
func ownCPU() float64 {
	var r syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

// gate lets a publisher wait until fewer than a window of messages are under way.
type gate struct {
	done atomic.Int64
	wake chan struct{} // holds at most one token
}

func newGate() *gate { return &gate{wake: make(chan struct{}, 1)} }

func (g *gate) add(n int) {
	g.done.Add(int64(n))
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// room returns how many more may be sent. It waits for there to be any, at most for d; 0 is a stall.
func (g *gate) room(sent, window int64, d time.Duration) int64 {
	for {
		if n := window - (sent - g.done.Load()); n > 0 {
			return n
		}
		select {
		case <-g.wake:
		case <-time.After(d):
			return 0
		}
	}
}

// settle waits until n are done, or nothing was for the time quiet.
func (g *gate) settle(n int64) {
	last, at := int64(-1), time.Now()
	for g.done.Load() < n && time.Since(at) < quiet {
		if d := g.done.Load(); d != last {
			last, at = d, time.Now()
		}
		time.Sleep(tick)
	}
}

// sequence knows which numbered messages arrived.
type sequence struct {
	got, twice, disorder int64
	seen                 []uint64 // a bit each
	last                 uint64
}

func newSequence(n int) *sequence { return &sequence{seen: make([]uint64, n/64+1)} }

func (s *sequence) hit(n uint64) {
	word, bit := n/64, uint64(1)<<(n%64)
	switch {
	case word >= uint64(len(s.seen)):
		return
	case s.seen[word]&bit != 0:
		s.twice++
		return
	case n < s.last:
		s.disorder++
	}
	s.seen[word] |= bit
	s.last = n
	s.got++
}

// meter measures one load.
type meter struct {
	server      *server
	cpu, ownCPU float64
	start       time.Time
}

func measuring(s *server) meter { return meter{s, s.cpu(), ownCPU(), time.Now()} }

// figures returns what the load cost: got of want deliveries arrived.
func (m meter) figures(want, got, disorder int64) figures {
	return figures{
		"CPU s per million":       (m.server.cpu() - m.cpu) / float64(want) * 1e6,
		"generator s per million": (ownCPU() - m.ownCPU) / float64(want) * 1e6,
		"deliveries/s":            float64(got) / time.Since(m.start).Seconds(),
		"lost":                    float64(want - got),
		"out of order":            float64(disorder),
		"RSS KiB":                 m.server.rss(),
	}
}

// through sends n messages from one publisher to subs subscribers. At most
// window messages are under way from end to end, and at most unacked towards the broker.
func through(qos byte, subs, n int, window, unacked int64) func(*server) figures {
	return func(s *server) figures {
		delivered, acked := newGate(), newGate()
		buffer := readAhead
		if subs > 50 {
			buffer /= 4
		}
		sequences := make([]*sequence, subs)
		clients := make([]*client, subs)
		for i := range clients {
			clients[i], sequences[i] = open(s, fmt.Sprintf("s%d", i), buffer), newSequence(n)
			must(clients[i].subscribe(1, qos, "bench/t"))
		}
		var reading sync.WaitGroup
		for i, c := range clients {
			count := 0
			reading.Go(func() {
				c.consume(func(m message) { sequences[i].hit(m.seq()); count++ },
					func() { delivered.add(count); count = 0 })
			})
		}
		p := open(s, "p", readAhead)
		if qos > 0 {
			go p.acknowledged(acked.add)
		}
		m := measuring(s)
		each := int64(subs)
		sent := int64(0)
		for buf := []byte(nil); sent < int64(n); {
			room := delivered.room(sent*each, window*each, patience)
			if room == 0 {
				break
			}
			room = max(room/each, 1)
			if qos > 0 {
				a := acked.room(sent, unacked, patience)
				if a == 0 {
					break
				}
				room = min(room, a)
			}
			buf = buf[:0]
			for range min(room, batch, int64(n)-sent) {
				buf = appendPublish(buf, "bench/t", qos, false, packetID(sent), uint64(sent), payload)
				sent++
			}
			_, err := p.Write(buf)
			must(err)
		}
		delivered.settle(sent * each)
		time.Sleep(100 * time.Millisecond) // the last acknowledgements
		for _, c := range append(clients, p) {
			c.Close()
		}
		reading.Wait()
		var got, disorder int64
		for _, q := range sequences {
			got += q.got
			disorder += q.disorder
		}
		if sent < int64(n) {
			panic(fmt.Errorf("stalled after %d of %d messages", sent, n))
		}
		return m.figures(sent*each, got, disorder)
	}
}

// packetID returns the MQTT Packet Identifier of the nth message.
func packetID(n int64) uint16 { return uint16(n%60000) + 1 }

// fanIn sends n messages from pubs publishers to one subscriber, one write a message.
func fanIn(pubs, n int) func(*server) figures {
	return func(s *server) figures {
		sub := open(s, "sub", readAhead)
		must(sub.subscribe(1, 0, "fan/#"))
		delivered, seq := newGate(), newSequence(n)
		count := 0
		var reading sync.WaitGroup
		reading.Go(func() {
			sub.consume(func(m message) { seq.hit(m.seq()); count++ }, func() { delivered.add(count); count = 0 })
		})
		clients, topics := make([]*client, pubs), make([]string, pubs)
		for i := range clients {
			clients[i], topics[i] = open(s, fmt.Sprintf("p%d", i), 512), fmt.Sprintf("fan/%d/t", i)
		}
		m := measuring(s)
		var buf []byte
		for sent := range n {
			if delivered.room(int64(sent), int64(pubs)*2, patience) == 0 {
				panic(fmt.Errorf("stalled after %d of %d messages", sent, n))
			}
			buf = appendPublish(buf[:0], topics[sent%pubs], 0, false, 0, uint64(sent), payload)
			_, err := clients[sent%pubs].Write(buf)
			must(err)
		}
		delivered.settle(int64(n))
		for _, c := range append(clients, sub) {
			c.Close()
		}
		reading.Wait()
		// one publisher's messages stay in order; those of different ones need not
		return m.figures(int64(n), seq.got, 0)
	}
}

// wild has 10,000 wildcard filters in 100 clients, of which each message matches four.
func wild(n int) func(*server) figures {
	return func(s *server) figures {
		filters := make([][]string, 100)
		topics := make([]string, 2500)
		for k := range topics {
			site := k / 50
			topics[k] = fmt.Sprintf("site/%d/dev%d/temp", site, k)
			for i, f := range []string{
				fmt.Sprintf("site/%d/dev%d/+", site, k),
				fmt.Sprintf("site/+/dev%d/temp", k),
				fmt.Sprintf("+/%d/dev%d/temp", site, k),
				fmt.Sprintf("site/%d/dev%d/#", site, k),
			} {
				filters[25*i+k%25] = append(filters[25*i+k%25], f)
			}
		}
		delivered := newGate()
		begin := time.Now()
		clients := make([]*client, len(filters))
		for i, fs := range filters {
			clients[i] = open(s, fmt.Sprintf("w%d", i), readAhead/4)
			for o := 0; o < len(fs); o += 20 {
				must(clients[i].subscribe(uint16(o+1), 0, fs[o:min(o+20, len(fs))]...))
			}
		}
		subscribing := time.Since(begin).Seconds()
		for _, c := range clients {
			count := 0
			go c.consume(func(message) { count++ }, func() { delivered.add(count); count = 0 })
		}
		p := open(s, "p", readAhead)
		m := measuring(s)
		sent := int64(0)
		for buf := []byte(nil); sent < int64(n); {
			room := delivered.room(sent*4, 800, patience)
			if room == 0 {
				panic(fmt.Errorf("stalled after %d of %d messages", sent, n))
			}
			buf = buf[:0]
			for range min(max(room/4, 1), batch, int64(n)-sent) {
				buf = appendPublish(buf, topics[sent*7919%2500], 0, false, 0, uint64(sent), payload)
				sent++
			}
			_, err := p.Write(buf)
			must(err)
		}
		delivered.settle(sent * 4)
		for _, c := range append(clients, p) {
			c.Close()
		}
		f := m.figures(sent*4, delivered.done.Load(), 0)
		f["subscribe s"] = subscribing
		return f
	}
}

// storm connects n clients, 64 at a time, as after a power cut; each subscribes
// to its own topic, and then all are silent.
func storm(n int) func(*server) figures {
	return func(s *server) figures {
		must(enoughFiles(n))
		rss, cpu, begin := s.rss(), s.cpu(), time.Now()
		clients := make([]*client, n)
		var next, failed atomic.Int64
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
					c, err := dial(s.addr, 16)
					if err == nil {
						c.SetDeadline(time.Now().Add(time.Minute))
						err = c.connect(fmt.Sprintf("dev%d", i), "", "", true)
					}
					if err != nil {
						failed.Add(1)
						continue
					}
					clients[i] = c
				}
			})
		}
		wg.Wait()
		f := figures{"seconds": time.Since(begin).Seconds(), "CPU ms each": (s.cpu() - cpu) / float64(n) * 1e3}
		for i, c := range clients {
			if c != nil && c.subscribe(1, 0, fmt.Sprintf("kit/%d/cmd", i)) != nil {
				failed.Add(1)
			}
		}
		time.Sleep(2 * time.Second)
		f["KiB each"] = (s.rss() - rss) / float64(n)
		f["idle CPU %"] = idle(s)
		f["refused"] = float64(failed.Load())
		for _, c := range clients {
			if c != nil {
				c.Close()
			}
		}
		return f
	}
}

// idle returns the CPU percent that s uses while nothing happens.
func idle(s *server) float64 {
	const d = 5 * time.Second
	cpu := s.cpu()
	time.Sleep(d)
	return (s.cpu() - cpu) / d.Seconds() * 100
}

// publishAll publishes n messages of QoS 1, of which at most unacked are not
// acknowledged, and waits for all to be.
func publishAll(s *server, n int, unacked int64, retain bool, topic func(int64) string) {
	p := open(s, "p", readAhead)
	defer p.Close()
	acked := newGate()
	go p.acknowledged(acked.add)
	for buf, sent := []byte(nil), int64(0); sent < int64(n); {
		room := acked.room(sent, unacked, patience)
		if room == 0 {
			panic(fmt.Errorf("stalled after %d of %d messages", sent, n))
		}
		buf = buf[:0]
		for range min(room, int64(n)-sent) {
			buf = appendPublish(buf, topic(sent), 1, retain, packetID(sent), uint64(sent), payload)
			sent++
		}
		_, err := p.Write(buf)
		must(err)
	}
	if acked.settle(int64(n)); acked.done.Load() < int64(n) {
		panic(fmt.Errorf("%d of %d messages were acknowledged", acked.done.Load(), n))
	}
}

// retained publishes n retained messages and reads them all by "#".
func retained(n int) func(*server) figures {
	return func(s *server) figures {
		rss, begin := s.rss(), time.Now()
		publishAll(s, n, 64, true, func(i int64) string { return fmt.Sprintf("r/%d/%d/state", i/1000, i%1000) })
		f := figures{"publish s": time.Since(begin).Seconds()}
		time.Sleep(3 * time.Second)
		f["bytes each"] = (s.rss() - rss) * 1024 / float64(n)
		f["idle CPU %"] = idle(s)
		for qos := range byte(2) {
			c, seq, delivered := open(s, fmt.Sprintf("r%d", qos), readAhead), newSequence(n), newGate()
			_, err := c.Write(subscribePacket(1, qos, "#"))
			must(err)
			count := 0
			var reading sync.WaitGroup
			reading.Go(func() {
				c.consume(func(m message) {
					if m.topic[0] == 'r' {
						seq.hit(m.seq())
						count++
					}
				}, func() { delivered.add(count); count = 0 })
			})
			delivered.settle(int64(n))
			c.Close()
			reading.Wait()
			f[fmt.Sprintf("received QoS %d", qos)] = float64(seq.got)
		}
		return f
	}
}

// offline publishes n messages of QoS 1 while the durable session of their subscriber is away.
func offline(n int) func(*server) figures {
	return func(s *server) figures {
		c, err := dial(s.addr, readAhead)
		must(err)
		must(c.connect("off", "", "", false))
		must(c.subscribe(1, 1, "off/t"))
		_, err = c.Write([]byte{0xE0, 0}) // DISCONNECT
		must(err)
		c.Close()
		time.Sleep(300 * time.Millisecond)
		publishAll(s, n, 32, false, func(int64) string { return "off/t" })

		c, err = dial(s.addr, readAhead)
		must(err)
		must(c.connect("off", "", "", false))
		seq, delivered := newSequence(n), newGate()
		count := 0
		var reading sync.WaitGroup
		reading.Go(func() {
			c.consume(func(m message) { seq.hit(m.seq()); count++ }, func() { delivered.add(count); count = 0 })
		})
		delivered.settle(int64(n))
		c.Close()
		reading.Wait()
		return figures{"delivered": float64(seq.got), "lost": float64(int64(n) - seq.got), "twice": float64(seq.twice), "out of order": float64(seq.disorder)}
	}
}

// stuck has a subscriber of QoS 1 that stops reading beside one that does not,
// and for the time d a publisher whose wait for acknowledgements is watched.
// Then a new connection takes over the stuck client's session.
func stuck(d time.Duration) func(*server) figures {
	return func(s *server) figures {
		bad, err := dial(s.addr, 4096)
		must(err)
		defer bad.Close()
		must(bad.Conn.(*net.TCPConn).SetReadBuffer(4096))
		must(bad.connect("stuck", "", "", true))
		must(bad.subscribe(1, 1, "k/t"))
		healthy := open(s, "healthy", readAhead)
		defer healthy.Close()
		must(healthy.subscribe(1, 1, "k/t"))
		var got atomic.Int64
		go healthy.consume(func(message) { got.Add(1) }, nil)
		p := open(s, "p", readAhead)
		defer p.Close()
		acked := newGate()
		go p.acknowledged(acked.add)

		begin := time.Now()
		last, longest := begin, time.Duration(0)
		sent := int64(0)
		must(p.SetWriteDeadline(begin.Add(2 * d)))
		for buf := []byte(nil); time.Since(begin) < d; {
			room := acked.room(sent, 64, 200*time.Millisecond)
			longest = max(longest, time.Since(last))
			if room == 0 {
				continue
			}
			last = time.Now()
			buf = appendPublish(buf[:0], "k/t", 1, false, packetID(sent), uint64(sent), 1024)
			_, err := p.Write(buf)
			must(err)
			sent++
			time.Sleep(200 * time.Microsecond)
		}
		f := figures{"longest wait s": longest.Seconds(), "sent": float64(sent), "healthy got": float64(got.Load())}
		begin = time.Now()
		c, err := dial(s.addr, 512)
		must(err)
		defer c.Close()
		must(c.SetDeadline(begin.Add(patience)))
		must(c.connect("stuck", "", "", true))
		f["take over s"] = time.Since(begin).Seconds()
		return f
	}
}

// pace calls send for each of n messages when it is due, rate a second, with the
// moment from which its delay counts. What a held write keeps from being sent in
// time is late by that, and not left out.
func pace(rate, n int, send func(i int, at time.Time)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begin := time.Now()
	woke := begin
	for i := range n {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if d := time.Until(due); d > 0 {
			ts := syscall.NsecToTimespec(int64(d))
			_ = syscall.Nanosleep(&ts, nil) // time.Sleep is late by up to 1 ms
			woke = time.Now()
		}
		if woke.After(due) {
			due = woke
		}
		send(i, due)
	}
}

// delays are how long messages took, by the second in which they were sent.
type delays struct {
	start    time.Time
	mu       sync.Mutex
	bySecond map[time.Duration][]time.Duration // guarded by mu
}

func newDelays() *delays {
	return &delays{start: time.Now(), bySecond: map[time.Duration][]time.Duration{}}
}

// stamp is what a message that is sent at a moment carries as its number.
func (d *delays) stamp(at time.Time) uint64 { return uint64(at.Sub(d.start)) }

// arrived takes the stamp of a message that has just arrived.
func (d *delays) arrived(stamp uint64) {
	sent := time.Duration(stamp)
	took := time.Since(d.start) - sent
	d.mu.Lock()
	defer d.mu.Unlock()
	second := sent.Truncate(time.Second)
	d.bySecond[second] = append(d.bySecond[second], took)
}

// percentiles returns for each part the delay below which that part lies, in
// µs, as the median of the seconds since the last call: a neighbour on this
// machine who takes the processor for a moment spoils one second, not all.
func (d *delays) percentiles(parts ...float64) []float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	of := make([][]float64, len(parts))
	for _, took := range d.bySecond {
		slices.Sort(took)
		for i, part := range parts {
			of[i] = append(of[i], float64(took[int(part*float64(len(took)))])/1e3)
		}
	}
	clear(d.bySecond)
	vs := make([]float64, len(parts))
	for i := range vs {
		vs[i] = median(of[i])
	}
	return vs
}

// latency measures how long a message takes from one of pairs publishers to its
// subscriber, at 1,000 and then 5,000 messages a second in all.
func latency(qos byte, pairs int) func(*server) figures {
	return func(s *server) figures {
		const length = 6 // seconds of each rate
		took := newDelays()
		publishers, subscribers := make([]*client, pairs), make([]*client, pairs)
		got := newGate()
		for i := range pairs {
			subscribers[i] = open(s, fmt.Sprintf("s%d", i), readAhead/4)
			must(subscribers[i].subscribe(1, qos, fmt.Sprintf("lat/%d", i)))
			go subscribers[i].consume(func(m message) {
				took.arrived(m.seq())
				got.add(1)
			}, nil)
			publishers[i] = open(s, fmt.Sprintf("p%d", i), readAhead/4)
			if qos > 0 {
				go publishers[i].acknowledged(func(int) {})
			}
		}
		f, sent := figures{}, 0
		for _, rate := range []int{1000, 5000} {
			var buf []byte
			pace(rate, rate*length, func(i int, at time.Time) {
				buf = appendPublish(buf[:0], fmt.Sprintf("lat/%d", i%pairs), qos, false, packetID(int64(i/pairs)), took.stamp(at), payload)
				_, err := publishers[i%pairs].Write(buf)
				must(err)
				sent++
			})
			got.settle(int64(sent))
			ps := took.percentiles(0.5, 0.99)
			f[fmt.Sprintf("p50 µs at %d/s", rate)], f[fmt.Sprintf("p99 µs at %d/s", rate)] = ps[0], ps[1]
		}
		for _, c := range append(publishers, subscribers...) {
			c.Close()
		}
		f["lost"] = float64(int64(sent) - got.done.Load())
		return f
	}
}

// stuckTenth has 100 readers of one topic, of which 10 stop reading. It
// compares the delays of the other 90 before and after, and what the broker's
// memory grows by.
func stuckTenth(qos byte) func(*server) figures {
	return func(s *server) figures {
		const readers, sticking, rate, size = 100, 10, 200, 2048
		const before, after = 6 * rate, 20 * rate // messages: 8 MB for each that is stuck
		var stuck atomic.Bool
		release := make(chan struct{})
		defer close(release)
		took, got := newDelays(), newGate() // of the healthy
		clients := make([]*client, readers)
		for i := range clients {
			c, err := dial(s.addr, 4096)
			must(err)
			clients[i] = c
			if i < sticking {
				must(c.Conn.(*net.TCPConn).SetReadBuffer(4096))
			}
			must(c.connect(fmt.Sprintf("r%d", i), "", "", true))
			must(c.subscribe(1, qos, "k/t"))
			go c.consume(func(m message) {
				if i < sticking {
					if stuck.Load() {
						<-release
					}
					return
				}
				took.arrived(m.seq())
				got.add(1)
			}, nil)
		}
		p := open(s, "p", readAhead)
		if qos > 0 {
			go p.acknowledged(func(int) {})
		}
		sent, peak := 0, 0.0
		var buf []byte
		publish := func(_ int, at time.Time) {
			buf = appendPublish(buf[:0], "k/t", qos, false, packetID(int64(sent)), took.stamp(at), size)
			must(p.SetWriteDeadline(at.Add(patience)))
			_, err := p.Write(buf)
			must(err)
			if sent++; sent%(rate/4) == 0 {
				peak = max(peak, s.rss())
			}
		}
		p99 := func() float64 {
			got.settle(int64(sent) * (readers - sticking))
			return took.percentiles(0.99)[0]
		}
		pace(rate, before, publish)
		f := figures{"p99 µs before": p99()}
		base := peak
		stuck.Store(true)
		pace(rate, after, publish)
		f["p99 µs after"] = p99()
		f["after ÷ before"] = f["p99 µs after"] / f["p99 µs before"]
		f["MiB a stuck client"] = max(0, peak-base) / sticking / 1024
		f["healthy lost"] = float64(int64(sent)*(readers-sticking) - got.done.Load())
		for _, c := range append(clients, p) {
			c.Close()
		}
		return f
	}
}

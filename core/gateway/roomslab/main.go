//go:build linux

// Roomslab measures what the rooms of /ws cost beside a plain hub on
// gorilla/websocket, on this machine and in the same run: for each scenario it
// starts each server in turn on a free port of 127.0.0.1, puts a bounded load on
// it, and prints what it cost.
//
//	roomslab -homeroom build/homeroom-headless -s fan,stuck,both,latency -reps 3
//
// CPU seconds of the server per million deliveries stand on a noisy machine;
// rates and latencies less so: this generator shares the machine.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// scenario is one load.
type scenario struct {
	name    string
	what    string
	sockets int
	mqtt    int // MQTT subscribers beside them; only where the server has MQTT
	stuck   int // of the sockets, that do not read
	rate    int // messages in a second
	size    int // bytes of a payload
	length  time.Duration
}

var scenarios = []scenario{
	{name: "fan", what: "1 topic to 1,000 sockets, 50 messages/s", sockets: 1000, rate: 50, size: 64, length: 10 * time.Second},
	{name: "stuck", what: "the same with 4 KiB, 10 % do not read", sockets: 1000, stuck: 100, rate: 20, size: 4 << 10, length: 15 * time.Second},
	{name: "clear", what: "the same with 4 KiB, everybody reads", sockets: 1000, rate: 20, size: 4 << 10, length: 15 * time.Second},
	{name: "both", what: "2,000 sockets and 2,000 MQTT clients at once, 10 messages/s", sockets: 2000, mqtt: 2000, rate: 10, size: 64, length: 10 * time.Second},
	{name: "latency", what: "MQTT publish to 10 sockets, 1,000 messages/s", sockets: 10, rate: 1000, size: 64, length: 10 * time.Second},
}

// figures is what one run measured.
type figures struct {
	cpu      float64 // seconds a million deliveries
	kib      float64 // a socket, under load
	p50, p99 float64 // milliseconds from publishing to the socket
	lost     int     // of what readers should have got
}

func main() {
	hub := flag.Bool("hub", false, "be the plain hub")
	homeroom := flag.String("homeroom", "build/homeroom-headless", "the program to measure")
	names := flag.String("s", "fan,clear,stuck,both,latency", "scenarios")
	reps := flag.Int("reps", 3, "rounds of each")
	flag.Parse()
	err := func() error {
		if *hub {
			return serveHub()
		}
		debug.SetGCPercent(400) // the generator should not be what is measured
		if err := moreFiles(); err != nil {
			return err
		}
		return lab(strings.Split(*names, ","), *homeroom, *reps)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "roomslab:", err)
		os.Exit(1)
	}
}

// lab runs the scenarios and prints medians.
func lab(names []string, homeroom string, reps int) error {
	failed := false
	fmt.Println("| scenario | server | CPU s a million | KiB a socket | p50 ms | p99 ms | lost |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- |")
	for _, name := range names {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return fmt.Errorf("no scenario %q", name)
		}
		s := scenarios[i]
		rounds := map[string][]figures{}
		for round := range reps {
			servers := []string{"gorilla hub", "Homeroom"}
			if round%2 == 1 {
				slices.Reverse(servers) // nobody is always first
			}
			for _, who := range servers {
				if who != "Homeroom" && s.mqtt > 0 {
					continue
				}
				f, err := measure(s, who, homeroom)
				if err != nil {
					fmt.Fprintf(os.Stderr, "%s %s: %v\n", s.name, who, err)
					failed = true
					continue
				}
				rounds[who] = append(rounds[who], f)
			}
		}
		for _, who := range []string{"gorilla hub", "Homeroom"} {
			if fs := rounds[who]; len(fs) > 0 {
				middle := func(of func(figures) float64) float64 {
					slices.SortFunc(fs, func(x, y figures) int { return cmp.Compare(of(x), of(y)) })
					return of(fs[len(fs)/2])
				}
				kib := "–" // too few to tell from what the program itself does
				if s.sockets >= 1000 {
					kib = fmt.Sprintf("%.0f", middle(func(f figures) float64 { return f.kib }))
				}
				fmt.Printf("| %s | %s | %.1f | %s | %.1f | %.1f | %.0f |\n", s.what, who, middle(func(f figures) float64 { return f.cpu }), kib,
					middle(func(f figures) float64 { return f.p50 }), middle(func(f figures) float64 { return f.p99 }), middle(func(f figures) float64 { return float64(f.lost) }))
			}
		}
	}
	if failed {
		return errors.New("some runs failed")
	}
	return nil
}

// measure puts s on a new server.
func measure(s scenario, who, homeroom string) (f figures, err error) {
	srv, err := start(who, homeroom)
	if err != nil {
		return f, err
	}
	defer srv.stop()
	pub, err := srv.publisher()
	if err != nil {
		return f, err
	}
	defer pub.close()
	if err := pub.publish(s.size); err != nil { // so that there is such a topic
		return f, err
	}
	time.Sleep(500 * time.Millisecond)
	before := srv.rss()
	var readers []*reader
	var mu sync.Mutex
	var wg sync.WaitGroup
	defer func() {
		for _, r := range readers {
			r.conn.Close()
		}
		wg.Wait()
	}()
	var failed error
	gate := make(chan struct{}, 32)
	for i := range s.sockets + s.mqtt {
		gate <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			var r *reader
			var err error
			if i < s.sockets {
				r, err = srv.socket()
			} else {
				r, err = srv.subscriber(i)
			}
			<-gate
			mu.Lock()
			if err != nil {
				failed = err
				mu.Unlock()
				return
			}
			readers = append(readers, r)
			stuck := i < s.stuck
			r.stuck = stuck
			mu.Unlock()
			if !stuck {
				r.run()
			}
		}()
	}
	for range cap(gate) {
		gate <- struct{}{}
	}
	if failed != nil {
		return f, failed
	}
	time.Sleep(time.Second)
	for _, r := range readers {
		r.begin()
	}
	cpu := srv.cpu()
	sent := 0
	began := time.Now()
	for time.Since(began) < s.length {
		if err := pub.publish(s.size); err != nil {
			return f, err
		}
		sent++
		time.Sleep(time.Until(began.Add(time.Duration(sent) * time.Second / time.Duration(s.rate))))
	}
	f.kib = float64(srv.rss()-before) / float64(s.sockets+s.mqtt)
	for range 100 { // the last ones are on their way
		if missing(readers, sent) == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	f.lost = missing(readers, sent)
	took := srv.cpu() - cpu
	f.cpu = took / float64(sent*(s.sockets+s.mqtt-s.stuck)-f.lost) * 1e6
	bySecond := map[int64][]float64{}
	for _, r := range readers {
		for second, ms := range r.latencies() {
			bySecond[second] = append(bySecond[second], ms...)
		}
	}
	if len(bySecond) == 0 {
		return f, errors.New("nothing arrived")
	}
	f.p50, f.p99 = usual(bySecond, 0.5), usual(bySecond, 0.99)
	return f, nil
}

// usual returns the median over the seconds of a part of each: somebody else on
// this machine spoils one second and not the figure.
func usual(bySecond map[int64][]float64, part float64) float64 {
	var all []float64
	for _, ms := range bySecond {
		slices.Sort(ms)
		all = append(all, ms[int(math.Ceil(float64(len(ms))*part))-1])
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func missing(readers []*reader, sent int) (n int) {
	for _, r := range readers {
		if !r.stuck {
			n += max(0, sent-r.count())
		}
	}
	return n
}

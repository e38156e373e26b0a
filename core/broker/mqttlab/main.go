//go:build linux

// Mqttlab measures MQTT brokers side by side on this machine: for each
// scenario it starts each broker in turn on a free port of 127.0.0.1, puts a
// bounded load on it and prints what it cost, as a table of medians and of
// ratios of the same round.
//
//	mqttlab -s q0,q1,fan100 -reps 3
//	mqttlab -flood 127.0.0.1:1883 -user kit-1 -rate 5000 -topics 2000 -for 20s
//
// CPU seconds of the broker per million deliveries stand on a noisy machine;
// rates do not: this generator shares the machine.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// figures is what one run of a scenario measured, by name.
type figures map[string]float64

// run is one scenario against one broker, once.
type run struct {
	Scenario string  `json:"scenario"`
	Broker   string  `json:"broker"`
	Round    int     `json:"round"`
	Figures  figures `json:"figures"`
	Error    string  `json:"error,omitempty"`
}

func main() {
	debug.SetGCPercent(400) // the generator should not be what is measured
	names := flag.String("s", strings.Join(scenarioNames(), ","), "scenarios")
	reps := flag.Int("reps", 1, "rounds of each scenario")
	limit := flag.Duration("t", 2*time.Minute, "limit of one run")
	out := flag.String("o", "", "file to write one JSON line a run to")
	homeroom := flag.String("homeroom", "build/homeroom-headless", "the program to measure")
	mosquitto := flag.String("mosquitto", "mosquitto", "the broker to compare with")
	var f flood
	flag.StringVar(&f.addr, "flood", "", "instead of all that, publish to the broker at this address of 127.0.0.1")
	flag.StringVar(&f.user, "user", "", "account that floods; its password is read from standard input")
	flag.StringVar(&f.prefix, "prefix", "flood", "first levels of the flooded topics")
	flag.IntVar(&f.rate, "rate", 5000, "messages a second of the flood")
	flag.IntVar(&f.topics, "topics", 2000, "topics of the flood")
	flag.DurationVar(&f.length, "for", 20*time.Second, "length of the flood")
	flag.Parse()

	err := func() error {
		if f.addr != "" {
			return f.run(os.Stdin)
		}
		return lab(strings.Split(*names, ","), []broker{mosquittoAt(*mosquitto), homeroomAt(*homeroom)}, *reps, *limit, *out)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mqttlab:", err)
		os.Exit(1)
	}
}

// lab runs every scenario on every broker and prints the table. The first
// broker is the one that the others are compared with.
func lab(names []string, brokers []broker, rounds int, limit time.Duration, out string) error {
	log := io.Discard
	if out != "" {
		f, err := os.Create(out)
		if err != nil {
			return err
		}
		defer f.Close()
		log = f
	}
	if err := moreFiles(); err != nil {
		return err
	}
	var runs []run
	for _, name := range names {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return fmt.Errorf("no scenario %q; there are %s", name, strings.Join(scenarioNames(), ", "))
		}
		for round := range rounds {
			for k := range brokers {
				b := brokers[(k+round)%len(brokers)] // nobody is always first
				r := measure(scenarios[i], b, limit)
				r.Round = round
				runs = append(runs, r)
				line, err := json.Marshal(r)
				if err != nil {
					return err
				}
				fmt.Fprintf(log, "%s\n", line)
				fmt.Fprintf(os.Stderr, "%s %s %s\n", r.Scenario, r.Broker, cmp.Or(r.Error, "done"))
			}
		}
	}
	table(os.Stdout, runs, brokers)
	if slices.ContainsFunc(runs, func(r run) bool { return r.Error != "" }) {
		return errors.New("some runs failed; see the table")
	}
	return nil
}

// measure starts b, runs s on it for at most limit, and stops it.
func measure(s scenario, b broker, limit time.Duration) run {
	r := run{Scenario: s.name, Broker: b.name}
	srv, err := start(b)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	defer srv.stop()
	type result struct {
		figures figures
		err     error
	}
	done := make(chan result, 1)
	go func() {
		var res result
		defer func() {
			if e := recover(); e != nil {
				res.err = fmt.Errorf("%v", e)
			}
			done <- res
		}()
		res.figures = s.run(srv)
	}()
	select {
	case res := <-done:
		r.Figures = res.figures
		if res.err != nil {
			r.Error = res.err.Error()
		}
	case <-time.After(limit):
		r.Error = fmt.Sprintf("no end after %v", limit)
	}
	if !srv.alive() {
		r.Figures, r.Error = nil, "the broker died"
	}
	return r
}

// table prints the medians of each figure by broker (of what should never be,
// the worst), how the other brokers stand to the first (the median of the ratios
// within one round), and the goal of the last broker.
func table(w io.Writer, runs []run, brokers []broker) {
	fmt.Fprintf(w, "| scenario | figure | %s |", brokers[0].name)
	for _, b := range brokers[1:] {
		fmt.Fprintf(w, " %s | ratio |", b.name)
	}
	fmt.Fprintf(w, " goal | met |\n| --- | --- | ---: |%s ---: | --- |\n", strings.Repeat(" ---: | ---: |", len(brokers)-1))
	for _, s := range scenarios {
		of := map[string]map[int]figures{} // by broker and round
		for _, r := range runs {
			if r.Scenario != s.name {
				continue
			}
			if r.Error != "" {
				fmt.Fprintf(w, "| %s | **%s: %s** |\n", s.name, r.Broker, r.Error)
				continue
			}
			if of[r.Broker] == nil {
				of[r.Broker] = map[int]figures{}
			}
			of[r.Broker][r.Round] = r.Figures
		}
		if len(of) == 0 {
			continue
		}
		for _, f := range s.show {
			middle := median
			if f.goal.kind == never {
				middle = worst
			}
			reference := of[brokers[0].name]
			fmt.Fprintf(w, "| %s | %s | %s |", s.name, f.name, number(middle(values(reference, f.name))))
			var value, times float64
			for _, b := range brokers[1:] {
				value, times = middle(values(of[b.name], f.name)), median(ratios(of[b.name], reference, f.name))
				fmt.Fprintf(w, " %s | %s |", number(value), ratio(times))
			}
			met := ""
			if f.goal != (goal{}) {
				met = "**no**"
				if f.goal.met(value, times) {
					met = "yes"
				}
			}
			fmt.Fprintf(w, " %s | %s |\n", f.goal, met)
		}
	}
}

func values(rounds map[int]figures, figure string) (vs []float64) {
	for _, f := range rounds {
		vs = append(vs, f[figure])
	}
	return vs
}

// ratios returns a/b for each round in which both are known and b is not 0.
func ratios(a, b map[int]figures, figure string) (rs []float64) {
	for round, f := range a {
		if d := b[round][figure]; d != 0 {
			rs = append(rs, f[figure]/d)
		}
	}
	return rs
}

// median returns the middle value, or NaN of none.
func median(vs []float64) float64 {
	if len(vs) == 0 {
		return math.NaN()
	}
	slices.Sort(vs)
	if n := len(vs); n%2 == 0 {
		return (vs[n/2-1] + vs[n/2]) / 2
	}
	return vs[len(vs)/2]
}

// worst returns the largest value, or NaN of none.
func worst(vs []float64) float64 {
	if len(vs) == 0 {
		return math.NaN()
	}
	return slices.Max(vs)
}

func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case v >= 1000 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func ratio(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.2f", v)
}

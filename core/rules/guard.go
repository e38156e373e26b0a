package rules

import (
	"slices"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	floodActs    = 30 // acts of one rule that are too many …
	floodWithin  = 10 * time.Second
	bounces      = 60 // acts in a row that answer what follows from the act before
	bounceWithin = 2 * time.Second
	maxChain     = 64 // rules that are remembered to have led to a message
)

// guard stops a rule that goes round in circles.
type guard struct {
	paused core.Sentence // why it was stopped; Format is "" where it was not
	deeds  []deed        // the latest, oldest first, at most floodActs
	bounce int           // acts in a row that look like an answer to their own effect
}

// deed is an act that was done.
type deed struct {
	at       time.Time
	from, to topic.Name // what made it, or "", and what was set first
	value    string
}

// stop reports whether the rule must not do what it wants to, and keeps why.
// title names rules.
func (r *run) stop(a *attempt, title func(topic.ID) string) bool {
	now := r.clock.now
	if i := slices.Index(a.chain, r.rule.ID); i >= 0 {
		names := make([]string, 0, len(a.chain)+1)
		for _, id := range append(slices.Clip(a.chain[i:]), r.rule.ID) {
			names = append(names, title(id))
		}
		r.paused = core.Say("Going round in circles: {loop}. Each makes the next one act. Change one of these rules so that it leaves alone what the other sets, then let {rule} go on.",
			"loop", strings.Join(names, " → "), "rule", r.rule.Title())
		return true
	}
	p := deed{at: now, from: a.cause.Topic, to: a.sends[0].Topic, value: string(a.sends[0].Payload)}
	n := len(r.deeds)
	if n == floodActs && now.Sub(r.deeds[0].at) < floodWithin {
		r.paused = core.Say("{rule} acted more than {n} times within {span}: {loop}. Give it a rest or a quiet time, or break the circle, then let it go on.",
			"rule", r.rule.Title(), "n", floodActs, "span", span(floodWithin), "loop", r.circle(p))
		return true
	}
	r.bounce++
	if a.cause.Topic == "" || n < 2 || r.deeds[n-1].from != p.from || a.cause.At.Sub(r.deeds[n-1].at) > bounceWithin || r.deeds[n-2].value != p.value {
		r.bounce = 0
	}
	if r.bounce >= bounces {
		r.paused = core.Say("These topics set each other off without end: {loop}. Something answers what {rule} sets, and {rule} answers back. Break the circle, then let it go on.",
			"loop", r.circle(p), "rule", r.rule.Title())
		return true
	}
	if n == floodActs {
		r.deeds = slices.Delete(r.deeds, 0, 1)
	}
	r.deeds = append(r.deeds, p)
	return false
}

// circle names the topics that take part, as far as they were seen.
func (r *run) circle(p deed) string {
	var names []string
	add := func(n topic.Name) {
		if n != "" && !slices.Contains(names, string(n)) {
			names = append(names, string(n))
		}
	}
	for _, old := range append(slices.Clip(r.deeds), p) {
		add(old.from)
		add(old.to)
	}
	if len(names) > 6 {
		names = append(names[:6], "…")
	}
	if p.from != "" {
		names = append(names, names[0])
	}
	return strings.Join(names, " → ")
}

// Loops returns the rules that can set each other off without end, each circle as
// the order in which they do, beginning with the first by ID. A command at /set
// is taken for a change of its topic, because the kit that obeys makes one.
func Loops(rules []*core.Rule) [][]topic.ID {
	readers := map[topic.Name][]int{}
	for i, r := range rules {
		if r.Disabled {
			continue
		}
		for _, n := range triggersOf(r) {
			readers[n] = append(readers[n], i)
		}
	}
	next := make([][]int, len(rules))
	for i, r := range rules {
		if r.Disabled {
			continue
		}
		for _, a := range r.Then {
			for _, j := range readers[commanded(a.Topic)] {
				if !slices.Contains(next[i], j) {
					next[i] = append(next[i], j)
				}
			}
		}
	}
	var loops [][]topic.ID
	told := make([]bool, len(rules))
	for i := range rules {
		if told[i] {
			continue
		}
		if way := back(next, i); way != nil {
			first := slices.Index(way, slices.Min(way))
			way = append(slices.Clone(way[first:]), way[:first]...)
			loop := make([]topic.ID, len(way))
			for k, j := range way {
				loop[k], told[j] = rules[j].ID, true
			}
			loops = append(loops, loop)
		}
	}
	return loops
}

// triggersOf returns the topics whose messages make r look.
func triggersOf(r *core.Rule) []topic.Name {
	var names []topic.Name
	for _, in := range r.Inputs {
		if len(r.When) == 0 || slices.ContainsFunc(r.When, func(t core.Trigger) bool { return t.Input == in.Name }) {
			if n := commanded(in.Topic); !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names
}

// back returns the shortest way from i to i, or nil.
func back(next [][]int, i int) []int {
	from := map[int]int{}
	queue := []int{i}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, j := range next[at] {
			if j == i {
				way := []int{at}
				for at != i {
					at = from[at]
					way = append(way, at)
				}
				slices.Reverse(way)
				return way
			}
			if _, seen := from[j]; !seen {
				from[j] = at
				queue = append(queue, j)
			}
		}
	}
	return nil
}

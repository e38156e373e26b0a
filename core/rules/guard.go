package rules

import (
	"slices"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	floodActs    = 200 // acts of one rule that are too many: no slider is that quick …
	floodWithin  = 10 * time.Second
	bounces      = 60 // acts in a row that may answer what follows from the act before
	bounceWithin = 2 * time.Second
	trusted      = 10 * bounces // that are let go by where something came without an act
	workWithin   = 10 * time.Second
	maxWork      = time.Second // that a rule may take to look, within workWithin
	maxChain     = 64          // rules that are remembered to have led to a message
)

// guard stops a rule that goes round in circles.
type guard struct {
	paused core.Sentence // why it was stopped; Format is "" where it was not
	deeds  []deed        // the latest, oldest first, at most floodActs
	bounce int           // acts in a row that look like an answer to their own effect
	// Whether they are, or something just blinks, only a try can tell: kept is an
	// act that is held back until tryAt. If nothing comes until then, it is done;
	// and if an answer comes to that, it is a circle.
	kept   *attempt
	tryAt  time.Time
	trying bool // kept was done, and until tryAt an answer to it may come

	worked   time.Duration // since workFrom
	workFrom time.Time
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
	if a == r.kept {
		r.kept, r.trying, r.tryAt = nil, true, now.Add(bounceWithin)
		r.deeds[len(r.deeds)-1].at = now
		return false
	}
	r.kept = nil // this one is newer
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
		r.bounce = min(r.bounce, 0)
	}
	if r.trying && now.Before(r.tryAt) && r.bounce > 0 {
		r.paused = core.Say("These topics set each other off without end: {loop}. Something answers what {rule} sets, and {rule} answers back. Break the circle, then let it go on.",
			"loop", r.circle(p), "rule", r.rule.Title())
		return true
	}
	r.trying = false
	if n == floodActs {
		r.deeds = slices.Delete(r.deeds, 0, 1)
	}
	r.deeds = append(r.deeds, p)
	if r.bounce >= bounces {
		r.kept, r.tryAt = a, now.Add(bounceWithin)
		return true
	}
	return false
}

// work notes how long the rule took to look, while all others waited.
func (r *run) work(took time.Duration) {
	if now := r.clock.now; now.Sub(r.workFrom).Abs() >= workWithin {
		r.worked, r.workFrom = 0, now
	}
	if r.worked += took; r.worked > maxWork && r.paused.Format == "" {
		r.paused = core.Say("{rule} takes so long to work out that other rules wait for it. Make its expressions shorter, or what it reads smaller, then let it go on.", "rule", r.rule.Title())
	}
}

// came hears that n made the rule look. Where it waits for an answer from there
// to an act that it holds back, this is none: nothing goes round.
func (g *guard) came(n topic.Name, now time.Time) {
	if g.kept != nil && g.deeds[len(g.deeds)-1].from == n {
		g.bounce, g.tryAt = -trusted, now
	}
}

// try returns the act that was held back until now, or nil.
func (g *guard) try(now time.Time) *attempt {
	if g.kept == nil || now.Before(g.tryAt) {
		return nil
	}
	for i := range g.kept.sends {
		g.kept.sends[i].At = now
	}
	return g.kept
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

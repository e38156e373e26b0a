package why

import (
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// What is kept of one topic. A person who presses a button or moves a slider
// never meets these bounds; a flood does.
var (
	changeRate = rate{each: time.Second, burst: 120}    // other values than before
	repeatRate = rate{each: 5 * time.Second, burst: 20} // the same value again
	lateRate   = rate{each: time.Second, burst: 50}     // deliveries long after the message
	refuseRate = rate{each: 10 * time.Second, burst: 10}
)

const (
	recent    = 16  // messages of a topic whose deliveries are expected
	maxFanout = 128 // deliveries that are kept of one message
)

// rate is one event each, after burst at once.
type rate struct {
	each  time.Duration
	burst int
}

// bucket counts the events of a rate. The zero bucket is full.
type bucket struct {
	used  int
	since time.Time // to here was counted
}

func (b *bucket) take(r rate, now time.Time) bool {
	switch passed := now.Sub(b.since); {
	case passed < 0: // the clock was set back
		b.since = now
	case passed >= r.each:
		n := passed / r.each
		b.used = max(0, b.used-int(min(n, time.Duration(r.burst))))
		b.since = b.since.Add(n * r.each)
		if b.used == 0 {
			b.since = now
		}
	}
	if b.used >= r.burst {
		return false
	}
	b.used++
	return true
}

// index is what of the design decides what is kept. It does not change; its
// tracks do, and go over to the next index.
type index struct {
	design *core.Design
	topics map[topic.Name]*track
	rules  map[topic.ID]*track
}

// track is what is remembered of one topic, or rule, that is followed.
type track struct {
	mu       sync.Mutex
	known    bool   // guarded by mu, as all below; digest is that of the newest value
	digest   uint64 // see digestOf
	changes  bucket
	repeats  bucket
	late     bucket
	refusals bucket
	// held is the newest change, where changes had no room for it: once the flood
	// is over it is the value that people ask about.
	held    *Message
	holding bool // it is in Service.holding
	kept    [recent]keptMessage
	next    int // in kept
	// waiting are deliveries of messages that are not in kept, perhaps not yet: a
	// ring of at most maxFanout.
	waiting []core.Delivery
	oldest  int // in waiting, once it is full
}

type keptMessage struct {
	n          uint64
	deliveries int
}

// newIndex returns the index of d with the tracks of old, which may be nil, and
// else those that newest knows the digest of.
func newIndex(d *core.Design, old *index, newest map[topic.Name]uint64) *index {
	x := &index{design: d, topics: map[topic.Name]*track{}, rules: map[topic.ID]*track{}}
	follow := func(n topic.Name) {
		if n == "" || x.topics[n] != nil {
			return
		}
		var t *track
		if old != nil {
			t = old.topics[n]
		}
		if t == nil {
			t = &track{}
			t.digest, t.known = newest[n]
		}
		x.topics[n] = t
	}
	if d == nil {
		return x
	}
	for _, t := range d.Topics {
		follow(t.Name)
		if t.Writable {
			follow(t.Name + "/set")
		}
	}
	for _, p := range d.Places {
		if p.Kind == core.KitPlace {
			follow(p.Name + "/$state")
		}
		for _, port := range p.Ports {
			out, in := namesOf(d, p, port)
			follow(out)
			follow(in)
		}
	}
	for _, r := range d.Rules {
		for _, in := range r.Inputs {
			follow(in.Topic)
		}
		for _, a := range r.Then {
			follow(a.Topic)
			if t := d.Topic(a.Topic); t != nil && t.Writable {
				follow(a.Topic + "/set")
			}
		}
		t := &track{}
		if old != nil && old.rules[r.ID] != nil {
			t = old.rules[r.ID]
		}
		x.rules[r.ID] = t
	}
	return x
}

// namesOf returns what p publishes and reads for a port.
func namesOf(d *core.Design, p *core.Place, port core.Port) (publish, subscribe topic.Name) {
	t := core.Topic{Name: port.Topic}
	if designed := d.Topic(port.Topic); designed != nil {
		t = *designed
	}
	return p.Names(port, t)
}

// reads returns the topics that p reads by its ports.
func reads(d *core.Design, p *core.Place) (all []topic.Name) {
	for _, port := range p.Ports {
		if _, in := namesOf(d, p, port); in != "" && !slices.Contains(all, in) {
			all = append(all, in)
		}
	}
	return all
}

// port returns the port by which p publishes n, or nil.
func portOf(d *core.Design, p *core.Place, n topic.Name) *core.Port {
	for i := range p.Ports {
		if out, _ := namesOf(d, p, p.Ports[i]); out == n {
			return &p.Ports[i]
		}
	}
	return nil
}

// formerly returns n and the names that it had, as far as they still answer:
// what was kept under those is its past.
func formerly(d *core.Design, n topic.Name) []topic.Name {
	all := []topic.Name{n}
	if d == nil {
		return all
	}
	for _, r := range slices.Backward(d.Renamed) {
		for _, now := range slices.Clone(all) {
			if !core.Within(now, r.New) {
				continue
			}
			if old := r.Old + now[len(r.New):]; !slices.Contains(all, old) && len(all) < maxDepth {
				all = append(all, old)
			}
		}
	}
	return all
}

// presently returns what n is called now.
func presently(d *core.Design, n topic.Name) topic.Name {
	for _, r := range d.Renamed {
		if core.Within(n, r.Old) {
			n = r.New + n[len(r.Old):]
		}
	}
	return n
}

// digestOf tells payloads apart. That two have the same is possible on purpose
// only, and hides no more than a line of this record.
func digestOf(payload []byte) uint64 {
	return uint64(len(payload))<<32 | uint64(crc32.Checksum(payload, castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// commandOf returns the topic that n is a wish for.
func commandOf(n topic.Name) (topic.Name, bool) {
	of, ok := strings.CutSuffix(string(n), "/set")
	return topic.Name(of), ok && of != ""
}

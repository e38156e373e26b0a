package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// run runs the service until the test ends.
func (c *class) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestRefusalsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		stop := c.run(t)
		no := func(topic string) {
			c.Refuse(core.Refusal{Account: c.kit1, Name: "kit-1", Client: "esp", Addr: "10.0.0.5:99", Say: core.Say("no {topic}", "topic", topic)})
		}
		for range 3 {
			no("a")
			time.Sleep(10 * time.Millisecond)
		}
		no("b")
		check := func(when string, a, b int) {
			t.Helper()
			rs := c.Refusals(10)
			if len(rs) != 2 || rs[0].Say.String() != "no b" || rs[0].Count != b || rs[1].Count != a || rs[0].Addr != "10.0.0.5" {
				t.Errorf("%s: %+v", when, rs)
			}
		}
		check("in memory", 3, 1)
		time.Sleep(flushEvery)
		synctest.Wait()
		if len(c.store.refusals) != 2 || len(c.refused.pending) != 0 {
			t.Fatalf("%d in the store, %d pending", len(c.store.refusals), len(c.refused.pending))
		}
		check("in the store", 3, 1)
		no("a")
		time.Sleep(time.Millisecond)
		no("b")
		check("in both", 4, 2)
		stop() // writes the rest
		if len(c.refused.pending) != 0 {
			t.Error("lost at the end")
		}
		check("at the end", 4, 2)
		if rs := c.Refusals(1); len(rs) != 1 || rs[0].Say.String() != "no b" {
			t.Errorf("the newest: %+v", rs)
		}
	})
}

// TestRefuseNeverWaits holds the disk and refuses all the same.
func TestRefuseNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		c.store.hold = make(chan struct{})
		stop := c.run(t)
		c.Refuse(core.Refusal{Say: core.Say("first")})
		time.Sleep(2 * flushEvery)
		synctest.Wait() // Run waits for the disk
		for i := range 100 {
			c.Refuse(core.Refusal{Name: fmt.Sprint(i), Addr: fmt.Sprint(i), Say: core.Say("no")})
		}
		if _, err := c.Authorize(c.kit1, core.Publish, "blue/x"); err != nil {
			t.Error(err)
		}
		close(c.store.hold)
		stop()
		if n := len(c.store.refusals); n != 101 {
			t.Errorf("%d kept", n)
		}
	})
}

// TestRefusalsOnTheirWay: while it goes to the disk a refusal is in neither
// place, and still is read once.
func TestRefusalsOnTheirWay(t *testing.T) {
	c := newClass(t)
	c.store.hold = make(chan struct{})
	c.Refuse(core.Refusal{Say: core.Say("no")})
	done, read := make(chan error), make(chan []core.Refusal)
	go func() { done <- c.flush(context.Background()) }()
	c.store.hold <- struct{}{} // it is there now, and holds
	go func() { read <- c.Refusals(10) }()
	time.Sleep(10 * time.Millisecond) // for the reader to look too early
	c.store.hold <- struct{}{}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if rs := <-read; len(rs) != 1 || rs[0].Count != 1 {
		t.Errorf("read %+v", rs)
	}
}

func TestRefusalsSurviveABrokenDisk(t *testing.T) {
	c := newClass(t)
	c.store.broken = errors.New("disk full")
	c.Refuse(core.Refusal{Say: core.Say("no")})
	if err := c.flush(t.Context()); !errors.Is(err, c.store.broken) {
		t.Fatal(err)
	}
	c.Refuse(core.Refusal{Say: core.Say("no")})
	c.store.broken = nil
	if err := c.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rs := c.Refusals(5); len(rs) != 1 || rs[0].Count != 2 {
		t.Errorf("%+v", rs)
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(t)
		for i := range 5000 { // one source
			c.Refuse(core.Refusal{Name: fmt.Sprint(i), Addr: "10.0.0.5", Say: core.Say("no")})
		}
		rs := c.Refusals(10_000)
		if len(rs) != bucketSize+1 {
			t.Errorf("%d refusals of one source", len(rs))
		}
		total, told := 0, false
		for _, r := range rs {
			total += r.Count
			told = told || strings.HasPrefix(r.Say.String(), "More was refused to 10.0.0.5 than")
		}
		if total != 5000 || !told {
			t.Errorf("%d counted, told %v", total, told)
		}
		for i := range 5000 { // many sources
			c.Refuse(core.Refusal{Name: fmt.Sprint(i), Addr: fmt.Sprint(i), Say: core.Say("no")})
		}
		if n := len(c.refused.pending); n != maxPending {
			t.Errorf("%d pending", n)
		}
	})
}

func TestRefusalIsTidied(t *testing.T) {
	c := newClass(t)
	long := strings.Repeat("x", 1000) + "\x00\xff"
	c.Refuse(core.Refusal{Name: long, Client: "a\nb", Addr: "[::1%lo]:9", Say: core.Say("{topic}", "topic", long, "n", 7)})
	r := c.Refusals(1)[0]
	if len(r.Name) > 64 || r.Client != "a b" || r.Addr != "::1" || len(r.Say.String()) > 256 || r.Count != 1 || r.At.IsZero() {
		t.Errorf("%+v", r)
	}
}

// TestMissingGrant: a refusal keeps the grant that would have helped, and only that.
func TestMissingGrant(t *testing.T) {
	c := newClass(t)
	off, _ := c.add1(t, core.Account{Name: "off", Role: core.Kit, Disabled: true}, "")
	long := topic.Filter(strings.Repeat("x/", 20) + strings.Repeat("y", 900))
	for i, tt := range []struct {
		id     core.AccountID
		a      core.Action
		f      topic.Filter
		lacked bool
	}{
		{c.kit1, core.Publish, "red/lamp/set", true},
		{c.kit1, core.Subscribe, "red/#", true},
		{c.kit1, core.Subscribe, "$SYS/#", true},
		{c.kit1, core.Publish, long, true},         // half a topic would be another grant
		{c.kit1, core.Publish, "blue/lamp", false}, // that was not the reason
		{c.kit1, core.Publish, "red/#", false},
		{c.kit1, core.Publish, "$SYS/x", false},
		{c.kit1, core.Publish, "", false},
		{c.kit1, core.Publish, "a\x00", false},
		{c.kit1, core.Subscribe, "$share/g/red/#", false},
		{c.kit1, "", "red/x", false},
		{c.kit1, "connect", "red/x", false},
		{off, core.Publish, "red/x", false},
		{0, core.Publish, "red/x", false},
		{core.Anyone, core.Publish, "$SYS/x", false},
		{999, core.Publish, "red/x", false},
	} {
		c.Refuse(core.Refusal{Account: tt.id, Action: tt.a, Topic: tt.f, Say: core.Say("no {n}", "n", i)})
		for _, where := range []string{"in memory", "in the store"} {
			r := c.Refusals(1)[0]
			if kept := r.Action == tt.a && r.Topic == tt.f; kept != tt.lacked && tt.a != "" || !kept && (r.Action != "" || r.Topic != "") {
				t.Errorf("%d %s %.20q %s: %q %.20q", tt.id, tt.a, tt.f, where, r.Action, r.Topic)
			}
			if err := c.flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		clear(c.store.refusals)
	}
	// They do not tell refusals apart.
	for _, f := range []topic.Filter{"", "red/x", "red/x"} {
		c.Refuse(core.Refusal{Account: c.kit1, Action: core.Publish, Topic: f, Say: core.Say("no")})
		if err := c.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if rs := c.Refusals(10); len(rs) != 1 || rs[0].Count != 3 || rs[0].Topic != "red/x" {
		t.Errorf("%+v", rs)
	}
}

func TestRefusalsOf(t *testing.T) {
	c := newClass(t)
	refuse := func(id core.AccountID, name string) {
		c.Refuse(core.Refusal{Account: id, Name: name, Addr: name, Say: core.Say("{name}", "name", name)})
	}
	refuse(c.zoe, "zoe")
	refuse(0, "zoe") // somebody tried her name
	refuse(c.kit1, "kit-1")
	if err := c.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	refuse(c.kit2, "kit-2")
	refuse(0, "kit-1")
	refuse(0, "stranger")
	for id, want := range map[core.AccountID]int{c.zoe: 4, c.kit1: 2, c.kit2: 1, c.stray: 0, c.teacher: 0, 0: 0, 999: 0} {
		if rs := c.RefusalsOf(id, 10); len(rs) != want {
			t.Errorf("%d reads %+v, want %d", id, rs, want)
		}
	}
	if n := len(c.Refusals(10)); n != 6 {
		t.Errorf("the teacher reads %d", n)
	}
	if n := len(c.RefusalsOf(c.zoe, 2)); n != 2 {
		t.Errorf("limit 2 gives %d", n)
	}
}

func BenchmarkRefuse(b *testing.B) {
	c := newClass(b)
	b.ReportAllocs()
	for b.Loop() {
		_, err := c.Authorize(c.kit1, core.Publish, "red/lamp/set")
		var p *core.Problem
		errors.As(err, &p)
		c.Refuse(core.Refusal{Account: c.kit1, Name: "kit-1", Client: "esp", Addr: "10.0.0.5:99", Say: p.Sentence})
	}
}

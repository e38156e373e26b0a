package storage

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/core/why"
)

var _ why.Store = (*DB)(nil)

func whyMessage(id int64, n topic.Name, at time.Time) why.Message {
	return why.Message{ID: id, Topic: n, At: at, Account: 7, Client: "kit-1", Value: fmt.Sprint("v", id), Digest: 1<<63 + uint64(id), Changed: id%2 == 1}
}

func TestWhyRoundTrip(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	at := time.UnixMicro(1_750_000_000_123_456)
	a, b := whyMessage(1, "blue/a", at), whyMessage(1<<40, "blue/b", at.Add(-time.Hour))
	b.Will, b.Account = true, core.Anyone
	f := why.Firing{Mark: 5, At: at, Rule: "choice", Cause: 1, Why: core.Sentence{Format: "{x}", Args: []any{"x", "<b>"}}, Reads: []topic.Name{"blue/a"}, Sent: []why.Sent{{Topic: "blue/b", Digest: 1<<64 - 1, Value: "On"}}}
	r := why.Refusal{At: at, Topic: "blue/a", Account: 3, Client: "x", Say: core.Sentence{Format: "no", Args: []any{"a", "b"}}}
	d := why.Delivery{Message: 1, Client: "kit-2", Account: 2, At: at, Acked: true}
	late := why.Delivery{Message: 2, Client: "kit-2", At: at} // of a message that nobody kept
	if err := db.WriteWhy(t.Context(), why.Batch{Messages: []why.Message{a, b}, Deliveries: []why.Delivery{d, d, late}, Firings: []why.Firing{f}, Refusals: []why.Refusal{r}}); err != nil {
		t.Fatal(err)
	}
	again := a
	again.Value, again.Changed = "other", true // it is there already
	if err := db.WriteWhy(t.Context(), why.Batch{Messages: []why.Message{again}, Deliveries: []why.Delivery{{Message: 1, Client: "kit-1", At: at.Add(time.Second)}}}); err != nil {
		t.Fatal(err)
	}

	same := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", what, err, got, want)
		}
	}
	for what, c := range map[string]struct {
		q    why.Query
		want []why.Message
	}{
		"by ID":      {why.Query{ID: 1, Limit: 9}, []why.Message{a}},
		"all":        {why.Query{Limit: 9}, []why.Message{b, a}},
		"oldest":     {why.Query{Oldest: true, Limit: 1}, []why.Message{a}},
		"topics":     {why.Query{Topics: []topic.Name{"blue/b", "nowhere"}, Limit: 9}, []why.Message{b}},
		"no topic":   {why.Query{Topics: []topic.Name{"nowhere"}, Limit: 9}, nil},
		"between":    {why.Query{After: 1, Before: 1 << 40, Limit: 9}, nil},
		"time":       {why.Query{From: at, To: at, Limit: 9}, []why.Message{a}},
		"until then": {why.Query{To: at.Add(-time.Microsecond), Limit: 9}, []why.Message{b}},
		"changed":    {why.Query{Changed: true, Limit: 9}, []why.Message{a}},
	} {
		got, err := db.WhyMessages(t.Context(), c.q)
		same(what, got, c.want, err)
	}
	ds, err := db.WhyDeliveries(t.Context(), []int64{1, 2}, "", 9)
	same("deliveries", ds, []why.Delivery{d, {Message: 1, Client: "kit-1", At: at.Add(time.Second)}}, err)
	ds, err = db.WhyDeliveries(t.Context(), []int64{1, 2}, "kit-2", 9)
	same("deliveries to one", ds, []why.Delivery{d}, err)
	ds, err = db.WhyDeliveries(t.Context(), nil, "", 9)
	same("deliveries of nothing", ds, []why.Delivery(nil), err)
	for _, q := range []why.Firings{{Cause: 1}, {Rule: "choice", Near: 1}, {Rule: "choice", Near: 900}} {
		fs, err := db.WhyFirings(t.Context(), q, 9)
		same("firings", fs, []why.Firing{f}, err)
	}
	fs, err := db.WhyFirings(t.Context(), why.Firings{Rule: "other", Near: 1}, 9)
	same("firings of another", fs, []why.Firing(nil), err)
	rs, err := db.WhyRefusals(t.Context(), []topic.Name{"blue/a"}, at, time.Time{}, 9)
	same("refusals", rs, []why.Refusal{r}, err)
	rs, err = db.WhyRefusals(t.Context(), []topic.Name{"blue/a"}, at.Add(1e6), at.Add(2e6), 9)
	same("refusals later", rs, []why.Refusal(nil), err)
	l, err := db.LoadWhy(t.Context())
	same("loaded", l, why.Loaded{Last: 1 << 40, Newest: map[topic.Name]uint64{"blue/a": a.Digest, "blue/b": b.Digest}}, err)
}

// TestWhyFiringsNear: the nearest come first, on both sides.
func TestWhyFiringsNear(t *testing.T) {
	db := open(t, t.TempDir())
	var batch why.Batch
	for _, mark := range []int64{1, 50, 90, 99, 101, 140, 200} {
		batch.Firings = append(batch.Firings, why.Firing{Mark: mark, At: time.UnixMicro(mark), Rule: "r"})
	}
	if err := db.WriteWhy(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	fs, err := db.WhyFirings(t.Context(), why.Firings{Rule: "r", Near: 100}, 4)
	var got []int64
	for _, f := range fs {
		got = append(got, f.Mark)
	}
	if want := []int64{99, 101, 90, 140}; err != nil || !reflect.DeepEqual(got, want) && !reflect.DeepEqual(got, []int64{101, 99, 90, 140}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestTrimWhy(t *testing.T) {
	db := open(t, t.TempDir())
	now := time.UnixMicro(1_750_000_000_000_000)
	var batch why.Batch
	for i := range int64(1000) { // a message a minute, most on one topic
		n := topic.Name("blue/often")
		if i%10 == 0 {
			n = "blue/seldom"
		}
		m := whyMessage(i+1, n, now.Add(time.Duration(i-1000)*time.Minute))
		m.Client = fmt.Sprint("client-", i)
		batch.Messages = append(batch.Messages, m)
		batch.Deliveries = append(batch.Deliveries, why.Delivery{Message: m.ID, Client: fmt.Sprint("to-", i), At: m.At})
		batch.Firings = append(batch.Firings, why.Firing{Mark: m.ID, At: m.At, Rule: "r"})
		batch.Refusals = append(batch.Refusals, why.Refusal{At: m.At, Topic: n})
	}
	batch.Firings[1].Cause = 2
	if err := db.WriteWhy(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	rows := func(query string) (n int) {
		t.Helper()
		if err := db.history.read.QueryRowContext(t.Context(), "SELECT count(*) FROM "+query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct {
		what string
		trim why.Trim
		want [5]int // messages, of them seldom, deliveries, firings, names
	}{
		{"nothing is too old or too much", why.Trim{Before: now.Add(-2000 * time.Minute), PerTopic: 1000, Messages: 1000, Deliveries: 1000, Others: 1000}, [5]int{1000, 100, 1000, 1000, 2003}},
		{"one topic has too many, but for a cause", why.Trim{Before: now.Add(-2000 * time.Minute), PerTopic: 500, Messages: 1000, Deliveries: 1000, Others: 1000}, [5]int{601, 100, 601, 1000, 2003}},
		{"too many deliveries and firings", why.Trim{Before: now.Add(-2000 * time.Minute), PerTopic: 500, Messages: 1000, Deliveries: 300, Others: 200}, [5]int{601, 100, 300, 200, 2003}},
		{"too old", why.Trim{Before: now.Add(-100 * time.Minute), PerTopic: 500, Messages: 1000, Deliveries: 300, Others: 200, Names: true}, [5]int{100, 10, 100, 100, 203}},
		{"too many", why.Trim{Before: now.Add(-100 * time.Minute), PerTopic: 500, Messages: 20, Deliveries: 300, Others: 200}, [5]int{20, 2, 20, 100, 203}},
		{"all is too old", why.Trim{Before: now, PerTopic: 500, Messages: 20, Deliveries: 300, Others: 200, Names: true}, [5]int{0, 0, 0, 0, 0}},
	} {
		for more := true; more; {
			var err error
			if more, err = db.TrimWhy(t.Context(), c.trim); err != nil {
				t.Fatal(err)
			}
		}
		got := [5]int{rows("why_message"), rows("why_message WHERE topic = (SELECT id FROM why_name WHERE name = 'blue/seldom')"), rows("why_delivery"), rows("why_firing"), rows("why_name")}
		if got != c.want {
			t.Errorf("%s: left %v, want %v", c.what, got, c.want)
		}
	}
	// Names that went are made again.
	if err := db.WriteWhy(t.Context(), why.Batch{Messages: []why.Message{whyMessage(5000, "blue/often", now)}}); err != nil {
		t.Fatal(err)
	}
	if ms, err := db.WhyMessages(t.Context(), why.Query{Topics: []topic.Name{"blue/often"}, Limit: 9}); err != nil || len(ms) != 1 {
		t.Errorf("%+v %v", ms, err)
	}
}

// TestTrimWhyAtOnce removes much in steps.
func TestTrimWhyAtOnce(t *testing.T) {
	db := open(t, t.TempDir())
	var batch why.Batch
	for i := range int64(2*trimWhy + 100) {
		m := whyMessage(i+1, "a", time.UnixMicro(i))
		batch.Messages = append(batch.Messages, m)
		for c := range 2 {
			batch.Deliveries = append(batch.Deliveries, why.Delivery{Message: m.ID, Client: fmt.Sprint(c), At: m.At})
		}
	}
	if err := db.WriteWhy(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	steps := 0
	for more := true; more; steps++ {
		var err error
		if more, err = db.TrimWhy(t.Context(), why.Trim{PerTopic: 1 << 20, Messages: 1 << 20, Deliveries: 100, Others: 1}); err != nil {
			t.Fatal(err)
		}
	}
	var n int
	if err := db.history.read.QueryRowContext(t.Context(), "SELECT count(*) FROM why_delivery").Scan(&n); err != nil || n > 102 || n < 98 || steps < 4 {
		t.Errorf("%d deliveries left after %d steps, %v", n, steps, err)
	}
}

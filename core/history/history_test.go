package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

var morning = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func message(name, payload string, at time.Time) core.Message {
	return core.Message{Topic: topic.Name(name), Payload: []byte(payload), At: at}
}

func TestRecordMakesSeries(t *testing.T) {
	h := openWith(t, &memory{})
	cleared := message("blue/led", "", morning)
	cleared.Retain = true
	for _, m := range []core.Message{
		message("blue/air", "21.5", morning),
		message("blue/json", `{"t":{"out":1},"ok":true}`, morning),
		message("blue/broken", `{"t":`, morning),
		message("$SYS/uptime", "7", morning),
		message("blue/button", "", morning),
		cleared,
	} {
		h.Record(m)
	}
	rows, now := h.Live(0)
	got := map[core.Series]core.Kind{}
	for _, r := range rows {
		got[r.Series] = r.Newest.Kind
	}
	want := map[core.Series]core.Kind{"blue/air": core.Number, "blue/json#t.out": core.Number, "blue/json#ok": core.Boolean,
		"blue/broken": core.Text, "blue/button": core.Text}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("series %v, want %v", got, want)
	}
	if topics, _ := h.Topics(0); len(topics) != 5 || topics[0].Last.Topic != "blue/led" || topics[0].Count != 1 {
		t.Errorf("topics = %+v", topics)
	}
	if rows, _ := h.Live(now); len(rows) != 0 {
		t.Errorf("nothing happened, but %v changed", rows)
	}
	h.Record(message("blue/air", "22", morning.Add(time.Second)))
	rows, next := h.Live(now)
	if len(rows) != 1 || rows[0].Series != "blue/air" || rows[0].Newest.Value != 22 || len(rows[0].Spark) != 2 || next <= now {
		t.Errorf("changed: %+v at %d", rows, next)
	}
	if topics, _ := h.Topics(now); len(topics) != 1 || topics[0].Count != 2 {
		t.Errorf("changed: %+v", topics)
	}
}

func TestSparkIsOneASecond(t *testing.T) {
	h := openWith(t, &memory{})
	for i := range 1000 {
		h.Record(message("a", fmt.Sprint(i), morning.Add(time.Duration(i)*100*time.Millisecond)))
	}
	rows, _ := h.Live(0)
	s := rows[0].Spark
	if len(s) != 60 || s[59].Value != 999 || s[58].Value != 989 || s[0].Value != 409 {
		t.Errorf("%d values, %v … %v", len(s), s[0], s[len(s)-1])
	}
}

// TestRecordNeverWaitsForTheDisk holds the disk for as long as it records.
func TestRecordNeverWaitsForTheDisk(t *testing.T) {
	m := &memory{hold: make(chan struct{}), keeps: true}
	h := openWith(t, m)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	const n = 400_000 // more than fill the memory that waits for the disk
	words := strings.Repeat("words ", 150)
	for i := range n {
		h.Record(message(fmt.Sprintf("t/%d", i%100), []string{"3.141592653589793e-8", words, "2.718281828459045e-8"}[i%3], morning.Add(time.Duration(i)*time.Millisecond)))
		if i == 1000 {
			go func() { _ = h.Flush(ctx) }()
		}
	}
	if rows, _ := h.Live(0); len(rows) != 100 {
		t.Errorf("%d series are live", len(rows))
	}
	if ms, _, _ := h.Messages(0, 10_000); len(ms) != ringMessages {
		t.Errorf("%d messages are in the ring", len(ms))
	}
	if tr, err := h.Trace(ctx, "t/0", morning, morning.Add(10_000*time.Millisecond), 1000); err != nil || len(tr.Spans)+len(tr.Texts) == 0 {
		t.Errorf("a trace while the disk is held: %+v, %v", tr, err)
	}
	dropped := h.Dropped()
	if dropped == 0 {
		t.Error("the memory that waits for the disk is not bounded")
	}
	close(m.hold)
	stop()
	wg.Wait()
	if err := h.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept := uint64(len(m.texts))
	for _, c := range m.chunks {
		kept += uint64(c.N)
	}
	if kept+dropped != n {
		t.Errorf("%d are kept and %d dropped of %d", kept, dropped, n)
	}
}

func TestRunWritesEveryFewSecondsAndWhenItStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{keeps: true}
		h := openWith(t, m)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		stored := func() (n int) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, c := range m.chunks {
				n += c.N
			}
			return n + len(m.texts)
		}
		for i := range 10 {
			h.Record(core.Message{Topic: "a", Payload: []byte("1")})
			h.Record(core.Message{Topic: "b", Payload: []byte("x")})
			time.Sleep(flushEvery)
			synctest.Wait()
			if n := stored(); n != 2*(i+1) {
				t.Fatalf("after flush %d there are %d readings", i, n)
			}
		}
		if len(m.chunks) != 1 {
			t.Errorf("an open chunk is not rewritten in place: %d chunks", len(m.chunks))
		}
		before := m.writes
		time.Sleep(time.Minute)
		if m.writes != before {
			t.Error("it writes when nothing was recorded")
		}
		h.Record(core.Message{Topic: "a", Payload: []byte("1")})
		stop()
		if err := <-done; err != nil || stored() != 21 {
			t.Errorf("after it stopped there are %d readings, %v", stored(), err)
		}
	})
}

func TestFullDiskIsToldOnceAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{keeps: true, err: errors.New("disk full")}
		var log bytes.Buffer
		h, err := Open(t.Context(), Config{Store: m, Feed: &core.Feed{}, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		for range 1000 {
			h.Record(core.Message{Topic: "a", Payload: []byte("1")})
			h.Record(core.Message{Topic: "b", Payload: []byte("x")})
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := strings.Count(log.String(), "disk full"); n != 1 {
			t.Errorf("told %d times:\n%s", n, log.String())
		}
		m.mu.Lock()
		m.err = nil
		m.mu.Unlock()
		time.Sleep(flushEvery)
		synctest.Wait()
		n := len(m.texts)
		rolled := 0
		for _, c := range m.chunks {
			n += c.N
			if c.Rolled < Unrolled {
				rolled += c.N
			}
		}
		for k, sum := range m.rollups {
			if k.level == len(Levels)-1 {
				rolled -= sum.N
			}
		}
		if n != 2000 || rolled != 0 || h.Dropped() != 0 {
			t.Errorf("%d readings of 2000 are there, roll-ups differ by %d, %d dropped", n, rolled, h.Dropped())
		}
		if !strings.Contains(log.String(), "written again") {
			t.Errorf("log:\n%s", log.String())
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestMessages(t *testing.T) {
	h := openWith(t, &memory{})
	if ms, next, lost := h.Messages(0, 10); len(ms) != 0 || next != 0 || lost != 0 {
		t.Errorf("empty: %v %d %d", ms, next, lost)
	}
	for i := range 10_000 {
		h.Record(message("a", fmt.Sprint(i), morning))
	}
	ms, next, lost := h.Messages(0, 100)
	if len(ms) != 100 || lost != 0 || string(ms[0].Payload) != fmt.Sprint(10_000-ringMessages) {
		t.Errorf("first look: %d messages from %s, %d lost", len(ms), ms[0].Payload, lost)
	}
	ms, next, _ = h.Messages(next, 100_000)
	if len(ms) != ringMessages-100 || string(ms[len(ms)-1].Payload) != "9999" {
		t.Errorf("second look: %d messages to %s", len(ms), ms[len(ms)-1].Payload)
	}
	for i := range ringMessages + 50 {
		h.Record(message("a", fmt.Sprint(i), morning))
	}
	if ms, _, lost := h.Messages(next, 10); lost != 50 || string(ms[0].Payload) != "50" {
		t.Errorf("third look: from %s, %d lost", ms[0].Payload, lost)
	}
	if ms, next, lost := h.Messages(1<<60, 10); len(ms) != 0 || next > 1<<20 || lost != 0 {
		t.Errorf("a position from nowhere: %d messages, next %d, %d lost", len(ms), next, lost)
	}
}

func TestWhatIsInMemoryIsBounded(t *testing.T) {
	h := openWith(t, &memory{})
	large := strings.Repeat("x", 1<<20)
	for i := range 3000 {
		h.Record(message(fmt.Sprintf("large/%d", i), large, morning))
	}
	huge := strings.Repeat("y", 3<<20)
	h.Record(message("huge", huge, morning))
	ms, _, _ := h.Messages(0, 10_000)
	n := 0
	for _, m := range ms {
		n += len(m.Payload)
	}
	if n > ringBytes || n < ringBytes-2<<20 || len(ms[len(ms)-1].Payload) != maxPayload {
		t.Errorf("the ring holds %d bytes, the newest %d", n, len(ms[len(ms)-1].Payload))
	}
	rows, _ := h.Topics(0)
	n = 0
	for _, r := range rows {
		n += len(r.Last.Payload)
	}
	if n > maxTopics || n < maxTopics/2 || rows[0].Size != len(huge) || len(rows[0].Last.Payload) != maxPayload {
		t.Errorf("the topics hold %d bytes, the newest %d of %d", n, len(rows[0].Last.Payload), rows[0].Size)
	}
	for i := range maxSeries + 500 {
		h.Record(message(fmt.Sprintf("s/%d", i), "1", morning))
	}
	live, _ := h.Live(0)
	if len(live) != maxSeries || live[0].Series != core.Series(fmt.Sprintf("s/%d", maxSeries+499)) {
		t.Errorf("%d series are live, the newest %s", len(live), live[0].Series)
	}
	h.Record(message("s/0", "2", morning)) // had to go, and is back
	if live, _ := h.Live(0); live[0].Series != "s/0" || len(live) != maxSeries {
		t.Errorf("the newest of %d is %s", len(live), live[0].Series)
	}
}

func TestPublishersMayOvertake(t *testing.T) {
	m := &memory{keeps: true}
	h := openWith(t, m)
	for i := range 100 {
		h.Record(message("a", "1", morning.Add(time.Duration(i)*time.Second)))
		h.Record(message("a", "1", morning.Add(time.Duration(i)*time.Second-300*time.Millisecond)))
	}
	if err := h.Flush(t.Context()); err != nil || len(m.chunks) != 1 {
		t.Errorf("%d chunks, %v", len(m.chunks), err)
	}
}

func TestKeepCountsFromDaysThatWereRecorded(t *testing.T) {
	today := dayOf(morning.UnixMilli())
	for name, tt := range map[string]struct {
		days []int64
		want int64
	}{
		"nothing recorded":         {nil, -1},
		"new":                      {[]int64{today - 1, today}, -1},
		"every day":                {[]int64{today - 3, today - 2, today - 1, today}, today - 2},
		"back from the summer":     {[]int64{today - 62, today - 61, today - 60, today}, today - 61},
		"clock ahead for a minute": {[]int64{today - 30_003, today - 30_002, today - 30_001, today}, today - 30_002},
		"ahead over midnight":      {[]int64{today - 30_002, today - 30_001, today - 1, today}, today - 30_001},
		"set right after a year":   {[]int64{today - 2, today - 1, today, today + 400, today + 401, today + 402}, today - 2},
		"clock back":               {[]int64{today + 1, today + 2, today + 3}, -1},
	} {
		if got := countFrom(tt.days, morning); got != tt.want {
			t.Errorf("%s: age is counted from %d, want %d", name, got-today, tt.want-today)
		}
	}
}

// TestClockAheadRemovesNothing lets the clock be wrong by 30 years for an hour.
func TestClockAheadRemovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{keeps: true}
		h := openWith(t, m)
		h.SetKeep(365, 0)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		start := time.Now()
		for range 100 { // days
			h.Record(core.Message{Topic: "a", Payload: []byte("1")})
			time.Sleep(24 * time.Hour)
		}
		h.Record(message("a", "1", time.Now().AddDate(30, 0, 0)))
		time.Sleep(2 * time.Hour)
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if len(m.trims) < 100*24 {
			t.Errorf("it looked %d times for what is too old", len(m.trims))
		}
		for _, trim := range m.trims {
			if trim.Day > dayOf(start.UnixMilli())+100 || trim.Days != 365 {
				t.Fatalf("%+v", trim)
			}
		}
		if last := m.trims[len(m.trims)-1]; last.Day != dayOf(start.UnixMilli())+97 {
			t.Errorf("age is counted from day %d of 100", last.Day-dayOf(start.UnixMilli()))
		}
		if len(m.days) != 101 {
			t.Errorf("%d days are kept", len(m.days))
		}
	})
}

func TestDescribe(t *testing.T) {
	h := openWith(t, &memory{})
	var told core.Feed
	h.cfg.Feed = &told
	l := told.Listen()
	defer l.Close()
	h.Record(message("a", "1", morning))
	_, now := h.Live(0)
	if err := h.Describe(t.Context(), "a", core.Description{KeepDays: -2}); !errors.Is(err, core.ErrInvalid) {
		t.Errorf("err = %v", err)
	}
	if _, err := l.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := core.Description{Label: "공기", Unit: "°C"}
	if err := h.Describe(t.Context(), "a", want); err != nil {
		t.Fatal(err)
	}
	if rows, _ := h.Live(now); len(rows) != 1 || rows[0].Description != want {
		t.Errorf("changed: %+v", rows)
	}
	if c, _ := l.Next(t.Context()); c&core.SettingsChanged == 0 {
		t.Errorf("told %b", c)
	}
}

func TestAtOnce(t *testing.T) {
	h := openWith(t, &memory{keeps: true})
	var wg sync.WaitGroup
	const n = 20_000
	for p := range 4 {
		wg.Go(func() {
			for i := range n {
				h.Record(message(fmt.Sprintf("t/%d", i%50), fmt.Sprint(i), morning.Add(time.Duration(i)*time.Second)))
				if p == 0 && i%5000 == 0 {
					if err := h.Flush(t.Context()); err != nil {
						t.Error(err)
					}
				}
				if p == 1 && i%1000 == 0 {
					h.Live(0)
					h.Topics(0)
					h.Messages(0, 100)
					if _, err := h.Trace(t.Context(), "t/7", morning, morning.Add(n*time.Second), 100); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	tr, err := h.Trace(t.Context(), "t/7", morning.Add(-time.Hour), morning.Add(n*time.Second), 10)
	got := 0
	for _, s := range tr.Spans {
		got += s.N
	}
	if err != nil || got != 4*n/50 {
		t.Errorf("%d readings of %d, %v", got, 4*n/50, err)
	}
}

// TestNotKept: the newest value of a series that nobody wants to keep is shown,
// and nothing of it is written; what was kept before stays.
func TestNotKept(t *testing.T) {
	store := &memory{}
	h := openWith(t, store)
	h.Record(message("a", "1", morning))
	if err := h.Describe(t.Context(), "a", core.Description{KeepDays: -1}); err != nil {
		t.Fatal(err)
	}
	h.Record(message("a", "2", morning.Add(time.Minute)))
	h.Record(message("a", "warm", morning.Add(2*time.Minute)))
	rows, _ := h.Live(0)
	if len(rows) != 1 || rows[0].Newest.Text != "warm" || len(rows[0].Spark) != 2 {
		t.Fatalf("live %+v", rows)
	}
	if err := h.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	trace, err := h.Trace(t.Context(), "a", morning.Add(-time.Hour), morning.Add(time.Hour), 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(trace.Spans) != 1 || trace.Spans[0].Max != 1 || len(trace.Texts) != 0 {
		t.Errorf("kept %+v", trace)
	}
}

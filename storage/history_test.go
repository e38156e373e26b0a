package storage

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/history"
	"homeroom/core/topic"
)

// At is when the tests' messages arrive: a Monday morning.
var morning = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func openHistory(t testing.TB, db *DB) *history.History {
	t.Helper()
	h, err := history.Open(t.Context(), history.Config{Store: db, Feed: &core.Feed{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func record(h *history.History, name string, at time.Time, payload string) {
	h.Record(core.Message{Topic: topic.Name(name), Payload: []byte(payload), At: at})
}

func flush(t testing.TB, h *history.History) {
	t.Helper()
	if err := h.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func trace(t testing.TB, h *history.History, s core.Series, from, to time.Time, points int) core.Trace {
	t.Helper()
	tr, err := h.Trace(t.Context(), s, from, to, points)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// wave is a value that every reading of the tests can be checked against.
func wave(i int) float64 { return math.Round(2000+500*math.Sin(float64(i)/100)) / 100 }

// TestTraceTellsTheTruth compares traces with the readings they are made of:
// at every width, before and after writing, and after a restart.
func TestTraceTellsTheTruth(t *testing.T) {
	for _, every := range []time.Duration{20 * time.Millisecond, time.Second, 20 * time.Second, 5 * time.Minute} {
		t.Run(every.String(), func(t *testing.T) {
			dir := t.TempDir()
			db := open(t, dir)
			h := openHistory(t, db)
			const n = 20_000
			at := func(i int) time.Time { return morning.Add(time.Duration(i) * every) }
			check := func(t *testing.T) {
				for _, part := range [][2]int{{0, n}, {0, 300}, {n / 3, n / 2}, {n - 200, n + 100}, {-100, 10}, {n / 2, n/2 + 1}} {
					for _, points := range []int{1, 10, 400, 2000} {
						tr := trace(t, h, "blue/lab/air", at(part[0]), at(part[1]), points)
						compare(t, tr, max(0, part[0]), min(n, part[1]), points, at)
					}
				}
			}
			for i := range n {
				record(h, "blue/lab/air", at(i), fmt.Sprint(wave(i)))
				if i%7001 == 0 {
					flush(t, h)
				}
			}
			t.Run("not written", check)
			flush(t, h)
			t.Run("written", check)
			h = openHistory(t, db)
			t.Run("again", check)
		})
	}
}

func compare(t *testing.T, tr core.Trace, first, end, points int, at func(int) time.Time) {
	t.Helper()
	if len(tr.Spans) > points {
		t.Fatalf("%d spans, wanted %d at most", len(tr.Spans), points)
	}
	if end-first <= points && len(tr.Spans) != end-first {
		t.Fatalf("%d spans of %d readings", len(tr.Spans), end-first)
	}
	if tr.Kind != core.Number {
		t.Errorf("kind = %v", tr.Kind)
	}
	if every := at(1).Sub(at(0)); end-first > 1 && tr.Step != every {
		t.Errorf("step = %v, want %v", tr.Step, every)
	}
	i := first
	for _, s := range tr.Spans {
		low, high, sum := math.Inf(1), math.Inf(-1), 0.0
		if !s.First.Equal(at(i)) {
			t.Fatalf("a span begins at %v, want %v", s.First.UTC(), at(i))
		}
		for range s.N {
			low, high, sum = min(low, wave(i)), max(high, wave(i)), sum+wave(i)
			i++
		}
		if s.Min != low || s.Max != high || math.Abs(s.Sum-sum) > 1e-6*sum || s.End != wave(i-1) || !s.Last.Equal(at(i-1)) {
			t.Fatalf("span %+v, want min %v max %v sum %v end %v", s, low, high, sum, wave(i-1))
		}
	}
	if i != end {
		t.Fatalf("the trace ends with reading %d, want %d", i, end)
	}
}

// TestRollupsTellTheTruth has so many readings that roll-ups are read.
func TestRollupsTellTheTruth(t *testing.T) {
	db := open(t, t.TempDir())
	h := openHistory(t, db)
	const n = 1_300_000 // more than 4,096 chunks
	for i := range n {
		record(h, "a", morning.Add(time.Duration(i)*100*time.Millisecond), "1.5")
		if i == n/2 {
			flush(t, h)
		}
	}
	for _, state := range []string{"half written", "written"} {
		tr := trace(t, h, "a", morning, morning.Add(n*100*time.Millisecond), 500)
		readings, sum := 0, 0.0
		for i, s := range tr.Spans {
			readings += s.N
			sum += s.Sum
			if i > 0 && s.First.Before(tr.Spans[i-1].Last) {
				t.Errorf("%s: span %d overlaps the one before", state, i)
			}
		}
		if readings != n || sum != 1.5*n || len(tr.Spans) < 250 || len(tr.Spans) > 500 || tr.Step != 100*time.Millisecond {
			t.Errorf("%s: %d readings, sum %v, in %d spans, step %v", state, readings, sum, len(tr.Spans), tr.Step)
		}
		flush(t, h)
	}
	if _, err := db.history.read.Exec("SELECT 1"); err != nil {
		t.Fatal(err)
	}
}

func TestRestoredAfterRestart(t *testing.T) {
	db := open(t, t.TempDir())
	h := openHistory(t, db)
	for i := range 300 {
		record(h, "air", morning.Add(time.Duration(i)*time.Second), fmt.Sprint(i))
	}
	record(h, "door", morning.Add(time.Minute), "true")
	record(h, "note", morning.Add(time.Hour), "안녕하세요")
	record(h, "json", morning, `{"t":21.5,"s":"ok"}`)
	want := core.Description{Label: "Luft", Unit: "°C", KeepDays: 30}
	if err := h.Describe(t.Context(), "air", want); err != nil {
		t.Fatal(err)
	}
	flush(t, h)
	before, _ := h.Live(0)
	h = openHistory(t, db)
	after, _ := h.Live(0)
	if len(after) != 5 {
		t.Fatalf("%d series, want 5", len(after))
	}
	index := map[core.Series]core.Live{}
	for _, l := range after {
		index[l.Series] = l
	}
	for _, b := range before {
		a := index[b.Series]
		if !a.Newest.At.Equal(b.Newest.At) || a.Newest.Kind != b.Newest.Kind || a.Newest.Value != b.Newest.Value || a.Newest.Text != b.Newest.Text ||
			a.Description != b.Description || len(a.Spark) != len(b.Spark) {
			t.Errorf("%+v became %+v", b, a)
		}
	}
	if got := index["air"]; got.Description != want || len(got.Spark) != 60 || got.Spark[0].Value != 240 || got.Spark[59].Value != 299 {
		t.Errorf("air = %+v", got)
	}
	if after[0].Series != "note" {
		t.Errorf("the newest is %s", after[0].Series)
	}
	// A description comes back with a series that had to leave memory.
	for i := range 20_001 {
		record(h, fmt.Sprint("other/", i), morning, "x")
	}
	flush(t, h)
	record(h, "air", morning.Add(299*time.Second), "299")
	flush(t, h)
	if rows, _ := h.Live(0); rows[0].Series != "air" || rows[0].Description != want {
		t.Errorf("after it was away: %+v", rows[0])
	}
	h = openHistory(t, db)
	// The open chunk goes on where it was.
	record(h, "air", morning.Add(300*time.Second), "300")
	flush(t, h)
	var chunks, readings int
	if err := db.history.read.QueryRow("SELECT count(*), sum(n) FROM chunk JOIN series ON series.id = series WHERE name = 'air'").Scan(&chunks, &readings); err != nil || chunks != 3 || readings != 302 {
		t.Errorf("%d chunks of %d readings, %v", chunks, readings, err)
	}
}

func TestForget(t *testing.T) {
	db := open(t, t.TempDir())
	h := openHistory(t, db)
	for i := range 600 {
		for _, name := range []string{"a", "b"} {
			record(h, name, morning.Add(time.Duration(i)*time.Second), "1")
			record(h, name, morning.Add(time.Duration(i)*time.Second), "one")
		}
		if i == 400 {
			flush(t, h)
		}
	}
	_, now := h.Live(0)
	if err := h.Forget(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for name, want := range map[core.Series]int{"a": 0, "b": 600} {
			n := 0
			tr := trace(t, h, name, morning.Add(-time.Hour), morning.Add(time.Hour), 2000)
			for _, s := range tr.Spans {
				n += s.N
			}
			if n != want || want == 0 && len(tr.Texts) > 0 {
				t.Errorf("%s has %d readings, want %d; %v", name, n, want, tr.Texts)
			}
		}
		flush(t, h)
	}
	if rows, _ := h.Live(now); len(rows) != 1 || rows[0].Series != "a" || !rows[0].Newest.At.IsZero() {
		t.Errorf("what changed: %+v", rows)
	}
	record(h, "a", morning.Add(time.Hour), "7")
	flush(t, h)
	if tr := trace(t, h, "a", morning, morning.Add(2*time.Hour), 10); len(tr.Spans) != 1 {
		t.Errorf("after it began anew: %+v", tr.Spans)
	}
}

func TestTextTrace(t *testing.T) {
	h := openHistory(t, open(t, t.TempDir()))
	record(h, "s", morning.Add(-time.Hour), "init")
	record(h, "s", morning.Add(-time.Minute), "ready")
	for i, v := range []string{"ready", "lost", "lost", "ready"} {
		record(h, "s", morning.Add(time.Duration(i)*time.Second), v)
		if i == 2 {
			flush(t, h)
		}
	}
	for range 2 {
		tr := trace(t, h, "s", morning, morning.Add(time.Minute), 100)
		var got []string
		for _, r := range tr.Texts {
			got = append(got, fmt.Sprint(r.Text, r.At.Sub(morning)))
		}
		if want := "ready-1m0s lost1s ready3s"; strings.Join(got, " ") != want || tr.Kind != core.Text {
			t.Errorf("texts = %v, want %s; kind %v", got, want, tr.Kind)
		}
		flush(t, h)
	}
	for i := range 10_000 {
		record(h, "many", morning.Add(time.Duration(i)*time.Second), fmt.Sprint("state ", i))
	}
	for range 2 {
		tr := trace(t, h, "many", morning, morning.Add(10_000*time.Second), 50)
		if len(tr.Texts) != 50 || tr.Texts[49].Text != "state 9999" || tr.Texts[0].Text != "state 199" {
			t.Errorf("%d texts, %v … %v", len(tr.Texts), tr.Texts[0], tr.Texts[len(tr.Texts)-1])
		}
		flush(t, h)
	}
}

func TestExport(t *testing.T) {
	db := open(t, t.TempDir())
	h := openHistory(t, db)
	for i := range 3000 {
		record(h, "b/air", morning.Add(time.Duration(i)*time.Millisecond), fmt.Sprint(-i))
	}
	record(h, "b/air", morning.Add(2*time.Second+500*time.Microsecond), "=HYPERLINK(1)")
	record(h, "a/door", morning, "TRUE")
	record(h, "a/json", morning, `{"out":{"t":2.15e1},"+x":"-"}`)
	record(h, "other/x", morning, "1")
	if err := h.Describe(t.Context(), "b/air", core.Description{Unit: "@°C"}); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"not written", "written"} {
		var out bytes.Buffer
		zone := time.FixedZone("KST", 9*3600)
		if err := h.Export(t.Context(), &out, history.ExportOptions{Filter: "+/air", Zone: zone, BOM: true}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out.String(), "\n")
		if len(lines) != 3003 || lines[0] != "\ufefftime,topic,leaf,value,unit" || lines[1] != "2026-03-02T17:00:00.000+09:00,b/air,,0,'@°C" {
			t.Errorf("%s: %d lines: %q", state, len(lines), lines[:2])
		}
		if at := slices.Index(lines, "2026-03-02T17:00:02.000+09:00,b/air,,'=HYPERLINK(1),'@°C"); at != 2002 && at != 2003 {
			t.Errorf("%s: the text is in line %d", state, at)
		}
		if !slices.IsSorted(lines[1:len(lines)-1]) && state == "never" {
			t.Errorf("%s: not in order of time", state)
		}
		for i := 2; i < len(lines)-1; i++ {
			if lines[i][:29] < lines[i-1][:29] && i > 1 {
				t.Fatalf("%s: line %d is out of order: %s", state, i, lines[i])
			}
		}
		out.Reset()
		if err := h.Export(t.Context(), &out, history.ExportOptions{Filter: "a/#", Zone: time.UTC, From: morning, To: morning.Add(time.Millisecond)}); err != nil {
			t.Fatal(err)
		}
		want := "time,topic,leaf,value,unit\n2026-03-02T08:00:00.000Z,a/door,,true,\n" +
			"2026-03-02T08:00:00.000Z,a/json,'+x,'-,\n2026-03-02T08:00:00.000Z,a/json,out.t,21.5,\n"
		if out.String() != want {
			t.Errorf("%s: got\n%s\nwant\n%s", state, out.String(), want)
		}
		flush(t, h)
	}
}

func TestClockJumps(t *testing.T) {
	db := open(t, t.TempDir())
	h := openHistory(t, db)
	n := 0
	add := func(from time.Time, count int) {
		for i := range count {
			record(h, "a", from.Add(time.Duration(i)*time.Second), "1")
			n++
		}
	}
	add(morning, 300)
	add(morning.Add(-time.Hour), 300)     // back
	add(morning.AddDate(73, 0, 0), 300)   // far ahead
	add(morning.Add(10*time.Minute), 300) // right again
	add(morning.Add(5*time.Minute), 300)  // once more back, over what is there
	for _, state := range []string{"not written", "written"} {
		tr := trace(t, h, "a", morning.AddDate(-1, 0, 0), morning.AddDate(100, 0, 0), 10_000)
		got := 0
		for i, s := range tr.Spans {
			got += s.N
			if i > 0 && s.First.Before(tr.Spans[i-1].Last) {
				t.Fatalf("%s: span %d is out of order", state, i)
			}
		}
		if got != n {
			t.Errorf("%s: %d readings of %d", state, got, n)
		}
		flush(t, h)
	}
	var bad int
	if err := db.history.read.QueryRow("SELECT count(*) FROM chunk WHERE last < first OR last - first >= 86400000").Scan(&bad); err != nil || bad != 0 {
		t.Errorf("%d chunks are out of order, %v", bad, err)
	}
}

func TestTrimByAge(t *testing.T) {
	db := open(t, t.TempDir())
	h := openHistory(t, db)
	for d := range 40 {
		for i := range 300 {
			at := morning.AddDate(0, 0, d).Add(time.Duration(i) * time.Second)
			record(h, "short", at, "1")
			record(h, "long", at, "1")
			record(h, "text", at, "word")
		}
	}
	if err := h.Describe(t.Context(), "long", core.Description{KeepDays: 35}); err != nil {
		t.Fatal(err)
	}
	flush(t, h)
	today := morning.Unix()/86400 + 39
	if _, err := db.TrimHistory(t.Context(), history.Trim{Day: -1, Days: 1}); err != nil {
		t.Fatal(err)
	}
	days := func(name core.Series) (n int) {
		tr := trace(t, h, name, morning.AddDate(0, 0, -1), morning.AddDate(0, 0, 50), 10_000)
		seen := map[int]bool{}
		for _, s := range tr.Spans {
			seen[s.First.UTC().YearDay()] = true
		}
		for _, r := range tr.Texts {
			seen[r.At.UTC().YearDay()] = true
		}
		return len(seen)
	}
	if n := days("short"); n != 40 {
		t.Errorf("without a day to count from %d days are left", n)
	}
	if _, err := db.TrimHistory(t.Context(), history.Trim{Day: today, Days: 10}); err != nil {
		t.Fatal(err)
	}
	// A chunk goes once its newest reading is too old, so up to a day more stays.
	if n := days("short"); n < 11 || n > 12 {
		t.Errorf("%d days of short are left", n)
	}
	if n := days("long"); n < 36 || n > 37 {
		t.Errorf("%d days of long are left", n)
	}
	var texts, oldRollups int
	if err := db.history.read.QueryRow("SELECT (SELECT count(*) FROM text), (SELECT count(*) FROM rollup WHERE start < ?)", (today-36)*day).Scan(&texts, &oldRollups); err != nil || texts != 11*300 || oldRollups != 0 {
		t.Errorf("%d texts, %d old roll-ups, %v", texts, oldRollups, err)
	}
}

func TestTrimBySize(t *testing.T) {
	db := open(t, t.TempDir())
	h := openHistory(t, db)
	for i := range 600_000 {
		record(h, "a", morning.Add(time.Duration(i)*time.Second), fmt.Sprint(float64(i)*1.0000001))
		if i%100 == 0 {
			record(h, "t", morning.Add(time.Duration(i)*time.Second), strings.Repeat("word ", 20))
		}
	}
	flush(t, h)
	before := h.Size()
	bound := before / 2
	after, err := db.TrimHistory(t.Context(), history.Trim{Day: -1, Bytes: bound})
	if err != nil {
		t.Fatal(err)
	}
	if after > bound || after < bound/2 {
		t.Errorf("size %d became %d, wanted below %d", before, after, bound)
	}
	end := morning.Add(600_000 * time.Second)
	if tr := trace(t, h, "a", end.Add(-time.Hour), end, 5000); len(tr.Spans) != 3600 {
		t.Errorf("%d of the newest readings are left", len(tr.Spans))
	}
	if tr := trace(t, h, "a", morning, morning.Add(time.Hour), 3600); len(tr.Spans) != 0 {
		t.Errorf("the oldest readings are still there")
	}
	if tr := trace(t, h, "t", end.Add(-time.Hour), end, 5000); len(tr.Texts) == 0 {
		t.Errorf("the newest texts are gone")
	}
	readings := 0
	for _, span := range trace(t, h, "a", morning, end, 300).Spans {
		readings += span.N
	}
	if readings < 599_000 || readings > 600_000 {
		t.Errorf("roll-ups and readings together tell of %d readings of 600,000", readings)
	}
	var old int
	if err := db.history.read.QueryRow("SELECT count(*) FROM text WHERE at < ?", morning.Add(24*time.Hour).UnixMilli()).Scan(&old); err != nil || old != 0 {
		t.Errorf("%d old texts are left, %v", old, err)
	}
	if after, err = db.TrimHistory(t.Context(), history.Trim{Day: -1, Bytes: 1}); err != nil || after > 200_000 {
		t.Errorf("a bound of one byte left %d, %v", after, err)
	}
}

func TestExtremes(t *testing.T) {
	h := openHistory(t, open(t, t.TempDir()))
	for i := range 2000 {
		record(h, "big", morning.Add(time.Duration(i)*time.Hour), []string{"1.7e308", "-1.7e308"}[i/256%2])
	}
	record(h, "nul", morning, "a\x00b")
	record(h, "bin", morning, "\xff\x00\x80")
	flush(t, h)
	tr := trace(t, h, "big", morning, morning.Add(2000*time.Hour), 3)
	if len(tr.Spans) == 0 || tr.Spans[0].Max != 1.7e308 || tr.Spans[0].Min != -1.7e308 {
		t.Errorf("%+v", tr.Spans)
	}
	for name, want := range map[core.Series]string{"nul": "a\x00b", "bin": "0xff0080"} {
		if tr := trace(t, h, name, morning, morning.Add(time.Second), 3); len(tr.Texts) != 1 || tr.Texts[0].Text != want {
			t.Errorf("%s = %+v", name, tr.Texts)
		}
	}
}

// TestTraceBeginsWithTheState has a lamp that was switched on long before the
// stretch that is looked at.
func TestTraceBeginsWithTheState(t *testing.T) {
	h := openHistory(t, open(t, t.TempDir()))
	record(h, "lamp", morning, "false")
	record(h, "lamp", morning.Add(time.Hour), "true")
	record(h, "lamp", morning.Add(3*time.Hour), "false")
	for _, when := range []string{"in memory", "written"} {
		for _, c := range []struct {
			from, to time.Duration
			want     string
		}{
			{2 * time.Hour, 4 * time.Hour, "1h=1 3h=0"},
			{2 * time.Hour, 150 * time.Minute, "1h=1"}, // nothing happens within
			{30 * time.Minute, 4 * time.Hour, "0s=0 1h=1 3h=0"},
			{-time.Hour, 4 * time.Hour, "0s=0 1h=1 3h=0"},
			{-2 * time.Hour, -time.Hour, ""},
		} {
			tr := trace(t, h, "lamp", morning.Add(c.from), morning.Add(c.to), 100)
			var got []string
			for _, s := range tr.Spans {
				got = append(got, fmt.Sprintf("%s=%v", strings.TrimSuffix(strings.TrimSuffix(s.First.Sub(morning).String(), "0s"), "0m"), s.End))
			}
			if want := strings.ReplaceAll(c.want, "0s=", "="); strings.Join(got, " ") != want || len(got) > 0 && tr.Kind != core.Boolean {
				t.Errorf("%s, %v to %v: %v %v, want %v", when, c.from, c.to, tr.Kind, got, want)
			}
		}
		flush(t, h)
	}
}

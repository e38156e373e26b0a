package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pressly/goose/v3"

	"homeroom/core"
	"homeroom/core/history"
	"homeroom/core/plan"
	"homeroom/core/topic"
)

var _ plan.Store = (*DB)(nil)

// shelf is a broker that only retains.
type shelf struct {
	mu       sync.Mutex
	retained map[topic.Name]core.Message // guarded by mu
	clients  []core.Client
	down     error // guarded by mu; of publishing, once it was done lasts times
	lasts    int   // guarded by mu
}

func (s *shelf) Publish(_ context.Context, m core.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lasts--; s.down != nil && s.lasts < 0 {
		return s.down
	}
	m.At = time.Now()
	if s.retained == nil {
		s.retained = map[topic.Name]core.Message{}
	}
	if len(m.Payload) == 0 {
		delete(s.retained, m.Topic)
	} else {
		s.retained[m.Topic] = m
	}
	return nil
}

func (s *shelf) Retained(f topic.Filter, limit int) (ms []core.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.retained {
		if f.Match(m.Topic) && len(ms) < limit {
			ms = append(ms, m)
		}
	}
	return ms
}

func (s *shelf) Clients() []core.Client { return s.clients }

// fail lets publishing fail with err after it was done so many times.
func (s *shelf) fail(err error, after int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down, s.lasts = err, after
}

// everybody may do everything, and kit 7 is mounted into blue.
type everybody struct{ grants []core.Grant }

func (e everybody) Grants() []core.Grant { return e.grants }

func (everybody) Authorize(id core.AccountID, _ core.Action, f topic.Filter) (topic.Filter, error) {
	if id == 7 {
		return "blue/" + f, core.ErrDenied
	}
	return f, nil
}

// lab is a plan with everything that hangs on it.
type lab struct {
	*plan.Service
	t      testing.TB
	db     *DB
	h      *history.History
	broker *shelf
}

func openLab(t testing.TB, dir string, broker *shelf) *lab {
	t.Helper()
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, db: db, h: openHistory(t, db), broker: broker}
	l.Service, err = plan.Open(t.Context(), plan.Config{Store: db, Readings: l.h, Arrivals: l.h, Broker: broker, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler),
		Authority: everybody{[]core.Grant{{ID: 1, Pattern: "blue/lab/#"}, {ID: 2, Pattern: "{team}/lab/+/set"}, {ID: 3, Pattern: "blue/#"}, {ID: 4, Pattern: "{team}/#"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *lab) again(dir string) *lab {
	l.t.Helper()
	flush(l.t, l.h)
	l.close()
	return openLab(l.t, dir, l.broker)
}

func (l *lab) close() {
	l.t.Helper()
	if err := l.db.Close(); err != nil {
		l.t.Error(err)
	}
}

// says publishes and records, as the broker does.
func (l *lab) says(name, payload string, at time.Time, retain bool) {
	l.t.Helper()
	m := core.Message{Topic: topic.Name(name), Payload: []byte(payload), At: at, Retain: retain, QoS: 1}
	if retain {
		if err := l.broker.Publish(l.t.Context(), m); err != nil {
			l.t.Fatal(err)
		}
	}
	l.h.Record(m)
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// everything is all that a person can see of topics, as text: the registry, the
// readings, what is live and what is retained.
func (l *lab) everything() string {
	l.t.Helper()
	var b strings.Builder
	for _, t := range l.Topics("#") {
		fmt.Fprintf(&b, "topic %s %q %d %v..%v %v %d %v\n", t.Name, t.Text, t.Kind, t.Min, t.Max, t.Writable, t.QoS, t.Retain)
	}
	if err := l.h.Export(l.t.Context(), &b, history.ExportOptions{Zone: time.UTC}); err != nil {
		l.t.Fatal(err)
	}
	rows, _ := l.h.Live(0)
	var lines []string
	for _, r := range rows {
		lines = append(lines, fmt.Sprintf("live %s %v %+v %v\n", r.Series, r.Newest.Value, r.Description, len(r.Spark)))
	}
	topics, _ := l.h.Topics(0)
	for _, t := range topics {
		lines = append(lines, fmt.Sprintf("last %s %s %d\n", t.Last.Topic, t.Last.Payload, t.Count))
	}
	for _, m := range l.broker.Retained("#", math.MaxInt) {
		lines = append(lines, fmt.Sprintf("retained %s %s %d\n", m.Topic, m.Payload, m.QoS))
	}
	slices.Sort(lines)
	return b.String() + strings.Join(lines, "")
}

// fill designs and records something of every sort below blue/lab, and beside it.
func (l *lab) fill() {
	l.t.Helper()
	for _, t := range []core.Topic{
		{Name: "blue/lab", Text: "la salle"},
		{Name: "blue/lab/air", Kind: core.Number, Min: -20, Max: 50, Retain: true, Text: "온도"},
		{Name: "blue/lab/led", Kind: core.Boolean, Writable: true, QoS: 1},
		{Name: "blue/lab-2/air", Kind: core.Number},
		{Name: "state_led"},
	} {
		l.must(l.CreateTopic(l.t.Context(), t))
	}
	for i := range 700 { // more than two chunks
		at := morning.Add(time.Duration(i) * time.Second)
		for _, n := range []string{"blue/lab/air", "blue/lab-2/air"} {
			l.says(n, fmt.Sprint(wave(i)), at, false)
		}
		if i == 400 {
			flush(l.t, l.h)
		}
	}
	l.says("blue/lab", "open", morning, false)
	l.says("blue/lab/json", `{"t":{"out":1.5},"word":"wet","ok":true}`, morning, false)
	l.says("blue/lab/air", "21.5", morning.Add(time.Hour), true)
	l.says("blue/lab/led/set", "true", morning.Add(time.Hour), false)
	l.says("blue/lab/deep/$state", "ready", morning.Add(time.Hour), true)
	l.says("state_led", "true", morning, true)
	l.must(l.h.Describe(l.t.Context(), "blue/lab/air", core.Description{Label: "Température", Unit: "°C", KeepDays: 9}))
}

func TestPlanSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	l := openLab(t, dir, &shelf{})
	l.fill()
	want := l.Topics("#")
	changed := want[2]
	changed.Text, changed.QoS, changed.Writable = "le voyant", 2, false
	l.must(l.ChangeTopic(t.Context(), changed))
	if err := l.ChangeTopic(t.Context(), changed); !errors.Is(err, core.ErrConflict) {
		t.Errorf("a change of what was changed meanwhile: %v", err)
	}
	want = l.Topics("#")
	l = l.again(dir)
	defer l.close()
	if got := l.Topics("#"); !reflect.DeepEqual(got, want) || len(got) != 5 {
		t.Errorf("after the restart\n%+v\nwant\n%+v", got, want)
	}
	if got := names(l.Topics("blue/lab/#")); !slices.Equal(got, []topic.Name{"blue/lab", "blue/lab/air", "blue/lab/led"}) {
		t.Errorf("blue/lab/#: %v", got)
	}
	if got := names(l.Topics("blue/+/air")); !slices.Equal(got, []topic.Name{"blue/lab-2/air", "blue/lab/air"}) {
		t.Errorf("blue/+/air: %v", got)
	}
	if got := names(l.Topics("state_led")); !slices.Equal(got, []topic.Name{"state_led"}) {
		t.Errorf("state_led: %v", got)
	}
}

func names(ts []core.Topic) (ns []topic.Name) {
	for _, t := range ts {
		ns = append(ns, t.Name)
	}
	return ns
}

// TestMoveThereAndBack moves a branch around, at random and with restarts, and
// wants everything as it was once it is back.
func TestMoveThereAndBack(t *testing.T) {
	dir := t.TempDir()
	l := openLab(t, dir, &shelf{})
	defer func() { l.close() }()
	l.fill()
	want := l.everything()
	random := rand.New(rand.NewPCG(7, 7))
	places := []topic.Name{"blue/den", "red/lab/deep/er", "x", "blue/LAB", "집/거실", "blue/lab-3"}
	for i := range 12 {
		from, to, restart := topic.Name("blue/lab"), places[random.IntN(len(places))], random.IntN(4) == 0
		e, err := l.MoveTopics(t.Context(), from, to, false)
		l.must(err)
		if got := l.everything(); got != want {
			t.Fatalf("round %d: the preview did something: %s", i, difference(got, want))
		}
		done, err := l.MoveTopics(t.Context(), from, to, true)
		l.must(err)
		if !reflect.DeepEqual(e, done) || len(e.Topics) != 3 || e.Retained != 2 || e.Readings != 700+1+1+3+1+1 || e.Joins != 0 {
			t.Fatalf("%s: the preview says %+v, but it did %+v", to, e, done)
		}
		if got := l.everything(); strings.Contains(got, "blue/lab/") || !strings.Contains(got, string(to)+"/json,t.out,1.5") {
			t.Fatalf("to %s: %s", to, got)
		}
		if restart {
			l = l.again(dir)
		}
		_, err = l.MoveTopics(t.Context(), to, from, true)
		l.must(err)
		got := l.everything()
		if restart {
			want, got = kept(want), kept(got)
		}
		if got != want {
			t.Fatalf("round %d, to %s and back, restart %v: %s", i, to, restart, difference(got, want))
		}
		want = l.everything()
	}
}

// kept is what a restart leaves of everything.
func kept(everything string) string {
	var b strings.Builder
	for line := range strings.Lines(everything) {
		if strings.HasPrefix(line, "live ") {
			line = line[:strings.LastIndex(line, " ")] + "\n" // the spark is as long as the newest chunks make it
		}
		if !strings.HasPrefix(line, "last ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d is %q, want %q", i, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// TestMoveJoins moves to where something was recorded already, and upwards, where
// old and new names overlap.
func TestMoveJoins(t *testing.T) {
	dir := t.TempDir()
	l := openLab(t, dir, &shelf{})
	defer func() { l.close() }()
	for _, n := range []topic.Name{"a/b", "a/b/b", "a/b/b/c"} {
		l.must(l.CreateTopic(t.Context(), core.Topic{Name: n, Text: string(n)}))
	}
	for i := range 2000 {
		at := morning.Add(time.Duration(i) * 20 * time.Second)
		for _, n := range []string{"a/b", "a/b/b", "a/b/b/c", "a/c"} {
			l.says(n, fmt.Sprint(wave(i+len(n))), at.Add(time.Duration(len(n))*time.Second), false)
		}
		if i == 900 {
			flush(t, l.h)
		}
	}
	l.must(l.h.Describe(t.Context(), "a/b/b", core.Description{Unit: "lx"}))
	l.says("a", "word", morning, true)
	time.Sleep(2 * time.Millisecond)
	l.says("a/b", "5", morning.Add(24*time.Hour), true)
	e, err := l.MoveTopics(t.Context(), "a/b", "a", true)
	l.must(err)
	if e.Readings != 6001 || e.Joins != 2001 || !slices.Equal(e.Topics, []topic.Name{"a/b", "a/b/b", "a/b/b/c"}) {
		t.Errorf("%+v", e)
	}
	check := func() {
		t.Helper()
		var got []string
		for _, d := range l.Topics("#") {
			got = append(got, string(d.Name)+"<"+d.Text)
		}
		if want := []string{"a<a/b", "a/b<a/b/b", "a/b/c<a/b/b/c"}; !slices.Equal(got, want) {
			t.Errorf("designed: %v", got)
		}
		if ms := l.broker.Retained("#", 9); len(ms) != 1 || ms[0].Topic != "a" || string(ms[0].Payload) != "5" {
			t.Errorf("retained: %+v", ms)
		}
		for _, c := range []struct {
			n    topic.Name
			want int64
		}{{"a", 8002}, {"a/b", 4000}, {"a/b/c", 2000}, {"a/c", 2000}} {
			if n, err := l.h.CountReadings(t.Context(), c.n); n != c.want || err != nil {
				t.Errorf("%s has %d readings, want %d; %v", c.n, n, c.want, err)
			}
		}
		for s, n := range map[core.Series]int{"a": 2001, "a/b": 2000, "a/b/c": 2000} {
			tr := trace(t, l.h, s, morning, morning.Add(48*time.Hour), 10)
			sum := 0
			for _, p := range tr.Spans {
				sum += p.N
			}
			if sum != n {
				t.Errorf("the trace of %s is of %d readings, want %d", s, sum, n)
			}
		}
		rows, _ := l.h.Live(0)
		live := map[core.Series]core.Live{}
		for _, r := range rows {
			live[r.Series] = r
		}
		if len(live) != 4 || live["a/b"].Unit != "lx" || live["a"].Newest.Value != 5 {
			t.Errorf("live: %+v", live)
		}
	}
	check()
	l = l.again(dir)
	check()
	// What was one stays one, and a series that is rolled up joins another.
	l.must(l.CreateTopic(t.Context(), core.Topic{Name: "z"}))
	if _, err := l.MoveTopics(t.Context(), "a/b/c", "a/c", true); err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, p := range trace(t, l.h, "a/c", morning, morning.Add(48*time.Hour), 10).Spans {
		sum += p.N
	}
	if sum != 4000 {
		t.Errorf("the trace of both is of %d readings", sum)
	}
	// Both had roll-ups of the same days, and now one has them.
	var rows, n, starts, closed int
	if err := l.db.history.read.QueryRow(`SELECT count(*), sum(n), sum(start % 86400000 = 0) FROM rollup JOIN series ON series = id WHERE name = 'a/c' AND level = 2`).Scan(&rows, &n, &starts); err != nil {
		t.Fatal(err)
	}
	if err := l.db.history.read.QueryRow(`SELECT sum(n) FROM chunk JOIN series ON series = series.id WHERE name = 'a/c' AND rolled < 3`).Scan(&closed); err != nil {
		t.Fatal(err)
	}
	if rows == 0 || starts != rows || n != closed {
		t.Errorf("%d roll-ups by day, %d of them at midnight, of %d readings, want %d", rows, starts, n, closed)
	}
	l.says("a/c", "one", morning, false)
	l.says("z", "two", morning.Add(time.Second), false)
	flush(t, l.h)
	l.must(l.h.Move(t.Context(), "z", "a/c"))
	if err := l.h.Move(t.Context(), "a/c", "a"); err == nil {
		t.Error("a Move that cannot be repeated")
	}
	if tr := trace(t, l.h, "a/c", morning, morning.Add(time.Hour), 100); len(tr.Texts) != 2 {
		t.Errorf("the texts of both are %v", tr.Texts)
	}
	if got := l.seriesNamed("z%"); got != 0 {
		t.Errorf("%d rows of the old name stay", got)
	}
}

// seriesNamed returns how many rows there are of series like that.
func (l *lab) seriesNamed(like string) (n int) {
	l.t.Helper()
	flush(l.t, l.h)
	l.must(l.db.history.read.QueryRow(`SELECT count(*) FROM series WHERE name LIKE ?`, like).Scan(&n))
	return n
}

func TestMovesThatCannotBe(t *testing.T) {
	l := openLab(t, t.TempDir(), &shelf{})
	defer l.close()
	l.fill()
	l.must(l.CreateTopic(t.Context(), core.Topic{Name: "den/air"}))
	l.must(l.CreateTopic(t.Context(), core.Topic{Name: "cellar/Led"}))
	l.says("blue/lab/a/b/c", "nobody designed me", morning, true)
	want := l.everything()
	deep := topic.Name(strings.Repeat("d/", topic.MaxLevels-3) + "d")
	for _, c := range []struct {
		from, to topic.Name
		kind     error
		says     string
	}{
		{"blue/lab", "blue/+", core.ErrInvalid, "+ or #"},
		{"blue/lab", "$SYS", core.ErrInvalid, "begins with $"},
		{"blue/lab", "", core.ErrInvalid, "needs a name"},
		{"blue/lab", "blue/lab/den", core.ErrInvalid, "a part of it"},
		{"blue/lab", "blue/lab", core.ErrInvalid, "a part of it"},
		{"blue/lab", "den", core.ErrConflict, "den/air is designed already"},
		{"blue/lab", "cellar", core.ErrConflict, "cellar/led would look like cellar/Led"},
		{"blue/la", "den", core.ErrNotFound, "blue/la or below"},
		{"blue/lab/json", "den", core.ErrNotFound, "blue/lab/json or below"},
		{"", "x", core.ErrNotFound, "Nothing is designed"},
		{"#", "x", core.ErrNotFound, "Nothing is designed"},
		{"blue/lab/led", deep + "/d/d", core.ErrInvalid, "too long"}, // which takes commands
		{"blue/lab", deep, core.ErrInvalid, "too long"},              // for a/b/c
	} {
		for _, apply := range []bool{false, true} {
			_, err := l.MoveTopics(t.Context(), c.from, c.to, apply)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s to %s: %v, want %q", c.from, c.to, err, c.says)
			}
		}
	}
	if got := l.everything(); got != want {
		t.Errorf("something moved: %s", difference(got, want))
	}
}

// TestLiveFollowsAMove looks as the window does: for what changed since.
func TestLiveFollowsAMove(t *testing.T) {
	l := openLab(t, t.TempDir(), &shelf{})
	defer l.close()
	l.fill()
	rows, now := l.h.Live(0)
	seen := map[core.Series]core.Live{}
	look := func() {
		rows, now = l.h.Live(now)
		for _, r := range rows {
			if seen[r.Series] = r; r.Newest.At.IsZero() {
				delete(seen, r.Series)
			}
		}
	}
	for _, r := range rows {
		seen[r.Series] = r
	}
	same := func(what string) {
		t.Helper()
		look()
		all, _ := l.h.Live(0)
		if len(all) != len(seen) {
			t.Errorf("%s: %d rows, but who looks at changes has %d", what, len(all), len(seen))
		}
		for _, r := range all {
			if !reflect.DeepEqual(seen[r.Series], r) {
				t.Errorf("%s: %+v is %+v to who looks at changes", what, r, seen[r.Series])
			}
		}
	}
	_, err := l.MoveTopics(t.Context(), "blue/lab", "red", true)
	l.must(err)
	same("moved")
	l.says("blue/lab/air", "7", morning.Add(2*time.Hour), false)
	same("the old name arrives again")
	e, err := l.RemoveTopics(t.Context(), "red", true)
	l.must(err)
	same("removed")
	l.must(l.UndoRemove(t.Context(), e.Removal.ID))
	same("undone")
	l.must(l.h.ForgetUnder(t.Context(), "red"))
	same("forgotten")
	l.must(l.h.Move(t.Context(), "blue/lab", "green"))
	l.says("blue/lab/air", "8", morning.Add(3*time.Hour), false)
	same("moved, and the old name arrived before anybody looked")
	l.says("new", "1", morning.Add(3*time.Hour), false)
	l.must(l.h.Move(t.Context(), "new", "newer"))
	if n := l.seriesNamed("new"); n != 0 {
		t.Errorf("%d rows of a name that nothing has", n)
	}
	if l.h.Known("red/air") || !l.h.Known("blue/lab/air") {
		t.Error("what is forgotten is still known, or the other way round")
	}
}

func TestEffect(t *testing.T) {
	l := openLab(t, t.TempDir(), &shelf{clients: []core.Client{
		{ID: "all", Filters: []string{"x", "#"}},
		{ID: "beside", Filters: []string{"blue/lab-2/#", "blue", "blue/+"}},
		{ID: "deep", Filters: []string{"+/+/air"}},
		{ID: "mounted", Account: 7, Filters: []string{"lab/+"}},
		{ID: "other", Account: 7, Filters: []string{"blue/lab/air", "$SYS/#", "den/#"}},
		{ID: "shared", Filters: []string{"$share/g/blue/lab/#"}},
	}})
	defer l.close()
	l.fill()
	e, err := l.RemoveTopics(t.Context(), "blue/lab", false)
	l.must(err)
	var who []string
	for _, c := range e.Subscribers {
		who = append(who, c.ID)
	}
	if !slices.Equal(who, []string{"all", "beside", "deep", "mounted", "shared"}) {
		t.Errorf("subscribers: %v", who)
	}
	var ids []int64
	for _, g := range e.Grants {
		ids = append(ids, g.ID)
	}
	if !slices.Equal(ids, []int64{1, 2}) {
		t.Errorf("grants: %v", ids)
	}
	if e.Removal != (core.Removal{}) {
		t.Errorf("a preview can be undone: %+v", e.Removal)
	}
}

// TestRemoveUndo removes and undoes at random, with restarts and with a broker
// that fails, and wants everything as it was.
func TestRemoveUndo(t *testing.T) {
	dir := t.TempDir()
	l := openLab(t, dir, &shelf{})
	defer func() { l.close() }()
	l.fill()
	want := l.everything()
	random := rand.New(rand.NewPCG(7, 7))
	for i := range 12 {
		restarts := random.IntN(3) == 0
		at := []topic.Name{"blue/lab", "blue", "blue/lab/air", "state_led"}[random.IntN(4)]
		designed := names(l.Topics(topic.Filter(at) + "/#"))
		if random.IntN(3) == 0 { // what is left is done later, at the latest by the undo
			l.broker.fail(errors.New("the broker does not answer"), random.IntN(2))
		}
		ctx := core.As(t.Context(), 5)
		e, err := l.RemoveTopics(ctx, at, true)
		l.must(err)
		r := e.Removal
		if !slices.Equal(e.Topics, designed) || r.Topics != len(designed) || r.Under != at || r.Account != 5 || r.Until.Sub(r.At) != 10*time.Minute {
			t.Fatalf("removed %+v, want %v", e, designed)
		}
		l.broker.fail(nil, 0)
		if restarts {
			l = l.again(dir)
		}
		if got := l.Removals(); len(got) != 1 || got[0].ID != r.ID || !got[0].Until.Equal(r.Until) || got[0].Under != at {
			t.Fatalf("removals: %+v", got)
		}
		if len(l.Topics(topic.Filter(at)+"/#")) != 0 {
			t.Fatalf("%s is still designed", at)
		}
		if _, err := l.RemoveTopics(ctx, at, true); !errors.Is(err, core.ErrNotFound) { // and works on what is left
			t.Fatalf("removed twice: %v", err)
		}
		if got := l.everything(); strings.Contains(got, " "+string(at)+" ") || strings.Contains(got, ","+string(at)+",") || strings.Contains(got, "$plan") {
			t.Fatalf("%s is still seen: %s", at, got)
		}
		if l.Known(at) {
			t.Fatalf("%s is still known", at)
		}
		if restarts {
			l = l.again(dir)
		}
		l.must(l.UndoRemove(ctx, r.ID))
		got := l.everything()
		if restarts {
			want, got = kept(want), kept(got)
		}
		if got != want {
			t.Fatalf("round %d, %s, restart %v: %s", i, at, restarts, difference(got, want))
		}
		want = l.everything()
		if err := l.UndoRemove(ctx, r.ID); !errors.Is(err, core.ErrNotFound) {
			t.Fatalf("undone twice: %v", err)
		}
	}
}

// TestUndoKeepsWhatCame: what arrives after a removal is not designed, and stays
// when it is undone.
func TestUndoKeepsWhatCame(t *testing.T) {
	l := openLab(t, t.TempDir(), &shelf{})
	defer l.close()
	l.fill()
	e, err := l.RemoveTopics(t.Context(), "blue/lab", true)
	l.must(err)
	l.says("blue/lab/air", "-3", time.Now(), true)
	if got := l.Arriving(); got[0].Last.Topic != "blue/lab/air" || got[0].Count != 1 {
		t.Errorf("arriving: %+v", got)
	}
	if _, ok := l.Topic("blue/lab/air"); ok || !l.Known("blue/lab/air") {
		t.Error("it is designed again, or not known")
	}
	l.must(l.CreateTopic(t.Context(), core.Topic{Name: "blue/lab/led"}))
	if err := l.UndoRemove(t.Context(), e.Removal.ID); !errors.Is(err, core.ErrConflict) {
		t.Errorf("undone over a new design: %v", err)
	}
	again, err := l.RemoveTopics(t.Context(), "blue/lab/led", true)
	l.must(err)
	l.must(l.UndoRemove(t.Context(), e.Removal.ID))
	if ms := l.broker.Retained("blue/lab/air", 9); len(ms) != 1 || string(ms[0].Payload) != "-3" {
		t.Errorf("retained: %+v", ms)
	}
	if n, err := l.h.CountReadings(t.Context(), "blue/lab/air"); n != 702 || err != nil {
		t.Errorf("%d readings, %v", n, err)
	}
	if err := l.UndoRemove(t.Context(), again.Removal.ID); !errors.Is(err, core.ErrConflict) {
		t.Errorf("undone over what came back: %v", err)
	}
	for _, s := range l.Arriving() {
		if s.Last.Topic == "blue/lab/air" || s.Last.Topic == "blue/lab/led/set" {
			t.Errorf("%s arrives undesigned", s.Last.Topic)
		}
	}
}

// TestRemovalBecomesFinal waits for ten minutes, half of them in another life of
// the program.
func TestRemovalBecomesFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := openLab(t, dir, &shelf{})
		l.fill()
		removed, err := l.RemoveTopics(t.Context(), "blue/lab", true)
		l.must(err)
		run := func(d time.Duration) {
			ctx, stop := context.WithCancel(t.Context())
			var ended sync.WaitGroup
			ended.Go(func() {
				if err := l.Run(ctx); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(d)
			synctest.Wait()
			stop()
			ended.Wait()
		}
		hidden := topic.Name(fmt.Sprintf("$plan/%d", removed.Removal.ID))
		left := func() int64 {
			n, err := l.h.CountReadings(t.Context(), hidden)
			l.must(err)
			return n
		}
		run(5 * time.Minute)
		l = l.again(dir)
		run(5*time.Minute - 2*time.Second)
		if n := left(); n != removed.Readings || len(l.Removals()) != 1 {
			t.Errorf("%d readings wait for an undo, want %d", n, removed.Readings)
		}
		run(4 * time.Second)
		if n := left(); n != 0 || len(l.Removals()) != 0 {
			t.Errorf("%d readings are left, removals %+v", n, l.Removals())
		}
		if err := l.UndoRemove(t.Context(), removed.Removal.ID); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("undone too late: %v", err)
		}
		if n := l.seriesNamed("$%"); n != 0 {
			t.Errorf("%d hidden series are left", n)
		}
		if n, err := l.h.CountReadings(t.Context(), "blue/lab-2/air"); n != 700 || err != nil {
			t.Errorf("beside it %d readings are left, %v", n, err)
		}
		l = l.again(dir)
		if got := l.Removals(); len(got) != 0 {
			t.Errorf("after the restart %+v", got)
		}
		l.close()
	})
}

// TestMoveIsFinishedLater stops a move after each of its steps, where old and new
// names overlap, and starts the program anew.
func TestMoveIsFinishedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for stopped := range 9 {
			dir := t.TempDir()
			l := openLab(t, dir, &shelf{})
			old := []string{"a/b", "a/b/b", "a/b/z", "a/b/b/z"}
			for _, n := range old {
				l.must(l.CreateTopic(t.Context(), core.Topic{Name: topic.Name(n)}))
				l.says(n, "I was "+n, time.Now(), true)
				time.Sleep(time.Second)
			}
			l.broker.fail(errors.New("the broker does not answer"), stopped)
			_, err := l.MoveTopics(t.Context(), "a/b", "a", true)
			l.must(err)
			if got, want := names(l.Topics("#")), []topic.Name{"a", "a/b", "a/b/z", "a/z"}; !slices.Equal(got, want) {
				t.Errorf("the registry waits for the broker: %v", got)
			}
			if _, err := l.MoveTopics(t.Context(), "a", "green", true); (err == nil) != (stopped >= 8) {
				t.Errorf("stopped after %d: the second move overtakes the first: %v", stopped, err)
			}
			if stopped >= 8 {
				l.close()
				break
			}
			l = l.again(dir)
			l.broker.fail(nil, 0)
			ctx, stop := context.WithCancel(t.Context())
			var ended sync.WaitGroup
			ended.Go(func() { _ = l.Run(ctx) })
			time.Sleep(2 * tick)
			synctest.Wait()
			stop()
			ended.Wait()
			var got []string
			for _, m := range l.broker.Retained("#", 9) {
				got = append(got, string(m.Topic)+": "+string(m.Payload))
			}
			slices.Sort(got)
			if want := []string{"a/b/z: I was a/b/b/z", "a/b: I was a/b/b", "a/z: I was a/b/z", "a: I was a/b"}; !slices.Equal(got, want) {
				t.Errorf("stopped after %d: retained %q", stopped, got)
			}
			for n, was := range map[string]string{"a": "a/b", "a/b": "a/b/b", "a/z": "a/b/z", "a/b/z": "a/b/b/z"} {
				tr := trace(t, l.h, core.Series(n), time.Now().Add(-time.Hour), time.Now(), 9)
				if len(tr.Texts) != 1 || tr.Texts[0].Text != "I was "+was {
					t.Errorf("stopped after %d: %s says %+v", stopped, n, tr.Texts)
				}
			}
			l.close()
		}
	})
}

const tick = time.Second

// TestTwoPrograms change the plan at once, as the command line does beside the window.
func TestTwoPrograms(t *testing.T) {
	dir := t.TempDir()
	a := openLab(t, dir, &shelf{})
	defer a.close()
	b := openLab(t, dir, &shelf{})
	defer b.close()
	a.must(a.CreateTopic(t.Context(), core.Topic{Name: "x"}))
	b.must(b.CreateTopic(t.Context(), core.Topic{Name: "y"}))
	if err := b.CreateTopic(t.Context(), core.Topic{Name: "X"}); !errors.Is(err, core.ErrConflict) {
		t.Errorf("b: %v", err)
	}
	a.must(a.CreateTopic(t.Context(), core.Topic{Name: "z"})) // and a reads y
	a.must(a.ChangeTopic(t.Context(), core.Topic{Name: "y", Text: "from a"}))
	ctx, stop := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { _ = b.Run(ctx) })
	for range 500 {
		if y, _ := b.Topic("y"); y.Text == "from a" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	ended.Wait()
	if y, _ := b.Topic("y"); y.Text != "from a" {
		t.Errorf("b does not see the change: %+v", y)
	}
}

// sketch is the whole design as text.
func (l *lab) sketch() string {
	d := l.Design()
	var b strings.Builder
	for _, t := range d.Topics {
		fmt.Fprintf(&b, "%+v\n", *t)
	}
	for _, p := range d.Places {
		fmt.Fprintf(&b, "%+v\n", *p)
	}
	for _, r := range d.Rules {
		fmt.Fprintf(&b, "%+v\n", *r)
	}
	for _, a := range d.Alarms {
		fmt.Fprintf(&b, "%+v\n", *a)
	}
	fmt.Fprintf(&b, "%+v\n", d.Renamed)
	return b.String()
}

// home designs a house of two rooms with everything that a design has.
func (l *lab) home() {
	l.t.Helper()
	l.must(l.Change(core.As(l.t.Context(), 7), core.Batch{Say: core.Say("a {what} was made", "what", "home"),
		Topics: []core.Topic{{Name: "home/lab/kit-1/lamp", Kind: core.Enumeration, Options: []string{"On", "Off|", "꺼짐"}, Writable: true, Description: core.Description{Label: "Lampe", Unit: "lx", KeepDays: -1}},
			{Name: "home/hall/kit-2/air", Kind: core.Number, Min: -20, Max: 50, Step: 0.5}},
		Places: []core.Place{{Name: "home", Kind: core.BranchPlace, Label: "집"}, {Name: "home/lab", Kind: core.RoomPlace, X: 0.1, Y: -3, W: 10, H: 1e-3}, {Name: "home/hall", Kind: core.RoomPlace},
			{Name: "home/lab/kit-1", Kind: core.KitPlace, Role: core.LightKit, Account: "kit-1", Virtual: true, Ports: []core.Port{{Slot: "light", Topic: "home/lab/kit-1/lamp", Action: core.Subscribe, Toggle: true}}},
			{Name: "home/hall/kit-2", Kind: core.KitPlace, Role: core.ChoiceKit}},
		Rules: []core.Rule{{ID: "choice", Label: "Choice", Inputs: []core.Input{{Name: "air", Topic: "home/hall/kit-2/air"}}, When: []core.Trigger{{Kind: core.OnTime, At: 7 * time.Hour, Days: []time.Weekday{1, 2}}, {Kind: core.OnChange, Input: "air"}},
			If: "air > 20 && \"<b>\" != \"\"", For: time.Minute, Then: []core.Act{{Topic: "home/lab/kit-1/lamp", Value: "true", Always: true}}, Kit: "home/hall/kit-2"}},
		Alarms: []core.Alarm{{ID: "cold", Topic: "home/hall/kit-2/air", Kind: core.AlarmBelow, Limit: -1.5, Clear: 0.5, For: time.Second}}}))
}

// TestEditsSurviveRestart changes, moves, removes, undoes and redoes at random, with
// everything that hangs on the topics and with restarts in between, and wants each
// step back exactly as it was.
func TestEditsSurviveRestart(t *testing.T) {
	for seed := range uint64(2) {
		dir := t.TempDir()
		l := openLab(t, dir, &shelf{})
		random := rand.New(rand.NewPCG(seed, 3))
		l.home()
		for i := range 50 {
			l.says("home/hall/kit-2/air", fmt.Sprint(wave(i)), morning.Add(time.Duration(i)*time.Second), i == 49)
		}
		l.says("home/lab/kit-1/lamp", "On", morning, true)
		seen := func() string { return l.sketch() + kept(l.everything()) }
		states, at := []string{seen()}, 0
		undo, _ := l.Edits()
		before := len(undo)
		ctx := core.As(t.Context(), 5)
		for i := range 30 {
			pushed := true
			var err error
			switch rooms := []topic.Name{"home", "home/lab", "home/hall", "home/hall/kit-2", "away", "away/lab", "home/lab/kit-1/lamp"}; random.IntN(8) {
			case 0, 1:
				from, to := rooms[random.IntN(len(rooms))], topic.Name(fmt.Sprint("way/", i))
				if random.IntN(2) == 0 {
					to = "home/" + to
				}
				_, err = l.MoveTopics(ctx, from, to, true)
			case 2:
				_, err = l.RemoveTopics(ctx, rooms[random.IntN(len(rooms))], true)
			case 3:
				d := l.Design()
				b := core.Batch{Say: core.Say("step {n}", "n", i), Topics: []core.Topic{{Name: topic.Name(fmt.Sprint("t/", random.IntN(3))), Text: fmt.Sprint(i)}}}
				if len(d.Places) > 0 {
					p := *d.Places[random.IntN(len(d.Places))]
					p.X = random.Float64()
					b.Places = append(b.Places, p)
				}
				err = l.Change(ctx, b)
			case 4:
				_, _, err = l.Import(ctx, fmt.Appendf(nil, "name,label\nt/%d,é%d\n", random.IntN(5), i))
			case 5, 6:
				pushed = false
				if at == 0 {
					continue
				}
				_, err = l.Undo(ctx)
				at--
				l.must(err)
			default:
				pushed = false
				if at == len(states)-1 {
					continue
				}
				_, err = l.Redo(ctx)
				at++
				l.must(err)
			}
			if random.IntN(5) == 0 {
				l = l.again(dir)
			}
			got := seen()
			switch {
			case err != nil:
				var told *core.Problem
				if !errors.As(err, &told) || got != states[at] {
					t.Fatalf("seed %d, step %d: %v: %s", seed, i, err, difference(got, states[at]))
				}
			case !pushed && got != states[at]:
				t.Fatalf("seed %d, step %d, at %d: %s", seed, i, at, difference(got, states[at]))
			case pushed && got != states[at]:
				states, at = append(states[:at+1], got), at+1
			}
			if undo, redo := l.Edits(); len(undo) != at+before || len(redo) != len(states)-1-at {
				t.Fatalf("seed %d, step %d: %d to undo, %d to redo, want %d and %d", seed, i, len(undo), len(redo), at+before, len(states)-1-at)
			}
		}
		for back := at; back > 0; back-- {
			_, err := l.Undo(ctx)
			l.must(err)
			if back%5 == 0 {
				l = l.again(dir)
			}
			if got := seen(); got != states[back-1] {
				t.Fatalf("seed %d, undone to %d: %s", seed, back-1, difference(got, states[back-1]))
			}
		}
		for on := 1; on < len(states); on++ {
			_, err := l.Redo(ctx)
			l.must(err)
			if got := seen(); got != states[on] {
				t.Fatalf("seed %d, redone to %d: %s", seed, on, difference(got, states[on]))
			}
		}
		l.close()
	}
}

// TestDesignSurvivesRestart: everything comes back, edits and what was removed among it.
func TestDesignSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	l := openLab(t, dir, &shelf{})
	l.home()
	_, err := l.MoveTopics(core.As(t.Context(), 8), "home/hall", "home/kitchen", true)
	l.must(err)
	e, err := l.RemoveTopics(core.As(t.Context(), 9), "home/lab", true)
	l.must(err)
	want := l.sketch()
	undo, _ := l.Edits()
	l = l.again(dir)
	defer func() { l.close() }()
	if got := l.sketch(); got != want {
		t.Errorf("after a restart %s", difference(got, want))
	}
	if got, redo := l.Edits(); !reflect.DeepEqual(got, undo) || len(got) != 3 || redo != nil || got[2].Say.String() != "a home was made" || got[2].Account != 7 {
		t.Errorf("edits %+v, want %+v", got, undo)
	}
	if to, ok := l.Renamed("home/hall/kit-2/air"); !ok || to != "home/kitchen/kit-2/air" {
		t.Errorf("the old name is %s", to)
	}
	if r, ok := l.Removed("home/lab/kit-1/lamp/set"); !ok || r != e.Removal {
		t.Errorf("%+v, want %+v", r, e.Removal)
	}
	tool, err := plan.Open(t.Context(), plan.Config{Store: l.db, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler)})
	l.must(err)
	if _, err := tool.Undo(t.Context()); !errors.Is(err, core.ErrDenied) {
		t.Errorf("undone without a broker: %v", err)
	}
	l.must(l.UndoRemove(t.Context(), e.Removal.ID))
	_, err = l.Undo(t.Context())
	l.must(err)
	if d := l.Design(); d.Rule("choice").Kit != "home/hall/kit-2" || d.Topic("home/lab/kit-1/lamp").KeepDays != -1 || len(d.Renamed) != 0 {
		t.Errorf("undone\n%s", l.sketch())
	}
}

// TestUndoOfAnotherProgram: the command line imports beside the program, which
// undoes it; and only one of two that undo at once does.
func TestUndoOfAnotherProgram(t *testing.T) {
	dir := t.TempDir()
	a := openLab(t, dir, &shelf{})
	defer a.close()
	b := openLab(t, dir, &shelf{})
	defer b.close()
	_, _, err := b.Import(t.Context(), []byte("name\nx\ny\n"))
	a.must(err)
	a.must(a.CreateTopic(t.Context(), core.Topic{Name: "z"})) // and a reads the import
	for _, want := range []string{"z was designed", "A file was imported: 2 new, 0 changed"} {
		if e, err := a.Undo(t.Context()); err != nil || e.Say.String() != want {
			t.Errorf("%v, %v, want %s", e, err, want)
		}
	}
	if len(a.Topics("#")) != 0 {
		t.Errorf("left %v", a.Topics("#"))
	}
	if e, err := b.Redo(t.Context()); err != nil || e.Say.String() != "A file was imported: 2 new, 0 changed" || len(b.Topics("#")) != 2 {
		t.Errorf("b redoes %v, %v", e, err)
	}
	a.must(b.CreateTopic(t.Context(), core.Topic{Name: "w"})) // and z can be redone no more
	if _, err := a.Redo(t.Context()); !errors.Is(err, core.ErrNotFound) || len(a.Topics("#")) != 3 {
		t.Errorf("a redoes: %v, %v", err, a.Topics("#"))
	}
	_, err = a.Undo(t.Context())
	a.must(err)
	var both sync.WaitGroup
	results := make([]error, 2)
	for i, l := range []*lab{a, b} {
		both.Go(func() { _, results[i] = l.Undo(t.Context()) })
	}
	both.Wait()
	if (results[0] == nil) == (results[1] == nil) || len(a.Topics("#")) != 0 {
		t.Errorf("both undid it: %v", results)
	}
}

// TestMigrationOfDescriptions migrates a plan of before, and takes over what the
// history was told, once.
func TestMigrationOfDescriptions(t *testing.T) {
	dir := t.TempDir()
	old, err := sql.Open("sqlite", dsn(filepath.Join(dir, "core.db"), nil))
	if err != nil {
		t.Fatal(err)
	}
	before, err := goose.NewProvider(goose.DialectSQLite3, old, migrationsOf("core"), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.UpTo(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	for _, did := range []string{
		`INSERT INTO plan_topic VALUES ('air', '온도', 1, -5, 40, 0, 1, 1, 1700000000000), ('other', '', 0, 0, 0, 1, 0, 0, 1700000000000)`,
		fmt.Sprintf(`INSERT INTO plan_task (kind, source, target, account, at, done, topics) VALUES ('remove', 'gone', '', 3, %d, 1, '[{"Name":"gone","Text":"before"}]')`, time.Now().UnixMilli()),
		`UPDATE plan_revision SET n = 4`} {
		if _, err := old.Exec(did); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	l := openLab(t, dir, &shelf{})
	l.says("air", "5", morning, false)
	l.must(l.h.Describe(t.Context(), "air", core.Description{Label: "Température", Unit: "°C"}))
	if ts := l.Topics("#"); len(ts) != 2 || ts[0].Label != "" || ts[0].Text != "온도" || ts[0].Min != -5 || ts[0].Options != nil || ts[0].Changed.UnixMilli() != 1700000000000 {
		t.Errorf("%+v", ts)
	}
	l.must(l.UndoRemove(t.Context(), l.Removals()[0].ID))
	if d, _ := l.Topic("gone"); d.Text != "before" {
		t.Errorf("%+v", d)
	}
	_, err = l.Undo(t.Context())
	l.must(err)
	for range 2 {
		s, err := plan.Open(t.Context(), plan.Config{Store: l.db, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler), Described: l.db.SeriesNames})
		l.must(err)
		if d, _ := s.Topic("air"); d.Label != "Température" || d.Unit != "°C" {
			t.Errorf("%+v", d)
		}
		if undo, redo := s.Edits(); len(undo) != 0 || len(redo) != 1 {
			t.Errorf("%+v, %+v", undo, redo)
		}
		l.must(l.h.Describe(t.Context(), "air", core.Description{Label: "later"}))
	}
	l.close()
}

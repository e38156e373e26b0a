package storage

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"

	"homeroom/core"
	"homeroom/core/history"
	"homeroom/core/topic"
)

const (
	day = int64(86_400_000) // milliseconds; no chunk is longer

	// maxIDs bounds what is remembered of series; beyond, all is read anew.
	maxIDs = 50_000

	// rowsAtOnce is how many rows one statement inserts.
	rowsAtOnce = 64

	// What one step of trimming removes.
	trimSeries = 100
	trimChunks = 500
	trimTexts  = 5_000
)

// seriesIDs remembers the row numbers of series that were written to.
type seriesIDs struct {
	mu  sync.Mutex
	ids map[core.Series]int64 // guarded by mu
}

func newSeriesIDs() *seriesIDs { return &seriesIDs{ids: map[core.Series]int64{}} }

func (s *seriesIDs) get(name core.Series) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.ids[name]
	return id, ok
}

// put takes in what a committed transaction found and made.
func (s *seriesIDs) put(ids map[core.Series]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ids)+len(ids) > maxIDs {
		clear(s.ids)
	}
	for name, id := range ids {
		s.ids[name] = id
	}
}

func (s *seriesIDs) drop(names []core.Series) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		delete(s.ids, name)
	}
}

// forget makes all be read anew.
func (s *seriesIDs) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.ids)
}

// LoadHistory implements history.Store.
func (db *DB) LoadHistory(ctx context.Context, limit int) (l history.Loaded, err error) {
	defer func() { err = explain(db.history.path, err) }()
	tx, err := db.history.read.BeginTx(ctx, nil)
	if err != nil {
		return l, err
	}
	defer func() { _ = tx.Rollback() }()
	if l.Size, err = size(ctx, tx); err != nil {
		return l, err
	}
	err = tx.QueryRowContext(ctx, "SELECT coalesce((SELECT max(id) FROM chunk), 0), coalesce((SELECT max(id) FROM text), 0)").
		Scan(&l.LastChunk, &l.LastText)
	if err != nil {
		return l, err
	}
	if err := each(ctx, tx, "SELECT day FROM day ORDER BY day", func(rows *sql.Rows) error {
		var d int64
		err := rows.Scan(&d)
		l.Days = append(l.Days, d)
		return err
	}); err != nil {
		return l, err
	}
	var ids []int64
	const newest = `SELECT id, name, label, unit, keep_days, max(
			coalesce((SELECT last FROM chunk WHERE series = series.id ORDER BY id DESC LIMIT 1), ?1),
			coalesce((SELECT at FROM text WHERE series = series.id ORDER BY at DESC LIMIT 1), ?1)) AS newest
		FROM series WHERE newest > ?1 OR label <> '' OR unit <> '' OR keep_days <> 0
		ORDER BY newest DESC LIMIT ?2`
	if err := each(ctx, tx, newest, func(rows *sql.Rows) error {
		var s history.Stored
		var id, at int64
		err := rows.Scan(&id, &s.Series, &s.Label, &s.Unit, &s.KeepDays, &at)
		l.Series = append(l.Series, s)
		ids = append(ids, id)
		return err
	}, int64(math.MinInt64), limit); err != nil {
		return l, err
	}
	chunks, err := tx.PrepareContext(ctx, "SELECT "+chunkColumns+", packed FROM chunk WHERE series = ? ORDER BY id DESC LIMIT 2")
	if err != nil {
		return l, err
	}
	defer chunks.Close()
	texts, err := tx.PrepareContext(ctx, "SELECT id, at, value FROM text WHERE series = ? ORDER BY at DESC, id DESC LIMIT 1")
	if err != nil {
		return l, err
	}
	defer texts.Close()
	for i, id := range ids {
		s := &l.Series[i]
		rows, err := chunks.QueryContext(ctx, id)
		if err := scanAll(rows, err, func() error {
			c, err := scanChunk(rows, s.Series)
			s.Chunks = append(s.Chunks, c)
			return err
		}); err != nil {
			return l, err
		}
		t := history.Text{Series: s.Series}
		switch err := texts.QueryRowContext(ctx, id).Scan(&t.ID, &t.At, &t.Value); {
		case err == nil:
			s.Text = &t
		case !errors.Is(err, sql.ErrNoRows):
			return l, err
		}
	}
	slices.Reverse(l.Series)
	return l, nil
}

// SeriesNames implements history.Store.
func (db *DB) SeriesNames(ctx context.Context) (map[core.Series]core.Description, error) {
	all := map[core.Series]core.Description{}
	err := each(ctx, db.history.read, "SELECT name, label, unit, keep_days FROM series", func(rows *sql.Rows) error {
		var name core.Series
		var d core.Description
		err := rows.Scan(&name, &d.Label, &d.Unit, &d.KeepDays)
		all[name] = d
		return err
	})
	return all, explain(db.history.path, err)
}

// WriteHistory implements history.Store.
func (db *DB) WriteHistory(ctx context.Context, b history.Batch) (history.Written, error) {
	db.ids.drop(b.Meet) // so that their rows are read
	w := historyWriter{known: db.ids, found: map[core.Series]int64{}}
	err := db.history.tx(ctx, func(tx *sql.Tx) error {
		w.tx = tx
		for _, write := range []func(context.Context, history.Batch) error{
			w.forget, w.leave, w.move, w.describe, w.meet, w.chunks, w.rollups, w.texts, w.days,
		} {
			if err := write(ctx, b); err != nil {
				return err
			}
		}
		var err error
		w.result.Size, err = size(ctx, tx)
		return err
	})
	if err != nil {
		return history.Written{}, err
	}
	db.ids.drop(b.Forget)
	if len(b.Drop) > 0 || b.Move != (history.Move{}) {
		db.ids.forget()
	}
	db.ids.put(w.found)
	return w.result, nil
}

// historyWriter writes one batch in one transaction.
type historyWriter struct {
	tx     *sql.Tx
	known  *seriesIDs
	found  map[core.Series]int64 // in this transaction
	result history.Written
}

// id returns the row number of a series, which it makes if it is new.
func (w *historyWriter) id(ctx context.Context, name core.Series) (int64, error) {
	if id, ok := w.found[name]; ok {
		return id, nil
	}
	if id, ok := w.known.get(name); ok {
		return id, nil
	}
	var id int64
	var d core.Description
	err := w.tx.QueryRowContext(ctx, "SELECT id, label, unit, keep_days FROM series WHERE name = ?", name).
		Scan(&id, &d.Label, &d.Unit, &d.KeepDays)
	if errors.Is(err, sql.ErrNoRows) {
		err = w.tx.QueryRowContext(ctx, "INSERT INTO series (name) VALUES (?) RETURNING id", name).Scan(&id)
	}
	if err != nil {
		return 0, err
	}
	w.found[name] = id
	if d != (core.Description{}) {
		if w.result.Known == nil {
			w.result.Known = map[core.Series]core.Description{}
		}
		w.result.Known[name] = d
	}
	return id, nil
}

func (w *historyWriter) forget(ctx context.Context, b history.Batch) error {
	for _, name := range b.Forget {
		for _, q := range []string{
			"DELETE FROM chunk WHERE series = (SELECT id FROM series WHERE name = ?)",
			"DELETE FROM rollup WHERE series = (SELECT id FROM series WHERE name = ?)",
			"DELETE FROM text WHERE series = (SELECT id FROM series WHERE name = ?)",
			"DELETE FROM series WHERE name = ? AND label = '' AND unit = '' AND keep_days = 0",
		} {
			if _, err := w.tx.ExecContext(ctx, q, name); err != nil {
				return err
			}
		}
	}
	w.known.drop(b.Forget) // the row may be gone, and is looked up again if this is undone
	return nil
}

// under selects the series that come from the topic ?1 and those below it.
const under = "(name = ?1 OR name >= ?1 || '/' AND name < ?1 || '0' OR name >= ?1 || '#' AND name < ?1 || '$')"

func (w *historyWriter) leave(ctx context.Context, b history.Batch) error {
	for _, n := range b.Drop {
		for _, q := range []string{
			"DELETE FROM chunk WHERE series IN (SELECT id FROM series WHERE " + under + ")",
			"DELETE FROM rollup WHERE series IN (SELECT id FROM series WHERE " + under + ")",
			"DELETE FROM text WHERE series IN (SELECT id FROM series WHERE " + under + ")",
			"DELETE FROM series WHERE " + under,
		} {
			if _, err := w.tx.ExecContext(ctx, q, n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *historyWriter) move(ctx context.Context, b history.Batch) error {
	if b.Move == (history.Move{}) {
		return nil
	}
	type row struct {
		id   int64
		name string
	}
	var rows []row
	if err := each(ctx, w.tx, "SELECT id, name FROM series WHERE "+under, func(r *sql.Rows) error {
		var next row
		err := r.Scan(&next.id, &next.name)
		rows = append(rows, next)
		return err
	}, b.Move.From); err != nil {
		return err
	}
	for _, r := range rows {
		name := string(b.Move.To) + r.name[len(b.Move.From):]
		var there int64
		err := w.tx.QueryRowContext(ctx, "SELECT id FROM series WHERE name = ?", name).Scan(&there)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			_, err = w.tx.ExecContext(ctx, "UPDATE series SET name = ? WHERE id = ?", name, r.id)
		case err == nil:
			err = w.join(ctx, r.id, there)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// join makes the series with row number id a part of another.
func (w *historyWriter) join(ctx context.Context, id, there int64) error {
	for _, q := range []string{
		"UPDATE chunk SET series = ?2 WHERE series = ?1",
		"UPDATE text SET series = ?2 WHERE series = ?1",
		"INSERT INTO rollup (series, level, start, first, last, min, max, sum, n, end) " +
			"SELECT ?2, level, start, first, last, min, max, sum, n, end FROM rollup WHERE series = ?1 " + addRollup,
		"DELETE FROM rollup WHERE series = ?1",
		`UPDATE series SET (label, unit, keep_days) = (SELECT label, unit, keep_days FROM series WHERE id = ?1)
			WHERE id = ?2 AND label = '' AND unit = '' AND keep_days = 0`,
		"DELETE FROM series WHERE id = ?1",
	} {
		if _, err := w.tx.ExecContext(ctx, q, id, there); err != nil {
			return err
		}
	}
	return nil
}

func (w *historyWriter) describe(ctx context.Context, b history.Batch) error {
	for name, d := range b.Describe {
		_, err := w.tx.ExecContext(ctx, `INSERT INTO series (name, label, unit, keep_days) VALUES (?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET label = excluded.label, unit = excluded.unit, keep_days = excluded.keep_days`,
			name, d.Label, d.Unit, d.KeepDays)
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *historyWriter) meet(ctx context.Context, b history.Batch) error {
	for _, name := range b.Meet {
		if _, err := w.id(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (w *historyWriter) chunks(ctx context.Context, b history.Batch) error {
	return w.insert(ctx, len(b.Chunks), 12,
		"INSERT INTO chunk (id, series, kind, rolled, first, last, min, max, sum, n, end, packed)",
		`ON CONFLICT (id) DO UPDATE SET rolled = excluded.rolled, last = excluded.last, min = excluded.min, max = excluded.max,
			sum = excluded.sum, n = excluded.n, end = excluded.end, packed = excluded.packed`,
		func(row []any, i int) ([]any, error) {
			c := &b.Chunks[i]
			id, err := w.id(ctx, c.Series)
			return append(row, c.ID, id, c.Kind, c.Rolled, c.First, c.Last, c.Min, c.Max, c.Sum, c.N, c.End, c.Packed), err
		})
}

// addRollup adds a roll-up to the one that is there. The sum stays finite: an
// infinity and its opposite would make it NULL.
const addRollup = `ON CONFLICT DO UPDATE SET
			end = CASE WHEN excluded.last >= last THEN excluded.end ELSE end END,
			first = min(first, excluded.first), last = max(last, excluded.last),
			min = min(min, excluded.min), max = max(max, excluded.max),
			sum = max(min(sum + excluded.sum, 1.7976931348623157e308), -1.7976931348623157e308), n = n + excluded.n`

func (w *historyWriter) rollups(ctx context.Context, b history.Batch) error {
	return w.insert(ctx, len(b.Rollups), 10,
		"INSERT INTO rollup (series, level, start, first, last, min, max, sum, n, end)", addRollup,
		func(row []any, i int) ([]any, error) {
			r := &b.Rollups[i]
			id, err := w.id(ctx, r.Series)
			return append(row, id, r.Level, r.Start, r.First, r.Last, r.Min, r.Max, r.Sum, r.N, r.End), err
		})
}

func (w *historyWriter) texts(ctx context.Context, b history.Batch) error {
	return w.insert(ctx, len(b.Texts), 4, "INSERT INTO text (id, series, at, value)", "ON CONFLICT (id) DO NOTHING",
		func(row []any, i int) ([]any, error) {
			t := &b.Texts[i]
			id, err := w.id(ctx, t.Series)
			return append(row, t.ID, id, t.At, t.Value), err
		})
}

func (w *historyWriter) days(ctx context.Context, b history.Batch) error {
	for _, d := range b.Days {
		if _, err := w.tx.ExecContext(ctx, "INSERT INTO day (day) VALUES (?) ON CONFLICT DO NOTHING", d); err != nil {
			return err
		}
	}
	return nil
}

// insert adds n rows of so many columns, rowsAtOnce of them in one statement:
// a statement costs more than a row. The function row appends the values of
// the i-th to those before.
func (w *historyWriter) insert(ctx context.Context, n, columns int, into, conflict string, row func(row []any, i int) ([]any, error)) error {
	var stmt *sql.Stmt
	var err error
	values := make([]any, 0, rowsAtOnce*columns)
	for i, has := 0, 0; i < n; {
		rows := min(n-i, rowsAtOnce)
		if rows != has {
			tuple := "(?" + strings.Repeat(", ?", columns-1) + ")"
			query := into + " VALUES " + tuple + strings.Repeat(", "+tuple, rows-1) + " " + conflict
			if stmt, err = w.tx.PrepareContext(ctx, query); err != nil {
				return err
			}
			defer stmt.Close()
			has = rows
		}
		for values = values[:0]; len(values) < rows*columns; i++ {
			if values, err = row(values, i); err != nil {
				return err
			}
		}
		if _, err := stmt.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return nil
}

const (
	chunkColumns = "id, kind, rolled, first, last, min, max, sum, n, end"
	// chunksBetween needs chunk_time alone, because no chunk is longer than a day.
	chunksBetween = "series = (SELECT id FROM series WHERE name = ?1) AND rolled IN (0, 1, 2, 3) AND last >= ?2 AND last < ?4 AND first < ?3"
)

func scanChunk(rows *sql.Rows, name core.Series) (history.Chunk, error) {
	c := history.Chunk{Series: name}
	err := rows.Scan(&c.ID, &c.Kind, &c.Rolled, &c.First, &c.Last, &c.Min, &c.Max, &c.Sum, &c.N, &c.End, &c.Packed)
	return c, err
}

// ReadChunks implements history.Store.
func (db *DB) ReadChunks(ctx context.Context, q history.Query, chunk func(history.Chunk) error, rollup func(history.Rollup) error) (rolled bool, err error) {
	defer func() { err = explain(db.history.path, err) }()
	tx, err := db.history.read.BeginTx(ctx, nil) // one state for all that follows
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	until := q.To
	if until < math.MaxInt64-day {
		until += day
	}
	stretch := []any{q.Series, q.From, q.To, until}
	if q.Level >= 0 {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM chunk WHERE "+chunksBetween+" LIMIT ?5)",
			append(stretch, q.MaxChunks+1)...).Scan(&n); err != nil {
			return false, err
		}
		rolled = n > q.MaxChunks
	}
	one := func(rows *sql.Rows) error {
		c, err := scanChunk(rows, q.Series)
		if err != nil {
			return err
		}
		return chunk(c)
	}
	columns := "SELECT " + chunkColumns + ", CASE WHEN last - first > ?5 OR first < ?2 OR last >= ?3 THEN packed END FROM chunk WHERE " + chunksBetween
	if !rolled {
		if err := each(ctx, tx, columns, one, append(stretch, q.Whole)...); err != nil || q.Level < 0 {
			return false, err
		}
		oldest := int64(math.MaxInt64)
		if err := each(ctx, tx, "SELECT first FROM chunk WHERE series = (SELECT id FROM series WHERE name = ?) ORDER BY id LIMIT 1",
			func(rows *sql.Rows) error { return rows.Scan(&oldest) }, q.Series); err != nil {
			return false, err
		}
		if oldest <= q.From {
			return false, nil
		}
		return false, readRollups(ctx, tx, q, max(q.Level, 1), min(oldest, q.To), rollup)
	}
	seen := map[int64]bool{}
	if err := each(ctx, tx, columns+" AND rolled > ?6", func(rows *sql.Rows) error {
		c, err := scanChunk(rows, q.Series)
		if err != nil {
			return err
		}
		seen[c.ID] = true
		return chunk(c)
	}, append(stretch, q.Whole, q.Level)...); err != nil {
		return true, err
	}
	for _, id := range q.Unsaved {
		if seen[id] {
			continue
		}
		if err := each(ctx, tx, "SELECT "+chunkColumns+", packed FROM chunk WHERE id = ?", one, id); err != nil {
			return true, err
		}
	}
	return true, readRollups(ctx, tx, q, q.Level, q.To, rollup)
}

// readRollups reads the roll-ups of a level with readings in the stretch of q
// that all lie before until, if that is before the end of the stretch.
func readRollups(ctx context.Context, tx *sql.Tx, q history.Query, level int, until int64, rollup func(history.Rollup) error) error {
	return each(ctx, tx, `SELECT start, first, last, min, max, sum, n, end FROM rollup
		WHERE series = (SELECT id FROM series WHERE name = ?) AND level = ? AND start > ? AND start < ?`,
		func(rows *sql.Rows) error {
			r := history.Rollup{Series: q.Series, Level: level}
			if err := rows.Scan(&r.Start, &r.First, &r.Last, &r.Min, &r.Max, &r.Sum, &r.N, &r.End); err != nil {
				return err
			}
			if r.Last < q.From || r.First >= q.To || until < q.To && r.Last >= until {
				return nil
			}
			return rollup(r)
		}, q.Series, level, q.From-history.Levels[level], until)
}

// ReadTexts implements history.Store.
func (db *DB) ReadTexts(ctx context.Context, q history.TextQuery, text func(history.Text) bool) error {
	order := " ORDER BY at, id"
	if q.Newest {
		order = " ORDER BY at DESC, id DESC"
	}
	err := each(ctx, db.history.read, "SELECT id, at, value FROM text WHERE series = (SELECT id FROM series WHERE name = ?) AND at >= ? AND at < ?"+order,
		func(rows *sql.Rows) error {
			t := history.Text{Series: q.Series}
			if err := rows.Scan(&t.ID, &t.At, &t.Value); err != nil {
				return err
			}
			if !text(t) {
				return errEnough
			}
			return nil
		}, q.Series, q.From, q.To)
	if errors.Is(err, errEnough) {
		return nil
	}
	return explain(db.history.path, err)
}

// CountReadings implements history.Store.
func (db *DB) CountReadings(ctx context.Context, n topic.Name) (count int64, err error) {
	err = db.history.read.QueryRowContext(ctx, "SELECT (SELECT coalesce(sum(n), 0) FROM chunk WHERE series IN (SELECT id FROM series WHERE "+under+
		")) + (SELECT count(*) FROM text WHERE series IN (SELECT id FROM series WHERE "+under+"))", n).Scan(&count)
	return count, explain(db.history.path, err)
}

// TrimHistory implements history.Store. It works in small transactions, so
// that readings can be written in between.
func (db *DB) TrimHistory(ctx context.Context, t history.Trim) (int64, error) {
	if t.Day >= 0 {
		if err := db.trimAge(ctx, t); err != nil {
			return 0, err
		}
	}
	if err := db.vacuum(ctx); err != nil {
		return 0, err
	}
	for {
		n, err := size(ctx, db.history.read)
		if err != nil {
			return 0, explain(db.history.path, err)
		}
		if t.Bytes <= 0 || n <= t.Bytes {
			return n, nil
		}
		// A little below the bound, so that not every flush trims.
		for n > t.Bytes-t.Bytes/20 {
			more, err := db.trimOldest(ctx)
			if err == nil {
				err = db.vacuum(ctx)
			}
			if err != nil {
				return 0, err
			}
			if n, err = size(ctx, db.history.read); err != nil {
				return 0, explain(db.history.path, err)
			}
			if !more {
				return n, nil
			}
		}
	}
}

// trimAge removes what is older than its series is kept.
func (db *DB) trimAge(ctx context.Context, t history.Trim) error {
	type kept struct {
		id   int64
		days int
	}
	var all []kept
	if err := each(ctx, db.history.read, "SELECT id, keep_days FROM series", func(rows *sql.Rows) error {
		var k kept
		err := rows.Scan(&k.id, &k.days)
		if k.days == 0 {
			k.days = t.Days
		}
		if k.days > 0 {
			all = append(all, k)
		}
		return err
	}); err != nil {
		return explain(db.history.path, err)
	}
	for some := range slices.Chunk(all, trimSeries) {
		err := db.history.tx(ctx, func(tx *sql.Tx) error {
			for _, k := range some {
				cut := (t.Day - int64(k.days)) * day
				if _, err := tx.ExecContext(ctx, "DELETE FROM chunk WHERE series = ? AND rolled IN (0, 1, 2, 3) AND last < ?", k.id, cut); err != nil {
					return err
				}
				if _, err := tx.ExecContext(ctx, "DELETE FROM text WHERE series = ? AND at < ?", k.id, cut); err != nil {
					return err
				}
				for level, width := range history.Levels {
					if _, err := tx.ExecContext(ctx, "DELETE FROM rollup WHERE series = ? AND level = ? AND start <= ?", k.id, level, cut-width); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// trimOldest removes some of the oldest readings with their roll-ups by the
// minute, and the coarser roll-ups once no reading is left. It reports whether
// there may be more to remove.
func (db *DB) trimOldest(ctx context.Context) (more bool, err error) {
	err = db.history.tx(ctx, func(tx *sql.Tx) error {
		var id, until sql.NullInt64
		if err := tx.QueryRowContext(ctx, "SELECT max(id), max(last) FROM (SELECT id, last FROM chunk ORDER BY id LIMIT ?)", trimChunks).Scan(&id, &until); err != nil {
			return err
		}
		var series []int64
		if err := each(ctx, tx, "SELECT DISTINCT series FROM chunk WHERE id <= ?", func(rows *sql.Rows) error {
			var s int64
			err := rows.Scan(&s)
			series = append(series, s)
			return err
		}, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM chunk WHERE id <= ?", id); err != nil {
			return err
		}
		for _, s := range series {
			if _, err := tx.ExecContext(ctx, "DELETE FROM rollup WHERE series = ? AND level = 0 AND start < ?", s, until); err != nil {
				return err
			}
		}
		res, err := tx.ExecContext(ctx, `DELETE FROM text WHERE id <= (SELECT max(id) FROM (SELECT id FROM text ORDER BY id LIMIT ?1))
			AND (?2 IS NULL OR at <= ?2)`, trimTexts, until)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		if more = id.Valid || n > 0; more {
			return nil
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM rollup WHERE level < 2")
		return err
	})
	return more, err
}

// vacuum gives the free pages back to the disk.
func (db *DB) vacuum(ctx context.Context) error {
	_, err := db.history.write.ExecContext(ctx, "PRAGMA incremental_vacuum")
	return explain(db.history.path, err)
}

// size returns the size of the database in bytes, without its write-ahead log.
func size(ctx context.Context, q querier) (n int64, err error) {
	err = each(ctx, q, "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()", func(rows *sql.Rows) error {
		return rows.Scan(&n)
	})
	return n, err
}

// errEnough ends each early.
var errEnough = errors.New("enough")

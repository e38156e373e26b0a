package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/core/why"
)

// trimWhy is how many rows one step of trimming removes.
const trimWhy = 5_000

// whyNames remembers the row numbers of names that were written. The zero value
// knows none.
type whyNames struct {
	mu  sync.Mutex
	ids map[string]int64 // guarded by mu
}

func (w *whyNames) get(name string) (int64, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id, ok := w.ids[name]
	return id, ok
}

// put takes in what a committed transaction found and made.
func (w *whyNames) put(ids map[string]int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ids == nil || len(w.ids)+len(ids) > maxIDs {
		w.ids = map[string]int64{}
	}
	for name, id := range ids {
		w.ids[name] = id
	}
}

func (w *whyNames) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids = nil
}

// Flags of a message.
const (
	whyChanged = 1 << iota
	whyWill
)

func whyFlags(m why.Message) (f int) {
	if m.Changed {
		f |= whyChanged
	}
	if m.Will {
		f |= whyWill
	}
	return f
}

// LoadWhy implements why.Store.
func (db *DB) LoadWhy(ctx context.Context) (l why.Loaded, err error) {
	defer func() { err = explain(db.history.path, err) }()
	l.Newest = map[topic.Name]uint64{}
	if err := db.history.read.QueryRowContext(ctx, `SELECT max(coalesce((SELECT max(id) FROM why_message), 0),
		coalesce((SELECT max(mark) FROM why_firing), 0), coalesce((SELECT max(cause) FROM why_firing), 0))`).Scan(&l.Last); err != nil {
		return l, err
	}
	err = each(ctx, db.history.read, `SELECT name, (SELECT digest FROM why_message WHERE topic = n.id ORDER BY id DESC LIMIT 1) AS newest
		FROM why_name AS n WHERE newest IS NOT NULL`, func(rows *sql.Rows) error {
		var n topic.Name
		var digest int64
		err := rows.Scan(&n, &digest)
		l.Newest[n] = uint64(digest)
		return err
	})
	return l, err
}

// WriteWhy implements why.Store.
func (db *DB) WriteWhy(ctx context.Context, b why.Batch) error {
	w := whyWriter{known: &db.why, found: map[string]int64{}}
	err := db.history.tx(ctx, func(tx *sql.Tx) error {
		w.tx = tx
		for _, write := range []func(context.Context, why.Batch) error{w.messages, w.deliveries, w.firings, w.refusals} {
			if err := write(ctx, b); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		db.why.put(w.found)
	}
	return err
}

// whyWriter writes one batch in one transaction.
type whyWriter struct {
	tx    *sql.Tx
	known *whyNames
	found map[string]int64 // in this transaction
}

// id returns the row number of a name, which it makes if it is new.
func (w *whyWriter) id(ctx context.Context, name string) (int64, error) {
	if id, ok := w.found[name]; ok {
		return id, nil
	}
	if id, ok := w.known.get(name); ok {
		return id, nil
	}
	var id int64
	err := w.tx.QueryRowContext(ctx, "SELECT id FROM why_name WHERE name = ?", name).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = w.tx.QueryRowContext(ctx, "INSERT INTO why_name (name) VALUES (?) RETURNING id", name).Scan(&id)
	}
	if err != nil {
		return 0, err
	}
	w.found[name] = id
	return id, nil
}

// insert writes n rows of several columns, many with one statement. row returns
// the values of one.
func (w *whyWriter) insert(ctx context.Context, into string, n int, tail string, row func(i int) ([]any, error)) error {
	var many *sql.Stmt
	for at := 0; at < n; {
		count := min(n-at, rowsAtOnce)
		var args []any
		columns := 0
		for i := at; i < at+count; i++ {
			values, err := row(i)
			if err != nil {
				return err
			}
			columns = len(values)
			args = append(args, values...)
		}
		one := "(?" + strings.Repeat(", ?", columns-1) + ")"
		query := into + " VALUES " + one + strings.Repeat(", "+one, count-1) + " " + tail
		var err error
		if count < rowsAtOnce {
			_, err = w.tx.ExecContext(ctx, query, args...)
		} else {
			if many == nil {
				if many, err = w.tx.PrepareContext(ctx, query); err != nil {
					return err
				}
				defer many.Close()
			}
			_, err = many.ExecContext(ctx, args...)
		}
		if err != nil {
			return err
		}
		at += count
	}
	return nil
}

func (w *whyWriter) messages(ctx context.Context, b why.Batch) error {
	return w.insert(ctx, "INSERT INTO why_message (id, topic, at, account, client, flags, digest, value)", len(b.Messages),
		"ON CONFLICT (id) DO UPDATE SET flags = flags | excluded.flags", func(i int) ([]any, error) {
			m := b.Messages[i]
			n, err := w.id(ctx, string(m.Topic))
			if err != nil {
				return nil, err
			}
			client, err := w.id(ctx, m.Client)
			return []any{m.ID, n, m.At.UnixMicro(), int64(m.Account), client, whyFlags(m), int64(m.Digest), m.Value}, err
		})
}

func (w *whyWriter) deliveries(ctx context.Context, b why.Batch) error {
	if len(b.Deliveries) == 0 {
		return nil
	}
	stmt, err := w.tx.PrepareContext(ctx, `INSERT INTO why_delivery (message, at, client, account, acked)
		SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM why_message WHERE id = ?1) ON CONFLICT DO NOTHING`)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, d := range b.Deliveries {
		client, err := w.id(ctx, d.Client)
		if err != nil {
			return err
		}
		if _, err := stmt.ExecContext(ctx, d.Message, d.At.UnixMicro(), client, int64(d.Account), d.Acked); err != nil {
			return err
		}
	}
	return nil
}

// whyDetail is what is kept of a firing as JSON.
type whyDetail struct {
	Why   core.Sentence
	Reads []topic.Name
	Sent  []why.Sent
}

func (w *whyWriter) firings(ctx context.Context, b why.Batch) error {
	return w.insert(ctx, "INSERT INTO why_firing (mark, at, rule, cause, detail)", len(b.Firings), "", func(i int) ([]any, error) {
		f := b.Firings[i]
		detail, err := json.Marshal(whyDetail{f.Why, f.Reads, f.Sent})
		return []any{f.Mark, f.At.UnixMicro(), string(f.Rule), f.Cause, string(detail)}, err
	})
}

func (w *whyWriter) refusals(ctx context.Context, b why.Batch) error {
	return w.insert(ctx, "INSERT INTO why_refusal (topic, at, account, client, say)", len(b.Refusals), "", func(i int) ([]any, error) {
		r := b.Refusals[i]
		say, err := json.Marshal(r.Say)
		if err != nil {
			return nil, err
		}
		n, err := w.id(ctx, string(r.Topic))
		if err != nil {
			return nil, err
		}
		client, err := w.id(ctx, r.Client)
		return []any{n, r.At.UnixMicro(), int64(r.Account), client, string(say)}, err
	})
}

// TrimWhy implements why.Store.
func (db *DB) TrimWhy(ctx context.Context, t why.Trim) (more bool, err error) {
	err = db.history.tx(ctx, func(tx *sql.Tx) error {
		remove := func(query string, args ...any) error {
			res, err := tx.ExecContext(ctx, query, args...)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			more = more || n >= trimWhy
			return err
		}
		before := t.Before.UnixMicro()
		var crowded []int64
		if err := each(ctx, tx, "SELECT topic FROM why_message GROUP BY topic HAVING count(*) > ?", func(rows *sql.Rows) error {
			var n int64
			err := rows.Scan(&n)
			crowded = append(crowded, n)
			return err
		}, t.PerTopic); err != nil {
			return err
		}
		for _, n := range crowded {
			if err := remove(`DELETE FROM why_message WHERE id IN (SELECT id FROM why_message WHERE topic = ?1
				AND id <= (SELECT id FROM why_message WHERE topic = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
				AND id NOT IN (SELECT cause FROM why_firing) ORDER BY id LIMIT ?3)`, n, t.PerTopic, trimWhy); err != nil {
				return err
			}
		}
		// What came first goes first, whatever the clock said later.
		if err := remove(`DELETE FROM why_message WHERE id IN (SELECT id FROM why_message
			WHERE id < coalesce((SELECT id FROM why_message WHERE at >= ?1 ORDER BY id LIMIT 1), 9223372036854775807)
			OR id <= (SELECT id FROM why_message ORDER BY id DESC LIMIT 1 OFFSET ?2) ORDER BY id LIMIT ?3)`, before, t.Messages, trimWhy); err != nil {
			return err
		}
		if err := remove(`DELETE FROM why_delivery WHERE message <= (SELECT message FROM why_delivery ORDER BY message DESC LIMIT 1 OFFSET ?1)
			AND message < (SELECT max(message) FROM (SELECT message FROM why_delivery ORDER BY message LIMIT ?2))`, t.Deliveries, trimWhy+1); err != nil {
			return err
		}
		for _, table := range []string{"why_firing", "why_refusal"} {
			if err := remove(`DELETE FROM `+table+` WHERE id IN (SELECT id FROM `+table+`
				WHERE id < coalesce((SELECT id FROM `+table+` WHERE at >= ?1 ORDER BY id LIMIT 1), 9223372036854775807)
				OR id <= (SELECT id FROM `+table+` ORDER BY id DESC LIMIT 1 OFFSET ?2) ORDER BY id LIMIT ?3)`, before, t.Others, trimWhy); err != nil {
				return err
			}
		}
		if !t.Names {
			return nil
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM why_name WHERE id NOT IN (SELECT topic FROM why_message UNION SELECT client FROM why_message
			UNION SELECT client FROM why_delivery UNION SELECT topic FROM why_refusal UNION SELECT client FROM why_refusal)`)
		return err
	})
	if t.Names {
		db.why.forget()
	}
	return more, err
}

// WhyMessages implements why.Store.
func (db *DB) WhyMessages(ctx context.Context, q why.Query) (ms []why.Message, err error) {
	where, args := []string{"true"}, []any{}
	and := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if q.ID != 0 {
		and("m.id = ?", q.ID)
	}
	if len(q.Topics) > 0 {
		and(inNames("m.topic", q.Topics, &args))
	}
	if q.After != 0 {
		and("m.id > ?", q.After)
	}
	if q.Before != 0 {
		and("m.id < ?", q.Before)
	}
	if !q.From.IsZero() {
		and("m.at >= ?", q.From.UnixMicro())
	}
	if !q.To.IsZero() {
		and("m.at <= ?", q.To.UnixMicro())
	}
	if q.Changed {
		and(fmt.Sprintf("m.flags & %d", whyChanged))
	}
	order := "DESC"
	if q.Oldest {
		order = "ASC"
	}
	err = each(ctx, db.history.read, `SELECT m.id, t.name, m.at, m.account, c.name, m.flags, m.digest, m.value FROM why_message AS m
		JOIN why_name AS t ON t.id = m.topic JOIN why_name AS c ON c.id = m.client
		WHERE `+strings.Join(where, " AND ")+` ORDER BY m.id `+order+` LIMIT ?`, func(rows *sql.Rows) error {
		var m why.Message
		var at, digest int64
		var flags int
		err := rows.Scan(&m.ID, &m.Topic, &at, &m.Account, &m.Client, &flags, &digest, &m.Value)
		m.At, m.Digest = time.UnixMicro(at), uint64(digest)
		m.Changed, m.Will = flags&whyChanged != 0, flags&whyWill != 0
		ms = append(ms, m)
		return err
	}, append(args, q.Limit)...)
	return ms, explain(db.history.path, err)
}

// inNames is the condition that column is one of the names, whose arguments it adds.
func inNames(column string, names []topic.Name, args *[]any) string {
	for _, n := range names {
		*args = append(*args, string(n))
	}
	return column + " IN (SELECT id FROM why_name WHERE name IN (?" + strings.Repeat(", ?", len(names)-1) + "))"
}

// WhyDeliveries implements why.Store.
func (db *DB) WhyDeliveries(ctx context.Context, messages []int64, client string, limit int) (ds []why.Delivery, err error) {
	if len(messages) == 0 {
		return nil, nil
	}
	var args []any
	for _, id := range messages {
		args = append(args, id)
	}
	where := "d.message IN (?" + strings.Repeat(", ?", len(messages)-1) + ")"
	if client != "" {
		where += " AND n.name = ?"
		args = append(args, client)
	}
	err = each(ctx, db.history.read, `SELECT d.message, d.at, n.name, d.account, d.acked FROM why_delivery AS d JOIN why_name AS n ON n.id = d.client
		WHERE `+where+` ORDER BY d.at LIMIT ?`, func(rows *sql.Rows) error {
		var d why.Delivery
		var at int64
		err := rows.Scan(&d.Message, &at, &d.Client, &d.Account, &d.Acked)
		d.At = time.UnixMicro(at)
		ds = append(ds, d)
		return err
	}, append(args, limit)...)
	return ds, explain(db.history.path, err)
}

// WhyFirings implements why.Store.
func (db *DB) WhyFirings(ctx context.Context, q why.Firings, limit int) (fs []why.Firing, err error) {
	const columns = "SELECT mark, at, rule, cause, detail FROM why_firing "
	query, args := columns+"WHERE cause = ?1 ORDER BY id LIMIT ?2", []any{q.Cause, limit}
	if q.Cause == 0 {
		query = "SELECT * FROM (SELECT * FROM (" + columns + "WHERE rule = ?1 AND mark < ?2 ORDER BY mark DESC LIMIT ?3) UNION ALL SELECT * FROM (" +
			columns + "WHERE rule = ?1 AND mark >= ?2 ORDER BY mark LIMIT ?3)) ORDER BY abs(mark - ?2) LIMIT ?3"
		args = []any{string(q.Rule), q.Near, limit}
	}
	err = each(ctx, db.history.read, query, func(rows *sql.Rows) error {
		var f why.Firing
		var at int64
		var data []byte
		if err := rows.Scan(&f.Mark, &at, &f.Rule, &f.Cause, &data); err != nil {
			return err
		}
		var d whyDetail
		if err := json.Unmarshal(data, &d); err != nil {
			return fmt.Errorf("firing of %s: %w", f.Rule, err)
		}
		f.At, f.Why, f.Reads, f.Sent = time.UnixMicro(at), d.Why, d.Reads, d.Sent
		fs = append(fs, f)
		return nil
	}, args...)
	return fs, explain(db.history.path, err)
}

// WhyRefusals implements why.Store.
func (db *DB) WhyRefusals(ctx context.Context, topics []topic.Name, from, to time.Time, limit int) (rs []why.Refusal, err error) {
	var args []any
	where := inNames("r.topic", topics, &args) + " AND r.at >= ?"
	args = append(args, from.UnixMicro())
	if !to.IsZero() {
		where += " AND r.at <= ?"
		args = append(args, to.UnixMicro())
	}
	err = each(ctx, db.history.read, `SELECT r.at, t.name, r.account, c.name, r.say FROM why_refusal AS r
		JOIN why_name AS t ON t.id = r.topic JOIN why_name AS c ON c.id = r.client WHERE `+where+` ORDER BY r.at LIMIT ?`, func(rows *sql.Rows) error {
		var r why.Refusal
		var at int64
		var say []byte
		if err := rows.Scan(&at, &r.Topic, &r.Account, &r.Client, &say); err != nil {
			return err
		}
		r.At = time.UnixMicro(at)
		rs = append(rs, r)
		return json.Unmarshal(say, &rs[len(rs)-1].Say)
	}, append(args, limit)...)
	return rs, explain(db.history.path, err)
}

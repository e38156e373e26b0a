package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"homeroom/core"
	"homeroom/core/plan"
	"homeroom/core/topic"
)

// PlanRevision implements plan.Store.
func (db *DB) PlanRevision(ctx context.Context) (n int64, err error) {
	err = db.core.read.QueryRowContext(ctx, `SELECT n FROM plan_revision`).Scan(&n)
	return n, explain(db.core.path, err)
}

// ReadPlan implements plan.Store.
func (db *DB) ReadPlan(ctx context.Context) (k plan.Kept, err error) {
	defer func() { err = explain(db.core.path, err) }()
	tx, err := db.core.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one moment
	if err != nil {
		return k, err
	}
	defer func() { _ = tx.Rollback() }()
	if err := tx.QueryRowContext(ctx, `SELECT n, adopt FROM plan_revision`).Scan(&k.Revision, &k.Adopt); err != nil {
		return k, err
	}
	if err := readTopics(ctx, tx, &k); err != nil {
		return k, err
	}
	if k.Places, err = readDocs(ctx, tx, `SELECT doc FROM plan_place`, func(p *core.Place) *time.Time { return &p.Changed }); err != nil {
		return k, err
	}
	if k.Rules, err = readDocs(ctx, tx, `SELECT doc FROM plan_rule`, func(r *core.Rule) *time.Time { return &r.Changed }); err != nil {
		return k, err
	}
	if k.Alarms, err = readDocs(ctx, tx, `SELECT doc FROM plan_alarm`, func(a *core.Alarm) *time.Time { return &a.Changed }); err != nil {
		return k, err
	}
	if err := readNames(ctx, tx, &k); err != nil {
		return k, err
	}
	if err := readTasks(ctx, tx, &k); err != nil {
		return k, err
	}
	return k, readEdits(ctx, tx, &k)
}

func readTopics(ctx context.Context, tx *sql.Tx, k *plan.Kept) error {
	return each(ctx, tx, `SELECT name, label, unit, keep_days, text, kind, min, max, step, options, writable, qos, retain, changed FROM plan_topic`, func(rows *sql.Rows) error {
		var t core.Topic
		var changed int64
		var options string
		if err := rows.Scan(&t.Name, &t.Label, &t.Unit, &t.KeepDays, &t.Text, &t.Kind, &t.Min, &t.Max, &t.Step, &options, &t.Writable, &t.QoS, &t.Retain, &changed); err != nil {
			return err
		}
		t.Changed = time.UnixMilli(changed)
		k.Topics = append(k.Topics, &t)
		if options == "null" {
			return nil
		}
		return json.Unmarshal([]byte(options), &t.Options)
	})
}

// readDocs reads documents; changed is where each has the time, in milliseconds.
func readDocs[T any](ctx context.Context, tx *sql.Tx, query string, changed func(*T) *time.Time) (all []*T, err error) {
	err = each(ctx, tx, query, func(rows *sql.Rows) error {
		var doc []byte
		var t T
		if err := rows.Scan(&doc); err != nil {
			return err
		}
		if err := json.Unmarshal(doc, &t); err != nil {
			return err
		}
		settle(&t, changed)
		all = append(all, &t)
		return nil
	})
	return all, err
}

// settle gives t the time zone that JSON forgot.
func settle[T any](t *T, changed func(*T) *time.Time) {
	*changed(t) = time.UnixMilli(changed(t).UnixMilli())
}

func readNames(ctx context.Context, tx *sql.Tx, k *plan.Kept) error {
	err := each(ctx, tx, `SELECT old, new, until FROM plan_renamed`, func(rows *sql.Rows) error {
		var r core.Renamed
		var until int64
		err := rows.Scan(&r.Old, &r.New, &until)
		r.Until = time.UnixMilli(until)
		k.Renamed = append(k.Renamed, &r)
		return err
	})
	if err != nil {
		return err
	}
	k.Removed = map[topic.Name]core.Removal{}
	return each(ctx, tx, `SELECT topic, task, source, topics, account, at, until FROM plan_removed`, func(rows *sql.Rows) error {
		var n topic.Name
		var r core.Removal
		var at, until int64
		err := rows.Scan(&n, &r.ID, &r.Under, &r.Topics, &r.Account, &at, &until)
		r.At, r.Until = time.UnixMilli(at), time.UnixMilli(until)
		k.Removed[n] = r
		return err
	})
}

func readTasks(ctx context.Context, tx *sql.Tx, k *plan.Kept) error {
	return each(ctx, tx, `SELECT id, kind, source, target, account, at, done, topics, places, rules, alarms FROM plan_task`, func(rows *sql.Rows) error {
		var t plan.Task
		var at int64
		var docs [4][]byte
		if err := rows.Scan(&t.ID, &t.Kind, &t.From, &t.To, &t.Account, &at, &t.Done, &docs[0], &docs[1], &docs[2], &docs[3]); err != nil {
			return err
		}
		t.At = time.UnixMilli(at)
		for i, into := range []any{&t.Topics, &t.Places, &t.Rules, &t.Alarms} {
			if err := json.Unmarshal(docs[i], into); err != nil {
				return fmt.Errorf("plan task %d: %w", t.ID, err)
			}
		}
		for i := range t.Topics {
			settle(&t.Topics[i], func(t *core.Topic) *time.Time { return &t.Changed })
		}
		for i := range t.Places {
			settle(&t.Places[i], func(p *core.Place) *time.Time { return &p.Changed })
		}
		for i := range t.Rules {
			settle(&t.Rules[i], func(r *core.Rule) *time.Time { return &r.Changed })
		}
		for i := range t.Alarms {
			settle(&t.Alarms[i], func(a *core.Alarm) *time.Time { return &a.Changed })
		}
		k.Tasks = append(k.Tasks, t)
		return nil
	})
}

func readEdits(ctx context.Context, tx *sql.Tx, k *plan.Kept) error {
	return each(ctx, tx, `SELECT id, at, account, format, args, undone, kind, source, target, task, length(images) FROM plan_edit`, func(rows *sql.Rows) error {
		var e plan.Edit
		var at int64
		var args []byte
		if err := rows.Scan(&e.ID, &at, &e.Account, &e.Say.Format, &args, &e.Undone, &e.Kind, &e.From, &e.To, &e.Task, &e.Size); err != nil {
			return err
		}
		e.At = time.UnixMilli(at)
		if err := json.Unmarshal(args, &e.Say.Args); err != nil {
			return fmt.Errorf("plan edit %d: %w", e.ID, err)
		}
		k.Edits = append(k.Edits, e)
		return nil
	})
}

// WritePlan implements plan.Store.
func (db *DB) WritePlan(ctx context.Context, revision int64, c plan.Change) error {
	return db.core.tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE plan_revision SET n = n + 1, adopt = adopt AND NOT ? WHERE n = ?`, c.Adopted, revision)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return core.ErrConflict
		}
		w := planWriter{ctx, tx, revision + 1}
		for _, write := range []func(plan.Change) error{w.topics, w.docs, w.names, w.task, w.edits} {
			if err := write(c); err != nil {
				return err
			}
		}
		return nil
	})
}

// planWriter writes parts of a change in one transaction.
type planWriter struct {
	ctx context.Context
	tx  *sql.Tx
	id  int64 // of what begins
}

// rows runs a query for each of some rows.
func rows[T any](w planWriter, query string, all []T, args func(T) ([]any, error)) error {
	if len(all) == 0 {
		return nil
	}
	st, err := w.tx.PrepareContext(w.ctx, query)
	if err != nil {
		return err
	}
	defer st.Close()
	for _, one := range all {
		as, err := args(one)
		if err != nil {
			return err
		}
		if _, err := st.ExecContext(w.ctx, as...); err != nil {
			return err
		}
	}
	return nil
}

func key[K ~string](k K) ([]any, error) { return []any{k}, nil }

func (w planWriter) topics(c plan.Change) error {
	if err := rows(w, `DELETE FROM plan_topic WHERE name = ?`, c.Topics.Remove, key); err != nil {
		return err
	}
	return rows(w, `INSERT OR REPLACE INTO plan_topic (name, label, unit, keep_days, text, kind, min, max, step, options, writable, qos, retain, changed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, c.Topics.Put, func(t core.Topic) ([]any, error) {
		options, err := json.Marshal(t.Options)
		return []any{t.Name, t.Label, t.Unit, t.KeepDays, t.Text, t.Kind, t.Min, t.Max, t.Step, string(options), t.Writable, t.QoS, t.Retain, t.Changed.UnixMilli()}, err
	})
}

// docs writes places, rules and alarms.
func (w planWriter) docs(c plan.Change) error {
	if err := rows(w, `DELETE FROM plan_place WHERE name = ?`, c.Places.Remove, key); err != nil {
		return err
	}
	if err := rows(w, `INSERT OR REPLACE INTO plan_place (name, doc) VALUES (?, ?)`, c.Places.Put, func(p core.Place) ([]any, error) { return doc(p.Name, p) }); err != nil {
		return err
	}
	if err := rows(w, `DELETE FROM plan_rule WHERE id = ?`, c.Rules.Remove, key); err != nil {
		return err
	}
	if err := rows(w, `INSERT OR REPLACE INTO plan_rule (id, doc) VALUES (?, ?)`, c.Rules.Put, func(r core.Rule) ([]any, error) { return doc(r.ID, r) }); err != nil {
		return err
	}
	if err := rows(w, `DELETE FROM plan_alarm WHERE id = ?`, c.Alarms.Remove, key); err != nil {
		return err
	}
	return rows(w, `INSERT OR REPLACE INTO plan_alarm (id, doc) VALUES (?, ?)`, c.Alarms.Put, func(a core.Alarm) ([]any, error) { return doc(a.ID, a) })
}

func doc[K ~string](k K, v any) ([]any, error) {
	d, err := json.Marshal(v)
	return []any{k, string(d)}, err
}

// names writes names that were given up, and who removed topics.
func (w planWriter) names(c plan.Change) error {
	if err := rows(w, `DELETE FROM plan_renamed WHERE old = ?`, c.Renamed.Remove, key); err != nil {
		return err
	}
	if err := rows(w, `INSERT OR REPLACE INTO plan_renamed (old, new, until) VALUES (?, ?, ?)`, c.Renamed.Put, func(r core.Renamed) ([]any, error) {
		return []any{r.Old, r.New, r.Until.UnixMilli()}, nil
	}); err != nil {
		return err
	}
	if err := rows(w, `DELETE FROM plan_removed WHERE topic = ?`, c.Removed.Remove, key); err != nil {
		return err
	}
	return rows(w, `INSERT OR REPLACE INTO plan_removed (topic, task, source, topics, account, at, until) VALUES (?, ?, ?, ?, ?, ?, ?)`, c.Removed.Put, func(t plan.Tombstone) ([]any, error) {
		return []any{t.Topic, t.ID, t.Under, t.Topics, t.Account, t.At.UnixMilli(), t.Until.UnixMilli()}, nil
	})
}

// task begins a task, or changes the one with its ID, and ends one.
func (w planWriter) task(c plan.Change) error {
	if t := c.Task; t != nil && t.ID != 0 {
		if _, err := w.tx.ExecContext(w.ctx, `UPDATE plan_task SET kind = ?, done = ? WHERE id = ?`, t.Kind, t.Done, t.ID); err != nil {
			return err
		}
	} else if t != nil {
		args := []any{w.id, t.Kind, t.From, t.To, t.Account, t.At.UnixMilli(), t.Done}
		for _, what := range []any{t.Topics, t.Places, t.Rules, t.Alarms} {
			d, err := json.Marshal(what)
			if err != nil {
				return err
			}
			args = append(args, string(d))
		}
		if _, err := w.tx.ExecContext(w.ctx, `INSERT INTO plan_task (id, kind, source, target, account, at, done, topics, places, rules, alarms)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, args...); err != nil {
			return err
		}
		if err := rows(w, `INSERT INTO plan_retained (task, topic, payload, qos, account, client, at) VALUES (?, ?, ?, ?, ?, ?, ?)`, t.Retained, func(m core.Message) ([]any, error) {
			return []any{w.id, m.Topic, m.Payload, m.QoS, m.From, m.Client, m.At.UnixMilli()}, nil
		}); err != nil {
			return err
		}
	}
	if c.End == 0 {
		return nil
	}
	_, err := w.tx.ExecContext(w.ctx, `DELETE FROM plan_task WHERE id = ?`, c.End)
	return err
}

// edits writes what can be undone and redone.
func (w planWriter) edits(c plan.Change) error {
	if err := rows(w, `DELETE FROM plan_edit WHERE id = ?`, c.Forget, func(id int64) ([]any, error) { return []any{id}, nil }); err != nil {
		return err
	}
	if c.Turn != 0 {
		if _, err := w.tx.ExecContext(w.ctx, `UPDATE plan_edit SET undone = NOT undone WHERE id = ?`, c.Turn); err != nil {
			return err
		}
	}
	if c.Again != 0 {
		if _, err := w.tx.ExecContext(w.ctx, `UPDATE plan_edit SET task = ? WHERE task = ?`, w.id, c.Again); err != nil {
			return err
		}
	}
	e := c.Edit
	if e == nil {
		return nil
	}
	args, err := json.Marshal(e.Say.Args)
	if err != nil {
		return err
	}
	_, err = w.tx.ExecContext(w.ctx, `INSERT INTO plan_edit (id, at, account, format, args, undone, kind, source, target, task, images) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.ID, e.At.UnixMilli(), e.Account, e.Say.Format, string(args), e.Undone, e.Kind, e.From, e.To, e.Task, e.Images)
	return err
}

// ReadRetained implements plan.Store.
func (db *DB) ReadRetained(ctx context.Context, task int64) (ms []core.Message, err error) {
	err = each(ctx, db.core.read, `SELECT topic, payload, qos, account, client, at FROM plan_retained WHERE task = ? ORDER BY topic`, func(rows *sql.Rows) error {
		m := core.Message{Retain: true}
		var at int64
		err := rows.Scan(&m.Topic, &m.Payload, &m.QoS, &m.From, &m.Client, &at)
		m.At = time.UnixMilli(at)
		ms = append(ms, m)
		return err
	}, task)
	return ms, explain(db.core.path, err)
}

// ReadImages implements plan.Store.
func (db *DB) ReadImages(ctx context.Context, edit int64) (images []byte, err error) {
	err = db.core.read.QueryRowContext(ctx, `SELECT images FROM plan_edit WHERE id = ?`, edit).Scan(&images)
	return images, explain(db.core.path, err)
}

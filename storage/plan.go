package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"homeroom/core"
	"homeroom/core/plan"
)

// PlanRevision implements plan.Store.
func (db *DB) PlanRevision(ctx context.Context) (n int64, err error) {
	err = db.core.read.QueryRowContext(ctx, `SELECT n FROM plan_revision`).Scan(&n)
	return n, explain(db.core.path, err)
}

// ReadPlan implements plan.Store.
func (db *DB) ReadPlan(ctx context.Context, topic func(core.Topic)) (tasks []plan.Task, revision int64, err error) {
	defer func() { err = explain(db.core.path, err) }()
	tx, err := db.core.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one moment
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = tx.Rollback() }()
	if err := tx.QueryRowContext(ctx, `SELECT n FROM plan_revision`).Scan(&revision); err != nil {
		return nil, 0, err
	}
	err = each(ctx, tx, `SELECT name, text, kind, min, max, writable, qos, retain, changed FROM plan_topic`, func(rows *sql.Rows) error {
		var t core.Topic
		var changed int64
		err := rows.Scan(&t.Name, &t.Text, &t.Kind, &t.Min, &t.Max, &t.Writable, &t.QoS, &t.Retain, &changed)
		t.Changed = time.UnixMilli(changed)
		topic(t)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	err = each(ctx, tx, `SELECT id, kind, source, target, account, at, done, topics FROM plan_task ORDER BY id`, func(rows *sql.Rows) error {
		var t plan.Task
		var at int64
		var topics []byte
		if err := rows.Scan(&t.ID, &t.Kind, &t.From, &t.To, &t.Account, &at, &t.Done, &topics); err != nil {
			return err
		}
		t.At = time.UnixMilli(at)
		if err := json.Unmarshal(topics, &t.Topics); err != nil {
			return fmt.Errorf("plan task %d: %w", t.ID, err)
		}
		tasks = append(tasks, t)
		return nil
	})
	return tasks, revision, err
}

// WritePlan implements plan.Store.
func (db *DB) WritePlan(ctx context.Context, revision int64, c plan.Change) (task int64, err error) {
	err = db.core.tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE plan_revision SET n = n + 1 WHERE n = ?`, revision)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return core.ErrConflict
		}
		if err := writeTopics(ctx, tx, c); err != nil {
			return err
		}
		if c.Task != nil {
			if task, err = writeTask(ctx, tx, *c.Task); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM plan_task WHERE id = ?`, c.End)
		return err
	})
	return task, err
}

func writeTopics(ctx context.Context, tx *sql.Tx, c plan.Change) error {
	remove, err := tx.PrepareContext(ctx, `DELETE FROM plan_topic WHERE name = ?`)
	if err != nil {
		return err
	}
	defer remove.Close()
	for _, n := range c.Remove {
		if _, err := remove.ExecContext(ctx, n); err != nil {
			return err
		}
	}
	put, err := tx.PrepareContext(ctx, `INSERT OR REPLACE INTO plan_topic (name, text, kind, min, max, writable, qos, retain, changed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer put.Close()
	for _, t := range c.Put {
		if _, err := put.ExecContext(ctx, t.Name, t.Text, t.Kind, t.Min, t.Max, t.Writable, t.QoS, t.Retain, t.Changed.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// writeTask begins a task, or changes the one with its ID, and returns the ID.
func writeTask(ctx context.Context, tx *sql.Tx, t plan.Task) (int64, error) {
	if t.ID != 0 {
		_, err := tx.ExecContext(ctx, `UPDATE plan_task SET kind = ?, done = ? WHERE id = ?`, t.Kind, t.Done, t.ID)
		return t.ID, err
	}
	topics, err := json.Marshal(t.Topics)
	if err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO plan_task (kind, source, target, account, at, done, topics) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		t.Kind, t.From, t.To, t.Account, t.At.UnixMilli(), t.Done, string(topics))
	if err != nil {
		return 0, err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return 0, err
	}
	for _, m := range t.Retained {
		if _, err := tx.ExecContext(ctx, `INSERT INTO plan_retained (task, topic, payload, qos, account, client, at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			id, m.Topic, m.Payload, m.QoS, m.From, m.Client, m.At.UnixMilli()); err != nil {
			return 0, err
		}
	}
	return id, nil
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

package storage

import (
	"context"
	"database/sql"
	"time"

	"homeroom/core"
)

// Recordings implements record.Store.
func (db *DB) Recordings(ctx context.Context) (rs []core.Recording, err error) {
	err = each(ctx, db.history.read, `SELECT id, name, filter, began, ended, n, bytes, full FROM recording ORDER BY id`, func(rows *sql.Rows) error {
		var r core.Recording
		var from, to int64
		err := rows.Scan(&r.ID, &r.Name, &r.Filter, &from, &to, &r.N, &r.Bytes, &r.Full)
		r.From = time.UnixMicro(from)
		if to != 0 {
			r.To = time.UnixMicro(to)
		}
		rs = append(rs, r)
		return err
	})
	return rs, explain(db.history.path, err)
}

// SaveRecording implements record.Store.
func (db *DB) SaveRecording(ctx context.Context, r core.Recording, ms []core.Message) (int64, error) {
	err := db.history.tx(ctx, func(tx *sql.Tx) error {
		var to int64
		if !r.To.IsZero() {
			to = r.To.UnixMicro()
		}
		if r.ID == 0 {
			res, err := tx.ExecContext(ctx, `INSERT INTO recording (name, filter, began, ended, n, bytes, full) VALUES (?, ?, ?, ?, ?, ?, ?)`,
				r.Name, r.Filter, r.From.UnixMicro(), to, r.N, r.Bytes, r.Full)
			if err != nil {
				return err
			}
			if r.ID, err = res.LastInsertId(); err != nil {
				return err
			}
		} else if _, err := tx.ExecContext(ctx, `UPDATE recording SET name = ?, ended = ?, n = ?, bytes = ?, full = ? WHERE id = ?`,
			r.Name, to, r.N, r.Bytes, r.Full, r.ID); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(n), -1) + 1 FROM recorded WHERE recording = ?`, r.ID).Scan(&n); err != nil {
			return err
		}
		add, err := tx.PrepareContext(ctx, `INSERT INTO recorded (recording, n, at, topic, payload, qos, retain, account, client) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
		if err != nil {
			return err
		}
		defer add.Close()
		for i, m := range ms {
			if _, err := add.ExecContext(ctx, r.ID, n+i, m.At.UnixMicro(), m.Topic, append([]byte{}, m.Payload...), m.QoS, m.Retain, m.From, m.Client); err != nil {
				return err
			}
		}
		return nil
	})
	return r.ID, err
}

// RemoveRecording implements record.Store.
func (db *DB) RemoveRecording(ctx context.Context, id int64) error {
	return db.history.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM recorded WHERE recording = ?`, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM recording WHERE id = ?`, id)
		return err
	})
}

// Recorded implements record.Store.
func (db *DB) Recorded(ctx context.Context, id int64, skip, limit int) (ms []core.Message, err error) {
	err = each(ctx, db.history.read, `SELECT at, topic, payload, qos, retain, account, client FROM recorded WHERE recording = ? AND n >= ? ORDER BY n LIMIT ?`, func(rows *sql.Rows) error {
		var m core.Message
		var at int64
		err := rows.Scan(&at, &m.Topic, &m.Payload, &m.QoS, &m.Retain, &m.From, &m.Client)
		m.At = time.UnixMicro(at)
		ms = append(ms, m)
		return err
	}, id, skip, limit)
	return ms, explain(db.history.path, err)
}

package storage

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"homeroom/core/broker"
)

// LoadJournal implements broker.Store.
func (db *DB) LoadJournal(ctx context.Context) (s broker.Saved, err error) {
	rows, err := db.core.read.QueryContext(ctx, `SELECT client, account, name, version, protocol, expiry, left_at FROM session`)
	err = scanAll(rows, err, func() error {
		var e broker.Session
		var left sql.NullInt64
		err := rows.Scan(&e.Client, &e.Account, &e.Name, &e.Version, &e.Protocol, &e.Expiry, &left)
		if left.Valid {
			e.Left = time.UnixMilli(left.Int64)
		}
		s.Sessions = append(s.Sessions, e)
		return err
	})
	if err != nil {
		return s, explain(db.core.path, err)
	}
	rows, err = db.core.read.QueryContext(ctx, `SELECT client, filter, qos, no_local, as_published, identifier FROM subscription`)
	err = scanAll(rows, err, func() error {
		var e broker.Subscription
		err := rows.Scan(&e.Client, &e.Filter, &e.QoS, &e.NoLocal, &e.RetainAsPublished, &e.Identifier)
		s.Subscriptions = append(s.Subscriptions, e)
		return err
	})
	if err != nil {
		return s, explain(db.core.path, err)
	}
	rows, err = db.core.read.QueryContext(ctx, `SELECT topic, payload, qos, properties, account, client, at FROM retained`)
	err = scanAll(rows, err, func() error {
		e := broker.Stored{Retain: true}
		var at int64
		err := rows.Scan(&e.Topic, &e.Payload, &e.QoS, &e.Properties, &e.From, &e.Client, &at)
		e.At = time.UnixMilli(at)
		s.Retained = append(s.Retained, e)
		return err
	})
	if err != nil {
		return s, explain(db.core.path, err)
	}
	rows, err = db.core.read.QueryContext(ctx, `SELECT client, seq, packet, released, ids, topic, payload, qos, retain, properties, account, publisher, at FROM owed ORDER BY seq`)
	err = scanAll(rows, err, func() error {
		var e broker.Owed
		var ids string
		var at int64
		m := &e.Message
		err := rows.Scan(&e.Client, &e.Seq, &e.Packet, &e.Released, &ids, &m.Topic, &m.Payload, &m.QoS, &m.Retain, &m.Properties, &m.From, &m.Client, &at)
		for id := range strings.SplitSeq(ids, ",") {
			if n, err := strconv.Atoi(id); err == nil {
				e.Ids = append(e.Ids, n)
			}
		}
		m.At = time.UnixMilli(at)
		s.Owed = append(s.Owed, e)
		return err
	})
	if err != nil {
		return s, explain(db.core.path, err)
	}
	rows, err = db.core.read.QueryContext(ctx, `SELECT client, packet FROM received`)
	err = scanAll(rows, err, func() error {
		var e broker.Received
		err := rows.Scan(&e.Client, &e.Packet)
		s.Received = append(s.Received, e)
		return err
	})
	return s, explain(db.core.path, err)
}

// AppendJournal implements broker.Store. It is on the disk when it returns.
func (db *DB) AppendJournal(ctx context.Context, entries []broker.Entry) error {
	return db.core.tx(ctx, func(tx *sql.Tx) error {
		w := statements{ctx: ctx, tx: tx, prepared: map[string]*sql.Stmt{}}
		for i := range entries {
			w.append(&entries[i])
			if w.err != nil {
				return fmt.Errorf("journal: %w", w.err)
			}
		}
		return nil
	})
}

// statements runs each kind of statement prepared once in its transaction,
// and stops at the first error.
type statements struct {
	ctx      context.Context
	tx       *sql.Tx
	prepared map[string]*sql.Stmt
	err      error
}

func (w *statements) exec(query string, args ...any) {
	if w.err != nil {
		return
	}
	stmt := w.prepared[query]
	if stmt == nil {
		if stmt, w.err = w.tx.PrepareContext(w.ctx, query); w.err != nil {
			return
		}
		w.prepared[query] = stmt // closed with the transaction
	}
	_, w.err = stmt.ExecContext(w.ctx, args...)
}

func (w *statements) append(e *broker.Entry) {
	switch {
	case e.PutSession != nil:
		s := e.PutSession
		var left any
		if !s.Left.IsZero() {
			left = s.Left.UnixMilli()
		}
		w.exec(`INSERT OR REPLACE INTO session (client, account, name, version, protocol, expiry, left_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			s.Client, s.Account, s.Name, s.Version, s.Protocol, s.Expiry, left)
	case e.DropSession != "":
		for _, table := range []string{"session", "subscription", "owed", "received"} {
			w.exec(`DELETE FROM `+table+` WHERE client = ?`, e.DropSession)
		}
	case e.PutSubscription != nil:
		s := e.PutSubscription
		w.exec(`INSERT OR REPLACE INTO subscription (client, filter, qos, no_local, as_published, identifier) VALUES (?, ?, ?, ?, ?, ?)`,
			s.Client, s.Filter, s.QoS, s.NoLocal, s.RetainAsPublished, s.Identifier)
	case e.DropFilter != nil:
		w.exec(`DELETE FROM subscription WHERE client = ? AND filter = ?`, e.DropFilter.Client, e.DropFilter.Filter)
	case e.PutRetained != nil:
		m := e.PutRetained
		w.exec(`INSERT OR REPLACE INTO retained (topic, payload, qos, properties, account, client, at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			string(m.Topic), blob(m.Payload), m.QoS, m.Properties, m.From, m.Client, m.At.UnixMilli())
	case e.DropRetained != "":
		w.exec(`DELETE FROM retained WHERE topic = ?`, string(e.DropRetained))
	case e.PutOwed != nil:
		o, m := e.PutOwed, &e.PutOwed.Message
		ids := make([]string, len(o.Ids))
		for i, id := range o.Ids {
			ids[i] = strconv.Itoa(id)
		}
		w.exec(`INSERT OR REPLACE INTO owed (client, seq, packet, released, ids, topic, payload, qos, retain, properties, account, publisher, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			o.Client, o.Seq, o.Packet, o.Released, strings.Join(ids, ","), string(m.Topic), blob(m.Payload), m.QoS, m.Retain, m.Properties, m.From, m.Client, m.At.UnixMilli())
	case e.MarkOwed != nil:
		w.exec(`UPDATE owed SET packet = ?, released = ? WHERE client = ? AND seq = ?`, e.MarkOwed.Packet, e.MarkOwed.Released, e.MarkOwed.Client, e.MarkOwed.Seq)
	case e.DropOwed != nil:
		w.exec(`DELETE FROM owed WHERE client = ? AND seq = ?`, e.DropOwed.Client, e.DropOwed.Seq)
	case e.PutReceived != nil:
		w.exec(`INSERT OR IGNORE INTO received (client, packet) VALUES (?, ?)`, e.PutReceived.Client, e.PutReceived.Packet)
	case e.DropReceived != nil:
		w.exec(`DELETE FROM received WHERE client = ? AND packet = ?`, e.DropReceived.Client, e.DropReceived.Packet)
	}
}

// blob keeps an empty payload from becoming NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// scanAll calls scan for every row and closes rows.
func scanAll(rows *sql.Rows, err error, scan func() error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(); err != nil {
			return err
		}
	}
	return rows.Err()
}

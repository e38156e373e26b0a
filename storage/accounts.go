package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"homeroom/core"
	"homeroom/core/accounts"
	"homeroom/core/topic"
)

// keepRefusals is how many refusals are kept.
const keepRefusals = 10_000

// AccountsRevision implements accounts.Store.
func (db *DB) AccountsRevision(ctx context.Context) (n int64, err error) {
	err = db.core.read.QueryRowContext(ctx, `SELECT n FROM account_revision`).Scan(&n)
	return n, explain(db.core.path, err)
}

// ReadAccounts implements accounts.Store.
func (db *DB) ReadAccounts(ctx context.Context, account func(core.Account, string), team func(core.Team), grant func(core.Grant)) (revision int64, err error) {
	defer func() { err = explain(db.core.path, err) }()
	tx, err := db.core.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one moment
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	if err := tx.QueryRowContext(ctx, `SELECT n FROM account_revision`).Scan(&revision); err != nil {
		return 0, err
	}
	err = each(ctx, tx, `SELECT id, name, label, role, coalesce(team, ''), disabled, mounted, max_messages, max_bytes, max_connections, max_queue, max_packet,
		version, secret, created FROM account`,
		func(rows *sql.Rows) error {
			var a core.Account
			var secret string
			var created int64
			err := rows.Scan(&a.ID, &a.Name, &a.Label, &a.Role, &a.Team, &a.Disabled, &a.Mounted,
				&a.Limits.Messages, &a.Limits.Bytes, &a.Limits.Connections, &a.Limits.Queue, &a.Limits.Packet, &a.Version, &secret, &created)
			a.Created = time.UnixMilli(created)
			account(a, secret)
			return err
		})
	if err != nil {
		return 0, err
	}
	err = each(ctx, tx, `SELECT name, label FROM team`, func(rows *sql.Rows) error {
		var t core.Team
		err := rows.Scan(&t.Name, &t.Label)
		team(t)
		return err
	})
	if err != nil {
		return 0, err
	}
	return revision, each(ctx, tx, `SELECT id, coalesce(account, 0), coalesce(team, ''), coalesce(role, ''), action, pattern FROM access`,
		func(rows *sql.Rows) error {
			var g core.Grant
			err := rows.Scan(&g.ID, &g.Subject.Account, &g.Subject.Team, &g.Subject.Role, &g.Action, &g.Pattern)
			grant(g)
			return err
		})
}

// changeAccounts runs one statement after the other and keeps what the audit
// says, if the revision is still the present one; otherwise it returns
// core.ErrConflict. It returns the last ID.
func (db *DB) changeAccounts(ctx context.Context, e accounts.Edit, statements ...statement) (id int64, err error) {
	err = db.core.tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE account_revision SET n = n + 1 WHERE n = ?`, e.Revision)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return core.ErrConflict
		}
		for _, s := range statements {
			if res, err = tx.ExecContext(ctx, s.sql, s.args...); err != nil {
				return err
			}
		}
		if id, err = res.LastInsertId(); err != nil {
			return err
		}
		return addAudit(ctx, tx, e.Audit...)
	})
	return id, err
}

type statement struct {
	sql  string
	args []any
}

func do(sql string, args ...any) statement { return statement{sql, args} }

// AddAccount implements accounts.Store.
func (db *DB) AddAccount(ctx context.Context, e accounts.Edit, a core.Account, secret string) (core.AccountID, error) {
	id, err := db.changeAccounts(ctx, e, do(
		`INSERT INTO account (name, label, role, team, disabled, mounted, max_messages, max_bytes, max_connections, max_queue, max_packet, version, secret, created)
			VALUES (?, ?, ?, nullif(?, ''), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.Name, a.Label, a.Role, a.Team, a.Disabled, a.Mounted, a.Limits.Messages, a.Limits.Bytes, a.Limits.Connections, a.Limits.Queue, a.Limits.Packet,
		a.Version, secret, a.Created.UnixMilli()))
	return core.AccountID(id), err
}

// ChangeAccount implements accounts.Store.
func (db *DB) ChangeAccount(ctx context.Context, e accounts.Edit, a core.Account, secret string) error {
	_, err := db.changeAccounts(ctx, e, do(
		`UPDATE account SET label = ?, role = ?, team = nullif(?, ''), disabled = ?, mounted = ?,
			max_messages = ?, max_bytes = ?, max_connections = ?, max_queue = ?, max_packet = ?,
			version = ?, secret = coalesce(nullif(?, ''), secret) WHERE id = ?`,
		a.Label, a.Role, a.Team, a.Disabled, a.Mounted, a.Limits.Messages, a.Limits.Bytes, a.Limits.Connections, a.Limits.Queue, a.Limits.Packet,
		a.Version, secret, a.ID))
	return err
}

// RemoveAccount implements accounts.Store.
func (db *DB) RemoveAccount(ctx context.Context, e accounts.Edit, id core.AccountID) error {
	_, err := db.changeAccounts(ctx, e,
		do(`DELETE FROM access WHERE account = ?`, id),
		do(`DELETE FROM account WHERE id = ?`, id))
	return err
}

// AddTeam implements accounts.Store.
func (db *DB) AddTeam(ctx context.Context, e accounts.Edit, t core.Team) error {
	_, err := db.changeAccounts(ctx, e, do(`INSERT INTO team (name, label) VALUES (?, ?)`, t.Name, t.Label))
	return err
}

// ChangeTeam implements accounts.Store.
func (db *DB) ChangeTeam(ctx context.Context, e accounts.Edit, t core.Team) error {
	_, err := db.changeAccounts(ctx, e, do(`UPDATE team SET label = ? WHERE name = ?`, t.Label, t.Name))
	return err
}

// RemoveTeam implements accounts.Store.
func (db *DB) RemoveTeam(ctx context.Context, e accounts.Edit, name topic.ID) error {
	_, err := db.changeAccounts(ctx, e,
		do(`DELETE FROM access WHERE team = ?`, name),
		do(`UPDATE account SET team = NULL, version = version + 1 WHERE team = ?`, name),
		do(`DELETE FROM team WHERE name = ?`, name))
	return err
}

// AddGrant implements accounts.Store.
func (db *DB) AddGrant(ctx context.Context, e accounts.Edit, g core.Grant) (int64, error) {
	return db.changeAccounts(ctx, e, do(
		`INSERT INTO access (account, team, role, action, pattern) VALUES (nullif(?, 0), nullif(?, ''), nullif(?, ''), ?, ?)`,
		g.Subject.Account, g.Subject.Team, g.Subject.Role, g.Action, g.Pattern))
}

// RemoveGrant implements accounts.Store.
func (db *DB) RemoveGrant(ctx context.Context, e accounts.Edit, id int64) error {
	_, err := db.changeAccounts(ctx, e, do(`DELETE FROM access WHERE id = ?`, id))
	return err
}

// InstallKey implements accounts.Store.
func (db *DB) InstallKey(ctx context.Context, purpose string) (key []byte, err error) {
	err = db.core.tx(ctx, func(tx *sql.Tx) error {
		fresh := make([]byte, 32)
		rand.Read(fresh) // never fails
		if _, err := tx.ExecContext(ctx, `INSERT INTO install_key (purpose, key) VALUES (?, ?) ON CONFLICT DO NOTHING`, purpose, fresh); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT key FROM install_key WHERE purpose = ?`, purpose).Scan(&key)
	})
	return key, err
}

// AddRefusals implements accounts.Store.
func (db *DB) AddRefusals(ctx context.Context, rs []core.Refusal) error {
	return db.core.tx(ctx, func(tx *sql.Tx) error {
		add, err := tx.PrepareContext(ctx, `INSERT INTO refusal (at, count, account, name, client, addr, format, args, action, topic) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET at = max(at, excluded.at), count = count + excluded.count, addr = excluded.addr, action = excluded.action, topic = excluded.topic`)
		if err != nil {
			return err
		}
		defer add.Close()
		for _, r := range rs {
			args, err := words(r.Say)
			if err != nil {
				return err
			}
			if _, err := add.ExecContext(ctx, r.At.UnixMilli(), r.Count, r.Account, r.Name, r.Client, r.Addr, r.Say.Format, args, r.Action, r.Topic); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM refusal WHERE id IN (SELECT id FROM refusal ORDER BY at DESC, id DESC LIMIT -1 OFFSET ?)`, keepRefusals)
		return err
	})
}

// Refusals implements accounts.Store.
func (db *DB) Refusals(ctx context.Context, of []core.Account, limit int) (rs []core.Refusal, err error) {
	defer func() { err = explain(db.core.path, err) }()
	where, args := "", []any{}
	if of != nil {
		ids, names := make([]core.AccountID, len(of)), make([]topic.ID, len(of))
		for i, a := range of {
			ids[i], names[i] = a.ID, a.Name
		}
		where = `WHERE account IN (SELECT value FROM json_each(?)) OR account = 0 AND name IN (SELECT value FROM json_each(?))`
		for _, list := range []any{ids, names} {
			text, err := json.Marshal(list)
			if err != nil {
				return nil, err
			}
			args = append(args, string(text))
		}
	}
	rows, err := db.core.read.QueryContext(ctx, `SELECT id, at, count, account, name, client, addr, format, args, action, topic FROM refusal `+where+
		` ORDER BY at DESC, id DESC LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r core.Refusal
		var at int64
		var args string
		if err := rows.Scan(&r.ID, &at, &r.Count, &r.Account, &r.Name, &r.Client, &r.Addr, &r.Say.Format, &args, &r.Action, &r.Topic); err != nil {
			return nil, err
		}
		r.At = time.UnixMilli(at)
		if err := readWords(args, &r.Say); err != nil {
			return nil, fmt.Errorf("refusal %d: %w", r.ID, err)
		}
		rs = append(rs, r)
	}
	return rs, rows.Err()
}

// words is what fills a sentence, as a JSON array of strings.
func words(s core.Sentence) (string, error) {
	all := make([]string, len(s.Args))
	for i, a := range s.Args {
		all[i] = fmt.Sprint(a)
	}
	text, err := json.Marshal(all)
	return string(text), err
}

// readWords is the way back.
func readWords(text string, s *core.Sentence) error {
	return json.Unmarshal([]byte(text), &s.Args)
}

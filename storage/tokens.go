package storage

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"homeroom/core"
	"homeroom/core/accounts"
)

// How much of the audit is kept: of all, and of one account that is no teacher.
const (
	keepAudit       = 10_000
	keepAuditOfEach = 1_000
)

// addAudit adds all in tx, and removes what is too old.
func addAudit(ctx context.Context, tx *sql.Tx, all ...core.Audit) error {
	var statements []statement
	by := map[core.AccountID]bool{}
	for _, a := range all {
		args, err := words(a.Say)
		if err != nil {
			return err
		}
		statements = append(statements, do(`INSERT INTO audit (at, account, name, format, args) VALUES (?, ?, ?, ?, ?)`, a.At.UnixMilli(), a.Account, a.Name, a.Say.Format, args))
		by[a.Account] = true
	}
	for id := range by {
		statements = append(statements, do(`DELETE FROM audit WHERE account = ?1 AND ?1 <> 0 AND id <= (SELECT id FROM audit WHERE account = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
			AND NOT EXISTS (SELECT 1 FROM account WHERE id = ?1 AND role = 'teacher')`, id, keepAuditOfEach))
	}
	if len(all) > 0 {
		statements = append(statements, do(`DELETE FROM audit WHERE id <= (SELECT id FROM audit ORDER BY id DESC LIMIT 1 OFFSET ?)`, keepAudit))
	}
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s.sql, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// AddAudit implements accounts.Store.
func (db *DB) AddAudit(ctx context.Context, a core.Audit) error {
	return db.core.tx(ctx, func(tx *sql.Tx) error { return addAudit(ctx, tx, a) })
}

// Audit implements accounts.Store.
func (db *DB) Audit(ctx context.Context, limit int) (all []core.Audit, err error) {
	err = each(ctx, db.core.read, `SELECT id, at, account, name, format, args FROM audit ORDER BY id DESC LIMIT ?`, func(rows *sql.Rows) error {
		var a core.Audit
		var at int64
		var args string
		if err := rows.Scan(&a.ID, &at, &a.Account, &a.Name, &a.Say.Format, &args); err != nil {
			return err
		}
		a.At = time.UnixMilli(at)
		if err := readWords(args, &a.Say); err != nil {
			return fmt.Errorf("audit %d: %w", a.ID, err)
		}
		all = append(all, a)
		return nil
	}, limit)
	return all, explain(db.core.path, err)
}

// Families implements accounts.Store.
func (db *DB) Families(ctx context.Context, family func(accounts.Family)) error {
	err := each(ctx, db.core.read, `SELECT id, account, version, addr, refresh, until FROM token_family`, func(rows *sql.Rows) error {
		var f accounts.Family
		var until int64
		err := rows.Scan(&f.ID, &f.Account, &f.Version, &f.Addr, &f.Refresh, &until)
		f.Until = time.UnixMilli(until)
		family(f)
		return err
	})
	return explain(db.core.path, err)
}

// PutFamily implements accounts.Store.
func (db *DB) PutFamily(ctx context.Context, f accounts.Family) error {
	return db.core.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO token_family (id, account, version, addr, refresh, until) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET addr = excluded.addr, refresh = excluded.refresh, until = excluded.until`,
			f.ID, f.Account, f.Version, f.Addr, f.Refresh, f.Until.UnixMilli())
		return err
	})
}

// EndFamily implements accounts.Store.
func (db *DB) EndFamily(ctx context.Context, id int64, a core.Audit) error {
	return db.core.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM token_family WHERE id = ?`, id); err != nil {
			return err
		}
		return addAudit(ctx, tx, a)
	})
}

// ForgetFamilies implements accounts.Store.
func (db *DB) ForgetFamilies(ctx context.Context, now time.Time) error {
	return db.core.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM token_family WHERE until <= ? OR NOT EXISTS
			(SELECT 1 FROM account WHERE account.id = token_family.account AND account.version = token_family.version)`, now.UnixMilli())
		return err
	})
}

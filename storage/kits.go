package storage

import (
	"context"
	"database/sql"
	"encoding/json"

	"homeroom/core/kits"
	"homeroom/core/topic"
)

const (
	keptMade  = 10_000 // setups that are kept; the oldest go
	keptBegun = 1_000  // the same of those that did not end
)

// readJSON reads documents as they are.
func readJSON[T any](ctx context.Context, db *DB, query string, args ...any) (all []T, err error) {
	err = each(ctx, db.core.read, query, func(rows *sql.Rows) error {
		var doc []byte
		var t T
		if err := rows.Scan(&doc); err != nil {
			return err
		}
		err := json.Unmarshal(doc, &t)
		all = append(all, t)
		return err
	}, args...)
	return all, explain(db.core.path, err)
}

// write runs one query in a transaction of its own.
func (db *DB) write(ctx context.Context, query string, args ...any) error {
	return db.core.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}

// Kits implements kits.Store.
func (db *DB) Kits(ctx context.Context) ([]kits.Known, error) {
	return readJSON[kits.Known](ctx, db, `SELECT doc FROM kit ORDER BY account`)
}

// SaveKit implements kits.Store.
func (db *DB) SaveKit(ctx context.Context, k kits.Known) error {
	doc, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return db.write(ctx, `INSERT OR REPLACE INTO kit (account, doc) VALUES (?, ?)`, k.Account, string(doc))
}

// RemoveKit implements kits.Store.
func (db *DB) RemoveKit(ctx context.Context, account topic.ID) error {
	return db.write(ctx, `DELETE FROM kit WHERE account = ?`, account)
}

// MadeKits implements kits.Store.
func (db *DB) MadeKits(ctx context.Context, before int64, limit int) ([]kits.Made, error) {
	return readJSON[kits.Made](ctx, db, `SELECT doc FROM kit_made WHERE ? = 0 OR id < ? ORDER BY id DESC LIMIT ?`, before, before, limit)
}

// SaveMade implements kits.Store.
func (db *DB) SaveMade(ctx context.Context, m kits.Made) error {
	doc, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return db.core.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO kit_made (id, doc) VALUES (?, ?)`, m.ID, string(doc)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM kit_made WHERE id <= (SELECT max(id) FROM kit_made) - ?`, keptMade)
		return err
	})
}

// BegunKits implements kits.Store.
func (db *DB) BegunKits(ctx context.Context) ([]kits.Begun, error) {
	return readJSON[kits.Begun](ctx, db, `SELECT doc FROM kit_begun ORDER BY at, mac`)
}

// SaveBegun implements kits.Store.
func (db *DB) SaveBegun(ctx context.Context, b kits.Begun) error {
	doc, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return db.core.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO kit_begun (mac, at, doc) VALUES (?, ?, ?)`, b.Chip.MAC, b.At.UnixMilli(), string(doc)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM kit_begun WHERE mac NOT IN (SELECT mac FROM kit_begun ORDER BY at DESC LIMIT ?)`, keptBegun)
		return err
	})
}

// RemoveBegun implements kits.Store.
func (db *DB) RemoveBegun(ctx context.Context, mac string) error {
	return db.write(ctx, `DELETE FROM kit_begun WHERE mac = ?`, mac)
}

// Networks implements kits.Store.
func (db *DB) Networks(ctx context.Context) (names []string, err error) {
	err = each(ctx, db.core.read, `SELECT name FROM kit_network ORDER BY name`, func(rows *sql.Rows) error {
		var name []byte
		err := rows.Scan(&name)
		names = append(names, string(name))
		return err
	})
	return names, explain(db.core.path, err)
}

// SaveNetwork implements kits.Store.
func (db *DB) SaveNetwork(ctx context.Context, name string) error {
	return db.write(ctx, `INSERT OR IGNORE INTO kit_network (name) VALUES (?)`, []byte(name))
}

// RemoveNetwork implements kits.Store.
func (db *DB) RemoveNetwork(ctx context.Context, name string) error {
	return db.write(ctx, `DELETE FROM kit_network WHERE name = ?`, []byte(name))
}

// Firmware implements kits.Store.
func (db *DB) Firmware(ctx context.Context) ([]kits.Firmware, error) {
	return readJSON[kits.Firmware](ctx, db, `SELECT doc FROM kit_firmware ORDER BY added, sha256`)
}

// SaveFirmware implements kits.Store.
func (db *DB) SaveFirmware(ctx context.Context, f kits.Firmware) error {
	doc, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return db.write(ctx, `INSERT OR REPLACE INTO kit_firmware (sha256, added, doc) VALUES (?, ?, ?)`, f.SHA256, f.Added.UnixMilli(), string(doc))
}

// RemoveFirmware implements kits.Store.
func (db *DB) RemoveFirmware(ctx context.Context, sha256 string) error {
	return db.write(ctx, `DELETE FROM kit_firmware WHERE sha256 = ?`, sha256)
}

package storage

import (
	"context"
	"database/sql"
	"errors"
)

// Identity implements trust.Store.
func (db *DB) Identity(ctx context.Context, fresh func() ([]byte, error)) (kept []byte, err error) {
	err = db.core.tx(ctx, func(tx *sql.Tx) error {
		const purpose = "tls"
		err := tx.QueryRowContext(ctx, `SELECT key FROM install_key WHERE purpose = ?`, purpose).Scan(&kept)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if kept, err = fresh(); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO install_key (purpose, key) VALUES (?, ?)`, purpose, kept)
		return err
	})
	return kept, err
}

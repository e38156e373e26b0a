package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"homeroom/core"
)

// Settings returns what was saved; what never was is as in core.DefaultSettings.
func (db *DB) Settings(ctx context.Context) (core.Settings, error) {
	s := core.DefaultSettings()
	var saved []byte
	err := db.core.read.QueryRowContext(ctx, "SELECT value FROM settings").Scan(&saved)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(saved, &s)
	}
	s.Limits = s.Limits.Or(core.DefaultLimits())
	return s, explain(db.core.path, err)
}

// SaveSettings keeps s.
func (db *DB) SaveSettings(ctx context.Context, s core.Settings) error {
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return db.core.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO settings (id, value) VALUES (1, ?) ON CONFLICT DO UPDATE SET value = excluded.value", string(value))
		return err
	})
}

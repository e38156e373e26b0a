package storage

import (
	"context"
	"database/sql"
	"encoding/json"

	"homeroom/core"
)

// Alarms implements alarms.Store.
func (db *DB) Alarms(ctx context.Context) (states []core.AlarmState, err error) {
	err = each(ctx, db.core.read, `SELECT state FROM alarm ORDER BY id`, func(rows *sql.Rows) error {
		var kept []byte
		var st core.AlarmState
		if err := rows.Scan(&kept); err != nil {
			return err
		}
		err := json.Unmarshal(kept, &st)
		states = append(states, st)
		return err
	})
	return states, explain(db.core.path, err)
}

// SaveAlarms implements alarms.Store.
func (db *DB) SaveAlarms(ctx context.Context, states []core.AlarmState) error {
	return db.core.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM alarm`); err != nil {
			return err
		}
		for _, st := range states {
			kept, err := json.Marshal(st)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO alarm (id, state) VALUES (?, ?)`, st.Alarm.ID, string(kept)); err != nil {
				return err
			}
		}
		return nil
	})
}

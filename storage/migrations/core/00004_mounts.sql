-- +goose Up

-- Real names keep working for a mounted account, so old ones are mounted too.
ALTER TABLE account ADD COLUMN mounted INTEGER NOT NULL DEFAULT 0 CHECK (mounted IN (0, 1));
UPDATE account SET mounted = 1 WHERE role <> 'teacher';

-- An account's own limits; 0 is as the settings say.
ALTER TABLE account ADD COLUMN max_messages    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN max_bytes       INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN max_connections INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN max_queue       INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN max_packet      INTEGER NOT NULL DEFAULT 0;

-- The grant that was missing; both are '' where none was.
ALTER TABLE refusal ADD COLUMN action TEXT NOT NULL DEFAULT '' CHECK (action IN ('', 'publish', 'subscribe'));
ALTER TABLE refusal ADD COLUMN topic  TEXT NOT NULL DEFAULT '';

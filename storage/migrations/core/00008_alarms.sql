-- +goose Up

-- Alarms that call, or called and that nobody has acknowledged.
CREATE TABLE alarm (
    id    TEXT PRIMARY KEY, -- of core.Alarm
    state TEXT NOT NULL     -- JSON of core.AlarmState
) STRICT, WITHOUT ROWID;

-- +goose Up
-- One row: core.Settings as JSON. A field that is missing has its default.
CREATE TABLE settings (
	id    INTEGER PRIMARY KEY CHECK (id = 1),
	value TEXT NOT NULL
) STRICT;

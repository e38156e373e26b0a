-- +goose Up
-- Times are milliseconds since 1970, UTC. See core/history/chunk.go for packed.

CREATE TABLE series (
	id        INTEGER PRIMARY KEY,
	name      TEXT NOT NULL UNIQUE, -- core.Series
	label     TEXT NOT NULL DEFAULT '',
	unit      TEXT NOT NULL DEFAULT '',
	keep_days INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Up to 256 readings of a number or boolean. The last chunk of a series is
-- open and rewritten in place as it grows.
CREATE TABLE chunk (
	id     INTEGER PRIMARY KEY, -- in order of arrival, which is not always that of time
	series INTEGER NOT NULL REFERENCES series (id),
	kind   INTEGER NOT NULL,    -- core.Kind
	rolled INTEGER NOT NULL,    -- the finest level of rollup that holds it; 3 while it is open
	first  INTEGER NOT NULL,
	last   INTEGER NOT NULL,
	min    REAL NOT NULL,
	max    REAL NOT NULL,
	sum    REAL NOT NULL,
	n      INTEGER NOT NULL,
	end    REAL NOT NULL,       -- the value at last
	packed BLOB NOT NULL
) STRICT;

-- Everything but packed, so that a trace over months reads the index alone.
CREATE INDEX chunk_time ON chunk (series, rolled, last, first, min, max, sum, n, end, kind);
CREATE INDEX chunk_newest ON chunk (series);

-- Closed chunks by minute (level 0), quarter of an hour (1) and day (2).
CREATE TABLE rollup (
	series INTEGER NOT NULL REFERENCES series (id),
	level  INTEGER NOT NULL,
	start  INTEGER NOT NULL,
	first  INTEGER NOT NULL,
	last   INTEGER NOT NULL,
	min    REAL NOT NULL,
	max    REAL NOT NULL,
	sum    REAL NOT NULL,
	n      INTEGER NOT NULL,
	end    REAL NOT NULL,
	PRIMARY KEY (series, level, start)
) STRICT, WITHOUT ROWID;

CREATE TABLE text (
	id     INTEGER PRIMARY KEY, -- in order of arrival
	series INTEGER NOT NULL REFERENCES series (id),
	at     INTEGER NOT NULL,
	value  TEXT NOT NULL
) STRICT;

CREATE INDEX text_time ON text (series, at);

-- Days since 1970 on which something was recorded: age is counted from these,
-- so that a wrong clock does not remove anything (see core/history/keep.go).
CREATE TABLE day (
	day INTEGER PRIMARY KEY
) STRICT;

-- +goose Up
-- What led to the values of the last day (see core/why). Times are microseconds
-- since 1970, UTC.

-- Names of topics and clients, so that the rows are short whatever they are called.
CREATE TABLE why_name (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE why_message (
	id      INTEGER PRIMARY KEY, -- in the order in which the broker took them
	topic   INTEGER NOT NULL,    -- why_name
	at      INTEGER NOT NULL,
	account INTEGER NOT NULL,
	client  INTEGER NOT NULL,    -- why_name
	flags   INTEGER NOT NULL,    -- 1: another value than before; 2: a will
	digest  INTEGER NOT NULL,
	value   TEXT NOT NULL        -- its beginning
) STRICT;

CREATE INDEX why_message_topic ON why_message (topic, id);

CREATE TABLE why_delivery (
	message INTEGER NOT NULL REFERENCES why_message (id) ON DELETE CASCADE,
	at      INTEGER NOT NULL,
	client  INTEGER NOT NULL, -- why_name
	account INTEGER NOT NULL,
	acked   INTEGER NOT NULL,
	PRIMARY KEY (message, at, client)
) STRICT, WITHOUT ROWID;

CREATE TABLE why_firing (
	id     INTEGER PRIMARY KEY,
	mark   INTEGER NOT NULL, -- the newest why_message at that time
	at     INTEGER NOT NULL,
	rule   TEXT NOT NULL,
	cause  INTEGER NOT NULL, -- why_message, or 0
	detail TEXT NOT NULL     -- JSON
) STRICT;

CREATE INDEX why_firing_rule ON why_firing (rule, mark);
CREATE INDEX why_firing_cause ON why_firing (cause);

CREATE TABLE why_refusal (
	id      INTEGER PRIMARY KEY,
	topic   INTEGER NOT NULL, -- why_name
	at      INTEGER NOT NULL,
	account INTEGER NOT NULL,
	client  INTEGER NOT NULL, -- why_name
	say     TEXT NOT NULL     -- JSON
) STRICT;

CREATE INDEX why_refusal_topic ON why_refusal (topic, at);

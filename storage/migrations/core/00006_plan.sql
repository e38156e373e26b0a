-- +goose Up

-- Rises with every change below, so that a change based on an older reading is
-- refused whichever process makes it.
CREATE TABLE plan_revision (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    n   INTEGER NOT NULL
) STRICT;
INSERT INTO plan_revision VALUES (1, 1);

CREATE TABLE plan_topic (
    name     TEXT    PRIMARY KEY,
    text     TEXT    NOT NULL,
    kind     INTEGER NOT NULL, -- core.Kind
    min      REAL    NOT NULL,
    max      REAL    NOT NULL,
    writable INTEGER NOT NULL CHECK (writable IN (0, 1)),
    qos      INTEGER NOT NULL CHECK (qos BETWEEN 0 AND 2),
    retain   INTEGER NOT NULL CHECK (retain IN (0, 1)),
    changed  INTEGER NOT NULL  -- Unix ms
) STRICT, WITHOUT ROWID;

-- Moves and removals that are not over; see core/plan/task.go.
CREATE TABLE plan_task (
    id      INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: hidden readings bear it
    kind    TEXT    NOT NULL CHECK (kind IN ('move', 'remove', 'undo')),
    source  TEXT    NOT NULL,
    target  TEXT    NOT NULL, -- of a move
    account INTEGER NOT NULL,
    at      INTEGER NOT NULL, -- Unix ms
    done    INTEGER NOT NULL CHECK (done IN (0, 1)),
    topics  TEXT    NOT NULL  -- that a removal removed, JSON array of core.Topic
) STRICT;

-- Retained messages that a task took away, to be put elsewhere or back.
CREATE TABLE plan_retained (
    task    INTEGER NOT NULL REFERENCES plan_task (id) ON DELETE CASCADE,
    topic   TEXT    NOT NULL,
    payload BLOB    NOT NULL,
    qos     INTEGER NOT NULL,
    account INTEGER NOT NULL,
    client  TEXT    NOT NULL,
    at      INTEGER NOT NULL, -- Unix ms
    PRIMARY KEY (task, topic)
) STRICT;

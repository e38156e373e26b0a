-- +goose Up

-- What was said about a topic belongs to its design now. What the history was
-- told is taken over once: adopt.
ALTER TABLE plan_topic ADD COLUMN label     TEXT    NOT NULL DEFAULT '';
ALTER TABLE plan_topic ADD COLUMN unit      TEXT    NOT NULL DEFAULT '';
ALTER TABLE plan_topic ADD COLUMN keep_days INTEGER NOT NULL DEFAULT 0;
ALTER TABLE plan_topic ADD COLUMN step      REAL    NOT NULL DEFAULT 0;
ALTER TABLE plan_topic ADD COLUMN options   TEXT    NOT NULL DEFAULT 'null'; -- JSON array of strings
ALTER TABLE plan_revision ADD COLUMN adopt INTEGER NOT NULL DEFAULT 0 CHECK (adopt IN (0, 1));
UPDATE plan_revision SET adopt = EXISTS (SELECT 1 FROM plan_topic);

-- core.Place, core.Rule and core.Alarm as JSON: nothing here looks inside.
CREATE TABLE plan_place (
    name TEXT PRIMARY KEY,
    doc  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE plan_rule (
    id  TEXT PRIMARY KEY,
    doc TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE plan_alarm (
    id  TEXT PRIMARY KEY,
    doc TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Names that were given up and still answer.
CREATE TABLE plan_renamed (
    old   TEXT    PRIMARY KEY,
    new   TEXT    NOT NULL,
    until INTEGER NOT NULL -- Unix ms
) STRICT, WITHOUT ROWID;

-- Topics that were removed: who publishes there again is told by whom.
CREATE TABLE plan_removed (
    topic   TEXT    PRIMARY KEY,
    task    INTEGER NOT NULL, -- 0 is none
    source  TEXT    NOT NULL, -- core.Removal.Under
    topics  INTEGER NOT NULL,
    account INTEGER NOT NULL,
    at      INTEGER NOT NULL, -- Unix ms
    until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What else a removal removed; JSON arrays.
ALTER TABLE plan_task ADD COLUMN places TEXT NOT NULL DEFAULT 'null';
ALTER TABLE plan_task ADD COLUMN rules  TEXT NOT NULL DEFAULT 'null';
ALTER TABLE plan_task ADD COLUMN alarms TEXT NOT NULL DEFAULT 'null';

-- Edits that can be undone, or were and can be redone; see core/plan/edits.go.
CREATE TABLE plan_edit (
    id      INTEGER PRIMARY KEY, -- the revision that it made
    at      INTEGER NOT NULL,    -- Unix ms
    account INTEGER NOT NULL,
    format  TEXT    NOT NULL,
    args    TEXT    NOT NULL, -- JSON array of strings
    undone  INTEGER NOT NULL CHECK (undone IN (0, 1)),
    kind    TEXT    NOT NULL CHECK (kind IN ('', 'move', 'remove', 'undo')),
    source  TEXT    NOT NULL,
    target  TEXT    NOT NULL,
    task    INTEGER NOT NULL,
    images  BLOB    NOT NULL -- deflated JSON
) STRICT;

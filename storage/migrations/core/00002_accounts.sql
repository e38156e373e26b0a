-- +goose Up

-- Rises with every change below, so that a change based on an older reading is
-- refused whichever process makes it.
CREATE TABLE account_revision (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    n   INTEGER NOT NULL
) STRICT;
INSERT INTO account_revision VALUES (1, 1);

CREATE TABLE team (
    name  TEXT PRIMARY KEY,
    label TEXT NOT NULL
) STRICT;

CREATE TABLE account (
    id       INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    name     TEXT    NOT NULL UNIQUE,
    label    TEXT    NOT NULL,
    role     TEXT    NOT NULL CHECK (role IN ('teacher', 'student', 'kit')),
    team     TEXT    REFERENCES team (name),
    disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    version  INTEGER NOT NULL,
    secret   TEXT    NOT NULL, -- encoded hash
    created  INTEGER NOT NULL  -- Unix ms
) STRICT;
CREATE INDEX account_team ON account (team);

-- Accounts and teams share one namespace.
-- +goose StatementBegin
CREATE TRIGGER account_name BEFORE INSERT ON account
WHEN EXISTS (SELECT 1 FROM team WHERE name = NEW.name)
BEGIN SELECT RAISE(ABORT, 'a team has this name'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER team_name BEFORE INSERT ON team
WHEN EXISTS (SELECT 1 FROM account WHERE name = NEW.name)
BEGIN SELECT RAISE(ABORT, 'an account has this name'); END;
-- +goose StatementEnd

-- One of account, team and role is set.
CREATE TABLE access (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER REFERENCES account (id) ON DELETE CASCADE,
    team    TEXT    REFERENCES team (name) ON DELETE CASCADE,
    role    TEXT    CHECK (role IN ('teacher', 'student', 'kit')),
    action  TEXT    NOT NULL CHECK (action IN ('publish', 'subscribe')),
    pattern TEXT    NOT NULL,
    CHECK ((account IS NOT NULL) + (team IS NOT NULL) + (role IS NOT NULL) = 1)
) STRICT;
CREATE INDEX access_account ON access (account);
CREATE INDEX access_team ON access (team);

INSERT INTO access (role, action, pattern) VALUES
    ('teacher', 'publish',   '#'),
    ('teacher', 'subscribe', '#'),
    ('teacher', 'subscribe', '$SYS/#'),
    ('student', 'publish',   '{team}/#'),
    ('student', 'subscribe', '{team}/#'),
    ('kit',     'publish',   '{team}/#'),
    ('kit',     'subscribe', '{team}/#');

CREATE TABLE install_key (
    purpose TEXT PRIMARY KEY,
    key     BLOB NOT NULL
) STRICT;

-- Stays when the account goes: who was refused what is still worth reading.
CREATE TABLE refusal (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL, -- Unix ms, the latest time
    count   INTEGER NOT NULL,
    account INTEGER NOT NULL, -- 0 is nobody
    name    TEXT    NOT NULL,
    client  TEXT    NOT NULL,
    addr    TEXT    NOT NULL,
    format  TEXT    NOT NULL,
    args    TEXT    NOT NULL, -- JSON array of strings
    UNIQUE (account, name, client, format, args)
) STRICT;
CREATE INDEX refusal_at ON refusal (at);

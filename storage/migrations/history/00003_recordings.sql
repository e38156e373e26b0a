-- +goose Up

CREATE TABLE recording (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    name   TEXT    NOT NULL,
    filter TEXT    NOT NULL,
    began  INTEGER NOT NULL, -- Unix µs
    ended  INTEGER NOT NULL, -- 0 while it runs
    n      INTEGER NOT NULL, -- messages
    bytes  INTEGER NOT NULL,
    full   INTEGER NOT NULL CHECK (full IN (0, 1))
) STRICT;

CREATE TABLE recorded (
    recording INTEGER NOT NULL,
    n         INTEGER NOT NULL, -- from 0, without a hole
    at        INTEGER NOT NULL, -- Unix µs
    topic     TEXT    NOT NULL,
    payload   BLOB    NOT NULL,
    qos       INTEGER NOT NULL,
    retain    INTEGER NOT NULL,
    account   INTEGER NOT NULL,
    client    TEXT    NOT NULL,
    PRIMARY KEY (recording, n)
) STRICT;

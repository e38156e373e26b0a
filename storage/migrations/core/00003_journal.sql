-- +goose Up
-- What the broker must not forget; see core/broker/journal.go.
CREATE TABLE session (
  client   TEXT PRIMARY KEY,
  account  INTEGER NOT NULL,
  name     TEXT NOT NULL,
  version  INTEGER NOT NULL, -- the account's, at CONNECT
  protocol INTEGER NOT NULL,
  expiry   INTEGER NOT NULL, -- seconds
  left_at  INTEGER           -- Unix milliseconds; NULL while connected
) STRICT, WITHOUT ROWID;

CREATE TABLE subscription (
  client     TEXT NOT NULL,
  filter     TEXT NOT NULL,
  qos        INTEGER NOT NULL,
  no_local   INTEGER NOT NULL,
  as_published INTEGER NOT NULL,
  identifier INTEGER NOT NULL,
  PRIMARY KEY (client, filter)
) STRICT, WITHOUT ROWID;

CREATE TABLE retained (
  topic      TEXT PRIMARY KEY,
  payload    BLOB NOT NULL,
  qos        INTEGER NOT NULL,
  properties BLOB,
  account    INTEGER NOT NULL,
  client     TEXT NOT NULL,
  at         INTEGER NOT NULL -- Unix milliseconds
) STRICT;

CREATE TABLE owed (
  client     TEXT NOT NULL,
  seq        INTEGER NOT NULL,
  packet     INTEGER NOT NULL,
  released   INTEGER NOT NULL,
  ids        TEXT NOT NULL, -- Subscription Identifiers, with commas
  topic      TEXT NOT NULL,
  payload    BLOB NOT NULL,
  qos        INTEGER NOT NULL,
  retain     INTEGER NOT NULL,
  properties BLOB,
  account    INTEGER NOT NULL,
  publisher  TEXT NOT NULL,
  at         INTEGER NOT NULL, -- Unix milliseconds
  PRIMARY KEY (client, seq)
) STRICT;

CREATE TABLE received (
  client TEXT NOT NULL,
  packet INTEGER NOT NULL,
  PRIMARY KEY (client, packet)
) STRICT, WITHOUT ROWID;

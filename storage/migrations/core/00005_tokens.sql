-- +goose Up

-- A sign-in of a program; see core/accounts/tokens.go.
CREATE TABLE token_family (
    id      INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    version INTEGER NOT NULL, -- the account's, at sign-in
    addr    TEXT    NOT NULL,
    refresh BLOB    NOT NULL, -- SHA-256 of the refresh token that is good
    until   INTEGER NOT NULL  -- Unix ms
) STRICT;
CREATE INDEX token_family_account ON token_family (account);

-- Stays when the account goes: who changed what is still worth reading.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL, -- Unix ms
    account INTEGER NOT NULL, -- 0 is the program or its command line
    name    TEXT    NOT NULL,
    format  TEXT    NOT NULL,
    args    TEXT    NOT NULL  -- JSON array of strings
) STRICT;
CREATE INDEX audit_account ON audit (account, id);

-- +goose Up

-- Setups whose board may hold what counts nowhere: kits.Begun as JSON. No secret and
-- no key is here.
CREATE TABLE kit_begun (
    mac TEXT    PRIMARY KEY,
    at  INTEGER NOT NULL, -- Unix ms
    doc TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

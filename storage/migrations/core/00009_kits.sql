-- +goose Up

-- What is known of real kits: kits.Known as JSON. No secret and no key is here.
CREATE TABLE kit (
    account TEXT PRIMARY KEY,
    doc     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What became of setups: kits.Made as JSON.
CREATE TABLE kit_made (
    id  INTEGER PRIMARY KEY,
    doc TEXT NOT NULL
) STRICT;

-- Wi-Fi networks whose keys the keyring of the system has. A name is any bytes.
CREATE TABLE kit_network (
    name BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Firmware that was chosen or built: kits.Firmware as JSON; the files are in the
-- folder firmware.
CREATE TABLE kit_firmware (
    sha256 TEXT    PRIMARY KEY,
    added  INTEGER NOT NULL, -- Unix ms
    doc    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

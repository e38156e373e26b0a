// Package storage keeps the program's data in two SQLite files of one folder:
// core.db (settings, accounts, what the broker owes; every commit is on the
// disk when it returns) and history.db (readings; the last moments may be lost
// with the power, never the file). It satisfies the Store interfaces that the
// parts declare.
package storage

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"homeroom/core"
)

//go:embed migrations
var migrations embed.FS

// readers is how many connections read each file at once.
const readers = 4

// DB is an open data folder. All methods may be called from any goroutine.
type DB struct {
	core, history *file

	ids *seriesIDs
	why whyNames
}

// file is one SQLite database: one connection that writes, several that read.
type file struct {
	path        string
	write, read *sql.DB
}

// Open opens the data in the folder dir, creating and migrating it as needed.
// Before an existing file is migrated to version N it is copied to
// <file>.before-N. The error is a sentence for a person: the folder cannot be
// written, the disk is full, a file is damaged, or the data was written by a
// newer program, in which case nothing was changed.
func Open(ctx context.Context, dir string) (*DB, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, explain(dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, explain(dir, err)
	}
	paths := map[string]string{
		"core":    filepath.Join(dir, "core.db"),
		"history": filepath.Join(dir, "history.db"),
	}
	for name, path := range paths { // both, before either is touched
		if err := checkAge(ctx, path, migrationsOf(name)); err != nil {
			return nil, explain(path, err)
		}
	}
	db := &DB{ids: newSeriesIDs()}
	if db.core, err = openFile(ctx, "core", paths["core"], url.Values{"_synchronous": {"FULL"}}); err != nil {
		return nil, err
	}
	db.history, err = openFile(ctx, "history", paths["history"],
		url.Values{"_synchronous": {"NORMAL"}, "_auto_vacuum": {"INCREMENTAL"}})
	if err != nil {
		return nil, errors.Join(err, db.core.close())
	}
	return db, nil
}

// Close closes both files. Everything committed is in the .db files afterwards.
func (db *DB) Close() error {
	return errors.Join(db.history.close(), db.core.close())
}

func openFile(ctx context.Context, name, path string, options url.Values) (_ *file, err error) {
	f := &file{path: path}
	defer func() {
		if err != nil {
			err = explain(path, errors.Join(err, f.close()))
		}
	}()
	// Only the owner reads it; SQLite gives its side files the same mode.
	h, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := h.Close(); err != nil {
		return nil, err
	}
	options.Set("_busy_timeout", "5000")
	options.Set("_foreign_keys", "1")
	options.Set("_journal_mode", "WAL")
	options.Set("_txlock", "immediate")
	if f.write, err = sql.Open("sqlite", dsn(path, options)); err != nil {
		return nil, err
	}
	f.write.SetMaxOpenConns(1) // SQLite has one writer; queue here rather than meet SQLITE_BUSY
	if err := f.migrate(ctx, migrationsOf(name)); err != nil {
		return nil, err
	}
	f.read, err = sql.Open("sqlite", dsn(path, url.Values{
		"_busy_timeout": {"5000"}, "_query_only": {"1"}}))
	if err != nil {
		return nil, err
	}
	f.read.SetMaxOpenConns(readers)
	f.read.SetMaxIdleConns(readers)
	return f, nil
}

func (f *file) close() error {
	var errs []error
	for _, db := range []*sql.DB{f.read, f.write} { // the last to close folds the WAL into the file
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// tx runs fn in one transaction on the connection that writes. An error or a
// panic of fn undoes everything. A full disk and the like come back as a
// sentence for a person; other errors as they are.
func (f *file) tx(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := f.write.BeginTx(ctx, nil)
	if err != nil {
		return explain(f.path, err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := fn(tx); err != nil {
		return explain(f.path, err)
	}
	return explain(f.path, tx.Commit())
}

// querier is a *sql.DB or a *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each calls row for each row of a query.
func each(ctx context.Context, q querier, query string, row func(*sql.Rows) error, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	return scanAll(rows, err, func() error { return row(rows) })
}

// dsn is the address of the file at path. The folder may have any name:
// "?", "#" and "%" are escaped.
func dsn(path string, options url.Values) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // C:/Users/…
	}
	return (&url.URL{Scheme: "file", Path: p, RawQuery: options.Encode()}).String()
}

func migrationsOf(name string) fs.FS {
	files, err := fs.Sub(migrations, "migrations/"+name)
	if err != nil {
		panic(err) // the name is one of ours
	}
	return files
}

// errNewer reports a file that a newer program has migrated.
var errNewer = errors.New("written by a newer program")

// checkAge returns errNewer if the file at path has a migration this program
// does not know. It changes nothing.
func checkAge(ctx context.Context, path string, files fs.FS) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", dsn(path, url.Values{"mode": {"rw"}, "_busy_timeout": {"5000"}, "_query_only": {"1"}}))
	if err != nil {
		return err
	}
	defer db.Close()
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = ?", goose.DefaultTablename).Scan(&tables); err != nil {
		return err
	}
	if tables == 0 {
		return nil
	}
	var has, knows int64
	if err := db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+goose.DefaultTablename).Scan(&has); err != nil {
		return err
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return err
	}
	for _, n := range names {
		v, err := goose.NumericComponent(n)
		if err != nil {
			return err
		}
		knows = max(knows, v)
	}
	if has > knows {
		return errNewer
	}
	return nil
}

// migrate brings the file up to date, after copying it if there is anything in it.
func (f *file) migrate(ctx context.Context, files fs.FS) error {
	p, err := goose.NewProvider(goose.DialectSQLite3, f.write, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	has, target, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if has == target {
		return nil
	}
	if has > 0 {
		if err := f.backup(ctx, fmt.Sprintf("%s.before-%d", f.path, target)); err != nil {
			return err
		}
	}
	_, err = p.Up(ctx)
	return err
}

// backup copies the database into one new file at path.
func (f *file) backup(ctx context.Context, path string) error {
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := f.write.ExecContext(ctx, "VACUUM INTO ?", part); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Chmod(part, 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// explain turns a failure of the file or folder at path into a sentence that
// says what to do. Errors that are already sentences, and those a person can
// do nothing about, stay as they are.
func explain(path string, err error) error {
	var told *core.Problem
	if err == nil || errors.As(err, &told) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	folder, name := filepath.Split(path)
	if filepath.Ext(path) != ".db" {
		folder, name = path, ""
	}
	folder = filepath.Clean(folder)
	code := 0
	var failed *sqlite.Error
	if errors.As(err, &failed) {
		code = failed.Code() & 0xff
	}
	switch {
	case errors.Is(err, errNewer):
		return core.Fail(err, "The data in {folder} was written by a newer Homeroom. Install that version, or choose another folder.", "folder", folder)
	case code == sqlite3.SQLITE_FULL, isFull(err):
		return core.Fail(err, "The disk that holds {folder} is full. Free some space and try again.", "folder", folder)
	case code == sqlite3.SQLITE_CORRUPT, code == sqlite3.SQLITE_NOTADB:
		return core.Fail(err, "The file {file} in {folder} is damaged. Put a backup in its place, or move it away to start empty.", "file", name, "folder", folder)
	case code == sqlite3.SQLITE_BUSY, code == sqlite3.SQLITE_LOCKED:
		return core.Fail(err, "Another program is using the data in {folder}. Close it and try again.", "folder", folder)
	case code == sqlite3.SQLITE_CANTOPEN, code == sqlite3.SQLITE_READONLY, code == sqlite3.SQLITE_PERM, isPath(err):
		return core.Fail(err, "Homeroom cannot write in {folder}. Choose another folder, or allow writing there.", "folder", folder)
	case code == sqlite3.SQLITE_IOERR:
		return core.Fail(err, "The disk that holds {folder} does not work as it should: {error}", "folder", folder, "error", err)
	}
	return err
}

func isPath(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p)
}

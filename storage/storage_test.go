package storage

import (
	"bytes"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"homeroom/core"
)

func open(t testing.TB, dir string) *DB {
	t.Helper()
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestFolderNames(t *testing.T) {
	for _, name := range []string{"plain", "수업 자료", "été à l'école", "a b", "100%", "what?", "no#1", "%41", "a&b=c+d", "semi;colon"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name, "data")
			db, err := Open(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			want := core.DefaultSettings()
			want.Language = "ko"
			if err := db.SaveSettings(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			var files []string
			for _, e := range entries {
				files = append(files, e.Name())
			}
			if got := strings.Join(files, " "); got != "core.db history.db" {
				t.Errorf("the folder holds %s", got)
			}
			if got, err := open(t, dir).Settings(t.Context()); err != nil || got != want {
				t.Errorf("settings = %+v, %v", got, err)
			}
		})
	}
}

func TestPragmas(t *testing.T) {
	db := open(t, t.TempDir())
	for _, tt := range []struct {
		db           *sql.DB
		pragma, want string
	}{
		{db.core.write, "synchronous", "2"},
		{db.core.write, "journal_mode", "wal"},
		{db.core.write, "foreign_keys", "1"},
		{db.core.read, "query_only", "1"},
		{db.history.write, "synchronous", "1"},
		{db.history.write, "journal_mode", "wal"},
		{db.history.write, "auto_vacuum", "2"},
		{db.history.write, "busy_timeout", "5000"},
	} {
		var got string
		if err := tt.db.QueryRowContext(t.Context(), "PRAGMA "+tt.pragma).Scan(&got); err != nil || got != tt.want {
			t.Errorf("%s = %s, %v; want %s", tt.pragma, got, err, tt.want)
		}
	}
}

func TestNewerDatabaseIsLeftAlone(t *testing.T) {
	for _, name := range []string{"core.db", "history.db"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db, err := Open(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			f := db.core
			if name == "history.db" {
				f = db.history
			}
			if _, err := f.write.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)"); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			before := contents(t, dir)
			_, err = Open(t.Context(), dir)
			want := "The data in " + dir + " was written by a newer Homeroom. Install that version, or choose another folder."
			if err == nil || err.Error() != want {
				t.Fatalf("err = %v", err)
			}
			for file, data := range contents(t, dir) {
				if !bytes.Equal(before[file], data) {
					t.Errorf("%s was changed", file)
				}
			}
		})
	}
}

func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, name := range []string{"core.db", "history.db"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = data
	}
	return all
}

func TestBackupBeforeMigration(t *testing.T) {
	first := []byte("-- +goose Up\nCREATE TABLE old (x);\nINSERT INTO old VALUES (42);\n")
	dir := t.TempDir()
	openWith := func(files fstest.MapFS) error {
		path := filepath.Join(dir, "some.db")
		w, err := sql.Open("sqlite", dsn(path, nil))
		if err != nil {
			t.Fatal(err)
		}
		f := &file{path: path, write: w}
		defer func() {
			if err := f.close(); err != nil {
				t.Error(err)
			}
		}()
		w.SetMaxOpenConns(1)
		return f.migrate(t.Context(), files)
	}
	one := fstest.MapFS{"00001_start.sql": {Data: first}}
	bad := fstest.MapFS{"00001_start.sql": {Data: first}, "00002_bad.sql": {Data: []byte("-- +goose Up\nDROP TABLE old;\nSELECT nonsense;\n")}}
	good := fstest.MapFS{"00001_start.sql": {Data: first}, "00002_good.sql": {Data: []byte("-- +goose Up\nDROP TABLE old;\n")}}
	if err := openWith(one); err != nil {
		t.Fatal(err)
	}
	if err := openWith(one); err != nil {
		t.Fatal(err)
	}
	if copies, _ := filepath.Glob(filepath.Join(dir, "*before*")); copies != nil {
		t.Errorf("a new file and one that is up to date were copied: %v", copies)
	}
	old := func(name string) (x int) {
		db, err := sql.Open("sqlite", dsn(filepath.Join(dir, name), url.Values{"mode": {"ro"}}))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		_ = db.QueryRow("SELECT x FROM old").Scan(&x)
		return x
	}
	if err := openWith(bad); err == nil {
		t.Error("a migration with a mistake was applied")
	}
	if old("some.db") != 42 {
		t.Error("a migration that failed left something behind")
	}
	if err := openWith(good); err != nil {
		t.Fatal(err)
	}
	if old("some.db") != 0 || old("some.db.before-2") != 42 {
		t.Errorf("x = %d, before it was %d", old("some.db"), old("some.db.before-2"))
	}
}

func TestDamagedFile(t *testing.T) {
	for _, name := range []string{"core.db", "history.db"} {
		for damage, change := range map[string]func([]byte) []byte{
			"header":  func(b []byte) []byte { copy(b, "this is not a database, it is a letter"); return b },
			"letter":  func([]byte) []byte { return bytes.Repeat([]byte("Dear parents, "), 500) },
			"content": func(b []byte) []byte { copy(b[100:], bytes.Repeat([]byte{0xa5}, len(b))); return b },
		} {
			t.Run(name+" "+damage, func(t *testing.T) {
				dir := t.TempDir()
				db, err := Open(t.Context(), dir)
				if err != nil {
					t.Fatal(err)
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				data := change(contents(t, dir)[name])
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
				_, err = Open(t.Context(), dir)
				want := "The file " + name + " in " + dir + " is damaged."
				if err == nil || !strings.HasPrefix(err.Error(), want) {
					t.Fatalf("err = %v, want %s", err, want)
				}
				if !bytes.Equal(contents(t, dir)[name], data) {
					t.Error("the damaged file was changed")
				}
			})
		}
	}
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	inTheWay := filepath.Join(dir, "file")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	readOnly := filepath.Join(dir, "read-only")
	if err := os.Mkdir(readOnly, 0o500); err != nil {
		t.Fatal(err)
	}
	dirs := []string{inTheWay, filepath.Join(inTheWay, "below")}
	if os.Geteuid() != 0 { // root may write everywhere
		dirs = append(dirs, readOnly)
	}
	for _, dir := range dirs {
		_, err := Open(t.Context(), dir)
		if want := "Homeroom cannot write in " + dir + "."; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("err = %v, want %s", err, want)
		}
	}
}

func TestTxUndoes(t *testing.T) {
	db := open(t, t.TempDir())
	insert := func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO settings VALUES (1, '{}')")
		return err
	}
	boom := errors.New("boom")
	err := db.core.tx(t.Context(), func(tx *sql.Tx) error { return errors.Join(insert(tx), boom) })
	if !errors.Is(err, boom) {
		t.Errorf("err = %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.core.tx(t.Context(), func(tx *sql.Tx) error { _ = insert(tx); panic(boom) })
	}()
	var n int
	if err := db.core.write.QueryRow("SELECT count(*) FROM settings").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows, %v", n, err)
	}
	if err := db.core.tx(t.Context(), insert); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

func TestFullDiskInUse(t *testing.T) {
	db := open(t, t.TempDir())
	if _, err := db.core.write.Exec("PRAGMA max_page_count = 1"); err != nil { // SQLite takes the present size
		t.Fatal(err)
	}
	s := core.DefaultSettings()
	s.MQTT = strings.Repeat("x", 1<<20)
	err := db.SaveSettings(t.Context(), s)
	if err == nil || !strings.HasSuffix(err.Error(), "is full. Free some space and try again.") {
		t.Fatalf("err = %v", err)
	}
	s.MQTT = ":1884"
	if err := db.SaveSettings(t.Context(), s); err != nil {
		t.Errorf("what fits: %v", err)
	}
}

package storage

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"homeroom/core"
)

// TestOlderSettings: what an older Homeroom did not save has its default.
func TestOlderSettings(t *testing.T) {
	db := open(t, t.TempDir())
	older := core.DefaultSettings()
	older.Language, older.MQTT = "fr", ":1884"
	partly := core.DefaultSettings()
	partly.MQTTS, partly.Limits.Connections = "-", 7
	for saved, want := range map[string]core.Settings{
		`{"Language":"fr","MQTT":":1884"}`:                    older,
		`{"MQTTS":"-","Limits":{"Connections":7,"Packet":0}}`: partly,
	} {
		if _, err := db.core.write.Exec("INSERT INTO settings (id, value) VALUES (1, ?) ON CONFLICT DO UPDATE SET value = excluded.value", saved); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Settings(t.Context()); err != nil || got != want {
			t.Errorf("%s: %+v, %v", saved, got, err)
		}
	}
	changed := core.DefaultSettings()
	changed.MQTTS, changed.Limits = "127.0.0.1:8884", core.Limits{Messages: 1, Bytes: 2, Connections: 3, Queue: 4, Packet: 5}
	if err := db.SaveSettings(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Settings(t.Context()); err != nil || got != changed {
		t.Errorf("saved %+v, read %+v, %v", changed, got, err)
	}
}

// TestIdentity: it is made once, whoever comes first, and never when that failed.
func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, dir), open(t, dir)
	broken := errors.New("no randomness")
	if _, err := one.Identity(t.Context(), func() ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("err = %v", err)
	}
	got := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			db := []*DB{one, two}[i%2]
			var err error
			if got[i], err = db.Identity(t.Context(), func() ([]byte, error) { return []byte{byte('a' + i)}, nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, g := range got {
		if len(g) != 1 || !bytes.Equal(g, got[0]) {
			t.Errorf("%q and %q", got[0], g)
		}
	}
	if again, err := two.Identity(t.Context(), func() ([]byte, error) { return nil, broken }); err != nil || !bytes.Equal(again, got[0]) {
		t.Errorf("again %q, %v", again, err)
	}
}

package storage

import (
	"fmt"
	"testing"
	"time"

	"homeroom/core/broker"
)

// TestJournal writes every kind of entry, closes, opens and reads it back.
func TestJournal(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1_700_000_000_123)
	session := broker.Session{Client: "kit-1", Account: 7, Name: "kit-1", Version: 3, Protocol: 5, Expiry: 1<<32 - 1, Left: at}
	sub := broker.Subscription{Client: "kit-1", Filter: "$share/g/a/#", QoS: 2, NoLocal: true, RetainAsPublished: true, Identifier: 268_435_455}
	message := broker.Stored{Topic: "a/é/거실", Payload: []byte{0, 255}, QoS: 1, Retain: true, Properties: []byte(`{"UTF8":true}`), From: 7, Client: "kit-2", At: at}
	empty := broker.Stored{Topic: "a/empty", Payload: []byte{}, QoS: 2, From: 7, Client: "kit-2", At: at}
	owed := func(seq int64, m broker.Stored) broker.Owed {
		return broker.Owed{Client: "kit-1", Seq: seq, Ids: []int{1, 2}, Message: m}
	}
	one, two, three := owed(1, message), owed(2, empty), owed(3, message)
	other := broker.Session{Client: "gone", Account: 8, Name: "gone", Protocol: 4, Expiry: 5}
	received := broker.Received{Client: "kit-1", Packet: 65535}
	done := broker.Received{Client: "kit-1", Packet: 9}
	err = db.AppendJournal(t.Context(), []broker.Entry{
		{PutSession: &broker.Session{Client: "kit-1", Account: 1}}, {PutSession: &session}, {PutSession: &other},
		{PutSubscription: &sub}, {PutSubscription: &broker.Subscription{Client: "gone", Filter: "#"}},
		{PutSubscription: &broker.Subscription{Client: "kit-1", Filter: "x"}}, {DropFilter: &broker.Subscription{Client: "kit-1", Filter: "x"}},
		{PutRetained: &message}, {PutRetained: &broker.Stored{Topic: "old", Payload: []byte("x"), At: at}}, {DropRetained: "old"},
		{PutOwed: &one}, {PutOwed: &two}, {PutOwed: &three}, {DropOwed: &broker.Owed{Client: "kit-1", Seq: 1}},
		{MarkOwed: &broker.Owed{Client: "kit-1", Seq: 3, Packet: 77, Released: true}},
		{MarkOwed: &broker.Owed{Client: "kit-1", Seq: 1, Packet: 5}}, // acknowledged meanwhile
		{PutReceived: &received}, {PutReceived: &received}, {PutReceived: &done}, {DropReceived: &done},
		{DropSession: "gone"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got, err := db.LoadJournal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	three.Packet, three.Released = 77, true
	want := broker.Saved{Sessions: []broker.Session{session}, Subscriptions: []broker.Subscription{sub}, Retained: []broker.Stored{message},
		Owed: []broker.Owed{two, three}, Received: []broker.Received{received}}
	if got, want := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); got != want { // nil and empty are the same here
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestJournalIsAllOrNothing has a batch whose last entry cannot be stored.
func TestJournalIsAllOrNothing(t *testing.T) {
	db, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	bad := broker.Stored{Topic: "b", Payload: []byte("x"), From: 1}
	if _, err := db.core.write.Exec(`CREATE TRIGGER no BEFORE INSERT ON retained WHEN NEW.topic = 'b' BEGIN SELECT RAISE(ABORT, 'no'); END`); err != nil {
		t.Fatal(err)
	}
	err = db.AppendJournal(t.Context(), []broker.Entry{{PutRetained: &broker.Stored{Topic: "a", Payload: []byte("x")}}, {PutRetained: &bad}})
	if err == nil {
		t.Fatal("no error")
	}
	if saved, err := db.LoadJournal(t.Context()); err != nil || len(saved.Retained) != 0 {
		t.Errorf("half a batch was stored: %v %v", saved.Retained, err)
	}
}

func BenchmarkAppendJournal(b *testing.B) {
	db, err := Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const batch = 64
	entries := make([]broker.Entry, batch)
	n := 0
	for b.Loop() {
		for i := range entries {
			n++
			entries[i] = broker.Entry{PutOwed: &broker.Owed{Client: "kit-1", Seq: int64(n), Message: broker.Stored{Topic: "a/b/c", Payload: []byte("21.5"), At: time.Now()}}}
		}
		if err := db.AppendJournal(b.Context(), entries); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "messages/s")
}

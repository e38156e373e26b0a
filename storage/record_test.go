package storage

import (
	"testing"
	"time"

	"homeroom/core"
)

// TestRecordings: what was recorded is there after a restart, in order, byte for
// byte, and goes as a whole.
func TestRecordings(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	db, err := Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMicro(1_700_000_000_123_456)
	r := core.Recording{Name: "램프", Filter: "lab/#", From: at}
	if r.ID, err = db.SaveRecording(ctx, r, []core.Message{{Topic: "lab/a", At: at, Retain: true}}); err != nil {
		t.Fatal(err)
	}
	r.N, r.Bytes, r.Full, r.To = 3, 99, true, at.Add(time.Second)
	if _, err := db.SaveRecording(ctx, r, []core.Message{{Topic: "lab/b", Payload: []byte{0, 255}, QoS: 2, From: 4, Client: "kit-1", At: at}, {Topic: "lab/a", At: at.Add(time.Second)}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(ctx, dir); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rs, err := db.Recordings(ctx)
	if err != nil || len(rs) != 1 || rs[0] != r {
		t.Fatalf("recordings %+v, %v; want %+v", rs, err, r)
	}
	ms, err := db.Recorded(ctx, r.ID, 1, 10)
	if err != nil || len(ms) != 2 || ms[0].Topic != "lab/b" || string(ms[0].Payload) != "\x00\xff" || ms[0].QoS != 2 || ms[0].From != 4 || ms[0].Client != "kit-1" || !ms[1].At.Equal(at.Add(time.Second)) {
		t.Fatalf("messages %+v, %v", ms, err)
	}
	if err := db.RemoveRecording(ctx, r.ID); err != nil {
		t.Fatal(err)
	}
	if ms, err = db.Recorded(ctx, r.ID, 0, 10); err != nil || len(ms) != 0 {
		t.Fatalf("after its removal %v, %v", ms, err)
	}
}

// TestAlarmsKept: which alarms call is there after a restart.
func TestAlarmsKept(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	db, err := Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	st := core.AlarmState{Alarm: core.Alarm{ID: "hot", Topic: "lab/temp", Kind: core.AlarmAbove, Limit: 30}, Say: core.Say("{name} is {value}.", "name", "T", "value", "31"), Since: time.UnixMilli(1_700_000_000_000)}
	for range 2 { // replaces
		if err := db.SaveAlarms(ctx, []core.AlarmState{st}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(ctx, dir); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got, err := db.Alarms(ctx)
	if err != nil || len(got) != 1 || got[0].Alarm != st.Alarm || got[0].Say.String() != "T is 31." || !got[0].Since.Equal(st.Since) {
		t.Fatalf("kept %+v, %v", got, err)
	}
}

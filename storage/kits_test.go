package storage

import (
	"reflect"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits"
)

var _ kits.Store = (*DB)(nil)

// TestKitsKept: what is known of kits, what was made, the names of networks and
// which files are firmware are there after a restart, the newest last or first as
// it is asked for.
func TestKitsKept(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	db, err := Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1_700_000_000_000).UTC()
	known := kits.Known{Account: "blue-kit-1", Called: "blue/lab/kit-1", MAC: "5c:cf:7f:01:02:03", Link: "wifi", Since: at, Seen: at.Add(time.Minute),
		Image: "wifi", Version: "1.0.0", Signal: -61, Uptime: time.Hour, Design: 0xffffffff, Sequence: 3, Pins: []core.KitPin{{Slot: "led", GPIO: 2, Inverted: true}}}
	gone := kits.Known{Account: "red-kit-1"}
	var made []kits.Made
	for i := range 3 {
		made = append(made, kits.Made{ID: int64(i + 1), At: at, Kit: "blue/lab/kit-1", Account: "blue-kit-1", Team: "blue", Room: "lab", Step: core.StepJoin,
			Problem: core.Say("{name} is away.", "name", "램프")})
	}
	made[2].Passed, made[2].Step, made[2].Problem = true, core.StepCard, core.Sentence{}
	image := kits.Firmware{SHA256: "abc", MD5: "def", Name: "kit.bin", Variant: "wifi", Version: "1.1.0", Size: 335_000, Flash: 4 << 20, Added: at}
	later := image
	later.SHA256, later.Added = "aaa", at.Add(time.Second)
	begun := kits.Begun{Chip: core.KitChip{Name: "ESP8266EX", MAC: known.MAC, FlashSize: 4 << 20}, Account: known.Account, Keyed: true, Port: "COM3", At: at,
		Order: core.SetupOrder{Kit: known.Called, Role: core.LightKit, Network: "classroom", Pins: known.Pins}}
	steps := []error{
		db.SaveKit(ctx, gone), db.SaveKit(ctx, kits.Known{Account: "blue-kit-1"}), db.SaveKit(ctx, known), db.RemoveKit(ctx, gone.Account),
		db.SaveMade(ctx, made[0]), db.SaveMade(ctx, made[1]), db.SaveMade(ctx, kits.Made{ID: 3}), db.SaveMade(ctx, made[2]),
		db.SaveNetwork(ctx, "classroom"), db.SaveNetwork(ctx, "classroom"), db.SaveNetwork(ctx, "\xff\x00"), db.SaveNetwork(ctx, "gone"), db.RemoveNetwork(ctx, "gone"),
		db.SaveBegun(ctx, kits.Begun{Chip: begun.Chip, At: at}), db.SaveBegun(ctx, begun), db.SaveBegun(ctx, kits.Begun{Chip: core.KitChip{MAC: "gone"}}), db.RemoveBegun(ctx, "gone"),
		db.SaveFirmware(ctx, later), db.SaveFirmware(ctx, image), db.SaveFirmware(ctx, kits.Firmware{SHA256: "gone"}), db.RemoveFirmware(ctx, "gone"),
		db.Close(),
	}
	for i, err := range steps {
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	if db, err = Open(ctx, dir); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if got, err := db.Kits(ctx); err != nil || !reflect.DeepEqual(got, []kits.Known{known}) {
		t.Errorf("kits %+v, %v; want %+v", got, err, known)
	}
	if got, err := db.MadeKits(ctx, 0, 2); err != nil || len(got) != 2 || got[0].ID != 3 || !got[0].Passed || got[1].Problem.String() != "램프 is away." {
		t.Errorf("made %+v, %v", got, err)
	}
	if got, err := db.MadeKits(ctx, 2, 9); err != nil || len(got) != 1 || got[0].ID != 1 {
		t.Errorf("made before 2: %+v, %v", got, err)
	}
	if got, err := db.BegunKits(ctx); err != nil || !reflect.DeepEqual(got, []kits.Begun{begun}) {
		t.Errorf("unfinished %+v, %v; want %+v", got, err, begun)
	}
	if got, err := db.Networks(ctx); err != nil || !reflect.DeepEqual(got, []string{"classroom", "\xff\x00"}) {
		t.Errorf("networks %q, %v", got, err)
	}
	if got, err := db.Firmware(ctx); err != nil || !reflect.DeepEqual(got, []kits.Firmware{image, later}) {
		t.Errorf("firmware %+v, %v", got, err)
	}
}

// TestMadeIsBounded: what was made long ago goes.
func TestMadeIsBounded(t *testing.T) {
	ctx := t.Context()
	db, err := Open(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, id := range []int64{1, 2, keptMade + 1} {
		if err := db.SaveMade(ctx, kits.Made{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := db.MadeKits(ctx, 0, 9); err != nil || len(got) != 2 || got[1].ID != 2 {
		t.Errorf("kept %+v, %v; want the newest and 2", got, err)
	}
}

package kits

import (
	"context"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// Store keeps what is known of kits. No key and no secret is in it.
type Store interface {
	KitStore
	MadeStore
	BegunStore
	NetworkStore
	FirmwareStore
}

// KitStore keeps what kits told about themselves.
type KitStore interface {
	Kits(ctx context.Context) ([]Known, error)
	SaveKit(ctx context.Context, k Known) error // replaces the one of the account
	RemoveKit(ctx context.Context, account topic.ID) error
}

// MadeStore keeps what became of setups.
type MadeStore interface {
	// MadeKits returns at most limit, the newest first; those before that ID, where it is not 0.
	MadeKits(ctx context.Context, before int64, limit int) ([]Made, error)
	SaveMade(ctx context.Context, m Made) error // replaces the one with the ID
}

// BegunStore keeps which setups did not end.
type BegunStore interface {
	BegunKits(ctx context.Context) ([]Begun, error) // oldest first
	SaveBegun(ctx context.Context, b Begun) error   // replaces the one with the MAC
	RemoveBegun(ctx context.Context, mac string) error
}

// NetworkStore keeps the names of networks whose keys are remembered elsewhere.
type NetworkStore interface {
	Networks(ctx context.Context) ([]string, error) // in order
	SaveNetwork(ctx context.Context, name string) error
	RemoveNetwork(ctx context.Context, name string) error
}

// FirmwareStore keeps which files of Config.Folder are firmware.
type FirmwareStore interface {
	Firmware(ctx context.Context) ([]Firmware, error) // oldest first
	SaveFirmware(ctx context.Context, f Firmware) error
	RemoveFirmware(ctx context.Context, sha256 string) error
}

// Known is what is known of a real kit.
type Known struct {
	Account topic.ID
	// Called is the name that its settings have: where it hears what it is asked to
	// do. After a move in the plan it is the old one until it has new settings.
	Called topic.Name
	MAC    string
	Chip   string
	Link   string // "wifi" or "cable"
	Pins   []core.KitPin
	Since  time.Time // it was set up
	// What it told the last time, and when.
	Seen     time.Time
	Image    string
	Version  string
	Address  string
	Signal   int
	Heap     int
	Uptime   time.Duration
	Design   uint32 // CRC of the design part of its settings; 0 is not known
	Sequence uint32
	// Where its settings say that this program is; Host is "" where that is not known.
	Host string
	Port uint16
	TLS  bool
	Pin  string // of its TLS key in short; "" where that is not known
	Home string // mDNS name by which it looks for this PC, "" where it has none
}

// Made is what became of a setup.
type Made struct {
	ID      int64
	At      time.Time
	Kit     topic.Name
	Account topic.ID
	Team    topic.ID // or the branch that it is in
	Room    string
	MAC     string
	Chip    string
	Image   string // KitImage.ID; "" where the firmware stayed
	Version string
	Step    core.SetupStep // where it stopped; core.StepCard where it did not
	Passed  bool
	// Problem is why it did not, its values as text.
	Problem core.Sentence
}

// Begun is a setup whose board may hold settings that count nowhere. It is kept before
// the board is written, until its secret is that of the account.
type Begun struct {
	Chip    core.KitChip
	Account topic.ID
	Order   core.SetupOrder // without Key
	Keyed   bool            // Order.Network asks for a key
	Port    string          // that the board was at
	// Firmware is what ran on it, where that stays.
	Firmware string
	At       time.Time
	Left     bool // a person closed the setup
}

// Firmware is a file in Config.Folder, whose name is its SHA-256 and ".bin".
type Firmware struct {
	SHA256  string
	MD5     string
	Name    string // of the file that was chosen; "" where it was built here
	Variant string
	Version string
	Size    int64
	Flash   int64
	Added   time.Time
}

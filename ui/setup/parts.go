package setup

import (
	"context"
	"io"

	"homeroom/core"
	"homeroom/core/topic"
)

// Parts is what the screen shows and does.
type Parts struct {
	Kits      Kits
	Plan      Plan
	Teams     Teams
	Addresses func() core.Addresses
}

// Kits is the work with boards.
type Kits interface {
	Boards
	Orders
	Looks
	Networks
	Firmware
	Record
}

// Boards is where boards are plugged in, and the setups of those that are.
type Boards interface {
	Ports() core.Ports
	// Setups returns what is being set up and what was since it was not closed,
	// in order of ID.
	Setups() []core.Setup
	// Begin takes a port and reads what is there. It returns at once.
	Begin(ctx context.Context, port string) (id int64, err error)
	// Close forgets a setup and lets its port go. What was made stays made.
	Close(id int64) error
}

// Orders is what a board is to become.
type Orders interface {
	// Order says what to make of a board. What cannot be is told, and nothing changes.
	Order(ctx context.Context, id int64, o core.SetupOrder) error
	// Start goes on from a step until it needs a person, is done or fails. It
	// returns at once.
	Start(ctx context.Context, id int64, from core.SetupStep) error
	// Stop ends what goes on, at once. The setup stays and can go on.
	Stop(id int64) error
}

// Looks is what a person looks at together with the board.
type Looks interface {
	// Judge says what a person saw of a test that asks.
	Judge(ctx context.Context, id int64, slot topic.ID, ok bool) error
	// Look lets a board scan for networks; Setup.Networks has them afterwards.
	Look(ctx context.Context, id int64) error
}

// Networks is the Wi-Fi networks that are known or seen.
type Networks interface {
	Networks() []core.Network
	ForgetNetwork(ctx context.Context, name string) error
}

// Firmware is what can be written to a board.
type Firmware interface {
	Images() []core.KitImage
	AddImage(ctx context.Context, name string, r io.Reader) (core.KitImage, error)
	// BuildImage builds the Wi-Fi firmware, and returns when that is over.
	BuildImage(ctx context.Context) error
	// Building is what a build says now, and whether one runs.
	Building() (core.Sentence, bool)
}

// Record is what was made.
type Record interface {
	// Made returns the setups that were done, failed or not, the newest first.
	Made() []core.Setup
	// WriteMade writes them as CSV.
	WriteMade(ctx context.Context, w io.Writer) error
}

// Plan is where kits are drawn.
type Plan interface{ Design() *core.Design }

// Teams says whose branch is whose.
type Teams interface{ Teams() []core.Team }

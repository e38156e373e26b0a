package core

import (
	"time"

	"homeroom/core/topic"
)

// Program is the account of what Homeroom itself publishes, such as a retained
// message that follows its topic. Nobody can sign in as it.
const Program AccountID = -2

// Effect is what moving or removing everything at or under a topic name does,
// told before it is done or after. At or under lab are lab, lab/air and
// lab/air/temp, designed or not.
type Effect struct {
	Topics []topic.Name // that are designed, with their names before, in order
	Places []topic.Name // branches, rooms and kits, likewise
	// Rules and Alarms use something of it: they follow a move, and go with a
	// removal. Kits elsewhere have ports joined to it, which follow a move and
	// stay after a removal.
	Rules    []topic.ID
	Alarms   []topic.ID
	Kits     []topic.Name
	Readings int64 // in the history, of all series
	// Joins is, of a move, how many readings there are at or under the new name
	// already. Where a name is the same, the others join them.
	Joins    int64
	Retained int // retained messages
	// Grants are those that write the name in their pattern. They stay as they are.
	Grants []Grant
	// Subscribers are the sessions that subscribe to something of it now.
	Subscribers []Client
	// Removal is set once a removal is done: with it, it can be undone.
	Removal Removal
}

// Removal is a removal of topics that can still be undone.
type Removal struct {
	ID      int64
	Under   topic.Name // it and everything under it was removed
	Topics  int        // that were designed
	Account AccountID  // who did it; 0 is the program
	At      time.Time
	Until   time.Time // when it can no longer be undone and the readings are forgotten
}

package plan

import (
	"context"
	"io"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// Parts is what the screen shows and does.
type Parts struct {
	Plan    Plan
	Values  Values
	Clients Clients
	Rights  Rights
	Boards  Boards
	Why     Why
	Rules   Rules
}

// Plan is the design, and everything that can be done with it.
type Plan interface {
	Designs
	Edits
	Arrivals
	Removed
	Templates
	Drawer
	Files
}

// Designs is the design and what changes it.
type Designs interface {
	Design() *core.Design
	Change(ctx context.Context, b core.Batch) error
	// MoveTopics and RemoveTopics bring along what hangs on the topics, the
	// places among them; unless apply, they only tell.
	MoveTopics(ctx context.Context, from, to topic.Name, apply bool) (core.Effect, error)
	RemoveTopics(ctx context.Context, under topic.Name, apply bool) (core.Effect, error)
}

// Edits takes edits back, and makes them again.
type Edits interface {
	Undo(ctx context.Context) (core.Edit, error)
	Redo(ctx context.Context) (core.Edit, error)
	// Edits returns what can be undone and redone, the next one first.
	Edits() (undo, redo []core.Edit)
}

// Arrivals is what arrives without being designed, and what could be better.
type Arrivals interface {
	Arriving() []core.TopicState
	Problems() []core.Fix
	// Meant returns the designed topic whose name n looks like a slip of.
	Meant(n topic.Name) (topic.Name, bool)
	// Adopt designs a topic as it arrives.
	Adopt(t core.TopicState) core.Batch
}

// Removed is what was removed and can still come back.
type Removed interface {
	Removals() []core.Removal
	UndoRemove(ctx context.Context, id int64) error
}

// Drawer makes what kits are drawn with.
type Drawer interface {
	// DrawKit returns the kit with the parts of its role and their topics.
	DrawKit(kit core.Place) core.Batch
	// PartTopic returns what the topic of a part is usually like, without a name.
	PartTopic(slot topic.ID) core.Topic
}

// Templates makes designs that are ready to use.
type Templates interface {
	Templates() []core.Template
	// FromTemplate returns the template once for each branch; "" is none, for
	// flat topics. onBoard lets the ESP_Choice board decide instead of a rule.
	FromTemplate(key string, branches []topic.Name, onBoard bool) (core.Batch, error)
	// Select tells what a filter selects, as a person types it.
	Select(filter string) (core.Selection, error)
}

// Files reads and writes the design. Formats are "json", "csv", "markdown" and
// "asyncapi".
type Files interface {
	// Import applies all of a file, or, where it has faults, nothing.
	Import(ctx context.Context, file []byte) (created, changed int, faults []core.FileFault, err error)
	Export(ctx context.Context, w io.Writer, format string) error
}

// Values is the newest value of each topic.
type Values interface {
	// Topics returns those that changed after position since (0: all), and the
	// present position.
	Topics(since uint64) (rows []core.TopicState, now uint64)
	// Messages returns the latest that arrived, oldest first; see history.
	Messages(after uint64, limit int) (ms []core.Message, next, lost uint64)
}

// Clients is who is connected.
type Clients interface{ Clients() []core.Client }

// Rights is who there is and what they may do.
type Rights interface {
	// MayUse returns the titles of those who may do a with all that f selects.
	MayUse(f topic.Filter, a core.Action) []string
	Teams() []core.Team
	Accounts() []core.Account // in order of name
	// Refusals returns the latest, newest first.
	Refusals(limit int) []core.Refusal
}

// Boards is the virtual kits.
type Boards interface {
	Boards() []core.Board
	Press(ctx context.Context, kit topic.Name, slot topic.ID, down bool) error
	// Turn moves a slider or switch to a value.
	Turn(ctx context.Context, kit topic.Name, slot topic.ID, value string) error
	Break(ctx context.Context, kit topic.Name, f core.Fault, on bool) error
}

// Why tells what led to the value that a topic had at a time; zero is now.
type Why interface {
	Why(ctx context.Context, n topic.Name, at time.Time) (core.Chain, error)
}

// Rules is what rules did.
type Rules interface{ States() []core.RuleState }

package history

import (
	"context"

	"homeroom/core"
	"homeroom/core/topic"
)

// Store keeps the history. Times are milliseconds since 1970, UTC.
type Store interface {
	// LoadHistory returns the limit series that changed last, least recent
	// first, and what is needed to go on recording.
	LoadHistory(ctx context.Context, limit int) (Loaded, error)
	// SeriesNames returns the description of every series there is.
	SeriesNames(ctx context.Context) (map[core.Series]core.Description, error)
	// WriteHistory applies all of b in one transaction.
	WriteHistory(ctx context.Context, b Batch) (Written, error)
	// ReadChunks calls the functions for what q selects, in no order and from
	// one state of the store. It reports whether it chose roll-ups.
	ReadChunks(ctx context.Context, q Query, chunk func(Chunk) error, rollup func(Rollup) error) (rolled bool, err error)
	// ReadTexts calls text for the texts of a series at q.From or later and
	// before q.To, in order of time, until it returns false.
	ReadTexts(ctx context.Context, q TextQuery, text func(Text) (more bool)) error
	// CountReadings returns how many readings are kept of the series that come
	// from under and the topics below it.
	CountReadings(ctx context.Context, under topic.Name) (int64, error)
	// TrimHistory removes what is too old or too much and returns the size
	// of the file in bytes.
	TrimHistory(ctx context.Context, t Trim) (size int64, err error)
}

// Levels are the widths of the roll-ups in milliseconds, finest first: a
// minute, a quarter of an hour, a day.
var Levels = [...]int64{60_000, 900_000, 86_400_000}

// Unrolled is the Rolled of a chunk that is in no roll-up yet.
const Unrolled = len(Levels)

// Summary says about some readings what fits in one line.
type Summary struct {
	First, Last        int64 // times of the readings
	Min, Max, Sum, End float64
	N                  int
}

// Chunk is up to 256 readings of one series.
type Chunk struct {
	ID     int64 // rises in order of arrival, never used twice
	Series core.Series
	Kind   core.Kind // Number or Boolean
	// Rolled is the finest level whose roll-ups hold the chunk; every coarser
	// one does too. A chunk that is still open is Unrolled.
	Rolled int
	Summary
	Packed []byte // see pack.go; nil where a query did not ask for it
}

// Rollup is all readings of a series in one stretch of a level's width.
type Rollup struct {
	Series core.Series
	Level  int
	Start  int64 // a multiple of the level's width
	Summary
}

// Text is one value of a text series.
type Text struct {
	ID     int64 // rises in order of arrival, never used twice
	Series core.Series
	At     int64
	Value  string
}

// Batch is what is written at once. A chunk replaces the one with its ID; a
// roll-up is added to what is there.
type Batch struct {
	Chunks   []Chunk
	Rollups  []Rollup
	Texts    []Text
	Meet     []core.Series // whose description is wanted back
	Days     []int64       // days since 1970 on which this was recorded
	Describe map[core.Series]core.Description
	Forget   []core.Series // their readings go, before anything else is written
	// Drop is topic names: the series that come from them and from the topics
	// below go, with what was said about them.
	Drop []topic.Name
	Move Move
}

// Move gives the series that come from From and the topics below it the names
// that they have at To. Where there is a series of that name, both become one,
// and what was said about that one counts. Neither is below the other. The zero
// Move moves nothing.
type Move struct{ From, To topic.Name }

// Written is the state of the store after a Batch.
type Written struct {
	Size int64 // of the file in bytes
	// Known holds the descriptions of series in Meet, where they are not empty.
	Known map[core.Series]core.Description
}

// Loaded is what Open needs.
type Loaded struct {
	Series    []Stored
	LastChunk int64   // the greatest ID of a chunk, or 0
	LastText  int64   // and of a text
	Days      []int64 // the days on which something was recorded
	Size      int64
}

// Stored is one series as the store knows it.
type Stored struct {
	Series core.Series
	core.Description
	Chunks []Chunk // the newest two, newest first, with Packed
	Text   *Text   // the newest, or nil
}

// Query selects chunks of a series that hold readings in [From, To).
type Query struct {
	Series   core.Series
	From, To int64
	// A chunk within the stretch that is no longer than Whole comes without Packed.
	Whole int64
	// If more than MaxChunks are selected and Level is not negative, roll-ups
	// of that Level come instead, with the chunks that they do not hold and
	// those in Unsaved, whether the roll-ups hold them or not. Otherwise, for
	// the time before the oldest chunk, roll-ups come that outlived theirs.
	MaxChunks int
	Level     int
	Unsaved   []int64
}

// TextQuery selects texts. Newest turns the order around.
type TextQuery struct {
	Series   core.Series
	From, To int64
	Newest   bool
}

// Trim says what is too old or too much. Roll-ups go with their readings by
// age; by size they go only after all readings.
type Trim struct {
	// Day is the day since 1970 from which age is counted, or negative to
	// remove nothing by age.
	Day int64
	// Days is how long readings are kept where their series does not say; 0 is for ever.
	Days int
	// Bytes is the greatest size of the file; 0 is no bound.
	Bytes int64
}

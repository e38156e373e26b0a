package history

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// exportChunks is how many chunks are in memory at once.
const exportChunks = 64

// ExportOptions selects what Export writes.
type ExportOptions struct {
	Filter   topic.Filter   // topics; "" is all
	From, To time.Time      // readings at From or later and before To; zero is without end
	Zone     *time.Location // of the times; nil is the local one
	BOM      bool           // begin with a byte order mark, for spreadsheets that ask for it
}

// Export writes readings as CSV: time (RFC 3339 with milliseconds), topic,
// leaf, value, unit; series by series, each in order of time. A cell that a
// spreadsheet could take for a formula begins with an apostrophe; numbers stay
// as they are. What is not written to the disk yet is there too.
func (h *History) Export(ctx context.Context, w io.Writer, o ExportOptions) error {
	all, err := h.cfg.Store.SeriesNames(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	for name, s := range h.series {
		all[name] = s.Description
	}
	h.mu.Unlock()
	if o.BOM {
		if _, err := io.WriteString(w, "\ufeff"); err != nil {
			return fmt.Errorf("history: export: %w", err)
		}
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	out := csv.NewWriter(w)
	_ = out.Write([]string{"time", "topic", "leaf", "value", "unit"}) // Flush below says what went wrong
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if hidden(name) || o.Filter != "" && !o.Filter.Match(name.Topic()) {
			continue
		}
		e := exporter{h: h, w: out, zone: o.Zone, series: name,
			row: []string{"", plain(string(name.Topic())), plain(name.Leaf()), "", plain(all[name].Unit)}}
		if err := e.run(ctx, o.From, o.To); err != nil {
			return fmt.Errorf("history: export: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("history: export: %w", err)
	}
	return nil
}

// exporter writes one series.
type exporter struct {
	h      *History
	w      *csv.Writer
	zone   *time.Location
	series core.Series
	row    []string
}

// exported is one reading to be written.
type exported struct {
	ms    int64
	value string
}

func (e *exporter) run(ctx context.Context, from, to time.Time) error {
	start, end := int64(math.MinInt64), int64(math.MaxInt64)
	if !from.IsZero() {
		start = from.UnixMilli()
	}
	if !to.IsZero() {
		end = to.UnixMilli()
	}
	var firsts []int64
	err := e.h.chunks(ctx, Query{Series: e.series, From: start, To: end, Whole: math.MaxInt64, Level: -1},
		func(c Chunk) { firsts = append(firsts, c.First) }, nil)
	if err != nil {
		return err
	}
	slices.Sort(firsts)
	for i := exportChunks; i < len(firsts); i += exportChunks {
		if firsts[i] > start {
			if err := e.stretch(ctx, start, firsts[i]); err != nil {
				return err
			}
			start = firsts[i]
		}
	}
	return e.stretch(ctx, start, end)
}

// stretch writes the readings at start or later and before end.
func (e *exporter) stretch(ctx context.Context, start, end int64) error {
	var rows []exported
	var rs []reading
	err := e.h.chunks(ctx, Query{Series: e.series, From: start, To: end, Whole: -1, Level: -1}, func(c Chunk) {
		rs = e.h.unpack(rs[:0], c)
		for _, r := range rs {
			if r.ms >= start && r.ms < end {
				rows = append(rows, exported{r.ms, format(c.Kind, r.v)})
			}
		}
	}, nil)
	if err != nil {
		return err
	}
	waiting := e.h.waitingTexts(e.series, start, end)
	seen := idsOf(waiting)
	for _, t := range waiting {
		rows = append(rows, exported{t.At, plain(t.Value)})
	}
	slices.SortStableFunc(rows, func(a, b exported) int { return cmp.Compare(a.ms, b.ms) })
	err = e.h.cfg.Store.ReadTexts(ctx, TextQuery{Series: e.series, From: start, To: end}, func(t Text) bool {
		if seen[t.ID] {
			return true
		}
		for len(rows) > 0 && rows[0].ms <= t.At {
			e.write(rows[0])
			rows = rows[1:]
		}
		e.write(exported{t.At, plain(t.Value)})
		return e.w.Error() == nil
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		e.write(r)
	}
	e.w.Flush()
	return e.w.Error()
}

func (e *exporter) write(r exported) {
	e.row[0] = time.UnixMilli(r.ms).In(e.zone).Format("2006-01-02T15:04:05.000Z07:00")
	e.row[3] = r.value
	_ = e.w.Write(e.row) // Flush says what went wrong
}

// format writes a number so that every program reads it back as it was.
func format(kind core.Kind, v float64) string {
	switch abs := math.Abs(v); {
	case kind == core.Boolean:
		return strconv.FormatBool(v != 0)
	case abs == 0, abs >= 1e-6 && abs < 1e21:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'e', -1, 64)
}

// plain makes a spreadsheet take s for a text.
func plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

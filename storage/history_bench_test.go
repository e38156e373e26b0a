package storage

import (
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/history"
	"homeroom/core/topic"
)

// benchSeries is the load of the benchmarks: so many series, one reading a second each.
const benchSeries = 200

var benchNames = func() (names [benchSeries]topic.Name) {
	for i := range names {
		names[i] = topic.Name(fmt.Sprintf("blue/lab/kit-%d/air", i))
	}
	return names
}()

// report says what one reading costs. It counts the CPU of the whole process.
func report(b *testing.B, cpu time.Duration, readings int) {
	b.ReportMetric(float64(readings)/b.Elapsed().Seconds(), "samples/s")
	b.ReportMetric(cpu.Seconds()/float64(readings)*1e6, "cpu-s/M")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkWrite takes readings to the disk: from Record on with roll-ups and
// all, the same flushed as often as the running program does, the chunks alone
// (packing them is BenchmarkPack in core/history), and one row a reading.
func BenchmarkWrite(b *testing.B) {
	for _, every := range []int{benchSeries * 1024, benchSeries * 3} {
		name := "packed"
		if every == benchSeries*3 {
			name = "packed, flushed every 3 s"
		}
		b.Run(name, func(b *testing.B) {
			h := openHistory(b, open(b, b.TempDir()))
			payloads := benchPayloads()
			n := 0
			cpu := cpuTime()
			b.ResetTimer()
			for b.Loop() {
				for range every {
					h.Record(core.Message{
						Topic:   benchNames[n%benchSeries],
						At:      morning.Add(time.Duration(n/benchSeries) * time.Second),
						Payload: payloads[(n/benchSeries+n)%len(payloads)],
					})
					n++
				}
				flush(b, h)
			}
			report(b, cpuTime()-cpu, n)
			b.ReportMetric(float64(h.Size())/float64(n), "B/sample")
		})
	}
	b.Run("full chunks alone", func(b *testing.B) {
		db := open(b, b.TempDir())
		batch := history.Batch{Chunks: make([]history.Chunk, 512)}
		packed := make([]byte, 768)
		id := int64(0)
		cpu := cpuTime()
		b.ResetTimer()
		for b.Loop() {
			for i := range batch.Chunks {
				id++
				first := morning.UnixMilli() + id/benchSeries*256_000
				batch.Chunks[i] = history.Chunk{ID: id, Series: core.Series(benchNames[id%benchSeries]), Kind: core.Number, Packed: packed,
					Summary: history.Summary{First: first, Last: first + 255_000, Min: 1, Max: 2, Sum: 400, End: 1.5, N: 256}}
			}
			if _, err := db.WriteHistory(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
		}
		report(b, cpuTime()-cpu, int(id)*256)
	})
	b.Run("one row a reading", func(b *testing.B) {
		db := open(b, b.TempDir())
		plainTable(b, db)
		values := make([]float64, 1000)
		for i := range values {
			values[i] = wave(i)
		}
		n := 0
		cpu := cpuTime()
		b.ResetTimer()
		for b.Loop() {
			err := db.history.tx(b.Context(), func(tx *sql.Tx) error {
				stmt, err := tx.Prepare("INSERT INTO plain VALUES (?, ?, ?)")
				if err != nil {
					return err
				}
				defer stmt.Close()
				for range benchSeries * 100 {
					if _, err := stmt.Exec(n%benchSeries, morning.UnixMilli()+int64(n/benchSeries)*1000, values[n%1000]); err != nil {
						return err
					}
					n++
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		report(b, cpuTime()-cpu, n)
		n64, err := size(b.Context(), db.history.read)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n64)/float64(n), "B/sample")
	})
}

func benchPayloads() [][]byte {
	ps := make([][]byte, 1000)
	for i := range ps {
		ps[i] = strconv.AppendFloat(nil, wave(i), 'f', -1, 64)
	}
	return ps
}

func plainTable(b *testing.B, db *DB) {
	b.Helper()
	if _, err := db.history.write.Exec("CREATE TABLE plain (series INTEGER, at INTEGER, value REAL, PRIMARY KEY (series, at)) WITHOUT ROWID"); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkTrace makes 2,000 points of a million readings: from chunks (one a
// second), from roll-ups (ten a second), and by plain SQL.
func BenchmarkTrace(b *testing.B) {
	const n, points = 1_000_000, 2000
	for _, every := range []time.Duration{time.Second, 100 * time.Millisecond, time.Minute} {
		b.Run("packed, every "+every.String(), func(b *testing.B) {
			db := open(b, b.TempDir())
			h, err := history.Open(b.Context(), history.Config{Store: db, Feed: &core.Feed{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
			if err != nil {
				b.Fatal(err)
			}
			payloads := benchPayloads()
			for i := range n {
				h.Record(core.Message{Topic: "a", Payload: payloads[i%1000], At: morning.Add(time.Duration(i) * every)})
			}
			flush(b, h)
			cpu := cpuTime()
			b.ResetTimer()
			for b.Loop() {
				tr := trace(b, h, "a", morning, morning.Add(n*every), points)
				if len(tr.Spans) < points/2 || len(tr.Spans) > points {
					b.Fatalf("%d spans", len(tr.Spans))
				}
			}
			b.ReportMetric((cpuTime()-cpu).Seconds()*1e3/float64(b.N), "cpu-ms/op")
		})
	}
	b.Run("plain SQL", func(b *testing.B) {
		db := open(b, b.TempDir())
		plainTable(b, db)
		if err := db.history.tx(b.Context(), func(tx *sql.Tx) error {
			stmt, err := tx.Prepare("INSERT INTO plain VALUES (1, ?, ?)")
			if err != nil {
				return err
			}
			defer stmt.Close()
			for i := range n {
				if _, err := stmt.Exec(morning.UnixMilli()+int64(i)*1000, wave(i)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		from, to := morning.UnixMilli(), morning.UnixMilli()+n*1000
		cpu := cpuTime()
		b.ResetTimer()
		for b.Loop() {
			got := 0
			err := each(b.Context(), db.history.read, `SELECT min(at), max(at), min(value), max(value), sum(value), count(*)
				FROM plain WHERE series = 1 AND at >= ?1 AND at < ?2 GROUP BY (at - ?1) / ?3`,
				func(*sql.Rows) error { got++; return nil }, from, to, (to-from)/points)
			if err != nil || got != points {
				b.Fatalf("%d points, %v", got, err)
			}
		}
		b.ReportMetric((cpuTime()-cpu).Seconds()*1e3/float64(b.N), "cpu-ms/op")
	})
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/plan"
	"homeroom/core/topic"
	"homeroom/storage"
)

type planCmd struct {
	List   planList   `cmd:"" help:"List designed topics."`
	Import planImport `cmd:"" help:"Design the topics of a JSON or CSV file: all of them, or none and every fault is listed."`
	Export planExport `cmd:"" help:"Write the designed topics to standard output, for import."`
}

// withPlan runs fn on the plan in the data folder, beside a program that may be
// running there.
func withPlan(ctx context.Context, e env, fn func(*plan.Service) error) error {
	db, err := storage.Open(ctx, e.data)
	if err != nil {
		return err
	}
	s, err := plan.Open(ctx, plan.Config{Store: db, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		err = fn(s)
	}
	return errors.Join(err, db.Close())
}

type planList struct {
	Filter string `arg:"" optional:"" help:"Topic filter; + and # as in MQTT." default:"#"`
}

// Run prints a table.
func (c *planList) Run(ctx context.Context, e env) error {
	f, err := topic.ParseFilter(c.Filter)
	if err != nil {
		return core.Fail(errUsage, "{filter} is not a topic filter: + and # stand alone in a level, # only at the end.", "filter", c.Filter)
	}
	return withPlan(ctx, e, func(s *plan.Service) error {
		w := tabwriter.NewWriter(e.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "TOPIC\tVALUES\tQOS\tRETAIN\tCOMMANDS\tFOR")
		for _, t := range s.Topics(f) {
			text, _, _ := strings.Cut(t.Text, "\n")
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", t.Name, values(t), t.QoS, yes(t.Retain), yes(t.Writable), text)
		}
		return w.Flush()
	})
}

// values is what a topic may say.
func values(t core.Topic) string {
	switch {
	case t.Kind == core.Boolean:
		return "boolean"
	case t.Kind == core.Number && (t.Min != 0 || t.Max != 0):
		return fmt.Sprintf("%v to %v", t.Min, t.Max)
	case t.Kind == core.Number:
		return "number"
	}
	return "text"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "-"
}

type planImport struct {
	File string `arg:"" help:"File, or - for standard input."`
}

// Run imports.
func (c *planImport) Run(ctx context.Context, e env) error {
	in := e.in
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	file, err := io.ReadAll(io.LimitReader(in, plan.MaxFile+1))
	if err != nil {
		return err
	}
	return withPlan(ctx, e, func(s *plan.Service) error {
		created, changed, err := s.Import(ctx, file)
		var faults plan.Faults
		if errors.As(err, &faults) {
			for _, f := range faults {
				fmt.Fprintf(e.err, "%s:%d: %s: %s\n", c.File, f.Line, cmp.Or(f.Path, "-"), lang.Say(f.Sentence))
			}
			return core.Fail(core.ErrInvalid, "Nothing was imported. Faults in the file: {n}", "n", len(faults))
		}
		if err == nil {
			fmt.Fprintln(e.out, lang.L("Created {created}, changed {changed}.", "created", created, "changed", changed))
		}
		return err
	})
}

type planExport struct {
	Format string `help:"json or csv." enum:"json,csv" default:"json"`
}

// Run exports.
func (c *planExport) Run(ctx context.Context, e env) error {
	return withPlan(ctx, e, func(s *plan.Service) error {
		if c.Format == "csv" {
			return s.ExportCSV(e.out)
		}
		return s.ExportJSON(e.out)
	})
}

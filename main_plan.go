package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/accounts"
	"homeroom/core/plan"
	"homeroom/core/rules"
	"homeroom/core/topic"
	"homeroom/storage"
)

type planCmd struct {
	List   planList   `cmd:"" help:"List designed topics."`
	Import planImport `cmd:"" help:"Design what is in a JSON or CSV file: all of it, or nothing and every fault is listed."`
	Export planExport `cmd:"" help:"Write the plan to standard output, for import; as CSV the topics only."`

	Template planTemplate `cmd:"" help:"Draw a template: state_led, four-boards, monitoring or empty-home."`
	Document planDocument `cmd:"" help:"Write a document of the plan to standard output, for people or for tools."`
	Check    planCheck    `cmd:"" help:"List what could be better in the plan; exit 1 if anything could."`
}

// withPlan runs fn on the plan in the data folder, beside a program that may be
// running there.
func withPlan(ctx context.Context, e env, fn func(*plan.Service) error) error {
	db, err := storage.Open(ctx, e.data)
	if err != nil {
		return err
	}
	s, err := plan.Open(ctx, plan.Config{Store: db, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler), CheckRule: rules.Check})
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
	case t.Kind == core.Enumeration:
		return strings.Join(t.Options, ", ")
	case t.Kind == core.JSON:
		return "json"
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

// Run imports. The rules in it publish as the first teacher.
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
	if ctx, err = asFirstTeacher(ctx, e); err != nil {
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

type planTemplate struct {
	Key     string   `arg:"" help:"Template."`
	Branch  []string `help:"Branches to draw it in, one copy each: --branch blue,red. Without, state_led and four-boards have flat topics."`
	OnBoard bool     `help:"Let an ESP_Choice board decide; else a rule of the program does." default:"true" negatable:""`
}

// Run draws it. Its rules publish as the first teacher.
func (c *planTemplate) Run(ctx context.Context, e env) error {
	branches := make([]topic.Name, 0, len(c.Branch)+1)
	for _, b := range c.Branch {
		branches = append(branches, topic.Name(strings.TrimSpace(b)))
	}
	if len(branches) == 0 {
		branches = append(branches, "")
	}
	ctx, err := asFirstTeacher(ctx, e)
	if err != nil {
		return err
	}
	return withPlan(ctx, e, func(s *plan.Service) error {
		batch, err := plan.FromTemplate(c.Key, branches, s.Design(), plan.Options{OnBoard: c.OnBoard, Say: lang.Say})
		if err == nil {
			err = s.Change(ctx, batch)
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(e.out, lang.L("Drew {topics} topics, {places} branches, rooms and kits, {rules} rules and {alarms} alarms.",
			"topics", len(batch.Topics), "places", len(batch.Places), "rules", len(batch.Rules), "alarms", len(batch.Alarms)))
		return nil
	})
}

// asFirstTeacher returns a ctx in which the first teacher makes changes: a rule can
// do no more than who wrote it, and nobody can do nothing.
func asFirstTeacher(ctx context.Context, e env) (context.Context, error) {
	err := withAccounts(ctx, e, func(s *accounts.Service) error {
		ctx = core.As(ctx, cmp.Or(firstTeacher(s), core.Anyone))
		return nil
	})
	return ctx, err
}

// firstTeacher returns the oldest account of a teacher, or 0.
func firstTeacher(s *accounts.Service) (first core.AccountID) {
	for _, a := range s.Accounts() {
		if a.Role == core.Teacher && !a.Disabled && (first == 0 || a.ID < first) {
			first = a.ID
		}
	}
	return first
}

type planDocument struct {
	Filter  string `arg:"" optional:"" help:"Topic filter; + and # as in MQTT." default:"#"`
	Format  string `help:"markdown or asyncapi." enum:"markdown,asyncapi" default:"markdown"`
	Title   string `help:"Title of the document."`
	Address string `help:"Address of MQTT to write into it, like 192.168.1.20:1883."`
}

// Run writes the document.
func (c *planDocument) Run(ctx context.Context, e env) error {
	f, err := topic.ParseFilter(c.Filter)
	if err != nil {
		return core.Fail(errUsage, "{filter} is not a topic filter: + and # stand alone in a level, # only at the end.", "filter", c.Filter)
	}
	return withPlan(ctx, e, func(s *plan.Service) error {
		return writePlan(e.out, s.Design(), f, c.Format, plan.DocOptions{Title: c.Title, Address: c.Address, Say: lang.Say, Rule: func(r core.Rule) string { return sentence(s.Design(), r, lang.Say) }})
	})
}

// sentence writes a rule of d as a person reads it, in the language of say.
func sentence(d *core.Design, r core.Rule, say func(core.Sentence) string) string {
	topics := func(n topic.Name) (core.Topic, bool) {
		if t := d.Topic(n); t != nil {
			return *t, true
		}
		return core.Topic{}, false
	}
	when, holds, then := rules.Sentence(r, topics, titles(d))
	var parts []string
	for _, part := range slices.Concat(when, holds, then) {
		parts = append(parts, say(part))
	}
	return strings.Join(parts, " ")
}

// titles names topics of d as a person reads them.
func titles(d *core.Design) func(topic.Name) string {
	return func(n topic.Name) string {
		if t := d.Topic(n); t != nil && t.Label != "" {
			return t.Label
		}
		return string(n)
	}
}

type planCheck struct{}

// Run prints a problem a line, and fails if there is one.
func (c *planCheck) Run(ctx context.Context, e env) error {
	return withPlan(ctx, e, func(s *plan.Service) error {
		problems := plan.Problems(s.Design(), nil)
		for _, f := range problems {
			line := lang.Say(f.Say)
			if f.Rename != "" {
				line += " " + lang.L("Rename it to {topic}.", "topic", f.To)
			}
			fmt.Fprintln(e.out, line)
		}
		if len(problems) > 0 {
			return core.Fail(core.ErrInvalid, "Things that could be better: {n}", "n", len(problems))
		}
		return nil
	})
}

package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/gateway"
	"homeroom/core/plan"
	"homeroom/core/rules"
	"homeroom/core/topic"
)

// webPlan is the design for the web door, which has asked who may do what. A
// document or an answer is made from the design that it hands over, which holds
// only what the reader may know.
type webPlan struct {
	*plan.Service
	p *program
}

// Problems returns what could be better in d.
func (webPlan) Problems(d *core.Design, arriving []core.TopicState) []core.Fix {
	return plan.Problems(d, arriving)
}

// Select tells what a filter selects of d.
func (webPlan) Select(d *core.Design, filter string, arriving []core.TopicState) (core.Selection, error) {
	return plan.Select(d, filter, arriving)
}

// Templates returns what can be drawn at once.
func (webPlan) Templates() []core.Template { return plan.Templates() }

// FromTemplate returns the template once for each branch, in the reader's language.
func (w webPlan) FromTemplate(key string, branches []topic.Name, onBoard bool, language string) (core.Batch, error) {
	return plan.FromTemplate(key, branches, w.Design(), plan.Options{OnBoard: onBoard, Say: lang.Closest(language).Say})
}

// Import applies all of a file, or nothing and tells its faults.
func (w webPlan) Import(ctx context.Context, file []byte) (created, changed int, faults []core.FileFault, err error) {
	created, changed, err = w.Service.Import(ctx, file)
	var told plan.Faults
	if errors.As(err, &told) {
		for _, f := range told {
			faults = append(faults, core.FileFault{Line: f.Line, Path: f.Path, Say: f.Sentence})
		}
		err = nil
	}
	return created, changed, faults, err
}

// Document writes d for whom o names.
func (w webPlan) Document(to io.Writer, d *core.Design, o gateway.DocumentOptions) error {
	options, say := w.p.documents(), lang.Closest(o.Language).Say
	options.Say = say
	options.Account = func(id core.AccountID) string { return cmp.Or(o.Account(id), say(core.Say("somebody else"))) }
	options.Rule = func(r core.Rule) string {
		when, holds, then := rules.Sentence(r, func(n topic.Name) (core.Topic, bool) {
			if t := d.Topic(n); t != nil {
				return *t, true
			}
			return core.Topic{}, false
		}, func(n topic.Name) string {
			if t := d.Topic(n); t != nil && t.Label != "" {
				return t.Label
			}
			return string(n)
		})
		var parts []string
		for _, s := range append(append(when, holds...), then...) {
			parts = append(parts, say(s))
		}
		return strings.Join(parts, " ")
	}
	switch o.Format {
	case "json":
		return plan.WriteJSON(to, d)
	case "csv":
		return plan.WriteCSV(to, d)
	case "markdown":
		return plan.Markdown(to, d, o.Filter, options)
	}
	return plan.AsyncAPI(to, d, o.Filter, options)
}

// webRules are the rules for the web door, with their language.
type webRules struct{ *rules.Service }

// Parse, Text and Sentence are those of the package rules.
func (webRules) Parse(text string, design func(topic.Name) (core.Topic, bool)) (core.Rule, error) {
	return rules.Parse(text, design)
}

func (webRules) Text(r core.Rule) string { return rules.Text(r) }

func (webRules) Sentence(r core.Rule, design func(topic.Name) (core.Topic, bool), title func(topic.Name) string) (when, holds, then []core.Sentence) {
	return rules.Sentence(r, design, title)
}

package main

import (
	"cmp"
	"context"
	"io"

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
	return importPlan(ctx, w.Service, file)
}

// Document writes d for whom o names.
func (w webPlan) Document(to io.Writer, d *core.Design, o gateway.DocumentOptions) error {
	options, say := w.p.documents(), lang.Closest(o.Language).Say
	options.Say = say
	options.Account = func(id core.AccountID) string { return cmp.Or(o.Account(id), say(core.Say("somebody else"))) }
	options.Rule = func(r core.Rule) string { return sentence(d, r, say) }
	return writePlan(to, d, o.Filter, o.Format, options)
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

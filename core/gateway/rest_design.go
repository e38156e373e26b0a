package gateway

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	maxFile    = 16 << 20 // of a file to import
	importPath = root + "/plan/import"
)

// design adds the whole design and what is made from it.
func (a api) design() {
	a.drawing()
	a.edits()
	a.documents()
	a.questions()
	a.rules()
	a.alarms()
	a.why()
	a.boards()
	a.recordings()
	a.replays()
}

// revised is the answer to a change of the design.
type revised struct {
	Revision int64 `json:"revision" doc:"Of the design now."`
}

func (g *Gateway) revised() *body[revised] {
	return &body[revised]{revised{g.cfg.Drawing.Design().Revision}}
}

func (a api) drawing() {
	g := a.g
	tags := []string{"plan"}
	register(a, members, huma.Operation{OperationID: "get-plan", Method: http.MethodGet, Path: "/plan", Tags: tags, Summary: core.Say("Read the plan").Format,
		Description: "Everything that is designed and that the caller may read."},
		func(ctx context.Context, c caller, _ *struct{}) (*body[drawn], error) {
			if !g.turn(ctx) {
				return nil, ctx.Err()
			}
			defer func() { <-g.lives }()
			return &body[drawn]{g.draw(c, g.visible(c))}, nil
		})

	register(a, members, huma.Operation{OperationID: "change-plan", Method: http.MethodPost, Path: "/plan/changes", Tags: tags, Summary: core.Say("Change the plan").Format,
		Description:  "All of it or nothing, as one edit that can be undone. A teacher anywhere; a student within the branch of its team, and with topics that it may use itself. A rule publishes as who wrote it.",
		MaxBodyBytes: maxBody},
		func(ctx context.Context, c caller, in *body[changes]) (*body[revised], error) {
			b, err := in.Body.batch()
			if err == nil {
				err = g.change(ctx, c, b)
			}
			if err != nil {
				return nil, err
			}
			return g.revised(), nil
		})

	type template struct {
		Key     string `json:"key" example:"four-boards"`
		Title   string `json:"title"`
		Text    string `json:"text" doc:"What one learns with it."`
		Decides bool   `json:"decides,omitempty" doc:"Something decides in it: a rule, or with on_board an ESP_Choice board."`
		Flat    bool   `json:"flat,omitempty" doc:"It can do without a branch."`
		Kits    int    `json:"kits" doc:"That one copy has."`
	}
	register(a, members, huma.Operation{OperationID: "list-templates", Method: http.MethodGet, Path: "/plan/templates", Tags: tags, Summary: core.Say("List templates").Format},
		func(_ context.Context, c caller, _ *struct{}) (*body[list[template]], error) {
			out := list[template]{Items: []template{}}
			for _, t := range g.cfg.Drawing.Templates() {
				out.Items = append(out.Items, template{t.Key, g.cfg.Say(c.language, t.Title), g.cfg.Say(c.language, t.Text), t.Decides, t.Flat, t.Kits})
			}
			return &body[list[template]]{out}, nil
		})

	type drawIn struct {
		Key  string `path:"key" maxLength:"64" example:"four-boards"`
		Body struct {
			Branches []string `json:"branches" minItems:"1" maxItems:"100" doc:"One copy each; an empty one is flat topics." example:"[\"blue\",\"red\"]"`
			OnBoard  bool     `json:"on_board,omitempty" doc:"An ESP_Choice board decides; else a rule."`
			Preview  bool     `json:"preview,omitempty" doc:"Draw nothing and tell what would be drawn."`
		}
	}
	register(a, members, huma.Operation{OperationID: "draw-template", Method: http.MethodPost, Path: "/plan/templates/{key}", Tags: tags, Summary: core.Say("Draw a template").Format,
		Description: "A teacher in any branch, a student in that of its team. The answer is what was drawn."},
		func(ctx context.Context, c caller, in *drawIn) (*body[changes], error) {
			var branches []topic.Name
			for _, b := range in.Body.Branches {
				n := topic.Name(strings.TrimSpace(b))
				if !g.sovereign(c) { // who is told that a name is taken has to know it
					if n != topic.Name(c.Team) {
						return nil, core.Fail(core.ErrDenied, "You may draw in the branch of your team only. Ask the teacher.")
					}
					if err := g.real(c, &n); err != nil {
						return nil, err
					}
				}
				branches = append(branches, n)
			}
			b, err := g.cfg.Drawing.FromTemplate(in.Key, branches, in.Body.OnBoard, c.language)
			if err == nil {
				err = g.mayChange(c, &b)
			}
			if err == nil && !in.Body.Preview {
				err = g.cfg.Drawing.Change(ctx, b)
			}
			if err != nil {
				return nil, err
			}
			return &body[changes]{g.drawChanges(c, b)}, nil
		})
}

func (a api) edits() {
	g := a.g
	tags := []string{"plan"}
	type edit struct {
		ID  int64     `json:"id"`
		At  time.Time `json:"at"`
		By  string    `json:"by,omitempty" doc:"The account."`
		Say string    `json:"say"`
	}
	type edits struct {
		Undo []edit `json:"undo" doc:"The first is what undo takes back."`
		Redo []edit `json:"redo" doc:"The first is what redo makes again."`
	}
	show := func(c caller, e core.Edit) edit {
		return edit{e.ID, e.At, g.nameOf(c, e.Account), g.cfg.Say(c.language, e.Say)}
	}
	register(a, members, huma.Operation{OperationID: "list-edits", Method: http.MethodGet, Path: "/plan/edits", Tags: tags, Summary: core.Say("List edits of the plan").Format,
		Description: "Newest first. A teacher sees all, anybody else its own."},
		func(_ context.Context, c caller, _ *struct{}) (*body[edits], error) {
			shown := func(all []core.Edit) []edit {
				out := []edit{}
				for _, e := range all {
					if g.sovereign(c) || e.Account == c.ID {
						out = append(out, show(c, e))
					}
				}
				return out
			}
			undo, redo := g.cfg.Drawing.Edits()
			return &body[edits]{edits{shown(undo), shown(redo)}}, nil
		})
	for _, x := range []struct {
		id, summary, does string
		turn              func(context.Context) (core.Edit, error)
	}{
		{"undo", core.Say("Undo the newest edit of the plan").Format, "Whoever made it.", func(ctx context.Context) (core.Edit, error) { return g.cfg.Drawing.Undo(ctx) }},
		{"redo", core.Say("Redo the edit that was undone last").Format, "Whoever made it.", func(ctx context.Context) (core.Edit, error) { return g.cfg.Drawing.Redo(ctx) }},
	} {
		register(a, owners, huma.Operation{OperationID: x.id + "-edit", Method: http.MethodPost, Path: "/plan/" + x.id, Tags: tags, Summary: x.summary, Description: x.does},
			func(ctx context.Context, c caller, _ *struct{}) (*body[edit], error) {
				e, err := x.turn(ctx)
				if err != nil {
					return nil, err
				}
				return &body[edit]{show(c, e)}, nil
			})
	}
}

func (a api) documents() {
	g := a.g
	tags := []string{"plan"}
	type documentIn struct {
		Format string `query:"format" required:"true" enum:"markdown,asyncapi,json,csv"`
		Topic  string `query:"topic" maxLength:"1024" doc:"A topic filter, of markdown and asyncapi." example:"blue/#"`
	}
	type document struct {
		ContentType string `header:"Content-Type"`
		Disposition string `header:"Content-Disposition"`
		Body        []byte
	}
	kinds := map[string][2]string{"markdown": {"text/markdown; charset=utf-8", "plan.md"}, "asyncapi": {"application/json", "asyncapi.json"}, "json": {"application/json", "plan.json"}, "csv": {"text/csv; charset=utf-8", "plan.csv"}}
	register(a, members, huma.Operation{OperationID: "plan-document", Method: http.MethodGet, Path: "/plan/document", Tags: tags, Summary: core.Say("Get a document of the plan").Format,
		Description: "markdown is for people, asyncapi for tools, json and csv (topics only) for import. Only what the caller may read is in it.",
		Responses: map[string]*huma.Response{"200": {Description: "The document", Content: map[string]*huma.MediaType{
			"text/markdown": {Schema: &huma.Schema{Type: "string"}}, "application/json": {Schema: &huma.Schema{}}, "text/csv": {Schema: &huma.Schema{Type: "string"}}}}}},
		func(ctx context.Context, c caller, in *documentIn) (*document, error) {
			f, err := filter(in.Topic)
			if err != nil {
				return nil, err
			}
			if !g.turn(ctx) {
				return nil, ctx.Err()
			}
			defer func() { <-g.lives }()
			var b bytes.Buffer
			err = g.cfg.Drawing.Document(&b, g.visible(c), DocumentOptions{in.Format, f, c.language, func(id core.AccountID) string { return g.nameOf(c, id) }})
			if err != nil {
				return nil, err
			}
			kind := kinds[in.Format]
			return &document{kind[0], `attachment; filename="` + kind[1] + `"`, b.Bytes()}, nil
		})

	type importIn struct {
		RawBody []byte `contentType:"application/octet-stream" doc:"A file as the documents json and csv are, whatever its Content-Type."`
	}
	type imported struct {
		Created int `json:"created"`
		Changed int `json:"changed"`
	}
	register(a, owners, huma.Operation{OperationID: "import-plan", Method: http.MethodPost, Path: strings.TrimPrefix(importPath, root), Tags: tags, Summary: core.Say("Import a plan").Format,
		Description:  "All of it, as one edit; or, where anything is wrong, nothing, and errors lists every fault with line and path.",
		MaxBodyBytes: maxFile, BodyReadTimeout: time.Minute},
		func(ctx context.Context, _ caller, in *importIn) (*body[imported], error) {
			if !g.turn(ctx) {
				return nil, ctx.Err()
			}
			defer func() { <-g.lives }()
			created, changed, faults, err := g.cfg.Drawing.Import(ctx, in.RawBody)
			if len(faults) > 0 {
				err = &faultyFile{core.Fail(core.ErrInvalid, "Nothing was imported. Faults in the file: {n}", "n", len(faults)), faults}
			}
			if err != nil {
				return nil, err
			}
			return &body[imported]{imported{created, changed}}, nil
		})
}

func (a api) questions() {
	g := a.g
	tags := []string{"plan"}
	type fix struct {
		Topic  string   `json:"topic,omitempty" doc:"Or the place; what it is about."`
		Say    string   `json:"say"`
		Rename string   `json:"rename,omitempty" doc:"POST topics/move from here to to mends it."`
		To     string   `json:"to,omitempty"`
		Change *changes `json:"change,omitempty" doc:"POST plan/changes with it mends it."`
	}
	register(a, members, huma.Operation{OperationID: "list-problems", Method: http.MethodGet, Path: "/plan/problems", Tags: tags, Summary: core.Say("List what could be better in the plan").Format,
		Description: "Of what the caller may read; at most 1,000."},
		func(ctx context.Context, c caller, _ *struct{}) (*body[list[fix]], error) {
			if !g.turn(ctx) {
				return nil, ctx.Err()
			}
			defer func() { <-g.lives }()
			out := list[fix]{Items: []fix{}}
			for _, p := range g.cfg.Drawing.Problems(g.visible(c), g.arriving(c)) {
				x := fix{Topic: string(p.Topic), Say: g.cfg.Say(c.language, p.Say), Rename: string(p.Rename), To: string(p.To)}
				if b := p.Batch; len(b.Topics)+len(b.Places)+len(b.Rules)+len(b.Alarms)+len(b.RemoveTopics)+len(b.RemovePlaces)+len(b.RemoveRules)+len(b.RemoveAlarms) > 0 {
					change := g.drawChanges(c, b)
					x.Change = &change
				}
				out.Items = append(out.Items, x)
			}
			return &body[list[fix]]{out}, nil
		})

	type selectIn struct {
		Filter string `query:"filter" required:"true" maxLength:"1024" doc:"As a person types it." example:"blue/+/+/light"`
	}
	type selected struct {
		Topic string   `json:"topic"`
		Took  []string `json:"took,omitempty" doc:"What each wildcard stood for."`
	}
	type near struct {
		Topic string `json:"topic"`
		Say   string `json:"say" doc:"Why it is not selected."`
	}
	type selection struct {
		Filter    string     `json:"filter"`
		Problem   string     `json:"problem,omitempty" doc:"Why it is no filter."`
		Wrong     int        `json:"wrong,omitempty" doc:"Where: a character, from 1."`
		Topics    []selected `json:"topics" doc:"That are designed, at most 1,000."`
		Total     int        `json:"total" doc:"How many are designed."`
		Arriving  []string   `json:"arriving" doc:"That are not designed, at most 1,000."`
		Near      []near     `json:"near"`
		Notes     []string   `json:"notes"`
		Publish   []string   `json:"publish" doc:"Accounts that may publish there, of those that the caller may know."`
		Subscribe []string   `json:"subscribe"`
	}
	const most = 1000
	register(a, members, huma.Operation{OperationID: "select-topics", Method: http.MethodGet, Path: "/plan/select", Tags: tags, Summary: core.Say("Try a topic filter").Format,
		Description: "What it selects of that which the caller may read, and who may use it."},
		func(ctx context.Context, c caller, in *selectIn) (*body[selection], error) {
			if !g.turn(ctx) {
				return nil, ctx.Err()
			}
			defer func() { <-g.lives }()
			s, err := g.cfg.Drawing.Select(g.visible(c), in.Filter, g.arriving(c))
			out := selection{Filter: cut(in.Filter), Wrong: s.Wrong, Total: len(s.Topics), Topics: []selected{}, Arriving: []string{}, Near: []near{}, Notes: []string{}, Publish: []string{}, Subscribe: []string{}}
			if err != nil {
				if s.Wrong == 0 {
					return nil, err
				}
				out.Problem = g.sentence(c, err)
				return &body[selection]{out}, nil
			}
			for i, n := range s.Topics[:min(most, len(s.Topics))] {
				x := selected{Topic: string(n)}
				if i < len(s.Took) {
					x.Took = s.Took[i]
				}
				out.Topics = append(out.Topics, x)
			}
			out.Arriving = append(out.Arriving, spelled[string](s.Arriving[:min(most, len(s.Arriving))])...)
			for _, n := range s.Near {
				out.Near = append(out.Near, near{string(n.Topic), g.cfg.Say(c.language, n.Say)})
			}
			for _, n := range s.Notes {
				out.Notes = append(out.Notes, g.cfg.Say(c.language, n))
			}
			for _, x := range g.cfg.Accounts.Accounts() {
				if !sees(c, x) || x.Disabled {
					continue
				}
				for action, names := range map[core.Action]*[]string{core.Publish: &out.Publish, core.Subscribe: &out.Subscribe} {
					if real, err := g.cfg.Authority.Authorize(x.ID, action, s.Filter); err == nil && real == s.Filter {
						*names = append(*names, string(x.Name))
					}
				}
			}
			return &body[selection]{out}, nil
		})
}

// sentence is what err says to c.
func (g *Gateway) sentence(c caller, err error) string {
	if p, ok := asProblem(err); ok {
		return g.cfg.Say(c.language, p.Sentence)
	}
	return ""
}

// byID is in order of what key returns.
func byID[T any](all []T, key func(T) string) []T {
	slices.SortFunc(all, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	return all
}

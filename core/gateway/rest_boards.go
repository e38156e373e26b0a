package gateway

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"homeroom/core"
	"homeroom/core/topic"
)

// Boards are the virtual kits.
type Boards interface {
	Boards() []core.Board // in order of name
	// Press presses or lets go a button.
	Press(kit topic.Name, slot topic.ID, down bool) error
	// Turn makes a sensor see something.
	Turn(kit topic.Name, slot topic.ID, value string) error
	Break(kit topic.Name, f core.Fault, on bool) error
}

// Recorder records what is published and plays it again, as the account of ctx.
type Recorder interface {
	Recordings() []core.Recording // newest first
	Recorded(ctx context.Context, id int64, from time.Duration, limit int) ([]core.Message, error)
	recorderTasks
	replayer
}

type recorderTasks interface {
	Start(ctx context.Context, name string, f topic.Filter) (core.Recording, error)
	Stop(ctx context.Context, id int64) error
	Remove(ctx context.Context, id int64) error
}

type replayer interface {
	Play(ctx context.Context, r core.Replay) error
	Playing() (core.Playing, bool)
	replayTasks
}

type replayTasks interface {
	Pause(paused bool)
	Seek(at time.Duration)
	Halt()
}

func (a api) why() {
	g := a.g
	type step struct {
		At     time.Time `json:"at"`
		Kind   string    `json:"kind" enum:"message,rule,delivered,refused"`
		Topic  string    `json:"topic,omitempty"`
		Value  string    `json:"value,omitempty"`
		Who    string    `json:"who,omitempty" doc:"Kit, person or rule."`
		Rule   string    `json:"rule,omitempty"`
		Say    string    `json:"say" doc:"The step as a person reads it."`
		After  float64   `json:"after,omitempty" doc:"Seconds since the step before; after effect, since that."`
		Likely bool      `json:"likely,omitempty" doc:"The link to the step before was not seen but concluded."`
	}
	type chain struct {
		Topic  string `json:"topic"`
		Steps  []step `json:"steps"`
		Effect int    `json:"effect" doc:"Which step published the value, from 0; those after it follow from it."`
	}
	type whyIn struct {
		InQuery
		At time.Time `query:"at" doc:"Without it, now."`
	}
	register(a, members, huma.Operation{OperationID: "why", Method: http.MethodGet, Path: "/why", Tags: []string{"messages"}, Summary: core.Say("Tell why a topic has its value").Format,
		Description: "From the first cause to who got it, kept for a day. Steps that the caller may not read tell nothing."},
		func(ctx context.Context, c caller, in *whyIn) (*body[chain], error) {
			n, err := g.readable(c, in.Topic)
			if err != nil {
				return nil, err
			}
			if !g.turn(ctx) {
				return nil, ctx.Err()
			}
			defer func() { <-g.lives }()
			found, err := g.cfg.Why(ctx, n, in.At, func(n topic.Name) bool { return g.may(c, n) })
			if err != nil {
				return nil, err
			}
			out := chain{string(found.Topic), []step{}, found.Effect}
			for _, s := range found.Steps {
				out.Steps = append(out.Steps, step{s.At, string(s.Kind), string(s.Topic), cut(s.Value), s.Who, string(s.Rule), g.cfg.Say(c.language, s.Say), s.After.Seconds(), s.Likely})
			}
			return &body[chain]{out}, nil
		})
}

// board is core.Board in JSON.
type board struct {
	Name   string       `json:"name" example:"blue/lab/kit-1"`
	Title  string       `json:"title"`
	Role   string       `json:"role"`
	State  string       `json:"state" doc:"init, ready, disconnected, lost or alert."`
	Say    string       `json:"say,omitempty" doc:"Why it is not ready, or what its faults make one observe."`
	Auto   bool         `json:"auto,omitempty" doc:"Its numbers drift by themselves."`
	Parts  []boardPart  `json:"parts"`
	Faults []boardFault `json:"faults"`
	Log    []string     `json:"log,omitempty" doc:"The latest lines of its serial console."`
}

type boardPart struct {
	Slot    string     `json:"slot" example:"button"`
	Topic   string     `json:"topic"`
	Action  string     `json:"action" enum:"publish,subscribe" doc:"publish: a button or a sensor. subscribe: a lamp or a display."`
	Kind    string     `json:"kind" enum:"number,boolean,text,enumeration,json"`
	Toggle  bool       `json:"toggle,omitempty"`
	On      *bool      `json:"on,omitempty" doc:"Of a boolean that has a value."`
	Min     float64    `json:"min,omitempty"`
	Max     float64    `json:"max,omitempty"`
	Unit    string     `json:"unit,omitempty"`
	Options []string   `json:"options,omitempty"`
	Value   string     `json:"value,omitempty"`
	At      *time.Time `json:"at,omitempty"`
}

type boardFault struct {
	Fault   string `json:"fault" example:"wifi"`
	On      bool   `json:"on"`
	Title   string `json:"title"`
	Observe string `json:"observe" doc:"What you should observe."`
}

// handles reports whether c may use the virtual kit: a teacher, and a student whose
// team's branch it is in.
func (g *Gateway) handles(c caller, kit topic.Name) bool {
	return g.sovereign(c) || c.Role == core.Student && c.Team != "" && core.Within(kit, topic.Name(c.Team)) && g.may(c, kit)
}

// board returns b as c may see it, who may use it. Who may not read one of its
// topics does not see what it says on its serial console either.
func (g *Gateway) board(c caller, b core.Board) board {
	x := board{Name: string(b.Kit.Name), Title: b.Kit.Title(), Role: string(b.Kit.Role), State: b.State, Auto: b.Auto, Parts: []boardPart{}, Faults: []boardFault{}}
	hidden := false
	for _, p := range b.Parts {
		if !g.sovereign(c) && !g.may(c, p.Topic) {
			hidden = true
			continue
		}
		y := boardPart{string(p.Slot), string(p.Topic), string(p.Action), kindName(p.Kind), p.Toggle, nil, value(finite(p.Min)), value(finite(p.Max)), p.Unit, p.Options, cut(p.Value), moment(p.At)}
		if p.Kind == core.Boolean {
			if t := g.cfg.Drawing.Design().Topic(p.Topic); p.Value != "" {
				if on, ok := value(t).Truth(p.Value); ok {
					y.On = &on
				}
			}
		}
		x.Parts = append(x.Parts, y)
	}
	for _, f := range b.Faults {
		x.Faults = append(x.Faults, boardFault{string(f.Fault), f.On, g.cfg.Say(c.language, f.Title), g.cfg.Say(c.language, f.Observe)})
	}
	if !hidden {
		x.Say, x.Log = g.cfg.Say(c.language, b.Say), b.Log
	}
	return x
}

func (a api) boards() {
	g := a.g
	tags := []string{"boards"}
	register(a, members, huma.Operation{OperationID: "list-boards", Method: http.MethodGet, Path: "/boards", Tags: tags, Summary: core.Say("List virtual kits").Format,
		Description: "As they are. A teacher sees all, a student those in the branch of its team."},
		func(_ context.Context, c caller, in *Paging) (*body[list[board]], error) {
			all := slices.DeleteFunc(slices.Clone(g.cfg.Boards.Boards()), func(b core.Board) bool { return !g.handles(c, b.Kit.Name) })
			l := part(*in, all, func(b core.Board) string { return string(b.Kit.Name) })
			out := list[board]{Items: []board{}, Next: l.Next}
			for _, b := range l.Items {
				out.Items = append(out.Items, g.board(c, b))
			}
			return &body[list[board]]{out}, nil
		})

	// handle calls fn with the kit of that name, where c may use it.
	handle := func(c caller, kit string, fn func(kit topic.Name) error) error {
		n := topic.Name(kit)
		if !g.handles(c, n) || !slices.ContainsFunc(g.cfg.Boards.Boards(), func(b core.Board) bool { return b.Kit.Name == n }) {
			return core.Fail(core.ErrNotFound, "There is no virtual kit {kit}. Look at the list of boards.", "kit", cut(kit))
		}
		return fn(n)
	}
	const who = "A teacher, or a student whose team's branch the kit is in."
	type pressIn struct {
		Body struct {
			Kit  string `json:"kit" maxLength:"1024" example:"blue/lab/kit-1"`
			Slot string `json:"slot" maxLength:"64" example:"button"`
			Down bool   `json:"down" doc:"false lets it go."`
		}
	}
	register(a, members, huma.Operation{OperationID: "press", Method: http.MethodPost, Path: "/boards/press", Tags: tags, Summary: core.Say("Press a button of a virtual kit").Format, Description: who},
		func(_ context.Context, c caller, in *pressIn) (*struct{}, error) {
			return nil, handle(c, in.Body.Kit, func(kit topic.Name) error {
				return g.cfg.Boards.Press(kit, topic.ID(in.Body.Slot), in.Body.Down)
			})
		})
	type turnIn struct {
		Body struct {
			Kit   string `json:"kit" maxLength:"1024" example:"blue/lab/kit-1"`
			Slot  string `json:"slot" maxLength:"64" example:"brightness"`
			Value string `json:"value" maxLength:"1024" example:"80" doc:"A number of its range, a word of its options, true or false."`
		}
	}
	register(a, members, huma.Operation{OperationID: "turn", Method: http.MethodPost, Path: "/boards/turn", Tags: tags, Summary: core.Say("Make a sensor of a virtual kit see something").Format, Description: who},
		func(_ context.Context, c caller, in *turnIn) (*struct{}, error) {
			return nil, handle(c, in.Body.Kit, func(kit topic.Name) error {
				return g.cfg.Boards.Turn(kit, topic.ID(in.Body.Slot), in.Body.Value)
			})
		})
	type breakIn struct {
		Body struct {
			Kit   string `json:"kit" maxLength:"1024" example:"blue/lab/kit-1"`
			Fault string `json:"fault" enum:"wifi,delay,loss,stuck,space,password,clientid,clock"`
			On    bool   `json:"on"`
		}
	}
	register(a, members, huma.Operation{OperationID: "break", Method: http.MethodPost, Path: "/boards/break", Tags: tags, Summary: core.Say("Break a virtual kit on purpose").Format, Description: who},
		func(_ context.Context, c caller, in *breakIn) (*struct{}, error) {
			return nil, handle(c, in.Body.Kit, func(kit topic.Name) error {
				return g.cfg.Boards.Break(kit, core.Fault(in.Body.Fault), in.Body.On)
			})
		})
}

type recording struct {
	ID       int64      `json:"id"`
	Name     string     `json:"name"`
	Filter   string     `json:"filter"`
	From     time.Time  `json:"from"`
	To       *time.Time `json:"to,omitempty" doc:"Absent while it runs."`
	Messages int        `json:"messages"`
	Bytes    int64      `json:"bytes"`
	Full     bool       `json:"full,omitempty" doc:"It reached its bound and stopped by itself."`
}

func showRecording(r core.Recording) recording {
	return recording{r.ID, r.Name, string(r.Filter), r.From, moment(r.To), r.N, r.Bytes, r.Full}
}

type recordingIn struct {
	ID int64 `path:"id" example:"3"`
}

// recordingOf fails where there is no recording of that ID.
func (g *Gateway) recordingOf(id int64) (core.Recording, error) {
	for _, r := range g.cfg.Recorder.Recordings() {
		if r.ID == id {
			return r, nil
		}
	}
	return core.Recording{}, core.Fail(core.ErrNotFound, "There is no recording {id}. Look at the list of recordings.", "id", id)
}

func (a api) recordings() {
	g := a.g
	tags := []string{"recordings"}
	register(a, owners, huma.Operation{OperationID: "list-recordings", Method: http.MethodGet, Path: "/recordings", Tags: tags, Summary: core.Say("List recordings").Format},
		func(_ context.Context, _ caller, _ *struct{}) (*body[list[recording]], error) {
			out := list[recording]{Items: []recording{}}
			for _, r := range g.cfg.Recorder.Recordings() {
				out.Items = append(out.Items, showRecording(r))
			}
			return &body[list[recording]]{out}, nil
		})

	type startIn struct {
		Body struct {
			Name  string `json:"name" maxLength:"128" example:"The broken sensor"`
			Topic string `json:"topic,omitempty" maxLength:"1024" doc:"A topic filter; without it, everything." example:"blue/#"`
		}
	}
	register(a, owners, huma.Operation{OperationID: "start-recording", Method: http.MethodPost, Path: "/recordings", Tags: tags, Summary: core.Say("Record messages").Format,
		Description: "Bounded in messages, bytes and time; what is retained is its beginning.", DefaultStatus: http.StatusCreated},
		func(ctx context.Context, c caller, in *startIn) (*body[recording], error) {
			f, err := filter(in.Body.Topic)
			if err == nil && c.ID != core.Anyone {
				f, err = g.authorize(c, core.Subscribe, f)
			}
			if err != nil {
				return nil, err
			}
			r, err := g.cfg.Recorder.Start(ctx, in.Body.Name, f)
			if err != nil {
				return nil, err
			}
			return &body[recording]{showRecording(r)}, nil
		})

	for _, x := range []struct {
		id, method, path, summary string
		do                        func(context.Context, int64) error
	}{
		{"stop-recording", http.MethodPost, "/recordings/{id}/stop", core.Say("Stop recording").Format, func(ctx context.Context, id int64) error { return g.cfg.Recorder.Stop(ctx, id) }},
		{"remove-recording", http.MethodDelete, "/recordings/{id}", core.Say("Remove a recording").Format, func(ctx context.Context, id int64) error { return g.cfg.Recorder.Remove(ctx, id) }},
	} {
		register(a, owners, huma.Operation{OperationID: x.id, Method: x.method, Path: x.path, Tags: tags, Summary: x.summary},
			func(ctx context.Context, _ caller, in *recordingIn) (*struct{}, error) {
				if _, err := g.recordingOf(in.ID); err != nil {
					return nil, err
				}
				return nil, x.do(ctx, in.ID)
			})
	}

	type recordedIn struct {
		ID    int64   `path:"id" example:"3"`
		From  float64 `query:"from" minimum:"0" maximum:"86400" doc:"Seconds after its beginning."`
		Limit int     `query:"limit" default:"100" minimum:"1" maximum:"1000"`
	}
	register(a, owners, huma.Operation{OperationID: "recorded-messages", Method: http.MethodGet, Path: "/recordings/{id}/messages", Tags: tags, Summary: core.Say("List recorded messages").Format},
		func(ctx context.Context, c caller, in *recordedIn) (*body[list[message]], error) {
			if _, err := g.recordingOf(in.ID); err != nil {
				return nil, err
			}
			if !g.turn(ctx) {
				return nil, ctx.Err()
			}
			defer func() { <-g.lives }()
			ms, err := g.cfg.Recorder.Recorded(ctx, in.ID, seconds(in.From), in.Limit)
			if err != nil {
				return nil, err
			}
			out := list[message]{Items: []message{}}
			size := 0
			for _, m := range ms {
				if size += len(m.Payload); len(out.Items) > 0 && size > maxAnswer {
					break
				}
				out.Items = append(out.Items, g.shown(c, m))
			}
			return &body[list[message]]{out}, nil
		})
}

func (a api) replays() {
	g := a.g
	tags := []string{"recordings"}
	type playing struct {
		Recording int64   `json:"recording"`
		Speed     float64 `json:"speed"`
		Branch    string  `json:"branch,omitempty"`
		Kits      bool    `json:"kits,omitempty"`
		Repeat    bool    `json:"repeat,omitempty"`
		At        float64 `json:"at" doc:"Seconds since the beginning of the recording."`
		Sent      int     `json:"sent"`
		Total     int     `json:"total"`
		Paused    bool    `json:"paused,omitempty"`
		Done      bool    `json:"done,omitempty"`
		Say       string  `json:"say,omitempty" doc:"What went wrong."`
	}
	now := func(c caller) (*body[playing], error) {
		p, ok := g.cfg.Recorder.Playing()
		if !ok {
			return nil, core.Fail(core.ErrNotFound, "Nothing is played. Play a recording first.")
		}
		return &body[playing]{playing{p.Recording, p.Speed, string(p.Branch), p.Kits, p.Repeat, p.At.Seconds(), p.Sent, p.Total, p.Paused, p.Done, g.cfg.Say(c.language, p.Say)}}, nil
	}
	type playIn struct {
		ID   int64 `path:"id" example:"3"`
		Body struct {
			Speed  float64 `json:"speed,omitempty" minimum:"0" maximum:"100" doc:"1 is as it was; without it, 1."`
			From   float64 `json:"from,omitempty" minimum:"0" maximum:"86400" doc:"Seconds after its beginning."`
			Branch string  `json:"branch,omitempty" maxLength:"1024" doc:"Put before each topic name, so that nothing real is touched." example:"replay"`
			Kits   bool    `json:"kits,omitempty" doc:"Virtual kits publish it, instead of branch."`
			Repeat bool    `json:"repeat,omitempty"`
		}
	}
	register(a, owners, huma.Operation{OperationID: "play-recording", Method: http.MethodPost, Path: "/recordings/{id}/play", Tags: tags, Summary: core.Say("Play a recording again").Format,
		Description: "As the caller; what is played ends."},
		func(ctx context.Context, c caller, in *playIn) (*body[playing], error) {
			if _, err := g.recordingOf(in.ID); err != nil {
				return nil, err
			}
			r := core.Replay{Recording: in.ID, Speed: in.Body.Speed, From: seconds(in.Body.From), Kits: in.Body.Kits, Repeat: in.Body.Repeat}
			if r.Speed == 0 {
				r.Speed = 1
			}
			if in.Body.Branch != "" {
				n, err := name(in.Body.Branch)
				if err != nil {
					return nil, err
				}
				r.Branch = n
			}
			if err := g.cfg.Recorder.Play(ctx, r); err != nil {
				return nil, err
			}
			return now(c)
		})
	register(a, owners, huma.Operation{OperationID: "get-replay", Method: http.MethodGet, Path: "/replay", Tags: tags, Summary: core.Say("Read what is played").Format},
		func(_ context.Context, c caller, _ *struct{}) (*body[playing], error) { return now(c) })

	type pauseIn struct {
		Body struct {
			Paused bool `json:"paused" doc:"false lets it go on."`
		}
	}
	register(a, owners, huma.Operation{OperationID: "pause-replay", Method: http.MethodPost, Path: "/replay/pause", Tags: tags, Summary: core.Say("Pause what is played").Format},
		func(_ context.Context, c caller, in *pauseIn) (*body[playing], error) {
			g.cfg.Recorder.Pause(in.Body.Paused)
			return now(c)
		})
	type seekIn struct {
		Body struct {
			At float64 `json:"at" minimum:"0" maximum:"86400" doc:"Seconds since the beginning of the recording."`
		}
	}
	register(a, owners, huma.Operation{OperationID: "seek-replay", Method: http.MethodPost, Path: "/replay/seek", Tags: tags, Summary: core.Say("Play on from another time").Format},
		func(_ context.Context, c caller, in *seekIn) (*body[playing], error) {
			g.cfg.Recorder.Seek(seconds(in.Body.At))
			return now(c)
		})
	register(a, owners, huma.Operation{OperationID: "halt-replay", Method: http.MethodPost, Path: "/replay/halt", Tags: tags, Summary: core.Say("End what is played").Format},
		func(context.Context, caller, *struct{}) (*struct{}, error) {
			g.cfg.Recorder.Halt()
			return nil, nil
		})
}

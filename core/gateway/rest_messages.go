package gateway

import (
	"cmp"
	"context"
	"encoding/base64"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"homeroom/core"
	"homeroom/core/topic"
)

// maxAnswer is how many bytes of payloads one answer holds before it is cut; the
// rest is on the next page.
const maxAnswer = 4 << 20

const (
	maxPayload = 1 << 20 // of a message over REST
	maxSparks  = 1000    // an answer with more values has no sparklines
	maxRaw     = 10_000  // readings one by one
	maxScanned = 100_000 // retained messages looked at for one answer
)

// Broker publishes and knows who is connected.
type Broker interface {
	// Publish sends m as m.From, who may call the topic by its mounted name, and
	// returns when it is stored.
	Publish(ctx context.Context, m core.Message) error
	Retained(f topic.Filter, limit int) []core.Message // in order of topic
	Clients() []core.Client                            // in order of ID
	Disconnect(client string) error
}

// Values is what kits said last.
type Values interface {
	Live(since uint64) (rows []core.Live, now uint64)
	Topics(since uint64) (rows []core.TopicState, now uint64)
	Messages(after uint64, limit int) (ms []core.Message, next, lost uint64)
}

// Readings is what kits said over time.
type Readings interface {
	Trace(ctx context.Context, s core.Series, from, to time.Time, points int) (core.Trace, error)
	// Descriptions returns what was said about every series.
	Descriptions(ctx context.Context) (map[core.Series]core.Description, error)
	// ExportCSV writes the readings of the topics that f selects.
	ExportCSV(ctx context.Context, w io.Writer, f topic.Filter, from, to time.Time) error
}

// Content is that of a message: text, or base64 where it is no text.
type Content struct {
	Payload *string `json:"payload,omitempty" maxLength:"1048576" doc:"The content, as text." example:"on"`
	Base64  *string `json:"base64,omitempty" maxLength:"1398104" doc:"The content, where it is not text."`
}

func newContent(b []byte) (p Content) {
	if utf8.Valid(b) {
		s := string(b)
		p.Payload = &s
	} else {
		s := base64.StdEncoding.EncodeToString(b)
		p.Base64 = &s
	}
	return p
}

func (p Content) bytes() ([]byte, error) {
	switch {
	case (p.Payload == nil) == (p.Base64 == nil):
		return nil, core.Fail(core.ErrInvalid, "A message has either payload or base64. Send one of them; an empty payload is fine.")
	case p.Payload != nil:
		return []byte(*p.Payload), nil
	}
	b, err := base64.StdEncoding.DecodeString(*p.Base64)
	if err != nil {
		return nil, core.Fail(core.ErrInvalid, "{field} is not base64. Encode it as RFC 4648 says, with padding.", "field", "base64")
	}
	return b, nil
}

// message is one message as it is told.
type message struct {
	Topic string `json:"topic" example:"blue/lab/lamp/set"`
	Content
	QoS    byte      `json:"qos"`
	Retain bool      `json:"retain,omitempty"`
	From   string    `json:"from,omitempty" doc:"The account."`
	Client string    `json:"client,omitempty" doc:"MQTT Client Identifier."`
	At     time.Time `json:"at" doc:"When it arrived here."`
}

// shown returns m as c may see it: not who sent it, where that is none of its team.
func (g *Gateway) shown(c caller, m core.Message) message {
	x := message{Topic: string(m.Topic), Content: newContent(m.Payload), QoS: m.QoS, Retain: m.Retain, From: g.nameOf(c, m.From), At: m.At}
	if x.From != "" || c.Role == core.Teacher {
		x.Client = m.Client
	}
	return x
}

// InPath names a topic in the path, percent-encoded as one level.
type InPath struct {
	Topic string `path:"topic" maxLength:"1024" doc:"Percent-encoded: a/b is a%2Fb." example:"blue/lab/lamp"`
}

// InQuery names a topic in the query.
type InQuery struct {
	Topic string `query:"topic" required:"true" maxLength:"1024" example:"blue/lab/lamp"`
}

// name parses a topic name.
func name(s string) (topic.Name, error) {
	n, err := topic.ParseName(s)
	if err != nil {
		return "", core.Fail(core.ErrInvalid, "{topic} is not a topic name. Write levels with / between them, without + and #.", "topic", cut(s))
	}
	return n, nil
}

// filter parses a topic filter; "" is every topic.
func filter(s string) (topic.Filter, error) {
	f, err := topic.ParseFilter(cmp.Or(s, "#"))
	if err != nil || strings.HasPrefix(s, "$share/") {
		return "", core.Fail(core.ErrInvalid, "{filter} is not a topic filter: + and # stand alone in a level, # only at the end.", "filter", cut(s))
	}
	return f, nil
}

// readable returns the real name of a topic that c calls s and may read.
func (g *Gateway) readable(c caller, s string) (topic.Name, error) {
	n, err := name(s)
	if err != nil {
		return "", err
	}
	real, err := g.authorize(c, core.Subscribe, topic.Filter(n))
	return topic.Name(real), err
}

// messages adds publishing, readings, and what kits said last.
func (a api) messages() {
	a.publish()
	a.readings()
	a.recent()
	a.live()
}

func (a api) publish() {
	g := a.g
	type publication struct {
		Content
		QoS    byte `json:"qos,omitempty" minimum:"0" maximum:"2"`
		Retain bool `json:"retain,omitempty" doc:"Keep it for those who subscribe later. An empty payload clears what was kept."`
	}
	type published struct {
		Topic  string `json:"topic" doc:"Its real name." example:"blue/lab/lamp/set"`
		QoS    byte   `json:"qos"`
		Retain bool   `json:"retain"`
	}
	publish := func(ctx context.Context, c caller, to string, in publication) (*body[published], error) {
		n, err := name(to)
		if err != nil {
			return nil, err
		}
		content, err := in.bytes()
		if err != nil {
			return nil, err
		}
		real, err := g.authorize(c, core.Publish, topic.Filter(n))
		if err != nil {
			return nil, err
		}
		err = g.cfg.Broker.Publish(ctx, core.Message{Topic: topic.Name(real), Payload: content, QoS: in.QoS, Retain: in.Retain, From: c.ID, Client: "page"})
		if err != nil {
			g.refuse(c, core.Publish, real, err)
			return nil, err
		}
		return &body[published]{published{string(real), in.QoS, in.Retain}}, nil
	}
	const does = "The answer comes when the broker has stored the message for everybody who is owed it."

	type pathIn struct {
		InPath
		Body publication
	}
	register(a, members, huma.Operation{OperationID: "publish", Method: http.MethodPost, Path: "/topics/{topic}/messages", Tags: []string{"messages"}, Summary: core.Say("Publish a message").Format,
		Description: does, MaxBodyBytes: maxBody},
		func(ctx context.Context, c caller, in *pathIn) (*body[published], error) {
			return publish(ctx, c, in.Topic, in.Body)
		})

	type queryIn struct {
		InQuery
		Body publication
	}
	register(a, members, huma.Operation{OperationID: "publish-to", Method: http.MethodPost, Path: "/messages", Tags: []string{"messages"}, Summary: core.Say("Publish a message").Format,
		Description: does, MaxBodyBytes: maxBody},
		func(ctx context.Context, c caller, in *queryIn) (*body[published], error) {
			return publish(ctx, c, in.Topic, in.Body)
		})
}

// Stretch is a stretch of time, and how it is summed up.
type Stretch struct {
	Leaf      string    `query:"leaf" maxLength:"1024" doc:"Path of a value within a JSON payload." example:"temp.out"`
	From      time.Time `query:"from" doc:"Without it, a day before to." example:"2026-03-01T08:00:00Z"`
	To        time.Time `query:"to" doc:"Readings before it. Without it, now." example:"2026-03-01T18:00:00Z"`
	Points    int       `query:"points" default:"500" minimum:"1" maximum:"10000" doc:"How many spans at most."`
	Aggregate string    `query:"aggregate" enum:"all,raw,min,max,mean" default:"all" doc:"all gives min, max, mean, end and n of each span; raw every reading; the others a value of each span."`
}

// span is one reading, or what some have in common.
type span struct {
	At    time.Time  `json:"at" doc:"Of the reading, or of the first."`
	Until *time.Time `json:"until,omitempty" doc:"Of the last."`
	Value *float64   `json:"value,omitempty"`
	Min   *float64   `json:"min,omitempty"`
	Max   *float64   `json:"max,omitempty"`
	Mean  *float64   `json:"mean,omitempty"`
	End   *float64   `json:"end,omitempty" doc:"The last value."`
	N     int        `json:"n,omitempty" doc:"How many readings."`
	Text  *string    `json:"text,omitempty" doc:"Of a text, where it changes."`
}

type readings struct {
	Topic string  `json:"topic" doc:"Its real name."`
	Leaf  string  `json:"leaf,omitempty"`
	Kind  string  `json:"kind" enum:"number,boolean,text"`
	Items []span  `json:"items"`
	Step  float64 `json:"step,omitempty" doc:"Usual seconds between readings; a hole of more than three is a gap."`
}

func (g *Gateway) readings(ctx context.Context, c caller, of string, in Stretch) (*body[readings], error) {
	n, err := g.readable(c, of)
	if err != nil {
		return nil, err
	}
	if in.To.IsZero() {
		in.To = time.Now().Add(time.Second)
	}
	if in.From.IsZero() {
		in.From = in.To.Add(-24 * time.Hour)
	}
	if !in.From.Before(in.To) || in.From.Year() < 1970 || in.To.Year() > 9999 {
		return nil, core.Fail(core.ErrInvalid, "from has to be before to. Change one of them.")
	}
	series := core.Series(n)
	if in.Leaf != "" {
		series += core.Series("#" + in.Leaf)
	}
	points := in.Points
	if in.Aggregate == "raw" {
		points = maxRaw
	}
	t, err := g.cfg.Readings.Trace(ctx, series, in.From, in.To, points)
	if err != nil {
		return nil, err
	}
	out := readings{Topic: string(n), Leaf: in.Leaf, Kind: kindName(t.Kind), Items: []span{}, Step: t.Step.Seconds()}
	for _, x := range t.Spans {
		s, mean := span{At: x.First}, finite(x.Sum/float64(x.N))
		if x.N > 1 {
			s.Until, s.N = moment(x.Last), x.N
		}
		switch in.Aggregate {
		case "raw":
			if x.N > 1 {
				return nil, core.Fail(core.ErrInvalid, "There are more than {n} readings between from and to. Ask for less time, or without raw.", "n", maxRaw)
			}
			s.Value = finite(x.End)
		case "min":
			s.Value = finite(x.Min)
		case "max":
			s.Value = finite(x.Max)
		case "mean":
			s.Value = mean
		default:
			s.Min, s.Max, s.Mean, s.End, s.N = finite(x.Min), finite(x.Max), mean, finite(x.End), x.N
		}
		out.Items = append(out.Items, s)
	}
	for _, x := range t.Texts {
		out.Items = append(out.Items, span{At: x.At, Text: &x.Text})
	}
	return &body[readings]{out}, nil
}

func (a api) readings() {
	g := a.g
	const does = "Many readings are summed up in spans. The text or boolean that holds at from is the first, with its own time."

	type pathIn struct {
		InPath
		Stretch
	}
	register(a, members, huma.Operation{OperationID: "readings", Method: http.MethodGet, Path: "/topics/{topic}/readings", Tags: []string{"messages"}, Summary: core.Say("Read past values").Format, Description: does},
		func(ctx context.Context, c caller, in *pathIn) (*body[readings], error) {
			return g.readings(ctx, c, in.Topic, in.Stretch)
		})

	type queryIn struct {
		InQuery
		Stretch
	}
	register(a, members, huma.Operation{OperationID: "readings-of", Method: http.MethodGet, Path: "/readings", Tags: []string{"messages"}, Summary: core.Say("Read past values").Format, Description: does},
		func(ctx context.Context, c caller, in *queryIn) (*body[readings], error) {
			return g.readings(ctx, c, in.Topic, in.Stretch)
		})

	type exportIn struct {
		Topic string    `query:"topic" required:"true" maxLength:"1024" doc:"A topic filter, all of which the caller may read." example:"blue/#"`
		From  time.Time `query:"from"`
		To    time.Time `query:"to"`
	}
	type csv struct {
		ContentType string `header:"Content-Type"`
		Disposition string `header:"Content-Disposition"`
		Body        func(huma.Context)
	}
	register(a, members, huma.Operation{OperationID: "export", Method: http.MethodGet, Path: "/export", Tags: []string{"messages"}, Summary: core.Say("Export readings as CSV").Format,
		Description: "Time, topic, leaf, value, unit. A cell that a spreadsheet could take for a formula begins with an apostrophe.",
		Responses:   map[string]*huma.Response{"200": {Description: "CSV", Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: "string"}}}}}},
		func(ctx context.Context, c caller, in *exportIn) (*csv, error) {
			f, err := filter(in.Topic)
			if err != nil {
				return nil, err
			}
			if f, err = g.authorize(c, core.Subscribe, f); err != nil {
				return nil, err
			}
			return &csv{"text/csv; charset=utf-8", `attachment; filename="readings.csv"`, func(h huma.Context) {
				_, w := humago.Unwrap(h)
				if !g.turn(ctx) {
					return
				}
				defer func() { <-g.lives }()
				// The file may be long: only a reader that stands still is given up.
				control := http.NewResponseController(w)
				_ = control.SetReadDeadline(time.Time{})
				if err := g.cfg.Readings.ExportCSV(ctx, patient{w, control, func() bool { return g.mayStill(c, f) }}, f, in.From, in.To); err != nil {
					g.cfg.Log.Warn("an export ended early", "err", err)
					panic(http.ErrAbortHandler) // so that half a file is not taken for a whole one
				}
			}}, nil
		})
}

// patient gives each write its own time, as long as the reader still may.
type patient struct {
	io.Writer
	control *http.ResponseController
	may     func() bool
}

// mayStill reports whether c may go on reading what f selects: a long answer ends
// with its account and its grant.
func (g *Gateway) mayStill(c caller, f topic.Filter) bool {
	real, err := g.cfg.Authority.Authorize(c.ID, core.Subscribe, f)
	return err == nil && real == f && (c.ID == core.Anyone || g.cfg.Authority.Current(c.ID, c.Version))
}

func (p patient) Write(b []byte) (int, error) {
	if !p.may() {
		return 0, core.ErrDenied
	}
	_ = p.control.SetWriteDeadline(time.Now().Add(30 * time.Second))
	return p.Writer.Write(b)
}

// turn waits until a large answer may be made; false where nobody waits for it
// any more. Whoever was given a turn takes a token from lives in the end.
func (g *Gateway) turn(ctx context.Context) bool {
	select {
	case g.lives <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (a api) recent() {
	g := a.g

	type recentIn struct {
		Topic string `query:"topic" maxLength:"1024" doc:"A topic filter." example:"blue/#"`
		Paging
	}
	type recent struct {
		list[message]
		Lost uint64 `json:"lost,omitempty" doc:"How many messages since the cursor are no longer there."`
	}
	register(a, members, huma.Operation{OperationID: "list-messages", Method: http.MethodGet, Path: "/messages", Tags: []string{"messages"}, Summary: core.Say("List the last messages").Format,
		Description: "Oldest first, only those the caller may read. The last 4,096 of all are kept. next is always there: ask again with it for what has come since."},
		func(_ context.Context, c caller, in *recentIn) (*body[recent], error) {
			f, err := filter(in.Topic)
			if err != nil {
				return nil, err
			}
			after, err := strconv.ParseUint(cmp.Or(in.Cursor, "0"), 10, 64)
			if err != nil {
				return nil, core.Fail(core.ErrInvalid, "This cursor is none of ours. Ask without one to begin anew.")
			}
			out := recent{list: list[message]{Items: []message{}}}
			for {
				ms, next, lost := g.cfg.Values.Messages(after, in.Limit-len(out.Items))
				for _, m := range ms {
					if f.Match(m.Topic) && g.may(c, m.Topic) {
						out.Items = append(out.Items, g.shown(c, m))
					}
				}
				after, out.Lost = next, out.Lost+lost
				if len(ms) == 0 || len(out.Items) == in.Limit {
					out.Next = strconv.FormatUint(after, 10)
					return &body[recent]{out}, nil
				}
			}
		})

	register(a, members, huma.Operation{OperationID: "list-retained", Method: http.MethodGet, Path: "/retained", Tags: []string{"messages"}, Summary: core.Say("List retained messages").Format,
		Description: "In order of topic, only those the caller may read. Publish an empty payload with retain to clear one."},
		func(ctx context.Context, c caller, in *recentIn) (*body[list[message]], error) {
			f, err := filter(in.Topic)
			if err != nil {
				return nil, err
			}
			if !g.turn(ctx) {
				return nil, ctx.Err()
			}
			defer func() { <-g.lives }()
			out := list[message]{Items: []message{}}
			size := 0
			for _, m := range g.cfg.Broker.Retained(f, maxScanned) {
				if string(m.Topic) <= in.Cursor || !g.may(c, m.Topic) {
					continue
				}
				if n := len(out.Items); n == in.Limit || n > 0 && size > maxAnswer {
					out.Next = out.Items[n-1].Topic
					break
				}
				size += len(m.Payload)
				out.Items = append(out.Items, g.shown(c, m))
			}
			return &body[list[message]]{out}, nil
		})
}

// row is one series as the page shows it.
type row struct {
	Series string    `json:"series" example:"blue/lab/kit-1/air#temp.out"`
	Label  string    `json:"label,omitempty"`
	Unit   string    `json:"unit,omitempty" example:"°C"`
	Kind   string    `json:"kind" enum:"number,boolean,text"`
	Number *float64  `json:"number,omitempty" doc:"Of a number; 1 and 0 of a boolean."`
	Text   string    `json:"text,omitempty"`
	At     time.Time `json:"at"`
	Spark  []float64 `json:"spark,omitempty" doc:"The latest values, oldest first."`
}

func (a api) live() {
	g := a.g
	type liveIn struct {
		Since string `query:"since" maxLength:"64" doc:"now of the answer before."`
	}
	type live struct {
		Now  string    `json:"now" doc:"Ask with since=now for what changes after this."`
		Time time.Time `json:"time" doc:"The time here."`
		Rows []row     `json:"rows"`
	}
	register(a, members, huma.Operation{OperationID: "live", Method: http.MethodGet, Path: "/live", Tags: []string{"messages"}, Summary: core.Say("Read the present values").Format,
		Description: "Only those the caller may read. A row without a time was forgotten."},
		func(ctx context.Context, c caller, in *liveIn) (*body[live], error) {
			since, err := strconv.ParseUint(in.Since, 10, 64)
			if err != nil {
				since = 0
			}
			if !g.turn(ctx) {
				return nil, ctx.Err()
			}
			defer func() { <-g.lives }()
			changed, now := g.cfg.Values.Live(since)
			rows := []row{}
			for _, l := range changed {
				if !g.may(c, l.Series.Topic()) {
					continue
				}
				x := row{Series: string(l.Series), Label: l.Label, Unit: l.Unit, Kind: kindName(l.Newest.Kind), Text: l.Newest.Text, At: l.Newest.At}
				if l.Newest.Kind != core.Text {
					x.Number = finite(l.Newest.Value)
				}
				if len(changed) <= maxSparks {
					for _, s := range l.Spark {
						if v := finite(s.Value); v != nil {
							x.Spark = append(x.Spark, *v)
						}
					}
				}
				rows = append(rows, x)
			}
			return &body[live]{live{strconv.FormatUint(now, 10), time.Now(), rows}}, nil
		})
}

// finite returns v, or nil for what JSON cannot hold.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

var kindNames = []string{core.Text: "text", core.Number: "number", core.Boolean: "boolean", core.Enumeration: "enumeration", core.JSON: "json"}

func kindName(k core.Kind) string { return kindNames[k] }

func kindOf(name string) core.Kind { return core.Kind(max(0, slices.Index(kindNames, name))) }

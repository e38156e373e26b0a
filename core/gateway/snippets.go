package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"homeroom/core"
)

// Place is where ready client code finds this program, and as whom it signs in.
type Place struct {
	Host     string // the Host header of who asks: what reaches this program from there
	Account  string // the name of who asks
	Language string // Accept-Language of who asks, for the comments
}

// Snippets writes ready client code for a topic; assets/snippets does. kind is
// "arduino", "micropython", "python", "rooms", "mqttjs" or "curl"; another one is
// a core.ErrInvalid with a sentence. t is the topic as it was designed, or as it
// is known: its Name, Kind and Writable are used.
type Snippets func(kind string, t core.Topic, where Place) (string, error)

// snippetIn asks for code.
type snippetIn struct {
	InQuery
	Language string `query:"language" required:"true" enum:"arduino,micropython,python,rooms,mqttjs,curl" example:"arduino"`
	host     string
}

// Resolve is how huma hands over the Host header.
func (in *snippetIn) Resolve(h huma.Context) []error {
	in.host = h.Host()
	return nil
}

func (a api) snippets() {
	g := a.g
	type snippet struct {
		Code string `json:"code"`
	}
	register(a, members, huma.Operation{OperationID: "snippet", Method: http.MethodGet, Path: "/snippets", Tags: []string{"topics"}, Summary: "Get program code for a topic",
		Description: "With its real values; of a secret it says where to find it."},
		func(ctx context.Context, c caller, in *snippetIn) (*body[snippet], error) {
			n, err := g.readable(c, in.Topic)
			if err != nil {
				return nil, err
			}
			t, ok := g.cfg.Plan.Topic(n)
			if !ok {
				now := time.Now()
				seen, err := g.cfg.Readings.Trace(ctx, core.Series(n), now.AddDate(0, 0, -1), now, 1)
				if err != nil {
					return nil, err
				}
				t = core.Topic{Name: n, Kind: seen.Kind}
			}
			code, err := g.cfg.Snippets(in.Language, t, Place{in.host, string(c.Name), c.language})
			if err != nil {
				return nil, err
			}
			return &body[snippet]{snippet{code}}, nil
		})
}

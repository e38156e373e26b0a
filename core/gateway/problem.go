package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"homeroom/core"
	"homeroom/core/topic"
)

// Kinds of failure that only HTTP knows.
var (
	errHost   = errors.New("not our host")
	errMethod = errors.New("method not allowed")
)

// problem is an error as RFC 9457 writes it. Its detail is in the reader's language.
type problem struct{ huma.ErrorModel }

// problem returns err for a reader. What nobody wrote for people is logged and
// not told.
func (g *Gateway) problem(language, path string, err error) error {
	status := http.StatusInternalServerError
	for kind, s := range map[error]int{
		core.ErrDenied: http.StatusForbidden, core.ErrNotFound: http.StatusNotFound, core.ErrConflict: http.StatusConflict,
		core.ErrInvalid: http.StatusBadRequest, errMethod: http.StatusMethodNotAllowed,
	} {
		if errors.Is(err, kind) {
			status = s
		}
	}
	// These may come with one of the kinds above.
	if errors.Is(err, errNobody) {
		status = http.StatusUnauthorized
	}
	if errors.Is(err, errHost) {
		status = http.StatusMisdirectedRequest
	}
	header := http.Header{}
	say := core.Say("Something went wrong here, not with you. Try again; if it stays so, restart Homeroom.")
	var p *core.Problem
	if errors.As(err, &p) {
		say = p.Sentence
		if wait, ok := throttled(p); ok {
			status = http.StatusTooManyRequests
			header.Set("Retry-After", wait)
		}
	}
	if status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", "Bearer")
	}
	if status == http.StatusInternalServerError && !errors.Is(err, context.Canceled) { // whoever asked has gone
		g.cfg.Log.Error("request failed", "path", path, "err", err)
	}
	out := &problem{huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: g.cfg.Say(language, say)}}
	var faulty *faultyFile
	if errors.As(err, &faulty) {
		for _, f := range faulty.faults {
			out.Errors = append(out.Errors, &huma.ErrorDetail{Message: g.cfg.Say(language, f.Say), Location: cut(where(f))})
		}
	}
	return huma.ErrorWithHeaders(out, header)
}

// faultyFile is a file of which nothing was taken.
type faultyFile struct {
	error
	faults []core.FileFault
}

func (f *faultyFile) Unwrap() error { return f.error }

// throttled returns the seconds that the throttle asks to wait.
func throttled(p *core.Problem) (wait string, ok bool) {
	if !strings.HasPrefix(p.Format, "Too many ") {
		return "", false
	}
	for i := 0; i+1 < len(p.Args); i += 2 {
		if p.Args[i] == "n" {
			return fmt.Sprint(p.Args[i+1]), true
		}
	}
	return "", false
}

// fail answers a request that no route has taken over.
func (g *Gateway) fail(w http.ResponseWriter, r *http.Request, err error) {
	err = g.problem(r.Header.Get("Accept-Language"), r.URL.Path, err)
	var h huma.HeadersError
	if errors.As(err, &h) {
		for name, values := range h.GetHeaders() {
			w.Header()[name] = values
		}
	}
	var p *problem
	if !errors.As(err, &p) {
		return // g.problem makes nothing else
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = marshal(w, p)
}

// refuse keeps that c may not do a to f, where err is such a no.
func (g *Gateway) refuse(c caller, a core.Action, f topic.Filter, err error) {
	var p *core.Problem
	if errors.Is(err, core.ErrDenied) && errors.As(err, &p) {
		g.cfg.Refuse(core.Refusal{Account: c.ID, Name: string(c.Name), Client: "page", Addr: c.addr, Action: a, Topic: f, Say: p.Sentence})
	}
}

// tell is huma's last step before an answer: it puts what huma itself found
// wrong into a sentence. Values are left out, for one may be a password.
func (g *Gateway) tell(h huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	language := h.Header("Accept-Language")
	out := &problem{huma.ErrorModel{Status: m.Status, Title: http.StatusText(m.Status)}}
	switch {
	case m.Status == http.StatusRequestEntityTooLarge:
		out.Detail = g.cfg.Say(language, core.Say("The request is too large. Send at most {n} KB.", "n", h.Operation().MaxBodyBytes>>10))
	case m.Status == http.StatusRequestTimeout:
		out.Detail = g.cfg.Say(language, core.Say("The request came too slowly. Send it again."))
	case m.Status == http.StatusUnsupportedMediaType:
		out.Detail = g.cfg.Say(language, core.Say("This is not JSON. Send JSON, with the header Content-Type: application/json."))
	case m.Status == http.StatusBadRequest, m.Detail == "cannot read request body":
		out.Detail = g.cfg.Say(language, core.Say("The request could not be read as JSON. Correct it and send it again."))
	case len(m.Errors) == 0:
		g.cfg.Log.Error("request failed", "path", h.Operation().Path, "err", m.Detail)
		out.Detail = g.cfg.Say(language, core.Say("Something went wrong here, not with you. Try again; if it stays so, restart Homeroom."))
	default:
		for _, e := range m.Errors {
			say := g.cfg.Say(language, wrong(e))
			out.Errors = append(out.Errors, &huma.ErrorDetail{Message: say, Location: cut(e.Location)})
		}
		out.Detail = out.Errors[0].Message
	}
	return out, nil
}

// wrong puts into a sentence what huma found wrong with a field.
func wrong(e *huma.ErrorDetail) core.Sentence {
	field := cut(e.Location)
	if _, name, ok := strings.Cut(field, "."); ok {
		field = name
	}
	words := strings.Fields(e.Message)
	last := ""
	if len(words) > 0 {
		last = words[len(words)-1]
	}
	has := func(prefix string) bool { return strings.HasPrefix(e.Message, prefix) }
	switch {
	case has("unexpected property"), has("unknown query parameter"):
		return core.Say("{field} is not known here. Remove it, or look at /docs for what is.", "field", field)
	case has("expected required property ") && len(words) > 3:
		if name := cut(words[3]); field != "body" {
			field += "." + name
		} else {
			field = name
		}
		return core.Say("{field} is missing. Add it.", "field", field)
	case has("required "):
		return core.Say("{field} is missing. Add it.", "field", field)
	case has("expected length >= "), has("expected array length >= "):
		return core.Say("{field} is too short. It needs {n} or more.", "field", field, "n", last)
	case has("expected length <= "), has("expected array length <= "):
		return core.Say("{field} is too long. It may have {n} at most.", "field", field, "n", last)
	case has("expected number >= "):
		return core.Say("{field} is too small. It has to be {n} or more.", "field", field, "n", last)
	case has("expected number <= "):
		return core.Say("{field} is too large. It has to be {n} or less.", "field", field, "n", last)
	case has("expected value to be one of "):
		choices := strings.Trim(strings.TrimPrefix(e.Message, "expected value to be one of "), `"`)
		return core.Say("{field} has to be one of these: {choices}.", "field", field, "choices", choices)
	case has("expected string to be RFC 3339"), has("invalid date/time"):
		return core.Say("{field} is not a time. Write it like {example}.", "field", field, "example", "2026-03-01T08:00:00Z")
	case has("expected boolean"), has("invalid boolean"):
		return core.Say("{field} has to be {kind}.", "field", field, "kind", "true / false")
	case has("expected "), has("invalid "):
		return core.Say("{field} has to be {kind}.", "field", field, "kind", last)
	}
	return core.Say("{field} is not right. Look at /docs for what it has to be.", "field", field)
}

// marshal writes v as JSON in which nothing is HTML, whoever reads it as what.
func marshal(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

// cut makes what came from outside fit to be said again: one line, not long.
func cut(s string) string { return core.Readable(s, 256) }

// moment returns t for JSON, or nil where there is none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// sortable returns n as text that sorts as n does.
func sortable(n int64) string { return fmt.Sprintf("%020d", n) }

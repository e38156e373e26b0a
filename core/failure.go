package core

import (
	"errors"
	"fmt"
	"strings"
)

// Kinds of failure. The edges (broker, gateway, window, command line) turn
// the kind into a reason code, a status, a sentence or an exit code.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("already exists")
	ErrInvalid  = errors.New("invalid")
	ErrDenied   = errors.New("not allowed")
)

// Sentence is something a person reads: an English format with {name} places,
// and what fills them. The format is also the key under which assets/lang
// finds it in other languages, so it must be a constant.
type Sentence struct {
	Format string
	Args   []any // name, value, name, value …
}

// Say returns a sentence. args are pairs of a place's name and its value.
func Say(format string, args ...any) Sentence { return Sentence{format, args} }

// String returns the sentence in English.
func (s Sentence) String() string { return s.As(s.Format) }

// As fills the places of format, which is s.Format in some language.
// A filled-in value is never searched for places again.
func (s Sentence) As(format string) string {
	if len(s.Args) == 0 {
		return format
	}
	pairs := make([]string, 0, len(s.Args))
	for i := 0; i+1 < len(s.Args); i += 2 {
		pairs = append(pairs, fmt.Sprintf("{%v}", s.Args[i]), fmt.Sprint(s.Args[i+1]))
	}
	return strings.NewReplacer(pairs...).Replace(format)
}

// Problem is a failure told to a person: what went wrong and what to do next.
type Problem struct {
	Sentence
	Kind error // one of the kinds of failure, or the error below
}

// Fail returns a Problem of the kind with a sentence. errors.Is finds kind.
func Fail(kind error, format string, args ...any) error {
	return &Problem{Sentence{format, args}, kind}
}

func (p *Problem) Error() string { return p.String() }

func (p *Problem) Unwrap() error { return p.Kind }

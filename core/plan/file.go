package plan

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"homeroom/core"
	"homeroom/core/topic"
)

// MaxFile is the largest file that Import takes, in bytes.
const MaxFile = 64 << 20

const (
	fileVersion = 1
	maxFaults   = 1000
)

// Fault is one thing that is wrong in a file.
type Fault struct {
	Line int    // from 1
	Path string // where in the file: "topics[3].qos", or the column of a CSV; "" is the file
	core.Sentence
}

// Faults are all that is wrong in a file, in order of lines; at most 1,000.
type Faults []Fault

func (fs Faults) Error() string {
	var b strings.Builder
	for i, f := range fs {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%d: %s: %s", f.Line, f.Path, f.Sentence)
	}
	return b.String()
}

func (fs Faults) Unwrap() error { return core.ErrInvalid }

// written is a topic in a file.
type written struct {
	Name     string  `json:"name"`
	Text     string  `json:"text,omitempty"`
	Kind     string  `json:"kind,omitempty"`
	Min      float64 `json:"min,omitempty"`
	Max      float64 `json:"max,omitempty"`
	Writable bool    `json:"writable,omitempty"`
	QoS      byte    `json:"qos,omitempty"`
	Retain   bool    `json:"retain,omitempty"`
}

var (
	kinds   = []string{core.Text: "text", core.Number: "number", core.Boolean: "boolean"}
	columns = []string{"name", "text", "kind", "min", "max", "writable", "qos", "retain"}
)

func write(t core.Topic) written {
	return written{string(t.Name), t.Text, kinds[t.Kind], t.Min, t.Max, t.Writable, t.QoS, t.Retain}
}

// ExportJSON writes the plan as JSON, one topic a line.
func (s *Service) ExportJSON(w io.Writer) error {
	topics := s.view.Load().topics
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"version\": %d, \"topics\": [", fileVersion)
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i, t := range topics {
		if i > 0 {
			b.Truncate(b.Len() - 1) // the new line
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		if err := e.Encode(write(*t)); err != nil {
			return err
		}
	}
	b.WriteString("]}\n")
	_, err := w.Write(b.Bytes())
	return err
}

// ExportCSV writes the plan as CSV. A cell that a spreadsheet could take for a
// formula begins with an apostrophe, which Import takes away.
func (s *Service) ExportCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	_ = c.Write(columns) // Flush below says what went wrong
	for _, t := range s.view.Load().topics {
		f := write(*t)
		number := func(v float64) string {
			if f.Min == 0 && f.Max == 0 {
				return ""
			}
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
		_ = c.Write([]string{quote(f.Name), quote(f.Text), f.Kind, number(f.Min), number(f.Max), strconv.FormatBool(f.Writable), strconv.Itoa(int(f.QoS)), strconv.FormatBool(f.Retain)})
	}
	c.Flush()
	return c.Error()
}

const formula = "=+-@\t\r\n'"

func quote(s string) string {
	if s != "" && strings.IndexByte(formula, s[0]) >= 0 {
		return "'" + s
	}
	return s
}

func unquote(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.IndexByte(formula, s[1]) >= 0 {
		return s[1:]
	}
	return s
}

// Import designs the topics of a file that ExportJSON or ExportCSV wrote, or a
// person: those of a name that is designed are changed, no others are removed.
// It applies all or, where anything is wrong, nothing and returns Faults.
func (s *Service) Import(ctx context.Context, file []byte) (created, changed int, err error) {
	p := parser{firsts: map[string]first{}}
	p.read(file)
	if len(p.faults) > 0 {
		return 0, 0, p.faults
	}
	_, err = s.edit(ctx, func(v *view) (Change, error) {
		var c Change
		var faults Faults
		created, changed = 0, 0
		for i, t := range p.topics {
			old := v.find(t.Name)
			if old == nil {
				if err := s.free(t.Name); err != nil && len(faults) < maxFaults {
					faults = append(faults, Fault{p.places[i].Line, p.places[i].Path, sentence(err)})
				}
				created++
			} else {
				if t.Changed = old.Changed; reflect.DeepEqual(t, *old) {
					continue
				}
				changed++
			}
			t.Changed = now()
			c.Put = append(c.Put, t)
		}
		if len(v.topics)+created > MaxTopics {
			faults = append(faults, Fault{Line: 1, Sentence: sentence(tooMany())})
		}
		if faults != nil {
			return c, faults
		}
		return c, nil
	})
	if err != nil {
		created, changed = 0, 0
	}
	return created, changed, err
}

// sentence is what err says; it is one of ours.
func sentence(err error) core.Sentence {
	var told *core.Problem
	if errors.As(err, &told) {
		return told.Sentence
	}
	return core.Say("{reason}", "reason", err)
}

// parser reads a file. Every byte of it is hostile.
type parser struct {
	topics []core.Topic
	places []Fault // of topics
	firsts map[string]first
	faults Faults
}

// first is where a name came first, by fold.
type first struct {
	name topic.Name
	line int
}

func (p *parser) fault(line int, path string, s core.Sentence) {
	if len(p.faults) < maxFaults {
		p.faults = append(p.faults, Fault{line, path, s})
	}
}

func (p *parser) read(file []byte) {
	if len(file) > MaxFile {
		p.fault(1, "", core.Say("The file is larger than {max} MB. Import it in parts.", "max", MaxFile>>20))
		return
	}
	file = bytes.TrimPrefix(file, []byte("\ufeff"))
	if !utf8.Valid(file) {
		line := 1
		for l := range bytes.Lines(file) {
			if !utf8.Valid(l) {
				break
			}
			line++
		}
		p.fault(line, "", core.Say("This is no UTF-8 text. Save the file as UTF-8."))
		return
	}
	if start := bytes.TrimSpace(file); len(start) > 0 && (start[0] == '{' || start[0] == '[') {
		p.json(file)
	} else {
		p.csv(file)
	}
}

// take checks what stands at line and path, and keeps it.
func (p *parser) take(line int, path string, w written) {
	t := core.Topic{Name: topic.Name(w.Name), Text: w.Text, Min: w.Min, Max: w.Max, Writable: w.Writable, QoS: w.QoS, Retain: w.Retain}
	if w.Kind != "" {
		kind := slices.Index(kinds, w.Kind)
		if kind < 0 {
			p.fault(line, path, core.Say("The values of {topic} have no such kind. Choose text, number or boolean.", "topic", short(t.Name)))
			return
		}
		t.Kind = core.Kind(kind)
	}
	if err := check(t); err != nil {
		p.fault(line, path, sentence(err))
		return
	}
	folded := fold(t.Name)
	switch other, again := p.firsts[folded]; {
	case again && other.name == t.Name:
		p.fault(line, path, core.Say("{topic} is in line {line} already. Remove one of them.", "topic", t.Name, "line", other.line))
	case again:
		p.fault(line, path, core.Say("{topic} would look like {other} in line {line}: only capitals or the spelling of a letter differ. Choose another name.", "topic", t.Name, "other", other.name, "line", other.line))
	case len(p.topics) == MaxTopics:
		p.fault(line, path, sentence(tooMany()))
	default:
		p.firsts[folded] = first{t.Name, line}
		p.topics = append(p.topics, t)
		p.places = append(p.places, Fault{Line: line, Path: path})
	}
}

// json reads {"version": 1, "topics": [{"name": "blue/lab/air", …}, …]}.
func (p *parser) json(file []byte) {
	var bad *json.SyntaxError
	if err := json.Unmarshal(file, &struct{}{}); errors.As(err, &bad) {
		p.fault(1+bytes.Count(file[:bad.Offset], []byte("\n")), "", core.Say("This is no JSON: {reason}. Mend it here or just before.", "reason", bad))
		return
	}
	lines := counter{file: file, line: 1}
	d := json.NewDecoder(bytes.NewReader(file)) // valid, so nothing below fails but for the wrong sort of value
	if start, _ := d.Token(); start != json.Delim('{') {
		p.fault(1, "", notAPlan())
		return
	}
	versioned := false
	for d.More() {
		key, _ := d.Token()
		switch at := lines.at(d.InputOffset()); key {
		case "version":
			var version any
			_ = d.Decode(&version)
			if versioned = version == float64(fileVersion); !versioned {
				p.fault(at, "version", core.Say("This Homeroom reads version {version}. Use the Homeroom that wrote the file.", "version", fileVersion))
				return
			}
		case "topics":
			var list json.RawMessage
			_ = d.Decode(&list)
			if list[0] != '[' {
				p.fault(at, "topics", core.Say("There must be a list here, in [ and ]."))
				continue
			}
			p.list(list, d.InputOffset()-int64(len(list)), &lines)
		default:
			p.fault(at, fmt.Sprint(key), unknown(fmt.Sprint(key)))
			var skipped json.RawMessage
			_ = d.Decode(&skipped)
		}
	}
	if !versioned {
		p.fault(1, "version", notAPlan())
	}
}

func notAPlan() core.Sentence {
	return core.Say("This is no plan of Homeroom. It begins with {example}", "example", `{"version": 1, "topics": [`)
}

func unknown(name string) core.Sentence {
	return core.Say("{name} means nothing here. There are {known}.", "name", short(topic.Name(name)), "known", strings.Join(columns, ", "))
}

// list reads the topics; the list stands at offset.
func (p *parser) list(list []byte, offset int64, lines *counter) {
	d := json.NewDecoder(bytes.NewReader(list))
	_, _ = d.Token()
	for i := 0; d.More() && len(p.faults) < maxFaults; i++ {
		var raw json.RawMessage
		_ = d.Decode(&raw)
		line, path := lines.at(offset+d.InputOffset()-int64(len(raw))), fmt.Sprintf("topics[%d]", i)
		var w written
		one := json.NewDecoder(bytes.NewReader(raw))
		one.DisallowUnknownFields()
		err := one.Decode(&w)
		var wrong *json.UnmarshalTypeError
		switch name, isUnknown := strings.CutPrefix(fmt.Sprint(err), "json: unknown field "); {
		case err == nil:
			p.take(line, path, w)
		case errors.As(err, &wrong):
			if wrong.Field != "" {
				path += "." + wrong.Field
			}
			line += bytes.Count(raw[:min(int(wrong.Offset), len(raw))], []byte("\n"))
			p.fault(line, path, core.Say("{value} does not fit here.", "value", wrong.Value))
		case isUnknown:
			name = strings.Trim(name, `"`)
			p.fault(line, path+"."+short(topic.Name(name)), unknown(name))
		default:
			p.fault(line, path, core.Say("This is no JSON: {reason}. Mend it here or just before.", "reason", err))
		}
	}
}

// counter counts lines. It is asked for rising offsets.
type counter struct {
	file   []byte
	offset int64
	line   int
}

func (c *counter) at(offset int64) int {
	if offset > c.offset {
		c.line += bytes.Count(c.file[c.offset:offset], []byte("\n"))
		c.offset = offset
	}
	return c.line
}

// csv reads a header and a topic a row. Spreadsheets of countries that write 1,5
// separate with semicolons.
func (p *parser) csv(file []byte) {
	r := csv.NewReader(bytes.NewReader(file))
	r.FieldsPerRecord = -1
	header, _, _ := bytes.Cut(file, []byte("\n"))
	if bytes.IndexByte(header, ';') >= 0 {
		r.Comma = ';'
	}
	var names []string
	for len(p.faults) < maxFaults {
		row, err := r.Read()
		var bad *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			if names == nil {
				p.fault(1, "", core.Say("The file is empty."))
			}
			return
		case errors.As(err, &bad):
			p.fault(bad.Line, "", core.Say("A quotation mark is missing or too much: {reason}", "reason", bad.Err))
			return
		}
		line, _ := r.FieldPos(0)
		if names != nil {
			p.row(line, names, row, r.Comma)
			continue
		}
		for i, n := range row {
			row[i] = strings.ToLower(strings.TrimSpace(n))
			if !slices.Contains(columns, row[i]) || slices.Contains(row[:i], row[i]) {
				p.fault(line, short(topic.Name(row[i])), unknown(row[i]))
			}
		}
		if names = row; !slices.Contains(names, "name") {
			p.fault(line, "name", core.Say("The first row must name the columns: {known}.", "known", strings.Join(columns, ",")))
		}
		if len(p.faults) > 0 {
			return
		}
	}
}

func (p *parser) row(line int, names, row []string, comma rune) {
	if len(row) > len(names) {
		p.fault(line, "", core.Say("This row has {n} cells, but there are {columns} columns. Put quotation marks around a cell that holds a comma.", "n", len(row), "columns", len(names)))
		return
	}
	var w written
	before := len(p.faults)
	for i, cell := range row {
		var err error
		value := strings.TrimSpace(cell)
		if comma == ';' {
			value = strings.Replace(value, ",", ".", 1)
		}
		switch n := names[i]; {
		case n == "name":
			w.Name = unquote(cell)
		case n == "text":
			w.Text = unquote(cell)
		case n == "kind":
			w.Kind = strings.ToLower(value)
		case value == "":
		case n == "min":
			w.Min, err = strconv.ParseFloat(value, 64)
		case n == "max":
			w.Max, err = strconv.ParseFloat(value, 64)
		case n == "writable":
			w.Writable, err = strconv.ParseBool(value)
		case n == "retain":
			w.Retain, err = strconv.ParseBool(value)
		case n == "qos":
			var qos uint64
			qos, err = strconv.ParseUint(value, 10, 8)
			w.QoS = byte(qos)
		}
		if err != nil {
			p.fault(line, names[i], core.Say("{value} does not fit here.", "value", short(topic.Name(value))))
		}
	}
	if len(p.faults) == before {
		p.take(line, "name", w)
	}
}

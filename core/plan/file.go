package plan

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	fileVersion = 2 // 1 had topics only
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

// Schema is what the exported JSON names: the file in this repository that says
// what may stand in it.
const Schema = "docs/plan.schema.json"

// ExportJSON writes everything that is designed as JSON, one thing a line. Which
// account a rule belongs to is not in it: another program has others.
func (s *Service) ExportJSON(w io.Writer) error { return WriteJSON(w, s.Design()) }

// WriteJSON is ExportJSON of any design.
func WriteJSON(w io.Writer, d *core.Design) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"$schema\": %q, \"version\": %d", Schema, fileVersion)
	err := errors.Join(
		list(&b, "topics", d.Topics, writeTopic), list(&b, "places", d.Places, writePlace),
		list(&b, "rules", d.Rules, writeRule), list(&b, "alarms", d.Alarms, writeAlarm))
	if err != nil {
		return err
	}
	b.WriteString("}\n")
	_, err = w.Write(b.Bytes())
	return err
}

// list writes a key and what it has.
func list[T, W any](b *bytes.Buffer, key string, all []*T, write func(T) W) error {
	fmt.Fprintf(b, ",\n%q: [", key)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	for i, t := range all {
		if i > 0 {
			b.Truncate(b.Len() - 1) // the new line
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		if err := e.Encode(write(*t)); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

// ExportCSV writes the topics as CSV. A cell that a spreadsheet could take for a
// formula begins with an apostrophe, which Import takes away.
func (s *Service) ExportCSV(w io.Writer) error { return WriteCSV(w, s.Design()) }

// WriteCSV is ExportCSV of any design.
func WriteCSV(w io.Writer, d *core.Design) error {
	c := csv.NewWriter(w)
	_ = c.Write(columns) // Flush below says what went wrong
	number := func(v float64, is bool) string {
		if !is {
			return ""
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	for _, t := range d.Topics {
		f := writeTopic(*t)
		ranged := f.Min != 0 || f.Max != 0
		_ = c.Write([]string{quote(f.Name), quote(f.Label), quote(f.Unit), quote(f.Text), f.Kind, number(f.Min, ranged), number(f.Max, ranged), number(f.Step, f.Step != 0),
			quote(join(f.Options)), strconv.FormatBool(f.Writable), strconv.Itoa(int(f.QoS)), strconv.FormatBool(f.Retain), strconv.Itoa(f.KeepDays)})
	}
	c.Flush()
	return c.Error()
}

// join returns words with | between them; of a word's own | and \ it makes \| and \\.
func join(words []string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte('|')
		}
		b.WriteString(strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(w))
	}
	return b.String()
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	words := []string{""}
	for i := 0; i < len(s); i++ {
		switch last := &words[len(words)-1]; {
		case s[i] == '|':
			words = append(words, "")
		case s[i] == '\\' && i+1 < len(s):
			i++
			*last += s[i : i+1]
		default:
			*last += s[i : i+1]
		}
	}
	return words
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

// Import designs what is in a file that ExportJSON or ExportCSV wrote, or a
// person: what has the name of something that is designed changes it, nothing else
// is removed. It applies all, as one edit, or, where anything is wrong, nothing
// and returns Faults.
func (s *Service) Import(ctx context.Context, file []byte) (created, changed int, err error) {
	p := parser{firsts: map[string]first{}}
	p.read(file)
	_, err = s.edit(ctx, func(v *view) (Change, error) {
		created, changed = 0, 0
		for i := range p.b.Rules { // whose it is, and that it is the same
			if old := v.Rule(p.b.Rules[i].ID); old != nil {
				p.b.Rules[i].Account = old.Account
			}
		}
		d := s.draft(ctx, v)
		faults := slices.Clone(p.faults)
		d.batch(p.b, func(in sort, i int, err error) {
			// A rule may need what is wrong already.
			if at := p.places[in][i]; len(faults) < maxFaults && (in != inRules || p.faults == nil) {
				faults = append(faults, Fault{at.Line, at.Path, sentence(err)})
			}
		})
		if len(faults) > 0 {
			slices.SortStableFunc(faults, func(a, b Fault) int { return a.Line - b.Line })
			return Change{}, faults
		}
		count := func(there, put int) { created, changed = created+put-there, changed+there }
		count(known(d.c.Topics.Put, v.Topics, topicKey), len(d.c.Topics.Put))
		count(known(d.c.Places.Put, v.Places, placeKey), len(d.c.Places.Put))
		count(known(d.c.Rules.Put, v.Rules, ruleKey), len(d.c.Rules.Put))
		count(known(d.c.Alarms.Put, v.Alarms, alarmKey), len(d.c.Alarms.Put))
		return d.done(ctx, "", core.Say("A file was imported: {created} new, {changed} changed", "created", created, "changed", changed))
	})
	if err != nil {
		created, changed = 0, 0
	}
	return created, changed, err
}

// known returns how many of put are among all, which is in order of key.
func known[K ~string, T any](put []T, all []*T, key func(*T) K) (n int) {
	for i := range put {
		if find(all, key(&put[i]), key) != nil {
			n++
		}
	}
	return n
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
	b      core.Batch
	places [inAlarms + 1][]Fault // where each of b stands
	firsts map[string]first
	faults Faults
}

// first is where a name came first, by fold; or the ID of a rule or an alarm.
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

// once reports whether key, which is of what is called n, comes for the first time.
func (p *parser) once(line int, path, key string, n topic.Name) bool {
	other, again := p.firsts[key]
	switch {
	case again && other.name == n:
		p.fault(line, path, core.Say("{topic} is in line {line} already. Remove one of them.", "topic", n, "line", other.line))
	case again:
		p.fault(line, path, core.Say("{topic} would look like {other} in line {line}: only capitals or the spelling of a letter differ. Choose another name.", "topic", n, "other", other.name, "line", other.line))
	default:
		p.firsts[key] = first{n, line}
	}
	return !again
}

// keep keeps t, which stands at line and path, in all, unless there are too many.
func keep[T any](p *parser, in sort, all *[]T, t T, most int, tooMany func() error, line int, path string) {
	if len(*all) == most {
		p.fault(line, path, sentence(tooMany()))
		return
	}
	*all = append(*all, t)
	p.places[in] = append(p.places[in], Fault{Line: line, Path: path})
}

func (p *parser) topic(line int, path string, w writtenTopic) {
	if t, err := w.topic(); err != nil {
		p.fault(line, path, sentence(err))
	} else if p.once(line, path, fold(t.Name), t.Name) {
		keep(p, inTopics, &p.b.Topics, t, MaxTopics, tooMany, line, path)
	}
}

func (p *parser) place(line int, path string, w writtenPlace) {
	if t, err := w.place(); err != nil {
		p.fault(line, path, sentence(err))
	} else if p.once(line, path, fold(t.Name), t.Name) {
		keep(p, inPlaces, &p.b.Places, t, MaxPlaces, tooManyPlaces, line, path)
	}
}

func (p *parser) rule(line int, path string, w writtenRule) {
	if r, err := w.rule(); err != nil {
		p.fault(line, path, sentence(err))
	} else if p.once(line, path, "+"+string(r.ID), topic.Name(r.ID)) { // no name has a +
		keep(p, inRules, &p.b.Rules, r, MaxRules, tooManyRules, line, path)
	}
}

func (p *parser) alarm(line int, path string, w writtenAlarm) {
	if a, err := w.alarm(); err != nil {
		p.fault(line, path, sentence(err))
	} else if p.once(line, path, "#"+string(a.ID), topic.Name(a.ID)) {
		keep(p, inAlarms, &p.b.Alarms, a, MaxAlarms, tooManyAlarms, line, path)
	}
}

// json reads {"version": 2, "topics": [{"name": "blue/lab/air", …}, …], …}.
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
			if versioned = version == 1.0 || version == float64(fileVersion); !versioned {
				p.fault(at, "version", core.Say("This Homeroom reads version {version}. Use the Homeroom that wrote the file.", "version", fileVersion))
				return
			}
		case "topics", "places", "rules", "alarms":
			var list json.RawMessage
			_ = d.Decode(&list)
			offset := d.InputOffset() - int64(len(list))
			switch {
			case list[0] != '[':
				p.fault(at, key.(string), core.Say("There must be a list here, in [ and ]."))
			case key == "topics":
				items(p, "topics", list, offset, &lines, p.topic)
			case key == "places":
				items(p, "places", list, offset, &lines, p.place)
			case key == "rules":
				items(p, "rules", list, offset, &lines, p.rule)
			default:
				items(p, "alarms", list, offset, &lines, p.alarm)
			}
		default:
			if key != "$schema" {
				p.fault(at, short(topic.Name(fmt.Sprint(key))), unknown(fmt.Sprint(key), "$schema, version, topics, places, rules, alarms"))
			}
			var skipped json.RawMessage
			_ = d.Decode(&skipped)
		}
	}
	if !versioned {
		p.fault(1, "version", notAPlan())
	}
}

func notAPlan() core.Sentence {
	return core.Say("This is no plan of Homeroom. It begins with {example}", "example", `{"version": 2, "topics": [`)
}

func unknown(name, known string) core.Sentence {
	return core.Say("{name} means nothing here. There are {known}.", "name", short(topic.Name(name)), "known", known)
}

// items reads a list, which stands at offset, and hands each thing to take.
func items[W any](p *parser, key string, list []byte, offset int64, lines *counter, take func(line int, path string, w W)) {
	d := json.NewDecoder(bytes.NewReader(list))
	_, _ = d.Token()
	for i := 0; d.More() && len(p.faults) < maxFaults; i++ {
		var raw json.RawMessage
		_ = d.Decode(&raw)
		line, path := lines.at(offset+d.InputOffset()-int64(len(raw))), fmt.Sprintf("%s[%d]", key, i)
		var w W
		one := json.NewDecoder(bytes.NewReader(raw))
		one.DisallowUnknownFields()
		err := one.Decode(&w)
		var wrong *json.UnmarshalTypeError
		switch name, isUnknown := strings.CutPrefix(fmt.Sprint(err), "json: unknown field "); {
		case err == nil:
			take(line, path, w)
		case errors.As(err, &wrong):
			if wrong.Field != "" {
				path += "." + wrong.Field
			}
			line += bytes.Count(raw[:min(int(wrong.Offset), len(raw))], []byte("\n"))
			p.fault(line, path, core.Say("{value} does not fit here.", "value", wrong.Value))
		case isUnknown:
			name = strings.Trim(name, `"`)
			p.fault(line, path+"."+short(topic.Name(name)), unknown(name, fieldsOf[W]()))
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
				p.fault(line, short(topic.Name(row[i])), unknown(row[i], strings.Join(columns, ", ")))
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
	var w writtenTopic
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
		case n == "label":
			w.Label = unquote(cell)
		case n == "unit":
			w.Unit = unquote(cell)
		case n == "text":
			w.Text = unquote(cell)
		case n == "options":
			w.Options = split(unquote(cell))
		case n == "kind":
			w.Kind = strings.ToLower(value)
		case value == "":
		case n == "min":
			w.Min, err = strconv.ParseFloat(value, 64)
		case n == "max":
			w.Max, err = strconv.ParseFloat(value, 64)
		case n == "step":
			w.Step, err = strconv.ParseFloat(value, 64)
		case n == "keep_days":
			w.KeepDays, err = strconv.Atoi(value)
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
		p.topic(line, "name", w)
	}
}

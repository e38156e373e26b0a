package plan

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

func TestImport(t *testing.T) {
	for _, c := range []struct {
		what, file string
		want       string // topics, or faults
	}{
		{"empty plan", `{"version":1,"topics":[]}`, ""},
		{"JSON", "{\"topics\":[\n{\"name\":\"a\",\"kind\":\"number\",\"max\":5},\n{\"name\":\"b\",\"text\":\"빛\",\"qos\":1,\"retain\":true,\"writable\":true}],\"version\":1}",
			"a  1 0..5 false 0 false\nb 빛 0 0..0 true 1 true\n"},
		{"CSV", "\ufeffName,kind,min,max\r\na,number,-1.5,5\r\n\"b\",,,\r\n", "a  1 -1.5..5 false 0 false\nb  0 0..0 false 0 false\n"},
		{"CSV of France", "name;kind;min;max;writable;text\na;Number;-1,5;5;TRUE;x, y\n", "a x, y 1 -1.5..5 true 0 false\n"},
		{"all that is wrong", "{\"version\":1,\"topics\":[\n{\"name\":\"a/+\"},\n{\"name\":\"ok\"},\n{\"name\":\"b\",\"qos\":\"one\"},\n{\"name\":\"c\",\"colour\":1},\n\n{\"name\":\"OK\"},{\"name\":\"ok\"},\n{\"name\":\"d\",\n\"qos\":300},{\"name\":\"e\",\"kind\":\"wood\"}, 7]}",
			"2: topics[0]: a/+ holds\n4: topics[2].qos: string does\n5: topics[3].colour: colour means\n7: topics[4]: OK would look like ok in line 3\n7: topics[5]: ok is in line 3\n9: topics[6].qos: number 300\n9: topics[7]: The values of e\n9: topics[8]: number does\n"},
		{"all that is wrong in CSV", "name,qos,writable\n$SYS/x,0,\nb,three,maybe\nb,0,true\nB,0,\nc,0,true,more\nd,7,\n",
			"2: name: $SYS/x begins\n3: qos: three does\n3: writable: maybe does\n5: name: B would look like b in line 4\n6: : This row has 4 cells\n7: name: The QoS of d is 7\n"},
		{"unknown key", "{\"version\":1,\n\"homes\":[]}", "2: homes: homes means nothing\n"},
		{"everything", "{\"$schema\":\"x\",\"version\":2,\n\"topics\":[{\"name\":\"a/b/lamp\",\"kind\":\"enumeration\",\"options\":[\"On\",\"Off\"]}],\n\"places\":[{\"name\":\"a\",\"kind\":\"branch\"},{\"name\":\"a/b\",\"kind\":\"kit\",\"role\":\"choice\"}],\n\"rules\":[{\"id\":\"r\",\"kit\":\"a/b\",\"when\":[{\"kind\":\"time\",\"at\":\"07:30\",\"days\":[\"Mon\"]}],\"for\":1.5}],\"alarms\":[{\"id\":\"x\",\"topic\":\"a\",\"kind\":\"silent\",\"within\":60}]}",
			"a/b/lamp  3 0..0 false 0 false\n"},
		{"all that is wrong with everything", "{\"version\":2,\"alarms\":[{\"id\":\"x\",\"topic\":\"a\",\"kind\":\"loud\"},\n{\"id\":\"X\",\"topic\":\"a\",\"kind\":\"silent\"}],\n\"places\":[{\"name\":\"a\",\"kind\":\"house\"},\n{\"name\":\"b\",\"kind\":\"room\",\"floor\":1},{\"name\":\"c\",\"kind\":\"room\"},\n{\"name\":\"C\",\"kind\":\"room\"},{\"name\":\"k\",\"kind\":\"kit\",\"role\":\"all\",\"ports\":[{\"slot\":\"led\",\"topic\":7}]}],\n\"topics\":[{\"name\":\"c\"},{\"name\":\"<b>\"}],\n\"rules\":[{\"id\":\"r\",\"for\":-1},{\"id\":\"s\",\"when\":[{\"kind\":\"time\",\"at\":\"noon\"}]},{\"id\":\"t\"},{\"id\":\"t\"},{\"id\":\"u\",\"for\":1e300}]}",
			"1: alarms[0]: The alarm x watches\n2: alarms[1]: X cannot be\n3: places[0]: a is no branch\n4: places[1].floor: floor means nothing here. There are name, kind\n5: places[3]: C would look like c in line 4\n5: places[4].ports.topic: number does\n6: topics[0]: c is in line 4 already\n7: rules[0]: A time of r\n7: rules[1]: noon is no time\n7: rules[3]: t is in line 7 already\n7: rules[4]: A time of u\n"},
		{"a rule of no kit", "{\"version\":2,\n\"rules\":[{\"id\":\"r\",\n\"kit\":\"a/b\"}]}", "2: rules[0]: r runs on a/b\n"},
		{"later version", `{"version":3,"topics":[]}`, "1: version: This Homeroom reads version 2\n"},
		{"no version", `{"topics":[]}`, "1: version: This is no plan\n"},
		{"a list", `[{"name":"a"}]`, "1: : This is no plan\n"},
		{"no list", `{"version":1,"topics":{"name":"a"}}`, "1: topics: There must be a list\n"},
		{"half", "{\"version\":1,\n\"topics\":[{\"name\":", "2: : This is no JSON\n"},
		{"two", "{\"version\":1}\n{}", "2: : This is no JSON\n"},
		{"nothing", "", "1: : The file is empty\n"},
		{"no header", "a,b\nc,d\n", "1: a: a means nothing\n1: b: b means nothing\n1: name: The first row\n"},
		{"column twice", "name,qos,qos\n", "1: qos: qos means nothing\n"},
		{"quotation mark", "name\n\"a\nb", "3: : A quotation mark\n"},
		{"Latin-1", "name\na\nb\xe9\n", "3: : This is no UTF-8\n"},
		{"depth", strings.Repeat("[", 20_000), "1: : This is no JSON\n"},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := service(t, &memory{})
			created, changed, err := s.Import(t.Context(), []byte(c.file))
			var faults Faults
			var got strings.Builder
			if errors.As(err, &faults) {
				want := strings.Split(c.want, "\n")
				for i, f := range faults {
					line := fmt.Sprintf("%d: %s: %s", f.Line, f.Path, f.Sentence)
					if i < len(want)-1 && strings.HasPrefix(line, want[i]) {
						line = want[i] // as much as is wanted
					}
					fmt.Fprintln(&got, line)
				}
				if !errors.Is(err, core.ErrInvalid) || len(s.Topics("#"))+created+changed != 0 {
					t.Error("half of it was taken")
				}
			} else if err != nil {
				t.Fatal(err)
			}
			for _, d := range s.Topics("#") {
				fmt.Fprintf(&got, "%s %s %d %v..%v %v %d %v\n", d.Name, d.Text, d.Kind, d.Min, d.Max, d.Writable, d.QoS, d.Retain)
			}
			if got.String() != c.want {
				t.Errorf("got\n%swant\n%s", &got, c.want)
			}
		})
	}
}

// TestImportBesideWhatIsThere changes what has the same name, and refuses what
// only looks the same.
func TestImportBesideWhatIsThere(t *testing.T) {
	s := service(t, &memory{})
	for _, d := range []core.Topic{{Name: "same", QoS: 1}, {Name: "other"}, {Name: "stays"}} {
		if err := s.CreateTopic(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	file := "name,qos\nsame,1\nother,2\nnew,0\n"
	if created, changed, err := s.Import(t.Context(), []byte(file)); created != 1 || changed != 1 || err != nil {
		t.Errorf("created %d, changed %d, %v", created, changed, err)
	}
	if created, changed, err := s.Import(t.Context(), []byte(file)); created != 0 || changed != 0 || err != nil {
		t.Errorf("again: created %d, changed %d, %v", created, changed, err)
	}
	_, _, err := s.Import(t.Context(), []byte("name,qos\nsame,0\nOther,2\n"))
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 1 || faults[0].Line != 3 {
		t.Errorf("%v", err)
	}
	if d, _ := s.Topic("same"); d.QoS != 1 || len(s.Topics("#")) != 4 {
		t.Errorf("%+v", d)
	}
}

// TestImportOfTooMany: as many topics as there may be are imported at once, are
// found, and leave no room for one more.
func TestImportOfTooMany(t *testing.T) {
	var file bytes.Buffer
	file.WriteString("name\n")
	for i := range MaxTopics {
		fmt.Fprintf(&file, "team-%d/room-%d/kit-%d/air\n", i%100, i/100%10, i/1000)
	}
	s := service(t, &memory{})
	if created, _, err := s.Import(t.Context(), file.Bytes()); created != MaxTopics || err != nil {
		t.Fatalf("%d, %v", created, err)
	}
	if _, _, err := s.Import(t.Context(), []byte("name\none\n")); !errors.Is(err, core.ErrInvalid) {
		t.Errorf("one more: %v", err)
	}
	must(t, s.ChangeTopic(t.Context(), core.Topic{Name: "team-7/room-7/kit-7/air", QoS: 1}))
	if n := len(s.Topics("team-7/#")); n != MaxTopics/100 {
		t.Errorf("team-7/# selects %d", n)
	}
	if n := len(s.Topics("+/room-7/+/air")); n != MaxTopics/10 {
		t.Errorf("+/room-7/+/air selects %d", n)
	}
	if !slices.IsSortedFunc(s.Topics("#"), func(a, b core.Topic) int { return strings.Compare(string(a.Name), string(b.Name)) }) {
		t.Error("not in order of name")
	}
	file.WriteString("one\n")
	p := parser{firsts: map[string]first{}}
	if p.read(file.Bytes()); len(p.faults) != 1 || p.faults[0].Line != MaxTopics+2 || len(p.b.Topics) != MaxTopics {
		t.Errorf("one more in the file: %v", p.faults)
	}
	bad := strings.Repeat("+\n", 5000)
	_, _, err := service(t, &memory{}).Import(t.Context(), []byte("name\n"+bad))
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != maxFaults {
		t.Errorf("%d faults", len(faults))
	}
}

// FuzzImport takes any file. What is taken comes back the same from both exports,
// and no cell of the CSV is a formula.
func FuzzImport(f *testing.F) {
	f.Add([]byte(`{"version":1,"topics":[{"name":"a/b","kind":"number","min":-1e300,"max":0.1,"text":"=1+1\n\"x\""}]}`))
	f.Add([]byte("name,text,min,max,kind,qos,writable,retain\n=a,'=b,1,2,number,2,true,1\n\"-x\",\"y\nz\",,,,,,\n"))
	f.Add([]byte("name;min\na;1,5\n"))
	f.Add([]byte("name,label,unit,step,options,keep_days\nx,=1,°C,0.5,,-1\n"))
	f.Add([]byte("name,kind,options\nx,enumeration,a\\\\|b|=c\n"))
	f.Add([]byte(`{"version":2,"places":[{"name":"a","kind":"kit","role":"any","x":1e-3,"ports":[{"slot":"x","topic":"b","action":"publish","toggle":true}]}],
"rules":[{"id":"r","inputs":[{"name":"x","topic":"b"}],"when":[{"kind":"change","input":"x","at":"1:30"},{"kind":"every","every":1.0000001},{"kind":"time","at":"23:59:59.999","days":["mon","SUN"]}],"if":"x > 1\n","then":[{"topic":"b","value":"<>"}],"debounce":604799.999999999}],
"alarms":[{"id":"a","topic":"b","kind":"rate","limit":0.1,"within":3,"word":"ignored"}]}`))
	f.Add([]byte(`{"topics":[{"name":null},[],{"NAME":"x","qos":1e2}],"version":1e0}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		s := service(t, &memory{})
		created, changed, err := s.Import(t.Context(), file)
		var faults Faults
		d := s.Design()
		if err != nil {
			if !errors.As(err, &faults) || len(faults) == 0 || len(d.Topics)+len(d.Places)+len(d.Rules)+len(d.Alarms) != 0 {
				t.Fatalf("%v", err)
			}
			for _, fault := range faults {
				if fault.Line < 1 || fault.Line > bytes.Count(file, []byte("\n"))+1 {
					t.Fatalf("line %d of %d", fault.Line, bytes.Count(file, []byte("\n"))+1)
				}
			}
			return
		}
		if created != len(d.Topics)+len(d.Places)+len(d.Rules)+len(d.Alarms) || changed != 0 {
			t.Fatalf("created %d, changed %d", created, changed)
		}
		var js, table bytes.Buffer
		if err := errors.Join(s.ExportJSON(&js), s.ExportCSV(&table)); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(table.Bytes())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			for i, cell := range row {
				if cell != "" && strings.ContainsRune("=@\t\r\n", rune(cell[0])) || strings.HasPrefix(cell, "-") && (i < 4 || i == 8) {
					t.Fatalf("a formula: %q", row)
				}
			}
		}
		for _, back := range [][]byte{js.Bytes(), table.Bytes()} {
			if created, changed, err := s.Import(t.Context(), back); created != 0 || changed != 0 || err != nil {
				t.Fatalf("its own export is something else: created %d, changed %d, %v\n%s", created, changed, err, back)
			}
			other := service(t, &memory{})
			if _, _, err := other.Import(t.Context(), back); err != nil || len(other.Design().Topics) != len(d.Topics) {
				t.Fatalf("%d topics of %d come back, %v", len(other.Design().Topics), len(d.Topics), err)
			}
			if got, want := sketch(other.Design(), false), sketch(d, false); back[0] == '{' && got != want {
				t.Fatalf("back comes\n%s\nwant\n%s\nby %s", got, want, back)
			}
		}
	})
}

// TestExportIsTheDesign exports designs that were made at random into empty plans,
// and holds each file against the schema.
func TestExportIsTheDesign(t *testing.T) {
	file, err := os.ReadFile("../../" + Schema)
	must(t, err)
	var schema map[string]any
	must(t, json.Unmarshal(file, &schema))
	for seed := range seeds(t, 6) {
		s, c := complete(t, &memory{}, newAttic()), chance{rand.New(rand.NewPCG(seed, 9))}
		for range 30 {
			b := c.batch(s.Design())
			for i := range b.Topics {
				b.Topics[i].Label, b.Topics[i].KeepDays = "<i>é 빛\u2028=\"", c.IntN(3)-1
			}
			for i := range b.Rules {
				b.Rules[i].For, b.Rules[i].Cooldown = time.Duration(c.Int64N(int64(maxWait))), time.Duration(c.Int64N(int64(time.Minute)))
				b.Rules[i].When = append(b.Rules[i].When, core.Trigger{Kind: core.OnTime, At: time.Duration(c.Int64N(int64(day))), Days: []time.Weekday{time.Weekday(c.IntN(7))}},
					core.Trigger{Kind: core.OnEvery, Every: time.Second + time.Duration(c.Int64N(int64(time.Hour)))})
			}
			_ = s.Change(t.Context(), b) // some is refused
		}
		var out bytes.Buffer
		must(t, s.ExportJSON(&out))
		var tree any
		must(t, json.Unmarshal(out.Bytes(), &tree))
		if wrong := against(schema, schema, tree, "$"); wrong != "" {
			t.Fatalf("seed %d: the schema does not allow it: %s\n%s", seed, wrong, &out)
		}
		other := complete(t, &memory{}, newAttic())
		created, changed, err := other.Import(t.Context(), out.Bytes())
		if got, want := sketch(other.Design(), false), sketch(s.Design(), false); got != want || err != nil || changed != 0 || created != strings.Count(want, "\n") {
			t.Fatalf("seed %d: %d created, %d changed, %v\n%s\nwant\n%s", seed, created, changed, err, got, want)
		}
		if created, changed, err := s.Import(t.Context(), out.Bytes()); created+changed != 0 || err != nil {
			t.Fatalf("seed %d: its own export is something else: %d, %d, %v", seed, created, changed, err)
		}
		if e, err := other.Undo(t.Context()); err != nil || len(other.Design().Topics)+len(other.Design().Rules) != 0 {
			t.Fatalf("%+v, %v", e, err)
		}
	}
	for _, bad := range []string{`{}`, `{"version":3}`, `{"version":2,"homes":[]}`, `{"version":2,"topics":[{}]}`, `{"version":2,"topics":[{"name":"a/+"}]}`, `{"version":2,"topics":[{"name":"a","qos":3}]}`,
		`{"version":2,"places":[{"name":"{team}","kind":"room"}]}`, `{"version":2,"rules":[{"id":"A"}]}`, `{"version":2,"rules":[{"id":"a","for":-1}]}`, `{"version":2,"topics":7}`} {
		var tree any
		must(t, json.Unmarshal([]byte(bad), &tree))
		if against(schema, schema, tree, "$") == "" {
			t.Errorf("the schema allows %s", bad)
		}
		if _, _, err := service(t, &memory{}).Import(t.Context(), []byte(bad)); err == nil {
			t.Errorf("the import takes %s", bad)
		}
	}
}

// against returns what schema, a part of root, forbids about v, or "". It knows as
// much of JSON Schema as ours uses.
func against(root, schema map[string]any, v any, path string) string {
	if ref, ok := schema["$ref"].(string); ok {
		return against(root, root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any), v, path)
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, v) {
		return fmt.Sprint(path, ": ", v)
	}
	limit := func(key string, n float64, sign float64) bool {
		l, ok := schema[key].(float64)
		return ok && sign*n > sign*l
	}
	is := ""
	switch v := v.(type) {
	case string:
		pattern, _ := schema["pattern"].(string)
		if is = "string"; limit("maxLength", float64(len([]rune(v))), 1) || limit("minLength", float64(len([]rune(v))), -1) || !regexp.MustCompile(pattern).MatchString(v) {
			return fmt.Sprint(path, ": ", v)
		}
	case float64:
		if is = "number"; limit("maximum", v, 1) || limit("minimum", v, -1) || schema["type"] == "integer" && v != float64(int64(v)) {
			return fmt.Sprint(path, ": ", v)
		}
		if schema["type"] == "integer" {
			is = "integer"
		}
	case bool:
		is = "boolean"
	case []any:
		is = "array"
		if limit("maxItems", float64(len(v)), 1) {
			return path + " is too long"
		}
		for i, item := range v {
			if items, ok := schema["items"].(map[string]any); ok {
				if wrong := against(root, items, item, fmt.Sprintf("%s[%d]", path, i)); wrong != "" {
					return wrong
				}
			}
		}
	case map[string]any:
		is = "object"
		properties, _ := schema["properties"].(map[string]any)
		required, _ := schema["required"].([]any)
		for _, k := range required {
			if _, there := v[k.(string)]; !there {
				return fmt.Sprint(path, " lacks ", k)
			}
		}
		for k, item := range v {
			p, known := properties[k].(map[string]any)
			if !known {
				return path + "." + k + " is unknown"
			}
			if wrong := against(root, p, item, path+"."+k); wrong != "" {
				return wrong
			}
		}
	}
	if t, typed := schema["type"]; typed && t != is {
		return fmt.Sprint(path, " is a ", is)
	}
	return ""
}

// TestImportOfEverythingThatIsLarge imports many topics and as many rooms as there
// can be, undoes and redoes it.
func TestImportOfEverythingThatIsLarge(t *testing.T) {
	const many = 3000
	var b bytes.Buffer
	b.WriteString(`{"version":2,"topics":[{"name":"t"}`)
	for i := range many - 1 {
		fmt.Fprintf(&b, ",\n{\"name\":\"a/%d/%d\",\"label\":\"Topic %d\",\"kind\":\"number\",\"max\":%d}", i%100, i, i, i+1)
	}
	b.WriteString(`],"places":[{"name":"p","kind":"room"}`)
	for i := range MaxPlaces - 1 {
		fmt.Fprintf(&b, ",\n{\"name\":\"p/%d\",\"kind\":\"room\"}", i)
	}
	b.WriteString(`]}`)
	m := &memory{}
	s := complete(t, m, newAttic())
	created, _, err := s.Import(t.Context(), b.Bytes())
	if err != nil || created != many+MaxPlaces {
		t.Fatalf("%d, %v", created, err)
	}
	_, err = s.Undo(t.Context())
	if must(t, err); len(s.Design().Topics)+len(s.Design().Places) != 0 {
		t.Fatal("not undone")
	}
	_, err = s.Redo(t.Context())
	if must(t, err); len(s.Design().Topics) != many || len(s.Design().Places) != MaxPlaces {
		t.Fatal("not redone")
	}
	if undo, _ := s.Edits(); len(undo) != 1 || m.kept.Edits[0].Size > maxImages/2 {
		t.Errorf("%d edits of %d bytes", len(undo), m.kept.Edits[0].Size)
	}
	if _, _, err := s.Import(t.Context(), []byte(`{"version":2,"places":[{"name":"q","kind":"room"}]}`)); !errors.Is(err, core.ErrInvalid) {
		t.Errorf("one place more: %v", err)
	}
	if err := s.Change(t.Context(), core.Batch{Places: []core.Place{{Name: "q", Kind: core.RoomPlace}}, RemovePlaces: []topic.Name{"p"}}); err != nil {
		t.Errorf("one for another: %v", err)
	}
}
